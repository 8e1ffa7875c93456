/**
 * A snapshot is the kernel's truth about links and addresses, joined with what the network's manager says of
 * them. Pure.
 */
import {
  canonical,
  type Interface,
  type InterfaceAddress,
  type InterfaceKind,
  isContainerName,
  isLinkLocal,
  type NetworkSource,
  type Snapshot
} from '../net/interfaces.ts'

export interface KernelAddress extends InterfaceAddress {
  /** Its preferred lifetime is over: only for connections that exist. */
  readonly deprecated: boolean
}
export interface KernelInterface {
  readonly name: string
  readonly index: number
  readonly kind: InterfaceKind
  /** Up, with carrier. */
  readonly up: boolean
  readonly multicast: boolean
  /** In lower case, or ''. */
  readonly mac: string
  /** Without those still being checked for duplicates. */
  readonly addresses: readonly KernelAddress[]
}
export interface KernelNetwork {
  readonly interfaces: readonly KernelInterface[]
  /** An IPv6 address is still being checked for duplicates: it will be usable in a moment. */
  readonly checking: boolean
  /** Interface of the default route, or ''. */
  readonly primary: string
}

/** What NetworkManager or networkd says of one interface. */
export interface InterfaceFacts {
  /** '' where it does not say. */
  readonly kind: InterfaceKind | ''
  readonly managed: boolean
  /** Activated, or none of its business: the addresses may be used. */
  readonly usable: boolean
  readonly connection: string
  readonly zone: string
  readonly metered: boolean
  readonly open: boolean
}
export interface Facts {
  readonly connectivity: Snapshot['connectivity']
  /** undefined = ask the kernel's routes. */
  readonly primary: string | undefined
  readonly interfaces: ReadonlyMap<string, InterfaceFacts>
}

const PREFIXES: readonly (readonly [RegExp, InterfaceKind])[] = [
  [/^lo$/, 'loopback'],
  [/^(en|eth)/, 'ethernet'],
  [/^wl/, 'wifi'],
  [/^ww/, 'wwan'],
  [/^(tun|tap|wg|ppp|tailscale|vpn)/, 'vpn'],
  [/^br\d/, 'bridge']
]

/** By the name that udev, the kernel or a container engine gave. */
export function kindOf(name: string): InterfaceKind {
  if (isContainerName(name)) return 'container'
  return PREFIXES.find(([pattern]) => pattern.test(name))?.[1] ?? 'other'
}

const NOBODY_SAYS: InterfaceFacts = {
  kind: '',
  managed: true,
  usable: true,
  connection: '',
  zone: '',
  metered: false,
  open: false
}
const NOT_YET: InterfaceFacts = { ...NOBODY_SAYS, usable: false }

/**
 * `strict`: an interface that the facts do not know is not used yet (its manager will come to it); otherwise
 * nobody says, and it is used. `unknown`: whether what the facts say of that one is still to come.
 */
export function join(
  kernel: KernelNetwork,
  facts: Facts | undefined,
  options: { source: NetworkSource; strict: boolean; unknown: (one: KernelInterface) => boolean }
): Snapshot {
  const interfaces = kernel.interfaces.map((k): Interface => {
    const f = facts?.interfaces.get(k.name) ?? (facts && options.strict ? NOT_YET : NOBODY_SAYS)
    const up = k.up && f.usable
    return {
      name: k.name,
      index: k.index,
      kind: k.kind === 'container' || f.kind === '' ? k.kind : f.kind,
      addresses: up ? preferred(k.addresses) : [],
      up,
      multicast: k.multicast,
      managed: f.managed,
      connection: f.connection,
      zone: f.zone,
      metered: f.metered,
      open: f.open,
      unknown: options.unknown(k),
      mac: k.mac
    }
  })
  return canonical({
    source: options.source,
    interfaces,
    connectivity: facts?.connectivity ?? '',
    primary: facts?.primary ?? kernel.primary
  })
}

/** Deprecated addresses count only where there is no better one of the same family and scope. */
function preferred(addresses: readonly KernelAddress[]): InterfaceAddress[] {
  const group = (a: KernelAddress) =>
    isLinkLocal(a.address) ? 'link' : a.address.includes(':') ? 'six' : 'four'
  const good = new Set(addresses.filter(a => !a.deprecated).map(group))
  return addresses.filter(a => !a.deprecated || !good.has(group(a)))
}

/**
 * After a restart a manager takes its interfaces up again one by one, though their addresses never went away:
 * until it has, what it said before holds.
 */
export function settle(before: Facts, now: Facts): Facts {
  const interfaces = new Map(now.interfaces)
  for (const [name, old] of before.interfaces) {
    const f = interfaces.get(name)
    if (old.usable && old.managed && !(f?.usable && f.managed)) interfaces.set(name, old)
  }
  if (now.primary !== '') return { ...now, interfaces }
  return { connectivity: before.connectivity, primary: before.primary, interfaces }
}
