#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using query::Reason;
using Kind = Step::Kind;

/// `app` has stored what it reads; `other` writes.
class Writes : public TwoSessions {
protected:
    Writes()
    {
        app.fills(kReadAccounts);
        app.fills(kReadUsers);
        other.fills("SELECT at FROM events WHERE id = 1");
    }
    std::uint64_t stored() const { return world.metrics.fills_stored.read() - 3; }
};

TEST_F(Writes, AreInFlightFromTheRequestToTheReply)
{
    EXPECT_EQ(other.asks(kWriteAccounts), Kind::relay);
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(app.hits(kReadAccounts));
    other.server(say::complete("UPDATE 1"));
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_EQ(other.seen(), "") << "its author hears nothing before the flight has ended";
    other.server(say::ready('I'));
    EXPECT_FALSE(world.is_flying(kAccounts));
    EXPECT_EQ(other.seen(), say::complete("UPDATE 1") + say::ready('I'));
}

TEST_F(Writes, DropWhatTheyMadeStaleAndNothingElse)
{
    other.does(kWriteAccounts, "UPDATE 1");
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_TRUE(app.hits(kReadAccounts));
    EXPECT_TRUE(app.hits(kReadUsers));
    EXPECT_EQ(world.metrics.invalidations.read(), 2u);
    EXPECT_EQ(world.metrics.database_invalidations.read(), 0u);
}

TEST_F(Writes, OfTheSessionItselfDropItsOwnReadsToo)
{
    app.does(kWriteAccounts, "UPDATE 1");
    EXPECT_FALSE(app.hits(kReadAccounts));
}

TEST_F(Writes, AFillBegunBeforeAndFinishedAfterIsNotStored)
{
    const auto read = "SELECT bid FROM accounts WHERE aid = 1";
    ASSERT_EQ(app.asks(read), Kind::relay);
    other.does(kWriteAccounts, "UPDATE 1");
    app.server(say::one_row("old") + say::ready('I'));
    EXPECT_EQ(stored(), 0u);
    EXPECT_EQ(world.metrics.fills_moved.read(), 1u);
    EXPECT_FALSE(app.hits(read));
}

TEST_F(Writes, AFillBegunBeforeAndFinishedInFlightIsNotStored)
{
    const auto read = "SELECT bid FROM accounts WHERE aid = 1";
    ASSERT_EQ(app.asks(read), Kind::relay);
    other.asks(kWriteAccounts);
    app.server(say::one_row("old") + say::ready('I'));
    EXPECT_EQ(stored(), 0u);
    EXPECT_EQ(world.metrics.fills_moved.read(), 1u);
}

TEST_F(Writes, AFillBegunInFlightIsNotStored)
{
    other.asks(kWriteAccounts);
    ASSERT_EQ(app.asks(kReadAccounts), Kind::relay);
    other.server(say::complete("UPDATE 1") + say::ready('I'));
    app.server(say::one_row("old or new") + say::ready('I'));
    EXPECT_EQ(stored(), 0u);
    EXPECT_EQ(world.metrics.fills_moved.read(), 1u);
    EXPECT_FALSE(app.hits(kReadAccounts));
}

TEST_F(Writes, AFillOfAnotherTableGoesOnUndisturbed)
{
    const auto read = "SELECT note FROM users WHERE id = 1";
    ASSERT_EQ(app.asks(read), Kind::relay);
    other.does(kWriteAccounts, "UPDATE 1");
    app.server(say::one_row("1") + say::ready('I'));
    EXPECT_TRUE(app.hits(read));
}

TEST_F(Writes, ThatFailEndTheirFlight)
{
    other.asks(kWriteAccounts);
    other.server(say::error("23505"));
    EXPECT_EQ(other.seen(), say::error("23505"));
    other.server(say::ready('I'));
    EXPECT_FALSE(world.is_flying(kAccounts));
    app.fills(kReadAccounts);
}

TEST_F(Writes, OfTwoSessionsHoldTheTableTogether)
{
    app.asks(kWriteAccounts);
    other.asks(kWriteAccounts);
    app.server(say::complete("UPDATE 1") + say::ready('I'));
    EXPECT_TRUE(world.is_flying(kAccounts));
    other.server(say::complete("UPDATE 1") + say::ready('I'));
    EXPECT_FALSE(world.is_flying(kAccounts));
}

// The order of what the client sees

TEST_F(Writes, KeepTheirOrderWithWhatComesInBetween)
{
    other.asks(kWriteAccounts);
    const auto reply = say::notice() + say::complete("UPDATE 1") + say::notification() +
                       say::parameter("application_name", "x") + say::notification() + say::ready('I');
    other.server(reply);
    EXPECT_EQ(other.seen(), reply);
}

