/**
 * Questions: what awaits an answer of a peer, and goes with it from session to session.
 *
 * A question is asked on the session that is written to. When another one takes its place before the answer came, it is
 * asked again there: what was sent on the old one may have gone nowhere. It may so be heard twice by the peer, who
 * answers both times; who asked hears the first answer and no other. While a peer has no session for a moment, its
 * questions wait for the next one.
 */
import type { Peer, Session } from './peer.ts'

/** A peer that was lost no longer ago than this may just be on its way to another address. */
export const ROAM = 2_000
/** Questions of all peers that wait; the oldest is given up when there are more. */
const MAX_QUESTIONS = 4_096

interface Question {
  readonly peer: Peer
  readonly ask: (now: number, session: Session) => void
  /** The session it was last asked on. */
  session: number | undefined
}

export class Questions {
  readonly #waiting = new Map<number, Question>()

  get size(): number {
    return this.#waiting.size
  }

  /** False, and nothing is asked, where no answer can be hoped for. `ask` may be called again and again. `dialled`: because of this question. */
  ask(
    now: number,
    peer: Peer,
    token: number,
    ask: (now: number, session: Session) => void,
    dialled = false
  ): boolean {
    if (peer.nominated === undefined && !dialled && !roams(now, peer)) return false
    if (this.#waiting.size >= MAX_QUESTIONS) this.#waiting.delete(this.#waiting.keys().next().value!)
    this.#waiting.set(token, { peer, ask, session: undefined })
    this.moved(now, peer)
    return true
  }

  /** Perhaps another session of the peer is written to from now on. */
  moved(now: number, peer: Peer): void {
    const session = peer.nominated
    if (session === undefined) return
    for (const question of this.#waiting.values()) {
      if (question.peer !== peer || question.session === session.number) continue
      question.session = session.number
      question.ask(now, session)
    }
  }

  /** True for the first answer to a question that still waits. */
  answered(token: number): boolean {
    return this.#waiting.delete(token)
  }

  /** Nobody waits for the answer any more. */
  forget(token: number): void {
    this.#waiting.delete(token)
  }

  /** It is no peer any more. */
  removed(peer: Peer): void {
    for (const [token, question] of this.#waiting) if (question.peer === peer) this.#waiting.delete(token)
  }
}

/** It was there a moment ago, and did not say that it goes. */
function roams(now: number, peer: Peer): boolean {
  return peer.unreachableSince > 0 && peer.lost !== 'stopped' && now - peer.unreachableSince < ROAM
}
