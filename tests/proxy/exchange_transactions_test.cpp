#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

/// Both tables are stored and `app` knows its settings.
class Transactions : public TwoSessions {
protected:
    Transactions()
    {
        app.fills(kReadAccounts);
        app.fills(kReadUsers);
        other.hits(kReadAccounts);
        other.seen();
    }
};

// A BEGIN that is held back

TEST_F(Transactions, OfHitsCostPostgresNothing)
{
    EXPECT_EQ(app.client(say::query("BEGIN")).kind, Kind::answer);
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_EQ(app.client(say::query("COMMIT")).kind, Kind::answer);
    EXPECT_EQ(app.sent(), "");
    EXPECT_EQ(app.seen(), say::complete("BEGIN") + say::ready('T') + say::one_row("1") + say::ready('T') +
                              say::complete("COMMIT") + say::ready('I'));
    EXPECT_EQ(world.bypasses(Reason::transaction_control), 2u);
}

TEST_F(Transactions, HeldBackAreAnsweredInTheClientsOwnWords)
{
    app.client(say::query("start transaction"));
    EXPECT_EQ(app.seen(), say::complete("START TRANSACTION") + say::ready('T'));
    app.client(say::query("abort"));
    EXPECT_EQ(app.seen(), say::complete("ROLLBACK") + say::ready('I'));
}

TEST_F(Transactions, BeginUpstreamBeforeTheFirstThingThatGoesThere)
{
    app.client(say::query("begin"));
    app.seen();
    const auto sql = "SELECT bid FROM accounts WHERE aid = 1";
    EXPECT_EQ(app.client(say::query(sql)).kind, Kind::relay);
    EXPECT_EQ(app.sent(), say::query("begin") + say::query(sql)) << "two messages, never one text";
    app.server(say::complete("BEGIN") + say::ready('T'));
    EXPECT_EQ(app.seen(), "") << "the client has had its answer";
    app.server(say::one_row("Ann") + say::ready('T'));
    EXPECT_EQ(app.seen(), say::one_row("Ann") + say::ready('T'));
    EXPECT_TRUE(app.hits(sql)) << "stored from inside the transaction";
    app.does("COMMIT", "COMMIT", 'I');
}

TEST_F(Transactions, BeginUpstreamBeforeAQuestionOfOurs)
{
    app.client(say::query("BEGIN"));
    app.server(say::parameter("TimeZone", "UTC"));
    const auto step = app.client(say::query(kReadAccounts));
    EXPECT_EQ(step.kind, Kind::ask);
    EXPECT_EQ(step.upstream, say::query("BEGIN") + question());
}

TEST_F(Transactions, BeginUpstreamBeforeAnExtendedGroup)
{
    app.client(say::query("BEGIN"));
    app.client(say::run(kWriteAccounts) + say::sync());
    EXPECT_EQ(app.sent(), say::query("BEGIN") + say::run(kWriteAccounts) + say::sync());
}

TEST_F(Transactions, LetPostgresKnowOfTheirHitsBeforeTheyAreSet)
{
    const auto set = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
    app.client(say::query("BEGIN"));
    EXPECT_TRUE(app.hits(kReadAccounts));
    app.seen();
    EXPECT_EQ(app.client(say::query(set)).kind, Kind::relay);
    EXPECT_EQ(app.sent(), say::query("BEGIN") + say::query("SELECT 1") + say::query(set));
    app.server(say::complete("BEGIN") + say::ready('T') + say::one_row("1") + say::ready('T'));
    EXPECT_EQ(app.seen(), "");
    app.server(say::error("25001") + say::ready('E'));
    EXPECT_EQ(app.seen(), say::error("25001") + say::ready('E')) << "it must come before any query, and did not";
}

TEST_F(Transactions, RevivedAndCommittedInOneGroupMoveWhatTheyWrote)
{
    app.begins();
    app.does("SAVEPOINT s", "SAVEPOINT", 'T');
    app.client(say::query("SELECT 1 / 0"));
    app.server(say::error("22012") + say::ready('E'));
    app.client(say::run("ROLLBACK TO s") + say::run(kWriteUsers) + say::run("COMMIT") + say::sync());
    EXPECT_TRUE(world.is_flying(kUsers));
    app.server(say::ran("ROLLBACK") + say::ran("UPDATE 1") + say::ran("COMMIT") + say::ready('I'));
    EXPECT_FALSE(world.is_flying(kUsers));
    EXPECT_FALSE(other.hits(kReadUsers));
}

