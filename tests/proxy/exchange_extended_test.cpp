#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

/// `other` watches the tables that `app` writes by the extended protocol.
class Extended : public TwoSessions {
protected:
    Extended()
    {
        app.fills(kReadUsers);
        other.fills(kReadAccounts);
    }

    /// Sends a whole group and plays the server's answer.
    void does_group(const std::string& group, const std::string& reply, char status = 'I')
    {
        app.does_group(group, reply, status);
    }
    void prepares(std::string_view name, std::string_view sql)
    {
        does_group(say::parse(name, sql), say::parse_complete());
    }
    bool moves_nothing()
    {
        return !world.is_flying(kAccounts) && !world.is_flying(kUsers) && !world.is_database_flying();
    }
};

TEST_F(Extended, ReadsGoUpstreamAsTheyCame)
{
    const auto group = say::run(kReadAccounts) + say::sync();
    app.client(group);
    EXPECT_EQ(app.sent(), group);
    EXPECT_TRUE(moves_nothing());
    app.server(say::ran("SELECT 1") + say::ready('I'));
    EXPECT_EQ(app.seen(), say::ran("SELECT 1") + say::ready('I'));
    EXPECT_EQ(world.bypasses(Reason::extended_protocol), 0u);
    EXPECT_TRUE(app->is_quiet());
    EXPECT_TRUE(other.hits(kReadAccounts));
}

TEST_F(Extended, AWriteIsInFlightFromItsExecuteToReadyForQuery)
{
    app.client(say::parse("", kWriteAccounts) + say::bind("", ""));
    EXPECT_FALSE(world.is_flying(kAccounts));
    app.client(say::execute());
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.client(say::sync());
    app.server(say::ran("UPDATE 1"));
    EXPECT_TRUE(world.is_flying(kAccounts)) << "it commits at the Sync";
    EXPECT_FALSE(other.hits(kReadAccounts));
    app.server(say::ready('I'));
    EXPECT_FALSE(world.is_flying(kAccounts));
    EXPECT_EQ(app.seen(), say::ran("UPDATE 1") + say::ready('I'));
    EXPECT_EQ(world.metrics.invalidations.read(), 2u);
}

TEST_F(Extended, AParseOrADescribeWritesNothing)
{
    app.client(say::parse("w", kWriteAccounts) + say::describe('S', "w") + say::bind("", "w") + say::describe('P', "") +
               say::sync());
    EXPECT_TRUE(moves_nothing());
}

TEST_F(Extended, ANamedStatementWritesAtEveryExecuteWithoutAParse)
{
    prepares("w", kWriteAccounts);
    EXPECT_TRUE(moves_nothing());
    for (int i = 0; i < 3; ++i) {
        app.client(say::run_prepared("w") + say::sync());
        EXPECT_TRUE(world.is_flying(kAccounts)) << i;
        EXPECT_FALSE(world.is_database_flying()) << "it is known what it is";
        app.server(say::ran_prepared("UPDATE 1") + say::ready('I'));
        EXPECT_FALSE(world.is_flying(kAccounts)) << i;
    }
}

TEST_F(Extended, AnExecuteOfAFewRowsWritesAsMuch)
{
    app.client(say::parse("", "INSERT INTO accounts VALUES (1) RETURNING aid") + say::bind("", "") +
               say::execute("", 1));
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.client(say::flush());
    app.server(say::parse_complete() + say::bind_complete() + say::row({"1"}) + say::suspended());
    app.client(say::execute("", 1) + say::sync());
    app.server(say::complete("INSERT 0 0") + say::ready('I'));
    EXPECT_TRUE(moves_nothing());
    EXPECT_FALSE(other.hits(kReadAccounts));
}

TEST_F(Extended, TwoWritesOfOneGroupMoveEachTableOnce)
{
    app.client(say::run(kWriteAccounts) + say::run(kWriteAccounts) + say::run(kWriteUsers) + say::sync());
    app.server(say::ran("UPDATE 1") + say::ran("UPDATE 1") + say::ran("UPDATE 1") + say::ready('I'));
    EXPECT_EQ(world.metrics.invalidations.read(), 4u);
    EXPECT_TRUE(moves_nothing());
}

