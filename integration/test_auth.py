"""Logins that pgmemo ends itself: who comes in, as whom, and what becomes of those who may no longer."""
import base64
import hashlib
import hmac
import os
import shutil
import subprocess

import psycopg2
import pytest

import certificates
import harness
import wire

WRONG = 'password authentication failed for user "{}"'


@pytest.fixture(scope="module")
def server():
    """A cluster that asks for passwords over TCP, by SCRAM, md5 and in the clear, and also speaks TLS."""
    certificate, key = certificates.Authority().issue("server")
    cluster = harness.Postgres(ssl="on", ssl_cert_file=certificate, ssl_key_file=key)
    cluster.run('''
        CREATE TABLE items (id int PRIMARY KEY, name text);
        INSERT INTO items VALUES (1, 'item 1');
        GRANT SELECT ON items TO PUBLIC;
        SET password_encryption = 'scram-sha-256';
        CREATE ROLE sam LOGIN PASSWORD 'secret' IN ROLE by_scram;
        CREATE ROLE clear LOGIN PASSWORD 'secret' IN ROLE by_password;
        CREATE ROLE nologin NOLOGIN PASSWORD 'secret' IN ROLE by_scram;
        CREATE ROLE past LOGIN PASSWORD 'secret' VALID UNTIL '2001-01-01' IN ROLE by_scram;
        CREATE ROLE future LOGIN PASSWORD 'secret' VALID UNTIL '2999-01-01' IN ROLE by_scram;
        CREATE ROLE bare LOGIN IN ROLE by_scram;
        CREATE ROLE "Ünï ""x""" LOGIN PASSWORD 'secret' IN ROLE by_scram;
        SET password_encryption = 'md5';
        CREATE ROLE mike LOGIN PASSWORD 'secret' IN ROLE by_md5;
    ''')
    yield cluster
    cluster.stop()


@pytest.fixture
def start(server):
    started = []

    def run(auth, uri=None, **config):
        process = harness.Pgmemo(uri or server.uri(), {"auth": auth, **config})
        started.append(process)
        return process

    yield run
    for process in started:
        process.stop()


