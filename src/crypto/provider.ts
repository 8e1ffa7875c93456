/**
 * All cryptography that is not our own: the only file that imports node:crypto and sodium-native. Arguments
 * are borrowed for the call and never written, results are new memory, unless said otherwise.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  getCipherInfo,
  hash as hashOnce,
  hkdfSync,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
  randomBytes as randomBuffer,
  timingSafeEqual
} from 'node:crypto'
import { createRequire } from 'node:module'
import type { Sodium } from 'sodium-native'
import { type Aead, type AeadKey, TAG } from './aead.ts'
import { mixedAead } from './mixed-aead.ts'
import { nobleAead } from './noble-aead.ts'

const text = new TextEncoder()

/** Buffer's slice shares its memory and its deepEqual differs; nobody outside needs to know Buffers. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

/** ASCII or UTF-8 text as bytes, for prefixes of signatures and MACs. */
export function bytesOf(words: string): Uint8Array {
  return text.encode(words)
}

/** SHA-256 of the parts one after another. */
export function hash(...parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return plain(hashOnce('sha256', parts[0]!, 'buffer'))
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return plain(digest.digest())
}

/**
 * HMAC-SHA-256 (RFC 2104) of the parts one after another. Two one-shot hashes: a handshake needs 16 of these,
 * and making a Hmac object takes three times as long.
 */
export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const block = key.length > 64 ? hash(key) : key
  let length = 64
  for (const part of parts) length += part.length
  const inner = new Uint8Array(length).fill(0x36, 0, 64)
  const outer = new Uint8Array(96).fill(0x5c, 0, 64)
  for (let at = 0; at < block.length; at++) {
    inner[at]! ^= block[at]!
    outer[at]! ^= block[at]!
  }
  let at = 64
  for (const part of parts) {
    inner.set(part, at)
    at += part.length
  }
  outer.set(hash(inner), 64)
  return hash(outer)
}

/** SHA-512 of the parts one after another. */
export function hash512(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash('sha512')
  for (const part of parts) digest.update(part)
  return plain(digest.digest())
}

/** HMAC-SHA-512 (RFC 2104). */
export function hmac512(key: Uint8Array, message: Uint8Array): Uint8Array {
  return plain(createHmac('sha512', key).update(message).digest())
}

/** HKDF-SHA-256 (RFC 5869), extract and expand; `info` at most 1,024 bytes, `length` at most 8,160. */
export function hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, length))
}

export function randomBytes(length: number): Uint8Array {
  return plain(randomBuffer(length))
}

/** In constant time for equal lengths. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

// --- Ed25519 (RFC 8032), verified by OpenSSL alone: verifiers disagree at the edges, and a signature that
// --- half of a circle refuses would part it for ever (S 1.6).

const pkcs8 = {
  ed25519: der('302e020100300506032b657004220420'),
  x25519: der('302e020100300506032b656e04220420')
}
const spki = { ed25519: der('302a300506032b6570032100'), x25519: der('302a300506032b656e032100') }

export interface SigningKey {
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}

/** From the 32-byte seed. */
export function ed25519(seed: Uint8Array): SigningKey {
  const key = privateKey('ed25519', seed)
  return { publicKey: publicHalf(key), sign: message => plain(nodeSign(null, message, key)) }
}

/**
 * False for a public key that nobody may have: y not below p, and the 8 points of small order (all encodings
 * of them), for which one signature can fit many messages. Checked wherever a key enters, and by verify.
 */
export function admissible(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32 || hasSmallOrder(publicKey)) return false
  const atLeastP =
    (publicKey[31]! & 0x7f) === 0x7f &&
    publicKey[0]! >= 0xed &&
    publicKey.subarray(1, 31).every(byte => byte === 0xff)
  return !atLeastP
}

function hasSmallOrder(point: Uint8Array): boolean {
  const y = Buffer.from(point.subarray(0, 32))
  y[31]! &= 0x7f
  return smallOrder.has(y.toString('hex'))
}

