"""Session variables: the items P1 to P10 of §1.4 of the list of what a PostgreSQL proxy must get right.

Each test warms the cache, changes something about the session in the simple protocol and in the extended one, and
compares every reply with that of a twin session that goes directly to the same PostgreSQL: when it misses, and again
when it hits. The same change is made in both sessions, so what a SET itself says is compared as well.
"""
import subprocess

import pytest

import harness
import wire
from harness import House, Pgmemo

ITEMS = [f"P{number}" for number in range(1, 11)]

# Items, or parts of them, that are tested in other modules.
ELSEWHERE = {
    "P1": "test_transparency::test_what_a_login_says_is_the_same",
    "P2": ("test_session_settings::TestASettingThatChangesTheText::test_by_set_local_until_the_transaction_ends",
           "test_session_settings::test_a_role_setting_counts_for_new_sessions_only"),
    "P7": "test_session_settings::test_what_is_known_not_to_change_a_result_does_not_split_the_cache",
    "P8": ("test_session_settings::test_each_client_encoding_gets_its_own_bytes",
           "test_session_settings::test_old_string_syntax_is_not_misread"),
    "P9": "test_session_settings::test_set_role_loses_the_rights_and_reset_role_gives_them_back",
}

# Items, or parts of them, of what does not exist yet.
NOT_YET = {
    "P6": "what a replay costs when a connection changes hands: connections do not, there is no pooling yet",
}


def test_every_item_has_its_test():
    harness.check_items(__file__, ITEMS, ELSEWHERE, NOT_YET)


SCHEMA = r"""
CREATE TABLE moments (id int PRIMARY KEY, at timestamptz, d date, span interval, raw bytea, approx float8, cash money,
                      number numeric, nothing int);
INSERT INTO moments VALUES
  (1, '2024-03-01 12:00:00+00', '2024-02-01', '1 day 02:03:04', '\x00ff', 0.1::float8 + 0.2, 1234.5, 1234.5, NULL),
  (2, '2024-03-01 17:00:00+00', '2024-01-02', '-1 day -02:03:04', '\x27', 1e20, 0, 0, NULL);
CREATE TABLE words (id int PRIMARY KEY, name text);
INSERT INTO words VALUES (1, 'é the running dogs');
CREATE VIEW some_words AS SELECT name FROM words;

CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA "A"; CREATE SCHEMA "we, ird"; CREATE SCHEMA "Quo""te";
CREATE SCHEMA sv_alice;
CREATE TABLE public.t (v text); CREATE TABLE a.t (v text); CREATE TABLE b.t (v text); CREATE TABLE "A".t (v text);
CREATE TABLE "we, ird".t (v text); CREATE TABLE "Quo""te".t (v text); CREATE TABLE sv_alice.t (v text);
INSERT INTO public.t VALUES ('public'); INSERT INTO a.t VALUES ('a'); INSERT INTO b.t VALUES ('b');
INSERT INTO "A".t VALUES ('A'); INSERT INTO "we, ird".t VALUES ('we, ird'); INSERT INTO "Quo""te".t VALUES ('Quo"te');
INSERT INTO sv_alice.t VALUES ('sv_alice');
GRANT USAGE ON SCHEMA sv_alice TO sv_alice; GRANT SELECT ON public.t, sv_alice.t TO sv_alice;

CREATE TABLE mine (owner text, v text);
INSERT INTO mine VALUES ('sv_alice', 'of alice'), ('sv_bob', 'of bob'), ('sv_robert', 'of robert');
ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON mine USING (owner = current_user);
CREATE TABLE rented (tenant text, v text);
INSERT INTO rented VALUES ('blue', 'of blue'), ('red', 'of red');
ALTER TABLE rented ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON rented USING (tenant = current_setting('app.tenant', true));
CREATE TABLE closed (v text);
INSERT INTO closed VALUES ('secret');
GRANT SELECT ON moments, words, mine, rented TO sv_alice, sv_bob;
CREATE FUNCTION peek() RETURNS SETOF text STABLE SECURITY DEFINER LANGUAGE sql AS 'SELECT v FROM public.closed';
CREATE FUNCTION who() RETURNS text STABLE SECURITY DEFINER LANGUAGE sql AS 'SELECT current_user::text';
CREATE FUNCTION count_mine() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM public.mine';
CREATE FUNCTION count_all() RETURNS bigint STABLE SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM public.mine';

CREATE FUNCTION go_far() RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); RETURN 1; END $$;
CREATE FUNCTION go_far_and_back() RETURNS text LANGUAGE plpgsql SET TimeZone = 'Asia/Tokyo' AS
  $$ BEGIN RETURN current_setting('TimeZone'); END $$;
CREATE FUNCTION hour_there(at timestamptz) RETURNS float8 STABLE LANGUAGE sql SET TimeZone = 'Asia/Tokyo' AS
  $$ SELECT date_part('hour', at) $$;
CREATE PROCEDURE call_far() LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); COMMIT;
  END $$;
CREATE TABLE departures (id serial);
CREATE FUNCTION on_departure() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM set_config('TimeZone', 'Asia/Tokyo', false); RETURN NEW; END $$;
CREATE TRIGGER departs AFTER INSERT ON departures FOR EACH ROW EXECUTE FUNCTION on_departure();
"""

