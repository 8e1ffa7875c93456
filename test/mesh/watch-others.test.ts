/** What devices believe of each other's word: links one way, a device cut off, one that lies, one that flaps. */
import t from 'tap'
import { FREE } from '../../src/mesh/flaps.ts'
import { INTERVAL } from '../../src/mesh/views.ts'
import { Kind } from '../../src/wire/frame.ts'
import { decodeGossip, encodeViews, type View } from '../../src/wire/gossip.ts'
import { except, home, unseen } from '../sim/home.ts'
import type { World } from '../sim/world.ts'
import { address, Driver, ids, keys, record } from './drive.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const five = [...'abcde']

/** Views a device sends from now on. */
function viewsOf(world: World): { from: string; view: View }[] {
  const all: { from: string; view: View }[] = []
  world.onOutput = (device, output) => {
    if (output.type !== 'send' || output.kind !== Kind.Gossip) return
    const decoded = decodeGossip(output.body)
    if (decoded !== undefined && 'views' in decoded)
      for (const view of decoded.views) all.push({ from: device.name, view })
  }
  return all
}

const accuses = ({ view }: { view: View }): boolean =>
  view.state === 'suspect' || view.state === 'unreachable'

t.test('one path is cut: these two say so of each other, and nobody else does', async t => {
  for (let seed = 1; seed <= 10; seed++) {
    const world = home(five, { seed })
    world.cut('a', 'b')
    const took = world.until(
      () => world.sees('a', 'b') === 'unreachable path' && world.sees('b', 'a') === 'unreachable path',
      21 * SECOND
    )
    t.ok(took < 20 * SECOND)
    world.run(MINUTE)
    const others = world.told().filter(line => !/ a: b | b: a /.test(line))
    t.same(others, [])
    const sights = world.mesh('c').matrix(world.device('c').now)
    const [a, b] = [world.device('a').id, world.device('b').id]
    t.match(
      sights
        .filter(({ state }) => state !== 'reachable')
        .map(({ observer, peer, reason }) => [observer, peer, reason]),
      [
        [a, b, 'path'],
        [b, a, 'path']
      ].sort((x, y) =>
        sights.findIndex(s => s.observer === x[0]) < sights.findIndex(s => s.observer === y[0]) ? -1 : 1
      )
    )
    t.equal(sights.length, 20, 'who sees whom, all of it')
    world.heal('a', 'b')
    t.ok(world.until(() => world.all(...five), MINUTE) < 2 * SECOND)
  }
})

t.test('a way that works in one direction only is none', async t => {
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'a'],
    ['c', 'a'],
    ['d', 'e']
  ] as const) {
    const world = home(five, { seed: 4 })
    world.block(from, to)
    world.until(
      () => [world.sees(from, to), world.sees(to, from)].every(seen => seen.startsWith('unreachable')),
      21 * SECOND
    )
    world.run(20 * SECOND)
    const pair = new RegExp(` ${from}: ${to} | ${to}: ${from} `)
    t.same(
      world.told().filter(line => !pair.test(line)),
      [],
      'nobody else is accused'
    )
    t.not(world.sees(from, to), 'reachable')
    t.not(world.sees(to, from), 'reachable')
    world.unblock(from, to)
    t.ok(world.until(() => world.all(...five), MINUTE) < 3 * SECOND)
  }
})

t.test('one that is cut off accuses nobody, and knows that it may be itself', async t => {
  for (let seed = 1; seed <= 10; seed++) {
    const world = home(five, { seed })
    const views = viewsOf(world)
    world.cutOff('a')
    const rest = except(five, 'a')
    world.until(() => rest.every(name => world.sees('a', name) === 'unreachable isolated'), 5 * SECOND)
    unseen(world, rest, 'a')
    for (const name of rest) t.equal(world.sees(name, 'a'), 'unreachable timeout')
    world.run(10 * SECOND)
    t.same(views.filter(({ from }) => from === 'a').filter(accuses), [], 'not even on sessions that are dead')
    t.ok(views.some(entry => entry.from !== 'a' && accuses(entry)))
    world.reconnect('a')
    world.until(() => world.all(...five), 5 * SECOND)
    world.run(MINUTE)
    t.same(views.filter(({ from }) => from === 'a').filter(accuses), [], 'nor afterwards')
    t.ok(world.all(...five))
  }
})

