/**
 * Roaming: what becomes of sessions when our own addresses change.
 *
 * A session whose own address is gone is stranded: nothing that is written to it leaves. Its peer is dialled at once
 * from what is left; the first session that is confirmed takes over, and the stranded one is reset without a word, as
 * a word could not leave either. The other end learns of it by the new session. Where none comes the stranded one
 * goes after STRANDED: long enough for a manager that takes an address away to put it back, or to set the next one.
 */
import { type Address, formatHost } from '../wire/address.ts'
import type { Peer, Session } from './peer.ts'
import { stranded } from './peer.ts'
import type { Timers } from './timers.ts'

export const STRANDED = 1_000

interface Wiring {
  readonly timers: Timers
  /** Ends it without a word. */
  readonly drop: (now: number, session: Session) => void
}

export class Roaming {
  readonly #wiring: Wiring
  #hosts: ReadonlySet<string> = new Set()

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** These are our addresses now. Gives those peers that must be dialled. */
  moved(now: number, own: readonly Address[], peers: Iterable<Peer>): Peer[] {
    const { timers } = this.#wiring
    this.#hosts = new Set(own.map(formatHost))
    const homeless: Peer[] = []
    for (const peer of peers) {
      for (const session of peer.sessions) {
        if (this.stranded(session)) timers.advance(session.closing, now + STRANDED)
        // the session in use has no other reason to end
        else if (session === peer.nominated) timers.clear(session.closing)
      }
      if (peer.nominated !== undefined && this.stranded(peer.nominated)) homeless.push(peer)
    }
    return homeless
  }

  /** A session was confirmed, and is in use. */
  opened(now: number, { peer }: Session): void {
    for (const other of [...peer.sessions])
      if (other !== peer.nominated && this.stranded(other)) this.#wiring.drop(now, other)
  }

  /** Its own address is not ours any more. */
  stranded(session: Session): boolean {
    return stranded(session, this.#hosts)
  }
}
