/**
 * Repair: two devices find out what one has heard and the other has not, without telling all they know.
 *
 *   summary →            one sum of everything, when a session opens and once in a while
 *           ← buckets    it differs: sums of parts
 *   entries →            what the first has in the parts that differ
 *           ← records, words, wants    what it lacks, and what the second lacks
 *   records →
 *
 * When more parts differ than fit, it goes on with buckets. A device repairs with one other at a time, so that one that
 * comes back does not get everything from all its neighbours; the others wait, and are compared again.
 */
import {
  type CensusBody,
  encodeBuckets,
  encodeEntries,
  encodeSummary,
  encodeWants,
  MAX_BITS,
  MIN_BITS
} from '../wire/census.ts'
import { Kind } from '../wire/frame.ts'
import type { Census } from './census.ts'
import type { Output } from './peer.ts'
import { entryOf, recordBodies, wordBodies } from './spread.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'

/** One that says nothing for so long is left for the next. */
export const QUIET = 2_000
/** Everything is compared with one neighbour after another this often, although nothing should have been lost. */
export const AGAIN = 300_000
/** Entries told, and records asked for, at one go. */
const AT_ONCE = 256

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly census: () => Census
  readonly random: () => number
  /** Verdicts that a session told us. */
  readonly heard: (now: number, session: number, body: Extract<CensusBody, { type: 'entries' }>) => void
}

export class Repair {
  readonly #wiring: Wiring
  readonly #sessions = new Set<number>()
  readonly #later = new Set<number>()
  readonly #wanted = new Set<number>()
  readonly #quiet = timer(now => this.#over(now))
  readonly #again = timer(now => this.#compare(now))
  #with: number | undefined
  /** We sent buckets and wait for entries. */
  #asked = false
  #more = false

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** `first`: we begin. */
  opened(now: number, session: number, first: boolean): void {
    this.#sessions.add(session)
    if (first) this.summary(session)
    this.#wiring.timers.advance(this.#again, this.#next(now))
  }

