#include "proxy/catalog_keeper.hpp"

#include "proxy/catalog_reader.hpp"
#include "proxy/own_connection.hpp"
#include "query/catalog.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace pgmemo::proxy {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPollEvery = 2s;          // for changes that went around pgmemo
constexpr auto kUnresolvedEvery = 200ms; // for backends whose end is awaited
constexpr auto kRetryAfter = 1s;
constexpr auto kForgetAfter = 60s; // a database without sessions is not watched any longer
// Doubts that turn out to be nothing, one after the other, are looked into ever more rarely.
constexpr Clock::duration kLongestPause = 1s;

// Which server this is and whether its configuration was read anew, beside the catalog's own fingerprint. A server that
// was started again or promoted may have lost what was read from it.
constexpr std::string_view kServerQuery =
    "SELECT pg_postmaster_start_time()::text || ' ' || pg_is_in_recovery()::text, pg_conf_load_time()::text, "
    "(SELECT oid FROM pg_database WHERE datname = current_database())::text";

std::string text_at(const OwnConnection::Result& result, int column)
{
    if (PQntuples(result.get()) < 1 || PQnfields(result.get()) <= column)
        throw OwnConnectionError("an answer without the expected columns");
    return PQgetvalue(result.get(), 0, column);
}

} // namespace

struct CatalogKeeper::State {
    // What is kept of one database. Belongs to the thread.
    struct Kept {
        std::optional<OwnConnection> connection;
        std::string fingerprint; // of the catalog and the server, when last asked; survives a lost connection
        std::string configuration;
        Clock::time_point polled{};
        Clock::time_point retry_at{};
        Clock::duration pause{}; // before the next doubt is looked into
        Clock::time_point last_used = Clock::now();
        bool complained = false;
    };

    State(const UpstreamTarget& t, Databases& d, Unresolved& u, const ConfigInForce& c, std::atomic<std::uint64_t>& e)
        : target(t)
        , databases(d)
        , unresolved(u)
        , config(c)
        , settings_epoch(e)
    {
    }

    void run();
    void tend(Database&, Kept&, Clock::time_point now);
    bool look(Database&, Kept&);
    static bool has_time(const Database&, const Kept&, Clock::time_point now);
    void watch_unresolved();
    Clock::time_point next_turn(Clock::time_point now) const;

    const UpstreamTarget& target;
    Databases& databases;
    Unresolved& unresolved;
    const ConfigInForce& config;
    std::atomic<std::uint64_t>& settings_epoch;

    std::map<Database*, Kept> kept;
    std::atomic<bool> stopping{false};
    std::atomic<bool> ever_read{false};
    std::atomic<std::uint64_t> reads{0};
    std::atomic<std::uint64_t> failures{0};
    std::mutex mutex;
    std::condition_variable woken;
    bool wake = false;
    std::thread thread;
};

CatalogKeeper::CatalogKeeper(const UpstreamTarget& target, Databases& databases, Unresolved& unresolved,
                             const ConfigInForce& config, std::atomic<std::uint64_t>& settings_epoch)
    : state_(std::make_unique<State>(target, databases, unresolved, config, settings_epoch))
{
}

CatalogKeeper::~CatalogKeeper()
{
    stop();
}

void CatalogKeeper::start()
{
    state_->thread = std::thread([this] { state_->run(); });
}

void CatalogKeeper::wake() noexcept
{
    const std::lock_guard lock{state_->mutex};
    state_->wake = true;
    state_->woken.notify_one();
}

void CatalogKeeper::stop() noexcept
{
    state_->stopping = true;
    wake();
    if (state_->thread.joinable())
        state_->thread.join();
}

bool CatalogKeeper::has_catalog() const noexcept
{
    return state_->ever_read.load();
}
std::uint64_t CatalogKeeper::reads() const noexcept
{
    return state_->reads.load();
}
std::uint64_t CatalogKeeper::failures() const noexcept
{
    return state_->failures.load();
}

void CatalogKeeper::State::run()
{
    while (!stopping) {
        const auto now = Clock::now();
        for (auto* database : databases.all()) {
            if (stopping)
                return;
            tend(*database, kept[database], now);
        }
        if (unresolved.size() > 0)
            watch_unresolved();
        const auto next = next_turn(Clock::now());
        std::unique_lock lock{mutex};
        woken.wait_until(lock, next, [this] { return wake || stopping; });
        wake = false;
    }
}

Clock::time_point CatalogKeeper::State::next_turn(Clock::time_point now) const
{
    auto next = now + kPollEvery;
    if (unresolved.size() > 0)
        next = std::min(next, now + kUnresolvedEvery);
    for (const auto& [database, its] : kept) {
        if (its.connection)
            next = std::min(next, its.polled + (database->is_usable() ? kPollEvery : its.pause));
        else if (database->sessions() > 0)
            next = std::min(next, its.retry_at);
    }
    return std::max(next, now + 1ms);
}

