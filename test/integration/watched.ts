/** What the network watcher and the listeners make of a network that a test changes under them. */
import { Bus, type Log } from '../../src/host/bus.ts'
import { NetworkWatcher } from '../../src/host/network.ts'
import type { Interface, NetworkSource, Snapshot } from '../../src/net/interfaces.ts'
import { type BoundListener, Listeners } from '../../src/net/listeners.ts'
import { type NetworkConfig, plan } from '../../src/net/policy.ts'
import { PATIENCE_MS } from '../lab/deadline.ts'
import type { Teardown } from '../namespace.ts'

export const free: NetworkConfig = { only: [], port: 24_747, rules: [] }

export class Watched {
  readonly snapshots: Snapshot[] = []
  readonly sources: NetworkSource[] = []
  readonly log: string[] = []
  /** Each change of what was bound. */
  readonly changes: (readonly BoundListener[])[] = []
  readonly watcher: NetworkWatcher
  readonly listeners: Listeners
  readonly #bus: Bus | undefined
  readonly #waiting = new Set<() => void>()

  /** With an address, watches through that bus; the address may lead nowhere. */
  constructor(t: Teardown, address: string | undefined, config: NetworkConfig = free) {
    const log: Log = (level, text, facts) => {
      this.log.push(`${level} ${text} ${JSON.stringify(facts ?? '')}`)
      this.#tell()
    }
    this.#bus = address === undefined ? undefined : new Bus({ kind: 'system', address, log })
    this.listeners = new Listeners({
      port: config.port,
      log,
      onLink: link => link.destroy(),
      onDatagram: () => {},
      onChange: bound => {
        this.changes.push(bound)
        this.#tell()
      }
    })
    this.watcher = new NetworkWatcher({
      bus: this.#bus,
      log,
      onSource: source => this.sources.push(source),
      onSnapshot: snapshot => {
        this.snapshots.push(snapshot)
        this.listeners.apply(plan(snapshot, config))
        this.#tell()
      }
    })
    t.teardown(() => this.stop())
    this.#bus?.start()
    this.watcher.start()
  }

  async stop(): Promise<void> {
    this.watcher.stop()
    await this.listeners.stop()
    await this.#bus?.close()
  }

  #tell(): void {
    for (const fn of this.#waiting) fn()
  }

  /** Resolves in the moment it holds, with performance.now(); rejects when it never does, with what is. */
  until(what: string, test: () => boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!test()) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(performance.now())
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        const is = JSON.stringify([this.watcher.snapshot, this.listeners.bound])
        reject(new Error(`not within ${PATIENCE_MS} ms: ${what}; ${is}\n${this.log.join('\n')}`))
      }, PATIENCE_MS)
      this.#waiting.add(check)
      check()
    })
  }

  interface(name: string): Interface | undefined {
    return this.watcher.snapshot?.interfaces.find(i => i.name === name)
  }
  has(name: string, address: string): boolean {
    return this.interface(name)?.addresses.some(a => a.address === address) ?? false
  }
  listens(address: string): boolean {
    return this.listeners.bound.some(b => b.address === address)
  }
  source(source: NetworkSource): Promise<number> {
    return this.until(`source ${source}`, () => this.watcher.snapshot?.source === source)
  }
}

/** Median and 95th percentile as text, in milliseconds. */
export function figures(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (p: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]!.toFixed(1)
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, n ${sorted.length}`
}
