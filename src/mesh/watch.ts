/**
 * The watch: who is asked when it is silent, and by whom.
 *
 * Each device is watched by the next one on the ring (ids in text order, from the end to the beginning) that is on
 * mains, not on metered networks, and reachable; so a device watches those from the one like it before it up to
 * itself.
 *
 * Those it watches are asked at the same moments, ROUND apart (ROUND_SAVING for those on battery, ROUND_METERED for
 * those that pay by the byte), so that it wakes up once for all. Who was heard in the last half of a round is left in peace. A question goes by UDP where that is
 * open, else by the session; without an answer in max(MISS, 4 × round trip) a burst begins.
 */
import type { PeerId } from '../crypto/identity.ts'
import type { Bursts } from './bursts.ts'
import type { Keepalive } from './keepalive.ts'
import { heardAt } from './life.ts'
import type { Peer } from './peer.ts'
import type { Probes } from './probes.ts'
import { watches } from './thrift.ts'
import type { Timer, Timers } from './timers.ts'
import { timer } from './timers.ts'

export const ROUND = 2_000
export const ROUND_SAVING = 3_000
/** Less than a megabyte a day. */
export const ROUND_METERED = 20_000
export const MISS = 250
/** A round may be earlier by this share when the device is awake for its own watcher. */
const EARLY = 1 / 4
/**
 * And the next one waits so much longer for that watcher, whose timer, as all timers, is a little late: else ours
 * would be first, and the device would wake up twice for ever.
 */
const LEAD = 250
/**
 * A round that is not near is moved to where the device is awake anyhow, no more often than this; but not that of the
 * first watcher on the ring, or each would follow the one before it round and round.
 */
const MOVED = 30_000
/** A timer that fires later than this belongs to a process that did not run: nobody is judged by it. */
export const LATE = 300

interface Wiring {
  readonly self: PeerId
  readonly timers: Timers
  readonly peers: () => Iterable<Peer>
  readonly keepalive: Keepalive
  readonly probes: Probes
  readonly bursts: Bursts
}

interface Round {
  readonly every: number
  readonly due: Timer
  readonly peers: Set<Peer>
}

/** How long an answer to one question may take, in milliseconds. */
export function patience({ udp, nominated }: Peer): number {
  const roundTrip = udp.open ? udp.roundTrip : (nominated?.roundTrip ?? 0)
  return Math.max(MISS, (4 * roundTrip) / 1_000)
}

/** Whom `self` watches: of the peers those that come after `from` on the ring, `from` included. */
export function watchedBy(self: PeerId, peers: Iterable<PeerId>, watchers: Iterable<PeerId>): PeerId[] {
  const all = [...watchers]
  const before = all.filter(id => id < self)
  const from = (before.length > 0 ? before : all).sort().at(-1)
  if (from === undefined) return [...peers]
  return [...peers].filter(id => (from < self ? id >= from && id < self : id >= from || id < self))
}

const watchable = (peer: Peer): boolean => peer.state === 'reachable' || peer.state === 'suspect'

export class Watch {
  readonly #wiring: Wiring
  readonly #mains: Round
  readonly #saving: Round
  readonly #metered: Round
  #stale = true
  #first = false
  #movedAt = -Infinity

