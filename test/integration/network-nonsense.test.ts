/**
 * A NetworkManager played by this test, that hangs and answers nonsense. What the kernel says holds then: no
 * listener goes that could stay, and none stays on an address that is gone.
 */
import t from 'tap'
import { Bus, Variant } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { inside, ip, mute } from '../namespace.ts'
import { Watched } from './watched.ts'

const NM = 'org.freedesktop.NetworkManager'
const ROOT = '/org/freedesktop/NetworkManager'
const MANAGED = 'a{oa{sa{sv}}}'
const [FIRST, SECOND, THIRD] = ['192.0.2.20', '192.0.2.21', '192.0.2.22'] as const

const variant = (value: unknown): Variant =>
  typeof value === 'number'
    ? new Variant('u', value)
    : typeof value === 'boolean'
      ? new Variant('b', value)
      : Array.isArray(value)
        ? new Variant('ao', value)
        : new Variant(String(value).startsWith('/') ? 'o' : 's', value)
const variants = (properties: object) =>
  Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, variant(value)]))

/** What it says when it is well, of one interface. */
function sense(device: object = {}, manager: object = {}) {
  const { Active, Device } = { Active: `${ROOT}/ActiveConnection/1`, Device: `${ROOT}/Devices/1` }
  const kind = { DeviceType: 1, Metered: 4, Ip4Connectivity: 4, Ip6Connectivity: 4 }
  const state = { Interface: 'eth0', IpInterface: 'eth0', State: 100, Managed: true, ...kind }
  return {
    [ROOT]: { [NM]: variants({ PrimaryConnection: Active, Connectivity: 4, ...manager }) },
    [Device]: { [`${NM}.Device`]: variants({ ...state, ActiveConnection: Active, ...device }) },
    [Active]: {
      [`${NM}.Connection.Active`]: variants({ Connection: '/', Uuid: 'u', Devices: [Device] })
    }
  }
}

type Answer = { signature: string; body: unknown[] } | 'nothing'
const says = (objects: object): Answer => ({ signature: MANAGED, body: [objects] })

