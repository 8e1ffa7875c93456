/**
 * Sessions of those whose own operations let them in before the rest of their log has come. They have some
 * seconds to show that they are members; frames that come before that are kept, few and idempotent.
 */
import type { PeerId } from '../../crypto/identity.ts'

/** How long one may take: its log says that it is a member, or ends without it. */
const LIMIT_MS = 10_000
const EARLY_AT_MOST = 16

export interface EarlyFrame {
  readonly kind: number
  readonly body: Uint8Array
}

interface Introduced {
  readonly peer: PeerId
  readonly until: number
  readonly early: EarlyFrame[]
}

export class Introductions {
  readonly #introduced = new Map<number, Introduced>()

  get deadline(): number {
    return Math.min(...[...this.#introduced.values()].map(({ until }) => until))
  }

  begin(now: number, session: number, peer: PeerId): void {
    this.#introduced.set(session, { peer, until: now + LIMIT_MS, early: [] })
  }
  has(session: number): boolean {
    return this.#introduced.has(session)
  }
  /** It cannot be read yet. */
  keep(session: number, frame: EarlyFrame): void {
    const early = this.#introduced.get(session)?.early
    if (early !== undefined && early.length < EARLY_AT_MOST) early.push(frame)
  }
  end(session: number): void {
    this.#introduced.delete(session)
  }

  /** Sessions whose time is over. */
  expired(now: number): number[] {
    return [...this.#introduced].filter(([, { until }]) => until <= now).map(([session]) => session)
  }

  /** Those who are members by now, with what they sent. They are introduced no more. */
  arrived(isMember: (peer: PeerId) => boolean): { session: number; early: readonly EarlyFrame[] }[] {
    const arrived = [...this.#introduced].filter(([, { peer }]) => isMember(peer))
    for (const [session] of arrived) this.#introduced.delete(session)
    return arrived.map(([session, { early }]) => ({ session, early }))
  }
}
