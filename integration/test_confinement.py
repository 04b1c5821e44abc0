"""What `pgmemo explain` claims of rows, held against PostgreSQL: random joins and random writes.

A read that is said to be confined to key values must not change when all other rows do; a write must change no relation
that it is not said to write, and no row outside of the key values that it is said to be confined to. The grammar aims at
what is hard: outer joins, names, scopes, views and subqueries; partitions, children, foreign keys, triggers and rules.

PGMEMO_CONFINEMENT=SEED:COUNT runs COUNT statements of each kind from that seed.
"""
import collections
import contextlib
import json
import os
import random

import psycopg2
import pytest

import harness
from harness import run_pgmemo

SEED, COUNT = (int(part) for part in os.environ.get("PGMEMO_CONFINEMENT", "1:800").split(":"))
BATCH = 200


def house_of(postgres, script, track):
    rule = {"name": "track", "match": {"tables": ["public.*"]}, "track": track}
    return harness.House(postgres, script, config={"rules": [rule]})


def explained(house, texts):
    """What is said of each text: they are of one line each."""
    code, said = run_pgmemo("explain", "--config", house.pgmemo.file, "--format", "json", *texts)
    assert code == 0, said
    objects = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len(objects) == len(texts), said
    return zip(texts, objects)


def text_of(value):
    """As `explain` writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def table_of(relation):
    return relation.rpartition(".")[2]


# --- reads -----------------------------------------------------------------------------------------------------------

READ_TABLES = {"a": "id k v", "b": "id k w", "c": "id k x", "d": "id k y"}
READ_TABLES = {name: columns.split() for name, columns in READ_TABLES.items()}
READ_SCRIPT = """
CREATE TABLE a (id int, k int, v int);
CREATE TABLE b (id int, k int, w int);
CREATE TABLE c (id int, k int, x int);
CREATE TABLE d (id int8, k int2, y int);
CREATE VIEW plain AS SELECT id, k, v FROM a;
CREATE VIEW outer_join AS SELECT a.id, b.k AS bk, b.id AS bid FROM a LEFT JOIN b ON a.k = b.k;
CREATE VIEW full_join AS SELECT c.id, d.id AS did, d.k AS dk FROM c FULL JOIN d ON c.id = d.id;
CREATE VIEW nested AS SELECT b.id, plain.k, plain.id AS aid FROM b JOIN plain ON b.k = plain.k WHERE b.id < 3;
CREATE VIEW grouped AS SELECT id, count(*) AS n FROM a GROUP BY id;
CREATE VIEW limited AS SELECT id, k FROM b ORDER BY id, k, w LIMIT 2;
CREATE VIEW of_subquery AS SELECT d.id, s.k FROM d, (SELECT * FROM c WHERE k > 0) s WHERE d.k = s.id;
CREATE VIEW either AS SELECT id, k FROM a UNION ALL SELECT id, k FROM b;
CREATE VIEW nested_outer AS SELECT id, bk AS k FROM outer_join WHERE bid IS NOT NULL OR bk IS NULL;
"""
READ_VIEWS = {"plain": "id k v", "outer_join": "id bk bid", "full_join": "id did dk", "nested": "id k aid",
              "grouped": "id n", "limited": "id k", "of_subquery": "id k", "either": "id k", "nested_outer": "id k"}
READ_VIEWS = {name: columns.split() for name, columns in READ_VIEWS.items()}


class Reads:
    """Random SELECTs. A column is (what it is called by, its name); PostgreSQL judges which of the texts mean anything."""

    def __init__(self, rng):
        self.rng = rng

    def text(self):
        self.aliases, self.ctes = 0, []
        text = self.select(2)
        return f"WITH {', '.join(self.ctes)} {text}" if self.ctes else text

    def chance(self, part):
        return self.rng.random() < part

    def value(self):
        return self.rng.randrange(4)

    def constant(self):
        return self.rng.choice(["{}", "{}", "{}", "{}", "'{}'", "{}::int", "NULL"]).format(self.value())

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    def named(self, text, names):
        alias = self.alias()
        return f"{text} {alias}", [(alias, name) for name in names]

    def item(self, depth, outer):
        kind = self.rng.choices(["table", "renamed", "view", "cte", "function", "values", "subquery"],
                                [60, 4, 13, 6, 3, 3, 14])[0]
        if depth == 0 or kind == "table":
            table = self.rng.choice(list(READ_TABLES))
            return self.named(table, READ_TABLES[table])
        if kind == "view":
            view = self.rng.choice(list(READ_VIEWS))
            return self.named(view, READ_VIEWS[view])
        alias = self.alias()
        if kind == "renamed":
            return f"{self.rng.choice(list(READ_TABLES))} {alias} (k, id)", [(alias, "k"), (alias, "id")]
        if kind == "function":
            return f"generate_series(0, 2) {alias} (id)", [(alias, "id")]
        if kind == "values":
            return f"(VALUES (1, 2), (2, NULL)) {alias} (id, k)", [(alias, "id"), (alias, "k")]
        lateral = kind == "subquery" and outer and self.chance(0.3)
        text, names = self.subquery(depth - 1, outer if lateral else [])
        if kind == "cte":
            self.ctes.append(f"cte{len(self.ctes)} AS ({text})")
            return f"cte{len(self.ctes) - 1} {alias}", [(alias, name) for name in names]
        return f"{'LATERAL ' if lateral else ''}({text}) {alias}", [(alias, name) for name in names]

    def column(self, columns):
        table, name = self.rng.choice(columns)
        return name if self.chance(0.15) else f"{table}.{name}"

    def condition(self, left, right, outer=()):
        one = self.column(left)
        other = self.column(list(outer) if outer and self.chance(0.3) else right)
        forms = [(38, lambda: f"{one} = {other}"), (20, lambda: f"{one} = {self.constant()}"),
                 (8, lambda: f"{self.constant()} = {one}"),
                 (8, lambda: f"{one} IN ({self.constant()}, {self.constant()})"),
                 (4, lambda: f"{one} = ANY (ARRAY[{self.value()}, {self.value()}])"),
                 (2, lambda: f"{one} = ANY ('{{{self.value()},{self.value()}}}')"),
                 (3, lambda: f"({one}, {other}) = ({self.constant()}, {self.constant()})"),
                 (3, lambda: f"{one} IS NULL"), (2, lambda: f"{one} IS NOT DISTINCT FROM {other}"),
                 (3, lambda: f"NOT ({self.condition(left, right)})"),
                 (3, lambda: f"({self.condition(left, right)} OR {self.condition(left, right)})"),
                 (2, lambda: f"coalesce({one}, 1) = {self.constant()}"), (4, lambda: self.sublink(left))]
        return self.rng.choices([form for _, form in forms], [weight for weight, _ in forms])[0]()

    def sublink(self, outer):
        table = self.rng.choice(list(READ_TABLES))
        text, columns = self.named(table, READ_TABLES[table])
        word = self.rng.choice(["EXISTS", "NOT EXISTS"])
        return f"{word} (SELECT FROM {text} WHERE {self.conditions(columns, columns, outer)})"

    def conditions(self, left, right, outer=()):
        return " AND ".join(self.condition(left, right, outer) for _ in range(self.rng.choice([1, 1, 2, 2, 3])))

    def join(self, depth, size, outer=()):
        if size == 1:
            return self.item(depth, outer)
        of_left = self.rng.randint(1, size - 1)
        left, left_columns = self.join(depth, of_left, outer)
        right, right_columns = self.join(depth, size - of_left, [*left_columns, *outer] if self.chance(0.3) else outer)
        if size - of_left > 1:
            right = f"({right})"
        columns = left_columns + right_columns
        kind = self.rng.choice(["JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
        common = sorted({name for _, name in left_columns} & {name for _, name in right_columns})
        if kind == "CROSS JOIN":
            text = f"{left} CROSS JOIN {right}"
        elif common and self.chance(0.12):
            text = f"{left} {kind} {right} USING ({', '.join(self.rng.sample(common, self.rng.randint(1, len(common))))})"
        elif self.chance(0.05):
            text = f"{left} NATURAL {kind} {right}"
        else:
            sides = (left_columns, right_columns) if self.chance(0.6) else (columns, columns)
            text = f"{left} {kind} {right} ON {self.conditions(*sides)}"
        if self.chance(0.05):
            alias = self.alias()
            return f"({text}) AS {alias}", [(alias, name) for _, name in columns]
        return text, columns

    def source(self, depth, sizes, filtered, outer=()):
        size = self.rng.choice(sizes)
        text, columns = self.join(depth, size, outer)
        if self.chance(0.25):
            more, more_columns = self.join(depth, max(1, size - 1), outer)
            text, columns = f"{text}, {more}", columns + more_columns
        where = f" WHERE {self.conditions(columns, columns, outer)}" if self.chance(filtered) else ""
        return f"FROM {text}{where}", columns

    def select(self, depth):
        source, columns = self.source(depth, [1, 2, 2, 3, 3, 4], 0.85)
        some = ", ".join(".".join(self.rng.choice(columns)) for _ in range(2))
        return self.rng.choices([f"SELECT * {source}", f"SELECT count(*) {source}", f"SELECT {some} {source}",
                                 f"SELECT {some}, count(*) {source} GROUP BY 1, 2"], [50, 10, 30, 10])[0]

    def subquery(self, depth, outer):
        source, columns = self.source(depth, [1, 1, 2, 2, 3], 0.55, outer)
        chosen = {}
        for table, name in self.rng.choices(columns, k=3):
            chosen.setdefault(self.rng.choice([name, name, "id", "k", "z"]), f"{table}.{name}")
        outputs = ", ".join(f"{text} AS {name}" for name, text in chosen.items())
        numbers = ", ".join(str(n + 1) for n in range(len(chosen)))
        first = next(iter(chosen.values()))
        forms = [(70, f"SELECT {outputs} {source}", []), (6, f"SELECT {outputs}, 7 AS seven {source}", ["seven"]),
                 (5, f"SELECT DISTINCT {outputs} {source}", []),
                 (5, f"SELECT {outputs} {source} ORDER BY {numbers} LIMIT 2", []),
                 (5, f"SELECT {outputs} {source} GROUP BY {numbers}", []),
                 (4, f"SELECT {outputs}, rank() OVER (ORDER BY {first}) AS place {source}", ["place"]),
                 (5, f"SELECT {outputs} {source} UNION ALL SELECT {', '.join(['1'] * len(chosen))}", [])]
        _, text, more = self.rng.choices(forms, [form[0] for form in forms])[0]
        return text, [*chosen, *more]


@pytest.fixture(scope="module")
def reads_house(postgres):
    made = house_of(postgres, READ_SCRIPT, ["id", "k", "v", "w", "x", "y"])
    yield made
    made.close()


def fill_reads(cursor, rng):
    for table in READ_TABLES:
        cursor.execute(f"TRUNCATE {table}")
        for _ in range(rng.randint(2, 6)):
            cursor.execute(f"INSERT INTO {table} VALUES (%s, %s, %s)", some_row(rng))


def means_something(cursor, text):
    try:
        cursor.execute(f"EXPLAIN {text}")
        return True
    except psycopg2.Error:
        return False


def some_row(rng):
    return [rng.choice([0, 1, 2, 3, 0, 1, 2, 3, None]) for _ in range(3)]


def rows_of(cursor, sql):
    cursor.execute(sql)
    return sorted(map(repr, cursor.fetchall()))


def is_free(confined, table, row):
    """Whether a row of that table, as it is or will be, is in none of the reads' confinements."""
    for column, values in confined[table]:
        value = None if column is None else row[READ_TABLES[table].index(column)]
        if column is None or (value is not None and text_of(value) in values):
            return False
    return True


