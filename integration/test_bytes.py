"""The same bytes to PostgreSQL and to pgmemo give the same bytes, with the cache cold, warm and off.

What may differ is in docs/exceptions.md, and here in `comparable` and KNOWN. PGMEMO_BYTES_SECONDS: how long the generated
sessions take, 15 unless it says otherwise; PGMEMO_BYTES_SEED: the first seed.
"""
import contextlib
import itertools
import os
import random
import socket
import struct
import time

import bytes_scripts
import conftest
import harness
import pytest
import wire
from bytes_scripts import SCRIPTS, TAG, WILD
from wire import FLUSH, SYNC, TERMINATE

SECONDS = float(os.environ.get("PGMEMO_BYTES_SECONDS", "15"))
SEED = int(os.environ.get("PGMEMO_BYTES_SEED", "1"))
conftest.TEST_SECONDS = max(conftest.TEST_SECONDS, SECONDS * 3 + 120)

SCHEMA = """
    CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price numeric NOT NULL);
    INSERT INTO items SELECT n, 'item ' || n, n * 10 FROM generate_series(1, 5) n;
    CREATE TABLE log (n int, what text);
    CREATE SCHEMA elsewhere;
    CREATE TABLE elsewhere.items (LIKE items);
    INSERT INTO elsewhere.items SELECT n, 'other ' || n, n FROM generate_series(1, 5) n"""

_tags = itertools.count(1)


class Side:
    """PostgreSQL itself, or a pgmemo, with a database of its own: all of them see the same and so become the same."""

    def __init__(self, name, port, database):
        self.name = name
        self.port = port
        self.database = database

    def connect(self):
        return wire.Wire(self.port, self.database)

    def at_once(self, pieces):
        """Everything that comes back for bytes sent in these pieces, to the end of the connection, and whether it ended
        before the server had read them all."""
        client = self.connect()
        is_cut = False
        try:
            for piece in pieces:
                client.send(piece)
            client.socket.shutdown(socket.SHUT_WR)
        except OSError:
            is_cut = True
        got = client.rest()
        client.close()
        return comparable(got), is_cut or client.was_reset

    def steps(self, steps):
        """The replies to each step on one connection; a step is sent when the one before is answered."""
        client = self.connect()
        got = []
        try:
            for data, until in steps:
                client.send(data)
                if isinstance(until, int):
                    got.append([one for _ in range(until) for one in client.until("Z")])
                else:
                    got.append(client.until(until))
            client.send(TERMINATE)
            got.append([client.rest()])
        except (OSError, wire.Closed) as error:
            got.append([f"closed: {type(error).__name__}"])
        finally:
            client.close()
        return got


def plain(kind, body):
    """What is compared of a message: not the pid in a notification, and not where in the server's source a failed
    transaction was noticed."""
    if kind == "A":
        return kind, body[4:]
    if kind == "E" and b"\0C25P02\0" in body:
        return kind, b"\0".join(field for field in body.split(b"\0") if field[:1] not in (b"F", b"L", b"R"))
    return kind, body


def comparable(data):
    """Bytes as messages, for a person to read when they differ."""
    got = []
    while len(data) >= 5:
        kind, size = struct.unpack("!ci", data[:5])
        if size < 4 or len(data) < size + 1:
            break
        got.append(plain(kind.decode("latin-1"), data[5:size + 1]))
        data = data[size + 1:]
    return got + ([data] if data else [])


def is_refused(replies):
    return bool(replies) and replies[-1][0] == "E" and replies[-1][1].startswith(b"SFATAL\0")


def is_cut_short(one, other):
    """Whether they differ in what is lost when PostgreSQL ends a connection of which it has not read all: the kernel then
    resets it, and drops what it has not sent yet (small segments behind ten that are not acknowledged). What pgmemo never
    got it cannot pass on; its own end of the connection is then an orderly one."""
    one, other = ([reply for reply in side if isinstance(reply, tuple) and b"\0C08006\0" not in reply[1]] for side in (one, other))
    shorter, longer = sorted((one, other), key=len)
    return longer[:len(shorter)] == shorter


def comparable_steps(steps):
    return [[one if isinstance(one, (str, bytes)) else plain(one.kind, one.body) for one in step] for step in steps]


