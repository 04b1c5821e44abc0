"""Column types with few values, so that reads and writes meet, and the many ways in which SQL may spell one value.

pgmemo confines a read to the rows with `id = 7`, and must find that a write of `'07'`, `7.0` or `3 + 4` is a write of the
same. So a value is hardly ever spelled the same way twice.
"""
import dataclasses
import typing


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


@dataclasses.dataclass(frozen=True, eq=False)
class Type:
    """`values` are the canonical texts. Of types that are not `exact`, equal values may have different texts: the rows
    among which DISTINCT, GROUP BY, LIMIT or a join choose must not show which one was chosen.

    `spell` is other ways to write a value, as functions of its text; `other` the same for parameters.
    """
    sql: str
    family: str
    values: tuple
    spell: tuple = ()
    other: tuple = ()
    exact: bool = True

    def plain(self, value):
        """What any context takes for this type."""
        return f"{quoted(value)}::{self.sql.removesuffix(' COLLATE app.ci')}"

    def literal(self, rng, value):
        if self.spell and rng.random() < 0.5:
            return rng.choice(self.spell)(value)
        return value if self.family == "int" else quoted(value)

    def parameter(self, rng, value):
        return rng.choice(self.other)(value) if self.other and rng.random() < 0.4 else value

    def pick(self, rng):
        return rng.choice(self.values)

    def at(self, number):
        """The value that row `number` of a fresh table has."""
        return self.values[number % len(self.values)]

    def series(self, number):
        """The same as SQL, of an expression."""
        listed = ",".join(map(quoted, self.values))
        return f"(ARRAY[{listed}])[{number} % {len(self.values)} + 1]::{self.sql}"


def _cast(name):
    return lambda value: f"{quoted(value)}::{name}"


_INTEGERS = tuple(map(str, [*range(1, 19), 0, -3]))
_WORDS = ("a", "A", "b", "ab", "", "é", "e\u0301", "o'b", "a\\b", "x%", " a", "c", "ab ", "B", "É", "d", "1", "true", "{}")
_DAYS = tuple(f"2024-{month:02}-{day:02}" for month in (1, 2) for day in range(1, 11))


def _split(value):
    return f"({int(value) - 5} + 5)"


_INT_SPELLINGS = (quoted, _split, _cast("int"), lambda value: f"{value}.0", lambda value: f"{value}::bigint",
                  lambda value: quoted(f" {value} "), lambda value: f"{value}::numeric", lambda value: f"abs({value})")
_TEXT_SPELLINGS = (_cast("text"), _cast("varchar"), lambda value: f"({quoted(value)} || '')", lambda value: f"$q${value}$q$",
                   lambda value: "E" + quoted(value.replace("\\", "\\\\")), lambda value: "U&" + quoted(value.replace("\\", "\\\\")))


def _integers(sql):
    return Type(sql, "int", _INTEGERS, _INT_SPELLINGS,
                (lambda value: f" {value}", lambda value: f"0{value}" if value[0] != "-" else value))


def _words(sql, *spellings, exact=True):
    return Type(sql, "text", _WORDS, _TEXT_SPELLINGS + spellings, exact=exact)


INT, BIGINT, SMALLINT, DOMAIN = (_integers(name) for name in ("int", "bigint", "smallint", "app.posint"))
TEXT = _words("text")
VARCHAR = _words("varchar(8)", _cast("varchar(8)"))
CHAR = _words("char(4)", _cast("char(4)"), lambda value: quoted(value + " "))
CI = _words("text COLLATE app.ci", lambda value: quoted(value.upper()), exact=False)
UUID = Type("uuid", "uuid", tuple(f"00000000-0000-0000-0000-0000000000{n:02x}" for n in range(1, 20)),
            (lambda value: quoted(value.upper()), lambda value: quoted("{" + value + "}"), _cast("uuid"),
             lambda value: quoted(value.replace("-", ""))), (str.upper, lambda value: value.replace("-", "")))
BOOL = Type("bool", "bool", ("true", "false"),
            (str, lambda value: quoted(value[0]), lambda value: f"(NOT {value} IS NOT true)", _cast("bool"),
             lambda value: quoted("on" if value == "true" else "off")), (lambda value: value[0],))
NUMERIC = Type("numeric", "numeric", ("0", "1", "2.50", "3", "-1", "1e1", "NaN", "4", "5.0", "6", "7", "8", "0.5", "1.5", "1.0", "2.5", "9"),
               (_cast("numeric"), lambda value: quoted(value + "0" if "." in value else value)), exact=False)
DATE = Type("date", "date", _DAYS,
            (lambda value: "date " + quoted(value), lambda value: quoted(("Jan " if value[6] == "1" else "Feb ") + value[-2:] + " 2024"), _cast("date"),
             lambda value: quoted(value.replace("-", "")), lambda value: quoted(f"{value[-2:]}/{value[5:7]}/2024"),
             lambda value: f"make_date(2024, {int(value[5:7])}, {int(value[-2:])})", _cast("timestamp")), (lambda value: value.replace("-", ""),))
ENUM = Type("app.mood", "enum", ("sad", "ok", "happy"), (_cast("app.mood"),))
TIMESTAMPTZ = Type("timestamptz", "timestamptz", tuple(day + " 12:30:00+00" for day in _DAYS),
                   (_cast("timestamptz"), lambda value: quoted(value[:10] + " 07:30:00-05"), lambda value: quoted(value[:16])))
TIMESTAMP = Type("timestamp", "timestamp", tuple(day + " 12:30:00" for day in _DAYS), (_cast("timestamp"),))
INTERVAL = Type("interval", "interval", ("1 day", "24:00:00", "1 mon 2 days 03:04:05", "-1 hour"), exact=False)
FLOAT = Type("float8", "float", ("0.1", "0.30000000000000004", "1e20", "-0", "0", "Infinity"), (_cast("float8"),), exact=False)
BYTEA = Type("bytea", "bytea", ("\\x00ff", "\\x", "\\x27"))
JSONB = Type("jsonb", "jsonb", ('{"a": 1, "b": ["x", null]}', '{"a": 1.0}', "[]", '"s"', "null"), exact=False)
ARRAY = Type("int[]", "array", ("{}", "{1,2}", "{NULL,3}", "{7}"), (lambda value: f"ARRAY[{value.strip('{}')}]::int[]",))

# What may be a key comes more often as what applications take for keys.
KEYS = (INT, INT, INT, INT, INT, BIGINT, BIGINT, SMALLINT, DOMAIN, TEXT, TEXT, VARCHAR, CHAR, CI, UUID, UUID, NUMERIC, DATE, ENUM)
PAYLOADS = (INT, BIGINT, TEXT, VARCHAR, CHAR, CI, UUID, BOOL, NUMERIC, DATE, ENUM, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMP, INTERVAL, FLOAT,
            BYTEA, JSONB, ARRAY)
