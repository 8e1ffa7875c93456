/**
 * The API on D-Bus: the objects of the publisher under ROOT with the standard interfaces, methods on the root
 * object, jobs for what takes long, subscriptions for streams. Signals are sent unless another program has the name.
 */

import { readFile } from 'node:fs/promises'
import type { MethodName, ObjectKind } from '../../api/api.ts'
import {
  ApiError,
  type agents,
  type Implementation,
  INTERFACE,
  type Method,
  methods,
  ROOT
} from '../../api/api.ts'
import {
  type Argument,
  agentInterfaces,
  type BusInterface,
  interfaces,
  servingInterfaces,
  spelled,
  standard
} from '../../api/introspection.ts'
import { checkFields, InvalidValue } from '../../api/types.ts'
import { type Bus, BusError, type BusMessage, type BusReply, plain } from '../../host/bus.ts'
import type { Agents } from '../joining/agents.ts'
import { invoke, type Log } from './answer.ts'
import { BusHandlers } from './bus-handlers.ts'
import { BusObjects } from './bus-objects.ts'
import { toBus } from './bus-values.ts'
import type { EventRecord } from './events.ts'
import { Jobs } from './jobs.ts'
import { type Clock, Pace, realClock } from './pace.ts'
import type { Publisher } from './publisher.ts'
import { Subscriptions } from './subscriptions.ts'

const ERROR = 'org.freedesktop.DBus.Error'
/** No method takes longer on D-Bus. */
const CALL_MS = 5000
/** At most 20 PropertiesChanged a second and object. */
const INTERVAL_MS = 50
/** An error's sentence may quote what it was about. */
const LONGEST_SENTENCE = 1000

export type BusState = 'owned' | 'taken' | 'absent'
type Values = { readonly [name: string]: unknown }

export class DBusSurface {
  readonly #bus: Bus
  readonly #publisher: Publisher
  readonly #implementation: Implementation
  readonly #agents: Agents
  readonly #control: () => boolean
  readonly #log: Log
  readonly #onState: (state: BusState) => void
  readonly #clock: Clock
  readonly #objects: BusObjects
  readonly #jobs: Jobs
  readonly #subscriptions: Subscriptions
  readonly #handlers: BusHandlers
  readonly #pace: Pace
  #state: BusState | undefined
  #claiming = false
  /** The name became free while it was being asked for. */
  #freed = false
  #stopped = true
  #ends: (() => void)[] = []

  /**
   * `control`: whether methods that change something are allowed. `onState`: called on each change, first when
   * the first attempt to own the name has ended. The publisher's object '' is set before start.
   */
  constructor(options: {
    bus: Bus
    publisher: Publisher
    implementation: Implementation
    agents: Agents
    control: () => boolean
    log: Log
    onState: (state: BusState) => void
    clock?: Clock
  }) {
    this.#bus = options.bus
    this.#publisher = options.publisher
    this.#implementation = options.implementation
    this.#agents = options.agents
    this.#control = options.control
    this.#log = options.log
    this.#onState = options.onState
    this.#objects = new BusObjects(options.publisher)
    this.#clock = options.clock ?? realClock
    this.#jobs = new Jobs({ ...options, clock: this.#clock })
    this.#subscriptions = new Subscriptions(options)
    this.#handlers = new BusHandlers(options)
    const tell = (path: string, changed: Values) => this.#guard(() => this.#changed(path, changed))
    this.#pace = new Pace(INTERVAL_MS, tell, this.#clock)
    this.#bus.onUp(() => this.#claim())
    this.#bus.onDown(() => this.#become('absent'))
  }

