#include "cache/memory/tier.hpp"

#include "tests/cache/support.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace pgmemo::cache {
namespace {

using namespace testing_support;

bool put(MemoryTier& tier, const std::shared_ptr<const Identity>& identity, std::string_view body,
         std::string_view reply)
{
    Entry* const entry = tier.allot({identity, body, {}, reply.size(), Entry::kNever}, kNow);
    if (entry == nullptr)
        return false;
    std::memcpy(entry->reply_room(), reply.data(), reply.size());
    tier.publish(entry);
    return true;
}

std::string get(MemoryTier& tier, const std::shared_ptr<const Identity>& identity, std::string_view body)
{
    const auto entry = tier.find({identity, body}, kNow);
    return entry ? std::string{reply_of(*entry)} : "(nothing)";
}

TEST(KeyHash, IsSecretAndTellsIdentitiesApart)
{
    const KeyHash one;
    const KeyHash two;
    const Identity a{"a", 1};
    const Identity b{"b", 2};
    EXPECT_EQ(one(a, "q"), one(a, "q"));
    EXPECT_NE(one(a, "q"), one(b, "q"));
    EXPECT_NE(one(a, "q"), one(a, "r"));
    EXPECT_NE(one(a, "q"), two(a, "q")) << "another process, another secret";
}

TEST(MemoryTier, TellsKeysOfOneHashApart)
{
    MemoryTier tier{{8u << 20, 1u << 16, 0}}; // every hash is 0
    const auto me = an_identity(1);
    const auto you = an_identity(2);
    put(tier, me, "q", "mine");
    EXPECT_EQ(get(tier, you, "q"), "(nothing)");
    EXPECT_EQ(get(tier, me, "r"), "(nothing)");
    put(tier, you, "q", "yours");
    for (int i = 0; i < 200; ++i)
        put(tier, me, std::to_string(i), "reply " + std::to_string(i));
    EXPECT_EQ(get(tier, me, "q"), "mine");
    EXPECT_EQ(get(tier, you, "q"), "yours");
    for (int i = 0; i < 200; ++i)
        EXPECT_EQ(get(tier, me, std::to_string(i)), "reply " + std::to_string(i));
    EXPECT_EQ(tier.tally().entries, 202u);
}

TEST(MemoryTier, HasShardsThatHoldFourOfTheLargestEach)
{
    EXPECT_EQ(MemoryTier({1u << 20, 128u << 10}).shards(), 1u);
    EXPECT_EQ(MemoryTier({64u << 20, 1u << 20}).shards(), 16u);
    EXPECT_EQ(MemoryTier({216u << 20, 1u << 20}).shards(), 32u);
    EXPECT_EQ(MemoryTier({4000u << 20, 1u << 10}).shards(), 64u);
    EXPECT_EQ(MemoryTier({0, 1u << 20}).shards(), 0u);
}

TEST(MemoryTier, AWholeThatIsFullOfWhatIsBeingReadRefusesRatherThanGrows)
{
    MemoryTier tier{{1u << 20, 128u << 10}};
    const auto me = an_identity();
    std::vector<EntryRef> readers;
    int stored = 0;
    for (int i = 0; i < 100; ++i) {
        const auto body = std::to_string(i);
        if (put(tier, me, body, std::string(50'000, 'x'))) {
            ++stored;
            readers.push_back(tier.find({me, body}, kNow));
            ASSERT_TRUE(readers.back());
        }
        ASSERT_LE(tier.entry_bytes() + tier.overhead_bytes(), 1u << 20);
    }
    EXPECT_GT(stored, 15);
    EXPECT_LT(stored, 21);
    EXPECT_GT(tier.tally().rejected, 0u);
    EXPECT_EQ(tier.tally().entries, static_cast<std::uint64_t>(stored)) << "nothing was dropped in vain";
    readers.clear();
    EXPECT_TRUE(put(tier, me, "again", std::string(50'000, 'x')));
}

TEST(MemoryTier, WhatIsLargerThanAShardIsRefusedAndCostsNobodyElse)
{
    MemoryTier tier{{1u << 20, 128u << 10}};
    const auto me = an_identity();
    put(tier, me, "q", "x");
    EXPECT_FALSE(put(tier, me, "large", std::string(2u << 20, 'x')));
    EXPECT_EQ(get(tier, me, "q"), "x");
}

TEST(MemoryTier, DropsTheDeadBeforeTheLiving)
{
    MemoryTier tier{{1u << 20, 128u << 10}};
    const auto me = an_identity();
    Word word;
    const Entry::Pair stamp[] = {{&word, word.load()}};
    for (int i = 0; i < 500; ++i) {
        const auto body = "dead" + std::to_string(i);
        Entry* const entry = tier.allot({me, body, stamp, 1000, Entry::kNever}, kNow);
        ASSERT_NE(entry, nullptr);
        std::memset(entry->reply_room(), 'x', 1000);
        tier.publish(entry);
        tier.find({me, body}, kNow); // wanted once: it would go on to the main queue
    }
    word.move();
    for (int i = 0; i < 400; ++i)
        put(tier, me, "live" + std::to_string(i), std::string(1000, 'y'));
    EXPECT_EQ(tier.tally().evictions, 0u);
    EXPECT_GT(tier.tally().reclaimed, 0u);
    for (int i = 0; i < 400; ++i)
        EXPECT_NE(get(tier, me, "live" + std::to_string(i)), "(nothing)");
}

TEST(Charge, IsTheAllocationAndLittleMore)
{
    for (std::size_t size = 0; size < 300'000; size = size * 9 / 8 + 1) {
        const std::size_t bytes = sizeof(Entry) + 2 * sizeof(Entry::Pair) + 8 + size;
        const std::size_t charge = Entry::charge_for(2, 8, size);
        EXPECT_GE(charge, bytes);
        EXPECT_LE(charge, bytes + (bytes < 32768 ? 48 : 4096));
    }
}

} // namespace
} // namespace pgmemo::cache
