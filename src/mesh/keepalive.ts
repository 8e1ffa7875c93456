/**
 * Keepalive: is the other end of a session still there, and how far away is it?
 *
 * Whatever is heard counts as life. A session that was silent for SILENCE is pinged; when nothing at all
 * comes back within max(MIN_WAIT, 4 × smoothed round trip) it is pinged again, and given up at the third miss.
 * Each wait begins when its ping was really sent, so a process that was stopped for a while accuses nobody.
 * The side whose ping was answered leaves the next one to the other: one ping in SILENCE wakes both, and both
 * get to measure. Who pings one pings all whose turn would come within TOGETHER, so that with many peers a
 * device wakes up for all of them at once. Where there is traffic nobody needs to ask, but each still measures once in MEASURE.
 *
 *   Ping, Pong  u64 number
 */
import { Kind } from '../wire/frame.ts'
import type { Output, Session } from './peer.ts'
import { roundTripUSec, smooth } from './presence.ts'
import type { Timers } from './timers.ts'

export const SILENCE = 15_000
export const MIN_WAIT = 1_000
export const MISSES = 3
/** How much later than the other the side pings that did so last. */
const YIELD = 500
const TOGETHER = 5_000
const MEASURE = 60_000
/** Unanswered pings kept of a session, so that late answers are still measured. */
const MAX_PINGS = 64

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  /** All that are open. */
  readonly sessions: () => Iterable<Session>
  /** Nothing came back: the session is dead. */
  readonly silent: (now: number, session: Session) => void
  /** A round trip was measured by the ping of that number. */
  readonly measured: (now: number, session: Session, number: number) => void
}

/** How long an answer may take, in milliseconds. */
export const patience = (session: Pick<Session, 'roundTrip'>): number =>
  Math.max(MIN_WAIT, (4 * session.roundTrip) / 1_000)

export class Keepalive {
  readonly #wiring: Wiring
  #number = 0

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  heard(now: number, session: Session): void {
    session.heardAt = now
    session.awaiting = false
    session.misses = 0
  }

  /** Sends a ping that must be answered, now. Gives its number. */
  probe(now: number, session: Session): number {
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
    this.#wiring.timers.set(session.keepalive, now + SILENCE)
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
    this.#wiring.timers.set(session.keepalive, now + SILENCE + YIELD)
    const sample = roundTripUSec(now - ping.sentAt)
    session.roundTrip = session.pinged ? smooth(session.roundTrip, sample) : sample
    session.pinged = true
    if (ping.token !== undefined) {
      this.#wiring.emit({ type: 'pong', token: ping.token, roundTripUSec: sample })
    }
    this.#wiring.measured(now, session, number)
  }

  /** The keepalive timer of a session is due. */
  due(now: number, session: Session): void {
    if (!session.awaiting) {
      const at = turn(session)
      if (now >= at) {
        for (const other of this.#wiring.sessions()) {
          if (other === session || (!other.awaiting && now >= turn(other) - TOGETHER)) this.probe(now, other)
        }
        return
      }
      if (now >= session.measuredAt + MEASURE) {
        session.measuredAt = now
        this.send(now, session, undefined)
      }
      this.#wiring.timers.set(session.keepalive, at)
      return
    }
    session.misses++
    if (session.misses >= MISSES) this.#wiring.silent(now, session)
    else this.probe(now, session)
  }
}

/** When a session that stays silent is to be pinged. */
const turn = (session: Session): number => session.heardAt + SILENCE + (session.yields ? YIELD : 0)

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
