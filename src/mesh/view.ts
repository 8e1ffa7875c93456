/**
 * The view: with which members a device wants a session in a circle too large for a full mesh.
 *
 *   chosen   its neighbours among those it believes to be awake (neighbours.ts), as the other end does too
 *   used     those somebody asks for (a ping, a message), for a while after
 *   lost     those it had a session with a minute ago
 *   sought   now and then one of those who are away, or of whom it was told that they are here: so that two parts of
 *            a circle that were cut off from each other find together again
 *
 * For these, and for those who dialled us, there is a Peer; of the others the census knows all there is to know. A
 * session that we dialled and want no more is ended after a while; one that we did not dial is the other end's to
 * end. So when the two disagree, the one who wants it dials, and has it as long as it wants. A neighbour that cannot
 * be reached from here though others say that it is there is passed over for a while, and the next one chosen.
 */
import type { PeerId } from '../crypto/identity.ts'
import type { Source } from './candidates.ts'
import type { Census } from './census.ts'
import type { Dialling } from './dialling.ts'
import { EAGER, ROUND } from './dialling.ts'
import { introduce } from './introduce.ts'
import { FULL_MESH, neighbours } from './neighbours.ts'
import type { Peer, Session } from './peer.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'

/** How long a session is kept after it was last asked for, or wanted. */
export const KEPT = 60_000
/** The end with the greater id leaves it to the other one to dial, for so long. */
const YIELD = 500
/** A neighbour is tried for so long before it is passed over, and for how long at first, and at most. */
const TRIED = 6_000
const PASSED_OVER = 60_000
const PASSED_OVER_LONGEST = 3_600_000
/** One of those who are away is sought this often; when we have no session, several, and oftener. */
const SOUGHT = 30_000
const SOUGHT_ALONE = 3
const MAX_SOUGHT = 8
const SWEEP = 2_000
/** Addresses kept of a member that has no Peer. */
const MAX_OFFERS = 4
/** Members looked at to find one who is away. */
const LOOKS = 64

interface Wiring {
  readonly self: PeerId
  readonly timers: Timers
  readonly random: () => number
  readonly dialling: Dialling
  readonly census: () => Census
  /** Begins and ends to care for a member. */
  readonly add: (now: number, id: PeerId) => Peer
  readonly remove: (now: number, peer: Peer) => void
  readonly close: (now: number, session: Session) => void
  readonly stopped: () => boolean
  /** It could not be reached from here, for the first time since it said where it is. */
  readonly doubted: (now: number, member: number) => void
  /** What is shown of it may be another thing. */
  readonly changed: (member: number) => void
  /** What is shown of all may be. */
  readonly allChanged: () => void
}

interface Offer {
  readonly address: string
  readonly source: Exclude<Source, 'gossip'>
}

export class View {
  readonly #wiring: Wiring
  readonly #peers = new Map<number, Peer>()
  readonly #offers = new Map<PeerId, Offer[]>()
  readonly #used = new Map<PeerId, number>()
  /** Until when members are passed over, and for how long they were last. */
  readonly #passed = new Map<number, number>()
  readonly #gaps = new Map<number, number>()
  /** Since when a Peer is wanted for nothing. */
  readonly #idle = new Map<number, number>()
  /** Until when somebody is sought. */
  readonly #sought = new Map<number, number>()
  readonly #sweep = timer(now => this.#swept(now))
  readonly #seek = timer(now => this.#seekSome(now))
  #chosen: ReadonlySet<number> = new Set()
  #self = -1
  #live = 0
  #lostOf: number[] = []
  #stale = false
  #aloneGap = ROUND
  #bounded = false

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** Too many members for a full mesh. */
  get bounded(): boolean {
    return this.#bounded
  }

  get chosen(): ReadonlySet<number> {
    return this.#chosen
  }

