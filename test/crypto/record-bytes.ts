/** Records of two fixed devices, for freezing: three small ones, one after a rekey, one of full length. */

import { hash } from '../../src/crypto/provider.ts'
import { RECORD_HEADER, RECORD_LIMIT, RecordCipher } from '../../src/crypto/record.ts'
import { SendQueue } from '../../src/daemon/sessions/send-queue.ts'
import { paddedLength } from '../../src/wire/frame.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)

export const keys = { send: fill(0x51), receive: fill(0x52) }
export const crossed = { send: keys.receive, receive: keys.send }

const buffer = new Uint8Array(RECORD_LIMIT)

export function record(cipher: RecordCipher, frames: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const queue = new SendQueue()
  for (const [kind, body] of frames) queue.push(kind, body)
  const end = queue.take(buffer, RECORD_HEADER + 2, RECORD_LIMIT - 16)
  const length = paddedLength(end - RECORD_HEADER)
  const padding = length - (end - RECORD_HEADER)
  buffer.fill(0, end, end + padding)
  buffer[2] = padding >> 8
  buffer[3] = padding
  return buffer.slice(0, cipher.seal(0, buffer, length))
}

export function bytes(): { [name: string]: Uint8Array } {
  const cipher = new RecordCipher(keys)
  const ping = record(cipher, [[1, fill(7, 8)]])
  const two = record(cipher, [
    [2, fill(8, 8)],
    [7, fill(9, 64)]
  ])
  const rekey = record(cipher, [[3, fill(0, 0)]])
  cipher.rekeySend()
  const after = record(cipher, [[4, Uint8Array.of(0, 1)]])
  return { ping, two, rekey, after, 'hash of a long one': hash(record(cipher, [[9, fill(10, 65_509)]])) }
}
