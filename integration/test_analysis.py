"""What is cached of real schemas, and what is not: reads seen through, the closure of writes, policies, refusals, keys.

A read that pgmemo must see through is warmed, must stay a hit after a write that has nothing to do with it, and must be
true at once after each write that has: compared byte for byte with a session that goes directly to the same PostgreSQL,
when it misses and when it hits again. Writes come in the simple protocol and in the extended one.
"""
import contextlib
import itertools
import struct
from dataclasses import dataclass, field

import pytest

import harness
import wire
from harness import House, Pgmemo

# --- the table of cases ----------------------------------------------------------------------------------------------


@dataclass
class Case:
    """`script` runs in a schema of its own, which is the search_path of the sessions. `moves` change what `read` says, in
    this order; `keeps` leave it a hit. A write is a text, (text, values…), a list of those, or a function of the session.
    Without `hits` only the truth is asked for: it may be refused."""
    name: str
    script: str
    read: str
    moves: list = field(default_factory=list)
    keeps: list = field(default_factory=list)
    hits: bool = True
    database: bool = False  # it needs a database to itself: what it makes counts in every schema
    before: int = 99  # the version of PostgreSQL in which it is no longer so

    def __post_init__(self):
        """Leaves out the writes that this version of PostgreSQL does not know."""
        for writes in (self.moves, self.keeps):
            writes[:] = [one for one in writes if harness.needs(repr(one)) <= harness.PG_VERSION]

    @property
    def lacks(self):
        """Why this version of PostgreSQL cannot play it."""
        needs = harness.needs(self.script, self.read)
        if needs > harness.PG_VERSION:
            return f"since PostgreSQL {needs}"
        if self.before <= harness.PG_VERSION:
            return f"until PostgreSQL {self.before - 1}"
        return "" if self.moves or self.keeps else "no write is left that this version knows"

    def schema(self, writes_by):
        return f"{self.name}_{writes_by}"

    def in_its_schema(self, text, writes_by):
        return text.replace("{s}", self.schema(writes_by))

    def script_for(self, writes_by):
        schema = self.schema(writes_by)
        return self.in_its_schema(f"CREATE SCHEMA {schema}; SET search_path = {schema}, public;\n{self.script};\n", writes_by)


def text(sql):
    """Several statements in one message: there is only the simple protocol for it."""
    return lambda writer: writer.write(sql, by="simple")


def failing(sql, code):
    """A statement that fails and has done something all the same."""
    def run(writer):
        got = writer.through.ask(writer.question(writer.writes_by, sql, ()))
        assert [one.fields()["C"] for one in got if one.kind == "E"] == [code], got

    return run


def copy_in(sql, data):
    def run(writer):
        if writer.writes_by == "simple":
            writer.through.send(wire.query(sql))
        else:
            writer.through.send(wire.parse("", sql) + wire.bind("", "") + wire.execute() + wire.FLUSH)
        assert writer.through.until("GE")[-1].kind == "G"
        got = writer.through.ask(wire.copy_data(data) + wire.COPY_DONE + (b"" if writer.writes_by == "simple" else wire.SYNC))
        assert wire.kinds(got) == "CZ", got

    return run


def run(writer, write):
    if callable(write):
        write(writer)
    elif isinstance(write, list):
        for one in write:
            run(writer, one)
    else:
        writer.write(*(write if isinstance(write, tuple) else (write,)))


# varchar: hundreds of them are made, and text would give each a TOAST table.
T = "CREATE TABLE t (id int PRIMARY KEY, v varchar(60), n int);" \
    "INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'c', 30);"
U = "CREATE TABLE u (id int PRIMARY KEY, v varchar(60), n int);" \
    "INSERT INTO u VALUES (1, 'x', 100), (2, 'y', 200), (4, 'z', 400);"
LOG = "CREATE TABLE log (what varchar(60), n int);"
# A function that writes; VOLATILE, as functions are when nothing is said.
WRITES = T + LOG + "CREATE FUNCTION note(i int) RETURNS int LANGUAGE sql AS " \
                   "'INSERT INTO log VALUES (''note'', i) RETURNING n';"
NOTES = "SELECT what, n FROM log ORDER BY what, n"

UPDATE_T = ("UPDATE t SET n = n + $1, v = v || $2 WHERE id = $3", 1, "+", 1)
UPDATE_U = ("UPDATE u SET n = n + $1, v = v || $2 WHERE id = $3", 1, "+", 1)
INSERT_T = ("INSERT INTO t SELECT max(id) + 1, $1, $2 FROM t", "new", 5)
DELETE_T = "DELETE FROM t WHERE id = (SELECT max(id) FROM t)"
UNRELATED = ("UPDATE public.unrelated SET v = v + $1 WHERE id = $2", 1, 1)

PARTS = """
CREATE TABLE p (id int, v varchar(60)) PARTITION BY RANGE (id);
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p_high PARTITION OF p FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
CREATE TABLE p_h1 PARTITION OF p_high FOR VALUES FROM (100) TO (150);
CREATE TABLE p_h2 PARTITION OF p_high FOR VALUES FROM (150) TO (200);
INSERT INTO p VALUES (1, 'a'), (2, 'b'), (101, 'c'), (151, 'd');
"""
HEIRS = """
CREATE TABLE h0 (id int, v varchar(60)); CREATE TABLE h1 (w varchar(60)) INHERITS (h0);
CREATE TABLE h2 () INHERITS (h1);
INSERT INTO h0 VALUES (1, 'a'); INSERT INTO h1 VALUES (2, 'b', 'w'); INSERT INTO h2 VALUES (3, 'c', 'w');
"""
TREE = "CREATE TABLE tree (id int PRIMARY KEY, parent int); INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 1);"