  /** Sessions with members: none; so few that the fault may be ours; enough. */
  company(now: number): 'none' | 'little' | 'enough' {
    if (this.#live === 0) return 'none'
    this.#lostOf = this.#lostOf.filter(at => at > now - 10_000)
    return this.#live >= Math.max(2, this.#lostOf.length / 8) ? 'enough' : 'little'
  }

  get alone(): boolean {
    return this.#live === 0
  }

  live(member: number): boolean {
    return this.#peers.get(member)?.nominated !== undefined
  }

  passedOver(member: number): boolean {
    return this.#passed.has(member)
  }

  /** The numbers of members mean others from now on. */
  setMembers(now: number, peers: Iterable<Peer>): void {
    const { members } = this.#wiring.census()
    this.#bounded = members.size > FULL_MESH
    this.#self = members.number(this.#wiring.self)
    for (const each of [this.#peers, this.#passed, this.#gaps, this.#idle, this.#sought]) each.clear()
    for (const each of [this.#offers, this.#used])
      for (const id of each.keys()) if (members.number(id) < 0) each.delete(id)
    this.#live = 0
    for (const peer of peers) {
      this.#peers.set(members.number(peer.id), peer)
      if (peer.nominated !== undefined) this.#live++
    }
    this.#stale = true
    if (!this.#bounded) this.#chosen = new Set()
    else this.#wiring.timers.advance(this.#seek, now + ROUND)
  }

  /** A Peer was made, or is none any more. */
  added(now: number, peer: Peer): void {
    const { census } = this.#wiring
    const member = census().members.number(peer.id)
    this.#peers.set(member, peer)
    const record = census().record(member)
    if (record !== undefined) introduce(now, peer, record)
    for (const { address, source } of this.#offers.get(peer.id) ?? [])
      peer.candidates.offer(now, address, source)
    this.#offers.delete(peer.id)
  }

  /** Its first session was confirmed. */
  found(now: number, peer: Peer): void {
    const member = this.#number(peer)
    this.#sought.delete(member)
    this.#passed.delete(member)
    this.#gaps.delete(member)
    this.#aloneGap = ROUND
    this.#live++
    this.#stale = true
    if (this.#live === 1) this.#wiring.allChanged()
    if (!this.#chosen.has(member)) this.#later(now)
  }

  /** Its last session ended. `gone`: it was lost, not given up. */
  lost(now: number, peer: Peer, gone: boolean): void {
    const member = this.#number(peer)
    this.#live--
    this.#stale = true
    if (gone) {
      this.#lostOf = [...this.#lostOf.filter(at => at > now - 10_000), now]
      this.#passOver(now, member)
    }
    this.#later(now)
    if (this.#live > 0) return
    this.#wiring.allChanged()
    this.#wiring.timers.advance(this.#seek, now + this.#aloneGap)
  }

  /** What others or it itself say of it changed. `fresh`: it is there, and says so anew. */
  changed(now: number, member: number, fresh: boolean): void {
    if (fresh) for (const each of [this.#passed, this.#gaps]) each.delete(member)
    // one that is away and was not chosen has nobody's place
    if (this.#chosen.has(member) || this.#wiring.census().there(member)) this.#stale = true
    if (!fresh) this.#wiring.timers.advance(this.#seek, now + SOUGHT)
  }

  /** Somebody needs a session with it. False: it is no member. */
  use(now: number, id: PeerId): boolean {
    const member = this.#wiring.census().members.number(id)
    if (member < 0 || member === this.#self) return false
    this.#used.set(id, now + KEPT)
    this.#want(now, member, 0)
    this.#later(now)
    return true
  }

  /** Addresses of a member that has no Peer. */
  offer(now: number, id: PeerId, addresses: readonly string[], source: Exclude<Source, 'gossip'>): void {
    const { census } = this.#wiring
    const member = census().members.number(id)
    if (member < 0 || member === this.#self) return
    const others = (this.#offers.get(id) ?? []).filter(({ address }) => !addresses.includes(address))
    const offers = [...addresses.map(address => ({ address, source })), ...others].slice(0, MAX_OFFERS)
    this.#offers.set(id, offers)
    // it is here, and those we talk to do not know
    if (source === 'announcement' && !census().there(member)) this.#seekOne(now, member)
    else if (this.alone) this.#wiring.timers.advance(this.#seek, now)
  }

  /** Chooses neighbours anew if anything changed; true when it did. */
  settle(now: number): boolean {
    const { census: censusOf, stopped, self } = this.#wiring
    if (!this.#stale || !this.#bounded || stopped()) return false
    this.#stale = false
    const census = censusOf()
    const awake = (member: number) => this.#awake(census, member)
    const mains = (member: number) => awake(member) && census.record(member)?.onBattery !== true
    this.#chosen = neighbours(census.members, this.#self, awake, mains)
    // also one that let us go, and one that was there before it was chosen
    for (const member of this.#chosen)
      if (!this.live(member)) this.#want(now, member, self < census.members.ids[member]! ? 0 : YIELD)
    this.#later(now)
    if (this.alone) this.#wiring.timers.advance(this.#seek, now + this.#aloneGap)
    return true
  }

  #awake(census: Census, member: number): boolean {
    if (this.live(member)) return true
    return census.there(member) && (this.alone || !this.#passed.has(member))
  }

  #number(peer: Peer): number {
    return this.#wiring.census().members.number(peer.id)
  }

  #want(now: number, member: number, delay: number): void {
    const { add, census, dialling } = this.#wiring
    this.#idle.delete(member)
    const peer = this.#peers.get(member) ?? add(now, census().members.ids[member]!)
    if (peer.nominated === undefined && !peer.plan.wanted) dialling.want(now, peer, delay)
  }

  #passOver(now: number, member: number): void {
    if (!this.#gaps.has(member)) this.#wiring.doubted(now, member)
    const gap = Math.min(PASSED_OVER_LONGEST, (this.#gaps.get(member) ?? PASSED_OVER / 2) * 2)
    this.#passed.set(member, now + gap)
    this.#gaps.set(member, gap)
    this.#stale = true
    this.#wiring.changed(member)
  }

  #later(now: number): void {
    if (this.#bounded) this.#wiring.timers.advance(this.#sweep, now + SWEEP)
  }

  /** Ends what is not wanted any more, and passes over who does not answer. */
  #swept(now: number): void {
    if (!this.#bounded) return
    for (const [id, until] of this.#used) if (until <= now) this.#used.delete(id)
    for (const [member, until] of this.#passed) {
      if (until > now) continue
      this.#passed.delete(member)
      this.#stale = true
      this.#wiring.changed(member)
    }
    for (const [member, peer] of this.#peers) this.#keep(now, member, peer)
    this.settle(now)
    const waiting = this.#idle.size + this.#used.size + this.#passed.size + this.#sought.size > 0
    const trying = [...this.#chosen].some(member => !this.live(member))
    if (waiting || trying) this.#wiring.timers.advance(this.#sweep, now + SWEEP)
  }

  #keep(now: number, member: number, peer: Peer): void {
    const { close, dialling } = this.#wiring
    const { nominated, plan } = peer
    if (this.#chosen.has(member) && nominated === undefined && !this.alone && now - plan.since > TRIED)
      this.#passOver(now, member)
    if (this.#chosen.has(member) || this.#used.has(peer.id)) {
      this.#idle.delete(member)
      return
    }
    const idle = this.#idle.get(member) ?? now
    this.#idle.set(member, idle)
    if (nominated !== undefined) {
      if (nominated.outgoing && now - idle >= KEPT) close(now, nominated)
      else if (!nominated.outgoing) this.#idle.delete(member)
      return
    }
    const trying = !peer.asleep && now < (this.#sought.get(member) ?? (peer.lost === '' ? 0 : idle + EAGER))
    if (trying || (this.alone && plan.wanted && now - plan.since < EAGER)) return
    dialling.done(now, peer)
    this.#give(now, member, peer)
  }

  /** From now on the census alone knows of it. */
  #give(now: number, member: number, peer: Peer): void {
    this.#peers.delete(member)
    this.#idle.delete(member)
    this.#sought.delete(member)
    const offers = [...peer.candidates.named()].map(({ text, sources }) => ({
      address: text,
      source: sources.has('static') ? ('static' as const) : ('known' as const)
    }))
    if (offers.length > 0) this.#offers.set(peer.id, offers.slice(0, MAX_OFFERS))
    this.#wiring.remove(now, peer)
    this.#wiring.changed(member)
  }

  #seekSome(now: number): void {
    const { census, random, timers, stopped } = this.#wiring
    if (!this.#bounded || stopped()) return
    const members = census().members.size
    let left = this.alone ? SOUGHT_ALONE : 1
    for (let i = 0; i < LOOKS && left > 0; i++) {
      const member = Math.floor(random() * members)
      if (!this.#away(member)) continue
      this.#seekOne(now, member)
      left--
    }
    const gap = this.alone ? this.#aloneGap : SOUGHT
    if (this.alone) this.#aloneGap = Math.min(EAGER, this.#aloneGap * 1.25)
    // when nobody is away, the next one who is wakes us
    if (census().lost > 0 || this.alone) timers.advance(this.#seek, now + gap * (0.75 + 0.5 * random()))
  }

  /** Worth an attempt though nothing says that it is there. */
  #away(member: number): boolean {
    const census = this.#wiring.census()
    if (member === this.#self || this.#peers.has(member)) return false
    const record = census.record(member)
    if (record === undefined) return this.#offers.has(census.members.ids[member]!)
    return this.alone || (!record.asleep && !census.there(member))
  }

  #seekOne(now: number, member: number): void {
    if (this.#sought.size >= MAX_SOUGHT && !this.#sought.has(member)) return
    this.#sought.set(member, now + TRIED)
    this.#want(now, member, 0)
    this.#later(now)
  }
}
