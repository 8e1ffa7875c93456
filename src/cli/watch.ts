/** Events for people: one line a change. Remembers names, for a change says only what changed. */
import type { Result } from '../api/api.ts'
import type { Look } from './print.ts'
import { printable } from './print.ts'
import { address, deadReason, latency, reason, shortId } from './words.ts'

type Event = Result<'Watch'>
type Properties = Event['Properties']

export class EventLines {
  readonly #look: Look
  readonly #names = new Map<string, string>()

  constructor(look: Look) {
    this.#look = look
  }

  /** Names of peers that were there before the first event. */
  know(peers: readonly { Id: string; Name: string }[]): void {
    for (const { Id, Name } of peers) this.#names.set(Id, printable(Name))
  }

  of(event: Event, now: Date): string[] {
    const what = this.#sentence(event)
    if (what === '') return []
    const time = [now.getHours(), now.getMinutes(), now.getSeconds()]
      .map(n => `${n}`.padStart(2, '0'))
      .join(':')
    return [`${this.#look.dim(time)}  ${what}`]
  }

  #sentence(event: Event): string {
    const { Type, Kind, Properties: p } = event
    if (Type === 'Gap')
      return this.#look.yellow('changes were missed here; `coterie status` has the whole picture')
    const name = this.#name(event)
    if (Type === 'Removed') return `${name}  ${this.#look.dim('gone')}`
    if (Type === 'MessageReceived') return this.#received(p)
    if (Type === 'ReceiptChanged') return this.#receipt(p)
    if (Type !== 'Added' && Type !== 'Changed') return `${this.#look.red(Type)}  ${facts(p)}`
    if (Kind === 'Peer') {
      const said = this.#peer(p)
      return said && `${name}  ${said}`
    }
    if (Kind === 'Listener' && Type === 'Added') return `${name}  ${text(p['Policy'])}`
    return `${name}  ${facts(p)}`
  }

  #name({ Kind, Object: path, Properties: p }: Event): string {
    const last = path.slice(path.lastIndexOf('/') + 1)
    if (Kind === 'Peer') {
      if (typeof p['Name'] === 'string') this.#names.set(last, printable(p['Name']))
      return this.#look.bold(this.#names.get(last) ?? shortId(last))
    }
    if (Kind === 'Listener') {
      if (p['Address'])
        this.#names.set(path, `${text(p['Interface'])} ${text(p['Address'])} port ${text(p['Port'])}`)
      return `listener ${this.#names.get(path) ?? last}`
    }
    if (Kind === 'Circle') {
      if (typeof p['Name'] === 'string') this.#names.set(path, printable(p['Name']))
      return `circle ${this.#names.get(path) ?? shortId(last)}`
    }
    return Kind === 'Daemon' ? 'coteried' : `${Kind.toLowerCase()} ${last}`
  }

  #received(p: Properties): string {
    return `${this.#look.bold(text(p['Name']))}  sent ${text(p['Tag'])}  ${text(p['Size'])} bytes  ${text(p['Id'])}`
  }

  #receipt(p: Properties): string {
    const [tag, state] = [text(p['Tag']), text(p['State'])]
    const paint =
      state === 'dead' ? this.#look.red : state === 'done' ? this.#look.green : (word: string) => word
    const why = state === 'dead' ? deadReason(text(p['Reason']), tag, Number(p['Exit'])) : ''
    const facts = [this.#look.bold(text(p['Name'])), tag, paint(state), why, text(p['Id'])]
    return facts.filter(Boolean).join('  ')
  }

  /** The state with what belongs to it; else only the latency or the addresses. */
  #peer(p: Properties): string {
    const at = Array.isArray(p['Addresses']) ? p['Addresses'].map(a => address(text(a))) : []
    const took = typeof p['LatencyUSec'] === 'number' ? latency(p['LatencyUSec']) : ''
    const state = text(p['State'] ?? '')
    if (state === 'reachable') return [this.#look.green(state), took, at[0] ?? ''].filter(Boolean).join('  ')
    if (state === 'suspect') return `${this.#look.yellow(state)}  does not answer, being asked`
    if (state)
      return [this.#look.yellow(state), state === 'asleep' ? '' : reason(text(p['Reason'] ?? ''))]
        .filter(Boolean)
        .join('  ')
    return [took, at.join(' ')].filter(Boolean).join('  ')
  }
}

const text = (value: unknown): string =>
  printable(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

const facts = (p: Properties): string =>
  Object.entries(p)
    .filter(([, value]) => value !== '' && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name} ${text(value)}`)
    .join('  ')
