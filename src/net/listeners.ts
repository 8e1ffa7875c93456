/**
 * One TCP and one UDP socket per planned address, both at one port, never 0.0.0.0. What is bound follows the
 * plan by difference; what cannot be bound yet (an IPv6 address still being checked, a port in use) is tried
 * again.
 */
import { type Address, addressOf, formatAddress } from '../wire/address.ts'
import type { Place } from './interfaces.ts'
import type { Link } from './link.ts'
import { type Listener, listen } from './listener.ts'
import type { Planned } from './policy.ts'
import type { Tally } from './tally.ts'
import { hostText, reasonOf, tcpLink } from './tcp.ts'

/** First and last port of the range; each further user of the machine takes the next. */
export const PORT = 24_747
export const LAST_PORT = 24_756
/** Any free port: how many are tried until all addresses have the same. */
const ANY_PORT_TRIES = 16
/** An address that is not there yet is tried again soon, then ever more slowly. */
const RETRY_FIRST_MS = 100
const RETRY_LAST_MS = 5_000

export interface BoundListener {
  readonly interface: string
  /** Bare IP address; `%interface` follows a link-local one. */
  readonly address: string
  readonly port: number
  readonly policy: 'announce' | 'listen'
}

export interface ListenersOptions {
  /** 24747 stands for the range 24747 to 24756; 0 for any free one; else that one only. */
  port: number
  onLink(link: Link, interfaceName: string): void
  /** `from` is an address URI, `to` one of those bound. The message is the receiver's to keep. */
  onDatagram(message: Buffer, from: string, to: Place): void
  /** After each change of `bound` or `notes`. */
  onChange(bound: readonly BoundListener[]): void
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string, facts?: object): void
  /** Counts what the links carry, and datagrams. */
  tally?: Tally
}

interface Entry {
  planned: Planned
  readonly listener: Listener
}
/** Why an address is not bound: an errno. */
interface Failure {
  readonly planned: Planned
  readonly code: string
}

export class Listeners {
  readonly #options: ListenersOptions
  readonly #entries = new Map<string, Entry>()
  #failures: Failure[] = []
  #plan: readonly Planned[] = []
  /** The port that all share where possible; 0 until one is bound. */
  #port = 0
  #bound: readonly BoundListener[] = []
  #notes: readonly string[] = []
  #work: Promise<void> | undefined
  #again = false
  #stopped = false
  #retry: NodeJS.Timeout | undefined
  #retryMs = RETRY_FIRST_MS

  constructor(options: ListenersOptions) {
    this.#options = options
  }

  /** What is bound, in the plan's order. */
  get bound(): readonly BoundListener[] {
    return this.#bound
  }

  /** A sentence for each address that should be bound and is not, with what would mend it. */
  get notes(): readonly string[] {
    return this.#notes
  }

  /** Binds and unbinds until exactly the plan is bound; the latest plan wins. */
  apply(plan: readonly Planned[]): void {
    if (this.#stopped) return
    this.#plan = plan
    this.#retryMs = RETRY_FIRST_MS
    this.#start()
  }

  /** A datagram from that address, which is bound. `onFailed` gets a word when it did not leave. */
  send(datagram: Uint8Array, to: Address, from: Place, onFailed: (reason: string) => void): void {
    const { tally } = this.#options
    for (const { planned, listener } of this.#entries.values()) {
      if (planned.address !== from.address || planned.interface !== from.interface) continue
      if (tally) {
        tally.datagramsSent++
        tally.datagramBytesSent += datagram.length
      }
      const failed = (code: string) => onFailed(reasonOf({ code }))
      listener.send(datagram, { host: hostText(to), port: to.port }, failed)
      return
    }
    onFailed('unreachable')
  }

  /** Resolves when all sockets are closed. Links that were accepted live on. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#plan = []
    this.#start()
    await this.#work
  }

  #start(): void {
    clearTimeout(this.#retry)
    this.#again = true
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined
    })
  }

  async #run(): Promise<void> {
    while (this.#again) {
      this.#again = false
      const plan = this.#plan
      this.#unbind(plan)
      this.#publish(plan)
      this.#failures = []
      const missing = plan.filter(planned => !this.#entries.has(keyOf(planned)))
      if (missing.length > 0) await this.#bind(missing)
      this.#publish(plan)
    }
    if (this.#failures.length === 0 || this.#stopped) return
    const soon = this.#failures.some(failure => failure.code === 'EADDRNOTAVAIL')
    this.#retry = setTimeout(() => this.#start(), soon ? this.#retryMs : RETRY_LAST_MS)
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS)
  }

  #unbind(plan: readonly Planned[]): void {
    const wanted = new Map(plan.map(planned => [keyOf(planned), planned]))
    for (const [key, entry] of this.#entries) {
      const planned = wanted.get(key)
      if (planned) {
        entry.planned = planned
        continue
      }
      this.#entries.delete(key)
      entry.listener.close()
    }
  }

  async #bind(missing: readonly Planned[]): Promise<void> {
    const ports = this.#candidates()
    if (this.#entries.size === 0) {
      // The first that all addresses can have.
      for (const port of ports) {
        const results = await this.#bindAll(missing, port)
        if (!results.some(isTaken)) return this.#keep(results)
        for (const result of results) if ('listener' in result) result.listener.close()
      }
    }
    for (const planned of missing) {
      for (const [i, port] of ports.entries()) {
        const result = await this.#bindOne(planned, port)
        if (isTaken(result) && i < ports.length - 1) continue
        this.#keep([result])
        break
      }
    }
  }

  /** Ports in the order in which they are tried; the one in use first. */
  #candidates(): number[] {
    const { port } = this.#options
    const all =
      port === 0
        ? Array<number>(ANY_PORT_TRIES).fill(0)
        : port === PORT
          ? Array.from({ length: LAST_PORT - PORT + 1 }, (_, i) => PORT + i)
          : [port]
    return this.#port === 0 ? all : [this.#port, ...all.filter(p => p !== this.#port)]
  }

