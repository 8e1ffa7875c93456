import t from 'tap'
import { add, type Made, type Place, rekey, remove } from '../../src/circle/author.ts'
import { MembershipLog } from '../../src/circle/log.ts'
import { LostDevices, lockOrder, readOrder } from '../../src/circle/lost.ts'
import { peerId } from '../../src/crypto/identity.ts'
import { hash, verify } from '../../src/crypto/provider.ts'
import { exchangeKey, genesis, gidOf, joining, RECOVERY, signing } from './world.ts'

const [a, b, c, recovery] = ['A', 'B', 'C', RECOVERY].map(signing) as [
  ReturnType<typeof signing>,
  ReturnType<typeof signing>,
  ReturnType<typeof signing>,
  ReturnType<typeof signing>
]
const id = (keys: typeof a) => peerId(keys.publicKey)
const place = (...prev: Made[]): Place => ({ gid: gidOf, prev: prev.map(made => made.id), wallMs: 0 })
const logOf = (...made: Made[]) => {
  const log = new MembershipLog({ gid: gidOf })
  log.load([genesis, ...made].map(({ bytes }) => bytes))
  return log
}
const lost = (by: typeof a, target: typeof a, where: Place, flag = true) =>
  remove(by, where, { target: target.publicKey, lost: flag, cut: undefined })

const addB = add(a, place(genesis), joining('B', 2))
const addC = add(a, place(addB), joining('C'))
const known = logOf(addB, addC)
/** B as a second first device, by the code. */
const firstB = add(recovery, place(addC), joining('B', 1))

t.test('who is to be locked, by the log', async t => {
  t.equal(lockOrder(known, id(c)), undefined)
  const byFirst = lost(a, c, place(addC))
  t.same(lockOrder(logOf(addB, addC, byFirst), id(c)), [byFirst.bytes])
  const byCode = lost(recovery, a, place(addC))
  t.same(lockOrder(logOf(addB, addC, byCode), id(a)), [byCode.bytes])
  const bySecond = lost(b, c, place(firstB))
  t.same(lockOrder(logOf(addB, addC, firstB, bySecond), id(c)), [bySecond.bytes, firstB.bytes])

  t.equal(lockOrder(logOf(addB, addC, lost(b, c, place(addC))), id(c)), undefined, 'an admin only removes')
  t.equal(lockOrder(logOf(addB, addC, lost(a, c, place(addC), false)), id(c)), undefined, 'without the flag')
  const equals = lost(b, a, place(firstB))
  t.equal(lockOrder(logOf(addB, addC, firstB, equals), id(a)), undefined, 'equals do not remove each other')
  const leaving = lost(c, c, place(addC))
  t.equal(lockOrder(logOf(addB, addC, leaving), id(c)), undefined, 'nor does one lock itself')
  const void_ = remove(recovery, place(byFirst), { target: a.publicKey, lost: false, cut: [addC.id] })
  t.equal(lockOrder(logOf(addB, addC, byFirst, void_), id(c)), undefined, 'a removal that became void')
})

t.test('an order that somebody brings proves itself', async t => {
  const read = (operations: readonly Made[], self = c, log = known) => {
    const order = readOrder(
      gidOf,
      log,
      id(self),
      operations.map(({ bytes }) => bytes)
    )
    const good = order?.signatures.every(s => verify(s.publicKey, s.message, s.signature))
    return good ? `${order!.level}` : 'refused'
  }
  const far = { id: hash(gidOf), bytes: new Uint8Array(0) }
  t.equal(read([lost(a, c, place(far))]), '1', 'of the first device, though what lies between is not known')
  t.equal(read([lost(recovery, c, place(far))]), '0')
  t.equal(read([lost(recovery, a, place(far))], a), '0', 'the code stands above the first device')
  const distant = add(recovery, place(far), joining('B', 1))
  t.equal(read([lost(b, c, place(distant)), distant]), '1', 'of a first device made by the code')

  t.comment('refused')
  t.equal(read([lost(b, c, place(addC))]), 'refused', 'of an admin')
  t.equal(read([lost(b, c, place(addC)), addB]), 'refused', 'with an adding at another level')
  const own = add(a, place(far), joining('B', 1))
  t.equal(read([lost(b, c, place(own)), own]), 'refused', 'a first device makes no first devices')
  const self = add(b, place(far), joining('B', 1))
  t.equal(read([lost(b, c, place(self)), self]), 'refused', 'nor does one make itself one')
  t.equal(read([lost(a, c, place(far), false)]), 'refused', 'not lost, only removed')
  t.equal(read([lost(a, b, place(far))]), 'refused', 'about another device')
  t.equal(read([lost(b, a, place(distant)), distant], a), 'refused', 'of an equal')
  t.equal(read([lost(c, c, place(far))]), 'refused', 'of itself')
  t.equal(read([]), 'refused')
  t.equal(read([addB]), 'refused')
  t.equal(read([lost(a, c, place(far)), distant]), 'refused', 'with more than it needs')
  t.equal(read([lost(b, c, place(distant)), distant, addB]), 'refused')
  const foreign = remove(
    a,
    { ...place(far), gid: hash(gidOf) },
    { target: c.publicKey, lost: true, cut: undefined }
  )
  t.equal(read([foreign]), 'refused', 'of another circle')
  const forged = lost(a, c, place(far))
  forged.bytes[forged.bytes.length - 1]! ^= 1
  t.equal(read([forged]), 'refused', 'forged')
  const badProof = { ...distant, bytes: distant.bytes.slice() }
  badProof.bytes[badProof.bytes.length - 1]! ^= 1
  t.equal(read([lost(b, c, place(distant)), badProof]), 'refused', 'with a forged proof')
  const gone = remove(recovery, place(addC), { target: a.publicKey, lost: false, cut: undefined })
  t.equal(read([lost(a, c, place(far))], c, logOf(addB, addC, gone)), 'refused', 'of one that is removed')
})

t.test('lost devices by any static they ever had', async t => {
  const key = exchangeKey('C anew').publicKey
  const changed = rekey(c, place(addC), { static: key, serial: 1 })
  const removal = lost(a, c, place(changed))
  const devices = new LostDevices(logOf(addB, addC, changed, removal))
  t.same(devices.find(key), { id: id(c), order: [removal.bytes] })
  t.same(devices.find(exchangeKey('C').publicKey)?.id, id(c))
  t.equal(devices.find(exchangeKey('B').publicKey), undefined)
  t.equal(devices.find(exchangeKey('X').publicKey), undefined)
  t.same([...devices.all], [[id(c), key]], 'the last one is the one to call it by')
})
