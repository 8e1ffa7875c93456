/** What is known of the link that each of our addresses is on. Pure. */
import type { InterfaceKind, Snapshot } from './interfaces.ts'
import type { BoundListener } from './listeners.ts'

/** Where others reach us, and over what. */
export interface Reach extends BoundListener {
  readonly kind: 'wired' | 'wireless' | 'tunnel' | 'loopback' | 'other'
  readonly metered: boolean
  /** Length of the prefix that is on the link; 0 when it is not known. */
  readonly prefix: number
  /** The default route leaves there. */
  readonly primary: boolean
}

const KINDS: { readonly [K in InterfaceKind]: Reach['kind'] } = {
  ethernet: 'wired',
  bridge: 'wired',
  container: 'wired',
  wifi: 'wireless',
  wwan: 'wireless',
  vpn: 'tunnel',
  loopback: 'loopback',
  other: 'other'
}

/** A tunnel costs what the default route costs: nobody says it of tunnels. */
export function reach(bound: readonly BoundListener[], snapshot: Snapshot | undefined): Reach[] {
  const primary = snapshot?.interfaces.find(i => i.name === snapshot.primary)
  return bound.map(listener => {
    const found = snapshot?.interfaces.find(i => i.name === listener.interface)
    const [bare] = listener.address.split('%')
    return {
      ...listener,
      kind: found === undefined ? 'other' : KINDS[found.kind],
      metered: (found?.kind === 'vpn' ? (primary ?? found) : found)?.metered ?? false,
      prefix: found?.addresses.find(({ address }) => address === bare)?.prefix ?? 0,
      primary: found !== undefined && found === primary
    }
  })
}
