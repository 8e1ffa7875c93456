/**
 * The handshake COT1: two messages, then a session (PROTOCOL 3 and 4).
 *
 *   message 1   0  4  "COT1"
 *               4  1  type    0x01 member (IK), 0x03 ticket (IKpsk1)
 *               5  1  suite   0x01 = 25519, ChaChaPoly, SHA256
 *               6  2  n       length of the noise part: 160, 224, … 2,016
 *               8  n  noise   e 32 | s 32 + 16 | payload + 16
 *             8+n 16  mac1    HMAC-SHA256(SHA-256("coterie/1 mac1\0" | gid | rs), all before)[0..16]
 *   message 2   0  8  as above; type 0x02 or 0x04, n = 112
 *               8  n  noise   e 32 | payload + 16
 *
 * prologue = "coterie/1\0" | the first 8 bytes of message 1 | gid. Payloads: wire/hello.ts.
 * Big-endian. Functions take bytes and key pairs, fresh ones where they say so, and have no state of their own.
 */

import type { Answer, Hello, Request } from '../wire/hello.ts'
import {
  decodeAnswer,
  decodeHello,
  decodeRequest,
  encodeAnswer,
  encodeHello,
  encodeRequest
} from '../wire/hello.ts'
import type { Aead } from './aead.ts'
import { IK, IKpsk1, NoiseHandshake } from './noise.ts'
import { bytesOf, type ExchangeKey, equal, hash, hkdf, hmac, verify } from './provider.ts'

export const VERSION = 1
export const HEADER = 8
const mac1Length = 16
/** The longest first message: what a stranger can make us keep. */
export const MESSAGE_LIMIT = HEADER + 2016 + mac1Length
/** Bits of `suites`: what a device can speak. */
export const SUITES = 1

const magic = bytesOf('COT1')
const suite = 0x01
const Type = { Initiation: 0x01, Response: 0x02, TicketInitiation: 0x03, TicketResponse: 0x04 } as const

/** One of our own static keys in one circle, ready to recognise what is meant for it. */
export interface Door {
  readonly gid: Uint8Array
  readonly key: ExchangeKey
  readonly mac1Key: Uint8Array
}

export interface SessionKeys {
  readonly send: Uint8Array
  readonly receive: Uint8Array
  /** For UDP probes outside the session. */
  readonly probeSend: Uint8Array
  readonly probeReceive: Uint8Array
  /** Name those keys in the open part of a probe: `send` in ours, `receive` in the peer's. 32 bits each. */
  readonly probeIndexes: { readonly send: number; readonly receive: number }
  /** Names the session; equal on both sides. */
  readonly hash: Uint8Array
}

export function door(gid: Uint8Array, key: ExchangeKey): Door {
  return { gid, key, mac1Key: mac1KeyOf(gid, key.publicKey) }
}

/**
 * The length of the whole message that begins with these 8 bytes (message 1 with its mac1); undefined when
 * they begin none.
 */
export function messageLength(header: Uint8Array): number | undefined {
  if (!equal(header.subarray(0, 4), magic) || header[5] !== suite) return undefined
  const length = (header[6]! << 8) | header[7]!
  switch (header[4]) {
    case Type.Initiation:
    case Type.TicketInitiation:
      return length >= 160 && length <= 2016 && length % 64 === 32 ? HEADER + length + mac1Length : undefined
    case Type.Response:
    case Type.TicketResponse:
      return length === 112 ? HEADER + length : undefined
    default:
      return undefined
  }
}

/** Which door a whole first message was made for. Cheap: nothing is computed with foreign points. */
export function doorOf(message: Uint8Array, doors: Iterable<Door>): Door | undefined {
  const end = message.length - mac1Length
  const mac1 = message.subarray(end)
  for (const door of doors) {
    if (equal(hmac(door.mac1Key, message.subarray(0, end)).subarray(0, mac1Length), mac1)) return door
  }
  return undefined
}

export interface InitiationOptions {
  readonly gid: Uint8Array
  readonly key: ExchangeKey
  /** Static key of the responder. */
  readonly peerKey: Uint8Array
  /** Fresh, for this message only. */
  readonly ephemeral: ExchangeKey
  readonly aead?: Aead
}

export interface CreatedInitiation {
  readonly message: Uint8Array
  readonly ticket: boolean
  readonly noise: NoiseHandshake
}

/** Message 1 of a member. */
export function createInitiation(options: InitiationOptions, hello: Hello): CreatedInitiation {
  return initiate(options, Type.Initiation, encodeHello(hello), [])
}

/** Message 1 of one who joins by ticket; the signature must fit the key (staticProof). */
export function createTicketInitiation(
  options: InitiationOptions,
  psk: Uint8Array,
  request: Request
): CreatedInitiation {
  return initiate(options, Type.TicketInitiation, encodeRequest(request), [psk])
}

export interface ConsumedInitiation {
  readonly door: Door
  /** Static key of the initiator: whose it is remains to be asked. */
  readonly staticKey: Uint8Array
  readonly ephemeral: Uint8Array
  /** One of the two. */
  readonly hello: Hello | undefined
  readonly joining: { readonly psk: number; readonly request: Request } | undefined
  readonly noise: NoiseHandshake
}

/**
 * Opens message 1 behind its door; `psks` are those of open tickets. undefined when anything is wrong: a
 * byte, the versions, the signature over the joiner's static key.
 */
