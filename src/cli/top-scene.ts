/** What `coterie top` knows, and what a key means. Pure: events, samples and keys come in, wishes go out. */
import type { Result } from '../api/api.ts'
import { type Look, printable, wrapped } from './print.ts'
import { byState } from './status.ts'
import { EventLines } from './watch.ts'
import { bytes, clock } from './words.ts'

type Status = Result<'Status'>
export type Peer = Status['Peers'][number]
type Listener = Status['Listeners'][number]
type Event = Result<'Watch'>
type Message = Result<'Outbox'>['Messages'][number]
type Waiting = Pick<Message, 'Id' | 'Name' | 'Tag' | 'State'>

/** How often latencies are noted: one bar of the row. */
export const SAMPLE_MS = 5_000
const SAMPLES = 60
const EVENTS = 200

/** A text over the whole screen. */
export interface Page {
  readonly title: string
  readonly lines: readonly string[]
}

/** What the terminal is to do for a key. */
export type Wish =
  | { readonly type: 'quit' }
  | { readonly type: 'suspend' }
  | { readonly type: 'anew' }
  | { readonly type: 'help' }
  | { readonly type: 'why' | 'wake' | 'ping'; readonly peer: Peer }

export class Scene {
  readonly #look: Look
  /** Only of this circle; '' for all. */
  readonly #only: string
  #told: EventLines
  #peers = new Map<string, Peer>()
  #listeners = new Map<string, Listener>()
  /** Those that Status named; the stream names them again. */
  #named = new Set<string>()
  readonly #history = new Map<string, number[]>()
  #outbox = new Map<string, Waiting>()
  #selected = ''
  #traffic: { readonly inRate: number; readonly outRate: number } | undefined
  #counted: { readonly sent: number; readonly received: number; readonly upUSec: number } | undefined
  device: Status['Device'] = { Id: '', Name: '', State: '' }
  circles: Status['Circles'] = []
  notes: readonly string[] = []
  /** Lines, the newest last. */
  readonly events: string[] = []
  /** Why nothing of this is sure now; '' while the daemon is there. */
  trouble = ''
  page: Page | undefined
  /** Lines of the page that are above the screen. */
  scroll = 0

  constructor(look: Look, only = '') {
    this.#look = look
    this.#only = only
    this.#told = new EventLines(look)
  }

  // --- what comes in --------------------------------------------------------------------------------------

