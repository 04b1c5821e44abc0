#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

/// What makes known settings unknown, and what does not.
class Knows : public TwoSessions {
protected:
    Knows() { app.fills(kReadAccounts); }
    bool is_asked_again()
    {
        const auto asked = world.metrics.probes.read();
        app.hits(kReadAccounts);
        return world.metrics.probes.read() > asked;
    }
};

TEST_F(Knows, TheSettingsOnceAskedFor)
{
    EXPECT_FALSE(is_asked_again());
    EXPECT_EQ(world.metrics.probes.read(), 1u);
}

TEST_F(Knows, NothingAfterASet)
{
    app.does("SET TimeZone = 'Asia/Tokyo'", "SET");
    EXPECT_EQ(world.bypasses(Reason::session_command), 1u);
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, WhatASetHasChanged)
{
    app.does("SET TimeZone = 'Asia/Tokyo'", "SET");
    app.settings.others = "TimeZone=Asia/Tokyo";
    EXPECT_TRUE(app.goes_upstream(kReadAccounts, say::one_row("9"), 'I'));
    EXPECT_TRUE(app.hits(kReadAccounts));
    app.does("SET TimeZone = 'UTC'", "SET");
    app.settings.others = "TimeZone=UTC";
    app.seen();
    EXPECT_TRUE(app.hits(kReadAccounts)) << "what was stored under the old settings is found again";
    EXPECT_EQ(app.seen(), say::one_row("1") + say::ready('I'));
}

TEST_F(Knows, NothingAfterAFailedSetEither)
{
    app.goes_upstream("SET TimeZone = 'nowhere'", say::error("22023"), 'I');
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, NothingAfterCommandsThatMaySetAnything)
{
    for (const auto* sql : {"RESET ALL", "DISCARD ALL", "SELECT set_config('TimeZone', 'UTC', false)", "SET ROLE bob",
                            "SET SESSION AUTHORIZATION bob", "CREATE TEMP TABLE t (id int)",
                            "DO $$ begin execute 'x'; end $$", "EXECUTE something", "SELECT app.any_table('users')"}) {
        app.does(sql, "X");
        if (!world.shop.is_usable()) // it may have made DDL as well
            world.catalog_is_read();
        EXPECT_TRUE(is_asked_again()) << sql;
    }
}

TEST_F(Knows, AllOfItAfterReadsAndPlainWrites)
{
    app.does(kWriteUsers, "UPDATE 1");
    app.goes_upstream("SELECT random()");
    app.does("SHOW TimeZone", "SHOW");
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_EQ(world.metrics.probes.read(), 1u);
}

TEST_F(Knows, NothingAfterTheServerReportsAChange)
{
    app.server(say::parameter("TimeZone", "Asia/Tokyo"));
    EXPECT_EQ(app.seen(), say::parameter("TimeZone", "Asia/Tokyo"));
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, AllOfItAfterANewApplicationName)
{
    app.server(say::parameter("application_name", "psql"));
    EXPECT_FALSE(is_asked_again());
}

TEST_F(Knows, NothingAfterTheServerHasReadItsConfigurationAnew)
{
    ++world.settings_epoch;
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, NothingWhenTheServerReadItsConfigurationWhileItAnswered)
{
    ++world.settings_epoch;
    ASSERT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::ask);
    ++world.settings_epoch;
    app.answers_settings();
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, ThatTemporaryObjectsHideOtherNames)
{
    app.does("CREATE TEMP TABLE accounts (abalance int)", "CREATE TABLE");
    app.settings.temporary = "t";
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_GE(world.bypasses(Reason::temporary_objects), 1u);
}

// Inside a transaction

