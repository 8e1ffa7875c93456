import t from 'tap'
import { examine } from '../../src/daemon/doctor.ts'
import type { NetworkFacts } from '../../src/daemon/network/network-facts.ts'
import type { ZoneRules } from '../../src/host/firewalld.ts'
import type { UfwRule } from '../../src/host/ufw.ts'
import { card, hearing, network, well } from './well.ts'

type Row = readonly [name: string, change: Partial<NetworkFacts>, state: string, pattern: RegExp]

function table(name: string, rows: readonly Row[]): void {
  t.test(name, async t => {
    for (const [name, change, state, pattern] of rows) {
      const checks = examine({ ...well, network: { ...network, ...change } })
      const { State, Text, Mend } = checks.find(({ Name }) => Name === name)!
      const text = Mend === '' ? Text : `${Text} → ${Mend}`
      t.equal(State, state, text)
      t.match(text, pattern)
      t.equal(Mend !== '', state !== 'ok')
      t.match(Text, /^[A-Z0-9a-z].*\.$/)
    }
  })
}

const snapshot = (
  source: 'NetworkManager' | 'networkd' | 'ip' | 'poll',
  ...interfaces: ReturnType<typeof card>[]
) => ({ source, interfaces, connectivity: '' as const, primary: '' })

table('who tells of the network', [
  ['network-source', {}, 'ok', /^NetworkManager tells of the network \(version 1\.42\.4\);/],
  ['network-source', { networkManagerVersion: '' }, 'ok', /^NetworkManager tells of the network; /],
  ['network-source', { snapshot: undefined }, 'warning', /not been looked at/],
  ['network-source', { snapshot: snapshot('ip') }, 'warning', /does not answer.*restart NetworkManager$/],
  [
    'network-source',
    { snapshot: snapshot('networkd'), networkManager: false },
    'ok',
    /not run, so systemd-n/
  ],
  [
    'network-source',
    { snapshot: snapshot('ip'), networkManager: false, systemBus: false },
    'ok',
    /no system bus/
  ],
  [
    'network-source',
    { snapshot: snapshot('poll'), networkManager: false },
    'warning',
    /every 5 sec.*iproute2/
  ]
])

