#include "tests/query/test_catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <set>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

struct Case {
    const char* sql;
    Reason reason;

    friend std::ostream& operator<<(std::ostream& out, const Case& row)
    {
        return out << row.sql << " => " << name_of(row.reason);
    }
};

class Analyse : public ::testing::TestWithParam<Case> {};

TEST_P(Analyse, GivesTheReason)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(name_of(statement->reason), name_of(GetParam().reason));
    if (statement->is_cacheable()) {
        EXPECT_TRUE(statement->is_read_only());
        EXPECT_FALSE(statement->changes_session);
        EXPECT_EQ(statement->transaction, Transaction::none);
        EXPECT_FALSE(statement->may_commit);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Cacheable, Analyse,
    ::testing::Values(
        Case{"SELECT abalance FROM accounts WHERE aid = 1;", Reason::none},
        Case{"SELECT count(*) FROM accounts", Reason::none}, Case{"SELECT 1", Reason::none},
        Case{"VALUES (1, 'a'), (2, 'b')", Reason::none}, Case{"TABLE users", Reason::none},
        Case{"SELECT * FROM public.users u WHERE u.name ILIKE '%x' AND id IN (1, 2) AND born BETWEEN '2020-01-01' AND "
             "'2021-01-01'",
             Reason::none},
        Case{"SELECT u.id, count(*) FILTER (WHERE abalance > 1) FROM users u LEFT JOIN accounts a ON a.aid = u.id "
             "GROUP BY u.id HAVING count(*) > 1 ORDER BY 2 DESC LIMIT 3 OFFSET 1",
             Reason::none},
        Case{"SELECT id FROM users NATURAL JOIN accounts", Reason::none},
        Case{"SELECT * FROM users, LATERAL (SELECT users.id + 1) s(x)", Reason::none},
        Case{"SELECT name FROM users UNION ALL SELECT 'x' EXCEPT SELECT name FROM users", Reason::none},
        Case{
            "SELECT CASE id WHEN 1 THEN 'a' ELSE 'b' END, coalesce(name, ''), nullif(id, 1), greatest(1, 2) FROM users",
            Reason::none},
        Case{"SELECT DISTINCT ON (id) ARRAY[id], ROW(id, name), name || id FROM users", Reason::none},
        Case{"SELECT 1 WHERE EXISTS (SELECT FROM users WHERE id = ANY (SELECT aid FROM accounts))", Reason::none},
        Case{"SELECT rank() OVER w FROM users WINDOW w AS (PARTITION BY name ORDER BY id)", Reason::none},
        Case{"SELECT count(*) FROM users GROUP BY GROUPING SETS ((id), ROLLUP (name))", Reason::none},
        Case{"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM users", Reason::none},
        Case{"SELECT g FROM generate_series(1, 3) g", Reason::none},
        Case{"SELECT id::text, '5'::int, name COLLATE \"C\" FROM users", Reason::none},
        Case{"SELECT date_trunc('day', created_at), extract(year FROM born), age(created_at, born) FROM users",
             Reason::none},
        Case{"SELECT created_at::date, max(created_at)::date FROM users", Reason::none},
        Case{"SELECT concat(name, 1, 2) FROM users", Reason::none},
        Case{"SELECT created_at AT TIME ZONE 'UTC' FROM users", Reason::none},
        Case{"SELECT 'well known, nowhere, todays' FROM users", Reason::none},
        Case{"SELECT a, b, c FROM moods", Reason::none}, Case{"SELECT * FROM \"Mixed Case\"", Reason::none},
        Case{"SELECT u.age FROM users u", Reason::none},
        Case{"WITH t AS (SELECT id FROM users) SELECT * FROM t", Reason::none},
        Case{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT n FROM r",
             Reason::none},
        Case{"WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", Reason::none}));

