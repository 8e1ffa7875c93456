import t from 'tap'
import { Candidates } from '../../src/mesh/candidates.ts'
import { isNews, reasonOf, roundTripUSec, smooth } from '../../src/mesh/presence.ts'
import { Kind } from '../../src/wire/frame.ts'
import { address, Driver } from './drive.ts'

t.test('smoothing', async t => {
  t.equal(smooth(0, 800), 800, 'the first sample is it')
  t.equal(smooth(800, 1600), 900)
  t.equal(roundTripUSec(0), 1, '0 means unknown')
  t.equal(roundTripUSec(1.2345), 1235)
})

t.test('which latency is news', async t => {
  const table: [number, number, boolean][] = [
    [0, 0, false],
    [0, 1, true],
    [1000, 1200, false],
    [1000, 1201, true],
    [1000, 799, true],
    [50_000, 52_000, false],
    [50_000, 52_001, true],
    [50_000, 47_999, true],
    [5_000, 6_000, false]
  ]
  for (const [published, current, news] of table) {
    t.equal(isNews(published, current), news, `${published} -> ${current}`)
  }
})

t.test('why a peer is unreachable', async t => {
  const peer = (facts: object) => ({
    state: 'unreachable' as const,
    lost: '' as const,
    refused: false,
    candidates: new Candidates(),
    ...facts
  })
  const somewhere = new Candidates()
  somewhere.offer(0, address(1), 'static')
  t.equal(reasonOf(peer({ state: 'reachable', lost: 'closed' }), true), '')
  t.equal(reasonOf(peer({}), true), 'no-address')
  t.equal(reasonOf(peer({ candidates: somewhere }), true), 'never-seen')
  t.equal(reasonOf(peer({ candidates: somewhere, refused: true }), true), 'refused')
  t.equal(reasonOf(peer({ lost: 'stopped', refused: true }), true), 'stopped')
  t.equal(reasonOf(peer({ lost: 'timeout' }), false), 'no-network')
})

t.test('the side that answered shows a peer as reachable only after a pong', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1, { outgoing: false })
  t.equal(driver.view(1).state, 'unreachable')
  t.equal(driver.nominated(1), 1, 'but writes to it')
  driver.now += 3
  driver.pong(1)
  t.match(driver.view(1), { state: 'reachable', latencyUSec: 3_000, path: 'direct', reason: '' })
})

t.test('the ping after the handshake corrects its round trip', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1, { roundTripUSec: 9_000 })
  t.equal(driver.view(1).latencyUSec, 9_000)
  driver.now += 1
  driver.pong(1)
  driver.pass(1_000)
  t.equal(driver.view(1).latencyUSec, 1_000)
})

t.test('a latency is shown once a second at most, the last one then', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1, { roundTripUSec: 1_000 })
  driver.pong(1)
  driver.forget()
  for (const wait of [10, 20, 40, 80]) {
    driver.mesh.ping(driver.now, driver.view(1).id, 1)
    driver.now += wait
    driver.pong(1)
  }
  t.same(driver.since('peer'), [])
  const shown = driver.pass(1_000).filter(({ output }) => output.type === 'peer')
  t.equal(shown.length, 1)
  t.equal(shown[0]!.at, 1_000)
  t.ok(driver.view(1).latencyUSec > 10_000)
})

t.test('keepalive: silence, three misses, gone', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.now = 1
  driver.pong(1)
  const events = driver.pass(60_000).filter(({ output }) => {
    return (output.type === 'send' && output.kind === Kind.Ping) || output.type === 'close'
  })
  // half a second later than the other side would, whose turn it was
  t.same(
    events.map(({ at, output }) => `${at} ${output.type}`),
    ['15501 send', '16501 send', '17501 send', '18501 close']
  )
  t.match(driver.view(1), { state: 'unreachable', reason: 'timeout', unreachableSince: 18_501 })
})

t.test('keepalive: any frame is a sign of life', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.forget()
  for (let i = 0; i < 20; i++) {
    driver.pass(10_000)
    driver.mesh.heard(driver.now, 1)
  }
  t.equal(driver.view(1).state, 'reachable')
  const pings = driver.since('send').filter(({ kind }) => kind === Kind.Ping)
  t.ok(pings.length >= 2 && pings.length <= 4, `${pings.length} to measure, none to ask`)
})

t.test('keepalive: sessions whose turns are near are pinged together', async t => {
  const driver = new Driver(0, [1, 2, 3])
  for (const [peer, at] of [
    [1, 0],
    [2, 4_000],
    [3, 8_000]
  ] as const) {
    driver.pass(at - driver.now)
    driver.open(peer, peer)
    driver.pong(peer)
  }
  const pings = driver
    .pass(12_000)
    .flatMap(({ at, output }) =>
      output.type === 'send' && output.kind === Kind.Ping ? [`${output.session} at ${at}`] : []
    )
  t.same(pings.slice(0, 2), ['1 at 15500', '2 at 15500'])
  t.notOk(pings.includes('3 at 15500'), 'the third has 8 seconds left')
})

