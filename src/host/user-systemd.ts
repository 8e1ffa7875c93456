/**
 * The user's systemd, on the session bus (org.freedesktop.systemd1(5)): starts transient services, tells what
 * becomes of them, lets them go.
 */
import { type Bus, BusError, plain, Variant } from './bus.ts'

const NAME = 'org.freedesktop.systemd1'
const PATH = '/org/freedesktop/systemd1'
const MANAGER = `${NAME}.Manager`
const PROPERTIES = 'org.freedesktop.DBus.Properties'
const ANSWER_MS = 15_000
const KILL = 9

/** What it says of a service. */
export interface UnitFacts {
  readonly ActiveState: string
  readonly SubState: string
  /** 0: it never ran. */
  readonly ActiveEnterTimestampMonotonic: number
  readonly Result: string
  /** CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3; 0: it did not end. */
  readonly ExecMainCode: number
  /** Exit code or signal. */
  readonly ExecMainStatus: number
}
const OF_UNIT = ['ActiveState', 'SubState', 'ActiveEnterTimestampMonotonic', 'LoadState'] as const
const OF_SERVICE = ['Result', 'ExecMainCode', 'ExecMainStatus'] as const

/** Name, D-Bus signature, value: as StartTransientUnit takes them. */
export type UnitProperty = readonly [name: string, signature: string, value: unknown]

export class UserSystemd {
  readonly #bus: Bus
  readonly #known = Promise.withResolvers<void>()
  readonly #back = new Set<() => void>()
  #owner = ''
  #watched = 0
  #forget: (() => void) | undefined

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** Looks for it from now on. */
  follow(): void {
    this.#forget ??= this.#bus.watchName(NAME, owner => {
      this.#owner = owner
      if (owner !== '') {
        if (this.#watched > 0) this.#subscribe('Subscribe')
        for (const fn of this.#back) fn()
      }
      this.#known.resolve()
    })
  }

  stop(): void {
    this.#forget?.()
    this.#forget = undefined
  }

  get present(): boolean {
    return this.#owner !== ''
  }
  /** Resolves when it is known whether there is one. */
  get known(): Promise<void> {
    return this.#known.promise
  }
  /** Resolves when there is one, and after that time at the latest. */
  async appears(withinMs: number): Promise<void> {
    if (this.present) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const limit = setTimeout(resolve, withinMs)
    this.#back.add(resolve)
    await promise
    clearTimeout(limit)
    this.#back.delete(resolve)
  }

  /** Rejects BusError; `isRefusal` says whether it is certain that nothing was started. */
  async start(unit: string, properties: readonly UnitProperty[]): Promise<void> {
    const said = properties.map(([name, signature, value]) => [name, new Variant(signature, value)])
    await this.#call('StartTransientUnit', 'ssa(sv)a(sa(sv))', [unit, 'fail', said, []])
  }

  /** What it gives to all it starts. Rejects BusError. */
  async environment(): Promise<ReadonlyMap<string, string>> {
    const [value] = await this.#get(PATH, MANAGER, 'Environment')
    const lines = plain(value) as string[]
    return new Map(lines.map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
  }

  /** Undefined: there is no such unit. Rejects BusError. */
  async look(unit: string): Promise<UnitFacts | undefined> {
    let path: string
    try {
      const [found] = await this.#call('GetUnit', 's', [unit])
      path = String(found)
    } catch (error) {
      if (error instanceof BusError && error.errorName === `${NAME}.NoSuchUnit`) return undefined
      throw error
    }
    const values = await Promise.all([
      ...OF_UNIT.map(async name => [name, plain((await this.#get(path, `${NAME}.Unit`, name))[0])]),
      ...OF_SERVICE.map(async name => [name, plain((await this.#get(path, `${NAME}.Service`, name))[0])])
    ])
    const { LoadState, ...facts } = Object.fromEntries(values) as UnitFacts & { LoadState: string }
    return LoadState === 'loaded' ? facts : undefined
  }

  /** Calls with what has changed of it, and when nobody can say what was missed. Returns what ends it. */
  watch(unit: string, onChange: (changed: Partial<UnitFacts>) => void): () => void {
    const path = unitPath(unit)
    const rule = { sender: NAME, path, interface: PROPERTIES, member: 'PropertiesChanged' }
    const end = this.#bus.match(rule, ({ body }) => {
      const changed = plain(body[1])
      if (typeof changed === 'object' && changed !== null) onChange(changed as Partial<UnitFacts>)
    })
    const back = () => onChange({})
    this.#back.add(back)
    if (this.#watched++ === 0) this.#subscribe('Subscribe')
    let over = false
    return () => {
      if (over) return
      over = true
      end()
      this.#back.delete(back)
      if (--this.#watched === 0) this.#subscribe('Unsubscribe')
    }
  }

  /** Ends it as its limits say. Never rejects. */
  async end(unit: string): Promise<void> {
    await this.#quietly('StopUnit', 'ss', [unit, 'replace'])
  }

  /** Ends what is left in it, and forgets it. Never rejects. */
  async letGo(unit: string): Promise<void> {
    await Promise.all([
      this.#quietly('KillUnit', 'ssi', [unit, 'all', KILL]),
      this.end(unit),
      this.#quietly('ResetFailedUnit', 's', [unit])
    ])
  }

  /** It tells of units only those who asked for it. */
  #subscribe(member: 'Subscribe' | 'Unsubscribe'): void {
    if (this.present) void this.#quietly(member, '', [])
  }

  async #quietly(member: string, signature: string, body: unknown[]): Promise<void> {
    await this.#call(member, signature, body).catch(() => {})
  }

  #call(member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    const at = { destination: NAME, path: PATH, interface: MANAGER, autoStart: false, timeoutMs: ANSWER_MS }
    return this.#bus.call({ ...at, member, signature, body })
  }

  #get(path: string, from: string, name: string): Promise<unknown[]> {
    const at = { destination: NAME, path, interface: PROPERTIES, autoStart: false, timeoutMs: ANSWER_MS }
    return this.#bus.call({ ...at, member: 'Get', signature: 'ss', body: [from, name] })
  }
}

/** It said no: nothing was started. Else it may have been, only the answer is missing. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof BusError && !/\.(Disconnected|Timeout|TimedOut|NoReply)$/.test(error.errorName)

export const unitExists = (error: unknown): boolean =>
  error instanceof BusError && error.errorName === `${NAME}.UnitExists`

/** sd_bus_path_encode(3): other bytes than letters and digits as `_` and two hexadecimal digits. */
const unitPath = (unit: string): string =>
  `${PATH}/unit/${unit.replaceAll(/[^A-Za-z0-9]|^[0-9]/g, at => `_${at.charCodeAt(0).toString(16).padStart(2, '0')}`)}`