class World:
    def __init__(self, postgres, create_database):
        template = create_database()
        postgres.run(SCHEMA, template)
        self.names = [create_database(template) for _ in range(3)]
        self.told = self.cut_short = 0
        self.warm = harness.Pgmemo(postgres.uri(self.names[1]))
        self.off = harness.Pgmemo(postgres.uri(self.names[2]), {"cache": {"enabled": False}})
        self.judge = Side("PostgreSQL", postgres.port, self.names[0])
        self.others = [Side("pgmemo", self.warm.port, self.names[1]), Side("pgmemo with its cache off", self.off.port, self.names[2])]
        self.settle()
        with contextlib.closing(self.off.session(self.names[2])) as client:
            self.off.settle(client, "SELECT count(*) FROM items")

    def settle(self):
        """Waits until pgmemo hits: a session that could not be followed, and DDL, leave it without for a while."""
        with contextlib.closing(self.warm.session(self.names[1])) as client:
            self.warm.settle(client, "SELECT count(*) FROM items")

    def agree(self, ask, about):
        """`ask(side)` gives replies, and whether the connection was reset; the replies are the same on every side."""
        expected, judge_was_reset = ask(self.judge)
        for side in self.others if about not in KNOWN else self.others[1:]:
            got, was_reset = ask(side)
            self.told += 1
            if got == expected:
                continue
            if (judge_was_reset or was_reset or is_refused(expected)) and is_cut_short(got, expected):
                self.cut_short += 1
                continue
            at = next((i for i, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]), min(len(got), len(expected)))
            raise AssertionError(f"{about}: reply {at} differs\n  {side.name}: {got[at:at + 3]}\n  PostgreSQL: "
                                 f"{expected[at:at + 3]}")
        return expected

    def tell(self, pieces, about):
        return self.agree(lambda side: side.at_once(pieces), about)

    def converse(self, steps, about):
        return self.agree(lambda side: (comparable_steps(side.steps(steps)), False), about)


@pytest.fixture(scope="module")
def world(postgres):
    made = []

    def create(template="template1"):
        name = f"bytes_{next(_tags)}"
        postgres.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        made.append(name)
        return name

    world = World(postgres, create)
    yield world
    hits = world.warm.queries("hit"), world.off.queries("hit")
    print(f"{world.told} comparisons, of which {world.cut_short} were cut short by a reset")
    world.warm.stop()
    world.off.stop()
    for name in made:
        postgres.run(f"DROP DATABASE {name} WITH (FORCE)")
    assert hits[1] == 0, "a cache that is off hits"
    assert world.cut_short <= 5 + world.told / 50, "replies are lost too often to be PostgreSQL's doing"


def fresh(data):
    """With a tag of its own: nothing in it was ever asked before."""
    tag = b"%04d" % (next(_tags) % 10_000)
    if isinstance(data, bytes):
        return data.replace(TAG, tag)
    return [(step.replace(TAG, tag), until) for step, until in data]


def halves(data, most, rng):
    cuts = range(1, len(data))
    for cut in sorted(rng.sample(cuts, most)) if len(cuts) > most else cuts:
        yield [data[:cut], data[cut:]]


# --- the scripts -----------------------------------------------------------------------------------------------------

