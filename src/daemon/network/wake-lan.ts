/** Waking by LAN, both ways: the cards of this computer, and the packet for those of others. */
import type { Interface, InterfaceKind } from '../../net/interfaces.ts'
import { lanOf, sendMagic } from '../../net/lan.ts'
import type { BoundListener } from '../../net/listeners.ts'
import type { Planned } from '../../net/policy.ts'
import { addressOf, formatHost } from '../../wire/address.ts'
import type { Card } from '../../wire/extra.ts'
import type { Log } from '../log.ts'

/** Kinds of interfaces whose card may wake a computer. */
const WAKEABLE: ReadonlySet<InterfaceKind> = new Set(['ethernet', 'wifi', 'bridge'])

/** How this computer can be woken: its cards, by the addresses it listens on. */
export function ownCards(interfaces: readonly Interface[], bound: readonly BoundListener[]): Card[] {
  return bound.flatMap(({ interface: name, address, port }) => {
    const { mac = '', kind = 'other' } = interfaces.find(i => i.name === name) ?? {}
    const parsed = addressOf(address, port)
    return parsed === undefined || mac === '' || !WAKEABLE.has(kind)
      ? []
      : [{ address: parsed, mac: macBytes(mac) }]
  })
}

/** Wakes a card that is on one of the networks in use. False: it is not, or the packet did not leave. */
export async function wakeOnLan(
  { address, mac }: Card,
  interfaces: readonly Interface[],
  used: readonly Planned[],
  log: Log
): Promise<boolean> {
  const names = new Set(used.map(({ interface: name }) => name))
  const among = interfaces.filter(({ name }) => names.has(name))
  const lan = lanOf(among, formatHost(address))
  if (lan === undefined) return false
  try {
    await sendMagic(mac, lan)
    return true
  } catch (error) {
    log('warn', `no packet to wake a computer leaves by ${lan.interface}`, { error: String(error) })
    return false
  }
}

/** `02:77:00:00:00:01`. */
const macBytes = (mac: string): Uint8Array =>
  Uint8Array.from(mac.split(':'), byte => Number.parseInt(byte, 16))
