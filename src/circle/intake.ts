/**
 * Decides which verified operations are taken into the log: parents first, authors introduced, quotas kept.
 * The decision hangs on the operation and its past wherever it can, so that logs grow alike everywhere.
 *
 * Over its quota an author's operation waits until one of another author builds on it: then it is needed to
 * read that one. Without that, a member could by forks make each device keep another 64 of its operations,
 * and their logs would never be the same again.
 */
import type { PeerId } from '../crypto/identity.ts'
import { hex } from '../wire/bytes.ts'
import { Quarantine } from './quarantine.ts'
import { quota, type Resolver, type Step } from './resolver.ts'
import type { Identified } from './signing.ts'

export const MAX_OPERATIONS = 10_000
const MEMBER_LEVEL = 10
const RELAY_LEVEL = 11
/** Of those that wait, how many another one may stand on to be taken in with them. */
const MAX_ANCESTORS = 512

export interface Taken {
  readonly item: Identified
  readonly from: PeerId | undefined
}

export class Intake {
  readonly quarantine = new Quarantine()
  readonly #resolver: Resolver
  /** Parents nobody here has, by who sent the child. */
  readonly missing: { from: PeerId; key: string }[] = []
  /** Who sent operations that had to make room for others. */
  readonly crowded: (PeerId | undefined)[] = []
  /** What was taken in, in order; emptied by the reader. */
  readonly taken: Taken[] = []
  readonly #limit: number

  constructor(resolver: Resolver, limit = MAX_OPERATIONS) {
    this.#resolver = resolver
    this.#limit = limit
  }

  /** It was taken in, or waits. */
  knows(key: string): boolean {
    return this.#resolver.has(key) || this.quarantine.get(key) !== undefined
  }

