/**
 * A UDP socket for one place. It sends to one multicast group by that interface only, and gives on only what
 * came from a source on its link, in size and within the limits. Two kinds:
 *
 * - `group`: bound to the group address, so that it hears the group beside other programs (SO_REUSEADDR) and
 *   never takes unicast from them;
 * - `own`: bound to our address there and a port of the kernel's choice, to speak and to hear answers.
 *
 * IPv6 sockets are bound to the interface by their scope; IPv4 sends by IP_MULTICAST_IF.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { Limits } from './limits.ts'
import { onLink, type Place } from './place.ts'
import type { Tally } from './tally.ts'
import type { Traffic } from './voice.ts'

/** When it was said is remembered of so many, at least so far apart: a burst is one. */
const SAID_KEPT = 16
const SAID_APART_MS = 50

export interface Group {
  /** Without scope. */
  readonly address: string
  readonly port: number
  /** Hops of what is sent to it. */
  readonly ttl: number
}

export interface MulticastSocketOptions {
  readonly place: Place
  readonly group: Group
  /** All must allow. */
  readonly limits: readonly Limits[]
  readonly kind: 'group' | 'own'
  /** Longest datagram that is looked at. */
  readonly limit: number
  /** Cheap first look: false = not for us, dropped before it counts against the limits. */
  readonly concerns: (datagram: Buffer) => boolean
  readonly onDatagram: (datagram: Buffer, source: string, port: number) => void
  readonly onDrop: (why: 'offLink' | 'oversized' | 'limited') => void
  readonly tally: Tally
}

export class MulticastSocket {
  /** Settles when the socket is open, or will not be; never rejects. */
  readonly opened: Promise<void>
  readonly #options: MulticastSocketOptions
  readonly #socket: Socket
  #open = false
  #closed = false
  #failure = ''
  #sending = ''
  #traffic: Traffic = { said: [], own: -Infinity, others: -Infinity }

  constructor(options: MulticastSocketOptions) {
    this.#options = options
    const six = options.place.family === 'ipv6'
    this.#socket = createSocket({
      type: six ? 'udp6' : 'udp4',
      reuseAddr: options.kind === 'group',
      ipv6Only: six
    })
    this.#socket.on('message', (datagram, from) => this.#receive(datagram, from.address, from.port))
    this.opened = new Promise(resolve => {
      this.#socket.on('error', error => {
        this.#fail(error)
        resolve()
      })
      this.#socket.on('close', resolve)
      this.#socket.on('listening', () => {
        try {
          this.#configure()
          this.#open = true
        } catch (error) {
          this.#fail(error)
        }
        resolve()
      })
    })
    const address = options.kind === 'group' ? options.group.address : options.place.address
    try {
      this.#socket.bind(options.kind === 'group' ? options.group.port : 0, this.#scoped(address))
    } catch (error) {
      this.#fail(error)
    }
  }

  /** '' while it works, else why not. */
  get state(): string {
    return this.#failure || this.#sending
  }

  /** Of the whole group, whatever it was about. */
  get traffic(): Traffic {
    return this.#traffic
  }

  /** Sends to the group, or to one on-link address. Silently nothing when the socket is not open. */
  send(datagram: Uint8Array, to?: { readonly address: string; readonly port: number }): void {
    if (!this.#open) return
    const { group, tally } = this.#options
    tally.multicastSent++
    tally.multicastBytesSent += datagram.length
    if (to === undefined) this.#remember(performance.now())
    this.#socket.send(datagram, to?.port ?? group.port, to?.address ?? this.#scoped(group.address), error => {
      this.#sending = error ? `sending fails: ${reason(error, group.port)}` : ''
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#open = false
    this.#socket.close()
  }

  #configure(): void {
    const { place, group, kind } = this.#options
    const through = place.family === 'ipv6' ? `::%${place.interface}` : place.address
    this.#socket.setMulticastInterface(through)
    this.#socket.setMulticastTTL(group.ttl)
    this.#socket.setMulticastLoopback(true)
    if (kind === 'group') this.#socket.addMembership(group.address, through)
  }

  #remember(now: number): void {
    const { said } = this.#traffic
    if (now - (said.at(-1) ?? -Infinity) < SAID_APART_MS) return
    this.#traffic = { ...this.#traffic, said: [...said.slice(1 - SAID_KEPT), now] }
  }

  #receive(datagram: Buffer, source: string, port: number): void {
    const { place, limits, limit, concerns, onDrop, onDatagram, tally } = this.#options
    if (!this.#open) return
    tally.multicastHeard++
    tally.multicastBytesHeard += datagram.length
    if (!onLink(place, source)) {
      onDrop('offLink')
      return
    }
    const bare = source.split('%')[0]
    const own = place.prefixes.some(({ address }) => address === bare)
    this.#traffic = { ...this.#traffic, [own ? 'own' : 'others']: performance.now() }
    if (datagram.length > limit) onDrop('oversized')
    else if (concerns(datagram)) {
      if (limits.every(one => one.allow(performance.now(), source))) onDatagram(datagram, source, port)
      else onDrop('limited')
    }
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.#failure = reason(error, this.#options.group.port)
    this.close()
  }

  #scoped(address: string): string {
    const { family, interface: name } = this.#options.place
    return family === 'ipv6' && /^f[ef]/i.test(address) ? `${address}%${name}` : address
  }
}

function reason(error: unknown, port: number): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error)
  if (code === 'EADDRINUSE') return `port ${port} is held by a program that does not share it`
  if (code === 'EACCES' || code === 'EPERM')
    return `not permitted (${code}): a firewall or sandbox forbids it`
  if (code === 'ENODEV' || code === 'EADDRNOTAVAIL') return `no multicast on this interface (${code})`
  return code
}
