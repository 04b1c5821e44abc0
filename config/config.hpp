#pragma once

#include "config/auth.hpp"
#include "config/remote.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace pgmemo::config {

/// Where to listen: a host and port, or the path of a Unix socket.
struct Address {
    std::string host; ///< empty with an empty `path`: every interface; brackets of IPv6 are not part of it
    std::uint16_t port = 0;
    std::string path;
    std::string text() const; ///< as it is written in the configuration
    bool is_unix() const noexcept { return !path.empty(); }
};

/// How cacheable statements that a rule matches are cached.
struct CachePolicy {
    bool enabled = true;                          ///< `cache: off` is false
    std::optional<std::chrono::milliseconds> ttl; ///< nullopt: no expiry
    std::size_t max_entry_bytes = 0;
};

/// What a rule asks of a statement. A condition that is not given holds; all given ones must. In a list one is enough.
struct Match {
    std::vector<std::string> tables;       ///< globs over `schema.table`; one of the relations read must match
    std::vector<std::string> users;        ///< globs over the role that logged in
    std::vector<std::string> databases;    ///< globs
    std::shared_ptr<const re2::RE2> query; ///< found anywhere in the SQL text
};

struct Rule {
    std::string name;
    Match match;
    CachePolicy cache;
    bool decides = true;            ///< it says something of `cache`; one that only tracks is passed over
    std::vector<std::string> track; ///< columns of the tables that `match.tables` names, whatever else it says

    /// `tables` are the relations read, each as `schema.table`.
    bool matches(const std::vector<std::string>& tables, const std::string& user, const std::string& database,
                 std::string_view sql) const;
};

/// What functions do that pgmemo cannot see into. Whoever writes it vouches for it: the result depends on the
/// arguments, the settings in the key and the relations in `reads` alone; it writes those in `writes` alone; it changes
/// no settings and runs no DDL.
struct FunctionSpec {
    std::string name;                ///< a glob over `schema.function`; every overload is meant
    std::vector<std::string> reads;  ///< globs over `schema.table`; none: nothing
    std::vector<std::string> writes; ///< likewise
};

enum class LogFormat : std::uint8_t { text, json };

/// TLS for clients. Paths are absolute, or relative to where pgmemo was started when there is no file.
struct Tls {
    std::string certificate; ///< with its chain; empty: clients are told that there is no TLS
    std::string key;
    bool require = false;        ///< refuse TCP clients without TLS; Unix sockets never have any
    std::string client_ca;       ///< who signs clients' certificates; empty: none is asked for
    bool require_client = false; ///< `client_certificate: required`
    std::string min_version = "TLSv1.2";
};

/// What one client may cost.
struct Limits {
    unsigned max_clients = 10'000; ///< cancel requests do not count
    std::chrono::milliseconds authentication_timeout = std::chrono::seconds{60};
    std::optional<std::chrono::milliseconds> client_idle_timeout;                      ///< outside of transactions
    std::optional<std::chrono::milliseconds> tcp_keepalive = std::chrono::seconds{60}; ///< until the first probe
    std::optional<std::chrono::milliseconds> tcp_user_timeout; ///< unacknowledged data; nullopt: the system's
};

/// The whole configuration, validated; defaults filled in. Immutable once loaded.
struct Config {
    std::vector<Address> listen{Address{"127.0.0.1", 6432, {}}};
    std::string upstream; ///< a libpq URI or connection string; checked to be one
    unsigned threads = 0; ///< 0: the cores that it may run on

    Auth auth;
    Tls tls;
    Limits limits;

    struct Pool {
        unsigned max_upstream = 100; ///< upstream connections, and so for now clients
    } pool;

    struct Cache {
        bool enabled = true;
        std::size_t memory_bytes = 256u << 20;
        std::size_t max_entry_bytes = 1u << 20;
        std::optional<std::chrono::milliseconds> ttl = std::chrono::seconds{60};
        bool cache_by_default = true; ///< `default: cache`
        std::optional<Remote> remote;
    } cache;

    std::vector<Rule> rules;
    std::vector<FunctionSpec> functions;
    std::optional<Address> metrics = Address{"127.0.0.1", 9632, {}}; ///< nullopt: `metrics: off`

    struct Log {
        std::string level = "info";
        LogFormat format = LogFormat::text;
    } log;

    /// The columns of `schema.table` that rules track, beside those of its primary key and unique constraints: every
    /// rule's, not only the first that matches. Sorted, unique.
    std::vector<std::string> tracked_columns(const std::string& table) const;
    /// What, beside the catalog, decides on the words of a statement: pgmemos that share a store must agree on it.
    std::string footprint_settings() const;
    /// The first entry whose name matches `schema.function`; null when there is none.
    const FunctionSpec* function_spec(const std::string& function) const;

    /// The policy for a statement: of the first rule that decides and matches, else the default. `rule` is null for the
    /// default.
    struct Verdict {
        const CachePolicy* policy;
        const Rule* rule;
    };
    Verdict policy_for(const std::vector<std::string>& tables, const std::string& user, const std::string& database,
                       std::string_view sql) const;
    CachePolicy default_policy{true, std::chrono::seconds{60}, 1u << 20}; ///< from `cache:`
};

/// One thing wrong with a configuration. `line` and `column` count from 1; 0 where there is no place.
struct Problem {
    std::string file;
    int line = 0;
    int column = 0;
    std::string text;        ///< one sentence: the key, what was found, what was expected
    std::string str() const; ///< file:line:column: text
};

/// What the command line says; it wins over the file. Each is checked as the file's own key is, and a problem names the
/// flag.
struct Overrides {
    std::optional<std::string> upstream;  ///< --upstream
    std::vector<std::string> listen;      ///< --listen, each
    std::optional<std::string> memory;    ///< --memory
    std::optional<std::string> ttl;       ///< --ttl
    std::optional<std::string> metrics;   ///< --metrics: an address or `off`
    std::optional<std::string> log_level; ///< --log-level
};

struct Loaded {
    std::shared_ptr<const Config> config; ///< null when there are problems
    std::vector<Problem> problems;        ///< every one, in the order of the file
};

Loaded load_file(const std::string& path, const Overrides& flags = {});
Loaded load_text(const std::string& yaml, const std::string& name,
                 const Overrides& flags = {}); ///< `name` stands for the file in problems
Loaded load_flags(const Overrides& flags);     ///< no file at all

/// "host:port", "[::1]:6432", ":6432", "/path/of/a/socket".
std::optional<Address> parse_address(const std::string& text);

} // namespace pgmemo::config
