import t from 'tap'
import type { EventRecord } from '../../src/daemon/surfaces/events.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import { watch } from '../../src/daemon/surfaces/watch.ts'
import { peer } from './example.ts'

/** A reader that takes one event each time it is told to. */
function reader() {
  const abort = new AbortController()
  const got: EventRecord[] = []
  let open = Promise.withResolvers<void>()
  let free = false
  return {
    got,
    abort,
    /** From now on it takes all at once. */
    hurry: () => {
      free = true
      open.resolve()
    },
    take: async () => {
      const had = got.length
      open.resolve()
      open = Promise.withResolvers()
      while (got.length === had) await settle()
    },
    call: {
      signal: abort.signal,
      progress: () => {},
      reply: async (event: EventRecord) => {
        got.push(event)
        if (!free) await open.promise
      }
    }
  }
}
const settle = () => new Promise(resolve => setImmediate(resolve))
const types = (events: readonly EventRecord[]) => events.map(e => e.Type)

t.test('first all there is, then what changes, until the reader goes', async t => {
  const publisher = new Publisher({ boot: 'boot' })
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 1 }))
  const { got, call, hurry, abort } = reader()
  hurry()
  const end = watch(publisher, '', call)
  await settle()
  t.same(types(got), ['Added'])
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 2 }))
  await settle()
  publisher.remove('/p')
  await settle()
  t.same(types(got), ['Added', 'Changed', 'Removed'])
  abort.abort()
  await end
  publisher.set('Peer', '/q', peer('b'))
  await settle()
  t.equal(got.length, 3, 'nothing after that')

  const later = reader()
  later.hurry()
  const again = watch(publisher, got[0]!.Cursor, later.call)
  await settle()
  t.same(types(later.got), ['Changed', 'Removed', 'Added'], 'a cursor goes on where it was')
  later.abort.abort()
  await again
})

t.test('a reader that is gone before it begins', async t => {
  const publisher = new Publisher({ boot: 'boot' })
  publisher.set('Peer', '/p', peer('a'))
  const { got, call, abort } = reader()
  abort.abort()
  await watch(publisher, '', call)
  t.same(got, [])
})

t.test('a reader that cannot be written to ends the watch', async t => {
  const publisher = new Publisher({ boot: 'boot' })
  publisher.set('Peer', '/p', peer('a'))
  const { call } = reader()
  const gone = async () => {
    throw new Error('gone')
  }
  await t.rejects(watch(publisher, '', { ...call, reply: gone }), { message: 'gone' })
})

t.test('a reader that falls behind is told, and gets everything as it is now', async t => {
  const publisher = new Publisher({ boot: 'boot' })
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 1 }))
  const { got, call, take, hurry, abort } = reader()
  const end = watch(publisher, '', call)
  await settle()
  for (let n = 2; n <= 9_002; n++) {
    publisher.set('Peer', '/p', peer('a', { LatencyUSec: n }))
    await Promise.resolve()
  }
  t.equal(got.length, 1)
  await take()
  hurry()
  await settle()
  const all = types(got)
  t.ok(all.includes('Gap'))
  const picture = got.slice(all.lastIndexOf('Gap') + 1)
  t.equal(picture[0]?.Type, 'Added')
  const last = got.at(-1)!.Properties as { LatencyUSec: number }
  t.equal(last.LatencyUSec, 9_002, 'nothing is missing in the end')
  t.ok(got.length < 9_000, 'and not all was kept')
  abort.abort()
  await end
})
