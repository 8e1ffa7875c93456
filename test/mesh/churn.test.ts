/** A long time with everything that happens to laptops; what must hold after every step is in world.check. */
import fc from 'fast-check'
import t from 'tap'
import { World } from '../sim/world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const LANS = ['home', 'attic', 'office']

type Event = (world: World, name: string, other: string) => void

/** Each may be tried at any time. */
const EVENTS: Record<string, Event> = {
  start: (world, name) => {
    if (world.device(name).reading) world.start(name)
  },
  stop: (world, name) => {
    if (world.device(name).reading) world.device(name).stop()
  },
  kill: (world, name) => world.device(name).kill(),
  sleep: (world, name) => {
    if (world.device(name).awake) world.device(name).sleep()
  },
  wake: (world, name) => {
    if (!world.device(name).awake) world.device(name).wake()
  },
  freeze: (world, name) => world.device(name).freeze(),
  thaw: (world, name) => {
    if (world.device(name).frozen) world.device(name).thaw()
  },
  unplug: (world, name) => world.unplug(name),
  plug: (world, name) => world.plug(LANS[Math.floor(world.random() * LANS.length)]!, name),
  move: (world, name) => world.move(name, LANS[Math.floor(world.random() * LANS.length)]!),
  renumber: (world, name) => world.plug('home', name),
  cut: (world, name, other) => world.cut(name, other),
  heal: (world, name, other) => world.heal(name, other),
  announce: (world, name) => world.announce(name),
  network: (world, name) => world.device(name).tell((mesh, now) => mesh.network(now)),
  ping: (world, name, other) =>
    world.device(name).tell((mesh, now) => mesh.ping(now, world.device(other).id, 1)),
  garbage: (world, name) => {
    const device = world.device(name)
    const session = [...device.ends.keys()][0]
    const body = Uint8Array.from({ length: Math.floor(world.random() * 60) }, () => world.random() * 256)
    if (session === undefined) return
    device.tell((mesh, now) => mesh.receive(now, session, Math.floor(world.random() * 12), body))
  }
}

/** Puts all to rights: everybody runs, at home, and nothing is cut. */
function mend(world: World, names: readonly string[]): void {
  for (const name of names) {
    const device = world.device(name)
    if (!device.awake) device.wake()
    if (device.frozen) device.thaw()
    world.start(name)
    for (const other of names) world.heal(name, other)
    for (const lan of LANS.slice(1)) world.unplug(name, lan)
    if (!device.addresses.has('home')) world.plug('home', name)
  }
}

/** That all see all over one link a pair, both ends agree which, and nothing is left over. */
function settled(world: World, names: readonly string[]): string {
  const pairs = (names.length * (names.length - 1)) / 2
  if (!world.all(...names)) return `not all see all\n${world.transcript.slice(-40).join('\n')}`
  if (world.network.links !== pairs) return `${world.network.links} links for ${pairs} pairs`
  for (const name of names) {
    const device = world.device(name)
    if (device.dials.size > 0) return `${name} has ${device.dials.size} attempts under way`
    if (device.ends.size !== names.length - 1) return `${name} has ${device.ends.size} sessions`
    for (const other of names) {
      if (other === name) continue
      const there = world.device(other)
      const end = device.ends.get(device.mesh!.session(there.id)!)
      if (end?.other !== there.ends.get(there.mesh!.session(device.id)!)) return `${name} and ${other} differ`
      const view = device.mesh!.peers().get(there.id)!
      if (!there.addresses.get('home')!.startsWith(view.addresses[0]!)) {
        return `${name} shows ${other} at ${view.addresses[0]}`
      }
    }
  }
  return ''
}

