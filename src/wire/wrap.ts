/**
 * Epoch wraps: one secret for all members, sealed to each. Big-endian.
 *
 *   wrap   u8 1 | topic 32 | u64 counter | previous 16 | author 32 | u8 nheads | head 32 × nheads
 *          | u16 n | n × (recipient 32 | static 32 | sealed 80) | signature 64
 *          recipients are Ed25519 keys, strictly ascending, 1 to 128; heads ascending, at most 16
 *   static    the X25519 key it was sealed to
 *   sealed    HPKE base mode of the 32-byte secret: encapsulated key 32 | ciphertext 48
 *             info = "coterie/1 epoch" | topic | u64 counter, aad = recipient
 *   signature Ed25519 of the author over "coterie/1 wrap\0" | all before it
 *   id        first 16 bytes of SHA-256 of the wrap; `previous` is the id of the one its author had, or zeros
 *
 * heads: what the author knew of the membership log. Recipients stand by id and not by their place among the
 * members at those heads, so that nobody has to work out an old state to read a wrap.
 */
import { compare, Reader, Writer } from './bytes.ts'

export const MAX_RECIPIENTS = 128
export const SEALED = 80
const MAX_HEADS = 16
const SIGNATURE = 64
const SIGNATURE_PREFIX = new TextEncoder().encode('coterie/1 wrap\0')
const INFO_PREFIX = new TextEncoder().encode('coterie/1 epoch')

export interface Recipient {
  readonly id: Uint8Array
  readonly static: Uint8Array
  readonly sealed: Uint8Array
}

export interface Wrap {
  readonly topic: Uint8Array
  readonly counter: number
  readonly previous: Uint8Array
  readonly author: Uint8Array
  readonly heads: readonly Uint8Array[]
  readonly recipients: readonly Recipient[]
  /** All but the signature, as received. */
  readonly unsigned: Uint8Array
  readonly signature: Uint8Array
  /** All of it. */
  readonly bytes: Uint8Array
}

/** Throws RangeError on what could not be read again. */
export function encodeUnsignedWrap(wrap: Omit<Wrap, 'unsigned' | 'signature' | 'bytes'>): Uint8Array {
  const heads = [...wrap.heads].sort(compare).slice(0, MAX_HEADS)
  const recipients = [...wrap.recipients].sort((a, b) => compare(a.id, b.id))
  if (recipients.length < 1 || recipients.length > MAX_RECIPIENTS)
    throw new RangeError(`a wrap has 1 to ${MAX_RECIPIENTS} recipients`)
  const writer = new Writer()
    .uint8(1)
    .bytes(wrap.topic, 32)
    .uint64(wrap.counter)
    .bytes(wrap.previous, 16)
    .bytes(wrap.author, 32)
    .uint8(heads.length)
  for (const head of heads) writer.bytes(head, 32)
  writer.uint16(recipients.length)
  for (const r of recipients) writer.bytes(r.id, 32).bytes(r.static, 32).bytes(r.sealed, SEALED)
  return writer.take()
}

export const signedWrap = (unsigned: Uint8Array, signature: Uint8Array): Uint8Array =>
  new Writer().bytes(unsigned).bytes(signature, SIGNATURE).take()

/** What the author signs. */
export const wrapMessage = (unsigned: Uint8Array): Uint8Array =>
  new Writer().bytes(SIGNATURE_PREFIX).bytes(unsigned).take()

export const wrapInfo = (topic: Uint8Array, counter: number): Uint8Array =>
  new Writer().bytes(INFO_PREFIX).bytes(topic).uint64(counter).take()

/** undefined unless the bytes are exactly one wrap. Nothing is opened and no signature checked here. */
export function decodeWrap(bytes: Uint8Array): Wrap | undefined {
  const reader = new Reader(bytes)
  if (reader.uint8() !== 1) return undefined
  const topic = reader.bytes(32)
  const counter = reader.uint64()
  const previous = reader.bytes(16)
  const author = reader.bytes(32)
  const nheads = reader.uint8()
  const heads = nheads <= MAX_HEADS ? reader.ascending(nheads) : undefined
  const n = reader.uint16()
  if (heads === undefined || Number.isNaN(counter) || n < 1 || n > MAX_RECIPIENTS) return undefined
  if (reader.rest !== n * (64 + SEALED) + SIGNATURE) return undefined
  const recipients: Recipient[] = []
  for (let i = 0; i < n; i++) {
    const id = reader.bytes(32)
    if (i > 0 && compare(recipients[i - 1]!.id, id) >= 0) return undefined
    recipients.push({ id, static: reader.bytes(32), sealed: reader.bytes(SEALED) })
  }
  const own = bytes.slice()
  const signature = reader.bytes(SIGNATURE)
  const unsigned = own.subarray(0, own.length - SIGNATURE)
  return { topic, counter, previous, author, heads, recipients, unsigned, signature, bytes: own }
}
