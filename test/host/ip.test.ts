import t from 'tap'
import { eventOf, parseIp } from '../../src/host/ip.ts'

const eth0 = {
  ifindex: 2,
  link_index: 3,
  ifname: 'eth0',
  flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
  link_type: 'ether',
  address: 'AA:48:67:0d:4c:56',
  addr_info: [
    { family: 'inet', local: '192.0.2.7', prefixlen: 24, scope: 'global', dynamic: true },
    { family: 'inet6', local: '2001:db8::7', prefixlen: 64, tentative: true },
    { family: 'inet6', local: '2001:db8::8', prefixlen: 64, dadfailed: true },
    { family: 'inet6', local: '2001:db8::9', prefixlen: 64, deprecated: true },
    { family: 'inet6', local: '2001:db8::a', prefixlen: 64, flags: ['tentative'] }
  ]
}

t.test('what ip prints', async t => {
  t.strictSame(parseIp(JSON.stringify([eth0])), [
    {
      name: 'eth0',
      index: 2,
      kind: 'ethernet',
      up: true,
      multicast: true,
      mac: 'aa:48:67:0d:4c:56',
      addresses: [
        { address: '192.0.2.7', prefix: 24, deprecated: false },
        { address: '2001:db8::9', prefix: 64, deprecated: true }
      ]
    }
  ])
  const [tunnel] = parseIp(
    JSON.stringify([{ ifname: 'office', ifindex: 4, flags: ['UP'], link_type: 'none' }])
  )
  t.strictSame(tunnel, {
    name: 'office',
    index: 4,
    kind: 'vpn',
    up: false,
    multicast: false,
    mac: '',
    addresses: []
  })
})

t.test('nonsense is left out, and no list at all is an error', async t => {
  const odd = [
    {},
    null,
    7,
    { ...eth0, flags: 'UP' },
    { ...eth0, ifname: 3 },
    { ...eth0, addr_info: [null, {}, { local: 1 }] }
  ]
  const parsed = parseIp(JSON.stringify(odd))
  t.strictSame(
    parsed.map(i => [i.name, i.addresses.length]),
    [['eth0', 0]]
  )
  for (const text of ['', '{}', 'Usage: ip']) t.throws(() => parseIp(text))
})

t.test('lines of the monitor', async t => {
  const lines: [string, string | undefined][] = [
    [
      '2: eth0    inet 10.9.9.1/24 scope global eth0\\       valid_lft forever preferred_lft forever',
      'address'
    ],
    ['Deleted 2: eth0    inet6 fe80::1/64 scope link \\       valid_lft forever', 'address'],
    [
      '4: usb0@NONE: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default \\    link/ether',
      'link'
    ],
    ['Deleted 4: usb0@NONE: <BROADCAST,MULTICAST> mtu 1500', 'link'],
    ['default via 10.77.1.1 dev eth0 proto dhcp', 'link'],
    ['Deleted default via 10.77.1.1 dev eth0', 'link'],
    ['local 10.9.9.1 dev eth0 table local proto kernel scope host src 10.9.9.1', undefined],
    ['10.9.9.0/24 dev eth0 proto kernel scope link src 10.9.9.1', undefined],
    ['', undefined]
  ]
  for (const [line, expected] of lines) t.equal(eventOf(line), expected, line)
})
