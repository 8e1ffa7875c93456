/** A message as its receiver knows it, and what its inbox gives out. */
import type { PeerId } from '../crypto/identity.ts'
import { EMPTY } from '../wire/bytes.ts'
import type { Verdict } from '../wire/custody.ts'
import type { DeadReason, Message } from '../wire/message.ts'
import { type MessageId, messageId } from './id.ts'

export type ReceivedState = 'received' | 'started' | 'later' | 'done' | 'dead'

export interface Received {
  readonly id: MessageId
  readonly from: PeerId
  readonly epoch: Uint8Array
  readonly seq: number
  readonly tag: string
  readonly ask: boolean
  /** Empty once it has ended. */
  readonly payload: Uint8Array
  /** By the sender's wall clock, and by ours. */
  readonly sentMs: number
  readonly receivedMs: number
  /** Until when it must have started, by our wall clock. */
  readonly expiresMs: number
  readonly state: ReceivedState
  readonly reason: DeadReason
  readonly exit: number
  readonly output: Uint8Array
  /** How often it was started. */
  readonly runs: number
  /** What it was started with last may run again when it is not known whether it ended. */
  readonly retry: boolean
}

/** What a handler is, as far as the inbox is concerned. */
export interface Choice {
  /** Runs of one key do not overlap. */
  readonly key: string
  /** It may run again when it is not known whether it ended. */
  readonly retry: boolean
}

export interface InboxOptions {
  readonly rows: readonly Received[]
  readonly floors: readonly { readonly from: PeerId; readonly epoch: Uint8Array; readonly floor: number }[]
  readonly now: number
  readonly wall: number
  /**
   * The handler of a tag for this sender, or why there is none; `wait`: there will be one soon, or `handlersChanged`
   * is called. `isBusy`: whether that one runs.
   */
  readonly choose: (
    from: PeerId,
    tag: string,
    isBusy: (key: string) => boolean
  ) => Choice | 'wait' | Extract<DeadReason, 'no-handler' | 'not-allowed' | 'unsafe' | 'removed'>
}

/** How a run ended. */
export type Ending = Finished | { readonly type: 'unbegun' }
export type Finished = (
  | { readonly type: 'exit'; readonly code: number }
  | { readonly type: 'dead'; readonly reason: DeadReason }
  /** It was started, and nothing tells what became of it. */
  | { readonly type: 'unknown' }
) & {
  readonly output: Uint8Array
  /** For people here: the end of what it wrote to stderr, or why it did not run. */
  readonly complaint?: string
}

export type InboxRecord =
  | { type: 'put'; received: Received }
  | { type: 'drop'; from: PeerId; epoch: Uint8Array; seq: number }
  | { type: 'floor'; from: PeerId; epoch: Uint8Array; floor: number }

export type InboxOutput =
  | { type: 'send'; peer: PeerId; body: Uint8Array }
  | { type: 'run'; received: Received; choice: Choice }
  /** It was started by an earlier process: `exited` is to say what became of it. */
  | { type: 'adopt'; received: Received }
  | { type: 'changed'; received: Received }
  /** What is to be said to the holder of a copy, once all before it is on disk. */
  | { type: 'handed'; holder: PeerId; custody: Uint8Array; verdict: Verdict }
  | { type: 'count'; what: string }

type From = Pick<Received, 'from' | 'epoch'>

export const arrived = ({ from, epoch }: From, message: Message, wall: number): Received => ({
  id: messageId(message.id),
  from,
  epoch,
  seq: message.seq,
  tag: message.tag,
  ask: message.ask,
  payload: message.payload,
  sentMs: message.sentMs,
  receivedMs: wall,
  expiresMs: wall + message.ttl * 1_000,
  state: 'received',
  reason: 'none',
  exit: 0,
  output: EMPTY,
  runs: 0,
  retry: false
})

/** What is kept of a message that was taken back before it came. */
export const takenBack = ({ from, epoch }: From, seq: number, id: Uint8Array): Received => ({
  id: messageId(id),
  from,
  epoch,
  seq,
  tag: '',
  ask: false,
  payload: EMPTY,
  sentMs: 0,
  receivedMs: 0,
  expiresMs: 0,
  state: 'dead',
  reason: 'cancelled',
  exit: 0,
  output: EMPTY,
  runs: 0,
  retry: false
})
