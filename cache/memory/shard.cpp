#include "cache/memory/shard.hpp"

#include <cstdlib>
#include <new>

namespace pgmemo::cache {

namespace {

constexpr std::size_t kSmallShare = 10; // a tenth of the bytes
constexpr std::uint8_t kMostFrequency = 3;
constexpr std::size_t kMostReadersPassed = 64; // of entries being read that one insertion looks at before it gives up
constexpr std::size_t kEmptyBucketsPerVisit = 16;

} // namespace

void Shard::Free::operator()(Entry** table) const noexcept
{
    std::free(table);
}

Shard::Shard(std::size_t budget_bytes, std::size_t buckets, std::size_t ghost_bytes)
    : account_(Account::open())
    , budget_(budget_bytes)
    , mask_(buckets - 1)
    , table_(static_cast<Entry**>(std::calloc(buckets, sizeof(Entry*))))
    , ghost_(ghost_bytes)
{
    if (!table_)
        throw std::bad_alloc{};
}

Shard::~Shard()
{
    clear();
    account_->close();
}

std::size_t Shard::overhead_bytes() const noexcept
{
    return sizeof(Shard) + sizeof(Account) + buckets() * sizeof(Entry*) + ghost_.bytes();
}

EntryRef Shard::find(std::uint64_t hash, const Identity* identity, std::string_view body)
{
    const std::lock_guard lock{mutex_};
    for (Entry* entry = bucket_of(hash); entry != nullptr; entry = entry->next_in_bucket) {
        if (!entry->has_key(hash, identity, body))
            continue;
        if (entry->frequency < kMostFrequency)
            ++entry->frequency;
        return EntryRef{entry};
    }
    return nullptr;
}

bool Shard::drop_dead(const Entry& dead, bool expired)
{
    const std::lock_guard lock{mutex_};
    auto* entry = const_cast<Entry*>(&dead); // the reader's reference keeps the address from being another's
    if (entry->queue == Queue::none)
        return false;
    ghost_.remember(entry->hash()); // it is wanted right now: when it comes back it is no newcomer
    ++(expired ? tally_.expirations : tally_.reclaimed);
    drop(entry);
    return true;
}

bool Shard::make_room(std::size_t charge, Clock::time_point now)
{
    const std::lock_guard lock{mutex_};
    std::size_t readers_passed = 0;
    while (account_->bytes() + charge > budget_) {
        const bool from_small = small_.bytes > budget_ / kSmallShare || main_.entries == 0;
        const bool nothing_left = charge > budget_ || (from_small && small_.entries == 0);
        if (nothing_left || readers_passed == kMostReadersPassed) {
            ++tally_.rejected;
            return false;
        }
        if (!(from_small ? evict_small(now) : evict_main(now)))
            ++readers_passed;
    }
    account_->charge(charge); // others only give back meanwhile: whoever charges holds the mutex
    return true;
}

void Shard::insert(Entry* entry)
{
    const std::lock_guard lock{mutex_};
    Queue queue = Queue::small;
    if (ghost_.recall(entry->hash(), main_.entries + small_.entries + 1))
        queue = Queue::main;
    for (Entry* old = bucket_of(entry->hash()); old != nullptr; old = old->next_in_bucket) {
        if (!old->has_key(entry->hash(), entry->identity(), entry->body()))
            continue;
        queue = old->queue; // a refill takes its predecessor's standing
        entry->frequency = old->frequency;
        drop(old);
        break;
    }
    Entry*& bucket = bucket_of(entry->hash());
    entry->next_in_bucket = bucket;
    bucket = entry;
    push(queue, entry);
    ++tally_.entries;
}

Shard::Walk Shard::reclaim(std::size_t bucket, std::size_t at_most_visited, Clock::time_point now)
{
    Walk walk;
    const std::lock_guard lock{mutex_};
    std::size_t empty = 0;
    for (; bucket <= mask_ && walk.visited < at_most_visited; ++bucket) {
        if (table_[bucket] == nullptr && ++empty % kEmptyBucketsPerVisit == 0)
            ++walk.visited;
        for (Entry* entry = table_[bucket]; entry != nullptr;) {
            Entry* const next = entry->next_in_bucket;
            ++walk.visited;
            if (drop_if_dead(entry, now))
                ++walk.dropped;
            entry = next;
        }
    }
    walk.next_bucket = bucket;
    return walk;
}

void Shard::clear() noexcept
{
    const std::lock_guard lock{mutex_};
    while (small_.oldest != nullptr)
        drop(small_.oldest);
    while (main_.oldest != nullptr)
        drop(main_.oldest);
}

Tally Shard::tally() const
{
    const std::lock_guard lock{mutex_};
    return tally_;
}

void Shard::push(Queue queue, Entry* entry) noexcept
{
    Fifo& fifo = fifo_of(queue);
    entry->queue = queue;
    entry->newer = nullptr;
    entry->older = fifo.newest;
    (fifo.newest != nullptr ? fifo.newest->newer : fifo.oldest) = entry;
    fifo.newest = entry;
    fifo.bytes += entry->charge();
    ++fifo.entries;
}

void Shard::leave_queue(Entry* entry) noexcept
{
    Fifo& fifo = fifo_of(entry->queue);
    (entry->newer != nullptr ? entry->newer->older : fifo.newest) = entry->older;
    (entry->older != nullptr ? entry->older->newer : fifo.oldest) = entry->newer;
    fifo.bytes -= entry->charge();
    --fifo.entries;
    entry->queue = Queue::none;
}

void Shard::drop(Entry* entry) noexcept
{
    Entry** link = &bucket_of(entry->hash());
    while (*link != entry)
        link = &(*link)->next_in_bucket;
    *link = entry->next_in_bucket;
    leave_queue(entry);
    --tally_.entries;
    entry->let_go();
}

bool Shard::drop_if_dead(Entry* entry, Clock::time_point now) noexcept
{
    const bool expired = entry->is_expired(now);
    if (!expired && is_current(*entry))
        return false;
    if (entry->queue == Queue::main || entry->frequency > 0)
        ghost_.remember(entry->hash()); // it had earned its place
    ++(expired ? tally_.expirations : tally_.reclaimed);
    drop(entry);
    return true;
}

/// The end of the small queue: on to the main one, or out. False when it is being read: dropping it would free nothing
/// now.
bool Shard::evict_small(Clock::time_point now) noexcept
{
    Entry* const entry = small_.oldest;
    const bool is_read = entry->is_read();
    if (!drop_if_dead(entry, now)) {
        if (entry->frequency > 0 || is_read) {
            leave_queue(entry);
            entry->frequency = 0;
            push(Queue::main, entry);
        } else {
            ghost_.remember(entry->hash());
            ++tally_.evictions;
            drop(entry);
        }
    }
    return !is_read;
}

/// The end of the main queue: another round for each hit noted, or out.
bool Shard::evict_main(Clock::time_point now) noexcept
{
    Entry* const entry = main_.oldest;
    const bool is_read = entry->is_read();
    if (!drop_if_dead(entry, now)) {
        if (entry->frequency > 0 || is_read) {
            leave_queue(entry);
            if (entry->frequency > 0)
                --entry->frequency;
            push(Queue::main, entry);
        } else {
            ++tally_.evictions;
            drop(entry);
        }
    }
    return !is_read;
}

} // namespace pgmemo::cache
