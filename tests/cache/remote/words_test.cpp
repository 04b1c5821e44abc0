#include "cache/remote/word_value.hpp"
#include "cache/remote/words.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pgmemo::cache {
namespace {

class RemoteWordsTest : public testing::Test {
protected:
    Versions versions{64, 1};
    std::vector<Oid> told;
    RemoteWords words{
        versions,
        {"ns:", [](Oid number) { return number == 1 ? std::string{"shop"} : std::string{"a b%\xc3\xa9"}; },
         [this](Oid number) { told.push_back(number); }}};
    Word& word = versions.relation(1, 16384);

    bool in_flight() const { return Word::in_flight(word.load()); }
};

TEST_F(RemoteWordsTest, EveryWordHasANameOfItsOwn)
{
    EXPECT_EQ(words.name(versions.cluster()), "ns:w:cluster");
    EXPECT_EQ(words.name(versions.database(1)), "ns:w:d:shop");
    EXPECT_EQ(words.name(versions.catalog(1)), "ns:w:c:shop");
    EXPECT_EQ(words.name(versions.relation(1, 16384)), "ns:w:r:16384:shop");
    EXPECT_EQ(words.name(versions.wide(1, 16384, 2)), "ns:w:w:16384:2:shop");
    EXPECT_EQ(words.name(versions.fresh(1, 16384, 2)), "ns:w:f:16384:2:shop");
    EXPECT_EQ(words.name(versions.database(2)), "ns:w:d:a%20b%25%c3%a9") << "no spaces, no control characters";
    auto& slot = versions.slot(1, 16384, 2, "5");
    EXPECT_EQ(words.name(slot), "ns:s:" + std::to_string(versions.scope_of(slot).slot));
}

TEST_F(RemoteWordsTest, ProcessesWithOneSeedHaveTheSameSlots)
{
    Versions other{64, 1};
    Versions another{64, 2};
    bool differs = false;
    for (int value = 0; value < 100; ++value) {
        const auto text = std::to_string(value);
        const auto here = versions.scope_of(versions.slot(1, 5, 1, text)).slot;
        EXPECT_EQ(here, other.scope_of(other.slot(1, 5, 1, text)).slot);
        differs |= here != another.scope_of(another.slot(1, 5, 1, text)).slot;
    }
    EXPECT_TRUE(differs);
}

TEST_F(RemoteWordsTest, WhatMovesThereMovesHere)
{
    EXPECT_FALSE(words.version(word));
    words.observe(word, 7, false);
    EXPECT_EQ(words.version(word), 7U);
    const Stamp stamp{Words{&word}};
    EXPECT_TRUE(stamp.is_quiet());
    words.observe(word, 7, false);
    EXPECT_TRUE(stamp.is_current()) << "the same is no move";
    words.observe(word, 8, false);
    EXPECT_FALSE(stamp.is_current());
    words.observe(word, 7, false); // late
    EXPECT_FALSE(stamp.is_current()) << "nothing comes back";
}

TEST_F(RemoteWordsTest, OthersFlightsAreFlightsHere)
{
    words.observe(word, 7, false);
    const Stamp before{Words{&word}};
    words.observe(word, 8, true);
    EXPECT_TRUE(in_flight());
    EXPECT_FALSE(before.is_current());
    words.observe(word, 9, true);
    EXPECT_TRUE(in_flight());
    words.observe(word, 9, false);
    EXPECT_FALSE(in_flight());
    words.observe(word, 9, true); // late: under one version flights only end
    EXPECT_FALSE(in_flight());
}

/// A `begin` of this process may find others in flight, and does not hear of it.
TEST_F(RemoteWordsTest, AfterOwnWritesNothingIsQuietBeforeItIsSeen)
{
    words.observe(word, 7, false);
    word.begin();
    words.adopt(word, 8);
    word.end();
    EXPECT_TRUE(in_flight()) << "others may be under way";
    words.observe(word, 8, true);
    EXPECT_TRUE(in_flight()) << "and they are";
    words.observe(word, 8, false);
    EXPECT_FALSE(in_flight());
}

TEST_F(RemoteWordsTest, OwnFlightsAreCountedBesideOthers)
{
    words.observe(word, 7, true);
    word.begin();
    words.observe(word, 8, false);
    EXPECT_TRUE(in_flight()) << "one's own";
    word.end();
    EXPECT_FALSE(in_flight());
}

TEST_F(RemoteWordsTest, ALostWordVouchesForNothing)
{
    words.observe(word, 7, false);
    const Stamp stamp{Words{&word}};
    words.forget(word);
    EXPECT_FALSE(stamp.is_current());
    EXPECT_FALSE(words.knows(Words{&word}));
    const Stamp unknown{Words{&word}};
    words.observe(word, 7, false); // even if it is the same
    EXPECT_FALSE(unknown.is_current());
    words.observe(word, 8, true);
    words.forget(word);
    EXPECT_FALSE(in_flight());
}

TEST_F(RemoteWordsTest, MovesOfCatalogsAreTold)
{
    words.observe(versions.catalog(1), 7, false);
    words.observe(versions.cluster(), 7, false);
    EXPECT_TRUE(told.empty()) << "the first sight is no change";
    words.observe(versions.catalog(1), 8, false);
    words.observe(versions.cluster(), 8, true);
    words.observe(word, 8, false);
    EXPECT_EQ(told, (std::vector<Oid>{1, 0}));
}

TEST(WordValue, IsReadOnlyWhenItIsOne)
{
    EXPECT_FALSE(WordValue::read(""));
    EXPECT_FALSE(WordValue::read("1234567"));
    EXPECT_FALSE(WordValue::read("123456789"));
    EXPECT_FALSE(WordValue::read(std::string(8 * (WordValue::kMaxOwners + 2), 'x')));
    const auto bytes = word_bytes(0x0102030405060708u) + word_bytes(9) + word_bytes(~std::uint64_t{0});
    const auto value = WordValue::read(bytes);
    ASSERT_TRUE(value);
    EXPECT_EQ(value->version(), 0x0102030405060708u);
    ASSERT_EQ(value->owners(), 2U);
    EXPECT_EQ(value->owner(0), 9U);
    EXPECT_EQ(value->owner(1), ~std::uint64_t{0});
}

} // namespace
} // namespace pgmemo::cache
