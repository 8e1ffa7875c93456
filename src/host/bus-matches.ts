/**
 * What one program listens to on a bus: match rules, counted and local ones held against each signal, and the
 * owners of names. Both outlive the connection.
 */

import type { Incoming } from './bus-connection.ts'

export interface MatchRule {
  /** A well-known name is held against its present owner. */
  sender?: string
  interface?: string
  path?: string
  pathNamespace?: string
  member?: string
}
type Listener = (m: Incoming) => void
/** A call of the bus driver; `done` is called in the order of the messages. */
type Ask = (
  member: string,
  argument: string,
  done: (error: Error | undefined, body: unknown[]) => void
) => void

const DBUS = 'org.freedesktop.DBus'

interface NameWatch {
  readonly name: string
  owner: string
  /** The owner has been told. */
  known: boolean
  /** Until the answer any sender passes. */
  asking: boolean
  readonly listeners: Set<(owner: string) => void>
  readonly stop: () => void
}

export class Matches {
  readonly #ask: Ask
  readonly #guard: (fn: () => void) => void
  readonly #failed: (text: string, rule: string) => void
  readonly #rules = new Map<string, Set<Listener>>()
  readonly #names = new Map<string, NameWatch>()
  /** starting: the first attempt to connect has not ended. */
  #state: 'starting' | 'up' | 'down' = 'starting'

  constructor(options: {
    ask: Ask
    guard: (fn: () => void) => void
    failed: (text: string, rule: string) => void
  }) {
    this.#ask = options.ask
    this.#guard = options.guard
    this.#failed = options.failed
  }

  /** The bus is there (again): everything is asked for anew. */
  up(): void {
    this.#state = 'up'
    for (const rule of this.#rules.keys()) this.#rule('AddMatch', rule)
    for (const watch of this.#names.values()) this.#askOwner(watch)
  }

  down(): void {
    this.#state = 'down'
    for (const watch of [...this.#names.values()]) this.#tell(watch, '')
  }

  receive(signal: Incoming): void {
    for (const listeners of [...this.#rules.values()])
      for (const fn of [...listeners]) this.#guard(() => fn(signal))
  }

  match(rule: MatchRule, fn: Listener): () => void {
    const name = rule.sender && !rule.sender.startsWith(':') && rule.sender !== DBUS ? rule.sender : ''
    const forget = name ? this.watchName(name, () => {}) : () => {}
    const sender = name ? this.#names.get(name) : undefined
    const remove = this.#listen(ruleText(rule), m => {
      if (rule.interface && m.interface !== rule.interface) return
      if (rule.member && m.member !== rule.member) return
      if (rule.path && m.path !== rule.path) return
      if (rule.pathNamespace && !isBelow(m.path, rule.pathNamespace)) return
      if (sender ? !sender.asking && m.sender !== sender.owner : rule.sender && m.sender !== rule.sender)
        return
      fn(m)
    })
    return () => {
      remove()
      forget()
    }
  }

  watchName(name: string, fn: (owner: string) => void): () => void {
    const watch = this.#watch(name)
    const listener = (owner: string) => fn(owner)
    watch.listeners.add(listener)
    if (this.#state === 'down') watch.known = true
    if (watch.known) {
      queueMicrotask(() => {
        if (watch.known && watch.listeners.has(listener)) this.#guard(() => listener(watch.owner))
      })
    }
    return () => {
      if (!watch.listeners.delete(listener) || watch.listeners.size > 0) return
      watch.stop()
      this.#names.delete(name)
    }
  }

  #watch(name: string): NameWatch {
    const present = this.#names.get(name)
    if (present) return present
    const rule = { sender: DBUS, path: '/org/freedesktop/DBus', interface: DBUS, member: 'NameOwnerChanged' }
    const stop = this.#listen(`${ruleText(rule)},arg0='${name}'`, m => {
      if (m.sender === DBUS && m.member === rule.member && m.body[0] === name)
        this.#tell(watch, String(m.body[2]))
    })
    const watch: NameWatch = { name, owner: '', known: false, asking: false, listeners: new Set(), stop }
    this.#names.set(name, watch)
    if (this.#state === 'up') this.#askOwner(watch)
    return watch
  }

  // With a callback and not a promise: the answer must be seen before a NameOwnerChanged of the same read.
  #askOwner(watch: NameWatch): void {
    watch.asking = true
    this.#ask('GetNameOwner', watch.name, (error, body) => {
      watch.asking = false
      this.#tell(watch, error ? '' : String(body[0]))
    })
  }

  #tell(watch: NameWatch, owner: string): void {
    if (watch.known && watch.owner === owner) return
    watch.known = true
    watch.owner = owner
    for (const fn of [...watch.listeners]) this.#guard(() => fn(owner))
  }

  #listen(text: string, fn: Listener): () => void {
    const listeners = this.#rules.get(text) ?? new Set()
    if (listeners.size === 0) {
      this.#rules.set(text, listeners)
      if (this.#state === 'up') this.#rule('AddMatch', text)
    }
    listeners.add(fn)
    return () => {
      if (!listeners.delete(fn) || listeners.size > 0) return
      this.#rules.delete(text)
      if (this.#state === 'up') this.#rule('RemoveMatch', text)
    }
  }

  #rule(member: 'AddMatch' | 'RemoveMatch', text: string): void {
    this.#ask(member, text, error => {
      if (error && this.#state === 'up') this.#failed(`${member} failed: ${error.message}`, text)
    })
  }
}

const isBelow = (path: string, above: string) =>
  path === above || above === '/' || path.startsWith(`${above}/`)

/** As AddMatch takes it (D-Bus specification, "Match Rules"). */
function ruleText(rule: MatchRule): string {
  const parts = ["type='signal'"]
  if (rule.sender) parts.push(`sender='${rule.sender}'`)
  if (rule.path) parts.push(`path='${rule.path}'`)
  if (rule.pathNamespace) parts.push(`path_namespace='${rule.pathNamespace}'`)
  if (rule.interface) parts.push(`interface='${rule.interface}'`)
  if (rule.member) parts.push(`member='${rule.member}'`)
  return parts.join(',')
}
