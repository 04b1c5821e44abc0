"""Scripts of bytes for test_bytes.py: what drivers send, what they should not, and what nobody thought of.

A script is a list of steps (bytes, replies): `replies` is how many ReadyForQuery are waited for before the next step, or
the kinds of messages of which the first ends the wait, for what is flushed without one. `%` in SQL is a comment that
every run has its own of (TAG, to be replaced): a text not seen before is cold.
"""
import struct

import wire
from wire import COPY_DONE, FLUSH, SYNC, bind, close, copy_data, describe, execute, message, text

TAG = b"@@@@"


def tagged(sql):
    return sql.replace("%", f"/*{TAG.decode()}*/")


def query(sql):
    return wire.query(tagged(sql))


def parse(name, sql, types=()):
    return wire.parse(name, tagged(sql), types)


def extended(sql, values=()):
    return wire.extended(tagged(sql), values)


def raw_bind(portal=b"", statement=b"", formats=(), values=(), results=(), counts=None):
    """Bind with every field to choose, the counts too."""
    body = text(portal) + text(statement)
    body += struct.pack(f"!H{len(formats)}h", len(formats), *formats)
    body += struct.pack("!H", len(values) if counts is None else counts)
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack(f"!H{len(results)}h", len(results), *results))


INT = struct.Struct("!i").pack
READ = "SELECT %name, price FROM items WHERE id = $1"
ONE = "SELECT %name FROM items WHERE id = 1"
# Fails, and is understood: what no parser reads may be anything, and takes the catalog out of use for a while.
BAD = "SELECT %no_such FROM items"
WRITE = "UPDATE items SET %price = price + 1 WHERE id = $1"


def group(*messages):
    return b"".join(messages) + SYNC, 1


def q(sql):
    return query(sql), 1


def run(statement="s", value=b"1", **more):
    return raw_bind(b"", statement, values=[value], **more) + execute()


def prepared(*more):
    return [group(parse("s", READ)), *more, group(close("S", "s"))]


