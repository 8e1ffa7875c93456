/** `coterie` without a word: where one is, and what to do next, in three lines. */
import type { Result } from '../api/api.ts'
import { NotRunning } from './client.ts'
import { cut, width } from './columns.ts'
import { type Look, lookOf, out, printable } from './print.ts'
import { NOT_RUNNING, withDaemon } from './run.ts'
import { type Starting, starting } from './starting.ts'
import { byState, heading, mark, steps } from './status.ts'
import { count, latency } from './words.ts'

type Status = Result<'Status'>

/** Ends with the exit code: 3 when the daemon does not run. */
export async function first(): Promise<number> {
  const look = lookOf(process.stdout)
  try {
    await withDaemon(async client => {
      const status = await client.call('Status', {})
      for (const line of nextLines(status, look)) out(line)
    })
    return 0
  } catch (error) {
    if (!(error instanceof NotRunning)) throw error
    for (const line of startLines(starting(), look)) out(line)
    return NOT_RUNNING
  }
}

export const startLines = ({ command, what }: Starting, look: Look): string[] => [
  'coteried does not run here. To start it:',
  ...steps([[command, what]], look),
  `Then ${look.bold('coterie')} says what comes next, and ${look.bold('coterie help')} what there is.`
]

/** Where this device stands, and the step that follows. */
export function nextLines(status: Status, look: Look): string[] {
  const { Device, Circle, Peers } = status
  const name = look.bold(printable(Device.Name))
  if (Device.State === 'new')
    return [
      `${name} is in no circle yet, and speaks with nobody.`,
      ...steps(
        [
          ['coterie init', 'starts a circle here'],
          ['coterie join CODE', 'joins one, with the code that `coterie invite` shows there']
        ],
        look
      )
    ]
  if (Device.State !== 'ready' || Circle.Level === 0)
    return [
      ...heading(status, look, false),
      `${look.bold('coterie status')} and ${look.bold('coterie doctor')} say more.`
    ]
  const home = look.bold(printable(Circle.Name))
  if (Circle.Members <= 1)
    return [
      `${name} is the only device in the circle ${home} so far.`,
      ...steps(
        [
          ['coterie invite', 'shows a code here'],
          ['coterie join CODE', 'lets another device in, typed there']
        ],
        look
      )
    ]
  const near = Peers.filter(({ Reachable }) => Reachable).length
  const notes =
    status.Notes.length === 0 ? '' : look.yellow(` (${count(status.Notes.length, 'note')}: coterie status)`)
  return [
    `${name} in the circle ${home}: ${near} of ${count(Peers.length, 'other')} reachable${notes}`,
    ...peersLine(status, look),
    `More: ${['status', 'top', 'help'].map(word => look.bold(`coterie ${word}`)).join(', ')}`
  ]
}

/** As many as fit in one line. */
function peersLine({ Peers }: Status, look: Look): string[] {
  const each = Peers.toSorted(byState).map(({ State, Name, LatencyUSec }) =>
    [
      mark(State, look),
      cut(printable(Name), 20, look.mark('…', '~')),
      look.dim(State === 'reachable' ? latency(LatencyUSec) : State)
    ]
      .filter(Boolean)
      .join(' ')
  )
  let line = ' '
  for (const [i, one] of each.entries()) {
    const rest = `  and ${each.length - i} more`
    const room = look.columns - (i === each.length - 1 ? 0 : rest.length)
    if (width(line) + 1 + width(one) > room && i > 0) return [`${line}${look.dim(rest)}`]
    line += i === 0 ? ` ${one}` : `  ${one}`
  }
  return each.length === 0 ? [] : [line]
}
