import t from 'tap'
import type { Params, Result } from '../../src/api/api.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import { subscribe, wishOf } from '../../src/daemon/surfaces/subscribe.ts'
import { CIRCLE, peer } from './example.ts'
import { FakeClock } from './fake-clock.ts'

const nothing: Params<'Subscribe'> = {
  Circle: '',
  All: false,
  Peer: '',
  States: [],
  LatencyUSec: 0,
  LatencyPercent: 0,
  IntervalUSec: 0
}
const settle = () => new Promise(resolve => setImmediate(resolve))

/** A subscriber to one peer, at /p, by 100 microseconds and every second. */
function world(intervalMs = 1000) {
  const clock = new FakeClock()
  const publisher = new Publisher({ boot: 'boot' })
  const abort = new AbortController()
  const got: [number, Result<'Subscribe'>][] = []
  let room = Promise.resolve()
  const call = {
    signal: abort.signal,
    progress: () => {},
    reply: async (value: Result<'Subscribe'>) => {
      got.push([clock.time, value])
      await room
    }
  }
  const show = async (changes: Parameters<typeof peer>[1]) => {
    publisher.set('Peer', '/p', peer('p', changes))
    await settle()
  }
  const wish = { circle: '', peer: '', states: [], LatencyUSec: 100, LatencyPercent: 0 }
  const begin = () => subscribe(publisher, wish, intervalMs, call, clock)
  const block = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    room = promise
    return resolve
  }
  return { clock, publisher, abort, got, show, begin, block }
}

t.test('at once, then at most as often as was asked', async t => {
  const { clock, publisher, abort, got, show, begin } = world()
  publisher.set('Peer', '/p', peer('p', { LatencyUSec: 1000 }))
  publisher.set('Listener', '/l', { Interface: 'lo', Address: '::1', Port: 1, Policy: 'listen' })
  const end = begin()
  await settle()
  t.same(got, [[1000, { Peers: [peer('p', { LatencyUSec: 1000 })], Gone: [] }]])
  t.same(clock.timers, [], 'nothing runs while nothing happens')

  clock.run(1200)
  await show({ LatencyUSec: 2000 })
  await show({ LatencyUSec: 3000 })
  t.equal(clock.timers.length, 1)
  t.equal(got.length, 1)
  clock.run(1999)
  await settle()
  t.equal(got.length, 1, 'not before its time')
  clock.run(2000)
  await settle()
  t.same(got.slice(1), [[2000, { Peers: [peer('p', { LatencyUSec: 3000 })], Gone: [] }]], 'then the last one')
  t.same(clock.timers, [])

  clock.run(2500)
  await show({ LatencyUSec: 9000 })
  await show({ LatencyUSec: 3000 })
  clock.run(4500)
  await settle()
  t.equal(got.length, 2, 'what came back meanwhile is not told')
  await show({ State: 'suspect', LatencyUSec: 3000 })
  await show({ LatencyUSec: 3000 })
  t.equal(got.length, 3)
  clock.run(6500)
  await settle()
  t.same(got.slice(3), [[6500, { Peers: [peer('p', { LatencyUSec: 3000 })], Gone: [] }]], 'but a state is')
  clock.run(9000)
  await settle()
  t.equal(got.length, 4)
  await show({ State: 'suspect', LatencyUSec: 3000 })
  t.equal(got.at(-1)?.[0], 9000, 'after a quiet time at once')

  publisher.remove('/p')
  await settle()
  clock.run(10_000)
  await settle()
  t.same(got.at(-1), [10_000, { Peers: [], Gone: ['p'] }])
  await show({ State: 'suspect' })
  abort.abort()
  await end
  t.same(clock.timers, [], 'no timer stays behind')
  await show({ State: 'asleep' })
  clock.run(20_000)
  await settle()
  t.equal(got.length, 6, 'nothing after that')
})

