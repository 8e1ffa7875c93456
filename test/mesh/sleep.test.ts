import t from 'tap'
import { GRACE, SEEK } from '../../src/mesh/sleep.ts'
import { CloseReason, Kind } from '../../src/wire/frame.ts'
import { decodeGossip } from '../../src/wire/gossip.ts'
import { World } from '../sim/world.ts'
import { address, Driver, digest, ids, record, records } from './drive.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const names = ['a', 'b', 'c']

function met(seed: number, options: { discovery?: boolean } = {}): World {
  const world = new World({ seed, ...options })
  world
    .add(...names)
    .plug('home', ...names)
    .start(...names)
  for (const name of names) for (const other of names) if (name !== other) world.offer(name, other, 'known')
  world.until(() => world.all(...names))
  world.run(5 * SECOND)
  world.told()
  return world
}

const view = (world: World, name: string, peer: string) =>
  world.mesh(name).peers().get(world.device(peer).id)!

t.test('it says so; the others show it at once, and leave it alone for as long as it sleeps', async t => {
  for (let seed = 1; seed <= 10; seed++) {
    const world = met(seed)
    const at = world.clock.now
    world.device('c').suspend()
    world.until(() => ['a', 'b'].every(name => world.sees(name, 'c') === 'asleep asleep'), 200)
    t.same(
      world.told().filter(line => /[ab]: c/.test(line)).length,
      2,
      'each shows it once, and nothing else before'
    )
    const dialled: string[] = []
    world.onOutput = (device, output) => {
      const to = 'peer' in output && output.peer === world.device('c').id
      if (output.type === 'dial' && to) dialled.push(device.name)
    }
    world.run(HOUR / 4)
    t.same(dialled, [])
    t.same(world.sees('a', 'c'), 'asleep asleep')
    t.ok(view(world, 'a', 'c').asleepSince >= at && view(world, 'a', 'c').asleepSince < at + 200)
    t.ok(view(world, 'a', 'c').addresses.length > 0, 'its addresses are still known')
    world.told()
    world.device('c').resume()
    world.until(() => world.all(...names), SECOND)
    t.equal(view(world, 'a', 'c').asleepSince, 0)
  }
})

t.test('one that was away, and one that starts anew, learn of it from the others', async t => {
  const world = met(2)
  world.unplug('b')
  world.until(() => world.sees('a', 'b').startsWith('unreachable'), 60 * SECOND)
  world.device('c').suspend()
  world.run(SECOND)
  world.plug('home', 'b')
  world.until(() => world.sees('b', 'c') === 'asleep asleep')
  world.device('b').stop()
  world.run(SECOND)
  world.start('b')
  world.until(() => world.sees('b', 'c') === 'asleep asleep')
  world.run(HOUR)
  t.same(world.sees('b', 'c'), 'asleep asleep')
  world.device('c').resume()
  world.until(() => world.all(...names), SECOND)
})

t.test('one that dies in its sleep stays asleep, until it starts again', async t => {
  const world = met(3)
  world.device('c').suspend()
  world.run(10 * SECOND)
  world.device('c').kill()
  world.run(2 * HOUR)
  t.same([world.sees('a', 'c'), world.sees('b', 'c')], ['asleep asleep', 'asleep asleep'])
  world.device('c').resume()
  world.start('c')
  world.until(() => world.all(...names), 3 * SECOND)
})

t.test('both slept, and each woke while the other slept', async t => {
  // nothing is announced, and there is nobody else who could tell
  const world = met(4, { discovery: false })
  world.device('c').kill()
  world.run(10 * SECOND)
  world.device('a').suspend()
  world.run(10 * SECOND)
  t.same(world.sees('b', 'a'), 'asleep asleep')
  world.device('b').suspend()
  world.run(10 * SECOND)
  world.device('b').resume()
  world.run(HOUR)
  t.same(world.sees('b', 'a'), 'asleep asleep')
  world.device('b').suspend()
  world.run(10 * SECOND)
  world.device('a').resume()
  world.run(10 * SECOND)
  world.device('b').resume()
  world.until(() => world.all('a', 'b'), 3 * SECOND)
})

