/**
 * Hearsay: the presence of members with whom this device has no session, in a circle too large for a full mesh.
 *
 * Who had a session with a member and lost it says so, after another second in which it might have come back; who has
 * one contradicts, and so does the member itself. Verdicts are counted (census.ts) and spread like records. What
 * this device sees itself always goes before what it heard. A device that has lost most of its neighbours at once is
 * perhaps cut off itself: it accuses nobody. One that has no session at all believes nobody to be there.
 *
 * A member that is accused again and again is defended less and less often, so that a liar costs little.
 */
import type { PeerId } from '../crypto/identity.ts'
import { formatAddress } from '../wire/address.ts'
import type { Entries } from '../wire/census.ts'
import type { Census } from './census.ts'
import { reasonCode } from './census.ts'
import type { Evidence } from './life.ts'
import type { Members } from './members.ts'
import type { Output, PeerView, Reason, State } from './peer.ts'
import type { Spread } from './spread.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'

/** From the loss of a session to the word of it. */
export const ACCUSE_AFTER = 1_000
/** One who has a session asks there, and contradicts after between half of this and all of it, unless another did. */
const CONTRADICT_AFTER = 1_000
/** Nothing was heard there yet: a little later, for as long as it takes to give a session up. */
const LATER = 250
/** Accusations that were held back because we may be cut off are thought over again, this often. */
const HOLD = 5_000
const HOLDS = 16
/** About the same member again: at first, and at most. */
const CALM = 2_000
const MAX_CALM = 300_000
/** One that was away for longer was not contradicted, but came back. */
const LONG = 60_000
/** Its owner begins to count anew. */
const MANY = 60_000

interface Wiring {
  readonly self: PeerId
  readonly timers: Timers
  readonly random: () => number
  readonly emit: (output: Output) => void
  readonly census: () => Census
  readonly spread: () => Spread
  /** We have a session with it. */
  readonly live: (member: number) => boolean
  /** Something came from it since then. */
  readonly heardSince: (member: number, since: number) => boolean
  /** Asks it whether it is there. */
  readonly ask: (now: number, member: number) => void
  /** We did not reach it although it should be there. */
  readonly shunned: (member: number) => boolean
  /** Sessions with members we have: none, so few that the fault may be ours, or enough. */
  readonly company: () => 'none' | 'little' | 'enough'
  /** Whether it is there may have changed. `fresh`: it is, after it was away for long, or with a new record. */
  readonly changed: (now: number, member: number, fresh: boolean) => void
  /** Say our own word again. */
  readonly insist: (now: number) => void
  /** Who told us on that session. */
  readonly teller: (session: number) => number
}

interface Saying {
  at: number
  readonly since: number
  readonly accuse: Reason | undefined
  holds: number
}

