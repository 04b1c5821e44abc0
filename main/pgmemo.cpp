#include "main/pgmemo.hpp"

#include "admin/http_server.hpp"
#include "cache/cache.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"
#include "proxy/auth/authority.hpp"
#include "proxy/auth/users_file.hpp"
#include "proxy/catalog_keeper.hpp"
#include "proxy/remote_share.hpp"
#include "proxy/resolver.hpp"
#include "proxy/server.hpp"
#include "proxy/services.hpp"
#include "proxy/tls_server.hpp"
#include "query/analyzer.hpp"
#include "query/reason.hpp"

#include <boost/system/system_error.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <thread>

namespace pgmemo {
namespace {

// Of cache.memory: what analysis remembers of texts. The rest is the cache's own.
constexpr std::size_t kMemoShare = 16;

unsigned usable_cores()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) == 0)
        return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
    return std::max(1u, std::thread::hardware_concurrency());
}

// Two descriptors a session. Raised to what the system allows, as servers of this kind do.
void raise_descriptor_limit()
{
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

observe::LogStyle style_of(const config::Config& config)
{
    return config.log.format == config::LogFormat::json ? observe::LogStyle::json : observe::LogStyle::text;
}

std::vector<std::string> reason_names()
{
    std::vector<std::string> names;
    for (const auto& reason : query::reasons())
        names.emplace_back(reason.name);
    return names;
}

std::string bound_in_force(const config::Config& config)
{
    if (!config.cache.enabled)
        return "the cache is off: every query goes to PostgreSQL";
    const auto ttl = config.cache.ttl
                         ? fmt::format("{} ms (cache.ttl; a rule may say otherwise)", config.cache.ttl->count())
                         : std::string{"no time at all (cache.ttl: none)"};
    return fmt::format(
        "writes through pgmemo are never seen stale; writes that go around it may be seen late by up to {}", ttl);
}

void add_gauges(observe::Metrics& metrics, const cache::Cache& cache, const query::Analyzer& analyzer,
                const proxy::Unresolved& unresolved, const proxy::CatalogKeeper& keeper,
                const proxy::Services& services)
{
    const auto gauge = [&metrics](std::string name, std::string help, std::function<double()> read) {
        metrics.add_gauge({std::move(name), std::move(help), false, std::move(read)});
    };
    const auto counter = [&metrics](std::string name, std::string help, std::function<double()> read) {
        metrics.add_gauge({std::move(name), std::move(help), true, std::move(read)});
    };
    const auto of = [&cache](std::uint64_t cache::CacheStats::*field) {
        return [&cache, field] { return static_cast<double>(cache.stats().*field); };
    };
    gauge("pgmemo_cache_entries", "Stored replies.", of(&cache::CacheStats::entries));
    gauge("pgmemo_cache_bytes", "Memory that stored replies cost, everything included.", of(&cache::CacheStats::bytes));
    gauge("pgmemo_cache_fill_bytes", "Memory of fills in progress.", of(&cache::CacheStats::fill_bytes));
    gauge("pgmemo_cache_limit_bytes", "The bound on the cache's memory (cache.memory).",
          of(&cache::CacheStats::limit_bytes));
    counter("pgmemo_cache_evictions_total", "Entries dropped to make room.", of(&cache::CacheStats::evictions));
    counter("pgmemo_cache_expirations_total", "Entries dropped because their TTL had passed.",
            of(&cache::CacheStats::expirations));
    counter("pgmemo_cache_reclaimed_total", "Entries dropped because a version had moved.",
            of(&cache::CacheStats::reclaimed));
    counter("pgmemo_cache_rejected_total", "Replies not stored because no room could be made.",
            of(&cache::CacheStats::rejected));
    gauge("pgmemo_analysis_bytes", "Memory of what is remembered of SQL texts.",
          [&analyzer] { return static_cast<double>(analyzer.memo_bytes_used()); });
    gauge("pgmemo_unresolved_commits", "Commits whose outcome is not known; what they touch is not cached meanwhile.",
          [&unresolved] { return static_cast<double>(unresolved.size()); });
    counter("pgmemo_catalog_reads_total", "Catalog snapshots read.",
            [&keeper] { return static_cast<double>(keeper.reads()); });
    counter("pgmemo_catalog_failures_total", "Failed attempts to reach the catalog with pgmemo's own credentials.",
            [&keeper] { return static_cast<double>(keeper.failures()); });
    gauge("pgmemo_databases_without_catalog", "Databases of which nothing can hit, as their catalog is not known.",
          [&services] {
              double count = 0;
              for (const auto* database : services.databases.all())
                  count += database->sessions() > 0 && !database->is_usable() ? 1 : 0;
              return count;
          });
    if (services.remote != nullptr) {
        auto& tier = services.remote->tier;
        metrics.has_remote();
        gauge("pgmemo_remote_connections_up", "Connections to the store by which others' writes are heard of.",
              [&tier] { return static_cast<double>(tier.connections_up.load()); });
        gauge("pgmemo_remote_connections_unannounced",
              "Connections that owe the others news of writes; nothing is served while there is one.",
              [&tier] { return static_cast<double>(tier.connections_with_unannounced.load()); });
        gauge(
            "pgmemo_remote_missing",
            "Connections of other pgmemos that are gone without a word; while there is one, nothing is served that was "
            "read more than a lease ago (cache.remote_lease).",
            [&tier] { return static_cast<double>(tier.missing()); });
        gauge("pgmemo_remote_words", "Version words known to be shared.",
              [&tier] { return static_cast<double>(tier.words().size()); });
    }
    gauge("pgmemo_clients", "Client connections.",
          [&services] { return static_cast<double>(services.clients.load(std::memory_order_relaxed)); });
    gauge("pgmemo_upstream_connections", "Connections to PostgreSQL for clients.",
          [&services] { return static_cast<double>(services.upstreams.load(std::memory_order_relaxed)); });
}

cache::RemoteTier::Options remote_options(const config::Config& config, const config::Remote& remote,
                                          proxy::Databases& databases)
{
    cache::RemoteTier::Options options;
    options.space = remote.space;
    options.secret = remote.secret;
    options.fleet = config.footprint_settings();
    options.lease = remote.lease;
    options.max_entry_bytes = config.cache.max_entry_bytes;
    options.database_name = [&databases](cache::Oid number) { return databases.by_number(number).name(); };
    options.on_catalog_moved = [&databases](cache::Oid number) {
        if (number == 0)
            databases.catalogs_doubted();
        else
            databases.by_number(number).catalog_doubted();
    };
    return options;
}

/// Throws std::invalid_argument when the file of users that the configuration names is no such.
void check_users(const config::Config& config)
{
    if (config.auth.terminate && !config.auth.users.empty())
        proxy::auth::read_users(config.auth.users);
}

/// SIGHUP: a bad file is refused whole and the old configuration stays.
void reload(const Options& options, proxy::ConfigInForce& in_force, cache::Cache& cache, proxy::Databases& databases,
            proxy::UpstreamTarget& upstream, proxy::TlsInForce& client_tls, proxy::RemoteShare* share)
{
    if (options.config_file.empty()) {
        spdlog::warn("SIGHUP: there is no configuration file to read; nothing changes");
        return;
    }
    const auto loaded = options.load();
    if (!loaded.config) {
        for (const auto& problem : loaded.problems)
            spdlog::error("reload: {}", problem.str());
        spdlog::error("reload: {} was refused; the configuration stays as it was", options.config_file);
        return;
    }
    try { // the files may be others under the same names
        auto fresh_tls = proxy::load_server_tls(loaded.config->tls);
        check_users(*loaded.config);
        upstream.reload_tls();
        client_tls.set(std::move(fresh_tls));
    } catch (const std::invalid_argument& error) {
        spdlog::error("reload: {}", error.what());
        spdlog::error("reload: {} was refused; the configuration stays as it was", options.config_file);
        return;
    }
    const auto old = in_force.get();
    const auto& fresh = *loaded.config;
    const auto changed = [](const char* key) { spdlog::warn("reload: a change of `{}` takes a restart", key); };
    if (fresh.upstream != old->upstream)
        changed("upstream");
    if (fresh.auth.salt_secret != old->auth.salt_secret)
        changed("auth.salt_secret");
    if (fresh.cache.remote != old->cache.remote)
        changed("cache.remote");
    if (fresh.threads != old->threads)
        changed("threads");
    if (fresh.cache.memory_bytes != old->cache.memory_bytes)
        changed("cache.memory");
    const auto texts = [](const std::vector<config::Address>& addresses) {
        std::vector<std::string> all;
        for (const auto& address : addresses)
            all.push_back(address.text());
        return all;
    };
    if (texts(fresh.listen) != texts(old->listen))
        changed("listen");
    if ((fresh.metrics ? fresh.metrics->text() : "off") != (old->metrics ? old->metrics->text() : "off"))
        changed("metrics");
    in_force.set(loaded.config);
    if (share != nullptr)
        share->tier.set_fleet(fresh.footprint_settings());
    cache.clear();                // what is stored was stored under the old rules
    databases.catalogs_changed(); // so that each is read anew, with what is tracked and vouched for now
    observe::set_log(fresh.log.level, style_of(fresh));
    spdlog::info("reload: {} is in force; the cache starts empty", options.config_file);
}

} // namespace

