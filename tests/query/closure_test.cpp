#include "tests/query/footprint_text.hpp"
#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

using Names = std::vector<std::string>;

const Names kMeasurements{"measurements", "measurements_1", "measurements_2", "measurements_2_0", "measurements_2_1"};
const Names kDeletedOwner{"owned", "owned_deeper", "owned_default", "owned_nulled", "owner"};

/// The relations that a statement may write: those that move. Beside them it does nothing but what `effects` says.
struct Closure {
    const char* sql;
    Names relations;
    const char* effects = ""; ///< see effects_of

    friend std::ostream& operator<<(std::ostream& out, const Closure& row) { return out << row.sql; }
};

Names sorted(Names names, const Names& more)
{
    names.insert(names.end(), more.begin(), more.end());
    std::sort(names.begin(), names.end());
    return names;
}

class ClosureOf : public ::testing::TestWithParam<Closure> {};

TEST_P(ClosureOf, IsAllThatMoves)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(relations_written(*statement), GetParam().relations);
    EXPECT_EQ(effects_of(*statement), GetParam().effects);
    EXPECT_NE(statement->reason, Reason::none);
    EXPECT_NE(statement->reason, Reason::unparsed);
}

INSTANTIATE_TEST_SUITE_P(
    Partitions, ClosureOf,
    ::testing::Values(
        Closure{"INSERT INTO measurements VALUES (1, '2024-02-03', 4)", kMeasurements},
        Closure{"COPY measurements FROM STDIN", kMeasurements},
        Closure{"INSERT INTO measurements_1 VALUES (1, '2024-02-03', 4)", {"measurements", "measurements_1"}},
        Closure{"INSERT INTO measurements_2_0 VALUES (1, '2025-02-03', 4)",
                {"measurements", "measurements_2", "measurements_2_0"}},
        Closure{"UPDATE measurements_2_0 SET value = 1", {"measurements", "measurements_2", "measurements_2_0"}},
        Closure{"UPDATE measurements_2 SET value = 1",
                sorted({"measured_by"}, {"measurements", "measurements_2", "measurements_2_0",
                                         "measurements_2_1"})}, // a row may move, which deletes it
        Closure{"DELETE FROM measurements", sorted(kMeasurements, {"measured_by"})},
        Closure{"DELETE FROM measurements_1", {"measured_by", "measurements", "measurements_1"}},
        Closure{"TRUNCATE measurements_1", {"measurements", "measurements_1"}},
        Closure{"TRUNCATE measurements CASCADE", sorted(kMeasurements, {"measured_by"})},
        Closure{"INSERT INTO of_partitions VALUES (1, '2024-02-03', 4)", kMeasurements},
        Closure{"INSERT INTO by_expression_a VALUES ('a')", {"by_expression", "by_expression_a"}}));

INSTANTIATE_TEST_SUITE_P(Inheritance, ClosureOf,
                         ::testing::Values(Closure{"DELETE FROM animals", {"animals", "dogs", "puppies"}},
                                           Closure{"UPDATE ONLY animals SET name = 'x'",
                                                   {"animals", "dogs", "puppies"}},
                                           Closure{"UPDATE dogs SET name = 'x'", {"animals", "dogs", "puppies"}},
                                           Closure{"DELETE FROM puppies", {"animals", "dogs", "puppies"}},
                                           Closure{"TRUNCATE animals", {"animals", "dogs", "puppies"}}));

INSTANTIATE_TEST_SUITE_P(
    ForeignKeys, ClosureOf,
    ::testing::Values(
        Closure{"INSERT INTO owner VALUES (1)", {"owner"}}, Closure{"DELETE FROM owner WHERE id = 1", kDeletedOwner},
        Closure{"UPDATE owner SET name = 'x'", {"owner"}},
        Closure{"UPDATE owner SET name = 'x', id = 2", {"owned", "owned_renumbered", "owner"}},
        Closure{"UPDATE owner SET (name, id) = ('x', 2)", {"owned", "owned_renumbered", "owner"}},
        Closure{"INSERT INTO owner VALUES (1) ON CONFLICT (id) DO NOTHING", {"owner"}},
        Closure{"INSERT INTO owner VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'x'", {"owner"}},
        Closure{"INSERT INTO owner VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2",
                {"owned", "owned_renumbered", "owner"}},
        Closure{"DELETE FROM owned_deeper", {"owned_deeper", "owned_default", "owned_nulled"}},
        Closure{"DELETE FROM owned_plain", {"owned_plain"}}, Closure{"DELETE FROM tree", {"tree"}},
        Closure{"DELETE FROM boss", {"boss"}}, Closure{"UPDATE pairs SET b = 1", {"of_pairs", "pairs"}},
        Closure{"DELETE FROM pairs", {"of_pairs", "pairs"}}, Closure{"TRUNCATE owner", {"owner"}},
        Closure{"TRUNCATE owner CASCADE", sorted(kDeletedOwner, {"owned_plain", "owned_renumbered"})},
        Closure{"TRUNCATE owned_deeper, pairs CASCADE",
                {"of_pairs", "owned_deeper", "owned_default", "owned_nulled", "pairs"}},
        Closure{"TRUNCATE tree CASCADE", {"tree"}},
        Closure{"MERGE INTO owner o USING users u ON o.id = u.id WHEN MATCHED THEN DELETE", kDeletedOwner},
        Closure{"MERGE INTO owner o USING users u ON o.id = u.id WHEN MATCHED THEN UPDATE SET name = 'x'", {"owner"}},
        Closure{"MERGE INTO owner o USING users u ON o.id = u.id WHEN MATCHED THEN UPDATE SET id = 7",
                {"owned", "owned_renumbered", "owner"}}));

