/**
 * Latencies as a row of bars. One scale for all rows, so that they can be compared: each bar is about three times
 * the one below it. Pure.
 */
import type { Look } from './print.ts'

/** The most that each bar but the highest stands for, in microseconds. */
const STEPS_USEC = [300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000]
const FINE = '▁▂▃▄▅▆▇█'
const PLAIN = '_.,-=+*#'

/** The last `columns` samples, the newest at the right; 0, where there was none, is a gap. */
export function sparkline(samplesUSec: readonly number[], columns: number, look: Look): string {
  if (columns <= 0) return ''
  const bars = look.mark(FINE, PLAIN)
  const drawn = samplesUSec.slice(-columns).map(usec => {
    const step = STEPS_USEC.findIndex(most => usec <= most)
    return usec <= 0 ? ' ' : bars[step < 0 ? STEPS_USEC.length : step]!
  })
  return drawn.join('').padStart(columns)
}

/** What the bars mean: the bar and the most it stands for, in microseconds. */
export const scale = (look: Look): (readonly [bar: string, mostUSec: number])[] =>
  STEPS_USEC.map((most, i) => [look.mark(FINE, PLAIN)[i]!, most])