@pytest.fixture
def temporary_role(server):
    made = []

    def create(password="secret"):
        name = f"temporary_{len(made)}"
        server.run(f"SET password_encryption = 'scram-sha-256';"
                   f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE by_scram")
        made.append(name)
        return name

    yield create
    for name in made:
        server.run(f"DROP ROLE IF EXISTS {name}")


def users_file(*lines):
    path = harness.WORK.fresh("users") / "users.txt"
    path.write_text("".join(f'"{name}" "{secret}"\n' for name, secret in lines))
    path.chmod(0o600)
    return path


def secret_of(server, role):
    (secret,), = server.run(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")
    return secret


def refusal(pgmemo, **more):
    with pytest.raises(psycopg2.OperationalError) as error:
        pgmemo.connect(**more)
    return str(error.value)


def whoami(session):
    return session.run("SELECT current_user, count(*) FROM items")


# --- verifiers from PostgreSQL ---------------------------------------------------------------------------------------

@pytest.fixture
def pgmemo(start):
    return start("scram")


def test_the_right_password_comes_in_and_hits(pgmemo):
    session = pgmemo.session(user="sam", password="secret")
    assert whoami(session) == [("sam", 1)]
    read = "SELECT name FROM items WHERE id = 1"
    assert session.one(read) == session.one(read) == "item 1"
    harness.eventually(lambda: session.run(read) and pgmemo.queries("hit") > 0, "it hits")
    other = pgmemo.session(user="sam", password="secret")
    assert other.one(read) == "item 1"


def test_a_wrong_password_and_an_unknown_user_cannot_be_told_apart(pgmemo):
    for user in ("sam", "nobody", "nologin", "past", "bare", "x" * 200):
        assert WRONG.format(user) in refusal(pgmemo, user=user, password="wrong")
    for user in ("nobody", "nologin", "past", "bare"):
        assert WRONG.format(user) in refusal(pgmemo, user=user, password="secret"), "no password lets it in"
    assert whoami(pgmemo.session(user="future", password="secret")) == [("future", 1)]
    assert "VALID UNTIL" in pgmemo.log_text(), "the log says why"


def test_the_salt_of_an_unknown_user_is_its_own_and_stays(pgmemo):
    def salt(user):
        client = wire.Wire(pgmemo.port, user=user, login=False)
        client.send(wire.startup_packet(user=user, database="postgres"))
        offered = client.read()
        assert (offered.kind, offered.body) == ("R", b"\0\0\0\x0aSCRAM-SHA-256\0\0")
        first = b"n,,n=,r=abcdefgh"
        client.send(wire.message("p", b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first))
        answer = client.read()
        assert answer.body[:4] == b"\0\0\0\x0b"
        client.close()
        fields = dict(part.split(b"=", 1) for part in answer.body[4:].split(b","))
        assert fields[b"i"] == b"4096" and len(base64.b64decode(fields[b"s"])) == 16
        return fields[b"s"]

    assert salt("nobody") == salt("nobody") != salt("somebody")
    assert salt("sam") == salt("sam")


def test_psql_and_names_that_need_quotes(pgmemo):
    done = subprocess.run(["psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(pgmemo.port), "-U", 'Ünï "x"', "-d", "postgres",
                           "-c", "SELECT current_user", "-c", "SELECT name FROM items"], capture_output=True, text=True,
                          env={**os.environ, "PGPASSWORD": "secret", "PGCLIENTENCODING": "UTF8"}, timeout=harness.DEADLINE)
    assert done.stdout.splitlines() == ['Ünï "x"', "item 1"], done.stderr


def test_startup_parameters_reach_postgresql_but_not_the_question_for_the_password(pgmemo, server):
    server.run("CREATE SCHEMA IF NOT EXISTS evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;"
               "CREATE OR REPLACE FUNCTION evil.hit() RETURNS bool LANGUAGE sql AS 'SELECT true'")
    session = pgmemo.session(user="sam", password="secret", options="-c search_path=evil -c statement_timeout=12345ms",
                             application_name="mine")
    assert session.one("SHOW search_path") == "evil"
    assert session.one("SHOW statement_timeout") == "12345ms"
    assert session.one("SHOW application_name") == "mine"
    assert session.connection.get_parameter_status("application_name") == "mine"


def test_errors_of_postgresql_behind_the_login_are_its_own(pgmemo):
    assert 'database "nowhere" does not exist' in refusal(pgmemo, user="sam", password="secret", dbname="nowhere")
    assert "unrecognized configuration parameter" in refusal(pgmemo, user="sam", password="secret", options="-c nonsense=1")


def test_a_newer_protocol_is_negotiated(pgmemo, server):
    for port in (server.port, pgmemo.port):
        client = wire.Wire(port, user="sam", login=False)
        client.send(wire.startup_packet(0x00030063, user="postgres" if port == server.port else "sam",
                                        database="postgres", **{"_pq_.nonsense": "1"}))
        if port == pgmemo.port:
            scram(client, "secret")
        got = client.until("Z")
        assert [one.kind for one in got][0] in "vR" and any(one.kind == "v" for one in got)
        negotiated, = [one.body for one in got if one.kind == "v"]
        assert negotiated.endswith(b"_pq_.nonsense\0")


def scram(client, password):
    """The client's half of SCRAM, by hand, up to and with the server's proof."""
    offered = client.read()
    assert offered.body.startswith(b"\0\0\0\x0aSCRAM")
    bare = "n=,r=abcdefgh"
    first = ("n,," + bare).encode()
    client.send(wire.message("p", b"SCRAM-SHA-256\0" + len(first).to_bytes(4, "big") + first))
    server_first = client.read().body[4:].decode()
    fields = dict(part.split("=", 1) for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.new(salted, b"Client Key", "sha256").digest()
    without = f"c=biws,r={fields['r']}"
    talk = f"{bare},{server_first},{without}".encode()
    signature = hmac.new(hashlib.sha256(key).digest(), talk, "sha256").digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
    client.send(wire.message("p", f"{without},p={proof}".encode()))
    final = client.read()
    expected = hmac.new(hmac.new(salted, b"Server Key", "sha256").digest(), talk, "sha256").digest()
    assert final.body == b"\0\0\0\x0cv=" + base64.b64encode(expected)
    return final


def test_a_login_in_single_bytes_with_a_query_behind_it(pgmemo):
    client = wire.Wire(pgmemo.port, login=False)
    client.send_cut(wire.startup_packet(user="sam", database="postgres"))
    scram(client, "secret")
    client.send(wire.query("SELECT name FROM items"))
    assert client.read().body == b"\0\0\0\0"
    client.until("Z")
    assert [one.columns()[0] for one in client.until("Z") if one.kind == "D"] == ["item 1"]


@pytest.mark.parametrize("sent", [
    wire.message("p", b"SCRAM-SHA-256\0\x7f\xff\xff\xff"), wire.message("p", b"SCRAM-SHA-256\0\xff\xff\xff\xff"),
    wire.message("p", b"PLAIN\0\0\0\0\1x"), wire.message("p", b""), wire.query("SELECT 1"),
    b"p\0\0\0\0", b"p\x7f\xff\xff\xff", b"p\xff\xff\xff\xff", wire.message("p", b"x" * 2000)])
def test_what_is_no_answer_is_refused_and_harms_nobody(pgmemo, sent):
    client = wire.Wire(pgmemo.port, login=False)
    client.send(wire.startup_packet(user="sam", database="postgres"))
    client.read()
    client.send(sent)
    got = client.read()
    assert got.kind == "E" and got.fields()["C"] == "08P01"
    assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)]


def test_a_query_of_ones_own_for_the_verifiers(start, server):
    server.run("""
        CREATE ROLE asker LOGIN;
        CREATE SCHEMA lookup;
        CREATE FUNCTION lookup.secret(text) RETURNS TABLE (name text, secret text) SECURITY DEFINER LANGUAGE sql
            SET search_path = pg_catalog
            AS 'SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1';
        GRANT USAGE ON SCHEMA lookup TO asker;
        GRANT EXECUTE ON FUNCTION lookup.secret TO asker""")
    try:
        asker = server.uri(user="asker")
        pgmemo = start({"method": "scram", "query": "SELECT * FROM lookup.secret($1)"}, uri=asker)
        assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)]
        for user in ("past", "nologin", "nobody"):
            assert WRONG.format(user) in refusal(pgmemo, user=user, password="secret"), "whatever the query says"
        powerless = start("scram", uri=asker)
        assert "pgmemo cannot ask PostgreSQL" in refusal(powerless, user="sam", password="secret")
        assert "permission denied" in powerless.log_text()
    finally:
        server.run("DROP SCHEMA lookup CASCADE; DROP ROLE asker")


