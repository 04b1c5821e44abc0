#include "cache/cache.hpp"

#include "cache/fence.hpp"
#include "cache/state.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <malloc.h>
#include <utility>

namespace pgmemo::cache {

namespace {

constexpr std::size_t kFillShare = 8;
constexpr std::size_t kIdentityShare = 32;
constexpr std::size_t kHoleShare = 32; // what malloc's heap loses to holes: measured, tests/cache/bound_test.cpp
constexpr std::size_t kSlotShare = 32;
constexpr std::size_t kLeastIdentities = 64u << 10;
constexpr std::size_t kLeastSlots = 4'096;
constexpr std::size_t kMostSlots = 1u << 22; // 32 MiB, of a GiB of memory
constexpr std::size_t kFillOverhead = 256;   // of one that has gathered nothing yet

/// One heap for all threads. With a heap each (glibc's way), what one thread stores and another evicts leaves holes in
/// all of them: 32 MiB of entries of a few KiB, stored by three threads, took 43 MiB of memory, and 30 in one heap. A
/// hit allocates nothing, so the heap's lock is met on misses only.
void share_one_heap() noexcept
{
#ifdef __GLIBC__
    static const int once = ::mallopt(M_ARENA_MAX, 1);
    static_cast<void>(once);
#endif
}

std::int64_t expiry(Clock::time_point now, std::optional<std::chrono::milliseconds> ttl,
                    std::chrono::milliseconds spent) noexcept
{
    constexpr std::chrono::milliseconds kAsGoodAsNever = std::chrono::hours{24} * 36'500; // and the sum still fits
    if (!ttl || *ttl > kAsGoodAsNever)
        return Entry::kNever;
    return (now.time_since_epoch() + (*ttl - spent)).count();
}

} // namespace

Shares::Shares(std::size_t memory_bytes, std::size_t shared_slots) noexcept
    : fills(memory_bytes / kFillShare)
    , identities(std::min(std::max(memory_bytes / kIdentityShare, kLeastIdentities), memory_bytes / kFillShare))
    , slots(shared_slots != 0
                ? shared_slots * sizeof(Word)
                : std::bit_floor(std::min(
                      std::clamp(memory_bytes / kSlotShare, kLeastSlots * sizeof(Word), kMostSlots * sizeof(Word)),
                      memory_bytes / kFillShare)))
    , entries(memory_bytes - fills - identities - slots - memory_bytes / kHoleShare)
{
}

Cache::State::State(const Options& given)
    : options(given)
    , shares(given.memory_bytes, given.shared_slot_seed ? Versions::kSharedSlots : 0)
    , versions(given.shared_slot_seed ? Versions{Versions::kSharedSlots, *given.shared_slot_seed}
                                      : Versions{shares.slots / sizeof(Word)})
    , identities(shares.identities)
    , fills(shares.fills)
    , memory({shares.entries, std::min(given.max_entry_bytes, given.memory_bytes / kFillShare)})
{
}

Cache::Cache(const Options& options)
{
    share_one_heap();
    state_ = std::make_unique<State>(options);
}

Cache::~Cache() = default;

Versions& Cache::versions() noexcept
{
    return state_->versions;
}

IdentityTable& Cache::identities() noexcept
{
    return state_->identities;
}

EntryRef Cache::find(const Key& key, Clock::time_point now)
{
    return state_->memory.find(key, now);
}

Fill Cache::begin_fill(const Key& key, Stamp stamp, std::size_t max_bytes, std::optional<std::chrono::milliseconds> ttl)
{
    Fill fill;
    const std::size_t most =
        std::min({max_bytes, state_->options.max_entry_bytes, std::size_t{std::numeric_limits<std::uint32_t>::max()}});
    if (!key.identity || !stamp.is_quiet() || most == 0 || state_->memory.shards() == 0)
        return fill;
    const std::size_t first = kFillOverhead + key.body.size() + stamp.words().size_bytes();
    if (!state_->fills.reserve(first)) {
        state_->fills_refused.fetch_add(1, std::memory_order_relaxed);
        return fill;
    }
    fill.cache_ = this;
    fill.reserved_ = first;
    fill.identity_ = key.identity;
    fill.body_ = key.body;
    fill.stamp_ = std::move(stamp);
    fill.max_bytes_ = most;
    fill.ttl_ = ttl;
    fill.began_ = Clock::now();
    return fill;
}

Stored Cache::finish_fill(Fill&& given, Clock::time_point now, Filled* filled)
{
    Fill fill{std::move(given)};
    if (!fill.is_open())
        return Stored::no_room;
    if constexpr (kFenced) {
        // Saves the work only: one stored under an old stamp would never be served.
        if (!fill.stamp_.is_current())
            return Stored::moved;
    } else {
        Words words;
        for (const auto& [word, version] : fill.stamp_.words())
            words.push_back(word);
        fill.stamp_ = Stamp{words};
    }
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - fill.began_);
    const MemoryTier::Candidate candidate{fill.identity_, fill.body_, fill.stamp_.words(), fill.size_,
                                          expiry(now, fill.ttl_, spent)};
    Entry* const entry = state_->memory.allot(candidate, now);
    if (entry == nullptr)
        return Stored::no_room;
    char* to = entry->reply_room();
    for (const Fill::Piece& piece : fill.pieces_) {
        std::memcpy(to, piece.bytes.get(), piece.size);
        to += piece.size;
    }
    if (filled != nullptr)
        *filled = {EntryRef{entry}, fill.began_};
    state_->memory.publish(entry);
    return Stored::yes;
}

std::size_t Cache::reclaim(Clock::time_point now, std::size_t at_most_visited)
{
    return state_->memory.reclaim(now, at_most_visited);
}

void Cache::clear() noexcept
{
    state_->memory.clear();
}

CacheStats Cache::stats() const
{
    const Tally tally = state_->memory.tally();
    CacheStats stats;
    stats.entries = tally.entries;
    stats.bytes = state_->memory.entry_bytes();
    stats.overhead_bytes = state_->memory.overhead_bytes() + state_->identities.bytes() + state_->shares.slots;
    stats.fill_bytes = state_->fills.used();
    stats.limit_bytes = state_->options.memory_bytes;
    stats.evictions = tally.evictions;
    stats.expirations = tally.expirations;
    stats.reclaimed = tally.reclaimed;
    stats.rejected = tally.rejected + state_->fills_refused.load(std::memory_order_relaxed);
    return stats;
}

} // namespace pgmemo::cache