  closed(now: number, session: number): void {
    this.#sessions.delete(session)
    this.#later.delete(session)
    if (this.#with === session) this.#over(now)
  }

  /** Whether we asked for that member's record: then it may come however often others did. */
  wants(member: number): boolean {
    return this.#wanted.has(member)
  }

  /** Its record has come, or is of no use. */
  came(now: number, member: number): void {
    if (!this.#wanted.delete(member) || this.#wanted.size > 0) return
    if (this.#more && this.#with !== undefined) this.#ask(now, this.#with)
    else this.#over(now)
  }

  /** The numbers of members mean others from now on; what others told of new ones was dropped. */
  forget(now: number): void {
    this.#wanted.clear()
    this.#over(now)
    for (const session of this.#sessions) this.summary(session)
  }

  receive(now: number, session: number, body: Exclude<CensusBody, { type: 'words' }>): void {
    switch (body.type) {
      case 'summary': {
        const [left, right] = this.#wiring.census().sum
        if (left === body.left && right === body.right) {
          this.#later.delete(session)
          if (this.#with === session) this.#over(now)
        } else if (this.#free(session)) this.#ask(now, session)
        break
      }
      case 'buckets':
        if (this.#free(session)) this.#answer(now, session, body.bits, body.sums)
        break
      case 'entries':
        if (this.#with === session && this.#asked) this.#weigh(now, session, body)
        else this.#wiring.emit({ type: 'count', what: 'entries-unasked' })
        break
      case 'wants':
        if (this.#with === session) this.#give(now, session, body.prefixes)
        else this.#wiring.emit({ type: 'count', what: 'wants-unasked' })
    }
  }

  /** True when nobody else is being compared with; otherwise its turn comes. */
  #free(session: number): boolean {
    if (this.#with === undefined || this.#with === session) return true
    this.#later.add(session)
    return false
  }

  /** Says what we have, in one number. */
  summary(session: number): void {
    this.#send(session, encodeSummary(...this.#wiring.census().sum))
  }

  #ask(now: number, session: number): void {
    const census = this.#wiring.census()
    const bits = Math.min(MAX_BITS, Math.max(MIN_BITS, Math.ceil(Math.log2(census.members.size / 8))))
    this.#begin(now, session)
    this.#asked = true
    this.#send(session, encodeBuckets(bits, census.sums(bits)))
  }

  #answer(now: number, session: number, bits: number, theirs: Uint32Array): void {
    const census = this.#wiring.census()
    const ours = census.sums(bits)
    const differ = [...ours.keys()].filter(i => ours[i] !== theirs[i])
    if (differ.length === 0) {
      if (this.#with === session) this.#over(now)
      return
    }
    this.#begin(now, session)
    // all that differ, as far as they fit: one with very many members in it goes whole
    const each = Math.max(1, census.members.size / ours.length)
    const buckets = differ.slice(0, Math.max(1, Math.floor(AT_ONCE / each)))
    const entries = census.inBuckets(bits, new Set(buckets)).map(member => entryOf(census, member))
    this.#send(session, encodeEntries(buckets.length < differ.length, bits, buckets, entries))
  }

  #weigh(now: number, session: number, body: Extract<CensusBody, { type: 'entries' }>): void {
    const { heard } = this.#wiring
    const census = this.#wiring.census()
    const { members } = census
    const { entries } = body
    this.#begin(now, session)
    heard(now, session, body)
    const lacks = new Set(census.inBuckets(body.bits, new Set(body.buckets)))
    const outdated: number[] = []
    const wanted: number[] = []
    for (let i = 0; i < entries.length; i++) {
      const member = members.find(entries.bytes, entries.offset(i))
      if (member < 0) continue
      const ours = census.record(member)?.incarnation ?? 0
      const theirs = entries.incarnation(i)
      if (theirs >= ours) lacks.delete(member)
      if (theirs > ours) wanted.push(member)
      else if (theirs === ours && census.version(member) > entries.version(i)) outdated.push(member)
    }
    for (const each of recordBodies(census, [...lacks])) this.#send(session, each)
    for (const each of wordBodies(census, [...lacks, ...outdated])) this.#send(session, each)
    const asked = wanted.slice(0, AT_ONCE)
    this.#wanted.clear()
    for (const member of asked) this.#wanted.add(member)
    this.#more = body.more || asked.length < wanted.length
    if (asked.length > 0)
      this.#send(session, encodeWants(members.inKeyOrder(asked).map(member => members.keys[member]!)))
    else if (this.#more) this.#ask(now, session)
    else this.#over(now)
  }

  #give(now: number, session: number, prefixes: Uint8Array): void {
    const census = this.#wiring.census()
    this.#begin(now, session)
    const members: number[] = []
    for (let offset = 0; offset < prefixes.length; offset += 8) {
      const member = census.members.find(prefixes, offset)
      if (member >= 0) members.push(member)
    }
    for (const each of recordBodies(census, members)) this.#send(session, each)
  }

  #begin(now: number, session: number): void {
    this.#with = session
    this.#asked = false
    this.#later.delete(session)
    this.#wiring.timers.set(this.#quiet, now + QUIET)
  }

  /** Done with that one: on to the next. */
  #over(now: number): void {
    this.#with = undefined
    this.#asked = this.#more = false
    this.#wanted.clear()
    this.#wiring.timers.clear(this.#quiet)
    const next = this.#later.values().next().value
    if (next === undefined) return
    this.#later.delete(next)
    this.summary(next)
    // it answers when there is something to do; meanwhile nobody else is asked
    if (this.#later.size > 0) this.#begin(now, next)
  }

  #compare(now: number): void {
    const session = this.#sessions.values().next().value
    if (session === undefined) return
    // to the end of the line
    this.#sessions.delete(session)
    this.#sessions.add(session)
    this.summary(session)
    this.#wiring.timers.set(this.#again, this.#next(now), AGAIN / 4)
  }

  #next(now: number): number {
    return now + AGAIN * (0.75 + 0.5 * this.#wiring.random())
  }

  #send(session: number, body: Uint8Array): void {
    this.#wiring.emit({ type: 'send', session, kind: Kind.Gossip, body })
  }
}
