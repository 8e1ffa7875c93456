/**
 * Sleep: of this device, and of the others as they tell of it.
 *
 * Before it sleeps a device signs that it does, where it last said it may be reached, and ends all its sessions
 * with Close(Asleep). From then on it dials nobody. When it wakes, whether it said before that it would sleep or
 * not, it says its word again with the next incarnation, asks every session that is left, makes a fresh one with
 * everybody (PROTOCOL 4), and for a grace round holds no silence against anybody: nothing was heard meanwhile
 * because nobody listened here.
 *
 * A peer is asleep when it said so last and no session with it has begun since. It is left alone: it is not
 * dialled but once where it was heard, when this device itself woke up (both may have slept), or for a while when
 * somebody has it woken. Its own newer word, or a session that it begins, ends that.
 */
import { CloseReason } from '../wire/frame.ts'
import type { Dialling } from './dialling.ts'
import type { Gossip } from './gossip.ts'
import type { Keepalive } from './keepalive.ts'
import type { Links } from './links.ts'
import type { Peer } from './peer.ts'
import type { Presence } from './presence.ts'

/** After waking, how long no silence counts: a burst of probes. */
export const GRACE = 1_200
/** How long one that somebody wakes is dialled eagerly. */
export const SEEK = 60_000

interface Wiring {
  readonly peers: () => Iterable<Peer>
  readonly presence: Presence
  readonly keepalive: Keepalive
  readonly dialling: Dialling
  readonly gossip: Gossip
  readonly links: Links
  /** It is not looked for any more. */
  readonly rest: (peer: Peer) => void
}

export class Sleep {
  readonly #wiring: Wiring
  #state: 'awake' | 'signing' | 'asleep' = 'awake'
  /** Until then nobody may be accused of silence. */
  graceUntil = -Infinity

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /**
   * This device goes to sleep: its word first, which must be signed, then the goodbyes. `off`: it is switched off
   * rather, which needs no word.
   */
  sleep(now: number, off: boolean): void {
    const { links, peers, dialling, gossip } = this.#wiring
    if (this.#state !== 'awake' || links.closing !== undefined) return
    for (const peer of peers()) dialling.done(now, peer)
    if (off) this.#part(now, CloseReason.Stopping)
    else {
      this.#state = 'signing'
      if (!gossip.sleep(now)) this.signed(now)
    }
  }

  /** An own record was signed and is on its way. */
  signed(now: number): void {
    if (this.#state === 'signing') this.#part(now, CloseReason.Asleep)
  }

  #part(now: number, reason: typeof CloseReason.Asleep | typeof CloseReason.Stopping): void {
    this.#state = 'asleep'
    const { links, peers, rest } = this.#wiring
    links.sleep(now, reason)
    for (const peer of peers()) rest(peer)
  }

  /** It is awake again, or was not running for a while without having known it before. */
  wake(now: number): void {
    const { links, peers, gossip, dialling } = this.#wiring
    this.signed(now)
    this.#state = 'awake'
    links.wake()
    if (links.closing !== undefined) return
    this.grace(now)
    gossip.wake(now)
    for (const peer of peers()) {
      if (peer.asleep) dialling.glance(now, peer)
      else dialling.afresh(now, peer)
    }
  }

  /** It was not running for a moment: all sessions are asked, and nothing else is changed. */
  grace(now: number): void {
    this.graceUntil = now + GRACE
    this.#wiring.keepalive.grace(now, this.graceUntil)
  }

  /** A peer signed newly that it sleeps, or that it does not. */
  told(now: number, peer: Peer, asleep: boolean): void {
    const { presence, dialling, keepalive, links, rest } = this.#wiring
    if (peer.asleep === asleep) return
    peer.asleep = asleep
    peer.life.wordAt = now
    if (asleep) {
      // the word may be older than the session, so that decides: if nobody is there it ends, and then the word holds
      for (const session of peer.sessions) if (!session.awaiting) keepalive.probe(now, session)
      if (peer.sessions.length > 0) return
      dialling.done(now, peer)
      rest(peer)
      presence.lost(now, peer, 'asleep')
    } else if (peer.state === 'asleep') {
      presence.lost(now, peer, 'closed')
      if (links.closing === undefined && peer.nominated === undefined) dialling.want(now, peer)
    }
  }

  /** A session with it began. */
  opened(peer: Peer): void {
    peer.asleep = false
  }

  /** It was woken by a packet: looks for it eagerly for a while. */
  seek(now: number, peer: Peer): void {
    const { links, dialling } = this.#wiring
    if (links.closing === undefined && peer.sessions.length === 0) dialling.want(now, peer)
  }

  /** Whether a round of dialling is due for a peer that sleeps on, though somebody had it woken. */
  enough(now: number, peer: Peer): boolean {
    if (!peer.asleep || now - peer.plan.since < SEEK) return false
    this.#wiring.dialling.done(now, peer)
    return true
  }
}
