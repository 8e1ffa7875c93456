/**
 * Computers with real circles, gates, sessions and signatures in one process: joined by links in memory, with
 * disks in memory, in simulated time. Nothing here sleeps: time goes on when all that can happen now has.
 */

import crypto from 'node:crypto'
import { reach } from '../../src/net/reach.ts'
// loaded before time begins, for whoever imports it when it is needed
import '../../src/crypto/code-handshake.ts'
import { syncBuiltinESMExports } from 'node:module'
import { ApiError, type Call, type Properties } from '../../src/api/api.ts'
import type { PeerId } from '../../src/crypto/identity.ts'
import { hash } from '../../src/crypto/provider.ts'
import { Circle } from '../../src/daemon/circle/circle.ts'
import { lockedCircle } from '../../src/daemon/circle/locked-circle.ts'
import { type Lock, lockWrites, unlockWrites } from '../../src/daemon/circle/locking.ts'
import { genesisOf, recoveryKey } from '../../src/daemon/circle/recovery-code.ts'
import { storedCircles } from '../../src/daemon/circle/stored.ts'
import { found } from '../../src/daemon/joining/founding.ts'
import { Inviting } from '../../src/daemon/joining/inviting.ts'
import type { Joined } from '../../src/daemon/joining/joining.ts'
import { type CodeJoining, joinByCode } from '../../src/daemon/joining/joining-by-code.ts'
import { joinByTicket } from '../../src/daemon/joining/joining-by-ticket.ts'
import { PendingJoin } from '../../src/daemon/joining/pending-join.ts'
import { Handlers } from '../../src/daemon/messages/handlers.ts'
import { Gate, type JoinKeys, type JoinTicket } from '../../src/daemon/sessions/gate.ts'
import type { HandshakeCircle } from '../../src/daemon/sessions/handshake-circle.ts'
import type { Session } from '../../src/daemon/sessions/session.ts'
import { Publisher } from '../../src/daemon/surfaces/publisher.ts'
import type { Surroundings } from '../../src/daemon/surroundings.ts'
import { Bus } from '../../src/host/bus.ts'
import type { Row, Write } from '../../src/host/database.ts'
import { secrets } from '../../src/host/rows.ts'
import type { Link } from '../../src/net/link.ts'
import { Kind } from '../../src/wire/frame.ts'
import { generator } from '../random.ts'
import { Clock } from '../sim/clock.ts'
import { linkPair, type SimLink } from '../sim/link.ts'
import { seeded } from './gates.ts'

export const DELAY_MS = 5
export const START_MS = Date.UTC(2026, 10, 21)
const PORT = 24_747

// Signatures are checked by threads: time must not go on meanwhile.
let verifying = 0
const verify = crypto.verify as (...args: unknown[]) => unknown
crypto.verify = ((...args: unknown[]) => {
  const callback = args.at(-1)
  if (typeof callback !== 'function') return verify(...args)
  verifying++
  return verify(...args.slice(0, -1), (...result: unknown[]) => {
    verifying--
    callback(...result)
  })
}) as typeof crypto.verify
syncBuiltinESMExports()

/** Commits in order; can be full, and can be held up. */
export class Disk {
  full = false
  /** Asked with each commit; true: it fails for want of space. */
  refuses: (writes: readonly Write[]) => boolean = () => false
  commits = 0
  readonly #rows = new Map<string, Row>()
  #last: Promise<unknown> = Promise.resolve()
  #held: PromiseWithResolvers<void> | undefined

  get rows(): Row[] {
    return [...this.#rows.values()]
  }
  table<T extends Row['table']>(table: T): (Row & { table: T })[] {
    return this.rows.filter((row): row is Row & { table: T } => row.table === table)
  }
  /** All that was on it is gone, and this is there. */
  put(rows: readonly Row[]): void {
    this.#rows.clear()
    for (const row of rows) this.#rows.set(keyOf(row), row)
  }
  hold(): void {
    this.#held ??= Promise.withResolvers()
  }
  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  commit(writes: readonly Write[]): Promise<void> {
    const result = this.#last.then(async () => {
      while (this.#held !== undefined) await this.#held.promise
      if (this.full || this.refuses(writes)) throw new ApiError('NoSpace', 'the disk is full')
      this.commits++
      for (const write of writes) this.#apply(write)
    })
    this.#last = result.catch(() => {})
    return result
  }

