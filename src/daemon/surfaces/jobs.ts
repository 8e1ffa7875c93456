/**
 * Calls that take long, as objects: `/job/<n>`, published like all others. A job ends by itself, by Cancel,
 * or when its caller leaves the bus; ended ones stay a minute for their caller to read.
 */

import type { ApiError, Implementation, MethodName } from '../../api/api.ts'
import { type Bus, BusError } from '../../host/bus.ts'
import { invoke, type Log } from './answer.ts'
import type { Clock } from './pace.ts'
import type { Publisher } from './publisher.ts'

const KEEP_MS = 60_000
/** Running at once for one caller. */
const MOST = 64

interface Job {
  readonly caller: string
  readonly method: MethodName
  readonly controller: AbortController
  state: 'running' | 'done' | 'failed' | 'cancelled'
  /** Ends the wait to forget it. */
  keep: (() => void) | undefined
}

export class Jobs {
  readonly #bus: Bus
  readonly #publisher: Publisher
  readonly #implementation: Implementation
  readonly #log: Log
  readonly #clock: Clock
  readonly #jobs = new Map<string, Job>()
  /** Ends the watch on a caller's name. */
  readonly #callers = new Map<string, () => void>()
  #last = 0

  constructor(options: {
    bus: Bus
    publisher: Publisher
    implementation: Implementation
    log: Log
    clock: Clock
  }) {
    this.#bus = options.bus
    this.#publisher = options.publisher
    this.#implementation = options.implementation
    this.#log = options.log
    this.#clock = options.clock
  }

  /** Returns the path of the new job; `params` have been checked. */
  start(caller: string, method: MethodName, params: object): string {
    const running = [...this.#jobs.values()].filter(j => j.caller === caller && j.state === 'running')
    if (running.length >= MOST) {
      const sentence = `${MOST} jobs of this caller are running; wait for one to finish, or cancel it`
      throw new BusError('org.freedesktop.DBus.Error.LimitsExceeded', sentence)
    }
    const path = `/job/${++this.#last}`
    const job: Job = {
      caller,
      method,
      controller: new AbortController(),
      state: 'running',
      keep: undefined
    }
    this.#jobs.set(path, job)
    this.#publish(path, job, '', {})
    if (!this.#callers.has(caller)) {
      this.#callers.set(
        caller,
        this.#bus.watchName(caller, owner => owner === '' && this.#gone(caller))
      )
    }
    // Not before the reply with the path is on its way.
    setImmediate(() => void this.#run(path, job, params))
    return path
  }

  /** Whose job it is; undefined when there is no such job. */
  caller(path: string): string | undefined {
    return this.#jobs.get(path)?.caller
  }

  cancel(path: string): void {
    const job = this.#jobs.get(path)
    if (job) this.#end(path, job, 'cancelled', {})
  }

  /** Cancels and forgets all. */
  stop(): void {
    for (const caller of [...this.#callers.keys()]) this.#gone(caller)
  }

  async #run(path: string, job: Job, params: object): Promise<void> {
    if (job.state !== 'running') return
    const { signal } = job.controller
    // What a sentence does not say is for the caller alone, and on D-Bus all would read it.
    const progress = (sentence: string) => {
      if (job.state === 'running') this.#publish(path, job, sentence, {})
    }
    try {
      const call = { signal, progress }
      const result = await invoke(this.#implementation, job.method, params, call as never, this.#log)
      this.#end(path, job, 'done', result as { [name: string]: unknown })
    } catch (error) {
      const { code, message } = error as ApiError
      this.#end(path, job, code === 'Cancelled' ? 'cancelled' : 'failed', { Error: code, Message: message })
    }
  }

  #end(path: string, job: Job, state: Job['state'], result: { [name: string]: unknown }): void {
    if (job.state !== 'running') return
    job.state = state
    this.#publish(path, job, '', result)
    this.#publisher.signal('Finished', path, { State: state, Result: result })
    if (state === 'cancelled') job.controller.abort()
    job.keep = this.#clock.after(KEEP_MS, () => this.#forget(path, job))
  }

  #gone(caller: string): void {
    for (const [path, job] of [...this.#jobs]) if (job.caller === caller) this.#forget(path, job)
    this.#callers.get(caller)?.()
    this.#callers.delete(caller)
  }

  #forget(path: string, job: Job): void {
    job.keep?.()
    this.#jobs.delete(path)
    this.#publisher.remove(path)
    if (job.state === 'running') {
      job.state = 'cancelled'
      job.controller.abort()
    }
    if ([...this.#jobs.values()].some(j => j.caller === job.caller)) return
    this.#callers.get(job.caller)?.()
    this.#callers.delete(job.caller)
  }

  #publish(path: string, job: Job, progress: string, result: { [name: string]: unknown }): void {
    this.#publisher.set('Job', path, {
      Method: job.method,
      State: job.state,
      Progress: progress,
      Result: result
    })
  }
}
