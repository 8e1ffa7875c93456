import t from 'tap'
import { hex, unhex } from '../../src/wire/bytes.ts'
import {
  type Copy,
  copyAad,
  decodeCustodyBody,
  decodeInside,
  encodeAnswers,
  encodeDeposit,
  encodeHanded,
  encodeInquiry,
  encodeInside,
  encodeReceipt,
  encodeRelease,
  type Inside,
  insideMessage,
  type KeptAnswer,
  MAX_KEPT_PAYLOAD,
  MAX_SEALED,
  receiptMessage
} from '../../src/wire/custody.ts'
import { generator } from '../random.ts'

const key = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const custody = (n: number): Uint8Array => new Uint8Array(16).fill(n)
const signature = new Uint8Array(64).fill(0xee)
const copy: Copy = {
  recipient: key(0xaa),
  custody: custody(0xbb),
  expiresMs: 1_795_219_200_000,
  sealed: unhex('c0ffee')
}
const inside: Inside = {
  sender: key(1),
  ask: true,
  epoch: unhex('0102030405060708'),
  seq: 7,
  id: unhex('00112233445566778899'),
  sentMs: 1_795_219_200_000,
  after: 6,
  afterMs: 1_795_219_300_000,
  tag: 'backup/start',
  payload: unhex('c0ffee')
}
const answers: KeptAnswer[] = [
  { custody: custody(1), state: 'held' },
  { custody: custody(2), state: 'given', verdict: 'taken', signature },
  { custody: custody(3), state: 'none' }
]
const recipient = 'aa'.repeat(32)
const id = 'bb'.repeat(16)

t.test('bytes that stay as they are', async t => {
  const frozen: [Uint8Array, string][] = [
    [copyAad(copy, 3), `${recipient}${id}000001a1fb67180000000003`],
    [encodeDeposit(copy), `05${recipient}${id}000001a1fb67180000000003c0ffee`],
    [encodeHanded(copy), `07${recipient}${id}000001a1fb67180000000003c0ffee`],
    [
      encodeAnswers(answers),
      `060003${'01'.repeat(16)}01${'02'.repeat(16)}0401${'ee'.repeat(64)}${'03'.repeat(16)}00`
    ],
    [encodeReceipt(custody(0xbb), 'later'), `08${id}00`],
    [encodeReceipt(custody(0xbb), { verdict: 'useless', signature }), `08${id}02${'ee'.repeat(64)}`],
    [encodeInquiry([custody(1)]), `090001${'01'.repeat(16)}`],
    [encodeRelease([custody(1), custody(2)]), `0a0002${'01'.repeat(16)}${'02'.repeat(16)}`],
    [
      encodeInside(inside),
      `${'01'.repeat(32)}01010203040506070800000000000000070011223344556677889900` +
        '0001a1fb6718000000000000000006000001a1fb689ea00c6261636b75702f737461727400000003c0ffee'
    ],
    [
      receiptMessage(key(9), custody(1), 'taken'),
      `${hex(new TextEncoder().encode('coterie/1 custody receipt\0')) + '09'.repeat(32) + '01'.repeat(16)}01`
    ],
    [
      insideMessage(key(9), unhex('aa'), unhex('bb')),
      `${hex(new TextEncoder().encode('coterie/1 custody message\0'))}${'09'.repeat(32)}aabb`
    ]
  ]
  for (const [bytes, text] of frozen) t.equal(hex(bytes), text)
})

t.test('there and back', async t => {
  t.same(decodeCustodyBody(encodeDeposit(copy)), { type: 'deposit', copy })
  t.same(decodeCustodyBody(encodeHanded(copy)), { type: 'handed', copy })
  t.same(decodeCustodyBody(encodeAnswers(answers)), { type: 'answers', answers })
  t.same(decodeCustodyBody(encodeReceipt(custody(1), 'later')), {
    type: 'receipt',
    custody: custody(1),
    said: 'later'
  })
  const said = { verdict: 'taken', signature } as const
  t.same(decodeCustodyBody(encodeReceipt(custody(1), said)), { type: 'receipt', custody: custody(1), said })
  t.same(decodeCustodyBody(encodeInquiry([custody(1)])), { type: 'inquiry', custodies: [custody(1)] })
  t.same(decodeCustodyBody(encodeRelease([custody(1)])), { type: 'release', custodies: [custody(1)] })
  const encoded = encodeInside(inside)
  const read = decodeInside(Uint8Array.of(...encoded, ...signature))
  t.same(read?.inside, inside)
  t.same(hex(read!.signed), hex(encoded))
  t.same(read?.signature, signature)
  const large = { ...inside, tag: 'a'.repeat(255), payload: new Uint8Array(MAX_KEPT_PAYLOAD) }
  t.ok(encodeInside(large).length + 64 + 48 <= MAX_SEALED, 'the largest payload fits with the longest tag')
})

