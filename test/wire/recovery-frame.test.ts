import t from 'tap'
import { decodeKeys, encodeKeys, encodeLocked, sealedTo } from '../../src/wire/locked-keys.ts'
import { decodeRecoveryFrame, encodeRecoveryFrame, offerMessage } from '../../src/wire/recovery-frame.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)

t.test('frames read back, and nothing else is one', async t => {
  const frames = [
    { type: 'order', operations: [fill(1, 200)] },
    { type: 'order', operations: [fill(1, 200), fill(2, 4096)] },
    { type: 'offer', share: fill(1, 25), holders: [fill(2), fill(3), fill(4)], signature: fill(5, 64) },
    { type: 'held', mark: fill(1, 4) },
    { type: 'settle', mark: fill(2, 4) },
    { type: 'settled', mark: fill(3, 4) }
  ] as const
  for (const frame of frames) {
    const bytes = encodeRecoveryFrame(frame)
    t.same(decodeRecoveryFrame(bytes), frame)
    t.equal(decodeRecoveryFrame(bytes.subarray(1)), undefined)
    t.equal(decodeRecoveryFrame(bytes.slice(0, -1)), undefined)
    t.equal(decodeRecoveryFrame(Uint8Array.of(...bytes, 0)), undefined)
  }
  t.equal(decodeRecoveryFrame(new Uint8Array(0)), undefined)
  t.equal(decodeRecoveryFrame(Uint8Array.of(1, 0)), undefined, 'an order of nothing')
  t.equal(decodeRecoveryFrame(Uint8Array.of(1, 3, 0, 0, 0, 0, 0, 0)), undefined, 'of too much')
  t.equal(decodeRecoveryFrame(Uint8Array.of(9, 0, 0, 0, 0)), undefined)
  t.equal(decodeRecoveryFrame(Uint8Array.of(1, 1, 0xff, 0xff)), undefined)
  const twice = encodeRecoveryFrame({ ...frames[2], holders: [fill(2), fill(2), fill(4)] })
  t.equal(decodeRecoveryFrame(twice), undefined, 'holders ascend')
})

t.test('what is signed of an offer names circle, session, recipient and all of it', async t => {
  const offer = { share: fill(1, 25), holders: [fill(2), fill(3), fill(4)] }
  const place = { gid: fill(5), session: fill(6), recipient: fill(7) }
  const message = offerMessage(offer, place)
  t.equal(Buffer.from(message.subarray(0, 16)).toString(), 'coterie/1 share\0')
  t.equal(message.length, 16 + 96 + 25 + 96)
  const others = [
    offerMessage({ ...offer, share: fill(9, 25) }, place),
    offerMessage({ ...offer, holders: [fill(2), fill(3), fill(9)] }, place),
    offerMessage(offer, { ...place, gid: fill(9) }),
    offerMessage(offer, { ...place, session: fill(9) }),
    offerMessage(offer, { ...place, recipient: fill(9) })
  ]
  t.equal(new Set([message, ...others].map(bytes => Buffer.from(bytes).toString('hex'))).size, 6)
})

t.test('locked keys', async t => {
  const locked = encodeLocked([
    { recipient: fill(1), sealed: fill(7, 100) },
    { recipient: fill(2), sealed: fill(8, 3) }
  ])
  t.same(sealedTo(locked, fill(2)), fill(8, 3))
  t.same(sealedTo(locked, fill(1)), fill(7, 100))
  t.equal(sealedTo(locked, fill(3)), undefined)
  t.equal(sealedTo(locked.slice(0, -1), fill(1)), undefined)
  t.equal(sealedTo(Uint8Array.of(...locked, 1), fill(1)), undefined)
  t.equal(sealedTo(new Uint8Array(0), fill(1)), undefined)
  const rows = [
    { table: 'circle', columns: [['seed', fill(1)] as const, ['secret', fill(2)] as const] },
    { table: 'ticket', columns: [['id', 'täg'] as const, ['psk', fill(3)] as const] },
    { table: 'share', columns: [['counts', 1] as const, ['share', new Uint8Array(0)] as const] }
  ]
  const bytes = encodeKeys(rows)
  t.same(decodeKeys(bytes), rows)
  for (let at = 0; at < bytes.length; at++) t.equal(decodeKeys(bytes.slice(0, at)), undefined)
  t.equal(decodeKeys(Uint8Array.of(...bytes, 0)), undefined)
})
