/** A member that lies about others in its gossip: real circles, sessions and signatures. */
import crypto from 'node:crypto'
import t from 'tap'
import { peerKey } from '../../src/crypto/identity.ts'
import { Kind } from '../../src/wire/frame.ts'
import {
  decodeGossip,
  encodeDigest,
  encodeRecords,
  MAX_INCARNATION,
  type PeerRecord,
  signedRecord,
  unsignedRecord
} from '../../src/wire/gossip.ts'
import { type Computer as C, World } from './circle-world.ts'

/** Circle of a, b, c and m, who lies. */
async function circle() {
  const world = new World()
  const [a, b, c, m] = (await world.circle('a', 'b', 'c', 'm')) as [C, C, C, C]
  await world.pass(10_000)
  const { sent } = world
  /** Says that to those two, on its sessions with them. */
  const tells = (body: Uint8Array) => {
    for (const to of [a, c]) m.open(to).at(-1)!.send(Kind.Gossip, body)
  }
  const states: string[] = []
  const others = [b.self, c.self, a.self]
  for (const at of [a, c])
    at.publisher.subscribe(events => {
      for (const { Object: path, Properties: p } of events)
        if ('State' in p && others.some(id => path.endsWith(id))) states.push(`${at.name}: ${p['State']}`)
    })
  return { world, a, b, c, m, sent, tells, states }
}

/** The newest record of that device which anybody sent. */
function wordOf({ world, of }: { world: World; of: C }): PeerRecord {
  const key = Buffer.from(peerKey(of.self)!)
  const records = world.sent.flatMap(({ kind, body }) => {
    const decoded = kind === Kind.Gossip ? decodeGossip(body) : undefined
    return decoded && 'records' in decoded ? decoded.records : []
  })
  const own = records.filter(({ id }) => key.equals(id)).sort((x, y) => y.incarnation - x.incarnation)
  return own[0]!
}
/** What the others pass on of that device from now on: incarnations. */
const passedOn = (world: World, from: readonly C[], of: C, since: number) =>
  world.sent.slice(since).flatMap(({ from: name, kind, body }) => {
    const decoded = kind === Kind.Gossip && from.some(c => c.name === name) ? decodeGossip(body) : undefined
    if (!decoded || !('records' in decoded)) return []
    const key = Buffer.from(peerKey(of.self)!)
    return decoded.records.filter(({ id }) => key.equals(id)).map(({ incarnation }) => incarnation)
  })
const forged = (bytes: Uint8Array) => signedRecord(bytes, crypto.randomBytes(64))!

t.test('the word of another one, without its signature', async t => {
  const { world, a, b, c, m, tells, states } = await circle()
  const word = wordOf({ world, of: b })
  const key = peerKey(b.self)!
  const since = world.sent.length
  const unsigned = (incarnation: number) => {
    const bytes = word.bytes.slice(0, -64)
    new DataView(bytes.buffer).setBigUint64(33, BigInt(incarnation))
    return bytes
  }
  const lies = [
    unsignedRecord(key, word.incarnation + 1, []),
    unsignedRecord(key, MAX_INCARNATION, [], { onBattery: true, metered: true } as never),
    unsigned(word.incarnation + 7),
    // every flag there is, so asleep too
    Object.assign(unsigned(word.incarnation + 8), { 41: 255 })
  ]
  for (const lie of lies) {
    tells(encodeRecords([forged(lie)]))
    const own = crypto.generateKeyPairSync('ed25519').privateKey
    tells(encodeRecords([signedRecord(lie, crypto.sign(null, lie, own))!]))
    await world.pass(2_000)
  }
  t.comment('what was signed once, with something changed')
  for (const at of [33, 41, 42, 50]) {
    const bytes = word.bytes.slice()
    bytes[at]! ^= 1
    m.open(a)
      .at(-1)!
      .send(Kind.Gossip, Uint8Array.of(2, 1, bytes.length >> 8, bytes.length & 255, ...bytes))
    await world.pass(1_000)
  }
  await world.pass(60_000)
  t.same(states, [], 'nobody was ever shown otherwise')
  t.same(
    passedOn(world, [a, c], b, since).filter(incarnation => incarnation > word.incarnation),
    [],
    'nobody passes it on'
  )
  t.same(a.peer(b.self)?.Addresses, c.peer(b.self)?.Addresses)
  t.match(a.peer(b.self), { State: 'reachable', Addresses: [b.uri] })
  t.ok(m.open(a).length === 0 || a.sees(m), 'and who lies is still a member, until somebody removes it')
})

