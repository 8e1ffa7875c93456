import t from 'tap'
import { ApiError } from '../../src/api/api.ts'
import { peerKey } from '../../src/crypto/identity.ts'
import { ed25519 } from '../../src/crypto/provider.ts'
import { readRecoveryCode, recoveryKeys } from '../../src/crypto/recovery.ts'
import { joinShares, shareText, splitCode } from '../../src/crypto/shares.ts'
import { holdersOf } from '../../src/daemon/circle/shares.ts'
import type { Session } from '../../src/daemon/sessions/session.ts'
import { compare, hex } from '../../src/wire/bytes.ts'
import { Kind } from '../../src/wire/frame.ts'
import { decodeRecoveryFrame, encodeRecoveryFrame, offerMessage } from '../../src/wire/recovery-frame.ts'
import { type Computer as C, calling, World } from './circle-world.ts'
import { fill } from './gates.ts'

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    error => (error instanceof ApiError ? `${error.code} ${error.message}` : String(error.stack))
  )

async function home() {
  const world = new World()
  const computers = (await world.circle('a', 'b', 'c', 'd')) as [C, C, C, C]
  const [a] = computers
  const split = (on: C, devices: C[]) =>
    world.done(
      on.circle.shares.split(
        on.circle.recovery.key({ Code: a.recoveryCode, Shares: [] }),
        devices.map(device => device.self),
        calling()
      )
    )
  await world.pass(5_000)
  return { world, computers, split, code: readRecoveryCode(a.recoveryCode) }
}
const shareOf = (computer: C) => computer.circle.shares.kept?.share

t.test('three devices get one each, on disk; any two give the code', async t => {
  const { world, computers, split, code } = await home()
  const [a, b, c, d] = computers
  t.same(await split(a, [b, c, d]), [])
  const shares = [b, c, d].map(computer => shareOf(computer)!)
  for (const one of shares)
    for (const other of shares) if (one !== other) t.same(joinShares(one, other), code)
  t.equal(shareOf(a), undefined)
  for (const computer of [b, c, d]) {
    t.match(computer.disk.table('share'), [{ counts: 1, giver: a.self }])
    t.same(holdersOf(computer.circle.shares.kept).sort(), [b.self, c.self, d.self].sort())
  }
  b.crash()
  b.start()
  t.same(shareOf(b), shares[0], 'it is on disk')
  const Shares = [shareText(shares[0]!), shareText(shares[2]!)]
  const use = { Code: '', Shares, remove: ['a'], beforeMs: undefined, lost: false, preview: false }
  await world.done(c.circle.recovery.use(use))
  t.equal(c.circle.record.Level, 1, 'two shares do what the code does')

  t.comment('a holder is removed: it is said, and a new splitting makes it good')
  await world.meet(b, c, d)
  await world.done(c.circle.remove(d.self))
  await world.until(() => b.members.length === 2, 'b knows')
  t.match([...b.notes.values()].join(), /device that is no member any more \(d\): `coterie recovery split`/)
  const e = world.computer('e')
  await e.join(await c.invite())
  await world.meet(b, c, e)
  await world.pass(2_000)
  await split(b, [b, c, e])
  t.notMatch([...b.notes.values()].join(), /recovery split/)
  t.throws(() => joinShares(shares[2]!, shareOf(b)!), /different splittings/)
  t.same(joinShares(shareOf(e)!, shareOf(b)!), code)
})

t.test('this device may be one; who holds none any more forgets the old one', async t => {
  const { world, computers, split, code } = await home()
  const [a, b, c, d] = computers
  await split(a, [a, b, c])
  t.same(joinShares(shareOf(a)!, shareOf(c)!), code)
  const old = shareOf(c)!
  await split(a, [a, b, d])
  await world.pass(100)
  t.equal(shareOf(c), undefined)
  t.same(c.disk.table('share'), [])
  t.notSame(shareOf(b), old)
  world.drop(a, c)
  world.reaches = () => false
  await world.pass(100)
  t.same(await split(a, [a, b, d]), [c.self], 'who was away is named')
})