TEST_F(Extended, AnErrorEndsTheFlightOfItsGroup)
{
    app.client(say::run(kWriteAccounts) + say::run("SELECT 1 / 0") + say::sync());
    app.server(say::ran("UPDATE 1") + say::parse_complete() + say::bind_complete() + say::error("22012") +
               say::ready('I'));
    EXPECT_TRUE(moves_nothing());
    EXPECT_TRUE(app->is_quiet());
}

// Groups behind groups

TEST_F(Extended, GroupsUnderWayEndOneByOne)
{
    app.client(say::run(kWriteAccounts) + say::sync() + say::run(kWriteUsers) + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_TRUE(world.is_flying(kUsers));
    app.server(say::ran("UPDATE 1") + say::ready('I'));
    EXPECT_FALSE(app->is_quiet());
    EXPECT_TRUE(world.is_flying(kUsers));
    app.server(say::ran("UPDATE 1") + say::ready('I'));
    EXPECT_TRUE(app->is_quiet());
    EXPECT_TRUE(moves_nothing());
}

TEST_F(Extended, TheUnnamedStatementOfAnEarlierGroupCountsWhileItsParseIsNotAnswered)
{
    // The second Parse may fail; then the Bind of the third group takes the first one's text.
    prepares("", "SELECT 1");
    app.client(say::parse("", kWriteAccounts) + say::sync());
    app.client(say::parse("", kWriteUsers) + say::sync());
    app.client(say::bind("", "") + say::execute() + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_TRUE(world.is_flying(kUsers));
    EXPECT_FALSE(world.is_database_flying());
}

TEST_F(Extended, TheLatestParseOfAGroupIsTheOneThatCounts)
{
    prepares("", kWriteUsers);
    app.client(say::parse("", kWriteAccounts) + say::bind("", "") + say::execute() + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(world.is_flying(kUsers)) << "had the Parse failed, nothing behind it would run";
    EXPECT_FALSE(world.is_database_flying());
}

TEST_F(Extended, AQueryBehindAClosedGroupIsRelayedInItsTurn)
{
    app.client(say::run(kWriteAccounts) + say::sync());
    EXPECT_EQ(app.client(say::query(kReadUsers)).kind, Kind::relay);
    app.server(say::ran("UPDATE 1") + say::ready('I') + say::one_row("1") + say::ready('I'));
    EXPECT_TRUE(app->is_quiet());
    EXPECT_FALSE(app.is_blind());
}

// Names

TEST_F(Extended, AFailedParseLeavesTheNamesOldMeaning)
{
    prepares("s", kWriteAccounts);
    does_group(say::parse("s", kReadUsers), say::error("42P05"));
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts));
}

TEST_F(Extended, AFailedParseBehindTheCloseOfAPortalLeavesTheNamesOldMeaning)
{
    prepares("s", kWriteAccounts);
    does_group(say::close('P', "p") + say::parse("s", kReadUsers), say::close_complete() + say::error("42P05"));
    does_group(say::parse("", kReadUsers), say::parse_complete());
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts));
}

TEST_F(Extended, ACloseOfAPortalDoesNotAnswerForTheCloseOfAStatement)
{
    prepares("s", kWriteAccounts);
    does_group(say::close('P', "p") + say::parse("", "SELEC 1") + say::close('S', "s"),
               say::close_complete() + say::error("42601"));
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts)) << "its Close was skipped";
}

TEST_F(Extended, AnErrorDropsWhatItsGroupWouldHaveNamed)
{
    prepares("s", kReadUsers);
    does_group(say::run("SELECT 1 / 0") + say::close('S', "s") + say::parse("s", kWriteAccounts),
               say::parse_complete() + say::bind_complete() + say::error("22012"));
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(moves_nothing()) << "it is the old one, and reads";
}

TEST_F(Extended, AClosedAndParsedNameMeansTheNewText)
{
    prepares("s", kReadUsers);
    does_group(say::close('S', "s") + say::parse("s", kWriteAccounts), say::close_complete() + say::parse_complete());
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(world.is_database_flying());
}

TEST_F(Extended, ACloseAloneLeavesANameThatMayBeAnything)
{
    prepares("s", kReadUsers);
    does_group(say::close('S', "s"), say::close_complete());
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_database_flying()) << "SQL's PREPARE may have made it";
}

TEST_F(Extended, AStatementOfSqlPrepareMayBeAnything)
{
    app.does("PREPARE s AS DELETE FROM accounts", "PREPARE");
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_database_flying());
}