  /** Serves calls and asks for the name, again whenever it may be had. The bus is started by its owner. */
  start(): void {
    this.#stopped = false
    this.#bus.serve(m => this.#answer(m))
    this.#ends = [
      this.#publisher.subscribe(events => {
        for (const event of events) this.#guard(() => this.#tell(event))
      }),
      this.#bus.watchName(INTERFACE, owner => this.#owner(owner))
    ]
    this.#claim()
  }

  /** Gives the name back; jobs and subscriptions end. The bus stays connected. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const end of this.#ends) end()
    this.#ends = []
    this.#jobs.stop()
    this.#subscriptions.stop()
    this.#handlers.stop()
    this.#agents.clear()
    this.#pace.clear()
    this.#bus.serve(async () => undefined)
    if (this.#state === 'owned') await this.#bus.releaseName(INTERFACE).catch(() => {})
    this.#state = undefined
  }

  // --- the name ------------------------------------------------------------------------------------------

  #claim(): void {
    if (this.#stopped || this.#claiming || !this.#bus.connected) return
    this.#claiming = true
    this.#freed = false
    const refused = (error: Error) => {
      if (!this.#bus.connected) return
      this.#log('warn', `the session bus refuses the name ${INTERFACE}: ${error.message}`)
      this.#become('absent')
    }
    const asked = this.#bus.requestName(INTERFACE).then(state => this.#become(state), refused)
    void asked.then(() => {
      this.#claiming = false
      if (this.#freed) this.#claim()
    })
  }

  #owner(owner: string): void {
    if (!this.#bus.connected) this.#become('absent')
    else if (owner === this.#bus.uniqueName) this.#become('owned')
    else if (owner !== '') this.#become('taken')
    else if (this.#claiming) this.#freed = true
    else this.#claim()
  }

  #become(state: BusState): void {
    if (this.#stopped || this.#state === state) return
    this.#state = state
    if (state !== 'owned') this.#pace.clear()
    if (state === 'taken') this.#log('warn', `another program owns ${INTERFACE} on the session bus`)
    this.#onState(state)
  }

  // --- signals -------------------------------------------------------------------------------------------

  #tell({ Object: path, Kind, Type, Properties }: EventRecord): void {
    if (!this.#bus.connected || (this.#state === 'taken' && !this.#claiming)) return
    const kind = Kind as ObjectKind
    const { name, signals } = interfaces[kind]
    if (Type === 'Changed') {
      this.#pace.change(path, Properties)
    } else if (Type === 'Added') {
      this.#managed('InterfacesAdded', path, { [name]: this.#objects.values(kind, path, Properties) })
    } else if (Type === 'Removed') {
      this.#pace.drop(path)
      this.#managed('InterfacesRemoved', path, [name])
    } else {
      this.#pace.flush(path)
      const args = signals[Type]?.args ?? []
      this.#emit(path, name, Type, args, this.#objects.args(args, kind, path, Properties))
    }
  }

  #guard(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.#log('error', 'a change could not be told on D-Bus', { error: storyOf(error) })
    }
  }

  #changed(path: string, changed: Values): void {
    const kind = this.#publisher.get(path)?.kind
    if (!kind) return
    const { name, signals } = standard.Properties
    const body = [interfaces[kind].name, this.#objects.values(kind, path, changed), []]
    this.#emit(path, name, 'PropertiesChanged', signals['PropertiesChanged']?.args ?? [], body)
  }

  #managed(member: 'InterfacesAdded' | 'InterfacesRemoved', path: string, what: unknown): void {
    const { name, signals } = standard.ObjectManager
    if (path !== '') this.#emit('', name, member, signals[member]?.args ?? [], [ROOT + path, what])
  }

  #emit(path: string, name: string, member: string, args: readonly Argument[], body: unknown[]): void {
    this.#bus.emit({ path: ROOT + path, interface: name, member, signature: joined(args), body })
  }

  // --- calls ---------------------------------------------------------------------------------------------

  async #answer(m: BusMessage): Promise<BusReply> {
    try {
      const { its, method } = this.#find(m)
      const wanted = joined(method.in)
      if (m.signature !== wanted) {
        const got = `(${m.signature})`
        throw new BusError(`${ERROR}.InvalidArgs`, `${m.member} takes ${spelled(method.in)}, not ${got}`)
      }
      return { signature: joined(method.out), body: await this.#run(its, m) }
    } catch (error) {
      throw this.#error(error, m)
    }
  }

  #find(m: BusMessage): { its: BusInterface; method: BusInterface['methods'][string] } {
    const here = this.#objects.at(m.path)
    if (!here) {
      const hint = `GetManagedObjects of ${ROOT} lists all`
      throw new BusError(`${ERROR}.UnknownObject`, `there is no object ${m.path}; ${hint}`)
    }
    const named = here.filter(i => m.interface === '' || i.name === m.interface)
    if (named.length === 0) {
      const known = here.map(i => i.name).join(', ')
      throw new BusError(
        `${ERROR}.UnknownInterface`,
        `no interface ${m.interface} at ${m.path}; it has ${known}`
      )
    }
    const its = named.find(i => Object.hasOwn(i.methods, m.member))
    const method = its?.methods[m.member]
    if (its && method) return { its, method }
    const known = named.flatMap(i => Object.keys(i.methods)).join(', ') || 'none'
    const sentence = Object.hasOwn(methods, m.member)
      ? `${m.member} is offered on the UNIX socket only, not on D-Bus`
      : `no method ${m.member} in ${m.interface || m.path}; there are: ${known}`
    throw new BusError(`${ERROR}.UnknownMethod`, sentence)
  }

  async #run(its: BusInterface, m: BusMessage): Promise<unknown[]> {
    const [first, second] = m.body as [string, string]
    switch (`${its.name}.${m.member}`) {
      case `${standard.Introspectable.name}.Introspect`:
        return [this.#objects.introspect(m.path)]
      case `${standard.Peer.name}.Ping`:
        return []
      case `${standard.Peer.name}.GetMachineId`:
        return [await machineId()]
      case `${standard.Properties.name}.Get`:
        return [this.#objects.property(m.path, first, second)]
      case `${standard.Properties.name}.GetAll`:
        return [this.#objects.properties(m.path, first)]
      case `${standard.Properties.name}.Set`:
        this.#objects.property(m.path, first, second)
        throw new BusError(`${ERROR}.PropertyReadOnly`, `${second} can only be read`)
      case `${standard.ObjectManager.name}.GetManagedObjects`:
        return [this.#objects.managed()]
      case `${interfaces.Job.name}.Cancel`:
        return this.#cancel(m)
      case `${interfaces.Subscription.name}.Cancel`:
        this.#subscriptions.cancel(m.path.slice(ROOT.length), m.sender)
        return []
      case `${agentInterfaces.AgentManager.name}.${m.member}`:
        return this.#agent(m.member as keyof (typeof agents)['AgentManager']['methods'], m.sender, first)
      case `${servingInterfaces.HandlerManager.name}.${m.member}`:
        return this.#serving(m)
      default:
        return this.#call(m.member as MethodName, m)
    }
  }

  async #call(name: MethodName, m: BusMessage): Promise<unknown[]> {
    const method: Method = methods[name]
    if (method.control) this.#allowed(name)
    const names = Object.keys(method.params)
    const given = Object.fromEntries(names.map((param, i) => [param, plain(m.body[i])]))
    const params = checkFields(method.params, given, name)
    if (method.kind === 'stream') return [ROOT + (await this.#subscriptions.start(m.sender, params as never))]
    if (method.kind === 'job') return [ROOT + this.#jobs.start(m.sender, name, params)]
    const controller = new AbortController()
    const call = { signal: controller.signal, progress: () => {} }
    const { promise: late, reject } = Promise.withResolvers<never>()
    const inTime = this.#clock.after(CALL_MS, () => {
      reject(new ApiError('Timeout', `${name} was not done within ${CALL_MS / 1000} s`))
      controller.abort()
    })
    try {
      const work = invoke(this.#implementation, name, params, call as never, this.#log)
      const result = (await Promise.race([work, late])) as unknown as Values
      return Object.entries(method.result).map(([field, f]) => toBus(f.type, result[field]))
    } finally {
      inTime()
    }
  }

  #cancel(m: BusMessage): unknown[] {
    const path = m.path.slice(ROOT.length)
    if (this.#jobs.caller(path) !== m.sender) this.#allowed('Cancel')
    this.#jobs.cancel(path)
    return []
  }

  #agent(member: keyof (typeof agents)['AgentManager']['methods'], caller: string, path: string): unknown[] {
    if (member !== 'UnregisterAgent') this.#allowed(member)
    if (member === 'RegisterAgent') this.#agents.register(caller, path)
    else if (member === 'UnregisterAgent') this.#agents.unregister(caller, path)
    else this.#agents.requestDefault(caller, path)
    return []
  }

  async #serving({ member, sender, body }: BusMessage): Promise<unknown[]> {
    const [path, tags, retry] = body as [string, string[], boolean]
    if (member === 'UnregisterHandler') this.#handlers.unregister(sender, path)
    else {
      this.#allowed(member)
      await this.#handlers.register(sender, path, tags, retry)
    }
    return []
  }

  #allowed(member: string): void {
    if (this.#control()) return
    const sentence = `${member} is refused: the configuration allows only reading over D-Bus ([dbus] control = false)`
    throw new BusError(`${ERROR}.AccessDenied`, sentence)
  }

  #error(error: unknown, m: BusMessage): BusError {
    const shown = (name: string, text: string) => new BusError(name, text.slice(0, LONGEST_SENTENCE))
    if (error instanceof BusError) return shown(error.errorName, error.message)
    if (error instanceof ApiError) return shown(`${INTERFACE}.Error.${error.code}`, error.message)
    if (error instanceof InvalidValue) return shown(`${INTERFACE}.Error.InvalidValue`, error.message)
    this.#log('error', `${m.interface}.${m.member} failed by a fault of ours`, { error: storyOf(error) })
    return new BusError(`${INTERFACE}.Error.Internal`, 'internal error')
  }
}

async function machineId(): Promise<string> {
  try {
    return (await readFile('/etc/machine-id', 'utf8')).trim()
  } catch {
    throw new BusError(`${ERROR}.FileNotFound`, 'this computer has no /etc/machine-id')
  }
}

const joined = (args: readonly Argument[]) => args.map(a => a.signature).join('')
const storyOf = (error: unknown) => (error instanceof Error ? error.stack : String(error))
