/** A stream of pings like those of a person's script, 25 a second: what became of each. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../../src/cli/client.ts'
import type { Host } from './host.ts'

/** Between two calls. */
const PACE_MS = 40

export interface Call {
  /** performance.now() when it was made, and when it was answered. */
  readonly from: number
  readonly to: number
  readonly ok: boolean
  /** Why it failed. */
  readonly why: string
}

/** Calls that wait at once: one that is late holds up no other for long. */
const AT_ONCE = 20

export class Calls {
  readonly all: Call[] = []
  readonly #path: string
  readonly #peer: string
  readonly #going = new Set<Promise<void>>()
  #stopped = false
  readonly #run: Promise<void>
  #waiting: { since: number; resolve: (call: Call) => void }[] = []

  /** From that computer to that peer, until `stop`. */
  constructor(host: Host, peer: string) {
    this.#path = `${host.folder}/run/coterie/coterie.sock`
    this.#peer = peer
    this.#run = this.#call()
  }

  /** The first call made from now on that is answered. */
  next(): Promise<Call> {
    const since = performance.now()
    return new Promise(resolve => this.#waiting.push({ since, resolve }))
  }

  /** Ends when those under way have ended. */
  async stop(): Promise<readonly Call[]> {
    this.#stopped = true
    await this.#run
    await Promise.all(this.#going)
    return this.all
  }

  async #call(): Promise<void> {
    while (!this.#stopped) {
      if (this.#going.size < AT_ONCE) {
        const going = this.#one().then(call => this.#made(call))
        this.#going.add(going)
        void going.then(() => this.#going.delete(going))
      }
      // a test that failed does not stop them, and ends all the same
      await delay(PACE_MS, undefined, { ref: false })
    }
  }

  /** The answer over the session is told as progress; the addresses, which are measured too, are not waited for. */
  async #one(): Promise<Call> {
    const from = performance.now()
    const call = (why: string): Call => ({ from, to: performance.now(), ok: why === '', why })
    let client: Client | undefined
    try {
      client = await Client.open(this.#path)
      const told = Promise.withResolvers<void>()
      const whole = client.call('Ping', { Peer: this.#peer, Count: 1 }, sentence => {
        if (sentence.startsWith('1 of 1')) told.resolve()
      })
      const over = whole.then(({ LatencyUSec }) => {
        if (LatencyUSec.length === 0) throw new Error('not over the session')
      })
      await Promise.race([told.promise, over])
      over.catch(() => {})
      return call('')
    } catch (error) {
      return call((error as Error).message)
    } finally {
      client?.close()
    }
  }

  #made(call: Call): void {
    this.all.push(call)
    for (const waiting of [...this.#waiting]) {
      if (!call.ok || call.from < waiting.since) continue
      this.#waiting = this.#waiting.filter(other => other !== waiting)
      waiting.resolve(call)
    }
  }
}
