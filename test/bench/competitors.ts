/**
 * Other people's encrypted sessions, in the same measurements: @hyperswarm/secret-stream over TCP, and js-libp2p
 * with noise and yamux over TCP. They are no packages of ours: they are installed beside them when wanted.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { dialSocket, serveTcp } from './ends.ts'

const wanted = fileURLToPath(new URL('competitors/', import.meta.url))
const installed = fileURLToPath(new URL('../../node_modules/.cache/coterie-bench/', import.meta.url))
export const names = ['hyperswarm secret-stream', 'libp2p noise yamux'] as const
export type Name = (typeof names)[number]

/** Bytes both ways. */
export interface Pipe {
  onData: (bytes: Uint8Array) => void
  /** False: wait for `drained`. */
  send(bytes: Uint8Array): boolean
  drained(then: () => void): void
  destroy(): void
}

/** Why they cannot be compared with, or ''. */
export function install(): string {
  const lock = (folder: string) => {
    const path = `${folder}package-lock.json`
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }
  if (existsSync(`${installed}node_modules`) && lock(installed) === lock(wanted)) return ''
  mkdirSync(installed, { recursive: true })
  cpSync(wanted, installed, { recursive: true })
  try {
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    execFileSync('npm', args, { cwd: installed, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
    return ''
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string }
    return (stderr || message).trim().split('\n')[0]!
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the packages are not there when this is checked
type Any = any
const require = createRequire(`${installed}package.json`)
const load = async (name: string): Promise<Any> => {
  const path = execFileSync(
    process.execPath,
    ['--input-type=module', '-e', `console.log(import.meta.resolve('${name}'))`],
    { cwd: installed, encoding: 'utf8' }
  )
  return import(path.trim() || pathToFileURL(installed).href)
}

const duplexPipe = (stream: Duplex): Pipe => {
  const pipe: Pipe = {
    onData: () => {},
    send: bytes => stream.write(bytes),
    drained: then => void stream.once('drain', then),
    destroy: () => void stream.destroy()
  }
  stream.on('data', bytes => pipe.onData(bytes))
  stream.on('error', () => {})
  return pipe
}

const libp2pPipe = (stream: Any): Pipe => {
  const pipe: Pipe = {
    onData: () => {},
    send: bytes => stream.send(bytes),
    drained: then => void stream.onDrain().then(then),
    destroy: () => stream.abort(new Error('done'))
  }
  stream.addEventListener('message', ({ data }: Any) => pipe.onData(data.subarray()))
  return pipe
}

async function libp2pNode(listen: string[]): Promise<Any> {
  const [{ createLibp2p }, { tcp }, { noise }, { yamux }] = await Promise.all(
    ['libp2p', '@libp2p/tcp', '@chainsafe/libp2p-noise', '@chainsafe/libp2p-yamux'].map(load)
  )
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: {
      maxConnections: 2000,
      inboundConnectionThreshold: 1e6,
      maxIncomingPendingConnections: 1e6
    }
  })
}

/** Calls back with each pipe that comes; resolves where to dial. */
export async function serve(name: Name, onPipe: (pipe: Pipe) => void): Promise<string> {
  if (name === 'libp2p noise yamux') {
    const node = await libp2pNode(['/ip4/127.0.0.1/tcp/0'])
    await node.handle('/bench', (stream: Any) => onPipe(libp2pPipe(stream)), { maxInboundStreams: 10_000 })
    return node.getMultiaddrs()[0].toString()
  }
  const SecretStream = require('@hyperswarm/secret-stream')
  const keyPair = SecretStream.keyPair()
  return String(await serveTcp(socket => onPipe(duplexPipe(new SecretStream(false, socket, { keyPair })))))
}

/** A function that dials, and resolves when the handshake is over. */
export async function dialler(name: Name, where: string): Promise<(fresh: boolean) => Promise<Pipe>> {
  if (name === 'libp2p noise yamux') {
    const [node, { multiaddr }] = await Promise.all([libp2pNode([]), load('@multiformats/multiaddr')])
    const address = multiaddr(where)
    return async fresh => {
      if (fresh) {
        const connection = await node.dial(address, { force: true })
        return {
          onData: () => {},
          send: () => true,
          drained: () => {},
          destroy: () => void connection.close()
        }
      }
      return libp2pPipe(await node.dialProtocol(address, '/bench'))
    }
  }
  const SecretStream = require('@hyperswarm/secret-stream')
  const keyPair = SecretStream.keyPair()
  return async () => {
    const stream = new SecretStream(true, await dialSocket(Number(where)), { keyPair })
    await stream.opened
    return duplexPipe(stream)
  }
}
