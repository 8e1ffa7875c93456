/**
 * `coterie status` for people. Pure. First who and where one is, then the others, those that can be reached
 * on top; below it, quietly, what the daemon stands on; last what is missing and what to do next.
 */
import type { Result } from '../api/api.ts'
import { breadth, cut, fitted } from './columns.ts'
import type { Look } from './print.ts'
import { aligned, printable, wrapped } from './print.ts'
import { address, ago, count, latency, level, onBus, policy, reason, shortId, since } from './words.ts'

/** `12.3 ms` and shorter end in one column. */
const LATENCY_COLUMNS = 7

type Status = Result<'Status'>
type Peer = Status['Peers'][number]

const ORDER = ['reachable', 'suspect', 'asleep', 'unreachable']
const rank = (peer: Peer) => (ORDER.indexOf(peer.State) + ORDER.length + 1) % (ORDER.length + 1)

/** `all`: the peers are those of all circles. */
export function statusLines(status: Status, look: Look, nowUSec: number, all = false): string[] {
  const blocks = [
    heading(status, look, all),
    belongs(status)
      ? peersBlock(status, look, nowUSec, all)
      : status.Device.State === 'new'
        ? start(look)
        : [],
    underneath(status, look),
    ...status.Notes.map(note => noteLines(note, look))
  ]
  return blocks.filter(lines => lines.length > 0).flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
}

/** What is missing or limited, with a mark. */
export const noteLines = (note: string, look: Look): string[] =>
  wrapped(printable(note), look.columns, `${look.yellow(look.mark('▲', '!'))} `)

/** What a line may take: a pipe has all the room there is. */
const room = (look: Look): number => (look.terminal ? look.columns : Number.POSITIVE_INFINITY)

/** In a circle, and not removed from it. */
const belongs = ({ Circle }: Status) => Circle.Id !== '' && Circle.Level > 0

/** Who and where one is. */
export function heading({ Device, Circle, Circles, Peers }: Status, look: Look, all: boolean): string[] {
  const name = look.bold(printable(Device.Name))
  const home = look.bold(printable(Circle.Name))
  const lines = (text: string) => wrapped(text, room(look))
  if (!Circle.Id)
    return lines(
      Device.State === 'locked'
        ? `${name} is ${look.red('locked')}: its keys cannot be read now.`
        : `${name} is in no circle yet.`
    )
  if (Circle.Level === 0)
    return lines(
      Device.State === 'locked'
        ? `${name} was removed as lost from the circle ${home} and is ${look.red('locked')}.`
        : `${name} was removed from the circle ${home}.`
    )
  const near = Peers.filter(p => p.Reachable).length
  const company =
    Circle.Members <= 1 && !all
      ? 'the only device so far'
      : `${near} of ${count(Peers.length, 'other')} reachable`
  const dot = look.mark(' · ', ', ')
  const others = all ? [] : Circles.filter(({ Id }) => Id !== Circle.Id).map(c => printable(c.Name))
  return [
    ...lines(`${name} in the circle ${home}`),
    ...lines([level(Circle.Level), shortId(Device.Id), company].join(dot)).map(look.dim),
    ...(others.length > 0 ? lines(`also in ${others.join(', ')}: coterie status --all`).map(look.dim) : []),
    ...(Device.State === 'locked' ? [look.red('Its keys cannot be read now.')] : []),
    ...(Device.State === 'leaving' ? [look.yellow('It is leaving the circle.')] : [])
  ]
}

/** A command in each row and what it is for; what does not fit beside it goes below. */
export function steps(rows: readonly (readonly [command: string, what: string])[], look: Look): string[] {
  const table = rows.map(([command, what]) => [look.bold(command), look.dim(what)])
  if (breadth(table) + 2 <= room(look)) return aligned(table, '  ')
  return rows.flatMap(([command, what]) => [
    `  ${look.bold(command)}`,
    ...wrapped(what, look.columns, '    ').map(look.dim)
  ])
}

const start = (look: Look): string[] =>
  steps(
    [
      ['coterie init', 'starts one here'],
      ['coterie join CODE', 'joins one, with the code that `coterie invite` shows there']
    ],
    look
  )

const alone = (look: Look): string[] => [
  'No other device has joined. To let one in:',
  ...steps(
    [
      ['coterie invite', 'here'],
      ['coterie join CODE', 'there, with the code it shows']
    ],
    look
  )
]

function peersBlock(status: Status, look: Look, nowUSec: number, all: boolean): string[] {
  const shown = status.Circles.filter(c => all || status.Peers.some(p => p.Circle === c.Id))
  if (status.Peers.length === 0 && shown.length <= 1) return alone(look)
  const sorted = status.Peers.toSorted(byState)
  const lines = peerLines(sorted, look, nowUSec)
  if (shown.length <= 1) return lines.flat()
  return shown.flatMap((circle, i) => {
    const own = lines.filter((_, n) => sorted[n]!.Circle === circle.Id).flat()
    return [
      ...(i === 0 ? [] : ['']),
      look.dim(cut(printable(circle.Name), look.columns)),
      ...(own.length > 0 ? own : [look.dim('  no other device yet')])
    ]
  })
}

