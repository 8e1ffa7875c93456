/** The two ends that sessions are measured between, and what they are compared with; all on 127.0.0.1. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer, type SecureContextOptions } from 'node:tls'
import type { Aead } from '../../src/crypto/aead.ts'
import { peerId } from '../../src/crypto/identity.ts'
import { ed25519, hash, nodeAead, randomBytes, sodiumAead, x25519 } from '../../src/crypto/provider.ts'
import { Gate, type HandshakeCircle } from '../../src/daemon/gate.ts'
import { Session } from '../../src/daemon/session.ts'
import type { Link } from '../../src/net/link.ts'
import { tcpLink } from '../../src/net/tcp.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)
const keys = { send: fill(1), receive: fill(2), probeSend: fill(3), probeReceive: fill(4), hash: fill(5) }
const crossed = { ...keys, send: keys.receive, receive: keys.send }

export function aeads(): Aead[] {
  const sodium = sodiumAead()
  return sodium ? [sodium, nodeAead] : [nodeAead]
}

/** A session without a handshake. */
export function session(link: Link, aead: Aead): Session {
  return new Session({
    link,
    keys: link.outgoing ? keys : crossed,
    peer: 'co1',
    bootId: fill(6, 16),
    logHead: fill(7),
    handshakeUSec: 0,
    now: () => performance.now(),
    aead
  })
}

/** A circle of two, for both of which this stands; time runs 20 times as fast, so that no limit is met. */
export function gate(name: 'one' | 'two', onSession: (session: Session) => void) {
  const own = (who: string) => ({
    id: peerId(ed25519(hash(Buffer.from(`${who} id`))).publicKey),
    key: x25519(hash(Buffer.from(`${who} static`)))
  })
  const [self, other] = name === 'one' ? [own('one'), own('two')] : [own('two'), own('one')]
  const circle: HandshakeCircle = {
    gid: fill(8),
    statics: [self.key],
    bootId: randomBytes(16),
    logHead: fill(9),
    introduction: () => [],
    owner: key => (Buffer.compare(key, other.key.publicKey) === 0 ? other.id : undefined),
    admit: async () => {},
    tickets: () => [],
    redeem: async () => undefined
  }
  const made = new Gate({
    circles: () => [circle],
    now: () => performance.now() * 20,
    random: randomBytes,
    log: (level, text, facts) => console.error(level, text, facts),
    onSession: (_, opened) => onSession(opened)
  })
  const dial = (link: Link) => made.dial(link, circle, { id: other.id, staticKey: other.key.publicKey })
  return { gate: made, dial }
}

/** TLS 1.3 with ChaCha20-Poly1305 and an Ed25519 certificate on both sides. */
export function tlsOptions(): SecureContextOptions & { requestCert: true; rejectUnauthorized: false } {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  try {
    const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')]
    const request = ['req', '-x509', '-newkey', 'ed25519', '-nodes', '-subj', '/CN=bench', '-days', '2']
    execFileSync('openssl', [...request, ...files], { stdio: 'ignore' })
    return {
      key: readFileSync(join(folder, 'key')),
      cert: readFileSync(join(folder, 'cert')),
      minVersion: 'TLSv1.3',
      ciphers: 'TLS_CHACHA20_POLY1305_SHA256',
      requestCert: true,
      rejectUnauthorized: false
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export function listen(server: Server): Promise<number> {
  return new Promise(resolve =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  )
}

export function dialSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

export function dialTls(port: number, options: ReturnType<typeof tlsOptions>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', ...options, noDelay: true } as never, () =>
      resolve(socket)
    )
    socket.once('error', reject)
  })
}

export function serveTcp(onSocket: (socket: Socket) => void): Promise<number> {
  return listen(
    createServer({ noDelay: true }, socket => {
      socket.on('error', () => {})
      onSocket(socket)
    })
  )
}

export function serveTls(
  options: ReturnType<typeof tlsOptions>,
  onSocket: (socket: Socket) => void
): Promise<number> {
  const server = createTlsServer({ ...options, noDelay: true }, socket => {
    socket.on('error', () => {})
    onSocket(socket)
  })
  server.on('tlsClientError', () => {})
  return listen(server)
}

export const sessionOn = (socket: Socket, outgoing: boolean, aead: Aead): Session =>
  session(tcpLink(socket, outgoing)!, aead)
