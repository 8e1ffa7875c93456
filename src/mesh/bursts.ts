/**
 * Bursts: a peer that did not answer is asked STEPS times, SPACING apart, over all ways that are known, before it is
 * given up; any answer ends it.
 *
 *   step 0   the session is pinged, if no ping waits there already; UDP to the best ADDRESSES, now and at each step
 *   step 1   a few others are asked, to know whether it is us; where UDP is not open it is dialled
 *   step 2   the nearest others are asked to pass a sealed probe on
 *   step 3   after three that were not answered it is suspect; whether that is told to others is for views.ts
 *   end      unreachable: `path` when a witness reached it or it reaches us, `isolated` when it may be us, else
 *            `timeout`. Where UDP is not open the pings of the session decide instead, if it is not dialled before:
 *            a link that lost a few packets may stall for seconds while a new one gets through.
 *
 * A burst that was held up because the process did not run begins anew. An expiry that is late judges nobody.
 */
import { EAGER } from './dialling.ts'
import type { Keepalive } from './keepalive.ts'
import { MISSES, patience as stall } from './keepalive.ts'
import { heardAt } from './life.ts'
import type { Peer, Reason, Session } from './peer.ts'
import type { Presence } from './presence.ts'
import type { Probes } from './probes.ts'
import { nearest } from './probes.ts'
import type { Timers } from './timers.ts'

export const SPACING = 150
export const STEPS = 8
/** So many unanswered make a suspicion. */
export const UNANSWERED = 3
export const ADDRESSES = 4
const WITNESSES = 3
const CONTROLS = 3
/** Losses no longer ago than this speak for our being isolated. */
const RECENT = 5_000
/** An isolated device that reached somebody again blames the others itself after this. */
export const RECOVERED = 5_000
const LATE = 300
const MAX_RESTARTS = 5

export interface Burst {
  since: number
  steps: number
  nextAt: number
  restarts: number
}

interface Wiring {
  readonly timers: Timers
  readonly peers: () => Iterable<Peer>
  readonly presence: Presence
  readonly keepalive: Keepalive
  readonly probes: Probes
  /** Asks one more peer whether it is there. */
  readonly ask: (now: number, peer: Peer) => void
  /** A fresh session with it would help. */
  readonly dial: (now: number, peer: Peer) => void
  /** Ends these without a word. */
  readonly drop: (now: number, sessions: readonly Session[], reason: Reason) => void
}

export class Bursts {
  readonly #wiring: Wiring

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** It did not answer, or somebody says that it does not. */
  begin(now: number, peer: Peer): void {
    if (peer.nominated === undefined || peer.watch.burst !== undefined) return
    this.#wiring.timers.clear(peer.watch.missing)
    peer.watch.burst = { since: now, steps: 0, nextAt: now, restarts: 0 }
    this.step(now, peer)
  }

  /** It is there, or there is nothing more to ask. */
  end(peer: Peer): void {
    peer.watch.burst = undefined
    this.#wiring.timers.clear(peer.watch.step)
  }

  /** A frame or an answer to a probe came from it. */
  life(now: number, peer: Peer): void {
    const { burst } = peer.watch
    if (burst === undefined) return
    if (burst.steps > 2 && peer.life.pongAt < burst.since) this.#wiring.probes.closed(peer)
    this.end(peer)
    if (peer.state === 'suspect') this.#wiring.presence.reached(now, peer)
  }

  /** The next step of its burst is due. */
  step(now: number, peer: Peer): void {
    const { burst } = peer.watch
    if (burst === undefined) return
    if (heardAt(peer) > burst.since) {
      this.life(now, peer)
      return
    }
    if (now > burst.nextAt + LATE && burst.restarts < MAX_RESTARTS) {
      burst.restarts++
      burst.since = burst.nextAt = now
      burst.steps = 0
    }
    if (burst.steps >= STEPS) this.#verdict(now, peer)
    else this.#ask(now, peer, burst)
  }

