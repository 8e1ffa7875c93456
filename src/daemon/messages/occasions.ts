/**
 * Handlers of events: what happens to a peer or to the daemon runs all that are for it. A handler runs for one event
 * at a time, in order; AT_ONCE run in all. Events are told when they happen or not at all: nothing is kept over a restart,
 * and of a handler that does not keep up the oldest events are left out.
 */
import { dirname, join } from 'node:path'
import { fileProblem } from '../../host/handler-files.ts'
import type { About, Handler } from '../../messages/lookup.ts'
import type { Log } from '../log.ts'
import type { Environment } from './environment.ts'
import type { Runs } from './runs.ts'

const AT_ONCE = 4
const WAITING = 64

export interface OccasionsOptions {
  readonly find: (family: 'peer' | 'daemon', event: string, about: About) => readonly Handler[]
  readonly runs: Pick<Runs, 'start'>
  /** Another one for each run. */
  readonly name: () => string
  readonly log: Log
}

export class Occasions {
  readonly #options: OccasionsOptions
  /** By file: what waits for it, oldest first. */
  readonly #waiting = new Map<string, Environment[]>()
  readonly #running = new Set<string>()

  constructor(options: OccasionsOptions) {
    this.#options = options
  }

  tell(family: 'peer' | 'daemon', event: string, about: About, environment: Environment): void {
    for (const { folder, path } of this.#options.find(family, event, about)) {
      const file = join(folder, path)
      const waiting = this.#waiting.get(file) ?? []
      if (waiting.length >= WAITING) waiting.shift()
      waiting.push(environment)
      this.#waiting.set(file, waiting)
    }
    this.#pump()
  }

  /** What runs goes on; what waits does not begin. */
  stop(): void {
    this.#waiting.clear()
  }

  #pump(): void {
    for (const [file, waiting] of this.#waiting) {
      if (this.#running.size >= AT_ONCE) return
      if (this.#running.has(file)) continue
      const environment = waiting.shift()
      if (waiting.length === 0) this.#waiting.delete(file)
      if (environment === undefined) continue
      this.#running.add(file)
      void this.#run(file, environment).then(() => {
        this.#running.delete(file)
        this.#pump()
      })
    }
  }

  async #run(file: string, environment: Environment): Promise<void> {
    const { log, name, runs } = this.#options
    const problem = await fileProblem(file)
    if (problem !== '') {
      log('warn', `the handler ${file} was not run: ${problem}`)
      return
    }
    const body = new Uint8Array()
    const run = { name: name(), file, directory: dirname(file), environment, body, output: false }
    const running = await runs.start(run)
    const end = await running.ended
    void running.release()
    if (end.type === 'exit' && end.code === 0) return
    const how = end.type === 'exit' ? `ended with ${end.code}` : end.type
    log('info', `handler ${how}`, { handler: file, unit: run.name, stderr: end.complaint })
  }
}
