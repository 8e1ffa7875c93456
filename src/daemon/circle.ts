/**
 * Runs one circle: joins its membership, its mesh and its sessions, carries frames in and outputs out, and
 * publishes what is seen. Decides nothing that a core can decide.
 */
import { ApiError, type Call, type Member, type Properties } from '../api/api.ts'
import type { Value } from '../api/types.ts'
import type { MemberState } from '../circle/log.ts'
import { idPrefix, makeAnnouncement, type Recognised, recognise, slotAt } from '../crypto/announcement.ts'
import { type CircleId, circleId, type PeerId, peerKey, shortId } from '../crypto/identity.ts'
import { type ExchangeKey, verifyBatch } from '../crypto/provider.ts'
import { Mesh, type Output, type PeerView } from '../mesh/mesh.ts'
import type { BoundListener } from '../net/listeners.ts'
import { addressOf, formatAddress } from '../wire/address.ts'
import { CloseReason, Kind } from '../wire/frame.ts'
import type { HandshakeCircle, JoinAnswer, JoinRequest } from './handshake-circle.ts'
import { type Cores, Membership } from './membership.ts'
import { Pings } from './pings.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import type { StoredCircle } from './stored.ts'
import type { Surroundings } from './surroundings.ts'

const PING_TIMEOUT_MS = 4_000
/** How long a leaving device waits for its peers to have it on disk. */
const FAREWELL_MS = 3_000
/** PROTOCOL 2, 5: how often a peer is dialled for an announcement that may be an old one. */
const OLD_KEY_PAUSE_MS = 600_000
const UNSYNCHRONISED_PAUSE_MS = 3_600_000
/** A clock before this was never set. */
const CLOCK_SET_MS = Date.UTC(2026, 0)

export class Circle implements HandshakeCircle {
  readonly id: CircleId
  readonly gid: Uint8Array
  readonly name: string
  readonly bootId: Uint8Array
  readonly #around: Surroundings
  readonly #membership: Membership
  readonly #mesh: Mesh
  readonly #sessions = new Sessions()
  readonly #pings = new Pings()
  readonly #dials = new Map<number, AbortController>()
  readonly #lastSeenUSec = new Map<PeerId, number>()
  /** Members by what an announcement shows of them. */
  #prefixes = new Map<string, PeerId>()
  /** When an announcement that may be old was last dialled for, monotonic ms. */
  readonly #doubtful = new Map<PeerId, number>()
  #ownAddresses: readonly string[] = []
  #carrying = false
  #record: Properties<'Circle'>

  constructor(stored: StoredCircle, around: Surroundings, cores?: Cores) {
    const { row, addresses } = stored
    this.#around = around
    this.gid = row.gid
    this.id = circleId(row.gid)
    this.name = row.name
    this.bootId = around.bootId
    this.#record = { Id: this.id, Name: this.name, Level: 0, Members: 0 }
    const outlet = {
      send: (peer: PeerId, body: Uint8Array) => this.#sessions.sendLog(peer, body),
      changed: () => this.#membersChanged(),
      synced: (peer: PeerId) => this.#sessions.release(peer),
      expel: (peer: PeerId, cause: 'misbehaves' | 'stranger') =>
        this.#closeAll(peer, cause === 'stranger' ? CloseReason.Removed : CloseReason.Protocol),
      online: (peer: PeerId) => this.#sessions.has(peer)
    }
    this.#membership = new Membership(stored, around, outlet, cores)
    this.#mesh = new Mesh({ self: this.self, random: Math.random, incarnation: Math.floor(around.wall()) })
    for (const { peer, lastMs } of addresses)
      this.#lastSeenUSec.set(peer, Math.max(this.#lastSeenUSec.get(peer) ?? 0, lastMs * 1000))
    this.#membersChanged()
    for (const { peer, address } of addresses) this.#mesh.offer(around.now(), peer, [address], 'known')
    this.#carry()
  }

  // --- what is asked of it

  get self(): PeerId {
    return this.#membership.self
  }

  /** The name of this device in the circle. */
  get device(): string {
    return this.#membership.own?.name ?? ''
  }

