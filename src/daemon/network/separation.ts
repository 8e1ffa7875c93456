/**
 * Access points (and switches) that keep the devices of a network apart: what one says by multicast is heard by the
 * others, the gateway answers each, but nothing gets through from one to another. The kernel's neighbours show
 * it: the gateway is there, the other device is asked for and never answers.
 */
import { createSocket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import type { Neighbours } from '../../host/neighbours.ts'

/** An entry that is old is settled by the kernel within 8 s of the next packet (5 s, then three questions). */
const LOOKS = 10
const LOOK_MS = 1_000
/** RFC 863: whoever listens there throws it away. */
const DISCARD = 9

export interface Spot {
  /** Of ours. */
  readonly interface: string
  /** Bare IP address of the other device, no scope. */
  readonly address: string
  /** For how many milliseconds nothing got through; Infinity: nothing ever did. */
  readonly silentMs: number
}

/** together: it answers as a neighbour, so what keeps it from us is a firewall, or it does not run. */
export type Verdict = 'apart' | 'together' | 'unclear'

/** By one look. What the device answered before it fell silent says nothing of now. */
export function judge({ neighbours, gateways }: Neighbours, spot: Spot): Verdict {
  const here = neighbours.filter(one => one.interface === spot.interface)
  const routers = gateways.filter(one => one.interface === spot.interface).map(one => one.address)
  const gateway = here.find(
    ({ address, state }) => routers.includes(address) && (state === 'there' || state === 'old')
  )
  if (gateway === undefined || routers.includes(spot.address)) return 'unclear'
  const other = here.find(({ address }) => address === spot.address)
  if (other === undefined) return 'unclear'
  // some answer for all of their devices, to have a look at everything
  if (other.mac !== '' && other.mac === gateway.mac) return 'apart'
  if (other.state === 'there') return other.confirmedS * 1000 < spot.silentMs ? 'together' : 'unclear'
  return other.state === 'old' ? 'unclear' : 'apart'
}

/**
 * Whether the network keeps us apart from a device that is there for sure and does not answer: some seconds after
 * it was dialled in vain, or while it is. Takes 10 s at most. The kernel believes an answer for up to 45 s: before
 * that it may be unclear.
 */
export async function keptApart(
  spot: Spot,
  read: () => Promise<Neighbours>,
  wake: (address: string) => void = touch,
  pause: () => Promise<unknown> = () => delay(LOOK_MS, undefined, { ref: false })
): Promise<Verdict> {
  for (let looks = 0; looks < LOOKS; looks++) {
    if (looks > 0) await pause()
    const neighbours = await read()
    const verdict = judge(neighbours, { ...spot, silentMs: spot.silentMs + looks * LOOK_MS })
    if (verdict !== 'unclear') return verdict
    const routers = neighbours.gateways.filter(one => one.interface === spot.interface)
    if (routers.length === 0) return 'unclear'
    // who was not spoken to for long may be no neighbour any more
    if (looks === 0) for (const { address } of routers) wake(address)
  }
  return 'unclear'
}

/** One empty datagram, so that the kernel asks who that is. */
function touch(address: string): void {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const close = () => socket.close()
  socket.on('error', close)
  socket.send('', DISCARD, address, error => {
    if (error === null) close()
  })
}
