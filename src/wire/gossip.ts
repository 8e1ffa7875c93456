/**
 * Gossip: what devices tell each other about where every member may be reached. Big-endian.
 *
 *   body     u8 1 | digest    or    u8 2 | records    or    u8 3 | views
 *            or one of those in census.ts
 *   digest   u16 n | n × (id 32 | u64 incarnation)         what the sender has; n ≤ 1,600
 *   records  u8 n | n × (u16 length | record)              what the receiver lacks; 1 ≤ n ≤ 32
 *
 *   record   u8 1 | id 32 | u64 incarnation | u8 flags | u8 n | n × address | u16 length | extra | signature 64
 *            signature = Ed25519 of the id over "coterie/1 peer\0" | all before it
 *            address as in address.ts; n ≤ 16, none twice, none link-local
 *            incarnation 1 to 2^48 - 1: a greater one of the same id replaces a lesser one
 *            flags: 1 = its owner runs on battery, 2 = it sleeps from now on, 4 = all its networks are metered
 *            extra ≤ 256 bytes, as in extra.ts
 *            the other bits, and extra that makes no sense: written 0 and empty, not read, passed on as they are
 *
 *   views    u8 n | n × view                               how the sender sees others; 1 ≤ n ≤ 255
 *   view     id 32 | u64 incarnation | u8 state | u8 reason | u32 latency | u32 age
 *            incarnation: of the record of it that the sender has, 0 when it has none
 *            state: 1 reachable, 2 suspect, 3 asleep, 4 unreachable; reason: its place in REASONS, 0 exactly
 *            when it is reachable; latency in microseconds, 0 when unknown; age: seconds since it is so
 *
 * Ids inside a digest, inside records, and inside views, are never twice. A body that differs from this in any
 * way is refused as a whole. Records are kept and passed on as the bytes that were signed. Views are the word of
 * the session's other end, are not passed on, and say nothing about what a device says of itself.
 */
import type { Address } from './address.ts'
import { addressLength, formatAddress, readAddress, writeAddress } from './address.ts'

export const MAX_RECORD_ADDRESSES = 16
export const MAX_DIGEST = 1_600
export const MAX_RECORDS = 32
export const MAX_INCARNATION = 2 ** 48 - 1
export const MAX_VIEWS = 255
/** The numbers are protocol: only append. */
export const STATES = ['', 'reachable', 'suspect', 'asleep', 'unreachable'] as const
export const REASONS = [
  '',
  'never-seen',
  'stopped',
  'closed',
  'timeout',
  'refused',
  'no-address',
  'no-network',
  'isolated',
  'path',
  'asleep'
] as const
const VIEW = 32 + 8 + 1 + 1 + 4 + 4
const MAX_U32 = 2 ** 32 - 1
const MAX_EXTRA = 256
const SIGNATURE = 64
const HEAD = 1 + 32 + 8 + 1 + 1
const FLAGS = { onBattery: 1, asleep: 2, metered: 4 } as const
const NOTHING = new Uint8Array(0)
const PREFIX = new TextEncoder().encode('coterie/1 peer\0')

/** What else an owner says of itself. */
export type Flags = { readonly [name in keyof typeof FLAGS]: boolean }

export interface PeerRecord extends Flags {
  /** At most 256 bytes, as in extra.ts. */
  readonly extra: Uint8Array
  /** Ed25519 key of the owner, 32 bytes. */
  readonly id: Uint8Array
  readonly incarnation: number
  readonly addresses: readonly Address[]
  /** All of it, signature included: what is passed on. */
  readonly bytes: Uint8Array
}

export interface DigestEntry {
  readonly id: Uint8Array
  readonly incarnation: number
}

/** How the sender sees another device. */
export interface View {
  readonly id: Uint8Array
  /** 0 when the sender has no record of it. */
  readonly incarnation: number
  readonly state: Exclude<(typeof STATES)[number], ''>
  readonly reason: (typeof REASONS)[number]
  readonly latencyUSec: number
  /** Seconds. */
  readonly age: number
}