t.test('all three must be there, or nothing counts', async t => {
  const { world, computers, split } = await home()
  const [a, b, c, d] = computers
  await split(a, [b, c, d])
  const before = [b, c, d].map(computer => hex(shareOf(computer)!))
  d.crash()
  await world.pass(1_000)
  t.match(
    await failure(split(a, [b, c, d])),
    /^Unreachable d \(\w+\) cannot be reached now; all three must be/
  )
  d.start()
  await world.meet(a, b, c, d)
  await world.pass(5_000)
  d.disk.full = true
  t.match(await failure(split(a, [b, c, d])), /^Unreachable d did not take its share; nothing counts/)
  t.same(
    [b, c, d].map(computer => hex(shareOf(computer)!)),
    before,
    'the ones before are still those that count'
  )
  t.match(
    b.disk
      .table('share')
      .map(({ counts }) => counts)
      .sort(),
    [0, 1]
  )
  d.disk.full = false
  await split(a, [b, c, d])
  t.notSame(hex(shareOf(d)!), before[2])
  t.equal(b.disk.table('share').length, 1)

  t.match(await failure(split(a, [b, c])), /^InvalidValue Devices: name three different ones/)
  t.match(await failure(split(a, [b, c, c])), /^InvalidValue/)
  const relay = world.computer('relay')
  await relay.join(await a.invite(11))
  await world.meet(a, relay)
  t.match(await failure(split(a, [b, c, relay])), /^NotAllowed relay .*guests and relays keep no shares/)
})

t.test('only who has the code can give a share, and only now', async t => {
  const { world, computers, split, code } = await home()
  const [a, b, c, d] = computers
  await split(a, [b, c, d])
  const held = hex(shareOf(c)!)
  const key = ed25519(recoveryKeys(code).seed)
  const session = b.sessions.findLast(({ peer }) => peer === c.self) as Session
  const share = splitCode(fill(3, 20), fill(4, 24))[0]!
  const holders = [b, c, d].map(({ self }) => peerKey(self)!).sort(compare)
  const place = { gid: c.circle.gid, session: session.hash, recipient: peerKey(c.self)! }
  const offer = (signature: Uint8Array, more = {}) =>
    session.send(Kind.Recovery, encodeRecoveryFrame({ type: 'offer', share, holders, signature, ...more }))
  const mine = ed25519(b.disk.table('circle')[0]!.seed)
  offer(mine.sign(offerMessage({ share, holders }, place)))
  offer(key.sign(offerMessage({ share, holders }, { ...place, session: fill(1) })))
  offer(key.sign(offerMessage({ share, holders }, { ...place, recipient: fill(1) })))
  offer(key.sign(offerMessage({ share, holders }, { ...place, gid: fill(1) })))
  const others = [fill(1), fill(2), fill(3)]
  offer(key.sign(offerMessage({ share, holders: others }, place)), { holders: others })
  const nothing = new Uint8Array(25)
  offer(key.sign(offerMessage({ share: nothing, holders }, place)), { share: nothing })
  const recorded = world.sent.find(
    ({ kind, to, body }) =>
      kind === Kind.Recovery && to === c.self && decodeRecoveryFrame(body)?.type === 'offer'
  )
  session.send(Kind.Recovery, recorded!.body)
  session.send(Kind.Recovery, encodeRecoveryFrame({ type: 'settle', mark: share.slice(1, 5) }))
  await world.pass(2_000)
  t.equal(hex(shareOf(c)!), held)
  t.equal(c.disk.table('share').length, 1, 'nothing of it was stored')

  offer(key.sign(offerMessage({ share, holders }, place)))
  await world.pass(1_000)
  t.equal(c.disk.table('share').length, 2, 'with the code it is')
  t.equal(hex(shareOf(c)!), held, 'and does not count before it is settled')
})
