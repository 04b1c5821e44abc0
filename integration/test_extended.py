"""Hits in the extended protocol: what pgmemo answers by itself is what PostgreSQL answers, byte for byte.

Every script is said several times in each of two sessions, to pgmemo and directly: the first time it may fill, later it may
hit, and the second session has prepared nothing upstream.
"""
import struct

import pytest

import harness
import wire
from wire import FLUSH, SYNC, bind, close, describe, execute, parse, query

SCHEMA = """
CREATE TABLE items (id int PRIMARY KEY, name text, price numeric, made date, tags text[]);
INSERT INTO items SELECT i, 'item ' || i, i * 1.5, date '2020-01-01' + i, ARRAY['a', 'b' || i] FROM generate_series(1, 20) i;
INSERT INTO items (id) VALUES (21);
CREATE TABLE notes (id int PRIMARY KEY, item int, note text);
INSERT INTO notes SELECT i, i % 5, 'note ' || i FROM generate_series(1, 50) i;
CREATE TABLE log (id serial PRIMARY KEY, said text);
"""

ONE = "SELECT name FROM items WHERE id = $1"
ALL = "SELECT * FROM items ORDER BY id"
INT4, TEXT = 23, 25


def binary_int(value):
    return struct.pack("!i", value)


def bind_raw(portal, statement, formats, values, results=()):
    body = wire.text(portal) + wire.text(statement) + struct.pack(f"!h{len(formats)}h", len(formats), *formats)
    body += struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return wire.message("B", body + struct.pack(f"!h{len(results)}h", len(results), *results))


def run(sql=ONE, values=(1,), results=(), name="", portal="", shown=True):
    """Parse to Execute, without Sync."""
    return (parse(name, sql) + bind(portal, name, values, results) + (describe("P", portal) if shown else b"")
            + execute(portal))


