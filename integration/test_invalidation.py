"""Every way to write that PostgreSQL has must drop what it made stale, before its author hears of it.

Each test warms a reader's entry, writes by another session through pgmemo, and compares with PostgreSQL itself.
"""
import struct

import pytest

import wire

ITEMS = "SELECT id, name, price FROM items ORDER BY id"

SCHEMA = """
CREATE TABLE log (n serial PRIMARY KEY, what text);
CREATE TABLE parents (id int PRIMARY KEY, name text);
CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE grandchildren (id int PRIMARY KEY, child int REFERENCES children ON DELETE SET NULL);
INSERT INTO parents VALUES (1, 'one'), (2, 'two');
INSERT INTO children VALUES (10, 1), (20, 2);
INSERT INTO grandchildren VALUES (100, 10), (200, 20);
CREATE TABLE parts (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts VALUES (1, 'low'), (101, 'high');
CREATE TABLE ancestor (id int, v text);
CREATE TABLE heir (extra int) INHERITS (ancestor);
INSERT INTO ancestor VALUES (1, 'a'); INSERT INTO heir VALUES (2, 'h', 0);
CREATE VIEW cheap AS SELECT id, name, price FROM items WHERE price < 30;
CREATE TABLE ruled (id int, v text); CREATE TABLE rule_target (id int, v text);
CREATE RULE redirect AS ON INSERT TO ruled DO INSTEAD INSERT INTO rule_target VALUES (NEW.id, NEW.v);
CREATE TABLE triggered (id int);
CREATE FUNCTION on_triggered() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log (what) VALUES ('triggered'); RETURN NEW; END $$;
CREATE TRIGGER t AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION on_triggered();
CREATE FUNCTION raise_price(which int) RETURNS void LANGUAGE sql AS 'UPDATE items SET price = price + 1 WHERE id = which';
CREATE FUNCTION raise_dynamically(which text) RETURNS void LANGUAGE plpgsql AS
  $$ BEGIN EXECUTE 'UPDATE ' || which || ' SET price = price + 1'; END $$;
CREATE PROCEDURE raise_and_commit() LANGUAGE plpgsql AS
  $$ BEGIN UPDATE items SET price = price + 1; COMMIT; UPDATE items SET price = price + 1; COMMIT; END $$;
CREATE TABLE "Mixed Case" (id int, v text); INSERT INTO "Mixed Case" VALUES (1, 'x');
CREATE MATERIALIZED VIEW total AS SELECT sum(price) AS s FROM items;
CREATE FUNCTION next_in_log(text) RETURNS bigint LANGUAGE sql AS 'INSERT INTO log (what) VALUES ($1) RETURNING n::bigint';
"""


@pytest.fixture
def schema(pgmemo, database):
    pgmemo.session(database).run(SCHEMA)


@pytest.fixture
def writer(pgmemo, database, schema):
    return pgmemo.session(database)


@pytest.fixture
def raw(pgmemo, database, schema):
    return pgmemo.wire(database)


def check(pgmemo, client, direct, read, write):
    pgmemo.warm(client, ITEMS)
    before = pgmemo.settle(client, read)
    assert before == direct.run(read)
    write()
    after = direct.run(read)
    assert after != before, "the write changes what is read"
    assert client.run(read) == after
    assert client.run(read) == after
    assert pgmemo.settle(client, read) == after


