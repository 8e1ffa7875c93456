/**
 * Views: what this device tells the others of how it sees them all, and what they told it.
 *
 * Whoever gets a session is told all; later only what changed: a suspicion or a loss at once, anything else after
 * SETTLE and no more often than every INTERVAL. Of a peer that flaps a loss is told every INTERVAL at most, and that it
 * is back less and less often. A device that may be isolated accuses nobody. What others say is kept by observer, as long as that one is there, for `matrix`; it changes no verdict of our own, but who is
 * accused is asked at once by its own paths, and so can only be harmed by silence.
 */
import type { PeerId } from '../crypto/identity.ts'
import { peerKey } from '../crypto/identity.ts'
import { Kind } from '../wire/frame.ts'
import type { View } from '../wire/gossip.ts'
import { encodeViews, MAX_VIEWS } from '../wire/gossip.ts'
import { silently } from './bursts.ts'
import { quiet } from './flaps.ts'
import { heardAt } from './life.ts'
import type { Output, Peer, PeerView, Reason, Sight, State } from './peer.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'

export const SETTLE = 1_000
export const INTERVAL = 5_000
/** A peer that was heard no longer ago needs no questions because somebody accuses it. */
const FRESH = 200

interface Wiring {
  readonly self: PeerId
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly peers: () => ReadonlyMap<PeerId, Peer>
  /** As they are shown. */
  readonly views: () => ReadonlyMap<PeerId, PeerView>
  readonly incarnation: (peer: PeerId) => number
  /** Somebody accuses it. */
  readonly accused: (now: number, peer: Peer) => void
  /** Somebody sees it, and we do not. */
  readonly seen: (now: number, peer: Peer, by: Peer) => void
  /** Somebody accuses us. */
  readonly doubted: (now: number, by: Peer) => void
}

interface Told {
  readonly state: State
  readonly reason: Reason
  readonly at: number
}

interface Seen extends Omit<Told, 'at'> {
  readonly latencyUSec: number
  /** Since when it is so. */
  readonly since: number
}