  #apply(write: Write): void {
    if ('put' in write) {
      const key = keyOf(write.put)
      if (write.put.table !== 'operation' || !this.#rows.has(key)) this.#rows.set(key, write.put)
    } else if (write.remove === 'circle') this.#rows.clear()
    else if (write.remove === 'address') this.#rows.delete(`address ${write.peer} ${write.address}`)
    else if (write.remove === 'card') this.#rows.delete(`card ${write.peer} ${write.address}`)
    else if (write.remove === 'ticket') this.#rows.delete(`ticket ${write.id}`)
    else if (write.remove === 'share') this.#rows.delete(`share ${write.counts}`)
    else if (write.remove === 'secrets')
      for (const [key, row] of this.#rows) this.#rows.set(key, emptied(row, write.gid))
    else if (write.remove === 'discovery') this.#rows.delete(`discovery ${hex(write.id)}`)
    else if (write.remove === 'outgoing') this.#rows.delete(`outgoing ${write.peer} ${write.seq}`)
    else if (write.remove === 'copy') this.#rows.delete(`copy ${write.peer} ${hex(write.custody)}`)
    else if (write.remove === 'deposit') this.#rows.delete(`deposit ${hex(write.custody)}`)
    else this.#rows.delete(`incoming ${write.peer} ${hex(write.epoch)} ${write.seq}`)
  }
}

function emptied(row: Row, gid: Uint8Array): Row {
  if (row.table === 'setting' || hex(row.gid) !== hex(gid)) return row
  return { ...row, ...Object.fromEntries(secrets[row.table].of.map(column => [column, new Uint8Array(0)])) }
}

function keyOf(row: Row): string {
  switch (row.table) {
    case 'operation':
    case 'discovery':
      return `${row.table} ${hex(row.id)}`
    case 'address':
      return `address ${row.peer} ${row.address}`
    case 'card':
      return `card ${row.peer} ${row.address}`
    case 'ticket':
      return `ticket ${row.id}`
    case 'contact':
      return `contact ${row.peer}`
    case 'outgoing':
      return `outgoing ${row.peer} ${row.seq}`
    case 'incoming':
      return `incoming ${row.peer} ${hex(row.epoch)} ${row.seq}`
    case 'copy':
      return `copy ${row.peer} ${hex(row.custody)}`
    case 'deposit':
      return `deposit ${hex(row.custody)}`
    case 'floor':
      return `floor ${row.peer} ${hex(row.epoch)}`
    case 'counter':
      return `counter ${row.peer}`
    case 'circle':
    case 'outbox':
    case 'previous':
    case 'lock':
      return row.table
    case 'share':
      return `share ${row.counts}`
    case 'setting':
      return `setting ${row.key}`
  }
}
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

export interface Sent {
  readonly from: string
  readonly to: PeerId
  readonly kind: number
  readonly body: Uint8Array
}

/** Tells the world of each frame sent. */
class TracedGate extends Gate {
  readonly #traced: (session: Session) => Session
  constructor(options: ConstructorParameters<typeof Gate>[0], traced: (session: Session) => Session) {
    super(options)
    this.#traced = traced
  }
  override async dial(link: Link, circle: HandshakeCircle, peer: { id: PeerId; staticKey: Uint8Array }) {
    return this.#traced(await super.dial(link, circle, peer))
  }
  override async tryCode(...asked: Parameters<Gate['tryCode']>) {
    const offered = await super.tryCode(...asked)
    this.#traced(offered.session)
    return offered
  }
  override async join(link: Link, ticket: JoinTicket, keys: JoinKeys) {
    const joined = await super.join(link, ticket, keys)
    if (joined.session !== undefined) this.#traced(joined.session)
    return joined
  }
}

export type HowByCode = Partial<Pick<CodeJoining, 'at' | 'call' | 'search' | 'timeoutMs'>>

export class Computer {
  readonly name: string
  readonly address: string
  readonly world: World
  readonly disk = new Disk()
  readonly notes = new Map<string, string>()
  readonly logged: string[] = []
  readonly sessions: Session[] = []
  readonly #ended = new Set<Session>()
  publisher!: Publisher
  around!: Surroundings
  circles: Circle[] = []
  running = false
  announced = 0
  /** Of peers, by its configuration. */
  readonly addresses = new Map<PeerId, string>()
  /** It was removed as lost, and its keys are sealed. */
  locked = false
  /** What the system says of its clock. */
  synchronised = true
  inviting!: Inviting
  pending!: PendingJoin
  /** It announces that an invitation is open. */
  invites = false
  /** How wrong its clock is. */
  wrongMs = 0
  /** Of the circle that it made last. */
  recoveryCode = ''
  readonly #random: (length: number) => Uint8Array
  #cancel = () => {}
  #boots = 0
  #self: PeerId = ''