READS = [
    # What the versions brought, one after another.
    Case("since_14", T + U + "CREATE FUNCTION f(i int) RETURNS bigint STABLE LANGUAGE sql BEGIN ATOMIC SELECT sum(n) FROM u "
         "WHERE id > i; END; CREATE VIEW w AS WITH RECURSIVE r (id) AS (SELECT 1 UNION ALL SELECT r.id + 1 FROM r, t WHERE "
         "t.id = r.id) CYCLE id SET again USING path SELECT id, f(0) FROM r", "SELECT * FROM w",
         ["UPDATE u SET n = n + 7", "DELETE FROM t WHERE id = 1"]),
    Case("since_15", T + "CREATE TABLE one (id int UNIQUE NULLS NOT DISTINCT, n int); INSERT INTO one VALUES (NULL, 1), "
         "(2, 2); CREATE VIEW w WITH (security_invoker) AS SELECT * FROM one", "SELECT * FROM w WHERE id IS NULL",
         ["UPDATE one SET n = 3 WHERE id IS NULL",
          "MERGE INTO one USING t ON one.id IS NULL AND t.id = 1 WHEN MATCHED THEN UPDATE SET n = 4"], [UPDATE_T]),
    Case("since_16", T + U + "CREATE VIEW w AS SELECT ANY_VALUE(u.n) AS n, JSON_ARRAYAGG(t.v ORDER BY t.id) AS j, "
         "JSON_OBJECT('k': count(*)) AS o, bool_and(t.v IS JSON) AS is FROM t JOIN u USING (id)", "SELECT * FROM w",
         [UPDATE_T, "DELETE FROM u WHERE id = 1"], hits=False),
    Case("since_16_aggregates", T + U + "CREATE VIEW w AS SELECT u.id, ANY_VALUE(t.n) AS n FROM t JOIN u USING (id) "
         "GROUP BY u.id", "SELECT * FROM w ORDER BY id", [UPDATE_T, "DELETE FROM u WHERE id = 1"]),
    Case("since_17", T + U + "CREATE VIEW w AS SELECT j.x, t.id FROM t, JSON_TABLE(format('[%s]', t.id)::jsonb, '$[*]' "
         "COLUMNS (x int PATH '$')) j", "SELECT * FROM w ORDER BY 1", ["DELETE FROM t WHERE id = 1"], hits=False),
    Case("since_17_merge", T + U, "SELECT * FROM t ORDER BY id",
         ["MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN UPDATE SET n = t.n + 1 RETURNING merge_action(), t.id",
          "MERGE INTO t USING (VALUES (1)) s(id) ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE"],
         ["UPDATE u SET n = n + 1"]),
    Case("since_18_virtual", T + "CREATE FUNCTION twice(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT i * 2'; "
         "CREATE TABLE g (id int PRIMARY KEY, n int, d int GENERATED ALWAYS AS (n * 2) VIRTUAL); INSERT INTO g (id, n) VALUES "
         "(1, 1), (2, 2)", "SELECT d FROM g WHERE id = 1", ["UPDATE g SET n = n + 1 WHERE id = 1"],
         ["UPDATE g SET n = n + 1 WHERE id = 2", UPDATE_T]),
    Case("since_18_group", T + U + "CREATE VIEW w AS SELECT t.id + 1 AS next, sum(t.n) AS n FROM t GROUP BY t.id + 1 HAVING "
         "t.id + 1 > 0", "SELECT * FROM w ORDER BY next", [UPDATE_T, "DELETE FROM t WHERE id = 1"], ["UPDATE u SET n = n + 1"]),
    Case("since_18_returning", T + U, "SELECT * FROM t ORDER BY id",
         ["UPDATE t SET n = n + 5 WHERE id = 1 RETURNING old.n, new.n",
          "WITH w AS (DELETE FROM t WHERE id = 2 RETURNING old.id) SELECT * FROM w"], ["UPDATE u SET n = n + 1"]),
    Case("since_18_periods", T + "CREATE TABLE stays (id int4range, during daterange, v int, PRIMARY KEY (id, during WITHOUT "
         "OVERLAPS)); INSERT INTO stays VALUES ('[1,2)', '[2024-01-01,2024-02-01)', 1); CREATE TABLE checked (n int, CONSTRAINT "
         "c CHECK (n > 0) NOT ENFORCED)", "SELECT * FROM stays", ["UPDATE stays SET v = v + 1"], [UPDATE_T]),
    # views
    Case("view", T + U + "CREATE VIEW w AS SELECT id, v FROM t WHERE n < 100;", "SELECT * FROM w ORDER BY id",
         [UPDATE_T, INSERT_T, DELETE_T, "CREATE OR REPLACE VIEW w AS SELECT id, v FROM t WHERE n < 15"], [UPDATE_U]),
    Case("view_nested", T + U + LOG + "CREATE VIEW w1 AS SELECT id, n FROM t; CREATE VIEW w2 AS SELECT w1.id, u.v "
         "FROM w1 JOIN u USING (id);CREATE VIEW w3 AS SELECT v, count(*) AS c FROM w2 GROUP BY v;",
         "SELECT * FROM w3 ORDER BY v", [("UPDATE u SET v = v || $1", "+"), ("DELETE FROM t WHERE id = $1", 1)],
         ["INSERT INTO log VALUES ('x', 1)"]),
    Case("view_security_invoker", T + "CREATE VIEW w WITH (security_invoker = true) AS SELECT id, v FROM t;",
         "SELECT * FROM w ORDER BY id", [UPDATE_T]),
    Case("view_security_barrier", T + "CREATE VIEW w WITH (security_barrier) AS SELECT id, v FROM t;",
         "SELECT v FROM w WHERE id = 1", [UPDATE_T]),
    Case("view_of_everything", T + U + "CREATE VIEW w AS WITH c AS (SELECT id FROM t) SELECT id FROM c UNION SELECT "
         "id FROM u WHERE EXISTS (SELECT FROM t WHERE t.id = u.id OR u.n > 300);", "SELECT * FROM w ORDER BY id",
         [("INSERT INTO t VALUES (9, $1, 9)", "new"), "DELETE FROM u WHERE id = 4"]),
    Case("view_with_columns_renamed", T + "CREATE VIEW w (key, value) AS SELECT id, v FROM t;",
         "SELECT value FROM w WHERE key = 1", [UPDATE_T]),
    Case("view_of_values", T + "CREATE VIEW w AS VALUES (1, 'one'), (2, 'two');",
         "SELECT t.v, w.column2 FROM t JOIN w ON w.column1 = t.id ORDER BY 1", [UPDATE_T]),
    Case("view_recursive", TREE + "CREATE RECURSIVE VIEW w (id) AS SELECT id FROM tree WHERE parent IS NULL UNION ALL "
         "SELECT c.id FROM tree c JOIN w ON c.parent = w.id;", "SELECT count(*) FROM w",
         [("INSERT INTO tree VALUES ($1, $2)", 5, 3)]),
    Case("materialized_view", T + U + "CREATE MATERIALIZED VIEW m AS SELECT sum(n) AS s FROM t; "
         "CREATE UNIQUE INDEX ON m (s);", "SELECT s FROM m",
         [[UPDATE_T, "REFRESH MATERIALIZED VIEW m"], [UPDATE_T, "REFRESH MATERIALIZED VIEW CONCURRENTLY m"]],
         [UPDATE_T, UPDATE_U]),
    Case("view_of_a_materialized_view", T + "CREATE MATERIALIZED VIEW m AS SELECT sum(n) AS s FROM t; "
         "CREATE VIEW w AS SELECT s + 1 AS more FROM m;", "SELECT more FROM w",
         [[UPDATE_T, "REFRESH MATERIALIZED VIEW m"]], [UPDATE_T]),
    # partitions and inheritance
    Case("partitioned_parent", PARTS + T, "SELECT id, v FROM p ORDER BY id",
         [("UPDATE p_low SET v = v || $1 WHERE id = 1", "+"), "UPDATE p_h1 SET v = v || '+'",
          ("INSERT INTO p VALUES ($1, $2)", 3, "x"), "INSERT INTO p_h2 VALUES (152, 'x')",
          "UPDATE p_high SET v = v || '-'", "DELETE FROM p WHERE id = 3", "TRUNCATE p_h2",
          ("UPDATE p SET v = v || $1", "!")], [UPDATE_T]),
    Case("partition_leaf", PARTS + T, "SELECT id, v FROM p_h1 ORDER BY id",
         [("UPDATE p SET v = v || $1 WHERE id = 101", "+"), ("INSERT INTO p VALUES ($1, $2)", 102, "x"),
          "UPDATE p SET id = 110 WHERE id = 1", "UPDATE p SET id = 10 WHERE id = 110",
          "UPDATE p_high SET v = v || '-'", "DELETE FROM p WHERE id = 102",
          "MERGE INTO p USING (VALUES (101)) s(id) ON p.id = s.id WHEN MATCHED THEN UPDATE SET v = p.v || '*'",
          copy_in("COPY p FROM STDIN", b"103\tcopied\n"), "TRUNCATE p"], [UPDATE_T]),
    Case("partition_in_the_middle", PARTS, "SELECT id, v FROM p_high ORDER BY id",
         ["UPDATE p SET v = v || '+' WHERE id = 151", "UPDATE p_h1 SET v = v || '+'",
          "UPDATE p SET id = 120 WHERE id = 2"], []),
    Case("partition_attached", PARTS + "CREATE TABLE p_new (id int, v varchar(60)); "
         "INSERT INTO p_new VALUES (250, 'n');", "SELECT id, v FROM p ORDER BY id",
         ["ALTER TABLE p ATTACH PARTITION p_new FOR VALUES FROM (200) TO (300)", "UPDATE p_new SET v = v || '+'",
          "ALTER TABLE p DETACH PARTITION p_new", "ALTER TABLE p_high DETACH PARTITION p_h2 CONCURRENTLY",
          ["CREATE TABLE p_rest PARTITION OF p DEFAULT", "INSERT INTO p VALUES (900, 'r')"], "DROP TABLE p_h1",
          "DROP TABLE p_rest"], []),
    Case("partition_attached_is_read_itself", PARTS + "CREATE TABLE p_new (id int, v varchar(60)); "
         "INSERT INTO p_new VALUES (250, 'n');", "SELECT v FROM p_new",
         [["ALTER TABLE p ATTACH PARTITION p_new FOR VALUES FROM (200) TO (300)",
           "UPDATE p SET v = v || '+' WHERE id = 250"],
          ["ALTER TABLE p DETACH PARTITION p_new", "UPDATE p_new SET v = v || '-'"]], []),
    Case("inherited_by", HEIRS, "SELECT id, v FROM h0 ORDER BY id",
         ["UPDATE h1 SET v = v || '+'", "UPDATE h2 SET v = v || '+'", ("INSERT INTO h2 VALUES (4, $1, $2)", "x", "y"),
          "UPDATE ONLY h0 SET v = v || '+'", "DELETE FROM h1 WHERE id = 4", "ALTER TABLE h2 NO INHERIT h1",
          "ALTER TABLE h2 INHERIT h1", "TRUNCATE h2", "INSERT INTO h2 VALUES (5, 'e', 'w')", "DROP TABLE h2"], []),
    Case("inheriting", HEIRS, "SELECT id, v, w FROM h2 ORDER BY id",
         ["UPDATE h0 SET v = v || '+'", ("UPDATE h1 SET w = $1", "x"), "UPDATE ONLY h2 SET v = 'o'",
          "DELETE FROM h0 WHERE id = 3"], []),
    Case("only", HEIRS + T, "SELECT id, v FROM ONLY h0 ORDER BY id",
         ["UPDATE h0 SET v = v || '+'", "UPDATE ONLY h0 SET v = v || '+'", "TRUNCATE ONLY h0"], [UPDATE_T]),
    Case("two_parents", "CREATE TABLE pa (id int); CREATE TABLE pb (id int); "
         "CREATE TABLE both_of () INHERITS (pa, pb); INSERT INTO both_of VALUES (1);", "SELECT id FROM pb ORDER BY id",
         ["UPDATE pa SET id = id + 1", "DELETE FROM pa", "INSERT INTO both_of VALUES (9)", "TRUNCATE pa"], []),
    # names of CTEs
    Case("cte_hides_a_table", T + U, "WITH t AS (SELECT id, v FROM u) SELECT * FROM t ORDER BY id", [UPDATE_U],
         [UPDATE_T]),
    Case("cte_of_its_own_name", T + U, "WITH t AS (SELECT * FROM t WHERE id < 3) SELECT * FROM t ORDER BY id",
         [UPDATE_T], [UPDATE_U]),
    Case("cte_hides_inside_only", T + U, "SELECT (WITH t AS (SELECT 1 AS n) SELECT n FROM t), (SELECT sum(n) FROM t)",
         [UPDATE_T], [UPDATE_U]),
    Case("cte_does_not_hide_what_is_qualified", T + U,
         "WITH t AS (SELECT 1 AS id) SELECT q.v FROM {s}.t q, t WHERE q.id = t.id", [UPDATE_T], [UPDATE_U]),
    Case("cte_forward", T + U,
         "WITH a AS (SELECT v FROM u), u AS (SELECT 'hidden' AS v FROM t) SELECT a.v, u.v FROM a, u ORDER BY 1, 2",
         [UPDATE_U, INSERT_T]),
    Case("cte_forward_recursive", T + U,
         "WITH RECURSIVE a AS (SELECT v FROM u), u AS (SELECT v FROM t) SELECT v FROM a ORDER BY 1", [UPDATE_T],
         [UPDATE_U]),
    Case("cte_nested", T + U,
         "WITH t AS (WITH u AS (SELECT id, n FROM t) SELECT id, n FROM u) SELECT t.n, u.n FROM t JOIN u USING (id) "
         "ORDER BY 1", [UPDATE_T, UPDATE_U]),
    Case("cte_hides_nothing_of_a_view", T + U + "CREATE VIEW w AS SELECT v FROM t;",
         "WITH t AS (SELECT 'x' AS v) SELECT w.v, t.v FROM w, t ORDER BY 1", [UPDATE_T], [UPDATE_U]),
    Case("cte_hides_nothing_of_a_function", T + U + "CREATE FUNCTION f() RETURNS bigint STABLE LANGUAGE sql AS "
         "'SELECT sum(n) FROM t';", "WITH t AS (SELECT 1 AS id) SELECT f(), id FROM t", [UPDATE_T], [UPDATE_U]),
    Case("cte_unused", T + U, "WITH c AS (SELECT * FROM u) SELECT v FROM t ORDER BY id", [UPDATE_T]),
    Case("cte_materialized", T + U,
         "WITH c AS MATERIALIZED (SELECT id FROM t), d AS NOT MATERIALIZED (SELECT id FROM u) SELECT * FROM c, d "
         "ORDER BY 1, 2", [INSERT_T, "DELETE FROM u WHERE id = 1"]),
    Case("cte_recursive", TREE + T,
         "WITH RECURSIVE r AS (SELECT id, 1 AS depth FROM tree WHERE parent IS NULL UNION ALL SELECT c.id, depth + 1 "
         "FROM tree c JOIN r ON c.parent = r.id) SELECT * FROM r ORDER BY id",
         [("INSERT INTO tree VALUES ($1, $2)", 6, 4), "UPDATE tree SET parent = 3 WHERE id = 4"], [UPDATE_T]),
    Case("cte_recursive_with_search_and_cycle", TREE,
         "WITH RECURSIVE r AS (SELECT id, parent FROM tree WHERE id = 1 UNION ALL SELECT c.id, c.parent FROM tree c, "
         "r WHERE c.parent = r.id) SEARCH DEPTH FIRST BY id SET o CYCLE id SET looped USING path SELECT id, o, looped "
         "FROM r ORDER BY o", [("INSERT INTO tree VALUES ($1, $2)", 7, 4)]),
    Case("cte_in_in", T + U, "SELECT v FROM t WHERE id IN (WITH c AS (SELECT id FROM u) SELECT id FROM c) ORDER BY 1",
         [UPDATE_T, "DELETE FROM u WHERE id = 2"]),
    # shapes
    Case("lateral", T + U,
         "SELECT t.id, x.s FROM t, LATERAL (SELECT sum(n) AS s FROM u WHERE u.id <= t.id) x ORDER BY 1",
         [UPDATE_U, INSERT_T]),
    Case("joins", T + U,
         "SELECT * FROM t NATURAL FULL JOIN (SELECT id, n AS m FROM u) x LEFT JOIN u AS y USING (id) ORDER BY id",
         [UPDATE_T, UPDATE_U]),
    Case("subqueries", T + U,
         "SELECT v, (SELECT max(n) FROM u), ARRAY(SELECT id FROM u ORDER BY 1) FROM t WHERE EXISTS (SELECT FROM u "
         "WHERE u.id = t.id) OR n > ALL (SELECT n FROM u) OR id NOT IN (SELECT id FROM u) ORDER BY id",
         [UPDATE_T, "UPDATE u SET n = n + 1000", "DELETE FROM u WHERE id = 4"]),
    Case("set_operations", T + U,
         "(SELECT id FROM t UNION ALL SELECT id FROM u) EXCEPT ALL SELECT n FROM t INTERSECT SELECT n FROM u ORDER BY "
         "1", [INSERT_T, "INSERT INTO u VALUES (50, '', 0)", "DELETE FROM u WHERE id = 50"]),
    Case("values", T + U, "VALUES (1, 'a'), ((SELECT sum(n) FROM t)::int, 'b')", [UPDATE_T], [UPDATE_U]),
    Case("values_of_constants", T, "VALUES (1, 'a'), (2, NULL)", [], [UPDATE_T]),
    Case("table", T + U, "TABLE t", [UPDATE_T], [UPDATE_U]),
    Case("no_relation", T, "SELECT 1 + 1, 'x' || 'y', ARRAY[1, 2], ROW(1, 'a')", [], [UPDATE_T]),
    Case("grouping_sets", T + U,
         "SELECT v, n, count(*), grouping(v, n) FROM t GROUP BY GROUPING SETS ((v), (n), ()) ORDER BY 1, 2", [UPDATE_T],
         [UPDATE_U]),
    Case("cube_and_rollup", T,
         "SELECT v, n, sum(id) FILTER (WHERE n > 10) FROM t GROUP BY CUBE (v), ROLLUP (n) HAVING count(*) > 0 ORDER "
         "BY 1, 2, 3", [UPDATE_T]),
    Case("window_functions", T + U,
         "SELECT id, rank() OVER w, lag(v, 1, '-') OVER w, sum(n) OVER (ORDER BY id ROWS 1 PRECEDING), ntile(2) OVER "
         "w FROM t WINDOW w AS (ORDER BY n DESC) ORDER BY id", [("UPDATE t SET n = $1 WHERE id = 1", 99)], [UPDATE_U]),
    Case("aggregates", T,
         "SELECT string_agg(v, ',' ORDER BY v), array_agg(id ORDER BY n), percentile_cont(0.5) WITHIN GROUP (ORDER BY "
         "n), bool_and(n > 0), count(DISTINCT v), avg(n) FROM t", [UPDATE_T]),
    Case("distinct_on_and_limit", T,
         "SELECT DISTINCT ON (n / 20) id, v FROM t ORDER BY n / 20, id OFFSET 0 FETCH FIRST 2 ROWS WITH TIES",
         [UPDATE_T]),
    Case("case_and_friends", T,
         "SELECT CASE WHEN n > 15 THEN v ELSE 'small' END, coalesce(NULLIF(v, 'a'), '?'), greatest(n, 15), n BETWEEN "
         "1 AND 15, v LIKE 'a%', v ~ '^[ab]', (id, n) < (2, 0), n IS DISTINCT FROM 10 FROM t ORDER BY id", [UPDATE_T]),
    Case("json", "CREATE TABLE j (id int PRIMARY KEY, d jsonb, e json); INSERT INTO j VALUES (1, '{\"a\": [1, 2], "
         "\"b\": {\"c\": \"x\"}}', '{\"k\": 1}');",
         "SELECT d->'a'->>0, d#>>'{b,c}', d @> '{\"a\": [1]}', d ? 'b', jsonb_path_query_array(d, '$.a[*]'), e->'k', "
         "jsonb_set(d, '{b}', '1'), jsonb_array_length(d->'a') FROM j",
         [("UPDATE j SET d = jsonb_set(d, '{b,c}', $1)", '"y"')]),
    Case("json_made_of_rows", T + U,
         "SELECT json_agg(v ORDER BY id), jsonb_object_agg(v, n), json_build_object('n', sum(n)), "
         "jsonb_build_array(count(*)) FROM t", [UPDATE_T], [UPDATE_U]),
    Case("json_in_from", "CREATE TABLE j (d jsonb); INSERT INTO j VALUES ('[{\"a\": 1, \"b\": \"x\"}, {\"a\": 2, "
         "\"b\": \"y\"}]');",
         "SELECT r.a, r.b, e.value->>'a' FROM j, jsonb_to_recordset(d) AS r(a int, b text), jsonb_array_elements(d) e "
         "ORDER BY 1, 3", ["UPDATE j SET d = d - 0"]),
    Case("functions_in_from", T,
         "SELECT g, o, x FROM t, generate_series(1, n / 10) WITH ORDINALITY AS s(g, o), unnest(ARRAY[id, n]) x ORDER "
         "BY 1, 2, 3", [UPDATE_T]),
    Case("rows_from", T,
         "SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) AS r(a, b) JOIN t ON t.id = r.a "
         "ORDER BY a", [UPDATE_T]),
    Case("mixed_case", 'CREATE TABLE "Mixed Case" ("Some Thing" int, "v""q" text); '
         'INSERT INTO "Mixed Case" VALUES (1, \'a\');', 'SELECT m."Some Thing", "v""q" FROM "Mixed Case" AS m',
         ['UPDATE "Mixed Case" SET "v""q" = "v""q" || \'+\'']),
    # composite types are not looked into
    Case("types", T + "CREATE TYPE mood AS ENUM ('bad', 'good'); CREATE DOMAIN euro AS numeric CHECK (value >= 0); "
         "CREATE TYPE pos AS (x int, y int);CREATE TABLE typed (m mood, e euro, p pos, r int4range, a int[], b bool); "
         "INSERT INTO typed VALUES ('bad', 1, '(1,2)', '[1,3)', '{1,2}', true);",
         "SELECT m, e, (p).x, r, a[1], b FROM typed WHERE m < 'good'",
         ["UPDATE typed SET e = e + 1", "ALTER TYPE mood RENAME VALUE 'bad' TO 'awful'"], [UPDATE_T], hits=False),
    Case("generated_and_identity", T + "CREATE TABLE g (id int GENERATED ALWAYS AS IDENTITY, n int, d int GENERATED "
         "ALWAYS AS (n * 2) STORED);INSERT INTO g (n) VALUES (1);", "SELECT id, d FROM g ORDER BY id",
         [("UPDATE g SET n = n + $1", 1), ("INSERT INTO g (n) VALUES ($1)", 5)], [UPDATE_T]),
    # functions
    Case("sql_function", T + U + "CREATE FUNCTION f(i int) RETURNS int STABLE LANGUAGE sql AS 'SELECT n FROM t WHERE "
         "id = i';", "SELECT f(1), f(2)",
         [UPDATE_T,
          "CREATE OR REPLACE FUNCTION f(i int) RETURNS int STABLE LANGUAGE sql AS 'SELECT n FROM u WHERE id = i'",
          UPDATE_U], []),
    Case("sql_function_leaves_the_rest", T + U + "CREATE FUNCTION f(i int) RETURNS int STABLE LANGUAGE sql AS 'SELECT "
         "n FROM t WHERE id = i';", "SELECT f(1), f(2)", [UPDATE_T], [UPDATE_U]),
    Case("sql_function_atomic", T + U + "CREATE FUNCTION f(i int) RETURNS int STABLE LANGUAGE sql BEGIN ATOMIC SELECT "
         "n FROM t WHERE id = i; END;", "SELECT f(1)", [UPDATE_T], [UPDATE_U]),
    Case("sql_function_return", T + U + "CREATE FUNCTION f() RETURNS bigint STABLE LANGUAGE sql RETURN (SELECT sum(n) "
         "FROM t);", "SELECT f() FROM u ORDER BY 1", [UPDATE_T, "DELETE FROM u WHERE id = 1"], []),
    Case("sql_function_transitive", T + U + "CREATE VIEW w AS SELECT id, n FROM t; CREATE FUNCTION f(i int) RETURNS "
         "int STABLE LANGUAGE sql AS 'SELECT n FROM w WHERE id = i';CREATE FUNCTION g(i int) RETURNS int STABLE "
         "LANGUAGE sql AS 'SELECT f(i) + 1'; CREATE VIEW x AS SELECT g(1) AS n;", "SELECT n FROM x", [UPDATE_T],
         [UPDATE_U]),
    Case("sql_function_in_from", T + U + "CREATE FUNCTION f(low int) RETURNS TABLE (k int, m text) STABLE LANGUAGE "
         "sql AS 'SELECT id, v FROM t WHERE n >= low';CREATE FUNCTION rows() RETURNS SETOF t STABLE LANGUAGE sql AS "
         "'SELECT * FROM t';", "SELECT k, m, r.n FROM f(5), rows() r WHERE r.id = k ORDER BY k", [UPDATE_T, INSERT_T],
         [UPDATE_U]),
    Case("sql_function_with_defaults", T + "CREATE FUNCTION f(i int DEFAULT 1, VARIADIC more int[] DEFAULT '{}') "
         "RETURNS bigint STABLE LANGUAGE sql AS 'SELECT sum(n) FROM t WHERE id = i OR id = ANY(more)'; "
         "CREATE FUNCTION g(i int, low int DEFAULT 5) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT sum(n) FROM t "
         "WHERE id = i AND n > low';",
         "SELECT f(), f(1, 2, 3), f(i => 3, VARIADIC more => ARRAY[1, 2]), g(low => 2, i => 1)", [UPDATE_T]),
    Case("sql_function_overloaded", T + U + "CREATE FUNCTION f(i int) RETURNS int STABLE LANGUAGE sql AS 'SELECT n "
         "FROM t WHERE id = i';CREATE FUNCTION f(i text) RETURNS int STABLE LANGUAGE sql AS 'SELECT n FROM u WHERE id "
         "= i::int';", "SELECT f(1), f('1')", [UPDATE_T, UPDATE_U]),
    Case("sql_function_with_a_path", T + "CREATE SCHEMA {s}_other; CREATE TABLE {s}_other.t (n int); "
         "INSERT INTO {s}_other.t VALUES (1);CREATE FUNCTION f() RETURNS bigint STABLE LANGUAGE sql SET search_path = "
         "{s}_other AS 'SELECT sum(n) FROM t';", "SELECT f()", ["UPDATE {s}_other.t SET n = n + 1"], hits=False),
    Case("sql_function_that_hides_a_builtin", T + "CREATE FUNCTION lower(text) RETURNS text STABLE LANGUAGE sql AS "
         "'SELECT v FROM t WHERE id = 1'; CREATE TABLE q (v text);INSERT INTO q VALUES ('Q');",
         "SELECT lower(v), {s}.lower('X'), pg_catalog.lower(v) FROM q", [UPDATE_T, "UPDATE q SET v = v || '+'"]),
    Case("sql_function_that_lies", T + "CREATE FUNCTION f() RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT sum(n) "
         "FROM t';", "SELECT f()", [UPDATE_T], hits=False),
    Case("sql_function_of_several_statements", T + U + "CREATE FUNCTION f() RETURNS int STABLE LANGUAGE sql AS "
         "'SELECT n FROM t; SELECT n FROM u WHERE id = 1';", "SELECT f()", [UPDATE_U], hits=False),
    Case("plpgsql_function", T + U + "CREATE FUNCTION f(i int) RETURNS text STABLE LANGUAGE plpgsql AS $$ DECLARE r "
         "text; BEGIN SELECT v INTO r FROM t WHERE id = i; IF r IS NULL THEN RETURN 'none'; END IF; RETURN r || '!'; "
         "END $$;", "SELECT f(1), f(77)", [UPDATE_T, ("INSERT INTO t VALUES (77, $1, 0)", "z")], [UPDATE_U]),
    Case("plpgsql_function_of_rows", T + U + "CREATE FUNCTION f() RETURNS SETOF text STABLE LANGUAGE plpgsql AS $$ "
         "DECLARE r record; BEGIN FOR r IN SELECT v FROM t ORDER BY id LOOP RETURN NEXT r.v; END LOOP; "
         "RETURN QUERY SELECT v::text FROM u WHERE id = 1; END $$;", "SELECT * FROM f() x ORDER BY 1",
         [UPDATE_T, UPDATE_U]),
    Case("immutable_functions", T + U + "CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 "
         "* 2'; CREATE FUNCTION thrice(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN i * 3; END $$;",
         "SELECT twice(n), thrice(n) FROM t WHERE thrice(id) < 9 ORDER BY twice(id)",
         [UPDATE_T, "CREATE OR REPLACE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 22'"],
         [UPDATE_U]),
    Case("polymorphic_function", T + U + "CREATE FUNCTION first_of(anyelement, anyelement) RETURNS anyelement "
         "IMMUTABLE LANGUAGE sql AS 'SELECT $1';", "SELECT first_of(n, 1), first_of(v::text, 'x') FROM t ORDER BY 1",
         [UPDATE_T], [UPDATE_U]),
    Case("operator_of_other_types", T + U + "CREATE FUNCTION same(text, int) RETURNS bool LANGUAGE plpgsql AS "
         "$$BEGIN EXECUTE 'SELECT true'; RETURN true; END$$; CREATE OPERATOR < (LEFTARG = text, RIGHTARG = int, FUNCTION = same);",
         "SELECT v FROM t WHERE id < 2 OR n < 25 OR n < '10' ORDER BY id", [UPDATE_T], [UPDATE_U],
         database=True),  # or bodies of other cases' functions may mean its operator
    Case("user_operator", T + U + "CREATE FUNCTION near(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT "
         "abs($1 - $2) < 5'; CREATE OPERATOR ~~~ (LEFTARG = int, RIGHTARG = int, FUNCTION = near);",
         "SELECT v FROM t WHERE n ~~~ 12 OR n OPERATOR({s}.~~~) 30 ORDER BY id", [UPDATE_T], [UPDATE_U]),
    Case("user_operator_that_reads", T + U + "CREATE FUNCTION linked(int, int) RETURNS bool STABLE LANGUAGE sql AS "
         "'SELECT EXISTS (SELECT FROM u WHERE id = $1 AND n > $2)'; CREATE OPERATOR ~~~ (LEFTARG = int, RIGHTARG = "
         "int, FUNCTION = linked);", "SELECT v FROM t WHERE id ~~~ 100 ORDER BY id", [UPDATE_U, UPDATE_T]),
    Case("user_aggregate", T + U + "CREATE FUNCTION add(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + "
         "$2'; CREATE AGGREGATE total(int) (SFUNC = add, STYPE = int, INITCOND = '0');", "SELECT total(n) FROM t",
         [UPDATE_T], hits=False),
    Case("user_cast", T + U + "CREATE TYPE boxed AS (n int); CREATE FUNCTION box(i int) RETURNS boxed IMMUTABLE "
         "LANGUAGE sql AS 'SELECT ROW(i)::{s}.boxed';CREATE CAST (int AS boxed) WITH FUNCTION box(int);",
         "SELECT (n::boxed).n, CAST(id AS boxed) FROM t ORDER BY id", [UPDATE_T], [UPDATE_U], hits=False,
         database=True),
    Case("user_cast_that_reads", T + U + "CREATE TYPE found AS (v text); CREATE FUNCTION find(i int) RETURNS found "
         "STABLE LANGUAGE sql AS 'SELECT ROW(v)::{s}.found FROM {s}.u WHERE id = i'; "
         "CREATE CAST (int AS found) WITH FUNCTION find(int);", "SELECT id::found FROM t ORDER BY id", [UPDATE_U],
         hits=False, database=True),
    Case("table_of_a_catalogs_name", "CREATE TABLE pg_class (v int); INSERT INTO {s}.pg_class VALUES (1);",
         "SELECT v FROM {s}.pg_class", ["UPDATE {s}.pg_class SET v = v + 1"]),
]


# --- the closure of a write ------------------------------------------------------------------------------------------

CHAIN = """
CREATE TABLE a (id int PRIMARY KEY, v varchar(60)); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE
  CASCADE ON UPDATE CASCADE);
CREATE TABLE c (id int PRIMARY KEY, b int REFERENCES b ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE d (id int PRIMARY KEY, a int DEFAULT 0 REFERENCES a ON DELETE SET DEFAULT ON UPDATE SET NULL);
INSERT INTO a SELECT n, 'a' FROM generate_series(0, 9) n; INSERT INTO b SELECT n, n FROM generate_series(1, 9) n;
INSERT INTO c SELECT n, n FROM generate_series(1, 9) n; INSERT INTO d SELECT n, n FROM generate_series(1, 9) n;
"""
SELF = "CREATE TABLE nodes (id int PRIMARY KEY, up int REFERENCES nodes ON DELETE CASCADE);" \
       "INSERT INTO nodes VALUES (1, NULL), (2, 1), (3, 2), (4, NULL), (5, 4);"


def trigger(body, on="AFTER INSERT ON t FOR EACH ROW", declare="", when=""):
    return T + U + LOG + f"CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ {declare} BEGIN {body} END $$; " \
           f"CREATE TRIGGER fires {on} {when} EXECUTE FUNCTION fires();"


LOGS = "INSERT INTO log VALUES (TG_OP, NEW.id); RETURN NEW;"

