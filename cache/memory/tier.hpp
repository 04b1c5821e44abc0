#pragma once

#include "cache/memory/shard.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace pgmemo::cache {

/// Keys to hashes, under a secret of this process: who chooses the SQL shall not choose the bucket. Equal hashes cost
/// time only, since keys are compared whole; hence 64 bits.
class KeyHash {
public:
    KeyHash();
    std::uint64_t operator()(const Identity& identity, std::string_view body) const noexcept;

private:
    std::array<std::byte, 192> secret_{};
};

/// Entries in the memory of the process, spread over shards by hash. Threads: safe.
class MemoryTier {
public:
    struct Options {
        std::size_t memory_bytes = 0; ///< of entries with their overhead, tables and ghost queues
        std::size_t max_entry_bytes = 0;
        std::uint64_t hash_mask = ~std::uint64_t{0}; ///< for tests: fewer bits, more collisions
    };

    explicit MemoryTier(const Options&);

    EntryRef find(const Key&, Clock::time_point now);

    struct Candidate {
        const std::shared_ptr<const Identity>& identity;
        std::string_view body;
        std::span<const Entry::Pair> stamp;
        std::size_t reply_bytes;
        std::int64_t expires; ///< steady clock's ticks, Entry::kNever
    };
    /// Makes room and an entry for it, not yet to be found; null when there is no room.
    /// Its reply is to be written before publish().
    Entry* allot(const Candidate&, Clock::time_point now);
    void publish(Entry*);

    std::size_t reclaim(Clock::time_point now, std::size_t at_most_visited);
    void clear() noexcept;

    Tally tally() const;
    std::size_t entry_bytes() const noexcept;
    std::size_t overhead_bytes() const noexcept;
    std::size_t shards() const noexcept { return shards_.size(); }

private:
    struct alignas(64) Padded {
        Padded(std::size_t budget, std::size_t buckets, std::size_t ghost)
            : shard(budget, buckets, ghost)
        {
        }
        Shard shard;
    };

    std::uint64_t hash_of(const Identity& identity, std::string_view body) const noexcept
    {
        return hash_(identity, body) & hash_mask_;
    }
    Shard& shard_of(std::uint64_t hash) noexcept { return shards_[(hash >> 58) & (shards_.size() - 1)]->shard; }
    bool is_round_due(Clock::time_point now) noexcept;

    KeyHash hash_;
    std::uint64_t hash_mask_;
    std::vector<std::unique_ptr<Padded>> shards_;

    struct Round {
        std::mutex mutex;
        bool running = false;
        std::size_t shard = 0;
        std::size_t bucket = 0;
        std::uint64_t moves = 0; ///< when it began
        Clock::time_point began{};
    } round_;
};

} // namespace pgmemo::cache
