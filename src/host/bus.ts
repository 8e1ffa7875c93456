/**
 * A message bus that may come and go: connects, connects again, and keeps match rules, name watches and the
 * served calls across it. Every call ends: with a reply, an error, a timeout, or the loss of the bus.
 */

import { Variant } from 'dbus-next/lib/variant.js'
import { busSockets, defaultAddress } from './bus-address.ts'
import { BusConnection, FLAG, type Incoming, TYPE } from './bus-connection.ts'
import type { Outgoing } from './bus-encode.ts'
import { Matches, type MatchRule } from './bus-matches.ts'

export type { MatchRule }
export { Variant }

export interface BusMessage {
  sender: string
  path: string
  interface: string
  member: string
  signature: string
  body: unknown[]
  /** The sender expects a reply. */
  reply: boolean
}
export interface BusCall {
  destination: string
  path: string
  interface: string
  member: string
  signature?: string
  body?: unknown[]
  /** Default 5000. */
  timeoutMs?: number
  /** Default true: the bus may start the service. */
  autoStart?: boolean
}
export interface BusReply {
  signature: string
  body: unknown[]
}
export interface BusSignal {
  path: string
  interface: string
  member: string
  signature: string
  body: unknown[]
  /** A unique name: to that client only. */
  destination?: string
}
export type Log = (level: 'debug' | 'info' | 'warn' | 'error', text: string, facts?: object) => void
type Done = (error: BusError | undefined, body: unknown[]) => void

const DBUS = 'org.freedesktop.DBus'
const ERROR = `${DBUS}.Error`
const driver = { destination: DBUS, path: '/org/freedesktop/DBus', interface: DBUS }
const ALLOW_REPLACEMENT = 1
const DO_NOT_QUEUE = 4
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
const HELLO_TIMEOUT_MS = 10_000

/** An error as D-Bus names it: `org.freedesktop.DBus.Error.*` or a service's own. */
export class BusError extends Error {
  override name = 'BusError'
  readonly errorName: string
  constructor(errorName: string, message: string) {
    super(message)
    this.errorName = errorName
  }
}

/** Unwraps Variants deeply; 64-bit integers become numbers. */
export function plain(value: unknown): unknown {
  if (value instanceof Variant) return plain(value.value)
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
}

export class Bus {
  /** Signals sent so far. */
  signals = 0
  readonly #kind: string
  readonly #address: string
  readonly #log: Log
  readonly #up: (() => void)[] = []
  readonly #down: (() => void)[] = []
  readonly #pending = new Map<number, { done: Done; timer: NodeJS.Timeout }>()
  readonly #matches: Matches
  #handler: (m: BusMessage) => Promise<BusReply | undefined> = async () => undefined
  #connection: BusConnection | undefined
  #uniqueName = ''
  #serial = 0
  #pauseMs = 0
  #retry: NodeJS.Timeout | undefined
  #started = false
  /** The first attempt to connect has ended. */
  #attempted = false