# --- verifiers from a file -------------------------------------------------------------------------------------------

def test_a_known_password_works_with_every_method_of_postgresql(start):
    pgmemo = start({"method": "scram", "users": str(users_file(("sam", "secret"), ("mike", "secret"), ("clear", "secret")))})
    for user in ("sam", "mike", "clear"):
        assert whoami(pgmemo.session(user=user, password="secret")) == [(user, 1)]
        assert WRONG.format(user) in refusal(pgmemo, user=user, password="wrong")
    assert WRONG.format("future") in refusal(pgmemo, user="future", password="secret"), "not in the file"


def test_one_password_in_several_spellings(start, server):
    """SASLprep makes them one: in PostgreSQL, which stores it; in pgmemo, which knows it; in libpq, which sends the proof."""
    stored, known, sent = "pa\u00adss e\u0301", "pass\u00a0\u00e9", "pass \u00e9\u00ad"
    server.run(f"SET password_encryption = 'scram-sha-256'; CREATE ROLE uni LOGIN PASSWORD '{stored}' IN ROLE by_scram")
    try:
        pgmemo = start({"method": "scram", "users": str(users_file(("uni", known)))})
        assert whoami(pgmemo.session(user="uni", password=sent)) == [("uni", 1)]
        assert WRONG.format("uni") in refusal(pgmemo, user="uni", password="pass e")
    finally:
        server.run("DROP ROLE uni")


