"""`pgmemo explain`: it says what the running proxy does, and why."""
import json
import subprocess

import pytest

import harness
from harness import eventually, run_pgmemo

SCHEMA = """
CREATE TABLE accounts (aid int PRIMARY KEY, bid int, balance int NOT NULL, owner text);
INSERT INTO accounts SELECT n, n % 3, n, 'owner ' || n FROM generate_series(1, 9) n;
CREATE VIEW rich AS SELECT aid, balance FROM accounts WHERE balance > 5;
CREATE FUNCTION total(a int) RETURNS bigint LANGUAGE sql STABLE
    AS 'SELECT sum(balance) FROM public.accounts WHERE aid = a';
CREATE TABLE orders (id int PRIMARY KEY, aid int REFERENCES accounts ON DELETE CASCADE, paid boolean);
CREATE TABLE lines (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE SET NULL);
CREATE TABLE journal (said text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO public.journal VALUES ('changed'); RETURN NULL; END $$;
CREATE TRIGGER tells AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TABLE events (id int, kind int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1);
CREATE FUNCTION anything() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT 1'; RETURN 1; END $$;
CREATE TABLE papers (id int PRIMARY KEY, tenant text);
ALTER TABLE papers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON papers USING (tenant = current_setting('app.tenant', true));
CREATE SCHEMA other;
CREATE TABLE other.accounts (aid bigint PRIMARY KEY, balance int);
GRANT USAGE ON SCHEMA other TO PUBLIC;
"""

RULES = [{"name": "orders live long", "match": {"tables": ["public.orders"]}, "cache": {"ttl": "10m"}},
         {"name": "never the journal", "match": {"tables": ["journal"]}, "cache": "off"},
         {"name": "for her", "match": {"user": "explain_her"}, "cache": {"ttl": "1s", "max_entry": "64KiB"}}]


@pytest.fixture(scope="module")
def house(postgres):
    roles = {"explain_her": "LOGIN", "explain_member": "LOGIN"}
    made = harness.House(postgres, SCHEMA, roles=roles, config={"rules": RULES})
    yield made
    made.close()


@pytest.fixture
def explain(house):
    """The objects for some texts, and what is said beside them."""
    def ask(*sql, flags=(), code=0):
        got, said = run_pgmemo("explain", "--config", house.pgmemo.file, "--format", "json", *flags, *sql)
        assert got == code, said
        objects = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return objects if len(sql) != 1 else objects[0]
    return ask


@pytest.fixture
def text(house):
    def ask(*sql, flags=()):
        code, said = run_pgmemo("explain", "--config", house.pgmemo.file, *flags, *sql)
        assert code == 0, said
        return said
    return ask


def reads(explained):
    return [(one["relation"], one["through"], one["column"], one["values"]) for one in explained["reads"]]


def writes(explained):
    return {one["relation"]: one for one in explained["writes"]}


# --- it says what the proxy does -------------------------------------------------------------------------------------

SAID_AND_DONE = [
    "SELECT balance FROM accounts WHERE aid = 1", "SELECT * FROM rich", "SELECT total(3)", "SELECT count(*) FROM events",
    "SELECT paid FROM orders", "SELECT * FROM journal", "SELECT * FROM papers", "SELECT random()", "SELECT now()",
    "SELECT current_user", "SELECT * FROM accounts FOR UPDATE", "SELECT * FROM accounts TABLESAMPLE system (10)",
    "SELECT relname FROM pg_class", "UPDATE accounts SET balance = 1 WHERE aid = 1", "SET work_mem = '8MB'",
    "SHOW work_mem", "SELECT anything()", "SELECT 'today'::date", "SELECT 1; SELECT 2", "", "EXPLAIN SELECT 1",
    "SELECT balance FROM accounts WHERE owner = 'Ä'", "SELECT * FROM other.accounts", "VALUES (1), (2)",
]


def test_what_it_says_is_what_the_proxy_does(house, explain):
    session = house.pair()
    session.warm("SELECT 1")  # the catalog is there, and the session is known
    said = explain(*SAID_AND_DONE)
    assert len(said) == len(SAID_AND_DONE)
    for sql, one in zip(SAID_AND_DONE, said):
        assert one["sql"] == sql

        def decided():
            answer = house.pgmemo.watch(lambda: session.through.ask(session.wire.query(sql)))
            return answer if answer.reason not in harness.PASSING else None

        answer = eventually(decided, f"{sql!r} is decided with the catalog known")
        done = answer.reason if answer.decision == "bypass" else None
        assert (one["decision"], one["reason"]) == ("bypass" if done else "cacheable", done), sql
    assert {one["decision"] for one in said} == {"bypass", "cacheable"}


# --- reads -----------------------------------------------------------------------------------------------------------

