/**
 * What firewalld lets in on some interfaces, as it runs now (firewalld.dbus(5), 0.9 and later). It is not
 * started for it.
 */
import { type Bus, BusError, plain } from './bus.ts'
import { objectOf, type Properties, textOf } from './objects.ts'
import { type PortRange, rangeOf } from './port-range.ts'

const NAME = 'org.fedoraproject.FirewallD1'
const PATH = '/org/fedoraproject/FirewallD1'
/** Of each of four steps. */
const TIMEOUT_MS = 900
/** Services of a zone that are looked into. */
const SERVICES = 64

export interface ZoneRules {
  readonly interface: string
  readonly zone: string
  /** What no rule is about comes in. */
  readonly accepts: boolean
  readonly open: readonly PortRange[]
}

export interface Firewalld {
  /** It runs, but does not tell us its rules. */
  readonly silent: boolean
  readonly zones: readonly ZoneRules[]
}

/** Undefined where it does not run. */
export async function firewalld(
  systemBus: Bus,
  interfaces: readonly string[]
): Promise<Firewalld | undefined> {
  const ask = async (face: string, member: string, ...body: string[]) => {
    const call = { destination: NAME, path: PATH, interface: `${NAME}${face}`, member, body }
    const signature = 's'.repeat(body.length)
    const [answer] = await systemBus.call({ ...call, signature, timeoutMs: TIMEOUT_MS, autoStart: false })
    return plain(answer)
  }
  try {
    const common = textOf(await ask('', 'getDefaultZone'))
    const bound = await Promise.all(interfaces.map(name => ask('.zone', 'getZoneOfInterface', name)))
    const zones = bound.map(zone => textOf(zone) || common)
    const rules = new Map(
      await Promise.all([...new Set(zones)].map(async zone => [zone, await rulesOf(zone, ask)] as const))
    )
    return {
      silent: false,
      zones: interfaces.map((name, i) => ({ interface: name, zone: zones[i]!, ...rules.get(zones[i]!)! }))
    }
  } catch (error) {
    if (error instanceof BusError && ABSENT.test(error.errorName)) return undefined
    return { silent: true, zones: [] }
  }
}

type Ask = (face: string, member: string, ...body: string[]) => Promise<unknown>

async function rulesOf(zone: string, ask: Ask): Promise<Pick<ZoneRules, 'accepts' | 'open'>> {
  const settings = objectOf(await ask('.zone', 'getZoneSettings2', zone))
  const services = texts(settings['services']).slice(0, SERVICES)
  const opened = await Promise.all(
    services.map(async name => {
      // one that it does not know itself any more opens nothing
      const service = await ask('', 'getServiceSettings2', name).catch(() => undefined)
      return portsOf(objectOf(service))
    })
  )
  const rich = texts(settings['rules_str']).flatMap(richPort)
  return { accepts: settings['target'] === 'ACCEPT', open: [portsOf(settings), ...opened, rich].flat() }
}

const portsOf = ({ ports }: Properties): PortRange[] =>
  (Array.isArray(ports) ? ports : []).flatMap(port => {
    const [text, protocol] = texts(port)
    return rangeOf(text ?? '', protocol ?? '', '-') ?? []
  })

/** A port that a rich rule opens, be it for some sources only (firewalld.richlanguage(5)). */
function richPort(rule: string): PortRange[] {
  const [, port = '', protocol = ''] = /\bport port="([\d-]+)" protocol="(\w+)".*\baccept\b/.exec(rule) ?? []
  return port === '' ? [] : [rangeOf(port, protocol, '-') ?? []].flat()
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.map(textOf) : [])

const ABSENT = /\.(ServiceUnknown|NameHasNoOwner|Disconnected)$/
