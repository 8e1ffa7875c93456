/**
 * Gossip: every device's own word on where it may be reached, spread to all.
 *
 * When a session opens both sides send a digest (who, at which incarnation) and then what the other lacks;
 * a record that is new is pushed to all sessions at once. Only what an owner signed counts, the greater
 * incarnation wins, and the addresses in it are hints until a handshake proves them.
 *
 * A device that meets a greater incarnation of itself (its clock or its disk went back) takes that + 1 and
 * says its word again. Two devices with one identity would do so for ever: each time it waits twice as long.
 */

import type { PeerId } from '../crypto/identity.ts'
import type { Address } from '../wire/address.ts'
import { addressClass, formatAddress, portable } from '../wire/address.ts'
import { type CensusBody, decodeCensus } from '../wire/census.ts'
import type { Card } from '../wire/extra.ts'
import { encodeExtra } from '../wire/extra.ts'
import { Kind } from '../wire/frame.ts'
import type { DigestEntry, Flags, PeerRecord, View } from '../wire/gossip.ts'
import {
  decodeGossip,
  encodeDigest,
  MAX_DIGEST,
  MAX_INCARNATION,
  MAX_RECORD_ADDRESSES,
  signable,
  signed,
  signedRecord,
  unsignedRecord
} from '../wire/gossip.ts'
import { Census } from './census.ts'
import type { Members } from './members.ts'
import type { Output } from './peer.ts'
import { Repair } from './repair.ts'
import { recordBodies, Spread } from './spread.ts'
import type { Timer, Timers } from './timers.ts'
import { timer } from './timers.ts'
import { type Item, sameBytes, Verifying } from './verifying.ts'

/** Own records follow each other no faster, however often an interface flaps. */
export const OWN_INTERVAL = 500
/** First and longest wait before contradicting a greater incarnation of ourselves once more. */
export const CONTRADICT_FIRST = 10_000
export const CONTRADICT_LONGEST = 3_600_000
/** A digest is sent on one session, and answered, no more often. The sender waits longer, for its clock. */
export const DIGEST_INTERVAL = 5_000
const DIGEST_ANSWERED = 4_000
/** Records of one session that are put to verification: at once, and then in a second. */
export const RECORDS_AT_ONCE = 256
export const RECORDS_PER_SECOND = 16

interface Wiring {
  readonly self: PeerId
  readonly incarnation: number
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly random: () => number
  /** Of the bytes of a record; strict. */
  readonly decode: ((bytes: Uint8Array) => PeerRecord | undefined) | undefined
  /** Whether every member has a session with every other. */
  readonly full: () => boolean
  /** What a member says of itself. */
  readonly told: (now: number, member: number, record: PeerRecord, from: number) => void
  /** How the other end of a session sees these. */
  readonly viewed: (now: number, session: number, views: readonly View[]) => void
  /** What a session says of others, in a crowd. */
  readonly heard: (
    now: number,
    session: number,
    body: Extract<CensusBody, { type: 'entries' | 'words' }>
  ) => void
}

/** Gossip's side of one session. */
interface Exchange {
  readonly session: number
  /** It sent a digest: it knows no other way to compare. */
  digests: boolean
  digestAt: number
  answeredAt: number
  readonly digestDue: Timer
  /** Records that may still be put to verification, and since when that stands. */
  credit: number
  creditAt: number
}

export class Gossip {
  readonly #wiring: Wiring
  readonly census: Census
  readonly spread: Spread
  readonly #repair: Repair
  readonly #exchanges = new Map<number, Exchange>()
  readonly #verifying = new Verifying()
  #self = -1
  readonly #ownDue: Timer
  #incarnation: number
  #own: readonly Address[] | undefined
  #flags: Flags = { onBattery: false, asleep: false, metered: false }
  #cards: readonly Card[] = []
  #ownAt = -Infinity
  #unsigned: Uint8Array | undefined
  #contradictAt = -Infinity
  #contradictGap = CONTRADICT_FIRST

