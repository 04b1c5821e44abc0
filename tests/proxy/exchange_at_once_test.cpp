// What is answered as it is read, without its messages going one by one. That it says the same is checked wherever
// talk.hpp is used; here: which requests are, and what they leave behind.

#include "tests/proxy/talk.hpp"

#include <gtest/gtest.h>

#include <string>

namespace pgmemo::proxy {
namespace {

using Kind = Step::Kind;

constexpr std::string_view kReadByKey = "SELECT abalance FROM accounts WHERE aid = $1";

class AtOnce : public TwoSessions {
protected:
    AtOnce()
    {
        app.fills(kReadUsers);
        app.description = say::parameters({23}) + say::columns("value");
        EXPECT_FALSE(app.does_group(say::parse("s", kReadByKey) + run("s"), say::parse_complete() + ran()));
        EXPECT_FALSE(app.does_group(unnamed(), say::parse_complete() + ran_described()));
        for (auto* const session : {&app, &other}) {
            session->client(say::query(kReadUsers));
            session->seen();
            session->sent();
        }
    }

    static std::string value(std::string_view bytes)
    {
        return wire::u32(static_cast<std::uint32_t>(bytes.size())) + std::string{bytes};
    }
    static std::string bind(std::string_view statement, std::string_view portal = "", std::string_view of = "7")
    {
        return wire::message('B', say::text(portal) + say::text(statement) + wire::u16(0) + wire::u16(1) + value(of) +
                                      wire::u16(0));
    }
    static std::string run(std::string_view statement) { return bind(statement) + say::execute(); }
    static std::string run_described(std::string_view statement)
    {
        return bind(statement) + say::describe('P', "") + say::execute();
    }
    static std::string unnamed(std::string_view sql = kReadByKey)
    {
        return say::parse("", sql) + bind("", "", "8") + say::describe('P', "") + say::execute();
    }
    static std::string rows() { return say::row({"1"}) + say::complete("SELECT 1"); }
    static std::string ran() { return say::bind_complete() + rows(); }
    static std::string ran_described() { return say::bind_complete() + say::columns("value") + rows(); }

    void begins()
    {
        ASSERT_TRUE(app.client(say::query("BEGIN")).kind == Kind::answer) << "it is held back";
        app.seen();
    }
};

TEST_F(AtOnce, AQuery)
{
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), say::one_row("1") + say::ready('I'));
    EXPECT_EQ(app.at_once(say::query(kReadUsers) + say::query(kReadUsers)), say::one_row("1") + say::ready('I'))
        << "the first of them";
    EXPECT_EQ(app.at_once(say::query(kWriteUsers)), "");
    EXPECT_EQ(app.at_once(say::query(kReadAccounts)), "") << "a miss";
}

TEST_F(AtOnce, APreparedStatement)
{
    EXPECT_EQ(app.at_once(run("s") + say::sync()), ran() + say::ready('I'));
    app.client(unnamed() + say::sync());
    app.seen();
    const auto again = bind("", "", "8") + say::describe('P', "") + say::execute() + say::sync();
    EXPECT_EQ(app.at_once(again), ran_described() + say::ready('I'));
}

TEST_F(AtOnce, TheUnnamedStatementAgain)
{
    const auto reply = say::parse_complete() + ran_described() + say::ready('I');
    EXPECT_EQ(app.at_once(unnamed() + say::sync()), "") << "a Query has destroyed it";
    app.client(unnamed() + say::sync());
    EXPECT_EQ(app.at_once(unnamed() + say::sync()), reply);
    EXPECT_EQ(app.at_once(unnamed() + say::sync() + unnamed()), reply) << "with more behind";
    const auto undescribed = say::parse("", kReadByKey) + bind("", "", "8") + say::execute() + say::sync();
    EXPECT_EQ(app.at_once(undescribed), say::parse_complete() + ran() + say::ready('I'));
    EXPECT_EQ(app.at_once(unnamed("SELECT abalance FROM accounts WHERE aid=$1") + say::sync()), "") << "another text";
    EXPECT_EQ(app.at_once(say::parse("s", kReadByKey) + run("s") + say::sync()), "") << "a name that exists";
    EXPECT_EQ(app.at_once(say::parse("", kReadByKey) + run("s") + say::sync()), "") << "two statements";
}

TEST_F(AtOnce, NothingThatIsNotAllThere)
{
    app.client(unnamed() + say::sync());
    for (const auto& whole :
         {say::query(kReadUsers), run("s") + say::sync(), run_described("s") + say::sync(), unnamed() + say::sync()})
        for (std::size_t size = 0; size < whole.size(); ++size)
            EXPECT_EQ(app.at_once(whole.substr(0, size)), "") << size << " of " << whole.size();
}

