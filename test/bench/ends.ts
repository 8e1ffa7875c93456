/** The two ends that sessions are measured between, and what they are compared with; all on 127.0.0.1. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, createServer as createTlsServer, type SecureContextOptions } from 'node:tls'
import type { Aead } from '../../src/crypto/aead.ts'
import {
  consumeInitiation,
  createInitiation,
  createResponse,
  door,
  doorOf
} from '../../src/crypto/handshake.ts'
import { best, nodeAead, randomBytes, x25519 } from '../../src/crypto/provider.ts'
import { exchange } from '../../src/daemon/sessions/exchange.ts'
import { Session } from '../../src/daemon/sessions/session.ts'
import type { Link } from '../../src/net/link.ts'
import { tcpLink } from '../../src/net/tcp.ts'
import { Kind } from '../../src/wire/frame.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)
const keys = {
  send: fill(1),
  receive: fill(2),
  probeSend: fill(3),
  probeReceive: fill(4),
  probeIndexes: { send: 1, receive: 2 },
  hash: fill(5)
}
const crossed = { ...keys, send: keys.receive, receive: keys.send }

export function aeads(): Aead[] {
  return best() === nodeAead ? [nodeAead] : [best(), nodeAead]
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

const gid = fill(8)
const [dialling, answering] = [x25519(fill(11)), x25519(fill(12))]
const versions = { least: 1, greatest: 1 }
const own = { bootId: fill(13, 16), logHead: fill(14), features: 0 }

/** A session after a handshake; as the gate does it, but without its limits, which no benchmark could keep. */
export async function dialSession(link: Link): Promise<Session> {
  const ephemeral = x25519(randomBytes(32))
  const initiation = createInitiation(
    { gid, key: dialling, peerKey: answering.publicKey, ephemeral },
    { versions, ...own, operations: [] }
  )
  const { keys, answer } = await exchange(
    link,
    initiation,
    () => performance.now(),
    () => () => {}
  )
  const { bootId, logHead } = answer
  const opened = new Session({
    link,
    keys,
    peer: 'co1',
    bootId,
    logHead,
    handshakeUSec: 0,
    now: () => performance.now()
  })
  opened.send(Kind.Padding, new Uint8Array(0))
  return opened
}

export function answerSession(link: Link): void {
  const ours = door(gid, answering)
  link.onData = message => {
    const found = doorOf(message, [ours])
    const initiation = found && consumeInitiation(message, found, [])
    if (!initiation) throw new Error('no first message')
    const response = createResponse(initiation, x25519(randomBytes(32)), { version: 1, ...own, result: 'ok' })
    link.write([response.message])
    const { bootId, logHead } = initiation.hello!
    new Session({
      link,
      keys: response.keys,
      peer: 'co1',
      bootId,
      logHead,
      handshakeUSec: 0,
      now: () => performance.now()
    })
  }
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
