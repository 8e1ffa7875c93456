/** `coterie status --matrix`: who sees whom. On a terminal a table, observers down, observed across; else rows. */
import type { Result } from '../api/api.ts'
import { width } from './columns.ts'
import type { Look } from './print.ts'
import { aligned, printable, wrapped } from './print.ts'
import { duration, latency, reason } from './words.ts'

type Sight = Result<'Matrix'>['Rows'][number]

export function matrixLines(rows: readonly Sight[], look: Look): string[] {
  if (rows.length === 0) return ['There is no other device to see.']
  if (!look.terminal) return flat(rows)
  const observers = unique(rows.map(row => [row.Observer, row.ObserverName]))
  const observed = unique([...observers, ...rows.map(row => [row.Peer, row.PeerName] as const)])
  const cell = (observer: string, peer: string) => {
    if (observer === peer) return look.dim(look.mark('·', '.'))
    const row = rows.find(one => one.Observer === observer && one.Peer === peer)
    return row === undefined ? look.dim('?') : seen(row, look)
  }
  const across = [...observed.keys()]
  const table = aligned([
    ['', ...across.map(id => look.dim(printable(observed.get(id)!)))],
    ...[...observers].map(([id, name]) => [look.bold(printable(name)), ...across.map(peer => cell(id, peer))])
  ])
  if (table.some(line => width(line) > look.columns)) return summed(rows, observers, look)
  const away = rows.filter(({ State }) => State !== 'reachable')
  if (away.length === 0) return table
  const silent = [...observed].filter(([id]) => !observers.has(id)).map(([, name]) => printable(name))
  return [
    ...table,
    '',
    ...aligned(
      away.map(row => [
        `${printable(row.ObserverName)} ${look.mark('→', '->')} ${printable(row.PeerName)}`,
        row.State,
        look.dim(because(row))
      ])
    ),
    ...(silent.length > 0
      ? wrapped(`Not told: what is seen by ${silent.join(', ')}.`, look.columns).map(look.dim)
      : [])
  ]
}

/** One row a pair. */
const flat = (rows: readonly Sight[]): string[] =>
  aligned(
    rows.map(row => [
      printable(row.ObserverName),
      printable(row.PeerName),
      row.State,
      row.State === 'reachable' ? latency(row.LatencyUSec) : because(row)
    ])
  )

/** Too many for a table: of each how many it sees, and whom not. */
function summed(rows: readonly Sight[], observers: ReadonlyMap<string, string>, look: Look): string[] {
  return [...observers].flatMap(([id, name]) => {
    const own = rows.filter(row => row.Observer === id)
    const away = own.filter(({ State }) => State !== 'reachable')
    const missing = away.map(
      row => `${printable(row.PeerName)} (${[row.State, reason(row.Reason)].filter(Boolean).join(': ')})`
    )
    const text = `sees ${own.length - away.length} of ${own.length}${missing.length > 0 ? `, not ${missing.join(', ')}` : ''}`
    return wrapped(text, look.columns, `${look.bold(printable(name))} `)
  })
}

function seen({ State, LatencyUSec }: Sight, look: Look): string {
  if (State === 'reachable') return look.green(latency(LatencyUSec) || 'yes')
  if (State === 'suspect') return look.yellow('suspect')
  return State === 'asleep' ? look.dim('asleep') : look.red('no')
}

function because({ Reason, AgeUSec, State }: Sight): string {
  const why = Reason === '' || Reason === State ? '' : reason(Reason)
  const age = AgeUSec > 0 ? `for ${duration(AgeUSec)}` : ''
  return [why, age].filter(Boolean).join(', ')
}

const unique = (pairs: Iterable<readonly [string, string] | readonly string[]>): Map<string, string> =>
  new Map([...pairs].map(([id = '', name = '']) => [id, name]))
