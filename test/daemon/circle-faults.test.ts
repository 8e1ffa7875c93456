import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import { Kind } from '../../src/wire/frame.ts'
import { type Computer as C, calling, World } from './circle-world.ts'

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    error => (error instanceof ApiError ? error.code : String(error.stack))
  )
const operations = (computer: C) => computer.disk.table('operation').length
/** The journal tries again by real time. */
async function stored(computer: C): Promise<void> {
  while (computer.notes.get('storing home') !== '') await new Promise(resolve => setImmediate(resolve))
}

t.test('an own operation is stored after those it stands on', async t => {
  const world = new World()
  const [a, b, c, d, e] = (await world.circle('a', 'b', 'c', 'd', 'e')) as [C, C, C, C, C]
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, b, c, d, e, admin)
  a.disk.hold()
  const removals = [b, c, e].map(({ self }) => admin.circle.remove(self))
  await world.done(Promise.all(removals))
  await world.pass(100)
  const removal = a.circle.remove(d.self)
  await world.pass(100)
  a.disk.release()
  await world.done(removal)
  a.crash()
  a.start()
  t.same(a.members, ['a', 'admin'])
})

t.test('a removal stands though its new key cannot be stored yet', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  let full = true
  a.disk.refuses = writes => full && writes.some(write => 'put' in write && write.put.table === 'discovery')
  t.equal(await code(world.done(a.circle.remove(c.self))), 'no error')
  t.same(a.members, ['a', 'b'])
  await world.until(() => a.notes.get('storing home') !== undefined, 'it is said')
  t.match(a.notes.get('storing home'), /changes wait to be stored: the disk is full/)
  const before = world.frames(a, Kind.Log).length
  t.ok(c.circle.recognises(b.announcement), 'nobody was given a key that is not on disk')
  full = false
  await stored(a)
  await world.pass(1_000)
  t.ok(world.frames(a, Kind.Log).length > before)
  t.notOk(c.circle.recognises(b.announcement))
  t.ok(a.circle.recognises(b.announcement))
})

t.test('nor does a ticket serve twice because of that', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const ticket = await a.invite()
  let full = true
  a.disk.refuses = writes => full && writes.some(write => 'put' in write && write.put.table === 'discovery')
  const [b, c] = [world.computer('b'), world.computer('c')]
  const joining = b.joining(ticket)
  await world.until(() => a.members.length === 2, 'it is in')
  await world.pass(100)
  t.equal(await code(c.join(ticket)), 'TicketUsed')
  full = false
  await stored(a)
  await world.done(joining)
  await world.meet(a, b)
})

t.test('a leaving that cannot be stored is none', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  b.disk.full = true
  t.equal(await code(b.leave()), 'NoSpace')
  b.disk.full = false
  await world.pass(10_000)
  t.same(a.members, ['a', 'b'])
  t.ok(a.sees(b))
  await world.done(a.circle.remove(b.self))
  await world.until(() => b.note('removed') !== '', 'it knows that it was removed')
  t.equal(world.links(a, b), 0)
})

t.test('leaving ends when the caller will not wait, though a peer does not answer', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  a.disk.hold()
  const abort = new AbortController()
  const leaving = b.leave(calling(abort.signal))
  await world.pass(200)
  abort.abort()
  t.equal(await leaving, 0, 'told, yet not on its disk')
  a.disk.release()
  await world.until(() => a.members.length === 1, 'it arrives')
})

t.test('the session dies while the circle is being received: it goes on with the same keys', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  for (const dies of [1, 2, 3, 4, 5]) {
    const ticket = await a.invite()
    const joiner = world.computer(`joiner${dies}`)
    const joining = joiner.joining(ticket)
    world.sent.length = 0
    await world.until(() => world.frames(joiner, Kind.Log).length >= dies, 'under way')
    world.drop(a, joiner)
    await world.done(joining)
    await world.meet(a, joiner)
    t.equal(a.members.length, 1 + dies, 'one device, once')
    t.same(a.circle.handshakes.logHead, joiner.circle.handshakes.logHead)
  }
})

t.test('sessions die at any frame of an exchange of logs: the logs agree in the end', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  for (const dies of [1, 2, 3, 4, 5, 6, 7, 8]) {
    await world.pass(10_000)
    b.crash()
    await world.until(() => !a.sees(b), 'away')
    const other = world.computer(`other${dies}`)
    await other.join(await a.invite())
    b.start()
    world.sent.length = 0
    const between = () =>
      world.sent.filter(
        ({ from, to, kind }) =>
          kind === Kind.Log && ((from === 'a' && to === b.self) || (from === 'b' && to === a.self))
      )
    await world.until(() => between().length >= dies, 'under way')
    world.drop(a, b)
    await world.until(() => b.members.length === a.members.length && b.sees(a) && a.sees(b), 'healed')
    await world.pass(10_000)
    t.same(a.circle.handshakes.logHead, b.circle.handshakes.logHead)
    t.ok(b.circle.recognises(a.announcement) && a.circle.recognises(b.announcement))
    t.equal(world.links(a, b), 1)
  }
})

t.test('frames that were held up by a slow disk do not confuse a later session', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await world.pass(10_000)
  b.disk.hold()
  const [c, d] = [world.computer('c'), world.computer('d')]
  await c.join(await a.invite())
  world.drop(a, b)
  await d.join(await a.invite())
  await world.pass(3_000)
  world.sent.length = 0
  t.same(b.members, ['a', 'b'])
  b.disk.release()
  await world.until(() => b.members.length === 4, 'it learns')
  await world.meet(a, b, c, d)
  await world.pass(10_000)
  t.equal(new Set([a, b, c, d].map(x => Buffer.from(x.circle.handshakes.logHead).toString('hex'))).size, 1)
  t.equal(operations(b), operations(a))
})

t.test('a member that floods is expelled', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  const [session] = b.sessions.filter(({ peer }) => peer === a.self).slice(-1)
  const before = b.sessions.length
  for (let i = 0; i < 2_000; i++) session!.send(Kind.Log, Uint8Array.of(9, 9, 9))
  await world.until(() => a.logged.some(line => /operations of no use/.test(line)), 'expelled')
  await world.until(() => b.sessions.length > before, 'it has to begin anew')
  t.ok(a.sees(c), 'others are not concerned')
  t.equal(a.members.length, 3, 'membership is for people to decide')
})

t.test('round trips', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  const { signal } = new AbortController()
  t.equal(await world.done(a.circle.ping(b.self, signal)), 10_000)
  t.same(a.circle.ways(b.self, signal).addresses, a.peer(b.self)?.Addresses)
  t.equal(
    await code(a.circle.ping(b.self, AbortSignal.abort(new ApiError('Cancelled', 'given up')))),
    'Cancelled'
  )
  b.crash()
  await world.until(() => !a.sees(b), 'away')
  t.equal(await code(a.circle.ping(b.self, signal)), 'Unreachable')
  t.equal(a.circle.summary, 'home: 0 of 1 reachable')
})

t.test('what is shown of a circle goes with it', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  t.equal(a.circle.member('b'), b.self)
  a.circle.unpublish()
  t.same(a.publisher.list(), [])
})
