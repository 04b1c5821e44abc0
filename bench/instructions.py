"""How many instructions pgmemo runs in user space for one request, counted under callgrind.

Unlike time, the figure does not depend on the machine's load: CI holds it to bench/instructions.json. Each scenario is asked often by
one connection, of a pgmemo with one thread. The walk over the table for what has expired, which goes by time and not by requests, is
taken off.
"""
import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
sys.path.insert(0, str(ROOT / "integration"))

import harness  # noqa: E402  (the tests' own way to start servers)

COMMITTED = BENCH / "instructions.json"
TOLERANCE = 0.10
REQUESTS = 20_000

HIT = "SELECT abalance FROM accounts WHERE aid = $1"
FORWARDED = "SELECT abalance, random() FROM accounts WHERE aid = $1"
# name: (mode, depth, statement)
SCENARIOS = {
    **{f"hit, {mode}{of}": (mode, depth, HIT)
       for mode in ("simple", "extended", "prepared") for depth, of in ((1, ""), (16, ", pipelined by 16"))},
    **{f"forwarded, {mode}": (mode, 1, FORWARDED) for mode in ("simple", "extended", "prepared")},
}
KEYS = 100


class Counted:
    """A pgmemo under callgrind."""

    def __init__(self, postgres, binary):
        home = harness.WORK.fresh("callgrind")
        self.out = home / "callgrind.out"
        wrapper = home / "pgmemo"
        wrapper.write_text(f'#!/bin/sh\nexec valgrind --quiet --tool=callgrind --callgrind-out-file={self.out} {binary} "$@"\n')
        wrapper.chmod(0o755)
        self.pgmemo = harness.Pgmemo(postgres, {"threads": 1, "cache": {"ttl": "1h"}}, binary=wrapper)

    def _control(self, what):
        subprocess.run(["callgrind_control", what, str(self.pgmemo.process.pid)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def counting(self):
        """Counts while the block runs; the list that is yielded has the number afterwards."""
        known = set(self.out.parent.glob("callgrind.out.*"))
        result = []
        self._control("-z")
        yield result
        self._control("-d")

        def dump():
            for new in set(self.out.parent.glob("callgrind.out.*")) - known:
                if re.search(r"^totals: \d", new.read_text(errors="replace"), re.M):
                    return new
            return None

        path = harness.eventually(dump, "callgrind has written its counts")
        table = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", path], check=True,
                               capture_output=True, text=True, errors="replace").stdout
        count = {what: max((int(found.replace(",", "")) for found in re.findall(rf"^ *([\d,]+) .*{what}", table, re.M)), default=0)
                 for what in ("PROGRAM TOTALS", "Server::State::reclaim")}
        result.append(count["PROGRAM TOTALS"] - count["Server::State::reclaim"])


def ask(pgmemo, mode, depth, statement, requests):
    subprocess.run([ROOT / "build" / "load", "--port", str(pgmemo.port), "--database", "bench", "--mode", mode,
                    "--depth", str(depth), "--read", statement, "--keys", str(KEYS), "--distribution", "sequential",
                    "--connections", "1", "--requests", str(requests)], check=True, stdout=subprocess.DEVNULL)


def measure(counted, mode, depth, statement):
    """Instructions a request. Two runs of different length, so that what a connection costs falls out."""
    sums = []
    for requests in (REQUESTS // 2, REQUESTS + REQUESTS // 2):
        with counted.counting() as result:
            ask(counted.pgmemo, mode, depth, statement, requests)
        sums += result
    return (sums[1] - sums[0]) / REQUESTS


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--accept", action="store_true", help=f"write what was counted to {COMMITTED.relative_to(ROOT)}")
    parser.add_argument("--only", default="", help="the scenarios whose names contain this")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("instructions: needs valgrind (./dev bench --instructions installs it)")
    committed = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {}
    scenarios = {name: of for name, of in SCENARIOS.items() if options.only in name}
    got = {}
    try:
        postgres = harness.Postgres()
        postgres.run("CREATE DATABASE bench")
        postgres.run(f"CREATE TABLE accounts AS SELECT n AS aid, 0 AS abalance FROM generate_series(1, {KEYS}) n;"
                     "ALTER TABLE accounts ADD PRIMARY KEY (aid); ANALYZE accounts", "bench")
        counted = Counted(postgres, harness.BINARY)
        session = counted.pgmemo.session("bench")
        counted.pgmemo.warm(session, "SELECT abalance FROM accounts WHERE aid = 1", 120)
        counted.pgmemo.close_sessions()
        for mode, depth, statement in scenarios.values():  # warm, and every page that is touched once
            ask(counted.pgmemo, mode, depth, statement, KEYS * 16)
        print(f"{'instructions per request, user space':42}{'now':>8}{'committed':>11}")
        for name, (mode, depth, statement) in scenarios.items():
            hits = counted.pgmemo.queries("hit")
            got[name] = round(measure(counted, mode, depth, statement))
            expected = 2 * REQUESTS if statement == HIT else 0
            hits = counted.pgmemo.queries("hit") - hits
            if hits < expected * 0.999:
                sys.exit(f"instructions: {name}: only {hits:g} of {expected} were hits")
            print(f"{name:42}{got[name]:>8,}{committed.get(name, 0):>11,}", flush=True)
    finally:
        harness.stop_everything()
    if options.accept:
        COMMITTED.write_text(json.dumps({**committed, **got}, indent=2) + "\n")
        return
    grown = [name for name in got if got[name] > committed.get(name, 0) * (1 + TOLERANCE)]
    if grown:
        sys.exit(f"instructions: more than {TOLERANCE:.0%} above {COMMITTED.relative_to(ROOT)}: {'; '.join(grown)}\n"
                 "If that is meant, write it there: ./dev bench --instructions --accept")


if __name__ == "__main__":
    main()