# name: (bytes, whether the last time must hit). A Sync in it brings one ReadyForQuery each, a Query too.
SCRIPTS = {
    "unnamed": (run() + SYNC, True),
    "not described": (run(shown=False) + SYNC, True),
    "described after it was stored without": (run(shown=False, values=(3,)) + SYNC + run(values=(3,)) + SYNC, True),
    "described as a statement": (parse("", ONE) + describe("S") + bind("", "", (2,)) + execute() + SYNC, True),
    "prepare apart": (parse("", ONE) + describe("S") + SYNC + bind("", "", (2,)) + describe("P") + execute() + SYNC, True),
    "no rows": (run(values=(99,)) + SYNC, True),
    "null": (run(values=(None,)) + SYNC, True),
    "empty text": (run("SELECT id FROM items WHERE name = $1", ("",)) + SYNC, True),
    "many columns": (run(ALL, ()) + SYNC, True),
    "binary results": (run(ALL, (), (1,)) + SYNC, True),
    "a format for each column": (run("SELECT id, name, price FROM items WHERE id < 5 ORDER BY 1", (), (1, 0, 1)) + SYNC, True),
    "formats made of the statement's description": (
        parse("", ALL) + bind("", "", (), (1,)) + execute() + SYNC
        + parse("", ALL) + bind("", "", (), (1,)) + describe("P") + execute() + SYNC, True),
    "binary parameter": (parse("", ONE, (INT4,)) + bind_raw("", "", (1,), (binary_int(4),)) + describe("P") + execute()
                         + SYNC, True),
    "declared type": (parse("", ONE, (INT4,)) + describe("S") + bind("", "", (4,)) + execute() + SYNC, True),
    "array parameter": (run("SELECT name FROM items WHERE id = ANY($1) ORDER BY 1", ("{1,2,3}",)) + SYNC, True),
    "two of one group": (run() + run(values=(2,)) + SYNC, True),
    "one text twice, one statement": (parse("", ONE) + bind("", "", (1,)) + execute() + bind("", "", (2,)) + execute()
                                      + SYNC, True),
    "groups behind one another": (run() + SYNC + run(values=(2,)) + SYNC + run(values=(3,)) + SYNC, True),
    "named portal": (run(portal="p") + SYNC, True),
    "portal closed": (run() + close("P") + SYNC, True),
    "statement closed in its group": (run(name="n") + close("S", "n") + SYNC, True),
    "close of what is not there": (close("S", "nothing") + close("P", "nothing") + SYNC, False),
    "sync alone": (SYNC + SYNC, False),
    "flush behind describe": (parse("", ONE) + describe("S") + FLUSH + bind("", "", (5,)) + execute() + SYNC, True),
    "flush behind execute": (run() + FLUSH + SYNC, False),
    "nothing but parse": (parse("", ONE) + SYNC, False),
    "bind without execute": (parse("", ONE) + bind("", "", (1,)) + SYNC, False),
    "empty statement": (run("", ()) + SYNC, False),
    "a write's description": (parse("", "INSERT INTO log (said) VALUES ($1)") + describe("S") + SYNC, False),
    "executed again": (run() + execute() + SYNC, False),
    "executed again in the next group": (run() + SYNC + execute() + SYNC, False),
    "described again in the next group": (run() + SYNC + describe("P") + SYNC, False),
    "some rows": (parse("", ALL) + bind("", "") + execute("", 5) + execute("", 5) + execute("", 0) + execute("", 0) + SYNC,
                  False),
    "as many rows as asked for": (parse("", ONE) + bind("", "", (1,)) + execute("", 1) + execute("", 1) + SYNC, False),
    "begin and commit": (run("BEGIN", (), shown=False) + run() + SYNC + run(values=(2,)) + SYNC
                         + run("COMMIT", (), shown=False) + SYNC, True),
    "begin described": (run("BEGIN", ()) + SYNC + run() + SYNC + run("ROLLBACK", ()) + SYNC, True),
    "begin, read and commit in one": (run("BEGIN", ()) + run() + run("COMMIT", ()) + SYNC, True),
    "commit without begin": (run("COMMIT", ()) + SYNC, False),
    "begin twice": (run("BEGIN", ()) + SYNC + run("BEGIN", ()) + SYNC + run("COMMIT", ()) + SYNC, False),
    "begin behind a read": (run() + run("BEGIN", ()) + SYNC + run("COMMIT", ()) + SYNC, False),
    "set transaction behind a read": (run("BEGIN", ()) + SYNC + run() + SYNC
                                      + run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", ()) + SYNC
                                      + run("ROLLBACK", ()) + SYNC, False),
    "repeatable read": (query("BEGIN ISOLATION LEVEL REPEATABLE READ") + run() + SYNC + query("COMMIT"), False),
    "portals in a transaction": (query("BEGIN") + run() + SYNC + execute() + SYNC + run(portal="p") + SYNC + execute("p")
                                 + SYNC + close("P", "p") + SYNC + execute("p") + SYNC + query("ROLLBACK"), False),
    "unnamed portal closed in a transaction": (query("BEGIN") + run() + close("P") + SYNC + execute() + SYNC
                                               + query("ROLLBACK"), False),
    "unnamed portal behind a query": (query("BEGIN") + run() + SYNC + query("SELECT 1") + execute() + SYNC
                                      + query("ROLLBACK"), False),
    "hit behind a failed transaction": (query("BEGIN") + run("SELECT 1 / 0", ()) + SYNC + run() + SYNC + query("ROLLBACK")
                                        + run() + SYNC, True),
    "own write": (query("BEGIN") + run("SELECT count(*) FROM log", ()) + SYNC
                  + run("INSERT INTO log (said) VALUES ('x')", ()) + SYNC + run("SELECT count(*) FROM log", ()) + SYNC
                  + query("ROLLBACK") + run("SELECT count(*) FROM log", ()) + SYNC, True),
    "unnamed behind a query": (parse("", ONE) + SYNC + query("SELECT 1") + bind("", "", (1,)) + execute() + SYNC, False),
    "unnamed behind a query that hits": (query("SELECT name FROM items WHERE id = 1") + run() + SYNC
                                         + query("SELECT name FROM items WHERE id = 1") + bind("", "", (1,)) + execute()
                                         + SYNC, True),
    "unnamed behind a parse that failed": (run() + SYNC + parse("", "SELEC") + SYNC + bind("", "", (1,)) + execute() + SYNC,
                                           False),
    "unnamed behind a parse that was skipped": (run() + SYNC + bind("", "none") + parse("", "SELECT 1") + SYNC
                                                + bind("", "", (1,)) + execute() + SYNC, True),
    "names live through errors": (run(name="n") + SYNC + run("SELECT 1 / 0", ()) + SYNC + bind("", "n", (1,)) + execute()
                                  + SYNC + close("S", "n") + SYNC, True),
    "a name given twice": (run(name="n") + SYNC + run(name="n") + SYNC + bind("", "n", (1,)) + execute() + SYNC
                           + close("S", "n") + SYNC, True),
    "a name closed and given anew": (run(name="n") + SYNC + close("S", "n") + run(ALL, (), name="n") + SYNC
                                     + close("S", "n") + SYNC, True),
    "a name closed and asked for": (run(name="n") + SYNC + close("S", "n") + SYNC + bind("", "n", (1,)) + execute() + SYNC,
                                    False),
    "a portal that lives while its statement is closed": (parse("n", ONE) + bind("", "n", (1,)) + close("S", "n")
                                                          + execute() + SYNC, False),
    "an error in the middle": (run() + run("SELECT 1 / 0", ()) + run() + SYNC + run() + SYNC, True),
    "a read and a write": (run() + run("INSERT INTO log (said) VALUES ('x')", ()) + SYNC, False),
    "sql prepares": (query("PREPARE sp AS SELECT 1") + bind("", "sp") + execute() + SYNC + parse("sp", ONE) + SYNC
                     + query("DEALLOCATE sp") + parse("sp", ONE) + SYNC + close("S", "sp") + SYNC, False),
    "sql executes": (parse("n", "SELECT name FROM items WHERE id = 1") + SYNC + query("EXECUTE n") + query("DEALLOCATE n")
                     + bind("", "n") + execute() + SYNC, False),
    "sql executes by the extended protocol": (parse("n", "SELECT name FROM items WHERE id = 1") + SYNC
                                              + run("EXECUTE n", ()) + SYNC + run("DEALLOCATE n", ()) + SYNC, False),
    "sql lists": (parse("n", ONE) + SYNC + query("SELECT name, statement FROM pg_prepared_statements ORDER BY 1")
                  + close("S", "n") + SYNC, False),
    "deallocate all": (parse("n", ONE) + SYNC + run("DEALLOCATE ALL", ()) + SYNC + bind("", "n", (1,)) + SYNC, False),
    "discard all": (parse("n", ONE) + SYNC + query("DISCARD ALL") + bind("", "n", (1,)) + SYNC, False),
    "a cursor's name": (query("BEGIN") + query("DECLARE c CURSOR FOR SELECT 1") + describe("P", "c") + execute("c") + SYNC
                        + close("P", "c") + SYNC + execute("c") + SYNC + query("ROLLBACK"), False),
    "too few values": (run() + SYNC + parse("", ONE) + bind("", "", ()) + execute() + SYNC, True),
    "too many formats": (run() + SYNC + parse("", ONE) + bind("", "", (1,), (0, 0)) + execute() + SYNC, True),
    "no such format": (parse("", ONE) + bind("", "", (1,), (7,)) + execute() + SYNC, False),
    "not a number": (parse("", ONE) + bind("", "", ("x",)) + execute() + SYNC, False),
    "left over in parse": (wire.message("P", wire.text("") + wire.text(ONE) + b"\0\0left") + SYNC, False),
    "left over in bind": (parse("", ONE) + wire.message("B", b"\0\0\0\0\0\1\0\0\0\1" + b"1\0\0left") + execute() + SYNC, False),
    "left over in execute": (parse("", ONE) + bind("", "", (1,)) + wire.message("E", b"\0\0\0\0\0x") + SYNC, False),
    "two statements": (parse("", "SELECT 1; SELECT 2") + SYNC, False),
    "describe of what is not there": (describe("S", "none") + SYNC + describe("P", "none") + SYNC, False),
    "describe of another kind": (wire.message("D", b"X\0") + SYNC, False),
    "close of another kind": (wire.message("C", b"X\0") + SYNC, False),
    "settings in between": (run("SELECT made FROM items WHERE id = 1", ()) + SYNC + query("SET DateStyle = 'German'")
                            + run("SELECT made FROM items WHERE id = 1", ()) + SYNC + query("RESET DateStyle"), False),
    "a long text": (run("SELECT name FROM items WHERE id = 1 OR name = '" + "x" * 70_000 + "'", ()) + SYNC, False),
    "a long value": (run("SELECT id FROM items WHERE name = $1", ("x" * 70_000,)) + SYNC, False),
    "a long group": (b"".join(run(values=(i % 20,)) for i in range(90)) + SYNC, False),
}