export class Hearsay {
  readonly #wiring: Wiring
  /** What we are about to say of whom. */
  readonly #sayings = new Map<number, Saying>()
  readonly #calm = new Map<number, { until: number; gap: number }>()
  readonly #due = timer(now => this.#say(now))
  /** When something of it was last heard, in tenths of a second + 1, and from whom + 1; 0: never. */
  #heardAt = new Uint32Array(0)
  #tellers = new Uint32Array(0)

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** The numbers of members mean others from now on. */
  change(before: Members, after: Members): void {
    const [heardAt, tellers] = [this.#heardAt, this.#tellers]
    this.#sayings.clear()
    this.#calm.clear()
    this.#heardAt = new Uint32Array(after.size)
    this.#tellers = new Uint32Array(after.size)
    for (const [member, id] of after.ids.entries()) {
      const was = before.number(id)
      if (was < 0) continue
      this.#heardAt[member] = heardAt[was] ?? 0
      const teller = before.ids[(tellers[was] ?? 0) - 1]
      if (teller !== undefined) this.#tellers[member] = after.number(teller) + 1
    }
  }

  /** Our last session with it ended. */
  lost(now: number, member: number, reason: Reason): void {
    this.#plan(now, member, now + (reason === 'stopped' ? 0 : ACCUSE_AFTER), reason)
  }

  /** We have a session with it. */
  found(now: number, member: number): void {
    const saying = this.#sayings.get(member)
    if (saying?.accuse !== undefined) this.#sayings.delete(member)
    this.#defend(now, member)
  }

  /** Its own word came. */
  told(now: number, member: number, session: number, fresh: boolean): void {
    this.#note(now, member, session)
    this.#wiring.changed(now, member, fresh)
  }

  /** A session tells verdicts. */
  heard(now: number, session: number, entries: Entries): void {
    const { census: censusOf, spread, changed } = this.#wiring
    const census = censusOf()
    for (let i = 0; i < entries.length; i++) {
      const member = census.members.find(entries.bytes, entries.offset(i))
      const version = entries.version(i)
      if (member < 0 || version === 0) continue
      if (census.hear(member, entries.incarnation(i), version, entries.reason(i))) {
        spread().word(now, member, session)
        const fresh = census.there(member) && now - this.#at(member) > LONG
        this.#note(now, member, session)
        this.#defend(now, member)
        changed(now, member, fresh)
      } else spread().repeated(member, session)
    }
  }

  /** What is shown of it. */
  view(member: number, online: boolean): PeerView {
    const census = this.#wiring.census()
    const record = census.record(member)
    const { state, reason } = this.#verdict(member, online)
    return {
      id: census.members.ids[member]!,
      state,
      reason,
      addresses: record?.addresses.map(formatAddress) ?? [],
      latencyUSec: 0,
      path: '',
      unreachableSince: state === 'reachable' ? 0 : Math.max(0, this.#at(member)),
      asleepSince: state === 'asleep' ? Math.max(0, this.#at(member)) : 0,
      evidence: this.#evidence(member)
    }
  }

  #verdict(member: number, online: boolean): { state: State; reason: Reason } {
    const { company, shunned } = this.#wiring
    const census = this.#wiring.census()
    if (!online) return { state: 'unreachable', reason: 'no-network' }
    if (census.record(member) === undefined) return { state: 'unreachable', reason: 'no-address' }
    if (census.record(member)!.asleep) return { state: 'asleep', reason: 'asleep' }
    if (!census.there(member)) return { state: 'unreachable', reason: census.reason(member) }
    if (company() === 'none') return { state: 'unreachable', reason: 'isolated' }
    return shunned(member) ? { state: 'unreachable', reason: 'path' } : { state: 'reachable', reason: '' }
  }

  #evidence(member: number): Evidence {
    const at = this.#at(member)
    if (at < 0) return { how: '', by: '', at: -Infinity }
    const teller = this.#tellers[member]!
    return { how: 'word', by: teller === 0 ? '' : this.#wiring.census().members.ids[teller - 1]!, at }
  }

  #at(member: number): number {
    return (this.#heardAt[member]! - 1) * 100
  }

  #note(now: number, member: number, session: number): void {
    this.#heardAt[member] = Math.floor(now / 100) + 1
    this.#tellers[member] = this.#wiring.teller(session) + 1
  }

  /** It is said to be gone, and we know better. */
  #defend(now: number, member: number): void {
    const { ask, census: censusOf, live, random, self } = this.#wiring
    const census = censusOf()
    if (census.version(member) % 2 === 0) return
    const ourselves = census.members.ids[member] === self
    if (!ourselves && !live(member)) return
    if (!ourselves) ask(now, member)
    this.#plan(now, member, now + (ourselves ? 0 : CONTRADICT_AFTER * (0.5 + 0.5 * random())), undefined)
  }

  #plan(now: number, member: number, at: number, accuse: Reason | undefined): void {
    const calm = this.#calm.get(member)
    const due = Math.max(at, calm?.until ?? 0)
    this.#sayings.set(member, { at: due, since: now, accuse, holds: HOLDS })
    this.#wiring.timers.advance(this.#due, due)
  }

  #say(now: number): void {
    let next = Infinity
    for (const [member, saying] of this.#sayings) {
      if (saying.at <= now && this.#done(now, member, saying)) this.#sayings.delete(member)
      else next = Math.min(next, saying.at)
    }
    this.#wiring.timers.set(this.#due, next)
  }

  /** True when nothing is left to be said of it. */
  #done(now: number, member: number, saying: Saying): boolean {
    const { census: censusOf, company, heardSince, insist, live, self } = this.#wiring
    const census = censusOf()
    const version = census.version(member)
    const ourselves = census.members.ids[member] === self
    if (saying.accuse === undefined) {
      if (version % 2 === 0) return true
      if (ourselves && version > MANY) insist(now)
      else if (!ourselves && live(member) && !heardSince(member, saying.since)) {
        saying.at = now + LATER
        return --saying.holds === 0
      } else if (ourselves || live(member)) this.#speak(now, member, version + 1, 0)
      return true
    }
    if (live(member) || !census.there(member)) return true
    if (saying.accuse !== 'stopped' && company() !== 'enough') {
      saying.at = now + HOLD
      return --saying.holds === 0
    }
    this.#speak(now, member, version + 1, reasonCode(saying.accuse))
    return true
  }

  #speak(now: number, member: number, version: number, reason: number): void {
    const { census: censusOf, changed, spread } = this.#wiring
    const census = censusOf()
    if (version >= 2 ** 16 || !census.hear(member, census.record(member)!.incarnation, version, reason))
      return
    const calm = this.#calm.get(member)
    const gap =
      calm !== undefined && now < calm.until + 10 * calm.gap ? Math.min(MAX_CALM, calm.gap * 2) : CALM
    this.#calm.set(member, { until: now + gap, gap })
    this.#heardAt[member] = Math.floor(now / 100) + 1
    this.#tellers[member] = 0
    spread().word(now, member)
    changed(now, member, false)
  }
}
