/** Copied disks: two computers with one identity. */
import t from 'tap'
import { Kind } from '../../src/wire/frame.ts'
import { type Computer as C, World } from './circle-world.ts'

const MINUTE = 60_000
const DAY = 86_400_000
const device = (at: C, of: C) => at.circle.devices().find(({ Id }) => Id === of.self)!
const signals = (of: C) => of.logged.filter(l => /one identity/.test(l))
/** What its notes say of a clone with this identity. */
const warning = (at: C, of: C) => at.note(`clone ${of.self}`)

/** Circle of a, b and c; b2 has a copy of b's disk. */
async function cloned() {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  const b2 = world.copy(b, 'b2')
  return { world, a, b, c, b2 }
}

t.test('who has sessions with both says so, and both are told', async t => {
  const { world, a, b, c, b2 } = await cloned()
  await world.until(() => warning(a, b) !== '', 'it is seen')
  await world.until(() => warning(b, b) !== '' && warning(b2, b) !== '', 'both know', 1_000)
  const short = b.self.slice(3, 11)
  t.match(
    warning(a, b),
    new RegExp(`^b \\(${short}\\) in the circle home exists twice: .*coterie remove ${short}`)
  )
  t.match(warning(b, b), new RegExp(`^this device \\(${short}\\) .* exists twice: .*join anew`))
  t.match(device(a, b), { Cloned: true })
  t.match(device(b2, b), { Cloned: true, Self: true })
  t.match(device(a, c), { Cloned: false })
  t.equal(signals(a).length, 1, 'told once')
  await world.pass(MINUTE)

  const opened = () => [a, b, c, b2].reduce((sum, of) => sum + of.sessions.length, 0)
  const [before, kept] = [opened(), world.links(a, b) + world.links(a, b2)]
  t.equal(kept, 2)
  await world.pass(30 * MINUTE)
  t.equal(opened(), before, 'no ping-pong of sessions')
  t.ok(b.sees(a) && b2.sees(a) && a.sees(b))
  t.equal(signals(a).length, 1)
})

t.test('it is over when the device is removed: everywhere, within a second', async t => {
  const { world, a, b, c, b2 } = await cloned()
  await world.until(() => warning(a, b) !== '' && warning(b2, b) !== '' && warning(b, b) !== '', 'all know')
  await world.pass(MINUTE)
  await world.done(a.circle.remove(b.self))
  await world.pass(1_000)
  for (const at of [a, c]) t.equal(world.links(at, b) + world.links(at, b2), 0)
  t.equal(warning(a, b), '')
  t.equal(warning(c, b), '')
  t.match(b.note('removed'), /was removed/)
  t.match(b2.note('removed'), /was removed/)
})

t.test('it is over a day after the copy was last there', async t => {
  const { world, a, b, b2, c } = await cloned()
  await world.until(() => warning(a, b) !== '' && warning(b, b) !== '', 'it is seen')
  await c.stop()
  await b2.stop()
  await world.pass(DAY / 2)
  t.not(warning(a, b), '')
  await world.pass(DAY)
  t.equal(warning(a, b), '')
  t.equal(warning(b, b), '')
  t.match(device(a, b), { Cloned: false })
})

t.test('two copies that hear each other meet, and know it with nobody else there', async t => {
  const { world, a, b, c, b2 } = await cloned()
  a.crash()
  c.crash()
  await world.pass(MINUTE)
  t.equal(warning(b, b), '')
  b.circle.heard(b2.announcement, b2.address, 'listen')
  await world.pass(10_000)
  t.equal(warning(b, b), '', 'not where it only listens')
  b.circle.heard(b2.announcement, b2.address)
  await world.until(() => warning(b, b) !== '' && warning(b2, b) !== '', 'both know', 2_000)
  t.match(warning(b, b), /it answers at tcp:\/\/192\.0\.2\.4:24747/)
  const dials = b.sessions.length
  for (let n = 0; n < 20; n++) b.circle.heard(b2.announcement, b2.address)
  await world.pass(5 * MINUTE)
  t.equal(b.sessions.length, dials, 'it does not ask all the time')
})

t.test('also when the keys of one have changed since', async t => {
  const { world, a, b, c, b2 } = await cloned()
  b2.crash()
  await world.done(b.circle.rekey())
  await world.pass(MINUTE)
  a.crash()
  c.crash()
  b2.start()
  b2.circle.heard(b.announcement, b.address)
  b.circle.heard(b2.announcement, b2.address)
  await world.until(() => warning(b, b) !== '' && warning(b2, b) !== '', 'both know')
  t.match(device(b, b), { Cloned: true })
})

t.test('its own announcement and its own old word warn nobody', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  const old = b.disk.rows
  const dials = () => b.around.gate.counters
  b.circle.heard(b.announcement, b.address)
  b.circle.heard(b.announcement, '192.0.2.77')
  await world.pass(10_000)
  t.equal(warning(b, b), '')
  await b.stop()
  b.disk.put(old)
  b.wrongMs = -DAY
  b.start()
  await world.meet(a, b)
  await world.pass(MINUTE)
  t.equal(warning(b, b), '', 'started anew with a clock behind, it meets its own older word')
  t.equal(warning(a, b), '')
  t.ok(dials().replay === 0)
})

t.test('a copy that two others see apart is found by what it says of its addresses', async t => {
  const { world, a, b, c, b2 } = await cloned()
  b2.crash()
  b.crash()
  world.reaches = (from, to) => {
    const pair = [from.name, to.name].sort().join(' ')
    return !['a b2', 'b c'].includes(pair)
  }
  b.start()
  await world.pass(1_000)
  b2.start()
  b2.circle.heard(c.announcement, c.address)
  await world.until(() => a.sees(b) && b2.sees(c), 'each sees one of them')
  await world.until(() => warning(b, b) !== '' && warning(b2, b) !== '', 'they met')
  t.ok(a.sees(c))
})

t.test('a lie of one member is a warning that names it, and no more', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  const session = a.sessions.findLast(({ peer }) => peer === b.self)!
  session.send(Kind.Clone, new Uint8Array(16).fill(7))
  await world.until(() => warning(b, b) !== '', 'it is heard')
  t.match(warning(b, b), /\(a sees both\)/)
  session.send(Kind.Clone, new Uint8Array(3))
  session.send(Kind.Clone, b.circle.handshakes.bootId)
  await world.pass(1_000)
  t.ok(a.sees(b))
})

t.test('two changes at one place in the log: a fork, flagged until the device is removed', async t => {
  const { world, a, b, c, b2 } = await cloned()
  b2.crash()
  world.reaches = () => false
  world.drop(b)
  await world.done(b.circle.rename('one'))
  await b.stop()
  b2.start()
  await world.done(b2.circle.rename('two'))
  await b2.stop()
  world.reaches = () => true
  b.start()
  await world.meet(a, b)
  await world.pass(10_000)
  await b.stop()
  t.equal(warning(a, b), '', 'one of them alone is nothing strange')
  b2.start()
  await world.until(() => warning(a, b) !== '' && warning(c, b) !== '', 'a fork is seen by all')
  t.match(warning(a, b), /two things at one place in the log/)
  t.match(device(a, b), { Cloned: true })
  await a.stop()
  a.start()
  t.not(warning(a, b), '', 'it is in the log')
  await world.meet(a, c)
  await world.done(a.circle.remove(b.self))
  t.equal(warning(a, b), '')
})
