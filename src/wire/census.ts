/**
 * Gossip about many devices (frames of kind Gossip, beside those in gossip.ts): what a device has heard of whom, in
 * few bytes, and who is gone. Big-endian.
 *
 *   body     u8 4 | summary    u8 5 | buckets    u8 6 | entries    u8 7 | words    u8 8 | wants
 *   summary  u64 sum                           of all that the sender has
 *   buckets  u8 bits | 2^bits × u32 sum        of what it has of the ids that begin with these bits; 4 ≤ bits ≤ 8
 *   entries  u8 flags | u8 bits | u16 b | b × u8 bucket | u16 n | n × entry
 *                                              all it has in these buckets; flag 1: it left out others that differ
 *   words    u16 n | n × entry                 n ≥ 1, each of version 1 or more
 *   wants    u16 n | n × prefix 8              send their records; n ≥ 1
 *
 *   entry    prefix 8 | u48 incarnation | u16 version | u8 reason
 *            prefix = the first 8 bytes of the id; incarnation ≥ 1: of the record it is about
 *            version: even = it is there, odd = somebody lost it; the greater incarnation wins, then the greater version
 *            reason (of an odd version): 1 stopped, 2 closed, 3 timeout; others are for later; of an even one 0
 *
 * Buckets and prefixes ascend. n ≤ 2,000. A sum adds up, modulo 2^32 in each half, hashes of (prefix, incarnation,
 * version), see `fingerprint`; buckets have the left half. A body that differs from this in any way is refused.
 */

export const MAX_ENTRIES = 2_000
export const ENTRY = 17
export const MIN_BITS = 4
export const MAX_BITS = 8
const MORE = 1

export interface Entry {
  readonly key: Uint8Array
  readonly incarnation: number
  readonly version: number
  readonly reason: number
}

/** A list of entries as it lies in a body. */
export class Entries {
  readonly bytes: Uint8Array
  readonly length: number
  readonly #start: number

  constructor(bytes: Uint8Array, start: number, length: number) {
    this.bytes = bytes
    this.length = length
    this.#start = start
  }

  /** Where the prefix of an entry begins in `bytes`. */
  offset(i: number): number {
    return this.#start + i * ENTRY
  }

  incarnation(i: number): number {
    const { bytes } = this
    const at = this.offset(i) + 8
    return readU16(bytes, at) * 2 ** 32 + readU32(bytes, at + 2)
  }

  version(i: number): number {
    return readU16(this.bytes, this.offset(i) + 14)
  }

  reason(i: number): number {
    return this.bytes[this.offset(i) + 16]!
  }
}

export type CensusBody =
  | { type: 'summary'; left: number; right: number }
  | { type: 'buckets'; bits: number; sums: Uint32Array }
  | { type: 'entries'; more: boolean; bits: number; buckets: Uint8Array; entries: Entries }
  | { type: 'words'; entries: Entries }
  /** Prefixes, one behind the other. */
  | { type: 'wants'; prefixes: Uint8Array }

/** Both halves of what one member adds to a sum; `high` and `low` are its prefix. */
export function fingerprint(
  high: number,
  low: number,
  incarnation: number,
  version: number
): readonly [left: number, right: number] {
  const upper = Math.floor(incarnation / 2 ** 32)
  const left = mix(mix(mix(high, low), incarnation >>> 0), upper ^ (version << 16))
  const right = mix(mix(mix(low ^ 0x9e3779b9, incarnation >>> 0), high), upper ^ (version << 16))
  return [left >>> 0, right >>> 0]
}

/** MurmurHash3, one word and the final mixing. */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  let h = hash ^ k
  h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

export function encodeSummary(left: number, right: number): Uint8Array {
  const body = new Uint8Array(9)
  body[0] = 4
  writeU32(body, 1, left)
  writeU32(body, 5, right)
  return body
}

export function encodeBuckets(bits: number, sums: Uint32Array): Uint8Array {
  const body = new Uint8Array(2 + 4 * sums.length)
  body[0] = 5
  body[1] = bits
  for (const [i, sum] of sums.entries()) writeU32(body, 2 + 4 * i, sum)
  return body
}

/** Buckets ascend, and so do the entries, all of them in these buckets. */
export function encodeEntries(
  more: boolean,
  bits: number,
  buckets: readonly number[],
  entries: readonly Entry[]
): Uint8Array {
  const start = 7 + buckets.length
  const body = new Uint8Array(start + entries.length * ENTRY)
  body[0] = 6
  body[1] = more ? MORE : 0
  body[2] = bits
  writeU16(body, 3, buckets.length)
  body.set(buckets, 5)
  writeU16(body, start - 2, entries.length)
  for (const [i, entry] of entries.entries()) writeEntry(body, start + i * ENTRY, entry)
  return body
}

