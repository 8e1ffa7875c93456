/**
 * NetworkManager over the system bus: everything in one GetManagedObjects, asked for again when one of its
 * signals says that something we care about changed. (NetworkManager D-Bus reference, 1.16 to 1.5x.)
 */
import type { InterfaceKind, Snapshot } from '../net/interfaces.ts'
import { type Bus, BusError, type BusMessage, plain } from './bus.ts'
import { isObject, numberOf, objectOf, type Properties, textOf } from './objects.ts'
import type { Facts, InterfaceFacts } from './snapshot.ts'

const NM = 'org.freedesktop.NetworkManager'
const ROOT = '/org/freedesktop/NetworkManager'
const PROPERTIES = 'org.freedesktop.DBus.Properties'
const OBJECT_MANAGER = 'org.freedesktop.DBus.ObjectManager'

const ACTIVATED = 100
/** NMDeviceType → ours; what is missing is `other`. A veth is as good as a cable unless its name says otherwise. */
const KINDS: { readonly [type: number]: InterfaceKind } = {
  1: 'ethernet',
  2: 'wifi',
  8: 'wwan',
  9: 'ethernet',
  10: 'ethernet',
  11: 'ethernet',
  13: 'bridge',
  15: 'ethernet',
  16: 'vpn',
  17: 'vpn',
  18: 'ethernet',
  20: 'ethernet',
  21: 'ethernet',
  23: 'vpn',
  29: 'vpn',
  32: 'loopback'
}
/** NMConnectivityState */
const CONNECTIVITY: readonly Snapshot['connectivity'][] = ['', 'none', 'portal', 'limited', 'full']
const PORTAL = 2
/** NMMetered: yes, and guessed yes. */
const METERED = new Set([1, 3])
/** NM80211ApSecurityFlags: PSK, 802.1X, SAE, EAP Suite B. OWE encrypts, but lets everybody in. */
const KEYED = 0x100 | 0x200 | 0x400 | 0x2000
/** NM80211ApFlags */
const PRIVACY = 1

/** Facts, and the settings object of each active connection by interface (its zone is only told there). */
export interface NetworkManagerState extends Facts {
  readonly settings: ReadonlyMap<string, string>
}

/** Of the (plain) answer to GetManagedObjects. Devices that make no sense are left out. */
export function networkManagerState(
  objects: unknown,
  zones: ReadonlyMap<string, string>
): NetworkManagerState {
  const all = objectOf(objects)
  const at = (path: unknown, name: string): Properties => objectOf(objectOf(all[textOf(path)])[name])
  const active = (path: unknown) => at(path, `${NM}.Connection.Active`)
  const manager = at(ROOT, NM)
  const interfaces = new Map<string, InterfaceFacts>()
  const names = new Map<string, string>()
  const settings = new Map<string, string>()
  for (const [path, object] of Object.entries(all)) {
    const device = objectOf(object)[`${NM}.Device`]
    if (!isObject(device)) continue
    const name = textOf(device['IpInterface']) || textOf(device['Interface'])
    if (name === '' || typeof device['State'] !== 'number') continue
    const managed = device['Managed'] !== false
    const connection = active(device['ActiveConnection'])
    const setting = textOf(connection['Connection'])
    if (setting.startsWith('/org')) settings.set(name, setting)
    names.set(path, name)
    interfaces.set(name, {
      kind: KINDS[numberOf(device['DeviceType'])] ?? '',
      managed,
      usable: device['State'] === ACTIVATED || !managed,
      connection: textOf(connection['Uuid']),
      zone: zones.get(setting) ?? '',
      metered: METERED.has(numberOf(device['Metered'])),
      open:
        device['Ip4Connectivity'] === PORTAL ||
        device['Ip6Connectivity'] === PORTAL ||
        isOpen(at(at(path, `${NM}.Device.Wireless`)['ActiveAccessPoint'], `${NM}.AccessPoint`))
    })
  }
  const devices = active(manager['PrimaryConnection'])['Devices']
  const primary = (Array.isArray(devices) && names.get(textOf(devices[0]))) || ''
  const connectivity = CONNECTIVITY[numberOf(manager['Connectivity'])] ?? ''
  const behind = interfaces.get(primary)
  if (connectivity === 'portal' && behind) interfaces.set(primary, { ...behind, open: true })
  return { connectivity, primary, interfaces, settings }
}

function isOpen(accessPoint: Properties): boolean {
  const { Flags, WpaFlags, RsnFlags } = accessPoint
  if (typeof Flags !== 'number' || typeof WpaFlags !== 'number' || typeof RsnFlags !== 'number') return false
  const security = WpaFlags | RsnFlags
  return (security & KEYED) === 0 && (security !== 0 || (Flags & PRIVACY) === 0)
}

const IGNORED = new Set([`${NM}.Device.Statistics`, `${NM}.AccessPoint`, `${NM}.DnsManager`])

