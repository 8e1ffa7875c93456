/**
 * The API as D-Bus introspection XML (D-Bus specification, "Introspection Data Format"). A record is an
 * a{sv}, its fields by name; a free object too. There are no optional arguments on D-Bus: the empty value
 * stands for "left out".
 */

import { agents, type Method, methods, type ObjectKind, objects, serving, signals } from './api.ts'
import { type Fields, field, object, string, type Type } from './types.ts'

const DBUS = 'org.freedesktop.DBus'
const DOC = 'org.gtk.GDBus.DocString'

/** D-Bus signature of a value of this type. */
export function signature(type: Type): string {
  switch (type.kind) {
    case 'string':
      return 's'
    case 'path':
      return 'o'
    case 'boolean':
      return 'b'
    case 'uint32':
      return 'u'
    case 'uint64':
      return 't'
    case 'double':
      return 'd'
    case 'list':
      return `a${signature(type.item)}`
    case 'object':
    case 'record':
      return 'a{sv}'
  }
}

export interface Argument {
  readonly name: string
  readonly signature: string
  /** Of what the API defines; absent in the standard interfaces. */
  readonly type?: Type
  readonly doc: string
}
interface BusMethod {
  readonly doc: string
  readonly in: readonly Argument[]
  readonly out: readonly Argument[]
}
interface BusSignal {
  readonly doc: string
  readonly args: readonly Argument[]
}
/** One interface as D-Bus has it. */
export interface BusInterface {
  readonly name: string
  readonly doc: string
  readonly methods: { readonly [name: string]: BusMethod }
  readonly signals: { readonly [name: string]: BusSignal }
  /** All are read-only; `const` is EmitsChangedSignal const, else true. */
  readonly properties: Fields
}

/** `(s Circle, b All)`, for messages. */
export function spelled(all: readonly Argument[]): string {
  return `(${all.map(a => `${a.signature} ${a.name}`).join(', ')})`
}

/** What a job object has besides its properties. */
const job = {
  methods: { Cancel: { doc: 'End it. Nothing happens when it has ended already.', in: [], out: [] } },
  signals: {
    Finished: {
      doc: 'It has ended; the object stays a minute longer, or until its caller leaves the bus.',
      args: args({
        State: field(string, 'done, failed or cancelled.'),
        Result: field(object, 'The result when done; {"Error", "Message"} when failed.')
      })
    }
  }
}
/** What a subscription object has besides its properties. */
const subscription = {
  methods: { Cancel: { doc: 'End it. Only for its caller.', in: [], out: [] } },
  signals: {
    Changed: {
      doc: 'To its caller only: first all, right after Subscribe has answered, then what crossed a threshold.',
      args: args(methods.Subscribe.result)
    }
  }
}
const subscriptionArgument: Argument = {
  name: 'Subscription',
  signature: 'o',
  doc: 'A subscription object; its signal Changed tells. Listen for it before you call.'
}
const jobArgument = (result: Fields): Argument => ({
  name: 'Job',
  signature: 'o',
  doc: `A job object; when it is done, its Result has ${spelled(args(result))}.`
})

function outOf({ kind, result }: Method): readonly Argument[] {
  if (kind === 'job') return [jobArgument(result)]
  return kind === 'stream' ? [subscriptionArgument] : args(result)
}

function args(fields: Fields): Argument[] {
  return Object.entries(fields).map(([name, f]) => ({
    name,
    signature: signature(f.type),
    type: f.type,
    doc: f.doc
  }))
}

function mapEntries<A, B>(of: { readonly [name: string]: A }, to: (a: A) => B): { [name: string]: B } {
  return Object.fromEntries(Object.entries(of).map(([name, a]) => [name, to(a)]))
}

const offered = Object.fromEntries(Object.entries<Method>(methods).filter(([, m]) => m.surfaces === 'all'))
const members: { readonly [K in ObjectKind]?: Pick<BusInterface, 'methods' | 'signals'> } = {
  Daemon: {
    methods: mapEntries(offered, m => ({
      doc: m.doc,
      in: args(m.params),
      out: outOf(m)
    })),
    signals: mapEntries<{ doc: string; fields: Fields }, BusSignal>(signals, s => ({
      doc: s.doc,
      args: args(s.fields)
    }))
  },
  Job: job,
  Subscription: subscription
}

/** The interface of objects of this kind. */
export const interfaces = Object.fromEntries(
  Object.entries(objects).map(([kind, { record, interface: name }]): [string, BusInterface] => [
    kind,
    {
      methods: {},
      signals: {},
      ...members[kind as ObjectKind],
      name,
      doc: record.doc,
      properties: record.fields
    }
  ])
) as { readonly [K in ObjectKind]: BusInterface }

/** An interface that is offered besides those of the objects. */
export interface Offer {
  readonly interface: string
  readonly doc: string
  readonly methods: {
    readonly [name: string]: { readonly doc: string; readonly params: Fields; readonly result?: Fields }
  }
}
const interfacesOf = <K extends string>(offers: { readonly [N in K]: Offer }) =>
  mapEntries<Offer, BusInterface>(offers, its => ({
    name: its.interface,
    doc: its.doc,
    methods: mapEntries<Offer['methods'][string], BusMethod>(its.methods, m => ({
      doc: m.doc,
      in: args(m.params),
      out: args(m.result ?? {})
    })),
    signals: {},
    properties: {}
  })) as { readonly [N in K]: BusInterface }