def test_a_read_is_shown_with_the_rows_that_it_is_confined_to(explain):
    one = explain("SELECT balance FROM accounts WHERE aid IN (7, 8)")
    assert (one["decision"], one["reason"], one["place"]) == ("cacheable", None, None)
    assert reads(one) == [("public.accounts", None, "aid", ["7", "8"])]
    assert one["reads_complete"] and one["writes"] == [] and not one["moves_database"] and not one["may_commit"]
    assert one["changes"] == {"catalog": False, "cluster": False, "session": False}
    assert reads(explain("SELECT balance FROM accounts WHERE bid = 7")) == [("public.accounts", None, None, None)]


def test_it_is_shown_through_what_a_relation_is_read(explain):
    view, function, policy = explain("SELECT * FROM rich WHERE aid = 7", "SELECT total(7)", "SELECT * FROM papers")
    assert reads(view) == [("public.accounts", "view public.rich", "aid", ["7"])]
    assert reads(function) == [("public.accounts", "function public.total", None, None)]
    assert policy["depends_on"] == ["app.tenant"]


def test_parameters_are_shown_by_their_numbers(explain):
    one, many = explain("SELECT balance FROM accounts WHERE aid = $1", "SELECT balance FROM accounts WHERE aid = ANY ($2)")
    assert reads(one) == [("public.accounts", None, "aid", ["$1"])]
    assert reads(many) == [("public.accounts", None, "aid", ["ANY($2)"])]


def test_a_refusal_is_shown_with_its_place(explain, text):
    sql = "SELECT 'Ä',\n\trandom()\nFROM accounts"
    one = explain(sql)
    assert (one["decision"], one["reason"], one["why"]) == ("bypass", "volatile_function", "function random")
    assert one["place"] == {"offset": len("SELECT 'Ä',\n\t".encode()), "line": 2, "column": 2}
    assert one["meaning"] == "It calls a function that is VOLATILE or not known."
    assert not one["reads_complete"]
    lines = text(sql).splitlines()
    at = lines.index(next(line for line in lines if line.endswith("line 2, column 2")))
    assert lines[at + 1].endswith("\trandom()") and lines[at + 2].endswith("\t^")
    assert lines[at + 1].index("r") == lines[at + 2].index("^")

    one = explain("SELECT 'Äh', now()")
    assert one["place"]["column"] == 14
    lines = text("SELECT 'Äh', now()").splitlines()
    caret = next(i for i, line in enumerate(lines) if line.strip() == "^")
    assert lines[caret].index("^") == lines[caret - 1].index("now()")


def test_a_refusal_inside_a_view_is_told_with_the_view(house, explain):
    house.postgres.run("CREATE VIEW noisy AS SELECT random() AS r", house.database)
    one = explain("SELECT * FROM noisy")
    assert one["reason"] == "volatile_function"
    assert "view public.noisy" in one["why"]
    assert one["place"]["column"] == 15, "the place is that of the view in the text"


# --- rules and settings ----------------------------------------------------------------------------------------------

def test_the_rule_that_matched_is_named(explain, text):
    long, off, none = explain("SELECT paid FROM orders", "SELECT * FROM journal", "SELECT 1")
    assert (long["rule"], long["ttl_ms"]) == ("orders live long", 600_000)
    assert (off["decision"], off["reason"], off["rule"], off["ttl_ms"]) == ("bypass", "rule", "never the journal", None)
    assert (none["rule"], none["ttl_ms"], none["max_entry_bytes"]) == (None, 60_000, 1 << 20)
    assert "orders live long (ttl 600 s, entries up to 1 MiB)" in text("SELECT paid FROM orders")


def test_a_rule_matches_the_role_that_is_asked_for(explain):
    one = explain("SELECT 1", flags=["--user", "explain_her"])
    assert (one["rule"], one["ttl_ms"], one["max_entry_bytes"]) == ("for her", 1000, 64 << 10)
    assert (one["session_user"], one["current_user"]) == ("explain_her", "explain_her")


def test_the_caches_switch_is_told(house, tmp_path):
    file = tmp_path / "off.yaml"
    file.write_text(json.dumps({"upstream": house.pgmemo.upstream, "cache": "off"}))
    code, said = run_pgmemo("explain", "--config", file, "-f", "json", "SELECT 1")
    assert code == 0 and json.loads(said)["reason"] == "disabled"
    file.write_text(json.dumps({"upstream": house.pgmemo.upstream, "cache": {"default": "bypass"}}))
    code, said = run_pgmemo("explain", "--config", file, "-f", "json", "SELECT 1")
    assert code == 0 and json.loads(said)["reason"] == "no_rule"


