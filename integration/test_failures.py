"""What goes wrong is told in PostgreSQL's own words, and other sessions do not notice."""
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

import harness
import wire
from harness import Pgmemo, Relay, Session, eventually

PRICE = "SELECT price FROM items WHERE id = 1"


@pytest.fixture
def bystander(pgmemo, client):
    pgmemo.warm(client, PRICE)
    yield client
    assert client.one(PRICE) == 10
    assert client.one("SELECT 1") == 1


@pytest.fixture
def items():
    """Fills a cluster of one's own."""
    def fill(cluster):
        cluster.run("CREATE TABLE items (id int PRIMARY KEY, price int); INSERT INTO items VALUES (1, 10), (2, 20)")
        return cluster
    return fill


@pytest.fixture
def start():
    started = []

    def run(*words, **more):
        started.append(Pgmemo(*words, **more))
        return started[-1]

    yield run
    for one in started:
        one.stop()


def login_error(port, dbname="postgres", user="postgres", **more):
    client = wire.Wire(port, dbname, user, **more)
    last = client.greeting[-1]
    client.close()
    assert last.kind == "E", client.greeting
    return last.fields()


# --- logging in ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["scram", "md5", "password"])
def test_passwords_are_judged_by_postgres(pgmemo, bystander, postgres, database, create_role, method):
    stored = "md5" if method == "md5" else "scram-sha-256"
    role = create_role(f"LOGIN IN ROLE by_{method}")
    postgres.run(f"SET password_encryption = '{stored}'; ALTER ROLE {role} PASSWORD 'right'")
    good = pgmemo.session(database, role, password="right")
    assert good.one("SELECT session_user") == role
    token = "t" * 6000  # some clouds' passwords are
    postgres.run(f"SET password_encryption = '{stored}'; ALTER ROLE {role} PASSWORD '{token}'")
    assert pgmemo.session(database, role, password=token).one("SELECT session_user") == role
    postgres.run(f"SET password_encryption = '{stored}'; ALTER ROLE {role} PASSWORD 'right'")
    for wrong in ("wrong", "right ", "x" * 2000):
        with pytest.raises(psycopg2.OperationalError) as through:
            pgmemo.connect(database, role, password=wrong)
        assert f'password authentication failed for user "{role}"' in str(through.value)
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        pgmemo.connect(database, role, password="")
    assert good.one("SELECT 1") == 1


def test_a_client_that_leaves_in_the_middle_of_its_login_harms_nobody(pgmemo, bystander, database, create_role, postgres):
    role = create_role("LOGIN IN ROLE by_scram PASSWORD 'secret'")
    for _ in range(10):
        client = wire.Wire(pgmemo.port, login=False)
        client.send(wire.startup_packet(user=role, database=database))
        assert client.read().kind == "R"
        client.close()
    eventually(lambda: pgmemo.metrics().sum("pgmemo_clients") == 1, "they are gone")


@pytest.mark.parametrize("dbname, user, code", [("no_such_database", "postgres", "3D000"), ("postgres", "no_such_role", "28000")])
def test_a_refused_login_says_what_postgres_says(pgmemo, bystander, postgres, dbname, user, code):
    through = login_error(pgmemo.port, dbname, user)
    assert through["C"] == code
    assert through == login_error(postgres.port, dbname, user)


def test_a_full_connection_table_of_postgres(start, items):
    cluster = items(harness.Postgres(max_connections=12, superuser_reserved_connections=1, max_wal_senders=0))
    try:
        cluster.run("CREATE ROLE plain LOGIN; GRANT SELECT ON items TO plain")
        pgmemo = start(cluster)
        first = pgmemo.session(user="plain")
        pgmemo.warm(first, PRICE)
        held, error = [], None
        for _ in range(30):
            client = wire.Wire(pgmemo.port, user="plain")
            held.append(client)
            if client.greeting[-1].kind == "E":
                error = client.greeting[-1].fields()
                break
        assert error["C"] == "53300"
        assert first.one(PRICE) == 10
        assert pgmemo.ask(first, PRICE).is_hit
        for client in held:
            client.close()
        eventually(lambda: wire.Wire(pgmemo.port, user="plain").greeting[-1].kind == "Z", "there is room again")
    finally:
        for one in harness.running():
            one.close_sessions()
        cluster.stop()


def test_a_full_connection_table_of_pgmemo(start, postgres, database, direct):
    pgmemo = start(postgres.uri(database), config={"pool": {"max_upstream": 3}})
    sessions = [pgmemo.session(database) for _ in range(3)]
    pgmemo.warm(sessions[0], PRICE)
    assert login_error(pgmemo.port, database)["C"] == "53300"
    assert pgmemo.ask(sessions[0], PRICE).is_hit
    sessions.pop().close()
    eventually(lambda: wire.Wire(pgmemo.port, database).greeting[-1].kind == "Z", "there is room again")


# --- PostgreSQL goes away --------------------------------------------------------------------------------------------

