import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { INTERFACE, ROOT } from '../../src/api/api.ts'
import { follow, lacking, run } from '../command.ts'
import { CIRCLE, peer, peerPath } from './example.ts'
import { Surface } from './surface.ts'

const LAP = peerPath('co1lap')
const file = (name: string) => readFileSync(join(import.meta.dirname, '../../dbus', `${name}.xml`), 'utf8')
const implementation = {
  Peers: async () => ({ Peers: [peer('co1lap')] }),
  Config: async () => ({
    Path: '/etc/x',
    Values: { network: { only: ['lo'], port: 24747 }, list: [1, 'a', { b: true }], low: -1, half: 0.5 }
  })
}

t.test('busctl', { skip: lacking('busctl') }, async t => {
  const { daemon } = await Surface.up(t, implementation)
  const busctl = async (...args: string[]) => {
    const { code, out, err } = await run('busctl', [`--address=${daemon.address}`, ...args])
    return code === 0 ? out : err
  }
  t.equal(
    await busctl('tree', '--list', INTERFACE),
    `${['/', '/org', '/org/coterie', ROOT, `${ROOT}/circle`, `${ROOT}/circle/${CIRCLE}`, `${ROOT}/circle/${CIRCLE}/peer`, ROOT + LAP, `${ROOT}/listener`, `${ROOT}/listener/1`].join('\n')}\n`
  )
  const lines = (await busctl('introspect', INTERFACE, ROOT + LAP))
    .split('\n')
    .map(l => l.split(/\s+/).join(' '))
  for (const line of [
    `${INTERFACE}.Peer interface - - -`,
    '.Addresses property as 2 "tcp://192.168.1.5:24747" "tcp://[fe80::1%25eth0]:24747" emits-change',
    '.Id property s "co1lap" const',
    '.LatencyUSec property t 1234 emits-change',
    '.Reachable property b true emits-change'
  ])
    t.ok(lines.includes(line), line)
  const root = (await busctl('introspect', INTERFACE, ROOT)).split('\n').map(l => l.split(/\s+/).join(' '))
  for (const line of [
    '.Ping method ssu o -',
    '.Peers method s aa{sv} -',
    '.Version property s "0.1.0" const',
    '.CloneDetected signal ss - -',
    '.GetManagedObjects method - a{oa{sa{sv}}} -'
  ])
    t.ok(root.includes(line), line)
  t.equal(
    await busctl('get-property', INTERFACE, ROOT + LAP, `${INTERFACE}.Peer`, 'Name'),
    's "laptop co1lap"\n'
  )
  t.match(
    await busctl('set-property', INTERFACE, ROOT + LAP, `${INTERFACE}.Peer`, 'Name', 's', 'x'),
    /Name can only be read/
  )
  const config = await busctl('--json=short', 'call', INTERFACE, ROOT, INTERFACE, 'Config')
  t.same(JSON.parse(config).data[1].network.data.only, { type: 'as', data: ['lo'] })
  t.match(await busctl('call', INTERFACE, ROOT, INTERFACE, 'Devices', 's', ''), /in no circle yet/)
  t.match(await busctl('call', INTERFACE, ROOT, INTERFACE, 'Devices'), /Devices takes \(s Circle\), not \(\)/)
})

