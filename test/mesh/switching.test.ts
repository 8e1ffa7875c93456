/** A peer is moved to a better way once that is proved, and equals stay where they are. */
import t from 'tap'
import type { OwnLink } from '../../src/mesh/mesh.ts'
import { ANSWER, ASKS, FASTER_USEC, HOLD, LOOK, SETTLE } from '../../src/mesh/switching.ts'
import { Driver, ids } from './drive.ts'

const uri = (host: string) => `tcp://${host}:24747`
const wireless: OwnLink = {
  address: uri('192.168.1.5'),
  kind: 'wireless',
  metered: false,
  prefix: 24,
  primary: true
}
const wired: OwnLink = { address: uri('10.0.0.5'), kind: 'wired', metered: false, prefix: 24 }
const [onWifi, onCable, other] = [uri('192.168.1.9'), uri('10.0.0.9'), uri('192.168.1.8')]

/** Device 0, with a session to 1 by Wi-Fi. */
function laptop(...links: OwnLink[]): Driver {
  const driver = new Driver(0, [1])
  have(driver, ...(links.length > 0 ? links : [wireless]))
  driver.offer(1, onWifi)
  driver.open(7, 1, { address: onWifi, local: 'tcp://192.168.1.5:40000' })
  settle(driver)
  return driver
}
function have(driver: Driver, ...links: OwnLink[]): void {
  driver.mesh.setOwnAddresses(
    driver.now,
    links.map(({ address }) => address),
    links
  )
}
/** Lets time pass with every ping answered. */
function live(driver: Driver, ms: number, ...sessions: number[]): void {
  const until = driver.now + ms
  while (driver.now < until) {
    driver.pong(...sessions)
    driver.pass(Math.min(500, until - driver.now))
  }
  driver.pong(...sessions)
}
function settle(driver: Driver, session = 7): void {
  live(driver, SETTLE + ANSWER, session)
  driver.forget()
}
/** Its own probes; those of the watch have numbers above 0. */
const looks = (driver: Driver) => driver.since('probe').filter(({ probe }) => probe < 0)
/** What is asked about first in the next look; each that is named answers then, after so many milliseconds. */
function look(
  driver: Driver,
  answers: { readonly [address: string]: number },
  session = 7
): readonly string[] {
  live(driver, SETTLE, session)
  const [probe] = looks(driver)
  for (const [address, ms] of Object.entries(answers))
    if (probe !== undefined) driver.mesh.probed(driver.now, ids[1]!, probe.probe, address, ms * 1_000)
  live(driver, ANSWER * ASKS, session)
  return probe?.addresses ?? []
}

t.test('a cable is plugged in: probed, then dialled, and the old session is superseded', async t => {
  const driver = laptop()
  driver.offer(1, onCable)
  t.same(look(driver, {}), [], 'it lies behind the router of the Wi-Fi')
  have(driver, wireless, wired)
  t.same(look(driver, { [onWifi]: 9, [onCable]: 8 }), [onWifi, onCable])
  const dials = driver.since('dial')
  t.match(dials, [{ address: onCable }])
  driver.open(8, 1, { address: onCable, local: 'tcp://10.0.0.5:40001' })
  t.equal(driver.nominated(1), 8)
  t.equal(driver.view(1).addresses[0], onCable)
  t.same(driver.since('close'), [], 'the old one lingers')
  t.comment('and there it stays, however fast the other becomes')
  t.same(look(driver, { [onWifi]: 0.1, [onCable]: 8 }, 8), [])
  live(driver, LOOK, 8)
  t.same(driver.since('dial'), [])
})

t.test('an address that does not answer is not dialled, unless no probe is answered at all', async t => {
  for (const [answers, dialled] of [
    [{ [onWifi]: 9 }, []],
    [{}, [{ address: onCable }]]
  ] as const) {
    const driver = laptop()
    driver.offer(1, onCable)
    have(driver, wireless, wired)
    t.same(look(driver, answers), [onWifi, onCable])
    t.match(driver.since('dial'), dialled)
    t.equal(driver.nominated(1), 7)
  }
})

