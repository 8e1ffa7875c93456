/**
 * Custody: a message that waits, sealed, with a third member (PROTOCOL 7). Big-endian; bodies of Message frames, beside
 * those of message.ts.
 *
 *   copy       recipient 32 | custody 16 | u64 expires_ms | u32 size | sealed (size bytes)
 *   deposit    u8 5 | copy                                             sender to holder: keep this
 *   answers    u8 6 | u16 n | n × (custody 16 | u8 state | verdict)    holder to sender: what became of these
 *              verdict, where the state is `given` only: u8 verdict | signature 64
 *   handed     u8 7 | copy                                             holder to recipient
 *   receipt    u8 8 | custody 16 | u8 verdict | signature 64           recipient to holder; `later`: without signature
 *   inquiry    u8 9 | u16 n | n × custody 16                           sender to holder: do you still keep these?
 *   release    u8 10 | u16 n | n × custody 16                          sender to holder: delete these
 *
 *   sealed     HPKE base mode to the recipient's X25519 static; info "coterie/1 custody\0" | gid,
 *              aad recipient | custody | expires_ms | size; of
 *   inside     sender 32 | u8 flags | epoch 8 | u64 seq | id 10 | u64 sent_ms | u64 after | u64 after_ms |
 *              u8 n | tag n | u32 length | payload | signature 64
 *              flags: 1 = the sender wants the output (ask)
 *   signature  Ed25519 by the sender over "coterie/1 custody message\0" | gid | aad | inside up to it
 *   of a receipt: Ed25519 by the recipient over "coterie/1 custody receipt\0" | gid | custody | u8 verdict
 *
 * The holder sees who deposits, for whom, how much, and until when. custody is random, of one deposit; size is that of
 * `sealed`. expires_ms is the sender's wall clock, as it is all the sender can say to one it never meets; a holder keeps a
 * copy 30 days at most. epoch, seq, id, sent_ms as in message.ts. `after` is the number of the message of that tag before
 * this one that the recipient may not have, or 0, and after_ms when that one is given up: until then this one waits for it.
 *
 * A receipt makes the holder delete the copy and keep the receipt for the sender. sealed ≤ 256 KiB; answers, inquiries and
 * releases are of 1 to 256, none twice. Anything that differs from this is refused as a whole.
 */
import { hex, Reader, Writer } from './bytes.ts'
import { EPOCH, ID } from './message.ts'

/** Bytes of `sealed`, and of a payload that fits into it with any tag. */
export const MAX_SEALED = 262_144
export const MAX_KEPT_PAYLOAD = 261_120
/** Of answers, inquiries, releases. */
export const MAX_CUSTODIES = 256
export const CUSTODY = 16
const KEY = 32
const SIGNATURE = 64
const HEADER = KEY + CUSTODY + 8 + 4
const ASK = 1
/** The first byte of the first body that is of custody. */
export const FIRST_OF_CUSTODY = 5
/** Of a receipt, and of `verdict` in answers. */
const SIGNED = 1 + SIGNATURE

export interface Copy {
  /** Ed25519 key. */
  readonly recipient: Uint8Array
  readonly custody: Uint8Array
  /** Milliseconds since 1970 by the sender's clock. */
  readonly expiresMs: number
  readonly sealed: Uint8Array
}

/** What a holder says of a deposit. The numbers are protocol: only append. */
export const KeptState = {
  /** It has none of that number, or no more. */
  none: 0,
  /** On disk there. */
  held: 1,
  /** There is no room for it now. */
  full: 2,
  /** It does not keep such a thing. */
  refused: 3,
  /** The recipient gave a receipt for it. */
  given: 4
} as const
export type KeptState = keyof typeof KeptState
const states = Object.keys(KeptState) as readonly KeptState[]

/** What a recipient says of a copy. The numbers are protocol: only append. */
export const Verdict = {
  /** Not now: hand it over another time. */
  later: 0,
  /** It is on disk there. */
  taken: 1,
  /** It can do nothing with it: settled before, not to be opened, not signed by a member. */
  useless: 2
} as const
export type Verdict = keyof typeof Verdict
const verdicts = Object.keys(Verdict) as readonly Verdict[]

export interface SignedVerdict {
  readonly verdict: Exclude<Verdict, 'later'>
  readonly signature: Uint8Array
}
export type KeptAnswer = { readonly custody: Uint8Array } & (
  | { readonly state: Exclude<KeptState, 'given'> }
  | ({ readonly state: 'given' } & SignedVerdict)
)

