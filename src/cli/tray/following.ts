/**
 * A picture of the daemon that stays true. Whether it runs is read from the bus, which starts nothing; only while its
 * name has an owner is the socket connected, because connecting would start a daemon that its user has stopped.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { INTERFACE, type Result, ROOT } from '../../api/api.ts'
import type { Bus } from '../../host/bus.ts'
import { Client } from '../client.ts'

/** Of latencies only what a person would notice, and not often: states are told at once all the same. */
const WISH = { All: true, LatencyPercent: 50, IntervalUSec: 1_000_000 }
/** Its name is there and its socket is not: it is about to come, or about to go. */
const AGAIN_MS = 1_000
/** A host waits for an answer before it shows the menu. */
const PATIENCE_MS = 1_000

type Status = Result<'Status'>

export class Following {
  /** As it was last; undefined while it is not running. */
  status: Status | undefined
  readonly #bus: Bus
  readonly #socket: string
  readonly #onChange: () => void
  #owner = ''
  #stream: Client | undefined
  #calls: Client | undefined
  #look: Promise<void> | undefined
  #stale = false

  constructor(bus: Bus, socket: string, onChange: () => void) {
    this.#bus = bus
    this.#socket = socket
    this.#onChange = onChange
  }

  start(): void {
    this.#bus.watchName(INTERFACE, owner => {
      this.#owner = owner
      this.#close()
      if (owner === '') this.#set(undefined)
      else void this.#follow(owner)
    })
    const changed = { interface: 'org.freedesktop.DBus.Properties', member: 'PropertiesChanged' }
    this.#bus.match({ sender: INTERFACE, path: ROOT, ...changed }, () => void this.#again())
  }

  /** Looks anew; resolves soon in any case. */
  async refresh(): Promise<void> {
    await Promise.race([this.#again(), delay(PATIENCE_MS, undefined, { ref: false })])
  }

  async #follow(owner: string): Promise<void> {
    while (this.#owner === owner) {
      const clients: Client[] = []
      try {
        for (let i = 0; i < 2; i++) clients.push(await Client.open(this.#socket))
        if (this.#owner !== owner) return
        ;[this.#stream, this.#calls] = clients
        for await (const _told of clients[0]!.stream('Subscribe', WISH)) void this.#again()
      } catch {
        // it went away, or is not there yet
      } finally {
        for (const client of clients) client.close()
      }
      if (this.#owner !== owner) return
      this.#set(undefined)
      await delay(AGAIN_MS)
    }
  }

  /** At least one look begins after this was called; never rejects. */
  #again(): Promise<void> {
    this.#stale = true
    this.#look ??= this.#all()
    return this.#look
  }

  async #all(): Promise<void> {
    while (this.#stale) {
      this.#stale = false
      const client = this.#calls
      try {
        const status = await client?.call('Status', { All: true })
        if (client !== this.#calls) continue
        this.#set(status)
      } catch {
        // then the stream ends too
      }
    }
    this.#look = undefined
  }

  #close(): void {
    this.#stream?.close()
    this.#calls?.close()
    this.#stream = this.#calls = undefined
  }

  #set(status: Status | undefined): void {
    this.status = status
    this.#onChange()
  }
}
