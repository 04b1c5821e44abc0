#include "tests/query/footprint_text.hpp"
#include "tests/query/test_catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
        Case{"REFRESH MATERIALIZED VIEW totals", Reason::write}, Case{"GRANT SELECT ON users TO PUBLIC", Reason::ddl},
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
        Case{"SELECT name FROM users WHERE id = $1", Reason::none}));

INSTANTIATE_TEST_SUITE_P(
    ByContent, Analyse,
    ::testing::Values(
        Case{"SELECT id FROM users FOR UPDATE", Reason::row_lock},
        Case{"SELECT * FROM (SELECT id FROM users FOR SHARE OF users) s", Reason::row_lock},
        Case{"SELECT * FROM users TABLESAMPLE SYSTEM (1)", Reason::tablesample},
        Case{"SELECT CURRENT_DATE", Reason::clock}, Case{"SELECT LOCALTIMESTAMP(3)", Reason::clock},
        Case{"SELECT now()", Reason::clock}, Case{"SELECT clock_timestamp()", Reason::clock},
        Case{"SELECT age(created_at) FROM users", Reason::clock},
        Case{"SELECT time '12:00' AT TIME ZONE 'UTC' FROM users", Reason::clock},
        Case{"SELECT make_time(1, 2, 3) AT TIME ZONE 'UTC' FROM users", Reason::clock},
        Case{"SELECT xpath('/a', '<a/>') FROM users", Reason::stable_function},
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
        Case{"SELECT '12:00'::time AT TIME ZONE 'UTC'", Reason::clock}, Case{"SELECT '12:00'::timetz", Reason::clock},
        Case{"SELECT timetz_hash('12:00')", Reason::clock}, Case{"SELECT CURRENT_USER", Reason::session_identity},
        Case{"SELECT current_schema", Reason::session_identity}, Case{"SELECT system_user", Reason::session_identity},
        Case{"SELECT random()", Reason::volatile_function},
        Case{"SELECT id FROM users ORDER BY random()", Reason::volatile_function},
        Case{"SELECT nextval('serial')", Reason::volatile_function},
        Case{"SELECT set_config('a.b', 'c', false)", Reason::volatile_function},
        Case{"SELECT nosuchfunction(1)", Reason::volatile_function},
        Case{"SELECT current_setting('app.user')", Reason::stable_function},
        Case{"SELECT current_setting('TimeZone')", Reason::stable_function},
        Case{"SELECT current_setting('app.' || 'tenant')", Reason::stable_function},
        Case{"SELECT version()", Reason::stable_function},
        Case{"SELECT current_schemas(true)", Reason::stable_function},
        Case{"SELECT 'users'::regclass", Reason::stable_function},
        Case{"SELECT users.pg_typeof FROM users", Reason::stable_function},
        Case{"SELECT (created_at).age FROM users", Reason::clock}, Case{"SELECT 1 <-> 2", Reason::user_function},
        Case{"SELECT 1 OPERATOR(public.<->) 2", Reason::user_function},
        Case{"SELECT id FROM users ORDER BY id USING <->", Reason::user_function},
        Case{"SELECT users.volatile_one FROM users", Reason::user_function},
        Case{"SELECT (users).volatile_one FROM users", Reason::user_function},
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
                                           Case{"SELECT * FROM information_schema.tables", Reason::system_catalog},
                                           Case{"SELECT * FROM remote", Reason::foreign_table},
                                           Case{"SELECT * FROM scratch", Reason::unlogged_table},
                                           Case{"SELECT * FROM pg_temp.users", Reason::temporary_table},
                                           Case{"SELECT * FROM serial", Reason::other_relation},
                                           Case{"SELECT * FROM names", Reason::unsafe_type},
                                           Case{"SELECT * FROM times", Reason::unsafe_type},
                                           Case{"SELECT * FROM people", Reason::unsafe_type}));

