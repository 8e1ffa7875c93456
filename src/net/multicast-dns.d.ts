/** The part of multicast-dns 7 that is used here: its coder, on a socket of ours. */
declare module 'multicast-dns' {
  import type { EventEmitter } from 'node:events'
  export type Answer = {
    readonly name: string
    readonly type: string
    readonly class?: string
    readonly ttl?: number
    readonly flush?: boolean
    readonly data?: unknown
  }
  export type Packet = {
    readonly id?: number
    readonly type?: 'query' | 'response'
    readonly flags?: number
    readonly opcode?: string
    readonly rcode?: string
    readonly questions?: readonly { readonly name: string; readonly type: string; readonly class?: string }[]
    readonly answers?: readonly Answer[]
    readonly additionals?: readonly Answer[]
  }
  export interface MulticastDns extends EventEmitter {
    query(packet: Packet, callback?: (error?: Error) => void): void
    respond(packet: Packet, callback?: (error?: Error) => void): void
    destroy(callback?: () => void): void
  }
  export default function multicastDns(options: {
    readonly socket: EventEmitter
    readonly type: 'udp4' | 'udp6'
    readonly ip: string
    readonly interface: string
    readonly port: number
    readonly bind: false
    readonly multicast: false
  }): MulticastDns
}
