/** Sessions that leave their subnet: how long NAT lets them be silent is learned, and nobody is accused for it. */
import t from 'tap'
import { BELIEVED, LEAST, MOST, networkBeyond } from '../../src/mesh/silences.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { Kind } from '../../src/wire/frame.ts'
import { World, type WorldOptions } from '../sim/world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** `inside` stand behind the NAT, `outside` can be dialled; all see each other. */
function abroad(
  forgetsMs: number,
  inside: readonly string[],
  outside: readonly string[],
  options: Partial<WorldOptions> = {}
): World {
  const world = new World({ seed: 30, discovery: false, latencyMs: 20, jitterMs: 5, ...options })
  const names = [...inside, ...outside]
  world.network.nat('wan', { forgetsMs, open: outside })
  world
    .add(...names)
    .plug('wan', ...names)
    .start(...names)
  for (const one of inside) for (const other of outside) world.offer(one, other, 'static')
  const met = () =>
    inside.every(one =>
      outside.every(other => world.sees(one, other) === 'reachable' && world.sees(other, one) === 'reachable')
    )
  world.until(met, MINUTE)
  world.run(2_000)
  world.told()
  return world
}

/** Moments of pings, in seconds between one and the next, of the last so many. */
function pauses(world: World, name: string, last: number): number[] {
  const moments: number[] = []
  world.onOutput = (device, output) => {
    if (device.name !== name || output.type !== 'send' || output.kind !== Kind.Ping) return
    moments.push(world.clock.now)
  }
  world.run(last * MOST)
  world.onOutput = undefined
  return moments.slice(1).map((moment, i) => (moment - moments[i]!) / 1000)
}

for (const [forgets, least, most] of [
  [30, 20, 30],
  [60, 40, 60],
  [300, 200, 300],
  [100_000, 300, 301]
] as const) {
  t.test(`a NAT that forgets after ${forgets} s`, async t => {
    const world = abroad(forgets * 1000, ['in'], ['out'])
    let closed = 0
    world.onOutput = (device, output) => {
      if (device.name === 'in' && output.type === 'close') closed++
    }
    // longer than a session lives: one hour of age renews it
    world.run(50 * MINUTE)
    t.same(world.told(), [], 'nobody was shown unreachable')
    t.ok(closed <= 2, `${closed} sessions were lost in learning it`)
    const { longest, beyond } = world.mesh('in').links
    t.equal(beyond, 1)
    t.ok(longest >= least * 1000 && longest <= most * 1000, `an interval of ${longest} ms`)
    closed = 0
    world.run(4 * HOUR)
    t.same(world.told(), [])
    t.ok(closed <= 8, `${closed} sessions ended in four hours: they are renewed each hour`)
    const between = pauses(world, 'in', 5)
    t.ok(Math.max(...between) <= most + 1, `at most ${Math.max(...between)} s between pings`)
    t.equal(world.mesh('out').peers().size, 1)
  })
}

t.test('on battery at home, with others elsewhere behind the same NAT: one lesson for all', async t => {
  const world = abroad(45_000, ['in'], ['o1', 'o2', 'o3'])
  world.device('in').tell((mesh, now) => mesh.setOnBattery(now, true))
  world.run(3 * HOUR)
  t.same(world.told(), [])
  const { longest } = world.mesh('in').links
  t.ok(longest > 25_000 && longest < 45_000, `an interval of ${longest} ms`)
})

t.test('where nobody watches an interval is no longer than on battery at home', async t => {
  const world = abroad(HOUR, ['in'], ['out'])
  for (const name of ['in', 'out']) world.device(name).tell((mesh, now) => mesh.setOnBattery(now, true))
  world.run(2 * HOUR)
  t.equal(world.mesh('in').links.longest, MINUTE)
  world.device('out').tell((mesh, now) => mesh.setOnBattery(now, false))
  world.run(MINUTE)
  t.ok(world.mesh('in').links.longest > MINUTE)
})

t.test('a peer that was away teaches nothing, another network begins anew', async t => {
  const world = abroad(HOUR, ['in'], ['out'])
  world.run(30 * MINUTE)
  t.equal(world.mesh('in').links.longest, MOST)
  world.cut('in', 'out')
  world.until(() => world.sees('in', 'out') === 'unreachable timeout', 6 * MINUTE)
  world.run(MINUTE)
  world.heal('in', 'out')
  world.until(() => world.sees('in', 'out') === 'reachable', 2 * MINUTE)
  t.equal(world.mesh('in').links.longest, MOST)
  world.plug('lan', 'in')
  t.equal(world.mesh('in').links.longest, LEAST)
})

t.test('a glitch is believed for some hours only', async t => {
  const world = abroad(HOUR, ['in'], ['out'])
  world.run(10 * MINUTE)
  // lost where the silence of the session is tried, and back at once
  let cut = false
  world.onOutput = ({ name }, output) => {
    if (cut || name !== 'in' || output.type !== 'send' || output.kind !== Kind.Ping) return
    cut = true
    world.cut('in', 'out')
    world.clock.after(4_000, () => world.heal('in', 'out'))
  }
  world.run(20 * MINUTE)
  const { longest } = world.mesh('in').links
  t.ok(cut && longest < MOST, `${longest} ms after the glitch`)
  world.run(BELIEVED)
  world.run(30 * MINUTE)
  t.equal(world.mesh('in').links.longest, MOST)
})

t.test('what is beyond', async t => {
  const own = ['tcp://192.168.1.5:24747', 'tcp://[2001:db8:1::5]:24747'].map(text => parseAddress(text)!)
  const table: [string, string][] = [
    ['tcp://192.168.1.77:24747', ''],
    ['tcp://192.168.2.77:24747', '192,168,2'],
    ['tcp://203.0.113.9:50000', '203,0,113'],
    ['tcp://127.0.0.1:24747', ''],
    ['tcp://[2001:db8:1::9]:24747', ''],
    ['tcp://[2001:db8:2::9]:24747', '32,1,13,184,0,2,0,0'],
    ['tcp://[fe80::1%25eth0]:24747', ''],
    ['', '']
  ]
  for (const [address, beyond] of table) t.equal(networkBeyond(address, own), beyond, address)
})
