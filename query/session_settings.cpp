#include "query/session_settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace pgmemo::query {
namespace {

// Neutral for results: they change what is logged, when a statement is given up, or which plan is taken. A plan decides
// the order of rows only where the statement leaves it open, and then every order is right. Not here:
// client_min_messages (under `debug` a SELECT has messages to tell), gin_fuzzy_search_limit (it drops rows). Source:
// PostgreSQL documentation, "Server Configuration".
constexpr std::string_view kNeutral[] = {
    "application_name",
    "backend_flush_after",
    "checkpoint_flush_after",
    "commit_delay",
    "commit_siblings",
    "constraint_exclusion",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "cursor_tuple_fraction",
    "deadlock_timeout",
    "debug_pretty_print",
    "debug_print_parse",
    "debug_print_plan",
    "debug_print_rewritten",
    "default_statistics_target",
    "default_transaction_deferrable",
    "effective_cache_size",
    "effective_io_concurrency",
    "enable_async_append",
    "enable_bitmapscan",
    "enable_distinct_reordering",
    "enable_gathermerge",
    "enable_group_by_reordering",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_incremental_sort",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_memoize",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_parallel_append",
    "enable_parallel_hash",
    "enable_partition_pruning",
    "enable_partitionwise_aggregate",
    "enable_partitionwise_join",
    "enable_presorted_aggregate",
    "enable_self_join_elimination",
    "enable_seqscan",
    "enable_sort",
    "enable_tidscan",
    "from_collapse_limit",
    "geqo",
    "geqo_effort",
    "geqo_generations",
    "geqo_pool_size",
    "geqo_seed",
    "geqo_selection_bias",
    "geqo_threshold",
    "hash_mem_multiplier",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "jit",
    "jit_above_cost",
    "jit_inline_above_cost",
    "jit_optimize_above_cost",
    "join_collapse_limit",
    "lock_timeout",
    "log_disconnections",
    "log_duration",
    "log_error_verbosity",
    "log_executor_stats",
    "log_lock_waits",
    "log_min_duration_sample",
    "log_min_duration_statement",
    "log_min_error_statement",
    "log_min_messages",
    "log_parameter_max_length",
    "log_parameter_max_length_on_error",
    "log_parser_stats",
    "log_planner_stats",
    "log_statement",
    "log_statement_sample_rate",
    "log_statement_stats",
    "log_temp_files",
    "log_transaction_sample_rate",
    "logical_decoding_work_mem",
    "maintenance_io_concurrency",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "max_stack_depth",
    "min_parallel_index_scan_size",
    "min_parallel_table_scan_size",
    "parallel_leader_participation",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "plan_cache_mode",
    "random_page_cost",
    "recursive_worktable_factor",
    "seq_page_cost",
    "statement_timeout",
    "stats_fetch_consistency",
    "synchronous_commit",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "temp_buffers",
    "temp_file_limit",
    "temp_tablespaces",
    "track_activities",
    "track_counts",
    "track_functions",
    "track_io_timing",
    "track_wal_io_timing",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_timeout",
    "update_process_title",
    "vacuum_buffer_usage_limit",
    "vacuum_cost_delay",
    "vacuum_cost_limit",
    "vacuum_cost_page_dirty",
    "vacuum_cost_page_hit",
    "vacuum_cost_page_miss",
    "wal_compression",
    "wal_init_zero",
    "wal_recycle",
    "wal_sender_timeout",
    "wal_skip_threshold",
    "work_mem",
};

enum Column : std::size_t {
    database,
    session_user,
    current_user,
    server,
    schemas,
    schema_count,
    default_isolation,
    isolation,
    temporary,
    settings,
    custom,
    column_count
};

constexpr char kSeparator = '\x01';

std::string make_query()
{
    std::string neutral;
    for (const auto name : kNeutral) {
        if (!neutral.empty())
            neutral += ',';
        neutral += name;
    }
    return "/* pgmemo asks for the settings of this session */ SELECT "
           "pg_catalog.current_database()::pg_catalog.text, "
           "session_user::pg_catalog.text, "
           "current_user::pg_catalog.text, "
           // A server that was started anew, or promoted, is another server: it may have lost what was cached from it.
           "pg_catalog.concat(pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()), '/', "
           "pg_catalog.pg_is_in_recovery(), '/', pg_catalog.current_setting('server_version_num')), "
           "pg_catalog.array_to_string(pg_catalog.current_schemas(true), pg_catalog.chr(1)), "
           "pg_catalog.cardinality(pg_catalog.current_schemas(true))::pg_catalog.text, "
           "pg_catalog.current_setting('default_transaction_isolation'), "
           "pg_catalog.current_setting('transaction_isolation'), "
           "CASE WHEN pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0::pg_catalog.oid THEN 'f' "
           "WHEN EXISTS (SELECT FROM pg_catalog.pg_class c "
           "WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) "
           "OR EXISTS (SELECT FROM pg_catalog.pg_type t "
           "WHERE t.typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) THEN 't' ELSE 'f' END, "
           "(SELECT pg_catalog.string_agg(pg_catalog.concat(s.name, '=', s.setting), pg_catalog.chr(1) ORDER BY "
           "s.name) "
           "FROM pg_catalog.pg_settings s "
           "WHERE s.source OPERATOR(pg_catalog.<>) 'default' "
           "AND s.context OPERATOR(pg_catalog.=) ANY "
           "('{user,superuser,backend,superuser-backend}'::pg_catalog.text[]) "
           "AND s.name OPERATOR(pg_catalog.<>) ALL ('{" +
           neutral + "}'::pg_catalog.text[]))";
}

void append_part(std::string& out, std::string_view part)
{
    out += std::to_string(part.size());
    out += ':';
    out += part;
}

} // namespace

