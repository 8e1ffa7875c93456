/**
 * Switching: a peer that is reached in one way is moved to a better one, once that is proved.
 *
 * A moment after a session began, after our addresses, their links or what is known of the peer changed, and every
 * LOOK, its other addresses are compared with the way in use (paths.ts). Those of a better grade, and those of the same
 * that may be faster, are probed together with the one in use. A better grade counts when the probe was answered, or
 * when no probe is answered at all, as where UDP is barred: then the handshake is the proof. The same grade counts
 * only when it is faster by FASTER_SHARE and FASTER_USEC, so that equals stay. The one chosen is dialled; its session
 * takes over as any newer one does, and the old one lingers.
 *
 * Whatever was chosen, or did not answer ASKS times, is left alone for HOLD, twice as long each time, so that two ends
 * that judge differently do not pull each other to and fro. A change of our own network clears that. What is of a
 * better grade and did not answer is asked again then. A link where either end saves is only moved to a better grade,
 * and else only looked at when something changed.
 */
import { parseAddress, sameHost } from '../wire/address.ts'
import type { Candidate } from './candidates.ts'
import type { Dialling } from './dialling.ts'
import { compare, type Grade, gradeBetween, gradeOf, type OwnAddress } from './paths.ts'
import type { Output, Peer, Session } from './peer.ts'
import type { Timer, Timers } from './timers.ts'
import { timer } from './timers.ts'

/** From what gives a reason to look until the look: what comes in races comes first. */
export const SETTLE = 1_000
/** Between looks when nothing happens. */
export const LOOK = 600_000
/** How long an answer to a probe may take. */
export const ANSWER = 1_000
/** A probe may be lost: of a better grade each address is asked so often. */
export const ASKS = 3
export const HOLD = 60_000
export const MAX_HOLD = 3_600_000
/** A way of the same grade must take at most this share of the round trip … */
export const FASTER_SHARE = 2 / 3
/** … and be faster by as many microseconds. */
export const FASTER_USEC = 2_000
/** Addresses probed in a look, beside the one in use. */
const AT_MOST = 4

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly own: () => readonly OwnAddress[]
  readonly dialling: Dialling
  /** Either end of a link with it does. */
  readonly saves: (peer: Peer) => boolean
}

/** What is remembered of one peer. */
interface Shift {
  readonly due: Timer
  /** The look under way: its probe, what it asks about, and who answered with which round trip. */
  look: Look | undefined
  /** The address dialled because it seemed better, and what it has to be better than. */
  trying: { readonly address: string; readonly than: Grade; readonly up: boolean } | undefined
  readonly holds: Map<string, { until: number; times: number }>
}
interface Look {
  probe: number
  asks: number
  readonly inUse: string
  readonly grade: Grade
  readonly asked: readonly { readonly address: string; readonly grade: Grade }[]
  readonly answers: Map<string, number>
}

export class Switching {
  readonly #wiring: Wiring
  readonly #shifts = new Map<Peer, Shift>()
  /** Of its last probe. Below 0: those of the watch are above. */
  #probe = 0

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** Something changed that may make another way better. Without a session the next one brings a look. */
  look(now: number, peer: Peer): void {
    if (peer.nominated === undefined) return
    const shift = this.#shift(peer)
    shift.look = undefined
    this.#wiring.timers.set(shift.due, now + SETTLE)
  }

  /** Our own addresses or links changed: what was held back may be another way now. */
  moved(now: number, peers: Iterable<Peer>): void {
    for (const peer of peers) {
      this.#shift(peer).holds.clear()
      this.look(now, peer)
    }
  }

