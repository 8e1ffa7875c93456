/** Reading and writing of formats, big-endian. */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** No bytes. The same each time: each buffer of its own costs the garbage collector something. */
export const EMPTY: Uint8Array = new Uint8Array()

/** Grows as needed. */
export class Writer {
  #bytes = new Uint8Array(256)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  get length(): number {
    return this.#at
  }
  uint8(value: number): this {
    const at = this.#room(1)
    this.#view.setUint8(at, value)
    return this
  }
  uint16(value: number): this {
    const at = this.#room(2)
    this.#view.setUint16(at, value)
    return this
  }
  uint32(value: number): this {
    const at = this.#room(4)
    this.#view.setUint32(at, value)
    return this
  }
  /** A whole number up to 2^53 - 1. */
  uint64(value: number): this {
    const at = this.#room(8)
    this.#view.setBigUint64(at, BigInt(value))
    return this
  }
  /** Throws RangeError unless the value has that length. */
  bytes(value: Uint8Array, length: number = value.length): this {
    if (value.length !== length) throw new RangeError(`${length} bytes expected, not ${value.length}`)
    const at = this.#room(length)
    this.#bytes.set(value, at)
    return this
  }
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#at)
  }

  /** Where the next bytes go. It may replace the memory, so it is asked for before the memory is touched. */
  #room(length: number): number {
    const at = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }
}

/** Reading past the end gives zeros and makes `ended` false. What it gives out is copied. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** All was read, and no more. */
  get ended(): boolean {
    return this.#at === this.#bytes.length
  }
  get rest(): number {
    return Math.max(0, this.#bytes.length - this.#at)
  }
  uint8(): number {
    const at = this.#advance(1)
    return at < 0 ? 0 : this.#view.getUint8(at)
  }
  uint16(): number {
    const at = this.#advance(2)
    return at < 0 ? 0 : this.#view.getUint16(at)
  }
  uint32(): number {
    const at = this.#advance(4)
    return at < 0 ? 0 : this.#view.getUint32(at)
  }
  /** NaN above 2^53 - 1. */
  uint64(): number {
    const at = this.#advance(8)
    const value = at < 0 ? 0 : Number(this.#view.getBigUint64(at))
    return Number.isSafeInteger(value) ? value : Number.NaN
  }
  bytes(length: number): Uint8Array {
    const at = this.#advance(length)
    if (length === 0) return EMPTY
    return at < 0 ? new Uint8Array(length) : this.#bytes.slice(at, at + length)
  }
  /** n times 32 bytes; undefined unless strictly ascending. */
  ascending(n: number): Uint8Array[] | undefined {
    const ids: Uint8Array[] = []
    for (let i = 0; i < n; i++) {
      const id = this.bytes(32)
      if (i > 0 && compare(ids[i - 1]!, id) >= 0) return undefined
      ids.push(id)
    }
    return ids
  }
  /** UTF-8 of `length` bytes; undefined when it is none. */
  text(length: number): string | undefined {
    try {
      return utf8.decode(this.bytes(length))
    } catch {
      return undefined
    }
  }

  #advance(length: number): number {
    const at = this.#at
    this.#at += length
    return this.#at <= this.#bytes.length ? at : -1
  }
}

/** Order of bytes; a prefix comes first. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

const digits = '0123456789abcdef'
const pairs = Array.from({ length: 256 }, (_, byte) => digits[byte >> 4]! + digits[byte & 15]!)

/** Lower-case hexadecimal: ids and keys as keys of maps. */
export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += pairs[byte]
  return text
}

export function unhex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(i * 2, i * 2 + 2), 16)
  return bytes
}
