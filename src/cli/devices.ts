/** `coterie devices`: who belongs to the circle, and what is to be known of each. */
import type { Command } from 'commander'
import type { Result } from '../api/api.ts'
import { fitted } from './columns.ts'
import { json, type Look, lookOf, out, printable, table } from './print.ts'
import { circleOf, withCircle, withDaemon, withJson } from './run.ts'
import { age, ago, day, level, shortId } from './words.ts'

export type Device = Result<'Devices'>['Devices'][number]

const HEADING = ['NAME', 'LEVEL', 'ID', 'ADDED BY', 'SEEN', 'KEY', '']
/** Columns that may be shortened on a terminal, to no less than this. */
const SHORTENED = [0, 3]
const LEAST = 8

export function addDevicesCommand(program: Command): void {
  withJson(withCircle(program.command('devices')))
    .description('all devices of the circle, by its signed log')
    .action(devices)
}

const devices = (options: { circle?: string; json?: boolean }) =>
  withDaemon(async client => {
    const result = await client.call('Devices', circleOf(options))
    if (options.json) json(result)
    else for (const line of deviceLines(result.Devices, lookOf(process.stdout), Date.now() * 1000)) out(line)
  })

/** A terminal gets a heading, and names so short that a line fits; a pipe gets all of them. */
export function deviceLines(all: readonly Device[], look: Look, nowUSec: number): string[] {
  const names = new Map(all.map(d => [d.Id, printable(d.Name)]))
  const rows = all.map(d => [
    names.get(d.Id)!,
    levelOf(d),
    shortId(d.Id),
    d.AddedBy === '' ? '' : (names.get(d.AddedBy) ?? shortId(d.AddedBy)),
    seen(d, nowUSec),
    age(d.KeyChangedUSec, nowUSec),
    marks(d, look.terminal ? 2 : 4).join(', ')
  ])
  const cut = look.terminal
    ? fitted([HEADING, ...rows], look.columns, SHORTENED, LEAST, look.mark('…', '~')).slice(1)
    : rows
  const painted = cut.map((row, i) => {
    const d = all[i]!
    const [name = '', rank = '', id = '', by = '', when = '', key = '', mark = ''] = row
    const state = d.Self || !d.Reachable ? when : look.green(when)
    return [look.bold(name), rank, id, look.dim(by), state, look.dim(key), look.yellow(mark)]
  })
  return table(look, HEADING, painted)
}

/** "guest" where it is one. */
export const levelOf = (d: Device): string =>
  d.Guest ? 'guest' : level(d.Level).replace(/^admin \(level (\d)\)$/, 'admin $1')

function seen(d: Device, nowUSec: number): string {
  if (d.Self) return 'this device'
  if (d.Reachable) return 'reachable'
  return d.LastSeenUSec === 0 ? 'never' : ago(d.LastSeenUSec, nowUSec).replace(/^on /, '')
}

/** What is worth a warning, then what is good to know: as many as there is room for. */
function marks(d: Device, most: number): string[] {
  const words: string[] = []
  if (d.Cloned) words.push('cloned')
  if (d.Stale) words.push('stale')
  if (d.Expired) words.push('expired')
  if (d.Guest && !d.Expired && words.length + 2 <= most) words.push(`until ${day(d.ExpiresUSec)}`)
  return words.slice(0, most)
}
