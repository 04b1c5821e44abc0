#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

/// Requests that are sent before the replies to those before them have come.
class Pipelined : public TwoSessions {
protected:
    Pipelined()
    {
        app.fills(kReadAccounts);
        app.fills(kReadUsers);
    }
    const std::string_view kOtherRead = "SELECT bid FROM accounts WHERE aid = 1";
};

TEST_F(Pipelined, AHitBehindPlainReadsWaitsForItsTurn)
{
    app.client(say::query("SELECT random()"));
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::wait);
    EXPECT_EQ(app.sent(), say::query("SELECT random()"));
    app.server(say::one_row("0.5"));
    EXPECT_FALSE(app->is_quiet());
    app.server(say::ready('I'));
    ASSERT_TRUE(app->is_quiet());
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::serve);
    EXPECT_EQ(app.seen(), say::one_row("0.5") + say::ready('I') + say::one_row("1") + say::ready('I'));
}

TEST_F(Pipelined, AHitThatWaitedIsLookedUpAgain)
{
    app.client(say::query("SELECT random()"));
    ASSERT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::wait);
    other.does(kWriteAccounts, "UPDATE 1");
    app.server(say::one_row("0.5") + say::ready('I'));
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::relay);
}

TEST_F(Pipelined, AHitBehindAWriteOfAnotherTableIsForwarded)
{
    app.client(say::query(kWriteUsers));
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::relay);
    app.server(say::complete("UPDATE 1") + say::ready('I') + say::one_row("1") + say::ready('I'));
    EXPECT_TRUE(app->is_quiet());
    EXPECT_EQ(world.metrics.hits.read(), 2u) << "those of the fixture";
}

TEST_F(Pipelined, AHitBehindABeginIsForwarded)
{
    app.client(say::query("BEGIN ISOLATION LEVEL SERIALIZABLE"));
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::relay);
}

TEST_F(Pipelined, AHitBehindAnExtendedGroupOfReadsWaitsForIt)
{
    app.client(say::run(kReadUsers) + say::sync());
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::wait);
}

TEST_F(Pipelined, AHitBehindAnExtendedGroupThatWritesIsForwarded)
{
    app.client(say::run(kWriteUsers) + say::sync());
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::relay);
}

TEST_F(Pipelined, NothingIsStoredBehindAWrite)
{
    app.client(say::query(kWriteUsers));
    app.client(say::query(kOtherRead));
    app.server(say::complete("UPDATE 1") + say::ready('I') + say::one_row("Ann") + say::ready('I'));
    EXPECT_EQ(world.metrics.fills_stored.read(), 2u);
    EXPECT_FALSE(app.hits(kOtherRead));
}

TEST_F(Pipelined, NothingIsStoredBehindAPipelinedBeginAndItsWrite)
{
    app.client(say::query("BEGIN ISOLATION LEVEL SERIALIZABLE"));
    app.client(say::query(kWriteAccounts));
    app.client(say::query(kOtherRead));
    app.server(say::complete("BEGIN") + say::ready('T') + say::complete("UPDATE 1") + say::ready('T') +
               say::one_row("uncommitted") + say::ready('T'));
    app.client(say::query("ROLLBACK"));
    app.server(say::complete("ROLLBACK") + say::ready('I'));
    EXPECT_FALSE(app.hits(kOtherRead));
}

TEST_F(Pipelined, ReadsBehindReadsAreAllStored)
{
    const auto second = "SELECT note FROM users WHERE id = 1";
    EXPECT_EQ(app.client(say::query(kOtherRead)).kind, Kind::relay);
    EXPECT_EQ(app.client(say::query(second)).kind, Kind::relay);
    app.server(say::one_row("Ann") + say::ready('I') + say::one_row("2") + say::ready('I'));
    app.seen();
    EXPECT_TRUE(app.hits(second));
    EXPECT_TRUE(app.hits(kOtherRead));
    EXPECT_EQ(app.seen(), say::one_row("2") + say::ready('I') + say::one_row("Ann") + say::ready('I'))
        << "each its own reply";
}

TEST_F(Pipelined, WritesEndOneByOne)
{
    app.client(say::query(kWriteAccounts));
    app.client(say::query(kWriteUsers));
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_TRUE(world.is_flying(kUsers));
    const auto first = say::complete("UPDATE 1") + say::ready('I');
    app.server(first);
    EXPECT_EQ(app.seen(), first);
    EXPECT_TRUE(world.is_flying(kUsers));
    app.server(first);
    EXPECT_FALSE(world.is_flying(kAccounts));
    EXPECT_FALSE(world.is_flying(kUsers));
}

