"""Every driver plays drivers/README.md's scenario directly and through pgmemo: it must see the same, and what it reads
again must hit."""
import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import harness

HERE = Path(__file__).resolve().parent / "drivers"
ROUNDS = 5
_names = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Driver:
    name: str
    command: tuple
    folder: Path = HERE
    misses: int = 0  # of the reads in rounds 2 to 5, how many do not hit

    def __str__(self):
        return self.name


DRIVERS = [
    Driver("psycopg2", (sys.executable, "use_psycopg2.py")),
    Driver("psycopg", (sys.executable, "use_psycopg.py"), misses=13),  # its pipelines: a group behind one that is not answered yet
    Driver("asyncpg", (sys.executable, "use_asyncpg.py")),
    Driver("node-postgres", ("node", "use_pg.js"), HERE / "node"),
    Driver("postgres.js", ("node", "use_postgres.js"), HERE / "node"),
    Driver("jdbc", ("java", "UseJdbc"), misses=3),  # once it prepares by name it asks anew, in binary
    Driver("jdbc-simple", ("java", "UseJdbc", "simple")),
    Driver("libpq-pipeline", (str(harness.BINARY.parent / "use_libpq"),)),
    Driver("perl-dbi", ("perl", "use_dbi.pl"), misses=2),  # once it prepares by name it asks anew
    Driver("php-pdo", ("php", "use_pdo.php")),
    Driver("php-pdo-emulated", ("php", "use_pdo.php", "emulated")),
    Driver("ruby-pg", ("ruby", "use_ruby.rb")),
]


@pytest.fixture(scope="module")
def java():
    """The compiled script's folder, with the driver beside it in the class path."""
    if not shutil.which("javac"):
        return None
    home = harness.WORK.fresh("java")
    jar = "/usr/share/java/postgresql.jar"
    subprocess.run(["javac", "-cp", jar, "-d", home, HERE / "UseJdbc.java"], check=True)
    # Short runs: the time goes into starting, which these make shorter.
    return ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", f"{home}:{jar}")


class Play:
    """A script at work. Its lines are collected; where it waits, `at(what)` runs and may judge."""

    def __init__(self, driver, java, port, database, at):
        program, *words = driver.command
        begin = [*java, words.pop(0)] if program == "java" else [program, *([words.pop(0)] if words else [])]
        # Nothing of the developer's own surroundings: PGOPTIONS, ~/.psqlrc, a time zone.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        environment.update(TZ="UTC", LC_ALL="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")
        if harness.SANITIZER:
            environment.update(harness.sanitizer_environment())
        process = subprocess.Popen(["setpriv", "--pdeathsig=KILL", *map(str, begin), "127.0.0.1", str(port), database, *words],
                                   cwd=driver.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment)
        errors = []
        drain = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
        drain.start()
        self.lines = []
        try:
            for line in process.stdout:
                said = json.loads(line)
                self.lines.append(line.rstrip("\n"))
                if isinstance(said, dict):
                    at(said)
                    process.stdin.write("on\n")
                    process.stdin.flush()
            code = process.wait(harness.DEADLINE)
            drain.join()
            assert code == 0, f"{driver} ended with {code} after {self.lines[-1:]}\n{''.join(errors)[-4000:]}"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def template(postgres):
    name = "drivers_template"
    postgres.run(f"CREATE DATABASE {name}")
    postgres.run((HERE / "schema.sql").read_text(), name)
    yield name
    postgres.run(f"DROP DATABASE {name}")


@pytest.fixture(scope="module")
def stage(postgres, template):
    """For every driver a database of its own, twice, and pgmemo in front of one: (database, judge's database, pgmemo)."""
    @contextlib.contextmanager
    def made(name):
        both = [f"{name}_{next(_names)}" for _ in range(2)]
        for one in both:
            postgres.run(f'CREATE DATABASE "{one}" TEMPLATE {template}')
        pgmemo = None
        try:
            pgmemo = harness.Pgmemo(postgres.uri(both[0]))
            # The first read of the catalog has no driver to blame.
            warm = pgmemo.session(both[0])
            pgmemo.warm(warm, "SELECT count(*) FROM kinds")
            warm.close()
            yield both[0], both[1], pgmemo
            pgmemo.stop()
        finally:
            if pgmemo:
                pgmemo.kill()
            for one in both:
                postgres.run(f'DROP DATABASE "{one}" WITH (FORCE)')

    return made


def sleeps(postgres, database):
    """Waits until somebody in that database is asleep, so that there is something to cancel."""
    asleep = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND wait_event = 'PgSleep'"
    harness.eventually(lambda: postgres.run(asleep)[0][0], "pg_sleep runs")


def decisions(pgmemo):
    found = {}
    for (_, labels), value in pgmemo.decisions().items():
        labels = dict(labels)
        found[labels["decision"], labels.get("reason", "")] = value
    return found


@pytest.mark.parametrize("driver", DRIVERS, ids=str)
def test_a_driver_sees_what_it_would_see_without_and_hits(postgres, stage, java, driver):
    if driver.command[0] == "java" and java is None:
        pytest.skip("no JDK")
    if driver.folder.name == "node" and not (driver.folder / "node_modules" / "pg").exists():
        pytest.skip("drivers/node is not installed: ./dev test does that")
    with stage(driver.name.replace("-", "_").replace(".", "_")) as (database, twin, pgmemo):
        def at_direct(said):
            if said.get("part") == "cancel":
                sleeps(postgres, twin)

        before = {}
        rounds = []

        def at_pgmemo(said):
            if said.get("part") == "cancel":
                sleeps(postgres, database)
            if "round" in said:
                now = decisions(pgmemo)
                moved = {key: value - before.get(key, 0) for key, value in now.items() if value != before.get(key, 0)}
                rounds.append((said["reads"], moved))
                before.clear()
                before.update(now)

        before.update(decisions(pgmemo))
        through = Play(driver, java, pgmemo.port, database, at_pgmemo).lines
        direct = Play(driver, java, postgres.port, twin, at_direct).lines
        for expected, got in zip(direct, through):
            assert got == expected, f"through pgmemo:\n{got}\ndirectly:\n{expected}"
        assert len(through) == len(direct)
        assert len(rounds) == ROUNDS
        repeated = sum(reads for reads, _ in rounds[1:])
        hits = sum(moved.get(("hit", ""), 0) for _, moved in rounds[1:])
        print(f"{driver}: {hits:g} of {repeated} hit; rounds: {[moved for _, moved in rounds]}")
        assert repeated > 0
        # A change of the catalog by somebody else (the poll finds it) may cost a round some hits; never all of them.
        assert hits >= 0.9 * (repeated - driver.misses), f"{hits:g} of {repeated} reads hit: {rounds}"
