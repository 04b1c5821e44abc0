#include "admin/dashboard.hpp"

#include <gtest/gtest.h>

namespace pgmemo::admin {
namespace {

TEST(Dashboard, IsAWholePage)
{
    EXPECT_TRUE(dashboard().starts_with("<!doctype html>"));
    EXPECT_TRUE(dashboard().ends_with("</html>\n"));
}

TEST(Dashboard, NeedsNothingFromElsewhere)
{
    for (const std::string_view elsewhere : {"http://", "https://", "src=", "@import", "url(", "//cdn"})
        EXPECT_EQ(dashboard().find(elsewhere), std::string_view::npos) << elsewhere;
    EXPECT_NE(dashboard().find("fetch('metrics'"), std::string_view::npos)
        << "relative, so that it works behind a prefix";
}

TEST(Dashboard, NeverWritesMarkupFromWhatItReads)
{
    for (const std::string_view trap : {"innerHTML", "outerHTML", "document.write", "eval("})
        EXPECT_EQ(dashboard().find(trap), std::string_view::npos) << trap;
}

} // namespace
} // namespace pgmemo::admin
