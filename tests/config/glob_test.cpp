#include "config/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::config {
namespace {

TEST(Glob, StandsForTheWholeText)
{
    EXPECT_TRUE(glob_matches("orders", "orders"));
    EXPECT_FALSE(glob_matches("order", "orders"));
    EXPECT_FALSE(glob_matches("orders", "order"));
    EXPECT_FALSE(glob_matches("Orders", "orders"));
    EXPECT_TRUE(glob_matches("", ""));
    EXPECT_FALSE(glob_matches("", "a"));
}

TEST(Glob, StarIsAnyRunAndQuestionMarkIsOne)
{
    EXPECT_TRUE(glob_matches("*", ""));
    EXPECT_TRUE(glob_matches("audit.*", "audit.log"));
    EXPECT_FALSE(glob_matches("audit.*", "audit"));
    EXPECT_TRUE(glob_matches("a*b*c", "a-b-b-c"));
    EXPECT_FALSE(glob_matches("a*b*c", "a-b-b-c-"));
    EXPECT_TRUE(glob_matches("log_20??", "log_2024"));
    EXPECT_FALSE(glob_matches("log_20??", "log_204"));
    EXPECT_TRUE(glob_matches("**", "x"));
}

TEST(Glob, IsNotSlowOnWhatIsMeantToBeSlow)
{
    const std::string text(20'000, 'a');
    EXPECT_FALSE(glob_matches("*a*a*a*a*a*a*a*a*b", text));
}

TEST(TableGlob, WithoutADotSpeaksOfTheTableInAnySchema)
{
    EXPECT_TRUE(table_glob_matches("orders", "public.orders"));
    EXPECT_TRUE(table_glob_matches("orders", "shop.orders"));
    EXPECT_TRUE(table_glob_matches("ord*", "shop.orders"));
    EXPECT_FALSE(table_glob_matches("public*", "public.orders"));
    EXPECT_TRUE(table_glob_matches("public.*", "public.orders"));
    EXPECT_FALSE(table_glob_matches("public.*", "shop.orders"));
    EXPECT_TRUE(table_glob_matches("*.orders", "shop.orders"));
    EXPECT_TRUE(table_glob_matches("*", "shop.orders"));
}

} // namespace
} // namespace pgmemo::config