def test_a_verifier_is_enough_where_postgresql_has_the_same(start, server):
    pgmemo = start({"method": "scram", "users": str(users_file(("sam", secret_of(server, "sam")),
                                                               ("clear", secret_of(server, "clear"))))})
    assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)]
    assert WRONG.format("sam") in refusal(pgmemo, user="sam", password="wrong")
    text = refusal(pgmemo, user="clear", password="secret")
    assert "pgmemo cannot log in to PostgreSQL" in text and "a SCRAM verifier only" in text


def test_md5_on_both_sides(start, server):
    hba = [{"type": "host", "method": "md5"}]
    pgmemo = start({"method": "scram", "hba": hba,
                    "users": str(users_file(("mike", secret_of(server, "mike")), ("sam", secret_of(server, "sam"))))})
    assert whoami(pgmemo.session(user="mike", password="secret")) == [("mike", 1)]
    assert WRONG.format("mike") in refusal(pgmemo, user="mike", password="wrong")
    assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)], "a SCRAM verifier is asked by SCRAM"
    client = wire.Wire(pgmemo.port, user="mike", password="")
    assert client.greeting[-1].kind == "E"


def test_a_file_is_read_again_when_it_has_changed_and_kept_when_it_is_bad(start):
    path = users_file(("sam", "secret"))
    pgmemo = start({"method": "scram", "users": str(path)})
    assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)]
    path.write_text('"sam" "secret"\n"clear" "secret"\n')
    assert whoami(pgmemo.session(user="clear", password="secret")) == [("clear", 1)]
    path.write_text("nonsense with a secret\n")
    assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)]
    assert "users.txt:1: expected" in pgmemo.log_text() and "with a secret" not in pgmemo.log_text()


def test_a_bad_file_of_users_stops_the_start(server, tmp_path):
    bad = tmp_path / "users"
    bad.write_text('"sam" ""\n')
    file = tmp_path / "pgmemo.yaml"
    file.write_text(f'{{"upstream": "{server.uri()}", "auth": {{"method": "scram", "users": "users"}}}}')
    for command in (["check", str(file)], ["--config", str(file)]):
        done = subprocess.run([harness.BINARY, *command], capture_output=True, text=True, timeout=harness.DEADLINE)
        assert done.returncode == 1 and "an empty password lets nobody in" in done.stderr


# --- who may come from where -----------------------------------------------------------------------------------------

def test_the_first_entry_that_matches_decides(start):
    pgmemo = start({"method": "scram", "users": str(users_file(("sam", "secret"), ("clear", "secret"))), "hba": [
        {"type": "host", "user": "mike", "method": "reject"},
        {"type": "host", "user": "postgres", "address": "127.0.0.0/8", "method": "trust"},
        {"type": "host", "database": "sameuser", "method": "trust"},
        {"type": "host", "user": "sam", "address": "127.0.0.1/32", "method": "scram-sha-256"},
        {"type": "host", "user": "sam", "method": "trust"},
        {"type": "host", "user": "clear", "address": "10.0.0.0/8", "method": "trust"}]})
    assert whoami(pgmemo.session(user="postgres")) == [("postgres", 1)]
    assert WRONG.format("sam") in refusal(pgmemo, user="sam", password="wrong")
    assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)]
    for user, text in (("mike", 'pg_hba.conf rejects connection for host "127.0.0.1", user "mike", database "postgres", '
                                "no encryption"),
                       ("clear", 'no pg_hba.conf entry for host "127.0.0.1", user "clear", database "postgres", '
                                 "no encryption")):
        client = wire.Wire(pgmemo.port, user=user)
        assert (client.greeting[-1].fields()["C"], client.greeting[-1].fields()["M"]) == ("28000", text)