SCRIPTS = {
    # the simple protocol
    "reads": [q(ONE), q(ONE), q(ONE)],
    "reads and writes": [q(ONE), q("UPDATE items SET %price = price + 1 WHERE id = 1"), q(ONE),
                         q("SELECT %price FROM items WHERE id = 1"), q("SELECT %price FROM items WHERE id = 1")],
    "empty": [q(""), q(";"), q(" ; ; "), q("-- %"), q(ONE + ";"), q(ONE + " ; -- x"), q("/* % */")],
    "several": [q(ONE + "; " + ONE), q("SELECT 1; SELEC"), q("SELECT 1; SELECT 1/0; SELECT 2"),
                q("BEGIN; " + ONE), q(ONE), q("COMMIT"), q("SELECT 1; COMMIT"), q(ONE)],
    "errors": [q("SELEC"), q(ONE), q("SELECT 1/0"), q("SELECT %no_such FROM items"), q("SELECT * FROM no_such"), q(ONE)],
    "errors behind rows": [q("SELECT %name, 1 / (5 - id) FROM items ORDER BY id")] * 3 + [
        q("SELECT repeat(%name, 9999), 1 / (5 - id) FROM items ORDER BY id")] * 2 + [q(ONE)],
    "discard all in a transaction": [q(ONE), q("BEGIN"), q("DISCARD ALL"), q(ONE), q("ROLLBACK"), q(ONE), q("DISCARD ALL"), q(ONE)],
    "transactions": [q("BEGIN"), q(ONE), q(ONE), q("COMMIT"), q("BEGIN"), q("BEGIN"), q("ROLLBACK"), q("ROLLBACK"),
                     q("START TRANSACTION"), q(ONE), q("SELECT 1/0"), q(ONE), q("COMMIT"), q("COMMIT"), q("BEGIN READ ONLY"),
                     q("UPDATE items SET %price = 1"), q("END"), q("BEGIN ISOLATION LEVEL REPEATABLE READ"), q(ONE), q("ABORT")],
    "savepoints": [q("BEGIN"), q("SAVEPOINT a"), q("UPDATE items SET %price = 0 WHERE id = 1"),
                   q("SELECT %price FROM items WHERE id = 1"), q("ROLLBACK TO a"), q("SELECT %price FROM items WHERE id = 1"),
                   q(BAD), q("ROLLBACK TO a"), q(ONE), q("RELEASE a"), q("COMMIT AND CHAIN"), q(ONE), q("ROLLBACK"), q(ONE)],
    "late isolation": [q("BEGIN"), q(ONE), q("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"), q("ROLLBACK"),
                       q("BEGIN"), q("SET TRANSACTION READ ONLY"), q(ONE), q("COMMIT")],
    "settings": [q("SET DateStyle = 'German'"), q("SELECT %DATE '2020-01-02' FROM items WHERE id = 1"),
                 q("SET application_name = 'x'"), q("BEGIN"), q("SET LOCAL TimeZone = 'Asia/Tokyo'"), q(ONE), q("ROLLBACK"),
                 q("SHOW TimeZone"), q("RESET ALL"), q("SELECT %DATE '2020-01-02' FROM items WHERE id = 1"), q("DISCARD ALL")],
    "notices": [q("DO $$ BEGIN RAISE NOTICE 'n'; END $$"), q("COMMIT"), q("SET client_min_messages = error"),
                q("COMMIT"), q("RESET client_min_messages")],
    "notify": [q("LISTEN c"), q("NOTIFY c, 'x'"), q(ONE), q("BEGIN"), q("NOTIFY c"), q(ONE), q("COMMIT"), q("UNLISTEN *")],
    "cursors": [q("BEGIN"), q("DECLARE c CURSOR FOR SELECT %id FROM items ORDER BY id"), q("FETCH 2 FROM c"),
                group(describe("P", "c"), execute("c", 1)), q("FETCH ALL FROM c"), q("CLOSE c"), q("COMMIT")],
    "prepare in sql": [q("PREPARE s AS SELECT %1"), group(raw_bind(b"", b"s"), execute()), q("EXECUTE s"), q("DEALLOCATE s"),
                       q("EXECUTE s"), group(parse("s", READ)), q("EXECUTE s(1)"), q("EXECUTE s(1)"), q("DEALLOCATE s"),
                       group(run())],
    "deallocate all": prepared(group(run()), q("DEALLOCATE ALL"), group(run()), group(parse("s", READ)), group(run()),
                               q("DISCARD ALL"), group(run())),
    "copy in": [(query("COPY log FROM STDIN") + copy_data(b"1\tx\n") + COPY_DONE, 1), q("SELECT count(*) FROM log"),
                (query("COPY log FROM STDIN") + message("f", text("no")), 1),
                (query("COPY log FROM STDIN") + copy_data(b"x\n") + copy_data(b"y\n") + COPY_DONE, 1), q(ONE)],
    "copy in, extended": [(parse("", "COPY log FROM STDIN") + bind("", "") + execute() + SYNC + copy_data(b"2\ty\n") +
                           COPY_DONE + SYNC, 1), q("SELECT count(*) FROM log"), q("TRUNCATE log")],
    "copy out": [q("COPY (SELECT %id FROM items ORDER BY id) TO STDOUT"), q("SELECT 1; COPY items TO STDOUT; " + ONE), q(ONE)],
    "function call": [(message("F", struct.pack("!Ihhi", 1397, 0, 1, 1) + b"7" + struct.pack("!h", 0)), 1), q(ONE),
                      (message("F", struct.pack("!Ihhh", 99_999_999, 0, 0, 0)), 1), q(ONE)],

    # the extended protocol
    "unnamed": [(extended(READ, [1]), 1), (extended(READ, [2]), 1), (extended(READ, [1]), 1), (extended(READ, [1]), 1)],
    "prepared once": prepared(*[group(run(value=value)) for value in (b"1", b"2", b"1", b"1", b"9", b"9", b"1")]),
    "prepared in one group": [group(parse("s", READ), run(), run(value=b"2"), run(), close("S", "s"))] * 3,
    "described": prepared(group(describe("S", "s")), group(describe("S", "s")),
                          group(raw_bind(b"", "s", values=[b"1"]), describe("P"), execute()),
                          group(raw_bind(b"", "s", values=[b"1"], results=[1]), describe("P"), execute()),
                          group(raw_bind(b"", "s", values=[b"1"], results=[0, 1]), describe("P"), execute()),
                          group(raw_bind(b"", "s", values=[b"1"], results=[1, 0]), describe("P"), execute()),
                          group(raw_bind(b"", "s", values=[b"1"], results=[1]), describe("P"), execute()),
                          group(raw_bind(b"", "s", values=[b"1"], results=[0, 0]), describe("P"), execute()),
                          group(raw_bind(b"", "s", values=[b"1"]), describe("P"), describe("P"), execute())),
    "bad formats": prepared(group(run()), group(run(results=[0, 1, 0])), group(run(results=[2])), group(run(results=[-1, 1])),
                            group(run(formats=[0, 0])), group(run(formats=[5])), group(run())),
    "binary values": prepared(group(run(value=INT(1), formats=[1])), group(run(value=INT(1), formats=[1])),
                              group(run(value=b"\0\0\0", formats=[1])), group(run(value=INT(1) + b"x", formats=[1])),
                              group(run(value=INT(1), formats=[1], results=[1])), group(run(value=None)), group(run(value=None)),
                              group(run(value=b"")), group(run(value=b"1 ")), group(run(value=b" 1")), group(run(value=b"01"))),
    "bad values": prepared(group(run()), group(run(value=b"x")), group(run(value=b"99999999999")), group(run(value=b"1\0")),
                           group(run()), group(raw_bind(b"", "s"), execute()),
                           group(raw_bind(b"", "s", values=[b"1", b"2"]), execute()), group(run())),
    "asyncpg": [(parse("s", READ) + describe("S", "s") + FLUSH, "TnE"), group(run(results=[1])), group(run(results=[1])),
                (parse("t", ONE) + describe("S", "t") + FLUSH, "TnE"), group(raw_bind(b"", "t"), execute()),
                (parse("t", ONE) + describe("S", "t") + FLUSH, "TnE"), group(), group(close("S", "s"), close("S", "t"))],
    "pgjdbc": [group(parse("", "BEGIN"), bind("", ""), execute("", 0), parse("s", READ), raw_bind(b"", "s", values=[b"1"]),
                     describe("P"), execute()),
               group(run()), group(run()), group(parse("", "COMMIT"), bind("", ""), execute("", 1)), group(close("S", "s"))],
    "lib/pq": [group(parse("", READ), describe("S")), group(raw_bind(b"", "", values=[b"1"]), execute()),
               group(parse("", READ), describe("S")), group(raw_bind(b"", "", values=[b"1"]), execute()),
               group(raw_bind(b"", "", values=[b"2"]), execute()), group(raw_bind(b"", "", values=[b"2"]), execute())],
    "flushed": [(parse("", READ) + FLUSH, "1E"), (raw_bind(values=[b"1"]) + FLUSH, "2E"), (describe("P") + FLUSH, "TE"),
                (execute() + FLUSH, "CE"), (execute() + FLUSH, "CE"), group(),
                (FLUSH + parse("", READ) + raw_bind(values=[b"1"]) + describe("P") + execute() + FLUSH, "CE"), group()],
    "flushed error": [(parse("", BAD) + FLUSH, "E"), (parse("", READ) + bind("", "") + FLUSH + SYNC, 1), q(ONE)],
    "names": [group(parse("s", READ)), group(parse("s", READ)), group(parse("s", ONE)), group(run()),
              group(close("S", "s")), group(run()), group(close("S", "s")), group(close("S", "never")), group(close("P", "never")),
              group(describe("S", "never")), group(describe("P", "never")), group(execute("never")),
              group(raw_bind(b"", b"never"), execute()), group(parse("s", ONE)), group(raw_bind(b"", b"s"), execute()),
              group(close("S", "s"), parse("s", READ), run(), close("S", "s"))],
    "names used again in a group": [group(parse("s", ONE), raw_bind(b"", b"s"), execute(), close("S", "s"), parse("s", READ), run(),
                                          close("S", "s"))] * 3,
    "a failed parse leaves no name": [group(parse("s", BAD)), group(run()), group(close("S", "s")),
                                      group(parse("s", READ), parse("t", BAD), run()), group(run()), group(close("S", "s"))],
    "names larger than a buffer": [
        group(parse("n" * 100_000, READ)), group(raw_bind(b"p" * 90_000, "n" * 100_000, values=[b"1"])),
        group(raw_bind(b"", "n" * 100_000, values=[b"1"]), execute()), group(raw_bind(b"", "n" * 100_000, values=[b"1"]), execute()),
        group(raw_bind(b"", "n" * 99_999, values=[b"1"]), execute()), group(parse("n" * 100_000, ONE)), q("DEALLOCATE ALL")],
    "huge names": [group(parse("n" * 5000, READ)), group(raw_bind(b"", "n" * 5000, values=[b"1"]), execute()),
                   group(raw_bind(b"p" * 3000, "n" * 5000, values=[b"1"]), execute("p" * 3000)), group(close("S", "n" * 5000)),
                   group(parse(b"\xff\xfe", ONE), raw_bind(b"", b"\xff\xfe"), execute(), close("S", b"\xff\xfe"))],
    "portals": [group(parse("s", "SELECT %id FROM items ORDER BY id"), raw_bind(b"p", b"s"), execute("p", 2), execute("p", 2),
                      execute("p", 2), execute("p", 2), execute("p")), group(execute("p")),
                group(raw_bind(b"p", b"s"), raw_bind(b"p", b"s"), execute("p")), group(raw_bind(b"", b"s"), execute("", 5)),
                group(raw_bind(b"", b"s"), execute("", 5), execute("", 5)), group(raw_bind(b"", b"s"), execute("", -1)),
                group(raw_bind(b"", b"s"), execute(), execute(), execute("", 1)), group(close("S", "s"))],
    "portals in a transaction": [q("BEGIN"), group(parse("s", "SELECT %id FROM items ORDER BY id"), raw_bind(b"p", b"s"),
                                                   execute("p", 2)), group(execute("p", 2)), q(ONE), group(describe("P", "p")),
                                 group(raw_bind(b"", b"s"), execute()), group(execute()), group(describe("P")), group(execute("p")),
                                 group(close("P", "p")), group(execute("p")), q("ROLLBACK"), group(close("S", "s"))],
    "an unnamed portal lives on in its transaction": [
        q("BEGIN"), group(parse("s", READ), run()), group(execute()), group(execute("", 1)), group(describe("P")),
        group(run()), group(close("P")), group(execute()), q("ROLLBACK"), group(run(), execute(), execute()), group(close("S", "s"))],
    "errors in the middle": prepared(group(run(), run(value=b"x"), run()), group(run()), group(run(), parse("", BAD), run()),
                                     group(run()), group(run(value=b"2"), execute("never"), run()), group(run(value=b"2")),
                                     group(parse("", "SELECT %1/0"), bind("", ""), execute(), run()), group(run())),
    "writes in a group": prepared(group(parse("w", WRITE), run("w"), run()), group(run()), group(run("w"), run(value=b"x")),
                                  group(run()), group(run(), run("w"), run()), group(run()), group(close("S", "w"))),
    "transactions in groups": prepared(
        group(parse("", "BEGIN"), bind("", ""), execute()), group(run()), group(run(value=b"x")), group(run()), q(ONE),
        group(parse("", "ROLLBACK"), bind("", ""), execute()), group(run()),
        group(parse("", "BEGIN"), bind("", ""), execute(), run(), parse("", "COMMIT"), bind("", ""), execute(), run()),
        q("BEGIN"), group(run()), group(parse("", "COMMIT"), bind("", ""), execute(), run()), group(run())),
    "begin and commit prepared": [
        group(parse("b", "BEGIN"), parse("c", "COMMIT"), parse("s", READ)),
        *[step for _ in range(3) for step in (group(raw_bind(b"", b"b"), execute(), run()), group(run(), raw_bind(b"", b"c"),
                                                                                               execute()))],
        group(close("S", "b"), close("S", "c"), close("S", "s"))],
    "prepared, and then needed in a transaction that failed": [
        group(parse("s", READ)), q("BEGIN"), q("SELECT %1/0"), group(run()), group(describe("S", "s")), group(parse("t", READ)),
        group(close("S", "t")), group(raw_bind(b"", b"s", values=[b"1"])), group(), q("ROLLBACK"), group(run()),
        group(close("S", "s")), q("BEGIN"), q("SELECT %1/0"), group(parse("s", READ)), q("ROLLBACK"), group(run()),
        group(close("S", "s"))],
    "answered, and then needed in a transaction that failed": [
        group(parse("s", READ)), q("BEGIN"), q("SELECT %1/0"), group(run()), q("ROLLBACK"), group(close("S", "s"))],
    "prepared, and first needed behind an error": [
        group(parse("s", READ)), group(parse("", BAD), run()), group(parse("", BAD), close("S", "s"), run(value=b"3")), group(run()),
        group(run(value=b"x"), run(value=b"4")), group(run(value=b"4")), group(parse("", BAD), parse("t", READ)), group(run("t")),
        group(close("S", "s"), close("S", "t"))],
    "statements outlive their transaction": prepared(
        q("BEGIN"), q("DISCARD ALL"), q("ROLLBACK"), group(run()), q("BEGIN"), group(parse("t", READ), run("t")), q("ROLLBACK"),
        group(run("t")), q("BEGIN"), q("DEALLOCATE ALL"), group(run()), q("ROLLBACK"), group(run("t"))),
    "a statement under another search path": prepared(
        group(run()), group(run()), q("SET search_path = elsewhere"), group(run()), group(run()), group(describe("S", "s")),
        group(parse("t", READ)), group(run("t")), group(run("t")), q("RESET search_path"), group(run("t")), group(run("t")),
        group(run()), group(describe("S", "t")), group(close("S", "t"))),
    "an error behind rows": [q("SELECT %10 / (4 - id) FROM items"), q("SELECT %10 / (4 - id) FROM items"),
                             (extended("SELECT %10 / ($1::int - id) FROM items", [4]), 1), (extended("SELECT %10 / ($1::int - id) FROM items", [9]), 1),
                             (extended("SELECT %10 / ($1::int - id) FROM items", [9]), 1), (extended("SELECT %10 / ($1::int - id) FROM items", [4]), 1),
                             q("UPDATE items SET %id = id + 10"), q("SELECT %10 / (4 - id) FROM items"), q("SELECT %10 / (4 - id) FROM items"),
                             q("UPDATE items SET %id = id - 10"), q("SELECT %10 / (4 - id) FROM items")],
    "too slow behind rows": [q("SET statement_timeout = 50"), q("SELECT %id FROM items, (SELECT count(*) AS c FROM generate_series(1, 1000000000)) g"),
                             q(ONE), q("RESET statement_timeout"), q(ONE)],
    "declared types": [group(parse("s", "SELECT %name FROM items WHERE id = $1", [23])), group(describe("S", "s")), group(run()),
                       group(close("S", "s")), group(parse("s", "SELECT %name FROM items WHERE id = $1", [20])),
                       group(describe("S", "s")), group(run()), group(run()), group(close("S", "s")),
                       group(parse("s", "SELECT %name FROM items WHERE id = $1", [25])), group(run()), group(close("S", "s")),
                       group(parse("s", "SELECT %name FROM items WHERE id = $1", [999_999])), group(run()), group(close("S", "s")),
                       group(parse("s", "SELECT %$2::int")), group(parse("s", "SELECT %$1", [705])), group(describe("S", "s")),
                       group(close("S", "s")), group(parse("s", "SELECT $1", [23, 25])), group(describe("S", "s")),
                       group(close("S", "s"))],
    "not a select": [(extended(""), 1), (extended("SELECT 1; SELECT 2"), 1), (extended("SHOW DateStyle"), 1),
                     (extended("SET DateStyle = 'ISO'"), 1), (extended(WRITE, [1]), 1), (extended(WRITE + " RETURNING price", [1]), 1),
                     group(parse("", ""), describe("S"), bind("", ""), describe("P"), execute()), (extended("VALUES (1)"), 1)],
    "ready without a cause": [(SYNC, 1), (SYNC + SYNC, 2), (FLUSH + SYNC, 1), (SYNC + query(ONE) + SYNC, 3)],
    "many groups at once": [(parse("s", READ) + SYNC + b"".join(run(value=value) + SYNC for value in (b"1", b"2", b"x", b"1", b"2"))
                             + query(ONE) + run() + SYNC + close("S", "s") + SYNC, 9)],
    "a plan whose result type changes": [
        q("CREATE TABLE IF NOT EXISTS moved (a int)"), group(parse("s", "SELECT * FROM %moved")),
        group(raw_bind(b"", b"s"), execute()), group(raw_bind(b"", b"s"), execute()), q("ALTER TABLE moved ADD b int"),
        group(raw_bind(b"", b"s"), execute()), group(raw_bind(b"", b"s"), execute()), q("ALTER TABLE moved DROP b"),
        group(close("S", "s"))],

    # a Query destroys the unnamed statement
    "unnamed across queries": [group(parse("", READ)), q(ONE), group(raw_bind(values=[b"1"]), execute()), group(parse("", READ)),
                               q("SELECT 1"), group(raw_bind(values=[b"1"]), execute()), group(parse("", READ)), q(BAD),
                               group(raw_bind(values=[b"1"]), execute()), group(parse("", READ), raw_bind(values=[b"1"]), execute()),
                               q(ONE), q(ONE), group(raw_bind(values=[b"1"]), execute())],
}

