/** Events for people: one line a change. Remembers names, for a change says only what changed. */
import type { Result } from '../api/api.ts'
import { cut, padded, width } from './columns.ts'
import type { Look } from './print.ts'
import { printable, wrapped } from './print.ts'
import { mark } from './status.ts'
import {
  address,
  bytes,
  clock,
  count,
  day,
  deadReason,
  duration,
  latency,
  onBus,
  policy,
  reason,
  shortId
} from './words.ts'

type Event = Result<'Watch'>
type Properties = Event['Properties']

/** Of one change: a mark, what it is about, what there is to say. */
interface Said {
  readonly mark: string
  /** `name` is that of a device. */
  readonly peer?: boolean
  readonly name: string
  readonly facts: readonly string[]
}

/** Names take this many columns at most, so that what follows stands in one line. */
const NAME_MOST = 18

export class EventLines {
  readonly #look: Look
  readonly #names = new Map<string, string>()
  /** When peers that are away were last seen, by id. */
  readonly #away = new Map<string, number>()
  #notes: readonly string[] = []
  #day = ''

  constructor(look: Look) {
    this.#look = look
  }

  /** Peers that were there before the first event. */
  know(peers: readonly { Id: string; Name: string; LastSeenUSec?: number }[]): void {
    for (const { Id, Name, LastSeenUSec = 0 } of peers) {
      this.#names.set(Id, printable(Name))
      if (LastSeenUSec > 0) this.#away.set(Id, LastSeenUSec)
    }
  }

