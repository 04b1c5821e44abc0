"""The first promise: a repeated SELECT comes from memory, and no write is ever overlooked."""
import psycopg2
import pytest

pytestmark = pytest.mark.versions

PRICE = "SELECT price FROM items WHERE id = 1"
NAMES = "SELECT id, name FROM items ORDER BY id"


def test_a_select_misses_then_hits_then_misses_after_a_write(pgmemo, client, direct):
    pgmemo.warm(client, "SELECT count(*) FROM items")
    first = pgmemo.ask(client, PRICE)
    second = pgmemo.ask(client, PRICE)
    client.run("UPDATE items SET price = 99 WHERE id = 1")
    third = pgmemo.ask(client, PRICE)
    fourth = pgmemo.ask(client, PRICE)
    assert [first.decision, second.decision, third.decision, fourth.decision] == ["miss", "hit", "miss", "hit"]
    assert [int(answer.rows[0][0]) for answer in (first, second, third, fourth)] == [10, 10, 99, 99]
    assert fourth.rows == direct.run(PRICE)


def test_a_hit_serves_every_session_of_the_same_user(pgmemo, client, other):
    pgmemo.warm(client, NAMES)
    answer = pgmemo.ask(other, NAMES)
    assert answer.is_hit
    assert answer.rows == client.run(NAMES)


def test_an_empty_result_is_cached_until_a_row_appears(pgmemo, client, other):
    nothing = "SELECT name FROM items WHERE id = 77"
    assert pgmemo.warm(client, nothing) == []
    other.run("INSERT INTO items VALUES (77, 'new', 1)")
    assert pgmemo.ask(client, nothing).rows == [("new",)]


@pytest.mark.parametrize("write", [
    "INSERT INTO items VALUES (9, 'nine', 9)",
    "UPDATE items SET name = 'changed' WHERE id = 2",
    "DELETE FROM items WHERE id = 3",
    "TRUNCATE items",
    "UPDATE items SET price = price + 1",
])
def test_the_write_of_one_session_is_seen_by_all_at_once(pgmemo, client, other, direct, write):
    everything = "SELECT * FROM items ORDER BY id"
    pgmemo.warm(client, everything)
    assert pgmemo.ask(other, everything).is_hit
    client.run(write)
    assert other.run(everything) == direct.run(everything)
    assert client.run(everything) == direct.run(everything)
    assert pgmemo.warm(other, everything) == direct.run(everything)


def test_an_uncommitted_write_is_seen_by_its_transaction_only(pgmemo, client, other):
    pgmemo.warm(client, PRICE)
    client.run("BEGIN")
    client.run("UPDATE items SET price = 500 WHERE id = 1")
    assert client.one(PRICE) == 500
    for _ in range(3):
        assert other.one(PRICE) == 10
    client.run("COMMIT")
    assert other.one(PRICE) == 500
    assert client.one(PRICE) == 500


def test_a_rolled_back_write_is_never_seen_by_others_and_its_reads_are_not_kept(pgmemo, client, other, direct):
    pgmemo.warm(client, PRICE)
    client.run("BEGIN")
    client.run("UPDATE items SET price = 500 WHERE id = 1")
    assert client.one(PRICE) == 500
    client.run("ROLLBACK")
    assert client.one(PRICE) == 10
    assert other.one(PRICE) == 10
    assert pgmemo.warm(other, PRICE) == direct.run(PRICE)


def test_a_write_that_is_rolled_back_invalidates_nothing(pgmemo, client, other):
    pgmemo.warm(other, PRICE)
    client.run("BEGIN")
    client.run("UPDATE items SET price = 500 WHERE id = 1")
    client.run("ROLLBACK")
    assert pgmemo.ask(other, PRICE).is_hit


def test_a_read_in_a_transaction_hits_until_the_transaction_writes(pgmemo, client):
    pgmemo.warm(client, PRICE)
    client.run("BEGIN")
    assert pgmemo.ask(client, PRICE).is_hit
    client.run("UPDATE items SET price = 11 WHERE id = 1")
    own = pgmemo.ask(client, PRICE)
    assert (own.decision, own.reason) == ("bypass", "written_in_transaction")
    assert own.rows[0][0] == 11
    client.run("COMMIT")
    assert client.one(PRICE) == 11


def test_a_transaction_of_hits_still_ends_with_the_right_status(pgmemo, client):
    pgmemo.warm(client, PRICE)
    client.run("BEGIN")
    assert client.connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
    assert pgmemo.ask(client, PRICE).is_hit
    assert client.connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_INTRANS
    client.run("COMMIT")
    assert client.connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE


@pytest.mark.parametrize("mode", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_transaction_never_hits(pgmemo, client, other, mode):
    pgmemo.warm(client, PRICE)
    client.run(f"BEGIN ISOLATION LEVEL {mode}")
    answer = pgmemo.ask(client, PRICE)
    assert (answer.decision, answer.reason) == ("bypass", "isolation")
    other.run("UPDATE items SET price = 12 WHERE id = 1")
    pgmemo.warm(other, PRICE)
    assert client.one(PRICE) == 10, "its snapshot is older than the write"
    client.run("COMMIT")
    assert client.one(PRICE) == 12


def test_an_isolation_set_by_default_counts_too(pgmemo, client, other):
    pgmemo.warm(client, PRICE)
    client.run("SET default_transaction_isolation = 'repeatable read'")
    client.run("BEGIN")
    assert client.one(PRICE) == 10
    other.run("UPDATE items SET price = 12 WHERE id = 1")
    pgmemo.warm(other, PRICE)
    assert client.one(PRICE) == 10
    client.run("COMMIT")


def test_nothing_hits_in_a_failed_transaction(pgmemo, client):
    pgmemo.warm(client, PRICE)
    client.run("BEGIN")
    assert client.fails("SELECT 1 / 0") == "22012"
    assert client.fails(PRICE) == "25P02"
    client.run("ROLLBACK")
    assert client.one(PRICE) == 10


def test_rollback_to_a_savepoint_takes_the_write_back(pgmemo, client, other, direct):
    pgmemo.warm(client, PRICE)
    client.run("BEGIN")
    client.run("SAVEPOINT s")
    client.run("UPDATE items SET price = 13 WHERE id = 1")
    assert client.one(PRICE) == 13
    client.run("ROLLBACK TO s")
    assert client.one(PRICE) == 10
    client.run("UPDATE items SET price = 14 WHERE id = 1")
    client.run("RELEASE s")
    assert other.one(PRICE) == 10
    client.run("COMMIT")
    assert other.one(PRICE) == 14
    assert pgmemo.warm(other, PRICE) == direct.run(PRICE)


def test_a_failed_statement_in_autocommit_leaves_the_cache_true(pgmemo, client, other, direct):
    pgmemo.warm(client, NAMES)
    assert client.fails("UPDATE items SET id = 2 WHERE id = 1") == "23505"
    assert client.run(NAMES) == direct.run(NAMES)
    assert pgmemo.warm(other, NAMES) == direct.run(NAMES)


def test_the_commit_of_a_failed_transaction_is_a_rollback(pgmemo, client, other):
    pgmemo.warm(client, PRICE)
    client.run("BEGIN")
    client.run("UPDATE items SET price = 15 WHERE id = 1")
    assert client.fails("SELECT 1 / 0") == "22012"
    client.run("COMMIT")
    assert other.one(PRICE) == 10
    assert client.one(PRICE) == 10


def test_a_reply_larger_than_max_entry_streams_through_and_is_not_kept(postgres, database, direct):
    from harness import Pgmemo
    large = "SELECT id, repeat(name, 1000) FROM items ORDER BY id"
    small = Pgmemo(postgres.uri(database), config={"cache": {"max_entry": "4KiB"}})
    try:
        session = small.session(database)
        small.warm(session, PRICE)
        for _ in range(2):
            answer = small.ask(session, large)
            assert not answer.is_hit
            assert answer.rows == direct.run(large)
        assert small.metrics().sum("pgmemo_fills_total", outcome="too_large") >= 1
    finally:
        small.stop()


def test_an_entry_expires(postgres, database, direct):
    from harness import Pgmemo, eventually
    brief = Pgmemo(postgres.uri(database), config={"cache": {"ttl": "1s"}})
    try:
        session = brief.session(database)
        brief.warm(session, PRICE)
        direct.run("UPDATE items SET price = 21 WHERE id = 1")  # around pgmemo: the TTL is the bound
        eventually(lambda: session.one(PRICE) == 21, "the entry expires")
    finally:
        brief.stop()


def test_rules_decide_what_is_cached(postgres, database, direct):
    from harness import Pgmemo
    direct.run("CREATE TABLE audit (n int); INSERT INTO audit VALUES (1); CREATE TABLE notes (n int)")
    ruled = Pgmemo(postgres.uri(database), config={"cache": {"default": "bypass"}, "rules": [
        {"name": "no audit", "match": {"tables": ["public.audit*"]}, "cache": "off"},
        {"name": "by text", "match": {"query": "/\\* keep \\*/"}, "cache": {"ttl": "1m"}},
        {"name": "items", "match": {"tables": ["public.items"], "user": "postgres", "database": database}, "cache": {"ttl": "1m"}}]})
    try:
        session = ruled.session(database)
        ruled.warm(session, PRICE)
        ruled.warm(session, "SELECT n FROM notes /* keep */")
        assert ruled.ask(session, "SELECT n FROM audit").reason == "rule"
        assert ruled.ask(session, "SELECT n FROM notes").reason == "no_rule"
    finally:
        ruled.stop()