  constructor(options: { kind: 'session' | 'system'; address?: string; log: Log }) {
    this.#kind = options.kind
    this.#address = options.address ?? defaultAddress(options.kind)
    this.#log = options.log
    this.#matches = new Matches({
      ask: (member, argument, done) =>
        this.#call({ ...driver, member, signature: 's', body: [argument] }, done),
      guard: fn => this.#guard(fn),
      failed: (text, rule) => this.#log('warn', text, { rule })
    })
  }

  get connected(): boolean {
    return this.#uniqueName !== ''
  }
  /** Our name on the bus, `:1.42`; '' while not connected. */
  get uniqueName(): string {
    return this.#uniqueName
  }

  /** Connects, and again (0.25 s, doubling to 30 s) whenever the bus is lost. */
  start(): void {
    if (this.#started) return
    this.#started = true
    this.#connect()
  }

  /** Called after each connecting, when match rules are in place again. */
  onUp(fn: () => void): void {
    this.#up.push(fn)
  }
  /** Called when the bus is lost, and when the first attempt to connect fails. */
  onDown(fn: () => void): void {
    this.#down.push(fn)
  }

  /** The reply's arguments; rejects BusError. */
  call(c: BusCall): Promise<unknown[]> {
    return new Promise((resolve, reject) =>
      this.#call(c, (error, body) => (error ? reject(error) : resolve(body)))
    )
  }

  /** Signals that fit, across reconnects. Returns the function that ends it. */
  match(rule: MatchRule, fn: (m: BusMessage) => void): () => void {
    return this.#matches.match(rule, m => fn(seen(m)))
  }

  /**
   * The present owner first, then each change; '' while there is none or no bus. Before the first attempt to
   * connect has ended nothing is told.
   */
  watchName(name: string, fn: (owner: string) => void): () => void {
    return this.#matches.watchName(name, fn)
  }

  /**
   * Asks once, without queueing; ask again in onUp, or when watchName says that the name is free. `replaceable`:
   * others may take it away.
   */
  async requestName(name: string, { replaceable = false } = {}): Promise<'owned' | 'taken'> {
    const flags = DO_NOT_QUEUE | (replaceable ? ALLOW_REPLACEMENT : 0)
    const [answer] = await this.call({
      ...driver,
      member: 'RequestName',
      signature: 'su',
      body: [name, flags]
    })
    return answer === 1 || answer === 4 ? 'owned' : 'taken'
  }

  async releaseName(name: string): Promise<void> {
    await this.call({ ...driver, member: 'ReleaseName', signature: 's', body: [name] })
  }

  /**
   * All method calls to us. `undefined` answers UnknownMethod; a thrown BusError goes to the caller, anything
   * else is logged and goes as "internal error".
   */
  serve(handler: (m: BusMessage) => Promise<BusReply | undefined>): void {
    this.#handler = handler
  }

  /** Sends a signal; nothing happens while there is no bus. */
  emit(signal: BusSignal): void {
    if (!this.connected) return
    this.signals++
    this.#send({ type: TYPE.signal, flags: FLAG.noReply, ...signal })
  }

  async close(): Promise<void> {
    this.#started = false
    clearTimeout(this.#retry)
    const connection = this.#connection
    if (!connection) return
    await new Promise<void>(resolve => {
      const last = setTimeout(() => connection.destroy('closing'), 500)
      const onClose = connection.onClose
      connection.onClose = reason => {
        clearTimeout(last)
        onClose(reason)
        resolve()
      }
      connection.end()
    })
  }

  #connect(): void {
    const sockets = busSockets(this.#address, process.env['XDG_RUNTIME_DIR'])
    if (sockets.length === 0) this.#lost(`no usable address in ${JSON.stringify(this.#address)}`)
    else this.#try(sockets)
  }

  #try(sockets: string[]): void {
    const [path = '', ...others] = sockets
    let ready = false
    const connection = new BusConnection(path, () => {
      ready = true
      this.#call({ ...driver, member: 'Hello', timeoutMs: HELLO_TIMEOUT_MS }, (error, body) => {
        if (error) connection.destroy(error.message)
        else this.#connected(String(body[0]))
      })
    })
    const slow = setTimeout(() => connection.destroy('the bus does not answer'), HELLO_TIMEOUT_MS)
    this.#connection = connection
    connection.onMessage = m => {
      clearTimeout(slow)
      this.#guard(() => this.#receive(m))
    }
    connection.onClose = reason => {
      clearTimeout(slow)
      this.#connection = undefined
      if (!ready && others.length > 0 && this.#started) this.#try(others)
      else this.#lost(reason)
    }
  }

  #connected(name: string): void {
    this.#uniqueName = name
    this.#pauseMs = 0
    this.#log('debug', `connected to the ${this.#kind} bus`, { name })
    this.#attempted = true
    this.#matches.up()
    for (const fn of this.#up) this.#guard(fn)
  }

  #lost(reason: string): void {
    const was = this.connected
    const news = was || !this.#attempted
    this.#attempted = true
    this.#uniqueName = ''
    for (const [serial, { done, timer }] of this.#pending) {
      this.#pending.delete(serial)
      clearTimeout(timer)
      this.#guard(() => done(new BusError(`${ERROR}.Disconnected`, `the ${this.#kind} bus is gone`), []))
    }
    if (news) {
      this.#matches.down()
      for (const fn of this.#down) this.#guard(fn)
    }
    if (!this.#started) return
    this.#log(was ? 'warn' : news ? 'info' : 'debug', `no ${this.#kind} bus: ${reason}`)
    this.#pauseMs = Math.min(this.#pauseMs * 2 || FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    this.#retry = setTimeout(() => this.#connect(), this.#pauseMs)
  }

  #receive(m: Incoming): void {
    if (m.type === TYPE.reply || m.type === TYPE.error) {
      const waiting = this.#pending.get(m.replySerial)
      if (!waiting) return
      this.#pending.delete(m.replySerial)
      clearTimeout(waiting.timer)
      if (m.type === TYPE.error) waiting.done(new BusError(m.errorName, String(m.body[0] ?? '')), [])
      else if (m.unread) waiting.done(new BusError(`${ERROR}.LimitsExceeded`, `reply ${m.unread}`), [])
      else waiting.done(undefined, m.body)
    } else if (m.type === TYPE.signal) {
      if (!m.unread) this.#matches.receive(m)
    } else if (m.type === TYPE.call) {
      void this.#answer(m)
    }
  }

  async #answer(m: Incoming): Promise<void> {
    const reply = { destination: m.sender, replySerial: m.serial, flags: FLAG.noReply }
    // A reply that comes after the bus came back would reach whoever has the caller's name now.
    const connection = this.#connection
    const wanted = () => !(m.flags & FLAG.noReply) && connection === this.#connection
    try {
      if (m.unread) throw new BusError(`${ERROR}.InvalidArgs`, `the message cannot be read: ${m.unread}`)
      const result = await this.#handler(seen(m))
      if (!result) throw new BusError(`${ERROR}.UnknownMethod`, `no method ${m.interface}.${m.member}`)
      if (wanted()) this.#send({ type: TYPE.reply, ...reply, ...result }, true)
    } catch (error) {
      const known = error instanceof BusError
      if (!known) this.#log('error', 'a D-Bus call failed', { member: m.member, error })
      const errorName = known ? error.errorName : `${ERROR}.Failed`
      const text = known ? error.message.replaceAll('\0', '\ufffd') : 'internal error'
      if (wanted()) this.#send({ type: TYPE.error, ...reply, errorName, signature: 's', body: [text] })
    }
  }

  #call(c: BusCall, done: Done): void {
    const { timeoutMs = 5000, autoStart = true, ...fields } = c
    const hello = c.member === 'Hello' && c.destination === DBUS
    if (!this.#connection || !(this.connected || hello)) {
      done(new BusError(`${ERROR}.Disconnected`, `not connected to the ${this.#kind} bus`), [])
      return
    }
    try {
      const serial = this.#send({ type: TYPE.call, flags: autoStart ? 0 : FLAG.noAutoStart, ...fields }, true)
      const late = () => {
        this.#pending.delete(serial)
        done(new BusError(`${ERROR}.Timeout`, `no answer to ${c.member} within ${timeoutMs} ms`), [])
      }
      this.#pending.set(serial, { done, timer: setTimeout(late, timeoutMs) })
    } catch (error) {
      done(new BusError(`${ERROR}.InvalidArgs`, String(error)), [])
    }
  }

  /** Returns the serial. What cannot be said on D-Bus is our mistake: logged, or thrown with `strict`. */
  #send(fields: Outgoing, strict = false): number {
    this.#serial = (this.#serial % 0xffffffff) + 1
    try {
      this.#connection?.send(fields, this.#serial)
    } catch (error) {
      if (strict) throw error
      this.#log('error', 'a D-Bus message could not be made', { error, fields })
    }
    return this.#serial
  }

  #guard(fn: () => void): void {
    try {
      fn()
    } catch (error) {
      this.#log('error', 'a D-Bus listener failed', { error })
    }
  }
}

const seen = (m: Incoming): BusMessage => ({
  sender: m.sender,
  path: m.path,
  interface: m.interface,
  member: m.member,
  signature: m.signature,
  body: m.body,
  reply: !(m.flags & FLAG.noReply)
})
