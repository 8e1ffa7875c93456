/**
 * Record, then send: the outputs of one core wait, in order, for the commit of the records that came with
 * them. A commit that fails (full disk) is tried again for as long as it takes; meanwhile nothing that
 * depends on it leaves.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Write } from '../../host/database.ts'

const RETRY_MS = [250, 1_000, 5_000, 15_000]

export class Journal {
  #waiting: Promise<void> | undefined
  #commit: (writes: readonly Write[]) => Promise<void>
  #trouble: (error: Error | undefined) => void
  #stopped = false
  /** Since the last commit failed; rejects whoever will not wait for the next try. */
  #failing: Error | undefined
  #failed = Promise.withResolvers<never>()

  /** `trouble` is told of each failed commit, and of the first that works again (undefined). */
  constructor(
    commit: (writes: readonly Write[]) => Promise<void>,
    trouble: (error: Error | undefined) => void
  ) {
    this.#commit = commit
    this.#trouble = trouble
    this.#failed.promise.catch(() => {})
  }

  /** Something that was carried is not committed, or not sent yet. */
  get busy(): boolean {
    return this.#waiting !== undefined
  }

  /** Runs `send` at once when nothing waits and nothing is to be written; else after the commit. */
  carry(writes: readonly Write[], send: () => void): void {
    if (writes.length === 0 && this.#waiting === undefined) {
      send()
      return
    }
    const step = (this.#waiting ?? Promise.resolve()).then(async () => {
      if (writes.length > 0) await this.#persist(writes)
      if (!this.#stopped) send()
    })
    this.#waiting = step
    step.then(() => {
      if (this.#waiting === step) this.#waiting = undefined
    })
  }

  /** Resolves when all that was carried so far has been committed and sent. */
  async settled(): Promise<void> {
    while (this.#waiting !== undefined) await this.#waiting
  }

  /** As `settled`, but rejects with its error once a commit has failed. */
  async committed(): Promise<void> {
    while (this.#waiting !== undefined) {
      if (this.#failing !== undefined) throw this.#failing
      await Promise.race([this.#waiting, this.#failed.promise])
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async #persist(writes: readonly Write[]): Promise<void> {
    for (let attempt = 0; !this.#stopped; attempt++) {
      try {
        await this.#commit(writes)
        if (attempt > 0) this.#trouble(undefined)
        this.#failing = undefined
        return
      } catch (error) {
        this.#fail(error as Error)
        await delay(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]!, undefined, { ref: false })
      }
    }
  }
  #fail(error: Error): void {
    this.#trouble(error)
    this.#failing = error
    this.#failed.reject(error)
    this.#failed = Promise.withResolvers()
    this.#failed.promise.catch(() => {})
  }
}
