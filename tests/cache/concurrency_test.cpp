#include "cache/cache.hpp"

#include "tests/cache/support.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

namespace pgmemo::cache {
namespace {

using namespace testing_support;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 4'000;
#else
constexpr int kRounds = 40'000;
#endif

/// Rows that writers change and readers cache, by the protocol of DESIGN §5. Each "commit" is an atomic store, so what
/// a reader is told can be held against what was committed.
struct World {
    static constexpr std::size_t kRows = 8;

    Cache cache{{2u << 20, 64u << 10}};
    std::shared_ptr<const Identity> me = cache.identities().intern("me");
    std::array<std::atomic<std::uint64_t>, kRows> rows{};         // PostgreSQL
    std::array<std::atomic<std::uint64_t>, kRows> acknowledged{}; // what writers were told
    std::atomic<bool> done{false};
    std::atomic<std::uint64_t> hits{0};

    Word& word(std::size_t row) { return cache.versions().relation(1, static_cast<Oid>(row + 1)); }

    void write(std::size_t row)
    {
        Flight flight;
        flight.add(Words{&word(row)});
        const auto value = rows[row].fetch_add(1) + 1;
        flight.end();
        auto known = acknowledged[row].load();
        while (known < value && !acknowledged[row].compare_exchange_weak(known, value)) {
        }
    }

    /// Whether what was read is no older than what had been acknowledged when the request came.
    bool read(std::size_t row, std::size_t padding)
    {
        const auto body = "row " + std::to_string(row);
        const auto at_least = acknowledged[row].load();
        if (const auto entry = cache.find({me, body}, kNow)) {
            hits.fetch_add(1, std::memory_order_relaxed);
            return std::stoull(std::string{reply_of(*entry)}) >= at_least;
        }
        const Words words{&word(row)};
        auto fill = cache.begin_fill({me, body}, Stamp{words}, 64u << 10, {});
        const auto value = rows[row].load();
        fill.append(std::to_string(value) + std::string(padding, ' '));
        cache.finish_fill(std::move(fill), kNow);
        return value >= at_least;
    }
};

TEST(Consistency, NobodyReadsWhatWasOverwrittenBeforeTheyAsked)
{
    World world;
    std::atomic<int> stale{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
        threads.emplace_back([&world, &stale, t] {
            std::mt19937 random{t};
            for (int i = 0; i < kRounds; ++i) {
                const auto row = random() % World::kRows;
                if (random() % 10 == 0)
                    world.write(row);
                else if (!world.read(row, random() % 3000))
                    ++stale;
            }
        });
    }
    std::thread reclaimer{[&world] {
        while (!world.done)
            world.cache.reclaim(kNow, 50);
    }};
    for (auto& thread : threads)
        thread.join();
    world.done = true;
    reclaimer.join();
    EXPECT_EQ(stale, 0);
    EXPECT_GT(world.hits, 100u);
}

TEST(Stress, EverythingAtOnceKeepsTheBooksStraight)
{
    Cache cache{{2u << 20, 64u << 10}};
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
        threads.emplace_back([&cache, t] {
            std::mt19937 random{t};
            std::vector<EntryRef> held(32);
            std::vector<Fill> fills(4);
            for (int i = 0; i < kRounds; ++i) {
                const auto key = static_cast<int>(random() % 400);
                const auto body = key_text(key);
                const auto identity = cache.identities().intern(std::to_string(key % 5));
                Word& word = cache.versions().relation(1, static_cast<Oid>(key % 20));
                if (const auto entry = cache.find({identity, body}, kNow)) {
                    // A reply begins with its key and is of one letter after it.
                    const auto reply = reply_of(*entry);
                    ASSERT_TRUE(reply.starts_with(body));
                    ASSERT_EQ(reply.find_first_not_of(reply.back(), body.size()), std::string_view::npos);
                    held[random() % held.size()] = entry;
                } else {
                    auto& fill = fills[random() % fills.size()];
                    fill = cache.begin_fill({identity, body}, Stamp{Words{&word}}, 64u << 10,
                                            std::chrono::milliseconds{1 + random() % 100'000});
                    const bool whole = fill.append(body) && fill.append(std::string(1 + random() % 20'000,
                                                                                    static_cast<char>('a' + key % 26)));
                    if (whole && random() % 8 != 0)
                        cache.finish_fill(std::move(fill), kNow);
                }
                if (random() % 50 == 0) {
                    Flight flight;
                    flight.add(Words{&word});
                }
                if (random() % 2000 == 0)
                    cache.clear();
                const auto stats = cache.stats();
                ASSERT_LE(stats.bytes + stats.overhead_bytes + stats.fill_bytes, stats.limit_bytes);
            }
        });
    }
    std::thread reclaimer{[&] {
        for (int i = 0; !done; ++i)
            cache.reclaim(kNow + std::chrono::milliseconds{i}, 50);
    }};
    for (auto& thread : threads)
        thread.join();
    done = true;
    reclaimer.join();
    cache.clear();
    EXPECT_EQ(cache.stats().entries, 0u);
    EXPECT_EQ(cache.stats().bytes, 0u);
    EXPECT_EQ(cache.stats().fill_bytes, 0u);
    EXPECT_EQ(cache.identities().bytes(), 0u);
}

} // namespace
} // namespace pgmemo::cache
