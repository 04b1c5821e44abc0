#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

constexpr std::string_view kReadByKey = "SELECT abalance FROM accounts WHERE aid = $1";

/// Groups that are answered whole, without a byte upstream, once they were read.
class Groups : public TwoSessions {
protected:
    Groups()
    {
        app.fills(kReadUsers);
        other.fills(kReadUsers);
    }

    static std::string value(std::string_view bytes)
    {
        return wire::u32(static_cast<std::uint32_t>(bytes.size())) + std::string{bytes};
    }
    static std::string bind_one(std::string_view bytes, std::string_view statement = "")
    {
        return wire::message('B', say::text("") + say::text(statement) + wire::u16(0) + wire::u16(1) + value(bytes) +
                                      wire::u16(0));
    }
    static std::string read(std::string_view sql = kReadAccounts)
    {
        return say::parse("", sql) + say::bind("", "") + say::describe('P', "") + say::execute();
    }
    static std::string rows(std::string_view of = "1") { return say::row({of}) + say::complete("SELECT 1"); }
    static std::string answer(std::string_view of = "1")
    {
        return say::parse_complete() + say::bind_complete() + say::columns("value") + rows(of);
    }
    /// Whether the group is answered here, with `reply`.
    bool hits(Talk& session, const std::string& group, const std::string& reply, char status = 'I')
    {
        session.sent();
        session.seen();
        if (session.client(group + say::sync()).kind != Kind::reply)
            return false;
        EXPECT_EQ(session.sent(), "");
        EXPECT_EQ(session.seen(), reply + say::ready(status));
        return true;
    }
    /// Goes upstream, and is stored.
    void fills(Talk& session, const std::string& group, const std::string& reply)
    {
        EXPECT_FALSE(session.does_group(group, reply));
        session.sent();
        session.seen();
    }
    void fills() { fills(app, read(), answer()); }
};

TEST_F(Groups, AreAnsweredWholeTheSecondTime)
{
    fills();
    EXPECT_TRUE(hits(app, read(), answer()));
    EXPECT_TRUE(hits(other, read(), answer())) << "another session of the same settings";
    EXPECT_EQ(world.metrics.hits.read(), 5u) << "three of them the fixture's";
    EXPECT_TRUE(app->is_quiet());
}

TEST_F(Groups, AreNotAnsweredByTheSimpleProtocolsEntry)
{
    app.fills(kReadAccounts);
    EXPECT_FALSE(hits(app, read(), answer()));
}

TEST_F(Groups, SentPieceByPieceAreAnsweredAtTheirSync)
{
    fills();
    for (const auto& message :
         {say::parse("", kReadAccounts), say::bind("", ""), say::describe('P', ""), say::execute()})
        EXPECT_EQ(app.client(message).kind, Kind::hold);
    EXPECT_EQ(app.seen(), "");
    EXPECT_EQ(app.client(say::sync()).kind, Kind::reply);
    EXPECT_EQ(app.seen(), answer() + say::ready('I'));
}

TEST_F(Groups, ArePreparedWithoutTheServerTheSecondTime)
{
    const auto prepare = say::parse("s", kReadByKey) + say::describe('S', "s");
    const auto described = say::parameters({23}) + say::columns("abalance");
    app.description = described;
    fills(app, prepare, say::parse_complete() + described);
    EXPECT_TRUE(hits(other, prepare, say::parse_complete() + described));
    // Its first Execute brings the Parse along, and its answer is swallowed.
    const auto run = bind_one("7", "s") + say::execute();
    other.client(run + say::sync());
    EXPECT_EQ(other.sent(), say::parse("s", kReadByKey) + run + say::sync());
    other.server(say::parse_complete() + say::bind_complete() + rows() + say::ready('I'));
    EXPECT_EQ(other.seen(), say::bind_complete() + rows() + say::ready('I'));
    EXPECT_TRUE(hits(other, run, say::bind_complete() + rows()));
    // The server has it now.
    other.client(bind_one("8", "s") + say::execute() + say::sync());
    EXPECT_EQ(other.sent(), bind_one("8", "s") + say::execute() + say::sync());
}

