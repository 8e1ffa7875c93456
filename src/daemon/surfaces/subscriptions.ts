/**
 * Streams on D-Bus, as objects: `/subscription/<n>`, published like all others. What a stream replies goes as the
 * signal Changed to its caller alone. It ends by Cancel, or when its caller leaves the bus.
 */
import { ApiError, type Implementation, methods, type Properties, type Result, ROOT } from '../../api/api.ts'
import { interfaces } from '../../api/introspection.ts'
import { type Bus, BusError } from '../../host/bus.ts'
import { invoke, type Log } from './answer.ts'
import { toBus } from './bus-values.ts'
import type { Publisher } from './publisher.ts'

const ERROR = 'org.freedesktop.DBus.Error'
/** At once for one caller. */
const MOST = 16
const { name: INTERFACE, signals } = interfaces.Subscription
const SIGNATURE = signals['Changed']!.args.map(a => a.signature).join('')

interface Subscription {
  readonly caller: string
  readonly controller: AbortController
  /** Ends the watch on the caller's name. */
  readonly unwatch: () => void
}

export class Subscriptions {
  readonly #bus: Bus
  readonly #publisher: Publisher
  readonly #implementation: Implementation
  readonly #log: Log
  readonly #all = new Map<string, Subscription>()
  #last = 0

  constructor(options: { bus: Bus; publisher: Publisher; implementation: Implementation; log: Log }) {
    this.#bus = options.bus
    this.#publisher = options.publisher
    this.#implementation = options.implementation
    this.#log = options.log
  }

  /**
   * Resolves with the path of the new subscription; `asked` has been checked. The first signal follows in a later
   * turn. Rejects ApiError as the method does, and BusError.
   */
  async start(caller: string, asked: Properties<'Subscription'>): Promise<string> {
    if ([...this.#all.values()].filter(s => s.caller === caller).length >= MOST) {
      const sentence = `this caller has ${MOST} subscriptions; cancel one, or ask for more with one`
      throw new BusError(`${ERROR}.LimitsExceeded`, sentence)
    }
    const path = `/subscription/${++this.#last}`
    const controller = new AbortController()
    const { signal } = controller
    const unwatch = this.#bus.watchName(caller, owner => owner === '' && this.#end(path))
    this.#all.set(path, { caller, controller, unwatch })
    const accepted = Promise.withResolvers<void>()
    let first = true
    const reply = async (value: Result<'Subscribe'>) => {
      if (first) {
        first = false
        accepted.resolve()
        // Not before the answer with the path is on its way.
        await new Promise(setImmediate)
      }
      signal.throwIfAborted()
      this.#tell(path, caller, value)
    }
    const call = { signal, progress: () => {}, reply }
    invoke(this.#implementation, 'Subscribe', asked, call, this.#log)
      .then(() => accepted.reject(new ApiError('Cancelled', 'the call was cancelled')), accepted.reject)
      .finally(() => this.#end(path))
    await accepted.promise
    if (!signal.aborted) this.#publisher.set('Subscription', path, asked)
    return path
  }

  /** Rejects BusError when it is not the caller's own. */
  cancel(path: string, caller: string): void {
    if (this.#all.get(path)?.caller !== caller)
      throw new BusError(`${ERROR}.AccessDenied`, 'only the program that made a subscription can cancel it')
    this.#end(path)
  }

  /** Ends all. */
  stop(): void {
    for (const path of [...this.#all.keys()]) this.#end(path)
  }

  #end(path: string): void {
    const subscription = this.#all.get(path)
    if (subscription === undefined) return
    this.#all.delete(path)
    subscription.unwatch()
    subscription.controller.abort()
    this.#publisher.remove(path)
  }

  #tell(path: string, destination: string, value: Result<'Subscribe'>): void {
    const body = Object.entries(methods.Subscribe.result).map(([name, f]) =>
      toBus(f.type, value[name as keyof typeof value])
    )
    this.#bus.emit({
      path: ROOT + path,
      interface: INTERFACE,
      member: 'Changed',
      signature: SIGNATURE,
      body,
      destination
    })
  }
}