def test_a_dead_upstream_is_reported_in_the_words_of_postgres(start):
    pgmemo = start(f"postgresql://postgres@127.0.0.1:{harness.free_port()}/postgres", wait="listening")
    fields = login_error(pgmemo.port)
    assert fields["S"] == fields["V"] == "FATAL"
    assert fields["C"] in ("08006", "08001", "57P03")
    assert pgmemo.page("/healthz")[0] == 200


def test_pgmemo_started_before_postgres_serves_once_it_is_there(start, own_postgres, items):
    items(own_postgres)
    own_postgres.stop()
    pgmemo = start(own_postgres, wait="listening")
    assert login_error(pgmemo.port)["C"] in ("08006", "08001", "57P03")
    own_postgres.start()
    session = eventually(lambda: try_session(pgmemo), "a session begins")
    assert pgmemo.warm(session, PRICE) == [(10,)]
    assert pgmemo.page("/readyz")[0] == 200


def try_session(pgmemo, **more):
    try:
        return pgmemo.session(**more)
    except psycopg2.OperationalError:
        return None


def test_a_restart_of_postgres_ends_sessions_with_its_own_error_and_nothing_stale_remains(start, own_postgres, items):
    items(own_postgres)
    pgmemo = start(own_postgres)
    session = pgmemo.session()
    pgmemo.warm(session, PRICE)
    waiting = pgmemo.wire()
    own_postgres.stop()
    got = waiting.until("E")[-1].fields()
    assert got["C"] == "57P01"
    assert waiting.rest() == b""
    own_postgres.start()
    own_postgres.run("UPDATE items SET price = 11 WHERE id = 1")  # nobody was connected: the fence is the new beginning
    again = eventually(lambda: try_session(pgmemo), "a session begins")
    eventually(lambda: again.one(PRICE) == 11, "the new value is read")
    assert pgmemo.warm(again, PRICE) == [(11,)]


def test_a_backend_ended_in_the_middle_of_a_query(pgmemo, bystander, database, direct):
    client = pgmemo.wire(database)
    client.send(wire.query("SELECT pg_sleep(60)"))
    running = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    (pid,), = eventually(lambda: direct.run(running), "it runs")
    direct.run(f"SELECT pg_terminate_backend({pid})")
    assert client.until("E")[-1].fields()["C"] == "57P01"
    assert client.rest() == b""