void report(const std::vector<config::Problem>& problems)
{
    for (const auto& problem : problems)
        std::fprintf(stderr, "%s\n", problem.str().c_str());
}

Exit check(const Options& options)
{
    auto loaded = config::load_file(options.config_file);
    if (loaded.config) {
        try {
            const proxy::UpstreamTarget target{loaded.config->upstream};
            proxy::load_server_tls(loaded.config->tls);
            if (loaded.config->cache.remote)
                proxy::RemoteTls{*loaded.config->cache.remote};
            check_users(*loaded.config);
        } catch (const std::invalid_argument& error) {
            loaded.problems.push_back({options.config_file, 0, 0, error.what()});
        }
    }
    if (!loaded.problems.empty()) {
        report(loaded.problems);
        return Exit::bad_configuration;
    }
    std::printf("%s: good\n", options.config_file.c_str());
    return Exit::done;
}

Exit run(const Options& options)
{
    const auto loaded = options.load();
    if (!loaded.config) {
        report(loaded.problems);
        return Exit::bad_configuration;
    }
    const auto& config = *loaded.config;
    proxy::UpstreamTarget upstream{config.upstream};
    proxy::TlsInForce client_tls{proxy::load_server_tls(config.tls)};
    observe::start_log(config.log.level, style_of(config));
    raise_descriptor_limit();

    // In the order of their lifetimes: what is made first outlives what is made later.
    observe::Metrics metrics{reason_names()};
    const auto memo_bytes = config.cache.memory_bytes / kMemoShare;
    const auto& remote = config.cache.enabled ? config.cache.remote : std::nullopt;
    cache::Cache cache{
        {config.cache.enabled ? config.cache.memory_bytes - memo_bytes : 0, config.cache.max_entry_bytes,
         remote ? std::optional{cache::RemoteTier::slot_seed(remote->space, remote->secret)} : std::nullopt}};
    query::Analyzer analyzer{memo_bytes};
    proxy::ScopeTable scopes;
    proxy::ConfigInForce in_force{loaded.config};
    proxy::Databases databases{cache.versions()};
    proxy::Unresolved unresolved;
    proxy::CancelRegistry cancels;
    std::atomic<std::uint64_t> settings_epoch{1};
    std::atomic<std::uint64_t> clients{0};
    std::atomic<std::uint64_t> sessions{0};
    std::atomic<std::uint64_t> upstreams{0};
    proxy::Resolver resolver;
    std::optional<proxy::RemoteShare> share;
    if (remote)
        share.emplace(cache, remote_options(config, *remote, databases), *remote);
    proxy::auth::Authority authority{upstream, in_force};
    proxy::Services services{in_force,  upstream,  client_tls, cache,      analyzer,
                             scopes,    databases, cancels,    unresolved, settings_epoch,
                             clients,   sessions,  upstreams,  &resolver,  share ? &*share : nullptr,
                             &authority};
    proxy::CatalogKeeper keeper{upstream, databases, unresolved, in_force, settings_epoch};
    databases.on_change([&keeper] { keeper.wake(); });
    unresolved.on_added([&keeper] { keeper.wake(); });
    proxy::Server* told = nullptr; // by the keeper, which begins after it and ends before
    databases.on_dropped([&told](proxy::Database& database) {
        if (told != nullptr)
            told->tell_others({&database.word()});
    });
    add_gauges(metrics, cache, analyzer, unresolved, keeper, services);

    proxy::Server server{config.listen, config.threads == 0 ? usable_cores() : config.threads, services, metrics};
    told = &server;
    std::optional<admin::HttpServer> http;
    if (config.metrics) {
        try {
            http.emplace(*config.metrics, admin::Views{[&metrics] { return metrics.expose(); },
                                                       [&server]() -> std::optional<std::string> {
                                                           if (server.is_draining())
                                                               return "draining: no new connections are taken";
                                                           return std::nullopt;
                                                       }});
        } catch (const boost::system::system_error& error) {
            throw proxy::CannotListen(
                fmt::format("cannot listen on {}: {}", config.metrics->text(), error.code().message()));
        }
    }
    if (const auto database = upstream.own_database(); !database.empty())
        databases.get(database); // its catalog is read before the first client asks
    keeper.start();
    // Whoever waits for an answer has its executor in the server, which goes before those who answer do.
    struct Stop {
        proxy::auth::Authority& authority;
        proxy::Resolver& resolver;
        ~Stop()
        {
            authority.stop();
            resolver.stop();
        }
    } const stop_those_who_answer{authority, resolver};
    authority.start();

    spdlog::info("pgmemo " PGMEMO_VERSION " listening on {}, upstream {}", fmt::join(server.bound(), ", "),
                 upstream.text());
    if (http)
        spdlog::info("metrics and dashboard on {}", config.metrics->text());
    spdlog::info("{}", bound_in_force(config));
    if (remote)
        spdlog::info("sharing the cache with other pgmemos: {}, namespace \"{}\"", remote->text(), remote->space);
    if (!config.auth.terminate && client_tls.get() && upstream.may_use_tls())
        spdlog::warn(
            "SCRAM logins are relayed, and where both the client's connection and that to PostgreSQL have TLS "
            "only those without channel binding can be (channel_binding=disable); `auth: scram` ends them here");

    server.run([&] { reload(options, in_force, cache, databases, upstream, client_tls, share ? &*share : nullptr); });

    keeper.stop();
    http.reset();
    spdlog::info("ended");
    return Exit::done;
}

} // namespace pgmemo