export class Views {
  readonly #wiring: Wiring
  readonly #told = new Map<PeerId, Told>()
  /** When who is to be told of. */
  readonly #pending = new Map<PeerId, number>()
  /** By observer, then by peer. */
  readonly #seen = new Map<PeerId, Map<PeerId, Seen>>()
  /** When an accusation was last followed, by observer and peer. */
  readonly #followed = new Map<PeerId, Map<PeerId, number>>()
  readonly #due = timer(now => this.#tell(now))

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** It is shown otherwise than before. */
  changed(now: number, peer: Peer): void {
    const { timers, views } = this.#wiring
    const view = views().get(peer.id)
    const told = this.#told.get(peer.id)
    // it was otherwise meanwhile, and that was not told yet
    const untold = this.#pending.delete(peer.id)
    if (view === undefined || !worthTelling(view, told)) return
    const urgent = view.state === 'suspect' || view.state === 'unreachable'
    if (same(view, told) && !(urgent && untold)) return
    const last = told?.at ?? -Infinity
    const damping = quiet(now, peer.flaps)
    const at = urgent
      ? Math.max(now, last + Math.min(damping, INTERVAL))
      : Math.max(now + SETTLE, last + Math.max(damping, INTERVAL))
    this.#pending.set(peer.id, at)
    timers.advance(this.#due, at)
  }

  /** After every input: tells what must be told at once. */
  settle(now: number): void {
    if (this.#due.at <= now) this.#tell(now)
  }

  /** A session with it was confirmed: it is told all. */
  opened(now: number, peer: Peer, session: number): void {
    const all = [...this.#wiring.views().values()].filter(
      view => view.id !== peer.id && worthTelling(view, undefined)
    )
    for (let i = 0; i < all.length; i += MAX_VIEWS) this.#send(now, session, all.slice(i, i + MAX_VIEWS))
  }

  /** It is not there any more: what it said is not known to be so any more. */
  lost(observer: PeerId): void {
    this.#seen.delete(observer)
  }

  /** It is no member any more. */
  removed(peer: PeerId): void {
    for (const map of [this.#told, this.#pending, this.#seen, this.#followed]) map.delete(peer)
    for (const map of [...this.#seen.values(), ...this.#followed.values()]) map.delete(peer)
  }

  /** `by` says how it sees these. */
  receive(now: number, by: Peer, views: readonly { peer: PeerId; view: View }[]): void {
    const { doubted, incarnation, peers, self } = this.#wiring
    const seen = this.#seen.get(by.id) ?? new Map<PeerId, Seen>()
    this.#seen.set(by.id, seen)
    for (const { peer: id, view } of views) {
      if (id === by.id) continue
      const { state, reason, latencyUSec } = view
      seen.set(id, { state, reason, latencyUSec, since: now - view.age * 1_000 })
      const accuses = reason === 'timeout' && state !== 'asleep'
      const peer = peers().get(id)
      if (id === self) {
        if (accuses && this.#follow(now, by.id, id)) doubted(now, by)
      } else if (peer !== undefined && view.incarnation >= incarnation(id))
        this.#consider(now, by, peer, accuses, state)
    }
  }

  #consider(now: number, by: Peer, peer: Peer, accuses: boolean, state: State): void {
    const { accused, seen } = this.#wiring
    if (accuses && peer.nominated !== undefined && now - heardAt(peer) > FRESH) {
      if (this.#follow(now, by.id, peer.id)) accused(now, peer)
    } else if (state === 'reachable' && peer.nominated === undefined && silently(peer.lost)) {
      if (this.#follow(now, by.id, peer.id)) seen(now, peer, by)
    }
  }

  /** What one observer says of one peer is followed once in INTERVAL. */
  #follow(now: number, by: PeerId, peer: PeerId): boolean {
    const followed = this.#followed.get(by) ?? new Map<PeerId, number>()
    this.#followed.set(by, followed)
    if (now - (followed.get(peer) ?? -Infinity) < INTERVAL) return false
    followed.set(peer, now)
    return true
  }

  /** Who sees whom: this device, and those that it sees. */
  matrix(now: number): Sight[] {
    const { peers, self, views } = this.#wiring
    const rows: Sight[] = []
    for (const { id: peer, state, reason, latencyUSec } of views().values()) {
      const since = peers().get(peer)?.since ?? now
      rows.push({ observer: self, peer, state, reason, latencyUSec, ageMs: now - since })
    }
    for (const [observer, seen] of this.#seen)
      for (const [peer, { since, ...sight }] of seen)
        rows.push({ observer, peer, ...sight, ageMs: now - since })
    return rows
  }

  #tell(now: number): void {
    const { peers, timers, views } = this.#wiring
    const due: PeerView[] = []
    let next = Infinity
    for (const [id, at] of this.#pending) {
      const view = views().get(id)
      if (view === undefined || at > now) {
        next = Math.min(next, at)
        continue
      }
      this.#pending.delete(id)
      due.push(view)
      this.#told.set(id, { state: view.state, reason: view.reason, at: now })
    }
    timers.set(this.#due, next)
    for (let i = 0; i < due.length; i += MAX_VIEWS) {
      const some = due.slice(i, i + MAX_VIEWS)
      for (const peer of peers().values()) {
        if (peer.nominated === undefined) continue
        // one that is in doubt is not written to about it
        const own = some.filter(view => view.id !== peer.id || view.state === 'reachable')
        if (own.length > 0) this.#send(now, peer.nominated.number, own)
      }
    }
  }

  #send(now: number, session: number, views: readonly PeerView[]): void {
    const { emit, incarnation, peers } = this.#wiring
    const body = encodeViews(
      views.map(({ id, state, reason, latencyUSec }) => ({
        id: peerKey(id)!,
        incarnation: incarnation(id),
        state,
        reason,
        latencyUSec,
        age: Math.max(0, Math.floor((now - (peers().get(id)?.since ?? now)) / 1_000))
      }))
    )
    emit({ type: 'send', session, kind: Kind.Gossip, body })
  }
}

/** What was never seen is no news; what may be our own fault is nobody's business. */
const worthTelling = ({ state, reason }: PeerView, told: Told | undefined): boolean =>
  reason !== 'isolated' &&
  reason !== 'no-network' &&
  (told !== undefined || state !== 'unreachable' || (reason !== 'never-seen' && reason !== 'no-address'))

/** A latency alone is no news: it is told with the next change, or the next session. */
const same = (view: PeerView, told: Told | undefined): boolean =>
  told !== undefined && told.state === view.state && told.reason === view.reason
