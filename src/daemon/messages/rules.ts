/**
 * Who may send what here.
 *
 *   [[allow]]
 *   from = "phone"              a name, id or short id; "*" for everybody
 *   tags = ["clipboard/*"]      tags; `*` at the end stands for all below
 *
 * A device that rules name may send what they allow, and nothing else. Of the others members may send every tag;
 * guests and relays only what is allowed for everybody.
 */
import type { Sender } from './handlers.ts'

export interface Rule {
  readonly from: string
  readonly tags: readonly string[]
}

export interface Verdict {
  readonly allowed: boolean
  /** What decided; undefined where no rule did. */
  readonly rule: Rule | undefined
}

/** The greatest level of a member; above are relays. */
const MEMBER = 10

export function verdictOn(
  rules: readonly Rule[],
  from: Pick<Sender, 'names' | 'level' | 'guest'>,
  tag: string
): Verdict {
  const own = rules.filter(rule => from.names.has(rule.from))
  const all = rules.filter(rule => rule.from === '*')
  const rule = [...own, ...all].find(({ tags }) => tags.some(pattern => covers(pattern, tag)))
  if (rule !== undefined) return { allowed: true, rule }
  if (own.length > 0) return { allowed: false, rule: own[0] }
  return { allowed: isWhole(from), rule: undefined }
}

/** A member in every respect: neither a guest nor a relay. */
export const isWhole = ({ level, guest }: Pick<Sender, 'level' | 'guest'>): boolean =>
  level <= MEMBER && !guest

/** `a/*` covers all tags below a/, `*` all, anything else itself. */
const covers = (pattern: string, tag: string): boolean =>
  pattern === '*' || (pattern.endsWith('/*') ? tag.startsWith(pattern.slice(0, -1)) : pattern === tag)
