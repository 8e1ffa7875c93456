/**
 * Messages between two members, and what became of them (PROTOCOL 7). Big-endian; the body of a Message frame.
 *
 *   message   u8 1 | u8 flags | epoch 8 | u64 seq | id 10 | u64 floor | u64 sent_ms | u32 ttl_s | u8 n | tag n | payload
 *             flags: 1 = the sender wants the output (ask)
 *   receipts  u8 2 | epoch 8 | u16 n | n × (u64 seq | u8 state | u8 reason | u8 exit | u32 length | output)
 *   question  u8 3 | epoch 8 | u64 floor | u16 n | n × u64 seq           what became of these?
 *   cancel    u8 4 | epoch 8 | u64 seq | id 10                           do not begin with it
 *
 * A message is told from all others by its sender, the epoch of the sender's outbox (random, drawn with the database) and
 * its number, which counts the messages to one receiver from 1; people know it by its id (random). All numbers below
 * `floor` are settled: the sender knows what became of them, and sends none of them again. A sender whose database was
 * put back uses numbers again: the receiver says `reused`, with the next free number (u64) as the output. sent_ms is the sender's wall clock,
 * for people; ttl_s is what is left of its life, at least 1.
 *
 * tag as in messages/tag.ts, payload ≤ 1 MiB, output ≤ 64 KiB; receipts and questions are of at most 256, and never of
 * one number twice. Anything that differs from this is refused as a whole.
 */
import { Reader, Writer } from './bytes.ts'

export const MAX_PAYLOAD = 1_048_576
export const MAX_OUTPUT = 65_536
export const MAX_RECEIPTS = 256
export const EPOCH = 8
export const ID = 10
const ASK = 1

/** What a receiver says of a message. The numbers are protocol: only append. */
export const ReceiptState = {
  /** It has none of that number, or forgot it: send it (again). */
  unknown: 0,
  /** Another member keeps it for the receiver. */
  held: 1,
  /** It is on disk there. */
  received: 2,
  /** Its handler was started, or is just about to be. */
  started: 3,
  /** The handler ended well. */
  done: 4,
  /** It will not run (again); the reason says why. */
  dead: 5,
  /** The handler asked to be run again later. */
  later: 6,
  /** Another message had that number; the output is the next free one. */
  reused: 7
} as const
export type ReceiptState = keyof typeof ReceiptState
const states = Object.keys(ReceiptState) as readonly ReceiptState[]

/** Why a message is dead. The numbers are protocol: only append. */
export const DeadReason = {
  none: 0,
  /** There is no handler for the tag. */
  'no-handler': 1,
  /** The receiver's rules do not let this sender send that tag. */
  'not-allowed': 2,
  /** The file is there but must not be run: who owns it, who may write it, what it is. */
  unsafe: 3,
  /** The handler could not be started. */
  'not-started': 4,
  /** It ended with another exit code than 0 and 75. */
  failed: 5,
  /** A signal ended it. */
  killed: 6,
  /** It took too long. */
  timeout: 7,
  /** It was started, and what became of it is not known. */
  unknown: 8,
  /** Its time was over. */
  expired: 9,
  /** Its sender took it back. */
  cancelled: 10,
  /** The sender was removed from the circle. */
  removed: 11,
  /** It asked to be run again too often. */
  'gave-up': 12,
  /** It wrote more to stdout than an answer may have. */
  output: 13
} as const
export type DeadReason = keyof typeof DeadReason
const reasons = Object.keys(DeadReason) as readonly DeadReason[]

export interface Message {
  /** 10 bytes. */
  readonly id: Uint8Array
  readonly epoch: Uint8Array
  readonly seq: number
  readonly floor: number
  /** Milliseconds since 1970 by the sender's clock. */
  readonly sentMs: number
  /** Seconds. */
  readonly ttl: number
  readonly ask: boolean
  readonly tag: string
  readonly payload: Uint8Array
}

export interface Receipt {
  readonly seq: number
  readonly state: ReceiptState
  readonly reason: DeadReason
  /** Of the handler, 0 to 255. */
  readonly exit: number
  /** What it wrote to stdout, where that was asked for. */
  readonly output: Uint8Array
}

export type MessageBody =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'receipts'; readonly epoch: Uint8Array; readonly receipts: readonly Receipt[] }
  | {
      readonly type: 'question'
      readonly epoch: Uint8Array
      readonly floor: number
      readonly seqs: readonly number[]
    }
  | { readonly type: 'cancel'; readonly epoch: Uint8Array; readonly seq: number; readonly id: Uint8Array }