/**
 * Whether a signal asks for another look: `now` when an interface came into or out of use. Access points that
 * come, go and fade (every few seconds on Wi-Fi) do not.
 */
export function concerns(m: Pick<BusMessage, 'interface' | 'member' | 'body'>): 'now' | 'soon' | undefined {
  if (m.interface === `${NM}.Device` && m.member === 'StateChanged') {
    return m.body[0] === ACTIVATED || m.body[1] === ACTIVATED ? 'now' : 'soon'
  }
  if (m.interface === OBJECT_MANAGER) {
    return textOf(m.body[0]).startsWith(`${ROOT}/AccessPoint`) ? undefined : 'soon'
  }
  if (m.interface === `${NM}.Settings.Connection`) return m.member === 'Updated' ? 'soon' : undefined
  if (m.interface !== PROPERTIES || IGNORED.has(textOf(m.body[0]))) return undefined
  if (m.body[0] === `${NM}.Device.Wireless`) {
    return 'ActiveAccessPoint' in objectOf(m.body[1]) ? 'soon' : undefined
  }
  return 'soon'
}

/** It may answer later. */
const UNANSWERED = /\.(Timeout|NoReply|Disconnected)$/

/** Where the signals come from that `concerns` looks at. */
const PATHS = ['Devices', 'ActiveConnection', 'IP4Config', 'IP6Config'].map(name => `${ROOT}/${name}`)

/** It answers in milliseconds, or hangs. */
const VERSION_MS = 2_000

export class NetworkManagerSource {
  readonly name = 'NetworkManager'
  readonly #bus: Bus
  #zones = new Map<string, string>()
  #ends: (() => void)[] = []

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** onOwner: '' while it is not there. */
  start(events: { onOwner(owner: string): void; onChange(when: 'now' | 'soon'): void }): void {
    const onSignal = (m: BusMessage) => {
      if (m.interface === `${NM}.Settings.Connection`) this.#zones.delete(m.path)
      const when = concerns(m)
      if (when) events.onChange(when)
    }
    const rules = [
      { path: ROOT, interface: PROPERTIES },
      { path: '/org/freedesktop', interface: OBJECT_MANAGER },
      { pathNamespace: `${ROOT}/Settings`, interface: `${NM}.Settings.Connection` },
      { pathNamespace: `${ROOT}/Devices`, interface: `${NM}.Device`, member: 'StateChanged' },
      ...PATHS.map(pathNamespace => ({ pathNamespace, interface: PROPERTIES }))
    ]
    this.#ends = rules.map(rule => this.#bus.match({ sender: NM, ...rule }, onSignal))
    this.#ends.push(this.#bus.watchName(NM, owner => events.onOwner(owner)))
  }

  stop(): void {
    for (const end of this.#ends) end()
    this.#ends = []
  }

  /** Rejects BusError when it does not answer in time, or with something that is not about a network. */
  async read(timeoutMs: number): Promise<Facts> {
    const [answer] = await this.#bus.call({
      destination: NM,
      path: '/org/freedesktop',
      interface: OBJECT_MANAGER,
      member: 'GetManagedObjects',
      timeoutMs,
      autoStart: false
    })
    const objects = plain(answer)
    if (!isObject(objectOf(objectOf(objects)[ROOT])[NM]))
      throw new BusError('org.freedesktop.DBus.Error.InvalidSignature', 'the answer makes no sense')
    const state = networkManagerState(objects, this.#zones)
    const paths = new Set(state.settings.values())
    for (const path of this.#zones.keys()) if (!paths.has(path)) this.#zones.delete(path)
    const unknown = [...paths].filter(path => !this.#zones.has(path))
    if (unknown.length === 0) return state
    await Promise.all(unknown.map(path => this.#readZone(path, timeoutMs)))
    return networkManagerState(objects, this.#zones)
  }

  async #readZone(path: string, timeoutMs: number): Promise<void> {
    let zone = ''
    try {
      const [answer] = await this.#bus.call({
        destination: NM,
        path,
        interface: `${NM}.Settings.Connection`,
        member: 'GetSettings',
        timeoutMs,
        autoStart: false
      })
      zone = textOf(objectOf(objectOf(plain(answer))['connection'])['zone'])
    } catch (error) {
      if (error instanceof BusError && UNANSWERED.test(error.errorName)) throw error
      // Another user's profile, or gone by now: without a zone.
    }
    this.#zones.set(path, zone)
  }
}

/** '' when it does not run, or does not say. */
export async function networkManagerVersion(bus: Bus): Promise<string> {
  try {
    const [answer] = await bus.call({
      destination: NM,
      path: ROOT,
      interface: PROPERTIES,
      member: 'Get',
      signature: 'ss',
      body: [NM, 'Version'],
      timeoutMs: VERSION_MS,
      autoStart: false
    })
    return textOf(plain(answer))
  } catch {
    return ''
  }
}
