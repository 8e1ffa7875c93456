/**
 * What would bring a peer back, in sentences, the likeliest first; commands stand in backticks. Pure. A device that
 * is reachable needs none.
 */
import type { CandidateView, Reason, State } from '../../mesh/mesh.ts'
import { addressClass, formatHost, parseAddress } from '../../wire/address.ts'
import { listed } from '../verdicts.ts'

export interface Case {
  readonly name: string
  readonly state: State
  readonly reason: Reason
  readonly candidates: readonly CandidateView[]
  /** Places where its announcements were heard since it was lost. */
  readonly heard: readonly {
    readonly interface: string
    /** As an address has its host. */
    readonly host: string
    /** Our use of the interface: what is heard there is not followed to new addresses. */
    readonly listenOnly: boolean
    readonly followed: boolean
  }[]
  /** Seconds by which its clock is ahead of ours, at least; less than 0: behind; 0: not seen. */
  readonly clockAhead: number
  /** Its announcements are not understood for that. */
  readonly clockFar: boolean
  /** Interfaces on which the network keeps us apart from it. */
  readonly apart: readonly string[]
  /** It answers as a neighbour there, so nothing keeps the two apart. */
  readonly together: boolean
  /** Others that say they reach it. */
  readonly reachedBy: readonly string[]
  readonly here: {
    /** Networks of the interfaces in use, such as 192.168.1.0/24. */
    readonly networks: readonly string[]
    /** The address is on a link of ours. */
    readonly near: (address: string) => boolean
    /** Interfaces in use, by what we do there. */
    readonly announcing: readonly string[]
    readonly listening: readonly string[]
    /** Another peer is reachable. */
    readonly others: boolean
  }
}

/** Nothing hangs on clocks that differ by less, seconds. */
const CLOCK_S = 300
const PORTS = '24747:24756'

type Rule = (of: Case) => string[]

export function advice(facts: Case): string[] {
  // what is only guessed to be its address says nothing of it
  const of = { ...facts, candidates: facts.candidates.filter(one => !guessed(one)) }
  if (of.state === 'reachable') return clock(of)
  if (of.state === 'asleep') return asleep(of)
  if (of.reason === 'no-network') return noNetwork(of)
  const found = RULES.flatMap(rule => rule(of))
  return found.length > 0 ? found : otherwise(of)
}

const asleep: Rule = ({ name }) => [
  `${name} said that it sleeps; \`coterie wake ${word(name)}\` has a device near it wake it, if its card can be woken; else open it, or press a key there.`
]

const noNetwork: Rule = ({ here }) =>
  here.announcing.length + here.listening.length === 0
    ? [
        'This device has no network that it may use: connect it, or see what `coterie doctor` says of its interfaces.'
      ]
    : ['This device has no address in the network yet: `coterie doctor` shows what is missing.']

const isolated: Rule = ({ reason, name }) =>
  reason === 'isolated'
    ? [
        `Most of what this device asked was not answered, not only by ${name}: look first at its own cable or Wi-Fi.`
      ]
    : []

const apart: Rule = ({ apart, name, heard }) =>
  apart.map(where => {
    const how = heard.some(one => one.interface === where)
      ? `${name} is heard on ${where}`
      : `${name} is there`
    return `${how} and the gateway answers, but nothing gets through between the two: the access point keeps devices apart (client or AP isolation). Switch that off there, take another network (guest networks are often so), or use a cable.`
  })

const clock: Rule = ({ name, clockAhead, clockFar }) => {
  if (Math.abs(clockAhead) < CLOCK_S && !clockFar) return []
  const by = `at least ${duration(Math.abs(clockAhead))} ${clockAhead > 0 ? 'ahead of' : 'behind'} this one`
  const what = clockFar ? ', so that its announcements are not understood' : ''
  return [
    `The clock of ${name} is ${by}${what}: set the one that is wrong, with \`sudo timedatectl set-ntp true\`.`
  ]
}

const listenOnly: Rule = ({ name, heard }) => {
  const quiet = [...new Set(heard.filter(one => one.listenOnly && !one.followed).map(one => one.interface))]
  if (quiet.length === 0) return []
  return [
    `${name} is heard on ${listed(quiet)}, where this device only listens (an open or untrusted network) and follows nobody to a new address. If you trust it: \`nmcli connection modify "$(nmcli -g GENERAL.CONNECTION device show ${quiet[0]})" connection.zone home\`, or a [[network.rule]] with policy = "announce".`
  ]
}

const barred: Rule = ({ candidates }) => {
  const all = candidates.filter(one => one.result === 'barred').map(hostOf)
  return all.length === 0
    ? []
    : [
        `The way to ${listed(all)} goes by an interface that this device may not use: name it in [network] only, or in --only.`
      ]
}

