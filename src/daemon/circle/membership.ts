/**
 * Who belongs to a circle, as the rest of the daemon asks: members and keys, adding by invitation, removing,
 * leaving. The log itself is run by the ledger.
 */
import { ApiError } from '../../api/api.ts'
import { add, type Place, remove, rename } from '../../circle/author.ts'
import type { MemberState } from '../../circle/log.ts'
import { type PeerId, peerKey } from '../../crypto/identity.ts'
import type { ExchangeKey, SigningKey } from '../../crypto/provider.ts'
import type { Write } from '../../host/database.ts'
import { GREATEST_LEVEL, GUEST_LEVEL } from '../../wire/operation.ts'
import { checkName } from '../joining/founding.ts'
import { Invitations, type Rank } from '../joining/invitations.ts'
import type { InvitingCircle } from '../joining/open-invitation.ts'
import type { HandshakeCircle, JoinAnswer, JoinRequest } from '../sessions/handshake-circle.ts'
import type { Surroundings } from '../surroundings.ts'
import { Acquaintance } from './acquaintance.ts'
import type { Contacts } from './contacts.ts'
import type { Seen } from './device-records.ts'
import { Farewell } from './farewell.ts'
import { Guests } from './guests.ts'
import { type Cores, Ledger } from './ledger.ts'
import { Lost } from './lost.ts'
import { Recovery } from './recovery.ts'
import { Rekeying } from './rekeying.ts'
import type { StoredCircle } from './stored.ts'
import { Upkeep } from './upkeep.ts'

export type { Rank } from '../joining/invitations.ts'
export type { Cores } from './ledger.ts'

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
  /** Two devices use that identity. */
  cloned(id: PeerId): boolean
}

export class Membership implements HandshakeCircle {
  readonly self: PeerId
  readonly gid: Uint8Array
  readonly bootId: Uint8Array
  readonly signingKey: SigningKey
  readonly recovery: Recovery
  readonly lost: Lost
  readonly #around: Surroundings
  readonly #acquaintance: Acquaintance
  readonly #cloned: Outlet['cloned']
  readonly #ledger: Ledger
  readonly #invitations: Invitations
  readonly #farewell: Farewell
  readonly #upkeep: Upkeep
  readonly #rekeying: Rekeying
  readonly #guests: Guests

