import t from 'tap'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import type { EventRecord } from '../../src/daemon/surfaces/events.ts'
import { type BusMessage, plain } from '../../src/host/bus.ts'
import { follow, lacking } from '../command.ts'
import { PATIENCE_MS } from '../lab/deadline.ts'
import { CIRCLE, peer, peerPath } from './example.ts'
import { call, client, Surface } from './surface.ts'

const PEERS = 100
/** 10 changes a second each for 10 s, driven as fast as both readers are served. */
const ROUNDS = 100
const states = ['reachable', 'suspect', 'asleep', 'unreachable']

type State = Map<string, { [name: string]: unknown }>
const sorted = (state: State) => Object.fromEntries([...state].sort(([a], [b]) => (a < b ? -1 : 1)))

// GLib's own cache of the objects; written out when the circle's name becomes `end`.
const script = `
  const { Gio, GLib } = imports.gi
  const connection = Gio.DBusConnection.new_for_address_sync(ARGV[0],
    Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, null, null)
  const manager = Gio.DBusObjectManagerClient.new_sync(connection, Gio.DBusObjectManagerClientFlags.DO_NOT_AUTO_START,
    '${INTERFACE}', '${ROOT}', null, null)
  const values = proxy => Object.fromEntries(proxy.get_cached_property_names()
    .map(name => [name, proxy.get_cached_property(name).recursiveUnpack()]))
  const state = () => manager.get_objects().map(object =>
    [object.get_object_path(), Object.assign({}, ...object.get_interfaces().map(values))])
  manager.connect('interface-proxy-properties-changed', (_, object, proxy, changed) => {
    if (changed.recursiveUnpack().Name === 'end')
      print('state', JSON.stringify(Object.fromEntries(state().sort(([a], [b]) => (a < b ? -1 : 1)))))
  })
  print('ready')
  new GLib.MainLoop(null, false).run()`

t.test('100 peers that change without pause', { skip: lacking('gjs') }, async t => {
  const { publisher, daemon: own } = await Surface.up(t)
  const bus = await client(t, own.address)

  // A reader of events, and one that comes back with its cursor every few rounds.
  const followed: State = new Map()
  const returning: State = new Map()
  let last = 0
  let cursor = ''
  let gaps = 0
  const apply = (state: State, events: readonly EventRecord[]) => {
    for (const e of events) {
      if (e.Type === 'Gap') gaps++
      if (e.Type === 'Removed') state.delete(e.Object)
      else state.set(e.Object, { ...(e.Type === 'Changed' ? state.get(e.Object) : {}), ...e.Properties })
    }
  }
  const comeBack = () => {
    const { events } = publisher.since(cursor)
    apply(returning, events)
    cursor = events.at(-1)?.Cursor ?? cursor
  }
  apply(followed, publisher.since('').events)
  publisher.subscribe(events => {
    for (const e of events) {
      const sequence = Number(e.Cursor.split('-')[1])
      if (last > 0 && sequence !== last + 1) gaps++
      last = sequence
    }
    apply(followed, events)
  })

  // A D-Bus client as they come: listens, reads all, then goes by the signals.
  const seen: State = new Map()
  /** PropertiesChanged since the object was added. */
  const changes = new Map<string, number>()
  let most = 0
  let signals = 0
  let wake = () => {}
  const onSignal = (m: BusMessage) => {
    const body = plain(m.body) as [string, { [name: string]: { [name: string]: unknown } }]
    if (m.member === 'InterfacesAdded') {
      changes.delete(body[0])
      seen.set(body[0], Object.assign({}, ...Object.values(body[1])))
    } else if (m.member === 'InterfacesRemoved') seen.delete(body[0])
    else if (m.path !== ROOT) {
      seen.set(m.path, { ...seen.get(m.path), ...body[1] })
      changes.set(m.path, (changes.get(m.path) ?? 0) + 1)
      most = Math.max(most, changes.get(m.path) ?? 0)
    }
    signals++
    wake()
  }
  bus.match({ sender: INTERFACE, pathNamespace: ROOT }, onSignal)
  const [managed] = await call(bus, 'GetManagedObjects', '', [], '', 'org.freedesktop.DBus.ObjectManager')
  for (const [path, interfaces] of Object.entries(plain(managed) as { [path: string]: object }))
    seen.set(path, Object.assign({}, ...Object.values(interfaces)))

  const gjs = follow(t, 'gjs', ['-c', script, own.address])
  await gjs.line(/ready/)

  const begin = performance.now()
  for (let round = 1; round <= ROUNDS; round++) {
    for (let n = 0; n < PEERS; n++) {
      const id = `co1p${n}`
      if ((round + n) % 50 === 0) publisher.remove(peerPath(id))
      const State = states[(round + n) % 4] as string
      const now = { State, Reachable: State === 'reachable', LatencyUSec: round * 1000 + n }
      publisher.set('Peer', peerPath(id), peer(id, now))
    }
    if (round % 7 === 0) comeBack()
    // Until the daemon has answered: the bus took what was sent before.
    if (round % 5 === 0) await call(bus, 'Ping', '', [], '', 'org.freedesktop.DBus.Peer')
    else await new Promise(setImmediate)
  }
  comeBack()
  const truth: State = new Map(publisher.list().map(o => [o.path, { ...o.properties }]))
  const onBus: State = new Map([...truth].filter(([path]) => path !== '').map(([p, v]) => [ROOT + p, v]))
  const same = () => JSON.stringify(sorted(seen)) === JSON.stringify(sorted(onBus))
  const deadline = performance.now() + PATIENCE_MS
  while (!same() && performance.now() < deadline) {
    await new Promise<void>(resolve => {
      wake = resolve
    })
  }
  const seconds = (performance.now() - begin) / 1000
  t.strictSame(sorted(seen), sorted(onBus), 'the D-Bus client has it all')
  t.strictSame(sorted(followed), sorted(truth), 'the reader of events too')
  t.strictSame(sorted(returning), sorted(truth), 'and the one that comes back')
  t.equal(gaps, 0, 'no gap')
  t.ok(most <= 20 * seconds + 2, 'at most 20 signals a second for an object')
  publisher.set('Circle', `/circle/${CIRCLE}`, { Id: CIRCLE, Name: 'end', Level: 1, Members: 2 })
  onBus.set(`${ROOT}/circle/${CIRCLE}`, { Id: CIRCLE, Name: 'end', Level: 1, Members: 2 })
  const read = JSON.parse((await gjs.line(/^state/)).slice('state '.length))
  t.strictSame(read, sorted(onBus), 'and so has GLib in another process')
  t.comment(`${PEERS * ROUNDS} changes, ${last} events, ${signals} signals in ${seconds.toFixed(1)} s`)
})
