/**
 * Changes of objects, told at most once per interval and object: at once when the object was quiet, else
 * merged until its interval is over. The last value always goes out.
 */

type Values = { [name: string]: unknown }
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number
  /** Returns the function that cancels it. */
  after(ms: number, fn: () => void): () => void
}
export const realClock: Clock = {
  now: () => performance.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  }
}

export class Pace {
  readonly #intervalMs: number
  readonly #tell: (path: string, changed: Values) => void
  readonly #clock: Clock
  /** When each object may be told again; objects that have been quiet since are dropped in time. */
  readonly #busy = new Map<string, { until: number; waiting: Values | undefined }>()
  #cancel: (() => void) | undefined

  constructor(intervalMs: number, tell: (path: string, changed: Values) => void, clock: Clock = realClock) {
    this.#intervalMs = intervalMs
    this.#tell = tell
    this.#clock = clock
  }

  change(path: string, changed: Values): void {
    const now = this.#clock.now()
    const busy = this.#busy.get(path)
    if (busy && busy.until > now) busy.waiting = { ...busy.waiting, ...changed }
    else this.#send(path, now, { ...busy?.waiting, ...changed })
  }

  /** Tells what waits for this object now, before a signal of it. */
  flush(path: string): void {
    const waiting = this.#busy.get(path)?.waiting
    if (waiting) this.#send(path, this.#clock.now(), waiting)
  }

  /** Forgets what waits, of one object or of all. */
  drop(path: string): void {
    this.#busy.delete(path)
  }
  clear(): void {
    this.#busy.clear()
    this.#cancel?.()
    this.#cancel = undefined
  }

  #send(path: string, now: number, changed: Values): void {
    // Told anew means last in line: the map stays in the order of `until`.
    this.#busy.delete(path)
    this.#busy.set(path, { until: now + this.#intervalMs, waiting: undefined })
    if (!this.#cancel) this.#cancel = this.#clock.after(this.#intervalMs, () => this.#expire())
    this.#tell(path, changed)
  }

  #expire(): void {
    this.#cancel = undefined
    const now = this.#clock.now()
    for (const [path, { until, waiting }] of [...this.#busy]) {
      if (until > now) {
        this.#cancel ??= this.#clock.after(Math.ceil(until - now), () => this.#expire())
        break
      }
      if (waiting) this.#send(path, now, waiting)
      else this.#busy.delete(path)
    }
  }
}
