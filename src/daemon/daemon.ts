/**
 * Makes and wires everything; who talks to whom is read here. Order of start: lock, key and database, local
 * socket, D-Bus, network. Before a circle exists only the local socket and D-Bus are open.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type Call, type Properties, VERSION } from '../api/api.ts'
import { bytesOf, equal, hash, randomBytes } from '../crypto/provider.ts'
import { Bus } from '../host/bus.ts'
import type { Row, Write } from '../host/database.ts'
import { privateDirectory } from '../host/files.ts'
import { InstanceLock } from '../host/lock.ts'
import { listenFds, Supervisor } from '../host/systemd.ts'
import type { Paths } from '../paths.ts'
import { toBase32 } from '../wire/base32.ts'
import { CloseReason } from '../wire/frame.ts'
import { Attachment } from './attachment.ts'
import { Circle } from './circle.ts'
import type { Config } from './config.ts'
import { DBusSurface } from './dbus.ts'
import { found } from './founding.ts'
import { Gate } from './gate.ts'
import { joinByTicket } from './joining.ts'
import { KeyStores } from './key-stores.ts'
import type { Log } from './log.ts'
import type { Cores } from './membership.ts'
import { methods } from './methods.ts'
import { notesOn } from './notes.ts'
import { PendingJoin } from './pending-join.ts'
import { Publisher } from './publisher.ts'
import { SocketSurface } from './socket.ts'
import { chosen, storedCircles } from './stored.ts'
import type { Surroundings } from './surroundings.ts'
import { Timer } from './timer.ts'
import { Unlocking } from './unlocking.ts'
import { Vault } from './vault.ts'

/** How long START waits for the session bus to say whether the name is ours. */
const BUS_NAME_MS = 2_000
/** How long a leave that was interrupted looks for somebody to tell. */
const LEAVING_MS = 10_000
/** What a clean stop may take: goodbyes on the wire, the last commits on disk. */
const STOP_MS = 3_000
/** DESIGN 4. */
const CIRCLES_AT_MOST = 16
const bootDomain = bytesOf('coterie/1 boot\0')

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
  readonly #unlocking: Unlocking
  readonly #pendingJoin: PendingJoin
  #turn: Promise<unknown> = Promise.resolve()
  readonly #buses: { readonly session: Bus; readonly system: Bus }
  readonly #socket: SocketSurface
  readonly #dbus: DBusSurface
  readonly #attachment: Attachment
  readonly #gate: Gate
  readonly #timer: Timer
  #lock: InstanceLock | undefined
  #started = false
  readonly #trouble = new Map<string, string>()
  /** The session bus has said whether the name is ours, or is not there. */
  readonly #named = Promise.withResolvers<void>()
  #shown: Properties<'Daemon'>

  constructor(options: { paths: Paths; readConfig: () => Config; log: Log }) {
    const { paths, readConfig, log } = options
    const now = () => performance.now()
    const boot = randomBytes(16)
    this.paths = paths
    this.#readConfig = readConfig
    this.#log = log
    this.config = readConfig()
    this.publisher = new Publisher({ boot: toBase32(boot.subarray(0, 5)) })
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
      stores: new KeyStores({
        keyPath: join(paths.state, 'key'),
        bus: this.#buses.session,
        random: randomBytes
      }),
      databasePath: join(paths.data, 'coterie.db'),
      log
    })
    this.#unlocking = new Unlocking({
      vault: this.#vault,
      log,
      onRows: rows => this.#load(rows),
      onAway: sentence => {
        this.#trouble.set('', sentence)
        this.#show({})
      }
    })
    this.#pendingJoin = new PendingJoin(write => this.#vault.commit([write]), randomBytes)
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
      circles: () => this.#circles.map(circle => circle.handshakes),
      now,
      random: randomBytes,
      log,
      onSession: ({ gid }, session) => this.#circles.find(circle => circle.gid === gid)?.opened(session)
    })
    this.#attachment = new Attachment({
      systemBus: this.#buses.system,
      publisher: this.publisher,
      log,
      config: () => this.config.network,
      wanted: () => this.#circles.length > 0,
      announcements: (_interface, port) =>
        this.#circles.flatMap(circle => {
          const bytes = circle.announcement(port)
          return bytes === undefined ? [] : [{ circle: circle.id, bytes }]
        }),
      circleOf: announcement => this.#circles.find(circle => circle.recognises(announcement))?.id,
      onLink: link => this.#gate.accept(link),
      onHeard: ({ announcement, source }) => {
        for (const circle of this.#circles) circle.heard(announcement, source)
      },
      onListening: bound => {
        for (const circle of this.#circles) circle.listening(bound)
      },
      onGained: () => {
        for (const circle of this.#circles) circle.networkChanged()
      },
      onSource: source => this.#show({ NetworkSource: source }),
      onChange: () => this.#show({})
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
      bootId: gid => hash(bootDomain, boot, gid).slice(0, 16),
      connect: (address, signal) => this.#attachment.connect(address, signal),
      commit: writes => this.#vault.commit(writes),
      arm: () => this.#timer.arm(),
      announce: () => this.#attachment.rotate(),
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
    // The key may be in a keyring on it.
    this.#buses.session.start()
    await this.#unlocking.start()
    const passed = listenFds()
    if (passed.length === 0) await this.#socket.listen({ path: this.paths.socket })
    for (const { fd } of passed) await this.#socket.listen({ fd })
    this.#dbus.start()
    await Promise.race([this.#named.promise, delay(BUS_NAME_MS, undefined, { ref: false })])
    this.#supervisor.watch(() => this.#vault.responds())
    await this.#supervisor.notify({ ready: true, status: this.#summary() })
    const next = 'in no circle yet: `coterie init` makes one, `coterie join -` joins one'
    const text =
      this.#shown.State === 'locked'
        ? 'ready; locked'
        : this.#circles.length === 0
          ? `ready; ${next}`
          : 'ready'
    this.#log('info', text, {
      socket: passed.length === 0 ? this.paths.socket : 'passed by systemd',
      dbus: this.#shown.DBus
    })
    // What comes of the network comes by itself; nobody has to wait for it.
    this.#buses.system.start()
    this.#attachment.start()
    this.#started = true
    for (const circle of this.#circles) if (circle.leaving) void this.#finishLeaving(circle)
  }

  /** All that is stored, at the start or when the key can be read at last. */
  #load(rows: readonly Row[]): void {
    this.#trouble.delete('')
    this.#pendingJoin.load(rows)
    this.#circles = storedCircles(rows).map(stored => new Circle(stored, this.#around))
    this.#show(this.#circles[0]?.leaving ? { State: 'leaving' } : {})
    if (!this.#started) return
    for (const circle of this.#circles) {
      circle.listening(this.#attachment.bound)
      if (circle.leaving) void this.#finishLeaving(circle)
    }
    void this.#attachment.follow()
    this.#attachment.rotate()
  }

  /** Says goodbye to all peers, stores what is left, closes everything in reverse order. */
  async stop(): Promise<void> {
    const limit = setTimeout(() => process.exit(1), STOP_MS)
    this.#supervisor.unwatch()
    this.#unlocking.stop()
    await this.#supervisor.notify({ stopping: true, status: 'saying goodbye' })
    await Promise.all([this.#attachment.stop(), ...this.#circles.map(circle => circle.stop())])
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
      this.config = this.#readConfig()
      await this.#unlocking.again({ start: true })
      for (const circle of this.#circles) circle.offerStatic()
      await this.#attachment.follow()
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
    this.#mustBeOpen()
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

  /** Makes a circle with this device as its first; `another`: beside those it is in already. */
  async init(
    name: string,
    device: string,
    { another, keyStore }: { another: boolean; keyStore: string }
  ): Promise<{ circle: Circle; recoveryCode: string }> {
    return this.#inTurn(async () => {
      this.#mustBeOpen()
      const [first] = this.#circles
      if (first !== undefined && !another)
        throw new ApiError(
          'CircleExists',
          `this device is in the circle ${JSON.stringify(first.name)} already; \`coterie circle create NAME\` makes another`
        )
      this.#mustHaveRoom()
      if (this.#circles.some(circle => circle.name === name))
        throw new ApiError(
          'CircleExists',
          `this device is in a circle called ${JSON.stringify(name)} already; give this one another name`
        )
      const { writes, recoveryCode } = found({ name, device, random: randomBytes, wallMs: Date.now() })
      await this.#vault.create(keyStore)
      const placed = writes.map(write => this.#placed(write))
      await this.#vault.commit(placed)
      return { circle: this.#adopt(placed), recoveryCode }
    })
  }

  /** From now on it is the default one. */
  async use(circle: Circle): Promise<void> {
    return this.#inTurn(async () => {
      await this.#vault.commit([chosen(circle.gid)])
      this.#circles = [circle, ...this.#circles.filter(other => other !== circle)]
      this.#show({})
    })
  }

  /** Joins a circle by ticket; goes on trying until the inviter answers or the time is up. */
  async join(
    ticket: string,
    device: string,
    { timeoutMs, keyStore, call }: { timeoutMs: number; keyStore: string; call: Call }
  ): Promise<Circle> {
    this.#mustBeOpen()
    this.#mustHaveRoom()
    const secrets = (of: Uint8Array) =>
      this.#inTurn(async () => {
        await this.#vault.create(keyStore)
        return this.#pendingJoin.secrets(of)
      })
    const joined = await joinByTicket(ticket, device, {
      around: this.#around,
      check: gid => this.#mustBeNew(gid),
      secrets,
      timeoutMs,
      call
    })
    const circle = await this.#inTurn(async () => {
      this.#mustHaveRoom()
      this.#mustBeNew(joined.gid)
      const writes = joined.writes.map(write => this.#placed(write))
      await this.#vault.commit([...writes, this.#pendingJoin.forget])
      this.#pendingJoin.forgotten()
      return this.#adopt(writes, joined.cores)
    }).catch(error => {
      joined.session.close(CloseReason.Done)
      throw error
    })
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
      await this.#vault.commit([{ remove: 'circle', gid: circle.gid }]).catch(error => {
        // it has left for good; the next start finds that and goes on here
        this.#log('warn', 'the keys of a circle that was left are still stored', { error: error.message })
      })
      circle.unpublish()
      return told
    } finally {
      this.#show({ State: this.#circles.length === 0 ? 'new' : 'ready' })
      await this.#attachment.follow()
      this.#attachment.rotate()
    }
  }

  /** A leave that was interrupted, by a crash or a power cut. */
  async #finishLeaving(circle: Circle): Promise<void> {
    this.#log('info', 'going on with leaving a circle', { circle: circle.name })
    const call = { signal: AbortSignal.timeout(LEAVING_MS), progress: () => {} }
    await circle.met(call.signal)
    if (this.#circles.includes(circle)) await this.leave(circle, call)
  }

  /** Who has a circle is changed by one at a time. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => {})
    return result
  }

  #mustBeOpen(): void {
    if (this.#unlocking.away !== '') throw new ApiError('Locked', this.#unlocking.away)
  }

  #mustBeNew(gid: Uint8Array): void {
    const known = this.#circles.find(circle => equal(circle.gid, gid))
    if (known === undefined) return
    const name = JSON.stringify(known.name)
    throw new ApiError(
      'CircleExists',
      known.record.Level === 0
        ? `this device was removed from the circle ${name}; \`coterie leave\` clears it away, then it can join anew`
        : `this device is in the circle ${name} already`
    )
  }

  #mustHaveRoom(): void {
    if (this.#circles.length >= CIRCLES_AT_MOST)
      throw new ApiError(
        'NotAllowed',
        `this device is in ${CIRCLES_AT_MOST} circles, which is the most; \`coterie leave --circle NAME\` leaves one`
      )
  }

  /** A new circle comes after the others, under a name that none of them has on this device. */
  #placed(write: Write): Write {
    if (!('put' in write) || write.put.table !== 'circle') return write
    const taken = new Set(this.#circles.map(({ name }) => name))
    let { name } = write.put
    for (let n = 2; taken.has(name); n++) name = `${write.put.name} ${n}`
    const position = Math.max(-1, ...this.#circles.map(circle => circle.position)) + 1
    return { put: { ...write.put, name, position } }
  }

  /** The circle that these rows, now on disk, make. */
  #adopt(writes: readonly Write[], cores?: Cores): Circle {
    const rows = writes.flatMap(write => ('put' in write ? [write.put] : []))
    const circle = new Circle(storedCircles(rows)[0]!, this.#around, cores)
    this.#circles = [...this.#circles, circle]
    this.#show({})
    circle.listening(this.#attachment.bound)
    void this.#attachment.follow()
    this.#attachment.rotate()
    return circle
  }

  // --- what is shown

  #show(change: Partial<Properties<'Daemon'>>): void {
    const first = this.#circles[0]
    const idle = first ? 'ready' : this.#unlocking.away !== '' ? 'locked' : 'new'
    const state = change.State ?? (this.#shown.State === 'leaving' ? 'leaving' : idle)
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
      ...this.#attachment.conditions,
      only: this.config.network.only,
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
    if (this.#shown.State === 'locked') return `locked: ${this.#unlocking.away}`
    if (this.#circles.length === 0) return 'in no circle yet; `coterie init` or `coterie join` comes next'
    return this.#circles.map(circle => circle.summary).join('; ')
  }
}
