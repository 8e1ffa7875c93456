/**
 * Runs one circle: joins its membership, its mesh and its sessions, carries frames in and outputs out, and
 * publishes what is seen. Decides nothing that a core can decide.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError, type Call, type Member, type Properties } from '../api/api.ts'
import type { Value } from '../api/types.ts'
import { type CircleId, circleId, type PeerId, peerKey, shortId } from '../crypto/identity.ts'
import { bytesOf, hash as sha256, verifyBatch } from '../crypto/provider.ts'
import { Mesh, type Output } from '../mesh/mesh.ts'
import type { BoundListener } from '../net/listeners.ts'
import { addressOf, formatAddress } from '../wire/address.ts'
import { CloseReason, Kind } from '../wire/frame.ts'
import { decodeRecoveryFrame } from '../wire/recovery-frame.ts'
import { Announcer } from './announcer.ts'
import { Dials } from './dials.ts'
import type { HandshakeCircle } from './handshake-circle.ts'
import { Introductions } from './introductions.ts'
import { type Cores, Membership } from './membership.ts'
import type { InvitingCircle } from './open-invitation.ts'
import { Pings } from './pings.ts'
import type { Recovery } from './recovery.ts'
import { Roster } from './roster.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import { type ShareCircle, Shares } from './shares.ts'
import type { StoredCircle } from './stored.ts'
import type { Surroundings } from './surroundings.ts'
import { Warnings } from './warnings.ts'

const PING_TIMEOUT_MS = 4_000
/** How long a leaving device waits for its peers to have it on disk. */
const FAREWELL_MS = 3_000
/** How long an invitation waits for the first listener. */
const ADDRESS_MS = 2_000
/** Of all peers together, kept for one that comes back. */
const ADDRESSES_AT_MOST = 512
const incarnationDomain = bytesOf('coterie/1 incarnation\0')

export class Circle {
  readonly id: CircleId
  readonly gid: Uint8Array
  readonly name: string
  /** Among those of this device, in the order of joining. */
  readonly position: number
  readonly #deviceName: string
  readonly #around: Surroundings
  readonly #membership: Membership
  readonly #announcer: Announcer
  readonly #mesh: Mesh
  readonly #roster: Roster
  readonly #sessions = new Sessions()
  readonly #shares: Shares
  readonly #pings = new Pings()
  readonly #dials: Dials
  readonly #introductions = new Introductions()
  readonly #warnings: Warnings
  /** Where peers were reached before. */
  #addresses: readonly { readonly peer: PeerId; readonly address: string }[]
  #ownAddresses: readonly string[] = []
  readonly #addressed = Promise.withResolvers<void>()
  #carrying = false
  #leaving = false
  #met = () => {}

