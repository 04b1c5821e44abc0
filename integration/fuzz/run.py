"""The differential fuzzer.

A seed makes a schema and a script of interleaved sessions on it; the script runs through pgmemo and directly, and every reply is compared
(driver.py says with what). Each seed is one round on fresh databases. A difference ends the run: the script is shrunk and printed
with its seed.

    cd integration
    python3 -m fuzz.run                              # five minutes, from seed 1 on
    python3 -m fuzz.run --seed 77 --seconds 3600     # an hour, from seed 77 on
    python3 -m fuzz.run --seed 77 --rounds 1         # that seed alone
    python3 -m fuzz.run --seed 77 --rounds 1 --print # its script, without running it
    python3 -m fuzz.run --script FILE                # a script as a failure prints it, or written by hand
    python3 -m fuzz.run --script FILE --shrink 600   # and makes it shorter

Debian's own python3 (/usr/bin/python3) has psycopg2. PGMEMO_BINARY says which pgmemo is tested (default: build/pgmemo).
The same seed and number of steps give the same script; --steps is a part of what a seed means. Exit code 0: no difference; 1: one was found;
3: none, but fewer hits than --least-ratio asks for: the run says little.

The last line of a run counts what was compared, and pgmemo's decisions: hits / (hits + misses) is the share of cacheable reads that was
answered from the cache; bypasses are listed by reason, so that a reason that should be gone shows.

Where things are: values.py (types and spellings), model.py, schema.py (the schema), grammar.py (reads), writes.py, sessions.py (settings
and transactions), ddl.py, workload.py (who does what next), script.py (the text form), replies.py and driver.py (running and comparing),
shrink.py.
"""
import argparse
import collections
import sys
import time

from .driver import Arena
from .script import from_text, to_text
from .shrink import shrink
from .workload import Workload

STEPS = 1000


class Report:
    """What a run of many rounds has come to."""

    def __init__(self):
        self.rounds = 0
        self.difference = None  # as text
        self.counts = collections.Counter()
        self.decisions = collections.Counter()

    @property
    def ratio(self):
        asked = self.decisions["hit"] + self.decisions["miss"]
        return self.decisions["hit"] / asked if asked else 0.0

    def __str__(self):
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        decisions = ", ".join(f"{name} {count:.0f}" for name, count in self.decisions.most_common())
        return f"{self.rounds} rounds: {counts}\n{decisions}\nhits / (hits + misses): {self.ratio:.3f}"


def count(report, arena):
    report.counts = +arena.counts
    for (name, labels), value in arena.pgmemo.metrics().items():
        labels = dict(labels)
        if name == "pgmemo_queries_total":
            decision = labels["decision"]
            report.decisions[f"bypass/{labels['reason']}" if decision == "bypass" else decision] += value


def failing(arena, attempts=1):
    """Whether a script still shows a difference."""
    return lambda steps: any(arena.run(steps) for _ in range(attempts))


def describe(arena, seed, steps, difference, shrink_seconds):
    """The difference, and the shortest script that shows one."""
    text = f"seed {seed}, {difference}"
    shown = steps[:difference.at + 1]
    if shrink_seconds:
        shown = shrink(shown, failing(arena), shrink_seconds)
        last = arena.run(shown)
        text += f"\nshrunk to {len(shown)} steps" + (f", {last}" if last else ", which failed once and not again")
    return f"{text}\nscript, for python3 -m fuzz.run --script FILE:\n\n{to_text(shown)}"


def fuzz(seed, seconds=None, steps=STEPS, rounds=None, shrink_seconds=120, binary=None, log=print):
    """Runs successive seeds until time is up, so many are done, or one shows a difference; its Report."""
    arena = Arena(binary)
    report = Report()
    end = time.monotonic() + (seconds or 10**9)
    try:
        while time.monotonic() < end and report.rounds != rounds:
            script = Workload(seed).script(steps)
            difference = arena.run(script)
            report.rounds += 1
            if difference:
                count(report, arena)
                report.difference = describe(arena, seed, script, difference, shrink_seconds)
                return report
            if report.rounds % 10 == 0:
                log(f"seed {seed}, {arena.counts['steps']} steps")
            seed += 1
        count(report, arena)
    finally:
        arena.stop()
    return report


def replay(file, shrink_seconds):
    steps = from_text(open(file).read())
    arena = Arena()
    try:
        difference = arena.run(steps)
        if difference:
            return describe(arena, "of the file", steps, difference, shrink_seconds)
    finally:
        arena.stop()
    return None


def main(words=None):
    parser = argparse.ArgumentParser(description="the differential fuzzer", epilog="see the module's docstring")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--steps", type=int, default=STEPS, help="of each round, without those that make the schema")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--shrink", type=float, default=120, metavar="SECONDS", help="0: do not")
    parser.add_argument("--least-ratio", type=float, default=0.0)
    parser.add_argument("--print", action="store_true", help="the script of the seed")
    parser.add_argument("--script", metavar="FILE")
    given = parser.parse_args(words)
    if given.print:
        print(to_text(Workload(given.seed).script(given.steps)), end="")
        return 0
    if given.script:
        difference = replay(given.script, given.shrink)
        print(difference or "no difference")
        return 1 if difference else 0
    seconds = given.seconds or (None if given.rounds else 300)
    report = fuzz(given.seed, seconds, given.steps, given.rounds, given.shrink)
    print(report.difference or "no difference")
    print(report)
    return 1 if report.difference else 3 if report.ratio < given.least_ratio else 0


if __name__ == "__main__":
    sys.exit(main())
