"""./dev bench: pgmemo beside what people use instead, and beside the least that is possible.

The contestants take turns in short rounds, so that what the machine does besides hits all of them alike; what is reported are medians
of ratios, round by round, with their least and most. Everything runs on this machine: the load generator takes its share of it.
"""
import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

import plot
from contestants import DATABASE, ROOT, Field, harness

RESULTS = ROOT / "bench" / "results"
ACCOUNTS = 10_000
POINT = "SELECT abalance FROM accounts WHERE aid = $1"
PASS = "SELECT abalance, random() FROM accounts WHERE aid = $1"
UPDATE = "UPDATE accounts SET abalance = abalance + 1 WHERE aid = $1"

SCHEMA = f"""
    CREATE TABLE accounts (aid int PRIMARY KEY, bid int NOT NULL, abalance int NOT NULL, filler char(84));
    INSERT INTO accounts SELECT n, n % 10, 0, '' FROM generate_series(1, {ACCOUNTS}) n;
    CREATE TABLE large (id int PRIMARY KEY, content text NOT NULL);
    ALTER TABLE large ALTER content SET STORAGE EXTERNAL;
    INSERT INTO large SELECT n, repeat('x', 1000000) FROM generate_series(1, 8) n;
    ANALYZE accounts, large"""

ALL = ("null responder", "pgmemo", "postgres", "pgbouncer", "pgpool")


class Scenario:
    """One question in one way. `against`: those that take part; `load`: words for the load generator; `beside`: for a second one, which
    asks meanwhile and is not measured."""

    def __init__(self, name, load, against=ALL, warm=True, null=(1, 1), connections=8, beside=None):
        self.name = name
        self.load = ["--connections", str(connections), *load]
        self.against = against
        self.warm = warm
        self.null = null
        self.beside = beside


def reads(sql, mode, keys=ACCOUNTS):
    return ["--mode", mode, "--read", sql, "--keys", str(keys)]


