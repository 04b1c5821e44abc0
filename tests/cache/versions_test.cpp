#include "cache/versions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
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

TEST(Versions, GiveEachColumnOfEachRelationAWordOfItsOwn)
{
    Versions versions;
    std::set<const Word*> words{&versions.database(1), &versions.database(2)};
    for (const Oid database : {1u, 2u}) {
        for (const Oid relation : {16384u, 16385u}) {
            words.insert(&versions.relation(database, relation));
            for (const int column : {1, 2, 1600})
                words.insert(&versions.wide(database, relation, column));
        }
    }
    EXPECT_EQ(words.size(), 2u + 4u + 12u);
    EXPECT_EQ(versions.size(), words.size());
    EXPECT_EQ(&versions.wide(2, 16385, 1600), &versions.wide(2, 16385, 1600));
    EXPECT_EQ(versions.size(), words.size());
    EXPECT_EQ(versions.all_databases().size(), 2u);
    EXPECT_FALSE(words.contains(&versions.slot(1, 16384, 1, "7")));
}

TEST(Versions, GiveTheSameSlotForTheSameValueForEver)
{
    Versions versions;
    const auto size = versions.size();
    Word& first = versions.slot(1, 16384, 1, "7");
    const std::string long_value(100'000, 'x');
    Word& second = versions.slot(1, 16384, 1, long_value);
    Word& empty = versions.slot(1, 16384, 1, "");
    for (int i = 0; i < 20'000; ++i)
        versions.slot(1, 16384, 1, std::to_string(i)).move();
    EXPECT_EQ(&versions.slot(1, 16384, 1, "7"), &first);
    EXPECT_EQ(&versions.slot(1, 16384, 1, std::string(long_value)), &second);
    EXPECT_EQ(&versions.slot(1, 16384, 1, {}), &empty);
    EXPECT_EQ(versions.size(), size) << "slots are of a table that was there before";
}

TEST(Versions, SlotsBeginAsEveryWordDoes)
{
    Versions versions;
    Word& slot = versions.slot(1, 1, 1, "7");
    EXPECT_EQ(slot.load(), Word{}.load());
    EXPECT_FALSE(Word::in_flight(slot.load()));
    Word* const words[] = {&slot};
    const Stamp before{words};
    EXPECT_TRUE(before.is_quiet());
    {
        Flight flight;
        flight.add(words);
        EXPECT_TRUE(Word::in_flight(slot.load()));
        EXPECT_FALSE(before.is_current());
    }
    EXPECT_FALSE(Word::in_flight(slot.load()));
    EXPECT_FALSE(before.is_current());
}

TEST(Versions, TellSlotsApartByEveryPartOfTheirName)
{
    Versions versions{1u << 20};
    std::set<const Word*> slots;
    for (int i = 0; i < 1'000; ++i) {
        const std::string value = std::to_string(i);
        slots.insert(&versions.slot(1, 16384, 1, value));
        slots.insert(&versions.slot(2, 16384, 1, value));
        slots.insert(&versions.slot(1, 16385, 1, value));
        slots.insert(&versions.slot(1, 16384, 2, value));
        slots.insert(&versions.slot(1, 1, 16384, value));
        slots.insert(&versions.slot(1, 16384, 1, value + '\0'));
    }
    // 17 of 6,000 share a slot by chance; a part that did not count would make it a thousand.
    EXPECT_GT(slots.size(), 5'900u);
}

TEST(Versions, SpreadValuesOverAllSlots)
{
    Versions versions{1u << 14};
    EXPECT_EQ(versions.slot_count(), 1u << 14);
    std::set<const Word*> slots;
    for (int i = 0; i < 10'000; ++i)
        slots.insert(&versions.slot(1, 16384, 1, std::to_string(i)));
    EXPECT_GT(slots.size(), 7'200u) << "of 10,000 into 16,384 a good hash hits 7,485";
    EXPECT_LE(static_cast<std::size_t>(*slots.rbegin() - *slots.begin()), (1u << 14) - 1);
}

TEST(Versions, SeedTheSlotsByChance)
{
    Versions one{1u << 16};
    Versions other{1u << 16};
    const auto places = [](Versions& versions) {
        std::vector<std::ptrdiff_t> all;
        for (int i = 0; i < 100; ++i)
            all.push_back(&versions.slot(1, 1, 1, std::to_string(i)) - &versions.slot(1, 1, 1, "0"));
        return all;
    };
    EXPECT_NE(places(one), places(other));
    EXPECT_EQ(places(one), places(one));
}

TEST(Versions, RoundTheSlotsDownToAPowerOfTwo)
{
    const auto rounded = [](std::size_t asked) { return Versions{asked}.slot_count(); };
    EXPECT_EQ(rounded(0), 1u);
    EXPECT_EQ(rounded(1), 1u);
    EXPECT_EQ(rounded(5'000), 4'096u);
    EXPECT_EQ(rounded(4'096), 4'096u);
    EXPECT_EQ(rounded((1u << 22) + 1), 1u << 22);
    EXPECT_EQ(Versions{5'000}.slot_bytes(), 32'768u);
    EXPECT_EQ(Versions{}.slot_count(), Versions::kDefaultSlots);
}

TEST(Versions, OfTwoValuesInOneSlotAWriteOfEitherCostsTheOtherAMiss)
{
    Versions versions{1}; // all values of all relations are in one slot
    Word& one = versions.slot(1, 1, 1, "1");
    Word& two = versions.slot(2, 9, 4, "2");
    ASSERT_EQ(&one, &two);
    EXPECT_NE(&one, &versions.wide(1, 1, 1));
    const Stamp of_one{Words{&versions.wide(1, 1, 1), &one}};
    const Stamp of_two{Words{&versions.wide(2, 9, 4), &two}};
    Flight flight;
    flight.add(Words{&two});
    EXPECT_FALSE(of_one.is_current());
    EXPECT_FALSE(of_two.is_current());
    EXPECT_FALSE((Stamp{Words{&one}}.is_quiet()));
    flight.add(Words{&one, &two}); // of an UPDATE that moves a row from one to the other
    EXPECT_EQ(flight.size(), 1u);
    flight.end();
    EXPECT_EQ(one.load() & Word::kFlightMask, 0u);
    EXPECT_FALSE(of_one.is_current());
    EXPECT_FALSE(of_two.is_current());
    EXPECT_TRUE((Stamp{Words{&versions.wide(1, 1, 1), &one}}.is_quiet()));
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

TEST(Versions, StandMuchUseOfFewSlotsAtOnce)
{
    Versions versions{64};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&versions] {
            for (Oid i = 0; i < 2'000; ++i) {
                const std::string value = std::to_string(i % 100);
                const Words words{&versions.slot(1, 1 + i % 3, 1, value), &versions.slot(1, 1 + i % 3, 2, value),
                                  &versions.wide(1, 1 + i % 3, 1 + static_cast<int>(i % 7))};
                const Stamp before{words};
                Flight flight;
                flight.add(words);
                EXPECT_FALSE(before.is_current());
                EXPECT_FALSE(Stamp{words}.is_quiet());
            }
        });
    }
    for (auto& thread : threads)
        thread.join();
    std::uint64_t moves = 0;
    std::set<const Word*> slots;
    for (Oid relation = 1; relation <= 3; ++relation) {
        for (int column = 1; column <= 7; ++column)
            EXPECT_FALSE(Word::in_flight(versions.wide(1, relation, column).load()));
        for (int column = 1; column <= 2; ++column) {
            for (int value = 0; value < 100; ++value)
                slots.insert(&versions.slot(1, relation, column, std::to_string(value)));
        }
    }
    for (const Word* slot : slots) {
        EXPECT_FALSE(Word::in_flight(slot->load()));
        moves += slot->load() / Word::kVersion;
    }
    EXPECT_LE(moves, 4u * 2'000u * 2u);
    EXPECT_GE(moves, 4u * 2'000u) << "fewer only where a flight's two values were in one slot";
    EXPECT_EQ(versions.size(), 21u);
}

} // namespace
} // namespace pgmemo::cache
