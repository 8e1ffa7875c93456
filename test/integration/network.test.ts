/** The watcher and the listeners on the real kernel with the real NetworkManager. */
import t from 'tap'
import { plan } from '../../src/net/policy.ts'
import { TestBus } from '../bus.ts'
import { cable, inside, ip, withoutPrograms } from '../namespace.ts'
import { missing, RealNetworkManager } from './real-network-manager.ts'
import { figures, free, Watched } from './watched.ts'

const ADDRESS = '192.0.2.7'

if (missing) t.plan(0, missing)
else if (inside(t, import.meta.url)) {
  cable('eth0')
  const bus = await TestBus.up(t, 'system')
  const nm = new RealNetworkManager(t, bus.address)
  await nm.start()
  const add = ['type', 'ethernet', 'ifname', 'eth0', 'con-name', 'lan', 'autoconnect', 'no']
  const four = ['ipv4.method', 'manual', 'ipv4.addresses', `${ADDRESS}/24`, 'ipv4.gateway', '192.0.2.1']
  await nm.nmcli('connection', 'add', ...add, ...four, 'ipv6.method', 'link-local')
  const uuid = (await nm.nmcli('-g', 'connection.uuid', 'connection', 'show', 'lan')).trim()
  await nm.nmcli('connection', 'up', 'lan')

  t.test('what NetworkManager says and the kernel has', async t => {
    const w = new Watched(t, bus.address)
    await w.until('eth0 with both its addresses', () => w.interface('eth0')?.addresses.length === 2)
    t.strictSame(w.sources, ['NetworkManager'], 'from the first look on')
    t.match(w.interface('eth0'), {
      kind: 'ethernet',
      up: true,
      managed: true,
      connection: uuid,
      metered: false
    })
    t.equal(w.watcher.snapshot?.primary, 'eth0')
    t.match(w.interface('lo'), { managed: false, up: true })
    t.notOk(w.listens('127.0.0.1'))
    await w.until('bound', () => w.listens(ADDRESS))
    const only = plan(w.watcher.snapshot!, { ...free, only: ['lo'] })
    t.strictSame(
      only.map(p => p.address),
      ['127.0.0.1', '::1'],
      'only names what is off otherwise'
    )
  })

  t.test('down and up', async t => {
    const w = new Watched(t, bus.address)
    await w.until('bound', () => w.listens(ADDRESS))
    const [downs, ups]: [number[], number[]] = [[], []]
    for (let i = 0; i < 5; i++) {
      let began = performance.now()
      const down = nm.nmcli('connection', 'down', 'lan')
      downs.push((await w.until('nothing bound', () => w.listeners.bound.length === 0)) - began)
      await down
      const after = w.snapshots.length
      began = performance.now()
      const up = nm.nmcli('connection', 'up', 'lan')
      ups.push((await w.until('bound', () => w.listens(ADDRESS))) - began)
      await up
      t.ok(w.snapshots.length > after)
    }
    t.comment(`nmcli connection down → no listener: ${figures(downs)}`)
    t.comment(`nmcli connection up → listener: ${figures(ups)}`)
  })

  /** How long from `ip address add` to the snapshot, and from `del` until it is gone; each out of a quiet second. */
  const changes = async (w: Watched, n: number): Promise<[number[], number[]]> => {
    const quiet = () => new Promise(resolve => setTimeout(resolve, 1_000))
    const [added, removed]: [number[], number[]] = [[], []]
    for (let i = 0; i < n; i++) {
      await quiet()
      ip('address', 'add', '198.51.100.1/24', 'dev', 'eth0')
      let done = performance.now()
      added.push((await w.until('bound', () => w.listens('198.51.100.1'))) - done)
      await quiet()
      ip('address', 'del', '198.51.100.1/24', 'dev', 'eth0')
      done = performance.now()
      removed.push((await w.until('unbound', () => !w.listens('198.51.100.1'))) - done)
    }
    return [added, removed]
  }

  t.test('addresses come and go', async t => {
    const w = new Watched(t, bus.address)
    await w.until('bound', () => w.listens(ADDRESS))
    const [added, removed] = await changes(w, 1)
    t.comment(`kernel has an address → listener: ${figures(added)}`)
    t.comment(`kernel lost an address → no listener: ${figures(removed)}`)
    ip('address', 'add', '2001:db8::7/64', 'dev', 'eth0')
    const tentative = performance.now()
    const usable = await w.until('checked', () => w.listens('2001:db8::7'))
    t.comment(
      `IPv6 address added → listener, with duplicate detection: ${(usable - tentative).toFixed(0)} ms`
    )
    t.strictSame(w.listeners.notes, [])
    ip('address', 'del', '2001:db8::7/64', 'dev', 'eth0')
    await w.until('gone', () => !w.listens('2001:db8::7'))
  })

  t.test('by the signals of NetworkManager alone, where there is no ip', t =>
    withoutPrograms(async () => {
      const w = new Watched(t, bus.address)
      await w.until('bound', () => w.listens(ADDRESS))
      t.match(w.log.join('\n'), /no `ip monitor` here/)
      const [added, removed] = await changes(w, 1)
      t.comment(`the same without ip monitor: added ${figures(added)}; removed ${figures(removed)}`)
      ip('address', 'add', '2001:db8::8/64', 'dev', 'eth0')
      await w.until('checked', () => w.listens('2001:db8::8'))
      ip('address', 'del', '2001:db8::8/64', 'dev', 'eth0')
      await w.until('gone', () => !w.listens('2001:db8::8'))
      t.strictSame(w.sources, ['NetworkManager'])
    })
  )

  t.test('interfaces come and go', async t => {
    const w = new Watched(t, bus.address)
    await w.until('bound', () => w.listens(ADDRESS))
    cable('usb0', '203.0.113.5/24')
    await w.until('usb0 in use', () => w.listens('203.0.113.5'))
    cable('veth7', '203.0.113.9/24')
    await w.until('veth7 seen', () => w.interface('veth7') !== undefined)
    await nm.nmcli('device', 'set', 'usb0', 'managed', 'no')
    ip('address', 'replace', '203.0.113.5/24', 'dev', 'usb0')
    await w.until(
      'usb0 left alone',
      () => w.interface('usb0')?.managed === false && w.has('usb0', '203.0.113.5')
    )
    await w.until('not used', () => !w.listens('203.0.113.5'))
    ip('link', 'del', 'usb0')
    ip('link', 'del', 'veth7')
    await w.until('both gone', () => !w.interface('usb0') && !w.interface('veth7'))
    t.notOk(
      w.changes.flat().some(b => b.interface === 'veth7'),
      'a container interface was never used'
    )
    t.ok(w.listens(ADDRESS))
  })

  t.test('metered, and the zone of the profile', async t => {
    const w = new Watched(t, bus.address)
    await w.until('bound', () => w.listens(ADDRESS))
    await nm.nmcli('connection', 'modify', 'lan', 'connection.metered', 'yes', 'connection.zone', 'home')
    await nm.nmcli('device', 'reapply', 'eth0')
    await w.until(
      'metered',
      () => w.interface('eth0')?.metered === true && w.interface('eth0')?.zone === 'home'
    )
    await nm.nmcli('connection', 'modify', 'lan', 'connection.metered', 'no', 'connection.zone', '')
    await nm.nmcli('device', 'reapply', 'eth0')
    await w.until('free', () => w.interface('eth0')?.metered === false && w.interface('eth0')?.zone === '')
    t.equal(w.changes.length, 1, 'the listeners stayed')
  })

  t.test('NetworkManager restarts: the listeners stay', async t => {
    const w = new Watched(t, bus.address)
    await w.until('both addresses bound', () => w.listeners.bound.length === 2)
    const before = w.changes.length
    await nm.stop()
    ip('address', 'add', '198.51.100.2/24', 'dev', 'eth0')
    await w.until('the kernel still counts', () => w.listens('198.51.100.2'))
    await nm.start()
    ip('address', 'del', '198.51.100.2/24', 'dev', 'eth0')
    await w.until('seen', () => !w.listens('198.51.100.2'))
    await nm.nmcli('connection', 'modify', 'lan', 'connection.metered', 'yes')
    await nm.nmcli('device', 'reapply', 'eth0')
    await w.until('it has the say again', () => w.interface('eth0')?.metered === true)
    t.equal(w.changes.length, before + 2, 'but for the address that came and went')
    t.strictSame(w.sources, ['NetworkManager'])
    t.ok(w.changes.every(bound => bound.some(b => b.address === ADDRESS)))
  })

  t.test('NetworkManager hangs: the kernel alone, until it answers', async t => {
    const w = new Watched(t, bus.address)
    await w.until('bound', () => w.listens(ADDRESS))
    nm.signal('SIGSTOP')
    ip('address', 'add', '198.51.100.3/24', 'dev', 'eth0')
    const began = performance.now()
    const seen = await w.until('seen', () => w.listens('198.51.100.3'))
    t.comment(`address seen with a hanging NetworkManager: ${(seen - began).toFixed(0)} ms`)
    t.equal(w.watcher.snapshot?.source, 'ip')
    t.equal(w.interface('eth0')?.connection, uuid, 'what it said last holds')
    t.notOk(w.listens('127.0.0.1'))
    nm.signal('SIGCONT')
    ip('address', 'del', '198.51.100.3/24', 'dev', 'eth0')
    await w.source('NetworkManager')
    t.ok(w.changes.every(bound => bound.some(b => b.address === ADDRESS)))
  })

  t.test('the bus goes away and comes back, with another NetworkManager', async t => {
    const w = new Watched(t, bus.address)
    await w.until('bound', () => w.listens(ADDRESS))
    await bus.kill()
    await nm.stop()
    ip('address', 'add', '198.51.100.4/24', 'dev', 'eth0')
    await w.until('seen', () => w.listens('198.51.100.4'))
    ip('address', 'del', '198.51.100.4/24', 'dev', 'eth0')
    await w.until('unseen', () => !w.listens('198.51.100.4'))
    await bus.start()
    await nm.start()
    await nm.nmcli('connection', 'modify', 'lan', 'connection.metered', 'no')
    await nm.nmcli('device', 'reapply', 'eth0')
    await w.until('it has the say again', () => w.interface('eth0')?.metered === false)
    t.equal(w.interface('eth0')?.connection, uuid)
    t.ok(
      w.changes.every(bound => bound.some(b => b.address === ADDRESS)),
      'bound all the time'
    )
    t.strictSame(w.sources, ['NetworkManager'])
  })

  t.test('NetworkManager comes later than we do', async t => {
    await nm.stop()
    const w = new Watched(t, bus.address)
    await w.source('ip')
    await w.until('bound', () => w.listens(ADDRESS))
    await nm.start()
    await w.source('NetworkManager')
    await w.until('it has the say', () => w.interface('eth0')?.connection === uuid)
    t.ok(
      w.changes.every(bound => bound.some(b => b.address === ADDRESS)),
      'bound all the time'
    )
  })
}
