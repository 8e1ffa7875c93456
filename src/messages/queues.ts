/** What waits to run, by sender and tag: each in the order in which it is to run, and all in turn. */
import type { Received } from './received.ts'

export class Queues<Entry extends { readonly received: Received }> {
  /** The one whose turn was longest ago first. */
  readonly #waiting = new Map<string, Set<Entry>>()

  add(entry: Entry): void {
    const key = keyOf(entry.received)
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) this.#waiting.set(key, new Set([entry]))
    else waiting.add(entry)
  }

  /** Before all others of its sender and tag. */
  addFirst(entry: Entry): void {
    const key = keyOf(entry.received)
    this.#waiting.set(key, new Set([entry, ...(this.#waiting.get(key) ?? [])]))
  }

  delete(entry: Entry): void {
    const key = keyOf(entry.received)
    const waiting = this.#waiting.get(key)
    if (waiting?.delete(entry) && waiting.size === 0) this.#waiting.delete(key)
  }

  /** As of now: what waits for one sender and tag, the next one first. Never empty. */
  get all(): readonly ReadonlySet<Entry>[] {
    return [...this.#waiting.values()]
  }

  /** It had its turn: it waits no more, and the others of its sender and tag come after all else. */
  had(entry: Entry): void {
    this.delete(entry)
    const key = keyOf(entry.received)
    const rest = this.#waiting.get(key)
    if (rest === undefined) return
    this.#waiting.delete(key)
    this.#waiting.set(key, rest)
  }
}

const keyOf = ({ from, tag }: Received): string => `${from} ${tag}`
