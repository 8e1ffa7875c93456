/** The checks of `coterie doctor` on the network: who tells of it, what is used, what is bound. Pure. */
import type { CheckRecord } from '../../api/api.ts'
import { type Interface, isContainerName } from '../../net/interfaces.ts'
import { policyFor } from '../../net/policy.ts'
import { failed, listed, ok, warning } from '../verdicts.ts'
import type { NetworkFacts } from './network-facts.ts'

export function networkSourceCheck({
  snapshot,
  systemBus,
  networkManager,
  networkManagerVersion: version
}: NetworkFacts): CheckRecord {
  const name = 'network-source'
  if (snapshot === undefined)
    return warning(name, 'The network has not been looked at yet.', 'coterie doctor')
  const { source } = snapshot
  if (source === 'NetworkManager')
    return ok(
      name,
      `NetworkManager tells of the network${version === '' ? '' : ` (version ${version})`}; changes are followed at once.`
    )
  if (networkManager)
    return warning(
      name,
      `NetworkManager runs but does not answer, so ${TELLERS[source]}.`,
      'sudo systemctl restart NetworkManager'
    )
  const reason = systemBus ? 'NetworkManager does not run' : 'There is no system bus to ask NetworkManager on'
  const text = `${reason}, so ${TELLERS[source]}.`
  return source === 'poll' ? warning(name, text, 'install iproute2, for its `ip monitor`') : ok(name, text)
}

const TELLERS = {
  NetworkManager: 'it tells of the network',
  networkd: 'systemd-networkd tells of the network',
  ip: 'the kernel alone tells of the network: changes are followed at once, metered and open ones are not known',
  poll: 'the network is looked at every 5 seconds, and changes are noticed late'
} as const

export function interfacesCheck({ snapshot, planned, config }: NetworkFacts): CheckRecord {
  const name = 'interfaces'
  if (snapshot === undefined)
    return warning(name, 'Which interfaces there are is not known yet.', 'coterie doctor')
  const all = snapshot.interfaces
  const used = all.filter(i => planned.some(p => p.interface === i.name))
  const full = used.filter(i => policyFor(i, config) === 'announce').map(i => i.name)
  const quiet = used.filter(i => policyFor(i, config) === 'listen').map(i => `${i.name} (${quietFor(i)})`)
  const off = grouped(
    all
      .filter(i => !used.includes(i) && (i.kind !== 'loopback' || config.only.includes(i.name)))
      .map(i => ({ name: i.name, why: offFor(i, config.only) }))
  )
  const parts = [
    ...(full.length > 0 ? [`used: ${listed(full)}`] : []),
    ...(quiet.length > 0 ? [`only listened on: ${listed(quiet)}`] : []),
    ...(off.length > 0 ? [`off: ${listed(off)}`] : [])
  ]
  const unmanaged = all.find(
    i => !i.managed && i.addresses.length > 0 && /^(ethernet|wifi)$/.test(i.kind) && !isContainerName(i.name)
  )
  const absent = config.only.find(one => !all.some(i => i.name === one))
  const text = `${capital(parts.join('; '))}.`
  if (used.length === 0) {
    const why = parts.length > 0 ? ` (${parts.join('; ')})` : ''
    return failed(name, `No network interface is in use${why}.`, mendNone(all, config.only, unmanaged))
  }
  if (absent !== undefined)
    return warning(
      name,
      `${text.slice(0, -1)}; ${absent}, which --only or [network] only names, is not there.`,
      `leave ${absent} out, or plug it in`
    )
  if (unmanaged !== undefined && config.only.length === 0 && !used.includes(unmanaged))
    return warning(name, text, manage(unmanaged))
  return ok(name, text)
}

/** Interfaces that are off for one reason, together; many of them (of containers, say) by their number. */
function grouped(off: readonly { readonly name: string; readonly why: string }[]): string[] {
  const groups = new Map<string, string[]>()
  for (const { name, why } of off) groups.set(why, [...(groups.get(why) ?? []), name])
  return [...groups].map(
    ([why, names]) => `${names.length > MANY ? `${names.length} others` : listed(names)} (${why})`
  )
}

const MANY = 4

const manage = ({ name }: Interface): string => `nmcli device set ${name} managed yes`

function mendNone(all: readonly Interface[], only: readonly string[], unmanaged: Interface | undefined) {
  if (only.length > 0) return `name another than ${listed(only)} with --only or [network] only, or connect it`
  if (unmanaged !== undefined) return manage(unmanaged)
  const down = all.find(i => !i.up && i.managed && /^(ethernet|wifi)$/.test(i.kind))
  return down === undefined
    ? 'connect one, or name one with --only or [network] only'
    : `nmcli device connect ${down.name}`
}

function quietFor(i: Interface): string {
  if (i.open) return 'an open network'
  if (i.unknown) return 'not known yet which network it is'
  return i.zone === '' ? 'by a rule' : `zone ${i.zone}`
}

function offFor(i: Interface, only: readonly string[]): string {
  if (only.length > 0 && !only.includes(i.name)) return 'not among [network] only'
  if (!i.managed) return 'unmanaged'
  if (!i.up) return 'down'
  if (isContainerName(i.name)) return 'of containers'
  return i.addresses.length === 0 ? 'no address' : 'by a rule'
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

export function listenersCheck({ bound, planned, listeners, wanted }: NetworkFacts): CheckRecord {
  const name = 'listeners'
  if (listeners.length > 0) {
    const parts = listeners.map(note => NOTE.exec(note) ?? ['', note, ''])
    const texts = parts.map(([, text = '']) => text)
    const mends = new Set(parts.map(([, , mend = '']) => mend).filter(mend => mend !== ''))
    const port = /\bports? (\d+)/.exec(listeners[0]!)?.[1]
    const look = port === undefined ? 'look at the log of the daemon' : `\`sudo ss -tulpn sport = ${port}\``
    const mend = [look, ...mends].join(port === undefined ? '; ' : ' shows it; ')
    return (bound.length === 0 ? failed : warning)(name, `${capital(texts.join('; '))}.`, mend)
  }
  if (!wanted) return ok(name, 'There is no circle yet, so nothing is listened on.')
  if (bound.length === 0)
    return planned.length === 0
      ? warning(name, 'Nothing is listened on, as no interface is in use.', 'see interfaces, above')
      : warning(name, 'Nothing is listened on yet.', 'coterie doctor')
  const ports = [...new Set(bound.map(({ port }) => port))]
  const places = [...new Set(bound.map(({ interface: where }) => where))]
  return ok(name, `The daemon listens at port ${listed(ports.map(String))} on ${listed(places)}.`)
}

/** What is so, and what mends it; an errno at the end mends nothing. */
const NOTE = /^(.*?): (?!E[A-Z]+$)(.*)$/
