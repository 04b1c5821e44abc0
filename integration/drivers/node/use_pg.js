// node-postgres: the simple protocol without values, the extended one with them; statements with a name are prepared
// once; binary on request; cursors by portals (pg-cursor).
import pg from 'pg'
import Cursor from 'pg-cursor'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { database, fails, host, latestIsClosed, port, say, wait } from './common.js'

const settings = { host, port: Number(port), database, user: 'postgres', ssl: false }
const client = new pg.Client(settings)
await client.connect()
let reads = 0

async function read(step, text, values, more = {}) {
  reads += 1
  const found = await client.query({ text, values, ...more })
  say(step, [found.fields.map((field) => [field.name, field.dataTypeID, field.format]), found.rows])
}

async function run(text, values) {
  const found = await client.query(text, values)
  return [found.command, found.rowCount, found.rows]
}

async function roundOfReads() {
  for (const binary of [false, true]) {
    for (const n of [1, 2, 3]) {
      await read('kinds', 'SELECT * FROM kinds WHERE id = $1', [n], { binary })
    }
  }
  await read('no values', 'SELECT id, name FROM items ORDER BY id')
  await read('array', 'SELECT name FROM items WHERE id = ANY($1) ORDER BY id', [[2, 3, 5]])
  await read('words', 'SELECT id FROM kinds WHERE words = $1', [['one', 'two words', 'quo"te']])
  await read('json', 'SELECT id, jb FROM kinds WHERE jb @> $1', [{ b: 1 }])
  await read('large', 'SELECT body, raw FROM large WHERE id = $1', [1])
  for (const n of [1, 2, 3, 4, 5]) {
    await read('reuse', 'SELECT name, price FROM items WHERE id = $1', [n], { name: 'by id' })
  }
  await client.query('BEGIN')
  await read('in a transaction', 'SELECT count(*) FROM items WHERE price > $1', [3])
  await client.query('COMMIT')
  const asked = [6, 7, 8].map((n) => client.query('SELECT name FROM items WHERE id = $1', [n]))
  reads += asked.length
  say('queued', (await Promise.all(asked)).map((found) => found.rows))
}

async function rest(n) {
  await client.query('BEGIN')
  say('update', await run('UPDATE ledger SET amount = amount + 1 WHERE id = $1 RETURNING amount', [1]))
  say('own', await run('SELECT amount FROM ledger WHERE id = $1', [1]))
  await client.query('ROLLBACK')
  say('rolled back', await run('SELECT amount FROM ledger WHERE id = $1', [1]))
  await client.query('BEGIN')
  await run('UPDATE ledger SET amount = amount + 1 WHERE id = $1', [2])
  await client.query('COMMIT')
  say('committed', await run('SELECT amount FROM ledger ORDER BY id'))
  await client.query('BEGIN')
  await fails('error', () => run('SELECT 1 / (amount - amount) FROM ledger WHERE id = $1', [1]))
  await fails('after it', () => run('SELECT amount FROM ledger WHERE id = $1', [1]))
  await client.query('ROLLBACK')
  say('after that', await run('SELECT amount FROM ledger WHERE id = $1', [1]))

  const script = `INSERT INTO loaded VALUES (${n}, 'a'); SELECT count(*) FROM loaded; UPDATE ledger SET amount = 7 WHERE id = 3`
  say('script', (await client.query(script)).map((found) => [found.command, found.rowCount, found.rows]))
  await fails('script fails', () => client.query('INSERT INTO loaded VALUES (1, $$no$$); SELECT 1 / 0'))
  say('rows', await run('SELECT * FROM loaded ORDER BY n, t'))

  await pipeline(Readable.from([`${n}\tcopied\n`, `${n}\t\\N\n`]), client.query(copyFrom('COPY loaded FROM STDIN')))
  const parts = []
  for await (const part of client.query(copyTo('COPY (SELECT * FROM loaded ORDER BY n, t) TO STDOUT'))) parts.push(part)
  say('copy', Buffer.concat(parts).toString())
  await fails('copy fails', () =>
    pipeline(Readable.from(['no number\tx\n']), client.query(copyFrom('COPY loaded FROM STDIN'))))
  say('after copy', await run('SELECT count(*) FROM loaded'))

  await client.query('BEGIN')
  const cursor = client.query(new Cursor('SELECT id, name FROM items WHERE id > $1 ORDER BY id', [2]))
  say('cursor', [await cursor.read(7), await cursor.read(1), await cursor.read(100)])
  await cursor.close()
  await client.query('COMMIT')

  const heard = new Promise((resolve) => client.once('notification', resolve))
  await client.query('LISTEN channel')
  await client.query("NOTIFY channel, 'payload'")
  const { channel, payload } = await heard
  say('notified', [channel, payload])
  await client.query('UNLISTEN channel')

  const asking = new pg.Query('SELECT pg_sleep($1)', [60])
  const cancelled = new Promise((resolve) => asking.once('error', resolve))
  client.query(asking)
  await wait({ part: 'cancel' })
  new pg.Client(settings).cancel(client, asking)
  const error = await cancelled
  await latestIsClosed()
  say('cancel', [error.code, error.message])
  say('after cancel', await run('SELECT amount FROM ledger WHERE id = $1', [1]))

  say('bytes', await run('SELECT $1::bytea, $2::jsonb', [Buffer.from([0, 255, 39, 92]), { n: [n, null] }]))
}

for (let turn = 1; turn <= 5; ++turn) {
  reads = 0
  await roundOfReads()
  await wait({ round: turn, reads })
}
await wait({ part: 'rest' })
for (let turn = 1; turn <= 5; ++turn) await rest(turn)
await client.end()
process.exit(0)
