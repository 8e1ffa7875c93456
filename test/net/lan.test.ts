import t from 'tap'
import { lanOf, sendMagic } from '../../src/net/lan.ts'
import { inside, ip, mute } from '../namespace.ts'

const iface = (name: string, kind: 'ethernet' | 'wifi' | 'vpn', ...addresses: string[]) => ({
  name,
  kind,
  addresses: addresses.map(text => {
    const [address = '', prefix = ''] = text.split('/')
    return { address, prefix: Number(prefix) }
  })
})
const six = iface('eth1', 'ethernet', '2001:db8::2/64', 'fe80::2/64')
const all = [
  iface('tun0', 'vpn', '10.8.0.2/24'),
  iface('wlan0', 'wifi', '192.168.1.20/22', 'fe80::1/64'),
  six,
  iface('eth0', 'ethernet', '10.0.0.2/24', '2001:db8:1::2/64', 'fe80::3/64')
]

if (inside(t, import.meta.url)) {
  t.test('on which network an address is', async t => {
    const table: [string, string | undefined][] = [
      ['192.168.3.9', 'wlan0 192.168.1.20'],
      ['192.168.4.9', undefined],
      ['10.0.0.77', 'eth0 10.0.0.2'],
      ['2001:db8:1::77', 'eth0 10.0.0.2'],
      ['2001:db8::77', 'eth1 fe80::2%eth1'],
      ['10.8.0.77', undefined],
      ['fe80::77', undefined]
    ]
    for (const [address, expected] of table) {
      const lan = lanOf(all, address)
      t.equal(lan && `${lan.interface} ${lan.from}`, expected, address)
    }
    t.equal(lanOf([], '10.0.0.1'), undefined)
  })

  t.test('the packet leaves by that interface and no other, whatever the routes say', async t => {
    // two cables to the same subnet: the route leads out of the first
    mute('eth0', '192.0.2.1/24')
    mute('eth1', '192.0.2.2/24')
    const counters = (name: string) =>
      Number(JSON.parse(ip('-json', '-stats', 'link', 'show', name))[0].stats64.tx.packets)
    const before = [counters('eth0'), counters('eth1')]
    await sendMagic(Uint8Array.of(2, 0x77, 0, 0, 0, 3), { interface: 'eth1', from: '192.0.2.2' })
    const after = [counters('eth0'), counters('eth1')]
    t.equal(after[0], before[0], 'nothing by eth0')
    t.ok(after[1]! >= before[1]! + 2, 'by eth1')
    await t.rejects(sendMagic(new Uint8Array(6), { interface: 'eth1', from: '192.0.2.9' }), /EADDRNOTAVAIL/)

    ip('address', 'add', 'fe80::77/64', 'dev', 'eth1', 'nodad')
    const then = [counters('eth0'), counters('eth1')]
    await sendMagic(Uint8Array.of(2, 0x77, 0, 0, 0, 3), { interface: 'eth1', from: 'fe80::77%eth1' })
    t.ok(counters('eth1') >= then[1]! + 2, 'by IPv6')
  })
}
