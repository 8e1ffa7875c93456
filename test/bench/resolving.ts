/** What it costs to resolve a membership log of 2,000 operations, fed in batches as peers send them. */
import { Resolver } from '../../src/circle/resolver.ts'
import { FIRST, longHistory } from '../circle/history.ts'

const OPERATIONS = 2_000
const BATCH = 64
const RUNS = 15

/** Medians, milliseconds. */
export interface Resolving {
  readonly all: number
  /** One more operation on top. */
  readonly one: number
}

export function resolving(): Resolving {
  const steps = longHistory(OPERATIONS)
  const last = steps.at(-1)!.id
  const all: number[] = []
  const one: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const resolver = new Resolver()
    const begun = performance.now()
    for (const [n, step] of steps.entries()) {
      resolver.add(step)
      if (n % BATCH === BATCH - 1) resolver.resolve()
    }
    resolver.resolve()
    const then = performance.now()
    resolver.add({ id: 'one more', prev: [last], kind: 'add', author: FIRST, target: 'x', level: 10 })
    resolver.resolve()
    all.push(then - begun)
    one.push(performance.now() - then)
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!
  return { all: median(all), one: median(one) }
}
