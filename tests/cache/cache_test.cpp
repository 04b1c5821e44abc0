#include "cache/cache.hpp"

#include "tests/cache/support.hpp"

#include <gtest/gtest.h>

namespace pgmemo::cache {
namespace {

using namespace testing_support;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct CacheTest : testing::Test {
    Cache cache{{16u << 20, 1u << 20}};
    std::shared_ptr<const Identity> me = cache.identities().intern("me");
    Word& word = cache.versions().relation(1, 1);
    Words words{&word};
};

TEST_F(CacheTest, GivesBackWhatWasStored)
{
    EXPECT_EQ(found(cache, me, "SELECT 1"), "(nothing)");
    EXPECT_EQ(store(cache, me, "SELECT 1", "one", words), Stored::yes);
    EXPECT_EQ(found(cache, me, "SELECT 1"), "one");
    EXPECT_EQ(found(cache, me, "SELECT 2"), "(nothing)");
    EXPECT_EQ(cache.stats().entries, 1u);
}

TEST_F(CacheTest, AnotherIdentityNeverFindsIt)
{
    store(cache, me, "SELECT 1", "mine");
    EXPECT_EQ(found(cache, cache.identities().intern("you"), "SELECT 1"), "(nothing)");
    EXPECT_EQ(found(cache, nullptr, "SELECT 1"), "(nothing)");
}

TEST_F(CacheTest, KeysAndRepliesAreBytes)
{
    const std::string body{"\0a\0", 3};
    const std::string reply{"x\0y", 3};
    store(cache, me, body, reply);
    EXPECT_EQ(found(cache, me, body), reply);
    EXPECT_EQ(found(cache, me, std::string_view{"\0a", 2}), "(nothing)");
    store(cache, me, "", "");
    EXPECT_EQ(found(cache, me, ""), "");
}

TEST_F(CacheTest, AReplyComesWholeHoweverItArrived)
{
    std::string reply;
    auto fill = cache.begin_fill({me, "q"}, Stamp{words}, 1u << 20, {});
    for (int i = 0; i < 3000; ++i) {
        const std::string part(static_cast<std::size_t>(i % 300), static_cast<char>('a' + i % 26));
        ASSERT_TRUE(fill.append(part));
        reply += part;
        ASSERT_EQ(fill.size(), reply.size());
    }
    EXPECT_GE(cache.stats().fill_bytes, reply.size());
    EXPECT_EQ(cache.finish_fill(std::move(fill), kNow), Stored::yes);
    EXPECT_EQ(cache.stats().fill_bytes, 0u);
    EXPECT_EQ(found(cache, me, "q"), reply);
}

TEST_F(CacheTest, ANewReplyTakesThePlaceOfTheOld)
{
    store(cache, me, "q", "old");
    store(cache, me, "q", "new");
    EXPECT_EQ(found(cache, me, "q"), "new");
    EXPECT_EQ(cache.stats().entries, 1u);
}

TEST_F(CacheTest, AWriteInFlightRefusesHitsBeforeItsOutcomeIsKnownAndAfter)
{
    store(cache, me, "q", "old", words);
    Flight flight;
    flight.add(words);
    EXPECT_EQ(found(cache, me, "q"), "(nothing)") << "it may have committed";
    flight.end();
    EXPECT_EQ(found(cache, me, "q"), "(nothing)");
    EXPECT_EQ(store(cache, me, "q", "new", words), Stored::yes);
    EXPECT_EQ(found(cache, me, "q"), "new");
}

TEST_F(CacheTest, AFillOpenedDuringAFlightIsClosedFromTheStart)
{
    Flight flight;
    flight.add(words);
    auto fill = cache.begin_fill({me, "q"}, Stamp{words}, 100, {});
    EXPECT_FALSE(fill.is_open());
    EXPECT_FALSE(fill.append("x"));
    EXPECT_EQ(cache.finish_fill(std::move(fill), kNow), Stored::no_room);
    EXPECT_EQ(cache.stats().fill_bytes, 0u);
}

TEST_F(CacheTest, AReplyThatComesAfterAWriteBeganIsNotStored)
{
    for (const bool ended : {false, true}) {
        auto fill = cache.begin_fill({me, "q"}, Stamp{words}, 100, {});
        fill.append("read before the write");
        Flight flight;
        flight.add(words);
        if (ended)
            flight.end();
        EXPECT_EQ(cache.finish_fill(std::move(fill), kNow), Stored::moved);
        EXPECT_EQ(found(cache, me, "q"), "(nothing)");
    }
    EXPECT_EQ(cache.stats().fill_bytes, 0u);
}

TEST_F(CacheTest, TwoWritersThatOverlapKeepItShutUntilBothHaveEnded)
{
    Flight one;
    Flight two;
    one.add(words);
    const Stamp between{words};
    two.add(words);
    one.end();
    EXPECT_FALSE(cache.begin_fill({me, "q"}, Stamp{words}, 100, {}).is_open());
    two.end();
    EXPECT_FALSE(between.is_current());
    EXPECT_EQ(store(cache, me, "q", "new", words), Stored::yes);
    EXPECT_EQ(found(cache, me, "q"), "new");
}

TEST_F(CacheTest, WhatAnotherRelationsWriterDoesChangesNothing)
{
    store(cache, me, "q", "x", words);
    Flight flight;
    flight.add(Words{&cache.versions().relation(1, 2)});
    EXPECT_EQ(found(cache, me, "q"), "x");
}

TEST_F(CacheTest, TheTtlEndsAnEntry)
{
    store(cache, me, "q", "x", {}, seconds{10});
    EXPECT_EQ(found(cache, me, "q", kNow + seconds{9}), "x");
    EXPECT_EQ(found(cache, me, "q", kNow + seconds{10}), "(nothing)");
    EXPECT_EQ(cache.stats().expirations, 1u);
    EXPECT_EQ(cache.stats().entries, 0u);
}

TEST_F(CacheTest, WithoutATtlAnEntryStays)
{
    store(cache, me, "q", "x", {}, std::nullopt);
    EXPECT_EQ(found(cache, me, "q", kNow + std::chrono::hours{24 * 365 * 50}), "x");
    store(cache, me, "q2", "x", {}, milliseconds::max());
    EXPECT_EQ(found(cache, me, "q2", kNow + std::chrono::hours{24 * 365 * 50}), "x");
}

TEST_F(CacheTest, TheTtlCountsFromTheReadNotFromTheStore)
{
    auto fill = cache.begin_fill({me, "q"}, Stamp{}, 100, milliseconds{1000});
    const auto began = Clock::now();
    while (Clock::now() - began < milliseconds{50}) {
    }
    fill.append("x");
    const auto now = Clock::now();
    cache.finish_fill(std::move(fill), now);
    EXPECT_EQ(found(cache, me, "q", now + milliseconds{951}), "(nothing)");
}

TEST_F(CacheTest, AReplyLargerThanItMayBeClosesItsFillAndFreesIt)
{
    auto fill = cache.begin_fill({me, "q"}, Stamp{}, 1000, {});
    EXPECT_TRUE(fill.append(std::string(1000, 'x')));
    EXPECT_FALSE(fill.append("y"));
    EXPECT_FALSE(fill.is_open());
    EXPECT_EQ(cache.stats().fill_bytes, 0u);
    EXPECT_EQ(cache.finish_fill(std::move(fill), kNow), Stored::no_room);

    auto larger = cache.begin_fill({me, "q"}, Stamp{}, 100u << 20, {});
    EXPECT_FALSE(larger.append(std::string((1u << 20) + 1, 'x'))) << "the cache's own limit holds too";
}

TEST_F(CacheTest, FillsTogetherKeepWithinTheirShare)
{
    std::vector<Fill> fills;
    std::size_t gathered = 0;
    for (int i = 0; i < 100; ++i) {
        fills.push_back(cache.begin_fill({me, "q" + std::to_string(i)}, Stamp{}, 1u << 20, {}));
        if (fills.back().append(std::string(100'000, 'x')))
            gathered += 100'000;
    }
    EXPECT_GE(gathered, 1'400'000u);
    EXPECT_LE(gathered, 2u << 20);
    EXPECT_LE(cache.stats().fill_bytes, 2u << 20);
    fills.clear();
    EXPECT_EQ(cache.stats().fill_bytes, 0u);
}

TEST_F(CacheTest, AFillDroppedUnfinishedStoresNothing)
{
    {
        auto fill = cache.begin_fill({me, "q"}, Stamp{}, 1000, {});
        fill.append("x");
        Fill other = std::move(fill);
        fill = std::move(other);
    }
    EXPECT_EQ(found(cache, me, "q"), "(nothing)");
    EXPECT_EQ(cache.stats().fill_bytes, 0u);
}

TEST_F(CacheTest, AReaderKeepsAnEntryThatIsGone)
{
    store(cache, me, "q", "still here", words);
    const auto entry = cache.find({me, "q"}, kNow);
    cache.clear();
    EXPECT_EQ(found(cache, me, "q"), "(nothing)");
    EXPECT_EQ(reply_of(*entry), "still here");
    EXPECT_TRUE(is_current(*entry));
    EXPECT_EQ(stamp_of(*entry).size(), 1u);
    EXPECT_EQ(stamp_of(*entry)[0].first, &word);
    EXPECT_GT(cache.stats().bytes, 0u) << "and it counts";
}

TEST(Cache, MayEndBeforeTheLastReaderOfAnEntry)
{
    EntryRef entry;
    {
        Cache cache{{4u << 20, 1u << 16}};
        const auto me = cache.identities().intern("me");
        store(cache, me, "q", "still here");
        entry = cache.find({me, "q"}, kNow);
    }
    EXPECT_EQ(reply_of(*entry), "still here");
}

TEST_F(CacheTest, ClearDropsAllAndGivesEveryByteBack)
{
    for (int i = 0; i < 1000; ++i)
        store(cache, me, std::to_string(i), std::string(1000, 'x'));
    EXPECT_EQ(cache.stats().entries, 1000u);
    cache.clear();
    EXPECT_EQ(cache.stats().entries, 0u);
    EXPECT_EQ(cache.stats().bytes, 0u);
}

TEST_F(CacheTest, ReclaimDropsTheDeadAndLeavesTheLiving)
{
    const Words other{&cache.versions().relation(1, 2)};
    for (int i = 0; i < 500; ++i) {
        store(cache, me, "a" + std::to_string(i), "x", words);
        store(cache, me, "b" + std::to_string(i), "x", other);
    }
    while (cache.reclaim(kNow, 1000) > 0) {
    }
    EXPECT_EQ(cache.stats().entries, 1000u);
    word.move();
    std::size_t dropped = 0;
    for (int i = 0; i < 10'000; ++i)
        dropped += cache.reclaim(kNow, 100);
    EXPECT_EQ(dropped, 500u);
    EXPECT_EQ(cache.stats().entries, 500u);
    EXPECT_EQ(cache.stats().reclaimed, 500u);
}

TEST_F(CacheTest, ReclaimDropsTheExpiredEvenWhenNothingMoved)
{
    for (int i = 0; i < 500; ++i)
        store(cache, me, std::to_string(i), "x", words, seconds{i % 2 == 0 ? 3 : 1000});
    for (auto now = kNow; now < kNow + seconds{10}; now += milliseconds{5})
        cache.reclaim(now, 200);
    EXPECT_EQ(cache.stats().entries, 250u);
    EXPECT_EQ(cache.stats().expirations, 250u);
}

TEST_F(CacheTest, AWriteOfOneRowLeavesThoseOfOthers)
{
    auto& versions = cache.versions();
    const auto read_of = [&](const std::string& id) {
        return Words{&versions.database(1), &versions.wide(1, 1, 1), &versions.slot(1, 1, 1, id)};
    };
    int next = 2; // the first value that does not share a slot with 1
    while (&versions.slot(1, 1, 1, std::to_string(next)) == &versions.slot(1, 1, 1, "1"))
        ++next;
    store(cache, me, "id = 1", "one", read_of("1"));
    store(cache, me, "another id", "two", read_of(std::to_string(next)));
    store(cache, me, "all", "one two", {&versions.database(1), &versions.relation(1, 1)});
    {
        Flight flight;
        flight.add(Words{&versions.relation(1, 1), &versions.slot(1, 1, 1, "1")});
        EXPECT_EQ(found(cache, me, "id = 1"), "(nothing)");
        EXPECT_EQ(found(cache, me, "another id"), "two");
        EXPECT_EQ(found(cache, me, "all"), "(nothing)");
    }
    EXPECT_EQ(found(cache, me, "id = 1"), "(nothing)");
    EXPECT_EQ(found(cache, me, "another id"), "two");
    {
        Flight flight;
        flight.add(Words{&versions.relation(1, 1), &versions.wide(1, 1, 1)});
    }
    EXPECT_EQ(found(cache, me, "another id"), "(nothing)");
}

TEST(Cache, OfNoMemoryStoresNothing)
{
    for (const std::size_t memory : {0u, 1u, 1000u, 50'000u}) {
        Cache cache{{memory, 1u << 20}};
        const auto me = an_identity();
        EXPECT_FALSE(cache.begin_fill({me, "q"}, Stamp{}, 1000, {}).is_open());
        EXPECT_EQ(found(cache, me, "q"), "(nothing)");
        EXPECT_EQ(cache.reclaim(kNow, 100), 0u);
        cache.clear();
    }
}

TEST(Cache, OfLittleMemoryWorks)
{
    Cache cache{{1u << 20, 1u << 20}};
    const auto me = cache.identities().intern("me");
    ASSERT_NE(me, nullptr);
    for (int i = 0; i < 10'000; ++i)
        EXPECT_EQ(store(cache, me, std::to_string(i), std::string(500, 'x')), Stored::yes);
    EXPECT_EQ(found(cache, me, "9999"), std::string(500, 'x'));
    EXPECT_GT(cache.stats().entries, 900u);
    EXPECT_GT(cache.stats().evictions, 1000u);
}

} // namespace
} // namespace pgmemo::cache
