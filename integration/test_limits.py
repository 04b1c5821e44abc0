"""What a client may cost, and what a server's own limits must not do to it."""
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
import wire


@pytest.fixture
def start(postgres, database, direct):
    started = []

    def run(limits, **more):
        process = harness.Pgmemo(postgres.uri(database), {"limits": limits, **more})
        started.append(process)
        return process

    yield run
    for process in started:
        process.stop()


def running(postgres, sql):
    harness.eventually(lambda: postgres.run(f"SELECT 1 FROM pg_stat_activity WHERE query = '{sql}' AND state = 'active'"),
                       f"{sql} runs")


# --- how many --------------------------------------------------------------------------------------------------------

def test_max_clients_refuses_the_next_one_and_takes_another_when_one_has_gone(start, database):
    pgmemo = start({"max_clients": 2})
    first, _ = pgmemo.wire(database), pgmemo.wire(database)
    error = wire.Wire(pgmemo.port, database).greeting[-1].fields()
    assert (error["V"], error["C"], error["M"]) == ("FATAL", "53300", "sorry, too many clients already")
    first.close()
    harness.eventually(lambda: wire.Wire(pgmemo.port, database).greeting[-1].kind == "Z", "there is room again")


def test_cancel_requests_do_not_count(start, postgres, database):
    pgmemo = start({"max_clients": 1})
    client = pgmemo.wire(database)
    client.send(wire.query("SELECT pg_sleep(600)"))
    running(postgres, "SELECT pg_sleep(600)")
    wire.cancel(pgmemo.port, client.key)
    assert [one.fields()["C"] for one in client.until("Z") if one.kind == "E"] == ["57014"]


# --- how long --------------------------------------------------------------------------------------------------------

def test_who_does_not_log_in_is_left_alone(start, create_role, database):
    role = create_role("LOGIN PASSWORD 'secret' IN ROLE by_scram")
    pgmemo = start({"authentication_timeout": "1s"})
    nothing = wire.Wire(pgmemo.port, login=False)
    half = wire.Wire(pgmemo.port, login=False)
    half.send(wire.startup_packet(user="postgres", database=database)[:10])
    silent = wire.Wire(pgmemo.port, login=False)
    silent.send(wire.startup_packet(user=role, database=database))
    assert silent.read().kind == "R"
    slow = pgmemo.wire(database)
    for client in (nothing, half, silent):
        assert client.rest() == b""
    assert slow.one("SELECT 1") == "1"
    harness.eventually(lambda: pgmemo.metrics().sum("pgmemo_clients") == 1, "nothing is left of them")


def test_an_idle_client_is_told_why_it_is_left(start, postgres, database):
    pgmemo = start({"client_idle_timeout": "2s"})
    in_transaction, idle = pgmemo.wire(database), pgmemo.wire(database)
    in_transaction.run("BEGIN")
    in_transaction.run("UPDATE items SET price = 1 WHERE id = 1")
    error = idle.read().fields()
    assert (error["V"], error["C"]) == ("FATAL", "57P05")
    assert idle.rest() == b""
    in_transaction.run("COMMIT")  # a transaction is not idle
    assert in_transaction.read().fields()["C"] == "57P05"


def test_a_client_that_waits_for_the_server_or_hits_is_not_idle(start, database):
    pgmemo = start({"client_idle_timeout": "2s"})
    waiting, hitting = pgmemo.wire(database), pgmemo.wire(database)
    waiting.send(wire.query("SELECT pg_sleep(4)"))
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert hitting.one("SELECT name FROM items WHERE id = 1") == "item 1"
    assert waiting.until("Z")[-1].kind == "Z"


@pytest.mark.parametrize("setting, begin", [("idle_session_timeout", None), ("idle_in_transaction_session_timeout", "BEGIN")])
def test_the_servers_idle_limits_do_not_end_a_client_that_is_busy_hitting(pgmemo, postgres, database, setting, begin):
    postgres.run(f"ALTER DATABASE {database} SET {setting} = '4s'")
    client = pgmemo.wire(database)
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    if begin:
        client.run(begin)
        client.run("SELECT txid_current()")  # something for PostgreSQL to begin for
    pid = client.one("SELECT pg_backend_pid()")
    hits = pgmemo.queries("hit")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        assert client.one(sql) == "item 1"
    assert pgmemo.queries("hit") > hits
    assert client.one("SELECT pg_backend_pid()") == pid
    error = client.read().fields()  # now it is idle indeed
    assert error["C"] in ("57P05", "25P03")


def test_without_such_a_limit_the_server_is_asked_once(pgmemo, postgres, database, client):
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)

    def last_change():
        return postgres.run(f"SELECT max(query_start) FROM pg_stat_activity WHERE datname = '{database}'"
                            " AND query LIKE '/* pgmemo keeps%'")[0][0]

    harness.eventually(lambda: client.one(sql) and last_change(), "it has asked")
    asked = last_change()
    end = time.monotonic() + 4
    while time.monotonic() < end:
        client.one(sql)
    assert last_change() == asked


