"""Readers and writers at once, every operation with its interval of real time: no read may be older than it must."""
import subprocess
import time


import harness
from harness import Pgmemo

RECENCY = harness.BINARY.parent / "recency"
UNFENCED = harness.BINARY.parent / "pgmemo_unfenced"


def recency(pgmemo, database, seconds, seed):
    conninfo = f"host=127.0.0.1 port={pgmemo.port} dbname={database} user=postgres sslmode=disable gssencmode=disable"
    done = subprocess.run([str(RECENCY), conninfo, "--seconds", str(seconds), "--readers", "5", "--writers", "3", "--seed",
                           str(seed)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + 100)
    print(done.stdout)
    assert done.returncode in (0, 1), done.stdout
    return done


def test_no_read_is_older_than_the_last_acknowledged_write(pgmemo, database):
    done = recency(pgmemo, database, 8, 1)
    assert done.returncode == 0, done.stdout
    metrics = pgmemo.metrics()
    assert metrics.sum("pgmemo_queries_total", decision="hit") > 100
    assert metrics.sum("pgmemo_fills_total", outcome="moved") > 0, "fills did race with writes"


def test_without_the_fence_it_is_found_out(postgres, database):
    """The same with a build whose version words do not move: the checker has teeth."""
    unfenced = Pgmemo(postgres.uri(database), binary=UNFENCED)
    try:
        end = time.monotonic() + 20 * (3 if harness.SANITIZER else 1)
        for seed in range(1, 1000):
            done = recency(unfenced, database, 2, seed)
            if done.returncode == 1:
                assert "violation: " in done.stdout
                return
            assert time.monotonic() < end, f"nothing found: {done.stdout}"
    finally:
        unfenced.stop()


def test_postgres_itself_is_clean(postgres, database):
    """What the checker demands, PostgreSQL keeps."""
    class Direct:
        port = postgres.port

    assert recency(Direct, database, 2, 7).returncode == 0


def test_wrong_usage_of_the_checker_is_told():
    for words in ([], ["--seconds", "1"], ["host=127.0.0.1", "--no-such", "1"], ["host=127.0.0.1 port=1"]):
        done = subprocess.run([str(RECENCY), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 2
