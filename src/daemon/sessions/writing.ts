/** Messages go to a peer on the session that is written to, once the membership logs of both ends agree. */
import type { PeerId } from '../../crypto/identity.ts'
import { Kind } from '../../wire/frame.ts'
import type { Sessions } from './sessions.ts'

interface Wiring {
  readonly sessions: Sessions
  /** The number of the session that is written to. */
  readonly session: (peer: PeerId) => number | undefined
  readonly synced: (number: number) => boolean
  /** Messages may be written to the peer, on another session than before; or no more. */
  readonly onWritable: (peer: PeerId, writable: boolean) => void
}

export class Writing {
  readonly #wiring: Wiring

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** A Message frame; nothing where it cannot be written to. */
  write(peer: PeerId, body: Uint8Array): void {
    const { sessions, session, synced } = this.#wiring
    const number = session(peer)
    if (number !== undefined && synced(number)) sessions.get(number)?.send(Kind.Message, body)
  }

  /** This session is written to from now on, or its logs agree now. */
  look(peer: PeerId, number: number): void {
    const { session, synced, onWritable } = this.#wiring
    if (session(peer) === number && synced(number)) onWritable(peer, true)
  }

  /** It is shown otherwise than before. */
  shown(peer: PeerId): void {
    const { session, onWritable } = this.#wiring
    if (session(peer) === undefined) onWritable(peer, false)
  }
}