  /** A session was confirmed, and is in use. */
  opened(now: number, session: Session): void {
    const { peer } = session
    const { trying } = this.#shift(peer)
    if (trying !== undefined && session.outgoing && session.address === trying.address) {
      const grade = gradeBetween(session.local, session.address, this.#wiring.own())
      // the kernel chose another link than was thought
      if (trying.up && grade !== undefined && compare(grade, trying.than) >= 0)
        this.#hold(now, peer, trying.address)
      this.#shift(peer).trying = undefined
    }
    this.look(now, peer)
  }

  /**
   * An answer to a probe came from there. False when it is the watch that asked: what answers here is one address of
   * many, and says nothing of the one in use.
   */
  probed(now: number, peer: Peer, probe: number, address: string, roundTripUSec: number): boolean {
    if (probe > 0) return false
    peer.life.pongAt = now
    const look = this.#shifts.get(peer)?.look
    if (look?.probe === probe)
      look.answers.set(address, Math.min(look.answers.get(address) ?? Infinity, roundTripUSec))
    return true
  }

  removed(peer: Peer): void {
    const shift = this.#shifts.get(peer)
    if (shift === undefined) return
    this.#wiring.timers.clear(shift.due)
    this.#shifts.delete(peer)
  }

  #shift(peer: Peer): Shift {
    const known = this.#shifts.get(peer)
    if (known !== undefined) return known
    const shift: Shift = {
      due: timer(now => this.#due(now, peer, shift)),
      look: undefined,
      trying: undefined,
      holds: new Map()
    }
    this.#shifts.set(peer, shift)
    return shift
  }

  #due(now: number, peer: Peer, shift: Shift): void {
    const { timers, saves } = this.#wiring
    const look = shift.look
    shift.look = undefined
    // the next session brings the next look
    if (peer.nominated === undefined || peer.plan.wanted) return
    let again = Infinity
    if (look === undefined) {
      if (this.#begin(now, peer, shift, peer.nominated)) return
    } else {
      if (this.#asksAgain(now, peer, shift, look)) return
      again = this.#decide(now, peer, shift, look)
    }
    const next = Math.min(again, saves(peer) ? Infinity : now + LOOK)
    if (next < Infinity) timers.set(shift.due, next, LOOK / 4)
  }

  /** Probes what may be better; false when there is nothing. */
  #begin(now: number, peer: Peer, shift: Shift, session: Session): boolean {
    const { own, saves } = this.#wiring
    const inUse = peer.candidates.dialable(session)
    const grade = gradeBetween(session.local, inUse, own())
    if (grade === undefined) return false
    const asked = peer.candidates
      .ranked(own())
      .map(candidate => ({ address: candidate.text, grade: gradeOf(candidate.address, own()), candidate }))
      .filter(({ candidate }) => !held(now, shift, candidate))
      .filter(each => {
        const order = compare(each.grade, grade)
        return order < 0 || (order === 0 && !saves(peer) && !sameDevice(each.candidate, inUse))
      })
      .sort((a, b) => compare(a.grade, b.grade))
      .slice(0, AT_MOST)
      .map(({ address, grade }) => ({ address, grade }))
    if (asked.length === 0) return false
    shift.look = { probe: 0, asks: 0, inUse, grade, asked, answers: new Map() }
    this.#ask(now, peer, shift, shift.look, [...new Set([inUse, ...asked.map(({ address }) => address)])])
    return true
  }

  #ask(now: number, peer: Peer, shift: Shift, look: Look, addresses: readonly string[]): void {
    look.probe = --this.#probe
    look.asks++
    for (const address of addresses) peer.candidates.asked(now, address)
    this.#wiring.emit({ type: 'probe', probe: look.probe, peer: peer.id, addresses })
    this.#wiring.timers.set(shift.due, now + ANSWER)
  }

  /** None of a better grade has answered, and may yet. */
  #asksAgain(now: number, peer: Peer, shift: Shift, look: Look): boolean {
    const { asked, answers, grade, inUse, asks } = look
    const better = asked.filter(each => compare(each.grade, grade) < 0).map(({ address }) => address)
    if (asks === ASKS || better.length === 0 || better.some(address => answers.has(address))) return false
    shift.look = look
    this.#ask(now, peer, shift, look, answers.has(inUse) ? better : [inUse, ...better])
    return true
  }

  /** When to look again for what is of a better grade and did not answer. */
  #decide(now: number, peer: Peer, shift: Shift, { asked, answers, grade, inUse }: Look): number {
    const barred = answers.size === 0
    let again = Infinity
    const base = answers.get(inUse) ?? 0
    const better: { readonly address: string; readonly up: boolean; readonly rank: readonly number[] }[] = []
    for (const each of asked) {
      const roundTrip = answers.get(each.address)
      const up = compare(each.grade, grade) < 0
      if (up && roundTrip === undefined && !barred)
        again = Math.min(again, this.#hold(now, peer, each.address))
      else if (up || faster(roundTrip, base))
        better.push({ address: each.address, up, rank: [...each.grade, roundTrip ?? Infinity] })
    }
    const [best] = better.sort((a, b) => compare(a.rank, b.rank))
    if (best === undefined) return again
    const until = this.#hold(now, peer, best.address)
    if (this.#wiring.dialling.only(now, peer, best.address))
      shift.trying = { address: best.address, than: grade, up: best.up }
    // the session that this makes brings a look of its own
    return best.up ? Math.min(again, until) : again
  }

  /** Returns until when. */
  #hold(now: number, peer: Peer, address: string): number {
    const { holds } = this.#shift(peer)
    const before = holds.get(address)
    const times = before === undefined || now - before.until > MAX_HOLD ? 0 : before.times + 1
    const until = now + Math.min(MAX_HOLD, HOLD * 2 ** times)
    holds.set(address, { until, times })
    return until
  }
}

const held = (now: number, { holds }: Shift, { text }: Candidate): boolean =>
  now < (holds.get(text)?.until ?? -Infinity)

const faster = (roundTrip: number | undefined, base: number): boolean =>
  roundTrip !== undefined && roundTrip <= base * FASTER_SHARE && base - roundTrip >= FASTER_USEC

const sameDevice = ({ address }: Candidate, other: string): boolean => {
  const parsed = parseAddress(other)
  return parsed !== undefined && sameHost(address, parsed)
}