WRITES = [
    ("insert", ITEMS, "INSERT INTO items VALUES (6, 'six', 60)"),
    ("insert_select", ITEMS, "INSERT INTO items SELECT id + 100, name, price FROM items"),
    ("insert_on_conflict", ITEMS, "INSERT INTO items VALUES (1, 'x', 1) ON CONFLICT (id) DO UPDATE SET name = 'upserted'"),
    ("insert_returning", ITEMS, "INSERT INTO items VALUES (6, 'six', 60) RETURNING id"),
    ("update_from", ITEMS, "UPDATE items SET name = p.name FROM parents p WHERE p.id = items.id"),
    ("update_qualified", ITEMS, "UPDATE public.items SET price = 0"),
    ("update_aliased", ITEMS, "UPDATE ONLY items AS i SET price = 0 WHERE i.id = 1"),
    ("delete_using", ITEMS, "DELETE FROM items USING parents p WHERE p.id = items.id"),
    ("truncate", ITEMS, "TRUNCATE items"),
    ("truncate_several", ITEMS, "TRUNCATE log, items RESTART IDENTITY"),
    ("truncate_cascade", "SELECT count(*) FROM grandchildren", "TRUNCATE parents CASCADE"),
    ("merge", ITEMS, "MERGE INTO items i USING parents p ON p.id = i.id WHEN MATCHED THEN UPDATE SET name = p.name "
                     "WHEN NOT MATCHED THEN INSERT VALUES (p.id, p.name, 0)"),
    ("cte_update", ITEMS, "WITH w AS (UPDATE items SET price = 0 WHERE id = 1 RETURNING *) SELECT * FROM w"),
    ("cte_unused", ITEMS, "WITH w AS (DELETE FROM items WHERE id = 1) SELECT 1"),
    ("cte_in_insert", ITEMS, "WITH w AS (DELETE FROM items WHERE id = 1 RETURNING id) INSERT INTO log (what) SELECT 'gone' FROM w"),
    ("explain_analyze", ITEMS, "EXPLAIN ANALYZE UPDATE items SET price = 0"),
    ("explain_analyze_options", ITEMS, "EXPLAIN (COSTS off, ANALYZE) DELETE FROM items WHERE id = 1"),
    ("do_block", ITEMS, "DO $$ BEGIN UPDATE items SET price = 0; END $$"),
    ("call_with_commits", ITEMS, "CALL raise_and_commit()"),
    ("function", ITEMS, "SELECT raise_price(1)"),
    ("function_in_where", ITEMS, "SELECT 1 FROM parents WHERE raise_price(id) IS NOT NULL"),
    ("function_in_from", ITEMS, "SELECT * FROM raise_price(2)"),
    ("dynamic_sql", ITEMS, "SELECT raise_dynamically('items')"),
    ("several_statements", ITEMS, "SELECT 1; UPDATE items SET price = 0; SELECT 2"),
    ("several_with_transaction", ITEMS, "BEGIN; UPDATE items SET price = 0; COMMIT"),
    ("prepare_execute", ITEMS, "PREPARE p AS UPDATE items SET price = $1; EXECUTE p(7)"),
    ("comments_around", ITEMS, "/* SELECT */ -- SELECT\n UPDATE /* x */ items SET price = 0 -- done"),
    ("create_table_as_and_write", ITEMS, "CREATE TABLE copied AS WITH w AS (SELECT 1) SELECT * FROM w; DELETE FROM items"),
    ("foreign_key_cascade", "SELECT * FROM children ORDER BY id", "DELETE FROM parents WHERE id = 1"),
    ("foreign_key_cascade_update", "SELECT * FROM children ORDER BY id", "UPDATE parents SET id = 5 WHERE id = 1"),
    ("foreign_key_set_null_far", "SELECT * FROM grandchildren ORDER BY id", "DELETE FROM parents WHERE id = 1"),
    ("partition_by_parent", "SELECT * FROM parts_low", "UPDATE parts SET v = 'new' WHERE id = 1"),
    ("parent_by_partition", "SELECT * FROM parts ORDER BY id", "UPDATE parts_high SET v = 'new'"),
    ("row_moves_partition", "SELECT * FROM parts_high ORDER BY id", "UPDATE parts SET id = 150 WHERE id = 1"),
    ("heir_by_ancestor", "SELECT * FROM heir", "UPDATE ancestor SET v = 'new'"),
    ("ancestor_by_heir", "SELECT * FROM ancestor ORDER BY id", "UPDATE heir SET v = 'new'"),
    ("base_by_view", ITEMS, "UPDATE cheap SET name = 'through the view'"),
    ("view_by_base", "SELECT * FROM cheap ORDER BY id", "UPDATE items SET price = 1000"),
    ("insert_through_view", ITEMS, "INSERT INTO cheap VALUES (6, 'six', 5)"),
    ("rule", "SELECT * FROM rule_target", "INSERT INTO ruled VALUES (1, 'ruled')"),
    ("trigger", "SELECT count(*) FROM log", "INSERT INTO triggered VALUES (1)"),
    ("sequence_and_default", "SELECT * FROM log", "INSERT INTO log (what) VALUES ('x')"),
    ("quoted_name", 'SELECT v FROM "Mixed Case"', 'UPDATE "Mixed Case" SET v = $$y$$'),
    ("quoted_name_qualified", 'SELECT v FROM "Mixed Case"', 'UPDATE "public" . "Mixed Case" SET v = E\'\\x79\''),
    ("unicode_escaped_name", ITEMS, "UPDATE U&\"\\0069tems\" SET price = 0"),
    ("upper_case_name", ITEMS, "UPDATE ITEMS SET PRICE = 0"),
    ("materialized_view", "SELECT s FROM total", "UPDATE items SET price = 0; REFRESH MATERIALIZED VIEW total"),
    ("table_statement", "TABLE items", "DELETE FROM items"),
    ("explain_execute", ITEMS, "PREPARE q AS DELETE FROM items; EXPLAIN ANALYZE EXECUTE q"),
    ("copy_returning", ITEMS, "COPY (DELETE FROM items RETURNING id) TO '/dev/null'"),
    ("declare_in_transaction", ITEMS, "BEGIN; DECLARE c CURSOR FOR SELECT 1; UPDATE items SET price = 0; FETCH c; COMMIT"),
    ("rewrite_of_the_table", "SELECT * FROM parents ORDER BY id", "ALTER TABLE parents ALTER name TYPE varchar USING upper(name)"),
]


