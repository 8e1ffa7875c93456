/**
 * What was seen when the pictures of README were made, and the lines that the program makes of it. The recorder
 * (record.ts) writes it and compares these lines with what was on the terminal; the test draws the pictures anew.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from '../../src/api/api.ts'
import { type Look, lookOf } from '../../src/cli/print.ts'
import { statusLines } from '../../src/cli/status.ts'
import { topLines } from '../../src/cli/top-lines.ts'
import { Scene } from '../../src/cli/top-scene.ts'
import { EventLines } from '../../src/cli/watch.ts'
import { picture } from './svg.ts'

export type Event = Result<'Watch'>

/** The times are milliseconds since 1970. */
export interface StatusSeen {
  readonly nowMs: number
  readonly status: Result<'Status'>
}
export interface WatchSeen {
  readonly known: Result<'Status'>['Peers']
  /** Those that happened while it was watched, after those that tell what is there. */
  readonly events: readonly { readonly atMs: number; readonly event: Event }[]
}
/** What a live view was given, in its order. */
export type Given =
  | { readonly type: 'event'; readonly atMs: number; readonly event: Event }
  | { readonly type: 'sample' }
  | { readonly type: 'count'; readonly energy: Pick<Result<'Energy'>, 'Total' | 'UpUSec'> }
  | { readonly type: 'key'; readonly name: string }
export interface TopSeen {
  readonly nowMs: number
  readonly status: Result<'Status'>
  readonly waiting: Result<'Outbox'>['Messages']
  readonly given: readonly Given[]
  /** The subnets of the interfaces there. */
  readonly near: { readonly [address: string]: string }
}
export interface Seen {
  readonly status: StatusSeen
  readonly watch: WatchSeen
  readonly top: TopSeen
}

export const COLUMNS = { status: 78, watch: 78, top: 100 } as const
export const TOP_ROWS = 24
export const RECORD = join(import.meta.dirname, 'seen.json')
export const IMAGES = join(import.meta.dirname, '../../docs/images')
/** Times are shown as they are there. */
export const TIME_ZONE = 'UTC'

export const lookAt = (columns: number): Look =>
  lookOf({ isTTY: true, columns } as NodeJS.WriteStream, { LANG: 'C.UTF-8', TERM: 'xterm' })

export const statusSeen = ({ nowMs, status }: StatusSeen): string[] =>
  statusLines(status, lookAt(COLUMNS.status), nowMs * 1000)

export function watchSeen({ known, events }: WatchSeen): string[] {
  const lines = new EventLines(lookAt(COLUMNS.watch))
  lines.know(known)
  return events.flatMap(({ atMs, event }) => lines.of(event, new Date(atMs)))
}

export function topSeen({ nowMs, status, waiting, given, near }: TopSeen): string[] {
  const look = lookAt(COLUMNS.top)
  const scene = new Scene(look)
  scene.begin(status, waiting)
  for (const one of given) {
    if (one.type === 'event') scene.receive(one.event, new Date(one.atMs))
    else if (one.type === 'sample') scene.sample()
    else if (one.type === 'count') scene.count(one.energy)
    else scene.press(one.name)
  }
  const view = { look, rows: TOP_ROWS, nowUSec: nowMs * 1000, near: (address: string) => near[address] ?? '' }
  return topLines(scene, view)
}

const prompt = (command: string): string => `\x1b[2m$\x1b[0m ${command}`

/** By file name. */
export function pictures(seen: Seen): { readonly [name: string]: string } {
  return {
    'status.svg': picture(
      'coterie status',
      [prompt('coterie status'), ...statusSeen(seen.status)],
      COLUMNS.status
    ),
    'watch.svg': picture('coterie watch', [prompt('coterie watch'), ...watchSeen(seen.watch)], COLUMNS.watch),
    'top.svg': picture('coterie top', topSeen(seen.top), COLUMNS.top)
  }
}

export const readSeen = (): Seen => JSON.parse(readFileSync(RECORD, 'utf8'))
