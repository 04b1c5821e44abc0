"""A setting that can change a result is a part of the key, however it was made and however it went away."""
import psycopg2
import pytest

import wire

WHEN = "SELECT at FROM moments"


@pytest.fixture
def moments(direct):
    direct.run("CREATE TABLE moments (at timestamptz, span interval, raw bytea, approx float8);"
               r"INSERT INTO moments VALUES ('2024-03-01 12:00:00+00', '1 day 02:03:04', '\x00ff', 0.1::float8 + 0.2)")


def texts(session, sql):
    """The value as the server wrote it: psycopg2 must not convert it."""
    with session.connection.cursor() as cursor:
        for oid in (1184, 1186, 17, 701):
            psycopg2.extensions.register_type(psycopg2.extensions.new_type((oid,), "AS_IS", lambda v, _: v), cursor)
        cursor.execute(sql)
        return cursor.fetchall()[0][0]


SETTINGS = [
    ("at", "TimeZone", "'America/New_York'"),
    ("at", "DateStyle", "'German'"),
    ("span", "IntervalStyle", "'iso_8601'"),
    ("raw", "bytea_output", "'escape'"),
    ("approx", "extra_float_digits", "-5"),
]


@pytest.mark.parametrize("column, setting, value", SETTINGS, ids=[row[1] for row in SETTINGS])
class TestASettingThatChangesTheText:
    def check(self, pgmemo, client, other, direct, column, change, undo, setting, value):
        sql = f"SELECT {column} FROM moments"
        pgmemo.warm(client, sql)
        plain = texts(other, sql)
        direct.run(f"SET {setting} = {value}")
        expected = texts(direct, sql)
        assert expected != plain, "the setting does change the text"
        change()
        for _ in range(3):
            assert texts(client, sql) == expected
            assert texts(other, sql) == plain
        undo()
        for _ in range(3):
            assert texts(client, sql) == plain

    def test_by_set_and_reset(self, moments, pgmemo, client, other, direct, column, setting, value):
        self.check(pgmemo, client, other, direct, column, lambda: client.run(f"SET {setting} = {value}"),
                   lambda: client.run(f"RESET {setting}"), setting, value)

    def test_by_set_and_reset_all(self, moments, pgmemo, client, other, direct, column, setting, value):
        self.check(pgmemo, client, other, direct, column, lambda: client.run(f"SET SESSION {setting} TO {value}"),
                   lambda: client.run("RESET ALL"), setting, value)

    def test_by_set_and_discard_all(self, moments, pgmemo, client, other, direct, column, setting, value):
        self.check(pgmemo, client, other, direct, column, lambda: client.run(f"SET {setting} = {value}"),
                   lambda: client.run("DISCARD ALL"), setting, value)

    def test_by_set_config(self, moments, pgmemo, client, other, direct, column, setting, value):
        self.check(pgmemo, client, other, direct, column,
                   lambda: client.run(f"SELECT set_config('{setting}', {value if value[0] == chr(39) else repr(value)}, false)"),
                   lambda: client.run(f"SET {setting} TO DEFAULT"), setting, value)

    def test_by_set_local_until_the_transaction_ends(self, moments, pgmemo, client, other, direct, column, setting, value):
        def change():
            client.run("BEGIN")
            client.run(f"SET LOCAL {setting} = {value}")

        self.check(pgmemo, client, other, direct, column, change, lambda: client.run("COMMIT"), setting, value)

    def test_by_set_until_it_is_rolled_back(self, moments, pgmemo, client, other, direct, column, setting, value):
        def change():
            client.run("BEGIN")
            client.run(f"SET {setting} = {value}")

        self.check(pgmemo, client, other, direct, column, change, lambda: client.run("ROLLBACK"), setting, value)

    def test_by_rollback_to_a_savepoint(self, moments, pgmemo, client, other, direct, column, setting, value):
        def change():
            client.run("BEGIN")
            client.run("SAVEPOINT s")
            client.run(f"SET {setting} = {value}")

        def undo():
            client.run("ROLLBACK TO s")

        self.check(pgmemo, client, other, direct, column, change, undo, setting, value)
        client.run("COMMIT")

    def test_by_startup_options(self, moments, database, pgmemo, client, other, direct, column, setting, value):
        plain = value.strip("'")
        sql = f"SELECT {column} FROM moments"
        pgmemo.warm(client, sql)
        direct.run(f"SET {setting} = {value}")
        # psycopg2 would set DateStyle by itself.
        with_options = pgmemo.wire(database, parameters={"options": f"-c {setting}={plain}"})
        with_parameter = pgmemo.wire(database, parameters={setting: plain})
        for _ in range(3):
            assert with_options.one(sql) == texts(direct, sql)
            assert with_parameter.one(sql) == texts(direct, sql)
        assert texts(other, sql) != texts(direct, sql)


