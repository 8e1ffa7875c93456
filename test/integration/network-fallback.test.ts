/** The watcher where NetworkManager is not: networkd, `ip`, polling; and no leak over a hundred flaps. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { TestBus } from '../bus.ts'
import { cable, inside, ip, start, withoutPrograms } from '../namespace.ts'
import { Watched } from './watched.ts'

const NETWORKD = '/lib/systemd/systemd-networkd'

if (inside(t, import.meta.url)) {
  cable('eth0', '192.0.2.7/24')
  ip('route', 'add', 'default', 'via', '192.0.2.1')

  t.test('no bus at all', async t => {
    const w = new Watched(t, undefined)
    await w.until('bound', () => w.listens('192.0.2.7'))
    t.equal(w.watcher.snapshot?.source, 'ip')
    t.equal(w.watcher.snapshot?.primary, 'eth0')
    t.match(w.interface('eth0'), { kind: 'ethernet', managed: true, up: true, multicast: true })
    t.notOk(w.listens('127.0.0.1'))
    ip('address', 'add', '198.51.100.1/24', 'dev', 'eth0')
    await w.until('added', () => w.listens('198.51.100.1'))
    ip('address', 'del', '198.51.100.1/24', 'dev', 'eth0')
    await w.until('removed', () => !w.listens('198.51.100.1'))
    ip('link', 'set', 'veth-eth0', 'down')
    await w.until('the cable is out', () => !w.interface('eth0')?.up && w.listeners.bound.length === 0)
    ip('link', 'set', 'veth-eth0', 'up')
    await w.until('and in again', () => w.listens('192.0.2.7'))
    await w.until('checked', () => w.listeners.bound.some(b => b.address.startsWith('fe80')))
  })

  t.test('a bus that is not there yet, then without NetworkManager', async t => {
    const bus = await TestBus.up(t, 'system')
    await bus.kill()
    const w = new Watched(t, bus.address)
    await w.source('ip')
    await w.until('bound', () => w.listens('192.0.2.7'))
    await bus.start()
    await w.until('connected', () => w.log.some(line => line.includes('connected to the system bus')))
    ip('address', 'add', '198.51.100.2/24', 'dev', 'eth0')
    await w.until('added', () => w.listens('198.51.100.2'))
    ip('address', 'del', '198.51.100.2/24', 'dev', 'eth0')
    await w.until('removed', () => !w.listens('198.51.100.2'))
    t.strictSame(w.sources, ['ip'])
  })

  t.test(
    'networkd',
    { skip: existsSync(NETWORKD) ? false : 'systemd-networkd is not installed' },
    async t => {
      mkdirSync('/run/systemd/network', { recursive: true })
      writeFileSync(
        '/run/systemd/network/eth0.network',
        '[Match]\nName=eth0\n[Network]\nAddress=192.0.2.8/24\nIPv6AcceptRA=no\n'
      )
      mkdirSync('/run/systemd/netif')
      const user = 'systemd-network'
      execFileSync('chown', [`${user}:${user}`, '/run/systemd/netif'])
      cable('dmz0', '203.0.113.1/24')
      const bus = await TestBus.up(t, 'system')
      const w = new Watched(t, bus.address)
      await w.source('ip')
      await w.until('bound', () => w.listens('203.0.113.1'))
      const networkd = start(t, NETWORKD, [], {
        stdio: 'ignore',
        env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: bus.address }
      })
      await w.source('networkd')
      await w.until('its address', () => w.listens('192.0.2.8'))
      t.match(w.interface('eth0'), { managed: true, kind: 'ethernet' })
      await w.until('what it leaves alone is off', () => !w.listens('203.0.113.1'))
      t.equal(w.interface('dmz0')?.managed, false)
      networkd.kill()
      await w.source('ip')
      await w.until('used again', () => w.listens('203.0.113.1'))
      ip('link', 'del', 'dmz0')
      ip('address', 'flush', 'dev', 'eth0')
      ip('address', 'add', '192.0.2.7/24', 'dev', 'eth0')
      ip('route', 'add', 'default', 'via', '192.0.2.1')
      await w.until(
        'restored',
        () => w.listens('192.0.2.7') && !w.interface('dmz0') && !w.listens('192.0.2.8')
      )
      t.strictSame(w.sources, ['ip', 'networkd', 'ip'])
    }
  )

  t.test('without ip: polling', t =>
    withoutPrograms(async () => {
      const w = new Watched(t, undefined)
      await w.until('bound', () => w.listens('192.0.2.7'))
      t.equal(w.watcher.snapshot?.source, 'poll')
      t.equal(w.watcher.snapshot?.primary, 'eth0')
      t.match(w.interface('lo'), { index: 1, kind: 'loopback' })
      cable('usb0', '203.0.113.2/24')
      await w.until('seen by and by', () => w.listens('203.0.113.2'))
      t.equal(w.interface('usb0')?.index, Number(ip('-o', 'link', 'show', 'usb0').split(':')[0]))
      ip('link', 'del', 'usb0')
      t.strictSame(w.sources, ['poll'])
    })
  )

  t.test('a hundred flaps leave nothing behind', async t => {
    const w = new Watched(t, undefined)
    await w.until('bound', () => w.listens('192.0.2.7'))
    const descriptors = () => readdirSync('/proc/self/fd').length
    const children = () =>
      readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').length
    const flap = async (n: number) => {
      for (let i = 0; i < n; i++) {
        ip('link', 'set', 'eth0', 'down')
        if (i % 10 === 0) await w.until('down', () => w.listeners.bound.length === 0)
        ip('link', 'set', 'eth0', 'up')
        if (i % 10 === 0) await w.until('up', () => w.listens('192.0.2.7'))
      }
      await w.until('checked', () => w.listeners.bound.length === 2 && w.listens('192.0.2.7'))
    }
    /** Both, when no look at the network is under way: the least of a while. */
    const atRest = async () => {
      let least = [descriptors(), children()] as [number, number]
      const end = performance.now() + 1_000
      while (performance.now() < end) {
        await new Promise(setImmediate)
        least = [Math.min(least[0], descriptors()), Math.min(least[1], children())]
      }
      return least
    }
    await flap(3)
    const before = await atRest()
    await flap(100)
    t.strictSame(await atRest(), before)
    t.ok(w.changes.length > 20, `${w.changes.length} changes`)
    await w.stop()
    t.ok(descriptors() < before[0]!)
  })

  t.test('no IPv6', async t => {
    writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '1')
    const w = new Watched(t, undefined)
    await w.until('bound', () => w.listens('192.0.2.7'))
    t.strictSame(
      w.listeners.bound.map(b => b.address),
      ['192.0.2.7']
    )
    t.strictSame(w.listeners.notes, [])
    await withoutPrograms(async () => {
      const polled = new Watched(t, undefined)
      await polled.source('poll')
      t.strictSame(polled.interface('eth0')?.addresses, [{ address: '192.0.2.7', prefix: 24 }])
    })
    writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '0')
  })
}
