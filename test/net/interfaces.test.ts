import t from 'tap'
import {
  canonical,
  compareAddresses,
  type Delta,
  delta,
  type Interface,
  isContainerName,
  isLinkLocal,
  type Snapshot
} from '../../src/net/interfaces.ts'

const eth0: Interface = {
  name: 'eth0',
  index: 2,
  kind: 'ethernet',
  addresses: [
    { address: '192.0.2.7', prefix: 24 },
    { address: 'fe80::7', prefix: 64 }
  ],
  up: true,
  multicast: true,
  managed: true,
  connection: '8add3fd2-0313-4f91-932c-8c60b28b82fc',
  zone: '',
  metered: false,
  open: false,
  unknown: false,
  mac: '02:00:00:00:00:07'
}
const wlan0: Interface = {
  ...eth0,
  name: 'wlan0',
  index: 3,
  kind: 'wifi',
  addresses: [{ address: '198.51.100.3', prefix: 24 }],
  mac: '02:00:00:00:00:03'
}
const base: Snapshot = {
  source: 'NetworkManager',
  interfaces: [eth0, wlan0],
  connectivity: 'full',
  primary: 'eth0'
}
const withEth = (change: Partial<Interface>): Snapshot => ({
  ...base,
  interfaces: [{ ...eth0, ...change }, wlan0]
})

const nothing: Delta = {
  changed: false,
  appeared: [],
  gone: [],
  cameUp: [],
  wentDown: [],
  addressesAdded: [],
  addressesRemoved: [],
  macChanged: [],
  meteredChanged: [],
  policyChanged: [],
  primaryChanged: false,
  connectivityChanged: false,
  sourceChanged: false,
  gained: false
}
const four = { interface: 'eth0', address: '192.0.2.7' }
const six = { interface: 'eth0', address: 'fe80::7' }

const table: [string, Snapshot | undefined, Snapshot, Partial<Delta>][] = [
  ['nothing', base, structuredClone(base), { changed: false }],
  [
    'the first look',
    undefined,
    base,
    {
      appeared: ['eth0', 'wlan0'],
      cameUp: ['eth0', 'wlan0'],
      addressesAdded: [four, six, { interface: 'wlan0', address: '198.51.100.3' }],
      primaryChanged: true,
      connectivityChanged: true,
      sourceChanged: true,
      gained: true
    }
  ],
  [
    'an interface appears, without address',
    { ...base, interfaces: [eth0] },
    withEth({}),
    {
      appeared: ['wlan0'],
      cameUp: ['wlan0'],
      addressesAdded: [{ interface: 'wlan0', address: '198.51.100.3' }],
      gained: true
    }
  ],
  [
    'an interface goes',
    base,
    { ...base, interfaces: [wlan0], primary: 'wlan0' },
    {
      gone: ['eth0'],
      wentDown: ['eth0'],
      addressesRemoved: [four, six],
      primaryChanged: true,
      gained: true
    }
  ],
  [
    'it goes down',
    base,
    { ...withEth({ up: false, addresses: [] }), primary: '' },
    {
      wentDown: ['eth0'],
      addressesRemoved: [four, six],
      primaryChanged: true
    }
  ],
  [
    'an address is added',
    withEth({ addresses: [eth0.addresses[1]!] }),
    base,
    {
      addressesAdded: [four],
      gained: true
    }
  ],
  ['an address is removed', base, withEth({ addresses: [eth0.addresses[0]!] }), { addressesRemoved: [six] }],
  [
    'the prefix of an address changes',
    base,
    withEth({ addresses: [{ address: '192.0.2.7', prefix: 16 }, eth0.addresses[1]!] }),
    {
      addressesAdded: [four],
      addressesRemoved: [four],
      gained: true
    }
  ],
  [
    'the interface was made anew under its name',
    base,
    withEth({ index: 9 }),
    {
      appeared: ['eth0'],
      gone: ['eth0'],
      cameUp: ['eth0'],
      wentDown: ['eth0'],
      addressesAdded: [four, six],
      addressesRemoved: [four, six],
      gained: true
    }
  ],
  ['another MAC address', base, withEth({ mac: '02:00:00:00:00:99' }), { macChanged: ['eth0'] }],
  ['metered', base, withEth({ metered: true }), { meteredChanged: ['eth0'] }],
  ['another profile', base, withEth({ connection: 'x' }), { policyChanged: ['eth0'] }],
  ['another zone', base, withEth({ zone: 'home' }), { policyChanged: ['eth0'] }],
  [
    'a portal',
    base,
    { ...withEth({ open: true }), connectivity: 'portal' },
    {
      policyChanged: ['eth0'],
      connectivityChanged: true
    }
  ],
  ['no longer looked after', base, withEth({ managed: false }), { policyChanged: ['eth0'] }],
  ['multicast', base, withEth({ multicast: false }), {}],
  ['the default route moves', base, { ...base, primary: 'wlan0' }, { primaryChanged: true, gained: true }],
  ['another source', base, { ...base, source: 'ip' }, { sourceChanged: true }]
]
for (const [what, old, now, facts] of table) {
  t.strictSame(delta(old, now), { ...nothing, changed: true, ...facts }, what)
}

t.test('equal networks are equal values, whatever the order they were read in', async t => {
  const shuffled: Snapshot = {
    primary: 'eth0',
    connectivity: 'full',
    interfaces: [
      wlan0,
      { ...eth0, addresses: [...eth0.addresses, eth0.addresses[0]!].reverse(), extra: 1 } as Interface
    ],
    source: 'NetworkManager'
  }
  t.equal(JSON.stringify(canonical(shuffled)), JSON.stringify(canonical(base)))
  t.notOk(delta(canonical(base), canonical(shuffled)).changed)
})

t.test('addresses are ordered by family, scope and value', async t => {
  const ordered = ['9.0.0.1', '10.0.0.2', '10.0.0.10', '2001:db8::2', '2001:db8::10', 'fd00::1', 'fe80::1']
  t.strictSame([...ordered].reverse().sort(compareAddresses), ordered)
})

t.test('names', async t => {
  for (const name of ['docker0', 'veth12ab', 'br-09f2', 'virbr0', 'lxcbr0']) t.ok(isContainerName(name), name)
  for (const name of ['eth0', 'br0', 'bridge', 'wlan0', 'lo', 'my-veth0'])
    t.notOk(isContainerName(name), name)
  for (const address of ['fe80::1', 'febf::1', 'fe80::1%eth0']) t.ok(isLinkLocal(address), address)
  for (const address of ['fec0::1', '169.254.0.1', '::1', 'nonsense']) t.notOk(isLinkLocal(address), address)
})