CLOSURES = [
    # foreign keys
    Case("cascade", CHAIN + T, "SELECT * FROM b ORDER BY id",
         [("DELETE FROM a WHERE id = $1", 1), ("UPDATE a SET id = $1 WHERE id = $2", 20, 2),
          "WITH w AS (DELETE FROM a WHERE id = 3) SELECT 1",
          "MERGE INTO a USING (VALUES (4)) s(id) ON a.id = s.id WHEN MATCHED THEN DELETE"],
         [UPDATE_T, "UPDATE a SET v = v || '+'"]),
    Case("cascade_and_set_null", CHAIN + T, "SELECT * FROM c ORDER BY id",
         [("DELETE FROM a WHERE id = $1", 1), ("UPDATE b SET id = $1 WHERE id = $2", 30, 3),
          "DELETE FROM b WHERE id = 4", "TRUNCATE a CASCADE"], [UPDATE_T]),
    Case("cascade_of_updates_ends", CHAIN, "SELECT * FROM b ORDER BY id",
         ["INSERT INTO a VALUES (5, '') ON CONFLICT (id) DO UPDATE SET id = 50"]),
    Case("set_default", CHAIN + T, "SELECT * FROM d ORDER BY id",
         [("DELETE FROM a WHERE id = $1", 1), ("UPDATE a SET id = $1 WHERE id = $2", 20, 2)], [UPDATE_T]),
    Case("cascade_to_itself", SELF + T, "SELECT * FROM nodes ORDER BY id", [("DELETE FROM nodes WHERE id = $1", 1)],
         [UPDATE_T]),
    Case("cascade_from_a_view", CHAIN + "CREATE VIEW w AS SELECT id FROM a WHERE id > 0;",
         "SELECT count(*) FROM c WHERE b IS NULL", [("DELETE FROM w WHERE id = $1", 1)]),
    Case("cascade_between_partitions", "CREATE TABLE pa (id int PRIMARY KEY) PARTITION BY RANGE (id); "
         "CREATE TABLE pa1 PARTITION OF pa FOR VALUES FROM (0) TO (10);CREATE TABLE pb (id int, a int REFERENCES pa "
         "ON DELETE CASCADE) PARTITION BY RANGE (id); CREATE TABLE pb1 PARTITION OF pb FOR VALUES FROM (0) TO "
         "(10);INSERT INTO pa VALUES (1), (2), (3); INSERT INTO pb VALUES (1, 1), (2, 2), (3, 3);",
         "SELECT * FROM pb1 ORDER BY id", [("DELETE FROM pa WHERE id = $1", 1), "DELETE FROM pa1 WHERE id = 2"]),
    Case("cascade_fires_triggers", CHAIN + LOG + "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ "
         "BEGIN INSERT INTO log VALUES (TG_OP, OLD.id); RETURN OLD; END $$;CREATE TRIGGER fires AFTER DELETE ON b FOR "
         "EACH ROW EXECUTE FUNCTION fires();", NOTES, [("DELETE FROM a WHERE id = $1", 1)]),
    Case("truncate_cascade", CHAIN + T, "SELECT count(*) FROM c", ["TRUNCATE a CASCADE"], ["TRUNCATE t"]),
    # views that are written to, and rules
    Case("updatable_view", T + U + "CREATE VIEW w AS SELECT id, v, n FROM t WHERE n < 1000; "
         "CREATE VIEW x AS SELECT id, v FROM w WHERE id < 100 WITH CHECK OPTION;", "SELECT * FROM t ORDER BY id",
         [("UPDATE w SET v = v || $1 WHERE id = 1", "+"), ("UPDATE x SET v = $1 WHERE id = 2", "x"),
          "DELETE FROM x WHERE id = 3", ("INSERT INTO w VALUES (8, $1, 8)", "i"),
          "MERGE INTO t USING w ON t.id = w.id WHEN MATCHED THEN UPDATE SET n = t.n + 1"], ["UPDATE u SET n = n + 1"]),
    Case("updatable_view_leaves_the_rest", T + U + "CREATE VIEW w AS SELECT id, v FROM t;",
         "SELECT * FROM u ORDER BY id", [UPDATE_U], ["UPDATE w SET v = v || '+'"]),
    Case("view_with_rules", T + U + LOG + "CREATE VIEW w AS SELECT t.id, t.v, u.n FROM t JOIN u USING (id); "
         "CREATE RULE up AS ON UPDATE TO w DO INSTEAD (UPDATE u SET n = NEW.n WHERE id = OLD.id; "
         "INSERT INTO log VALUES ('rule', NEW.n)); CREATE RULE del AS ON DELETE TO w DO INSTEAD DELETE FROM u WHERE "
         "id = OLD.id;", "SELECT * FROM u ORDER BY id", [("UPDATE w SET n = n + $1", 1), "DELETE FROM w WHERE id = 1"],
         [UPDATE_T]),
    Case("rule_also", T + U + LOG + "CREATE RULE also AS ON UPDATE TO t WHERE NEW.n > OLD.n DO ALSO INSERT INTO log "
         "VALUES ('also', NEW.n);", NOTES, [UPDATE_T], [UPDATE_U]),
    Case("rule_instead_of_an_insert", T + U + LOG + "CREATE RULE away AS ON INSERT TO t DO INSTEAD INSERT INTO log "
         "VALUES (NEW.v, NEW.n);", NOTES, [("INSERT INTO t VALUES (9, $1, 9)", "x")], [UPDATE_U]),
    Case("view_with_a_trigger", T + U + LOG + "CREATE VIEW w AS SELECT count(*) AS c FROM t; "
         "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES ('instead', "
         "NEW.c); RETURN NEW; END $$; CREATE TRIGGER fires INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE FUNCTION "
         "fires();", NOTES, [("INSERT INTO w VALUES ($1)", 5)], [UPDATE_U]),
    # statements
    Case("on_conflict", T + U, "SELECT * FROM t ORDER BY id",
         [("INSERT INTO t VALUES ($1, $2, 0) ON CONFLICT (id) DO UPDATE SET v = t.v || excluded.v", 1, "+"),
          "INSERT INTO t VALUES (1, '', 0), (9, 'nine', 9) ON CONFLICT DO NOTHING"], [UPDATE_U]),
    Case("ctes_at_depth", T + U + LOG, NOTES,
         ["WITH x AS (SELECT 1), y AS (INSERT INTO log SELECT v, n FROM t RETURNING n), z AS (SELECT n FROM y) SELECT "
          "count(*) FROM z, x",
          "WITH q AS (DELETE FROM log WHERE n = 10 RETURNING n) INSERT INTO u SELECT 70, 'x', n FROM q",
          "WITH q AS (UPDATE t SET n = n + 1 RETURNING n), r AS (DELETE FROM log USING q) UPDATE u SET n = 0"], []),
    Case("explain_analyze", T + U, "SELECT * FROM t ORDER BY id",
         ["EXPLAIN ANALYZE UPDATE t SET n = n + 1",
          "EXPLAIN (ANALYZE true, VERBOSE, BUFFERS) DELETE FROM t WHERE id = 1",
          "EXPLAIN (ANALYZE, FORMAT json) WITH w AS (UPDATE t SET n = n + 1) SELECT 1"],
         ["EXPLAIN UPDATE t SET n = n + 1", "EXPLAIN (COSTS off) DELETE FROM t", "EXPLAIN ANALYZE SELECT * FROM u"]),
    Case("copy_in", T + U, "SELECT * FROM t ORDER BY id",
         [copy_in("COPY t FROM STDIN", b"11\tx\t1\n"), copy_in("COPY t (id, n) FROM STDIN CSV", b"12,5\n13,6\n")],
         ["COPY u TO STDOUT", "COPY (SELECT * FROM t) TO STDOUT"]),
    Case("copy_of_a_write", T + U, "SELECT * FROM t ORDER BY id",
         ["COPY (INSERT INTO t VALUES (11, 'x', 1) RETURNING id) TO STDOUT",
          "COPY (WITH w AS (DELETE FROM t WHERE id = 11 RETURNING id) SELECT * FROM w) TO STDOUT"],
         ["COPY (UPDATE u SET n = n + 1 RETURNING n) TO STDOUT"]),
    Case("select_into", T + "CREATE TABLE public.{s}_hidden (v int);", "SELECT * FROM {s}_hidden",
         ["SELECT id AS v INTO {s}_hidden FROM t", "UPDATE {s}_hidden SET v = v + 1", "DROP TABLE {s}.{s}_hidden"]),
    Case("create_table_as", T + "CREATE TABLE public.{s}_hidden (v int);", "SELECT * FROM {s}_hidden",
         ["CREATE TABLE {s}_hidden AS SELECT id AS v FROM t", "DROP TABLE {s}_hidden",
          "CREATE MATERIALIZED VIEW {s}_hidden AS SELECT n FROM t"]),
    Case("create_table_as_over_a_write", WRITES, NOTES,
         ["CREATE TABLE made AS SELECT note(id) FROM t", "SELECT note(7) INTO other",
          "CREATE TABLE third AS WITH w AS (DELETE FROM log WHERE n = 7) SELECT 1"]),
    Case("refresh_over_a_write", WRITES + "CREATE MATERIALIZED VIEW m AS SELECT note(9) AS n WITH NO DATA;", NOTES,
         ["REFRESH MATERIALIZED VIEW m"], hits=False, before=17),  # since then with a search_path of its own
    Case("prepare_and_execute", T + U, "SELECT * FROM t ORDER BY id",
         [["PREPARE p(int) AS UPDATE t SET n = n + $1", "EXECUTE p(1)"], "EXECUTE p(2)", "EXPLAIN ANALYZE EXECUTE p(3)",
          ["DEALLOCATE p", "PREPARE p AS DELETE FROM t WHERE id = 1", "EXECUTE p"]], []),
    Case("cursor_over_a_write", WRITES, NOTES,
         [["BEGIN", "DECLARE c CURSOR FOR SELECT note(id) FROM t", "FETCH ALL FROM c", "COMMIT"],
          ["BEGIN", "DECLARE c CURSOR FOR SELECT note(n) FROM t", "MOVE ALL IN c", "COMMIT"],
          ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT note(id + 100) FROM t", "COMMIT"],
          "DECLARE d CURSOR WITH HOLD FOR SELECT note(id + 200) FROM t"]),
    Case("cursor_whose_row_is_written", T + U, "SELECT * FROM t ORDER BY id",
         [["BEGIN", "DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE", "FETCH c",
           "UPDATE t SET n = n + 1 WHERE CURRENT OF c", "COMMIT"]],
         [["BEGIN", "DECLARE c CURSOR FOR SELECT * FROM u", "FETCH c", "COMMIT"]]),
    Case("several_statements", T + U, "SELECT * FROM t ORDER BY id",
         [text("SELECT 1; UPDATE t SET n = n + 1; SELECT 2"), text("BEGIN; DELETE FROM t WHERE id = 1; COMMIT"),
          text("UPDATE u SET n = 0; DO $$ BEGIN DELETE FROM t; END $$")],
         [text("UPDATE u SET n = n + 1; SELECT 1; SELECT * FROM t")]),
    Case("savepoints", T + U, "SELECT * FROM t ORDER BY id",
         [["BEGIN", "SAVEPOINT s", UPDATE_T, "RELEASE s", "COMMIT"],
          ["BEGIN", UPDATE_T, "SAVEPOINT s", UPDATE_U, "ROLLBACK TO s", "COMMIT"],
          ["BEGIN", "SAVEPOINT s", UPDATE_T, "SAVEPOINT s", UPDATE_T, "ROLLBACK TO s", "RELEASE s", "COMMIT"]],
         [["BEGIN", UPDATE_T, "ROLLBACK"], ["BEGIN", UPDATE_U, "COMMIT"]]),
    Case("chained", T + U, "SELECT * FROM t ORDER BY id",
         [["BEGIN", UPDATE_T, "COMMIT AND CHAIN", UPDATE_U, "ROLLBACK"],
          ["BEGIN", UPDATE_U, "ROLLBACK AND CHAIN", UPDATE_T, "COMMIT"]],
         [["BEGIN", UPDATE_U, "COMMIT AND CHAIN", UPDATE_U, "COMMIT"]]),
    # functions and procedures
    Case("function_that_writes", WRITES + U + "CREATE FUNCTION deep(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
         "IF i > 0 THEN RETURN note(i); END IF; RETURN 0; END $$;", NOTES,
         [("SELECT note($1)", 1), ("SELECT deep($1)", 2), ("VALUES (note($1))", 3), "SELECT * FROM note(4)",
          "SELECT id FROM t WHERE note(id + 4) IS NULL", "UPDATE t SET n = note(n)",
          "INSERT INTO t VALUES (note(50), 'x', 1) RETURNING note(51)",
          "DELETE FROM t WHERE id = 50 RETURNING note(52)", "DO $$ BEGIN PERFORM note(60); END $$",
          "SELECT 1 ORDER BY note(61)", "SELECT 1 LIMIT note(1)", "SELECT (SELECT note(62))",
          "SELECT count(*) FILTER (WHERE note(63) > 0) FROM t", "EXPLAIN ANALYZE SELECT note(64)",
          "COPY (SELECT note(65)) TO STDOUT"], [UPDATE_U]),
    Case("function_leaves_the_rest", WRITES + U, "SELECT * FROM u ORDER BY id", [UPDATE_U], ["SELECT note(1)"]),
    Case("function_with_a_path", WRITES + "CREATE SCHEMA {s}_other; CREATE TABLE {s}_other.log (what varchar(60), n "
         "int); CREATE FUNCTION away() RETURNS void LANGUAGE sql SET search_path = {s}_other AS 'INSERT INTO log "
         "VALUES (''away'', 1)';", "SELECT * FROM {s}_other.log", ["SELECT away()"]),
    Case("function_of_the_callers_path", WRITES + "CREATE SCHEMA {s}_other; CREATE TABLE {s}_other.log (what "
         "varchar(60), n int);", "SELECT count(*) FROM {s}_other.log",
         [["SET search_path = {s}_other, {s}", "SELECT note(1)", "RESET search_path"]]),
    Case("function_in_a_default", WRITES + "CREATE TABLE defaulted (id int, n int DEFAULT note(8));", NOTES,
         [("INSERT INTO defaulted (id) VALUES ($1)", 1), "UPDATE defaulted SET n = DEFAULT",
          copy_in("COPY defaulted (id) FROM STDIN", b"5\n"), "ALTER TABLE defaulted ADD m int DEFAULT note(9)"]),
    Case("function_in_a_check", WRITES + "CREATE TABLE checked (id int CHECK (note(id) > 0)); "
         "CREATE DOMAIN noted AS int CHECK (note(value + 100) > 0); CREATE TABLE of_domain (id noted);", NOTES,
         [("INSERT INTO checked VALUES ($1)", 1), "INSERT INTO of_domain VALUES (2)", "SELECT 3::noted"],
         database=True),  # or what other cases write may be made one of that domain
    Case("function_in_a_view", WRITES + "CREATE VIEW w AS SELECT note(id) AS n FROM t;", NOTES,
         ["SELECT * FROM w", "SELECT count(n) FROM w WHERE n > 100"]),
    Case("function_in_an_operator", WRITES + "CREATE FUNCTION noted(int, int) RETURNS int LANGUAGE sql AS 'SELECT "
         "note($1 + $2)'; CREATE OPERATOR #+# (LEFTARG = int, RIGHTARG = int, FUNCTION = noted);", NOTES,
         ["SELECT 3 #+# 4", "SELECT id FROM t ORDER BY id #+# 10"]),
    Case("function_in_an_aggregate", WRITES + "CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql AS 'SELECT "
         "note($1 + $2)'; CREATE AGGREGATE noting(int) (SFUNC = step, STYPE = int, INITCOND = '0');", NOTES,
         ["SELECT noting(n) FROM t"]),
    Case("function_in_a_cast", WRITES + "CREATE TYPE boxed AS (n int); CREATE FUNCTION box(i int) RETURNS boxed "
         "LANGUAGE sql AS 'SELECT ROW({s}.note(i))::{s}.boxed'; CREATE CAST (int AS boxed) WITH FUNCTION box(int);",
         NOTES, ["SELECT id::boxed FROM t", "SELECT CAST(9 AS boxed)"], hits=False, database=True),
    Case("function_replaced", WRITES + U, "SELECT sum(n) FROM u",
         [["CREATE OR REPLACE FUNCTION note(i int) RETURNS int LANGUAGE sql AS 'UPDATE u SET n = n + i RETURNING n'",
           "SELECT note(5)"]]),
    Case("plpgsql_loops", T + U + LOG + "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ DECLARE r record; "
         "c CURSOR FOR SELECT v FROM u; i int; BEGIN FOR r IN UPDATE t SET n = n + 1 RETURNING id LOOP NULL; "
         "END LOOP; WITH w AS (DELETE FROM u WHERE id = 4 RETURNING n) SELECT n INTO i FROM w; END $$;",
         "SELECT * FROM t ORDER BY id", ["SELECT f()", "DO $$ BEGIN PERFORM f(); END $$"]),
    Case("plpgsql_with_a_handler", T + LOG + "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE t "
         "SET n = n + 1; BEGIN INSERT INTO log VALUES ('kept', 1); PERFORM 1 / 0; "
         "EXCEPTION WHEN division_by_zero THEN INSERT INTO log VALUES ('handled', 2); END; END $$;", NOTES,
         ["SELECT f()", "SELECT f()"]),
    Case("plpgsql_dynamic", T + U + "CREATE FUNCTION f(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE "
         "format('UPDATE %I SET n = n + 1', name); END $$;", "SELECT * FROM t ORDER BY id",
         [("SELECT f($1)", "t"), "DO $$ BEGIN EXECUTE 'UPD' || 'ATE t SET n = 0'; END $$"]),
    Case("procedure_that_commits", T + LOG + "CREATE PROCEDURE pr(i int) LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET n "
         "= n + i; COMMIT; INSERT INTO log VALUES ('pr', i); ROLLBACK; INSERT INTO log VALUES ('pr', i); "
         "END $$;CREATE PROCEDURE outer_pr(i int) LANGUAGE plpgsql AS $$ BEGIN CALL pr(i); END $$;",
         "SELECT n, (SELECT count(*) FROM log) FROM t ORDER BY id", [("CALL pr($1)", 1), ("CALL outer_pr($1)", 2)]),
    Case("procedure_that_commits_and_fails", T + "CREATE PROCEDURE pr() LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET n = "
         "n + 1; COMMIT; PERFORM 1 / 0; END $$;", "SELECT n FROM t ORDER BY id",
         [failing("CALL pr()", "22012"),
          failing("DO $$ BEGIN UPDATE t SET n = n + 1; COMMIT; PERFORM 1 / 0; END $$", "22012")]),
    Case("procedure_in_sql", T + "CREATE PROCEDURE pr(i int) LANGUAGE sql AS 'UPDATE t SET n = n + i'; "
         "CREATE PROCEDURE atomic_pr(i int) LANGUAGE sql BEGIN ATOMIC UPDATE t SET n = n + i; END;",
         "SELECT n FROM t ORDER BY id", [("CALL pr($1)", 1), ("CALL atomic_pr($1)", 1)]),
    # triggers
    Case("trigger", trigger(LOGS), NOTES,
         [INSERT_T, copy_in("COPY t FROM STDIN", b"40\tx\t1\n"),
          "INSERT INTO t VALUES (1, '', 0), (41, '', 0) ON CONFLICT DO NOTHING",
          "WITH w AS (INSERT INTO t VALUES (42, '', 0) RETURNING id) SELECT id FROM w",
          "MERGE INTO t USING (VALUES (43)) s(id) ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (43, '', 0)"],
         [UPDATE_U, UPDATE_T]),
    Case("trigger_leaves_the_rest", trigger(LOGS), "SELECT * FROM u ORDER BY id", [UPDATE_U], [INSERT_T, UPDATE_T]),
    Case("trigger_of_an_upsert", trigger(LOGS, "AFTER UPDATE ON t FOR EACH ROW"), NOTES,
         ["INSERT INTO t VALUES (1, '', 0) ON CONFLICT (id) DO UPDATE SET n = t.n + 1",
          "MERGE INTO t USING (VALUES (2)) s(id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 0"], [INSERT_T]),
    Case("trigger_that_touches", T + U + "CREATE TABLE touched (id int PRIMARY KEY, v int, updated_at timestamptz); "
         "INSERT INTO touched VALUES (1, 1, '2000-01-01'), (2, 2, '2000-01-01');CREATE FUNCTION touch() RETURNS "
         "trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; "
         "END $$;CREATE TRIGGER touch BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch();",
         "SELECT * FROM t ORDER BY id", [UPDATE_T], [("UPDATE touched SET v = v + $1 WHERE id = 1", 1)]),
    Case("trigger_that_touches_is_read", T + "CREATE TABLE touched (id int PRIMARY KEY, v int, updated_at "
         "timestamptz); INSERT INTO touched VALUES (1, 1, '2000-01-01'), (2, 2, '2000-01-01');CREATE FUNCTION touch() "
         "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; "
         "END $$;CREATE TRIGGER touch BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch();",
         "SELECT * FROM touched ORDER BY id", [("UPDATE touched SET v = v + $1 WHERE id = 1", 1)], [UPDATE_T]),
    Case("trigger_that_touches_another_key", T + "CREATE TABLE touched (id int PRIMARY KEY, v int, updated_at "
         "timestamptz); INSERT INTO touched VALUES (1, 1, '2000-01-01'), (2, 2, '2000-01-01');CREATE FUNCTION touch() "
         "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; "
         "END $$;CREATE TRIGGER touch BEFORE UPDATE ON touched FOR EACH ROW EXECUTE FUNCTION touch();",
         "SELECT * FROM touched WHERE id = 2", ["UPDATE touched SET v = v + 1 WHERE id = 2"],
         [("UPDATE touched SET v = v + $1 WHERE id = $2", 1, 1)]),
    Case("trigger_before_and_when", trigger("INSERT INTO log VALUES ('when', NEW.n); RETURN NEW;",
             "BEFORE UPDATE OF n ON t FOR EACH ROW", when="WHEN (OLD.n IS DISTINCT FROM NEW.n)"), NOTES, [UPDATE_T],
         [UPDATE_U]),
    Case("trigger_of_a_statement", trigger("INSERT INTO log SELECT v, n FROM fresh; RETURN NULL;",
             "AFTER UPDATE ON t REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT"), NOTES, [UPDATE_T], [UPDATE_U]),
    Case("trigger_of_truncate", trigger("INSERT INTO log VALUES ('gone', 0); RETURN NULL;",
             "AFTER TRUNCATE ON t FOR EACH STATEMENT"), NOTES, ["TRUNCATE t", "TRUNCATE u, t"], [UPDATE_U]),
    Case("trigger_deferred", T + U + LOG + "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
         "INSERT INTO log VALUES ('late', NEW.id); RETURN NULL; END $$;CREATE CONSTRAINT TRIGGER fires AFTER INSERT "
         "ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fires();", NOTES,
         [["BEGIN", INSERT_T, UPDATE_U, "COMMIT"], INSERT_T,
          ["BEGIN", INSERT_T, "SET CONSTRAINTS ALL IMMEDIATE", "COMMIT"]], [UPDATE_U]),
    Case("trigger_that_calls", trigger("PERFORM note(NEW.id); RETURN NEW;", declare="") +
         "CREATE FUNCTION note(i int) RETURNS void LANGUAGE sql AS 'INSERT INTO log VALUES (''called'', i)';", NOTES,
         [INSERT_T], [UPDATE_U]),
    Case("trigger_after_trigger", trigger("UPDATE u SET n = n + 1 WHERE id = 1; RETURN NULL;") +
         "CREATE FUNCTION next_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES ('second', "
         "NEW.n); RETURN NULL; END $$; CREATE TRIGGER next_one AFTER UPDATE ON u FOR EACH ROW EXECUTE FUNCTION "
         "next_one();", NOTES, [INSERT_T, UPDATE_U]),
    Case("trigger_dynamic", trigger("EXECUTE 'INSERT INTO ' || TG_ARGV[0] || ' VALUES ($1, $2)' USING 'dynamic', NEW.id; RETURN NEW;").replace("EXECUTE FUNCTION fires()",
             "EXECUTE FUNCTION fires('log')"), NOTES, [INSERT_T]),
    Case("trigger_of_a_partition", PARTS + LOG + "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ "
         "BEGIN INSERT INTO log VALUES (TG_OP || TG_TABLE_NAME, 1); RETURN NULL; "
         "END $$;CREATE TRIGGER fires AFTER DELETE ON p_low FOR EACH ROW EXECUTE FUNCTION fires(); "
         "CREATE TRIGGER cloned AFTER UPDATE ON p FOR EACH ROW EXECUTE FUNCTION fires();CREATE TRIGGER arrives AFTER "
         "INSERT ON p_h2 FOR EACH ROW EXECUTE FUNCTION fires();", NOTES,
         ["DELETE FROM p WHERE id = 2", "UPDATE p_h1 SET v = 'x'", "UPDATE p SET id = 160 WHERE id = 1",
          ("INSERT INTO p VALUES ($1, $2)", 161, "x")]),
    Case("trigger_of_an_heir", HEIRS + LOG + "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
         "INSERT INTO log VALUES (TG_TABLE_NAME, 1); RETURN NULL; END $$;CREATE TRIGGER fires AFTER UPDATE ON h2 FOR "
         "EACH ROW EXECUTE FUNCTION fires();", NOTES, ["UPDATE h0 SET v = 'x'"]),
    Case("trigger_switched", trigger(LOGS), NOTES, [["ALTER TABLE t DISABLE TRIGGER fires", INSERT_T,
                                                     "ALTER TABLE t ENABLE TRIGGER fires", INSERT_T],
                                                    ["ALTER TABLE t ENABLE ALWAYS TRIGGER fires",
                                                     "SET session_replication_role = replica", INSERT_T,
                                                     "RESET session_replication_role"]]),
    Case("trigger_replaced", trigger(LOGS), "SELECT sum(n) FROM u",
         [["CREATE OR REPLACE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE u SET n = n + 1; "
           "RETURN NEW; END $$", INSERT_T]]),
    Case("policy_that_writes", WRITES + "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL "
         "SECURITY; CREATE POLICY p ON t USING (note(id) > 0); ALTER TABLE t OWNER TO an_bob;ALTER TABLE log OWNER TO "
         "an_bob; GRANT USAGE ON SCHEMA {s} TO an_bob;", NOTES,
         [["SET ROLE an_bob", "SELECT id FROM t", "RESET ROLE"], ["SET ROLE an_bob", UPDATE_T, "RESET ROLE"]],
         hits=False),
    Case("event_trigger", T + LOG + "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
         "INSERT INTO {s}.log VALUES (tg_tag, 1); END $$; CREATE EVENT TRIGGER {s}_ddl ON ddl_command_end EXECUTE "
         "FUNCTION on_ddl();", NOTES,
         ["COMMENT ON TABLE t IS 'seen'", "CREATE TABLE another (v int)", "GRANT SELECT ON t TO PUBLIC"],
         database=True),
]


