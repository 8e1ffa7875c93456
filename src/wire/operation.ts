/**
 * Operations of the membership log. Big-endian.
 *
 *   operation  u8 1 | u8 kind | gid 32 | author 32 | u64 wall_ms | u8 nprev | prev 32 × nprev
 *              | u16 blen | body | signature 64
 *   id         SHA-256("coterie/1 opid\0" | all but the signature); a circle's gid is the id of its genesis
 *   signature  Ed25519 of the author over "coterie/1 op\0" | id
 *
 *   0 genesis  recovery key 32 | recovery static 32 | static 32 | nonce 16 | name | name of the circle
 *   1 add      target 32 | u8 level | u8 flags | u64 expires_ms | static 32 | static_sig 64 | u32 suites | name
 *              flags: bit 0 guest. expires_ms 0 = never; only guests (level 10) expire.
 *              static_sig: of the target over "coterie/1 static\0" | gid | target | static | u32 0
 *   2 remove   target 32 | u8 flags | u8 ncut | cut 32 × ncut
 *              flags: bit 0 lost, bit 1 cut given (without it ncut is 0). A cut of no heads trusts nothing.
 *   3 rekey    static 32 | u32 serial, at least 1
 *   4 name     u32 serial, at least 1 | name
 *   name       u8 length | UTF-8, 1 to 64 bytes, no control characters
 *
 * Keys are Ed25519 (author, target, recovery) and X25519 (statics). A genesis has gid 0 and no prev, all others
 * 1 to 16; prev and cut ascend strictly. wall_ms is for people: no decision uses it. A genesis or rekey needs no
 * static_sig: its own signature is by the same key and covers the same. The place of an operation among its
 * author's is not written: it is 1 + the greatest of those in its past (circle/resolver.ts).
 *
 * At most 4,096 bytes. Whatever is not exactly this is no operation.
 */
import { compare, Reader, Writer } from './bytes.ts'

export const MAX_OPERATION = 4096
export const MAX_PREV = 16
export const MAX_CUT = 32
export const MAX_NAME = 64
export const GUEST_LEVEL = 10
/** That of a relay. */
export const GREATEST_LEVEL = 11
const SIGNATURE = 64
const utf8 = new TextEncoder()
const VERSION = 1
const kinds = ['genesis', 'add', 'remove', 'rekey', 'name'] as const
export type Kind = (typeof kinds)[number]

export interface Genesis {
  readonly kind: 'genesis'
  readonly recovery: Uint8Array
  readonly recoveryStatic: Uint8Array
  readonly static: Uint8Array
  /** 16 bytes. */
  readonly nonce: Uint8Array
  readonly name: string
  readonly circle: string
}
export interface Add {
  readonly kind: 'add'
  readonly target: Uint8Array
  /** 1 to 11. */
  readonly level: number
  readonly guest: boolean
  /** 0 = never. */
  readonly expiresMs: number
  readonly static: Uint8Array
  readonly staticSignature: Uint8Array
  readonly suites: number
  readonly name: string
}
export interface Remove {
  readonly kind: 'remove'
  readonly target: Uint8Array
  readonly lost: boolean
  /** Heads up to which the target is trusted; undefined: as far as the author had seen. */
  readonly cut: readonly Uint8Array[] | undefined
}
export interface Rekey {
  readonly kind: 'rekey'
  readonly static: Uint8Array
  readonly serial: number
}
export interface Name {
  readonly kind: 'name'
  readonly serial: number
  readonly name: string
}
export type Body = Genesis | Add | Remove | Rekey | Name

export interface Operation {
  readonly gid: Uint8Array
  readonly author: Uint8Array
  readonly wallMs: number
  readonly prev: readonly Uint8Array[]
  readonly body: Body
  /** All but the signature, as received. */
  readonly unsigned: Uint8Array
  readonly signature: Uint8Array
}

/** A text that may be the name of a device or circle. */
export function isName(name: string): boolean {
  const { length } = utf8.encode(name)
  return length >= 1 && length <= MAX_NAME && name.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(name)
}

/** All but the signature. Throws RangeError on what could not be read again. */
export function encodeUnsigned(o: Omit<Operation, 'unsigned' | 'signature'>): Uint8Array {
  const body = encodeBody(o.body)
  const writer = new Writer()
    .uint8(VERSION)
    .uint8(kinds.indexOf(o.body.kind))
    .bytes(o.gid, 32)
    .bytes(o.author, 32)
    .uint64(o.wallMs)
    .uint8(o.prev.length)
  for (const id of [...o.prev].sort(compare)) writer.bytes(id, 32)
  const unsigned = writer.uint16(body.length).bytes(body).take()
  if (decodeOperation(signedOperation(unsigned, new Uint8Array(SIGNATURE))) === undefined)
    throw new RangeError(`no operation of kind ${o.body.kind} may be like that`)
  return unsigned
}

export const signedOperation = (unsigned: Uint8Array, signature: Uint8Array): Uint8Array =>
  new Writer().bytes(unsigned).bytes(signature, SIGNATURE).take()