def test_what_is_known_not_to_change_a_result_does_not_split_the_cache(pgmemo, database, client):
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    named = pgmemo.session(database, application_name="somebody else")
    assert pgmemo.warm(named, sql) == [("item 1",)]
    named.run("SET application_name = 'again'")
    named.run("SET statement_timeout = '1min'")
    named.run("SET work_mem = '8MB'")
    assert pgmemo.ask(named, sql).is_hit


def test_search_path_decides_which_table_is_meant(pgmemo, client, other, direct):
    direct.run("CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (v text); CREATE TABLE b.t (v text);"
               "INSERT INTO a.t VALUES ('a'); INSERT INTO b.t VALUES ('b')")
    client.run("SET search_path = a")
    other.run("SET search_path = b")
    sql = "SELECT v FROM t"
    assert pgmemo.warm(client, sql) == [("a",)]
    assert pgmemo.warm(other, sql) == [("b",)]
    client.run("SET search_path = b")
    assert client.one(sql) == "b"
    client.run("SET search_path = a, b")
    assert client.one(sql) == "a"
    client.run("BEGIN")
    client.run("SET LOCAL search_path = b")
    assert client.one(sql) == "b"
    client.run("ROLLBACK")
    assert client.one(sql) == "a"
    other.run("UPDATE t SET v = 'b2'")
    client.run("SET search_path TO b")
    assert client.one(sql) == "b2"


def test_a_schema_earlier_in_the_path_that_gains_the_table_hides_the_later_one(pgmemo, client, direct, other):
    direct.run("CREATE SCHEMA early; CREATE SCHEMA late; CREATE TABLE late.t (v text); INSERT INTO late.t VALUES ('late')")
    client.run("SET search_path = early, late")
    assert pgmemo.warm(client, "SELECT v FROM t") == [("late",)]
    other.run("CREATE TABLE early.t (v text)")
    other.run("INSERT INTO early.t VALUES ('early')")
    assert client.one("SELECT v FROM t") == "early"


def test_dollar_user_in_the_path_follows_set_role(pgmemo, client, direct, create_role):
    role = create_role()
    direct.run(f'CREATE SCHEMA "{role}"; CREATE TABLE "{role}".t (v text); INSERT INTO "{role}".t VALUES (\'own\');'
               f'CREATE TABLE public.t (v text); INSERT INTO public.t VALUES (\'public\');'
               f'GRANT USAGE ON SCHEMA "{role}" TO "{role}"; GRANT SELECT ON "{role}".t, public.t TO "{role}"')
    assert pgmemo.warm(client, "SELECT v FROM t") == [("public",)]
    client.run(f"SET ROLE {role}")
    for _ in range(3):
        assert client.one("SELECT v FROM t") == "own"
    client.run("RESET ROLE")
    assert client.one("SELECT v FROM t") == "public"


