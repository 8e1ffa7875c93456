/** A place: one interface and one address family, from which multicast is spoken and heard. */
import { BlockList } from 'node:net'
import { addressOf } from '../wire/address.ts'
import type { InterfaceAddress } from './interfaces.ts'

export type Family = 'ipv4' | 'ipv6'

export interface Place {
  readonly interface: string
  readonly index: number
  readonly family: Family
  /** Our address there, from which we speak; no scope suffix. */
  readonly address: string
  /** All addresses of the interface in this family; replaced when they change while `address` stays. */
  prefixes: readonly InterfaceAddress[]
}

const familyOf = (address: string): Family => (address.includes(':') ? 'ipv6' : 'ipv4')
export const isLinkLocal = (address: string) => /^fe[89ab]/i.test(address)

/** The places of an interface: one for each family of which it has an address. */
export function placesOf(of: {
  readonly name: string
  readonly index: number
  readonly addresses: readonly InterfaceAddress[]
}): Place[] {
  const places: Place[] = []
  for (const family of ['ipv4', 'ipv6'] as const) {
    const prefixes = of.addresses.filter(({ address }) => familyOf(address) === family && address !== '::1')
    const first = prefixes.find(({ address }) => isLinkLocal(address)) ?? prefixes[0]
    if (first === undefined) continue
    const address = family === 'ipv4' ? prefixes[0]!.address : first.address
    places.push({ interface: of.name, index: of.index, family, address, prefixes })
  }
  return places
}

/** Whether two places need the same sockets. */
export function samePlace(a: Place, b: Place): boolean {
  return a.index === b.index && a.address === b.address
}

/**
 * Whether a source address, as the socket gave it, is on the link of the place: inside a prefix of the
 * interface, or link-local IPv6 with its scope. The socket itself proves nothing: one that is bound to a
 * group hears what any other program joined, on any interface.
 */
export function onLink(place: Place, source: string): boolean {
  const [address, scope] = source.split('%') as [string, string?]
  if (familyOf(address) !== place.family) return false
  if (scope !== undefined && scope !== place.interface) return false
  if (place.family === 'ipv6' && isLinkLocal(address)) return scope === place.interface
  return within(place.prefixes, address)
}

/** The network of an address, as text: its first bits, the rest zero. */
export function networkOf({ address, prefix }: InterfaceAddress): string {
  const host = (addressOf(address, 1) ?? addressOf(address, 1, 'any'))?.host ?? []
  const kept = (i: number) => Math.min(8, Math.max(0, prefix - 8 * i))
  return `${[...host].map((byte, i) => byte & (0xff00 >> kept(i)) & 0xff).join('.')}/${prefix}`
}

/** Whether an address lies in one of these prefixes. */
export function within(prefixes: readonly InterfaceAddress[], address: string): boolean {
  const family = familyOf(address)
  const list = new BlockList()
  for (const prefix of prefixes) {
    if (familyOf(prefix.address) === family) list.addSubnet(prefix.address, prefix.prefix, family)
  }
  return list.check(address, family)
}
