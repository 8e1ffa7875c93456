/**
 * The network of this computer as one value, and what changed between two of them. Pure: host/ makes the
 * snapshots, daemon/ carries the changes on.
 */
export type NetworkSource = 'NetworkManager' | 'networkd' | 'ip' | 'poll'
export type InterfaceKind =
  | 'ethernet'
  | 'wifi'
  | 'wwan'
  | 'vpn'
  | 'bridge'
  | 'container'
  | 'loopback'
  | 'other'

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
