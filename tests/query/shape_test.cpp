#include "query/shape.hpp"

#include "query/explanation.hpp"
#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

/// The shape with `?` for each value, and the values behind it; empty: there is none.
std::string shape(std::string_view sql)
{
    auto found = shape_of(sql);
    if (!found)
        return {};
    EXPECT_EQ(with_values(*found, found->values), sql);
    std::replace(found->text.begin(), found->text.end(), '\0', '?');
    for (const auto value : found->values)
        found->text.append(" | ").append(value);
    return found->text;
}

TEST(Shape, TakesOutIntegersBehindComparisons)
{
    EXPECT_EQ(shape("SELECT a FROM t WHERE id = 17"), "SELECT a FROM t WHERE id = ? | 17");
    EXPECT_EQ(shape("select a from t where id=17"), "select a from t where id=? | 17");
    EXPECT_EQ(shape("SELECT a FROM t WHERE id = 17;"), "SELECT a FROM t WHERE id = ?; | 17");
    EXPECT_EQ(shape("(SELECT a FROM t WHERE (id >= 17) AND b <>\n0)"),
              "(SELECT a FROM t WHERE (id >= ?) AND b <>\n?) | 17 | 0");
    EXPECT_EQ(shape("UPDATE t SET a = 1, b = b + 2 WHERE id = 2147483647"),
              "UPDATE t SET a = ?, b = b + 2 WHERE id = ? | 1 | 2147483647");
    EXPECT_EQ(shape("WITH x AS (SELECT 1) DELETE FROM t WHERE id < 3"),
              "WITH x AS (SELECT 1) DELETE FROM t WHERE id < ? | 3");
    EXPECT_EQ(shape("SELECT 'a = 1', \"b = 2\" FROM t WHERE id = 3 -- c = 4\n AND d = 5"),
              "SELECT 'a = 1', \"b = 2\" FROM t WHERE id = ? -- c = 4\n AND d = ? | 3 | 5");
    EXPECT_EQ(shape("SELECT a -- b = 1\rFROM t WHERE id = 3 -- c = 4"),
              "SELECT a -- b = 1\rFROM t WHERE id = ? -- c = 4 | 3");
    EXPECT_EQ(shape("SELECT 'it''s = 1' FROM t WHERE id = 3 /* d = 4 */"),
              "SELECT 'it''s = 1' FROM t WHERE id = ? /* d = 4 */ | 3");
    EXPECT_EQ(shape("SELECT '\\' FROM t WHERE id = 3"),
              "SELECT '\\' FROM t WHERE id = ? | 3"); // a plain string has no escapes
    EXPECT_EQ(shape("SELECT t.a FROM t WHERE t1 = 5"), "SELECT t.a FROM t WHERE t1 = ? | 5");
}

TEST(Shape, LeavesWhatMayBeSomethingElse)
{
    for (const auto* sql : {
             "SELECT a FROM t",
             "SELECT 17",
             "SELECT a FROM t LIMIT 17",
             "SELECT a FROM t WHERE id IN (1, 2)",
             "SELECT a FROM t WHERE id = -17",
             "SELECT a FROM t WHERE id = + 17",
             "SELECT a FROM t WHERE id = 17.5",
             "SELECT a FROM t WHERE id = 17e3",
             "SELECT a FROM t WHERE id = .5",
             "SELECT a FROM t WHERE id = 017",
             "SELECT a FROM t WHERE id = 2147483648",
             "SELECT a FROM t WHERE id = 12345678901",
             "SELECT a FROM t WHERE id = 17::text",
             "SELECT a FROM t WHERE id = 1_000",
             "SELECT a FROM t WHERE id = 0x1F",
             "SELECT a FROM t WHERE id = 17a",
             "SELECT a FROM t WHERE id = 17+1",
             "SELECT a FROM t WHERE id = a17",
             "SELECT f(a => 17)",
             "SELECT f(a := 17)",
             "SELECT a FROM t WHERE id @= 17",
             "SELECT a FROM t WHERE id === 17",
             "SELECT a FROM t WHERE id =- 17",
             "SELECT a FROM t WHERE id = /* that is */ 17",
             "SELECT a FROM t WHERE id = -- that is\n17",
             "SET work_mem = 17",
             "SET search_path = 17",
             "SHOW x",
             "",
             "EXECUTE p(17)",
             "selected = 17",
             "SELECT '' WHERE id = '17'",
             "SELECT \"a = 17",
         })
        EXPECT_EQ(shape(sql), "") << sql;
}

TEST(Shape, DoesNotGoIntoWhatIsHardToRead)
{
    for (const auto* sql : {
             "SELECT E'\\'' FROM t WHERE id = 17",
             "SELECT E'a' FROM t WHERE id = 17",
             "SELECT U&'a' FROM t WHERE id = 17",
             "SELECT U&\"a\" FROM t WHERE id = 17",
             "SELECT n'a' FROM t WHERE id = 17",
             "SELECT $$ a = 1 $$ FROM t WHERE id = 17",
             "SELECT $1 FROM t WHERE id = 17",
             "SELECT a FROM t WHERE id = 17 /*",
             "SELECT /* /* nested = 1 */ = 2 */ a FROM t WHERE id = 17",
             "SELECT 'a FROM t WHERE id = 17",
         })
        EXPECT_EQ(shape(sql), "") << sql;
    EXPECT_EQ(shape(std::string_view{"SELECT a\0 WHERE id = 17", 23}), "");
    EXPECT_EQ(shape(std::string_view{"SELECT '\0' WHERE id = 17", 24}), "");
    EXPECT_EQ(shape(std::string_view{"SELECT a WHERE id = 17 --\0", 26}), "");
    std::string many = "SELECT a FROM t WHERE id = 1";
    for (std::size_t i = 1; i < kMostValues; ++i)
        many += " OR id = 1";
    EXPECT_NE(shape(many), "");
    EXPECT_EQ(shape(many + " OR id = 1"), "");
}

