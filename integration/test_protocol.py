"""The edges of the v3 protocol: how connections begin, end, and are cut to pieces in between."""
import contextlib
import socket
import struct

import pytest

import harness
import wire


def connect(pgmemo):
    client = wire.Wire(pgmemo.port, login=False)
    pgmemo.sessions.append(client)
    return client


@pytest.fixture
def bystander(pgmemo, client):
    """A session that must not notice what happens to others."""
    pgmemo.warm(client, "SELECT name FROM items WHERE id = 1")
    yield client
    assert client.one("SELECT name FROM items WHERE id = 1") == "item 1"
    assert client.one("SELECT 1") == 1
    assert pgmemo.process.poll() is None


# --- how a connection begins -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("requests", [
    [wire.SSL_REQUEST], [wire.GSSENC_REQUEST], [wire.GSSENC_REQUEST, wire.SSL_REQUEST],
    [wire.SSL_REQUEST, wire.GSSENC_REQUEST]], ids=["ssl", "gss", "gss-ssl", "ssl-gss"])
def test_requests_to_encrypt_are_declined_and_the_session_goes_on(pgmemo, bystander, database, requests):
    client = connect(pgmemo)
    for request in requests:
        client.send(request)
        assert client.take(1) == b"N"
    client.send(wire.startup_packet(user="postgres", database=database))
    assert client.log_in().kind == "Z"
    assert client.one("SELECT count(*) FROM items") == "5"


@pytest.mark.parametrize("request_bytes", [wire.SSL_REQUEST, wire.GSSENC_REQUEST], ids=["ssl", "gss"])
def test_bytes_sent_behind_a_request_to_encrypt_are_refused(pgmemo, bystander, database, request_bytes):
    client = connect(pgmemo)
    client.send(request_bytes + wire.startup_packet(user="postgres", database=database) + wire.query("SELECT 1"))
    got = client.rest()
    assert b"Z\0\0\0\5" not in got and b"D\0" not in got, "no session came of it"


def test_endless_requests_to_encrypt_are_ended(pgmemo, bystander):
    client = connect(pgmemo)
    with pytest.raises((ConnectionError, BrokenPipeError)):
        for _ in range(100):
            client.send(wire.SSL_REQUEST)
            if client.take(1) != b"N":
                raise ConnectionError


@pytest.mark.versions
@pytest.mark.parametrize("version, parameters, negotiated", [
    (0, {}, None), (1, {}, None), (2, {}, None), (9999, {}, (2, [])), (0, {"_pq_.x": "1"}, (0, ["_pq_.x"])),
    (2, {"_pq_.x": "1", "_pq_.y": "2"}, (2, ["_pq_.x", "_pq_.y"])), (3, {"_pq_.x": "1"}, (2, ["_pq_.x"]))],
    ids=["3.0", "3.1", "3.2", "3.9999", "option", "3.2-options", "3.3-option"])
def test_newer_minor_versions_and_options_are_negotiated_as_postgresql_18_does(pgmemo, bystander, postgres, database,
                                                                               version, parameters, negotiated):
    through = wire.Wire(pgmemo.port, database, version=(3 << 16) | version, parameters=parameters)
    judge = wire.Wire(postgres.port, database)
    said = [one for one in through.greeting if one.kind == "v"]
    if negotiated:
        minor, options = negotiated
        body = struct.pack("!ii", (3 << 16) | minor, len(options)) + b"".join(map(wire.text, options))
        assert [one.body for one in said] == [body]
        assert through.greeting[0].kind == "v", "before anything else"
    else:
        assert not said
    rest = [one for one in through.greeting if one.kind != "v"]
    assert wire.without_key(rest) == wire.without_key(judge.greeting)
    assert len(through.key) == (36 if version >= 2 else 8)
    assert through.one("SELECT count(*) FROM items") == "5"
    through.close()
    judge.close()


