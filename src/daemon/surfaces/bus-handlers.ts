/**
 * Programs on D-Bus that serve tags (api.ts, `serving`): what Serve hands over becomes a call of Handle, what that
 * returns an Answer. One registration for each object of a connection, gone with it.
 */
import { ApiError, type Implementation, INTERFACE, type Result, serving } from '../../api/api.ts'
import { servingInterfaces } from '../../api/introspection.ts'
import { type Bus, BusError, plain } from '../../host/bus.ts'
import { invoke, type Log } from './answer.ts'
import { toBus } from './bus-values.ts'

const ERROR = 'org.freedesktop.DBus.Error'
/** Of one caller. */
const MOST = 16
/** The daemon gives a message up sooner; so late an answer is of no use. */
const LONGEST_MS = 2 ** 31 - 1
const { Handle } = servingInterfaces.Handler.methods
const SIGNATURE = Handle!.out.map(a => a.signature).join('')
const FAILED = 1

/** Errors that say that it is not there any more, and nobody knows how far it came. */
const GONE = new Set(
  ['Disconnected', 'NameHasNoOwner', 'NoReply', 'ServiceUnknown'].map(n => `${ERROR}.${n}`)
)

interface Registration {
  readonly caller: string
  readonly path: string
  readonly controller: AbortController
  readonly unwatch: () => void
}

export class BusHandlers {
  readonly #bus: Bus
  readonly #implementation: Implementation
  readonly #log: Log
  #all: Registration[] = []

  constructor(options: { bus: Bus; implementation: Implementation; log: Log }) {
    this.#bus = options.bus
    this.#implementation = options.implementation
    this.#log = options.log
  }

  /** Resolves when it serves. Rejects ApiError as Serve does, and BusError. */
  async register(caller: string, path: string, tags: readonly string[], retry: boolean): Promise<void> {
    const own = this.#all.filter(each => each.caller === caller)
    if (own.some(each => each.path === path))
      throw new ApiError(
        'InvalidValue',
        `this program has registered ${path} already; UnregisterHandler comes first`
      )
    if (own.length >= MOST)
      throw new BusError(`${ERROR}.LimitsExceeded`, `this program has registered ${MOST} handlers already`)
    const controller = new AbortController()
    const { signal } = controller
    const registration: Registration = {
      caller,
      path,
      controller,
      unwatch: this.#bus.watchName(caller, owner => owner === '' && this.#end(registration))
    }
    this.#all.push(registration)
    const begun = Promise.withResolvers<void>()
    const reply = async (served: Result<'Serve'>) => {
      signal.throwIfAborted()
      if (served.Request === '') begun.resolve()
      else void this.#handle(registration, served)
    }
    const wish = { Tags: [...tags], Retry: retry, Name: caller }
    invoke(this.#implementation, 'Serve', wish, { signal, progress: () => {}, reply }, this.#log)
      .then(() => begun.reject(new ApiError('Cancelled', 'the call was cancelled')), begun.reject)
      .finally(() => this.#end(registration))
    await begun.promise
  }

  /** Throws ApiError. */
  unregister(caller: string, path: string): void {
    const found = this.#all.find(each => each.caller === caller && each.path === path)
    if (found === undefined)
      throw new ApiError(
        'InvalidValue',
        `this program has registered no handler at ${path} (${INTERFACE}.HandlerManager)`
      )
    this.#end(found)
  }

  /** Ends all. */
  stop(): void {
    for (const each of [...this.#all]) this.#end(each)
  }

  async #handle(registration: Registration, served: Result<'Serve'>): Promise<void> {
    const answer = await this.#ask(registration, served)
    if (answer === undefined) {
      this.#end(registration)
      return
    }
    const call = { signal: registration.controller.signal, progress: () => {} }
    try {
      await invoke(this.#implementation, 'Answer', { Request: served.Request, ...answer }, call, this.#log)
    } catch (error) {
      // it came too late, or the program has gone since
      this.#log('info', 'an answer was of no use', { id: served.Id, error: (error as Error).message })
    }
  }

  /** Undefined when it is gone. */
  async #ask(
    { caller: destination, path }: Registration,
    served: Result<'Serve'>
  ): Promise<{ Exit: number; Output: string; OutputBase64: string } | undefined> {
    const failed = (error: string) => {
      this.#log('info', 'a program on D-Bus could not handle a message', { id: served.Id, error })
      return { Exit: FAILED, Output: '', OutputBase64: '' }
    }
    try {
      const back = await this.#bus.call({
        destination,
        path,
        interface: serving.Handler.interface,
        member: 'Handle',
        signature: Handle!.in.map(a => a.signature).join(''),
        body: [toBus(serving.Handler.methods.Handle.params.Message.type, served)],
        timeoutMs: LONGEST_MS,
        autoStart: false
      })
      const [Exit, Output, OutputBase64] = back.map(plain) as [number, string, string]
      const right = typeof Exit === 'number' && typeof Output === 'string' && typeof OutputBase64 === 'string'
      if (!right) return failed(`Handle returns (${SIGNATURE})`)
      return Exit > 255
        ? failed(`Handle returned ${Exit}; exits are 0 to 255`)
        : { Exit, Output, OutputBase64 }
    } catch (error) {
      const { errorName, message } = error as BusError
      return GONE.has(errorName) ? undefined : failed(`${errorName}: ${message}`)
    }
  }

  #end(registration: Registration): void {
    if (!this.#all.includes(registration)) return
    this.#all = this.#all.filter(each => each !== registration)
    registration.unwatch()
    registration.controller.abort()
  }
}
