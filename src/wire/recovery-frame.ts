/**
 * Frames about recovery and lost devices. Big-endian.
 *
 *   body    u8 type | …
 *   1 order     u8 n, 1 or 2 | n × (u16 length | operation)      to a device that was removed as lost: the removal,
 *               then the `add` that made its author a first device; see circle/lost.ts
 *   2 offer     share 25 | holder 32 × 3 | signature 64          hold this for me
 *   3 held      mark 4                                           it is on disk
 *   4 settle    mark 4                                           all three are: it counts now
 *   5 settled   mark 4                                           and is on disk as such
 *
 * holders: the Ed25519 keys of those who get the three shares, ascending. signature: of the recovery key over
 * "coterie/1 share\0" | gid | hash of the session 32 | recipient 32 | share | holders. It is good for one session, so
 * that nobody can bring an old share again; and only who has the code can make it.
 */
import { Reader, Writer } from './bytes.ts'
import { MAX_OPERATION } from './operation.ts'

const SHARE = 25
const MARK = 4
const HOLDERS = 3
const types = ['order', 'offer', 'held', 'settle', 'settled'] as const
const signatureDomain = new TextEncoder().encode('coterie/1 share\0')

export interface Offer {
  readonly type: 'offer'
  readonly share: Uint8Array
  readonly holders: readonly Uint8Array[]
  readonly signature: Uint8Array
}
export type RecoveryFrame =
  | { readonly type: 'order'; readonly operations: readonly Uint8Array[] }
  | Offer
  | { readonly type: 'held' | 'settle' | 'settled'; readonly mark: Uint8Array }

export function encodeRecoveryFrame(frame: RecoveryFrame): Uint8Array {
  const writer = new Writer().uint8(types.indexOf(frame.type) + 1)
  if (frame.type === 'order') {
    writer.uint8(frame.operations.length)
    for (const operation of frame.operations) writer.uint16(operation.length).bytes(operation)
  } else if (frame.type === 'offer') {
    writer.bytes(frame.share, SHARE)
    for (const holder of frame.holders) writer.bytes(holder, 32)
    writer.bytes(frame.signature, 64)
  } else writer.bytes(frame.mark, MARK)
  return writer.take()
}

/** undefined unless the bytes are exactly one frame. Nothing is verified here. */
export function decodeRecoveryFrame(body: Uint8Array): RecoveryFrame | undefined {
  const reader = new Reader(body)
  const type = types[reader.uint8() - 1]
  const frame = type && read(type, reader)
  return reader.ended ? frame : undefined
}

function read(type: (typeof types)[number], reader: Reader): RecoveryFrame | undefined {
  switch (type) {
    case 'order': {
      const n = reader.uint8()
      if (n < 1 || n > 2) return undefined
      const operations: Uint8Array[] = []
      for (let i = 0; i < n; i++) {
        const length = reader.uint16()
        if (length > MAX_OPERATION) return undefined
        operations.push(reader.bytes(length))
      }
      return { type, operations }
    }
    case 'offer': {
      const share = reader.bytes(SHARE)
      const holders = reader.ascending(HOLDERS)
      const signature = reader.bytes(64)
      return holders && { type, share, holders, signature }
    }
    default:
      return { type, mark: reader.bytes(MARK) }
  }
}

/** What the recovery key signs of an offer. */
export function offerMessage(
  offer: Pick<Offer, 'share' | 'holders'>,
  place: { readonly gid: Uint8Array; readonly session: Uint8Array; readonly recipient: Uint8Array }
): Uint8Array {
  const writer = new Writer().bytes(signatureDomain).bytes(place.gid, 32).bytes(place.session, 32)
  writer.bytes(place.recipient, 32).bytes(offer.share, SHARE)
  for (const holder of offer.holders) writer.bytes(holder, 32)
  return writer.take()
}
