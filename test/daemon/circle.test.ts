import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import { peerId } from '../../src/crypto/identity.ts'
import { ed25519, x25519 } from '../../src/crypto/provider.ts'
import { decodeTicket, encodeTicket } from '../../src/crypto/ticket.ts'
import { formatAddress, parseAddress } from '../../src/wire/address.ts'
import { Kind } from '../../src/wire/frame.ts'
import { type Computer as C, calling, DELAY_MS, World } from './circle-world.ts'
import { fill } from './gates.ts'

/** The error code a promise is rejected with. */
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    error => (error instanceof ApiError ? error.code : String(error.stack))
  )
/** Joins with keys of its own making, as often as asked. */
function joiner(world: World, name: string) {
  const computer = world.computer(name)
  const identity = ed25519(computer.around.random(32))
  const keys = { identity, static: x25519(computer.around.random(32)), bootId: fill(1, 16), name }
  const redeem = async (text: string): Promise<string> => {
    const { addresses, inviter: key, inviterStatic: staticKey, gid, secret } = decodeTicket(text)
    const { signal } = new AbortController()
    const link = await computer.around.connect(formatAddress(addresses[0]!), signal)
    const { answer } = await computer.around.gate.join(link, { gid, key, staticKey, secret }, keys)
    return answer.result
  }
  return { id: peerId(identity.publicKey), redeem }
}
const logKinds = new Set<number>([Kind.Log, Kind.Padding, Kind.Ping, Kind.Pong, Kind.Nominate])

t.test('founding', async t => {
  const world = new World()
  const a = world.computer('a')
  const circle = await a.init('home')
  t.match(a.circle.devices(), [{ Id: circle.self, Name: 'a', Level: 1, AddedBy: '', Self: true }])
  t.same(circle.record, { Id: circle.id, Name: 'home', Level: 1, Members: 1 })
  t.equal(a.announcement.length, 48)
  await a.stop()
  a.start()
  t.same(a.circle.record, circle.record, 'all of it is on disk')
})

t.test('joining by ticket: both show each other reachable, and agree', async t => {
  const world = new World()
  const [a, b] = await world.circle('a', 'b')
  t.same(a!.members, ['a', 'b'])
  t.same(b!.members, ['a', 'b'])
  t.match(a!.peer(b!.self), { Name: 'b', State: 'reachable', Path: 'direct' })
  t.match(b!.peer(a!.self), { Name: 'a', State: 'reachable', Addresses: [a!.uri] })
  t.same(a!.circle.handshakes.logHead, b!.circle.handshakes.logHead)
  t.ok(a!.circle.recognises(b!.announcement))
  t.ok(b!.circle.recognises(a!.announcement))
  await b!.stop()
  b!.start()
  await world.meet(a!, b!)
  t.same(b!.members, ['a', 'b'], 'it is on disk')
})

t.test('a device that joined while another was away is let in by it', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, admin)
  await world.pass(10_000)
  await a.stop()
  const c = world.computer('c')
  await c.join(await admin.invite())
  await world.meet(admin, c)
  await world.pass(1_000)
  admin.crash()
  a.start()
  t.same(a.members, ['a', 'admin'])
  await world.meet(a, c)
  t.same(a.members, ['a', 'admin', 'c'])
})

t.test('and so it is when more happened meanwhile than it can show first', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, admin)
  await world.pass(10_000)
  await a.stop()
  const [c, d] = [world.computer('c'), world.computer('d')]
  await d.join(await admin.invite())
  await c.join(await admin.invite())
  await world.meet(admin, c, d)
  await world.pass(1_000)
  admin.crash()
  d.crash()
  a.start()
  world.reaches = from => from === c
  await world.meet(a, c)
  t.same(a.members, ['a', 'admin', 'c', 'd'])
  t.same(a.circle.handshakes.logHead, c.circle.handshakes.logHead)
})