INSTANTIATE_TEST_SUITE_P(
    ByKind, Analyse,
    ::testing::Values(
        Case{"", Reason::empty}, Case{" ; -- nothing", Reason::empty}, Case{"SELECT 1; SELECT 2", Reason::multiple},
        Case{"INSERT INTO users VALUES (1)", Reason::write},
        Case{"WITH d AS (DELETE FROM users RETURNING id) SELECT * FROM d", Reason::write},
        Case{"SELECT * FROM (WITH d AS (SELECT 1) SELECT * FROM d) s, users", Reason::none},
        Case{"MERGE INTO users u USING accounts a ON a.aid = u.id WHEN MATCHED THEN DELETE", Reason::write},
        Case{"SELECT * INTO copy FROM users", Reason::write},
        Case{"SELECT 1 AS a INTO copy UNION SELECT 2", Reason::write}, Case{"COPY users FROM STDIN", Reason::write},
        Case{"TRUNCATE users", Reason::write}, Case{"CREATE TABLE x (id int)", Reason::ddl},
        Case{"REFRESH MATERIALIZED VIEW totals", Reason::ddl}, Case{"GRANT SELECT ON users TO PUBLIC", Reason::ddl},
        Case{"ALTER ROLE bob BYPASSRLS", Reason::ddl}, Case{"COMMENT ON TABLE users IS 'x'", Reason::ddl},
        Case{"BEGIN", Reason::transaction_control}, Case{"COMMIT PREPARED 'x'", Reason::transaction_control},
        Case{"SAVEPOINT a", Reason::transaction_control}, Case{"SET search_path = app", Reason::session_command},
        Case{"DISCARD ALL", Reason::session_command}, Case{"PREPARE p AS SELECT 1", Reason::session_command},
        Case{"DECLARE c CURSOR FOR SELECT 1", Reason::session_command}, Case{"LISTEN x", Reason::session_command},
        Case{"LOAD 'x'", Reason::session_command}, Case{"EXPLAIN ANALYZE DELETE FROM users", Reason::utility},
        Case{"SHOW all", Reason::utility}, Case{"COPY users TO STDOUT", Reason::utility},
        Case{"EXECUTE p", Reason::utility}, Case{"CALL refresh()", Reason::utility},
        Case{"DO 'begin end'", Reason::utility}, Case{"VACUUM users", Reason::utility},
        Case{"SELEC 1", Reason::unparsed}, Case{"SELECT 0x1F", Reason::unparsed},
        Case{"SELECT '{}' IS JSON", Reason::unparsed},
        Case{"MERGE INTO users u USING accounts a ON true WHEN MATCHED THEN DELETE RETURNING *", Reason::unparsed},
        Case{"SELECT name FROM users WHERE id = $1", Reason::parameters}));