@pytest.fixture(scope="module")
def roles(postgres):
    for role, attributes in (("an_alice", "LOGIN"), ("an_bob", "LOGIN"), ("an_group", "NOLOGIN")):
        postgres.run(f"CREATE ROLE {role} {attributes}")
    yield
    postgres.run("DROP ROLE an_alice, an_bob, an_group")


class Stages:
    """A house for some of the cases, of which one stands at a time: so that no catalog is large, and few are polled."""

    def __init__(self, postgres):
        self.postgres = postgres
        self.house = None
        self.cases = ()

    def of(self, case, writes_by):
        together = [one for one in (*READS, *CLOSURES) if not one.database]
        first = together.index(case) // 24 * 24 if case in together else 0
        cases = writes_by, *(one.name for one in (together[first:first + 24] if case in together else [case]))
        if cases != self.cases:
            self.close()
            script = "CREATE TABLE public.unrelated (id int PRIMARY KEY, v int);" \
                     "INSERT INTO public.unrelated VALUES (1, 0);\n"
            script += "".join(one.script_for(writes_by) for one in (*READS, *CLOSURES)
                              if one.name in cases and not one.lacks)
            self.house = House(self.postgres, script)
            self.cases = cases
        return self.house

    def close(self):
        if self.house:
            self.house.close()
        self.house, self.cases = None, ()


@pytest.fixture(scope="module")
def stages(postgres, roles):
    stages = Stages(postgres)
    yield stages
    stages.close()


@pytest.fixture
def stage(stages):
    yield stages
    if stages.house:
        stages.house.close_pairs()


@pytest.fixture(scope="module")
def shared(postgres, roles):
    rights = RIGHTS_SCRIPT if harness.PG_VERSION >= 15 else RIGHTS_SCRIPT.replace("WITH (security_invoker = true)", "")
    house = House(postgres, rights + REFUSED_SCRIPT + KEYS_SCRIPT)
    yield house
    house.close()


@pytest.fixture
def house(shared):
    yield shared
    shared.close_pairs()


def play(stage, case, reads_by, writes_by):
    if case.lacks:
        pytest.skip(case.lacks)
    house = stage.of(case, writes_by)
    schema = case.schema(writes_by)
    reader = house.plain()
    reader.reads_by = reads_by
    reader.both(f"SET search_path = {schema}, public", by="simple")
    writer = house.pair(writes_by=writes_by, options=f"-c search_path={schema},public")

    def local(write):
        if isinstance(write, str):
            return case.in_its_schema(write, writes_by)
        if isinstance(write, tuple):
            return (local(write[0]), *write[1:])
        return [local(one) for one in write] if isinstance(write, list) else write

    read = case.in_its_schema(case.read, writes_by)
    if case.hits:
        reader.stays(read, *(lambda write=write: run(writer, local(write)) for write in (UNRELATED, *case.keeps)))
    for write in case.moves:
        reader.sees(lambda: run(writer, local(write)), read, warm=case.hits)
    reader.agree(read)


@pytest.mark.versions
@pytest.mark.parametrize("case", READS, ids=lambda case: case.name)
def test_a_read_is_seen_through(stage, case, reads_by, writes_by):
    """A hit once it is warm and after a write that is none of its business; true at once after every other."""
    play(stage, case, reads_by, writes_by)


@pytest.mark.parametrize("case", CLOSURES, ids=lambda case: case.name)
def test_a_write_moves_all_that_it_touches(stage, case, reads_by, writes_by):
    """And nothing else, where that can be told."""
    play(stage, case, reads_by, writes_by)


def test_two_phases_by_two_sessions(stage, reads_by, writes_by):
    """What is prepared is seen by nobody, and by everybody once another session has committed it."""
    case = next(case for case in CLOSURES if case.name == "trigger_after_trigger")
    house = stage.of(case, writes_by)
    path = {"options": f"-c search_path={case.schema(writes_by)},public"}
    reader, writer, other = (house.pair(reads_by=reads_by, writes_by=writes_by, **path) for _ in range(3))
    name = f"{house.database}_{writes_by}"
    try:
        for write in (INSERT_T, UPDATE_U):
            run(writer, ["BEGIN", write, f"PREPARE TRANSACTION '{name}'"])
            reader.agree(NOTES)
            reader.sees(lambda: other.write(f"COMMIT PREPARED '{name}'"), NOTES, "SELECT * FROM u ORDER BY id")
        run(writer, ["BEGIN", INSERT_T, f"PREPARE TRANSACTION '{name}'"])
        reader.stays(NOTES, lambda: None)
        other.write(f"ROLLBACK PREPARED '{name}'")
        reader.agree(NOTES)
    finally:
        house.roll_back_prepared()


def test_a_path_where_the_catalog_is_last(house, start):
    """A table of the user's hides one of the catalog's when the path says so, and only then."""
    path = {"options": r"-c search_path=hiding,\ pg_catalog"}
    reader, writer, plain = start(**path), start(), start()
    sql = "SELECT v FROM pg_am"
    reader.warm(sql)
    plain.agree("SELECT amname FROM pg_am WHERE amname = 'heap'")
    reader.sees(lambda: writer.write("UPDATE hiding.pg_am SET v = v + $1", 1), sql)
    plain.agree(sql)


# --- policies and rights ---------------------------------------------------------------------------------------------

RIGHTS_SCRIPT = """
CREATE TABLE public.unrelated (id int PRIMARY KEY, v int); INSERT INTO public.unrelated VALUES (1, 0);
CREATE SCHEMA hiding; CREATE TABLE hiding.pg_am (v int); INSERT INTO hiding.pg_am VALUES (1);
CREATE SCHEMA rls; GRANT USAGE ON SCHEMA rls TO PUBLIC; SET search_path = rls;
CREATE TABLE docs (id int PRIMARY KEY, owner text, v text); INSERT INTO docs VALUES (1, 'an_alice', 'a'), (2, 'an_bob',
  'b'), (3, 'nobody', 'c');
ALTER TABLE docs ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON docs USING (owner = current_user);
CREATE TABLE rented (tenant text, v text); INSERT INTO rented VALUES ('blue', 'b'), ('red', 'r');
ALTER TABLE rented ENABLE ROW LEVEL SECURITY; CREATE POLICY tenants ON rented USING (tenant =
  current_setting('app.tenant', true));
CREATE TABLE members (who text, project int); INSERT INTO members VALUES ('an_alice', 1), ('an_bob', 2);
CREATE TABLE notes (id int PRIMARY KEY, project int, v text); INSERT INTO notes SELECT n, n % 3, 'n' || n FROM
  generate_series(1, 9) n;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_members ON notes USING (project IN (SELECT project FROM rls.members WHERE who = current_user));
CREATE FUNCTION may(p int) RETURNS bool STABLE SECURITY DEFINER LANGUAGE sql AS
  'SELECT EXISTS (SELECT FROM rls.members WHERE who = session_user AND project = p)';
CREATE TABLE secrets (project int, v text); INSERT INTO secrets VALUES (1, 's1'), (2, 's2');
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; CREATE POLICY may ON secrets USING (rls.may(project));
CREATE VIEW all_docs AS SELECT id, owner, v FROM docs;
CREATE VIEW own_docs WITH (security_invoker = true) AS SELECT id, owner, v FROM docs;
CREATE TABLE shelf (id int, v text) PARTITION BY LIST (id); CREATE TABLE shelf_1 PARTITION OF shelf FOR VALUES IN (1);
CREATE TABLE shelf_2 PARTITION OF shelf FOR VALUES IN (2);
INSERT INTO shelf VALUES (1, 'one'), (2, 'two'); ALTER TABLE shelf ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON shelf USING (id = 1);
CREATE TABLE for_group (v text); INSERT INTO for_group VALUES ('g');
ALTER TABLE for_group ENABLE ROW LEVEL SECURITY; CREATE POLICY grp ON for_group TO an_group USING (true);
CREATE TABLE hidden_base (v text); INSERT INTO hidden_base VALUES ('h'); CREATE VIEW shown AS SELECT v FROM hidden_base;
GRANT SELECT, UPDATE ON docs, rented, notes, members, secrets, shelf, shelf_1, shelf_2, for_group, all_docs, own_docs,
  shown TO an_alice, an_bob;
"""

DOCS = "SELECT id, v FROM rls.docs ORDER BY id"


@pytest.fixture
def start(house, reads_by, writes_by):
    return lambda user="postgres", **more: house.pair(user, reads_by=reads_by, writes_by=writes_by, **more)


@pytest.fixture
def admin(start):
    return start()


@pytest.fixture
def alice(start):
    return start("an_alice")


@pytest.fixture
def bob(start):
    return start("an_bob")


def unrelated(writer):
    return lambda: run(writer, UNRELATED)


def rows(pair, sql):
    return [body for kind, body in pair.expected(sql) if kind == "D"]


def test_each_role_has_its_own_rows_and_its_own_entries(admin, alice, bob):
    """A policy with current_user: cached for each, moved by whoever writes."""
    answers = [pair.warm(DOCS).rows for pair in (alice, bob, admin)]
    assert len(set(map(str, answers))) == 3
    for pair in (alice, bob):
        pair.stays(DOCS, unrelated(admin))
    alice.sees(lambda: admin.write("UPDATE rls.docs SET v = v || $1", "+"), DOCS)
    bob.agree(DOCS)
    admin.agree(DOCS)
    for pair in (alice, bob):
        pair.warm(DOCS)
    alice.sees(lambda: alice.write("UPDATE rls.docs SET v = v || $1", "!"), DOCS)
    bob.agree(DOCS)
    admin.agree(DOCS)
    bob.sees(lambda: admin.write("UPDATE rls.docs SET owner = $1 WHERE id = 3", "an_bob"), DOCS)
    bob.sees(lambda: admin.write("UPDATE rls.docs SET owner = $1 WHERE id = 3", "nobody"), DOCS)


def test_a_setting_that_a_policy_reads_is_in_the_key(admin, alice, bob):
    """current_setting('app.tenant'): each value has its entry; SET LOCAL and ROLLBACK go back to the one before."""
    sql = "SELECT v FROM rls.rented"
    expected = {}
    for tenant in ("blue", "red", "blue", "none"):
        for pair in (alice, bob):
            pair.both(f"SET app.tenant = '{tenant}'")
            pair.warm(sql)
        expected[tenant] = rows(alice, sql)
    assert sorted(map(len, expected.values())) == [0, 1, 1] and expected["blue"] != expected["red"]
    alice.both("SET app.tenant = 'red'")
    alice.stays(sql, unrelated(admin))
    alice.both("BEGIN")
    alice.both("SET LOCAL app.tenant = 'blue'")
    alice.agree(sql)
    assert rows(alice, sql) == expected["blue"]
    alice.both("ROLLBACK")
    alice.agree(sql)
    alice.both("SELECT set_config('app.tenant', 'blue', false)")
    alice.sees(lambda: admin.write("UPDATE rls.rented SET v = v || $1 WHERE tenant = 'blue'", "+"), sql)
    alice.both("RESET app.tenant")
    alice.agree(sql)
    bob.agree(sql)


def test_a_policy_reads_another_table(admin, alice, bob):
    """A sub-select in a policy: what it reads belongs to what the query reads."""
    sql = "SELECT id, v FROM rls.notes ORDER BY id"
    alice.warm(sql)
    bob.warm(sql)
    alice.stays(sql, unrelated(admin), lambda: run(admin, "UPDATE rls.docs SET v = v WHERE id = 3"))
    alice.sees(lambda: admin.write("INSERT INTO rls.members VALUES ($1, $2)", "an_alice", 2), sql)
    bob.agree(sql)
    alice.sees(lambda: admin.write("DELETE FROM rls.members WHERE who = $1 AND project = 2", "an_alice"), sql)
    alice.sees(lambda: admin.write("UPDATE rls.notes SET v = v || $1", "+"), sql)
    bob.agree(sql)


def test_a_policy_calls_a_function_of_its_owner(admin, alice, bob):
    """SECURITY DEFINER in a policy, with session_user in its body: true, whether cached or not."""
    sql = "SELECT v FROM rls.secrets ORDER BY v"
    for pair in (alice, bob, admin):
        pair.agree(sql)
    alice.sees(lambda: admin.write("INSERT INTO rls.members VALUES ($1, $2)", "an_alice", 2), sql, warm=False)
    alice.sees(lambda: admin.write("DELETE FROM rls.members WHERE who = $1 AND project = 2", "an_alice"), sql, warm=False)
    bob.agree(sql)
    admin.both("SET ROLE an_bob")
    admin.agree(sql)


@pytest.mark.versions
@pytest.mark.parametrize("sql", ["SELECT id, v FROM rls.all_docs ORDER BY id",
                                 "SELECT id, v FROM rls.own_docs ORDER BY id",
                                 "SELECT d.v, o.v FROM rls.all_docs d LEFT JOIN rls.own_docs o USING (id) ORDER BY d.id"])
def test_a_view_asks_for_its_owners_rights_or_its_readers(admin, alice, bob, sql):
    """The policies of the owner of a view, or with security_invoker those of who reads it."""
    for pair in (alice, bob, admin):
        pair.warm(sql)
    alice.sees(lambda: admin.write("UPDATE rls.docs SET v = v || $1 WHERE id = 1", "+"), sql)
    bob.agree(sql)
    admin.agree(sql)


def test_a_view_gives_what_its_table_does_not(admin, alice):
    """Rights to a view alone: cached, and gone with the right, or with the owner's."""
    sql = "SELECT v FROM rls.shown"
    for change, undo in (("REVOKE SELECT ON rls.shown FROM an_alice", "GRANT SELECT ON rls.shown TO an_alice"),
                         ("ALTER VIEW rls.shown OWNER TO an_bob", "ALTER VIEW rls.shown OWNER TO postgres"),
                         ("ALTER VIEW rls.shown SET (security_invoker = true)",
                          "ALTER VIEW rls.shown RESET (security_invoker)"),
                         ("REVOKE USAGE ON SCHEMA rls FROM PUBLIC", "GRANT USAGE ON SCHEMA rls TO PUBLIC")):
        if harness.needs(change) > harness.PG_VERSION:
            continue
        alice.sees(lambda: admin.write(change), sql)
        admin.write(undo)
        alice.warm(sql)
        alice.agree("SELECT v FROM rls.hidden_base")


def test_policies_of_a_partitioned_table_do_not_count_for_its_partitions(admin, alice):
    """Rows are filtered by the policies of the table that is named."""
    parent, leaf = "SELECT id, v FROM rls.shelf ORDER BY id", "SELECT id, v FROM rls.shelf_2"
    for sql in (parent, leaf):
        alice.warm(sql)
        admin.warm(sql)
    alice.sees(lambda: admin.write("UPDATE rls.shelf SET v = v || $1", "+"), parent, leaf)
    alice.sees(lambda: admin.write("ALTER TABLE rls.shelf_2 ENABLE ROW LEVEL SECURITY"), leaf)
    admin.write("ALTER TABLE rls.shelf_2 DISABLE ROW LEVEL SECURITY")
    alice.agree(leaf)