TEST_F(Writes, TellOfTheirRowsAtOnce)
{
    other.asks("INSERT INTO accounts VALUES (1) RETURNING aid");
    const auto rows = say::columns("id") + say::row({"1"});
    other.server(rows);
    EXPECT_EQ(other.seen(), rows);
    other.server(say::complete("INSERT 0 1") + say::ready('I'));
    EXPECT_EQ(other.seen(), say::complete("INSERT 0 1") + say::ready('I'));
}

TEST_F(Writes, InOneTextAreToldOfInOrder)
{
    other.asks("INSERT INTO accounts VALUES (1); SELECT 1; DELETE FROM users");
    const auto reply = say::complete("INSERT 0 1") + say::one_row("1") + say::complete("DELETE 3") + say::ready('I');
    other.server(reply);
    EXPECT_EQ(other.seen(), reply);
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_FALSE(app.hits(kReadUsers));
}

TEST_F(Writes, AReadIsNeverHeldBack)
{
    ASSERT_EQ(other.asks("SELECT random()"), Kind::relay);
    other.server(say::one_row("1"));
    EXPECT_EQ(other.seen(), say::one_row("1"));
}

// Writes whose reach is not known

TEST_F(Writes, ByAFunctionOfTheUsersDropEverything)
{
    other.asks(kWriteAnything);
    EXPECT_TRUE(world.is_database_flying());
    EXPECT_FALSE(app.hits(kReadUsers));
    other.server(say::one_row("") + say::ready('I'));
    EXPECT_FALSE(world.is_database_flying());
    EXPECT_EQ(world.metrics.database_invalidations.read(), 1u);
}

TEST_F(Writes, OfATableWithATriggerDropEverything)
{
    other.does("INSERT INTO triggered VALUES (1)", "INSERT 0 1");
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_EQ(world.metrics.database_invalidations.read(), 1u);
}

TEST_F(Writes, ByAFunctionCallMessageDropEverything)
{
    EXPECT_EQ(other.client(say::function_call()).kind, Kind::relay);
    EXPECT_TRUE(world.is_database_flying());
    EXPECT_FALSE(app.hits(kReadAccounts));
    other.server(wire::message('V', wire::u32(0xffffffff)) + say::ready('I'));
    EXPECT_FALSE(world.is_database_flying());
    EXPECT_TRUE(other->is_quiet());
}

