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

TEST(SettingNames, AreComparedWithoutCase)
{
    EXPECT_EQ(lower_setting("App.Tenant"), "app.tenant");
    EXPECT_EQ(lower_setting("APP.T\xc3\x89"), "app.t\xc3\x89"); // letters outside ASCII stay as they are
    EXPECT_TRUE(names_transaction_setting("Transaction_Isolation"));
    EXPECT_TRUE(names_transaction_setting("transaction_read_only"));
    EXPECT_FALSE(names_transaction_setting("default_transaction_isolation"));
    EXPECT_FALSE(names_transaction_setting("trans"));
}

TEST(DdlWords, AreFoundInBlocks)
{
    EXPECT_TRUE(mentions_ddl("begin Create table x(); end"));
    EXPECT_TRUE(mentions_ddl("begin execute 'x'; end"));
    EXPECT_FALSE(mentions_ddl("begin insert into created values (1); end"));
}

TEST(Words, AreFoundAnywhereInAnyCase)
{
    EXPECT_TRUE(contains_any("COPY t FROM STDIN", {"copy"}));
    EXPECT_TRUE(contains_any("select 1; dEaLLocate all", {"discard", "deallocate"}));
    EXPECT_TRUE(contains_any("select unprepared", {"prepare"})) << "inside another word";
    EXPECT_TRUE(contains_any("copcopy", {"copy"}));
    EXPECT_TRUE(contains_any(std::string_view{"a\0copy", 6}, {"copy"})) << "behind a NUL";
    EXPECT_FALSE(contains_any("cop", {"copy"}));
    EXPECT_FALSE(contains_any("c opy", {"copy"}));
    EXPECT_FALSE(contains_any("", {"copy"}));
    EXPECT_FALSE(contains_any("\xC3opy", {"copy"})) << "not an ASCII letter";
}

} // namespace
} // namespace pgmemo::query
