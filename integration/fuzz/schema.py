"""A schema of its own for every seed: tables of all kinds, what stands on them, and what hides behind a write to them."""
from . import values
from .grammar import Grammar, Query
from .model import Column, Function, Model, Relation
from .script import Step
from .values import INT, TEXT

ROLES = ("fuzz_owner", "fuzz_r1", "fuzz_r2")

PREPARATION = """
CREATE ROLE fuzz_owner LOGIN
CREATE ROLE fuzz_r1 LOGIN
CREATE ROLE fuzz_r2 LOGIN
GRANT fuzz_r2 TO fuzz_r1
CREATE SCHEMA app
CREATE SCHEMA alt
CREATE SCHEMA fuzz_r1 AUTHORIZATION fuzz_r1
GRANT ALL ON SCHEMA app, alt, fuzz_r1 TO PUBLIC
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC
CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy')
CREATE DOMAIN app.posint AS int CHECK (value > -1000)
CREATE TABLE app.tally (what text PRIMARY KEY, n bigint NOT NULL)
INSERT INTO app.tally SELECT 't' || g, 0 FROM generate_series(1, 9) g
CREATE TABLE app.acl (who text, tenant text)
INSERT INTO app.acl VALUES ('fuzz_r1', 'a'), ('fuzz_r1', 'A'), ('fuzz_r2', 'b'), ('fuzz_owner', 'é')
"""

ROWS = 12  # in a fresh table; every type that makes a good key has more values, for rows to come
MOST_OF_VIEW = 130  # see Grammar.cost


