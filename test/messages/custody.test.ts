/** Custody, one situation at a time: a sends, b and d keep, c receives. */
import t from 'tap'
import { seal } from '../../src/crypto/hpke.ts'
import { peerKey } from '../../src/crypto/identity.ts'
import { x25519 } from '../../src/crypto/provider.ts'
import { signVerdict } from '../../src/messages/copy.ts'
import { QUOTA } from '../../src/messages/custody.ts'
import { fromBase32 } from '../../src/wire/base32.ts'
import {
  type Copy,
  copyAad,
  custodyInfo,
  encodeDeposit,
  encodeHanded,
  encodeInside,
  encodeReceipt,
  MAX_KEPT_PAYLOAD
} from '../../src/wire/custody.ts'
import { encodeCancel } from '../../src/wire/message.ts'
import { Dice } from '../circle/dice.ts'
import { Clock } from '../sim/clock.ts'
import { type Device, Disk, gid, World } from './custody-world.ts'

function four(): { world: World; a: Device; b: Device; c: Device; d: Device } {
  const world = new World(new Clock(), new Dice(1), 4)
  const [a, b, c, d] = world.devices as [Device, Device, Device, Device]
  world.holders = [b.id, d.id]
  world.pass(4_000)
  return { world, a, b, c, d }
}
const states = (device: Device): string[] => device.accepted.map(sent => device.state(sent))
/** Copies that nobody has taken. */
const kept = (...devices: Device[]): number[] => devices.map(({ custody }) => custody.load.copies)

t.test('a sends, b keeps it, a goes, c comes: it runs once, and a learns of it later', async t => {
  const { world, a, b, c, d } = four()
  world.open(a, b)
  world.open(a, d)
  for (const text of ['1', '2', '3']) a.send(c.id, 'x', text)
  world.pass(200)
  t.same(states(a), ['held', 'held', 'held'])
  t.same(a.deposits.holders(a.accepted[0]!), [b.id, d.id], 'by two')
  t.same(kept(b, d), [3, 3])
  a.kill()
  world.open(b, c)
  world.pass(200)
  t.same(c.order, ['a x 1', 'a x 2', 'a x 3'])
  t.same(kept(b, d), [0, 3], 'deleted on the receipt')

  t.comment('the other one comes with the same')
  world.open(d, c)
  world.pass(200)
  t.equal(c.runs.length, 3)
  t.same(kept(b, d), [0, 0])

  t.comment('a hears of the receipts from the holder first, of the end from c')
  a.start()
  world.pass(100)
  t.same(states(a), ['held', 'held', 'held'], 'as it was')
  world.open(a, b)
  world.pass(200)
  t.same(states(a), ['received', 'received', 'received'])
  world.open(a, c)
  world.pass(200)
  t.same(states(a), ['done', 'done', 'done'])
  world.open(a, d)
  world.pass(500)
  t.equal(c.runs.length, 3)
  for (const { disk } of [a, b, d])
    t.same([disk.copies.size, disk.deposits.size], [0, 0], 'nothing is kept for ever')
  t.equal(c.disk.received.size, 0)
})

t.test('b reaches c while a does not: it goes on at once', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  world.open(b, c)
  a.send(c.id, 'x', '1')
  world.pass(200)
  t.same(c.order, ['a x 1'])
  t.same(states(a), ['received'])
})

t.test('the ordinary way is not given up, and copies are asked back', async t => {
  const { world, a, b, c, d } = four()
  world.open(a, b)
  world.open(a, d)
  a.send(c.id, 'x', '1')
  world.pass(200)
  world.open(a, c)
  world.pass(500)
  t.same(states(a), ['done'])
  t.same(kept(b, d), [0, 0])
  t.same([a.disk.deposits.size, c.runs.length], [0, 1])
})

t.test('a receiver that is away for a moment only is waited for', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  world.open(a, c)
  world.pass(100)
  world.cut(a, c)
  a.send(c.id, 'x', '1')
  world.pass(2_500)
  t.same([states(a), kept(b)], [['queued'], [0]])
  world.pass(1_000)
  t.same([states(a), kept(b)], [['held'], [1]])
})

t.test('a copy that comes when all is settled does not run', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  a.send(c.id, 'x', '1')
  world.pass(200)
  world.cut(a, b)
  world.open(a, c)
  world.pass(500)
  t.same(states(a), ['done'])
  t.equal(c.disk.received.size, 0, 'c has forgotten it')
  t.equal([...c.disk.floors.values()][0]?.floor, 2, 'but for the floor')
  world.open(b, c)
  world.pass(500)
  t.same([c.runs.length, kept(b)], [1, [0]], 'refused for good, with a receipt')
})