TEST_F(Transactions, AreSetBeforeAnyQueryAsTheyAre)
{
    const auto set = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
    app.client(say::query("BEGIN"));
    app.client(say::query(set));
    EXPECT_EQ(app.sent(), say::query("BEGIN") + say::query(set));
}

TEST_F(Transactions, HeldBackAreForgottenWhenTheClientGoes)
{
    app.client(say::query("BEGIN"));
    EXPECT_TRUE(app->is_idle());
    app.client(say::terminate());
    EXPECT_EQ(app.sent(), say::terminate());
}

TEST_F(Transactions, AreNotHeldBackWhenTheirIsolationIsNotTheDefault)
{
    EXPECT_EQ(app.client(say::query("BEGIN ISOLATION LEVEL REPEATABLE READ")).kind, Kind::relay);
}

TEST_F(Transactions, AreNotHeldBackWhereTheDefaultIsNotReadCommitted)
{
    Talk strict{world, {.default_isolation = "serializable", .isolation = "serializable"}};
    strict.login();
    strict.misses(kReadAccounts);
    EXPECT_EQ(strict.client(say::query("BEGIN")).kind, Kind::relay);
}

TEST_F(Transactions, AreNotHeldBackBehindWhatIsUnderWay)
{
    app.client(say::query("SELECT random()"));
    EXPECT_EQ(app.client(say::query("BEGIN")).kind, Kind::relay);
}

TEST_F(Transactions, WhoseBeginIsRefusedBreakTheSession)
{
    app.client(say::query("BEGIN"));
    app.client(say::query("SELECT random()"));
    app.server(say::error("57014") + say::ready('I'));
    EXPECT_TRUE(app->is_broken()) << "what follows would run outside of the transaction";
}

TEST_F(Transactions, WhoseBeginIsRefusedMayHaveCommittedWhatFollowedIt)
{
    app.client(say::query("BEGIN"));
    app.client(say::query(kWriteAccounts));
    const auto before = world.version(kAccounts) + world.database_version();
    app.server(say::error("57014") + say::ready('I'));
    EXPECT_TRUE(app->is_broken());
    app.ends();
    EXPECT_GT(world.version(kAccounts) + world.database_version(), before) << "the UPDATE ran by itself";
    EXPECT_EQ(world.unresolved.size(), 1u);
}

// What moves when

TEST_F(Transactions, MoveNothingBeforeTheyCommit)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    EXPECT_FALSE(world.is_flying(kAccounts));
    EXPECT_TRUE(other.hits(kReadAccounts));
    EXPECT_EQ(world.metrics.invalidations.read(), 0u);

    EXPECT_EQ(app.client(say::query("COMMIT")).kind, Kind::relay);
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(other.hits(kReadAccounts));
    app.seen();
    app.server(say::complete("COMMIT"));
    EXPECT_EQ(app.seen(), "");
    app.server(say::ready('I'));
    EXPECT_FALSE(world.is_flying(kAccounts));
    EXPECT_EQ(app.seen(), say::complete("COMMIT") + say::ready('I'));
    EXPECT_EQ(world.metrics.invalidations.read(), 2u);
    EXPECT_TRUE(app.hits(kReadUsers));
}

TEST_F(Transactions, ThatEndWithEndMoveWhatTheyWroteToo)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.client(say::query("END"));
    EXPECT_TRUE(world.is_flying(kAccounts));
}

TEST_F(Transactions, RolledBackMoveNothing)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.client(say::query("ROLLBACK"));
    EXPECT_FALSE(world.is_flying(kAccounts));
    app.server(say::complete("ROLLBACK") + say::ready('I'));
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_TRUE(other.hits(kReadAccounts));
}

