/** Figures of repeated measurements, and their table. */

export interface Series {
  readonly what: string
  /** Milliseconds, or bytes. */
  readonly unit: 'ms' | 'bytes'
  readonly target: { readonly p50: number; readonly p95: number }
  readonly values: number[]
}

/** The least value that a share `p` of them does not exceed (nearest rank); NaN of none. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN
}

export function table(all: readonly Series[]): string {
  const show = (value: number, unit: string) =>
    Number.isNaN(value) ? '–' : unit === 'ms' ? `${(value / 1000).toFixed(3)} s` : `${value} B`
  const rows = all.map(({ what, unit, target, values }) => {
    const [p50, p95, most] = [percentile(values, 0.5), percentile(values, 0.95), Math.max(...values)]
    const aims =
      target.p50 === target.p95
        ? show(target.p95, unit)
        : `${show(target.p50, unit)} / ${show(target.p95, unit)}`
    const met = p50 <= target.p50 && p95 <= target.p95 ? 'yes' : 'no'
    const figures = [p50, p95, most].map(v => show(v, unit)).join(' | ')
    return `| ${what} | ${values.length} | ${figures} | ${aims} | ${met} |`
  })
  return [
    '| what | runs | p50 | p95 | worst | target p50 / p95 | met |',
    '|---|---|---|---|---|---|---|',
    ...rows
  ].join('\n')
}

/** Puts text between the markers of a section of a document; makes the section when it is not there. */
export function place(document: string, section: string, text: string): string {
  const [begin, end] = [`<!-- ${section}: begin -->`, `<!-- ${section}: end -->`]
  const block = `${begin}\n${text.trim()}\n${end}`
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from >= 0 && to > from) return document.slice(0, from) + block + document.slice(to + end.length)
  return `${document.trimEnd()}\n\n## ${section}\n\n${block}\n`
}
