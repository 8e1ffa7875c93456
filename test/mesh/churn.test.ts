/** A long time with everything that happens to laptops; what must hold after every step is in world.check. */
import t from 'tap'
import { fc } from '../draws.ts'
import { EVENTS, mend, settled } from '../sim/events.ts'
import { World } from '../sim/world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

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
