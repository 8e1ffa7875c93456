/** Figures of repeated measurements, and their table. */

export const units = ['ms', 'short', 'bytes', 'count', 'ms/s', '/s', 'B/s', 'B a flap', '×', 'MB'] as const
export type Unit = (typeof units)[number]
/** What has not happened within its time. */
export const NEVER = Number.POSITIVE_INFINITY

export interface Series {
  readonly what: string
  readonly unit: Unit
  /** Undefined: nobody promised anything. */
  readonly target: { readonly p50: number; readonly p95: number } | undefined
  readonly values: number[]
}

/** Of milliseconds. */
export const series = (what: string, p50: number, p95: number): Series => ({
  what,
  unit: 'ms',
  target: { p50, p95 },
  values: []
})
export const count = (what: string, most: number): Series => figure(what, 'count', most)
/** Without a bound it is only shown. */
export const figure = (what: string, unit: Unit, most?: number): Series => ({
  what,
  unit,
  target: most === undefined ? undefined : { p50: most, p95: most },
  values: []
})

/** The least value that a share `p` of them does not exceed (nearest rank); NaN of none. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN
}

function show(value: number, unit: Unit): string {
  if (Number.isNaN(value)) return '–'
  if (value === NEVER) return 'never'
  // milliseconds too, of what takes a few of them
  if (unit === 'short') return `${value.toFixed(1)} ms`
  if (unit === 'ms') return `${(value / 1000).toFixed(3)} s`
  if (unit === 'bytes') return `${value} B`
  if (unit === 'count') return `${value}`
  return `${value.toFixed(value >= 100 ? 0 : 2)} ${unit}`
}

/** By what was measured; the day is that of the run. */
export function rows(all: readonly Series[], day: string): Map<string, string> {
  return new Map(
    all.map(({ what, unit, target, values }) => {
      const [p50, p95, most] = [percentile(values, 0.5), percentile(values, 0.95), Math.max(...values)]
      const aims = target && [...new Set([target.p50, target.p95].map(v => show(v, unit)))].join(' / ')
      const met = target && (p50 <= target.p50 && p95 <= target.p95 ? 'yes' : '**no**')
      const figures = [p50, p95, most].map(v => show(v, unit)).join(' | ')
      return [what, `| ${what} | ${values.length} | ${figures} | ${aims ?? ''} | ${met ?? ''} | ${day} |`]
    })
  )
}

const HEAD = [
  '| what | runs | p50 | p95 | worst | target p50 / p95 | met | on |',
  '|---|---|---|---|---|---|---|---|'
]
export const table = (of: ReadonlyMap<string, string>): string => [...HEAD, ...of.values()].join('\n')

/** The rows of the table in that section of a document. */
export function rowsIn(document: string, section: string): Map<string, string> {
  const [begin, end] = markers(section).map(marker => document.indexOf(marker)) as [number, number]
  if (begin < 0) return new Map()
  const lines = document.slice(begin, end).split('\n')
  const ours = lines.filter(
    line => line.startsWith('| ') && line !== HEAD[0] && line.split(' | ').length === 8
  )
  return new Map(ours.map(line => [line.slice(2).split(' | ')[0]!, line]))
}

const markers = (section: string) => [`<!-- ${section}: begin -->`, `<!-- ${section}: end -->`]

/** Puts text between the markers of a section of a document; makes the section when it is not there. */
export function place(document: string, section: string, text: string): string {
  const [begin, end] = markers(section) as [string, string]
  const block = `${begin}\n${text.trim()}\n${end}`
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from >= 0 && to > from) return document.slice(0, from) + block + document.slice(to + end.length)
  return `${document.trimEnd()}\n\n## ${section}\n\n${block}\n`
}
