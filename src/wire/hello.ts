/**
 * What the two messages of a handshake carry inside their encryption.
 *
 *   hello     in message 1 of a member
 *             u8 pmin | u8 pmax | boot_id 16 | log_head 32 | u32 features | u8 nops | {u16 len | op}… | pad
 *   request   in message 1 of one who joins by ticket
 *             u8 pmin | u8 pmax | boot_id 16 | u32 features | key 32 | static_sig 64 | u32 suites
 *             | u8 len | name | pad
 *   answer    in message 2
 *             u8 version | boot_id 16 | log_head 32 | u32 features | u8 result | pad
 *   pad       u8 padlen | padlen zeros, up to the next multiple of 64
 *
 * Big-endian. At most 4 operations, 1,920 bytes in all. Exactly what these functions write is read.
 */
export const HELLO_LIMIT = 1920
export const OPERATIONS_LIMIT = 4
export const NAME_LIMIT = 64
const block = 64

/** Protocol versions spoken, features offered (none defined yet). */
export interface Hello {
  readonly versions: { readonly least: number; readonly greatest: number }
  /** 16 bytes, random at each start of the daemon. */
  readonly bootId: Uint8Array
  /** 32 bytes. */
  readonly logHead: Uint8Array
  readonly features: number
  /** Membership operations the other may not know. */
  readonly operations: readonly Uint8Array[]
}

export interface Request {
  readonly versions: { readonly least: number; readonly greatest: number }
  readonly bootId: Uint8Array
  readonly features: number
  /** The Ed25519 key of the device, 32 bytes. */
  readonly key: Uint8Array
  /** Binds the handshake's static key to it, 64 bytes. */
  readonly signature: Uint8Array
  readonly suites: number
  /** At most 64 bytes of UTF-8. */
  readonly name: string
}

/** What became of a request; ok for members. The numbers are protocol: only append. */
export const results = ['ok', 'expired', 'used', 'refused'] as const
export type Result = (typeof results)[number]

export interface Answer {
  readonly version: number
  readonly bootId: Uint8Array
  readonly logHead: Uint8Array
  readonly features: number
  readonly result: Result
}

/** Operations that would pass the limit are left out, the last first. */
export function encodeHello(hello: Hello): Uint8Array {
  const operations: Uint8Array[] = []
  let length = 55
  for (const operation of hello.operations.slice(0, OPERATIONS_LIMIT)) {
    length += 2 + operation.length
    if (length >= HELLO_LIMIT) break
    operations.push(operation)
  }
  const writer = new Writer()
  writer.uint8(hello.versions.least)
  writer.uint8(hello.versions.greatest)
  writer.bytes(hello.bootId, 16)
  writer.bytes(hello.logHead, 32)
  writer.uint32(hello.features)
  writer.uint8(operations.length)
  for (const operation of operations) {
    writer.uint16(operation.length)
    writer.bytes(operation, operation.length)
  }
  return writer.padded()
}

export function decodeHello(bytes: Uint8Array): Hello | undefined {
  const reader = new Reader(bytes)
  const versions = { least: reader.uint8(), greatest: reader.uint8() }
  const bootId = reader.bytes(16)
  const logHead = reader.bytes(32)
  const features = reader.uint32()
  const count = reader.uint8()
  if (count > OPERATIONS_LIMIT) return undefined
  const operations: Uint8Array[] = []
  for (let index = 0; index < count; index++) operations.push(reader.bytes(reader.uint16()))
  return reader.padded() ? { versions, bootId, logHead, features, operations } : undefined
}

/** Throws RangeError when the name is too long. */
export function encodeRequest(request: Request): Uint8Array {
  const name = new TextEncoder().encode(request.name)
  if (name.length > NAME_LIMIT) throw new RangeError(`a name has at most ${NAME_LIMIT} bytes`)
  const writer = new Writer()
  writer.uint8(request.versions.least)
  writer.uint8(request.versions.greatest)
  writer.bytes(request.bootId, 16)
  writer.uint32(request.features)
  writer.bytes(request.key, 32)
  writer.bytes(request.signature, 64)
  writer.uint32(request.suites)
  writer.uint8(name.length)
  writer.bytes(name, name.length)
  return writer.padded()
}

export function decodeRequest(bytes: Uint8Array): Request | undefined {
  const reader = new Reader(bytes)
  const versions = { least: reader.uint8(), greatest: reader.uint8() }
  const bootId = reader.bytes(16)
  const features = reader.uint32()
  const key = reader.bytes(32)
  const signature = reader.bytes(64)
  const suites = reader.uint32()
  const length = reader.uint8()
  const name = length <= NAME_LIMIT ? textOf(reader.bytes(length)) : undefined
  if (name === undefined || !reader.padded()) return undefined
  return { versions, bootId, features, key, signature, suites, name }
}

export function encodeAnswer(answer: Answer): Uint8Array {
  const writer = new Writer()
  writer.uint8(answer.version)
  writer.bytes(answer.bootId, 16)
  writer.bytes(answer.logHead, 32)
  writer.uint32(answer.features)
  writer.uint8(results.indexOf(answer.result))
  return writer.padded()
}

export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const reader = new Reader(bytes)
  const version = reader.uint8()
  const bootId = reader.bytes(16)
  const logHead = reader.bytes(32)
  const features = reader.uint32()
  const result = results[reader.uint8()]
  return reader.padded() && result ? { version, bootId, logHead, features, result } : undefined
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

class Writer {
  readonly #bytes = new Uint8Array(HELLO_LIMIT)
  readonly #view = new DataView(this.#bytes.buffer)
  #at = 0

  uint8(value: number): void {
    this.#view.setUint8(this.#at, value)
    this.#at += 1
  }

  uint16(value: number): void {
    this.#view.setUint16(this.#at, value)
    this.#at += 2
  }

  uint32(value: number): void {
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  bytes(value: Uint8Array, length: number): void {
    if (value.length !== length) throw new RangeError(`${length} bytes expected, not ${value.length}`)
    this.#bytes.set(value, this.#at)
    this.#at += length
  }

  padded(): Uint8Array {
    const end = Math.ceil((this.#at + 1) / block) * block
    this.uint8(end - this.#at - 1)
    return this.#bytes.slice(0, end)
  }
}

/** Reading past the end gives zeros and makes `padded` false. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
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

  bytes(length: number): Uint8Array {
    const at = this.#advance(length)
    return at < 0 ? new Uint8Array(0) : this.#bytes.slice(at, at + length)
  }

  /** Only correct padding is left, and of zeros. */
  padded(): boolean {
    const { length } = this.#bytes
    const padding = this.uint8()
    if (this.#at + padding !== length || length % block !== 0 || padding >= block) return false
    return this.#bytes.subarray(this.#at).every(byte => byte === 0)
  }

  #advance(length: number): number {
    const at = this.#at
    this.#at += length
    return this.#at <= this.#bytes.length ? at : -1
  }
}
