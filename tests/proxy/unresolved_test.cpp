#include "proxy/unresolved.hpp"

#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pgmemo::proxy {
namespace {

class UnresolvedCommits : public testing::Test {
protected:
    UnresolvedCommits()
    {
        shop.publish(query::testing::test_catalog(), shop.wanted());
        unresolved.on_added([this] { ++wakes; });
    }
    Unresolved::Commit commit(cache::Word& word, std::uint32_t pid, bool changes_catalog = false)
    {
        cache::Flight flight;
        const cache::Words words{&word};
        flight.add(words);
        return {std::move(flight), pid, &shop, changes_catalog};
    }
    static bool is_flying(const cache::Word& word) { return cache::Word::in_flight(word.load()); }

    int wakes = 0;
    cache::Versions versions;
    Databases databases{versions};
    Database& shop = databases.get("shop");
    cache::Word& accounts = versions.relation(1, 16401);
    cache::Word& users = versions.relation(1, 16402);
    Unresolved unresolved;
};

TEST_F(UnresolvedCommits, StayInFlightUntilTheirBackendIsGone)
{
    unresolved.add(commit(accounts, 10));
    EXPECT_TRUE(is_flying(accounts));
    EXPECT_EQ(wakes, 1);
    EXPECT_EQ(unresolved.pids(), std::vector<std::uint32_t>{10});
    unresolved.backends_gone({11, 12});
    EXPECT_TRUE(is_flying(accounts));
    unresolved.backends_gone({9, 10});
    EXPECT_FALSE(is_flying(accounts));
    EXPECT_EQ(unresolved.size(), 0u);
}

TEST_F(UnresolvedCommits, OfOneBackendEndTogether)
{
    unresolved.add(commit(accounts, 10));
    unresolved.add(commit(users, 10));
    unresolved.add(commit(users, 11));
    unresolved.backends_gone({10});
    EXPECT_FALSE(is_flying(accounts));
    EXPECT_TRUE(is_flying(users));
    EXPECT_EQ(unresolved.size(), 1u);
    unresolved.backends_gone({11});
    EXPECT_FALSE(is_flying(users));
}

TEST_F(UnresolvedCommits, OfTheCatalogPutItOutOfUseBeforeTheyEnd)
{
    bool flew_when_told = false;
    databases.on_change([&] { flew_when_told = is_flying(accounts); });
    auto& fresh = databases.get("fresh");
    fresh.publish(query::testing::test_catalog(), fresh.wanted());
    auto of_catalog = commit(accounts, 10, true);
    of_catalog.database = &fresh;
    unresolved.add(std::move(of_catalog));
    EXPECT_TRUE(fresh.is_usable());
    unresolved.backends_gone({10});
    EXPECT_FALSE(fresh.is_usable());
    EXPECT_TRUE(flew_when_told);
    EXPECT_FALSE(is_flying(accounts));
}

TEST_F(UnresolvedCommits, OfRowsLeaveTheCatalogInUse)
{
    unresolved.add(commit(accounts, 10));
    unresolved.backends_gone({10});
    EXPECT_TRUE(shop.is_usable());
}

} // namespace
} // namespace pgmemo::proxy
