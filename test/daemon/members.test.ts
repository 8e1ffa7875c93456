/** Members in use: names, contacts. */
import t from 'tap'
import { type Computer as C, World } from './circle-world.ts'

const DAY = 86_400_000
const device = (at: C, of: C) => at.circle.devices().find(({ Id }) => Id === of.self)!
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    error => `${error.code}: ${error.message}`
  )

t.test('a new name is seen by all at once, by those who were away later, and is on disk', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  await c.stop()
  const began = world.clock.now
  await world.done(b.circle.rename('study'))
  await world.until(() => a.members.includes('study'), 'it is seen')
  t.ok(world.clock.now - began < 1_000)
  t.equal(a.peer(b.self)?.Name, 'study')
  t.equal(b.circle.device, 'study')
  await world.done(b.circle.rename('attic'))
  await world.done(b.circle.rename('attic'))
  t.equal(b.disk.table('operation').length, 5, 'the same name again is no change')
  c.start()
  await world.meet(a, b, c)
  await world.until(() => c.members.includes('attic'), 'the last one counts')
  await b.stop()
  b.start()
  t.equal(b.circle.device, 'attic')
  t.match(await failure(world.done(b.circle.rename('a\u0007b'))), /^InvalidValue: Name: a name has 1 to 64/)
})

t.test('a device that has said all it may is told so, and its disk and log stay alike', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  for (let n = 1; n <= 64; n++) await world.done(b.circle.rename(`b${n}`))
  const stored = b.disk.table('operation').length
  t.match(await failure(world.done(b.circle.rename('more'))), /^NotAllowed: .*leave and join anew/)
  t.equal(b.disk.table('operation').length, stored)
  await world.until(() => a.members.includes('b64'), 'the last name counts')
  t.equal(await b.leave(), 1, 'leaving is always possible')
})

t.test('when somebody was last met, and who is stale by that', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  t.match(device(a, b), { Reachable: true, LastSeenUSec: 0, Stale: false, Guest: false, ExpiresUSec: 0 })
  await world.pass(3_600_000)
  await b.stop()
  const left = b.around.wall()
  await world.pass(1_000)
  t.match(device(a, b), { Reachable: false, Stale: false })
  t.ok(Math.abs(device(a, b).LastSeenUSec / 1000 - left) < 1_000, 'when it went')
  await a.stop()
  a.start()
  t.ok(Math.abs(device(a, b).LastSeenUSec / 1000 - left) < 61_000, 'also after a start anew')
  world.reaches = () => false
  a.crash()
  for (const each of [a, b, c]) each.wrongMs = 29 * DAY
  b.start()
  t.notOk(device(c, b).Stale)
  t.notOk(device(b, b).Stale, 'it has met the first device 29 days ago')
  for (const each of [a, b, c]) each.wrongMs = 31 * DAY
  t.ok(device(b, b).Stale)
  t.ok(device(c, c).Stale, 'those of its own level do not count')
  t.ok(device(c, b).Stale, 'and it was not met either')
  a.start()
  t.notOk(device(a, a).Stale, 'there is none of a smaller level than the first device')
  world.reaches = () => true
  for (const each of [a, b, c]) each.circle.networkChanged()
  await world.meet(a, b, c)
  await world.pass(1_000)
  for (const each of [a, b, c]) t.notOk(device(each, each).Stale)
})

t.test('one that met none of a smaller level for 30 days says so, until it meets one', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  await a.stop()
  await world.pass(DAY)
  t.equal(b.note('stale'), '')
  b.wrongMs = 33 * DAY
  await world.pass(DAY / 4)
  t.match(
    b.note('stale'),
    /^this device has met none of a smaller level in the circle home for 34 days: .*meet a$/
  )
  a.wrongMs = b.wrongMs
  a.start()
  t.equal(a.note('stale'), '')
  await world.meet(a, b)
  await world.pass(1_000)
  t.equal(b.note('stale'), '')
})

t.test('a removal is effective within a second, wherever its target is connected', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, b, c, admin)
  await world.pass(10_000)
  const links = () => [a, b, admin].map(other => world.links(other, c))
  t.same(links(), [1, 1, 1])
  const { signal } = new AbortController()
  t.ok((await world.done(b.circle.ping(c.self, signal))) > 0)
  const removed = world.done(admin.circle.remove(c.self))
  await removed
  const began = world.clock.now
  const shown = () => [a, b, admin].filter(at => at.peer(c.self) !== undefined)
  const over = () => links().every(n => n === 0) && shown().length === 0 && c.note('removed') !== ''
  await world.until(over, 'all is over', 1_000)
  t.ok(world.clock.now - began <= 1_000)
  t.throws(() => b.circle.member('c'), { code: 'NoSuchPeer' })
  t.match(await failure(world.done(c.circle.ping(a.self, signal))), /^Unreachable/)
  t.match(await failure(world.done(c.circle.rename('d'))), /^NotAllowed: this device is no member any more/)
  t.match(await failure(world.done(c.circle.rekey())), /^NotAllowed/)
  world.sent.length = 0
  await world.pass(60_000)
  t.same(
    world.sent.filter(({ from, to }) => from !== 'c' && to === c.self),
    [],
    'nobody says anything to it any more'
  )
})

t.test('a removed device lets nobody in with the tickets it gave out', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, admin)
  await world.pass(10_000)
  const ticket = await admin.invite()
  await world.done(a.circle.remove(admin.self))
  await world.until(() => admin.note('removed') !== '', 'it knows')
  t.match(await failure(world.computer('c').join(ticket)), /^NotAllowed/)
})

t.test('one that was removed while away is told what its silence may mean', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  await c.stop()
  await world.done(a.circle.remove(c.self))
  await world.pass(10_000)
  // what it hears of them on the air it cannot read: their key is another now
  c.start()
  for (const other of [a, b]) c.circle.heard(other.announcement, other.address)
  await world.pass(5_000)
  t.equal(c.note('unanswered'), '', 'one device alone may be another one at its address')
  await world.pass(31 * 60_000)
  t.match(c.note('unanswered'), /do not answer this device any more: it may have been removed; ask there/)
  t.equal(c.note('removed'), '', 'it cannot know')
})

t.test('who is only away is not silent', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  world.reaches = () => false
  world.drop(c)
  await world.pass(3_600_000)
  t.equal(c.note('unanswered'), '')
  world.reaches = () => true
  for (const each of [a, b, c]) each.circle.networkChanged()
  await world.meet(a, b, c)
  t.equal(c.note('unanswered'), '')
})