  /** `cores`: those that took in what is stored, where they live already. */
  constructor(stored: StoredCircle, around: Surroundings, outlet: Outlet, cores?: Cores) {
    const ledger = new Ledger(
      stored,
      around,
      {
        send: outlet.send,
        expel: outlet.expel,
        changed: () => {
          this.#upkeep.look()
          this.#rekeying.follow()
          this.#guests.follow()
          this.lost.look()
          outlet.changed()
        },
        synced: session => {
          this.#upkeep.look()
          this.#acquaintance.agreed(session)
          outlet.synced(session)
        },
        keysChanged: () => {
          around.announce()
          this.#upkeep.look()
        },
        carried: () => {
          this.#farewell.progress()
          this.#acquaintance.progress()
        }
      },
      cores
    )
    this.self = ledger.self
    this.gid = ledger.gid
    this.bootId = around.bootId(ledger.gid)
    this.signingKey = ledger.signingKey
    this.#acquaintance = new Acquaintance(stored, around, ledger, outlet.sessions)
    this.#around = around
    this.#cloned = outlet.cloned
    this.#ledger = ledger
    this.#invitations = new Invitations(stored.tickets, around)
    this.#farewell = new Farewell(ledger, outlet.sessions)
    this.#rekeying = new Rekeying(
      ledger,
      around,
      () => outlet.cloned(this.self),
      () => this.#acquaintance.doubtAll()
    )
    this.#guests = new Guests(ledger, around, peer => outlet.sessions(peer).length > 0, outlet.changed)
    this.lost = new Lost(ledger, around, stored.lock)
    this.recovery = new Recovery(ledger, stored.row.device, this.lost)
    this.#upkeep = new Upkeep(ledger, around, peer => outlet.sessions(peer).length > 0)
  }

  // --- what is known

  get contacts(): Contacts {
    return this.#acquaintance.contacts
  }
  get members(): ReadonlyMap<PeerId, MemberState> {
    const { members, self } = this.#ledger
    return this.lost.removed ? new Map([...members].filter(([id]) => id !== self)) : members
  }
  /** This device; undefined once it was removed or has left. */
  get own(): MemberState | undefined {
    return this.lost.removed ? undefined : this.#ledger.own
  }
  /** To announce with, then to recognise with; each 32 bytes. */
  get discoveryKeys(): Uint8Array[] {
    return this.#ledger.keys.keys.map(({ key }) => key)
  }
  /** It is a member, and no guest whose time is over by the clock of this device. */
  admits(id: PeerId): boolean {
    const member = this.members.get(id)
    return member !== undefined && !this.#guests.expired(member)
  }
  /** Whose operations have forked. */
  get forks(): readonly PeerId[] {
    return this.#ledger.log.forks
  }
  /** Both logs agree, and what made them so is on disk. */
  synced(session: number): boolean {
    return this.#acquaintance.has(session)
  }
  /** The discovery key in use is sealed to this peer, which is done with all that it was sent in this session. */
  hasKey(session: number, peer: PeerId): boolean {
    return this.#ledger.log.settled(String(session)) && this.#ledger.keys.holds(peer)
  }
  /** It signed its own leaving, now or before it was started. */
  get left(): boolean {
    return this.#farewell.signed
  }

  get deadline(): number {
    return Math.min(
      this.#ledger.log.deadline,
      this.#upkeep.deadline,
      this.#rekeying.deadline,
      this.#guests.deadline
    )
  }

  expire(): void {
    this.#upkeep.expire()
    this.#rekeying.expire()
    this.#guests.expire()
    this.#ledger.expire()
  }

  // --- handshakes (HandshakeCircle)

  get statics(): readonly ExchangeKey[] {
    return this.#ledger.statics.all
  }
  staticTowards(peer: PeerId): ExchangeKey {
    return this.#acquaintance.staticTowards(peer)
  }
  get logHead(): Uint8Array {
    return this.#ledger.log.headDigest
  }
  introduction(peer: PeerId): readonly Uint8Array[] {
    return this.#acquaintance.introduction(peer)
  }
  owner(staticKey: Uint8Array): PeerId | undefined {
    const owner = this.#ledger.log.owner(staticKey)
    const member = owner === undefined ? undefined : this.members.get(owner)
    if (member === undefined || member.expiresMs === 0) return owner
    this.#guests.look()
    return this.#guests.expired(member) ? undefined : owner
  }
  admit(operations: readonly Uint8Array[]): Promise<void> {
    return this.#ledger.admit(operations)
  }
  order(staticKey: Uint8Array): { peer: PeerId; frame: Uint8Array } | undefined {
    return this.lost.order(staticKey)
  }
  tickets(): readonly { id: string; psk: Uint8Array }[] {
    return this.#invitations.secrets()
  }
  /** One at a time: a ticket is good for one device. The new member is on disk when it resolves. */
  redeem(ticket: string, request: JoinRequest): Promise<JoinAnswer | undefined> {
    return this.#ledger.inTurn<JoinAnswer | undefined>(async () => {
      const verdict = this.#invitations.judge(ticket, request.key)
      if (verdict === undefined) return undefined
      if (verdict === 'used' || verdict === 'expired') return { result: verdict }
      if (verdict === 'again') return { result: this.members.has(request.id) ? 'ok' : 'refused' }
      const { write, taken } = this.#invitations.use(ticket, request.key)
      return this.#take(request, this.#invitations.rank(ticket), [write], taken)
    })
  }

  // --- what peers say

  /** Each session exchanges logs by itself: frames of one come in order, those of two do not. */
  greet(session: number): void {
    this.#ledger.log.greet(this.#around.now(), String(session))
    this.#ledger.carry()
  }

  receive(session: number, body: Uint8Array): void {
    this.#ledger.log.receive(this.#around.now(), String(session), body)
    this.#ledger.carry()
  }

  closed(session: number, peer: PeerId): void {
    this.#acquaintance.closed(session, peer)
    this.#ledger.log.closed(String(session))
    // it may have been the one to finish what is left undone
    this.#upkeep.look()
    this.#ledger.carry()
  }

  /** This member has our whole log: it needs no introduction any more. */
  acquainted(peer: PeerId): void {
    this.#acquaintance.made(peer)
  }

  /** It does not answer: maybe its log is an older one than it showed before. */
  doubt(peer: PeerId): void {
    this.#acquaintance.doubt(peer)
  }

  /** A peer closes its session for our removal: it has that on disk. */
  parted(peer: PeerId): void {
    this.#farewell.parted(peer)
  }

  // --- adding, removing, leaving

  /** Rejects ApiError. */
  async invite(
    level: number,
    lifetimeMs: number,
    addresses: readonly string[],
    guestForMs = 0
  ): Promise<{ ticket: string; expiresMs: number }> {
    this.checkInvited(level, guestForMs > 0)
    return this.#invitations.issue({
      gid: this.gid,
      inviter: this.signingKey.publicKey,
      inviterStatic: this.statics[0]!.publicKey,
      level,
      guestForMs,
      expiresMs: Math.round(this.#around.wall() + lifetimeMs),
      addresses
    })
  }

  /** Throws ApiError when this device may not give that level, or a guest cannot have it. */
  checkInvited(level: number, guest = false): void {
    const own = this.#ledger.ownLevel
    if (guest && level !== GUEST_LEVEL)
      throw new ApiError('InvalidValue', `a guest has level ${GUEST_LEVEL} (member), not ${level}`)
    if (level <= own || level > GREATEST_LEVEL)
      throw new ApiError(
        'NotAllowed',
        `this device has level ${own}, so it may invite to levels ${own + 1} to ${GREATEST_LEVEL}`
      )
  }

  /** A device that a person said yes to. It is on disk when this resolves ok; the same key again is ok again. */
  welcome(request: JoinRequest, rank: Rank): Promise<JoinAnswer> {
    return this.#ledger.inTurn(async () => {
      if (this.members.has(request.id)) return { result: 'ok' }
      return this.#take(request, rank)
    })
  }

  /** What an invitation by code needs. Throws ApiError when this device may not give that level. */
  inviting(name: string, device: string, level: number, guestForMs: number): InvitingCircle {
    this.checkInvited(level, guestForMs > 0)
    const { bootId, gid } = this
    return {
      gid,
      name,
      device,
      bootId,
      key: this.signingKey.publicKey,
      staticKey: this.statics[0]!.publicKey,
      has: id => this.members.has(id),
      owner: staticKey => this.owner(staticKey),
      removed: id => this.#ledger.log.removed(id),
      welcome: request => {
        const until = guestForMs === 0 ? 0 : Math.round(this.#around.wall() + guestForMs)
        return this.welcome(request, { level, guestUntilMs: until })
      }
    }
  }

  /** This device gets another name; all see it. Rejects ApiError. */
  async rename(name: string): Promise<void> {
    checkName('Name', name)
    await this.#ledger.inTurn(async () => {
      if (this.#ledger.ownLevel > 0 && this.own!.name === name) return
      const serial = this.own!.serials.name + 1
      await this.#ledger.append(place => rename(this.signingKey, place, { serial, name }))
    })
  }

  /** This device gets a new static key; peers learn it before it is used towards them. Rejects ApiError. */
  async rekey(): Promise<void> {
    await this.#rekeying.rekey()
  }

  /** For ever. The others get a new discovery key. Rejects ApiError. */
  remove(id: PeerId, { lost = false } = {}): Promise<void> {
    return this.#ledger.inTurn(async () => {
      const own = this.#ledger.ownLevel
      const target = this.members.get(id)
      if (target === undefined) throw new ApiError('NoSuchPeer', `${id} is not a member`)
      if (target.level <= own)
        throw new ApiError(
          'NotAllowed',
          `${target.name} has level ${target.level} and this device ${own}; only a device of a smaller level may remove it`
        )
      const target32 = peerKey(id)!
      await this.#ledger.append(place =>
        remove(this.signingKey, place, { target: target32, lost, cut: undefined })
      )
    })
  }

  /**
   * Signs that this device leaves. Resolves with those of the peers that have stored it: all of them that stay
   * online, or as many as `ms` allow. One that signed it before and was interrupted goes on with the telling.
   */
  leave(peers: readonly PeerId[], ms: number, signal: AbortSignal): Promise<PeerId[]> {
    return this.#farewell.leave(peers, ms, signal)
  }

  /** What is shown of the members beside the log. */
  get seen(): Pick<Seen, 'lastMs' | 'missedMs' | 'expired' | 'cloned'> {
    const { contacts, members, own } = this
    return {
      lastMs: id => contacts.lastMs(id),
      missedMs: member => (own === undefined ? 0 : contacts.missedMs(member, own, members.values())),
      expired: member => this.#guests.expired(member),
      cloned: this.#cloned
    }
  }

  /** All that was decided is on disk, and on its way. */
  stop(): Promise<void> {
    return this.#ledger.stop()
  }

  /** In turn: the one way in which a device is added. */
  async #take(
    request: JoinRequest,
    rank: Rank,
    also: readonly Write[] = [],
    counted = () => {}
  ): Promise<JoinAnswer> {
    if (this.#ledger.log.removed(request.id)) return { result: 'refused' }
    // what a device adds that was removed, or that is too low by now, is void
    if (this.own === undefined || this.own.level >= rank.level) return { result: 'refused' }
    const make = (place: Place) =>
      add(this.signingKey, place, {
        target: request.key,
        level: rank.level,
        guest: rank.guestUntilMs > 0,
        expiresMs: rank.guestUntilMs,
        static: request.staticKey,
        staticSignature: request.signature,
        suites: request.suites,
        name: request.name
      })
    try {
      await this.#ledger.append(make, also, counted)
    } catch (error) {
      this.#around.log('warn', 'a device could not be added', { error: (error as Error).message })
      return { result: 'refused' }
    }
    if (!this.members.has(request.id)) return { result: 'refused' }
    this.#around.log('info', 'a device joined', { peer: request.id, name: request.name })
    return { result: 'ok' }
  }
}
