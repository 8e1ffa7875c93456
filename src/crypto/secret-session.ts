/**
 * How secrets travel to and from the Secret Service: `dh-ietf1024-sha256-aes128-cbc-pkcs7` of its specification
 * (specifications.freedesktop.org/secret-service, "Transfer of Secrets").
 *
 *   public key   2^x mod p, 128 bytes big-endian; p: Second Oakley Group of RFC 2409, 6.2
 *   key          HKDF-SHA-256(shared secret, 128 bytes; no salt; no info), 16 bytes
 *   secret       AES-128-CBC with PKCS#7 padding, a fresh iv of 16 bytes beside it
 *
 * It keeps secrets from who records the bus, and from nobody who can answer in the service's name.
 */
import { hex, unhex } from '../wire/bytes.ts'
import { hkdf, openCbc, sealCbc } from './provider.ts'

export const SECRET_SESSION = 'dh-ietf1024-sha256-aes128-cbc-pkcs7'
/** Random bytes that a session is made of. */
export const SECRET_SESSION_SEED = 32

const LENGTH = 128
const P = BigInt(
  `0x${'ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74'}${'020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437'}${'4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed'}${'ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff'}`
)

export interface SecretSession {
  /** 128 bytes, for the other side. */
  readonly publicKey: Uint8Array
  /** Undefined when the other side's public key is none. */
  agree(publicKey: Uint8Array): SecretSessionKey | undefined
}
export interface SecretSessionKey {
  /** `iv`: 16 random bytes, used once. */
  seal(iv: Uint8Array, secret: Uint8Array): Uint8Array
  /** Undefined when it cannot be opened. */
  open(iv: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

/** From SECRET_SESSION_SEED random bytes, which are used for nothing else. */
export function secretSession(seed: Uint8Array): SecretSession {
  if (seed.length !== SECRET_SESSION_SEED)
    throw new RangeError(`a session is made of ${SECRET_SESSION_SEED} bytes, not ${seed.length}`)
  const x = number(seed)
  return {
    publicKey: bytes(power(2n, x)),
    agree(publicKey) {
      const theirs = number(publicKey)
      if (publicKey.length > LENGTH || theirs < 2n || theirs > P - 2n) return undefined
      const key = hkdf(bytes(power(theirs, x)), new Uint8Array(0), new Uint8Array(0), 16)
      return {
        seal: (iv, secret) => sealCbc(key, iv, secret),
        open: (iv, sealed) => openCbc(key, iv, sealed)
      }
    }
  }
}

/** Not in constant time: the exponent serves one exchange with a program of the same user. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = base % P
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P
    square = (square * square) % P
  }
  return result
}

const number = (big: Uint8Array): bigint => BigInt(`0x0${hex(big)}`)
const bytes = (value: bigint): Uint8Array => unhex(value.toString(16).padStart(LENGTH * 2, '0'))