if (inside(t, import.meta.url)) {
  mute('eth0', `${FIRST}/24`)
  const { address } = await TestBus.up(t, 'system')
  const bus = new Bus({ kind: 'system', address, log: () => {} })
  t.teardown(() => bus.close())
  let answer: Answer = says(sense())
  let asked = 0
  bus.serve(async ({ member }) => {
    if (member !== 'GetManagedObjects') return { signature: 's', body: ['what?'] }
    asked++
    return answer === 'nothing' ? new Promise(() => {}) : answer
  })
  const up = new Promise<void>(resolve => bus.onUp(resolve))
  bus.start()
  await up
  await bus.requestName(NM)

  /** A signal of its that makes everybody look again. */
  const changed = (path = `${ROOT}/Devices/1`, name = `${NM}.Device`, properties: object = { Metered: 4 }) =>
    bus.emit({
      path,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'PropertiesChanged',
      signature: 'sa{sv}as',
      body: [name, variants(properties), []]
    })
  const from = (n: Watched) => n.watcher.snapshot?.source
  /** Looks until it has asked again, and gone by what it heard. */
  const heard = async (w: Watched, what: string, holds: () => boolean) => {
    changed()
    await w.until(what, holds)
  }
  const replace = (old: string, by: string) => {
    ip('address', 'del', `${old}/24`, 'dev', 'eth0')
    ip('address', 'add', `${by}/24`, 'dev', 'eth0')
  }

  const nonsense: { readonly [what: string]: Answer } = {
    'a text': { signature: 's', body: ['all is well'] },
    nothing: { signature: '', body: [] },
    'no objects': says({}),
    'objects without the manager itself': says({ [`${ROOT}/Devices/9`]: {} }),
    'another tree': { signature: 'a{sv}', body: [{ [ROOT]: variant(true) }] },
    'a number': { signature: 't', body: [2n ** 64n - 1n] }
  }
  for (const [what, body] of Object.entries(nonsense))
    t.test(`it answers ${what}: as one that does not answer`, async t => {
      answer = says(sense())
      const w = new Watched(t, address)
      await w.until('bound', () => w.listens(FIRST) && from(w) === 'NetworkManager')
      answer = body
      await heard(w, 'goes by the kernel', () => from(w) === 'ip')
      t.ok(w.listens(FIRST))
      t.notOk(w.changes.some(bound => bound.length === 0))
      answer = says(sense())
      await heard(w, 'it makes sense again', () => from(w) === 'NetworkManager')
      t.ok(w.listens(FIRST))
    })

  t.test('properties that make no sense are as good as missing', async t => {
    answer = says(sense())
    const w = new Watched(t, address)
    await w.until('bound', () => w.listens(FIRST))
    for (const odd of [
      { ActiveConnection: `${ROOT}/Devices/1`, Metered: 'yes', DeviceType: 4_000_000_000 },
      { Ip4Connectivity: 'full', Ip6Connectivity: 99, ActiveConnection: 'eth0', Metered: 77 },
      { IpInterface: 5, DeviceType: 'wifi' }
    ]) {
      answer = says(sense(odd, { Connectivity: 'x', PrimaryConnection: 7 }))
      const before = asked
      await heard(w, 'asked', () => asked > before && w.watcher.snapshot?.connectivity === '')
      t.ok(w.listens(FIRST))
      answer = says(sense())
      await heard(w, 'well', () => w.watcher.snapshot?.connectivity === 'full')
    }
    t.notOk(
      w.changes.some(bound => bound.length === 0),
      'the sockets stayed'
    )
  })

  t.test('it hangs while an address goes and another comes', async t => {
    answer = says(sense())
    const w = new Watched(t, address)
    await w.until('bound', () => w.listens(FIRST) && from(w) === 'NetworkManager')
    answer = 'nothing'
    replace(FIRST, SECOND)
    await w.until('the kernel is believed', () => w.listens(SECOND) && !w.listens(FIRST))
    t.match(w.log.join('\n'), /warn NetworkManager does not answer/)
    answer = says(sense())
    await heard(w, 'it is there again', () => from(w) === 'NetworkManager')
    t.ok(w.listens(SECOND))
    replace(SECOND, FIRST)
    await w.until('as ever', () => w.listens(FIRST) && !w.listens(SECOND))
  })

  t.test('an interface that it does not know, and a thousand that are not there', async t => {
    const many = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, n) => [
        `${ROOT}/Devices/${n + 100}`,
        { [`${NM}.Device`]: variants({ Interface: `eth${n + 100}`, State: 100, Managed: true }) }
      ])
    )
    answer = says({ ...sense(), ...many })
    const w = new Watched(t, address)
    await w.until('bound', () => w.listens(FIRST))
    t.same(
      w.watcher.snapshot?.interfaces.map(({ name }) => name).filter(name => /^eth\d\d/.test(name)),
      [],
      'what the kernel has not is not there'
    )
  })

  t.test('it tells of changes without an end: it is asked a few times a second', async t => {
    answer = says(sense())
    const w = new Watched(t, address)
    await w.until('bound', () => w.listens(FIRST))
    const [before, began] = [asked, performance.now()]
    const ends = began + 2_000
    while (performance.now() < ends) {
      for (let n = 0; n < 50; n++) changed(undefined, undefined, { State: n % 2 ? 100 : 70 })
      await new Promise(setImmediate)
    }
    const seconds = (performance.now() - began) / 1000
    t.comment(`${asked - before} looks in ${seconds} s`)
    t.ok(asked - before <= 12 * seconds + 8, `${asked - before} looks in ${seconds.toFixed(1)} s`)
    replace(FIRST, THIRD)
    await w.until('and the network is followed', () => w.listens(THIRD) && !w.listens(FIRST))
    replace(THIRD, FIRST)
    await w.until('back', () => w.listens(FIRST))
    t.equal(w.interface('eth0')?.addresses.length, 1)
  })
}