  get record(): Properties<'Circle'> {
    return this.#record
  }

  get deadline(): number {
    return Math.min(this.#membership.deadline, this.#mesh.deadline)
  }

  expire(): void {
    const now = this.#around.now()
    if (this.#membership.deadline <= now) this.#membership.expire()
    if (this.#mesh.deadline <= now) this.#mesh.expire(now)
    this.#carry()
  }

  /** One line for `systemctl status`. */
  get summary(): string {
    const peers = [...this.#mesh.peers().values()]
    const reachable = peers.filter(({ state }) => state === 'reachable').length
    return `${this.name}: ${reachable} of ${peers.length} peers reachable`
  }

  devices(): Value<typeof Member>[] {
    return [...this.#membership.members.values()]
      .sort((a, b) => a.level - b.level || (a.name < b.name ? -1 : 1))
      .map(({ id, name, level, addedBy }) => ({
        Id: id,
        Name: name,
        Level: level,
        AddedBy: addedBy,
        Self: id === this.self
      }))
  }

  /** A member by id, short id or unique name. Throws ApiError. */
  member(text: string): PeerId {
    const members = [...this.#membership.members.values()]
    const byId = members.find(({ id }) => id === text || shortId(id) === text)
    if (byId !== undefined) return byId.id
    const named = members.filter(({ name }) => name === text)
    if (named.length === 1) return named[0]!.id
    const quoted = JSON.stringify(text)
    if (named.length === 0)
      throw new ApiError('NoSuchPeer', `no member is called ${quoted}; \`coterie devices\` lists them`)
    const ids = named.map(({ id }) => shortId(id)).join(', ')
    throw new ApiError('AmbiguousPeer', `${named.length} members are called ${quoted}; use an id: ${ids}`)
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

  invite(level: number, lifetimeMs: number): Promise<{ ticket: string; expiresMs: number }> {
    return this.#membership.invite(level, lifetimeMs, this.#ownAddresses)
  }

  remove(peer: PeerId): Promise<void> {
    return this.#membership.remove(peer)
  }

  /** Signs that this device leaves. Resolves how many peers have it on disk. */
  async leave(call: Call): Promise<number> {
    await this.#membership.leave()
    call.progress('telling the others')
    return (await this.#membership.told(this.#sessions.peers, FAREWELL_MS, call.signal)).length
  }

  /** Says goodbye to all; resolves when it is on its way and all changes are on disk. */
  async stop(): Promise<void> {
    for (const dial of this.#dials.values()) dial.abort()
    this.#mesh.stop(this.#around.now())
    this.#carry()
    await this.#membership.stop()
  }

  // --- handshakes (HandshakeCircle)

  get statics(): readonly ExchangeKey[] {
    return this.#membership.statics
  }
  get logHead(): Uint8Array {
    return this.#membership.headDigest
  }
  introduction(peer: PeerId): readonly Uint8Array[] {
    return this.#membership.introduction(peer)
  }
  owner(staticKey: Uint8Array): PeerId | undefined {
    return this.#membership.owner(staticKey)
  }
  admit(operations: readonly Uint8Array[]): Promise<void> {
    return this.#membership.admit(operations)
  }
  tickets(): readonly { id: string; psk: Uint8Array }[] {
    return this.#membership.tickets()
  }
  redeem(ticket: string, request: JoinRequest): Promise<JoinAnswer | undefined> {
    return this.#membership.redeem(ticket, request)
  }

  // --- network

  /** The sockets this device listens on: where others may reach it. */
  listening(bound: readonly BoundListener[]): void {
    this.#ownAddresses = bound.flatMap(({ address, port }) => uri(address, port))
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

  /** 48 bytes for the slot that it is now; none without a key to announce under. */
  announcement(port: number): Uint8Array | undefined {
    const { random, wall } = this.#around
    const [key] = this.#membership.discoveryKeys
    if (key === undefined || this.#membership.own === undefined) return undefined
    return makeAnnouncement({ key, id: peerKey(this.self)!, port, slot: slotOf(wall()), salt: random(8) })
  }

  /** Made by somebody who has one of our discovery keys. */
  recognises(announcement: Uint8Array): boolean {
    return this.#recognise(announcement) !== undefined
  }

  /** An announcement came from this IP address. */
  heard(announcement: Uint8Array, source: string): void {
    const recognised = this.#recognise(announcement)
    const peer = recognised && this.#prefixes.get(recognised.prefix)
    if (recognised === undefined || peer === undefined || peer === this.self) return
    const now = this.#around.now()
    if (!this.#timely(peer, recognised, now)) return
    this.#mesh.offer(now, peer, uri(source, recognised.port), 'announcement')
    this.#carry()
  }

  #recognise(announcement: Uint8Array): Recognised | undefined {
    return recognise(announcement, this.#membership.discoveryKeys, slotOf(this.#around.wall()))
  }

  /** Under the current key and slot always; else it may be of any age, and is followed seldom. */
  #timely(peer: PeerId, { key, synchronised }: Recognised, now: number): boolean {
    if (key === 0 && synchronised) return true
    const pause = synchronised ? OLD_KEY_PAUSE_MS : UNSYNCHRONISED_PAUSE_MS
    if (now - (this.#doubtful.get(peer) ?? Number.NEGATIVE_INFINITY) < pause) return false
    this.#doubtful.set(peer, now)
    return true
  }

  // --- sessions

  /** A handshake is done and confirmed: the session is this circle's now. */
  opened(session: Session): void {
    const { now, log } = this.#around
    const number = this.#sessions.add(session)
    const { peer, remote, local, outgoing, bootId, hash, handshakeUSec } = session
    log('debug', 'session opened', { number, peer: shortId(peer), remote, outgoing })
    session.onFrame = (kind, body) => {
      if (kind === Kind.Log) {
        this.#mesh.heard(now(), number)
        this.#membership.receive(peer, body)
      } else this.#mesh.receive(now(), number, kind, body)
      this.#carry()
    }
    session.onClose = reason => {
      log('debug', 'session ended', { number, peer: shortId(peer), reason })
      this.#forget(number, peer)
      this.#mesh.closed(now(), number, reason)
      this.#carry()
    }
    this.#membership.greet(peer)
    this.#mesh.opened(now(), {
      session: number,
      peer,
      address: remote,
      local,
      outgoing,
      bootId,
      hash8: hash.subarray(0, 8),
      roundTripUSec: handshakeUSec
    })
    this.#carry()
  }

  /** Log frames under way on a session that is over are made up for on another one, if there is. */
  #forget(number: number, peer: PeerId): void {
    if (this.#sessions.get(number) === undefined) return
    if (this.#sessions.delete(number)) this.#membership.greet(peer)
    else this.#membership.closed(peer)
  }

  #close(number: number, reason: CloseReason): void {
    const peer = this.#sessions.close(number, reason)
    if (peer !== undefined) this.#forget(number, peer)
  }

  #closeAll(peer: PeerId, reason: CloseReason): void {
    for (const number of this.#sessions.of(peer)) {
      this.#close(number, reason)
      this.#mesh.closed(this.#around.now(), number, 'closed')
    }
    this.#carry()
  }

  async #dial(attempt: number, peer: PeerId, address: string): Promise<void> {
    const { connect, gate, log, now } = this.#around
    const abort = new AbortController()
    this.#dials.set(attempt, abort)
    try {
      const staticKey = this.#membership.members.get(peer)?.statics[0]
      if (staticKey === undefined) throw new Error('removed')
      const link = await connect(address, abort.signal)
      const cancel = () => link.destroy()
      abort.signal.addEventListener('abort', cancel)
      const session = await gate.dial(link, this, { id: peer, staticKey })
      abort.signal.removeEventListener('abort', cancel)
      this.opened(session)
    } catch (error) {
      if (abort.signal.aborted) return
      const reason = (error as { reason?: string }).reason ?? (error as Error).message
      log('debug', 'dial failed', { peer: shortId(peer), address, reason })
      this.#mesh.dialFailed(now(), attempt, reason)
      this.#carry()
    } finally {
      this.#dials.delete(attempt)
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
    const { now, log, publisher } = this.#around
    switch (output.type) {
      case 'dial':
        void this.#dial(output.attempt, output.peer, output.address)
        break
      case 'cancel':
        this.#dials.get(output.attempt)?.abort()
        break
      case 'send':
        this.#send(output.session, output.kind, output.body)
        break
      case 'close':
        this.#close(output.session, output.reason)
        break
      case 'peer':
        this.#publishPeer(output.peer)
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
        log('warn', 'two devices answer with one identity', { peer: output.peer })
        publisher.signal('CloneDetected', '', { Circle: this.id, Id: output.peer })
        break
      case 'count':
        log('debug', 'dropped', { what: output.what })
    }
  }

  /** Gossip waits until the membership logs agree: a removal goes before anything else. */
  #send(number: number, kind: number, body: Uint8Array): void {
    const session = this.#sessions.get(number)
    if (session === undefined) return
    if (kind !== Kind.Gossip || this.#membership.synced(session.peer)) session.send(kind, body)
    else this.#sessions.hold(session.peer, { number, kind, body })
  }

  /** A hint for the next start; nobody waits for it. */
  #remember(peer: PeerId, address: string): void {
    const { commit, wall, log } = this.#around
    commit([{ put: { table: 'address', gid: this.gid, peer, address, lastMs: Math.floor(wall()) } }]).catch(
      error => log('warn', 'an address was not stored', { error: error.message })
    )
  }

  // --- what is shown

  get #path(): string {
    return `/circle/${this.id}`
  }

  /** Takes the circle off D-Bus and out of the events. */
  unpublish(): void {
    const { publisher, note } = this.#around
    for (const { path } of publisher.list()) {
      if (path === this.#path || path.startsWith(`${this.#path}/`)) publisher.remove(path)
    }
    note(this.id, '')
  }

  #membersChanged(): void {
    const { announce, changed, note, now, publisher } = this.#around
    const { members, own } = this.#membership
    this.#prefixes = new Map([...members.keys()].map(id => [idPrefix(peerKey(id)!), id]))
    this.#record = { Id: this.id, Name: this.name, Level: own?.level ?? 0, Members: members.size }
    note(
      this.id,
      own === undefined
        ? `this device was removed from the circle ${this.name}: \`coterie leave\` clears it away`
        : ''
    )
    publisher.set('Circle', this.#path, this.#record)
    // a device that is no member has no peers
    this.#mesh.setMembers(now(), own === undefined ? [] : [...members.keys()])
    for (const { path, properties } of publisher.list('Peer')) {
      if (properties.Circle === this.id && !this.#mesh.peers().has(properties.Id)) publisher.remove(path)
    }
    for (const view of this.#mesh.peers().values()) this.#publishPeer(view)
    this.offerStatic()
    announce()
    changed()
  }

  #publishPeer(view: PeerView): void {
    const member: MemberState | undefined = this.#membership.members.get(view.id)
    if (member === undefined) return
    const { changed, publisher, wall } = this.#around
    const path = `${this.#path}/peer/${view.id}`
    const before = publisher.get(path)?.properties as Properties<'Peer'> | undefined
    const reachable = view.state === 'reachable'
    if (before?.Reachable && !reachable) this.#lastSeenUSec.set(view.id, Math.floor(wall() * 1000))
    publisher.set('Peer', path, {
      Id: view.id,
      Name: member.name,
      Circle: this.id,
      State: view.state,
      Reason: view.reason,
      Reachable: reachable,
      Addresses: [...view.addresses],
      LatencyUSec: view.latencyUSec,
      Path: view.path,
      LastSeenUSec: reachable ? 0 : (this.#lastSeenUSec.get(view.id) ?? 0),
      AsleepSinceUSec: 0
    })
    if (before?.Reachable !== reachable) changed()
  }
}

const slotOf = (wallMs: number): number => slotAt(wallMs < CLOCK_SET_MS ? undefined : wallMs / 1000)

/** Of a bare IP address, `%interface` after a link-local one; [] when it is none. */
function uri(bare: string, port: number): string[] {
  const address = addressOf(bare, port)
  return address === undefined ? [] : [formatAddress(address)]
}
