/**
 * TCP connections as links, and the dialling of them. Sockets are bound to nothing wider than one address;
 * where the config names the only interfaces to use, the kernel's route is asked before a packet leaves.
 */
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { type Address, addressOf, formatAddress, formatHost, parseAddress } from '../wire/address.ts'
import type { Link } from './link.ts'
import { Tally } from './tally.ts'

/** After close(): how long the rest may take to leave. */
const CLOSE_MS = 2_000

/**
 * Why a dial failed, as one word: refused, unreachable (nobody there, or a firewall says so), no-route, timeout,
 * cancelled, barred, address, or an errno in lower case.
 */
export class DialError extends Error {
  override name = 'DialError'
  readonly reason: string
  constructor(reason: string, address: string) {
    super(`${address}: ${reason}`)
    this.reason = reason
  }
}

export interface DialOptions {
  /** For the connection to be there. */
  timeoutMs: number
  /** Bare IP address to dial from; without it the kernel chooses. */
  localAddress?: string
  /**
   * Whether we may speak from this address of ours (bare, `%interface` follows a link-local one). Asked with
   * what the kernel would choose for this destination, before any packet leaves.
   */
  permitted?: (localAddress: string) => boolean
  signal?: AbortSignal
  /** Counts what the link carries. */
  tally?: Tally
}

/** Connects to an address URI. Rejects DialError. The link's callbacks are to be set when it resolves. */
export async function dialTcp(address: string, options: DialOptions): Promise<Link> {
  const parsed = parseAddress(address)
  if (!parsed) throw new DialError('address', address)
  if (options.signal?.aborted) throw new DialError('cancelled', address)
  let { localAddress } = options
  if (options.permitted) {
    const source = await routeSource(parsed).catch(() => undefined)
    if (source === undefined) throw new DialError('no-route', address)
    if (!options.permitted(source)) throw new DialError('barred', address)
    if (options.signal?.aborted) throw new DialError('cancelled', address)
    localAddress ??= source
  }
  return open(parsed, address, localAddress, options)
}

function open(to: Address, address: string, localAddress: string | undefined, options: DialOptions) {
  return new Promise<Link>((resolve, reject) => {
    const { timeoutMs, signal } = options
    const socket = connect({
      host: hostText(to),
      port: to.port,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress })
    })
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
      socket.removeListener('connect', connected)
      socket.removeListener('error', failed)
    }
    const fail = (reason: string) => {
      settle()
      socket.on('error', () => {})
      socket.destroy()
      reject(new DialError(reason, address))
    }
    const connected = () => {
      settle()
      const link = tcpLink(socket, true, options.tally)
      if (link) resolve(link)
      else reject(new DialError('reset', address))
    }
    const failed = (error: NodeJS.ErrnoException) => fail(reasonOf(error))
    const cancel = () => fail('cancelled')
    const timer = setTimeout(() => fail('timeout'), timeoutMs)
    signal?.addEventListener('abort', cancel, { once: true })
    socket.on('connect', connected)
    socket.on('error', failed)
  })
}

/**
 * The address of ours that the kernel would send from, after all its routing rules: what a connected UDP
 * socket is bound to. No packet leaves. Rejects where there is no route.
 */
export function routeSource(to: Address): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: to.family === 4 ? 'udp4' : 'udp6' })
    socket.on('error', error => {
      socket.close()
      reject(error)
    })
    socket.on('connect', () => {
      const { address } = socket.address()
      socket.close()
      resolve(address)
    })
    socket.connect(to.port, hostText(to))
  })
}

/** The bare IP, `%interface` after a link-local one. */
export const hostText = (address: Address): string =>
  address.scope === '' ? formatHost(address) : `${formatHost(address)}%${address.scope}`

const REASONS: { readonly [code: string]: string } = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'reset',
  EPIPE: 'reset',
  ETIMEDOUT: 'timeout',
  ENETUNREACH: 'no-route',
  EHOSTUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable'
}
/** A word for an errno. */
export const reasonOf = ({ code }: { code?: string }): string =>
  REASONS[code ?? ''] ?? (code ?? 'failed').toLowerCase()

/** A connected socket as a link; undefined, and the socket destroyed, when the other end has gone already. */
export function tcpLink(socket: Socket, outgoing: boolean, tally = new Tally()): Link | undefined {
  const remote = addressOf(socket.remoteAddress ?? '', socket.remotePort ?? 0)
  const local = addressOf(socket.localAddress ?? '', socket.localPort ?? 0)
  if (!remote || !local) {
    socket.on('error', () => {})
    socket.destroy()
    return undefined
  }
  return new TcpLink(socket, outgoing, formatAddress(remote), formatAddress(local), tally)
}

class TcpLink implements Link {
  readonly remote: string
  readonly local: string
  readonly outgoing: boolean
  onData: (chunk: Buffer) => void = () => {}
  onClose: (reason: string) => void = () => {}
  onDrain: () => void = () => {}
  readonly #socket: Socket
  readonly #tally: Tally
  #state: 'open' | 'closing' | 'closed' = 'open'
  #reason = 'closed'
  #full = false
  #limit: NodeJS.Timeout | undefined

  constructor(socket: Socket, outgoing: boolean, remote: string, local: string, tally: Tally) {
    this.#socket = socket
    this.#tally = tally
    this.outgoing = outgoing
    this.remote = remote
    this.local = local
    socket.setNoDelay(true)
    socket.on('data', chunk => {
      tally.linkReads++
      tally.linkBytesReceived += chunk.length
      if (this.#state === 'open') this.onData(chunk as Buffer)
    })
    // There are no half-open links: the other end's FIN ends both directions.
    socket.on('end', () => this.#closed(true))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason = reasonOf(error)
    })
    socket.on('close', () => this.#closed(false))
  }

  get waiting(): number {
    return this.#socket.writableLength
  }

  write(parts: readonly Uint8Array[]): void {
    if (this.#state !== 'open' || parts.length === 0) return
    const socket = this.#socket
    const tally = this.#tally
    tally.linkWrites++
    for (const part of parts) tally.linkBytesSent += part.length
    const last = parts.length - 1
    if (last > 0) socket.cork()
    for (let i = 0; i < last; i++) socket.write(parts[i]!)
    socket.write(parts[last]!, this.#written)
    if (last > 0) socket.uncork()
    if (socket.writableLength > 0) this.#full = true
  }

  readonly #written = (): void => {
    if (!this.#full || this.#socket.writableLength > 0) return
    this.#full = false
    if (this.#state === 'open') this.onDrain()
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#socket.end()
    this.#limit = setTimeout(() => this.#socket.resetAndDestroy(), CLOSE_MS)
  }

  destroy(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearTimeout(this.#limit)
    this.#socket.resetAndDestroy()
  }

  #closed(byPeer: boolean): void {
    if (byPeer) this.#socket.destroy()
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearTimeout(this.#limit)
    this.onClose(this.#reason)
  }
}
