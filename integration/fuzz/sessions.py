"""What a session is and what may change in it: settings, roles, temporary objects, transactions."""
import json

from .script import Step

PATHS = ("app, alt", "alt, app", "app", '"$user", app', "app, public", "fuzz_r1, app", "pg_catalog, app", "odd, pg_catalog, app")

SETTINGS = {
    "search_path": PATHS,
    "TimeZone": ("UTC", "America/New_York", "Asia/Tokyo", "<+03>-03"),
    "DateStyle": ("ISO", "German", "SQL, DMY", "Postgres", "ISO, DMY", "MDY"),
    "IntervalStyle": ("postgres", "iso_8601", "sql_standard", "postgres_verbose"),
    "extra_float_digits": ("0", "-5", "3"),
    "bytea_output": ("hex", "escape"),
    "app.tenant": ("a", "A", "b", "é", ""),
    "row_security": ("on", "on", "off"),
    "transform_null_equals": ("off", "on"),
    "standard_conforming_strings": ("on", "on", "on", "off"),
    "client_encoding": ("UTF8", "UTF8", "UTF8", "LATIN1"),
    "enable_hashjoin": ("on", "off"),
    "enable_seqscan": ("on", "off"),
    "application_name": ("one", "two"),
    "default_transaction_isolation": ("read committed", "repeatable read"),
    "default_transaction_read_only": ("off", "off", "off", "on"),
}
# Those that reads depend on most come more often.
NAMES = tuple(SETTINGS) + ("search_path",) * 6 + ("app.tenant",) * 6 + ("TimeZone", "DateStyle") * 2
# Under these pgmemo takes every statement for one that may do anything; in few rounds only.
BLINDING = ("standard_conforming_strings",)

USERS = {1: "postgres", 2: "postgres", 3: "fuzz_r1", 4: "fuzz_r1", 5: "fuzz_r2", 6: "fuzz_owner"}


def value_of(name, value):
    return value if name == "search_path" else f"'{value}'"