INSTANTIATE_TEST_SUITE_P(
    Views, ClosureOf,
    ::testing::Values(Closure{"INSERT INTO user_names VALUES (1, 'x')", {"users"}},
                      Closure{"UPDATE adults SET user_name = 'x'", {"users"}}, Closure{"DELETE FROM barred", {"users"}},
                      Closure{"DELETE FROM of_animals", {"animals", "dogs", "puppies"}},
                      Closure{"UPDATE with_exists SET name = 'x'", {"accounts", "users"}}, // accounts: for all it knows
                      Closure{"UPDATE instead SET name = 'x'", {"users"}},
                      Closure{"INSERT INTO ruled_view VALUES (1, 'x')", {"users"}},
                      Closure{"UPDATE ruled_view SET name = 'x'", {"events", "users"}},
                      Closure{"COPY user_names FROM STDIN", {"users"}},
                      Closure{"MERGE INTO user_names n USING users u ON n.id = u.id WHEN MATCHED THEN DELETE",
                              {"users"}},
                      Closure{"REFRESH MATERIALIZED VIEW totals", {"totals"}},
                      Closure{"REFRESH MATERIALIZED VIEW CONCURRENTLY totals_of_adults", {"totals_of_adults"}}));

INSTANTIATE_TEST_SUITE_P(
    RulesAndTriggers, ClosureOf,
    ::testing::Values(
        Closure{"UPDATE ruled SET name = 'x'", {"app.audit", "ruled"}}, Closure{"DELETE FROM ruled", {"ruled"}},
        Closure{"INSERT INTO ruled VALUES (1)", {"ruled", "scratch"}},
        Closure{"UPDATE touched SET name = 'x'", {"touched"}}, Closure{"INSERT INTO touched VALUES (1)", {"touched"}},
        Closure{"UPDATE audited SET name = 'x'", {"app.audit", "audited"}},
        Closure{"COPY audited FROM STDIN", {"app.audit", "audited"}}, Closure{"TRUNCATE audited", {"audited"}},
        Closure{"INSERT INTO deferred VALUES (1)", {"app.audit", "deferred"}},
        Closure{"TRUNCATE truncated", {"app.audit", "truncated"}}, Closure{"DELETE FROM truncated", {"truncated"}},
        Closure{"INSERT INTO silenced VALUES (1)", {"silenced"}},
        Closure{"INSERT INTO renumbered VALUES (1)", {"renumbered"}},
        Closure{"UPDATE chained SET name = 'x'", sorted(kDeletedOwner, {"app.audit", "audited", "chained"})},
        Closure{"INSERT INTO told VALUES (1)", {"events", "told"}}, // its trigger's WHEN
        Closure{"INSERT INTO triggered VALUES (1)", {"triggered"}, "WCKS"},
        Closure{"INSERT INTO triggered_unseen VALUES (1)", {"triggered_unseen"}, "WCKS"},
        Closure{"DELETE FROM triggered", {"triggered"}}));

