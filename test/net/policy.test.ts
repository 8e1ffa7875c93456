import t from 'tap'
import type { Interface, Snapshot } from '../../src/net/interfaces.ts'
import { matchesGlob, type NetworkConfig, plan, policyFor, type Rule } from '../../src/net/policy.ts'
import { computed } from '../stalls.ts'

const ethernet: Interface = {
  name: 'eth0',
  index: 2,
  kind: 'ethernet',
  addresses: [{ address: '192.0.2.7', prefix: 24 }],
  up: true,
  multicast: true,
  managed: true,
  connection: '8add3fd2-0313-4f91-932c-8c60b28b82fc',
  zone: 'home',
  metered: false,
  open: false,
  unknown: false,
  mac: ''
}
const make = (change: Partial<Interface>): Interface => ({ ...ethernet, ...change })
const lo = make({ name: 'lo', kind: 'loopback', managed: false, connection: '', zone: '' })
const docker = make({ name: 'docker0', kind: 'container' })
const cafe = make({ name: 'wlan0', kind: 'wifi', open: true })
const usb = make({ name: 'usb0', kind: 'other', managed: false })

const free: NetworkConfig = { only: [], port: 24_747, rules: [] }
const rule = (...rules: Rule[]): NetworkConfig => ({ ...free, rules })
const only = (...names: string[]): NetworkConfig => ({ ...free, only: names })

const table: [string, Interface, NetworkConfig, string][] = [
  ['a cable', ethernet, free, 'announce'],
  ['a VPN', make({ name: 'wg0', kind: 'vpn' }), free, 'announce'],
  ['open Wi-Fi', cafe, free, 'listen'],
  ['a connection in a zone that is not trusted', make({ zone: 'public' }), free, 'listen'],
  [
    'a network of which it is not known yet which one it is',
    make({ zone: '', unknown: true }),
    free,
    'listen'
  ],
  ['a connection in no zone', make({ zone: '' }), free, 'announce'],
  ['a zone of the user', make({ zone: 'flat' }), free, 'announce'],
  ['loopback', lo, free, 'off'],
  ['a container bridge', docker, free, 'off'],
  ['a veth by name, whatever its type', make({ name: 'veth1' }), free, 'off'],
  ['what NetworkManager leaves alone', usb, free, 'off'],
  ['only: the named one', ethernet, only('lo', 'eth0'), 'announce'],
  ['only: another', ethernet, only('lo'), 'off'],
  ['only: loopback, named', lo, only('lo'), 'announce'],
  ['only: docker0, named', docker, only('docker0'), 'announce'],
  ['only: unmanaged, named', usb, only('usb0'), 'announce'],
  ['only: open Wi-Fi, named, still only listens', cafe, only('wlan0'), 'listen'],
  ['only is no pattern', ethernet, only('eth*'), 'off'],
  [
    'only and a rule for it',
    ethernet,
    { ...only('eth0'), rules: [{ match: 'name', value: 'eth0', policy: 'off' }] },
    'off'
  ],
  [
    'a rule cannot widen only',
    ethernet,
    { ...only('lo'), rules: [{ match: 'name', value: '*', policy: 'announce' }] },
    'off'
  ],
  ['a rule by name', docker, rule({ match: 'name', value: 'docker*', policy: 'listen' }), 'listen'],
  ['a rule by type', cafe, rule({ match: 'type', value: 'wifi', policy: 'announce' }), 'announce'],
  ['a rule by another type', ethernet, rule({ match: 'type', value: 'wifi', policy: 'off' }), 'announce'],
  [
    'a rule by connection',
    ethernet,
    rule({ match: 'connection', value: '8ADD3FD2-0313-4F91-932C-8C60B28B82FC', policy: 'off' }),
    'off'
  ],
  ['no connection is no match', lo, rule({ match: 'connection', value: '', policy: 'announce' }), 'off'],
  ['a rule by zone', ethernet, rule({ match: 'zone', value: 'home', policy: 'listen' }), 'listen'],
  ['no zone is no match', lo, rule({ match: 'zone', value: '', policy: 'announce' }), 'off'],
  [
    'the first rule that matches decides',
    ethernet,
    rule(
      { match: 'name', value: 'eth?', policy: 'listen' },
      { match: 'type', value: 'ethernet', policy: 'off' }
    ),
    'listen'
  ]
]
for (const [what, i, config, expected] of table) t.equal(policyFor(i, config), expected, what)

t.test('globs', async t => {
  for (const [glob, text, expected] of [
    ['*', '', true],
    ['eth*', 'eth0', true],
    ['eth?', 'eth10', false],
    ['*0', 'wlan0', true],
    ['a.b', 'axb', false],
    ['e[t]h0', 'eth0', false],
    ['', 'eth0', false]
  ] as const) {
    t.equal(matchesGlob(glob, text), expected, `${glob} ~ ${text}`)
  }
  const started = computed()
  t.notOk(matchesGlob(`${'*a'.repeat(12)}b`, 'a'.repeat(15)))
  t.ok(computed() - started < 1000, 'and no pattern takes long')
})

t.test('the plan has each usable address once, link-local ones with their interface', async t => {
  const snapshot: Snapshot = {
    source: 'NetworkManager',
    connectivity: 'full',
    primary: 'eth0',
    interfaces: [
      make({
        addresses: [
          { address: '192.0.2.7', prefix: 24 },
          { address: 'fe80::7', prefix: 64 }
        ]
      }),
      make({ name: 'eth1', index: 5, up: false }),
      lo,
      cafe
    ]
  }
  t.strictSame(plan(snapshot, free), [
    { interface: 'eth0', index: 2, address: '192.0.2.7', policy: 'announce' },
    { interface: 'eth0', index: 2, address: 'fe80::7%eth0', policy: 'announce' },
    { interface: 'wlan0', index: 2, address: '192.0.2.7', policy: 'listen' }
  ])
})
