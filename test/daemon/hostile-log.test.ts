/**
 * A member that sends hostile membership operations, 100,000 of them, and one that passes on what others
 * signed in every wrong way: over real circles, sessions and signatures. What it costs is counted, not timed.
 */
import t from 'tap'
import { add, type Made, type Place, remove, rename } from '../../src/circle/author.ts'
import { MembershipLog } from '../../src/circle/log.ts'
import { ORPHANS, ORPHANS_PER_AUTHOR } from '../../src/circle/quarantine.ts'
import { QUOTA_MEMBER } from '../../src/circle/step.ts'
import { staticProof } from '../../src/crypto/handshake.ts'
import { ed25519, hash, type SigningKey, x25519 } from '../../src/crypto/provider.ts'
import { Kind } from '../../src/wire/frame.ts'
import { chunks, encodeLogFrame } from '../../src/wire/log-exchange.ts'
import { FILE_MS } from '../lab/deadline.ts'
import { type Computer as C, World } from './circle-world.ts'

const HOSTILE = 100_000
/** Of each frame's operations, taken in at once. */
const PART = 64
/** Useless ones that a session may send, and what is under way when that is noticed. */
const LISTENED = 1000 + 400

/** What passes through the logs of all devices: the parts they check, the most that ever waited. */
const seen = { largestPart: 0, verified: 0, waited: 0 }
const { take, verified } = MembershipLog.prototype
MembershipLog.prototype.take = function () {
  const taken = take.call(this)
  for (const output of taken.outputs) {
    if (output.type !== 'verify') continue
    const signers = new Set(output.items.map(({ message }) => Buffer.from(message).toString('hex')))
    seen.largestPart = Math.max(seen.largestPart, signers.size)
    seen.verified += output.items.length
  }
  return taken
}
MembershipLog.prototype.verified = function (...args) {
  verified.apply(this, args)
  seen.waited = Math.max(seen.waited, this.waiting)
}

/** The keys of a device, for doing what its program does not. */
function keysOf(computer: C): { keys: SigningKey; place: Place } {
  const [row] = computer.disk.table('circle')
  return { keys: ed25519(row!.seed), place: { gid: row!.gid, prev: [], wallMs: 0 } }
}
const operations = (computer: C) => computer.disk.table('operation').length
const standing = (computer: C) =>
  computer.circle
    .devices()
    .map(({ Name, Level, AddedBy }) => `${Name} ${Level} ${AddedBy}`)
    .sort()
const seed = (name: string) => hash(new TextEncoder().encode(name))
const expelled = (computer: C) => computer.logged.filter(line => /operations of no use/.test(line)).length
const dropped = (computer: C, what: string) =>
  computer.logged.filter(line => line.includes('dropped') && line.includes(`"${what}"`)).length

/** Sends frames as the other device's own program would, in a session of its own; in another when it is closed. */
async function send(world: World, from: C, to: C, frames: readonly Uint8Array[]): Promise<void> {
  for (let at = 0; at < frames.length; at += 4) {
    // who is closed is patient by itself; this one is not
    if (from.open(to).length === 0) from.circle.networkChanged()
    await world.until(() => from.open(to).length > 0, 'there is a session', 600_000)
    for (const frame of frames.slice(at, at + 4)) from.open(to).at(-1)!.send(Kind.Log, frame)
    await world.pass(20)
  }
}
const framed = (made: readonly Uint8Array[]) =>
  chunks(made).map(part => encodeLogFrame({ type: 'operations', round: 1, operations: part }))

t.setTimeout(FILE_MS)

t.test('100,000 hostile operations of a member', async t => {
  const world = new World()
  const [a, m, c] = (await world.circle('a', 'm', 'c')) as [C, C, C]
  await world.pass(10_000)
  const { keys, place } = keysOf(m)
  const before = { standing: standing(a), operations: operations(a), verified: seen.verified }
  const heads = [a.circle.gid]
  const make = (n: number, prev: readonly Uint8Array[]): Made => {
    const target = keysOf(n % 2 ? a : c).keys.publicKey
    const at = { ...place, prev }
    if (n % 3 === 0) return rename(keys, at, { serial: n + 1, name: 'm' })
    if (n % 3 === 1) return remove(keys, at, { target, lost: true, cut: [] })
    const joiner = ed25519(seed(`joiner ${n % 8}`))
    const key = x25519(seed(`static ${n % 8}`)).publicKey
    const staticSignature = joiner.sign(staticProof(place.gid, joiner.publicKey, key, 0))
    const body = { target: joiner.publicKey, level: 2 + (n % 9), guest: false, expiresMs: 0, suites: 1 }
    return add(keys, at, { ...body, static: key, staticSignature, name: 'x' })
  }
  const introduced = a.disk.table('operation').map(({ id }) => id)
  const batches: { [what: string]: Uint8Array[] } = {
    forks: Array.from(
      { length: 4_000 },
      (_, n) => make(n, [...heads, introduced[2]!].sort(Buffer.compare)).bytes
    ),
    orphans: Array.from({ length: 4_000 }, (_, n) => make(n, [seed(`nowhere ${n}`)]).bytes),
    strangers: Array.from({ length: 4_000 }, (_, n) => {
      const stranger = ed25519(seed(`stranger ${n}`))
      return rename(stranger, { ...place, prev: [seed('nowhere')] }, { serial: 1, name: 'x' }).bytes
    })
  }
  const { forks, orphans } = batches as { [what: string]: Uint8Array[] }
  batches['forged'] = Array.from({ length: 28_000 }, (_, n) => {
    const bytes = forks![n % forks!.length]!.slice()
    bytes[bytes.length - 1 - (n % 60)]! ^= 1 + (n % 254)
    return bytes
  })
  batches['foreign'] = Array.from({ length: 20_000 }, (_, n) => {
    const bytes = forks![n % forks!.length]!.slice()
    bytes[2 + (n % 32)]! ^= 1 + (n % 254)
    return bytes
  })
  batches['repeated'] = Array.from({ length: 20_000 }, (_, n) => a.disk.table('operation')[n % 3]!.bytes)
  batches['again'] = Array.from({ length: 20_000 }, (_, n) => orphans![n % 200]!)

  let sent = 0
  for (const [what, all] of Object.entries(batches)) {
    await send(world, m, a, framed(all))
    sent += all.length
    t.same(standing(a), before.standing, `${what}: the members are who they were`)
  }
  t.equal(sent, HOSTILE)
  t.ok(a.sees(c) && c.sees(a), 'the others see each other')
  t.ok(operations(a) - before.operations <= QUOTA_MEMBER * 2, `${operations(a) - before.operations} on disk`)
  t.ok(seen.waited <= ORPHANS, `${seen.waited} waited at most`)
  t.ok(seen.largestPart <= PART * 2, `${seen.largestPart} signatures checked at once at most`)
  t.ok(expelled(a) > 10, `expelled ${expelled(a)} times`)
  t.ok(seen.verified - before.verified < (expelled(a) + 20) * LISTENED * 2 * 2, `${seen.verified} verified`)
  for (const what of ['forged', 'foreign', 'refused'])
    t.ok(dropped(a, what) > 0, `${what}: ${dropped(a, what)} counted`)
  await world.pass(700_000)
  t.same(standing(c), before.standing, 'nor did the third one fall for it')

  t.comment('and then it is removed, and the circle goes on')
  await world.done(a.circle.remove(m.self))
  await world.until(() => !c.members.includes('m'), 'the third one hears it', 1_000)
  const d = world.computer('d')
  await d.join(await a.invite())
  await world.meet(a, c, d)
  t.same(standing(c), standing(a))
  t.same(standing(d), standing(a))
  t.equal(world.links(a, m), 0)
})

