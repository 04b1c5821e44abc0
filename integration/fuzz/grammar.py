"""Reads: what they may consist of, at any depth. Every generated query is valid for the model, and its result is determined.

Determined means that PostgreSQL has no choice in it. Where rows are chosen among (DISTINCT, GROUP BY, LIMIT, UNION), all output
columns are ordered by and none has equal values that look different; aggregates order their input; nothing reads the clock;
nothing fails on some rows only. Otherwise a difference would say nothing of the cache.
"""
import dataclasses
import re

from .model import Column, Relation
from .values import BIGINT, BOOL, INT, TEXT, quoted

KEYS = ("id", "k", "ref")
WEIGHTS = {"table": 4, "partitioned": 4, "parent": 4, "partition": 1, "child": 1}
COMPARISONS = ("<", "<=", ">", ">=", "<>")
PATTERNS = ("'a%'", "'%b'", "'_'", "'%'", "'A%'")
MOST = 4000  # what a query may cost: some milliseconds
ORDERED = ("int", "text", "date", "timestamptz", "timestamp", "enum", "numeric", "float", "interval")


@dataclasses.dataclass
class Query:
    text: str
    columns: list
    flags: set = dataclasses.field(default_factory=set)


class Grammar:
    """Use: `read()` for a whole statement; `parameters` then has its parameters' values, `bases` the tables it reads.

    Values are rather those of one row, `row`, so that conditions on several columns agree, and writes meet reads.
    `cost` is a rough product of the sizes of what was named since start(): joins of views of joins would take minutes.
    """

    def __init__(self, rng, model):
        self.rng = rng
        self.model = model
        self.names = 0
        self.takes_parameters = False
        self.rows = [1]  # whose values are asked for rather than others
        self.row = 1  # rather than those
        self.start()

    def start(self):
        self.parameters = []
        self.bases = set()
        self.names = 0
        self.cost = 1

    def affordable(self, make, most):
        """What `make` makes, started again until it costs no more than that."""
        while True:
            self.start()
            made = make()
            if self.cost <= most:
                return made

    def bound(self, text):
        """The text and its parameters, without those of parts that were made and not used."""
        numbers = {}

        def number(match):
            return f"${numbers.setdefault(int(match[1]), len(numbers) + 1)}"

        text = re.sub(r"(?<!\w)\$(\d+)", number, text)  # not within $q$1$q$
        return text, tuple(self.parameters[at - 1] for at in numbers)

    # --- small choices

    def chance(self, share):
        return self.rng.random() < share

    def choose(self, *weighted):
        """One of (weight, thing)."""
        return self.rng.choices([thing for _, thing in weighted], [weight for weight, _ in weighted])[0]

    def name(self, prefix="x"):
        self.names += 1
        return f"{prefix}{self.names}"

    # --- FROM

    def relation(self):
        relation = self.weighted(self.model.relations)
        self.uses(relation)
        return relation

    def weighted(self, relations):
        """Tables come most, parts of them least."""
        return self.rng.choices(relations, [WEIGHTS.get(relation.kind, 2) for relation in relations])[0]

    def uses(self, thing):
        self.bases |= thing.bases
        self.cost *= thing.cost

    def reference(self, relation):
        """A name for it: not always the whole, so that search_path decides."""
        return relation.full_name if self.chance(0.4) else relation.name

    def table(self, relation=None):
        """(text, scope): one relation under an alias, now and then with its columns' names swapped."""
        relation = relation or self.relation()
        alias = self.name()
        text = self.reference(relation)
        if relation.kind in ("parent", "partitioned") and self.chance(0.15):
            text = "ONLY " + text
        columns = relation.columns
        if len(columns) > 1 and self.chance(0.06):
            columns = [Column(other.name, column.type, column.is_clock, is_key=column.is_key)
                       for column, other in zip(columns, columns[1:] + columns[:1])]
            return f"{text} AS {alias} ({', '.join(column.name for column in columns)})", [(alias, columns)]
        return f"{text} AS {alias}" if self.chance(0.5) else f"{text} {alias}", [(alias, columns)]

    def source(self, depth, outer=()):
        make = self.choose((6 if depth else 1, self._plain_source), (3 * depth, self._subquery_source), (6 * depth, self._join_source),
                           (depth, self._function_source))
        return make(depth, outer)

    def _plain_source(self, depth, outer):
        return self.table()

    def _subquery_source(self, depth, outer):
        inner = self.query(depth - 1, outer)
        alias = self.name("s")
        return f"({inner.text}) AS {alias}", [(alias, inner.columns)]

    def _function_source(self, depth, outer):
        functions = [function for function in self.model.readers if function.columns]
        if not functions:
            return self.table()
        function = self.rng.choice(functions)
        self.uses(function)
        alias = self.name("f")
        return f"{self.call(function, [])} AS {alias}", [(alias, function.columns)]

    def _join_source(self, depth, outer):
        left, left_scope = self.source(depth - 1, outer)
        how = self.choose((4, "JOIN"), (4, "LEFT JOIN"), (2, "RIGHT JOIN"), (2, "FULL JOIN"), (1, "CROSS JOIN"), (1, ", LATERAL"),
                          (1, "LEFT JOIN LATERAL"))
        if "LATERAL" in how:
            inner = self.query(0, left_scope)
            alias = self.name("l")
            condition = " ON true" if "JOIN" in how else ""
            return f"{left} {how} ({inner.text}) AS {alias}{condition}", left_scope + [(alias, inner.columns)]
        right, right_scope = self.source(depth - 1 if self.chance(0.3) else 0, outer)
        scope = left_scope + right_scope
        if how == "CROSS JOIN":
            return f"{left} CROSS JOIN {right}", scope
        conditions = [self.correlation(left_scope, right_scope)]
        # A constant on either side: whether it confines anything depends on the kind of the join.
        if self.chance(0.6):
            conditions.append(self.equality(self.rng.choice([left_scope, right_scope])))
        self.rng.shuffle(conditions)
        return f"{left} {how} {right} ON {' AND '.join(conditions)}", scope

    # --- expressions

    def columns_of(self, scope, family=None):
        """[(text, column)]."""
        return [(f"{alias}.{column.name}" if alias else column.name, column) for alias, columns in scope for column in columns
                if not column.is_clock and (family is None or column.type.family == family)]

    def column(self, scope, family=None, key_share=0.3):
        """(text, type) of one, rather of one that rows are found by."""
        found = self.columns_of(scope, family)
        keys = [(text, column) for text, column in found if column.is_key]
        if not found:
            return None
        text, column = self.rng.choice(keys if keys and self.chance(key_share) else found)
        return text, column.type

    def value(self, type_, row_share=0.7):
        """A constant or a parameter, to be compared with something of this type."""
        if self.chance(row_share):
            return self.spelled(type_, type_.at(self.row))
        return self.spelled(type_, type_.at(self.rng.choice(self.rows)) if self.chance(0.7) else type_.pick(self.rng))

    def other_value(self, type_):
        return self.value(type_, 0)

    def spelled(self, type_, value):
        if self.takes_parameters and self.chance(0.7):
            return self.parameter(type_.parameter(self.rng, value))
        return type_.literal(self.rng, value)

    def parameter(self, value):
        self.parameters.append(value)
        return f"${len(self.parameters)}"

    def call(self, function, scope):
        arguments = []
        for type_ in function.arguments:
            column = self.column(scope, type_.family) if self.chance(0.5) else None
            arguments.append(f"{column[0]}::{type_.sql}" if column else type_.plain(type_.pick(self.rng)))
        name = function.name if self.chance(0.6) else f"app.{function.name}"
        return f"{name}({', '.join(arguments)})"

    def expression(self, scope, depth, family=None):
        """(text, type)."""
        make = self.choose((8, self._plain_expression), (1, self._case), (1, self._coalesce), (1, self._call),
                           (depth, self._scalar_subquery), (1, self._number), (2, self._text))
        return make(scope, depth, family)

    def _plain_expression(self, scope, depth, family):
        column = self.column(scope, family)
        if column:
            return column
        type_ = {"int": INT, "bool": BOOL}.get(family, TEXT)
        if family not in (None, "int", "bool", "text"):
            return "NULL", type_
        return type_.plain(type_.pick(self.rng)), type_

    def _case(self, scope, depth, family):
        text, type_ = self._plain_expression(scope, depth, family)
        return f"CASE WHEN {self.predicate(scope, 0)} THEN {text} END", type_

    def _coalesce(self, scope, depth, family):
        text, type_ = self._plain_expression(scope, depth, family)
        return f"coalesce({text}, {type_.plain(type_.pick(self.rng))})" if text != "NULL" else text, type_

    def _call(self, scope, depth, family):
        functions = [function for function in self.model.readers if function.returns and function.returns.family == (family or "int")]
        if not functions:
            return self._plain_expression(scope, depth, family)
        function = self.rng.choice(functions)
        self.uses(function)
        return self.call(function, scope), function.returns

    def _scalar_subquery(self, scope, depth, family):
        text, inner = self.table()
        column = self.column(inner, family)
        if column is None:
            return self._plain_expression(scope, depth, family)
        output, type_ = self.sealed(*column)
        where = self.where(inner, depth - 1, scope)
        return f"(SELECT {output} FROM {text}{where} ORDER BY 1 LIMIT 1)", type_

    def _number(self, scope, depth, family):
        column = self.column(scope, "int")
        if family not in (None, "int") or column is None:
            return self._plain_expression(scope, depth, family)
        return self.rng.choice(["{0} + 1", "-{0}", "{0} % 3", "greatest({0}, 3)"]).format(column[0]), BIGINT

    def _text(self, scope, depth, family):
        if family not in (None, "text"):
            return self._plain_expression(scope, depth, family)
        moment = self.column(scope, "timestamptz")
        if moment and self.chance(0.7):
            return self.rng.choice(["to_char({0}, 'YYYY-MM-DD HH24:MI TZ')", "{0}::text", "extract(hour FROM {0})::text",
                                    "date_trunc('day', {0})::text", "({0} AT TIME ZONE 'Asia/Tokyo')::text",
                                    "{0}::date::text"]).format(moment[0]), TEXT
        if self.chance(0.3):
            alias = self.rng.choice(scope)
            if alias[0] and not any(column.is_clock for column in alias[1]):
                return self.rng.choice(["to_jsonb({0})::text", "{0}::text", "row_to_json({0})::text"]).format(alias[0]), TEXT
        column = self.column(scope)
        if column is None:
            return "'x'", TEXT
        return self.rng.choice(["{0}::text", "format('<%s>', {0})", "{0}::text || '!'", "upper({0}::text)", "length({0}::text)::text",
                                "jsonb_build_array({0})::text", "concat_ws('-', {0}, 'x')",
                                "array_to_string(ARRAY[{0}, NULL], ',', '*')"]).format(column[0]), TEXT

    # --- conditions

    def where(self, scope, depth, outer=(), share=0.65):
        if not self.chance(share):
            return ""
        conditions = [self.predicate(scope, max(depth, 0))]
        if outer and self.chance(0.8):
            conditions.append(self.correlation(scope, outer))
        if self.chance(0.12):
            conditions.append(self.equality(scope))
        self.rng.shuffle(conditions)
        return " WHERE " + " AND ".join(conditions)

    def correlation(self, scope, outer):
        """A column of one equals a column of the other, rather keys."""
        pairs = [(one, two, first.is_key and second.is_key) for one, first in self.columns_of(scope) for two, second in self.columns_of(outer)
                 if one != two and first.type.family == second.type.family and first.type.family != "jsonb"]
        if not pairs:
            return "true"
        keys = [pair for pair in pairs if pair[2]]
        return " = ".join(self.rng.choice(keys if keys and self.chance(0.6) else pairs)[:2])

    def equality(self, scope):
        """What confines a read to few values of a column, or looks as if it did."""
        column = self.column(scope, key_share=0.6)
        if column is None:
            return "true"
        name, type_ = column
        form = self.choose((12, "="), (2, "flipped"), (4, "in"), (3, "any"), (2, "or"), (1, "distinct"), (1, "is true"), (1, "row"))
        if form == "=":
            return f"{name} = {self.value(type_)}"
        if form == "flipped":
            return f"{self.value(type_)} = {name}"
        if form == "in" or form == "any" and type_.family == "array":
            listed = [self.value(type_)] + [self.other_value(type_) for _ in range(self.rng.randint(0, 2))]
            return f"{name} IN ({', '.join(listed)}{', NULL' if self.chance(0.1) else ''})"
        if form == "any":
            return f"{name} = ANY ({self.array(type_)})"
        if form == "or":
            return f"({name} = {self.value(type_)} OR {name} = {self.other_value(type_)})"
        if form == "distinct":
            return f"{name} IS NOT DISTINCT FROM {self.value(type_)}"
        if form == "is true":
            return f"({name} = {self.value(type_)}) {self.rng.choice(['IS TRUE', 'IS NOT FALSE', 'IS NOT TRUE', 'IS NOT NULL'])}"
        other, other_type = self.column(scope)
        return f"({name}, {other}) = ({self.value(type_)}, {self.value(other_type)})"

    def array(self, type_):
        picked = [type_.at(self.rng.choice([self.row, *self.rows])) for _ in range(self.rng.randint(0, 3))]
        sql = type_.sql.removesuffix(" COLLATE app.ci")
        if self.takes_parameters and self.chance(0.6):
            escaped = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in picked)
            return f"{self.parameter('{' + ','.join(escaped) + '}')}::{sql}[]"
        return f"ARRAY[{', '.join(type_.literal(self.rng, value) for value in picked)}]::{sql}[]"

    def predicate(self, scope, depth):
        make = self.choose((9, self._equality), (3, self._comparison), (1, self._null_test), (1, self._same), (1, self._not), (2, self._or),
                           (2, self._and), (2 * depth, self._exists), (2 * depth, self._in), (0.5, self._coalesced), (0.5, self._pattern),
                           (0.3, self._constant), (0.5, self._case_condition), (0.6, self._call_condition))
        return make(scope, depth)

    def _equality(self, scope, depth):
        return self.equality(scope)

    def _comparison(self, scope, depth):
        column = self.column(scope)
        if column is None:
            return "true"
        name, type_ = column
        if self.chance(0.3):
            return f"{name} BETWEEN {self.value(type_)} AND {self.value(type_)}"
        return f"{name} {self.rng.choice(COMPARISONS)} {self.value(type_)}"

    def _null_test(self, scope, depth):
        column = self.column(scope)
        return f"{column[0]} IS {self.rng.choice(['', 'NOT '])}NULL" if column else "true"

    def _same(self, scope, depth):
        return self.correlation(scope, scope)

    def _not(self, scope, depth):
        return f"NOT ({self.predicate(scope, depth)})"

    def _or(self, scope, depth):
        return f"({self.predicate(scope, 0)} OR {self.predicate(scope, depth)})"

    def _and(self, scope, depth):
        return f"({self.predicate(scope, 0)} AND {self.predicate(scope, depth)})"

    def _exists(self, scope, depth):
        text, inner = self.table()
        return f"{self.rng.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM {text}{self.where(inner, depth - 1, scope, 1)})"

    def _in(self, scope, depth):
        column = self.column(scope)
        if column is None or column[1].family == "jsonb":
            return "true"
        name, type_ = column
        text, inner = self.table()
        other = self.column(inner, type_.family)
        if other is None:
            return "true"
        how = self.choose((4, "IN"), (2, "NOT IN"), (1, "= ANY"), (1, "<> ALL"))
        return f"{name} {how} (SELECT {other[0]} FROM {text}{self.where(inner, depth - 1, scope if self.chance(0.3) else ())})"

    def _coalesced(self, scope, depth):
        column = self.column(scope)
        if column is None:
            return "true"
        name, type_ = column
        return f"coalesce({name}, {type_.plain(type_.pick(self.rng))}) = {self.value(type_)}"

    def _pattern(self, scope, depth):
        column = self.column(scope)
        return f"{column[0]}::text {self.rng.choice(['LIKE', 'NOT LIKE', 'ILIKE'])} {self.rng.choice(PATTERNS)}" if column else "true"

    def _constant(self, scope, depth):
        return self.rng.choice(["true", "false", "NULL", "1 = 1", "1 = 2"])

    def _case_condition(self, scope, depth):
        return f"CASE WHEN {self.predicate(scope, 0)} THEN {self.predicate(scope, 0)} ELSE {self.predicate(scope, 0)} END"

    def _call_condition(self, scope, depth):
        text, type_ = self._call(scope, depth, self.rng.choice(["int", "text", "bool"]))
        return f"{text} = {type_.plain(type_.pick(self.rng))}"

    # --- queries

    def sealed(self, text, type_):
        """The same such that equal values look equal."""
        return (text, type_) if type_.exact else (f'{text}::text COLLATE "C"', TEXT)

    def outputs(self, scope, depth, families=None):
        """[(text, type)]."""
        if families is not None:
            return [self.sealed(*self._plain_expression(scope, depth, family)) for family in families]
        return [self.sealed(*self.expression(scope, depth)) for _ in range(self.rng.randint(1, 4))]

    def query(self, depth, outer=()):
        """One whose columns have names and whose rows are determined, without an order."""
        make = self.choose((8, self._select), (2, self._grouped), (1.5, self._window), (1.5, self._distinct), (1.5, self._limited),
                           (2 * depth, self._set_operation), (1.5 * depth, self._with), (0.7 * depth, self._recursive), (0.3, self._values))
        return make(depth, outer)

    def _finish(self, head, outputs, tail):
        names = [self.name("c") for _ in outputs]
        # Often the column keeps its own name, so that an outer condition on it looks like one on the table's.
        for at, (text, _) in enumerate(outputs):
            own = text.rpartition(".")[2]
            if own.isidentifier() and own not in names and text.count(".") == 1:
                names[at] = own
        listed = ", ".join(f"{text} AS {name}" for (text, _), name in zip(outputs, names))
        return Query(f"{head}{listed}{tail}", [Column(name, type_, is_key=name in KEYS) for (_, type_), name in zip(outputs, names)])

    def _select(self, depth, outer=(), families=None):
        text, scope = self.source(depth, outer)
        outputs = self.outputs(scope, depth, families)
        return self._finish("SELECT ", outputs, f" FROM {text}{self.where(scope, depth, outer)}")

    def _distinct(self, depth, outer):
        text, scope = self.source(depth, outer)
        outputs = self.outputs(scope, depth)
        where = self.where(scope, depth, outer)
        if self.chance(0.5):
            return self._finish("SELECT DISTINCT ", outputs, f" FROM {text}{where}")
        order = ", ".join(text for text, _ in outputs)
        first = outputs[0][0]
        if any(text.startswith("'") or text == "NULL" for text, _ in outputs):
            return self._finish("SELECT DISTINCT ", outputs, f" FROM {text}{where}")
        return self._finish(f"SELECT DISTINCT ON ({first}) ", outputs, f" FROM {text}{where} ORDER BY {order}")

    def _limited(self, depth, outer):
        inner = self._select(depth, outer)
        order = ", ".join(f"{at + 1}{self.rng.choice(['', ' DESC', ' NULLS FIRST'])}" for at in range(len(inner.columns)))
        limit = self.rng.choice([" LIMIT 1", " LIMIT 3", " OFFSET 1", " LIMIT 2 OFFSET 1", " FETCH FIRST 2 ROWS WITH TIES"])
        return Query(f"{inner.text} ORDER BY {order}{limit}", inner.columns)

    def aggregate(self, scope):
        column = self.column(scope)
        number = self.column(scope, "int")
        text, type_ = self.sealed(*column) if column else ("1", INT)
        made = self.choose((4, ("count(*)", BIGINT)), (1, (f"count(DISTINCT {text})", BIGINT)), (1, (f"count({text})", BIGINT)),
                           (3, (f"sum({number[0]})::bigint", BIGINT) if number else ("count(*)", BIGINT)),
                           (1, (f"string_agg({text}::text, ',' ORDER BY {text}::text COLLATE \"C\")", TEXT)),
                           (1, (f"array_agg({text}::text ORDER BY {text}::text)::text", TEXT)),
                           (1, (f"jsonb_agg({text} ORDER BY {text})::text", TEXT)),
                           (1, (f"bool_or({self.equality(scope)})", BOOL)),
                           (2, (f"max({text})", type_) if type_.family in ORDERED else ("count(*)", BIGINT)))
        if self.chance(0.25):
            cast = made[0].rpartition("::")
            aggregate, suffix = (cast[0], "::" + cast[2]) if cast[1] and cast[2].isidentifier() else (made[0], "")
            return f"({aggregate} FILTER (WHERE {self.predicate(scope, 0)})){suffix}", made[1]
        return made

    def _grouped(self, depth, outer):
        text, scope = self.source(depth, outer)
        where = self.where(scope, depth, outer)
        aggregates = [self.aggregate(scope) for _ in range(self.rng.randint(1, 3))]
        columns = [self.sealed(*column) for column in (self.column(scope) for _ in range(self.rng.randint(0, 2))) if column]
        columns = list(dict(columns).items())
        if not columns:
            return self._finish("SELECT ", aggregates, f" FROM {text}{where}")
        names = ", ".join(text for text, _ in columns)
        grouping = self.choose((6, names), (1, f"ROLLUP ({names})"), (1, f"CUBE ({names})"), (1, f"GROUPING SETS (({names}), ())"))
        having = ""
        if self.chance(0.4):
            name, type_ = columns[0]
            having = " HAVING " + (f"{name} = {self.value(type_)}" if self.chance(0.5) else "count(*) > 1")
        return self._finish("SELECT ", columns + aggregates, f" FROM {text}{where} GROUP BY {grouping}{having}")

    def _window(self, depth, outer):
        text, scope = self.source(depth, outer)
        outputs = self.outputs(scope, depth)
        order = ", ".join(text for text, _ in outputs)
        number = self.column(scope, "int")
        by = self.sealed(*(self.column(scope) or ("1", INT)))[0]
        window = self.choose((1, f"row_number() OVER (ORDER BY {order})"), (1, f"count(*) OVER (PARTITION BY {by})"), (1, "count(*) OVER ()"),
                             (1, f"rank() OVER (ORDER BY {by})"), (1, f"lag({outputs[0][0]}::text) OVER (ORDER BY {order})"),
                             (1, f"sum({number[0] if number else '1'}) OVER (ORDER BY {by})"))
        type_ = TEXT if window.startswith("lag") else BIGINT
        if type_ is BIGINT:
            window = f"({window})::bigint"
        return self._finish("SELECT ", outputs + [(window, type_)], f" FROM {text}{self.where(scope, depth, outer)}")

    def _set_operation(self, depth, outer):
        left = self._select(depth - 1, outer)
        right = self._select(0, outer, [column.type.family for column in left.columns])
        how = self.choose((3, "UNION ALL"), (3, "UNION"), (1, "INTERSECT"), (2, "EXCEPT"), (1, "EXCEPT ALL"))
        # Names and types are the left one's; where the right one had nothing of the kind, it has NULL.
        return Query(f"{left.text} {how} {right.text}", left.columns)

    def _with(self, depth, outer):
        inner = self.query(depth - 1)
        name = self.rng.choice(self.model.relations).name if self.chance(0.25) else self.name("w")
        materialized = self.choose((4, ""), (1, "MATERIALIZED "), (1, "NOT MATERIALIZED "))
        self.model.relations.append(cte := Relation("", name, inner.columns, "cte", bases=frozenset(self.bases) or frozenset([name])))
        cte.cost = self.cost
        try:
            alias = self.name()
            scope = [(alias, cte.columns)]
            source = f"{name} AS {alias}"
            if self.chance(0.5):
                more, more_scope = self.table()
                source += f" CROSS JOIN {more}"
                scope = scope + more_scope
            body = self._finish("SELECT ", self.outputs(scope, 0), f" FROM {source}{self.where(scope, 0)}")
        finally:
            self.model.relations.remove(cte)
        return Query(f"WITH {name} AS {materialized}({inner.text}) {body.text}", body.columns)

    def _recursive(self, depth, outer):
        name = self.name("r")
        start, start_scope = self.table()
        step, step_scope = self.table()
        first, where = self.column(start_scope, "int"), self.where(start_scope, 0)
        second, link = self.column(step_scope, "int"), self.column(step_scope, "int")
        if not first or not second:
            return self._select(depth, outer)
        text = (f"WITH RECURSIVE {name} (n, d) AS (SELECT {first[0]}::bigint, 1 FROM {start}{where} UNION SELECT {second[0]}::bigint, d + 1 "
                f"FROM {name} JOIN {step} ON {link[0]} = {name}.n WHERE d < 4) SELECT n, d FROM {name}")
        if self.chance(0.5):
            text += f" WHERE {self.predicate([(name, [Column('n', BIGINT), Column('d', INT)])], 0)}"
        return Query(text, [Column("n", BIGINT), Column("d", INT)])

    def _values(self, depth, outer):
        rows = ", ".join(f"({quoted(TEXT.pick(self.rng))}, {INT.pick(self.rng)})" for _ in range(self.rng.randint(1, 3)))
        return Query(f"SELECT v.t, v.n FROM (VALUES {rows}) AS v (t, n)", [Column("t", TEXT), Column("n", INT)])

    # --- statements

    def read(self):
        """A whole read, and its flags."""
        make = self.choose((7, self._by_key), (7, self._joined), (4, self._star), (14, self._any_query), (0.5, self._identity), (0.3, self._catalog))
        return self.affordable(make, MOST)

    def _by_key(self):
        """What applications ask most."""
        relation = self.relation()
        text, scope = self.table(relation)
        key = self.rng.choice(relation.keys) if relation.keys else [self.rng.choice(relation.plain_columns())]
        alias = scope[0][0]
        conditions = [f"{alias}.{column.name} = {self.value(column.type)}" for column in key if relation.column(column.name)
                      and column in scope[0][1]] or [self.equality(scope)]
        if self.chance(0.2):
            conditions.append(self.predicate(scope, 0))
        outputs = self.outputs(scope, 0)
        made = self._finish("SELECT ", outputs, f" FROM {text} WHERE {' AND '.join(conditions)}")
        return Query(made.text + self._order(len(outputs)), made.columns)

    def _joined(self):
        """Little but a join and constants in its conditions: which of its sides do they confine?"""
        text, scope = self._join_source(self.choose((3, 1), (1, 2)), ())
        where = f" WHERE {self.equality(scope)}" if self.chance(0.6) else ""
        outputs = [self.sealed(*self.column(scope)) for _ in range(self.rng.randint(2, 4))]
        made = self._finish("SELECT ", outputs, f" FROM {text}{where}")
        return Query(made.text, made.columns, {"unordered"})

    def _star(self):
        relation = self.relation()
        text, scope = self.table(relation)
        flags = {"unordered"}
        if relation.has_clock:
            flags.add("clock")
        if self.chance(0.1):
            return Query(f"TABLE {self.reference(relation)}", relation.columns, flags)
        return Query(f"SELECT * FROM {text}{self.where(scope, 1, share=0.9)}", relation.columns, flags)

    def _any_query(self):
        made = self.query(self.choose((2, 0), (5, 1), (1.5, 2)))
        # An order for all of it stands outside, where it cannot meet one that is inside.
        if self.chance(0.7):
            return Query(f"SELECT * FROM ({made.text}) AS top" + self._order(len(made.columns)), made.columns)
        return Query(made.text, made.columns, {"unordered"})

    def _identity(self):
        return Query("SELECT " + self.rng.choice(["current_user", "current_schema", "current_setting('app.tenant', true)",
                                                  "current_schemas(false)", "session_user", "current_setting('TimeZone')"]), [])

    def _catalog(self):
        return Query(self.rng.choice([
            "SELECT relname, relkind FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'app' ORDER BY 1, 2",
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'app' ORDER BY 1",
            "SELECT polname FROM pg_policy ORDER BY 1"]), [])

    def _order(self, count):
        return " ORDER BY " + ", ".join(str(at + 1) for at in range(count))
