/**
 * multicast-dns as a coder between bytes and DNS packets. It gets no socket: what it sends and receives
 * goes through our own guards (net/multicast.ts). Its decoder throws nothing out of here.
 */
import { EventEmitter } from 'node:events'
import multicastDns, { type Packet } from 'multicast-dns'

export interface DnsCoderOptions {
  readonly send: (bytes: Uint8Array) => void
  readonly onQuery: (packet: Packet, source: string, port: number) => void
  readonly onResponse: (packet: Packet, source: string, port: number) => void
  readonly onMalformed: () => void
}

type Sender = { address: string; port: number }

export class DnsCoder {
  readonly #socket = new EventEmitter()
  readonly #dns
  readonly #onMalformed: () => void

  constructor({ send, onQuery, onResponse, onMalformed }: DnsCoderOptions) {
    this.#onMalformed = onMalformed
    Object.assign(this.#socket, {
      send: (bytes: Buffer, _from: number, _size: number, _port: number, _to: string, done: () => void) => {
        send(bytes)
        done()
      }
    })
    this.#dns = multicastDns({ socket: this.#socket, bind: false, multicast: false })
    this.#dns.on('warning', onMalformed)
    this.#dns.on('query', (packet: Packet, from: Sender) => onQuery(packet, from.address, from.port))
    this.#dns.on('response', (packet: Packet, from: Sender) => onResponse(packet, from.address, from.port))
  }

  receive(datagram: Uint8Array, address: string, port: number): void {
    if (plausible(datagram)) this.#socket.emit('message', datagram, { address, port })
    else this.#onMalformed()
  }

  query(packet: Packet): void {
    this.#dns.query(packet)
  }

  respond(packet: Packet): void {
    this.#dns.respond(packet)
  }
}

/**
 * Whether so many questions (5 bytes at least) and records (11) as the header counts can be in it. The decoder
 * starts again from the first byte after certain overlong TXT records, once for each that is counted: with
 * counts of 65,535 a packet of 23 bytes takes 0.1 s and 100 MB.
 */
function plausible(datagram: Uint8Array): boolean {
  if (datagram.length < 12) return false
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength)
  const records = view.getUint16(6) + view.getUint16(8) + view.getUint16(10)
  return 12 + 5 * view.getUint16(4) + 11 * records <= datagram.length
}
