/**
 * Extra: what a device says of itself in its peer record beyond the fixed fields. Signed with them.
 *
 *   extra   n × (u8 type | u8 length | bytes)                each type once; unknown ones are skipped
 *   type 1  wake addresses: n × (u8 index | mac 6)           what a packet must name to wake it from sleep: the
 *           hardware address of the card that has the address at that place of the record; n ≤ 16, the mac of one
 *           device (neither group bit nor all zeros)
 *
 * Extra that is not exactly such a list says nothing, as does an entry that makes no sense.
 */
import type { Address } from './address.ts'
import { sameHost } from './address.ts'
import { MAX_RECORD_ADDRESSES } from './gossip.ts'

const WAKE = 1
const MAC = 6

/** A card of a device: its address on a network, and how that network knows the card. */
export interface Card {
  readonly address: Address
  /** 6 bytes. */
  readonly mac: Uint8Array
}

/** For a record with these addresses; cards whose address is not among them are left out. */
export function encodeExtra(addresses: readonly Address[], cards: readonly Card[]): Uint8Array {
  const entries = cards.flatMap(({ address, mac }) => {
    const index = addresses.findIndex(other => sameHost(other, address))
    return index < 0 || !isCard(mac) ? [] : [[index, ...mac]]
  })
  const bytes = entries.slice(0, MAX_RECORD_ADDRESSES).flat()
  return bytes.length === 0 ? new Uint8Array(0) : Uint8Array.of(WAKE, bytes.length, ...bytes)
}

/** The cards of a record with these addresses. */
export function decodeExtra(addresses: readonly Address[], extra: Uint8Array): Card[] {
  const bytes = find(extra, WAKE)
  if (bytes === undefined || bytes.length % (1 + MAC) !== 0) return []
  const cards: Card[] = []
  for (let at = 0; at < bytes.length && cards.length < MAX_RECORD_ADDRESSES; at += 1 + MAC) {
    const address = addresses[bytes[at]!]
    const mac = bytes.slice(at + 1, at + 1 + MAC)
    if (address !== undefined && isCard(mac)) cards.push({ address, mac })
  }
  return cards
}

/** What stands under that type; undefined unless all of it is a list as above, with that type in it. */
function find(extra: Uint8Array, wanted: number): Uint8Array | undefined {
  const types = new Set<number>()
  let found: Uint8Array | undefined
  for (let at = 0; at < extra.length; ) {
    const type = extra[at]!
    const end = at + 2 + (extra[at + 1] ?? Infinity)
    if (end > extra.length || types.has(type)) return undefined
    types.add(type)
    if (type === wanted) found = extra.subarray(at + 2, end)
    at = end
  }
  return found
}

const isCard = (mac: Uint8Array): boolean =>
  mac.length === MAC && (mac[0]! & 1) === 0 && mac.some(byte => byte !== 0)
