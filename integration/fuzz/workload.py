"""Sessions taking turns: which step comes next.

Most turns are attacks: some sessions read what a table has a part in, so that it is cached; somebody writes that table, or changes
what the reads mean; the same sessions read again. The rest is whatever comes, in whatever order.
"""
import dataclasses
import random

from .ddl import Changer
from .schema import ROWS, Builder
from .script import Step
from .sessions import USERS, Sessions
from .writes import Writer

POOL = 40  # reads that come again and again


@dataclasses.dataclass
class Turn:
    """What a session is in the middle of: so many of its turns are left until it ends. 0: nothing of the kind."""
    transaction: int = 0
    has_written: bool = False
    changed: int = 0  # settings
    hidden: int = 0  # temporary objects


@dataclasses.dataclass
class Read:
    step: Step
    bases: frozenset
    row: int


class Workload:
    """Use: `Workload(seed).script(steps)`: the schema and so many steps on it. The same seed gives the same script."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.builder = Builder(self.rng).build()
        self.grammar = self.builder.grammar
        self.sessions = Sessions(self.rng, self.builder)
        self.writer = Writer(self.rng, self.builder)
        self.changer = Changer(self.rng, self.builder)
        self.turns = {number: Turn() for number in USERS}
        self.grammar.rows = self.rng.sample(range(1, ROWS + 1), 4)
        self.steps = list(self.builder.steps)
        self.pool = []

    def script(self, count):
        for number in self.turns:
            self.steps += self.sessions.connect(number)
        self.settle()
        self.pool = [self.new_read() for _ in range(POOL)]
        end = len(self.steps) + count
        while len(self.steps) < end:
            if self.chance(0.12):
                self.settle()
            self.attack() if self.chance(0.3) else self.turn(self.rng.choice(list(self.turns)))
        for number in self.turns:
            self.steps.append(Step(number, "query", "session", "ROLLBACK"))
        return self.steps

    def chance(self, share):
        return self.rng.random() < share

    def settle(self):
        self.steps.append(Step(0, "settle", "session"))

    def choose_row(self):
        self.grammar.row = self.rng.choice(self.grammar.rows) if self.chance(0.85) else self.rng.randint(1, ROWS)

    # --- the ways to go on

    def attack(self):
        table = self.rng.choice(self.builder.model.tables)
        aim, reach = table.bases, table.reach()
        likely = [read for read in self.pool if read.bases & reach] or self.pool
        readers = self.rng.sample(list(self.turns), self.rng.randint(1, 2))
        asked = [(number, self.rng.choice(likely if self.chance(0.85) else self.pool)) for number in readers
                 for _ in range(self.rng.randint(1, 3))]
        for number, read in asked:
            self.ask(number, read)
        number = self.rng.choice(list(self.turns))
        what = self.rng.random()
        if what < 0.78:
            for _ in range(self.rng.choice([1, 1, 2])):
                self.write(number, aim, self.rng.choice(asked)[1].row)
        elif what < 0.88:
            self.setting(self.rng.choice(readers))
        elif what < 0.94:
            self.change(number)
        else:
            self.finish(number)
        for number, read in asked:
            self.ask(number, read)

    def turn(self, number):
        turn = self.turns[number]
        if self.goes_on(number, turn):
            return
        what = self.rng.random()
        if what < 0.62:
            self.ask(number, self.any_read())
        elif what < 0.84:
            self.write(number)
        elif what < 0.89:
            self.setting(number)
        elif what < 0.985:
            if turn.transaction:
                self.steps += self.sessions.inside(number)
            elif sum(other.transaction > 0 for other in self.turns.values()) < 2:
                self.steps += self.sessions.begin(number)
                turn.transaction = self.rng.randint(2, 8)
        else:
            self.change(number)

    def goes_on(self, number, turn):
        """Whether this turn was used to end what the session had begun."""
        if turn.transaction:
            turn.transaction -= 1
            if turn.transaction == 0:
                self.finish(number)
                return True
        if turn.hidden:
            turn.hidden -= 1
            if turn.hidden == 0:
                self.steps += self.sessions.discard_temporary(number, turn.transaction > 0)
                return True
        if turn.changed and not turn.transaction:
            turn.changed -= 1
            if turn.changed == 0:
                self.steps += self.sessions.go_back(number)
                return True
        return False

    def finish(self, number):
        """Ends the transaction; harmless without one."""
        turn = self.turns[number]
        turn.transaction, turn.has_written = 0, False
        if self.chance(0.08):
            first, second = self.sessions.prepare(number)
            self.steps += first
            for _ in range(self.rng.randint(0, 3)):
                self.ask(number, self.any_read())
            self.steps += second
            return
        ending = self.sessions.end(number)
        self.steps += ending
        if "CHAIN" in ending[0].text:
            turn.transaction = self.rng.randint(1, 5)

    # --- reads

    def new_read(self):
        grammar = self.grammar
        how = self.rng.choices(["query", "extended", "named"], [40, 35, 25])[0]
        self.choose_row()
        grammar.takes_parameters = how != "query"
        made = grammar.read()
        grammar.takes_parameters = False
        text, values = grammar.bound(made.text)
        if how != "query" and self.chance(0.15):
            made.flags.add("portions")
        return Read(Step(0, how, "read", text, values, frozenset(made.flags)), frozenset(grammar.bases), grammar.row)

    def any_read(self):
        if self.chance(0.15):
            self.pool[self.rng.randrange(POOL)] = self.new_read()
        return self.rng.choice(self.pool)

    def ask(self, number, read):
        """Twice at least, so that a hit is compared as well as a miss."""
        self.steps.append(dataclasses.replace(read.step, session=number, repeat=self.rng.choice([2, 2, 3])))

    # --- everything else

    def write(self, number, aim=frozenset(), row=None):
        turn = self.turns[number]
        # Its rows may be locked: a wait that ends in an error each time would test little and take long.
        if any(other.has_written for other in self.turns.values() if other is not turn) and self.chance(0.7):
            return
        turn.has_written = turn.transaction > 0
        self.choose_row()
        if row and self.chance(0.4):
            self.grammar.row = row
        self.writer.aim = aim if self.chance(0.85) else frozenset()
        self.steps += self.writer.steps(number)

    def setting(self, number):
        turn = self.turns[number]
        steps = self.sessions.setting(number, turn.transaction > 0)
        self.steps += steps
        if "hides" in steps[0].flags:
            turn.hidden = self.rng.randint(2, 8)
        else:
            turn.changed = self.rng.randint(1, 4)

    def change(self, number):
        """DDL by whoever owns the schema; rarely within a transaction, since all others would wait for its end."""
        if self.turns[number].transaction == 0 or self.chance(0.7):
            number = 0
        self.steps += self.changer.steps(number)
        if self.chance(0.8):
            self.settle()
