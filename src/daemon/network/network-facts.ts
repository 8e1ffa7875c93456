/** What the checks of the network go by: what the attachment knows, and what the computer tells. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Bus } from '../../host/bus.ts'
import { hasOwner } from '../../host/bus-names.ts'
import { type Firewalld, firewalld } from '../../host/firewalld.ts'
import { mdnsResponders } from '../../host/mdns-responders.ts'
import { networkManagerVersion } from '../../host/network-manager.ts'
import { type Ufw, ufw } from '../../host/ufw.ts'
import type { Hearing } from '../../net/discovery.ts'
import type { BoundListener } from '../../net/listeners.ts'
import type { NetworkConfig } from '../../net/policy.ts'
import type { Attachment, Conditions } from './attachment.ts'

export interface NetworkFacts extends Conditions {
  readonly config: NetworkConfig
  readonly bound: readonly BoundListener[]
  /** There is a circle, so it listens. */
  readonly wanted: boolean
  readonly hearings: readonly Hearing[]
  readonly firewalld: Firewalld | undefined
  readonly ufw: Ufw | undefined
  /** The system bus is there. */
  readonly systemBus: boolean
  /** NetworkManager is on it. */
  readonly networkManager: boolean
  /** Of NetworkManager; '' when it does not say. */
  readonly networkManagerVersion: string
  /** Other programs that have port 5353. */
  readonly responders: readonly string[]
}

/** After the daemon has started: the first look may be still to come. */
const LOOK_MS = 1_000

/** Resolves within 5 s, whatever hangs. */
export async function networkFacts(
  attachment: Attachment,
  systemBus: Bus,
  { config, wanted }: Pick<NetworkFacts, 'config' | 'wanted'>
): Promise<NetworkFacts> {
  await Promise.race([attachment.looked, delay(LOOK_MS, undefined, { ref: false })])
  const planned = new Set(attachment.conditions.planned.map(({ interface: name }) => name))
  const [hearings, walls, networkManager, version, responders] = await Promise.all([
    wanted ? attachment.hearings() : [],
    firewalld(systemBus, [...planned]),
    hasOwner(systemBus, 'org.freedesktop.NetworkManager'),
    networkManagerVersion(systemBus),
    mdnsResponders(systemBus)
  ])
  return {
    ...attachment.conditions,
    config,
    wanted,
    bound: attachment.bound,
    hearings,
    firewalld: walls,
    ufw: ufw(),
    systemBus: systemBus.connected,
    networkManager,
    networkManagerVersion: version,
    responders
  }
}