# --- dead and slow peers ---------------------------------------------------------------------------------------------

def test_a_client_that_resets_while_its_result_streams_harms_nobody(pgmemo, database, other):
    client = wire.Wire(pgmemo.port, database)
    client.send(wire.query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"))
    client.take(100_000)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert other.one("SELECT 1") == 1
    harness.eventually(lambda: pgmemo.metrics().sum("pgmemo_upstream_connections") <= 1, "its connection is gone")


# --- what the server says meanwhile ----------------------------------------------------------------------------------

def test_what_the_server_says_by_itself_reaches_a_client_that_only_hits(pgmemo, postgres, database, direct):
    client = pgmemo.wire(database)
    client.run("LISTEN news")
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    direct.run("NOTIFY news, 'hello'")

    def hears():
        kinds = wire.kinds(client.query(sql))
        assert set(kinds) <= set("TDCZA")
        return "A" in kinds

    harness.eventually(hears, "the notification comes between hits")
    pid = struct.unpack_from("!i", client.key)[0]
    assert pid > 0


def test_an_end_by_the_server_reaches_a_client_that_only_hits(pgmemo, postgres, database):
    client = pgmemo.wire(database)
    sql = "SELECT name FROM items WHERE id = 1"
    pid = client.one("SELECT pg_backend_pid()")
    pgmemo.warm(client, sql)
    postgres.run(f"SELECT pg_terminate_backend({pid})")
    got = client.rest()
    assert b"C57P01\0" in got


# --- cancel ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("minor, size", [(0, 4), (1, 4), (2, 32), (9999, 32)])
def test_clients_of_newer_protocols_get_long_keys_that_work(pgmemo, postgres, database, direct, minor, size):
    client = pgmemo.wire(database, version=(3 << 16) | minor)
    assert len(client.key) == 4 + size
    negotiation = [one.body for one in client.greeting if one.kind == "v"]
    assert negotiation == ([struct.pack("!ii", (3 << 16) | 2, 0)] if minor > 2 else [])
    client.send(wire.query("SELECT pg_sleep(600)"))
    running(postgres, "SELECT pg_sleep(600)")
    wire.cancel(pgmemo.port, client.key[:-1] + bytes([client.key[-1] ^ 1]))
    wire.cancel(pgmemo.port, client.key[:8] if size > 4 else client.key + b"\0" * 28)
    assert client.is_silent(0.2)
    wire.cancel(pgmemo.port, client.key)
    assert [one.fields()["C"] for one in client.until("Z") if one.kind == "E"] == ["57014"]
    assert client.one("SELECT 1") == "1"


def test_a_cancel_while_hitting_reaches_nothing(pgmemo, database, direct):
    client = pgmemo.wire(database)
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    before = pgmemo.metrics().sum("pgmemo_cancels_total")
    for _ in range(20):
        wire.cancel(pgmemo.port, client.key)
        assert wire.kinds(client.query(sql)) == "TDCZ"
    assert pgmemo.metrics().sum("pgmemo_cancels_total") == before


def test_a_cancel_reaches_a_statement_behind_which_others_wait(pgmemo, postgres, database, direct):
    client = pgmemo.wire(database)
    client.send(wire.query("SET work_mem = '1MB'; SELECT pg_sleep(600)") + wire.query("SELECT name FROM items WHERE id = 1"))
    running(postgres, "SET work_mem = ''1MB''; SELECT pg_sleep(600)")
    wire.cancel(pgmemo.port, client.key)
    assert [one.fields()["C"] for one in client.until("Z") if one.kind == "E"] == ["57014"]
    assert "D" in wire.kinds(client.until("Z"))


def test_a_hail_of_cancels_never_hits_pgmemos_own_statements(pgmemo, postgres, database, direct):
    """A BEGIN that was held back, and questions for settings, run before the client's statement."""
    client = pgmemo.wire(database)
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    done = False

    def hail():
        while not done:
            wire.cancel(pgmemo.port, client.key)

    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(hail) for _ in range(2)]
        try:
            for _ in range(150):
                client.query("SET work_mem = '2MB'")  # the settings are asked for again
                client.query(sql)
                client.query("BEGIN")
                client.query(sql)
                got = client.query("UPDATE items SET price = price + 1 WHERE id = 1")
                status = got[-1].body
                failed = "E" in wire.kinds(got)
                assert status == (b"E" if failed else b"T"), got  # inside the transaction in any case
                end = client.query("ROLLBACK")
                assert end[-1].body == b"I" or "E" in wire.kinds(end)
                while client.query("ROLLBACK")[-1].body != b"I":
                    pass
        finally:
            done = True
        for thread in threads:
            thread.result(harness.DEADLINE)
    assert direct.one("SELECT price FROM items WHERE id = 1") == 10
    assert pgmemo.metrics().sum("pgmemo_blind_sessions_total") == 0
    assert client.one("SELECT 1") == "1"
