#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

class Hits : public TwoSessions {
protected:
    void configure(const config::Config& config) { world.in_force.set(std::make_shared<const config::Config>(config)); }
};

TEST_F(Hits, TheFirstReadAsksTheServerForTheSettingsOnce)
{
    const auto step = app.client(say::query(kReadAccounts));
    EXPECT_EQ(step.kind, Kind::ask);
    EXPECT_EQ(step.upstream, question());
    EXPECT_FALSE(app->is_quiet());
    app.answers_settings();
    EXPECT_EQ(app.seen(), "") << "the answer is ours";
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_TRUE(app.misses(kReadUsers));
    EXPECT_EQ(world.metrics.probes.read(), 1u);
}

TEST_F(Hits, AMissIsRelayedAndTheNextOneHitsWithTheVeryBytes)
{
    const auto reply = say::columns("abalance") + say::row({"7"}) + say::complete("SELECT 1");
    ASSERT_EQ(app.asks(kReadAccounts), Kind::relay);
    EXPECT_TRUE(app.sent().ends_with(say::query(kReadAccounts)));
    app.server(reply + say::ready('I'));
    EXPECT_EQ(app.seen(), reply + say::ready('I'));

    const auto hit = app.client(say::query(kReadAccounts));
    ASSERT_EQ(hit.kind, Kind::serve);
    EXPECT_EQ(cache::reply_of(*hit.entry), reply);
    EXPECT_EQ(app.seen(), reply + say::ready('I'));
    EXPECT_EQ(app.sent(), "");

    EXPECT_EQ(world.metrics.misses.read(), 1u);
    EXPECT_EQ(world.metrics.fills_stored.read(), 1u);
    EXPECT_EQ(world.metrics.hits.read(), 1u);
}

TEST_F(Hits, AnotherSessionOfTheSameIdentityHits)
{
    app.fills(kReadAccounts);
    EXPECT_TRUE(other.hits(kReadAccounts));
}

TEST_F(Hits, AnotherTextIsAnotherEntry)
{
    app.fills(kReadAccounts);
    EXPECT_FALSE(app.hits("SELECT abalance FROM accounts WHERE aid = 2"));
}

TEST_F(Hits, NothingButTheIdentityDecidesWhoShares)
{
    app.fills(kReadAccounts);
    other.settings.role = "auditor";
    EXPECT_FALSE(other.hits(kReadAccounts)) << "another role";
}

TEST_F(Hits, AnotherSearchPathDoesNotShare)
{
    app.fills(kReadAccounts);
    other.settings.search_path = "pg_catalog\x01own\x01public";
    other.settings.schema_count = "3";
    EXPECT_FALSE(other.hits(kReadAccounts));
}

TEST_F(Hits, AnotherTimeZoneDoesNotShare)
{
    app.fills(kReadAccounts);
    other.settings.others = "TimeZone=Asia/Tokyo";
    EXPECT_FALSE(other.hits(kReadAccounts));
}

TEST_F(Hits, AnEmptyResultIsStored)
{
    const auto nothing = say::columns("abalance") + say::complete("SELECT 0");
    EXPECT_TRUE(app.goes_upstream(kReadAccounts, nothing, 'I'));
    app.seen();
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_EQ(app.seen(), nothing + say::ready('I'));
}

