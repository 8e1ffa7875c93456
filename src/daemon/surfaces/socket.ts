/**
 * The API on a UNIX socket: Varlink for programs, JSON lines for `nc` and `socat` (framing.ts, varlink.ts).
 * Whoever may connect may do everything; the directory (place.ts) or systemd decides who that is.
 */
import { chmodSync } from 'node:fs'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { Implementation } from '../../api/api.ts'
import type { Log } from './answer.ts'
import type { ConnectionOptions } from './connection.ts'
import { Connection, ReplyCache } from './connection.ts'
import { preparePlace, SocketPlaceError } from './place.ts'

const BACKLOG = 4096
/** Memory for unfinished calls of all clients together, in bytes; beyond it the largest one goes. */
const HELD_MAX = 32 * 1024 * 1024
/** How often clients that sent all they will are looked after while their call runs, in ms. */
const PROBE_MS = 2000
/** How long calls may take to end when the daemon stops, in ms. */
const STOP_MS = 1000

export class SocketSurface {
  readonly #options: ConnectionOptions
  readonly #log: Log
  readonly #servers: Server[] = []
  readonly #connections = new Set<Connection>()
  readonly #halfOpen = new Set<Connection>()
  #held = 0
  #probing: NodeJS.Timeout | undefined
  #onEmpty: (() => void) | undefined

  constructor({ implementation, log }: { implementation: Implementation; log: Log }) {
    this.#log = log
    this.#options = {
      implementation,
      log,
      cache: new ReplyCache(),
      onHeld: bytes => this.#account(bytes),
      onHalfOpen: connection => this.#lookAfter(connection),
      onClose: connection => {
        this.#connections.delete(connection)
        this.#halfOpen.delete(connection)
        if (this.#connections.size === 0) this.#onEmpty?.()
      }
    }
  }

  /**
   * Listens at a path (0600 in a directory 0700 that is made here), or on a listening socket that systemd
   * passed. Rejects SocketPlaceError when it cannot. May be called for several places.
   */
  async listen(where: { path: string } | { fd: number }): Promise<void> {
    if ('path' in where) await preparePlace(where.path)
    const server = createServer({ allowHalfOpen: true }, socket => this.#accept(socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const place = 'path' in where ? where.path : `the socket passed as descriptor ${where.fd}`
        reject(new SocketPlaceError(`cannot listen on ${place}: ${error.message}`))
      })
      server.listen({ ...where, backlog: BACKLOG }, resolve)
    })
    server.on('error', error => this.#log('error', 'the socket failed', { error: error.message }))
    if ('path' in where) chmodSync(where.path, 0o600)
    this.#servers.push(server)
  }

  /** Cancels what runs, answers it, closes all; a path that was listened at is removed. */
  async stop(): Promise<void> {
    clearInterval(this.#probing)
    for (const server of this.#servers.splice(0)) server.close()
    for (const connection of [...this.#connections]) connection.stop()
    if (this.#connections.size === 0) return
    await new Promise<void>(resolve => {
      const last = setTimeout(() => {
        for (const connection of [...this.#connections]) connection.destroy()
      }, STOP_MS)
      this.#onEmpty = () => {
        clearTimeout(last)
        resolve()
      }
    })
  }

  #accept(socket: Socket): void {
    this.#connections.add(new Connection(socket, this.#options))
  }

  #account(bytes: number): void {
    this.#held += bytes
    if (this.#held <= HELD_MAX) return
    let largest: Connection | undefined
    for (const connection of this.#connections) {
      if (!largest || connection.held > largest.held) largest = connection
    }
    largest?.refuse('too many unfinished calls are waiting; this was the largest')
  }

  #lookAfter(connection: Connection): void {
    this.#halfOpen.add(connection)
    this.#probing ??= setInterval(() => {
      for (const waiting of this.#halfOpen) {
        if (waiting.working) waiting.probe()
        else this.#halfOpen.delete(waiting)
      }
      if (this.#halfOpen.size > 0) return
      clearInterval(this.#probing)
      this.#probing = undefined
    }, PROBE_MS)
  }
}