/// Whether there is no need to look at a database now.
bool CatalogKeeper::State::has_time(const Database& database, const Kept& its, Clock::time_point now)
{
    if (!its.connection)
        return now < its.retry_at;
    if (database.is_usable())
        return now < its.polled + kPollEvery;
    return database.catalog_id() != 0 && now < its.polled + its.pause;
}

void CatalogKeeper::State::tend(Database& database, Kept& its, Clock::time_point now)
{
    if (database.sessions() > 0)
        its.last_used = now;
    else if (now - its.last_used > kForgetAfter) {
        its.connection.reset();
        database.forget();
        return;
    }
    if (has_time(database, its, now))
        return;
    try {
        if (!its.connection)
            its.connection.emplace(target, database.name(), stopping);
        const auto began = Clock::now();
        const bool in_doubt = database.catalog_id() != 0 && !database.is_usable();
        const bool changed = look(database, its);
        its.polled = Clock::now();
        its.pause = in_doubt && !changed ? std::min(std::max(2 * its.pause, its.polled - began), kLongestPause)
                                         : Clock::duration{};
        if (std::exchange(its.complained, false))
            spdlog::info("database {}: its catalog can be read again", database.name());
    } catch (const std::exception& error) {
        its.connection.reset();
        its.retry_at = Clock::now() + kRetryAfter;
        database.forget(); // nobody vouches for it now
        if (stopping)
            return;
        failures.fetch_add(1);
        if (!std::exchange(its.complained, true))
            spdlog::warn("database {}: its catalog cannot be read with pgmemo's own credentials, so nothing of it is "
                         "answered from the cache; trying again: {}",
                         database.name(), error.what());
    }
}

/// Asks whether anything has changed, and reads the catalog anew if it has, or if there is no snapshot that may be
/// used. Returns whether it was read.
bool CatalogKeeper::State::look(Database& database, Kept& its)
{
    auto wanted = database.wanted();
    const auto doubts = database.doubts();
    const auto server = its.connection->query(std::string{kServerQuery});
    const auto catalog = its.connection->query(std::string{query::catalog_fingerprint_query()});
    const auto oid = static_cast<std::uint32_t>(std::stoul(text_at(server, 2)));
    const auto fingerprint = fmt::format("{} {} {}", text_at(server, 0), oid, text_at(catalog, 0));

    const auto configuration = text_at(server, 1);
    if (configuration != its.configuration) {
        if (!its.configuration.empty())
            settings_epoch.fetch_add(1, std::memory_order_acq_rel);
        its.configuration = configuration;
    }
    const bool changed = fingerprint != its.fingerprint;
    if (!changed && database.catalog_id() != 0) {
        database.clear_doubts(doubts);
        return false;
    }
    if (changed) {
        if (!its.fingerprint.empty()) {
            database.catalog_changed(); // until it was read, the old snapshot vouches for nothing
            wanted = database.wanted();
            database.drop_all();
        }
        its.fingerprint = fingerprint;
    }
    auto snapshot = read_catalog(*its.connection, oid, *config.get());
    spdlog::debug("database {}: catalog read, {} relations", database.name(), snapshot->relation_count());
    database.publish(std::move(snapshot), wanted);
    database.clear_doubts(doubts);
    ever_read = true;
    reads.fetch_add(1);
    return true;
}

void CatalogKeeper::State::watch_unresolved()
{
    const auto open =
        std::find_if(kept.begin(), kept.end(), [](const auto& item) { return item.second.connection.has_value(); });
    if (open == kept.end())
        return; // nobody can say; they stay in flight
    const auto pids = unresolved.pids();
    try {
        const auto result = open->second.connection->query("SELECT pid FROM pg_stat_activity");
        std::vector<std::uint32_t> alive;
        for (int row = 0; row < PQntuples(result.get()); ++row)
            alive.push_back(static_cast<std::uint32_t>(std::stoul(PQgetvalue(result.get(), row, 0))));
        std::vector<std::uint32_t> gone;
        std::copy_if(pids.begin(), pids.end(), std::back_inserter(gone),
                     [&alive](std::uint32_t pid) { return std::find(alive.begin(), alive.end(), pid) == alive.end(); });
        if (!gone.empty())
            unresolved.backends_gone(gone);
    } catch (const std::exception& error) {
        spdlog::warn("cannot ask for the backends of lost connections: {}", error.what());
        open->second.connection.reset();
        open->first->forget();
    }
}

} // namespace pgmemo::proxy