class Builder:
    """Use: `Builder(rng).build()`; then `steps` makes what `model` holds. ddl.py uses its pieces again, later in the round."""

    def __init__(self, rng):
        self.rng = rng
        self.model = Model()
        self.grammar = Grammar(rng, self.model)
        self.steps = []
        self.counts = {}
        self.usual_key = rng.choice(values.KEYS)
        # What cannot be seen into makes pgmemo drop everything at each write, which hides what this is after: in few schemas only.
        self.has_dynamic = rng.random() < 0.15

    def do(self, text):
        self.steps.append(Step(0, "query", "write", text))

    def chance(self, share):
        return self.rng.random() < share

    def fresh(self, prefix):
        self.counts[prefix] = self.counts.get(prefix, 0) + 1
        return f"{prefix}{self.counts[prefix]}"

    def build(self):
        self.steps.append(Step(0, "connect", "session", '{"user": "postgres"}'))
        for line in PREPARATION.strip().splitlines():
            self.do(line)
        self.steps.append(Step(0, "query", "session", "SET search_path = app, alt"))
        self.model.relations.append(Relation("app", "tally", [Column("what", TEXT), Column("n", values.BIGINT)], "tally"))
        for _ in range(self.rng.randint(3, 6)):
            self.table()
        for make, low, high in ((self.function, 2, 5), (self.view, 2, 5), (self.materialized_view, 0, 2), (self.writer, 2, 4),
                                (self.trigger, 1, 4), (self.instead_of, 0, 1), (self.security, 0, 2), (self.rule, 0, 1), (self.shadow, 0, 2),
                                (self.ownership, 0, 2), (self.view, 0, 2)):
            for _ in range(self.rng.randint(low, high)):
                make()
        if self.chance(0.1):
            self.own_operator()
        return self

    # --- tables

    def key_type(self):
        """Most keys of a schema are of one type, so that they can be compared with each other."""
        return self.usual_key if self.chance(0.7) else self.rng.choice(values.KEYS)

    def table(self):
        rng = self.rng
        name = self.fresh("t")
        key = Column("id", self.key_type(), is_key=True)
        columns = [key, Column("a", INT), Column("b", TEXT)]
        columns += [Column(f"c{at}", rng.choice(values.PAYLOADS)) for at in range(1, rng.randint(1, 4))]
        kind = rng.choices(["table", "partitioned", "parent", "unlogged"], [60, 22, 16, 2])[0]
        constraints, keys, deferrable = [], [[key]], False
        shape = rng.choices(["primary", "unique", "pair", "second"], [6, 2, 2, 3])[0]
        if shape == "pair" or kind == "partitioned" and rng.random() < 0.3:
            constraints.append("PRIMARY KEY (id, a)")
            keys = [[key, columns[1]]]
        else:
            constraints.append("UNIQUE (id)" if shape == "unique" else "PRIMARY KEY (id)")
        if shape == "second":
            columns.append(second := Column("k", self.key_type(), is_key=True))
            if kind != "partitioned":
                deferrable = second.type.family == "int" and rng.random() < 0.4
                constraints.append("UNIQUE (k)" + " DEFERRABLE INITIALLY DEFERRED" * deferrable)
                keys.append([second])
        if rng.random() < 0.35:
            columns += [Column("tenant", TEXT), Column("rev", INT)]
        relation = Relation("app", name, columns, kind, keys, is_deferrable=deferrable)
        defined = [f"{column.name} {column.type.sql}" + self._default(column) for column in columns]
        if rng.random() < 0.6:
            defined += self._reference(relation)
        if rng.random() < 0.15:
            defined.append("twice int GENERATED ALWAYS AS (a * 2) STORED")
            columns.append(Column("twice", INT))
        if rng.random() < 0.2:
            defined.append("n serial")
            columns.append(Column("n", INT))
        if rng.random() < 0.12:
            defined.append("touched timestamptz DEFAULT now()")
            columns.append(Column("touched", values.TIMESTAMPTZ, is_clock=True))
        body = f"({', '.join(defined + constraints)})"
        self.model.relations.append(relation)
        self.model.tables.append(relation)
        if kind == "partitioned":
            self._partitions(relation, body)
        else:
            self.do(f"CREATE {'UNLOGGED ' if kind == 'unlogged' else ''}TABLE app.{name} {body}")
            if kind == "parent":
                self._children(relation)
        self.do(self.fill(relation))

    def _default(self, column):
        if column.name == "rev":
            return " DEFAULT 0"
        if column.name in ("id", "a") or self.rng.random() > 0.2:
            return ""
        return f" DEFAULT {column.type.plain(column.type.pick(self.rng))}"

    def _reference(self, relation):
        """A foreign key to an earlier table, or to itself."""
        rng = self.rng
        targets = [table for table in self.model.tables if table.kind in ("table", "partitioned") and table.keys[0] == table.keys[0][:1]]
        if relation.kind == "table" and len(relation.keys[0]) == 1 and rng.random() < 0.2:
            targets.append(relation)
        if not targets or relation.kind == "unlogged":
            return []
        target = rng.choice(targets)
        relation.columns.append(Column("ref", target.keys[0][0].type, target=target, is_key=True))
        target.referring.append(relation)
        action = rng.choice(["CASCADE", "CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"])
        on_update = rng.choice(["CASCADE", "CASCADE", "SET NULL", "NO ACTION"])
        when = rng.choice(["", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"])
        return [f"ref {target.keys[0][0].type.sql} REFERENCES app.{target.name} (id) ON DELETE {action} ON UPDATE {on_update}{when}"]

    def _partitions(self, relation, body):
        rng = self.rng
        key = relation.keys[0][0]
        by = relation.keys[0][-1] if rng.random() < 0.5 else key
        ranged, listed = by.type.family in ("int", "date"), by.type.exact
        method = rng.choices(["RANGE", "LIST", "HASH"], [3 * ranged, 2 * listed, 1])[0] if listed else "HASH"
        if by.type in (values.CI, values.ENUM):  # an enum is hashed by its OID, which is another in each database
            method = "LIST"
        self.do(f"CREATE TABLE app.{relation.name} {body} PARTITION BY {method} ({by.name})")
        for at, bounds in enumerate(self._bounds(method, by.type)):
            part = Relation("app", f"{relation.name}_p{at}", relation.columns, "partition", relation.keys,
                            frozenset([relation.name, f"{relation.name}_p{at}"]))
            nested = method == "RANGE" and at == 0 and by.type.family == "int" and rng.random() < 0.3
            self.do(f"CREATE TABLE app.{part.name} PARTITION OF app.{relation.name} {bounds}" + f" PARTITION BY RANGE ({by.name})" * nested)
            if nested:
                self.do(f"CREATE TABLE app.{part.name}_low PARTITION OF app.{part.name} FOR VALUES FROM (MINVALUE) TO (3)")
                self.do(f"CREATE TABLE app.{part.name}_high PARTITION OF app.{part.name} DEFAULT")
            self.model.relations.append(part)
            relation.bases |= part.bases

    def _bounds(self, method, type_):
        """Three partitions that hold every value."""
        if method == "HASH":
            return [f"FOR VALUES WITH (MODULUS 3, REMAINDER {at})" for at in range(3)]
        if method == "RANGE":
            low, high = ("8", "16") if type_.family == "int" else ("'2024-01-05'", "'2024-01-09'")
            return [f"FOR VALUES FROM (MINVALUE) TO ({low})", f"FOR VALUES FROM ({low}) TO ({high})", "DEFAULT"]
        half = values.TEXT.values[:4] if type_ is values.CI else type_.values
        half = list(dict.fromkeys(value.lower().strip() if type_.family == "text" else value for value in half))
        first, second = half[:len(half) // 3 + 1], half[len(half) // 3 + 1:2 * len(half) // 3 + 1]
        lists = [f"FOR VALUES IN ({', '.join(map(values.quoted, part))})" for part in (first, second) if part]
        return lists + ["DEFAULT"]

    def _children(self, relation):
        for at in range(self.rng.randint(1, 2)):
            child = Relation("app", f"{relation.name}_c{at}", relation.columns + [Column("x", INT)], "child", relation.keys,
                             frozenset([relation.name, f"{relation.name}_c{at}"]))
            primary = f", PRIMARY KEY ({', '.join(column.name for column in child.keys[0])})" if self.chance(0.7) else ""
            self.do(f"CREATE TABLE app.{child.name} (x int DEFAULT 1{primary}) INHERITS (app.{relation.name})")
            self.model.relations.append(child)
            relation.bases |= child.bases
            self.do(self.fill(child, 4))

    def fill(self, relation, rows=ROWS):
        """An INSERT of rows whose every column has its type's value of the row's number, which reads then ask for."""
        given = [column for column in relation.columns if column.name not in ("twice", "n", "touched")]
        made = [self._made(column) for column in given]
        conflict = "" if relation.is_deferrable else " ON CONFLICT DO NOTHING"
        return (f"INSERT INTO {relation.full_name} ({', '.join(column.name for column in given)}) "
                f"SELECT {', '.join(made)} FROM generate_series(1, {rows}) g{conflict}")

    @staticmethod
    def _made(column):
        if column.target:
            return f"(SELECT (array_agg(p.id ORDER BY p.id))[g % 7 + 1] FROM {column.target.full_name} p)"
        return column.type.series("g")

    # --- what reads go through

    def view_query(self):
        """A query to make a view of."""
        if self.chance(0.45):
            return self.grammar.query(self.rng.choice([0, 1, 1, 2])), "query view"
        relation = self.grammar.relation()
        columns = self.rng.sample(relation.plain_columns(), self.rng.randint(1, len(relation.plain_columns())))
        # Now and then the names of its columns are swapped among themselves.
        names = [column.name for column in (columns[1:] + columns[:1] if self.chance(0.2) else columns)]
        listed = ", ".join(f"{relation.full_name}.{column.name} AS {name}" if self.chance(0.3) else f"{column.name} AS {name}"
                           for column, name in zip(columns, names))
        where = self.grammar.where([("", relation.columns)], 0, share=0.5)
        return Query(f"SELECT {listed} FROM {relation.full_name}{where}",
                     [Column(name, column.type, is_key=column.is_key) for name, column in zip(names, columns)]), "view"

    def viewed(self, name, query, kind):
        grammar = self.grammar
        self.model.relations.append(Relation("app", name, query.columns, kind, bases=frozenset(grammar.bases) | {name}, cost=grammar.cost))

    def view(self):
        query, kind = self.grammar.affordable(self.view_query, MOST_OF_VIEW)
        name = self.fresh("v")
        options = self.rng.choices(["", " WITH (security_barrier)", " WITH (security_invoker)"], [6, 1, 2])[0]
        check = self.rng.choice(["", "", " WITH CHECK OPTION", " WITH LOCAL CHECK OPTION"]) if kind == "view" else ""
        self.do(f"CREATE VIEW app.{name}{options} AS {query.text}{check}")
        self.viewed(name, query, kind)

    def materialized_view(self):
        query, _ = self.grammar.affordable(self.view_query, MOST_OF_VIEW)
        name = self.fresh("m")
        self.do(f"CREATE MATERIALIZED VIEW app.{name} AS {query.text}")
        self.viewed(name, query, "matview")

    def function(self):
        """One for reads."""
        rng = self.rng
        name = self.fresh("f")
        table = rng.choice(self.model.tables)
        key = table.columns[0]
        how = rng.choice(["STABLE", "STABLE", "STABLE", "VOLATILE", "STABLE SECURITY DEFINER", "STABLE SET search_path = alt, app",
                          "STABLE STRICT PARALLEL SAFE", "STABLE LEAKPROOF"])
        ref = table.name if rng.random() < 0.5 else table.full_name
        argument = key.type.sql.removesuffix(" COLLATE app.ci")
        key_type = key.type if key.type is not values.CI else TEXT
        count = f"SELECT count(*) FROM {ref} AS t WHERE t.id = $1"
        made = rng.randint(0, 9)
        if made == 0:
            self._function(name, "x int", "bigint", "sql", "IMMUTABLE", "SELECT $1::bigint * 2 + 1", [INT], values.BIGINT)
        elif made == 1:
            self._function(name, "x text", "text", "plpgsql", "IMMUTABLE", "BEGIN RETURN upper(x) || '?'; END", [TEXT], TEXT)
        elif made == 2:
            self._function(name, f"p_k {argument}", "bigint", "sql", how, count, [key_type], values.BIGINT, table)
        elif made == 3:
            self._function(name, f"p_k {argument}", "text", "plpgsql", how,
                           f"DECLARE r text; BEGIN SELECT max(t.b COLLATE \"C\") INTO r FROM {ref} t WHERE t.id = p_k; RETURN r; END",
                           [key_type], TEXT, table)
        elif made == 4:
            self._function(name, f"p_k {argument} DEFAULT NULL", "bigint", "plpgsql", how,
                           f"DECLARE r bigint; BEGIN IF p_k IS NULL THEN RETURN -1; END IF; FOR r IN {count.replace('$1', 'p_k')} LOOP RETURN r; END LOOP; "
                           "EXCEPTION WHEN others THEN RETURN -2; END", [key_type], values.BIGINT, table)
        elif made == 5 and self.has_dynamic:
            self._function(name, "what text", "bigint", "plpgsql", how,
                           f"DECLARE r bigint; BEGIN EXECUTE 'SELECT count(*) FROM {ref} WHERE b = $1' INTO r USING what; RETURN r; END",
                           [TEXT], values.BIGINT, table)
        elif made == 6:
            self._function(name, "n int", "TABLE (p int, q text)", "sql", how,
                           f"SELECT t.a, t.b FROM {ref} AS t WHERE t.a >= n", [INT], None, table, [Column("p", INT), Column("q", TEXT)])
        elif made == 7:
            self._function(name, "n int", f"SETOF app.{table.name}", "sql", how, f"SELECT * FROM {ref} AS t WHERE t.a < n", [INT], None,
                           table, table.columns)
        elif made == 8:  # two of one name, one volatile: which is meant depends on the argument
            self._function(name, "x int", "text", "sql", "IMMUTABLE", "SELECT 'number ' || $1", [INT], TEXT)
            self._function(name, "x text", "text", "sql", "VOLATILE", "SELECT 'text ' || $1", [TEXT], TEXT)
        else:
            self.do(f"CREATE FUNCTION app.{name}(p_k {argument}) RETURNS bigint STABLE BEGIN ATOMIC {count}; END")
            self.model.readers.append(Function(name, [key_type], values.BIGINT, bases=table.bases))

    def _function(self, name, arguments, returns, language, how, body, types, result, table=None, columns=None):
        self.do(f"CREATE FUNCTION app.{name}({arguments}) RETURNS {returns} LANGUAGE {language} {how} AS $f$ {body} $f$")
        self.model.readers.append(Function(name, types, result, columns, table.bases if table else frozenset()))

    # --- what writes go through

    def writer(self):
        """A function or procedure that writes."""
        rng = self.rng
        name = self.fresh("w")
        table = rng.choice(self.model.tables)
        key = table.columns[0].type
        key_type = key if key is not values.CI else TEXT
        ref = table.name if rng.random() < 0.5 else table.full_name
        update = f"UPDATE {ref} SET b = p_v WHERE id = p_k"
        made = rng.choice([0, 1, 2, 4, 5, 6] + [3] * self.has_dynamic)
        language, returns, body = [
            ("sql", "void", update),
            ("sql", "bigint", f"WITH w AS ({update} RETURNING 1) SELECT count(*) FROM w"),
            ("plpgsql", "int", f"BEGIN {update}; IF NOT FOUND THEN DELETE FROM {ref} WHERE b = p_v; END IF; RETURN 1; END"),
            ("plpgsql", "int", f"BEGIN EXECUTE 'UPDATE {ref} SET b = $1 WHERE id = $2' USING p_v, p_k; RETURN 1; END"),
            ("plpgsql", "int", f"BEGIN BEGIN {update}; RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN "
                               f"DELETE FROM {ref} WHERE id = p_k; END; RETURN 1; END"),
            ("plpgsql", "", f"BEGIN {update}; COMMIT; UPDATE app.tally SET n = n + 1 WHERE what = 't1'; END"),
            ("plpgsql", "", f"BEGIN {update}; ROLLBACK; UPDATE {ref} SET a = a + 1 WHERE id = p_k; END"),
        ][made]
        more = rng.choice(["", "", " SECURITY DEFINER"]) if returns else ""
        head = f"FUNCTION app.{name}(p_k {key_type.sql}, p_v text) RETURNS {returns}" if returns else f"PROCEDURE app.{name}(p_k {key_type.sql}, p_v text)"
        self.do(f"CREATE {head} LANGUAGE {language}{more} AS $f$ {body} $f$")
        self.model.writers.append(Function(name, [key_type, TEXT], bases=table.bases, is_procedure=not returns))

    def trigger(self):
        rng = self.rng
        name = self.fresh("g")
        table = rng.choice([table for table in self.model.tables if table.kind != "unlogged"] or self.model.tables)
        other = rng.choice(self.model.tables)
        bump = f"UPDATE app.tally SET n = n + 1 WHERE what = '{table.name}'"
        row, statement = "FOR EACH ROW", "FOR EACH STATEMENT"
        rev = table.column("rev")
        key = table.columns[0].type
        made = [
            ("BEFORE UPDATE", row, "", "NEW.a := coalesce(NEW.a, 0) + 1; RETURN NEW;"),
            ("BEFORE INSERT OR UPDATE", row, "", f"IF NEW.b < 'b' THEN NEW.id := {key.plain(key.at(rng.randint(1, ROWS + 5)))}; END IF; RETURN NEW;"),
            ("BEFORE DELETE", row, "", "IF OLD.b = 'b' THEN RETURN NULL; END IF; RETURN OLD;"),
            ("AFTER INSERT OR UPDATE OR DELETE", row, "", f"{bump}; RETURN NULL;"),
            ("AFTER UPDATE OF b", row, " WHEN (OLD.b IS DISTINCT FROM NEW.b)", f"{bump}; RETURN NULL;"),
            ("AFTER DELETE", row, "", f"UPDATE {other.full_name} SET a = a + 1 WHERE b = OLD.b AND a < 100; RETURN NULL;"),
            ("AFTER INSERT OR UPDATE", statement, "", f"UPDATE app.tally SET n = n + 1 WHERE what = TG_TABLE_NAME; RETURN NULL;"),
            ("BEFORE TRUNCATE", statement, "", f"{bump}; RETURN NULL;"),
        ]
        if self.has_dynamic:
            made.append(("AFTER UPDATE", statement, "", f"EXECUTE 'UPDATE app.tally SET n = n + 1 WHERE what = ' || "
                                                        f"quote_literal('{table.name}'); RETURN NULL;"))
        if rev:
            made += [("BEFORE UPDATE", row, "", "NEW.rev := OLD.rev + 1; RETURN NEW;")] * 3
        if table.column("touched"):
            made += [("BEFORE UPDATE", row, "", "NEW.touched := now(); RETURN NEW;")] * 6
        when, scope, condition, body = rng.choice(made)
        self.do(f"CREATE FUNCTION app.{name}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {body} END $f$")
        deferred = when.startswith("AFTER") and scope == row and table.kind == "table" and rng.random() < 0.2
        if deferred:
            self.do(f"CREATE CONSTRAINT TRIGGER {name} {when} ON {table.full_name} DEFERRABLE INITIALLY DEFERRED {row}{condition} "
                    f"EXECUTE FUNCTION app.{name}()")
        else:
            self.do(f"CREATE TRIGGER {name} {when} ON {table.full_name} {scope}{condition} EXECUTE FUNCTION app.{name}()")

    def instead_of(self):
        """A view that is written through a trigger."""
        table = self.rng.choice(self.model.tables)
        name = self.fresh("v")
        self.do(f"CREATE VIEW app.{name} AS SELECT id, a, b, count(*) AS n FROM {table.full_name} GROUP BY 1, 2, 3")
        self.do(f"CREATE FUNCTION app.{name}_write() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN UPDATE {table.full_name} SET b = NEW.b "
                "WHERE (id, a, b) IS NOT DISTINCT FROM (OLD.id, OLD.a, OLD.b); RETURN NEW; END $f$")
        self.do(f"CREATE TRIGGER {name}_write INSTEAD OF UPDATE ON app.{name} FOR EACH ROW EXECUTE FUNCTION app.{name}_write()")
        columns = [Column(column.name, column.type) for column in table.columns[:3]]
        # Grouping chooses among equal keys that look different.
        if columns[0].type.exact:
            self.model.relations.append(Relation("app", name, columns + [Column("n", values.BIGINT)], "grouped view", bases=table.bases | {name}))

    def rule(self):
        table = self.rng.choice(self.model.tables)
        name = self.fresh("u")
        also = f"UPDATE app.tally SET n = n + 1 WHERE what = '{table.name}'"
        self.do(self.rng.choice([
            f"CREATE RULE {name} AS ON UPDATE TO {table.full_name} DO ALSO {also}",
            f"CREATE RULE {name} AS ON DELETE TO {table.full_name} WHERE OLD.b = 'a' DO INSTEAD {also}",
            f"CREATE RULE {name} AS ON DELETE TO {table.full_name} DO ALSO {also}"]))

    # --- who may see what

    def policy_condition(self, table):
        scope = [("", table.columns)]
        options = [self.grammar.equality(scope), self.grammar.equality(scope), "a < 10", "a IS NOT NULL AND current_user <> 'fuzz_r2'", "b > current_setting('app.tenant', true)",
                   "b IN (SELECT tenant FROM app.acl WHERE who = current_user)"]
        if self.chance(0.1):
            options += ["pg_has_role('fuzz_r2', 'member')"] * 9
        if table.column("tenant"):
            options += ["tenant = current_setting('app.tenant', true)", "tenant = current_setting('app.tenant')"] * 2
        return self.rng.choice(options)

    def policy(self, table):
        self.grammar.start()
        command = self.rng.choice(["ALL", "ALL", "SELECT", "SELECT", "UPDATE", "DELETE"])
        role = self.rng.choice(["PUBLIC", "PUBLIC", "fuzz_r1", "fuzz_r2"])
        kind = self.rng.choice(["PERMISSIVE", "PERMISSIVE", "RESTRICTIVE"])
        return (f"CREATE POLICY {self.fresh('p')} ON {table.full_name} AS {kind} FOR {command} TO {role} "
                f"USING ({self.policy_condition(table)})")

    def security(self):
        table = self.rng.choice(self.model.tables)
        self.do(f"ALTER TABLE {table.full_name} ENABLE ROW LEVEL SECURITY")
        for _ in range(self.rng.randint(1, 3)):
            self.do(self.policy(table))
        if self.chance(0.3):
            self.do(f"ALTER TABLE {table.full_name} FORCE ROW LEVEL SECURITY")

    def ownership(self):
        relation = self.rng.choice([one for one in self.model.relations if one.kind in ("table", "view", "query view")])
        kind = "VIEW" if "view" in relation.kind else "TABLE"
        self.do(f"ALTER {kind} {relation.full_name} OWNER TO fuzz_owner")

    # --- names that hide names

    def shadow(self):
        """A table of the same name in another schema: which one is meant is up to search_path."""
        table = self.rng.choice(self.model.tables)
        schema = self.rng.choice(["alt", "alt", "fuzz_r1"])
        self.do(f"CREATE TABLE IF NOT EXISTS {schema}.{table.name} (LIKE {table.full_name} INCLUDING ALL)")
        copy = Relation(schema, table.name, table.columns, "table", table.keys)
        self.do(self.fill(copy, 6))
        if not any(one.full_name == copy.full_name for one in self.model.relations):
            self.model.relations.append(copy)

    def own_operator(self):
        """An = that is no equality, for those whose search_path has it first."""
        self.do("CREATE SCHEMA odd")
        self.do("GRANT USAGE ON SCHEMA odd TO PUBLIC")
        self.do("CREATE FUNCTION odd.near(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 OPERATOR(pg_catalog.-) $2) < 3'")
        self.do("CREATE OPERATOR odd.= (LEFTARG = int, RIGHTARG = int, FUNCTION = odd.near)")
