"""What `pgmemo explain` claims of reads and writes, held against what PostgreSQL itself knows of them.

Schemas and statements are those of the differential fuzzer (fuzz/). Of a read that pgmemo would cache, the server says twice what
it depends on: in pg_depend, when it is made a view, and by the tables that are scanned when it runs, also inside of functions and
policies. Of a write, the server counts the rows that changed in each table, whatever trigger, foreign key, rule or partition
changed them, and knows the tables whose files are others afterwards (TRUNCATE, REFRESH). pgmemo has to name all of these.

PGMEMO_DEPENDS=SEED:SCHEMAS:STATEMENTS runs so many statements of each kind on so many schemas, from that seed on.
"""
import collections
import itertools
import json
import os
import random
import re

import pytest

from fuzz.replies import Link, has_failed, readable
from fuzz.schema import ROWS, Builder
from fuzz.writes import Writer
from harness import SLOWNESS, run_pgmemo

SEED, SCHEMAS, STATEMENTS = (int(part) for part in os.environ.get("PGMEMO_DEPENDS", f"1:{max(3 // SLOWNESS, 1)}:80").split(":"))
BATCH = 100
VIEWPOINTS = [("postgres", "app, alt"), ("fuzz_r1", '"$user", app, alt')]

_marks = (f"dp{number:02}_" for number in itertools.count())

# Bodies that are strings depend on nothing that the server would know. A twin of each whose body is parsed when it is made does.
TWINS = """
CREATE TEMP TABLE twins (original oid, twin oid);
DO $twins$
DECLARE f record; path text := current_setting('search_path');
BEGIN
    FOR f IN SELECT p.oid, p.prosrc, substring(array_to_string(p.proconfig, '|') from 'search_path=([^|]*)') AS own_path
             FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
             WHERE l.lanname = 'sql' AND p.prosqlbody IS NULL AND p.provolatile <> 'v' AND p.oid >= 16384 LOOP
        PERFORM set_config('search_path', coalesce(f.own_path, path), true);
        EXECUTE format('CREATE FUNCTION pg_temp.twin_%s(%s) RETURNS %s BEGIN ATOMIC %s; END',
                       f.oid, pg_get_function_arguments(f.oid), pg_get_function_result(f.oid), f.prosrc);
        INSERT INTO twins VALUES (f.oid, ('pg_temp.twin_' || f.oid)::regproc);
        PERFORM set_config('search_path', path, true);
    END LOOP;
END $twins$
"""

DEPENDS = """
WITH RECURSIVE needed (class, object) AS (
    SELECT 'pg_class'::regclass::oid, 'pg_temp.asked'::regclass::oid
    UNION
    SELECT found.class, found.object FROM needed, LATERAL (
        SELECT d.refclassid, d.refobjid FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            WHERE needed.class = 'pg_class'::regclass AND r.ev_class = needed.object AND c.relkind = 'v' AND r.ev_type = '1'
        UNION ALL
        SELECT d.refclassid, d.refobjid FROM pg_depend d
            WHERE needed.class IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass)
            AND d.classid = needed.class AND d.objid = needed.object
        UNION ALL
        SELECT needed.class, t.twin FROM twins t WHERE needed.class = 'pg_proc'::regclass AND t.original = needed.object
    ) AS found (class, object))
SELECT 'relation', n.nspname || '.' || c.relname FROM needed JOIN pg_class c ON c.oid = object
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE class = 'pg_class'::regclass AND c.relkind <> 'v'
UNION ALL
SELECT 'function', p.oid::text FROM needed JOIN pg_proc p ON p.oid = object JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE class = 'pg_proc'::regclass AND n.nspname !~ '^pg_temp'
"""

# Those of a partition or child, apart by spaces.
ANCESTORS = """
WITH RECURSIVE above (low, high) AS (
    SELECT inhrelid, inhparent FROM pg_inherits UNION SELECT low, inhparent FROM above JOIN pg_inherits ON inhrelid = high)
SELECT n.nspname || '.' || c.relname, string_agg(o.nspname || '.' || p.relname, ' ')
FROM above JOIN pg_class c ON c.oid = low JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class p ON p.oid = high JOIN pg_namespace o ON o.oid = p.relnamespace GROUP BY 1
"""

SPOILT = """
SELECT oid::regprocedure, pg_get_functiondef(oid),
       format('CREATE OR REPLACE FUNCTION %s(%s) RETURNS %s LANGUAGE plpgsql AS %L', pronamespace::regnamespace || '.' || proname, pg_get_function_arguments(oid),
              pg_get_function_result(oid), format('BEGIN PERFORM random(); RETURN%s; END', CASE WHEN NOT proretset THEN ' NULL' END))
FROM pg_proc WHERE oid = {}
"""

