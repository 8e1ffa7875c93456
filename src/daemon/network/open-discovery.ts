/**
 * Says that an invitation is open here, and finds those of others (PROTOCOL 3). Beside the circles' own
 * discovery and apart from it: sockets, names, ports and limits of its own, and none of them while nobody here
 * invites or searches. Nothing that is said derives from the code.
 *
 * A search goes out on each interface in use, whatever its policy: the user asked for it. An invitation is
 * announced only where the policy is `announce`.
 */
import { makeInvitation, readInvitation } from '../../crypto/announcement.ts'
import { randomBytes } from '../../crypto/provider.ts'
import { Discovery, type DiscoveryInterface, type Heard } from '../../net/discovery.ts'
import { Tally } from '../../net/tally.ts'
import { addressOf, formatAddress } from '../../wire/address.ts'
import type { Log } from '../log.ts'

const QUERY_MS = 2_000
/** In 15 s: a query every 2 s in IPv4 and IPv6, and an invitation that somebody else asks for as often. */
const MDNS_PACKETS = 32

/**
 * Told at each hearing, so the last is the latest heard. `address`: a tcp URI. `inviter`: equal for the
 * addresses of one invitation.
 */
export type OnFound = (address: string, inviter: string) => void

/** Interface names. */
export interface Carriers {
  /** Where an open invitation is announced, or will be as soon as somebody listens there. */
  readonly announcing: readonly string[]
  /** In use, but not announcing: by policy, or because neither mDNS nor SSDP works there. */
  readonly silent: readonly string[]
}

export class OpenDiscovery {
  readonly #log: Log
  readonly #tally: Tally
  readonly #searches = new Set<OnFound>()
  #inviting = false
  /** Of the open invitation: one on all interfaces, or two cards on one LAN would count for two inviters. */
  #id = randomBytes(16)
  #discovery: Discovery | undefined
  #interfaces: readonly DiscoveryInterface[] = []
  #asking: NodeJS.Timeout | undefined
  #closing: Promise<void> = Promise.resolve()

  constructor(log: Log, tally = new Tally()) {
    this.#log = log
    this.#tally = tally
  }

  /** All interfaces in use, port 0 where nobody listens. */
  apply(interfaces: readonly DiscoveryInterface[]): void {
    this.#interfaces = interfaces
    void this.#discovery?.apply(this.#wanted)
  }

  invite(open: boolean): void {
    if (open === this.#inviting) return
    this.#inviting = open
    this.#id = randomBytes(16)
    this.#follow()
  }

  /** Until the signal ends it. Asks at once, then every 2 s. */
  search(onFound: OnFound, signal: AbortSignal): void {
    if (signal.aborted) return
    const search: OnFound = (...found) => onFound(...found)
    this.#searches.add(search)
    const end = () => {
      if (this.#searches.delete(search)) this.#follow()
    }
    signal.addEventListener('abort', end, { once: true })
    this.#follow()
  }

  get carriers(): Carriers {
    const works = (name: string) => {
      const state = this.#discovery?.state[name]
      return state === undefined || state.mdns === 'ok' || state.ssdp === 'ok'
    }
    const [announcing, silent]: [string[], string[]] = [[], []]
    for (const { name, policy } of this.#interfaces)
      (policy === 'announce' && works(name) ? announcing : silent).push(name)
    return { announcing, silent }
  }

  rotate(): void {
    this.#discovery?.rotate()
  }

  async stop(): Promise<void> {
    this.#inviting = false
    this.#searches.clear()
    this.#follow()
    await this.#closing
  }

  /** Who only invites has no ears where it does not speak. */
  get #wanted(): readonly DiscoveryInterface[] {
    return this.#searches.size > 0 ? this.#interfaces : this.#interfaces.filter(carries)
  }

  #follow(): void {
    const searching = this.#searches.size > 0
    if (!searching) {
      clearInterval(this.#asking)
      this.#asking = undefined
    }
    if (!searching && !this.#inviting) {
      this.#closing = this.#discovery?.stop() ?? this.#closing
      this.#discovery = undefined
      return
    }
    const fresh = this.#discovery === undefined
    this.#discovery ??= this.#open()
    const discovery = this.#discovery
    void discovery.apply(this.#wanted)
    if (!fresh) discovery.rotate(searching)
    if (searching) this.#asking ??= setInterval(() => this.#discovery?.query(), QUERY_MS)
  }

  #open(): Discovery {
    const make = (port: number, id: Uint8Array) => makeInvitation(port, id, randomBytes(8))
    return new Discovery({
      log: this.#log,
      tally: this.#tally,
      announcements: (_name, port) => (this.#inviting ? [{ circle: '', bytes: make(port, this.#id) }] : []),
      searchers: () => (this.#searches.size > 0 ? [make(0, randomBytes(16))] : []),
      circleOf: announcement => (readInvitation(announcement)?.port === 0 ? '' : undefined),
      onHeard: heard => this.#heard(heard),
      mdnsPackets: MDNS_PACKETS
    })
  }

  #heard({ announcement, source }: Heard): void {
    const { port, id } = readInvitation(announcement) ?? { port: 0, id: '' }
    const address = port === 0 ? undefined : addressOf(source, port)
    if (address === undefined) return
    for (const search of [...this.#searches]) search(formatAddress(address), id)
  }
}

const carries = ({ policy, port }: DiscoveryInterface): boolean => policy === 'announce' && port > 0
