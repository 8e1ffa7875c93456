/**
 * Renewal: a fresh handshake for a session that works, so that its keys grow no older than an hour
 * (PROTOCOL 4). The side that dialled asks for it: its way is known to lead there. The old session is used
 * until the new one is confirmed.
 */
import type { Dialling } from './dialling.ts'
import type { Peer, Session } from './peer.ts'
import type { Timers } from './timers.ts'

export const AGE = 3_600_000
/** Share by which the age differs either way. */
export const SPREAD = 0.1
/** After somebody was removed all sessions are renewed within this time. */
export const HASTE = 10_000
/** How long it is tried, and the pause before it is tried again. */
export const LIMIT = 60_000
export const PAUSE = 300_000

interface Wiring {
  readonly timers: Timers
  readonly random: () => number
  readonly dialling: Dialling
}

export class Renewal {
  readonly #wiring: Wiring

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  opened(now: number, session: Session): void {
    const { timers, random } = this.#wiring
    if (session.outgoing) timers.set(session.renewal, now + AGE * (1 - SPREAD + 2 * SPREAD * random()))
  }

  /** Somebody was removed. */
  hurry(now: number, sessions: Iterable<Session>): void {
    const { timers, random } = this.#wiring
    for (const session of sessions) {
      if (session.outgoing) timers.advance(session.renewal, now + random() * HASTE)
    }
  }

  /** The renewal timer of a session is due. */
  due(now: number, session: Session): void {
    const { peer } = session
    if (peer.nominated === session && !peer.plan.wanted) this.#wiring.dialling.want(now, peer)
  }

  /** True when a peer that works was dialled long enough: it stays as it is for now. */
  enough(now: number, peer: Peer): boolean {
    const { timers, dialling } = this.#wiring
    if (peer.nominated === undefined || now - peer.plan.since < LIMIT) return false
    dialling.done(now, peer)
    timers.set(peer.nominated.renewal, now + PAUSE)
    return true
  }
}
