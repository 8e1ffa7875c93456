/**
 * Handlers as transient services of the user's systemd. What runs in one does not end with the daemon, cannot leave
 * it by forking, and is limited as a whole. It is kept when it has ended, until it is let go, so that its result can
 * be read by whichever daemon is there then; and its name can be given only once, so that nothing runs twice.
 */
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from './bus.ts'
import {
  DESKTOP,
  type HandlerEnd,
  type HandlerRun,
  type How,
  PATIENCE_MS,
  type Runner,
  type Running,
  unitName
} from './handler-run.ts'
import { FILE_LIMIT, RunFolder } from './run-folder.ts'
import { isRefusal, type UnitFacts, type UnitProperty, type UserSystemd, unitExists } from './user-systemd.ts'

/** What is heard is what counts; this only guards against what was not. */
const GUARD_MS = 30_000
/** Before it is believed that one whose start was not answered is not there. */
const SURE_MS = 2_000
const MIB = 1024 * 1024
const USEC = 1_000n
/** What a manager adds to the environment of each service by itself. */
const ADDED = [
  'HOME',
  'INVOCATION_ID',
  'JOURNAL_STREAM',
  'LANG',
  'LOGNAME',
  'MANAGERPID',
  'MANAGERPIDFDID',
  'MEMORY_PRESSURE_WATCH',
  'MEMORY_PRESSURE_WRITE',
  'PATH',
  'SHELL',
  'SYSTEMD_EXEC_PID',
  'USER',
  'XDG_RUNTIME_DIR'
]
/** systemd.exec(5), "Process Exit Codes": what failed before the handler's own first step. */
const EXEC_FAILED = 203

/** In the file that says which process a run is. */
export const UNIT = 'unit'

export class Units implements Runner {
  readonly #manager: UserSystemd
  readonly #runs: string
  readonly #log: Log

  constructor(manager: UserSystemd, runs: string, log: Log) {
    this.#manager = manager
    this.#runs = runs
    this.#log = log
  }

