/**
 * The members of a circle in the order of their ids, each with a number: its place there. Immutable, so that cores
 * of one process may share it; what a core knows of a member lies in arrays by that number.
 *
 * The rings of the view (docs/protocol/presence.md, "Many devices"): every member belongs to one ring on each
 * level. On level 0 that is the ring of all, on level k the ring of those whose first k digits are the same. The
 * digits, of two bits each, are taken from the middle of the key, so that they have nothing to do with the order.
 */
import type { PeerId } from '../crypto/identity.ts'
import { fromBase32 } from '../wire/base32.ts'
import { readU32 } from '../wire/census.ts'

/** Digits begin at this byte of the key. */
const DIGITS = 16
const MAX_LEVELS = 16

export class Members {
  /** In text order. */
  readonly ids: readonly PeerId[]
  readonly keys: readonly Uint8Array[]
  /** How many levels of rings there are: the highest has four members or fewer, as a rule. */
  readonly levels: number
  /** Their numbers in the order of the first eight bytes of their keys. */
  readonly byKey: readonly number[]
  /** These bytes. */
  readonly #high: Uint32Array
  readonly #low: Uint32Array
  /** Of each level but 0: the members of a ring by its digits, in order. */
  readonly #rings: readonly ReadonlyMap<number, Uint32Array>[]

  /** Texts that are no ids, and those that are there twice, are left out. */
  constructor(ids: Iterable<PeerId>) {
    const all = [...new Set(ids)].sort().map(id => ({ id, key: fromBase32(id.slice(3, 55)) }))
    const whole = all.filter(({ key }) => key?.length === 32)
    this.ids = whole.map(({ id }) => id)
    this.keys = whole.map(({ key }) => key!)
    const prefixes = this.keys.map((key, member) => ({ member, high: readU32(key, 0), low: readU32(key, 4) }))
    prefixes.sort((a, b) => a.high - b.high || a.low - b.low)
    this.byKey = prefixes.map(({ member }) => member)
    this.#high = Uint32Array.from(prefixes, ({ high }) => high)
    this.#low = Uint32Array.from(prefixes, ({ low }) => low)
    // two neighbours a level, and never more than the logarithm of the number allows
    this.levels = this.size < 2 ? 1 : 1 + Math.min(MAX_LEVELS, Math.floor(Math.log2(this.size - 1) / 2))
    this.#rings = Array.from({ length: this.levels - 1 }, (_, i) => this.#ringsOf(i + 1))
  }

  get size(): number {
    return this.ids.length
  }

  /** The number of a member, or -1. */
  number(id: PeerId): number {
    const { ids } = this
    let low = 0
    let high = ids.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (ids[middle]! < id) low = middle + 1
      else high = middle
    }
    return ids[low] === id ? low : -1
  }

  /** The member whose key begins with the eight bytes at `offset`, or -1; of several the least. */
  find(bytes: Uint8Array, offset: number): number {
    const [high, low] = [readU32(bytes, offset), readU32(bytes, offset + 4)]
    const place = this.#place(high, low)
    return this.#high[place] === high && this.#low[place] === low ? this.byKey[place]! : -1
  }

  /** The member whose key begins at `offset`, or -1. */
  owner(bytes: Uint8Array, offset: number): number {
    const [high, low] = [readU32(bytes, offset), readU32(bytes, offset + 4)]
    for (let place = this.#place(high, low); this.#high[place] === high; place++) {
      if (this.#low[place] !== low) return -1
      const member = this.byKey[place]!
      const key = this.keys[member]!
      let same = 8
      while (same < 32 && key[same] === bytes[offset + same]) same++
      if (same === 32) return member
    }
    return -1
  }

  /** The same numbers in the order of their keys. */
  inKeyOrder(members: readonly number[]): number[] {
    const { keys } = this
    return [...members].sort(
      (a, b) => readU32(keys[a]!, 0) - readU32(keys[b]!, 0) || readU32(keys[a]!, 4) - readU32(keys[b]!, 4)
    )
  }

  /** Those on a member's ring of a level, itself among them, in order; undefined on level 0: all. */
  ring(member: number, level: number): Uint32Array | undefined {
    return level === 0 ? undefined : this.#rings[level - 1]!.get(digits(this.keys[member]!, level))
  }

  /** The first place whose eight bytes are not less. */
  #place(high: number, low: number): number {
    let from = 0
    let to = this.byKey.length
    while (from < to) {
      const middle = (from + to) >> 1
      const less = this.#high[middle]! - high || this.#low[middle]! - low
      if (less < 0) from = middle + 1
      else to = middle
    }
    return from
  }

  #ringsOf(level: number): ReadonlyMap<number, Uint32Array> {
    const rings = new Map<number, number[]>()
    for (const [member, key] of this.keys.entries()) {
      const name = digits(key, level)
      const ring = rings.get(name)
      if (ring === undefined) rings.set(name, [member])
      else ring.push(member)
    }
    return new Map([...rings].map(([name, ring]) => [name, Uint32Array.from(ring)]))
  }
}

/** The first digits of a key as one number. */
const digits = (key: Uint8Array, count: number): number => readU32(key, DIGITS) >>> (32 - 2 * count)
