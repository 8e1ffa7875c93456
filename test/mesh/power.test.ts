/** Links between devices on mains, on battery and on metered networks: who pings, how often, and how soon silence is noticed. */
import t from 'tap'
import { KEEPALIVE, KEEPALIVE_SAVING } from '../../src/mesh/thrift.ts'
import { Kind } from '../../src/wire/frame.ts'
import { generator } from '../random.ts'
import { World, type WorldOptions } from '../sim/world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

function power(world: World, name: string, onBattery: boolean): void {
  world.device(name).tell((mesh, now) => mesh.setOnBattery(now, onBattery))
}

function metered(world: World, name: string, metered: boolean): void {
  world.device(name).tell((mesh, now) => mesh.setMetered(now, metered))
}

/** Devices that see each other; those whose names begin with b are on battery. */
function home(names: readonly string[], options: Partial<WorldOptions> = {}): World {
  const world = new World({ seed: 7, discovery: false, ...options })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  for (const one of names) for (const other of names) if (one !== other) world.offer(one, other, 'static')
  world.until(() => world.all(...names), MINUTE)
  for (const name of names) if (name.startsWith('b')) power(world, name, true)
  world.run(MINUTE)
  world.told()
  return world
}

/** Pings sent from now on, by device; and the moments at which each woke up by itself. */
function count(world: World) {
  const pings = new Map<string, number>()
  const moments = new Map<string, Set<number>>()
  world.onOutput = ({ name }, output) => {
    if (output.type !== 'send' || output.kind !== Kind.Ping) return
    pings.set(name, (pings.get(name) ?? 0) + 1)
    moments.set(name, (moments.get(name) ?? new Set()).add(Math.round(world.clock.now)))
  }
  const of = (name: string) => ({ pings: pings.get(name) ?? 0, moments: moments.get(name)?.size ?? 0 })
  return of
}

t.test('an hour: who pings whom', async t => {
  const table: [string, string, readonly [number, number], readonly [number, number]][] = [
    ['a1', 'a2', [110, 130], [110, 130]],
    ['b1', 'b2', [28, 38], [28, 38]],
    // the one on battery decides when both are awake; the other measures once in four minutes
    ['a1', 'b1', [12, 16], [58, 62]]
  ]
  for (const [one, other, ones, others] of table) {
    const world = home([one, other])
    const of = count(world)
    world.run(HOUR)
    for (const [name, [least, most]] of [
      [one, ones],
      [other, others]
    ] as const) {
      const { pings } = of(name)
      t.ok(pings >= least && pings <= most, `${one} and ${other}: ${name} sent ${pings} pings`)
    }
    t.same(world.told(), [], 'and nobody was accused')
  }
})

t.test('a metered device: once a minute, by whoever; the other end knows', async t => {
  const world = home(['a1', 'a2', 'a3'])
  metered(world, 'a1', true)
  world.run(MINUTE)
  t.match(world.mesh('a2').links, { all: 2, slow: 1 })
  const of = count(world)
  world.run(HOUR)
  const all = ['a1', 'a2', 'a3'].reduce((sum, name) => sum + of(name).pings, 0)
  // two slow links that both ends ask in turn, and one as ever
  t.ok(all >= 2 * 56 + 225 && all <= 2 * 75 + 250, `${all} pings`)
  t.ok(of('a1').pings <= 75, `${of('a1').pings} of them by the metered one`)
  metered(world, 'a1', false)
  world.run(1_000)
  t.match(world.mesh('a2').links, { all: 2, slow: 0 })
  t.same(world.told(), [])
})