WHEN = "SELECT at FROM moments WHERE id = 1"



@pytest.fixture(scope="module")
def shared(postgres):
    house = House(postgres, SCHEMA, {"sv_alice": "LOGIN", "sv_bob": "LOGIN"})
    yield house
    house.close()


@pytest.fixture
def house(shared):
    yield shared
    shared.close_pairs()


@pytest.fixture
def start(house, reads_by, writes_by):
    """Begins a session and its twin."""
    return lambda user="postgres", **parameters: house.pair(user, reads_by=reads_by, writes_by=writes_by, **parameters)


@pytest.fixture
def plain(house, reads_by):
    """A session in which nothing was ever set."""
    pair = house.plain()
    pair.reads_by = reads_by
    return pair


@pytest.fixture
def alice(house, reads_by):
    """The same of a plain user."""
    pair = house.plain("sv_alice")
    pair.reads_by = reads_by
    return pair


# --- P1 --------------------------------------------------------------------------------------------------------------

LOGINS = [{}, {"TimeZone": "Asia/Tokyo"}, {"DateStyle": "German", "client_encoding": "LATIN1"},
          {"options": "-c IntervalStyle=iso_8601 -c default_transaction_read_only=on"},
          {"options": "-c app.tenant=blue -csearch_path=a"}, {"application_name": "x", "extra_float_digits": "0"}]


@pytest.mark.parametrize("parameters", LOGINS, ids=str)
def test_what_a_login_reports_is_what_the_server_reports(plain, start, parameters):
    """P1: the reported settings are taken from the server, name for name, and not from a list; hits change nothing of it."""
    sql = "SELECT at, span, approx, current_setting('app.tenant', true) IS NULL FROM moments WHERE id = 1"
    plain.agree(sql)
    pair = start(**parameters)
    assert wire.without_key(pair.through.greeting) == wire.without_key(pair.judge.greeting)
    assert pair.through.parameters == pair.judge.parameters and "server_version" in pair.through.parameters
    pair.agree(sql)


def test_a_reload_of_the_servers_configuration_reaches_sessions_of_hits(own_postgres):
    """P1: a setting changed by ALTER SYSTEM and a reload, reported (TimeZone) or not (bytea_output), counts in every session."""
    own_postgres.run("CREATE TABLE moments (at timestamptz, raw bytea); "
                     r"INSERT INTO moments VALUES ('2024-03-01 12:00:00+00', '\x00ff')")
    own_postgres.settings.pop("TimeZone")  # what the command line says, no reload changes
    own_postgres.stop()
    own_postgres.start()
    pgmemo = Pgmemo(own_postgres)
    try:
        pair = harness.Pair(pgmemo, own_postgres, "postgres")
        sql = "SELECT at, raw FROM moments"
        pair.warm(sql)
        plain = pair.expected(sql)
        for setting in ("TimeZone = 'Asia/Tokyo'", "bytea_output = 'escape'"):
            pair.write(f"ALTER SYSTEM SET {setting}")
            pair.write("SELECT pg_reload_conf()")
            harness.eventually(lambda: pair.expected(sql) != plain, "PostgreSQL's own session has read it")
            plain = pair.expected(sql)
            harness.eventually(lambda: pair.reply(pair.through.query(sql)) == plain, "the session of hits has too")
            pair.agree(sql)
        pair.warm(sql)
        pair.close()
    finally:
        pgmemo.stop()


# --- P2 --------------------------------------------------------------------------------------------------------------

