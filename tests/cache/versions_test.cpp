#include "cache/versions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>

namespace pgmemo::cache {
namespace {

Words sorted(Words words)
{
    std::sort(words.begin(), words.end());
    return words;
}

TEST(Word, BeginMovesTheVersionAndCountsAFlightUntilEnd)
{
    Word word;
    const auto before = word.load();
    EXPECT_FALSE(Word::in_flight(before));
    word.begin();
    EXPECT_TRUE(Word::in_flight(word.load()));
    word.end();
    EXPECT_FALSE(Word::in_flight(word.load()));
    EXPECT_EQ(word.load(), before + Word::kVersion);
}

TEST(Word, OfTwoOverlappingWritersTheLastToEndEndsTheFlight)
{
    Word word;
    word.begin();
    word.begin();
    word.end();
    EXPECT_TRUE(Word::in_flight(word.load()));
    word.end();
    EXPECT_FALSE(Word::in_flight(word.load()));
}

TEST(Word, NeverReturnsToAValueItHad)
{
    Word word;
    std::vector<std::uint64_t> seen{word.load()};
    const auto note = [&] { seen.push_back(word.load()); };
    for (int i = 0; i < 100; ++i) {
        word.begin();
        note();
        if (i % 3 == 0) {
            word.begin();
            note();
            word.end();
            word.move();
            note();
        }
        word.end();
        note();
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

TEST(Word, AChangeSeenFromOutsideMovesItWithoutAFlight)
{
    Word word;
    Word* const words[] = {&word};
    const Stamp stamp{words};
    word.move();
    EXPECT_FALSE(stamp.is_current());
    EXPECT_TRUE(Stamp{words}.is_quiet());
}

TEST(Versions, GiveTheSameWordForTheSameRelationForEver)
{
    Versions versions;
    Word& first = versions.relation(5, 16384);
    for (Oid oid = 1; oid < 20'000; ++oid)
        versions.relation(5, oid);
    EXPECT_EQ(&versions.relation(5, 16384), &first);
    EXPECT_NE(&versions.relation(6, 16384), &first);
    EXPECT_NE(&versions.database(5), &first);
    EXPECT_EQ(versions.size(), 19'999u + 2u);
}

TEST(Versions, MoveAllDatabasesMovesEachOnceAndNoRelation)
{
    Versions versions;
    const std::array words{&versions.database(1), &versions.database(2), &versions.relation(1, 9)};
    std::array<std::uint64_t, 3> before{};
    std::transform(words.begin(), words.end(), before.begin(), [](Word* word) { return word->load(); });
    versions.move_all_databases();
    EXPECT_EQ(words[0]->load(), before[0] + Word::kVersion);
    EXPECT_EQ(words[1]->load(), before[1] + Word::kVersion);
    EXPECT_EQ(words[2]->load(), before[2]);
    EXPECT_EQ(sorted(versions.all_databases()), sorted({words[0], words[1]}));
}

TEST(Stamp, IsCurrentUntilAnyOfItsWordsMoves)
{
    Versions versions;
    const Words words{&versions.relation(1, 1), &versions.relation(1, 2)};
    const Stamp stamp{words};
    EXPECT_TRUE(stamp.is_quiet());
    EXPECT_TRUE(stamp.is_current());
    versions.relation(1, 3).begin();
    EXPECT_TRUE(stamp.is_current()) << "another relation's";
    words[1]->begin();
    EXPECT_FALSE(stamp.is_current()) << "while the commit may happen";
    words[1]->end();
    EXPECT_FALSE(stamp.is_current()) << "after it";
}

TEST(Stamp, TakenDuringACommitIsNotQuiet)
{
    Word word;
    Word* const words[] = {&word};
    word.begin();
    const Stamp during{words};
    EXPECT_FALSE(during.is_quiet());
    EXPECT_TRUE(during.is_current()) << "which is why is_quiet() must be asked";
    word.end();
    EXPECT_FALSE(during.is_current());
    EXPECT_TRUE(Stamp{words}.is_quiet());
}

TEST(Stamp, OfNothingIsQuietAndCurrent)
{
    EXPECT_TRUE(Stamp{}.is_quiet());
    EXPECT_TRUE(Stamp{}.is_current());
}

TEST(Flight, BeginsEachWordOnceHoweverOftenItIsAdded)
{
    Versions versions;
    const Words words{&versions.relation(1, 1), &versions.relation(1, 2), &versions.relation(1, 3)};
    const auto flights = [](const Word* word) { return word->load() & Word::kFlightMask; };
    Flight flight;
    EXPECT_TRUE(flight.empty());
    flight.add(Words{words[2], words[0], words[2]}); // neither sorted nor unique
    flight.add(words);
    EXPECT_EQ(flight.size(), 3u);
    for (const Word* word : words)
        EXPECT_EQ(flights(word), 1u);
    flight.end();
    EXPECT_TRUE(flight.empty());
    for (const Word* word : words)
        EXPECT_EQ(flights(word), 0u);
    flight.end();
    for (const Word* word : words)
        EXPECT_EQ(flights(word), 0u) << "ending twice ends once";
}

TEST(Flight, EndsWhenItIsDroppedAndOnlyOnceWhenItIsMoved)
{
    Word word;
    Word* const words[] = {&word};
    {
        Flight first;
        first.add(words);
        Flight second{std::move(first)};
        Flight third;
        third.add(words);
        EXPECT_EQ(word.load() & Word::kFlightMask, 2u);
        third = std::move(second);
        EXPECT_EQ(word.load() & Word::kFlightMask, 1u) << "what the target held has ended";
    }
    EXPECT_EQ(word.load() & Word::kFlightMask, 0u);
}

TEST(Flight, OfAFailedStatementEndsLikeAnyOther)
{
    // Rollback of a transaction begins nothing; a failed autocommit statement was begun, ends, and costs a miss.
    Word word;
    Word* const words[] = {&word};
    const Stamp before{words};
    {
        Flight nothing_was_begun;
    }
    EXPECT_TRUE(before.is_current());
    Flight failed;
    failed.add(words);
    failed.end();
    EXPECT_FALSE(before.is_current());
    EXPECT_TRUE(Stamp{words}.is_quiet());
}

TEST(Versions, StandMuchUseAtOnce)
{
    Versions versions;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&versions] {
            for (Oid i = 0; i < 2'000; ++i) {
                Flight flight;
                flight.add(Words{&versions.relation(1, 1 + i % 50), &versions.database(1 + i % 3)});
                const Stamp stamp{Words{&versions.relation(1, 1 + i % 50)}};
                EXPECT_FALSE(stamp.is_quiet());
                if (i % 100 == 0)
                    versions.move_all_databases();
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    for (Oid oid = 1; oid <= 50; ++oid)
        EXPECT_FALSE(Word::in_flight(versions.relation(1, oid).load()));
    for (Word* word : versions.all_databases())
        EXPECT_FALSE(Word::in_flight(word->load()));
    EXPECT_EQ(versions.size(), 53u);
}

} // namespace
} // namespace pgmemo::cache