t.test('a probe may be lost: what is better is asked again, then after a while', async t => {
  const driver = laptop()
  driver.mesh.setOnBattery(driver.now, true)
  driver.offer(1, onCable)
  have(driver, wireless, wired)
  live(driver, SETTLE, 7)
  const answers = (probe: number, address: string) =>
    driver.mesh.probed(driver.now, ids[1]!, probe, address, 9_000)
  for (let n = 1; n <= ASKS; n++) {
    const [asked] = looks(driver)
    t.same(asked?.addresses, n === 1 ? [onWifi, onCable] : [onCable])
    answers(asked!.probe, onWifi)
    live(driver, ANSWER, 7)
  }
  t.same([...looks(driver), ...driver.since('dial')], [])
  t.comment('though it saves')
  live(driver, HOLD + LOOK / 4, 7)
  const asked = looks(driver)
  t.same(
    asked.slice(0, 2).map(({ addresses }) => addresses),
    [
      [onWifi, onCable],
      [onWifi, onCable]
    ]
  )
  t.match(driver.since('dial'), [{ address: onCable }], 'no probe was answered at all')
})

t.test('equals stay; what is clearly faster is taken', async t => {
  const near = FASTER_USEC / 1_000
  for (const [inUse, there, moves] of [
    [1, 0.1, false],
    [9, 7, false],
    [100, 70, false],
    [near * 3, near * 2 + 0.1, false],
    [near * 3, near * 2, true],
    [100, 60, true]
  ] as const) {
    const driver = laptop()
    driver.offer(1, other)
    t.same(look(driver, { [onWifi]: inUse, [other]: there }), [onWifi, other])
    t.equal(driver.since('dial').length, moves ? 1 : 0, `${there} ms instead of ${inUse} ms`)
  }
})

t.test('two ends that judge differently do not pull each other to and fro', async t => {
  const driver = laptop()
  driver.offer(1, onCable)
  have(driver, wireless, wired)
  let moves = 0
  let session = 7
  const end = driver.now + 3_600_000
  while (driver.now < end) {
    live(driver, 1_000, session)
    for (const { probe, addresses } of looks(driver))
      for (const address of addresses) driver.mesh.probed(driver.now, ids[1]!, probe, address, 500)
    for (const { address } of driver.since('dial')) {
      t.equal(address, onCable)
      moves++
      driver.open(++session, 1, { address: onCable, local: 'tcp://10.0.0.5:40001' })
      driver.open(++session, 1, {
        address: 'tcp://192.168.1.9:50000',
        local: wireless.address,
        outgoing: false
      })
    }
    driver.forget()
  }
  t.ok(moves >= 2 && moves <= 7, `${moves} in an hour`)
})

t.test('the kernel goes another way than was thought: it is not tried again and again', async t => {
  const driver = laptop()
  driver.offer(1, onCable)
  have(driver, wireless, wired)
  look(driver, { [onWifi]: 9, [onCable]: 8 })
  t.equal(driver.since('dial').length, 1)
  driver.open(8, 1, { address: onCable, local: 'tcp://192.168.1.5:40001' })
  live(driver, HOLD, 8)
  t.notMatch(driver.since('dial'), [{ address: onCable }], 'what is near by Wi-Fi is the better one then')
})

t.test('one that saves is moved to a better link, and not asked for a faster one', async t => {
  const driver = laptop()
  driver.mesh.setOnBattery(driver.now, true)
  driver.offer(1, other)
  t.same(look(driver, {}), [])
  live(driver, 2 * LOOK, 7)
  t.same(looks(driver), [])
  driver.offer(1, onCable)
  have(driver, wireless, wired)
  t.same(look(driver, { [onWifi]: 9, [onCable]: 8 }), [onWifi, onCable])
  t.match(driver.since('dial'), [{ address: onCable }])
})

t.test('what begins to cost by the byte is left', async t => {
  const driver = laptop(wireless, { ...wired, metered: true })
  driver.offer(1, onCable)
  t.same(look(driver, {}), [])
  have(driver, { ...wireless, metered: true }, wired)
  t.same(look(driver, {}), [onWifi, onCable])
  t.match(driver.since('dial'), [{ address: onCable }])
})

t.test('a peer that is gone is not looked at', async t => {
  const driver = laptop()
  driver.offer(1, other)
  driver.mesh.setMembers(driver.now, [ids[0]!])
  driver.forget()
  driver.pass(LOOK)
  t.same(looks(driver), [])
})
