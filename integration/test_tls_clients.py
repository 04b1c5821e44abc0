"""TLS between clients and pgmemo."""
import contextlib
import json
import os
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

import certificates
import harness
import wire


@pytest.fixture(scope="module")
def authority():
    return certificates.Authority()


@pytest.fixture(scope="module")
def server_files(authority):
    return authority.issue("server")


@pytest.fixture
def start(postgres, database, direct, server_files):
    """pgmemo with a certificate, and what else `tls` says."""
    started = []

    def run(config=None, **tls):
        certificate, key = server_files
        process = harness.Pgmemo(postgres.uri(database),
                                 {"tls": {"certificate": certificate, "key": key, **tls}, **(config or {})})
        started.append(process)
        return process

    yield run
    for process in started:
        process.stop()


@pytest.fixture
def pgmemo(start):
    return start()


def context_of(authority, alpn=None, newest=None, files=None):
    context = ssl.create_default_context(cafile=authority.bundle)
    if alpn:
        context.set_alpn_protocols(alpn)
    if newest:
        context.maximum_version = newest
    if files:
        context.load_cert_chain(*files)
    return context


def secured(pgmemo, database, authority, direct=False, **more):
    """A session of raw messages over TLS."""
    client = wire.Wire(pgmemo.port, login=False)
    pgmemo.sessions.append(client)
    client.start_tls(context_of(authority, **more), direct)
    client.send(wire.startup_packet(user="postgres", database=database))
    client.log_in()
    return client


def refusal(connect):
    with pytest.raises(psycopg2.OperationalError) as error:
        connect()
    return str(error.value)


# --- that it works ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca", "verify-full"])
def test_every_sslmode_of_libpq_gets_what_it_asks_for(pgmemo, database, authority, mode):
    session = pgmemo.session(database, host="localhost", sslmode=mode, sslrootcert=authority.bundle)
    assert pgmemo.warm(session, "SELECT name FROM items WHERE id = 1") == [("item 1",)]
    assert session.connection.info.ssl_in_use == (mode != "allow")
    session.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert session.run("SELECT name FROM items WHERE id = 1") == [("new",)]


def test_psql_speaks_tls_with_it(pgmemo, database, authority):
    said = subprocess.run(
        ["psql", "-X", "-At", "-c", "\\conninfo", "-c", "SELECT count(*) FROM items",
         f"host=localhost port={pgmemo.port} dbname={database} user=postgres sslmode=verify-full "
         f"sslrootcert={authority.bundle}"], capture_output=True, text=True, timeout=harness.DEADLINE, check=True).stdout
    assert "TLSv1.3" in said and said.splitlines()[-1] == "5"


def test_without_a_certificate_clients_are_told_that_there_is_no_tls(postgres, database, direct):
    plain = harness.Pgmemo(postgres.uri(database))
    try:
        assert not plain.session(database, sslmode="prefer").connection.info.ssl_in_use
        assert "does not support SSL" in refusal(lambda: plain.connect(database, sslmode="require"))
    finally:
        plain.stop()


def test_a_wrong_authority_or_name_is_the_clients_to_refuse(pgmemo, database, authority):
    other = certificates.Authority("another")
    assert "verify failed" in refusal(
        lambda: pgmemo.connect(database, host="localhost", sslmode="verify-ca", sslrootcert=other.bundle))
    assert "does not match host name" in refusal(
        lambda: pgmemo.connect(database, host="elsewhere.test", hostaddr="127.0.0.1", sslmode="verify-full",
                               sslrootcert=authority.bundle))
    assert pgmemo.session(database, sslmode="require").one("SELECT 1") == 1


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_messages_come_through_however_they_are_cut(pgmemo, database, authority, newest):
    client = secured(pgmemo, database, authority, newest=newest)
    sent = wire.query("SELECT name FROM items WHERE id = 2") + wire.extended("SELECT $1::int", [7]) + wire.query("SELECT 3")
    for size in (1, 2, 7, 1000):
        client.send_cut(sent, size)  # a record for each piece
        got = [client.until("Z") for _ in range(3)]
        assert [one.columns() for part in got for one in part if one.kind == "D"] == [["item 2"], ["7"], ["3"]]


def test_large_messages_pass_in_both_directions(pgmemo, database, authority):
    client = secured(pgmemo, database, authority)
    text = "x" * 3_000_000
    assert client.one(f"SELECT length('{text}')") == str(len(text))
    assert client.one("SELECT repeat('y', 3000000)") == "y" * 3_000_000
    for _ in range(3):  # from the cache, in part
        assert len(client.run("SELECT a.name FROM items a, items b, items c, items d")) == 625