INSTANTIATE_TEST_SUITE_P(
    OnTheWay, ClosureOf,
    ::testing::Values(Closure{"INSERT INTO with_defaults (plain) VALUES (1)", {"users", "with_defaults"}},
                      Closure{"INSERT INTO told_by_check VALUES (1, 1)", {"events", "told_by_check"}},
                      Closure{"DELETE FROM told_by_check", {"told_by_check"}},
                      Closure{"INSERT INTO guarded VALUES (1)", {"events", "guarded"}},
                      Closure{"INSERT INTO checked VALUES (1, 1)", {"checked"}},
                      Closure{"INSERT INTO with_domains VALUES (1, 2, 3)", {"with_domains"}},
                      Closure{"INSERT INTO with_index VALUES (1, 'x', 3)", {"with_index"}},
                      Closure{"INSERT INTO with_class VALUES (1, 2)", {"with_class"}},
                      Closure{"UPDATE accounts SET bid = volatile_one(1)", {"accounts", "users"}},
                      Closure{"DELETE FROM accounts WHERE aid IN (SELECT one FROM unsure)", {"accounts", "users"}},
                      Closure{"INSERT INTO accounts SELECT app.sum_logged(age)::int FROM users",
                              {"accounts", "events"}},
                      Closure{"DELETE FROM accounts RETURNING aid <-> 2", {"accounts", "scratch"}}));

INSTANTIATE_TEST_SUITE_P(
    Statements, ClosureOf,
    ::testing::Values(
        Closure{"WITH a AS (WITH b AS (DELETE FROM users RETURNING id) SELECT * FROM b) SELECT * FROM a", {"users"}},
        Closure{"SELECT * FROM accounts WHERE aid IN (WITH x AS (SELECT 1) SELECT * FROM x) AND 1 = volatile_one(1)",
                {"users"}},
        Closure{
            "WITH a AS (INSERT INTO items VALUES (1) RETURNING id), b AS (UPDATE accounts SET bid = 1 RETURNING aid) "
            "DELETE FROM users USING a, b",
            {"accounts", "items", "users"}},
        Closure{"WITH x AS (INSERT INTO app.items VALUES (1) RETURNING *) MERGE INTO items i USING x ON i.id = x.id "
                "WHEN NOT MATCHED THEN INSERT VALUES (1, 2)",
                {"app.items", "items"}},
        Closure{"EXPLAIN ANALYZE DELETE FROM owner", kDeletedOwner},
        Closure{"EXPLAIN (ANALYZE off) DELETE FROM owner", kDeletedOwner}, Closure{"EXPLAIN DELETE FROM owner", {}},
        Closure{"EXPLAIN (VERBOSE) INSERT INTO triggered VALUES (1)", {}},
        Closure{"COPY users (id) FROM STDIN", {"users"}}, Closure{"COPY users TO STDOUT", {}},
        Closure{"COPY (INSERT INTO owner VALUES (1) RETURNING id) TO STDOUT", {"owner"}},
        Closure{"COPY (SELECT volatile_one(1)) TO STDOUT", {"users"}},
        Closure{"SELECT id INTO copied FROM users", {}, "WCS"},
        Closure{"CREATE TABLE copied AS SELECT volatile_one(1)", {"users"}, "WCS"},
        Closure{"CREATE TEMPORARY TABLE copied AS SELECT volatile_one(1)", {"users"}, "S"},
        Closure{"PREPARE p AS DELETE FROM users", {}}, Closure{"EXECUTE p", {}, "WCKS"},
        Closure{"EXPLAIN ANALYZE EXECUTE p", {}, "WCKS"}, Closure{"CREATE TABLE copied AS EXECUTE p", {}, "WCKS"},
        Closure{"DECLARE c CURSOR FOR SELECT volatile_one(1)", {"users"}},
        Closure{"DECLARE c CURSOR WITH HOLD FOR SELECT * FROM unsure", {"users"}}, Closure{"FETCH c", {}, "S"},
        Closure{"DO 'begin delete from owner; end'", kDeletedOwner, "M"},
        Closure{"DO 'begin for i in 1..3 loop perform app.add_both(i); end loop; end'",
                {"app.items", "items", "users"},
                "M"},
        Closure{"DO 'begin execute ''delete from users''; end'", {}, "WCKSM"},
        Closure{"DELETE FROM users; SELECT 1; TRUNCATE owned_plain", {"owned_plain", "users"}},
        Closure{"INSERT INTO no_such_table VALUES (1)", {}, "WCKS"},
        Closure{"UPDATE pg_class SET relname = 'x'", {}, "WCKSMT"},
        Closure{"INSERT INTO remote VALUES (1)", {"remote"}, "WCKS"}));

