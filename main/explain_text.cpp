#include "main/explain_text.hpp"

#include "observe/log.hpp"
#include "query/reason.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace pgmemo {
namespace {

using query::Explanation;
using query::Reason;

/// Where in a text something is. Columns count characters.
struct Place {
    std::size_t offset = 0; ///< in bytes, from 0
    std::size_t line = 1;
    std::size_t column = 1;
    std::string_view text; ///< of the line
};

bool begins_character(char c) noexcept
{
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
}

std::optional<Place> find_place(std::string_view sql, int offset)
{
    if (offset < 0 || static_cast<std::size_t>(offset) > sql.size())
        return std::nullopt;
    Place place;
    place.offset = static_cast<std::size_t>(offset);
    const auto before = sql.substr(0, place.offset);
    const auto newline = before.rfind('\n');
    const auto start = newline == std::string_view::npos ? 0 : newline + 1;
    place.line += static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    place.column += static_cast<std::size_t>(
        std::count_if(before.begin() + static_cast<std::ptrdiff_t>(start), before.end(), begins_character));
    place.text = sql.substr(start, sql.find('\n', start) - start);
    return place;
}

const query::ReasonInfo& info_of(Reason reason)
{
    return query::reasons()[static_cast<std::size_t>(reason)];
}

// --- for a person

std::string size_text(std::size_t bytes)
{
    static constexpr std::array<std::pair<std::size_t, const char*>, 3> kUnits{
        {{std::size_t{1} << 30U, "GiB"}, {std::size_t{1} << 20U, "MiB"}, {std::size_t{1} << 10U, "KiB"}}};
    for (const auto& [size, name] : kUnits)
        if (bytes != 0 && bytes % size == 0)
            return fmt::format("{} {}", bytes / size, name);
    return fmt::format("{} bytes", bytes);
}

std::string ttl_text(const config::CachePolicy& policy)
{
    if (!policy.ttl)
        return "no end";
    const auto count = policy.ttl->count();
    return count % 1000 == 0 ? fmt::format("{} s", count / 1000) : fmt::format("{} ms", count);
}

/// `id = 1`, `id in 1, 2`, and of none `no rows`.
std::string rows_text(const Explanation::Rows& rows)
{
    if (rows.values.empty())
        return fmt::format("no {}", rows.column);
    if (rows.values.size() == 1)
        return fmt::format("{} = {}", rows.column, rows.values.front());
    return fmt::format("{} in ({})", rows.column, fmt::join(rows.values, ", "));
}

/// What a statement does beside moving rows' words.
std::vector<std::string> other_effects(const query::Statement& statement)
{
    std::vector<std::string> effects;
    if (statement.changes_catalog)
        effects.emplace_back("may change the catalog");
    if (statement.changes_cluster)
        effects.emplace_back("may reach beyond this database");
    if (statement.changes_session)
        effects.emplace_back("may change the session's settings");
    if (statement.may_commit)
        effects.emplace_back("may commit");
    return effects;
}

/// Lines of a label, then columns of one width each.
class Table {
public:
    void add(std::string_view label, std::vector<std::string> cells)
    {
        rows_.push_back({std::string{label}, std::move(cells)});
    }

    std::string text() const
    {
        std::vector<std::size_t> widths;
        for (const auto& row : rows_)
            for (std::size_t i = 0; i + 1 < row.cells.size(); ++i) {
                widths.resize(std::max(widths.size(), i + 1));
                widths[i] = std::max(widths[i], std::min(width_of(row.cells[i]), kMaxWidth));
            }
        std::string out;
        std::string_view last;
        for (const auto& row : rows_) {
            auto line = fmt::format("  {:<12}", row.label == last ? std::string_view{} : row.label);
            last = row.label;
            for (std::size_t i = 0; i < row.cells.size(); ++i) {
                line += row.cells[i];
                if (i + 1 < row.cells.size())
                    line.append(widths[i] + 2 - std::min(width_of(row.cells[i]), widths[i]), ' ');
            }
            line.resize(line.find_last_not_of(' ') + 1);
            out += line + '\n';
        }
        return out;
    }

private:
    static constexpr std::size_t kMaxWidth = 48; // a long one does not push all others to the right

