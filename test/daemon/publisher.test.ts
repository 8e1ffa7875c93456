import t from 'tap'
import type { EventRecord } from '../../src/daemon/surfaces/events.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import { fc } from '../draws.ts'
import { CIRCLE, peer, peerPath } from './example.ts'

/** A publisher whose flushes are made by hand, and what it told. */
function manual(limit?: number) {
  let flush: (() => void) | undefined
  const publisher = new Publisher({
    boot: 'boot',
    ...(limit ? { limit } : {}),
    schedule: fn => {
      if (flush) throw new Error('scheduled twice')
      flush = fn
    }
  })
  const batches: EventRecord[][] = []
  publisher.subscribe(events => batches.push([...events]))
  const tick = () => {
    const fn = flush
    flush = undefined
    fn?.()
    return batches.splice(0).flat()
  }
  return { publisher, tick, batches, pending: () => flush !== undefined }
}
const short = (events: readonly EventRecord[]) =>
  events.map(e => [e.Cursor, e.Type, e.Object, Object.keys(e.Properties).join()].join(' ').trim())

t.test('one event per object and flush, with the last values', async t => {
  const { publisher, tick, pending } = manual()
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 1 }))
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 2 }))
  const [added, ...none] = tick()
  t.same(none, [])
  t.match(added, { Cursor: 'boot-1', Type: 'Added', Object: '/p', Kind: 'Peer' })
  t.same(added?.Properties, peer('a', { LatencyUSec: 2 }))

  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 2 }))
  t.notOk(pending(), 'equal values are nothing new')
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 3, State: 'suspect' }))
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 4, Addresses: [] }))
  t.same(tick(), [
    {
      Cursor: 'boot-2',
      Type: 'Changed',
      Object: '/p',
      Kind: 'Peer',
      Properties: { LatencyUSec: 4, Addresses: [] }
    }
  ])
  publisher.set('Peer', '/p', peer('a', { State: 'suspect' }))
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 4, Addresses: [] }))
  t.same(tick(), [], 'there and back is nothing')
  t.equal(publisher.since('boot-2').events.length, 0, 'nor does it take a place in the order')
})

t.test('order: signals after the changes before them, removal and making again', async t => {
  const { publisher, tick } = manual()
  const job = { Method: 'Ping', State: 'running', Progress: '', Result: {} }
  publisher.set('Job', '/job/1', job)
  publisher.signal('Finished', '/job/1', { State: 'done' })
  publisher.set('Job', '/job/1', { ...job, State: 'done' })
  publisher.remove('/job/1')
  publisher.remove('/job/1')
  publisher.set('Listener', '/job/1', { Interface: 'lo', Address: '::1', Port: 1, Policy: 'off' })
  publisher.set('Job', '/job/1', job)
  t.same(short(tick()), [
    'boot-1 Added /job/1 Method,State,Progress,Result',
    'boot-2 Finished /job/1 State',
    'boot-3 Changed /job/1 State',
    'boot-4 Removed /job/1',
    'boot-5 Added /job/1 Interface,Address,Port,Policy',
    'boot-6 Removed /job/1',
    'boot-7 Added /job/1 Method,State,Progress,Result'
  ])
  t.throws(() => publisher.set('Job', '/job/ä', job), /not an object path/)
})

t.test('readers: from nothing, on from a cursor, too late', async t => {
  const { publisher, tick } = manual(4)
  publisher.set('Circle', '/circle/x', { Id: CIRCLE, Name: 'home', Level: 1, Members: 1 })
  publisher.set('Peer', '/p', peer('a'))
  tick()
  const picture = publisher.since('')
  t.equal(picture.gap, false)
  t.same(short(picture.events), [
    'boot-incomplete Added /circle/x Id,Name,Level,Members',
    `boot-2 Added /p ${Object.keys(peer('a')).join()}`
  ])
  publisher.set('Peer', '/p', peer('a', { LatencyUSec: 9 }))
  t.same(
    short(publisher.since('boot-2').events),
    ['boot-3 Changed /p LatencyUSec'],
    'what waits is told first'
  )
  t.same(tick().length, 1, 'and once')
  for (let n = 0; n < 4; n++) {
    publisher.set('Peer', '/p', peer('a', { LatencyUSec: n }))
    tick()
  }
  t.same(
    publisher.since('boot-3').events.map(e => e.Cursor),
    ['boot-4', 'boot-5', 'boot-6', 'boot-7'],
    'the ring holds four'
  )
  t.same(publisher.since('boot-7'), { events: [], gap: false })
  for (const cursor of [
    'boot-2',
    'boot-8',
    'other-7',
    'boot-incomplete',
    'boot',
    'boot-',
    'boot-1e0',
    '7',
    'x'.repeat(1e5)
  ]) {
    const late = publisher.since(cursor)
    t.equal(late.gap, true, `a gap after ${cursor.slice(0, 20)}`)
    t.same(
      late.events.map(e => [e.Cursor, e.Type]),
      [
        ['boot-incomplete', 'Gap'],
        ['boot-incomplete', 'Added'],
        ['boot-7', 'Added']
      ]
    )
  }
})

t.test('a listener that reads and sets while it is told', async t => {
  const { publisher, tick } = manual()
  const told: string[] = []
  publisher.subscribe(() => {
    publisher.set('Peer', '/b', peer('b'))
    publisher.since('')
  })
  publisher.subscribe(events => told.push(...events.map(e => e.Cursor)))
  publisher.set('Peer', '/a', peer('a'))
  tick()
  tick()
  t.same(told, ['boot-1', 'boot-2'], 'others are told in order')
})

/** What a reader knows, from events alone. */
function apply(state: Map<string, object>, events: readonly EventRecord[]): void {
  for (const e of events) {
    if (e.Type === 'Gap') state.clear()
    else if (e.Type === 'Removed') state.delete(e.Object)
    else state.set(e.Object, { ...(e.Type === 'Changed' ? state.get(e.Object) : {}), ...e.Properties })
  }
}

t.test('any history: a reader that comes and goes ends with the same state', async t => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), id: fc.nat(3), latency: fc.nat(3), up: fc.boolean() }),
    fc.record({ do: fc.constant('remove' as const), id: fc.nat(3) }),
    fc.record({ do: fc.constant('tick' as const) }),
    fc.record({ do: fc.constant('read' as const) })
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const { publisher, tick } = manual(8)
      const follower = new Map<string, object>()
      publisher.subscribe(events => apply(follower, events))
      const visitor = new Map<string, object>()
      let cursor = ''
      const read = () => {
        const { events } = publisher.since(cursor)
        apply(visitor, events)
        cursor = events.at(-1)?.Cursor ?? cursor
      }
      for (const s of steps) {
        if (s.do === 'tick') tick()
        else if (s.do === 'read') read()
        else if (s.do === 'remove') publisher.remove(peerPath(`${s.id}`))
        else
          publisher.set(
            'Peer',
            peerPath(`${s.id}`),
            peer(`${s.id}`, { LatencyUSec: s.latency, Reachable: s.up })
          )
      }
      tick()
      read()
      const truth = Object.fromEntries(publisher.list().map(o => [o.path, o.properties]))
      t.strictSame(Object.fromEntries(follower), truth)
      t.strictSame(Object.fromEntries(visitor), truth)
    })
  )
})
