/**
 * Discovery: says by mDNS and SSDP that we are here, on each interface in use, and reports who else is.
 * The rules are in docs/protocol/discovery.md. Own addresses are never filtered, only own announcements:
 * daemons on one computer are peers.
 */
import { networkInterfaces } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { announcementText } from '../wire/announcement.ts'
import type { InterfaceAddress } from './interfaces.ts'
import { Budget, Limits } from './limits.ts'
import { MDNS_SPAN } from './mdns.ts'
import { type Family, isLinkLocal, networkOf, type Place, placesOf, samePlace, within } from './place.ts'
import { Segment } from './segment.ts'
import { Tally } from './tally.ts'
import { SILENCE, type Speech, type Traffic, type Via } from './voice.ts'

/** The same announcement from the same source is told once in this time, milliseconds. */
const REPEAT = 5000
const REMEMBERED = 256
/** That an interface may bring in a second. */
const PACKETS = 100
/** Own mDNS packets on an interface in MDNS_SPAN. */
const MDNS_PACKETS = 8
/** Between two beginnings or two queries, milliseconds. */
const SPACING = 1000
/** What we say comes back within this, milliseconds, or not at all. */
const ECHO = 200
const VIAS = ['mdns', 'ssdp'] as const

export interface DiscoveryInterface {
  readonly name: string
  readonly index: number
  readonly addresses: readonly InterfaceAddress[]
  readonly policy: 'announce' | 'listen' | 'off'
  /** Of the session listener there; 0 = there is none, so nothing is announced. */
  readonly port: number
  readonly multicast: boolean
  readonly mac: string
  /** What tells one network from another on the same interface (NetworkManager's connection), or ''. */
  readonly connection: string
}

/** An own announcement, freshly made. */
export interface Announced {
  readonly circle: string
  /** 48 bytes. */
  readonly bytes: Uint8Array
}

export interface Heard {
  readonly interface: string
  /** IP address of the sender; link-local IPv6 with its scope (`fe80::1%eth0`). */
  readonly source: string
  /** Of the interface. */
  readonly policy: 'announce' | 'listen'
  /** 48 bytes, well-formed; not verified. */
  readonly announcement: Uint8Array
  readonly via: Via
}

export interface DiscoveryOptions {
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', text: string, facts?: object) => void
  readonly onHeard: (heard: Heard) => void
  /** One for each circle, for the slot that it is now, with fresh salt; none before there is a circle. */
  readonly announcements: (interfaceName: string, port: number) => readonly Announced[]
  /** As whom is asked; the announcements themselves where this is not given. Also where none is made. */
  readonly searchers?: () => readonly Uint8Array[]
  /** The circle whose announcement this searcher may have by unicast; undefined for strangers. */
  readonly circleOf: (announcement: Uint8Array) => string | undefined
  /** Own mDNS packets on an interface in any 15 s; 8 unless told. */
  readonly mdnsPackets?: number
  /** Counts what is sent and heard. */
  readonly tally?: Tally
}

interface Known {
  readonly limits: Limits
  interface: DiscoveryInterface
  announced: readonly Announced[]
  speech: Speech
  readonly segments: Map<string, Segment>
}

/** 'ok', or a few words on why that protocol does not work on the interface (or `IPv4: …`, on half of it). */
export interface DiscoveryState {
  readonly mdns: string
  readonly ssdp: string
}

/** Whether multicast works at one place, by what was said and heard. */
export interface Hearing {
  readonly interface: string
  readonly family: Family
  readonly via: Via
  /** `heard`: what this computer says comes back. `unheard`: it does not. `unsaid`: not known. */
  readonly own: 'heard' | 'unheard' | 'unsaid'
  /** Something of another computer was heard. */
  readonly others: boolean
}

export class Discovery {
  readonly counters = {
    heard: 0,
    own: 0,
    duplicate: 0,
    offLink: 0,
    oversized: 0,
    limited: 0,
    malformed: 0,
    answered: 0
  }
  readonly #options: DiscoveryOptions
  readonly #known = new Map<string, Known>()
  /** By announcement and source: when it was told last. Oldest first. */
  readonly #told = new Map<string, number>()
  /** Own announcements, the latest of them: what we hear of ourselves. */
  readonly #own = new Set<string>()
  readonly #budgets = new Map<string, Budget>()
  readonly #spokeAt = new Map<string, number>()
  #askedAt = -Infinity

  readonly #tally: Tally