t.test('what others signed, passed on turned round, doubled and with holes', async t => {
  const world = new World()
  const [a, m, c] = (await world.circle('a', 'm', 'c')) as [C, C, C]
  const admin = world.computer('admin')
  await admin.join(await a.invite(2))
  await world.meet(a, m, c, admin)
  await world.pass(10_000)
  const known = new Set(a.disk.table('operation').map(({ id }) => Buffer.from(id).toString('hex')))
  a.crash()
  for (let n = 0; n < 6; n++) {
    const each = world.computer(`e${n}`)
    await each.join(await admin.invite())
    if (n % 2) await world.done(admin.circle.remove(each.self))
  }
  const fresh = admin.disk.table('operation').filter(({ id }) => !known.has(Buffer.from(id).toString('hex')))
  t.equal(fresh.length, 9)

  t.comment('one who did not make them gives them on')
  world.reaches = (from, to) => [from, to].every(each => each === a || each === m)
  const { gid } = keysOf(m).place
  a.start()
  await world.until(() => m.sees(a), 'a session')
  await world.pass(1_000)
  t.same(standing(a), standing(admin), 'whoever brings them')

  t.comment('again to such a log, backwards, twice, and without the first')
  const log = new MembershipLog({ gid })
  log.load(
    admin.disk
      .table('operation')
      .slice(0, known.size)
      .map(({ bytes }) => bytes)
  )
  const told = (frames: readonly Uint8Array[]) => {
    for (const frame of frames) {
      log.receive(0, 'm', frame)
      for (const output of log.take().outputs)
        if (output.type === 'verify') {
          const good = output.items.map(() => true)
          log.verified(0, output.batch, good)
        }
    }
  }
  const lines = fresh.map(({ bytes }) => bytes)
  log.greet(0, 'm')
  told(framed([...lines.slice(1), ...lines.slice(1)].reverse()))
  t.equal(log.size, known.size, 'without the first nothing comes in')
  t.ok(log.waiting > 0 && log.waiting <= ORPHANS_PER_AUTHOR, `${log.waiting} wait`)
  told(framed([lines[0]!]))
  t.equal(log.size, known.size + fresh.length, 'with it all of it')
  t.equal(log.waiting, 0)
  t.same(
    [...log.members.values()].map(({ name }) => name).sort(),
    admin.members,
    'and the members are the same'
  )
})

t.test('a session that asks and greets without end is not answered without end', async t => {
  const world = new World()
  const [a, m, c] = (await world.circle('a', 'm', 'c')) as [C, C, C]
  await world.pass(10_000)
  const greet = (round: number) => encodeLogFrame({ type: 'greet', round, heads: [], locator: [] })
  const [session] = m.open(a)
  const before = world.frames(a, Kind.Log).length
  for (let round = 2; round < 900; round++) session!.send(Kind.Log, greet(round))
  await world.pass(100)
  const answers = () =>
    world
      .frames(a, Kind.Log)
      .slice(before)
      .filter(({ body }) => body[0] === 2).length
  t.ok(answers() <= 4, `${answers()} answers with the log to 898 greets`)
  const ids = a.disk.table('operation').map(({ id }) => id)
  const wants = encodeLogFrame({
    type: 'wants',
    round: 1,
    ids: Array.from({ length: 64 }, (_, n) => ids[n % 3]!)
  })
  const asked = answers()
  for (let n = 0; n < 99; n++) session!.send(Kind.Log, wants)
  await world.pass(100)
  t.ok(answers() - asked <= 64, `${answers() - asked} answers to 99 times 64 wants`)
  for (let n = 0; n < 200; n++) session!.send(Kind.Log, greet(1000 + n))
  await world.until(() => expelled(a) === 1, 'it is expelled')
  t.ok(a.sees(c))
})