t.test('nothing was said before: it woke, or was stopped, and goes on', async t => {
  for (const [stop, ms] of [
    ['sleep', 30 * SECOND],
    ['sleep', 2 * HOUR],
    ['freeze', 700],
    ['freeze', 2 * SECOND],
    ['freeze', 30 * SECOND],
    ['freeze', HOUR / 4]
  ] as const) {
    const world = met(5)
    const before = view(world, 'c', 'a')
    world.device('c')[stop]()
    world.run(ms)
    world.told()
    world.device('c').resume()
    const took = world.until(() => world.all(...names), 3 * SECOND)
    t.comment(`${stop} for ${ms / SECOND} s: all see all after ${took} ms`)
    t.equal(before.state, 'reachable')
    world.run(10 * SECOND)
    const accused = world.told().filter(line => /c: .* unreachable (timeout|path|isolated)/.test(line))
    t.same(accused, [], 'nobody was accused for what was not heard meanwhile')
    t.same(world.network.links, 3)
  }
})

t.test('somebody is gone when it wakes', async t => {
  const world = met(6)
  world.device('c').freeze()
  world.run(10 * SECOND)
  world.unplug('b')
  world.run(30 * SECOND)
  world.device('c').resume()
  const took = world.until(
    () => world.sees('c', 'b').startsWith('unreachable') && world.all('a', 'c'),
    5 * SECOND
  )
  t.ok(took > GRACE, `known after ${took} ms`)
})

t.test('a sleep that does not come: it is awake again a moment later', async t => {
  const world = met(7)
  for (let i = 0; i < 20; i++) {
    world.device('c').suspend()
    world.run(i * 7)
    world.device('c').resume()
    world.run(i * 11)
  }
  world.until(() => world.all(...names), 3 * SECOND)
  world.run(20 * SECOND)
  t.same(world.network.links, 3, 'nothing is left over')
})

t.test('signed first, then the goodbyes; then silence', async t => {
  const driver = new Driver(2, [0, 1])
  for (const { body } of driver.since('sign')) driver.mesh.ownRecord(0, body, new Uint8Array(64))
  driver.open(1, 0)
  driver.open(2, 1)
  driver.forget()
  driver.mesh.sleep(driver.now)
  const [asked] = driver.since('sign')
  t.same(driver.since('close'), [], 'no goodbye before the word')
  driver.mesh.ownRecord(driver.now, asked!.body, new Uint8Array(64).fill(7))
  const out = driver.take()
  const kinds = out.flatMap(o =>
    o.type === 'send' && o.kind === Kind.Gossip ? ['gossip'] : o.type === 'close' ? [`close ${o.reason}`] : []
  )
  t.same(kinds, ['gossip', 'gossip', `close ${CloseReason.Asleep}`, `close ${CloseReason.Asleep}`])
  const told = decodeGossip((out.find(o => o.type === 'send') as { body: Uint8Array }).body)
  t.match(told, { records: [{ asleep: true, addresses: { length: 1 } }] })
  t.same([driver.view(0).state, driver.view(0).reason], ['unreachable', 'asleep'])

  driver.forget()
  driver.mesh.network(driver.now)
  driver.offer(0, address(50))
  driver.mesh.setOwnAddresses(driver.now, [])
  driver.mesh.setOnBattery(driver.now, true)
  driver.open(3, 0, { outgoing: false })
  t.same(driver.since('close'), [{ type: 'close', session: 3, reason: CloseReason.Asleep }])
  t.same([...driver.since('dial'), ...driver.since('sign')], [])
  t.same(driver.pass(HOUR), [], 'nothing is done any more')
  driver.mesh.sleep(driver.now)
  t.same(driver.since('sign'), [], 'twice is once')

  driver.mesh.setOwnAddresses(driver.now, [address(60)])
  driver.now += 5
  driver.mesh.wake(driver.now)
  const [again] = driver.since('sign')
  driver.mesh.ownRecord(driver.now, again!.body, new Uint8Array(64))
  t.ok(driver.since('dial').length > 0, 'and all are dialled')
})