# What differs only where the cache answers, as docs/exceptions.md says; with the cache off it must not.
KNOWN = {"unnamed across queries"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_the_same(world, name):
    steps = fresh(SCRIPTS[name])
    if name in KNOWN:
        world.converse(steps, name)
        return
    world.settle()
    for how in ("cold", "warm", "warm again"):
        world.converse(steps, f"{name}, {how}")
    world.converse(steps * 3, f"{name}, three times in one session")
    data = b"".join(step for step, _ in steps)
    for how in ("coalesced", "coalesced again"):
        world.tell([data + wire.query("SELECT 'end'") + TERMINATE], f"{name}, {how}")
    data = fresh(b"".join(step for step, _ in SCRIPTS[name]))
    world.tell([data + TERMINATE], f"{name}, coalesced and cold")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_cut_to_pieces_says_the_same(world, name):
    if name in KNOWN:
        pytest.skip("documented in docs/exceptions.md")
    rng = random.Random(name)
    data = fresh(b"".join(step for step, _ in SCRIPTS[name])) + TERMINATE
    if len(data) < 4000:
        world.tell([data[at:at + 1] for at in range(len(data))], f"{name}, byte by byte")
    for pieces in halves(data, 6, rng):
        world.tell(pieces, f"{name}, cut at {len(pieces[0])}")


@pytest.mark.parametrize("name", WILD)
def test_a_wild_script_says_the_same(world, name):
    if name.endswith("too long") and harness.PG_VERSION < 14:
        pytest.skip("PostgreSQL 13 has no limit for them: docs/exceptions.md")
    data = fresh(WILD[name])
    rng = random.Random(name)
    for how in ("cold", "warm", "warm again"):
        world.settle()
        world.tell([data], f"{name}, {how}")
        world.tell([data + TERMINATE], f"{name}, {how}, with Terminate")
    world.tell([data + SYNC + wire.query("SELECT 'end'")], f"{name}, with more behind")
    world.tell([data[at:at + 1] for at in range(len(data))], f"{name}, byte by byte")
    for pieces in halves(data, 6, rng):
        world.tell(pieces, f"{name}, cut at {len(pieces[0])}")


def test_a_short_session_cut_at_every_byte_says_the_same(world):
    data = fresh(bytes_scripts.query(bytes_scripts.ONE) + bytes_scripts.extended(bytes_scripts.READ, [1])) + TERMINATE
    for pieces in halves(data, 400, random.Random(1)):
        world.tell(pieces, f"cut at {len(pieces[0])}")


# --- generated sessions ----------------------------------------------------------------------------------------------

class Generator:
    """Sessions of one seed: groups and queries that repeat themselves, so that what was missed is hit."""

    READS = [bytes_scripts.ONE, bytes_scripts.READ, "SELECT %id FROM items ORDER BY id", "SELECT %count(*) FROM items",
             "SELECT %price FROM items WHERE id = $1 OR name = $2", "SELECT %1", "SELECT %$1::text FROM items WHERE id = 1"]
    OTHERS = [bytes_scripts.WRITE, "INSERT INTO log VALUES (%1, 'x')", bytes_scripts.BAD, "SELECT %1/0", "", "SHOW DateStyle",
              "UPDATE items SET %price = price WHERE id = 1 RETURNING price", "SELECT 1; SELECT 2", "SET DateStyle = 'ISO'",
              "SELECT now() IS NOT NULL", "DELETE FROM log"]
    CONTROL = ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a", "BEGIN ISOLATION LEVEL REPEATABLE READ",
               "DEALLOCATE ALL", "DISCARD ALL", "DEALLOCATE s"]
    VALUES = [b"1", b"1", b"1", b"2", b"9", b"x", None, b"\0\0\0\1", b""]

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.groups = []

    def text(self, inside_group=False):
        kind = self.rng.random()
        if kind < 0.75:
            return self.rng.choice(self.READS)
        return self.rng.choice(self.OTHERS if kind < 0.9 or inside_group and kind < 0.95 else self.CONTROL)

    def name(self):
        return self.rng.choice(["", "s", "s", "t"])

    def bind(self, portal, statement):
        rng = self.rng
        count = rng.choice([0, 1, 1, 1, 1, 2])
        return bytes_scripts.raw_bind(
            wire_bytes(portal), wire_bytes(statement), formats=rng.choice([[], [], [], [0], [1], [0] * count]),
            values=[rng.choice(self.VALUES) for _ in range(count)], results=rng.choice([[], [], [0], [1], [0, 1], [1, 1]]))

    def message(self):
        rng = self.rng
        portal = rng.choice(["", "", "", "p"])
        kind = rng.random()
        if kind < 0.25:
            return bytes_scripts.parse(self.name(), self.text(True), rng.choice([(), (), (), (23,), (25, 25)]))
        if kind < 0.65:
            bound = self.bind(portal, self.name())
            shown = wire.describe("P", portal) if rng.random() < 0.4 else b""
            return bound + shown + wire.execute(portal, rng.choice([0, 0, 0, 0, 1, 2]))
        if kind < 0.75:
            return wire.describe("S", self.name())
        if kind < 0.8:
            return wire.describe("P", portal)
        if kind < 0.87:
            return wire.execute(portal, rng.choice([0, 0, 1, 100]))
        if kind < 0.95:
            return wire.close(*rng.choice([("S", self.name()), ("S", self.name()), ("P", portal)]))
        return FLUSH

    def step(self):
        """One that brings one ReadyForQuery."""
        rng = self.rng
        if self.groups and rng.random() < 0.5:
            return rng.choice(self.groups[-6:])
        if rng.random() < 0.25:
            made = bytes_scripts.query(self.text().replace("$1", "1").replace("$2", "'x'"))
        else:
            made = b"".join(self.message() for _ in range(rng.choice([0, 1, 1, 2, 3, 5]))) + SYNC
        self.groups.append(made)
        return made

    def session(self):
        return [self.step() for _ in range(self.rng.randrange(5, 30))]

    def damaged(self, data):
        """Messages that are out of place, missing, or not what they seem."""
        rng = self.rng
        parts = split(data)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(parts))
            kind = rng.randrange(6)
            if kind == 0:
                parts[at:at + 1] = []
            elif kind == 1:
                parts.insert(at, rng.choice(parts))
            elif kind == 2:
                parts.insert(at, bytes_scripts.query(bytes_scripts.ONE))
            elif kind == 3:  # a byte of the body
                part = bytearray(parts[at])
                if len(part) > 5 and part[:1] not in b"QP":
                    part[rng.randrange(5, len(part))] = rng.choice(b"\0\1\2\xff1s")
                parts[at] = bytes(part)
            elif kind == 4 and parts[at][:1] not in b"QP":  # the body is shorter or longer
                body = parts[at][5:]
                body = body[:rng.randrange(len(body) + 1)] if rng.random() < 0.5 else body + b"x"
                parts[at] = wire.message(parts[at][:1].decode(), body)
            elif kind == 5:
                part = bytearray(parts[at])
                part[0:1] = rng.choice(b"QPBDECSHFdcfzp").to_bytes(1, "big") if part[:1] not in b"QP" else part[0:1]
                parts[at] = bytes(part)
            if not parts:
                return SYNC
        return b"".join(parts)

    def pieces(self, data):
        rng = self.rng
        if rng.random() < 0.6:
            return [data]
        cuts = sorted({rng.randrange(1, len(data)) for _ in range(rng.randrange(1, 5))}) if len(data) > 1 else []
        return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)])]