t.test('nobody yet', async t => {
  const { abort, got, begin } = world()
  const end = begin()
  await settle()
  t.same(got, [[1000, { Peers: [], Gone: [] }]], 'that there is nobody is told too')
  abort.abort()
  await end
})

t.test('a flood below the threshold', async t => {
  const { clock, abort, got, show, begin } = world()
  await show({ LatencyUSec: 1000 })
  const end = begin()
  await settle()
  let timers = 0
  for (let n = 0; n < 10_000; n++) {
    await show({ LatencyUSec: 1000 + (n % 100), Addresses: [`tcp://10.0.0.${n % 200}:1`] })
    clock.run(clock.time + 10)
    timers += clock.timers.length
  }
  t.equal(got.length, 1, '10,000 changes, no message but the first')
  t.equal(timers, 0, 'and no timer')
  abort.abort()
  await end
})

t.test('a flood above it', async t => {
  const { clock, abort, got, show, begin } = world(0)
  const end = begin()
  for (let n = 1; n <= 1000; n++) {
    await show({ LatencyUSec: n * 1000 })
    clock.run(clock.time + 1)
    await settle()
  }
  clock.run(clock.time + 1000)
  await settle()
  t.ok(got.length >= 20 && got.length <= 22, `${got.length} messages in a second`)
  t.equal(got.at(-1)?.[1].Peers[0]?.LatencyUSec, 1_000_000, 'the last value is told')
  abort.abort()
  await end
})

t.test('a reader that is slow gets what is then, not what was', async t => {
  const { clock, abort, got, show, begin, block } = world()
  await show({ LatencyUSec: 1 })
  const free = block()
  const end = begin()
  for (let n = 1; n <= 10_000; n++) {
    clock.run(clock.time + 1000)
    await show({ LatencyUSec: n * 1000 })
  }
  t.equal(got.length, 1)
  free()
  await settle()
  t.equal(got.length, 2)
  t.equal(got[1]?.[1].Peers[0]?.LatencyUSec, 10_000_000)
  abort.abort()
  await end
})

t.test('a reader that is gone before it begins, or cannot be written to', async t => {
  const { abort, got, publisher, begin } = world()
  abort.abort()
  await begin()
  t.same(got, [])
  const call = { signal: new AbortController().signal, progress: () => {} }
  const reply = async () => {
    throw new Error('gone')
  }
  const wish = { circle: '', peer: '', states: [], LatencyUSec: 0, LatencyPercent: 0 }
  await t.rejects(subscribe(publisher, wish, 0, { ...call, reply }, new FakeClock()), { message: 'gone' })
})

t.test('what can be asked for', async t => {
  const found: string[][] = []
  const find = (...names: [string, string]) => {
    found.push(names)
    return { circle: CIRCLE, peer: names[1] && 'co1lap' }
  }
  const good = { ...nothing, Circle: 'home', Peer: 'lap', States: ['asleep'], LatencyPercent: 5 }
  const wish = { circle: CIRCLE, peer: 'co1lap', states: ['asleep'], LatencyUSec: 0, LatencyPercent: 5 }
  t.same(wishOf(good, find), wish)
  t.match(wishOf({ ...nothing, All: true }, find), { circle: '', peer: '' })
  t.same(found, [['home', 'lap']], 'all circles need not be looked for')
  const bad: [Partial<Params<'Subscribe'>>, RegExp][] = [
    [{ All: true, Circle: 'home' }, /^Subscribe\.All: .*neither/],
    [{ All: true, Peer: 'lap' }, /^Subscribe\.All: .*neither/],
    [{ States: ['asleep', 'gone'] }, /^Subscribe\.States: .*"gone"; known: reachable, /],
    [{ States: ['toString'] }, /"toString"/],
    [{ IntervalUSec: 86_400_000_001 }, /a day/]
  ]
  for (const [changes, message] of bad)
    t.throws(() => wishOf({ ...nothing, ...changes }, find), { code: 'InvalidValue', message } as never)
})
