/** Hours of peers that come and go: what a core remembers does not grow with it. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { EVENTS, mend, settled } from '../sim/events.ts'
import { World } from '../sim/world.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heap(): number {
  for (let i = 0; i < 3; i++) collect()
  return process.memoryUsage().heapUsed
}

const names = [...'abcdefgh']
/** What happens to the others while `a` runs on; the sort of thing, not new addresses, which the simulation keeps. */
const kinds = [
  'start',
  'stop',
  'kill',
  'sleep',
  'wake',
  'freeze',
  'thaw',
  'cut',
  'heal',
  'network',
  'ping',
  'garbage'
]

/** Ten minutes in which one of them is removed and let in again, then all is as at the beginning. */
function round(world: World): void {
  for (let i = 0; i < 100; i++) {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(world.random() * list.length)]!
    const [name, other] = [pick(names.slice(1)), pick(names)]
    const what = pick(kinds)
    if (name !== other) EVENTS[what]!(world, name, other)
    if (i % 20 === 10) {
      const others = names.map(each => world.device(each).id).filter(id => id !== world.device(name).id)
      world.device('a').setMembers(others)
      world.run(SECOND)
      world.device('a').setMembers(names.map(each => world.device(each).id))
    }
    world.run(4 * SECOND)
  }
  mend(world, names)
  world.run(3 * MINUTE)
  world.told()
}

t.test('two hours of coming and going leaves nothing behind', { timeout: 300_000 }, async t => {
  const world = new World({ seed: 60, loss: 0.02, jitterMs: 5, skew: 1e-4 })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  // until then the engine still learns what is hot
  for (let i = 0; i < 12; i++) round(world)
  const [before, begun] = [heap(), world.clock.now]
  while (world.clock.now - begun < 120 * MINUTE) round(world)
  t.equal(settled(world, names), '')
  const grown = heap() - before
  // what the engine compiles and interns meanwhile is less; one forgotten session of each would be more
  t.ok(grown < 640 * 1024, `${grown} bytes more on the heap`)
})

t.test('with the last member the last timer goes', async t => {
  const world = new World({ seed: 61, loss: 0.02, jitterMs: 5 })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  round(world)
  for (const name of names) {
    const { id } = world.device(name)
    world.device(name).setMembers([id])
    world.run(MINUTE)
    t.equal(world.mesh(name).deadline, Infinity, name)
    t.match(world.mesh(name).links, { all: 0 })
    t.equal(world.mesh(name).peers().size, 0)
  }
})
