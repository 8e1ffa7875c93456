/** Simulated time: what is planned happens in order of time, then of planning. Milliseconds, from 0. */
interface Plan {
  readonly at: number
  readonly order: number
  act: (() => void) | undefined
}

export class Clock {
  now = 0
  #order = 0
  readonly #heap: Plan[] = []

  /** Returns what cancels it. */
  after(ms: number, act: () => void): () => void {
    const plan: Plan = { at: this.now + ms, order: this.#order++, act }
    let at = this.#heap.push(plan) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(plan, this.#heap[parent]!)) break
      this.#heap[at] = this.#heap[parent]!
      at = parent
    }
    this.#heap[at] = plan
    return () => {
      plan.act = undefined
    }
  }

  /** Does the next thing that is planned, if it is up to `until`. False when there is none. */
  step(until: number): boolean {
    if (this.#heap.length === 0 || this.#heap[0]!.at > until) return false
    const plan = this.#pop()
    this.now = plan.at
    plan.act?.()
    return true
  }

  /** Does all that is planned up to `until` (an instant), then stands there. */
  run(until: number): void {
    while (this.step(until)) {}
    this.now = Math.max(this.now, until)
  }

  /** As run, letting promises settle after each step. */
  async settle(until: number): Promise<void> {
    for (;;) {
      await new Promise(resolve => setImmediate(resolve))
      if (this.#heap.length === 0 || this.#heap[0]!.at > until) break
      this.run(this.#heap[0]!.at)
    }
    this.now = Math.max(this.now, until)
  }

  #pop(): Plan {
    const first = this.#heap[0]!
    const last = this.#heap.pop()!
    if (this.#heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && before(this.#heap[child + 1]!, this.#heap[child]!)) child++
      if (!before(this.#heap[child]!, last)) break
      this.#heap[at] = this.#heap[child]!
      at = child
    }
    this.#heap[at] = last
    return first
  }
}

function before(a: Plan, b: Plan): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
