/**
 * Runs of handlers: as units of the user's systemd where it can be reached, else as plain processes; which of the two
 * is decided anew for each. A run outlives the daemon: the next one takes it over by its name.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Bus } from '../../host/bus.ts'
import { Processes } from '../../host/handler-process.ts'
import {
  type HandlerEnd,
  type HandlerRun,
  type Limits,
  RUN_NAME,
  type Running,
  unitName
} from '../../host/handler-run.ts'
import { UNIT, Units } from '../../host/handler-units.ts'
import { RunFolder, runNames } from '../../host/run-folder.ts'
import { UserSystemd } from '../../host/user-systemd.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'

/** How long an earlier run waits for the user's systemd, which alone can tell of it. */
const MANAGER_MS = 30_000
/** After the start; what nobody has asked for then was left over. */
const LEFT_OVER_MS = 60_000

export interface RunsOptions {
  /** The session bus. */
  readonly bus: Bus
  /** Where runs have their files: gone with the session of the user, as their units are. */
  readonly folder: string
  readonly config: () => Config['handlers']
  readonly log: Log
}

export type Wanted = Omit<HandlerRun, keyof Limits>

export class Runs {
  readonly #options: RunsOptions
  readonly #manager: UserSystemd
  readonly #units: Units
  readonly #processes: Processes
  readonly #known = new Set<string>()
  readonly #earlier: Set<string>
  #sweep: NodeJS.Timeout | undefined

  constructor(options: RunsOptions) {
    const { bus, folder, log } = options
    this.#options = options
    this.#manager = new UserSystemd(bus)
    this.#units = new Units(this.#manager, folder, log)
    this.#processes = new Processes(folder)
    this.#earlier = new Set(runNames(folder))
    this.#manager.follow()
  }

  /** What is run now would be a unit. */
  get units(): boolean {
    return this.#options.config().units && this.#manager.present
  }
  /** There is a systemd of the user. */
  get manager(): boolean {
    return this.#manager.present
  }

  /** A run is about to be written down as started: what is started only then can be told from what is not. */
  reserve(name: string): void {
    this.#known.add(name)
    try {
      new RunFolder(this.#options.folder, name).reserve()
    } catch {
      // after a kill it will not be known whether it was started
    }
  }

  /** Nothing is started in its place. */
  abandon(name: string): void {
    new RunFolder(this.#options.folder, name).remove()
    this.#known.delete(name)
  }

  /** Never rejects. */
  async start(wanted: Wanted): Promise<Running> {
    const { folder, log } = this.#options
    const environment = { ...wanted.environment, [RUN_NAME]: unitName(wanted.name) }
    const run = { ...wanted, environment, ...this.#limits }
    this.#known.add(run.name)
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      if (this.units) {
        try {
          return this.#keep(run.name, await this.#units.start(run))
        } catch (error) {
          log('warn', 'a handler runs as a plain process: systemd does not take it', {
            handler: run.file,
            error: (error as Error).message
          })
        }
      }
      return this.#keep(run.name, await this.#processes.start(run))
    } catch (error) {
      this.#known.delete(run.name)
      return notStarted((error as Error).message)
    }
  }

  /**
   * A run of an earlier process, or its end. `unbegun`: it was not started, and will not be; `abandon` follows when that
   * is on disk. Undefined: nothing is known of it. Never rejects.
   */
  async adopt(name: string): Promise<Running | 'unbegun' | undefined> {
    this.#known.add(name)
    const running = await this.#find(name).catch(() => undefined)
    if (running === undefined) this.abandon(name)
    return running === undefined || running === 'unbegun' ? running : this.#keep(name, running)
  }

  /** Some of those that are asked for: what nobody asks for is ended, and its files go. */
  expect(names: readonly string[]): void {
    for (const name of names) this.#known.add(name)
    if (this.#earlier.size === 0) return
    this.#sweep ??= setTimeout(() => {
      for (const name of this.#earlier) if (!this.#known.has(name)) void this.#leftOver(name)
      this.#earlier.clear()
    }, LEFT_OVER_MS).unref()
  }

  /** What runs goes on. */
  stop(): void {
    clearTimeout(this.#sweep)
    this.#processes.stop()
    this.#manager.stop()
  }

  get #limits(): Limits {
    const { timeout, memory, tasks } = this.#options.config()
    return { timeoutMs: timeout * 1_000, memory, tasks }
  }

  async #find(name: string): Promise<Running | 'unbegun' | undefined> {
    const folder = new RunFolder(this.#options.folder, name)
    await this.#manager.known
    // there was one when it was started
    const wasUnit = folder.text('process') === UNIT
    if (wasUnit) await this.#manager.appears(MANAGER_MS)
    const unit = this.#manager.present ? await this.#units.adopt(name) : undefined
    return unit ?? (wasUnit ? undefined : this.#processes.adopt(name, this.#limits))
  }

  async #leftOver(name: string): Promise<void> {
    this.#options.log('debug', 'an earlier run of a handler that nobody asks for', { name })
    const running = await this.adopt(name)
    if (running === 'unbegun') this.abandon(name)
    if (running === undefined || running === 'unbegun') return
    await running.ended
    await running.release()
  }

  #keep(name: string, running: Running): Running {
    const release = async () => {
      await running.release()
      this.#known.delete(name)
    }
    return { ended: running.ended, end: () => running.end(), release }
  }
}

export const runsFolder = (runtime: string): string => join(runtime, 'runs')

function notStarted(why: string): Running {
  const end: HandlerEnd = {
    type: 'not-started',
    why,
    output: new Uint8Array(),
    tooMuch: false,
    complaint: ''
  }
  return { ended: Promise.resolve(end), end: () => {}, release: async () => {} }
}