@pytest.fixture(scope="module")
def house(postgres):
    found = harness.House(postgres, SCHEMA)
    yield found
    found.close()


@pytest.fixture
def pairs(house):
    yield lambda: house.pair()
    house.close_pairs()


def groups(data):
    """Cut behind each Sync and Query."""
    found, begin, at = [], 0, 0
    while at < len(data):
        ends = data[at:at + 1] in (b"S", b"Q")
        at += 1 + struct.unpack_from("!i", data, at + 1)[0]
        if ends:
            found.append(data[begin:at])
            begin = at
    return found


def replies(data):
    return len(groups(data))


def hits(house):
    return house.pgmemo.metrics().sum("pgmemo_queries_total", decision="hit")


def warmed(pairs, house):
    pair = pairs()
    pair.warm("SELECT name FROM items WHERE id = 20")
    return pair


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_reply_is_postgresqls(house, pairs, name):
    script, must_hit = SCRIPTS[name]
    for _ in range(2):
        pair = warmed(pairs, house)
        for _ in range(2):
            pair.both_bytes(script, replies(script))
        for _ in range(2):  # what is behind something unanswered is forwarded: each group by itself
            before = hits(house)
            for group in groups(script):
                pair.both_bytes(group)
        if must_hit:
            harness.eventually(lambda: hits(house) > before, f"{name} hits")


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_reply_is_postgresqls_however_it_is_cut(house, pairs, name):
    script, _ = SCRIPTS[name]
    if len(script) > 3000:
        pytest.skip("byte by byte it would be thousands of writes")
    pair = warmed(pairs, house)
    count = replies(script)
    for size in (len(script), 1, 7):
        pair.judge.send(script)
        pair.through.send_cut(script, size)
        expected, got = ([one for _ in range(count) for one in side.until("Z")] for side in (pair.judge, pair.through))
        assert pair.reply(got) == pair.reply(expected), size