/** undefined unless the bytes are exactly one operation. The signature is not checked here. */
export function decodeOperation(bytes: Uint8Array): Operation | undefined {
  if (bytes.length > MAX_OPERATION || bytes[0] !== VERSION) return undefined
  const reader = new Reader(bytes)
  reader.uint8()
  const kind = kinds[reader.uint8()]
  const gid = reader.bytes(32)
  const author = reader.bytes(32)
  const wallMs = reader.uint64()
  const nprev = reader.uint8()
  const prev = nprev <= MAX_PREV ? reader.ascending(nprev) : undefined
  const length = reader.uint16()
  if (kind === undefined || prev === undefined || Number.isNaN(wallMs)) return undefined
  if (length !== reader.rest - SIGNATURE) return undefined
  const genesis = kind === 'genesis'
  if (genesis !== (nprev === 0) || genesis !== gid.every(byte => byte === 0)) return undefined
  const body = decodeBody(kind, reader.bytes(length))
  if (body === undefined) return undefined
  const unsigned = bytes.slice(0, bytes.length - SIGNATURE)
  return { gid, author, wallMs, prev, body, unsigned, signature: reader.bytes(SIGNATURE) }
}

function encodeBody(body: Body): Uint8Array {
  const writer = new Writer()
  switch (body.kind) {
    case 'genesis':
      writer.bytes(body.recovery, 32).bytes(body.recoveryStatic, 32).bytes(body.static, 32)
      writer.bytes(body.nonce, 16)
      writeName(writer, body.name)
      writeName(writer, body.circle)
      break
    case 'add':
      writer.bytes(body.target, 32).uint8(body.level)
      writer.uint8(body.guest ? 1 : 0).uint64(body.expiresMs)
      writer.bytes(body.static, 32).bytes(body.staticSignature, 64).uint32(body.suites)
      writeName(writer, body.name)
      break
    case 'remove': {
      const cut = [...(body.cut ?? [])].sort(compare)
      writer.bytes(body.target, 32).uint8((body.lost ? 1 : 0) | (body.cut ? 2 : 0))
      writer.uint8(cut.length)
      for (const id of cut) writer.bytes(id, 32)
      break
    }
    case 'rekey':
      writer.bytes(body.static, 32).uint32(body.serial)
      break
    case 'name':
      writer.uint32(body.serial)
      writeName(writer, body.name)
  }
  return writer.take()
}

function decodeBody(kind: Kind, bytes: Uint8Array): Body | undefined {
  const reader = new Reader(bytes)
  const body = readBody(kind, reader)
  return reader.ended ? body : undefined
}

function readBody(kind: Kind, reader: Reader): Body | undefined {
  switch (kind) {
    case 'genesis': {
      const recovery = reader.bytes(32)
      const recoveryStatic = reader.bytes(32)
      const key = reader.bytes(32)
      const nonce = reader.bytes(16)
      const name = readName(reader)
      const circle = readName(reader)
      if (name === undefined || circle === undefined) return undefined
      return { kind, recovery, recoveryStatic, static: key, nonce, name, circle }
    }
    case 'add': {
      const target = reader.bytes(32)
      const level = reader.uint8()
      const flags = reader.uint8()
      const expiresMs = reader.uint64()
      const key = reader.bytes(32)
      const staticSignature = reader.bytes(64)
      const suites = reader.uint32()
      const name = readName(reader)
      const guest = flags === 1
      if (name === undefined || level < 1 || level > GREATEST_LEVEL || flags > 1 || Number.isNaN(expiresMs))
        return undefined
      if (guest ? level !== GUEST_LEVEL : expiresMs !== 0) return undefined
      return { kind, target, level, guest, expiresMs, static: key, staticSignature, suites, name }
    }
    case 'remove': {
      const target = reader.bytes(32)
      const flags = reader.uint8()
      const n = reader.uint8()
      const given = (flags & 2) !== 0
      const cut = n <= MAX_CUT ? reader.ascending(n) : undefined
      if (cut === undefined || flags > 3 || (!given && n > 0)) return undefined
      return { kind, target, lost: (flags & 1) !== 0, cut: given ? cut : undefined }
    }
    case 'rekey': {
      const key = reader.bytes(32)
      const serial = reader.uint32()
      return serial === 0 ? undefined : { kind, static: key, serial }
    }
    case 'name': {
      const serial = reader.uint32()
      const name = readName(reader)
      return serial === 0 || name === undefined ? undefined : { kind, serial, name }
    }
  }
}

/** u8 length, then the name. Throws RangeError on what may not be one. */
export function writeName(writer: Writer, name: string): void {
  if (!isName(name)) throw new RangeError(`a name has 1 to ${MAX_NAME} bytes and no control characters`)
  const bytes = utf8.encode(name)
  writer.uint8(bytes.length).bytes(bytes)
}

export function readName(reader: Reader): string | undefined {
  const name = reader.text(reader.uint8())
  return name !== undefined && isName(name) ? name : undefined
}