@pytest.mark.skipif(not harness.IS_ROOT, reason="becomes somebody else")
def test_peer_is_who_the_system_says(start, server):
    path = harness.WORK.fresh("socket")
    path.chmod(0o777)
    port = harness.free_port()
    pgmemo = start({"method": "scram", "users": str(users_file(("sam", "secret"))), "hba": [
        {"type": "local", "user": "sam", "method": "peer", "map": {"nobody": "sam"}},
        {"type": "local", "method": "peer"}]}, listen=[f"{path}/.s.PGSQL.{port}", f"127.0.0.1:{harness.free_port()}"])

    def ask(system_user, role):
        return subprocess.run(["setpriv", f"--reuid={system_user}", "--clear-groups", "psql", "-X", "-At", "-h", str(path),
                               "-p", str(port), "-U", role, "-d", "postgres", "-c", "SELECT current_user"],
                              capture_output=True, text=True, timeout=harness.DEADLINE, cwd="/")

    assert ask("postgres", "postgres").stdout == "postgres\n"
    assert ask("nobody", "sam").stdout == "sam\n"
    for system_user, role in (("nobody", "postgres"), ("postgres", "sam"), ("root", "sam")):
        assert f'Peer authentication failed for user "{role}"' in ask(system_user, role).stderr
    assert pgmemo.process.poll() is None


def test_names_that_a_server_would_cut_come_in_as_nobody(start):
    name = "x" * 63
    pgmemo = start({"method": "scram", "users": str(users_file((name + "y", "secret"))), "hba": [
        {"type": "host", "user": name, "method": "reject"},
        {"type": "host", "user": name + "y", "method": "scram-sha-256"},
        {"type": "host", "method": "trust"}]})
    assert WRONG.format(name + "y") in refusal(pgmemo, user=name + "y", password="secret")
    assert "does not exist" in refusal(pgmemo, user=name + "z")
    assert f'database "{name}y" does not exist' in refusal(pgmemo, user="postgres", dbname=name + "y")
    assert "rejects connection" in refusal(pgmemo, user=name)


# --- what changes while they are here --------------------------------------------------------------------------------

def test_a_password_changed_in_postgresql_is_the_one_that_counts(start, temporary_role, server):
    role = temporary_role()
    pgmemo = start("scram")
    assert whoami(pgmemo.session(user=role, password="secret")) == [(role, 1)]
    server.run(f"ALTER ROLE {role} PASSWORD 'other'")
    assert WRONG.format(role) in refusal(pgmemo, user=role, password="secret")
    assert whoami(pgmemo.session(user=role, password="other")) == [(role, 1)]


def test_a_verifier_of_the_file_that_postgresql_has_no_more_is_a_clear_error(start, temporary_role, server):
    role = temporary_role()
    path = users_file((role, secret_of(server, role)))
    pgmemo = start({"method": "scram", "users": str(path)})
    server.run(f"ALTER ROLE {role} PASSWORD 'other'")
    text = refusal(pgmemo, user=role, password="secret")
    assert WRONG.format(role) in text and "has another verifier" in text
    assert "the password was changed there" in pgmemo.log_text()
    path.write_text(f'"{role}" "{secret_of(server, role)}"\n')
    assert whoami(pgmemo.session(user=role, password="other")) == [(role, 1)]


READ = "SELECT name FROM items WHERE id = 1"


def hits(pgmemo, session):
    before = pgmemo.queries("hit")
    assert session.one(READ) == "item 1"
    return pgmemo.queries("hit") > before


@pytest.mark.parametrize("revoke", ["ALTER ROLE {} NOLOGIN", "ALTER ROLE {} VALID UNTIL '2001-01-01'",
                                    "ALTER ROLE {} PASSWORD NULL", "ALTER ROLE {} PASSWORD 'other'"])
def test_a_revoked_login_stops_hitting(start, temporary_role, server, revoke):
    role = temporary_role()
    pgmemo = start({"method": "scram", "query": True, "recheck": "500ms"})
    session = pgmemo.session(user=role, password="secret")
    other = pgmemo.session(user="sam", password="secret")
    harness.eventually(lambda: hits(pgmemo, session), "it hits")
    server.run(revoke.format(role))
    harness.eventually(lambda: "could not log in now as it did" in pgmemo.log_text(), "it is noticed")
    assert not hits(pgmemo, session)
    assert not hits(pgmemo, session), "it is answered by PostgreSQL, which lets it go on"
    assert pgmemo.queries("bypass", "login_revoked") >= 2
    harness.eventually(lambda: hits(pgmemo, other), "others hit")
    if "PASSWORD" not in revoke:
        server.run(f"ALTER ROLE {role} LOGIN VALID UNTIL 'infinity'")
        harness.eventually(lambda: hits(pgmemo, session), "it hits again")


