#include "cache/memory/tier.hpp"

#include <algorithm>
#include <bit>
#include <random>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#define XXH_INLINE_ALL
#include <xxhash.h>
#pragma GCC diagnostic pop

namespace pgmemo::cache {

namespace {

constexpr std::size_t kMostShards = 64;
constexpr std::size_t kLeastShardBytes = 1u << 20;
constexpr std::size_t kLargestPerShard = 4;    // so many of the largest entries must fit into a shard
constexpr std::size_t kLeastBytes = 64u << 10; // below this nothing is kept at all
constexpr std::size_t kBytesPerBucket = 512;   // a table of an eighth of a word for each 64 bytes: 1.6 %
constexpr std::size_t kGhostShare = 64;        // the same again
constexpr std::size_t kVisitsUnderLock = 32;
constexpr std::chrono::seconds kSlowRound{2}; // for what has expired while nothing moved

} // namespace

KeyHash::KeyHash()
{
    std::random_device random;
    for (std::size_t i = 0; i < secret_.size(); i += sizeof(std::uint32_t)) {
        const std::uint32_t word = random();
        std::copy_n(reinterpret_cast<const std::byte*>(&word), sizeof word, secret_.data() + i);
    }
}

std::uint64_t KeyHash::operator()(const Identity& identity, std::string_view body) const noexcept
{
    const std::uint64_t hash = XXH3_64bits_withSecret(body.data(), body.size(), secret_.data(), secret_.size());
    std::uint64_t mixed = hash + identity.id * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93u;
    return mixed ^ (mixed >> 32);
}

MemoryTier::MemoryTier(const Options& options)
    : hash_mask_(options.hash_mask)
{
    if (options.memory_bytes < kLeastBytes)
        return;
    const std::size_t least = std::max(kLargestPerShard * options.max_entry_bytes, kLeastShardBytes);
    const std::size_t count = std::bit_floor(std::clamp<std::size_t>(options.memory_bytes / least, 1, kMostShards));
    const std::size_t each = options.memory_bytes / count;
    const std::size_t buckets = std::bit_floor(each / kBytesPerBucket);
    const std::size_t ghost = each / kGhostShare;
    const std::size_t fixed = buckets * sizeof(Entry*) + ghost + sizeof(Padded) + 256;
    shards_.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
        shards_.push_back(std::make_unique<Padded>(each - fixed, buckets, ghost));
}

EntryRef MemoryTier::find(const Key& key, Clock::time_point now)
{
    if (shards_.empty() || !key.identity)
        return nullptr;
    const std::uint64_t hash = hash_of(*key.identity, key.body);
    Shard& shard = shard_of(hash);
    EntryRef entry = shard.find(hash, key.identity.get(), key.body);
    if (!entry)
        return nullptr;
    const bool expired = entry->is_expired(now);
    if (!expired && is_current(*entry))
        return entry;
    shard.drop_dead(*entry, expired);
    return nullptr;
}

Entry* MemoryTier::allot(const Candidate& candidate, Clock::time_point now)
{
    if (shards_.empty() || !candidate.identity)
        return nullptr;
    const std::uint64_t hash = hash_of(*candidate.identity, candidate.body);
    Shard& shard = shard_of(hash);
    const std::size_t charge = Entry::charge_for(candidate.stamp.size(), candidate.body.size(), candidate.reply_bytes);
    if (!shard.make_room(charge, now))
        return nullptr;
    try {
        return Entry::make(shard.account(), charge, candidate.identity, hash, candidate.body, candidate.stamp,
                           candidate.reply_bytes, candidate.expires);
    } catch (const std::bad_alloc&) {
        shard.account().give_back(charge);
        return nullptr;
    }
}

void MemoryTier::publish(Entry* entry)
{
    shard_of(entry->hash()).insert(entry);
}

bool MemoryTier::is_round_due(Clock::time_point now) noexcept
{
    if (round_.running)
        return true;
    const std::uint64_t moves = Word::moves();
    if (moves == round_.moves && now - round_.began < kSlowRound)
        return false;
    round_.running = true;
    round_.shard = 0;
    round_.bucket = 0;
    round_.moves = moves;
    round_.began = now;
    return true;
}

std::size_t MemoryTier::reclaim(Clock::time_point now, std::size_t at_most_visited)
{
    const std::lock_guard lock{round_.mutex};
    if (shards_.empty() || !is_round_due(now))
        return 0;
    std::size_t dropped = 0;
    for (std::size_t visited = 0; visited < at_most_visited;) {
        Shard& shard = shards_[round_.shard]->shard;
        const auto walk = shard.reclaim(round_.bucket, std::min(at_most_visited - visited, kVisitsUnderLock), now);
        visited += std::max<std::size_t>(walk.visited, 1);
        dropped += walk.dropped;
        round_.bucket = walk.next_bucket;
        if (round_.bucket < shard.buckets())
            continue;
        round_.bucket = 0;
        if (++round_.shard == shards_.size()) {
            round_.running = false;
            break;
        }
    }
    return dropped;
}

void MemoryTier::clear() noexcept
{
    for (const auto& each : shards_)
        each->shard.clear();
}

Tally MemoryTier::tally() const
{
    Tally sum;
    for (const auto& each : shards_) {
        const Tally tally = each->shard.tally();
        sum.entries += tally.entries;
        sum.evictions += tally.evictions;
        sum.expirations += tally.expirations;
        sum.reclaimed += tally.reclaimed;
        sum.rejected += tally.rejected;
    }
    return sum;
}

std::size_t MemoryTier::entry_bytes() const noexcept
{
    std::size_t sum = 0;
    for (const auto& each : shards_)
        sum += each->shard.bytes();
    return sum;
}

std::size_t MemoryTier::overhead_bytes() const noexcept
{
    std::size_t sum = 0;
    for (const auto& each : shards_)
        sum += each->shard.overhead_bytes();
    return sum;
}

} // namespace pgmemo::cache
