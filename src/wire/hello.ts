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
import { Reader, Writer } from './bytes.ts'

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
  return padded(writer)
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
  return endsPadded(reader, bytes.length) ? { versions, bootId, logHead, features, operations } : undefined
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
  return padded(writer)
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
  const name = length <= NAME_LIMIT ? reader.text(length) : undefined
  if (name === undefined || !endsPadded(reader, bytes.length)) return undefined
  return { versions, bootId, features, key, signature, suites, name }
}

export function encodeAnswer(answer: Answer): Uint8Array {
  const writer = new Writer()
  writer.uint8(answer.version)
  writer.bytes(answer.bootId, 16)
  writer.bytes(answer.logHead, 32)
  writer.uint32(answer.features)
  writer.uint8(results.indexOf(answer.result))
  return padded(writer)
}

export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const reader = new Reader(bytes)
  const version = reader.uint8()
  const bootId = reader.bytes(16)
  const logHead = reader.bytes(32)
  const features = reader.uint32()
  const result = results[reader.uint8()]
  return endsPadded(reader, bytes.length) && result
    ? { version, bootId, logHead, features, result }
    : undefined
}

function padded(writer: Writer): Uint8Array {
  const padding = block - 1 - (writer.length % block)
  return writer.uint8(padding).bytes(new Uint8Array(padding)).take()
}

/** Only correct padding is left, and of zeros; `length` is that of all. */
function endsPadded(reader: Reader, length: number): boolean {
  const padding = reader.uint8()
  if (padding !== reader.rest || length % block !== 0 || padding >= block) return false
  return reader.bytes(padding).every(byte => byte === 0) && reader.ended
}
