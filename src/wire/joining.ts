/**
 * What joining by a code sends: messages on a bare link, then two frames inside the session.
 *
 *   message   "COT1" | u8 type | body                    joiner A, inviter B
 *   0x10 A    sid_a 16                                   begins a run
 *   0x11 B    sid_b 16
 *   0x12 A    Ya 32                                      CPace, sid = sid_a | sid_b
 *   0x13 B    Yb 32
 *   0x14 A    Ta 64                                      A has the code
 *   0x15 B    Tb 64                                      B has it too
 *   0x16 A    e 32 | greeting 64 + 16                    NNpsk0
 *   0x17 B    e 32 | offer 256 + 16
 *   0x1f B    u8 tries left                              instead of 0x15: Ta was wrong; B closes
 *
 *   greeting  u8 pmin | u8 pmax | u32 features | zeros
 *   offer     u8 version | boot_id 16 | u32 features | gid 32 | key 32 | static 32 | u8 level
 *             | u8 len | name of the circle | u8 len | name of the device | zeros
 *
 *   Join frame
 *   request A u8 1 | boot_id 16 | key 32 | static 32 | static_sig 64 | u32 suites | u8 len | name
 *             | zeros, 214 bytes in all
 *   verdict B u8 2 | u8 result
 *
 * Boot ids differ from circle to circle, so the joiner's comes when it knows which one this is.
 * Big-endian; names are those of wire/operation.ts. Every length is fixed, so that none tells a name. Exactly
 * what these functions write is read.
 */
import { Reader, Writer } from './bytes.ts'
import { readName, writeName } from './operation.ts'

/** The numbers are protocol. */
export const JoinMessage = {
  SidA: 0x10,
  SidB: 0x11,
  ShareA: 0x12,
  ShareB: 0x13,
  TagA: 0x14,
  TagB: 0x15,
  NoiseA: 0x16,
  NoiseB: 0x17,
  Wrong: 0x1f
} as const
export type JoinMessage = (typeof JoinMessage)[keyof typeof JoinMessage]

export const JOIN_HEADER = 5
export const SID_HALF = 16
const GREETING = 64
const OFFER = 256
const REQUEST = 214
const NOISE = 32 + 16
const magic = [0x43, 0x4f, 0x54, 0x31]

const lengths: { readonly [type: number]: number } = {
  [JoinMessage.SidA]: SID_HALF,
  [JoinMessage.SidB]: SID_HALF,
  [JoinMessage.ShareA]: 32,
  [JoinMessage.ShareB]: 32,
  [JoinMessage.TagA]: 64,
  [JoinMessage.TagB]: 64,
  [JoinMessage.NoiseA]: NOISE + GREETING,
  [JoinMessage.NoiseB]: NOISE + OFFER,
  [JoinMessage.Wrong]: 1
}
/** Of the longest. */
export const JOIN_MESSAGE_LIMIT = JOIN_HEADER + NOISE + OFFER

/** Throws RangeError when the body has not the length of its type. */
export function encodeJoinMessage(type: JoinMessage, body: Uint8Array): Uint8Array {
  return new Writer().bytes(Uint8Array.from(magic)).uint8(type).bytes(body, lengths[type]!).take()
}

/** The length of the whole message that begins with these 5 bytes; undefined when they begin none. */
export function joinMessageLength(header: Uint8Array): number | undefined {
  if (header.length < JOIN_HEADER || magic.some((byte, at) => header[at] !== byte)) return undefined
  const length = lengths[header[4]!]
  return length === undefined ? undefined : JOIN_HEADER + length
}

/** The body of a whole message of this type; undefined when it is another, or more or less than one. */
export function joinMessageBody(type: JoinMessage, message: Uint8Array): Uint8Array | undefined {
  if (message[4] !== type || joinMessageLength(message.subarray(0, JOIN_HEADER)) !== message.length)
    return undefined
  return message.slice(JOIN_HEADER)
}

/** Of the joiner: versions spoken, features offered (none defined yet). */
export interface Greeting {
  readonly versions: { readonly least: number; readonly greatest: number }
  readonly features: number
}

