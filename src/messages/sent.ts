/** A message as its sender knows it, and what its outbox gives out. */
import type { PeerId } from '../crypto/identity.ts'
import { fromBase32 } from '../wire/base32.ts'
import { type DeadReason, encodeMessage } from '../wire/message.ts'
import type { MessageId } from './id.ts'

/** What the sender knows of a message. `later`: its handler asked to be run again. */
export type SentState = 'queued' | 'held' | 'received' | 'started' | 'later' | 'done' | 'dead'

export interface Sent {
  readonly id: MessageId
  readonly peer: PeerId
  readonly seq: number
  readonly tag: string
  readonly ask: boolean
  /** Empty once it is done. */
  readonly payload: Uint8Array
  /** Wall clock. */
  readonly sentMs: number
  readonly expiresMs: number
  readonly state: SentState
  /** Why it is dead; `none` otherwise. */
  readonly reason: DeadReason
  readonly exit: number
  readonly output: Uint8Array
  /** Its sender took it back, and the receiver is to say whether that was in time. */
  readonly takenBack: boolean
  /** When the state became this; wall clock. */
  readonly changedMs: number
}

export type Draft = Pick<Sent, 'id' | 'peer' | 'tag' | 'ask' | 'payload'> & { readonly ttlMs: number }

export type OutboxRecord =
  | { type: 'put'; sent: Sent; next: number }
  | { type: 'drop'; peer: PeerId; seq: number }

export type OutboxOutput =
  | { type: 'send'; peer: PeerId; body: Uint8Array }
  | { type: 'changed'; sent: Sent }
  /** It is taken back, or gets another number: copies of it are of no use. */
  | { type: 'withdrawn'; sent: Sent }
  | { type: 'count'; what: string }

export const isSettled = ({ state }: Pick<Sent, 'state'>): boolean => state === 'done' || state === 'dead'
/** The frame that carries it. `until`: when it expires, monotonic. */
export const frameOf = (
  sent: Sent,
  epoch: Uint8Array,
  { now, until, floor }: { readonly now: number; readonly until: number; readonly floor: number }
): Uint8Array =>
  encodeMessage({
    ...sent,
    id: fromBase32(sent.id)!,
    epoch,
    floor,
    sentMs: Math.max(0, sent.sentMs),
    ttl: Math.max(1, Math.ceil((until - now) / 1_000))
  })

/** The receiver does not have it, as far as is known. */
export const isWaiting = ({ state }: Pick<Sent, 'state'>): boolean => state === 'queued' || state === 'held'