TEST_F(Groups, KeepValuesApart)
{
    fills(app, say::parse("", kReadByKey) + bind_one("1") + say::execute(),
          say::parse_complete() + say::bind_complete() + rows("one"));
    EXPECT_FALSE(app.does_group(say::parse("", kReadByKey) + bind_one("2") + say::execute(),
                                say::parse_complete() + say::bind_complete() + rows("two")));
    EXPECT_TRUE(hits(app, say::parse("", kReadByKey) + bind_one("1") + say::execute(),
                     say::parse_complete() + say::bind_complete() + rows("one")));
    EXPECT_TRUE(hits(app, say::parse("", kReadByKey) + bind_one("2") + say::execute(),
                     say::parse_complete() + say::bind_complete() + rows("two")));
}

TEST_F(Groups, AreConfinedToTheirValues)
{
    const auto one = say::parse("", kReadByKey) + bind_one("1") + say::execute();
    const auto two = say::parse("", kReadByKey) + bind_one("2") + say::execute();
    const auto done = say::parse_complete() + say::bind_complete() + rows();
    app.description = say::parameters({23}) + say::columns("abalance");
    fills(app, one, done);
    fills(app, two, done);
    EXPECT_TRUE(hits(app, one, done));
    other.does("UPDATE accounts SET abalance = 9 WHERE aid = 2", "UPDATE 1");
    EXPECT_FALSE(hits(app, two, done));
    app.server(done + say::ready('I'));
    EXPECT_TRUE(hits(app, one, done));
}

TEST_F(Groups, OfTheClockByAParameterAreNotStored)
{
    const auto group = say::parse("", "SELECT id FROM users WHERE name = $1") + bind_one("now") + say::execute();
    for (int i = 0; i < 2; ++i)
        EXPECT_FALSE(app.does_group(group, say::parse_complete() + say::bind_complete() + rows())) << i;
    EXPECT_EQ(world.bypasses(Reason::clock), 2u);
}

TEST_F(Groups, WithOneMissGoUpstreamWhole)
{
    fills();
    const auto both = read() + read("SELECT abalance FROM accounts WHERE aid = 2");
    app.client(both + say::sync());
    EXPECT_EQ(app.sent(), both + say::sync());
    app.server(answer() + answer("2") + say::ready('I'));
    EXPECT_EQ(app.seen(), answer() + answer("2") + say::ready('I'));
    EXPECT_TRUE(hits(app, both, answer() + answer("2")));
}

TEST_F(Groups, OfAWriteAreNotHalfAnswered)
{
    fills();
    const auto both = read() + say::run(kWriteUsers);
    app.client(both);
    EXPECT_EQ(app.sent(), both);
    EXPECT_EQ(app.seen(), "");
}

TEST_F(Groups, BehindAWriteOfTheSameGroupAreNotStored)
{
    app.client(say::run(kWriteUsers) + read() + say::sync());
    app.server(say::ran("UPDATE 1") + answer() + say::ready('I'));
    EXPECT_FALSE(hits(app, read(), answer()));
}

TEST_F(Groups, EndedByAnErrorAreNotStored)
{
    app.client(read() + say::run("SELECT 1 / 0") + say::sync());
    app.server(answer() + say::parse_complete() + say::bind_complete() + say::error("22012") + say::ready('I'));
    EXPECT_FALSE(hits(app, read(), answer()));
}

TEST_F(Groups, WithANoticeAreNotStored)
{
    app.client(read() + say::sync());
    app.server(say::parse_complete() + say::bind_complete() + say::columns("value") + say::notice() + rows() +
               say::ready('I'));
    EXPECT_FALSE(hits(app, read(), answer()));
}

