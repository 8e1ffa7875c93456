/**
 * Makes and wires everything; who talks to whom is read here. Order of start: lock, key and database, local
 * socket, D-Bus, network. Before a circle exists only the local socket and D-Bus are open.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type CheckRecord, type Properties, VERSION } from '../api/api.ts'
import { bytesOf, hash, randomBytes } from '../crypto/provider.ts'
import { Bus } from '../host/bus.ts'
import { privateDirectory } from '../host/files.ts'
import { InstanceLock } from '../host/lock.ts'
import { Notifications } from '../host/notifications.ts'
import { PowerWatcher } from '../host/power.ts'
import { clockSynchronised } from '../host/synchronised.ts'
import { listenFds, Supervisor } from '../host/systemd.ts'
import { Tally } from '../net/tally.ts'
import type { Paths } from '../paths.ts'
import { toBase32 } from '../wire/base32.ts'
import type { Circle } from './circle/circle.ts'
import { Circles } from './circle/circles.ts'
import type { Config } from './config.ts'
import { diagnose } from './diagnosis.ts'
import { activity, Energy } from './energy.ts'
import { Agents } from './joining/agents.ts'
import { Desktop } from './joining/desktop.ts'
import type { Prompts } from './joining/invite-call.ts'
import { type Invite, Inviting, type Joiner, tellingSilent } from './joining/inviting.ts'
import { Questions } from './joining/questions.ts'
import { KeyStores } from './keys/key-stores.ts'
import { Unlocking } from './keys/unlocking.ts'
import { Vault } from './keys/vault.ts'
import type { Log } from './log.ts'
import { Handlers } from './messages/handlers.ts'
import { methods } from './methods.ts'
import { Attachment } from './network/attachment.ts'
import { Datagrams } from './network/datagrams.ts'
import { nearby } from './network/nearby.ts'
import { notesOn } from './notes.ts'
import { tellingNotices } from './notices.ts'
import { Gate } from './sessions/gate.ts'
import { Sleep } from './sleep.ts'
import { summaryOf } from './summary.ts'
import { DBusSurface } from './surfaces/dbus.ts'
import { Publisher } from './surfaces/publisher.ts'
import { SocketSurface } from './surfaces/socket.ts'
import type { Surroundings } from './surroundings.ts'
import { afterMs, Timer } from './timer.ts'

/** How long START waits for the session bus to say whether the name is ours. */
const BUS_NAME_MS = 2_000
/** What a clean stop may take: goodbyes on the wire, the last commits on disk. */
const STOP_MS = 3_000
const bootDomain = bytesOf('coterie/1 boot\0')