t.test('one that was taken back does not run later, though an older one is not settled', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  a.send(c.id, 'x', 'older')
  a.send(c.id, 'y', 'taken back')
  a.send(c.id, 'z', 'newer')
  world.pass(200)
  t.same(kept(b), [3])
  world.cut(a, b)
  const [, second] = a.accepted
  a.cancel(second!)
  world.pass(50)
  t.equal(a.state(second!), 'held', 'c may have it by now: c is to say')
  // of all that a says when they meet, only this comes before the session ends
  c.hear(a.id, encodeCancel(new Uint8Array(8).fill(7), 2, fromBase32(second!.id)!))
  world.pass(50)
  c.kill()
  c.start()
  t.equal(c.disk.received.size, 1)
  world.open(b, c)
  world.pass(500)
  t.notOk(c.order.includes('a y taken back'))
  t.equal(c.runs.length, 2)
  world.open(a, c)
  world.pass(500)
  t.same(states(a).slice(1), ['dead cancelled', 'done'])
})

t.test('one that expired with a holder: c says whether it came in time', async t => {
  for (const comes of [true, false]) {
    const { world, a, b, c } = four()
    world.open(a, b)
    a.send(c.id, 'x', '1', 100_000)
    world.pass(200)
    a.kill()
    if (comes) world.open(b, c)
    world.pass(1_000)
    world.cut(b, c)
    world.pass(100_000)
    t.same(kept(b), [0], 'deleted')
    a.start()
    world.open(a, b)
    world.pass(1_000)
    t.match(states(a)[0], /held|queued|received/, 'nobody knows yet')
    world.open(b, c)
    world.open(a, c)
    world.pass(1_000)
    t.same(states(a), [comes ? 'done' : 'dead expired'])
    t.equal(c.runs.length, comes ? 1 : 0)
  }
})

t.test('what was sent before goes first, whoever brings it', async t => {
  const { world, a, b, c, d } = four()
  world.open(a, b)
  a.send(c.id, 'x', '1')
  a.send(c.id, 'y', 'y1')
  world.pass(200)
  world.cut(a, b)
  // d gets all; b the first two only
  world.open(a, d)
  world.pass(200)
  a.send(c.id, 'x', '2')
  a.send(c.id, 'y', 'y2')
  world.pass(200)
  t.same(kept(b, d), [2, 4])
  // now d loses the first of x
  d.custody.release(a.id, [[...d.disk.copies.values()][0]!.custody])
  d.carry()
  a.kill()
  world.pass(100)
  world.open(d, c)
  world.pass(1_000)
  t.same(c.order, ['a y y1', 'a y y2'], 'x 2 waits for x 1; y does not')
  t.same(kept(d), [1])
  world.open(b, c)
  world.pass(30_000)
  t.same(c.order.slice(2), ['a x 1', 'a x 2'])
  t.same(kept(b, d), [0, 0])
})

t.test('what was sent after one that was taken back does not wait for it', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  for (const text of ['1', '2', '3']) a.send(c.id, 'x', text)
  world.pass(200)
  a.cancel(a.accepted[0]!)
  world.pass(500)
  a.kill()
  world.open(b, c)
  world.pass(15_000)
  t.same(c.order, ['a x 2', 'a x 3'])
})

t.test('too large for custody: it goes its ordinary way, and what follows it too', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  a.send(c.id, 'x', 'x'.repeat(MAX_KEPT_PAYLOAD + 1))
  a.send(c.id, 'x', 'after it')
  a.send(c.id, 'y', 'y'.repeat(MAX_KEPT_PAYLOAD))
  world.pass(200)
  t.same(states(a), ['queued', 'queued', 'held'])
  world.open(a, c)
  world.pass(500)
  t.same(states(a), ['done', 'done', 'done'])
})

