import t from 'tap'
import { add, rekey, remove, rename, shouldFinishLeaving } from '../../src/circle/author.ts'
import { MembershipLog } from '../../src/circle/log.ts'
import { ORPHANS_PER_AUTHOR } from '../../src/circle/quarantine.ts'
import { identify } from '../../src/circle/signing.ts'
import { compare, hex } from '../../src/wire/bytes.ts'
import { encodeLogFrame, MAX_BODY } from '../../src/wire/log-exchange.ts'
import {
  type Device,
  exchangeKey,
  generator,
  genesis,
  gidOf,
  joining,
  RECOVERY,
  signing,
  World
} from './world.ts'

const nameOf = (device: Device) => (id: string) => device.log.members.get(id)?.name
const sameLogs = (t: { equal(a: string, b: string, why: string): unknown }, ...devices: Device[]) => {
  for (const d of devices)
    t.equal(hex(d.log.headDigest), hex(devices[0]!.log.headDigest), `${d.name} has the same heads`)
}

t.test('one side ahead: a new device gets all, in order, and both are synced', t => {
  const world = new World()
  const [a] = world.circle('A')
  for (const name of ['B', 'C', 'D']) world.append(a!, add(first(), a!.place(), joining(name)))
  const b = world.device('B')
  world.connect(a!, b)
  world.run()
  sameLogs(t, a!, b)
  t.ok(a!.log.synced(b.id) && b.log.synced(a!.id))
  t.equal(b.log.size, 4)
  t.same(
    [...b.log.members.values()].map(m => [m.name, m.level]),
    [
      ['desk', 1],
      ['B', 10],
      ['C', 10],
      ['D', 10]
    ]
  )
  t.equal(b.records.length, 4, 'all to disk')
  const again = new MembershipLog({ gid: gidOf })
  again.load(b.records.map(r => r.bytes))
  t.same(again.headDigest, b.log.headDigest)
  t.same([...again.members], [...b.log.members])
  t.end()
})

t.test('both diverged, in any order of delivery', t => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World()
    const [a, b] = world.circle('A', 'B')
    world.append(a!, add(first(), a!.place(), joining('B', 2)))
    world.append(a!, add(first(), a!.place(), joining('C')))
    world.connect(a!, b!)
    world.run()
    world.disconnect(a!, b!)
    for (let n = 0; n < 5; n++) {
      world.append(a!, rename(a!.keys, a!.place(), { serial: n + 1, name: `a${n}` }))
      world.append(b!, rename(b!.keys, b!.place(), { serial: n + 1, name: `b${n}` }))
    }
    const c = world.device('C')
    const random = generator(seed)
    world.connect(a!, b!)
    world.connect(c, b!)
    world.connect(a!, c)
    world.run(random)
    sameLogs(t, a!, b!, c)
    t.equal(c.log.size, 13)
    t.ok(c.log.synced(a!.id) && c.log.synced(b!.id) && a!.log.synced(b!.id))
    t.equal(nameOf(c)(b!.id), 'b4')
  }
  t.end()
})

t.test('thousands of operations go in bodies of at most 64 KiB, with few round trips', t => {
  const world = new World()
  const [a] = world.circle('A')
  for (let n = 0; n < 1000; n++)
    world.append(a!, rename(first(), a!.place(), { serial: n + 1, name: `n${n}` }))
  for (let n = 0; n < 10; n++) world.append(a!, add(first(), a!.place(), joining(`D${n}`)))
  world.append(a!, add(first(), a!.place(), joining('B')))
  const b = world.device('B')
  let largest = 0
  world.pass = (_, __, body) => {
    largest = Math.max(largest, body.length)
    return true
  }
  world.connect(a!, b)
  world.run()
  t.ok(b.log.synced(a!.id) && a!.log.synced(b.id))
  t.equal(b.log.size, 1012)
  t.ok(largest <= MAX_BODY, `${largest} bytes`)
  world.disconnect(a!, b)
  world.append(a!, rename(first(), a!.place(), { serial: 2000, name: 'last' }))
  world.sent = world.bytes = 0
  world.connect(a!, b)
  world.run()
  t.ok(world.bytes < 5000, `${world.bytes} bytes for one operation more`)
  sameLogs(t, a!, b)
  t.end()
})