@pytest.mark.parametrize("read, write", [row[1:] for row in WRITES], ids=[row[0] for row in WRITES])
def test_a_write_by_simple_query_is_seen(pgmemo, client, direct, writer, read, write):
    check(pgmemo, client, direct, read, lambda: writer.run(write))


EXTENDED = [row for row in WRITES if ";" not in row[2] or "$$" in row[2]]


@pytest.mark.parametrize("read, write", [row[1:] for row in EXTENDED], ids=[row[0] for row in EXTENDED])
def test_a_write_by_extended_query_is_seen(pgmemo, client, direct, raw, read, write):
    def run():
        got = raw.ask(wire.extended(write))
        assert "E" not in wire.kinds(got), got

    check(pgmemo, client, direct, read, run)


# Those that neither control the transaction themselves nor lock readers out.
TRANSACTIONAL = [row for row in WRITES if not any(word in row[2] for word in ("BEGIN;", "CALL", "TRUNCATE", "REFRESH", "ALTER"))]


@pytest.mark.parametrize("read, write", [row[1:] for row in TRANSACTIONAL], ids=[row[0] for row in TRANSACTIONAL])
def test_a_write_in_a_transaction_is_seen_once_committed(pgmemo, client, direct, writer, read, write):
    def run():
        writer.run("BEGIN")
        writer.run(write)
        assert client.run(read) == direct.run(read)
        writer.run("COMMIT")

    check(pgmemo, client, direct, read, run)


# --- the extended protocol's own ways --------------------------------------------------------------------------------

UPDATE = "UPDATE items SET price = price + 1 WHERE id = $1"


