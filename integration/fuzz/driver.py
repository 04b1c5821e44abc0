"""Runs a script three times at once and compares.

Every session of the script is a trio:

    cached   through pgmemo, on database A
    shadow   directly, on database B, which had every step as well: what each reply has to be, inside of transactions too
    twin     directly, on database A, with the same settings: what a read outside of a transaction has to be, bytes for bytes

One step at a time: at each read nothing else is going on.

Locks are the one thing that may differ rightly. A hit takes none, so a session through pgmemo may get on where PostgreSQL alone would
let it wait. Waits end soon with an error (lock_timeout); after one that only one side had, the other transactions are rolled back and the
side that waited does it again.
"""
import collections
import contextlib
import dataclasses
import itertools
import json
import queue
import re
import threading
import time

import harness
import psycopg2

from .replies import SHARED, Link, comparable, has_changed_columns, has_collided, has_failed, has_lost_function, has_refused_to_estimate, has_timed_out, readable, same_name, without_oids

A, B = "fuza_", "fuzb_"
LOCK_TIMEOUT = "60ms"
RETRIES = 20
CHANGES_RIGHTS = re.compile(r"\b(ALTER ROLE|GRANT|REVOKE)\b")


@dataclasses.dataclass
class Difference:
    at: int  # which step of the script
    step: object
    who: str
    got: str
    wanted: str

    def __str__(self):
        return f"step {self.at}, {self.who}\n{self.step}\n\n  through pgmemo:\n{self.got}\n\n  directly:\n{self.wanted}\n"


class Found(Exception):
    pass


class Diverged(Exception):
    """The databases differ from here on, and not by pgmemo."""


class Arena:
    """A cluster and a pgmemo in front of it, for many scripts. Fresh pairs of databases are made ahead, by a thread."""

    def __init__(self, binary=None):
        self.postgres = harness.Postgres(lock_timeout=LOCK_TIMEOUT)
        self.pgmemo = harness.Pgmemo(self.postgres, binary=binary)
        self.counts = collections.Counter()
        self.ready = queue.Queue(maxsize=1)
        self.stopping = False
        self.maker = threading.Thread(target=self.make_databases, daemon=True)
        self.maker.start()

    def make_databases(self):
        for number in itertools.count(1):
            name = f"{SHARED}{number}"
            made = name
            try:
                self.on_postgres(f"CREATE DATABASE {name}")
            except psycopg2.Error as error:
                made = error
            while not self.stopping:
                with contextlib.suppress(queue.Full):
                    self.ready.put(made, timeout=0.2)
                    break
            if self.stopping or made is not name:
                return

    def on_postgres(self, sql):
        for mark in (A, B):
            self.postgres.run(sql.replace(SHARED, mark))

    def run(self, steps):
        """The first Difference, or None."""
        name = self.ready.get()
        if isinstance(name, Exception):
            raise name
        with contextlib.closing(Round(self, name)) as a_round:
            return a_round.run(steps)

    def settle(self):
        """Waits until every catalog is known again. Not a promise: what follows is right without, but does not hit."""
        end = time.monotonic() + harness.DEADLINE
        while self.pgmemo.metrics().sum("pgmemo_databases_without_catalog"):
            if time.monotonic() > end:
                self.counts["never settled"] += 1
                return
            time.sleep(0.005)

    def stop(self):
        self.stopping = True
        self.maker.join()
        self.pgmemo.stop()
        self.postgres.stop()


class Trio:
    def __init__(self, cached, shadow, twin):
        self.cached, self.shadow, self.twin = cached, shadow, twin
        self.hides = False
        self.has_committed = False  # the latest step, what the session was in
        self.failed = 0  # steps since its transaction failed

    def links(self):
        return self.cached, self.shadow, self.twin

    def close(self):
        for link in self.links():
            link.close()


