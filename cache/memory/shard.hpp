#pragma once

#include "cache/entry_layout.hpp"
#include "cache/memory/ghost.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

namespace pgmemo::cache {

/// What a shard has done so far.
struct Tally {
    std::uint64_t entries = 0; ///< held now
    std::uint64_t evictions = 0;
    std::uint64_t expirations = 0;
    std::uint64_t reclaimed = 0;
    std::uint64_t rejected = 0;
};

/// A part of the memory tier: a table, and S3-FIFO over it with capacities in bytes.
///
/// S3-FIFO (Yang et al., SOSP 2023): a newcomer enters the small queue; at its end it goes on to the main one if it was
/// asked for again, else it leaves and its hash is remembered; who comes back while remembered enters the main queue at
/// once. The main queue gives another round for each hit noted. A hit writes one byte and moves nothing.
///
/// Bound: the account never exceeds `budget_bytes`, and with it what readers hold of entries already dropped. The table
/// is of fixed size, chained through the entries: it never grows, so no moment needs room for two, and no rehash makes
/// anybody wait.
///
/// Threads: safe; one mutex.
class Shard {
public:
    Shard(std::size_t budget_bytes, std::size_t buckets, std::size_t ghost_bytes);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    /// The entry of a key, dead or alive, noted as a hit.
    EntryRef find(std::uint64_t hash, const Identity* identity, std::string_view body);

    /// Drops an entry that find() gave and that turned out dead; true if it was still there.
    bool drop_dead(const Entry&, bool expired);

    /// Charges the account, evicting if it must. False when no room can be made.
    bool make_room(std::size_t charge, Clock::time_point now);

    /// Puts in an entry whose room was made; one of the same key makes way. Takes over the caller's reference.
    void insert(Entry*);

    struct Walk {
        std::size_t next_bucket = 0;
        std::size_t visited = 0;
        std::size_t dropped = 0;
    };
    /// Drops the dead and the expired of some buckets, from `bucket` on.
    Walk reclaim(std::size_t bucket, std::size_t at_most_visited, Clock::time_point now);

    void clear() noexcept;
    Tally tally() const;
    std::size_t bytes() const noexcept { return account_->bytes(); }
    std::size_t buckets() const noexcept { return mask_ + 1; }
    std::size_t overhead_bytes() const noexcept;
    Account& account() noexcept { return *account_; }

private:
    struct Fifo {
        Entry* newest = nullptr;
        Entry* oldest = nullptr;
        std::size_t bytes = 0;
        std::size_t entries = 0;
    };

    Entry*& bucket_of(std::uint64_t hash) noexcept { return table_[hash & mask_]; }
    Fifo& fifo_of(Queue queue) noexcept { return queue == Queue::small ? small_ : main_; }
    void push(Queue, Entry*) noexcept;
    void leave_queue(Entry*) noexcept;
    void drop(Entry*) noexcept; ///< out of table and queue; frees it unless somebody reads it
    bool drop_if_dead(Entry*, Clock::time_point now) noexcept;
    bool evict_small(Clock::time_point now) noexcept;
    bool evict_main(Clock::time_point now) noexcept;

    mutable std::mutex mutex_;
    Account* const account_;
    const std::size_t budget_;
    const std::size_t mask_;
    struct Free {
        void operator()(Entry** table) const noexcept;
    };
    const std::unique_ptr<Entry*[], Free> table_; // calloc: pages are taken as they are used
    Ghost ghost_;
    Fifo small_;
    Fifo main_;
    Tally tally_;
};

} // namespace pgmemo::cache