TEST_F(Groups, OfSomeRowsAtATimeAreForwarded)
{
    fills();
    const auto some = say::parse("", kReadAccounts) + say::bind("", "") + say::execute("", 1);
    EXPECT_FALSE(
        app.does_group(some, say::parse_complete() + say::bind_complete() + say::row({"1"}) + say::suspended()));
    EXPECT_EQ(world.bypasses(Reason::extended_protocol), 1u);
    EXPECT_TRUE(hits(app, read(), answer())) << "and leave what was stored";
}

TEST_F(Groups, ExecutedTwiceAreForwarded)
{
    fills();
    const auto twice = read() + say::execute();
    app.client(twice + say::sync());
    EXPECT_EQ(app.sent(), twice + say::sync());
}

TEST_F(Groups, OfAnotherTextUnderAStatementsNameAreTheServersToRefuse)
{
    app.description = say::parameters() + say::columns("value");
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    const auto again = say::parse("s", kReadAccounts);
    app.client(again + say::sync());
    EXPECT_EQ(app.sent(), again + say::sync());
    app.server(say::error("42P05") + say::ready('I'));
    EXPECT_EQ(app.seen(), say::error("42P05") + say::ready('I'));
}

TEST_F(Groups, WhoseNameTheServerLacksGiveItBeforeItRefusesASecond)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    other.client(say::parse("s", kReadAccounts) + say::sync());
    EXPECT_EQ(other.sent(), say::parse("s", kReadAccounts) + say::parse("s", kReadAccounts) + say::sync());
    other.server(say::parse_complete() + say::error("42P05") + say::ready('I'));
    EXPECT_EQ(other.seen(), say::error("42P05") + say::ready('I'));
    // It lives on, on both sides.
    const auto run = say::run_prepared("s");
    other.client(run + say::sync());
    EXPECT_EQ(other.sent(), run + say::sync());
}

TEST_F(Groups, CloseANameWithoutTheServerWhichHearsOfItLater)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(app, say::close('S', "s"), say::close_complete()));
    EXPECT_TRUE(hits(app, say::close('S', "s"), say::close_complete())) << "a name that is unknown";
    EXPECT_TRUE(hits(app, say::parse("s", kReadAccounts), say::parse_complete()));
    const auto run = say::run_prepared("s");
    app.client(run + say::sync());
    EXPECT_EQ(app.sent(), say::close('S', "s") + say::parse("s", kReadAccounts) + run + say::sync());
    app.server(say::close_complete() + say::parse_complete() + say::ran_prepared("SELECT 0") + say::ready('I'));
    EXPECT_EQ(app.seen(), say::ran_prepared("SELECT 0") + say::ready('I'));
}

TEST_F(Groups, BoundToAClosedNameAreRefusedByTheServer)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(app, say::close('S', "s"), say::close_complete()));
    app.client(say::run_prepared("s") + say::sync());
    EXPECT_EQ(app.sent(), say::close('S', "s") + say::run_prepared("s") + say::sync());
    app.server(say::close_complete() + say::error("26000") + say::ready('I'));
    EXPECT_EQ(app.seen(), say::error("26000") + say::ready('I'));
}

TEST_F(Groups, WhoseHiddenParseWasSkippedSendItAnew)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    other.client(say::run("SELECT 1 / 0") + say::run_prepared("s") + say::sync());
    EXPECT_EQ(other.sent(),
              say::run("SELECT 1 / 0") + say::parse("s", kReadAccounts) + say::run_prepared("s") + say::sync());
    other.server(say::parse_complete() + say::bind_complete() + say::error("22012") + say::ready('I'));
    EXPECT_EQ(other.seen(), say::parse_complete() + say::bind_complete() + say::error("22012") + say::ready('I'));
    other.client(say::run_prepared("s") + say::sync());
    EXPECT_EQ(other.sent(), say::parse("s", kReadAccounts) + say::run_prepared("s") + say::sync());
}

