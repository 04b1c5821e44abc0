#include "query/builtins.hpp"

#include <algorithm>
#include <array>

namespace pgmemo::query {
namespace {

template <std::size_t N>
consteval std::array<std::string_view, N> sorted(std::array<std::string_view, N> names)
{
    std::sort(names.begin(), names.end());
    return names;
}

template <std::size_t N>
bool has(const std::array<std::string_view, N>& names, std::string_view name) noexcept
{
    return std::binary_search(names.begin(), names.end(), name);
}

/// Reviewed on PostgreSQL 15's pg_proc, one by one. Left out on purpose: everything that reads the catalog or the
/// session (current_setting, has_*, pg_*, to_reg*), the clock, types of the caller's choosing (json_populate_record),
/// encodings by conversions that a user may replace (convert*), jsonb_path_*_tz, which
/// may make a timetz of a time by today's offset, and xml, whose option is easily forgotten.
constexpr auto kSettingsOnly = sorted(std::to_array<std::string_view>({
    "age",
    "anytextcat",
    "array_to_json",
    "array_to_string",
    "concat",
    "concat_ws",
    "date",
    "date_cmp_timestamptz",
    "date_eq_timestamptz",
    "date_ge_timestamptz",
    "date_gt_timestamptz",
    "date_le_timestamptz",
    "date_lt_timestamptz",
    "date_ne_timestamptz",
    "date_part",
    "date_trunc",
    "date_add",
    "date_subtract",
    "enum_first",
    "enum_last",
    "enum_range",
    "extract",
    "format",
    "generate_series",
    "interval_pl_timestamptz",
    "json_agg",
    "json_agg_strict",
    "json_build_array",
    "json_build_object",
    "json_object_agg",
    "json_object_agg_strict",
    "json_object_agg_unique",
    "json_object_agg_unique_strict",
    "json_to_record",
    "json_to_recordset",
    "jsonb_agg",
    "jsonb_agg_strict",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object_agg",
    "jsonb_object_agg_strict",
    "jsonb_object_agg_unique",
    "jsonb_object_agg_unique_strict",
    "jsonb_to_record",
    "jsonb_to_recordset",
    "json_to_tsvector",
    "jsonb_to_tsvector",
    "make_timestamptz",
    "money",
    "numeric",
    "overlaps",
    "phraseto_tsquery",
    "plainto_tsquery",
    "quote_literal",
    "quote_nullable",
    "row_to_json",
    "textanycat",
    "time",
    "timestamp",
    "timestamp_cmp_timestamptz",
    "timestamp_eq_timestamptz",
    "timestamp_ge_timestamptz",
    "timestamp_gt_timestamptz",
    "timestamp_le_timestamptz",
    "timestamp_lt_timestamptz",
    "timestamp_ne_timestamptz",
    "timestamptz",
    "timestamptz_cmp_date",
    "timestamptz_cmp_timestamp",
    "timestamptz_eq_date",
    "timestamptz_eq_timestamp",
    "timestamptz_ge_date",
    "timestamptz_ge_timestamp",
    "timestamptz_gt_date",
    "timestamptz_gt_timestamp",
    "timestamptz_le_date",
    "timestamptz_le_timestamp",
    "timestamptz_lt_date",
    "timestamptz_lt_timestamp",
    "timestamptz_mi_interval",
    "timestamptz_ne_date",
    "timestamptz_ne_timestamp",
    "timestamptz_pl_interval",
    // timezone(text, timetz) takes today's offset; no timetz value comes this far, see TypeKind::clock
    "timezone",
    "to_char",
    "to_date",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "to_tsquery",
    "to_tsvector",
    "ts_headline",
    "ts_match_tq",
    "ts_match_tt",
    "websearch_to_tsquery",
}));

constexpr auto kClock = sorted(std::to_array<std::string_view>({
    "clock_timestamp",
    "now",
    "statement_timestamp",
    "timeofday",
    "transaction_timestamp",
}));

constexpr auto kHarmlessVolatile = sorted(std::to_array<std::string_view>({
    "clock_timestamp",
    "current_query",
    "currtid2",
    "currval",
    "gen_random_uuid",
    "lastval",
    "lo_close",
    "lo_creat",
    "lo_create",
    "lo_export",
    "lo_from_bytea",
    "lo_get",
    "lo_lseek",
    "lo_lseek64",
    "lo_open",
    "lo_put",
    "lo_tell",
    "lo_tell64",
    "lo_truncate",
    "lo_truncate64",
    "lo_unlink",
    "loread",
    "lowrite",
    "nextval",
    "now",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_blocking_pids",
    "pg_cancel_backend",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_current_xact_id",
    "pg_current_xact_id_if_assigned",
    "pg_database_size",
    "pg_export_snapshot",
    "pg_indexes_size",
    "pg_is_in_recovery",
    "pg_is_wal_replay_paused",
    "pg_last_committed_xact",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_lock_status",
    "pg_log_backend_memory_contexts",
    "pg_notify",
    "pg_notification_queue_usage",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_prepared_xact",
    "pg_relation_size",
    "pg_safe_snapshot_blocking_pids",
    "pg_sequence_last_value",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_stat_clear_snapshot",
    "pg_stat_force_next_flush",
    "pg_stat_reset",
    "pg_switch_wal",
    "pg_table_size",
    "pg_tablespace_size",
    "pg_terminate_backend",
    "pg_total_relation_size",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "pg_xact_commit_timestamp",
    "pg_xact_status",
    "random",
    "random_normal",
    "setseed",
    "setval",
    "statement_timestamp",
    "timeofday",
    "transaction_timestamp",
    "txid_current",
    "txid_current_if_assigned",
    "txid_status",
    "uuidv4",
    "uuidv7",
}));

constexpr auto kRunsSql = sorted(std::to_array<std::string_view>({
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "ts_rewrite",
    "ts_stat",
}));

constexpr auto kWellKnown = sorted(std::to_array<std::string_view>({
    "abs",
    "array_agg",
    "array_length",
    "array_position",
    "avg",
    "bool_and",
    "bool_or",
    "btrim",
    "cardinality",
    "ceil",
    "char_length",
    "coalesce",
    "count",
    "current_database",
    "current_schema",
    "current_schemas",
    "current_setting",
    "dense_rank",
    "exp",
    "first_value",
    "floor",
    "greatest",
    "json_array_elements",
    "jsonb_array_elements",
    "lag",
    "last_value",
    "lead",
    "least",
    "left",
    "length",
    "ln",
    "lower",
    "lpad",
    "ltrim",
    "max",
    "md5",
    "min",
    "mod",
    "nullif",
    "percent_rank",
    "pg_backend_pid",
    "position",
    "power",
    "rank",
    "regexp_replace",
    "repeat",
    "replace",
    "right",
    "round",
    "row_number",
    "rpad",
    "rtrim",
    "split_part",
    "sqrt",
    "string_agg",
    "strpos",
    "substr",
    "substring",
    "sum",
    "trim",
    "trunc",
    "unnest",
    "upper",
    "version",
}));

constexpr auto kInspectsAnyValue = sorted(std::to_array<std::string_view>({
    "pg_collation_for",
    "pg_column_compression",
    "pg_column_size",
    "pg_column_toast_chunk_id",
    "pg_typeof",
}));

constexpr auto kSafeTypes = sorted(std::to_array<std::string_view>({
    "bit",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cidr",
    "circle",
    "float4",
    "float8",
    "inet",
    "int2",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "text",
    "tsquery",
    "tsvector",
    "uuid",
    "varbit",
    "varchar",
}));

constexpr auto kTimeTypes = sorted(std::to_array<std::string_view>({
    "date",
    "datemultirange",
    "daterange",
    "time",
    "timestamp",
    "timestamptz",
    "tsmultirange",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
}));

} // namespace

bool depends_on_settings_only(std::string_view function) noexcept
{
    return has(kSettingsOnly, function);
}

bool reads_clock(std::string_view function, int arguments) noexcept
{
    if (function == "age")
        return arguments == 1;
    // timetz_in and every cast to timetz take today's offset of a zone
    return has(kClock, function) || function.find("timetz") != std::string_view::npos;
}

bool is_harmless_volatile(std::string_view function) noexcept
{
    return has(kHarmlessVolatile, function);
}

bool runs_sql(std::string_view function) noexcept
{
    return has(kRunsSql, function);
}

bool is_well_known(std::string_view function) noexcept
{
    return has(kWellKnown, function) || has(kSettingsOnly, function) || has(kClock, function);
}

bool inspects_any_value(std::string_view function) noexcept
{
    return has(kInspectsAnyValue, function);
}

TypeKind builtin_type(std::string_view name) noexcept
{
    if (name.starts_with('_'))
        name.remove_prefix(1);
    if (has(kSafeTypes, name))
        return TypeKind::safe;
    if (has(kTimeTypes, name))
        return TypeKind::time;
    if (name == "timetz")
        return TypeKind::clock;
    if (name.starts_with("reg"))
        return TypeKind::catalog;
    return TypeKind::unknown;
}

} // namespace pgmemo::query