    static std::size_t width_of(const std::string& cell)
    {
        return static_cast<std::size_t>(std::count_if(cell.begin(), cell.end(), begins_character));
    }

    struct Row {
        std::string label;
        std::vector<std::string> cells;
    };
    std::vector<Row> rows_;
};

std::string place_text(const Place& place)
{
    std::string pointer;
    std::size_t characters = 1;
    for (const char c : place.text) {
        if (!begins_character(c))
            continue;
        if (characters++ == place.column)
            break;
        pointer += c == '\t' ? '\t' : ' ';
    }
    return fmt::format("              {}\n              {}^\n", place.text, pointer);
}

void add_reads(Table& table, const Explanation& explained, bool is_refused)
{
    const auto label = is_refused ? "reads…" : "reads";
    for (const auto& read : explained.reads) {
        std::vector<std::string> cells{read.relation, read.confined ? "rows with " + rows_text(*read.confined)
                                                                    : std::string{"all rows"}};
        if (!read.through.empty())
            cells.push_back("through " + read.through);
        table.add(label, std::move(cells));
    }
}

void add_writes(Table& table, const Explanation& explained)
{
    const auto& statement = *explained.statement;
    if (statement.writes_unknown) {
        table.add("moves", {"the whole database"});
        for (const auto& what : explained.unseen)
            table.add("because of", {what});
    }
    for (const auto& write : explained.writes) {
        std::vector<std::string> moved;
        for (const auto& slots : write.slots)
            moved.push_back(rows_text(slots));
        for (const auto& column : write.wide)
            moved.push_back("any " + column);
        for (const auto& column : write.fresh)
            moved.push_back("a new " + column);
        const auto rows = moved.empty() ? std::string{"all rows"} : fmt::format("rows with {}", fmt::join(moved, "; "));
        if (write.why.empty())
            table.add("moves", {write.relation, rows});
        for (std::size_t i = 0; i < write.why.size(); ++i)
            table.add("moves", {i == 0 ? write.relation : std::string{}, i == 0 ? rows : std::string{}, write.why[i]});
    }
}

// --- for a program

std::string json(std::string_view text)
{
    return '"' + observe::json_escape(text) + '"';
}

std::string json(bool value)
{
    return value ? "true" : "false";
}

template <class T, class Put>
std::string json_list(const std::vector<T>& items, const Put& put)
{
    std::string all = "[";
    for (const auto& item : items) {
        if (all.size() > 1)
            all += ',';
        all += put(item);
    }
    return all + ']';
}

std::string json(const std::vector<std::string>& texts)
{
    return json_list(texts, [](const std::string& text) { return json(std::string_view{text}); });
}

std::string json(const Explanation::Rows& rows)
{
    return fmt::format(R"({{"column":{},"values":{}}})", json(std::string_view{rows.column}), json(rows.values));
}

std::string json(const Explanation::Read& read)
{
    return fmt::format(R"({{"relation":{},"through":{},"column":{},"values":{}}})",
                       json(std::string_view{read.relation}),
                       read.through.empty() ? "null" : json(std::string_view{read.through}),
                       read.confined ? json(std::string_view{read.confined->column}) : "null",
                       read.confined ? json(read.confined->values) : "null");
}

std::string json(const Explanation::Write& write)
{
    return fmt::format(R"({{"relation":{},"slots":{},"wide":{},"fresh":{},"why":{}}})",
                       json(std::string_view{write.relation}),
                       json_list(write.slots, [](const Explanation::Rows& rows) { return json(rows); }),
                       json(write.wide), json(write.fresh), json(write.why));
}

std::string json_settings(const query::SessionInWords& session)
{
    std::string all = "{";
    for (const auto& [name, value] : session.settings) {
        if (all.size() > 1)
            all += ',';
        all += json(std::string_view{name}) + ':' + (value ? json(std::string_view{*value}) : std::string{"null"});
    }
    return all + '}';
}

} // namespace

std::string session_as_text(const Asked& asked)
{
    const auto& session = asked.session;
    Table table;
    table.add("database", {session.database});
    table.add("user", {session.current_user == session.session_user
                           ? session.current_user
                           : fmt::format("{} (logged in as {})", session.current_user, session.session_user)});
    table.add("schemas", {fmt::format("{}", fmt::join(asked.schemas, ", "))});
    for (const auto& [name, value] : session.settings)
        table.add("settings", {value ? fmt::format("{} = {}", name, *value) : fmt::format("{} is not set", name)});
    return "session\n" + table.text();
}

