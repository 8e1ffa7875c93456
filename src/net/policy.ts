/**
 * What is done on each interface, decided from a snapshot and the config. Pure.
 * The name decides before the type: a veth pair may well be somebody's only Ethernet.
 */
import type { Interface, InterfaceKind, Snapshot } from './interfaces.ts'
import { isContainerName, isLinkLocal } from './interfaces.ts'

/** announce: listen, announce and search. listen: listen only. off: no socket. */
export type Policy = 'announce' | 'listen' | 'off'

/** firewalld's zones for networks where other computers are not trusted, when a connection was put into one. */
const UNTRUSTED_ZONES = new Set(['public', 'external', 'dmz', 'block', 'drop'])

export type Rule = { readonly policy: Policy } & (
  | { readonly match: 'name' | 'connection' | 'zone'; readonly value: string }
  | { readonly match: 'type'; readonly value: InterfaceKind }
)

export interface NetworkConfig {
  /** Names of the only interfaces to use; empty = all, as the rules say. */
  readonly only: readonly string[]
  /** TCP and UDP port; 24747 stands for the range 24747 to 24756, 0 for any free one. */
  readonly port: number
  /** The first that matches decides. */
  readonly rules: readonly Rule[]
}

/** One address to listen on. */
export interface Planned {
  readonly interface: string
  readonly index: number
  /** Bare IP address; `%interface` follows a link-local one. */
  readonly address: string
  readonly policy: 'announce' | 'listen'
}

/** `*` is any text, `?` any one character; all else is meant literally. */
export function matchesGlob(glob: string, text: string): boolean {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${source}$`).test(text)
}

function matches(rule: Rule, i: Interface): boolean {
  switch (rule.match) {
    case 'name':
      return matchesGlob(rule.value, i.name)
    case 'type':
      return rule.value === i.kind
    case 'connection':
      return i.connection !== '' && rule.value.toLowerCase() === i.connection.toLowerCase()
    case 'zone':
      return i.zone !== '' && rule.value === i.zone
  }
}

export function policyFor(i: Interface, config: NetworkConfig): Policy {
  const named = config.only.includes(i.name)
  if (config.only.length > 0 && !named) return 'off'
  const rule = config.rules.find(r => matches(r, i))
  if (rule) return rule.policy
  if (!named && (i.kind === 'loopback' || !i.managed || isContainerName(i.name))) return 'off'
  return i.open || i.unknown || UNTRUSTED_ZONES.has(i.zone) ? 'listen' : 'announce'
}

/** All addresses to listen on, in the snapshot's order. */
export function plan(snapshot: Snapshot, config: NetworkConfig): Planned[] {
  return snapshot.interfaces.flatMap(i => {
    const policy = policyFor(i, config)
    if (policy === 'off' || !i.up) return []
    return i.addresses.map(({ address }) => ({
      interface: i.name,
      index: i.index,
      address: isLinkLocal(address) ? `${address}%${i.name}` : address,
      policy
    }))
  })
}
