#include "cache/versions.hpp"

#include "cache/fence.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <deque>
#include <functional>
#include <iterator>
#include <mutex>
#include <new>
#include <random>
#include <type_traits>

// Header-only: libpg_query exports XXH* symbols of its own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#define XXH_INLINE_ALL
#include <xxhash.h>
#pragma GCC diagnostic pop

namespace pgmemo::cache {

namespace {

/// Only says that something moved, so that reclaiming can rest when nothing did; validity never asks it.
std::atomic<std::uint64_t> g_moves{0};

void count_move() noexcept
{
    g_moves.fetch_add(1, std::memory_order_release);
}

} // namespace

void Word::begin() noexcept
{
    if constexpr (kFenced) {
        value_.fetch_add(kVersion + kFlight);
        count_move();
    }
}

void Word::end() noexcept
{
    if constexpr (kFenced) {
        value_.fetch_sub(kFlight);
    } else {
        value_.fetch_add(kVersion);
        count_move();
    }
}

void Word::move() noexcept
{
    value_.fetch_add(kVersion);
    count_move();
}

std::uint64_t Word::load() const noexcept
{
    return value_.load();
}

std::uint64_t Word::moves() noexcept
{
    return g_moves.load(std::memory_order_acquire);
}

namespace {

/// The key slots' words, as zeroed pages from the kernel: malloc would now and then clear them by hand, and so touch
/// them.
class SlotTable {
public:
    SlotTable(std::size_t slot_count, std::uint64_t seed)
        : count_(std::bit_floor(std::max<std::size_t>(slot_count, 1)))
        , seed_(seed)
    {
        // Zero bytes are words as they begin, and nothing has to be done when they end.
        static_assert(sizeof(Word) == sizeof(std::uint64_t) && std::is_trivially_destructible_v<Word> &&
                      std::atomic<std::uint64_t>::is_always_lock_free);
        void* const pages =
            ::mmap(nullptr, count_ * sizeof(Word), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED)
            throw std::bad_alloc{};
        words_ = static_cast<Word*>(pages);
    }
    SlotTable(const SlotTable&) = delete;
    SlotTable& operator=(const SlotTable&) = delete;
    ~SlotTable() { ::munmap(words_, count_ * sizeof(Word)); }

    std::size_t count() const noexcept { return count_; }

    Word& at(Oid database, Oid relation, int column, std::string_view value) noexcept
    {
        const std::array<std::uint32_t, 3> scope{database, relation, static_cast<std::uint32_t>(column)};
        const std::uint64_t of_column = XXH3_64bits_withSeed(scope.data(), sizeof scope, seed_);
        return words_[XXH3_64bits_withSeed(value.data(), value.size(), of_column) & (count_ - 1)];
    }

    std::size_t index_of(const Word& word) const noexcept ///< count() for one of another table
    {
        const std::less<> before;
        return before(&word, words_) || !before(&word, words_ + count_) ? count_
                                                                        : static_cast<std::size_t>(&word - words_);
    }

private:
    std::size_t count_; // a power of two
    std::uint64_t seed_;
    Word* words_ = nullptr;
};

std::uint64_t any_seed()
{
    std::random_device random;
    return (std::uint64_t{random()} << 32) | random();
}

} // namespace

struct Versions::State {
    static constexpr std::size_t kShards = 16;
    static constexpr int kAnyColumn = 0;     // attribute numbers of columns begin with 1
    static constexpr int kCatalogColumn = 1; // with no relation
    static constexpr Oid kNoRelation = 0;
    static constexpr Oid kNoDatabase = 0; // their numbers begin with 1

    struct Named {
        Word word; // first: the address of both
        Oid database = 0;
        Oid relation = 0;
        int column = 0;
    };
    static_assert(std::is_standard_layout_v<Named>);

    struct Shard {
        std::mutex mutex;
        boost::unordered_flat_map<std::pair<std::uint64_t, int>, Word*> by_scope;
        std::deque<Named> words; // a deque never moves what it holds
    };

    State(std::size_t slot_count, std::uint64_t seed)
        : slots(slot_count, seed)
    {
    }

    SlotTable slots;
    std::array<Shard, kShards> shards;
    std::atomic<std::size_t> size{0};
    std::mutex databases_mutex;
    Words databases;