t.test('what is new reaches connected devices at once; a removal names whose sessions end', t => {
  const world = new World()
  const [a, b, c] = world.circle('A', 'B', 'C')
  world.append(a!, add(first(), a!.place(), joining('B', 5)))
  world.append(a!, add(first(), a!.place(), joining('C')))
  world.connect(a!, b!)
  world.connect(b!, c!)
  world.run()
  c!.events.length = 0
  world.append(a!, remove(first(), a!.place(), { target: b!.keys.publicKey, lost: false, cut: undefined }))
  world.run()
  const changed = c!.events.find(e => e.type === 'changed')
  t.same(changed?.type === 'changed' && changed.removed, [b!.id])
  t.ok(c!.log.removed(b!.id) && !c!.log.members.has(b!.id))
  t.notOk(c!.log.removed('co1none'))
  t.end()
})

t.test('nothing is synced until the other has answered', t => {
  const world = new World()
  const [a, b] = world.circle('A', 'B')
  world.append(a!, add(first(), a!.place(), joining('B')))
  world.pass = from => from !== b
  world.connect(a!, b!)
  world.run()
  t.notOk(a!.log.synced(b!.id))
  t.notOk(b!.log.synced(a!.id), 'its greet was never read')
  world.pass = () => true
  world.connect(a!, b!)
  world.run()
  t.ok(a!.log.synced(b!.id) && b!.log.synced(a!.id), 'a session that takes over begins anew')
  t.end()
})

t.test('a greeting that comes before our own session is known is answered', t => {
  const world = new World()
  const [a, b] = world.circle('A', 'B')
  world.append(a!, add(first(), a!.place(), joining('B')))
  b!.log.greet(0, a!.id)
  const [greeting] = b!.log.take().outputs
  a!.log.receive(0, b!.id, greeting?.type === 'send' ? greeting.body : new Uint8Array())
  const types = a!.log.take().outputs.map(o => o.type)
  t.same(types, ['send', 'send', 'send'], 'greet, operations, state')
  t.end()
})

t.test('an answer follows what is sent and precedes the change of members', t => {
  const world = new World()
  const [a, b, c] = world.circle('A', 'B', 'C')
  world.append(a!, add(first(), a!.place(), joining('B', 2)))
  world.append(a!, add(first(), a!.place(), joining('C')))
  world.connect(a!, b!)
  world.connect(a!, c!)
  world.run()
  b!.log.append(0, add(b!.keys, b!.place(), joining('D')).bytes)
  const told = b!.log.take().outputs.find(o => o.type === 'send' && o.peer === a!.id)
  a!.log.receive(0, b!.id, told?.type === 'send' ? told.body : new Uint8Array())
  for (const o of a!.log.take().outputs)
    if (o.type === 'verify')
      a!.log.verified(
        0,
        o.batch,
        o.items.map(() => true)
      )
  const order = a!.log
    .take()
    .outputs.map(o => (o.type === 'send' ? `send ${o.peer === b!.id ? 'B' : 'C'}` : o.type))
  t.same(order.slice(0, 3), ['send C', 'send B', 'changed'], 'C learns, B is answered, then D counts')
  t.end()
})

t.test('a device added while one was away gets in with its own operations', t => {
  const world = new World()
  const [a, b] = world.circle('A', 'B')
  world.append(a!, add(first(), a!.place(), joining('B')))
  world.connect(a!, b!)
  world.run()
  world.disconnect(a!, b!)
  world.append(a!, add(first(), a!.place(), joining('X', 10)))
  world.append(a!, add(first(), a!.place(), joining('admin', 3)))
  const admin = world.device('admin')
  world.connect(a!, admin)
  world.run()
  world.append(admin, add(admin.keys, admin.place(), joining('D')))
  const d = world.device('D')
  world.connect(admin, d)
  world.run()
  const rekeyed = exchangeKey('D, later').publicKey
  world.append(d, rekey(d.keys, d.place(), { static: rekeyed, serial: 1 }))
  world.run()

  t.equal(b!.log.owner(rekeyed), undefined)
  const introduction = d.log.introduction(d.id)
  t.equal(introduction.length, 3, 'who added its adder, its adding, its rekeying')
  const ticket = b!.log.admit(0, introduction)
  world.run()
  t.match(
    b!.events.filter(e => e.type === 'admitted'),
    [{ ticket }]
  )
  t.equal(b!.log.owner(rekeyed), d.id, 'let in')
  t.notOk(b!.log.members.has(d.id), 'but a member only by the log')
  world.connect(d, b!)
  world.run()
  t.ok(b!.log.members.has(d.id) && b!.log.synced(d.id))
  t.same(b!.log.members.get(d.id)!.statics, [rekeyed, d.static.publicKey])
  t.equal(b!.log.owner(d.static.publicKey), d.id, 'the static before stays good')
  t.end()
})