class TestExtendedProtocol:
    @pytest.fixture(autouse=True)
    def pieces(self, pgmemo, client, direct, raw):
        self.check = lambda write: check(pgmemo, client, direct, ITEMS, write)
        self.raw = raw
        self.client = client
        self.pgmemo = pgmemo

    def ask(self, *messages):
        got = self.raw.ask(b"".join(messages))
        assert "E" not in wire.kinds(got), got
        return got

    def test_a_named_statement_bound_again_without_parse(self):
        self.ask(wire.parse("up", UPDATE), wire.SYNC)
        for key in (1, 2, 3):
            self.check(lambda: self.ask(wire.bind("", "up", [key]), wire.execute(), wire.SYNC))

    def test_an_unnamed_statement_bound_in_a_later_group(self):
        self.ask(wire.parse("", UPDATE), wire.describe("S"), wire.SYNC)
        for key in (1, 2):
            self.check(lambda: self.ask(wire.bind("", "", [key]), wire.execute(), wire.SYNC))

    def test_a_named_statement_parsed_anew_under_the_same_name(self):
        self.ask(wire.parse("s", "SELECT $1::int"), wire.SYNC)
        self.ask(wire.close("S", "s"), wire.parse("s", UPDATE), wire.SYNC)
        self.check(lambda: self.ask(wire.bind("", "s", [1]), wire.execute(), wire.SYNC))

    def test_a_statement_prepared_by_sql_and_bound_by_protocol(self):
        self.raw.run("PREPARE by_sql(int) AS " + UPDATE)
        self.check(lambda: self.ask(wire.bind("", "by_sql", [1]), wire.execute(), wire.SYNC))

    def test_a_statement_parsed_by_protocol_and_executed_by_sql(self):
        self.ask(wire.parse("by_protocol", UPDATE, [23]), wire.SYNC)
        self.check(lambda: self.raw.run("EXECUTE by_protocol(1)"))

    def test_execute_with_max_rows(self):
        write = "UPDATE items SET price = price + 1 RETURNING id"
        self.check(lambda: self.ask(wire.parse("", write), wire.bind("", ""), wire.execute("", 1), wire.execute("", 1),
                                    wire.SYNC))

    def test_execute_of_a_named_portal(self):
        self.check(lambda: self.ask(wire.parse("", UPDATE), wire.bind("p", "", [1]), wire.execute("p"), wire.SYNC))

    def test_a_write_in_a_pipeline_is_hidden_until_sync_and_seen_after(self):
        def write():
            self.raw.send(wire.parse("", UPDATE) + wire.bind("", "", [1]) + wire.execute() + wire.FLUSH)
            self.raw.until("C")
            assert self.client.run("SELECT price FROM items WHERE id = 1") == old
            self.ask(wire.SYNC)

        old = self.client.run("SELECT price FROM items WHERE id = 1")
        self.check(write)
        assert self.client.run("SELECT price FROM items WHERE id = 1") != old

    def test_a_pipeline_that_fails_writes_nothing(self, direct):
        self.pgmemo.warm(self.client, ITEMS)
        got = self.raw.ask(wire.parse("", UPDATE) + wire.bind("", "", [1]) + wire.execute() + wire.parse("", "SELEC") +
                           wire.bind("", "") + wire.execute() + wire.SYNC)
        assert wire.kinds(got) == "12CEZ"
        assert self.client.run(ITEMS) == direct.run(ITEMS)
        assert self.pgmemo.warm(self.client, ITEMS) == direct.run(ITEMS)

    def test_writes_and_reads_of_many_groups_in_one_send(self):
        def write():
            group = wire.parse("", UPDATE) + wire.bind("", "", [1]) + wire.execute() + wire.SYNC
            self.raw.send(group * 50 + wire.query("SELECT price FROM items WHERE id = 1"))
            for _ in range(50):
                assert wire.kinds(self.raw.until("Z")) == "12CZ"
            prices.append(self.raw.until("Z")[1].columns())

        prices = []
        self.check(write)
        assert prices == [["60"]]

    def test_a_write_in_an_extended_transaction_of_several_groups(self):
        def write():
            self.ask(wire.extended("BEGIN"))
            self.ask(wire.parse("", UPDATE), wire.bind("", "", [1]), wire.execute(), wire.SYNC)
            self.ask(wire.extended("COMMIT"))

        self.check(write)

    def test_a_transaction_that_mixes_the_protocols(self):
        def write():
            self.raw.run("BEGIN")
            self.ask(wire.parse("", UPDATE), wire.bind("", "", [1]), wire.execute(), wire.SYNC)
            assert self.raw.one("SELECT price FROM items WHERE id = 1") == "11"
            self.raw.run("COMMIT")

        self.check(write)

    def test_commit_inside_a_pipeline(self):
        def write():
            pieces = [wire.parse("", sql) + wire.bind("", "") + wire.execute() for sql in
                      ("BEGIN", "UPDATE items SET price = 3 WHERE id = 1", "COMMIT", "SELECT 1")]
            self.ask(*pieces, wire.SYNC)

        self.check(write)

    def test_copy_in_by_extended_query(self):
        def write():
            self.raw.send(wire.parse("", "COPY items FROM STDIN") + wire.bind("", "") + wire.execute())
            self.raw.send(wire.FLUSH)
            assert self.raw.until("GE")[-1].kind == "G"
            self.ask(wire.copy_data(b"6\tsix\t60\n"), wire.COPY_DONE, wire.SYNC)

        self.check(write)

    def test_copy_in_with_the_sync_sent_early(self):
        # Drivers send Sync right behind Execute; PostgreSQL ignores it while it copies: one ReadyForQuery in all.
        def write():
            self.raw.send(wire.parse("", "COPY items FROM STDIN") + wire.bind("", "") + wire.execute() + wire.SYNC)
            assert self.raw.until("GE")[-1].kind == "G"
            got = self.raw.ask(wire.copy_data(b"6\tsix\t60\n") + wire.COPY_DONE + wire.SYNC)
            assert wire.kinds(got) == "CZ"

        self.check(write)

    def test_copy_in_that_fails_writes_nothing(self, direct):
        self.pgmemo.warm(self.client, ITEMS)
        self.raw.send(wire.query("COPY items FROM STDIN"))
        self.raw.until("G")
        got = self.raw.ask(wire.copy_data(b"6\tsix\t60\n") + wire.message("f", wire.text("no")))
        assert wire.kinds(got) == "EZ"
        assert self.client.run(ITEMS) == direct.run(ITEMS)

    def test_function_call(self, direct):
        oid = direct.one("SELECT 'next_in_log(text)'::regprocedure::oid::int")
        count = "SELECT count(*) FROM log"
        self.pgmemo.warm(self.client, count)
        body = struct.pack("!ihh", oid, 0, 1) + struct.pack("!i", 3) + b"abc" + struct.pack("!h", 0)
        assert wire.kinds(self.raw.ask(wire.message("F", body))) == "VZ"
        assert self.client.one(count) == 1


