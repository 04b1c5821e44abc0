#include "tests/query/footprint_text.hpp"
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
    std::vector<std::string> writes = {};

    friend std::ostream& operator<<(std::ostream& out, const Case& row)
    {
        return out << row.sql << " => \"" << row.effects << '"';
    }
};

class Effects : public ::testing::TestWithParam<Case> {};

TEST_P(Effects, AreAllThatTheStatementMayDo)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(effects_of(*statement), GetParam().effects);
    EXPECT_EQ(relations_written(*statement), GetParam().writes);
    EXPECT_FALSE(statement->is_cacheable() && !statement->is_read_only());
}

INSTANTIATE_TEST_SUITE_P(
    OfWrites, Effects,
    ::testing::Values(
        Case{"UPDATE accounts SET abalance = abalance + 1 WHERE aid = 7", "", {"accounts"}},
        Case{"INSERT INTO accounts VALUES (1, 2, now())", "", {"accounts"}},
        Case{"INSERT INTO accounts SELECT nextval('serial'), random() FROM users ON CONFLICT (aid) DO UPDATE SET bid = "
             "1 RETURNING *",
             "",
             {"accounts"}},
        Case{"DELETE FROM accounts USING users WHERE aid = id", "", {"accounts"}},
        Case{"MERGE INTO accounts a USING users u ON a.aid = u.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN "
             "INSERT VALUES (1)",
             "",
             {"accounts"}},
        Case{"WITH accounts AS (SELECT 1) INSERT INTO accounts SELECT * FROM accounts", "", {"accounts"}},
        Case{"WITH a AS (INSERT INTO users VALUES (1) RETURNING id), b AS (WITH c AS (SELECT 1) SELECT * FROM c) "
             "DELETE FROM accounts",
             "",
             {"accounts", "users"}},
        Case{"COPY users (id) FROM STDIN", "", {"users"}},
        Case{"COPY (DELETE FROM users RETURNING id) TO STDOUT", "", {"users"}},
        Case{"EXPLAIN ANALYZE DELETE FROM users", "", {"users"}},
        Case{"EXPLAIN (ANALYZE, VERBOSE) DELETE FROM users", "", {"users"}}, Case{"EXPLAIN DELETE FROM users", ""},
        Case{"EXPLAIN SELECT volatile_one(1)", ""}, Case{"EXPLAIN ANALYZE SELECT volatile_one(1)", "", {"users"}},
        Case{"EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "WCS"}, Case{"EXPLAIN ANALYZE EXECUTE p", "WCKS"},
        Case{"TRUNCATE users, accounts", "", {"accounts", "users"}}, Case{"TRUNCATE users CASCADE", "", {"users"}},
        Case{"INSERT INTO scratch VALUES (1)", "", {"scratch"}},
        Case{"INSERT INTO user_names VALUES (1)", "", {"users"}},
        Case{"INSERT INTO measurements VALUES (1)",
             "",
             {"measurements", "measurements_1", "measurements_2", "measurements_2_0", "measurements_2_1"}},
        Case{"INSERT INTO measurements_1 VALUES (1)", "", {"measurements", "measurements_1"}},
        Case{"DELETE FROM animals", "", {"animals", "dogs", "puppies"}},
        Case{"INSERT INTO remote VALUES (1)", "WCKS", {"remote"}},
        Case{"INSERT INTO triggered VALUES (1)", "WCKS", {"triggered"}},
        Case{"INSERT INTO ruled VALUES (1)", "", {"ruled", "scratch"}},
        Case{"INSERT INTO secured VALUES (1)", "", {"secured"}},
        Case{"INSERT INTO checked VALUES (1)", "", {"checked"}}, Case{"INSERT INTO owner VALUES (1)", "", {"owner"}},
        Case{"COPY owner FROM STDIN", "", {"owner"}},
        Case{"DELETE FROM owner", "", {"owned", "owned_deeper", "owned_default", "owned_nulled", "owner"}},
        Case{"UPDATE owner SET id = 2", "", {"owned", "owned_renumbered", "owner"}},
        Case{"INSERT INTO owner VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2",
             "",
             {"owned", "owned_renumbered", "owner"}},
        Case{"INSERT INTO not_in_the_catalog VALUES (1)", "WCKS"}, Case{"INSERT INTO pg_class VALUES (1)", "WCKSMT"},
        Case{"INSERT INTO \"Mixed Case\" VALUES (1)", "", {"Mixed Case"}},
        Case{"UPDATE accounts SET bid = volatile_one(1)", "", {"accounts", "users"}},
        Case{"DELETE FROM accounts RETURNING 1 <-> 2", "", {"accounts", "scratch"}}));

INSTANTIATE_TEST_SUITE_P(
    OfFunctions, Effects,
    ::testing::Values(Case{"SELECT lower(name), count(*) FROM users", ""},
                      Case{"SELECT random(), nextval('serial')", ""}, Case{"SELECT volatile_one(1)", "", {"users"}},
                      Case{"SELECT 1 FROM users WHERE id = volatile_one(1)", "", {"users"}},
                      Case{"SELECT users.volatile_one FROM users", "", {"users"}},
                      Case{"SELECT stable_one(1), pure_one(1)", ""},
                      Case{"SELECT set_config('app.user', 'x', false)", "S"},
                      Case{"SELECT set_config('Transaction_Isolation', 'serializable', true)", "ST"},
                      Case{"SELECT set_config(lower('x'), 'x', true)", "ST"}, Case{"SELECT pg_reload_conf()", "K"},
                      Case{"SELECT pg_promote()", "WS"},
                      Case{"SELECT query_to_xml('DELETE FROM users', true, true, '')", "WCKS"},
                      Case{"SELECT nosuchfunction(1)", "WCKS"}, Case{"SELECT * FROM user_names", ""},
                      Case{"SELECT 'calm'::mood", ""}, Case{"SELECT id FROM users FOR UPDATE", ""}));

INSTANTIATE_TEST_SUITE_P(
    OfCommands, Effects,
    ::testing::Values(
        Case{"CREATE TABLE x (id int)", "WCS"}, Case{"ALTER TABLE users ENABLE ROW LEVEL SECURITY", "WCS"},
        Case{"CREATE POLICY p ON users USING (true)", "WCS"}, Case{"ALTER TABLE users RENAME TO people", "WCS"},
        Case{"REVOKE SELECT ON users FROM bob", "WCS"}, Case{"CREATE INDEX CONCURRENTLY i ON users (id)", "WCS"},
        Case{"REFRESH MATERIALIZED VIEW totals", "", {"totals"}}, Case{"SELECT * INTO x FROM users", "WCS"},
        Case{"CREATE TABLE x AS SELECT * FROM users", "WCS"}, Case{"CREATE TEMP TABLE x (id int)", "S"},
        Case{"CREATE TEMP TABLE x AS SELECT volatile_one(1)", "S", {"users"}}, Case{"SELECT 1 AS a INTO TEMP x", "S"},
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
        Case{"EXECUTE p(1)", "WCKS"}, Case{"DEALLOCATE p", ""}, Case{"DECLARE c CURSOR FOR SELECT * FROM users", ""},
        Case{"DECLARE c CURSOR FOR SELECT volatile_one(1)", "", {"users"}}, Case{"FETCH ALL FROM c", "S"},
        Case{"CLOSE c", ""}, Case{"NOTIFY x, 'y'", ""}, Case{"LOCK TABLE users", ""}, Case{"VACUUM FULL users", ""},
        Case{"ANALYZE users", ""}, Case{"REINDEX TABLE users", "WCKS"}, Case{"CALL refresh()", "M", {"scratch"}},
        Case{"DO 'begin insert into users values (1); end'", "M", {"users"}},
        Case{"DO 'begin execute x; end'", "WCKSM"}, Case{"DO LANGUAGE plpython3u 'x'", "WCKSMT"},
        Case{"COMMIT PREPARED 'x'", "WCKSMT"}, Case{"PREPARE TRANSACTION 'x'", "M"}, Case{"ROLLBACK PREPARED 'x'", ""},
        Case{"SELEC 1", "WCKSMT"},
        Case{"DELETE FROM users; INSERT INTO accounts VALUES (1)", "", {"accounts", "users"}},
        Case{"BEGIN; DELETE FROM users; COMMIT", "M", {"users"}}, Case{"SELECT 1; CREATE TABLE x (id int)", "WCS"}));

/// What a catalog of the recorded rows says, but for the rows of functions and relations that `is_left_out` takes away.
template <class LeftOut>
std::shared_ptr<const Catalog> catalog_without(LeftOut is_left_out)
{
    std::vector<RecordedRow> rows;
    for (const auto& row : recorded_rows())
        if (!is_left_out(catalog_queries()[row.query].name, row.columns))
            rows.push_back(row);
    return catalog_of(rows);
}

TEST(EffectsOfCodeThatIsNotNamed, AreThoseOfAllFunctionsThereAre)
{
    using Columns = std::vector<std::optional<std::string>>;
    Analyzer analyzer{1 << 20};
    const auto effects = [&](const std::shared_ptr<const Catalog>& catalog) {
        return effects_of(*analyzer.analyse("EXECUTE p", catalog, test_scope(), {}));
    };
    EXPECT_EQ(effects(test_catalog()), "WCKS"); // some cannot be seen into
    const auto is_user_function = [](std::string_view query, const Columns& row) {
        return query == "casts" || query == "comparisons" || // which call them, as some types do
               ((query == "functions" || query == "types") && std::stoul(*row.at(0)) >= kFirstUserOid);
    };
    EXPECT_EQ(effects(catalog_without(is_user_function)), "WS"); // of what was prepared
}

TEST(EffectsOfUserCode, CountWhereverItsTypesCome)
{
    Analyzer analyzer{1 << 20};
    const auto written = [&](const char* sql) {
        const auto statement = analyzer.analyse(sql, hostile_catalog(), test_scope(), {});
        EXPECT_FALSE(statement->is_read_only()) << sql;
        EXPECT_FALSE(statement->is_cacheable()) << sql;
        return statement->writes.size();
    };
    EXPECT_EQ(written("SELECT 1"), 1U);
    EXPECT_EQ(written("SELECT * FROM plain ORDER BY place"), 1U);
    EXPECT_EQ(written("DELETE FROM plain"), 2U);
}

TEST(EffectsWithoutAScope, AreThoseOfAllThatTheNameMayMean)
{
    Analyzer analyzer{1 << 20};
    const auto statement = analyzer.analyse("DELETE FROM items WHERE id = 1", test_catalog(), nullptr, {});
    EXPECT_EQ(writes_of(*statement), (std::vector<std::string>{"app.items", "items id=*"}));
    EXPECT_FALSE(statement->writes_unknown);
    EXPECT_EQ(writes_of(*analyzer.analyse("DELETE FROM app.items", test_catalog(), nullptr, {})),
              std::vector<std::string>{"app.items"});
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
    EXPECT_TRUE(statement("SELECT count(*) FROM users WHERE id = 1")->reads_unseen) << "it may be a view";
    EXPECT_FALSE(statement("BEGIN")->reads_unseen);
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
