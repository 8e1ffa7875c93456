/** The addresses this device listens on, as one circle says them; and who waits for the first of them. */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError } from '../../api/api.ts'

/** How long an invitation waits for the first listener. */
const FIRST_MS = 2_000

export class OwnAddresses {
  readonly #first = Promise.withResolvers<void>()
  #all: readonly string[] = []

  get all(): readonly string[] {
    return this.#all
  }

  set(addresses: readonly string[]): void {
    this.#all = addresses
    if (addresses.length > 0) this.#first.resolve()
  }

  /**
   * Just after the start, or after init, the sockets are still being bound. Rejects ApiError where there is no address:
   * nobody could do `what` is to be done.
   */
  async must(what: string): Promise<void> {
    await Promise.race([this.#first.promise, delay(FIRST_MS, undefined, { ref: false })])
    if (this.#all.length > 0) return
    throw new ApiError(
      'Unreachable',
      `this device has no network address now, so nobody could ${what}; \`coterie status\` says why`
    )
  }
}
