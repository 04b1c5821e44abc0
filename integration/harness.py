"""What the integration tests stand on: real PostgreSQL clusters, pgmemo in front of them, and clients.

Nothing here is a mock. Processes listen on free ports, die with the test run (PR_SET_PDEATHSIG), and keep their logs,
which a failing test shows. Waiting is always for a condition, with a deadline; never for a time.
"""
import ast
import atexit
import contextlib
import functools
import getpass
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("PGMEMO_BINARY", ROOT / "build" / "pgmemo"))


def _pg_bin():
    """Where the server's programs are: PGMEMO_PG_BIN, or Debian's newest. Those that the server's user may not read (they
    lie in somebody's home) are copied; what belongs to the programs lies beside their folder."""
    if chosen := os.environ.get("PGMEMO_PG_BIN"):
        chosen = Path(chosen).resolve()
        tried = subprocess.run(_owner_command([chosen / "postgres", "--version"], "KILL"), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, cwd="/")
        if tried.returncode:
            copy = WORK.path / "programs"
            shutil.copytree(chosen.parent, copy, symlinks=True)
            chosen = copy / chosen.name
        return chosen
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise RuntimeError("no PostgreSQL server under /usr/lib/postgresql")
    return found[-1]


IS_ROOT = os.geteuid() == 0


def _sanitizer():
    try:
        content = BINARY.read_bytes()
    except FileNotFoundError:
        return ""
    return "thread" if b"__tsan_init" in content else "address" if b"__asan_init" in content else ""


SANITIZER = _sanitizer()
SLOWNESS = {"": 1, "address": 3, "thread": 8}[SANITIZER]  # deadlines grow, loads shrink, by so much
DEADLINE = 20 * (3 if SANITIZER else 1)


class Timeout(AssertionError):
    pass


def eventually(condition, what, seconds=DEADLINE):
    """The first true value of `condition()`; fails with `what` when there is none in time."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"not in {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


_ports = itertools.count(random.randrange(10_000))


def free_port():
    """A port that nobody listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = 20_000 + next(_ports) % 12_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def _owner_command(command, death_signal):
    """`command` as somebody that PostgreSQL agrees to be, dying when we do."""
    become = ["--reuid=postgres", "--regid=postgres", "--init-groups"] if IS_ROOT else []
    return ["setpriv", *become, f"--pdeathsig={death_signal}", *map(str, command)]


SERVER_USER = "postgres" if IS_ROOT else getpass.getuser()