INSTANTIATE_TEST_SUITE_P(
    ThroughViews, Analyse,
    ::testing::Values(
        Case{"SELECT * FROM user_names", Reason::none}, Case{"SELECT * FROM adults", Reason::none},
        Case{"WITH t AS (SELECT * FROM user_names) SELECT * FROM t", Reason::none},
        Case{"SELECT * FROM totals", Reason::none}, Case{"SELECT * FROM invoked", Reason::none},
        Case{"SELECT * FROM barred", Reason::none}, Case{"SELECT * FROM odd_names", Reason::none},
        Case{"SELECT * FROM descendants", Reason::none}, Case{"SELECT * FROM of_function", Reason::none},
        Case{"SELECT * FROM of_values, series", Reason::none}, Case{"SELECT * FROM grouped, framed", Reason::none},
        Case{"SELECT * FROM instead, ruled_view", Reason::none}, Case{"SELECT * FROM by_tenant", Reason::none},
        Case{"SELECT * FROM recent", Reason::clock}, Case{"SELECT * FROM todays", Reason::clock},
        Case{"SELECT * FROM clock_text", Reason::clock}, Case{"SELECT * FROM everything_else", Reason::clock},
        Case{"SELECT * FROM mine", Reason::session_identity}, Case{"SELECT * FROM unsure", Reason::user_function},
        Case{"SELECT * FROM logged_sum", Reason::user_function}, Case{"SELECT * FROM sampled", Reason::tablesample},
        Case{"SELECT * FROM locked", Reason::row_lock}, Case{"SELECT * FROM by_some_setting", Reason::stable_function},
        Case{"SELECT * FROM of_xml", Reason::unsupported_syntax},
        Case{"SELECT * FROM of_xmltable", Reason::unsupported_syntax},
        Case{"SELECT * FROM of_catalog", Reason::system_catalog},
        Case{"SELECT * FROM with_ctid", Reason::unsupported_syntax},   // VACUUM FULL moves them
        Case{"SELECT * FROM with_xmax", Reason::unsupported_syntax})); // FOR UPDATE sets it

INSTANTIATE_TEST_SUITE_P(
    ThroughTables, Analyse,
    ::testing::Values(Case{"SELECT * FROM measurements", Reason::none},
                      Case{"SELECT * FROM measurements_1", Reason::none},
                      Case{"SELECT * FROM by_expression", Reason::none},
                      Case{"SELECT * FROM ONLY animals", Reason::none},
                      Case{"SELECT * FROM animals, puppies", Reason::none}, Case{"SELECT * FROM ruled", Reason::none},
                      Case{"SELECT * FROM derived", Reason::none}, Case{"SELECT * FROM odd", Reason::none},
                      Case{"SELECT * FROM with_domains", Reason::none}, Case{"SELECT * FROM with_class", Reason::none},
                      Case{"SELECT * FROM secured", Reason::none}, Case{"SELECT * FROM secured_own", Reason::none},
                      Case{"SELECT 1 WHERE EXISTS (SELECT FROM secured_by_other)", Reason::none},
                      Case{"SELECT * FROM secured_shut, secured_off", Reason::none},
                      Case{"SELECT * FROM secured_oddly", Reason::user_function},
                      Case{"SELECT * FROM secured_by_clock", Reason::clock}));