export function consumeInitiation(
  message: Uint8Array,
  door: Door,
  psks: readonly Uint8Array[],
  aead?: Aead
): ConsumedInitiation | undefined {
  const ticket = message[4] === Type.TicketInitiation
  const noise = new NoiseHandshake({
    pattern: ticket ? IKpsk1 : IK,
    initiator: false,
    prologue: prologue(message, door.gid),
    s: door.key,
    psks,
    ...(aead && { aead })
  })
  const payload = attempt(() => noise.read(message.subarray(HEADER, message.length - mac1Length)))
  if (payload === undefined) return undefined
  const hello = ticket ? undefined : decodeHello(payload)
  const request = ticket ? decodeRequest(payload) : undefined
  const versions = (hello ?? request)?.versions
  if (versions === undefined || versions.least > VERSION || versions.greatest < VERSION) return undefined
  const staticKey = noise.rs!
  if (request && !verify(request.key, staticProof(door.gid, request.key, staticKey, 0), request.signature)) {
    return undefined
  }
  const joining = request && { psk: noise.psk, request }
  return { door, staticKey, ephemeral: noise.re!, hello, joining, noise }
}

/** Message 2, and the keys; `ephemeral` is fresh, for this message only. */
export function createResponse(
  initiation: ConsumedInitiation,
  ephemeral: ExchangeKey,
  answer: Answer
): { message: Uint8Array; keys: SessionKeys } {
  const type = initiation.joining ? Type.TicketResponse : Type.Response
  const noisePart = initiation.noise.write(encodeAnswer(answer), ephemeral)
  const message = new Uint8Array(HEADER + noisePart.length)
  writeHeader(message, type, noisePart.length)
  message.set(noisePart, HEADER)
  return { message, keys: sessionKeys(initiation.noise, false) }
}

/** Opens message 2. undefined when anything is wrong. */
export function consumeResponse(
  initiation: CreatedInitiation,
  message: Uint8Array
): { answer: Answer; keys: SessionKeys } | undefined {
  if (message.length < HEADER || messageLength(message.subarray(0, HEADER)) !== message.length)
    return undefined
  if (message[4] !== (initiation.ticket ? Type.TicketResponse : Type.Response)) return undefined
  const { noise } = initiation
  const payload = attempt(() => noise.read(message.subarray(HEADER)))
  const answer = payload && decodeAnswer(payload)
  if (!answer || answer.version !== VERSION || (!initiation.ticket && answer.result !== 'ok'))
    return undefined
  return { answer, keys: sessionKeys(noise, true) }
}

/** What an identity signs to make a static key its own; `serial` is 0 when joining, then counts rekeys. */
export function staticProof(
  gid: Uint8Array,
  identity: Uint8Array,
  staticKey: Uint8Array,
  serial: number
): Uint8Array {
  const proof = new Uint8Array(staticDomain.length + 100)
  proof.set(staticDomain)
  proof.set(gid, staticDomain.length)
  proof.set(identity, staticDomain.length + 32)
  proof.set(staticKey, staticDomain.length + 64)
  new DataView(proof.buffer).setUint32(staticDomain.length + 96, serial)
  return proof
}

/** The psk of a ticket's secret; the inviter keeps this and not the secret. */
export function ticketPsk(secret: Uint8Array): Uint8Array {
  return hkdf(hash(ticketDomain, secret), new Uint8Array(0), pskDomain, 32)
}

const staticDomain = bytesOf('coterie/1 static\0')
const ticketDomain = bytesOf('coterie/1 ticket\0')
const pskDomain = bytesOf('coterie/1 ticket psk\0')
const mac1Domain = bytesOf('coterie/1 mac1\0')
const prologueDomain = bytesOf('coterie/1\0')
const probeDomain = bytesOf('coterie/1 probe\0')

function initiate(
  options: InitiationOptions,
  type: number,
  payload: Uint8Array,
  psks: readonly Uint8Array[]
): CreatedInitiation {
  const { gid, key, peerKey, ephemeral, aead } = options
  const ticket = type === Type.TicketInitiation
  const length = 32 + 48 + payload.length + 16
  const message = new Uint8Array(HEADER + length + mac1Length)
  writeHeader(message, type, length)
  const noise = new NoiseHandshake({
    pattern: ticket ? IKpsk1 : IK,
    initiator: true,
    prologue: prologue(message, gid),
    s: key,
    rs: peerKey,
    psks,
    ...(aead && { aead })
  })
  message.set(noise.write(payload, ephemeral), HEADER)
  const mac1 = hmac(mac1KeyOf(gid, peerKey), message.subarray(0, HEADER + length))
  message.set(mac1.subarray(0, mac1Length), HEADER + length)
  return { message, ticket, noise }
}

function writeHeader(message: Uint8Array, type: number, length: number): void {
  message.set(magic)
  message[4] = type
  message[5] = suite
  message[6] = length >> 8
  message[7] = length & 0xff
}

function prologue(message: Uint8Array, gid: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(prologueDomain.length + HEADER + 32)
  bytes.set(prologueDomain)
  bytes.set(message.subarray(0, HEADER), prologueDomain.length)
  bytes.set(gid, prologueDomain.length + HEADER)
  return bytes
}

function mac1KeyOf(gid: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return hash(mac1Domain, gid, publicKey)
}

/** Record and probe keys of a handshake that is through; its name is the handshake hash. */
export function sessionKeys(noise: NoiseHandshake, initiator: boolean): SessionKeys {
  const probes = hkdf(noise.chainingKey, noise.hash, probeDomain, 72)
  const view = new DataView(probes.buffer)
  const first = { key: probes.slice(0, 32), index: view.getUint32(64) }
  const second = { key: probes.slice(32, 64), index: view.getUint32(68) }
  const [send, receive] = initiator ? [first, second] : [second, first]
  return {
    ...noise.split(),
    probeSend: send.key,
    probeReceive: receive.key,
    probeIndexes: { send: send.index, receive: receive.index },
    hash: noise.hash
  }
}

/** A peer's key of small order makes the exchange throw: as good as a wrong tag. */
function attempt(read: () => Uint8Array | undefined): Uint8Array | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
