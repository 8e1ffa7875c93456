/**
 * Comparing in one run: the contenders take turns, A B C A B C…, so that whatever else the machine does hits
 * all of them; the median of the rounds is kept, and what is told is the ratio to the first.
 */
export interface Contender {
  readonly name: string
  /** One round: a figure, of which only comparison with the others' means anything. */
  round(): Promise<number>
}

export interface Figure {
  readonly name: string
  readonly median: number
  readonly ratio: number
}

export async function compare(contenders: readonly Contender[], rounds: number): Promise<Figure[]> {
  const figures = contenders.map(() => [] as number[])
  for (const contender of contenders) await contender.round()
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) figures[index]!.push(await contender.round())
  }
  const medians = figures.map(median)
  return contenders.map(({ name }, index) => ({
    name,
    median: medians[index]!,
    ratio: medians[index]! / medians[0]!
  }))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[sorted.length >> 1]!
}

export function table(title: string, unit: string, figures: readonly Figure[]): string {
  const rows = figures.map(({ name, median, ratio }) => {
    const figure = median >= 100 ? Math.round(median).toLocaleString('en') : median.toPrecision(3)
    return `  ${name.padEnd(28)} ${figure.padStart(12)} ${unit.padEnd(8)} ${ratio.toFixed(2).padStart(6)}`
  })
  return [title, ...rows].join('\n')
}
