"""Clients that send faster than they read, or read slower than the cache answers: nothing deadlocks, nothing grows."""
import os
import threading

import pytest

import harness
import wire

# How many megabytes a client sends before it reads: 100 is what is promised, less is enough for every day.
MEGABYTES = int(os.environ.get("PGMEMO_TEST_MEGABYTES", "32")) // (4 if harness.SANITIZER else 1)
ROOM = (64 << 20) * (4 if harness.SANITIZER else 1)


def push(client, data, times):
    """Sends in a thread of its own; the caller reads, or does not."""
    def run():
        try:
            for _ in range(times):
                client.send(data)
        except OSError as error:
            failures.append(error)

    failures = []
    client.socket.settimeout(None)
    thread = threading.Thread(target=run, daemon=True)
    thread.failures = failures
    thread.start()
    return thread


@pytest.mark.parametrize("kind", ["extended", "simple_hits", "simple_misses"])
def test_a_pipeline_of_many_megabytes_is_answered_however_slowly_it_is_read(pgmemo, client, database, direct, kind):
    raw = pgmemo.wire(database, receive_buffer=8192)
    padding = "x" * 4000
    if kind == "extended":
        one = wire.extended(f"SELECT id, '{padding}' FROM items")
    elif kind == "simple_hits":
        sql = f"SELECT id, '{padding}' FROM items"
        pgmemo.warm(raw, sql)
        one = wire.query(sql)
    else:
        one = wire.query(f"SELECT id, '{padding}', random() FROM items")
    times = (MEGABYTES << 20) // len(one) // 4
    before = pgmemo.rss_bytes()
    sender = push(raw, one, times)
    # Nobody reads, so all buffers fill up, and then nothing moves: the sender is held back by the kernel.
    highest = 0
    still = [0.0, 0]

    def stalled():
        nonlocal highest
        highest = max(highest, pgmemo.rss_bytes())
        moved = pgmemo.metrics().sum("pgmemo_client_bytes_total") + pgmemo.queries()
        still[1] = still[1] + 1 if moved == still[0] else 0
        still[0] = moved
        return still[1] >= 10 or not sender.is_alive()

    harness.eventually(stalled, "the flow comes to rest", 60)
    assert highest - before < ROOM, f"{(highest - before) >> 20} MB grown while nobody reads"
    # Others are served meanwhile.
    assert client.one("SELECT count(*) FROM items") == 5
    answered = 0
    while answered < times:
        got = raw.until("Z")
        assert [row.columns()[0] for row in got if row.kind == "D"] == ["1", "2", "3", "4", "5"]
        answered += 1
        if answered % 1000 == 0:
            highest = max(highest, pgmemo.rss_bytes())
    sender.join(harness.DEADLINE)
    assert not sender.is_alive() and not sender.failures
    assert highest - before < ROOM


def test_a_large_result_read_slowly_is_not_gathered(pgmemo, client, database):
    raw = pgmemo.wire(database, receive_buffer=8192)
    before = pgmemo.rss_bytes()
    rows = MEGABYTES * 1000
    raw.send(wire.query(f"SELECT repeat('x', 1000) FROM generate_series(1, {rows})"))
    count = 0
    highest = 0
    while (got := raw.read()).kind != "Z":
        count += got.kind == "D"
        if count % 5000 == 1:
            highest = max(highest, pgmemo.rss_bytes())
            assert client.one("SELECT 1") == 1
    assert count == rows
    assert highest - before < ROOM


def test_copy_of_many_megabytes_into_a_waiting_server_is_held_back(pgmemo, client, database, direct):
    raw = pgmemo.wire(database)
    raw.send(wire.query("COPY items FROM STDIN"))
    raw.until("G")
    client.run("BEGIN")
    client.run("CREATE TEMP TABLE other_work (n int)")
    before = pgmemo.rss_bytes()
    # A row that waits for another transaction's: PostgreSQL stops reading.
    client.run("INSERT INTO items VALUES (1000, 'first', 1)")
    rows = max(MEGABYTES, 32) * 1000  # the kernel alone holds some ten megabytes on the way
    lines = b"".join(b"%d\t%s\t1\n" % (n, b"y" * 1000) for n in range(1000, 1100))
    sender = push(raw, wire.copy_data(lines), 1)
    sender.join(harness.DEADLINE)
    batches = [b"".join(b"%d\t%s\t1\n" % (n, b"y" * 1000) for n in range(start, start + 100))
               for start in range(1100, 1000 + rows, 100)]
    sender = push(raw, b"".join(map(wire.copy_data, batches)), 1)
    harness.eventually(lambda: direct.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                          "AND query LIKE 'COPY items%'") == 1, "PostgreSQL waits")
    sender.join(2)
    assert sender.is_alive(), "the client is held back"
    assert pgmemo.rss_bytes() - before < ROOM
    client.run("ROLLBACK")
    sender.join(60)
    assert not sender.is_alive()
    raw.socket.settimeout(60)
    assert raw.ask(wire.COPY_DONE)[0].tag == f"COPY {rows}"
    assert direct.one("SELECT count(*) FROM items") == rows + 5
    assert pgmemo.rss_bytes() - before < ROOM


def test_a_client_that_never_reads_holds_nobody_up(pgmemo, client, database, direct):
    stuck = pgmemo.wire(database, receive_buffer=4096)
    sql = "SELECT repeat('x', 100000) FROM items"
    pgmemo.warm(stuck, sql)
    sender = push(stuck, wire.query(sql), 100)
    for _ in range(20):
        assert client.one("SELECT count(*) FROM items") == 5
    client.run("UPDATE items SET price = 1")
    assert client.one("SELECT sum(price) FROM items") == 5
    stuck.socket.shutdown(2)
    sender.join(harness.DEADLINE)
    assert client.one("SELECT sum(price) FROM items") == 5