# How TimeZone changes, and how it changes back. Those without a way back change nothing that lasts.
TOKYO = "'Asia/Tokyo'"
WAYS = {
    "set": (["SET TimeZone = 'Asia/Tokyo'"], ["RESET TimeZone"]),
    "set_session": (["SET SESSION TimeZone TO 'Asia/Tokyo'"], ["SET TimeZone TO DEFAULT"]),
    "set_time_zone": (["SET TIME ZONE 'Asia/Tokyo'"], ["SET TIME ZONE LOCAL"]),
    "set_time_zone_interval": (["SET TIME ZONE INTERVAL '+09:00' HOUR TO MINUTE"], ["SET TIME ZONE DEFAULT"]),
    "discard_all": (["SET TimeZone = 'Asia/Tokyo'"], ["DISCARD ALL"]),
    "reset_all": (["SET TimeZone = 'Asia/Tokyo'"], ["RESET ALL"]),
    "set_config": ([f"SELECT set_config('TimeZone', {TOKYO}, false)"],
                   ["SELECT pg_catalog.set_config('timezone', 'UTC', false)"]),
    "set_config_of_parameters": ([("SELECT set_config($1, $2, false)", "TimeZone", "Asia/Tokyo")], ["RESET TimeZone"]),
    "set_config_local_alone": ([f"SELECT set_config('TimeZone', {TOKYO}, true)"], []),
    "set_config_local": (["BEGIN", f"SELECT set_config('TimeZone', {TOKYO}, true)"], ["COMMIT"]),
    "set_local_alone": (["SET LOCAL TimeZone = 'Asia/Tokyo'"], []),
    "set_local": (["BEGIN", "SET LOCAL TimeZone = 'Asia/Tokyo'"], ["COMMIT"]),
    "committed": (["BEGIN", "SET TimeZone = 'Asia/Tokyo'", "COMMIT"], ["RESET TimeZone"]),
    "rolled_back": (["BEGIN", "SET TimeZone = 'Asia/Tokyo'"], ["ROLLBACK"]),
    "rolled_back_by_an_error": (["BEGIN", "SET TimeZone = 'Asia/Tokyo'"], ["SELECT 1/0", "COMMIT"]),
    "rolled_back_to_a_savepoint": (["BEGIN", "SAVEPOINT s", "SET TimeZone = 'Asia/Tokyo'"],
                                   ["ROLLBACK TO s", "COMMIT"]),
    "released": (["BEGIN", "SAVEPOINT s", "SET TimeZone = 'Asia/Tokyo'", "RELEASE s"], ["ROLLBACK"]),
    "chained": (["BEGIN", "SET LOCAL TimeZone = 'Asia/Tokyo'"], ["COMMIT AND CHAIN", "COMMIT"]),
    "local_over_set": (["BEGIN", "SET TimeZone = 'Asia/Tokyo'", "SET LOCAL TimeZone = 'Europe/Paris'", "COMMIT"],
                       ["RESET TimeZone"]),
    "function": (["SELECT go_far()"], ["RESET TimeZone"]),
    "function_with_a_set_clause": (["SELECT go_far_and_back()"], []),
    "procedure": (["CALL call_far()"], ["RESET TimeZone"]),
    "do": ([f"DO $do$ BEGIN PERFORM set_config('TimeZone', {TOKYO}, false); END $do$"], ["RESET TimeZone"]),
    "do_set": (["DO $do$ BEGIN SET TimeZone = 'Asia/Tokyo'; END $do$"], ["DO $do$ BEGIN RESET TimeZone; END $do$"]),
    "trigger": (["INSERT INTO departures DEFAULT VALUES"], ["RESET TimeZone"]),
    "update_of_pg_settings": (["UPDATE pg_settings SET setting = 'Asia/Tokyo' WHERE name = 'TimeZone'"],
                              ["RESET TimeZone"]),
    "prepared": (["PREPARE p AS SELECT set_config('TimeZone', $1, false)", f"EXECUTE p({TOKYO})"], ["RESET TimeZone"]),
    "cursor": (["BEGIN", f"DECLARE c CURSOR FOR SELECT set_config('TimeZone', {TOKYO}, false)", "FETCH c", "COMMIT"],
               ["RESET TimeZone"]),
    "explain_analyze": ([f"EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT set_config('TimeZone', "
                         f"{TOKYO}, false)"], ["RESET TimeZone"]),
    "copy_to": ([f"COPY (SELECT set_config('TimeZone', {TOKYO}, false)) TO STDOUT"], ["RESET TimeZone"]),
    "in_a_subquery": ([f"SELECT id FROM words WHERE (SELECT set_config('TimeZone', {TOKYO}, false)) IS NOT NULL"],
                      ["RESET TimeZone"]),
    "failed_after": (["BEGIN", "SET TimeZone = 'Asia/Tokyo'", "SELEC"], ["ROLLBACK"]),
}


def say(pair, statements):
    for one in statements:
        pair.both(*(one if isinstance(one, tuple) else (one,)))


@pytest.mark.parametrize("change, undo", WAYS.values(), ids=WAYS.keys())
def test_a_setting_counts_however_it_was_changed(plain, start, change, undo):
    """P2: nothing that the server reports tells of these in time; the reads behind each are right, and so are
    another session's."""
    pair = start()
    plain.warm(WHEN)
    pair.warm(WHEN)
    say(pair, change)
    assert (pair.expected(WHEN) != plain.expected(WHEN)) == bool(undo)
    pair.agree(WHEN)
    plain.read(WHEN)
    say(pair, undo)
    pair.agree(WHEN)
    pair.warm(WHEN)
    assert pair.expected(WHEN) == plain.expected(WHEN), "the way back was the way back"


