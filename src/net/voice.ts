/** A voice: one protocol that carries announcements at one place. mDNS and SSDP are the two. */
import type { Limits } from './limits.ts'
import type { Place } from './place.ts'
import type { Tally } from './tally.ts'

export type Via = 'mdns' | 'ssdp'
export type Dropped = 'offLink' | 'oversized' | 'limited' | 'malformed'

export interface VoiceOptions {
  readonly place: Place
  /** What may come in on the interface, by all voices. */
  readonly limits: Limits
  /** Well-formed announcements, own ones too, and the source as the socket gave it. */
  readonly onHeard: (announcement: Uint8Array, source: string, via: Via) => void
  readonly tally: Tally
  readonly count: (what: Dropped | 'answered') => void
}

/** When a group was last spoken to and heard. Monotonic milliseconds; -Infinity: never. */
export interface Traffic {
  /** Oldest first, the latest of them. */
  readonly said: readonly number[]
  /** From an address of this computer: what we said came back, or another program here spoke. */
  readonly own: number
  readonly others: number
}

/** What a voice says, and as whom it asks. */
export interface Speech {
  /** Announced, and given as answers. */
  readonly announcements: readonly Uint8Array[]
  /** Under which others are asked for theirs: the same, or one that says only that somebody asks. */
  readonly searchers: readonly Uint8Array[]
}
export const SILENCE: Speech = { announcements: [], searchers: [] }

export interface Voice {
  /** Settles when it can speak, or will not be able to (see state). */
  readonly opened: Promise<void>
  /** '' while it works, else why not. */
  readonly state: string
  readonly traffic: Traffic
  /** What to say from now on: nothing is said or answered without announcements, nor asked without searchers. */
  set(speech: Speech): void
  announce(): void
  query(): void
  goodbye(): void
  close(): void
}
