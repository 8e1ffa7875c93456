import t from 'tap'
import { bodyLimit, CloseReason, Kind } from '../../src/wire/frame.ts'
import { Driver, hash8, nominate } from './drive.ts'

const nominations = (driver: Driver): { session: number; body: Uint8Array }[] =>
  driver.sent(Kind.Nominate).map(({ session, body }) => ({ session, body }))

const closes = (driver: Driver, ms: number): string[] =>
  driver
    .pass(ms)
    .flatMap(({ at, output }) =>
      output.type === 'close' ? [`${at} close ${output.session} ${output.reason}`] : []
    )

t.test('the lesser id nominates the newest, on it; the other is closed 2 s later', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.open(2, 1, { outgoing: false })
  t.same(nominations(driver), [
    { session: 1, body: nominate(hash8(1), 1) },
    { session: 2, body: nominate(hash8(2), 2) }
  ])
  t.equal(bodyLimit(Kind.Nominate), nominate(hash8(1), 1).length)
  t.equal(driver.nominated(1), 2)
  driver.pong(1, 2)
  t.same(closes(driver, 5_000), ['2000 close 1 undefined'])
  t.equal(driver.view(1).state, 'reachable')
})

t.test('the greater id moves to the newest, then to what is nominated', async t => {
  const driver = new Driver(1, [0])
  driver.open(1, 0)
  driver.open(2, 0)
  t.same(nominations(driver), [])
  t.equal(driver.nominated(0), 2)
  driver.receive(1, Kind.Nominate, nominate(hash8(1), 1))
  t.equal(driver.nominated(0), 1)
  t.same(closes(driver, 1_999), [])
  t.same(closes(driver, 1), ['2000 close 2 undefined'])
})

t.test('without a nomination the rest lingers for 10 s', async t => {
  const driver = new Driver(1, [0])
  driver.open(1, 0)
  driver.open(2, 0)
  driver.pong(1, 2)
  t.same(closes(driver, 11_000), ['10000 close 1 undefined'])
})

t.test('an older nomination that comes late changes nothing', async t => {
  const driver = new Driver(1, [0])
  driver.open(1, 0)
  driver.open(2, 0)
  driver.receive(2, Kind.Nominate, nominate(hash8(2), 7))
  driver.receive(1, Kind.Nominate, nominate(hash8(1), 6))
  driver.receive(1, Kind.Nominate, nominate(hash8(1), 7))
  t.equal(driver.nominated(0), 2)
})

t.test('a nomination after the restart of its sender counts', async t => {
  const driver = new Driver(1, [0])
  driver.open(1, 0)
  driver.receive(1, Kind.Nominate, nominate(hash8(1), 900))
  driver.mesh.closed(0, 1, 'reset')
  driver.open(2, 0, { bootId: 'next' })
  driver.open(3, 0, { bootId: 'next' })
  driver.receive(2, Kind.Nominate, nominate(hash8(2), 1))
  t.equal(driver.nominated(0), 2)
})

t.test('the one that was to be closed is used when the nominated one dies', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.open(2, 1)
  driver.pass(500)
  driver.forget()
  driver.mesh.closed(500, 2, 'reset')
  t.equal(driver.nominated(1), 1)
  t.same(nominations(driver), [{ session: 1, body: nominate(hash8(1), 3) }])
  t.equal(driver.view(1).state, 'reachable')
  driver.receive(1, Kind.Ping, new Uint8Array(8))
  t.same(closes(driver, 5_000), [])
})

t.test('who may not nominate, and what is not known', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.open(2, 1)
  driver.receive(1, Kind.Nominate, nominate(hash8(1), 1))
  t.equal(driver.nominated(1), 2)
  driver.receive(1, Kind.Nominate, hash8(1))
  const other = new Driver(1, [0])
  other.open(1, 0)
  other.receive(1, Kind.Nominate, nominate(hash8(9), 1))
  t.same(
    [...driver.since('count'), ...other.since('count')].map(({ what }) => what),
    ['nominate-not-entitled', 'malformed', 'nominate-unknown']
  )
})

t.test('a restart: the old session does not answer and is closed', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.pass(5_000)
  driver.open(2, 1, { bootId: 'next' })
  t.equal(driver.nominated(1), 2, 'the newer takes over at once')
  driver.pong(2)
  t.same(closes(driver, 3_000), ['6000 close 1 undefined'])
  t.same(driver.since('clone'), [])
})

t.test('a clone: the old session answers; both are kept and neither takes over again', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.pass(5_000)
  driver.open(2, 1, { bootId: 'clone' })
  driver.now += 10
  driver.pong(1, 2)
  t.equal(driver.since('clone').length, 1)
  t.equal(driver.nominated(1), 2)
  t.same(closes(driver, 10_000), [])
  driver.open(3, 1)
  t.equal(driver.nominated(1), 2, 'the other boot renews its session without taking over')
  driver.now += 10
  driver.pong(1, 2, 3)
  t.equal(driver.since('clone').length, 0, 'it was told once')
  driver.mesh.closed(driver.now, 2, 'reset')
  t.equal(driver.nominated(1), 3, 'when one is gone the other is used')
  t.equal(driver.view(1).state, 'reachable')
})

t.test('an answer that was under way before does not make a clone', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  const before = driver.since('send').find(({ kind }) => kind === Kind.Ping)!
  driver.now = 10
  driver.open(2, 1, { bootId: 'next' })
  driver.receive(1, Kind.Pong, before.body)
  t.same(driver.since('clone'), [])
  driver.pong(2)
  t.equal(closes(driver, 3_000).length, 1)
})

t.test('sessions with one peer are bounded', async t => {
  const driver = new Driver(1, [0])
  for (let session = 1; session <= 20; session++) driver.open(session, 0)
  const closed = driver.since('close').map(({ session }) => session)
  t.same(closed, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  t.equal(driver.nominated(0), 20)
})

t.test('a goodbye ends all sessions of that boot', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.open(2, 1)
  driver.forget()
  driver.receive(1, Kind.Close, Uint8Array.of(0, CloseReason.Stopping))
  t.match(driver.view(1), { state: 'unreachable', reason: 'stopped' })
  t.same(
    driver.since('close').map(({ session }) => session),
    [1, 2]
  )
  t.same(nominations(driver), [], 'none takes over only to be closed too')
})

t.test('what other Close frames do', async t => {
  for (const [body, reason] of [
    [[0, CloseReason.Left], 'stopped'],
    [[0, CloseReason.Protocol], 'closed'],
    [[], 'closed'],
    [[9, 9, 9], 'closed']
  ] as const) {
    const driver = new Driver(0, [1])
    driver.open(1, 1)
    driver.receive(1, Kind.Close, Uint8Array.from(body))
    t.equal(driver.view(1).reason, reason)
  }
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.open(2, 1)
  driver.receive(1, Kind.Close, Uint8Array.of(0, CloseReason.Superseded))
  t.equal(driver.view(1).state, 'reachable')
  t.equal(driver.nominated(1), 2)
})