/** They ascend; at least one. */
export function encodeWords(entries: readonly Entry[]): Uint8Array {
  const body = new Uint8Array(3 + entries.length * ENTRY)
  body[0] = 7
  writeU16(body, 1, entries.length)
  for (const [i, entry] of entries.entries()) writeEntry(body, 3 + i * ENTRY, entry)
  return body
}

/** They ascend; at least one. */
export function encodeWants(keys: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(3 + keys.length * 8)
  body[0] = 8
  writeU16(body, 1, keys.length)
  for (const [i, key] of keys.entries()) body.set(key.subarray(0, 8), 3 + i * 8)
  return body
}

/** Points into the body. Undefined for anything but a body exactly as above. */
export function decodeCensus(body: Uint8Array): CensusBody | undefined {
  switch (body[0]) {
    case 4:
      return body.length === 9
        ? { type: 'summary', left: readU32(body, 1), right: readU32(body, 5) }
        : undefined
    case 5:
      return decodeBuckets(body)
    case 6:
      return decodeEntries(body)
    case 7: {
      const entries = entriesAt(body, 1)
      if (entries === undefined || entries.length === 0) return undefined
      for (let i = 0; i < entries.length; i++) if (entries.version(i) === 0) return undefined
      return { type: 'words', entries }
    }
    case 8:
      return decodeWants(body)
  }
  return undefined
}

function decodeBuckets(body: Uint8Array): CensusBody | undefined {
  const bits = body[1] ?? 0
  if (bits < MIN_BITS || bits > MAX_BITS || body.length !== 2 + 4 * 2 ** bits) return undefined
  return {
    type: 'buckets',
    bits,
    sums: Uint32Array.from({ length: 2 ** bits }, (_, i) => readU32(body, 2 + 4 * i))
  }
}

function decodeEntries(body: Uint8Array): CensusBody | undefined {
  if (body.length < 7 || body[1]! > MORE) return undefined
  const bits = body[2]!
  const count = readU16(body, 3)
  if (bits < MIN_BITS || bits > MAX_BITS || count < 1 || body.length < 7 + count) return undefined
  const buckets = body.subarray(5, 5 + count)
  for (const [i, bucket] of buckets.entries())
    if (bucket >= 2 ** bits || (i > 0 && bucket <= buckets[i - 1]!)) return undefined
  const entries = entriesAt(body, 5 + count)
  if (entries === undefined) return undefined
  let at = 0
  for (let i = 0; i < entries.length; i++) {
    const bucket = body[entries.offset(i)]! >> (8 - bits)
    while (at < count && buckets[at]! < bucket) at++
    if (buckets[at] !== bucket) return undefined
  }
  return { type: 'entries', more: body[1] === MORE, bits, buckets, entries }
}

function decodeWants(body: Uint8Array): CensusBody | undefined {
  if (body.length < 3) return undefined
  const n = readU16(body, 1)
  if (n < 1 || n > MAX_ENTRIES || body.length !== 3 + n * 8) return undefined
  for (let i = 1; i < n; i++) if (!ascends(body, 3 + i * 8, 8)) return undefined
  return { type: 'wants', prefixes: body.subarray(3) }
}

/** The list that begins at `start` and ends with the body. */
function entriesAt(body: Uint8Array, start: number): Entries | undefined {
  if (body.length < start + 2) return undefined
  const n = readU16(body, start)
  if (n > MAX_ENTRIES || body.length !== start + 2 + n * ENTRY) return undefined
  const entries = new Entries(body, start + 2, n)
  for (let i = 0; i < n; i++) {
    const [version, reason] = [entries.version(i), entries.reason(i)]
    if (entries.incarnation(i) === 0 || (version % 2 === 1) !== reason > 0) return undefined
    if (i > 0 && !ascends(body, entries.offset(i), ENTRY)) return undefined
  }
  return entries
}

/** The prefix at `offset` is greater than the one `step` before it. */
function ascends(bytes: Uint8Array, offset: number, step: number): boolean {
  const high = readU32(bytes, offset) - readU32(bytes, offset - step)
  return high > 0 || (high === 0 && readU32(bytes, offset + 4) > readU32(bytes, offset + 4 - step))
}

function writeEntry(bytes: Uint8Array, offset: number, { key, incarnation, version, reason }: Entry): void {
  bytes.set(key.subarray(0, 8), offset)
  writeU16(bytes, offset + 8, Math.floor(incarnation / 2 ** 32))
  writeU32(bytes, offset + 10, incarnation >>> 0)
  writeU16(bytes, offset + 14, version)
  bytes[offset + 16] = reason
}

const readU16 = (bytes: Uint8Array, offset: number): number => (bytes[offset]! << 8) | bytes[offset + 1]!

export const readU32 = (bytes: Uint8Array, offset: number): number =>
  ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>> 0

function writeU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8
  bytes[offset + 1] = value
}

function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  writeU16(bytes, offset, value >>> 16)
  writeU16(bytes, offset + 2, value)
}