# --- other ways --------------------------------------------------------------------------------------------------------

def test_copy_from_stdin(pgmemo, client, direct, writer):
    import io

    def write():
        with writer.connection.cursor() as cursor:
            cursor.copy_expert("COPY items FROM STDIN", io.StringIO("6\tsix\t60\n7\tseven\t70\n"))

    check(pgmemo, client, direct, ITEMS, write)


def test_copy_inside_a_text_of_several(pgmemo, client, direct, raw):
    def write():
        raw.send(wire.query("DELETE FROM items; COPY items FROM STDIN; UPDATE items SET price = 5"))
        raw.until("G")
        assert wire.kinds(raw.ask(wire.copy_data(b"8\teight\t80\n") + wire.COPY_DONE)) == "CCZ"

    check(pgmemo, client, direct, ITEMS, write)


def test_two_phase_commit(pgmemo, client, direct, writer, database):
    def write():
        writer.run("BEGIN")
        writer.run("UPDATE items SET price = 77 WHERE id = 1")
        writer.run(f"PREPARE TRANSACTION '{database}'")
        assert client.run(ITEMS) == direct.run(ITEMS)
        pgmemo.session(database).run(f"COMMIT PREPARED '{database}'")

    check(pgmemo, client, direct, ITEMS, write)


def test_two_phase_commit_from_another_database(pgmemo, postgres, client, direct, writer, database, create_database):
    # COMMIT PREPARED must be run in the same database; elsewhere it fails, and nothing may change.
    elsewhere = pgmemo.session(create_database())
    pgmemo.warm(client, ITEMS)
    writer.run("BEGIN")
    writer.run("UPDATE items SET price = 77 WHERE id = 1")
    writer.run(f"PREPARE TRANSACTION '{database}'")
    assert elsewhere.fails(f"COMMIT PREPARED '{database}'") == "0A000"
    assert client.run(ITEMS) == direct.run(ITEMS)
    writer.run(f"ROLLBACK PREPARED '{database}'")
    assert pgmemo.warm(client, ITEMS) == direct.run(ITEMS)