def scenarios():
    yield from (Scenario(f"point SELECT, hit, {mode}", reads(POINT, mode)) for mode in ("simple", "extended", "prepared"))
    yield Scenario("point SELECT, hit, prepared, pipelined by 16", [*reads(POINT, "prepared"), "--depth", "16"],
                   against=("null responder", "pgmemo", "postgres", "pgbouncer"))
    yield from (Scenario(f"forwarded, {mode}", reads(PASS, mode), against=("pgmemo", "postgres", "pgbouncer", "pgpool"), warm=False)
                for mode in ("simple", "extended", "prepared"))
    for rows in (100, 10_000):
        yield Scenario(f"{rows:,} rows, hit, prepared",
                       reads(f"SELECT abalance FROM accounts WHERE aid > $1 ORDER BY aid LIMIT {rows}".replace("$1", "0"), "prepared", 1),
                       null=(rows, 1))
    yield Scenario("a value of 1 MB, hit, prepared", reads("SELECT content FROM large WHERE id = $1", "prepared", 8), null=(1, 1_000_000))
    yield Scenario("an aggregate over 10,000 rows, hit, prepared",
                   reads("SELECT bid, sum(abalance) FROM accounts GROUP BY bid ORDER BY bid", "prepared", 1), null=(10, 2))
    for share in (1, 10):
        yield Scenario(f"{100 - share} % reads, {share} % writes by key, prepared",
                       [*reads(POINT, "prepared"), "--write", UPDATE, "--writes", str(share / 100)],
                       against=("pgmemo", "postgres", "pgbouncer", "pgpool"))
    yield Scenario("point SELECT, hit, prepared, of half the rows", reads(POINT, "prepared", ACCOUNTS // 2), against=("pgmemo", "postgres"))
    yield Scenario("point SELECT, hit, prepared, of half the rows, beside a writer of the others", reads(POINT, "prepared", ACCOUNTS // 2),
                   against=("pgmemo", "postgres"),
                   beside=["--connections", "1", "--mode", "prepared", "--write", UPDATE, "--writes", "1", "--keys", str(ACCOUNTS // 2),
                           "--first", str(ACCOUNTS // 2 + 1)])
    for count in (1, 64, 512):
        yield Scenario(f"point SELECT, hit, prepared, {count} connections", reads(POINT, "prepared"), connections=count,
                       against=ALL if count < 64 else ALL[:4])
    yield Scenario("point SELECT, hit, prepared, 8 connections busy of 5,000", [*reads(POINT, "prepared"), "--idle", "4992"],
                   against=("null responder", "pgmemo"))
    yield Scenario("a connection for each query, simple", [*reads(POINT, "simple"), "--churn"],
                   against=("pgmemo", "postgres", "pgbouncer", "pgpool"), connections=4)


QUICK = ("point SELECT, hit, simple", "point SELECT, hit, prepared", "forwarded, simple", "forwarded, prepared")


def load(contestant, *words):
    return [ROOT / "build" / "load", "--port", str(contestant.port), "--database", DATABASE, *map(str, words)]


@contextlib.contextmanager
def meanwhile(contestant, words):
    """A second load generator asks all the while."""
    if not words:
        yield
        return
    process = subprocess.Popen(load(contestant, "--seconds", 3600, *words), stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def one_round(contestant, scenario, options, warmup=0.2):
    """What the load generator says, and what the servers used between its lines "begin" and "end"."""
    with meanwhile(contestant, scenario.beside):
        process = subprocess.Popen(load(contestant, "--threads", options.load_threads, "--warmup", warmup, "--seconds", options.seconds,
                                        "--linger", 0.3,  # so that the backends are still there to be asked what they have used
                                        *scenario.load), stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "begin\n":
            sys.exit(f"bench: the load generator has failed against {contestant.name}")
        before = contestant.usage()
        process.stdout.readline()
        after = contestant.usage()
        result = json.loads(process.stdout.read())
    if process.wait() != 0:
        sys.exit(f"bench: {contestant.name} has answered {result['errors']} times with an error")
    result["used"] = {program: after[program].since(before[program]) for program in before}
    return result


def syscalls(contestant, words, seconds=1.0):
    """System calls of the program itself for a request, counted by strace; None where that is not to be had."""
    if not shutil.which("strace"):
        return None
    pids = contestant.own_pids()
    log = harness.WORK.fresh("strace") / "counts"
    tracer = subprocess.Popen(["strace", "-c", "-f", "-o", str(log), *(word for pid in pids for word in ("-p", str(pid)))],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.5)
    if tracer.poll() is not None:
        return None
    # All that is asked counts, the warm-up too: so there is none. The login is spread over many requests.
    words = [word for word in words if word != "--churn"]
    connections = int(words[words.index("--connections") + 1])
    if connections > 64 or "--idle" in words:
        tracer.terminate()
        tracer.wait()
        return None
    requests = max(16, int(4000 * seconds / connections) // 16 * 16)
    subprocess.run(load(contestant, "--requests", requests, *words), stdout=subprocess.DEVNULL, check=True)
    tracer.terminate()
    tracer.wait()
    total = re.search(r"^\s*100[.,]00\s+\S+\s+\S+\s+(\d+)", log.read_text(), re.M)
    return int(total[1]) / (requests * connections) if total else None


def warm_up(contestant, scenario, times):
    """Every key is asked for, so that what can hit will."""
    words = [word for word in scenario.load if word != "--churn"]
    keys = int(words[words.index("--keys") + 1])
    for word in ("--connections", "--idle", "--depth", "--write", "--writes"):
        if word in words:
            at = words.index(word)
            del words[at:at + 2]
    for _ in range(times):
        subprocess.run(load(contestant, "--connections", 1, "--requests", keys, "--distribution", "sequential", *words),
                       stdout=subprocess.DEVNULL, check=True)


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)} if values else None


def per_query_us(rounds, programs=None):
    """Microseconds of CPU a request, round by round, of all programs of the server side or of some."""
    return [sum(used["cpu_seconds"] for program, used in one["used"].items() if programs is None or program in programs) * 1e6
            / max(one["requests"], 1) for one in rounds]


def summary(name, rounds, others):
    first = rounds[0]
    cpu = per_query_us(rounds)
    result = {
        "per_second": spread([one["per_second"] for one in rounds]),
        "latency_us": {key: statistics.median(one["latency_us"][key] for one in rounds) for key in first["latency_us"]},
        "cpu_us_per_query": spread(cpu),
        "cpu_seconds_per_100000": {program: statistics.median(one["used"][program]["cpu_seconds"] * 1e5 / max(one["requests"], 1)
                                                              for one in rounds) for program in first["used"]},
        "switches_per_query": {program: statistics.median(one["used"][program]["switches"] / max(one["requests"], 1)
                                                          for one in rounds) for program in first["used"]},
        "load_cpu_us_per_query": statistics.median(one["cpu_seconds"] * 1e6 / max(one["requests"], 1) for one in rounds),
    }
    for other, theirs in others.items():
        if other == name:
            continue
        their_cpu = per_query_us(theirs)
        result.setdefault("against", {})[other] = {
            "throughput": spread([mine["per_second"] / one["per_second"] for mine, one in zip(rounds, theirs)]),
            "cpu": spread([mine / one for mine, one in zip(cpu, their_cpu) if one > 0]),
        }
    return result


def run_scenario(field, scenario, options):
    chosen = {}
    for name in scenario.against:
        key = name
        if name == "null responder" and scenario.null != (1, 1):
            key = f"null responder {scenario.null}"
            if key not in field.contestants:
                field.add_null_responder(*scenario.null, name=key)
        if key in field.contestants:
            chosen[name] = field.contestants[key]
    for name, contestant in chosen.items():
        if scenario.warm and name in ("pgmemo", "pgpool"):
            warm_up(contestant, scenario, 1 if options.quick else 2)
    rounds = {name: [] for name in chosen}
    hits = 0.0
    for number in range(options.rounds):
        order = list(chosen)
        for name in order[number % len(order):] + order[:number % len(order)]:
            note(f"  {scenario.name}: round {number + 1} of {options.rounds}, {name}")
            before = field.contestants["pgmemo"].pgmemo.queries() if name == "pgmemo" else 0
            before_hits = field.contestants["pgmemo"].pgmemo.queries("hit") if name == "pgmemo" else 0
            rounds[name].append(one_round(chosen[name], scenario, options))
            if name == "pgmemo":
                asked = field.contestants["pgmemo"].pgmemo.queries() - before
                hits = (field.contestants["pgmemo"].pgmemo.queries("hit") - before_hits) / max(asked, 1)
    result = {"hit_ratio": hits, "contestants": {}}
    for name in chosen:
        result["contestants"][name] = summary(name, rounds[name], rounds)
        is_counted = not options.no_strace and (not options.quick or name in ("null responder", "pgmemo"))
        result["contestants"][name]["syscalls_per_query"] = syscalls(chosen[name], scenario.load) if is_counted else None
    return result


def note(text):
    if sys.stderr.isatty():
        print(f"\r{text:100}", end="", file=sys.stderr, flush=True)


def say(scenario, result):
    print(f"\n{scenario.name}  (hit ratio {result['hit_ratio']:.3f})")
    print(f"  {'':16}{'a second':>10}{'x pgmemo':>10}{'p50 us':>9}{'p99 us':>9}{'CPU us':>8}{'switches':>10}{'syscalls':>10}")
    for name, one in result["contestants"].items():
        ratio = one.get("against", {}).get("pgmemo", {}).get("throughput", {}).get("median", 1.0)
        calls = one["syscalls_per_query"]
        print(f"  {name:16}{one['per_second']['median']:>10,.0f}{ratio:>10.2f}{one['latency_us']['p50']:>9,.0f}"
              f"{one['latency_us']['p99']:>9,.0f}{one['cpu_us_per_query']['median']:>8.2f}"
              f"{sum(one['switches_per_query'].values()):>10.2f}{'' if calls is None else f'{calls:.2f}':>10}", flush=True)


def markdown(results):
    lines = ["# Benchmark", "", f"{results['date']}, {results['machine']}, {results['version']}. {results['rounds']} rounds of "
             f"{results['seconds']:g} s each, in turn. Medians; ratios are medians of the rounds' ratios (least … most).", ""]
    for name, result in results["scenarios"].items():
        lines += [f"## {name}", "", f"pgmemo's hit ratio: {result['hit_ratio']:.4f}", "",
                  "| | a second | against pgmemo | p50 µs | p99 µs | p99.9 µs | CPU µs a query | of which | switches | system calls |",
                  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
        for contestant, one in result["contestants"].items():
            against = one.get("against", {}).get("pgmemo", {}).get("throughput")
            calls = one["syscalls_per_query"]
            ratio = f"{against['median']:.2f} ({against['least']:.2f} … {against['most']:.2f})" if against else ""
            parts = ", ".join(f"{program} {seconds * 10:.2f}" for program, seconds in one["cpu_seconds_per_100000"].items())
            lines.append(f"| {contestant} | {one['per_second']['median']:,.0f} | {ratio} | {one['latency_us']['p50']:,.0f} | "
                         f"{one['latency_us']['p99']:,.0f} | {one['latency_us']['p99.9']:,.0f} | {one['cpu_us_per_query']['median']:.2f} | "
                         f"{parts} | {sum(one['switches_per_query'].values()):.2f} | {'' if calls is None else f'{calls:.2f}'} |")
        lines.append("")
    lines += ["Memory at most: " + ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in results["peak_bytes"].items()), ""]
    return "\n".join(lines)


def version():
    return subprocess.check_output([ROOT / "build" / "pgmemo", "--version"], text=True).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="four scenarios, in under two minutes")
    parser.add_argument("--rounds", type=int, help="of each contestant in each scenario")
    parser.add_argument("--seconds", type=float, help="of a round")
    parser.add_argument("--only", default="", help="the scenarios whose names contain this")
    parser.add_argument("--without", action="append", default=[], choices=["pgbouncer", "pgpool", "null responder"])
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="of the servers")
    parser.add_argument("--load-threads", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="of the load generator")
    parser.add_argument("--no-strace", action="store_true", help="system calls are not counted")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 9)
    options.seconds = options.seconds or (0.6 if options.quick else 2)
    wanted = [one for one in scenarios() if options.only in one.name and (not options.quick or one.name in QUICK)]
    if not wanted:
        sys.exit(f"bench: no scenario has '{options.only}' in its name")
    results = {"date": time.strftime("%Y-%m-%d %H:%M"), "machine": f"{platform.machine()}, {os.cpu_count()} cores", "version": version(),
               "rounds": options.rounds, "seconds": options.seconds, "scenarios": {}}
    many = any("5,000" in one.name or "512" in one.name for one in wanted)
    field = Field(options.threads, {"max_connections": 5300 if many else 200})
    try:
        field.postgres.run(SCHEMA, DATABASE)
        if "null responder" not in options.without:
            field.add_null_responder()
        field.add_pgmemo(cache={"memory": "1GB", "ttl": "1h"})
        field.add_postgres()
        if "pgbouncer" not in options.without:
            field.add_pgbouncer()
        if "pgpool" not in options.without:
            field.add_pgpool()
        for scenario in wanted:
            results["scenarios"][scenario.name] = run_scenario(field, scenario, options)
            note("")
            say(scenario, results["scenarios"][scenario.name])
        results["peak_bytes"] = {name: sum(size for program, size in one.peak_bytes().items() if program != "postgres")
                                 for name, one in field.contestants.items() if name in ("pgmemo", "pgbouncer", "pgpool")}
    finally:
        field.stop()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(json.dumps(results, indent=1) + "\n")
    (RESULTS / "latest.md").write_text(markdown(results))
    for plotted in plot.all_of(results):
        (RESULTS / plotted.name).write_text(plotted.svg)
    print(f"\nwritten: {RESULTS.relative_to(ROOT)}/latest.json, latest.md and plots")


if __name__ == "__main__":
    main()