  constructor(wiring: Wiring, members: Members) {
    this.#wiring = wiring
    const { timers, emit, random, full, heard } = wiring
    this.census = new Census(members)
    const census = () => this.census
    this.spread = new Spread({ timers, emit, census, full, sessions: () => this.#exchanges.keys() })
    this.#repair = new Repair({ timers, emit, census, random, heard })
    this.#self = members.number(wiring.self)
    if (this.#self < 0) throw new RangeError('self is no peer id')
    this.#incarnation = Math.min(Math.max(1, Math.floor(wiring.incarnation)), MAX_INCARNATION) - 1
    this.#ownDue = timer(now => this.#sayOwn(now))
  }

  get incarnation(): number {
    return this.#incarnation
  }

  /** The owner's word that is known of a member. */
  record(peer: PeerId): PeerRecord | undefined {
    return this.census.record(this.census.members.number(peer))
  }

  /** Self among them. */
  setMembers(now: number, members: Members): void {
    const before = this.census.members
    if (members === before) return
    this.census.change(members)
    this.#self = members.number(this.#wiring.self)
    this.spread.forget()
    this.#verifying.forget()
    // what others told of a new member before we knew of it was dropped: ask again
    const grown = members.ids.some(id => before.number(id) < 0)
    if (!this.#wiring.full()) this.#repair.forget(now)
    else if (grown) for (const exchange of this.#exchanges.values()) this.#sendDigest(now, exchange)
  }

  /** Records that were verified before, as this device has kept them; none of its own. */
  recall(records: Iterable<PeerRecord>): void {
    const { census } = this
    for (const record of records) {
      const member = census.members.owner(record.id, 0)
      if (member >= 0 && member !== this.#self) census.enter(member, record)
    }
  }

  /** Says the own word again, so that it is newer than what others say of us. */
  insist(now: number): void {
    if (this.#own !== undefined) this.#sayOwnSoon(now)
  }

  /** The own addresses that mean something elsewhere become the own word. */
  setOwnAddresses(now: number, addresses: readonly Address[]): void {
    const outside = addresses.filter(address => portable(address) && addressClass(address) !== 'loopback')
    // devices on one computer that use nothing but loopback
    const said = (outside.length > 0 ? outside : addresses.filter(portable)).slice(0, MAX_RECORD_ADDRESSES)
    const same = this.#own?.map(formatAddress).join() === said.map(formatAddress).join()
    this.#own = said
    if (!same) this.#sayOwnSoon(now)
  }

  /** Part of the own word too. */
  setFlags(now: number, flags: Partial<Flags>): void {
    const before = this.#flags
    this.#flags = { ...before, ...flags }
    if (Object.entries(this.#flags).every(([name, set]) => before[name as keyof Flags] === set)) return
    if (this.#own !== undefined) this.#sayOwnSoon(now)
  }

  /** How our cards can be woken; part of the own word as far as their addresses are. */
  setCards(now: number, cards: readonly Card[]): void {
    const same = textOf(cards) === textOf(this.#cards)
    this.#cards = cards
    if (!same && this.#own !== undefined) this.#sayOwnSoon(now)
  }

  /** Says at once that this device sleeps, where it last said it may be reached. False: it has no word to say. */
  sleep(now: number): boolean {
    if (this.#own === undefined) return false
    this.#flags = { ...this.#flags, asleep: true }
    this.#wiring.timers.clear(this.#ownDue)
    this.#sayOwn(now)
    return true
  }

  /** Says its word anew, and compares all that is known with everybody there is a session with. */
  wake(now: number): void {
    this.#flags = { ...this.#flags, asleep: false }
    this.#wiring.timers.clear(this.#ownDue)
    this.#sayOwn(now)
    for (const exchange of this.#exchanges.values()) {
      exchange.digestAt = -Infinity
      this.#sendDigest(now, exchange)
    }
  }

  #sayOwnSoon(now: number): void {
    if (this.#flags.asleep) return
    this.#wiring.timers.advance(this.#ownDue, Math.max(now, this.#ownAt + OWN_INTERVAL))
  }

  /** The signature over the body of a `sign` output. */
  ownRecord(now: number, body: Uint8Array, signature: Uint8Array): void {
    const unsigned = this.#unsigned
    if (unsigned === undefined || !sameBytes(signable(unsigned), body)) return
    const record = signedRecord(unsigned, signature)
    if (record === undefined) return
    this.#unsigned = undefined
    if (!this.census.enter(this.#self, record)) return
    this.spread.record(now, this.#self)
    // it may be the last word before we sleep
    this.spread.flush(now)
  }

  /** `first`: of the two we begin to compare. */
  opened(now: number, session: number, first: boolean): void {
    const exchange: Exchange = {
      session,
      digests: false,
      digestAt: -Infinity,
      answeredAt: -Infinity,
      digestDue: timer(at => this.#sendDigest(at, exchange)),
      credit: RECORDS_AT_ONCE,
      creditAt: now
    }
    this.#exchanges.set(session, exchange)
    if (this.#wiring.full()) this.#sendDigest(now, exchange)
    else this.#repair.opened(now, session, first)
  }

  closed(now: number, session: number): void {
    const exchange = this.#exchanges.get(session)
    if (exchange === undefined) return
    this.#wiring.timers.clear(exchange.digestDue)
    this.#exchanges.delete(session)
    this.#repair.closed(now, session)
  }

  receive(now: number, session: number, body: Uint8Array): void {
    const exchange = this.#exchanges.get(session)
    if (exchange === undefined) return
    if (body[0]! > 3) {
      this.#compare(now, session, decodeCensus(body))
      return
    }
    const decoded = decodeGossip(body, this.#wiring.decode)
    if (decoded === undefined) this.#count('malformed')
    else if ('digest' in decoded) this.#answer(now, exchange, decoded.digest)
    else if ('views' in decoded) this.#wiring.viewed(now, session, decoded.views)
    else this.#consider(now, exchange, decoded.records)
  }

  #compare(now: number, session: number, body: CensusBody | undefined): void {
    if (body === undefined) this.#count('malformed')
    else if (body.type === 'words') this.#wiring.heard(now, session, body)
    else this.#repair.receive(now, session, body)
  }

  verified(now: number, batch: number, ok: readonly boolean[]): void {
    for (const [i, { record, member, from }] of this.#verifying.end(batch).entries()) {
      if (ok[i] !== true) this.#count('signature')
      else if (member === this.#self) this.#contradict(now, record)
      else if (this.census.enter(member, record)) {
        this.spread.record(now, member, from)
        this.#wiring.told(now, member, record, from)
      }
      this.#repair.came(now, member)
    }
  }

  #sendDigest(now: number, exchange: Exchange): void {
    const { emit, timers } = this.#wiring
    const at = exchange.digestAt + DIGEST_INTERVAL
    if (now < at) {
      timers.advance(exchange.digestDue, at)
      return
    }
    exchange.digestAt = now
    if (!this.#wiring.full() && !exchange.digests) {
      this.#repair.summary(exchange.session)
      return
    }
    const entries = [...this.census.records].slice(0, MAX_DIGEST)
    emit({ type: 'send', session: exchange.session, kind: Kind.Gossip, body: encodeDigest(entries) })
  }

  /** Sends what the other lacks. */
  #answer(now: number, exchange: Exchange, digest: readonly DigestEntry[]): void {
    if (now < exchange.answeredAt + DIGEST_ANSWERED) {
      this.#count('digest-often')
      return
    }
    exchange.answeredAt = now
    const { census } = this
    const { members } = census
    const theirs = new Map(digest.map(entry => [members.owner(entry.id, 0), entry.incarnation]))
    const lacking = [...members.ids.keys()].filter(
      member => (census.record(member)?.incarnation ?? 0) > (theirs.get(member) ?? 0)
    )
    for (const body of recordBodies(census, lacking)) this.#send(exchange, body)
    exchange.digests = true
    if (!this.#wiring.full()) this.#sendDigest(now, exchange)
  }

  /** Puts to verification what would be news if its owner signed it. */
  #consider(now: number, exchange: Exchange, records: readonly PeerRecord[]): void {
    const items: Item[] = []
    const { members } = this.census
    const refill = ((now - exchange.creditAt) * RECORDS_PER_SECOND) / 1_000
    exchange.credit = Math.min(RECORDS_AT_ONCE, exchange.credit + refill)
    exchange.creditAt = now
    for (const record of records) {
      const member = members.owner(record.id, 0)
      if (member < 0) this.#count('record-of-stranger')
      else if (!this.#isNews(member, record)) this.spread.repeated(member, exchange.session)
      else if (!this.#verifying.has(member, record)) {
        if (exchange.credit < 1 && !this.#repair.wants(member)) {
          this.#count('records-often')
          this.#wiring.timers.advance(exchange.digestDue, now + DIGEST_INTERVAL)
          continue
        }
        exchange.credit = Math.max(0, exchange.credit - 1)
        const item = { record, member, from: exchange.session }
        this.#verifying.note(item)
        items.push(item)
      }
    }
    if (items.length === 0) return
    this.#wiring.emit({
      type: 'verify',
      batch: this.#verifying.begin(items),
      items: items.map(({ record, member }) => ({ peer: members.ids[member]!, ...signed(record) }))
    })
  }

  #isNews(member: number, record: PeerRecord): boolean {
    const known = member === this.#self ? this.#incarnation : (this.census.record(member)?.incarnation ?? 0)
    return record.incarnation > known
  }

  /** We said that once, and forgot it; or somebody else has our identity. */
  #contradict(now: number, record: PeerRecord): void {
    const { timers } = this.#wiring
    if (record.incarnation <= this.#incarnation) return
    this.#incarnation = record.incarnation
    this.#wiring.emit({ type: 'self', addresses: record.addresses.map(formatAddress) })
    // a wait is on already: what is said then is greater than all heard by then
    if (this.#own === undefined || now < this.#contradictAt) return
    if (now - this.#contradictAt > CONTRADICT_LONGEST) this.#contradictGap = CONTRADICT_FIRST
    else this.#contradictGap = Math.min(CONTRADICT_LONGEST, this.#contradictGap * 2)
    this.#contradictAt = Math.max(now, this.#contradictAt + this.#contradictGap)
    timers.advance(this.#ownDue, Math.max(this.#contradictAt, this.#ownAt + OWN_INTERVAL))
  }

  #sayOwn(now: number): void {
    if (this.#own === undefined) return
    this.#ownAt = now
    this.#incarnation = Math.min(this.#incarnation + 1, MAX_INCARNATION)
    const extra = encodeExtra(this.#own, this.#cards)
    this.#unsigned = unsignedRecord(this.census.members.keys[this.#self]!, this.#incarnation, this.#own, {
      ...this.#flags,
      extra
    })
    this.#wiring.emit({ type: 'sign', body: signable(this.#unsigned) })
  }

  #send(exchange: Exchange, body: Uint8Array): void {
    this.#wiring.emit({ type: 'send', session: exchange.session, kind: Kind.Gossip, body })
  }

  #count(what: string): void {
    this.#wiring.emit({ type: 'count', what })
  }
}

const textOf = (cards: readonly Card[]): string =>
  cards.map(({ address, mac }) => `${formatAddress(address)} ${mac.join()}`).join()
