/**
 * Whose run is next. A run of joining by a code costs the inviter some milliseconds before the other has
 * shown anything, so there are few: one a second for each source, four for all. Nobody is turned away for
 * that; he waits, and who had no turn for the longest time comes first, so that a flood from one source
 * does not starve another. Pure.
 */

/** 4 a second, 4 at once. */
const ALL = { perMs: 0.004, burst: 4 }
const EACH_MS = 1_000
/** How long a turn is remembered; what ALL lets through bounds their number. */
const REMEMBERED_MS = 60_000

export class Turns<T> {
  #waiting: { readonly source: string; readonly one: T }[] = []
  readonly #last = new Map<string, number>()
  #tokens = ALL.burst
  #at = 0

  wait(source: string, one: T): void {
    this.#waiting.push({ source, one })
  }

  /** Those of whom it is so wait no more. */
  forget(so: (one: T) => boolean): void {
    this.#waiting = this.#waiting.filter(({ one }) => !so(one))
  }

  /** Those whose turn it is; they wait no more. `now` is monotonic milliseconds. */
  next(now: number): T[] {
    this.#tokens = Math.min(ALL.burst, this.#tokens + (now - this.#at) * ALL.perMs)
    this.#at = now
    for (const [source, last] of this.#last) if (last + REMEMBERED_MS <= now) this.#last.delete(source)
    const turns: T[] = []
    while (this.#tokens >= 1) {
      const first = this.#first(now)
      if (first === undefined) break
      this.#tokens--
      this.#last.delete(first.source)
      this.#last.set(first.source, now)
      this.#waiting = this.#waiting.filter(waiting => waiting !== first)
      turns.push(first.one)
    }
    return turns
  }

  #first(now: number): { source: string; one: T } | undefined {
    let first: { source: string; one: T } | undefined
    let least = now - EACH_MS
    for (const waiting of this.#waiting) {
      const last = this.#last.get(waiting.source) ?? Number.NEGATIVE_INFINITY
      if (first === undefined ? last <= least : last < least) {
        first = waiting
        least = last
      }
    }
    return first
  }
}
