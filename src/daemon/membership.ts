/**
 * Who belongs to a circle: runs the membership log and the discovery keys, signs and stores this device's own
 * operations, honours tickets. What peers must be told goes out by the outlet.
 */
import { ApiError } from '../api/api.ts'
import { add, cutOf, type Made, type Place, remove, shouldFinishLeaving } from '../circle/author.ts'
import { DiscoveryKeys } from '../circle/discovery-keys.ts'
import { type LogOutput, type MemberState, MembershipLog } from '../circle/log.ts'
import { type PeerId, peerId, peerKey } from '../crypto/identity.ts'
import { type ExchangeKey, ed25519, equal, type SigningKey, verifyBatch, x25519 } from '../crypto/provider.ts'
import type { Write } from '../host/database.ts'
import { decodeOperation } from '../wire/operation.ts'
import type { JoinAnswer, JoinRequest } from './handshake-circle.ts'
import { Invitations } from './invitations.ts'
import { Journal } from './journal.ts'
import type { StoredCircle } from './stored.ts'
import type { Surroundings } from './surroundings.ts'

/** Levels (DESIGN 4): the greatest is that of a relay. */
const LEVELS = 11
/** How long the others get to finish what they began, before the lowest device does. */
const TEND_MS = 2_000
const TEND_AGAIN_MS = 30_000

/** The two cores. */
export interface Cores {
  readonly log: MembershipLog
  readonly keys: DiscoveryKeys
}

export interface Outlet {
  /** A Log frame for this session. */
  send(session: number, body: Uint8Array): void
  /** Members, their names or their keys changed. */
  changed(): void
  /** The logs of both ends agree: other frames may flow. */
  synced(session: number): void
  /** It sends what is of no use, or is no member after all. */
  expel(session: number): void
  /** The sessions of a peer. */
  sessions(peer: PeerId): readonly number[]
}

export class Membership {
  readonly self: PeerId
  readonly statics: readonly ExchangeKey[]
  readonly signingKey: SigningKey
  readonly #gid: Uint8Array
  readonly #around: Surroundings
  readonly #outlet: Outlet
  readonly #log: MembershipLog
  readonly #keys: DiscoveryKeys
  readonly #invitations: Invitations
  readonly #journal: Journal
  readonly #agreed = new Set<number>()
  /** Members that have seen our whole log since the start. */
  readonly #acquainted = new Set<PeerId>()
  readonly #admissions = new Map<number, () => void>()
  /** Own operations are made one after another: each has the one before in its past. */
  #turn: Promise<unknown> = Promise.resolve()
  #carrying = false
  /** When to see whether something is left for this device to finish; Infinity: nothing is. */
  #tendAt = Number.POSITIVE_INFINITY
  /** While leaving: who has it on disk, and what waits for them. */
  readonly #told = new Set<PeerId>()
  #awaited: (() => void) | undefined