INSTANTIATE_TEST_SUITE_P(
    ThroughFunctions, Analyse,
    ::testing::Values(
        Case{"SELECT pure_one(1)", Reason::none}, Case{"SELECT stable_one(id) FROM users", Reason::none},
        Case{"SELECT app.lower('x')", Reason::none}, Case{"SELECT users.pure_one FROM users", Reason::none},
        Case{"SELECT (users).pure_one FROM users", Reason::none}, Case{"SELECT 'a' ~? 'b'", Reason::none},
        Case{"SELECT 'calm'::mood", Reason::none}, Case{"SELECT citext 'x'", Reason::none},
        Case{"SELECT '1'::app.numeric", Reason::none}, Case{"SELECT app.user_name(1), app.user_age(1)", Reason::none},
        Case{"SELECT * FROM app.items_of(1)", Reason::none}, Case{"SELECT app.greeting(1)", Reason::none},
        Case{"SELECT app.never_ends(1)", Reason::none}, Case{"SELECT app.pure(3)", Reason::none},
        Case{"SELECT app.count_users()", Reason::none}, Case{"SELECT app.with_path(1)", Reason::none},
        Case{"SELECT app.as_owner(1)", Reason::none}, Case{"SELECT app.many(1, 2, 3)", Reason::none},
        Case{"SELECT * FROM app.pair(1)", Reason::none}, Case{"SELECT app.same(1)", Reason::none},
        Case{"SELECT app.sum_of_squares(age) FROM users", Reason::none}, Case{"SELECT app.tenant()", Reason::none},
        Case{"SELECT current_setting('App.Tenant', true)", Reason::none},
        Case{"SELECT name === 'x' FROM users", Reason::none}, Case{"SELECT note::mood FROM users", Reason::none},
        Case{"SELECT app.clock()", Reason::clock}, Case{"SELECT app.add_user(1, 'a')", Reason::user_function},
        Case{"SELECT app.add_item(1)", Reason::write}, Case{"SELECT app.rename_user(1, 'x')", Reason::user_function},
        Case{"SELECT app.any_table('users')", Reason::user_function},
        Case{"SELECT app.unseen(1)", Reason::user_function},
        Case{"SELECT app.sum_logged(age) FROM users", Reason::user_function},
        Case{"SELECT overloaded(1)", Reason::none},
        Case{"SELECT overloaded(1 + 1)", Reason::user_function}, // perhaps the other one
        Case{"SELECT app.of_domain(1)", Reason::none}, Case{"SELECT app.with_default()", Reason::none},
        Case{"SELECT app.days(note, '2020-01-01') FROM users", Reason::clock},
        Case{"SELECT app.born_since(note) FROM users", Reason::clock},
        Case{"SELECT note::period FROM users", Reason::clock},
        Case{"SELECT ARRAY[note]::period[] FROM users", Reason::clock},
        Case{"SELECT (note::users).born FROM users", Reason::clock}));

struct Reads {
    const char* sql;
    std::vector<std::string> relations;

    friend std::ostream& operator<<(std::ostream& out, const Reads& row) { return out << row.sql; }
};

class ReadsOf : public ::testing::TestWithParam<Reads> {};

TEST_P(ReadsOf, AreAllThatTheResultIsMadeOf)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(name_of(statement->reason), name_of(Reason::none)) << statement->why;
    EXPECT_EQ(relations_read(*statement), GetParam().relations);
}

INSTANTIATE_TEST_SUITE_P(
    Scopes, ReadsOf,
    ::testing::Values(
        Reads{"SELECT 1", {}}, Reads{"SELECT * FROM users a, users b, accounts", {"accounts", "users"}},
        Reads{"WITH users AS (SELECT * FROM users) SELECT * FROM users", {"users"}},
        Reads{"WITH users AS (SELECT 1) SELECT * FROM users", {}},
        Reads{"WITH users AS (SELECT 1) SELECT * FROM public.users", {"users"}},
        Reads{"WITH RECURSIVE users AS (SELECT 1 UNION ALL SELECT 2 FROM users) SELECT * FROM users", {}},
        Reads{"WITH a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a, users", {"users"}},
        Reads{"WITH RECURSIVE a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a, users", {}},
        Reads{"SELECT * FROM (WITH users AS (SELECT 1) SELECT * FROM users) s, users", {"users"}},
        Reads{"(WITH users AS (SELECT 1) SELECT * FROM users) UNION SELECT id FROM users", {"users"}},
        Reads{"WITH users AS (SELECT 1) SELECT 1 WHERE EXISTS (SELECT FROM users, accounts)", {"accounts"}},
        Reads{"SELECT * FROM items, app.items i", {"app.items", "items"}}));

