"""TLS between pgmemo and PostgreSQL: libpq's words with libpq's meanings."""
import contextlib
import os
import shutil
import socket
import threading
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
def client_files(authority):
    certificate, key = authority.issue("alice")
    own = key + ".own"  # libpq wants the key to be of the user that it runs as
    shutil.copy(key, own)
    os.chmod(own, 0o600)
    return certificate, own


@pytest.fixture(scope="module")
def secure(authority):
    """A cluster with TLS, whose certificate says localhost and 127.0.0.1."""
    certificate, key = authority.issue("server")
    cluster = harness.Postgres(ssl="on", ssl_cert_file=certificate, ssl_key_file=key, ssl_ca_file=authority.bundle,
                               password_encryption="scram-sha-256")
    cluster.certificate = certificate
    cluster.plain_hba = (cluster.data / "pg_hba.conf").read_text()
    cluster.run("CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'item 1');"
                "CREATE ROLE alice LOGIN; CREATE ROLE sam LOGIN PASSWORD 'secret' IN ROLE by_scram;"
                "GRANT SELECT ON items TO PUBLIC")
    yield cluster
    cluster.stop()


@pytest.fixture
def allow(secure):
    """Rules that stand before the cluster's own, until the test ends."""
    def put(*rules):
        (secure.data / "pg_hba.conf").write_text("\n".join([*rules, secure.plain_hba]))
        seen = len(rules) + 1
        with contextlib.closing(psycopg2.connect(host=str(secure.home), port=secure.port, user="postgres",
                                                 dbname="postgres")) as connection:
            connection.autocommit = True
            harness.Session(connection).run("SELECT pg_reload_conf()")
        assert seen

    yield put
    put()


@pytest.fixture
def start(secure):
    started = []

    def run(query, host="localhost", config=None, env=None, wait="ready"):
        process = harness.Pgmemo(f"postgresql://postgres@{host}:{secure.port}/postgres?{query}", config, wait=wait,
                                 env={"HOME": str(harness.WORK.path / "nobody"), **(env or {})})
        started.append(process)
        return process

    yield run
    for process in started:
        process.stop()


SSL_IN_USE = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def refused(pgmemo, **more):
    with pytest.raises(psycopg2.OperationalError) as error:
        pgmemo.connect(**more)
    return str(error.value)


# --- sslmode ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode, encrypted", [("disable", False), ("allow", False), ("prefer", True), ("require", True),
                                             ("verify-ca", True), ("verify-full", True)])
def test_each_sslmode_reaches_a_server_with_tls(start, authority, mode, encrypted):
    pgmemo = start(f"sslmode={mode}&sslrootcert={authority.bundle}")
    session = pgmemo.session()
    assert session.one(SSL_IN_USE) is encrypted
    assert pgmemo.warm(session, "SELECT name FROM items WHERE id = 1") == [("item 1",)]  # its own connections work too


@pytest.mark.parametrize("mode, reached", [("disable", True), ("allow", True), ("prefer", True), ("require", False),
                                           ("verify-full", False)])
def test_a_server_without_tls_is_reached_unless_tls_is_required(postgres, authority, mode, reached):
    pgmemo = harness.Pgmemo(f"{postgres.uri()}?sslmode={mode}&sslrootcert={authority.bundle}")
    try:
        if reached:
            assert pgmemo.session().one(SSL_IN_USE) is False
        else:
            assert "server does not support SSL, but SSL was required" in refused(pgmemo)
    finally:
        pgmemo.stop()


@pytest.mark.parametrize("mode, rule, encrypted", [
    ("allow", "hostnossl all all all reject", True), ("prefer", "hostssl all all all reject", False)])
def test_the_other_way_is_tried_when_the_first_is_refused(start, allow, mode, rule, encrypted):
    allow(rule)
    assert start(f"sslmode={mode}").session().one(SSL_IN_USE) is encrypted


@pytest.mark.parametrize("mode, rule", [("disable", "hostnossl all all all reject"), ("require", "hostssl all all all reject")])
def test_no_other_way_is_tried_where_the_mode_allows_none(start, allow, mode, rule):
    allow(rule)
    assert "pg_hba.conf rejects connection" in refused(start(f"sslmode={mode}"))


