/** Who watches whom, how often, and what it costs those who are watched. */
import t from 'tap'
import { BARRED } from '../../src/mesh/probes.ts'
import { ROUND, ROUND_METERED, ROUND_SAVING, watchedBy } from '../../src/mesh/watch.ts'
import { Kind } from '../../src/wire/frame.ts'
import { barred, except, home, onBattery, whenProbed } from '../sim/home.ts'
import { address, Driver, ids } from './drive.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

t.test('the ring', async t => {
  const all = [...'bcdefg']
  const table: [string, string, string][] = [
    // all watch: each its predecessor, the first one the last
    ['d', 'bcefg', 'c'],
    ['b', 'cdefg', 'g'],
    ['a', 'bcdefg', 'g'],
    // c and f watch
    ['c', 'f', 'fgb'],
    ['f', 'c', 'cde'],
    // nobody else does
    ['d', '', 'bcefg']
  ]
  for (const [self, watchers, watched] of table) {
    const others = all.filter(id => id !== self)
    t.same(watchedBy(self, others, [...watchers]).sort(), [...watched].sort(), `${self} among ${watchers}`)
  }
  // whoever watches, everybody but the only watcher is watched by exactly one
  for (let mask = 0; mask < 2 ** all.length; mask++) {
    const watchers = all.filter((_, i) => mask & (2 ** i))
    const seen = watchers.flatMap(self => watchedBy(self, except(all, self), except(watchers, self)))
    const want = watchers.length === 0 ? [] : watchers.length === 1 ? except(all, ...watchers) : all
    if (seen.sort().join('') !== want.join('')) t.fail(`${watchers} watch ${seen}`)
  }
})

t.test('who is watched as devices come, go, and change what they run on', async t => {
  const names = [...'abcde']
  const world = home(names, { seed: 5 })
  const order = names.map(name => world.device(name).id).sort()
  const by = (name: string) => [...world.mesh(name).watched].sort()
  const name = (id: string) => names.find(each => world.device(each).id === id)!
  for (const [i, id] of order.entries()) t.same(by(name(id)), [order.at(i - 1)], `place ${i}`)
  const [first, second, third, fourth, fifth] = order.map(name) as [string, string, string, string, string]
  onBattery(world, second)
  world.run(2 * SECOND)
  t.same(by(second), [], 'one that runs on battery watches nobody')
  t.same(by(third), order.slice(0, 2), 'the next one does it')
  world.device(first).stop()
  world.run(2 * SECOND)
  t.same(by(third), [order[1], order[4]])
  t.same(by(fifth), [order[3]])
  world.device(third).tell((mesh, now) => mesh.setMetered(now, true))
  world.run(2 * SECOND)
  t.same(by(third), [], 'nor one that pays by the byte')
  t.same(by(fourth), [order[1], order[2], order[4]])
})

t.test('how often a device is probed, by what it runs on', async t => {
  const names = [...'abcdef']
  const world = home(names, { seed: 3 })
  onBattery(world, 'b', 'c', 'd')
  world.device('e').tell((mesh, now) => mesh.setMetered(now, true))
  world.run(MINUTE)
  world.told()
  const probed = new Map<string, Map<string, number>>()
  const moments = new Map<string, Set<number>>()
  for (const name of names) {
    const times = new Map<string, number>()
    probed.set(name, times)
    whenProbed(world, name, by => times.set(by, (times.get(by) ?? 0) + 1))
  }
  world.onOutput = (device, output) => {
    if (output.type !== 'probe') return
    moments.set(device.name, (moments.get(device.name) ?? new Set()).add(Math.round(world.clock.now)))
  }
  world.run(HOUR)
  for (const [name, every] of [
    ['a', ROUND],
    ['b', ROUND_SAVING],
    ['c', ROUND_SAVING],
    ['d', ROUND_SAVING],
    ['e', ROUND_METERED],
    ['f', ROUND]
  ] as const) {
    const [times = 0, ...others] = [...probed.get(name)!.values()].sort((a, b) => b - a)
    const most = HOUR / every
    t.ok(times <= most + 1 && times > most * 0.8, `${name} was probed ${times} times by its watcher`)
    t.ok(Math.max(0, ...others) < 10, `by others ${others} times, whether UDP is open`)
  }
  for (const name of ['b', 'c', 'd']) {
    const times = [...probed.get(name)!.values()].reduce((a, b) => a + b)
    t.ok(times / 3_600 <= 0.41, `${name} on battery is woken ${times / 3_600} times a second`)
  }
  t.ok((moments.get('b')?.size ?? 0) < 50, 'one on battery watches nobody')
  const wakes = [...moments.values()].map(set => set.size)
  t.ok(
    Math.max(...wakes) <= HOUR / ROUND + HOUR / ROUND_SAVING + HOUR / ROUND_METERED + 6,
    `moments: ${wakes}`
  )
  t.same(world.told(), [])
})

