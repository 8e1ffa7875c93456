/** A message as a sealed copy: made by its sender, opened by its recipient, and the receipts for it. */
import { OVERHEAD, open, seal } from '../crypto/hpke.ts'
import { type PeerId, peerId, peerKey } from '../crypto/identity.ts'
import { type ExchangeKey, type SigningKey, verify } from '../crypto/provider.ts'
import { fromBase32 } from '../wire/base32.ts'
import {
  type Copy,
  copyAad,
  custodyInfo,
  decodeInside,
  encodeInside,
  insideMessage,
  receiptMessage,
  type SignedVerdict
} from '../wire/custody.ts'
import type { Message } from '../wire/message.ts'
import type { Sent } from './sent.ts'

const SIGNATURE = 64

export interface Sealing {
  readonly gid: Uint8Array
  readonly custody: Uint8Array
  readonly epoch: Uint8Array
  readonly sent: Sent
  /** The message before it that the recipient may not have, or 0; and when that one is given up. */
  readonly after: number
  readonly afterMs: number
  readonly signer: SigningKey
  /** The recipient's X25519 key. */
  readonly recipientStatic: Uint8Array
  /** Fresh, for this copy only. */
  readonly ephemeral: ExchangeKey
}

export function sealCopy(sealing: Sealing): Copy {
  const { gid, custody, epoch, sent, after, afterMs, signer } = sealing
  const { ask, seq, tag, payload, expiresMs } = sent
  const sender = signer.publicKey
  const id = fromBase32(sent.id)!
  const sentMs = Math.max(0, sent.sentMs)
  const inside = encodeInside({ sender, ask, epoch, seq, id, sentMs, after, afterMs, tag, payload })
  const header = { recipient: peerKey(sent.peer)!, custody, expiresMs: Math.max(0, Math.floor(expiresMs)) }
  const aad = copyAad(header, inside.length + SIGNATURE + OVERHEAD)
  const text = new Uint8Array(inside.length + SIGNATURE)
  text.set(inside)
  text.set(signer.sign(insideMessage(gid, aad, inside)), inside.length)
  return { ...header, sealed: seal(sealing.ephemeral, sealing.recipientStatic, custodyInfo(gid), aad, text) }
}

/** A message that came as a copy. */
export interface Opened {
  readonly from: PeerId
  readonly message: Message
  readonly expiresMs: number
  readonly after: number
  readonly afterMs: number
}

/**
 * `statics`: the own X25519 keys that are accepted. Gives a word when it cannot be opened, or was not written by whom it
 * says. Whether that is a member is not looked at.
 */
export function openCopy(
  { gid, statics }: { readonly gid: Uint8Array; readonly statics: readonly ExchangeKey[] },
  copy: Copy
): Opened | 'copy-sealed' | 'copy-malformed' | 'copy-forged' {
  const aad = copyAad(copy, copy.sealed.length)
  let text: Uint8Array | undefined
  for (const own of statics) text ??= open(own, custodyInfo(gid), aad, copy.sealed)
  if (text === undefined) return 'copy-sealed'
  const read = decodeInside(text)
  if (read === undefined) return 'copy-malformed'
  const { inside, signed, signature } = read
  if (!verify(inside.sender, insideMessage(gid, aad, signed), signature)) return 'copy-forged'
  const { sender, after, afterMs, ...rest } = inside
  const { expiresMs } = copy
  return {
    from: peerId(sender),
    message: { ...rest, floor: 1, ttl: Math.max(1, Math.ceil((expiresMs - rest.sentMs) / 1_000)) },
    expiresMs,
    after,
    afterMs
  }
}

export const signVerdict = (
  gid: Uint8Array,
  signer: SigningKey,
  custody: Uint8Array,
  verdict: SignedVerdict['verdict']
): SignedVerdict => ({ verdict, signature: signer.sign(receiptMessage(gid, custody, verdict)) })

/** Whether the recipient said so of that copy. */
export function isReceipt(
  gid: Uint8Array,
  recipient: PeerId,
  custody: Uint8Array,
  { verdict, signature }: SignedVerdict
): boolean {
  const key = peerKey(recipient)
  return key !== undefined && verify(key, receiptMessage(gid, custody, verdict), signature)
}