@pytest.mark.parametrize("sql", [
    f"SET TimeZone = 'Asia/Tokyo'; {WHEN}; SET TimeZone = 'UTC'", f"SET TimeZone = 'Asia/Tokyo'; {WHEN}",
    f"{WHEN}; SET TimeZone = 'Asia/Tokyo'", f"BEGIN; SET TimeZone = 'Asia/Tokyo'; {WHEN}; ROLLBACK; {WHEN}",
    f"BEGIN; SET LOCAL TimeZone = 'Asia/Tokyo'; {WHEN}; COMMIT", "SET TimeZone = 'Asia/Tokyo'; SELECT 1/0",
    f"SET LOCAL TimeZone = 'Asia/Tokyo'; {WHEN}", "BEGIN; SET TimeZone = 'Asia/Tokyo'; SELECT 1/0; COMMIT",
    f"SELECT set_config('TimeZone', 'Asia/Tokyo', true), at FROM moments; {WHEN}",
], ids=lambda sql: sql.replace(WHEN, "READ"))
def test_settings_and_reads_in_one_text(plain, start, sql):
    """P2: only the net change is reported, right before ReadyForQuery, byte for byte; the reads in between are right."""
    pair = start()
    plain.warm(WHEN)
    pair.warm(WHEN)
    for _ in range(2):
        pair.both(sql, by="simple")
        pair.agree(WHEN)
        plain.read(WHEN)


def test_a_function_made_around_pgmemo_may_set_anything(house, start):
    """P2: a function that pgmemo has never heard of may have changed a setting."""
    pair = start()
    pair.warm(WHEN)
    house.postgres.run("CREATE OR REPLACE FUNCTION unheard_of() RETURNS text LANGUAGE sql AS "
                       "$$ SELECT set_config('TimeZone', 'Asia/Tokyo', false) $$", house.database)
    pair.both("SELECT unheard_of()")
    pair.agree(WHEN)


# --- P3 --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("spelled", [
    ["set DATESTYLE to 'german'"], ['SET "datestyle" = German'], ["SET DateStyle TO GERMAN, dmy"],
    ["SET datestyle = 'dmy'"], ["SET datestyle = 'SQL'", "SET datestyle = 'dmy'"],
    ["SET datestyle = German", "SET DATESTYLE = 'ymd'"], ["SELECT set_config('DATEstyle', 'postgres, euro', false)"],
    ["SET datestyle = 'Postgres'", "SET datestyle = DEFAULT"], ["SET timezone = 9"], ["SET TimeZone = '-9'"],
    ["SET timezone = 'asia/TOKYO'"], ["set time zone -9.5"], ["SET TIME ZONE 'JST-9'"], ["SET NAMES 'latin1'"],
    ["SET client_encoding = 'Latin-1'"], ["SET extra_float_digits = '0x0'"], ["SET bytea_output TO Escape"],
    ["SET intervalstyle = SQL_Standard"],
], ids=lambda statements: "; ".join(statements))
def test_names_and_values_mean_what_the_server_makes_of_them(plain, start, spelled):
    """P3: names in any case, values that the server completes from what was there before."""
    pair = start()
    reads = ["SELECT at, d, span, raw, approx FROM moments ORDER BY id", "SELECT name FROM words"]
    for sql in reads:
        plain.warm(sql)
        pair.warm(sql)
    say(pair, spelled)
    for sql in reads:
        pair.agree(sql)
        plain.read(sql)


@pytest.mark.parametrize("spelled", ["SET datestyle = 'ISO'", "SET DATESTYLE TO 'iso, mdy'", "SET timezone TO 'UTC'",
                                     "SET bytea_output = 'HEX'", "SET application_name = 'p3'"])
def test_a_setting_that_changes_nothing_shares_the_entries(plain, start, spelled):
    """P3: values are compared as the server wrote them down."""
    pair = start()
    pair.both(spelled)
    plain.stays(WHEN, lambda: pair.read(WHEN))
    assert harness.eventually(lambda: pair.read(WHEN).is_hit, "the same entry")


# --- P4 --------------------------------------------------------------------------------------------------------------

PATHS = [
    'SET search_path TO "$user", public', "SET search_path = ''",
    "SELECT pg_catalog.set_config('search_path', '', false)", "SET search_path = a", "SET search_path = A",
    'SET search_path = "A"', 'SET search_path = "we, ird"', "SET search_path = 'we, ird'",
    "SET search_path = 'we', 'ird'", """SELECT set_config('search_path', '"we, ird", a', false)""",
    "SELECT set_config('search_path', 'we, ird, a', false)", 'SET search_path = "Quo""te"',
    "SET search_path = 'Quo\"te'", "SET search_path = b, a", "SET search_path = a,b", "SET search_path = nowhere, b",
    'SET search_path = "a;DROP TABLE public.t"', "SET search_path = '\"', b", "SET search_path = pg_temp, b",
    "SET search_path = b, pg_catalog", "SET SCHEMA 'b'", "SET search_path = pg_catalog",
    "SET search_path = '$user', a", 'SET search_path = "$User", a', "SET search_path TO DEFAULT",
]