t.test('a watcher probes all of them at the same moments', async t => {
  const names = ['a', ...Array.from({ length: 9 }, (_, i) => `b${i}`)]
  const world = home(names, { seed: 8 })
  onBattery(world, ...except(names, 'a'))
  world.run(MINUTE)
  let probes = 0
  const moments = new Set<number>()
  world.onOutput = (device, output) => {
    if (device.name !== 'a' || output.type !== 'probe') return
    probes++
    moments.add(world.clock.now)
  }
  world.run(HOUR)
  t.ok(probes >= (9 * HOUR * 0.95) / ROUND_SAVING, `${probes} probes`)
  t.ok(moments.size <= HOUR / ROUND_SAVING + 10, `in ${moments.size} moments`)
})

t.test('all on mains: a device that is woken by its watcher looks after its own peer then', async t => {
  const names = [...'abcdefghijk']
  const world = home(names, { seed: 8 })
  world.run(MINUTE)
  const turns = new Map<string, Set<number>>()
  for (const name of names) {
    const set = new Set<number>()
    turns.set(name, set)
    whenProbed(world, name, () => set.add(Math.round(world.clock.now / 10)))
  }
  world.onOutput = (device, output) => {
    if (output.type === 'probe') turns.get(device.name)!.add(Math.round(world.clock.now / 10))
  }
  world.run(10 * MINUTE)
  for (const [name, set] of turns) {
    const perSecond = set.size / 600
    t.ok(perSecond < 0.85, `${name}: ${perSecond} moments a second of probing and being probed`)
  }
})

t.test('who was heard a moment ago is left in peace', async t => {
  const driver = new Driver(0, [1], { watch: true })
  driver.open(1, 1)
  driver.pong(1)
  driver.forget()
  for (let i = 0; i < 100; i++) {
    driver.pass(500)
    driver.mesh.heard(driver.now, 1)
  }
  t.same(driver.since('probe'), [])
})

t.test(
  'a question goes by UDP where that is open, else by the session; what becomes of UDP is followed',
  async t => {
    const driver = new Driver(0, [1], { watch: true })
    driver.offer(1, address(1))
    driver.open(1, 1)
    driver.pong(1)
    const questions = (): string[] => {
      driver.forget()
      const all = driver.pass(ROUND)
      driver.forget()
      return all.flatMap(({ output }) => {
        if (output.type === 'probe') return [`probe ${output.addresses.join()}`]
        return output.type === 'send' && output.kind === Kind.Ping ? ['ping'] : []
      })
    }
    const alive = () => driver.mesh.heard(driver.now, 1)
    t.same(questions(), [`probe ${address(1)}`, 'ping'], 'it is not known yet: both')
    driver.mesh.probed(driver.now, ids[1]!, 1, address(7), 400)
    t.same(questions(), [`probe ${address(7)}`], 'it answered from there')
    // it does not answer any more, but is there
    for (let i = 0; i < BARRED; i++) {
      alive()
      questions()
    }
    alive()
    t.ok(questions().includes('ping'), 'the session is asked again')
  }
)

