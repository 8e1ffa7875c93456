/**
 * Handlers as plain processes, where there is no systemd of the user: in a session of their own, with the limits that
 * the kernel has for a single process.
 *
 * Each is the child of a small sh (handler-shell) that does not end with the daemon, and what it wrote can be read by
 * the next one. That the kernel can execute the file is looked at before (handler-files). A handler that a signal ends
 * is, as always in sh, one that exits with 128 and the signal.
 */
import { existsSync, readFileSync, watch } from 'node:fs'
import { constants, uptime } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type HandlerEnd,
  type HandlerRun,
  type How,
  type Limits,
  PATIENCE_MS,
  type Runner,
  type Running
} from './handler-run.ts'
import { HandlerShell } from './handler-shell.ts'
import { RunFolder } from './run-folder.ts'
import { killStrays } from './strays.ts'

/** How often it is looked whether one that is no child of ours is still there. */
const LOOK_MS = 2_000
/** In place of who it is: nobody began it, and nobody can. */
const NOBODY = 'nobody'
/** For a sh to write who it is, seconds. */
const WRITTEN_S = 1

export class Processes implements Runner {
  readonly #runs: string
  /** For the next run. */
  #spare: HandlerShell | undefined
  #soon: NodeJS.Immediate | undefined

  constructor(runs: string) {
    this.#runs = runs
  }

  async start(run: HandlerRun): Promise<Running> {
    const folder = new RunFolder(this.#runs, run.name)
    folder.make(run.body)
    let shell: HandlerShell | undefined
    try {
      shell = this.#take(run)
      const { pid } = shell
      if (pid === undefined) throw await shell.failure
      const gone = shell.gone.then(code => {
        group(pid, 'SIGKILL')
        return code
      })
      const since = latest()
      shell.begin(run, folder)
      return running(run.name, { pid, since }, folder, run.timeoutMs, gone)
    } catch (error) {
      shell?.drop()
      folder.remove()
      throw error
    }
  }

  async adopt(name: string, limits: Limits): Promise<Running | 'unbegun' | undefined> {
    const folder = new RunFolder(this.#runs, name)
    if (!existsSync(folder.path)) return undefined
    if (folder.claim(NOBODY) || folder.text('process') === NOBODY) return 'unbegun'
    // its sh may have made the file and not written it
    for (const since = uptime(); folder.text('process') === '' && uptime() - since < WRITTEN_S; )
      await delay(10)
    const began = beginning(folder.text('process'))
    if (began === undefined) return undefined
    return running(
      name,
      { pid: began.pid, since: 0 },
      folder,
      limits.timeoutMs - (uptime() - began.beganS) * 1_000,
      vanished(folder, began)
    )
  }

  /** What runs goes on. */
  stop(): void {
    clearImmediate(this.#soon)
    this.#spare?.drop()
    this.#spare = undefined
  }

  /** The one that waits, where it fits; the next one is started when the handler is on its way. */
  #take(run: HandlerRun): HandlerShell {
    const spare = this.#spare
    this.#spare = undefined
    clearImmediate(this.#soon)
    this.#soon = setImmediate(() => {
      try {
        this.#spare = new HandlerShell(run)
      } catch {
        // there is none then
      }
    })
    if (spare?.fits(run)) return spare
    spare?.drop()
    return new HandlerShell(run)
  }
}

interface Started {
  /** Of its sh, and of a process group. */
  readonly pid: number
  /** All other processes of the run came later than this one. */
  readonly since: number
}

/** `gone`: the exit code of its sh, where it is known. */
function running(
  name: string,
  { pid, since }: Started,
  folder: RunFolder,
  leftMs: number,
  gone: Promise<number | undefined>
): Running {
  let late = false
  let kill: NodeJS.Timeout | undefined
  const all = (signal: NodeJS.Signals) => {
    group(pid, signal)
    void killStrays(name, since, signal)
  }
  const end = () => {
    all('SIGTERM')
    kill ??= setTimeout(() => all('SIGKILL'), PATIENCE_MS)
  }
  const limit = setTimeout(
    () => {
      late = true
      end()
    },
    Math.max(0, leftMs)
  )
  const ended = gone.then(async (code): Promise<HandlerEnd> => {
    clearTimeout(limit)
    clearTimeout(kill)
    await killStrays(name, since, 'SIGKILL')
    const { complaint, output } = folder
    const { bytes, tooMuch } = output
    return { ...(late ? { type: 'timeout' } : howOf(folder, code)), output: bytes, tooMuch, complaint }
  })
  return { ended, end, release: async () => folder.remove() }
}

/** `told`: what its sh ended with. On a full disk it is not written down. */
function howOf(folder: RunFolder, told: number | undefined): How {
  const written = /^(\d+)\n$/.exec(folder.text('exit'))?.[1]
  const code = written === undefined ? told : Number(written)
  if (code !== undefined && folder.text('process') !== '') {
    const signal = signalName(code - 128)
    return signal === undefined ? { type: 'exit', code } : { type: 'signal', signal }
  }
  // its sh was ended too, or could not write
  if (folder.text('process') === '') return { type: 'not-started', why: 'its run could not be recorded' }
  return { type: 'unknown' }
}

interface Beginning {
  readonly pid: number
  readonly startedTicks: number
  /** Of the run, by the uptime, as its sh may have waited long before; now where that is not said. */
  readonly beganS: number
}

/** By proc_pid_stat(5): fields 1, 3 and 22; the second, a name in brackets, may hold anything. Then the uptime, in a line. */
function beginning(process: string): (Beginning & { readonly state: string }) | undefined {
  const pid = Number.parseInt(process, 10)
  const [stat = '', uptimeS = ''] = process.slice(process.lastIndexOf(')') + 2).split('\n')
  const [state = '', ...rest] = stat.split(' ')
  const startedTicks = Number(rest[18])
  return pid > 0 && startedTicks > 0
    ? { pid, startedTicks, beganS: Number.parseFloat(uptimeS) || uptime(), state }
    : undefined
}

/** Resolves when the sh of a run, a child of somebody else, has ended. */
function vanished(folder: RunFolder, began: Beginning): Promise<undefined> {
  const isThere = () => {
    try {
      const now = beginning(readFileSync(`/proc/${began.pid}/stat`, 'latin1'))
      return now?.startedTicks === began.startedTicks && now.state !== 'Z' && now.state !== 'X'
    } catch {
      return false
    }
  }
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const look = () => {
    if (isThere() && folder.text('exit') === '') return
    clearInterval(timer)
    watcher?.close()
    resolve(undefined)
  }
  const timer = setInterval(look, LOOK_MS).unref()
  const watcher = existsSync(folder.path) ? watch(folder.path, { persistent: false }, look) : undefined
  watcher?.on('error', () => {})
  look()
  return promise
}

/** The process that was made last; 0 where that cannot be known. */
function latest(): number {
  try {
    return Number(readFileSync('/proc/loadavg', 'latin1').trim().split(' ').at(-1)) || 0
  } catch {
    return 0
  }
}

const signalName = (n: number): string | undefined =>
  Object.entries(constants.signals).find(([, number]) => number === n)?.[0]

function group(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // all of it has ended
  }
}
