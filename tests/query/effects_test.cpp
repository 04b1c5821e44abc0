#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

struct Case {
    const char* sql;
    const char* effects; ///< W writes_unknown, C changes_catalog, K changes_cluster, S changes_session, M may_commit, T
                         ///< sets_transaction
    std::vector<Oid> writes = {};

    friend std::ostream& operator<<(std::ostream& out, const Case& row)
    {
        return out << row.sql << " => \"" << row.effects << '"';
    }
};

std::string effects_of(const Statement& statement)
{
    std::string effects;
    if (statement.writes_unknown)
        effects += 'W';
    if (statement.changes_catalog)
        effects += 'C';
    if (statement.changes_cluster)
        effects += 'K';
    if (statement.changes_session)
        effects += 'S';
    if (statement.may_commit)
        effects += 'M';
    if (statement.sets_transaction)
        effects += 'T';
    return effects;
}

class Effects : public ::testing::TestWithParam<Case> {};

TEST_P(Effects, AreAllThatTheStatementMayDo)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(effects_of(*statement), GetParam().effects);
    EXPECT_EQ(statement->writes, GetParam().writes);
    EXPECT_FALSE(statement->is_cacheable() && !statement->is_read_only());
}

INSTANTIATE_TEST_SUITE_P(
    OfWrites, Effects,
    ::testing::Values(
        Case{"UPDATE accounts SET abalance = abalance + 1 WHERE aid = 7", "", {kAccounts}},
        Case{"INSERT INTO accounts VALUES (1, 2, now())", "", {kAccounts}},
        Case{"INSERT INTO accounts SELECT nextval('serial'), random() FROM users ON CONFLICT (aid) DO UPDATE SET bid = "
             "1 RETURNING *",
             "",
             {kAccounts}},
        Case{"DELETE FROM accounts USING users WHERE aid = id", "", {kAccounts}},
        Case{"MERGE INTO accounts a USING users u ON a.aid = u.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN "
             "INSERT VALUES (1)",
             "",
             {kAccounts}},
        Case{"WITH accounts AS (SELECT 1) INSERT INTO accounts SELECT * FROM accounts", "", {kAccounts}},
        Case{"WITH a AS (INSERT INTO users VALUES (1) RETURNING id), b AS (WITH c AS (SELECT 1) SELECT * FROM c) "
             "DELETE FROM accounts",
             "",
             {kAccounts, kUsers}},
        Case{"COPY users (id) FROM STDIN", "", {kUsers}},
        Case{"COPY (DELETE FROM users RETURNING id) TO STDOUT", "", {kUsers}},
        Case{"EXPLAIN ANALYZE DELETE FROM users", "", {kUsers}},
        Case{"EXPLAIN (ANALYZE, VERBOSE) DELETE FROM users", "", {kUsers}}, Case{"EXPLAIN DELETE FROM users", ""},
        Case{"EXPLAIN SELECT volatile_one(1)", ""}, Case{"EXPLAIN ANALYZE SELECT volatile_one(1)", "WS"},
        Case{"EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "WCS"}, Case{"EXPLAIN ANALYZE EXECUTE p", "WS"},
        Case{"TRUNCATE users, accounts", "", {kAccounts, kUsers}}, Case{"TRUNCATE users CASCADE", "WS", {kUsers}},
        Case{"INSERT INTO scratch VALUES (1)", "", {kUnlogged}},
        Case{"INSERT INTO user_names VALUES (1)", "WS", {kView}},
        Case{"INSERT INTO measurements VALUES (1)", "WS", {kPartitioned}},
        Case{"INSERT INTO measurements_1 VALUES (1)", "WS", {kPartition}}, Case{"DELETE FROM animals", "WS", {kParent}},
        Case{"INSERT INTO remote VALUES (1)", "WS", {kForeign}},
        Case{"INSERT INTO triggered VALUES (1)", "WS", {kTriggered}},
        Case{"INSERT INTO ruled VALUES (1)", "WS", {kRuled}}, Case{"INSERT INTO secured VALUES (1)", "WS", {kSecured}},
        Case{"INSERT INTO checked VALUES (1)", "WS", {kUserCode}}, Case{"INSERT INTO owner VALUES (1)", "", {kOwner}},
        Case{"COPY owner FROM STDIN", "", {kOwner}}, Case{"DELETE FROM owner", "WS", {kOwner}},
        Case{"UPDATE owner SET id = 2", "WS", {kOwner}},
        Case{"INSERT INTO owner VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", "WS", {kOwner}},
        Case{"INSERT INTO not_in_the_catalog VALUES (1)", "WS"},
        Case{"INSERT INTO pg_class VALUES (1)", "WCKSMT", {kClass}},
        Case{"INSERT INTO \"Mixed Case\" VALUES (1)", "", {kMixed}},
        Case{"UPDATE accounts SET bid = volatile_one(1)", "WS", {kAccounts}},
        Case{"DELETE FROM accounts RETURNING 1 <-> 2", "WS", {kAccounts}}));

INSTANTIATE_TEST_SUITE_P(
    OfFunctions, Effects,
    ::testing::Values(Case{"SELECT lower(name), count(*) FROM users", ""},
                      Case{"SELECT random(), nextval('serial')", ""}, Case{"SELECT volatile_one(1)", "WS"},
                      Case{"SELECT 1 FROM users WHERE id = volatile_one(1)", "WS"},
                      Case{"SELECT users.volatile_one FROM users", "WS"}, Case{"SELECT stable_one(1), pure_one(1)", ""},
                      Case{"SELECT set_config('app.user', 'x', false)", "S"},
                      Case{"SELECT set_config('Transaction_Isolation', 'serializable', true)", "ST"},
                      Case{"SELECT set_config(lower('x'), 'x', true)", "ST"}, Case{"SELECT pg_reload_conf()", "K"},
                      Case{"SELECT pg_read_file('x')", "WS"},
                      Case{"SELECT query_to_xml('DELETE FROM users', true, true, '')", "WS"},
                      Case{"SELECT nosuchfunction(1)", "WCKS"}, Case{"SELECT * FROM user_names", ""},
                      Case{"SELECT 'calm'::mood", ""}, Case{"SELECT id FROM users FOR UPDATE", ""}));

INSTANTIATE_TEST_SUITE_P(
    OfCommands, Effects,
    ::testing::Values(
        Case{"CREATE TABLE x (id int)", "WCS"}, Case{"ALTER TABLE users ENABLE ROW LEVEL SECURITY", "WCS"},
        Case{"CREATE POLICY p ON users USING (true)", "WCS"}, Case{"ALTER TABLE users RENAME TO people", "WCS"},
        Case{"REVOKE SELECT ON users FROM bob", "WCS"}, Case{"CREATE INDEX CONCURRENTLY i ON users (id)", "WCS"},
        Case{"REFRESH MATERIALIZED VIEW totals", "WCS"}, Case{"SELECT * INTO x FROM users", "WCS"},
        Case{"CREATE TABLE x AS SELECT * FROM users", "WCS"}, Case{"CREATE TEMP TABLE x (id int)", "S"},
        Case{"CREATE TEMP TABLE x AS SELECT volatile_one(1)", "WS"}, Case{"SELECT 1 AS a INTO TEMP x", "S"},
        Case{"CREATE TEMP VIEW x AS SELECT volatile_one(1)", "WCS"},
        Case{"CREATE TEMP TABLE x () INHERITS (animals)", "WCS"}, Case{"CREATE ROLE bob", "WCKS"},
        Case{"ALTER ROLE bob SET search_path = x", "WCKS"}, Case{"GRANT admin TO bob", "WCKS"},
        Case{"ALTER ROLE bob RENAME TO rob", "WCKS"}, Case{"ALTER DATABASE x SET work_mem = 1", "WCKS"},
        Case{"ALTER SYSTEM SET work_mem = 1", "WCKS"}, Case{"DROP OWNED BY bob", "WCKS"},
        Case{"SET search_path = app", "S"}, Case{"SET LOCAL work_mem = 1", "S"}, Case{"RESET ALL", "S"},
        Case{"SET ROLE bob", "S"}, Case{"SET SESSION AUTHORIZATION bob", "S"}, Case{"DISCARD ALL", "S"},
        Case{"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "ST"}, Case{"SET TRANSACTION SNAPSHOT 'x'", "ST"},
        Case{"SET \"Transaction_Isolation\" = 'serializable'", "ST"},
        Case{"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "S"}, Case{"PREPARE p AS DELETE FROM users", ""},
        Case{"EXECUTE p(1)", "WS"}, Case{"DEALLOCATE p", ""}, Case{"DECLARE c CURSOR FOR SELECT * FROM users", ""},
        Case{"DECLARE c CURSOR FOR SELECT volatile_one(1)", "WS"}, Case{"FETCH ALL FROM c", "S"}, Case{"CLOSE c", ""},
        Case{"NOTIFY x, 'y'", ""}, Case{"LOCK TABLE users", ""}, Case{"VACUUM FULL users", ""},
        Case{"ANALYZE users", ""}, Case{"REINDEX TABLE users", "WS"}, Case{"CALL refresh()", "WSM"},
        Case{"DO 'begin insert into users values (1); end'", "WSM"}, Case{"DO 'begin execute x; end'", "WCKSM"},
        Case{"DO LANGUAGE plpython3u 'x'", "WCKSMT"}, Case{"COMMIT PREPARED 'x'", "WCKSMT"},
        Case{"PREPARE TRANSACTION 'x'", "M"}, Case{"ROLLBACK PREPARED 'x'", ""}, Case{"SELEC 1", "WCKSMT"},
        Case{"DELETE FROM users; INSERT INTO accounts VALUES (1)", "", {kAccounts, kUsers}},
        Case{"BEGIN; DELETE FROM users; COMMIT", "M", {kUsers}}, Case{"SELECT 1; CREATE TABLE x (id int)", "WCS"}));

TEST(EffectsOfUserCode, IncludeDdlOnlyWhereAFunctionMayRunIt)
{
    Analyzer analyzer{1 << 20};
    const auto effects = [&](const char* sql, TestCatalogOptions options) {
        return effects_of(*analyzer.analyse(sql, test_catalog(options), test_scope(), {}));
    };
    EXPECT_EQ(effects("SELECT volatile_one(1)", {.functions_may_ddl = true}), "WCKS");
    EXPECT_EQ(effects("INSERT INTO triggered VALUES (1)", {.functions_may_ddl = true}), "WCKS");
    EXPECT_EQ(effects("SELECT stable_one(1)", {.functions_may_set = true}), "S");
    EXPECT_EQ(effects("SELECT pure_one(1)", {.functions_may_set = true}), "");
    EXPECT_EQ(effects("SELECT * FROM user_names", {.views_run_user_code = true}), "WS");
    EXPECT_EQ(effects("INSERT INTO no_such_table VALUES (1)", {.has_volatile_functions = false}), "WS");
}

TEST(EffectsWithoutAScope, AreThoseOfAllThatTheNameMayMean)
{
    Analyzer analyzer{1 << 20};
    const auto statement = analyzer.analyse("DELETE FROM items", test_catalog(), nullptr, {});
    EXPECT_EQ(statement->writes, (std::vector<Oid>{kPublicItems, kAppItems}));
    EXPECT_FALSE(statement->writes_unknown);
    EXPECT_EQ(analyzer.analyse("DELETE FROM app.items", test_catalog(), nullptr, {})->writes,
              std::vector<Oid>{kAppItems});
    EXPECT_TRUE(analyzer.analyse("DELETE FROM unheard_of", test_catalog(), nullptr, {})->writes_unknown);
}

TEST(EffectsWithoutACatalog, AreUnknownForWritesAndKnownForCommands)
{
    Analyzer analyzer{1 << 20};
    const auto statement = [&](const char* sql) { return analyzer.analyse(sql, nullptr, nullptr, {}); };
    EXPECT_TRUE(statement("UPDATE users SET id = 1")->writes_unknown);
    EXPECT_TRUE(statement("COPY users FROM STDIN")->writes_unknown);
    EXPECT_TRUE(statement("SELECT f(1)")->writes_unknown);
    EXPECT_TRUE(statement("SELECT count(*) FROM users WHERE id = 1")->is_read_only());
    EXPECT_TRUE(statement("BEGIN")->is_read_only());
    EXPECT_TRUE(statement("SET a.b = 1")->changes_session);
}

struct Control {
    const char* sql;
    Transaction transaction;
    const char* tag = "";

    friend std::ostream& operator<<(std::ostream& out, const Control& row) { return out << row.sql; }
};

class TransactionControl : public ::testing::TestWithParam<Control> {};

TEST_P(TransactionControl, IsTold)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(statement->transaction, GetParam().transaction);
    EXPECT_EQ(statement->tag, GetParam().tag);
}

INSTANTIATE_TEST_SUITE_P(
    Statements, TransactionControl,
    ::testing::Values(
        Control{"BEGIN", Transaction::begin, "BEGIN"}, Control{"begin work;", Transaction::begin, "BEGIN"},
        Control{"START TRANSACTION", Transaction::begin, "START TRANSACTION"},
        Control{"BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE", Transaction::begin, "BEGIN"},
        Control{"BEGIN ISOLATION LEVEL REPEATABLE READ", Transaction::begin_other},
        Control{"BEGIN READ ONLY", Transaction::begin_other},
        Control{"START TRANSACTION NOT DEFERRABLE", Transaction::begin_other},
        Control{"COMMIT", Transaction::commit, "COMMIT"}, Control{"END", Transaction::commit, "COMMIT"},
        Control{"COMMIT AND CHAIN", Transaction::other}, Control{"ROLLBACK", Transaction::rollback, "ROLLBACK"},
        Control{"ABORT", Transaction::rollback, "ROLLBACK"}, Control{"ROLLBACK AND CHAIN", Transaction::other},
        Control{"SAVEPOINT a", Transaction::inside}, Control{"RELEASE a", Transaction::inside},
        Control{"ROLLBACK TO SAVEPOINT a", Transaction::inside}, Control{"PREPARE TRANSACTION 'x'", Transaction::other},
        Control{"COMMIT PREPARED 'x'", Transaction::other}, Control{"CALL refresh()", Transaction::other},
        Control{"DO 'begin end'", Transaction::other}, Control{"SELECT 1", Transaction::none},
        Control{"SELECT 1; SELECT 2", Transaction::none}, Control{"BEGIN; SELECT 1", Transaction::other},
        Control{"SELECT 1; COMMIT", Transaction::other}, Control{"", Transaction::none},
        Control{"SELEC", Transaction::other}));

} // namespace
} // namespace pgmemo::query
