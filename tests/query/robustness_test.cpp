#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <random>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

std::string repeated(std::string_view piece, std::size_t times)
{
    std::string text;
    for (std::size_t i = 0; i < times; ++i)
        text += piece;
    return text;
}

void expect_anything(const Statement& statement)
{
    EXPECT_EQ(statement.reason, Reason::unparsed);
    EXPECT_TRUE(statement.writes_unknown && statement.changes_catalog && statement.changes_cluster &&
                statement.changes_session && statement.may_commit);
    EXPECT_EQ(statement.transaction, Transaction::other);
}

TEST(Robustness, TextsThatAreTooLongOrTooDeepMayBeAnything)
{
    expect_anything(*analysed("SELECT " + repeated("(", 100'000) + "1" + repeated(")", 100'000)));
    expect_anything(*analysed("SELECT " + repeated("(", 30'000) + "1" + repeated(")", 30'000)));
    expect_anything(*analysed("SELECT 1" + repeated(" UNION SELECT 1", 20'000)));
    expect_anything(*analysed("SELECT 1" + repeated(" UNION SELECT 1", 4'000)));
    expect_anything(*analysed("SELECT " + repeated("abs(", 2'000) + "1" + repeated(")", 2'000)));
    expect_anything(*analysed(repeated("SELECT * FROM (", 1'500) + "SELECT 1" + repeated(") s", 1'500)));
    expect_anything(*analysed(std::string(Analyzer::kMaxParsedBytes + 1, ' ')));
}

TEST(Robustness, LongButFlatTextsAreRead)
{
    EXPECT_EQ(analysed("SELECT 1" + repeated("+1", 5'000))->reason, Reason::none);
    EXPECT_EQ(analysed("SELECT * FROM users WHERE id IN (1" + repeated(",1", 10'000) + ")")->reason, Reason::none);
    EXPECT_EQ(analysed("SELECT 1 WHERE true" + repeated(" AND true", 5'000))->reason, Reason::none);
    EXPECT_EQ(analysed(std::string(60'000, ' ') + "SELECT 1")->reason, Reason::none);
    EXPECT_EQ(analysed("INSERT INTO users VALUES (1)" + repeated(",(1)", 10'000))->writes.front().relation,
              oid_of("public.users"));
}

TEST(Robustness, ConfinementsAreBounded)
{
    const auto confined = [](const std::string& sql) {
        const auto statement = analysed(sql);
        return statement->is_cacheable() ? statement->reads.front().confined.column != 0
                                         : !statement->writes.front().slots.empty();
    };
    EXPECT_TRUE(confined("SELECT * FROM users WHERE id IN (1" + repeated(",1", 250) + ")"));
    EXPECT_FALSE(confined("SELECT * FROM users WHERE id IN (1" + repeated(",1", 300) + ")"));
    EXPECT_FALSE(confined("SELECT * FROM users WHERE id = ANY ('{1" + repeated(",1", 2'000) + "}')"));
    EXPECT_TRUE(confined("DELETE FROM users WHERE id IN (1" + repeated(",1", 250) + ")"));
    EXPECT_FALSE(confined("DELETE FROM users WHERE id IN (1" + repeated(",1", 300) + ")"));
    EXPECT_TRUE(confined("INSERT INTO users VALUES (1)" + repeated(",(1)", 60)));
    EXPECT_FALSE(confined("INSERT INTO users VALUES (1)" + repeated(",(1)", 5'000)));
    EXPECT_TRUE(confined("DELETE FROM users WHERE " + repeated("(true AND ", 40) + "id = 1" + repeated(")", 40)));
    EXPECT_FALSE(confined("DELETE FROM users WHERE " + repeated("(true AND ", 60) + "id = 1" + repeated(")", 60)));
    EXPECT_FALSE(
        confined("SELECT * FROM " + repeated("(SELECT * FROM ", 40) + "users" + repeated(") s", 40) + " WHERE id = 1"));
}

TEST(Robustness, ManyJoinsTakeNoTime)
{
    std::string sql = "SELECT * FROM users u0";
    for (int i = 1; i < 100; ++i)
        sql += " JOIN users u" + std::to_string(i) + " ON u" + std::to_string(i) + ".id = u" + std::to_string(i - 1) +
               ".id";
    const auto statement = analysed(sql + " WHERE u0.id = 1");
    EXPECT_EQ(statement->reason, Reason::none);
    EXPECT_GE(statement->reads.size(), 1U);
}

TEST(Robustness, NulBytesMayHideAnything)
{
    expect_anything(*analysed(std::string_view{"SELECT 1\0; DROP TABLE users", 27}));
    expect_anything(*analysed(std::string_view{"\0", 1}));
}

TEST(Robustness, BytesThatAreNotTextDoNoHarm)
{
    EXPECT_NE(analysed("SELECT '\xff\xfe\x80'"), nullptr);
    EXPECT_NE(analysed("SELECT \"\xc3\""), nullptr);
    EXPECT_NE(analysed("\xf0\x28\x8c\x28"), nullptr);
    EXPECT_NE(analysed("SELECT U&'\\D800'"), nullptr);
    std::mt19937 random{7};
    for (int i = 0; i < 3'000; ++i) {
        std::string sql = "SELECT a.b, f(x) FROM users WHERE c = 'now' AND d IN (SELECT 1)";
        for (int k = 0; k < 4; ++k)
            sql[random() % sql.size()] = static_cast<char>(random() % 256);
        EXPECT_NE(analysed(sql), nullptr);
    }
}

TEST(Robustness, EveryCutOfAWriteIsAWriteOrNotUnderstood)
{
    const std::string sql = "WITH a AS (DELETE FROM users RETURNING *) SELECT * FROM a";
    for (std::size_t cut = 1; cut < sql.size(); ++cut) {
        const auto statement = analysed(sql.substr(0, cut));
        EXPECT_FALSE(statement->is_cacheable() || statement->is_read_only()) << sql.substr(0, cut);
    }
}

} // namespace
} // namespace pgmemo::query