std::span<const std::string_view> neutral_settings() noexcept
{
    return kNeutral;
}

std::string settings_query(std::span<const std::string> custom)
{
    static const std::string common = make_query();
    std::string query = common + ", pg_catalog.concat_ws(pg_catalog.chr(1)";
    for (const auto& name : custom) {
        const auto literal = '\'' + name + '\''; // of letters, digits, underscores and dots alone
        query += ", " + literal + ", pg_catalog.quote_nullable(pg_catalog.current_setting(" + literal + ", true))";
    }
    return query + ", '')";
}

std::optional<SessionFacts> read_settings_row(std::span<const std::optional<std::string_view>> columns)
{
    if (columns.size() != column_count)
        return std::nullopt;
    const auto text = [&columns](Column column) { return columns[column].value_or(std::string_view{}); };
    SessionFacts facts;
    for (const auto column : {database, session_user, current_user, server}) {
        if (text(column).empty())
            return std::nullopt;
        append_part(facts.identity, text(column));
    }
    append_part(facts.identity, text(schemas));
    append_part(facts.identity, text(settings));
    append_part(facts.identity, text(custom));

    for (auto rest = text(schemas); !rest.empty();) {
        const auto end = rest.find(kSeparator);
        facts.schemas.emplace_back(rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    // A schema's name may hold the separator: then the count does not agree, and nothing is known.
    std::size_t count = 0;
    const auto counted = text(schema_count);
    if (std::from_chars(counted.data(), counted.data() + counted.size(), count).ec != std::errc{} ||
        count != facts.schemas.size())
        return std::nullopt;
    if (columns[default_isolation] == std::nullopt || columns[isolation] == std::nullopt || text(temporary).empty())
        return std::nullopt;
    facts.read_committed_by_default = text(default_isolation) == "read committed";
    facts.read_committed_now = text(isolation) == "read committed";
    facts.temporary_objects = text(temporary) != "f";
    return facts;
}

SessionInWords put_in_words(std::span<const std::optional<std::string_view>> columns)
{
    SessionInWords words;
    if (columns.size() != column_count)
        return words;
    const auto text = [&columns](Column column) { return columns[column].value_or(std::string_view{}); };
    words.database = text(database);
    words.session_user = text(session_user);
    words.current_user = text(current_user);
    const auto next = [](std::string_view& rest) {
        const auto end = rest.find(kSeparator);
        const auto part = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        return part;
    };
    for (auto rest = text(settings); !rest.empty();) {
        const auto item = next(rest);
        const auto equals = std::min(item.find('='), item.size());
        words.settings.emplace_back(item.substr(0, equals), item.substr(std::min(equals + 1, item.size())));
    }
    for (auto rest = text(custom); !rest.empty();) {
        const auto name = next(rest);
        auto quoted = next(rest);
        std::optional<std::string> value;
        if (quoted.size() >= 2 && quoted.ends_with('\'')) { // 'it''s', or E'…' where it holds a backslash
            const bool is_escaped = quoted.starts_with('E');
            quoted = quoted.substr(is_escaped ? 2 : 1, quoted.size() - (is_escaped ? 3 : 2));
            value.emplace();
            for (std::size_t i = 0; i < quoted.size(); ++i) {
                *value += quoted[i];
                if (quoted[i] == '\'' || (is_escaped && quoted[i] == '\\'))
                    ++i; // it is doubled
            }
        }
        words.settings.emplace_back(name, std::move(value));
    }
    return words;
}

} // namespace pgmemo::query
