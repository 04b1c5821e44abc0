#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

constexpr std::string_view kCopyIn = "COPY accounts FROM STDIN";
constexpr std::string_view kCountAccounts = "SELECT count(*) FROM accounts";

/// The server ignores Sync and Flush while it waits for rows, so how many ReadyForQuery come depends on when it began
/// to. Source: PostgreSQL documentation, "COPY Operations".
class Copy : public TwoSessions {
protected:
    Copy()
    {
        app.fills(kCountAccounts);
        other.hits(kCountAccounts);
    }
    /// Everything has been answered, and the session goes on as any other.
    void is_over()
    {
        EXPECT_TRUE(app->is_quiet());
        EXPECT_FALSE(app.is_blind()) << app->blind_reason();
        EXPECT_FALSE(world.is_flying(kAccounts));
        EXPECT_FALSE(world.is_database_flying());
        EXPECT_FALSE(other.hits(kCountAccounts));
        app.fills(kReadUsers);
    }

    const std::string kStarted = say::parse_complete() + say::bind_complete() + say::copy_in();
    const std::string kRows = say::copy_data("1\tAnn\t7\n");
};

TEST_F(Copy, BySimpleQueryIsInFlightToItsEnd)
{
    app.client(say::query(kCopyIn));
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.server(say::copy_in());
    EXPECT_EQ(app.seen(), say::copy_in());
    app.client(kRows + kRows + say::copy_done());
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.server(say::complete("COPY 2"));
    EXPECT_EQ(app.seen(), "");
    app.server(say::ready('I'));
    EXPECT_EQ(app.seen(), say::complete("COPY 2") + say::ready('I'));
    is_over();
}

TEST_F(Copy, BySimpleQueryMayFailWhileRowsStillCome)
{
    app.client(say::query(kCopyIn));
    app.server(say::copy_in());
    app.client(kRows);
    app.server(say::error("22P02") + say::ready('I'));
    app.client(kRows + say::copy_done()); // too late: the server ignores them
    is_over();
}

TEST_F(Copy, BySimpleQueryMayBeGivenUp)
{
    app.client(say::query(kCopyIn));
    app.server(say::copy_in());
    app.client(kRows + say::copy_fail("no more"));
    app.server(say::error("57014") + say::ready('I'));
    is_over();
}

TEST_F(Copy, OutMovesNothing)
{
    app.client(say::query("COPY accounts TO STDOUT"));
    EXPECT_FALSE(world.is_flying(kAccounts));
    app.server(wire::message('H', '\0' + wire::u16(0)) + kRows + say::copy_done() + say::complete("COPY 1") +
               say::ready('I'));
    EXPECT_TRUE(app->is_quiet());
    EXPECT_TRUE(other.hits(kCountAccounts));
}

TEST_F(Copy, WhoseSyncComesAfterTheRowsIsOneGroup)
{
    app.client(say::run(kCopyIn) + say::flush());
    app.server(kStarted);
    app.client(kRows + say::copy_done() + say::sync());
    app.server(say::complete("COPY 1") + say::ready('I'));
    is_over();
}

TEST_F(Copy, WhoseFirstSyncWasIgnoredEndsAtTheSecond)
{
    app.client(say::run(kCopyIn) + say::sync());
    app.server(kStarted);
    app.client(kRows + say::copy_done());
    app.server(say::complete("COPY 1"));
    EXPECT_FALSE(app->is_quiet());
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.client(say::sync());
    app.server(say::ready('I'));
    is_over();
}

TEST_F(Copy, SentAllAtOnceEndsAtTheSecondSync)
{
    app.client(say::run(kCopyIn) + say::sync() + kRows + say::copy_done() + say::sync());
    app.server(kStarted + say::complete("COPY 1") + say::ready('I'));
    is_over();
}

TEST_F(Copy, SentAllAtOnceWithoutASyncBeforeTheRowsEndsAtItsOne)
{
    app.client(say::run(kCopyIn) + kRows + say::copy_done() + say::sync());
    app.server(kStarted + say::complete("COPY 1") + say::ready('I'));
    is_over();
}

