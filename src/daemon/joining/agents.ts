/**
 * Prompt agents: programs on D-Bus that show a code to a person, or ask one (api.ts, `agents`). One for each
 * connection to the bus, known by its unique name, and gone with it. The default one is used.
 */
import { ApiError, agents, INTERFACE } from '../../api/api.ts'
import type { Bus, BusError } from '../../host/bus.ts'
import type { Log } from '../surfaces/answer.ts'
import type { Asker } from './confirmation.ts'
import type { JoinAsk } from './open-invitation.ts'

/** Registered at once. */
const MOST = 16
/** To show a code, or to take it away. */
const SHOW_MS = 5_000
/** For a person to answer: as long as a code can be open. */
const ANSWER_MS = 15 * 60_000
const AGENT = agents.Agent.interface

/** Errors that say that nobody was asked; every other one is a no. */
const NOBODY = new Set(
  [
    'Disconnected',
    'NameHasNoOwner',
    'NoReply',
    'ServiceUnknown',
    'Timeout',
    'TimedOut',
    'UnknownInterface',
    'UnknownMethod',
    'UnknownObject'
  ].map(name => `org.freedesktop.DBus.Error.${name}`)
)

interface Agent {
  readonly caller: string
  readonly path: string
  readonly unwatch: () => void
}

export class Agents implements Asker {
  readonly name = 'agent'
  readonly #bus: Bus
  readonly #allowed: () => boolean
  readonly #log: Log
  /** The default one first. */
  #agents: Agent[] = []

  /** `allowed`: whether D-Bus may decide anything (`[dbus] control`). */
  constructor({ bus, allowed, log }: { bus: Bus; allowed: () => boolean; log: Log }) {
    this.#bus = bus
    this.#allowed = allowed
    this.#log = log
    bus.onDown(() => this.clear())
  }

  // --- who there is

  /** `caller`: its unique name. Throws ApiError. */
  register(caller: string, path: string): void {
    const present = this.#of(caller)
    if (present?.path === path) return
    if (present !== undefined) {
      const sentence = `this program has registered an agent already, at ${present.path}; UnregisterAgent comes first`
      throw new ApiError('InvalidValue', sentence)
    }
    if (this.#agents.length >= MOST)
      throw new ApiError('NotAllowed', `there are ${MOST} agents already, which is more than can be of use`)
    const unwatch = this.#bus.watchName(caller, owner => owner === '' && this.#drop(caller))
    this.#agents.push({ caller, path, unwatch })
    this.#log('debug', 'a prompt agent has come', { caller, path })
  }

  /** Throws ApiError. */
  unregister(caller: string, path: string): void {
    this.#registered(caller, path)
    this.#drop(caller)
  }

  /** Throws ApiError. */
  requestDefault(caller: string, path: string): void {
    const agent = this.#registered(caller, path)
    this.#agents = [agent, ...this.#agents.filter(other => other !== agent)]
  }

  clear(): void {
    for (const { caller } of [...this.#agents]) this.#drop(caller)
  }

  // --- what they do

  async there(): Promise<boolean> {
    return this.#default !== undefined
  }

  /** Shows the code until `signal` is aborted. Rejects ApiError when there is nobody to show it to. */
  async display(code: string, expiresUSec: number, signal: AbortSignal): Promise<void> {
    const agent = this.#default
    if (agent === undefined) throw noAgent('there is no prompt agent on D-Bus that would show the code')
    this.#cancelWith(agent, signal)
    try {
      await this.#call(agent, 'DisplayCode', 'st', [code, BigInt(expiresUSec)], SHOW_MS)
    } catch (error) {
      this.#log('warn', 'the prompt agent did not show the code', { error: (error as Error).message })
      throw noAgent(`the prompt agent on D-Bus did not show the code: ${(error as Error).message}`)
    }
  }

  async ask(
    { circle, id, name, level, guestForMs }: JoinAsk,
    signal: AbortSignal
  ): Promise<boolean | undefined> {
    const agent = this.#default
    if (agent === undefined) return undefined
    const answered = new AbortController()
    this.#cancelWith(agent, signal, answered.signal)
    try {
      const question = [circle, id, name, level, BigInt(guestForMs * 1000)]
      await this.#call(agent, 'RequestConfirmation', 'sssut', question, ANSWER_MS)
      return true
    } catch (error) {
      const { errorName, message } = error as BusError
      this.#log('debug', 'the prompt agent did not say yes', { errorName, message })
      return NOBODY.has(errorName) ? undefined : false
    } finally {
      answered.abort()
    }
  }

  get #default(): Agent | undefined {
    return this.#allowed() ? this.#agents[0] : undefined
  }

  /** Tells it that what it shows is of no use any more, unless it has answered before. */
  #cancelWith(agent: Agent, signal: AbortSignal, answered?: AbortSignal): void {
    const cancel = () => {
      if (!this.#agents.includes(agent)) return
      this.#call(agent, 'Cancel', '', [], SHOW_MS).catch(({ message }: Error) =>
        this.#log('debug', 'a prompt agent does not mind Cancel', { message })
      )
    }
    if (signal.aborted) cancel()
    else
      signal.addEventListener('abort', cancel, answered ? { once: true, signal: answered } : { once: true })
  }

  #call(agent: Agent, member: string, signature: string, body: unknown[], timeoutMs: number) {
    const { caller: destination, path } = agent
    const call = { destination, path, interface: AGENT, member, signature, body }
    return this.#bus.call({ ...call, timeoutMs, autoStart: false })
  }

  #of(caller: string): Agent | undefined {
    return this.#agents.find(agent => agent.caller === caller)
  }

  #registered(caller: string, path: string): Agent {
    const agent = this.#of(caller)
    if (agent?.path === path) return agent
    throw noAgent(`this program has no agent registered at ${path}; RegisterAgent comes first`)
  }

  #drop(caller: string): void {
    const agent = this.#of(caller)
    if (agent === undefined) return
    this.#agents = this.#agents.filter(other => other !== agent)
    agent.unwatch()
    this.#log('debug', 'a prompt agent has gone', { caller, path: agent.path })
  }
}

const noAgent = (sentence: string) => new ApiError('NoAgent', `${sentence} (${INTERFACE}.AgentManager)`)
