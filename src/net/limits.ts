/** How much is taken from the network, and how much is said, in a time. Times are monotonic milliseconds. */

/** At most `perSource` from one source and `total` from all in each second; what is above is to be dropped. */
export class Limits {
  readonly #perSource: number
  readonly #total: number
  readonly #counts = new Map<string, number>()
  #since = -Infinity
  #sum = 0

  constructor(perSource = 10, total = 100) {
    this.#perSource = perSource
    this.#total = total
  }

  allow(now: number, source: string): boolean {
    if (now - this.#since >= 1000) {
      this.#since = now
      this.#sum = 0
      this.#counts.clear()
    }
    if (this.#sum >= this.#total) return false
    const count = this.#counts.get(source) ?? 0
    if (count >= this.#perSource) return false
    this.#counts.set(source, count + 1)
    this.#sum++
    return true
  }
}

/** At most `limit` packets in any span of `spanMs`. */
export class Budget {
  readonly #limit: number
  readonly #spanMs: number
  #times: number[] = []

  constructor(limit: number, spanMs: number) {
    this.#limit = limit
    this.#spanMs = spanMs
  }

  /** True, and counted, when one more may go within this share of the limit. */
  take(now: number, share = 1): boolean {
    this.#times = this.#times.filter(time => now - time < this.#spanMs)
    if (this.#times.length >= this.#limit * share) return false
    this.#times.push(now)
    return true
  }
}