t.test('what a stranger presents lets nobody in', t => {
  const world = new World()
  const [b] = world.circle('B')
  const stranger = signing('stranger')
  const alone = { gid: gidOf, prev: [new Uint8Array(32).fill(1)], wallMs: 0 }
  b!.log.admit(0, [add(stranger, alone, joining('D')).bytes])
  const forged = add(first(), alone, joining('E')).bytes
  forged[forged.length - 1]! ^= 1
  b!.log.admit(0, [forged, new Uint8Array(10)])
  const other = add(first(), alone, { ...joining('F'), staticSignature: new Uint8Array(64) })
  b!.log.admit(0, [other.bytes])
  world.run()
  t.equal(b!.count('admitted'), 3)
  for (const name of ['D', 'E', 'F']) t.equal(b!.log.owner(exchangeKey(name).publicKey), undefined)
  t.same(
    b!.events.filter(e => e.type === 'count').map(e => e.type === 'count' && e.what),
    ['refused', 'foreign', 'forged', 'forged']
  )
  t.end()
})

t.test('a hostile peer: forged, foreign and malformed are counted, state and memory stay', t => {
  const world = new World()
  const [a, b] = world.circle('A', 'B')
  world.append(a!, add(first(), a!.place(), joining('B')))
  world.connect(a!, b!)
  world.run()
  const before = hex(a!.log.headDigest)
  const send = (operations: Uint8Array[]) => {
    a!.log.receive(0, b!.id, encodeLogFrame({ type: 'operations', round: 1, operations }))
    world.run()
  }
  a!.log.receive(0, b!.id, new Uint8Array(3))
  const forged = rename(b!.keys, b!.place(), { serial: 1, name: 'x' }).bytes
  forged[forged.length - 5]! ^= 1
  send([forged])
  const otherCircle = { gid: new Uint8Array(32).fill(5), prev: a!.log.heads, wallMs: 0 }
  send([rename(b!.keys, otherCircle, { serial: 1, name: 'x' }).bytes])
  send([rename(signing('outsider'), b!.place(), { serial: 1, name: 'x' }).bytes])
  const counted = a!.events.filter(e => e.type === 'count').map(e => e.type === 'count' && e.what)
  t.same(counted, ['malformed', 'forged', 'foreign', 'refused'])

  // Orphans: more than the quarantine holds of one author, then of many.
  const orphan = (by: string, n: number) =>
    rename(
      signing(by),
      { ...b!.place(), prev: [new Uint8Array(32).fill(n % 256)] },
      { serial: n + 1, name: 'o' }
    )
  a!.events.length = 0
  send(Array.from({ length: ORPHANS_PER_AUTHOR * 3 }, (_, n) => orphan('B', n).bytes))
  t.equal(hex(a!.log.headDigest), before, 'no change of state')
  t.equal(a!.count('count'), ORPHANS_PER_AUTHOR * 2, 'those that had to make room are counted')
  t.ok(a!.log.deadline < Number.POSITIVE_INFINITY)
  a!.log.expire(a!.log.deadline)
  t.equal(a!.log.deadline, Number.POSITIVE_INFINITY, 'and they are forgotten in time')

  for (let n = 0; n < 1100; n++) a!.log.receive(0, b!.id, Uint8Array.of(9))
  world.run()
  t.equal(a!.count('misbehaves'), 1)
  a!.events.length = 0
  send([forged])
  t.same(a!.events, [], 'not listened to any more')
  t.end()
})

t.test('over its quota: waits until another builds on it; removals always come in', t => {
  const world = new World()
  const [a, b, c] = world.circle('A', 'B', 'C')
  world.append(a!, add(first(), a!.place(), joining('B')))
  world.append(a!, add(first(), a!.place(), joining('C')))
  world.append(a!, add(first(), a!.place(), joining('R', 11)))
  world.connect(a!, b!)
  world.connect(a!, c!)
  world.run()
  const base = b!.log.heads
  // B forks: 64 operations for A, another 64 for C.
  const forks = (from: number) =>
    Array.from(
      { length: 70 },
      (_, n) => rename(b!.keys, { gid: gidOf, prev: base, wallMs: 0 }, { serial: from + n, name: 'f' }).bytes
    )
  for (const [victim, from] of [
    [a!, 1],
    [c!, 1000]
  ] as const) {
    victim.log.receive(0, b!.id, encodeLogFrame({ type: 'operations', round: 1, operations: forks(from) }))
    world.run()
  }
  t.ok(a!.log.size <= 4 + 64 + 64, `${a!.log.size} kept`)
  t.ok(
    a!.events.some(e => e.type === 'note' && e.peer === b!.id),
    'the fork is flagged'
  )
  // A removes B, building on what it has: C can read it, whatever B told C.
  world.append(a!, remove(first(), a!.place(), { target: b!.keys.publicKey, lost: false, cut: undefined }))
  world.run()
  t.ok(c!.log.removed(b!.id), 'removed at C too')
  t.ok(c!.log.size <= 4 + 64 * 2 + 20, `${c!.log.size} kept`)
  world.disconnect(a!, c!)
  world.connect(a!, c!)
  world.run()
  t.ok(a!.log.synced(c!.id) && c!.log.synced(a!.id))
  t.end()
})

