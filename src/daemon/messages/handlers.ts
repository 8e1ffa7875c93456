/**
 * The handlers of this computer: which there are in the configured folders, which one a message goes to, and the run
 * of one. Folders are watched: what is put there counts a moment later.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PeerId } from '../../crypto/identity.ts'
import type { Bus } from '../../host/bus.ts'
import { fileProblem, findHandlers } from '../../host/handler-files.ts'
import type { HandlerEnd } from '../../host/handler-run.ts'
import type { Choice, Ending, Received } from '../../messages/inbox.ts'
import { type Found, type HandlerFile, Lookup } from '../../messages/lookup.ts'
import type { DaemonEvent, PeerEvent } from '../../messages/naming.ts'
import type { Paths } from '../../paths.ts'
import type { DeadReason } from '../../wire/message.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { daemonEnvironment, messageEnvironment, type PeerFacts, peerEnvironment } from './environment.ts'
import { Occasions } from './occasions.ts'
import { verdictOn } from './rules.ts'
import { Runs, runsFolder } from './runs.ts'

/** After the first change in a folder, for the others of the same moment. */
const SETTLE_MS = 100
const WATCHED = 256

/** A member, as handlers and rules know it. */
export interface Sender {
  readonly id: PeerId
  readonly name: string
  readonly level: number
  readonly guest: boolean
  readonly circle: string
  readonly circleId: string
  /** Its id, its short id, and its name unless another member has it too. */
  readonly names: ReadonlySet<string>
}

/** What became of a run. */
export interface Ran {
  readonly ending: Ending
  /** The ending is on disk. */
  release(): Promise<void>
}

export interface HandlersOptions {
  readonly config: () => Pick<Config, 'handlers' | 'allow'>
  readonly paths: Pick<Paths, 'config' | 'runtime'>
  /** The session bus. */
  readonly bus: Bus
  readonly log: Log
  /** There are others than before. */
  readonly onChange: () => void
}

export class Handlers {
  readonly #options: HandlersOptions
  readonly runs: Runs
  readonly #occasions: Occasions
  #lookup = new Lookup([])
  #watchers: FSWatcher[] = []
  #settling: NodeJS.Timeout | undefined
  #turn: Promise<void> = Promise.resolve()
  #stopped = false
  #active = false

