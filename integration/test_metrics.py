"""The endpoint: what is counted, and what it says of itself."""
import re

import harness
from harness import eventually

PRICE = "SELECT price FROM items WHERE id = 1"


def test_each_decision_is_counted_once(pgmemo, client):
    pgmemo.warm(client, PRICE)
    before = pgmemo.metrics()
    for _ in range(10):
        client.run(PRICE)
    client.run("SELECT price FROM items WHERE id = 2")
    client.run("SELECT random() FROM items")
    client.run("UPDATE items SET price = 1 WHERE id = 1")
    expected = {("hit", ""): 10, ("miss", ""): 1, ("bypass", "volatile_function"): 1, ("bypass", "write"): 1}

    def moved():
        now = pgmemo.metrics()
        change = {}
        for (name, labels), value in now.items():
            if name == "pgmemo_queries_total" and value != before.get((name, labels), 0):
                labels_now = dict(labels)
                reason = labels_now.get("reason", "") if labels_now["decision"] == "bypass" else ""
                change[labels_now["decision"], reason] = value - before.get((name, labels), 0)
        return change

    eventually(lambda: moved() == expected, lambda: f"the counters say {moved()}")


def test_fills_and_invalidations_are_counted(pgmemo, client):
    pgmemo.warm(client, PRICE)
    before = pgmemo.metrics()
    client.run("UPDATE items SET price = 2 WHERE id = 1")
    client.run(PRICE)
    client.run("DO $$ BEGIN EXECUTE 'SELECT 1'; END $$")
    after = pgmemo.metrics()
    for name, labels in (("pgmemo_fills_total", {"outcome": "stored"}), ("pgmemo_invalidations_total", {"scope": "relation"}),
                         ("pgmemo_invalidations_total", {"scope": "database"})):
        assert after.sum(name, **labels) > before.sum(name, **labels), (name, labels)


def test_entries_and_bytes_follow_the_cache(pgmemo, client):
    pgmemo.warm(client, PRICE)
    metrics = pgmemo.metrics()
    assert metrics.sum("pgmemo_cache_entries") >= 1
    assert metrics.sum("pgmemo_cache_bytes") > 0
    client.run("TRUNCATE items")
    eventually(lambda: pgmemo.metrics().sum("pgmemo_cache_entries") == 0, "what is dead is reclaimed")


def test_connections_are_counted(pgmemo, client, other):
    metrics = pgmemo.metrics()
    assert metrics.sum("pgmemo_clients") == 2
    assert metrics.sum("pgmemo_upstream_connections") >= 2
    other.close()
    eventually(lambda: pgmemo.metrics().sum("pgmemo_clients") == 1, "one has left")


def test_latencies_are_a_histogram(pgmemo, client):
    pgmemo.warm(client, PRICE)
    for _ in range(5):
        client.run(PRICE)
    metrics = pgmemo.metrics()
    name = "pgmemo_query_duration_seconds"
    for decision in ("hit", "miss"):
        buckets = [(dict(labels), value) for (sample, labels), value in metrics.items()
                   if sample == name + "_bucket" and dict(labels)["decision"] == decision]
        buckets.sort(key=lambda one: float(one[0]["le"].replace("+Inf", "inf")))
        counts = [value for _, value in buckets]
        assert counts == sorted(counts) and buckets[-1][0]["le"] == "+Inf"
        assert counts[-1] == metrics.sum(name + "_count", decision=decision) > 0
        assert metrics.sum(name + "_sum", decision=decision) > 0


def test_the_format_is_prometheus(pgmemo, client):
    status, body = pgmemo.page("/metrics")
    assert status == 200
    names = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram|summary)$", body, re.MULTILINE))
    helped = set(re.findall(r"^# HELP (\S+) \S", body, re.MULTILINE))
    for (sample, _) in pgmemo.metrics():
        base = re.sub(r"_(bucket|sum|count)$", "", sample)
        assert sample in names | helped or base in names & helped, sample
        assert sample.startswith(("pgmemo_", "process_"))
    assert names == helped


def test_health_and_readiness(pgmemo, client):
    assert pgmemo.page("/healthz")[0] == 200
    assert pgmemo.page("/readyz")[0] == 200
    assert pgmemo.page("/no/such/page")[0] == 404


def test_the_dashboard_is_one_page_of_its_own(pgmemo, client):
    status, body = pgmemo.page("/")
    assert status == 200 and "<html" in body.lower() and "pgmemo" in body
    assert not re.search(r"""(src|href)=["']?https?://""", body), "it loads nothing from elsewhere"


def test_a_bound_of_memory_is_kept(postgres, database, direct):
    bound = 4 << 20
    pgmemo = harness.Pgmemo(postgres.uri(database), config={"cache": {"memory": "4MiB"}})
    try:
        session = pgmemo.session(database)
        pgmemo.warm(session, PRICE)
        for n in range(2000 // harness.SLOWNESS):
            session.run(f"SELECT {n}, repeat(name, 2000) FROM items")
            if n % 100 == 0:
                assert pgmemo.metrics().sum("pgmemo_cache_bytes") <= bound
        metrics = pgmemo.metrics()
        assert 0 < metrics.sum("pgmemo_cache_bytes") <= bound
        assert metrics.sum("pgmemo_cache_evictions_total") > 0
    finally:
        pgmemo.stop()