// ------------------------------------------------------------------------------------------------- in the analysis

/// What the analysis of the text says without any memory of others.
Statement alone(std::string_view sql)
{
    Analyzer analyzer{1 << 20};
    auto statement = *analyzer.explain(sql, test_catalog(), test_scope(), {}).statement;
    statement.place = -1;
    return statement;
}

/// Texts with `?` for an integer.
constexpr std::array kTexts{
    "SELECT * FROM users WHERE id = ?",
    "SELECT * FROM users WHERE id = ? AND id = ?",
    "SELECT * FROM users WHERE id = ? OR id = ?",
    "SELECT * FROM users WHERE id > ? AND id <= ? ORDER BY 1 LIMIT 5",
    "SELECT * FROM users u, app.items i WHERE u.id = ? AND i.id = ?",
    "SELECT * FROM users WHERE id = ? AND name = 'now = 5'",
    "SELECT now() FROM users WHERE id = ?",
    "SELECT * FROM no_such WHERE id = ?",
    "SELECT * FROM recent WHERE id = ?",
    "SELECT * FROM users WHERE id = ? FOR UPDATE",
    "SELECT * FROM by_varchar WHERE id = ?",
    "SELECT (SELECT count(*) FROM app.items WHERE id = ?) FROM users WHERE id = ?",
    "UPDATE users SET name = 'x' WHERE id = ?",
    "UPDATE users SET id = ? WHERE id = ?",
    "UPDATE app.items SET price = ? WHERE id = ? RETURNING *",
    "DELETE FROM users WHERE id = ?",
    "DELETE FROM users WHERE id <> ?",
    "INSERT INTO users (id, name) SELECT id, 'x' FROM users WHERE id = ?",
    "WITH gone AS (DELETE FROM app.items WHERE id = ? RETURNING id) SELECT * FROM users WHERE id = ?",
    "SELECT app.rename_user(id, 'x') FROM users WHERE id = ?",
    "SELECT 1 WHERE 1 = ?",
    "SELECT WHERE = ?",
    "SELECT * FROM users WHERE id = ?; DELETE FROM users WHERE id = ?",
};

TEST(Templates, SayWhatTheTextsOwnAnalysisSays)
{
    const std::array<const char*, 7> numbers{"0", "5", "17", "2147483647", "1871230017", "936814503", "17"};
    const auto scope = test_scope();
    for (const std::string_view text : kTexts) {
        Analyzer analyzer{1 << 20};
        for (std::size_t first = 0; first < numbers.size(); ++first) {
            std::string sql;
            auto next = first;
            for (const char c : text)
                c == '?' ? sql.append(numbers.at(next++ % numbers.size())) : sql.append(1, c);
            auto got = *analyzer.analyse(sql, test_catalog(), scope, {});
            got.place = -1;
            EXPECT_TRUE(got == alone(sql)) << sql;
        }
    }
}

TEST(Templates, AreRememberedInsteadOfTheirTexts)
{
    Analyzer analyzer{1 << 20};
    const auto scope = test_scope();
    const auto used_for = [&](int from, int to) {
        for (int i = from; i < to; ++i)
            analyzer.analyse("DELETE FROM users WHERE id = " + std::to_string(i), test_catalog(), scope, {});
        return analyzer.memo_bytes_used();
    };
    const auto first = used_for(0, 2);
    EXPECT_EQ(used_for(2, 1000), first) << "the first text, and its shape from the second on";
}

TEST(Templates, AreOfOneCatalogAndScope)
{
    Analyzer analyzer{1 << 20};
    const auto reason = [&](const char* sql, const std::shared_ptr<const Catalog>& catalog,
                            const std::shared_ptr<const NameScope>& scope) {
        return analyzer.analyse(sql, catalog, scope, {})->reason;
    };
    EXPECT_EQ(reason("SELECT * FROM users WHERE id = 1", test_catalog(), test_scope()), Reason::none);
    EXPECT_EQ(reason("SELECT * FROM users WHERE id = 2", nullptr, test_scope()), Reason::catalog_unknown);
    EXPECT_EQ(reason("SELECT * FROM users WHERE id = 3", test_catalog(), nullptr), Reason::session_unknown);
    EXPECT_EQ(reason("SELECT * FROM users WHERE id = 4", test_catalog(), test_scope({"app"})),
              Reason::unknown_relation);
    EXPECT_EQ(reason("SELECT * FROM users WHERE id = 5", test_catalog(), test_scope()), Reason::none);
}

TEST(Templates, AreNotMadeWhereAValueMatters)
{
    // Equal to a made-up value: the text's own constant would be taken for it.
    const auto made_up = made_up_values(1, 0).front();
    const auto text = [&](const char* id) {
        return "SELECT * FROM users WHERE id = " + std::string{id} + " OR name = '" + made_up + "'";
    };
    for (const auto* id : {"1", "2", made_up.c_str()}) {
        Analyzer analyzer{1 << 20};
        const auto got = analyzer.analyse(text(id), test_catalog(), test_scope(), {});
        EXPECT_EQ(got->reads, alone(text(id)).reads);
    }
}

} // namespace
} // namespace pgmemo::query
