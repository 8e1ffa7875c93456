import t from 'tap'
import type { Interface, Snapshot } from '../../src/net/interfaces.ts'
import { reach } from '../../src/net/reach.ts'

const card = (name: string, kind: Interface['kind'], more: Partial<Interface> = {}): Interface => ({
  name,
  index: 2,
  kind,
  addresses: [
    { address: '192.0.2.5', prefix: 20 },
    { address: 'fe80::5', prefix: 64 }
  ],
  up: true,
  multicast: true,
  managed: true,
  connection: '',
  zone: '',
  metered: false,
  open: false,
  unknown: false,
  mac: '',
  ...more
})
const snapshot = (primary: string, ...interfaces: Interface[]): Snapshot => ({
  source: 'NetworkManager',
  interfaces,
  connectivity: '',
  primary
})
const bound = (name: string, address: string) => ({
  interface: name,
  address,
  port: 24747,
  policy: 'announce' as const
})

t.test('what is known of the link of each listener', async t => {
  const network = snapshot('wlan0', card('eth0', 'ethernet'), card('wlan0', 'wifi', { metered: true }))
  t.match(reach([bound('eth0', '192.0.2.5'), bound('wlan0', 'fe80::5%wlan0')], network), [
    { address: '192.0.2.5', port: 24747, kind: 'wired', metered: false, prefix: 20, primary: false },
    { address: 'fe80::5%wlan0', kind: 'wireless', metered: true, prefix: 64, primary: true }
  ])
})

t.test('a tunnel costs what its carrier costs', async t => {
  const network = (metered: boolean) =>
    snapshot('wwan0', card('wwan0', 'wwan', { metered }), card('tun0', 'vpn'))
  for (const metered of [true, false])
    t.match(reach([bound('tun0', '192.0.2.5')], network(metered)), [{ kind: 'tunnel', metered }])
})

t.test('nothing is known', async t => {
  const unknown = { kind: 'other', metered: false, prefix: 0, primary: false }
  t.match(reach([bound('eth0', '192.0.2.5')], undefined), [unknown])
  t.match(reach([bound('eth0', '192.0.2.5')], snapshot('')), [unknown])
})
