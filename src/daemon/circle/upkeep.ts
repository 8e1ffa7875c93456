/**
 * What somebody began and did not finish waits a moment for him; then one device finishes it: a leaving gets
 * its cut, members without a common discovery key get one. It is the lowest in level (then id) of those online.
 */
import { remove, shouldFinishLeaving } from '../../circle/author.ts'
import { type PeerId, peerKey } from '../../crypto/identity.ts'
import { GREATEST_LEVEL } from '../../wire/operation.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Ledger } from './ledger.ts'

const WAIT_MS = 2_000
const AGAIN_MS = 30_000

export class Upkeep {
  readonly #ledger: Ledger
  readonly #around: Pick<Surroundings, 'now' | 'log'>
  readonly #online: (peer: PeerId) => boolean
  /** When to look; Infinity: there is nothing to finish. */
  #at = Number.POSITIVE_INFINITY

  constructor(ledger: Ledger, around: Pick<Surroundings, 'now' | 'log'>, online: (peer: PeerId) => boolean) {
    this.#ledger = ledger
    this.#around = around
    this.#online = online
    this.look()
  }

  get deadline(): number {
    return this.#at
  }

  expire(): void {
    if (this.#at <= this.#around.now()) void this.#finish()
  }

  /** Something has changed; there may be something to finish, or no more. */
  look(): void {
    const due = this.#ledger.log.left.size > 0 || this.#ledger.keys.due !== 'no'
    this.#at = due ? this.#around.now() + WAIT_MS : Number.POSITIVE_INFINITY
  }

  async #finish(): Promise<void> {
    this.#at = Number.POSITIVE_INFINITY
    const ledger = this.#ledger
    try {
      await ledger.inTurn(async () => {
        const { own, log, keys, members, self, signingKey } = ledger
        if (own === undefined) return
        const online = [...members.values()].filter(({ id }) => id === self || this.#online(id))
        for (const [leaver, level] of log.left) {
          if (!shouldFinishLeaving(own, online, level)) continue
          const target = peerKey(leaver)!
          await ledger.append(place => remove(signingKey, place, { target, lost: false, cut: place.prev }))
        }
        if (keys.due !== 'no' && shouldFinishLeaving(own, online, GREATEST_LEVEL + 1)) ledger.renewKey()
      })
    } catch (error) {
      this.#around.log('warn', 'the circle could not be tended', { error: (error as Error).message })
      this.#at = this.#around.now() + AGAIN_MS
    }
  }
}
