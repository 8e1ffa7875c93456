/**
 * The census: what a device has heard of every member, by the member's number.
 *
 * Of each there is its own signed record, and a verdict on it: how often those who had a session with it lost it and
 * found it again since that record. An even number of times means that it is there. Both only grow, so that
 * everybody who has heard the same words believes the same, in whichever order they came. A new record starts
 * the count afresh: its owner has the last word.
 */
import { fingerprint, MAX_BITS, readU32 } from '../wire/census.ts'
import type { PeerRecord } from '../wire/gossip.ts'
import type { Members } from './members.ts'
import type { Reason } from './peer.ts'

/** As on the wire. */
const REASONS: readonly Reason[] = ['', 'stopped', 'closed', 'timeout']
/** Words about records that have not come yet. */
const MAX_AHEAD = 1_024
const BUCKETS = 2 ** MAX_BITS

interface Verdict {
  readonly incarnation: number
  readonly version: number
  readonly reason: number
}

export const reasonCode = (reason: Reason): number => {
  const code = REASONS.indexOf(reason)
  return code > 0 ? code : 2
}

export class Census {
  #members: Members
  #records: (PeerRecord | undefined)[]
  #versions: Uint16Array
  #reasons: Uint8Array
  readonly #sums = new Uint32Array(BUCKETS)
  #ahead = new Map<number, Verdict>()
  #lost = 0
  #left = 0
  #right = 0

  constructor(members: Members) {
    this.#members = members
    this.#records = new Array(members.size).fill(undefined)
    this.#versions = new Uint16Array(members.size)
    this.#reasons = new Uint8Array(members.size)
  }

  get members(): Members {
    return this.#members
  }

  get records(): Iterable<PeerRecord> {
    return this.#records.filter(record => record !== undefined)
  }

  /** How many have said where they are, and are gone by now. */
  get lost(): number {
    return this.#lost
  }

  /** Of all that is known. */
  get sum(): readonly [left: number, right: number] {
    return [this.#left >>> 0, this.#right >>> 0]
  }

  /** Other members: what is known of those that stay is kept. */
  change(members: Members): void {
    const before = {
      members: this.#members,
      records: this.#records,
      versions: this.#versions,
      reasons: this.#reasons
    }
    this.#members = members
    this.#records = new Array(members.size).fill(undefined)
    this.#versions = new Uint16Array(members.size)
    this.#reasons = new Uint8Array(members.size)
    this.#sums.fill(0)
    this.#ahead.clear()
    this.#left = this.#right = this.#lost = 0
    for (const [member, id] of members.ids.entries()) {
      const was = before.members.number(id)
      const record = was < 0 ? undefined : before.records[was]
      if (record === undefined) continue
      this.#records[member] = record
      this.#versions[member] = before.versions[was]!
      this.#reasons[member] = before.reasons[was]!
      this.#add(member, 1)
    }
  }

  record(member: number): PeerRecord | undefined {
    return this.#records[member]
  }

  version(member: number): number {
    return this.#versions[member]!
  }

  reason(member: number): Reason {
    return REASONS[this.#reasons[member]!] ?? 'closed'
  }

  reasonCode(member: number): number {
    return this.#reasons[member]!
  }

  /** It has said where it is and not that it sleeps, and nobody has lost it since. */
  there(member: number): boolean {
    return this.#records[member]?.asleep === false && this.#versions[member]! % 2 === 0
  }

  /** A record its owner signed. False: not newer. */
  enter(member: number, record: PeerRecord): boolean {
    const known = this.#records[member]
    if (known !== undefined && known.incarnation >= record.incarnation) return false
    if (known !== undefined) this.#add(member, -1)
    const ahead = this.#ahead.get(member)
    const fits = ahead?.incarnation === record.incarnation
    this.#records[member] = record
    this.#versions[member] = fits ? ahead.version : 0
    this.#reasons[member] = fits ? ahead.reason : 0
    if (ahead !== undefined && ahead.incarnation <= record.incarnation) this.#ahead.delete(member)
    this.#add(member, 1)
    return true
  }

  /** Somebody's verdict. False: it is not newer, or about a record that has not come. */
  hear(member: number, incarnation: number, version: number, reason: number): boolean {
    const known = this.#records[member]?.incarnation ?? 0
    if (incarnation > known) {
      const ahead = this.#ahead.get(member) ?? { incarnation: 0, version: 0 }
      const newer = incarnation - ahead.incarnation || version - ahead.version
      if (newer > 0 && (ahead.version > 0 || this.#ahead.size < MAX_AHEAD))
        this.#ahead.set(member, { incarnation, version, reason })
      return false
    }
    if (incarnation < known || version <= this.#versions[member]!) return false
    this.#add(member, -1)
    this.#versions[member] = version
    this.#reasons[member] = reason
    this.#add(member, 1)
    return true
  }

  /** The left halves of the sums of 2^bits buckets. */
  sums(bits: number): Uint32Array {
    const sums = new Uint32Array(2 ** bits)
    for (let i = 0; i < BUCKETS; i++) sums[i >> (MAX_BITS - bits)]! += this.#sums[i]!
    return sums
  }

  /** Those of whom something is known, in the order of their keys. */
  inBuckets(bits: number, buckets: ReadonlySet<number>): number[] {
    return this.#members.byKey.filter(
      member =>
        this.#records[member] !== undefined && buckets.has(this.#members.keys[member]![0]! >> (8 - bits))
    )
  }

  #add(member: number, sign: 1 | -1): void {
    const key = this.#members.keys[member]!
    const { incarnation } = this.#records[member]!
    const [left, right] = fingerprint(readU32(key, 0), readU32(key, 4), incarnation, this.#versions[member]!)
    if (this.#versions[member]! % 2 === 1) this.#lost += sign
    this.#sums[key[0]! >> (8 - MAX_BITS)]! += sign * left
    this.#left = (this.#left + sign * left) | 0
    this.#right = (this.#right + sign * right) | 0
  }
}
