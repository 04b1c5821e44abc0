#include "tests/query/footprint_text.hpp"
#include "tests/query/test_catalog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

namespace pgmemo::query {
namespace {

using namespace pgmemo::query::testing;

/// What a text reads, or writes, with the key values that it is confined to: see footprint_text.hpp. A wrong claim here
/// is a wrong row served, so every row that claims something has others beside it that must not.
struct Confined {
    const char* sql;
    std::vector<std::string> expected;

    friend std::ostream& operator<<(std::ostream& out, const Confined& row) { return out << row.sql; }
};

class ConfinedRead : public ::testing::TestWithParam<Confined> {};

TEST_P(ConfinedRead, ToTheRowsThatMatter)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(name_of(statement->reason), name_of(Reason::none)) << statement->why;
    EXPECT_EQ(reads_of(*statement), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Conditions, ConfinedRead,
    ::testing::Values(
        Confined{"SELECT * FROM lefts WHERE id = 5", {"lefts id=5"}},
        Confined{"SELECT name FROM lefts l WHERE 5 = l.id AND k > 3", {"lefts id=5"}},
        Confined{"SELECT * FROM lefts WHERE k = 5", {"lefts k=5"}},
        Confined{"SELECT * FROM lefts WHERE k = 5 AND id = 6", {"lefts id=6"}}, // the most telling of them
        Confined{"SELECT * FROM lefts WHERE (id, k) = (5, 6)", {"lefts id=5"}},
        Confined{"SELECT * FROM lefts WHERE id IN (5, '6', 7::bigint)", {"lefts id=5|6|7"}},
        Confined{"SELECT * FROM lefts WHERE id = ANY (ARRAY[5, 6])", {"lefts id=5|6"}},
        Confined{"SELECT * FROM lefts WHERE id = ANY ('{5,6}')", {"lefts id=5|6"}},
        Confined{"SELECT * FROM lefts WHERE id = ANY ('{5,6}'::int[])", {"lefts id=5|6"}},
        Confined{"SELECT * FROM lefts WHERE (id = 5 AND k = 6) AND name = 'x'", {"lefts id=5"}},
        Confined{"SELECT * FROM lefts WHERE id OPERATOR(pg_catalog.=) 5", {"lefts id=5"}},
        Confined{"SELECT * FROM lefts WHERE id = -5", {"lefts id=-5"}},
        Confined{"SELECT * FROM lefts WHERE id = 99999999999", {"lefts id=99999999999"}},
        Confined{"SELECT count(*), max(k) FROM lefts WHERE id = 5 GROUP BY name HAVING count(*) > 0", {"lefts id=5"}},
        Confined{"SELECT DISTINCT k FROM lefts WHERE id = 5 ORDER BY k LIMIT 1", {"lefts id=5"}},

        Confined{"SELECT * FROM lefts", {"lefts"}}, Confined{"SELECT * FROM lefts WHERE id = 5 OR k = 6", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE NOT id = 5", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id <> 5", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id NOT IN (5)", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id <> ANY (ARRAY[5])", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id = ALL (ARRAY[5])", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE (id = 5) IS NOT TRUE", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE (id = 5) IS NULL", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE (id = 5) = false", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id IS NOT DISTINCT FROM 5", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE CASE WHEN id = 5 THEN true ELSE k = 6 END", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE coalesce(id, 5) = 5", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id + 0 = 5", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE -id = 5", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id BETWEEN 5 AND 5", {"lefts"}},
        Confined{"SELECT id = 5 FROM lefts", {"lefts"}}, Confined{"SELECT * FROM lefts ORDER BY id = 5", {"lefts"}},
        Confined{"SELECT count(*) FILTER (WHERE id = 5) FROM lefts", {"lefts"}},
        Confined{"SELECT id FROM lefts GROUP BY id HAVING id = 5", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id IN (5, NULL)", {"lefts"}}, // transform_null_equals might make it IS NULL
        Confined{"SELECT * FROM lefts WHERE id = NULL", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id = (SELECT 5)", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id IN (SELECT 5)", {"lefts"}},
        Confined{"SELECT * FROM lefts WHERE id = 5 UNION ALL SELECT * FROM lefts WHERE id = 6",
                 {"lefts id=5", "lefts id=6"}},
        Confined{"SELECT * FROM lefts WHERE id = 5 UNION ALL SELECT * FROM lefts", {"lefts", "lefts id=5"}}));

INSTANTIATE_TEST_SUITE_P(
    Values, ConfinedRead,
    ::testing::Values(Confined{"SELECT * FROM lefts WHERE id = '5'", {"lefts id=5"}},
                      Confined{"SELECT * FROM lefts WHERE id = '+05'", {"lefts id=5"}},
                      Confined{"SELECT * FROM lefts WHERE id = '5'::int8", {"lefts id=5"}},
                      Confined{"SELECT * FROM lefts WHERE id = 5::smallint", {"lefts id=5"}},
                      Confined{"SELECT * FROM by_text WHERE id = 'a'", {"by_text id=a"}},
                      Confined{"SELECT * FROM by_text WHERE id = E'\\x61'", {"by_text id=a"}},
                      Confined{"SELECT * FROM by_text WHERE id = 'a'::varchar", {"by_text id=a"}},
                      Confined{"SELECT * FROM by_varchar WHERE id = 'a longer one than it takes'",
                               {"by_varchar id=a longer one than it takes"}},
                      Confined{"SELECT * FROM by_uuid WHERE id = '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}'",
                               {"by_uuid id=a0eebc999c0b4ef8bb6d6bb9bd380a11"}},
                      Confined{"SELECT * FROM by_bool WHERE id = true", {"by_bool id=t"}},
                      Confined{"SELECT * FROM by_bool WHERE id = 'FALSE'", {"by_bool id=f"}},
                      Confined{"SELECT * FROM by_bigint WHERE id = 5", {"by_bigint id=5"}},
                      Confined{"SELECT * FROM by_domain WHERE id = 5", {"by_domain id=5"}},
                      Confined{"SELECT * FROM by_loose_text WHERE strict = 'a'", {"by_loose_text strict=a"}},
                      Confined{"SELECT * FROM \"Mixed Case\" WHERE \"Id\" = 5", {"Mixed Case Id=5"}},

                      Confined{"SELECT * FROM lefts WHERE id = 5.0", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = 5e0", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = 5.2::int", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = '5'::numeric", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = '5 '",
                               {"lefts"}}, // it does equal 5, but not in a form that we know
                      Confined{"SELECT * FROM lefts WHERE id = 99999999999999999999", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = ANY ('{{5},{6}}')", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = ANY ('[0:1]={5,6}')", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = ANY (ARRAY[5, 6.5])", {"lefts"}},
                      Confined{"SELECT * FROM lefts WHERE id = ANY (ARRAY[5, k])", {"lefts"}},
                      Confined{"SELECT * FROM by_text WHERE id = 'a '", {"by_text"}},
                      Confined{"SELECT * FROM by_text WHERE id = 'a'::char(2)", {"by_text"}},
                      Confined{"SELECT * FROM by_text WHERE id = 'abc'::varchar(2)", {"by_text"}}, // it is cut
                      Confined{"SELECT * FROM by_text WHERE id = 'a'::name", {"by_text"}},
                      Confined{"SELECT * FROM by_text WHERE id = '\xc3\xa9'", {"by_text"}}, // in whose encoding?
                      Confined{"SELECT * FROM by_text WHERE id = 'a' COLLATE ignores_case", {"by_text"}},
                      Confined{"SELECT * FROM by_text WHERE id COLLATE ignores_case = 'a'", {"by_text"}},
                      Confined{"SELECT * FROM by_text WHERE lower(id) = 'a'", {"by_text"}},
                      Confined{"SELECT * FROM by_text WHERE id LIKE 'a'", {"by_text"}},
                      Confined{"SELECT * FROM by_text WHERE id === 'a'", {"by_text"}},
                      Confined{"SELECT * FROM by_char WHERE id = 'a'", {"by_char"}}, // blanks do not count
                      Confined{"SELECT * FROM by_numeric WHERE id = 5", {"by_numeric"}},
                      Confined{"SELECT * FROM by_date WHERE id = '2020-01-01'", {"by_date"}},
                      Confined{"SELECT * FROM by_loose_text WHERE id = 'a'", {"by_loose_text"}},
                      Confined{"SELECT * FROM by_loose_domain WHERE id = 'a'", {"by_loose_domain"}},
                      Confined{"SELECT * FROM by_bool WHERE id = 'yes'", {"by_bool"}},
                      Confined{"SELECT * FROM by_bool WHERE id", {"by_bool"}},
                      Confined{"SELECT * FROM moods WHERE a = 'ok'", {"moods", "users"}},
                      Confined{"SELECT * FROM users WHERE name = 'a'", {"users"}})); // not a key: there are no slots

INSTANTIATE_TEST_SUITE_P(
    Joins, ConfinedRead,
    ::testing::Values(
        Confined{"SELECT * FROM lefts l JOIN rights r ON l.id = r.id WHERE l.id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts l, rights r WHERE l.id = r.id AND r.id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts l JOIN rights r ON l.id = r.id AND r.id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts l JOIN rights r ON l.k = r.id WHERE l.k = 5", {"lefts k=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts a JOIN lefts b ON a.id = b.k WHERE a.id = 5", {"lefts id=5", "lefts k=5"}},
        Confined{"SELECT * FROM lefts l, rights r, thirds t WHERE l.id = 5 AND l.id = r.id AND r.id = t.t",
                 {"lefts id=5", "rights id=5", "thirds t=5"}},
        Confined{"SELECT * FROM lefts l LEFT JOIN rights r ON l.id = r.id WHERE l.id = 5",
                 {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts l LEFT JOIN rights r ON l.id = r.id WHERE r.id = 5",
                 {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts l RIGHT JOIN rights r ON l.id = r.id WHERE l.id = 5",
                 {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts l FULL JOIN rights r ON l.id = r.id WHERE l.id = 5",
                 {"lefts id=5", "rights id=5"}},
        Confined{
            "SELECT * FROM lefts l LEFT JOIN rights r ON l.id = r.id LEFT JOIN thirds t ON t.t = r.id WHERE l.id = 5",
            {"lefts id=5", "rights id=5", "thirds t=5"}},
        Confined{"SELECT * FROM lefts l LEFT JOIN (rights r JOIN thirds t ON r.id = t.t) ON l.id = r.id WHERE l.id = 5",
                 {"lefts id=5", "rights id=5", "thirds t=5"}},
        Confined{"SELECT * FROM lefts l LEFT JOIN rights r ON r.id = 5", {"lefts", "rights id=5"}},
        Confined{"SELECT * FROM lefts l RIGHT JOIN rights r ON l.id = 5", {"lefts id=5", "rights"}},
        Confined{"SELECT * FROM lefts l LEFT JOIN (rights r JOIN thirds t ON r.id = t.t) ON r.id = 5",
                 {"lefts", "rights id=5", "thirds t=5"}},

        // Rows of a side that is preserved are in the result, whatever ON says of them.
        Confined{"SELECT * FROM lefts l LEFT JOIN rights r ON l.id = r.id AND l.id = 5", {"lefts", "rights"}},
        Confined{"SELECT * FROM lefts l LEFT JOIN rights r ON l.id = r.id AND r.id = 5", {"lefts", "rights id=5"}},
        Confined{"SELECT * FROM lefts l FULL JOIN rights r ON l.id = r.id AND r.id = 5", {"lefts", "rights"}},
        Confined{"SELECT * FROM lefts l FULL JOIN rights r ON l.id = 5", {"lefts", "rights"}},
        Confined{"SELECT * FROM (lefts l JOIN rights r ON l.id = 5) FULL JOIN thirds t ON t.t = l.id",
                 {"lefts id=5", "rights", "thirds"}},
        // From a relation that an outer join may have left out to one that it preserves nothing follows.
        Confined{
            "SELECT * FROM lefts l CROSS JOIN thirds t LEFT JOIN rights r ON l.id = r.id AND t.t = r.id WHERE l.id = 5",
            {"lefts id=5", "rights id=5", "thirds"}},
        Confined{"SELECT * FROM rights r RIGHT JOIN (lefts l CROSS JOIN thirds t) ON l.id = r.id AND t.t = r.id "
                 "WHERE l.id = 5",
                 {"lefts id=5", "rights id=5", "thirds"}},
        Confined{"SELECT * FROM (lefts l LEFT JOIN rights r ON l.id = r.id) FULL JOIN thirds t ON t.t = r.id "
                 "WHERE l.id = 5",
                 {"lefts id=5", "rights id=5", "thirds"}},
        Confined{
            "SELECT * FROM (lefts l LEFT JOIN rights r ON l.id = r.id) LEFT JOIN thirds t ON t.t = r.id AND r.id = 5",
            {"lefts", "rights", "thirds"}},
        Confined{"SELECT * FROM lefts l LEFT JOIN rights r ON l.id IS NOT DISTINCT FROM r.id WHERE l.id = 5",
                 {"lefts id=5", "rights"}},
        Confined{"SELECT * FROM lefts l JOIN rights r ON l.id = r.id OR l.k = 1 WHERE l.id = 5",
                 {"lefts id=5", "rights"}},
        Confined{"SELECT * FROM lefts l JOIN rights r ON l.id = r.id + 0 WHERE l.id = 5", {"lefts id=5", "rights"}},
        Confined{"SELECT * FROM lefts l JOIN by_numeric r ON l.id = r.id WHERE l.id = 5", {"by_numeric", "lefts id=5"}},
        Confined{"SELECT * FROM by_text l JOIN by_loose_text r ON l.id = r.id WHERE l.id = 'a'",
                 {"by_loose_text", "by_text id=a"}},
        Confined{"SELECT * FROM by_text l JOIN by_char r ON l.id = r.id WHERE l.id = 'a'", {"by_char", "by_text id=a"}},
        Confined{"SELECT * FROM by_text l JOIN by_varchar r ON l.id = r.id WHERE l.id = 'a'",
                 {"by_text id=a", "by_varchar id=a"}}));

INSTANTIATE_TEST_SUITE_P(
    JoinsByName, ConfinedRead,
    ::testing::Values(
        Confined{"SELECT * FROM lefts JOIN rights USING (id) WHERE id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts JOIN rights USING (id) WHERE lefts.id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts LEFT JOIN rights USING (id) WHERE id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts RIGHT JOIN rights USING (id) WHERE id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts FULL JOIN rights USING (id) WHERE id = 5", {"lefts", "rights"}},
        Confined{"SELECT * FROM lefts FULL JOIN rights USING (id) WHERE lefts.id = 5", {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM lefts NATURAL JOIN rights WHERE id = 5", {"lefts id=5", "rights"}},
        Confined{"SELECT * FROM lefts NATURAL FULL JOIN rights WHERE id = 5", {"lefts", "rights"}},
        Confined{"SELECT * FROM lefts JOIN thirds USING (id) LEFT JOIN rights USING (id) WHERE id = 5",
                 {"lefts id=5", "rights", "thirds id=5"}},
        Confined{"WITH t AS (SELECT 7 AS id) SELECT * FROM t LEFT JOIN lefts USING (id) WHERE id = 7", {"lefts"}},
        Confined{"WITH t AS (SELECT 7 AS id) SELECT * FROM t NATURAL LEFT JOIN lefts WHERE id = 7", {"lefts"}},
        Confined{"WITH t AS (SELECT 7 AS id) SELECT * FROM t JOIN lefts USING (id) WHERE id = 7", {"lefts id=7"}},
        Confined{"SELECT * FROM generate_series(1, 9) AS t(id) FULL JOIN lefts USING (id) WHERE id = 7", {"lefts"}},
        Confined{"SELECT * FROM (lefts l JOIN thirds t ON l.id = t.t) AS j (a, b) LEFT JOIN rights r ON r.id = a "
                 "WHERE a = 5",
                 {"lefts", "rights", "thirds"}},
        Confined{"SELECT * FROM (lefts l JOIN thirds t ON l.id = t.t) AS j WHERE name = 'a' AND k = 5",
                 {"lefts", "thirds"}},
        Confined{"SELECT * FROM (lefts JOIN rights USING (id) AS u) WHERE u.id = 5", {"lefts", "rights"}}));

INSTANTIATE_TEST_SUITE_P(
    Names, ConfinedRead,
    ::testing::Values(
        Confined{"SELECT * FROM lefts AS l (k, name, id) WHERE id = 5", {"lefts"}}, // that is the column k
        Confined{"SELECT * FROM lefts AS rights, rights AS lefts WHERE lefts.id = 5", {"lefts", "rights id=5"}},
        Confined{"SELECT * FROM lefts, rights WHERE id = 5", {"lefts", "rights"}}, // PostgreSQL refuses it
        Confined{"SELECT * FROM lefts, thirds WHERE k = 5 AND t = 6", {"lefts k=5", "thirds t=6"}},
        Confined{"SELECT * FROM lefts WHERE public.lefts.id = 5", {"lefts"}},
        Confined{"SELECT * FROM lefts l WHERE lefts.id = 5", {"lefts"}}, // PostgreSQL refuses it
        Confined{"SELECT * FROM public.items, app.items a WHERE items.id = 5", {"app.items", "items id=5"}},
        Confined{"WITH lefts AS (SELECT * FROM rights) SELECT * FROM lefts WHERE id = 5", {"rights"}},
        Confined{"WITH l AS (SELECT * FROM lefts WHERE id = 5) SELECT * FROM l WHERE id = 6", {"lefts id=5"}},
        Confined{"WITH RECURSIVE r AS (SELECT id, k FROM lefts WHERE id = 5 UNION ALL SELECT l.id, l.k FROM lefts l "
                 "JOIN r ON l.id = r.k) SELECT * FROM r",
                 {"lefts", "lefts id=5"}},
        Confined{"SELECT * FROM lefts l WHERE EXISTS (SELECT FROM rights r WHERE l.id = 5)", {"lefts", "rights"}},
        Confined{"SELECT * FROM lefts l WHERE EXISTS (SELECT FROM rights r WHERE r.id = l.id) AND l.id = 5",
                 {"lefts id=5", "rights"}},
        Confined{"SELECT * FROM lefts l WHERE NOT EXISTS (SELECT FROM rights r WHERE r.id = 5)",
                 {"lefts", "rights id=5"}},
        Confined{"SELECT * FROM lefts WHERE EXISTS (SELECT FROM thirds JOIN by_text b ON true WHERE k = 5)",
                 {"by_text", "lefts", "thirds"}},
        Confined{"SELECT * FROM thirds o WHERE EXISTS (SELECT FROM lefts l, rights r JOIN by_text b ON o.t = 5)",
                 {"by_text", "lefts", "rights", "thirds"}},
        Confined{"SELECT (SELECT name FROM lefts WHERE id = 5), k FROM rights WHERE id = 6",
                 {"lefts id=5", "rights id=6"}},
        Confined{"SELECT * FROM lefts l, LATERAL (SELECT id FROM rights r WHERE r.id = l.id) s WHERE l.id = 5",
                 {"lefts id=5", "rights"}},
        Confined{"SELECT * FROM lefts l, LATERAL (SELECT id FROM rights r WHERE r.k = l.k) s WHERE s.id = 5",
                 {"lefts", "rights id=5"}}));

INSTANTIATE_TEST_SUITE_P(
    Subqueries, ConfinedRead,
    ::testing::Values(
        Confined{"SELECT * FROM (SELECT id, name FROM lefts) s WHERE s.id = 5", {"lefts id=5"}},
        Confined{"SELECT * FROM (SELECT * FROM lefts WHERE k > 1 ORDER BY k) s WHERE id = 5", {"lefts id=5"}},
        Confined{"SELECT * FROM (SELECT k AS id, id AS k FROM lefts) s WHERE s.id = 5", {"lefts k=5"}},
        Confined{"SELECT * FROM (SELECT l.*, 7 AS seven FROM lefts l) s WHERE s.id = 5", {"lefts id=5"}},
        Confined{"SELECT * FROM (SELECT * FROM (SELECT id AS a FROM lefts) x) s WHERE a = 5", {"lefts id=5"}},
        Confined{"SELECT * FROM (SELECT l.id, r.k FROM lefts l JOIN rights r ON l.id = r.id) s WHERE s.id = 5",
                 {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM (SELECT id FROM lefts) s LEFT JOIN rights r ON r.id = s.id WHERE s.id = 5",
                 {"lefts id=5", "rights id=5"}},
        Confined{"SELECT * FROM thirds t LEFT JOIN (SELECT l.id FROM lefts l LEFT JOIN rights r ON l.id = r.id) s "
                 "ON s.id = 5",
                 {"lefts id=5", "rights id=5", "thirds"}},

        Confined{"SELECT * FROM (SELECT id FROM lefts LIMIT 1) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id FROM lefts OFFSET 1) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id FROM lefts FETCH FIRST ROW ONLY) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT DISTINCT id FROM lefts) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT DISTINCT ON (name) id FROM lefts) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id, count(*) FROM lefts GROUP BY id) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT max(id) AS id FROM lefts) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id, rank() OVER (ORDER BY k) FROM lefts) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id, generate_series(1, k) FROM lefts) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id + 0 AS id FROM lefts) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id FROM lefts UNION ALL SELECT 5) s WHERE id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id, k FROM lefts) s (k, id) WHERE s.id = 5", {"lefts"}},
        Confined{"SELECT * FROM (SELECT id, k AS id FROM lefts) s WHERE s.id = 5", {"lefts"}}, // PostgreSQL refuses it
        Confined{"SELECT * FROM (WITH w AS (SELECT 1) SELECT id FROM lefts, w) s WHERE id = 5", {"lefts"}}));

INSTANTIATE_TEST_SUITE_P(
    Views, ConfinedRead,
    ::testing::Values(Confined{"SELECT * FROM lefts_renamed WHERE name = 5", {"lefts id=5"}},
                      Confined{"SELECT * FROM lefts_renamed WHERE id = '5'", {"lefts"}}, // the name, which is no key
                      Confined{"SELECT * FROM lefts_and_rights WHERE id = 5", {"lefts id=5", "rights"}},
                      Confined{"SELECT * FROM lefts_and_rights WHERE rid = 5", {"lefts", "rights id=5"}},
                      Confined{"SELECT * FROM lefts_deeper WHERE deep = 5", {"lefts id=5", "rights"}},
                      Confined{"SELECT * FROM user_names n JOIN lefts l USING (id) WHERE id = 5",
                               {"lefts id=5", "users id=5"}},
                      Confined{"SELECT * FROM invoked WHERE id = 5", {"users id=5"}},
                      Confined{"SELECT * FROM barred WHERE id = 5", {"users id=5"}},
                      Confined{"SELECT * FROM totals WHERE bid = 5", {"totals bid=5"}},
                      Confined{"SELECT * FROM young WHERE id = 5", {"users"}}, // through a subquery in it: not followed
                      Confined{"SELECT * FROM lefts_limited WHERE id = 5", {"lefts"}},
                      Confined{"SELECT * FROM everybody WHERE id = 5", {"accounts", "users"}},
                      Confined{"SELECT * FROM balances WHERE bid = 5", {"accounts"}},
                      Confined{"SELECT * FROM first_ten WHERE id = 5", {"users"}},
                      Confined{"SELECT * FROM ranked WHERE id = 5", {"users"}},
                      Confined{"SELECT * FROM numbered WHERE id = 5", {"users"}},
                      Confined{"SELECT * FROM using_join WHERE id = 5", {"items", "users"}},
                      Confined{"SELECT * FROM instead WHERE id = 5", {"users id=5"}}));

INSTANTIATE_TEST_SUITE_P(
    Relations, ConfinedRead,
    ::testing::Values(Confined{"SELECT * FROM measurements WHERE city = 5", {"measurements city=5"}},
                      Confined{"SELECT * FROM measurements_2_0 WHERE city = 5", {"measurements_2_0 city=5"}},
                      Confined{"SELECT * FROM secured WHERE id = 5", {"secured id=5"}},
                      Confined{"SELECT * FROM secured_by_other WHERE id = 5", {"secured_by_other id=5", "users"}},
                      Confined{"SELECT * FROM by_domain WHERE id = 5", {"by_domain id=5"}},
                      Confined{"SELECT * FROM with_holes WHERE b = 5", {"with_holes b=5"}},
                      Confined{"SELECT * FROM animals WHERE id = 5", {"animals"}},
                      Confined{"SELECT * FROM with_index WHERE id = 5 AND app.lower(name) = 'a'", {"with_index id=5"}},
                      Confined{"SELECT * FROM users WHERE id = 5 AND stable_one(6) = 7", {"users", "users id=5"}},
                      Confined{"SELECT * FROM app.items_of(5) WHERE id = 5", {"items"}}));

class ConfinedWrite : public ::testing::TestWithParam<Confined> {};

TEST_P(ConfinedWrite, ToTheRowsAsTheyWereAndWillBe)
{
    const auto statement = analysed(GetParam().sql);
    EXPECT_EQ(effects_of(*statement), "");
    EXPECT_EQ(writes_of(*statement), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Inserts, ConfinedWrite,
    ::testing::Values(
        Confined{"INSERT INTO lefts (id, k) VALUES (5, 6)", {"lefts id=5 k=6"}},
        Confined{"INSERT INTO lefts VALUES (5, 'x', '06')", {"lefts id=5 k=6"}},
        Confined{"INSERT INTO lefts (k, id) VALUES (5, 6), (7, 8)", {"lefts id=6|8 k=5|7"}},
        Confined{"INSERT INTO lefts (id) VALUES (5)", {"lefts id=5 k="}}, // NULL is in no slot
        Confined{"INSERT INTO lefts (id, k) VALUES (5, NULL)", {"lefts id=5 k="}},
        Confined{"INSERT INTO lefts (id, k) VALUES ($1, $2)", {"lefts id=$1 k=$2"}},
        Confined{"INSERT INTO lefts (id, k) VALUES ($1, $1)", {"lefts id=$1! k=$1!"}},
        Confined{"INSERT INTO with_holes VALUES (1, 5)", {"with_holes b=5"}}, // the dropped column does not count
        Confined{"INSERT INTO rights (id, name) VALUES (5, 'x')", {"rights id=5 k="}},
        Confined{"INSERT INTO by_varchar VALUES ('abc')", {"by_varchar id=abc"}},
        Confined{"INSERT INTO composite VALUES (1, 'x', 3)", {"composite a=1 b=x c=3"}},
        Confined{"INSERT INTO with_serial (id, email) VALUES (5, 'x')", {"with_serial email=x id=5"}},
        Confined{"INSERT INTO with_identity OVERRIDING SYSTEM VALUE VALUES (5, 6)", {"with_identity id=5"}},

        // What is not known of new rows: in a column of its own uniqueness a value that no row had before.
        Confined{"INSERT INTO lefts (id, k) VALUES (5, random()::int)", {"lefts id=5 k=+"}},
        Confined{"INSERT INTO lefts (id, k) VALUES (5, 1 + 1)", {"lefts id=5 k=+"}},
        Confined{"INSERT INTO lefts (id, k) VALUES (5, 6.0)", {"lefts id=5 k=+"}},
        Confined{"INSERT INTO lefts (id, k) VALUES (5, 6), (7, DEFAULT)", {"lefts id=5|7 k=+"}},
        Confined{"INSERT INTO lefts SELECT 5, 'x', 6", {"lefts id=+ k=+"}},
        Confined{"INSERT INTO lefts (id, k) SELECT id, k FROM rights WHERE id = 5", {"lefts id=+ k=+"}},
        Confined{"INSERT INTO with_serial (email) VALUES ('x')", {"with_serial email=x id=+"}},
        Confined{"INSERT INTO with_identity (name) VALUES ('x')", {"with_identity id=+"}},
        Confined{"INSERT INTO with_identity OVERRIDING USER VALUE VALUES (5, 6)", {"with_identity id=+"}},
        Confined{"INSERT INTO with_serial DEFAULT VALUES", {"with_serial email= id=+"}},
        Confined{"INSERT INTO by_uuid (value) VALUES (5)", {"by_uuid id=+"}},
        Confined{"INSERT INTO by_text VALUES ('x ')", {"by_text id=+"}},
        Confined{"INSERT INTO by_text VALUES (5)", {"by_text id=+"}}, // by whatever cast
        Confined{"INSERT INTO by_varchar VALUES ('abcdefghijk')", {"by_varchar id=+"}},
        Confined{"INSERT INTO by_varchar VALUES ('abcdefghi  ')", {"by_varchar id=+"}},
        Confined{"INSERT INTO by_text VALUES ('\xc3\xa9')", {"by_text id=+"}},
        Confined{"INSERT INTO by_domain (value) VALUES (5)", {"by_domain id=+"}},
        Confined{"COPY lefts FROM STDIN", {"lefts id=+ k=+"}},
        Confined{"INSERT INTO composite SELECT 1, 'x', 3", {"composite a=* b=* c=+"}}, // not unique by themselves

        // What happens to the row on its way.
        Confined{"INSERT INTO renumbered VALUES (5)", {"renumbered id=+"}},
        Confined{"INSERT INTO replaced VALUES (5)", {"replaced id=+"}},
        Confined{"INSERT INTO touched VALUES (5)", {"touched id=5"}}, // its trigger is one of UPDATE
        Confined{"INSERT INTO audited VALUES (5)", {"app.audit", "audited id=5"}},
        Confined{"INSERT INTO ruled VALUES (5)", {"ruled id=+", "scratch"}},
        Confined{"INSERT INTO user_names VALUES (5)", {"users id=*"}},
        Confined{"INSERT INTO measurements VALUES (5, '2024-01-01')",
                 {"measurements city=5", "measurements_1 city=5", "measurements_2 city=5", "measurements_2_0 city=5",
                  "measurements_2_1 city=5"}},
        Confined{"INSERT INTO measurements_1 (at, city) VALUES ('2024-01-01', 5)",
                 {"measurements city=5", "measurements_1 city=5"}}));

INSTANTIATE_TEST_SUITE_P(
    Updates, ConfinedWrite,
    ::testing::Values(
        Confined{"UPDATE accounts SET abalance = abalance + 1 WHERE aid = 5", {"accounts aid=5"}},
        Confined{"UPDATE accounts SET abalance = abalance + $1 WHERE aid = $2", {"accounts aid=$2"}},
        Confined{"UPDATE accounts SET abalance = 0 WHERE aid = ANY ($1)", {"accounts aid={$1}"}},
        Confined{"UPDATE accounts SET abalance = 0 WHERE aid IN ($1, $2, $1)", {"accounts aid=$1!|$2"}},
        Confined{"UPDATE lefts SET name = 'x' WHERE id = 5", {"lefts id=5 k=*"}},
        Confined{"UPDATE lefts SET name = 'x' WHERE id = 5 AND k = 6", {"lefts id=5 k=6"}},
        Confined{"UPDATE lefts SET id = 6 WHERE id = 5", {"lefts id=5|6 k=*"}},
        Confined{"UPDATE lefts SET id = $1 WHERE id = 5", {"lefts id=$1|5 k=*"}},
        Confined{"UPDATE lefts SET k = NULL WHERE k = 5", {"lefts id=* k=5"}},
        Confined{"UPDATE lefts SET id = id + 1 WHERE id = 5", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts SET id = DEFAULT WHERE id = 5", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts SET (id, name) = (6, 'x') WHERE id = 5", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts SET (id, name) = (SELECT 6, 'x') WHERE id = 5", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts SET name = 'x' WHERE id = 5 OR k = 6", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts SET id = 5", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts l SET name = 'x' WHERE l.id = 5", {"lefts id=5 k=*"}},
        Confined{"UPDATE lefts l SET name = r.name FROM rights r WHERE l.id = r.id AND r.id = 5", {"lefts id=5 k=*"}},
        Confined{"UPDATE lefts l SET name = r.name FROM rights r WHERE r.id = 5", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts l SET name = 'x' FROM lefts r WHERE r.id = 5", {"lefts id=* k=*"}},
        Confined{"UPDATE lefts SET name = 'x' WHERE EXISTS (SELECT FROM rights WHERE lefts.id = 5)",
                 {"lefts id=* k=*"}},
        Confined{"UPDATE touched SET name = 'x' WHERE id = 5", {"touched id=5"}}, // its trigger leaves the key alone
        Confined{"UPDATE audited SET name = 'x' WHERE id = 5", {"app.audit", "audited id=5"}},
        Confined{"UPDATE replaced SET name = 'x' WHERE id = 5", {"replaced id=*"}},
        Confined{"UPDATE ruled SET name = 'x' WHERE id = 5", {"app.audit", "ruled id=*"}},
        Confined{"UPDATE user_names SET name = 'x' WHERE id = 5", {"users id=*"}},
        Confined{"UPDATE owner SET name = 'x' WHERE id = 5", {"owner id=5"}},
        Confined{"UPDATE owner SET id = 6 WHERE id = 5", {"owned id=*", "owned_renumbered id=*", "owner id=5|6"}},
        Confined{"UPDATE boss SET boss = 1 WHERE id = 5", {"boss id=5"}},
        Confined{"UPDATE boss SET id = 1 WHERE id = 5", {"boss id=*"}}, // of those that are pointed from
        Confined{"UPDATE plain_parent SET a = 5 WHERE id = 1 AND a = 2",
                 {"generated_child", "plain_parent a=2|5 id=*"}},
        Confined{"UPDATE measurements_1 SET value = 1 WHERE city = 5",
                 {"measurements city=5", "measurements_1 city=5"}},
        Confined{"UPDATE by_text SET value = 1 WHERE id = 'a'", {"by_text id=a"}},
        Confined{"UPDATE by_char SET value = 1 WHERE id = 'a'", {"by_char"}},
        Confined{"UPDATE by_loose_text SET strict = 'b' WHERE id = 'a'", {"by_loose_text strict=*"}},
        Confined{"UPDATE by_loose_text SET strict = 'b' WHERE strict = 'a'", {"by_loose_text strict=a|b"}}));

INSTANTIATE_TEST_SUITE_P(
    Deletes, ConfinedWrite,
    ::testing::Values(
        Confined{"DELETE FROM lefts WHERE id = 5", {"lefts id=5 k=*"}},
        Confined{"DELETE FROM lefts WHERE id IN (5, 6) AND k = 7", {"lefts id=5|6 k=7"}},
        Confined{"DELETE FROM lefts", {"lefts id=* k=*"}},
        Confined{"DELETE FROM lefts l USING rights r WHERE l.id = r.id AND r.id = 5", {"lefts id=5 k=*"}},
        Confined{"DELETE FROM lefts l USING rights r LEFT JOIN thirds t ON t.t = r.id WHERE l.id = t.t AND r.id = 5",
                 {"lefts id=5 k=*"}},
        Confined{"DELETE FROM lefts l USING rights r LEFT JOIN thirds t ON t.t = 5 WHERE l.id = r.id",
                 {"lefts id=* k=*"}},
        Confined{"TRUNCATE lefts", {"lefts id=* k=*"}},
        Confined{"DELETE FROM owner WHERE id = 5",
                 {"owned id=*", "owned_deeper id=*", "owned_default id=*", "owned_nulled id=*", "owner id=5"}},
        Confined{"DELETE FROM tree WHERE id = 5", {"tree id=*"}},
        Confined{
            "WITH d AS (DELETE FROM lefts WHERE id = 5 AND k = 1 RETURNING *) INSERT INTO lefts VALUES (6, 'x', 2)",
            {"lefts id=5|6 k=1|2"}},
        Confined{"WITH d AS (DELETE FROM lefts WHERE id = 5 AND k = 1 RETURNING *) INSERT INTO lefts SELECT * FROM d",
                 {"lefts id=5+ k=1+"}},
        Confined{"WITH d AS (DELETE FROM lefts RETURNING *) INSERT INTO lefts VALUES (6, 'x', 2)", {"lefts id=* k=*"}},
        Confined{"DELETE FROM lefts WHERE id = 5 AND k = 6; DELETE FROM lefts WHERE id = 7 AND k = 8",
                 {"lefts id=5|7 k=6|8"}}));

INSTANTIATE_TEST_SUITE_P(
    OnConflict, ConfinedWrite,
    ::testing::Values(
        Confined{"INSERT INTO lefts VALUES (5, 'x', 6) ON CONFLICT DO NOTHING", {"lefts id=5 k=6"}},
        Confined{"INSERT INTO lefts VALUES (5, 'x', 6) ON CONFLICT (id) DO UPDATE SET name = 'y'", {"lefts id=5 k=*"}},
        Confined{"INSERT INTO lefts VALUES (5, 'x', 6) ON CONFLICT (k) DO UPDATE SET name = 'y'", {"lefts id=* k=6"}},
        Confined{"INSERT INTO lefts VALUES (5) ON CONFLICT (id) DO UPDATE SET id = 6", {"lefts id=5|6 k=*"}},
        Confined{"INSERT INTO lefts VALUES (5) ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id", {"lefts id=5 k=*"}},
        Confined{"INSERT INTO lefts VALUES (5, 'x', 6) ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.k",
                 {"lefts id=* k=*"}},
        Confined{"INSERT INTO lefts VALUES (5) ON CONFLICT (id) DO UPDATE SET id = lefts.id + 1", {"lefts id=* k=*"}},
        Confined{"INSERT INTO lefts VALUES (5) ON CONFLICT ON CONSTRAINT lefts_pkey DO UPDATE SET name = 'y'",
                 {"lefts id=* k=*"}},
        Confined{"INSERT INTO by_text VALUES ('a') ON CONFLICT (id) DO UPDATE SET value = 1", {"by_text id=a"}},
        Confined{"INSERT INTO composite VALUES (1, 'x', 2) ON CONFLICT (b, a) DO UPDATE SET c = EXCLUDED.c",
                 {"composite a=1 b=x c=*"}},
        Confined{"INSERT INTO with_serial (email) VALUES ('x') ON CONFLICT (email) DO UPDATE SET name = 'y'",
                 {"with_serial email=x id=*"}},
        Confined{"INSERT INTO renumbered VALUES (5) ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id",
                 {"renumbered id=*"}},
        // The conflict may be found by an index to which other values are equal as well.
        Confined{"INSERT INTO by_two_collations VALUES ('a') ON CONFLICT (name) DO UPDATE SET value = 1",
                 {"by_two_collations name=*"}},
        Confined{"INSERT INTO by_two_classes VALUES (5) ON CONFLICT (id) DO UPDATE SET value = 1",
                 {"by_two_classes id=*"}}));

INSTANTIATE_TEST_SUITE_P(
    Merges, ConfinedWrite,
    ::testing::Values(
        Confined{
            "MERGE INTO lefts l USING rights r ON l.id = r.id AND r.id = 5 WHEN MATCHED THEN UPDATE SET name = 'x'",
            {"lefts id=5 k=*"}},
        Confined{"MERGE INTO lefts l USING rights r ON l.id = 5 WHEN MATCHED THEN DELETE", {"lefts id=5 k=*"}},
        Confined{"MERGE INTO lefts l USING rights r ON l.id = 5 WHEN MATCHED THEN UPDATE SET id = 6",
                 {"lefts id=5|6 k=*"}},
        Confined{"MERGE INTO lefts l USING rights r ON l.id = r.id WHEN MATCHED AND l.id = 5 THEN DELETE",
                 {"lefts id=* k=*"}}, // its condition is not looked at
        Confined{"MERGE INTO lefts l USING rights r ON l.id = 5 WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT "
                 "VALUES (6, 'x', 7)",
                 {"lefts id=* k=*"}},
        Confined{"MERGE INTO lefts l USING rights r ON l.id = 5 WHEN NOT MATCHED THEN INSERT VALUES (6, 'x', 7)",
                 {"lefts id=+ k=+"}}));

INSTANTIATE_TEST_SUITE_P(InFunctions, ConfinedWrite,
                         ::testing::Values(Confined{"SELECT app.rename_user(5, 'x')", {"users id=*"}},
                                           Confined{"SELECT app.add_user(5, 'x')", {"users id=+"}},
                                           Confined{"SELECT app.add_item(5)", {"app.items", "items id=*"}}));

TEST(ConfinementInAHostileCatalog, IsNotBelieved)
{
    Analyzer analyzer{1 << 20};
    const auto slots = [&](const char* sql, std::vector<std::string> schemas) {
        const auto statement = analyzer.analyse(sql, hostile_catalog(), test_scope(std::move(schemas)), {});
        std::size_t confined = 0;
        for (const auto& write : statement->writes)
            for (const auto& slot : write.slots)
                confined += slot.values.size();
        return confined;
    };
    // public.= (int4, int4) holds anything to be equal.
    EXPECT_EQ(slots("DELETE FROM public.plain WHERE id = 5", {"public"}), 0U);
    EXPECT_EQ(slots("DELETE FROM plain WHERE id = 5 AND id = id", {"public"}), 0U);
    EXPECT_EQ(slots("DELETE FROM public.plain WHERE id = 5", {}), 1U); // there it is not seen
}

/// The recorded catalog with one more operator: public.= (left, right), by app.identical.
std::shared_ptr<const Catalog> catalog_with_equality(const char* left, const char* right)
{
    auto rows = recorded_rows();
    const auto queries = catalog_queries();
    const auto first = std::find_if(rows.begin(), rows.end(),
                                    [&](const RecordedRow& row) { return queries[row.query].name == "operators"; });
    rows.insert(first,
                {first->query, {"90000", "public", "=", "t", left, right, std::to_string(oid_of("app.identical"))}});
    return catalog_of(rows);
}

TEST(ConfinementByAUsersEquality, IsNotBelieved)
{
    Analyzer analyzer{1 << 20};
    const auto of_text = catalog_with_equality("25", "25"); // under which varchar is compared, too
    const auto of_mood = catalog_with_equality("25", std::to_string(type_named("public.mood").oid).c_str());
    ASSERT_TRUE(of_text && of_mood);
    const auto written = [&](const std::shared_ptr<const Catalog>& catalog, std::vector<std::string> schemas) {
        const auto scope = test_scope(std::move(schemas));
        return writes_of(*analyzer.analyse("DELETE FROM public.by_varchar WHERE id = 'a'", catalog, scope, {}));
    };
    using Written = std::vector<std::string>;
    EXPECT_EQ(written(of_text, {"public"}), Written{"by_varchar id=*"});
    EXPECT_EQ(written(of_text, {"app"}), Written{"by_varchar id=a"}); // it is not seen there
    EXPECT_EQ(written(of_mood, {"public"}), Written{"by_varchar id=*"});
    EXPECT_EQ(written(test_catalog(), {"public"}), Written{"by_varchar id=a"});
}

TEST(ConfinementOfTrackedColumns, FollowsTheRulesOfTheConfiguration)
{
    CatalogBuilder builder{5};
    for (const auto& row : recorded_rows())
        builder.row(row.query, std::vector<std::optional<std::string_view>>{row.columns.begin(), row.columns.end()});
    config::Config config;
    auto& rule = config.rules.emplace_back();
    rule.match.tables = {"public.events", "public.users", "public.by_numeric"};
    rule.track = {"id", "at", "age", "born"};
    const auto catalog = builder.finish(config);
    ASSERT_TRUE(catalog);
    Analyzer analyzer{1 << 20};
    const auto scope = test_scope();
    const auto of = [&](const char* sql) { return analyzer.analyse(sql, catalog, scope, {}); };
    using Text = std::vector<std::string>;
    EXPECT_EQ(reads_of(*of("SELECT * FROM events WHERE at = 'x'")), Text{"events at=x"});
    EXPECT_EQ(reads_of(*of("SELECT * FROM users WHERE age = 5")), Text{"users age=5"});
    EXPECT_EQ(reads_of(*of("SELECT * FROM users WHERE age = 5 AND id = 6")), Text{"users id=6"});
    EXPECT_EQ(reads_of(*of("SELECT * FROM users WHERE born = '2020-01-01'")), Text{"users"}); // dates have no slots
    EXPECT_EQ(reads_of(*of("SELECT * FROM by_numeric WHERE id = 5")), Text{"by_numeric"});
    EXPECT_EQ(writes_of(*of("INSERT INTO events VALUES (5, 'x')")), Text{"events at=x id=5"});
    EXPECT_EQ(writes_of(*of("INSERT INTO events SELECT 5, 'x'")), Text{"events at=* id=*"}); // not unique
    EXPECT_EQ(writes_of(*of("UPDATE users SET age = 6 WHERE age = 5")), Text{"users age=5|6 id=*"});
    EXPECT_EQ(writes_of(*analysed("INSERT INTO events VALUES (5, 'x')")), Text{"events"});
}

TEST(ConfinementWithoutAScope, IsOfQualifiedNamesAlone)
{
    Analyzer analyzer{1 << 20};
    const auto written = [&](const char* sql) {
        return writes_of(*analyzer.analyse(sql, test_catalog(), nullptr, {}));
    };
    using Written = std::vector<std::string>;
    EXPECT_EQ(written("DELETE FROM lefts WHERE id = 5"), Written{"lefts id=* k=*"});
    EXPECT_EQ(written("DELETE FROM public.lefts WHERE id = 5 AND k = 6"), Written{"lefts id=5 k=6"});
}

TEST(Rows, AreSaidToBeTheReplysOnlyWhenItsRowsAreMadeOfThem)
{
    const auto is_row = [](const char* sql) {
        const auto statement = analysed(sql);
        EXPECT_EQ(statement->reason, Reason::none) << sql;
        return statement->reads.size() == 1 && statement->reads.front().is_row;
    };
    for (const auto* sql :
         {"SELECT * FROM lefts WHERE id = 5", "SELECT name, id + 1 FROM lefts l WHERE l.k = 5 AND id > 1",
          "SELECT DISTINCT name FROM lefts WHERE id = 5 ORDER BY name LIMIT 1",
          "SELECT lower(name) FROM lefts WHERE id = '5'"})
        EXPECT_TRUE(is_row(sql)) << sql;
    for (const auto* sql :
         {"SELECT count(*) FROM lefts WHERE id = 5", "SELECT max(name) FROM lefts WHERE id = 5",
          "SELECT l.count FROM lefts l WHERE id = 5", "SELECT id FROM lefts WHERE id = 5 GROUP BY id",
          "SELECT 1 FROM lefts WHERE id = 5 HAVING true", "SELECT * FROM lefts WHERE id IN (5, 6)",
          "SELECT * FROM lefts WHERE id = ANY ('{5,6}')", "SELECT * FROM lefts WHERE name = 'x'",
          "SELECT * FROM generate_series(1, 2) g LEFT JOIN lefts ON id = 5",
          "SELECT * FROM (VALUES (1)) v LEFT JOIN lefts ON id = 5", "SELECT (SELECT name FROM lefts WHERE id = 5)",
          "SELECT 1 WHERE NOT EXISTS (SELECT FROM lefts WHERE id = 5)",
          "SELECT 1 UNION SELECT id FROM lefts WHERE id = 5", "WITH l AS (SELECT * FROM lefts WHERE id = 5) SELECT 1",
          "SELECT * FROM composite WHERE a = 5", "SELECT * FROM measurements WHERE city = 5",
          "SELECT * FROM lefts_and_rights WHERE id = 5", "SELECT * FROM user_names WHERE id = 5"})
        EXPECT_FALSE(is_row(sql)) << sql;
}

} // namespace
} // namespace pgmemo::query
