/** Buffers of one record's length that sessions lend each other: an idle session holds none. */
import { RECORD_LIMIT } from '../crypto/record.ts'

const kept = 4
const free: Buffer[] = []

export function takeBuffer(): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(RECORD_LIMIT)
}

export function giveBuffer(buffer: Buffer): void {
  if (free.length < kept) free.push(buffer)
}
