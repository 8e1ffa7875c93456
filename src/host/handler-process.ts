/**
 * Handlers as plain processes, where there is no systemd of the user: in a session of their own, with the limits that
 * the kernel has for a single process.
 *
 * Each is the child of a small sh that does nothing but set the limits, say which process it is (unless somebody was
 * quicker: then nothing is started), wait, and write down the exit code. It does not end with the daemon, and what it
 * wrote can be read by the next one. Nothing of a message is in what sh reads, and that the kernel can execute the file
 * is looked at before (handler-files). A handler that a signal ends is, as always in sh, one that exits with 128 and
 * the signal.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, watch } from 'node:fs'
import { constants, setPriority, uptime } from 'node:os'
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
import { FILE_LIMIT, RunFolder } from './run-folder.ts'
import { killStrays } from './strays.ts'

/** How often it is looked whether one that is no child of ours is still there. */
const LOOK_MS = 2_000
/** Half the share of others, as a unit's weight. */
const NICE = 3
/** proc_pid_stat(5) counts time in these. */
const TICKS = 100
/** In place of who it is: nobody began it, and nobody can. */
const NOBODY = 'nobody'
/** For a sh to write who it is, seconds. */
const WRITTEN_S = 1
/** The sh did not come so far as to start it. */
const NOT_STARTED = 125

/**
 * Arguments: the run folder, data in KiB, file size in blocks of 512, what is run. A signal that sh catches has its
 * usual effect on what it starts; one that it ignores is ignored there too: writing past the limit is an error then.
 */
const SCRIPT = `run=$1
trap : TERM HUP INT QUIT
trap '' XFSZ
ulimit -c 0
ulimit -d "$2"
ulimit -f "$3"
set -C
read -r stat </proc/$$/stat && printf '%s\\n' "$stat" >"$run/process" || exit ${NOT_STARTED}
shift 3
unset PWD OLDPWD SHLVL
"$@"
code=$?
printf '%s\\n' $code >"$run/exit"
exit $code`

export class Processes implements Runner {
  readonly #runs: string
  /** Before the handler's path: what lets it gain no privileges, unless we cannot ourselves. */
  readonly #before = mayGain() ? ['/usr/bin/setpriv', '--no-new-privs', '--'] : []

  constructor(runs: string) {
    this.#runs = runs
  }

  async start(run: HandlerRun): Promise<Running> {
    const folder = new RunFolder(this.#runs, run.name)
    folder.make(run.body)
    const fds: number[] = []
    const opened = (path: string, how: 'r' | 'a') => fds[fds.push(openSync(path, how)) - 1]!
    try {
      const child = spawn(
        '/bin/sh',
        [
          '-c',
          SCRIPT,
          'sh',
          folder.path,
          `${run.memory * 1024}`,
          `${FILE_LIMIT / 512}`,
          ...this.#before,
          run.file
        ],
        {
          cwd: run.directory,
          env: { ...run.environment },
          detached: true,
          stdio: [
            run.body.length > 0 ? opened(folder.file('stdin'), 'r') : 'ignore',
            run.output ? opened(folder.capped('stdout'), 'a') : 'ignore',
            opened(folder.capped('stderr'), 'a')
          ]
        }
      )
      const { pid } = child
      if (pid === undefined) throw (await once(child, 'error'))[0]
      try {
        // before sh has come so far as to start anything
        setPriority(pid, NICE)
      } catch {
        // it has ended
      }
      const gone = new Promise<number | undefined>(resolve =>
        child.once('exit', code => {
          group(pid, 'SIGKILL')
          resolve(code ?? undefined)
        })
      )
      return running(run.name, pid, folder, run.timeoutMs, gone)
    } catch (error) {
      folder.remove()
      throw error
    } finally {
      for (const fd of fds) closeSync(fd)
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
      began.pid,
      folder,
      limits.timeoutMs - (uptime() - began.startedTicks / TICKS) * 1_000,
      vanished(folder, began)
    )
  }
}

/** `gone`: the exit code of its sh, where it is known. */
function running(
  name: string,
  pid: number,
  folder: RunFolder,
  leftMs: number,
  gone: Promise<number | undefined>
): Running {
  let late = false
  let kill: NodeJS.Timeout | undefined
  const all = (signal: NodeJS.Signals) => {
    group(pid, signal)
    void killStrays(name, pid, signal)
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
    await killStrays(name, pid, 'SIGKILL')
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
}

/** By proc_pid_stat(5): fields 1, 3 and 22; the second, a name in brackets, may hold anything. */
function beginning(stat: string): (Beginning & { readonly state: string }) | undefined {
  const pid = Number.parseInt(stat, 10)
  const [state = '', ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const startedTicks = Number(rest[18])
  return pid > 0 && startedTicks > 0 ? { pid, startedTicks, state } : undefined
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

/** Whether a set-user-id program would have an effect here; and there is what forbids that. */
function mayGain(): boolean {
  if (!existsSync('/usr/bin/setpriv')) return false
  try {
    return !/^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'latin1'))
  } catch {
    return true
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
