/** The screen of `coterie top`: the scene as exactly as many lines as there are rows. Pure. */
import { breadth, cut, fitted, padded, width } from './columns.ts'
import { aligned, type Look, printable, wrapped } from './print.ts'
import { scale, sparkline } from './sparkline.ts'
import { mark, peerRow, steps } from './status.ts'
import { type Page, type Peer, SAMPLE_MS, type Scene } from './top-scene.ts'
import { address, count, duration, latency, policy } from './words.ts'

export interface View {
  readonly look: Look
  readonly rows: number
  readonly nowUSec: number
  /** The interface whose subnet an address is in, or ''. */
  readonly near: (address: string) => string
}

/** Each fits the columns of the look. */
export function topLines(scene: Scene, view: View): string[] {
  const { look, rows } = view
  const lines = scene.page ? pageLines(scene, scene.page, view) : overview(scene, view)
  return Array.from({ length: rows }, (_, i) => cut(lines[i] ?? '', look.columns, look.mark('…', '~')))
}

function overview(scene: Scene, view: View): string[] {
  const { look, rows } = view
  const head = heading(scene, look)
  const foot = [keys(KEYS, look)]
  const facts = rows >= 16 ? factLines(scene, look) : []
  const peers = scene.peers.length === 0 ? nobody(scene, look) : table(scene, view)
  // what is left for the two lists, each with an empty line above it; four events at least, where there is room
  const left = rows - head.length - foot.length - facts.length - 1
  const listed = Math.max(Math.min(peers.length, left - 5), Math.min(4, left))
  const room = left - Math.min(peers.length, listed) - 1
  const events = room > 0 ? ['', ...scene.events.slice(-room)] : []
  const top = [...head, '', ...scrolled(peers, listed, scene)]
  const filled = [...top, ...events]
  const blank = Array.from(
    { length: Math.max(0, rows - filled.length - facts.length - foot.length) },
    () => ''
  )
  return [...filled, ...blank, ...facts, ...foot]
}

function heading(scene: Scene, look: Look): string[] {
  const { device, circles, trouble, peers } = scene
  const names = circles.filter(c => c.Level > 0 && scene.shows(c.Id)).map(c => look.bold(printable(c.Name)))
  const where = names.length > 0 ? `in the circle ${names.join(', ')}` : 'is in no circle yet'
  const left = `${look.bold(printable(device.Name))} ${where}`
  const near = peers.filter(p => p.Reachable).length
  const right =
    trouble !== ''
      ? look.red(trouble)
      : device.State === 'locked'
        ? look.red('locked')
        : peers.length > 0
          ? `${look.green(`${near} reachable`)}${look.dim(` of ${count(peers.length, 'other')}`)}`
          : ''
  const gap = look.columns - width(left) - width(right)
  if (right === '' || gap >= 2) return [left + ' '.repeat(Math.max(0, gap)) + right]
  return [left, right]
}

function nobody({ circles }: Scene, look: Look): string[] {
  return circles.length === 0
    ? steps(
        [
          ['coterie init', 'starts a circle here'],
          ['coterie join CODE', 'joins one, with the code that `coterie invite` shows there']
        ],
        look
      )
    : [
        'No other device has joined. To let one in:',
        ...steps(
          [
            ['coterie invite', 'here'],
            ['coterie join CODE', 'there, with the code it shows']
          ],
          look
        )
      ]
}

// --- the peers ----------------------------------------------------------------------------------------------

const NAME_MOST = 24
const NAME_LEAST = 10
const BARS_LEAST = 8
const BARS_MOST = 36
/** Room of an address with its way and interface, where bars would take it. */
const PATH_COLUMNS = 30

