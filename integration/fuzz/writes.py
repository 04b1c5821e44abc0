"""Writes of every form that PostgreSQL has, aimed at the rows that reads ask for.

What a write does must not depend on the order in which PostgreSQL meets rows: a whole-table change of keys maps them onto
themselves (`id = 20 - id`) and so fails or succeeds as a whole, joins yield one row for each target row, what triggers do
to other rows commutes.
"""
from .grammar import KEYS, MOST
from .schema import ROWS
from .script import SEPARATOR, Step
from .values import INT, quoted

GENERATED = ("twice", "n", "touched")


class Writer:
    """Use: `steps(session)` for one write as a list of steps; `touched` then names what it was aimed at."""

    def __init__(self, rng, builder):
        self.rng = rng
        self.builder = builder
        self.model = builder.model
        self.grammar = builder.grammar
        self.aim = frozenset()  # tables to be written of, if any
        self.touched = frozenset()
        self.prepared = 0

    def chance(self, share):
        return self.rng.random() < share

    def steps(self, session):
        make = self.grammar.choose((50, self._dml), (4, self._wrapped), (3, self._copy), (4, self._function), (3, self._together),
                                   (2, self._refresh), (1.2, self._truncate), (2, self._prepared), (1, self._cursor), (1, self._into),
                                   (1, self._locking), (1, self._extended_group))
        return self.grammar.affordable(lambda: make(session), MOST)

    def _step(self, session, text, *flags, action="query", values=()):
        return [Step(session, action, "write", text, tuple(values), frozenset(flags) | {"unordered"})]

    def _dml(self, session):
        extended = self.chance(0.3)
        self.grammar.takes_parameters = extended
        text = self.dml()
        self.grammar.takes_parameters = False
        if not extended:
            return self._step(session, text)
        action = "named" if self.chance(0.5) else "extended"
        text, values = self.grammar.bound(text)
        return self._step(session, text, *(["portions"] if self.chance(0.2) else []), action=action, values=values)

    # --- INSERT, UPDATE, DELETE, MERGE

    def target(self):
        targets = self.model.writable()
        if self.aim:
            targets = [relation for relation in targets if relation.bases & self.aim] or targets
        relation = self.grammar.weighted(targets)
        if relation.kind in ("view", "grouped view") and self.chance(0.4):
            relation = self.rng.choice([table for table in self.model.tables if table.bases & relation.bases] or self.model.tables)
        self.touched = relation.bases
        return relation

    def table(self):
        """One of those that are aimed at, or any."""
        tables = [table for table in self.model.tables if table.bases & self.aim] or self.model.tables
        table = self.rng.choice(tables)
        self.touched = table.bases
        return table

    def dml(self, relation=None):
        relation = relation or self.target()
        make = self.grammar.choose((4, self._insert), (4, self._upsert), (9, self._update), (2, self._update_from), (2, self._update_key),
                                   (3, self._delete), (0.7, self._delete_using), (1.5, self._insert_select), (1.5, self._merge), (2, self._cte))
        return make(relation)

    def _returning(self, relation):
        if not self.chance(0.25):
            return ""
        return " RETURNING " + ", ".join(column.name for column in relation.plain_columns()[:3])

    def _given(self, relation):
        columns = [column for column in relation.columns if column.name not in GENERATED] or relation.columns
        first, rest = columns[:3], columns[3:]
        return first + [column for column in rest if self.chance(0.7)]

    def cell(self, column):
        """A new value, rarely the one that was there."""
        if column.name != "id" and self.chance(0.1):
            return self.rng.choice(["NULL", "DEFAULT"])
        return self.grammar.spelled(column.type, column.type.pick(self.rng))

    def rows(self, columns):
        """For VALUES: the first has the keys of the row that all is about, others those of the next ones."""
        made = []
        for _ in range(self.rng.choice([1, 1, 1, 1, 2, 3])):
            cells = (self.grammar.value(column.type) if column.name in KEYS else self.cell(column) for column in columns)
            made.append(f"({', '.join(cells)})")
            self.grammar.row += 1
        return ", ".join(made)

    def _insert(self, relation):
        columns = self._given(relation)
        if self.chance(0.4):
            self.grammar.row = self.rng.randint(ROWS + 1, ROWS + 5)
        conflict = " ON CONFLICT DO NOTHING" if self.chance(0.6) and not relation.is_deferrable else ""
        return (f"INSERT INTO {self.grammar.reference(relation)} ({', '.join(column.name for column in columns)}) "
                f"VALUES {self.rows(columns)}{conflict}{self._returning(relation)}")

    def _upsert(self, relation):
        """The row that it updates may have another key than the one that is given, when the conflict is on another constraint."""
        keys = [key for key in relation.keys if not (relation.is_deferrable and key[0].name == "k")]
        if not keys:
            return self._insert(relation)
        arbiter = ", ".join(column.name for column in self.rng.choice(keys))
        columns = self._given(relation)
        changed = self.rng.choice([column for column in columns if column.name != "id"] or columns)
        new = self.rng.choice([f"excluded.{changed.name}", self.grammar.value(changed.type)])
        where = f" WHERE x.a {self.rng.choice(['<', '>'])} 10" if self.chance(0.2) else ""
        return (f"INSERT INTO {self.grammar.reference(relation)} AS x ({', '.join(column.name for column in columns)}) "
                f"VALUES {self.rows(columns)} ON CONFLICT ({arbiter}) DO UPDATE SET {changed.name} = {new}{where}{self._returning(relation)}")

    def _insert_select(self, relation):
        columns = self._given(relation)
        inner = self.grammar._select(0, (), [column.type.family for column in columns])
        casts = ", ".join(f"s.{made.name}::text::{column.type.sql.removesuffix(' COLLATE app.ci')}" if made.type.family == column.type.family
                          else "NULL" for made, column in zip(inner.columns, columns))
        conflict = "" if relation.is_deferrable else " ON CONFLICT DO NOTHING"
        order = ", ".join(str(at + 1) for at in range(len(columns)))
        return (f"INSERT INTO {self.grammar.reference(relation)} ({', '.join(column.name for column in columns)}) "
                f"SELECT {casts} FROM ({inner.text}) s ORDER BY {order} LIMIT 3{conflict}")

    def _scope(self, relation):
        return [("x", relation.columns)]

    def _where(self, relation):
        """By key, as applications do, or by anything."""
        scope = self._scope(relation)
        if relation.keys and self.chance(0.75):
            key = self.rng.choice(relation.keys)
            conditions = [f"x.{column.name} = {self.grammar.value(column.type)}" for column in key]
            if self.chance(0.1):
                conditions.append(self.grammar.predicate(scope, 0))
            return " WHERE " + " AND ".join(conditions)
        return self.grammar.where(scope, 1, share=0.95)

    def _assignment(self, relation):
        columns = [column for column in relation.columns if column.name not in GENERATED] or relation.columns
        others = [column for column in columns if column.name != "id"] or columns
        column = self.rng.choice(others)
        if self.chance(0.15) and len(others) > 1:
            second = self.rng.choice([other for other in others if other is not column])
            return f"({column.name}, {second.name}) = ({self.cell(column)}, {self.cell(second)})"
        if self.chance(0.2) and column.type.family == "int":
            return f"{column.name} = x.{column.name} + 1"
        if self.chance(0.15):
            source = self.grammar.column(self._scope(relation), column.type.family)
            return f"{column.name} = {source[0]}" if source and column.type.exact else f"{column.name} = {self.cell(column)}"
        return f"{column.name} = {self.cell(column)}"

    def _update(self, relation):
        only = "ONLY " if relation.kind in ("parent", "partitioned") and self.chance(0.15) else ""
        return (f"UPDATE {only}{self.grammar.reference(relation)} AS x SET {self._assignment(relation)}{self._where(relation)}"
                f"{self._returning(relation)}")

    def _update_key(self, relation):
        """A key moves: both its old value and its new one are written."""
        key = self.rng.choice(relation.keys)[0] if relation.keys else relation.columns[0]
        if key.type.family == "int" and self.chance(0.3):
            return f"UPDATE {self.grammar.reference(relation)} AS x SET {key.name} = 20 - x.{key.name}"
        return (f"UPDATE {self.grammar.reference(relation)} AS x SET {key.name} = {self.cell(key)} "
                f"WHERE x.{key.name} = {self.grammar.value(key.type)}")

    def _lookup(self, relation):
        """A subquery with a row for each key, and the condition that joins it."""
        other = self.rng.choice(self.model.tables)
        pairs = [(one, two) for one in relation.plain_columns() for two in other.plain_columns()
                 if one.type.family == two.type.family and (one.type is two.type or one.type.exact and two.type.exact)
                 and one.type.family not in ("jsonb", "float", "interval")]
        if not pairs:
            return f"(SELECT {self.grammar.value(INT)} AS k, 7 AS v) AS s", "true"
        mine, its = self.rng.choice(pairs)
        numbers = [column.name for column in other.columns if column.type.family == "int" and column.name != "n"]
        inner = (f"(SELECT o.{its.name} AS k, max(o.{self.rng.choice(numbers or ['a'])})::int AS v FROM {self.grammar.reference(other)} o"
                 f"{self.grammar.where([('o', other.columns)], 0, share=0.6)} GROUP BY 1) AS s")
        return inner, f"s.k = x.{mine.name}"

    def _update_from(self, relation):
        source, condition = self._lookup(relation)
        column = self.rng.choice([column for column in relation.columns if column.type.family == "int" and column.name not in GENERATED + ("id",)]
                                 or [None])
        if column is None:
            return self._update(relation)
        more = f" AND {self.grammar.equality(self._scope(relation))}" if self.chance(0.4) else ""
        return f"UPDATE {self.grammar.reference(relation)} AS x SET {column.name} = s.v FROM {source} WHERE {condition}{more}"

    def _delete(self, relation):
        where = self._where(relation) or " WHERE false"
        return f"DELETE FROM {self.grammar.reference(relation)} AS x{where}{self._returning(relation)}"

    def _delete_using(self, relation):
        source, condition = self._lookup(relation)
        return f"DELETE FROM {self.grammar.reference(relation)} AS x USING {source} WHERE {condition} AND {self.grammar.equality(self._scope(relation))}"

    def _merge(self, relation):
        columns = self._given(relation)
        source, condition = self._lookup(relation)
        matched = self.rng.choice([f"UPDATE SET {self._assignment(relation)}", "DELETE", "DO NOTHING"])
        extra = f" AND {self.grammar.equality(self._scope(relation))}" if self.chance(0.6) else ""
        insert = (f" WHEN NOT MATCHED AND s.v = 7 THEN INSERT ({', '.join(column.name for column in columns)}) "
                  f"VALUES ({', '.join(map(self.cell, columns))})") if self.chance(0.4) else ""
        return f"MERGE INTO {self.grammar.reference(relation)} AS x USING {source} ON {condition} WHEN MATCHED{extra} THEN {matched}{insert}"

    def _cte(self, relation):
        column = relation.plain_columns()[0].name
        inner = self.rng.choice([self._update, self._delete])(relation).partition(" RETURNING ")[0]
        outer = self.rng.choice([f"SELECT count(*) FROM w", "SELECT 1 AS one", f"SELECT w.{column} FROM w",
                                 f"INSERT INTO app.tally SELECT 'cte', count(*) FROM w ON CONFLICT (what) DO UPDATE SET n = excluded.n"])
        return f"WITH w AS ({inner} RETURNING x.{column}) {outer}"

    # --- statements around them

    def _wrapped(self, session):
        text = self.dml()
        form = self.rng.randint(0, 2)
        if form == 0:
            return self._step(session, f"EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) {text}", "loose")
        if form == 1:
            text = text.partition(" RETURNING ")[0]
            text = text if not text.startswith("WITH") else self._delete(self.target()).partition(" RETURNING ")[0]
            return self._step(session, f"DO $do$ BEGIN {text}; END $do$")
        text = self._update(self.target()).partition(" RETURNING ")[0]
        return self._step(session, f"COPY ({text} RETURNING 1) TO STDOUT", "loose")

    def _copy(self, session):
        relation = self.target()
        columns = [column for column in self._given(relation) if column.type.family in ("int", "text", "uuid", "enum", "date")]
        if not columns:
            return self._dml(session)
        escape = lambda value: value.replace("\\", "\\\\")
        lines = ["\t".join("\\N" if column.name != "id" and self.chance(0.1) else escape(column.type.pick(self.rng)) for column in columns)
                 for _ in range(self.rng.randint(1, 3))]
        text = f"COPY {self.grammar.reference(relation)} ({', '.join(column.name for column in columns)}) FROM STDIN"
        return self._step(session, text, action="copy", values=["\n".join(lines) + "\n"])

    def _function(self, session):
        if not self.model.writers:
            return self._dml(session)
        function = self.rng.choice([function for function in self.model.writers if function.bases & self.aim] or self.model.writers)
        self.touched = function.bases
        call = self.grammar.call(function, [])
        if function.is_procedure:
            return self._step(session, f"CALL {call}")
        form = self.rng.choice(["SELECT {0}", "SELECT {0}", "SELECT * FROM {0} AS f", "SELECT 1 FROM app.tally WHERE {0} IS NULL AND what = 't1'"])
        return self._step(session, form.format(call))

    def _together(self, session):
        """Several statements in one message: one transaction, unless they say otherwise."""
        first, second = self.dml(), self.dml()
        bases = self.touched
        form = self.rng.choice(["{0}; {1}", "{0}; SELECT 1", "BEGIN; {0}; COMMIT; {1}", "{0}; SELECT 1 / 0", "BEGIN; {0}; SAVEPOINT s; {1}; ROLLBACK TO s; COMMIT",
                                "BEGIN; {0}; ROLLBACK; {1}", "SELECT count(*) FROM app.tally; {0}"])
        self.touched = bases | self.touched
        if self.chance(0.3):
            read = f"SELECT count(*) FROM {self.rng.choice(self.model.tables).full_name}"
            return self._step(session, SEPARATOR.join(self.rng.sample([first, read], 2)), action="pair")
        return self._step(session, form.format(first, second))

    def _extended_group(self, session):
        """Some reads and a write in one Sync group."""
        write = self.dml()
        reads = [f"SELECT id, a, b FROM {self.rng.choice(self.model.tables).full_name} ORDER BY 1, 2, 3 LIMIT 4" for _ in range(2)]
        texts = self.rng.choice([[reads[0], write], [write, reads[0]], [reads[0], write, reads[1]], [write, self.dml()]])
        return self._step(session, SEPARATOR.join(texts), action="group")

    def _refresh(self, session):
        views = [relation for relation in self.model.relations if relation.kind == "matview"]
        if not views:
            return self._dml(session)
        view = self.rng.choice(views)
        self.touched = frozenset([view.name])
        return self._step(session, f"REFRESH MATERIALIZED VIEW {view.full_name}" + self.rng.choice(["", "", "", " WITH NO DATA"]))

    def _truncate(self, session):
        table = self.table()
        text = f"TRUNCATE {self.rng.choice(['', 'ONLY '])}{self.grammar.reference(table)}{self.rng.choice(['', ' RESTART IDENTITY', ' CASCADE', ' CASCADE'])}"
        refills = [self._step(session, self.builder.fill(table))] if self.chance(0.9) else []
        return self._step(session, text) + [step for refill in refills for step in refill]

    def _prepared(self, session):
        self.prepared += 1
        name = f"p{self.prepared}"
        self.grammar.takes_parameters = True
        text = self.dml()
        self.grammar.takes_parameters = False
        text, parameters = self.grammar.bound(text)
        arguments = ", ".join(map(quoted, parameters))
        execute = f"EXECUTE {name}" + f"({arguments})" * bool(arguments)
        return self._step(session, f"PREPARE {name} AS {text}") + self._step(session, execute) * self.rng.randint(1, 2)

    def _cursor(self, session):
        """A cursor, and what is changed while it is open."""
        table = self.table()
        return self._step(session, f"BEGIN; DECLARE cur CURSOR FOR SELECT id FROM {table.full_name} FOR UPDATE; FETCH 1 FROM cur; "
                                   f"UPDATE {table.full_name} AS x SET a = 7{self._where(table)}; CLOSE cur; COMMIT", "loose")

    def _into(self, session):
        made = self.grammar.query(0)
        name = f"app.{self.builder.fresh('made')}"
        text = f"CREATE TABLE {name} AS {made.text}" if self.chance(0.6) else f"SELECT * INTO {name} FROM ({made.text}) AS s"
        return self._step(session, text) + self._step(session, f"DROP TABLE {name}")

    def _locking(self, session):
        table = self.table()
        if self.chance(0.3):
            return self._step(session, f"LOCK TABLE {table.full_name} IN {self.rng.choice(['SHARE', 'EXCLUSIVE', 'ACCESS SHARE'])} MODE")
        return self._step(session, f"SELECT x.id, x.a FROM {table.full_name} AS x{self._where(table)} "
                                   f"FOR {self.rng.choice(['UPDATE', 'SHARE', 'NO KEY UPDATE', 'KEY SHARE'])}")
