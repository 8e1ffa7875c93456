/** The attempts of one circle to open sessions, by the numbers its mesh gave them; each can be called off. */
import { type PeerId, shortId } from '../../crypto/identity.ts'
import { SILENCE_MS } from '../circle/unanswered.ts'
import type { Surroundings } from '../surroundings.ts'
import type { HandshakeCircle } from './handshake-circle.ts'
import type { Session } from './session.ts'

export interface Called {
  readonly attempt: number
  readonly peer: PeerId
  readonly address: string
  /** The peer's X25519 key. */
  readonly staticKey: Uint8Array
}

export class Dials {
  readonly #around: Pick<Surroundings, 'connect' | 'gate' | 'log' | 'now'>
  readonly #circle: HandshakeCircle
  readonly #onSilence: (called: Called) => void
  readonly #dials = new Map<number, AbortController>()

  /** `onSilence`: somebody took the connection and did not answer. */
  constructor(
    around: Pick<Surroundings, 'connect' | 'gate' | 'log' | 'now'>,
    circle: HandshakeCircle,
    onSilence: (called: Called) => void
  ) {
    this.#around = around
    this.#circle = circle
    this.#onSilence = onSilence
  }

  /** The session; undefined when it was called off. Rejects Error with the reason, a word. */
  async open(called: Called): Promise<Session | undefined> {
    const { attempt, peer, address, staticKey } = called
    const { connect, gate, log, now } = this.#around
    let asked = Number.POSITIVE_INFINITY
    const abort = new AbortController()
    this.#dials.set(attempt, abort)
    try {
      const link = await connect(address, abort.signal)
      const cancel = () => link.destroy()
      asked = now()
      abort.signal.addEventListener('abort', cancel)
      const session = await gate.dial(link, this.#circle, { id: peer, staticKey })
      abort.signal.removeEventListener('abort', cancel)
      if (!abort.signal.aborted) return session
      session.destroy()
    } catch (error) {
      if (now() - asked >= SILENCE_MS) this.#onSilence(called)
      if (abort.signal.aborted) return undefined
      const said = (error as { reason?: string }).reason ?? (error as Error).message
      // the connection was there, and then nothing came
      const reason = said === 'timeout' && asked < Number.POSITIVE_INFINITY ? 'handshake' : said
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