export function encodeMessage(message: Message): Uint8Array {
  const tag = new TextEncoder().encode(message.tag)
  return new Writer()
    .uint8(1)
    .uint8(message.ask ? ASK : 0)
    .bytes(message.epoch, EPOCH)
    .uint64(message.seq)
    .bytes(message.id, ID)
    .uint64(message.floor)
    .uint64(message.sentMs)
    .uint32(message.ttl)
    .uint8(tag.length)
    .bytes(tag)
    .bytes(message.payload)
    .take()
}

/** At most 256. */
export function encodeReceipts(epoch: Uint8Array, receipts: readonly Receipt[]): Uint8Array {
  const writer = new Writer().uint8(2).bytes(epoch, EPOCH).uint16(receipts.length)
  for (const { seq, state, reason, exit, output } of receipts)
    writer
      .uint64(seq)
      .uint8(ReceiptState[state])
      .uint8(DeadReason[reason])
      .uint8(exit)
      .uint32(output.length)
      .bytes(output)
  return writer.take()
}

/** At most 256. */
export function encodeQuestion(epoch: Uint8Array, floor: number, seqs: readonly number[]): Uint8Array {
  const writer = new Writer().uint8(3).bytes(epoch, EPOCH).uint64(floor).uint16(seqs.length)
  for (const seq of seqs) writer.uint64(seq)
  return writer.take()
}

/** The output of a receipt that says `reused`. */
export const encodeNext = (seq: number): Uint8Array => new Writer().uint64(seq).take()

/** Undefined when it is none. */
export function decodeNext(output: Uint8Array): number | undefined {
  const reader = new Reader(output)
  const seq = reader.uint64()
  return reader.ended && seq >= 1 ? seq : undefined
}

export function encodeCancel(epoch: Uint8Array, seq: number, id: Uint8Array): Uint8Array {
  return new Writer().uint8(4).bytes(epoch, EPOCH).uint64(seq).bytes(id, ID).take()
}

/** Copies what it keeps; undefined for anything but a body exactly as above. The tag's grammar is not looked at. */
export function decodeMessageBody(body: Uint8Array): MessageBody | undefined {
  const reader = new Reader(body)
  switch (reader.uint8()) {
    case 1:
      return readMessage(reader)
    case 2:
      return readReceipts(reader)
    case 3:
      return readQuestion(reader)
    case 4: {
      const epoch = reader.bytes(EPOCH)
      const seq = reader.uint64()
      const id = reader.bytes(ID)
      return reader.ended && seq >= 1 ? { type: 'cancel', epoch, seq, id } : undefined
    }
    default:
      return undefined
  }
}

function readMessage(reader: Reader): MessageBody | undefined {
  const flags = reader.uint8()
  const epoch = reader.bytes(EPOCH)
  const seq = reader.uint64()
  const id = reader.bytes(ID)
  const floor = reader.uint64()
  const sentMs = reader.uint64()
  const ttl = reader.uint32()
  const tag = reader.text(reader.uint8())
  if (reader.rest > MAX_PAYLOAD) return undefined
  const payload = reader.bytes(reader.rest)
  if (!reader.ended || flags > ASK || tag === undefined || ttl < 1) return undefined
  if (!(floor >= 1 && seq >= floor && sentMs >= 0)) return undefined
  return {
    type: 'message',
    message: { epoch, seq, id, floor, sentMs, ttl, ask: flags === ASK, tag, payload }
  }
}

function readReceipts(reader: Reader): MessageBody | undefined {
  const epoch = reader.bytes(EPOCH)
  const n = reader.uint16()
  const receipts: Receipt[] = []
  if (n < 1 || n > MAX_RECEIPTS) return undefined
  for (let i = 0; i < n; i++) {
    const seq = reader.uint64()
    const state = states[reader.uint8()]
    const reason = reasons[reader.uint8()]
    const exit = reader.uint8()
    const length = reader.uint32()
    if (state === undefined || reason === undefined || !(seq >= 1)) return undefined
    if (length > MAX_OUTPUT || length > reader.rest) return undefined
    receipts.push({ seq, state, reason, exit, output: reader.bytes(length) })
  }
  return reader.ended && distinct(receipts.map(({ seq }) => seq))
    ? { type: 'receipts', epoch, receipts }
    : undefined
}

function readQuestion(reader: Reader): MessageBody | undefined {
  const epoch = reader.bytes(EPOCH)
  const floor = reader.uint64()
  const n = reader.uint16()
  if (n > MAX_RECEIPTS || reader.rest !== n * 8) return undefined
  const seqs = Array.from({ length: n }, () => reader.uint64())
  if (!reader.ended || !(floor >= 1) || !seqs.every(seq => seq >= floor) || !distinct(seqs)) return undefined
  return { type: 'question', epoch, floor, seqs }
}

const distinct = (numbers: readonly number[]): boolean => new Set(numbers).size === numbers.length