def test_a_read_does_not_change_with_rows_that_it_is_not_confined_to(reads_house):
    rng = random.Random(SEED)
    reads = Reads(rng)
    count = confined_ones = changes = 0
    with contextlib.closing(reads_house.postgres.connect(reads_house.database)) as connection:
        cursor = connection.cursor()
        cursor.execute("SET statement_timeout = '5s'")
        while count < COUNT:
            fill_reads(cursor, rng)
            texts = [text for text in (reads.text() for _ in range(2 * BATCH)) if means_something(cursor, text)]
            assert len(texts) > BATCH / 4
            for text, said in explained(reads_house, texts):
                count += 1
                assert said["decision"] == "cacheable", (text, said)
                confined = collections.defaultdict(list)
                for read in said["reads"]:
                    confined[table_of(read["relation"])].append((read["column"], read["values"]))
                free = [table for table in READ_TABLES if all(column is not None for column, _ in confined[table])]
                if not any(confined[table] for table in free):
                    continue
                confined_ones += 1
                try:
                    before = rows_of(cursor, text)
                except psycopg2.Error:
                    continue  # such as a scalar subquery of two rows
                for _ in range(3):
                    cursor.execute("BEGIN")
                    done = change(cursor, rng, confined, free)
                    changes += len(done)
                    after = rows_of(cursor, text)
                    cursor.execute("ROLLBACK")
                    assert after == before, f"seed {SEED}: {text}\nis said to be confined: {said['reads']}\nbut: {done}"
    assert confined_ones > count / 3 and changes > count  # else it has shown little