def test_set_role_loses_the_rights_and_reset_role_gives_them_back(pgmemo, client, direct, create_role):
    role = create_role()
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    client.run(f"SET ROLE {role}")
    assert client.fails(sql) == "42501"
    client.run("RESET ROLE")
    assert client.one(sql) == "item 1"
    client.run(f"SET SESSION AUTHORIZATION {role}")
    assert client.fails(sql) == "42501"
    client.run("RESET SESSION AUTHORIZATION")
    assert client.one(sql) == "item 1"
    client.run("BEGIN")
    client.run(f"SET LOCAL ROLE {role}")
    assert client.fails(sql) == "42501"
    client.run("ROLLBACK")
    assert client.one(sql) == "item 1"


def test_the_same_text_of_two_users_is_two_questions(pgmemo, database, client, create_role):
    role = create_role()
    sql = "SELECT name FROM items WHERE id = 1"
    pgmemo.warm(client, sql)
    stranger = pgmemo.session(database, role)
    assert stranger.fails(sql) == "42501"
    client.run(f"GRANT SELECT ON items TO {role}")
    assert pgmemo.warm(stranger, sql) == [("item 1",)]


def test_the_same_text_in_two_databases_is_two_questions(pgmemo, postgres, database, client, create_database):
    elsewhere = create_database()
    postgres.run("CREATE TABLE items (id int, name text); INSERT INTO items VALUES (1, 'elsewhere')", elsewhere)
    sql = "SELECT name FROM items WHERE id = 1"
    visitor = pgmemo.session(elsewhere)
    assert pgmemo.warm(client, sql) == [("item 1",)]
    assert pgmemo.warm(visitor, sql) == [("elsewhere",)]
    visitor.run("UPDATE items SET name = 'changed'")
    assert visitor.one(sql) == "changed"
    assert client.one(sql) == "item 1"


def test_a_role_setting_counts_for_new_sessions_only(pgmemo, database, direct, client, moments, create_role):
    role = create_role()
    direct.run(f"GRANT SELECT ON moments TO {role}")
    before = pgmemo.session(database, role)
    pgmemo.warm(before, WHEN)
    plain = texts(before, WHEN)
    client.run(f"ALTER ROLE {role} SET TimeZone = 'Asia/Tokyo'")
    after = pgmemo.session(database, role)
    for _ in range(3):
        assert texts(before, WHEN) == plain
        assert texts(after, WHEN) == "2024-03-01 21:00:00+09"


def test_a_database_setting_counts_for_new_sessions(pgmemo, database, direct, client, moments):
    pgmemo.warm(client, WHEN)
    plain = texts(client, WHEN)
    client.run(f"ALTER DATABASE {database} SET TimeZone = 'Asia/Tokyo'")
    after = pgmemo.session(database)
    for _ in range(3):
        assert texts(client, WHEN) == plain
        assert texts(after, WHEN) == "2024-03-01 21:00:00+09"


def test_a_setting_changed_inside_a_function_is_noticed(pgmemo, client, other, direct, moments):
    direct.run("CREATE FUNCTION far_away() RETURNS void LANGUAGE plpgsql AS "
               "$$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); END $$")
    pgmemo.warm(client, WHEN)
    client.run("SELECT far_away()")
    for _ in range(3):
        assert texts(client, WHEN) == "2024-03-01 21:00:00+09"
    assert texts(other, WHEN) == "2024-03-01 12:00:00+00"


def test_a_setting_changed_inside_do_is_noticed(pgmemo, client, moments):
    pgmemo.warm(client, WHEN)
    client.run("DO $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); END $$")
    for _ in range(3):
        assert texts(client, WHEN) == "2024-03-01 21:00:00+09"


def test_several_settings_in_one_text_are_noticed(pgmemo, client, moments):
    pgmemo.warm(client, WHEN)
    client.run("SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'")
    for _ in range(3):
        assert texts(client, WHEN) == "01/03/2024 21:00:00 JST"


