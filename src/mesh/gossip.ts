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
import { peerKey } from '../crypto/identity.ts'
import type { Address } from '../wire/address.ts'
import { addressClass, formatAddress, portable } from '../wire/address.ts'
import { toBase32 } from '../wire/base32.ts'
import type { Card } from '../wire/extra.ts'
import { encodeExtra } from '../wire/extra.ts'
import { Kind } from '../wire/frame.ts'
import type { DigestEntry, Flags, PeerRecord } from '../wire/gossip.ts'
import {
  decodeGossip,
  encodeDigest,
  encodeRecords,
  MAX_DIGEST,
  MAX_INCARNATION,
  MAX_RECORD_ADDRESSES,
  MAX_RECORDS,
  signable,
  signed,
  signedRecord,
  unsignedRecord
} from '../wire/gossip.ts'
import type { Output } from './peer.ts'
import type { Timer, Timers } from './timers.ts'
import { timer } from './timers.ts'

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
  /** What a member says of itself: newer than all it said before. */
  readonly told: (now: number, peer: PeerId, record: PeerRecord) => void
}

/** Gossip's side of one session. */
interface Exchange {
  readonly session: number
  digestAt: number
  answeredAt: number
  readonly digestDue: Timer
  /** Records that may still be put to verification, and since when that stands. */
  credit: number
  creditAt: number
}

export class Gossip {
  readonly #wiring: Wiring
  /** Members, self included, by their key in base32. */
  readonly #members = new Map<string, PeerId>()
  readonly #records = new Map<PeerId, PeerRecord>()
  readonly #exchanges = new Map<number, Exchange>()
  readonly #batches = new Map<number, { record: PeerRecord; owner: PeerId; from: number }[]>()
  readonly #verifying = new Set<string>()
  readonly #key: Uint8Array
  readonly #ownDue: Timer
  #batch = 0
  #incarnation: number
  #own: readonly Address[] | undefined
  #flags: Flags = { onBattery: false, asleep: false, metered: false }
  #cards: readonly Card[] = []
  #ownAt = -Infinity
  #unsigned: Uint8Array | undefined
  #contradictAt = -Infinity
  #contradictGap = CONTRADICT_FIRST

  constructor(wiring: Wiring) {
    this.#wiring = wiring
    const key = peerKey(wiring.self)
    if (key === undefined) throw new RangeError('self is no peer id')
    this.#key = key
    this.#incarnation = Math.min(Math.max(1, Math.floor(wiring.incarnation)), MAX_INCARNATION) - 1
    this.#ownDue = timer(now => this.#sayOwn(now))
    this.setMembers(0, [])
  }

  get incarnation(): number {
    return this.#incarnation
  }

  /** The owner's word that is known of a member. */
  record(peer: PeerId): PeerRecord | undefined {
    return this.#records.get(peer)
  }