def test_commit_and_chain(pgmemo, client, direct, writer):
    def write():
        writer.run("BEGIN")
        writer.run("UPDATE items SET price = 1 WHERE id = 1")
        writer.run("COMMIT AND CHAIN")
        assert client.run(ITEMS) == direct.run(ITEMS)
        writer.run("UPDATE items SET price = 2 WHERE id = 1")
        assert client.run(ITEMS) == direct.run(ITEMS)
        writer.run("COMMIT")

    check(pgmemo, client, direct, ITEMS, write)


def test_a_deferred_trigger_writes_at_commit(pgmemo, client, direct, writer):
    direct.run("CREATE CONSTRAINT TRIGGER late AFTER INSERT ON parents DEFERRABLE INITIALLY DEFERRED "
               "FOR EACH ROW EXECUTE FUNCTION on_triggered()")
    pgmemo.session(direct.one("SELECT current_database()")).run("COMMENT ON TABLE parents IS 'seen by pgmemo'")

    def write():
        writer.run("BEGIN")
        writer.run("INSERT INTO parents VALUES (9, 'nine')")
        writer.run("COMMIT")

    check(pgmemo, client, direct, "SELECT count(*) FROM log", write)


def test_large_objects_pass(pgmemo, database):
    writer = pgmemo.connect(database, autocommit=False)
    large = writer.lobject(0, "wb")
    large.write(b"x" * 100_000)
    oid = large.oid
    large.close()
    writer.commit()
    reader = pgmemo.connect(database, autocommit=False)
    assert len(reader.lobject(oid, "rb").read()) == 100_000
    reader.commit()


# --- the catalog -------------------------------------------------------------------------------------------------------

DDL = [
    ("drop_and_create", "SELECT * FROM items ORDER BY id",
     "DROP TABLE items CASCADE; CREATE TABLE items (id int, other text); INSERT INTO items VALUES (1, 'fresh')"),
    ("rename_away_and_in", "SELECT * FROM items ORDER BY id",
     "ALTER TABLE items RENAME TO old_items; ALTER TABLE parents RENAME TO items"),
    ("add_column", "SELECT * FROM items ORDER BY id", "ALTER TABLE items ADD COLUMN stock int DEFAULT 3"),
    ("drop_column", "SELECT * FROM items ORDER BY id", "ALTER TABLE items DROP COLUMN price CASCADE"),
    ("set_schema", "SELECT count(*) FROM log",
     "CREATE SCHEMA s; ALTER TABLE log SET SCHEMA s; CREATE TABLE log (n int); INSERT INTO log VALUES (1), (2)"),
    ("attach_partition", "SELECT count(*) FROM parts",
     "CREATE TABLE parts_more (id int, v text); INSERT INTO parts_more VALUES (250, 'more');"
     "ALTER TABLE parts ATTACH PARTITION parts_more FOR VALUES FROM (200) TO (300)"),
    ("add_heir", "SELECT count(*) FROM parents",
     "CREATE TABLE more_parents () INHERITS (parents); INSERT INTO more_parents VALUES (7, 'heir')"),
    ("replace_view", "SELECT count(*) FROM cheap", "CREATE OR REPLACE VIEW cheap AS SELECT id, name, price FROM items"),
]


@pytest.mark.parametrize("read, write", [row[1:] for row in DDL], ids=[row[0] for row in DDL])
def test_a_change_of_the_catalog_is_seen_at_once(pgmemo, client, direct, writer, read, write):
    check(pgmemo, client, direct, read, lambda: writer.run(write))