def change(cursor, rng, confined, free):
    done = []
    for table in free:
        cursor.execute(f"SELECT ctid, * FROM {table}")
        for place, *row in cursor.fetchall():
            if is_free(confined, table, row) and rng.random() < 0.6:
                cursor.execute(f"DELETE FROM {table} WHERE ctid = %s", (place,))
                done.append(("-", table, row))
        for row in (some_row(rng) for _ in range(rng.randint(0, 4))):
            if is_free(confined, table, row):
                cursor.execute(f"INSERT INTO {table} VALUES (%s, %s, %s)", row)
                done.append(("+", table, row))
    return done


# --- writes ----------------------------------------------------------------------------------------------------------

WRITE_SCRIPT = """
CREATE TABLE a (id int PRIMARY KEY, k int UNIQUE, t text, n int DEFAULT 3);
CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a ON UPDATE CASCADE ON DELETE CASCADE, k int8 UNIQUE);
CREATE TABLE c (id int8 PRIMARY KEY, b_id int REFERENCES b ON DELETE SET NULL ON UPDATE CASCADE,
                parent int8 REFERENCES c ON DELETE CASCADE);
CREATE TABLE p (id int, r int, v int, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (3);
CREATE TABLE p2 (v int, r int NOT NULL, gone int, id int NOT NULL, PRIMARY KEY (id, r));
ALTER TABLE p2 DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (3) TO (9);
CREATE TABLE base (id int UNIQUE, k int UNIQUE);
CREATE TABLE kid (x int UNIQUE) INHERITS (base);
CREATE TABLE kid2 (k int {generated}) INHERITS (base);
CREATE TABLE log (id int, what text);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := NEW.k + 100; RETURN NEW; END $$;
CREATE TABLE tr (id int PRIMARY KEY, k int UNIQUE, v int);
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON tr FOR EACH ROW WHEN (NEW.v > 1) EXECUTE FUNCTION touch();
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO log VALUES (1, TG_OP); UPDATE a SET n = n + 1 WHERE id = NEW.v; RETURN NULL; END $$;
CREATE TRIGGER note AFTER UPDATE ON tr FOR EACH ROW EXECUTE FUNCTION note();
CREATE VIEW va AS SELECT id, k AS kk, n FROM a WHERE n > 0;
CREATE VIEW vp AS SELECT * FROM p;
CREATE TABLE ru (id int PRIMARY KEY, k int);
CREATE RULE moves AS ON UPDATE TO ru WHERE NEW.k = 2 DO INSTEAD
    UPDATE ru SET k = 50, id = OLD.id + 10 WHERE id = OLD.id;
CREATE RULE notes AS ON DELETE TO ru DO ALSO INSERT INTO log VALUES (OLD.id, 'gone');
CREATE TABLE gen (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) STORED UNIQUE,
                  i int GENERATED BY DEFAULT AS IDENTITY UNIQUE, d int DEFAULT 5 UNIQUE);
CREATE FUNCTION remove(x int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM c WHERE id = x; RETURN x; END $$;
CREATE TABLE vt (id varchar(4) PRIMARY KEY, b bool UNIQUE, v int);
"""
# Since 16 a child's column is generated only if its parent's is.
WRITE_SCRIPT = WRITE_SCRIPT.replace("{generated}", "GENERATED ALWAYS AS (id * 2) STORED" if harness.PG_VERSION < 16 else "")
WRITE_TABLES = {"a": "id k t n", "b": "id a_id k", "c": "id b_id parent", "p": "id r v", "p1": "id r v", "p2": "v r id",
                "base": "id k", "kid": "id k x", "kid2": "id k", "log": "id what", "tr": "id k v", "ru": "id k",
                "gen": "id g i d", "vt": "id b v"}