  #ask(now: number, peer: Peer, burst: Burst): void {
    const { dial, keepalive, probes, timers } = this.#wiring
    const { nominated } = peer
    const step = burst.steps++
    if (step === 0 && nominated !== undefined && !nominated.awaiting) keepalive.probe(now, nominated)
    probes.send(now, peer, ADDRESSES)
    if (step === 1 && !peer.udp.open) dial(now, peer)
    if (step === 1) this.#control(now, peer, CONTROLS)
    if (step === 2) this.#witnesses(peer)
    if (step >= UNANSWERED) this.#suspect(now, peer, burst)
    // by the plan, not by when the last step came: timers are late, and eight of them would add up
    const planned = Math.max(burst.nextAt, now - SPACING / 2)
    const last = Math.max(SPACING, (2 * peer.udp.roundTrip) / 1_000)
    burst.nextAt = planned + (burst.steps < STEPS ? SPACING : last)
    timers.set(peer.watch.step, burst.nextAt)
  }

  /** Others are asked for comparison. */
  #control(now: number, peer: Peer, most: number): void {
    const others = nearest(this.#wiring.peers(), most, other => other !== peer && other.state === 'reachable')
    for (const other of others) this.#wiring.ask(now, other)
  }

  #witnesses(peer: Peer): void {
    const { peers, probes } = this.#wiring
    const fit = (other: Peer): boolean => other !== peer && other.state === 'reachable' && !other.watch.burst
    if (peer.udp.keys) probes.witness(peer, nearest(peers(), WITNESSES, fit))
  }

  #suspect(now: number, peer: Peer, burst: Burst): void {
    const reason = this.#reason(now, peer, burst.since)
    if (reason === 'isolated') this.#control(now, peer, Infinity)
    this.#wiring.presence.suspect(now, peer, reason)
  }

  #verdict(now: number, peer: Peer): void {
    const { presence, drop } = this.#wiring
    const reason = this.#reason(now, peer, peer.watch.burst!.since)
    presence.suspect(now, peer, reason)
    if (peer.udp.open) drop(now, [...peer.sessions], reason)
  }

  /** A session was pinged three times in vain. */
  silent(now: number, session: Session): void {
    const { dial, drop, keepalive } = this.#wiring
    const { peer } = session
    const wait = stall(session)
    const { pongAt, aliveAt, witnessAt } = peer.life
    const there = now - Math.max(pongAt, aliveAt, witnessAt) < 3 * wait
    if (session === peer.nominated && session.misses < 2 * MISSES && there) {
      // the device is there, the link is not: a new one may be made before this one is given up
      dial(now, peer)
      keepalive.probe(now, session)
    } else drop(now, [session], this.#reason(now, peer, now - 3 * wait))
  }

  /** Somebody was reached: those that did not answer while we were isolated do not for a reason of their own. */
  blame(now: number): void {
    for (const peer of this.#wiring.peers()) {
      if (peer.state !== 'unreachable' || peer.lost !== 'isolated') continue
      this.#wiring.presence.lost(now, peer, 'timeout')
    }
  }

  /** Why a peer that was silent since then is. */
  #reason(now: number, peer: Peer, since: number): Reason {
    const { life } = peer
    if (life.witnessAt >= since || life.aliveAt >= since) return 'path'
    let failing = 1
    let alive = 0
    let others = 0
    for (const other of this.#wiring.peers()) {
      if (other === peer) continue
      if (other.nominated !== undefined) {
        others++
        if (Math.max(heardAt(other), other.life.aliveAt) >= since) alive++
        else if (other.watch.burst !== undefined) failing++
      } else if (silently(other.lost) && now - other.unreachableSince < RECENT) {
        others++
        failing++
      }
    }
    return others > 0 && failing > alive ? 'isolated' : 'timeout'
  }
}

/** It just did not answer any more. */
export const silently = (lost: Reason): boolean =>
  lost === 'timeout' || lost === 'path' || lost === 'isolated'

/** How long a peer that was lost silently is looked for. */
export const SEARCH = EAGER