  constructor(options: DiscoveryOptions) {
    this.#tally = options.tally ?? new Tally()
    this.#options = options
  }

  /**
   * The interfaces as they are now; only what differs from before is opened, closed or said anew. Settles when
   * all that can be heard is heard; never rejects.
   */
  async apply(interfaces: readonly DiscoveryInterface[]): Promise<void> {
    // What was heard before a change of the network is news after it: the daemon dials again.
    this.#told.clear()
    const wanted = new Map(interfaces.filter(({ policy }) => policy !== 'off').map(one => [one.name, one]))
    for (const [name, known] of this.#known) {
      if (wanted.has(name)) continue
      for (const segment of known.segments.values()) segment.close()
      this.#known.delete(name)
    }
    for (const [name, one] of wanted) {
      const known = this.#known.get(name)
      if (known === undefined) this.#add(one)
      else this.#change(known, one)
    }
    await Promise.all(this.#segments().map(({ opened }) => opened))
  }

  /**
   * New announcements, names and source ports everywhere, said at once; the old names lapse. Call it with each
   * new slot, when a circle is made, joined or left, and when a discovery key changes. `ask`: asks too.
   */
  rotate(ask = false): void {
    for (const known of this.#known.values()) this.#renew(known, ask)
  }

  /** Asks who is there, on all interfaces; at most once a second: else the milliseconds until it may, not 0. */
  query(): number {
    const now = performance.now()
    if (now - this.#askedAt < SPACING) return this.#askedAt + SPACING - now
    this.#askedAt = now
    for (const segment of this.#segments()) segment.query()
    return 0
  }

  /** Takes the names back and closes everything. */
  async stop(): Promise<void> {
    const segments = this.#segments()
    this.#known.clear()
    for (const segment of segments) segment.goodbye()
    await setImmediate()
    for (const segment of segments) segment.close()
  }

  /** By interface name; interfaces that are off are not in it. */
  get state(): Record<string, DiscoveryState> {
    const state: Record<string, DiscoveryState> = {}
    for (const [name, { interface: one, segments }] of this.#known) {
      state[name] = { mdns: stateOf(one, segments, 'mdns'), ssdp: stateOf(one, segments, 'ssdp') }
    }
    return state
  }

  /** By what was said since then (monotonic milliseconds), where the sockets work (see `state`). */
  hearings(since: number): Hearing[] {
    const now = performance.now()
    return [...this.#known].flatMap(([name, { segments }]) =>
      [...segments].flatMap(([family, segment]) =>
        VIAS.filter(via => segment.state(via) === '').map(via => ({
          interface: name,
          family: family as Family,
          via,
          ...hearing(segment.traffic(via), since, now)
        }))
      )
    )
  }

  #segments(): Segment[] {
    return [...this.#known.values()].flatMap(({ segments }) => [...segments.values()])
  }

  #add(one: DiscoveryInterface): void {
    const known: Known = {
      interface: one,
      announced: [],
      speech: SILENCE,
      segments: new Map(),
      limits: new Limits(PACKETS, PACKETS)
    }
    this.#known.set(one.name, known)
    this.#place(known)
    this.#renew(known, true)
  }

  #change(known: Known, one: DiscoveryInterface): void {
    const same = identity(known.interface) === identity(one)
    known.interface = one
    this.#place(known)
    if (!same) this.#renew(known, true)
  }

  /** Opens and closes segments as the addresses say. */
  #place(known: Known): void {
    const places = speaks(known.interface) ? placesOf(known.interface) : []
    for (const [family, segment] of known.segments) {
      const place = places.find(candidate => candidate.family === family)
      if (place !== undefined && samePlace(place, segment.place)) {
        segment.place.prefixes = place.prefixes
        segment.revive()
        continue
      }
      segment.close()
      known.segments.delete(family)
    }
    for (const place of places) {
      if (known.segments.has(place.family)) continue
      const segment = this.#open(place, known.limits)
      segment.set(known.speech, true)
      known.segments.set(place.family, segment)
    }
  }

  #renew(known: Known, ask: boolean): void {
    const { name, port, policy } = known.interface
    known.announced = policy === 'announce' && port > 0 ? this.#options.announcements(name, port) : []
    const announcements = known.announced.map(({ bytes }) => bytes)
    known.speech = { announcements, searchers: this.#options.searchers?.() ?? announcements }
    for (const bytes of [...announcements, ...known.speech.searchers])
      remember(this.#own, announcementText(bytes))
    for (const segment of known.segments.values()) segment.set(known.speech, ask)
  }

  #open(place: Place, limits: Limits): Segment {
    const name = place.interface
    const key = `${name} ${place.family}`
    const budget = this.#budgets.get(name) ?? new Budget(this.#options.mdnsPackets ?? MDNS_PACKETS, MDNS_SPAN)
    this.#budgets.set(name, budget)
    return new Segment({
      place,
      limits,
      budget,
      tally: this.#tally,
      delay: () => (this.#spokeAt.get(key) ?? -Infinity) + SPACING - performance.now(),
      onSpeaks: () => this.#spokeAt.set(key, performance.now()),
      onFailed: (via, why) =>
        this.#options.log('warn', `${via} does not work on ${name}: ${why}`, { ...place }),
      onHeard: (announcement, source, via) => this.#hear(name, source, announcement, via),
      reply: searcher => this.#reply(name, searcher),
      leavesHere: address => this.#leavesHere(address),
      count: what => this.counters[what]++
    })
  }

  #hear(name: string, source: string, announcement: Uint8Array, via: Via): void {
    const text = announcementText(announcement)
    if (this.#own.has(text)) {
      this.counters.own++
      return
    }
    const key = `${text} ${source}`
    const now = performance.now()
    if (now - (this.#told.get(key) ?? -Infinity) < REPEAT) {
      this.counters.duplicate++
      return
    }
    this.#told.delete(key)
    this.#told.set(key, now)
    trim(this.#told)
    this.counters.heard++
    const policy = this.#known.get(name)?.interface.policy === 'announce' ? 'announce' : 'listen'
    this.#options.onHeard({ interface: name, source, policy, announcement, via })
  }

  #reply(name: string, searcher: Uint8Array): Uint8Array | undefined {
    if (this.#own.has(announcementText(searcher))) return undefined
    const circle = this.#options.circleOf(searcher)
    if (circle === undefined) return undefined
    return this.#known.get(name)?.announced.find(announced => announced.circle === circle)?.bytes
  }

  /** A unicast packet leaves by the route; where an interface not in use has that subnet too, none is sent. */
  #leavesHere(address: string): boolean {
    if (isLinkLocal(address)) return true
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      if (this.#known.has(name)) continue
      const prefixes = (addresses ?? []).map(({ address, cidr }) => ({
        address,
        prefix: Number(cidr?.split('/')[1] ?? 128)
      }))
      if (within(prefixes, address)) return false
    }
    return true
  }
}

function hearing(
  { said, own, others }: Traffic,
  since: number,
  now: number
): Pick<Hearing, 'own' | 'others'> {
  const first = said.find(at => at >= since) ?? Infinity
  const state = own >= first ? 'heard' : now - first > ECHO ? 'unheard' : 'unsaid'
  return { own: state, others: others > -Infinity }
}

const isLoopback = (one: DiscoveryInterface) =>
  one.addresses.some(({ address }) => address.startsWith('127.'))
/** lo lacks the flag, but carries multicast. */
const speaks = (one: DiscoveryInterface) => one.multicast || isLoopback(one)

/**
 * What an observer knows the interface by, and which network it is on: when any of it changes all names change.
 * Not every address: one more in the same IPv6 network is said under the same names.
 */
function identity(one: DiscoveryInterface): string {
  const spoken = placesOf(one).map(({ address }) => address)
  const networks = one.addresses.filter(({ address }) => address.includes(':')).map(networkOf)
  const { index, mac, connection, port, policy } = one
  return [index, mac, connection, port, policy, ...spoken, ...new Set(networks.sort())].join(' ')
}

function stateOf(one: DiscoveryInterface, segments: ReadonlyMap<string, Segment>, via: Via): string {
  if (!speaks(one)) return 'the interface has no multicast'
  if (segments.size === 0) return 'the interface has no address'
  const failed = [...segments.values()].filter(segment => segment.state(via) !== '')
  if (failed.length === 0) return 'ok'
  const why = failed[0]!.state(via)
  if (failed.length === segments.size) return why
  return `${failed[0]!.place.family === 'ipv4' ? 'IPv4' : 'IPv6'}: ${why}`
}

function remember(set: Set<string>, text: string): void {
  set.add(text)
  trim(set)
}

function trim(collection: Set<string> | Map<string, unknown>): void {
  while (collection.size > REMEMBERED) collection.delete(collection.keys().next().value!)
}