def test_protocol_4_is_refused_by_its_number(pgmemo, bystander, database):
    client = connect(pgmemo)
    client.send(wire.startup_packet(4 << 16, user="postgres", database=database))
    error = client.read()
    assert error.kind == "E"
    assert error.fields()["C"] == "0A000"
    assert error.fields()["V"] == "FATAL"
    assert client.rest() == b""


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": b"\0" * 64,
    "length_0": struct.pack("!ii", 0, 196608),
    "length_4": struct.pack("!i", 4),
    "length_7": struct.pack("!i", 7) + b"\0\3\0",
    "length_2_gigabytes": struct.pack("!ii", 0x7FFFFFFF, 196608) + b"user\0x\0",
    "length_negative": struct.pack("!ii", -1, 196608),
    "length_10001": struct.pack("!ii", 10_001, 196608) + b"x" * 20_000,
    "protocol_2": struct.pack("!ii", 296, 2 << 16) + b"\0" * 288,
    "no_terminator": struct.pack("!ii", 12, 196608) + b"user",
    "name_without_value": struct.pack("!ii", 13, 196608) + b"user\0",
    "tls_hello": bytes.fromhex("16030100a5010000a10303") + b"\1" * 154,
    "cancel_too_short": struct.pack("!ii", 8, 80877102),
    "random": bytes(range(255, 0, -1)),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_garbage_start_is_ended_with_a_word_or_without(pgmemo, bystander, data):
    client = connect(pgmemo)
    client.send(data)
    with contextlib.suppress(OSError):
        client.shutdown()
    got = client.rest()
    if got:
        assert got[:1] == b"E"
        fields = wire.Message("E", got[5:]).fields()
        assert fields["V"] == "FATAL"
        assert fields["C"] in ("08P01", "0A000", "28000")


def test_a_connection_that_says_nothing_harms_nobody(pgmemo, bystander):
    for _ in range(20):
        connect(pgmemo).close()
    silent = [connect(pgmemo) for _ in range(20)]
    assert bystander.one("SELECT 2") == 2
    assert " warn " not in pgmemo.log_text() and " error " not in pgmemo.log_text(), "load balancers look every second"
    del silent


def test_a_startup_without_user_is_refused_as_postgres_does(pgmemo, bystander):
    client = connect(pgmemo)
    client.send(wire.startup_packet(database="x"))
    error = client.read()
    assert (error.kind, error.fields()["C"]) == ("E", "28000")


def test_the_database_defaults_to_the_name_of_the_user(pgmemo, bystander):
    client = connect(pgmemo)
    client.send(wire.startup_packet(user="postgres"))
    assert client.log_in().kind == "Z"
    assert client.one("SELECT current_database()") == "postgres"


def test_an_unknown_setting_at_startup_fails_as_in_postgres(pgmemo, bystander, postgres, database):
    parameters = {"no_such_setting": "1"}
    through = wire.Wire(pgmemo.port, database, parameters=parameters)
    judge = wire.Wire(postgres.port, database, parameters=parameters)
    assert wire.without_key(through.greeting) == wire.without_key(judge.greeting)
    assert through.greeting[-1].fields()["C"] == "42704"
    through.close()
    judge.close()


def test_a_startup_packet_in_pieces(pgmemo, bystander, database):
    client = connect(pgmemo)
    client.send_cut(wire.startup_packet(user="postgres", database=database, application_name="x" * 3000), 7)
    assert client.log_in().kind == "Z"
    assert client.one("SELECT 1") == "1"


def test_a_session_of_replication_passes(pgmemo, bystander, database):
    client = pgmemo.wire(database, parameters={"replication": "database"})
    got = client.query("IDENTIFY_SYSTEM")
    assert wire.kinds(got) == "TDCZ"
    assert got[1].columns()[3] == database
    client.query("CREATE_REPLICATION_SLOT pgmemo_test TEMPORARY LOGICAL pgoutput")
    assert client.one("SELECT count(*) FROM items") == "5"
    client.close()


# --- messages, however they are cut ----------------------------------------------------------------------------------