  /** `cores`: those that took in what is stored, where they live already. */
  constructor(stored: StoredCircle, around: Surroundings, outlet: Outlet, cores?: Cores) {
    const { row } = stored
    this.#gid = row.gid
    this.#around = around
    this.#outlet = outlet
    this.signingKey = ed25519(row.seed)
    this.statics = [x25519(row.secret)]
    this.self = peerId(this.signingKey.publicKey)
    this.#log = cores?.log ?? new MembershipLog({ gid: row.gid })
    this.#keys = cores?.keys ?? new DiscoveryKeys({ gid: row.gid, self: this.self, statics: this.statics })
    if (cores === undefined) {
      this.#log.load(stored.operations)
      this.#keys.load(stored.discovery)
    }
    this.#keys.setMembers(this.#log.members)
    this.#log.share(this.#keys.shared)
    this.#invitations = new Invitations(stored.tickets, around)
    this.#journal = new Journal(
      writes => around.commit(writes),
      error =>
        around.note(
          `storing ${row.name}`,
          error === undefined ? '' : `changes wait to be stored: ${error.message}`
        )
    )
    this.#tendSoon()
  }

  // --- what is known

  get members(): ReadonlyMap<PeerId, MemberState> {
    return this.#log.members
  }
  /** This device; undefined once it was removed or has left. */
  get own(): MemberState | undefined {
    return this.#log.members.get(this.self)
  }
  get headDigest(): Uint8Array {
    return this.#log.headDigest
  }
  /** To announce with, then to recognise with; each 32 bytes. */
  get discoveryKeys(): Uint8Array[] {
    return this.#keys.keys.map(({ key }) => key)
  }
  owner(staticKey: Uint8Array): PeerId | undefined {
    return this.#log.owner(staticKey)
  }
  introduction(peer: PeerId): readonly Uint8Array[] {
    return this.#acquainted.has(peer) ? [] : this.#log.introduction(this.self)
  }
  /** Both logs agree, and what made them so is on disk. */
  synced(session: number): boolean {
    return this.#agreed.has(session)
  }

  get deadline(): number {
    return Math.min(this.#log.deadline, this.#tendAt)
  }

  expire(): void {
    const now = this.#around.now()
    if (this.#log.deadline <= now) this.#log.expire(now)
    if (this.#tendAt <= now) void this.#tend()
    this.#carry()
  }

  // --- what peers say

  /** Each session exchanges logs by itself: frames of one come in order, those of two do not. */
  greet(session: number): void {
    this.#log.greet(this.#around.now(), String(session))
    this.#carry()
  }

  receive(session: number, body: Uint8Array): void {
    this.#log.receive(this.#around.now(), String(session), body)
    this.#carry()
  }

  closed(session: number): void {
    this.#agreed.delete(session)
    this.#log.closed(String(session))
    // it may have been the one to finish what is left undone
    this.#tendSoon()
    this.#carry()
  }

  /** This member has our whole log: it needs no introduction any more. */
  acquainted(peer: PeerId): void {
    this.#acquainted.add(peer)
  }

  /** Checks and stores what a stranger presents. */
  admit(operations: readonly Uint8Array[]): Promise<void> {
    return new Promise(resolve => {
      this.#admissions.set(this.#log.admit(this.#around.now(), operations), resolve)
      this.#carry()
    })
  }

  // --- tickets

  tickets(): readonly { id: string; psk: Uint8Array }[] {
    return this.#invitations.secrets()
  }

  /** Rejects ApiError. */
  async invite(
    level: number,
    lifetimeMs: number,
    addresses: readonly string[]
  ): Promise<{ ticket: string; expiresMs: number }> {
    const own = this.#ownLevel()
    if (level <= own || level > LEVELS)
      throw new ApiError(
        'NotAllowed',
        `this device has level ${own}, so it may invite to levels ${own + 1} to ${LEVELS}`
      )
    return this.#invitations.issue({
      gid: this.#gid,
      inviter: this.signingKey.publicKey,
      inviterStatic: this.statics[0]!.publicKey,
      level,
      expiresMs: Math.round(this.#around.wall() + lifetimeMs),
      addresses
    })
  }

  /** One at a time: a ticket is good for one device. The new member is on disk when it resolves. */
  redeem(ticket: string, request: JoinRequest): Promise<JoinAnswer | undefined> {
    return this.#inTurn<JoinAnswer | undefined>(async () => {
      const verdict = this.#invitations.judge(ticket, request.key)
      if (verdict === undefined) return undefined
      if (verdict === 'used' || verdict === 'expired') return { result: verdict }
      if (verdict === 'again') return { result: this.members.has(request.id) ? 'ok' : 'refused' }
      if (this.#log.removed(request.id)) return { result: 'refused' }
      const { write, taken } = this.#invitations.use(ticket, request.key)
      const make = (place: Place) =>
        add(this.signingKey, place, {
          target: request.key,
          level: this.#invitations.level(ticket),
          guest: false,
          expiresMs: 0,
          static: request.staticKey,
          staticSignature: request.signature,
          suites: request.suites,
          name: request.name
        })
      await this.#append(make, [write], taken)
      this.#around.log('info', 'a device joined by ticket', { peer: request.id, name: request.name })
      return { result: 'ok' }
    }).catch(error => {
      this.#around.log('warn', 'a device could not be added', { error: (error as Error).message })
      return { result: 'refused' }
    })
  }

  // --- removing and leaving

  /** For ever. The others get a new discovery key. Rejects ApiError. */
  remove(id: PeerId): Promise<void> {
    return this.#inTurn(async () => {
      const own = this.#ownLevel()
      const target = this.members.get(id)
      if (target === undefined) throw new ApiError('NoSuchPeer', `${id} is not a member`)
      if (target.level <= own)
        throw new ApiError(
          'NotAllowed',
          `${target.name} has level ${target.level} and this device ${own}; only a device of a smaller level may remove it`
        )
      const target32 = peerKey(id)!
      await this.#append(place =>
        remove(this.signingKey, place, { target: target32, lost: false, cut: undefined })
      )
    })
  }

  /**
   * Signs that this device leaves. Resolves with those of the peers that have stored it: all of them that stay
   * online, or as many as `ms` allow. One that signed it before and was interrupted goes on with the telling.
   */
  async leave(peers: readonly PeerId[], ms: number, signal: AbortSignal): Promise<PeerId[]> {
    const told = this.#told
    const resumed = this.left
    if (this.own === undefined && !resumed) return []
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ms)])
    const { promise: heard, resolve } = Promise.withResolvers<void>()
    limit.addEventListener('abort', () => resolve(), { once: true })
    const watch = () => {
      for (const peer of peers) if (this.#settled(peer)) told.add(peer)
      if (peers.every(peer => told.has(peer) || !this.#online(peer))) resolve()
    }
    const target = this.signingKey.publicKey
    await this.#inTurn(async () => {
      if (resumed) {
        this.#awaited = watch
        watch()
      } else {
        const make = (place: Place) => remove(this.signingKey, place, { target, lost: false, cut: undefined })
        await this.#append(make, [], () => {
          this.#awaited = watch
        })
      }
      if (!limit.aborted) await heard
    })
    this.#awaited = undefined
    return peers.filter(peer => told.has(peer))
  }

  /** It signed its own leaving, now or before it was started. */
  get left(): boolean {
    return this.own === undefined && this.#log.operations.some(bytes => this.#isOwnLeaving(bytes))
  }

  /** A peer closes its session for our removal: it has that on disk. */
  parted(peer: PeerId): void {
    this.#told.add(peer)
  }

  /** All that was decided is on disk, and on its way. */
  async stop(): Promise<void> {
    await this.#turn
    await this.#journal.settled()
    this.#journal.stop()
  }

  // --- inside

  #online(peer: PeerId): boolean {
    return this.#outlet.sessions(peer).length > 0
  }

  /** It has stored all it was sent. */
  #settled(peer: PeerId): boolean {
    return this.#outlet.sessions(peer).some(session => this.#log.settled(String(session)))
  }

  #isOwnLeaving(bytes: Uint8Array): boolean {
    const operation = decodeOperation(bytes)
    const own = this.signingKey.publicKey
    return (
      operation?.body.kind === 'remove' && equal(operation.author, own) && equal(operation.body.target, own)
    )
  }

  #ownLevel(): number {
    if (this.own === undefined)
      throw new ApiError('NotAllowed', 'this device is no member any more; `coterie leave` clears it away')
    return this.own.level
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(act)
    this.#turn = result.catch(() => {})
    return result
  }

  /**
   * Stores an own operation, and only then lets it count: a full disk changes nothing. It stands on the heads of
   * the log, so they are on disk first. `counted` is called before anything else follows from it.
   */
  async #append(
    make: (place: Place) => Made,
    also: readonly Write[] = [],
    counted = () => {}
  ): Promise<void> {
    const { now, wall, commit } = this.#around
    while (this.#journal.busy) await this.#journal.committed()
    const { id, bytes } = make({
      gid: this.#gid,
      prev: this.#log.parents(this.self),
      wallMs: Math.floor(wall())
    })
    await commit([...also, { put: { table: 'operation', gid: this.#gid, id, bytes } }])
    this.#log.append(now(), bytes)
    counted()
    this.#carry()
    await this.#journal.settled()
    // who changes the members also sees to the discovery key
    if (this.#keys.due !== 'no' && this.own !== undefined) this.#renewKey()
  }

  /** On disk as soon as it can be; until then nobody gets it. */
  #renewKey(): void {
    const { random } = this.#around
    const kept = this.#keys.renew(this.signingKey, this.#log.heads, {
      secret: random(32),
      ephemeral: () => x25519(random(32))
    })
    this.#journal.carry(this.#writesOf(kept), () => this.#keysChanged())
  }

  #writesOf({ put, removed }: ReturnType<DiscoveryKeys['renew']>): Write[] {
    return [{ put }, ...removed.map(({ id }): Write => ({ remove: 'discovery', gid: this.#gid, id }))]
  }

  #keysChanged(): void {
    this.#log.share(this.#keys.shared)
    this.#around.announce()
    this.#tendSoon()
    this.#carry()
  }

  /** Carries the log's outputs until it is quiet; they may call back in. */
  #carry(): void {
    if (this.#carrying) return
    this.#carrying = true
    for (;;) {
      const { records, outputs } = this.#log.take()
      if (records.length + outputs.length === 0) break
      this.#journal.carry(
        records.map(put => ({ put })),
        () => {
          for (const output of outputs) this.#carryOut(output)
          this.#carry()
        }
      )
    }
    this.#carrying = false
    this.#awaited?.()
    this.#around.arm()
  }

  #carryOut(output: LogOutput): void {
    const { now, log } = this.#around
    switch (output.type) {
      case 'verify':
        verifyBatch(output.items).then(ok => {
          this.#log.verified(now(), output.batch, ok)
          this.#carry()
        })
        break
      case 'send':
        this.#outlet.send(Number(output.peer), output.body)
        break
      case 'changed':
        this.#keys.setMembers(output.members)
        this.#tendSoon()
        this.#outlet.changed()
        break
      case 'synced':
        this.#tendSoon()
        this.#agreed.add(Number(output.peer))
        this.#outlet.synced(Number(output.peer))
        break
      case 'wrap': {
        const kept = this.#keys.receive(output.wrap)
        if (kept !== undefined) this.#journal.carry(this.#writesOf(kept), () => this.#keysChanged())
        break
      }
      case 'admitted':
        this.#admissions.get(output.ticket)?.()
        this.#admissions.delete(output.ticket)
        break
      case 'misbehaves':
        this.#outlet.expel(Number(output.peer))
        break
      case 'note':
        log('warn', output.text, { peer: output.peer })
        break
      case 'count':
        log('debug', 'dropped', { what: output.what, session: output.peer })
    }
  }

  /** What somebody began and did not finish waits a moment for him. */
  #tendSoon(): void {
    const due = this.#log.left.size > 0 || this.#keys.due !== 'no'
    this.#tendAt = due ? this.#around.now() + TEND_MS : Number.POSITIVE_INFINITY
  }

  /**
   * One device finishes what others left undone: a leaving gets its cut, members without a common discovery
   * key get one. It is the lowest in level (then id) of those online.
   */
  async #tend(): Promise<void> {
    this.#tendAt = Number.POSITIVE_INFINITY
    try {
      await this.#inTurn(async () => {
        const { own } = this
        if (own === undefined) return
        const online = [...this.members.values()].filter(({ id }) => id === this.self || this.#online(id))
        for (const [leaver, level] of this.#log.left) {
          if (!shouldFinishLeaving(own, online, level)) continue
          await this.#append(place => {
            const cut = cutOf(this.#log.heads)
            return remove(this.signingKey, place, { target: peerKey(leaver)!, lost: false, cut })
          })
        }
        if (this.#keys.due !== 'no' && shouldFinishLeaving(own, online, LEVELS + 1)) this.#renewKey()
      })
    } catch (error) {
      this.#around.log('warn', 'the circle could not be tended', { error: (error as Error).message })
      this.#tendAt = this.#around.now() + TEND_AGAIN_MS
    }
  }
}
