/**
 * Where this computer has its power from: UPower on the system bus while it runs (it is never started), else
 * what the kernel shows in /sys/class/power_supply, else mains.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bus } from './bus.ts'
import { objectOf } from './objects.ts'

const NAME = 'org.freedesktop.UPower'
const PATH = '/org/freedesktop/UPower'
const PROPERTIES = 'org.freedesktop.DBus.Properties'
const ANSWER_MS = 2_000
/** Without UPower nobody tells of a change: looked at again, on computers with a battery. */
const LOOK_MS = 60_000
/** After a change was told, how long the next one waits: a loose plug is no news. */
const PAUSE_MS = 30_000

export interface Power {
  readonly onBattery: boolean
  /** Who says so; '' when nobody does, which means mains. */
  readonly by: 'UPower' | 'sysfs' | ''
}

export interface PowerOptions {
  readonly bus: Bus
  /** After `power` changed. */
  readonly onChange: () => void
  readonly directory?: string
  readonly lookMs?: number
  readonly pauseMs?: number
}

export class PowerWatcher {
  readonly #options: Required<PowerOptions>
  #power: Power = { onBattery: false, by: '' }
  #found: Power = this.#power
  #owner = ''
  #ends: (() => void)[] = []
  #looking: NodeJS.Timeout | undefined
  #pause: NodeJS.Timeout | undefined

  constructor(options: PowerOptions) {
    this.#options = {
      directory: '/sys/class/power_supply',
      lookMs: LOOK_MS,
      pauseMs: PAUSE_MS,
      ...options
    }
  }

  get power(): Power {
    return this.#power
  }

  /** The computer has one, as the kernel shows it. */
  get battery(): boolean {
    return readSupplies(this.#options.directory).some(isBattery)
  }

  start(): void {
    const { bus } = this.#options
    const rule = { sender: NAME, path: PATH, interface: PROPERTIES, member: 'PropertiesChanged' }
    this.#ends = [
      bus.match(rule, ({ body }) => {
        if (body[0] === NAME) this.#heard(objectOf(body[1])['OnBattery'], body[2])
      }),
      bus.watchName(NAME, owner => {
        this.#owner = owner
        if (owner === '') this.#look()
        else void this.#ask()
      })
    ]
    this.#look()
  }

  stop(): void {
    for (const end of this.#ends) end()
    this.#ends = []
    clearTimeout(this.#looking)
    clearTimeout(this.#pause)
  }

  /** Of a signal: the value, or the names of those that must be asked for. */
  #heard(value: unknown, invalidated: unknown): void {
    const onBattery = plainValue(value)
    if (typeof onBattery === 'boolean') this.#is({ onBattery, by: 'UPower' })
    else if (Array.isArray(invalidated) && invalidated.includes('OnBattery')) void this.#ask()
  }

  async #ask(): Promise<void> {
    const owner = this.#owner
    const call = { destination: NAME, path: PATH, interface: PROPERTIES, member: 'Get', signature: 'ss' }
    const answer = await this.#options.bus
      .call({ ...call, body: [NAME, 'OnBattery'], timeoutMs: ANSWER_MS, autoStart: false })
      .catch(() => [])
    // gone, or another one, which was asked too
    if (owner !== this.#owner || this.#ends.length === 0) return
    const onBattery = plainValue(answer[0])
    if (typeof onBattery === 'boolean') this.#is({ onBattery, by: 'UPower' })
    else this.#look()
  }

  /** At the kernel's files; again and again while they are all there is, if there is a battery. */
  #look(): void {
    const { directory, lookMs } = this.#options
    const supplies = readSupplies(directory)
    this.#is(powerOf(supplies))
    if (!supplies.some(isBattery) || this.#ends.length === 0) return
    this.#looking = setTimeout(() => this.#look(), lookMs)
    this.#looking.unref()
  }

  #is(found: Power): void {
    clearTimeout(this.#looking)
    this.#found = found
    if (this.#pause === undefined) this.#tell()
  }

  #tell(): void {
    this.#pause = undefined
    const { onBattery, by } = this.#found
    const changed = onBattery !== this.#power.onBattery
    if (!changed && by === this.#power.by) return
    this.#power = this.#found
    if (changed) {
      this.#pause = setTimeout(() => this.#tell(), this.#options.pauseMs)
      this.#pause.unref()
    }
    this.#options.onChange()
  }
}

const plainValue = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? (value as { value?: unknown }).value : value

/** Of a directory in /sys/class/power_supply; what is not there is ''. */
export interface Supply {
  readonly type: string
  readonly online: string
  readonly status: string
  readonly scope: string
}

function readSupplies(directory: string): Supply[] {
  const read = (name: string, file: string): string => {
    try {
      return readFileSync(join(directory, name, file), 'latin1').trim()
    } catch {
      return ''
    }
  }
  try {
    return readdirSync(directory).map(name => ({
      type: read(name, 'type'),
      online: read(name, 'online'),
      status: read(name, 'status'),
      scope: read(name, 'scope')
    }))
  } catch {
    return []
  }
}

/** One of the computer, not of a mouse. */
const isBattery = ({ type, scope }: Supply) => type === 'Battery' && scope !== 'Device'

/** On battery: one is being discharged, and no mains supply is there (a weak one may not be enough). */
export function powerOf(supplies: readonly Supply[]): Power {
  const mains = supplies.some(
    ({ type, online, scope }) => type === 'Mains' && online === '1' && scope !== 'Device'
  )
  const discharging = supplies.some(supply => isBattery(supply) && supply.status === 'Discharging')
  return { onBattery: discharging && !mains, by: supplies.length > 0 ? 'sysfs' : '' }
}
