/**
 * Crockford's base32, for codes people read out and type: groups of 5 bits, most significant first, in upper
 * case without I, L, O and U. Reading is lenient: case, dashes and spaces do not matter, I and L are 1, O is 0.
 */
import { decodeGroups, encodeGroups, valuesOf } from './base32.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const values = valuesOf(alphabet)

export function toCrockford(bytes: Uint8Array): string {
  return encodeGroups(bytes, alphabet)
}

/** The text as toCrockford would write it, whatever the typing; undefined when a character has no value. */
export function canonicalCrockford(text: string): string | undefined {
  const canonical = text.replace(/[-\s]/g, '').toUpperCase().replace(/[IL]/g, '1').replace(/O/g, '0')
  return /^[0-9A-HJKMNP-TV-Z]*$/.test(canonical) ? canonical : undefined
}

/** undefined: no such character, an impossible length, or bits set where zeros belong. */
export function fromCrockford(text: string): Uint8Array | undefined {
  const canonical = canonicalCrockford(text)
  return canonical === undefined ? undefined : decodeGroups(canonical, values)
}
