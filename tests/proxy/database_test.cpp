#include "proxy/database.hpp"

#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::testing::another_catalog;

class KnownDatabases : public testing::Test {
protected:
    KnownDatabases()
    {
        databases.on_change([this] { ++wakes; });
    }
    int wakes = 0;
    cache::Versions versions;
    Databases databases{versions};
};

TEST_F(KnownDatabases, AreMadeOnceByName)
{
    auto& shop = databases.get("shop");
    EXPECT_EQ(&shop, &databases.get("shop"));
    EXPECT_NE(&shop, &databases.get("Shop"));
    EXPECT_NE(shop.number(), databases.get("Shop").number());
    EXPECT_NE(&shop.word(), &databases.get("Shop").word());
    EXPECT_EQ(databases.all().size(), 2u);
}

TEST_F(KnownDatabases, AreTheSameBeyondTheServersLongestName)
{
    const std::string name(63, 'n');
    auto& database = databases.get(name);
    EXPECT_EQ(&database, &databases.get(name + "x"));
    EXPECT_EQ(&database, &databases.get(name + "yz"));
    EXPECT_NE(&database, &databases.get(name.substr(1)));
    EXPECT_EQ(database.name(), name);
}

TEST_F(KnownDatabases, AreNotUsableBeforeTheirCatalogWasRead)
{
    auto& shop = databases.get("shop");
    EXPECT_FALSE(shop.is_usable());
    EXPECT_EQ(shop.usable_catalog_id(), 0u);
    EXPECT_FALSE(shop.catalog());
}

TEST_F(KnownDatabases, AreUsableOnceItWas)
{
    auto& shop = databases.get("shop");
    const auto catalog = another_catalog();
    shop.publish(catalog, shop.wanted());
    EXPECT_TRUE(shop.is_usable());
    EXPECT_EQ(shop.usable_catalog_id(), catalog->id());
    EXPECT_EQ(shop.catalog(), catalog);
}

TEST_F(KnownDatabases, AreNotUsableOnceTheCatalogHasChanged)
{
    auto& shop = databases.get("shop");
    shop.publish(another_catalog(), shop.wanted());
    shop.catalog_changed();
    EXPECT_FALSE(shop.is_usable());
    EXPECT_FALSE(shop.catalog());
    EXPECT_EQ(wakes, 1);
    shop.publish(another_catalog(), shop.wanted());
    EXPECT_TRUE(shop.is_usable());
}

TEST_F(KnownDatabases, AreNotUsableWhenItChangedBetweenReadAndPublish)
{
    auto& shop = databases.get("shop");
    shop.publish(another_catalog(), shop.wanted());
    const auto wanted = shop.wanted();
    const auto read_before_the_change = another_catalog();
    shop.catalog_changed();
    shop.publish(read_before_the_change, wanted);
    EXPECT_FALSE(shop.is_usable());
    EXPECT_FALSE(shop.catalog());
    EXPECT_EQ(shop.usable_catalog_id(), 0u);
}

TEST_F(KnownDatabases, StillSayWhatStatementsDoWhileTheirCatalogIsInDoubt)
{
    auto& shop = databases.get("shop");
    const auto catalog = another_catalog();
    shop.publish(catalog, shop.wanted());
    const auto wanted = shop.wanted();
    shop.catalog_doubted();
    EXPECT_EQ(wakes, 1);
    EXPECT_FALSE(shop.is_usable());
    EXPECT_EQ(shop.usable_catalog_id(), 0u);
    EXPECT_EQ(shop.catalog_id(), catalog->id());
    EXPECT_EQ(shop.catalog(), catalog);
    EXPECT_EQ(shop.wanted(), wanted) << "nothing is known to be outdated";

    const auto doubts = shop.doubts();
    shop.catalog_doubted(); // while the server was asked about the first
    shop.clear_doubts(doubts);
    EXPECT_FALSE(shop.is_usable());
    shop.clear_doubts(shop.doubts());
    EXPECT_TRUE(shop.is_usable());
    EXPECT_EQ(shop.usable_catalog_id(), catalog->id());
}

TEST_F(KnownDatabases, AreNotUsableWhenADoubtCameUpWhileTheCatalogWasRead)
{
    auto& shop = databases.get("shop");
    const auto doubts = shop.doubts();
    shop.catalog_doubted();
    shop.publish(another_catalog(), shop.wanted());
    shop.clear_doubts(doubts);
    EXPECT_FALSE(shop.is_usable());
    EXPECT_TRUE(shop.catalog());
}

TEST_F(KnownDatabases, AreNotUsableOnceTheKeeperCannotVouchForThem)
{
    auto& shop = databases.get("shop");
    shop.publish(another_catalog(), shop.wanted());
    shop.forget();
    EXPECT_FALSE(shop.is_usable());
    EXPECT_FALSE(shop.catalog());
    shop.publish(another_catalog(), shop.wanted());
    EXPECT_TRUE(shop.is_usable());
}

TEST_F(KnownDatabases, ChangeAllTogetherWhenTheClusterDoes)
{
    auto& shop = databases.get("shop");
    auto& store = databases.get("store");
    for (auto* database : {&shop, &store})
        database->publish(another_catalog(), database->wanted());
    databases.catalogs_doubted();
    EXPECT_FALSE(shop.is_usable());
    EXPECT_FALSE(store.is_usable());
    EXPECT_TRUE(shop.catalog() && store.catalog());
    databases.catalogs_changed();
    EXPECT_FALSE(shop.catalog() || store.catalog());
}

TEST_F(KnownDatabases, WakeTheKeeperForASessionThatFindsNoCatalog)
{
    auto& shop = databases.get("shop");
    shop.session_began();
    EXPECT_EQ(wakes, 1);
    EXPECT_EQ(shop.sessions(), 1u);
    shop.publish(another_catalog(), shop.wanted());
    shop.session_began();
    EXPECT_EQ(wakes, 1);
    EXPECT_EQ(shop.sessions(), 2u);
    shop.session_ended();
    EXPECT_EQ(shop.sessions(), 1u);
}

} // namespace
} // namespace pgmemo::proxy