t.test(
  'with ten peers a device is woken less than twice a second, on battery once in two seconds',
  async t => {
    const names = ['b1', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9', 'a10']
    const world = home(names, { latencyMs: 1, jitterMs: 1, skew: 1e-4 })
    world.run(MINUTE)
    const before = names.map(name => world.device(name).wakeUps)
    world.run(10 * MINUTE)
    const rates = names.map((name, i) => (world.device(name).wakeUps - before[i]!) / 600)
    t.comment(rates.map((rate, i) => `${names[i]} ${rate.toFixed(2)}`).join(', '))
    const [battery = 0, ...mains] = rates
    t.ok(battery <= 0.45, `${battery} on battery`)
    const middle = mains.sort((a, b) => a - b)[5]!
    t.ok(middle <= 1.5, `${middle} on mains`)
    t.ok(Math.max(...mains) <= 2.5, `${Math.max(...mains)} where one on battery is watched, too`)
  }
)

t.test('a device on battery wakes up once for all its peers', async t => {
  const world = home(['b1', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8', 'a9'])
  const of = count(world)
  world.run(HOUR)
  const { pings, moments } = of('b1')
  t.ok(moments <= 100, `${moments} moments of pinging in an hour, ${pings} pings`)
  t.match(world.mesh('b1').links, { all: 9, slow: 9 })
  t.match(world.mesh('a1').links, { all: 9, slow: 1 })
  t.same(world.told(), [])
})

t.test('no false alarm in an hour at 5 % loss and 50 ms ± 20 ms, power changing all the time', async t => {
  const random = generator(90)
  const names = ['a1', 'a2', 'b1', 'b2']
  const world = home(names, { latencyMs: 50, jitterMs: 20, loss: 0.05, skew: 1e-4 })
  const end = world.clock.now + HOUR
  while (world.clock.now < end) {
    world.run(random() * 2 * MINUTE)
    power(world, names[Math.floor(random() * names.length)]!, random() < 0.5)
  }
  t.same(
    world.told().filter(line => / unreachable/.test(line)),
    []
  )
})

t.test('silence is noticed within 20 s, or 65 s with a battery at either end', async t => {
  for (const [one, other, limit] of [
    ['a1', 'a2', 20_000],
    ['a1', 'b1', 65_000],
    ['b1', 'b2', 65_000]
  ] as const) {
    for (let phase = 0; phase < 60_000; phase += 7_000) {
      const world = home([one, other])
      world.run(phase)
      world.cut(one, other)
      const gone = () =>
        world.sees(one, other) === 'unreachable timeout' && world.sees(other, one) === 'unreachable timeout'
      t.ok(world.until(gone, limit) <= limit, `${one} and ${other}, cut after ${phase} ms`)
    }
  }
})

t.test('a change of power makes no storm', async t => {
  const names = ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']
  const world = home(names)
  const sent = new Map<number, number>()
  world.onOutput = (_, output) => {
    if (output.type === 'send') sent.set(output.kind, (sent.get(output.kind) ?? 0) + 1)
  }
  const kinds = () => {
    const [pings = 0, gossip = 0] = [Kind.Ping, Kind.Gossip].map(kind => sent.get(kind))
    sent.clear()
    return { pings, gossip }
  }
  power(world, 'a1', true)
  world.run(1_000)
  const unplugged = kinds()
  t.ok(unplugged.pings <= 5, `${unplugged.pings} pings when it is unplugged`)
  // each tells all others but the one it has it from
  t.ok(unplugged.gossip <= 5 + 5 * 4, `${unplugged.gossip} frames of gossip`)
  world.run(35_000)
  kinds()
  power(world, 'a1', false)
  world.run(100)
  const plugged = kinds()
  t.equal(plugged.pings, 5, 'plugged in it asks all that were silent for longer than 15 s, once and at once')
  // a loose plug: the last word is what counts, and it is said twice a second at most
  for (let i = 0; i < 1_000; i++) {
    power(world, 'a1', i % 2 === 0)
    world.run(10)
  }
  const loose = kinds()
  t.ok(loose.gossip <= 21 * 25, `${loose.gossip} frames of gossip in 10 s of a loose plug`)
  t.ok(loose.pings <= 300, `${loose.pings} pings`)
  world.run(1_000)
  t.match(world.mesh('a2').links, { all: 5, slow: 0 })
  t.same(world.told(), [])
})

t.test('the intervals', async t => t.same([KEEPALIVE, KEEPALIVE_SAVING], [15_000, 60_000]))
