/**
 * The kernel's neighbours (ARP, IPv6 neighbour discovery) and default gateways, through iproute2: who on our links
 * answers at all.
 */
import { execFile } from 'node:child_process'
import { isObject } from './objects.ts'

const TIMEOUT_MS = 2_000
const LIMIT = 1024 * 1024

export interface Neighbour {
  readonly interface: string
  /** Bare IP address, no scope. */
  readonly address: string
  /** In lower case; '' when it did not say. */
  readonly mac: string
  /** there: it answered. old: it did a while ago, or was heard. silent: it was asked and did not. asked: it is now. */
  readonly state: 'there' | 'old' | 'silent' | 'asked'
  /** Seconds since it last answered; Infinity where that is not told. */
  readonly confirmedS: number
}

export interface Neighbours {
  readonly neighbours: readonly Neighbour[]
  /** Default gateways. */
  readonly gateways: readonly { readonly interface: string; readonly address: string }[]
}

/** ip-neighbour(8); the others are no answers to a question. */
const STATES: { readonly [word: string]: Neighbour['state'] } = {
  REACHABLE: 'there',
  PERMANENT: 'there',
  STALE: 'old',
  DELAY: 'old',
  PROBE: 'old',
  INCOMPLETE: 'asked',
  FAILED: 'silent'
}

export const NO_NEIGHBOURS: Neighbours = { neighbours: [], gateways: [] }

/** Empty where there is no `ip`, or none that writes JSON. Never rejects. */
export async function readNeighbours(): Promise<Neighbours> {
  const [neighbours, ...routes] = await Promise.all([
    ip('-statistics', 'neighbour', 'show'),
    ip('-4', 'route', 'show', 'default'),
    ip('-6', 'route', 'show', 'default')
  ])
  return { neighbours: parseNeighbours(neighbours!), gateways: routes.flatMap(parseGateways) }
}

const ip = (...words: string[]) =>
  new Promise<string>(resolve => {
    execFile('ip', ['-json', ...words], { timeout: TIMEOUT_MS, maxBuffer: LIMIT }, (error, stdout) =>
      resolve(error ? '' : stdout)
    )
  })

/** The output of `ip -json -statistics neighbour`. Entries that make no sense are left out. */
export function parseNeighbours(text: string): Neighbour[] {
  return entries(text).flatMap(({ dst, dev, lladdr, state, confirmed }): Neighbour[] => {
    if (typeof dst !== 'string' || typeof dev !== 'string' || !Array.isArray(state)) return []
    const mac = typeof lladdr === 'string' ? lladdr.toLowerCase() : ''
    const found = STATES[String(state[0])]
    const confirmedS = typeof confirmed === 'number' ? confirmed : Infinity
    return found === undefined ? [] : [{ interface: dev, address: dst, mac, state: found, confirmedS }]
  })
}

/** The output of `ip -json route show default`. */
export function parseGateways(text: string): { interface: string; address: string }[] {
  return entries(text).flatMap(({ gateway, dev }) =>
    typeof gateway === 'string' && typeof dev === 'string' ? [{ interface: dev, address: gateway }] : []
  )
}

function entries(text: string): { [name: string]: unknown }[] {
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) ? list.filter(isObject) : []
  } catch {
    return []
  }
}
