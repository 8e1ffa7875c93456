/** Whether firewalld or ufw keeps others from the ports of Coterie, on the interfaces in use. Pure. */
import type { CheckRecord } from '../../api/api.ts'
import type { Firewalld } from '../../host/firewalld.ts'
import type { PortRange } from '../../host/port-range.ts'
import type { Ufw, UfwRule } from '../../host/ufw.ts'
import { LAST_PORT, PORT } from '../../net/listeners.ts'
import { failed, listed, ok, warning } from '../verdicts.ts'
import type { NetworkFacts } from './network-facts.ts'

/** A port that others must reach us at. */
interface Need {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  /** Without it others find this device later; without the others not at all. */
  readonly session: boolean
}
/** An interface on which some are closed. */
interface Closed {
  readonly interface: string
  /** Of firewalld, or ''. */
  readonly zone: string
  readonly needs: readonly Need[]
}

const MULTICAST: readonly Need[] = [
  { protocol: 'udp', port: 5353, session: false },
  { protocol: 'udp', port: 1900, session: false }
]

export function firewallCheck(facts: NetworkFacts): CheckRecord {
  const { firewalld, ufw } = facts
  if (firewalld !== undefined) return firewalldCheck(facts, firewalld)
  if (ufw !== undefined) return ufwCheck(facts, ufw)
  return ok(
    name,
    'Neither firewalld nor ufw is in force; rules made by hand cannot be looked into from here.'
  )
}

const name = 'firewall'

function firewalldCheck(facts: NetworkFacts, { silent, zones }: Firewalld): CheckRecord {
  const interfaces = places(facts)
  if (silent) {
    const known = new Set(
      interfaces.map(one => facts.snapshot?.interfaces.find(i => i.name === one)?.zone ?? '')
    )
    const all = needsOn(facts, '')
    return warning(
      name,
      'firewalld is in force, but does not say what it lets in.',
      firewallCommand(
        [...known].map(zone => ({ interface: '', zone, needs: all })),
        facts
      )
    )
  }
  const closed = zones
    .filter(rules => interfaces.includes(rules.interface) && !rules.accepts)
    .map(({ interface: where, zone, open }) => ({
      interface: where,
      zone,
      needs: needsOn(facts, where).filter(need => !open.some(range => covers(range, need)))
    }))
    .filter(({ needs }) => needs.length > 0)
  if (closed.length > 0) return verdict('firewalld', closed, firewallCommand(closed, facts))
  const where = zones.filter(rules => interfaces.includes(rules.interface))
  const told = listed(where.map(rules => `${rules.interface} (zone ${rules.zone})`))
  return ok(name, told === '' ? 'firewalld is in force.' : `firewalld lets others in on ${told}.`)
}

function ufwCheck(facts: NetworkFacts, { accepts, rules }: Ufw): CheckRecord {
  const interfaces = places(facts)
  const command = ufwCommand(facts)
  if (rules === undefined) {
    if (accepts) return ok(name, 'ufw is in force, and lets in what it has no rule for.')
    return warning(
      name,
      'ufw is in force and drops what it has no rule for; only root can read whether it has one.',
      command
    )
  }
  // its own rules, which are not looked at, let multicast of mDNS and SSDP in
  const closed = interfaces
    .map(where => ({
      interface: where,
      zone: '',
      needs: needsOn(facts, where)
        .filter(({ session }) => session)
        .filter(need => !(firstOf(rules, where, need) ?? accepts))
    }))
    .filter(({ needs }) => needs.length > 0)
  if (closed.length > 0) return verdict('ufw', closed, command)
  return ok(name, 'ufw is in force, and lets others in.')
}

function verdict(wall: string, closed: readonly Closed[], command: string): CheckRecord {
  const texts = closed.map(({ interface: where, zone, needs }) => {
    const ports = (protocol: string) => needs.filter(n => n.protocol === protocol).map(n => String(n.port))
    const both = (['tcp', 'udp'] as const).flatMap(protocol => {
      const some = ports(protocol)
      return some.length === 0 ? [] : [`${protocol.toUpperCase()} ${listed(some)}`]
    })
    return `${both.join(' and ')} on ${where}${zone === '' ? '' : ` (zone ${zone})`}`
  })
  const shut = closed.some(({ needs }) => needs.some(need => need.session))
  return (shut ? failed : warning)(name, `${wall} keeps others from ${texts.join('; ')}.`, command)
}

/** Interfaces in use that a firewall looks at. */
function places({ planned, snapshot }: NetworkFacts): string[] {
  const loops = new Set(snapshot?.interfaces.filter(i => i.kind === 'loopback').map(i => i.name))
  return [...new Set(planned.map(one => one.interface))].filter(one => !loops.has(one))
}

/** The port bound there, else the one that would be; one that the kernel will choose is not known. */
function needsOn({ bound, config }: NetworkFacts, where: string): Need[] {
  const port = bound.find(one => one.interface === where)?.port ?? config.port
  const session =
    port === 0 ? [] : (['tcp', 'udp'] as const).map(protocol => ({ protocol, port, session: true }))
  return [...session, ...MULTICAST]
}

const covers = ({ protocol, first, last }: PortRange, need: Need): boolean =>
  protocol === need.protocol && first <= need.port && need.port <= last

/** What the first rule that fits says; one for some sources only keeps nobody else out. */
function firstOf(rules: readonly UfwRule[], where: string, need: Need): boolean | undefined {
  return rules.find(
    rule =>
      (rule.interface === '' || rule.interface === where) &&
      (rule.ports.length === 0 || rule.ports.some(range => covers(range, need))) &&
      (rule.lets || !rule.partial)
  )?.lets
}

/** The ports to open for good: where the daemon may take the next, all of them. */
function ranges({ config, bound }: NetworkFacts, between: string): string[] {
  if (config.port === PORT) return [`${PORT}${between}${LAST_PORT}`]
  if (config.port > 0) return [String(config.port)]
  return [...new Set(bound.map(({ port }) => String(port)))]
}

function firewallCommand(closed: readonly Closed[], facts: NetworkFacts): string {
  const options = new Map<string, Set<string>>()
  for (const { zone, needs } of closed) {
    const adds = options.get(zone) ?? new Set()
    options.set(zone, adds)
    for (const { session, protocol, port } of needs) {
      if (session) for (const range of ranges(facts, '-')) adds.add(`--add-port=${range}/${protocol}`)
      else adds.add(`--add-service=${port === 5353 ? 'mdns' : 'ssdp'}`)
    }
  }
  const commands = [...options].map(
    ([zone, adds]) =>
      `sudo firewall-cmd --permanent ${zone === '' ? '' : `--zone=${zone} `}${[...adds].join(' ')}`
  )
  return [...commands, 'sudo firewall-cmd --reload'].join(' && ')
}

const ufwCommand = (facts: NetworkFacts): string =>
  ranges(facts, ':')
    .flatMap(range => [`sudo ufw allow ${range}/tcp`, `sudo ufw allow ${range}/udp`])
    .join(' && ')
