"""The command line and the configuration, as an operator meets them."""
import signal
import socket

import pytest

import harness
import wire
from harness import Pgmemo, eventually, run_pgmemo

GOOD = "upstream: postgresql://postgres@127.0.0.1:5432/postgres\n"


@pytest.fixture
def check(tmp_path):
    def run(text):
        file = tmp_path / "pgmemo.yaml"
        file.write_text(text)
        code, said = run_pgmemo("check", file)
        return code, said.replace(str(file), "FILE")
    return run


def test_the_example_is_good():
    code, said = run_pgmemo("check", harness.ROOT / "examples" / "pgmemo.yaml")
    assert code == 0, said


def test_the_shortest_file_is_good(check):
    code, said = check(GOOD)
    assert code == 0, said


BAD = {
    "unknown_key": (GOOD + "lisen: 127.0.0.1:1\n", 2, 1, "listen"),
    "unknown_key_below": (GOOD + "cache:\n  memroy: 1GiB\n", 3, 3, "memory"),
    "wrong_type": (GOOD + "threads: many\n", 2, 10, "threads"),
    "list_for_scalar": (GOOD + "threads: [1, 2]\n", 2, 10, "threads"),
    "scalar_for_map": (GOOD + "cache: 3\n", 2, 8, "cache"),
    "bad_size": (GOOD + "cache: { memory: 12 parsecs }\n", 2, None, "memory"),
    "negative_size": (GOOD + "cache: { memory: -1MiB }\n", 2, None, "memory"),
    "bad_time": (GOOD + "cache: { ttl: soon }\n", 2, None, "ttl"),
    "bad_default": (GOOD + "cache: { default: maybe }\n", 2, None, "default"),
    "bad_address": (GOOD + "listen: 127.0.0.1:99999\n", 2, 9, "listen"),
    "bad_regex": (GOOD + 'rules:\n  - name: r\n    match: { query: "a(b" }\n    cache: off\n', 4, None, "query"),
    "rule_unknown_key": (GOOD + "rules:\n  - name: r\n    match: { table: [x] }\n    cache: off\n", 4, None, "tables"),
    "bad_level": (GOOD + "log: { level: loud }\n", 2, None, "level"),
    "twice": (GOOD + "threads: 1\nthreads: 2\n", 3, None, "threads"),
    "not_yaml": (GOOD + "cache: { memory: 1MiB\nthreads: ]\n", None, None, ""),
    "no_upstream": ("threads: 1\n", None, None, "upstream"),
    "bad_upstream": ("upstream: somewhere\n", 1, 11, "upstream"),
    "bad_upstream_host": ("upstream: 'postgresql://[::1/x'\n", None, None, "upstream"),
    "bad_upstream_parameter": ("upstream: postgresql://h/d?no_such=1\n", None, None, "no_such"),
    "no_such_sslmode": ("upstream: postgresql://u@h/d?sslmode=always\n", None, None, "sslmode"),
    "no_root_certificate": ("upstream: postgresql://u@h/d?sslmode=verify-ca&sslrootcert=/nowhere/root.crt\n", None, None,
                            "/nowhere/root.crt"),
    "empty": ("", None, None, "upstream"),
}


@pytest.mark.parametrize("text, line, column, word", BAD.values(), ids=BAD.keys())
def test_a_mistake_is_shown_with_its_place(check, text, line, column, word):
    code, said = check(text)
    assert code == 1, said
    first = said.splitlines()[0]
    assert word in said
    if line is not None:
        assert first.startswith(f"FILE:{line}:{'' if column is None else f'{column}:'}"), said
    else:
        assert first.startswith("FILE:"), said


def test_every_mistake_is_shown(check):
    code, said = check(GOOD + "threads: many\ncache: { memroy: 1 }\nlog: { level: loud }\n")
    assert code == 1
    assert len([line for line in said.splitlines() if line.startswith("FILE:")]) == 3, said


