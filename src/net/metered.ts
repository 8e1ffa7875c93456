/** Whether what this device sends costs by the byte. Pure. */
import type { Snapshot } from './interfaces.ts'

/**
 * All networks in use are metered, as far as anybody says. A tunnel costs what the default route costs: its
 * packets go that way, and nobody says it of tunnels. `used`: names of interfaces.
 */
export function isMetered({ interfaces, primary }: Snapshot, used: Iterable<string>): boolean {
  const carriers = [...used].map(name => {
    const found = interfaces.find(i => i.name === name)
    return found?.kind === 'vpn' ? (interfaces.find(i => i.name === primary) ?? found) : found
  })
  const outside = carriers.filter(i => i !== undefined && i.kind !== 'loopback')
  return outside.length > 0 && outside.every(i => i?.metered)
}
