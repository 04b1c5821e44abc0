"""What works against PostgreSQL works through pgmemo, and says the same."""
import io
import os
import subprocess

import psycopg2
import pytest

import harness
import wire

# Under a sanitizer on two cores each statement costs several times as much.
SCALE = harness.SLOWNESS


def psql(port, database, *words, script=None, check=True):
    done = subprocess.run(["psql", "-X", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", database, *words],
                          input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                          env={**os.environ, "PGSSLMODE": "prefer", "LC_ALL": "C.UTF-8"})
    if check:
        assert done.returncode == 0, done.stdout
    return done.stdout


def both(pgmemo, postgres, database, *words, script=None, check=True):
    """The same through pgmemo, twice, and directly."""
    judge = psql(postgres.port, database, *words, script=script, check=check)
    for _ in range(2):
        assert psql(pgmemo.port, database, *words, script=script, check=check) == judge
    return judge


@pytest.fixture
def objects(direct):
    direct.run("""
        CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('good', 'bad'); CREATE DOMAIN shop.euro AS numeric CHECK (value >= 0);
        CREATE TABLE shop.orders (id serial PRIMARY KEY, item int REFERENCES items, at timestamptz DEFAULT now(), m shop.mood);
        CREATE INDEX ON shop.orders (item); CREATE VIEW shop.v AS SELECT * FROM items; CREATE SEQUENCE s;
        CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'; COMMENT ON TABLE items IS 'things';
        CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
        CREATE MATERIALIZED VIEW mv AS SELECT 1 AS x; ALTER TABLE items ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON items USING (true); CREATE PUBLICATION pub FOR TABLE items;
        CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER trg BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION tf();
        CREATE RULE r AS ON DELETE TO items DO ALSO NOTHING; CREATE STATISTICS st ON id, name FROM items""")


def test_every_describing_command_of_psql(pgmemo, postgres, database, objects):
    commands = r"""
        \d
        \d+
        \d items
        \d+ items
        \d shop.orders
        \dS+ pg_class
        \da
        \dA
        \db
        \dc
        \dC
        \dd
        \dD+
        \ddp
        \dE
        \des
        \det
        \deu
        \dew
        \df
        \df+ f
        \dF
        \dFp
        \dg
        \di+
        \dl
        \dL
        \dm
        \dn+
        \do ||
        \dO
        \dp
        \dP
        \drds
        \dRp+
        \dRs
        \ds
        \dt+ shop.*
        \dT+
        \du+
        \dv+
        \dx
        \dX
        \dy
        \l
        \sf f
        \sv shop.v
        \z items
        \dconfig work_mem
        \conninfo
    """
    commands = "\n".join(line.strip() for line in commands.splitlines() if "conninfo" not in line)
    judge = both(pgmemo, postgres, database, script=commands)
    assert "Policies:" in judge and "shop.mood" in judge


def test_copy_commands_of_psql(pgmemo, postgres, database, direct, tmp_path):
    file = tmp_path / "items.csv"
    psql(pgmemo.port, database, "-c", rf"\copy items TO '{file}' CSV HEADER")
    assert file.read_text().splitlines()[1] == "1,item 1,10"
    direct.run("TRUNCATE items")
    psql(pgmemo.port, database, "-c", rf"\copy items FROM '{file}' CSV HEADER")
    assert direct.one("SELECT count(*) FROM items") == 5


def test_watch_shows_each_change(pgmemo, database, client, direct):
    process = subprocess.Popen(["psql", "-X", "-At", "-h", "127.0.0.1", "-p", str(pgmemo.port), "-U", "postgres", database],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.stdin.write("SELECT 'price ' || price FROM items WHERE id = 1\n\\watch 0.05\n")
        process.stdin.flush()

        def shows(price):
            for line in process.stdout:
                if line.startswith("price"):
                    assert line.split()[1] in (str(price - 1), str(price))
                    if line.split()[1] == str(price):
                        return True
            return False

        for price in (10, 11, 12):
            client.run(f"UPDATE items SET price = {price} WHERE id = 1")
            assert shows(price)
    finally:
        process.terminate()
        process.wait(harness.DEADLINE)
        process.stdin.close()
        process.stdout.close()


def test_psql_shows_the_same_for_statements_of_every_kind(pgmemo, postgres, database, direct):
    script = r"""
        \set VERBOSITY verbose
        SELECT 1 AS one, NULL AS nothing, 'x'::text, ARRAY[1,2], '{"a": 1}'::jsonb;
        SELECT * FROM items ORDER BY id;
        SELECT * FROM items ORDER BY id;
        SELECT * FROM no_such_table;
        SELEC 1;
        SELECT 1/0;
        DO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING 'careful'; END $$;
        BEGIN; DECLARE c CURSOR FOR SELECT id FROM items ORDER BY id; FETCH 2 FROM c; MOVE 1 IN c; FETCH ALL FROM c; CLOSE c; COMMIT;
        BEGIN; BEGIN; COMMIT; COMMIT;
        \gdesc
        SELECT id, name FROM items ORDER BY id \gdesc
        SELECT id FROM items ORDER BY id LIMIT 2 \gx
        SELECT 'SELECT ' || n FROM generate_series(1, 3) n \gexec
        \set FETCH_COUNT 2
        SELECT id FROM items ORDER BY id;
        \unset FETCH_COUNT
        PREPARE p(int) AS SELECT $1 + 1; EXECUTE p(1); DEALLOCATE p;
        SHOW TimeZone;
        EXPLAIN (COSTS off) SELECT * FROM items;
        COPY (SELECT id FROM items ORDER BY id) TO STDOUT;
        TABLE items;
        VALUES (1, 'a'), (2, 'b');
        LISTEN ch;
        ;
        -- nothing
        SELECT 1 \; SELECT 2;
        \crosstabview
        \errverbose
    """
    script = "\n".join(line.strip() for line in script.splitlines())
    both(pgmemo, postgres, database, script=script)


def test_the_bytes_of_a_whole_session_are_the_same(pgmemo, postgres, database, direct):
    questions = [
        wire.query("SELECT * FROM items ORDER BY id"), wire.query("SELECT * FROM items ORDER BY id"), wire.query(""),
        wire.query(";;"), wire.query("-- x"), wire.query("SELECT 1; SELECT 'two'"), wire.query("SELECT 1; SELEC"),
        wire.query("SELECT 1/0"), wire.query("BEGIN"), wire.query("SELECT name FROM items WHERE id = 2"),
        wire.query("SELECT 1/0"), wire.query("SELECT 1"), wire.query("COMMIT"), wire.query("ROLLBACK"),
        wire.query("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"), wire.query("SELECT name FROM items WHERE id = 2"),
        wire.query("UPDATE items SET price = 1"), wire.query("ROLLBACK"), wire.query("SET DateStyle = 'German'"),
        wire.query("SET application_name = 'x'"), wire.query("RESET ALL"), wire.query("START TRANSACTION"),
        wire.query("SAVEPOINT a"), wire.query("ROLLBACK TO a"), wire.query("RELEASE a"), wire.query("END"),
        wire.query("BEGIN; SELECT 1"), wire.query("ABORT"), wire.query("begin work"), wire.query("commit work"),
        wire.query("BEGIN"), wire.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"), wire.query("SELECT 1"),
        wire.query("COMMIT AND CHAIN"), wire.query("COMMIT"),
        wire.extended("SELECT name FROM items WHERE id = $1", [2]), wire.extended("SELEC"), wire.extended(""),
        wire.extended("SELECT name FROM items WHERE id = $1", ["x"]), wire.extended("SELECT generate_series(1, 5)", max_rows=2),
        wire.extended("BEGIN"), wire.extended("COMMIT"), wire.SYNC, wire.SYNC + wire.SYNC,
        wire.parse("s", "SELECT $1::int") + wire.SYNC, wire.parse("s", "SELECT 2") + wire.SYNC,
        wire.describe("S", "s") + wire.SYNC, wire.bind("", "s", [7]) + wire.execute() + wire.SYNC,
        wire.close("S", "s") + wire.close("P", "none") + wire.SYNC, wire.bind("", "s", [7]) + wire.execute() + wire.SYNC,
        wire.query("SELECT $1"), wire.query("COPY (SELECT 1) TO STDOUT"),
        wire.parse("", "SELEC") + wire.query("SELECT 1") + wire.SYNC,
    ]
    through = pgmemo.wire(database)
    judge = wire.Wire(postgres.port, database)
    try:
        for question in questions:
            for session in (through, judge):
                session.send(question)
            syncs = max(1, count_of_replies(question))
            for _ in range(syncs):
                assert wire.without_key(through.until("Z")) == wire.without_key(judge.until("Z")), question
    finally:
        judge.close()


def count_of_replies(data):
    """How many ReadyForQuery PostgreSQL owes for these messages, when a Query behind a failed Parse is skipped."""
    at, syncs, queries = 0, 0, 0
    while at < len(data):
        size = int.from_bytes(data[at + 1:at + 5], "big") + 1
        syncs += data[at:at + 1] == b"S"
        queries += data[at:at + 1] == b"Q"
        at += size
    return syncs or queries


def test_what_a_login_says_is_the_same(pgmemo, postgres, database, direct):
    through = pgmemo.wire(database)
    judge = wire.Wire(postgres.port, database)
    assert wire.without_key(through.greeting) == wire.without_key(judge.greeting)
    judge.close()


def test_copy_in_both_directions(pgmemo, client, direct):
    rows = "".join(f"{n}\tname {n}\t{n}\n" for n in range(100, 20_100))
    with client.connection.cursor() as cursor:
        cursor.copy_expert("COPY items FROM STDIN", io.StringIO(rows))
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT * FROM items WHERE id >= 100 ORDER BY id) TO STDOUT", out)
    assert out.getvalue() == rows
    assert direct.one("SELECT count(*) FROM items") == 20_005


def test_notifications_arrive(pgmemo, client, other):
    client.run("LISTEN news")
    pgmemo.warm(client, "SELECT count(*) FROM items")
    other.run("NOTIFY news, 'first'")

    def arrived():
        client.connection.poll()
        return client.connection.notifies

    harness.eventually(arrived, "an idle session is told")
    assert client.connection.notifies.pop().payload == "first"
    other.run("BEGIN")
    other.run("SELECT pg_notify('news', 'second')")
    client.run("SELECT count(*) FROM items")
    assert not client.connection.notifies
    other.run("COMMIT")
    harness.eventually(lambda: client.run("SELECT count(*) FROM items") and client.connection.notifies,
                       "a session of hits is told")


def test_notices_arrive_in_their_place(pgmemo, client):
    client.run("DO $$ BEGIN FOR i IN 1..3 LOOP RAISE NOTICE 'n%', i; END LOOP; END $$")
    assert [line.split()[-1] for line in client.connection.notices] == ["n1", "n2", "n3"]


def test_cursors_on_the_server(pgmemo, client):
    client.connection.autocommit = False
    with client.connection.cursor("named") as cursor:
        cursor.itersize = 2
        cursor.execute("SELECT id FROM items ORDER BY id")
        assert [row[0] for row in cursor] == [1, 2, 3, 4, 5]
    client.connection.commit()
    client.connection.autocommit = True
    client.run("BEGIN")
    client.run("DECLARE kept CURSOR WITH HOLD FOR SELECT id FROM items ORDER BY id")
    client.run("COMMIT")
    assert client.run("FETCH 2 FROM kept") == [(1,), (2,)]


def test_a_session_of_psycopg2_with_its_implicit_transactions(pgmemo, database, client, direct):
    session = pgmemo.session(database, autocommit=False)
    pgmemo.warm(client, "SELECT price FROM items WHERE id = 1")
    for price in range(20, 25):
        session.run(f"UPDATE items SET price = {price} WHERE id = 1")
        assert session.one("SELECT price FROM items WHERE id = 1") == price
        session.connection.commit()
        assert client.one("SELECT price FROM items WHERE id = 1") == price
    session.run("UPDATE items SET price = 0")
    session.connection.rollback()
    assert client.one("SELECT price FROM items WHERE id = 1") == 24


def test_prepared_transactions_and_advisory_locks_belong_to_the_session(pgmemo, client, other):
    assert client.one("SELECT pg_try_advisory_lock(4711)") is True
    assert other.one("SELECT pg_try_advisory_lock(4711)") is False
    client.run("SELECT pg_advisory_unlock(4711)")
    assert other.one("SELECT pg_try_advisory_lock(4711)") is True


def test_a_result_of_many_megabytes(pgmemo, client, direct):
    sql = "SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, 20000) n"
    assert client.run(sql) == direct.run(sql)


def test_a_value_of_many_megabytes_both_ways(pgmemo, client, direct):
    value = "x" * (20 << 20)
    client.run("CREATE TABLE wide (v text)")
    client.run(f"INSERT INTO wide VALUES ('{value}')")
    assert client.one("SELECT v FROM wide") == value
    assert direct.one("SELECT length(v) FROM wide") == len(value)


# --- pgbench and pg_dump ---------------------------------------------------------------------------------------------

def pgbench(port, database, *words):
    done = subprocess.run(["pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", *words, database], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def bench(pgmemo, database):
    pgbench(pgmemo.port, database, "-i", "-q", "-s", "1")
    return database


def test_pgbench_fills_a_database(pgmemo, bench, postgres):
    assert postgres.run("SELECT count(*) FROM pgbench_accounts", bench) == [(100_000,)]


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("script", ["select-only", "tpcb-like", "simple-update"])
def test_pgbench_runs_without_a_failed_transaction(pgmemo, bench, postgres, mode, script):
    each = (1000 if script == "select-only" else 100) // SCALE
    said = pgbench(pgmemo.port, bench, "-n", "-M", mode, "-b", script, "-c", "8", "-j", "2", "-t", str(each))
    assert "number of failed transactions: 0 (0.000%)" in said
    assert f"number of transactions actually processed: {8 * each}/{8 * each}" in said
    if script == "tpcb-like":
        sums = "SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches), " \
               "(SELECT sum(delta) FROM pgbench_history), (SELECT sum(tbalance) FROM pgbench_tellers)"
        through = pgmemo.session(bench).run(sums)
        assert through == postgres.run(sums, bench)
        assert len(set(through[0])) == 1


def test_pgbench_with_a_pipeline(pgmemo, bench, tmp_path):
    script = tmp_path / "pipeline.sql"
    script.write_text("\\set aid random(1, 1000)\n\\startpipeline\n"
                      "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
                      "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n"
                      "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n\\endpipeline\n")
    for mode in ("extended", "prepared"):
        said = pgbench(pgmemo.port, bench, "-n", "-M", mode, "-f", str(script), "-c", "4", "-t", str(100 // SCALE))
        assert "number of failed transactions: 0 (0.000%)" in said


def test_pgbench_of_few_keys_hits(pgmemo, bench, tmp_path):
    script = tmp_path / "few.sql"
    script.write_text("\\set aid random(1, 100)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n")
    pgmemo.warm(pgmemo.session(bench), "SELECT abalance FROM pgbench_accounts WHERE aid = 1")
    hits = pgmemo.queries("hit")
    pgbench(pgmemo.port, bench, "-n", "-M", "simple", "-f", str(script), "-c", "8", "-j", "2", "-t", str(2000 // SCALE))
    assert pgmemo.queries("hit") - hits > 0.9 * 8 * (2000 // SCALE)


@harness.before(16, "Debian's pg_dump is of 15")
def test_a_dump_through_pgmemo_restored_through_pgmemo_is_the_same(pgmemo, bench, postgres, create_database):
    copy = create_database()
    postgres.run("DELETE FROM pgbench_accounts WHERE aid > 5000; UPDATE pgbench_accounts SET abalance = aid * 3", bench)
    dump = subprocess.run(["pg_dump", "-h", "127.0.0.1", "-p", str(pgmemo.port), "-U", "postgres", bench], check=True,
                          stdout=subprocess.PIPE, text=True, timeout=120).stdout
    psql(pgmemo.port, copy, "-q", "-v", "ON_ERROR_STOP=1", script=dump)
    for table, key in (("accounts", "aid"), ("branches", "bid"), ("tellers", "tid"), ("history", "tid")):
        sql = f"SELECT * FROM pgbench_{table} ORDER BY {key}"
        rows = postgres.run(sql, bench)
        assert postgres.run(sql, copy) == rows
        assert pgmemo.session(copy).run(sql) == rows


def test_many_sessions_at_once(pgmemo, database, direct):
    sessions = [pgmemo.session(database) for _ in range(60)]
    for session in sessions:
        assert session.one("SELECT count(*) FROM items") == 5
    assert pgmemo.metrics().sum("pgmemo_clients") == 60
    for session in sessions:
        session.close()
    harness.eventually(lambda: pgmemo.metrics().sum("pgmemo_clients") == 0, "all sessions are gone")


def test_errors_keep_every_field(pgmemo, client, direct):
    direct.run("ALTER TABLE items ADD CONSTRAINT dear CHECK (price < 1000)")
    sql = "UPDATE items SET price = 5000"
    with pytest.raises(psycopg2.errors.CheckViolation) as through:
        client.run(sql)
    with pytest.raises(psycopg2.errors.CheckViolation) as judge:
        direct.run(sql)
    for field in ("constraint_name", "table_name", "schema_name", "severity", "message_primary", "message_detail",
                  "source_function", "sqlstate"):
        assert getattr(through.value.diag, field) == getattr(judge.value.diag, field)