t.test('over its quota: what builds on it counts when the last of it comes, in whatever order', t => {
  const world = new World()
  const [a, b, c] = world.circle('A', 'B', 'C') as [Device, Device, Device]
  world.append(a, add(first(), a.place(), joining('B')))
  world.connect(a, b)
  world.connect(a, c)
  world.run()
  const base = b.log.heads
  const forks = (from: number) =>
    Array.from(
      { length: 64 },
      (_, n) => rename(b.keys, { gid: gidOf, prev: base, wallMs: 0 }, { serial: from + n, name: 'f' }).bytes
    )
  world.disconnect(a, c)
  const give = (device: Device, operations: Uint8Array[]) => {
    device.log.receive(0, b.id, encodeLogFrame({ type: 'operations', round: 1, operations }))
    world.run()
  }
  give(a, forks(1))
  world.disconnect(a, b)
  give(c, forks(1000))
  const before = c.log.size
  const place = a.place()
  const made = world.append(
    a,
    remove(first(), place, { target: b.keys.publicKey, lost: false, cut: undefined })
  )
  give(c, [made.bytes])
  t.equal(c.log.size, before)
  t.ok(c.log.members.has(b.id), 'it waits')
  const needed = a.log.operations.filter(bytes =>
    place.prev.some(id => hex(identify(gidOf, bytes)!.id) === hex(id))
  )
  for (const bytes of needed.reverse()) give(c, [bytes])
  t.ok(c.log.removed(b.id))
  t.equal(c.log.size, before + needed.length + 1)
  t.equal(c.records.length, c.log.size - 1, 'each on disk once')
  t.end()
})

t.test('a full log takes removals still', t => {
  const world = new World()
  const a = world.device('A', 12)
  a.log.load([genesis.bytes])
  world.append(a, add(first(), a.place(), joining('B')))
  for (let n = 0; n < 10; n++) world.append(a, rename(first(), a.place(), { serial: n + 1, name: 'n' }))
  t.throws(() => a.log.append(0, rename(first(), a.place(), { serial: 99, name: 'n' }).bytes), /quota/)
  const b = signing('B').publicKey
  world.append(a, remove(first(), a.place(), { target: b, lost: false, cut: undefined }))
  t.equal(a.log.size, 13)
  t.end()
})

t.test('whoever fills the log leaves room for smaller levels', t => {
  const world = new World()
  const [a, b, c] = ['A', 'B', 'C'].map(name => world.device(name, 40)) as [Device, Device, Device]
  for (const device of [a, b, c]) device.log.load([genesis.bytes])
  world.append(a, add(first(), a.place(), joining('B', 10)))
  world.append(a, add(first(), a.place(), joining('C', 3)))
  for (const device of [b, c]) world.connect(a, device)
  world.run()
  const base = b.log.heads
  for (const device of [b, c]) world.disconnect(a, device)
  const forks = (from: number) =>
    Array.from({ length: 60 }, (_, n) => {
      const relay = joining(`${from} ${n}`, 11)
      return add(b.keys, { gid: gidOf, prev: base, wallMs: 0 }, relay).bytes
    })
  for (const [device, from] of [
    [a, 1],
    [c, 2]
  ] as const) {
    device.log.receive(0, b.id, encodeLogFrame({ type: 'operations', round: 1, operations: forks(from) }))
    world.run()
    t.equal(device.log.size, 32, 'four fifths')
  }
  world.append(c, add(c.keys, c.place(), joining('D', 10)))
  world.connect(a, c)
  world.run()
  const names = (device: Device) => [...device.log.members.values()].map(m => m.name)
  t.ok(names(a).includes('D'), 'an admin is heard still')
  t.end()
})