def session_bytes():
    return b"".join([
        wire.query("SELECT name FROM items WHERE id = 1"), wire.query("SELECT name FROM items WHERE id = 1"),
        wire.query("BEGIN"), wire.query("SELECT name FROM items WHERE id = 1"),
        wire.query("UPDATE items SET price = price WHERE id = 1"), wire.query("COMMIT"),
        wire.extended("SELECT name FROM items WHERE id = $1", [2]), wire.query(""), wire.query("SELEC"),
        wire.parse("", "SELECT 1/0") + wire.bind("", "") + wire.execute() + wire.execute() + wire.SYNC,
        wire.query("COPY items FROM STDIN") + wire.copy_data(b"1\t") + wire.COPY_DONE,
        wire.query("SELECT count(*) FROM items"), wire.TERMINATE])


def test_a_session_sent_byte_by_byte_says_the_same(pgmemo, bystander, postgres, database):
    judge = wire.Wire(postgres.port, database)
    judge.send(session_bytes())
    expected = judge.rest()
    for size in (1, 2, 3, 5, 7, 64, 100_000):
        through = pgmemo.wire(database)
        through.send_cut(session_bytes(), size)
        assert through.rest() == expected, size


def test_a_session_cut_at_every_byte_says_the_same(pgmemo, bystander, postgres, database):
    data = wire.query("SELECT name FROM items WHERE id = 1") + wire.extended("SELECT price FROM items WHERE id = $1", [1])
    judge = wire.Wire(postgres.port, database)
    judge.send(data)
    expected = wire.without_key(judge.until("Z") + judge.until("Z"))
    judge.close()
    through = pgmemo.wire(database)
    for cut in range(1, len(data)):
        through.send(data[:cut])
        through.send(data[cut:])
        assert wire.without_key(through.until("Z") + through.until("Z")) == expected, cut


