/** As many threads as there are processors, all at one part. */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { parts, type Sums } from './parts.ts'
import type { Done, Task } from './worker.ts'

const CHUNK = 500

export interface Outcome {
  readonly runs: number
  readonly seconds: number
  readonly sums: Sums
  readonly wrong: Done['wrong']
}

export class Crew {
  readonly #workers = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL('./worker.ts', import.meta.url), { execArgv: ['--no-warnings'] })
  )

  /** Stops at the first that goes wrong. `told` is called after each chunk with the runs so far. */
  async run(part: string, seed: number, count: number, told: (runs: number) => void = () => {}) {
    const runs = Math.max(1, Math.round(count * parts[part]!.share))
    const sums: Sums = {}
    const began = performance.now()
    let next = 0
    let done = 0
    let wrong: Done['wrong']
    const work = async (worker: Worker) => {
      while (next < runs && wrong === undefined) {
        const task: Task = { part, from: seed + next, count: Math.min(CHUNK, runs - next) }
        next += task.count
        const result = await answer(worker, task)
        for (const [what, n] of Object.entries(result.sums)) sums[what] = (sums[what] ?? 0) + n
        wrong ??= result.wrong
        told((done += task.count))
      }
    }
    await Promise.all(this.#workers.map(work))
    const outcome: Outcome = { runs: done, seconds: (performance.now() - began) / 1000, sums, wrong }
    return outcome
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }
}

const answer = (worker: Worker, task: Task): Promise<Done> =>
  new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('message', result => {
      worker.off('error', reject)
      resolve(result)
    })
    worker.postMessage(task)
  })