t.test('those that stay away when we are back stay away for a reason of their own', async t => {
  const world = home(five, { seed: 1 })
  world.cutOff('a')
  world.run(20 * SECOND)
  for (const name of ['d', 'e']) world.device(name).kill()
  for (const name of ['b', 'c']) world.heal('a', name)
  world.run(20 * SECOND)
  t.equal(world.sees('a', 'b'), 'reachable')
  t.equal(world.sees('a', 'd'), 'unreachable timeout')
})

t.test('a network of halves: each half is whole', async t => {
  const world = home([...'abcdef'], { seed: 6 })
  for (const one of 'abc') for (const other of 'def') world.cut(one, other)
  world.run(25 * SECOND)
  for (const half of ['abc', 'def']) t.ok(world.all(...half))
  t.ok(!world.sees('a', 'd').startsWith('reachable'))
  for (const one of 'abc') for (const other of 'def') world.heal(one, other)
  t.ok(world.until(() => world.all(...'abcdef'), MINUTE) < 2 * SECOND)
})

const lie = (n: number, facts: Partial<View> = {}): View => ({
  id: keys[n]!,
  incarnation: 2 ** 48 - 1,
  state: 'suspect',
  reason: 'timeout',
  latencyUSec: 0,
  age: 0,
  ...facts
})

t.test('a liar: who answers stays reachable, and what an owner says of itself stays as it is', async t => {
  const world = home(five, { seed: 9 })
  const liar = world.device('e')
  const victims = except(five, 'e').map(name => world.device(name))
  const before = victims.map(({ id }) => world.mesh('a').peers().get(id)?.addresses)
  let probes = 0
  world.onOutput = (_, output) => {
    if (output.type === 'probe') probes += output.addresses.length
  }
  for (let i = 0; i < 600; i++) {
    for (const state of ['suspect', 'unreachable', 'asleep'] as const) {
      const views = victims.map(({ key }) => ({ ...lie(0, { state }), id: key }))
      const body = encodeViews(views)
      for (const end of liar.ends.values()) end.write({ kind: Kind.Gossip, body })
    }
    world.run(100)
  }
  t.same(world.told(), [], 'nobody was so much as suspected')
  t.same(
    victims.map(({ id }) => world.mesh('a').peers().get(id)?.addresses),
    before
  )
  const idle = (60 * five.length) / 2
  t.ok(
    probes - idle <= (60 / (INTERVAL / SECOND) + 1) * 16,
    `${probes} probes for 7,200 lies about 4 in a minute`
  )
  // it is its word, and shown as such
  const said = world
    .mesh('a')
    .matrix(world.device('a').now)
    .filter(({ observer }) => observer === liar.id)
  t.same(new Set(said.map(({ state }) => state)), new Set(['asleep']))
})