  setMembers(now: number, peers: readonly PeerId[]): void {
    const before = new Set(this.#members.values())
    this.#members.clear()
    for (const peer of [this.#wiring.self, ...peers]) this.#members.set(peer.slice(3, 55), peer)
    for (const peer of this.#records.keys())
      if (!this.#members.has(peer.slice(3, 55))) this.#records.delete(peer)
    // what others told of a new member before we knew of it was dropped: ask again
    if (peers.every(peer => before.has(peer))) return
    for (const exchange of this.#exchanges.values()) this.#sendDigest(now, exchange)
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
  ownRecord(body: Uint8Array, signature: Uint8Array): void {
    const unsigned = this.#unsigned
    if (unsigned === undefined || !sameBytes(signable(unsigned), body)) return
    const record = signedRecord(unsigned, signature)
    if (record === undefined) return
    this.#unsigned = undefined
    this.#records.set(this.#wiring.self, record)
    this.#push(record, undefined)
  }

  opened(now: number, session: number): void {
    const exchange: Exchange = {
      session,
      digestAt: -Infinity,
      answeredAt: -Infinity,
      digestDue: timer(at => this.#sendDigest(at, exchange)),
      credit: RECORDS_AT_ONCE,
      creditAt: now
    }
    this.#exchanges.set(session, exchange)
    this.#sendDigest(now, exchange)
  }

  closed(session: number): void {
    const exchange = this.#exchanges.get(session)
    if (exchange === undefined) return
    this.#wiring.timers.clear(exchange.digestDue)
    this.#exchanges.delete(session)
  }

  receive(now: number, session: number, body: Uint8Array): void {
    const exchange = this.#exchanges.get(session)
    if (exchange === undefined) return
    const decoded = decodeGossip(body)
    if (decoded === undefined) this.#count('malformed')
    else if ('digest' in decoded) this.#answer(now, exchange, decoded.digest)
    else this.#consider(now, exchange, decoded.records)
  }

  verified(now: number, batch: number, ok: readonly boolean[]): void {
    const items = this.#batches.get(batch)
    if (items === undefined) return
    this.#batches.delete(batch)
    for (const [i, { record, owner, from }] of items.entries()) {
      this.#verifying.delete(keyOf(record))
      if (ok[i] !== true) this.#count('signature')
      else if (owner === this.#wiring.self) this.#contradict(now, record)
      else if (this.#members.has(toBase32(record.id)) && this.#isNews(owner, record)) {
        this.#records.set(owner, record)
        this.#push(record, from)
        this.#wiring.told(now, owner, record)
      }
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
    const entries: DigestEntry[] = [...this.#records.values()].slice(0, MAX_DIGEST)
    emit({ type: 'send', session: exchange.session, kind: Kind.Gossip, body: encodeDigest(entries) })
  }

  /** Sends what the other lacks. */
  #answer(now: number, exchange: Exchange, digest: readonly DigestEntry[]): void {
    if (now < exchange.answeredAt + DIGEST_ANSWERED) {
      this.#count('digest-often')
      return
    }
    exchange.answeredAt = now
    const theirs = new Map(digest.map(entry => [toBase32(entry.id), entry.incarnation]))
    const lacking = [...this.#records.values()].filter(
      record => record.incarnation > (theirs.get(toBase32(record.id)) ?? 0)
    )
    for (let i = 0; i < lacking.length; i += MAX_RECORDS)
      this.#send(exchange, lacking.slice(i, i + MAX_RECORDS))
  }

  /** Puts to verification what would be news if its owner signed it. */
  #consider(now: number, exchange: Exchange, records: readonly PeerRecord[]): void {
    const items: { record: PeerRecord; owner: PeerId; from: number }[] = []
    const refill = ((now - exchange.creditAt) * RECORDS_PER_SECOND) / 1_000
    exchange.credit = Math.min(RECORDS_AT_ONCE, exchange.credit + refill)
    exchange.creditAt = now
    for (const record of records) {
      const owner = this.#members.get(toBase32(record.id))
      if (owner === undefined) this.#count('record-of-stranger')
      else if (this.#isNews(owner, record) && !this.#verifying.has(keyOf(record))) {
        if (exchange.credit < 1) {
          this.#count('records-often')
          this.#wiring.timers.advance(exchange.digestDue, now + DIGEST_INTERVAL)
          continue
        }
        exchange.credit--
        this.#verifying.add(keyOf(record))
        items.push({ record, owner, from: exchange.session })
      }
    }
    if (items.length === 0) return
    this.#batches.set(++this.#batch, items)
    this.#wiring.emit({
      type: 'verify',
      batch: this.#batch,
      items: items.map(({ record, owner }) => ({ peer: owner, ...signed(record) }))
    })
  }

  #isNews(owner: PeerId, record: PeerRecord): boolean {
    const known =
      owner === this.#wiring.self ? this.#incarnation : (this.#records.get(owner)?.incarnation ?? 0)
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
    this.#unsigned = unsignedRecord(this.#key, this.#incarnation, this.#own, { ...this.#flags, extra })
    this.#wiring.emit({ type: 'sign', body: signable(this.#unsigned) })
  }

  #push(record: PeerRecord, except: number | undefined): void {
    for (const exchange of this.#exchanges.values()) {
      if (exchange.session !== except) this.#send(exchange, [record])
    }
  }

  #send(exchange: Exchange, records: readonly PeerRecord[]): void {
    const body = encodeRecords(records)
    this.#wiring.emit({ type: 'send', session: exchange.session, kind: Kind.Gossip, body })
  }

  #count(what: string): void {
    this.#wiring.emit({ type: 'count', what })
  }
}

/** Owner, incarnation and signature: the same bytes from many sessions are verified once. */
const keyOf = (record: PeerRecord): string =>
  `${toBase32(record.id)} ${record.incarnation} ${toBase32(record.bytes.subarray(-64))}`

const textOf = (cards: readonly Card[]): string =>
  cards.map(({ address, mac }) => `${formatAddress(address)} ${mac.join()}`).join()

const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, i) => byte === other[i])
