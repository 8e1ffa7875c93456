/** What one device has sent to one receiver and is not settled, and how much of it is on its way. */
import type { PeerId } from '../crypto/identity.ts'
import type { Sent } from './sent.ts'

/** Sent on one session and not acknowledged, at most; one message may always be. */
const WINDOW = 128
const WINDOW_BYTES = 1_048_576

export interface Entry {
  sent: Sent
  /** Monotonic; when it expires, or when a dead letter is dropped. */
  until: number
  /** Sent on the present session and not acknowledged. */
  flying: boolean
  /** It was there when the outbox was read, so it may be as old as a copy of the database that was put back. */
  readonly stored: boolean
  /** It may have been sent at some time, so the receiver may have it. */
  tried: boolean
  /** Copies of it were given to others: the receiver may get it at any time, and from anybody. */
  deposited: boolean
}

export class Lane {
  readonly peer: PeerId
  /** What is not settled, by number, ascending. */
  readonly entries = new Map<number, Entry>()
  /** Numbers given to drafts that are being written. */
  readonly drafts = new Set<number>()
  /** Numbers to be sent on this session, ascending. */
  waiting: number[] = []
  next = 1
  online = false
  /** The floor that it was told last on this session. */
  told = 0
  #flying = 0
  #bytes = 0

  constructor(peer: PeerId) {
    this.peer = peer
  }

  /** The least number that is not settled. */
  get floor(): number {
    const [first = this.next] = this.entries.keys()
    const [draft = this.next] = this.drafts
    return Math.min(first, draft)
  }

  /** Whether another payload of that size may be sent now. */
  admits(size: number): boolean {
    return this.#flying < WINDOW && (this.#flying === 0 || this.#bytes + size <= WINDOW_BYTES)
  }

  fly(entry: Entry): void {
    entry.flying = entry.tried = true
    this.#flying++
    this.#bytes += entry.sent.payload.length
  }

  /** It was acknowledged, or is settled. */
  land(entry: Entry): void {
    if (!entry.flying) return
    entry.flying = false
    this.#flying--
    this.#bytes -= entry.sent.payload.length
  }

  /** The session is over: what was on its way may not have come. */
  ground(): void {
    for (const entry of this.entries.values()) entry.flying = false
    this.#flying = this.#bytes = this.told = 0
  }
}
