/**
 * How a message is named where people see it: the same on both sides, and another for each.
 *
 *   base32 of the first 10 bytes of SHA-256("coterie/1 message\0" | sender 32 | receiver 32 | epoch 8 | u64 seq)
 */
import { type PeerId, peerKey } from '../crypto/identity.ts'
import { bytesOf, hash } from '../crypto/provider.ts'
import { toBase32 } from '../wire/base32.ts'
import { Writer } from '../wire/bytes.ts'

/** 16 characters, [a-z2-7]. */
export type MessageId = string

const domain = bytesOf('coterie/1 message\0')

export function messageId(sender: PeerId, receiver: PeerId, epoch: Uint8Array, seq: number): MessageId {
  const number = new Writer().uint64(seq).take()
  return toBase32(hash(domain, peerKey(sender)!, peerKey(receiver)!, epoch, number).subarray(0, 10))
}