@pytest.mark.parametrize("path", PATHS)
def test_search_path_is_what_the_server_makes_of_it(plain, start, path):
    """P4: quoting, empty paths, names that need quotes; for pg_dump's `set_config('search_path', '', false)` too."""
    pair = start()
    plain.warm("SELECT v FROM t")
    pair.warm("SELECT v FROM t")
    pair.both(path)
    for sql in ("SELECT v FROM t", "SELECT v FROM public.t", 'SELECT v FROM "we, ird".t'):
        pair.agree(sql)
    plain.read("SELECT v FROM t")
    pair.both("RESET search_path")
    pair.agree("SELECT v FROM t")


@pytest.mark.parametrize("options", ["-c search_path=b", "-csearch_path=b", "--search_path=b", "--search-path=b",
                                     r"-c search_path=a,\ b", r'-c search_path="we,\ ird"', "-c search_path=",
                                     r"-c search_path=\"\""])
def test_search_path_of_the_startup_options(plain, start, options):
    """P4: as `options` of the startup packet."""
    plain.warm("SELECT v FROM t")
    pair = start(options=options)
    for sql in ("SELECT v FROM t", "SELECT v FROM public.t"):
        pair.agree(sql)


def test_dollar_user_follows_the_role(start):
    """P4: `"$user"` means another schema after SET ROLE, without any SET of search_path."""
    pair = start()
    pair.warm("SELECT v FROM t")
    for statement in ("SET ROLE sv_alice", "SET search_path = DEFAULT", "RESET ROLE",
                      "SET SESSION AUTHORIZATION sv_alice", "RESET ALL", "RESET SESSION AUTHORIZATION"):
        pair.both(statement)
        pair.agree("SELECT v FROM t")
    start("sv_alice").agree("SELECT v FROM t")


@harness.before(16, "Debian's pg_dump is of 15")
def test_a_dump_says_the_same(house, plain, start):
    """P4: pg_dump empties the path for itself and must find everything."""
    plain.warm("SELECT v FROM t")
    dumps = [subprocess.run(["pg_dump", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "--inserts",
                             house.database],
                            check=True, stdout=subprocess.PIPE, timeout=60, text=True).stdout.splitlines()
             for port in (house.pgmemo.port, house.postgres.port)]
    said = [[line for line in dump if "restrict" not in line] for dump in dumps]  # its key differs each time
    assert said[0] == said[1] and any("of robert" in line for line in said[0])


# --- P5 --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("wrong", [
    "SET TimeZone = 'Nowhere/Land'", "SET DateStyle = 'cuneiform'", "SET no_such_setting = 1",
    "SET work_mem = 'much'", 'SET search_path = "unterminated', "SET ROLE nobody_at_all",
    "SET SESSION AUTHORIZATION nobody_at_all", "SET server_version = '9'",
    "SELECT set_config('TimeZone', 'Nowhere/Land', false)", "RESET no_such_setting", "SET TIME ZONE INTERVAL '1 day'"])
def test_a_set_that_fails_is_the_clients_own_error(start, wrong):
    """P5: it gets PostgreSQL's words, keeps its session and its settings, and its entries still hit."""
    pair = start()
    pair.both("SET DateStyle = 'German'")
    pair.warm(WHEN)
    assert "E" in wire.kinds(pair.both(wrong))
    pair.agree(WHEN)
    pair.warm(WHEN)
    pair.both("BEGIN")
    pair.both("SET TimeZone = 'Asia/Tokyo'")
    assert "E" in wire.kinds(pair.both(wrong))
    assert "E" in wire.kinds(pair.both(WHEN))
    pair.both("COMMIT")
    pair.agree(WHEN)


# --- P6, P7 ----------------------------------------------------------------------------------------------------------

def test_what_one_session_has_set_no_later_one_inherits(plain, start):
    """P6: as long as no connection changes hands, nothing has to be replayed, and nothing is left over."""
    plain.warm(WHEN)
    for statement in ("SET TimeZone = 'Asia/Tokyo'", "SET search_path = b", "SET ROLE sv_alice",
                      "CREATE TEMP TABLE t (v text)"):
        before = start()
        before.both(statement)
        assert before.through.query("SELECT v FROM t")[-1].tag == "I"
        before.close()
        after = start()
        after.agree(WHEN)
        after.agree("SELECT v FROM t")


def test_a_name_for_every_request_costs_no_hit(start):
    """P7: application_name is told to the server, and is not part of the question."""
    pair = start()
    pair.warm(WHEN)
    for number in range(5):
        pair.both(f"SET application_name = 'request {number}'")
        pair.stays(WHEN, lambda: pair.both("SHOW application_name"))


# --- P8 --------------------------------------------------------------------------------------------------------------

