#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

/// A session that cannot be followed is relayed as it is, and nothing of its database is served until it has ended.
class Blind : public TwoSessions {
protected:
    Blind() { other.fills(kReadAccounts); }

    void expect_blind()
    {
        EXPECT_TRUE(app.is_blind());
        EXPECT_EQ(world.metrics.blind_sessions.read(), 1u);
        EXPECT_TRUE(world.is_database_flying());
        EXPECT_FALSE(other.hits(kReadAccounts));

        app.sent();
        app.seen();
        const auto asked =
            say::query("BEGIN") + say::query(kReadAccounts) + say::run(kWriteAccounts) + say::sync() + say::terminate();
        const auto answered =
            say::complete("BEGIN") + say::ready('T') + say::one_row("1") + say::notice() + say::ready('T');
        app.client(asked);
        app.server(answered);
        EXPECT_EQ(app.sent(), asked);
        EXPECT_EQ(app.seen(), answered);
    }
    void expect_over_when_the_backend_is_gone()
    {
        app.ends();
        EXPECT_TRUE(world.is_database_flying()) << "the backend may still be at work";
        EXPECT_GE(world.unresolved.size(), 1u);
        world.unresolved.backends_gone({4711});
        EXPECT_FALSE(world.is_database_flying());
        EXPECT_EQ(world.unresolved.size(), 0u);
        EXPECT_FALSE(world.shop.is_usable()) << "nobody knows what it did to the catalog";
    }
};

TEST_F(Blind, AfterAMessageThatNoClientSends)
{
    app.fills(kReadUsers);
    app.client(wire::message('z', "abc"));
    expect_blind();
    expect_over_when_the_backend_is_gone();
}

TEST_F(Blind, WithoutTheAnswersToWhatWasAskedBefore)
{
    app.fills(kReadUsers);
    app.asks("BEGIN");
    app.seen();
    app.client(say::query(kWriteUsers) + wire::message('z', "abc"));
    EXPECT_TRUE(app.is_blind());
    app.server(say::complete("BEGIN") + say::ready('T') + say::complete("UPDATE 1") + say::ready('T') +
               say::error("08P01", "FATAL"));
    EXPECT_EQ(app.seen(), say::complete("UPDATE 1") + say::ready('T') + say::error("08P01", "FATAL"));
}

TEST_F(Blind, NotByAPasswordWhileLoggingIn)
{
    Talk coming{world};
    coming.client(wire::message('p', say::text("secret")));
    EXPECT_FALSE(coming.is_blind());
}

TEST_F(Blind, AfterAQueryInsideAnOpenGroup)
{
    app.client(say::run(kReadAccounts));
    EXPECT_EQ(app.client(say::query("SELECT 1")).kind, Kind::relay);
    EXPECT_EQ(world.bypasses(Reason::blind), 1u);
    expect_blind();
    expect_over_when_the_backend_is_gone();
}

TEST_F(Blind, AfterAReadyForQueryThatNobodyWasOwed)
{
    app.server(say::ready('I'));
    expect_blind();
    expect_over_when_the_backend_is_gone();
}

TEST_F(Blind, AfterAReadyForQueryBeforeTheSync)
{
    app.client(say::run(kReadAccounts));
    app.server(say::ready('I'));
    expect_blind();
}

TEST_F(Blind, AfterAParseCompleteThatNobodyWasOwed)
{
    app.client(say::query("SELECT random()"));
    app.server(say::parse_complete());
    expect_blind();
}

TEST_F(Blind, AfterATransactionStatusThatIsNotKnown)
{
    app.client(say::query("SELECT random()"));
    app.server(say::ready('?'));
    EXPECT_EQ(app.seen(), say::ready('?'));
    expect_blind();
}

TEST_F(Blind, AfterMessagesWhoseNamesCannotBeRead)
{
    for (const char type : {'P', 'B', 'E', 'C'}) {
        Talk one{world};
        one.login();
        const auto message = wire::message(type, "no end");
        EXPECT_EQ(one.client(message).kind, Kind::relay) << type;
        EXPECT_EQ(one.sent(), message) << type;
        EXPECT_TRUE(one.is_blind()) << type;
    }
}