  constructor(world: World, name: string, address: string) {
    this.world = world
    this.name = name
    this.address = address
    this.#random = seeded(name)
    this.start()
  }

  get circle(): Circle {
    return this.circles[0]!
  }
  /** Of its latest circle. */
  get self(): PeerId {
    return this.#self
  }
  /** What its status says on a subject of its circle. */
  note(subject: string): string {
    return this.notes.get(`${this.circle.id} ${subject}`) ?? ''
  }
  get uri(): string {
    return `tcp://${this.address}:${PORT}`
  }
  /** Its sessions with the other one that have not ended. */
  open(other: Computer): Session[] {
    return this.sessions.filter(session => session.peer === other.self && !this.#ended.has(session))
  }
  /** Names of the members as this one sees them. */
  get members(): string[] {
    return this.circle
      .devices()
      .map(device => device.Name)
      .sort()
  }
  peer(other: PeerId): Properties<'Peer'> | undefined {
    const path = `/circle/${this.circle.id}/peer/${other}`
    return this.publisher.get(path)?.properties as Properties<'Peer'> | undefined
  }
  sees(other: Computer): boolean {
    return this.peer(other.self)?.Reachable === true
  }
  /** Newest first. */
  get announcement(): Uint8Array {
    return this.circle.announcement(PORT)!
  }

  start(): void {
    const { clock } = this.world
    const boot = ++this.#boots
    const alive = () => this.running && boot === this.#boots
    this.running = true
    this.publisher = new Publisher({ boot: `${this.name}${boot}` })
    const gate = new TracedGate(
      {
        circles: () => this.circles.map(circle => circle.handshakes),
        now: () => clock.now,
        random: this.#random,
        log: this.#log,
        invitation: () => this.inviting.current,
        onSession: ({ gid }, session) =>
          this.circles.find(circle => circle.gid === gid)?.opened(this.#traced(session)),
        after: (ms, act) => clock.after(ms, act),
        schedule: act => clock.after(0, act)
      },
      session => this.#traced(session)
    )
    const bootSecret = this.#random(16)
    this.around = {
      now: () => clock.now,
      after: (ms, act) => clock.after(ms, act),
      wall: () => START_MS + this.wrongMs + clock.now,
      clockSynchronised: async () => this.synchronised,
      random: this.#random,
      log: this.#log,
      publisher: this.publisher,
      gate,
      handlers: new Handlers({
        config: () => ({
          handlers: { folders: [], timeout: 60, memory: 64, tasks: 8, units: false },
          allow: []
        }),
        paths: { config: '/nowhere', runtime: '/nowhere', state: '/nowhere' },
        bus: new Bus({ kind: 'session', log: () => {} }),
        log: this.#log,
        onChange: () => {}
      }),
      bootId: gid => hash(bootSecret, gid).slice(0, 16),
      connect: (address, signal) => this.world.connect(this, alive, address, signal),
      sendDatagram: (address, datagram) => {
        if (alive()) this.world.datagram(this, address, datagram)
      },
      wakeCard: async () => false,
      commit: writes => this.disk.commit(writes),
      lock: lock => {
        this.#lock(lock).catch(error => this.#log('error', String(error)))
      },
      arm: () => this.#arm(),
      announce: () => {
        this.announced++
      },
      nearby: {
        interfaces: () => [],
        ask: () => {},
        keptApart: async () => 'unclear'
      },
      staticAddresses: id => [...this.addresses].flatMap(([peer, uri]) => (peer === id ? [uri] : [])),
      note: (about, sentence) => this.notes.set(about, sentence),
      changed: () => {}
    }
    this.pending = new PendingJoin(write => this.disk.commit([write]), this.#random)
    this.pending.load(this.disk.rows)
    this.inviting = new Inviting(this.around, open => {
      this.invites = open
    })
    for (const stored of storedCircles(this.disk.rows))
      if (lockedCircle(stored) === undefined) this.#add(new Circle(stored, this.around))
  }

  /** The process ends and says goodbye. */
  async stop(): Promise<void> {
    await this.world.done(Promise.all(this.circles.map(circle => circle.stop())))
    this.crash()
  }
  /** It ends without a word. What it sent is on its way. */
  crash(): void {
    this.running = false
    this.#cancel()
    this.circles = []
    this.world.drop(this)
  }

  async init(name = 'home'): Promise<Circle> {
    const asked = { name, device: this.name, random: this.#random, wallMs: this.around.wall() }
    const { writes, recoveryCode } = found(asked)
    this.recoveryCode = recoveryCode
    await this.world.done(this.disk.commit(writes))
    return this.#add(new Circle(storedCircles(this.disk.rows)[0]!, this.around))
  }

  invite(level = 10, lifetimeMs = 600_000, guestForMs = 0): Promise<string> {
    return this.world.done(this.circle.invite(level, lifetimeMs, guestForMs).then(({ ticket }) => ticket))
  }

  /** As the daemon does it. */
  async joining(ticket: string, { call = calling(), timeoutMs = 60_000 } = {}): Promise<Circle> {
    const secrets = async () => ({ seed: this.#random(32), secret: this.#random(32) })
    const asked = { around: this.around, check: () => {}, secrets, timeoutMs, call }
    return this.#enter(await joinByTicket(ticket, this.name, asked))
  }
  async joiningByCode(code: string, how: HowByCode = {}): Promise<Circle> {
    const { at = [], call = calling(), search = this.world.search(this), timeoutMs = 60_000 } = how
    const check = (gid: Uint8Array) => {
      const known = this.circles.find(circle => hex(circle.gid) === hex(gid))
      if (known) throw new ApiError('CircleExists', `this device is in the circle ${known.name} already`)
    }
    const secrets = this.pending.secrets.bind(this.pending)
    const asked = { around: this.around, check, secrets, timeoutMs, call, at, search }
    return this.#enter(await joinByCode(code, this.name, asked))
  }
  async #enter(joined: Joined): Promise<Circle> {
    await this.disk.commit([...joined.writes, this.pending.forget(joined.of)])
    this.pending.forgotten(joined.of)
    const circle = this.#add(new Circle(storedCircles(this.disk.rows)[0]!, this.around, joined.cores))
    circle.opened(joined.session)
    for (const { kind, body } of joined.early) joined.session.onFrame(kind, body)
    const ended = joined.ended()
    if (ended !== undefined) joined.session.onClose(ended)
    return circle
  }
  join(ticket: string): Promise<Circle> {
    return this.world.done(this.joining(ticket))
  }

  /** Its configuration names the address of that one. */
  knows(other: Computer): void {
    this.addresses.set(other.self, other.uri)
    this.circle.offerStatic()
  }

  leave(call = calling()): Promise<number> {
    return this.world.done(this.circle.leave(call))
  }

  /** As the daemon does it. */
  async #lock(lock: Lock): Promise<void> {
    await null
    const { circle } = this
    this.circles = []
    await circle.stop()
    circle.unpublish()
    const sealing = { random: this.#random, atMs: this.around.wall() }
    await this.disk.commit(lockWrites(lock, this.disk.rows, sealing))
    this.locked = true
  }
  /** With the recovery code, as the daemon does it. */
  async unlock(code: string): Promise<void> {
    const stored = storedCircles(this.disk.rows)[0]!
    const key = recoveryKey({ Code: code, Shares: [] }, genesisOf(stored.operations))
    await this.world.done(this.disk.commit(unlockWrites(stored.lock!, this.disk.rows, key.static)!))
    this.locked = false
    this.#add(new Circle(storedCircles(this.disk.rows)[0]!, this.around))
  }

  expire(): void {
    for (const circle of this.circles) circle.expire()
  }

  /** A datagram comes to its socket. Returns whether a circle wanted it. */
  hears(datagram: Uint8Array, from: string): boolean {
    const to = { interface: 'eth0', address: this.address }
    return this.running && this.circles.some(circle => circle.datagram(datagram, from, to))
  }

  readonly #log = (level: string, text: string, facts: object = {}): void => {
    this.logged.push(`${level} ${text} ${JSON.stringify(facts)}`)
  }

  #add(circle: Circle): Circle {
    this.circles.push(circle)
    this.#self = circle.self
    circle.listening(
      reach([{ interface: 'eth0', address: this.address, port: PORT, policy: 'announce' }], undefined)
    )
    return circle
  }

  #arm(): void {
    this.#cancel()
    const { clock } = this.world
    const due = Math.min(...this.circles.map(({ deadline }) => deadline))
    if (this.running && due < Infinity)
      this.#cancel = clock.after(Math.max(0, due - clock.now), () => this.expire())
  }

  #traced(session: Session): Session {
    const { peer: to } = session
    const send = session.send.bind(session)
    this.sessions.push(session)
    const { close, destroy } = session
    session.close = reason => {
      this.#ended.add(session)
      close.call(session, reason)
    }
    session.destroy = () => {
      this.#ended.add(session)
      destroy.call(session)
    }
    let onClose = session.onClose
    Object.defineProperty(session, 'onClose', {
      get: () => (reason: string) => {
        this.#ended.add(session)
        onClose(reason)
      },
      set: (given: typeof onClose) => {
        onClose = given
      }
    })
    session.send = (kind, body) => {
      this.world.sent.push({ from: this.name, to, kind, body })
      send(kind, body)
    }
    return session
  }
}

export class World {
  readonly clock = new Clock()
  readonly computers = new Map<string, Computer>()
  readonly sent: Sent[] = []
  /** Whether one can connect to the other; links that are there stay. */
  reaches: (from: Computer, to: Computer) => boolean = () => true
  /** Whether datagrams come through. */
  carries: (from: Computer, to: Computer) => boolean = (from, to) => this.reaches(from, to)
  /** All that were sent, whether they came or not. */
  readonly datagrams: { readonly from: string; readonly to: string; readonly bytes: Uint8Array }[] = []
  #links: { readonly from: Computer; readonly to: Computer; readonly link: SimLink }[] = []
  #port = 40_000