  async #bindAll(planned: readonly Planned[], port: number): Promise<(Entry | Failure)[]> {
    const [first, ...others] = planned
    const result = await this.#bindOne(first!, port)
    const same = port === 0 && 'listener' in result ? result.listener.port : port
    return [result, ...(await Promise.all(others.map(p => this.#bindOne(p, same))))]
  }

  async #bindOne(planned: Planned, port: number): Promise<Entry | Failure> {
    const { onLink, onDatagram, tally } = this.#options
    try {
      const listener = await listen(planned.address, port, {
        onSocket: socket => {
          const link = tcpLink(socket, false, tally)
          if (link) onLink(link, planned.interface)
        },
        onMessage: (message, from) => {
          if (tally) {
            tally.datagramsReceived++
            tally.datagramBytesReceived += message.length
          }
          const remote = addressOf(from.address, from.port)
          if (remote) onDatagram(message, formatAddress(remote), planned)
        },
        onError: error => {
          this.#options.log('warn', `listening on ${planned.address} broke`, { error: error.message })
          this.#entries.delete(keyOf(planned))
          this.#start()
        }
      })
      return { planned, listener }
    } catch (error) {
      return { planned, code: (error as NodeJS.ErrnoException).code ?? 'EINVAL' }
    }
  }

  #keep(results: readonly (Entry | Failure)[]): void {
    for (const result of results) {
      if ('listener' in result) {
        this.#entries.set(keyOf(result.planned), result)
        this.#port ||= result.listener.port
      } else this.#failures.push(result)
    }
  }

  #publish(plan: readonly Planned[]): void {
    const bound = plan.flatMap(planned => {
      const entry = this.#entries.get(keyOf(planned))
      if (!entry) return []
      const { interface: name, address, policy } = entry.planned
      return [{ interface: name, address, port: entry.listener.port, policy }]
    })
    const notes = this.#failures.filter(f => f.code !== 'EADDRNOTAVAIL').map(f => this.#sentence(f))
    if (JSON.stringify([bound, notes]) === JSON.stringify([this.#bound, this.#notes])) return
    for (const note of notes) if (!this.#notes.includes(note)) this.#options.log('warn', note)
    this.#bound = bound
    this.#notes = notes
    this.#options.onChange(bound)
  }

  #sentence({ planned, code }: Failure): string {
    const { port } = this.#options
    const where = `${planned.address} (${planned.interface})`
    if (code === 'EADDRINUSE') {
      return port === PORT
        ? `ports ${PORT} to ${LAST_PORT} on ${where} are all taken: end a program that uses one, or set [network] port`
        : `port ${port} on ${where} is taken: end the program that uses it, or set another [network] port`
    }
    if (code === 'EACCES') {
      return `port ${port} on ${where} needs privileges: set [network] port to 1024 or more`
    }
    return `cannot listen on ${where}: ${code}`
  }
}

const isTaken = (result: Entry | Failure): boolean => 'code' in result && result.code === 'EADDRINUSE'

/** With the index: an address on a link that was made anew needs a new socket. */
const keyOf = (planned: Planned): string => `${planned.address} ${planned.interface} ${planned.index}`
