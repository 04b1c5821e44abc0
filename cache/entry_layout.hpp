#pragma once

#include "cache/entry.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace pgmemo::cache {

/// Bytes charged to a part of the memory tier. Lives until the tier has let go of it *and* the last entry charged to it
/// is gone: an entry that a slow reader holds may outlive the cache.
class Account {
public:
    static Account* open() { return new Account; }
    void close() noexcept { give_back(1); }

    std::size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed) - 1; } // while open
    void charge(std::size_t bytes) noexcept { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    void give_back(std::size_t bytes) noexcept
    {
        if (bytes_.fetch_sub(bytes, std::memory_order_acq_rel) == bytes)
            delete this;
    }

private:
    std::atomic<std::size_t> bytes_{1}; // 1 for being open, so that 0 comes once
};

/// The queue of the eviction in which an entry stands.
enum class Queue : std::uint8_t { none, small, main };

/// The head of an entry's one allocation; behind it the stamp, the key's body and the reply.
///
/// `refs` and what is const belong to everybody; the rest to the shard, under its mutex.
class Entry {
public:
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
    using Pair = std::pair<Word*, std::uint64_t>;

    /// What an entry of this size will be charged: its allocation, and what malloc adds at most.
    static std::size_t charge_for(std::size_t stamp_words, std::size_t body_bytes, std::size_t reply_bytes) noexcept;

    /// One reference, the caller's. Takes over `charge` bytes that the account was charged already. The reply is the
    /// caller's to write (reply_room()) before anybody else sees the entry. Throws bad_alloc, having taken nothing
    /// over.
    static Entry* make(Account& account, std::size_t charge, std::shared_ptr<const Identity> identity,
                       std::uint64_t hash, std::string_view body, std::span<const Pair> stamp, std::size_t reply_bytes,
                       std::int64_t expires);

    std::span<const Pair> stamp() const noexcept { return {reinterpret_cast<const Pair*>(this + 1), stamp_words_}; }
    std::string_view body() const noexcept { return {tail(), body_bytes_}; }
    std::string_view reply() const noexcept { return {tail() + body_bytes_, reply_bytes_}; }
    char* reply_room() noexcept { return const_cast<char*>(tail()) + body_bytes_; }

    bool has_key(std::uint64_t hash, const Identity* identity, std::string_view body_text) const noexcept
    {
        return hash_ == hash && identity_.get() == identity && body() == body_text;
    }
    bool is_expired(Clock::time_point now) const noexcept { return expires_ <= now.time_since_epoch().count(); }
    std::optional<std::chrono::milliseconds> time_left(Clock::time_point now) const noexcept ///< nullopt: for ever
    {
        if (expires_ == kNever)
            return std::nullopt;
        return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::duration{expires_} -
                                                                     now.time_since_epoch());
    }
    std::uint64_t hash() const noexcept { return hash_; }
    const Identity* identity() const noexcept { return identity_.get(); }
    const std::shared_ptr<const Identity>& identity_ref() const noexcept { return identity_; }
    std::size_t charge() const noexcept { return charge_; }
    bool is_read() const noexcept { return refs_.load(std::memory_order_relaxed) > 1; } ///< by others than the tier

    void hold() const noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
    void let_go() const noexcept;

    // Under the mutex of the shard.
    Entry* next_in_bucket = nullptr;
    Entry* newer = nullptr;
    Entry* older = nullptr;
    Queue queue = Queue::none;
    std::uint8_t frequency = 0;

private:
    Entry() = default;
    ~Entry() = default;
    const char* tail() const noexcept { return reinterpret_cast<const char*>(this + 1) + stamp_words_ * sizeof(Pair); }

    mutable std::atomic<std::uint32_t> refs_{1};
    std::uint32_t stamp_words_ = 0;
    std::uint32_t body_bytes_ = 0;
    std::uint32_t reply_bytes_ = 0;
    std::uint64_t hash_ = 0;
    std::int64_t expires_ = kNever;
    std::size_t charge_ = 0;
    Account* account_ = nullptr;
    std::shared_ptr<const Identity> identity_;
};

} // namespace pgmemo::cache
