"""What a look at a leaderboard costs, in PostgreSQL and from the cache, and that it is never an old one. Run by
`./dev example leaderboard`; exits 1 if anything is not as promised."""
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "integration"))

import harness  # noqa: E402: it is found by the path above

RANKING = (HERE / "ranking.sql").read_text()
LOOKS = 200


def say(text):
    print(text, flush=True)


def cost(session, looks):
    """Median seconds of so many looks."""
    taken = []
    for _ in range(looks):
        began = time.perf_counter()
        session.run(RANKING)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main():
    postgres = harness.Postgres()
    postgres.run((HERE / "schema.sql").read_text())
    pgmemo = harness.Pgmemo(postgres)
    try:
        play(pgmemo, harness.Session(postgres.connect()), pgmemo.session(), pgmemo.session())
    finally:
        pgmemo.stop()
        postgres.stop()


def play(pgmemo, direct, player, watcher):
    say(f"the leaderboard, directly from PostgreSQL: {cost(direct, 10) * 1e3:.1f} ms a look")
    pgmemo.warm(watcher, RANKING)
    say(f"through pgmemo, between two scores:        {cost(watcher, LOOKS) * 1e3:.3f} ms a look")
    for turn in range(5):
        leader = watcher.run(RANKING)[0]
        second = watcher.run(RANKING)[1]
        gap = leader[2] - second[2] + 1
        player.run("INSERT INTO scores (player, points) SELECT id, %d FROM players WHERE name = '%s'" % (gap, second[1]))
        now = watcher.run(RANKING)
        assert now[0][1] == second[1], "the next look after a score is never an old one"
        assert now == direct.run(RANKING)
        say(f"{second[1]} scores {gap} and leads; the next look says so, and from then on it is a hit again")
        assert pgmemo.warm(watcher, RANKING) == now
    say("done")


if __name__ == "__main__":
    main()
