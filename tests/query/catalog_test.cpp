#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

TEST(Catalog, KnowsItsDatabaseAndIsUnlikeAnyOther)
{
    const auto one = test_catalog();
    const auto other = test_catalog();
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->database(), 5U);
    EXPECT_NE(one->id(), other->id());
    EXPECT_EQ(one->relation_count(), 25U);
}

TEST(CatalogBuilder, RefusesRowsThatItDoesNotUnderstand)
{
    const auto error_of = [](std::size_t query, std::vector<std::optional<std::string_view>> row) {
        CatalogBuilder builder{1};
        builder.row(query, row);
        EXPECT_EQ(builder.finish(), nullptr);
        return builder.error();
    };
    EXPECT_NE(error_of(5, {"1", "a"}), "");
    EXPECT_NE(error_of(5, {"1", "a", "x", ""}), "");
    EXPECT_NE(error_of(5, {"1", std::nullopt, "2", ""}), "");
    EXPECT_NE(error_of(0, {"t", "f", "yes", "f", "f", "f", "f", "f"}), "");
    EXPECT_NE(error_of(99, {}), "");
}

TEST(CatalogBuilder, RefusesACatalogThatIsNotWhole)
{
    EXPECT_EQ(CatalogBuilder{1}.finish(), nullptr);
    EXPECT_EQ(test_catalog({.omits_summary = true}), nullptr);
}

TEST(CatalogQueries, AreNamedAndOneStatementEach)
{
    EXPECT_EQ(catalog_queries().size(), 6U);
    for (const auto& query : catalog_queries()) {
        EXPECT_FALSE(query.name.empty());
        EXPECT_EQ(query.sql.find(';'), std::string::npos);
        EXPECT_NE(analysed(query.sql)->reason, Reason::unparsed) << query.name;
    }
    EXPECT_NE(analysed(catalog_fingerprint_query())->reason, Reason::unparsed);
}

} // namespace
} // namespace pgmemo::query
