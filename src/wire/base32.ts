/**
 * Base32 (RFC 4648 section 6) in lower case without padding: groups of 5 bits, most significant first; the
 * unused low bits of the last character are zero. A text has one value and a value one text.
 */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const values = valuesOf(alphabet)

export function toBase32(bytes: Uint8Array): string {
  return encodeGroups(bytes, alphabet)
}

/** undefined: a foreign character, an impossible length, or bits set where zeros belong. */
export function fromBase32(text: string): Uint8Array | undefined {
  return decodeGroups(text, values)
}

export function valuesOf(characters: string): ReadonlyMap<string, number> {
  return new Map([...characters].map((character, value) => [character, value]))
}

export function encodeGroups(bytes: Uint8Array, characters: string): string {
  let text = ''
  let bits = 0
  let rest = 0
  for (const byte of bytes) {
    rest = (rest << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += characters[(rest >>> bits) & 31]
    }
    rest &= 31
  }
  return bits === 0 ? text : text + characters[(rest << (5 - bits)) & 31]
}

export function decodeGroups(text: string, groups: ReadonlyMap<string, number>): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8))
  let bits = 0
  let rest = 0
  let length = 0
  for (const character of text) {
    const value = groups.get(character)
    if (value === undefined) return undefined
    rest = (rest << 5) | value
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[length++] = rest >>> bits
    }
    rest &= 0xff >>> (8 - bits)
  }
  return bits < 5 && rest === 0 ? bytes : undefined
}