def test_settings_decide_what_names_mean(explain, text):
    one = explain("SELECT * FROM accounts", flags=["--set", "search_path=other, public", "--set", "app.tenant=it's \\ hers"])
    assert [read[0] for read in reads(one)] == ["other.accounts"]
    assert one["schemas"] == ["pg_catalog", "other", "public"]
    assert one["settings"]["search_path"] == "other, public"
    assert one["settings"]["app.tenant"] == "it's \\ hers"
    assert explain("SELECT 1")["settings"]["app.tenant"] is None, "the catalog mentions it, so it is in the key"
    assert "app.tenant = 7" in text("SELECT 1", flags=["--set", "app.tenant=7"])


def test_settings_that_change_no_result_are_not_in_the_key(explain):
    assert "work_mem" not in explain("SELECT 1", flags=["--set", "work_mem=8MB"])["settings"]


def test_settings_under_which_a_text_cannot_be_read(explain):
    for setting in ("client_encoding=SJIS", "standard_conforming_strings=off"):
        assert explain("SELECT 1", flags=["--set", setting])["reason"] == "encoding"


def test_a_role_comes_with_the_settings_of_its_login(house, explain):
    house.postgres.run("ALTER ROLE explain_her SET search_path = other; "
                       f"ALTER ROLE explain_her IN DATABASE {house.database} SET extra_float_digits = 0")
    try:
        one = explain("SELECT * FROM accounts", flags=["--user", "explain_her"])
        assert [read[0] for read in reads(one)] == ["other.accounts"]
        assert one["settings"]["extra_float_digits"] == "0"
        one = explain("SELECT * FROM accounts", flags=["--user", "explain_her", "--set", "search_path=public"])
        assert [read[0] for read in reads(one)] == ["public.accounts"], "--set has the last word"
    finally:
        house.postgres.run("ALTER ROLE explain_her RESET ALL; "
                           f"ALTER ROLE explain_her IN DATABASE {house.database} RESET ALL")


def test_to_be_a_member_is_enough_to_ask_for_a_role(house):
    house.postgres.run("GRANT explain_her TO explain_member")
    upstream = house.postgres.uri(house.database, user="explain_member")
    code, said = run_pgmemo("explain", "-u", upstream, "-f", "json", "--user", "explain_her", "SELECT 1")
    assert code == 0, said
    assert (json.loads(said)["session_user"], json.loads(said)["current_user"]) == ("explain_member", "explain_her")
    code, said = run_pgmemo("explain", "-u", upstream, "--user", "postgres", "SELECT 1")
    assert code == 1
    assert "--user postgres" in said and "permission denied" in said and len(said.splitlines()) == 1


# --- writes ----------------------------------------------------------------------------------------------------------

def test_a_write_is_shown_with_what_it_moves_and_why(explain):
    one = explain("DELETE FROM accounts WHERE aid = 3")
    assert (one["decision"], one["reason"]) == ("bypass", "write")
    moved = writes(one)
    assert set(moved) == {"public.accounts", "public.orders", "public.lines"}
    assert moved["public.accounts"]["slots"] == [{"column": "aid", "values": ["3"]}]
    assert moved["public.accounts"]["why"] == ["named in the statement"]
    assert moved["public.orders"]["wide"] == ["id"]
    assert moved["public.orders"]["why"] == ["foreign key of public.orders, ON DELETE CASCADE"]
    assert moved["public.lines"]["why"] == ["foreign key of public.orders, ON DELETE CASCADE, "
                                            "then foreign key of public.lines, ON DELETE SET NULL"]
    assert not one["moves_database"]


def test_a_trigger_is_named(explain):
    moved = writes(explain("UPDATE accounts SET balance = 1 WHERE aid = $1"))
    assert set(moved) == {"public.accounts", "public.journal"}
    assert moved["public.accounts"]["slots"] == [{"column": "aid", "values": ["$1"]}]
    assert moved["public.journal"]["why"] == ["trigger tells of public.accounts, then function public.tell"]


def test_kin_is_named(explain):
    up, down, view = explain("INSERT INTO events_1 VALUES (1, 1)", "INSERT INTO events VALUES (1, 1)", "DELETE FROM rich")
    assert writes(up)["public.events"]["why"] == ["parent of public.events_1"]
    assert writes(down)["public.events_1"]["why"] == ["partition of public.events"]
    assert writes(view)["public.accounts"]["why"] == ["view public.rich"]


def test_what_cannot_be_seen_into_is_named(explain, text):
    called, missing, ddl = explain("SELECT anything()", "DELETE FROM missing", "CREATE TABLE x (i int)")
    assert all(one["moves_database"] for one in (called, missing, ddl))
    assert called["moves_database_why"] == ["function public.anything"]
    assert "relation missing, which is not known" in missing["moves_database_why"]
    assert ddl["moves_database_why"] == ["the statement itself"]
    assert ddl["changes"]["catalog"] and not ddl["changes"]["cluster"]
    assert explain("SET search_path = x")["changes"] == {"catalog": False, "cluster": False, "session": True}
    assert explain("COMMIT")["may_commit"]
    assert "the whole database" in text("SELECT anything()") and "function public.anything" in text("SELECT anything()")