/** A heading, then one line for each peer. */
function table(scene: Scene, view: View): string[] {
  const { look } = view
  const several = new Set(scene.peers.map(p => p.Circle)).size > 1
  const circleOf = (peer: Peer) => printable(scene.circles.find(c => c.Id === peer.Circle)?.Name ?? '')
  const ellipsis = look.mark('…', '~')
  const cells = scene.peers.map(peer => {
    const [name = '', state = '', took = ''] = peerRow(peer, look, view.nowUSec)
    return [
      cut(`${mark(peer.State, look)} ${name}`, NAME_MOST + 2, ellipsis),
      ...(several ? [look.dim(cut(circleOf(peer), NAME_LEAST, ellipsis))] : []),
      state,
      took
    ]
  })
  const names = ['  NAME', ...(several ? ['CIRCLE'] : []), 'STATE', 'LATENCY']
  const narrow = fitted([names, ...cells], look.columns - 1, [0], NAME_LEAST, ellipsis)
  const taken = breadth(narrow) + 1 + GAP
  const left = look.columns - taken
  const bars = left - GAP - PATH_COLUMNS >= BARS_LEAST ? Math.min(BARS_MOST, left - GAP - PATH_COLUMNS) : 0
  const lasted = bars > 0 ? `LAST ${duration(bars * SAMPLE_MS * 1000)}`.toUpperCase().replace(' S', ' s') : ''
  const rows = narrow.map((row, i) => {
    const peer = scene.peers[i - 1]
    const more =
      peer === undefined
        ? [...(bars > 0 ? [padded(lasted, bars)] : []), 'PATH']
        : [
            ...(bars > 0 ? [look.cyan(sparkline(scene.historyOf(peer), bars, look))] : []),
            where(peer, view, left - (bars > 0 ? bars + GAP : 0))
          ]
    return left >= 12 ? [...row, ...more] : row
  })
  const [title = '', ...lines] = aligned(rows)
  const chosen = scene.selected
  return [
    look.dim(` ${title}`),
    ...lines.map((line, i) =>
      scene.peers[i] === chosen ? selected(line, look) : ` ${scene.trouble ? look.dim(bare(line)) : line}`
    )
  ]
}
const GAP = 2

const bare = (text: string) => text.replace(/\x1b\[[\d;]*m/g, '')

/** Seen without colours too. What was coloured is not: turned round it would be a patchwork. */
function selected(line: string, look: Look): string {
  const marked = `${look.mark('›', '>')}${line}`
  return look.coloured ? `\x1b[7m${padded(bare(marked), look.columns)}\x1b[0m` : marked
}

/** How it is reached, as much of it as there is room for, or what else there is to say of it. */
function where(peer: Peer, { look, nowUSec, near }: View, room: number): string {
  const at = peer.Addresses[0]
  if (peer.State !== 'reachable' || at === undefined) return peerRow(peer, look, nowUSec)[3] ?? ''
  const bareAddress = printable(address(at))
  const by = at.startsWith('tcp://') ? near(hostOf(at)) : ''
  const all = [peer.Path, bareAddress.replace(/%.*/, ''), by && look.dim(by)].filter(Boolean).join('  ')
  return width(all) <= room || peer.Path !== 'direct' ? all : bareAddress
}

/** `tcp://[fe80::1%25eth0]:24747` → `fe80::1%eth0` */
export const hostOf = (uri: string): string =>
  /^tcp:\/\/\[?([^\]/]*?)\]?:\d+$/.exec(uri)?.[1]?.replace('%25', '%') ?? ''

/** The heading and so many of the rest that the selected one is among them. */
function scrolled(lines: readonly string[], most: number, scene: Scene): string[] {
  if (lines.length <= most || scene.peers.length === 0) return lines.slice(0, most)
  const [title = '', ...rest] = lines
  const at = scene.selected ? scene.peers.indexOf(scene.selected) : 0
  const from = Math.max(0, Math.min(rest.length - (most - 1), at - Math.floor((most - 1) / 2)))
  return [title, ...rest.slice(from, from + most - 1)]
}

// --- below --------------------------------------------------------------------------------------------------