std::string as_text(const std::string& sql, const Explanation& explained, const Decided& decided)
{
    const auto& statement = *explained.statement;
    const bool is_refused = decided.reason != Reason::none;
    std::string out = sql + '\n';
    Table head;
    head.add("decision", {is_refused ? fmt::format("bypass: {}", info_of(decided.reason).name) : "cacheable"});
    if (is_refused) {
        head.add("because", {std::string{info_of(decided.reason).meaning}});
        if (!statement.why.empty() && statement.reason == decided.reason)
            head.add("about", {statement.why});
    }
    const auto place = find_place(sql, statement.reason == decided.reason && is_refused ? statement.place : -1);
    if (place)
        head.add("at", {fmt::format("line {}, column {}", place->line, place->column)});
    out += head.text();
    if (place)
        out += place_text(*place);

    Table table;
    if (decided.policy != nullptr) {
        const auto rule = decided.rule != nullptr ? decided.rule->name : std::string{"none matches: the default"};
        table.add("rule", {decided.policy->enabled
                               ? fmt::format("{} (ttl {}, entries up to {})", rule, ttl_text(*decided.policy),
                                             size_text(decided.policy->max_entry_bytes))
                               : fmt::format("{} (not cached)", rule)});
    }
    add_reads(table, explained, !statement.is_cacheable());
    if (!statement.settings.empty())
        table.add("depends on", {fmt::format("{}", fmt::join(statement.settings, ", "))});
    add_writes(table, explained);
    for (const auto& effect : other_effects(statement))
        table.add("also", {effect});
    return out + table.text();
}

std::string as_json(const std::string& sql, const Explanation& explained, const Decided& decided, const Asked& asked)
{
    const auto& statement = *explained.statement;
    const bool is_refused = decided.reason != Reason::none;
    const bool is_its_own = statement.reason == decided.reason && is_refused;
    const auto place = find_place(sql, is_its_own ? statement.place : -1);
    const auto* policy = decided.policy;
    std::string out = "{";
    const auto add = [&out](std::string_view key, const std::string& value) {
        if (out.size() > 1)
            out += ',';
        out += fmt::format(R"("{}":{})", key, value);
    };
    add("sql", json(std::string_view{sql}));
    add("decision", json(std::string_view{is_refused ? "bypass" : "cacheable"}));
    add("reason", is_refused ? json(info_of(decided.reason).name) : "null");
    add("meaning", is_refused ? json(info_of(decided.reason).meaning) : "null");
    add("why", is_its_own && !statement.why.empty() ? json(std::string_view{statement.why}) : "null");
    add("place",
        place ? fmt::format(R"({{"offset":{},"line":{},"column":{}}})", place->offset, place->line, place->column)
              : "null");
    add("rule", decided.rule != nullptr ? json(std::string_view{decided.rule->name}) : "null");
    const bool is_stored = policy != nullptr && policy->enabled;
    add("ttl_ms", is_stored && policy->ttl ? fmt::format("{}", policy->ttl->count()) : "null");
    add("max_entry_bytes", is_stored ? fmt::format("{}", policy->max_entry_bytes) : "null");
    add("reads", json_list(explained.reads, [](const Explanation::Read& read) { return json(read); }));
    add("reads_complete", json(statement.is_cacheable()));
    add("depends_on", json(statement.settings));
    add("writes", json_list(explained.writes, [](const Explanation::Write& write) { return json(write); }));
    add("moves_database", json(statement.writes_unknown));
    add("moves_database_why", json(explained.unseen));
    add("changes", fmt::format(R"({{"catalog":{},"cluster":{},"session":{}}})", statement.changes_catalog,
                               statement.changes_cluster, statement.changes_session));
    add("may_commit", json(statement.may_commit));
    add("database", json(std::string_view{asked.session.database}));
    add("session_user", json(std::string_view{asked.session.session_user}));
    add("current_user", json(std::string_view{asked.session.current_user}));
    add("schemas", json(asked.schemas));
    add("settings", json_settings(asked.session));
    return out + '}';
}

} // namespace pgmemo