t.test('two devices with one ticket at once: exactly one is in', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const ticket = await a.invite()
  const [b, c] = [joiner(world, 'b'), joiner(world, 'c')]
  const answers = await world.done(Promise.all([b.redeem(ticket), c.redeem(ticket)]))
  t.same(answers.sort(), ['ok', 'used'])
  t.equal(a.members.length, 2)
})

t.test('the device that used a ticket may ask again, and gets the same answer', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const ticket = await a.invite()
  const [b, c] = [joiner(world, 'b'), joiner(world, 'c')]
  t.equal(await world.done(b.redeem(ticket)), 'ok')
  const operations = a.disk.table('operation').length
  t.equal(await world.done(b.redeem(ticket)), 'ok')
  a.crash()
  a.start()
  t.equal(await world.done(b.redeem(ticket)), 'ok', 'also when the inviter has started anew')
  t.equal(await world.done(c.redeem(ticket)), 'used')
  t.equal(a.disk.table('operation').length, operations)
  await world.done(a.circle.remove(b.id))
  t.equal(await world.done(b.redeem(ticket)), 'refused', 'and none that lets it in when it was removed')
})

t.test('tickets that are good for nothing', async t => {
  const world = new World()
  const [a, x] = [world.computer('a'), world.computer('x')]
  await a.init()
  await x.init('elsewhere')
  const expired = await a.invite(10, 1_000)
  const used = await a.invite()
  await world.done(joiner(world, 'c').redeem(used))
  await world.pass(2_000)
  const b = world.computer('b')
  t.equal(await code(b.join(expired)), 'TicketExpired')
  t.equal(await code(b.join(used)), 'TicketUsed')
  t.equal(await code(b.join(`${expired.slice(0, 40)}`)), 'InvalidTicket')
  // what another circle gave out, shown to this one: silence
  const stranger = decodeTicket(await x.invite())
  const here = encodeTicket({ ...stranger, addresses: [parseAddress(a.uri)!] })
  const abort = new AbortController()
  const joining = b.joining(here, { call: calling(abort.signal) })
  await world.until(() => a.around.gate.counters.mac1 === 1, 'it was heard')
  abort.abort()
  t.match(await code(world.done(joining)), /AbortError/)
  t.equal(a.members.length, 2)
})

t.test('who may invite and remove whom', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const [admin, peer, member] = ['admin', 'peer', 'member'].map(name => world.computer(name)) as [C, C, C]
  await admin.join(await a.invite(2))
  await peer.join(await a.invite(2))
  await member.join(await a.invite(10))
  await world.meet(a, admin, peer, member)
  t.equal(await code(a.invite(1)), 'NotAllowed')
  t.equal(await code(a.invite(12)), 'NotAllowed')
  t.equal(await code(admin.invite(2)), 'NotAllowed')
  t.equal(await code(member.invite(10)), 'NotAllowed')
  t.equal(decodeTicket(await member.invite(11)).level, 11)
  t.equal(decodeTicket(await admin.invite(3)).level, 3)
  t.equal(await code(world.done(member.circle.remove(a.self))), 'NotAllowed')
  t.equal(await code(world.done(admin.circle.remove(peer.self))), 'NotAllowed', 'nor one of the same level')
  t.equal(await code(world.done(admin.circle.remove(world.computer('x').name))), 'NoSuchPeer')
  await world.done(admin.circle.remove(member.self))
  await world.pass(1_000)
  t.same(peer.members, ['a', 'admin', 'peer'])
  t.equal(await code(world.done(member.circle.invite(11, 1_000))), 'NotAllowed', 'one that was removed')
  t.equal(await code(world.done(member.circle.remove(a.self))), 'NotAllowed')
})

