/**
 * How the daemon is attached to the network: watches it, listens and announces on it as policy says, dials
 * through it. Without a circle it watches only; no network socket is open then but those of a search for open
 * invitations, while it lasts.
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { Bus } from '../../host/bus.ts'
import { NetworkWatcher } from '../../host/network.ts'
import { type OverlayDevice, tailscaleDevices } from '../../host/tailscale.ts'
import { wireguardDevices } from '../../host/wireguard.ts'
import {
  type Announced,
  Discovery,
  type DiscoveryInterface,
  type DiscoveryState,
  type Heard,
  type Hearing
} from '../../net/discovery.ts'
import { delta, type NetworkSource, type Place, type Snapshot } from '../../net/interfaces.ts'
import type { Link } from '../../net/link.ts'
import { type BoundListener, Listeners, PORT } from '../../net/listeners.ts'
import { isMetered } from '../../net/metered.ts'
import { Origins } from '../../net/origins.ts'
import { type NetworkConfig, type Planned, plan } from '../../net/policy.ts'
import { type Reach, reach } from '../../net/reach.ts'
import type { Tally } from '../../net/tally.ts'
import { dialTcp } from '../../net/tcp.ts'
import { parseAddress } from '../../wire/address.ts'
import type { Card } from '../../wire/extra.ts'
import type { Log } from '../log.ts'
import type { Publisher } from '../surfaces/publisher.ts'
import { afterMs } from '../timer.ts'
import { type Carriers, type OnFound, OpenDiscovery } from './open-discovery.ts'
import { Overlays } from './overlays.ts'
import { Rotation } from './rotation.ts'
import { ownCards, wakeOnLan } from './wake-lan.ts'

/** Less than an attempt may take as a whole: what is not there by then is told as such. */
const DIAL_TIMEOUT_MS = 4_500
/** What is asked by multicast comes back within this, or not at all. */
const ECHO_MS = 500

export interface AttachmentOptions {
  readonly systemBus: Bus
  readonly publisher: Publisher
  readonly log: Log
  /** Counts what goes over the network. */
  readonly tally: Tally
  readonly config: () => NetworkConfig
  /** There is a circle to be reached for. */
  readonly wanted: () => boolean
  /** Who may try what an overlay network knows of. */
  readonly guessing: () => readonly {
    readonly missed: boolean
    found(devices: readonly OverlayDevice[], port: number): void
  }[]
  readonly announcements: (interfaceName: string, port: number) => readonly Announced[]
  /** The circle that answers a search with this announcement. */
  readonly circleOf: (announcement: Uint8Array) => string | undefined
  readonly onLink: (link: Link) => void
  /** From an address URI to one of our listeners; from anybody. */
  readonly onDatagram: (datagram: Uint8Array, from: string, to: Place) => void
  readonly onHeard: (heard: Heard) => void
  readonly onListening: (reach: readonly Reach[]) => void
  /** Something can be reached that could not be reached before. */
  readonly onGained: () => void
  readonly onSource: (source: NetworkSource) => void
  /** What `conditions` tells has changed. */
  readonly onChange: () => void
}

export interface Conditions {
  readonly snapshot: Snapshot | undefined
  readonly planned: readonly Planned[]
  /** Sentences on addresses that could not be bound. */
  readonly listeners: readonly string[]
  readonly discovery: { readonly [interfaceName: string]: DiscoveryState }
}

