/**
 * A computer's worth of namespaces: network, mounts, processes, host name. They hang on one process that
 * reads from us: when this process ends, however it ends, everything inside is killed and the interfaces
 * are gone.
 */
import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}
export type Environment = { [name: string]: string }

export class Space {
  readonly name: string
  /** Process id, seen from outside, of the process everything hangs on. */
  readonly pid: number
  readonly #anchor: ChildProcess
  /** What programs inside start with. */
  readonly environment: Environment

  private constructor(name: string, anchor: ChildProcess, pid: number, environment: Environment) {
    this.name = name
    this.#anchor = anchor
    this.pid = pid
    this.environment = environment
  }

  /** `prepare` is shell run inside as root before anything else, with /run empty and /sys read-only. */
  static async open(name: string, environment: Environment = {}, prepare = ''): Promise<Space> {
    const script = `set -e
      hostname ${name}
      mount -t sysfs -o ro sysfs /sys
      mount -t tmpfs tmpfs /run
      ip link set lo up
      ${prepare}
      echo ready
      read -r _ || true`
    const unshare = ['--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc']
    const anchor = spawn('unshare', [...unshare, '--propagation', 'private', 'sh', '-c', script], {
      stdio: ['pipe', 'pipe', 'pipe']
    })
    let said = ''
    anchor.stderr.setEncoding('utf8').on('data', text => (said += text))
    await new Promise<void>((resolve, reject) => {
      anchor.stdout.once('data', () => resolve())
      anchor.once('exit', () => reject(new Error(`no namespaces for ${name}: ${said}`)))
      anchor.once('error', reject)
    })
    return new Space(name, anchor, childOf(anchor.pid!)!, environment)
  }

  /** Starts a program inside; `pid` of what comes back is nsenter's: see `inner`. */
  spawn(command: readonly string[], options: SpawnOptions & { env?: Environment } = {}): ChildProcess {
    const { env, ...rest } = options
    return spawn('nsenter', [...this.#enter(), ...command], {
      ...rest,
      env: { ...this.environment, ...env }
    })
  }

  /** The same as a command of this computer, for who gives it a terminal and the environment. */
  words(command: readonly string[]): string[] {
    return ['nsenter', ...this.#enter(), ...command]
  }

  /** Runs a program to its end. */
  try(command: readonly string[], options: { input?: string; timeoutMs?: number } = {}): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = execFile(
        'nsenter',
        [...this.#enter(), ...command],
        {
          env: this.environment,
          timeout: options.timeoutMs ?? 90_000,
          killSignal: 'SIGKILL',
          maxBuffer: 64 << 20
        },
        (error, stdout, stderr) => {
          if (error && typeof error.code !== 'number')
            reject(new Error(`${this.name}: ${command.join(' ')}: ${error.message}\n${stdout}${stderr}`))
          else resolve({ code: Number(error?.code ?? 0), stdout, stderr })
        }
      )
      child.stdin!.on('error', () => {}).end(options.input ?? '')
    })
  }

  /** The same, for programs that must succeed; what they print, trimmed. */
  async run(command: string | readonly string[]): Promise<string> {
    const words = typeof command === 'string' ? command.split(' ') : command
    const { code, stdout, stderr } = await this.try(words)
    if (code !== 0) throw new Error(`${this.name}: ${words.join(' ')}: exit ${code}\n${stdout}${stderr}`)
    return stdout.trim()
  }

  /** Runs `ip` with this network, where process ids are those outside: to name another space. */
  async ip(...args: string[]): Promise<void> {
    const command = ['--target', String(this.pid), '--net', '--', 'ip', ...args]
    await promisify(execFile)('nsenter', command, { env: this.environment })
  }

  async close(): Promise<void> {
    if (this.#anchor.exitCode !== null || this.#anchor.signalCode !== null) return
    const ended = once(this.#anchor, 'exit')
    process.kill(this.pid, 'SIGKILL') // the kernel ends everything inside before unshare hears of it
    await ended
  }

  #enter(): string[] {
    return ['--target', String(this.pid), '--net', '--mount', '--uts', '--pid', '--']
  }
}

/** The process that nsenter started, by its id outside; undefined when it is gone. */
export const inner = (child: ChildProcess): number | undefined =>
  child.pid === undefined ? undefined : childOf(child.pid)

function childOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]) || undefined
  } catch {
    return undefined
  }
}
