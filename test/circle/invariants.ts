/**
 * What holds of every history, whoever attacks (docs/protocol/membership.md, "What holds"). `check` throws a
 * Violation that names the rule that was broken.
 */
import { QUOTA_ADMIN, type Resolver, type Step } from '../../src/circle/resolver.ts'
import type { History } from './attack.ts'
import { Dice } from './dice.ts'
import { admissible, oracle } from './oracle.ts'
import { RECOVERY } from './random-history.ts'
import { identified, Replica, type Subject, stateOf } from './replica.ts'

export class Violation extends Error {
  readonly rule: string
  constructor(rule: string, detail: string) {
    super(`${rule}: ${detail}`)
    this.rule = rule
  }
}

function holds(rule: string, so: boolean, detail: () => string): void {
  if (!so) throw new Violation(rule, detail())
}
const same = (rule: string, found: string, wanted: string, where: string): void =>
  holds(rule, found === wanted, () => `${where}\n${found}\n==== not\n${wanted}`)

export interface Counted {
  operations: number
  members: number
  removed: number
  /** Attacks that changed something. */
  effective: number
}

/**
 * `seed`: of the orders of delivery. `alone`: without asking the oracle, to see that each rule can be broken.
 * Returns what there was, for the sums of a campaign.
 */
export function check(subject: Subject, history: History, seed: number, alone = false): Counted {
  const { Resolver } = subject
  const dice = new Dice(seed)
  const all = [...history.steps, ...history.attack]

  // in any order, asked at any time, and as the rules say
  const after = oracle(all)
  const resolver = resolved(Resolver, all)
  const state = stateOf(resolver)
  if (!alone) same('oracle', state, after.text, 'resolver and oracle')
  same('order', stateOf(resolved(Resolver, shuffled(dice, all), dice)), state, 'another order')

  holdsOfStates(resolver, all)
  holdsOfCuts(Resolver, all, after.outside, state)
  const before = resolved(Resolver, history.steps)
  holdsOfAttack(before, resolver, history)
  holdsOfFinishing(Resolver, dice, all, resolver)
  replicas(subject, dice, all, alone)

  return {
    operations: all.length,
    members: after.text.split('\n--\n')[0]!.split('\n').length,
    removed: after.removed.size,
    effective: stateOf(before) === state ? 0 : 1
  }
}

function resolved(Make: Subject['Resolver'], steps: readonly Step[], asking?: Dice): Resolver {
  const resolver = new Make()
  for (const s of steps) {
    resolver.add(s)
    if (asking?.chance(0.2)) resolver.resolve()
  }
  return resolver
}

/** Each after its parents. */
function shuffled(dice: Dice, steps: readonly Step[]): Step[] {
  const order: Step[] = []
  const done = new Set<string>()
  let open = dice.shuffled(steps)
  while (open.length > 0) {
    const blocked: Step[] = []
    for (const s of open)
      if (s.prev.every(p => done.has(p))) {
        done.add(s.id)
        order.push(s)
      } else blocked.push(s)
    open = blocked
  }
  return order
}

/** No state gives a level that nobody of a smaller one gave, or has anybody both in and out. */
function holdsOfStates(resolver: Resolver, steps: readonly Step[]): void {
  const { members, removed } = resolver.resolve()
  for (const [device, { level, added }] of members) {
    holds('removed or member', !removed.has(device), () => device)
    const by = steps.find(s => s.id === added)!
    if (by.kind === 'genesis') continue
    holds('given by a smaller level', by.kind === 'add' && by.target === device && by.level === level, () =>
      JSON.stringify(by)
    )
    holds('given by a smaller level', (resolver.level(by.author) ?? 255) < level, () => JSON.stringify(by))
  }
}

/** What a removed device did outside a cut, or unseen by any one of its removers, might as well be idle talk. */
function holdsOfCuts(
  Make: Subject['Resolver'],
  all: readonly Step[],
  outside: readonly Step[],
  state: string
): void {
  if (outside.length === 0) return
  const voided = new Set(outside)
  const idle = all.map((s): Step => {
    if (!voided.has(s) || s.kind === 'genesis') return s
    return { id: s.id, prev: s.prev, author: s.author, kind: 'name', serial: 1 }
  })
  same('outside the cut', stateOf(resolved(Make, idle)), state, outside.map(s => s.id).join(' '))
}

