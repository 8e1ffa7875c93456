/** The checks of `coterie doctor` on what is said to all: multicast, and the port of mDNS. Pure. */
import type { CheckRecord } from '../../api/api.ts'
import type { Hearing } from '../../net/discovery.ts'
import { failed, listed, ok, warning } from '../verdicts.ts'
import type { NetworkFacts } from './network-facts.ts'

const NAMES = { mdns: 'mDNS', ssdp: 'SSDP' } as const
const PORTS = { mdns: 5353, ssdp: 1900 } as const
const VIAS = ['mdns', 'ssdp'] as const
const FAMILIES = { ipv4: 'IPv4', ipv6: 'IPv6' } as const
/** As net/multicast says it. */
const HELD = /port (\d+) is held/

export function multicastCheck({ discovery, hearings, wanted, planned, ufw }: NetworkFacts): CheckRecord {
  const name = 'multicast'
  if (!wanted) return ok(name, 'There is no circle yet, so nothing is said or heard by multicast.')
  const broken = states(discovery).filter(({ state }) => state !== 'ok' && !HELD.test(state))
  const unheard = hearings.filter(({ own }) => own === 'unheard')
  const texts = [
    ...broken.map(({ via, where, state }) => `${NAMES[via]} does not work on ${where}: ${state}`),
    ...unheardTexts(unheard)
  ]
  if (texts.length > 0) {
    const works = hearings.some(({ own }) => own === 'heard')
    const text = `${texts.join('; ')}.`.replace(/^what/, 'What')
    const [first] = broken
    const look = ufw === undefined ? 'sudo nft list ruleset' : 'sudo ufw status verbose'
    const mend =
      unheard.length === 0 && first !== undefined && /no multicast/.test(first.state)
        ? `sudo ip link set ${first.where} multicast on`
        : `\`${look}\` shows what is in the way; let UDP 5353 and 1900 in and out`
    return (works ? warning : failed)(name, text, mend)
  }
  const heard = [...new Set(hearings.filter(({ own }) => own === 'heard').map(h => h.interface))]
  const others = [...new Set(hearings.filter(h => h.others).map(h => h.interface))]
  if (heard.length === 0) {
    const why = planned.length === 0 ? 'no interface is in use' : 'nothing was said yet'
    const rest = others.length > 0 ? `; others are heard on ${listed(others)}` : ''
    return ok(name, `Whether our own multicast comes back is not known, as ${why}${rest}.`)
  }
  const silent = heard.filter(one => !others.includes(one))
  const rest =
    others.length === 0
      ? 'nobody else is heard, which is so when there is nobody or the network carries no multicast'
      : silent.length === 0
        ? 'so are others'
        : `others are heard on ${listed(others)} only`
  return ok(name, `What is said by multicast on ${listed(heard)} is heard again here; ${rest}.`)
}

export function mdnsPortCheck({ discovery, responders, wanted }: NetworkFacts): CheckRecord {
  const name = 'mdns-port'
  const held = states(discovery).flatMap(({ where, state }) => {
    const port = HELD.exec(state)?.[1]
    return port === undefined ? [] : [{ where, port }]
  })
  const [first] = held
  if (first !== undefined) {
    const where = listed([...new Set(held.map(one => one.where))])
    return warning(
      name,
      `A program holds UDP port ${listed([...new Set(held.map(one => one.port))])} on ${where} and does not share it.`,
      `\`sudo ss -ulpn sport = ${first.port}\` shows it; end it`
    )
  }
  if (responders.length > 0)
    return ok(name, `UDP port 5353 is shared with ${listed(responders)}; each hears all.`)
  return ok(
    name,
    wanted
      ? 'Nothing of the system stands in the way at UDP port 5353.'
      : 'UDP port 5353 is not in use by us yet.'
  )
}

function states(discovery: NetworkFacts['discovery']) {
  return Object.entries(discovery).flatMap(([where, state]) =>
    VIAS.map(via => ({ where, via, state: state[via] }))
  )
}

/** One text for each interface. */
function unheardTexts(unheard: readonly Hearing[]): string[] {
  return [...new Set(unheard.map(one => one.interface))].map(where => {
    const here = unheard.filter(one => one.interface === where)
    const ways = VIAS.flatMap(via => {
      const families = here.filter(one => one.via === via).map(({ family }) => FAMILIES[family])
      return families.length === 0 ? [] : [`${NAMES[via]} (UDP ${PORTS[via]}, ${listed(families)})`]
    })
    return `what is said by ${listed(ways)} on ${where} is not heard again here`
  })
}
