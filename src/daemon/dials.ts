/** The attempts of one circle to open sessions, by the numbers its mesh gave them; each can be called off. */
import { type PeerId, shortId } from '../crypto/identity.ts'
import type { HandshakeCircle } from './handshake-circle.ts'
import type { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'

export interface Called {
  readonly attempt: number
  readonly peer: PeerId
  readonly address: string
  /** The peer's X25519 key. */
  readonly staticKey: Uint8Array
}

export class Dials {
  readonly #around: Pick<Surroundings, 'connect' | 'gate' | 'log'>
  readonly #circle: HandshakeCircle
  readonly #dials = new Map<number, AbortController>()

  constructor(around: Pick<Surroundings, 'connect' | 'gate' | 'log'>, circle: HandshakeCircle) {
    this.#around = around
    this.#circle = circle
  }

  /** The session; undefined when it was called off. Rejects Error with the reason, a word. */
  async open({ attempt, peer, address, staticKey }: Called): Promise<Session | undefined> {
    const { connect, gate, log } = this.#around
    const abort = new AbortController()
    this.#dials.set(attempt, abort)
    try {
      const link = await connect(address, abort.signal)
      const cancel = () => link.destroy()
      abort.signal.addEventListener('abort', cancel)
      const session = await gate.dial(link, this.#circle, { id: peer, staticKey })
      abort.signal.removeEventListener('abort', cancel)
      if (!abort.signal.aborted) return session
      session.destroy()
    } catch (error) {
      if (abort.signal.aborted) return undefined
      const reason = (error as { reason?: string }).reason ?? (error as Error).message
      log('debug', 'dial failed', { peer: shortId(peer), address, reason })
      throw new Error(reason)
    } finally {
      this.#dials.delete(attempt)
    }
    return undefined
  }

  cancel(attempt: number): void {
    this.#dials.get(attempt)?.abort()
  }
  stop(): void {
    for (const dial of this.#dials.values()) dial.abort()
  }
}