TEST_F(Groups, BehindAHiddenParseThatIsNotAnsweredWait)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    other.client(say::run_prepared("s") + say::sync());
    EXPECT_EQ(other.client(say::run_prepared("s")).kind, Kind::wait);
    EXPECT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::wait);
    other.sent();
    other.server(say::parse_complete() + say::ran_prepared("SELECT 0") + say::ready('I'));
    EXPECT_NE(other.client(say::bind("", "s")).kind, Kind::wait);
}

TEST_F(Groups, BehindAParseOfANameThatTheServerLacksWait)
{
    const auto run = say::run_prepared("");
    fills(app, say::parse("", kReadAccounts) + run, say::parse_complete() + say::bind_complete() + rows());
    EXPECT_TRUE(hits(other, say::parse("", kReadAccounts), say::parse_complete()));
    // Its Parse is skipped; then the unnamed statement is still the old one, of which the server has not heard.
    other.client(say::describe('S', "none") + say::parse("", kWriteUsers) + say::sync());
    EXPECT_EQ(other.client(say::bind("", "")).kind, Kind::wait);
    other.server(say::error("26000") + say::ready('I'));
    EXPECT_TRUE(hits(other, run, say::bind_complete() + rows()));
}

TEST_F(Groups, WhoseHiddenParseFailsTellTheClientWhy)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    other.client(say::run_prepared("s") + say::sync());
    other.server(say::error("42P01") + say::ready('I'));
    EXPECT_EQ(other.seen(), say::error("42P01") + say::ready('I'));
    EXPECT_TRUE(other->is_quiet());
    EXPECT_FALSE(other.is_blind());
}

// The unnamed statement

