import t from 'tap'
import { concerns, networkManagerState } from '../../src/host/network-manager.ts'

const NM = 'org.freedesktop.NetworkManager'
const ROOT = '/org/freedesktop/NetworkManager'
const none = new Map<string, string>()

const device = (change: object = {}) => ({
  [`${NM}.Device`]: {
    Interface: 'eth0',
    IpInterface: 'eth0',
    State: 100,
    Managed: true,
    DeviceType: 20,
    Metered: 4,
    ActiveConnection: `${ROOT}/ActiveConnection/2`,
    Ip4Connectivity: 4,
    Ip6Connectivity: 4,
    ...change
  }
})
const active = {
  [`${ROOT}/ActiveConnection/2`]: {
    [`${NM}.Connection.Active`]: {
      Connection: `${ROOT}/Settings/1`,
      Uuid: '8add3fd2-0313-4f91-932c-8c60b28b82fc',
      Devices: [`${ROOT}/Devices/2`]
    }
  }
}
const manager = (change: object = {}) => ({
  [ROOT]: { [NM]: { PrimaryConnection: `${ROOT}/ActiveConnection/2`, Connectivity: 4, ...change } }
})
const eth0 = (change: object = {}, others: object = {}) =>
  networkManagerState(
    { ...manager(), ...active, [`${ROOT}/Devices/2`]: device(change), ...others },
    none
  ).interfaces.get('eth0')

t.test('a cable', async t => {
  const objects = { ...manager(), ...active, [`${ROOT}/Devices/2`]: device() }
  const state = networkManagerState(objects, new Map([[`${ROOT}/Settings/1`, 'home']]))
  t.equal(state.primary, 'eth0')
  t.equal(state.connectivity, 'full')
  t.strictSame([...state.settings], [['eth0', `${ROOT}/Settings/1`]])
  t.strictSame(state.interfaces.get('eth0'), {
    kind: 'ethernet',
    managed: true,
    usable: true,
    connection: '8add3fd2-0313-4f91-932c-8c60b28b82fc',
    zone: 'home',
    metered: false,
    open: false
  })
})

t.test('states: only activated ones are used, and those it leaves alone', async t => {
  for (const [State, Managed, usable] of [
    [100, true, true],
    [10, false, true],
    [10, true, false],
    [20, true, false],
    [30, true, false],
    [70, true, false],
    [90, true, false],
    [110, true, false],
    [120, true, false]
  ] as const) {
    t.equal(eth0({ State, Managed })?.usable, usable, `state ${State}, managed ${Managed}`)
  }
  t.equal(eth0({ Interface: 'cdc-wdm0', DeviceType: 8 })?.kind, 'wwan', 'the modem goes by its IP interface')
})

t.test('metered', async t => {
  for (const [Metered, expected] of [
    [0, false],
    [1, true],
    [2, false],
    [3, true],
    [4, false]
  ] as const) {
    t.equal(eth0({ Metered })?.metered, expected, `${Metered}`)
  }
})

t.test('behind a portal', async t => {
  t.ok(eth0({ Ip4Connectivity: 2 })?.open)
  t.ok(eth0({ Ip6Connectivity: 2 })?.open)
  t.ok(eth0({}, manager({ Connectivity: 2 }))?.open, 'by the whole, for the default route')
  t.notOk(eth0({ Ip4Connectivity: 1 }, manager({ Connectivity: 3 }))?.open)
})

t.test('open Wi-Fi', async t => {
  const PSK = 0x100
  const SAE = 0x400
  const OWE = 0x800
  const CIPHERS = 0x8 | 0x80
  for (const [what, Flags, WpaFlags, RsnFlags, expected] of [
    ['nothing at all', 0, 0, 0, true],
    ['WEP', 1, 0, 0, false],
    ['WPA', 1, PSK | CIPHERS, 0, false],
    ['WPA2', 1, 0, PSK | CIPHERS, false],
    ['WPA3', 1, 0, SAE | CIPHERS, false],
    ['enterprise', 1, 0, 0x200 | CIPHERS, false],
    ['OWE: encrypted, open to all', 1, 0, OWE | CIPHERS, true],
    ['nonsense', 'x', 0, 0, false]
  ] as const) {
    const path = `${ROOT}/AccessPoint/1`
    const wlan = {
      [`${ROOT}/Devices/2`]: {
        ...device({ DeviceType: 2 }),
        [`${NM}.Device.Wireless`]: { ActiveAccessPoint: path }
      },
      [path]: { [`${NM}.AccessPoint`]: { Flags, WpaFlags, RsnFlags } }
    }
    t.equal(eth0({}, wlan)?.open, expected, what)
  }
})

t.test('a device that makes no sense is skipped, the others are not', async t => {
  const odd = [
    null,
    7,
    [],
    {},
    { [`${NM}.Device`]: 3 },
    device({ Interface: 5, IpInterface: null }),
    device({ State: 'up' })
  ]
  const objects = {
    ...Object.fromEntries(odd.map((value, i) => [`${ROOT}/Devices/${i + 10}`, value])),
    ...active,
    ...manager({ PrimaryConnection: 9, Connectivity: 'x' }),
    [`${ROOT}/Devices/2`]: device({ ActiveConnection: 4, DeviceType: 'x', Metered: [], Managed: 0 })
  }
  const state = networkManagerState(objects, none)
  t.strictSame([...state.interfaces.keys()], ['eth0'])
  t.match(state.interfaces.get('eth0'), { kind: '', managed: true, connection: '', metered: false })
  t.equal(state.primary, '')
  t.equal(state.connectivity, '')
  for (const value of [undefined, null, 3, 'x', [1], { x: { [`${NM}.Device`]: null } }]) {
    t.equal(networkManagerState(value, none).interfaces.size, 0)
  }
})

t.test('which signals ask for a look', async t => {
  const properties = (name: string, changed: object = { X: 1 }) => ({
    interface: 'org.freedesktop.DBus.Properties',
    member: 'PropertiesChanged',
    body: [name, changed, []]
  })
  const state = (now: number, old: number) => ({
    interface: `${NM}.Device`,
    member: 'StateChanged',
    body: [now, old, 0]
  })
  const objects = (path: string) => ({
    interface: 'org.freedesktop.DBus.ObjectManager',
    member: 'InterfacesAdded',
    body: [path, {}]
  })
  for (const [what, m, expected] of [
    ['activated', state(100, 90), 'now'],
    ['deactivating', state(110, 100), 'now'],
    ['preparing', state(40, 30), 'soon'],
    ['a device', properties(`${NM}.Device`), 'soon'],
    ['addresses', properties(`${NM}.IP4Config`), 'soon'],
    ['the whole', properties(NM), 'soon'],
    ['traffic counters', properties(`${NM}.Device.Statistics`), undefined],
    ['a signal that fades', properties(`${NM}.AccessPoint`, { Strength: 3 }), undefined],
    ['a bit rate', properties(`${NM}.Device.Wireless`, { Bitrate: 3 }), undefined],
    ['roaming', properties(`${NM}.Device.Wireless`, { ActiveAccessPoint: '/x' }), 'soon'],
    ['a device more', objects(`${ROOT}/Devices/4`), 'soon'],
    ['an access point more', objects(`${ROOT}/AccessPoint/4`), undefined],
    ['a profile edited', { interface: `${NM}.Settings.Connection`, member: 'Updated', body: [] }, 'soon'],
    ['without arguments', { interface: 'org.freedesktop.DBus.Properties', member: 'x', body: [] }, 'soon']
  ] as const) {
    t.equal(concerns(m as never), expected, what)
  }
})
