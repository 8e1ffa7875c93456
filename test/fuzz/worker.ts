/** Runs seeds of a part in a thread of its own. */
import { parentPort } from 'node:worker_threads'
import { parts, type Sums } from './parts.ts'

export interface Task {
  readonly part: string
  readonly from: number
  readonly count: number
}
export interface Done extends Task {
  readonly sums: Sums
  /** The first that went wrong. */
  readonly wrong: { readonly seed: number; readonly text: string } | undefined
}

parentPort!.on('message', ({ part, from, count }: Task) => {
  const sums: Sums = {}
  let wrong: Done['wrong']
  for (let seed = from; seed < from + count && wrong === undefined; seed++) {
    const text = parts[part]!.run(seed, sums)
    if (text !== undefined) wrong = { seed, text }
  }
  parentPort!.postMessage({ part, from, count, sums, wrong } satisfies Done)
})