def test_a_user_taken_out_of_the_file_or_the_list_stops_hitting(start):
    path = users_file(("sam", "secret"), ("clear", "secret"))
    auth = {"method": "scram", "users": str(path), "recheck": "500ms"}
    pgmemo = start(auth)
    sam, clear = pgmemo.session(user="sam", password="secret"), pgmemo.session(user="clear", password="secret")
    for session in (sam, clear):
        harness.eventually(lambda: hits(pgmemo, session), "it hits")
    path.write_text('"clear" "secret"\n')
    harness.eventually(lambda: not hits(pgmemo, sam), "it no longer hits")
    harness.eventually(lambda: hits(pgmemo, clear), "the other still does")
    pgmemo.reload(auth={**auth, "hba": [{"type": "host", "user": "clear", "method": "reject"}]})
    harness.eventually(lambda: not hits(pgmemo, clear), "it no longer hits")


def test_when_nobody_can_be_asked_hits_end_in_time(own_postgres):
    own_postgres.run("CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items VALUES (1, 'item 1');"
                     "CREATE ROLE asker LOGIN SUPERUSER; CREATE ROLE sam LOGIN PASSWORD 'secret';"
                     "GRANT SELECT ON items TO PUBLIC")
    pgmemo = harness.Pgmemo(own_postgres.uri(user="asker"), {"auth": {"method": "scram", "query": True, "recheck": "500ms"}})
    try:
        session = pgmemo.session(user="sam", password="secret")
        harness.eventually(lambda: hits(pgmemo, session), "it hits")
        own_postgres.run("ALTER ROLE asker NOSUPERUSER")
        harness.eventually(lambda: not hits(pgmemo, session), "it no longer hits")
        own_postgres.run("ALTER ROLE asker SUPERUSER")
        harness.eventually(lambda: hits(pgmemo, session), "it hits again")
    finally:
        pgmemo.stop()


# --- TLS -------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def authority():
    return certificates.Authority()


@pytest.fixture
def secured(start, server, authority):
    """pgmemo with TLS on both sides."""
    certificate, key = authority.issue("pgmemo")

    def run(auth, sslmode="require"):
        return start(auth, uri=f"{server.uri()}?sslmode={sslmode}",
                     tls={"certificate": certificate, "key": key, "client_ca": authority.bundle})

    return run


@pytest.mark.parametrize("upstream", ["require", "disable"])
def test_channel_binding_to_pgmemo(secured, upstream):
    pgmemo = secured("scram", upstream)
    for binding in ("require", "prefer", "disable"):
        session = pgmemo.session(user="sam", password="secret", sslmode="require", channel_binding=binding)
        assert whoami(session) == [("sam", 1)]
        assert session.one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is (upstream == "require")
        assert WRONG.format("sam") in refusal(pgmemo, user="sam", password="wrong", sslmode="require",
                                              channel_binding=binding)
    assert whoami(pgmemo.session(user="sam", password="secret", sslmode="disable")) == [("sam", 1)]
    assert "channel binding" in refusal(pgmemo, user="sam", password="secret", sslmode="disable",
                                        channel_binding="require")


def test_binding_is_used_upstream_with_a_known_password_too(start, server):
    pgmemo = start({"method": "scram", "users": str(users_file(("sam", "secret")))}, uri=f"{server.uri()}?sslmode=require")
    assert whoami(pgmemo.session(user="sam", password="secret")) == [("sam", 1)]