class Sessions:
    """Sessions of one user start alike, so that they share what is cached; what makes them differ does not stay for long."""

    def __init__(self, rng, builder):
        self.rng = rng
        self.builder = builder
        self.names = [name for name in NAMES if name not in BLINDING or rng.random() < 0.15]
        self.parameters = {user: self._parameters(user) for user in USERS.values()}

    def _parameters(self, user):
        """Some settings come with the startup packet, where they are what RESET goes back to."""
        parameters = {"user": user}
        options = ["-c search_path=" + self.rng.choice(PATHS[:1] * 3 + PATHS[:4]).replace(" ", "")]
        if self.rng.random() < 0.4:
            name = self.rng.choice(["DateStyle", "IntervalStyle", "extra_float_digits", "app.tenant"])
            options.append(f"-c {name}={self.rng.choice(SETTINGS[name]).replace(' ', '')}")
        if self.rng.random() < 0.3:
            parameters["TimeZone"] = self.rng.choice(SETTINGS["TimeZone"])
        parameters["options"] = " ".join(options)
        return json.dumps(parameters, ensure_ascii=False)

    def connect(self, number):
        return [Step(number, "connect", "session", self.parameters[USERS[number]])]

    def go_back(self, number):
        """To what the session started as."""
        if self.rng.random() < 0.1:
            return self._step(number, "DISCARD ALL")
        return self._step(number, "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL")

    def setting(self, number, in_transaction):
        make = self.rng.choices([self._set, self._reset, self._role, self._set_config, self._temporary, self._discard],
                                [10, 3, 4, 2, 1.5, 0.7])[0]
        return make(number, in_transaction)

    @staticmethod
    def _step(number, text, *flags, kind="session", twin=""):
        return [Step(number, "query", kind, text, flags=frozenset(flags), twin=twin)]

    def _set(self, number, in_transaction):
        name = self.rng.choice(self.names)
        local = "LOCAL " if self.rng.random() < (0.5 if in_transaction else 0.03) else self.rng.choice(["", "SESSION "])
        return self._step(number, f"SET {local}{name} = {value_of(name, self.rng.choice(SETTINGS[name]))}")

    def _reset(self, number, in_transaction):
        return self._step(number, self.rng.choice([f"RESET {self.rng.choice(self.names)}", "RESET ALL",
                                                   f"SET {self.rng.choice(self.names)} TO DEFAULT"]))

    def _role(self, number, in_transaction):
        role = self.rng.choice(["fuzz_r1", "fuzz_r2", "fuzz_owner", "NONE"])
        forms = [f"SET ROLE {role}", f"SET LOCAL ROLE {role}", "RESET ROLE", f"SET ROLE {role}"]
        if USERS[number] == "postgres":
            forms += [f"SET SESSION AUTHORIZATION {role.replace('NONE', 'DEFAULT')}", "RESET SESSION AUTHORIZATION"]
        return self._step(number, self.rng.choice(forms))

    def _set_config(self, number, in_transaction):
        name = self.rng.choice(self.names)
        value = self.rng.choice(SETTINGS[name]).replace("'", "''")
        return self._step(number, f"SELECT set_config('{name}', '{value}', {self.rng.choice(['false', 'true'])})")

    def _temporary(self, number, in_transaction):
        """A table that hides one of the schema's, until it is dropped."""
        table = self.rng.choice(self.builder.model.tables)
        made = self.rng.choice([f"CREATE TEMP TABLE {table.name} (LIKE {table.full_name})",
                                f"CREATE TEMP TABLE {table.name} AS SELECT * FROM {table.full_name} WHERE a < 5",
                                f"CREATE TEMP VIEW {table.name} AS SELECT * FROM {table.full_name} WHERE a < 9",
                                f"SELECT * INTO TEMP {table.name} FROM {table.full_name} WHERE false"])
        return self._step(number, made, "hides", kind="write")

    def discard_temporary(self, number, in_transaction):
        if in_transaction:
            return self._step(number, "DISCARD TEMP")
        return self.connect(number)

    def _discard(self, number, in_transaction):
        if in_transaction or self.rng.random() < 0.5:
            return self._step(number, self.rng.choice(["DISCARD TEMP", "DISCARD PLANS", "DEALLOCATE ALL"]))
        if self.rng.random() < 0.5:
            return self.connect(number)
        return self._step(number, "DISCARD ALL")

    # --- transactions

    def begin(self, number):
        text = self.rng.choices(["BEGIN", "START TRANSACTION", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN READ ONLY",
                                 "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", "BEGIN; SET LOCAL app.tenant = 'a'"],
                                [8, 2, 1.5, 1, 0.5, 1])[0]
        return self._step(number, text)

    def inside(self, number):
        """Of a transaction that goes on."""
        if self.rng.random() < 0.25:
            table = self.rng.choice(self.builder.model.tables)
            declare = f"DECLARE c1 CURSOR FOR SELECT id, a, b FROM {table.full_name} WHERE a < 9 ORDER BY 2, 1, 3"
            return self._step(number, self.rng.choice([declare, "FETCH 2 FROM c1", "FETCH ALL FROM c1", "CLOSE c1"]), "unordered", kind="write")
        return self._step(number, self.rng.choice(["SAVEPOINT s1", "SAVEPOINT s1", "ROLLBACK TO s1", "ROLLBACK TO SAVEPOINT s1", "RELEASE s1",
                                                   "SET CONSTRAINTS ALL IMMEDIATE"]))

    def end(self, number):
        return self._step(number, self.rng.choices(["COMMIT", "END", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"],
                                                   [8, 1, 4, 0.7, 0.5])[0])

    def prepare(self, number):
        """The transaction's first phase, and its second by this or another session."""
        name = self.builder.fresh("fuzz_g")
        last = self.rng.choice(["COMMIT PREPARED", "COMMIT PREPARED", "ROLLBACK PREPARED"])
        return (self._step(number, f"PREPARE TRANSACTION '{name}'", twin="COMMIT"),
                self._step(self.rng.choice([0, number]), f"{last} '{name}'", kind="write"))