  /** Nothing, or the line of this change; on a terminal lines that fit, after a line for a new day. */
  of(event: Event, now: Date): string[] {
    const look = this.#look
    const said = this.#said(event, now.getTime() * 1000)
    if (said === undefined) return []
    const time = look.dim(clock(now))
    const facts = said.facts.filter(Boolean)
    if (!look.terminal) return [[time, said.name, ...facts].filter(Boolean).join('  ')]
    const name = padded(cut(said.name, NAME_MOST), this.#column())
    const before = `${time}  ${said.mark} `
    const lines = said.peer
      ? wrapped(facts.join('  '), look.columns, `${before}${name}  `)
      : wrapped([said.name, ...facts].filter(Boolean).join('  '), look.columns, before)
    const today = day(now.getTime() * 1000)
    const turned = this.#day !== '' && this.#day !== today
    this.#day = today
    return turned ? [look.dim(today), ...lines] : lines
  }

  /** The longest name of a peer decides. */
  #column(): number {
    const names = [...this.#names].filter(([id]) => !id.startsWith('/')).map(([, name]) => width(name))
    return Math.min(NAME_MOST, Math.max(8, ...names))
  }

  #said(event: Event, nowUSec: number): Said | undefined {
    const { Type, Kind, Properties: p } = event
    const look = this.#look
    const plain = look.dim(look.mark('·', '.'))
    switch (Type) {
      case 'Gap':
        return {
          mark: look.yellow(look.mark('▲', '!')),
          name: '',
          facts: [look.yellow('changes were missed here; `coterie status` has the whole picture')]
        }
      case 'MessageReceived':
        return {
          mark: look.cyan(look.mark('↓', '<')),
          peer: true,
          name: look.bold(text(p['Name'])),
          facts: received(p, look)
        }
      case 'ReceiptChanged':
        return {
          mark: look.cyan(look.mark('↑', '>')),
          peer: true,
          name: look.bold(text(p['Name'])),
          facts: receipt(p, look)
        }
      case 'CloneDetected': {
        const id = text(p['Id'])
        const name = look.bold(this.#names.get(id) ?? shortId(id))
        return {
          mark: look.red('!'),
          peer: true,
          name,
          facts: [look.red('exists twice: a disk was copied; remove one of them')]
        }
      }
      case 'Added':
      case 'Changed':
      case 'Removed':
        break
      default:
        return { mark: look.red('!'), name: look.red(Type), facts: [everything(p)] }
    }
    const name = this.#name(event)
    if (Type === 'Removed')
      return {
        mark: plain,
        peer: Kind === 'Peer',
        name,
        facts: [look.dim(Kind === 'Listener' ? 'closed' : 'gone')]
      }
    if (Kind === 'Peer') {
      const id = event.Object.slice(event.Object.lastIndexOf('/') + 1)
      const facts = this.#peer(p, id, nowUSec)
      const state = text(p['State'] ?? '')
      return facts.length === 0
        ? undefined
        : { mark: state ? mark(state, look) : plain, peer: true, name, facts }
    }
    const facts =
      Kind === 'Listener'
        ? listener(p)
        : Kind === 'Circle'
          ? circle(p)
          : Kind === 'Daemon'
            ? this.#daemon(p)
            : [everything(p)]
    return facts.length === 0 ? undefined : { mark: plain, name, facts }
  }

  #name({ Kind, Object: path, Properties: p }: Event): string {
    const last = path.slice(path.lastIndexOf('/') + 1)
    if (Kind === 'Peer') {
      if (typeof p['Name'] === 'string') this.#names.set(last, printable(p['Name']))
      return this.#look.bold(this.#names.get(last) ?? shortId(last))
    }
    if (Kind === 'Listener') {
      if (p['Address'])
        this.#names.set(
          path,
          `${text(p['Interface'])} ${text(p['Address']).replace(/%.*/, '')} port ${text(p['Port'])}`
        )
      return `listener ${this.#names.get(path) ?? last}`
    }
    if (Kind === 'Circle') {
      if (typeof p['Name'] === 'string') this.#names.set(path, printable(p['Name']))
      return `circle ${this.#names.get(path) ?? shortId(last)}`
    }
    return Kind === 'Daemon' ? 'coteried' : `${Kind.toLowerCase()} ${last}`
  }

  /** The state with what belongs to it; else only the latency or the addresses. */
  #peer(p: Properties, id: string, nowUSec: number): string[] {
    const look = this.#look
    const at = Array.isArray(p['Addresses']) ? p['Addresses'].map(a => printable(address(text(a)))) : []
    const took = typeof p['LatencyUSec'] === 'number' ? latency(p['LatencyUSec']) : ''
    const state = text(p['State'] ?? '')
    const seen = Number(p['LastSeenUSec'] ?? 0)
    const before = this.#away.get(id) ?? 0
    if (seen > 0) this.#away.set(id, seen)
    else if (state === 'reachable') this.#away.delete(id)
    switch (state) {
      case '':
        return [took, at.join(' ')].filter(Boolean)
      case 'reachable': {
        const back = before > 0 && nowUSec > before ? `after ${duration(nowUSec - before)}` : ''
        return [look.green(state), took, at[0] ?? '', look.dim(back)].filter(Boolean)
      }
      case 'suspect':
        return [look.yellow(state), 'does not answer, being asked']
      case 'asleep':
        return [look.cyan(state)]
      default:
        return [look.yellow(state), reason(text(p['Reason'] ?? ''))].filter(Boolean)
    }
  }

  /** Notes that are new are told, and when the last one is gone. */
  #daemon(p: Properties): string[] {
    const { Version, State, DBus, NetworkSource, Notes } = p
    const notes = Array.isArray(Notes) ? Notes.map(text) : undefined
    const fresh = notes?.filter(note => !this.#notes.includes(note)) ?? []
    const mended = notes?.length === 0 && this.#notes.length > 0 ? ['nothing is missing any more'] : []
    if (notes) this.#notes = notes
    return [
      ...(Version === undefined ? [] : [`version ${text(Version)}`]),
      ...(State === undefined ? [] : [text(State)]),
      ...(DBus === undefined ? [] : [onBus(text(DBus))]),
      ...(NetworkSource === undefined || NetworkSource === '' ? [] : [`network by ${text(NetworkSource)}`]),
      ...fresh.map(this.#look.yellow),
      ...mended
    ]
  }
}

const received = (p: Properties, look: Look): string[] => [
  `sent ${text(p['Tag'])}`,
  bytes(Number(p['Size'])),
  look.dim(text(p['Id']))
]

function receipt(p: Properties, look: Look): string[] {
  const [tag, state] = [text(p['Tag']), text(p['State'])]
  const paint = state === 'dead' ? look.red : state === 'done' ? look.green : (word: string) => word
  const why = state === 'dead' ? deadReason(text(p['Reason']), tag, Number(p['Exit'])) : ''
  return [tag, paint(state), why, look.dim(text(p['Id']))]
}

const listener = ({ Policy }: Properties): string[] => (Policy === undefined ? [] : [policy(text(Policy))])

const circle = ({ Members, Level, Name }: Properties): string[] =>
  [
    Members === undefined ? '' : count(Number(Members), 'member'),
    Level === 0 ? 'this device was removed' : '',
    Members === undefined && Level === undefined && Name !== undefined ? 'is its name now' : ''
  ].filter(Boolean)

const text = (value: unknown): string =>
  printable(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

const everything = (p: Properties): string =>
  Object.entries(p)
    .filter(([, value]) => value !== '' && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name} ${text(value)}`)
    .join('  ')
