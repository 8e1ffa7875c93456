/** Which announcements lead to a peer's address, and what else one may tell. */
import { addressOf, formatAddress } from '../../wire/address.ts'
import type { Announcer, Made } from './announcer.ts'
import type { Explaining, Origin } from './explaining.ts'
import type { Membership } from './membership.ts'
import type { Traffic } from './traffic.ts'
import type { Warnings } from './warnings.ts'

export interface FollowingOptions {
  readonly announcer: Announcer
  readonly membership: Membership
  readonly traffic: Traffic
  readonly warnings: Warnings
  readonly explaining: Explaining
}

export class Following {
  readonly #options: FollowingOptions

  constructor(options: FollowingOptions) {
    this.#options = options
  }

  heard(announcement: Uint8Array, origin: Origin): void {
    const made = this.#options.announcer.made(announcement)
    this.#options.explaining.heard(announcement, made, origin, this.#follow(announcement, made, origin))
  }

  /** Whether its address is tried. */
  #follow(announcement: Uint8Array, made: Made | undefined, { source, policy }: Origin): boolean {
    const { announcer, membership, traffic, warnings } = this.#options
    const heard = announcer.read(announcement, made)
    if (heard === undefined) {
      // played back where we only listen, it would make us show ourselves
      const port = policy === 'announce' ? announcer.own(announcement) : undefined
      if (port !== undefined) warnings.elsewhere(uri(source, port))
      return false
    }
    const { peer } = heard
    const addresses = uri(source, heard.port)
    if (!membership.members.has(peer)) {
      const [address] = addresses
      // a lost device is near
      if (policy === 'announce' && address !== undefined)
        void membership.lost.tell(peer, address, membership.staticTowards(peer))
      return false
    }
    // Where we only listen nobody leads us to a new address: an announcement can be played back there.
    const known = traffic.peers.get(peer)?.addresses ?? []
    if (policy === 'listen' && !addresses.every(address => known.includes(address))) return false
    traffic.offer(peer, addresses, 'announcement')
    traffic.carry()
    return true
  }
}

/** Of a bare IP address, `%interface` after a link-local one; [] when it is none. */
export function uri(bare: string, port: number): string[] {
  const address = addressOf(bare, port)
  return address === undefined ? [] : [formatAddress(address)]
}