t.test('quota of a depositor', async t => {
  const { world, a, b, c, d } = four()
  world.holders = [b.id]
  world.open(a, b)
  world.open(d, b)
  const number = Math.floor(QUOTA.bytes / MAX_KEPT_PAYLOAD)
  for (let i = 0; i < number + 20; i++) a.send(c.id, 'x', `${i}`.padEnd(MAX_KEPT_PAYLOAD))
  d.send(c.id, 'x', 'of another')
  world.pass(5_000)
  const held = states(a).filter(state => state === 'held').length
  t.ok(held >= number - 1 && held <= number, `${held} are kept`)
  t.ok(b.custody.load.bytes <= QUOTA.bytes + 1_000)
  t.same(states(d), ['held'], 'another has its own')
  t.ok((b.counts.get('custody-full') ?? 0) < 30, 'and it is not asked for ever')
  world.open(b, c)
  world.pass(600_000)
  t.equal(c.order.length, number + 21, 'when there is room again, the rest')
  t.same(
    states(a).filter(state => state !== 'received'),
    []
  )
})

t.test('a sender that was removed while its message waits', async t => {
  const { world, a, b, c, d } = four()
  world.open(a, b)
  world.open(a, d)
  a.send(c.id, 'x', '1')
  world.pass(200)
  // b is not there to hear of the removal, and does not care either
  b.lies = 'replays'
  const copy = [...b.disk.copies.values()][0]!
  world.remove(a)
  world.pass(100)
  t.same(kept(b, d), [0, 0], 'holders delete what is of those who are no members')
  world.open(b, c)
  const { custody, expiresMs, sealed } = copy
  world.send(b.id, c.id, encodeHanded({ recipient: peerKey(c.id)!, custody, expiresMs, sealed }))
  world.pass(500)
  t.same(c.runs, [])
})

t.test('a receiver that was removed', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  a.send(c.id, 'x', '1')
  world.pass(200)
  world.remove(c)
  world.pass(200)
  t.same([kept(b), states(a), a.disk.deposits.size], [[0], ['dead removed'], 0])
})

t.test('a receiver that changes its key', async t => {
  const { world, a, b, c, d } = four()
  world.open(a, b)
  a.send(c.id, 'x', '1')
  world.pass(200)
  a.kill()
  const rekey = () => {
    c.statics = [x25519(Uint8Array.from({ length: 32 }, (_, i) => i + ++c.serial)), c.statics[0]!]
    for (const device of [a, b, d]) if (device.process !== 0) device.membersChanged()
  }
  t.comment('once: the one before opens it')
  rekey()
  world.open(b, c)
  world.pass(200)
  t.same(c.order, ['a x 1'])

  t.comment('twice: nobody can open it; the sender seals it anew')
  world.cut(b, c)
  a.start()
  world.open(a, b)
  world.pass(4_000)
  a.send(c.id, 'x', '2')
  world.pass(200)
  t.same(kept(b), [1])
  world.cut(a, b)
  a.kill()
  rekey()
  rekey()
  world.open(b, c)
  world.pass(200)
  t.equal(c.counts.get('copy-sealed'), 1)
  t.same([c.runs.length, kept(b)], [1, [0]])
  a.start()
  world.open(a, b)
  world.pass(4_000)
  t.same(c.order, ['a x 1', 'a x 2'])

  t.comment('and at once where it hears of it in time')
  world.cut(b, c)
  a.send(c.id, 'x', '3')
  world.pass(200)
  const [before] = [...b.disk.copies.values()].filter(({ verdict }) => verdict === 'later')
  rekey()
  world.pass(500)
  const [after] = [...b.disk.copies.values()].filter(({ verdict }) => verdict === 'later')
  t.not(before!.custody, after!.custody)
  t.same(kept(b), [1])
})

t.test('a holder that lies: it says that it keeps it, and does not', async t => {
  const { world, a, b, c } = four()
  b.lies = 'drops'
  world.open(a, b)
  a.send(c.id, 'x', '1')
  world.pass(200)
  t.same(states(a), ['held'])
  world.open(b, c)
  world.pass(500)
  t.same(c.runs, [])
  world.open(a, c)
  world.pass(500)
  t.same([states(a), c.runs.length], [['done'], 1])
})

