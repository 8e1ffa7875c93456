/** Bytes that are nearly right. */
import type { Dice } from '../circle/dice.ts'

export function randomBytes(dice: Dice, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => dice.nat(256))
}

/** One to four changes: what was sent cut, lengthened, doubled, with other bytes and counts in it. */
export function mutated(dice: Dice, bytes: Uint8Array): Uint8Array {
  let changed: Uint8Array = bytes.slice()
  for (let n = dice.between(1, 4); n > 0; n--) changed = change(dice, changed)
  return changed
}

const EDGES = [0, 1, 2, 4, 11, 12, 16, 17, 32, 33, 64, 65, 127, 128, 129, 254, 255]

function change(dice: Dice, bytes: Uint8Array): Uint8Array {
  const at = dice.nat(bytes.length)
  const upTo = Math.min(bytes.length, at + dice.between(1, 40))
  switch (dice.among({ flip: 4, set: 4, cut: 1, drop: 1, insert: 1, double: 1, swap: 1 })) {
    case 'flip':
      if (bytes.length > 0) bytes[at]! ^= 1 << dice.nat(8)
      return bytes
    case 'set':
      if (bytes.length > 0) bytes[at] = dice.chance(0.7) ? dice.pick(EDGES) : dice.nat(256)
      return bytes
    case 'cut':
      return bytes.slice(0, at)
    case 'drop':
      return joined(bytes.subarray(0, at), bytes.subarray(upTo))
    case 'insert':
      return joined(bytes.subarray(0, at), randomBytes(dice, dice.between(1, 40)), bytes.subarray(at))
    case 'double':
      return joined(bytes.subarray(0, upTo), bytes.subarray(at))
    case 'swap': {
      const other = dice.nat(bytes.length + 1)
      return joined(bytes.subarray(other), bytes.subarray(0, other))
    }
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** One character a byte, as far as it goes. */
export const latin = (text: string): Uint8Array => Uint8Array.from(text, c => c.charCodeAt(0) & 255)
export const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

/** An error of this class is a refusal. */
export function unless<T>(refusal: abstract new (...args: never[]) => Error, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof refusal) return undefined
    throw error
  }
}