t.test('what an accusation does, and what it does not', async t => {
  const driver = new Driver(0, [1, 2, 3])
  for (const peer of [1, 2, 3]) driver.open(peer, peer)
  driver.pong(1, 2, 3)
  driver.pass(5_000)
  driver.receive(1, Kind.Ping, new Uint8Array(8))
  driver.receive(3, Kind.Gossip, Uint8Array.of())
  driver.forget()
  const accuse = (facts?: Partial<View>, about = 2) =>
    driver.receive(3, Kind.Gossip, encodeViews([lie(about, facts)]))
  const asked = () => {
    const pings = driver.sent(Kind.Ping).map(({ session }) => session)
    driver.forget()
    return pings
  }
  accuse({ reason: 'path' })
  t.same(asked(), [], 'a path of another one is nothing to us')
  accuse({ state: 'asleep' })
  t.same(asked(), [])
  accuse({}, 1)
  t.same(asked(), [], 'that one was heard just now')
  accuse({}, 3)
  t.same(asked(), [], 'who speaks is there')
  accuse()
  t.same(asked(), [2], 'its own path is asked at once')
  accuse()
  t.same(asked(), [], 'not again')
  driver.receive(2, Kind.Ping, new Uint8Array(8))
  driver.pass(200)
  driver.forget()
  t.equal(driver.view(2).state, 'reachable')
  driver.pass(INTERVAL)
  driver.forget()
  accuse({}, 0)
  t.same(asked(), [3], 'who accuses us is asked whether it hears us')
  driver.mesh.receive(
    driver.now,
    3,
    Kind.Gossip,
    encodeViews([{ ...lie(1), id: new Uint8Array(32).fill(9) }])
  )
  t.same(
    driver.since('count').map(({ what }) => what),
    ['view-of-stranger']
  )
})

t.test(
  'one that is lost, and that another one sees: the way to it is what is broken, and it is tried again',
  async t => {
    const driver = new Driver(0, [1, 2])
    for (const peer of [1, 2]) driver.open(peer, peer)
    driver.pong(1, 2)
    driver.mesh.closed(driver.now, 2, 'timeout')
    // the eager minute is over
    for (let i = 0; i < 150; i++) {
      driver.pass(SECOND)
      driver.receive(1, Kind.Ping, new Uint8Array(8))
    }
    driver.forget()
    t.equal(driver.view(2).reason, 'timeout')
    const sees = () =>
      driver.receive(1, Kind.Gossip, encodeViews([lie(2, { state: 'reachable', reason: '' })]))
    sees()
    driver.take()
    const [asked] = driver.since('witness')
    t.match(asked, { peer: ids[2], by: [1] })
    t.equal(driver.since('dial').length, 1)
    driver.mesh.witnessed(driver.now, ids[2]!, asked!.probe, ids[1]!)
    t.match(driver.view(2), {
      state: 'unreachable',
      reason: 'path',
      evidence: { how: 'witness', by: ids[1] }
    })
    sees()
    t.same(driver.since('witness'), [], 'not again at once')
  }
)

t.test('what an accusation says of an older word than ours is no news', async t => {
  const driver = new Driver(0, [1, 2])
  for (const peer of [1, 2]) driver.open(peer, peer)
  driver.pong(1, 2)
  driver.receive(1, Kind.Gossip, Uint8Array.of(2, 1, ...length(record(2, 7, address(2)).bytes)))
  for (const { batch } of driver.since('verify')) driver.mesh.verified(driver.now, batch, [true])
  driver.pass(5_000)
  driver.forget()
  driver.receive(1, Kind.Gossip, encodeViews([lie(2, { incarnation: 6 })]))
  t.same(driver.sent(Kind.Ping).length, 0)
  driver.receive(1, Kind.Gossip, encodeViews([lie(2, { incarnation: 7 })]))
  t.same(driver.sent(Kind.Ping).length, 1)
})

const length = (bytes: Uint8Array): number[] => [bytes.length >> 8, bytes.length & 255, ...bytes]

t.test('what was told by one who is gone, or removed, is forgotten', async t => {
  const driver = new Driver(0, [1, 2, 3])
  for (const peer of [1, 2]) driver.open(peer, peer)
  driver.pong(1, 2)
  const told = (by: number, about: number) => driver.receive(by, Kind.Gossip, encodeViews([lie(about)]))
  const rows = () =>
    driver.mesh
      .matrix(driver.now)
      .filter(({ observer }) => observer !== ids[0])
      .map(({ observer, peer }) => `${ids.indexOf(observer)} ${ids.indexOf(peer)}`)
  told(1, 3)
  told(2, 3)
  told(2, 1)
  t.same(rows(), ['1 3', '2 3', '2 1'])
  driver.mesh.setMembers(driver.now, [ids[0]!, ids[1]!, ids[2]!])
  t.same(rows(), ['2 1'])
  driver.mesh.closed(driver.now, 2, 'reset')
  t.same(rows(), [])
})