export class Daemon {
  readonly paths: Paths
  readonly publisher: Publisher
  config: Config
  readonly circles: Circles
  readonly #readConfig: () => Config
  readonly #log: Log
  readonly #supervisor = new Supervisor()
  /** Where a person may be asked. */
  readonly prompts: Prompts
  readonly #vault: Vault
  readonly #unlocking: Unlocking
  readonly #buses: { readonly session: Bus; readonly system: Bus }
  readonly #socket: SocketSurface
  readonly #dbus: DBusSurface
  readonly #attachment: Attachment
  readonly #gate: Gate
  readonly #datagrams = new Datagrams(() => this.circles.all)
  readonly #timer: Timer
  readonly #power: PowerWatcher
  readonly #sleep: Sleep
  readonly energy: Energy
  readonly handlers: Handlers
  readonly #inviting: Inviting
  #lock: InstanceLock | undefined
  #stopped = false
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
      onRows: rows => this.circles.load(rows),
      onChange: () => this.#show({})
    })
    const { session } = this.#buses
    const agents = new Agents({ bus: session, allowed: () => this.config.dbus.control, log })
    this.prompts = {
      agents,
      askers: [new Desktop(new Notifications(session))],
      questions: new Questions(randomBytes)
    }
    const implementation = methods(this)
    this.#socket = new SocketSurface({ implementation, log })
    this.#dbus = new DBusSurface({
      bus: this.#buses.session,
      publisher: this.publisher,
      implementation,
      agents,
      control: () => this.config.dbus.control,
      log,
      onState: state => {
        this.#show({ DBus: state })
        this.#named.resolve()
      }
    })
    this.#gate = new Gate({
      circles: () => this.circles.all.filter(circle => !circle.asleep).map(circle => circle.handshakes),
      now,
      random: randomBytes,
      log,
      invitation: () => this.#inviting.current,
      onSession: ({ gid }, session) => {
        const circle = this.circles.all.find(circle => circle.gid === gid)
        if (circle === undefined) session.destroy()
        else circle.opened(session)
      }
    })
    const tally = new Tally()
    this.#attachment = new Attachment({
      tally,
      systemBus: this.#buses.system,
      publisher: this.publisher,
      log,
      config: () => this.config.network,
      wanted: () => this.circles.all.length > 0,
      guessing: () => this.circles.all.map(circle => circle.guessing),
      announcements: (_interface, port) =>
        this.circles.all.flatMap(circle => {
          const bytes = circle.announcement(port)
          return bytes === undefined ? [] : [{ circle: circle.id, bytes }]
        }),
      circleOf: announcement => this.circles.all.find(circle => circle.recognises(announcement))?.id,
      onLink: link => this.#gate.accept(link),
      onDatagram: (datagram, from, to) => this.#datagrams.receive(datagram, from, to),
      onHeard: ({ announcement, source, policy, interface: name }) => {
        for (const circle of this.circles.all) circle.heard(announcement, source, policy, name)
      },
      onListening: reach => {
        this.#followMeans()
        for (const circle of this.circles.all) circle.listening(reach)
        this.handlers.daemon('network')
      },
      onGained: () => {
        for (const circle of this.circles.all) circle.networkChanged()
      },
      onSource: source => this.#show({ NetworkSource: source }),
      onChange: () => {
        this.#sleep.look()
        this.#followMeans()
        this.#show({})
      }
    })
    this.#timer = new Timer(
      now,
      () => Math.min(...this.circles.all.map(circle => circle.deadline)),
      lateMs => {
        this.#sleep.look(lateMs)
        for (const circle of this.circles.all) circle.expire()
        this.energy.sample()
      }
    )
    this.#power = new PowerWatcher({ bus: this.#buses.system, onChange: () => this.#followMeans() })
    this.#sleep = new Sleep({
      bus: this.#buses.system,
      log,
      now,
      circles: () => this.circles.all,
      network: () => this.#attachment,
      onChange: () => this.#show({})
    })
    this.energy = new Energy({
      now,
      counts: () => activity(tally, this.#timer, [this.#buses.session, this.#buses.system]),
      power: () => this.#power.power,
      metered: () => this.#attachment.metered,
      links: () => this.circles.all.map(circle => circle.links)
    })
    const onChange = () => this.circles.handlersChanged()
    const onPeer = tellingNotices(() => this.config.notifications, session, this.publisher)
    this.handlers = new Handlers({ config: () => this.config, paths, bus: session, log, onChange, onPeer })
    const around: Surroundings = {
      now,
      after: afterMs,
      wall: () => Date.now(),
      clockSynchronised: () => clockSynchronised(this.#buses.system),
      random: randomBytes,
      log,
      publisher: this.publisher,
      gate: this.#gate,
      handlers: this.handlers,
      bootId: gid => hash(bootDomain, boot, gid).slice(0, 16),
      connect: (address, signal) => this.#attachment.connect(address, signal),
      sendDatagram: (...asked) => this.#attachment.sendDatagram(...asked),
      wakeCard: (...asked) => this.#attachment.wakeCard(...asked),
      commit: writes => this.#vault.commit(writes),
      lock: lock => this.circles.lock(lock),
      nearby: nearby(this.#attachment),
      arm: () => this.#stopped || this.#timer.arm(),
      announce: () => this.#attachment.rotate(),
      staticAddresses: (id, name) =>
        this.config.peers.filter(peer => peer.id === id || peer.id === name).flatMap(peer => peer.addresses),
      note: (circle, sentence) => {
        this.#trouble.set(circle, sentence)
        this.#show({})
      },
      changed: () => {
        this.handlers.setActive(this.circles.all.some(circle => circle.active))
        this.#show({})
      }
    }
    this.#inviting = new Inviting(around, open => this.#attachment.invite(open))
    this.circles = new Circles({
      around,
      vault: this.#vault,
      search: (onFound, signal) => this.#attachment.search(onFound, signal),
      locked: () => this.#unlocking.away,
      reach: () => this.#attachment.reach,
      onChange: () => {
        this.#followMeans()
        this.#show({})
        this.#inviting.keep(({ gid }) =>
          this.circles.all.some(circle => circle.gid === gid && !circle.leaving)
        )
        void this.#attachment.follow()
        this.#attachment.rotate()
      }
    })
  }

  // --- life
  /** Rejects with an error whose message is for the user when it cannot start. */
  async start(): Promise<void> {
    await privateDirectory(this.paths.data)
    await privateDirectory(this.paths.state)
    this.#lock = await InstanceLock.take(join(this.paths.data, 'lock'))
    if (this.#vault.keyStore === 'secret-service') this.#buses.session.start()
    await this.handlers.look()
    await this.#unlocking.start()
    const passed = listenFds()
    if (passed.length === 0) await this.#socket.listen({ path: this.paths.socket })
    for (const { fd } of passed) await this.#socket.listen({ fd })
    this.#buses.session.start()
    this.#dbus.start()
    await Promise.race([this.#named.promise, delay(BUS_NAME_MS, undefined, { ref: false })])
    this.#supervisor.watch(() => this.#vault.responds())
    await this.#supervisor.notify({ ready: true, status: this.summary })
    const next = 'in no circle yet: `coterie init` makes one, `coterie join` joins one'
    this.#log('info', this.#shown.State === 'new' ? `ready; ${next}` : 'ready', {
      socket: passed.length === 0 ? this.paths.socket : 'passed by systemd',
      dbus: this.#shown.DBus
    })
    // What comes of the network comes by itself; nobody has to wait for it.
    this.#buses.system.start()
    this.#attachment.start()
    this.#power.start()
    this.#sleep.start()
    this.circles.begin()
    this.handlers.daemon('started')
  }

  /** Says goodbye to all peers, stores what is left, closes everything in reverse order. */
  async stop(): Promise<void> {
    const limit = setTimeout(() => process.exit(1), STOP_MS)
    this.#supervisor.unwatch()
    this.#inviting.stop()
    this.#unlocking.stop()
    this.#power.stop()
    const farewell = this.handlers.stop()
    this.#sleep.stop()
    await this.#supervisor.notify({ stopping: true, status: 'saying goodbye' })
    await Promise.all([this.#attachment.stop(), this.circles.stop(), farewell])
    this.#gate.stop()
    this.#stopped = true
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
      await this.handlers.look()
      await this.#unlocking.again({ start: true })
      for (const circle of this.circles.all) circle.offerStatic()
      await this.#attachment.follow()
      this.#show({})
      this.#log('info', 'configuration read again', { path: this.paths.configFile })
    } finally {
      await this.#supervisor.notify({ ready: true })
    }
  }

  /**
   * Lets one device join the circle by a code. Resolves with it; rejects ApiError, or when the signal is aborted,
   * which ends the code at once.
   */
  async inviteByCode(circle: Circle, invite: Invite, signal: AbortSignal): Promise<Joiner> {
    const inviting = await circle.inviting(invite.level, invite.guestForMs)
    return this.#inviting.open(inviting, tellingSilent(invite, this.#attachment), signal)
  }

  /** For people. */
  get summary(): string {
    return summaryOf(this.#unlocking.away, this.circles)
  }

  /** Looks at everything at once, and is done within 5 s. */
  async examine(): Promise<CheckRecord[]> {
    return diagnose({
      paths: this.paths,
      buses: this.#buses,
      attachment: this.#attachment,
      config: this.config.network,
      circles: this.circles.all,
      keyStore: () => this.#vault.keyStore,
      away: this.#unlocking.away,
      supervised: this.#supervisor.present,
      dbus: this.#shown.DBus,
      logind: this.#sleep.logind,
      handlers: this.handlers.runs,
      power: this.#power
    })
  }

  #followMeans(): void {
    const { cards, metered } = this.#attachment
    const means = { ...this.#power.power, metered, cards: this.config.device.wake ? cards : [] }
    for (const circle of this.circles.all) circle.setMeans(means)
  }

  // --- what is shown
  #show(change: Partial<Properties<'Daemon'>>): void {
    const sealed = this.circles.findSealed('')
    const first = sealed === undefined ? this.circles.all[0] : undefined
    const { away } = this.#unlocking
    const none = away === '' && sealed === undefined ? 'new' : 'locked'
    const shown = first ?? sealed
    this.#shown = {
      ...this.#shown,
      ...change,
      Id: shown?.self ?? '',
      Name: shown?.device ?? this.config.device.name,
      Circle: shown?.id ?? '',
      State: first === undefined ? none : first.leaving ? 'leaving' : 'ready'
    }
    const Notes = notesOn({
      dbus: this.#shown.DBus,
      ...this.#attachment.conditions,
      logind: this.#sleep.logind,
      only: this.config.network.only,
      runtimeDirectory: !this.paths.socket.startsWith(this.paths.state),
      socket: this.paths.socket,
      trouble: [away, ...this.#trouble.values()]
    })
    this.publisher.set('Daemon', '', (this.#shown = { ...this.#shown, Notes }))
    void this.#supervisor.notify({ status: this.summary })
  }
}
