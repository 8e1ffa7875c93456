/** At most so many in any second, half of them at once. `now` is monotonic milliseconds. Pure. */
export class Allowance {
  readonly #half: number
  #left: number
  #at = 0

  constructor(aSecond: number) {
    this.#half = this.#left = aSecond / 2
  }

  take(now: number): boolean {
    this.#left = Math.min(this.#half, this.#left + ((now - this.#at) * this.#half) / 1000)
    this.#at = now
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