def test_a_hundred_queries_in_one_write_are_answered_in_order(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    for _ in range(2):
        client.send(b"".join(wire.query(f"SELECT {n % 5 + 1}, name FROM items WHERE id = {n % 5 + 1}") for n in range(100)))
        for n in range(100):
            got = client.until("Z")
            assert got[1].columns() == [str(n % 5 + 1), f"item {n % 5 + 1}"]


def test_hits_wait_for_their_turn_behind_what_is_upstream(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    hit = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, hit)
    client.send(wire.query("SELECT pg_sleep(0.2), 'slow'") + wire.query(hit) + wire.query("SELECT 'upstream'") +
                wire.query(hit) + wire.query("SELECT 1/0") + wire.query(hit))
    got = [client.until("Z") for _ in range(6)]
    assert [one[1].columns()[-1] if one[0].kind == "T" else one[-2].fields()["C"] for one in got] == [
        "slow", "item 1", "upstream", "item 1", "22012", "item 1"]


def test_writes_and_reads_in_one_send_see_each_other(pgmemo, bystander, database, direct):
    client = pgmemo.wire(database)
    sql = "SELECT price FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    client.send(b"".join(wire.query(f"UPDATE items SET price = {n} WHERE id = 1") + wire.query(sql) for n in range(50)))
    for n in range(50):
        assert client.until("Z")[0].tag == "UPDATE 1"
        assert client.until("Z")[1].columns() == [str(n)]
    client.query("UPDATE items SET price = 10 WHERE id = 1")


def test_a_query_in_the_state_of_skipping_is_skipped(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    hit = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, hit)
    client.send(wire.parse("", "SELEC") + wire.query(hit) + wire.SYNC + wire.query(hit))
    assert wire.kinds(client.until("Z")) == "EZ"
    assert client.until("Z")[1].columns() == ["item 1"]


def test_a_simple_query_ends_the_unnamed_statement(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    hit = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, hit)
    client.ask(wire.parse("", "SELECT 7") + wire.SYNC)
    assert client.one(hit) == "item 1"
    got = client.ask(wire.bind("", "") + wire.execute() + wire.SYNC)
    # In PostgreSQL the statement is gone (26000). A hit never reached it, so there it may live on; never may it be a third thing.
    assert wire.kinds(got) in ("EZ", "2DCZ")


def test_the_empty_query(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    for sql in ("", ";", " ; ; ", "-- only a comment", "/* */"):
        assert wire.kinds(client.query(sql)) == "IZ"


def test_flush_brings_what_is_due(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    client.send(wire.parse("", "SELECT name FROM items WHERE id = 1") + wire.describe("S") + wire.FLUSH)
    assert wire.kinds(client.until("T")) == "1tT"
    client.send(wire.bind("", "") + wire.execute() + wire.FLUSH)
    assert wire.kinds(client.until("C")) == "2DC"
    assert client.is_silent()
    client.send(wire.SYNC)
    assert wire.kinds(client.until("Z")) == "Z"


@pytest.mark.parametrize("data", [
    wire.message("!", b"x"), b"Q\0\0\0\3", b"Q\xff\xff\xff\xff", b"Q\x7f\xff\xff\xff" + b"SELECT 1", b"P\0\0\0\0",
    b"\0\0\0\0\x08", wire.message("p", b"x\0")],
    ids=["unknown_type", "length_3", "length_negative", "length_2_gigabytes", "length_0", "no_type", "password"])
def test_a_broken_message_ends_its_session_only(pgmemo, bystander, postgres, database, data):
    def ends(port):
        client = wire.Wire(port, database)
        client.send(data)
        client.shutdown()
        got = client.rest()
        client.close()
        return got

    assert (ends(pgmemo.port)[:1] in (b"", b"E")) and (ends(postgres.port)[:1] in (b"", b"E"))


def test_a_query_without_its_end_is_an_error_and_the_session_goes_on(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    got = client.ask(wire.message("Q", b"SELECT 1"))
    assert wire.kinds(got) == "EZ" and got[0].fields()["C"] == "08P01"
    assert client.one("SELECT 1") == "1"


def test_a_text_with_bytes_that_are_no_characters_is_judged_by_postgres(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    for _ in range(2):
        got = client.ask(wire.query(b"SELECT '\xff' FROM items"))
        assert got[0].fields()["C"] == "22021"


# --- how a connection ends -------------------------------------------------------------------------------------------

def test_a_half_closed_client_is_still_answered(pgmemo, bystander, database):
    for sql in ("SELECT name FROM items WHERE id = 1", "SELECT pg_sleep(0.1), 'late'"):
        client = pgmemo.wire(database)
        client.send(wire.query(sql))
        client.shutdown()
        assert wire.kinds(client.until("Z")) == "TDCZ"
        assert client.rest() == b""


def test_a_query_right_before_the_end_is_answered(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    client.send(wire.query("SELECT name FROM items WHERE id = 1") + wire.TERMINATE)
    assert wire.kinds(client.until("Z")) == "TDCZ"
    assert client.rest() == b""


def test_a_write_right_before_the_end_is_done_and_seen(pgmemo, bystander, database, direct):
    sql = "SELECT price FROM items WHERE id = 2"
    pgmemo.warm(bystander, sql)
    client = pgmemo.wire(database)
    client.send(wire.query("UPDATE items SET price = 222 WHERE id = 2") + wire.TERMINATE)
    client.close()
    harness.eventually(lambda: direct.one(sql) == 222, "the write is done")
    harness.eventually(lambda: bystander.one(sql) == 222, "the write is seen")


def test_a_client_that_vanishes_in_a_transaction_leaves_nothing(pgmemo, bystander, database, direct):
    client = pgmemo.wire(database)
    client.run("BEGIN")
    client.run("UPDATE items SET price = 333 WHERE id = 3")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    harness.eventually(lambda: direct.one(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()") == 0,
        "its backend is gone")
    assert bystander.one("SELECT price FROM items WHERE id = 3") == 30


def test_nothing_is_done_for_a_client_that_vanished_before_its_turn(pgmemo, bystander, database, direct, postgres):
    """What is still to be decided on when the client is found to be gone may not reach PostgreSQL undecided."""
    sql = "SELECT price FROM items WHERE id = 2"
    pgmemo.warm(bystander, sql)
    with contextlib.closing(postgres.connect(database)) as other:
        locker = other.cursor()
        locker.execute("BEGIN; LOCK TABLE items")
        client = pgmemo.wire(database)
        backend = client.one("SELECT pg_backend_pid()")
        read = wire.query(sql)
        client.run(sql)
        client.send(wire.query("SELECT max(id) FROM items") + read + wire.query("SELECT min(id) FROM items") + read +
                    wire.query("UPDATE items SET price = 222 WHERE id = 2"))
        harness.eventually(lambda: direct.one(
            f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {backend}") == "Lock", "the first waits for the lock")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        locker.execute("ROLLBACK")
    harness.eventually(lambda: direct.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}") == 0,
                       "its backend is gone")
    assert bystander.one(sql) == direct.one(sql) == 20


@pytest.mark.versions
def test_nothing_is_done_behind_a_message_that_ends_the_connection(pgmemo, bystander, database, direct):
    """PostgreSQL 13 would read on behind a Sync that is too long for those that came later."""
    sql = "SELECT price FROM items WHERE id = 2"
    pgmemo.warm(bystander, sql)
    client = pgmemo.wire(database)
    backend = client.one("SELECT pg_backend_pid()")
    client.send(wire.message("S", b"x" * 10_000) + wire.query("UPDATE items SET price = 222 WHERE id = 2"))
    client.rest()
    harness.eventually(lambda: direct.one(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}") == 0,
                       "its backend is gone")
    assert bystander.one(sql) == direct.one(sql) == 20


# --- cancel ----------------------------------------------------------------------------------------------------------

@pytest.mark.versions
@pytest.mark.parametrize("version", [wire.PROTOCOL_3_0, (3 << 16) | 2], ids=["3.0", "3.2"])
def test_cancel_ends_the_statement_and_not_the_session(pgmemo, bystander, database, direct, version):
    """The keys of protocol 3.2 are longer than 4 bytes, whatever PostgreSQL's are."""
    client = pgmemo.wire(database, version=version)
    assert (len(client.key) > 8) == (version > wire.PROTOCOL_3_0)
    client.send(wire.query("SELECT pg_sleep(60)"))
    harness.eventually(lambda: direct.one("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' "
                                          "AND state = 'active'") == 1, "it runs")
    wire.cancel(pgmemo.port, client.key)
    got = client.until("Z")
    assert got[-2].fields()["C"] == "57014"
    assert client.one("SELECT 1") == "1"


def test_cancel_with_a_wrong_key_does_nothing(pgmemo, bystander, database, direct):
    client = pgmemo.wire(database)
    client.send(wire.query("SELECT pg_sleep(60)"))
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    harness.eventually(lambda: direct.one(running) == 1, "it runs")
    pid, = direct.run("SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'")[0]
    for key in (client.key[:-1] + bytes([client.key[-1] ^ 1]), struct.pack("!ii", 1, 1), struct.pack("!ii", pid, 0)):
        wire.cancel(pgmemo.port, key)
    assert direct.one(running) == 1
    wire.cancel(pgmemo.port, client.key)
    assert client.until("Z")[-2].fields()["C"] == "57014"


def test_the_key_of_a_client_is_not_the_key_of_its_upstream_connection(pgmemo, postgres, bystander, database, direct):
    client = pgmemo.wire(database)
    client.send(wire.query("SELECT pg_sleep(60)"))
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    harness.eventually(lambda: direct.one(running) == 1, "it runs")
    wire.cancel(postgres.port, client.key)
    assert direct.one(running) == 1, "PostgreSQL does not know it"
    wire.cancel(pgmemo.port, client.key)
    client.until("Z")


def test_cancel_of_an_idle_client_does_not_hit_its_next_statement(pgmemo, bystander, database):
    client = pgmemo.wire(database)
    pgmemo.warm(client, "SELECT name FROM items WHERE id = 1")
    wire.cancel(pgmemo.port, client.key)
    assert client.one("SELECT name FROM items WHERE id = 1") == "item 1"


def test_keys_differ_between_sessions(pgmemo, bystander, database):
    assert len({pgmemo.wire(database).key for _ in range(10)}) == 10
