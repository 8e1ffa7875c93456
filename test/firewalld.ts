/** A firewalld on a private system bus: what it says of zones and services, and nothing else of it. */
import { Bus, BusError, type BusReply, Variant } from '../src/host/bus.ts'

interface Zone {
  readonly target?: string
  readonly services?: readonly string[]
  readonly ports?: readonly (readonly [string, string])[]
  readonly rich?: readonly string[]
}

export interface Walls {
  /** Zones of interfaces; the others are in `public`. */
  bound: { readonly [interfaceName: string]: string }
  zones: { readonly [name: string]: Zone }
  services: { readonly [name: string]: readonly (readonly [string, string])[] }
  /** As polkit does it. */
  refuses?: boolean
  hangs?: boolean
}

interface Teardown {
  teardown(fn: () => Promise<void>): void
}

/** Resolves when it has its name. */
export async function firewallService(t: Teardown, address: string, walls: Walls): Promise<void> {
  const bus = new Bus({ kind: 'system', address, log: () => {} })
  t.teardown(() => bus.close())
  const up = new Promise<void>(resolve => bus.onUp(resolve))
  bus.serve(async ({ interface: face, member, body }): Promise<BusReply | undefined> => {
    if (walls.hangs) await new Promise(() => {})
    if (walls.refuses) throw new BusError('org.fedoraproject.FirewallD1.NotAuthorizedException', 'no')
    const name = String(body[0])
    switch (`${face.replace('org.fedoraproject.FirewallD1', '')}.${member}`) {
      case '.getDefaultZone':
        return { signature: 's', body: ['public'] }
      case '.zone.getZoneOfInterface':
        return { signature: 's', body: [walls.bound[name] ?? ''] }
      case '.zone.getZoneSettings2': {
        const { target = 'default', services = [], ports = [], rich = [] } = walls.zones[name] ?? {}
        const settings = {
          target: new Variant('s', target),
          services: new Variant('as', services),
          ports: new Variant('a(ss)', ports),
          rules_str: new Variant('as', rich)
        }
        return { signature: 'a{sv}', body: [settings] }
      }
      case '.getServiceSettings2': {
        const ports = walls.services[name]
        if (ports === undefined)
          throw new BusError('org.fedoraproject.FirewallD1.Exception', 'INVALID_SERVICE')
        return { signature: 'a{sv}', body: [{ ports: new Variant('a(ss)', ports) }] }
      }
      default:
        return undefined
    }
  })
  bus.start()
  await up
  await bus.requestName('org.fedoraproject.FirewallD1')
}
