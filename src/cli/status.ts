/**
 * `coterie status` for people. Pure. First who and where one is, then the others, those that can be reached
 * on top; below it, quietly, what the daemon stands on; last what is missing and what to do next.
 */
import type { Result } from '../api/api.ts'
import type { Look } from './print.ts'
import { aligned, printable, wrapped } from './print.ts'
import { address, ago, count, latency, level, reason, shortId, since } from './words.ts'

/** `12.3 ms` and shorter end in one column. */
const LATENCY_COLUMNS = 7

type Status = Result<'Status'>
type Peer = Status['Peers'][number]

const ORDER = ['reachable', 'suspect', 'asleep', 'unreachable']
const rank = (peer: Peer) => (ORDER.indexOf(peer.State) + ORDER.length + 1) % (ORDER.length + 1)

export function statusLines(status: Status, look: Look, nowUSec: number): string[] {
  const blocks = [
    heading(status, look),
    belongs(status) ? peersBlock(status, look, nowUSec) : status.Device.State === 'new' ? start(look) : [],
    underneath(status, look),
    status.Notes.flatMap(note =>
      wrapped(printable(note), look.columns, `${look.yellow(look.mark('▲', '!'))} `)
    )
  ]
  return blocks.filter(lines => lines.length > 0).flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
}

/** In a circle, and not removed from it. */
const belongs = ({ Circle }: Status) => Circle.Id !== '' && Circle.Level > 0

function heading({ Device, Circle, Peers }: Status, look: Look): string[] {
  const name = look.bold(printable(Device.Name))
  if (!Circle.Id)
    return [
      Device.State === 'locked'
        ? `${name} is ${look.red('locked')}: its keys cannot be read now.`
        : `${name} is in no circle yet.`
    ]
  if (Circle.Level === 0 && Device.State === 'locked')
    return [
      `${name} was removed as lost from the circle ${look.bold(printable(Circle.Name))} and is ${look.red('locked')}.`
    ]
  if (Circle.Level === 0) return [`${name} was removed from the circle ${look.bold(printable(Circle.Name))}.`]
  const near = Peers.filter(p => p.Reachable).length
  const company =
    Circle.Members <= 1 ? 'the only device so far' : `${near} of ${count(Peers.length, 'other')} reachable`
  const facts = [level(Circle.Level), shortId(Device.Id), company]
  const lines = [
    `${name} in the circle ${look.bold(printable(Circle.Name))}`,
    look.dim(facts.join(look.mark(' · ', ', ')))
  ]
  if (Device.State === 'locked') lines.push(look.red('Its keys cannot be read now.'))
  if (Device.State === 'leaving') lines.push(look.yellow('It is leaving the circle.'))
  return lines
}

const start = (look: Look): string[] =>
  aligned(
    [
      ['Start one here:', look.bold('coterie init')],
      [
        'Or join one:',
        look.bold('coterie join CODE'),
        look.dim('with the code that `coterie invite` shows there')
      ]
    ],
    '  '
  )

function peersBlock(status: Status, look: Look, nowUSec: number): string[] {
  if (status.Peers.length === 0) {
    return [
      'No other device has joined. To let one in:',
      ...aligned(
        [
          [look.bold('coterie invite'), look.dim('here')],
          [look.bold('coterie join CODE'), look.dim('there, with the code it shows')]
        ],
        '  '
      )
    ]
  }
  const sorted = status.Peers.toSorted((a, b) => rank(a) - rank(b) || a.Name.localeCompare(b.Name))
  const circles = status.Circles.filter(c => sorted.some(p => p.Circle === c.Id))
  if (circles.length <= 1)
    return aligned(
      sorted.map(p => marked(p, look, nowUSec)),
      '  '
    )
  const rows = sorted.map(p => ({ circle: p.Circle, line: '' }))
  for (const [i, line] of aligned(
    sorted.map(p => marked(p, look, nowUSec)),
    '  '
  ).entries())
    rows[i]!.line = line
  return circles.flatMap((circle, i) => [
    ...(i === 0 ? [] : ['']),
    look.dim(printable(circle.Name)),
    ...rows.filter(row => row.circle === circle.Id).map(row => row.line)
  ])
}

const marked = (peer: Peer, look: Look, nowUSec: number): string[] => {
  const row = peerRow(peer, look, nowUSec)
  return look.terminal ? [`${mark(peer, look)} ${row[0]}`, ...row.slice(1)] : row
}

function mark({ State }: Peer, look: Look): string {
  if (State === 'reachable') return look.green(look.mark('●', '*'))
  if (State === 'suspect') return look.yellow(look.mark('◐', '?'))
  if (State === 'asleep') return look.dim(look.mark('☾', 'z'))
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
  const groups = Map.groupBy(Listeners, l => `${l.Interface} ${l.Port} ${l.Policy}`)
  const ports = new Set(Listeners.map(l => l.Port))
  const rows = [...groups.values()].map((group, i) => {
    const { Interface, Port, Policy } = group[0]!
    const addresses = group.map(l => l.Address.replace(/%.*/, '')).join(', ')
    const policy = Policy === 'announce' ? 'announcing' : Policy === 'listen' ? 'listening only' : Policy
    return [
      look.dim(i === 0 ? 'Listening' : ''),
      Interface,
      addresses,
      look.dim(ports.size > 1 ? `port ${Port}, ${policy}` : policy)
    ]
  })
  if (rows.length === 0 && Circle.Id) rows.push([look.dim('Listening'), look.yellow('nowhere')])
  const facts = [
    ...(ports.size === 1 ? [`port ${[...ports][0]}`] : []),
    ...(NetworkSource ? [`network by ${NetworkSource}`] : []),
    { owned: 'on the session bus', taken: 'name on the session bus taken', absent: 'no session bus' }[DBus] ??
      DBus,
    `version ${Version}`
  ]
  return [...aligned(rows, '  '), `  ${look.dim(facts.join(look.mark(' · ', ', ')))}`]
}
