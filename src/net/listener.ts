/** A TCP and a UDP socket bound to one address at one port. */
import { createSocket, type Socket as DatagramSocket, type RemoteInfo } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'

/** Connections the kernel keeps for us until we accept them. */
const BACKLOG = 64

export interface ListenerEvents {
  onSocket(socket: Socket): void
  onMessage(message: Buffer, from: RemoteInfo): void
  /** A socket broke; the listener is closed already. */
  onError(error: NodeJS.ErrnoException): void
}
export interface Listener {
  readonly port: number
  /** A datagram from this address and port. `onFailed` gets the errno, when the kernel did not take it. */
  send(datagram: Uint8Array, to: { host: string; port: number }, onFailed: (code: string) => void): void
  /** Frees the port at once; connections already accepted go on. */
  close(): void
}

/**
 * Binds exactly this address (bare IP; `%interface` follows a link-local one), TCP first, UDP at the same
 * number. Port 0 is any free one. Rejects the errno of whichever failed, with nothing left bound.
 */
export async function listen(address: string, port: number, events: ListenerEvents): Promise<Listener> {
  const server = createServer({ noDelay: true }, socket => events.onSocket(socket))
  await bindServer(server, address, port)
  const bound = (server.address() as { port: number }).port
  const datagrams = createSocket({ ...familyOf(address), lookup: asItIs })
  try {
    await bindDatagrams(datagrams, address, bound)
  } catch (error) {
    server.close()
    datagrams.close()
    throw error
  }
  let open = true
  const close = () => {
    if (!open) return
    open = false
    server.close()
    datagrams.close()
  }
  const broken = (error: NodeJS.ErrnoException) => {
    if (!open) return
    close()
    events.onError(error)
  }
  server.on('error', broken)
  datagrams.on('error', broken)
  datagrams.on('message', (message, from) => events.onMessage(message, from))
  return {
    port: bound,
    close,
    send(datagram, { host, port }, onFailed) {
      if (!open) onFailed('EADDRNOTAVAIL')
      else
        datagrams.send(datagram, port, host, error => {
          if (error) onFailed((error as NodeJS.ErrnoException).code ?? 'EINVAL')
        })
    }
  }
}

const familyOf = (address: string) =>
  address.includes(':') ? ({ type: 'udp6', ipv6Only: true } as const) : ({ type: 'udp4' } as const)

/** Addresses are never names: asking the resolver would cost a turn of the event loop for each datagram. */
function asItIs(
  host: string,
  _options: unknown,
  found: (error: null, address: string, family: number) => void
): void {
  found(null, host, host.includes(':') ? 6 : 4)
}

function bindServer(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: BACKLOG, exclusive: true, ipv6Only: host.includes(':') }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

function bindDatagrams(socket: DatagramSocket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeListener('error', reject)
      resolve()
    })
  })
}
