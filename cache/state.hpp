#pragma once

#include "cache/cache.hpp"
#include "cache/memory/tier.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pgmemo::cache {

/// How the bound is shared out. The parts never borrow from one another, so each can be held to its own.
struct Shares {
    /// `shared_slots`: 0, or how many there are whatever the memory.
    Shares(std::size_t memory_bytes, std::size_t shared_slots) noexcept;

    std::size_t fills;
    std::size_t identities;
    std::size_t slots;   ///< of the table of key slots: a power of two of them
    std::size_t entries; ///< with tables and ghost queues; the rest of the memory is left to malloc's holes
};

/// The bytes that fills in progress may take together. Threads: safe.
class FillBudget {
public:
    explicit FillBudget(std::size_t limit)
        : limit_(limit)
    {
    }
    bool reserve(std::size_t bytes) noexcept
    {
        if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_)
            return true;
        give_back(bytes);
        return false;
    }
    void give_back(std::size_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }
    std::size_t used() const noexcept { return std::min(used_.load(std::memory_order_relaxed), limit_); }

private:
    const std::size_t limit_;
    std::atomic<std::size_t> used_{0}; // above the limit for the moment in which a reservation fails
};

struct Cache::State {
    explicit State(const Options&);

    const Options options;
    const Shares shares;
    Versions versions;
    IdentityTable identities;
    FillBudget fills;
    MemoryTier memory;
    std::atomic<std::uint64_t> fills_refused{0};
};

} // namespace pgmemo::cache
