/**
 * Keepalive: is the other end of a session still there, and how far away is it?
 *
 * Whatever is heard counts as life. A session that was silent for its interval is pinged; when nothing at all
 * comes back within max(MIN_WAIT, 4 × smoothed round trip) it is pinged again, and given up at the third miss.
 * Each wait begins when its ping was really sent, so a process that was stopped for a while accuses nobody.
 * The side whose ping was answered leaves the next one to the other: one ping in an interval wakes both, and
 * both get to measure. Who pings one pings all whose turn would come within a third of their intervals, so that with
 * many peers a device wakes up for all of them at once. Where there is traffic nobody needs to ask, but each
 * still measures once in MEASURE.
 *
 * The interval is KEEPALIVE, or KEEPALIVE_SAVING when either end saves (thrift.ts). Where only one runs on
 * battery, that one pings, at moments of its choice, so that it wakes up once for all its sessions; the other
 * answers, and takes its own measure while the first is awake anyhow (docs/decisions/0090).
 *
 * A session that leaves our own subnets has an interval of its own, learned by both ends (silences.ts); the end
 * that dialled asks, because the way leads out from there. Where nobody watches it is no longer than elsewhere.
 *
 *   Ping, Pong  u64 number
 */
import { Kind } from '../wire/frame.ts'
import type { Output, Session } from './peer.ts'
import { roundTripUSec, smooth } from './presence.ts'
import { LEAST, type Silences } from './silences.ts'
import type { Means } from './thrift.ts'
import { KEEPALIVE_SAVING, keepalive } from './thrift.ts'
import type { Timers } from './timers.ts'

export const MIN_WAIT = 1_000
export const MISSES = 3
/** How much later than the other the side pings that did so last. */
const YIELD = 500
const TOGETHER = 1 / 3
/** Of the interval of a session. */
const MEASURE = 4
/** Unanswered pings kept of a session, so that late answers are still measured. */
const MAX_PINGS = 64

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  /** All that are open. */
  readonly sessions: () => Iterable<Session>
  /** Nothing came back for the first time. */
  readonly missed: (now: number, session: Session) => void
  readonly silences: Silences
  /** Somebody probes the others every few seconds. */
  readonly watched: () => boolean
  /** What is on the way may have forgotten a session: another one should be made before it is given up. */
  readonly doubted: (now: number, session: Session) => void
  /** Nothing came back again and again: the session is dead. */
  readonly silent: (now: number, session: Session) => void
  /** An answer to a question came; true for the first one. */
  readonly answered: (token: number) => boolean
  /** A round trip was measured by the ping of that number. */
  readonly measured: (now: number, session: Session, number: number) => void
}

/** How long an answer may take, in milliseconds. */
export const patience = (session: Pick<Session, 'roundTrip'>): number =>
  Math.max(MIN_WAIT, (4 * session.roundTrip) / 1_000)

export class Keepalive {
  readonly #wiring: Wiring
  #number = 0
  #means: Means = { onBattery: false, metered: false }
  #graceUntil = -Infinity

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** Of this device. */
  get means(): Means {
    return this.#means
  }