export type GossipBody = { digest: DigestEntry[] } | { records: PeerRecord[] } | { views: View[] }

/** A record without its signature. At most 16 addresses, none link-local; what is not said of its condition is not so. */
export function unsignedRecord(
  id: Uint8Array,
  incarnation: number,
  addresses: readonly Address[],
  { extra = NOTHING, ...flags }: Partial<Flags & Pick<PeerRecord, 'extra'>> = {}
): Uint8Array {
  const length = addresses.reduce((sum, address) => sum + addressLength(address), HEAD + 2 + extra.length)
  const bytes = new Uint8Array(length)
  bytes[0] = 1
  bytes.set(id, 1)
  writeIncarnation(bytes, 33, incarnation)
  for (const [name, bit] of Object.entries(FLAGS)) if (flags[name as keyof Flags]) bytes[41]! |= bit
  bytes[42] = addresses.length
  const end = addresses.reduce((offset, address) => writeAddress(bytes, offset, address), HEAD)
  writeU16(bytes, end, extra.length)
  bytes.set(extra, end + 2)
  return bytes
}

/** The bytes an owner signs: of a record without its signature. */
export function signable(unsigned: Uint8Array): Uint8Array {
  return concat([PREFIX, unsigned])
}

/** The bytes that were signed, and the signature. */
export function signed(record: PeerRecord): { body: Uint8Array; signature: Uint8Array } {
  const end = record.bytes.length - SIGNATURE
  return { body: signable(record.bytes.subarray(0, end)), signature: record.bytes.subarray(end) }
}

export const signedRecord = (unsigned: Uint8Array, signature: Uint8Array): PeerRecord | undefined =>
  decodeRecord(concat([unsigned, signature]))

export function encodeDigest(entries: readonly DigestEntry[]): Uint8Array {
  const body = new Uint8Array(3 + entries.length * 40)
  body[0] = 1
  writeU16(body, 1, entries.length)
  for (const [i, entry] of entries.entries()) {
    body.set(entry.id, 3 + i * 40)
    writeIncarnation(body, 35 + i * 40, entry.incarnation)
  }
  return body
}

/** At most 32 records. */
export function encodeRecords(records: readonly PeerRecord[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(2, records.length)]
  for (const { bytes } of records) parts.push(Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes)
  return concat(parts)
}

/** At least one, at most 255. */
export function encodeViews(views: readonly View[]): Uint8Array {
  const body = new Uint8Array(2 + views.length * VIEW)
  const view = new DataView(body.buffer)
  body[0] = 3
  body[1] = views.length
  for (const [i, { id, incarnation, state, reason, latencyUSec, age }] of views.entries()) {
    const at = 2 + i * VIEW
    body.set(id, at)
    writeIncarnation(body, at + 32, incarnation)
    body[at + 40] = STATES.indexOf(state)
    body[at + 41] = REASONS.indexOf(reason)
    view.setUint32(at + 42, Math.min(latencyUSec, MAX_U32))
    view.setUint32(at + 46, Math.min(age, MAX_U32))
  }
  return body
}

/** Copies what it keeps. Undefined for anything but a body exactly as above; no signature is checked here. */
export function decodeGossip(body: Uint8Array, decode = decodeRecord): GossipBody | undefined {
  if (body[0] === 1) return decodeDigest(body)
  if (body[0] === 2) return decodeRecords(body, decode)
  return body[0] === 3 ? decodeViews(body) : undefined
}

function decodeDigest(body: Uint8Array): { digest: DigestEntry[] } | undefined {
  if (body.length < 3) return undefined
  const n = readU16(body, 1)
  if (n > MAX_DIGEST || body.length !== 3 + n * 40) return undefined
  const digest: DigestEntry[] = []
  for (let offset = 3; offset < body.length; offset += 40) {
    const incarnation = readIncarnation(body, offset + 32)
    if (incarnation === undefined) return undefined
    digest.push({ id: body.slice(offset, offset + 32), incarnation })
  }
  return distinct(digest) ? { digest } : undefined
}