TEST_F(Pipelined, AWholeTransactionIsInFlightUntilItsCommitIsAnswered)
{
    app.client(say::query("BEGIN ISOLATION LEVEL SERIALIZABLE"));
    app.client(say::query(kWriteAccounts));
    app.client(say::query("COMMIT"));
    app.server(say::complete("BEGIN") + say::ready('T') + say::complete("UPDATE 1") + say::ready('T'));
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.server(say::complete("COMMIT") + say::ready('I'));
    EXPECT_FALSE(world.is_flying(kAccounts));
}

TEST_F(Pipelined, AQuestionIsNotAskedBehindWhatIsUnderWay)
{
    other.client(say::query("SELECT random()"));
    EXPECT_EQ(other.client(say::query(kReadAccounts)).kind, Kind::relay);
    EXPECT_EQ(other.sent(), say::query("SELECT random()") + say::query(kReadAccounts));
}

// The bound on what is owed

TEST_F(Pipelined, MoreThanTheBoundWaits)
{
    for (std::size_t i = 0; i < Exchange::kMaxOwed; ++i)
        ASSERT_EQ(app.client(say::query("SELECT random()")).kind, Kind::relay) << i;
    EXPECT_EQ(app.client(say::query("SELECT random()")).kind, Kind::wait);
    EXPECT_EQ(app.client(say::parse("", "SELECT 1")).kind, Kind::wait);
    EXPECT_EQ(app.client(say::sync()).kind, Kind::wait);
    EXPECT_EQ(app.client(say::function_call()).kind, Kind::wait);
    EXPECT_EQ(app.client(say::flush()).kind, Kind::relay);
    EXPECT_EQ(app.client(say::terminate()).kind, Kind::relay);
    for (std::size_t i = 0; i < Exchange::kMaxOwed; ++i)
        app.server(say::one_row("0") + say::ready('I'));
    EXPECT_TRUE(app->is_quiet());
    EXPECT_EQ(app.client(say::query("SELECT random()")).kind, Kind::relay);
}

TEST_F(Pipelined, AGroupThatHasBegunNeverWaits)
{
    app.client(say::query("SELECT random()"));
    for (std::size_t i = 0; i + 2 < Exchange::kMaxOwed; ++i)
        ASSERT_EQ(app.client(say::sync()).kind, Kind::relay) << i;
    for (std::size_t i = 0; i < 3 * Exchange::kMaxOwed; ++i)
        ASSERT_EQ(app.client(say::run_prepared("s")).kind, Kind::relay) << i;
    EXPECT_EQ(app.client(say::sync()).kind, Kind::relay) << "without its Sync the server would never answer";
    EXPECT_EQ(app.client(say::sync()).kind, Kind::wait);
}

// What the client waits for

TEST_F(Pipelined, OnlyWhatIsTheClientsOwnCanBeCancelled)
{
    EXPECT_FALSE(app->client_waits());
    app.client(say::query("SELECT random()"));
    EXPECT_TRUE(app->client_waits());
    app.server(say::one_row("0") + say::ready('I'));
    EXPECT_FALSE(app->client_waits());
    app.client(say::query("BEGIN"));
    EXPECT_FALSE(app->client_waits());
    app.client(say::query("SELECT random()"));
    EXPECT_FALSE(app->client_waits()) << "the server is still at the BEGIN";
    app.answers_begin();
    EXPECT_TRUE(app->client_waits());
}

TEST_F(Pipelined, AServerThatSaysGoodbyeIsRemembered)
{
    EXPECT_FALSE(app->said_fatal());
    app.server(say::error("22012"));
    EXPECT_FALSE(app->said_fatal());
    app.server(say::error("57P01", "FATAL"));
    EXPECT_TRUE(app->said_fatal());
    EXPECT_EQ(app.seen(), say::error("22012") + say::error("57P01", "FATAL"));
}

TEST(Start, IsOverAtTheFirstReadyForQuery)
{
    World world;
    Talk app{world};
    app.server(wire::message('R', wire::u32(0)) + say::notice() + say::parameter("client_encoding", "UTF8"));
    EXPECT_FALSE(app->has_started());
    EXPECT_FALSE(app->is_idle());
    app.server(say::ready('I'));
    EXPECT_TRUE(app->has_started());
    EXPECT_TRUE(app->is_idle());
}

TEST(Start, MayBeFollowedByRequestsBeforeItIsOver)
{
    World world;
    Talk app{world};
    EXPECT_EQ(app.client(wire::message('p', "secret")).kind, Kind::relay);
    EXPECT_EQ(app.client(say::query(kWriteAccounts)).kind, Kind::relay);
    EXPECT_TRUE(world.is_flying(kAccounts) || world.is_database_flying());
    app.server(say::ready('I') + say::complete("UPDATE 1") + say::ready('I'));
    EXPECT_TRUE(app->is_quiet());
}

} // namespace
} // namespace pgmemo::proxy