INSTANTIATE_TEST_SUITE_P(
    ByContent, Analyse,
    ::testing::Values(
        Case{"SELECT id FROM users FOR UPDATE", Reason::row_lock},
        Case{"SELECT * FROM (SELECT id FROM users FOR SHARE OF users) s", Reason::row_lock},
        Case{"SELECT * FROM users TABLESAMPLE SYSTEM (1)", Reason::tablesample},
        Case{"SELECT CURRENT_DATE", Reason::clock}, Case{"SELECT LOCALTIMESTAMP(3)", Reason::clock},
        Case{"SELECT now()", Reason::clock}, Case{"SELECT clock_timestamp()", Reason::clock},
        Case{"SELECT age(created_at) FROM users", Reason::clock},
        Case{"SELECT * FROM users WHERE born = 'ToDay'", Reason::clock},
        Case{"SELECT * FROM users WHERE created_at < E'n\\x6fw'", Reason::clock},
        Case{"SELECT * FROM users WHERE created_at < U&'\\006eow'", Reason::clock},
        Case{"SELECT '{n\\ow}'::date[]", Reason::clock}, Case{"SELECT note::date FROM users", Reason::clock},
        Case{"SELECT ('to' || 'day')::date", Reason::clock}, Case{"SELECT date(note) FROM users", Reason::clock},
        Case{"SELECT at::timestamp FROM events", Reason::clock},
        Case{"WITH x AS (SELECT note AS created_at FROM users) SELECT created_at::date FROM x", Reason::clock},
        Case{"SELECT s.created_at::date FROM users, (SELECT note FROM users) s(created_at)", Reason::clock},
        Case{"SELECT e.value::date FROM app.items, jsonb_each_text('{}') e", Reason::clock},
        Case{"SELECT * FROM json_to_recordset('[]') AS x(a date)", Reason::clock},
        Case{"SELECT '12:00'::timetz", Reason::clock}, Case{"SELECT timetz_hash('12:00')", Reason::clock},
        Case{"SELECT CURRENT_USER", Reason::session_identity}, Case{"SELECT current_schema", Reason::session_identity},
        Case{"SELECT system_user", Reason::session_identity}, Case{"SELECT random()", Reason::volatile_function},
        Case{"SELECT id FROM users ORDER BY random()", Reason::volatile_function},
        Case{"SELECT nextval('serial')", Reason::volatile_function},
        Case{"SELECT set_config('a.b', 'c', false)", Reason::volatile_function},
        Case{"SELECT nosuchfunction(1)", Reason::volatile_function},
        Case{"SELECT current_setting('app.user')", Reason::stable_function},
        Case{"SELECT version()", Reason::stable_function},
        Case{"SELECT current_schemas(true)", Reason::stable_function},
        Case{"SELECT 'users'::regclass", Reason::stable_function}, Case{"SELECT 1 ~? 2", Reason::stable_function},
        Case{"SELECT users.pg_typeof FROM users", Reason::stable_function},
        Case{"SELECT (created_at).age FROM users", Reason::clock}, Case{"SELECT pure_one(1)", Reason::user_function},
        Case{"SELECT stable_one(id) FROM users", Reason::user_function},
        Case{"SELECT app.lower('x')", Reason::user_function}, Case{"SELECT 1 <-> 2", Reason::user_function},
        Case{"SELECT 1 OPERATOR(public.<->) 2", Reason::user_function},
        Case{"SELECT id FROM users ORDER BY id USING <->", Reason::user_function},
        Case{"SELECT users.pure_one FROM users", Reason::user_function},
        Case{"SELECT (users).pure_one FROM users", Reason::user_function},
        Case{"SELECT 'calm'::mood", Reason::user_function}, Case{"SELECT citext 'x'", Reason::user_function},
        Case{"SELECT '1'::app.numeric", Reason::user_function},
        Case{"SELECT ctid FROM users", Reason::unsupported_syntax},
        Case{"SELECT u.xmin FROM users u", Reason::unsupported_syntax},
        Case{"SELECT xmlelement(name a)", Reason::unsupported_syntax},
        Case{"SELECT * FROM xmltable('/a' PASSING '<a/>' COLUMNS b text)", Reason::unsupported_syntax},
        Case{"SELECT * FROM \"\xc3\xa9t\xc3\xa9\"", Reason::encoding}));

INSTANTIATE_TEST_SUITE_P(ByRelation, Analyse,
                         ::testing::Values(Case{"SELECT * FROM nowhere_to_be_found", Reason::unknown_relation},
                                           Case{"SELECT * FROM app.users", Reason::unknown_relation},
                                           Case{"SELECT * FROM mixed_case", Reason::unknown_relation},
                                           Case{"SELECT relname FROM pg_class", Reason::system_catalog},
                                           Case{"SELECT relname FROM pg_catalog.pg_class", Reason::system_catalog},
                                           Case{"SELECT * FROM user_names", Reason::view},
                                           Case{"SELECT * FROM totals", Reason::materialized_view},
                                           Case{"SELECT * FROM measurements", Reason::partitioned_table},
                                           Case{"SELECT * FROM measurements_1", Reason::inheritance},
                                           Case{"SELECT * FROM ONLY animals", Reason::inheritance},
                                           Case{"SELECT * FROM remote", Reason::foreign_table},
                                           Case{"SELECT * FROM scratch", Reason::unlogged_table},
                                           Case{"SELECT * FROM pg_temp.users", Reason::temporary_table},
                                           Case{"SELECT * FROM serial", Reason::other_relation},
                                           Case{"SELECT * FROM ruled", Reason::other_relation},
                                           Case{"SELECT * FROM secured", Reason::row_security},
                                           Case{"SELECT * FROM odd", Reason::unsafe_type},
                                           Case{"SELECT * FROM names", Reason::unsafe_type},
                                           Case{"SELECT * FROM times", Reason::unsafe_type},
                                           Case{"SELECT * FROM derived", Reason::unsafe_type},
                                           Case{"SELECT 1 WHERE EXISTS (SELECT FROM secured)", Reason::row_security},
                                           Case{"WITH t AS (SELECT * FROM user_names) SELECT * FROM t", Reason::view}));

