/**
 * The network of this computer as one value, and what changed between two of them. Pure: host/ makes the
 * snapshots, daemon/ carries the changes on.
 */
import { addressOf } from '../wire/address.ts'

export type NetworkSource = 'NetworkManager' | 'networkd' | 'ip' | 'poll'
export const interfaceKinds = [
  'ethernet',
  'wifi',
  'wwan',
  'vpn',
  'bridge',
  'container',
  'loopback',
  'other'
] as const
export type InterfaceKind = (typeof interfaceKinds)[number]

export interface InterfaceAddress {
  /** Bare IP address in canonical text; no scope suffix. */
  readonly address: string
  readonly prefix: number
}

export interface Interface {
  /** As the kernel names it. */
  readonly name: string
  readonly index: number
  readonly kind: InterfaceKind
  /** Usable addresses: not tentative, not deprecated-only; link-local IPv6 included. */
  readonly addresses: readonly InterfaceAddress[]
  /** Up, with carrier and (NetworkManager) activated. */
  readonly up: boolean
  readonly multicast: boolean
  /** NetworkManager or networkd looks after it; true where nobody says. */
  readonly managed: boolean
  /** UUID of the active connection profile, or ''. */
  readonly connection: string
  /** firewalld zone of that profile, or ''. */
  readonly zone: string
  readonly metered: boolean
  /** Open Wi-Fi, or a captive portal behind it: listen only by default. */
  readonly open: boolean
  /** There is somebody who knows what network this is, and has not said it yet: listen only until then. */
  readonly unknown: boolean
  /** MAC address in lower case, or ''. */
  readonly mac: string
}

export interface Snapshot {
  readonly source: NetworkSource
  readonly interfaces: readonly Interface[]
  /** none, portal, limited, full; '' where nobody says. */
  readonly connectivity: '' | 'none' | 'portal' | 'limited' | 'full'
  /** Name of the interface with the default route, or ''. */
  readonly primary: string
}

/** One address on one interface. */
export interface Place {
  readonly interface: string
  readonly address: string
}

/** What differs between two snapshots. Interfaces by name; all lists in canonical order. */
export interface Delta {
  /** Anything at all. */
  readonly changed: boolean
  readonly appeared: readonly string[]
  readonly gone: readonly string[]
  readonly cameUp: readonly string[]
  readonly wentDown: readonly string[]
  readonly addressesAdded: readonly Place[]
  readonly addressesRemoved: readonly Place[]
  readonly macChanged: readonly string[]
  readonly meteredChanged: readonly string[]
  /** Another connection profile or firewall zone, open or closed, managed or not: the policy may differ. */
  readonly policyChanged: readonly string[]
  readonly primaryChanged: boolean
  readonly connectivityChanged: boolean
  readonly sourceChanged: boolean
  /** Something can now be reached that could not be before: the moment to dial and announce. */
  readonly gained: boolean
}

/** Interface names that containers and virtual machines use; off unless named in the config. */
export function isContainerName(name: string): boolean {
  return /^(docker|veth|br-|virbr|lxc)/.test(name)
}

/** fe80::/10: it means something only together with its interface. */
export function isLinkLocal(address: string): boolean {
  return address.includes(':') && addressOf(address, 1, 'any') !== undefined
}

/** IPv4 first, then IPv6, link-local IPv6 last; by value within each. */
export function compareAddresses(a: string, b: string): number {
  const rank = (address: string) => (isLinkLocal(address) ? 2 : address.includes(':') ? 1 : 0)
  const order = rank(a) - rank(b)
  if (order !== 0) return order
  const bytes = (address: string) => (addressOf(address, 1) ?? addressOf(address, 1, 'any'))?.host ?? []
  const x = bytes(a)
  const y = bytes(b)
  for (let i = 0; i < x.length && i < y.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!
  return x.length - y.length
}

/** The same network in the one order that makes equal networks equal values. */
export function canonical(snapshot: Snapshot): Snapshot {
  const interfaces = snapshot.interfaces
    .map(i => {
      const unique = new Map(i.addresses.map(a => [a.address, { address: a.address, prefix: a.prefix }]))
      const addresses = [...unique.values()].sort((a, b) => compareAddresses(a.address, b.address))
      const { name, index, kind, up, multicast, managed, connection, zone, metered, open, unknown, mac } = i
      const facts = { managed, connection, zone, metered, open, unknown, mac }
      return { name, index, kind, addresses, up, multicast, ...facts }
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.index - b.index))
  const { source, connectivity, primary } = snapshot
  return { source, interfaces, connectivity, primary }
}

/** Compares two canonical snapshots; without an old one everything has appeared. */
export function delta(old: Snapshot | undefined, now: Snapshot): Delta {
  // A name that came back with another index is another interface.
  const key = (i: Interface) => `${i.index} ${i.name}`
  const before = new Map((old?.interfaces ?? []).map(i => [key(i), i]))
  const after = new Map(now.interfaces.map(i => [key(i), i]))
  const names = (list: readonly Interface[]) => list.map(i => i.name)
  const appeared = now.interfaces.filter(i => !before.has(key(i)))
  const gone = [...before.values()].filter(i => !after.has(key(i)))
  const stayed = now.interfaces.filter(i => before.has(key(i)))
  const differ = (test: (a: Interface, b: Interface) => boolean) =>
    names(stayed.filter(i => test(before.get(key(i))!, i)))
  const missingIn = (list: readonly Interface[], other: ReadonlyMap<string, Interface>) =>
    list.flatMap(i => {
      const has = new Set(other.get(key(i))?.addresses.map(a => `${a.address}/${a.prefix}`))
      return i.addresses
        .filter(a => !has.has(`${a.address}/${a.prefix}`))
        .map(a => ({ interface: i.name, address: a.address }))
    })

  const facts = {
    appeared: names(appeared),
    gone: names(gone),
    cameUp: names(now.interfaces.filter(i => i.up && !before.get(key(i))?.up)),
    wentDown: names([...before.values()].filter(i => i.up && !after.get(key(i))?.up)),
    addressesAdded: missingIn(now.interfaces, before),
    addressesRemoved: missingIn(old?.interfaces ?? [], after),
    macChanged: differ((a, b) => a.mac !== b.mac),
    meteredChanged: differ((a, b) => a.metered !== b.metered),
    policyChanged: differ(
      (a, b) =>
        a.connection !== b.connection ||
        a.zone !== b.zone ||
        a.open !== b.open ||
        a.unknown !== b.unknown ||
        a.managed !== b.managed ||
        a.kind !== b.kind
    ),
    primaryChanged: now.primary !== (old?.primary ?? ''),
    connectivityChanged: now.connectivity !== (old?.connectivity ?? ''),
    sourceChanged: now.source !== old?.source
  }
  const multicastChanged = stayed.some(i => i.multicast !== before.get(key(i))!.multicast)
  const gained =
    facts.addressesAdded.length > 0 || (facts.primaryChanged && now.primary !== '') || facts.cameUp.length > 0
  const changed =
    multicastChanged ||
    Object.values(facts).some(fact => (typeof fact === 'boolean' ? fact : fact.length > 0))
  return { ...facts, gained, changed }
}
