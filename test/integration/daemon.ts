/**
 * The vocabulary of the integration tests: a user's computer, which is a directory with XDG directories in
 * it, where the real coteried runs as a child process. Whatever is waited for is an event: READY in the log,
 * an event of Watch, the end of the process.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Params, Properties, Result } from '../../src/api/api.ts'
import { type CallName, Client } from '../../src/cli/client.ts'
import { bin, type Ended, run } from '../cli/command.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import type { Teardown } from '../namespace.ts'

export type Status = Result<'Status'>
type Peer = Properties<'Peer'>
type Environment = { [name: string]: string }

export class Computer {
  readonly name: string
  /** Short, and gone after the test. */
  readonly directory: string
  readonly environment: Environment
  /** Put before the daemon's command line, such as `nsenter --target PID --net`. */
  readonly wrapper: readonly string[]
  readonly #launcher: string
  #daemon: ChildProcess | undefined
  #ended: Promise<number | string> | undefined
  #client: Promise<Client> | undefined
  /** All lines that its daemons ever wrote. */
  readonly log: string[] = []
  #wake: (() => void)[] = []

  /** `launcher`: of the daemon; a bundle has its own. */
  constructor(
    t: Teardown,
    name: string,
    {
      env = {} as Environment,
      wrapper = [] as readonly string[],
      place = '',
      launcher = join(bin, 'coteried')
    } = {}
  ) {
    this.name = name
    this.wrapper = wrapper
    this.#launcher = launcher
    this.directory = place || mkdtempSync(join(tmpdir(), 'ct-'))
    this.environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.directory,
      XDG_RUNTIME_DIR: join(this.directory, 'run'),
      XDG_CACHE_HOME: join(tmpdir(), 'coterie-test-cache'),
      LANG: 'C.UTF-8',
      ...env
    }
    mkdirSync(join(this.directory, 'run'), { mode: 0o700, recursive: true })
    t.teardown(async () => {
      await this.kill()
      if (!place) rmSync(this.directory, { recursive: true, force: true })
    })
  }

  get runtime(): string {
    return join(this.environment['XDG_RUNTIME_DIR'] || join(this.state, 'run'), 'coterie')
  }
  get socket(): string {
    return join(this.environment['XDG_RUNTIME_DIR'] ? this.runtime : join(this.state, 'run'), 'coterie.sock')
  }
  get state(): string {
    return join(this.directory, '.local/state/coterie')
  }
  get data(): string {
    return join(this.directory, '.local/share/coterie')
  }
  get key(): string {
    return join(this.state, 'key')
  }
  get database(): string {
    return join(this.data, 'coterie.db')
  }
  get configFile(): string {
    return join(this.directory, '.config/coterie/coterie.toml')
  }
  get pid(): number {
    return this.#daemon!.pid!
  }

  configure(toml: string): void {
    mkdirSync(dirname(this.configFile), { recursive: true })
    writeFileSync(this.configFile, toml)
  }

  /** Runs coteried until it is ready; on `lo` alone unless `args` says else. */
  async start(args: readonly string[] = ['--only', 'lo']): Promise<this> {
    const from = this.log.length
    const ended = this.#spawn(args)
    const early = ended.then(how => {
      throw new Error(`coteried of ${this.name} ended with ${how}\n${this.log.slice(from).join('\n')}`)
    })
    early.catch(() => {})
    await within(
      PATIENCE_MS,
      `${this.name} is ready`,
      Promise.race([this.logs(/ ready/, from), early]),
      this.story
    )
    return this
  }

  /** Runs a coteried that does not get ready; resolves with how it ended and what it said. */
  async refusal(args: readonly string[] = ['--only', 'lo'], env: Environment = {}) {
    const [program = '', ...words] = [...this.wrapper, this.#launcher, ...args]
    return within(
      PATIENCE_MS,
      `${this.name} ends`,
      run(program, words, { env: { ...this.environment, ...env } })
    )
  }

  /** The first line of the log from number `from` that fits. */
  async logs(pattern: RegExp, from = 0): Promise<string> {
    for (;;) {
      const found = this.log.slice(from).find(line => pattern.test(line))
      if (found !== undefined) return found
      await new Promise<void>(resolve => this.#wake.push(resolve))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.kill(signal)
  }

  /** Resolves with the exit code, or the signal. */
  over(): Promise<number | string> {
    return within(PATIENCE_MS, `${this.name} ends`, this.#ended ?? Promise.resolve(0), this.story)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.over()
    await this.#forget()
  }

  async stop(): Promise<number | string> {
    this.signal('SIGTERM')
    const how = await this.over()
    await this.#forget()
    return how
  }

  /** The command line; `words` are split at spaces. */
  coterie(words: string | string[], stdin = ''): Promise<Ended> {
    const list = typeof words === 'string' ? words.split(' ').filter(Boolean) : words
    return run(join(bin, 'coterie'), list, { stdin, env: this.environment })
  }

  /** One call over a connection that is kept. */
  async call<M extends CallName>(method: M, params: Partial<Params<M>> = {}): Promise<Result<M>> {
    this.#client ??= Client.open(this.socket)
    return (await this.#client).call(method, params)
  }

  /** One call over a connection of its own: many may run. */
  async aside<M extends CallName>(method: M, params: Partial<Params<M>> = {}): Promise<Result<M>> {
    const client = await Client.open(this.socket)
    try {
      return await client.call(method, params)
    } finally {
      client.close()
    }
  }

  status(): Promise<Status> {
    return this.call('Status')
  }

  /** Looks at the status, with the peers of all circles, after each event until it holds. */
  async until(what: string, holds: (status: Status) => boolean, milliseconds = PATIENCE_MS): Promise<Status> {
    const client = await Client.open(this.socket)
    let last: Status | undefined
    const look = async () => {
      for await (const _event of client.stream('Watch', { Since: '' })) {
        last = await this.aside('Status', { All: true })
        if (holds(last)) return last
      }
      throw new Error(`${this.name}: the events ended`)
    }
    try {
      return await within(milliseconds, `${this.name}: ${what}`, look(), () =>
        [JSON.stringify(last, null, 1), this.story()].join('\n')
      )
    } finally {
      client.close()
    }
  }

  /** Until the peer of this name (the only one, if none is given) is reachable. */
  async sees(name = ''): Promise<Peer> {
    const meant = (peer: Peer) => (name === '' || peer.Name === name) && peer.Reachable
    const { Peers } = await this.until(`sees ${name}`, status => status.Peers.some(meant))
    return Peers.find(meant)!
  }

  /** Listens, so that a ticket has an address. */
  listens(): Promise<Status> {
    return this.until('listens', status => status.Listeners.length > 0)
  }

  /** Makes a circle; resolves when it listens. */
  async founds(name = 'home'): Promise<Result<'Init'>> {
    const made = await this.call('Init', { Name: name, Device: this.name })
    await this.listens()
    return made
  }

  async ticket(seconds = 600): Promise<string> {
    return (await this.call('MakeTicket', { ExpiresInUSec: seconds * 1e6 })).Ticket
  }

  joins(ticket: string, seconds = PATIENCE_MS / 1000): Promise<Result<'Join'>> {
    return this.call('Join', { Ticket: ticket, Device: this.name, TimeoutUSec: seconds * 1e6 })
  }

  /** VmRSS in bytes. */
  get memory(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) * 1024
  }

  /** The last lines of the log. */
  story = (): string => `--- log of ${this.name}\n${this.log.slice(-25).join('\n')}`

  #spawn(args: readonly string[]): Promise<number | string> {
    const [program = '', ...words] = [...this.wrapper, this.#launcher, ...args]
    const child = spawn(program, words, { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#daemon = child
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on('line', line => {
        this.log.push(line)
        for (const wake of this.#wake.splice(0)) wake()
      })
    this.#ended = new Promise(resolve => child.once('close', (code, signal) => resolve(signal ?? code ?? -1)))
    return this.#ended
  }

  async #forget(): Promise<void> {
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    client?.close()
    this.#daemon = undefined
  }
}

/** The error that a call ends with, as `Code: sentence`; fails when there is none. */
export async function failure(call: Promise<unknown>): Promise<string> {
  let done: unknown
  try {
    done = await call
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string }
    return `${code}: ${message}`
  }
  throw new Error(`expected to fail, got ${JSON.stringify(done)}`)
}
