/**
 * What the daemon shows: objects by path, told to D-Bus and to event readers alike. All changes of one tick
 * are one flush; of an object that changed several times only the last values are told.
 */

import type { ObjectKind, Properties } from '../../api/api.ts'
import { type Change, EventLog, type EventRecord } from './events.ts'

export interface Published<K extends ObjectKind = ObjectKind> {
  readonly kind: K
  /** Below ROOT: '' for the daemon, '/circle/x'. */
  readonly path: string
  readonly properties: Readonly<Properties<K>>
}
type Values = { [name: string]: unknown }
/** Changed: the values before this flush are kept until it, to leave out what came back to them. */
interface Pending extends Change {
  before?: Values
}

const PATH = /^(\/[A-Za-z0-9_]+)*$/

export class Publisher {
  readonly #objects = new Map<string, Published>()
  readonly #log: EventLog
  readonly #schedule: (flush: () => void) => void
  readonly #listeners = new Set<(events: readonly EventRecord[]) => void>()
  #pending: Pending[] = []
  /** The pending Added or Changed of an object that further changes go into. */
  readonly #open = new Map<string, Pending>()
  #scheduled = false
  #flushing = false

  /** `limit`: events kept for readers that come back (8192). `schedule` runs the flush; default: as a microtask. */
  constructor(options: { boot: string; limit?: number; schedule?: (flush: () => void) => void }) {
    this.#log = new EventLog(options.boot, options.limit ?? 8192)
    this.#schedule = options.schedule ?? queueMicrotask
  }

  /** Makes the object or changes it; equal values are not told. Lists in it must not be changed afterwards. */
  set<K extends ObjectKind>(kind: K, path: string, properties: Properties<K>): void {
    if (!PATH.test(path)) throw new Error(`not an object path: ${JSON.stringify(path)}`)
    const old = this.#objects.get(path)
    if (old && old.kind !== kind) this.remove(path)
    this.#objects.set(path, { kind, path, properties: { ...properties } } as unknown as Published)
    if (!old || old.kind !== kind) {
      this.#open.set(
        path,
        this.#add({ Type: 'Added', Object: path, Kind: kind, Properties: { ...properties } })
      )
      return
    }
    const before = old.properties as Values
    const changed = Object.entries(properties).filter(([name, value]) => !same(before[name], value))
    if (changed.length === 0) return
    const open =
      this.#open.get(path) ??
      this.#add({ Type: 'Changed', Object: path, Kind: kind, Properties: {}, before: {} })
    this.#open.set(path, open)
    for (const [name, value] of changed) {
      if (open.before && !Object.hasOwn(open.before, name)) open.before[name] = before[name]
      open.Properties[name] = value
    }
  }

  remove(path: string): void {
    const old = this.#objects.get(path)
    if (!old) return
    this.#objects.delete(path)
    this.#open.delete(path)
    this.#add({ Type: 'Removed', Object: path, Kind: old.kind, Properties: {} })
  }

  /** A signal of the object at `path`, after the changes made so far. */
  signal(name: string, path: string, args: { [name: string]: unknown }): void {
    this.#open.delete(path)
    this.#add({ Type: name, Object: path, Kind: this.#objects.get(path)?.kind ?? 'Daemon', Properties: args })
  }

  get(path: string): Published | undefined {
    return this.#objects.get(path)
  }

  /** Objects of a kind, or all, in the order in which they were made. */
  list(): Published[]
  list<K extends ObjectKind>(kind: K): Published<K>[]
  list(kind?: ObjectKind): Published[] {
    const all = [...this.#objects.values()]
    return kind ? all.filter(o => o.kind === kind) : all
  }

  /** A batch for each flush, in order; returns the function that ends it. */
  subscribe(fn: (events: readonly EventRecord[]) => void): () => void {
    this.#flush()
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  /**
   * What came after a cursor. '' gives an Added for each object; so does a cursor too old or of another run
   * of the daemon, after a Gap. Subscribe in the same tick to go on without missing any.
   */
  since(cursor: string): { events: EventRecord[]; gap: boolean } {
    this.#flush()
    const events = cursor === '' ? undefined : this.#log.after(cursor)
    if (events) return { events, gap: false }
    const gap = cursor !== ''
    const all = this.list().map(
      (o): Change => ({ Type: 'Added', Object: o.path, Kind: o.kind, Properties: { ...o.properties } })
    )
    const first: Change[] = gap ? [{ Type: 'Gap', Object: '', Kind: '', Properties: {} }] : []
    return { events: this.#log.picture([...first, ...all]), gap }
  }

  #add(change: Pending): Pending {
    this.#pending.push(change)
    if (!this.#scheduled) {
      this.#scheduled = true
      this.#schedule(() => {
        this.#scheduled = false
        this.#flush()
      })
    }
    return change
  }

  #flush(): void {
    if (this.#flushing) return
    const changes = this.#pending.flatMap(settle)
    this.#pending = []
    this.#open.clear()
    if (changes.length === 0) return
    const events = this.#log.append(changes)
    this.#flushing = true
    try {
      for (const fn of this.#listeners) fn(events)
    } finally {
      this.#flushing = false
    }
  }
}

/** Leaves out properties that came back to what was told before, and a Changed that is empty then. */
function settle({ before, ...change }: Pending): Change[] {
  if (!before) return [change]
  const entries = Object.entries(change.Properties).filter(([name, value]) => !same(before[name], value))
  return entries.length === 0 ? [] : [{ ...change, Properties: Object.fromEntries(entries) }]
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every(k => Object.hasOwn(b, k) && same((a as Values)[k], (b as Values)[k]))
  )
}
