/** The publisher's objects as D-Bus reads them: what is at a path, its properties, its XML. */

import { type Method, methods, type ObjectKind, ROOT } from '../../api/api.ts'
import {
  type Argument,
  agentInterfaces,
  type BusInterface,
  interfaces,
  nodeXml,
  servingInterfaces,
  standard
} from '../../api/introspection.ts'
import { type Fields, field, string } from '../../api/types.ts'
import { BusError, type Variant } from '../../host/bus.ts'
import { type Dict, dict, toBus } from './bus-values.ts'
import type { Published, Publisher } from './publisher.ts'

const ERROR = 'org.freedesktop.DBus.Error'
type Values = { readonly [name: string]: unknown }

/** Of a job that failed. */
const failure: Fields = {
  Error: field(string, 'Name of the error.'),
  Message: field(string, 'What went wrong.')
}
const everywhere = [standard.Introspectable, standard.Peer]

export class BusObjects {
  readonly #publisher: Publisher

  constructor(publisher: Publisher) {
    this.#publisher = publisher
  }

  /** The interfaces at an absolute path; undefined when neither an object nor the way to one is there. */
  at(path: string): readonly BusInterface[] | undefined {
    const object = this.#object(path)
    if (!object) return this.#children(path).length > 0 ? everywhere : undefined
    const own = interfaces[object.kind]
    if (object.path !== '') return [...everywhere, standard.Properties, own]
    const managers = [agentInterfaces.AgentManager, servingInterfaces.HandlerManager]
    return [...everywhere, standard.Properties, standard.ObjectManager, own, ...managers]
  }

  introspect(path: string): string {
    return nodeXml(this.at(path) ?? [], this.#children(path))
  }

  /** The value of a property; '' as the interface finds it by name. */
  property(path: string, interfaceName: string, name: string): Variant {
    const all = this.properties(path, interfaceName)
    if (Object.hasOwn(all, name)) return all[name] as Variant
    const known = Object.keys(all).join(', ') || 'none'
    throw new BusError(`${ERROR}.UnknownProperty`, `no property ${name}; there are: ${known}`)
  }

  /** All properties of an interface; '' means of all interfaces. */
  properties(path: string, interfaceName: string): Dict {
    const object = this.#object(path)
    const its = object && interfaces[object.kind]
    if (object && (interfaceName === '' || its?.name === interfaceName))
      return this.values(object.kind, object.path, object.properties)
    if (this.at(path)?.some(i => i.name === interfaceName)) return {}
    throw new BusError(`${ERROR}.UnknownInterface`, `no interface ${interfaceName} at ${path}`)
  }

  /** What GetManagedObjects answers: all objects but the root itself. */
  managed(): { [path: string]: { [interfaceName: string]: Dict } } {
    const objects = this.#publisher.list().filter(o => o.path !== '')
    return Object.fromEntries(
      objects.map(o => [
        ROOT + o.path,
        { [interfaces[o.kind].name]: this.values(o.kind, o.path, o.properties) }
      ])
    )
  }

  /** Some properties of an object, as a{sv}. */
  values(kind: ObjectKind, path: string, values: Values): Dict {
    return dict(interfaces[kind].properties, values, this.#inside(kind, path, values))
  }

  /** The arguments of a signal of an object. */
  args(all: readonly Argument[], kind: ObjectKind, path: string, values: Values): unknown[] {
    const inside = this.#inside(kind, path, values)
    return all.map(a => a.type && toBus(a.type, values[a.name], inside))
  }

  /** What a job's Result holds, by its method; when it failed, another thing of the same names (Message). */
  #inside(kind: ObjectKind, path: string, { Result }: Values): Fields | undefined {
    if (kind !== 'Job') return undefined
    const job = this.#publisher.get(path)?.properties as { Method?: keyof typeof methods } | undefined
    const method: Method | undefined = job?.Method && methods[job.Method]
    return method && (Object.hasOwn(Object(Result), 'Error') ? failure : method.result)
  }

  #object(path: string): Published | undefined {
    const inside = path === ROOT || path.startsWith(`${ROOT}/`)
    return inside ? this.#publisher.get(path.slice(ROOT.length)) : undefined
  }

  #children(path: string): string[] {
    const above = path === '/' ? '/' : `${path}/`
    const below = this.#publisher.list().flatMap(o => {
      const whole = ROOT + o.path
      return whole.startsWith(above) ? [whole.slice(above.length).split('/', 1)[0] as string] : []
    })
    return [...new Set(below)]
  }
}
