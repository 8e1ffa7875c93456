import t from 'tap'
import { peerId } from '../../src/crypto/identity.ts'
import { Candidates } from '../../src/mesh/candidates.ts'
import { ATTEMPTS, ATTEMPTS_PER_PEER, gapAfter, STAGGER } from '../../src/mesh/dialling.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { Kind } from '../../src/wire/frame.ts'
import { address, Driver, ids } from './drive.ts'

/** Attempts and when they began; each is refused at once unless `refuse` says no. */
function dials(driver: Driver, ms: number, refuse = true): { at: number; address: string }[] {
  const until = driver.now + ms
  const all: { at: number; address: string }[] = []
  const note = (): void => {
    for (let begun = driver.since('dial'); begun.length > 0; begun = refuse ? driver.since('dial') : []) {
      for (const { attempt, address } of begun) {
        all.push({ at: driver.now, address })
        if (refuse) driver.mesh.dialFailed(driver.now, attempt, 'refused')
      }
    }
  }
  for (note(); driver.mesh.deadline <= until; note()) {
    driver.now = driver.mesh.deadline
    driver.mesh.expire(driver.now)
  }
  driver.now = until
  return all
}

/** A peer that was reachable at its one address, and is lost at time 1,000. */
function lost(reason = 'reset', random = 0): Driver {
  const driver = new Driver(0, [1], { random: () => random })
  driver.open(1, 1)
  driver.pong(1)
  driver.pass(1_000)
  driver.forget()
  driver.mesh.closed(1_000, 1, reason)
  return driver
}

t.test('the gaps between rounds', async t => {
  const table: [number, number, number][] = [
    [0, 2_000, 2_000],
    [59_999, 2_000, 2_000],
    [60_000, 2_000, 4_000],
    [64_000, 4_000, 8_000],
    [1e9, 32_000, 60_000],
    [1e9, 60_000, 60_000]
  ]
  for (const [elapsed, previous, gap] of table) t.equal(gapAfter(elapsed, previous), gap)
})

t.test('after a loss: at once, every 2 s for a minute, then backing off to 60 s', async t => {
  const times = dials(lost(), 400_000).map(({ at }) => at - 1_000)
  const eager = Array.from({ length: 31 }, (_, i) => i * 2_000)
  t.same(times, [...eager, 64_000, 72_000, 88_000, 120_000, 180_000, 240_000, 300_000, 360_000])
})

t.test('the back-off is spread by up to a quarter, the eager minute is not', async t => {
  const times = dials(lost('reset', 0.999), 200_000).map(({ at }) => Math.round((at - 1_000) / 1_000))
  t.same(
    times.slice(0, 31),
    Array.from({ length: 31 }, (_, i) => i * 2)
  )
  t.same(times.slice(31), [63, 69, 81, 105, 150, 195])
})

t.test('after a goodbye the first is 2 s later', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.forget()
  driver.receive(1, 4, Uint8Array.of(0, 1))
  t.equal(driver.view(1).reason, 'stopped')
  t.same(
    dials(driver, 6_000).map(({ at }) => at),
    [2_000, 4_000, 6_000]
  )
  t.equal(driver.view(1).reason, 'stopped', 'it was refused, but we know better why')
})

t.test('a network event, an announcement and gossip of a new address are each followed at once', async t => {
  const driver = lost()
  dials(driver, 500_000)
  driver.pass(500)
  driver.mesh.network(driver.now)
  t.equal(dials(driver, 0).length, 1)
  driver.pass(70_000)
  driver.forget()

  driver.mesh.offer(driver.now, ids[1]!, [address(50)], 'announcement')
  t.same(
    dials(driver, 0)
      .map(dial => dial.address)
      .sort(),
    [address(1), address(50)],
    'a new address begins a round'
  )
  driver.pass(500_000)
  driver.forget()

  driver.mesh.offer(driver.now, ids[1]!, [address(50)], 'announcement')
  t.same(
    dials(driver, 0).map(dial => dial.address),
    [address(50)],
    'one that is known is tried'
  )
  driver.mesh.offer(driver.now, ids[1]!, [address(50)], 'announcement')
  t.same(dials(driver, 0), [], 'not twice in a second')
})