export type CustodyBody =
  | { readonly type: 'deposit'; readonly copy: Copy }
  | { readonly type: 'handed'; readonly copy: Copy }
  | { readonly type: 'answers'; readonly answers: readonly KeptAnswer[] }
  | { readonly type: 'receipt'; readonly custody: Uint8Array; readonly said: SignedVerdict | 'later' }
  | { readonly type: 'inquiry'; readonly custodies: readonly Uint8Array[] }
  | { readonly type: 'release'; readonly custodies: readonly Uint8Array[] }

/** What is inside a copy. */
export interface Inside {
  /** Ed25519 key. */
  readonly sender: Uint8Array
  readonly ask: boolean
  readonly epoch: Uint8Array
  readonly seq: number
  readonly id: Uint8Array
  readonly sentMs: number
  readonly after: number
  readonly afterMs: number
  readonly tag: string
  readonly payload: Uint8Array
}

/** What is sealed with a copy, in clear. `size`: of what is sealed. */
export const copyAad = ({ recipient, custody, expiresMs }: Omit<Copy, 'sealed'>, size: number): Uint8Array =>
  new Writer().bytes(recipient, KEY).bytes(custody, CUSTODY).uint64(expiresMs).uint32(size).take()

export const custodyInfo = (gid: Uint8Array): Uint8Array => prefixed('coterie/1 custody\0', gid)

/** What the sender signs. */
export const insideMessage = (gid: Uint8Array, aad: Uint8Array, inside: Uint8Array): Uint8Array =>
  prefixed('coterie/1 custody message\0', gid, aad, inside)

/** What the recipient signs. */
export const receiptMessage = (gid: Uint8Array, custody: Uint8Array, verdict: Verdict): Uint8Array =>
  prefixed('coterie/1 custody receipt\0', gid, custody, Uint8Array.of(Verdict[verdict]))

function prefixed(prefix: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer().bytes(new TextEncoder().encode(prefix))
  for (const part of parts) writer.bytes(part)
  return writer.take()
}

/** Up to the signature. */
export function encodeInside(inside: Inside): Uint8Array {
  const tag = new TextEncoder().encode(inside.tag)
  return new Writer()
    .bytes(inside.sender, KEY)
    .uint8(inside.ask ? ASK : 0)
    .bytes(inside.epoch, EPOCH)
    .uint64(inside.seq)
    .bytes(inside.id, ID)
    .uint64(inside.sentMs)
    .uint64(inside.after)
    .uint64(inside.afterMs)
    .uint8(tag.length)
    .bytes(tag)
    .uint32(inside.payload.length)
    .bytes(inside.payload)
    .take()
}

/** `signed`: all up to the signature. Undefined for anything but what is above; the tag's grammar is not looked at. */
export function decodeInside(
  bytes: Uint8Array
): { inside: Inside; signed: Uint8Array; signature: Uint8Array } | undefined {
  const reader = new Reader(bytes)
  const sender = reader.bytes(KEY)
  const flags = reader.uint8()
  const epoch = reader.bytes(EPOCH)
  const seq = reader.uint64()
  const id = reader.bytes(ID)
  const sentMs = reader.uint64()
  const after = reader.uint64()
  const afterMs = reader.uint64()
  const tag = reader.text(reader.uint8())
  const length = reader.uint32()
  if (reader.rest !== length + SIGNATURE) return undefined
  const payload = reader.bytes(length)
  const signature = reader.bytes(SIGNATURE)
  if (!reader.ended || flags > ASK || tag === undefined || !(sentMs >= 0 && afterMs >= 0)) return undefined
  if (!(seq >= 1 && after >= 0 && after < seq)) return undefined
  return {
    inside: { sender, ask: flags === ASK, epoch, seq, id, sentMs, after, afterMs, tag, payload },
    signed: bytes.subarray(0, bytes.length - SIGNATURE),
    signature
  }
}

const encodeCopy = (type: number, copy: Copy): Uint8Array =>
  new Writer().uint8(type).bytes(copyAad(copy, copy.sealed.length)).bytes(copy.sealed).take()
export const encodeDeposit = (copy: Copy): Uint8Array => encodeCopy(5, copy)
export const encodeHanded = (copy: Copy): Uint8Array => encodeCopy(7, copy)