INSTANTIATE_TEST_SUITE_P(
    Followed, ReadsOf,
    ::testing::Values(
        Reads{"SELECT * FROM user_names", {"users"}}, Reads{"SELECT * FROM adults", {"users"}},
        Reads{"SELECT * FROM accounts_of_users", {"accounts", "users"}},
        Reads{"SELECT * FROM with_exists", {"accounts", "users"}}, Reads{"SELECT * FROM with_cte", {"items", "users"}},
        Reads{"SELECT * FROM everybody", {"accounts", "users"}}, Reads{"SELECT * FROM descendants", {"items"}},
        Reads{"SELECT * FROM of_function", {"items"}}, // and what its function reads, which is the same
        Reads{"SELECT * FROM totals", {"totals"}},     // not what it is made of: REFRESH moves it
        Reads{"SELECT * FROM totals_of_adults", {"totals_of_adults"}},
        Reads{"SELECT * FROM measurements", {"measurements"}}, // moves with its partitions
        Reads{"SELECT * FROM measurements_2_0", {"measurements_2_0"}}, Reads{"SELECT * FROM animals", {"animals"}},
        Reads{"SELECT * FROM secured", {"secured"}},
        Reads{"SELECT * FROM secured_by_other", {"secured_by_other", "users"}},
        Reads{"SELECT app.user_name(1)", {"users"}}, Reads{"SELECT app.greeting(1)", {"users"}},
        Reads{"SELECT * FROM app.items_of(1)", {"items"}}, Reads{"SELECT app.count_users()", {"users"}},
        Reads{"SELECT app.with_path(1)", {"app.items"}}, Reads{"SELECT app.as_owner(1)", {"users"}},
        Reads{"SELECT 'a' ~? 'b'", {"events"}}, Reads{"SELECT stable_one(1)", {"users"}},
        Reads{"SELECT users.stable_one FROM users", {"users"}},
        Reads{"SELECT * FROM moods", {"moods", "users"}},               // of mood's cast
        Reads{"SELECT * FROM with_domains", {"users", "with_domains"}}, // of a domain's check
        Reads{"SELECT app.of_domain(1)", {"users"}}, Reads{"SELECT app.with_default()", {"users"}},
        Reads{"SELECT id FROM users WHERE 1 = (SELECT count(*) FROM user_names) AND EXISTS (SELECT FROM adults)",
              {"users"}}));

TEST(Analyser, TellsTheSettingsThatAResultDependsOn)
{
    using ::testing::ElementsAre;
    EXPECT_THAT(analysed("SELECT * FROM secured")->settings, ElementsAre("app.tenant"));
    EXPECT_THAT(analysed("SELECT * FROM by_tenant")->settings, ElementsAre("app.tenant"));
    EXPECT_THAT(analysed("SELECT app.tenant()")->settings, ElementsAre("app.tenant"));
    EXPECT_THAT(analysed("SELECT current_setting('APP.Tenant')")->settings, ElementsAre("app.tenant"));
    EXPECT_THAT(analysed("SELECT * FROM users")->settings, ElementsAre());
}

TEST(Analyser, SaysWhyAndWhere)
{
    const auto why = [](const char* sql) { return analysed(sql)->why; };
    const auto place = [](const char* sql) { return analysed(sql)->place; };
    EXPECT_EQ(why("SELECT id, now() FROM users"), "function now");
    EXPECT_EQ(place("SELECT id, now() FROM users"), 11);
    EXPECT_EQ(why("SELECT id FROM users, recent"), "function now, in view public.recent");
    EXPECT_EQ(place("SELECT id FROM users, recent"), 22);
    EXPECT_EQ(why("SELECT * FROM secured_oddly"),
              "function public.volatile_one, which does more than read, in a policy of relation public.secured_oddly");
    EXPECT_EQ(why("SELECT id FROM users"), "");
    EXPECT_EQ(place("SELECT id FROM users"), -1);
}

TEST(Analyser, ListsReadNamesForRules)
{
    EXPECT_THAT(analysed("SELECT * FROM users, app.items, users u")->read_names,
                ::testing::ElementsAre("app.items", "public.users"));
    EXPECT_THAT(analysed("SELECT * FROM adults WHERE app.user_name(1) = 'x'")->read_names,
                ::testing::ElementsAre("public.adults", "public.user_names", "public.users"));
}

