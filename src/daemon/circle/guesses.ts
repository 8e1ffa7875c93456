/** Which member may sit at which address of an overlay network, when nobody says it. */
import type { PeerId } from '../../crypto/identity.ts'
import type { OverlayDevice } from '../../host/tailscale.ts'
import type { PeerView } from '../../mesh/mesh.ts'
import { addressOf, formatAddress, formatHost, parseAddress } from '../../wire/address.ts'
import type { Membership } from './membership.ts'
import type { Traffic } from './traffic.ts'

/** Devices tried for one member at a time: those with its name first. */
const DEVICES_AT_MOST = 4

/** Guesses for the members of one circle. */
export class Guessing {
  readonly #membership: Pick<Membership, 'members'>
  readonly #traffic: Pick<Traffic, 'peers' | 'offer' | 'carry'>

  constructor(membership: Pick<Membership, 'members'>, traffic: Pick<Traffic, 'peers' | 'offer' | 'carry'>) {
    this.#membership = membership
    this.#traffic = traffic
  }

  /** Somebody cannot be reached. */
  get missed(): boolean {
    return [...this.#traffic.peers.values()].some(({ state }) => state === 'unreachable')
  }

  /** `port`: where they are tried. */
  found(devices: readonly OverlayDevice[], port: number): void {
    for (const { peer, addresses } of guesses(this.#membership.members, this.#traffic.peers, devices, port))
      this.#traffic.offer(peer, addresses, 'overlay')
    this.#traffic.carry()
  }
}

export interface Guess {
  readonly peer: PeerId
  /** URIs. */
  readonly addresses: readonly string[]
}

/**
 * For members that cannot be reached and do not sleep only, and of devices only those at no address that a member is
 * known to have: it says so itself as soon as it was met once.
 */
export function guesses(
  members: ReadonlyMap<PeerId, { readonly name: string }>,
  peers: ReadonlyMap<PeerId, Pick<PeerView, 'state' | 'addresses'>>,
  devices: readonly OverlayDevice[],
  port: number
): Guess[] {
  const known = new Set([...peers.values()].flatMap(({ addresses }) => addresses.map(hostOf)))
  const found = devices
    .map(({ name, addresses }) => ({ name, addresses: addresses.flatMap(ip => addressOf(ip, port) ?? []) }))
    .filter(({ addresses }) => addresses.length > 0 && !addresses.some(one => known.has(formatHost(one))))
  return [...peers].flatMap(([peer, { state }]) => {
    const member = members.get(peer)
    if (member === undefined || state !== 'unreachable') return []
    const likely = found.filter(({ name }) => alike(name, member.name))
    const chosen = [...likely, ...found.filter(device => !likely.includes(device))].slice(0, DEVICES_AT_MOST)
    const addresses = chosen.flatMap(device => device.addresses.map(formatAddress))
    return addresses.length === 0 ? [] : [{ peer, addresses }]
  })
}

const hostOf = (uri: string): string => {
  const address = parseAddress(uri)
  return address === undefined ? '' : formatHost(address)
}

/** Letters and digits of host names and of device names. */
const plainName = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')
const alike = (one: string, other: string): boolean =>
  plainName(one) !== '' && plainName(one) === plainName(other)
