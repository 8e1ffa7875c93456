/** One circle of this device: joins its membership, its traffic and what is shown of it. */
import { ApiError, type Call, type Member, type Properties } from '../../api/api.ts'
import type { Value } from '../../api/types.ts'
import { type CircleId, circleId, type PeerId } from '../../crypto/identity.ts'
import type { LinkCounts } from '../../mesh/mesh.ts'
import type { Place } from '../../net/interfaces.ts'
import type { Reach } from '../../net/reach.ts'
import { Kind } from '../../wire/frame.ts'
import { decodeRecoveryFrame } from '../../wire/recovery-frame.ts'
import type { InvitingCircle } from '../joining/open-invitation.ts'
import { Correspondence } from '../messages/correspondence.ts'
import type { HandshakeCircle } from '../sessions/handshake-circle.ts'
import type { Session } from '../sessions/session.ts'
import { Sessions } from '../sessions/sessions.ts'
import type { Surroundings } from '../surroundings.ts'
import { Announcer } from './announcer.ts'
import type { OwnMeans, RestPhase } from './condition.ts'
import { Explaining, type Origin } from './explaining.ts'
import { Following, uri } from './following.ts'
import { Guessing } from './guesses.ts'
import { firstIncarnation } from './incarnation.ts'
import { KnownAddresses } from './known-addresses.ts'
import type { Measured } from './measuring.ts'
import { type Cores, Membership } from './membership.ts'
import { OwnAddresses } from './own-addresses.ts'
import type { Recovery } from './recovery.ts'
import { Roster } from './roster.ts'
import { type ShareCircle, Shares } from './shares.ts'
import type { StoredCircle } from './stored.ts'
import { Traffic } from './traffic.ts'
import { Waking } from './waking.ts'
import { Warnings } from './warnings.ts'

/** How long a leaving device waits for its peers to have it on disk. */
const FAREWELL_MS = 3_000

export class Circle {
  readonly id: CircleId
  readonly gid: Uint8Array
  readonly name: string
  /** Among those of this device, in the order of joining. */
  readonly position: number
  readonly #around: Surroundings
  readonly #membership: Membership
  readonly #announcer: Announcer
  readonly #traffic: Traffic
  readonly #roster: Roster
  readonly #sessions = new Sessions()
  readonly shares: Shares
  readonly correspondence: Correspondence
  readonly #warnings: Warnings
  readonly #addresses: KnownAddresses
  readonly waking: Waking
  asleep = false
  readonly #following: Following
  readonly explaining: Explaining
  readonly guessing: Guessing
  readonly #own = new OwnAddresses()
  #leaving = false
  #met = () => {}

