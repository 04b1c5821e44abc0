#include "config/config.hpp"
#include "config/load_auth.hpp"
#include "config/reader.hpp"
#include "config/units.hpp"

#include <fmt/format.h>
#include <re2/re2.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

namespace pgmemo::config {

namespace {

constexpr std::size_t kMaxFileBytes = 1u << 20;
constexpr int kMaxDepth = 32; // the format itself needs five
constexpr std::size_t kLeastMemory = 1u << 20;
constexpr std::size_t kEntriesAtLeast = 8; // so many of the largest entries must fit into the memory
constexpr unsigned kMostUpstream = 10'000; // of 1,024 requests each: below the 16,777,215 flights of a version word
constexpr unsigned kMostThreads = 256;
constexpr unsigned kMostClients = 1'000'000;

/// Looks at the shape alone, before any tree is built: yaml-cpp builds and frees trees by recursion.
class Shape : public YAML::EventHandler {
public:
    struct TooDeep {
        YAML::Mark mark;
    };

    void OnDocumentStart(const YAML::Mark& mark) override
    {
        if (++documents_ == 2)
            second_ = mark;
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {
        enter(mark);
    }
    void OnSequenceEnd() override { --depth_; }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {
        enter(mark);
    }
    void OnMapEnd() override { --depth_; }

    int documents() const noexcept { return documents_; }
    const YAML::Mark& second() const noexcept { return second_; }

private:
    void enter(const YAML::Mark& mark)
    {
        if (++depth_ > kMaxDepth)
            throw TooDeep{mark};
    }

    int depth_ = 0;
    int documents_ = 0;
    YAML::Mark second_;
};

/// The tree of a file, or nullopt after a problem was noted. An empty file is a null node.
std::optional<YAML::Node> parse(const std::string& yaml, Reader& reader)
{
    if (yaml.size() > kMaxFileBytes) {
        reader.fail(Place{}, fmt::format("the file is larger than {}", size_text(kMaxFileBytes)));
        return std::nullopt;
    }
    try {
        Shape shape;
        std::istringstream stream{yaml};
        YAML::Parser parser{stream};
        while (parser.HandleNextDocument(shape)) {
        }
        if (shape.documents() > 1) {
            reader.fail(place_of(shape.second()), "a second YAML document; a configuration is one");
            return std::nullopt;
        }
        return YAML::Load(yaml);
    } catch (const Shape::TooDeep& deep) {
        reader.fail(place_of(deep.mark), "nested too deeply");
    } catch (const YAML::Exception& error) {
        reader.fail(place_of(error.mark), fmt::format("not YAML: {}", error.msg));
    }
    return std::nullopt;
}

/// Whether it has the shape of a libpq URI or connection string. What it says is judged where it is used.
bool is_conninfo(std::string_view text)
{
    if (text.starts_with("postgresql://") || text.starts_with("postgres://"))
        return text.find_first_of(" \t\r\n") == std::string_view::npos;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos)
        return false;
    auto key = text.substr(0, equals);
    while (key.ends_with(' '))
        key.remove_suffix(1);
    while (key.starts_with(' '))
        key.remove_prefix(1);
    return !key.empty() &&
           std::all_of(key.begin(), key.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

/// Turns sections into a Config. Each `read_` takes what stands at its key.
class Loader {
public:
    Loader(Reader& reader, const Overrides& flags, std::string folder)
        : reader_(reader)
        , flags_(flags)
        , folder_(std::move(folder))
    {
    }

    std::shared_ptr<const Config> load(const YAML::Node& root)
    {
        const Place start{1, 1};
        auto top = reader_.section({"", start, root},
                                   {"listen", "upstream", "threads", "auth", "tls", "limits", "pool", "cache",
                                    "capture", "rules", "functions", "metrics", "log"},
                                   {"admin"});
        apply_flags(top);
        read_upstream(top);
        with(top, "listen", &Loader::read_listen);
        with(top, "threads", &Loader::read_threads);
        with(top, "tls", &Loader::read_tls);
        with(top, "limits", &Loader::read_limits);
        with(top, "auth", &Loader::read_auth);
        with(top, "pool", &Loader::read_pool);
        with(top, "cache", &Loader::read_cache);
        finish_cache();
        with(top, "capture", &Loader::read_capture);
        with(top, "rules", &Loader::read_rules);
        with(top, "functions", &Loader::read_functions);
        with(top, "metrics", &Loader::read_metrics);
        with(top, "log", &Loader::read_log);
        return config_;
    }

private:
    using Read = void (Loader::*)(const Field&);

    void with(const Section& section, std::string_view key, Read read)
    {
        if (const auto found = section.find(key); found != section.end())
            (this->*read)(found->second);
    }

    /// A flag stands in for the file's value and is read as that would be; it has no place but its own name.
    static Field flag(std::string_view name, const std::string& value)
    {
        return {std::string{name}, {}, YAML::Node{value}};
    }

    void apply_flags(Section& top)
    {
        if (flags_.upstream)
            top["upstream"] = flag("--upstream", *flags_.upstream);
        if (!flags_.listen.empty()) {
            YAML::Node list;
            for (const auto& address : flags_.listen)
                list.push_back(address);
            top["listen"] = {"--listen", {}, list};
        }
    }

    void read_upstream(const Section& top)
    {
        const auto found = top.find("upstream");
        if (found == top.end() || found->second.node.IsNull())
            return reader_.fail(Place{}, "upstream is required: where PostgreSQL is, as a libpq URI");
        const Field& field = found->second;
        const auto text = reader_.word(field);
        if (!text)
            return;
        if (is_conninfo(*text))
            config_->upstream = *text;
        else // not shown: it may hold a password
            reader_.fail(field, "not a libpq URI (postgresql://…) or connection string (key=value …)");
    }

    void read_listen(const Field& field)
    {
        config_->listen.clear();
        std::set<std::string> seen;
        for (const auto& item : reader_.items(field)) {
            auto address = reader_.address(item);
            if (!address)
                continue;
            const bool any_port = !address->is_unix() && address->port == 0;
            if (!any_port && !seen.insert(address->text()).second)
                reader_.fail(item, fmt::format("{} is given twice", quoted(address->text())));
            config_->listen.push_back(std::move(*address));
        }
    }

    void read_threads(const Field& field)
    {
        if (field.node.IsScalar() && field.node.Scalar() == "auto")
            return;
        if (const auto threads = reader_.count(field, 1, kMostThreads))
            config_->threads = *threads;
    }

    void read_auth(const Field& field)
    {
        config_->auth =
            config::read_auth(reader_, field, [this](std::string path) { return in_folder(std::move(path)); });
    }

    void read_tls(const Field& field)
    {
        const auto tls =
            reader_.section(field, {"certificate", "key", "require", "client_ca", "client_certificate", "min_version"});
        auto& to = config_->tls;
        const auto path = [&](std::string_view key, std::string& value) {
            if (const auto found = tls.find(key); found != tls.end())
                value = in_folder(reader_.word(found->second).value_or(""));
        };
        path("certificate", to.certificate);
        path("key", to.key);
        path("client_ca", to.client_ca);
        if (const auto require = tls.find("require"); require != tls.end())
            to.require = reader_.on_or_off(require->second).value_or(false);
        if (const auto client = tls.find("client_certificate"); client != tls.end()) {
            to.require_client = reader_.choice(client->second, {"optional", "required"}) == "required";
            if (to.require_client && tls.find("client_ca") == tls.end())
                reader_.fail(client->second, "needs tls.client_ca, to verify it against");
        }
        if (const auto version = tls.find("min_version"); version != tls.end()) {
            const auto text = reader_.choice(version->second, {"1.2", "1.3", "TLSv1.2", "TLSv1.3"});
            if (text)
                to.min_version = text->starts_with("TLS") ? *text : "TLSv" + *text;
        }
        const bool has_certificate = tls.find("certificate") != tls.end();
        if (has_certificate != (tls.find("key") != tls.end()))
            reader_.fail(field, "certificate and key come together");
        else if (!has_certificate && !tls.empty())
            reader_.fail(field, "there is no TLS without certificate and key");
    }

    /// What the file names stands in its own folder, unless it says otherwise.
    std::string in_folder(std::string path) const
    {
        const bool stays = path.empty() || path.front() == '/' || folder_.empty();
        return stays ? path : fmt::format("{}/{}", folder_, path);
    }

    void read_limits(const Field& field)
    {
        const auto limits = reader_.section(field, {"max_clients", "authentication_timeout", "client_idle_timeout",
                                                    "tcp_keepalive", "tcp_user_timeout"});
        auto& to = config_->limits;
        if (const auto max = limits.find("max_clients"); max != limits.end())
            to.max_clients = reader_.count(max->second, 1, kMostClients).value_or(to.max_clients);
        if (const auto time = limits.find("authentication_timeout"); time != limits.end())
            to.authentication_timeout = reader_.time(time->second).value_or(to.authentication_timeout);
        const auto optional = [&](std::string_view key, std::optional<std::chrono::milliseconds>& value) {
            if (const auto found = limits.find(key); found != limits.end())
                value = reader_.time_or_none(found->second).value_or(value);
        };
        optional("client_idle_timeout", to.client_idle_timeout);
        optional("tcp_keepalive", to.tcp_keepalive);
        optional("tcp_user_timeout", to.tcp_user_timeout);
    }

    void read_pool(const Field& field)
    {
        const auto pool = reader_.section(field, {"mode", "max_upstream"});
        with(pool, "mode", &Loader::read_mode);
        if (const auto max = pool.find("max_upstream"); max != pool.end()) {
            if (const auto value = reader_.count(max->second, 1, kMostUpstream))
                config_->pool.max_upstream = *value;
        }
    }

    void read_mode(const Field& field)
    {
        const auto mode = reader_.choice(field, {"transparent", "session", "transaction"});
        if (mode && *mode != "transparent")
            reader_.fail(field, fmt::format("{} is not in this version of pgmemo; transparent is", *mode));
    }

    void read_cache(const Field& field)
    {
        if (field.node.IsScalar()) {
            if (const auto on = reader_.on_or_off(field))
                config_->cache.enabled = *on;
            return;
        }
        cache_ = reader_.section(field, {"enabled", "memory", "max_entry", "ttl", "remote", "remote_namespace",
                                         "remote_secret", "remote_ca", "remote_timeout", "remote_lease", "default"});
        if (const auto enabled = cache_.find("enabled"); enabled != cache_.end()) {
            if (const auto on = reader_.on_or_off(enabled->second))
                config_->cache.enabled = *on;
        }
        with(cache_, "remote", &Loader::read_remote);
        with(cache_, "default", &Loader::read_default);
    }

    void read_remote(const Field& field)
    {
        const auto url = reader_.word(field);
        if (!url || *url == "none")
            return;
        std::string problem; // the URL is not shown: it may hold a password
        config_->cache.remote = parse_remote(*url, problem);
        if (!config_->cache.remote)
            reader_.fail(field, problem);
    }

    /// The keys beside `remote`; they say nothing without it, but are checked.
    void read_remote_settings()
    {
        Remote ignored;
        auto& remote = config_->cache.remote ? *config_->cache.remote : ignored;
        if (const auto space = cache_.find("remote_namespace"); space != cache_.end()) {
            const auto name = reader_.word(space->second);
            const auto is_plain = [](char c) {
                return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                       c == '-' || c == '.';
            };
            constexpr std::size_t kMostBytes = 64;
            if (name &&
                (name->empty() || name->size() > kMostBytes || !std::all_of(name->begin(), name->end(), is_plain)))
                reader_.fail(space->second, "must be 1 to 64 letters, digits, dots, dashes and underscores");
            else if (name)
                remote.space = *name;
        }
        if (const auto secret = cache_.find("remote_secret"); secret != cache_.end())
            remote.secret = reader_.word(secret->second).value_or("");
        if (const auto ca = cache_.find("remote_ca"); ca != cache_.end())
            if (const auto file = reader_.word(ca->second))
                remote.ca = in_folder(*file);
        const auto time = [this](std::string_view key, std::chrono::milliseconds& to, std::chrono::milliseconds least,
                                 std::chrono::milliseconds most) {
            const auto found = cache_.find(key);
            if (found == cache_.end())
                return;
            const auto given = reader_.time(found->second);
            if (given && (*given < least || *given > most))
                reader_.fail(found->second, fmt::format("must be {}ms to {}ms", least.count(), most.count()));
            else if (given)
                to = *given;
        };
        using std::chrono::milliseconds;
        time("remote_timeout", remote.timeout, milliseconds{1}, milliseconds{10'000});
        time("remote_lease", remote.lease, milliseconds{500}, milliseconds{300'000});
        constexpr std::size_t kLeastWithRemote = 8U << 20U;
        if (config_->cache.remote && config_->cache.memory_bytes < kLeastWithRemote)
            reader_.fail(cache_.find("remote")->second,
                         "needs cache.memory to be at least 8MiB: what is shared is served from there");
    }

    void read_default(const Field& field)
    {
        if (const auto what = reader_.choice(field, {"cache", "bypass"}))
            config_->cache.cache_by_default = *what == "cache";
    }

    /// Sizes and times of `cache:`, with the flags laid over them; everything that rules inherit.
    void finish_cache()
    {
        if (flags_.memory)
            cache_["memory"] = flag("--memory", *flags_.memory);
        if (flags_.ttl)
            cache_["ttl"] = flag("--ttl", *flags_.ttl);

        auto& cache = config_->cache;
        if (const auto memory = cache_.find("memory"); memory != cache_.end()) {
            if (const auto bytes = reader_.size(memory->second)) {
                if (*bytes < kLeastMemory)
                    reader_.fail(memory->second, "must be at least 1MiB; `cache: off` is how not to cache");
                else
                    cache.memory_bytes = *bytes;
            }
        }
        cache.max_entry_bytes = std::min(cache.max_entry_bytes, cache.memory_bytes / kEntriesAtLeast);
        if (const auto max_entry = cache_.find("max_entry"); max_entry != cache_.end())
            cache.max_entry_bytes = read_max_entry(max_entry->second).value_or(cache.max_entry_bytes);
        if (const auto ttl = cache_.find("ttl"); ttl != cache_.end())
            cache.ttl = reader_.ttl(ttl->second).value_or(cache.ttl);
        config_->default_policy = {cache.enabled && cache.cache_by_default, cache.ttl, cache.max_entry_bytes};
        read_remote_settings();
    }

    std::optional<std::size_t> read_max_entry(const Field& field)
    {
        const auto bytes = reader_.size(field);
        if (!bytes)
            return std::nullopt;
        const std::size_t most = config_->cache.memory_bytes / kEntriesAtLeast;
        if (*bytes == 0) {
            reader_.fail(field, "must be more than 0; `cache: off` is how not to cache");
            return std::nullopt;
        }
        if (*bytes > most) {
            reader_.fail(field,
                         fmt::format("{} is more than an eighth of cache.memory ({}); at most {} here",
                                     size_text(*bytes), size_text(config_->cache.memory_bytes), size_text(most)));
            return std::nullopt;
        }
        return bytes;
    }

    void read_capture(const Field& field)
    {
        if (field.node.IsScalar() && field.node.Scalar() == "auto")
            return;
        const auto on = reader_.on_or_off(field);
        if (on && *on)
            reader_.fail(field, "change capture is not in this version of pgmemo; auto and off are");
    }

    void read_rules(const Field& field)
    {
        if (field.node.IsNull())
            return;
        if (!field.node.IsSequence())
            return reader_.fail(field, "expected a list of rules");
        std::set<std::string> names;
        for (const auto& item : field.node) {
            const auto number = config_->rules.size() + 1;
            Rule rule;
            rule.name = fmt::format("rule {}", number);
            const Place place = item.IsNull() ? field.place : place_of(item.Mark());
            if (item.IsNull()) {
                reader_.fail(place, fmt::format("rule {}: says nothing", number));
                continue;
            }
            read_rule(Field{rule.name, place, item, ": "}, rule, names);
            config_->rules.push_back(std::move(rule));
        }
    }

    void read_rule(Field field, Rule& rule, std::set<std::string>& names)
    {
        const auto given = field.node.IsMap() ? std::as_const(field.node)["name"] : YAML::Node{};
        if (given.IsDefined() && given.IsScalar() && !given.Scalar().empty())
            field.name = "rule " + quoted(given.Scalar()); // for the messages, wherever it stands in the rule
        const auto section = reader_.section(field, {"name", "match", "cache", "track"});
        if (const auto name = section.find("name"); name != section.end())
            rule.name = reader_.word(name->second).value_or(rule.name);
        if (!names.insert(rule.name).second)
            reader_.fail(section.contains("name") ? section.find("name")->second.place : field.place,
                         fmt::format("another rule has the name {} already", quoted(rule.name)));
        if (const auto match = section.find("match"); match != section.end())
            read_match(match->second, rule.match);
        rule.cache = config_->default_policy;
        rule.cache.enabled = true;
        if (const auto cache = section.find("cache"); cache != section.end())
            read_rule_cache(cache->second, rule.cache);
        else
            rule.decides = false;
        if (const auto track = section.find("track"); track != section.end())
            read_track(track->second, rule, section);
        else if (!rule.decides && field.node.IsMap())
            reader_.fail(field, "says nothing of cache, nor of track; write `cache: off`, `cache: on`, "
                                "`cache: { ttl: … }` or `track: [column]`");
    }

    void read_track(const Field& field, Rule& rule, const Section& section)
    {
        const auto match = section.find("match");
        const bool has_tables = match != section.end() && match->second.node.IsMap() &&
                                std::as_const(match->second.node)["tables"].IsDefined();
        if (!has_tables)
            reader_.fail(field, "needs match.tables: the tables whose columns these are");
        for (const auto& item : reader_.items(field)) {
            const auto column = reader_.word(item);
            if (column && column->find_first_of("*?") != std::string::npos)
                reader_.fail(item, fmt::format("{} is a glob; write each column's own name", quoted(*column)));
            else if (column)
                rule.track.push_back(*column);
        }
    }

    void read_match(const Field& field, Match& match)
    {
        if (field.node.IsNull())
            return reader_.fail(field, "says nothing; leave it out to match every statement");
        const auto section = reader_.section(field, {"tables", "query", "user", "database"});
        if (field.node.IsMap() && field.node.size() == 0)
            reader_.fail(field, "says nothing; leave it out to match every statement");
        if (const auto tables = section.find("tables"); tables != section.end())
            match.tables = reader_.words(tables->second);
        if (const auto user = section.find("user"); user != section.end())
            match.users = reader_.words(user->second);
        if (const auto database = section.find("database"); database != section.end())
            match.databases = reader_.words(database->second);
        if (const auto query = section.find("query"); query != section.end())
            read_query(query->second, match);
    }

    void read_query(const Field& field, Match& match)
    {
        re2::RE2::Options options;
        options.set_log_errors(false);
        std::string all;
        for (const auto& item : reader_.items(field)) {
            const auto pattern = reader_.word(item);
            if (!pattern)
                continue;
            const re2::RE2 alone{*pattern, options};
            if (!alone.ok()) {
                reader_.fail(item, fmt::format("{} is not a regular expression: {}", quoted(*pattern), alone.error()));
                continue;
            }
            all += (all.empty() ? "(?:" : "|(?:") + *pattern + ")";
        }
        if (all.empty())
            return;
        auto compiled = std::make_shared<re2::RE2>(all, options);
        if (compiled->ok())
            match.query = std::move(compiled);
        else
            reader_.fail(field, fmt::format("too much for one regular expression: {}", compiled->error()));
    }

    void read_rule_cache(const Field& field, CachePolicy& policy)
    {
        if (field.node.IsScalar()) {
            policy.enabled = reader_.on_or_off(field).value_or(true);
            return;
        }
        const auto section = reader_.section(field, {"ttl", "max_entry"}, {"stale_while_revalidate", "stale_if_error"});
        if (const auto ttl = section.find("ttl"); ttl != section.end())
            policy.ttl = reader_.ttl(ttl->second).value_or(policy.ttl);
        if (const auto max_entry = section.find("max_entry"); max_entry != section.end())
            policy.max_entry_bytes = read_max_entry(max_entry->second).value_or(policy.max_entry_bytes);
    }

    void read_functions(const Field& field)
    {
        if (field.node.IsNull())
            return;
        if (!field.node.IsSequence())
            return reader_.fail(field, "expected a list of functions");
        std::size_t number = 0;
        for (const auto& item : field.node) {
            ++number;
            const Place place = item.IsNull() ? field.place : place_of(item.Mark());
            if (item.IsNull())
                reader_.fail(place, fmt::format("function {}: says nothing", number));
            else
                read_function(Field{fmt::format("function {}", number), place, item, ": "});
        }
    }

    void read_function(Field field)
    {
        FunctionSpec spec;
        const auto given = field.node.IsMap() ? std::as_const(field.node)["name"] : YAML::Node{};
        if (given.IsDefined() && given.IsScalar() && !given.Scalar().empty())
            field.name = "function " + quoted(given.Scalar());
        const auto section = reader_.section(field, {"name", "reads", "writes"});
        if (const auto name = section.find("name"); name != section.end())
            read_function_name(name->second, spec);
        else if (field.node.IsMap())
            reader_.fail(field, "has no name; write `name: schema.function`");
        const auto reads = section.find("reads");
        const auto writes = section.find("writes");
        if (reads != section.end())
            spec.reads = words_or_none(reads->second);
        if (writes != section.end())
            spec.writes = words_or_none(writes->second);
        if (reads == section.end() && writes == section.end() && field.node.IsMap())
            reader_.fail(field, "says neither what it reads nor what it writes; write `reads: [schema.table]`, "
                                "`writes: [schema.table]`, or [] for nothing");
        config_->functions.push_back(std::move(spec));
    }

    void read_function_name(const Field& field, FunctionSpec& spec)
    {
        auto name = reader_.word(field);
        if (!name)
            return;
        if (name->find_first_of("()") != std::string::npos) // else it would match nothing, and nobody would know
            return reader_.fail(field, "takes no arguments; write schema.function, which means every overload");
        spec.name = std::move(*name);
    }

    /// One word or a list; `[]` is none.
    std::vector<std::string> words_or_none(const Field& field)
    {
        if (field.node.IsSequence() && field.node.size() == 0)
            return {};
        return reader_.words(field);
    }

    void read_metrics(const Field& field)
    {
        if (flags_.metrics)
            return;
        if (is_off(field.node)) {
            config_->metrics.reset();
            return;
        }
        const auto section = reader_.section(field, {"listen"});
        if (const auto listen = section.find("listen"); listen != section.end()) {
            if (auto address = reader_.address(listen->second))
                config_->metrics = std::move(*address);
        }
    }

    void read_log(const Field& field)
    {
        const auto section = reader_.section(field, {"level", "format"});
        with(section, "level", &Loader::read_level);
        if (const auto format = section.find("format"); format != section.end()) {
            if (const auto value = reader_.choice(format->second, {"text", "json"}))
                config_->log.format = *value == "json" ? LogFormat::json : LogFormat::text;
        }
    }

public:
    void read_level(const Field& field)
    {
        if (const auto level = reader_.choice(field, {"trace", "debug", "info", "warn", "error"}))
            config_->log.level = *level;
    }

    /// Flags for keys whose section may be absent from the file.
    void finish_flags()
    {
        if (flags_.log_level)
            read_level(flag("--log-level", *flags_.log_level));
        if (!flags_.metrics)
            return;
        const Field field = flag("--metrics", *flags_.metrics);
        if (is_off(field.node))
            config_->metrics.reset();
        else if (auto address = reader_.address(field))
            config_->metrics = std::move(*address);
    }

private:
    Reader& reader_;
    const Overrides& flags_;
    const std::string folder_; ///< of the file
    Section cache_;
    std::shared_ptr<Config> config_ = std::make_shared<Config>();
};

} // namespace

Loaded load_text(const std::string& yaml, const std::string& name, const Overrides& flags)
{
    Reader reader{name};
    Loaded loaded;
    if (const auto root = parse(yaml, reader)) {
        const auto slash = name.rfind('/');
        Loader loader{reader, flags, slash == std::string::npos ? "" : name.substr(0, std::max<std::size_t>(slash, 1))};
        loaded.config = loader.load(*root);
        loader.finish_flags();
    }
    loaded.problems = reader.take_problems();
    if (!loaded.problems.empty())
        loaded.config.reset();
    return loaded;
}

Loaded load_file(const std::string& path, const Overrides& flags)
{
    const auto failed = [&path](int error) {
        return Loaded{nullptr, {{path, 0, 0, fmt::format("cannot be read: {}", std::strerror(error))}}};
    };
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    const std::unique_ptr<std::FILE, Close> file{std::fopen(path.c_str(), "re")};
    if (!file)
        return failed(errno);
    std::string text(kMaxFileBytes + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get()) != 0)
        return failed(errno);
    return load_text(text, path, flags);
}

Loaded load_flags(const Overrides& flags)
{
    return load_text("", "command line", flags);
}

} // namespace pgmemo::config
