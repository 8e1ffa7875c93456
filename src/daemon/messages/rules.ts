/**
 * Who may send what here.
 *
 *   [[allow]]
 *   from = "phone"              a name, id or short id; "*" for everybody
 *   tags = ["clipboard/*"]      tags; `*` at the end stands for all below
 *
 * A device that rules name may send what they allow, and nothing else. Of the others members may send every tag;
 * guests and relays only what is allowed for everybody. Devices choose their names themselves: where a rule names two of
 * them, neither gets more by it than everybody.
 */
import { covers } from '../../messages/tag.ts'
import type { Sender } from './handlers.ts'

export interface Rule {
  readonly from: string
  readonly tags: readonly string[]
  /** Where it is in the configuration, from 1. */
  readonly line: number
}

export interface Verdict {
  readonly allowed: boolean
  /** What decided; undefined where no rule did. */
  readonly rule: Rule | undefined
  readonly why: 'rule' | 'other-rules' | 'two-of-that-name' | 'member' | 'guest' | 'relay'
}

type From = Pick<Sender, 'name' | 'names' | 'level' | 'guest'>

/** The greatest level of a member; above are relays. */
const MEMBER = 10
const EVERYBODY = '*'

export function verdictOn(rules: readonly Rule[], from: From, tag: string): Verdict {
  const own = rules.filter(rule => rule.from !== EVERYBODY && from.names.has(rule.from))
  const all = rules.filter(rule => rule.from === EVERYBODY)
  const rule = [...own, ...all].find(({ tags }) => tags.some(pattern => covers(pattern, tag)))
  if (rule !== undefined) return { allowed: true, rule, why: 'rule' }
  if (own[0] !== undefined) return { allowed: false, rule: own[0], why: 'other-rules' }
  const doubtful = from.names.has(from.name) ? undefined : rules.find(rule => rule.from === from.name)
  if (doubtful !== undefined) return { allowed: false, rule: doubtful, why: 'two-of-that-name' }
  if (from.guest) return { allowed: false, rule: undefined, why: 'guest' }
  const isMember = from.level <= MEMBER
  return { allowed: isMember, rule: undefined, why: isMember ? 'member' : 'relay' }
}

/** What decided, in a sentence. */
export function verdictSentence({ rule, why }: Verdict, name: string, tag: string): string {
  const at = rule === undefined ? '' : ` (line ${rule.line} of coterie.toml)`
  switch (why) {
    case 'rule':
      return `${name} may send it: from = ${JSON.stringify(rule!.from)} allows ${rule!.tags.join(', ')}${at}`
    case 'other-rules':
      return `${name} may send only what the rules for it allow, and ${tag} is not among that${at}`
    case 'two-of-that-name':
      return `a rule is for ${JSON.stringify(rule!.from)}, and two devices are called so${at}; write the id of the one that is meant`
    case 'member':
      return `${name} is a member, and no rule is for it: members may send everything`
    case 'guest':
    case 'relay':
      return `${name} is a ${why}, and no rule lets it send ${tag}: guests and relays may send only what a rule allows`
  }
}

/** What is wrong with a rule, of what can be seen without any message; '' when nothing is. `names`: of all members. */
export function ruleProblem(
  { from }: Pick<Rule, 'from'>,
  members: readonly Pick<Sender, 'name' | 'names'>[],
  suggest: (word: string, words: readonly string[]) => string
): string {
  if (from === EVERYBODY || members.some(({ names }) => names.has(from))) return ''
  if (members.some(({ name }) => name === from))
    return `two devices are called ${JSON.stringify(from)}; write the id of the one that is meant`
  const names = members.map(({ name }) => name)
  const none = `no member is called ${JSON.stringify(from)}`
  return names.length === 0 ? none : `${none}; did you mean ${JSON.stringify(suggest(from, names))}?`
}

/** A member in every respect: neither a guest nor a relay. */
export const isWhole = ({ level, guest }: Pick<Sender, 'level' | 'guest'>): boolean =>
  level <= MEMBER && !guest
