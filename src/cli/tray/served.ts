/** Objects that this program offers on the bus, with their introspection and their properties. */
import { nodeXml, standard } from '../../api/introspection.ts'
import { type Bus, BusError, type BusMessage, type BusReply, type Variant } from '../../host/bus.ts'

export interface Served {
  readonly path: string
  readonly interface: string
  /** What is between <interface> and </interface>. */
  readonly xml: string
  properties(): { readonly [name: string]: Variant }
  /** Undefined: there is no such method. Rejects BusError. */
  call(message: BusMessage): Promise<BusReply | undefined>
}

const ERROR = 'org.freedesktop.DBus.Error'
const NOTHING: BusReply = { signature: '', body: [] }
const { Introspectable, Peer, Properties } = standard
/** Of each object. */
const common = [Introspectable, { ...Peer, methods: { Ping: Peer.methods['Ping']! } }, Properties]

/** All calls that come by the bus go to these. They lie right below the root. */
export function serve(bus: Bus, objects: readonly Served[]): void {
  bus.serve(async message => {
    const { path, member } = message
    const object = objects.find(its => its.path === path)
    switch (message.interface) {
      case Introspectable.name:
        if (member !== 'Introspect') return undefined
        if (object) return { signature: 's', body: [described(object)] }
        return path === '/' ? { signature: 's', body: [root(objects)] } : undefined
      case Peer.name:
        return member === 'Ping' ? NOTHING : undefined
      case Properties.name:
        return object && properties(object, message)
      default: {
        // the interface may be left out
        const its = message.interface === '' || message.interface === object?.interface
        return its ? object?.call(message) : undefined
      }
    }
  })
}

/** What its methods take. */
const TAKEN: { readonly [member: string]: string } = { Get: 'ss', GetAll: 's', Set: 'ssv' }

function properties(object: Served, { member, body, signature }: BusMessage): BusReply | undefined {
  if (!Object.hasOwn(TAKEN, member)) return undefined
  if (TAKEN[member] !== signature)
    throw new BusError(`${ERROR}.InvalidArgs`, `${member} takes ${TAKEN[member]}`)
  const [name, property] = body as [string, string]
  if (name !== object.interface && name !== '')
    throw new BusError(`${ERROR}.UnknownInterface`, `there is no interface ${name} at ${object.path}`)
  const all = object.properties()
  if (member === 'GetAll') return { signature: 'a{sv}', body: [all] }
  if (member === 'Set') throw new BusError(`${ERROR}.PropertyReadOnly`, `${property} can only be read`)
  const value = Object.hasOwn(all, property) ? all[property] : undefined
  if (value === undefined) throw new BusError(`${ERROR}.UnknownProperty`, `there is no property ${property}`)
  return { signature: 'v', body: [value] }
}

const described = ({ interface: name, xml }: Served): string =>
  nodeXml(common, []).replace('</node>', `  <interface name="${name}">${xml}</interface>\n</node>`)

const root = (objects: readonly Served[]): string =>
  nodeXml(
    [],
    objects.map(({ path }) => path.slice(1))
  )