TEST(Analyser, ResolvesByTheOrderOfTheScope)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = test_catalog();
    const auto reads = [&](std::vector<std::string> schemas) {
        return relations_read(*analyzer.analyse("SELECT * FROM items", catalog, test_scope(std::move(schemas)), {}));
    };
    EXPECT_EQ(reads({"public", "app"}), std::vector<std::string>{"items"});
    EXPECT_EQ(reads({"app", "public"}), std::vector<std::string>{"app.items"});
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
    const auto reads = [&](const char* sql, std::vector<std::string> schemas) {
        return relations_read(*analyzer.analyse(sql, catalog, test_scope(std::move(schemas)), {}));
    };
    const std::vector<std::string> users{"users"};
    const std::vector<std::string> none;
    EXPECT_EQ(reads("SELECT user_name(1)", {"app"}), users);
    EXPECT_EQ(reads("SELECT 'a' ~? 'b'", {"public"}), std::vector<std::string>{"events"});
    EXPECT_EQ(analyzer.analyse("SELECT 'a' ~? 'b'", catalog, test_scope({"app"}), {})->reason, Reason::user_function);
    EXPECT_EQ(analyzer.analyse("SELECT clock(), lower('x')", catalog, test_scope({"app"}), {})->reason, Reason::clock);
    EXPECT_EQ(analyzer.analyse("SELECT clock(), lower('x')", catalog, test_scope({"public"}), {})->reason,
              Reason::volatile_function);
    EXPECT_EQ(analyzer.analyse("SELECT '1'::numeric", catalog, test_scope({"app"}), {})->reason, Reason::none);

    const auto in_hostile = [&, hostile = hostile_catalog()](const char* sql) {
        return analyzer.analyse(sql, hostile, test_scope({"public"}), {})->reason;
    };
    for (const auto* sql :
         {"SELECT * FROM plain WHERE id = 1", "SELECT * FROM plain WHERE id IN (1, 2)",
          "SELECT * FROM plain NATURAL JOIN plain p", "SELECT * FROM plain JOIN plain p USING (id)",
          "SELECT CASE id WHEN 1 THEN 2 END FROM plain", "SELECT id IN (SELECT id FROM plain) FROM plain",
          "SELECT nullif(id, 1) FROM plain", "SELECT id IS DISTINCT FROM 1 FROM plain"})
        EXPECT_EQ(in_hostile(sql), Reason::user_function) << sql;
}

TEST(Analyser, CachesNothingWhereBuiltInTypesMayRunUserCode)
{
    Analyzer analyzer{1 << 20};
    for (const auto* sql : {"SELECT 1", "SELECT name FROM plain", "SELECT 1 OPERATOR(pg_catalog.=) 1"})
        EXPECT_EQ(analyzer.analyse(sql, hostile_catalog(), test_scope(), {})->reason, Reason::user_function) << sql;
}

TEST(Analyser, CachesNothingWhereTextMayBecomeADateUnseen)
{
    auto rows = recorded_rows();
    const auto queries = catalog_queries();
    const auto later = std::find_if(rows.begin(), rows.end(),
                                    [&](const RecordedRow& row) { return queries[row.query].name == "relations"; });
    const auto casts = later->query - 1;
    ASSERT_EQ(queries[casts].name, "casts");
    rows.insert(later, {casts, {"25", "1082", "0", "i", "i"}}); // (text AS date) WITH INOUT AS IMPLICIT
    const auto catalog = catalog_of(rows);
    ASSERT_TRUE(catalog);
    Analyzer analyzer{1 << 20};
    EXPECT_EQ(analyzer.analyse("SELECT * FROM users WHERE born = note", catalog, test_scope(), {})->reason,
              Reason::clock);
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
    EXPECT_EQ(reason("SELECT pure_one(1)"), Reason::session_unknown);
    EXPECT_EQ(reason("SELECT volatile_one(1)"), Reason::user_function);
    EXPECT_EQ(reason("SELECT * FROM user_names"), Reason::session_unknown);
    EXPECT_EQ(reason("SELECT * FROM recent"), Reason::clock);
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
