/**
 * A simulated network of LANs: who can reach whom, and links that behave as TCP does. What is written on a
 * link arrives late and in order, or waits while the way is broken; nothing tells a silent end from a slow one.
 */
import type { Clock } from './clock.ts'

/** What a link needs to know of the devices at its ends. */
export interface Station {
  readonly name: string
  /** Its address on each LAN it is plugged into. */
  readonly addresses: ReadonlyMap<string, string>
  /** Its kernel runs: it answers, if only by refusing. */
  readonly awake: boolean
  /** Its process reads. */
  readonly reading: boolean
  /** Grows with every start and stop of its process; odd while it runs. */
  readonly run: number
}

export interface NetworkOptions {
  readonly clock: Clock
  readonly random: () => number
  /** One way. */
  readonly latencyMs: number
  readonly jitterMs: number
  /** Share of frames that must be sent again, and of attempts that time out. */
  readonly loss: number
}

export interface Nat {
  /** A link that was silent for longer is forgotten: nothing arrives on it any more. */
  readonly forgetsMs: number
  /** Names of those that can be dialled. */
  readonly open: readonly string[]
}

/** A retransmission timer at least (RFC 6298, as Linux has it). */
const RETRANSMISSION = 200

export class Network<S extends Station> {
  readonly options: NetworkOptions
  readonly #stations = new Map<string, S>()
  readonly #links = new Set<Link<S>>()
  readonly #cuts = new Set<string>()
  /** `<from> <to>`: nothing passes that way. */
  readonly #blocked = new Set<string>()
  /** When a datagram last passed a NAT, by `<from> <to>`. */
  readonly #asked = new Map<string, number>()
  readonly #nats = new Map<string, Nat>()

  constructor(options: NetworkOptions) {
    this.options = options
  }

  /** Those on that LAN have a subnet of their own each, and all but `open` stand behind a NAT. */
  nat(lan: string, nat: Nat): void {
    this.#nats.set(lan, nat)
  }

  /** Of a LAN, if there is one. */
  natOf(lan: string): Nat | undefined {
    return this.#nats.get(lan)
  }

  get links(): number {
    return this.#links.size
  }

  at(address: string): S | undefined {
    return this.#stations.get(address)
  }

  plugged(address: string, station: S): void {
    this.#stations.set(address, station)
    this.changed()
  }

  unplugged(address: string): void {
    this.#stations.delete(address)
  }

  cut(one: S, other: S): void {
    this.#cuts.add(pair(one, other))
  }

  heal(one: S, other: S): void {
    this.#cuts.delete(pair(one, other))
    this.changed()
  }

  /** Nothing passes from one to the other; the other way all is well. */
  block(from: S, to: S): void {
    this.#blocked.add(`${from.name} ${to.name}`)
  }

  unblock(from: S, to: S): void {
    this.#blocked.delete(`${from.name} ${to.name}`)
    this.changed()
  }

  passes(from: Station, to: Station): boolean {
    return !this.#blocked.has(`${from.name} ${to.name}`)
  }

  /** A datagram of one to an address: it arrives once, or never. Gives false when it cannot even leave. */
  datagram(from: S, address: string, arrives: (to: S, source: string) => void): boolean {
    const { clock, latencyMs, jitterMs, random, loss } = this.options
    if (from.addresses.size === 0) return false
    const lost = random() < loss
    const delay = latencyMs + jitterMs * random()
    clock.after(delay, () => {
      const to = this.at(address)
      const lan = to === undefined ? undefined : this.shared(from, to)
      if (lost || to === undefined || lan === undefined || !to.awake || !this.passes(from, to)) return
      if (!this.#mapped(lan, from, to) || to.addresses.get(lan) !== address) return
      arrives(to, from.addresses.get(lan)!)
    })
    return true
  }

  /** Whether NAT lets a datagram through: those behind it get answers only. */
  #mapped(lan: string, from: S, to: S): boolean {
    const nat = this.natOf(lan)
    if (nat === undefined) return true
    const { now } = this.options.clock
    const asked = this.#asked.get(`${to.name} ${from.name}`) ?? -Infinity
    if (!nat.open.includes(to.name) && now - asked > nat.forgetsMs) return false
    this.#asked.set(`${from.name} ${to.name}`, now)
    return true
  }

