#pragma once

#include "cache/entry.hpp"
#include "cache/identity.hpp"
#include "cache/versions.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::cache {

/// What the cache tells of itself; read at any time from any thread.
struct CacheStats {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0; ///< of entries, everything that they cost included, those still being read included
    /// Of the tables, the ghost queue, the identities and the key slots (all of them, touched or not); with the other
    /// two within the limit.
    std::uint64_t overhead_bytes = 0;
    std::uint64_t fill_bytes = 0; ///< of fills in progress
    std::uint64_t limit_bytes = 0;
    std::uint64_t evictions = 0;   ///< to make room
    std::uint64_t expirations = 0; ///< TTL
    std::uint64_t reclaimed = 0;   ///< dead by a moved version
    std::uint64_t rejected = 0;    ///< no room could be made
};

class Cache;

/// A miss in progress that may end in a stored entry: gathers the reply's bytes under the bound on fills. Move-only;
/// destroyed unfinished it stores nothing and gives its bytes back.
class Fill {
public:
    Fill() = default;
    Fill(Fill&&) noexcept;
    Fill& operator=(Fill&&) noexcept;
    ~Fill();

    bool is_open() const noexcept { return cache_ != nullptr; }
    /// Takes more of the reply. False when it has become larger than it may, or there is no memory for it: the fill is
    /// closed then and its bytes are freed at once.
    bool append(std::string_view bytes);
    /// Makes the entry depend on more words, read when the fill began. Closes the fill when one was in flight then.
    void depend_on(const Stamp&);
    void close() noexcept;
    std::size_t size() const noexcept { return size_; }
    const Stamp& stamp() const noexcept { return stamp_; }

private:
    friend class Cache;

    /// Pieces, rather than one string that grows: nothing is copied on the way and no moment needs room for both.
    struct Piece {
        std::unique_ptr<char[]> bytes;
        std::size_t capacity = 0;
        std::size_t size = 0;
    };

    bool add_piece(std::size_t at_least);

    Cache* cache_ = nullptr;
    std::shared_ptr<const Identity> identity_;
    std::string body_;
    Stamp stamp_;
    std::vector<Piece> pieces_;
    std::size_t size_ = 0;
    std::size_t reserved_ = 0; ///< of the bound on fills
    std::size_t max_bytes_ = 0;
    std::optional<std::chrono::milliseconds> ttl_;
    Clock::time_point began_;
};

enum class Stored : std::uint8_t { yes, moved, no_room };

/// What a fill has become.
struct Filled {
    EntryRef entry;            ///< null: it was not stored
    Clock::time_point read_at; ///< begin_fill()
};

/// The cache as sessions see it. Threads: safe.
///
/// The memory tier answers at once, so `find` is a plain call. The tier that is far away (remote/) is asked from the
/// same place in the session, after `find` has missed; what it has is put in here.
///
/// Memory: `memory_bytes` bounds everything: entries with their overhead, the table, the ghost queue, the key slots,
/// fills in progress. An entry evicted while a client still reads it counts until it is gone.
///
/// Have it made before the threads that store: its constructor has malloc keep one heap for all of them, without which
/// holes in the heaps would break the bound.
///
/// Lifetime: an EntryRef may outlive the cache and frees itself, but is_current() on it needs the cache's versions.
/// Fills must not outlive it.
class Cache {
public:
    struct Options {
        std::size_t memory_bytes = 256u << 20;
        std::size_t max_entry_bytes = 1u << 20; ///< of a reply; a rule may ask for less
        /// Given: slots are those that others with this seed have (cache/remote), and as many.
        std::optional<std::uint64_t> shared_slot_seed = {};
    };

    explicit Cache(const Options&);
    ~Cache();
    Cache(const Cache&) = delete;
    Cache& operator=(const Cache&) = delete;

    Versions& versions() noexcept;
    IdentityTable& identities() noexcept;

    /// The entry for a key if it is there, not expired and its stamp is current at the moment of the call. Null
    /// otherwise; an entry found dead is dropped on the way.
    EntryRef find(const Key&, Clock::time_point now);

    /// Opens a fill. `stamp` was read before the request went upstream. Closed from the start when the stamp is not
    /// quiet.
    Fill begin_fill(const Key&, Stamp stamp, std::size_t max_bytes, std::optional<std::chrono::milliseconds> ttl);

    /// Stores what the fill has gathered, if its stamp is still current. The TTL counts from begin_fill: what was read
    /// may have been changed behind our back since then. A fill that is closed is `no_room`.
    Stored finish_fill(Fill&&, Clock::time_point now, Filled* filled = nullptr);

    /// Walks a part of the table and drops what is expired or dead. Called every few milliseconds by one thread; cheap
    /// when no version has moved since the last whole round. Returns how many entries it dropped.
    std::size_t reclaim(Clock::time_point now, std::size_t at_most_visited);

    void clear() noexcept; ///< drops every entry
    CacheStats stats() const;

private:
    friend class Fill;
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace pgmemo::cache