/** 1 to 256. */
export function encodeAnswers(answers: readonly KeptAnswer[]): Uint8Array {
  const writer = new Writer().uint8(6).uint16(answers.length)
  for (const answer of answers) {
    writer.bytes(answer.custody, CUSTODY).uint8(KeptState[answer.state])
    if (answer.state === 'given') writer.uint8(Verdict[answer.verdict]).bytes(answer.signature, SIGNATURE)
  }
  return writer.take()
}

export function encodeReceipt(custody: Uint8Array, said: SignedVerdict | 'later'): Uint8Array {
  const writer = new Writer().uint8(8).bytes(custody, CUSTODY)
  if (said === 'later') writer.uint8(Verdict.later)
  else writer.uint8(Verdict[said.verdict]).bytes(said.signature, SIGNATURE)
  return writer.take()
}

function encodeCustodies(type: number, custodies: readonly Uint8Array[]): Uint8Array {
  const writer = new Writer().uint8(type).uint16(custodies.length)
  for (const custody of custodies) writer.bytes(custody, CUSTODY)
  return writer.take()
}
/** 1 to 256. */
export const encodeInquiry = (custodies: readonly Uint8Array[]): Uint8Array => encodeCustodies(9, custodies)
/** 1 to 256. */
export const encodeRelease = (custodies: readonly Uint8Array[]): Uint8Array => encodeCustodies(10, custodies)

/** Copies what it keeps; undefined for anything but a body exactly as above. */
export function decodeCustodyBody(body: Uint8Array): CustodyBody | undefined {
  const reader = new Reader(body)
  const type = reader.uint8()
  if (type === 5 || type === 7) return readCopy(reader, type === 5 ? 'deposit' : 'handed')
  if (type === 6) return readAnswers(reader)
  if (type === 8) return readReceipt(reader)
  if (type === 9 || type === 10) return readCustodies(reader, type === 9 ? 'inquiry' : 'release')
  return undefined
}

function readCopy(reader: Reader, type: 'deposit' | 'handed'): CustodyBody | undefined {
  if (reader.rest < HEADER) return undefined
  const recipient = reader.bytes(KEY)
  const custody = reader.bytes(CUSTODY)
  const expiresMs = reader.uint64()
  const size = reader.uint32()
  if (size > MAX_SEALED || reader.rest !== size || !(expiresMs >= 0)) return undefined
  return { type, copy: { recipient, custody, expiresMs, sealed: reader.bytes(size) } }
}

function readAnswers(reader: Reader): CustodyBody | undefined {
  const n = reader.uint16()
  const answers: KeptAnswer[] = []
  if (n < 1 || n > MAX_CUSTODIES) return undefined
  for (let i = 0; i < n; i++) {
    const custody = reader.bytes(CUSTODY)
    const state = states[reader.uint8()]
    if (state === undefined) return undefined
    if (state !== 'given') {
      answers.push({ custody, state })
      continue
    }
    const said = readVerdict(reader)
    if (said === undefined || said === 'later') return undefined
    answers.push({ custody, state, ...said })
  }
  return reader.ended && distinct(answers.map(({ custody }) => custody))
    ? { type: 'answers', answers }
    : undefined
}

function readReceipt(reader: Reader): CustodyBody | undefined {
  const custody = reader.bytes(CUSTODY)
  const said = readVerdict(reader)
  return reader.ended && said !== undefined ? { type: 'receipt', custody, said } : undefined
}

function readVerdict(reader: Reader): SignedVerdict | 'later' | undefined {
  const signed = reader.rest >= SIGNED
  const verdict = verdicts[reader.uint8()]
  if (verdict === undefined || verdict === 'later') return verdict
  return signed ? { verdict, signature: reader.bytes(SIGNATURE) } : undefined
}

function readCustodies(reader: Reader, type: 'inquiry' | 'release'): CustodyBody | undefined {
  const n = reader.uint16()
  if (n < 1 || n > MAX_CUSTODIES || reader.rest !== n * CUSTODY) return undefined
  const custodies = Array.from({ length: n }, () => reader.bytes(CUSTODY))
  return distinct(custodies) ? { type, custodies } : undefined
}

const distinct = (custodies: readonly Uint8Array[]): boolean =>
  new Set(custodies.map(hex)).size === custodies.length
