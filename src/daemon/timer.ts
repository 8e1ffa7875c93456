/** One timer for all deadlines of all cores. Cores are asked, never called back out of turn. */
const AT_MOST_MS = 2 ** 31 - 1

export class Timer {
  #now: () => number
  #due: () => number
  #expire: (lateMs: number) => void
  #armed: NodeJS.Timeout | undefined
  /** How often it went off. */
  fires = 0
  #at = Number.POSITIVE_INFINITY

  /** `due` gives the least deadline (Infinity: none); `expire` is called when it has passed, and told how long ago. */
  constructor(now: () => number, due: () => number, expire: (lateMs: number) => void) {
    this.#now = now
    this.#due = due
    this.#expire = expire
  }

  /** Call whenever a deadline may have changed; cheap when it has not. */
  arm(): void {
    const due = this.#due()
    if (due === this.#at && this.#armed !== undefined) return
    this.stop()
    if (due === Number.POSITIVE_INFINITY) return
    this.#at = due
    // rounded up: a timer that fires early would only be set again
    const wait = Math.min(AT_MOST_MS, Math.max(0, Math.ceil(due - this.#now())))
    this.#armed = setTimeout(() => {
      this.#armed = undefined
      this.fires++
      this.#expire(this.#now() - due)
      this.arm()
    }, wait)
  }

  stop(): void {
    clearTimeout(this.#armed)
    this.#armed = undefined
    this.#at = Number.POSITIVE_INFINITY
  }
}

/** Once, unless it is cancelled by what is returned. Keeps the process from nothing. */
export function afterMs(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms)
  timer.unref()
  return () => clearTimeout(timer)
}