    Word& word(Oid database, Oid relation, int column)
    {
        const std::uint64_t key = (std::uint64_t{database} << 32) | relation;
        Shard& shard = shards[(key * 0x9e3779b97f4a7c15u) >> 60];
        const std::lock_guard lock{shard.mutex};
        const auto [found, is_new] = shard.by_scope.try_emplace(std::pair{key, column}, nullptr);
        if (is_new) {
            try {
                auto& named = shard.words.emplace_back();
                named.database = database;
                named.relation = relation;
                named.column = column;
                found->second = &named.word;
                if (relation == kNoRelation && column == kAnyColumn) {
                    const std::lock_guard databases_lock{databases_mutex};
                    databases.push_back(found->second);
                }
            } catch (...) {
                shard.by_scope.erase(found);
                throw;
            }
            size.fetch_add(1, std::memory_order_relaxed);
        }
        return *found->second;
    }
};

Versions::Versions(std::size_t slot_count)
    : Versions(slot_count, any_seed())
{
}
Versions::Versions(std::size_t slot_count, std::uint64_t slot_seed)
    : state_(std::make_unique<State>(slot_count, slot_seed))
{
}
Versions::~Versions() = default;
Versions::Versions(Versions&&) noexcept = default;

Word& Versions::database(Oid database)
{
    return state_->word(database, State::kNoRelation, State::kAnyColumn);
}

Word& Versions::cluster()
{
    return state_->word(State::kNoDatabase, State::kNoRelation, State::kAnyColumn);
}

Word& Versions::catalog(Oid database)
{
    return state_->word(database, State::kNoRelation, State::kCatalogColumn);
}

Word& Versions::relation(Oid database, Oid relation)
{
    return state_->word(database, relation, State::kAnyColumn);
}

Word& Versions::wide(Oid database, Oid relation, int column)
{
    return state_->word(database, relation, column);
}

Word& Versions::fresh(Oid database, Oid relation, int column)
{
    return state_->word(database, relation, -column);
}

Word& Versions::slot(Oid database, Oid relation, int column, std::string_view value) noexcept
{
    return state_->slots.at(database, relation, column, value);
}

WordScope Versions::scope_of(const Word& word) const noexcept
{
    using Kind = WordScope::Kind;
    if (const auto slot = state_->slots.index_of(word); slot < state_->slots.count())
        return {Kind::slot, 0, 0, 0, slot};
    const auto& named = reinterpret_cast<const State::Named&>(word);
    auto kind = Kind::relation;
    if (named.relation == State::kNoRelation)
        kind = named.column != State::kAnyColumn      ? Kind::catalog
               : named.database == State::kNoDatabase ? Kind::cluster
                                                      : Kind::database;
    else if (named.column != State::kAnyColumn)
        kind = named.column > 0 ? Kind::wide : Kind::fresh;
    return {kind, named.database, named.relation, std::abs(named.column), 0};
}

std::size_t Versions::slot_count() const noexcept
{
    return state_->slots.count();
}

void Versions::move_all_databases() noexcept
{
    const std::lock_guard lock{state_->databases_mutex};
    for (Word* word : state_->databases)
        word->move();
}

std::vector<Word*> Versions::all_databases()
{
    const std::lock_guard lock{state_->databases_mutex};
    return state_->databases;
}

std::size_t Versions::size() const noexcept
{
    return state_->size.load(std::memory_order_relaxed);
}

Stamp::Stamp(std::span<Word* const> words)
{
    words_.reserve(words.size());
    for (Word* word : words) {
        const std::uint64_t now = word->load();
        quiet_ = quiet_ && !Word::in_flight(now);
        words_.emplace_back(word, now);
    }
}

void Stamp::add(const Stamp& more)
{
    words_.insert(words_.end(), more.words_.begin(), more.words_.end());
    quiet_ = quiet_ && more.quiet_;
}

bool Stamp::is_current() const noexcept
{
    return std::all_of(words_.begin(), words_.end(),
                       [](const auto& pair) { return pair.first->load() == pair.second; });
}

Flight::Flight(Flight&& other) noexcept
    : words_(std::exchange(other.words_, {}))
    , announcer_(std::move(other.announcer_))
{
}

Flight& Flight::operator=(Flight&& other) noexcept
{
    if (this != &other) {
        end();
        words_ = std::exchange(other.words_, {});
        announcer_ = std::move(other.announcer_);
    }
    return *this;
}

Flight::~Flight()
{
    end();
}

void Flight::add(std::span<Word* const> words)
{
    Words asked{words.begin(), words.end()};
    std::sort(asked.begin(), asked.end());
    asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
    Words fresh;
    std::set_difference(asked.begin(), asked.end(), words_.begin(), words_.end(), std::back_inserter(fresh));
    if (fresh.empty())
        return;
    Words all;
    all.reserve(words_.size() + fresh.size());
    std::merge(words_.begin(), words_.end(), fresh.begin(), fresh.end(), std::back_inserter(all));
    if (announcer_)
        announcer_->hold(fresh);
    words_.swap(all); // nothing below can throw: what is held is what was begun
    for (Word* word : fresh)
        word->begin();
}

void Flight::end() noexcept
{
    for (Word* word : words_)
        word->end();
    if (announcer_ && !words_.empty())
        announcer_->release(std::move(words_));
    words_.clear();
}

} // namespace pgmemo::cache
