#include "query/session_settings.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmemo::query {
namespace {

using Row = std::array<std::optional<std::string_view>, 11>;

Row row()
{
    return {
        "shop",           "ann", "ann",          "1700000000/f/150018", "pg_catalog\x01public", "2", "read committed",
        "read committed", "f",   "TimeZone=UTC", "app.tenant\x01'1'"};
}

TEST(SessionSettings, SayWhoAsksAndWhereNamesAreLookedUp)
{
    const auto facts = read_settings_row(row());
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->schemas, (std::vector<std::string>{"pg_catalog", "public"}));
    EXPECT_TRUE(facts->read_committed_by_default);
    EXPECT_TRUE(facts->read_committed_now);
    EXPECT_FALSE(facts->temporary_objects);
}

TEST(SessionSettings, DifferInTheirIdentityWhateverDiffers)
{
    const auto usual = read_settings_row(row());
    for (const std::size_t column : {0, 1, 2, 3, 9, 10}) {
        auto other = row();
        other[column] = "other";
        const auto facts = read_settings_row(other);
        ASSERT_TRUE(facts) << column;
        EXPECT_NE(facts->identity, usual->identity) << column;
    }
    auto path = row();
    path[4] = "pg_catalog\x01other";
    EXPECT_NE(read_settings_row(path)->identity, usual->identity);
}

TEST(SessionSettings, DoNotRunIntoEachOther)
{
    auto one = row();
    one[1] = "an";
    one[2] = "nann";
    auto two = row();
    two[1] = "ann";
    two[2] = "ann";
    EXPECT_NE(read_settings_row(one)->identity, read_settings_row(two)->identity);
}

TEST(SessionSettings, AreTheSameWhateverTheIsolationOfTheMoment)
{
    auto serializable = row();
    serializable[7] = "serializable";
    const auto facts = read_settings_row(serializable);
    EXPECT_EQ(facts->identity, read_settings_row(row())->identity);
    EXPECT_FALSE(facts->read_committed_now);
    EXPECT_TRUE(facts->read_committed_by_default);
}

TEST(SessionSettings, WithoutAnythingSetAreKnownToo)
{
    auto none = row();
    none[9] = std::nullopt;
    EXPECT_TRUE(read_settings_row(none));
}

TEST(SessionSettings, AreNotKnownFromARowThatIsNotTheAnswer)
{
    EXPECT_FALSE(read_settings_row(std::span<const std::optional<std::string_view>>{}));
    const auto whole = row();
    EXPECT_FALSE(read_settings_row(std::span{whole}.first(9)));
    for (const std::size_t column : {0, 1, 2, 3, 6, 7, 8}) {
        auto broken = row();
        broken[column] = std::nullopt;
        EXPECT_FALSE(read_settings_row(broken)) << column;
    }
    auto separator_in_a_name = row();
    separator_in_a_name[4] = "pg_catalog\x01pub\x01lic";
    EXPECT_FALSE(read_settings_row(separator_in_a_name));
}

TEST(SessionSettings, ThatApplicationsMadeUpAreAskedForByName)
{
    const std::vector<std::string> custom{"app.tenant", "app.user_id"};
    const auto query = settings_query(custom);
    for (const auto& name : custom)
        EXPECT_NE(query.find("pg_catalog.current_setting('" + name + "', true)"), std::string::npos) << query;
    EXPECT_EQ(settings_query().find("app."), std::string::npos);
    EXPECT_EQ(query.find(settings_query().substr(0, 100)), 0U);
    auto other = row();
    other[10] = "app.tenant\x01NULL";
    EXPECT_NE(read_settings_row(other)->identity, read_settings_row(row())->identity);
    other[10] = "app.tenant\x01'NULL'";
    EXPECT_NE(read_settings_row(other)->identity, read_settings_row(row())->identity);
}

TEST(SessionSettings, AskWithoutTrustingTheSearchPath)
{
    const std::vector<std::string> custom{"app.tenant"};
    const auto query = settings_query(custom);
    EXPECT_EQ(query.find(" = "), std::string::npos) << "operators are qualified: OPERATOR(pg_catalog.=)";
    EXPECT_EQ(query.find("FROM pg_settings"), std::string::npos);
}

} // namespace
} // namespace pgmemo::query