TEST_F(Hits, ARowThatComesInPiecesIsStoredWhole)
{
    const std::string value(50'000, 'x');
    EXPECT_TRUE(app.goes_upstream(kReadAccounts, say::one_row(value), 'I'));
    app.seen();
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_EQ(app.seen(), say::one_row(value) + say::ready('I'));
}

TEST_F(Hits, AReplyLargerThanAnEntryMayBeIsRelayedAndNotStored)
{
    config::Config small;
    small.default_policy.max_entry_bytes = 1000;
    configure(small);
    const std::string value(2000, 'x');
    EXPECT_TRUE(app.goes_upstream(kReadAccounts, say::one_row(value), 'I'));
    EXPECT_EQ(app.seen(), say::one_row(value) + say::ready('I'));
    EXPECT_EQ(world.metrics.fills_too_large.read(), 1u);
    EXPECT_EQ(world.metrics.fills_stored.read(), 0u);
    EXPECT_FALSE(app.hits(kReadAccounts));
}

TEST_F(Hits, AnEntryIsNotServedBeyondItsTime)
{
    app.fills(kReadAccounts);
    world.now += std::chrono::seconds{59};
    EXPECT_TRUE(app.hits(kReadAccounts));
    world.now += std::chrono::seconds{2};
    EXPECT_FALSE(app.hits(kReadAccounts));
}

// Replies that belong to their client alone

struct Unstorable {
    const char* name;
    std::string reply;
    friend std::ostream& operator<<(std::ostream& out, const Unstorable& row) { return out << row.name; }
};

class IsNotStored : public TwoSessions, public testing::WithParamInterface<Unstorable> {};

TEST_P(IsNotStored, ButRelayed)
{
    EXPECT_TRUE(app.goes_upstream(kReadAccounts, GetParam().reply, 'I'));
    EXPECT_EQ(app.seen(), GetParam().reply + say::ready('I'));
    EXPECT_EQ(world.metrics.fills_stored.read(), 0u);
    EXPECT_EQ(world.metrics.fills_unstorable.read(), 1u);
    EXPECT_FALSE(app.hits(kReadAccounts));
}

INSTANTIATE_TEST_SUITE_P(Reply, IsNotStored,
                         testing::Values(Unstorable{"Error", say::error("42501")},
                                         Unstorable{"ErrorBehindRows",
                                                    say::columns("abalance") + say::row({"7"}) + say::error("57014")},
                                         Unstorable{"Notice", say::columns("abalance") + say::notice() +
                                                                  say::row({"7"}) + say::complete("SELECT 1")},
                                         Unstorable{"NoticeFirst", say::notice() + say::one_row("7")},
                                         Unstorable{"Notification", say::one_row("7") + say::notification()},
                                         Unstorable{"Parameter", say::parameter("TimeZone", "UTC") + say::one_row("7")},
                                         Unstorable{"NoCommandComplete", say::columns("abalance") + say::row({"7"})},
                                         Unstorable{"EmptyQuery", say::empty_query()}),
                         [](const auto& row) { return std::string{row.param.name}; });

// What the configuration says

TEST_F(Hits, ARuleThatSaysOffIsCountedAsSuch)
{
    config::Config config;
    config.rules.push_back({"accounts never", {{"public.accounts"}, {}, {}, {}}, {false, {}, 0}, true, {}});
    configure(config);
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::rule), 2u);
    EXPECT_EQ(world.metrics.misses.read(), 0u);
    app.fills(kReadUsers);
}

TEST_F(Hits, WithoutARuleTheDefaultMayBeBypass)
{
    config::Config config;
    config.cache.cache_by_default = false;
    config.default_policy.enabled = false;
    config.rules.push_back({"users", {{"public.users"}, {}, {}, {}}, {true, std::chrono::seconds{5}, 1000}, true, {}});
    configure(config);
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::no_rule), 2u);
    app.fills(kReadUsers);
    world.now += std::chrono::seconds{6};
    EXPECT_FALSE(app.hits(kReadUsers)) << "the rule's own time is over";
}

TEST_F(Hits, ACacheThatIsSwitchedOffStoresNothing)
{
    config::Config config;
    config.cache.enabled = false;
    configure(config);
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::disabled), 2u);
}

// The catalog

TEST_F(Hits, WithoutAUsableCatalogNothingHitsAndNothingIsAsked)
{
    app.fills(kReadAccounts);
    world.shop.catalog_changed();
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::relay);
    app.server(say::one_row("1") + say::ready('I'));
    EXPECT_EQ(world.bypasses(Reason::catalog_unknown), 1u);
    EXPECT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::relay)
        << "a session that knows nothing yet asks nothing now";
    EXPECT_EQ(world.bypasses(Reason::catalog_unknown), 2u);
}

TEST_F(Hits, ACatalogReadAnewIsAskedUnderAnew)
{
    app.fills(kReadAccounts);
    world.shop.catalog_changed();
    world.catalog_is_read();
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::ask);
    app.answers_settings();
    app.fills(kReadUsers);
}

TEST_F(Hits, AReadUnderWayWhileTheCatalogChangesMayBeStoredButTheWordsDecide)
{
    ASSERT_EQ(app.asks(kReadAccounts), Kind::relay);
    other.asks("ALTER TABLE accounts ADD extra int");
    other.server(say::complete("ALTER TABLE") + say::ready('I'));
    world.catalog_is_read();
    app.server(say::one_row("7") + say::ready('I'));
    EXPECT_EQ(world.metrics.fills_stored.read(), 0u);
    EXPECT_FALSE(app.hits(kReadAccounts));
}

TEST_F(Hits, StatementsThatAreNotProvedGoUpstreamWithTheirReason)
{
    const std::vector<std::pair<std::string, Reason>> rows{
        {"SELECT random()", Reason::volatile_function},
        {"SELECT abalance FROM accounts FOR UPDATE", Reason::row_lock},
        {"SELECT * FROM pg_class", Reason::system_catalog},
        // it may be a view that was made meanwhile; what follows needs no catalog
        {"SELECT * FROM nowhere", Reason::unknown_relation},
        {"SELEC 1", Reason::unparsed},
        {"SHOW TimeZone", Reason::utility},
        {"", Reason::empty},
        {"SELECT 1; SELECT 2", Reason::multiple}};
    app.fills(kReadAccounts);
    for (const auto& [sql, reason] : rows) {
        EXPECT_TRUE(app.misses(sql)) << sql;
        EXPECT_EQ(world.bypasses(reason), 1u) << sql;
    }
}

} // namespace
} // namespace pgmemo::proxy