  async start(run: HandlerRun): Promise<Running> {
    const folder = new RunFolder(this.#runs, run.name)
    folder.make(run.body)
    const unit = unitName(run.name)
    const following = this.#follow(unit, folder)
    let asked = false
    try {
      const wanted = properties(run, folder, await this.#manager.environment())
      if (!folder.claim(UNIT)) throw new Error('it was begun already')
      asked = true
      await this.#manager.start(unit, wanted)
    } catch (error) {
      if (!asked || (isRefusal(error) && !unitExists(error))) {
        following.abandon()
        folder.remove()
        throw error
      }
      this.#log('info', `the unit ${unit} may run already`, { why: (error as Error).message })
      following.doubt()
    }
    return following
  }

  async adopt(name: string): Promise<Running | undefined> {
    const unit = unitName(name)
    const facts = await this.#manager.look(unit)
    if (facts === undefined) return undefined
    const following = this.#follow(unit, new RunFolder(this.#runs, name))
    following.doubt()
    return following
  }

  #follow(unit: string, folder: RunFolder): Following {
    return new Following(this.#manager, unit, folder)
  }
}

/** One unit, from its start to its end. */
class Following implements Running {
  readonly ended: Promise<HandlerEnd>
  readonly #manager: UserSystemd
  readonly #unit: string
  readonly #folder: RunFolder
  readonly #end = Promise.withResolvers<HandlerEnd>()
  readonly #unwatch: () => void
  readonly #guard: NodeJS.Timeout
  /** What was heard: a unit that somebody else stopped is forgotten before it can be looked at. */
  #heard: Partial<UnitFacts> = {}
  #missing = 0
  #looking = false
  #again = false

  constructor(manager: UserSystemd, unit: string, folder: RunFolder) {
    this.#manager = manager
    this.#unit = unit
    this.#folder = folder
    this.ended = this.#end.promise
    this.#unwatch = manager.watch(unit, changed => {
      this.#heard = { ...this.#heard, ...changed }
      if (isOver(this.#heard) || Object.keys(changed).length === 0) void this.#look()
    })
    this.#guard = setInterval(() => void this.#look(), GUARD_MS).unref()
  }

  /** Whether it runs is not known: it is looked for. */
  doubt(): void {
    void this.#look()
  }

  abandon(): void {
    clearInterval(this.#guard)
    this.#unwatch()
  }

  end(): void {
    void this.#manager.end(this.#unit)
  }

  async release(): Promise<void> {
    await this.#manager.letGo(this.#unit)
    this.#folder.remove()
  }

  async #look(): Promise<void> {
    if (this.#looking) {
      this.#again = true
      return
    }
    this.#looking = true
    do {
      this.#again = false
      try {
        const facts = await this.#manager.look(this.#unit)
        if (facts !== undefined) this.#missing = 0
        if (facts !== undefined && isOver(facts)) this.#over(howOf(facts))
        else if (facts === undefined) await this.#gone()
      } catch {
        // no bus, or no manager: looked at again when it is back
      }
    } while (this.#again)
    this.#looking = false
  }

  async #gone(): Promise<void> {
    if (isOver(this.#heard) && this.#heard.ExecMainCode !== undefined)
      return this.#over(howOf({ Result: 'success', ExecMainStatus: 0, ...this.#heard } as UnitFacts))
    if (++this.#missing > 1) return this.#over({ type: 'unknown' })
    await delay(SURE_MS)
    this.#again = true
  }

  #over(how: How): void {
    this.abandon()
    const { complaint, output } = this.#folder
    this.#end.resolve({ ...how, output: output.bytes, tooMuch: output.tooMuch, complaint })
  }
}

const isOver = ({ ActiveState, SubState }: Partial<UnitFacts>): boolean =>
  ActiveState === 'failed' ||
  ActiveState === 'inactive' ||
  (ActiveState === 'active' && SubState === 'exited')

function howOf({ Result, ExecMainCode, ExecMainStatus, ActiveEnterTimestampMonotonic }: UnitFacts): How {
  if (Result === 'timeout') return { type: 'timeout' }
  if (Result === 'oom-kill') return { type: 'signal', signal: 'out of memory' }
  if (ExecMainCode === 0) return { type: 'not-started', why: Result }
  if (ExecMainCode !== 1) return { type: 'signal', signal: signalName(ExecMainStatus) }
  if (ActiveEnterTimestampMonotonic === 0 && ExecMainStatus >= 200)
    return {
      type: 'not-started',
      why: ExecMainStatus === EXEC_FAILED ? 'it cannot be executed' : `status ${ExecMainStatus}`
    }
  return { type: 'exit', code: ExecMainStatus }
}

const signalName = (n: number): string =>
  Object.entries(constants.signals).find(([, number]) => number === n)?.[0] ?? `${n}`

function properties(
  run: HandlerRun,
  folder: RunFolder,
  inherited: ReadonlyMap<string, string>
): UnitProperty[] {
  const environment = new Map(Object.entries(run.environment))
  for (const name of DESKTOP) {
    environment.delete(name)
    const value = inherited.get(name)
    if (value !== undefined) environment.set(name, value)
  }
  const unwanted = [...new Set([...ADDED, ...inherited.keys()])].filter(name => !environment.has(name))
  const memory = BigInt(run.memory * MIB)
  return [
    ['Description', 's', `Coterie handler ${run.file}`],
    // the unit is there once the handler is executed, and stays when that has ended well
    ['Type', 's', 'exec'],
    ['RemainAfterExit', 'b', true],
    // in place of ExecStart: a $ in a path is a $
    ['ExecStartEx', 'a(sasas)', [[run.file, [run.file], ['no-env-expand']]]],
    ['WorkingDirectory', 's', run.directory],
    ['Environment', 'as', [...environment].map(([name, value]) => `${name}=${value}`)],
    ['UnsetEnvironment', 'as', unwanted],
    run.body.length > 0 ? ['StandardInputFile', 's', folder.file('stdin')] : ['StandardInput', 's', 'null'],
    run.output
      ? ['StandardOutputFileToAppend', 's', folder.capped('stdout')]
      : ['StandardOutput', 's', 'null'],
    ['StandardErrorFileToAppend', 's', folder.capped('stderr')],
    ['KillMode', 's', 'control-group'],
    ['TimeoutStopUSec', 't', BigInt(PATIENCE_MS) * USEC],
    ['RuntimeMaxUSec', 't', BigInt(run.timeoutMs) * USEC],
    ['OOMPolicy', 's', 'kill'],
    ['MemoryMax', 't', memory],
    ['TasksMax', 't', BigInt(run.tasks)],
    ['CPUWeight', 't', 50n],
    ['IOWeight', 't', 50n],
    ['NoNewPrivileges', 'b', true],
    ['LimitCORE', 't', 0n],
    // where there is no memory controller for users
    ['LimitDATA', 't', memory],
    ['LimitFSIZE', 't', BigInt(FILE_LIMIT)]
  ]
}
