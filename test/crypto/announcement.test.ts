import t from 'tap'
import {
  idPrefix,
  makeAnnouncement,
  makeInvitation,
  readInvitation,
  recognise,
  recogniseFar,
  slotAt,
  UNSYNCHRONISED
} from '../../src/crypto/announcement.ts'
import { randomBytes } from '../../src/crypto/provider.ts'

const key = new Uint8Array(32).fill(7)
const id = Uint8Array.from({ length: 32 }, (_, i) => i)
const salt = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const slot = slotAt(1_795_243_410)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const make = (of: Partial<Parameters<typeof makeAnnouncement>[0]> = {}) =>
  makeAnnouncement({ key, id, port: 24747, slot, salt, ...of })

t.test('the bytes are frozen', t => {
  t.equal(slot, 1994714)
  t.equal(slotAt(undefined), UNSYNCHRONISED)
  t.equal(
    hex(make()),
    '4342010060ab00000102030405060708b4d767b97a88bce5d5496ae29f4eece0975c48fe3ac43bfe583e91611b67faf9'
  )
  t.equal(
    hex(make({ slot: UNSYNCHRONISED, port: 1 })),
    '43420100000100000102030405060708287648a9115a4aab0879566f45ec9f57b2cada6b664b5a6f98e7dcc9a574e81c'
  )
  t.end()
})

t.test('who has the key reads who speaks, by decrypting the tag', t => {
  t.strictSame(recognise(make(), [key], slot), {
    prefix: idPrefix(id),
    port: 24747,
    key: 0,
    synchronised: true,
    ahead: 0
  })
  t.end()
})

t.test('neighbouring slots count, others do not', t => {
  for (const [offset, expected] of [
    [-2, false],
    [-1, true],
    [1, true],
    [2, false]
  ] as const) {
    const made = recognise(make({ slot: slot + offset }), [key], slot)
    t.equal(made?.ahead, expected ? offset : undefined, `slot ${offset}`)
  }
  t.end()
})

t.test('whose clock is far off is found by who looks further', t => {
  for (const ahead of [2, -2, 8, -96])
    t.strictSame(recogniseFar(make({ slot: slot + ahead }), key, slot, 96), { prefix: idPrefix(id), ahead })
  for (const ahead of [0, 1, 97])
    t.equal(recogniseFar(make({ slot: slot + ahead }), key, slot, 96), undefined, `${ahead} slots`)
  t.equal(recogniseFar(make({ slot: slot + 8 }), new Uint8Array(32), slot, 96), undefined, 'another circle')
  t.equal(recogniseFar(make({ slot: UNSYNCHRONISED }), key, slot, 96), undefined)
  t.equal(recogniseFar(new Uint8Array(48), key, slot, 96), undefined)
  t.equal(recogniseFar(make({ slot: 3 }), key, 1, 96)?.ahead, 2, 'a clock that is at its beginning')
  t.end()
})

t.test('a clock that is not set', t => {
  t.match(recognise(make({ slot: UNSYNCHRONISED }), [key], slot), { synchronised: false })
  t.match(recognise(make({ slot: UNSYNCHRONISED }), [key], UNSYNCHRONISED), { synchronised: false })
  t.equal(recognise(make(), [key], UNSYNCHRONISED), undefined, 'it cannot judge others')
  t.end()
})

t.test('old keys: which one it was, and no more than nine', t => {
  const keys = Array.from({ length: 10 }, (_, i) => new Uint8Array(32).fill(100 + i))
  t.equal(recognise(make({ key: keys[8]! }), keys, slot)?.key, 8)
  t.equal(recognise(make({ key: keys[9]! }), keys, slot), undefined)
  t.end()
})

t.test('any changed bit is refused', t => {
  const bytes = make()
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const mutant = bytes.slice()
    mutant[bit >> 3]! ^= 1 << (bit & 7)
    if (recognise(mutant, [key], slot) !== undefined) t.fail(`bit ${bit}`)
  }
  t.equal(recognise(bytes.subarray(1), [key], slot), undefined)
  t.end()
})

t.test('strangers see nothing that repeats', t => {
  const a = make({ salt: randomBytes(8) })
  const b = make({ salt: randomBytes(8) })
  for (let i = 8; i + 4 <= 48; i++) {
    if (hex(b).includes(hex(a.subarray(i, i + 4)))) t.fail(`bytes ${i} to ${i + 4} are in both`)
  }
  t.equal(recognise(a, [new Uint8Array(32).fill(8)], slot), undefined)
  t.end()
})

t.test('an open invitation is no member, and anybody can see it', t => {
  const open = makeInvitation(24747, randomBytes(16), randomBytes(8))
  t.equal(readInvitation(open)?.port, 24747)
  t.equal(recognise(open, [key], slot), undefined)
  t.equal(readInvitation(make())?.port, undefined)
  open[20]! ^= 1
  t.equal(readInvitation(open)?.port, undefined, 'of another tag')
  t.equal(readInvitation(open.subarray(1))?.port, undefined)
  t.end()
})

t.test('a search for one is of the same shape, with port 0; members make none', t => {
  const search = makeInvitation(0, randomBytes(16), randomBytes(8))
  t.equal(search.length, make().length)
  t.equal(readInvitation(search)?.port, 0)
  t.equal(recognise(make({ port: 0 }), [key], slot), undefined)
  t.end()
})

t.test('two invitations, and two searches, have nothing in common', t => {
  for (const port of [24747, 0]) {
    const [a, b] = [
      makeInvitation(port, randomBytes(16), randomBytes(8)),
      makeInvitation(port, randomBytes(16), randomBytes(8))
    ]
    for (let i = 8; i + 4 <= 48; i++) t.notOk(hex(b).includes(hex(a.subarray(i, i + 4))))
  }
  t.end()
})
