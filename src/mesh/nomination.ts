/**
 * Nomination: of several confirmed sessions with a peer, which one both write to.
 *
 * The newest takes over at once on each side. When both dialled at the same moment the two sides may hold
 * different ones for the newest, so the peer with the lesser id (as text) decides: it sends Nominate on the
 * session it means, the other moves, and both close the rest after LINGER. Until then all are read.
 *
 *   Nominate  8 bytes of the handshake hash | u32 counter
 *
 * The counter grows with every nomination of a boot: nominations travel on different links, and an old one
 * that arrives late must not undo a newer one (docs/decisions/0021).
 *
 * Only sessions of one boot replace each other. A session of another boot id is a restart, unless the old
 * one still answers a ping sent after the new one was confirmed: then two devices use one identity. Both are
 * kept, and neither takes over from the other again.
 */
import { CloseReason, Kind } from '../wire/frame.ts'
import type { Keepalive } from './keepalive.ts'
import { patience } from './keepalive.ts'
import type { Output, Peer, Session } from './peer.ts'
import type { Timers } from './timers.ts'

/** How long sessions that were replaced are still read. */
export const LINGER = 2_000
/** The same on the side that does not decide, should no nomination come. */
export const LINGER_WITHOUT = 10_000
/** Sessions with one peer at a time; the oldest goes when there are more. */
export const MAX_SESSIONS = 8

interface Wiring {
  readonly self: string
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly keepalive: Keepalive
  /** Perhaps another session of the peer is written to from now on. */
  readonly moved: (now: number, peer: Peer) => void
  readonly close: (now: number, session: Session, reason: CloseReason) => void
}

export class Nomination {
  readonly #wiring: Wiring
  #counter = 0

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** A new session, already among its peer's sessions. */
  opened(now: number, session: Session): void {
    const { peer } = session
    const nominated = peer.nominated
    const apart = peer.clones.has(session.bootId) && nominated !== undefined
    if (!apart || nominated.bootId === session.bootId) this.#use(now, session)
    for (const rival of peer.sessions) {
      if (rival.bootId === session.bootId || rival.closing.slot !== -1 || rival.rivalPing !== 0) continue
      if (peer.clones.has(rival.bootId) && peer.clones.has(session.bootId)) continue
      rival.rivalPing = this.#wiring.keepalive.probe(now, rival)
      this.#wiring.timers.set(rival.closing, now + patience(rival))
    }
    if (peer.sessions.length > MAX_SESSIONS) {
      const oldest = peer.sessions.find(other => other !== peer.nominated)
      if (oldest !== undefined) this.#wiring.close(now, oldest, CloseReason.Superseded)
    }
  }

  /** The session written to is gone: the newest that is left, those being replaced included. */
  fallback(now: number, peer: Peer): void {
    const next = peer.sessions.at(-1)
    if (next === undefined) return
    this.#use(now, next)
  }

  /** A session answered the ping of that number. */
  answered(session: Session, number: number): void {
    if (session.rivalPing === 0 || session.rivalPing !== number) return
    const { peer } = session
    session.rivalPing = 0
    this.#wiring.timers.clear(session.closing)
    peer.clones.add(session.bootId)
    if (peer.nominated !== undefined) peer.clones.add(peer.nominated.bootId)
    this.#wiring.emit({ type: 'clone', peer: peer.id })
  }

  /** A Nominate frame came on `session`. */
  heard(now: number, session: Session, body: Uint8Array): void {
    const { self, emit, timers } = this.#wiring
    const { peer } = session
    if (body.length !== 12 || peer.id > self) {
      emit({ type: 'count', what: body.length !== 12 ? 'malformed' : 'nominate-not-entitled' })
      return
    }
    const counter = new DataView(body.buffer, body.byteOffset).getUint32(8)
    const { heard } = peer
    if (heard.bootId === session.bootId && counter <= heard.counter) return
    const named = peer.sessions.find(
      other => other.bootId === session.bootId && other.hash8.every((byte, i) => byte === body[i])
    )
    if (named === undefined) {
      emit({ type: 'count', what: 'nominate-unknown' })
      return
    }
    peer.heard = { bootId: session.bootId, counter }
    timers.clear(named.closing)
    if (peer.nominated?.bootId === named.bootId) peer.nominated = named
    this.#retire(now, named, LINGER)
    this.#wiring.moved(now, peer)
  }

  #use(now: number, session: Session): void {
    const { self, emit, timers } = this.#wiring
    const { peer } = session
    peer.nominated = session
    timers.clear(session.closing)
    session.rivalPing = 0
    if (self > peer.id) {
      this.#retire(now, session, LINGER_WITHOUT)
      this.#wiring.moved(now, peer)
      return
    }
    const body = new Uint8Array(12)
    body.set(session.hash8.subarray(0, 8))
    new DataView(body.buffer).setUint32(8, ++this.#counter)
    emit({ type: 'send', session: session.number, kind: Kind.Nominate, body })
    this.#retire(now, session, LINGER)
    this.#wiring.moved(now, peer)
  }

  /** Closes the other sessions of the same boot after a while. */
  #retire(now: number, chosen: Session, linger: number): void {
    for (const other of chosen.peer.sessions) {
      if (other === chosen || other.bootId !== chosen.bootId) continue
      this.#wiring.timers.advance(other.closing, now + linger)
    }
  }
}