function factLines(scene: Scene, look: Look): string[] {
  const { waiting, dead, listeners, traffic } = scene
  const dot = look.mark(' · ', ', ')
  const arrow = look.mark('→', '->')
  const named = waiting.slice(0, 8).map(m => `${printable(m.Tag)} ${arrow} ${printable(m.Name)} (${m.State})`)
  const outbox = [
    waiting.length === 0 ? 'nothing waits' : `${waiting.length} on the way: ${named.join(', ')}`,
    ...(dead > 0 ? [look.red(`${dead} dead: coterie outbox`)] : [])
  ]
  const groups = [...Map.groupBy(listeners, l => `${l.Interface} ${l.Policy}`).values()].map(group => {
    const { Interface, Policy } = group[0]!
    const addresses = group.map(l => l.Address.replace(/%.*/, ''))
    return `${printable(Interface)} ${addresses.join(', ')} ${look.dim(policy(Policy))}`
  })
  const rows = [
    ['Outbox', outbox.reverse().join(dot)],
    ['Listening', groups.length > 0 ? groups.join(dot) : look.yellow('nowhere')],
    ...(traffic ? [['Traffic', traffic]] : [])
  ]
  const [note, ...more] = scene.notes
  const notes = note
    ? [
        `${look.yellow(look.mark('▲', '!'))} ${more.length > 0 ? `(1 of ${scene.notes.length}) ` : ''}${printable(note)}`
      ]
    : []
  return ['', ...aligned(rows.map(([name = '', text = '']) => [look.dim(name), text])), ...notes]
}

type Key = readonly [key: string, plain: string, what: string]
const KEYS: readonly Key[] = [
  ['q', 'q', 'quit'],
  ['↑↓', 'j/k', 'select'],
  ['⏎', 'Enter', 'why'],
  ['W', 'W', 'wake'],
  ['p', 'p', 'ping'],
  ['?', '?', 'help']
]
const PAGE_KEYS: readonly Key[] = [
  ['q', 'q', 'back'],
  ['↑↓', 'j/k', 'scroll']
]

const keys = (all: readonly Key[], look: Look): string =>
  all.map(([fine, plain, what]) => `${look.bold(look.mark(fine, plain))} ${look.dim(what)}`).join('  ')

function pageLines(scene: Scene, { title, lines }: Page, { look, rows }: View): string[] {
  const room = rows - 3
  const from = Math.min(scene.scroll, Math.max(0, lines.length - room))
  const below = lines.length - from - room
  const more = below > 0 ? look.dim(`  ${count(below, 'more line')}`) : ''
  const shown = lines.slice(from, from + room)
  const blank = Array.from({ length: Math.max(0, room - shown.length) }, () => '')
  return [look.bold(printable(title)), '', ...shown, ...blank, keys(PAGE_KEYS, look) + more]
}

/** What the keys, marks and bars mean. */
export function helpPage(look: Look): Page {
  const row = (key: string, what: string) => [`  ${look.bold(key)}`, what]
  const bars = scale(look).map(([bar, most]) => `${look.cyan(bar)} ${latency(most).replace(/\.0+ /, ' ')}`)
  return {
    title: 'coterie top',
    lines: [
      ...aligned([
        row(look.mark('↑ ↓  k j', 'k j'), 'select a device; g and G: the first, the last'),
        row('Enter  w', 'why it is reached as it is, or is not'),
        row('W', 'wake it'),
        row('p', 'measure the way to it'),
        row('r', 'read everything anew'),
        row('q  Ctrl-C', 'end')
      ]),
      '',
      ...aligned([
        [`  ${mark('reachable', look)}`, 'reachable'],
        [`  ${mark('suspect', look)}`, 'suspect: does not answer, and is being asked'],
        [`  ${mark('asleep', look)}`, 'asleep: it said so'],
        [`  ${mark('unreachable', look)}`, 'unreachable']
      ]),
      '',
      ...wrapped(
        `Latencies are shown every ${SAMPLE_MS / 1000} s, the newest at the right; each bar is up to ${bars.join(', ')}, the highest more. Nothing: it was not reachable.`,
        look.columns
      )
    ]
  }
}
