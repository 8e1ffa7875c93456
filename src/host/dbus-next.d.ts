// The fork ships its types under its own package name; these are the parts used, by file.
declare module 'dbus-next/lib/variant.js' {
  export class Variant<T = unknown> {
    signature: string
    value: T
    constructor(signature: string, value: T)
  }
}
declare module 'dbus-next/lib/message-type.js' {
  export interface Fields {
    type: number
    serial: number
    flags?: number
    path?: string
    interface?: string
    member?: string
    errorName?: string
    replySerial?: number
    destination?: string
    signature?: string
    body?: unknown[]
  }
  /** The constructor checks names and paths and throws Error. */
  export class Message {
    constructor(fields: Fields)
  }
}
declare module 'dbus-next/lib/marshall-compat.js' {
  import type { Message } from 'dbus-next/lib/message-type.js'
  export function marshallMessage(message: Message): [Buffer, unknown[]]
  export function messageToJsFmt(message: { signature: string; body: unknown[] }): { body: unknown[] }
}
declare module 'dbus-next/lib/dbus-buffer.js' {
  export default class DBusBuffer {
    constructor(buffer: Uint8Array, start: number, endian: number, fds: null, options: object)
    read(signature: string): unknown[]
    align(power: number): void
  }
}
