"""Changes of the schema and of privileges in mid-round. Most are taken back later; the model follows those that matter to reads."""
from . import values
from .model import Column
from .script import Step

ROLES = ("fuzz_r1", "fuzz_r2", "fuzz_owner", "PUBLIC")


class Changer:
    """Use: `steps(session)`. What must be undone is kept in `undo`, and comes as a later change."""

    def __init__(self, rng, builder):
        self.rng = rng
        self.builder = builder
        self.model = builder.model
        self.undo = []

    def steps(self, session):
        """One change: usually in one step, now and then in a transaction that may be rolled back."""
        if self.undo and self.rng.random() < 0.4:
            texts = self.undo.pop(self.rng.randrange(len(self.undo)))()
        else:
            make = self.rng.choice([self.add_column, self.rename_column, self.rename_table, self.swap, self.move, self.replace_view,
                                    self.function_body, self.function_attributes, self.row_security, self.policy, self.drop_policy,
                                    self.grant, self.role, self.membership, self.partition, self.inheritance, self.trigger, self.toggle_trigger,
                                    self.rule, self.hide_table, self.hide_function, self.index, self.constraint, self.column_type,
                                    self.maintenance, self.owner, self.more_views, self.logged, self.default, self.value_name,
                                    self.schema_name, self.view_options])
            texts = make()
        if len(texts) > 1 and self.rng.random() < 0.5:
            texts = ["; ".join(texts)]
        return [Step(session, "query", "write", text) for text in texts]

    def table(self):
        return self.rng.choice(self.model.tables)

    def later(self, *texts, also=None):
        def undo():
            if also:
                also()
            return list(texts)

        self.undo.append(undo)

    # --- tables

    def add_column(self):
        table = self.table()
        name = self.builder.fresh("d")
        type_ = self.rng.choice(values.PAYLOADS)
        column = Column(name, type_)
        table.columns.append(column)
        self.later(f"ALTER TABLE {table.full_name} DROP COLUMN {name}", also=lambda: table.columns.remove(column))
        return [f"ALTER TABLE {table.full_name} ADD COLUMN {name} {type_.sql} DEFAULT {type_.plain(type_.values[0])}"]

    def rename_column(self):
        """Two columns change names: a text then says another thing, without an error."""
        table = self.table()
        first, second = table.column("b"), next((column for column in table.columns if column.type.family == "text" and column.name[0] == "c"), None)
        if second is None:
            return self.maintenance()
        prefix = f"ALTER TABLE {table.full_name} RENAME"
        return [f"{prefix} {first.name} TO swap", f"{prefix} {second.name} TO {first.name}", f"{prefix} swap TO {second.name}"]

    def rename_table(self):
        table = self.table()
        old, new = table.name, self.builder.fresh("renamed")
        table.name = new

        def back():
            table.name = old

        self.later(f"ALTER TABLE {table.schema}.{new} RENAME TO {old}", also=back)
        return [f"ALTER TABLE {table.schema}.{old} RENAME TO {new}"]

    def swap(self):
        """The way in which tables are rebuilt: a copy takes over the name."""
        table = self.table()
        copy, old = self.builder.fresh("copy"), self.builder.fresh("old")
        return [f"CREATE TABLE {table.schema}.{copy} (LIKE {table.full_name} INCLUDING ALL)",
                f"INSERT INTO {table.schema}.{copy} SELECT * FROM {table.full_name} ORDER BY id LIMIT 5" if not table.column("twice")
                else f"ANALYZE {table.full_name}",
                f"ALTER TABLE {table.full_name} RENAME TO {old}", f"ALTER TABLE {table.schema}.{copy} RENAME TO {table.name}"]

    def move(self):
        table = self.table()
        old, new = table.schema, "alt" if table.schema == "app" else "app"
        table.schema = new

        def back():
            table.schema = old

        self.later(f"ALTER TABLE {new}.{table.name} SET SCHEMA {old}", also=back)
        return [f"ALTER TABLE {old}.{table.name} SET SCHEMA {new}"]

    def column_type(self):
        table = self.table()
        return [f"ALTER TABLE {table.full_name} ALTER COLUMN a TYPE {self.rng.choice(['bigint', 'int', 'smallint', 'numeric'])}"]

    def default(self):
        table = self.table()
        return [f"ALTER TABLE {table.full_name} ALTER COLUMN b SET DEFAULT {values.TEXT.plain(values.TEXT.pick(self.rng))}"]

    def logged(self):
        table = self.table()
        self.later(f"ALTER TABLE {table.full_name} SET LOGGED")
        return [f"ALTER TABLE {table.full_name} SET UNLOGGED"]

    def index(self):
        name = self.builder.fresh("i")
        table = self.table()
        column = self.rng.choice(["a", "b", "id"])
        self.later(f"DROP INDEX IF EXISTS {table.schema}.{name}")
        return [f"CREATE {self.rng.choice(['', '', 'UNIQUE '])}INDEX {name} ON {table.full_name} ({column})"]

    def constraint(self):
        table, target = self.table(), self.table()
        name = self.builder.fresh("k")
        key = target.keys[0][0]
        column = next((column for column in table.columns if column.type is key.type), None)
        if column is None:
            return [f"ALTER TABLE {table.full_name} ADD CONSTRAINT {name} CHECK (a IS NULL OR a < 1000)"]
        self.later(f"ALTER TABLE {table.full_name} DROP CONSTRAINT IF EXISTS {name}")
        return [f"ALTER TABLE {table.full_name} ADD CONSTRAINT {name} FOREIGN KEY ({column.name}) REFERENCES {target.full_name} (id) "
                f"ON DELETE {self.rng.choice(['CASCADE', 'SET NULL'])} ON UPDATE CASCADE NOT VALID"]

    def partition(self):
        parts = [relation for relation in self.model.relations if relation.kind == "partition"]
        if not parts:
            return self.index()
        part = self.rng.choice(parts)
        parent = part.full_name.rpartition("_p")[0]
        return [f"ALTER TABLE {parent} DETACH PARTITION {part.full_name}", f"UPDATE {part.full_name} SET b = 'ab'",
                f"ALTER TABLE {parent} ATTACH PARTITION {part.full_name} DEFAULT"]

    def inheritance(self):
        children = [relation for relation in self.model.relations if relation.kind == "child"]
        if not children:
            return self.constraint()
        child = self.rng.choice(children)
        parent = child.full_name.rpartition("_c")[0]
        self.later(f"ALTER TABLE {child.full_name} INHERIT {parent}")
        return [f"ALTER TABLE {child.full_name} NO INHERIT {parent}"]

    def maintenance(self):
        table = self.table().full_name
        return [self.rng.choice([f"VACUUM {table}", f"VACUUM FULL {table}", f"ANALYZE {table}", f"REINDEX TABLE {table}", "ANALYZE",
                                 f"COMMENT ON TABLE {table} IS 'x'", f"CLUSTER {table}"])]

    def value_name(self):
        """The same rows then look another way."""
        self.later("ALTER TYPE app.mood RENAME VALUE 'glum' TO 'sad'")
        return ["ALTER TYPE app.mood RENAME VALUE 'sad' TO 'glum'"]

    # --- what hides what

    def schema_name(self):
        self.later("ALTER SCHEMA away RENAME TO alt")
        return ["ALTER SCHEMA alt RENAME TO away"]

    def hide_table(self):
        table = self.table()
        schema = self.rng.choice(["alt", "fuzz_r1"])
        self.later(f"DROP TABLE IF EXISTS {schema}.{table.name}")
        return [f"CREATE TABLE {schema}.{table.name} (LIKE {table.full_name} INCLUDING DEFAULTS)",
                f"INSERT INTO {schema}.{table.name} (id, a, b) SELECT id, 5, 'hid' FROM {table.full_name} ORDER BY id LIMIT 3"]

    def hide_function(self):
        """A better candidate for a call, in another schema or for another type."""
        functions = [function for function in self.model.readers if function.returns and len(function.arguments) == 1]
        if not functions:
            return self.hide_table()
        function = self.rng.choice(functions)
        argument = function.arguments[0].sql
        self.later(f"DROP FUNCTION IF EXISTS alt.{function.name}({argument})")
        return [f"CREATE OR REPLACE FUNCTION alt.{function.name}({argument}) RETURNS {function.returns.sql} LANGUAGE sql STABLE "
                f"AS $f$ SELECT {function.returns.plain(function.returns.values[2])} $f$"]

    # --- views, functions, triggers

    def replace_view(self):
        views = [relation for relation in self.model.relations if relation.kind == "view"]
        if not views:
            return self.more_views()
        view = self.rng.choice(views)
        table = self.table()
        wanted = [(column, next((own for own in table.plain_columns() if own.type is column.type), None)) for column in view.columns]
        listed = ", ".join(f"{own.name if own else 'NULL::' + column.type.sql} AS {column.name}" for column, own in wanted)
        return [f"CREATE OR REPLACE VIEW {view.full_name} AS SELECT {listed} FROM {table.full_name}"]

    def more_views(self):
        made = len(self.builder.steps)
        self.builder.view()
        texts = [step.text for step in self.builder.steps[made:]]
        del self.builder.steps[made:]
        return texts

    def view_options(self):
        views = [relation for relation in self.model.relations if relation.kind in ("view", "query view")]
        if not views:
            return self.more_views()
        return [f"ALTER VIEW {self.rng.choice(views).full_name} " +
                self.rng.choice(["SET (security_invoker = true)", "RESET (security_invoker)", "SET (security_barrier = true)", "OWNER TO fuzz_owner"])]

    def function_body(self):
        functions = [function for function in self.model.readers if function.returns is values.BIGINT]
        if not functions:
            return self.trigger()
        function = self.rng.choice(functions)
        return [f"DROP FUNCTION IF EXISTS app.{function.name}({function.arguments[0].sql})",
                f"CREATE FUNCTION app.{function.name}(x {function.arguments[0].sql}) RETURNS bigint LANGUAGE sql STABLE "
                f"AS $f$ SELECT max(a)::bigint FROM {self.table().full_name} $f$"]

    def function_attributes(self):
        functions = [function for function in self.model.readers if function.arguments]
        if not functions:
            return self.trigger()
        function = self.rng.choice(functions)
        attribute = self.rng.choice(["VOLATILE", "STABLE", "SECURITY DEFINER", "SECURITY INVOKER", "SET search_path = alt, app", "RESET search_path",
                                     "STRICT", "OWNER TO fuzz_owner"])
        return [f"ALTER FUNCTION app.{function.name}({function.arguments[0].sql}) {attribute}"]

    def trigger(self):
        made = len(self.builder.steps)
        self.builder.trigger()
        texts = [step.text for step in self.builder.steps[made:]]
        del self.builder.steps[made:]
        name, table = texts[1].split("TRIGGER ")[1].split()[0], texts[1].split(" ON ")[1].split()[0]
        self.later(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        return texts

    def toggle_trigger(self):
        return [f"ALTER TABLE {self.table().full_name} {self.rng.choice(['DISABLE', 'ENABLE'])} TRIGGER USER"]

    def rule(self):
        made = len(self.builder.steps)
        self.builder.rule()
        text = self.builder.steps.pop().text
        del self.builder.steps[made:]
        self.later(f"DROP RULE IF EXISTS {text.split()[2]} ON {text.split(' TO ')[1].split()[0]}")
        return [text]

    # --- who may see what

    def row_security(self):
        table = self.table().full_name
        form = self.rng.choice(["ENABLE", "FORCE", "NO FORCE"])
        self.later(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        return [f"ALTER TABLE {table} {form} ROW LEVEL SECURITY"]

    def policy(self):
        table = self.table()
        text = self.builder.policy(table)
        name = text.split()[2]
        self.later(f"DROP POLICY IF EXISTS {name} ON {table.full_name}")
        self.later(f"ALTER POLICY {name} ON {table.full_name} USING ({self.builder.policy_condition(table)})")
        return [text, f"ALTER TABLE {table.full_name} ENABLE ROW LEVEL SECURITY"]

    def drop_policy(self):
        return [f"DROP POLICY IF EXISTS p{self.rng.randint(1, 3)} ON {self.table().full_name}"]

    def grant(self):
        relation = self.rng.choice(self.model.relations)
        role = self.rng.choice(ROLES)
        columns = self.rng.choice(["", "", f" ({relation.columns[0].name})"])
        self.later(f"GRANT ALL ON {relation.full_name} TO PUBLIC")
        return [f"REVOKE {self.rng.choice(['SELECT' + columns, 'ALL', 'UPDATE'])} ON {relation.full_name} FROM {role}, PUBLIC"]

    def role(self):
        role = self.rng.choice(ROLES[:3])
        self.later(f"ALTER ROLE {role} NOBYPASSRLS NOSUPERUSER")
        return [f"ALTER ROLE {role} {self.rng.choice(['BYPASSRLS', 'SUPERUSER', 'NOINHERIT', 'SET app.tenant = b'])}"]

    def membership(self):
        self.later("GRANT fuzz_r2 TO fuzz_r1")
        return [self.rng.choice(["REVOKE fuzz_r2 FROM fuzz_r1", "GRANT fuzz_owner TO fuzz_r2", "REVOKE fuzz_owner FROM fuzz_r2"])]

    def owner(self):
        return [f"ALTER TABLE {self.table().full_name} OWNER TO {self.rng.choice(ROLES[:3])}"]
