/**
 * The small sh whose child a plain handler is. It is started ahead, gives up the gain of privileges, sets the limits and
 * waits to be told what to run; so its own start takes no time then. Once told it says which process it is (unless
 * somebody was quicker: then nothing is started), starts the handler, waits, and writes down the exit code. Until it has
 * been told all, as when this process ends, it ends and has started nothing.
 *
 * What it is told are lines that it takes as they are: nothing of them is a program to it.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setPriority } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import type { HandlerRun } from './handler-run.ts'
import { FILE_LIMIT, type RunFolder } from './run-folder.ts'

/** Half the share of others, as a unit's weight. */
const NICE = 3
/** It did not come so far as to start the handler. */
export const NOT_STARTED = 125
const NOTHING = '/dev/null'
/** What differs from run to run in the environment, and is told; without this, as sh takes a while for each letter. */
const OWN = 'COTERIE_'

/**
 * Arguments: data in KiB, file size in blocks of 512. A signal that sh catches has its usual effect on what it starts;
 * one that it ignores is ignored there too: writing past the limit is an error then. What it writes into `process`:
 * proc_pid_stat(5) as of its own start, and the uptime now.
 */
export const SCRIPT = `trap : TERM HUP INT QUIT
trap '' XFSZ
ulimit -c 0
ulimit -d "$1"
ulimit -f "$2"
read -r stat </proc/$$/stat || exit ${NOT_STARTED}
IFS= read -r run && IFS= read -r directory && IFS= read -r file &&
IFS= read -r stdin && IFS= read -r stdout || exit ${NOT_STARTED}
until IFS= read -r line || exit ${NOT_STARTED}; [ "$line" = go ]; do export "COTERIE_$line"; done
cd -P -- "$run" && exec <"$stdin" >>"$stdout" 2>>stderr && cd -P -- "$directory" || exit ${NOT_STARTED}
set -C
{ read -r uptime idle </proc/uptime; } 2>/dev/null
printf '%s\\n' "$stat" "$uptime" >"$run/process" || exit ${NOT_STARTED}
unset PWD OLDPWD SHLVL
"$file"
code=$?
printf '%s\\n' $code >"$run/exit"
exit $code`

/** What lets it, and so all that it starts, gain no privileges, unless we cannot ourselves. */
const before = mayGain() ? ['/usr/bin/setpriv', '--no-new-privs', '--'] : []

export class HandlerShell {
  /** Undefined: there is none, and `failure` says why. */
  readonly pid: number | undefined
  /** Never comes when it was started. */
  readonly failure: Promise<Error>
  /** It has ended; the exit code, where it is known. */
  readonly gone: Promise<number | undefined>
  readonly #ear: Socket | undefined
  readonly #for: ReturnType<typeof commonOf>
  #over = false
  readonly #ref: () => void

  /** For that run, or another one of the kind; until it begins this process may end. Throws when the system takes no more. */
  constructor(run: HandlerRun) {
    this.#for = commonOf(run)
    const { memory, environment } = this.#for
    const script = ['-c', SCRIPT, 'sh', `${memory * 1024}`, `${FILE_LIMIT / 512}`]
    const [program = '', ...args] = [...before, '/bin/sh', ...script]
    const stdio = ['pipe', 'ignore', 'ignore'] as const
    const child = spawn(program, args, { cwd: '/', env: environment, detached: true, stdio: [...stdio] })
    this.failure = new Promise(resolve => child.once('error', resolve))
    this.gone = new Promise(resolve =>
      child.once('exit', code => {
        this.#over = true
        resolve(code ?? undefined)
      })
    )
    // without file descriptors there are no streams
    this.#ear = (child.stdin as Socket | null) ?? undefined
    // it may have ended before it hears
    this.#ear?.on('error', () => {})
    this.#ear?.unref()
    child.unref()
    this.#ref = () => child.ref()
    this.pid = child.pid
    if (child.pid === undefined) return
    try {
      setPriority(child.pid, NICE)
    } catch {
      // it has ended
    }
  }

  /** Whether it is there, and as that run needs it. */
  fits(run: HandlerRun): boolean {
    return this.pid !== undefined && !this.#over && isDeepStrictEqual(commonOf(run), this.#for)
  }

  /** Begins that run, which it fits; `folder` was made. Throws when the disk takes nothing. */
  begin(run: HandlerRun, folder: RunFolder): void {
    folder.capped('stderr')
    if (run.output) folder.capped('stdout')
    const lines = [
      folder.path,
      run.directory,
      run.file,
      run.body.length > 0 ? 'stdin' : NOTHING,
      run.output ? 'stdout' : NOTHING,
      ...variables(run, true).map(([name, value]) => `${name.slice(OWN.length)}=${value}`)
    ]
    if (lines.some(line => line.includes('\n'))) throw new Error('its path has more than one line')
    this.#ref()
    this.#ear?.write([...lines, 'go\n'].join('\n'), () => this.#ear!.destroy())
  }

  /** It ends, and has started nothing. */
  drop(): void {
    this.#ear?.destroy()
  }
}

const commonOf = (run: HandlerRun) => ({
  memory: run.memory,
  environment: Object.fromEntries(variables(run, false)) as { readonly [name: string]: string }
})

const variables = ({ environment }: HandlerRun, own: boolean): [string, string][] =>
  Object.entries(environment).filter(([name]) => name.startsWith(OWN) === own)

/** Whether a set-user-id program would have an effect here; and there is what forbids that. */
function mayGain(): boolean {
  if (!existsSync('/usr/bin/setpriv')) return false
  try {
    return !/^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'latin1'))
  } catch {
    return true
  }
}