t.test('copies that were made or changed by others', async t => {
  const { world, a, b, c, d } = four()
  world.open(a, b)
  a.send(c.id, 'x', '1')
  world.pass(200)
  const { custody, expiresMs, sealed } = [...b.disk.copies.values()][0]!
  const good: Copy = { recipient: peerKey(c.id)!, custody, expiresMs, sealed }
  // d got hold of it
  world.open(d, c)
  world.open(d, b)
  const hand = (to: Device, copy: Copy) => {
    world.send(d.id, to.id, encodeHanded(copy))
    world.pass(50)
  }
  hand(c, { ...good, custody: good.custody.map(byte => byte ^ 1) })
  hand(c, { ...good, expiresMs: expiresMs + 1 })
  hand(c, { ...good, sealed: sealed.map((byte, i) => (i === 200 ? byte ^ 1 : byte)) })
  hand(c, { ...good, sealed: sealed.slice(0, -1) })
  hand(c, { ...good, sealed: new Uint8Array(0) })
  t.equal(c.counts.get('copy-sealed'), 5, 'the id, the time, the bytes, the size')
  hand(b, { ...good, recipient: peerKey(b.id)! })
  t.equal(b.counts.get('copy-sealed'), 1, 'and who it is for')
  hand(b, good)
  t.equal(b.counts.get('not-for-us'), 1)

  t.comment('d seals something itself, and says it is by a')
  const mine = x25519(new Uint8Array(32).fill(5))
  const own = (text: Uint8Array) => {
    const header = { recipient: peerKey(c.id)!, custody: new Uint8Array(16).fill(9), expiresMs }
    const aad = copyAad(header, text.length + 48)
    return { ...header, sealed: seal(mine, c.statics[0]!.publicKey, custodyInfo(gid), aad, text) }
  }
  hand(c, own(new Uint8Array(300)))
  hand(c, own(new Uint8Array(0)))
  t.equal(c.counts.get('copy-malformed'), 2)
  const inside = {
    ...{ sender: peerKey(a.id)!, ask: false, epoch: new Uint8Array(8), seq: 1, id: new Uint8Array(10) },
    ...{ sentMs: 1, after: 0, afterMs: 0, tag: 'x', payload: new Uint8Array(1) }
  }
  const text = encodeInside(inside)
  hand(c, own(Uint8Array.of(...text, ...d.signer.sign(text))))
  t.equal(c.counts.get('copy-forged'), 1)
  t.same([c.runs.length, c.disk.received.size], [0, 0])

  t.comment('the same again and again')
  for (let i = 0; i < 5; i++) hand(c, good)
  world.pass(200)
  t.equal(c.runs.length, 1)
})

t.test('receipts that others made', async t => {
  const { world, a, b, c, d } = four()
  world.open(a, b)
  a.send(c.id, 'x', '1')
  world.pass(200)
  const { custody } = [...b.disk.copies.values()][0]!
  t.comment('d gives a receipt that is not its own to give')
  world.open(d, b)
  world.send(d.id, b.id, encodeReceipt(custody, signVerdict(gid, d.signer, custody, 'taken')))
  world.pass(50)
  t.same(kept(b), [1])
  t.comment('b says that c gave one')
  const forged = signVerdict(gid, b.signer, custody, 'taken')
  a.deposits.answers(a.now, a.wall, b.id, [{ custody, state: 'given', ...forged }])
  a.carry()
  t.equal(a.counts.get('custody-receipt-forged'), 1)
  t.same(states(a), ['held'])
})

t.test('who may deposit, and what for', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  const copy = (recipient: Device, expiresMs = a.wall + 100_000): Copy => ({
    recipient: peerKey(recipient.id)!,
    custody: new Uint8Array(16).fill(expiresMs % 251),
    expiresMs,
    sealed: new Uint8Array(100)
  })
  for (const each of [copy(b), copy(c, a.wall - 1)]) world.send(a.id, b.id, encodeDeposit(each))
  world.pass(50)
  t.same(kept(b), [0], 'not for the holder itself, not what is over')
  world.send(a.id, b.id, encodeDeposit(copy(c, a.wall + 365 * 86_400_000)))
  world.pass(50)
  t.same(kept(b), [1])
  world.tick = 3_600_000
  world.pass(31 * 86_400_000)
  t.same(kept(b), [0], 'for a month at most')
})

t.test('a sender whose database was put back', async t => {
  const { world, a, b, c } = four()
  world.open(a, b)
  a.send(c.id, 'x', '1')
  world.pass(200)
  const backup = new Disk(a.disk)
  a.send(c.id, 'x', 'forgotten')
  world.pass(200)
  a.kill()
  a.disk = backup
  a.start()
  a.send(c.id, 'x', '2')
  world.pass(4_000)
  world.open(b, c)
  world.pass(500)
  t.same(c.order, ['a x 1', 'a x forgotten'])
  world.open(a, c)
  world.open(a, b)
  world.pass(1_000)
  t.same(c.order, ['a x 1', 'a x forgotten', 'a x 2'], 'under another number')
  t.same(
    [...new Set(states(a))],
    ['done', 'forgotten'].filter(state => states(a).includes(state))
  )
  t.equal(new Set(c.runs).size, 3)
})
