import { formatAddress } from '../wire/address.ts'
import type { PeerRecord } from '../wire/gossip.ts'
import type { Peer } from './peer.ts'

/** A record tells what its owner is, and where. True when that brought an address never heard before. */
export function introduce(now: number, peer: Peer, record: PeerRecord): boolean {
  peer.onBattery = record.onBattery
  peer.metered = record.metered
  return peer.candidates.replace(now, record.addresses.map(formatAddress), 'gossip')
}
