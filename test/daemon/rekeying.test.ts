/** Static keys that change, and devices that were away meanwhile. */
import t from 'tap'
import { hex } from '../../src/wire/bytes.ts'
import { type Computer as C, World } from './circle-world.ts'

const DAY = 86_400_000
const serials = (of: C) => of.disk.table('circle')[0]!.serial
const current = (of: C) => hex(of.circle.handshakes.statics[0]!.publicKey)
const towards = (of: C, peer: C) => hex(of.circle.handshakes.staticTowards(peer.self).publicKey)
const knows = (at: C, of: C) =>
  at.circle.handshakes.owner(of.circle.handshakes.statics[0]!.publicKey) === of.self
/** Every session ends and begins anew. */
async function anew(world: World, one: C, other: C): Promise<void> {
  world.drop(one, other)
  await world.until(() => !one.sees(other) && !other.sees(one), 'they part')
  await world.meet(one, other)
}

t.test('a new static: on disk with its operation, used where it is known, the old one accepted', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  const before = current(b)
  b.disk.hold()
  const changing = b.circle.rekey()
  await world.pass(500)
  t.equal(current(b), before, 'not before it is on disk')
  b.disk.release()
  await world.done(changing)
  t.not(current(b), before)
  t.equal(serials(b), 1)
  t.equal(hex(b.disk.table('circle')[0]!.secret).length, 64)
  t.equal(b.disk.table('previous').length, 1)
  t.equal(towards(b, a), before, 'not before the other has it')
  await world.until(() => towards(b, a) === current(b), 'it is acknowledged', 1_000)
  t.ok(knows(a, b))
  await anew(world, a, b)
  await b.stop()
  b.start()
  t.equal(towards(b, a), current(b), 'which is remembered')
  await world.meet(a, b)
  t.ok(Math.abs(b.circle.devices()[1]!.KeyChangedUSec / 1000 - b.around.wall()) < 60_000)
  t.equal(b.circle.devices()[0]!.KeyChangedUSec, a.circle.devices()[0]!.KeyChangedUSec)
})

for (const [reaches, how] of [
  [true, 'when it is dialled'],
  [false, 'when it dials']
] as const)
  t.test(`one that was away for a change gets in ${how}`, async t => {
    const world = new World()
    const [a, b] = (await world.circle('a', 'b')) as [C, C]
    await world.pass(10_000)
    await a.stop()
    await world.done(b.circle.rekey())
    t.not(towards(b, a), current(b))
    world.reaches = from => (from === b) === reaches
    a.start()
    if (!reaches) a.circle.heard(b.announcement, b.address)
    await world.meet(a, b)
    await world.until(() => towards(b, a) === current(b), 'it has learned the new one')
    world.reaches = () => true
    await anew(world, a, b)
  })

t.test('one that was away for two and for three changes', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  for (const changes of [2, 3]) {
    await a.stop()
    for (let n = 0; n < changes; n++) await world.done(b.circle.rekey())
    world.reaches = from => from === a
    a.start()
    await world.pass(20_000)
    t.notOk(a.sees(b), 'what it knows is accepted no more')
    world.reaches = () => true
    await world.meet(a, b)
    await world.until(() => towards(b, a) === current(b), 'dialled, it learns the last')
    await anew(world, a, b)
  }
  t.equal(serials(b), 5)
})

t.test('the discovery key reaches one that changed twice unseen by who made it', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  world.reaches = () => false
  world.drop(a)
  for (let n = 0; n < 2; n++) await world.done(b.circle.rekey())
  await world.done(a.circle.remove(c.self))
  world.reaches = () => true
  await world.meet(a, b)
  await world.pass(10_000)
  t.ok(b.circle.recognises(a.announcement))
  t.ok(a.circle.recognises(b.announcement))
})

t.test('a crash between: either both rows or none', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  const before = current(b)
  b.disk.refuses = writes => writes.some(write => 'put' in write && write.put.table === 'previous')
  await t.rejects(world.done(b.circle.rekey()))
  t.equal(current(b), before)
  b.disk.refuses = () => false
  await world.done(b.circle.rekey())
  b.crash()
  b.start()
  await world.meet(a, b)
  await world.until(() => towards(b, a) === current(b), 'it goes on')
})

t.test('by itself after 90 days; the previous secret is kept for 180', async t => {
  const world = new World()
  const a = world.computer('a')
  await a.init()
  const first = current(a)
  await world.pass(89 * DAY)
  t.equal(current(a), first)
  await world.pass(2 * DAY)
  t.not(current(a), first)
  t.equal(serials(a), 1)
  t.equal(a.circle.handshakes.statics.length, 2)
  await world.pass(90 * DAY)
  t.equal(serials(a), 2)
  await a.stop()
  await world.pass(2 * DAY)
  a.wrongMs = 185 * DAY
  a.start()
  t.equal(a.circle.handshakes.statics.length, 1, 'its grace is over')
  await world.pass(1_000)
  t.equal(a.disk.table('previous')[0]!.secret.length, 0)
  await world.pass(DAY)
  t.equal(serials(a), 3)
})

t.test('a wrong clock makes no storm', async t => {
  const world = new World()
  const a = world.computer('a')
  await a.init()
  await world.pass(10_000)
  const YEAR = 365 * DAY
  for (const wrong of [-60 * YEAR, 20 * YEAR, 0, 20 * YEAR, -2 * YEAR, 20 * YEAR, 0]) {
    a.crash()
    a.wrongMs = wrong
    a.start()
    await world.pass(300_000)
    a.wrongMs = 0
    await world.pass(300_000)
  }
  t.equal(serials(a), 0, 'wrong for minutes after a start')
  for (let n = 0; n < 40; n++) {
    a.wrongMs = n % 2 === 0 ? 20 * YEAR : 0
    await world.pass(DAY / 4)
  }
  t.ok(serials(a) <= 1, 'wrong and right by turns')
  a.wrongMs = 0
  await world.pass(100 * DAY)
  t.ok(serials(a) <= 2, 'right at last')
})

t.test('an old copy of the disk that was put back gets a key of its own again', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  const copy = b.disk.rows
  await world.done(b.circle.rekey())
  await world.pass(1_000)
  await b.stop()
  b.disk.put(copy)
  b.wrongMs = DAY
  b.start()
  await world.meet(a, b)
  t.equal(serials(b), 0)
  await world.pass(1_300_000)
  t.equal(serials(b), 2)
  await world.until(() => towards(b, a) === current(b), 'and all know it')
  await anew(world, a, b)
})