WRITE_TABLES = {name: columns.split() for name, columns in WRITE_TABLES.items()}
WRITE_VIEWS = {"va": ["id", "kk", "n"], "vp": ["id", "r", "v"]}
ABOVE = {"p1": ["p"], "p2": ["p"], "kid": ["base"], "kid2": ["base"]}


class Writes:
    """Random INSERTs, UPDATEs, DELETEs, MERGEs and those in CTEs."""

    def __init__(self, rng):
        self.rng = rng

    def chance(self, part):
        return self.rng.random() < part

    def value(self, table, column):
        if table == "vt" and column == "id":
            return self.rng.choice(["'ab'", "'cd'", "'ab  '", "'abcd   '", "'x'::text", "'AB'::varchar"])
        if table == "vt" and column == "b":
            return self.rng.choice(["true", "false", "'t'", "'f'", "NULL", "'yes'"])
        if column in ("t", "what"):
            return self.rng.choice(["'x'", "'y'", "'X'", "' x'", "'x '"])
        form = self.rng.choice(["{}"] * 5 + ["'{}'", "{}::int", "{} + 1", "NULL", "'0{}'", "{}.0"])
        return form.format(self.rng.randrange(6))

    def given(self, table, column):
        return "DEFAULT" if self.chance(0.08) else self.value(table, column)

    def condition(self, table, alias, columns, other):
        column = self.rng.choice(columns)
        one, value = f"{alias}.{column}", self.value(table, column)
        if other and self.chance(0.4):
            return f"{one} = o.{self.rng.choice(WRITE_TABLES[other])}"
        return self.rng.choices([f"{one} = {value}", f"{one} IN ({value}, {self.value(table, column)})",
                                 f"({one} = {value} OR {alias}.{column} = {self.value(table, column)})",
                                 f"NOT {one} = {value}", f"EXISTS (SELECT FROM a WHERE a.id = {one})",
                                 f"{one} IS NULL"], [70, 10, 5, 5, 5, 5])[0]

    def conditions(self, table, alias, columns, other=None):
        all_of_them = [self.condition(table, alias, columns, other) for _ in range(self.rng.choice([1, 1, 2, 3]))]
        if other and self.chance(0.7):
            all_of_them.append(self.condition(other, "o", WRITE_TABLES[other], None))
        return " AND ".join(all_of_them)

    def text(self):
        kind = self.rng.choices([self.insert, self.update, self.delete, self.merge, self.two], [30, 35, 25, 6, 4])[0]
        table = self.rng.choice([*WRITE_TABLES, *WRITE_VIEWS])
        alias = self.rng.choice([table, "x"])
        return kind(table, WRITE_TABLES.get(table) or WRITE_VIEWS[table], table if alias == table else f"{table} AS x", alias)

    def insert(self, table, columns, _, __):
        listed = self.chance(0.5)
        given = self.rng.sample(columns, self.rng.randint(1, len(columns))) if listed else columns
        text = f"INSERT INTO {table} {'(' + ', '.join(given) + ')' if listed else ''} "
        if self.chance(0.1):
            text += f"SELECT {', '.join(self.value(table, column) for column in given)}"
        else:
            rows = [", ".join(self.given(table, column) for column in given) for _ in range(self.rng.choice([1, 1, 2]))]
            text += self.rng.choice([""] * 6 + ["OVERRIDING USER VALUE ", "OVERRIDING SYSTEM VALUE "])
            text += f"VALUES ({'), ('.join(rows)})"
        if self.chance(0.15):
            return f"{text} ON CONFLICT DO NOTHING"
        if self.chance(0.5):
            target = "id, r" if table in ("p", "p1", "p2", "vp") else self.rng.choice(columns)
            column = self.rng.choice(columns)
            value = self.rng.choice([self.given(table, column), f"EXCLUDED.{self.rng.choice(columns)}"])
            text += f" ON CONFLICT ({target}) DO UPDATE SET {column} = {value}"
            if self.chance(0.3):
                text += f" WHERE {self.conditions(table, table, columns)}"
        return text

    def update(self, table, columns, named, alias):
        assigned = self.rng.sample(columns, self.rng.choice([1, 1, 2]))
        text = f"UPDATE {named} SET {', '.join(f'{column} = {self.given(table, column)}' for column in assigned)}"
        other = self.rng.choice(["a", "b", "c"]) if self.chance(0.25) else None
        return f"{text}{f' FROM {other} o' if other else ''} WHERE {self.conditions(table, alias, columns, other)}"

    def delete(self, table, columns, named, alias):
        if self.chance(0.05):
            return f"DELETE FROM {named} WHERE remove({self.rng.randrange(6)}) = 1"
        other = self.rng.choice(["a", "b", "c"]) if self.chance(0.25) else None
        using = f" USING {other} o" if other else ""
        return f"DELETE FROM {named}{using} WHERE {self.conditions(table, alias, columns, other)}"

    def merge(self, table, columns, named, alias):
        other, column = self.rng.choice(["a", "b", "c"]), self.rng.choice(columns)
        then = self.rng.choice(["DELETE", f"UPDATE SET {column} = {self.given(table, column)}"])
        text = (f"MERGE INTO {named} USING {other} o ON {self.conditions(table, alias, columns, other)} "
                f"WHEN MATCHED {self.rng.choice(['', 'AND o.id > 1 '])}THEN {then}")
        if self.chance(0.5):
            text += f" WHEN NOT MATCHED THEN INSERT VALUES ({', '.join(self.value(table, one) for one in columns)})"
        return text

    def two(self, *_):
        first, second = self.text(), self.text()
        if first.startswith(("MERGE", "WITH")) or second.startswith("WITH"):
            return first
        return f"WITH q AS ({first}) {second}"