TEST_F(Transactions, ThatFailedMoveNothingAtTheirCommit)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.goes_upstream("SELECT 1 / 0", say::error("22012"), 'E');
    app.client(say::query("COMMIT"));
    EXPECT_FALSE(world.is_flying(kAccounts));
    app.server(say::complete("ROLLBACK") + say::ready('I'));
    EXPECT_TRUE(other.hits(kReadAccounts));
}

TEST_F(Transactions, KeepWhatASavepointUndid)
{
    app.begins();
    app.does("SAVEPOINT s", "SAVEPOINT");
    app.does(kWriteAccounts, "UPDATE 1");
    app.does("ROLLBACK TO s", "ROLLBACK");
    EXPECT_FALSE(app.hits(kReadAccounts)) << "careful is right, if not needed";
    app.client(say::query("COMMIT"));
    EXPECT_TRUE(world.is_flying(kAccounts));
}

TEST_F(Transactions, ChainedCommitWhatTheyWrote)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.client(say::query("COMMIT AND CHAIN"));
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.server(say::complete("COMMIT") + say::ready('T'));
    EXPECT_FALSE(world.is_flying(kAccounts));
}

TEST_F(Transactions, PreparedMoveEverythingWhenTheyCommit)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.does("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION", 'I');
    app.fills("SELECT bid FROM accounts WHERE aid = 1");
    other.client(say::query("COMMIT PREPARED 'x'"));
    EXPECT_TRUE(world.is_database_flying());
    EXPECT_FALSE(app.hits("SELECT bid FROM accounts WHERE aid = 1"));
}

TEST_F(Transactions, ThatAProcedureMayEndBeginWhatTheyWroteAtItsCall)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.client(say::query("DO $$ begin commit; end $$"));
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(world.is_database_flying()) << "it does nothing else";
}

TEST_F(Transactions, ThatChangeTheCatalogPutItOutOfUseWhenTheyCommit)
{
    app.begins();
    app.does("CREATE INDEX ON accounts (abalance)", "CREATE INDEX");
    EXPECT_TRUE(world.shop.is_usable());
    app.does("COMMIT", "COMMIT", 'I');
    EXPECT_FALSE(world.shop.is_usable());
}

TEST_F(Transactions, ThatWroteUnderAnotherCatalogMoveTheDatabase)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    world.shop.catalog_changed(); // perhaps a trigger, made before the UPDATE had its lock
    app.client(say::query("COMMIT"));
    EXPECT_TRUE(world.is_database_flying());
}

TEST_F(Transactions, WhoseCommitHasNoAnswerAreUnresolved)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.client(say::query("COMMIT"));
    app.ends();
    EXPECT_EQ(world.unresolved.pids(), std::vector<std::uint32_t>{4711});
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(other.hits(kReadAccounts));
    world.unresolved.backends_gone({4711});
    EXPECT_FALSE(world.is_flying(kAccounts));
}

TEST_F(Transactions, LostBeforeTheirCommitLeaveNothing)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.ends();
    EXPECT_EQ(world.unresolved.size(), 0u);
    EXPECT_TRUE(other.hits(kReadAccounts));
}

// What they read themselves

TEST_F(Transactions, ReadTheirOwnWritesFromTheServerAndStoreNothingOfThem)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::written_in_transaction), 2u);
    EXPECT_TRUE(app.hits(kReadUsers)) << "another table";
    other.seen();
    EXPECT_TRUE(other.hits(kReadAccounts));
    EXPECT_EQ(other.seen(), say::one_row("1") + say::ready('I'));
}

TEST_F(Transactions, ReadNothingFromTheCacheAfterAWriteOfUnknownExtent)
{
    app.begins();
    app.goes_upstream(kWriteAnything);
    EXPECT_FALSE(app.hits(kReadUsers));
    EXPECT_EQ(world.bypasses(Reason::written_in_transaction), 1u);
}

TEST_F(Transactions, ForgetTheirWritesWhenTheyEnd)
{
    app.begins();
    app.does(kWriteAccounts, "UPDATE 1");
    app.does("ROLLBACK", "ROLLBACK", 'I');
    app.begins();
    EXPECT_TRUE(app.hits(kReadAccounts));
}