t.test('a peer that is lost again and again: the others are told each time', async t => {
  const names = [...'abcde']
  const world = home(names, { seed: 5 })
  const times: number[] = []
  for (let i = 0; i < 12; i++) {
    world.run(8 * SECOND + 6 * SECOND * world.random())
    world.cutOff('c')
    times.push(unseen(world, except(names, 'c'), 'c'))
    world.reconnect('c')
    world.until(() => world.all(...names), 10 * SECOND)
  }
  // accusations of one peer are INTERVAL apart, so one may come that much later
  t.ok(Math.max(...times) <= 7 * SECOND, times.map(Math.round).join())
  t.ok(times.filter(time => time > 4 * SECOND).length <= 2, 'most are told at once')
})

t.test('1,000 flaps: told and shown less and less often, right at the end, nothing left over', async t => {
  const names = [...'abcdef']
  const world = home(names, { seed: 77 })
  const sizes = () => {
    const all = names.map(name => world.mesh(name).timers)
    return Math.max(...all)
  }
  const idle = sizes()
  const views = viewsOf(world)
  let most = 0
  const lines: string[] = []
  for (let i = 0; i < 1_000; i++) {
    world.cutOff('c')
    world.run(100 + 6_000 * world.random())
    world.reconnect('c')
    world.run(100 + 3_000 * world.random())
    most = Math.max(most, sizes())
    lines.push(...world.told())
  }
  const took = world.until(() => world.all(...names), 10 * SECOND)
  t.ok(took <= 2 * SECOND, `right again after ${took} ms`)
  const minutes = world.clock.now / MINUTE
  lines.push(...world.told())
  const byOthers = lines.filter(line => / [abdef]: c reachable/.test(line)).length
  t.comment(
    `${minutes.toFixed(0)} minutes, ${views.length} views told, ${byOthers} times shown as back, ${most} timers`
  )
  t.ok(
    lines.every(line => / c: |: c /.test(line)),
    'nobody else was accused'
  )
  // each of five tells four others, every five seconds at most
  t.ok(views.filter(accuses).length <= minutes * 12 * 5 * 4, `${views.filter(accuses).length} accusations`)
  world.run(2 * MINUTE)
  t.ok(most <= idle + 200, `${most} timers at most, ${idle} before`)
  t.ok(sizes() <= idle + 2, `${sizes()} timers afterwards, ${idle} before`)
})

t.test('a peer that flaps is shown as back when it was so for a while; that it went, at once', async t => {
  const driver = new Driver(0, [1])
  const shown: number[] = []
  for (let i = 1; i <= FREE + 6; i++) {
    const lostAt = driver.now
    driver.open(i, 1)
    driver.pong(i)
    const before = driver.view(1).state === 'reachable' ? 0 : undefined
    for (let ms = 0; driver.view(1).state !== 'reachable' && ms < 3_000; ms += 25) {
      driver.pass(25)
      driver.pong(i)
    }
    shown.push(before ?? driver.now - lostAt)
    driver.mesh.closed(driver.now, i, 'reset')
    t.equal(driver.view(1).state, 'unreachable')
  }
  t.same(shown.slice(0, FREE + 1), new Array(FREE + 1).fill(0))
  t.same(shown.slice(FREE + 1), [125, 250, 500, 1_000, 1_000])
  driver.pass(2 * MINUTE)
  driver.open(99, 1)
  driver.pong(99)
  t.equal(driver.view(1).state, 'reachable', 'all is forgiven after a quiet minute')
})
