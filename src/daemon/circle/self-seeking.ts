/**
 * Looks for itself where its own identity was announced and it is not: whoever answers a handshake there with
 * our own static is a copy of this device, or this process by a way around. What a replayed announcement costs
 * is a dial that meets silence; so there are few of them.
 */
import type { PeerId } from '../../crypto/identity.ts'
import type { HandshakeCircle } from '../sessions/handshake-circle.ts'
import type { Session } from '../sessions/session.ts'
import type { Surroundings } from '../surroundings.ts'

/** The same address is not tried again sooner; nor any, when one was tried just now. */
const AGAIN_MS = 600_000
const PAUSE_MS = 10_000
const DIAL_MS = 5_000
const ADDRESSES_AT_MOST = 64

export class SelfSeeking {
  readonly #around: Pick<Surroundings, 'now' | 'connect' | 'gate' | 'after'>
  readonly #circle: HandshakeCircle
  readonly #self: PeerId
  readonly #opened: (session: Session) => void
  readonly #tried = new Map<string, number>()
  readonly #stop = new AbortController()
  #last = Number.NEGATIVE_INFINITY

  constructor(
    around: Pick<Surroundings, 'now' | 'connect' | 'gate' | 'after'>,
    circle: HandshakeCircle,
    self: PeerId,
    opened: (session: Session) => void
  ) {
    this.#around = around
    this.#circle = circle
    this.#self = self
    this.#opened = opened
  }

  /** Addresses at which this identity is said to be; `own`: those of this device. */
  at(addresses: readonly string[], own: readonly string[]): void {
    const now = this.#around.now()
    for (const address of addresses) {
      if (own.includes(address) || now - this.#last < PAUSE_MS) continue
      if (now - (this.#tried.get(address) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) continue
      this.#last = now
      this.#tried.delete(address)
      this.#tried.set(address, now)
      if (this.#tried.size > ADDRESSES_AT_MOST) this.#tried.delete(this.#tried.keys().next().value!)
      void this.#try(address)
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  /** With the static in use, then with the one before: the copy may be older than the change. */
  async #try(address: string): Promise<void> {
    const { connect, gate, after } = this.#around
    for (const { publicKey } of this.#circle.statics) {
      const limit = new AbortController()
      const signal = AbortSignal.any([this.#stop.signal, limit.signal])
      const cancel = after(DIAL_MS, () => limit.abort())
      try {
        const link = await connect(address, signal)
        signal.addEventListener('abort', () => link.destroy(), { once: true })
        this.#opened(await gate.dial(link, this.#circle, { id: this.#self, staticKey: publicKey }))
        return
      } catch {
        // nobody there, or somebody else
      } finally {
        cancel()
      }
    }
  }
}
