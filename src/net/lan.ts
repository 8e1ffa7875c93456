/**
 * On which of our networks an address is, and the packet that wakes a card there.
 *
 * It is bound to our address on that interface and goes to 255.255.255.255, which Linux sends by the interface that
 * has the source address: the broadcast address of a subnet goes wherever the route to that subnet leads, which may
 * be another interface, one that is not in use. Without IPv4 it goes to all of the link, ff02::1.
 */
import { createSocket } from 'node:dgram'
import { magicPacket, WAKE_PORT } from '../wire/wake.ts'
import { type Interface, isLinkLocal } from './interfaces.ts'
import { within } from './place.ts'

/** Some cards miss the first. */
const TIMES = 2

/** An interface in use, and the address of ours that a packet to all of its link leaves from. */
export interface Lan {
  readonly interface: string
  readonly from: string
}

/** Of these interfaces, the one with that bare address (no link-local one) in a subnet; undefined: none. */
export function lanOf(
  interfaces: readonly Pick<Interface, 'name' | 'kind' | 'addresses'>[],
  address: string
): Lan | undefined {
  for (const { name, kind, addresses } of interfaces) {
    // nobody is woken at the other end of a tunnel
    if (kind === 'loopback' || kind === 'vpn' || kind === 'wwan') continue
    const near = addresses.filter(own => !isLinkLocal(own.address) && within([own], address))
    if (near.length === 0) continue
    const four = [...near, ...addresses].find(own => !own.address.includes(':'))
    if (four !== undefined) return { interface: name, from: four.address }
    const six = addresses.find(own => isLinkLocal(own.address))
    if (six !== undefined) return { interface: name, from: `${six.address}%${name}` }
  }
  return undefined
}

/** Wakes that card (6 bytes). Rejects what the kernel says when it takes no packet. */
export async function sendMagic(mac: Uint8Array, { interface: name, from }: Lan): Promise<void> {
  const six = from.includes(':')
  const socket = createSocket(six ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' })
  const packet = magicPacket(mac)
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject)
      socket.bind({ address: from, port: 0 }, () => {
        if (six) socket.setMulticastInterface(`::%${name}`)
        else socket.setBroadcast(true)
        let left = TIMES
        const sent = (error: Error | null) => {
          if (error) reject(error)
          else if (--left === 0) resolve()
        }
        for (let i = 0; i < TIMES; i++)
          socket.send(packet, WAKE_PORT, six ? `ff02::1%${name}` : '255.255.255.255', sent)
      })
    })
  } finally {
    socket.close()
  }
}