  constructor(options: HandlersOptions) {
    this.#options = options
    const { bus, config, log, paths } = options
    const folder = runsFolder(paths.runtime)
    this.runs = new Runs({ bus, folder, config: () => config().handlers, log })
    this.#occasions = new Occasions({
      find: (family, event, about) => this.#lookup.event(family, event, about),
      runs: this.runs,
      name: () => `coterie-event-${randomUUID()}`,
      log
    })
  }

  get folders(): readonly string[] {
    const { config, paths } = this.#options
    const { folders } = config().handlers
    return folders.length > 0 ? folders : [join(paths.config, 'handlers')]
  }
  get lookup(): Lookup {
    return this.#lookup
  }

  /** Looks at all folders. Never rejects. */
  look(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#look())
    return this.#turn
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#settling)
    for (const watcher of this.#watchers) watcher.close()
    this.#occasions.stop()
    this.runs.stop()
  }

  /** Something happened to a member. */
  peer(event: PeerEvent, peer: Sender, facts: PeerFacts): void {
    this.#occasions.tell('peer', event, peer, peerEnvironment(event, peer, facts))
  }
  /** Whether any peer can be reached; told when it changes. */
  setActive(active: boolean): void {
    if (active === this.#active) return
    this.#active = active
    this.daemon(active ? 'active' : 'inactive')
  }
  /** Something happened to the daemon. */
  daemon(event: DaemonEvent): void {
    this.#occasions.tell('daemon', event, { names: new Set() }, daemonEnvironment(event))
  }

  choose(from: Sender, tag: string): Choice | Extract<DeadReason, 'no-handler' | 'not-allowed' | 'unsafe'> {
    if (!verdictOn(this.#options.config().allow, from, tag).allowed) return 'not-allowed'
    const { handler, unsafe } = this.found(from, tag)
    if (handler !== undefined) return { key: join(handler.folder, handler.path), retry: handler.naming.retry }
    return unsafe.length > 0 ? 'unsafe' : 'no-handler'
  }

  found(from: Pick<Sender, 'names'>, tag: string): Found {
    return this.#lookup.message(tag, from)
  }

  /** `file`: the key of the choice. Never rejects. */
  async run(received: Received, file: string, from: Sender | undefined): Promise<Ran> {
    if (from === undefined) return dead('removed')
    const problem = await fileProblem(file)
    if (problem !== '') {
      this.#options.log('warn', `the handler ${file} was not run: ${problem}`)
      return dead('unsafe')
    }
    const running = await this.runs.start({
      name: runName(received),
      file,
      directory: dirname(file),
      environment: messageEnvironment(received, from),
      body: received.payload,
      output: received.ask
    })
    const ending = this.#ending(received, file, await running.ended)
    return { ending, release: () => running.release() }
  }

  /** The run of an earlier process. Never rejects. */
  async adopt(received: Received): Promise<Ran> {
    const running = await this.runs.adopt(runName(received))
    if (running === undefined) return { ending: { type: 'unknown' }, release: async () => {} }
    const end = await running.ended
    return { ending: this.#ending(received, 'adopted', end), release: () => running.release() }
  }

  #ending(received: Received, file: string, end: HandlerEnd): Ending {
    const { log } = this.#options
    const unit = runName(received)
    const facts = { handler: file, tag: received.tag, id: received.id, unit, stderr: end.complaint }
    if (end.type === 'exit' && !end.tooMuch) {
      log(end.code === 0 ? 'debug' : 'info', `handler ended with ${end.code}`, facts)
      return { type: 'exit', code: end.code, output: end.output }
    }
    if (end.type === 'unknown') return { type: 'unknown' }
    const reason = end.tooMuch ? 'output' : reasons[end.type as keyof typeof reasons]
    log('warn', `handler: ${reason}`, {
      ...facts,
      ...('why' in end ? { why: end.why } : 'signal' in end ? { signal: end.signal } : {})
    })
    return { type: 'dead', reason, output: end.output }
  }

  async #look(): Promise<void> {
    if (this.#stopped) return
    const folders = this.folders
    const found = await Promise.all(folders.map(findHandlers))
    if (this.#stopped) return
    const files = found.flatMap(({ files }, order): HandlerFile[] =>
      files.map(file => ({ ...file, folder: folders[order]!, order }))
    )
    this.#watch(
      found.flatMap((each, i) => (each.folders.length > 0 ? each.folders : [standing(folders[i]!)]))
    )
    this.#lookup = new Lookup(files)
    this.#options.onChange()
  }

  #watch(folders: readonly string[]): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close()
    for (const folder of folders.slice(0, WATCHED)) {
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#soon())
        watcher.on('error', () => {})
        this.#watchers.push(watcher)
      } catch {
        // it is gone by now; the folder above tells
      }
    }
  }

  #soon(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined
      void this.look()
    }, SETTLE_MS).unref()
  }
}

const reasons = { signal: 'killed', timeout: 'timeout', 'not-started': 'not-started' } as const

/** PROTOCOL 7; further runs of a message have further names, so that none is taken for another. */
export const runName = ({ id, runs }: Pick<Received, 'id' | 'runs'>): string =>
  runs > 1 ? `coterie-handler-${id}-${runs}` : `coterie-handler-${id}`

const dead = (reason: DeadReason): Ran => ({
  ending: { type: 'dead', reason, output: new Uint8Array() },
  release: async () => {}
})

/** The nearest folder above that is there: in it something comes to be first. */
const standing = (folder: string): string =>
  existsSync(folder) || folder === '/' ? folder : standing(dirname(folder))
