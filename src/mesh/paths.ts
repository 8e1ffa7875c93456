/**
 * Paths: by which of our links an address of a peer is reached, and which of two ways is better.
 *
 * What costs by the byte is used last. Then a cable before wireless before a tunnel, the LAN before what lies behind
 * a router, and of two that are equal in all this the faster one. The kernel chooses the link, so for an address that
 * was never used this is what it will probably do; a session shows which it was.
 */
import { type Address, formatAddress, formatHost, parseAddress, sameSubnet } from '../wire/address.ts'

/** Best first. */
const KINDS = ['loopback', 'wired', 'wireless', 'other', 'tunnel'] as const
export type LinkKind = (typeof KINDS)[number]

/** The link that one of our addresses is on. */
export interface OwnLink {
  /** URI. */
  readonly address: string
  readonly kind: LinkKind
  readonly metered: boolean
  /** Length of the prefix that is on this link; 0 when it is not known. */
  readonly prefix?: number
  /** What is on no link of ours leaves by this one. */
  readonly primary?: boolean
}

/** An address of ours, and what is known of its link. */
export interface OwnAddress extends Address {
  readonly link?: OwnLink
}

/** How good a way is, apart from its speed: less is better, from the left. */
export type Grade = readonly [metered: number, kind: number, distance: number]

export const UNKNOWN: Grade = [0, KINDS.indexOf('other'), 1]

/** The second of a grade, as a word. */
export const linkKindOf = (kind: number): LinkKind => KINDS[kind] ?? 'other'

/** The addresses with what is known of their links. */
export function withLinks(own: readonly Address[], links: readonly OwnLink[]): OwnAddress[] {
  const known = new Map(links.map(link => [link.address, link]))
  return own.map(address => {
    const link = known.get(formatAddress(address))
    return link === undefined ? address : { ...address, link }
  })
}

/** Of the way to that address, as the kernel will probably choose it. */
export function gradeOf(to: Address, own: readonly OwnAddress[]): Grade {
  let direct: Grade | undefined
  let routed: Grade | undefined
  for (const address of own) {
    if (onLink(address, to)) direct = better(direct, grade(address, true))
    else if (address.link?.primary) routed = better(routed, grade(address, false))
  }
  return direct ?? routed ?? UNKNOWN
}

const better = (one: Grade | undefined, other: Grade): Grade =>
  one === undefined || compare(other, one) < 0 ? other : one

/** Of the way that a session from this address of ours took to that one of the peer; undefined: it is not ours. */
export function gradeBetween(local: string, remote: string, own: readonly OwnAddress[]): Grade | undefined {
  const [here, there] = [parseAddress(local), parseAddress(remote)]
  const address = here && own.find(one => formatHost(one) === formatHost(here) && one.scope === here.scope)
  if (address === undefined || there === undefined) return undefined
  return grade(address, onLink(address, there))
}

/** Less than 0 when the first is better. */
export function compare(one: readonly number[], other: readonly number[]): number {
  for (let i = 0; i < one.length; i++) {
    // not a difference: two infinities have none
    if (one[i]! !== other[i]!) return one[i]! < other[i]! ? -1 : 1
  }
  return 0
}

function grade({ link }: OwnAddress, near: boolean): Grade {
  const kind = link?.kind ?? 'other'
  // what a tunnel calls its network is no LAN
  return [link?.metered ? 1 : 0, KINDS.indexOf(kind), near && kind !== 'tunnel' ? 0 : 1]
}

/** It is reached on the link of that address of ours, without a router. */
function onLink(own: OwnAddress, to: Address): boolean {
  if (own.family !== to.family || own.scope !== to.scope) return false
  if (own.link?.kind === 'tunnel' && overlay(own) && overlay(to)) return true
  const prefix = own.link?.prefix ?? 0
  if (prefix === 0) return sameSubnet(own, to)
  for (let bit = 0; bit < prefix; bit += 8) {
    const mask = prefix - bit >= 8 ? 0xff : 0xff << (8 - (prefix - bit))
    if (((own.host[bit / 8]! ^ to.host[bit / 8]!) & mask) !== 0) return false
  }
  return true
}

/** Where tailscale puts its devices, each of them alone in its prefix: 100.64.0.0/10 and fd7a:115c:a1e0::/48. */
function overlay({ host }: Address): boolean {
  if (host.length === 4) return host[0] === 100 && host[1]! >> 6 === 1
  return [0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0].every((byte, i) => host[i] === byte)
}
