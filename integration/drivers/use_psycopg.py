"""psycopg 3: values go by Bind; what is asked often is prepared (here: at the second time); binary on request; pipelines
by libpq's pipeline mode."""
import threading

import psycopg
from psycopg.types.json import Jsonb

from common import ADDRESS, say, wait

host, port, database = ADDRESS
connection = psycopg.connect(host=host, port=port, dbname=database, user="postgres", sslmode="disable",
                             gssencmode="disable", autocommit=True, prepare_threshold=1)
reads = 0


def read(step, sql, values=None, **how):
    global reads
    reads += 1
    cursor = connection.execute(sql, values, **how)
    say(step, [[(one.name, one.type_code) for one in cursor.description], cursor.fetchall()])


def run(sql, values=None):
    cursor = connection.execute(sql, values)
    return cursor.fetchall() if cursor.description else cursor.statusmessage


def fails(step, action, *arguments):
    try:
        say(step, action(*arguments))
    except psycopg.Error as error:
        say(step, [error.sqlstate, str(error)])


def copy_in(text):
    with connection.cursor().copy("COPY loaded FROM STDIN") as copy:
        copy.write(text)


def cancel_once_asked():
    wait(part="cancel")
    connection.cancel()


def round_of_reads():
    for binary in (False, True):
        for n in (1, 2, 3):
            read("kinds", "SELECT * FROM kinds WHERE id = %s", (n,), binary=binary)
    read("no values", "SELECT id, name FROM items ORDER BY id")
    read("never prepared", "SELECT id, name FROM items WHERE id < %s ORDER BY id", (9,), prepare=False)
    read("array", "SELECT name FROM items WHERE id = ANY(%s) ORDER BY id", ([2, 3, 5],))
    read("binary array", "SELECT name FROM items WHERE id = ANY(%b) ORDER BY id", ([2, 3, 5],))
    read("words", "SELECT id FROM kinds WHERE words = %s", (["one", "two words", 'quo"te'],))
    read("json", "SELECT id, jb FROM kinds WHERE jb @> %s", (Jsonb({"b": 1}),))
    read("large", "SELECT body, raw FROM large WHERE id = %s", (1,))
    for n in range(1, 6):
        read("reuse", "SELECT name, price FROM items WHERE id = %s", (n,))
    with connection.transaction():
        read("in a transaction", "SELECT count(*) FROM items WHERE price > %s", (3,))
    with connection.pipeline():
        global reads
        cursors = [connection.execute("SELECT name FROM items WHERE id = %s", (n,)) for n in (6, 7, 8)]
        reads += len(cursors)
        say("pipeline", [cursor.fetchall() for cursor in cursors])


def rest(n):
    try:
        with connection.transaction():
            say("update", run("UPDATE ledger SET amount = amount + 1 WHERE id = %s RETURNING amount", (1,)))
            say("own", run("SELECT amount FROM ledger WHERE id = %s", (1,)))
            raise psycopg.Rollback()
    except psycopg.Rollback:
        pass
    say("rolled back", run("SELECT amount FROM ledger WHERE id = %s", (1,)))
    with connection.transaction():
        run("UPDATE ledger SET amount = amount + 1 WHERE id = %s", (2,))
        with connection.transaction():  # a savepoint
            run("UPDATE ledger SET amount = amount + 10 WHERE id = %s", (2,))
    say("committed", run("SELECT amount FROM ledger ORDER BY id"))
    try:
        with connection.transaction():
            run("SELECT 1")
            fails("error", run, "SELECT 1 / (amount - %s) FROM ledger WHERE id = %s AND amount = %s", (100, 5, 100))
            fails("after it", run, "SELECT amount FROM ledger WHERE id = %s", (1,))
            raise psycopg.Rollback()
    except psycopg.Rollback:
        pass
    say("after that", run("SELECT amount FROM ledger WHERE id = %s", (1,)))

    with connection.pipeline() as pipeline:
        one = connection.execute("UPDATE ledger SET amount = amount + %s WHERE id = %s RETURNING amount", (1, 3))
        two = connection.execute("SELECT amount FROM ledger WHERE id = %s", (3,))
        pipeline.sync()
        say("pipeline", [one.fetchall(), two.fetchall()])
    try:
        with connection.pipeline() as pipeline:
            connection.execute("UPDATE ledger SET amount = amount + 1 WHERE id = %s", (4,))
            connection.execute("SELECT 1 / (amount - amount) FROM ledger WHERE id = %s", (4,))
            connection.execute("SELECT amount FROM ledger WHERE id = %s", (4,))
            pipeline.sync()
    except psycopg.Error as error:
        say("error in a pipeline", [error.sqlstate, str(error)])
    say("after the pipeline", run("SELECT amount FROM ledger WHERE id = %s", (4,)))
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO loaded VALUES (%s, %s)", [(n, "a"), (n, None)])
    say("rows", run("SELECT * FROM loaded ORDER BY n, t"))

    copy_in(f"{n}\tcopied\n{n}\t\\N\n")
    with connection.cursor().copy("COPY (SELECT * FROM loaded ORDER BY n, t) TO STDOUT (FORMAT binary)") as copy:
        say("copy", b"".join(bytes(part) for part in copy))
    fails("copy fails", copy_in, "no number\tx\n")
    say("after copy", run("SELECT count(*) FROM loaded"))

    with connection.transaction():
        with connection.cursor("named") as named:
            named.execute("SELECT id, name FROM items WHERE id > %s ORDER BY id", (2,))
            say("cursor", [named.fetchmany(7), named.fetchone(), named.fetchall()])

    heard = []
    hear = lambda notification: heard.append([notification.channel, notification.payload])
    connection.add_notify_handler(hear)
    run("LISTEN channel")
    run("NOTIFY channel, 'payload'")
    run("SELECT 1")  # psycopg tells of what came with a reply
    say("notified", heard.pop())
    run("UNLISTEN channel")
    connection.remove_notify_handler(hear)

    thread = threading.Thread(target=cancel_once_asked)
    thread.start()
    fails("cancel", run, "SELECT pg_sleep(%s)", (60,))
    thread.join()
    say("after cancel", run("SELECT amount FROM ledger WHERE id = %s", (1,)))

    say("bytes", run("SELECT %s::bytea, %s::jsonb", (b"\0\xff'\\", Jsonb({"n": [n, None]}))))


for turn in range(1, 6):
    reads = 0
    round_of_reads()
    wait(round=turn, reads=reads)
wait(part="rest")
for turn in range(1, 6):
    rest(turn)
connection.close()
