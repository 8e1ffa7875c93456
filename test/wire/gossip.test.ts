import t from 'tap'
import { formatAddress, parseAddress } from '../../src/wire/address.ts'
import { bodyLimit, Kind } from '../../src/wire/frame.ts'
import type { PeerRecord, View } from '../../src/wire/gossip.ts'
import {
  decodeGossip,
  decodeRecord,
  encodeDigest,
  encodeRecords,
  encodeViews,
  MAX_DIGEST,
  MAX_INCARNATION,
  MAX_RECORDS,
  signable,
  signed,
  signedRecord,
  unsignedRecord
} from '../../src/wire/gossip.ts'
import { fc } from '../draws.ts'

const id = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const address = (text: string) => parseAddress(text)!

function record(n: number, incarnation = 1, addresses = ['tcp://192.0.2.1:24747']): PeerRecord {
  const unsigned = unsignedRecord(id(n), incarnation, addresses.map(address))
  return signedRecord(unsigned, new Uint8Array(64).fill(n))!
}

const view = (n: number, facts: Partial<View> = {}): View => ({
  id: id(n),
  incarnation: 0,
  state: 'reachable',
  reason: '',
  latencyUSec: 0,
  age: 0,
  ...facts
})

const records = (body: Uint8Array): PeerRecord[] | undefined => {
  const decoded = decodeGossip(body)
  return decoded !== undefined && 'records' in decoded ? decoded.records : undefined
}

t.test('the bytes of a record are frozen', async t => {
  const { bytes } = record(0xab, 258, ['tcp://192.0.2.1:24747', 'tcp://[2001:db8::1]:80'])
  t.equal(
    hex(bytes),
    `01${'ab'.repeat(32)}00000000000001020002${'04c000020160ab'}${'0620010db80000000000000000000000010050'}0000${'ab'.repeat(64)}`
  )
  const { body, signature } = signed(decodeRecord(bytes)!)
  t.equal(hex(body), `${hex(new TextEncoder().encode('coterie/1 peer\0'))}${hex(bytes.subarray(0, -64))}`)
  t.equal(hex(signature), 'ab'.repeat(64))
  t.same(signable(bytes.subarray(0, -64)), body)
})

t.test(
  'flags: it runs on battery, sleeps, is on metered networks; what else they say is kept and passed on',
  async t => {
    const plain = record(1)
    t.match(plain, { onBattery: false, asleep: false, metered: false })
    for (const [bit, flags] of [
      [1, { onBattery: true }],
      [2, { asleep: true }],
      [4, { metered: true }]
    ] as const) {
      const unsigned = unsignedRecord(id(1), 1, [address('tcp://192.0.2.1:24747')], flags)
      const differs = [...unsigned].map((byte, i) => byte ^ plain.bytes[i]!)
      t.same(differs.indexOf(bit), 41)
      t.same(
        differs.filter(bits => bits !== 0),
        [bit]
      )
    }
    for (const [flags, onBattery, asleep, metered] of [
      [1, true, false, false],
      [2, false, true, false],
      [4, false, false, true],
      [0xf8, false, false, false],
      [0xff, true, true, true]
    ] as const) {
      const bytes = plain.bytes.slice()
      bytes[41] = flags
      const read = decodeRecord(bytes)!
      t.match(read, { onBattery, asleep, metered })
      t.same(read.bytes, bytes)
    }
  }
)

t.test('records and digests come back', async t => {
  const sent = [record(1), record(2, MAX_INCARNATION, []), record(3, 7, ['tcp://[2001:db8::1]:1'])]
  const read = records(encodeRecords(sent))!
  t.same(
    read.map(({ id, incarnation, addresses }) => [id[0], incarnation, addresses.map(formatAddress)]),
    [
      [1, 1, ['tcp://192.0.2.1:24747']],
      [2, MAX_INCARNATION, []],
      [3, 7, ['tcp://[2001:db8::1]:1']]
    ]
  )
  t.same(
    read.map(({ bytes }) => hex(bytes)),
    sent.map(({ bytes }) => hex(bytes))
  )
  const digest = [
    { id: id(1), incarnation: 1 },
    { id: id(2), incarnation: MAX_INCARNATION }
  ]
  t.same(decodeGossip(encodeDigest(digest)), { digest })
  t.same(decodeGossip(encodeDigest([])), { digest: [] })
})

t.test('what is kept does not change with the buffer it came in', async t => {
  const body = encodeRecords([record(1)])
  const [read] = records(body)!
  const before = hex(read!.bytes)
  body.fill(0)
  t.equal(hex(read!.bytes), before)
})

t.test('extra bytes for later are passed on', async t => {
  const { bytes } = record(1)
  const head = bytes.subarray(0, -66)
  const longer = Buffer.concat([head, Buffer.from('0003aabbcc', 'hex'), bytes.subarray(-64)])
  longer[41] = 0xff
  t.equal(hex(decodeRecord(longer)!.bytes), hex(longer))
  const tooLong = Buffer.concat([head, Buffer.from('0101', 'hex'), Buffer.alloc(257), bytes.subarray(-64)])
  t.equal(decodeRecord(tooLong), undefined)
})

