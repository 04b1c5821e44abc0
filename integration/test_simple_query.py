"""The simple query protocol: the items Q1 to Q10 of §1.5 of the list of what a PostgreSQL proxy must get right.

Each test warms the cache first and says the same to a twin session that goes directly to the same PostgreSQL; replies are
compared byte for byte, when they miss and again when they hit.
"""
import pytest

import harness
import wire
from harness import House

ITEMS = [f"Q{number}" for number in range(1, 11)]

# Items, or parts of them, that are tested in other modules.
ELSEWHERE = {
    "Q3": "test_protocol::test_the_empty_query",
    # What a hit leaves of the unnamed statement: that test accepts both that it is gone and that it is still there.
    "Q4": "test_protocol::test_a_simple_query_ends_the_unnamed_statement",
    "Q5": "test_protocol::test_a_query_in_the_state_of_skipping_is_skipped",
    "Q9": "test_transparency::test_notices_arrive_in_their_place",
}


def test_every_item_has_its_test():
    harness.check_items(__file__, ITEMS, ELSEWHERE, {})


SCHEMA = """
CREATE TABLE items (id int PRIMARY KEY, name text, price int);
INSERT INTO items SELECT n, 'item ' || n, n * 10 FROM generate_series(1, 5) n;
CREATE FUNCTION raise_price(which int) RETURNS int LANGUAGE sql AS
  'UPDATE items SET price = price + 1 WHERE id = which RETURNING price';
CREATE FUNCTION noisy(v int) RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'noisy %', v; RETURN v;
  END $$;
CREATE FUNCTION loud(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'loud %', v; RETURN v;
  END $$;
CREATE FUNCTION muffled(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE DEBUG 'muffled %', v; RETURN v;
  END $$;
CREATE FUNCTION telling(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN IF v = 3 THEN RAISE INFO 'three'; END IF; RETURN v; END $$;
"""

PRICE = "SELECT price FROM items WHERE id = 1"
ALL = "SELECT id, name, price FROM items ORDER BY id"



@pytest.fixture(scope="module")
def shared(postgres):
    house = House(postgres, SCHEMA, twin=True)
    yield house
    house.close()


@pytest.fixture
def house(shared):
    """The rows as they were and where they were: an old page would be pruned at one time here and at another directly, and what is
    not ordered would come in another order."""
    shared.plain().both("TRUNCATE items; INSERT INTO items SELECT n, 'item ' || n, n * 10 FROM generate_series(1, 5) n")
    yield shared
    shared.close_pairs()


@pytest.fixture
def reader(house, reads_by):
    """Another session, which only reads."""
    pair = house.plain()
    pair.reads_by = reads_by
    return pair


@pytest.fixture
def pair(house, reader, reads_by):
    """A session of the test's own. The entries that both read are warm."""
    for sql in (PRICE, ALL):
        reader.warm(sql)
    return house.pair(reads_by=reads_by)


def follow(pair, reader, texts):
    """Each text in turn; after each, what the session itself and another one read."""
    for text in texts:
        pair.both(text)
        for sql in (PRICE, ALL):
            reader.agree(sql)
            pair.agree(sql)


# --- Q1 --------------------------------------------------------------------------------------------------------------

UPDATE = "UPDATE items SET price = price + 1 WHERE id = 1"
SECOND = "UPDATE items SET price = price + 1 WHERE id = 2"