t.test('a device is removed', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  const before = b.announcement
  const [lost] = [c.circle]
  await world.done(a.circle.remove(c.self))
  await world.until(() => world.links(a, c) + world.links(b, c) === 0, 'its sessions are closed')
  await world.until(() => c.notes.get(`${lost.id} removed`) !== undefined, 'it knows')
  t.match(c.notes.get(`${lost.id} removed`), /this device was removed/)
  t.equal(c.circle.announcement(1), undefined, 'it announces itself no more')
  t.equal(a.peer(lost.self), undefined)
  t.equal(b.peer(lost.self), undefined)
  await world.until(() => !c.circle.recognises(b.announcement), 'the others have a new key')
  t.ok(a.circle.recognises(b.announcement) && b.circle.recognises(a.announcement))
  t.ok(c.circle.recognises(before), 'what it knew before')
  t.notOk(c.circle.recognises(a.announcement), 'and nothing that came after')
  t.notOk(c.circle.recognises(b.announcement))
  const strangers = () => a.around.gate.counters.stranger
  const link = await world.done(c.around.connect(a.uri, new AbortController().signal))
  const member = { id: a.self, staticKey: a.circle.handshakes.statics[0]!.publicKey }
  t.equal(
    await world.done(
      c.around.gate.dial(link, c.circle.handshakes, member).then(
        () => 'in',
        () => 'out'
      )
    ),
    'out'
  )
  t.equal(strangers(), 1)
  await world.pass(60_000)
  t.same(a.members, ['a', 'b'])
  t.same(b.members, ['a', 'b'])
  t.ok(a.sees(b))
})

t.test('announcements of a removed device lead nowhere', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  const old = b.announcement
  const stolen = b.circle
  b.crash()
  await world.done(a.circle.remove(stolen.self))
  const offered = world.sent.length
  a.circle.heard(old, b.address)
  await world.pass(100)
  t.equal(world.sent.length, offered)
  t.equal(world.links(a, b), 0)
  t.same(a.publisher.list('Peer'), [])
})

t.test('one that was away learns of a removal before anything else flows', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  b.crash()
  await world.until(() => !a.sees(b), 'it is away')
  await world.done(a.circle.remove(c.self))
  world.sent.length = 0
  b.disk.hold()
  b.start()
  t.same(b.members, ['a', 'b', 'c'])
  world.reaches = (from, to) => from !== c && to !== c
  await world.until(() => world.links(a, b) > 0, 'connected')
  await world.pass(5_000)
  t.same(b.members, ['a', 'b', 'c'])
  t.same(
    world.sent.filter(({ from, kind }) => from !== 'c' && !logKinds.has(kind)),
    [],
    'until it has the removal on disk'
  )
  b.disk.release()
  await world.meet(a, b)
  t.same(b.members, ['a', 'b'])
  await world.until(() => world.gossip(a).length > 0 && world.gossip(b).length > 0, 'then gossip')
  await world.pass(100)
  t.ok(a.circle.recognises(b.announcement) && b.circle.recognises(a.announcement), 'the new key reached it')
  t.notOk(c.circle.recognises(b.announcement))
})

t.test('leaving tells who is online', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  t.equal(await c.leave(), 2)
  t.same(a.members, ['a', 'b'])
  t.same(b.members, ['a', 'b'])
  await c.stop()
  const cuts = () => a.disk.table('operation').length
  const before = cuts()
  await world.pass(10_000)
  t.equal(cuts(), before + 1, 'the lowest device finishes it with a cut')
  t.same(a.circle.handshakes.logHead, b.circle.handshakes.logHead)
  t.equal(b.disk.table('operation').length, cuts(), 'once')
  t.ok(a.circle.recognises(b.announcement))
  t.notOk(c.circle?.recognises(a.announcement))
  await world.pass(60_000)
  t.equal(cuts(), before + 1)
})

t.test('the next one finishes a leaving when the lowest device is not there', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const [admin, b, c] = ['admin', 'b', 'c'].map(name => world.computer(name)) as [C, C, C]
  await admin.join(await a.invite(2))
  await b.join(await a.invite())
  await c.join(await a.invite())
  await world.meet(a, admin, b, c)
  t.equal(await c.leave(), 3)
  await c.stop()
  a.crash()
  const before = b.disk.table('operation').length
  await world.pass(10_000)
  t.equal(b.disk.table('operation').length, before + 1)
  t.ok(b.circle.recognises(admin.announcement))
  a.start()
  await world.meet(a, admin, b)
  await world.pass(10_000)
  t.equal(a.disk.table('operation').length, before + 1)
})

