#pragma once

#include "cache/versions.hpp"
#include "query/catalog.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::proxy {

/// One database as pgmemo knows it: its number in the version words, and its catalog snapshot with whether that may be
/// trusted. Lives as long as `Databases`. Threads: safe.
///
/// There are two ways to lose trust in a snapshot. What has surely changed the catalog (DDL) ends its use altogether.
/// What perhaps has (code that nobody has seen into) casts a doubt: nothing is answered from the cache or stored until
/// the server was asked whether anything is different, but what statements do is still said by the snapshot. Were it
/// not, a function called without a snapshot at hand would be code that nobody has seen into, and under a steady load
/// of such calls no snapshot would ever be in time. If the snapshot turns out to be outdated, then all that was cached
/// is dropped, and what was sent meanwhile drops it again at its end (Effects::catalog).
class Database {
public:
    using OnDropped = std::function<void(Database&)>;
    Database(std::uint32_t number, std::string name, cache::Versions&, std::function<void()> wake_keeper,
             OnDropped on_dropped);

    std::uint32_t number() const noexcept { return number_; } ///< ours, not PostgreSQL's OID
    const std::string& name() const noexcept { return name_; }
    cache::Word& word() const noexcept { return word_; }

    /// The id of the snapshot that says what statements do, 0 for none: it is missing, or the catalog has changed since
    /// it was read.
    std::uint64_t catalog_id() const noexcept
    {
        return loaded_.load(std::memory_order_acquire) == wanted_.load(std::memory_order_acquire)
                   ? catalog_id_.load(std::memory_order_acquire)
                   : 0;
    }
    std::shared_ptr<const query::Catalog> catalog() const; ///< null for none

    /// The same, or 0 while it is in doubt: only with it may anything be answered from the cache, or stored.
    std::uint64_t usable_catalog_id() const noexcept
    {
        const bool in_doubt = cleared_.load(std::memory_order_acquire) != doubts_.load(std::memory_order_acquire);
        return in_doubt ? 0 : catalog_id();
    }
    bool is_usable() const noexcept { return usable_catalog_id() != 0; }

    /// Called before the end of the flight of whatever changed the catalog, or may have, so that there is no moment at
    /// which an old snapshot vouches for a new entry.
    void catalog_changed() noexcept;
    void catalog_doubted() noexcept;

    /// Moves with every change of the catalog that was told or found.
    std::uint64_t wanted() const noexcept { return wanted_.load(std::memory_order_acquire); }

    // For the keeper alone.
    std::uint64_t doubts() const noexcept { return doubts_.load(std::memory_order_acquire); }
    /// The server was found not to have changed after `doubts()` was that.
    void clear_doubts(std::uint64_t doubts) noexcept { cleared_.store(doubts, std::memory_order_release); }
    void publish(std::shared_ptr<const query::Catalog>, std::uint64_t wanted_when_read);
    /// What was read before may have been read under other names and rights.
    void drop_all();
    void forget(); ///< the snapshot cannot be vouched for any more

    void session_began() noexcept
    {
        sessions_.fetch_add(1, std::memory_order_relaxed);
        if (!is_usable())
            wake_keeper_();
    }
    void session_ended() noexcept { sessions_.fetch_sub(1, std::memory_order_relaxed); }
    std::uint64_t sessions() const noexcept { return sessions_.load(std::memory_order_relaxed); }

private:
    const std::uint32_t number_;
    const std::string name_;
    cache::Word& word_;
    std::function<void()> wake_keeper_;
    OnDropped on_dropped_;
    std::atomic<std::uint64_t> wanted_{1}; // moves with every change of the catalog
    std::atomic<std::uint64_t> loaded_{0}; // what `wanted_` was before the snapshot was read
    std::atomic<std::uint64_t> catalog_id_{0};
    std::atomic<std::uint64_t> doubts_{0};
    std::atomic<std::uint64_t> cleared_{0}; // the doubts that were found to be nothing
    std::atomic<std::uint64_t> sessions_{0};
    mutable std::mutex mutex_;
    std::shared_ptr<const query::Catalog> catalog_;
};

/// The databases that clients have asked for. Threads: safe.
class Databases {
public:
    explicit Databases(cache::Versions& versions)
        : versions_(versions)
    {
    }

    Database& get(std::string_view name);
    Database& by_number(std::uint32_t number); ///< one that get() has given
    std::vector<Database*> all() const;
    void catalogs_changed() noexcept; ///< of every database
    void catalogs_doubted() noexcept;
    void on_change(std::function<void()> wake_keeper)
    {
        wake_keeper_ = std::move(wake_keeper);
    }                                                                            ///< before the first get()
    void on_dropped(Database::OnDropped told) { on_dropped_ = std::move(told); } ///< likewise

private:
    cache::Versions& versions_;
    std::function<void()> wake_keeper_ = [] {};
    Database::OnDropped on_dropped_ = [](Database&) {};
    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<Database>, std::less<>> by_name_;
    std::vector<Database*> by_number_; // which begin with 1
};

} // namespace pgmemo::proxy