@pytest.mark.parametrize("text", [
    f"INSERT INTO items VALUES (6, 'six', 60); {ALL}", f"{UPDATE}; {PRICE}", f"{PRICE}; {UPDATE}; {PRICE}",
    f"{PRICE}; {PRICE}", f"{PRICE}; {ALL}; SELECT 1", f"{UPDATE}; SELECT 1/0",
    f"{UPDATE}; {PRICE}; SELECT 1/0; {PRICE}", f"SELECT 1/0; {UPDATE}; {PRICE}", f"{PRICE}; SELEC",
    f"{UPDATE}; SELECT * FROM no_such_table", f"{PRICE}; SELECT * FROM no_such_table",
    f"{UPDATE}; INSERT INTO items VALUES (2, 'again', 0)", f"{UPDATE}; ROLLBACK; {PRICE}",
    f"{UPDATE}; COMMIT; SELECT 1/0", f"{UPDATE}; COMMIT; {SECOND}; ROLLBACK; {ALL}", f"{UPDATE}; SAVEPOINT s",
    f"{UPDATE}; COMMIT AND CHAIN", f"{UPDATE}; VACUUM items", "SELECT raise_price(1); SELECT 1/0",
    f"SELECT raise_price(1); {PRICE}", f"COPY items TO STDOUT; {UPDATE}; {PRICE}",
    f"DO $$ BEGIN {UPDATE}; END $$; {PRICE}",
    "CREATE TABLE q1 (v int); INSERT INTO q1 VALUES (1); DROP TABLE q1; TABLE items", f"{UPDATE};;; {PRICE};",
    f"TRUNCATE items; {ALL}; SELECT 1/0", f"TRUNCATE items; {ALL}", f"PREPARE q AS {UPDATE}; EXECUTE q; {PRICE}",
    f"LOCK TABLE items; {PRICE}", f"SET DateStyle = 'German'; {PRICE}; RESET DateStyle",
], ids=lambda text: text.replace(PRICE, "PRICE").replace(ALL, "ALL").replace(UPDATE, "UPDATE").replace(SECOND, "SECOND"))
def test_several_statements_are_one_transaction(pair, reader, text):
    """Q1: one text, one implicit transaction, one ReadyForQuery; what is read behind a write sees it, an error takes back
    what was before it, and what is read in between is kept for nobody."""
    follow(pair, reader, [text, text])


@pytest.mark.parametrize("text", [PRICE + ";", ";" + PRICE, f"; ;{PRICE} ; ;;", f"/* one */ {PRICE} -- two",
                                  f"\n\t{PRICE}\r\n", f"-- one; two\n{PRICE}",
                                  "SELECT price FROM items WHERE id /* ; */ = 1",
                                  "SELECT ';', price FROM items WHERE id = 1",
                                  "(SELECT price FROM items WHERE id = 1)"])
def test_one_statement_among_comments_and_nothing_is_one(pair, reader, text):
    """Q1: exactly one statement is cached, whatever is around it."""
    pair.warm(text)
    reader.both(UPDATE)
    pair.agree(text)
    pair.warm(text)


# --- Q2 --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("texts", [
    ["SELECT 1; BEGIN; SELECT 2", "COMMIT"], [f"SELECT 1; BEGIN; {UPDATE}", "COMMIT"],
    [f"SELECT 1; BEGIN; {UPDATE}", "ROLLBACK"], [f"{UPDATE}; BEGIN; {SECOND}", "ROLLBACK"],
    [f"{UPDATE}; BEGIN; {SECOND}", "COMMIT"], [f"BEGIN; {UPDATE}; COMMIT; {SECOND}"],
    [f"BEGIN; {UPDATE}; COMMIT; BEGIN; {SECOND}", "ROLLBACK"], [f"BEGIN; {UPDATE}; ROLLBACK; {SECOND}"],
    ["BEGIN", f"{UPDATE}; COMMIT; {PRICE}"], ["BEGIN", f"{UPDATE}; COMMIT; BEGIN", SECOND, "ROLLBACK"],
    ["BEGIN", f"{UPDATE}; COMMIT; BEGIN; {SECOND}", "COMMIT"], [f"BEGIN; {UPDATE}; SELECT 1/0; COMMIT", "COMMIT"],
    [f"BEGIN; {UPDATE}; SELECT 1/0", "ROLLBACK; " + SECOND],
    [f"BEGIN; {UPDATE}; SAVEPOINT s; {SECOND}; ROLLBACK TO s; COMMIT"],
    ["BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", f"COMMIT; {UPDATE}"], [f"START TRANSACTION; {UPDATE}", "END"],
    [f"BEGIN; COMMIT AND CHAIN; {UPDATE}", "COMMIT"], [f"BEGIN; {UPDATE}; ROLLBACK AND CHAIN; {SECOND}", "COMMIT"],
    [f"BEGIN READ ONLY; {PRICE}; COMMIT; {UPDATE}"], [f"BEGIN READ ONLY; {UPDATE}", "ROLLBACK"],
    [f"{UPDATE}; COMMIT"], [f"ROLLBACK; {UPDATE}; SELECT 1"], [f"{UPDATE}; BEGIN; COMMIT; SELECT 1/0"],
    ["BEGIN; BEGIN; COMMIT; COMMIT"], [f"BEGIN; {UPDATE}; END; {PRICE}; ABORT"],
], ids=lambda texts: " | ".join(texts).replace(PRICE, "PRICE").replace(UPDATE, "UPDATE").replace(SECOND, "SECOND"))
def test_begin_and_commit_inside_a_text(pair, reader, texts):
    """Q2: from BEGIN on the tail of a text is an explicit transaction, with what was before it; ReadyForQuery says so."""
    follow(pair, reader, texts)


