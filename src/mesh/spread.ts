/**
 * Spreading: what is news here goes to all sessions it did not come from.
 *
 * The first news goes at once; what follows within INTERVAL goes together at its end. So a single change takes as
 * long as the links do, and when thousands change at once a device sends to each neighbour five times a second, each
 * time all that neighbour has not said itself in the meantime.
 */

import { type Entry, encodeWords, MAX_ENTRIES } from '../wire/census.ts'
import { Kind } from '../wire/frame.ts'
import { encodeRecords, MAX_RECORDS } from '../wire/gossip.ts'
import type { Census } from './census.ts'
import type { Output } from './peer.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'

/** The gossip round of a circle that is too large for a full mesh. */
export const INTERVAL = 200

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly census: () => Census
  readonly sessions: () => Iterable<number>
  /** Whether everybody has a session with everybody: then nothing waits. */
  readonly full: () => boolean
}

interface News {
  record: boolean
  word: boolean
  /** Sessions that have told us, or were told. */
  readonly knowing: number[]
}

export class Spread {
  readonly #wiring: Wiring
  readonly #news = new Map<number, News>()
  readonly #due = timer(now => this.flush(now))
  #sentAt = -Infinity

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** A member's record is new to us; `from`: who told us, if anybody. */
  record(now: number, member: number, from?: number): void {
    const news = this.#about(now, member, from)
    news.record = true
    // who told us of the record need not know the last verdict on it
    if (this.#wiring.census().version(member) > 0) news.word = true
  }

  /** So is the verdict on it. */
  word(now: number, member: number, from?: number): void {
    this.#about(now, member, from).word = true
  }

  /** A session told us what we knew already: it need not be told. */
  repeated(member: number, from: number): void {
    this.#news.get(member)?.knowing.push(from)
  }

  /** The numbers of members mean others from now on. */
  forget(): void {
    this.#news.clear()
  }

  #about(now: number, member: number, from: number | undefined): News {
    let news = this.#news.get(member)
    if (news === undefined) {
      news = { record: false, word: false, knowing: [] }
      this.#news.set(member, news)
    }
    // what it told before is old by now
    else news.knowing.length = 0
    if (from !== undefined) news.knowing.push(from)
    const { timers, full } = this.#wiring
    timers.advance(this.#due, full() ? now : Math.max(now, this.#sentAt + INTERVAL))
    return news
  }

  /** Tells it now. */
  flush(now: number): void {
    const { sessions, emit, timers } = this.#wiring
    const all = [...this.#news]
    this.#news.clear()
    this.#sentAt = now
    timers.clear(this.#due)
    const told = new Set(all.flatMap(([, news]) => news.knowing))
    let bodies: readonly Uint8Array[] | undefined
    for (const session of sessions()) {
      const lacks = told.has(session) ? all.filter(([, news]) => !news.knowing.includes(session)) : all
      if (lacks === all) bodies ??= this.#bodies(all)
      for (const body of lacks === all ? bodies! : this.#bodies(lacks))
        emit({ type: 'send', session, kind: Kind.Gossip, body })
    }
  }

  #bodies(all: readonly (readonly [number, News])[]): Uint8Array[] {
    const records = all.filter(([, news]) => news.record).map(([member]) => member)
    const words = all.filter(([, news]) => news.word).map(([member]) => member)
    return [...recordBodies(this.#wiring.census(), records), ...wordBodies(this.#wiring.census(), words)]
  }
}

/** Their records, as bodies of frames. */
export function recordBodies(census: Census, members: readonly number[]): Uint8Array[] {
  const records = members.map(member => census.record(member)).filter(record => record !== undefined)
  return Array.from({ length: Math.ceil(records.length / MAX_RECORDS) }, (_, i) =>
    encodeRecords(records.slice(i * MAX_RECORDS, (i + 1) * MAX_RECORDS))
  )
}

/** The verdicts on them, as bodies of frames. */
export function wordBodies(census: Census, members: readonly number[]): Uint8Array[] {
  const said = members.filter(member => census.version(member) > 0)
  const entries = (said.length > 1 ? census.members.inKeyOrder(said) : said).map(member =>
    entryOf(census, member)
  )
  return Array.from({ length: Math.ceil(entries.length / MAX_ENTRIES) }, (_, i) =>
    encodeWords(entries.slice(i * MAX_ENTRIES, (i + 1) * MAX_ENTRIES))
  )
}

export const entryOf = (census: Census, member: number): Entry => ({
  key: census.members.keys[member]!,
  incarnation: census.record(member)!.incarnation,
  version: census.version(member),
  reason: census.reasonCode(member)
})
