/** A cable is cut somewhere, and no event tells of it: how soon it is seen, and that it is back. */
import t from 'tap'
import { barred, except, home, onBattery, quantile, unseen } from '../sim/home.ts'
import type { World, WorldOptions } from '../sim/world.ts'

const SECOND = 1_000
const five = [...'abcde']

interface Case {
  readonly what: string
  readonly names: readonly string[]
  readonly options?: Partial<WorldOptions>
  readonly prepare?: (world: World) => void
  /** One of these is cut off; all when absent. */
  readonly victims?: readonly string[]
  /** Milliseconds until all others show it: half of the times, 95 of 100 times, always. */
  readonly lost: readonly [number, number, number]
  /** And until all show it again. */
  readonly back: readonly [number, number, number]
}

const lossy = { latencyMs: 30, jitterMs: 40, loss: 0.05 }
const cases: readonly Case[] = [
  { what: 'all on mains', names: five, lost: [3_000, 4_000, 4_500], back: [500, 600, 1_500] },
  { what: 'two on mains', names: ['a', 'b'], lost: [3_000, 4_000, 5_000], back: [500, 600, 1_500] },
  {
    what: 'all on mains, 5 % loss, 50 ms ± 20 ms',
    names: five,
    options: lossy,
    lost: [4_000, 5_000, 7_000],
    back: [1_200, 2_500, 6_000]
  },
  {
    what: 'one on battery, a watcher on mains',
    names: five,
    prepare: world => onBattery(world, 'b', 'c'),
    victims: ['b', 'c'],
    lost: [4_000, 5_000, 5_500],
    back: [2_000, 3_000, 4_000]
  },
  {
    what: 'all on battery: no watcher',
    names: five,
    prepare: world => onBattery(world, ...five),
    lost: [65_000, 65_000, 65_000],
    back: [1_500, 2_200, 4_000]
  },
  {
    what: 'no UDP: the sessions alone decide',
    names: five,
    prepare: world => barred(world, ...five),
    lost: [5_000, 6_000, 6_500],
    back: [5_000, 7_000, 8_000]
  }
]

for (const { what, names, options, prepare, victims, lost, back } of cases) {
  t.test(what, async t => {
    const times: { lost: number[]; back: number[] } = { lost: [], back: [] }
    for (let seed = 1; seed <= 40; seed++) {
      const world = home(names, { seed, ...options }, 0)
      prepare?.(world)
      world.run(70 * SECOND + 15 * SECOND * world.random())
      const among = victims ?? names
      const victim = among[seed % among.length]!
      world.told()
      world.cutOff(victim)
      times.lost.push(unseen(world, except(names, victim), victim))
      const accused = world
        .told()
        .filter(line => !line.includes(` ${victim}`) && !line.includes(` ${victim}:`))
      if (accused.length > 0) t.same(accused, [], `seed ${seed}: somebody else was accused`)
      world.run(3 * SECOND + 10 * SECOND * world.random())
      world.reconnect(victim)
      times.back.push(world.until(() => world.all(...names), 70 * SECOND))
    }
    const limits = { lost, back }
    for (const which of ['lost', 'back'] as const) {
      const seen = [0.5, 0.95, 1].map(p => Math.round(quantile(times[which], p)))
      t.comment(`${which}: p50 ${seen[0]} ms, p95 ${seen[1]} ms, at most ${seen[2]} ms`)
      for (const [i, limit] of limits[which].entries()) {
        t.ok(seen[i]! <= limit, `${which} after ${seen[i]} ms, within ${limit}`)
      }
    }
  })
}

t.test('a watcher that goes at the same time: the next one on the ring takes over', async t => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = home(five, { seed })
    const order = five.map(name => world.device(name).id).sort()
    const name = (id: string) => five.find(each => world.device(each).id === id)!
    const [victim, watcher] = [name(order[1]!), name(order[2]!)]
    t.same(world.mesh(watcher).watched, [world.device(victim).id])
    world.cutOff(victim).cutOff(watcher)
    const rest = except(five, victim, watcher)
    const took = Math.max(unseen(world, rest, watcher), unseen(world, rest, victim))
    t.ok(took < 9 * SECOND, `seed ${seed}: ${took} ms`)
  }
})

t.test('a loss that is over before the burst is shown to nobody', async t => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = home(five, { seed })
    world.cutOff('c')
    world.run(400)
    world.reconnect('c')
    world.run(60 * SECOND)
    t.same(world.told(), [])
  }
})