export class Attachment {
  /** The network was looked at. */
  readonly looked: Promise<void>
  readonly #options: AttachmentOptions
  readonly #looked = Promise.withResolvers<void>()
  readonly #watcher: NetworkWatcher
  readonly #discovery: Discovery
  readonly #open: OpenDiscovery
  readonly #rotation = new Rotation(() => {
    this.rotate()
    this.#open.rotate()
  })
  readonly #origins: Origins
  readonly #overlays: Overlays
  #listeners: Listeners
  #port: number
  #snapshot: Snapshot | undefined
  #planned: readonly Planned[] = []
  #told = ''

  constructor(options: AttachmentOptions) {
    const { announcements, circleOf, log, onHeard, onSource, systemBus, tally } = options
    this.#options = options
    this.looked = this.#looked.promise
    this.#port = options.config().port
    this.#listeners = this.#makeListeners()
    this.#origins = new Origins({
      bound: () => this.bound,
      interfaces: () => this.#snapshot?.interfaces ?? [],
      restricted: () => options.config().only.length > 0,
      now: () => performance.now()
    })
    this.#discovery = new Discovery({ log, onHeard, announcements, circleOf, tally })
    this.#open = new OpenDiscovery(log, tally)
    this.#overlays = new Overlays({
      now: () => performance.now(),
      after: afterMs,
      wanted: () => this.#tunnelled && options.guessing().some(({ missed }) => missed),
      read: async () => [...(await tailscaleDevices()), ...(await wireguardDevices(systemBus))],
      onFound: devices => {
        for (const guessing of options.guessing()) guessing.found(devices, options.config().port || PORT)
      }
    })
    this.#watcher = new NetworkWatcher({
      bus: systemBus,
      log,
      onSnapshot: snapshot => this.#changed(snapshot),
      onSource
    })
  }

  get bound(): readonly BoundListener[] {
    return this.#listeners.bound
  }

  /** The same, with what is known of their links. */
  get reach(): readonly Reach[] {
    return reach(this.bound, this.#snapshot)
  }

  /** All networks in use cost by the byte. */
  get metered(): boolean {
    const used = this.#planned.map(({ interface: name }) => name)
    return this.#snapshot !== undefined && isMetered(this.#snapshot, new Set(used))
  }

  /** How this computer can be woken. */
  get cards(): Card[] {
    return ownCards(this.#snapshot?.interfaces ?? [], this.bound)
  }

  /** Sends the packet on the network in use that a card is on; `forOthers`: not where we only listen. */
  wakeCard(card: Card, forOthers: boolean): Promise<boolean> {
    const used = this.#planned.filter(({ policy }) => !forOthers || policy === 'announce')
    return wakeOnLan(card, this.#snapshot?.interfaces ?? [], used, this.#options.log)
  }

  get conditions(): Conditions {
    return {
      snapshot: this.#snapshot,
      planned: this.#planned,
      listeners: this.#listeners.notes,
      discovery: this.#discovery.state
    }
  }

  /** Asks by multicast who is there. */
  ask(): void {
    this.#discovery.query()
  }

  /** Asks by multicast, and says where that, and others, are heard. Takes 3 s at most. */
  async hearings(): Promise<readonly Hearing[]> {
    const since = performance.now()
    let hearings: readonly Hearing[] = []
    // while names change, as they do with each network, nothing may be said for a second
    for (let tries = 0; tries < 2 && hearings.every(({ own }) => own === 'unsaid'); tries++) {
      const wait = this.#discovery.query()
      if (wait > 0) {
        await delay(wait, undefined, { ref: false })
        this.#discovery.query()
      }
      await delay(ECHO_MS, undefined, { ref: false })
      // where nothing ran for a while the time is over before what came meanwhile was read
      await turn()
      hearings = this.#discovery.hearings(since)
    }
    return hearings
  }

  start(): void {
    this.#watcher.start()
    this.#rotation.start()
  }

  async stop(): Promise<void> {
    this.#rotation.stop()
    this.#watcher.stop()
    this.#overlays.stop()
    await Promise.all([this.#discovery.stop(), this.#open.stop(), this.#listeners.stop()])
  }

  /** The configuration or the circles changed: binds, unbinds and announces accordingly. */
  async follow(): Promise<void> {
    const { port } = this.#options.config()
    if (port !== this.#port) {
      this.#port = port
      await this.#listeners.stop()
      this.#listeners = this.#makeListeners()
    }
    this.#apply()
  }

  /** After a sleep: looks at the network, announces anew and asks who is there. */
  refresh(): void {
    this.#watcher.look()
    this.#discovery.rotate(true)
    this.#open.rotate()
  }

  /** New announcements of the circles, under new names; the old ones lapse. */
  rotate(): void {
    this.#discovery.rotate()
  }

  /** Whether an invitation by code is open: each announcing interface says so, at once, until it closes. */
  invite(open: boolean): void {
    this.#open.invite(open)
  }

  /** Where an open invitation is announced, and where not though the interface is in use. */
  get carriers(): Carriers {
    return this.#open.carriers
  }

  /**
   * Looks for open invitations of others on all interfaces in use, until the signal ends it. They may be
   * anybody's; what is found is told again every few seconds, as long as it is heard.
   */
  search(onFound: OnFound, signal: AbortSignal): void {
    this.#open.search(onFound, signal)
  }

  /** Rejects DialError. With `only`, no packet leaves by another interface. */
  connect(address: string, signal: AbortSignal): Promise<Link> {
    const permitted = (local: string) => this.#planned.some(planned => planned.address === local)
    const restricted = this.#options.config().only.length > 0
    const { tally } = this.#options
    return dialTcp(address, {
      timeoutMs: DIAL_TIMEOUT_MS,
      signal,
      tally,
      ...(restricted && { permitted })
    })
  }

  /**
   * Sends from the listener that fits, or from the one given; never by an interface that is not in use. `onFailed` gets
   * a word when the datagram did not leave: as of a dial.
   */
  sendDatagram(
    address: string,
    datagram: Uint8Array,
    onFailed: (reason: string) => void,
    from?: Place
  ): void {
    const to = parseAddress(address)
    if (to === undefined) {
      onFailed('address')
      return
    }
    const leave = (place: Place) => this.#listeners.send(datagram, to, place, onFailed)
    // an answer leaves from where it was asked, if packets to there may leave at all
    if (from !== undefined && this.#options.config().only.length === 0) leave(from)
    else
      this.#origins.find(to, origin => {
        if (typeof origin === 'string') onFailed(origin)
        else leave(from ?? origin)
      })
  }

  #changed(snapshot: Snapshot): void {
    const { gained } = delta(this.#snapshot, snapshot)
    this.#snapshot = snapshot
    this.#looked.resolve()
    this.#apply()
    this.#tell()
    if (gained) this.#options.onGained()
  }

  #apply(): void {
    const { config, onChange, wanted } = this.#options
    this.#origins.clear()
    if (this.#snapshot === undefined) return
    this.#planned = plan(this.#snapshot, config())
    this.#listeners.apply(wanted() ? this.#planned : [])
    this.#announce()
    this.#overlays.look()
    onChange()
  }

  /** A tunnel is in use. */
  get #tunnelled(): boolean {
    const tunnels = this.#snapshot?.interfaces.filter(({ kind }) => kind === 'vpn') ?? []
    return this.#planned.some(planned => tunnels.some(({ name }) => name === planned.interface))
  }

  #makeListeners(): Listeners {
    const { log, onDatagram, onLink, tally } = this.#options
    return new Listeners({
      port: this.#port,
      onLink,
      onDatagram,
      onChange: bound => this.#listening(bound),
      log,
      tally
    })
  }

  #listening(bound: readonly BoundListener[]): void {
    this.#origins.clear()
    const { onChange, publisher } = this.#options
    const paths = new Map(bound.map(listener => [pathOf(listener), listener]))
    for (const { path } of publisher.list('Listener')) if (!paths.has(path)) publisher.remove(path)
    for (const [path, { interface: name, address, port, policy }] of paths)
      publisher.set('Listener', path, { Interface: name, Address: address, Port: port, Policy: policy })
    this.#tell()
    this.#announce()
    onChange()
  }

  /** Where we are reached, when that or a link has changed. */
  #tell(): void {
    const reach = this.reach
    const told = JSON.stringify(reach)
    if (told === this.#told) return
    this.#told = told
    this.#options.onListening(reach)
  }

  /** On each interface with a listener, naming its port. */
  #announce(): void {
    const interfaces = this.#interfaces()
    this.#open.apply(interfaces)
    void this.#discovery.apply(interfaces.filter(({ port }) => port > 0)).then(() => this.#options.onChange())
  }

  /** Those in use, port 0 where nothing is bound. */
  #interfaces(): DiscoveryInterface[] {
    return (this.#snapshot?.interfaces ?? []).flatMap(i => {
      const planned = this.#planned.find(p => p.interface === i.name)
      if (planned === undefined) return []
      const port = this.bound.find(b => b.interface === i.name)?.port ?? 0
      return [{ ...i, policy: planned.policy, port }]
    })
  }
}

/** D-Bus paths know letters, digits and _ only. */
const pathOf = ({ interface: name, address, port }: BoundListener): string =>
  `/listener/${`${name}_${address}_${port}`.replaceAll(/[^A-Za-z0-9]/g, '_')}`