# setting, value, a read that it changes; what both sessions say before.
CHANGES_THE_RESULT = {
    "client_encoding": ("client_encoding", "LATIN1", "SELECT name FROM words", []),
    "DateStyle": ("DateStyle", "German", WHEN, []),
    "DateStyle_of_dates": ("DateStyle", "SQL, DMY", "SELECT d FROM moments ORDER BY id", []),
    "DateStyle_of_input": ("DateStyle", "DMY", "SELECT id FROM moments WHERE d = '01/02/2024'", []),
    "IntervalStyle": ("IntervalStyle", "iso_8601", "SELECT span FROM moments ORDER BY id", []),
    "IntervalStyle_of_input": ("IntervalStyle", "sql_standard", "SELECT id FROM moments WHERE span = '-1 2:03:04'", []),
    "TimeZone": ("TimeZone", "Asia/Tokyo", WHEN, []),
    "TimeZone_of_input": ("TimeZone", "Asia/Tokyo", "SELECT id FROM moments WHERE at = '2024-03-01 12:00:00'", []),
    "TimeZone_of_casts": ("TimeZone", "Asia/Tokyo",
                          "SELECT at::date, at::time, at::text, d::timestamptz FROM moments ORDER BY id", []),
    "TimeZone_of_functions": ("TimeZone", "Asia/Tokyo",
                              "SELECT date_part('hour', at), extract(hour FROM at), date_trunc('day', at), "
                              "to_char(at, 'HH24 TZ') FROM moments ORDER BY id", []),
    "TimeZone_of_groups": ("TimeZone", "Asia/Tokyo",
                           "SELECT count(*) FROM moments GROUP BY date_trunc('day', at) ORDER BY 1", []),
    "TimeZone_in_json": ("TimeZone", "Asia/Tokyo",
                         "SELECT to_json(at), jsonb_build_object('at', at) FROM moments WHERE id = 1", []),
    "extra_float_digits": ("extra_float_digits", "-5", "SELECT approx FROM moments ORDER BY id", []),
    "extra_float_digits_in_text": ("extra_float_digits", "-5",
                                   "SELECT approx::text, concat(approx) FROM moments WHERE id = 1", []),
    "bytea_output": ("bytea_output", "escape", "SELECT raw FROM moments ORDER BY id", []),
    "bytea_output_in_text": ("bytea_output", "escape", "SELECT raw::text FROM moments ORDER BY id", []),
    "xmlbinary": ("xmlbinary", "hex", "SELECT xmlelement(name x, raw) FROM moments ORDER BY id", []),
    "xmloption": ("xmloption", "document", "SELECT '<a/>'::xml, 'text'::xml FROM moments", []),
    "standard_conforming_strings": ("standard_conforming_strings", "off", r"SELECT 'a\\b' FROM moments",
                                    ["SET escape_string_warning = off"]),
    "escape_string_warning": ("escape_string_warning", "off", r"SELECT 'a\\b' FROM moments",
                              ["SET standard_conforming_strings = off"]),
    "backslash_quote": ("backslash_quote", "off", r"SELECT E'it\'s' FROM words", []),
    "search_path": ("search_path", "b", "SELECT v FROM t", []),
    "role": ("role", "sv_alice", "SELECT v FROM mine ORDER BY v", []),
    "session_authorization": ("session_authorization", "sv_alice", "SELECT v FROM mine ORDER BY v", []),
    "row_security": ("row_security", "off", "SELECT v FROM mine", ["SET ROLE sv_alice"]),
    "default_text_search_config": ("default_text_search_config", "english", "SELECT to_tsvector(name) FROM words",
                                   ["SET default_text_search_config = 'simple'"]),
    "array_nulls": ("array_nulls", "off", "SELECT '{NULL,a}'::text[] FROM words", []),
    "timezone_abbreviations": ("timezone_abbreviations", "Australia",
                               "SELECT id FROM moments WHERE at = '2024-03-01 12:00 EST'", []),
    "transform_null_equals": ("transform_null_equals", "on", "SELECT id FROM moments WHERE nothing = NULL", []),
    "quote_all_identifiers": ("quote_all_identifiers", "on", "SELECT pg_get_viewdef('some_words'::regclass)", []),
    "custom": ("app.tenant", "blue", "SELECT v FROM rented", ["SET ROLE sv_alice"]),
    "custom_read_directly": ("app.tenant", "blue", "SELECT current_setting('app.tenant', true) FROM words", []),
}
for category, sql in {"lc_monetary": "SELECT cash FROM moments ORDER BY id", "lc_numeric": "SELECT to_char(number, "
                                                                                           "'9G999D99') FROM moments",
                      "lc_time": "SELECT to_char(at, 'TMMonth') FROM moments"}.items():
    CHANGES_THE_RESULT[category] = (category, None, sql, [])

FOREIGN_LOCALES = [name for name in subprocess.run(["locale", "-a"], stdout=subprocess.PIPE, text=True).stdout.split()
                   if name.lower().startswith(("de_de.utf", "fr_fr.utf"))]

