/**
 * The code that a person reads on one device and types on another: 40 random bits as 8 Crockford characters,
 * shown `K7QF-2M9X`. Nothing that is sent derives from it but through CPace, where the secret (PRS) is the 8
 * characters in ASCII upper case without the dash.
 */
import { canonicalCrockford, toCrockford } from '../wire/crockford.ts'
import { bytesOf } from './provider.ts'

export const CODE_BYTES = 5
const CHARACTERS = 8
const HALF = 4

/** The text is no code. The message is for people. */
export class JoinCodeError extends Error {
  override name = 'JoinCodeError'
}

/** As it is shown; `bytes`: 5 random ones. */
export function joinCode(bytes: Uint8Array): string {
  if (bytes.length !== CODE_BYTES) throw new RangeError(`${CODE_BYTES} bytes expected`)
  const characters = toCrockford(bytes)
  return `${characters.slice(0, HALF)}-${characters.slice(HALF)}`
}

/**
 * The PRS of what a person typed: case, dashes and spaces do not matter, I and L are 1, O is 0. Throws
 * JoinCodeError.
 */
export function readJoinCode(text: string): Uint8Array {
  const characters = canonicalCrockford(text)
  if (characters === undefined) {
    const foreign = [...text].find(character => canonicalCrockford(character) === undefined)!
    throw new JoinCodeError(
      `this is no code: a code has 8 letters and digits, such as K7QF-2M9X, and never ${JSON.stringify(foreign)}`
    )
  }
  if (characters.length !== CHARACTERS) {
    const how = characters.length < CHARACTERS ? 'short' : 'long'
    const by = Math.abs(CHARACTERS - characters.length)
    throw new JoinCodeError(
      `the code is ${by} ${by === 1 ? 'character' : 'characters'} too ${how}: it has 8 letters and digits, such as K7QF-2M9X`
    )
  }
  return bytesOf(characters)
}