function decodeRecords(body: Uint8Array, decode: typeof decodeRecord): { records: PeerRecord[] } | undefined {
  const n = body[1]
  if (n === undefined || n < 1 || n > MAX_RECORDS) return undefined
  const records: PeerRecord[] = []
  let offset = 2
  for (let i = 0; i < n; i++) {
    if (offset + 2 > body.length) return undefined
    const end = offset + 2 + readU16(body, offset)
    if (end > body.length) return undefined
    const record = decode(body.slice(offset + 2, end))
    if (record === undefined) return undefined
    records.push(record)
    offset = end
  }
  return offset === body.length && distinct(records) ? { records } : undefined
}

function decodeViews(body: Uint8Array): { views: View[] } | undefined {
  const n = body[1]
  if (n === undefined || n < 1 || body.length !== 2 + n * VIEW) return undefined
  const bytes = new DataView(body.buffer, body.byteOffset)
  const views: View[] = []
  for (let at = 2; at < body.length; at += VIEW) {
    const incarnation = readU64(body, at + 32)
    const state = STATES[body[at + 40]!]
    const reason = REASONS[body[at + 41]!]
    if (incarnation === undefined || !state || reason === undefined) return undefined
    if ((state === 'reachable') !== (reason === '')) return undefined
    const [latencyUSec, age] = [bytes.getUint32(at + 42), bytes.getUint32(at + 46)]
    views.push({ id: body.slice(at, at + 32), incarnation, state, reason, latencyUSec, age })
  }
  return distinct(views) ? { views } : undefined
}

/** The bytes become the record's own. */
export function decodeRecord(bytes: Uint8Array): PeerRecord | undefined {
  if (bytes.length < HEAD + 2 + SIGNATURE || bytes[0] !== 1) return undefined
  const incarnation = readIncarnation(bytes, 33)
  const n = bytes[42]!
  if (incarnation === undefined || n > MAX_RECORD_ADDRESSES) return undefined
  const addresses: Address[] = []
  const seen = new Set<string>()
  let offset = HEAD
  for (let i = 0; i < n; i++) {
    const read = readAddress(bytes, offset)
    if (read === undefined) return undefined
    addresses.push(read.address)
    seen.add(formatAddress(read.address))
    offset = read.end
  }
  if (seen.size !== n || offset + 2 > bytes.length) return undefined
  const end = bytes.length - SIGNATURE
  const extra = bytes.subarray(offset + 2, end)
  if (extra.length > MAX_EXTRA || end !== offset + 2 + readU16(bytes, offset)) return undefined
  const has = (name: keyof Flags) => (bytes[41]! & FLAGS[name]) !== 0
  const flags = { onBattery: has('onBattery'), asleep: has('asleep'), metered: has('metered') }
  return { id: bytes.subarray(1, 33), incarnation, ...flags, extra, addresses, bytes }
}

function distinct(entries: readonly { id: Uint8Array }[]): boolean {
  return entries.length < 2 || new Set(entries.map(({ id }) => id.join())).size === entries.length
}

function readIncarnation(bytes: Uint8Array, offset: number): number | undefined {
  return readU64(bytes, offset) || undefined
}

/** Undefined above 2^48 - 1. */
function readU64(bytes: Uint8Array, offset: number): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 8)
  return view.getUint16(0) === 0 ? view.getUint16(2) * 2 ** 32 + view.getUint32(4) : undefined
}

function writeIncarnation(bytes: Uint8Array, offset: number, incarnation: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(offset, BigInt(incarnation))
}

const readU16 = (bytes: Uint8Array, offset: number): number => (bytes[offset]! << 8) | bytes[offset + 1]!

function writeU16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8
  bytes[offset + 1] = value & 255
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
