// postgres.js: everything with a name unless told otherwise; Parse and Describe go before Bind when a statement is new;
// queries are pipelined on one connection; LISTEN takes a connection of its own.
import postgres from 'postgres'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { database, fails, host, latestIsClosed, port, say, wait } from './common.js'

const sql = postgres({
  host, port: Number(port), database, username: 'postgres', ssl: false, max: 1, idle_timeout: 0, max_lifetime: null,
  onnotice: () => {}
})
let reads = 0

async function read(step, query) {
  reads += 1
  const found = await query
  say(step, [found.columns.map((column) => [column.name, column.type]), found])
}

const run = async (query) => {
  const found = await query
  return [found.command, found.count, found]
}

async function roundOfReads() {
  for (const n of [1, 2, 3]) await read('kinds', sql`SELECT * FROM kinds WHERE id = ${n}`)
  await read('no values', sql`SELECT id, name FROM items ORDER BY id`)
  await read('simple', sql`SELECT id, name FROM items WHERE id < 4 ORDER BY id`.simple())
  await read('unsafe', sql.unsafe('SELECT id, name FROM items WHERE id < $1 ORDER BY id', [4]))
  await read('prepared', sql.unsafe('SELECT id, name FROM items WHERE id < $1 ORDER BY id', [5], { prepare: true }))
  await read('array', sql`SELECT name FROM items WHERE id = ANY(${[2, 3, 5]}::int[]) ORDER BY id`)
  await read('words', sql`SELECT id FROM kinds WHERE words = ${['one', 'two words', 'quo"te']}`)
  await read('json', sql`SELECT id, jb FROM kinds WHERE jb @> ${sql.json({ b: 1 })}`)
  await read('large', sql`SELECT body, raw FROM large WHERE id = ${1}`)
  for (const n of [1, 2, 3, 4, 5]) await read('reuse', sql`SELECT name, price FROM items WHERE id = ${n}`)
  await sql.begin(async (inside) => {
    await read('in a transaction', inside`SELECT count(*) FROM items WHERE price > ${3}`)
  })
  const asked = [6, 7, 8].map((n) => sql`SELECT name, price FROM items WHERE id = ${n}`)
  reads += asked.length
  say('pipelined', await Promise.all(asked))
}

async function rest(n) {
  await sql.begin(async (inside) => {
    say('update', await run(inside`UPDATE ledger SET amount = amount + 1 WHERE id = ${1} RETURNING amount`))
    say('own', await run(inside`SELECT amount FROM ledger WHERE id = ${1}`))
    throw new Error('to roll back')
  }).catch((error) => say('thrown', error.message))
  say('rolled back', await run(sql`SELECT amount FROM ledger WHERE id = ${1}`))
  await sql.begin(async (inside) => {
    await inside`UPDATE ledger SET amount = amount + 1 WHERE id = ${2}`
    await inside.savepoint((deeper) => deeper`UPDATE ledger SET amount = amount + 10 WHERE id = ${2}`)
  })
  say('committed', await run(sql`SELECT amount FROM ledger ORDER BY id`))
  await fails('error', () => sql.begin(async (inside) => {
    await inside`SELECT amount FROM ledger WHERE id = ${1}`
    await inside`SELECT 1 / (amount - amount) FROM ledger WHERE id = ${1}`
  }))
  say('after that', await run(sql`SELECT amount FROM ledger WHERE id = ${1}`))

  say('batch', await sql.begin((inside) => [3, 4].map((id) => inside`UPDATE ledger SET amount = amount + 1 WHERE id = ${id} RETURNING amount`)))
  const inserted = [{ n, t: 'a' }, { n, t: null }]
  say('insert', await run(sql`INSERT INTO loaded ${sql(inserted)} RETURNING *`))
  const { types, columns } = await sql`SELECT id, name FROM items WHERE id = ${1}`.describe()
  say('described', [types, columns])

  const session = await sql.reserve()
  await pipeline(Readable.from([`${n}\tcopied\n`, `${n}\t\\N\n`]), await session`COPY loaded FROM STDIN`.writable())
  const parts = []
  for await (const part of await session`COPY (SELECT * FROM loaded ORDER BY n, t) TO STDOUT`.readable()) parts.push(part)
  say('copy', Buffer.concat(parts).toString())
  session.release()
  say('after copy', await run(sql`SELECT count(*) FROM loaded`))

  const pages = []
  await sql`SELECT id, name FROM items WHERE id > ${2} ORDER BY id`.cursor(7, (page) => { pages.push([...page]) })
  say('cursor', pages)

  let heard
  const notified = new Promise((resolve) => { heard = resolve })
  const listening = await sql.listen('channel', heard)
  await sql.notify('channel', 'payload')
  say('notified', await notified)
  await listening.unlisten()

  const asking = sql`SELECT pg_sleep(${60})`
  const cancelled = fails('cancel', () => asking)
  wait({ part: 'cancel' }).then(() => asking.cancel())
  await cancelled
  await latestIsClosed()
  say('after cancel', await run(sql`SELECT amount FROM ledger WHERE id = ${1}`))

  say('bytes', await run(sql`SELECT ${Buffer.from([0, 255, 39, 92])}::bytea AS raw, ${sql.json({ n: [n, null] })}::jsonb AS jb`))
}

for (let turn = 1; turn <= 5; ++turn) {
  reads = 0
  await roundOfReads()
  await wait({ round: turn, reads })
}
await wait({ part: 'rest' })
for (let turn = 1; turn <= 5; ++turn) await rest(turn)
await sql.end()
process.exit(0)