@pytest.mark.parametrize("read, write", [row[1:] for row in DDL], ids=[row[0] for row in DDL])
def test_a_change_of_the_catalog_in_a_transaction_is_seen_once_committed(pgmemo, client, direct, writer, read, write):
    def run():
        writer.run("BEGIN")
        for statement in write.split(";"):
            writer.run(statement)
        writer.run("COMMIT")

    check(pgmemo, client, direct, read, run)


def test_hits_come_back_after_ddl(pgmemo, client, writer):
    pgmemo.warm(client, ITEMS)
    writer.run("CREATE TABLE unrelated (n int)")
    pgmemo.warm(client, ITEMS)
    writer.run("DROP TABLE unrelated")
    pgmemo.warm(client, ITEMS)


def test_a_function_made_around_pgmemo_may_write_anything(pgmemo, client, direct, writer):
    pgmemo.warm(client, ITEMS)
    direct.run("CREATE FUNCTION unheard_of() RETURNS void LANGUAGE sql AS 'UPDATE items SET price = price + 1'")
    writer.run("SELECT unheard_of()")
    assert client.run(ITEMS) == direct.run(ITEMS)
    assert pgmemo.warm(client, ITEMS) == direct.run(ITEMS)


def test_a_procedure_made_around_pgmemo_may_write_anything(pgmemo, client, direct, writer):
    pgmemo.warm(client, ITEMS)
    direct.run("CREATE PROCEDURE unheard_of() LANGUAGE sql AS 'UPDATE items SET price = price + 1'")
    writer.run("CALL unheard_of()")
    assert client.run(ITEMS) == direct.run(ITEMS)


def test_a_table_made_around_pgmemo_is_read_and_written_truly(pgmemo, client, direct, writer):
    pgmemo.warm(client, ITEMS)
    direct.run("CREATE TABLE unheard_of (v int); INSERT INTO unheard_of VALUES (1)")
    assert client.one("SELECT v FROM unheard_of") == 1
    writer.run("UPDATE unheard_of SET v = 2")
    assert client.one("SELECT v FROM unheard_of") == 2
    pgmemo.warm(client, "SELECT v FROM unheard_of")
    writer.run("UPDATE unheard_of SET v = 3")
    assert client.one("SELECT v FROM unheard_of") == 3


def test_a_trigger_made_through_pgmemo_is_known_to_the_next_write(pgmemo, client, direct, writer):
    count = "SELECT count(*) FROM log"
    writer.run("CREATE TRIGGER later AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION on_triggered()")
    pgmemo.warm(client, count)
    writer.run("UPDATE items SET price = 0 WHERE id = 1")
    assert client.one(count) == 1


