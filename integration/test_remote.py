"""Several pgmemos that share a cache by way of a store: one has what another has read, and a write through any of them is
seen by all at once, whatever becomes of the store."""
import contextlib
import subprocess
import threading
import time

import pytest

import certificates
import harness
from harness import Pgmemo, Relay, eventually
from stores import Redis
from test_recency import RECENCY

# Where nothing is to fail, nothing fails for being slow.
PATIENT = {"remote_timeout": "10s", "remote_lease": "3s" if not harness.SANITIZER else "6s"}
IMPATIENT = {**PATIENT, "remote_timeout": "1s" if not harness.SANITIZER else "3s"}
AWAY = {"remote_timeout": "50ms"}  # as by default: nobody waits for a store that is not there
about_sql = pytest.mark.skipif(bool(harness.SANITIZER), reason="shows nothing more of memory or threads")
SQL = "SELECT name FROM items WHERE id = 1"


@pytest.fixture
def store():
    server = Redis()
    yield server
    server.stop()


@pytest.fixture
def start(postgres, database, direct):
    """Starts pgmemos that share `url`; they are stopped at the test's end."""
    started = []

    def one(url, wait="ready", rules=None, functions=None, **cache):
        config = {"cache": {"remote": url, **PATIENT, **cache}, "rules": rules, "functions": functions,
                  "log": {"level": "debug"}}
        process = Pgmemo(postgres.uri(database), config, wait=wait)
        started.append(process)
        return process

    yield one
    for process in started:
        if process.process.poll() is None:
            process.stop()


@pytest.fixture
def pair(start, store, database):
    """Two that share, and a session through each; the store is past its first lease."""
    return begin_pair(start, store, database)


@pytest.fixture
def impatient_pair(start, store, database):
    """Two that do not wait for long."""
    return begin_pair(start, store, database, **IMPATIENT)


def begin_pair(start, store, database, **settings):
    one, two = start(store.url(), **settings), start(store.url(), **settings)
    sessions = one.session(database), two.session(database)
    for process, session in zip((one, two), sessions):
        process.warm(session, SQL)
    return one, two, *sessions


def remote(process, name, **labels):
    return process.metrics().sum(f"pgmemo_remote_{name}", **labels)


def is_up(process):
    return remote(process, "connections_up") == 2 and remote(process, "connections_unannounced") == 0


# --- one cache -------------------------------------------------------------------------------------------------------


def test_what_one_has_read_the_other_has(pair, direct):
    one, two, first, second = pair
    sql = "SELECT name FROM items WHERE id = 2"
    one.warm(first, sql)
    before = remote(two, "lookups_total", outcome="hit")
    answer = two.ask(second, sql)
    assert answer.is_hit and answer.rows == direct.run(sql)
    assert remote(two, "lookups_total", outcome="hit") == before + 1
    checks = remote(two, "lookups_total", outcome="check")
    assert two.ask(second, sql).is_hit
    assert remote(two, "lookups_total", outcome="check") == checks + 1, "from memory, held against the store"
    assert remote(two, "lookups_total", outcome="hit") == before + 1


@pytest.mark.parametrize("protocol", harness.READ_PROTOCOLS)
def test_a_restart_is_no_cold_start(start, store, postgres, database, direct, protocol):
    """What is asked first after it hits, prepared statements included."""
    import wire
    one = start(store.url())
    pair = harness.Pair(one, postgres, database, reads_by=protocol)
    sql = "SELECT id, name FROM items WHERE id = $1"

    def ask(session):
        request = wire.extended(sql, [3]) if protocol == "extended" else wire.query(harness.written_out(sql, [3]))
        return [message.bytes for message in session.ask(request)]

    def hits():
        before = one.queries("hit")
        ask(pair.through)
        return one.queries("hit") > before

    eventually(hits, "it is stored")
    expected = ask(pair.through)
    pair.close()
    one.stop()
    two = start(store.url())
    with contextlib.closing(two.wire(database)) as session:
        eventually(lambda: two.metrics().sum("pgmemo_catalog_reads_total") > 0 and is_up(two), "it knows the catalog")
        assert ask(session) == expected
        assert two.queries("hit") == 1 and two.queries("miss") == 0


