import t from 'tap'
import {
  type Facts,
  type InterfaceFacts,
  join,
  type KernelInterface,
  kindOf,
  settle
} from '../../src/host/snapshot.ts'

const eth0: KernelInterface = {
  name: 'eth0',
  index: 2,
  kind: 'ethernet',
  up: true,
  multicast: true,
  mac: '02:00:00:00:00:07',
  addresses: [{ address: '192.0.2.7', prefix: 24, deprecated: false }]
}
const facts: InterfaceFacts = {
  kind: 'ethernet',
  managed: true,
  usable: true,
  connection: 'uuid',
  zone: 'home',
  metered: true,
  open: true
}
const said = (
  interfaces: { [name: string]: InterfaceFacts },
  primary: string | undefined = 'eth0'
): Facts => ({
  connectivity: 'full',
  primary,
  interfaces: new Map(Object.entries(interfaces))
})
const nm = { source: 'NetworkManager', strict: true, unknown: () => false } as const
const alone = { source: 'ip', strict: false, unknown: () => false } as const
const first = (...args: Parameters<typeof join>) => join(...args).interfaces[0]!
const kernel = (...interfaces: KernelInterface[]) => ({ interfaces, checking: false, primary: 'eth0' })

t.test('the kernel alone: managed, and whatever it has', async t => {
  t.strictSame(join(kernel(eth0), undefined, alone), {
    source: 'ip',
    interfaces: [
      {
        name: 'eth0',
        index: 2,
        kind: 'ethernet',
        addresses: [{ address: '192.0.2.7', prefix: 24 }],
        up: true,
        multicast: true,
        managed: true,
        connection: '',
        zone: '',
        metered: false,
        open: false,
        unknown: false,
        mac: '02:00:00:00:00:07'
      }
    ],
    connectivity: '',
    primary: 'eth0'
  })
})

t.test('a manager adds what it knows', async t => {
  const { connection, zone, metered, open, up } = first(kernel(eth0), said({ eth0: facts }), nm)
  t.strictSame(
    { connection, zone, metered, open, up },
    { connection: 'uuid', zone: 'home', metered: true, open: true, up: true }
  )
  t.equal(join(kernel(eth0), said({}, 'wlan0'), nm).primary, 'wlan0')
  t.equal(join(kernel(eth0), said({}, undefined), nm).primary, 'eth0', 'the kernel where it does not say')
})

t.test(
  'an address counts only with the state: going down, it is gone before the kernel takes it',
  async t => {
    const going = first(kernel(eth0), said({ eth0: { ...facts, usable: false } }), nm)
    t.notOk(going.up)
    t.strictSame(going.addresses, [])
    const unplugged = first(kernel({ ...eth0, up: false }), said({ eth0: facts }), nm)
    t.notOk(unplugged.up)
    t.strictSame(unplugged.addresses, [])
  }
)

t.test('an interface its manager does not know yet waits; nobody to know it, it is used', async t => {
  t.notOk(first(kernel(eth0), said({}), nm).up)
  t.ok(first(kernel(eth0), said({}), alone).up)
})

t.test('what is still to come is marked', async t => {
  const unknown = ({ name }: KernelInterface) => name === 'eth0'
  const other = { ...eth0, name: 'eth1', index: 3 }
  const { interfaces } = join(kernel(eth0, other), undefined, { ...alone, unknown })
  t.strictSame(
    interfaces.map(i => [i.name, i.unknown]),
    [
      ['eth0', true],
      ['eth1', false]
    ]
  )
})

t.test('deprecated addresses count only where there is no better one', async t => {
  const address = (text: string, deprecated: boolean) => ({ address: text, prefix: 64, deprecated })
  const addresses = [
    address('2001:db8::1', true),
    address('2001:db8::2', false),
    address('fe80::1', true),
    address('192.0.2.7', true)
  ]
  const { addresses: left } = first(kernel({ ...eth0, addresses }), undefined, alone)
  t.strictSame(
    left.map(a => a.address),
    ['192.0.2.7', '2001:db8::2', 'fe80::1']
  )
})

t.test('a container name stays one, whatever a manager calls it', async t => {
  const docker = { ...eth0, name: 'docker0', kind: kindOf('docker0') }
  t.equal(first(kernel(docker), said({ docker0: { ...facts, kind: 'bridge' } }), nm).kind, 'container')
  t.equal(first(kernel(eth0), said({ eth0: { ...facts, kind: 'wifi' } }), nm).kind, 'wifi')
  t.equal(first(kernel(eth0), said({ eth0: { ...facts, kind: '' } }), nm).kind, 'ethernet')
})

t.test('kinds by name', async t => {
  for (const [name, kind] of Object.entries({
    lo: 'loopback',
    enp3s0: 'ethernet',
    eth0: 'ethernet',
    wlp2s0: 'wifi',
    wwan0: 'wwan',
    wg0: 'vpn',
    tailscale0: 'vpn',
    br0: 'bridge',
    'br-1f2e': 'container',
    veth0: 'container',
    usb0: 'other'
  })) {
    t.equal(kindOf(name), kind, name)
  }
})

t.test('after a restart what was in use stays so until it is taken up again', async t => {
  const before = said({ eth0: facts, wlan0: facts, lo: { ...facts, managed: false } })
  const out = { ...facts, usable: false, connection: '' }
  const now = said({ eth0: out, wlan0: { ...facts, zone: 'work' }, lo: out }, '')
  const settled = settle(before, now)
  t.equal(settled.interfaces.get('eth0'), facts)
  t.equal(settled.interfaces.get('wlan0')!.zone, 'work')
  t.notOk(settled.interfaces.get('lo')!.usable)
  t.equal(settled.primary, 'eth0')
  t.equal(settle(before, said({ eth0: facts }, 'wlan0')).primary, 'wlan0')
  const released = { ...facts, managed: false, usable: true }
  t.equal(settle(before, said({ eth0: released })).interfaces.get('eth0'), facts)
})