  constructor(stored: StoredCircle, around: Surroundings, cores?: Cores) {
    const { row, addresses } = stored
    this.#around = around
    this.gid = row.gid
    this.id = circleId(row.gid)
    this.name = row.name
    this.position = row.position
    this.#deviceName = row.device
    this.#addresses = addresses
    const outlet = {
      send: (session: number, body: Uint8Array) => this.#sessions.get(session)?.send(Kind.Log, body),
      changed: () => this.#membersChanged(),
      synced: (session: number) => this.#synced(session),
      expel: (session: number) => this.#expel(session),
      sessions: (peer: PeerId) => this.#sessions.of(peer),
      cloned: (id: PeerId) => this.#warnings.cloned(id)
    }
    this.#membership = new Membership(stored, around, outlet, cores)
    this.#warnings = new Warnings({
      circle: { Id: this.id, Name: this.name },
      membership: this.#membership,
      sessions: this.#sessions,
      around,
      ownAddresses: () => this.#ownAddresses,
      onSession: session => this.opened(session)
    })
    this.#dials = new Dials(around, this.#membership, ({ peer, address }) => {
      this.#membership.doubt(peer)
      this.#warnings.unanswered(peer, address)
    })
    this.#announcer = new Announcer(this.#membership, around)
    this.#shares = new Shares(this.#shareCircle(), around, stored.shares)
    this.#mesh = new Mesh({
      self: this.self,
      random: Math.random,
      incarnation: firstIncarnation(around.wall(), row.seed)
    })
    this.#leaving = this.#membership.left
    this.#roster = new Roster({
      circle: this.id,
      name: this.name,
      self: this.self,
      publisher: around.publisher,
      wall: around.wall,
      lastSeen: this.#membership.contacts.all
    })
    this.#membersChanged()
    this.#carry()
  }

  // --- what is asked of it

  get self(): PeerId {
    return this.#membership.self
  }
  /** Of this device in the circle. */
  get device(): string {
    return this.#membership.own?.name ?? this.#deviceName
  }
  get record(): Properties<'Circle'> {
    return this.#roster.circle
  }

  get deadline(): number {
    return Math.min(
      this.#membership.deadline,
      this.#mesh.deadline,
      this.#introductions.deadline,
      this.#warnings.deadline
    )
  }

  expire(): void {
    const now = this.#around.now()
    if (this.#membership.deadline <= now) this.#membership.expire()
    this.#warnings.expire(now)
    if (this.#mesh.deadline <= now) this.#mesh.expire(now)
    for (const number of this.#introductions.expired(now)) this.#close(number, CloseReason.Removed)
    this.#carry()
  }

  /** One line for `systemctl status`. */
  get summary(): string {
    const states = [...this.#mesh.peers().values()].map(({ state }) => state)
    return `${this.name}: ${states.filter(s => s === 'reachable').length} of ${states.length} peers reachable`
  }

  devices(): Value<typeof Member>[] {
    return this.#roster.devices(this.#membership.seen)
  }
  /** The member with this id, short id or unique name. Throws ApiError. */
  member(text: string): PeerId {
    return this.#roster.find(text)
  }

  addressInUse(peer: PeerId): string {
    return this.#mesh.peers().get(peer)?.addresses[0] ?? ''
  }

  /** One round trip in microseconds. Rejects ApiError. */
  async ping(peer: PeerId, signal: AbortSignal): Promise<number> {
    const name = this.#membership.members.get(peer)?.name ?? peer
    const unreachable = () =>
      new ApiError('Unreachable', `${name} cannot be reached now; \`coterie status\` says why`)
    if (this.#mesh.session(peer) === undefined) throw unreachable()
    const send = (token: number) => {
      this.#mesh.ping(this.#around.now(), peer, token)
      this.#carry()
    }
    return this.#pings.wait(send, PING_TIMEOUT_MS, unreachable, signal)
  }

  /** Rejects ApiError. */
  async invite(
    level: number,
    lifetimeMs: number,
    guestForMs = 0
  ): Promise<{ ticket: string; expiresMs: number }> {
    await this.#mustListen('use a ticket')
    return this.#membership.invite(level, lifetimeMs, this.#ownAddresses, guestForMs)
  }

  /** For an invitation by code. Rejects ApiError. */
  async inviting(level: number, guestForMs: number): Promise<InvitingCircle> {
    const circle = this.#membership.inviting(this.name, this.device, level, guestForMs)
    await this.#mustListen('join')
    return circle
  }

  /** Just after the start, or after init, the sockets are still being bound. */
  async #mustListen(what: string): Promise<void> {
    await Promise.race([this.#addressed.promise, delay(ADDRESS_MS, undefined, { ref: false })])
    if (this.#ownAddresses.length > 0) return
    throw new ApiError(
      'Unreachable',
      `this device has no network address now, so nobody could ${what}; \`coterie status\` says why`
    )
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
  get shares(): Shares {
    return this.#shares
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
    this.#dials.stop()
    this.#warnings.stop()
    this.#mesh.stop(this.#around.now())
    this.#carry()
    await this.#membership.stop()
  }

  /** What the gate needs of this circle. */
  get handshakes(): HandshakeCircle {
    return this.#membership
  }

  // --- network

  /** The sockets this device listens on: where others may reach it. */
  listening(bound: readonly BoundListener[]): void {
    this.#ownAddresses = bound.flatMap(({ address, port }) => uri(address, port))
    if (this.#ownAddresses.length > 0) this.#addressed.resolve()
    this.#mesh.setOwnAddresses(this.#around.now(), this.#ownAddresses)
    this.#carry()
  }

  /** Something new can be reached: dial at once. */
  networkChanged(): void {
    this.#mesh.network(this.#around.now())
    this.#carry()
  }

  /** The configuration may name addresses of peers. */
  offerStatic(): void {
    const now = this.#around.now()
    for (const { id, name } of this.#membership.members.values()) {
      const addresses = this.#around.staticAddresses(id, name)
      if (addresses.length > 0) this.#mesh.offer(now, id, addresses, 'static')
    }
    this.#carry()
  }

  /** 48 bytes for the slot that it is now; none when there is nothing to announce under. */
  announcement(port: number): Uint8Array | undefined {
    return this.#announcer.make(port)
  }

  /** Made by another member that may be answered. */
  recognises(announcement: Uint8Array): boolean {
    return this.#announcer.recognises(announcement)
  }

  /** An announcement came from this IP address, on an interface where we announce or only listen. */
  heard(announcement: Uint8Array, source: string, policy: 'announce' | 'listen' = 'announce'): void {
    const heard = this.#announcer.read(announcement)
    if (heard === undefined) {
      // played back where we only listen, it would make us show ourselves
      const port = policy === 'announce' ? this.#announcer.own(announcement) : undefined
      if (port !== undefined) this.#warnings.elsewhere(uri(source, port))
      return
    }
    const addresses = uri(source, heard.port)
    if (!this.#membership.members.has(heard.peer)) {
      const [address] = addresses
      if (policy === 'announce' && address !== undefined) this.#tell(heard.peer, address)
      return
    }
    // Where we only listen nobody leads us to a new address: an announcement can be played back there.
    const known = this.#mesh.peers().get(heard.peer)?.addresses ?? []
    if (policy === 'listen' && !addresses.every(address => known.includes(address))) return
    this.#mesh.offer(this.#around.now(), heard.peer, addresses, 'announcement')
    this.#carry()
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
        const number = this.#mesh.session(peer)
        const session = number === undefined ? undefined : this.#sessions.get(number)
        return session && membership.synced(number!) ? { number: number!, hash: session.hash } : undefined
      },
      send: (number, body) => this.#sessions.get(number)?.send(Kind.Recovery, body)
    }
  }

  /** A lost device is near. */
  #tell(peer: PeerId, address: string): void {
    void this.#membership.lost.tell(peer, address, this.#membership.staticTowards(peer))
  }

  // --- sessions

  /** A handshake is done and confirmed: the session is this circle's now. */
  opened(session: Session): void {
    const { now, log } = this.#around
    if (this.#warnings.opened(session)) return
    const number = this.#sessions.add(session)
    const { peer, remote, outgoing } = session
    log('debug', 'session opened', { number, peer: shortId(peer), remote, outgoing })
    session.onFrame = (kind, body) => {
      if (kind === Kind.Log) {
        this.#mesh.heard(now(), number)
        this.#membership.receive(number, body)
        if (this.#membership.hasKey(number, peer)) this.#announcer.acknowledged(peer)
      } else this.#receive(number, peer, kind, body)
      this.#carry()
    }
    session.onClose = reason => {
      log('debug', 'session ended', { number, peer: shortId(peer), reason })
      this.#forget(number)
      this.#mesh.closed(now(), number, reason)
      this.#carry()
    }
    if (this.#membership.members.has(peer) && !this.#membership.admits(peer)) {
      this.#close(number, CloseReason.Done)
      return
    }
    if (!this.#belongs(peer)) this.#introductions.begin(now(), number, peer)
    this.#membership.greet(number)
    if (!this.#introductions.has(number)) this.#enter(number, session)
    this.#carry()
    this.#met()
  }

  /** Both it and this device are members; one that was removed may be told that it is not, after all. */
  #belongs(peer: PeerId): boolean {
    return this.#membership.admits(peer) && !this.#out
  }
  get #out(): boolean {
    return this.#membership.own === undefined && !this.#leaving
  }

  /** The session is a member's: the mesh gets it. */
  #enter(number: number, session: Session): void {
    const { peer, remote, local, outgoing, bootId, hash, handshakeUSec } = session
    this.#mesh.opened(this.#around.now(), {
      session: number,
      peer,
      address: remote,
      local,
      outgoing,
      bootId,
      hash8: hash.subarray(0, 8),
      roundTripUSec: handshakeUSec
    })
  }

  #receive(number: number, peer: PeerId, kind: number, body: Uint8Array): void {
    if (kind === Kind.Recovery) {
      const frame = decodeRecoveryFrame(body)
      const session = this.#sessions.get(number)
      if (frame?.type === 'order') void this.#membership.lost.receive(frame.operations)
      else if (frame !== undefined && session !== undefined)
        void this.#shares.receive({ peer, number, hash: session.hash }, frame)
      return
    }
    if (kind === Kind.Clone) this.#warnings.told(peer, body)
    if (kind === Kind.Close && body[1] === CloseReason.Removed) this.#membership.parted(peer)
    if (this.#introductions.has(number)) this.#introductions.keep(number, { kind, body })
    else this.#mesh.receive(this.#around.now(), number, kind, body)
  }

  /** Those whose logs have come, and say that they are members. */
  #enterIntroduced(): void {
    for (const { session: number, early } of this.#introductions.arrived(id => this.#belongs(id))) {
      const session = this.#sessions.get(number)!
      this.#enter(number, session)
      for (const { kind, body } of early) this.#receive(number, session.peer, kind, body)
    }
  }

  /** The logs of both ends agree, so it is known who the other one is; other frames may flow. */
  #synced(number: number): void {
    const session = this.#sessions.get(number)
    if (session === undefined) return
    if (!this.#membership.admits(session.peer)) {
      this.#close(number, CloseReason.Removed)
      return
    }
    this.#membership.acquainted(session.peer)
    this.#warnings.met()
    if (this.#membership.hasKey(number, session.peer)) this.#announcer.acknowledged(session.peer)
    this.#sessions.release(number)
  }

  #forget(number: number): void {
    const peer = this.#sessions.get(number)?.peer
    if (peer === undefined || !this.#sessions.delete(number)) return
    this.#introductions.end(number)
    this.#membership.closed(number, peer)
  }

  #close(number: number, reason: CloseReason | undefined): void {
    const session = this.#sessions.get(number)
    if (reason === undefined) session?.destroy()
    else session?.close(reason)
    this.#forget(number)
  }

  #expel(number: number): void {
    const peer = this.#sessions.get(number)?.peer
    this.#around.log('warn', 'a peer sends operations of no use; its session is closed', { peer })
    this.#close(number, CloseReason.Protocol)
    this.#mesh.closed(this.#around.now(), number, 'closed')
    this.#carry()
  }

  async #dial(attempt: number, peer: PeerId, address: string): Promise<void> {
    const { now } = this.#around
    try {
      const staticKey = this.#membership.members.get(peer)?.statics[0]
      if (staticKey === undefined) throw new Error('removed')
      const session = await this.#dials.open({ attempt, peer, address, staticKey })
      if (session !== undefined) this.opened(session)
    } catch (error) {
      this.#mesh.dialFailed(now(), attempt, (error as Error).message)
      this.#carry()
    }
  }

  // --- outputs of the mesh

  /** Carries them until the mesh is quiet; they may call back in. */
  #carry(): void {
    if (this.#carrying) return
    this.#carrying = true
    for (;;) {
      const { records, outputs } = this.#mesh.take()
      if (records.length + outputs.length === 0) break
      for (const { peer, address } of records) this.#remember(peer, address)
      for (const output of outputs) this.#carryOut(output)
    }
    this.#carrying = false
    this.#around.arm()
  }

  #carryOut(output: Output): void {
    const { now, log } = this.#around
    switch (output.type) {
      case 'dial':
        void this.#dial(output.attempt, output.peer, output.address)
        break
      case 'cancel':
        this.#dials.cancel(output.attempt)
        break
      case 'send':
        this.#send(output.session, output.kind, output.body)
        break
      case 'close':
        this.#close(output.session, output.reason)
        break
      case 'peer':
        if (this.#roster.publishPeer(output.peer)) this.#around.changed()
        break
      case 'pong':
        this.#pings.answered(output.token, output.roundTripUSec)
        break
      case 'sign':
        this.#mesh.ownRecord(now(), output.body, this.#membership.signingKey.sign(output.body))
        break
      case 'verify':
        verifyBatch(
          output.items.map(({ peer, body, signature }) => ({
            publicKey: peerKey(peer)!,
            message: body,
            signature
          }))
        ).then(ok => {
          this.#mesh.verified(now(), output.batch, ok)
          this.#carry()
        })
        break
      case 'clone':
        this.#warnings.twice(output.peer)
        break
      case 'self':
        this.#warnings.elsewhere(output.addresses)
        break
      case 'count':
        log('debug', 'dropped', { what: output.what })
    }
  }

  /** Gossip waits until the membership logs agree: a removal goes before anything else. */
  #send(number: number, kind: number, body: Uint8Array): void {
    const session = this.#sessions.get(number)
    if (session === undefined) return
    if (kind !== Kind.Gossip || this.#membership.synced(number)) session.send(kind, body)
    else this.#sessions.hold(number, { kind, body })
  }

  /** A hint for the next start; nobody waits for it. */
  #remember(peer: PeerId, address: string): void {
    const others = this.#addresses.filter(known => known.peer !== peer || known.address !== address)
    this.#addresses = [...others, { peer, address }].slice(-ADDRESSES_AT_MOST)
    const { commit, wall, log } = this.#around
    commit([{ put: { table: 'address', gid: this.gid, peer, address, lastMs: Math.floor(wall()) } }]).catch(
      error => log('warn', 'an address was not stored', { error: error.message })
    )
  }

  // --- what is shown

  /** Takes the circle off D-Bus and out of the events. */
  unpublish(): void {
    this.#roster.unpublish()
    this.#warnings.clear()
  }

  #membersChanged(): void {
    const { announce, changed, now } = this.#around
    const { members } = this.#membership
    this.#announcer.membersChanged()
    const before = new Set(this.#mesh.peers().keys())
    const admitted = [...members.keys()].filter(id => this.#membership.admits(id))
    // a device that is no member has no peers; one that leaves still has to tell them
    this.#mesh.setMembers(now(), this.#out ? [] : admitted)
    for (const { peer, address } of this.#addresses)
      if (!before.has(peer)) this.#mesh.offer(now(), peer, [address], 'known')
    this.#enterIntroduced()
    this.#roster.publish(members, this.#mesh.peers())
    this.offerStatic()
    this.#warnings.follow(this.#out)
    this.#shares.membersChanged()
    announce()
    changed()
  }
}

/**
 * Greater at each start; shifted by less than a day in each circle, so that members of two circles do not see
 * by it which devices of theirs were started at the same moment.
 */
function firstIncarnation(wallMs: number, seed: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = sha256(incarnationDomain, seed)
  return Math.floor(wallMs) + ((a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) % 86_400_000)
}

/** Of a bare IP address, `%interface` after a link-local one; [] when it is none. */
function uri(bare: string, port: number): string[] {
  const address = addressOf(bare, port)
  return address === undefined ? [] : [formatAddress(address)]
}