/** The y coordinates of the 8 points: order 4, 1, 2, and the two of order 8; little-endian, without sign. */
const smallOrder: ReadonlySet<string> = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'
])

/**
 * Without cofactor, S below the group order, R compared byte by byte, key and R not of small order. OpenSSL
 * leaves the last to its callers; Node 24.21 looks at R, older ones do not, so it is looked at here.
 */
export function verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = verifyingKey(publicKey)
  return key !== undefined && wellFormed(signature) && nodeVerify(null, message, key, signature)
}

function wellFormed(signature: Uint8Array): boolean {
  return signature.length === 64 && !hasSmallOrder(signature)
}

export interface Signed {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/** Enough to keep every core at work, few enough that other users of the thread pool get their turn. */
const verificationsInFlight = 32

/** verify for each item, in libuv's threads. The items must not change until it resolves. */
export async function verifyBatch(items: readonly Signed[]): Promise<boolean[]> {
  const valid = new Array<boolean>(items.length).fill(false)
  let next = 0
  async function lane(): Promise<void> {
    while (next < items.length) {
      const index = next++
      const { publicKey, message, signature } = items[index]!
      const key = verifyingKey(publicKey)
      if (key === undefined || !wellFormed(signature)) continue
      valid[index] = await new Promise<boolean>((resolve, reject) =>
        nodeVerify(null, message, key, signature, (error, ok) => (error ? reject(error) : resolve(ok)))
      )
    }
  }
  await Promise.all(Array.from({ length: Math.min(verificationsInFlight, items.length) }, lane))
  return valid
}

/** Keys seen lately; importing one costs a tenth of a verification. */
const verifyingKeys = new Map<string, KeyObject>()
const verifyingKeysKept = 256

function verifyingKey(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== 32) return undefined
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, 32).toString('latin1')
  let key = verifyingKeys.get(name)
  if (key === undefined) {
    if (!admissible(publicKey)) return undefined
    key = publicKeyObject('ed25519', publicKey)
    if (verifyingKeys.size === verifyingKeysKept) verifyingKeys.delete(verifyingKeys.keys().next().value!)
    verifyingKeys.set(name, key)
  }
  return key
}

// --- X25519 (RFC 7748)

export interface ExchangeKey {
  readonly publicKey: Uint8Array
  /** 32 bytes; throws when the result is all zeros (a public key of small order). */
  dh(publicKey: Uint8Array): Uint8Array
}

/** From 32 random bytes; imported once, so keep it for as long as the secret is used. */
export function x25519(secret: Uint8Array): ExchangeKey {
  const addon = sodium()
  return addon ? sodiumExchangeKey(addon, secret) : nodeExchangeKey(secret)
}

export function nodeExchangeKey(secret: Uint8Array): ExchangeKey {
  const key = privateKey('x25519', secret)
  return {
    publicKey: publicHalf(key),
    dh: publicKey =>
      plain(diffieHellman({ privateKey: key, publicKey: publicKeyObject('x25519', publicKey) }))
  }
}

/** Half the time of node:crypto, which must import each public key. Throws on zero results by itself. */
function sodiumExchangeKey(addon: Sodium, secret: Uint8Array): ExchangeKey {
  const key = new Uint8Array(secret)
  const publicKey = new Uint8Array(32)
  addon.crypto_scalarmult_base(publicKey, key)
  return {
    publicKey,
    dh(other) {
      const shared = new Uint8Array(32)
      addon.crypto_scalarmult(shared, key, other)
      return shared
    }
  }
}

function der(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex')
}

function privateKey(curve: 'ed25519' | 'x25519', secret: Uint8Array): KeyObject {
  if (secret.length !== 32) throw new RangeError(`a secret key has 32 bytes, not ${secret.length}`)
  return createPrivateKey({ key: Buffer.concat([pkcs8[curve], secret]), format: 'der', type: 'pkcs8' })
}