t.test('refused', async t => {
  const good = record(1).bytes
  const changed = (change: (bytes: Uint8Array) => void) => {
    const bytes = good.slice()
    change(bytes)
    return bytes
  }
  t.ok(decodeRecord(good.slice()))
  const wrong: Record<string, Uint8Array> = {
    version: changed(b => (b[0] = 2)),
    'no incarnation': changed(b => b.fill(0, 33, 41)),
    'an incarnation of 2^48': changed(b => b.set([0, 1, 0, 0, 0, 0, 0, 0], 33)),
    'more addresses than there are': changed(b => (b[42] = 2)),
    'fewer addresses than there are': changed(b => (b[42] = 0)),
    'an odd family': changed(b => (b[43] = 5)),
    'cut short': good.slice(0, -1),
    longer: Uint8Array.of(...good, 0),
    empty: new Uint8Array(0)
  }
  for (const [what, bytes] of Object.entries(wrong)) t.equal(decodeRecord(bytes), undefined, what)

  const twice = ['tcp://192.0.2.1:1', 'tcp://192.0.2.1:1'].map(address)
  t.equal(signedRecord(unsignedRecord(id(1), 1, twice), new Uint8Array(64)), undefined, 'an address twice')
  const many = Array.from({ length: 17 }, (_, i) => address(`tcp://192.0.2.${i + 1}:1`))
  t.equal(signedRecord(unsignedRecord(id(1), 1, many), new Uint8Array(64)), undefined, '17 addresses')

  const bodies: Record<string, Uint8Array> = {
    empty: new Uint8Array(0),
    'an unknown type': Uint8Array.of(3, 0, 0),
    'no records': Uint8Array.of(2, 0),
    'more than 32': encodeRecords(Array.from({ length: 33 }, (_, i) => record(i))),
    'the same owner twice': encodeRecords([record(1), record(1, 2)]),
    'bytes behind': Uint8Array.of(...encodeRecords([record(1)]), 0),
    'a record cut short': encodeRecords([record(1)]).slice(0, -1),
    'a digest without a count': Uint8Array.of(1, 0),
    'a digest cut short': encodeDigest([{ id: id(1), incarnation: 1 }]).slice(0, -1),
    'an id twice': encodeDigest([
      { id: id(1), incarnation: 1 },
      { id: id(1), incarnation: 2 }
    ]),
    'incarnation 0': encodeDigest([{ id: id(1), incarnation: 0 }])
  }
  for (const [what, body] of Object.entries(bodies)) t.equal(decodeGossip(body), undefined, what)
})

t.test('the bytes of views are frozen', async t => {
  const body = encodeViews([
    view(0xab, { incarnation: 258, latencyUSec: 70_000, age: 90 }),
    view(0xcd, { state: 'unreachable', reason: 'path', latencyUSec: 2 ** 40, age: 2 ** 40 })
  ])
  t.equal(
    hex(body),
    `0302${'ab'.repeat(32)}0000000000000102010000011170${'0000005a'}${'cd'.repeat(32)}00000000000000000409ffffffffffffffff`
  )
  const decoded = decodeGossip(body)!
  t.match(decoded, {
    views: [
      { incarnation: 258, state: 'reachable', reason: '', latencyUSec: 70_000, age: 90 },
      { incarnation: 0, state: 'unreachable', reason: 'path' }
    ]
  })
})

t.test('views that are not exactly so are refused', async t => {
  const good = encodeViews([view(1), view(2, { state: 'asleep', reason: 'asleep' })])
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good.slice()
    bytes[at] = value
    return bytes
  }
  t.ok(decodeGossip(good))
  const table: [string, Uint8Array][] = [
    ['none', Uint8Array.of(3, 0)],
    ['too short', good.subarray(0, -1)],
    ['too long', Uint8Array.of(...good, 0)],
    ['fewer than said', changed(1, 3)],
    ['more than said', changed(1, 1)],
    ['state 0', changed(2 + 40, 0)],
    ['state 5', changed(2 + 40, 5)],
    ['a reason to be reachable', changed(2 + 41, 4)],
    ['no reason to be asleep', changed(52 + 41, 0)],
    ['a reason nobody knows', changed(52 + 41, 99)],
    ['an incarnation that is too great', changed(2 + 32, 1)],
    ['one twice', encodeViews([view(1), view(1)])]
  ]
  for (const [what, bytes] of table) t.equal(decodeGossip(bytes), undefined, what)
})

t.test('any bytes are refused or come back the same', async t => {
  const bodies = [
    encodeRecords([record(1), record(2)]),
    encodeDigest([{ id: id(1), incarnation: 5 }]),
    encodeViews([view(1), view(2, { state: 'suspect', reason: 'timeout' })])
  ]
  fc.assert(
    fc.property(
      fc.constantFrom(...bodies),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(3),
      (body, changes, cut) => {
        const bytes = body.slice(0, body.length - cut)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        const decoded = decodeGossip(bytes)
        if (decoded === undefined) return
        const again =
          'digest' in decoded
            ? encodeDigest(decoded.digest)
            : 'views' in decoded
              ? encodeViews(decoded.views)
              : encodeRecords(decoded.records)
        if (hex(again) !== hex(bytes)) t.fail('other bytes')
      }
    ),
    { numRuns: 2_000 }
  )
})

t.test('the longest bodies fit in a frame', async t => {
  const limit = bodyLimit(Kind.Gossip)!
  const digest = Array.from({ length: MAX_DIGEST }, (_, i) => ({
    id: new Uint8Array(32).fill(i & 255).fill(i >> 8, 16),
    incarnation: 1
  }))
  t.ok(encodeDigest(digest).length <= limit)
  t.ok(decodeGossip(encodeDigest(digest)))
  t.equal(
    decodeGossip(encodeDigest([...digest, { id: new Uint8Array(32).fill(99, 7), incarnation: 1 }])),
    undefined
  )
  const sixteen = Array.from({ length: 16 }, (_, i) => `tcp://[2001:db8::${i + 1}]:1`)
  const all = Array.from({ length: MAX_RECORDS }, (_, i) => record(i, 1, sixteen))
  t.ok(encodeRecords(all).length + MAX_RECORDS * 256 <= limit)
  t.equal(records(encodeRecords(all))?.length, MAX_RECORDS)
})