def wire_bytes(name):
    return name.encode()


def split(data):
    parts = []
    while data:
        size = 1 + struct.unpack("!i", data[1:5])[0]
        parts.append(data[:size])
        data = data[size:]
    return parts


def play(world, seed, is_damaged):
    generator = Generator(seed)
    session = [step.replace(TAG, b"%04d" % (seed % 10_000)) for step in generator.session()]
    data = b"".join(session)
    about = f"seed {seed} (PGMEMO_BYTES_SEED={seed} PGMEMO_BYTES_SECONDS=1)"
    if is_damaged:
        wild = generator.damaged(data)
        world.tell([*generator.pieces(wild), SYNC + wire.query("SELECT 'end'") + TERMINATE],
                   f"{about}, damaged: {split_or_not(wild)}")
        return
    for _ in range(2):
        world.converse([(step, 1) for step in session], f"{about}, answer by answer: {session}")
    world.tell([*generator.pieces(data), TERMINATE], f"{about}, at once: {session}")


def split_or_not(data):
    with contextlib.suppress(struct.error):
        return split(data)
    return data


@pytest.mark.parametrize("is_damaged", [False, True], ids=["whole", "damaged"])
def test_generated_sessions_say_the_same(world, is_damaged):
    world.settle()
    before = world.warm.queries("hit")
    end = time.monotonic() + SECONDS / (3 if is_damaged else 1.5)
    for seed in itertools.count(SEED):
        play(world, seed, is_damaged)
        if time.monotonic() > end:
            break
    print(f"{seed - SEED + 1} sessions from seed {SEED}, {world.warm.queries('hit') - before:g} hits")