def test_a_group_that_hits_sends_nothing_upstream(house, pairs):
    pair = warmed(pairs, house)
    script = run(values=(7,)) + SYNC
    for _ in range(3):
        pair.both_bytes(script)
    sent = lambda: house.pgmemo.metrics().sum("pgmemo_bytes_total", side="upstream", direction="out")  # noqa: E731
    before, had = sent(), hits(house)
    for _ in range(50):
        pair.through.ask(script)
    harness.eventually(lambda: hits(house) == had + 50, "all hit")
    assert sent() == before


def test_a_statement_prepared_here_is_refused_when_its_columns_change(house, pairs):
    first, second = warmed(pairs, house), pairs()
    first.write("CREATE TABLE wide (id int PRIMARY KEY, a text)")
    first.write("INSERT INTO wide VALUES (1, 'x')")
    first.warm("SELECT * FROM wide")
    prepare = parse("s", "SELECT * FROM wide") + describe("S", "s") + SYNC
    execution = bind("", "s") + execute() + SYNC
    for pair in (first, second):
        pair.both_bytes(prepare)
    first.both_bytes(execution)
    first.write("ALTER TABLE wide ADD COLUMN b int")
    first.warm("SELECT count(*) FROM wide")
    for pair in (first, second):
        pair.judge.send(execution)
        pair.through.send(execution)
        expected, got = pair.judge.until("Z"), pair.through.until("Z")
        assert wire.kinds(got) == wire.kinds(expected) == "EZ"
        for field in "SVCMR":
            assert got[0].fields().get(field) == expected[0].fields().get(field)
        # The same name is prepared anew, as drivers do.
        pair.both_bytes(close("S", "s") + parse("s", "SELECT * FROM wide") + describe("S", "s") + SYNC)
        pair.both_bytes(execution)


