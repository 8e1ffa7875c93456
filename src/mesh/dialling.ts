/**
 * Dialling: which addresses of which peer are tried, and when.
 *
 * A round tries a peer's candidates, best first, STAGGER apart and the next one at once when one fails
 * (RFC 8305, 5); the first round all of them, the later ones a few in turn. The first session that is
 * confirmed, whoever dialled it, ends the round and cancels the rest. Rounds come every ROUND for a minute
 * after the peer was lost, or after something gave new hope; then the gap doubles up to MAX_GAP, with jitter
 * so that a circle does not dial in step.
 */
import type { Candidate } from './candidates.ts'
import { isGuess, isTimely } from './candidates.ts'
import type { OwnAddress } from './paths.ts'
import type { Attempt, Output, Peer, Plan } from './peer.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'

export const STAGGER = 50
export const ROUND = 2_000
/** How long rounds come every ROUND. */
export const EAGER = 60_000
export const MAX_GAP = 60_000
/** The jitter takes away up to this share of a gap beyond the eager minute. */
export const JITTER = 0.25
/** A round that backed off may be early by this share of its gap, with something else that is due. */
const SLACK = 1 / 8
/** A link and a handshake take less, or they do not come. */
export const ATTEMPT_LIMIT = 5_000
export const ATTEMPTS_PER_PEER = 6
export const ATTEMPTS = 48
/** Candidates tried in the first round. */
const CANDIDATES_AT_FIRST = 8
/** The same in later rounds: the two best, and the one that was not tried for longest. */
const CANDIDATES_LATER = 3
/** An address is not tried again sooner because somebody names it again. */
const REPEAT = 1_000
/** Hope given again and again restarts the rounds of a peer this often at once, then once in RESTART_GAP. */
const RESTARTS = 4
const RESTART_GAP = 250
/** A session that ends sooner than this after it began is brief. */
const BRIEF = 5_000

/** The gap after a round, without jitter: `elapsed` since the eager minute began, `previous` the gap before. */
export const gapAfter = (elapsed: number, previous: number): number =>
  elapsed < EAGER ? ROUND : Math.min(MAX_GAP, previous * 2)

/** Some of the candidates, so that each gets its turn. */
function sparing(ranked: readonly Candidate[]): readonly Candidate[] {
  const best = ranked.slice(0, CANDIDATES_LATER - 1)
  const rest = ranked.slice(CANDIDATES_LATER - 1)
  if (rest.length === 0) return best
  return [...best, rest.reduce((a, b) => (b.triedAt < a.triedAt ? b : a))]
}

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly random: () => number
  readonly own: () => readonly OwnAddress[]
  /** The eager minute of a peer begins. */
  readonly eager: (now: number, peer: Peer) => void
}

export class Dialling {
  readonly #wiring: Wiring
  readonly #attempts = new Map<number, Attempt>()
  /** Peers that wait because ATTEMPTS are under way; first come, first served. */
  readonly #waiting = new Set<Peer>()
  #number = 0

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** Attempts under way. */
  get size(): number {
    return this.#attempts.size
  }

  /** Begins the eager minute; the first round is in `delay` milliseconds. */
  want(now: number, peer: Peer, delay = 0): void {
    const plan = peer.plan
    plan.wanted = true
    plan.gap = ROUND
    plan.credit = Math.min(RESTARTS, plan.credit + (now - plan.creditAt) / RESTART_GAP)
    plan.creditAt = now
    const wait = plan.credit >= 1 ? 0 : (1 - plan.credit) * RESTART_GAP
    if (wait === 0) plan.credit--
    plan.since = now + Math.max(delay, wait)
    this.#wiring.timers.set(plan.round, plan.since)
    this.#wiring.eager(now, peer)
  }

  /**
   * The last session was lost after `lifetime` milliseconds, or Infinity when the peer answered on it. One that accepts sessions only to close them is
   * asked less and less often: at once after the first brief one, then after ROUND, and twice as long each time.
   */
  lost(now: number, peer: Peer, lifetime: number, delay: number): void {
    const plan = peer.plan
    plan.brief = lifetime < BRIEF ? plan.brief + 1 : 0
    const wait = plan.brief < 2 ? 0 : Math.min(MAX_GAP, ROUND * 2 ** (plan.brief - 2))
    this.want(now, peer, Math.max(delay, wait))
  }

  /** The network changed: what is under way may go out by an interface that is gone. */
  afresh(now: number, peer: Peer): void {
    for (const attempt of [...peer.plan.attempts.values()]) this.#cancel(now, attempt)
    this.want(now, peer)
  }

