/**
 * Presence: what is shown of each peer, and when.
 *
 * A peer becomes reachable when a round trip was measured and ceases to be with its last session. A change of
 * state is shown at once; a latency only when it is news.
 */
import type { PeerId } from '../crypto/identity.ts'
import { steadyAt } from './flaps.ts'
import { evidenceOf } from './life.ts'
import type { Output, Peer, PeerView, Reason, State } from './peer.ts'
import type { Timers } from './timers.ts'

/** A latency is published again when it moved by more than this share … */
const NEWS_SHARE = 0.2
/** … or by more than this many microseconds … */
const NEWS_USEC = 2_000
/** … and at most once in this many milliseconds. */
export const NEWS_INTERVAL = 1_000
const MAX_SHOWN_ADDRESSES = 16

/** RFC 6298 (2.2, 2.3) with alpha 1/8. Microseconds; 0 means no sample yet. */
export const smooth = (smoothed: number, sample: number): number =>
  smoothed === 0 ? sample : smoothed + (sample - smoothed) / 8

/** A measured round trip in whole microseconds: never 0, which means unknown. */
export const roundTripUSec = (milliseconds: number): number => Math.max(1, Math.round(milliseconds * 1_000))

export const isNews = (published: number, current: number): boolean =>
  published === 0
    ? current !== 0
    : Math.abs(current - published) > NEWS_USEC || Math.abs(current - published) > published * NEWS_SHARE

/** Why a peer is unreachable: our own lack of a network first, then how it was lost, then what dialling met. */
export function reasonOf(
  peer: Pick<Peer, 'state' | 'lost' | 'refused' | 'candidates'>,
  online: boolean
): Reason {
  if (peer.state === 'reachable') return ''
  if (peer.state === 'asleep') return 'asleep'
  if (!online) return 'no-network'
  if (peer.lost !== '') return peer.lost
  if (peer.refused) return 'refused'
  return peer.candidates.size === 0 ? 'no-address' : 'never-seen'
}

/** `ranked`: its candidates, best first. */
function viewOf(peer: Peer, ranked: readonly string[], online: boolean): PeerView {
  const reachable = peer.state === 'reachable' || peer.state === 'suspect'
  const used =
    reachable && peer.nominated !== undefined ? peer.candidates.dialable(peer.nominated) : undefined
  const addresses = used === undefined ? ranked : [used, ...ranked.filter(address => address !== used)]
  return {
    id: peer.id,
    state: peer.state,
    reason: reasonOf(peer, online),
    addresses: addresses.slice(0, MAX_SHOWN_ADDRESSES),
    latencyUSec: reachable ? peer.latencyUSec : 0,
    path: reachable ? 'direct' : '',
    unreachableSince: peer.unreachableSince,
    asleepSince: peer.asleepSince,
    get evidence() {
      return evidenceOf(peer)
    }
  }
}

const sameView = (one: PeerView, other: PeerView): boolean =>
  one.state === other.state &&
  one.reason === other.reason &&
  one.latencyUSec === other.latencyUSec &&
  one.unreachableSince === other.unreachableSince &&
  one.asleepSince === other.asleepSince &&
  one.addresses.length === other.addresses.length &&
  one.addresses.every((address, i) => address === other.addresses[i])

interface Wiring {
  readonly timers: Timers
  readonly emit: (output: Output) => void
  /** Its candidates, best first. */
  readonly ranked: (peer: Peer) => readonly string[]
  /** It is shown otherwise than before. */
  readonly shown: (now: number, peer: Peer) => void
  /** What others say of it, where that is all there is. */
  readonly word: (peer: Peer) => PeerView | undefined
}

export class Presence {
  readonly #wiring: Wiring
  readonly #views = new Map<PeerId, PeerView>()
  readonly #changed = new Set<Peer>()
  #online = true

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  get views(): ReadonlyMap<PeerId, PeerView> {
    return this.#views
  }

  /** Whether we have any address ourselves. */
  get online(): boolean {
    return this.#online
  }

  set online(online: boolean) {
    this.#online = online
  }

  /** Something of it that is shown may have changed. */
  changed(peer: Peer): void {
    this.#changed.add(peer)
  }

  removed(peer: Peer): void {
    this.#views.delete(peer.id)
    this.#changed.delete(peer)
    for (const each of [peer.latencyDue, peer.steady]) this.#wiring.timers.clear(each)
  }

  /** A round trip with it was measured. */
  reached(now: number, peer: Peer): void {
    const { state } = peer
    const gone = state !== 'reachable' && state !== 'suspect'
    const steady = steadyAt(peer.flaps)
    if (gone && now < steady) {
      this.#wiring.timers.set(peer.steady, steady)
      return
    }
    if (state !== 'reachable') {
      this.#set(now, peer, 'reachable')
      peer.lost = ''
      peer.refused = false
    }
    if (gone) {
      peer.unreachableSince = 0
      peer.asleepSince = 0
      peer.latencyUSec = 0
      peer.latencyAt = -Infinity
    }
    this.changed(peer)
    this.latency(now, peer)
  }

  /** It may be shown as reachable now, if it is. */
  steady(now: number, peer: Peer): void {
    if ((peer.nominated?.roundTrip ?? 0) > 0) this.reached(now, peer)
  }

  /** It does not answer. */
  suspect(now: number, peer: Peer, reason: Reason): void {
    if (peer.state === 'reachable') this.#set(now, peer, 'suspect')
    if (peer.state !== 'suspect') return
    peer.lost = reason
    this.changed(peer)
  }

  /** Its last session is gone, or why it went is known better. */
  lost(now: number, peer: Peer, reason: Reason): void {
    if (peer.state === 'reachable' || peer.state === 'suspect') peer.unreachableSince = now
    if (peer.asleep && peer.state !== 'asleep') peer.asleepSince = now
    if (!peer.asleep) peer.asleepSince = 0
    this.#set(now, peer, peer.asleep ? 'asleep' : 'unreachable')
    peer.lost = reason
    for (const each of [peer.latencyDue, peer.steady]) this.#wiring.timers.clear(each)
    this.changed(peer)
  }

  #set(now: number, peer: Peer, state: State): void {
    if (peer.state !== state) peer.since = now
    peer.state = state
  }

  /** Publishes the latency of the session in use when it is news, now or when it may next be told. */
  latency(now: number, peer: Peer): void {
    const current = Math.round(peer.nominated?.roundTrip ?? 0)
    if (peer.state !== 'reachable' || current === 0 || !isNews(peer.latencyUSec, current)) return
    const at = peer.latencyAt + NEWS_INTERVAL
    if (now < at) this.#wiring.timers.set(peer.latencyDue, at)
    else {
      this.#wiring.timers.clear(peer.latencyDue)
      peer.latencyUSec = current
      peer.latencyAt = now
      this.changed(peer)
    }
  }

  /** Gives out what changed. */
  settle(now: number): void {
    for (const peer of this.#changed) {
      const shown = this.#views.get(peer.id)
      const view = this.#wiring.word(peer) ?? viewOf(peer, this.#wiring.ranked(peer), this.#online)
      if (shown !== undefined && sameView(view, shown)) continue
      this.#views.set(peer.id, view)
      this.#wiring.emit({ type: 'peer', peer: view })
      this.#wiring.shown(now, peer)
    }
    this.#changed.clear()
  }
}