  constructor() {
    Math.random = generator(1)
  }

  computer(name: string): Computer {
    const computer = new Computer(this, name, `192.0.2.${this.computers.size + 1}`)
    this.computers.set(name, computer)
    return computer
  }

  /** Another computer with a copy of the disk of this one. */
  copy(of: Computer, name: string): Computer {
    const copy = this.computer(name)
    copy.disk.put(of.disk.rows)
    copy.crash()
    copy.start()
    return copy
  }

  /** The first founds a circle; the others join it by its tickets. All see each other. */
  async circle(...names: string[]): Promise<Computer[]> {
    const [first, ...others] = names.map(name => this.computer(name))
    await first!.init()
    for (const other of others) await other.join(await first!.invite())
    await this.meet(first!, ...others)
    return [first!, ...others]
  }

  async connect(from: Computer, alive: () => boolean, address: string, signal: AbortSignal): Promise<Link> {
    const { clock } = this
    await new Promise<void>(resolve => clock.after(DELAY_MS, resolve))
    signal.throwIfAborted()
    const to = [...this.computers.values()].find(({ uri }) => uri === address)
    if (!alive() || to === undefined || !to.running || !this.reaches(from, to)) throw new Error('refused')
    const pair = linkPair({
      clock,
      delayMs: DELAY_MS,
      from: `tcp://${from.address}:${++this.#port}`,
      to: address
    })
    this.#links.push({ from, to, link: pair.dialled })
    to.around.gate.accept(pair.accepted)
    return pair.dialled
  }

