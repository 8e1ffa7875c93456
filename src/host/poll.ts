/** What can be read of the network without another program: addresses from getifaddrs, the rest from /proc. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { addressOf, formatHost } from '../wire/address.ts'
import { type KernelInterface, type KernelNetwork, kindOf } from './snapshot.ts'

const TENTATIVE = 0x40
const DUPLICATE = 0x08
const DEPRECATED = 0x20

/**
 * Interfaces without an address are missing, as are those that are down. Multicast is taken for granted
 * except on loopback and tunnels.
 */
export function readOs(): KernelNetwork {
  const six = readSix(proc('if_inet6'))
  const indexes = new Map([
    ...readIndexes(proc('igmp')),
    ...[...six.values()].map(a => [a.name, a.index] as const)
  ])
  const found = new Map<string, KernelInterface & { addresses: KernelInterface['addresses'][number][] }>()
  for (const [label, addresses] of Object.entries(networkInterfaces())) {
    // An IPv4 address with a label comes under `eth0:label`.
    const name = label.split(':')[0]!
    const kind = kindOf(name)
    const multicast = kind !== 'loopback' && kind !== 'vpn'
    const i = found.get(name) ?? {
      name,
      index: indexes.get(name) ?? 0,
      kind,
      up: true,
      multicast,
      mac: macOf(addresses?.[0]?.mac),
      addresses: []
    }
    found.set(name, i)
    for (const a of addresses ?? []) {
      const flags = six.get(`${name} ${a.address}`)?.flags ?? 0
      if (flags & (TENTATIVE | DUPLICATE)) continue
      const prefix = Number(a.cidr?.split('/')[1] ?? (a.family === 'IPv4' ? 32 : 128))
      i.addresses.push({ address: a.address, prefix, deprecated: (flags & DEPRECATED) !== 0 })
    }
  }
  const checking = [...six.values()].some(a => (a.flags & (TENTATIVE | DUPLICATE)) === TENTATIVE)
  return { interfaces: [...found.values()], checking, primary: defaultInterface() }
}

/** Of the IPv4 default route with the least metric, else of the IPv6 one; or ''. Only the main table counts. */
export function defaultInterface(): string {
  return defaultFour(proc('route')) || defaultSix(proc('ipv6_route'))
}

/** /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask …, hexadecimal, network order. */
export function defaultFour(text: string): string {
  return least(
    rows(text)
      .filter(r => r[1] === '00000000' && r[7] === '00000000' && (Number.parseInt(r[3] ?? '', 16) & 1) === 1)
      .map(r => [r[0]!, Number(r[6])])
  )
}

/** /proc/net/ipv6_route: destination, length, source, length, next hop, metric, references, uses, flags, name. */
export function defaultSix(text: string): string {
  const REJECT = 0x200
  return least(
    rows(text)
      .filter(r => r[1] === '00' && /^0{32}$/.test(r[0]!) && r[9] !== undefined && r[9] !== 'lo')
      .filter(r => (Number.parseInt(r[8]!, 16) & REJECT) === 0)
      .map(r => [r[9]!, Number.parseInt(r[5]!, 16)])
  )
}

function least(routes: [string, number][]): string {
  let best: [string, number] | undefined
  for (const route of routes) if (!best || route[1] < best[1]) best = route
  return best?.[0] ?? ''
}

/** /proc/net/if_inet6: address, index, length, scope, flags, name; hexadecimal. By `name address`. */
export function readSix(text: string): Map<string, { name: string; index: number; flags: number }> {
  const out = new Map<string, { name: string; index: number; flags: number }>()
  for (const [hex, index, , , flags, name] of rows(text)) {
    if (!name || hex?.length !== 32) continue
    const text = hex.match(/.{4}/g)!.join(':')
    const parsed = addressOf(text, 1) ?? addressOf(text, 1, name)
    if (parsed)
      out.set(`${name} ${formatHost(parsed)}`, {
        name,
        index: Number.parseInt(index!, 16),
        flags: Number.parseInt(flags!, 16)
      })
  }
  return out
}

/** /proc/net/igmp: a line `index name : …` for each interface with IPv4, then its groups. */
function readIndexes(text: string): [string, number][] {
  return [...text.matchAll(/^(\d+)\s+(\S+?)\s*:/gm)].map(m => [m[2]!, Number(m[1])])
}

const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.trim().split(/\s+/))

/** The kernel's table of the network we are in; '' where there is none (no IPv6). */
function proc(name: string): string {
  try {
    return readFileSync(`/proc/self/net/${name}`, 'utf8')
  } catch {
    return ''
  }
}

const macOf = (mac: string | undefined): string =>
  mac === undefined || /^[0:]+$/.test(mac) ? '' : mac.toLowerCase()
