/** The part of multicast-dns 7 that is used here: its coder, on a socket of ours. */
declare module 'multicast-dns' {
  import type { EventEmitter } from 'node:events'
  export interface Answer {
    readonly name: string
    readonly type: string
    readonly ttl?: number
    readonly data?: unknown
  }
  export interface Packet {
    readonly type?: 'query' | 'response'
    readonly opcode?: string
    readonly rcode?: string
    readonly questions?: readonly { readonly name: string; readonly type: string }[]
    readonly answers?: readonly Answer[]
    readonly additionals?: readonly Answer[]
  }
  export interface MulticastDns extends EventEmitter {
    query(packet: Packet): void
    respond(packet: Packet): void
  }
  export default function multicastDns(options: {
    readonly socket: EventEmitter
    readonly bind: false
    readonly multicast: false
  }): MulticastDns
}