t.test('candidates are raced 50 ms apart, a failure starts the next at once', async t => {
  const driver = new Driver(0, [1])
  const start = (): number[] => dials(driver, 120, false).map(({ at }) => at)
  driver.offer(1, address(11), address(12), address(13), address(14))
  t.same(start(), [0, 50, 100])
  driver.mesh.dialFailed(driver.now, 1, 'refused')
  t.same(start(), [120])
})

t.test('the first confirmed session cancels the rest', async t => {
  const driver = new Driver(0, [1])
  driver.offer(1, address(11), address(12), address(13), address(14))
  dials(driver, 120, false)
  driver.open(1, 1, { address: address(12) })
  t.same(
    driver.since('cancel').map(({ attempt }) => attempt),
    [1, 3]
  )
  driver.pong(1)
  t.same(dials(driver, 14_000, false), [], 'and none is begun while it is reachable')
})

t.test('a session that came in cancels too', async t => {
  const driver = new Driver(0, [1])
  driver.offer(1, address(11))
  dials(driver, 10, false)
  driver.open(1, 1, { outgoing: false })
  t.match(driver.since('cancel'), [{ attempt: 1 }])
})

t.test('an attempt that is never answered is given up after 5 s', async t => {
  const driver = new Driver(0, [1])
  driver.offer(1, address(11))
  const begun = dials(driver, 12_100, false).map(({ at }) => at)
  // the rounds at 2 and 4 s find it under way
  t.same(begun, [0, 6_000, 12_000])
  t.same(
    driver.since('cancel').map(({ attempt }) => attempt),
    [1, 2]
  )
  driver.mesh.dialFailed(driver.now, 1, 'timeout')
  t.same(dials(driver, 0, false), [], 'what the daemon says of it later is no news')
})

t.test('attempts are limited for each peer', async t => {
  const driver = new Driver(0, [1])
  driver.offer(1, ...Array.from({ length: 8 }, (_, i) => address(10 + i)))
  t.equal(dials(driver, 1_000, false).length, ATTEMPTS_PER_PEER)
  driver.mesh.dialFailed(driver.now, 1, 'timeout')
  t.equal(dials(driver, 10, false).length, 1)
})

t.test('attempts are limited over all; who waits comes in turn', async t => {
  const driver = new Driver(0, [])
  const crowd = Array.from({ length: 15 }, (_, i) => peerId(new Uint8Array(32).fill(i + 1)))
  driver.mesh.setMembers(0, crowd)
  for (const [i, id] of crowd.entries()) {
    driver.mesh.offer(
      0,
      id,
      Array.from({ length: 8 }, (_, k) => `tcp://198.51.${i}.${k + 1}:1`),
      'static'
    )
  }
  const begun: { attempt: number; peer: string }[] = []
  while (driver.now < 1_000) {
    driver.pass(10)
    begun.push(...driver.since('dial'))
  }
  t.equal(begun.length, ATTEMPTS)
  t.equal(new Set(begun.map(({ peer }) => peer)).size, crowd.length, 'everybody has one at least')

  const first = begun.filter(({ peer }) => peer === crowd[0])
  t.ok(first.length >= 2)
  for (const { attempt } of first) driver.mesh.dialFailed(driver.now, attempt, 'timeout')
  const later = driver.since('dial')
  const next = later.map(({ peer }) => peer)
  t.equal(next.length, first.length)
  t.equal(new Set(next).size, next.length, 'what it leaves goes to those who wait, one each')

  const lucky = [...begun, ...later].filter(({ peer }) => peer === crowd[5])
  driver.mesh.opened(driver.now, {
    session: 1,
    peer: crowd[5]!,
    address: 'tcp://198.51.5.1:1',
    local: '',
    outgoing: true,
    bootId: 'boot',
    hash8: new Uint8Array(8),
    roundTripUSec: 1
  })
  t.equal(driver.since('dial').length, lucky.length, 'and so does what one that is reached leaves')
})