function publicKeyObject(curve: 'ed25519' | 'x25519', publicKey: Uint8Array): KeyObject {
  if (publicKey.length !== 32) throw new RangeError(`a public key has 32 bytes, not ${publicKey.length}`)
  return createPublicKey({ key: Buffer.concat([spki[curve], publicKey]), format: 'der', type: 'spki' })
}

function publicHalf(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x!, 'base64url'))
}

// --- AES-128-CBC with PKCS#7 padding, for the Secret Service alone (secret-session.ts)

/** `iv` 16 bytes. */
export function sealCbc(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-128-cbc', key, iv)
  return plain(Buffer.concat([cipher.update(plaintext), cipher.final()]))
}

/** Undefined when the padding is wrong; nothing else is checked. */
export function openCbc(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  try {
    const decipher = createDecipheriv('aes-128-cbc', key, iv)
    return plain(Buffer.concat([decipher.update(sealed), decipher.final()]))
  } catch {
    return undefined
  }
}

// --- AEAD

const noAad = new Uint8Array(0)

class NodeKey implements AeadKey {
  readonly #key: KeyObject

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key)
  }

  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void {
    const cipher = createCipheriv('chacha20-poly1305', this.#key, nonce, { authTagLength: TAG })
    if (aad.length > 0) cipher.setAAD(aad, { plaintextLength: plaintext.length })
    const ciphertext = cipher.update(plaintext)
    cipher.final()
    out.set(ciphertext)
    out.set(cipher.getAuthTag(), ciphertext.length)
  }

  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const length = sealed.length - TAG
    if (length < 0) return undefined
    const decipher = createDecipheriv('chacha20-poly1305', this.#key, nonce, { authTagLength: TAG })
    if (aad.length > 0) decipher.setAAD(aad, { plaintextLength: length })
    decipher.setAuthTag(sealed.subarray(length))
    const plaintext = decipher.update(sealed.subarray(0, length))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return plain(plaintext)
  }
}

class SodiumKey implements AeadKey {
  readonly #sodium: Sodium
  readonly #key: Uint8Array

  constructor(sodium: Sodium, key: Uint8Array) {
    this.#sodium = sodium
    this.#key = new Uint8Array(key)
  }

  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void {
    const ad = aad.length > 0 ? aad : null
    this.#sodium.crypto_aead_chacha20poly1305_ietf_encrypt(out, plaintext, ad, null, nonce, this.#key)
  }

  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out?: Uint8Array): Uint8Array | undefined {
    if (sealed.length < TAG) return undefined
    const plaintext = out ?? plain(Buffer.allocUnsafe(sealed.length - TAG))
    const ad = aad.length > 0 ? aad : null
    try {
      this.#sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plaintext, null, sealed, ad, nonce, this.#key)
    } catch {
      return undefined
    }
    return plaintext
  }
}

export const nodeAead: Aead = { name: 'node', key: key => new NodeKey(key) }

let loaded: Sodium | undefined | false = false

/** undefined where the addon is not installed or does not load; tried at the first call. */
function sodium(): Sodium | undefined {
  if (loaded === false) {
    try {
      loaded = createRequire(import.meta.url)('sodium-native') as Sodium
      new SodiumKey(loaded, new Uint8Array(32)).seal(new Uint8Array(12), noAad, noAad, new Uint8Array(TAG))
    } catch {
      loaded = undefined
    }
  }
  return loaded
}

export function sodiumAead(): Aead | undefined {
  const addon = sodium()
  return addon && { name: 'sodium', key: key => new SodiumKey(addon, key) }
}

const fallback: Aead | undefined = getCipherInfo('chacha20-poly1305') === undefined ? nobleAead : undefined

let chosen: Aead | undefined

/** The fastest there is; chosen at the first call, so that starting does not wait for the addon. */
export function best(): Aead {
  if (chosen === undefined) {
    const long = fallback ?? nodeAead
    const short = sodiumAead()
    chosen = short === undefined ? long : long === nodeAead ? mixedAead(short, long) : short
  }
  return chosen
}
