/**
 * The handlers of this computer: which there are in the configured folders, which one a message goes to, and the run
 * of one. Folders are watched: what is put there counts a moment later.
 */
import { randomUUID } from 'node:crypto'
import { dirname, join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PeerId } from '../../crypto/identity.ts'
import { randomBytes } from '../../crypto/provider.ts'
import type { Bus } from '../../host/bus.ts'
import { FolderWatch } from '../../host/folder-watch.ts'
import { type Found as FoundFiles, fileProblem, findHandlers, MISSING } from '../../host/handler-files.ts'
import type { HandlerEnd } from '../../host/handler-run.ts'
import type { Choice, Ending, Received } from '../../messages/inbox.ts'
import { type Found, type HandlerFile, Lookup } from '../../messages/lookup.ts'
import type { DaemonEvent, PeerEvent } from '../../messages/naming.ts'
import type { Paths } from '../../paths.ts'
import type { DeadReason } from '../../wire/message.ts'
import type { Config } from '../config.ts'
import type { Log } from '../log.ts'
import { daemonEnvironment, messageEnvironment, type PeerFacts, peerEnvironment } from './environment.ts'
import { Expected } from './expected.ts'
import { Occasions } from './occasions.ts'
import { Programs } from './programs.ts'
import { type Verdict, verdictOn } from './rules.ts'
import { Runs, runsFolder } from './runs.ts'

/** After the first change in a folder, for the others of the same moment; more where a look takes long. */
const SETTLE_MS = 100
const PACE = 10
const WATCHED = 1_024
/** For handlers of `stopping`, milliseconds. */
const FAREWELL_MS = 2_000
/** What was seen of a file so long ago counts when it is run; where the disk was full it is longer. */
const FRESH_MS = 1_000

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
  /** Where they are when the configuration names no folder, where runs are, and what programs serve. */
  readonly paths: Pick<Paths, 'config' | 'runtime' | 'state'>
  /** The session bus. */
  readonly bus: Bus
  readonly log: Log
  /** There are others than before. */
  readonly onChange: () => void
  /** Something happened to a member, as handlers are told of it. */
  readonly onPeer?: (event: PeerEvent, peer: Sender, facts: PeerFacts) => void
}

export class Handlers {
  /** Those that serve tags without a file. */
  readonly programs: Programs
  readonly #options: HandlersOptions
  readonly runs: Runs
  readonly #expected: Expected
  readonly #occasions: Occasions
  /** By file: what is wrong with one that is about to run. */
  readonly #looked = new Map<string, { at: number; problem: Promise<string> }>()
  #lookup = new Lookup([])
  readonly #watch = new FolderWatch(WATCHED, () => this.#soon())
  /** How long the last look took, milliseconds. */
  #took = 0
  #unwatched = 0
  #settling: NodeJS.Timeout | undefined
  /** Something changed since the last look: there may be a handler that is not known yet. */
  #stale = false
  #turn: Promise<void> = Promise.resolve()
  #stopped = false
  #active = false

