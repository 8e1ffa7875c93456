/**
 * Watches the network. Whatever changes is a reason to look again; a look reads everything: links and
 * addresses from the kernel, and what NetworkManager (else networkd) says of them. The kernel's own events
 * come first, so an address is known before its manager tells of it.
 */
import { delta, type NetworkSource, type Snapshot } from '../net/interfaces.ts'
import { type Bus, BusError, type Log } from './bus.ts'
import { IpMonitor, readIp } from './ip.ts'
import { NetworkManagerSource } from './network-manager.ts'
import { NetworkdSource } from './networkd.ts'
import { readOs } from './poll.ts'
import { type Facts, join, type KernelInterface, type KernelNetwork, settle } from './snapshot.ts'

/** Between looks, after the first; see nextLook. */
const PAUSE_MS = 100
const URGENT_LOOKS_PER_S = 8
const POLL_MS = 5_000
/** Without events: while an IPv6 address is being checked for duplicates. */
const CHECK_MS = 500
/** A manager that takes longer to answer is passed over until it does. */
const ANSWER_MS = 1_000
const PROBE_MS = 10_000
const PROBE_ANSWER_MS = 5_000
/** A manager that left the bus may come back within this; until then what it said holds. */
const GRACE_MS = 10_000
/** A manager that came back may need this to take up its interfaces again. */
const SETTLE_MS = 5_000
/** An interface that its manager lets go: perhaps the manager is about to stop. */
const LET_GO_MS = 1_000
/** At start: how long to wait for the bus to say who is there. */
const HOLD_MS = 300

export interface NetworkWatcherOptions {
  /** The system bus, if there may be one. */
  bus: Bus | undefined
  log: Log
  /** Each network that differs from the one before, the first included. */
  onSnapshot(snapshot: Snapshot): void
  onSource(source: NetworkSource): void
}

/**
 * Milliseconds until the next look, given when the last ones began: the first at once, then every 100 ms;
 * urgent ones at once as long as they are not too many.
 */
export function nextLook(starts: readonly number[], now: number, urgent: boolean): number {
  const last = starts.at(-1)
  if (last === undefined) return 0
  const recent = starts.filter(start => start > now - 1_000).length
  return urgent && recent < URGENT_LOOKS_PER_S ? 0 : Math.max(0, last + PAUSE_MS - now)
}

/** NetworkManager or networkd, and what is known of it. */
interface Authority {
  readonly source: NetworkManagerSource | NetworkdSource
  /** undefined = not asked yet, '' = not there. */
  owner: string | undefined
  facts: Facts | undefined
  /** It did not answer. */
  silent: boolean
  /** Addresses of each interface when it answered last: it has said nothing of those that came since. */
  told: ReadonlyMap<string, string>
  graceUntil: number
  /** What holds until settleUntil for interfaces that it has not taken up again. */
  before: Facts | undefined
  settleUntil: number
}

const isInUse = (facts: Facts | undefined, name: string): boolean => {
  const f = facts?.interfaces.get(name)
  return f?.usable === true && f.managed
}

export class NetworkWatcher {
  readonly #options: NetworkWatcherOptions
  readonly #authorities: readonly Authority[]
  readonly #monitor: IpMonitor
  readonly #timers = new Set<NodeJS.Timeout>()
  #snapshot: Snapshot | undefined
  #source: NetworkSource | undefined
  #state: 'new' | 'holding' | 'running' | 'stopped' = 'new'
  #monitoring: boolean | undefined
  #starts: number[] = []
  #looking = false
  #again: 'now' | 'soon' | undefined
  #next: { at: number; timer: NodeJS.Timeout } | undefined
  #poll: NodeJS.Timeout | undefined

