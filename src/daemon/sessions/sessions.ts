/**
 * The open sessions of one circle, by the numbers the mesh knows them by, and the frames that wait until the
 * membership logs of both ends agree.
 */
import type { PeerId } from '../../crypto/identity.ts'
import type { Session } from './session.ts'

/** Frames held for one session; beyond it the oldest go, for all of them are idempotent. */
const HELD_AT_MOST = 64

interface Held {
  readonly kind: number
  readonly body: Uint8Array
}

export class Sessions {
  readonly #sessions = new Map<number, Session>()
  readonly #held = new Map<number, Held[]>()
  #last = 0

  add(session: Session): number {
    const number = ++this.#last
    this.#sessions.set(number, session)
    return number
  }

  get(number: number): Session | undefined {
    return this.#sessions.get(number)
  }

  /** Returns whether it was there. */
  delete(number: number): boolean {
    this.#held.delete(number)
    return this.#sessions.delete(number)
  }

  /** Peers with at least one session. */
  get peers(): PeerId[] {
    return [...new Set([...this.#sessions.values()].map(({ peer }) => peer))]
  }

  of(peer: PeerId): number[] {
    return [...this.#sessions].filter(([, session]) => session.peer === peer).map(([number]) => number)
  }

  hold(number: number, frame: Held): void {
    const held = this.#held.get(number) ?? []
    held.push(frame)
    this.#held.set(number, held.slice(-HELD_AT_MOST))
  }

  release(number: number): void {
    const held = this.#held.get(number) ?? []
    this.#held.delete(number)
    for (const { kind, body } of held) this.#sessions.get(number)?.send(kind, body)
  }
}
