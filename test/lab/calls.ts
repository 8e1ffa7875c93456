/** A stream of pings like those of a person's script, one behind the other, 50 a second: what became of each. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../../src/cli/client.ts'
import type { Host } from './host.ts'

/** Between an answer and the next call: the computer is not there for this alone. */
const PACE_MS = 20

export interface Call {
  /** performance.now() when it was made, and when it was answered. */
  readonly from: number
  readonly to: number
  readonly ok: boolean
  /** The address it says it used, or why it failed. */
  readonly said: string
}

export class Calls {
  readonly all: Call[] = []
  readonly #client: Client
  readonly #peer: string
  #stopped = false
  readonly #run: Promise<void>
  #waiting: { holds: (call: Call) => boolean; resolve: (call: Call) => void }[] = []

  private constructor(client: Client, peer: string) {
    this.#client = client
    this.#peer = peer
    this.#run = this.#ask()
  }

  /** From that computer to that peer, until `stop`. */
  static async begin(host: Host, peer: string): Promise<Calls> {
    return new Calls(await Client.open(`${host.folder}/run/coterie/coterie.sock`), peer)
  }

  /** The first call made from now on of which that is true. */
  next(holds: (call: Call) => boolean): Promise<Call> {
    return new Promise(resolve => this.#waiting.push({ holds, resolve }))
  }

  /** Ends after the call under way. */
  async stop(): Promise<readonly Call[]> {
    this.#stopped = true
    await this.#run
    this.#client.close()
    return this.all
  }

  async #ask(): Promise<void> {
    while (!this.#stopped) {
      const from = performance.now()
      const made = new Set(this.#waiting)
      let call: Call
      try {
        const { Address, LatencyUSec } = await this.#client.call('Ping', { Peer: this.#peer })
        call = { from, to: performance.now(), ok: LatencyUSec.length === 1, said: Address }
      } catch (error) {
        call = { from, to: performance.now(), ok: false, said: (error as Error).message }
      }
      this.all.push(call)
      for (const waiting of made) {
        if (!waiting.holds(call)) continue
        this.#waiting = this.#waiting.filter(other => other !== waiting)
        waiting.resolve(call)
      }
      await delay(PACE_MS)
    }
  }
}
