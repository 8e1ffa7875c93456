/**
 * Hybrid Public Key Encryption (RFC 9180), base mode, one message: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * ChaCha20-Poly1305. It hides, it does not say who sealed: what is carried has a signature of its own.
 * Section numbers are of the RFC.
 */
import { TAG } from './aead.ts'
import { best, bytesOf, type ExchangeKey, hmac } from './provider.ts'

/** Encapsulated key and tag: what sealing adds. */
export const ENCAPSULATED = 32
export const OVERHEAD = ENCAPSULATED + TAG

const version = bytesOf('HPKE-v1')
/** 4.1 and 5.1: "KEM" | kem_id, and "HPKE" | kem_id | kdf_id | aead_id. */
const kemSuite = Uint8Array.of(...bytesOf('KEM'), 0, 0x20)
const suite = Uint8Array.of(...bytesOf('HPKE'), 0, 0x20, 0, 1, 0, 3)
const none = new Uint8Array(0)
const MODE_BASE = 0

/** `ephemeral` is fresh, for this message only. Gives the encapsulated key 32 | ciphertext | tag. */
export function seal(
  ephemeral: ExchangeKey,
  recipient: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array
): Uint8Array {
  const shared = sharedSecret(ephemeral.dh(recipient), ephemeral.publicKey, recipient)
  const { key, nonce } = schedule(shared, info)
  const sealed = new Uint8Array(OVERHEAD + text.length)
  sealed.set(ephemeral.publicKey)
  best().key(key).seal(nonce, aad, text, sealed.subarray(ENCAPSULATED))
  return sealed
}

/** undefined when it is not for this recipient, or not authentic. */
export function open(
  recipient: ExchangeKey,
  info: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array
): Uint8Array | undefined {
  if (sealed.length < OVERHEAD) return undefined
  const encapsulated = sealed.subarray(0, ENCAPSULATED)
  const exchanged = exchange(recipient, encapsulated)
  if (exchanged === undefined) return undefined
  const { key, nonce } = schedule(sharedSecret(exchanged, encapsulated, recipient.publicKey), info)
  return best().key(key).open(nonce, aad, sealed.subarray(ENCAPSULATED))
}

/** undefined for a key of small order, which must be refused (7.1.4). */
function exchange(recipient: ExchangeKey, encapsulated: Uint8Array): Uint8Array | undefined {
  try {
    return recipient.dh(encapsulated)
  } catch {
    return undefined
  }
}

/** 4.1 ExtractAndExpand. */
function sharedSecret(dh: Uint8Array, encapsulated: Uint8Array, recipient: Uint8Array): Uint8Array {
  const extracted = labeledExtract(kemSuite, none, 'eae_prk', dh)
  return labeledExpand(kemSuite, extracted, 'shared_secret', [encapsulated, recipient], 32)
}

/** 5.1 KeySchedule, base mode: the key, and the nonce of the first message. */
function schedule(shared: Uint8Array, info: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const context = [
    Uint8Array.of(MODE_BASE),
    labeledExtract(suite, none, 'psk_id_hash', none),
    labeledExtract(suite, none, 'info_hash', info)
  ]
  const secret = labeledExtract(suite, shared, 'secret', none)
  return {
    key: labeledExpand(suite, secret, 'key', context, 32),
    nonce: labeledExpand(suite, secret, 'base_nonce', context, 12)
  }
}

/** 4: HKDF-Extract is one HMAC under the salt; an empty salt is 32 zeros, which HMAC makes of it anyway. */
function labeledExtract(suiteId: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return hmac(salt, version, suiteId, bytesOf(label), ikm)
}

/** 4: at most 32 bytes, so HKDF-Expand is one HMAC too. */
function labeledExpand(
  suiteId: Uint8Array,
  key: Uint8Array,
  label: string,
  info: readonly Uint8Array[],
  length: number
): Uint8Array {
  const block = hmac(
    key,
    Uint8Array.of(0, length),
    version,
    suiteId,
    bytesOf(label),
    ...info,
    Uint8Array.of(1)
  )
  return block.subarray(0, length)
}
