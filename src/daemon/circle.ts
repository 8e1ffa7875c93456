/**
 * Runs one circle: holds its cores (membership log, discovery keys, mesh) and its sessions, carries frames in
 * and outputs out. Decides nothing that a core can decide.
 */
import { ApiError, type Call, type Member, type Properties } from '../api/api.ts'
import type { Value } from '../api/types.ts'
import { add, cutOf, type Made, type Place, remove, shouldFinishLeaving } from '../circle/author.ts'
import { DiscoveryKeys } from '../circle/discovery-keys.ts'
import { type LogOutput, MembershipLog } from '../circle/log.ts'
import { idPrefix, makeAnnouncement, recognise, slotAt } from '../crypto/announcement.ts'
import { type CircleId, circleId, type PeerId, peerId, peerKey, shortId } from '../crypto/identity.ts'
import { type ExchangeKey, ed25519, type SigningKey, verifyBatch, x25519 } from '../crypto/provider.ts'
import type { Write } from '../host/database.ts'
import { Mesh, type Output as MeshOutput, type PeerView } from '../mesh/mesh.ts'
import type { Link } from '../net/link.ts'
import type { BoundListener } from '../net/listeners.ts'
import { addressOf, formatAddress } from '../wire/address.ts'
import { CloseReason, Kind } from '../wire/frame.ts'
import type { Wrap } from '../wire/wrap.ts'
import type { Gate, HandshakeCircle, JoinAnswer, JoinRequest } from './gate.ts'
import { Invitations } from './invitations.ts'
import { Journal } from './journal.ts'
import type { Log } from './log.ts'
import { Pings } from './pings.ts'
import type { Publisher } from './publisher.ts'
import type { Session } from './session.ts'
import type { StoredCircle } from './stored.ts'

const PING_TIMEOUT_MS = 4_000
/** How long the others get to finish what they began, before the lowest device does. */
const TEND_MS = 2_000
const TEND_AGAIN_MS = 30_000
/** How long a leaving device waits for its peers to have it on disk. */
const FAREWELL_MS = 3_000

/** What a circle needs of the daemon. */
export interface Surroundings {
  /** Monotonic milliseconds. */
  now(): number
  /** Milliseconds since 1970: shown, stored, and in announcements; nothing else is decided by it. */
  wall(): number
  random(length: number): Uint8Array
  readonly log: Log
  readonly publisher: Publisher
  readonly gate: Gate
  readonly bootId: Uint8Array
  connect(address: string, signal: AbortSignal): Promise<Link>
  commit(writes: readonly Write[]): Promise<void>
  /** A deadline may have changed. */
  arm(): void
  /** Members or discovery keys changed: announcements must be made anew. */
  announce(): void
  /** Addresses that the configuration gives for a peer. */
  staticAddresses(id: PeerId, name: string): readonly string[]
  /** A sentence for the status; '' when all is well again. */
  note(circle: CircleId, sentence: string): void
  /** The summary changed. */
  changed(): void
}

/** The cores that the membership of a circle lives in. */
export interface Cores {
  readonly log: MembershipLog
  readonly keys: DiscoveryKeys
}

export class Circle implements HandshakeCircle {
  readonly id: CircleId
  readonly gid: Uint8Array
  readonly self: PeerId
  readonly name: string
  readonly statics: readonly ExchangeKey[]
  readonly bootId: Uint8Array
  readonly #signingKey: SigningKey
  readonly #around: Surroundings
  readonly #log: MembershipLog
  readonly #keys: DiscoveryKeys
  readonly #mesh: Mesh
  readonly #journal: Journal
  readonly #invitations: Invitations
  readonly #pings = new Pings()
  readonly #sessions = new Map<number, Session>()
  #lastSession = 0
  readonly #dials = new Map<number, AbortController>()
  /** Frames that wait until the logs of both ends agree: a removal goes before anything else. */
  readonly #held = new Map<PeerId, { session: number; kind: number; body: Uint8Array }[]>()
  readonly #lastSeenUSec = new Map<PeerId, number>()
  /** Log frames of one peer keep to one session: they are counted in order. */
  readonly #logSessions = new Map<PeerId, number>()
  readonly #admissions = new Map<number, () => void>()
  #ownAddresses: readonly string[] = []
  #prefixes = new Map<string, PeerId>()
  #pumping = false
  /** When to see whether something is left for this device to finish; Infinity: nothing is. */
  #tendAt = Number.POSITIVE_INFINITY
  #tending = false
  /** While leaving: looks whether all have it. */
  #farewell: (() => void) | undefined
  /** Redemptions wait for each other: a ticket is good for one device. */
  #redeeming: Promise<unknown> = Promise.resolve()
  #record: Properties<'Circle'>

