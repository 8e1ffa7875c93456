/** What ufw lets in, by its files: its rules are for root alone on most systems, the rest can be read. */
import { readFileSync } from 'node:fs'
import { type PortRange, rangeOf } from './port-range.ts'

/** On what comes in, the first that fits decides. */
export interface UfwRule {
  readonly lets: boolean
  /** Empty: any. */
  readonly ports: readonly PortRange[]
  /** '' = all. */
  readonly interface: string
  /** For some sources only. */
  readonly partial: boolean
}

export interface Ufw {
  /** What no rule is about comes in. */
  readonly accepts: boolean
  /** Undefined when they cannot be read. */
  readonly rules: readonly UfwRule[] | undefined
}

/** Undefined where it is not there, or is off. */
export function ufw(root = ''): Ufw | undefined {
  if (!/^\s*ENABLED=["']?yes/im.test(text(`${root}/etc/ufw/ufw.conf`) ?? '')) return undefined
  const accepts = /^\s*DEFAULT_INPUT_POLICY=["']?ACCEPT/m.test(text(`${root}/etc/default/ufw`) ?? '')
  const own = text(`${root}/etc/ufw/user.rules`)
  const six = text(`${root}/etc/ufw/user6.rules`) ?? ''
  return { accepts, rules: own === undefined ? undefined : `${own}\n${six}`.split('\n').flatMap(ruleOf) }
}

/** `### tuple ### allow tcp 80,443:444 0.0.0.0/0 any 10.0.0.0/8 in_eth0 comment=…` */
function ruleOf(line: string): UfwRule[] {
  const [, rest] = /^### tuple ### (.*)$/.exec(line) ?? []
  if (rest === undefined) return []
  const [action = '', protocol = '', ports = '', , , source = '', ...more] = rest.split(' ')
  const direction = more.find(word => /^(in|out)(_|$)/.test(word)) ?? ''
  const verb = action.split('_')[0]!
  if (!direction.startsWith('in') || verb.startsWith('route:')) return []
  const protocols = protocol === 'any' ? ['tcp', 'udp'] : [protocol]
  const texts = ports === 'any' ? ['0:65535'] : ports.split(',')
  const ranges = protocols.flatMap(one => texts.flatMap(range => rangeOf(range, one, ':') ?? []))
  // some other protocol, such as esp
  if (ranges.length === 0) return []
  return [
    {
      lets: verb === 'allow' || verb === 'limit',
      ports: protocol === 'any' && ports === 'any' ? [] : ranges,
      interface: direction.split('_').slice(1).join('_'),
      partial: source !== '0.0.0.0/0' && source !== '::/0'
    }
  ]
}

function text(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