def fill_writes(cursor, rng):
    def some(most=6):
        return rng.randrange(most)
    cursor.execute("TRUNCATE a, b, c, p, base, log, tr, ru, gen, vt")
    inserts = [("a", lambda: (some(), some(), "x", some(4))), ("b", lambda: (some(), some(), some())),
               ("c", lambda: (some(), some(), rng.choice([None, some()]))), ("p", lambda: (some(), some(), some())),
               ("base", lambda: (some(), some())), ("kid", lambda: (some(), some(), some())), ("kid2", lambda: (some(),)),
               ("tr", lambda: (some(), some(), some())), ("ru", lambda: (some(), some())),
               ("gen (id, d)", lambda: (some(), some())), ("vt", lambda: (rng.choice(["ab", "cd", "x"]),
                                                                         rng.choice([True, False, None]), 1))]
    for table, row in inserts:
        for _ in range(6):
            values = row()
            try:
                cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(values))})", values)
            except psycopg2.Error:
                pass  # a key that is there already, or one that is not


def everything(cursor):
    found = {}
    for table, columns in WRITE_TABLES.items():
        cursor.execute(f"SELECT {', '.join(columns)} FROM {'ONLY ' if table == 'base' else ''}{table}")
        found[table] = collections.Counter(cursor.fetchall())
    return found