  /** The whole picture, of all circles; histories and events stay. */
  begin(status: Status, waiting: readonly Waiting[]): void {
    this.trouble = ''
    this.device = status.Device
    this.circles = status.Circles
    this.notes = status.Notes
    this.#peers = new Map(status.Peers.filter(p => this.#meant(p)).map(peer => [keyOf(peer), peer]))
    this.#listeners = new Map()
    this.#named = new Set([...status.Listeners.map(placeOf), ...status.Circles.map(c => c.Id)])
    this.#outbox = new Map(waiting.map(message => [message.Id, message]))
    this.#told = new EventLines(this.#look)
    this.#told.know(status.Peers)
    this.#counted = undefined
    for (const key of this.#history.keys()) if (!this.#peers.has(key)) this.#history.delete(key)
    for (const key of this.#peers.keys()) if (!this.#history.has(key)) this.#history.set(key, [])
  }

  /** The daemon is gone. */
  lost(sentence: string, now: Date): void {
    this.trouble = sentence
    this.#traffic = undefined
    this.remark(sentence, now)
  }

  receive(event: Event, now: Date): void {
    const known = this.#take(event)
    if (known) this.#told.of(event, now)
    else this.#note(this.#told.of(event, now))
  }

  /** A line of our own among the events. */
  remark(text: string, now: Date): void {
    const { dim, mark, columns } = this.#look
    this.#note(wrapped(printable(text), columns, `${dim(clock(now))}  ${dim(mark('·', '.'))} `))
  }

  /** Each peer gets its next bar. */
  sample(): void {
    for (const [key, { Reachable, LatencyUSec }] of this.#peers) {
      const history = this.#history.get(key) ?? []
      history.push(this.trouble === '' && Reachable ? LatencyUSec : 0)
      if (history.length > SAMPLES) history.shift()
      this.#history.set(key, history)
    }
  }

  /** What the daemon has counted since its start. */
  count({ Total, UpUSec }: Pick<Result<'Energy'>, 'Total' | 'UpUSec'>): void {
    const counted = {
      sent: Total.LinkBytesSent + Total.DatagramBytesSent + Total.MulticastBytesSent,
      received: Total.LinkBytesReceived + Total.DatagramBytesReceived,
      upUSec: UpUSec
    }
    const before = this.#counted
    const seconds = before ? (UpUSec - before.upUSec) / 1e6 : 0
    this.#traffic =
      before && seconds > 0
        ? {
            inRate: (counted.received - before.received) / seconds,
            outRate: (counted.sent - before.sent) / seconds
          }
        : undefined
    this.#counted = counted
  }

  // --- what is shown --------------------------------------------------------------------------------------

  /** Those that can be reached first. */
  get peers(): Peer[] {
    return [...this.#peers.values()].toSorted(byState)
  }
  get listeners(): Listener[] {
    return [...this.#listeners.values()]
  }
  /** The circle of this id is one of those that are shown. */
  shows(circle: string): boolean {
    return this.#only === '' || circle === this.#only
  }
  historyOf(peer: Peer): readonly number[] {
    return this.#history.get(keyOf(peer)) ?? []
  }
  get selected(): Peer | undefined {
    return this.#peers.get(this.#selected) ?? this.peers[0]
  }
  get waiting(): Waiting[] {
    return [...this.#outbox.values()].filter(({ State }) => State !== 'dead')
  }
  get dead(): number {
    return this.#outbox.size - this.waiting.length
  }
  /** `1.2 kB/s in, 300 B/s out`; '' until it is known. */
  get traffic(): string {
    const { inRate, outRate } = this.#traffic ?? { inRate: -1, outRate: -1 }
    return inRate < 0 || outRate < 0 ? '' : `${bytes(inRate)}/s in, ${bytes(outRate)}/s out`
  }

  // --- keys -----------------------------------------------------------------------------------------------

  /** `name` as readline calls it, or the character itself. Undefined: it is done, or means nothing. */
  press(name: string, ctrl = false): Wish | undefined {
    if (ctrl) return name === 'c' ? { type: 'quit' } : name === 'z' ? { type: 'suspend' } : undefined
    if (this.page !== undefined) return this.#turn(name)
    const peer = this.selected
    switch (name) {
      case 'q':
        return { type: 'quit' }
      case 'r':
        return { type: 'anew' }
      case '?':
      case 'h':
        return { type: 'help' }
      case 'up':
      case 'k':
        return this.#select(-1)
      case 'down':
      case 'j':
        return this.#select(1)
      case 'home':
      case 'g':
        return this.#select(Number.NEGATIVE_INFINITY)
      case 'end':
      case 'G':
        return this.#select(Number.POSITIVE_INFINITY)
      case 'return':
      case 'enter':
      case 'w':
        return peer && { type: 'why', peer }
      case 'W':
        return peer && { type: 'wake', peer }
      case 'p':
        return peer && { type: 'ping', peer }
      default:
        return undefined
    }
  }

  show(page: Page | undefined): void {
    this.page = page
    this.scroll = 0
  }

  #turn(name: string): Wish | undefined {
    if (['q', 'escape', 'return', 'enter', 'w', '?', 'left', 'backspace'].includes(name)) this.show(undefined)
    const by =
      { up: -1, k: -1, down: 1, j: 1, pageup: -10, pagedown: 10, space: 10, home: -1e6, g: -1e6 }[name] ?? 0
    this.scroll = Math.max(0, Math.min(this.scroll + by, (this.page?.lines.length ?? 1) - 1))
    return undefined
  }

  #select(by: number): undefined {
    const keys = this.peers.map(keyOf)
    const now = Math.max(0, keys.indexOf(this.#selected))
    this.#selected = keys[Math.max(0, Math.min(keys.length - 1, now + by))] ?? ''
  }

  // --- the events -----------------------------------------------------------------------------------------

  /** Takes it over; true when it says nothing that was not known. */
  #take({ Type, Kind, Object: path, Properties: p }: Event): boolean {
    const last = path.slice(path.lastIndexOf('/') + 1)
    // signals name their circle; what is not shown is not told
    if (
      Kind !== 'Peer' &&
      typeof p['Circle'] === 'string' &&
      Type !== 'Added' &&
      Type !== 'Changed' &&
      !this.shows(p['Circle'])
    )
      return true
    switch (Kind) {
      case 'Daemon':
        if (Type === 'ReceiptChanged') return this.#receipt(p as unknown as Waiting)
        if (Type !== 'Added' && Type !== 'Changed') return false
        if (typeof p['Name'] === 'string') this.device = { ...this.device, Name: p['Name'] }
        if (typeof p['State'] === 'string') this.device = { ...this.device, State: p['State'] }
        if (Array.isArray(p['Notes'])) this.notes = p['Notes'].map(String)
        return Type === 'Added'
      case 'Circle': {
        const circle = this.circles.find(({ Id }) => Id === last)
        const others = this.circles.filter(({ Id }) => Id !== last)
        const blank = { Id: last, Name: '', Level: 0, Members: 0 }
        if (Type === 'Removed') this.circles = others
        else if (circle) this.circles = this.circles.map(c => (c === circle ? { ...c, ...p } : c))
        else this.circles = [...others, { ...blank, ...p }]
        return Type === 'Added' && this.#named.delete(last)
      }
      case 'Listener':
        return this.#listener(Type, path, p)
      case 'Peer':
        return this.#peer(Type, `${path.split('/')[2]}/${last}`, p)
      default:
        return false
    }
  }

  #receipt({ Id, Name, Tag, State }: Waiting): boolean {
    if (State === 'done') this.#outbox.delete(Id)
    else this.#outbox.set(Id, { Id, Name, Tag, State })
    return false
  }

  #listener(type: string, path: string, p: Event['Properties']): boolean {
    if (type === 'Removed') return !this.#listeners.delete(path)
    const before = this.#listeners.get(path) ?? { Interface: '', Address: '', Port: 0, Policy: '' }
    const after = { ...before, ...p }
    this.#listeners.set(path, after)
    return type === 'Added' && this.#named.delete(placeOf(after))
  }

  #peer(type: string, key: string, p: Event['Properties']): boolean {
    const before = this.#peers.get(key)
    if (type === 'Removed') {
      this.#history.delete(key)
      return !this.#peers.delete(key)
    }
    const after = { ...before, ...p } as Peer
    if (!this.#meant(after)) return true
    this.#peers.set(key, after)
    if (!this.#history.has(key)) this.#history.set(key, [])
    return type === 'Added' && before?.State === after.State
  }

  #meant = ({ Circle }: Peer): boolean => this.shows(Circle)

  #note(lines: readonly string[]): void {
    this.events.push(...lines)
    this.events.splice(0, this.events.length - EVENTS)
  }
}

const keyOf = ({ Circle, Id }: Peer): string => `${Circle}/${Id}`
const placeOf = ({ Interface, Address, Port }: Listener): string => `${Interface} ${Address} ${Port}`