def test_a_refusal_by_both_ways_is_told_in_the_servers_words(start, allow):
    allow("host all all all reject")
    for mode in ("allow", "prefer"):
        assert "pg_hba.conf rejects connection" in refused(start(f"sslmode={mode}"))


def test_a_unix_socket_never_has_tls(secure):
    pgmemo = harness.Pgmemo(f"host={secure.home} port={secure.port} user=postgres dbname=postgres sslmode=require")
    try:
        assert pgmemo.session().one(SSL_IN_USE) is False
    finally:
        pgmemo.stop()


# --- who the server is -----------------------------------------------------------------------------------------------

def test_a_server_of_another_authority_is_refused(start):
    other = certificates.Authority("another")
    for mode in ("require", "verify-ca", "verify-full"):  # a root that is there is used, whatever the mode
        assert "certificate verify failed" in refused(start(f"sslmode={mode}&sslrootcert={other.bundle}"))
    assert start("sslmode=require&sslrootcert=/nowhere/root.crt").session().one(SSL_IN_USE) is True


def test_libpqs_default_root_is_used(start, authority):
    home = harness.WORK.fresh("home")
    (home / ".postgresql").mkdir()
    shutil.copy(authority.bundle, home / ".postgresql" / "root.crt")
    assert start("sslmode=verify-full", env={"HOME": str(home)}).session().one(SSL_IN_USE) is True


def test_the_name_is_verified_by_verify_full_alone(start, authority):
    roots = f"sslrootcert={authority.bundle}&hostaddr=127.0.0.1"
    assert start(f"sslmode=verify-ca&{roots}", host="elsewhere.test").session().one(SSL_IN_USE) is True
    assert 'does not match host name "elsewhere.test"' in refused(start(f"sslmode=verify-full&{roots}", host="elsewhere.test"))
    assert start(f"sslmode=verify-full&sslrootcert={authority.bundle}", host="127.0.0.1").session().one(SSL_IN_USE) is True


def test_a_revoked_server_is_refused(start, secure, authority):
    verify = f"sslmode=verify-full&sslrootcert={authority.bundle}&sslcrl="
    good, _ = authority.issue("another")
    session = start(verify + authority.revoked(good)).session()
    assert session.one(SSL_IN_USE) is True
    assert "revoked" in refused(start(verify + authority.revoked(secure.certificate), wait="listening"))


@pytest.mark.versions
def test_the_direct_start_of_tls(start, authority):
    uri = f"sslmode=verify-full&sslrootcert={authority.bundle}&sslnegotiation=direct"
    if harness.PG_VERSION >= 17:
        pgmemo = start(uri)
        session = pgmemo.session()
        assert session.one(SSL_IN_USE) is True
        assert pgmemo.warm(session, "SELECT name FROM items WHERE id = 1") == [("item 1",)]
    else:  # such a server takes the handshake for a length, and goes
        assert "connection" in refused(start(uri, wait="listening"))


def test_the_systems_roots_are_one_word(start, authority):
    pgmemo = start("sslrootcert=system", env={"SSL_CERT_FILE": authority.bundle})
    session = pgmemo.session()
    assert session.one(SSL_IN_USE) is True
    pgmemo.warm(session, "SELECT name FROM items WHERE id = 1")
    assert "certificate verify failed" in refused(start("sslrootcert=system", env={"SSL_CERT_FILE": "/dev/null"}))


# --- who we are ------------------------------------------------------------------------------------------------------

def test_a_client_certificate_is_shown_to_the_server(start, allow, client_files):
    allow("hostssl all alice all trust clientcert=verify-full", "host all alice all reject")
    certificate, key = client_files
    pgmemo = start(f"sslmode=require&sslcert={certificate}&sslkey={key}")
    assert pgmemo.session(user="alice").one("SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "/CN=alice"
    assert "certificate" in refused(start("sslmode=require"), user="alice")


def test_versions_and_ways_of_negotiation(start):
    version = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert start("sslmode=require&ssl_max_protocol_version=TLSv1.2").session().one(version) == "TLSv1.2"
    assert start("sslmode=require&ssl_min_protocol_version=TLSv1.3").session().one(version) == "TLSv1.3"
    assert start("sslmode=require&sslnegotiation=postgres&sslsni=0").session().one(version) == "TLSv1.3"


# --- what an attacker may try ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("answer", [b"S" + b"Z\0\0\0\5I", b"SE\0\0\0\5x", b"X", b"", b"E\0\0\0\x08oops"],
                         ids=["injected", "injected-error", "letter", "nothing", "error"])