INSTANTIATE_TEST_SUITE_P(
    Functions, ClosureOf,
    ::testing::Values(Closure{"SELECT volatile_one(1)", {"users"}}, Closure{"SELECT app.add_user(1, 'x')", {"users"}},
                      Closure{"SELECT app.add_item(1)", {"app.items", "items"}},
                      Closure{"SELECT app.rename_user(1, 'x')", {"users"}},
                      Closure{"SELECT app.add_both(1)", {"app.items", "items", "users"}},
                      Closure{"SELECT * FROM generate_series(1, 2) g, LATERAL volatile_one(g) v", {"users"}},
                      Closure{"SELECT 1 FROM users ORDER BY volatile_one(1)", {"users"}},
                      Closure{"SELECT (u).volatile_one FROM users u", {"users"}},
                      Closure{"SELECT 3 <-> 4", {"scratch"}},
                      Closure{"SELECT app.sum_logged(age) FROM users", {"events"}},
                      Closure{"SELECT overloaded(1 + 1)", {"events"}}, // perhaps the other one
                      Closure{"SELECT app.any_table('users')", {}, "WCKS"}, Closure{"SELECT app.unseen(1)", {}, "WCKS"},
                      Closure{"SELECT no_such_function(1)", {}, "WCKS"}, Closure{"CALL refresh()", {"scratch"}, "M"},
                      Closure{"CALL app.move_item(1)", {"app.items", "items"}, "M"},
                      Closure{"CALL app.move_all()", {"app.items", "events", "items"}, "M"},
                      Closure{"SELECT * FROM secured_oddly", {"users"}})); // its policy calls a function that writes

/// The catalog with functions that the configuration vouches for.
std::shared_ptr<const Catalog> vouched_catalog(std::vector<config::FunctionSpec> functions)
{
    CatalogBuilder builder{5};
    for (const auto& row : recorded_rows())
        builder.row(row.query, std::vector<std::optional<std::string_view>>{row.columns.begin(), row.columns.end()});
    config::Config config;
    config.functions = std::move(functions);
    return builder.finish(config);
}

TEST(FunctionsVouchedFor, ReadAndWriteWhatTheConfigurationSays)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = vouched_catalog({{"app.unseen", {"public.owner", "app.*"}, {}},
                                          {"app.any_table", {}, {"public.owned_plain", "public.measurements_1"}},
                                          {"app.unseen_*", {}, {}},
                                          {"app.run_anything", {}, {"public.scratch"}}});
    const auto of = [&](const char* sql) { return analyzer.analyse(sql, catalog, test_scope(), {}); };
    const auto reads = of("SELECT app.unseen(1)");
    EXPECT_EQ(reads->reason, Reason::none) << reads->why;
    EXPECT_EQ(relations_read(*reads), (Names{"app.audit", "app.items", "owner"}));
    EXPECT_TRUE(reads->is_read_only());

    const auto writes = of("SELECT app.any_table('x')");
    EXPECT_EQ(effects_of(*writes), "");
    EXPECT_EQ(relations_written(*writes), (Names{"measurements", "measurements_1", "owned_plain"}));
    EXPECT_NE(writes->reason, Reason::none);

    EXPECT_EQ(relations_written(*of("INSERT INTO triggered_unseen VALUES (1)")), Names{"triggered_unseen"});
    EXPECT_EQ(effects_of(*of("INSERT INTO triggered_unseen VALUES (1)")), "");
    EXPECT_EQ(relations_written(*of("INSERT INTO triggered VALUES (1)")), (Names{"scratch", "triggered"}));
}

TEST(FunctionsVouchedFor, ReadAndWriteThroughViews)
{
    Analyzer analyzer{1 << 20};
    const auto catalog = vouched_catalog({{"app.unseen", {"public.adults"}, {"public.user_names"}}});
    const auto statement = analyzer.analyse("SELECT app.unseen(1)", catalog, test_scope(), {});
    EXPECT_EQ(relations_read(*statement), Names{"users"}); // a view's own words never move
    EXPECT_EQ(relations_written(*statement), (Names{"user_names", "users"}));
}

TEST(Closure, OfABodyIsThatOfItsNamesInItsOwnScope)
{
    Analyzer analyzer{1 << 20};
    const auto written = [&](const char* sql, std::vector<std::string> schemas) {
        return relations_written(*analyzer.analyse(sql, test_catalog(), test_scope(std::move(schemas)), {}));
    };
    // `users` in its body is whatever the caller's search_path says; without one it may be any of that name
    EXPECT_EQ(written("SELECT public.volatile_one(1)", {"public"}), Names{"users"});
    EXPECT_EQ(effects_of(*analyzer.analyse("SELECT public.volatile_one(1)", test_catalog(), test_scope({"app"}), {})),
              "WCKS");
    EXPECT_EQ(relations_written(*analyzer.analyse("SELECT volatile_one(1)", test_catalog(), nullptr, {})),
              Names{"users"});
    EXPECT_EQ(written("DELETE FROM items", {"app", "public"}), Names{"app.items"});
}

} // namespace
} // namespace pgmemo::query
