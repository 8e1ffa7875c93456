/**
 * One connection to a message bus: the socket, EXTERNAL authentication and framing (D-Bus specification,
 * "Authentication Protocol", "Message Format"). dbus-next unmarshals; its own connection is not used because
 * what it cannot decode (a file descriptor index without descriptors, which any client may send) ends the
 * process, and because it reads messages of any size into memory.
 */

import { connect, type Socket } from 'node:net'
import DBusBuffer from 'dbus-next/lib/dbus-buffer.js'
import { messageToJsFmt } from 'dbus-next/lib/marshall-compat.js'
import { encode, type Outgoing } from './bus-encode.ts'

export const TYPE = { call: 1, reply: 2, error: 3, signal: 4 } as const
export const FLAG = { noReply: 1, noAutoStart: 2 } as const

/** A message as it came; absent header fields are ''. */
export interface Incoming {
  type: number
  flags: number
  serial: number
  replySerial: number
  path: string
  interface: string
  member: string
  errorName: string
  sender: string
  signature: string
  body: unknown[]
  /** Why the body was not read; '' when it was. */
  unread: string
}

/** Longer messages are skipped without being held in memory: calls to us, and all others. */
const LONGEST_CALL = 1536 * 1024
const LONGEST = 16 * 1024 * 1024
/** A bus that does not read is given up when this much waits for it. */
const MOST_WAITING = 64 * 1024 * 1024
const LONGEST_HEADER = 256 * 1024

export class BusConnection {
  onMessage: (message: Incoming) => void = () => {}
  /** Called once, however the connection ends. */
  onClose: (reason: string) => void = () => {}
  readonly #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  #skip = 0
  #ready = false
  #corked = false
  #reason = 'closed by the bus'

  /** `onReady` is called when authenticated; messages may be sent from then on. */
  constructor(path: string, onReady: () => void) {
    this.#socket = connect({ path })
    this.#socket.on('connect', () => this.#socket.write('\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n'))
    this.#socket.on('data', chunk => {
      try {
        this.#rest = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk
        if (!this.#ready && !this.#authenticate(onReady)) return
        while (this.#next());
      } catch (error) {
        this.destroy(String(error))
      }
    })
    this.#socket.on('error', error => {
      this.#reason = error.message
    })
    this.#socket.on('close', () => this.onClose(this.#reason))
  }

  /** Throws Error when a name, path or value cannot be said on D-Bus. */
  send(message: Outgoing, serial: number): void {
    const bytes = encode(message, serial)
    if (this.#socket.destroyed || !this.#socket.writable) return
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(bytes)
    if (this.#socket.writableLength > MOST_WAITING) this.destroy('the bus does not read')
  }

  /** Sends what waits, then closes. */
  end(): void {
    this.#socket.end()
  }

  destroy(reason: string): void {
    this.#reason = reason
    this.#socket.destroy()
  }

  #authenticate(onReady: () => void): boolean {
    for (;;) {
      const end = this.#rest.indexOf('\r\n')
      if (end < 0) {
        if (this.#rest.length > 1024) this.destroy('no D-Bus at that socket')
        return false
      }
      const line = this.#rest.toString('latin1', 0, end)
      this.#rest = this.#rest.subarray(end + 2)
      if (line === 'DATA') continue
      if (!line.startsWith('OK ')) {
        this.destroy(`the bus refuses this user (${line.slice(0, 80)})`)
        return false
      }
      this.#ready = true
      onReady()
      return true
    }
  }

  /** Takes one message off the buffer; false when more bytes are needed. */
  #next(): boolean {
    if (this.#skip > 0) {
      const n = Math.min(this.#skip, this.#rest.length)
      this.#skip -= n
      this.#rest = this.#rest.subarray(n)
      if (this.#skip > 0) return false
    }
    const rest = this.#rest
    if (rest.length < 16) return false
    const little = rest[0] === 0x6c
    const u32 = (at: number) => (little ? rest.readUInt32LE(at) : rest.readUInt32BE(at))
    const header = 16 + ((u32(12) + 7) & ~7)
    if (u32(12) > LONGEST_HEADER) throw new Error('the bus sends no D-Bus messages')
    const length = header + u32(4)
    const tooLong = length > (rest[1] === TYPE.call ? LONGEST_CALL : LONGEST)
    if (rest.length < (tooLong ? header : length)) return false
    this.#rest = rest.subarray(tooLong ? header : length)
    if (tooLong) this.#skip = length - header
    this.onMessage(decode(rest.subarray(0, tooLong ? header : length), tooLong))
    return true
  }
}

function decode(bytes: Buffer, tooLong: boolean): Incoming {
  const buffer = new DBusBuffer(bytes, 0, bytes[0] as number, null, {})
  const head = buffer.read('yyyyuua(yv)')
  // [code, [type tree, [value]]]
  const fields = new Map(
    (head[6] as [number, [unknown, [unknown]]][]).map(([code, variant]) => [code, variant[1][0]])
  )
  const text = (code: number) => String(fields.get(code) ?? '')
  const message: Incoming = {
    type: head[1] as number,
    flags: head[2] as number,
    serial: head[5] as number,
    replySerial: Number(fields.get(5) ?? 0),
    path: text(1),
    interface: text(2),
    member: text(3),
    errorName: text(4),
    sender: text(7),
    signature: text(8),
    body: [],
    unread: tooLong ? 'it is too long' : ''
  }
  if (tooLong || message.signature === '') return message
  try {
    buffer.align(3)
    const { signature } = message
    message.body = messageToJsFmt({ signature, body: buffer.read(signature) }).body
  } catch (error) {
    message.unread = error instanceof Error ? error.message : String(error)
  }
  return message
}