  constructor(wiring: Wiring) {
    this.#wiring = wiring
    const round = (every: number): Round => {
      const made: Round = { every, due: timer(now => this.#round(now, made)), peers: new Set() }
      return made
    }
    this.#mains = round(ROUND)
    this.#saving = round(ROUND_SAVING)
    this.#metered = round(ROUND_METERED)
  }

  /** Somebody came, went, or changed its means; or this device did. */
  changed(): void {
    this.#stale = true
  }

  /** Who is watched by this device. */
  get watched(): Peer[] {
    return this.#rounds.flatMap(({ peers }) => [...peers])
  }

  /** After every input. */
  settle(now: number): void {
    if (!this.#stale) return
    this.#stale = false
    const { self, keepalive, timers, peers } = this.#wiring
    const all = [...peers()]
    const watchers = all.filter(peer => peer.state === 'reachable' && watches(peer)).map(({ id }) => id)
    this.#first = watchers.every(id => self < id)
    const mine = !watches(keepalive.means)
      ? new Set()
      : new Set(
          watchedBy(
            self,
            all.filter(watchable).map(({ id }) => id),
            watchers
          )
        )
    for (const { peers: set } of this.#rounds) set.clear()
    for (const peer of all) if (mine.has(peer.id)) this.#roundOf(peer).peers.add(peer)
    for (const { every, due, peers: set } of this.#rounds) {
      if (set.size === 0) timers.clear(due)
      else timers.advance(due, now + every)
    }
  }

  /** An authentic probe came: the device is awake, so a round that is near may be now, and later ones with it. */
  awake(now: number): void {
    const { due, every } = this.#mains
    const near = now >= due.at - every * EARLY
    if (due.slot === -1 || (!near && (this.#first || now < this.#movedAt + MOVED))) return
    if (!near) this.#movedAt = now
    this.#round(now, this.#mains, LEAD, near ? every / 2 : 0)
  }

  get #rounds(): readonly Round[] {
    return [this.#mains, this.#saving, this.#metered]
  }

  #roundOf({ metered, onBattery }: Peer): Round {
    if (metered) return this.#metered
    return onBattery ? this.#saving : this.#mains
  }

  /** Asks those that were silent for so long. */
  #round(now: number, { every, due, peers }: Round, lead = 0, silence = every / 2): void {
    this.#wiring.timers.set(due, now + every + lead)
    for (const peer of peers) if (now - heardAt(peer) >= silence) this.ask(now, peer)
  }

  /** Asks whether it is there, unless it was asked already. */
  ask(now: number, peer: Peer): void {
    const { keepalive, probes, timers } = this.#wiring
    const { watch, nominated } = peer
    if (nominated === undefined || watch.missing.slot !== -1 || watch.burst !== undefined) return
    const byUdp = probes.worth(peer)
    const { probe, addresses } = byUdp ? probes.send(now, peer, 1) : { probe: 0, addresses: 0 }
    watch.probe = addresses > 0 ? probe : 0
    watch.askedAt = now
    if (addresses === 0 || !peer.udp.open) keepalive.send(now, nominated, undefined)
    timers.set(watch.missing, now + patience(peer))
  }

  /** A question was not answered in time by UDP, or not at all. */
  missed(now: number, peer: Peer): void {
    const { probes, bursts } = this.#wiring
    const { watch } = peer
    if (now - watch.askedAt > patience(peer) + LATE) {
      this.ask(now, peer)
      return
    }
    if (heardAt(peer) < watch.askedAt) bursts.begin(now, peer)
    else if (watch.probe !== 0 && peer.life.pongAt < watch.askedAt) probes.unanswered(peer)
  }

  /** It answered, so there is nothing to wait for. */
  answered(peer: Peer): void {
    this.#wiring.timers.clear(peer.watch.missing)
  }

  /** The question could not be sent. */
  failed(now: number, peer: Peer, probe: number): void {
    if (peer.watch.probe !== probe || peer.watch.missing.slot === -1) return
    this.#wiring.timers.clear(peer.watch.missing)
    this.#wiring.bursts.begin(now, peer)
  }

  /** The device slept, or its clock did: whoever is silent is asked before anything is thought of it. */
  resumed(now: number): void {
    this.#stale = true
    for (const peer of this.#wiring.peers()) {
      this.#wiring.timers.clear(peer.watch.missing)
      this.#wiring.bursts.end(peer)
    }
    for (const { every, due } of this.#rounds) if (due.slot !== -1) this.#wiring.timers.set(due, now + every)
  }
}