TEST_F(Blind, FromTheStartOfAReplicationConnection)
{
    Talk replica{world, {}, "a replication connection"};
    replica.login();
    EXPECT_TRUE(replica.is_blind());
    EXPECT_TRUE(replica->has_started());
    EXPECT_TRUE(world.is_database_flying());
    const auto command = say::query("START_REPLICATION SLOT s LOGICAL 0/0");
    EXPECT_EQ(replica.client(command).kind, Kind::relay);
    EXPECT_EQ(replica.sent(), command);
    const auto both = wire::message('W', '\0' + wire::u16(0)) + say::copy_data("w");
    replica.server(both);
    EXPECT_EQ(replica.seen(), both);
}

TEST_F(Blind, WithABeginHeldBackItIsBroken)
{
    app.fills(kReadAccounts);
    app.client(say::query("BEGIN"));
    app.server(say::ready('I'));
    EXPECT_TRUE(app.is_blind());
    EXPECT_TRUE(app->is_broken()) << "the client believes in a transaction that the server has not heard of";
}

TEST_F(Blind, KeepsNobodyWaiting)
{
    app.fills(kReadAccounts);
    app.client(say::query("SELECT random()"));
    ASSERT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::wait);
    app.server(say::parse_complete());
    ASSERT_TRUE(app.is_blind());
    EXPECT_TRUE(app->is_quiet()) << "or the client's pump would wait for ever";
    EXPECT_EQ(app.client(say::query(kReadAccounts)).kind, Kind::relay);
}

TEST_F(Blind, GivesOutWhatItHadHeldBackInItsPlace)
{
    app.fills(kReadUsers); // so that it need not ask for its settings
    app.client(say::query(kWriteAccounts));
    app.server(say::complete("UPDATE 1"));
    EXPECT_EQ(app.seen(), "");
    app.server(say::ready('?'));
    EXPECT_EQ(app.seen(), say::complete("UPDATE 1") + say::ready('?'));
    EXPECT_TRUE(app.is_blind());
}

TEST_F(Blind, KeepsTheFlightsOfWhatWasUnderWay)
{
    app.fills(kReadUsers); // so that it need not ask for its settings
    app.client(say::query(kWriteAccounts));
    app.server(say::ready('?'));
    EXPECT_TRUE(world.is_flying(kAccounts));
    app.ends();
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_EQ(world.unresolved.size(), 2u);
    world.unresolved.backends_gone({4711});
    EXPECT_FALSE(world.is_flying(kAccounts));
}

TEST_F(Blind, AfterAQueryInsideACopyThatWasTakenForAnsweredGroups)
{
    app.fills(kReadUsers); // or it would be a question that is sent
    app.client(say::run("COPY accounts FROM STDIN") + say::sync() + say::query("SELECT 1"));
    app.server(say::parse_complete() + say::bind_complete() + say::copy_in());
    expect_blind();
}

TEST_F(Blind, KeepsToItselfWhatItAloneHadAskedFor)
{
    app.fills(kReadUsers); // so that it need not ask for its settings
    app.description = say::parameters() + say::columns("abalance");
    app.client(say::parse("", kReadAccounts) + say::query(kReadUsers));
    EXPECT_TRUE(app.is_blind());
    app.server(say::parse_complete() + say::one_row("1") + say::ready('I')); // behind the first comes the description
    EXPECT_EQ(app.seen(), say::parse_complete() + say::one_row("1") + say::ready('I'));
}

TEST_F(Blind, AfterAFunctionCallInsideAnOpenGroup)
{
    app.client(say::run(kReadAccounts) + say::function_call());
    app.server(say::ran("SELECT 1") + wire::message('V', wire::u32(0xffffffff)) + say::ready('I'));
    expect_blind();
}

} // namespace
} // namespace pgmemo::proxy