def test_a_bad_file_stops_the_start(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(GOOD + "lisen: 1\n")
    code, said = run_pgmemo("--config", file)
    assert code == 1 and f"{file}:2:1:" in said and "listen" in said


def test_a_missing_file_is_named(tmp_path):
    for words in (("--config", tmp_path / "none.yaml"), ("check", tmp_path / "none.yaml")):
        code, said = run_pgmemo(*words)
        assert code == 1 and "none.yaml" in said


@pytest.mark.parametrize("words", [("--no-such-flag",), ("--listen",), (), ("check",), ("--upstream", "postgresql://h/d", "--threads", "x")],
                         ids=["unknown", "no_value", "nothing", "check_nothing", "not_a_number"])
def test_wrong_usage_is_exit_code_2(words):
    code, said = run_pgmemo(*words)
    assert code == 2 and said


def test_version_and_help():
    code, said = run_pgmemo("--version")
    assert code == 0 and "pgmemo" in said and "0.1.0" in said
    code, said = run_pgmemo("--help")
    assert code == 0 and "--upstream" in said


def test_a_taken_port_is_exit_code_3():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = run_pgmemo("--upstream", "postgresql://postgres@127.0.0.1:1/postgres", "--listen", address,
                                "--metrics", f"127.0.0.1:{harness.free_port()}")
        assert code == 3 and address in said
        code, said = run_pgmemo("--upstream", "postgresql://postgres@127.0.0.1:1/postgres", "--listen",
                                f"127.0.0.1:{harness.free_port()}", "--metrics", address)
        assert code == 3 and address in said


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_an_upstream_that_cannot_be_verified_is_refused_at_the_start(mode):
    code, said = run_pgmemo("--upstream", f"postgresql://postgres@127.0.0.1:5432/postgres?sslmode={mode}"
                                          "&sslrootcert=/nowhere/root.crt")
    assert code == 1 and "sslmode" in said and "/nowhere/root.crt does not exist" in said


def test_flags_are_enough_to_run(postgres, database, direct):
    port, metrics = harness.free_port(), harness.free_port()
    import subprocess
    process = subprocess.Popen(["setpriv", "--pdeathsig=KILL", str(harness.BINARY), "--upstream", postgres.uri(database),
                                "--listen", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}", "--threads", "1",
                                "--log-level", "debug"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answers():
            try:
                return wire.Wire(port, database)
            except OSError:
                return None

        client = eventually(answers, "pgmemo listens")
        assert client.one("SELECT count(*) FROM items") == "5"
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(harness.DEADLINE) == 0
    finally:
        process.kill()
        process.wait()


def test_the_start_says_which_promise_holds(pgmemo, client):
    lines = [line for line in pgmemo.log_text().splitlines() if "around" in line]
    assert len(lines) == 1 and "60" in lines[0], pgmemo.log_text()


def test_a_unix_socket_is_listened_on(postgres, database, direct):
    home = harness.WORK.fresh("socket")
    path = home / ".s.PGSQL.6432"
    pgmemo = Pgmemo(postgres.uri(database), wait="ready", config={"listen": [str(path), f"127.0.0.1:{harness.free_port()}"]})
    try:
        import psycopg2
        connection = psycopg2.connect(host=str(home), port=6432, dbname=database, user="postgres")
        pgmemo.sessions.append(connection)
        assert harness.Session(connection).one("SELECT count(*) FROM items") == 5
    finally:
        pgmemo.stop()
    assert not path.exists(), "the socket's file goes with it"


# --- signals ---------------------------------------------------------------------------------------------------------

def test_sighup_takes_a_good_file_without_dropping_anybody(pgmemo, client):
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    said = pgmemo.reload(cache={"default": "bypass"})
    assert "reload" in said.lower()
    eventually(lambda: pgmemo.ask(client, sql).reason == "no_rule", "the new rule holds for a session of before")
    pgmemo.reload(cache={"default": "cache"})
    pgmemo.warm(client, sql)


def test_sighup_refuses_a_bad_file_whole(pgmemo, client):
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    said = pgmemo.reload(cache={"default": "bypass"}, lisen="x")
    assert "lisen" in said and "listen" in said
    assert pgmemo.ask(client, sql).is_hit
    pgmemo.reload(cache={}, lisen=None)
    assert pgmemo.ask(client, sql).is_hit or pgmemo.warm(client, sql)


def test_sigterm_lets_a_transaction_end(pgmemo, client, direct, database):
    idle = pgmemo.wire(database)
    client.run("BEGIN")
    client.run("UPDATE items SET price = 7 WHERE id = 1")
    pgmemo.signal(signal.SIGTERM)

    def refuses():
        try:
            socket.create_connection(("127.0.0.1", pgmemo.port), 5).close()
            return False
        except OSError:
            return True

    eventually(refuses, "nobody new is let in")
    assert client.one("SELECT price FROM items WHERE id = 1") == 7
    client.run("COMMIT")
    assert direct.one("SELECT price FROM items WHERE id = 1") == 7
    got = idle.rest()
    if got:
        assert wire.Message("E", got[5:]).fields()["C"] == "57P01"
    pgmemo.close_sessions()
    assert pgmemo.wait() == 0


def test_a_second_sigterm_ends_at_once(postgres, database, direct):
    pgmemo = Pgmemo(postgres.uri(database))
    session = pgmemo.session(database)
    session.run("BEGIN")
    session.run("UPDATE items SET price = 7 WHERE id = 1")
    pgmemo.signal(signal.SIGTERM)
    eventually(lambda: "drain" in pgmemo.log_text().lower(), "it drains")
    pgmemo.signal(signal.SIGTERM)
    pgmemo.wait()
    pgmemo.check_report()
    pgmemo.kill()
    eventually(lambda: direct.one("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%' "
                                  "AND datname = current_database()") == 0, "the transaction is gone")
    assert direct.one("SELECT price FROM items WHERE id = 1") == 10
