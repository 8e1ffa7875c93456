/**
 * Time as a program had it: without that in which nothing ran here, as the machine stood still or did something
 * else. For tests that hold a program to a time.
 */

/** Looked at so often; what is later than twice as much is a stall. */
const EVERY_MS = 20

interface Teardown {
  teardown(fn: () => unknown): void
}

export class Stalls {
  #last = performance.now()
  #milliseconds = 0

  constructor(t: Teardown) {
    const timer = setInterval(() => this.#look(), EVERY_MS)
    timer.unref()
    t.teardown(() => clearInterval(timer))
  }

  /** Milliseconds that passed, but for stalls, from now until the function that comes back is called. */
  watch(): () => number {
    this.#look()
    const [from, before] = [performance.now(), this.#milliseconds]
    return () => {
      this.#look()
      return performance.now() - from - (this.#milliseconds - before)
    }
  }

  #look(): void {
    const now = performance.now()
    const late = now - this.#last - EVERY_MS
    this.#last = now
    if (late > EVERY_MS) this.#milliseconds += late
  }
}

/** Milliseconds that this thread has computed, whatever else ran meanwhile. */
export function computed(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
