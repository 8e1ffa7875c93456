/** Drives device.ts and stranger.ts inside the hosts of a Lan: commands in, reports out, and waiting for one. */
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Carriers } from '../../../src/daemon/network/open-discovery.ts'
import type { DiscoveryState } from '../../../src/net/discovery.ts'
import type { Via } from '../../../src/net/voice.ts'
import { PATIENCE_MS } from '../../lab/deadline.ts'
import type { Order } from './attached.ts'
import type { Command } from './device.ts'
import type { Lan } from './lan.ts'
import type { Shot } from './stranger.ts'

export interface Report {
  readonly at: number
  readonly started?: true
  readonly done?: true
  readonly applied?: true
  readonly log?: string
  readonly heard?: number | 'stranger'
  readonly interface?: string
  readonly source?: string
  readonly via?: string
  readonly port?: number
  readonly state?: Record<string, DiscoveryState>
  readonly counters?: Record<string, number>
  readonly rss?: number
  /** A tcp URI, and what is equal for all addresses of one inviter. */
  readonly found?: string
  readonly inviter?: string
  readonly invited?: boolean
  readonly searched?: boolean
  readonly carriers?: Carriers
  /** attached.ts: how many listeners there are. */
  readonly bound?: number
  /** stranger.ts: bytes that came back. */
  readonly answer?: string
}

class Remote {
  readonly #child: ChildProcess
  #reports: Report[] = []
  #onReport = () => {}
  #stderr = ''

  constructor(lan: Lan, host: string, script: string, args: string[]) {
    const path = new URL(script, import.meta.url).pathname
    this.#child = lan.start(host, process.execPath, path, ...args)
    this.#child.stderr!.on('data', chunk => {
      this.#stderr += String(chunk)
    })
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      this.#reports.push(JSON.parse(line))
      this.#onReport()
    })
    this.#child.on('exit', () => this.#onReport())
  }

  protected write(command: object): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  /** Takes the first report that fits, come or to come. */
  async until(fits: (report: Report) => boolean, what: string): Promise<Report> {
    const end = performance.now() + PATIENCE_MS
    for (;;) {
      const at = this.#reports.findIndex(fits)
      if (at >= 0) return this.#reports.splice(at, 1)[0]!
      if (this.#child.exitCode !== null) throw new Error(`ended while waiting for ${what}: ${this.#stderr}`)
      if (performance.now() > end)
        throw new Error(`no ${what}; reports: ${JSON.stringify(this.#reports)} ${this.#stderr}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, end - performance.now() + 1)
        this.#onReport = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** What has come and was not waited for; forgotten then. */
  drain(): Report[] {
    return this.#reports.splice(0)
  }
}

export class Device extends Remote {
  static async start(lan: Lan, host: string, id: number, key = 9): Promise<Device> {
    const device = new Device(lan, host, 'device.ts', [String(id), String(key)])
    await device.until(({ started }) => started === true, 'start')
    return device
  }

  /** Done when the device has done it; reports from before are forgotten. */
  async tell(command: Command): Promise<void> {
    this.drain()
    this.write(command)
    await this.until(({ done }) => done === true, 'done')
  }

  /** Applies without waiting, so that what is heard at once is not forgotten; the time it happened. */
  async apply(...interfaces: NonNullable<Command['apply']>): Promise<number> {
    this.drain()
    this.write({ apply: interfaces })
    return (await this.until(({ applied }) => applied === true, 'applied')).at
  }

  async hears(who: number | 'stranger', more: { source?: string | RegExp; via?: Via } = {}): Promise<Report> {
    const fits = ({ heard, source, via }: Report) =>
      heard === who &&
      (more.via === undefined || via === more.via) &&
      (more.source instanceof RegExp ? more.source.test(source!) : (more.source ?? source) === source)
    try {
      return await this.until(fits, `announcement of ${who} ${JSON.stringify(more)}`)
    } catch (error) {
      const { state, counters } = await this.state()
      throw new Error(`${(error as Error).message}; it has ${JSON.stringify({ state, counters })}`)
    }
  }

  /** Opens or closes an invitation; when. */
  async invite(open: boolean): Promise<number> {
    this.write({ invite: open })
    return (await this.until(({ invited }) => invited === open, 'invitation')).at
  }

  /** Begins or ends a search; when. What was found before is forgotten. */
  async search(begin: boolean): Promise<number> {
    this.drain()
    this.write({ search: begin })
    return (await this.until(({ searched }) => searched === begin, 'search')).at
  }

  finds(address: string | RegExp): Promise<Report> {
    const fits = (found: string) =>
      address instanceof RegExp ? address.test(found) : found === `tcp://${address}:24747`
    return this.until(({ found }) => found !== undefined && fits(found), `invitation from ${address}`)
  }

  async state(): Promise<Required<Pick<Report, 'state' | 'counters' | 'rss'>>> {
    this.write({ state: true })
    const report = await this.until(({ state }) => state !== undefined, 'state')
    return { state: report.state!, counters: report.counters!, rss: report.rss! }
  }
}

export class Attached extends Remote {
  static async start(lan: Lan, host: string, id: number): Promise<Attached> {
    const attached = new Attached(lan, host, 'attached.ts', [String(id)])
    await attached.until(({ started }) => started === true, 'start')
    return attached
  }

  /** Done when it has done it; what it reports meanwhile stays to be waited for. */
  async tell(order: Order): Promise<Report> {
    this.write(order)
    return this.until(({ done }) => done === true, 'done')
  }
}

export class Stranger extends Remote {
  static async start(lan: Lan, host: string): Promise<Stranger> {
    const stranger = new Stranger(lan, host, 'stranger.ts', [])
    await stranger.until(({ started }) => started === true, 'start')
    return stranger
  }

  /** Sends, and waits until it is sent. */
  async shoot(shot: Shot): Promise<void> {
    this.write(shot)
    await this.until(({ done }) => done === true, 'shot')
  }
}
