/**
 * Handlers of events: what happens to a peer or to the daemon runs all that are for it. A handler runs for one event
 * at a time, in order; AT_ONCE run in all. Of what waits for a handler only the latest of one event of one peer is kept:
 * of a peer that comes and goes faster than its handler runs, the last that the handler hears is how it is. Events are
 * told when they happen or not at all: nothing is kept over a restart.
 */
import { dirname, join } from 'node:path'
import { fileProblem } from '../../host/handler-files.ts'
import type { About, Handler } from '../../messages/lookup.ts'
import type { Log } from '../log.ts'
import type { Environment } from './environment.ts'
import type { Runs } from './runs.ts'

const AT_ONCE = 4
/** For one handler; the oldest is left out. */
const WAITING = 256

export interface OccasionsOptions {
  readonly find: (family: 'peer' | 'daemon', event: string, about: About) => readonly Handler[]
  readonly runs: Pick<Runs, 'start'>
  /** Another one for each run. */
  readonly name: () => string
  readonly log: Log
}

interface Queue {
  readonly folder: string
  readonly path: string
  /** What waits, by event and peer, oldest first. */
  readonly waiting: Map<string, Environment>
}

export class Occasions {
  readonly #options: OccasionsOptions
  /** By file; only those for which something waits. The one whose turn was longest ago first. */
  readonly #queues = new Map<string, Queue>()
  readonly #running = new Map<string, Promise<void>>()

  constructor(options: OccasionsOptions) {
    this.#options = options
  }

  /** Runs that are under way, and events that wait. */
  get load(): { readonly running: number; readonly waiting: number } {
    const waiting = [...this.#queues.values()].reduce((sum, { waiting }) => sum + waiting.size, 0)
    return { running: this.#running.size, waiting }
  }

  tell(family: 'peer' | 'daemon', event: string, about: About, environment: Environment): void {
    const key = `${event} ${environment['COTERIE_PEER'] ?? ''}`
    for (const { folder, path } of this.#options.find(family, event, about)) {
      const file = join(folder, path)
      const queue = this.#queues.get(file) ?? { folder, path, waiting: new Map() }
      this.#queues.set(file, queue)
      queue.waiting.delete(key)
      if (queue.waiting.size >= WAITING) queue.waiting.delete(queue.waiting.keys().next().value!)
      queue.waiting.set(key, environment)
    }
    this.#pump()
  }

  /** What waits does not begin. */
  clear(): void {
    this.#queues.clear()
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running.values())
  }

  #pump(): void {
    for (const [file, queue] of [...this.#queues]) {
      if (this.#running.size >= AT_ONCE) return
      if (this.#running.has(file)) continue
      const [key, environment] = queue.waiting.entries().next().value!
      queue.waiting.delete(key)
      this.#queues.delete(file)
      if (queue.waiting.size > 0) this.#queues.set(file, queue)
      const run = this.#run(queue, environment).then(() => {
        this.#running.delete(file)
        this.#pump()
      })
      this.#running.set(file, run)
    }
  }

  async #run({ folder, path }: Queue, environment: Environment): Promise<void> {
    const { log, name, runs } = this.#options
    const file = join(folder, path)
    const problem = await fileProblem(folder, path)
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
