#include "wire/frontend.hpp"

#include "tests/support/bytes.hpp"
#include "tests/wire/messages.hpp"

#include <gtest/gtest.h>

namespace pgmemo::wire {
namespace {

using testing_support::at_every_truncation;
using testing_support::Exact;

TEST(Frontend, ReadsAQuery)
{
    const Exact body{z("SELECT 1")};
    const auto sql = decode_query(body);
    ASSERT_TRUE(sql);
    EXPECT_EQ(*sql, "SELECT 1");
    EXPECT_TRUE(body.lends(*sql));
}

TEST(Frontend, ReadsAnEmptyQuery)
{
    const Exact body{z("")};
    ASSERT_TRUE(decode_query(body));
    EXPECT_EQ(*decode_query(body), "");
}

TEST(Frontend, RefusesAQueryWithoutItsEnd)
{
    at_every_truncation(z("SELECT 1"),
                        [](const Exact& body) { EXPECT_EQ(decode_query(body).error(), Errc::short_field); });
}

TEST(Frontend, RefusesAQueryWithTextBehindItsEnd)
{
    const Exact body{z("SELECT 1\0; DROP TABLE users")};
    EXPECT_EQ(decode_query(body).error(), Errc::left_over) << "what follows the NUL is not what was analysed";
}

TEST(Frontend, ReadsAParse)
{
    const Exact body{z("s1\0SELECT $1") + u16(1) + u32(23)};
    const auto parse = decode_parse(body);
    ASSERT_TRUE(parse);
    EXPECT_EQ(parse->statement, "s1");
    EXPECT_EQ(parse->sql, "SELECT $1");
}

TEST(Frontend, ReadsTheUnnamedStatementAndPortal)
{
    const Exact parse{z("\0SELECT 1") + u16(0)};
    EXPECT_EQ(decode_parse(parse)->statement, "");
    const Exact bind{z("\0") + u16(0) + u16(0) + u16(0)};
    ASSERT_TRUE(decode_bind(bind));
    EXPECT_EQ(decode_bind(bind)->portal, "");
    EXPECT_EQ(decode_bind(bind)->statement, "");
}

TEST(Frontend, RefusesAParseWithoutItsTwoStrings)
{
    at_every_truncation(z("s1\0SELECT 1"),
                        [](const Exact& body) { EXPECT_EQ(decode_parse(body).error(), Errc::short_field); });
}

TEST(Frontend, ReadsTheNamesOfABindWhoseValuesHaveNotArrived)
{
    const std::string names = z("portal\0statement");
    const std::string whole = names + u16(0) + u16(1) + u32(4) + "abcd" + u16(0);
    at_every_truncation(whole, [&](const Exact& body) {
        const auto bind = decode_bind(body);
        ASSERT_EQ(bind.has_value(), body.view().size() >= names.size());
        if (bind) {
            EXPECT_EQ(bind->portal, "portal");
            EXPECT_EQ(bind->statement, "statement");
        }
    });
}

TEST(Frontend, ReadsAnExecute)
{
    const Exact body{z("c") + u32(500)};
    const auto execute = decode_execute(body);
    ASSERT_TRUE(execute);
    EXPECT_EQ(execute->portal, "c");
    EXPECT_EQ(execute->max_rows, 500u);
}

TEST(Frontend, RefusesAnExecuteThatEndsTooSoon)
{
    at_every_truncation(z("c") + u32(500),
                        [](const Exact& body) { EXPECT_EQ(decode_execute(body).error(), Errc::short_field); });
}

TEST(Frontend, ReadsWhatACloseCloses)
{
    const Exact statement{"S" + z("s1")};
    EXPECT_EQ(decode_close(statement)->kind, 'S');
    EXPECT_EQ(decode_close(statement)->name, "s1");
    const Exact portal{"P" + z("")};
    EXPECT_EQ(decode_close(portal)->kind, 'P');
    EXPECT_EQ(decode_close(portal)->name, "");
}

TEST(Frontend, RefusesACloseThatEndsTooSoon)
{
    at_every_truncation("S" + z("s1"),
                        [](const Exact& body) { EXPECT_EQ(decode_close(body).error(), Errc::short_field); });
}

} // namespace
} // namespace pgmemo::wire
