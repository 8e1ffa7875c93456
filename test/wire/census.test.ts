import t from 'tap'
import type { Entry } from '../../src/wire/census.ts'
import {
  decodeCensus,
  ENTRY,
  encodeBuckets,
  encodeEntries,
  encodeSummary,
  encodeWants,
  encodeWords,
  fingerprint
} from '../../src/wire/census.ts'

const key = (first: number, last = 0): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? first : i === 7 ? last : 1))
const entry = (first: number, facts: Partial<Entry> = {}): Entry => ({
  key: key(first),
  incarnation: 1_763_000_000_000,
  version: 1,
  reason: 3,
  ...facts
})

t.test('what is written is read', async t => {
  t.same(decodeCensus(encodeSummary(1, 2 ** 32 - 1)), { type: 'summary', left: 1, right: 2 ** 32 - 1 })
  const sums = Uint32Array.from({ length: 16 }, (_, i) => 2 ** 32 - i)
  t.same(decodeCensus(encodeBuckets(4, sums)), { type: 'buckets', bits: 4, sums })
  t.same(decodeCensus(encodeWants([key(1), key(2)])), {
    type: 'wants',
    prefixes: Buffer.concat([key(1).subarray(0, 8), key(2).subarray(0, 8)])
  })
  const words = decodeCensus(encodeWords([entry(1), entry(1, { key: key(1, 9), version: 65_535 })]))
  if (words?.type !== 'words') throw new Error('no words')
  t.equal(words.entries.length, 2)
  t.equal(words.entries.incarnation(0), 1_763_000_000_000)
  t.same([words.entries.version(0), words.entries.reason(0)], [1, 3])
  t.equal(words.entries.version(1), 65_535)
  t.equal(words.entries.bytes[words.entries.offset(1) + 7], 9)
  const entries = decodeCensus(
    encodeEntries(true, 5, [0, 31], [entry(7), entry(255, { version: 0, reason: 0 })])
  )
  if (entries?.type !== 'entries') throw new Error('no entries')
  t.same([entries.more, entries.bits, [...entries.buckets], entries.entries.length], [true, 5, [0, 31], 2])
})

t.test('an entry is 17 bytes, frozen', async t => {
  const bytes = Buffer.from(encodeWords([entry(0x0a)]))
  t.equal(bytes.toString('hex'), '0700010a01010101010100019a7afd1e00000103')
  t.equal(bytes.length, 3 + ENTRY)
  t.equal(bytes.readUIntBE(11, 6), 1_763_000_000_000)
  t.equal(bytes.readUInt16BE(17), 1)
  t.equal(bytes[19], 3)
})

t.test('anything else is refused', async t => {
  const words = encodeWords([entry(1), entry(2)])
  const change = (bytes: Uint8Array, at: number, value: number): Uint8Array => {
    const changed = bytes.slice()
    changed[at] = value
    return changed
  }
  const refused: Record<string, Uint8Array> = {
    empty: new Uint8Array(),
    'another type': Uint8Array.of(9),
    'a digest': Uint8Array.of(1, 0, 0),
    'a short summary': encodeSummary(1, 2).subarray(1),
    'a long summary': Buffer.concat([encodeSummary(1, 2), Uint8Array.of(0)]),
    'three bits': encodeBuckets(3, new Uint32Array(8)),
    'nine bits': encodeBuckets(9, new Uint32Array(512)),
    'too few buckets': encodeBuckets(5, new Uint32Array(16)),
    'no words': encodeWords([]),
    'words that descend': encodeWords([entry(2), entry(1)]),
    'one twice': encodeWords([entry(1), entry(1)]),
    'cut off': words.subarray(0, -1),
    'more behind': Buffer.concat([words, Uint8Array.of(0)]),
    'a word that says nothing': encodeWords([entry(1, { version: 0, reason: 0 })]),
    'lost without a reason': encodeWords([entry(1, { reason: 0 })]),
    'there with a reason': encodeWords([entry(1, { version: 2 })]),
    'incarnation 0': encodeWords([entry(1, { incarnation: 0 })]),
    'no wants': encodeWants([]),
    'wants that descend': encodeWants([key(2), key(1)]),
    'another flag': change(encodeEntries(false, 4, [0], []), 1, 2),
    'no bucket': encodeEntries(false, 4, [], []),
    'a bucket there is not': encodeEntries(false, 4, [16], []),
    'buckets that descend': encodeEntries(false, 4, [2, 1], []),
    'an entry of another bucket': encodeEntries(false, 4, [1], [entry(0x20)]),
    'an entry of a bucket before': encodeEntries(false, 4, [1, 3], [entry(0x20)])
  }
  for (const [what, bytes] of Object.entries(refused)) t.equal(decodeCensus(bytes), undefined, what)
  t.ok(decodeCensus(words))
  t.ok(decodeCensus(encodeEntries(false, 4, [0], [])))
})

t.test('sums depend on all that is in them', async t => {
  const all = [
    fingerprint(1, 2, 3, 4),
    fingerprint(2, 1, 3, 4),
    fingerprint(1, 2, 4, 3),
    fingerprint(1, 2, 3, 5),
    fingerprint(1, 2, 3 + 2 ** 32, 4)
  ]
  t.equal(new Set(all.map(([left]) => left)).size, all.length)
  t.equal(new Set(all.map(([, right]) => right)).size, all.length)
  t.same(fingerprint(1, 2, 3, 4), [4_061_072_223, 3_798_023_496], 'frozen')
})
