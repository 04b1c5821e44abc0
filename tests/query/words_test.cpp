#include "query/words.hpp"

#include <gtest/gtest.h>

namespace pgmemo::query {
namespace {

TEST(ClockWords, AreFoundAsPostgresTokenisesThem)
{
    for (const auto text : {"now", "NOW", " today ", "2020 tomorrow", "1now", "now1", "[now,today]", "{yesterday}",
                            "now_", "n\\ow", "{\"no\"w}", "\xc3\xa9now", "now and then"})
        EXPECT_TRUE(mentions_clock(text)) << text;
}

TEST(ClockWords, AreNotFoundInsideOtherWords)
{
    for (const auto text :
         {"", "no", "known", "snow", "nowhere", "todays", "yesterdays", "Tomorrowland", "n ow", "2020-01-01"})
        EXPECT_FALSE(mentions_clock(text)) << text;
}

TEST(DdlWords, AreFoundInBlocks)
{
    EXPECT_TRUE(mentions_ddl("begin Create table x(); end"));
    EXPECT_TRUE(mentions_ddl("begin execute 'x'; end"));
    EXPECT_FALSE(mentions_ddl("begin insert into created values (1); end"));
}

} // namespace
} // namespace pgmemo::query