@pytest.mark.parametrize("change, undo, sql", [
    ("ALTER POLICY own ON rls.docs USING (owner <> current_user)",
     "ALTER POLICY own ON rls.docs USING (owner = current_user)", DOCS),
    ("CREATE POLICY more ON rls.docs FOR SELECT USING (id = 3)", "DROP POLICY more ON rls.docs", DOCS),
    ("CREATE POLICY less ON rls.docs AS RESTRICTIVE USING (id = 2)", "DROP POLICY less ON rls.docs", DOCS),
    ("ALTER TABLE rls.docs DISABLE ROW LEVEL SECURITY", "ALTER TABLE rls.docs ENABLE ROW LEVEL SECURITY", DOCS),
    ("REVOKE SELECT ON rls.docs FROM an_alice", "GRANT SELECT ON rls.docs TO an_alice", DOCS),
    ("REVOKE SELECT ON rls.members FROM an_alice", "GRANT SELECT ON rls.members TO an_alice",
     "SELECT v FROM rls.notes ORDER BY id"),
    ("ALTER ROLE an_alice BYPASSRLS", "ALTER ROLE an_alice NOBYPASSRLS", DOCS),
    ("ALTER ROLE an_alice SUPERUSER", "ALTER ROLE an_alice NOSUPERUSER", DOCS),
    ("GRANT an_group TO an_alice", "REVOKE an_group FROM an_alice", "SELECT v FROM rls.for_group"),
    ("ALTER POLICY grp ON rls.for_group TO PUBLIC", "ALTER POLICY grp ON rls.for_group TO an_group",
     "SELECT v FROM rls.for_group"),
    ("ALTER TABLE rls.docs OWNER TO an_alice",
     ["ALTER TABLE rls.docs OWNER TO postgres", "GRANT SELECT, UPDATE ON rls.docs TO an_alice"], DOCS),
], ids=lambda value: value if value[:5] in ("ALTER", "CREAT", "REVOK", "GRANT") else "")
def test_a_change_of_rights_counts_with_the_next_query(admin, alice, change, undo, sql):
    """Warm entries under a policy end with any change of it, of the grants, and of the role; a rolled-back change ends none."""
    alice.warm(sql)
    before = alice.expected(sql)
    admin.write("BEGIN")
    admin.write(change)
    admin.write("ROLLBACK")
    alice.agree(sql)
    try:
        alice.sees(lambda: admin.write(change), sql)
    finally:
        run(admin, undo)
    alice.agree(sql)
    assert alice.expected(sql) == before
    alice.warm(sql)


@pytest.mark.parametrize("change, undo", [
    (["SET ROLE an_alice"], ["RESET ROLE"]),
    (["SET SESSION AUTHORIZATION an_alice"], ["RESET SESSION AUTHORIZATION"]),
    (["BEGIN", "SET ROLE an_alice"], ["ROLLBACK"]), (["BEGIN", "SET LOCAL ROLE an_alice"], ["COMMIT"]),
    (["BEGIN", "SAVEPOINT s", "SET SESSION AUTHORIZATION an_alice"], ["ROLLBACK TO s", "COMMIT"])],
    ids=lambda statements: " ".join(statements))
def test_a_role_that_is_put_on_and_off(admin, alice, change, undo):
    """SET ROLE and SET SESSION AUTHORIZATION read the entries of that role, and their rollback those of the one before."""
    alice.warm(DOCS)
    admin.warm(DOCS)
    for statement in change:
        admin.both(statement)
    assert rows(admin, DOCS) == rows(alice, DOCS)
    admin.agree(DOCS)
    for statement in undo:
        admin.both(statement)
    assert rows(admin, DOCS) != rows(alice, DOCS)
    admin.agree(DOCS)
    admin.warm(DOCS)


# --- refusals --------------------------------------------------------------------------------------------------------

REFUSED_SCRIPT = """
CREATE SCHEMA refused; SET search_path = refused, public;
CREATE TABLE r (id int PRIMARY KEY, v text, at timestamptz, ts timestamp, d date, t time, tz timetz);
INSERT INTO r VALUES (1, 'a', now(), now(), now(), now(), now());
CREATE TABLE plain (id int PRIMARY KEY, v text, at timestamptz, ts timestamp, d date, t time);
INSERT INTO plain VALUES (1, 'a', now(), now(), now(), now());
CREATE SEQUENCE seq; CREATE TABLE counted (id serial); INSERT INTO counted DEFAULT VALUES;
CREATE UNLOGGED TABLE unlogged (v int); INSERT INTO unlogged VALUES (1);
CREATE VIEW clock AS SELECT now() AS n, id FROM r; CREATE VIEW me AS SELECT current_user AS who, id FROM r;
CREATE VIEW of_unlogged AS SELECT v FROM unlogged;
CREATE VIEW of_catalog AS SELECT relname FROM pg_class; CREATE VIEW of_sequence AS SELECT last_value FROM seq;
CREATE FUNCTION clock_in_sql() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT now()';
CREATE FUNCTION clock_in_plpgsql() RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN clock_timestamp()::text;
  END $$;
CREATE FUNCTION string_in_sql() RETURNS date STABLE LANGUAGE sql AS $$ SELECT 'today'::date $$;
CREATE FUNCTION string_in_plpgsql() RETURNS date STABLE LANGUAGE plpgsql AS $$ DECLARE x date := 'today';
  BEGIN RETURN x; END $$;
CREATE FUNCTION reads_dynamically(text) RETURNS bigint STABLE LANGUAGE plpgsql AS $$ DECLARE n bigint;
  BEGIN EXECUTE 'SELECT count(*) FROM ' || $1 INTO n; RETURN n; END $$;
CREATE FUNCTION unsure() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION id_of(int) RETURNS int STABLE LANGUAGE
  internal AS 'int4up';
CREATE TABLE bumped (n int); INSERT INTO bumped VALUES (0);
CREATE FUNCTION bump() RETURNS int LANGUAGE sql AS 'UPDATE refused.bumped SET n = n + 1 RETURNING n';
CREATE TABLE moments (id int PRIMARY KEY, at timestamptz, ts timestamp); INSERT INTO moments VALUES (1, now(), now());
CREATE VIEW a_time AS SELECT '12:00'::time AS v FROM moments;
CREATE VIEW of_paris AS SELECT t AT TIME ZONE 'Europe/Paris' AS z FROM plain;
CREATE FUNCTION noon() RETURNS time IMMUTABLE LANGUAGE sql AS 'SELECT make_time(12, 0, 0)';
CREATE FUNCTION zoned(timetz) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1::text';
CREATE FUNCTION in_paris(time) RETURNS text STABLE LANGUAGE sql AS $$ SELECT ($1 AT TIME ZONE 'Europe/Paris')::text $$;
CREATE DOMAIN moment AS timestamptz;
CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE outside (line text) SERVER files OPTIONS (filename 'PG_VERSION');
CREATE VIEW of_outside AS SELECT line FROM outside;
CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE FOREIGN TABLE parted_1 PARTITION OF parted FOR VALUES IN
  (18) SERVER files OPTIONS (filename 'PG_VERSION');
CREATE EXTENSION postgres_fdw; CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid');
CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"; CREATE EXTENSION tablefunc; CREATE EXTENSION dblink;
CREATE EXTENSION tsm_system_rows;
SELECT lo_from_bytea(4711, 'large');
"""

REFUSED = {
    "clock": [
        "SELECT now(), id FROM r", "SELECT id FROM r WHERE at < now()", "SELECT current_date, id FROM r",
        "SELECT current_time, localtimestamp FROM r", "SELECT timeofday(), id FROM r",
        "SELECT transaction_timestamp() FROM r", "SELECT statement_timestamp() FROM r",
        "SELECT pg_sleep(0), id FROM r", "SELECT id, n FROM clock",
        "SELECT count(*) FROM clock WHERE n > '2000-01-01'", "SELECT clock_in_sql() FROM r",
        "SELECT clock_in_plpgsql() FROM r", "SELECT string_in_sql(), id FROM r",
        "SELECT string_in_plpgsql(), id FROM r",
        # a time becomes a timetz by today's offset of the zone
        "SELECT t AT TIME ZONE 'Europe/Paris' FROM plain", "SELECT timezone('Europe/Paris', t), id FROM plain",
        "SELECT t AT TIME ZONE interval '1 hour' FROM plain", "SELECT time '12:00' AT TIME ZONE 'Europe/Paris', id FROM r",
        "SELECT make_time(12, 0, 0) AT TIME ZONE 'Europe/Paris'", "SELECT \"time\"(at) AT TIME ZONE 'UTC' FROM moments",
        "SELECT at::time AT TIME ZONE 'UTC' FROM moments", "SELECT s.v AT TIME ZONE 'UTC' FROM (SELECT t + '1 hour' AS v FROM plain) s",
        "SELECT v AT TIME ZONE 'UTC' FROM a_time", "SELECT noon() AT TIME ZONE 'UTC'", "SELECT zoned('12:00')", "SELECT zoned(t) FROM plain",
        "SELECT in_paris(t) FROM plain", "SELECT z FROM of_paris"],
    "clock_strings": [
        "SELECT id FROM r WHERE at < 'now'", "SELECT id FROM r WHERE ts < ' NOW '",
        "SELECT id FROM r WHERE d <= 'today'", "SELECT id FROM r WHERE d = 'tomorrow'",
        "SELECT id FROM r WHERE d > 'yesterday'", "SELECT timestamp 'now', id FROM r",
        "SELECT 'now'::timestamptz, id FROM r", "SELECT CAST('today' AS date), id FROM r",
        "SELECT date('today'), id FROM r", "SELECT time 'now', id FROM r",
        "SELECT 'today 12:00'::timestamp, id FROM r", "SELECT id FROM r WHERE d IN ('2000-01-01', 'today')",
        "SELECT id FROM r WHERE d = ANY('{today}')", "SELECT id FROM r WHERE d BETWEEN 'yesterday' AND 'tomorrow'",
        "SELECT date_trunc('day', timestamp 'now'), id FROM r", "SELECT '[today,tomorrow)'::daterange, id FROM r",
        "SELECT id FROM r WHERE at < ('no' || 'w')::timestamptz", "SELECT 'now'::moment, id FROM r",
        "SELECT id FROM r WHERE ROW(id, d) = ROW(1, 'today')", "SELECT COALESCE(d, 'today') FROM r",
        "SELECT CASE WHEN id = 1 THEN 'today' ELSE d END FROM r", "SELECT d FROM r UNION SELECT 'today'",
        "SELECT to_date('today', 'YYYY'), id FROM r WHERE d <> 'today'", r"SELECT id FROM r WHERE d = E'\x74oday'",
        r"SELECT id FROM r WHERE d = U&'\0074oday'", "SELECT id FROM r WHERE d = $$today$$",
        "SELECT id FROM r WHERE age('now', at) > '1s'", "SELECT make_interval(secs => 1) + 'now'::timestamptz FROM r",
        "SELECT v::date FROM (VALUES ('today')) x(v)", "SELECT id FROM r WHERE tz = 'now'",
        "SELECT jsonb_populate_record(NULL::r, '{\"d\": \"today\"}') FROM r",
        "SELECT d FROM json_to_record('{\"d\": \"today\"}') AS x(d date)",
        "SELECT d FROM jsonb_to_recordset('[{\"d\": \"now\"}]') AS x(d timestamptz)"],
    "identity": [
        "SELECT current_user FROM r", "SELECT session_user, id FROM r", "SELECT current_role FROM r",
        "SELECT user FROM r", "SELECT current_catalog FROM r", "SELECT current_schema FROM r",
        "SELECT current_schemas(false) FROM r", "SELECT current_database() FROM r",
        "SELECT id FROM r WHERE v <> current_user", "SELECT who, id FROM me", "SELECT pg_backend_pid() FROM r",
        "SELECT inet_client_port() FROM r", "SELECT current_setting('application_name') FROM r",
        "SELECT version() FROM r", "SELECT pg_my_temp_schema() FROM r", "SELECT current_query() FROM r"],
    "sequences": [
        "SELECT nextval('seq')", "SELECT nextval('seq') FROM r", "SELECT currval('counted_id_seq') FROM r",
        "SELECT lastval()", "SELECT last_value FROM seq", "SELECT last_value FROM of_sequence",
        "SELECT setval('seq', 5)", "SELECT pg_sequence_last_value('seq'::regclass) FROM r"],
    "locks": [
        "SELECT pg_try_advisory_lock(1)", "SELECT pg_advisory_xact_lock(1) FROM r", "SELECT pg_advisory_unlock_all()",
        "SELECT pg_try_advisory_xact_lock_shared(1, 2) FROM r", "SELECT id FROM r FOR UPDATE",
        "SELECT id FROM r FOR NO KEY UPDATE", "SELECT id FROM r FOR SHARE",
        "SELECT id FROM r FOR KEY SHARE SKIP LOCKED", "SELECT id FROM (SELECT id FROM r FOR UPDATE) x",
        "WITH w AS (SELECT id FROM r FOR SHARE) SELECT id FROM w",
        "SELECT id FROM r WHERE id IN (SELECT id FROM r FOR UPDATE NOWAIT)"],
    "catalogs": [
        "SELECT relname FROM pg_class LIMIT 1", "SELECT relname FROM pg_catalog.pg_class LIMIT 1",
        "SELECT table_name FROM information_schema.tables LIMIT 1", "SELECT name FROM pg_settings LIMIT 1",
        "SELECT usename FROM pg_user LIMIT 1", "SELECT relname FROM of_catalog LIMIT 1",
        "SELECT id FROM r WHERE EXISTS (SELECT FROM pg_roles)", "SELECT 'r'::regclass, id FROM r",
        "SELECT tableoid::regclass FROM r", "SELECT to_regclass('r'), id FROM r",
        "SELECT has_table_privilege('r', 'SELECT') FROM r", "SELECT pg_get_viewdef('clock'::regclass), id FROM r",
        "SELECT pg_table_size('r'), id FROM r", "SELECT obj_description(1, 'pg_class') FROM r",
        "SELECT format_type(23, NULL), id FROM r", "SELECT pg_get_userbyid(10), id FROM r",
        "SELECT col_description('r'::regclass, 1) FROM r", "SELECT count(*) FROM pg_stat_activity",
        "SELECT xmin, id FROM r", "SELECT ctid FROM r"],
    "outside": [
        "SELECT line FROM outside", "SELECT line FROM of_outside", "SELECT id FROM r, outside",
        "SELECT id FROM parted", "SELECT lo_get(4711) FROM r", "SELECT lo_get(4711, 1, 2)",
        "SELECT pg_read_file('PG_VERSION')", "SELECT pg_read_binary_file('PG_VERSION') FROM r",
        "SELECT pg_ls_dir('.') LIMIT 1", "SELECT pg_stat_file('PG_VERSION'), id FROM r",
        "SELECT loread(lo_open(4711, 262144), 2)", "SELECT query_to_xml('SELECT 1', true, true, '') FROM r",
        "SELECT table_to_xml('r', true, true, '')", "SELECT database_to_xml(true, true, '')",
        "SELECT * FROM ts_stat('SELECT to_tsvector(v) FROM refused.r')"],
    "chance": [
        "SELECT random(), id FROM r", "SELECT id FROM r TABLESAMPLE SYSTEM (100)",
        "SELECT id FROM r TABLESAMPLE BERNOULLI (100) REPEATABLE (1)", "SELECT id FROM r TABLESAMPLE system_rows(1)",
        "SELECT gen_random_uuid(), id FROM r", "SELECT uuid_generate_v4(), id FROM r",
        "SELECT gen_random_bytes(4), id FROM r", "SELECT gen_salt('bf') FROM r",
        "SELECT n FROM normal_rand(1, 0, 1) n", "SELECT setseed(0.5), id FROM r", "SELECT unsure(), id FROM r",
        "SELECT id FROM r WHERE unsure() = 1", "SELECT reads_dynamically('r') FROM r",
        "SELECT txid_current(), id FROM r", "SELECT pg_current_xact_id(), id FROM r",
        "SELECT pg_current_wal_lsn(), id FROM r", "SELECT pg_current_snapshot(), id FROM r"],
    "unlogged": ["SELECT v FROM unlogged", "SELECT v FROM of_unlogged",
                 "SELECT id FROM r WHERE EXISTS (SELECT FROM unlogged)"],
    "writes": ["INSERT INTO counted DEFAULT VALUES RETURNING 1",
               "WITH w AS (UPDATE r SET v = v RETURNING id) SELECT id FROM w", "SELECT 1; SELECT 2",
               "EXPLAIN SELECT id FROM r", "SHOW TimeZone", "COPY r TO STDOUT"],
}
STABLE_IN_KEY = [  # beside what is refused: what looks like it and is not
    "SELECT id FROM plain WHERE d < '2000-01-01'", "SELECT age(at, at - interval '1 day') FROM plain",
    "SELECT id AS now FROM plain", 'SELECT id AS "current_user" FROM plain',
    "SELECT at AT TIME ZONE 'Europe/Paris', timezone('UTC', ts) FROM moments", "SELECT t, t + interval '1 hour' FROM plain",
    "SELECT date_trunc('hour', ts), id FROM plain", "SELECT timestamp '2000-01-01' + interval '1 day', id FROM plain",
]


@pytest.fixture
def in_refused(start):
    return start(options=r"-c search_path=refused,public")


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_never_a_hit(in_refused, reads_by, kind):
    """Each of what is refused for good, asked three times."""
    for sql in REFUSED[kind]:
        for _ in range(3):
            answer = in_refused.pgmemo.watch(lambda: in_refused.through.ask(in_refused.question(reads_by, sql, ())))
            assert not answer.is_hit, sql
        may_fail = "lastval" in sql or "currval" in sql or (reads_by == "extended" and ";" in sql)
        assert may_fail or all(one.kind != "E" for one in answer.rows), f"{sql}: {answer.rows}"


@pytest.mark.parametrize("sql", STABLE_IN_KEY)
def test_what_only_looks_like_it_is_cached(in_refused, sql):
    """The words of the clock where they are words, dates where they are dates."""
    in_refused.warm(sql)


@pytest.mark.parametrize("sql, values", [
    ("SELECT id FROM r WHERE at < $1", ["now"]), ("SELECT id FROM r WHERE d = $1::date", ["today"]),
    ("SELECT id FROM r WHERE $1::timestamp < now()", ["2000-01-01"]),
    ("SELECT id FROM r WHERE d = ANY($1)", ["{today,2000-01-01}"]),
    ("SELECT $1::text::date, id FROM r", ["tomorrow"]), ("SELECT $1::daterange, id FROM r", ["[today,]"]),
    ("SELECT id FROM r WHERE d = $1", [" ToDaY "]),
    ("SELECT to_date($1, 'YYYY'), $2::date FROM r", ["2000", "yesterday"])])
def test_a_clock_in_a_parameter_is_never_a_hit(in_refused, sql, values):
    """The strings that mean the time of day, as values of parameters."""
    for _ in range(3):
        answer = in_refused.pgmemo.watch(lambda: in_refused.through.ask(wire.extended(sql, values)))
        assert not answer.is_hit
        assert all(one.kind != "E" for one in answer.rows), answer.rows


def test_temporary_tables_and_what_they_hide(in_refused, start):
    """Never a hit where a name may mean a table of the session's own; others go on reading the one that it hides."""
    other = start(options=r"-c search_path=refused,public")
    other.warm("SELECT v FROM plain")
    in_refused.both("CREATE TEMP TABLE own (v int)")
    in_refused.both("CREATE TEMP TABLE plain AS SELECT 'hides' AS v")
    for sql in ("SELECT v FROM plain", "SELECT v FROM own", "SELECT v FROM pg_temp.plain",
                "SELECT plain.v FROM refused.plain q, plain"):
        for _ in range(3):
            answer = in_refused.pgmemo.watch(lambda: in_refused.through.query(sql))
            assert not answer.is_hit, sql
            assert [one.kind for one in answer.rows][0] == "T"
    assert in_refused.through.run("SELECT v FROM plain") == [("hides",)]
    other.agree("SELECT v FROM plain")
    other.warm("SELECT v FROM plain")


