#include "config/config.hpp"

#include "config/glob.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace pgmemo::config {

namespace {

constexpr std::size_t kMaxSocketPath = 107; // sockaddr_un::sun_path, less its NUL

bool any_glob(const std::vector<std::string>& globs, const std::string& text)
{
    return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_matches(glob, text); });
}

bool any_table(const std::vector<std::string>& globs, const std::vector<std::string>& tables)
{
    return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
        return std::any_of(tables.begin(), tables.end(),
                           [&](const std::string& table) { return table_glob_matches(glob, table); });
    });
}

std::optional<std::uint16_t> parse_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return port;
}

bool is_host(std::string_view host)
{
    return std::none_of(host.begin(), host.end(), [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == 0x7f || c == '/' || c == '[' || c == ']' || c == '@';
    });
}

} // namespace

std::string Address::text() const
{
    if (is_unix())
        return path;
    if (host.find(':') != std::string::npos)
        return fmt::format("[{}]:{}", host, port);
    return fmt::format("{}:{}", host, port);
}

std::optional<Address> parse_address(const std::string& text)
{
    if (text.starts_with('/')) {
        if (text.size() < 2 || text.size() > kMaxSocketPath || text.find('\0') != std::string::npos)
            return std::nullopt;
        return Address{{}, 0, text};
    }
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return std::nullopt;
    const auto port = parse_port(std::string_view{text}.substr(colon + 1));
    if (!port)
        return std::nullopt;
    std::string host = text.substr(0, colon);
    if (host.starts_with('[')) {
        if (host.size() < 4 || !host.ends_with(']'))
            return std::nullopt;
        host = host.substr(1, host.size() - 2);
        if (host.find(':') == std::string::npos)
            return std::nullopt;
    } else if (host.find(':') != std::string::npos) {
        return std::nullopt; // ::1:6432 could be read in two ways
    }
    if (!is_host(host))
        return std::nullopt;
    return Address{std::move(host), *port, {}};
}

bool Rule::matches(const std::vector<std::string>& tables, const std::string& user, const std::string& database,
                   std::string_view sql) const
{
    return (match.tables.empty() || any_table(match.tables, tables)) &&
           (match.users.empty() || any_glob(match.users, user)) &&
           (match.databases.empty() || any_glob(match.databases, database)) &&
           (!match.query || re2::RE2::PartialMatch(re2::StringPiece{sql.data(), sql.size()}, *match.query));
}

Config::Verdict Config::policy_for(const std::vector<std::string>& tables, const std::string& user,
                                   const std::string& database, std::string_view sql) const
{
    if (cache.enabled) {
        for (const Rule& rule : rules) {
            if (rule.decides && rule.matches(tables, user, database, sql))
                return {&rule.cache, &rule};
        }
    }
    return {&default_policy, nullptr};
}

std::vector<std::string> Config::tracked_columns(const std::string& table) const
{
    std::vector<std::string> columns;
    for (const Rule& rule : rules) {
        if (!rule.track.empty() && any_table(rule.match.tables, {table}))
            columns.insert(columns.end(), rule.track.begin(), rule.track.end());
    }
    std::sort(columns.begin(), columns.end());
    columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
    return columns;
}

std::string Config::footprint_settings() const
{
    std::string text{PGMEMO_VERSION};
    const auto add = [&text](std::string_view name, const std::vector<std::string>& list) {
        text += '\n';
        text += name;
        for (const auto& item : list)
            text.append(1, '\0').append(item);
    };
    for (const auto& rule : rules) {
        if (rule.track.empty())
            continue;
        add("track", rule.match.tables);
        add("columns", rule.track);
    }
    for (const auto& function : functions) {
        add("function", {function.name});
        add("reads", function.reads);
        add("writes", function.writes);
    }
    return text;
}

const FunctionSpec* Config::function_spec(const std::string& function) const
{
    const auto found = std::find_if(functions.begin(), functions.end(),
                                    [&](const FunctionSpec& spec) { return table_glob_matches(spec.name, function); });
    return found != functions.end() ? &*found : nullptr;
}

std::string Problem::str() const
{
    if (line == 0)
        return fmt::format("{}: {}", file, text);
    return fmt::format("{}:{}:{}: {}", file, line, column, text);
}

} // namespace pgmemo::config
