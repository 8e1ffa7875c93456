/** One device's log as the daemon grows it: intake and resolver, fed with operations in any order. */
import type { Intake } from '../../src/circle/intake.ts'
import { ORPHANS, ORPHANS_PER_AUTHOR } from '../../src/circle/quarantine.ts'
import type { Resolver, Step } from '../../src/circle/resolver.ts'
import type { Identified } from '../../src/circle/signing.ts'
import { unhex } from '../../src/wire/bytes.ts'
import type { Body, Operation } from '../../src/wire/operation.ts'
import { stateText } from './oracle.ts'

/** What is tested: the source, or a copy of it with a mistake. */
export interface Subject {
  readonly Resolver: typeof Resolver
  readonly Intake: typeof Intake
}

export const stateOf = (resolver: Resolver): string => {
  const { members, removed, left } = resolver.resolve()
  const said = [...members].map(([device, standing]) => ({ device, ...standing }))
  return stateText({ members: said, removed, left, forks: resolver.forks })
}

export class Replica {
  readonly resolver: Resolver
  readonly #intake: Intake
  /** Greatest number of operations that waited at once, of all and of one author. */
  waited = 0
  waitedOfOne = 0
  /** In the order in which they were taken in. */
  readonly taken: string[] = []

  constructor({ Resolver, Intake }: Subject) {
    this.resolver = new Resolver()
    this.#intake = new Intake(this.resolver)
  }

  get state(): string {
    return stateOf(this.resolver)
  }
  has(id: string): boolean {
    return this.resolver.has(id)
  }
  /** Bounds are looked at after each. */
  offer(item: Identified): void {
    const { quarantine, taken, missing, crowded } = this.#intake
    this.#intake.offer(0, item, 'peer')
    this.taken.push(...taken.map(t => t.item.key))
    taken.length = missing.length = crowded.length = 0
    this.waited = Math.max(this.waited, quarantine.size)
    if (quarantine.size <= this.waitedOfOne) return
    let own = 0
    for (const waiting of quarantine.values()) if (waiting.item.author === item.author) own++
    this.waitedOfOne = Math.max(this.waitedOfOne, own)
  }
  get bounded(): boolean {
    return this.waited <= ORPHANS && this.waitedOfOne <= ORPHANS_PER_AUTHOR
  }
}

const NONE = new Uint8Array(0)

/** As it comes out of signing.ts, without bytes and signatures. */
export function identified(step: Step): Identified {
  const operation = { author: NONE, body: bodyOf(step) } as Partial<Operation> as Operation
  return { operation, bytes: NONE, id: NONE, key: step.id, author: step.author, parents: step.prev }
}

function bodyOf({ kind, recovery, target, level, cut, serial }: Step): Body {
  const bodies = {
    genesis: () => ({ recovery: unhex(recovery!) }),
    add: () => ({ target: unhex(target!), level }),
    remove: () => ({ target: unhex(target!), cut: cut?.map(unhex) }),
    rekey: () => ({ serial }),
    name: () => ({ serial })
  }
  return { kind, ...bodies[kind]() } as Partial<Body> as Body
}
