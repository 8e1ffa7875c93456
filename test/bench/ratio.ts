/**
 * Comparing in one run: the contenders take turns, A B C A B C…, so that whatever else the machine does hits
 * all of them; the median of the rounds is kept, and what is told is the ratio to the first.
 */
export interface Contender {
  readonly name: string
  /** One round: a figure, of which only comparison with the others' means anything. */
  round(): Promise<number>
  /** What one round does, for CPU time of each. */
  readonly operations?: number
}

export interface Figure {
  readonly name: string
  readonly median: number
  /** To the first contender, round by round; their median. */
  readonly ratio: number
  /** Of each round. */
  readonly values: readonly number[]
  /** CPU time of one operation, all processes together; less moved by a busy machine than the figure. */
  readonly cpuUSec?: number
}

/** `cpu` gives the CPU time spent so far by all processes taking part, in µs. */
export async function compare(
  contenders: readonly Contender[],
  rounds: number,
  cpu?: () => Promise<number>
): Promise<Figure[]> {
  const figures = contenders.map(() => ({ values: [] as number[], cpu: [] as number[] }))
  for (const contender of contenders) await contender.round()
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      const before = (await cpu?.()) ?? 0
      figures[index]!.values.push(await contender.round())
      figures[index]!.cpu.push(((await cpu?.()) ?? 0) - before)
    }
  }
  return contenders.map(({ name, operations }, index) => {
    const middle = median(figures[index]!.values)
    const cpuUSec = operations && cpu ? { cpuUSec: median(figures[index]!.cpu) / operations } : {}
    const values = figures[index]!.values
    return { name, median: middle, ratio: ratio(values, figures[0]!.values), values, ...cpuUSec }
  })
}

/** The median of the rounds' ratios: what slows the machine for a while slows both. */
export function ratio(values: readonly number[], others: readonly number[]): number {
  return median(values.map((value, round) => value / others[round]!))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[sorted.length >> 1]!
}

export function table(title: string, unit: string, figures: readonly Figure[]): string {
  const rows = figures.map(({ name, median, ratio, cpuUSec }) => {
    const figure = median >= 100 ? Math.round(median).toLocaleString('en') : median.toPrecision(3)
    const cpu = cpuUSec === undefined ? '' : `${cpuUSec.toFixed(2).padStart(10)} µs CPU`
    return `  ${name.padEnd(28)} ${figure.padStart(12)} ${unit.padEnd(6)} ${ratio.toFixed(2).padStart(6)}${cpu}`
  })
  return [title, ...rows].join('\n')
}