@about_sql
@pytest.mark.parametrize("write", [
    ["UPDATE items SET name = 'new' WHERE id = 1"],
    ["BEGIN", "UPDATE items SET name = 'new' WHERE id = 1", "COMMIT"],
    ["UPDATE items SET name = 'new'"],
    ["BEGIN", "UPDATE items SET name = 'no' WHERE id = 1", "ROLLBACK", "UPDATE items SET name = 'new' WHERE id = 1"],
    ["DO $$BEGIN UPDATE items SET name = 'new'; END$$"],
    ["BEGIN; UPDATE items SET name = 'new'; COMMIT"],
    ["BEGIN", "UPDATE items SET name = 'new' WHERE id = 1", "PREPARE TRANSACTION 'p'", "COMMIT PREPARED 'p'"],
    ["TRUNCATE items", "INSERT INTO items VALUES (1, 'new', 1)"],
], ids=lambda write: write[0][:30])
def test_a_write_is_seen_by_all_at_once(pair, write):
    one, two, first, second = pair
    assert two.ask(second, SQL).rows == [("item 1",)]
    for statement in write:
        first.run(statement)
    assert second.run(SQL) == [("new",)]
    assert first.run(SQL) == [("new",)]


@about_sql
def test_other_rows_stay(pair):
    one, two, first, second = pair
    sql = "SELECT name FROM items WHERE id = 4"
    two.warm(second, sql)
    first.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert two.ask(second, sql).is_hit
    assert not two.ask(second, SQL).is_hit


@about_sql
def test_nobody_sees_what_is_not_committed(pair):
    one, two, first, second = pair
    first.run("BEGIN")
    first.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert two.ask(second, SQL).is_hit and second.run(SQL) == [("item 1",)]
    assert first.run(SQL) == [("new",)]
    first.run("ROLLBACK")
    assert two.ask(second, SQL).is_hit


@about_sql
def test_a_trigger_that_one_has_made_counts_for_the_other(pair, direct):
    """The other learns of it no later than with the end of its next write."""
    one, two, first, second = pair
    direct.run("CREATE TABLE log (n int); INSERT INTO log VALUES (0)")
    reading = "SELECT n FROM log"
    two.warm(second, "SELECT name FROM items WHERE id = 2")
    one.warm(first, reading)
    first.run("CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS "
              "$$BEGIN UPDATE log SET n = n + 1; RETURN NEW; END$$")
    first.run("CREATE TRIGGER counts BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION count_it()")
    for n in range(20):
        assert first.run(reading) == [(n,)]
        second.run("UPDATE items SET name = name || '.' WHERE id = 3")
        assert first.run(reading) == [(n + 1,)], "what the trigger wrote"


@about_sql
def test_a_view_that_one_has_changed_is_another_for_the_other(pair):
    one, two, first, second = pair
    first.run("CREATE VIEW shown AS SELECT name FROM items WHERE id = 1")
    sql = "SELECT name FROM shown"
    two.warm(second, sql)
    first.run("CREATE TABLE elsewhere (name text); INSERT INTO elsewhere VALUES ('x')")
    first.run("CREATE OR REPLACE VIEW shown AS SELECT name FROM elsewhere")
    for n in range(10):
        assert second.run(sql) == ([("x",)] if n == 0 else [(f"y{n - 1}",)])
        first.run(f"UPDATE elsewhere SET name = 'y{n}'")


@about_sql
def test_rights_taken_by_one_are_gone_for_the_other(pair, create_role, database):
    one, two, first, second = pair
    role = create_role()
    first.run(f"GRANT SELECT ON items TO {role}")
    reader = two.session(database, user=role)
    two.warm(reader, SQL)
    first.run(f"REVOKE SELECT ON items FROM {role}")
    assert reader.fails(SQL) == "42501"