struct Reads {
    const char* sql;
    std::vector<Oid> oids;

    friend std::ostream& operator<<(std::ostream& out, const Reads& row) { return out << row.sql; }
};

class ReadsOf : public ::testing::TestWithParam<Reads> {};

TEST_P(ReadsOf, AreThoseOfTheNamesInTheirScope)
{
    EXPECT_EQ(analysed(GetParam().sql)->reads, GetParam().oids);
}

INSTANTIATE_TEST_SUITE_P(
    Scopes, ReadsOf,
    ::testing::Values(
        Reads{"SELECT 1", {}}, Reads{"SELECT * FROM users a, users b, accounts", {kAccounts, kUsers}},
        Reads{"WITH users AS (SELECT * FROM users) SELECT * FROM users", {kUsers}},
        Reads{"WITH users AS (SELECT 1) SELECT * FROM users", {}},
        Reads{"WITH users AS (SELECT 1) SELECT * FROM public.users", {kUsers}},
        Reads{"WITH RECURSIVE users AS (SELECT 1 UNION ALL SELECT 2 FROM users) SELECT * FROM users", {}},
        Reads{"WITH a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a, users", {kUsers}},
        Reads{"WITH RECURSIVE a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a, users", {}},
        Reads{"SELECT * FROM (WITH users AS (SELECT 1) SELECT * FROM users) s, users", {kUsers}},
        Reads{"(WITH users AS (SELECT 1) SELECT * FROM users) UNION SELECT id FROM users", {kUsers}},
        Reads{"WITH users AS (SELECT 1) SELECT 1 WHERE EXISTS (SELECT FROM users, accounts)", {kAccounts}},
        Reads{"SELECT * FROM items, app.items i", {kPublicItems, kAppItems}}));

TEST(Analyser, ListsReadNamesForRules)
{
    EXPECT_THAT(analysed("SELECT * FROM users, app.items, users u")->read_names,
                ::testing::ElementsAre("app.items", "public.users"));
}

TEST(Analyser, ResolvesByTheOrderOfTheScope)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = test_catalog();
    const auto reads = [&](std::vector<std::string> schemas) {
        return analyzer.analyse("SELECT * FROM items", catalog, test_scope(std::move(schemas)), {})->reads;
    };
    EXPECT_EQ(reads({"public", "app"}), std::vector<Oid>{kPublicItems});
    EXPECT_EQ(reads({"app", "public"}), std::vector<Oid>{kAppItems});
    EXPECT_TRUE(reads({}).empty());
}

TEST(Analyser, DoubtsNamesThatATemporaryTableMayHide)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = test_catalog();
    const auto scope = test_scope({"pg_temp_3", "public"});
    EXPECT_EQ(analyzer.analyse("SELECT * FROM users", catalog, scope, {})->reason, Reason::temporary_table);
    EXPECT_EQ(analyzer.analyse("SELECT * FROM public.users", catalog, scope, {})->reason, Reason::none);
    EXPECT_EQ(analyzer.analyse("SELECT '1'::numeric(3)::mood", catalog, scope, {})->reason, Reason::temporary_table);
}

