/** systemd-networkd over the system bus: Manager.Describe gives its whole state as JSON (since 250). */
import type { InterfaceKind } from '../net/interfaces.ts'
import type { Bus } from './bus.ts'
import { isObject, objectOf, textOf } from './objects.ts'
import type { Facts, InterfaceFacts } from './snapshot.ts'

const NETWORKD = 'org.freedesktop.network1'
const ROOT = '/org/freedesktop/network1'
const KINDS: { readonly [type: string]: InterfaceKind } = {
  loopback: 'loopback',
  wlan: 'wifi',
  wwan: 'wwan',
  bridge: 'bridge',
  wireguard: 'vpn',
  none: 'vpn',
  ppp: 'vpn'
}

/**
 * Of the text that Describe gives. A networkd that looks after no interface at all has no say. Throws when the
 * text is no JSON.
 */
export function networkdFacts(text: string): Facts {
  const described = objectOf(JSON.parse(text))['Interfaces']
  const list = (Array.isArray(described) ? described : []).filter(isObject)
  const state = (i: object) => textOf(objectOf(i)['AdministrativeState'])
  const inCharge = list.some(i => textOf(i['Name']) !== 'lo' && !['', 'unmanaged'].includes(state(i)))
  const interfaces = new Map<string, InterfaceFacts>()
  for (const i of list) {
    const name = textOf(i['Name'])
    if (name === '') continue
    interfaces.set(name, {
      kind: KINDS[textOf(i['Kind'])] ?? KINDS[textOf(i['Type'])] ?? '',
      managed: !inCharge || state(i) !== 'unmanaged',
      usable: true,
      connection: '',
      zone: '',
      metered: false,
      open: false
    })
  }
  return { connectivity: '', primary: undefined, interfaces }
}

export class NetworkdSource {
  readonly name = 'networkd'
  readonly #bus: Bus
  #ends: (() => void)[] = []

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** onOwner: '' while it is not there. */
  start(events: { onOwner(owner: string): void; onChange(when: 'now' | 'soon'): void }): void {
    this.#ends = [
      this.#bus.match(
        { sender: NETWORKD, pathNamespace: ROOT, interface: 'org.freedesktop.DBus.Properties' },
        () => events.onChange('soon')
      ),
      this.#bus.watchName(NETWORKD, owner => events.onOwner(owner))
    ]
  }

  stop(): void {
    for (const end of this.#ends) end()
    this.#ends = []
  }

  /** Rejects BusError when it does not answer in time, or is too old to. */
  async read(timeoutMs: number): Promise<Facts> {
    const [text] = await this.#bus.call({
      destination: NETWORKD,
      path: ROOT,
      interface: `${NETWORKD}.Manager`,
      member: 'Describe',
      timeoutMs,
      autoStart: false
    })
    return networkdFacts(textOf(text))
  }
}
