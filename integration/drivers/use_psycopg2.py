"""psycopg2: writes parameters into the text; the simple protocol, text format."""
import io
import select
import threading

import psycopg2
import psycopg2.extras

from common import ADDRESS, say, wait

host, port, database = ADDRESS
connection = psycopg2.connect(host=host, port=port, dbname=database, user="postgres", sslmode="disable",
                              gssencmode="disable")
connection.autocommit = True
cursor = connection.cursor()
reads = 0


def read(step, sql, values=None):
    global reads
    reads += 1
    cursor.execute(sql, values)
    say(step, [[(one.name, one.type_code) for one in cursor.description], cursor.fetchall()])


def run(sql, values=None):
    cursor.execute(sql, values)
    return cursor.fetchall() if cursor.description else cursor.statusmessage


def fails(step, action, *arguments):
    try:
        say(step, action(*arguments))
    except psycopg2.Error as error:
        say(step, [error.pgcode, str(error)])


def cancel_once_asked():
    wait(part="cancel")
    connection.cancel()


def round_of_reads():
    for n in (1, 2, 3):
        read("kinds", "SELECT * FROM kinds WHERE id = %s", (n,))
    read("no values", "SELECT id, name FROM items ORDER BY id")
    read("array", "SELECT name FROM items WHERE id = ANY(%s) ORDER BY id", ([2, 3, 5],))
    read("words", "SELECT id FROM kinds WHERE words = %s", (["one", "two words", 'quo"te'],))
    read("json", "SELECT id, jb FROM kinds WHERE jb @> %s", (psycopg2.extras.Json({"b": 1}),))
    read("large", "SELECT body, raw FROM large WHERE id = %s", (1,))
    for n in range(1, 6):
        read("reuse", "SELECT name, price FROM items WHERE id = %s", (n,))
    connection.autocommit = False
    read("in a transaction", "SELECT count(*) FROM items WHERE price > %s", (3,))
    connection.commit()
    connection.autocommit = True


def rest(n):
    connection.autocommit = False
    say("update", run("UPDATE ledger SET amount = amount + 1 WHERE id = %s RETURNING amount", (1,)))
    say("own", run("SELECT amount FROM ledger WHERE id = %s", (1,)))
    connection.rollback()
    say("rolled back", run("SELECT amount FROM ledger WHERE id = %s", (1,)))
    run("UPDATE ledger SET amount = amount + 1 WHERE id = %s", (2,))
    connection.commit()
    say("committed", run("SELECT amount FROM ledger ORDER BY id"))
    connection.commit()
    run("SELECT 1")
    fails("error", run, "SELECT 1 / (amount - amount) FROM ledger WHERE id = %s", (1,))
    fails("after it", run, "SELECT amount FROM ledger WHERE id = %s", (1,))
    connection.rollback()
    say("after that", run("SELECT amount FROM ledger WHERE id = %s", (1,)))
    connection.commit()

    psycopg2.extras.execute_batch(cursor, "UPDATE ledger SET amount = amount + %s WHERE id = %s", [(1, 3), (2, 4)])
    connection.commit()
    psycopg2.extras.execute_values(cursor, "INSERT INTO loaded VALUES %s", [(n, "a"), (n, None)])
    connection.commit()
    connection.autocommit = True
    say("batch", run("SELECT * FROM ledger ORDER BY id"))
    say("rows", run("SELECT * FROM loaded ORDER BY n, t"))

    cursor.copy_expert("COPY loaded FROM STDIN", io.StringIO(f"{n}\tcopied\n{n}\t\\N\n"))
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT * FROM loaded ORDER BY n, t) TO STDOUT", out)
    say("copy", out.getvalue())
    fails("copy fails", cursor.copy_expert, "COPY loaded FROM STDIN", io.StringIO("no number\tx\n"))
    say("after copy", run("SELECT count(*) FROM loaded"))

    connection.autocommit = False
    with connection.cursor("named", withhold=False) as named:
        named.itersize = 7
        named.execute("SELECT id, name FROM items ORDER BY id")
        say("cursor", list(named))
    connection.commit()
    connection.autocommit = True

    run("LISTEN channel")
    run("NOTIFY channel, 'payload'")
    while not connection.notifies:
        select.select([connection], [], [], 10)
        connection.poll()
    heard = connection.notifies.pop(0)
    say("notified", [heard.channel, heard.payload])
    run("UNLISTEN channel")

    thread = threading.Thread(target=cancel_once_asked)
    thread.start()
    fails("cancel", run, "SELECT pg_sleep(60)")
    thread.join()
    say("after cancel", run("SELECT amount FROM ledger WHERE id = %s", (1,)))

    say("bytes", run("SELECT %s::bytea, %s::jsonb", (b"\0\xff'\\", psycopg2.extras.Json({"n": [n, None]}))))


for turn in range(1, 6):
    reads = 0
    round_of_reads()
    wait(round=turn, reads=reads)
wait(part="rest")
for turn in range(1, 6):
    rest(turn)
connection.close()