class Work:
    """The directory of one test run; gone at its end."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="pgmemo-it-"))
        self.path.chmod(0o755)
        self.count = 0
        atexit.register(shutil.rmtree, self.path, ignore_errors=True)

    def fresh(self, name):
        self.count += 1
        path = self.path / f"{name}-{self.count}"
        path.mkdir()
        path.chmod(0o755)
        return path


WORK = Work()
PG_BIN = _pg_bin()
# Its major version.
PG_VERSION = int(re.search(r"\d+", subprocess.check_output([PG_BIN / "postgres", "--version"], text=True))[0])


# What a version lacks, by the words that ask for it; and what a later one no longer has.
SINCE = {r"DETACH PARTITION \w+ CONCURRENTLY": 14, r"security_invoker": 15, r"\bBEGIN ATOMIC\b": 14, r"\bMERGE (INTO )?\w+": 15, r"NULLS NOT DISTINCT": 15,
         r"multirange": 14, r"\bCYCLE \w+ SET\b": 14, r"SET (NULL|DEFAULT) \(\w": 15, r"\bdate_bin\(": 14,
         r"\bregexp_(count|like|substr|instr)\b": 15, r"\bGROUP BY (DISTINCT|ALL)\b": 14, r"\bSTABLE BEGIN": 14,
         r"\bANY_VALUE\(": 16, r"\bJSON_(ARRAY|OBJECT|ARRAYAGG|OBJECTAGG)\(": 16, r"\bIS JSON\b": 16,
         r"\bJSON_(TABLE|VALUE|QUERY|EXISTS|SCALAR)\(": 17, r"\bWHEN NOT MATCHED BY SOURCE\b": 17,
         r"\bMERGE .* RETURNING\b": 17, r"\bVIRTUAL\b": 18, r"\bWITHOUT OVERLAPS\b": 18, r"\bRETURNING (old|new)\.": 18,
         r"\bNOT ENFORCED\b": 18, r"\b(array_sort|uuidv7|casefold)\(": 18, r"\brandom\(\d": 17,
         r"\bCOMPRESSION\b": 14, r"\bLANGUAGE sql (STABLE |IMMUTABLE )?RETURN\b": 14}


def needs(*texts):
    """The version that these statements were first understood by, as far as SINCE knows."""
    return max((version for words, version in SINCE.items() if any(re.search(words, one) for one in texts)), default=0)


def since(version, why):
    import pytest
    return pytest.mark.skipif(PG_VERSION < version, reason=f"since PostgreSQL {version}: {why}")


def before(version, why):
    import pytest
    return pytest.mark.skipif(PG_VERSION >= version, reason=f"until PostgreSQL {version - 1}: {why}")


def tail(path, lines=60):
    try:
        return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_template = None


def _initdb():
    global _template
    if _template is None:
        home = WORK.fresh("template")
        if IS_ROOT:
            shutil.chown(home, SERVER_USER, SERVER_USER)
        subprocess.run(
            _owner_command([PG_BIN / "initdb", "-D", home / "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                            "--locale=C.UTF-8", "--no-sync"], "KILL"),
            check=True, cwd=home, stdout=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"})
        _template = home / "data"
    return _template


# Members of these groups log in by that method; all others are trusted.
AUTH_GROUPS = {"by_scram": "scram-sha-256", "by_md5": "md5", "by_password": "password"}


class Postgres:
    """One cluster."""

    def __init__(self, **settings):
        self.home = WORK.fresh("postgres")
        if IS_ROOT:
            shutil.chown(self.home, SERVER_USER, SERVER_USER)
        self.data = self.home / "data"
        self.log = self.home / "log"
        self.port = free_port()
        subprocess.run(_owner_command(["cp", "-a", _initdb(), self.data], "KILL"), check=True, cwd=self.home)
        self.settings = {"fsync": "off", "max_connections": 200, "max_prepared_transactions": 10,
                         "wal_level": "logical", "max_wal_senders": 5, "log_min_messages": "warning",
                         "TimeZone": "UTC", "log_timezone": "UTC", "autovacuum": "off", "log_checkpoints": "off", **settings}
        hba = [f"host all +{group} 127.0.0.1/32 {method}" for group, method in AUTH_GROUPS.items()]
        hba += ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
        (self.data / "pg_hba.conf").write_text("\n".join(hba) + "\n")
        self.process = None
        self.start()
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            for group in AUTH_GROUPS:
                cursor.execute(f"CREATE ROLE {group} NOLOGIN")

    def start(self):
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                _owner_command([PG_BIN / "postgres", "-D", self.data, "-p", self.port, "-k", self.home,
                                "-c", "listen_addresses=127.0.0.1", *options], "QUIT"),
                cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        _running.add(self)
        eventually(self._answers, lambda: f"PostgreSQL answers\n{tail(self.log)}", 60)

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with {self.process.returncode}\n{tail(self.log)}")
        try:
            self.connect().close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast shutdown; SIGQUIT: immediate."""
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        _running.discard(self)

    def uri(self, dbname="postgres", user="postgres", port=None):
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{dbname}"

    def connect(self, dbname="postgres", user="postgres", **more):
        """A direct connection, around pgmemo."""
        return _connect(self.port, dbname, user, **more)

    def run(self, sql, dbname="postgres"):
        """One statement (or several) by the superuser, directly; rows if there are any."""
        with contextlib.closing(self.connect(dbname)) as connection:
            return Session(connection).run(sql)


def _connect(port, dbname, user, autocommit=True, **more):
    connection = psycopg2.connect(host=more.pop("host", "127.0.0.1"), port=port, dbname=dbname, user=user,
                                  connect_timeout=30, sslmode=more.pop("sslmode", "disable"),
                                  gssencmode=more.pop("gssencmode", "disable"), **more)
    connection.autocommit = autocommit
    return connection