# Whatever follows them may be skipped, swallowed or never read: sent at once, read to the end.
WILD = {
    "a query in a group": parse("", READ) + query(ONE) + raw_bind(values=[b"1"]) + execute() + SYNC + query(ONE),
    "a query behind an error": parse("", BAD) + query(ONE) + bind("", "") + SYNC + query(ONE),
    "a group without its sync": parse("", READ) + raw_bind(values=[b"1"]) + execute(),
    "a query behind a group without its sync": parse("", WRITE) + raw_bind(values=[b"1"]) + execute() + query(ONE),
    "an error without its sync": parse("", BAD) + query(ONE) + query(ONE),
    "no terminator": message("Q", b"SELECT 1") + query(ONE),
    "a nul in the query": message("Q", b"SELECT 1\0; SELECT 2\0") + query(ONE),
    "an empty body": message("Q") + query(ONE),
    "parse cut off": message("P", b"s\0SELECT 1") + SYNC + query(ONE),
    "parse without types": message("P", b"s\0SELECT 1\0") + SYNC + query(ONE),
    "parse with too few types": message("P", b"s\0SELECT 1\0" + struct.pack("!h", 5)) + SYNC + query(ONE),
    "parse with negative types": message("P", b"s\0SELECT 1\0" + struct.pack("!h", -1)) + SYNC + query(ONE),
    "parse with more behind": message("P", b"s\0SELECT 1\0\0\0x") + SYNC + query(ONE),
    "bind cut off": parse("", READ) + message("B", b"\0\0\0\0\0\1\0\0\0\x09ab") + SYNC + query(ONE),
    "bind with a negative length": parse("", READ) + message("B", b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0") + SYNC + query(ONE),
    "bind with a false count": parse("", READ) + raw_bind(values=[b"1"], counts=3) + execute() + SYNC + query(ONE),
    "bind with 65535": parse("", READ) + raw_bind(values=[b"1"], counts=65535) + execute() + SYNC + query(ONE),
    "bind with more behind": parse("", READ) + message("B", raw_bind(values=[b"1"])[5:] + b"x") + execute() + SYNC + query(ONE),
    "bind without names": message("B", b"ab") + SYNC + query(ONE),
    "execute cut off": parse("", ONE) + bind("", "") + message("E", b"\0\0") + SYNC + query(ONE),
    "execute with more behind": parse("", ONE) + bind("", "") + message("E", b"\0\0\0\0\0x") + SYNC + query(ONE),
    "describe of what": parse("", ONE) + describe("X") + SYNC + query(ONE),
    "describe of nothing": parse("", ONE) + message("D") + SYNC + query(ONE),
    "describe without end": parse("", ONE) + message("D", b"Sab") + SYNC + query(ONE),
    "close of what": close("X") + SYNC + query(ONE),
    "close with more behind": message("C", b"Ss\0x") + SYNC + query(ONE),
    "a sync with a body": parse("", ONE) + message("S", b"x") + query(ONE),
    "a flush with a body": parse("", ONE) + message("H", b"abc") + SYNC + query(ONE),
    "an unknown type": query(ONE) + message("z", b"abc") + query(ONE),
    "type 0": query(ONE) + message("\0", b"abc") + query(ONE),
    "a type of the server": query(ONE) + message("T", b"\0\0") + query(ONE),
    "a password": query(ONE) + message("p", text("secret")) + query(ONE),
    "length 0": query(ONE) + b"Q\0\0\0\0" + query(ONE),
    "length 3": query(ONE) + b"Q\0\0\0\3" + query(ONE),
    "length -1": query(ONE) + b"Q\xff\xff\xff\xff" + query(ONE),
    "length 1 GB": query(ONE) + b"Q\x40\0\0\0" + query(ONE),
    "sync too long": query(ONE) + b"S\0\0\xff\xff" + query(ONE),
    "close too long": query(ONE) + close("S", "n" * 10_000) + SYNC + query(ONE),
    "close of nothing too long": query(ONE) + message("C", b"S" + b"n" * 10_000) + SYNC + query(ONE),
    "describe too long": parse("", ONE) + bind("", "") + execute() + describe("S", "n" * 10_000) + SYNC + query(ONE),
    "execute too long": query(ONE) + parse("", ONE) + execute("p" * 10_000) + SYNC + query(ONE),
    "flush too long": parse("", ONE) + SYNC + parse("", ONE) + message("H", b"x" * 10_000) + query(ONE),
    "terminate too long": query(ONE) + message("X", b"x" * 10_000) + query(ONE),
    "copy done too long": query("COPY log FROM STDIN") + message("c", b"x" * 12_000) + query(ONE),
    "copy fail too long": query("COPY log FROM STDIN") + message("f", b"x" * 12_000 + b"\0") + query(ONE),
    "names as long as may be": parse("n" * 9_993, READ) + describe("S", "n" * 9_993) + raw_bind("p" * 9_990, "n" * 9_993, values=[b"1"])
    + execute("p" * 9_990) + close("P", "p" * 9_993) + close("S", "n" * 9_993) + SYNC + query(ONE),
    "half a message": query(ONE) + query(ONE)[:-3],
    "half a header": query(ONE) + b"Q\0\0",
    "stray copy": copy_data(b"x") + COPY_DONE + message("f", text("x")) + query(ONE),
    "stray copy in a group": parse("", ONE) + COPY_DONE + bind("", "") + copy_data(b"1") + execute() + SYNC + query(ONE),
    "a query in copy": query("COPY log FROM STDIN") + query(ONE),
    "terminate in copy": query("COPY log FROM STDIN") + copy_data(b"1\tx\n"),
    "copy and flush and sync": query("COPY log FROM STDIN") + FLUSH + SYNC + copy_data(b"1\tx\n") + SYNC + COPY_DONE + query(ONE),
    "copy in a group that fails": parse("", "COPY log FROM STDIN") + bind("", "") + execute() + message("f", text("no")) + SYNC
    + copy_data(b"1") + COPY_DONE + query(ONE),
    "a write behind an error": parse("", BAD) + parse("", WRITE) + raw_bind(values=[b"1"]) + execute() + SYNC
    + query("SELECT %price FROM items WHERE id = 1"),
    "begin in the middle of a text": query("SELECT 1; BEGIN; " + ONE) + query(ONE) + query("COMMIT") + query(ONE),
    "a begin nobody ends": query("BEGIN") + query(ONE),
    "a transaction that failed": query("BEGIN") + query("SELEC") + query(ONE),
    "a begin in a group without sync": query("BEGIN") + parse("", READ) + raw_bind(values=[b"1"]) + execute() + FLUSH,
}