t.test('without keys nothing is sent by UDP; a new session brings some', async t => {
  const driver = new Driver(0, [1], { watch: true })
  driver.open(1, 1)
  driver.pong(1)
  for (const { peer, probe, addresses } of driver.since('probe'))
    driver.mesh.probeFailed(driver.now, peer, probe, addresses[0]!, 'no-keys')
  driver.forget()
  for (let i = 0; i < 20; i++) {
    driver.pass(ROUND)
    driver.pong(1)
  }
  t.same(driver.since('probe'), [])
  t.equal(driver.view(1).state, 'reachable')
  driver.open(2, 1)
  driver.pass(ROUND)
  t.ok(driver.since('probe').length > 0)
})

t.test('a probe that cannot leave counts as a miss at once', async t => {
  const driver = new Driver(0, [1], { watch: true })
  driver.open(1, 1)
  driver.pong(1)
  driver.mesh.probed(driver.now, ids[1]!, 1, address(1), 400)
  driver.forget()
  driver.pass(ROUND)
  const [asked] = driver.since('probe')
  driver.mesh.probeFailed(driver.now, ids[1]!, asked!.probe, address(1), 'enetunreach')
  t.equal(driver.since('probe').length, 1, 'the burst begins')
  t.equal(driver.sent(Kind.Ping).length, 1, 'and asks the session')
  driver.pass(450)
  t.equal(driver.view(1).state, 'suspect')
  driver.pass(800)
  t.match(driver.view(1), { state: 'unreachable', reason: 'timeout' })
})

t.test('an expiry that comes late judges nobody', async t => {
  for (const stage of [ROUND + 10, ROUND + 260, ROUND + 900, ROUND + 1_400]) {
    const driver = new Driver(0, [1], { watch: true })
    driver.open(1, 1)
    driver.pong(1)
    driver.mesh.probed(driver.now, ids[1]!, 1, address(1), 400)
    driver.pass(stage)
    // the process stood still; its timers are read before its sockets
    driver.now += MINUTE
    driver.mesh.expire(driver.now)
    t.not(driver.view(1).state, 'unreachable', `stopped after ${stage} ms`)
    driver.mesh.probed(driver.now, ids[1]!, 1, address(1), 400)
    driver.pass(10)
    t.equal(driver.view(1).state, 'reachable')
  }
})

t.test('evidence: how it was last heard, by whom, and when', async t => {
  const driver = new Driver(0, [1, 2])
  t.same(driver.view(1).evidence, { how: '', by: '', at: -Infinity })
  driver.open(1, 1)
  driver.pong(1)
  driver.now = 100
  driver.mesh.heard(100, 1)
  t.same(driver.view(1).evidence, { how: 'session', by: '', at: 100 })
  driver.mesh.probed(200, ids[1]!, 1, address(1), 400)
  t.same(driver.view(1).evidence, { how: 'probe', by: '', at: 200 })
  driver.mesh.witnessed(300, ids[1]!, 1, ids[2]!)
  t.same(driver.view(1).evidence, { how: 'witness', by: ids[2], at: 300 })
  driver.mesh.alive(400, ids[1]!, address(1))
  t.same(driver.view(1).evidence, { how: 'probe', by: '', at: 400 })
  driver.now = 500
  driver.receive(1, Kind.Close, Uint8Array.of(0, 1))
  t.same(driver.view(1).evidence, { how: 'session', by: '', at: 500 }, 'its goodbye came on its session')
})

t.test('firewalls: UDP barred at one end only', async t => {
  const names = [...'abc']
  const world = home(names, { seed: 2 }, 0)
  barred(world, 'b')
  world.run(10 * MINUTE)
  t.same(world.told(), [])
})