class Session:
    """A psycopg2 connection with a shorter mouth. psycopg2 speaks the simple protocol and sends the text as it is."""

    def __init__(self, connection):
        self.connection = connection

    def run(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else None

    def one(self, sql):
        """The only value of the only row."""
        rows = self.run(sql)
        assert len(rows) == 1 and len(rows[0]) == 1, rows
        return rows[0][0]

    def fails(self, sql):
        """The SQLSTATE that `sql` fails with."""
        try:
            self.run(sql)
        except psycopg2.Error as error:
            return error.pgcode
        raise AssertionError(f"did not fail: {sql}")

    def close(self):
        self.connection.close()


# --- pgmemo ----------------------------------------------------------------------------------------------------------


class Metrics(dict):
    """Prometheus' text format: {(name, ((label, value), …)): number}."""

    LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
    LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        super().__init__()
        for line in text.splitlines():
            if line and not line.startswith("#"):
                match = self.LINE.match(line)
                assert match, f"not a sample: {line}"
                self[match[1], tuple(sorted(self.LABEL.findall(match[2] or "")))] = float(match[3])

    def sum(self, name, **labels):
        wanted = set(labels.items())
        return sum(value for (sample, has), value in self.items() if sample == name and wanted <= set(has))


class Answer:
    """Rows, and what pgmemo's counters say of where they came from."""

    def __init__(self, rows, decision, reason):
        self.rows = rows
        self.decision = decision
        self.reason = reason

    @property
    def is_hit(self):
        return self.decision == "hit"

    def __repr__(self):
        return f"{self.decision}{'/' + self.reason if self.reason else ''} {self.rows}"


class Pgmemo:
    """One pgmemo process on free ports, in front of `upstream` (a URI, or a Postgres).

    `config` is merged into the file that it is started with; `flags` are added to the command line.
    """

    def __init__(self, upstream, config=None, binary=None, wait="ready", env=None):
        self.home = WORK.fresh("pgmemo")
        self.log = self.home / "log"
        self.file = self.home / "pgmemo.yaml"
        self.upstream = upstream.uri() if isinstance(upstream, Postgres) else upstream
        self.extra = config or {}
        self.binary = binary or BINARY
        self.env = env or {}
        self.sessions = []
        self.process = None
        self._start(wait)

    def restart(self, wait="listening"):
        """Once it has ended: another one, at the same addresses."""
        self.sessions.clear()
        self._start(wait, 1, (self.port, self.metrics_port))

    def _start(self, wait, tries=3, ports=None):
        self.port, self.metrics_port = ports or (free_port(), free_port())
        self.write_config()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", str(self.binary), "--config", str(self.file)], cwd=self.home,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **sanitizer_environment(), **self.env})
        _running.add(self)
        try:
            if wait == "ready":
                eventually(lambda: self.page("/readyz")[0] == 200, lambda: f"pgmemo is ready\n{tail(self.log)}")
            elif wait == "listening":
                eventually(self._listens, lambda: f"pgmemo listens\n{tail(self.log)}")
        except _Ended:
            _running.discard(self)
            if self.process.returncode == 3 and tries > 1:  # somebody was faster at a port
                return self._start(wait, tries - 1)
            raise

    def write_config(self, **changes):
        self.extra = {**self.extra, **changes}
        config = {"listen": f"127.0.0.1:{self.port}", "upstream": self.upstream, "threads": 2,
                  "metrics": {"listen": f"127.0.0.1:{self.metrics_port}"}, **self.extra}
        # JSON is YAML. A value of None leaves a key out.
        self.file.write_text(json.dumps({key: value for key, value in config.items() if value is not None}, indent=1))

    def reload(self, **changes):
        """Rewrites the configuration, sends SIGHUP and gives what the log says of it."""
        before = len(self.log_text())
        self.write_config(**changes)
        self.process.send_signal(signal.SIGHUP)

        def verdict():
            said = self.log_text()[before:]
            return said if re.search("is in force|was refused", said) else None

        return eventually(verdict, "the log says what became of the reload")

    def _check_alive(self):
        if self.process.poll() is not None:
            raise _Ended(f"pgmemo ended with {self.process.returncode}\n{tail(self.log)}")

    def _listens(self):
        self._check_alive()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def log_text(self):
        return self.log.read_text(errors="replace")

    # --- the endpoint

    def page(self, path):
        """(status, body) of a page of the metrics endpoint; status 0 while nobody answers."""
        self._check_alive()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self):
        status, body = self.page("/metrics")
        assert status == 200, f"/metrics answers {status}"
        return Metrics(body)

    def queries(self, decision=None, reason=None):
        labels = {name: value for name, value in (("decision", decision), ("reason", reason)) if value is not None}
        return self.metrics().sum("pgmemo_queries_total", **labels)

    # --- clients

    def connect(self, dbname="postgres", user="postgres", **more):
        connection = _connect(self.port, dbname, user, **more)
        self.sessions.append(connection)
        return connection

    def session(self, dbname="postgres", user="postgres", **more):
        return Session(self.connect(dbname, user, **more))

    def wire(self, dbname="postgres", user="postgres", **more):
        import wire
        client = wire.Wire(self.port, dbname, user, **more)
        self.sessions.append(client)
        return client

    # --- decisions

    def decisions(self):
        """The samples of pgmemo_queries_total. Asked for at every step: so without urllib, and without the rest."""
        try:
            with socket.create_connection(("127.0.0.1", self.metrics_port), timeout=30) as asking:
                asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                page = b"".join(iter(lambda: asking.recv(1 << 16), b"")).decode()
        except OSError:
            self._check_alive()
            raise
        assert page.split(None, 2)[1] == "200", page[:200]
        return Metrics("\n".join(line for line in page.splitlines() if line.startswith("pgmemo_queries_total{")))

    def watch(self, action):
        """What `action()` gives, with the one decision that the counters show for it. Nobody else may be asking."""
        before = self.decisions()
        result = action()
        moved = []

        def changed():
            after = self.decisions()
            moved[:] = [(dict(labels), value - before.get((name, labels), 0)) for (name, labels), value in after.items()
                        if value != before.get((name, labels), 0)]
            return moved

        eventually(changed, "the query is counted")
        assert len(moved) == 1 and moved[0][1] == 1, f"expected one decision, the counters say {moved}"
        labels = moved[0][0]
        return Answer(result, labels["decision"], labels.get("reason", "") if labels["decision"] == "bypass" else "")

    def ask(self, session, sql):
        return self.watch(lambda: session.run(sql))

    def warm(self, session, sql, seconds=DEADLINE):
        """Repeats a SELECT until it hits; its rows. The catalog may still be on its way, or just have changed."""
        answers = []

        def hits():
            answers.append(self.ask(session, sql))
            return answers[-1].is_hit

        eventually(hits, lambda: f"{sql!r} hits; the last answers: {answers[-3:]}", seconds)
        return answers[-1].rows

    def settle(self, session, sql):
        """Repeats a SELECT until it hits, or is refused for a reason of its own; its rows."""
        def settled():
            answer = self.ask(session, sql)
            return answer if answer.is_hit or answer.reason not in ("", "catalog_unknown") else None

        return eventually(settled, f"{sql!r} hits or is refused for good").rows

    # --- the process

    def rss_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=DEADLINE):
        """The exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Timeout(f"pgmemo has not ended in {seconds} s\n{tail(self.log)}") from None

    def close_sessions(self):
        for session in self.sessions:
            with contextlib.suppress(Exception):
                session.close()
        self.sessions.clear()

    def stop(self):
        """Ends it as an operator would, and holds it to a clean end."""
        self.close_sessions()
        _running.discard(self)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Timeout(f"pgmemo has not drained\n{tail(self.log)}") from None
        self.check_report()
        assert code == 0, f"pgmemo ended with {code}\n{tail(self.log)}"

    def check_report(self):
        text = self.log_text()
        for mark in ("ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "runtime error:", "ERROR: LeakSanitizer",
                     "terminate called"):
            assert mark not in text, text[max(0, text.index(mark) - 500):][:12000]

    def kill(self):
        _running.discard(self)
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class _Ended(RuntimeError):
    pass


def sanitizer_environment():
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":exitcode=86",
            "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "") + ":exitcode=86",
            "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", "") + ":print_stacktrace=1"} if SANITIZER else {}


def run_pgmemo(*words, seconds=DEADLINE, env=None):
    """pgmemo with these words, until it ends: (exit code, everything it said)."""
    done = subprocess.run(["setpriv", "--pdeathsig=KILL", str(BINARY), *map(str, words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, text=True,
                          errors="replace", env={**os.environ, **sanitizer_environment(), **(env or {})})
    return done.returncode, done.stdout


# What runs now: killed when a test takes too long, so that no blocked client outlasts it.
_running = set()


def running():
    return [thing for thing in _running if isinstance(thing, Pgmemo)]


def stop_everything():
    for thing in list(_running):
        with contextlib.suppress(Exception):
            thing.kill() if isinstance(thing, Pgmemo) else thing.stop(signal.SIGQUIT)


atexit.register(stop_everything)


# --- a session and its judge -----------------------------------------------------------------------------------------

# How a test reads, and how it writes, where both are open: every promise holds in every protocol.
READ_PROTOCOLS = ["simple", "extended"]
WRITE_PROTOCOLS = ["simple", "extended"]


def written_out(sql, values):
    """`sql` with constants for its `$n`, as a client of the simple protocol has to write them."""
    def constant(match):
        value = values[int(match[1]) - 1]
        if value is None:
            return "NULL"
        return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"

    return re.sub(r"\$(\d+)", constant, sql) if values else sql


class Pair:
    """One session twice: `through` pgmemo, and directly, as its judge. What both are asked they must answer alike, byte
    for byte. A write goes `through` alone, unless the judge has a database of its own, the `twin`, to do the same in."""

    def __init__(self, pgmemo, postgres, database, user="postgres", reads_by="simple", writes_by="simple", twin=None,
                 **parameters):
        import wire
        self.wire = wire
        self.pgmemo = pgmemo
        self.reads_by = reads_by
        self.writes_by = writes_by
        self.through = pgmemo.wire(database, user, parameters=parameters)
        self.judge_at = postgres.port, twin or database, user, parameters

    @functools.cached_property
    def judge(self):
        """Begun when it is first asked: a session that only writes needs none."""
        return self.wire.Wire(*self.judge_at)

    def close(self):
        self.through.close()
        if "judge" in self.__dict__:
            self.judge.close()

    def question(self, by, sql, values):
        return self.wire.extended(sql, values) if by == "extended" else self.wire.query(written_out(sql, values))

    @staticmethod
    def reply(messages):
        return [(one.kind, one.body) for one in messages]

    def both(self, sql, *values, by=None):
        """The messages on which both agree; an error may be one of them."""
        return self.both_bytes(self.question(by or self.writes_by, sql, values))

    def both_bytes(self, data, replies=1):
        """The same for bytes that bring so many ReadyForQuery."""
        self.judge.send(data)
        self.through.send(data)
        expected, got = ([one for _ in range(replies) for one in side.until("Z")] for side in (self.judge, self.through))
        assert self.reply(got) == self.reply(expected), f"{data!r}: {got} through pgmemo, {expected} directly"
        return got

    def write(self, sql, *values, by=None):
        """Through pgmemo only; must not fail. Gives the rows, if there are any."""
        got = self.through.ask(self.question(by or self.writes_by, sql, values))
        assert all(one.kind != "E" for one in got), f"{sql!r}: {got}"
        return [tuple(one.columns()) for one in got if one.kind == "D"]

    def expected(self, sql, *values):
        """What PostgreSQL answers."""
        return self.reply(self.judge.ask(self.question(self.reads_by, sql, values)))

    def read(self, sql, *values):
        """An Answer whose rows are the whole reply, found to be PostgreSQL's."""
        question = self.question(self.reads_by, sql, values)
        answer = self.pgmemo.watch(lambda: self.reply(self.through.ask(question)))
        expected = self.reply(self.judge.ask(question))
        assert answer.rows == expected, f"{sql!r}: {answer} through pgmemo, {expected} directly"
        return answer

    def agree(self, sql, *values):
        """Asks twice, so that what misses and is stored is compared when it comes from the cache, too."""
        question = self.question(self.reads_by, sql, values)
        expected = self.reply(self.judge.ask(question))
        for _ in range(2):
            got = self.reply(self.through.ask(question))
            assert got == expected, f"{sql!r}: {got} through pgmemo, {expected} directly"

    def warm(self, sql, *values):
        """Reads until it hits; fails at once when it is refused for good."""
        answers = []

        def hits():
            answers.append(self.read(sql, *values))
            refusals = [one.reason for one in answers[-3:] if one.reason not in ("", *PASSING)]
            assert len(refusals) < 3, f"{sql!r} is refused: {refusals[0]}"
            return answers[-1].is_hit

        eventually(hits, lambda: f"{sql!r} hits; {[(one.decision, one.reason) for one in answers[-3:]]}")
        return answers[-1]

    def stays(self, sql, *writes):
        """Holds each of `writes` to leaving the entry of `sql` alone. They may be repeated: something else may move the
        entry meanwhile (a change of the catalog, found by its poll), but not three times over."""
        for write in writes:
            for _ in range(3):
                self.warm(sql)
                write()
                answer = self.read(sql)
                if answer.is_hit:
                    break
            assert answer.is_hit, f"{sql!r} stays a hit: {answer.decision} {answer.reason}"

    def sees(self, write, *reads, warm=True):
        """Warms `reads`, lets `write` happen, and holds each to what PostgreSQL then says: something else than before."""
        before = []
        for sql in reads:
            self.warm(sql) if warm else self.agree(sql)
            before.append(self.expected(sql))
        write()
        for sql, old in zip(reads, before):
            assert self.expected(sql) != old, f"the write changes {sql!r}"
            self.agree(sql)