t.test('keepalive: a slow link gets more time', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1, { roundTripUSec: 2_000_000 })
  driver.now = 2_000
  driver.pong(1)
  const closed = driver.pass(60_000).find(({ output }) => output.type === 'close')
  t.equal(closed?.at, 2_000 + 15_500 + 3 * 8_000)
})

t.test('after a network event every session is asked at once', async t => {
  const driver = new Driver(0, [1, 2])
  driver.open(1, 1)
  driver.open(2, 2)
  driver.pong(1, 2)
  driver.pass(5_000)
  driver.forget()
  driver.mesh.network(driver.now)
  driver.mesh.network(driver.now)
  t.same(
    driver.sent(Kind.Ping).map(({ session }) => session),
    [1, 2]
  )
  driver.receive(2, Kind.Ping, new Uint8Array(8))
  for (let i = 0; i < 30; i++) {
    driver.pass(100)
    driver.pong(2)
  }
  t.equal(driver.view(1).reason, 'timeout')
  t.equal(driver.view(2).state, 'reachable')
})

t.test('keepalive: an expiry that comes an hour late accuses nobody', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.now = 3_600_000
  driver.mesh.expire(driver.now)
  t.equal(driver.view(1).state, 'reachable')
  t.same(driver.since('close'), [])
})

t.test('odd pings and pongs are counted', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.forget()
  driver.receive(1, Kind.Ping, new Uint8Array(7))
  driver.receive(1, Kind.Pong, new Uint8Array(7))
  driver.receive(1, Kind.Pong, new Uint8Array(8).fill(255))
  driver.receive(1, 99, new Uint8Array(0))
  t.same(
    driver.since('count').map(({ what }) => what),
    ['malformed', 'pong-unknown', 'pong-unknown', 'kind']
  )
  t.same(driver.since('send'), [])
  driver.receive(1, Kind.Ping, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
  t.match(driver.since('send'), [{ kind: Kind.Pong, body: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }])
})

t.test('what is told of sessions, peers and attempts nobody knows changes nothing', async t => {
  const driver = new Driver(0, [1])
  driver.mesh.closed(0, 9, 'reset')
  driver.mesh.dialFailed(0, 9, 'refused')
  driver.mesh.receive(0, 9, Kind.Ping, new Uint8Array(8))
  driver.mesh.heard(0, 9)
  driver.mesh.verified(0, 9, [true])
  driver.mesh.ownRecord(0, new Uint8Array(3), new Uint8Array(64))
  driver.mesh.offer(0, 'co1nobody', [address(9)], 'static')
  driver.mesh.offer(0, driver.view(1).id, ['nonsense', 'tcp://[fe80::1]:1'], 'static')
  t.same(driver.take(), [])
  t.same(driver.view(1).addresses, [])
})

t.test('a session with somebody who is no member is closed', async t => {
  const driver = new Driver(0, [1])
  driver.open(7, 2)
  t.match(driver.since('close'), [{ session: 7, reason: 4 }])
  t.equal(driver.nominated(2), undefined)
})

t.test('stop: goodbye to all, and nothing more', async t => {
  const driver = new Driver(0, [1, 2, 3])
  driver.open(1, 1)
  driver.open(2, 2)
  driver.offer(3, address(3))
  driver.forget()
  driver.mesh.stop(driver.now)
  t.match(driver.since('close'), [
    { session: 1, reason: 1 },
    { session: 2, reason: 1 }
  ])
  t.match(driver.since('cancel'), [{}])
  t.equal(driver.mesh.deadline, Infinity)
  driver.offer(3, address(4))
  driver.mesh.network(driver.now)
  driver.open(3, 3)
  t.match(driver.since('close'), [{ session: 3, reason: 1 }])
  t.same(driver.since('dial'), [])
})

t.test('the address in use comes first, the others as they would be tried', async t => {
  const driver = new Driver(0, [1])
  driver.offer(1, address(11), address(12), address(13))
  driver.open(1, 1, { address: address(12) })
  t.equal(driver.view(1).addresses[0], address(12))
  t.equal(driver.view(1).addresses.length, 3)
  driver.open(2, 1, { address: 'tcp://192.0.2.13:50123', outgoing: false })
  t.equal(driver.view(1).addresses[0], address(13), 'not the port it came from')
  t.equal(driver.view(1).addresses.length, 3)
})
