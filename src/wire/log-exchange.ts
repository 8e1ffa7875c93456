/**
 * Log frames: how two devices bring their membership logs to one state. Big-endian.
 *
 *   body   u8 type | u32 round | …
 *
 *   1 greet       u16 n | head 32 × n | u8 m | id 32 × m
 *                 operations no other has seen, and some older ones (the last but 1, 2, 4, 8, …). Who reads it
 *                 sends whatever is neither one of these nor in the past of one it knows. n ≤ 1,024, m ≤ 32
 *   2 operations  {u16 length | operation}…     at least one; parents before children; at most 65,000 bytes
 *   3 wants       id 32 × n                     parents that are missing; 1 ≤ n ≤ 64
 *   4 wrap        an epoch wrap of the discovery key (wrap.ts)
 *   5 state       u32 received | digest 32      answers the frames of that round of the receiver of this
 *
 * A round begins with each greet and its number with 1; the frames of a round but `state` are counted, the
 * greet first. `received` is how many of them are done with: stored, known, or refused. Both sides greet on a
 * new session. Who has a state that counts all it sent knows that everything the other had has come before it.
 * digest = SHA-256("coterie/1 heads\0" | heads ascending).
 */
import { Reader, Writer } from './bytes.ts'
import { MAX_OPERATION } from './operation.ts'

export const MAX_BODY = 65_000
export const MAX_HEADS = 1024
export const MAX_LOCATOR = 32
export const MAX_WANTS = 64

export type LogFrame =
  | { type: 'greet'; round: number; heads: readonly Uint8Array[]; locator: readonly Uint8Array[] }
  | { type: 'operations'; round: number; operations: readonly Uint8Array[] }
  | { type: 'wants'; round: number; ids: readonly Uint8Array[] }
  | { type: 'wrap'; round: number; wrap: Uint8Array }
  | { type: 'state'; round: number; received: number; digest: Uint8Array }

const types = ['greet', 'operations', 'wants', 'wrap', 'state'] as const

export function encodeLogFrame(frame: LogFrame): Uint8Array {
  const writer = new Writer().uint8(types.indexOf(frame.type) + 1).uint32(frame.round)
  switch (frame.type) {
    case 'greet':
      writer.uint16(frame.heads.length)
      for (const id of frame.heads) writer.bytes(id, 32)
      writer.uint8(frame.locator.length)
      for (const id of frame.locator) writer.bytes(id, 32)
      break
    case 'operations':
      for (const bytes of frame.operations) writer.uint16(bytes.length).bytes(bytes)
      break
    case 'wants':
      for (const id of frame.ids) writer.bytes(id, 32)
      break
    case 'wrap':
      writer.bytes(frame.wrap)
      break
    case 'state':
      writer.uint32(frame.received).bytes(frame.digest, 32)
  }
  return writer.take()
}

/** Operations in as few bodies as fit. */
export function chunks(operations: readonly Uint8Array[]): Uint8Array[][] {
  const all: Uint8Array[][] = []
  let room = 0
  for (const bytes of operations) {
    if (room < bytes.length + 2) {
      all.push([])
      room = MAX_BODY - 5
    }
    all.at(-1)!.push(bytes)
    room -= bytes.length + 2
  }
  return all
}

/** undefined unless the body is exactly as above. Operations and wraps in it are not looked into. */
export function decodeLogFrame(body: Uint8Array): LogFrame | undefined {
  const reader = new Reader(body)
  const type = types[reader.uint8() - 1]
  const round = reader.uint32()
  if (type === undefined || round === 0 || body.length > MAX_BODY) return undefined
  const frame = readFrame(type, round, reader)
  return reader.ended ? frame : undefined
}

function readFrame(type: LogFrame['type'], round: number, reader: Reader): LogFrame | undefined {
  switch (type) {
    case 'greet': {
      const n = reader.uint16()
      const heads = n <= MAX_HEADS ? reader.ascending(n) : undefined
      const m = reader.uint8()
      if (heads === undefined || m > MAX_LOCATOR) return undefined
      return { type, round, heads, locator: Array.from({ length: m }, () => reader.bytes(32)) }
    }
    case 'operations': {
      const operations: Uint8Array[] = []
      while (reader.rest > 0) {
        const length = reader.uint16()
        if (length > MAX_OPERATION || length > reader.rest) return undefined
        operations.push(reader.bytes(length))
      }
      return operations.length > 0 ? { type, round, operations } : undefined
    }
    case 'wants': {
      const n = reader.rest / 32
      if (!Number.isInteger(n) || n < 1 || n > MAX_WANTS) return undefined
      return { type, round, ids: Array.from({ length: n }, () => reader.bytes(32)) }
    }
    case 'wrap':
      return { type, round, wrap: reader.bytes(reader.rest) }
    case 'state':
      return { type, round, received: reader.uint32(), digest: reader.bytes(32) }
  }
}