TEST(Analyser, DoubtsNamesThatAUserObjectInTheScopeMayHide)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = test_catalog();
    EXPECT_EQ(analyzer.analyse("SELECT lower('x')", catalog, test_scope({"public"}), {})->reason, Reason::none);
    EXPECT_EQ(analyzer.analyse("SELECT lower('x')", catalog, test_scope({"app"}), {})->reason, Reason::user_function);
    EXPECT_EQ(analyzer.analyse("SELECT pg_catalog.lower('x')", catalog, test_scope({"app"}), {})->reason, Reason::none);
    const auto with_equality = test_catalog({.has_user_equality = true});
    const auto by_equality = [&](const char* sql) {
        return analyzer.analyse(sql, with_equality, test_scope({"public"}), {})->reason;
    };
    EXPECT_EQ(by_equality("SELECT * FROM users WHERE id = 1"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT * FROM users WHERE id IN (1, 2)"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT * FROM users NATURAL JOIN accounts"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT * FROM users JOIN accounts USING (id)"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT CASE id WHEN 1 THEN 2 END FROM users"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT id IN (SELECT aid FROM accounts) FROM users"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT nullif(id, 1) FROM users"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT id IS DISTINCT FROM 1 FROM users"), Reason::user_function);
    EXPECT_EQ(by_equality("SELECT * FROM users WHERE id OPERATOR(pg_catalog.=) 1"), Reason::none);
}

TEST(Analyser, CachesNothingWhereCastsMayRunUserCode)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = test_catalog({.is_unsafe = true});
    EXPECT_EQ(analyzer.analyse("SELECT id FROM users", catalog, test_scope(), {})->reason, Reason::user_function);
}

TEST(Analyser, AsksForAScopeOnlyWhereOneCouldHelp)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = test_catalog();
    const auto reason = [&](const char* sql) { return analyzer.analyse(sql, catalog, nullptr, {})->reason; };
    EXPECT_EQ(reason("SELECT id FROM users"), Reason::session_unknown);
    EXPECT_EQ(reason("SELECT 1"), Reason::session_unknown);
    EXPECT_EQ(reason("SELECT lower(name) FROM items"), Reason::session_unknown);
    EXPECT_EQ(reason("SELECT random() FROM users"), Reason::volatile_function);
    EXPECT_EQ(reason("SELECT pure_one(1)"), Reason::user_function);
    EXPECT_EQ(reason("SELECT * FROM user_names"), Reason::view);
    EXPECT_EQ(reason("SELECT * FROM no_such_table"), Reason::unknown_relation);
    EXPECT_EQ(reason("SELECT id FROM users FOR UPDATE"), Reason::row_lock);
    EXPECT_EQ(reason("UPDATE users SET id = 1"), Reason::write);
}

TEST(Analyser, NeedsACatalogToProveAnything)
{
    Analyzer analyzer{1 << 20};
    const auto reason = [&](const char* sql) { return analyzer.analyse(sql, nullptr, test_scope(), {})->reason; };
    EXPECT_EQ(reason("SELECT id FROM users"), Reason::catalog_unknown);
    EXPECT_EQ(reason("SELECT CURRENT_DATE"), Reason::clock);
    EXPECT_EQ(reason("BEGIN"), Reason::transaction_control);
}

TEST(Analyser, ReadsNothingInADialectItCannotRead)
{
    Analyzer analyzer{1 << 20};
    for (const Dialect dialect : {Dialect{false, true}, Dialect{true, false}}) {
        const auto statement = analyzer.analyse("SELECT 1", test_catalog(), test_scope(), dialect);
        EXPECT_EQ(statement->reason, Reason::encoding);
        EXPECT_TRUE(statement->writes_unknown && statement->changes_catalog && statement->changes_session);
        EXPECT_EQ(statement->transaction, Transaction::other);
    }
}

TEST(Encodings, AreSafeOnlyWhenKnownToBe)
{
    for (const auto name : {"UTF8", "LATIN1", "WIN1252", "SQL_ASCII", "EUC_JP"})
        EXPECT_TRUE(is_ascii_safe(name)) << name;
    for (const auto name : {"SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "SHIFT_JIS_2004", "", "utf8", "MULE"})
        EXPECT_FALSE(is_ascii_safe(name)) << name;
}

TEST(Reasons, HaveStableNamesInSnakeCase)
{
    std::set<std::string_view> names;
    for (const auto& reason : reasons()) {
        EXPECT_TRUE(names.insert(reason.name).second) << reason.name;
        EXPECT_EQ(reason.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << reason.name;
        EXPECT_FALSE(reason.meaning.empty());
    }
    EXPECT_EQ(name_of(Reason::none), "none");
    EXPECT_EQ(name_of(Reason::row_lock), "row_lock");
    EXPECT_EQ(name_of(Reason::unsafe_type), "unsafe_type");
    EXPECT_EQ(name_of(Reason::disabled), "disabled");
}

} // namespace
} // namespace pgmemo::query
