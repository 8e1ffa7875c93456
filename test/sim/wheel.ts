/**
 * Simulated time for very many events: one slot a millisecond, in a wheel. What is planned for one millisecond
 * happens in the order in which it was planned. Nothing is planned further ahead than the wheel is long.
 */
const SLOTS = 2 ** 17

export class Wheel {
  now = 0
  events = 0
  readonly #slots: (() => void)[][] = Array.from({ length: SLOTS }, () => [])

  /** Milliseconds from now, at least one, at most `longest`. */
  after(ms: number, act: () => void): void {
    this.#slots[(this.now + Math.max(1, Math.min(ms, this.longest))) & (SLOTS - 1)]!.push(act)
  }

  get longest(): number {
    return SLOTS - 1
  }

  /** Lets that many milliseconds pass. */
  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now++
      const slot = this.#slots[this.now & (SLOTS - 1)]!
      if (slot.length === 0) continue
      for (let i = 0; i < slot.length; i++) slot[i]!()
      this.events += slot.length
      slot.length = 0
    }
  }
}
