#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace pgmemo::cache {

using Oid = std::uint32_t;

/// A version word: the version in the high 40 bits, the number of commits in flight in the low 24.
///
/// An entry is valid while every word of its stamp equals the present word, so one comparison says both that nothing
/// committed since and that nothing may be committing now. Threads: every operation is one atomic instruction.
/// Flights: at most 16,777,215 at a time; a session has at most 1,024 requests outstanding (proxy/exchange.hpp).
class Word {
public:
    static constexpr std::uint64_t kFlight = 1;
    static constexpr std::uint64_t kVersion = std::uint64_t{1} << 24;
    static constexpr std::uint64_t kFlightMask = kVersion - 1;

    void begin() noexcept; ///< one version more, one flight more
    void end() noexcept;   ///< one flight less
    void move() noexcept;  ///< one version more: a change already made, seen from outside
    std::uint64_t load() const noexcept;
    static std::uint64_t
    moves() noexcept; ///< how many begins and moves there were in this process: has anything changed?
    static bool in_flight(std::uint64_t word) noexcept { return (word & kFlightMask) != 0; }

private:
    std::atomic<std::uint64_t> value_{0}; // zero bytes are a good word: Versions takes whole pages of them
};

/// What a word stands for.
struct WordScope {
    enum class Kind : std::uint8_t { cluster, database, catalog, relation, wide, fresh, slot };
    Kind kind = Kind::slot;
    Oid database = 0;
    Oid relation = 0;
    int column = 0;
    std::size_t slot = 0;
};

/// The words of every relation and every database. A word, once asked for, lives as long as this: pointers to it stay
/// good.
///
/// Scopes: `relation` moves with every write of the relation. Of each tracked column `wide` moves with every write that
/// is not confined to known values of that column, and `slot` with one that is, to that value among others. So a read
/// confined by `column = value` is stamped with that column's wide and that value's slot, any other read with relation.
/// A write begins relation, and for each tracked column either the slots of all values that its rows have there before
/// or after it, or wide when those are not known. Of a column of which no two rows have the same value, `fresh` moves
/// with new rows whose value is not known (a serial): they touch no reply that shows the row with that value, for it
/// exists; any other read confined by such a column is stamped with fresh as well.
///
/// Collisions: the slots of all relations lie in one table, by a hash of database, relation, column and value. Two
/// values in one slot cost a miss, never a wrong answer: each moves the word that both are stamped with. The hash is
/// seeded by chance: who chooses the values shall not choose whose slots they fall into.
///
/// Memory: slot_bytes(), however many relations and values there are; pages of which no slot was ever used take none.
/// The other words are one for each database, relation and tracked column ever asked for.
///
/// Several pgmemos that share their words (cache/remote) have two more scopes: `cluster` is in every stamp and moves
/// with what changes all databases, of which each pgmemo knows but some; `catalog` moves with what may change a
/// database's catalog, and is in no stamp.
///
/// Threads: safe. slot() takes no lock and allocates nothing.
class Versions {
public:
    static constexpr std::size_t kDefaultSlots = 4'096;
    static constexpr std::size_t kSharedSlots = 65'536; ///< of pgmemos that share theirs

    explicit Versions(std::size_t slot_count = kDefaultSlots); ///< rounded down to a power of two; at least one
    /// With slots where others that have the same seed have them.
    Versions(std::size_t slot_count, std::uint64_t slot_seed);
    ~Versions();
    Versions(Versions&&) noexcept;
    Word& database(Oid database);
    Word& cluster(); ///< from then on among all_databases()
    Word& catalog(Oid database);
    Word& relation(Oid database, Oid relation);
    Word& wide(Oid database, Oid relation, int column);  ///< `column`: its attribute number, from 1
    Word& fresh(Oid database, Oid relation, int column); ///< likewise
    /// `value` is in its one canonical form (query/value.hpp): equal values must be equal bytes.
    Word& slot(Oid database, Oid relation, int column, std::string_view value) noexcept;
    void move_all_databases() noexcept; ///< every database known so far
    std::vector<Word*> all_databases();
    WordScope scope_of(const Word&) const noexcept; ///< of one of this object's
    std::size_t size() const noexcept;              ///< words of databases, relations and columns
    std::size_t slot_count() const noexcept;
    std::size_t slot_bytes() const noexcept { return slot_count() * sizeof(Word); }

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The words that a footprint stands for, sorted by address, unique.
using Words = std::vector<Word*>;

/// The versions an entry was read under.
class Stamp {
public:
    Stamp() = default;
    explicit Stamp(std::span<Word* const> words); ///< reads each word now: before the read is sent upstream

    bool is_quiet() const noexcept { return quiet_; } ///< no commit was in flight
    bool is_current() const noexcept;                 ///< every word still equals
    void add(const Stamp&);
    std::span<const std::pair<Word*, std::uint64_t>> words() const noexcept { return words_; }

private:
    std::vector<std::pair<Word*, std::uint64_t>> words_;
    bool quiet_ = true;
};

/// Who is told of flights, beside this process. Threads: hold() is that of whoever owns it, release() anybody's.
class Announcer {
public:
    virtual ~Announcer() = default;
    virtual void hold(const Words&) = 0;      ///< a flight begins, which will be announced
    virtual void release(Words) noexcept = 0; ///< a flight has ended: takes it back there, some time
};

/// Commits in flight: `begin` was done for each word, `end` is owed.
/// Use: add() before sending what may commit; end() once the outcome is known, before the client is told. Move-only;
/// the destructor ends what is left, so whoever does not know the outcome hands it to `cache::Unresolved` instead.
class Flight {
public:
    Flight() = default;
    Flight(Flight&&) noexcept;
    Flight& operator=(Flight&&) noexcept;
    ~Flight();

    void add(std::span<Word* const> words); ///< begins those that it does not hold yet
    void end() noexcept;
    /// Somebody else knows of it, or will: he is told when it has ended.
    void announced_by(std::shared_ptr<Announcer> announcer) noexcept { announcer_ = std::move(announcer); }
    bool empty() const noexcept { return words_.empty(); }
    std::size_t size() const noexcept { return words_.size(); }

private:
    Words words_;
    std::shared_ptr<Announcer> announcer_;
};

} // namespace pgmemo::cache