t.test('whatever happens, what is shown is true, and all find each other in the end', async t => {
  const event = fc.record({
    what: fc.constantFrom(...Object.keys(EVENTS)),
    who: fc.nat(3),
    whom: fc.nat(3),
    ms: fc.oneof(fc.nat(20), fc.nat(3_000), fc.nat(90_000))
  })
  const names = ['a', 'b', 'c', 'd']
  fc.assert(
    fc.property(fc.nat(), fc.array(event, { minLength: 5, maxLength: 40 }), (seed, events) => {
      const world = new World({ seed, loss: 0.02, jitterMs: seed % 20, skew: 1e-4 })
      world
        .add(...names)
        .plug('home', ...names)
        .start(...names)
      for (const { what, who, whom, ms } of events) {
        if (who !== whom) EVENTS[what]!(world, names[who]!, names[whom]!)
        world.run(ms)
      }
      mend(world, names)
      world.run(3 * MINUTE)
      const wrong = settled(world, names)
      if (wrong !== '') throw new Error(wrong)
    }),
    { numRuns: 300, includeErrorInReport: true }
  )
  t.pass()
})

t.test('a peer that is reachable is dialled for a renewal only', async t => {
  const names = ['a', 'b', 'c']
  const world = new World({ seed: 11, loss: 0.05, jitterMs: 10 })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  const idle: string[] = []
  /** Its addresses changed, or a session is due for a renewal, no longer ago than a minute. */
  const reasons = new Map<string, number>()
  world.onOutput = (device, output) => {
    if (output.type !== 'dial') return
    const view = device.mesh!.peers().get(output.peer)!
    const since = world.clock.now - (reasons.get(device.name) ?? -Infinity)
    if (view.state === 'reachable' && since > MINUTE) idle.push(`${world.clock.now} ${device.name}`)
  }
  // each session is younger than 54 minutes
  for (let i = 0; i < 100; i++) {
    const name = names[i % 3]!
    world.run(20 * SECOND)
    world.announce(name)
    world.device(name).tell((mesh, now) => mesh.network(now))
    world.run(20 * SECOND)
    if (i % 5 === 0) {
      reasons.set(name, world.clock.now)
      world.plug('home', name)
    } else if (i % 7 === 0) {
      world.device(name).kill()
      world.start(name)
    }
  }
  t.same(idle, [])
})

t.test('16 devices, 24 hours, churn and loss: at the end all see all', { timeout: 300_000 }, async t => {
  const names = [...'abcdefghijklmnop']
  const world = new World({ seed: 16, loss: 0.02, latencyMs: 2, jitterMs: 5, skew: 1e-4 })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  const kinds = Object.keys(EVENTS).filter(kind => kind !== 'garbage')
  let events = 0
  while (world.clock.now < 23.9 * HOUR) {
    world.run(world.random() * 4 * MINUTE)
    const pick = (list: readonly string[]): string => list[Math.floor(world.random() * list.length)]!
    const [name, other] = [pick(names), pick(names)]
    if (name !== other) EVENTS[pick(kinds)]!(world, name, other)
    events++
    // not everybody is away for ever
    if (events % 25 === 0) mend(world, names)
  }
  mend(world, names)
  world.run(24 * HOUR - world.clock.now)
  t.equal(settled(world, names), '')
  t.ok(events > 500)
  const [dials = 0, sends = 0] = ['dial', 'send'].map(type => world.outputs.get(type))
  t.comment(`${events} events, ${dials} attempts, ${sends} frames`)
  // at most 3 addresses a minute of those that are away, and some hundred in the first minute
  t.ok(dials < 24 * 60 * 16 * 15 * 2, `${dials} attempts`)
  t.ok(sends < 24 * 60 * 4 * 120 * 2.5, `${sends} frames`)
  for (const device of world.devices.values()) {
    for (const what of ['malformed', 'signature', 'nominate-not-entitled', 'kind', 'records-often']) {
      t.equal(device.counters.get(what) ?? 0, 0, `${device.name} ${what}`)
    }
  }
})

t.test('nobody is accused at 5 % loss and 50 ms ± 20 ms in half an hour', async t => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const world = new World({ seed: 4, loss: 0.05, latencyMs: 40, jitterMs: 20 })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  world.until(() => world.all(...names), 20 * SECOND)
  world.run(10 * SECOND)
  world.told()
  world.run(30 * MINUTE)
  t.same(world.told(), [])
})