t.test('refused as a whole', async t => {
  const many = Array.from({ length: 257 }, (_, i) =>
    Uint8Array.from({ length: 16 }, (_, at) => i >> (8 * at))
  )
  const sealed = encodeDeposit(copy)
  const wrong: [string, Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['another type', Uint8Array.of(11)],
    ['a type alone', Uint8Array.of(5)],
    ['a copy cut short', sealed.slice(0, -1)],
    ['a copy and more', Uint8Array.of(...sealed, 0)],
    ['a copy that is too large', encodeDeposit({ ...copy, sealed: new Uint8Array(MAX_SEALED + 1) })],
    ['a time beyond numbers', sealed.map((byte, i) => (i === 49 ? 0xff : byte))],
    ['no answers', encodeAnswers([])],
    ['an unknown state', Uint8Array.of(6, 0, 1, ...custody(1), 5)],
    ['given, and no verdict', Uint8Array.of(6, 0, 1, ...custody(1), 4)],
    ['given, and later', Uint8Array.of(6, 0, 1, ...custody(1), 4, 0)],
    ['given, cut short', encodeAnswers([answers[1]!]).slice(0, -1)],
    ['an answer twice', encodeAnswers([answers[0]!, answers[0]!])],
    ['an unknown verdict', Uint8Array.of(8, ...custody(1), 3, ...signature)],
    ['a receipt without signature', Uint8Array.of(8, ...custody(1), 1)],
    ['a receipt that is later, with signature', Uint8Array.of(8, ...custody(1), 0, ...signature)],
    ['asked for none', encodeInquiry([])],
    ['asked twice', encodeInquiry([custody(1), custody(1)])],
    ['too many', encodeRelease(many)],
    ['cut short', encodeRelease([custody(1)]).slice(0, -1)]
  ]
  for (const [what, bytes] of wrong) t.equal(decodeCustodyBody(bytes), undefined, what)
  const good = Uint8Array.of(...encodeInside(inside), ...signature)
  const insides: [string, Uint8Array][] = [
    ['nothing', new Uint8Array()],
    ['cut short', good.slice(0, -1)],
    ['more', Uint8Array.of(...good, 0)],
    ['flags', good.map((byte, i) => (i === 32 ? 2 : byte))],
    ['number 0', good.map((byte, i) => (i === 48 ? 0 : byte))],
    ['after itself', good.map((byte, i) => (i === 74 ? 7 : byte))],
    ['a tag that is no text', good.map((byte, i) => (i === 84 ? 0xff : byte))],
    ['a length of another', good.map((byte, i) => (i === 99 ? 4 : byte))]
  ]
  for (const [what, bytes] of insides) t.equal(decodeInside(bytes), undefined, what)
})

t.test('garbage: a value or nothing, never an error; what is taken is written the same', async t => {
  const random = generator(7)
  const seeds = [
    encodeDeposit(copy),
    encodeHanded(copy),
    encodeAnswers(answers),
    encodeReceipt(custody(1), 'later'),
    encodeReceipt(custody(1), { verdict: 'taken', signature }),
    encodeInquiry([custody(1), custody(2)]),
    encodeRelease([custody(1)])
  ]
  let taken = 0
  for (let i = 0; i < 20_000; i++) {
    const bytes = seeds[i % seeds.length]!.slice(0, random() < 0.2 ? Math.floor(random() * 200) : undefined)
    for (let n = 0; n < 3; n++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
    const body = decodeCustodyBody(bytes)
    if (body === undefined) continue
    taken++
    const again =
      body.type === 'deposit'
        ? encodeDeposit(body.copy)
        : body.type === 'handed'
          ? encodeHanded(body.copy)
          : body.type === 'answers'
            ? encodeAnswers(body.answers)
            : body.type === 'receipt'
              ? encodeReceipt(body.custody, body.said)
              : body.type === 'inquiry'
                ? encodeInquiry(body.custodies)
                : encodeRelease(body.custodies)
    if (hex(again) !== hex(bytes)) t.fail(`another one: ${hex(bytes)}`)
  }
  t.ok(taken > 1_000, `${taken} were well-formed`)
})