TEST_F(Transactions, HitWhatOthersHaveCommittedMeanwhileNoMore)
{
    app.begins();
    EXPECT_TRUE(app.hits(kReadAccounts));
    other.does(kWriteAccounts, "UPDATE 1");
    EXPECT_FALSE(app.hits(kReadAccounts)) << "READ COMMITTED sees it";
}

TEST_F(Transactions, ThatHaveFailedHitNothing)
{
    app.begins();
    app.goes_upstream("SELECT 1 / 0", say::error("22012"), 'E');
    EXPECT_EQ(app.asks(kReadAccounts), Kind::relay);
    app.server(say::error("25P02") + say::ready('E'));
    EXPECT_EQ(world.bypasses(Reason::failed_transaction), 1u);
    app.does("ROLLBACK", "ROLLBACK", 'I');
    EXPECT_TRUE(app.hits(kReadAccounts));
}

TEST_F(Transactions, ThatHaveFailedAskNothing)
{
    other.begins();
    other.goes_upstream("SELECT 1 / 0", say::error("22012"), 'E');
    other.server(say::parameter("TimeZone", "UTC"));
    EXPECT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::relay);
}

// Isolation

TEST_F(Transactions, OfRepeatableReadHitAndStoreNothing)
{
    app.begins("BEGIN ISOLATION LEVEL REPEATABLE READ");
    app.settings.isolation = "repeatable read";
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_TRUE(app.misses("SELECT bid FROM accounts WHERE aid = 1"));
    EXPECT_FALSE(app.hits("SELECT bid FROM accounts WHERE aid = 1"));
    EXPECT_EQ(world.bypasses(Reason::isolation), 3u);
    app.does("COMMIT", "COMMIT", 'I');
    EXPECT_TRUE(app.hits(kReadAccounts));
}

TEST_F(Transactions, MadeSerializableBySetTransactionHitNothing)
{
    app.client(say::query("BEGIN"));
    EXPECT_EQ(app.client(say::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")).kind, Kind::relay);
    app.answers_begin();
    app.server(say::complete("SET") + say::ready('T'));
    app.settings.isolation = "serializable";
    EXPECT_TRUE(app.misses(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::isolation), 1u);
}

TEST_F(Transactions, OfRepeatableReadStayThatAfterASecondBegin)
{
    app.begins("BEGIN ISOLATION LEVEL REPEATABLE READ");
    app.settings.isolation = "repeatable read";
    EXPECT_TRUE(
        app.goes_upstream("BEGIN", say::notice() + say::complete("BEGIN"), 'T')); // "there is already a transaction"
    EXPECT_FALSE(app.hits(kReadAccounts));
}

TEST_F(Transactions, OfUnknownIsolationAskForItOnce)
{
    app.goes_upstream("SELECT 1; BEGIN", say::one_row("1") + say::complete("BEGIN"), 'T');
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::ask);
    app.answers_settings();
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_TRUE(app.hits(kReadUsers));
}

TEST_F(Transactions, ThatBeganBeforeAnythingWasKnownAskInside)
{
    Talk fresh{world};
    fresh.login();
    fresh.begins();
    EXPECT_EQ(fresh.client(say::query(kReadAccounts)).kind, Kind::ask);
    fresh.answers_settings();
    EXPECT_TRUE(fresh.hits(kReadAccounts));
    EXPECT_EQ(fresh.seen(), say::one_row("1") + say::ready('T'));
}

TEST_F(Transactions, ServeWithTheStatusTheyAreIn)
{
    app.begins();
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_EQ(app.seen(), say::one_row("1") + say::ready('T'));
    EXPECT_FALSE(app->is_idle());
}

TEST_F(Transactions, OpenedInsideATextAreAsOpenAsAnyOther)
{
    app.goes_upstream("BEGIN; UPDATE accounts SET abalance = 3", say::complete("BEGIN") + say::complete("UPDATE 1"),
                      'T');
    EXPECT_FALSE(app.hits(kReadAccounts)) << "its own write";
    app.client(say::query("COMMIT"));
    EXPECT_TRUE(world.is_flying(kAccounts));
}

} // namespace
} // namespace pgmemo::proxy
