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
  const datagrams = createSocket(address.includes(':') ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' })
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
  return { port: bound, close }
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