t.test('gdbus', { skip: lacking('gdbus') }, async t => {
  const { daemon, publisher } = await Surface.up(t, implementation)
  const env = { DBUS_SESSION_BUS_ADDRESS: daemon.address }
  const at = (path: string) => ['--session', '--dest', INTERFACE, '--object-path', ROOT + path]
  const all = await run('gdbus', ['introspect', ...at(''), '--recurse'], env)
  t.equal(all.code, 0, all.err)
  t.match(all.out, /@org\.gtk\.GDBus\.DocString\("Everything a panel shows, of one circle\."\)\s+Status\(/)
  t.match(all.out, /readonly t LatencyUSec = 1234;/)
  const call = await run('gdbus', ['call', ...at(''), '--method', `${INTERFACE}.Peers`, ''], env)
  t.match(call.out, /^\(\[\{'Id': <'co1lap'>, .*'LatencyUSec': <uint64 1234>/)
  const wrong = await run('gdbus', ['call', ...at(''), '--method', `${INTERFACE}.Devices`, ''], env)
  t.match(wrong.err, /GDBus\.Error:org\.coterie\.Coterie1\.Error\.NoCircle: this device is in no circle yet/)
  const monitor = follow(t, 'gdbus', ['monitor', '--session', '--dest', INTERFACE], env)
  await monitor.line(/is owned by/)
  // It listens only after it has said so: something changes until it does.
  let n = 0
  const lively = setInterval(() => publisher.set('Peer', LAP, peer('co1lap', { LatencyUSec: ++n })), 10)
  await monitor.line(/PropertiesChanged/)
  clearInterval(lively)
  // the last latency may go with it: one signal a turn
  publisher.set('Peer', LAP, peer('co1lap', { LatencyUSec: n, State: 'asleep', Reachable: false }))
  t.match(
    await monitor.line(/asleep/),
    /peer\/co1lap: .*PropertiesChanged \('org\.coterie\.Coterie1\.Peer', \{.*'State': <'asleep'>, 'Reachable': <false>.*\}, @as \[\]\)/
  )
})

t.test('gjs: a proxy made from the XML', { skip: lacking('gjs') }, async t => {
  const { daemon, publisher } = await Surface.up(t, implementation)
  const script = `
    const { Gio, GLib } = imports.gi
    const [rootXml, peerXml] = ARGV
    const Daemon = Gio.DBusProxy.makeProxyWrapper(rootXml)
    const Peer = Gio.DBusProxy.makeProxyWrapper(peerXml)
    const daemon = Daemon(Gio.DBus.session, '${INTERFACE}', '${ROOT}')
    const peer = Peer(Gio.DBus.session, '${INTERFACE}', '${ROOT + LAP}')
    const [peers] = daemon.PeersSync('')
    print(JSON.stringify({ circle: daemon.Circle, peers: peers.map(p => p.Name.deepUnpack()), addresses: peer.Addresses }))
    try { daemon.DevicesSync('') } catch (e) { print(Gio.DBusError.get_remote_error(e), e.message) }
    peer.connect('g-properties-changed', (_, changed) => print('changed', peer.State, JSON.stringify(changed.recursiveUnpack())))
    daemon.connectSignal('CloneDetected', (_, sender, args) => print('clone', JSON.stringify(args)))
    print('ready')
    new GLib.MainLoop(null, false).run()`
  const gjs = follow(t, 'gjs', ['-c', script, file(INTERFACE), file(`${INTERFACE}.Peer`)], {
    DBUS_SESSION_BUS_ADDRESS: daemon.address
  })
  t.same(JSON.parse(await gjs.line(/circle/)), {
    circle: CIRCLE,
    peers: ['laptop co1lap'],
    addresses: peer('').Addresses
  })
  t.match(await gjs.line(/NoCircle/), /^org\.coterie\.Coterie1\.Error\.NoCircle .*in no circle yet/)
  await gjs.line(/ready/)
  publisher.set('Peer', LAP, peer('co1lap', { State: 'asleep' }))
  t.equal(await gjs.line(/changed/), 'changed asleep {"State":"asleep"}')
  publisher.signal('CloneDetected', '', { Circle: CIRCLE, Id: 'co1lap' })
  t.equal(await gjs.line(/clone/), `clone ["${CIRCLE}","co1lap"]`)
})

t.test('gjs: an object manager, across a restart of the bus', { skip: lacking('gjs') }, async t => {
  const { daemon, publisher, states } = await Surface.up(t, implementation)
  const script = `
    const { Gio, GLib } = imports.gi
    const connection = Gio.DBusConnection.new_for_address_sync(ARGV[0],
      Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, null, null)
    const manager = Gio.DBusObjectManagerClient.new_sync(connection, Gio.DBusObjectManagerClientFlags.DO_NOT_AUTO_START,
      '${INTERFACE}', '${ROOT}', null, null)
    const paths = () => manager.get_objects().map(o => o.get_object_path().slice(${ROOT.length})).sort().join(' ')
    const own = path => manager.get_object('${ROOT}' + path).get_interfaces()
      .map(i => i.get_interface_info()?.name ?? i.g_interface_name).join()
    print('objects', paths())
    print('interfaces', own('${LAP}'))
    print('name', manager.get_interface('${ROOT + LAP}', '${INTERFACE}.Peer').get_cached_property('Name').deepUnpack())
    manager.connect('object-added', (_, o) => print('added', o.get_object_path()))
    manager.connect('object-removed', (_, o) => print('removed', o.get_object_path()))
    manager.connect('interface-proxy-properties-changed', (_, o, proxy, changed) =>
      print('changed', o.get_object_path(), JSON.stringify(changed.recursiveUnpack())))
    print('ready')
    new GLib.MainLoop(null, false).run()`
  for (const time of ['first', 'again']) {
    const gjs = follow(t, 'gjs', ['-c', script, daemon.address])
    t.equal(await gjs.line(/objects/), `objects /circle/${CIRCLE} ${LAP} /listener/1`, time)
    t.equal(await gjs.line(/interfaces/), `interfaces ${INTERFACE}.Peer`)
    t.equal(await gjs.line(/name/), 'name laptop co1lap')
    await gjs.line(/ready/)
    publisher.set('Peer', peerPath('co1new'), peer('co1new'))
    t.equal(await gjs.line(/added/), `added ${ROOT + peerPath('co1new')}`)
    publisher.set('Peer', peerPath('co1new'), peer('co1new', { LatencyUSec: 7 }))
    t.equal(await gjs.line(/changed/), `changed ${ROOT + peerPath('co1new')} {"LatencyUSec":7}`)
    publisher.remove(peerPath('co1new'))
    t.equal(await gjs.line(/removed/), `removed ${ROOT + peerPath('co1new')}`)
    if (time === 'again') break
    await daemon.kill()
    await states.until(s => s === 'absent')
    await daemon.start()
    await states.until(s => s === 'owned')
  }
})
