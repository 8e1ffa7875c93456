/**
 * The recovery code: 160 random bits that stand for level 0 of a circle. Written as 8 groups of 4 Crockford
 * characters and a ninth group, which checks them:
 *
 *   check   first 20 bits of SHA-256("coterie/1 recovery check\0" | the 20 bytes)
 *   keys    HKDF-SHA-256 of the 20 bytes without salt: the Ed25519 seed with info "coterie/1 recovery", the
 *           X25519 secret with info "coterie/1 recovery static"
 */
import { canonicalCrockford, fromCrockford, toCrockford } from '../wire/crockford.ts'
import { bytesOf, hash, hkdf } from './provider.ts'

export const RECOVERY_BYTES = 20
const CHARACTERS = 32
const CHECK = 4
const none = new Uint8Array(0)

/** The text is no recovery code. The message says what is wrong with it. */
export class RecoveryError extends Error {
  override name = 'RecoveryError'
}

export interface RecoveryKeys {
  readonly seed: Uint8Array
  readonly secret: Uint8Array
}

/** `bytes`: 20 random ones. */
export function recoveryCode(bytes: Uint8Array): string {
  if (bytes.length !== RECOVERY_BYTES) throw new RangeError(`${RECOVERY_BYTES} bytes expected`)
  return (toCrockford(bytes) + check(bytes)).match(/.{4}/g)!.join('-')
}

/** Reads what a person typed: case, dashes and spaces do not matter, I and L are 1, O is 0. */
export function readRecoveryCode(text: string): Uint8Array {
  const characters = canonicalCrockford(text)
  if (characters === undefined)
    throw new RecoveryError(
      'the recovery code has characters that no code has; only digits and letters but U'
    )
  const missing = CHARACTERS + CHECK - characters.length
  if (missing !== 0)
    throw new RecoveryError(
      `the recovery code has 9 groups of 4 characters; this one is ${Math.abs(missing)} characters too ${missing > 0 ? 'short' : 'long'}`
    )
  const bytes = fromCrockford(characters.slice(0, CHARACTERS))!
  if (check(bytes) !== characters.slice(CHARACTERS))
    throw new RecoveryError('the recovery code is mistyped somewhere: its last group does not fit the others')
  return bytes
}

export function recoveryKeys(bytes: Uint8Array): RecoveryKeys {
  return {
    seed: hkdf(bytes, none, bytesOf('coterie/1 recovery'), 32),
    secret: hkdf(bytes, none, bytesOf('coterie/1 recovery static'), 32)
  }
}

const check = (bytes: Uint8Array): string =>
  toCrockford(hash(bytesOf('coterie/1 recovery check\0'), bytes).subarray(0, 3)).slice(0, CHECK)