t.test('leaving, finished by the one of the lowest level online', t => {
  const world = new World()
  const [a, b, c] = world.circle('A', 'B', 'C')
  world.append(a!, add(first(), a!.place(), joining('B', 2)))
  world.append(a!, add(first(), a!.place(), joining('C', 3)))
  world.connect(a!, b!)
  world.connect(b!, c!)
  world.connect(a!, c!)
  world.run()
  world.append(c!, add(c!.keys, c!.place(), joining('D')))
  world.append(c!, remove(c!.keys, c!.place(), { target: c!.keys.publicKey, lost: false, cut: undefined }))
  world.run()
  t.same([...a!.log.left], [[c!.id, 3]])
  t.ok(
    [...a!.log.members.values()].some(m => m.name === 'D'),
    'whom it added stays'
  )
  const online = [
    { id: a!.id, level: 1 },
    { id: b!.id, level: 2 }
  ]
  t.ok(shouldFinishLeaving(online[0]!, online, 3))
  t.notOk(shouldFinishLeaving(online[1]!, online, 3))
  t.ok(shouldFinishLeaving(online[1]!, [], 3), 'alone it may')
  t.notOk(shouldFinishLeaving({ id: 'x', level: 3 }, [], 3))
  t.notOk(shouldFinishLeaving({ id: 'y', level: 1 }, [{ id: 'x', level: 1 }], 3))
  world.append(
    a!,
    remove(first(), a!.place(), { target: c!.keys.publicKey, lost: false, cut: a!.place().prev })
  )
  world.run()
  t.same([...b!.log.left], [])
  t.ok([...b!.log.members.values()].some(m => m.name === 'D'))
  t.end()
})

t.test('the recovery key removes the first device and makes another one', t => {
  const world = new World()
  const [a, b] = world.circle('A', 'B')
  world.append(a!, add(first(), a!.place(), joining('B')))
  world.connect(a!, b!)
  world.run()
  const recovery = signing(RECOVERY)
  world.append(b!, add(recovery, b!.place(), joining('B', 1)))
  world.append(
    b!,
    remove(recovery, b!.place(), { target: first().publicKey, lost: true, cut: b!.log.heads.slice(0, 1) })
  )
  world.run()
  t.same(
    [...a!.log.members.values()].map(m => [m.name, m.level]),
    [['B', 1]]
  )
  t.ok(a!.log.removed(a!.id), 'also as the removed one sees it')
  t.end()
})

t.test('heads by the dozen do not crowd out what others did', t => {
  const done = (at: number) => {
    const world = new World()
    const [a, admin, member] = world.circle('A', 'admin', 'member') as [Device, Device, Device]
    world.append(a, add(first(), a.place(), joining('admin', 2)))
    world.append(a, add(first(), a.place(), joining('member', 10)))
    world.connect(a, admin)
    world.connect(a, member)
    world.run()
    const base = a.log.heads
    world.append(admin, add(admin.keys, admin.place(), joining('phone')))
    if (at === 1)
      world.append(
        admin,
        remove(admin.keys, admin.place(), { target: admin.keys.publicKey, lost: false, cut: undefined })
      )
    world.run()
    // of many the ones with the least ids, which come first among the heads
    const many = Array.from({ length: 600 }, (_, n) =>
      rename(member.keys, { gid: gidOf, prev: base, wallMs: 0 }, { serial: n + 1, name: 'member' })
    )
    const forks = many
      .sort((x, y) => compare(x.id, y.id))
      .slice(0, 60)
      .map(made => made.bytes)
    a.log.receive(0, member.id, encodeLogFrame({ type: 'operations', round: 1, operations: forks }))
    world.run()
    t.ok(a.log.heads.length > 32, `${a.log.heads.length} heads`)
    const { prev } = a.place()
    const cut = at === 1 ? prev : undefined
    world.append(a, remove(first(), a.place(), { target: admin.keys.publicKey, lost: false, cut }))
    return [...a.log.members.values()].map(m => m.name).sort()
  }
  t.same(done(0), ['desk', 'member', 'phone'], 'removed: whom it added stays')
  t.same(done(1), ['desk', 'member', 'phone'], 'left, and finished')
  t.end()
})

t.test('parents: at most 16 heads, the own last operation under them', t => {
  const world = new World()
  const [a] = world.circle('A')
  world.append(a!, add(first(), a!.place(), joining('B')))
  const base = a!.log.heads
  const b = signing('B')
  for (let n = 0; n < 20; n++) {
    const made = rename(b, { gid: gidOf, prev: base, wallMs: 0 }, { serial: n + 1, name: 'n' })
    world.append(a!, made)
  }
  t.equal(a!.log.heads.length, 20)
  const own = rename(first(), a!.place(), { serial: 1, name: 'a' })
  world.append(a!, own)
  t.equal(a!.log.heads.length, 5, 'the new one and 4 that had no place')
  t.ok(a!.log.parents(a!.id).some(id => hex(id) === hex(own.id)))
  t.end()
})

function first() {
  return signing('A')
}