TEST_F(AtOnce, NothingOfAnotherShape)
{
    EXPECT_EQ(app.at_once(bind("s") + say::sync()), "");
    EXPECT_EQ(app.at_once(bind("s") + say::execute("", 1) + say::sync()), "");
    EXPECT_EQ(app.at_once(bind("s", "p") + say::execute("p") + say::sync()), "");
    EXPECT_EQ(app.at_once(bind("s") + say::execute("p") + say::sync()), "");
    EXPECT_EQ(app.at_once(run("s") + say::flush()), "");
    EXPECT_EQ(app.at_once(run("s") + say::execute() + say::sync()), "");
    EXPECT_EQ(app.at_once(run("s") + run("s") + say::sync()), "");
    EXPECT_EQ(app.at_once(run("none") + say::sync()), "");
    EXPECT_EQ(app.at_once(bind("s", "", "9") + say::execute() + say::sync()), "") << "a value that nobody asked for";
    EXPECT_EQ(app.at_once(run_described("s") + say::sync()), "") << "its columns were not stored with the rows";
    EXPECT_EQ(app.at_once(wire::message('B', "s") + say::execute() + say::sync()), "");
    EXPECT_EQ(app.at_once(wire::message('Q', kReadUsers)), "") << "no end of the text";
}

TEST_F(AtOnce, NothingOfALengthThatIsNone)
{
    auto query = say::query(kReadUsers);
    for (const auto& length : {wire::u32(0), wire::u32(3), wire::u32(4), wire::u32(0x7fffffff), wire::u32(0xffffffff)})
        EXPECT_EQ(app.at_once(query.replace(1, 4, length)), "");
    auto group = run("s") + say::sync();
    for (const auto& length : {wire::u32(0), wire::u32(3), wire::u32(4), wire::u32(0x7fffffff), wire::u32(0xffffffff)})
        EXPECT_EQ(app.at_once(group.replace(1, 4, length)), "");
}

TEST_F(AtOnce, NothingBehindWhatIsOwed)
{
    app.client(say::query(kReadAccounts));
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), "");
    EXPECT_EQ(app.at_once(run("s") + say::sync()), "");
    app.server(say::one_row("1") + say::ready('I'));
    EXPECT_NE(app.at_once(say::query(kReadUsers)), "");
}

TEST_F(AtOnce, NothingInTheMiddleOfAGroup)
{
    ASSERT_EQ(app.client(run("s")).kind, Kind::hold);
    EXPECT_EQ(app.at_once(run("s") + say::sync()), "");
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), "");
}

TEST_F(AtOnce, InATransactionQueriesOnly)
{
    begins();
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), say::one_row("1") + say::ready('T'));
    EXPECT_EQ(app.at_once(run("s") + say::sync()), "") << "its portal lives on";
    app.does(kWriteUsers, "UPDATE 1", 'T');
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), "") << "what it has written itself";
}

TEST_F(AtOnce, NothingThatAWriteMadeStale)
{
    other.does("UPDATE accounts SET abalance = 9 WHERE aid = 7", "UPDATE 1");
    EXPECT_EQ(app.at_once(run("s") + say::sync()), "");
    other.does(kWriteUsers, "UPDATE 1");
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), "");
}

TEST_F(AtOnce, NothingOfSettingsThatMayHaveChanged)
{
    app.does("SET search_path = app", "SET");
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), "");
    EXPECT_EQ(app.at_once(run("s") + say::sync()), "");
}

TEST_F(AtOnce, NothingOfAStatementThatIsNoMoreWhatItsClientWasTold)
{
    other.does("CREATE TABLE t (a int)", "CREATE TABLE");
    EXPECT_EQ(app.at_once(run("s") + say::sync()), "");
}

TEST_F(AtOnce, NothingOfAClosedStatement)
{
    app.client(say::close('S', "s") + say::sync());
    EXPECT_EQ(app.at_once(run("s") + say::sync()), "");
}

TEST_F(AtOnce, NothingInASessionThatIsRelayed)
{
    app.client(say::parse("", kReadAccounts) + say::query(kReadUsers));
    ASSERT_TRUE(app.is_blind());
    EXPECT_EQ(app.at_once(say::query(kReadUsers)), "");
}

TEST_F(AtOnce, NothingBeforeTheLogin)
{
    Talk late{world};
    EXPECT_EQ(late.at_once(say::query(kReadUsers)), "");
    late.login();
    EXPECT_EQ(late.at_once(say::query(kReadUsers)), "") << "its settings are not known yet";
}

TEST_F(AtOnce, AQueryDestroysTheUnnamedStatementAndThePortal)
{
    app.client(unnamed() + say::sync());
    app.seen();
    ASSERT_NE(app.at_once(say::query(kReadUsers)), "");
    EXPECT_EQ(app.at_once(bind("", "", "8") + say::execute() + say::sync()), "");
    app.sent();
    app.client(say::run_prepared("") + say::sync());
    EXPECT_EQ(app.sent(), say::close('S', "") + say::run_prepared("") + say::sync());
}

TEST_F(AtOnce, IsCounted)
{
    const auto before = world.metrics.hits.read();
    app.at_once(say::query(kReadUsers));
    app.at_once(run("s") + say::sync());
    app.at_once(say::query(kReadAccounts));
    EXPECT_EQ(world.metrics.hits.read(), before + 2);
}

} // namespace
} // namespace pgmemo::proxy