  constructor(options: HandlersOptions) {
    this.#options = options
    const { bus, config, log, paths, onChange } = options
    const folder = runsFolder(paths.runtime)
    this.runs = new Runs({ bus, folder, config: () => config().handlers, log })
    this.#expected = new Expected(join(paths.state, 'served'), log, onChange)
    this.programs = new Programs({
      log,
      random: randomBytes,
      timeoutMs: () => config().handlers.timeout * 1_000,
      expected: this.#expected,
      onChange
    })
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

  /** Tells that the daemon is about to stop, and gives those that are for it a moment to end. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#settling)
    this.#watch.close()
    this.#expected.stop()
    this.#occasions.clear()
    this.daemon('stopping')
    await Promise.race([this.#occasions.idle(), delay(FAREWELL_MS, undefined, { ref: false })])
    this.runs.stop()
  }

  /** Something happened to a member. */
  peer(event: PeerEvent, peer: Sender, facts: PeerFacts): void {
    if (this.#stopped) return
    this.#options.onPeer?.(event, peer, facts)
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
    if (this.#stopped && event !== 'stopping') return
    this.#occasions.tell('daemon', event, { names: new Set() }, daemonEnvironment(event))
  }

  /** Whether the rules let it send that tag. */
  verdict(from: Sender, tag: string): Verdict {
    return verdictOn(this.#options.config().allow, from, tag)
  }

  /** A program that serves the very tag goes before a file, one that serves all below it after. */
  choose(
    from: Sender,
    tag: string,
    isBusy: (key: string) => boolean
  ): Choice | 'wait' | Extract<DeadReason, 'no-handler' | 'not-allowed' | 'unsafe'> {
    if (!this.verdict(from, tag).allowed) return 'not-allowed'
    const program = this.programs.find(tag, isBusy)
    if (program?.exact) return program
    const { handler, unsafe } = this.found(from, tag)
    if (handler !== undefined) return { key: join(handler.folder, handler.path), retry: handler.naming.retry }
    if (program !== undefined) return program
    if (this.#stale || this.programs.expects(tag)) return 'wait'
    return unsafe.length > 0 ? 'unsafe' : 'no-handler'
  }

  found(from: Pick<Sender, 'names'>, tag: string): Found {
    return this.#lookup.message(tag, from)
  }

  /** It runs as soon as that is written down; whether it may is looked at meanwhile. `key`: of the choice. */
  expect(received: Received, key: string): void {
    if (this.programs.serves(key)) return
    this.runs.reserve(runName(received))
    this.#looked.set(key, { at: performance.now(), problem: this.#problemOf(key) })
  }

  /** `file`: the key of the choice. Aborting ends it. Never rejects. */
  async run(received: Received, file: string, from: Sender | undefined, signal?: AbortSignal): Promise<Ran> {
    const release = async () => this.runs.abandon(runName(received))
    const dead = (reason: DeadReason, complaint: string): Ran => ({
      ending: { type: 'dead', reason, output: new Uint8Array(), complaint },
      release
    })
    if (from === undefined) return dead('removed', 'its sender is no member any more')
    if (this.programs.serves(file)) return { ending: await this.programs.run(received, file, from), release }
    const looked = this.#looked.get(file)
    this.#looked.delete(file)
    const isFresh = looked !== undefined && performance.now() - looked.at < FRESH_MS
    const problem = await (isFresh ? looked.problem : this.#problemOf(file))
    if (problem !== '') {
      this.#options.log('warn', `the handler ${file} was not run: ${problem}`)
      return dead(problem === MISSING ? 'no-handler' : 'unsafe', problem)
    }
    const running = await this.runs.start({
      name: runName(received),
      file,
      directory: dirname(file),
      environment: messageEnvironment(received, from),
      body: received.payload,
      output: received.ask
    })
    const end = () => running.end()
    signal?.addEventListener('abort', end, { once: true })
    const ending = this.#ending(received, file, await running.ended)
    signal?.removeEventListener('abort', end)
    return { ending, release: () => running.release() }
  }

  /** The run of an earlier process. Never rejects. */
  async adopt(received: Received): Promise<Ran> {
    const name = runName(received)
    const running = await this.runs.adopt(name)
    if (running === undefined) return { ending: unknown(), release: async () => {} }
    if (running === 'unbegun')
      return { ending: { type: running }, release: async () => this.runs.abandon(name) }
    const end = await running.ended
    return { ending: this.#ending(received, 'adopted', end), release: () => running.release() }
  }

  #ending(received: Received, file: string, end: HandlerEnd): Ending {
    const { log } = this.#options
    const unit = runName(received)
    const facts = { handler: file, tag: received.tag, id: received.id, unit, stderr: end.complaint }
    if (end.type === 'exit' && !end.tooMuch) {
      log(end.code === 0 ? 'debug' : 'info', `handler ended with ${end.code}`, facts)
      return { type: 'exit', code: end.code, output: end.output, complaint: end.complaint }
    }
    if (end.type === 'unknown') return unknown()
    const reason = end.tooMuch ? 'output' : reasons[end.type as keyof typeof reasons]
    const more = 'why' in end ? { why: end.why } : 'signal' in end ? { signal: end.signal } : {}
    log('warn', `handler: ${reason}`, { ...facts, ...more })
    return { type: 'dead', reason, output: end.output, complaint: 'why' in end ? end.why : end.complaint }
  }

  /** Of a file that was found, now. */
  async #problemOf(file: string): Promise<string> {
    const folder = this.folders.find(folder => file.startsWith(join(folder, '/')))
    return folder === undefined ? MISSING : fileProblem(folder, relative(folder, file))
  }

  async #look(): Promise<void> {
    if (this.#stopped) return
    const began = performance.now()
    const found: (FoundFiles & { folder: string })[] = []
    this.#watch.begin()
    for (const folder of this.folders) {
      await this.#watch.above(folder)
      found.push({ folder, ...(await findHandlers(folder, path => this.#watch.enter(path))) })
    }
    const unwatched = this.#watch.end()
    this.#took = performance.now() - began
    if (this.#stopped) return this.#watch.close()
    if (unwatched > this.#unwatched)
      this.#options.log('warn', `${unwatched} handler folders cannot be watched; Reload looks at them again`)
    this.#unwatched = unwatched
    const placed = (from: (found: FoundFiles) => FoundFiles['files']) =>
      found.flatMap((each, order) =>
        from(each).map((file): HandlerFile => ({ ...file, folder: each.folder, order }))
      )
    this.#lookup = new Lookup(
      placed(({ files }) => files),
      placed(({ closed }) => closed)
    )
    this.#stale = false
    this.#options.onChange()
    // what waits has been decided on, however often something changes
    this.#stale = this.#settling !== undefined
  }

  #soon(): void {
    this.#stale = true
    this.#settling ??= setTimeout(
      () => {
        this.#settling = undefined
        void this.look()
      },
      Math.max(SETTLE_MS, PACE * this.#took)
    ).unref()
  }
}

const reasons = { signal: 'killed', timeout: 'timeout', 'not-started': 'not-started' } as const

/** PROTOCOL 7; further runs of a message have further names, so that none is taken for another. */
export const runName = ({ id, runs }: Pick<Received, 'id' | 'runs'>): string =>
  runs > 1 ? `coterie-handler-${id}-${runs}` : `coterie-handler-${id}`

const unknown = (): Ending => ({ type: 'unknown', output: new Uint8Array() })