t.test('a renewal is tried for a minute, then again after five; the session is used meanwhile', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1)
  driver.pong(1)
  driver.forget()
  const times: number[] = []
  while (driver.now < 4_400_000) {
    times.push(...dials(driver, 1_000).map(({ at }) => at))
    driver.receive(1, Kind.Ping, new Uint8Array(8))
  }
  const minutes = [...new Set(times.map(at => Math.floor(at / 60_000)))]
  // the random numbers are 0: 54 minutes, then at 60 and 66 …
  t.same(minutes, [54, 60, 66, 72])
  t.equal(times.length, 4 * 30)
  t.equal(driver.view(1).state, 'reachable')
  t.equal(driver.nominated(1), 1)
})

t.test('a network that changes cancels what is under way and begins again', async t => {
  const driver = new Driver(0, [1])
  driver.offer(1, address(11))
  dials(driver, 1_000, false)
  driver.mesh.setOwnAddresses(driver.now, [address(200)])
  t.match(driver.since('cancel'), [{ attempt: 1 }])
  t.match(dials(driver, 0, false), [{ at: 1_000, address: address(11) }])
})

t.test('our own address is not dialled, whoever says that a peer is there', async t => {
  const driver = new Driver(0, [1])
  driver.offer(1, address(100), address(11))
  t.same(
    dials(driver, 1_000).map(dial => dial.address),
    [address(11)]
  )
})

t.test('the address a session was made from is gone: another is made while it is still used', async t => {
  const driver = new Driver(0, [1])
  driver.open(1, 1, { local: 'tcp://192.0.2.100:40000' })
  driver.pong(1)
  driver.pass(5_000)
  driver.forget()
  driver.mesh.setOwnAddresses(driver.now, [address(100), address(200)])
  t.same(dials(driver, 0, false), [], 'it is still there')
  driver.mesh.setOwnAddresses(driver.now, [address(200)])
  t.match(dials(driver, 0, false), [{ address: address(1) }])
  t.equal(driver.view(1).state, 'reachable')
  driver.open(2, 1, { local: 'tcp://192.0.2.200:40000' })
  t.equal(driver.nominated(1), 2)
})

t.test('an address that worked is recorded once an hour', async t => {
  const driver = new Driver(0, [1])
  const records = () => driver.mesh.take().records
  driver.open(1, 1)
  t.same(records(), [{ peer: ids[1], address: address(1) }])
  driver.open(2, 1)
  driver.open(3, 1, { outgoing: false, address: 'tcp://192.0.2.9:50000' })
  t.same(records(), [])
  driver.now = 3_600_000
  driver.open(4, 1)
  t.equal(records().length, 1)
})

t.test('the order of candidates', async t => {
  const own = [parseAddress('tcp://192.168.1.5:24747')!, parseAddress('tcp://[2001:db8:1::5]:24747')!]
  const order = (fill: (all: Candidates) => void): string[] => {
    const all = new Candidates()
    fill(all)
    return all.ranked(own).map(candidate => candidate.text.slice(6, -6))
  }
  t.same(
    order(all => {
      all.offer(0, 'tcp://203.0.113.9:24747', 'gossip')
      all.offer(0, 'tcp://10.9.9.9:24747', 'gossip')
      all.offer(0, 'tcp://192.168.1.9:24747', 'gossip')
      all.offer(0, 'tcp://192.168.1.8:24747', 'announcement')
      all.offer(0, 'tcp://192.168.1.5:24747', 'static')
    }),
    ['192.168.1.8', '192.168.1.9', '10.9.9.9', '203.0.113.9'],
    'near first, then by who says so; never ourselves'
  )
  t.same(
    order(all => {
      all.offer(0, 'tcp://192.168.1.9:24747', 'static')
      all.worked(1, 'tcp://203.0.113.9:24747')
      all.worked(2, 'tcp://203.0.113.8:24747')
    }),
    ['203.0.113.8', '203.0.113.9', '192.168.1.9'],
    'what worked last comes first'
  )
  t.same(
    order(all => {
      all.worked(2, 'tcp://203.0.113.8:24747')
      all.get('tcp://203.0.113.8:24747')!.failures = 1
      all.offer(0, 'tcp://192.168.1.9:24747', 'static')
    }),
    ['192.168.1.9', '203.0.113.8'],
    'unless it has failed since'
  )
  t.same(
    order(all => {
      for (const ip of ['192.168.1.1', '192.168.1.2', '[2001:db8:1::1]', '[2001:db8:1::2]']) {
        all.offer(0, `tcp://${ip}:24747`, 'gossip')
      }
    }),
    ['192.168.1.1', '[2001:db8:1::1]', '192.168.1.2', '[2001:db8:1::2]'],
    'the families take turns'
  )
})