  /** A LAN both are on, with a way between them. */
  shared(one: S, other: S): string | undefined {
    if (this.#cuts.has(pair(one, other))) return undefined
    for (const lan of one.addresses.keys()) if (other.addresses.has(lan)) return lan
    return undefined
  }

  delay(): number {
    const { latencyMs, jitterMs, random, loss } = this.options
    let delay = latencyMs + jitterMs * random()
    if (loss > 0)
      for (let wait = RETRANSMISSION + 2 * latencyMs; random() < loss && wait < 10_000; wait *= 2)
        delay += wait
    return delay
  }

  link(dialler: S, answerer: S, lan: string): Link<S> {
    const link = new Link<S>(this, lan, dialler, answerer)
    this.#links.add(link)
    return link
  }

  forget(link: Link<S>): void {
    this.#links.delete(link)
  }

  /** Something that held frames up may be gone. */
  changed(): void {
    for (const link of this.#links) for (const end of [link.dialled, link.accepted]) end.resume()
  }
}

const pair = (one: Station, other: Station): string => [one.name, other.name].sort().join(' ')

export type Item = { kind: number; body: Uint8Array } | 'confirm' | 'end'

/** One end: what it writes arrives at the other. */
export class End<S extends Station> {
  readonly link: Link<S>
  readonly device: S
  readonly run: number
  readonly local: string
  readonly remote: string
  other!: End<S>
  session = 0
  open = true
  onItem: (item: Item) => void = () => {}
  onClose: (reason: string) => void = () => {}
  #last = 0
  readonly #held: Item[] = []
  #underWay = 0

  constructor(link: Link<S>, device: S, peer: S) {
    this.link = link
    this.device = device
    this.run = device.run
    this.local = device.addresses.get(link.lan)!
    this.remote = peer.addresses.get(link.lan)!
  }

  write(item: Item): void {
    const { clock } = this.link.network.options
    this.link.used(clock.now)
    this.#last = Math.max(this.#last, clock.now + this.link.network.delay())
    this.#underWay++
    clock.after(this.#last - clock.now, () => {
      this.#underWay--
      this.#arrive(item)
    })
  }

  /** The process is gone, or wants no more of it; what is under way still arrives. */
  close(): void {
    if (!this.open) return
    this.open = false
    if (this.other.open) this.write('end')
    else this.link.network.forget(this.link)
  }

  resume(): void {
    if (this.#held.length === 0 || this.#underWay > 0 || !this.#way()) return
    const held = this.#held.splice(0)
    for (const item of held) this.write(item)
  }

  #way(): boolean {
    if (!this.link.network.passes(this.device, this.other.device)) return false
    return this.link.whole && this.other.device.reading
  }

  #arrive(item: Item): void {
    const { other, link } = this
    if (!other.open || other.run !== other.device.run) {
      // nobody is there: the kernel says so, if it can, and behind what it sent before
      if (this.open && link.whole) {
        const { clock } = link.network.options
        clock.after(Math.max(other.#last - clock.now, link.network.delay()), () => this.reset())
      } else if (!this.open) link.network.forget(link)
      return
    }
    if (this.#held.length > 0 || !this.#way()) {
      this.#held.push(item)
      this.resume()
      return
    }
    if (item === 'end') {
      other.open = false
      other.onClose('closed')
      link.network.forget(link)
    } else other.onItem(item)
  }

  /** The other end is not there any more. */
  reset(): void {
    if (!this.open) return
    this.open = false
    this.link.network.forget(this.link)
    this.onClose('reset')
  }
}

export class Link<S extends Station> {
  readonly network: Network<S>
  readonly lan: string
  readonly dialled: End<S>
  readonly accepted: End<S>
  /** The NAT between its ends knows it no more. */
  forgotten = false
  #usedAt: number

  constructor(network: Network<S>, lan: string, dialler: S, answerer: S) {
    this.network = network
    this.#usedAt = network.options.clock.now
    this.lan = lan
    this.dialled = new End<S>(this, dialler, answerer)
    this.accepted = new End<S>(this, answerer, dialler)
    this.dialled.other = this.accepted
    this.accepted.other = this.dialled
  }

  used(now: number): void {
    const nat = this.network.natOf(this.lan)
    if (nat !== undefined && now - this.#usedAt > nat.forgetsMs) this.forgotten = true
    this.#usedAt = now
  }

  /** Both ends still have their addresses, are awake, and nothing is cut between them. */
  get whole(): boolean {
    const { dialled, accepted } = this
    return (
      !this.forgotten &&
      dialled.device.awake &&
      accepted.device.awake &&
      dialled.device.addresses.get(this.lan) === dialled.local &&
      accepted.device.addresses.get(this.lan) === accepted.local &&
      this.network.shared(dialled.device, accepted.device) !== undefined
    )
  }
}