  /** false: it can never be of use. */
  offer(now: number, item: Identified, from: PeerId | undefined): boolean {
    if (this.knows(item.key)) return true
    const isGenesis = item.operation.body.kind === 'genesis'
    if (isGenesis !== (this.#resolver.size === 0)) return isGenesis ? false : this.#wait(now, item, from)
    const absent = item.parents.filter(parent => !this.#resolver.has(parent))
    if (absent.length > 0) return this.#wait(now, item, from)
    if (!isGenesis && !this.#resolver.introduced(item.author, item.parents)) return false
    if (this.#over(item)) return this.#wait(now, item, from)
    this.#take(now, item, from)
    return true
  }

  /** How many more operations of this author would be taken in. */
  room(author: string): number {
    const level = this.#resolver.level(author) ?? RELAY_LEVEL
    const ofAuthor = quota(level) - this.#resolver.authored(author)
    return Math.max(0, Math.min(ofAuthor, this.#share(level) - this.#resolver.size))
  }

  /** How large the log may be for a level to add to it: whoever fills it leaves room for all smaller levels. */
  #share(level: number): number {
    const percent =
      level <= 1 ? 100 : level < MEMBER_LEVEL ? 100 - 2 * level : level === MEMBER_LEVEL ? 80 : 60
    return Math.floor((this.#limit * percent) / 100)
  }

  #wait(now: number, item: Identified, from: PeerId | undefined): true {
    this.crowded.push(...this.quarantine.put({ item, from, at: now }).map(orphan => orphan.from))
    const needed = this.#ancestors(item, key => from !== undefined && this.missing.push({ from, key }))
    if (needed === undefined) return true
    if (needed.length > 0 && !this.#over(item)) this.#takeAll(now, needed, item, from)
    else this.#wake(now, item.key)
    return true
  }

  /**
   * Something has come that others stand on: of those that wait for it, the ones that may now be taken in, with
   * all they need. Only of authors that are known: strangers could make any number of them.
   */
  #wake(now: number, key: string): void {
    const open = [key]
    for (let looked = 0; open.length > 0 && looked < MAX_ANCESTORS; looked++)
      for (const { item, from } of this.quarantine.children(open.pop()!)) {
        if (this.quarantine.get(item.key) === undefined) continue
        if (this.#resolver.lastLevel(item.author) === undefined) continue
        if (this.#over(item)) {
          open.push(item.key)
          continue
        }
        const needed = this.#ancestors(item)
        if (needed !== undefined) this.#takeAll(now, needed, item, from)
      }
  }

  /** The absent part of its past, parents first, when all of it waits here; else says what is missing, if asked. */
  #ancestors(item: Identified, tell?: (key: string) => void): Identified[] | undefined {
    const order: Identified[] = []
    const seen = new Set<string>()
    let complete = true
    const visit = (parents: readonly string[]) => {
      for (const key of parents) {
        if (seen.has(key) || this.#resolver.has(key)) continue
        if (seen.size === MAX_ANCESTORS) complete = false
        if (!complete && (tell === undefined || seen.size === MAX_ANCESTORS)) return
        seen.add(key)
        const orphan = this.quarantine.get(key)
        if (orphan !== undefined) {
          visit(orphan.item.parents)
          order.push(orphan.item)
        } else {
          complete = false
          tell?.(key)
        }
      }
    }
    visit(item.parents)
    return complete ? order : undefined
  }

  #takeAll(now: number, needed: readonly Identified[], item: Identified, from: PeerId | undefined): void {
    for (const each of [...needed, item]) {
      if (this.#resolver.has(each.key)) continue
      // One whose author nobody introduced can never come in, nor what builds on it.
      if (!each.parents.every(parent => this.#resolver.has(parent))) return
      if (!this.#resolver.introduced(each.author, each.parents)) {
        this.quarantine.remove(each.key)
        return
      }
      this.#take(now, each, this.quarantine.get(each.key)?.from ?? from)
    }
  }

  #take(now: number, item: Identified, from: PeerId | undefined): void {
    this.quarantine.remove(item.key)
    this.#resolver.add(step(item))
    this.taken.push({ item, from })
    for (const child of this.quarantine.children(item.key)) {
      if (this.quarantine.get(child.item.key) === undefined) continue
      if (!child.item.parents.every(parent => this.#resolver.has(parent))) continue
      if (!this.#resolver.introduced(child.item.author, child.item.parents))
        this.quarantine.remove(child.item.key)
      else if (!this.#over(child.item)) this.#take(now, child.item, child.from)
    }
    this.#wake(now, item.key)
  }

  /** Over the quota of its author or of the log. Removals that count come in always. */
  #over({ operation, author }: Identified): boolean {
    const resolver = this.#resolver
    const kept = resolver.authored(author)
    // To decide who is who anew for each operation would take its time: mostly it is known well enough.
    const last = resolver.lastLevel(author) ?? RELAY_LEVEL
    if (resolver.size < this.#share(last) && kept < quota(last)) return false
    const level = resolver.level(author)
    const { body } = operation
    if (body.kind === 'remove' && level !== undefined && !resolver.resolve().removed.has(author)) {
      const target = hex(body.target)
      if (target === author || level < (resolver.level(target) ?? 0)) return false
    }
    const judged = level ?? RELAY_LEVEL
    return resolver.size >= this.#share(judged) || kept >= quota(judged)
  }
}

/** An operation as the resolver reads it. */
export function step({ key, parents, author, operation: { body } }: Identified): Step {
  const common = { id: key, prev: parents, author, kind: body.kind }
  switch (body.kind) {
    case 'genesis':
      return { ...common, recovery: hex(body.recovery) }
    case 'add':
      return { ...common, target: hex(body.target), level: body.level }
    case 'remove':
      return { ...common, target: hex(body.target), cut: body.cut?.map(hex) }
    case 'rekey':
    case 'name':
      return { ...common, serial: body.serial }
  }
}

/** Those of a stranger's operations that hang, maybe by each other, on an author who is known. */
export function backed(items: readonly Identified[], known: (author: string) => boolean): Identified[] {
  const introduced = new Set<string>()
  return items.filter(({ author, operation: { body } }) => {
    if (!known(author) && !introduced.has(author)) return false
    if (body.kind === 'add') introduced.add(hex(body.target))
    return true
  })
}
