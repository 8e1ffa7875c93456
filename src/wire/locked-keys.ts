/**
 * The keys of a circle on a device that was locked, as it keeps them. Big-endian.
 *
 *   locked  u8 1 | u8 n, at least 1 | n × (recipient 32 | u32 length | sealed)
 *   sealed  keys, by HPKE base mode to the recipient's X25519 key
 *           info = "coterie/1 locked keys\0" | gid, aad = Ed25519 key of the device | recipient
 *   keys    u8 1 | u16 n | n × row
 *   row     name of the table | u8 n | n × (name of the column | u8 0 bytes, 1 text, 2 u64 | u32 length | value)
 *   name    u8 length | ASCII
 *
 * A row has the columns that name it in its table, then those that hold keys (host/rows.ts).
 */
import { compare, Reader, Writer } from './bytes.ts'

const VERSION = 1
const utf8 = new TextEncoder()
const domain = utf8.encode('coterie/1 locked keys\0')

export type Kept = Uint8Array | string | number

export interface KeptRow {
  readonly table: string
  readonly columns: readonly (readonly [name: string, value: Kept])[]
}
export interface Sealed {
  readonly recipient: Uint8Array
  readonly sealed: Uint8Array
}

export const lockedInfo = (gid: Uint8Array): Uint8Array => new Writer().bytes(domain).bytes(gid, 32).take()
export const lockedAad = (device: Uint8Array, recipient: Uint8Array): Uint8Array =>
  new Writer().bytes(device, 32).bytes(recipient, 32).take()

export function encodeLocked(all: readonly Sealed[]): Uint8Array {
  const writer = new Writer().uint8(VERSION).uint8(all.length)
  for (const { recipient, sealed } of all) writer.bytes(recipient, 32).uint32(sealed.length).bytes(sealed)
  return writer.take()
}

/** What is sealed to this recipient; undefined: nothing, or the bytes are not what encodeLocked gives. */
export function sealedTo(locked: Uint8Array, recipient: Uint8Array): Uint8Array | undefined {
  const reader = new Reader(locked)
  if (reader.uint8() !== VERSION) return undefined
  let found: Uint8Array | undefined
  for (let n = reader.uint8(); n > 0; n--) {
    const to = reader.bytes(32)
    const length = reader.uint32()
    if (length > reader.rest) return undefined
    const sealed = reader.bytes(length)
    if (compare(to, recipient) === 0) found ??= sealed
  }
  return reader.ended ? found : undefined
}

export function encodeKeys(rows: readonly KeptRow[]): Uint8Array {
  const writer = new Writer().uint8(VERSION).uint16(rows.length)
  for (const { table, columns } of rows) {
    writeName(writer, table)
    writer.uint8(columns.length)
    for (const [name, value] of columns) {
      writeName(writer, name)
      const bytes = bytesOf(value)
      writer.uint8(typeof value === 'number' ? 2 : typeof value === 'string' ? 1 : 0)
      writer.uint32(bytes.length).bytes(bytes)
    }
  }
  return writer.take()
}

/** undefined unless the bytes are what encodeKeys gives. */
export function decodeKeys(bytes: Uint8Array): KeptRow[] | undefined {
  const reader = new Reader(bytes)
  if (reader.uint8() !== VERSION) return undefined
  const rows: KeptRow[] = []
  for (let n = reader.uint16(); n > 0; n--) {
    const table = reader.text(reader.uint8())
    const columns: [string, Kept][] = []
    for (let k = reader.uint8(); k > 0; k--) {
      const name = reader.text(reader.uint8())
      const type = reader.uint8()
      const length = reader.uint32()
      if (length > reader.rest || (type === 2 && length !== 8)) return undefined
      const value = type === 2 ? reader.uint64() : type === 1 ? reader.text(length) : reader.bytes(length)
      if (name === undefined || value === undefined || Number.isNaN(value) || type > 2) return undefined
      columns.push([name, value])
    }
    if (table === undefined) return undefined
    rows.push({ table, columns })
  }
  return reader.ended ? rows : undefined
}

function writeName(writer: Writer, name: string): void {
  const bytes = utf8.encode(name)
  writer.uint8(bytes.length).bytes(bytes)
}

function bytesOf(value: Kept): Uint8Array {
  if (typeof value === 'number') return new Writer().uint64(value).take()
  return typeof value === 'string' ? utf8.encode(value) : value
}