# --- Q3 --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["", ";", " ; ; ", "-- only a comment", "/* */", "\n", "/* ; */;"])
def test_a_text_of_nothing_is_answered_as_such(pair, reader, text):
    """Q3: EmptyQueryResponse and ReadyForQuery, in every state of the session; it costs no entry."""
    reader.stays(PRICE, lambda: pair.both(text))
    for statement in ("BEGIN", UPDATE, "SELECT 1/0", "ROLLBACK"):
        pair.both(statement)
        assert wire.kinds(pair.both(text)) == "IZ"
    pair.agree(PRICE)


# --- Q4 --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", ["SELECT name FROM items WHERE id = 3", "SELECT 1", UPDATE, "SELEC", "",
                                  "SELECT 1; SELECT 2", "SELECT * FROM no_such_table", "SHOW TimeZone"])
def test_a_simple_query_ends_what_has_no_name(pair, text):
    """Q4: the unnamed statement is gone and what has a name is not."""
    pair.both_bytes(wire.parse("", "SELECT 7") + wire.parse("named", "SELECT 8") + wire.SYNC)
    pair.both(text)
    pair.both_bytes(wire.bind("", "") + wire.execute() + wire.SYNC)
    pair.both_bytes(wire.bind("", "named") + wire.execute() + wire.SYNC)
    pair.agree(PRICE)


@pytest.mark.parametrize("text", ["SELECT name FROM items WHERE id = 3", UPDATE, ""])
def test_a_simple_query_ends_the_unnamed_portal(pair, text):
    """Q4: the unnamed portal is gone as well, in a transaction, and a named one goes on."""
    pair.both("BEGIN")
    pair.both_bytes(wire.parse("", "SELECT id FROM items ORDER BY id") + wire.bind("", "") + wire.execute("", 2) +
                    wire.bind("named", "") + wire.execute("named", 1) + wire.SYNC)
    pair.both(text)
    pair.both_bytes(wire.execute("named", 1) + wire.SYNC)
    pair.both_bytes(wire.execute("", 2) + wire.SYNC)
    pair.both("ROLLBACK")
    pair.agree(PRICE)


# --- Q5 --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text", [PRICE, UPDATE, f"{UPDATE}; {PRICE}", "", "BEGIN"])
@pytest.mark.parametrize("first", ["SELEC", "SELECT 7"])
def test_a_query_inside_an_extended_group(pair, reader, text, first):
    """Q5: behind an error it is skipped up to Sync, otherwise it is executed at once; only the server can say which."""
    replies = 1 if first == "SELEC" else 2
    pair.both_bytes(wire.parse("", first) + wire.query(text) + wire.SYNC, replies)
    for sql in (PRICE, ALL):
        reader.agree(sql)
        pair.agree(sql)
    pair.both("ROLLBACK")
    pair.agree(ALL)
    pair.close()
    reader.agree(ALL)
    reader.warm(ALL)