const wlan0 = (change = {}) => card('wlan0', { kind: 'wifi', ...change })
const eth1 = card('eth1', { managed: false })
const only = (...names: string[]) => ({ config: { only: names, port: 24747, rules: [] } })
const planned = (name: string, policy: 'announce' | 'listen' = 'announce') => ({
  interface: name,
  index: 2,
  address: '192.0.2.9',
  policy
})
table('interfaces', [
  ['interfaces', {}, 'ok', /^Used: eth0\.$/],
  [
    'interfaces',
    {
      snapshot: snapshot(
        'NetworkManager',
        card('eth0'),
        wlan0({ zone: 'public' }),
        card('docker0'),
        card('lo', { kind: 'loopback' })
      ),
      planned: [planned('eth0'), planned('wlan0', 'listen')]
    },
    'ok',
    /^Used: eth0; only listened on: wlan0 \(zone public\); off: docker0 \(of containers\)\.$/
  ],
  [
    'interfaces',
    { snapshot: snapshot('ip', card('eth0'), ...[1, 2, 3, 4, 5].map(n => card(`veth${n}`))) },
    'ok',
    /^Used: eth0; off: 5 others \(of containers\)\.$/
  ],
  [
    'interfaces',
    { snapshot: snapshot('ip', wlan0({ open: true })), planned: [planned('wlan0', 'listen')] },
    'ok',
    /^Only listened on: wlan0 \(an open network\)\.$/
  ],
  [
    'interfaces',
    { snapshot: snapshot('NetworkManager', card('eth0'), eth1) },
    'warning',
    /^Used: eth0; off: eth1 \(unmanaged\)\. → nmcli device set eth1 managed yes$/
  ],
  [
    'interfaces',
    { snapshot: snapshot('NetworkManager', eth1), planned: [] },
    'failed',
    /in use \(off: eth1 .*→ nmcli dev/
  ],
  [
    'interfaces',
    { snapshot: snapshot('NetworkManager', card('eth0', { up: false })), planned: [] },
    'failed',
    /off: eth0 \(down\).*→ nmcli device connect eth0$/
  ],
  [
    'interfaces',
    { snapshot: snapshot('ip'), planned: [] },
    'failed',
    /^No network interface is in use\. → connect one/
  ],
  ['interfaces', { ...only('eth0', 'eth7') }, 'warning', /eth7, which.*is not there\. → leave eth7 out/],
  [
    'interfaces',
    { ...only('eth7'), planned: [] },
    'failed',
    /off: eth0 \(not among.*→ name another than eth7/
  ],
  ['interfaces', { snapshot: undefined }, 'warning', /not known yet/]
])

table('listeners', [
  ['listeners', {}, 'ok', /listens at port 24747 on eth0/],
  ['listeners', { wanted: false, bound: [] }, 'ok', /no circle yet/],
  ['listeners', { bound: [] }, 'warning', /yet\. → coterie doctor$/],
  [
    'listeners',
    { bound: [], listeners: ['port 30000 on 192.0.2.1 (eth0) is taken: end the program that uses it'] },
    'failed',
    /^Port 30000 on 192.0.2.1 \(eth0\) is taken\. → `sudo ss -tulpn sport = 30000` shows it; end the program/
  ],
  [
    'listeners',
    { listeners: ['cannot listen on fe80::1%eth0 (eth0): EINVAL'] },
    'warning',
    /: EINVAL\. → look at the log/
  ]
])

const zone = (change: Partial<ZoneRules>) => ({
  firewalld: {
    silent: false,
    zones: [{ interface: 'eth0', zone: 'public', accepts: false, open: [], ...change }]
  }
})
const range = (protocol: 'tcp' | 'udp', first: number, last = first) => ({ protocol, first, last })
const all = [range('tcp', 1025, 65535), range('udp', 1025, 65535)]
const lets = (...ports: UfwRule['ports']): UfwRule => ({ lets: true, ports, interface: '', partial: false })
const ufw = (...rules: UfwRule[]) => ({ ufw: { accepts: false, rules } })
const both = lets(range('tcp', 24747, 24756), range('udp', 24747, 24756))
const opened = 'sudo ufw allow 24747:24756/tcp && sudo ufw allow 24747:24756/udp$'
table('firewalls', [
  ['firewall', {}, 'ok', /^Neither firewalld nor ufw/],
  [
    'firewall',
    zone({}),
    'failed',
    /^firewalld keeps others from TCP 24747 and UDP 24747, 5353 and 1900 on eth0 \(zone public\)\. → sudo firewall-cmd --permanent --zone=public --add-port=24747-24756\/tcp --add-port=24747-24756\/udp --add-service=mdns --add-service=ssdp && sudo firewall-cmd --reload$/
  ],
  ['firewall', zone({ accepts: true }), 'ok', /^firewalld lets others in on eth0 \(zone public\)/],
  ['firewall', zone({ open: all }), 'ok', /lets others in/],
  [
    'firewall',
    zone({ open: [range('tcp', 24747), range('udp', 24740, 24750), range('udp', 5353)] }),
    'warning',
    /from UDP 1900 on eth0.*--zone=public --add-service=ssdp && sudo/
  ],
  [
    'firewall',
    { ...zone({ open: [range('udp', 0, 65535)] }), config: { only: [], port: 30000, rules: [] }, bound: [] },
    'failed',
    /from TCP 30000 on.*--add-port=30000\/tcp && sudo/
  ],
  [
    'firewall',
    { firewalld: { silent: true, zones: [] } },
    'warning',
    /does not say.*--permanent --add-port=24747-24756/
  ],
  ['firewall', { ...zone({}), planned: [] }, 'ok', /^firewalld is in force\.$/],
  ['firewall', ufw(both), 'ok', /lets others in/],
  [
    'firewall',
    ufw(),
    'failed',
    new RegExp(`^ufw keeps others from TCP 24747 and UDP 24747 on eth0\\. → ${opened}`)
  ],
  ['firewall', ufw({ ...lets(), lets: false, partial: true }, both), 'ok', /lets others in/],
  ['firewall', ufw({ ...lets(), lets: false }, both), 'failed', /keeps others/],
  ['firewall', ufw({ ...both, interface: 'wlan0' }), 'failed', /keeps others/],
  ['firewall', ufw(lets(range('tcp', 24747))), 'failed', /from UDP 24747 on eth0/],
  ['firewall', { ufw: { accepts: true, rules: [] } }, 'ok', /lets others in/],
  ['firewall', { ufw: { accepts: true, rules: undefined } }, 'ok', /lets in what/],
  ['firewall', { ufw: { accepts: false, rules: undefined } }, 'warning', new RegExp(`only root.*${opened}`)]
])

const held = 'port 5353 is held by a program that does not share it'
table('multicast', [
  ['multicast', {}, 'ok', /on eth0 is heard again here; so are others\.$/],
  ['multicast', { hearings: [hearing({ others: false })] }, 'ok', /nobody else is heard/],
  [
    'multicast',
    { hearings: [hearing(), hearing({ interface: 'wlan0', others: false })] },
    'ok',
    /eth0 and wlan0 .*others are heard on eth0 only/
  ],
  ['multicast', { hearings: [], wanted: false }, 'ok', /no circle yet/],
  [
    'multicast',
    { hearings: [hearing({ own: 'unsaid' })] },
    'ok',
    /nothing was said yet; others are heard on eth0/
  ],
  [
    'multicast',
    {
      hearings: [
        hearing({ own: 'unheard' }),
        hearing({ own: 'unheard', family: 'ipv6' }),
        hearing({ via: 'ssdp' })
      ]
    },
    'warning',
    /mDNS \(UDP 5353, IPv4 and IPv6\) on eth0 is not heard again here\. → `sudo nft list.*let UDP 5353 and 1900 in/
  ],
  [
    'multicast',
    { hearings: [hearing({ own: 'unheard' }), hearing({ own: 'unheard', via: 'ssdp' })], ...ufw(both) },
    'failed',
    /SSDP \(UDP 1900, IPv4\) on eth0.*ufw status.*let UDP 5353 and 1900 in/
  ],
  [
    'multicast',
    { hearings: [], discovery: { eth0: { mdns: 'no multicast on this interface (ENODEV)', ssdp: 'ok' } } },
    'failed',
    /^mDNS does not work on eth0: no multicast.*→ sudo ip link set eth0 multicast on$/
  ],
  ['multicast', { discovery: { eth0: { mdns: held, ssdp: 'ok' } } }, 'ok', /heard again/],
  ['mdns-port', {}, 'ok', /Nothing of the system/],
  ['mdns-port', { wanted: false }, 'ok', /not in use by us/],
  [
    'mdns-port',
    { responders: ['avahi-daemon', 'systemd-resolved'] },
    'ok',
    /with avahi-daemon and systemd-resolved/
  ],
  [
    'mdns-port',
    { discovery: { eth0: { mdns: held, ssdp: 'ok' } } },
    'warning',
    /holds UDP port 5353 on eth0.*→ `sudo ss -ulpn sport = 5353` shows it; end it$/
  ]
])