TEST_F(Extended, APortalOfDeclareCursorMayBeAnything)
{
    app.begins();
    app.does("DECLARE c CURSOR FOR SELECT app.any_table('users')", "DECLARE CURSOR");
    app.client(say::execute("c", 1) + say::sync());
    app.server(say::row({"1"}) + say::suspended() + say::ready('T'));
    app.client(say::query("COMMIT"));
    EXPECT_TRUE(world.is_database_flying());
}

TEST_F(Extended, ACursorThatTakesAPortalsNameMayBeAnything)
{
    app.begins();
    does_group(say::parse("", kReadUsers) + say::bind("c", "") + say::execute("c", 1),
               say::parse_complete() + say::bind_complete() + say::row({"1"}) + say::suspended(), 'T');
    app.does("CLOSE c", "CLOSE CURSOR");
    app.does("DECLARE c CURSOR FOR SELECT app.any_table('users')", "DECLARE CURSOR");
    app.client(say::execute("c", 1) + say::sync());
    app.server(say::row({"1"}) + say::suspended() + say::ready('T'));
    app.client(say::query("COMMIT"));
    EXPECT_TRUE(world.is_database_flying());
}

TEST_F(Extended, ForgetsNamesThatSqlHasTakenAway)
{
    for (const auto* sql :
         {"DEALLOCATE s", "DEALLOCATE ALL", "DISCARD ALL", "SELECT 1; DEALLOCATE s", "deallocate /* the lot */ all"}) {
        prepares("s", kReadUsers);
        app.does(sql, "X");
        app.client(say::run_prepared("s") + say::sync());
        EXPECT_TRUE(world.is_database_flying()) << sql;
        app.server(say::ran_prepared("DELETE 1") + say::ready('I'));
    }
}

TEST_F(Extended, ForgetsNamesThatAnExtendedDeallocateTakesAway)
{
    prepares("s", kReadUsers);
    does_group(say::run("DEALLOCATE ALL"), say::ran("DEALLOCATE ALL"));
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_database_flying());
}

TEST_F(Extended, ForgetsANameThoughItsParseIsNotAnsweredYet)
{
    app.client(say::parse("s", kReadUsers) + say::sync());
    app.client(say::query("DEALLOCATE s; PREPARE s AS DELETE FROM accounts"));
    app.server(say::parse_complete() + say::ready('I') + say::complete("DEALLOCATE") + say::complete("PREPARE") +
               say::ready('I'));
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_TRUE(world.is_database_flying());
}

TEST_F(Extended, APortalOutlivesItsGroupInsideATransaction)
{
    app.begins();
    does_group(say::parse("", "INSERT INTO accounts VALUES (1) RETURNING aid") + say::bind("p", ""),
               say::parse_complete() + say::bind_complete(), 'T');
    does_group(say::execute("p"), say::row({"1"}) + say::complete("INSERT 0 1"), 'T');
    app.client(say::query("COMMIT"));
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(world.is_database_flying());
}

TEST_F(Extended, APortalEndsWithItsTransaction)
{
    does_group(say::parse("", kReadUsers) + say::bind("p", ""), say::parse_complete() + say::bind_complete());
    app.client(say::execute("p") + say::sync());
    EXPECT_TRUE(world.is_database_flying()) << "what has this name now is not that portal";
}

