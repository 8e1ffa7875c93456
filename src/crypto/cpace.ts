/**
 * CPace (draft-irtf-cfrg-cpace) with ristretto255 and SHA-512, initiator and responder: two that know the same
 * short secret agree on a long one, and nobody else can try secrets against what they said.
 *
 *   generator g = map(SHA-512(lv_cat(DSI, PRS, zeros to the end of the hash's first block, CI, sid)))
 *   message     Y = y·g                                                                         32 bytes
 *   ISK         SHA-512(lv_cat(DSI_ISK, sid, K) | lv_cat(Ya, ADa) | lv_cat(Yb, ADb)), K = ya·Yb = yb·Ya
 *   tag         HMAC-SHA-512(SHA-512("CPaceMac" | sid | ISK), lv_cat(Y, AD)) of the one who sent Y
 *
 * lv_cat puts the length before each part (LEB128). The group is computed with big integers, which take a time
 * that depends on their values: y is used for one run only.
 */
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js'
import { bytesOf, hash512, hmac512 } from './provider.ts'

/** Random bytes that make a secret y; more than 32, so that all y are equally likely. */
export const SECRET_BYTES = 64

const dsi = bytesOf('CPaceRistretto255')
const dsiIsk = bytesOf('CPaceRistretto255_ISK')
const macLabel = bytesOf('CPaceMac')
/** The block of SHA-512. */
const blockLength = 128
const none = new Uint8Array(0)
const { Point } = ristretto255

/** What both know, and what names the run. */
export interface Known {
  /** The short secret, PRS. */
  readonly secret: Uint8Array
  /** CI: what it is used for. */
  readonly channel: Uint8Array
  /** Random bytes of both sides. */
  readonly sid: Uint8Array
}

/** One side's message. AD: what it says of itself beside Y. */
export interface Share {
  readonly y: Uint8Array
  readonly ad?: Uint8Array
}

/** Each part behind its length. */
export function lvCat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes: number[] = []
  for (const part of parts) {
    let length = part.length
    for (; length >= 128; length >>>= 7) bytes.push((length & 0x7f) | 0x80)
    bytes.push(length)
    for (const byte of part) bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}

export function generatorString({ secret, channel, sid }: Known): Uint8Array {
  const before = lvCat(dsi, secret).length
  return lvCat(dsi, secret, new Uint8Array(Math.max(0, blockLength - 1 - before)), channel, sid)
}

/** 32 bytes. */
export function generator(known: Known): Uint8Array {
  return ristretto255_hasher.deriveToCurve!(hash512(generatorString(known))).toBytes()
}

/** y from SECRET_BYTES random bytes: 32 bytes, little-endian, never 0. */
export function scalar(random: Uint8Array): Uint8Array {
  if (random.length !== SECRET_BYTES) throw new RangeError(`${SECRET_BYTES} bytes expected`)
  const { Fn } = Point
  const value = 1n + (numberOf(random) % (Fn.ORDER - 1n))
  return Fn.toBytes(value)
}

/**
 * scalar_mult_vfy: y·X, 32 bytes. undefined, and the run is over, when X is no encoding of a point, or the
 * result is the neutral element.
 */
export function multiply(y: Uint8Array, point: Uint8Array): Uint8Array | undefined {
  const decoded = decode(point)
  const value = numberOf(y) % Point.Fn.ORDER
  if (decoded === undefined || decoded.is0() || value === 0n) return undefined
  return decoded.multiply(value).toBytes()
}

/** ISK, 64 bytes, of K and the two messages, the initiator's first. */
export function sharedKey(sid: Uint8Array, k: Uint8Array, a: Share, b: Share): Uint8Array {
  return hash512(lvCat(dsiIsk, sid, k), transcript(a, b))
}

/** Both messages. */
export function transcript(a: Share, b: Share): Uint8Array {
  return lvCat(a.y, a.ad ?? none, b.y, b.ad ?? none)
}

/** 64 bytes with which the sender of this message shows that it has the ISK. */
export function confirmation(sid: Uint8Array, isk: Uint8Array, share: Share): Uint8Array {
  return hmac512(hash512(macLabel, sid, isk), lvCat(share.y, share.ad ?? none))
}

function decode(point: Uint8Array): InstanceType<typeof Point> | undefined {
  try {
    return Point.fromBytes(point)
  } catch {
    return undefined
  }
}

function numberOf(littleEndian: Uint8Array): bigint {
  let value = 0n
  for (const byte of littleEndian.toReversed()) value = (value << 8n) | BigInt(byte)
  return value
}