def test_a_burst_of_hits_is_answered_in_order(pgmemo, database, authority):
    client = secured(pgmemo, database, authority)
    for number in range(1, 6):
        pgmemo.warm(client, f"SELECT name FROM items WHERE id = {number}")
    client.send(b"".join(wire.query(f"SELECT name FROM items WHERE id = {n % 5 + 1}") for n in range(500)))
    got = [one.columns()[0] for _ in range(500) for one in client.until("Z") if one.kind == "D"]
    assert got == [f"item {n % 5 + 1}" for n in range(500)]


class Records:
    """A socket with TLS on it, whose records go out when and as the test wants."""

    def __init__(self, plain, context):
        self.plain, self.incoming, self.outgoing = plain, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self._until_done(self.tls.do_handshake)

    def _until_done(self, action):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                self.plain.sendall(self.outgoing.read())
                self.incoming.write(self.plain.recv(1 << 16))
            finally:
                self.plain.sendall(self.outgoing.read())

    def record(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def sendall(self, data):
        self.plain.sendall(self.record(data))

    def recv(self, size):
        return self._until_done(lambda: self.tls.read(size))

    def close(self):
        self.plain.close()


def test_records_are_read_however_they_lie_in_segments(pgmemo, database, authority):
    """Many in one, so that all but the first are in OpenSSL's hands when the socket is empty; and parts of one."""
    client = wire.Wire(pgmemo.port, login=False)
    client.send(wire.SSL_REQUEST)
    assert client.take(1) == b"S"
    client.socket = Records(client.socket, context_of(authority))
    client.send(wire.startup_packet(user="postgres", database=database))
    client.log_in()
    hit, other = wire.query("SELECT name FROM items WHERE id = 2"), wire.query("SELECT random() < 2")
    pgmemo.warm(client, "SELECT name FROM items WHERE id = 2")
    for asked in ([hit] * 2, [hit] * 100, [hit, other, hit, hit], [hit[:9], hit[9:], hit], [other, hit] * 20):
        client.socket.plain.sendall(b"".join(client.socket.record(one) for one in asked))
        wanted = ["item 2" if b"items" in text else "t" for text in b"".join(asked).split(b"SELECT")[1:]]
        assert [one.columns()[0] for _ in wanted for one in client.until("Z") if one.kind == "D"] == wanted
    for size in (1, 5, 20):
        record = client.socket.record(hit)
        for at in range(0, len(record), size):
            client.socket.plain.sendall(record[at:at + size])
        assert [one.columns() for one in client.until("Z") if one.kind == "D"] == [["item 2"]]
    client.close()


def test_a_client_that_closes_its_side_is_still_answered(pgmemo, database, authority):
    client = secured(pgmemo, database, authority)
    client.send(wire.query("SELECT name FROM items WHERE id = 3"))
    socket.socket.shutdown(client.socket, socket.SHUT_WR)  # of TCP alone: Python would forget the TLS as well
    assert [one.columns() for one in client.until("Z") if one.kind == "D"] == [["item 3"]]


# --- the start -------------------------------------------------------------------------------------------------------

def test_a_direct_start_needs_the_protocols_name(pgmemo, database, authority):
    client = secured(pgmemo, database, authority, direct=True, alpn=["postgresql"])
    assert client.socket.selected_alpn_protocol() == "postgresql"
    assert client.one("SELECT count(*) FROM items") == "5"

    bare = wire.Wire(pgmemo.port, login=False)
    bare.start_tls(context_of(authority), direct=True)  # as PostgreSQL 18: the handshake ends, and then the connection
    with contextlib.suppress(OSError):
        bare.send(wire.startup_packet(user="postgres", database=database))
    assert bare.rest() == b""

    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        wire.Wire(pgmemo.port, login=False).start_tls(context_of(authority, alpn=["h2"]), direct=True)


def test_a_start_by_request_refuses_only_another_protocols_name(pgmemo, database, authority):
    assert secured(pgmemo, database, authority).socket.selected_alpn_protocol() is None
    assert secured(pgmemo, database, authority, alpn=["h2", "postgresql"]).socket.selected_alpn_protocol() == "postgresql"
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        secured(pgmemo, database, authority, alpn=["http/1.1"])


def test_gss_is_declined_before_tls(pgmemo, database, authority):
    client = wire.Wire(pgmemo.port, login=False)
    client.send(wire.GSSENC_REQUEST)
    assert client.take(1) == b"N"
    client.start_tls(context_of(authority))
    client.send(wire.startup_packet(user="postgres", database=database))
    assert client.log_in().kind == "Z"
    client.close()


def test_there_is_no_tls_inside_tls(pgmemo, database, authority):
    for request in (wire.SSL_REQUEST, wire.GSSENC_REQUEST):
        client = wire.Wire(pgmemo.port, login=False)
        client.start_tls(context_of(authority))
        client.send(request)
        assert client.read().fields()["V"] == "FATAL"
        assert client.rest() == b""


def test_bytes_sent_before_the_handshake_are_refused(pgmemo, database):
    injected = wire.startup_packet(user="postgres", database=database) + wire.query("DELETE FROM items")
    client = wire.Wire(pgmemo.port, login=False)
    client.send(wire.SSL_REQUEST + injected)
    assert b"S" != client.rest()[:1]
    late = wire.Wire(pgmemo.port, login=False)
    late.send(wire.SSL_REQUEST)
    assert late.take(1) == b"S"
    late.send(injected)  # no ClientHello
    assert b"Z\0\0\0\5" not in late.rest()
    assert pgmemo.session(database).one("SELECT count(*) FROM items") == 5


def test_whatever_is_sent_for_a_handshake_harms_nobody_else(pgmemo, database, authority):
    session = pgmemo.session(database, sslmode="require")
    for start in (b"", wire.SSL_REQUEST):
        for noise in (b"\x16", b"\x16\x03\x01\x00\xa5\x01", bytes.fromhex("16030100a5010000a10303") + b"\1" * 200,
                      b"\x16\x03\x03\xff\xff" + b"\0" * 70_000, b"\x15\x03\x03\x00\x02\x02\x28"):
            client = wire.Wire(pgmemo.port, login=False)
            client.send(start)
            if start:
                assert client.take(1) == b"S"
            with contextlib.suppress(OSError):
                client.send(noise)
                client.shutdown()
            client.rest()
    assert session.one("SELECT 1") == 1
    assert pgmemo.process.poll() is None


def test_an_older_tls_than_allowed_is_refused(start, database, authority):
    strict = start(min_version="1.3")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secured(strict, database, authority, newest=ssl.TLSVersion.TLSv1_2)
    assert secured(strict, database, authority).one("SELECT 1") == "1"


# --- who may come ----------------------------------------------------------------------------------------------------

def test_where_tls_is_required_plain_connections_are_refused_as_pg_hba_would(start, postgres, database):
    pgmemo = start(require=True)
    client = wire.Wire(pgmemo.port, database)
    error = client.greeting[-1].fields()
    assert (error["V"], error["C"]) == ("FATAL", "28000")
    assert error["M"] == (f'no pg_hba.conf entry for host "127.0.0.1", user "postgres", database "{database}", '
                          "no encryption")
    for mode in ("allow", "prefer", "require"):
        assert pgmemo.session(database, sslmode=mode).connection.info.ssl_in_use


def test_a_cancel_request_needs_no_tls(start, postgres, database):
    pgmemo = start(require=True)
    session = pgmemo.session(database, sslmode="require")
    harness.eventually(lambda: session.one("SELECT 1") == 1, "it answers")
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(session.fails, "SELECT pg_sleep(600)")
        harness.eventually(
            lambda: postgres.run("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
                                 " AND state = 'active'"), "it runs")
        session.connection.cancel()  # libpq 15 sends it without TLS
        assert failing.result(harness.DEADLINE) == "57014"


def test_a_cancel_request_may_come_by_tls(start, postgres, database, authority):
    pgmemo = start(require=True)
    client = secured(pgmemo, database, authority)
    client.send(wire.query("SELECT pg_sleep(601)"))
    harness.eventually(lambda: postgres.run("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(601)' AND state = 'active'"),
                       "it runs")
    canceller = wire.Wire(pgmemo.port, login=False)
    canceller.start_tls(context_of(authority))
    canceller.send(wire.cancel_packet(client.key))
    assert canceller.rest() == b""  # closed without a word
    assert next(one for one in client.until("Z") if one.kind == "E").fields()["C"] == "57014"


def test_unix_sockets_have_no_tls_and_are_not_asked_for_it(start, database):
    path = harness.WORK.fresh("socket")
    port = harness.free_port()
    pgmemo = start({"listen": [f"{path}/.s.PGSQL.{port}"]}, require=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as raw:
        raw.connect(f"{path}/.s.PGSQL.{port}")
        raw.sendall(wire.SSL_REQUEST)
        assert raw.recv(1) == b"N"
    session = harness.Session(psycopg2.connect(host=str(path), port=port, dbname=database, user="postgres"))
    assert session.one("SELECT count(*) FROM items") == 5
    session.close()
    assert pgmemo.process.poll() is None


def test_clients_certificates_are_verified_where_there_is_an_authority_for_them(start, database, authority):
    mine, stranger = authority.issue("alice"), certificates.Authority("another").issue("mallory")
    optional = start(client_ca=authority.bundle)
    assert secured(optional, database, authority).one("SELECT 1") == "1"
    assert secured(optional, database, authority, files=mine).one("SELECT 1") == "1"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secured(optional, database, authority, files=stranger)

    required = start(client_ca=authority.bundle, client_certificate="required")
    assert secured(required, database, authority, files=mine).one("SELECT 1") == "1"
    for client in (secured(required, database, authority), wire.Wire(required.port, database)):
        error = client.greeting[-1].fields()
        assert (error["C"], error["M"]) == ("28000", "connection requires a valid client certificate")
    certificate, key = mine
    assert required.session(database, sslmode="require", sslcert=certificate, sslkey=key).one("SELECT 1") == 1


# --- reload ----------------------------------------------------------------------------------------------------------

def test_a_reload_brings_a_new_certificate_and_keeps_the_old_one_if_that_is_bad(start, database, authority, server_files):
    pgmemo = start()
    before = pgmemo.session(database, host="localhost", sslmode="verify-full", sslrootcert=authority.bundle)
    fresh = certificates.Authority("fresh")
    certificate, key = fresh.issue("server")

    assert "was refused" in pgmemo.reload(tls={"certificate": certificate, "key": server_files[1]})
    assert "was refused" in pgmemo.reload(tls={"certificate": "nowhere.crt", "key": key})
    assert pgmemo.session(database, host="localhost", sslmode="verify-full", sslrootcert=authority.bundle).one("SELECT 1") == 1

    assert "is in force" in pgmemo.reload(tls={"certificate": certificate, "key": key})
    assert pgmemo.session(database, host="localhost", sslmode="verify-full", sslrootcert=fresh.bundle).one("SELECT 1") == 1
    assert "verify failed" in refusal(
        lambda: pgmemo.connect(database, host="localhost", sslmode="verify-full", sslrootcert=authority.bundle))
    assert before.one("SELECT 1") == 1


@pytest.mark.parametrize("break_it, says", [
    (lambda c, k: {"certificate": c, "key": c}, "private key"),
    (lambda c, k: {"certificate": k, "key": k}, "certificate"),
    (lambda c, k: {"certificate": c, "key": "/nowhere/server.key"}, "/nowhere/server.key"),
    (lambda c, k: {"certificate": c, "key": k, "client_ca": k}, "client_ca"),
    (lambda c, k: {"certificate": c}, "certificate and key come together"),
    (lambda c, k: {"require": True}, "certificate and key"),
    (lambda c, k: {"certificate": c, "key": k, "client_certificate": "required"}, "client_ca"),
    (lambda c, k: {"certificate": c, "key": k, "min_version": "1.1"}, "min_version")],
    ids=["key", "certificate", "no-key-file", "client-ca", "half", "require-alone", "no-client-ca", "version"])
def test_what_cannot_be_used_is_said_before_the_start(tmp_path, server_files, break_it, says):
    file = tmp_path / "pgmemo.yaml"
    file.write_text(json.dumps({"upstream": "host=/nowhere", "tls": break_it(*server_files)}))
    for words in (["check", file], ["--config", file]):
        code, text = harness.run_pgmemo(*words)
        assert code == 1 and says in text, text


def test_a_key_that_others_may_read_is_refused(tmp_path, authority):
    certificate, key = authority.issue("open")
    os.chmod(key, 0o644)
    file = tmp_path / "pgmemo.yaml"
    file.write_text(f"upstream: host=/nowhere\ntls: {{certificate: {certificate}, key: {key}}}\n")
    code, text = harness.run_pgmemo("check", file)
    assert code == 1 and "can be read by others" in text