# --- Q6 --------------------------------------------------------------------------------------------------------------

HELD_BACK = [
    ["BEGIN", "SELEC", PRICE, "COMMIT"], ["BEGIN", PRICE, "SELEC", PRICE, "ROLLBACK"],
    ["BEGIN", "SELECT 1; SELEC", "ROLLBACK"], ["BEGIN", "", "COMMIT"], ["BEGIN", "COMMIT"],
    ["BEGIN", "BEGIN", "COMMIT"], ["BEGIN", PRICE, "BEGIN", PRICE, "COMMIT"],
    ["BEGIN ISOLATION LEVEL SERIALIZABLE", PRICE, "SELEC", "COMMIT"],
    ["BEGIN", "UPDATE items SET nothing = 1", "COMMIT"], ["BEGIN", PRICE, PRICE, UPDATE, PRICE, "COMMIT"],
    ["BEGIN", "VACUUM", "ROLLBACK"], ["START TRANSACTION READ ONLY", PRICE, UPDATE, "COMMIT"],
    ["BEGIN", "ROLLBACK TO nowhere", "ROLLBACK"],
    ["BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", PRICE, "COMMIT"],
    ["BEGIN", PRICE, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "COMMIT"],
    ["BEGIN", "SAVEPOINT s", "SELEC", "ROLLBACK TO s", PRICE, "COMMIT"], ["BEGIN -- held", PRICE, "COMMIT -- back"],
    ["BEGIN;", PRICE, "COMMIT;"], ["BEGIN", "SELECT '", "COMMIT"], ["BEGIN", PRICE, "COMMIT AND CHAIN", PRICE, "END"],
    ["BEGIN", "LISTEN x", PRICE, "UNLISTEN *", "COMMIT"], ["BEGIN", PRICE, "SHOW transaction_isolation", "ABORT"],
    ["BEGIN ISOLATION LEVEL NONSENSE", PRICE], ["BEGIN READ ONLY, READ WRITE", PRICE, "COMMIT"],
    ["COMMIT", PRICE, "ROLLBACK", PRICE],
]


def short(texts):
    return " | ".join(texts).replace(PRICE, "PRICE").replace(UPDATE, "UPDATE")


@pytest.mark.parametrize("texts", HELD_BACK, ids=short)
def test_a_begin_that_was_held_back_is_a_message_of_its_own(pair, reader, texts):
    """Q6: what follows a held-back BEGIN is not glued to it: errors have their own place, and every reply its own status."""
    for text in texts:
        pair.both(text)
        reader.agree(PRICE)
    pair.agree(ALL)


@pytest.mark.parametrize("texts", HELD_BACK, ids=short)
def test_a_held_back_begin_in_one_send(pair, reader, texts):
    """Q6: the same when everything was sent before the first answer came."""
    pair.both_bytes(b"".join(map(wire.query, texts)), len(texts))
    reader.agree(PRICE)
    pair.agree(ALL)


# --- Q7 --------------------------------------------------------------------------------------------------------------

DESCRIBED = "SELECT * FROM described"