def test_a_setting_of_the_extended_protocol_is_noticed(pgmemo, database, client, moments):
    session = pgmemo.wire(database)
    pgmemo.warm(session, WHEN)
    session.ask(wire.extended("SET TimeZone = 'Asia/Tokyo'"))
    for _ in range(3):
        assert session.one(WHEN) == "2024-03-01 21:00:00+09"


@pytest.mark.parametrize("encoding", ["LATIN1", "SJIS", "EUC_JP", "WIN1252"])
def test_each_client_encoding_gets_its_own_bytes(pgmemo, database, direct, encoding):
    text = {"SJIS": "ソ十表", "EUC_JP": "日本"}.get(encoding, "é£")
    direct.run(f"INSERT INTO items VALUES (50, '{text}', 1)")
    sql = "SELECT name FROM items WHERE id = 50"
    unicode_session = pgmemo.wire(database)
    pgmemo.warm(unicode_session, sql)
    session = pgmemo.wire(database)
    session.query(f"SET client_encoding = '{encoding}'")
    judge = pgmemo.wire(database, parameters={"client_encoding": encoding})
    codec = {"LATIN1": "latin-1", "SJIS": "shift_jis", "EUC_JP": "euc_jp", "WIN1252": "cp1252"}[encoding]
    for _ in range(3):
        for one in (session, judge):
            rows = [got for got in one.query(sql) if got.kind == "D"]
            assert rows[0].body.endswith(text.encode(codec))
    assert unicode_session.one(sql) == text


def test_a_text_in_sjis_is_never_misread(pgmemo, database, client, direct):
    # The second byte of "ソ" in Shift JIS is a backslash: a parser that reads bytes sees another string.
    direct.run("INSERT INTO items VALUES (60, 'ソ', 60)")
    session = pgmemo.wire(database, parameters={"client_encoding": "SJIS"})
    question = wire.query("SELECT price FROM items WHERE name = 'ソ'".encode("shift_jis"))
    for _ in range(3):
        rows = [got.columns() for got in session.ask(question) if got.kind == "D"]
        assert rows == [["60"]]


def test_old_string_syntax_is_not_misread(pgmemo, client, other, direct):
    direct.run(r"INSERT INTO items VALUES (70, 'it''s', 70)")
    client.run("SET escape_string_warning = off")
    client.run("SET standard_conforming_strings = off")
    sql = r"SELECT price FROM items WHERE name = 'it\'s'"
    for _ in range(3):
        assert client.one(sql) == 70
    # The same bytes end another string for a session of today.
    assert other.fails(sql) == "42601"
    write = r"UPDATE items SET price = 71 WHERE name = 'it\'s'; --'"
    pgmemo.warm(other, "SELECT price FROM items WHERE id = 70")
    client.run(write)
    assert other.one("SELECT price FROM items WHERE id = 70") == 71


def test_a_temporary_table_hides_the_permanent_one_from_its_session_only(pgmemo, client, other):
    sql = "SELECT count(*) FROM items"
    pgmemo.warm(client, sql)
    client.run("CREATE TEMP TABLE items (id int)")
    for _ in range(3):
        assert client.one(sql) == 0
        assert other.one(sql) == 5
    client.run("DISCARD ALL")
    assert client.one(sql) == 5


def test_a_temporary_table_made_by_select_into_hides_too(pgmemo, client, other):
    sql = "SELECT count(*) FROM items"
    pgmemo.warm(client, sql)
    client.run("SELECT 1 AS x INTO TEMP items")
    assert client.one(sql) == 1
    assert other.one(sql) == 5
    client.run("DROP TABLE pg_temp.items")
    assert client.one(sql) == 5


def test_a_temporary_table_that_is_rolled_back_hides_no_longer(pgmemo, client):
    sql = "SELECT count(*) FROM items"
    pgmemo.warm(client, sql)
    client.run("BEGIN")
    client.run("CREATE TEMP TABLE items (id int)")
    assert client.one(sql) == 0
    client.run("ROLLBACK")
    assert client.one(sql) == 5
