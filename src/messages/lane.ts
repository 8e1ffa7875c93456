/** What one device has sent to one receiver and is not settled, and how much of it is on its way. */
import type { PeerId } from '../crypto/identity.ts'
import type { Sent } from './sent.ts'
import { Tally } from './tally.ts'
import { Turns } from './turns.ts'

/** Sent on one session and not acknowledged, at most; one message may always be. */
const WINDOW = { messages: 256, bytes: 1_048_576 }
/** Of one tag: what is not taken in there for want of room does not hold up the others. */
const TAG_WINDOW = { messages: 128, bytes: 524_288 }
/** Small messages go beside large ones: a payload of so many bytes, so many bytes of them. */
const SMALL = 4_096
const BESIDE = 131_072

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
  /** To be sent on this session. */
  readonly waiting = new Turns()
  next = 1
  online = false
  /** The floor that it was told last on this session. */
  told = 0
  readonly #flying = new Tally()
  readonly #byTag = new Map<string, Tally>()

  constructor(peer: PeerId) {
    this.peer = peer
  }

  /** The least number that is not settled. */
  get floor(): number {
    const [first = this.next] = this.entries.keys()
    const [draft = this.next] = this.drafts
    return Math.min(first, draft)
  }

  /** It cannot be written to, and something waits for it. */
  get absent(): boolean {
    return !this.online && this.entries.size > 0
  }

  /** Whether this may be sent now; `full`: nothing of its tag. */
  room({ tag, payload }: Pick<Sent, 'tag' | 'payload'>): 'some' | 'full' | 'over' {
    const all = this.#flying
    if (all.messages >= WINDOW.messages) return 'over'
    const beside = payload.length <= SMALL ? BESIDE : 0
    if (all.messages > 0 && all.bytes + payload.length > WINDOW.bytes + beside) return 'full'
    const its = this.#byTag.get(tag)
    if (its === undefined) return 'some'
    return its.messages < TAG_WINDOW.messages && its.bytes + payload.length <= TAG_WINDOW.bytes
      ? 'some'
      : 'full'
  }

  fly(entry: Entry): void {
    const { tag, payload } = entry.sent
    entry.flying = entry.tried = true
    const its = this.#byTag.get(tag) ?? new Tally()
    this.#byTag.set(tag, its)
    for (const flight of [this.#flying, its]) flight.add(payload.length)
  }

  /** It was acknowledged, or is settled. */
  land(entry: Entry): void {
    if (!entry.flying) return
    entry.flying = false
    const { tag, payload } = entry.sent
    const its = this.#byTag.get(tag)!
    for (const flight of [this.#flying, its]) flight.take(payload.length)
    if (its.messages === 0) this.#byTag.delete(tag)
  }

  /** The session is over: what was on its way may not have come. */
  ground(): void {
    for (const entry of this.entries.values()) entry.flying = false
    this.#flying.clear()
    this.#byTag.clear()
    this.waiting.clear()
    this.told = 0
  }
}