const refused: Rule = ({ name, candidates, heard }) => {
  const all = candidates.filter(one => failed(one) && one.result === 'refused').map(hostOf)
  if (all.length === 0) return []
  const there = heard.some(({ host }) => all.includes(host))
  return [
    there
      ? `${listed(all)} refuses though ${name} announces itself from there: a firewall on ${name} rejects, or it just restarts. There: \`coterie doctor\`.`
      : `A computer answers at ${listed(all)}, and nobody listens there: start the daemon on ${name} with \`systemctl --user start coterie\`.`
  ]
}

const silentHandshake: Rule = ({ name, candidates }) => {
  const all = candidates
    .filter(one => failed(one) && /^(handshake|protocol|closed)$/.test(one.result))
    .map(hostOf)
  if (all.length === 0) return []
  return [
    `Something takes the connection at ${listed(all)} and does not answer as ${name} would: it is another computer by now, or ${name} does not know this device as a member any more (\`coterie devices\` there tells).`
  ]
}

const firewall: Rule = ({ name, candidates, heard, apart, together, here }) => {
  const silent = candidates.filter(
    one => failed(one) && (one.result === 'timeout' || one.result === 'unreachable')
  )
  const there = silent.filter(one => heard.some(({ host }) => host === hostOf(one)))
  if (there.length > 0 && apart.length === 0) {
    const from = `${name} is heard from ${listed(there.map(hostOf))}, and its port does not answer`
    const mend = `On ${name}: \`sudo ufw allow ${PORTS}/tcp\`, or what \`coterie doctor\` says there.`
    return [
      together
        ? `${from}: a firewall there lets nobody in. ${mend}`
        : `${from}: most likely a firewall there lets nobody in. ${mend} Or the access point keeps devices apart: that shows within a minute, so ask again then.`
    ]
  }
  if (heard.length > 0 || there.length > 0) return []
  const near = silent.filter(one => here.near(one.address)).map(hostOf)
  if (near.length === 0) return []
  return [
    `Nobody answers at ${listed(near)}, in the network of this device, and ${name} is not heard there: it is off, asleep, or somewhere else.`
  ]
}

const elsewhere: Rule = ({ name, candidates, heard, here }) => {
  const dialable = candidates.filter(one => !here.near(one.address) && !isLoopback(one.address))
  if (heard.length > 0 || dialable.length === 0 || dialable.length < candidates.length) return []
  const networks = here.networks.length > 0 ? ` (here: ${listed(here.networks)})` : ''
  return [
    `All known addresses of ${name} are in other networks than those of this device${networks}: it is elsewhere, and needs a route or a VPN both have, or an address that reaches it, as [[peer]] in the configuration.`
  ]
}

const witnessed: Rule = ({ name, reachedBy, reason, apart }) => {
  if (reachedBy.length === 0 || apart.length > 0) return []
  const who = listed(reachedBy.slice(0, 3))
  const one = reachedBy.length === 1
  const word = reason === 'path' ? '' : one ? ', by its word' : ', by their word'
  return [
    `${who} ${one ? 'reaches' : 'reach'} ${name}${word}: it is up, and the way from here is what is broken.`
  ]
}

const unknown: Rule = ({ name, candidates, heard, here }) => {
  if (candidates.length > 0 || heard.length > 0) return []
  const where = [...here.announcing, ...here.listening]
  const heardOn = where.length > 0 ? ` and is not heard on ${listed(where)}` : ''
  return [
    `No address of ${name} is known${heardOn}: start it in this network, or give an address as [[peer]] in the configuration (\`coterie config check\` names the file).`
  ]
}

const stopped: Rule = ({ name, reason, heard }) =>
  reason === 'stopped' && heard.length === 0
    ? [
        `${name} said goodbye: it was shut down, or its daemon was. To start that there: \`systemctl --user start coterie\`.`
      ]
    : []

const RULES: readonly Rule[] = [
  isolated,
  stopped,
  apart,
  clock,
  listenOnly,
  barred,
  refused,
  silentHandshake,
  firewall,
  witnessed,
  elsewhere,
  unknown
]

const otherwise: Rule = ({ name, candidates }) =>
  candidates.some(one => one.why === 'trying' || one.result === '')
    ? [`The addresses of ${name} are being tried; ask again in some seconds.`]
    : [`${name} does not answer at any address: it is off, or cut off. \`coterie doctor\` looks at this end.`]

const guessed = ({ sources, chosen }: CandidateView): boolean =>
  !chosen && sources.length > 0 && sources.every(({ source }) => source === 'overlay')

const failed = ({ chosen }: CandidateView): boolean => !chosen

const hostOf = ({ address }: { readonly address: string }): string => {
  const parsed = parseAddress(address)
  return parsed === undefined ? address : formatHost(parsed)
}
const isLoopback = (address: string): boolean => {
  const parsed = parseAddress(address)
  return parsed !== undefined && addressClass(parsed) === 'loopback'
}

/** For a shell. */
const word = (name: string): string => (/^[\w.@-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`)

export function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}
