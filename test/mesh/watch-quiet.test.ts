/** Nobody is accused who is there: half an hour at 5 % loss each way and 50 ms ± 20 ms, many times. */
import t from 'tap'
import { STEPS } from '../../src/mesh/bursts.ts'
import { barred, home, onBattery } from '../sim/home.ts'
import type { World } from '../sim/world.ts'

const MINUTE = 60_000
const names = [...'abcdef']
const LOSS = 0.05
const noisy = { latencyMs: 30, jitterMs: 40, loss: LOSS }
/** A question by UDP and its answer: one of them is lost. */
const UNANSWERED = 1 - (1 - LOSS) ** 2

/** How many probes of one burst followed each other, and how often: one that was answered ends it. */
function bursts(world: World): () => number[] {
  const found: number[] = []
  const last = new Map<string, { at: number; place: number }>()
  world.onOutput = (device, output) => {
    if (output.type !== 'probe') return
    const key = `${device.name} ${output.peer}`
    const before = last.get(key)
    if (before === undefined || world.clock.now - before.at > 160) {
      const entry = { at: world.clock.now, place: found.push(1) - 1 }
      last.set(key, entry)
    } else {
      before.at = world.clock.now
      found[before.place]!++
    }
  }
  return () => found
}

t.test(
  'nobody is shown as gone in 60 hours of devices, and a false alarm is one in more than 10,000',
  async t => {
    const told: string[] = []
    let hours = 0
    let long = 0
    for (let seed = 1; seed <= 20; seed++) {
      const world = home(names, { seed, ...noisy })
      const found = bursts(world)
      world.run(30 * MINUTE)
      told.push(...world.told())
      hours += (names.length * 30 * MINUTE) / 3_600_000
      long += found().filter(length => length >= 3).length
    }
    t.same(
      told.filter(line => / unreachable/.test(line)),
      []
    )
    const suspected = told.filter(line => / suspect/.test(line)).length
    t.ok(suspected <= 3, `${suspected} suspected for a moment`)
    // the rest of a burst is independent questions; that the session answers too is left out
    const rate = (long / hours) * UNANSWERED ** (STEPS - 3)
    t.comment(
      `${long} bursts of three probes or more in ${hours} hours: ${rate.toExponential(1)} false alarms an hour`
    )
    t.ok(rate < 1e-4)
  }
)

t.test('devices on battery among them', async t => {
  for (let seed = 1; seed <= 5; seed++) {
    const world = home(names, { seed, ...noisy })
    onBattery(world, 'b', 'd', 'e')
    world.run(30 * MINUTE)
    t.same(
      world.told().filter(line => / unreachable/.test(line)),
      [],
      `seed ${seed}`
    )
  }
})

t.test('without UDP a link that stalls may be suspected, and is not given up', async t => {
  for (let seed = 1; seed <= 8; seed++) {
    const world = home(names, { seed, ...noisy }, 20_000, it => barred(it, ...names))
    world.run(30 * MINUTE)
    t.same(
      world.told().filter(line => / unreachable/.test(line)),
      [],
      `seed ${seed}`
    )
  }
})

t.test('at 20 % loss one in an hour of a device at most', async t => {
  let lost = 0
  for (let seed = 1; seed <= 4; seed++) {
    const world = home(names, { seed, ...noisy, loss: 0.2 })
    world.run(30 * MINUTE)
    lost += world.told().filter(line => / unreachable/.test(line)).length
  }
  // 12 hours of devices with five peers each
  t.ok(lost <= 12, `${lost} were lost`)
})