TEST_F(Knows, NothingAfterASetInsideATransaction)
{
    app.begins();
    app.does("SET TimeZone = 'Asia/Tokyo'", "SET");
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, NothingAfterTheRollbackOfASet)
{
    app.begins();
    app.does("SET TimeZone = 'Asia/Tokyo'", "SET");
    ASSERT_TRUE(is_asked_again());
    app.does("ROLLBACK", "ROLLBACK", 'I');
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, NothingAfterTheCommitOfASetLocal)
{
    app.begins();
    app.does("SET LOCAL TimeZone = 'Asia/Tokyo'", "SET");
    ASSERT_TRUE(is_asked_again());
    app.does("COMMIT", "COMMIT", 'I');
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, NothingAfterARollbackToASavepointBeforeTheSet)
{
    app.begins();
    app.does("SAVEPOINT s", "SAVEPOINT");
    app.does("SET TimeZone = 'Asia/Tokyo'", "SET");
    ASSERT_TRUE(is_asked_again());
    app.does("ROLLBACK TO s", "ROLLBACK");
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, NothingAfterARollbackAndChainOfASet)
{
    app.begins();
    app.does("SET TimeZone = 'Asia/Tokyo'", "SET");
    ASSERT_TRUE(is_asked_again());
    app.does("ROLLBACK AND CHAIN", "ROLLBACK", 'T');
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, NothingAfterACommitAndChainOfASetLocal)
{
    app.begins();
    app.does("SET LOCAL TimeZone = 'Asia/Tokyo'", "SET");
    ASSERT_TRUE(is_asked_again());
    app.does("COMMIT AND CHAIN", "COMMIT", 'T');
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, WhatItAskedInsideOfTheTransaction)
{
    app.does("SET TimeZone = 'Asia/Tokyo'", "SET");
    app.begins();
    EXPECT_TRUE(is_asked_again());
    EXPECT_FALSE(is_asked_again());
}

TEST_F(Knows, NothingBehindASetThatIsNotAnsweredYet)
{
    EXPECT_EQ(app.client(say::query("SET search_path = own")).kind, Kind::relay);
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::wait);
    EXPECT_EQ(app.client(say::parse("", kReadAccounts)).kind, Kind::wait);
    app.server(say::complete("SET") + say::ready('I'));
    EXPECT_TRUE(is_asked_again());
}

TEST_F(Knows, ThatAWriteBehindAnUnansweredSetMayBeAnything)
{
    app.client(say::run("SET search_path = own") + say::run(kWriteAccounts) + say::sync()); // one group: it cannot wait
    EXPECT_TRUE(world.is_database_flying());
}

// A question without a good answer

TEST_F(Knows, NothingOfAServerThatRefusesTheQuestionAndAsksNoMore)
{
    ASSERT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::ask);
    other.server(say::error("42501") + say::ready('I'));
    EXPECT_EQ(other.seen(), "");
    EXPECT_TRUE(other.misses(kReadAccounts));
    EXPECT_TRUE(other.misses(kReadAccounts));
    EXPECT_EQ(world.metrics.probes.read(), 2u);
    EXPECT_EQ(world.bypasses(Reason::session_unknown), 2u);
}

TEST_F(Knows, ToAskAgainAfterASetThoughAnEarlierQuestionWasRefused)
{
    ASSERT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::ask);
    other.server(say::error("57014") + say::ready('I'));
    other.does("SET statement_timeout = 0", "SET");
    EXPECT_TRUE(other.hits(kReadAccounts));
}

TEST_F(Knows, NothingFromAnAnswerThatIsNotOne)
{
    ASSERT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::ask);
    other.settings.schema_count = "3"; // a schema's name holds the separator
    other.answers_settings();
    EXPECT_FALSE(other.hits(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::session_unknown), 1u);
}

TEST_F(Knows, ToTellTheClientWhyTheServerGoesWhileItIsAsked)
{
    ASSERT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::ask);
    other.server(say::error("57P01", "FATAL"));
    EXPECT_EQ(other.seen(), other->said_fatal() ? say::error("57P01", "FATAL") : "");
}

