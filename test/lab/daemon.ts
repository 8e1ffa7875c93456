/** One running daemon on a lab computer, and the picture it gives of the world by `coterie watch`. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { NotifySocket } from '../host/notify-socket.ts'
import { PATIENCE_MS, within } from './deadline.ts'
import { inner, type Space } from './space.ts'

const top = new URL('../..', import.meta.url).pathname

export interface Seen {
  readonly kind: string
  readonly properties: { readonly [name: string]: unknown }
}
export interface Happened {
  /** performance.now() when it arrived here. */
  readonly at: number
  readonly Cursor: string
  readonly Type: string
  readonly Object: string
  readonly Kind: string
  readonly Properties: { readonly [name: string]: unknown }
}

export class Daemon {
  /** Objects by path, as the events told of them. */
  readonly objects = new Map<string, Seen>()
  readonly events: Happened[] = []
  readonly #child: ChildProcess
  readonly #log: string
  readonly #name: string
  readonly #ended: Promise<unknown>
  #watch: ChildProcess | undefined
  #changed: (() => void)[] = []

  private constructor(name: string, child: ChildProcess, log: string) {
    this.#name = name
    this.#child = child
    this.#log = log
    this.#ended = once(child, 'exit')
  }

  /** Starts `bin/coteried`; resolves when it says READY=1 and the watch has told the first picture. */
  static async start(space: Space, log: string, args: readonly string[] = []): Promise<Daemon> {
    const fd = openSync(log, 'a')
    const socket = await NotifySocket.open()
    const env = { NOTIFY_SOCKET: socket.path }
    const child = space.spawn([`${top}bin/coteried`, ...args], { stdio: ['ignore', fd, fd], env })
    closeSync(fd)
    const daemon = new Daemon(space.name, child, log)
    const ready = async () => {
      while (!(await socket.next()).split('\n').includes('READY=1'));
    }
    const ended = daemon.#ended.then(() => {
      throw new Error(`coteried on ${space.name} ended with ${child.exitCode}\n${daemon.tail()}`)
    })
    ended.catch(() => {})
    try {
      const event = Promise.race([ready(), ended])
      await within(PATIENCE_MS, `coteried on ${space.name} is ready`, event, () => daemon.tail())
    } finally {
      socket.close()
    }
    await daemon.#follow(space)
    return daemon
  }

  /** The process, by its id outside. */
  get pid(): number {
    const pid = inner(this.#child)
    if (!pid) throw new Error(`coteried on ${this.#name} is not running\n${this.tail()}`)
    return pid
  }

  /** Resolves with the event that made `true` of it, or at once with none when it is true already. */
  until(what: string, holds: () => boolean, milliseconds = PATIENCE_MS): Promise<Happened | undefined> {
    if (holds()) return Promise.resolve(undefined)
    const event = new Promise<Happened | undefined>(resolve => {
      const look = () => {
        if (!holds()) return
        this.#changed = this.#changed.filter(fn => fn !== look)
        resolve(this.events.at(-1))
      }
      this.#changed.push(look)
    })
    return within(milliseconds, `${this.#name}: ${what}`, event, () => this.story())
  }

  /** Peers by name. */
  peer(name: string): Seen['properties'] | undefined {
    for (const { kind, properties } of this.objects.values())
      if (kind === 'Peer' && properties['Name'] === name) return properties
    return undefined
  }
  get peers(): Seen['properties'][] {
    return this.#all('Peer')
  }
  get listeners(): Seen['properties'][] {
    return this.#all('Listener')
  }
  /** Properties of the daemon's own object. */
  get self(): Seen['properties'] {
    return this.objects.get('')?.properties ?? {}
  }

  /** SIGTERM, as systemd and Ctrl-C (SIGINT) do it; resolves with its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    process.kill(this.pid, signal)
    await within(PATIENCE_MS, `coteried on ${this.#name} ends after ${signal}`, this.#ended, () =>
      this.story()
    )
    this.#watch?.kill('SIGKILL')
    return this.#child.exitCode
  }

  /** Resolves when it has ended. */
  over(): Promise<unknown> {
    return within(PATIENCE_MS, `coteried on ${this.#name} ends`, this.#ended, () => this.story())
  }
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
    // nsenter stops with what it started, and does not go on by itself
    if (signal === 'SIGCONT') this.#child.kill(signal)
  }

  /** The last 30 lines of its log. */
  tail(): string {
    const lines = readFileSync(this.#log, 'utf8').trimEnd().split('\n')
    return `--- log of ${this.#name}\n${lines.slice(-30).join('\n')}`
  }
  log(): string {
    return readFileSync(this.#log, 'utf8')
  }

  /** What a failure prints: the picture it had, its last events, its log. */
  story = (): string => {
    const objects = [...this.objects].map(([path, o]) => `${path || '/'} ${JSON.stringify(o.properties)}`)
    const events = this.events.slice(-10).map(e => `${e.Type} ${e.Object} ${JSON.stringify(e.Properties)}`)
    return `--- ${this.#name} shows\n${objects.join('\n')}\n--- its last events\n${events.join('\n')}\n${this.tail()}`
  }

  async #follow(space: Space): Promise<void> {
    const watch = space.spawn([`${top}bin/coterie`, 'watch', '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#watch = watch
    let said = ''
    watch.stderr!.setEncoding('utf8').on('data', text => (said += text))
    const first = new Promise<void>((resolve, reject) => {
      createInterface(watch.stdout!).on('line', line => {
        this.#apply({ ...JSON.parse(line), at: performance.now() })
        resolve()
      })
      watch.on('exit', code => reject(new Error(`coterie watch ended with ${code}: ${said}`)))
    })
    await within(PATIENCE_MS, `coterie watch on ${this.#name} begins`, first, () => `${said}\n${this.tail()}`)
  }

  #apply(event: Happened): void {
    this.events.push(event)
    const { Type, Object: path, Kind, Properties } = event
    if (Type === 'Added') this.objects.set(path, { kind: Kind, properties: Properties })
    else if (Type === 'Removed') this.objects.delete(path)
    else if (Type === 'Gap') this.objects.clear()
    else if (Type === 'Changed') {
      const before = this.objects.get(path)
      this.objects.set(path, { kind: Kind, properties: { ...before?.properties, ...Properties } })
    }
    for (const look of [...this.#changed]) look()
  }

  #all(kind: string): Seen['properties'][] {
    return [...this.objects.values()].filter(o => o.kind === kind).map(o => o.properties)
  }
}
