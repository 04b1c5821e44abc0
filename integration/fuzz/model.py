"""What the generator believes the database to hold. It may be wrong (a statement failed, a transaction was rolled back): then
a later statement fails in the same way on both sides."""
import dataclasses

from . import values


@dataclasses.dataclass(eq=False)
class Column:
    name: str
    type: values.Type
    is_clock: bool = False  # holds a time that differs between the two databases
    target: object = None  # the relation whose id it refers to
    is_key: bool = False  # rows are found by it


@dataclasses.dataclass(eq=False)
class Relation:
    """A table, a partition, a view …, or what a FROM item makes of one."""
    schema: str
    name: str
    columns: list
    kind: str = "table"
    keys: list = dataclasses.field(default_factory=list)  # lists of columns, each unique
    bases: frozenset = frozenset()  # names of the tables that its rows come from
    referring: list = dataclasses.field(default_factory=list)  # those that have a foreign key to it
    cost: float = 5  # by how much it makes a query longer that reads it; see Grammar.cost
    is_deferrable: bool = False  # has a unique constraint that ON CONFLICT refuses

    def __post_init__(self):
        self.bases = self.bases or frozenset([self.name])

    @property
    def full_name(self):
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def has_clock(self):
        return any(column.is_clock for column in self.columns)

    @property
    def is_exact(self):
        return all(column.type.exact for column in self.columns)

    def column(self, name):
        return next((column for column in self.columns if column.name == name), None)

    def reach(self):
        """Names of the tables whose rows may change with this one's: by foreign keys, and by triggers."""
        reached = {"tally"}
        found = [self]
        for relation in found:
            reached |= relation.bases
            found += [other for other in relation.referring if other not in found]
        return reached

    def plain_columns(self):
        """Those that a read may name and still be comparable between the databases."""
        return [column for column in self.columns if not column.is_clock]


@dataclasses.dataclass(eq=False)
class Function:
    name: str
    arguments: list  # types
    returns: values.Type = None
    columns: list = None  # of a function that gives rows
    bases: frozenset = frozenset()
    cost: float = 2
    is_procedure: bool = False


class Model:
    def __init__(self):
        self.relations = []
        self.readers = []  # functions to be used in reads
        self.writers = []  # functions and procedures that write
        self.tables = []  # the relations that DDL is about

    def writable(self):
        return [relation for relation in self.relations if relation.kind not in ("matview", "query view")]