TEST_F(Copy, SentAllAtOnceIgnoresEverySyncBeforeItsEnd)
{
    app.client(say::run(kCopyIn) + say::sync() + kRows + say::sync() + say::sync() + say::sync());
    app.server(kStarted);
    app.client(kRows + say::copy_done() + say::sync());
    app.server(say::complete("COPY 2") + say::ready('I'));
    is_over();
}

TEST_F(Copy, ThatNeverBeganIsOrdinary)
{
    app.client(say::run(kCopyIn) + say::sync() + kRows + say::copy_done() + say::sync());
    app.server(say::parse_complete() + say::bind_complete() + say::error("42P01") + say::ready('I')); // the first Sync
    EXPECT_FALSE(app->is_quiet());
    app.server(say::ready('I')); // and the second
    is_over();
}

TEST_F(Copy, ThatFailsInTheMiddleSkipsToTheSyncBehindIt)
{
    app.client(say::run(kCopyIn) + say::sync());
    app.server(kStarted);
    app.client(kRows);
    app.server(say::error("22P02"));
    app.client(kRows + say::copy_fail("the server says so") + say::sync());
    app.server(say::ready('I'));
    is_over();
}

TEST_F(Copy, ThatFailsInTheMiddleNeedsNoCopyFail)
{
    app.client(say::run(kCopyIn) + say::flush());
    app.server(kStarted);
    app.client(kRows);
    app.server(say::error("22P02"));
    app.client(say::sync());
    app.server(say::ready('I'));
    is_over();
}

TEST_F(Copy, MayBeFollowedByMoreInItsGroup)
{
    app.client(say::run(kCopyIn) + say::sync());
    app.server(kStarted);
    app.client(kRows + say::copy_done() + say::run(kWriteUsers) + say::sync());
    EXPECT_TRUE(world.is_flying(kUsers));
    app.server(say::complete("COPY 1") + say::ran("UPDATE 1") + say::ready('I'));
    EXPECT_FALSE(world.is_flying(kUsers));
    is_over();
}

TEST_F(Copy, MayBeFollowedByMoreAllAtOnce)
{
    app.client(say::run(kCopyIn) + say::sync() + kRows + say::copy_done() + say::run(kWriteUsers) + say::sync() +
               say::run(kReadUsers) + say::sync());
    app.server(kStarted + say::complete("COPY 1") + say::ran("UPDATE 1") + say::ready('I'));
    EXPECT_FALSE(world.is_flying(kUsers));
    EXPECT_FALSE(app->is_quiet());
    app.server(say::ran("SELECT 1") + say::ready('I'));
    is_over();
}

TEST_F(Copy, BehindWhichATransactionBeginsTakesItsIsolation)
{
    app.begins();
    app.client(say::run(kCopyIn) + say::sync() + kRows + say::copy_done() + say::run("COMMIT") +
               say::run("BEGIN ISOLATION LEVEL REPEATABLE READ") + say::sync());
    app.server(kStarted + say::complete("COPY 1") + say::ran("COMMIT") + say::ran("BEGIN") + say::ready('T'));
    ASSERT_TRUE(app->is_quiet());
    app.settings.isolation = "repeatable read";
    app.misses(kReadUsers);
    EXPECT_FALSE(app.hits(kReadUsers));
}

TEST_F(Copy, InATransactionMovesNothingBeforeItsCommit)
{
    app.begins();
    app.client(say::query(kCopyIn));
    app.server(say::copy_in());
    app.client(kRows + say::copy_done());
    app.server(say::complete("COPY 1") + say::ready('T'));
    EXPECT_TRUE(other.hits(kCountAccounts));
    app.does("COMMIT", "COMMIT", 'I');
    is_over();
}

TEST_F(Copy, LostInTheMiddleIsUnresolved)
{
    app.client(say::query(kCopyIn));
    app.server(say::copy_in());
    app.client(kRows);
    app.ends();
    EXPECT_EQ(world.unresolved.size(), 1u);
    EXPECT_TRUE(world.is_flying(kAccounts));
}

TEST_F(Copy, StrayRowsOutsideOfItAreRelayedAndOweNothing)
{
    app.client(kRows + say::copy_done() + say::copy_fail("?"));
    EXPECT_TRUE(app.sent().ends_with(kRows + say::copy_done() + say::copy_fail("?")));
    EXPECT_TRUE(app->is_quiet());
}

} // namespace
} // namespace pgmemo::proxy