t.test('an old word, which was true once', async t => {
  const { world, a, b, c, tells, states } = await circle()
  const old = wordOf({ world, of: b })
  b.circle.listening([
    { interface: 'eth0', address: b.address, port: 24_747, policy: 'announce' },
    { interface: 'eth1', address: '198.51.100.7', port: 24_747, policy: 'announce' }
  ] as never)
  const second = `tcp://198.51.100.7:24747`
  await world.until(() => [a, c].every(at => at.peer(b.self)!.Addresses.includes(second)), 'all know')
  const { incarnation } = wordOf({ world, of: b })
  t.ok(incarnation > old.incarnation)
  for (let n = 0; n < 20; n++) {
    tells(encodeRecords([old]))
    await world.pass(500)
  }
  for (const at of [a, c]) t.ok(at.peer(b.self)!.Addresses.includes(second), 'it is still at both')
  t.same(states, [])
  t.equal(wordOf({ world, of: b }).incarnation, incarnation, 'b had nothing to contradict')
})

t.test('digests in which everybody is said to be far ahead', async t => {
  const { world, a, b, c, m, tells, states } = await circle()
  const all = [a, b, c, m].map(of => ({ id: peerKey(of.self)!, incarnation: MAX_INCARNATION }))
  const before = wordOf({ world, of: a }).incarnation
  const since = world.sent.length
  for (let n = 0; n < 30; n++) {
    tells(encodeDigest(all))
    await world.pass(2_000)
  }
  t.same(states, [])
  const more = wordOf({ world, of: a }).incarnation
  t.ok(more < before + 10 ** 6, `${before} became ${more}`)
  t.ok(world.sent.length - since < 3_000, `${world.sent.length - since} frames in a minute`)
  t.ok(a.sees(b) && b.sees(a) && c.sees(a))
})

t.test('addresses of others as its own', async t => {
  const { world, a, b, c, m, states } = await circle()
  m.circle.listening(
    [b, c].map(({ address }) => ({ interface: 'eth0', address, port: 24_747, policy: 'announce' })) as never
  )
  await world.until(() => a.peer(m.self)!.Addresses.includes(b.uri), 'a has its word')
  world.drop(m)
  await world.pass(120_000)
  t.same(states, [], 'a handshake there proves who is there: nobody is taken for it')
  t.ok(a.sees(b) && c.sees(b))
  t.not(a.peer(m.self)?.Addresses[0], b.uri)
})

t.test('verdicts on others, as many as it can', async t => {
  const { world, a, b, c, m, states } = await circle()
  const stranger = crypto.randomBytes(32)
  const view = (id: Uint8Array, incarnation: number, state: number, reason: number) => {
    const bytes = Buffer.alloc(50)
    bytes.set(id)
    bytes.writeBigUInt64BE(BigInt(incarnation), 32)
    bytes.set([state, reason], 40)
    return bytes
  }
  const since = world.sent.length
  for (let n = 0; n < 300; n++) {
    const [state, reason] = [
      [2, 4],
      [4, 4],
      [3, 10],
      [4, 2]
    ][n % 4] as [number, number]
    for (const [to, of] of [
      [a, [b, c, a]],
      [c, [b, a, c]]
    ] as const) {
      const about = of.map(({ self }) => view(peerKey(self)!, n % 2 ? MAX_INCARNATION : 1, state, reason))
      const body = Buffer.concat([Uint8Array.of(3, about.length + 1), ...about, view(stranger, 1, 4, 4)])
      m.open(to).at(-1)?.send(Kind.Gossip, body)
    }
    await world.pass(200)
  }
  t.same(states, [], 'each asks for itself, and is answered')
  const frames = world.sent.slice(since)
  const pings = frames.filter(({ from, kind }) => from === 'a' && kind === Kind.Ping).length
  t.comment(`a asked ${pings} times in a minute, ${frames.length} frames of all`)
  t.ok(pings < 400, `${pings} pings in a minute: it cannot make a ask without an end`)
  const mine = passedOn(world, [a], a, since)
  t.ok(
    mine.every(incarnation => incarnation < MAX_INCARNATION),
    'a does not follow it into the sky'
  )
  t.ok(a.sees(b) && c.sees(b) && b.sees(a) && b.sees(c))
})

t.test('clocks that jump to and fro every 10 s', async t => {
  const { world, a, b, c, m, states } = await circle()
  const START = Date.UTC(2026, 10, 21)
  const moments = [0, -START, 2 ** 31 * 1000 - START, 2 ** 32 * 1000 - START, 3_600_000, -86_400_000]
  for (let n = 0; n < 120; n++) {
    a.wrongMs = moments[n % moments.length]!
    if (n % 3 === 0) b.wrongMs = moments[(n * 5) % moments.length]!
    await world.pass(10_000)
  }
  t.same(states, [], 'in twenty minutes nobody is shown as gone')
  for (const at of [a, b]) at.wrongMs = 0
  b.crash()
  await world.until(() => !a.sees(b), 'a loss is seen')
  b.start()
  await world.meet(a, b, c, m)
})
