#include "proxy/prepared.hpp"
#include "tests/proxy/messages.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace pgmemo::proxy {
namespace {

/// The texts that an Execute may run; "?" is anything at all.
class Names : public testing::Test {
protected:
    using Texts = std::multiset<std::string>;

    static PreparedText text(const char* sql)
    {
        return std::make_shared<const PreparedSource>(std::string{sql} + std::string(3, '\0'));
    }
    void parse(std::string_view name, const char* sql) { prepared.parse_sent(name, text(sql)); }
    void prepares(std::string_view name, const char* sql)
    {
        parse(name, sql);
        prepared.group_sent();
        EXPECT_TRUE(prepared.parse_completed());
    }
    Texts of_portal(std::string_view portal) const
    {
        Texts texts;
        for (const auto& candidate : prepared.texts_of_portal(portal))
            texts.emplace(candidate ? candidate->sql() : "?");
        return texts;
    }
    Texts of(std::string_view statement)
    {
        prepared.bind_sent("", statement);
        return of_portal("");
    }

    Prepared prepared;
};

TEST_F(Names, NeverHeardOfMayBeAnything)
{
    EXPECT_EQ(of("s"), Texts{"?"});
    EXPECT_EQ(of_portal("p"), Texts{"?"});
}

TEST_F(Names, MeanWhatTheServerHasTaken)
{
    prepares("s", "read");
    EXPECT_EQ(of("s"), Texts{"read"});
    prepares("s", "write");
    EXPECT_EQ(of("s"), Texts{"write"});
    EXPECT_EQ(prepared.pending(), 0u);
}

TEST_F(Names, AreToldApart)
{
    prepares("", "unnamed");
    prepares("s", "named");
    EXPECT_EQ(of(""), Texts{"unnamed"});
    EXPECT_EQ(of("s"), Texts{"named"});
    EXPECT_EQ(of("S"), Texts{"?"});
}

TEST_F(Names, MeanTheLatestParseOfTheirOwnGroup)
{
    prepares("s", "old");
    parse("s", "first");
    parse("s", "second");
    EXPECT_EQ(of("s"), Texts{"second"}) << "if it fails, what follows is skipped";
}

TEST_F(Names, MayMeanAnyOfWhatEarlierGroupsSaid)
{
    prepares("s", "old");
    parse("s", "first");
    prepared.group_sent();
    parse("other", "elsewhere");
    prepared.group_sent();
    EXPECT_EQ(of("s"), (Texts{"old", "first"}));
    parse("s", "second");
    prepared.group_sent();
    EXPECT_EQ(of("s"), (Texts{"old", "first", "second"}));
    prepared.parse_completed();
    EXPECT_EQ(of("s"), (Texts{"first", "second"}));
}

TEST_F(Names, OfATextTooLongToHoldMayBeAnything)
{
    prepares("s", "old");
    prepared.parse_sent("s", nullptr);
    EXPECT_EQ(of("s"), Texts{"?"});
    prepared.group_sent();
    prepared.parse_completed();
    EXPECT_EQ(of("s"), Texts{"?"});
}

TEST_F(Names, WhoseParseFailedKeepTheirMeaning)
{
    prepares("s", "old");
    parse("s", "new");
    prepared.group_sent();
    prepared.drop_pending(1);
    EXPECT_EQ(of("s"), Texts{"old"});
}

TEST_F(Names, OfLaterGroupsOutliveTheErrorOfAnEarlierOne)
{
    parse("a", "of the failed group");
    prepared.group_sent();
    parse("b", "of the next");
    prepared.group_sent();
    prepared.drop_pending(1);
    EXPECT_TRUE(prepared.parse_completed());
    EXPECT_EQ(of("a"), Texts{"?"});
    EXPECT_EQ(of("b"), Texts{"of the next"});
}

TEST_F(Names, ClosedMayBeAnything)
{
    prepares("s", "old");
    prepared.close_statement_sent("s");
    EXPECT_EQ(of("s"), Texts{"old"}) << "its Close may be skipped";
    prepared.close_completed();
    EXPECT_EQ(of("s"), Texts{"?"});
}

TEST_F(Names, ClosedAndParsedMeanTheNewText)
{
    prepares("s", "old");
    prepared.close_statement_sent("s");
    parse("s", "new");
    prepared.group_sent();
    EXPECT_TRUE(prepared.close_completed());
    EXPECT_TRUE(prepared.parse_completed());
    EXPECT_EQ(of("s"), Texts{"new"});
    EXPECT_EQ(prepared.pending(), 0u);
}

TEST_F(Names, AreNotClosedByTheCloseOfAPortal)
{
    prepares("s", "old");
    prepared.close_portal_sent("s");
    parse("t", "new");
    EXPECT_TRUE(prepared.close_completed());
    EXPECT_EQ(of("s"), Texts{"old"});
    EXPECT_TRUE(prepared.parse_completed());
    EXPECT_EQ(of("t"), Texts{"new"});
}

TEST_F(Names, AnAnswerThatNobodyIsOwedIsNoticed)
{
    EXPECT_FALSE(prepared.parse_completed());
    prepared.close_statement_sent("s");
    EXPECT_FALSE(prepared.parse_completed()) << "a Close is answered otherwise";
}

TEST_F(Names, ForgottenMayBeAnything)
{
    prepares("s", "old");
    prepared.bind_sent("p", "s");
    prepared.forget_all();
    EXPECT_EQ(of("s"), Texts{"?"});
    EXPECT_EQ(of_portal("p"), Texts{"?"});
    prepares("s", "new");
    EXPECT_EQ(of("s"), Texts{"new"});
}

TEST_F(Names, ForgottenBeforeTheirParseIsAnsweredMayBeAnythingAfterIt)
{
    parse("s", "old");
    prepared.group_sent();
    prepared.forget_all(); // DEALLOCATE s; PREPARE s AS ...
    prepared.parse_completed();
    EXPECT_EQ(of("s").count("?"), 1u);
}

// Portals

TEST_F(Names, OfPortalsKeepWhatTheyWereBoundTo)
{
    prepares("s", "old");
    prepared.bind_sent("p", "s");
    prepares("s", "new");
    EXPECT_EQ(of_portal("p"), Texts{"old"});
}

TEST_F(Names, OfPortalsCarryEveryCandidate)
{
    prepares("s", "old");
    parse("s", "new");
    prepared.group_sent();
    prepared.bind_sent("p", "s");
    EXPECT_EQ(of_portal("p"), (Texts{"old", "new"}));
}

TEST_F(Names, OfPortalsEndWithTheTransaction)
{
    prepares("s", "old");
    prepared.bind_sent("p", "s");
    prepared.transaction_ended();
    EXPECT_EQ(of_portal("p"), Texts{"?"});
    EXPECT_EQ(of("s"), Texts{"old"}) << "statements do not";
}

TEST_F(Names, OfPortalsEndWithTheirClose)
{
    prepares("s", "old");
    prepared.bind_sent("p", "s");
    prepared.close_portal_sent("p");
    prepared.close_portal_sent("q");
    EXPECT_EQ(of_portal("p"), Texts{"?"});
}

TEST_F(Names, OfAClientThatNeverClosesAreBoundedAndStayRight)
{
    for (int i = 0; i < 25'000; ++i)
        prepares("s" + std::to_string(i), "read");
    EXPECT_EQ(of("s0"), Texts{"read"});
    EXPECT_EQ(of("s24999"), Texts{"?"});
    prepares("s0", "write");
    EXPECT_EQ(of("s0"), Texts{"write"}) << "a known name may still be given anew";
}

TEST_F(Names, MayHoldAnyByte)
{
    const std::string name = "\xff\x01'\"" + std::string(16'000, 'n');
    prepares(name, "read");
    EXPECT_EQ(of(name), Texts{"read"});
}

std::string told(std::string_view name, std::uint32_t table, unsigned number, std::uint32_t type,
                 std::uint32_t modifier)
{
    const auto column = [&](std::string_view called) {
        return say::text(called) + wire::u32(table) + wire::u16(number) + wire::u32(type) + wire::u16(4) +
               wire::u32(modifier) + wire::u16(0);
    };
    return say::parse_complete() + wire::message('t', wire::u16(1) + wire::u32(23)) +
           wire::message('T', wire::u16(2) + column("a") + column(name));
}

TEST(WhatAClientWasTold, IsNamesAndTypesAndNotWhereTheyComeFrom)
{
    const auto before = sum_of_description(told("b", 16384, 2, 25, 7));
    EXPECT_EQ(sum_of_description(told("b", 99999, 5, 25, 7)), before);
    EXPECT_NE(sum_of_description(told("c", 16384, 2, 25, 7)), before);
    EXPECT_NE(sum_of_description(told("b", 16384, 2, 23, 7)), before);
    EXPECT_NE(sum_of_description(told("b", 16384, 2, 25, 8)), before);
}

TEST(WhatAClientWasTold, MayBeCutAnywhere)
{
    const auto whole = told("b", 16384, 2, 25, 7);
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_NE(sum_of_description(whole.substr(0, size)), sum_of_description(whole)) << size;
    EXPECT_NE(sum_of_description(std::string("T\0\0\0\1abc", 8)), 0u);
}

} // namespace
} // namespace pgmemo::proxy
