/** Addresses come and go: sessions follow, and so do the questions that were asked on them. */
import t from 'tap'
import { LINGER_WITHOUT } from '../../src/mesh/nomination.ts'
import { ROAM } from '../../src/mesh/questions.ts'
import { STRANDED } from '../../src/mesh/roaming.ts'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { World } from '../sim/world.ts'
import { address, Driver, ids } from './drive.ts'

/** Device 0, whose peer 1 it dialled from its first address. */
function dialled(): Driver {
  const driver = new Driver(0, [1])
  driver.offer(1, address(1))
  driver.open(7, 1, { local: 'tcp://192.0.2.100:40000' })
  driver.pong(7)
  driver.forget()
  return driver
}
const move = (driver: Driver, ...addresses: string[]) => driver.mesh.setOwnAddresses(driver.now, addresses)
const ask = (driver: Driver, token: number) => driver.mesh.ping(driver.now, ids[1]!, token)

t.test('an address is lost and another one there: its session moves at once', async t => {
  const driver = dialled()
  driver.now = 1_000
  t.equal(ask(driver, 42), true)
  const [lost] = driver.sent(Kind.Ping)
  move(driver, address(200))
  t.match(driver.since('dial'), [{ address: address(1) }])
  t.equal(driver.view(1).state, 'reachable')
  driver.now = 1_040
  driver.forget()
  driver.open(8, 1, { local: 'tcp://192.0.2.200:40001' })
  t.same(driver.since('close'), [{ type: 'close', session: 7, reason: undefined }], 'reset, not waited for')
  t.equal(driver.nominated(1), 8)
  const pings = driver.sent(Kind.Ping)
  t.ok(pings.every(({ session }) => session === 8))
  t.comment('what was asked before is asked again, and answered once')
  for (const { body } of pings) driver.receive(8, Kind.Pong, body)
  driver.receive(7, Kind.Pong, lost!.body)
  t.match(driver.since('pong'), [{ token: 42 }])
  t.same(
    driver.since('peer').filter(({ peer }) => peer.state !== 'reachable'),
    []
  )
})

t.test('the other end asks again when the new session comes, and reads the old one to the end', async t => {
  const driver = new Driver(1, [0])
  driver.open(7, 0, { outgoing: false, local: `tcp://192.0.2.101:24747` })
  driver.pong(7)
  driver.forget()
  t.equal(driver.mesh.ping(driver.now, ids[0]!, 42), true)
  const [old] = driver.sent(Kind.Ping)
  driver.open(8, 0, { outgoing: false, local: `tcp://192.0.2.101:24747` })
  const again = driver.sent(Kind.Ping).filter(({ session }) => session === 8)
  t.ok(again.length >= 1)
  driver.receive(7, Kind.Pong, old!.body)
  for (const { body } of again) driver.receive(8, Kind.Pong, body)
  t.match(driver.since('pong'), [{ token: 42 }])
  driver.pass(LINGER_WITHOUT - 1)
  t.equal(driver.since('close').length, 0)
  driver.pass(1)
  t.same(driver.since('close'), [{ type: 'close', session: 7, reason: undefined }])
})

t.test('no address is left', async t => {
  const driver = dialled()
  driver.now = 1_000
  t.equal(ask(driver, 42), true)
  move(driver)
  driver.pass(STRANDED - 1)
  t.equal(driver.view(1).state, 'reachable')
  driver.pass(1)
  t.match(driver.view(1), { state: 'unreachable', reason: 'no-network' })
  t.match(driver.since('close'), [{ session: 7, reason: undefined }])
  t.comment('one who asks a moment later waits for the next session')
  driver.now += ROAM - 1
  t.equal(ask(driver, 43), true)
  driver.now++
  t.equal(ask(driver, 44), false)
  driver.forget()
  move(driver, address(200))
  driver.open(8, 1, { local: 'tcp://192.0.2.200:40001' })
  driver.pong(8)
  t.same(
    driver
      .since('pong')
      .map(({ token }) => token)
      .sort(),
    [42, 43]
  )
})

t.test('an address that comes back in time changes nothing', async t => {
  const driver = dialled()
  move(driver)
  driver.now = STRANDED / 2
  driver.pong(7)
  move(driver, address(100))
  driver.pong(7)
  driver.pass(5_000)
  t.equal(driver.nominated(1), 7)
  t.equal(driver.view(1).state, 'reachable')
})

t.test('an address too many is nothing to a session that has its own', async t => {
  const driver = dialled()
  move(driver, address(100), address(200))
  t.equal(driver.since('dial').length, 0)
  driver.pong(7)
  driver.pass(5_000)
  t.equal(driver.nominated(1), 7)
})

t.test('nobody waits for an answer any more', async t => {
  const driver = dialled()
  t.equal(ask(driver, 42), true)
  driver.mesh.forget(42)
  driver.pong(7)
  t.equal(driver.since('pong').length, 0)
  t.comment('nor is one asked who said goodbye')
  driver.receive(7, Kind.Close, Uint8Array.of(0, CloseReason.Stopping))
  t.equal(ask(driver, 43), false)
  t.equal(driver.mesh.ping(driver.now, ids[5]!, 44), false, 'nor one that is no member')
})

t.test('a stream of questions through many roams loses none and doubles none', async t => {
  for (let seed = 0; seed < 40; seed++) {
    const world = new World({ seed, latencyMs: 1 + (seed % 4) * 10, jitterMs: seed % 7 })
    world.add('a', 'b', 'c').plug('home', 'a', 'b', 'c').plug('attic', 'a', 'c').start('a', 'b', 'c')
    world.until(() => world.all('a', 'b', 'c'), 20_000)
    world.run(3_000)
    const answers = new Map<number, number>()
    const asked: number[] = []
    world.onOutput = (_device, output) => {
      if (output.type === 'pong') answers.set(output.token, (answers.get(output.token) ?? 0) + 1)
    }
    let token = 0
    const pairs = [
      ['a', 'b'],
      ['b', 'a'],
      ['c', 'b'],
      ['b', 'c']
    ] as const
    for (let step = 0; step < 300; step++) {
      if (step % 60 === 30) world.move('b', step % 120 === 30 ? 'attic' : 'home')
      for (const [from, to] of pairs) {
        asked.push(++token)
        const { id } = world.device(to)
        world.device(from).tell((mesh, now) => {
          if (!mesh.ping(now, id, token)) t.fail(`seed ${seed} step ${step}: ${from} cannot ask ${to}`)
        })
      }
      world.run(20)
    }
    world.run(4_000)
    const wrong = asked.filter(one => answers.get(one) !== 1)
    t.same(wrong, [], `seed ${seed}`)
  }
})