class Round:
    def __init__(self, arena, database):
        self.arena = arena
        self.database = database
        self.trios = {}
        self.may_be_prepared = False
        self.rights_have_changed = False
        self.strange_names = (f"strange_{n}" for n in itertools.count())

    def close(self):
        """What the whole cluster shares has to go, for the next round makes it again."""
        for trio in self.trios.values():
            trio.close()
        if self.may_be_prepared:
            self.forget_prepared()
        self.arena.on_postgres(f"DROP DATABASE {self.database} WITH (FORCE)")
        for name, in self.arena.postgres.run("SELECT rolname FROM pg_roles WHERE rolname ~ '^fuz[ab]_'"):
            self.arena.postgres.run(f"DROP ROLE {name}")

    def run(self, steps):
        for at, step in enumerate(steps):
            self.at = at
            try:
                self.take(step)
            except Found as found:
                return found.args[0]
            except Diverged:
                self.arena.counts["rounds that diverged"] += 1
                break
        return None

    def discard_plans(self):
        """pgmemo has the plans of its sessions made anew when the catalog has changed, which may tell what a name has come to mean;
        directly they would go on as they are (docs/exceptions.md)."""
        for trio in self.trios.values():
            for link in trio.links():
                if link.status in ("I", "T"):
                    link.run("DISCARD PLANS")

    def tell_of_rights(self):
        """PostgreSQL keeps in a transaction what it knows of roles until it comes to read invalidations, which the questions that
        pgmemo asks may have it do sooner. A name that no cache has yet has it read a catalog, before which it reads them."""
        for trio in self.trios.values():
            name = next(self.strange_names)
            for link in trio.links():
                if link.status == "T":
                    link.run(f"SELECT to_regclass('{name}')")
        self.rights_have_changed = False

    def take(self, step):
        if step.action == "settle":
            self.arena.settle()
            self.discard_plans()
        elif step.action == "connect":
            self.connect(step)
        elif step.session in self.trios:
            trio = self.trios[step.session]
            if step.kind == "read":
                self.read(trio, step)
            else:
                self.write(trio, step)
            self.give_up(trio)
            self.follow(trio)
            self.rights_have_changed |= CHANGES_RIGHTS.search(step.text) is not None
            if self.rights_have_changed and trio.cached.status != "T":
                self.tell_of_rights()
        self.arena.counts["steps"] += 1

    # --- comparing

    def differ(self, step, who, got, wanted):
        raise Found(Difference(self.at, step, who, readable(got), readable(wanted)))

    def compare_shadow(self, step, got, wanted):
        if "clock" in step.flags:
            return
        got, wanted = same_name(got, A), same_name(wanted, B)
        if comparable(without_oids(got), step) != comparable(without_oids(wanted), step):
            self.differ(step, "compared with the database that had the same steps directly", got, wanted)

    def compare_twin(self, step, got, wanted):
        if comparable(got, step) != comparable(wanted, step):
            self.differ(step, "compared with a direct session on the same database", got, wanted)

    # --- steps

    def connect(self, step):
        if step.session in self.trios:
            self.trios.pop(step.session).close()
        parameters = json.loads(step.text)
        ports = self.arena.pgmemo.port, self.arena.postgres.port, self.arena.postgres.port
        trio = Trio(*(Link(port, self.database, mark, parameters) for port, mark in zip(ports, (A, B, A))))
        greetings = [[(one.kind.encode(), one.body) for one in link.greeting if one.kind != "K"] for link in trio.links()]
        self.compare_twin(step, *greetings[::2])
        if trio.cached.status:
            self.trios[step.session] = trio
        else:
            trio.close()

    def read(self, trio, step):
        idle = trio.cached.status == "I"
        with_twin = idle and not trio.hides
        trio.cached.ask_for(step)
        trio.shadow.ask_for(step)
        if with_twin:
            trio.twin.ask_for(step)
        got, wanted = trio.cached.reply(), trio.shadow.reply()
        twin = trio.twin.reply() if with_twin else None
        if step.action == "named" and not with_twin:
            self.parse_by_twin(trio, step)
        got, wanted = self.without_waits(trio, step, got, wanted, not idle)
        if got is None:
            return
        if step.action == "named" and idle and has_changed_columns(wanted) and not has_changed_columns(got):
            self.arena.counts["prepared anew"] += 1
            trio.shadow.prepare_anew(step)
            wanted = trio.shadow.ask(step)
            trio.twin.prepare_anew(step)
            if twin:
                twin = trio.twin.ask(step)
            else:
                self.parse_by_twin(trio, step)
        if not has_failed(got) and (has_lost_function(wanted) or has_refused_to_estimate(wanted)):
            self.arena.counts["lost functions" if has_lost_function(wanted) else "refused by the planner"] += 1
            if not idle:
                for link in trio.links():
                    link.run("ROLLBACK")
            return
        if twin and has_timed_out(twin):
            twin = None
        if step.action == "named" and twin and has_failed(wanted) and not has_failed(got):
            # The other way round: a hit, where the generic plan fails that the server has come to meanwhile.
            anew = trio.twin.ask(dataclasses.replace(step, action="extended"))
            if comparable(anew, step) == comparable(got, step):
                self.arena.counts["failed by a generic plan"] += 1
                return
        for again in range(step.repeat):
            if again:
                got = trio.cached.ask(step)
                self.arena.counts["repeated"] += 1
                if has_failed(got) and not has_failed(wanted) and self.fails_in_time(trio, step, got, twin):
                    self.arena.counts["failed by a generic plan"] += 1
                    break
            self.compare_shadow(step, got, wanted)
            if twin:
                self.compare_twin(step, got, twin)
            if has_failed(got):
                break
        self.arena.counts["reads"] += 1
        self.arena.counts["reads compared on the same database"] += bool(twin)
        self.arena.counts["reads that failed"] += has_failed(got)

    @staticmethod
    def fails_in_time(trio, step, got, twin):
        """Whether the same error comes directly, too, once a statement was executed as often. After five times PostgreSQL may take
        to a generic plan, which may evaluate what the plans before it did not. Source: choose_custom_plan in plancache.c."""
        link, mark = (trio.twin, A) if twin else (trio.shadow, B)
        for _ in range(step.repeat + 5):
            again = link.ask(step)
            if has_failed(again):
                return comparable(without_oids(same_name(again, mark)), step) == comparable(without_oids(same_name(got, A)), step)
        return False

    @staticmethod
    def parse_by_twin(trio, step):
        """A named statement means what it meant when it was parsed: the twin has to do so at the same time."""
        if trio.twin.status == "T":
            trio.twin.run("SAVEPOINT twin")
            trio.twin.ask(step)
            trio.twin.run("ROLLBACK TO twin; RELEASE twin")
        elif trio.twin.status == "I":
            trio.twin.ask(step)

    def write(self, trio, step):
        in_transaction = trio.cached.status != "I"
        self.may_be_prepared |= "PREPARE TRANSACTION" in step.text
        trio.cached.ask_for(step)
        trio.shadow.ask_for(step)
        got, wanted = trio.cached.reply(), trio.shadow.reply()
        got, wanted = self.without_waits(trio, step, got, wanted, in_transaction)
        if got is None:
            return
        if step.kind == "write" and has_collided(got) != has_collided(wanted):
            # Rows that come to each other's keys and go on collide in one order and not in another, which follows from where they
            # lie and from what OIDs of enum values hash to. What a write comes to is PostgreSQL's alone.
            raise Diverged
        self.compare_shadow(step, got, wanted)
        self.arena.counts["writes" if step.kind == "write" else "settings"] += 1
        self.arena.counts["writes that failed"] += step.kind == "write" and has_failed(got)
        if step.kind == "write":
            trio.has_committed = in_transaction and (b"C", b"COMMIT\0") in got
        else:
            # A COMMIT that failed took the settings back with it.
            undone = in_transaction and trio.cached.status == "I" and (has_failed(got) or got[-2] == (b"C", b"ROLLBACK\0"))
            trio.twin.run("ROLLBACK" if undone else step.twin or step.text)
        if "hides" in step.flags:
            trio.hides = True
        elif step.text in ("DISCARD ALL", "DISCARD TEMP") and not in_transaction and not has_failed(got):
            trio.hides = False

    def give_up(self, trio):
        """A transaction that has failed shows the same error for ever: two steps of that are enough."""
        trio.failed = trio.failed + 1 if trio.cached.status == "E" == trio.shadow.status else 0
        if trio.failed > 2:
            for link in trio.links():
                link.run("ROLLBACK")

    def follow(self, trio):
        """Brings the twin to the transaction state that writes have brought the others to."""
        wanted, twin = trio.cached.status, trio.twin
        if wanted == "I" != twin.status:
            twin.run("COMMIT" if trio.has_committed else "ROLLBACK")  # with it the settings of before stay, or go
        elif wanted != "I" == twin.status:
            twin.run("BEGIN")
        if wanted == "E" != twin.status:
            twin.run("SELECT 1 / 0")
        trio.has_committed = False

    # --- locks

    def without_waits(self, trio, step, got, wanted, in_transaction):
        """Both replies, as they are without the wait that one of the two had; (None, None) when the transaction was given up."""
        for _ in range(RETRIES):
            late = has_timed_out(got), has_timed_out(wanted)
            if late[0] == late[1]:
                return got, wanted
            self.arena.counts["waits of one side"] += 1
            if in_transaction or trio.cached.status != "I" or trio.shadow.status != "I":
                for link in trio.links():
                    link.run("ROLLBACK")
                return None, None
            self.make_way(trio)
            if late[0]:
                got = trio.cached.ask(step)
            else:
                wanted = trio.shadow.ask(step)
        return got, wanted

    def make_way(self, trio):
        for other in self.trios.values():
            if other is not trio and other.cached.status != "I":
                for link in other.links():
                    link.run("ROLLBACK")
        if self.may_be_prepared:
            self.forget_prepared()

    def forget_prepared(self):
        for name, database in self.arena.postgres.run("SELECT gid, database FROM pg_prepared_xacts"):
            self.arena.postgres.run(f"ROLLBACK PREPARED '{name}'", database)