const standingText = (resolver: Resolver, device: string): string => {
  const { members, removed, left } = resolver.resolve()
  return JSON.stringify([members.get(device), removed.has(device), left.get(device)])
}

/** What those may change who do not keep the rules. */
function holdsOfAttack(before: Resolver, after: Resolver, { steps, attack, attackers }: History): void {
  const was = before.resolve()
  const authority = attackers
    .filter(a => was.members.has(a) || was.left.has(a))
    .map(a => before.level(a)!)
    .reduce((a, b) => Math.min(a, b), 99)
  const devices = new Set([...was.members.keys(), ...was.removed, ...after.resolve().members.keys()])
  const mine = new Set(attackers)
  const reach = affected(steps, attack, attackers)
  for (const device of devices) {
    const [then, now] = [standingText(before, device), standingText(after, device)]
    if (then === now) continue
    const story = () => `${device}: ${then} became ${now} by ${attackers} of level ${authority}`
    // those removed by others, and those who never were there, change nothing at all
    holds('no effect after removal', authority < 99, story)
    if (mine.has(device) && was.members.has(device)) {
      const level = after.resolve().members.get(device)?.level ?? 99
      holds('no self-promotion', level >= Math.min(before.level(device)!, authority + 1), story)
      continue
    }
    holds('equals and smaller levels', (before.level(device) ?? 255) > authority || mine.has(device), story)
    const level = after.resolve().members.get(device)?.level ?? 255
    holds('given by a smaller level', level > authority || mine.has(device), story)
    holds('bystanders', reach.has(device), story)
  }
}

/** Whom the attack names, and whomever those have named. */
function affected(
  steps: readonly Step[],
  attack: readonly Step[],
  attackers: readonly string[]
): Set<string> {
  const reach = new Set(attackers)
  for (const { author, target } of attack) {
    reach.add(author)
    if (target !== undefined) reach.add(target)
  }
  for (let size = 0; size < reach.size; ) {
    size = reach.size
    for (const { author, target } of steps) if (target !== undefined && reach.has(author)) reach.add(target)
  }
  return reach
}

/** A leaving that another device finished with a cut at all it had: nothing of the leaver counts after it. */
function holdsOfFinishing(
  Make: Subject['Resolver'],
  dice: Dice,
  all: readonly Step[],
  state: Resolver
): void {
  for (const [leaver, level] of state.resolve().left) {
    const finisher = [...state.resolve().members].find(([, m]) => m.level < level)?.[0] ?? RECOVERY
    if (leaver === RECOVERY) continue
    const heads = [...state.heads]
    const finish: Step = {
      id: 'f',
      prev: heads,
      kind: 'remove',
      author: finisher,
      target: leaver,
      cut: heads
    }
    const finished = resolved(Make, [...all, finish])
    holds('leaving finishes', !finished.resolve().left.has(leaver), () => leaver)
    const fork: Step = {
      id: dice.id(),
      prev: [dice.pick(all).id],
      kind: 'remove',
      author: leaver,
      target: leaver
    }
    const more: Step = {
      id: dice.id(),
      prev: [fork.id],
      kind: 'add',
      author: leaver,
      target: 'ef',
      level: 11
    }
    const later = resolved(Make, [...all, finish, fork, more])
    for (const device of later.resolve().members.keys())
      same('leaving finishes', standingText(later, device), standingText(finished, device), device)
    holds('leaving finishes', !later.resolve().members.has('ef'), () => `${leaver} added after leaving`)
  }
}

/**
 * Devices that hear all of it, of whatever was lost, doubled or turned round before: one state, of exactly the
 * operations that may be taken in. Over a quota they may differ until others have built on what they have.
 */