@pytest.mark.parametrize("change", [
    ["ALTER TABLE described ALTER short TYPE varchar(30)"], ["ALTER TABLE described ALTER amount TYPE numeric(12,3)"],
    ["ALTER TABLE described ALTER id TYPE bigint"], ["ALTER TABLE described RENAME short TO brief"], ["ALTER TABLE "
                                                                                                      "described ADD "
                                                                                                      "more text"],
    ["ALTER TABLE described DROP short"], ["DROP TABLE described",
                                           "CREATE TABLE described (id int, short varchar(20), amount numeric(10,2))"],
    ["BEGIN", "ALTER TABLE described RENAME TO away", "ALTER TABLE likewise RENAME TO described", "COMMIT"],
    ["DROP TABLE described", "CREATE VIEW described AS SELECT id, short, amount FROM likewise"],
    ["CREATE SCHEMA IF NOT EXISTS elsewhere", "ALTER TABLE described SET SCHEMA elsewhere",
     "ALTER TABLE likewise RENAME TO described"],
], ids=lambda change: "; ".join(change))
def test_ddl_changes_what_a_row_description_says(house, reads_by, writes_by, change):
    """Q7: names, types, their modifiers and the OIDs of tables are a part of the entry, and go stale with DDL."""
    pair = house.pair(reads_by=reads_by, writes_by=writes_by, twin=None)
    pair.write("DROP SCHEMA IF EXISTS elsewhere CASCADE; DROP TABLE IF EXISTS away", by="simple")
    pair.write("DO $$ BEGIN DROP VIEW IF EXISTS described; "
               "EXCEPTION WHEN wrong_object_type THEN DROP TABLE described; END $$", by="simple")
    pair.write("DROP TABLE IF EXISTS likewise; CREATE TABLE described (id int, short varchar(20), amount numeric(10,2));"
               "CREATE TABLE likewise (id int, short varchar(20), amount numeric(10,2))", by="simple")
    pair.warm(DESCRIBED)
    before = pair.expected(DESCRIBED)
    for statement in change:
        pair.write(statement)
    assert pair.expected(DESCRIBED) != before, "it does change the description"
    pair.agree(DESCRIBED)


# --- Q8 --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("texts, tag", [
    (["SELECT id INTO picked FROM items", "DROP TABLE picked"], "SELECT 5"),
    (["CREATE TABLE picked AS SELECT id FROM items", "DROP TABLE picked"], "SELECT 5"),
    ([f"WITH w AS ({UPDATE} RETURNING id) SELECT id FROM w"], "SELECT 1"),
    (["WITH w AS (DELETE FROM items) SELECT 1"], "SELECT 1"), (["SELECT raise_price(1)"], "SELECT 1"),
    (["SELECT id FROM items WHERE raise_price(1) IS NULL"], "SELECT 0"), (["TABLE items"], "SELECT 5"),
    (["VALUES (1), (2)"], "SELECT 2"), (["VALUES (raise_price(2))"], "SELECT 1"),
    (["SELECT count(*), 'UPDATE 1' FROM items"], "SELECT 1"),
    ([f"EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off, BUFFERS off) {UPDATE}"], "EXPLAIN"),
    ([f"{UPDATE} RETURNING price"], "UPDATE 1"),
    (["INSERT INTO items SELECT 9, 'nine', 90 RETURNING *"], "INSERT 0 1"),
], ids=lambda value: short(value) if isinstance(value, list) else "")
def test_the_tag_of_a_reply_does_not_tell_what_a_statement_did(pair, reader, texts, tag):
    """Q8: many that say SELECT write, and one that says nothing of the kind reads."""
    for text in texts:
        got = pair.both(text)
        if text is texts[0]:
            assert [one.tag for one in got if one.kind == "C"] == [tag]
        for sql in (PRICE, ALL):
            reader.agree(sql)
            pair.agree(sql)


@pytest.mark.parametrize("sql", ["TABLE items", "VALUES (1, 'a'), (2, 'b')", "VALUES ((SELECT max(price) FROM items))"])
def test_reads_that_are_no_select_are_cached(pair, reader, sql):
    """Q8: VALUES and TABLE are reads like any other."""
    pair.warm(sql)
    reader.both(UPDATE)
    reader.both("UPDATE items SET price = 1000 WHERE id = 5")
    pair.agree(sql)
    pair.warm(sql)


# --- Q9 --------------------------------------------------------------------------------------------------------------

NOTICED = [
    "SELECT noisy(price) FROM items WHERE id < 3 ORDER BY id", "SELECT loud(price) FROM items WHERE id = 1",
    "SELECT loud(7)", "SELECT loud(7), id FROM items", "SELECT telling(id) FROM items ORDER BY id",
    "SELECT id FROM items WHERE telling(id) = 1", "SELECT id AS " + "x" * 70 + " FROM items",
    "SELECT muffled(price) FROM items WHERE id = 1", "SELECT noisy(8) FROM (VALUES (1)) v",
]


