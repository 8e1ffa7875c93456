/** The rules of presence, without their timers: what to show of a peer, and when a latency is news. */
import type { Peer, PeerView, Reason } from './peer.ts'

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
  if (!online) return 'no-network'
  if (peer.lost !== '') return peer.lost
  if (peer.refused) return 'refused'
  return peer.candidates.size === 0 ? 'no-address' : 'never-seen'
}

/** `ranked`: its candidates, best first. */
export function viewOf(peer: Peer, ranked: readonly string[], online: boolean): PeerView {
  const reachable = peer.state === 'reachable'
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
    unreachableSince: peer.unreachableSince
  }
}

export const sameView = (one: PeerView, other: PeerView): boolean =>
  one.state === other.state &&
  one.reason === other.reason &&
  one.latencyUSec === other.latencyUSec &&
  one.unreachableSince === other.unreachableSince &&
  one.addresses.length === other.addresses.length &&
  one.addresses.every((address, i) => address === other.addresses[i])
