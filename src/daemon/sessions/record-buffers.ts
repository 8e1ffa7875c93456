/** Buffers of one record's length that sessions lend each other: an idle session holds none. */
import { RECORD_LIMIT } from '../../crypto/record.ts'

const kept = 4
const free: Uint8Array[] = []

export function takeBuffer(): Uint8Array {
  return free.pop() ?? new Uint8Array(RECORD_LIMIT)
}

export function giveBuffer(buffer: Uint8Array): void {
  if (free.length < kept) free.push(buffer)
}
