import t from 'tap'
import { Bus } from '../../src/host/bus.ts'
import { firewalld } from '../../src/host/firewalld.ts'
import { ufw } from '../../src/host/ufw.ts'
import { TestBus } from '../bus.ts'
import { client } from '../daemon/surface.ts'
import { firewallService, type Walls } from '../firewalld.ts'
import { Stalls } from '../stalls.ts'

const range = (protocol: string, first: number, last = first) => ({ protocol, first, last })

t.test('firewalld', async t => {
  const { address } = await TestBus.up(t, 'system')
  const bus = await client(t, address)
  t.equal(await firewalld(bus, ['eth0']), undefined, 'it does not run')
  const walls: Walls = {
    bound: { wlan0: 'home' },
    zones: {
      public: {
        services: ['ssh', 'coterie', 'forgotten'],
        ports: [
          ['1025-2000', 'udp'],
          ['many', 'udp'],
          ['1', 'sctp']
        ],
        rich: [
          'rule family="ipv4" source address="192.0.2.0/24" port port="5353" protocol="udp" accept',
          'rule port port="1900" protocol="udp" drop'
        ]
      },
      home: { target: 'ACCEPT' }
    },
    services: {
      ssh: [['22', 'tcp']],
      coterie: [
        ['24747-24756', 'tcp'],
        ['24747', 'udp']
      ]
    }
  }
  await firewallService(t, address, walls)
  const open = [
    range('udp', 1025, 2000),
    range('tcp', 22),
    range('tcp', 24747, 24756),
    range('udp', 24747),
    range('udp', 5353)
  ]
  t.same(await firewalld(bus, ['eth0', 'wlan0']), {
    silent: false,
    zones: [
      { interface: 'eth0', zone: 'public', accepts: false, open },
      { interface: 'wlan0', zone: 'home', accepts: true, open: [] }
    ]
  })
  t.same(await firewalld(bus, []), { silent: false, zones: [] })
  walls.refuses = true
  t.same(await firewalld(bus, ['eth0']), { silent: true, zones: [] })
  walls.hangs = true
  const took = new Stalls(t).watch()
  t.same(await firewalld(bus, ['eth0']), { silent: true, zones: [] })
  t.ok(took() < 2_000, 'it waits no longer')
  const none = new Bus({ kind: 'system', address: 'unix:path=/no/such/bus', log: () => {} })
  t.equal(await firewalld(none, ['eth0']), undefined, 'no bus')
})

t.test('ufw', async t => {
  const root = (conf: string, input: string, rules?: string) =>
    t.testdir({
      etc: {
        ufw: {
          'ufw.conf': `# comment\nENABLED=${conf}\n`,
          ...(rules !== undefined && { 'user.rules': rules })
        },
        default: { ufw: `IPV6=yes\nDEFAULT_INPUT_POLICY="${input}"\n` }
      }
    })
  t.equal(ufw(t.testdir({})), undefined)
  t.equal(ufw(root('no', 'DROP')), undefined)
  t.same(ufw(root('yes', 'DROP')), { accepts: false, rules: undefined })
  t.same(ufw(root('yes', 'ACCEPT', '')), { accepts: true, rules: [] })
  const rules = `*filter
### RULES ###

### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in
-A ufw-user-input -p tcp --dport 22 -j ACCEPT

### tuple ### limit any 24747:24750,5353 0.0.0.0/0 any 0.0.0.0/0 in_eth0 comment=636f
### tuple ### deny_log any any 0.0.0.0/0 any 10.0.0.0/8 in
### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 Apache - in
### tuple ### allow tcp 81 0.0.0.0/0 any 0.0.0.0/0 out
### tuple ### route:allow tcp 82 0.0.0.0/0 any 0.0.0.0/0 in_eth0!out_eth1
### tuple ### allow esp any 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ###
### END RULES ###`
  const rule = { lets: true, interface: '', partial: false }
  const two = (protocol: string) => [range(protocol, 24747, 24750), range(protocol, 5353)]
  t.same(ufw(root('yes', 'DROP', rules)), {
    accepts: false,
    rules: [
      { ...rule, ports: [range('tcp', 22)] },
      { ...rule, ports: [...two('tcp'), ...two('udp')], interface: 'eth0' },
      { ...rule, lets: false, ports: [], partial: true },
      { ...rule, ports: [range('tcp', 80)] }
    ]
  })
})