  /** `cores`: those that took in what is stored, where they live already. */
  constructor(stored: StoredCircle, around: Surroundings, cores?: Cores) {
    const { row } = stored
    this.#around = around
    this.gid = row.gid
    this.id = circleId(row.gid)
    this.name = row.name
    this.bootId = around.bootId
    this.#signingKey = ed25519(row.seed)
    this.statics = [x25519(row.secret)]
    this.self = peerId(this.#signingKey.publicKey)
    this.#record = { Id: this.id, Name: this.name, Level: 0, Members: 0 }
    this.#journal = new Journal(
      writes => around.commit(writes),
      error => around.note(this.id, error === undefined ? '' : `changes wait to be stored: ${error.message}`)
    )
    this.#log = cores?.log ?? new MembershipLog({ gid: row.gid })
    this.#keys = cores?.keys ?? new DiscoveryKeys({ gid: row.gid, self: this.self, statics: this.statics })
    if (cores === undefined) {
      this.#log.load(stored.operations)
      this.#keys.load(stored.discovery)
    }
    this.#mesh = new Mesh({
      self: this.self,
      random: Math.random,
      incarnation: Math.floor(around.wall())
    })
    this.#invitations = new Invitations(stored.tickets, around)
    for (const { peer, lastMs } of stored.addresses)
      this.#lastSeenUSec.set(peer, Math.max(this.#lastSeenUSec.get(peer) ?? 0, lastMs * 1000))
    this.#log.share(this.#keys.shared)
    this.#membersChanged()
    const now = around.now()
    for (const { peer, address } of stored.addresses) this.#mesh.offer(now, peer, [address], 'known')
    this.offerStatic()
  }

  // --- what is asked of it

  get record(): Properties<'Circle'> {
    return this.#record
  }

  /** The name of this device in the circle. */
  get device(): string {
    return this.#log.members.get(this.self)?.name ?? ''
  }

  get deadline(): number {
    return Math.min(this.#log.deadline, this.#mesh.deadline, this.#tendAt)
  }

  expire(): void {
    const now = this.#around.now()
    if (this.#log.deadline <= now) this.#log.expire(now)
    if (this.#mesh.deadline <= now) this.#mesh.expire(now)
    if (this.#tendAt <= now) this.#tend()
    this.#pump()
  }

  /** One line for `systemctl status`. */
  get summary(): string {
    const peers = [...this.#mesh.peers().values()]
    const reachable = peers.filter(({ state }) => state === 'reachable').length
    return `${this.name}: ${reachable} of ${peers.length} peers reachable`
  }

  devices(): Value<typeof Member>[] {
    return [...this.#log.members.values()]
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
    const members = [...this.#log.members.values()]
    const byId = members.find(({ id }) => id === text || shortId(id) === text)
    if (byId !== undefined) return byId.id
    const [first, ...others] = members.filter(({ name }) => name === text)
    if (first === undefined)
      throw new ApiError(
        'NoSuchPeer',
        `no member is called ${JSON.stringify(text)}; \`coterie devices\` lists them`
      )
    if (others.length > 0)
      throw new ApiError(
        'AmbiguousPeer',
        `${others.length + 1} members are called ${JSON.stringify(text)}; use an id: ${[first, ...others].map(m => shortId(m.id)).join(', ')}`
      )
    return first.id
  }

  addressInUse(peer: PeerId): string {
    return this.#mesh.peers().get(peer)?.addresses[0] ?? ''
  }

  /** One round trip in microseconds. Rejects ApiError. */
  ping(peer: PeerId, signal: AbortSignal): Promise<number> {
    const name = this.#log.members.get(peer)?.name ?? peer
    const unreachable = () =>
      new ApiError('Unreachable', `${name} cannot be reached now; \`coterie status\` says why`)
    if (this.#mesh.session(peer) === undefined) return Promise.reject(unreachable())
    return this.#pings.wait(
      token => {
        this.#mesh.ping(this.#around.now(), peer, token)
        this.#pump()
      },
      PING_TIMEOUT_MS,
      unreachable,
      signal
    )
  }

  // --- membership

  /** A ticket for one device. Rejects ApiError. */
  async invite(level: number, lifetimeMs: number): Promise<{ ticket: string; expiresMs: number }> {
    const own = this.#log.members.get(this.self)?.level ?? Number.POSITIVE_INFINITY
    if (level <= own || level > 11)
      throw new ApiError(
        'NotAllowed',
        `this device has level ${own}; it may invite to levels ${own + 1} to 11`
      )
    return this.#invitations.issue({
      gid: this.gid,
      inviter: this.#signingKey.publicKey,
      inviterStatic: this.statics[0]!.publicKey,
      level,
      expiresMs: Math.round(this.#around.wall() + lifetimeMs),
      addresses: this.#ownAddresses
    })
  }

  /** Removes a member for ever, and gives the others a new discovery key. Rejects ApiError. */
  async remove(id: PeerId): Promise<void> {
    const own = this.#log.members.get(this.self)
    const target = this.#log.members.get(id)
    if (own === undefined || target === undefined || target.level <= own.level)
      throw new ApiError(
        'NotAllowed',
        `this device has level ${own?.level ?? 11} and ${target?.name ?? id} level ${target?.level ?? 0}; only a device of a smaller level may remove it`
      )
    await this.#append(place =>
      remove(this.#signingKey, place, { target: peerKey(id)!, lost: false, cut: undefined })
    )
    await this.#journal.settled()
  }

  /** Signs our leaving, and waits until all reachable peers have it on disk or 3 s are over. */
  async leave(call: Call): Promise<number> {
    await this.#append(place =>
      remove(this.#signingKey, place, { target: this.#signingKey.publicKey, lost: false, cut: undefined })
    )
    call.progress('telling the others')
    const peers = [...this.#logSessions.keys()]
    await new Promise<void>(resolve => {
      const limit = setTimeout(resolve, FAREWELL_MS)
      call.signal.addEventListener('abort', () => resolve(), { once: true })
      this.#farewell = () => {
        if (!peers.every(peer => this.#log.settled(peer) || !this.#logSessions.has(peer))) return
        clearTimeout(limit)
        resolve()
      }
      this.#farewell()
    })
    return peers.filter(peer => this.#log.settled(peer)).length
  }

  // --- handshakes (HandshakeCircle)

  get logHead(): Uint8Array {
    return this.#log.headDigest
  }

  introduction(peer: PeerId): readonly Uint8Array[] {
    return this.#log.introduction(this.self, peer)
  }

  owner(staticKey: Uint8Array): PeerId | undefined {
    return this.#log.owner(staticKey)
  }

  admit(operations: readonly Uint8Array[]): Promise<void> {
    return new Promise(resolve => {
      this.#admissions.set(this.#log.admit(this.#around.now(), operations), resolve)
      this.#pump()
    })
  }

  tickets(): readonly { id: string; psk: Uint8Array }[] {
    return this.#invitations.secrets()
  }

  redeem(ticket: string, request: JoinRequest): Promise<JoinAnswer | undefined> {
    const answer = this.#redeeming.then(() => this.#redeem(ticket, request))
    this.#redeeming = answer.catch(() => {})
    return answer
  }

  async #redeem(ticket: string, request: JoinRequest): Promise<JoinAnswer | undefined> {
    const verdict = this.#invitations.judge(ticket, request.key)
    if (verdict === undefined) return undefined
    if (verdict === 'used' || verdict === 'expired') return { result: verdict }
    if (verdict === 'again') return { result: this.#log.members.has(request.id) ? 'ok' : 'refused' }
    if (this.#log.removed(request.id)) return { result: 'refused' }
    const { write, taken } = this.#invitations.use(ticket, request.key)
    try {
      await this.#append(
        place =>
          add(this.#signingKey, place, {
            target: request.key,
            level: this.#invitations.level(ticket),
            guest: false,
            expiresMs: 0,
            static: request.staticKey,
            staticSignature: request.signature,
            suites: request.suites,
            name: request.name
          }),
        [write]
      )
    } catch (error) {
      this.#around.log('warn', 'a device could not be added', { error: (error as Error).message })
      return { result: 'refused' }
    }
    taken()
    this.#around.log('info', 'a device joined by ticket', { peer: request.id, name: request.name })
    return { result: 'ok' }
  }

  // --- network

  /** The sockets this device listens on: where others may reach it. */
  listening(bound: readonly BoundListener[]): void {
    this.#ownAddresses = bound.flatMap(({ address, port }) => uri(address, port))
    this.#mesh.setOwnAddresses(this.#around.now(), this.#ownAddresses)
    this.#pump()
  }

  networkChanged(): void {
    this.#mesh.network(this.#around.now())
    this.#pump()
  }

  /** The configuration may name addresses of peers. */
  offerStatic(): void {
    const now = this.#around.now()
    for (const { id, name } of this.#log.members.values()) {
      const addresses = this.#around.staticAddresses(id, name)
      if (addresses.length > 0) this.#mesh.offer(now, id, addresses, 'static')
    }
    this.#pump()
  }

  /** 48 bytes for the slot that it is now. */
  announcement(port: number): Uint8Array {
    const { random, wall } = this.#around
    return makeAnnouncement({
      key: this.#keys.current!.key,
      id: this.#signingKey.publicKey,
      port,
      slot: slotOf(wall()),
      salt: random(8)
    })
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
    this.#mesh.offer(this.#around.now(), peer, uri(source, recognised.port), 'announcement')
    this.#pump()
  }

  #recognise(announcement: Uint8Array) {
    const keys = this.#keys.keys.map(({ key }) => key)
    return recognise(announcement, keys, slotOf(this.#around.wall()))
  }

  // --- sessions

  /** A handshake is done and confirmed: the session is this circle's now. */
  opened(session: Session): void {
    const now = this.#around.now()
    const id = ++this.#lastSession
    this.#around.log('debug', 'session opened', {
      id,
      peer: shortId(session.peer),
      remote: session.remote,
      outgoing: session.outgoing
    })
    this.#sessions.set(id, session)
    session.onFrame = (kind, body) => {
      const at = this.#around.now()
      if (kind === Kind.Log) {
        this.#mesh.heard(at, id)
        this.#log.receive(at, session.peer, body)
      } else this.#mesh.receive(at, id, kind, body)
      this.#pump()
    }
    session.onClose = reason => {
      const at = this.#around.now()
      this.#around.log('debug', 'session closed', { id, peer: shortId(session.peer), reason })
      this.#forget(at, id, session.peer)
      this.#mesh.closed(at, id, reason)
      this.#pump()
    }
    this.#logSessions.set(session.peer, id)
    this.#log.greet(now, session.peer)
    this.#mesh.opened(now, {
      session: id,
      peer: session.peer,
      address: session.remote,
      local: session.local,
      outgoing: session.outgoing,
      bootId: session.bootId,
      hash8: session.hash.subarray(0, 8),
      roundTripUSec: session.handshakeUSec
    })
    this.#pump()
  }

  /** Says goodbye to all; resolves when it is on its way and all changes are on disk. */
  async stop(): Promise<void> {
    for (const dial of this.#dials.values()) dial.abort()
    this.#mesh.stop(this.#around.now())
    this.#pump()
    await this.#journal.settled()
    this.#journal.stop()
  }

  /** Takes the circle off D-Bus and out of the events. */
  unpublish(): void {
    const { publisher } = this.#around
    for (const { path } of publisher.list()) {
      if (path === this.#path || path.startsWith(`${this.#path}/`)) publisher.remove(path)
    }
  }

  async #dial(attempt: number, peer: PeerId, address: string): Promise<void> {
    const abort = new AbortController()
    this.#dials.set(attempt, abort)
    try {
      const staticKey = this.#log.members.get(peer)?.statics[0]
      if (staticKey === undefined) throw new Error('removed')
      const link = await this.#around.connect(address, abort.signal)
      const cancel = () => link.destroy()
      abort.signal.addEventListener('abort', cancel)
      const session = await this.#around.gate.dial(link, this, { id: peer, staticKey })
      abort.signal.removeEventListener('abort', cancel)
      this.opened(session)
    } catch (error) {
      const reason = (error as { reason?: string }).reason ?? (error as Error).message
      if (!abort.signal.aborted)
        this.#around.log('debug', 'dial failed', { peer: shortId(peer), address, reason })
      this.#mesh.dialFailed(this.#around.now(), attempt, reason)
      this.#pump()
    } finally {
      this.#dials.delete(attempt)
    }
  }

  // --- outputs

  /** Carries the outputs of both cores until they are quiet. Outputs may call back in. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (;;) {
        const log = this.#log.take()
        const mesh = this.#mesh.take()
        const [written, done] = [
          log.records.length + log.outputs.length,
          mesh.records.length + mesh.outputs.length
        ]
        if (written + done === 0) break
        if (written > 0)
          this.#journal.carry(
            log.records.map(put => ({ put })),
            () => {
              for (const output of log.outputs) this.#carryLog(output)
              this.#pump()
            }
          )
        for (const output of mesh.outputs) this.#carryMesh(output)
        for (const { peer, address } of mesh.records) this.#remember(peer, address)
      }
    } finally {
      this.#pumping = false
    }
    this.#farewell?.()
    this.#around.arm()
  }

  #carryLog(output: LogOutput): void {
    const { now, log } = this.#around
    switch (output.type) {
      case 'verify':
        verifyBatch(output.items).then(ok => {
          this.#log.verified(now(), output.batch, ok)
          this.#pump()
        })
        return
      case 'send': {
        const session = this.#sessions.get(this.#logSessions.get(output.peer) ?? 0)
        session?.send(Kind.Log, output.body)
        return
      }
      case 'changed':
        this.#membersChanged()
        return
      case 'synced':
        this.#tendSoon()
        this.#release(output.peer)
        return
      case 'wrap':
        this.#received(output.wrap)
        return
      case 'admitted':
        this.#admissions.get(output.ticket)?.()
        return void this.#admissions.delete(output.ticket)
      case 'misbehaves':
        log('warn', 'a peer sends operations of no use; its session is closed', { peer: output.peer })
        this.#closeAll(output.peer, CloseReason.Protocol)
        return
      case 'note':
        log('warn', output.text, { circle: this.name, peer: output.peer })
        return
      case 'count':
        log('debug', 'dropped', { what: output.what, peer: output.peer })
        return
    }
  }

  #carryMesh(output: MeshOutput): void {
    const { now, log, publisher } = this.#around
    switch (output.type) {
      case 'dial':
        return void this.#dial(output.attempt, output.peer, output.address)
      case 'cancel':
        this.#dials.get(output.attempt)?.abort()
        return
      case 'send':
        this.#send(output.session, output.kind, output.body)
        return
      case 'close': {
        const session = this.#sessions.get(output.session)
        if (session === undefined) return
        this.#around.log('debug', 'closing a session', {
          id: output.session,
          peer: shortId(session.peer),
          reason: output.reason
        })
        session.close(output.reason)
        this.#forget(now(), output.session, session.peer)
        return
      }
      case 'peer':
        this.#publishPeer(output.peer)
        return
      case 'pong':
        this.#pings.answered(output.token, output.roundTripUSec)
        return
      case 'sign':
        this.#mesh.ownRecord(now(), output.body, this.#signingKey.sign(output.body))
        return
      case 'verify':
        verifyBatch(
          output.items.map(({ peer, body, signature }) => ({
            publicKey: peerKey(peer)!,
            message: body,
            signature
          }))
        ).then(ok => {
          this.#mesh.verified(now(), output.batch, ok)
          this.#pump()
        })
        return
      case 'clone':
        log('warn', 'two devices answer with one identity', { peer: output.peer })
        publisher.signal('CloneDetected', '', { Circle: this.id, Id: output.peer })
        return
      case 'count':
        log('debug', 'dropped', { what: output.what })
        return
    }
  }

  /** Gossip waits until the membership logs agree. */
  #send(number: number, kind: number, body: Uint8Array): void {
    const session = this.#sessions.get(number)
    if (session === undefined) return
    if (kind !== Kind.Gossip || this.#log.synced(session.peer)) {
      session.send(kind, body)
      return
    }
    const held = this.#held.get(session.peer) ?? []
    this.#held.set(session.peer, [
      ...held.filter(frame => this.#sessions.has(frame.session)),
      { session: number, kind, body }
    ])
  }

  #closeAll(peer: PeerId, reason: CloseReason): void {
    const now = this.#around.now()
    for (const [id, session] of this.#sessions) {
      if (session.peer !== peer) continue
      session.close(reason)
      this.#forget(now, id, peer)
      this.#mesh.closed(now, id, 'closed')
    }
  }

  #release(peer: PeerId): void {
    if (!this.#log.members.has(peer)) {
      this.#closeAll(peer, CloseReason.Removed)
      return
    }
    const held = this.#held.get(peer) ?? []
    this.#held.delete(peer)
    for (const { session, kind, body } of held) this.#sessions.get(session)?.send(kind, body)
  }

  /** The session is over. Log frames that were under way on it are made up for on another one, if there is. */
  #forget(now: number, id: number, peer: PeerId): void {
    this.#sessions.delete(id)
    const other = [...this.#sessions].findLast(([, session]) => session.peer === peer)
    if (other === undefined) {
      this.#logSessions.delete(peer)
      this.#held.delete(peer)
      this.#log.closed(peer)
    } else {
      this.#logSessions.set(peer, other[0])
      this.#log.greet(now, peer)
    }
  }

  /** A hint for the next start; nobody waits for it. */
  #remember(peer: PeerId, address: string): void {
    const { commit, wall, log } = this.#around
    commit([{ put: { table: 'address', gid: this.gid, peer, address, lastMs: Math.floor(wall()) } }]).catch(
      error => log('warn', 'an address was not stored', { error: error.message })
    )
  }

  /** Signs an operation, stores it, and only then lets it count. Rejects ApiError NoSpace and changes nothing. */
  async #append(make: (place: Place) => Made, also: readonly Write[] = []): Promise<void> {
    const { id, bytes } = make({
      gid: this.gid,
      prev: this.#log.parents(this.self),
      wallMs: Math.floor(this.#around.wall())
    })
    await this.#around.commit([...also, { put: { table: 'operation', gid: this.gid, id, bytes } }])
    this.#log.append(this.#around.now(), bytes)
    this.#pump()
    await this.#journal.settled()
    // who changes the members also sees to the discovery key
    if (this.#keys.due !== 'no' && this.#log.members.has(this.self)) await this.#renewKey()
  }

  async #renewKey(): Promise<void> {
    const { random, commit } = this.#around
    const { put, removed } = this.#keys.renew(this.#signingKey, this.#log.heads, {
      secret: random(32),
      ephemeral: () => x25519(random(32))
    })
    await commit([{ put }, ...removed.map(({ id }): Write => ({ remove: 'discovery', gid: this.gid, id }))])
    this.#log.share(this.#keys.shared)
    this.#around.announce()
    this.#pump()
  }

  /** A discovery key from a peer. */
  #received(wrap: Wrap): void {
    const kept = this.#keys.receive(wrap)
    if (kept === undefined) return
    const writes: Write[] = [
      { put: kept.put },
      ...kept.removed.map(({ id }): Write => ({ remove: 'discovery', gid: this.gid, id }))
    ]
    this.#journal.carry(writes, () => {
      this.#log.share(this.#keys.shared)
      this.#around.announce()
      this.#pump()
    })
  }

  /** What somebody began and did not finish waits a moment for him. */
  #tendSoon(): void {
    const left = this.#log.left.size > 0
    this.#tendAt = left || this.#keys.due !== 'no' ? this.#around.now() + TEND_MS : Number.POSITIVE_INFINITY
  }

  /**
   * One device finishes what others left undone: a leaving gets its cut, members without a common discovery
   * key get one. It is the lowest in level (then id) of those online.
   */
  async #tend(): Promise<void> {
    this.#tendAt = Number.POSITIVE_INFINITY
    const self = this.#log.members.get(this.self)
    if (self === undefined || this.#tending) return
    const online = [...this.#log.members.values()].filter(
      ({ id }) => id === this.self || this.#mesh.session(id) !== undefined
    )
    this.#tending = true
    try {
      for (const [leaver, level] of this.#log.left) {
        if (!shouldFinishLeaving(self, online, level)) continue
        await this.#append(place =>
          remove(this.#signingKey, place, {
            target: peerKey(leaver)!,
            lost: false,
            cut: cutOf(this.#log.heads)
          })
        )
      }
      if (this.#keys.due !== 'no' && shouldFinishLeaving(self, online, Number.POSITIVE_INFINITY))
        await this.#renewKey()
    } catch (error) {
      this.#around.log('warn', 'the circle could not be tended', { error: (error as Error).message })
      this.#tendAt = this.#around.now() + TEND_AGAIN_MS
    } finally {
      this.#tending = false
    }
  }

  // --- what is shown

  get #path(): string {
    return `/circle/${this.id}`
  }

  #membersChanged(): void {
    const members = this.#log.members
    this.#prefixes = new Map([...members.keys()].map(id => [idPrefix(peerKey(id)!), id]))
    this.#record = {
      Id: this.id,
      Name: this.name,
      Level: members.get(this.self)?.level ?? 0,
      Members: members.size
    }
    this.#around.publisher.set('Circle', this.#path, this.#record)
    this.#keys.setMembers(members)
    this.#tendSoon()
    this.#mesh.setMembers(this.#around.now(), [...members.keys()])
    for (const { properties } of this.#around.publisher.list('Peer'))
      if (properties.Circle === this.id && !members.has(properties.Id))
        this.#around.publisher.remove(`${this.#path}/peer/${properties.Id}`)
    for (const view of this.#mesh.peers().values()) this.#publishPeer(view)
    this.offerStatic()
    this.#around.announce()
    this.#around.changed()
  }

  #publishPeer(view: PeerView): void {
    const member = this.#log.members.get(view.id)
    if (member === undefined) return
    const path = `${this.#path}/peer/${view.id}`
    const { publisher, wall } = this.#around
    const before = publisher.get(path)?.properties as Properties<'Peer'> | undefined
    const reachable = view.state === 'reachable'
    if (before?.Reachable === true && !reachable) this.#lastSeenUSec.set(view.id, Math.floor(wall() * 1000))
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
    if (before?.Reachable !== reachable) this.#around.changed()
  }
}

/** A clock before this was never set. */
const CLOCK_SET_MS = Date.UTC(2026, 0)
const slotOf = (wallMs: number): number => slotAt(wallMs < CLOCK_SET_MS ? undefined : wallMs / 1000)

/** Of a bare IP address, `%interface` after a link-local one; [] when it is none. */
function uri(bare: string, port: number): string[] {
  const address = addressOf(bare, port)
  return address === undefined ? [] : [formatAddress(address)]
}