/** Of prompt agents: the daemon's, on the root object, and the one an agent offers. */
export const agentInterfaces = interfacesOf(agents)
/** Of programs that serve tags: the same. */
export const servingInterfaces = interfacesOf(serving)

// --- the standard interfaces (D-Bus specification, "Standard Interfaces") -----------------------------------

const argument = (name: string, type: string): Argument => ({ name, signature: type, doc: '' })
const standardMethod = (takes: Argument[], gives: Argument[]): BusMethod => ({
  doc: '',
  in: takes,
  out: gives
})
const standardInterface = (
  name: string,
  its: Partial<Pick<BusInterface, 'methods' | 'signals'>>
): BusInterface => ({ name: `${DBUS}.${name}`, doc: '', methods: {}, signals: {}, properties: {}, ...its })

export const standard = {
  Introspectable: standardInterface('Introspectable', {
    methods: { Introspect: standardMethod([], [argument('xml_data', 's')]) }
  }),
  Peer: standardInterface('Peer', {
    methods: {
      Ping: standardMethod([], []),
      GetMachineId: standardMethod([], [argument('machine_uuid', 's')])
    }
  }),
  Properties: standardInterface('Properties', {
    methods: {
      Get: standardMethod(
        [argument('interface_name', 's'), argument('property_name', 's')],
        [argument('value', 'v')]
      ),
      GetAll: standardMethod([argument('interface_name', 's')], [argument('props', 'a{sv}')]),
      Set: standardMethod(
        [argument('interface_name', 's'), argument('property_name', 's'), argument('value', 'v')],
        []
      )
    },
    signals: {
      PropertiesChanged: {
        doc: '',
        args: [
          argument('interface_name', 's'),
          argument('changed_properties', 'a{sv}'),
          argument('invalidated_properties', 'as')
        ]
      }
    }
  }),
  ObjectManager: standardInterface('ObjectManager', {
    methods: {
      GetManagedObjects: standardMethod(
        [],
        [argument('object_paths_interfaces_and_properties', 'a{oa{sa{sv}}}')]
      )
    },
    signals: {
      InterfacesAdded: {
        doc: '',
        args: [argument('object_path', 'o'), argument('interfaces_and_properties', 'a{sa{sv}}')]
      },
      InterfacesRemoved: { doc: '', args: [argument('object_path', 'o'), argument('interfaces', 'as')] }
    }
  })
} as const

// --- XML -------------------------------------------------------------------------------------------------

const HEAD = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`
const escapes: { [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string) => text.replace(/[&<>"]/g, c => escapes[c] as string)

/** An element on lines of its own, its children indented. */
function element(name: string, attributes: { [name: string]: string }, children: string[] = []): string[] {
  const all = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`)
  const start = `<${name}${all.join('')}`
  if (children.length === 0) return [`${start}/>`]
  return [`${start}>`, ...children.map(line => `  ${line}`), `</${name}>`]
}
const annotation = (name: string, value: string) => (value ? element('annotation', { name, value }) : [])

function interfaceElement(its: BusInterface): string[] {
  const argElements = (all: readonly Argument[], direction: { direction?: string }) =>
    all.flatMap(a =>
      element('arg', { name: a.name, type: a.signature, ...direction }, annotation(DOC, a.doc))
    )
  return element('interface', { name: its.name }, [
    ...annotation(DOC, its.doc),
    ...Object.entries(its.methods).flatMap(([name, m]) =>
      element('method', { name }, [
        ...annotation(DOC, m.doc),
        ...argElements(m.in, { direction: 'in' }),
        ...argElements(m.out, { direction: 'out' })
      ])
    ),
    ...Object.entries(its.signals).flatMap(([name, s]) =>
      element('signal', { name }, [...annotation(DOC, s.doc), ...argElements(s.args, {})])
    ),
    ...Object.entries(its.properties).flatMap(([name, p]) =>
      element('property', { name, type: signature(p.type), access: 'read' }, [
        ...annotation(DOC, p.doc),
        ...annotation(`${DBUS}.Property.EmitsChangedSignal`, p.const ? 'const' : 'true')
      ])
    )
  ])
}

/** What Introspect answers: the interfaces of an object and the names of the objects right below it. */
export function nodeXml(its: readonly BusInterface[], children: readonly string[]): string {
  const lines = element('node', {}, [
    ...its.flatMap(interfaceElement),
    ...children.flatMap(name => element('node', { name }))
  ])
  return `${HEAD}${lines.join('\n')}\n`
}

/** One file per interface, as they lie in /usr/share/dbus-1/interfaces. */
export function interfaceFiles(): { path: string; content: string }[] {
  const offers = [...Object.values(agentInterfaces), ...Object.values(servingInterfaces)]
  return [...Object.values(interfaces), ...offers].map(its => ({
    path: `dbus/${its.name}.xml`,
    content: nodeXml([its], [])
  }))
}