@about_sql
def test_roles_are_the_clusters(pair, create_role, database):
    """A change that concerns all databases, of which each pgmemo knows but some."""
    one, two, first, second = pair
    role, group = create_role(), create_role("NOLOGIN")
    first.run(f"GRANT SELECT ON items TO {group}")
    first.run(f"GRANT {group} TO {role}")
    reader = two.session(database, user=role)
    two.warm(reader, SQL)
    with contextlib.closing(one.session("postgres")) as elsewhere:
        elsewhere.run(f"REVOKE {group} FROM {role}")
    assert reader.fails(SQL) == "42501"


# --- readers and writers over three ----------------------------------------------------------------------------------


@pytest.fixture
def fleet(start, store):
    return [start(store.url()) for _ in range(3)]


def recency(fleet, database, seconds, *words, during=None):
    """For so long after the first lease of its tables' words, in which nothing hits."""
    seconds += 4 if not harness.SANITIZER else 10
    conninfos = [f"host=127.0.0.1 port={each.port} dbname={database} user=postgres sslmode=disable gssencmode=disable"
                 for each in fleet]
    running = subprocess.Popen([str(RECENCY), *conninfos, "--seconds", str(seconds), "--readers", "6", "--writers", "4",
                                *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if during:
        during(running)
    said, _ = running.communicate(timeout=seconds + 100)
    print(said)
    for each in fleet:
        print(f"--- {remote(each, 'unannounced_writes_total'):.0f} writes not announced at once")
        print("\n".join(line for line in each.log_text().splitlines() if " store" in line))
    assert running.returncode == 0, said
    return said


def hits_go_on(fleet, database):
    for each in fleet:
        with contextlib.closing(each.session(database)) as session:
            each.warm(session, "SELECT v FROM recency WHERE k = 0")


def test_no_read_is_stale_over_three(fleet, database):
    recency(fleet, database, 6)
    for each in fleet:
        assert each.queries("hit") > 100
        assert remote(each, "lookups_total", outcome="hit") > 10, "what others have read"
        assert remote(each, "timeouts_total") == 0


@pytest.mark.parametrize("fault", ["stopped", "killed", "flushed"])
def test_no_read_is_stale_when_the_store_fails(start, store, database, fault):
    """Nor does any client get an error."""
    patience = IMPATIENT if fault == "stopped" else PATIENT
    fleet = [start(store.url(), **patience) for _ in range(3)]

    def disturb(running):
        for _ in range(2):
            eventually(lambda: all(is_up(each) for each in fleet), "all have the store")
            hits = [each.queries("hit") for each in fleet]
            eventually(lambda: running.poll() is not None or
                       all(each.queries("hit") > before + 20 for each, before in zip(fleet, hits)), "hits")
            if fault == "stopped":
                store.pause()
                eventually(lambda: not any(is_up(each) for each in fleet), "they notice")
                store.resume()
            elif fault == "killed":
                store.kill()
                eventually(lambda: not any(is_up(each) for each in fleet), "they notice")
                store.start()
            else:
                store.ask("FLUSHALL")

    recency(fleet, database, 8, during=disturb)
    hits_go_on(fleet, database)


def test_no_read_is_stale_when_words_are_evicted(start, database):
    """The least that there is room for, and anything may go."""
    store = Redis("--maxmemory-policy", "allkeys-random")
    try:
        fleet = [start(store.url()) for _ in range(3)]

        def disturb(running):
            eventually(lambda: all(is_up(each) and each.queries("hit") > 20 for each in fleet), "hits")
            used = next(int(line.split(b":")[1]) for line in store.ask("INFO", "memory").splitlines()
                        if line.startswith(b"used_memory:"))
            store.ask("CONFIG", "SET", "maxmemory", used)
            while running.poll() is None:
                store.ask("SET", f"junk:{time.monotonic()}", "x" * 1000)

        recency(fleet, database, 8, during=disturb)
        assert sum(remote(each, "words_lost_total") for each in fleet) > 0
    finally:
        store.stop()


def test_no_read_is_stale_when_a_pgmemo_is_killed(fleet, start, store, database):
    """In the middle of commits. Its clients lose their connections, and find another pgmemo at its address."""
    def disturb(running):
        for number in range(2):
            victim = fleet[number]
            hits = victim.queries("hit")
            eventually(lambda: running.poll() is not None or victim.queries("hit") > hits + 20, "hits")
            victim.process.kill()
            victim.process.wait()
            victim.restart()

    said = recency(fleet, database, 8, "--lost", "1", during=disturb)
    assert " 0 writes committed" not in said
    hits_go_on(fleet, database)


# --- the store is away -----------------------------------------------------------------------------------------------


def test_without_the_store_queries_flow(start, database, direct):
    port = harness.free_port()
    one = start(f"redis://127.0.0.1:{port}", **AWAY)
    session = one.session(database)
    answer = one.settle(session, SQL)
    assert answer == [("item 1",)]
    answer = one.ask(session, SQL)
    assert (answer.decision, answer.reason) == ("bypass", "remote_unavailable")
    session.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert session.run(SQL) == [("new",)]
    assert one.log_text().count("Connection refused") == 1, "said once"
    store = Redis(port=port)
    try:
        assert one.warm(session, SQL) == [("new",)]
        assert "reached again" in one.log_text()
    finally:
        store.stop()


def test_a_slow_store_delays_once(impatient_pair, store):
    one, two, first, second = impatient_pair
    store.pause()
    try:
        for _ in range(50):
            assert first.run(SQL) == [("item 1",)]
        first.run("UPDATE items SET name = 'new' WHERE id = 1")
        assert first.run(SQL) == [("new",)]
        # Those of connections that are tried meanwhile among them; each query would make fifty.
        assert remote(one, "timeouts_total") < 20, "not each query waits"
        assert one.queries("bypass", "remote_unavailable") >= 40
    finally:
        store.resume()
    assert one.warm(first, SQL) == [("new",)]
    assert two.warm(second, SQL) == [("new",)]


def test_a_store_that_goes_between_a_write_and_its_end(impatient_pair, store, direct):
    """The write was announced, and when it has committed there is nobody to take that back."""
    one, two, first, second = impatient_pair
    direct.run("BEGIN")
    direct.run("SELECT FROM items WHERE id = 1 FOR UPDATE")
    writer = threading.Thread(target=first.run, args=("UPDATE items SET name = 'new' WHERE id = 1",))
    writer.start()
    eventually(lambda: direct.run("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "it waits for the row")
    assert second.run(SQL) == [("item 1",)]
    store.pause()
    direct.run("COMMIT")
    writer.join()
    assert second.run(SQL) == [("new",)]
    store.resume()
    assert second.run(SQL) == [("new",)]
    assert two.warm(second, SQL) == one.warm(first, SQL) == [("new",)]


def test_who_was_cut_off_tells_of_its_writes_before_it_serves(start, store, database, direct):
    relay = Relay(store.port)
    one, two = start(store.url()), start(f"redis://127.0.0.1:{relay.port}", **IMPATIENT)
    first, second = one.session(database), two.session(database)
    one.warm(first, SQL)
    two.warm(second, SQL)
    relay.refuse()
    eventually(lambda: not is_up(two), "it is cut off")
    second.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert second.run(SQL) == [("new",)], "nothing shared is served"
    assert two.metrics().sum("pgmemo_remote_unannounced_writes_total") >= 1
    eventually(lambda: first.run(SQL) == [("new",)], "the others do not serve for long what it may have changed")
    assert remote(one, "missing") > 0 and "gone without a word" in one.log_text()
    assert one.warm(first, SQL) == [("new",)], "for a short time"
    second.run("UPDATE items SET name = 'newer' WHERE id = 1")
    relay.accept()
    eventually(lambda: is_up(two), "it is back")
    assert first.run(SQL) == [("newer",)]
    assert second.run(SQL) == [("newer",)]
    eventually(lambda: remote(one, "missing") == 0, "nobody is missed")
    relay.close()


def test_who_says_goodbye_is_not_missed(pair, start, store, database):
    one, two, first, second = pair
    two.stop()
    eventually(lambda: len(store.ask("GET", "pgmemo1:default:members")) <= 8 * (1 + 2 + 1), "it has left")
    assert one.warm(first, SQL) == [("item 1",)]
    assert remote(one, "missing") == 0 and "gone without a word" not in one.log_text()


# --- who may, and what stands there ----------------------------------------------------------------------------------


@about_sql
def test_users_and_passwords(start, database):
    store = Redis("--requirepass", "s3cret", password="s3cret")
    try:
        store.ask("ACL", "SETUSER", "cache", "on", ">p/w", "~pgmemo1:*", "+@all")
        for login in (":s3cret@", "cache:p%2Fw@"):
            one = start(f"redis://{login}127.0.0.1:{store.port}", remote_namespace=f"n{len(login)}")
            one.warm(one.session(database), SQL)
            assert "s3cret" not in one.log_text() and "p/w" not in one.log_text()
        wrong = start(f"redis://:wrong@127.0.0.1:{store.port}", **AWAY)
        session = wrong.session(database)
        wrong.settle(session, SQL)
        assert wrong.ask(session, SQL).reason == "remote_unavailable"
        assert "WRONGPASS" in wrong.log_text()
    finally:
        store.stop()


def test_a_full_store_is_as_one_that_is_away(impatient_pair, store):
    """It cannot be told of writes."""
    one, two, first, second = impatient_pair
    store.ask("CONFIG", "SET", "maxmemory", 1)
    first.run("UPDATE items SET name = 'new' WHERE id = 1")
    eventually(lambda: not is_up(one), "it gives up")
    assert first.run(SQL) == [("new",)]
    assert one.ask(first, SQL).reason == "remote_unavailable"
    assert "OOM" in one.log_text()
    store.ask("CONFIG", "SET", "maxmemory", 0)
    assert one.warm(first, SQL) == two.warm(second, SQL) == [("new",)]


@about_sql
def test_tls_is_verified(start, database):
    authority, stranger = certificates.Authority(), certificates.Authority("stranger")
    certificate, key = authority.issue("store", names="DNS:localhost")
    store = Redis("--port", "0", "--tls-port", "PORT", "--tls-cert-file", certificate, "--tls-key-file", key,
                  "--tls-ca-cert-file", authority.bundle, "--tls-auth-clients", "no", tls=True)
    try:
        one = start(f"rediss://localhost:{store.port}", remote_ca=authority.bundle)
        one.warm(one.session(database), SQL)
        for ca, host, why in ((stranger.bundle, "localhost", "certificate verify failed"),
                              (authority.bundle, "127.0.0.1", "does not match host name")):
            wrong = start(f"rediss://{host}:{store.port}", remote_ca=ca, **AWAY)
            session = wrong.session(database)
            wrong.settle(session, SQL)
            assert wrong.ask(session, SQL).reason == "remote_unavailable"
            assert why in wrong.log_text()
    finally:
        store.stop()


@about_sql
def test_namespaces_are_apart(start, store, database):
    one, two = start(store.url()), start(store.url(), remote_namespace="another")
    first, second = one.session(database), two.session(database)
    one.warm(first, SQL)
    two.warm(second, SQL)
    assert remote(two, "lookups_total", outcome="hit") == 0
    assert store.keys("pgmemo1:default:e:*") and store.keys("pgmemo1:another:e:*")


@about_sql
def test_another_secret_is_another_cache(start, store, database):
    one, two = start(store.url(), remote_secret="a"), start(store.url(), remote_secret="b")
    first, second = one.session(database), two.session(database)
    one.warm(first, SQL)
    two.warm(second, SQL)
    assert remote(two, "lookups_total", outcome="hit") == 0


def test_hostile_bytes_are_refused(pair, store, direct):
    """Whatever stands in the store: no wrong row, no crash."""
    one, two, first, second = pair
    sqls = [f"SELECT name FROM items WHERE id = {n}" for n in range(1, 6)]
    expected = [direct.run(sql) for sql in sqls]
    for sql in sqls:
        one.warm(first, sql)
    entries = {key: store.ask("GET", key) for key in store.keys("pgmemo1:default:e:*")}
    some = list(entries)
    rounds = [lambda key: ("SET", key, ""), lambda key: ("SET", key, b"pgm1" + bytes(200)),
              lambda key: ("SET", key, entries[key][:-1]), lambda key: ("SET", key, entries[some[0]]),
              lambda key: ("SET", key, entries[key][:40] + b"\xff" * 8 + entries[key][48:]),
              lambda key: ("SET", key, "x" * 3_000_000)]
    for forge in rounds:
        for key in some:
            store.ask(*forge(key))
        three = Pgmemo(one.upstream, one.extra)
        try:
            session = three.session(one.upstream.rsplit("/", 1)[1])
            eventually(lambda: is_up(three) and three.metrics().sum("pgmemo_catalog_reads_total") > 0, "it is up")
            assert [session.run(sql) for sql in sqls] == expected
            assert [session.run(sql) for sql in sqls] == expected
        finally:
            three.stop()
    assert two.log_text().count("ERROR") == 0


def test_words_that_are_none_are_made_anew(pair, store):
    one, two, first, second = pair
    for key in store.keys("pgmemo1:default:w:*"):
        store.ask("DEL", key)
        store.ask("RPUSH", key, "a list")
    for key in store.keys("pgmemo1:default:s:*")[:2000]:
        store.ask("SET", key, "what")
    assert first.run(SQL) == [("item 1",)]
    first.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert second.run(SQL) == [("new",)]
    assert one.warm(first, SQL) == two.warm(second, SQL) == [("new",)]


def test_who_has_other_rules_of_footprints_does_not_share(start, store, database):
    """A write analysed by other rules may touch too little: so it drops everything, and who has them serves nothing."""
    one = start(store.url())
    two = start(store.url(), rules=[{"match": {"tables": ["public.items"]}, "track": ["name"]}])
    first, second = one.session(database), two.session(database)
    one.warm(first, SQL)
    two.settle(second, SQL)
    assert two.ask(second, SQL).reason == "remote_unavailable"
    assert "others in namespace" in two.log_text()
    second.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert first.run(SQL) == [("new",)]
    one.stop()
    assert two.warm(second, SQL) == [("new",)], "once it is alone"


def test_a_reload_that_changes_footprints_stops_sharing(pair, database):
    one, two, first, second = pair
    two.reload(rules=[{"match": {"tables": ["public.items"]}, "track": ["name"]}])
    second.run("UPDATE items SET name = 'new' WHERE id = 1")
    assert first.run(SQL) == [("new",)]
    assert second.run(SQL) == [("new",)]
    eventually(lambda: "others in namespace" in two.log_text(), "it says so")


def test_bad_roots_are_a_bad_configuration(store):
    file = harness.WORK.fresh("config") / "pgmemo.yaml"
    file.write_text(f"upstream: postgresql://db\ncache: {{ remote: 'rediss://h', remote_ca: /no/such/file }}\n")
    for words in (("check", file), ("--config", file)):
        code, said = harness.run_pgmemo(*words)
        assert code == 1 and "cache.remote_ca" in said, said
