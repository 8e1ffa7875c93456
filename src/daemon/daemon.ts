/**
 * Makes and wires everything; who talks to whom is read here. Order of start: lock, key and database, local
 * socket, D-Bus, network. Before a circle exists only the local socket and D-Bus are open.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type Call, type Properties, VERSION } from '../api/api.ts'
import { SLOT_LENGTH } from '../crypto/announcement.ts'
import { randomBytes } from '../crypto/provider.ts'
import { Bus } from '../host/bus.ts'
import type { Write } from '../host/database.ts'
import { privateDirectory } from '../host/files.ts'
import { InstanceLock } from '../host/lock.ts'
import { NetworkWatcher } from '../host/network.ts'
import { listenFds, Supervisor } from '../host/systemd.ts'
import { Discovery, type Heard } from '../net/discovery.ts'
import type { Snapshot } from '../net/interfaces.ts'
import type { Link } from '../net/link.ts'
import { type BoundListener, Listeners } from '../net/listeners.ts'
import { type Planned, plan } from '../net/policy.ts'
import { dialTcp } from '../net/tcp.ts'
import type { Paths } from '../paths.ts'
import { toBase32 } from '../wire/base32.ts'
import { CloseReason } from '../wire/frame.ts'
import { Circle } from './circle.ts'
import type { Config } from './config.ts'
import { DBusSurface } from './dbus.ts'
import { found } from './founding.ts'
import { Gate } from './gate.ts'
import { joinByTicket } from './joining.ts'
import type { Log } from './log.ts'
import type { Cores } from './membership.ts'
import { methods } from './methods.ts'
import { notesOn } from './notes.ts'
import { Publisher } from './publisher.ts'
import { SocketSurface } from './socket.ts'
import { storedCircles } from './stored.ts'
import type { Surroundings } from './surroundings.ts'
import { Timer } from './timer.ts'
import { Vault } from './vault.ts'

const DIAL_TIMEOUT_MS = 5_000
/** How long START waits for the session bus to say whether the name is ours. */
const BUS_NAME_MS = 2_000
/** What a clean stop may take: goodbyes on the wire, the last commits on disk. */
const STOP_MS = 3_000

export class Daemon {
  readonly paths: Paths
  readonly publisher: Publisher
  config: Config
  #circles: readonly Circle[] = []
  readonly #readConfig: () => Config
  readonly #log: Log
  readonly #around: Surroundings
  readonly #supervisor = new Supervisor()
  readonly #vault: Vault
  readonly #buses: { readonly session: Bus; readonly system: Bus }
  readonly #socket: SocketSurface
  readonly #dbus: DBusSurface
  readonly #network: NetworkWatcher
  #listeners: Listeners
  readonly #discovery: Discovery
  readonly #gate: Gate
  readonly #timer: Timer
  #rotation: NodeJS.Timeout | undefined
  #lock: InstanceLock | undefined
  #snapshot: Snapshot | undefined
  #planned: readonly Planned[] = []
  readonly #trouble = new Map<string, string>()
  /** The session bus has said whether the name is ours, or is not there. */
  readonly #named = Promise.withResolvers<void>()
  #shown: Properties<'Daemon'>