t.test('and when it goes just as it was to do so', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, b, admin)
  await world.pass(10_000)
  t.equal(await b.leave(), 2)
  await b.stop()
  a.disk.hold()
  await world.pass(2_500)
  const before = admin.disk.table('operation').length
  a.crash()
  await world.pass(10_000)
  t.equal(admin.disk.table('operation').length, before + 1)
})

t.test('leaving alone, again, and while nobody answers', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  a.crash()
  await world.until(() => !b.sees(a), 'nobody is there')
  t.equal(await b.leave(), 0)
  t.equal(await b.leave(), 0)
})

t.test('both dial at once: one session stays', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  await a.stop()
  await b.stop()
  a.start()
  b.start()
  await world.pass(DELAY_MS)
  await world.meet(a, b)
  await world.pass(20_000)
  t.equal(world.links(a, b), 1)
  t.ok(a.sees(b) && b.sees(a))
})

t.test('a full disk: nothing is changed, and it is said', async t => {
  const world = new World()
  const [a, b] = (await world.circle('a', 'b')) as [C, C]
  const ticket = await a.invite()
  const { rows } = a.disk
  const head = a.circle.handshakes.logHead
  a.disk.full = true
  t.equal(await code(world.done(a.circle.remove(b.self))), 'NoSpace')
  t.equal(await code(a.invite()), 'NoSpace')
  const c = joiner(world, 'c')
  t.equal(await world.done(c.redeem(ticket)), 'refused')
  a.disk.full = false
  t.same(a.disk.rows, rows)
  t.same(a.circle.handshakes.logHead, head)
  t.equal(await world.done(c.redeem(ticket)), 'ok', 'the ticket is as good as before')
})

t.test('what is not on disk yet is not told to anybody', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  await world.pass(10_000)
  world.sent.length = 0
  a.disk.hold()
  let removed = false
  const removal = a.circle.remove(c.self).then(() => {
    removed = true
  })
  await world.pass(5_000)
  t.notOk(removed)
  t.equal(world.frames(a, Kind.Log).length, 0)
  t.same(
    [a, b, c].map(({ members }) => members.length),
    [3, 3, 3]
  )
  t.equal(world.links(a, c), 1)
  b.disk.hold()
  a.disk.release()
  await world.done(removal)
  await world.pass(5_000)
  t.equal(world.frames(b, Kind.Log).length, 0, 'nor does one that was told say it has it')
  b.disk.release()
  await world.until(() => world.frames(b, Kind.Log).length > 0, 'it does now')
})

t.test('a joiner is answered when it is on disk', async t => {
  const world = new World()
  const [a] = (await world.circle('a')) as [C]
  const ticket = await a.invite()
  const b = joiner(world, 'b')
  let answer = ''
  a.disk.hold()
  const redeeming = b.redeem(ticket).then(result => {
    answer = result
  })
  await world.pass(1_000)
  t.equal(answer, '')
  a.disk.release()
  await world.done(redeeming)
  t.equal(answer, 'ok')
})

t.test('what a device does at once it does one after another', async t => {
  const world = new World()
  const [a, b, c] = (await world.circle('a', 'b', 'c')) as [C, C, C]
  const [d, e] = [joiner(world, 'd'), joiner(world, 'e')]
  const [one, other] = [await a.invite(), await a.invite()]
  await world.done(
    Promise.all([a.circle.remove(b.self), a.circle.remove(c.self), d.redeem(one), e.redeem(other)])
  )
  t.equal(a.members.length, 3)
  t.notMatch(a.logged.join(), /two operations at one place/)
  await a.stop()
  a.start()
  t.equal(a.members.length, 3)
})
