/** From where a datagram leaves, by the routes of a real kernel; and that it does leave there. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { Interface } from '../../src/net/interfaces.ts'
import { Listeners } from '../../src/net/listeners.ts'
import { type Origin, Origins } from '../../src/net/origins.ts'
import { type Planned, plan } from '../../src/net/policy.ts'
import { parseAddress } from '../../src/wire/address.ts'
import { cable, inside, ip } from '../namespace.ts'

if (inside(t, import.meta.url)) {
  cable('eth0', '192.0.2.1/24')
  cable('eth1', '198.51.100.1/24')
  const linkLocal = async (name: string): Promise<string> => {
    for (;;) {
      const found = /inet6 (fe80[^/]*)\/64 scope link(?! tentative)/.exec(
        ip('-6', 'address', 'show', 'dev', name)
      )
      if (found?.[1] !== undefined) return found[1]
      await new Promise(setImmediate)
    }
  }
  const interfaces: Interface[] = []
  for (const [name, address] of [
    ['eth0', '192.0.2.1'],
    ['eth1', '198.51.100.1']
  ] as const)
    interfaces.push({
      name,
      index: Number(ip('-o', 'link', 'show', 'dev', name).split(':')[0]),
      kind: 'ethernet',
      addresses: [
        { address, prefix: 24 },
        { address: await linkLocal(name), prefix: 64 }
      ],
      up: true,
      multicast: true,
      managed: true,
      connection: '',
      zone: '',
      metered: false,
      open: false,
      unknown: false,
      mac: ''
    })

  /** Bound as the policy says. */
  async function attached(only: string[]) {
    const config = { only, port: 0, rules: [] }
    const planned: Planned[] = plan({ source: 'ip', interfaces, connectivity: '', primary: '' }, config)
    const complete = Promise.withResolvers<void>()
    const listeners = new Listeners({
      port: 0,
      log: () => {},
      onLink: link => link.destroy(),
      onDatagram: () => {},
      onChange: bound => bound.length === planned.length && complete.resolve()
    })
    t.teardown(() => listeners.stop())
    listeners.apply(planned)
    await complete.promise
    const origins = new Origins({
      bound: () => listeners.bound,
      interfaces: () => interfaces,
      restricted: () => only.length > 0,
      now: () => performance.now()
    })
    const find = (host: string) =>
      new Promise<Origin>(resolve => origins.find(parseAddress(`tcp://${host}:9`)!, resolve))
    const on = async (host: string) => {
      const origin = await find(host)
      return typeof origin === 'string' ? origin : origin.interface
    }
    return { listeners, origins, find, on }
  }
  const sent = (name: string) => Number(readFileSync(`/sys/class/net/${name}/statistics/tx_packets`, 'utf8'))

  t.test('all interfaces', async t => {
    const { find, listeners, on, origins } = await attached([])
    t.equal(await on('192.0.2.9'), 'eth0')
    t.equal(await on('198.51.100.9'), 'eth1')
    t.equal(await on('203.0.113.1'), 'no-route')
    t.equal(await on('[fe80::9%25eth1]'), 'eth1')
    ip('route', 'add', 'default', 'via', '198.51.100.254')
    t.equal(await on('203.0.113.1'), 'no-route', 'what the kernel said is kept')
    origins.clear()
    t.equal(await on('203.0.113.1'), 'eth1')
    ip('route', 'del', 'default')

    // a neighbour that is known: else ARP is all that would leave
    ip('neigh', 'add', '192.0.2.9', 'lladdr', '02:00:00:00:00:09', 'dev', 'eth0')
    const origin = await find('192.0.2.9')
    const before = sent('eth0')
    const failures: string[] = []
    for (let i = 0; i < 50; i++)
      listeners.send(new Uint8Array(49), parseAddress('tcp://192.0.2.9:9')!, origin as Planned, reason =>
        failures.push(reason)
      )
    while (sent('eth0') < before + 50) await new Promise(setImmediate)
    t.same(failures, [])
  })

  t.test('--only: by no other interface, whatever the subnet', async t => {
    const { on, origins } = await attached(['eth0'])
    t.equal(await on('192.0.2.9'), 'eth0')
    t.equal(await on('198.51.100.9'), 'barred')
    t.equal(await on('[fe80::9%25eth0]'), 'eth0')
    t.equal(await on('[fe80::9%25eth1]'), 'barred')
    ip('route', 'add', '192.0.2.9/32', 'dev', 'eth1')
    origins.clear()
    t.equal(await on('192.0.2.9'), 'barred', 'the way to it is by the other one')
    ip('route', 'del', '192.0.2.9/32', 'dev', 'eth1')
  })
}