  datagram(from: Computer, address: string, bytes: Uint8Array): void {
    const to = [...this.computers.values()].find(({ uri }) => uri === address)
    if (to === undefined) return
    this.datagrams.push({ from: from.name, to: to.name, bytes })
    if (this.carries(from, to)) this.clock.after(DELAY_MS, () => to.hears(bytes, from.uri))
  }

  /** Finds who invites and can be reached, as announcements would: at once, and whoever comes later. */
  search(from: Computer): CodeJoining['search'] {
    return (onFound, signal) => {
      const look = () => {
        for (const to of this.computers.values())
          if (to.invites && to.running && this.reaches(from, to)) onFound(to.uri, to.name)
        const cancel = this.clock.after(500, look)
        signal.addEventListener('abort', cancel, { once: true })
      }
      look()
    }
  }

  /** All links of the one, or between the two, break. */
  drop(one: Computer, other?: Computer): void {
    const broken = this.#links.filter(
      ({ from, to }) => (from === one && (other ?? to) === to) || (to === one && (other ?? from) === from)
    )
    this.#links = this.#links.filter(link => !broken.includes(link))
    for (const { link } of broken) {
      link.closed('reset')
      link.other.closed('reset')
    }
  }

  /** Sessions open now between the two, as links. */
  links(one: Computer, other: Computer): number {
    return this.#links.filter(
      ({ from, to, link }) =>
        link.state === 'open' && ((from === one && to === other) || (from === other && to === one))
    ).length
  }