def test_a_statement_whose_columns_change_is_prepared_anew_for_a_client_that_asks_for_them(house, pairs):
    """libpq's PQexecPrepared describes the portal each time: it need not hear of it, be the statement the server's or pgmemo's own."""
    first, second = warmed(pairs, house), pairs()
    first.write("CREATE TABLE wider (id int PRIMARY KEY, a text)")
    first.write("INSERT INTO wider VALUES (1, 'x')")
    first.warm("SELECT * FROM wider")
    prepare = parse("s", "SELECT * FROM wider WHERE id = $1") + SYNC
    execution = bind("", "s", (1,)) + describe("P") + execute() + SYNC
    for pair in (first, second):
        pair.both_bytes(prepare)
    first.both_bytes(execution)
    count = lambda: house.pgmemo.metrics().sum("pgmemo_prepared_anew_total")  # noqa: E731
    for turn, change in enumerate(("ADD COLUMN b int DEFAULT 7", "DROP COLUMN a", "ALTER b TYPE text USING b || '!'")):
        first.write(f"ALTER TABLE wider {change}")
        first.warm("SELECT count(*) FROM wider")
        for pair in (first, second):
            before = count()
            pair.judge.send(execution)
            assert pair.judge.until("Z")[0].fields()["C"] == "0A000"
            pair.judge.ask(close("S", "s") + prepare)
            pair.both_bytes(execution)
            pair.both_bytes(execution)
            assert count() == before + 1, (turn, pair is first)
    before = hits(house)
    second.both_bytes(execution)
    harness.eventually(lambda: hits(house) == before + 1, "it hits")
    before = count()
    first.through.ask(query("BEGIN"))
    first.through.ask(query("ALTER TABLE wider ADD COLUMN c int"))
    first.through.send(execution)
    assert [one.fields()["C"] for one in first.through.until("Z") if one.kind == "E"] == ["0A000"]
    assert count() == before, "PostgreSQL has failed the transaction, and that is what its client hears"
    first.through.ask(query("ROLLBACK"))
    for pair in (first, second):
        pair.both_bytes(execution)


def test_a_statement_goes_on_hitting_behind_ddl_elsewhere(house, pairs):
    pair = warmed(pairs, house)
    pair.both_bytes(parse("s", ONE) + describe("S", "s") + SYNC)
    execution = bind("", "s", (9,)) + execute() + SYNC
    for round_ in range(2):
        before = hits(house)

        def again():
            pair.both_bytes(execution)
            return hits(house) > before

        harness.eventually(again, "it hits")
        if not round_:
            pair.write("CREATE TABLE elsewhere (x int)")
    pair.write("DROP TABLE elsewhere")


def test_a_write_is_seen_at_once(house, pairs):
    reader, writer = warmed(pairs, house), pairs()
    for name in ("first", "second", "third"):
        script = run(values=(20,)) + SYNC
        for _ in range(3):
            reader.both_bytes(script)
        writer.write("UPDATE items SET name = $1 WHERE id = 20", name)
        assert [one.columns() for one in reader.both_bytes(script) if one.kind == "D"] == [[name]]