# Reads that need not hit: their functions ask the catalog or the session, or what they make of a text is not certain.
NEED_NOT_HIT = {"xmlbinary", "xmloption", "standard_conforming_strings", "escape_string_warning", "timezone_abbreviations",
                "quote_all_identifiers", "custom_read_directly"}


@pytest.mark.parametrize("name", CHANGES_THE_RESULT)
def test_a_setting_that_can_change_a_result_is_part_of_the_question(plain, start, name):
    """P8: two sessions, one text; each gets its own answer, whichever was first."""
    setting, value, sql, before = CHANGES_THE_RESULT[name]
    if value is None:
        if not FOREIGN_LOCALES:
            pytest.skip("this machine has no locale whose money, numbers or months differ")
        value = FOREIGN_LOCALES[0]
    changed = start()
    if before:
        plain = start()
        say(plain, before)
        say(changed, before)
    read = plain.agree if name in NEED_NOT_HIT else plain.warm
    read(sql)
    say(changed, [f"SET {setting} = '{value}'"])
    assert changed.expected(sql) != plain.expected(sql), "the setting does change the result"
    changed.agree(sql)
    plain.agree(sql)
    say(changed, [f"RESET {setting}", *before])
    changed.agree(sql)
    other = start(**({setting: value} if not before and setting not in ("role", "session_authorization") else {}))
    say(other, before)
    other.agree(sql)


@pytest.mark.parametrize("setting, value", [
    ("statement_timeout", "1min"), ("lock_timeout", "1min"), ("work_mem", "8MB"), ("enable_seqscan", "off"),
    ("jit", "off"), ("random_page_cost", "1"), ("plan_cache_mode", "force_custom_plan"),
    ("idle_in_transaction_session_timeout", "1h"), ("log_statement", "all"), ("synchronous_commit", "off")])
def test_a_setting_that_cannot_change_a_result_splits_nothing(plain, start, setting, value):
    """P8: the settings that only change plans, limits and logs leave the entries shared."""
    changed = start()
    plain.warm(WHEN)
    say(changed, [f"SET {setting} = '{value}'"])
    changed.stays(WHEN, lambda: None)
    assert harness.eventually(lambda: plain.read(WHEN).is_hit and changed.read(WHEN).is_hit, "one entry for both")


# --- P9 --------------------------------------------------------------------------------------------------------------

MINE = "SELECT v FROM mine ORDER BY v"
ROLES = {
    "set_role": (["SET ROLE sv_alice"], ["RESET ROLE"]),
    "set_role_none": (["SET ROLE 'sv_alice'"], ["SET ROLE NONE"]),
    "one_after_another": (["SET ROLE sv_bob", "SET ROLE sv_alice"], ["RESET ROLE"]),
    "set_local": (["BEGIN", "SET LOCAL ROLE sv_alice"], ["COMMIT"]),
    "rolled_back": (["BEGIN", "SET ROLE sv_alice"], ["ROLLBACK"]),
    "rolled_back_to_a_savepoint": (["BEGIN", "SAVEPOINT s", "SET ROLE sv_alice"], ["ROLLBACK TO s", "COMMIT"]),
    "rolled_back_by_an_error": (["BEGIN", "SET ROLE sv_alice"], ["SELECT 1/0", "ROLLBACK"]),
    "session_authorization": (["SET SESSION AUTHORIZATION sv_alice"], ["SET SESSION AUTHORIZATION DEFAULT"]),
    "session_authorization_reset": (["SET SESSION AUTHORIZATION sv_alice"], ["RESET SESSION AUTHORIZATION"]),
    "session_authorization_local": (["BEGIN", "SET LOCAL SESSION AUTHORIZATION sv_alice"], ["COMMIT"]),
    "session_authorization_rolled_back": (["BEGIN", "SET SESSION AUTHORIZATION sv_alice"], ["ROLLBACK"]),
    "both": (["SET SESSION AUTHORIZATION sv_alice", "RESET ROLE"], ["DISCARD ALL"]),
    "set_config": (["SELECT set_config('role', 'sv_alice', false)"], ["SELECT set_config('role', 'none', false)"]),
    "set_config_local": (["BEGIN", "SELECT set_config('role', 'sv_alice', true)"], ["COMMIT"]),
    "discard_all": (["SET ROLE sv_alice"], ["DISCARD ALL"]),
    "reset_all_keeps_it": (["SET ROLE sv_alice", "RESET ALL"], ["RESET ROLE"]),
    "a_role_that_is_none": (["SET ROLE sv_alice", "SET ROLE nobody_at_all"], ["RESET ROLE"]),
    "in_do": (["DO $$ BEGIN SET ROLE sv_alice; END $$"], ["RESET ROLE"]),
}


