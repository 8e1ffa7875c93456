/**
 * All deadlines of one core in one binary heap. Setting, moving and clearing a timer is O(log n); `next` is
 * a stored number, so nothing is ever scanned to learn when to wake up.
 *
 * A timer with slack may fire that much before its time: when the core is awake for something else, so that
 * deadlines close together cost one wake-up. No deadline is ever missed for it.
 */
export interface Timer {
  /** When it is due, in the caller's milliseconds; Infinity while it is not set. */
  at: number
  /** From when on it may fire, if something else is due. */
  from: number
  /** Place in the heap, -1 while it is not set. Only the heap writes it. */
  slot: number
  readonly fire: (now: number) => void
}

export const timer = (fire: (now: number) => void): Timer => ({
  at: Infinity,
  from: Infinity,
  slot: -1,
  fire
})

export class Timers {
  readonly #heap: Timer[] = []

  /** When the first one is due; Infinity when none is. */
  get next(): number {
    return this.#heap[0]?.at ?? Infinity
  }

  get size(): number {
    return this.#heap.length
  }

  /** Sets or moves it; Infinity clears it. `slack`: how much earlier it may fire, in milliseconds. */
  set(timer: Timer, at: number, slack = 0): void {
    if (at === Infinity) {
      this.clear(timer)
      return
    }
    timer.at = at
    timer.from = at - slack
    if (timer.slot === -1) {
      timer.slot = this.#heap.length
      this.#heap.push(timer)
    }
    this.#sift(timer)
  }

  /** Sets it unless it is due earlier already. */
  advance(timer: Timer, at: number): void {
    if (at < timer.at) this.set(timer, at)
  }

  clear(timer: Timer): void {
    const slot = timer.slot
    if (slot === -1) return
    const last = this.#heap.pop()!
    timer.slot = -1
    timer.at = timer.from = Infinity
    if (last === timer) return
    last.slot = slot
    this.#heap[slot] = last
    this.#sift(last)
  }

  clearAll(): void {
    for (const timer of this.#heap.splice(0)) {
      timer.slot = -1
      timer.at = timer.from = Infinity
    }
  }

  /**
   * Fires all that were due at `now`, each once cleared, so that it may set itself again. If there were any, also
   * those next in line that may fire by now.
   */
  expire(now: number): void {
    if (this.next > now) return
    for (let first = this.#heap[0]; first !== undefined && first.from <= now; first = this.#heap[0]) {
      this.clear(first)
      first.fire(now)
    }
  }

  #sift(timer: Timer): void {
    const heap = this.#heap
    let slot = timer.slot
    while (slot > 0) {
      const above = (slot - 1) >> 1
      const parent = heap[above]!
      if (parent.at <= timer.at) break
      heap[slot] = parent
      parent.slot = slot
      slot = above
    }
    for (;;) {
      let below = slot * 2 + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && heap[below + 1]!.at < heap[below]!.at) below++
      const child = heap[below]!
      if (child.at >= timer.at) break
      heap[slot] = child
      child.slot = slot
      slot = below
    }
    heap[slot] = timer
    timer.slot = slot
  }
}