  constructor(options: { paths: Paths; readConfig: () => Config; log: Log }) {
    const { paths, readConfig, log } = options
    const now = () => performance.now()
    const bootId = randomBytes(16)
    this.paths = paths
    this.#readConfig = readConfig
    this.#log = log
    this.config = readConfig()
    this.publisher = new Publisher({ boot: toBase32(bootId.subarray(0, 5)) })
    this.#shown = {
      Version: VERSION,
      Id: '',
      Name: this.config.device.name,
      State: 'new',
      Circle: '',
      NetworkSource: '',
      DBus: 'absent',
      Notes: []
    }
    this.#buses = { session: new Bus({ kind: 'session', log }), system: new Bus({ kind: 'system', log }) }
    this.#vault = new Vault({
      keyPath: join(paths.state, 'key'),
      databasePath: join(paths.data, 'coterie.db'),
      log
    })
    const implementation = methods(this)
    this.#socket = new SocketSurface({ implementation, log })
    this.#dbus = new DBusSurface({
      bus: this.#buses.session,
      publisher: this.publisher,
      implementation,
      control: () => this.config.dbus.control,
      log,
      onState: state => {
        this.#show({ DBus: state })
        this.#named.resolve()
      }
    })
    this.#gate = new Gate({
      circles: () => this.#circles,
      now,
      random: randomBytes,
      log,
      onSession: (circle, session) => (circle as Circle).opened(session)
    })
    this.#network = new NetworkWatcher({
      bus: this.#buses.system,
      log,
      onSnapshot: snapshot => {
        this.#snapshot = snapshot
        this.#follow()
      },
      onSource: source => this.#show({ NetworkSource: source })
    })
    this.#listeners = this.#makeListeners()
    this.#discovery = new Discovery({
      log,
      onHeard: heard => this.#heard(heard),
      announcements: (_interface, port) =>
        this.#circles.flatMap(circle => {
          const bytes = circle.announcement(port)
          return bytes === undefined ? [] : [{ circle: circle.id, bytes }]
        }),
      circleOf: announcement => this.#circles.find(circle => circle.recognises(announcement))?.id
    })
    this.#timer = new Timer(
      now,
      () => Math.min(...this.#circles.map(circle => circle.deadline)),
      () => {
        for (const circle of this.#circles) circle.expire()
      }
    )
    this.#around = {
      now,
      wall: () => Date.now(),
      random: randomBytes,
      log,
      publisher: this.publisher,
      gate: this.#gate,
      bootId,
      connect: (address, signal) => this.#connect(address, signal),
      commit: writes => this.#vault.commit(writes),
      arm: () => this.#timer.arm(),
      announce: () => this.#discovery.rotate(),
      staticAddresses: (id, name) =>
        this.config.peers.filter(peer => peer.id === id || peer.id === name).flatMap(peer => peer.addresses),
      note: (circle, sentence) => {
        this.#trouble.set(circle, sentence)
        this.#show({})
      },
      changed: () => this.#show({})
    }
  }

  // --- life

  /** Rejects with an error whose message is for the user when it cannot start. */
  async start(): Promise<void> {
    await privateDirectory(this.paths.data)
    await privateDirectory(this.paths.state)
    this.#lock = await InstanceLock.take(join(this.paths.data, 'lock'))
    this.#circles = storedCircles((await this.#vault.open()) ?? []).map(
      stored => new Circle(stored, this.#around)
    )
    this.#show({})
    const passed = listenFds()
    if (passed.length === 0) await this.#socket.listen({ path: this.paths.socket })
    for (const { fd } of passed) await this.#socket.listen({ fd })
    this.#buses.session.start()
    this.#dbus.start()
    await Promise.race([this.#named.promise, delay(BUS_NAME_MS, undefined, { ref: false })])
    this.#buses.system.start()
    this.#network.start()
    this.#rotateLater()
    this.#supervisor.watch(() => this.#vault.responds())
    await this.#supervisor.notify({ ready: true, status: this.#summary() })
    this.#log('info', this.#circles.length === 0 ? 'ready; this device is in no circle yet' : 'ready', {
      socket: passed.length === 0 ? this.paths.socket : 'passed by systemd',
      dbus: this.#shown.DBus
    })
  }

  /** Says goodbye to all peers, stores what is left, closes everything in reverse order. */
  async stop(): Promise<void> {
    const limit = setTimeout(() => process.exit(1), STOP_MS)
    this.#supervisor.unwatch()
    await this.#supervisor.notify({ stopping: true, status: 'saying goodbye' })
    clearTimeout(this.#rotation)
    this.#network.stop()
    await Promise.all([
      this.#discovery.stop(),
      this.#listeners.stop(),
      ...this.#circles.map(circle => circle.stop())
    ])
    this.#gate.stop()
    this.#timer.stop()
    await this.#dbus.stop()
    await Promise.all([this.#buses.session.close(), this.#buses.system.close()])
    await this.#socket.stop()
    await this.#vault.close()
    await this.#lock?.release()
    clearTimeout(limit)
  }

  /** Reads the configuration again. Sessions live on. Rejects ConfigError and keeps the old one. */
  async reload(): Promise<void> {
    await this.#supervisor.notify({ reloading: true })
    try {
      const old = this.config
      this.config = this.#readConfig()
      if (old.network.port !== this.config.network.port) {
        await this.#listeners.stop()
        this.#listeners = this.#makeListeners()
      }
      for (const circle of this.#circles) circle.offerStatic()
      this.#follow()
      this.#show({})
      this.#log('info', 'configuration read again', { path: this.paths.configFile })
    } finally {
      await this.#supervisor.notify({ ready: true })
    }
  }

  // --- circles

  get circles(): readonly Circle[] {
    return this.#circles
  }

  /** By id or name; '' is the default one. Throws ApiError. */
  circle(name: string): Circle {
    const first = this.#circles[0]
    if (first === undefined)
      throw new ApiError(
        'NoCircle',
        'this device is in no circle yet: `coterie init` makes one, `coterie join` joins one'
      )
    if (name === '') return first
    const found = this.#circles.filter(circle => circle.id === name || circle.name === name)
    if (found.length === 1) return found[0]!
    throw new ApiError('NoSuchCircle', `this device is in no circle ${JSON.stringify(name)}`)
  }

  /** Makes a circle with this device as its first. */
  async init(name: string, device: string): Promise<{ circle: Circle; recoveryCode: string }> {
    this.#mustBeNew()
    await this.#vault.create()
    const { writes, recoveryCode } = found({ name, device, random: randomBytes, wallMs: Date.now() })
    await this.#vault.commit(writes)
    return { circle: this.#adopt(writes), recoveryCode }
  }

  /** Joins a circle by ticket; goes on trying until the inviter answers or the time is up. */
  async join(
    ticket: string,
    device: string,
    { timeoutMs, call }: { timeoutMs: number; call: Call }
  ): Promise<Circle> {
    this.#mustBeNew()
    const joined = await joinByTicket(ticket, device, { around: this.#around, timeoutMs, call })
    try {
      this.#mustBeNew()
      await this.#vault.create()
      await this.#vault.commit(joined.writes)
    } catch (error) {
      joined.session.close(CloseReason.Done)
      throw error
    }
    const circle = this.#adopt(joined.writes, joined.cores)
    circle.opened(joined.session)
    for (const { kind, body } of joined.early) joined.session.onFrame(kind, body)
    const ended = joined.ended()
    if (ended !== undefined) joined.session.onClose(ended)
    return circle
  }

  /** Leaves a circle for good. Resolves how many peers have it on disk. */
  async leave(circle: Circle, call: Call): Promise<number> {
    this.#show({ State: 'leaving' })
    try {
      const told = await circle.leave(call)
      await circle.stop()
      this.#circles = this.#circles.filter(other => other !== circle)
      await this.#vault.commit([{ remove: 'circle', gid: circle.gid }])
      circle.unpublish()
      return told
    } finally {
      this.#show({ State: this.#circles.length === 0 ? 'new' : 'ready' })
      this.#follow()
      this.#discovery.rotate()
    }
  }

  #mustBeNew(): void {
    const [circle] = this.#circles
    if (circle !== undefined)
      throw new ApiError(
        'CircleExists',
        `this device is in the circle ${JSON.stringify(circle.name)} already; \`coterie leave\` comes first`
      )
  }

  /** The circle that these rows, now on disk, make. */
  #adopt(writes: readonly Write[], cores?: Cores): Circle {
    const rows = writes.flatMap(write => ('put' in write ? [write.put] : []))
    const circle = new Circle(storedCircles(rows)[0]!, this.#around, cores)
    this.#circles = [...this.#circles, circle]
    this.#show({})
    this.#follow()
    circle.listening(this.#listeners.bound)
    this.#discovery.rotate()
    return circle
  }

  // --- network

  #makeListeners(): Listeners {
    return new Listeners({
      port: this.config.network.port,
      onLink: link => this.#gate.accept(link),
      // probes come by UDP later; until then whatever arrives is dropped
      onDatagram: () => {},
      onChange: bound => this.#listening(bound),
      log: this.#log
    })
  }

  /** The network, the configuration or the circles changed: bind, unbind, announce accordingly. */
  #follow(): void {
    if (this.#snapshot === undefined) return
    this.#planned = plan(this.#snapshot, this.config.network)
    this.#listeners.apply(this.#circles.length === 0 ? [] : this.#planned)
    this.#announceOn(this.#listeners.bound)
    for (const circle of this.#circles) circle.networkChanged()
    this.#show({})
  }

  #listening(bound: readonly BoundListener[]): void {
    const wanted = new Map(
      bound.map(listener => [
        listenerPath(listener),
        {
          Interface: listener.interface,
          Address: listener.address,
          Port: listener.port,
          Policy: listener.policy
        }
      ])
    )
    for (const { path } of this.publisher.list('Listener')) if (!wanted.has(path)) this.publisher.remove(path)
    for (const [path, properties] of wanted) this.publisher.set('Listener', path, properties)
    for (const circle of this.#circles) circle.listening(bound)
    this.#announceOn(bound)
    this.#show({})
  }

  #announceOn(bound: readonly BoundListener[]): void {
    this.#discovery.apply(
      (this.#snapshot?.interfaces ?? []).flatMap(i => {
        const listener = bound.find(b => b.interface === i.name)
        return listener === undefined ? [] : [{ ...i, policy: listener.policy, port: listener.port }]
      })
    )
  }

  #heard({ source, announcement }: Heard): void {
    for (const circle of this.#circles) circle.heard(announcement, source)
  }

  #connect(address: string, signal: AbortSignal): Promise<Link> {
    const { only } = this.config.network
    return dialTcp(address, {
      timeoutMs: DIAL_TIMEOUT_MS,
      signal,
      ...(only.length > 0 && {
        permitted: (local: string) => this.#planned.some(planned => planned.address === local)
      })
    })
  }

  /** New names and announcements at the beginning of each slot of the wall clock. */
  #rotateLater(): void {
    const slotMs = SLOT_LENGTH * 1000
    this.#rotation = setTimeout(
      () => {
        this.#discovery.rotate()
        this.#rotateLater()
      },
      slotMs - (Date.now() % slotMs)
    )
    this.#rotation.unref()
  }

  // --- what is shown

  #show(change: Partial<Properties<'Daemon'>>): void {
    const first = this.#circles[0]
    const state = change.State ?? (this.#shown.State === 'leaving' ? 'leaving' : first ? 'ready' : 'new')
    this.#shown = {
      ...this.#shown,
      ...change,
      Id: first?.self ?? '',
      Name: first?.device ?? this.config.device.name,
      Circle: first?.id ?? '',
      State: state
    }
    const Notes = notesOn({
      dbus: this.#shown.DBus,
      snapshot: this.#snapshot,
      planned: this.#planned,
      only: this.config.network.only,
      listeners: this.#listeners?.notes ?? [],
      discovery: this.#discovery?.state ?? {},
      runtimeDirectory: !this.paths.socket.startsWith(this.paths.state),
      socket: this.paths.socket,
      trouble: [...this.#trouble.values()]
    })
    this.#shown = { ...this.#shown, Notes }
    this.publisher.set('Daemon', '', this.#shown)
    void this.#supervisor.notify({ status: this.#summary() })
  }

  /** One line for `systemctl status`. */
  #summary(): string {
    if (this.#circles.length === 0) return 'in no circle yet; `coterie init` or `coterie join` comes next'
    return this.#circles.map(circle => circle.summary).join('; ')
  }
}

/** D-Bus paths know letters, digits and _ only. */
const listenerPath = ({ interface: name, address, port }: BoundListener): string =>
  `/listener/${`${name}_${address}_${port}`.replaceAll(/[^A-Za-z0-9]/g, '_')}`
