/**
 * Operations that cannot be taken in yet: parents are missing, or their author is over its quota and nobody
 * has built on them. Their signatures were checked. Bounded per author and in all; the oldest go first.
 */
import type { PeerId } from '../crypto/identity.ts'
import type { Identified } from './signing.ts'

export const ORPHANS_PER_AUTHOR = 64
export const ORPHANS = 2048
export const KEPT_MS = 600_000

export interface Orphan {
  readonly item: Identified
  readonly from: PeerId | undefined
  readonly at: number
}

export class Quarantine {
  /** In order of arrival. */
  readonly #orphans = new Map<string, Orphan>()
  readonly #byAuthor = new Map<string, Set<string>>()
  readonly #byParent = new Map<string, Set<string>>()

  get size(): number {
    return this.#orphans.size
  }
  /** When the oldest has been here for long enough. */
  get deadline(): number {
    const first = this.#orphans.values().next().value
    return first === undefined ? Number.POSITIVE_INFINITY : first.at + KEPT_MS
  }
  get(key: string): Orphan | undefined {
    return this.#orphans.get(key)
  }
  values(): Iterable<Orphan> {
    return this.#orphans.values()
  }
  /** Those that have it as a parent. */
  children(key: string): Orphan[] {
    return [...(this.#byParent.get(key) ?? [])].map(child => this.#orphans.get(child)!)
  }

  /** Returns those that had to make room for it. */
  put(orphan: Orphan): Orphan[] {
    const { key, author, parents } = orphan.item
    if (this.#orphans.has(key)) return []
    const evicted: Orphan[] = []
    const siblings = this.#byAuthor.get(author)
    if (siblings && siblings.size >= ORPHANS_PER_AUTHOR) evicted.push(this.#evict(siblings))
    if (this.#orphans.size >= ORPHANS) evicted.push(this.#evict(this.#orphans))
    this.#orphans.set(key, orphan)
    entry(this.#byAuthor, author).add(key)
    for (const parent of parents) entry(this.#byParent, parent).add(key)
    return evicted
  }

  #evict(oldest: { keys(): Iterator<string> }): Orphan {
    const key: string = oldest.keys().next().value
    const orphan = this.#orphans.get(key)!
    this.remove(key)
    return orphan
  }

  remove(key: string): void {
    const orphan = this.#orphans.get(key)
    if (orphan === undefined) return
    this.#orphans.delete(key)
    drop(this.#byAuthor, orphan.item.author, key)
    for (const parent of orphan.item.parents) drop(this.#byParent, parent, key)
  }

  expire(now: number): void {
    for (const [key, { at }] of this.#orphans) {
      if (at + KEPT_MS > now) return
      this.remove(key)
    }
  }
}

function entry(index: Map<string, Set<string>>, name: string): Set<string> {
  let keys = index.get(name)
  if (keys === undefined) index.set(name, (keys = new Set()))
  return keys
}

function drop(index: Map<string, Set<string>>, name: string, key: string): void {
  const keys = index.get(name)
  keys?.delete(key)
  if (keys?.size === 0) index.delete(name)
}
