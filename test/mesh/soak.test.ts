/** Hours of peers that come and go: what a core remembers does not grow with it, and timers end with their peers. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { EVENTS, mend } from '../sim/events.ts'
import { World } from '../sim/world.ts'
import { address, Driver, digest, ids, record, records } from './drive.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heap(): number {
  for (let i = 0; i < 3; i++) collect()
  return process.memoryUsage().heapUsed
}

const others = [1, 2, 3, 4, 5, 6, 7]

/** One peer comes and goes in one of the ways there are; a fifth of a second passes. */
function visit(driver: Driver, n: number): void {
  const { mesh } = driver
  const peer = others[n % others.length]!
  const far = n % 3 === 0
  driver.offer(peer, `tcp://203.0.${n % 250}.${1 + (n % 200)}:${20_000 + (n % 30_000)}`)
  driver.open(n, peer, {
    outgoing: n % 2 === 0,
    address: far ? `tcp://198.51.${n % 250}.9:24747` : address(peer),
    bootId: `boot ${peer} ${Math.floor(n / 50)}`
  })
  driver.pong(n)
  driver.receive(n, Kind.Gossip, digest())
  driver.receive(n, Kind.Gossip, records(record(peer, n, address(peer))))
  for (const { batch, items } of driver.since('verify')) {
    mesh.verified(
      driver.now,
      batch,
      items.map(() => true)
    )
  }
  mesh.ping(driver.now, ids[peer]!, n)
  if (n % 5 === 0) mesh.forget(n)
  const ends = [
    () => mesh.closed(driver.now, n, 'reset'),
    () => driver.receive(n, Kind.Close, Uint8Array.of(0, CloseReason.Stopping)),
    () => {
      mesh.setMembers(driver.now, [ids[0]!, ...others.filter(other => other !== peer).map(i => ids[i]!)])
      mesh.setMembers(driver.now, [ids[0]!, ...others.map(i => ids[i]!)])
    },
    // left open: the next one of the same boot takes over, or it falls silent
    () => {},
    () => mesh.setOwnAddresses(driver.now, [address(100), address(101 + (n % 5))]),
    () => mesh.probed(driver.now, ids[peer]!, n, address(peer), 900)
  ]
  ends[Math.floor(n / others.length) % ends.length]!()
  for (const { attempt } of driver.since('dial')) mesh.dialFailed(driver.now, attempt, 'refused')
  driver.pass(SECOND / 5)
  driver.forget()
}

t.test(
  'an hour of coming and going, five times a second, leaves nothing behind',
  { timeout: FILE_MS },
  async t => {
    const driver = new Driver(0, others)
    let n = 1
    const until = (end: number) => {
      while (n < end) visit(driver, n++)
    }
    // until then the engine learns what is hot, and bounded memories fill up
    until(10_000)
    const before = heap()
    until(28_000)
    const grown = heap() - before
    t.ok(grown < 18_000 * 16, `${grown} bytes more on the heap`)
    driver.mesh.setMembers(driver.now, [ids[0]!])
    driver.pass(MINUTE)
    t.equal(driver.mesh.deadline, Infinity, 'no timer is left')
  }
)

t.test('with the last member the last timer goes', async t => {
  const names = [...'abcdefgh']
  const world = new World({ seed: 61, loss: 0.02, jitterMs: 5 })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  const kinds = Object.keys(EVENTS)
  for (let i = 0; i < 300; i++) {
    const pick = (list: readonly string[]): string => list[Math.floor(world.random() * list.length)]!
    const [name, other] = [pick(names), pick(names)]
    if (name !== other) EVENTS[pick(kinds)]!(world, name, other)
    world.run(4 * SECOND)
  }
  mend(world, names)
  world.run(3 * MINUTE)
  for (const name of names) {
    world.device(name).setMembers([world.device(name).id])
    world.run(MINUTE)
    t.equal(world.mesh(name).deadline, Infinity, name)
    t.match(world.mesh(name).links, { all: 0 })
    t.equal(world.mesh(name).peers().size, 0)
  }
})
