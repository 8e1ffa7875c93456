/**
 * Links: the sessions of one circle as the mesh knows them, how one begins, and what follows when one ends.
 *
 * A peer is lost with its last session. One that says goodbye ends all its sessions of that boot. A session that
 * another one took over from, or whose other end is silent, ends without a word, and what was sent and not taken
 * is taken back: nothing of it may arrive later, at a device that is perhaps no member any more.
 */
import { CloseReason } from '../wire/frame.ts'
import type { Dialling } from './dialling.ts'
import { ROUND } from './dialling.ts'
import { flapped } from './flaps.ts'
import type { Gossip } from './gossip.ts'
import type { Nomination } from './nomination.ts'
import type { Output, Peer, Reason, Session } from './peer.ts'
import type { Presence } from './presence.ts'
import type { Silences } from './silences.ts'
import type { Timers } from './timers.ts'

type Parting = typeof CloseReason.Stopping | typeof CloseReason.Asleep

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly presence: Presence
  readonly nomination: Nomination
  readonly dialling: Dialling
  readonly gossip: Gossip
  /** Whether those who are wanted no more are let go. */
  readonly bounded: () => boolean
  /** The last session of a peer ended; without a reason: it was wanted no more. */
  readonly lost: (now: number, peer: Peer, reason: Reason) => void
  readonly silences: Silences
}

export class Links {
  readonly #wiring: Wiring
  readonly #sessions = new Map<number, Session>()
  #closing: Parting | undefined
  #over = false

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  get all(): Iterable<Session> {
    return this.#sessions.values()
  }

  get(number: number): Session | undefined {
    return this.#sessions.get(number)
  }

  /** Why there are no sessions: this device stops, or sleeps. A session that begins all the same ends with it. */
  get closing(): Parting | undefined {
    return this.#closing
  }
  /** For good. */
  get over(): boolean {
    return this.#over
  }

  /** A session was confirmed. */
  add(session: Session): void {
    this.#sessions.set(session.number, session)
    session.peer.sessions.push(session)
  }

  /** We end it; without a reason, silently. */
  drop(now: number, session: Session, reason: CloseReason | undefined, lost: Reason): void {
    this.#wiring.emit({ type: 'close', session: session.number, reason })
    this.ended(now, session, lost)
  }

  /** It is over. */
  ended(now: number, session: Session, reason: Reason): void {
    const { presence, nomination, dialling, silences } = this.#wiring
    const { peer } = session
    this.#forget(now, session)
    silences.ended(now, session)
    if (peer.nominated !== session) return
    peer.nominated = undefined
    presence.changed(peer)
    nomination.fallback(now, peer)
    if (peer.nominated !== undefined) return
    peer.clones.clear()
    if (!peer.asleep && this.#closing === undefined) flapped(now, peer.flaps)
    presence.lost(now, peer, reason)
    this.#wiring.lost(now, peer, reason)
    // one that said goodbye is not there at once
    if (this.#closing === undefined && !peer.asleep && reason !== '')
      dialling.lost(
        now,
        peer,
        session.pinged ? Infinity : now - session.openedAt,
        reason === 'stopped' ? ROUND : 0
      )
  }

  /** A Close frame came: u16 reason. */
  goodbye(now: number, session: Session, body: Uint8Array): void {
    const reason = body.length === 2 ? (body[0]! << 8) | body[1]! : 0
    const sleeping = reason === CloseReason.Asleep
    const leaving = sleeping || reason === CloseReason.Stopping || reason === CloseReason.Left
    const { peer } = session
    if (leaving) peer.life.wordAt = now
    const gone = leaving ? peer.sessions.filter(other => other.bootId === session.bootId) : [session]
    // unless another device with its identity is still there
    if (sleeping && gone.length === peer.sessions.length) peer.asleep = true
    const unwanted = reason === CloseReason.Done && this.#wiring.bounded() ? '' : 'closed'
    const lost = sleeping ? 'asleep' : leaving ? 'stopped' : unwanted
    this.#dropAll(now, gone, CloseReason.Done, lost)
  }

  /** The peer is a member no more. */
  remove(now: number, peer: Peer): void {
    peer.nominated = undefined
    for (const session of [...peer.sessions]) {
      this.#forget(now, session)
      this.#wiring.emit({ type: 'close', session: session.number, reason: CloseReason.Removed })
    }
  }

  /** Says goodbye to all; whatever ends from now on is not dialled again. */
  stop(now: number): void {
    this.#over = true
    this.#closing = CloseReason.Stopping
    this.#dropAll(now, this.#sessions.values(), CloseReason.Stopping, 'closed')
  }

  /** The same, until `wake`. */
  sleep(now: number, reason: Parting): void {
    this.#closing = reason
    this.#dropAll(now, this.#sessions.values(), reason, 'asleep')
  }
  wake(): void {
    if (!this.#over) this.#closing = undefined
  }

  /** The ones written to last, so that none takes over only to be dropped too. */
  #dropAll(now: number, sessions: Iterable<Session>, reason: CloseReason, lost: Reason): void {
    const all = [...sessions]
    for (const session of all) if (session.peer.nominated !== session) this.drop(now, session, reason, lost)
    for (const session of all) if (session.peer.nominated === session) this.drop(now, session, reason, lost)
  }

  #forget(now: number, session: Session): void {
    const { timers, gossip } = this.#wiring
    const { peer } = session
    peer.life.sessionAt = Math.max(peer.life.sessionAt, session.heardAt)
    this.#sessions.delete(session.number)
    peer.sessions.splice(peer.sessions.indexOf(session), 1)
    gossip.closed(now, session.number)
    for (const each of [session.keepalive, session.closing, session.renewal]) timers.clear(each)
  }
}