# Counters of a transaction may still hold those of the ones before it: what counts is by how much they grow.
ACTIVITY = """
SELECT s.schemaname || '.' || s.relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0), n_tup_ins + n_tup_upd + n_tup_del,
       c.relfilenode
FROM pg_stat_xact_all_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.schemaname !~ '^pg_|^information_schema$'
"""

CONTENTS = """
SELECT string_agg(format('SELECT %L, md5(string_agg(t::text, ''|'' ORDER BY t::text)) FROM ONLY %I.%I t', n.nspname || '.' || c.relname,
                         n.nspname, c.relname), ' UNION ALL ')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND c.relispopulated
    AND n.nspname !~ '^pg_|^information_schema$'
"""


def rows(reply):
    assert not has_failed(reply), readable(reply)
    return [_columns(body) for kind, body in reply if kind == b"D"]


def _columns(body):
    found, at = [], 2
    for _ in range(int.from_bytes(body[:2], "big")):
        size = int.from_bytes(body[at:at + 4], "big", signed=True)
        found.append(None if size < 0 else body[at + 4:at + 4 + size].decode())
        at += 4 + max(size, 0)
    return found


class Place:
    """A database with a schema of the fuzzer's."""

    def __init__(self, postgres, seed):
        self.postgres = postgres
        self.rng = random.Random(seed)
        self.builder = Builder(self.rng).build()
        self.grammar = self.builder.grammar
        self.grammar.rows = self.rng.sample(range(1, ROWS + 1), 4)
        self.mark = next(_marks)
        self.links = []
        postgres.run(f"CREATE DATABASE {self.mark}")
        link = self.link("postgres", "public")
        for step in self.builder.steps:
            if step.action == "query":
                link.ask(step)

    def own(self, text):
        """With the names that this database has for what a cluster shares."""
        return text.replace("fuzz_", self.mark)

    def link(self, user, path):
        link = Link(self.postgres.port, self.mark, self.mark, {"user": user})
        rows(link.run(f"SET search_path = {path}"))
        self.links.append(link)
        return link

    def explain(self, user, path, texts):
        """What pgmemo says of each."""
        objects = []
        for at in range(0, len(texts), BATCH):
            code, said = run_pgmemo("explain", "--upstream", self.postgres.uri(self.mark), "--user", self.own(user), "--set",
                                    "search_path=" + self.own(path), "--format", "json", "--", *map(self.own, texts[at:at + BATCH]))
            assert code == 0, said
            objects += [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert len(objects) == len(texts)
        return objects

    def choose_row(self):
        self.grammar.row = self.rng.choice(self.grammar.rows)

    def close(self):
        for link in self.links:
            link.close()
        self.postgres.run(f"DROP DATABASE {self.mark} WITH (FORCE)")
        for name, in self.postgres.run(f"SELECT rolname FROM pg_roles WHERE rolname ~ '^{self.mark}'"):
            self.postgres.run(f"DROP ROLE {name}")


@pytest.fixture(params=range(SEED, SEED + SCHEMAS))
def place(postgres, request):
    made = Place(postgres, request.param)
    yield made
    made.close()


def activity(link):
    """{relation: (scans, rows written, file)} so far."""
    return {name: (int(scans), int(written), file) for name, scans, written, file in rows(link.run(ACTIVITY))}


def grown(before, after, which):
    return {name for name, counts in after.items() if name in before and counts[which] != before[name][which]}


# --- reads -----------------------------------------------------------------------------------------------------------

@pytest.fixture(params=VIEWPOINTS, ids=[user for user, _ in VIEWPOINTS])
def viewpoint(request):
    return request.param


def server_says(link, sql):
    """(relations, functions, relations scanned) of a read, or None if it cannot be made a view or fails."""
    link.run("BEGIN")
    try:
        if has_failed(link.run(f"CREATE TEMP VIEW asked AS {sql}")):
            return None
        found = rows(link.run(DEPENDS))
        before = activity(link)
        if has_failed(link.run(sql)):
            scanned = set()  # what it depends on is known nevertheless
        else:
            scanned = grown(before, activity(link), 0)
    finally:
        link.run("ROLLBACK")
    return {name for what, name in found if what == "relation"}, {name for what, name in found if what == "function"}, scanned


def test_a_cacheable_read_names_all_that_the_server_says_it_depends_on(place, viewpoint):
    texts = []
    for _ in range(STATEMENTS):
        place.choose_row()
        texts.append(place.grammar.read().text)
    explained = place.explain(*viewpoint, texts)
    link = place.link(*viewpoint)
    rows(link.run(TWINS))
    ancestors = dict(rows(link.run(ANCESTORS)))
    compared, wrong, callers = 0, [], collections.defaultdict(list)
    for sql, said in zip(texts, explained):
        if said["decision"] != "cacheable":
            continue
        truth = server_says(link, sql)
        if truth is None:
            continue
        relations, functions, scanned = truth
        named = {one["relation"] for one in said["reads"]}
        # A write to a part moves the whole as well, so the whole that is read stands for its parts.
        missing = relations - named | {name for name in scanned if not named & {name, *ancestors.get(name, "").split()}}
        if missing:
            wrong.append(f"{sql}\n    depends on {sorted(missing)}, of which explain says nothing: {sorted(named)}")
        for function in functions:
            callers[function].append(sql)
        compared += 1
    assert not wrong, "\n".join(wrong)
    assert compared >= STATEMENTS // 2, f"only {compared} of {STATEMENTS} reads were compared"
    check_functions(place, viewpoint, callers)


def check_functions(place, viewpoint, callers):
    """explain does not name the functions that it has seen through. But once one of them is another, of which nothing can be cached,
    nothing that depends on it is: so it was looked at."""
    owner = place.links[0]
    for function, texts in callers.items():
        (name, was, spoilt), = rows(owner.run(SPOILT.format(function)))
        rows(owner.run(spoilt))
        wrong = [sql for sql, said in zip(texts, place.explain(*viewpoint, texts)) if said["decision"] == "cacheable"]
        rows(owner.run(was))
        assert not wrong, f"{name} draws lots now, and yet these are cacheable:\n" + "\n".join(wrong)


# --- writes ----------------------------------------------------------------------------------------------------------

ENDS_TRANSACTION = re.compile(r"\b(COMMIT|ROLLBACK|CALL)\b|^BEGIN\b")


def moved_in_transaction(link, step):
    """The relations that it has changed, with what was put off until the end of the transaction; None if it fails."""
    before = activity(link)
    if has_failed(link.ask(step)):
        return None
    after = activity(link)
    moved = grown(before, after, 1) | grown(before, after, 2)
    link.run("SAVEPOINT undeferred")
    if has_failed(link.run("SET CONSTRAINTS ALL IMMEDIATE")):
        link.run("ROLLBACK TO undeferred")
        return moved
    return moved | grown(before, activity(link), 1)


def moved_by_content(owner, link, step):
    """The same of what ends transactions itself: what is left of it."""
    (query,), = rows(owner.run(CONTENTS))
    before = dict(rows(owner.run(query)))
    failed = has_failed(link.ask(step))
    if link.status != "I":
        link.run("ROLLBACK")
    after = dict(rows(owner.run(query)))
    moved = {name for name in before if before[name] != after[name]}
    return None if failed and not moved else moved


def test_a_write_names_all_that_the_server_sees_it_change(place, viewpoint):
    link = place.link(*viewpoint)
    writer = Writer(place.rng, place.builder)
    writes = []
    for _ in range(STATEMENTS):
        place.choose_row()
        writes.append(writer.steps(0))
    texts = list(dict.fromkeys(text for steps in writes for step in steps for text in step.texts()))
    explained = dict(zip(texts, place.explain(*viewpoint, texts)))
    compared, wrong = collections.Counter(), []
    for steps in writes:
        ends = any(ENDS_TRANSACTION.search(step.text) for step in steps)
        if not ends:
            link.run("BEGIN")
        for step in steps:
            moved = moved_by_content(place.links[0], link, step) if ends else moved_in_transaction(link, step)
            if moved is None:
                break
            said = [explained[text] for text in step.texts()]
            if any(one["moves_database"] for one in said):
                compared["of unknown extent"] += 1
                continue
            compared["known" if moved else "nothing"] += 1
            named = {write["relation"] for one in said for write in one["writes"]}
            if missing := moved - named:
                wrong.append(f"{step}\n    changes {sorted(missing)}, of which explain says nothing: {sorted(named)}")
        if not ends:
            link.run("ROLLBACK")
    assert not wrong, "\n".join(wrong)
    assert compared["known"] >= STATEMENTS // 5, f"of {len(writes)} writes hardly any was compared: {compared}"