TEST_F(Extended, AParseTooLargeToBeHeldPassesInPiecesAndMayBeAnything)
{
    const auto parse = say::parse("big", "SELECT '" + std::string(100'000, 'x') + "'");
    app.client(parse + say::sync());
    EXPECT_EQ(app.sent(), parse + say::sync());
    app.server(say::parse_complete() + say::ready('I'));
    EXPECT_TRUE(moves_nothing());
    app.client(say::run_prepared("big") + say::sync());
    EXPECT_TRUE(world.is_database_flying());
}

TEST_F(Extended, ABindTooLargeToBeHeldIsStillReadByItsNames)
{
    prepares("w", kWriteAccounts);
    const std::string value(200'000, 'x');
    const auto bind = wire::message('B', say::text("p") + say::text("w") + wire::u16(0) + wire::u16(1) +
                                             wire::u32(200'000) + value + wire::u16(0));
    app.client(bind + say::execute("p") + say::sync());
    EXPECT_TRUE(app.sent().ends_with(bind + say::execute("p") + say::sync()));
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(world.is_database_flying());
}

// Transactions

/// A session that has begun a transaction and not been asked for its settings yet.
class Unsettled : public Extended {
protected:
    Unsettled()
    {
        fresh.login();
        fresh.client(say::run("BEGIN") + say::sync());
        fresh.server(say::ran("BEGIN") + say::ready('T'));
        fresh.sent();
    }
    Talk fresh{world};
};

TEST_F(Unsettled, AWriteInATransactionAsksFirst)
{
    const auto asked = world.metrics.probes.read();
    fresh.client(say::parse("", kWriteAccounts));
    EXPECT_EQ(world.metrics.probes.read(), asked + 1);
}

TEST_F(Extended, ATransactionMovesNothingBeforeItCommits)
{
    does_group(say::run("BEGIN"), say::ran("BEGIN"), 'T');
    does_group(say::run(kWriteAccounts), say::ran("UPDATE 1"), 'T');
    EXPECT_TRUE(moves_nothing());
    EXPECT_TRUE(other.hits(kReadAccounts));
    app.client(say::run("COMMIT") + say::sync());
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.server(say::ran("COMMIT") + say::ready('I'));
    EXPECT_TRUE(moves_nothing());
    EXPECT_FALSE(other.hits(kReadAccounts));
}

TEST_F(Extended, ACommitInsideAPipelineBeginsWhatWasWrittenBefore)
{
    does_group(say::run("BEGIN"), say::ran("BEGIN"), 'T');
    app.client(say::run(kWriteAccounts));
    app.answers_begin();
    EXPECT_TRUE(moves_nothing());
    app.client(say::run("COMMIT"));
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.client(say::run(kReadUsers) + say::sync());
    app.server(say::ran("UPDATE 1") + say::ran("COMMIT") + say::ran("SELECT 1") + say::ready('I'));
    EXPECT_TRUE(moves_nothing());
}

TEST_F(Extended, ACommitBehindAGroupThatIsNotAnsweredBeginsItsWrites)
{
    app.begins();
    app.client(say::run(kWriteAccounts) + say::sync());
    app.client(say::query("COMMIT"));
    app.server(say::ran("UPDATE 1") + say::ready('T'));
    EXPECT_TRUE(world.is_flying(kAccounts)) << "the COMMIT is still under way";
    app.server(say::complete("COMMIT") + say::ready('I'));
    EXPECT_TRUE(moves_nothing());
}

TEST_F(Extended, WritesBehindACommitOfTheSamePipelineFly)
{
    does_group(say::run("BEGIN"), say::ran("BEGIN"), 'T');
    app.client(say::run("COMMIT") + say::run(kWriteAccounts));
    app.answers_begin();
    EXPECT_TRUE(world.is_flying(kAccounts)) << "it commits by itself";
}

TEST_F(Extended, AnExecuteInAFailedTransactionMovesNothing)
{
    app.begins();
    does_group(say::run("SELECT 1 / 0"), say::parse_complete() + say::bind_complete() + say::error("22012"), 'E');
    app.client(say::run(kWriteAccounts) + say::sync());
    EXPECT_TRUE(moves_nothing());
}

TEST_F(Extended, ASetMakesTheSettingsUnknown)
{
    does_group(say::run("SET TimeZone = 'Asia/Tokyo'"), say::ran("SET"));
    EXPECT_EQ(app.client(say::query(kReadUsers)).kind, Kind::ask);
}

TEST_F(Extended, ReadsOfItsOwnWritesGoUpstream)
{
    app.fills(kReadAccounts);
    app.begins();
    does_group(say::run(kWriteAccounts), say::ran("UPDATE 1"), 'T');
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_EQ(world.bypasses(Reason::written_in_transaction), 1u);
}

TEST_F(Extended, AGroupWithoutAnAnswerIsUnresolved)
{
    app.client(say::run(kWriteAccounts));
    app.ends(); // not even its Sync: the server may roll back, or not
    EXPECT_EQ(world.unresolved.size(), 1u);
    EXPECT_TRUE(world.is_flying(kAccounts));
}

TEST_F(Extended, AGroupOfReadsWithoutAnAnswerLeavesNothing)
{
    app.client(say::run(kReadAccounts));
    app.ends();
    EXPECT_EQ(world.unresolved.size(), 0u);
}

} // namespace
} // namespace pgmemo::proxy