@pytest.mark.parametrize("setting, value, sql", [
    ("standard_conforming_strings", "off", r"SELECT id FROM r WHERE v = 'a\\'".encode()),
    ("client_encoding", "SJIS", "SELECT id FROM r WHERE v <> 'ソ'".encode("shift_jis")),
    ("client_encoding", "BIG5", "SELECT id FROM r WHERE v <> '功'".encode("big5")),
    ("client_encoding", "GBK", "SELECT id FROM r WHERE v <> '乗'".encode("gbk")),
    ("client_encoding", "GB18030", "SELECT id FROM r WHERE v <> '乗'".encode("gb18030")),
    ("client_encoding", "UHC", "SELECT id FROM r WHERE v <> '갂'".encode("cp949")),
    ("client_encoding", "SHIFT_JIS_2004", "SELECT id FROM r WHERE v <> 'ソ'".encode("shift_jis_2004"))],
    ids=lambda value: value if isinstance(value, str) else "")
def test_a_text_that_may_mean_something_else_is_never_a_hit(in_refused, setting, value, sql):
    """Where a byte of a character can be a backslash or a quote, or a backslash an escape."""
    in_refused.both("SET escape_string_warning = off")
    in_refused.both(f"SET {setting} = '{value}'")
    if setting == "client_encoding":
        assert sql.split(b"'")[1][1] < 0x80, "the second byte looks like ASCII"
    for _ in range(3):
        answer = in_refused.pgmemo.watch(lambda: in_refused.both_bytes(wire.query(sql)))
        assert not answer.is_hit
        assert wire.kinds(answer.rows)[0] == "T"


@pytest.mark.parametrize("setting, value, sql", [
    ("standard_conforming_strings", "off", r"SELECT 'x\'', refused.bump() --'".encode()),
    ("client_encoding", "SJIS", "SELECT E'ソ', refused.bump() --'".encode("shift_jis")),
    ("client_encoding", "BIG5", "SELECT E'功', refused.bump() --'".encode("big5")),
    ("client_encoding", "GBK", "SELECT E'乗', refused.bump() --'".encode("gbk")),
    ("client_encoding", "GB18030", "SELECT E'乗', refused.bump() --'".encode("gb18030")),
    ("client_encoding", "SHIFT_JIS_2004", "SELECT E'ソ', refused.bump() --'".encode("shift_jis_2004"))],
    ids=lambda value: value if isinstance(value, str) else "")
def test_a_write_hidden_in_a_text_that_may_be_misread_is_seen(in_refused, start, setting, value, sql):
    """Read as ASCII with the strings of today, each is one constant and nothing is called."""
    writer = start()
    writer.both("SET escape_string_warning = off")
    writer.both(f"SET {setting} = '{value}'")
    parse = wire.message("P", b"\0" + sql + b"\0\0\0") + wire.bind("", "") + wire.execute() + wire.SYNC
    data = parse if writer.writes_by == "extended" else wire.query(sql)

    def write():
        got = writer.through.ask(data)
        assert [one.body[:2] for one in got if one.kind == "D"] == [b"\0\2"], got

    in_refused.sees(write, "SELECT n FROM refused.bumped")


# --- functions that the configuration vouches for --------------------------------------------------------------------

VOUCHED_SCRIPT = T + U + LOG + """
CREATE FUNCTION total_of(name text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE r bigint; BEGIN
  EXECUTE format('SELECT sum(n) FROM %I', name) INTO r; RETURN r; END $$;
CREATE FUNCTION same_total_of(name text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN total_of(name); END $$;
CREATE FUNCTION raise_in(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('UPDATE %I SET n = n + 1', name); END $$;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM raise_in('u'); RETURN NULL; END $$;
CREATE TRIGGER fires AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fires();
CREATE FUNCTION unheard_of(name text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('UPDATE %I SET n = n + 1', name); RETURN 1; END $$;
"""


@pytest.fixture(scope="module")
def vouching(postgres):
    house = House(postgres, VOUCHED_SCRIPT, config={"functions": [
        {"name": "public.total_of", "reads": ["public.t"]}, {"name": "raise_i?", "writes": ["public.u"]}]})
    yield house
    house.close()


def test_a_function_reads_and_writes_what_the_configuration_says(vouching, reads_by, writes_by):
    """What cannot be seen into is as good as what can; where nothing is said of it, it is never a hit and moves everything."""
    reader, writer = vouching.pair(reads_by=reads_by), vouching.pair(writes_by=writes_by)
    try:
        reads = ["SELECT total_of('t')", "SELECT same_total_of('t'), id FROM log RIGHT JOIN t ON false ORDER BY id"]
        for sql in reads:
            reader.sees(lambda: writer.write(*UPDATE_T), sql)
        for sql in ("SELECT sum(n) FROM u", "SELECT * FROM u ORDER BY id"):
            reader.sees(lambda: writer.write("SELECT raise_in($1)", "u"), sql)
            reader.sees(lambda: writer.write(*INSERT_T), sql)
        reader.stays(reads[0], lambda: writer.write("SELECT raise_in($1)", "u"), lambda: writer.write("INSERT INTO log VALUES ('x', 1)"))
        reader.stays("SELECT * FROM log ORDER BY n", lambda: writer.write("SELECT raise_in($1)", "u"), lambda: writer.write(*INSERT_T))
        for sql in ("SELECT * FROM log, u", "SELECT total_of('t')"):
            reader.warm(sql)
            writer.write("SELECT unheard_of($1)", "t")
            assert not reader.read(sql).is_hit
    finally:
        vouching.close_pairs()


# --- keys ------------------------------------------------------------------------------------------------------------

KEYS_SCRIPT = """
CREATE SCHEMA keys; SET search_path = keys, public;
CREATE TABLE k (id int PRIMARY KEY, code text UNIQUE, n int NOT NULL DEFAULT 0, owner text);
INSERT INTO k SELECT i, 'c' || i, i * 10, 'o' || i % 3 FROM generate_series(1, 9) i;
CREATE VIEW k_view AS SELECT id, n, code FROM k; CREATE VIEW k_deep AS SELECT id AS key, n FROM k_view;
CREATE TABLE o (k_id int PRIMARY KEY, total int); INSERT INTO o SELECT i, i * 100 FROM generate_series(1, 9) i;
CREATE VIEW k_joined AS SELECT k.id, k.n, o.total FROM k JOIN o ON o.k_id = k.id;
CREATE TABLE ku (id uuid PRIMARY KEY, n int); INSERT INTO ku SELECT ('00000000-0000-0000-0000-00000000000' || i)::uuid,
  i FROM generate_series(1, 9) i;
CREATE TABLE kt (id text PRIMARY KEY, n int); INSERT INTO kt SELECT 'key ' || i, i FROM generate_series(1, 9) i;
INSERT INTO kt VALUES ('é', 1), ('ü', 2), ('日本', 3), ('', 4), ('Key 1', 5);
CREATE TABLE kb (id bigint PRIMARY KEY, n int); INSERT INTO kb SELECT i * 10000000000, i FROM generate_series(1, 9) i;
CREATE TABLE kc (a int, b int, n int, PRIMARY KEY (a, b)); INSERT INTO kc SELECT i, i + 1, i FROM generate_series(1, 9)
  i;
CREATE TABLE unused (id int PRIMARY KEY, n int); INSERT INTO unused SELECT i, i FROM generate_series(1, 9) i;
-- what widens a write
CREATE TABLE shifted (id int PRIMARY KEY, n int); INSERT INTO shifted SELECT i, i FROM generate_series(1, 9) i;
CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 1000; RETURN NEW; END $$;
CREATE TRIGGER shift BEFORE INSERT OR UPDATE ON shifted FOR EACH ROW EXECUTE FUNCTION shift();
CREATE TABLE swapped (id int PRIMARY KEY, n int); INSERT INTO swapped SELECT i, i FROM generate_series(1, 9) i;
CREATE FUNCTION swap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW := ROW(OLD.id + 1000, NEW.n)::keys.swapped;
  RETURN NEW; END $$;
CREATE TRIGGER swap BEFORE UPDATE ON swapped FOR EACH ROW EXECUTE FUNCTION swap();
CREATE TABLE spread (id int PRIMARY KEY, n int); INSERT INTO spread SELECT i, 0 FROM generate_series(1, 9) i;
CREATE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() = 1 THEN UPDATE keys.spread
  SET n = NEW.n WHERE id = NEW.id + 1; END IF; RETURN NULL; END $$;
CREATE TRIGGER spread AFTER UPDATE ON spread FOR EACH ROW EXECUTE FUNCTION spread();
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT i FROM generate_series(1, 9) i;
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, n int);
INSERT INTO child SELECT i + 100, i, i FROM generate_series(1, 9) i;
CREATE TABLE serial_key (id serial PRIMARY KEY, n int); INSERT INTO serial_key (n) SELECT i FROM generate_series(1, 3)
  i;
CREATE TABLE identity_key (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, n int);
INSERT INTO identity_key (n) SELECT i FROM generate_series(1, 3) i;
CREATE TABLE default_key (id int PRIMARY KEY DEFAULT 5, n int);
CREATE TABLE generated_key (a int, id int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY, n int);
INSERT INTO generated_key (a, n) VALUES (1, 1), (2, 2);
CREATE TABLE ruled (id int PRIMARY KEY, n int); INSERT INTO ruled SELECT i, i FROM generate_series(1, 9) i;
CREATE RULE other AS ON UPDATE TO ruled DO INSTEAD UPDATE keys.unused SET n = NEW.n WHERE id = OLD.id + 1;
CREATE TABLE parted (id int PRIMARY KEY, n int) PARTITION BY HASH (id);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT i, i FROM generate_series(1, 9) i;
CREATE TABLE old (id int PRIMARY KEY, n int); CREATE TABLE young (PRIMARY KEY (id)) INHERITS (old);
INSERT INTO old VALUES (1, 1), (2, 2); INSERT INTO young VALUES (1, 10), (3, 30);
CREATE FUNCTION next_of(i int) RETURNS int STABLE LANGUAGE sql AS 'SELECT n FROM k WHERE id = i + 1';
CREATE FUNCTION raise_of(i int) RETURNS void LANGUAGE sql AS 'UPDATE k SET n = n + 1 WHERE id = i';
"""

ONE, TWO, THREE = ("SELECT n FROM k WHERE id = 1", "SELECT n FROM k WHERE id = 2", "SELECT n FROM k WHERE id = 3")
NEW = object()  # a key that nobody has used
_new_keys = itertools.count(1000)  # of four digits


@dataclass
class Write:
    """`write` (after `before`) touches what `moves` read, and none of what `keeps` read, as far as keys tell. `{new}` in a
    text, and NEW among values, is a fresh key."""
    name: str
    write: object
    moves: list
    keeps: list = field(default_factory=lambda: [TWO])
    before: list = field(default_factory=list)


CONFINED = [
    Write("update", ("UPDATE k SET n = n + $1 WHERE id = $2", 1, 1),
          [ONE, "SELECT n FROM k WHERE code = 'c1'", "SELECT sum(n) FROM k", "SELECT n FROM k_view WHERE id = 1"],
          [TWO, "SELECT n FROM k WHERE id = '2'", "SELECT code, n FROM k WHERE 2 = id AND n > 0 ORDER BY n LIMIT 1",
           "SELECT count(*), max(n) FROM k WHERE id = 2", "SELECT n FROM k AS x WHERE x.id = 2",
           "SELECT n FROM k_view WHERE id = 2", "SELECT n FROM k_deep WHERE key = 2",
           "SELECT n FROM (SELECT id, n FROM k) s WHERE id = 2",
           "WITH w AS (SELECT n FROM k WHERE id = 2) SELECT n FROM w", "SELECT n FROM k WHERE id IN (2, 4)",
           "SELECT n FROM k WHERE id = ANY('{2,4}')", "SELECT n FROM k WHERE id = ANY(ARRAY[2, 4])",
           "SELECT EXISTS (SELECT FROM k WHERE id = 2)",
           "SELECT n FROM k WHERE id = 2 UNION ALL SELECT n FROM k WHERE id = 4",
           "SELECT k.n, o.total FROM k JOIN o ON o.k_id = k.id WHERE k.id = 2",
           "SELECT n, total FROM k, o WHERE id = 2 AND k_id = 2", "SELECT total FROM o WHERE k_id = 1",
           "SELECT n FROM k WHERE id = 77"]),
    Write("update_of_a_joined_table", ("UPDATE o SET total = total + $1 WHERE k_id = $2", 1, 1),
          ["SELECT k.n, o.total FROM k JOIN o ON o.k_id = k.id WHERE k.id = 1",
           "SELECT total FROM k_joined WHERE id = 1"],
          ["SELECT k.n, o.total FROM k JOIN o ON o.k_id = k.id WHERE k.id = 2",
           "SELECT k.n, o.total FROM o JOIN k ON k.id = o.k_id AND k.id = 2", ONE]),
    Write("update_in", ("UPDATE k SET n = n + 1 WHERE id IN ($1, $2)", 1, 3), [ONE, THREE]),
    Write("update_any_of_an_array", ("UPDATE k SET n = n + 1 WHERE id = ANY($1)", "{1,3}"), [ONE, THREE]),
    Write("update_any_of_a_constructed_array", "UPDATE k SET n = n + 1 WHERE id = ANY(ARRAY[1, 3])", [ONE, THREE]),
    Write("update_in_of_one", "UPDATE k SET n = n + 1 WHERE id IN (1)", [ONE]),
    Write("update_turned_round", ("UPDATE keys.k AS x SET n = x.n + 1 WHERE $1 = x.id AND x.n > 0", 1), [ONE]),
    Write("update_returning", ("UPDATE k SET n = n + 1 WHERE id = $1 RETURNING id, n", 1), [ONE]),
    Write("update_with_from", ("UPDATE k SET n = n + o.total FROM o WHERE k.id = $1 AND o.k_id = k.id", 1), [ONE]),
    Write("update_in_a_cte", ("WITH w AS (UPDATE k SET n = n + 1 WHERE id = $1 RETURNING n) SELECT n FROM w", 1),
          [ONE]),
    Write("update_in_a_transaction", ["BEGIN", ("UPDATE k SET n = n + 1 WHERE id = $1", 1),
                                      ("UPDATE k SET n = n + 1 WHERE id = $1", 3), "COMMIT"], [ONE, THREE], []),
    Write("update_of_another_unique_column", ("UPDATE k SET n = n + 1 WHERE code = $1", "c1"),
          ["SELECT n FROM k WHERE code = 'c1'", ONE],
          ["SELECT n FROM k WHERE code = 'c2'", "SELECT n FROM k WHERE code IN ('c2', 'c3')"]),
    Write("update_of_the_key", [("UPDATE k SET id = $2 WHERE id = $1", 1, NEW),
           ("UPDATE k SET n = n + 1, id = 1 WHERE id = $1", NEW)], [ONE]),
    Write("delete", ("DELETE FROM k WHERE id = $1", NEW), ["SELECT n FROM k WHERE id = {new}"],
          before=[("INSERT INTO k VALUES ($1, 'x{new}', 5)", NEW)]),
    Write("delete_using", ("DELETE FROM k USING o WHERE k.id = $1 AND o.k_id = 1", NEW),
          ["SELECT n FROM k WHERE id = {new}"], before=[("INSERT INTO k VALUES ($1, 'x{new}', 5)", NEW)]),
    Write("insert", ("INSERT INTO k VALUES ($1, 'x{new}', $2)", NEW, 5),
          ["SELECT n FROM k WHERE id = {new}", "SELECT n FROM k WHERE code = 'x{new}'"],
          [TWO, "SELECT n FROM k WHERE code = 'c2'"]),
    Write("insert_of_named_columns", ("INSERT INTO k (n, code, id) VALUES ($1, $2, $3)", 5, "x{new}", NEW),
          ["SELECT n FROM k WHERE id = {new}", "SELECT n FROM k WHERE code = 'x{new}'"],
          [TWO, "SELECT n FROM k WHERE code = 'c2'"]),
    Write("insert_of_several", "INSERT INTO k (id, code) VALUES ({new}, 'x{new}'), ({new} + 100000, NULL)",
          ["SELECT n FROM k WHERE id = {new}"], []),
    Write("insert_of_several_constants", "INSERT INTO o VALUES ({new}, 1), (1{new}, 2)",
          ["SELECT total FROM o WHERE k_id = {new}", "SELECT total FROM o WHERE k_id = 1{new}"],
          ["SELECT total FROM o WHERE k_id = 2"]),
    Write("insert_on_conflict_update", ("INSERT INTO o VALUES ($1, $2) ON CONFLICT (k_id) DO UPDATE SET total = "
           "o.total + excluded.total", 1, 5), ["SELECT total FROM o WHERE k_id = 1"],
          ["SELECT total FROM o WHERE k_id = 2"]),
    Write("insert_on_conflict_nothing", ("INSERT INTO o VALUES ($1, $2) ON CONFLICT DO NOTHING", NEW, 5),
          ["SELECT total FROM o WHERE k_id = {new}"], ["SELECT total FROM o WHERE k_id = 2"]),
    Write("insert_returning", ("INSERT INTO o VALUES ($1, $2) RETURNING k_id", NEW, 5),
          ["SELECT total FROM o WHERE k_id = {new}"], ["SELECT total FROM o WHERE k_id = 2"]),
    Write("uuid", ("UPDATE ku SET n = n + 1 WHERE id = $1", "00000000-0000-0000-0000-000000000001"),
          ["SELECT n FROM ku WHERE id = '00000000-0000-0000-0000-000000000001'"],
          ["SELECT n FROM ku WHERE id = '00000000-0000-0000-0000-000000000002'"]),
    Write("text", ("UPDATE kt SET n = n + 1 WHERE id = $1", "key 1"), ["SELECT n FROM kt WHERE id = 'key 1'"],
          ["SELECT n FROM kt WHERE id = 'key 2'", "SELECT n FROM kt WHERE id = 'Key 1'",
           "SELECT n FROM kt WHERE id = ''"]),
    Write("bigint", ("UPDATE kb SET n = n + 1 WHERE id = $1", 10000000000), ["SELECT n FROM kb WHERE id = 10000000000"],
          ["SELECT n FROM kb WHERE id = 20000000000"]),
    Write("two_columns", ("UPDATE kc SET n = n + 1 WHERE a = $1 AND b = $2", 1, 2),
          ["SELECT n FROM kc WHERE a = 1 AND b = 2", "SELECT n FROM kc WHERE b = 2"],
          ["SELECT n FROM kc WHERE a = 3 AND b = 4"]),
    Write("prepared", ["EXECUTE pk(1)"], [ONE],
          before=["DEALLOCATE ALL", "PREPARE pk(int) AS UPDATE k SET n = n + 1 WHERE id = $1"], keeps=[]),
]


@pytest.fixture
def keyed(house, reads_by, writes_by):
    """A reader and a writer for all tests that leave them as they are."""
    reader, writer = (house.plain(which=which, options=r"-c search_path=keys,public") for which in (1, 2))
    reader.reads_by, writer.writes_by = reads_by, writes_by
    yield reader, writer
    writer.through.query("ROLLBACK")  # what a test that failed may have left open


@pytest.fixture
def keyed_anew(start):
    return start(options=r"-c search_path=keys,public"), start(options=r"-c search_path=keys,public")


def with_new(write, new):
    if write is NEW:
        return new
    if isinstance(write, str):
        return write.replace("{new}", str(new))
    return type(write)(with_new(one, new) for one in write) if isinstance(write, (tuple, list)) else write


@pytest.mark.parametrize("write", CONFINED, ids=lambda write: write.name)
def test_a_write_by_key_moves_its_rows_and_no_others(keyed, write):
    """Reads of other keys stay hits; reads of these keys, and those that name no key, are true at once."""
    if harness.needs(repr(write)) > harness.PG_VERSION:
        pytest.skip(f"since PostgreSQL {harness.needs(repr(write))}")
    reader, writer = keyed

    def once(new):
        run(writer, with_new(write.before, new))
        return lambda: run(writer, with_new(write.write, new))

    for sql in write.keeps:
        reader.stays(sql, lambda: once(next(_new_keys))())
    new = next(_new_keys)
    reader.sees(once(new), *with_new(write.moves, new))


