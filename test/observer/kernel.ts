/**
 * Computers on LANs in one process and in simulated time: the kernel's UDP sockets, timers and clocks are
 * replaced, nothing above them is. Whatever a computer sends is kept as an observer on that LAN sees it.
 */
import dgram from 'node:dgram'
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import { generator } from '../random.ts'
import { Clock } from '../sim/clock.ts'

const DELAY_MS = 1
/** Of Linux: source ports that the kernel chooses. */
const [FIRST_PORT, PORTS] = [32_768, 28_232]

/** A packet that was sent. */
export interface Seen {
  readonly at: number
  readonly host: string
  readonly lan: string
  readonly mac: string
  readonly source: string
  readonly sourcePort: number
  readonly payload: Buffer
}

export interface Card {
  readonly host: string
  /** Of all computers: no two have a card of one name. */
  readonly name: string
  readonly lan: string
  readonly mac: string
  readonly four: string
  readonly six: string
}

export class Kernel {
  readonly clock = new Clock()
  readonly seen: Seen[] = []
  readonly cards = new Map<string, Card>()
  readonly sockets = new Set<Socket>()
  /** A payload as it leaves, for tampering. */
  leaves: (payload: Buffer, card: Card, port: number) => Buffer = payload => payload
  /** The source port for a socket that wants any. */
  port: (card: Card) => number
  readonly random: () => number

  constructor(seed: number) {
    this.random = generator(seed)
    this.port = () => FIRST_PORT + Math.floor(this.random() * PORTS)
  }

  /** Runs what is given with this kernel instead of the real one, and time from `start` on (ms since 1970). */
  async during<T>(start: number, act: () => Promise<T>): Promise<T> {
    const { clock } = this
    const before = {
      createSocket: dgram.createSocket,
      networkInterfaces: os.networkInterfaces,
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
      wall: Date.now,
      now: performance.now,
      random: Math.random
    }
    const after = (repeat: boolean) => (act: () => void, ms: number) => {
      let cancel = () => {}
      const plan = () => {
        cancel = clock.after(Math.max(1, ms), () => {
          if (repeat) plan()
          act()
        })
      }
      plan()
      const timer = { cancel: () => cancel(), unref: () => timer, ref: () => timer }
      return timer
    }
    const cancel = (timer?: { cancel?: () => void }) => timer?.cancel?.()
    Object.assign(globalThis, {
      setTimeout: after(false),
      clearTimeout: cancel,
      setInterval: after(true),
      clearInterval: cancel
    })
    Date.now = () => start + clock.now
    performance.now = () => clock.now
    Math.random = this.random
    const open = (options: { type: 'udp4' | 'udp6' }) => new Socket(this, options.type)
    dgram.createSocket = open as unknown as typeof dgram.createSocket
    os.networkInterfaces = () => ({})
    syncBuiltinESMExports()
    try {
      return await act()
    } finally {
      dgram.createSocket = before.createSocket
      os.networkInterfaces = before.networkInterfaces
      Date.now = before.wall
      performance.now = before.now
      Math.random = before.random
      const { setTimeout, clearTimeout, setInterval, clearInterval } = before
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval })
      syncBuiltinESMExports()
    }
  }

  sent(from: Socket, payload: Buffer, target: string, targetPort: number): void {
    const card = from.card
    if (card === undefined) return
    const source = from.six ? card.six : card.four
    const bytes = this.leaves(payload, card, from.port)
    const { host, lan, mac } = card
    this.seen.push({ at: this.clock.now, host, lan, mac, source, sourcePort: from.port, payload: bytes })
    const [to] = target.split('%') as [string]
    this.clock.after(DELAY_MS, () => {
      for (const socket of [...this.sockets]) {
        const at = socket.card
        if (at === undefined || at.lan !== lan || socket.address !== to || socket.port !== targetPort)
          continue
        const scope = from.six ? `%${at.name}` : ''
        socket.emit('message', Buffer.from(bytes), { address: source + scope, port: from.port })
      }
    })
  }
}

/** The part of dgram.Socket that is used. */
class Socket extends EventEmitter {
  readonly six: boolean
  address = ''
  port = 0
  readonly #kernel: Kernel
  #through = ''

  constructor(kernel: Kernel, type: 'udp4' | 'udp6') {
    super()
    this.#kernel = kernel
    this.six = type === 'udp6'
  }

  get card(): Card | undefined {
    return this.#kernel.cards.get(this.#through)
  }

  bind(port: number, address: string): void {
    const [bare, scope] = address.split('%') as [string, string?]
    this.address = bare
    const cards = [...this.#kernel.cards.values()]
    this.#through = scope ?? cards.find(({ four }) => four === bare)?.name ?? ''
    this.port = port || this.#kernel.port(this.card!)
    this.#kernel.sockets.add(this)
    queueMicrotask(() => {
      if (this.#kernel.sockets.has(this)) this.emit('listening')
    })
  }

  setMulticastInterface(through: string): void {
    const cards = [...this.#kernel.cards.values()]
    this.#through = through.split('%')[1] ?? cards.find(({ four }) => four === through)!.name
  }
  setMulticastTTL(): void {}
  setMulticastLoopback(): void {}
  addMembership(): void {}

  send(payload: Uint8Array, port: number, address: string, done: (error: Error | null) => void): void {
    this.#kernel.sent(this, Buffer.from(payload), address, port)
    done(null)
  }

  close(): void {
    this.#kernel.sockets.delete(this)
    queueMicrotask(() => this.emit('close'))
  }
}
