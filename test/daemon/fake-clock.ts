import type { Clock } from '../../src/daemon/surfaces/pace.ts'

/** A clock that goes by itself from timer to timer. */
export class FakeClock implements Clock {
  time = 1000
  timers: { at: number; fn: () => void }[] = []
  now(): number {
    return this.time
  }
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.time + ms, fn }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter(other => other !== timer)
    }
  }
  run(until: number): void {
    for (;;) {
      const next = this.timers.filter(timer => timer.at <= until).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.timers = this.timers.filter(other => other !== next)
      this.time = next.at
      next.fn()
    }
    this.time = until
  }
}