t.test('what others say: it counts when its owner signed it and there is no session', async t => {
  const driver = new Driver(0, [1, 2])
  driver.open(1, 1)
  driver.pong(1)
  const told = (owner: number, incarnation: number, asleep: boolean) => {
    const one = record(owner, incarnation, address(owner))
    const bytes = one.bytes.slice()
    bytes[41] = asleep ? 2 : 0
    driver.receive(1, Kind.Gossip, records({ ...one, asleep, bytes }))
    for (const { batch } of driver.since('verify')) driver.mesh.verified(driver.now, batch, [true])
  }
  t.comment('of one that is away')
  told(2, 5, true)
  t.match(driver.view(2), { state: 'asleep', reason: 'asleep' })
  told(2, 4, false)
  t.equal(driver.view(2).state, 'asleep', 'an older word')
  driver.forget()
  told(2, 6, false)
  t.equal(driver.view(2).state, 'unreachable')
  t.equal(driver.since('dial').length, 1, 'and it is dialled at once')
  told(2, 7, true)
  t.equal(driver.since('cancel').length, 1)

  t.comment('of one there is a session with')
  driver.forget()
  told(1, 5, true)
  t.equal(driver.view(1).state, 'reachable')
  t.equal(driver.sent(Kind.Ping).length, 1, 'it is asked')
  driver.mesh.closed(driver.now, 1, 'closed')
  t.equal(driver.view(1).state, 'asleep', 'with the session the word holds')
  t.same(driver.since('dial'), [])
})

t.test('heard all the same: one look, no more', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.receive(1, Kind.Close, Uint8Array.of(0, CloseReason.Asleep))
  t.match(driver.view(1), { state: 'asleep', reason: 'asleep' })
  driver.forget()
  driver.mesh.offer(driver.now, ids[1]!, [address(1)], 'announcement')
  const [dial] = driver.since('dial')
  t.match(dial, { address: address(1) })
  driver.mesh.dialFailed(driver.now, dial!.attempt, 'timeout')
  driver.pass(HOUR)
  t.same(driver.since('dial'), [])
  t.equal(driver.view(1).state, 'asleep')
  driver.mesh.offer(driver.now, ids[1]!, [address(7)], 'announcement')
  t.match(driver.since('dial'), [{ address: address(7) }], 'at the address that was heard')
  driver.open(2, 1, { address: address(7) })
  driver.pong(2)
  t.match(driver.view(1), { state: 'reachable', asleepSince: 0 })
})

t.test('somebody has it woken: it is looked for, for a minute', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.receive(1, Kind.Close, Uint8Array.of(0, CloseReason.Asleep))
  driver.now += HOUR
  driver.forget()
  driver.mesh.seek(driver.now, ids[1]!)
  const until = driver.now + SEEK
  const tries = driver.pass(HOUR).filter(({ output }) => output.type === 'dial')
  t.ok(tries.length > 5, `${tries.length} times`)
  t.ok(tries.every(({ at }) => at <= until))
  t.equal(driver.view(1).state, 'asleep')
})

t.test('one of two with the same identity goes to sleep', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1, { bootId: 'one' })
  driver.pong(1)
  driver.open(2, 1, { bootId: 'two' })
  driver.pong(1, 2)
  driver.receive(2, Kind.Close, Uint8Array.of(0, CloseReason.Asleep))
  t.equal(driver.view(1).state, 'reachable', 'the other one is there')
})

t.test('not running for a moment: all are asked, and a missing answer does not count yet', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.forget()
  driver.now += 5_000
  driver.mesh.grace(driver.now)
  t.equal(driver.sent(Kind.Ping).length, 1)
  const begun = driver.now
  const all = driver.pass(60 * SECOND)
  const lost = all.find(({ output }) => output.type === 'peer' && output.peer.state === 'unreachable')
  t.ok(lost!.at - begun >= GRACE + 2 * SECOND, `after ${lost!.at - begun} ms`)
})

t.test('cards are told once, when their owner signed them', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  const told = (incarnation: number, mac: number) => {
    const one = record(1, incarnation, address(1))
    const bytes = Uint8Array.of(
      ...one.bytes.subarray(0, -66),
      0,
      9,
      1,
      7,
      0,
      2,
      0x77,
      0,
      0,
      0,
      mac,
      ...one.bytes.subarray(-64)
    )
    driver.receive(1, Kind.Gossip, records({ ...one, bytes }))
    for (const { batch } of driver.since('verify')) driver.mesh.verified(driver.now, batch, [true])
    return driver.since('cards').map(({ cards }) => cards.map(card => card.mac[5]))
  }
  t.same(told(1, 1), [[1]])
  t.same(told(2, 1), [])
  t.same(told(3, 2), [[2]])
  driver.receive(1, Kind.Gossip, digest())
})