@pytest.mark.parametrize("write", [
    [("UPDATE k SET n = n + 1 WHERE id = $1", 1)], ["BEGIN", ("UPDATE k SET n = n + 1 WHERE id = $1", 1), "COMMIT"],
    ["BEGIN", "SAVEPOINT s", ("UPDATE k SET n = n + 1 WHERE id = $1", 1), "RELEASE s", "COMMIT"]],
    ids=["autocommit", "transaction", "savepoint"])
def test_a_session_that_only_writes_is_confined_from_its_first_statement(keyed, keyed_anew, write):
    """Whether its settings are known does not depend on its having read anything."""
    reader, (_, writer) = keyed[0], keyed_anew
    reader.stays(TWO, lambda: run(writer, write))
    reader.sees(lambda: run(writer, write), ONE)


def with_parameter(writer, sql, form, data, types=()):
    """Parse, Bind with one parameter of that format and those bytes, Execute, Sync."""
    bound = wire.text("") + wire.text("") + struct.pack("!hhhi", 1, form, 1, len(data)) + data + struct.pack("!h", 0)
    return writer.through.ask(wire.parse("", sql, types) + wire.message("B", bound) + wire.execute() + wire.SYNC)


@pytest.mark.parametrize("table, key, other, form, data, types", [
    ("k", "1", "2", 0, b"1", ()), ("k", "1", "2", 1, struct.pack("!i", 1), ()),
    ("k", "1", "2", 1, struct.pack("!i", 1), (23,)), ("k", "1", "2", 1, struct.pack("!q", 1), (20,)),
    ("k", "1", "2", 1, b"\0\1", (21,)), ("kb", "10000000000", "20000000000", 1, struct.pack("!q", 10**10), ()),
    ("kb", "10000000000", "20000000000", 0, b"10000000000", (20,)),
    ("ku", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'", 1, bytes(15) + b"\1",
     ()),
    ("ku", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'", 0,
     b"00000000-0000-0000-0000-000000000001", ()),
    ("kt", "'key 1'", "'key 2'", 0, b"key 1", ()), ("kt", "'key 1'", "'key 2'", 1, b"key 1", (25,)), ("kt", "'key 1'",
                                                                                                      "'key 2'", 1,
                                                                                                      b"key 1",
                                                                                                      (1043,)),
], ids=lambda value: repr(value) if isinstance(value, bytes) else str(value))
def test_a_key_in_a_parameter_of_any_format(house, reads_by, table, key, other, form, data, types):
    """The extended protocol's own: text and binary, declared or not; other keys stay hits."""
    reader = house.pair(reads_by=reads_by, options=r"-c search_path=keys,public")
    writer = house.pair(options=r"-c search_path=keys,public")

    def write():
        with_parameter(writer, f"UPDATE {table} SET n = n + 1 WHERE id = $1", form, data, types)

    reader.stays(f"SELECT n FROM {table} WHERE id = {other}", write)
    reader.sees(write, f"SELECT n FROM {table} WHERE id = {key}", f"SELECT sum(n) FROM {table}")


@pytest.mark.parametrize("table, key, form, data, types", [
    ("k", "1", 0, b"1.0", (1700,)), ("k", "1", 0, b"1", (701,)), ("k", "1", 0, b" +01 ", ()),
    ("k", "1", 1, struct.pack("!d", 1), (701,)),
    ("ku", "'00000000-0000-0000-0000-000000000001'", 0, b"{000000000000-0000-0000-000000000001}", ()),
    ("kt", "'key 1'", 0, b"key 1", (19,)), ("kb", "10000000000", 0, b"1e10", (1700,))],
    ids=lambda value: repr(value) if isinstance(value, bytes) else str(value))
def test_a_key_in_a_parameter_that_is_not_canonical(house, reads_by, table, key, form, data, types):
    """Another spelling, or a type that is compared in another way: as wide as it must be."""
    reader = house.pair(reads_by=reads_by, options=r"-c search_path=keys,public")
    writer = house.pair(options=r"-c search_path=keys,public")
    update = f"UPDATE {table} SET n = n + 1 WHERE id = $1"
    reader.sees(lambda: with_parameter(writer, update, form, data, types), f"SELECT n FROM {table} WHERE id = {key}")


def test_a_named_statement_with_one_key_after_another(house, reads_by):
    """Parsed once, bound with each key: each moves its own."""
    reader = house.pair(reads_by=reads_by, options=r"-c search_path=keys,public")
    writer = house.pair(options=r"-c search_path=keys,public")
    writer.through.ask(wire.parse("up", "UPDATE k SET n = n + 1 WHERE id = $1") + wire.SYNC)
    for key in (1, 3, 4):
        def write():
            writer.through.ask(wire.bind("", "up", [key]) + wire.execute() + wire.SYNC)

        reader.stays(TWO, write)
        reader.sees(write, f"SELECT n FROM k WHERE id = {key}")
    group = b"".join(wire.bind("", "up", [key]) + wire.execute() for key in (1, 3, 1)) + wire.SYNC
    reader.stays(TWO, lambda: writer.through.ask(group))
    reader.sees(lambda: writer.through.ask(group), ONE, THREE)


WIDE = [
    Write("another_column", ("UPDATE k SET n = n + 1 WHERE owner = $1", "o2"), [TWO, "SELECT n FROM k WHERE id = 5"]),
    Write("a_range", "UPDATE k SET n = n + 1 WHERE id >= 2 AND id < 4", [TWO, THREE]),
    Write("explained", "EXPLAIN ANALYZE UPDATE k SET n = n + 1 WHERE id = 2", [TWO]),
    Write("everything", "UPDATE k SET n = n + 1", [ONE, TWO, THREE]),
    Write("either_or", ("UPDATE k SET n = n + 1 WHERE id = $1 OR n = (SELECT n FROM k WHERE id = 2)", 1), [ONE, TWO]),
    Write("or_of_keys", "UPDATE k SET n = n + 1 WHERE id = 1 OR id = 2", [ONE, TWO]),
    Write("not", "UPDATE k SET n = n + 1 WHERE NOT id = 1", [TWO, THREE]),
    Write("not_equal", "UPDATE k SET n = n + 1 WHERE id <> 1", [TWO]),
    Write("all_but", "UPDATE k SET n = n + 1 WHERE id <> ALL('{1,3}')", [TWO]),
    Write("not_in", "UPDATE k SET n = n + 1 WHERE id NOT IN (1, 3)", [TWO]),
    Write("in_a_query", "UPDATE k SET n = n + 1 WHERE id IN (SELECT k_id FROM o WHERE k_id < 3)", [ONE, TWO]),
    Write("from_a_join", "UPDATE k SET n = n + 1 FROM o WHERE o.k_id = k.id AND o.total > 0", [TWO]),
    Write("from_with_a_key_of_the_other", "UPDATE k SET n = n + 1 FROM o WHERE o.k_id = 1", [ONE, TWO]),
    Write("to_another_key", ["UPDATE o SET k_id = 10 WHERE k_id = 9",
           "UPDATE o SET k_id = 9, total = total + 1 WHERE k_id = 10"], ["SELECT total FROM o WHERE k_id = 9"]),
    Write("to_a_computed_key", "UPDATE o SET k_id = k_id + 100000 WHERE k_id = {new}",
          ["SELECT total FROM o WHERE k_id = {new}", "SELECT total FROM o WHERE k_id = {new} + 100000",
           "SELECT total FROM o WHERE k_id = 10{new}"], before=["INSERT INTO o VALUES ({new}, 1)"]),
    Write("to_a_key_from_elsewhere", "UPDATE o SET k_id = (SELECT {new} + 50000) WHERE k_id = {new}",
          ["SELECT total FROM o WHERE k_id = {new}", "SELECT total FROM o WHERE k_id = 5{new}"],
          before=["INSERT INTO o VALUES ({new}, 1)"]),
    Write("row_assignment", "UPDATE o SET (k_id, total) = (SELECT 50000 + {new}, 7) WHERE k_id = {new}",
          ["SELECT total FROM o WHERE k_id = {new}", "SELECT total FROM o WHERE k_id = 5{new}"],
          before=["INSERT INTO o VALUES ({new}, 1)"]),
    Write("upsert_on_another_constraint", "INSERT INTO k VALUES ({new}, 'c2', 0) ON CONFLICT (code) DO UPDATE SET n = "
          "k.n + 1", [TWO]),
    Write("upsert_on_a_named_constraint", "INSERT INTO k VALUES ({new}, 'c2', 0) ON CONFLICT ON CONSTRAINT k_code_key "
          "DO UPDATE SET n = k.n + 1", [TWO]),
    Write("upsert_that_moves_the_key", "INSERT INTO o VALUES ({new}, 1) ON CONFLICT (k_id) DO UPDATE SET k_id = "
          "o.k_id + 100000", ["SELECT total FROM o WHERE k_id = {new}", "SELECT total FROM o WHERE k_id = 10{new}"],
          before=["INSERT INTO o VALUES ({new}, 1)"]),
    Write("insert_of_a_query", "INSERT INTO o SELECT {new}, 5", ["SELECT total FROM o WHERE k_id = {new}"]),
    Write("insert_of_an_expression", "INSERT INTO o VALUES ({new} + 0, 5)", ["SELECT total FROM o WHERE k_id = {new}"]),
    Write("insert_of_a_subquery", "INSERT INTO o VALUES ((SELECT {new}), 5)",
          ["SELECT total FROM o WHERE k_id = {new}"]),
    Write("insert_of_a_serial", [("INSERT INTO serial_key (n) VALUES ($1)", 1)],
          ["SELECT count(*) FROM serial_key"]),
    Write("insert_of_a_default", "INSERT INTO default_key (n) VALUES (1)", ["SELECT n FROM default_key WHERE id = 5"],
          before=["DELETE FROM default_key WHERE id = 5"]),
    Write("insert_of_default_itself", "INSERT INTO default_key VALUES (DEFAULT, 1)",
          ["SELECT n FROM default_key WHERE id = 5"], before=["DELETE FROM default_key WHERE id = 5"]),
    Write("update_to_default", "UPDATE default_key SET id = DEFAULT WHERE id = {new}",
          ["SELECT n FROM default_key WHERE id = 5", "SELECT n FROM default_key WHERE id = {new}"],
          before=["DELETE FROM default_key WHERE id = 5", "INSERT INTO default_key VALUES ({new}, 1)"]),
    Write("update_of_a_generated_key", "UPDATE generated_key SET a = a + 10000000 WHERE id = {new}1",
          ["SELECT n FROM generated_key WHERE id = {new}1", "SELECT n FROM generated_key WHERE id = 100{new}1"],
          before=["INSERT INTO generated_key (a, n) VALUES ({new}0, 1)"]),
    Write("insert_of_a_generated_key", "INSERT INTO generated_key (a, n) VALUES ({new}0, 1)",
          ["SELECT n FROM generated_key WHERE id = {new}1"]),
    Write("copy", copy_in("COPY default_key FROM STDIN", b"77\t1\n"), ["SELECT n FROM default_key WHERE id = 77"],
          before=["DELETE FROM default_key WHERE id = 77"]),
    Write("truncate", "TRUNCATE default_key", ["SELECT n FROM default_key WHERE id = 5"],
          before=["INSERT INTO default_key VALUES (5, 1) ON CONFLICT DO NOTHING"]),
    Write("merge", ("MERGE INTO k USING (VALUES ($1::int)) s(id) ON k.id = s.id WHEN MATCHED THEN UPDATE SET n = k.n "
           "+ 1", 2), [TWO]),
    Write("merge_of_more", "MERGE INTO k USING o ON k.id = o.k_id AND o.k_id < 4 WHEN MATCHED AND k.id = 1 THEN DO "
          "NOTHING WHEN MATCHED THEN UPDATE SET n = k.n + 1", [TWO, THREE]),
    Write("merge_that_inserts", "MERGE INTO o USING (SELECT {new} AS id) s ON o.k_id = s.id WHEN NOT MATCHED THEN "
          "INSERT VALUES (s.id, 1)", ["SELECT total FROM o WHERE k_id = {new}"]),
    Write("trigger_that_changes_the_key", "INSERT INTO shifted VALUES ({new}, 1)",
          ["SELECT n FROM shifted WHERE id = {new} + 1000", "SELECT count(*) FROM shifted"]),
    Write("trigger_that_changes_the_key_of_an_update", "UPDATE shifted SET n = n + 1 WHERE id = (SELECT min(id) FROM "
          "shifted WHERE id < 100)", ["SELECT count(*) FROM shifted WHERE id < 100"]),
    Write("trigger_that_replaces_the_row", "UPDATE swapped SET n = n + 1 WHERE id = 1",
          ["SELECT n FROM swapped WHERE id = 1", "SELECT n FROM swapped WHERE id = 1001"],
          before=["DELETE FROM swapped WHERE id IN (1, 1001)", "INSERT INTO swapped VALUES (1, 1)"]),
    Write("trigger_that_updates_the_next", "UPDATE spread SET n = n + 1 WHERE id = 1",
          ["SELECT n FROM spread WHERE id = 1", "SELECT n FROM spread WHERE id = 2"]),
    Write("cascade", "DELETE FROM parent WHERE id = {new}",
          ["SELECT n FROM child WHERE id = {new}", "SELECT n FROM child WHERE parent = {new}"],
          before=["INSERT INTO parent VALUES ({new})", "INSERT INTO child VALUES ({new}, {new}, 5)"]),
    Write("cascade_of_a_key", "UPDATE parent SET id = {new} + 50000 WHERE id = {new}",
          ["SELECT parent FROM child WHERE id = {new}", "SELECT n FROM child WHERE parent = 5{new}"],
          before=["INSERT INTO parent VALUES ({new})", "INSERT INTO child VALUES ({new}, {new}, 5)"]),
    Write("rule_to_another_table_and_key", "UPDATE ruled SET n = {new} WHERE id = 1",
          ["SELECT n FROM unused WHERE id = 2"]),
    Write("partitioned", ("UPDATE parted SET n = n + 1 WHERE id = $1", 2),
          ["SELECT n FROM parted WHERE id = 2", "SELECT sum(n) FROM parted"]),
    Write("a_partition_itself", ["UPDATE parted_0 SET n = n + 1", "UPDATE parted_1 SET n = n + 1"],
          ["SELECT n FROM parted WHERE id = 2", "SELECT n FROM parted WHERE id = 3"]),
    Write("an_heir_of_the_same_key", "UPDATE young SET n = n + 1 WHERE id = 1",
          ["SELECT n FROM old WHERE id = 1 ORDER BY 1", "SELECT sum(n) FROM old"]),
    Write("an_ancestor_of_the_same_key", "UPDATE old SET n = n + 1 WHERE id = 1",
          ["SELECT n FROM young WHERE id = 1", "SELECT n FROM ONLY old WHERE id = 1"]),
    Write("a_function_of_a_key", ("SELECT raise_of($1)", 2), [TWO, "SELECT next_of(1)"]),
    Write("where_current_of", ["BEGIN", "DECLARE c CURSOR FOR SELECT * FROM k WHERE id = 2 FOR UPDATE", "FETCH c",
                               "UPDATE k SET n = n + 1 WHERE CURRENT OF c", "COMMIT"], [TWO]),
    Write("several_in_one_text", text("UPDATE k SET n = n + 1 WHERE id = 1; UPDATE k SET n = n + 1 WHERE id = 2"),
          [ONE, TWO]),
    Write("in_do", "DO $$ BEGIN FOR i IN 1..2 LOOP UPDATE k SET n = n + 1 WHERE id = i; END LOOP; END $$", [ONE, TWO]),
    Write("a_view_by_key", ("UPDATE k_view SET n = n + 1 WHERE id = $1", 2),
          [TWO, "SELECT n FROM k_deep WHERE key = 2"]),
    Write("a_view_by_another_column", "UPDATE k_view SET n = n + 1 WHERE code = 'c2'",
          [TWO, "SELECT n FROM k_deep WHERE key = 2"]),
    Write("delete_without_a_key", "DELETE FROM k WHERE n = -5", ["SELECT n FROM k WHERE id = {new}"],
          before=["INSERT INTO k VALUES ({new}, NULL, -5)"]),
]


@pytest.mark.parametrize("write", WIDE, ids=lambda write: write.name)
def test_a_write_that_is_not_confined_moves_every_key(keyed, write):
    """What names no key, names it in a way that proves nothing, or changes the key on its way."""
    reader, writer = keyed
    new = next(_new_keys)
    run(writer, with_new(write.before, new))
    reader.sees(lambda: run(writer, with_new(write.write, new)), *with_new(write.moves, new), warm=False)


@pytest.mark.parametrize("table", ["serial_key", "identity_key"])
def test_the_next_key_of_a_sequence(keyed, table):
    """A row that was asked for before it was there, by a key that the insert does not name."""
    reader, writer = keyed
    for insert in (f"INSERT INTO {table} (n) VALUES ($1)", f"INSERT INTO {table} VALUES (DEFAULT, $1)",
                   f"INSERT INTO {table} (n) SELECT $1::int"):
        following = int(reader.judge.one(f"SELECT last_value + 1 FROM {table}_id_seq"))
        reader.sees(lambda: writer.write(insert, 5), f"SELECT n FROM {table} WHERE id = {following}")


ANOTHER = "UPDATE k SET n = n + 1 WHERE id = 1"
ONE_MORE = "INSERT INTO o VALUES ({new}, 1000000000)"

