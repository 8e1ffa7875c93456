/** A NetworkManager played by python3-dbusmock, for what has no hardware here: Wi-Fi, portals, nonsense. */
import { execFileSync } from 'node:child_process'
import t from 'tap'
import { Bus, Variant } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { PATIENCE_MS } from '../lab/deadline.ts'
import { inside, ip, mute, start } from '../namespace.ts'
import { Watched } from './watched.ts'

const NM = 'org.freedesktop.NetworkManager'
const ROOT = '/org/freedesktop/NetworkManager'
const PYTHON = '/usr/bin/python3'

const missing = (() => {
  try {
    execFileSync(PYTHON, ['-c', 'import dbusmock'], { stdio: 'ignore' })
    return ''
  } catch {
    return 'python3-dbusmock is not installed: apt install python3-dbusmock'
  }
})()

if (missing) t.plan(0, missing)
else if (inside(t, import.meta.url)) {
  mute('wlan0', '192.0.2.20/24')
  const daemon = await TestBus.up(t, 'system')
  const bus = new Bus({ kind: 'system', address: daemon.address, log: () => {} })
  t.teardown(() => bus.close())
  const there = new Promise<void>(resolve => bus.watchName(NM, owner => owner && resolve()))
  bus.start()
  const mock = start(t, PYTHON, ['-m', 'dbusmock', '--system', '--template', 'networkmanager'], {
    stdio: 'ignore',
    env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: daemon.address }
  })
  await there
  const tell = async (path: string, member: string, signature: string, ...body: unknown[]) =>
    (
      await bus.call({
        destination: NM,
        path,
        interface: 'org.freedesktop.DBus.Mock',
        member,
        signature,
        body,
        timeoutMs: PATIENCE_MS
      })
    )[0]
  const set = (path: string, name: string, property: string, value: Variant) =>
    bus.call({
      destination: NM,
      path,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Set',
      signature: 'ssv',
      body: [name, property, value],
      timeoutMs: PATIENCE_MS
    })
  const number = (value: number) => new Variant('u', value)

  const device = String(await tell(ROOT, 'AddWiFiDevice', 'ssi', 'wlan0', 'wlan0', 100))
  const ap = (name: string, security: number) =>
    tell(
      ROOT,
      'AddAccessPoint',
      'ssssuuuyu',
      device,
      name,
      name,
      '02:00:00:00:00:01',
      2,
      2425,
      5400,
      82,
      security
    )
  const cafe = String(await ap('cafe', 0))
  const home = String(await ap('home', 0x100 | 0x8))
  await tell(
    device,
    'AddProperty',
    'ssv',
    `${NM}.Device.Wireless`,
    'ActiveAccessPoint',
    new Variant('o', cafe)
  )
  for (const name of ['Metered', 'Ip4Connectivity', 'Ip6Connectivity']) {
    await tell(device, 'AddProperty', 'ssv', `${NM}.Device`, name, number(0))
  }
  const policy = (w: Watched) => w.listeners.bound.find(b => b.interface === 'wlan0')?.policy

  t.test('open Wi-Fi is listened on only, one with a key announced on', async t => {
    const w = new Watched(t, daemon.address)
    await w.until('bound', () => policy(w) === 'listen')
    t.match(w.interface('wlan0'), { kind: 'wifi', open: true, managed: true })
    await set(device, `${NM}.Device.Wireless`, 'ActiveAccessPoint', new Variant('o', home))
    await w.until('at home', () => policy(w) === 'announce')
    t.equal(w.interface('wlan0')?.open, false)
    await set(device, `${NM}.Device`, 'Ip4Connectivity', number(2))
    await w.until('behind a portal', () => policy(w) === 'listen')
    await set(device, `${NM}.Device`, 'Ip4Connectivity', number(4))
    await w.until('through it', () => policy(w) === 'announce')
    t.ok(w.changes.every(bound => bound.length <= 1))
    t.equal(w.changes.filter(bound => bound.length === 0).length, 0, 'the sockets stayed')
  })

  t.test('metered and connectivity', async t => {
    const w = new Watched(t, daemon.address)
    await w.until('full', () => w.watcher.snapshot?.connectivity === 'full')
    await set(device, `${NM}.Device`, 'Metered', number(3))
    await w.until('metered', () => w.interface('wlan0')?.metered === true)
    for (const [value, word] of [
      [2, 'portal'],
      [3, 'limited'],
      [1, 'none'],
      [0, ''],
      [4, 'full']
    ] as const) {
      await tell(ROOT, 'SetConnectivity', 'u', value)
      await w.until(`connectivity ${word}`, () => w.watcher.snapshot?.connectivity === word)
    }
  })

  t.test('disconnected: not used, though the kernel has the address still', async t => {
    const w = new Watched(t, daemon.address)
    await w.until('bound', () => w.listens('192.0.2.20'))
    await tell(ROOT, 'SetDeviceDisconnected', 's', device)
    await w.until('unbound', () => !w.listens('192.0.2.20'))
    t.match(ip('address', 'show', 'dev', 'wlan0'), /192\.0\.2\.20/)
    await tell(ROOT, 'SetDeviceActive', 'ss', device, '/')
    await w.until('bound again', () => w.listens('192.0.2.20'))
  })

  t.test('nonsense is passed over', async t => {
    const w = new Watched(t, daemon.address)
    await w.until('bound', () => w.listens('192.0.2.20'))
    const odd = { Interface: number(5), State: new Variant('s', 'up'), Managed: new Variant('as', []) }
    await tell(ROOT, 'AddObject', 'ssa{sv}a(ssss)', `${ROOT}/Devices/odd`, `${NM}.Device`, odd, [])
    await tell(ROOT, 'SetConnectivity', 'u', 77)
    await w.until('unknown', () => w.watcher.snapshot?.connectivity === '')
    await tell(ROOT, 'SetConnectivity', 'u', 4)
    await w.until('full', () => w.watcher.snapshot?.connectivity === 'full')
    t.ok(w.listens('192.0.2.20'))
    t.equal(w.changes.length, 1)
  })

  t.test('hanging from the start', async t => {
    mock.kill('SIGSTOP')
    const w = new Watched(t, daemon.address)
    const began = performance.now()
    const seen = await w.until('bound', () => w.listens('192.0.2.20'))
    t.comment(`first listener with a NetworkManager that hangs: ${(seen - began).toFixed(0)} ms`)
    t.equal(policy(w), 'listen', 'it may be a network of strangers')
    const silent = () => /warn NetworkManager does not answer/.test(w.log.join('\n'))
    await w.until('it is passed over', silent)
    t.equal(w.watcher.snapshot?.source, 'ip')
    t.equal(policy(w), 'listen')
    mock.kill('SIGCONT')
    await set(device, `${NM}.Device`, 'Metered', number(1))
    await w.source('NetworkManager')
    t.strictSame(w.sources, ['ip', 'NetworkManager'])
    await w.until('announced on', () => policy(w) === 'announce')
  })
}