TEST_F(Knows, ToPassOnWhatIsTheClientsWhileTheServerIsAsked)
{
    ASSERT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::ask);
    other.server(say::notification() + say::parameter("application_name", "x"));
    EXPECT_EQ(other.seen(), say::notification() + say::parameter("application_name", "x"));
    EXPECT_FALSE(other->client_waits()) << "a cancel now would hit our own question";
}

// How the text is to be read

class Reads : public testing::Test {
protected:
    World world;
    Talk app{world};
    const std::string kGerman = "SELECT aid FROM accounts WHERE note = 'M\xc3\xbcller'";
};

TEST_F(Reads, NothingUnderAnEncodingInWhichALetterMayHoldAQuote)
{
    app.login("SJIS");
    EXPECT_TRUE(app.misses(kReadAccounts));
    world.catalog_is_read();
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::encoding), 2u);
    EXPECT_EQ(app.asks(kWriteAccounts), Kind::relay);
    EXPECT_TRUE(world.is_database_flying()) << "it may do anything";
}

TEST_F(Reads, NothingWithoutStandardConformingStrings)
{
    app.login("UTF8", "off");
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::encoding), 1u);
    world.catalog_is_read();
    app.server(say::parameter("standard_conforming_strings", "on"));
    app.fills(kReadAccounts);
}

TEST_F(Reads, AsciiOnlyUnderLatin1)
{
    app.login("LATIN1");
    app.fills(kReadAccounts);
    EXPECT_TRUE(app.misses("SELECT aid FROM accounts WHERE note = 'M\xfcller'"));
    EXPECT_EQ(world.bypasses(Reason::encoding), 1u);
}

TEST_F(Reads, AnyLetterUnderUtf8)
{
    app.login("UTF8");
    app.fills(kGerman);
}

TEST_F(Reads, NothingBeforeTheServerHasSaidTheEncoding)
{
    app.server(say::ready('I'));
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::encoding), 1u);
}

TEST_F(Reads, NothingHitsUnderAnEncodingThatHasChangedToSjis)
{
    app.login();
    app.fills(kReadAccounts);
    app.server(say::parameter("client_encoding", "SJIS"));
    EXPECT_FALSE(app.hits(kReadAccounts));
}

// Plans that the server keeps

TEST_F(Knows, NothingOfPlansInASessionOfThePresentCatalog)
{
    EXPECT_EQ(app.client(say::query("SET TimeZone = 'UTC'")).upstream, "");
    app.server(say::complete("SET") + say::ready('I'));
    EXPECT_EQ(app.client(say::query(kReadAccounts)).upstream, question()) << "it has no plan that could be older";
}

TEST_F(Knows, PlansToBeOfThePresentCatalogOnceTheyWereMadeAnew)
{
    world.catalog_is_read();
    EXPECT_EQ(app.client(say::query(kReadAccounts)).upstream, say::query("DISCARD PLANS") + question());
    app.answers_settings();
    app.does("SET TimeZone = 'UTC'", "SET");
    EXPECT_EQ(app.client(say::query(kReadAccounts)).upstream, question()) << "once for each catalog";
}

TEST_F(Knows, PlansToBeWrongAfterDdlThatWasTakenBack)
{
    app.begins();
    app.does("ALTER TABLE users RENAME TO people", "ALTER TABLE", 'T');
    app.does("ROLLBACK", "ROLLBACK", 'I');
    EXPECT_EQ(app.client(say::query(kReadAccounts)).upstream, say::query("DISCARD PLANS") + question());
}

TEST_F(Knows, PlansAnewInAGroupOfItsOwn)
{
    world.catalog_is_read();
    app.client(say::parse("", kReadAccounts));
    EXPECT_EQ(world.metrics.probes.read(), 2u);
    EXPECT_FALSE(app.is_blind());
    EXPECT_TRUE(app.sent().starts_with(say::parse("", kReadAccounts)));
}

} // namespace
} // namespace pgmemo::proxy