  constructor(options: NetworkWatcherOptions) {
    this.#options = options
    const { bus } = options
    this.#authorities = (bus ? [new NetworkManagerSource(bus), new NetworkdSource(bus)] : []).map(source => ({
      source,
      owner: undefined,
      facts: undefined,
      silent: false,
      told: new Map(),
      graceUntil: 0,
      before: undefined,
      settleUntil: 0
    }))
    this.#monitor = new IpMonitor(
      what => this.#request(what === 'address' ? 'now' : 'soon'),
      running => this.#onMonitor(running)
    )
  }

  /** The latest, or undefined before the first look. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot
  }

  /** Something may have changed unnoticed. */
  look(): void {
    this.#request('now')
  }

  start(): void {
    this.#state = 'holding'
    this.#monitor.start()
    for (const authority of this.#authorities) {
      authority.source.start({
        onOwner: owner => this.#onOwner(authority, owner),
        onChange: when => this.#onChange(authority, when)
      })
    }
    this.#after(HOLD_MS, () => this.#begin(true))
  }

  stop(): void {
    this.#state = 'stopped'
    this.#monitor.stop()
    for (const { source } of this.#authorities) source.stop()
    for (const timer of this.#timers) clearTimeout(timer)
    clearTimeout(this.#next?.timer)
    clearInterval(this.#poll)
  }

  /** The first look waits until it is known who is there, so that nothing is bound that is to be left alone. */
  #begin(late: boolean): void {
    if (this.#state !== 'holding') return
    const [first] = this.#authorities
    const known = first === undefined || first.owner || (this.#options.bus?.connected && first.owner === '')
    if (!late && !(known && this.#monitoring !== undefined)) return
    this.#state = 'running'
    this.#request('now')
  }

  #onMonitor(running: boolean): void {
    if (this.#monitoring === undefined && !running) {
      this.#options.log('info', 'no `ip monitor` here: install iproute2 to notice changes sooner')
    }
    this.#monitoring = running
    this.#begin(false)
    this.#request('now')
    // It may have missed what happened while it started.
    if (running) this.#after(PAUSE_MS, () => this.#request('soon'))
  }

  #onOwner(authority: Authority, owner: string): void {
    const now = performance.now()
    if (owner === '' && authority.owner) {
      authority.graceUntil = now + GRACE_MS
      this.#after(GRACE_MS, () => this.#request('now'))
    }
    if (owner !== '') this.#hold(authority, SETTLE_MS, authority.facts ?? this.#used())
    authority.owner = owner
    authority.silent = false
    this.#begin(false)
    this.#request('now')
  }

  #onChange(authority: Authority, when: 'now' | 'soon'): void {
    authority.silent = false
    this.#request(when)
  }

  #request(when: 'now' | 'soon'): void {
    if (this.#state !== 'running') return
    if (this.#looking) {
      this.#again = this.#again === 'now' ? 'now' : when
      return
    }
    const now = performance.now()
    this.#starts = this.#starts.slice(-URGENT_LOOKS_PER_S)
    const wait = nextLook(this.#starts, now, when === 'now')
    if (this.#next && this.#next.at <= now + wait) return
    clearTimeout(this.#next?.timer)
    const look = () => {
      this.#next = undefined
      void this.#look()
    }
    this.#next = { at: now + wait, timer: setTimeout(look, wait) }
  }

  async #look(): Promise<void> {
    this.#looking = true
    this.#starts.push(performance.now())
    try {
      const snapshot = await this.#read()
      if (this.#state === 'running') this.#publish(snapshot)
    } catch (error) {
      this.#options.log('error', 'the network could not be read', { error })
      this.#after(POLL_MS, () => this.#request('soon'))
    }
    this.#looking = false
    const again = this.#again
    this.#again = undefined
    if (again) this.#request(again)
  }

  async #read(): Promise<Snapshot> {
    const authority = this.#authority()
    const [kernel, answered] = await Promise.all([readKernel(), authority && this.#ask(authority)])
    // The end of the check is an event of the kernel's only.
    if (kernel.checking && !this.#monitoring) this.#after(CHECK_MS, () => this.#request('soon'))
    const heard = authority !== undefined && answered !== false
    if (heard) authority.told = new Map(kernel.interfaces.map(k => [k.name, addressesOf(k)]))
    const undecided = this.#authorities.some(a => a.owner === undefined)
    return join(kernel, authority?.facts, {
      source: heard ? authority.source.name : this.#monitoring ? 'ip' : 'poll',
      strict: heard,
      // nothing is announced to a network that may turn out to be a stranger's
      unknown: k => (authority ? authority.told.get(k.name) !== addressesOf(k) : undecided)
    })
  }

  /** Who has the say: whoever is on the bus, NetworkManager first, or was a moment ago. */
  #authority(): Authority | undefined {
    const now = performance.now()
    return this.#authorities.find(a => a.owner || (a.facts && now < a.graceUntil))
  }

  /** Brings its facts up to date. False when it is silent: then what it said last holds as far as it goes. */
  async #ask(authority: Authority): Promise<boolean> {
    if (!authority.owner) return true
    if (authority.silent) return false
    try {
      const facts = await authority.source.read(ANSWER_MS)
      authority.facts = this.#settled(authority, facts)
      return true
    } catch (error) {
      // Gone in this moment: the bus will tell.
      if (error instanceof BusError && GONE.test(error.errorName) && authority.facts) return true
      const name = authority.source.name
      this.#options.log('warn', `${name} does not answer; going by the kernel alone`, {
        error: String(error)
      })
      authority.silent = true
      this.#after(PROBE_MS, () => this.#probe(authority))
      return false
    }
  }

  #settled(authority: Authority, facts: Facts): Facts {
    const now = performance.now()
    const letGo = [...facts.interfaces].some(
      ([name, f]) => !f.managed && isInUse(authority.facts, name) && !authority.before
    )
    if (letGo) this.#hold(authority, LET_GO_MS, authority.facts)
    const { before } = authority
    if (!before) return facts
    if (now >= authority.settleUntil) {
      authority.before = undefined
      return facts
    }
    const waiting = [...before.interfaces].filter(([name]) => !isInUse(facts, name))
    authority.before = { ...before, interfaces: new Map(waiting) }
    return settle(authority.before, facts)
  }

  /** What was in use while nobody had the say. */
  #used(): Facts | undefined {
    if (!this.#snapshot) return undefined
    const { connectivity, primary, interfaces } = this.#snapshot
    const used = interfaces.filter(i => i.up).map(i => [i.name, { ...i, usable: true }] as const)
    return { connectivity, primary, interfaces: new Map(used) }
  }

  #hold(authority: Authority, ms: number, before: Facts | undefined): void {
    if (!before) return
    authority.before = before
    authority.settleUntil = performance.now() + ms
    this.#after(ms, () => this.#request('now'))
  }

  async #probe(authority: Authority): Promise<void> {
    if (!authority.silent) return
    try {
      await authority.source.read(PROBE_ANSWER_MS)
      authority.silent = false
      this.#request('now')
    } catch {
      this.#after(PROBE_MS, () => this.#probe(authority))
    }
  }

  #publish(snapshot: Snapshot): void {
    const { log, onSource, onSnapshot } = this.#options
    const { source } = snapshot
    if (source !== this.#source) {
      log('info', `the network is watched through ${source}`)
      this.#source = source
      onSource(source)
    }
    const polling = !this.#monitoring && source !== 'NetworkManager'
    if (!polling) clearInterval(this.#poll)
    if (polling !== (this.#poll !== undefined)) {
      this.#poll = polling ? setInterval(() => this.#request('soon'), POLL_MS) : undefined
    }
    if (!delta(this.#snapshot, snapshot).changed) return
    this.#snapshot = snapshot
    onSnapshot(snapshot)
  }

  #after(ms: number, fn: () => void): void {
    if (this.#state === 'stopped') return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      fn()
    }, ms)
    this.#timers.add(timer)
  }
}

const addressesOf = ({ addresses }: KernelInterface): string =>
  addresses
    .map(({ address, prefix }) => `${address}/${prefix}`)
    .sort()
    .join(' ')

const GONE = /\.(Disconnected|NoReply|ServiceUnknown|NameHasNoOwner)$/

const readKernel = (): Promise<KernelNetwork> => readIp().catch(() => readOs())