TEST_F(Groups, LoseTheUnnamedStatementToAQuery)
{
    fills(app, say::parse("", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(app.hits(kReadUsers)) << "answered here, too";
    app.sent();
    app.seen();
    app.client(say::run_prepared("") + say::sync());
    EXPECT_EQ(app.sent(), say::close('S', "") + say::run_prepared("") + say::sync());
    app.server(say::close_complete() + say::error("26000") + say::ready('I'));
    EXPECT_EQ(app.seen(), say::error("26000") + say::ready('I'));
}

TEST_F(Groups, LoseTheUnnamedStatementToAParseThatFailed)
{
    const auto run = say::run_prepared("");
    fills(app, say::parse("", kReadAccounts) + run, say::parse_complete() + say::bind_complete() + rows());
    EXPECT_TRUE(hits(app, run, say::bind_complete() + rows()));
    app.does_group(say::parse("", "SELEC"), say::error("42601"));
    EXPECT_FALSE(hits(app, run, say::bind_complete() + rows()));
}

TEST_F(Groups, KeepTheUnnamedStatementWhenItsParseWasSkipped)
{
    const auto run = say::run_prepared("");
    fills(app, say::parse("", kReadAccounts) + run, say::parse_complete() + say::bind_complete() + rows());
    app.does_group(say::describe('S', "none") + say::parse("", "SELECT 1"), say::error("26000"));
    EXPECT_TRUE(hits(app, run, say::bind_complete() + rows()));
}

TEST_F(Groups, KeepTheUnnamedStatementWhenASettingIsAskedFor)
{
    const auto run = say::run_prepared("");
    fills(app, say::parse("", kReadAccounts) + run, say::parse_complete() + say::bind_complete() + rows());
    app.server(say::parameter("DateStyle", "ISO, MDY"));
    app.seen();
    EXPECT_TRUE(hits(app, run, say::bind_complete() + rows()));
}

// Flush

TEST_F(Groups, ThatAreFlushedBehindADescribeAreAnsweredInTwo)
{
    const auto prepare = say::parse("s", kReadAccounts) + say::describe('S', "s");
    const auto prepared = say::parse_complete() + say::parameters() + say::columns("value");
    fills(app, prepare + say::bind("", "s") + say::execute(), prepared + say::bind_complete() + rows());
    EXPECT_EQ(other.client(prepare + say::flush()).kind, Kind::reply);
    EXPECT_EQ(other.seen(), prepared);
    EXPECT_TRUE(hits(other, say::run_prepared("s"), say::bind_complete() + rows()));
}

TEST_F(Groups, ThatAreFlushedBehindAnExecuteGoUpstream)
{
    fills();
    const auto group = read() + say::flush();
    app.client(group);
    EXPECT_EQ(app.sent(), group);
}

// Transactions

TEST_F(Groups, OfABeginAreHeldBackWithIt)
{
    fills();
    EXPECT_TRUE(hits(app, say::run("BEGIN") + read(), say::ran("BEGIN") + answer(), 'T'));
    EXPECT_TRUE(hits(app, read(), answer(), 'T'));
    EXPECT_TRUE(hits(app, say::run("COMMIT"), say::ran("COMMIT"), 'I'));
}

TEST_F(Groups, SendTheirBeginBeforeTheFirstMiss)
{
    fills();
    EXPECT_TRUE(hits(app, say::run("BEGIN"), say::ran("BEGIN"), 'T'));
    const auto miss = read("SELECT abalance FROM accounts WHERE aid = 2");
    app.client(miss + say::sync());
    EXPECT_EQ(app.sent(), say::query("BEGIN") + miss + say::sync());
    app.answers_begin();
    app.server(answer("2") + say::ready('T'));
    EXPECT_EQ(app.seen(), answer("2") + say::ready('T'));
    EXPECT_TRUE(hits(app, miss, answer("2"), 'T')) << "it was stored inside of the transaction";
}

TEST_F(Groups, OfATransactionsOwnWritesGoUpstream)
{
    fills();
    app.begins();
    app.does_group(say::run(kWriteAccounts), say::ran("UPDATE 1"), 'T');
    EXPECT_FALSE(hits(app, read(), answer(), 'T'));
}

TEST_F(Groups, OfAFailedTransactionGoUpstream)
{
    fills();
    app.begins();
    app.does_group(say::run("SELECT 1 / 0"), say::parse_complete() + say::bind_complete() + say::error("22012"), 'E');
    app.sent();
    app.client(read() + say::sync());
    EXPECT_EQ(app.sent(), read() + say::sync());
}

TEST_F(Groups, OfRepeatableReadGoUpstream)
{
    fills();
    app.begins("BEGIN ISOLATION LEVEL REPEATABLE READ");
    EXPECT_FALSE(hits(app, read(), answer(), 'T'));
}

TEST_F(Groups, LeaveAPortalInATransactionThatIsMadeUpWhenItIsAskedFor)
{
    fills();
    app.begins();
    EXPECT_TRUE(hits(app, read(), answer(), 'T'));
    app.client(say::execute() + say::sync());
    const auto own = say::close('S', kOwnName);
    EXPECT_EQ(app.sent(), own + say::parse(kOwnName, kReadAccounts) + say::bind("", kOwnName) + say::execute() + own +
                              say::execute() + say::sync());
    app.server(say::close_complete() + say::parse_complete() + say::bind_complete() + rows() + say::close_complete() +
               say::complete("SELECT 0") + say::ready('T'));
    EXPECT_EQ(app.seen(), say::complete("SELECT 0") + say::ready('T'));
}

TEST_F(Groups, WithANamedPortalInATransactionGoUpstream)
{
    const auto group = say::parse("", kReadAccounts) + say::bind("p", "") + say::execute("p");
    const auto reply = say::parse_complete() + say::bind_complete() + rows();
    fills(app, group, reply);
    EXPECT_TRUE(hits(app, group, reply));
    app.begins();
    EXPECT_FALSE(hits(app, group, reply, 'T'));
}

TEST_F(Groups, OfTwoReadsShareASnapshotUnlessItIsReadCommitted)
{
    app.server(say::parameter("DateStyle", "ISO, MDY")); // so that it asks anew
    app.settings.default_isolation = "repeatable read";
    const auto both = read() + read("SELECT abalance FROM accounts WHERE aid = 2");
    fills(app, both, answer() + answer("2"));
    EXPECT_FALSE(hits(app, both, answer() + answer("2")));
}

// What a statement was when it was prepared

TEST_F(Groups, WhoseStatementIsAnotherNowAreRefused)
{
    const auto prepare = say::parse("s", kReadAccounts);
    fills(app, prepare, say::parse_complete());
    EXPECT_TRUE(hits(other, prepare, say::parse_complete()));
    app.does("ALTER TABLE accounts ADD COLUMN note text", "ALTER TABLE");
    world.catalog_is_read();
    app.description = say::parameters() + say::columns("more");
    app.does_group(say::parse("again", kReadAccounts), say::parse_complete());
    other.client(say::run_prepared("s") + say::sync());
    EXPECT_EQ(other.sent(), say::run_prepared("s") + say::sync()) << "the server does not have it, and shall not";
    other.server(say::error("26000") + say::ready('I'));
    EXPECT_TRUE(other.seen().find("0A000") != std::string::npos);
    EXPECT_FALSE(other.is_blind());
}

/// A statement `s` of `other` that only pgmemo has prepared, and that has other columns since.
class ChangedColumns : public Groups {
protected:
    ChangedColumns()
    {
        const auto prepare = say::parse("s", kReadAccounts);
        fills(app, prepare, say::parse_complete());
        EXPECT_TRUE(hits(other, prepare, say::parse_complete()));
        app.does("ALTER TABLE accounts ADD COLUMN note text", "ALTER TABLE");
        world.catalog_is_read();
        app.description = say::parameters() + say::columns("more");
        app.does_group(say::parse("again", kReadAccounts), say::parse_complete());
    }
};

TEST_F(ChangedColumns, ArePreparedAnewForAClientThatAsksForThem)
{
    const auto run = say::bind("", "s") + say::describe('P', "") + say::execute();
    other.client(run + say::sync());
    EXPECT_EQ(other.sent(), say::parse("s", kReadAccounts) + run + say::sync());
    const auto reply = say::bind_complete() + say::columns("more") + rows();
    other.server(say::parse_complete() + reply + say::ready('I'));
    EXPECT_EQ(other.seen(), reply + say::ready('I'));
    EXPECT_EQ(world.metrics.prepared_anew.read(), 1u);
    EXPECT_TRUE(hits(other, run, reply)) << "and it hits again";
}

TEST_F(ChangedColumns, AreRefusedWhereTheNextMessageIsAnother)
{
    const auto run = say::bind("", "s") + say::describe('S', "s") + say::execute();
    EXPECT_EQ(other.client(say::bind("", "s")).kind, Kind::hold);
    other.client(say::describe('S', "s") + say::execute() + say::sync());
    EXPECT_EQ(other.sent(), run + say::sync());
    EXPECT_EQ(world.metrics.prepared_anew.read(), 0u);
}

TEST_F(ChangedColumns, AreRefusedInATransaction)
{
    other.begins();
    other.client(say::bind("", "s") + say::describe('P', "") + say::execute() + say::sync());
    EXPECT_EQ(world.metrics.prepared_anew.read(), 0u);
}

TEST_F(Groups, AreNotPreparedAnewIfABinaryValueMightNowMeanSomethingElse)
{
    const auto described = say::parameters({23}) + say::columns("abalance");
    const auto prepare = say::parse("s", kReadByKey);
    app.description = described;
    fills(app, prepare, say::parse_complete());
    EXPECT_TRUE(hits(other, prepare, say::parse_complete()));
    app.does("ALTER TABLE accounts ALTER aid TYPE bigint", "ALTER TABLE");
    world.catalog_is_read();
    app.description = say::parameters({20}) + say::columns("more");
    app.does_group(say::parse("again", kReadByKey), say::parse_complete());
    const auto binary = wire::message('B', say::text("") + say::text("s") + wire::u16(1) + wire::u16(1) + wire::u16(1) +
                                               value(std::string(4, '\0')) + wire::u16(0));
    other.client(binary + say::describe('P', "") + say::execute() + say::sync());
    EXPECT_EQ(world.metrics.prepared_anew.read(), 0u);
    other.server(say::error("26000") + say::ready('I'));
    other.seen();
    other.client(bind_one("7", "s") + say::describe('P', "") + say::execute() + say::sync());
    EXPECT_EQ(world.metrics.prepared_anew.read(), 1u) << "text is read as what the parameter is now";
}

// What must not wedge or break it

TEST_F(Groups, TooLongToBeGatheredAreStreamed)
{
    fills();
    std::string group;
    for (int i = 0; i < 100; ++i)
        group += read();
    app.client(group + say::sync());
    EXPECT_EQ(app.sent(), group + say::sync());
}

TEST_F(Groups, ThatAQueryInterruptsGoUpstreamBeforeIt)
{
    fills();
    app.client(read());
    app.client(say::query("SELECT 1"));
    EXPECT_EQ(app.sent(), read() + say::query("SELECT 1"));
    EXPECT_TRUE(app.is_blind());
}

TEST_F(Groups, ThatATerminateInterruptsGoUpstreamBeforeIt)
{
    fills();
    app.client(read() + say::terminate());
    EXPECT_EQ(app.sent(), read() + say::terminate());
}

TEST_F(Groups, OfNothingButASyncAreAnswered)
{
    EXPECT_TRUE(hits(app, "", ""));
}

TEST_F(Groups, GiveTheServerItsNamesBeforeSqlAsksForThem)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    other.client(say::query("DEALLOCATE s"));
    EXPECT_EQ(other.sent(), say::parse("s", kReadAccounts) + say::sync() + say::query("DEALLOCATE s"));
    other.server(say::parse_complete() + say::ready('I') + say::complete("DEALLOCATE") + say::ready('I'));
    EXPECT_EQ(other.seen(), say::complete("DEALLOCATE") + say::ready('I'));
    EXPECT_FALSE(hits(other, say::run_prepared("s"), ""));
}

TEST_F(Groups, KeepTheNamesThatTheServerLacksWhenSqlMakesAnother)
{
    const auto run = say::run_prepared("s");
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    app.does(kWriteAnything, "SELECT 1"); // now it is not known whether they are what they were
    other.does("PREPARE p AS SELECT 1", "PREPARE");
    other.sent();
    other.client(run);
    EXPECT_TRUE(other.sent().find(say::parse("s", kReadAccounts)) != std::string::npos);
}

TEST_F(Groups, GiveANameAnewWhenSqlMayHaveTakenItAway)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    other.client(say::query("PREPARE p AS SELECT 1"));
    other.server(say::parse_complete() + say::ready('I') + say::complete("PREPARE") + say::ready('I'));
    other.sent();
    other.client(say::run_prepared("s"));
    EXPECT_EQ(other.sent(), say::close('S', "s") + say::parse("s", kReadAccounts) + say::run_prepared("s"));
}

TEST_F(Groups, LoseTheNamesThatTheServerLacksToDeallocateAll)
{
    fills(app, say::parse("s", kReadAccounts), say::parse_complete());
    EXPECT_TRUE(hits(other, say::parse("s", kReadAccounts), say::parse_complete()));
    app.does(kWriteAnything, "SELECT 1");
    other.does("DEALLOCATE ALL", "DEALLOCATE ALL");
    other.sent();
    other.client(say::run_prepared("s"));
    EXPECT_EQ(other.sent(), say::run_prepared("s"));
}

} // namespace
} // namespace pgmemo::proxy
