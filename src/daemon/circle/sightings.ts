/**
 * Where the announcements of each member were heard, followed or not, and what they show of its clock. For people
 * who ask why: nothing is decided by it. In memory only.
 */
import { SLOT_LENGTH } from '../../crypto/announcement.ts'
import type { PeerId } from '../../crypto/identity.ts'

/** Kept of each peer, and of announcements that nobody's were. */
const PLACES = 4
const UNREAD = 8
/** An announcement may be said for so long after its slot is over: rotation comes late, repetitions later. */
const LATE_S = 60
/** What was seen of a clock is believed for so long, milliseconds. */
const CLOCK_MS = 3_600_000

/** One place where a peer was heard. */
export interface Sighting {
  /** Of ours, as the kernel names it. */
  readonly interface: string
  /** Bare IP address it came from; a link-local one with its scope. */
  readonly source: string
  /** Of our use of the interface. */
  readonly policy: 'announce' | 'listen'
  /** Its address became a candidate. */
  readonly followed: boolean
  /** Monotonic milliseconds. */
  readonly at: number
}

/** An announcement that no member made, as far as we can tell. */
export interface Unread {
  readonly announcement: Uint8Array
  readonly interface: string
  readonly source: string
  readonly policy: 'announce' | 'listen'
  readonly at: number
}

export class Sightings {
  readonly #peers = new Map<PeerId, Sighting[]>()
  readonly #clocks = new Map<PeerId, { ahead: number; at: number }>()
  #unread: Unread[] = []
  #heard: (() => void)[] = []

  /** `ahead`: slots by which its clock is ahead of ours, where it has one; `wallMs`: ours now. */
  saw(peer: PeerId, sighting: Sighting, clock?: { ahead: number; wallMs: number }): void {
    const others = this.of(peer).filter(
      one => one.interface !== sighting.interface || one.source !== sighting.source
    )
    this.#peers.set(peer, [sighting, ...others].slice(0, PLACES))
    // it is understood by now
    this.#unread = this.#unread.filter(({ source }) => source !== sighting.source)
    if (clock !== undefined) this.#clock(peer, sighting.at, clock.ahead, clock.wallMs)
    for (const tell of this.#heard.splice(0)) tell()
  }
  /** No member's; kept so that it can be looked at closely. */
  unread(one: Unread): void {
    const others = this.#unread.filter(other => other.source !== one.source)
    this.#unread = [one, ...others].slice(0, UNREAD)
  }

  /** The latest first. */
  of(peer: PeerId): readonly Sighting[] {
    return this.#peers.get(peer) ?? []
  }
  get unknown(): readonly Unread[] {
    return this.#unread
  }
  /** By how many seconds its clock is ahead of ours, at least; behind: less than 0; 0: nothing of the kind is seen. */
  clock(peer: PeerId, now: number): number {
    const seen = this.#clocks.get(peer)
    return seen === undefined || now - seen.at > CLOCK_MS ? 0 : seen.ahead
  }

  /** Resolves when any member is heard, or the signal is aborted. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.#heard.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      if (signal.aborted) resolve()
    })
  }

  /** Those who are members no more are forgotten. */
  keep(members: ReadonlyMap<PeerId, unknown>): void {
    for (const peer of this.#peers.keys()) if (!members.has(peer)) this.#peers.delete(peer)
    for (const peer of this.#clocks.keys()) if (!members.has(peer)) this.#clocks.delete(peer)
  }

  /** The greatest difference that was seen counts, until one is seen that it does not fit. */
  #clock(peer: PeerId, at: number, slots: number, wallMs: number): void {
    const ahead = leastAhead(slots, wallMs)
    const known = this.clock(peer, at)
    const [least, most] = bounds(slots, wallMs)
    const fits = known >= least && known <= most
    if (!fits || Math.abs(ahead) >= Math.abs(known)) this.#clocks.set(peer, { ahead, at })
    else if (ahead !== 0) this.#clocks.set(peer, { ahead: known, at })
  }
}

/** How far a clock can be ahead of ours, in seconds, that made an announcement of a slot so many after ours. */
function bounds(slots: number, wallMs: number): [number, number] {
  const into = (wallMs / 1000) % SLOT_LENGTH
  return [slots * SLOT_LENGTH - into, (slots + 1) * SLOT_LENGTH - into + LATE_S]
}

/** By how much it must be, at least; less than 0: behind. */
export function leastAhead(slots: number, wallMs: number): number {
  const [least, most] = bounds(slots, wallMs)
  return Math.round(least > 0 ? least : Math.min(most, 0))
}
