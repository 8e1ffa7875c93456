/** Rounds that all contenders share. */
import { type Contender, median } from './ratio.ts'

/** Bytes of a small message. */
export const SMALL = 64

/** One round trip after another; the figure is the median in µs. */
export function trips(name: string, prepare: (back: () => void) => () => void, count = 3000): Contender {
  return {
    name,
    operations: count,
    round: () =>
      new Promise(resolve => {
        const times: number[] = []
        let start = 0
        const go = prepare(() => {
          times.push(performance.now() - start)
          if (times.length === count) resolve(median(times) * 1000)
          else again()
        })
        const again = () => {
          start = performance.now()
          go()
        }
        again()
      })
  }
}

/** Sends `count` pieces, waiting whenever `send` says so, and then for the word that all have come. */
export async function pour(
  count: number,
  send: () => boolean,
  drained: (then: () => void) => void,
  arrived: Promise<void>
): Promise<number> {
  const start = performance.now()
  for (let index = 0; index < count; index++) {
    if (!send()) await new Promise<void>(resolve => drained(resolve))
  }
  await arrived
  return (performance.now() - start) / 1000
}

/** Opens one after another; the figure is how many a second. */
export function serial(name: string, open: () => Promise<{ destroy(): void }>, count = 150): Contender {
  return {
    name,
    operations: count,
    async round() {
      const start = performance.now()
      for (let index = 0; index < count; index++) (await open()).destroy()
      return count / ((performance.now() - start) / 1000)
    }
  }
}