  /**
   * One look at a peer that is not to be dialled: at these of its addresses, or at the best of them. What comes of
   * it is a session, or nothing.
   */
  glance(now: number, peer: Peer, addresses?: readonly string[]): void {
    const plan = peer.plan
    const all =
      addresses?.map(text => peer.candidates.get(text)) ?? peer.candidates.ranked(this.#wiring.own())
    const texts = all.flatMap(candidate =>
      candidate === undefined || now - candidate.triedAt < REPEAT || this.#underWay(plan, candidate.text)
        ? []
        : [candidate.text]
    )
    plan.queue = [...new Set([...texts, ...plan.queue])].slice(0, CANDIDATES_AT_FIRST)
    this.step(now, peer)
  }

  /** Somebody names this address right now: try it at once, whatever the rounds do. */
  hint(now: number, peer: Peer, address: string): void {
    const plan = peer.plan
    const candidate = peer.candidates.get(address)
    if (!plan.wanted || candidate === undefined || now - candidate.triedAt < REPEAT) return
    if (this.#underWay(plan, address)) return
    plan.queue = [address, ...plan.queue.filter(other => other !== address)]
    this.step(now, peer)
  }

  /** One attempt there, beside a session that works. False when there are too many under way. */
  only(now: number, peer: Peer, address: string): boolean {
    if (this.#attempts.size >= ATTEMPTS || peer.plan.attempts.size > 0) return false
    this.#begin(now, peer, address)
    return true
  }

  /** It is there now: what was begun a while ago went out when it was not, and may wait for seconds to be sent again. */
  proved(now: number, peer: Peer, address: string, patience: number): void {
    const { plan } = peer
    if (!plan.wanted || now - plan.provedAt < REPEAT || (plan.brief > 0 && now < plan.since)) return
    const known = peer.candidates.get(address)?.text
    for (const attempt of [...plan.attempts.values()]) {
      if (known !== undefined && attempt.address !== known) continue
      if (now - (peer.candidates.get(attempt.address)?.triedAt ?? now) < patience) return
      this.#cancel(now, attempt)
    }
    plan.provedAt = now
    if (known === undefined) this.round(now, peer)
    else {
      plan.queue = [known, ...plan.queue.filter(other => other !== known)]
      this.step(now, peer)
    }
  }

  /** A session is confirmed, or the peer is none any more. */
  done(now: number, peer: Peer): void {
    const { timers } = this.#wiring
    peer.plan.wanted = false
    peer.plan.queue = []
    timers.clear(peer.plan.round)
    timers.clear(peer.plan.next)
    this.#waiting.delete(peer)
    for (const attempt of [...peer.plan.attempts.values()]) this.#cancel(now, attempt)
    this.#serve(now)
  }

  /** The attempt that led to a session is over; nothing is left to cancel of it. */
  succeeded(peer: Peer, address: string): void {
    for (const attempt of peer.plan.attempts.values()) if (attempt.address === address) this.#forget(attempt)
  }

  /** Whether nobody says that the peer is where that attempt goes. */
  guesses(number: number): boolean {
    const attempt = this.#attempts.get(number)
    const candidate = attempt?.peer.candidates.get(attempt.address)
    return candidate !== undefined && isGuess(candidate)
  }

  /** It came to nothing, as the word says. Gives the peer, or undefined when that attempt was over already. */
  failed(now: number, number: number, result: string): Peer | undefined {
    const attempt = this.#attempts.get(number)
    if (attempt === undefined) return undefined
    this.#forget(attempt)
    attempt.peer.candidates.failed(now, attempt.address, result)
    // those that wait already come first
    if (this.#waiting.size > 0) this.#waiting.add(attempt.peer)
    else this.step(now, attempt.peer)
    this.#serve(now)
    return attempt.peer
  }

  /** The round timer of a peer is due. */
  round(now: number, peer: Peer): void {
    const { timers, own, random } = this.#wiring
    const plan = peer.plan
    const first = now - plan.since < ROUND
    plan.gap = gapAfter(now - plan.since, plan.gap)
    const ranked = peer.candidates
      .ranked(own())
      .filter(candidate => !this.#underWay(plan, candidate.text) && isTimely(now, candidate))
    const chosen = first ? ranked.slice(0, CANDIDATES_AT_FIRST) : sparing(ranked)
    plan.queue = chosen.map(({ text }) => text)
    const jitter = plan.gap > ROUND ? 1 - JITTER * random() : 1
    timers.set(plan.round, now + plan.gap * jitter, plan.gap > ROUND ? plan.gap * SLACK : 0)
    this.step(now, peer)
  }

  /** Begins the next attempt of the round, if the limits allow it. */
  step(now: number, peer: Peer): void {
    const { timers } = this.#wiring
    const plan = peer.plan
    timers.clear(plan.next)
    this.#waiting.delete(peer)
    if (plan.queue.length === 0 || plan.attempts.size >= ATTEMPTS_PER_PEER) return
    if (this.#attempts.size >= ATTEMPTS) {
      this.#waiting.add(peer)
      return
    }
    this.#begin(now, peer, plan.queue.shift()!)
    if (plan.queue.length > 0) timers.set(plan.next, now + STAGGER)
  }

  #begin(now: number, peer: Peer, address: string): void {
    const { timers, emit } = this.#wiring
    const number = ++this.#number
    // links that do not come are given up sooner by who makes them: it is the handshake that does not come
    const limit = timer(at => {
      emit({ type: 'cancel', attempt: number })
      this.failed(at, number, 'handshake')
    })
    const attempt: Attempt = { number, peer, address, limit }
    this.#attempts.set(number, attempt)
    peer.plan.attempts.set(number, attempt)
    timers.set(limit, now + ATTEMPT_LIMIT)
    peer.candidates.tried(now, address)
    emit({ type: 'dial', attempt: number, peer: peer.id, address })
  }

  #cancel(now: number, attempt: Attempt): void {
    this.#forget(attempt)
    attempt.peer.candidates.cancelled(now, attempt.address)
    this.#wiring.emit({ type: 'cancel', attempt: attempt.number })
  }

  #forget(attempt: Attempt): void {
    this.#wiring.timers.clear(attempt.limit)
    this.#attempts.delete(attempt.number)
    attempt.peer.plan.attempts.delete(attempt.number)
  }

  #serve(now: number): void {
    for (const peer of this.#waiting) {
      if (this.#attempts.size >= ATTEMPTS) return
      this.step(now, peer)
    }
  }

  #underWay(plan: Plan, address: string): boolean {
    for (const attempt of plan.attempts.values()) if (attempt.address === address) return true
    return false
  }
}