def test_bytes_before_the_handshake_end_the_connection(answer):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

        def talk(connection):
            with contextlib.suppress(OSError), connection:
                connection.recv(8)
                connection.sendall(answer)
                while answer and connection.recv(1 << 16):
                    pass

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        pgmemo = harness.Pgmemo(f"postgresql://x@127.0.0.1:{port}/x?sslmode=require", wait="listening")
        try:
            client = wire.Wire(pgmemo.port)
            error = client.greeting[-1].fields()
            assert error["C"] == "08006"
            assert len(client.greeting) == 1 and client.rest() == b""
            if answer.startswith(b"S"):
                assert "unencrypted data" in error["M"]
        finally:
            pgmemo.stop()


# --- cancel, and much of it ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("mode", ["disable", "verify-full"])
def test_a_cancel_goes_the_way_of_its_session(start, secure, allow, authority, mode):
    pgmemo = start(f"sslmode={mode}&sslrootcert={authority.bundle}")
    client = pgmemo.wire()
    client.send(wire.query("SELECT pg_sleep(600)"))
    harness.eventually(lambda: secure.run("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
                                          " AND state = 'active'"), "it runs")
    wire.cancel(pgmemo.port, client.key)
    error, = [one for one in client.until("Z") if one.kind == "E"]
    assert error.fields()["C"] == "57014"
    assert client.one("SELECT 1") == "1"


def test_large_messages_pass_with_tls_on_both_sides(start, authority):
    certificate, key = authority.issue("pgmemo")
    pgmemo = start("sslmode=require", config={"tls": {"certificate": certificate, "key": key}})
    session = pgmemo.session(sslmode="require")
    text = "x" * 3_000_000
    assert session.one(f"SELECT length('{text}')") == len(text)
    assert session.one("SELECT repeat('y', 3000000)") == "y" * 3_000_000
    with session.connection.cursor() as cursor:
        import io
        session.run("CREATE TEMPORARY TABLE t (a text)")
        cursor.copy_expert("COPY t FROM STDIN", io.StringIO("line\n" * 200_000))
    assert session.one("SELECT count(*) FROM t") == 200_000


def test_many_clients_at_once(start, authority):
    certificate, key = authority.issue("pgmemo")
    pgmemo = start("sslmode=require", config={"tls": {"certificate": certificate, "key": key}})

    def work(number):
        session = pgmemo.session(sslmode="require")
        return [session.one(f"SELECT {number} + {n}") - n for n in range(50)] == [number] * 50

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(work, range(64)))


# --- SCRAM through two legs ------------------------------------------------------------------------------------------

def scram(pgmemo, **more):
    return pgmemo.session(user="sam", password="secret", host="localhost", **more)


def test_scram_is_relayed_where_one_leg_has_tls(start, authority):
    certificate, key = authority.issue("pgmemo")
    tls = {"tls": {"certificate": certificate, "key": key}}
    assert scram(start("sslmode=require"), sslmode="disable").one(SSL_IN_USE) is True
    assert scram(start("sslmode=disable", config=tls), sslmode="require").one(SSL_IN_USE) is False
    assert scram(start("sslmode=disable", config=tls), sslmode="disable").one(SSL_IN_USE) is False


def test_scram_with_tls_on_both_legs_works_without_channel_binding_and_else_is_refused_clearly(start, authority):
    certificate, key = authority.issue("pgmemo")
    pgmemo = start("sslmode=require", config={"tls": {"certificate": certificate, "key": key}})
    harness.eventually(lambda: "channel_binding=disable" in pgmemo.log_text(), "it is said at the start")
    assert scram(pgmemo, sslmode="require", channel_binding="disable").one(SSL_IN_USE) is True
    text = refused(pgmemo, user="sam", password="secret", sslmode="require")
    assert "pgmemo cannot relay this SCRAM login" in text and "channel_binding=disable" in text
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        pgmemo.connect(user="sam", password="wrong", sslmode="require", channel_binding="disable")
    assert scram(pgmemo, sslmode="disable").one(SSL_IN_USE) is True
