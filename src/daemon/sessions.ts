/**
 * The open sessions of one circle, by the numbers the mesh knows them by. Log frames of a peer keep to one
 * session, its latest; whatever else waits until both logs agree is held here.
 */
import type { PeerId } from '../crypto/identity.ts'
import { type CloseReason, Kind } from '../wire/frame.ts'
import type { Session } from './session.ts'

/** Frames held for one peer; beyond it the oldest go, for all of them are idempotent. */
const HELD_AT_MOST = 64

interface Held {
  readonly number: number
  readonly kind: number
  readonly body: Uint8Array
}

export class Sessions {
  readonly #sessions = new Map<number, Session>()
  readonly #latest = new Map<PeerId, number>()
  readonly #held = new Map<PeerId, Held[]>()
  #last = 0

  add(session: Session): number {
    const number = ++this.#last
    this.#sessions.set(number, session)
    this.#latest.set(session.peer, number)
    return number
  }

  get(number: number): Session | undefined {
    return this.#sessions.get(number)
  }

  /** Peers with at least one session. */
  get peers(): PeerId[] {
    return [...this.#latest.keys()]
  }

  has(peer: PeerId): boolean {
    return this.#latest.has(peer)
  }

  of(peer: PeerId): number[] {
    return [...this.#sessions].filter(([, session]) => session.peer === peer).map(([number]) => number)
  }

  /** Returns whether the peer has another one. */
  delete(number: number): boolean {
    const session = this.#sessions.get(number)
    if (session === undefined) return false
    this.#sessions.delete(number)
    const other = this.of(session.peer).at(-1)
    if (other === undefined) {
      this.#latest.delete(session.peer)
      this.#held.delete(session.peer)
      return false
    }
    this.#latest.set(session.peer, other)
    return true
  }

  /** Ends it from our side. Returns its peer, if it was there. */
  close(number: number, reason: CloseReason): PeerId | undefined {
    const session = this.#sessions.get(number)
    session?.close(reason)
    return session?.peer
  }

  sendLog(peer: PeerId, body: Uint8Array): void {
    this.#sessions.get(this.#latest.get(peer) ?? 0)?.send(Kind.Log, body)
  }

  hold(peer: PeerId, frame: Held): void {
    const held = this.#held.get(peer) ?? []
    held.push(frame)
    this.#held.set(peer, held.slice(-HELD_AT_MOST))
  }

  release(peer: PeerId): void {
    const held = this.#held.get(peer) ?? []
    this.#held.delete(peer)
    for (const { number, kind, body } of held) this.#sessions.get(number)?.send(kind, body)
  }
}