TEST_F(Writes, InATextTooLongToReadMayBeAnything)
{
    const std::string sql = "SELECT '" + std::string(100'000, 'x') + "'";
    EXPECT_EQ(other.client(say::query(sql)).kind, Kind::relay);
    EXPECT_EQ(other.sent(), say::query(sql)) << "in pieces, but all of it";
    EXPECT_TRUE(world.is_database_flying());
    EXPECT_EQ(world.bypasses(Reason::unparsed), 1u);
    other.server(say::one_row("x") + say::ready('I'));
    EXPECT_TRUE(other->is_quiet());
}

TEST_F(Writes, WithoutACatalogMayBeAnything)
{
    world.shop.catalog_changed();
    other.asks(kWriteAccounts);
    EXPECT_TRUE(world.is_database_flying());
    other.server(say::complete("UPDATE 1") + say::ready('I'));
    EXPECT_FALSE(world.is_database_flying());
}

// The catalog

/// A view that is read while nobody knows that it calls what writes.
TEST_F(Writes, ByAReadWithoutACatalogDropEverythingToo)
{
    world.shop.forget();
    ASSERT_EQ(other.asks("TABLE a_view"), Kind::relay);
    EXPECT_FALSE(world.is_database_flying()) << "a long report must not keep the cache closed";
    other.server(say::complete("SELECT 1"));
    EXPECT_EQ(other.seen(), "") << "nobody hears of it before";
    other.server(say::ready('I'));
    EXPECT_EQ(other.seen(), say::complete("SELECT 1") + say::ready('I'));
    world.catalog_is_read();
    EXPECT_FALSE(app.hits(kReadAccounts));
    EXPECT_TRUE(app.hits(kReadAccounts));
}

TEST_F(Writes, ByAReadWithoutACatalogInATransactionDropEverythingAtItsEnd)
{
    world.shop.forget();
    other.goes_upstream("BEGIN", say::complete("BEGIN"), 'T');
    other.goes_upstream("TABLE a_view", say::complete("SELECT 1"), 'T');
    world.catalog_is_read();
    EXPECT_TRUE(app.hits(kReadAccounts)) << "nothing has been committed";
    other.does("COMMIT", "COMMIT", 'I');
    EXPECT_FALSE(app.hits(kReadAccounts));
}

TEST_F(Writes, OfTheCatalogPutItOutOfUseBeforeTheirFlightEnds)
{
    other.asks("ALTER TABLE accounts ADD extra int");
    EXPECT_TRUE(world.is_database_flying());
    EXPECT_TRUE(world.shop.is_usable());
    other.server(say::complete("ALTER TABLE"));
    EXPECT_EQ(other.seen(), "");
    other.server(say::ready('I'));
    EXPECT_FALSE(world.shop.is_usable());
    EXPECT_FALSE(world.is_database_flying());
}

TEST_F(Writes, ThatNobodyCanSeeIntoCastADoubtOnEveryCatalog)
{
    auto& second = world.databases.get("second");
    second.publish(query::testing::test_catalog(), second.wanted());
    app.fills(kReadAccounts);
    other.asks("SELECT made_since()");
    EXPECT_TRUE(world.is_database_flying());
    EXPECT_TRUE(world.shop.is_usable());
    other.server(say::one_row("1") + say::ready('I'));
    for (const auto* database : {&world.shop, &second}) {
        EXPECT_FALSE(database->is_usable());
        EXPECT_TRUE(database->catalog()) << "what statements do is still said by it";
        EXPECT_EQ(database->wanted(), 1u);
    }
    EXPECT_EQ(app.asks(kReadAccounts), Kind::relay);
    EXPECT_EQ(world.bypasses(Reason::catalog_unknown), 1u);
    app.server(say::one_row("1") + say::ready('I'));
    world.shop.clear_doubts(world.shop.doubts());
    EXPECT_FALSE(app.hits(kReadAccounts)) << "everything was moved";
    EXPECT_TRUE(app.hits(kReadAccounts));
}

/// Called without end, it would otherwise be later than every snapshot.
TEST_F(Writes, ByACallWithoutACatalogLeaveWhatIsReadMeanwhileAsASnapshot)
{
    world.shop.forget();
    other.asks("SELECT one()");
    world.catalog_is_read();
    other.server(say::one_row("1") + say::ready('I'));
    EXPECT_FALSE(world.shop.is_usable());
    EXPECT_TRUE(world.shop.catalog());
}

TEST_F(Writes, OfRolesPutEveryCatalogOutOfUse)
{
    auto& second = world.databases.get("second");
    second.publish(query::testing::test_catalog(), second.wanted());
    other.asks("ALTER ROLE app BYPASSRLS");
    EXPECT_TRUE(cache::Word::in_flight(second.word().load()));
    other.server(say::complete("ALTER ROLE") + say::ready('I'));
    EXPECT_FALSE(cache::Word::in_flight(second.word().load()));
    EXPECT_FALSE(second.is_usable());
    EXPECT_FALSE(world.shop.is_usable());
}

TEST_F(Writes, UnderWayWhileTheCatalogChangesMayHaveTouchedMore)
{
    other.asks(kWriteAccounts); // a trigger may be made now, before the server has begun with it
    const auto before = world.database_version();
    world.shop.catalog_changed();
    world.catalog_is_read();
    EXPECT_TRUE(world.shop.is_usable());
    other.server(say::complete("UPDATE 1") + say::ready('I'));
    EXPECT_GT(world.database_version(), before);
    EXPECT_FALSE(world.is_database_flying());
    EXPECT_FALSE(world.shop.is_usable()) << "the trigger may have made DDL";
}

TEST_F(Writes, UnderAQuietCatalogTouchNoMoreThanTheySay)
{
    const auto before = world.database_version();
    other.does(kWriteAccounts, "UPDATE 1");
    EXPECT_EQ(world.database_version(), before);
}

// Outcomes that nobody could tell

TEST_F(Writes, WithoutAnAnswerStayInFlightUntilTheBackendIsGone)
{
    other.asks(kWriteAccounts);
    other.ends();
    EXPECT_EQ(world.unresolved.size(), 1u);
    EXPECT_TRUE(world.is_flying(kAccounts));
    EXPECT_FALSE(app.hits(kReadAccounts));
    world.unresolved.backends_gone({4711});
    EXPECT_FALSE(world.is_flying(kAccounts));
    EXPECT_EQ(world.unresolved.size(), 0u);
    app.fills(kReadAccounts);
}

TEST_F(Writes, ToldOfButNotEndedAreUnresolvedToo)
{
    other.asks(kWriteAccounts);
    other.server(say::complete("UPDATE 1"));
    other.ends();
    EXPECT_EQ(world.unresolved.size(), 1u);
}

TEST_F(Writes, OfTheCatalogWithoutAnAnswerPutItOutOfUseWhenTheBackendIsGone)
{
    other.asks("DROP TABLE events");
    other.ends();
    EXPECT_TRUE(world.shop.is_usable());
    world.unresolved.backends_gone({4711});
    EXPECT_FALSE(world.shop.is_usable());
    EXPECT_FALSE(world.is_database_flying());
}

TEST_F(Writes, AnsweredLeaveNothingUnresolved)
{
    other.does(kWriteAccounts, "UPDATE 1");
    other.asks(kReadAccounts);
    other.ends();
    EXPECT_EQ(world.unresolved.size(), 0u);
}

} // namespace
} // namespace pgmemo::proxy
