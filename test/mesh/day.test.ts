/** A day of sixteen devices. */
import t from 'tap'
import { FILE_MS } from '../lab/deadline.ts'
import { EVENTS, mend, settled } from '../sim/events.ts'
import { World } from '../sim/world.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

t.test('16 devices, 24 hours, churn and loss: at the end all see all', { timeout: FILE_MS }, async t => {
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
    if (events % 15 === 0) mend(world, names)
  }
  mend(world, names)
  world.run(24 * HOUR - world.clock.now)
  t.equal(settled(world, names), '')
  t.ok(events > 500)
  const [dials = 0, sends = 0] = ['dial', 'send'].map(type => world.outputs.get(type))
  t.comment(`${events} events, ${dials} attempts, ${sends} frames`)
  // at most 3 addresses a minute of those that are away, and some hundred in the first minute
  t.ok(dials < 24 * 60 * 16 * 15 * 2, `${dials} attempts`)
  t.ok(sends < 24 * 60 * 4 * 120 * 3, `${sends} frames`)
  for (const device of world.devices.values()) {
    for (const what of ['malformed', 'signature', 'nominate-not-entitled', 'kind', 'records-often']) {
      t.equal(device.counters.get(what) ?? 0, 0, `${device.name} ${what}`)
    }
  }
})
