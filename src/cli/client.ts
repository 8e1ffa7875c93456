/**
 * A client of the daemon, typed by the API (the UNIX socket's Varlink form: JSON objects ended by NUL).
 * Calls of one client run one after the other; closing it cancels what runs.
 */
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { ErrorName, MethodName, Methods, Params, Result } from '../api/api.ts'
import { ApiError, errors, INTERFACE, methods } from '../api/api.ts'
import { starting } from './starting.ts'

/** Methods by how they answer. */
export type StreamName = { [M in MethodName]: Methods[M]['kind'] extends 'stream' ? M : never }[MethodName]
export type CallName = Exclude<MethodName, StreamName>
type Given<M extends MethodName> = Partial<Params<M>>

/** Nobody listens on the socket, or it went away before it answered. */
export class NotRunning extends Error {
  override name = 'NotRunning'
}
const notRunning = () => {
  const { command, what } = starting()
  // the command in a line of its own: it is copied
  return `coteried is not running. To start it:\n  ${command}  (${what})`
}

interface Reply {
  readonly parameters?: { readonly [name: string]: unknown }
  readonly continues?: boolean
  readonly error?: string
}

export class Client {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #replies: Reply[] = []
  #failure: Error | undefined
  #wake: (() => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', chunk => this.#receive(chunk as Buffer))
    const gone = () =>
      this.#fail(
        new NotRunning('coteried went away before it answered; `journalctl --user -u coterie` may say why')
      )
    socket.on('error', gone)
    socket.on('close', gone)
  }

  /** Where a service is socket-activated, connecting starts it. Rejects NotRunning. */
  static open(path: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once('connect', () => {
        socket.removeAllListeners('error')
        resolve(new Client(socket))
      })
      socket.once('error', (error: NodeJS.ErrnoException) => {
        const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
        reject(absent ? new NotRunning(notRunning()) : new Error(`${path} cannot be used: ${error.message}`))
      })
    })
  }

  /** `progress` gets the sentences of a job on its way, with their details. Rejects ApiError. */
  async call<M extends CallName>(
    method: M,
    params: Given<M>,
    progress?: (sentence: string, details: { readonly [name: string]: unknown }) => void
  ): Promise<Result<M>> {
    const more = progress !== undefined && methods[method].kind === 'job'
    this.#send({ method: `${INTERFACE}.${method}`, parameters: params, ...(more && { more }) })
    for (;;) {
      const { parameters = {}, continues } = await this.#next()
      if (!continues) return parameters as Result<M>
      progress?.(
        String(parameters['Progress'] ?? ''),
        (parameters['Details'] ?? {}) as { [name: string]: unknown }
      )
    }
  }

  /** Ends when the daemon ends the stream. Rejects ApiError. */
  async *stream<M extends StreamName>(method: M, params: Given<M>): AsyncGenerator<Result<M>, void> {
    for await (const value of this.raw(`${INTERFACE}.${method}`, params, true)) {
      if (value.continues) yield value.parameters as Result<M>
    }
  }

  /** Any method by any name; every reply with whether others follow. */
  async *raw(
    method: string,
    parameters: object,
    more: boolean
  ): AsyncGenerator<{ parameters: object; continues: boolean }, void> {
    this.#send({ method, parameters, ...(more && { more }) })
    for (;;) {
      const { parameters = {}, continues = false } = await this.#next()
      yield { parameters, continues }
      if (!continues) return
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #send(call: object): void {
    this.#socket.write(`${JSON.stringify(call)}\0`)
  }

  async #next(): Promise<Reply> {
    while (this.#replies.length === 0) {
      if (this.#failure) throw this.#failure
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    const reply = this.#replies.shift()!
    if (reply.error !== undefined) throw asApiError(reply.error, reply.parameters)
    return reply
  }

  #receive(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, start)) {
      this.#chunks.push(chunk.subarray(start, end))
      start = end + 1
      try {
        this.#replies.push(JSON.parse(Buffer.concat(this.#chunks).toString('utf8')))
      } catch {
        this.#fail(new Error('the answer is not JSON; is another program on the socket?'))
      }
      this.#chunks = []
    }
    this.#chunks.push(chunk.subarray(start))
    this.#wake?.()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake?.()
  }
}

function asApiError(error: string, parameters: Reply['parameters']): Error {
  const name = error.slice(error.lastIndexOf('.') + 1)
  if (error === `${INTERFACE}.${name}` && Object.hasOwn(errors, name)) {
    return new ApiError(name as ErrorName, String(parameters?.['Message'] ?? name))
  }
  const facts = Object.values(parameters ?? {}).map(String)
  return new Error(`the daemon answers ${name}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`)
}