def test_nothing_that_is_explained_is_run(house, explain):
    before = house.postgres.run("SELECT count(*), sum(balance) FROM accounts", house.database)
    explain("DELETE FROM accounts", "SELECT 1; DELETE FROM accounts", "DROP TABLE accounts CASCADE")
    assert house.postgres.run("SELECT count(*), sum(balance) FROM accounts", house.database) == before


# --- the command -----------------------------------------------------------------------------------------------------

def test_the_text_is_aligned(text):
    said = text("SELECT * FROM rich r JOIN orders o ON o.id = r.aid WHERE r.aid = 1", "SELECT 1")
    lines = said.splitlines()
    assert lines[0] == "session"
    assert "  decision    cacheable" in lines
    first, second = (next(line for line in lines if relation in line and "rows" in line)
                     for relation in ("public.accounts", "public.orders"))
    assert first.index("rows with aid = 1") == second.index("rows with id = 1")
    assert "through view public.rich" in first
    assert lines.count("  decision    cacheable") == 2


def test_standard_input_has_a_text_on_each_line(house):
    done = subprocess.run([harness.BINARY, "explain", "--config", house.pgmemo.file, "--format", "json", "-"],
                          input="SELECT 1\n\n  \nSELECT 2;\nSELECT random()", capture_output=True, text=True, timeout=60,
                          env={**harness.os.environ, **harness.sanitizer_environment()})
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["sql"] for one in said] == ["SELECT 1", "SELECT 2;", "SELECT random()"]
    assert [one["reason"] for one in said] == [None, None, "volatile_function"]


def test_a_text_may_begin_with_a_dash(explain):
    one = explain("--", "-- a remark\nSELECT 1")
    assert [each["decision"] for each in one] == ["cacheable"]


def test_another_database_is_asked_by_name(house, explain):
    house.add_database("explain other", "CREATE TABLE elsewhere (id int)")
    one = explain("SELECT * FROM elsewhere", flags=["--database", "explain other"])
    assert (one["decision"], one["database"]) == ("cacheable", "explain other")
    assert explain("SELECT * FROM elsewhere")["reason"] == "unknown_relation"


WRONG_USAGE = {
    "no_sql": (["--upstream", "UPSTREAM"], "SQL"),
    "no_upstream": (["SELECT 1"], "--config FILE and --upstream URI"),
    "unknown_flag": (["--upstream", "UPSTREAM", "--usr", "x", "SELECT 1"], "--usr"),
    "unknown_format": (["--upstream", "UPSTREAM", "--format", "xml", "SELECT 1"], "xml"),
    "set_without_value": (["--upstream", "UPSTREAM", "--set", "search_path", "SELECT 1"], "NAME=VALUE"),
    "set_without_name": (["--upstream", "UPSTREAM", "--set", "=x", "SELECT 1"], "NAME=VALUE"),
    "empty_input": (["--upstream", "UPSTREAM", "-"], "standard input"),
}


@pytest.mark.parametrize("words, says", WRONG_USAGE.values(), ids=WRONG_USAGE.keys())
def test_wrong_usage_is_2(house, words, says):
    code, said = run_pgmemo("explain", *[house.pgmemo.upstream if word == "UPSTREAM" else word for word in words])
    assert code == 2 and says in said, said


NOT_TO_BE_ASKED = {
    "database": (["--database", "no_such_database"], "no_such_database"),
    "role": (["--user", "no_such_role"], '"no_such_role" does not exist'),
    "setting": (["--set", "no_such_setting=1"], "no_such_setting"),
    "value": (["--set", "DateStyle=nonsense"], "DateStyle"),
}


@pytest.mark.parametrize("flags, says", NOT_TO_BE_ASKED.values(), ids=NOT_TO_BE_ASKED.keys())
def test_what_the_server_refuses_is_1_and_one_sentence(house, flags, says):
    code, said = run_pgmemo("explain", "--upstream", house.pgmemo.upstream, *flags, "SELECT 1")
    assert code == 1 and says in said and said.startswith("pgmemo: upstream 127.0.0.1:"), said
    assert len(said.splitlines()) == 1


def test_a_dead_upstream_is_1_and_one_sentence():
    port = harness.free_port()
    code, said = run_pgmemo("explain", "--upstream", f"postgresql://me:secret@127.0.0.1:{port}/x", "SELECT 1")
    assert code == 1 and f"127.0.0.1:{port}" in said and "secret" not in said, said
    assert len(said.splitlines()) == 1


def test_a_bad_configuration_is_1(house, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("upstream: postgresql://h/d\nlisen: x\n")
    code, said = run_pgmemo("explain", "--config", file, "SELECT 1")
    assert code == 1 and f"{file}:2:1" in said and "listen" in said