# Reads that seem to be confined to a key and are not, a write by another key that they must see, and what is there before.
NOT_CONFINED = [
    ("SELECT n, (SELECT count(*) FROM k) FROM k WHERE id = 2", "INSERT INTO k VALUES ({new}, NULL, 0)"),
    ("SELECT b.n FROM k a, k b WHERE a.id = 2 AND b.id = 1", ANOTHER),
    ("SELECT sum(b.n) FROM k a, k b WHERE a.id = 2", ANOTHER),
    ("SELECT b.n FROM k a JOIN k b ON b.id = a.id - 1 WHERE a.id = 2", ANOTHER),
    ("SELECT r FROM (SELECT id, rank() OVER (ORDER BY n DESC) AS r FROM k) x WHERE id = 2",
     "INSERT INTO k SELECT {new}, NULL, max(n) + 1 FROM k"),
    ("SELECT s FROM (SELECT id, sum(n) OVER () AS s FROM k) x WHERE id = 2", ANOTHER),
    ("SELECT l FROM (SELECT id, lag(n) OVER (ORDER BY id) AS l FROM k) x WHERE id = 2", ANOTHER),
    ("SELECT count(*) FROM (SELECT id FROM k ORDER BY id DESC LIMIT 1) x WHERE id = {new}",
     "INSERT INTO k VALUES (1{new}, NULL, 0)", "DELETE FROM k WHERE id > {new}",
     "INSERT INTO k VALUES ({new}, NULL, 0)"),
    ("SELECT count(*) FROM (SELECT id FROM k ORDER BY id DESC OFFSET 1) x WHERE id = {new}",
     "INSERT INTO k VALUES (1{new}, NULL, 0)", "DELETE FROM k WHERE id > {new}",
     "INSERT INTO k VALUES ({new}, NULL, 0)"),
    ("SELECT count(*) FROM (SELECT DISTINCT ON (owner) id FROM k ORDER BY owner, id DESC) x WHERE id = {new}",
     "INSERT INTO k VALUES (1{new}, NULL, 0, 'mine')", "DELETE FROM k WHERE id > {new}",
     "INSERT INTO k VALUES ({new}, NULL, 0, 'mine')"),
    ("SELECT c FROM (SELECT min(id) AS id, count(*) AS c FROM k) x WHERE id = 1",
     "INSERT INTO k VALUES ({new}, NULL, 0)"),
    ("SELECT s FROM (SELECT owner, min(id) AS id, sum(n) AS s FROM k GROUP BY owner) x WHERE id = 1",
     "UPDATE k SET n = n + 1 WHERE id = 7"),
    ("SELECT count(*) FROM (SELECT {new} AS id EXCEPT SELECT k_id - 1 FROM o) x WHERE id = {new}",
     "INSERT INTO o VALUES ({new} + 1, 0)"),
    ("SELECT n FROM k WHERE id = 2 OR id = 1", ANOTHER),
    ("SELECT n FROM k WHERE id = 2 OR n > 0 ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE (id = 2) IS NOT NULL ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE (id = 2) = (id = 2) ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE NOT (id = 2) ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE (id = 2) IS NOT TRUE ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE CASE WHEN id = 2 THEN true ELSE n > 0 END ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE coalesce(id = 2, true) OR true ORDER BY id", ANOTHER),
    ("SELECT k.n FROM o LEFT JOIN k ON k.id = o.k_id AND o.k_id = 2 ORDER BY o.k_id", ONE_MORE),
    ("SELECT o.k_id FROM o LEFT JOIN k ON k.id = 2 AND o.k_id = k.id ORDER BY 1", ONE_MORE),
    ("SELECT count(*) FROM (SELECT id FROM k WHERE id = 2) x FULL JOIN o ON x.id = o.k_id", ONE_MORE),
    ("SELECT count(*) FROM k RIGHT JOIN o ON k.id = 2", ONE_MORE),
    ("SELECT count(*) FROM k JOIN o ON k.id = 2 AND o.total > k.n", ONE_MORE),
    ("SELECT count(*) FROM k, o WHERE k.id = 2 AND o.k_id <> k.id", ONE_MORE),
    ("SELECT count(*) FROM k, o WHERE k.id = 2 AND (o.k_id = k.id OR o.total > 0)", ONE_MORE),
    ("SELECT count(*) FROM (k LEFT JOIN o ON o.k_id = k.id) WHERE o.k_id IS NULL OR k.id = 2",
     "INSERT INTO k VALUES ({new}, NULL, 0)"),
    ("SELECT sum(n) FILTER (WHERE id = 2), sum(n) FROM k", ANOTHER),
    ("SELECT n FROM k WHERE id = (SELECT min(id) FROM k WHERE n > 0)", ANOTHER),
    ("SELECT n FROM k WHERE id IN (SELECT k_id FROM o WHERE total = 100000 + {new})",
     "UPDATE o SET total = 100000 + {new} WHERE k_id = 1"),
    ("SELECT n FROM k WHERE EXISTS (SELECT FROM o WHERE k_id = {new}) AND id = 2", "INSERT INTO o VALUES ({new}, 0)"),
    ("SELECT n FROM k WHERE id <= 2 AND id >= 1 ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE id < ANY('{2}') ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE id <> ALL('{2}') ORDER BY id", ANOTHER),
    ("SELECT n FROM k WHERE id = 2 UNION ALL SELECT n FROM k WHERE id < 2", ANOTHER),
    ("WITH w AS (SELECT id, n FROM k), v AS (SELECT max(n) AS m FROM w) SELECT n, m FROM w, v WHERE id = 2",
     "INSERT INTO k SELECT {new}, NULL, max(n) + 1 FROM k"),
    ("WITH RECURSIVE w AS (SELECT id, n FROM k WHERE id = 2 UNION ALL SELECT k.id, k.n FROM k, w WHERE k.id = w.id - "
     "1) SELECT sum(n) FROM w", ANOTHER),
    ("SELECT n, next_of(2) FROM k WHERE id = 2", "UPDATE k SET n = n + 1 WHERE id = 3"),
    ("SELECT k.n, x.s FROM k, LATERAL (SELECT sum(n) AS s FROM k j WHERE j.id <> k.id) x WHERE k.id = 2", ANOTHER),
    ("SELECT n FROM k NATURAL JOIN (SELECT 2 AS id) y UNION ALL SELECT n FROM k WHERE id = 1", ANOTHER),
    ("SELECT n FROM k_deep WHERE key + 0 = 2 OR key = 1 ORDER BY 1", ANOTHER),
    ("SELECT (SELECT n FROM k i WHERE i.id = o.k_id) FROM o WHERE k_id = 1", ANOTHER),
    ("SELECT (SELECT x.n FROM k x WHERE k.id = 2 AND x.id = 1) FROM k WHERE k.id = 2", ANOTHER),
    ("SELECT (SELECT sum(x.n) FROM k x WHERE k.id = 2) FROM k WHERE k.id = 2", ANOTHER),
    ("SELECT id.n FROM k AS id, LATERAL (SELECT 2 AS id) x WHERE x.id = 2 ORDER BY 1", ANOTHER),
    ("SELECT code FROM k AS k (n, id, code, x) WHERE id = 'c1'", ANOTHER),
    ("SELECT x.code FROM k AS x (other, id, code) WHERE x.id = 'c2' OR x.other = 1 ORDER BY 1", ANOTHER),
]


@pytest.mark.parametrize("row", NOT_CONFINED, ids=lambda row: row[0])
def test_a_read_that_is_not_confined_sees_every_write(keyed, row):
    """A key in the text that does not hold for all that is read: a write of another key changes the result."""
    reader, writer = keyed
    read, write, *before = with_new(row, next(_new_keys))
    run(writer, before)
    reader.sees(lambda: run(writer, write), read, warm=False)


KEY_TWO = [
    "id = 2", "id = '2'", "id = 2::bigint", "id = 2.0", "id = 1 + 1", "2 = id", "id IN (2)", "id = ANY('{2}')",
    "id = ANY('{2,NULL,7}')", "id::text = '2'", "id = (SELECT 2)", "id BETWEEN 2 AND 2", "(id, 1) = (2, 1)",
    "id IS NOT DISTINCT FROM 2", "NOT id <> 2", "id = 2.4::int", "id = ' 2 '", "id = '+2'", "id = '002'",
    "id = int '2'", "id = CAST('2' AS smallint)", "id = 2::numeric", "id = 2::float8", "id = 2::real", "id + 0 = 2",
    "id IN (SELECT 2)", "id IN (VALUES (2), (77))", "id = ALL(ARRAY[2])", "(id = 2) IS TRUE",
    "CASE WHEN id = 2 THEN true END", "id = length('ab')", "id = ANY(ARRAY[2, NULL])", "id = '2'::text::int",
    "id = 2 AND id = 2", "id = ANY(ARRAY[2]::bigint[])", "id = ANY('{2}'::numeric[])", "id IN ('2', '77')",
    "id IN (2.0, 77)", "(id = 2) = true", "k.id = 2 AND true", "keys.k.id = 2", "ROW(id) = ROW(2)", "id = $$2$$",
    "id = E'\\x32'", "code = 'c2'", "code = 'c' || 2", "id = 2 AND code IS NOT NULL", "id OPERATOR(pg_catalog.=) 2",
    "id = 2 OR id = 2", "id = (2)", "id = + 2", "id = - -2", "id = -(-2)", "id = 2 AND (n = n OR id = 1)", "id = 02",
    "id = oid '2'::int", "ctid = (SELECT ctid FROM k WHERE id = 2)",
]


def test_one_key_in_every_way_to_say_it_reads_the_same_row(keyed):
    """However a read says which key it means, a plain write of that key is seen."""
    reader, writer = keyed
    reads = [f"SELECT n FROM k WHERE {condition}" for condition in KEY_TWO]
    reader.sees(lambda: writer.write("UPDATE k SET n = n + $1 WHERE id = $2", 1, 2), *reads, warm=False)


def test_one_key_in_every_way_to_say_it_writes_the_same_row(keyed):
    """However a write says which key it means, a plain read of that key sees it."""
    reader, writer = keyed
    for condition in KEY_TWO:
        reader.sees(lambda: writer.write(f"UPDATE k SET n = n + 1 WHERE {condition}"), TWO,
                    "SELECT n FROM k WHERE code = 'c2'")


# By type, ways to write one value.
TYPES = {
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
             "'{a0eebc999c0b4ef8bb6d6bb9bd380a11}'", "uuid 'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11'"],
    "text": ["'a b'", r"E'a\x20b'", "'a' || ' b'", "$$a b$$", r"U&'a\0020b'", "'a b'::varchar", "'a b'::name",
             "'a b  '::char(5)"],
    "varchar(4)": ["'abcd'", "'abcd'::text", "'abcdef'::varchar(4)", "'abcd  '::char(6)"],
    "char(5)": ["'ab'", "'ab   '", "'ab'::char(3)", "'ab        '", "bpchar 'ab '"],
    "name": ["'ab'", "'ab'::text", "name 'ab'"],
    "numeric": ["1", "1.0", "'1.000'", "1e0", "1::int", "10 / 10.0", "'01'"],
    "float8": ["'-0'", "0", "0.0", "'0e5'", "0::real", "0::numeric"],
    "real": ["1.5", "'1.5'", "1.5::float8", "3 / 2.0"],
    "smallint": ["7", "'7'", "7::bigint", "7.0"],
    "bigint": ["7", "'007'", "7::smallint", "7.0", "'7'::numeric"],
    "oid": ["7", "'7'", "7::bigint"],
    "boolean": ["true", "'t'", "'yes'", "'on'", "1::bool", "NOT false", "'TRUE'", "' tr '"],
    "date": ["'2024-02-01'", "date '2024-02-01'", "'20240201'", "'February 1, 2024'", "'2024-02-01 00:00'::timestamp",
             "'2024-02-01'::timestamptz", "'2024.032'"],
    "timestamptz": ["'2024-02-01 12:00+00'", "'2024-02-01 12:00'", "'2024-02-01 14:00+02'",
                    "'2024-02-01 12:00:00.000 UTC'", "'2024-02-01 12:00'::timestamp", "to_timestamp(1706788800)",
                    "'2024-02-01T12:00Z'"],
    "timestamp": ["'2024-02-01 00:00'", "'2024-02-01'", "'2024-02-01'::date", "'2024-02-01 00:00+00'::timestamptz",
                  "'2024-02-01 00:00:00+05'"],
    "time": ["'12:00'", "'12:00:00.0'", "'12:00 PM'", "'120000'", "'12:00+02'"],
    "interval": ["'1 day'", "'24 hours'", "'P1D'", "'1440 minutes'", "make_interval(days => 1)"],
    "inet": ["'10.0.0.1'", "'10.0.0.1/32'", "inet '10.0.0.1'"],
    "cidr": ["'10.0.0.0/8'", "'10/8'"],
    "macaddr": ["'08:00:2b:01:02:03'", "'08002b010203'", "'08-00-2B-01-02-03'"],
    "bytea": [r"'\x6162'", "'ab'", r"E'\\x6162'", "decode('YWI=', 'base64')", r"'\x 61 62'"],
    "bit(4)": ["'0101'", "B'0101'", "X'5'", "5::bit(4)"],
    "jsonb": ["'{\"a\": 1}'", "'{ \"a\" : 1.0 }'", "'{\"a\": 2, \"a\": 1}'", "jsonb_build_object('a', 1)"],
    "int[]": ["'{1,2}'", "ARRAY[1, 2]", "'[1:2]={1,2}'", "'{1, 02}'"],
    "int4range": ["'[1,3)'", "'[1,2]'", "'(0,3)'", "int4range(1, 3)"],
    "money": ["'1'", "'$1.00'", "1::money", "1.00::numeric::money"],
    "keys.citext": ["'Ab'", "'ab'", "'AB'", "'aB'::keys.citext"],
    'text COLLATE keys."caseless"': ["'Ab'", "'ab'", "'AB'"],
    "keys.mood": ["'good'", "keys.mood 'good'", "'good'::text::keys.mood"],
    "keys.small": ["3", "'3'", "3::keys.small", "3.0"],
    "keys.word": ["'w'", "'w'::keys.word", "'w'::text"],
}
KEYS_SCRIPT += """
CREATE EXTENSION citext SCHEMA keys; CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2',
  deterministic = false);
CREATE TYPE mood AS ENUM ('bad', 'good'); CREATE DOMAIN small AS int CHECK (value < 100); CREATE DOMAIN word AS text;
""" + "".join(f"CREATE TABLE typed_{number} (id {name} PRIMARY KEY, n int);"
              f"INSERT INTO typed_{number} VALUES ({values[0]}, 1);\n" for number, (name, values) in enumerate(TYPES.items()))
KEYS_SCRIPT += "SET search_path = public;"


@pytest.mark.parametrize("number, name", enumerate(TYPES), ids=list(TYPES))
def test_one_value_in_every_way_to_write_it_is_one_key(keyed, number, name):
    """Equal values are one key, however they are written, in reads and in writes."""
    reader, writer = keyed
    reads = [f"SELECT n FROM typed_{number} WHERE id = {value}" for value in TYPES[name]]
    for value in TYPES[name]:
        reader.sees(lambda: writer.write(f"UPDATE typed_{number} SET n = n + 1 WHERE id = {value}"), *reads, warm=False)
    for value in TYPES[name]:
        writer.write(f"DELETE FROM typed_{number} WHERE id = {value}")
        reader.agree(reads[0])
        reader.sees(lambda: writer.write(f"INSERT INTO typed_{number} VALUES ({value}, 5)"), *reads, warm=False)


@pytest.mark.parametrize("setting, table, mine, theirs", [
    ("TimeZone = 'Asia/Tokyo'", list(TYPES).index("timestamptz"), "'2024-02-01 12:00'", "'2024-02-01 21:00'"),
    ("DateStyle = 'SQL, DMY'", list(TYPES).index("date"), "'2024-02-01'", "'01/02/2024'"),
    ("DateStyle = 'SQL, DMY'", list(TYPES).index("timestamptz"), "'2024-02-01 12:00'", "'01/02/2024 12:00'"),
    ("bytea_output = 'escape'", list(TYPES).index("bytea"), "'ab'", r"'\x6162'"),
    ("standard_conforming_strings = off", list(TYPES).index("text"), "'a b'", r"'a\x20b'"),
])
def test_a_key_is_read_with_the_settings_of_its_session(keyed_anew, setting, table, mine, theirs):
    """One text, two sessions, two values: and two texts, one value."""
    reader, writer = keyed_anew
    writer.write("SET escape_string_warning = off")
    writer.write(f"SET {setting}")
    reader.sees(lambda: writer.write(f"UPDATE typed_{table} SET n = n + 1 WHERE id = {theirs}"),
                f"SELECT n FROM typed_{table} WHERE id = {mine}", warm=False)


@pytest.mark.parametrize("encoding, codec, key", [("LATIN1", "latin-1", "é"), ("LATIN1", "latin-1", "ü"),
                                                  ("WIN1252", "cp1252", "é"), ("EUC_JP", "euc_jp", "日本"),
                                                  ("LATIN9", "iso8859-15", "ü"), ("SJIS", "shift_jis", "日本")])
def test_a_key_of_text_in_another_encoding(keyed_anew, writes_by, encoding, codec, key):
    """Written by a session of one client encoding, read by another's, and the other way round."""
    utf8, foreign = keyed_anew
    foreign.both(f"SET client_encoding = '{encoding}'")
    read, update = f"SELECT n FROM kt WHERE id = '{key}'", "UPDATE kt SET n = n + 1 WHERE id = $1"

    def write_abroad():
        if writes_by == "simple":
            got = foreign.through.ask(wire.query(harness.written_out(update, [key]).encode(codec)))
        else:
            got = with_parameter(foreign, update, 0, key.encode(codec))
        assert [one.tag for one in got if one.kind == "C"] == ["UPDATE 1"], got

    utf8.sees(write_abroad, read, "SELECT sum(n) FROM kt", warm=False)
    question = wire.query(read.encode(codec))
    for _ in range(2):
        foreign.both_bytes(question)
    for _ in range(2):
        utf8.write(update, key)
        for _ in range(2):
            foreign.both_bytes(question)


def test_a_column_that_a_rule_tracks(house, reads_by, writes_by):
    """`track: [owner]`: reads and writes by a column that is no key are told apart as well."""
    rules = [{"name": "by owner", "match": {"tables": ["keys.tracked"]}, "track": ["owner"]}]
    house.postgres.run("CREATE TABLE IF NOT EXISTS keys.tracked (id int PRIMARY KEY, owner text, n int);"
                       "TRUNCATE keys.tracked; INSERT INTO keys.tracked SELECT i, 'o' || i % 3, i FROM generate_series(1, 9) i", house.database)
    pgmemo = Pgmemo(house.postgres.uri(house.database), config={"rules": rules})
    try:
        reader, writer = (harness.Pair(pgmemo, house.postgres, house.database, reads_by=reads_by, writes_by=writes_by,
                                       options="-c search_path=keys") for _ in range(2))
        mine, other = (f"SELECT id, n FROM tracked WHERE owner = '{owner}' ORDER BY id" for owner in ("o1", "o2"))

        def write():
            writer.write("UPDATE tracked SET n = n + 1 WHERE owner = $1", "o1")

        reader.stays(other, write)
        reader.sees(write, mine, "SELECT n FROM tracked WHERE id = 1", "SELECT sum(n) FROM tracked")
        reader.sees(lambda: writer.write("UPDATE tracked SET n = n + 1 WHERE id = $1", 1), mine)
        reader.sees(lambda: writer.write("UPDATE tracked SET owner = $1 WHERE owner = $2", "o2", "o1"), mine, other)
        reader.sees(lambda: writer.write("INSERT INTO tracked VALUES ($1, $2, $3)", 10, "o1", 10), mine)
        reader.stays(other, lambda: writer.write("DELETE FROM tracked WHERE owner = $1 AND id = $2", "o1", 77))
        reader.close()
        writer.close()
    finally:
        pgmemo.stop()


MEANINGS = """
CREATE SCHEMA front; CREATE SCHEMA behind;
CREATE TABLE front.renamed (id int PRIMARY KEY, b text); INSERT INTO front.renamed VALUES (1, 'front');
CREATE TABLE behind.pair (id int PRIMARY KEY, b text); INSERT INTO behind.pair VALUES (1, 'behind');
CREATE TABLE front.one (id int PRIMARY KEY); INSERT INTO front.one VALUES (1);
CREATE FUNCTION front.read_pair() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT b FROM pair WHERE id = 1); END $$;
"""
PAIR = "SELECT b FROM pair WHERE id = 1"
PAIR_IN_A_FUNCTION = "SELECT front.read_pair() FROM front.one WHERE id = 1"


@pytest.mark.parametrize("how", ["by another session", "taken back by its own"])
def test_what_a_session_has_planned_for_another_table_is_no_answer_for_others(postgres, how):
    """PostgreSQL keeps plans of prepared statements and of PL/pgSQL that read the table which a name meant when they were made, though
    another has come to stand before it in the search path. No other session would get these rows directly."""
    postgres.run("CREATE DATABASE meanings")
    postgres.run(MEANINGS, "meanings")
    pgmemo = harness.Pgmemo(postgres)
    parameters = {"options": "-c search_path=front,behind"}
    execution = wire.bind("", "s") + wire.execute() + wire.SYNC

    def rows(client, data):
        client.send(data)
        return [one.columns()[0] for one in client.until("Z") if one.kind == "D"]

    def unprepared(sql):
        return wire.parse("", sql) + wire.bind("", "") + wire.execute() + wire.SYNC

    try:
        if how == "taken back by its own":
            postgres.run("ALTER TABLE front.renamed RENAME TO pair", "meanings")
        with contextlib.closing(pgmemo.session("meanings", **parameters)) as client:
            pgmemo.warm(client, "SELECT id FROM front.one")
        old, other = (pgmemo.wire("meanings", parameters=parameters) for _ in range(2))
        old.run("SELECT 1")
        if how == "taken back by its own":
            old.run("BEGIN")
            old.run("ALTER TABLE front.pair RENAME TO renamed")
        rows(old, wire.parse("s", PAIR) + wire.SYNC)
        for _ in range(3):
            assert rows(old, execution) == ["behind"]
            assert rows(old, wire.query(PAIR_IN_A_FUNCTION)) == ["behind"]
        if how == "taken back by its own":
            old.run("ROLLBACK")
        else:
            other.run("ALTER TABLE front.renamed RENAME TO pair")
        harness.eventually(lambda: pgmemo.metrics().sum("pgmemo_databases_without_catalog") == 0, "the catalog is known")
        for _ in range(3):  # it may be answered as it would be directly, or as others are
            rows(old, execution)
            rows(old, wire.query(PAIR_IN_A_FUNCTION))
        for client in (other, pgmemo.wire("meanings", parameters=parameters)):
            assert rows(client, unprepared(PAIR)) == ["front"]
            assert rows(client, wire.query(PAIR_IN_A_FUNCTION)) == ["front"]
            rows(client, wire.parse("s", PAIR) + wire.SYNC)
            assert rows(client, execution) == ["front"]
    finally:
        pgmemo.stop()
        postgres.run("DROP DATABASE meanings WITH (FORCE)")