  constructor(stored: StoredCircle, around: Surroundings, cores?: Cores) {
    const { row, addresses } = stored
    this.#around = around
    this.gid = row.gid
    this.id = circleId(row.gid)
    this.name = row.name
    this.position = row.position
    this.#addresses = new KnownAddresses(row.gid, addresses, around)
    const outlet = {
      send: (session: number, body: Uint8Array) => this.#sessions.get(session)?.send(Kind.Log, body),
      changed: () => this.#membersChanged(),
      synced: (session: number) => this.#traffic.synced(session),
      expel: (session: number) => this.#traffic.expel(session),
      sessions: (peer: PeerId) => this.#sessions.of(peer),
      cloned: (id: PeerId) => this.#warnings.cloned(id)
    }
    this.#membership = new Membership(stored, around, outlet, cores)
    this.#warnings = new Warnings({
      circle: { Id: this.id, Name: this.name },
      membership: this.#membership,
      sessions: this.#sessions,
      around,
      ownAddresses: () => this.#own.all,
      onSession: session => this.opened(session)
    })
    this.#announcer = new Announcer(this.#membership, around)
    this.explaining = new Explaining({
      around,
      membership: this.#membership,
      announcer: this.#announcer,
      roster: () => this.#roster,
      traffic: () => this.#traffic,
      note: sentence => this.#warnings.separated(sentence)
    })
    this.shares = new Shares(this.#shareCircle(), around, stored.shares)
    this.#traffic = new Traffic({
      around,
      membership: this.#membership,
      announcer: this.#announcer,
      warnings: this.#warnings,
      sessions: this.#sessions,
      incarnation: firstIncarnation(around.wall(), row.seed),
      belongs: peer => this.#membership.admits(peer) && !this.#out,
      onRecovery: (number, session, body) => this.#recover(number, session, body),
      onMessage: (peer, body) => this.correspondence.messages.receive(peer, body),
      onWritable: (peer, writable) => this.correspondence.messages.session(peer, writable),
      onPeer: view => {
        this.correspondence.viewed(view)
        this.explaining.viewed(view)
        if (this.#roster.publishPeer(view)) around.changed()
      },
      waking: () => this.waking,
      onReached: (peer, address) => this.#addresses.add(peer, address),
      onDialFailed: (peer, address, reason) => this.explaining.dialFailed(peer, address, reason),
      onMet: () => this.#met()
    })
    this.correspondence = new Correspondence(stored, around, this.#membership, this.#traffic)
    this.waking = new Waking(stored, around, this.#membership, this.#traffic)
    this.#following = new Following({
      announcer: this.#announcer,
      membership: this.#membership,
      traffic: this.#traffic,
      warnings: this.#warnings,
      explaining: this.explaining
    })
    this.guessing = new Guessing(this.#membership, this.#traffic)
    this.#leaving = this.#membership.left
    this.#roster = new Roster({
      circle: this.id,
      name: this.name,
      self: this.self,
      publisher: around.publisher,
      wall: around.wall,
      now: around.now,
      lastSeen: this.#membership.contacts.all
    })
    this.#membersChanged()
    this.#traffic.carry()
  }

  // --- what is asked of it

  get self(): PeerId {
    return this.#membership.self
  }
  /** Of this device in the circle. */
  get device(): string {
    return this.#membership.own?.name ?? this.#membership.recovery.nameOf(this.self)
  }
  get record(): Properties<'Circle'> {
    return this.#roster.circle
  }

  get deadline(): number {
    const parts = [this.#membership, this.#traffic, this.#warnings, this.correspondence.messages]
    return Math.min(...parts.map(({ deadline }) => deadline))
  }

  expire(): void {
    const now = this.#around.now()
    if (this.#membership.deadline <= now) this.#membership.expire()
    this.#warnings.expire(now)
    this.#traffic.expire(now)
    this.correspondence.messages.expire(now)
  }

  /** One line for `systemctl status` and panels. */
  get summary(): string {
    const states = [...this.#traffic.peers.values()].map(({ state }) => state)
    if (states.length === 0) return `${this.name}: no other device yet`
    return `${this.name}: ${states.filter(s => s === 'reachable').length} of ${states.length} reachable`
  }

  /** At least one peer can be reached. */
  get active(): boolean {
    return [...this.#traffic.peers.values()].some(({ state }) => state === 'reachable')
  }

  devices(): Value<typeof Member>[] {
    return this.#roster.devices(this.#membership.seen)
  }
  /** The member with this id, short id or unique name. Throws ApiError. */
  member(text: string): PeerId {
    return this.#roster.find(text)
  }

  /** One round trip over the session, in microseconds. Rejects ApiError. */
  async ping(peer: PeerId, signal: AbortSignal): Promise<number> {
    const name = this.#membership.members.get(peer)?.name ?? peer
    const unreachable = () =>
      new ApiError('Unreachable', `${name} cannot be reached now; \`coterie why\` says why`)
    return this.#traffic.ping(peer, signal, unreachable)
  }
  /** All ways to a peer, to be measured. */
  ways(peer: PeerId, signal: AbortSignal): Measured {
    return {
      addresses: this.#traffic.peers.get(peer)?.addresses ?? [],
      session: () => this.ping(peer, signal),
      probe: address => this.#traffic.measure(peer, address)
    }
  }
  /** A datagram came that may be a probe; returns whether a peer of this circle made it. */
  datagram(datagram: Uint8Array, from: string, to: Place): boolean {
    return this.#traffic.datagram(datagram, from, to)
  }

  /** Rejects ApiError. */
  async invite(
    level: number,
    lifetimeMs: number,
    guestForMs = 0
  ): Promise<{ ticket: string; expiresMs: number }> {
    await this.#own.must('use a ticket')
    return this.#membership.invite(level, lifetimeMs, this.#own.all, guestForMs)
  }

  /** For an invitation by code. Rejects ApiError. */
  async inviting(level: number, guestForMs: number): Promise<InvitingCircle> {
    const circle = this.#membership.inviting(this.name, this.device, level, guestForMs)
    await this.#own.must('join')
    return circle
  }

  /** Of this device. Rejects ApiError. */
  rename(name: string): Promise<void> {
    return this.#membership.rename(name)
  }
  /** A new static key for this device. Rejects ApiError. */
  rekey(): Promise<void> {
    return this.#membership.rekey()
  }
  /** `lost`: it is to lock itself when it hears of it. */
  remove(peer: PeerId, { lost = false } = {}): Promise<void> {
    return this.#membership.remove(peer, { lost })
  }
  /** Resolves how many peers have it on disk. */
  async leave(call: Call): Promise<number> {
    this.#leaving = true
    call.progress('telling the others')
    try {
      return (await this.#membership.leave(this.#sessions.peers, FAREWELL_MS, call.signal)).length
    } finally {
      this.#leaving = this.#membership.left
    }
  }

  get recovery(): Recovery {
    return this.#membership.recovery
  }

  /** This device has signed that it leaves. */
  get leaving(): boolean {
    return this.#leaving
  }
  /** Resolves when there is a peer to tell things to, or when the signal ends the waiting. */
  met(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.#met = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
      if (this.#membership.members.size === 0 || this.#sessions.peers.length > 0) resolve()
    })
  }

  /** Says goodbye to all; resolves when it is on its way and all changes are on disk. */
  async stop(): Promise<void> {
    this.#warnings.stop()
    this.#traffic.stop()
    await this.correspondence.messages.stop()
    await this.#membership.stop()
  }

  /** What the gate needs of this circle. */
  get handshakes(): HandshakeCircle {
    return this.#membership
  }

  // --- network

  /** The sockets this device listens on: where others may reach it. */
  listening(bound: readonly Reach[]): void {
    const links = bound.flatMap(({ address, port, kind, metered, prefix, primary }) =>
      uri(address, port).map(text => ({ address: text, kind, metered, prefix, primary }))
    )
    this.#own.set(links.map(({ address }) => address))
    this.#traffic.setOwnAddresses(this.#own.all, links)
    this.#traffic.carry()
  }

  /** Something new can be reached: dial at once. */
  networkChanged(): void {
    this.explaining.moved()
    this.#traffic.network()
    this.#traffic.carry()
  }

  /** What this computer has decides how often links are asked; its cards are how it can be woken. */
  setMeans(means: OwnMeans): void {
    this.#traffic.setMeans(means)
  }
  rest(phase: RestPhase): void {
    this.asleep = phase === 'sleep' || phase === 'off'
    this.#traffic.rest(phase)
  }
  get links(): LinkCounts {
    return this.#traffic.links
  }

  /** The configuration may name addresses of peers. */
  offerStatic(): void {
    for (const { id, name } of this.#membership.members.values()) {
      const addresses = this.#around.staticAddresses(id, name)
      if (addresses.length > 0) this.#traffic.offer(id, addresses, 'static')
    }
    this.#traffic.carry()
  }

  /** 48 bytes for the slot that it is now; none when there is nothing to announce under. */
  announcement(port: number): Uint8Array | undefined {
    return this.asleep ? undefined : this.#announcer.make(port)
  }

  /** Made by another member that may be answered. */
  recognises(announcement: Uint8Array): boolean {
    return this.#announcer.recognises(announcement)
  }

  /** An announcement came from this IP address, on an interface (`on`) where we announce or only listen. */
  heard(announcement: Uint8Array, source: string, policy: Origin['policy'] = 'announce', on = ''): void {
    this.#following.heard(announcement, { interface: on, source, policy })
  }

  #shareCircle(): ShareCircle {
    const { gid, name, self } = this
    const membership = this.#membership
    const { recovery } = membership
    return {
      gid,
      name,
      self,
      recovery,
      get members() {
        return membership.members
      },
      session: peer => {
        const number = this.#traffic.session(peer)
        const session = number === undefined ? undefined : this.#sessions.get(number)
        return session && membership.synced(number!) ? { number: number!, hash: session.hash } : undefined
      },
      send: (number, body) => this.#sessions.get(number)?.send(Kind.Recovery, body)
    }
  }

  #recover(number: number, { peer, hash }: Session, body: Uint8Array): void {
    const frame = decodeRecoveryFrame(body)
    if (frame?.type === 'order') void this.#membership.lost.receive(frame.operations)
    else if (frame !== undefined) void this.shares.receive({ peer, number, hash }, frame)
  }

  /** A handshake is done and confirmed: the session is this circle's now. */
  opened(session: Session): void {
    this.#traffic.opened(session)
    this.correspondence.met(session.peer, this.#traffic.peers.get(session.peer))
  }

  // --- what is shown

  get #out(): boolean {
    return this.#membership.own === undefined && !this.#leaving
  }

  /** Takes the circle off D-Bus and out of the events. */
  unpublish(): void {
    this.#roster.unpublish()
    this.#warnings.clear()
  }

  #membersChanged(): void {
    const { announce, changed } = this.#around
    const { members } = this.#membership
    this.#announcer.membersChanged()
    this.explaining.membersChanged()
    const before = new Set(this.#traffic.peers.keys())
    const admitted = [...members.keys()].filter(id => this.#membership.admits(id))
    // a device that is no member has no peers; one that leaves still has to tell them
    this.#traffic.setMembers(this.#out ? [] : admitted)
    this.correspondence.membersChanged(before)
    for (const { peer, address } of this.#addresses.all)
      if (!before.has(peer)) this.#traffic.offer(peer, [address], 'known')
    this.#roster.publish(members, this.#traffic.peers)
    this.offerStatic()
    this.#warnings.follow(this.#out)
    this.shares.membersChanged()
    this.waking.keep(members)
    announce()
    changed()
  }
}