/** Those that can be reached first. */
export const byState = (a: Peer, b: Peer): number => rank(a) - rank(b) || a.Name.localeCompare(b.Name)

/** Of each the lines it takes: one, or where that is too narrow more. */
function peerLines(peers: readonly Peer[], look: Look, nowUSec: number): string[][] {
  const ellipsis = look.mark('…', '~')
  const rows = peers.map(peer => {
    const [name = '', ...rest] = peerRow(peer, look, nowUSec)
    return look.terminal ? [`${mark(peer.State, look)} ${name}`, ...rest] : [name, ...rest]
  })
  const fit = fitted(rows, room(look) - INDENT, [0], NAME_LEAST, ellipsis)
  if (breadth(fit) + INDENT <= room(look)) return aligned(fit, '  ').map(line => [line])
  const short = fitted(
    rows.map(row => row.slice(0, 3)),
    look.columns - INDENT,
    [0],
    NAME_LEAST,
    ellipsis
  )
  return aligned(short, '  ').map((line, i) => [line, ...wrapped(rows[i]![3]!, look.columns, '    ')])
}
const INDENT = 2
const NAME_LEAST = 14

/** One can tell them apart without colour. */
export function mark(state: string, look: Look): string {
  if (state === 'reachable') return look.green(look.mark('●', '*'))
  if (state === 'suspect') return look.yellow(look.mark('◐', '?'))
  if (state === 'asleep') return look.cyan(look.mark('☾', 'z'))
  return look.dim(look.mark('○', '-'))
}

/** Name, state, latency, and where it is or since when it is away. */
export function peerRow(peer: Peer, look: Look, nowUSec: number): string[] {
  const name = printable(peer.Name)
  const at = peer.Addresses[0] ? printable(address(peer.Addresses[0])) : ''
  const way = peer.Path && peer.Path !== 'direct' ? ` (${peer.Path})` : ''
  switch (peer.State) {
    case 'reachable':
      return [
        look.bold(name),
        look.green('reachable'),
        latency(peer.LatencyUSec).padStart(LATENCY_COLUMNS),
        at + way
      ]
    case 'suspect':
      return [
        look.bold(name),
        look.yellow('suspect'),
        latency(peer.LatencyUSec).padStart(LATENCY_COLUMNS),
        look.yellow('does not answer, being asked')
      ]
    case 'asleep':
      return [
        name,
        look.dim('asleep'),
        '',
        look.dim(peer.AsleepSinceUSec > 0 ? since(peer.AsleepSinceUSec, nowUSec) : '')
      ]
    default: {
      const seen = peer.LastSeenUSec ? `last seen ${ago(peer.LastSeenUSec, nowUSec)}` : ''
      const why = peer.Reason ? reason(peer.Reason) : ''
      const both =
        seen && why && peer.Reason !== 'never-seen' ? seen + look.mark(' · ', ', ') + why : seen || why
      return [name, look.dim(peer.State), '', look.dim(both)]
    }
  }
}

/** One row an interface: its addresses, and whether others on it may find this device. */
function underneath({ Circle, Listeners, NetworkSource, DBus, Version }: Status, look: Look): string[] {
  const ports = new Set(Listeners.map(l => l.Port))
  const groups = [...Map.groupBy(Listeners, l => `${l.Interface} ${l.Port} ${l.Policy}`).values()].map(
    group => {
      const { Interface, Port, Policy } = group[0]!
      return {
        where: printable(Interface),
        addresses: group.map(l => l.Address.replace(/%.*/, '')).join(', '),
        how: ports.size > 1 ? `port ${Port}, ${policy(Policy)}` : policy(Policy)
      }
    }
  )
  const facts = [
    ...(ports.size === 1 ? [`port ${[...ports][0]}`] : []),
    ...(NetworkSource ? [`network by ${NetworkSource}`] : []),
    onBus(DBus),
    `version ${Version}`
  ]
  const last = wrapped(facts.join(look.mark(' · ', ', ')), room(look), '  ').map(look.dim)
  if (groups.length === 0)
    return [...(Circle.Id ? [`  ${look.dim('Listening')}  ${look.yellow('nowhere')}`] : []), ...last]
  const rows = groups.map(({ where, addresses, how }, i) => [
    look.dim(i === 0 ? 'Listening' : ''),
    where,
    addresses,
    look.dim(how)
  ])
  if (breadth(rows) + INDENT <= room(look)) return [...aligned(rows, '  '), ...last]
  return [
    `  ${look.dim('Listening')}`,
    ...groups.flatMap(({ where, addresses, how }) =>
      wrapped(`${addresses}, ${how}`, look.columns, `    ${where}  `)
    ),
    ...last
  ]
}