function replicas(subject: Subject, dice: Dice, all: readonly Step[], alone: boolean): void {
  const items = all.map(identified)
  const allowed = admissible(all)
  const three = [0, 1, 2].map(() => new Replica(subject))
  const parts = three.map(() => dice.shuffled(items).filter(() => dice.chance(0.6)))
  const watch = new Watch(three[0]!, all)
  for (const [n, replica] of three.entries())
    for (const item of parts[n]!) {
      replica.offer(item)
      if (dice.chance(0.1)) replica.offer(dice.pick(items))
      if (n === 0) watch.look()
    }
  exchange(three, dice, items, watch)
  const overQuota = new Map<string, number>()
  for (const { author } of all) overQuota.set(author, (overQuota.get(author) ?? 0) + 1)
  if ([...overQuota.values()].every(n => n <= 64)) {
    const wanted = alone ? stateOf(resolved(subject.Resolver, allowed)) : oracle(allowed).text
    for (const [n, replica] of three.entries()) {
      same('replicas', replica.state, wanted, `replica ${n}`)
      holds('intake', allowed.length === replica.resolver.size, () => `${replica.resolver.size} taken in`)
    }
  } else converge(three, dice, items)
  for (const replica of three) {
    holds('bounds', replica.bounded, () => `${replica.waited} wait, ${replica.waitedOfOne} of one author`)
    for (const [author] of overQuota)
      holds('bounds', replica.resolver.authored(author) <= QUOTA_ADMIN, () => author)
  }
}

/** Each hears everything until nothing is new. */
function exchange(
  all: readonly Replica[],
  dice: Dice,
  items: readonly ReturnType<typeof identified>[],
  watch?: Watch
): void {
  for (const [n, replica] of all.entries())
    for (let size = -1; size !== replica.resolver.size; ) {
      size = replica.resolver.size
      for (const item of dice.shuffled(items)) {
        replica.offer(item)
        if (n === 0) watch?.look()
      }
    }
}

/** Somebody whom all know says something on each side until the logs are one. */
function converge(all: readonly Replica[], dice: Dice, items: ReturnType<typeof identified>[]): void {
  for (let round = 0; round < 24; round++) {
    const states = all.map(replica => `${replica.state} ${[...replica.resolver.heads].sort()}`)
    if (new Set(states).size === 1) return
    for (const replica of all) {
      const prev = [...replica.resolver.heads].sort().slice(0, 16)
      items.push(identified({ id: dice.id(), prev, kind: 'remove', author: RECOVERY, target: 'ed' }))
    }
    exchange(all, dice, items)
  }
  holds('replicas', false, () => 'logs over the quota do not become one')
}

/**
 * Looks at one replica as it grows: who is out comes in again only when its removal was taken back meanwhile:
 * by somebody above those who removed it, or by those themselves. Who left by itself never does.
 */
class Watch {
  readonly #replica: Replica
  readonly #steps: ReadonlyMap<string, Step>
  /** When it was removed: how many operations there were, and who had removed it. */
  readonly #out = new Map<string, { at: number; by: ReadonlySet<string>; left: boolean }>()
  #size = 0

  constructor(replica: Replica, all: readonly Step[]) {
    this.#replica = replica
    this.#steps = new Map(all.map(s => [s.id, s]))
  }

  look(): void {
    const { resolver, taken } = this.#replica
    if (resolver.size === this.#size) return
    this.#size = resolver.size
    const { members, removed, left } = resolver.resolve()
    for (const [device, { at, by, left: own }] of this.#out) {
      if (removed.has(device)) continue
      this.#out.delete(device)
      if (!members.has(device)) continue
      holds('removed for ever', !own, () => `${device} left and is back`)
      const level = Math.min(...[...by].map(author => resolver.level(author) ?? 255))
      const back = taken.slice(at).some(id => {
        const { author } = this.#steps.get(id)!
        return by.has(author) || (resolver.level(author) ?? 255) < level
      })
      holds('removed for ever', back, () => `${device}, removed by ${[...by]}, is back`)
    }
    const fresh = [...removed].filter(device => !this.#out.has(device))
    if (fresh.length === 0) return
    const { live, levels } = oracle(taken.map(id => this.#steps.get(id)!))
    for (const device of fresh) {
      const by = taken
        .map(id => this.#steps.get(id)!)
        .filter(s => s.kind === 'remove' && s.target === device && s.author !== device && live.has(s.id))
        .filter(s => levels.get(s.author)! < levels.get(device)!)
      this.#out.set(device, {
        at: taken.length,
        by: new Set(by.map(s => s.author)),
        left: left.has(device)
      })
    }
  }
}
