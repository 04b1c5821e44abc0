// What the scripts share: how a value is printed, and the conversation with the test.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

export const [host, port, database, mode] = process.argv.slice(2)

// The latest connection that was begun.
let latest
const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...settings) {
  latest = this
  return connect.apply(this, settings)
}

// A cancel request has done all that it does once its connection is closed, not when the error is there: PostgreSQL signals
// the process and then its group, and the second signal may come when the next query runs (signal_child in postmaster.c).
export async function latestIsClosed() {
  if (!latest.closed) await once(latest, 'close')
}

function plain(value) {
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value).toString('hex')
    return ['bytes', value.length, value.length < 100 ? hex : createHash('md5').update(value).digest('hex')]
  }
  if (typeof value === 'string' && value.length > 1000) {
    return ['text', value.length, createHash('md5').update(value).digest('hex')]
  }
  if (typeof value === 'bigint' || typeof value === 'number') return String(value)
  if (value instanceof Date) return ['date', String(value.getTime())]
  if (Array.isArray(value)) return [...value].map(plain)
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
  }
  return value === undefined ? 'undefined' : value
}

export function say(step, value) {
  console.log(JSON.stringify([step, plain(value)]))
}

export async function wait(what) {
  console.log(JSON.stringify(what))
  await lines.next()
}

export async function fails(step, action) {
  try {
    say(step, await action())
  } catch (error) {
    say(step, [error.code, error.message])
  }
}
