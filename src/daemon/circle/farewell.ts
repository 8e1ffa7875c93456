/** Leaving: signs that this device leaves, and waits until those who are online have it on disk. */
import { type Place, remove } from '../../circle/author.ts'
import type { PeerId } from '../../crypto/identity.ts'
import { equal } from '../../crypto/provider.ts'
import { decodeOperation } from '../../wire/operation.ts'
import type { Ledger } from './ledger.ts'

export class Farewell {
  readonly #ledger: Ledger
  /** The sessions of a peer. */
  readonly #sessions: (peer: PeerId) => readonly number[]
  /** Who has it on disk. */
  readonly #told = new Set<PeerId>()
  #awaited: (() => void) | undefined

  constructor(ledger: Ledger, sessions: (peer: PeerId) => readonly number[]) {
    this.#ledger = ledger
    this.#sessions = sessions
  }

  /** This device signed its own leaving, now or before it was started. */
  get signed(): boolean {
    const { own, log } = this.#ledger
    return own === undefined && log.operations.some(bytes => this.#isOwnLeaving(bytes))
  }

  /**
   * Resolves with those of the peers that have stored it: all of them that stay online, or as many as `ms`
   * allow. One that signed it before and was interrupted goes on with the telling.
   */
  async leave(peers: readonly PeerId[], ms: number, signal: AbortSignal): Promise<PeerId[]> {
    const told = this.#told
    const resumed = this.signed
    if (this.#ledger.own === undefined && !resumed) return []
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ms)])
    const { promise: heard, resolve } = Promise.withResolvers<void>()
    limit.addEventListener('abort', () => resolve(), { once: true })
    const watch = () => {
      for (const peer of peers) if (this.#settled(peer)) told.add(peer)
      if (peers.every(peer => told.has(peer) || this.#sessions(peer).length === 0)) resolve()
    }
    const { signingKey } = this.#ledger
    const target = signingKey.publicKey
    await this.#ledger.inTurn(async () => {
      if (resumed) {
        this.#awaited = watch
        watch()
      } else {
        const make = (place: Place) => remove(signingKey, place, { target, lost: false, cut: undefined })
        await this.#ledger.append(make, [], () => {
          this.#awaited = watch
        })
      }
      if (!limit.aborted) await heard
    })
    this.#awaited = undefined
    return peers.filter(peer => told.has(peer))
  }

  /** A peer closes its session for our removal: it has that on disk. */
  parted(peer: PeerId): void {
    this.#told.add(peer)
  }

  /** Frames have come or gone. */
  progress(): void {
    this.#awaited?.()
  }

  /** It has stored all it was sent. */
  #settled(peer: PeerId): boolean {
    return this.#sessions(peer).some(session => this.#ledger.log.settled(String(session)))
  }

  #isOwnLeaving(bytes: Uint8Array): boolean {
    const operation = decodeOperation(bytes)
    const own = this.#ledger.signingKey.publicKey
    return (
      operation?.body.kind === 'remove' && equal(operation.author, own) && equal(operation.body.target, own)
    )
  }
}
