/**
 * From which of the listeners a datagram to an address leaves, so that it leaves by an interface in use and its
 * answer finds us: by the scope of a link-local address, by the one subnet that has it, else as the kernel's route
 * says. Where the config names the only interfaces to use, the route is always asked. What the kernel said is kept for
 * a while: it costs a socket.
 */
import { type Address, addressClass, addressOf, formatHost } from '../wire/address.ts'
import type { Interface, Place } from './interfaces.ts'
import { within } from './place.ts'
import { hostText, routeSource } from './tcp.ts'

const KEPT_MS = 10_000
const KEPT_AT_MOST = 256

export interface OriginsOptions {
  /** Addresses that are bound: bare, `%interface` follows a link-local one. */
  readonly bound: () => readonly Place[]
  /** With their prefixes. */
  readonly interfaces: () => readonly Interface[]
  /** Only some interfaces may be used: the route is asked. */
  readonly restricted: () => boolean
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** As routeSource. */
  readonly route?: (to: Address) => Promise<string>
}

/** A word says why there is none: `no-route`, `barred` (the route is not by an interface in use). */
export type Origin = Place | 'no-route' | 'barred'

interface Known {
  /** Monotonic milliseconds. */
  readonly until: number
  readonly origin: Origin
}

export class Origins {
  readonly #options: OriginsOptions
  readonly #known = new Map<string, Known>()
  readonly #waiting = new Map<string, ((origin: Origin) => void)[]>()
  /** Counts changes of the network: an answer about an earlier one is not kept. */
  #epoch = 0

  constructor(options: OriginsOptions) {
    this.#options = options
  }

  /** The network has changed. */
  clear(): void {
    this.#epoch++
    this.#known.clear()
  }

  /** Calls at once where nothing has to be asked. */
  find(to: Address, found: (origin: Origin) => void): void {
    const name = hostText(to)
    const known = this.#look(name, to)
    if (known !== undefined) {
      found(known)
      return
    }
    const waiting = this.#waiting.get(name)
    if (waiting !== undefined) waiting.push(found)
    else {
      this.#waiting.set(name, [found])
      void this.#ask(name, to)
    }
  }

  #look(name: string, to: Address): Origin | undefined {
    const known = this.#known.get(name)
    if (known !== undefined && this.#options.now() < known.until) return known.origin
    const direct = this.#direct(to)
    if (direct !== undefined) this.#keep(name, direct, Infinity)
    return direct
  }

  /** Without asking the kernel. */
  #direct(to: Address): Origin | undefined {
    const { interfaces, restricted } = this.#options
    if (to.scope !== '') return this.#on(to.scope, to) ?? 'barred'
    if (restricted()) return undefined
    const near = interfaces().filter(({ addresses }) => within(addresses, formatHost(to)))
    const [only] = near
    return near.length === 1 && only !== undefined ? this.#on(only.name, to) : undefined
  }

  async #ask(name: string, to: Address): Promise<void> {
    const { now, route = routeSource } = this.#options
    const epoch = this.#epoch
    const source = await route(to).catch(() => undefined)
    const origin = source === undefined ? 'no-route' : (this.#at(source, to) ?? 'barred')
    if (epoch === this.#epoch) this.#keep(name, origin, now() + KEPT_MS)
    const waiting = this.#waiting.get(name) ?? []
    this.#waiting.delete(name)
    for (const found of waiting) found(origin)
  }

  #keep(name: string, origin: Origin, until: number): void {
    this.#known.delete(name)
    if (this.#known.size >= KEPT_AT_MOST) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(name, { until, origin })
  }

  /** What the kernel would send from; it may be an address that nobody listens on, of an interface in use. */
  #at(source: string, to: Address): Place | undefined {
    const exact = this.#options.bound().find(({ address }) => address === source)
    if (exact !== undefined) return exact
    const owner = this.#options
      .interfaces()
      .find(({ addresses }) => addresses.some(({ address }) => address === source))
    return owner && this.#on(owner.name, to)
  }

  /** The address on that interface that suits best: of the same subnet, else of the same kind. */
  #on(name: string, to: Address): Place | undefined {
    const { bound, interfaces } = this.#options
    const subnets = interfaces().find(each => each.name === name)?.addresses ?? []
    const suiting = bound().filter(place => place.interface === name && suits(place.address, to))
    const near = suiting.find(({ address }) =>
      within(
        subnets.filter(subnet => subnet.address === address),
        formatHost(to)
      )
    )
    return near ?? suiting[0]
  }
}

/** Of the same family, and link-local together with link-local only. */
function suits(own: string, to: Address): boolean {
  const address = addressOf(own, to.port)
  return (
    address?.family === to.family &&
    (address.family === 4 || (addressClass(address) === 'link-local') === (to.scope !== ''))
  )
}