/** Of the inviter: the circle, and who it is there. */
export interface Offer {
  readonly version: number
  /** 16 bytes, random at each start of the daemon. */
  readonly bootId: Uint8Array
  readonly features: number
  readonly gid: Uint8Array
  /** Ed25519 key and X25519 static of the inviter. */
  readonly key: Uint8Array
  readonly staticKey: Uint8Array
  /** The level the joiner will have. */
  readonly level: number
  readonly circle: string
  readonly device: string
}

/** Of the joiner: the keys it made for this circle. */
export interface CodeRequest {
  readonly bootId: Uint8Array
  readonly key: Uint8Array
  readonly staticKey: Uint8Array
  /** By the key over the static, 64 bytes. */
  readonly signature: Uint8Array
  readonly suites: number
  readonly name: string
}

/**
 * What became of a request. removed: the key was removed from the circle before, so it may come again with
 * others, at once. The numbers are protocol: only append.
 */
export const verdicts = ['ok', 'declined', 'refused', 'expired', 'used', 'removed'] as const
export type Verdict = (typeof verdicts)[number]

export function encodeGreeting({ versions, features }: Greeting): Uint8Array {
  const writer = new Writer().uint8(versions.least).uint8(versions.greatest).uint32(features)
  return filled(writer, GREETING)
}

export function decodeGreeting(bytes: Uint8Array): Greeting | undefined {
  const reader = new Reader(bytes)
  const versions = { least: reader.uint8(), greatest: reader.uint8() }
  const features = reader.uint32()
  return isFilled(reader, bytes, GREETING) ? { versions, features } : undefined
}

/** Throws RangeError when a name may not be. */
export function encodeOffer(offer: Offer): Uint8Array {
  const writer = new Writer()
    .uint8(offer.version)
    .bytes(offer.bootId, 16)
    .uint32(offer.features)
    .bytes(offer.gid, 32)
    .bytes(offer.key, 32)
    .bytes(offer.staticKey, 32)
    .uint8(offer.level)
  writeName(writer, offer.circle)
  writeName(writer, offer.device)
  return filled(writer, OFFER)
}

export function decodeOffer(bytes: Uint8Array): Offer | undefined {
  const reader = new Reader(bytes)
  const version = reader.uint8()
  const bootId = reader.bytes(16)
  const features = reader.uint32()
  const gid = reader.bytes(32)
  const key = reader.bytes(32)
  const staticKey = reader.bytes(32)
  const level = reader.uint8()
  const circle = readName(reader)
  const device = readName(reader)
  if (circle === undefined || device === undefined || !isFilled(reader, bytes, OFFER)) return undefined
  return { version, bootId, features, gid, key, staticKey, level, circle, device }
}

const Frame = { Request: 1, Verdict: 2 } as const

/** Body of a Join frame. Throws RangeError when the name may not be. */
export function encodeCodeRequest(request: CodeRequest): Uint8Array {
  const writer = new Writer()
    .uint8(Frame.Request)
    .bytes(request.bootId, 16)
    .bytes(request.key, 32)
    .bytes(request.staticKey, 32)
    .bytes(request.signature, 64)
    .uint32(request.suites)
  writeName(writer, request.name)
  return filled(writer, REQUEST)
}

export function decodeCodeRequest(body: Uint8Array): CodeRequest | undefined {
  const reader = new Reader(body)
  if (reader.uint8() !== Frame.Request) return undefined
  const bootId = reader.bytes(16)
  const key = reader.bytes(32)
  const staticKey = reader.bytes(32)
  const signature = reader.bytes(64)
  const suites = reader.uint32()
  const name = readName(reader)
  if (name === undefined || !isFilled(reader, body, REQUEST)) return undefined
  return { bootId, key, staticKey, signature, suites, name }
}

/** Body of a Join frame. */
export function encodeVerdict(verdict: Verdict): Uint8Array {
  return Uint8Array.of(Frame.Verdict, verdicts.indexOf(verdict))
}

export function decodeVerdict(body: Uint8Array): Verdict | undefined {
  return body.length === 2 && body[0] === Frame.Verdict ? verdicts[body[1]!] : undefined
}

function filled(writer: Writer, length: number): Uint8Array {
  return writer.bytes(new Uint8Array(length - writer.length)).take()
}

/** Only the zeros that bring it to this length are left. */
function isFilled(reader: Reader, bytes: Uint8Array, length: number): boolean {
  return bytes.length === length && reader.bytes(reader.rest).every(byte => byte === 0) && reader.ended
}
