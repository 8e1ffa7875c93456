/** Messages go to a peer on the session that is written to, once the membership logs of both ends agree. */
import type { PeerId } from '../../crypto/identity.ts'
import type { Mesh } from '../../mesh/mesh.ts'
import { Kind } from '../../wire/frame.ts'
import type { Sessions } from './sessions.ts'

interface Wiring {
  readonly sessions: Sessions
  /** Knows the number of the session that is written to. */
  readonly mesh: Pick<Mesh, 'session' | 'hasPlenty'>
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
    const { sessions, mesh, synced } = this.#wiring
    const number = mesh.session(peer)
    if (number !== undefined && synced(number)) sessions.get(number)?.send(Kind.Message, body)
  }

  /** This session is written to from now on, or its logs agree now. */
  look(peer: PeerId, number: number): void {
    const { mesh, synced, onWritable } = this.#wiring
    if (mesh.session(peer) === number && synced(number)) onWritable(peer, true)
  }

  /** It is shown otherwise than before. */
  shown(peer: PeerId): void {
    const { mesh, onWritable } = this.#wiring
    if (mesh.session(peer) === undefined) onWritable(peer, false)
  }

  /** By its own last word: it is on mains, and on a network that does not cost by the byte. */
  hasPlenty(peer: PeerId): boolean {
    return this.#wiring.mesh.hasPlenty(peer)
  }
}