@pytest.mark.parametrize("sql", NOTICED, ids=lambda sql: sql[:60])
def test_a_reply_with_notices_is_not_kept(pair, reader, sql):
    """Q9: what a session is told depends on its client_min_messages; who was told nothing fills nothing for who would be."""
    quiet_first = ["error", "notice", "debug1"]
    for level in quiet_first + quiet_first[::-1]:
        pair.both(f"SET client_min_messages = {level}")
        pair.agree(sql)
        answer = pair.read(sql)
        assert not (answer.is_hit and any(kind == "N" for kind, _ in answer.rows))
        reader.agree(sql)


@pytest.mark.parametrize("text", ["COMMIT", "ROLLBACK", "BEGIN; BEGIN", "SET LOCAL work_mem = '1MB'",
                                  "DROP TABLE IF EXISTS nothing_at_all", "DO $$ BEGIN RAISE NOTICE 'done'; END $$",
                                  f"SELECT noisy(1); {PRICE}", "SELECT noisy(2); SELECT 1/0"])
def test_notices_keep_their_place(pair, reader, text):
    """Q9: warnings and notices of other statements, between the messages where PostgreSQL has them."""
    assert "N" in wire.kinds(pair.both(text))
    pair.both("ROLLBACK")
    pair.agree(PRICE)
    reader.agree(PRICE)


def test_a_notification_in_a_reply_is_not_kept(house, pair, reader):
    """Q9: what else came between the rows and ReadyForQuery is for one session alone."""
    sql = "SELECT name FROM items WHERE id = 4"
    pair.through.query("LISTEN news")
    gate = house.postgres.connect(house.database, autocommit=False)
    harness.Session(gate).run("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
    pair.through.send(wire.query(sql))
    waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass"
    harness.eventually(lambda: house.postgres.run(waiting, house.database), "it waits")
    reader.through.query("NOTIFY news, 'for those who listen'")
    gate.close()
    assert wire.kinds(pair.through.until("Z")) == "TDCAZ"
    pair.agree(sql)
    reader.agree(sql)


# --- Q10 -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("before, sql", [
    ([], "SHOW TimeZone"), ([], "SHOW search_path"), ([], "EXPLAIN (COSTS off) " + PRICE),
    ([], "EXPLAIN (COSTS off) SELECT count(*) FROM items"), (["PREPARE ps AS " + PRICE], "EXECUTE ps"),
    (["PREPARE ps(int) AS SELECT price FROM items WHERE id = $1"], "EXECUTE ps(1)"),
    (["BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT id FROM items ORDER BY id"], "FETCH c"),
    (["BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT id FROM items ORDER BY id"], "FETCH 2 FROM c"),
    (["BEGIN", "DECLARE c SCROLL CURSOR FOR SELECT id FROM items ORDER BY id"], "MOVE 1 IN c"),
    (["DECLARE c CURSOR WITH HOLD FOR SELECT id FROM items ORDER BY id"], "FETCH FORWARD 1 FROM c"),
    ([], "COPY (SELECT price FROM items ORDER BY id) TO STDOUT"), ([], "COPY items TO STDOUT"),
    (["LISTEN x"], "SELECT pg_listening_channels()"),
    (["PREPARE ps AS " + PRICE], "SELECT name FROM pg_prepared_statements"),
    (["PREPARE ps AS " + PRICE], "EXPLAIN (COSTS off) EXECUTE ps"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_returns_rows_and_is_no_select_is_never_a_hit(pair, reader, before, sql):
    """Q10: SHOW, EXPLAIN, FETCH, EXECUTE, COPY and what is known of prepared statements and cursors."""
    for statement in before:
        pair.both(statement)
    for _ in range(3):
        answer = pair.pgmemo.watch(lambda: pair.both(sql))
        assert not answer.is_hit
        if before[:1] != ["BEGIN"]:
            reader.both(UPDATE)
            reader.both("SET TimeZone = 'UTC'")
