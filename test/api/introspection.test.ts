import { join } from 'node:path'
import t from 'tap'
import { agents, type Method, methods, objects, serving, signals } from '../../src/api/api.ts'
import {
  agentInterfaces,
  interfaceFiles,
  interfaces,
  nodeXml,
  servingInterfaces,
  signature,
  standard
} from '../../src/api/introspection.ts'
import {
  boolean,
  double,
  field,
  list,
  object,
  path,
  record,
  string,
  uint32,
  uint64
} from '../../src/api/types.ts'
import { lacking, run } from '../command.ts'

t.test('signatures', async t => {
  const one = record('One', '', { A: field(string, '') })
  const wanted = [
    [string, 's'],
    [boolean, 'b'],
    [uint32, 'u'],
    [uint64, 't'],
    [double, 'd'],
    [object, 'a{sv}'],
    [path, 'o'],
    [one, 'a{sv}'],
    [list(one), 'aa{sv}'],
    [list(list(string)), 'aas']
  ] as const
  for (const [type, text] of wanted) t.equal(signature(type), text)
})

t.test('what is on D-Bus', async t => {
  const offered = interfaces.Daemon.methods
  for (const [name, m] of Object.entries<Method>(methods)) {
    if (m.surfaces === 'socket') {
      t.notOk(Object.hasOwn(offered, name), `${name} is for the socket only`)
      continue
    }
    t.same(
      offered[name]?.in.map(a => a.name),
      Object.keys(m.params)
    )
    const out = offered[name]?.out.map(a => `${a.signature} ${a.name}`)
    if (m.kind === 'job') t.same(out, ['o Job'])
    else if (m.kind === 'stream') t.same(out, ['o Subscription'])
    else t.equal(out?.length, Object.keys(m.result).length)
  }
  t.notOk(Object.hasOwn(offered, 'Watch'), 'events are for the socket')
  t.same(Object.keys(interfaces.Daemon.signals), Object.keys(signals))
  t.same(Object.keys(interfaces.Job.methods), ['Cancel'])
  t.same(Object.keys(interfaces.Subscription.properties), Object.keys(methods.Subscribe.params))
  t.same(
    interfaces.Subscription.signals['Changed']?.args.map(a => `${a.signature} ${a.name}`),
    ['aa{sv} Peers', 'as Gone']
  )
  const secrets = /ticket|recovery/i
  for (const { content } of interfaceFiles()) t.notMatch(content, secrets)
})

// GLib's own reader, on every file as it lies in dbus/.
t.test('the XML files, read by GLib', { skip: lacking('gjs') }, async t => {
  const script = `
    const { Gio } = imports.gi
    for (const path of ARGV) {
      const [, bytes] = Gio.File.new_for_path(path).load_contents(null)
      const node = Gio.DBusNodeInfo.new_for_xml(new TextDecoder().decode(bytes))
      const annotation = (info, key) => info.annotations.find(a => a.key === key)?.value
      const doc = info => annotation(info, 'org.gtk.GDBus.DocString')
      const change = info => annotation(info, 'org.freedesktop.DBus.Property.EmitsChangedSignal')
      const args = all => all.map(a => [a.name, a.signature, doc(a)])
      print(JSON.stringify(node.interfaces.map(i => ({
        name: i.name, doc: doc(i),
        methods: i.methods.map(m => [m.name, args(m.in_args), args(m.out_args)]),
        signals: i.signals.map(s => [s.name, args(s.args)]),
        properties: i.properties.map(p => [p.name, p.signature, p.flags, doc(p), change(p)])
      }))))
    }`
  const top = join(import.meta.dirname, '../..')
  const paths = interfaceFiles().map(({ path }) => join(top, path))
  const { out, err } = await run('gjs', ['-c', script, ...paths])
  t.equal(err, '')
  const read = out
    .trim()
    .split('\n')
    .flatMap(line => JSON.parse(line))
  const args = (all: readonly { name: string; signature: string; doc: string }[]) =>
    all.map(a => [a.name, a.signature, a.doc])
  const said = [
    ...Object.values(interfaces),
    ...Object.values(agentInterfaces),
    ...Object.values(servingInterfaces)
  ].map(i => ({
    name: i.name,
    doc: i.doc,
    methods: Object.entries(i.methods).map(([name, m]) => [name, args(m.in), args(m.out)]),
    signals: Object.entries(i.signals).map(([name, s]) => [name, args(s.args)]),
    properties: Object.entries(i.properties).map(([name, p]) => [
      name,
      signature(p.type),
      1,
      p.doc,
      p.const ? 'const' : 'true'
    ])
  }))
  t.strictSame(read, said)
})

t.test('a whole node', async t => {
  const xml = nodeXml([standard.Peer], ['circle', 'a"<&'])
  t.match(xml, '<interface name="org.freedesktop.DBus.Peer">')
  t.match(xml, '<node name="circle"/>')
  t.match(xml, '<node name="a&quot;&lt;&amp;"/>')
  const all = [objects, agents, serving].flatMap(each => Object.keys(each))
  t.equal(all.length, interfaceFiles().length)
})
