#pragma once

#include "cache/versions.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pgmemo::cache {

/// The words of this process beside those of the store: each has a name there, and moves here when it is seen to have
/// moved there. So an entry's stamp remains one comparison with the words of this process, whoever has moved them.
///
/// What was seen of a word is its version while nobody else had a commit in flight, or that somebody had: then the word
/// here is in flight as well, until it is seen that he has not any more. A version seen late, after a newer one, costs
/// a move; that a stamp is current says that the version that it was taken under is the one seen last.
///
/// Lifetime: borrows Versions. Threads: safe.
class RemoteWords {
public:
    struct Options {
        std::string prefix; ///< of every name in the store
        /// The name of a database by the number that it has in this process.
        std::function<std::string(Oid)> database_name;
        /// Called before anything may be stamped under what moved: the catalogs of this database, or with 0 of all, may
        /// have changed. Must not throw, nor come back here.
        std::function<void(Oid)> on_catalog_moved;
    };

    RemoteWords(Versions&, Options);

    Versions& versions() noexcept { return versions_; }
    const std::string& prefix() const noexcept { return options_.prefix; }
    /// The key in the store; lives as long as this.
    const std::string& name(Word&);
    /// What the store has, or had a moment ago; `in_flight`: by others than this process.
    void observe(Word&, std::uint64_t version, bool in_flight);
    /// A `begin` of this process has given it this version. Whether others have commits in flight under it is seen with
    /// the next observe(); until then it is as if they had.
    void adopt(Word&, std::uint64_t version);
    /// The store does not have it: whatever was stored under it is of no use, and nothing can be.
    void forget(Word&);
    /// The version seen last; nullopt for none yet.
    std::optional<std::uint64_t> version(Word&);
    bool knows(std::span<Word* const>);
    std::size_t size() const;

private:
    struct Seen {
        std::string name;
        std::uint64_t version = 0;
        bool is_known = false;
        bool holds_flight = false; ///< for others'
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<const Word*, Seen> seen; // nodes never move
    };

    Shard& shard_of(const Word&) noexcept;
    Seen& seen(Shard&, Word&);
    std::string make_name(const Word&) const;

    Versions& versions_;
    const Options options_;
    std::array<Shard, 16> shards_;
};

} // namespace pgmemo::cache