class TestRights:
    SQL = "SELECT name FROM items WHERE id = 1"

    @pytest.fixture(autouse=True)
    def reader(self, pgmemo, database, direct, writer, create_role):
        self.role = create_role()
        direct.run(f"GRANT SELECT ON items TO {self.role}")
        self.reader = pgmemo.session(database, self.role)
        pgmemo.warm(self.reader, self.SQL)

    def test_revoke_ends_the_hits_at_once(self, writer):
        writer.run(f"REVOKE SELECT ON items FROM {self.role}")
        assert self.reader.fails(self.SQL) == "42501"

    def test_revoke_in_a_transaction_ends_them_at_commit(self, writer):
        writer.run("BEGIN")
        writer.run(f"REVOKE ALL ON items FROM {self.role}")
        assert self.reader.run("SELECT 1") == [(1,)]
        writer.run("COMMIT")
        assert self.reader.fails(self.SQL) == "42501"

    def test_revoke_of_a_membership(self, pgmemo, writer, create_role):
        group = create_role("NOLOGIN")
        writer.run(f"GRANT SELECT ON items TO {group}; GRANT {group} TO {self.role}; REVOKE SELECT ON items FROM {self.role}")
        pgmemo.warm(self.reader, self.SQL)
        writer.run(f"REVOKE {group} FROM {self.role}")
        assert self.reader.fails(self.SQL) == "42501"

    def test_row_security_switched_on(self, writer):
        writer.run("ALTER TABLE items ENABLE ROW LEVEL SECURITY")
        assert self.reader.run(self.SQL) == []

    def test_a_policy_that_changes(self, writer):
        writer.run("ALTER TABLE items ENABLE ROW LEVEL SECURITY")
        writer.run("CREATE POLICY p ON items FOR SELECT USING (id = 1)")
        assert self.reader.run(self.SQL) == [("item 1",)]
        writer.run("ALTER POLICY p ON items USING (id = 2)")
        assert self.reader.run(self.SQL) == []

    def test_bypass_of_row_security_taken_away(self, writer):
        writer.run(f"ALTER TABLE items ENABLE ROW LEVEL SECURITY; ALTER ROLE {self.role} BYPASSRLS")
        for _ in range(3):
            assert self.reader.run(self.SQL) == [("item 1",)]
        writer.run(f"ALTER ROLE {self.role} NOBYPASSRLS")
        assert self.reader.run(self.SQL) == []

    def test_the_right_to_the_schema_taken_away(self, writer, database, pgmemo, direct):
        direct.run(f"CREATE SCHEMA closed; CREATE TABLE closed.t (v int); INSERT INTO closed.t VALUES (1);"
                   f"GRANT USAGE ON SCHEMA closed TO {self.role}; GRANT SELECT ON closed.t TO {self.role}")
        sql = "SELECT v FROM closed.t"
        assert pgmemo.warm(self.reader, sql) == [(1,)]
        writer.run(f"REVOKE USAGE ON SCHEMA closed FROM {self.role}")
        assert self.reader.fails(sql) == "42501"


# --- what must never come from the cache -----------------------------------------------------------------------------

@pytest.mark.parametrize("sql, reason", [
    ("SELECT now()", None),
    ("SELECT random() FROM items", "volatile_function"),
    ("SELECT nextval('log_n_seq')", None),
    ("SELECT clock_timestamp() FROM items", None),
    ("SELECT current_date, id FROM items", "clock"),
    ("SELECT id FROM items WHERE 'now'::timestamptz > '2000-01-01'", "clock"),
    ("SELECT id FROM items WHERE date 'tomorrow' > '2000-01-01'", "clock"),
    ("SELECT age(timestamp '2000-01-01') FROM items", None),
    ("SELECT current_user FROM items", "session_identity"),
    ("SELECT pg_backend_pid() FROM items", None),
    ("SELECT txid_current() FROM items", None),
    ("SELECT current_setting('work_mem') FROM items", None),
    ("SELECT * FROM items FOR UPDATE", "row_lock"),
    ("SELECT * FROM items FOR KEY SHARE", "row_lock"),
    ("SELECT * FROM items TABLESAMPLE SYSTEM (50)", "tablesample"),
    ("SELECT relname FROM pg_class LIMIT 1", "system_catalog"),
    ("SELECT table_name FROM information_schema.tables LIMIT 1", None),
    ("SELECT pg_try_advisory_lock(1)", None),
    ("SELECT pg_advisory_unlock(1) FROM items", None),
    ("SELECT last_value FROM log_n_seq", None),
    ("SELECT raise_price(1)", None),
    ("SELECT 1; SELECT 2", "multiple"),
    ("SHOW work_mem", "utility"),
    ("EXPLAIN SELECT * FROM items", "utility"),
    ("SELECT setseed(0.5)", None),
    ("SELECT pg_relation_size('items')", None),
    ("SELECT tableoid::regclass FROM items", None),
    ("SELECT query_to_xml('select 1', true, true, '')", None),
    ("SELECT has_table_privilege('items', 'SELECT')", None),
], ids=lambda value: value if value and " " in str(value) else "")
def test_it_is_never_a_hit(pgmemo, client, writer, sql, reason):
    pgmemo.warm(client, ITEMS)
    for _ in range(3):
        answer = pgmemo.ask(client, sql)
        assert answer.decision == "bypass"
        if reason:
            assert answer.reason == reason