  setMeans(means: Partial<Means>): void {
    const { onBattery, metered } = this.#means
    this.#means = { onBattery, metered, ...means }
    if (onBattery === this.#means.onBattery && metered === this.#means.metered) return
    this.changed(this.#wiring.sessions())
  }

  /** This process did not run for a while: all are asked now, and until then no silence counts. */
  grace(now: number, until: number): void {
    this.#graceUntil = until
    for (const session of this.#wiring.sessions()) {
      session.misses = 0
      this.probe(now, session)
      // whatever becomes of it, silence was not the reason
      session.silence = 0
    }
  }

  /** The means of either end did. A session whose turn is over by now is pinged at the next `expire`. */
  changed(sessions: Iterable<Session>): void {
    for (const session of sessions) if (!session.awaiting) this.#arm(session)
  }

  /** How long it may be silent, in milliseconds. */
  interval(session: Session): number {
    const { peer, beyond } = session
    if (beyond === '') return keepalive(this.#means, peer)
    const learned = this.#wiring.silences.interval(beyond)
    return this.#wiring.watched() ? learned : Math.min(learned, KEEPALIVE_SAVING)
  }

  heard(now: number, session: Session): void {
    const silence = session.awaiting ? session.silence : now - session.heardAt
    this.#wiring.silences.survived(now, session, silence)
    session.heardAt = now
    session.spoke = false
    session.awaiting = false
    session.misses = 0
  }

  /** Sends a ping that must be answered, now. Gives its number. */
  probe(now: number, session: Session): number {
    if (!session.awaiting) session.silence = now - session.heardAt
    session.awaiting = true
    this.#wiring.timers.set(session.keepalive, now + patience(session))
    return this.send(now, session, undefined)
  }

  /** Sends a ping that nobody waits for; `token` comes back in a `pong` output. */
  send(now: number, session: Session, token: number | undefined): number {
    const number = ++this.#number
    if (session.pings.size >= MAX_PINGS) session.pings.delete(session.pings.keys().next().value!)
    session.pings.set(number, { sentAt: now, token })
    this.#wiring.emit({ type: 'send', session: session.number, kind: Kind.Ping, body: numberBytes(number) })
    return number
  }

  /** The other end pinged: the next turn is ours. */
  asked(now: number, session: Session): void {
    session.yields = false
    this.#arm(session)
    if (this.#answers(session)) this.#measure(now, session)
  }

  pong(now: number, session: Session, body: Uint8Array): void {
    const number = bytesNumber(body)
    const ping = number === undefined ? undefined : session.pings.get(number)
    if (number === undefined || ping === undefined) {
      this.#wiring.emit({ type: 'count', what: 'pong-unknown' })
      return
    }
    session.pings.delete(number)
    session.measuredAt = now
    session.yields = true
    this.#arm(session)
    const sample = roundTripUSec(now - ping.sentAt)
    session.roundTrip = session.pinged ? smooth(session.roundTrip, sample) : sample
    session.pinged = true
    if (ping.token !== undefined && this.#wiring.answered(ping.token)) {
      this.#wiring.emit({ type: 'pong', token: ping.token, roundTripUSec: sample })
    }
    this.#wiring.measured(now, session, number)
  }

  /** The keepalive timer of a session is due. */
  due(now: number, session: Session): void {
    if (!session.awaiting) {
      if (now >= this.#turn(session)) {
        for (const other of this.#wiring.sessions())
          if (other === session || (!other.awaiting && this.#joins(now, other))) this.probe(now, other)
        return
      }
      this.#measure(now, session)
      this.#arm(session)
      return
    }
    if (now >= this.#graceUntil) session.misses++
    if (session.misses >= MISSES) {
      this.#wiring.silent(now, session)
      return
    }
    const { beyond, outgoing, silence } = session
    if (beyond !== '' && outgoing && silence >= LEAST) this.#wiring.doubted(now, session)
    this.probe(now, session)
    if (session.misses === 1) this.#wiring.missed(now, session)
  }

  #arm(session: Session): void {
    this.#wiring.timers.set(session.keepalive, this.#turn(session))
  }

  /** When it is to be pinged if it stays silent. */
  #turn(session: Session): number {
    const yields = this.#answers(session) || (session.yields && !this.#asks(session))
    return session.heardAt + this.interval(session) + (yields ? YIELD : 0)
  }

  /** Whether it is pinged now because another one is. */
  #joins(now: number, session: Session): boolean {
    // what is to be learned must wait for its time
    const exact =
      this.#answers(session) || (session.beyond !== '' && !this.#wiring.silences.settled(session.beyond))
    const early = exact ? 0 : this.interval(session) * TOGETHER
    return now >= this.#turn(session) - early
  }

  /** Once in a while, where the other end is awake. Nobody waits for the answer. */
  #measure(now: number, session: Session): void {
    if (now < session.measuredAt + this.interval(session) * MEASURE) return
    session.measuredAt = now
    this.send(now, session, undefined)
  }

  /** This end is the one to ask: only it runs on battery, or the session leaves from here. */
  #asks(session: Session): boolean {
    if (session.beyond !== '') return session.outgoing
    return this.#means.onBattery && !session.peer.onBattery
  }

  /** The other end is. */
  #answers(session: Session): boolean {
    if (session.beyond !== '') return !session.outgoing
    return !this.#means.onBattery && session.peer.onBattery
  }
}

function numberBytes(number: number): Uint8Array {
  const body = new Uint8Array(8)
  new DataView(body.buffer).setBigUint64(0, BigInt(number))
  return body
}

/** Undefined when it cannot be one of ours. */
function bytesNumber(body: Uint8Array): number | undefined {
  if (body.length !== 8) return undefined
  const view = new DataView(body.buffer, body.byteOffset, 8)
  const high = view.getUint32(0)
  return high >= 2 ** 21 ? undefined : high * 2 ** 32 + view.getUint32(4)
}