def test_a_backend_killed_in_its_commit(start, own_postgres, items):
    items(own_postgres)
    own_postgres.run("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
                     "$$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;"
                     "CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON items DEFERRABLE INITIALLY DEFERRED "
                     "FOR EACH ROW EXECUTE FUNCTION hold()")
    pgmemo = start(own_postgres)
    reader = pgmemo.session()
    pgmemo.warm(reader, PRICE)
    writer = pgmemo.wire()
    writer.run("BEGIN")
    writer.run("UPDATE items SET price = 11 WHERE id = 1")
    pid = int(writer.one("SELECT pg_backend_pid()"))
    writer.send(wire.query("COMMIT"))
    eventually(lambda: own_postgres.run(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'PgSleep'"),
               "it is in its COMMIT")
    os.kill(pid, signal.SIGKILL)
    assert b"Z\0\0\0\5" not in writer.rest(), "nobody is told that it was done"
    eventually(lambda: own_postgres.log.read_text(errors="replace").count("ready to accept connections") == 2,
               "PostgreSQL has recovered", 60)
    again = eventually(lambda: try_session(pgmemo), "a session begins")
    assert again.one(PRICE) == 10
    own_postgres.run("DROP TRIGGER hold ON items")
    own_postgres.run("UPDATE items SET price = 12 WHERE id = 1")
    eventually(lambda: again.one(PRICE) == 12, "what is new is read, at the latest when the entry expires", 90)


class TestALostConnection:
    """A real cable to a real PostgreSQL, cut where it hurts: the write may be done, or not, and nobody can say."""

    @pytest.fixture(autouse=True)
    def relayed(self, start, postgres, database, direct):
        self.direct = direct
        self.database = database
        self.relay = Relay(postgres.port)
        self.pgmemo = start(postgres.uri(database, port=self.relay.port))
        self.reader = self.pgmemo.session(database)
        self.pgmemo.warm(self.reader, PRICE)
        yield
        self.relay.close()

    def always_true(self):
        """What the reader gets equals what PostgreSQL holds, and hits come back."""
        def hits():
            truth = self.direct.run(PRICE)
            answer = self.pgmemo.ask(self.reader, PRICE)
            assert answer.rows == truth
            return answer.is_hit

        eventually(hits, "hits come back once the outcome is certain", 90)

    def cut(self, client, sql, after=b""):
        self.relay.cut_on(sql.encode(), after)
        client.send(wire.query(sql))
        got = client.rest()
        assert self.relay.cut.wait(harness.DEADLINE)
        assert b"CommandComplete" not in got and b"UPDATE 1\0" not in got
        return got

    def test_between_an_autocommitted_write_and_its_answer(self):
        got = self.cut(self.pgmemo.wire(self.database), "UPDATE items SET price = 42 WHERE id = 1")
        assert got[:1] in (b"E", b"")
        eventually(lambda: self.direct.one(PRICE) == 42, "PostgreSQL has done it")
        self.always_true()

    def test_between_commit_and_its_answer(self):
        client = self.pgmemo.wire(self.database)
        client.run("BEGIN")
        client.run("UPDATE items SET price = 43 WHERE id = 1 /* the marked one */")
        self.cut(client, "COMMIT", after=b"the marked one")
        eventually(lambda: self.direct.one(PRICE) == 43, "PostgreSQL has done it")
        self.always_true()

    def test_while_the_commit_goes_on_for_long(self):
        self.direct.run("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
                        "$$ BEGIN PERFORM pg_advisory_xact_lock(99); RETURN NULL; END $$;"
                        "CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON items DEFERRABLE INITIALLY DEFERRED "
                        "FOR EACH ROW EXECUTE FUNCTION hold()")
        self.direct.run("SELECT pg_advisory_lock(99)")
        client = self.pgmemo.wire(self.database)
        client.run("BEGIN")
        client.run("UPDATE items SET price = 44 WHERE id = 1 /* the marked one */")
        self.cut(client, "COMMIT", after=b"the marked one")
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        eventually(lambda: self.direct.one(waits) == 1, "the COMMIT waits")
        # The connection is lost, the COMMIT is not: what is read meanwhile must not be kept.
        for _ in range(20):
            assert self.reader.one(PRICE) == 10
        self.direct.run("SELECT pg_advisory_unlock(99)")
        eventually(lambda: self.direct.one(PRICE) == 44, "it is committed after all")
        for _ in range(20):
            assert self.reader.one(PRICE) == 44
        self.always_true()

    def test_before_the_write_is_answered_in_a_transaction(self):
        client = self.pgmemo.wire(self.database)
        client.run("BEGIN")
        self.cut(client, "UPDATE items SET price = 45 WHERE id = 1")
        self.always_true()
        assert self.direct.one(PRICE) == 10

    def test_in_the_middle_of_reads_others_do_not_notice(self):
        client = self.pgmemo.wire(self.database)
        self.cut(client, "SELECT 'the marked one'")
        assert self.pgmemo.ask(self.reader, PRICE).is_hit

    def test_of_every_connection_at_once(self):
        self.relay.cut_all()
        again = eventually(lambda: try_session(self.pgmemo, dbname=self.database), "a session begins")
        self.reader = again
        self.direct.run("UPDATE items SET price = 46 WHERE id = 1")
        eventually(lambda: again.one(PRICE) == 46, "the TTL or the catalog's loss lets it be read anew", 90)


# --- pgmemo's own connections ----------------------------------------------------------------------------------------

def test_without_the_catalog_queries_still_flow(start, postgres, database, direct, create_role):
    owner = create_role("LOGIN IN ROLE by_scram PASSWORD 'right'")
    pgmemo = start(f"postgresql://{owner}:wrong@127.0.0.1:{postgres.port}/{database}", wait="listening")
    session = pgmemo.session(database)
    for _ in range(5):
        answer = pgmemo.ask(session, PRICE)
        assert (answer.decision, answer.reason) == ("bypass", "catalog_unknown")
        assert answer.rows == [(10,)]
    session.run("UPDATE items SET price = 11 WHERE id = 1")
    assert session.one(PRICE) == 11
    eventually(lambda: "password authentication failed" in pgmemo.log_text(), "the log says why")
    assert "wrong" not in pgmemo.log_text()


def test_a_lost_catalog_connection_is_made_again(pgmemo, bystander, database, direct):
    sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> " \
          "pg_backend_pid() AND application_name ILIKE '%pgmemo%'"
    direct.run(sql)
    for _ in range(10):
        assert bystander.one(PRICE) == 10
    pgmemo.warm(bystander, PRICE)


def test_the_catalog_is_read_under_a_load_of_function_calls(pgmemo, bystander, database, direct):
    """Without a snapshot a function may do anything; what it may do to the catalog must not keep the next one away."""
    direct.run("CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    pgmemo.warm(bystander, "SELECT one()")
    done = threading.Event()

    def call():
        session = pgmemo.session(database)
        while not done.is_set():
            assert session.one("SELECT one()") == 1

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call) for _ in range(4)]
        try:
            for value in (1, 2, 3):
                bystander.run(f"CREATE OR REPLACE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT {value}'")
                told = pgmemo.queries("hit")
                eventually(lambda: pgmemo.queries("hit") > told, "the calls hit")
                assert bystander.one("SELECT two()") == value
        finally:
            done.set()
        for one in calls:
            one.result()


def test_the_death_of_pgmemo_leaves_no_connection_behind(postgres, database, direct):
    pgmemo = Pgmemo(postgres.uri(database))
    sessions = [pgmemo.session(database) for _ in range(5)]
    sessions[0].run("BEGIN")
    sessions[0].run("UPDATE items SET price = 99 WHERE id = 1")
    pgmemo.kill()
    eventually(lambda: direct.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                                  "AND pid <> pg_backend_pid() AND backend_type = 'client backend'") == 0, "all are gone")
    assert direct.one(PRICE) == 10