# Reasons that go away by themselves.
PASSING = ("catalog_unknown", "session_unknown")


class House:
    """A database filled by `script` before pgmemo starts in front of it, for a module to share: what is there from the
    beginning moves nothing later. `roles` are {name: attributes} and go with it. With `twin`, the judges have a copy of
    the database to themselves, with the same OIDs in it."""

    _names = itertools.count(1)

    def __init__(self, postgres, script="", roles=None, config=None, twin=False):
        self.postgres = postgres
        self.database = f"house_{next(self._names)}"
        self.twin = f"{self.database}_twin" if twin else None
        self.more = []
        self.roles = []
        self.pgmemo = None
        self.pairs = []
        self.untouched = {}
        try:
            for role, attributes in (roles or {}).items():
                postgres.run(f"CREATE ROLE {role} {attributes}")
                self.roles.append(role)
            postgres.run(f"CREATE DATABASE {self.database}")
            if script:
                postgres.run(script, self.database)
            if twin:
                postgres.run(f"CREATE DATABASE {self.twin} TEMPLATE {self.database}")
                self.more.append(self.twin)
            self.pgmemo = Pgmemo(postgres.uri(self.database), config=config)
        except BaseException:
            self.close()
            raise

    def add_database(self, name, script=""):
        """Another one beside it, for sessions to ask for by name."""
        self.postgres.run(f'CREATE DATABASE "{name}"')
        self.more.append(name)
        self.postgres.run(script, name)
        return name

    def pair(self, user="postgres", database=None, **more):
        self.pairs.append(Pair(self.pgmemo, self.postgres, database or self.database, user, **{"twin": self.twin, **more}))
        return self.pairs[-1]

    def plain(self, user="postgres", which=0, **parameters):
        """One for all tests, which leave it as they find it: that saves two backends for each."""
        key = user, which, *parameters.items()
        if key not in self.untouched:
            self.untouched[key] = Pair(self.pgmemo, self.postgres, self.database, user, twin=self.twin, **parameters)
        return self.untouched[key]

    def close_pairs(self):
        """All but the plain ones."""
        for pair in self.pairs:
            pair.close()
        self.pairs.clear()

    def roll_back_prepared(self):
        """What a test that failed has left prepared would lock its rows for ever."""
        for (name,) in self.postgres.run(f"SELECT gid FROM pg_prepared_xacts WHERE database = '{self.database}'"):
            self.postgres.run(f"ROLLBACK PREPARED '{name}'", self.database)

    def close(self):
        try:
            for pair in (*self.pairs, *self.untouched.values()):
                pair.close()
            if self.pgmemo:
                self.pgmemo.stop()
        finally:
            for database in [self.database, *self.more]:
                self.postgres.run(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            for role in self.roles:
                self.postgres.run(f"DROP ROLE {role}")


# --- lists to be ticked off ------------------------------------------------------------------------------------------

HERE = Path(__file__).resolve().parent


@functools.cache
def tests_in(file):
    """{"Class::test" or "test": docstrings} of a file of tests, read without running it."""
    found = {}
    for node in ast.parse(Path(file).read_text()).body:
        within = node.body if isinstance(node, ast.ClassDef) else [node]
        for one in within:
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"):
                name = f"{node.name}::{one.name}" if one is not node else one.name
                outer = ast.get_docstring(node) or "" if one is not node else ""
                found[name] = f"{outer}\n{ast.get_docstring(one) or ''}"
    return found


def check_items(file, items, elsewhere, not_yet):
    """Every item has a test in `file` whose docstring names it, or a test `elsewhere` that exists, or stands in `not_yet`
    with the reason."""
    strangers = (set(elsewhere) | set(not_yet)) - set(items)
    assert not strangers, strangers
    here = " ".join(" ".join(said.split()) for said in tests_in(file).values())
    for item in items:
        is_here = re.search(rf"(?<![\w]){re.escape(item)}(?![\w])", here)
        assert is_here or item in elsewhere or not_yet.get(item), f"nothing tests {item}"
    for item, names in elsewhere.items():
        for name in names if isinstance(names, tuple) else (names,):
            module, test = name.split("::", 1)
            assert test in tests_in(HERE / f"{module}.py"), f"{item}: there is no {name}"


# --- a cable that can be cut -----------------------------------------------------------------------------------------


class Relay:
    """Carries bytes between pgmemo and a real server, and cuts a connection when told to.

    `cut_on(trigger)`: once a connection has carried `trigger` from the client's side, the bytes are still delivered, the
    answer is not: both ends are closed. `after` must have been carried by the same connection before.
    """

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.trigger = None
        self.after = b""
        self.cut = threading.Event()
        self.pairs = []
        self.closed = False
        self.refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_on(self, trigger, after=b""):
        self.after = after
        self.cut.clear()
        self.trigger = trigger

    def refuse(self):
        """No connection lives, until accept()."""
        self.refusing = True
        self.cut_all()

    def accept(self):
        self.refusing = False

    def cut_all(self):
        for pair in list(self.pairs):
            self._close(pair)

    def close(self):
        self.closed = True
        self.listener.close()
        self.cut_all()

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            pair = (client, server)
            for end in pair:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs.append(pair)
            threading.Thread(target=self._carry, args=(pair, client, server, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(pair, server, client, False), daemon=True).start()

    @staticmethod
    def _close(pair):
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _carry(self, pair, source, sink, asks):
        seen = b""
        try:
            while data := source.recv(65536):
                fatal = False
                if asks:
                    seen = (seen + data)[-65536:]
                    fatal = bool(self.trigger) and self.trigger in data and self.after in seen
                if fatal:
                    self.trigger = None
                    # Nothing that the server says from here on comes back; what the client asked for arrives.
                    with contextlib.suppress(OSError):
                        pair[0].shutdown(socket.SHUT_WR)
                    sink.sendall(data)
                    self._close(pair)
                    self.cut.set()
                    return
                sink.sendall(data)
        except OSError:
            pass
        if source is pair[0]:
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
        else:
            self._close(pair)