  /** All that can happen in this many milliseconds happens. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now + ms
    await this.#go(() => false, until)
    this.clock.now = until
  }

  /** Time goes on until it is so, a minute at most. */
  async until(so: () => boolean, what: string, limitMs = 60_000): Promise<void> {
    if (!(await this.#go(so, this.clock.now + limitMs))) throw new Error(`not within ${limitMs} ms: ${what}`)
  }

  async meet(...all: Computer[]): Promise<void> {
    const pairs = all.flatMap(one => all.filter(other => other !== one).map(other => [one, other] as const))
    await this.until(() => pairs.every(([one, other]) => one.sees(other)), 'all see each other')
  }

  /** Time goes on until it is settled. */
  async done<T>(promise: Promise<T>): Promise<T> {
    let over = false
    const end = () => {
      over = true
    }
    promise.then(end, end)
    await this.until(() => over, 'a promise is settled')
    return promise
  }

  frames(from: Computer, kind: number): Sent[] {
    return this.sent.filter(frame => frame.from === from.name && frame.kind === kind)
  }
  gossip(from: Computer): Sent[] {
    return this.frames(from, Kind.Gossip)
  }

  async #go(so: () => boolean, until: number): Promise<boolean> {
    for (;;) {
      await new Promise(resolve => setImmediate(resolve))
      if (so()) return true
      if (verifying === 0 && !this.clock.step(until)) return false
    }
  }
}

export function calling(signal: AbortSignal = new AbortController().signal): Call {
  return { signal, progress: () => {} }
}