@pytest.mark.parametrize("change, undo", ROLES.values(), ids=ROLES.keys())
def test_the_role_decides_however_it_came(alice, start, change, undo):
    """P9: SET ROLE, SET SESSION AUTHORIZATION and their undoing, rollbacks included: policies, grants and functions follow."""
    pair = start()
    reads = [MINE, "SELECT v FROM closed", "SELECT count_mine()", "SELECT count_all()", "SELECT * FROM peek()",
             "SELECT who()"]
    for sql in reads:
        pair.agree(sql)
        alice.agree(sql)
    superuser = pair.expected(MINE)
    say(pair, change)
    assert pair.expected(MINE) != superuser
    for sql in reads[:1] if change[0] == "BEGIN" else reads:  # an error would end the transaction
        pair.agree(sql)
    say(pair, undo)
    assert pair.expected(MINE) == superuser
    for sql in reads:
        pair.agree(sql)
        alice.agree(sql)


@pytest.mark.parametrize("change, undo, sql", [
    ("ALTER ROLE sv_alice SUPERUSER", "ALTER ROLE sv_alice NOSUPERUSER", MINE),
    ("ALTER ROLE sv_alice BYPASSRLS", "ALTER ROLE sv_alice NOBYPASSRLS", MINE),
    ("ALTER ROLE sv_alice RENAME TO sv_robert", "ALTER ROLE sv_robert RENAME TO sv_alice", MINE),
    ("ALTER FUNCTION peek() SECURITY INVOKER", "ALTER FUNCTION peek() SECURITY DEFINER", "SELECT * FROM peek()"),
    ("ALTER FUNCTION peek() OWNER TO sv_bob", "ALTER FUNCTION peek() OWNER TO postgres", "SELECT * FROM peek()"),
    ("REVOKE EXECUTE ON FUNCTION peek() FROM PUBLIC", "GRANT EXECUTE ON FUNCTION peek() TO PUBLIC",
     "SELECT * FROM peek()"),
    ("GRANT SELECT ON closed TO sv_alice", "REVOKE SELECT ON closed FROM sv_alice", "SELECT v FROM closed"),
    ("GRANT pg_read_all_data TO sv_alice", "REVOKE pg_read_all_data FROM sv_alice", "SELECT v FROM closed"),
    ("ALTER FUNCTION count_all() SECURITY INVOKER", "ALTER FUNCTION count_all() SECURITY DEFINER",
     "SELECT count_all()"),
])
def test_what_a_role_may_changes_with_its_next_query(alice, start, change, undo, sql):
    """P9: ALTER ROLE, SECURITY DEFINER and its owner, grants: in the session that goes on."""
    admin = start()
    alice.agree(sql)
    before = alice.expected(sql)
    try:
        admin.write(change)
        alice.agree(sql)
        assert alice.expected(sql) != before, "the change does change what is read"
    finally:
        admin.write(undo)
    alice.agree(sql)
    assert alice.expected(sql) == before


# --- P10 -------------------------------------------------------------------------------------------------------------

SESSION_STATE = [
    "SHOW transaction_read_only", "SHOW default_transaction_read_only", "SHOW is_superuser",
    "SHOW session_authorization", "SHOW in_hot_standby", "SHOW TRANSACTION ISOLATION LEVEL", "SHOW server_version",
    "SHOW TimeZone", "SELECT pg_is_in_recovery()", "SELECT current_setting('transaction_read_only')",
    "SELECT current_setting('is_superuser')", "SELECT pg_catalog.pg_is_in_recovery() FROM words",
    "SELECT session_user", "SELECT current_user", "SELECT current_role, user", "SELECT current_schema",
    "SELECT current_schemas(true)", "SELECT current_database()",
    "SELECT setting FROM pg_settings WHERE name = 'transaction_read_only'",
]


@pytest.mark.parametrize("sql", SESSION_STATE)
def test_what_drivers_ask_of_the_server_is_asked_of_the_server(alice, start, sql):
    """P10: nothing about the session, the role of the server or the transaction is answered from the cache."""
    pair = start()
    pair.warm(WHEN)
    for statement in ("SELECT 1", "BEGIN READ ONLY", "COMMIT", "SET default_transaction_read_only = on",
                      "SET ROLE sv_bob"):
        pair.both(statement)
        pair.agree(sql)
        assert not pair.read(sql).is_hit
    alice.agree(sql)
    assert not alice.read(sql).is_hit


def test_target_session_attrs_finds_its_server(house, plain, start):
    """P10: libpq decides by what the server reports and answers."""
    plain.warm(WHEN)
    for wanted in ("read-write", "primary", "any", "prefer-standby"):
        connection = house.pgmemo.connect(house.database, target_session_attrs=wanted)
        assert harness.Session(connection).one("SELECT count(*) FROM words") == 1
        connection.close()
    for refused in ("read-only", "standby"):
        with pytest.raises(harness.psycopg2.OperationalError):
            house.pgmemo.connect(house.database, target_session_attrs=refused)
    readonly = house.pgmemo.connect(house.database, options="-c default_transaction_read_only=on",
                                    target_session_attrs="read-only")
    readonly.close()