t.test('what a source says is bounded, and the oldest goes', async t => {
  const all = new Candidates()
  for (let i = 1; i <= 20; i++) all.offer(i, address(i), 'announcement')
  t.equal(all.size, 8)
  t.equal(all.get(address(12)), undefined)
  t.ok(all.get(address(13)))
  all.offer(0, address(1), 'static')
  all.replace(30, [address(40), address(41)], 'gossip')
  t.equal(all.replace(31, [address(41)], 'gossip'), false)
  t.equal(all.get(address(40)), undefined, 'its owner takes it back')
  t.equal(all.replace(32, [address(1), address(42)], 'gossip'), true)
  t.ok(all.get(address(1)))
  all.replace(33, [], 'gossip')
  t.ok(all.get(address(1)), 'the user still says so')
})

t.test('one that closes each session at once is asked less and less often', async t => {
  const driver = new Driver(0, [1], { random: () => 0 })
  const opened: number[] = []
  for (let session = 1; driver.now < 400_000; session++) {
    opened.push(driver.now)
    driver.open(session, 1)
    driver.pass(50)
    driver.forget()
    driver.mesh.closed(driver.now, session, 'reset')
    const begun = () => driver.since('dial')
    for (let dialled = begun(); dialled.length === 0; dialled = begun()) {
      driver.now = driver.mesh.deadline
      driver.mesh.expire(driver.now)
    }
  }
  const gaps = opened.slice(1).map((at, i) => Math.round((at - opened[i]!) / 1_000))
  t.same(gaps, [0, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60].slice(0, gaps.length))
  t.ok(gaps.length >= 10)
})

t.test(
  'a guess comes last, is not tried again for ten minutes, and proves nothing against the peer',
  async t => {
    const driver = new Driver(0, [1])
    const guess = 'tcp://100.64.0.9:24747'
    driver.offer(1, address(1))
    driver.mesh.offer(0, ids[1]!, [guess], 'overlay')
    t.ok(driver.mesh.guess(ids[1]!, guess))
    t.notOk(driver.mesh.guess(ids[1]!, address(1)))
    driver.pass(STAGGER)
    const dials = driver.since('dial')
    t.same(
      dials.map(dial => dial.address),
      [address(1), guess]
    )
    driver.mesh.dialFailed(driver.now, dials[0]!.attempt, 'timeout')
    driver.mesh.dialFailed(driver.now, dials[1]!.attempt, 'refused')
    t.equal(driver.view(1).reason, 'never-seen')
    let again = 0
    while (driver.now < 598_000) {
      driver.pass(1_000)
      for (const dial of driver.since('dial')) {
        if (dial.address === guess) again++
        driver.mesh.dialFailed(driver.now, dial.attempt, 'timeout')
      }
    }
    t.equal(again, 0)
    t.comment('once a session was made there it is an address like others')
    driver.open(1, 1, { address: guess })
    t.notOk(driver.mesh.guess(ids[1]!, guess))
  }
)
