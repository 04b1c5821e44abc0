"""asyncpg: everything is a prepared statement with a name, in binary; query strings without values go simple."""
import asyncio
import io
import json

import asyncpg

from common import ADDRESS, say, wait

reads = 0


async def fails(step, action):
    try:
        say(step, await action)
    except asyncpg.PostgresError as error:
        say(step, [error.sqlstate, str(error)])


def rows(found):
    return [dict(one) for one in found]


async def round_of_reads(connection):
    async def read(step, sql, *values):
        global reads
        reads += 1
        say(step, rows(await connection.fetch(sql, *values)))

    for n in (1, 2, 3):
        await read("kinds", "SELECT * FROM kinds WHERE id = $1", n)
    await read("no values", "SELECT id, name FROM items ORDER BY id")
    await read("array", "SELECT name FROM items WHERE id = ANY($1) ORDER BY id", [2, 3, 5])
    await read("words", "SELECT id FROM kinds WHERE words = $1", ["one", "two words", 'quo"te'])
    await read("json", "SELECT id, jb FROM kinds WHERE jb @> $1", json.dumps({"b": 1}))
    await read("large", "SELECT body, raw FROM large WHERE id = $1", 1)
    statement = await connection.prepare("SELECT name, price FROM items WHERE id = $1")
    say("described", [[one.name for one in statement.get_parameters()], [one.name for one in statement.get_attributes()]])
    for n in range(1, 6):
        global reads
        reads += 1
        say("reuse", rows(await statement.fetch(n)))
    async with connection.transaction():
        await read("in a transaction", "SELECT count(*) FROM items WHERE price > $1", 3)


async def rest(connection, n):
    transaction = connection.transaction()
    await transaction.start()
    say("update", await connection.fetchval("UPDATE ledger SET amount = amount + 1 WHERE id = $1 RETURNING amount", 1))
    say("own", await connection.fetchval("SELECT amount FROM ledger WHERE id = $1", 1))
    await transaction.rollback()
    say("rolled back", await connection.fetchval("SELECT amount FROM ledger WHERE id = $1", 1))
    async with connection.transaction():
        say("tag", await connection.execute("UPDATE ledger SET amount = amount + 1 WHERE id = $1", 2))
    say("committed", rows(await connection.fetch("SELECT amount FROM ledger ORDER BY id")))
    transaction = connection.transaction()
    await transaction.start()
    await fails("error", connection.fetch("SELECT 1 / (amount - amount) FROM ledger WHERE id = $1", 1))
    await fails("after it", connection.fetch("SELECT amount FROM ledger WHERE id = $1", 1))
    await transaction.rollback()
    say("after that", await connection.fetchval("SELECT amount FROM ledger WHERE id = $1", 1))

    await connection.executemany("UPDATE ledger SET amount = amount + $1 WHERE id = $2", [(1, 3), (2, 4)])
    say("batch", rows(await connection.fetch("SELECT * FROM ledger ORDER BY id")))
    await fails("script", connection.execute("INSERT INTO loaded VALUES (1, 's'); SELECT 1 / 0"))

    await connection.copy_records_to_table("loaded", records=[(n, "copied"), (n, None)])
    out = io.BytesIO()
    await connection.copy_from_query("SELECT * FROM loaded ORDER BY n, t", output=out)
    say("copy", out.getvalue())
    await fails("copy fails", connection.copy_to_table("loaded", source=io.BytesIO(b"no number\tx\n")))
    say("after copy", await connection.fetchval("SELECT count(*) FROM loaded"))

    async with connection.transaction():
        found = [dict(one) async for one in connection.cursor("SELECT id, name FROM items ORDER BY id", prefetch=7)]
        say("cursor", found)
        cursor = await connection.cursor("SELECT id FROM items WHERE id > $1 ORDER BY id", 2)
        say("cursor by hand", [rows(await cursor.fetch(3)), await cursor.forward(2), rows(await cursor.fetch(100))])

    heard = asyncio.get_running_loop().create_future()
    def hear(_, pid, channel, payload):
        heard.set_result([channel, payload])

    await connection.add_listener("channel", hear)
    await connection.execute("NOTIFY channel, 'payload'")
    say("notified", await asyncio.wait_for(heard, 30))
    await connection.remove_listener("channel", hear)

    asking = asyncio.create_task(connection.fetch("SELECT pg_sleep($1)", 60))
    await asyncio.to_thread(wait, part="cancel")
    asking.cancel()
    try:
        say("cancel", rows(await asking))
    except asyncio.CancelledError:
        say("cancel", "cancelled")
    say("after cancel", await connection.fetchval("SELECT amount FROM ledger WHERE id = $1", 1))

    found = await connection.fetchrow("SELECT $1::bytea AS raw, $2::jsonb AS jb", b"\0\xff'\\", json.dumps({"n": [n, None]}))
    say("bytes", dict(found))


async def main():
    host, port, database = ADDRESS
    connection = await asyncpg.connect(host=host, port=int(port), database=database, user="postgres", ssl=False)
    global reads
    for turn in range(1, 6):
        reads = 0
        await round_of_reads(connection)
        wait(round=turn, reads=reads)
    wait(part="rest")
    for turn in range(1, 6):
        await rest(connection, turn)
    await connection.close()


asyncio.run(main())
