#pragma once

#include "cache/cache.hpp"
#include "cache/remote/sealed.hpp"
#include "cache/remote/word_value.hpp"
#include "cache/remote/words.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace pgmemo::cache {

/// What is to be asked of the store in one round trip: the present of some words, and perhaps an entry. Filled in by
/// the one who asks.
struct Lookup {
    std::string key;   ///< of an entry in the store; empty: the words alone
    Words words;       ///< in the order in which they are to be seen
    std::string value; ///< of the entry, unopened; empty: there is none
    /// Of each word what stood in the same reply as the entry; nullopt: nothing that can be used.
    std::vector<std::optional<std::uint64_t>> versions;
};

/// What the process shares with other pgmemos by way of a store, without the store itself: the names and the present of
/// the words, the form of the entries, who has commits in flight. Threads: safe.
///
/// Flights in the store belong to owners (word_value.hpp). An owner lives as long as it says so, in a key that runs out
/// after a lease. One whose key is gone is not dead yet, since the store may have dropped the key: it is condemned, and
/// dead if it has said nothing more a lease later. Whatever stands in a word of a dead owner counts for nothing.
///
/// An owner that has not said goodbye may be cut off from the store, not dead: then it goes on writing, and nobody
/// hears of it before it is back. While one is missing, nothing is served that was read longer than a lease ago.
///
/// A word that the store has lost may have held flights that go on. It is made anew with a flight of nobody, so nothing
/// is stamped with it before those who live have said again what they have in flight: they do so four times a lease.
class RemoteTier {
public:
    using Clock = std::chrono::steady_clock;

    struct Options {
        std::string space; ///< of all keys: pgmemos with the same one share
        std::string secret;
        std::string fleet; ///< what must be the same in all that share: what decides on the words of a statement
        Clock::duration lease = std::chrono::seconds{5};
        std::size_t compress_from = 1'024; ///< bytes of an entry
        std::size_t max_entry_bytes = 1u << 20;
        std::function<std::string(Oid)> database_name;
        std::function<void(Oid)> on_catalog_moved;
    };

    /// `cache` has the options that shared() gives.
    RemoteTier(Cache& cache, const Options&);

    /// The seed of the slots of caches that share.
    static std::uint64_t slot_seed(std::string_view space, std::string_view secret);

    RemoteWords& words() noexcept { return words_; }
    const std::string& prefix() const noexcept { return words_.prefix(); }
    /// A sum of what must be the same in all that share; moves `fleet_changes`.
    void set_fleet(std::string_view what);
    std::string fleet() const;
    std::uint64_t fleet_changes() const noexcept { return fleet_changes_.load(); }
    Clock::duration lease() const noexcept { return lease_; }
    std::string name_of_owner(Owner owner) const;
    std::string name_of_members() const { return prefix() + "members"; } ///< of a word whose owners all that share are
    std::string name_of_slot(std::size_t index) const;

    Owner new_owner() noexcept; ///< of this process
    static Owner new_nobody();  ///< for words made anew
    static std::uint64_t new_version();
    /// Whether its flights are those of this process, whose words say so by themselves, or of one that is dead.
    bool is_ignored(Owner);
    bool is_own(Owner owner) const noexcept { return process_of(owner) == process_; }
    void declare_dead(Owner);
    /// One of those that share is missing, or is not any more. True when he is the first.
    bool note_missing(Owner, bool is_missing);
    void keep_missing(const std::vector<Owner>& members); ///< the others do not share any more
    bool is_anybody_missing() const noexcept { return is_anybody_missing_.load(); }
    std::size_t missing() const;

    /// What has been seen of the words in a reply of the store: bytes of each, nullopt for what it does not have. Words
    /// that cannot be read, or are not there, go to `lost`, owners that are neither ignored nor known to live to
    /// `strangers`, words that hold flights of the dead to `haunted`.
    struct Sighting {
        Words lost;
        std::vector<Owner> strangers;
        std::vector<std::pair<Word*, Owner>> haunted;
    };
    /// Returns its version, unless others have commits in flight.
    std::optional<std::uint64_t> see(Word&, std::optional<std::string_view> bytes, Sighting&);

    /// Under which key an entry stands in the store.
    std::string name_of_entry(const Key&) const;
    struct Sealed {
        std::string name;
        std::string value;
        std::chrono::milliseconds keep_for;
    };
    /// The entry for the store; nullopt when its stamp is not current, or the store's version of a word not known.
    std::optional<Sealed> seal(const Entry&, Clock::time_point read_at, Clock::time_point now);
    /// Puts the entry that was found in the store into the memory tier, if it is one, this key's, and current by what
    /// the same reply said of the words: what others have seen of them meanwhile may be older. Null otherwise. `ttl`
    /// counts from when it was read.
    /// `refused`: set when there was something, and it was none.
    EntryRef admit(const Key&, const Lookup&, std::size_t max_bytes, std::optional<std::chrono::milliseconds> ttl,
                   Clock::time_point now, bool& refused);

    std::atomic<std::size_t> connections_up{0};
    std::atomic<const void*> watcher{nullptr}; ///< the connection that watches for those who share
    /// Of those that are not up, how many were lost and not had again.
    std::atomic<std::size_t> connections_lost{0};
    /// Writes that could not be announced, of any connection of this process: until they are nothing is served.
    std::atomic<std::size_t> connections_with_unannounced{0};

private:
    Cache& cache_;
    const Seal seal_;
    const Clock::duration lease_;
    const std::size_t compress_from_;
    const std::size_t max_entry_bytes_;
    const std::uint64_t process_;
    RemoteWords words_;
    std::atomic<std::uint64_t> last_owner_{0};
    std::atomic<std::uint64_t> fleet_changes_{0};
    mutable std::mutex mutex_;
    std::string fleet_;
    std::unordered_set<Owner> dead_;
    std::unordered_set<Owner> missing_;
    std::atomic<bool> is_anybody_missing_{false};
};

} // namespace pgmemo::cache