def test_upstream_logins_are_bound_where_the_uri_requires_it(start, server):
    """By SCRAM-SHA-256-PLUS, then: nothing else satisfies channel_binding=require."""
    server.run("CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'secret' IN ROLE by_scram")
    uri = f"postgresql://boss:secret@127.0.0.1:{server.port}/postgres?channel_binding=require&sslmode="
    auth = {"method": "scram", "users": str(users_file(("sam", "secret"), ("mike", "secret"), ("clear", "secret")))}
    try:
        pgmemo = start(auth, uri=uri + "require")
        session = pgmemo.session(user="sam", password="secret")
        harness.eventually(lambda: hits(pgmemo, session), "it hits")
        for other in ("mike", "clear"):
            said = refusal(pgmemo, user=other, password="secret")
            assert "channel_binding=require" in said and "another kind of login than SCRAM" in said
        plain = harness.Pgmemo(uri + "disable", {"auth": auth}, wait="listening")
        try:
            said = refusal(plain, user="sam", password="secret")
            assert "channel_binding=require" in said and "no TLS" in said
            assert "secret" not in plain.log_text() and "secret" not in said
        finally:
            plain.stop()
    finally:
        server.run("DROP ROLE boss")


def test_the_path_that_a_client_asks_for_does_not_reach_the_question_for_verifiers(start, server):
    """CVE-2025-12819: functions, operators and tables of the client's choice would answer it."""
    server.run("CREATE SCHEMA wicked; CREATE TABLE wicked.pg_authid AS TABLE pg_authid; CREATE TABLE wicked.pg_roles AS TABLE pg_roles;"
               "CREATE FUNCTION wicked.now() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RAISE 'wicked ran'; END$$;"
               "CREATE FUNCTION wicked.same(name, name) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE 'wicked ran'; END$$;"
               "CREATE OPERATOR wicked.= (LEFTARG = name, RIGHTARG = name, FUNCTION = wicked.same); GRANT ALL ON SCHEMA wicked TO PUBLIC;"
               "ALTER DATABASE postgres SET search_path = wicked, pg_catalog")
    try:
        pgmemo = start("scram")
        assert whoami(pgmemo.session(user="sam", password="secret", options="-c search_path=wicked,public")) == [("sam", 1)]
        assert WRONG.format("past") in refusal(pgmemo, user="past", password="secret", options="-c search_path=wicked,pg_catalog")
        assert "wicked ran" not in pgmemo.log_text()
    finally:
        server.run("ALTER DATABASE postgres RESET search_path; DROP SCHEMA wicked CASCADE")


def test_certificates_and_entries_for_tls(secured, authority):
    certificate, key = authority.issue("sam")
    own = key + ".own"
    shutil.copy(key, own)
    os.chmod(own, 0o600)
    other, other_key = authority.issue("Samuel Smith")
    other_own = other_key + ".own"
    shutil.copy(other_key, other_own)
    os.chmod(other_own, 0o600)
    pgmemo = secured({"method": "scram", "users": str(users_file(("sam", "secret"), ("clear", "secret"))), "hba": [
        {"type": "hostssl", "user": "sam", "method": "cert"},
        {"type": "hostssl", "user": "clear", "method": "cert", "map": {"Samuel Smith": ["clear"]}},
        {"type": "hostnossl", "user": "sam", "method": "scram-sha-256"}]})
    assert whoami(pgmemo.session(user="sam", sslmode="require", sslcert=certificate, sslkey=own)) == [("sam", 1)]
    assert whoami(pgmemo.session(user="clear", sslmode="require", sslcert=other, sslkey=other_own)) == [("clear", 1)]
    assert whoami(pgmemo.session(user="sam", password="secret", sslmode="disable")) == [("sam", 1)]
    failed = 'certificate authentication failed for user "{}"'
    assert failed.format("clear") in refusal(pgmemo, user="clear", sslmode="require", sslcert=certificate, sslkey=own)
    assert failed.format("sam") in refusal(pgmemo, user="sam", sslmode="require", sslcert=other, sslkey=other_own)
    assert failed.format("sam") in refusal(pgmemo, user="sam", sslmode="require")
    assert 'user "clear", database "postgres", no encryption' in refusal(pgmemo, user="clear", sslmode="disable")
