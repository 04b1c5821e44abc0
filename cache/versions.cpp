#include "cache/versions.hpp"

#include "cache/fence.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <iterator>
#include <mutex>

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

struct Versions::State {
    static constexpr std::size_t kShards = 16;

    struct Shard {
        std::mutex mutex;
        boost::unordered_flat_map<std::uint64_t, Word*> by_oid;
        std::deque<Word> words; // a deque never moves what it holds
    };

    std::array<Shard, kShards> shards;
    std::atomic<std::size_t> size{0};
    std::mutex databases_mutex;
    Words databases;

    Word& word(Oid database, Oid relation)
    {
        const std::uint64_t key = (std::uint64_t{database} << 32) | relation;
        Shard& shard = shards[(key * 0x9e3779b97f4a7c15u) >> 60];
        const std::lock_guard lock{shard.mutex};
        const auto [found, is_new] = shard.by_oid.try_emplace(key, nullptr);
        if (is_new) {
            try {
                found->second = &shard.words.emplace_back();
                if (relation == 0) {
                    const std::lock_guard databases_lock{databases_mutex};
                    databases.push_back(found->second);
                }
            } catch (...) {
                shard.by_oid.erase(found);
                throw;
            }
            size.fetch_add(1, std::memory_order_relaxed);
        }
        return *found->second;
    }
};

Versions::Versions()
    : state_(std::make_unique<State>())
{
}
Versions::~Versions() = default;

Word& Versions::database(Oid database)
{
    return state_->word(database, 0); // no relation has OID 0
}

Word& Versions::relation(Oid database, Oid relation)
{
    return state_->word(database, relation);
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

bool Stamp::is_current() const noexcept
{
    return std::all_of(words_.begin(), words_.end(),
                       [](const auto& pair) { return pair.first->load() == pair.second; });
}

Flight::Flight(Flight&& other) noexcept
    : words_(std::exchange(other.words_, {}))
{
}

Flight& Flight::operator=(Flight&& other) noexcept
{
    if (this != &other) {
        end();
        words_ = std::exchange(other.words_, {});
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
    words_.swap(all); // nothing below can throw: what is held is what was begun
    for (Word* word : fresh)
        word->begin();
}

void Flight::end() noexcept
{
    for (Word* word : words_)
        word->end();
    words_.clear();
}

} // namespace pgmemo::cache