@pytest.fixture(scope="module")
def writes_house(postgres):
    made = house_of(postgres, WRITE_SCRIPT, ["a_id", "b_id", "parent", "r", "v", "n"])
    yield made
    made.close()


def test_a_write_changes_only_rows_that_it_is_confined_to(writes_house):
    rng = random.Random(SEED)
    writes = Writes(rng)
    count = changed = held = 0
    with contextlib.closing(writes_house.postgres.connect(writes_house.database)) as connection:
        cursor = connection.cursor()
        while count < COUNT:
            fill_writes(cursor, rng)
            before = everything(cursor)
            for text, said in explained(writes_house, [writes.text() for _ in range(BATCH)]):
                count += 1
                try:
                    cursor.execute("BEGIN")
                    cursor.execute(text)
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                except psycopg2.Error:
                    cursor.execute("ROLLBACK")
                    continue
                after = everything(cursor)
                cursor.execute("ROLLBACK")
                written = {table_of(write["relation"]): write for write in said["writes"]}
                for table, columns in WRITE_TABLES.items():
                    gone, new = before[table] - after[table], after[table] - before[table]
                    if not gone and not new:
                        continue
                    changed += 1
                    for relation in [table, *ABOVE.get(table, [])]:
                        assert relation in written, f"seed {SEED}: {text}\nchanges {relation}, which is not said"
                        held += hold(written[relation], columns, before[table], gone, new, text)
    assert changed > count / 10 and held > count / 20  # else it has shown little


def hold(write, columns, before, gone, new, text):
    """How many values were found to be among those that were claimed."""
    held = 0
    slots = {slot["column"]: slot["values"] for slot in write["slots"]}
    for column in set(slots) | set(write["fresh"]):
        if column in write["wide"] or column not in columns:
            continue
        at = columns.index(column)
        there = {row[at] for row in before}
        for row in [*gone, *new]:
            if row[at] is None or text_of(row[at]) in slots.get(column, []):
                held += row[at] is not None
                continue
            is_fresh = column in write["fresh"] and row in new and row[at] not in there
            assert is_fresh, f"seed {SEED}: {text}\nchanges {row}, which is outside of what is said: {write}"
    return held
