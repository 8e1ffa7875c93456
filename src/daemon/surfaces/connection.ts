/**
 * One client of the UNIX socket: its calls are answered one after the other, in order. A call that takes
 * long, or a stream, keeps those behind it waiting; whoever wants both connects twice. Only calls that are for one
 * another no matter but their order (Send) are begun while those before them are on their way.
 */
import type { Socket } from 'node:net'
import type { Implementation, MethodName, StreamCall } from '../../api/api.ts'
import { ApiError, methods } from '../../api/api.ts'
import { empty } from '../../api/types.ts'
import type { Log } from './answer.ts'
import { invoke } from './answer.ts'
import type { End, Message } from './framing.ts'
import { CALL_MAX, Framing } from './framing.ts'
import type { RawCall, VarlinkCall } from './varlink.ts'
import { describe, errorReply, parse, read, VarlinkError } from './varlink.ts'

/** Output that waits for a reader, in bytes; one that lets more gather is cut off. */
export const QUEUED_MAX = 16 * 1024 * 1024
/** Calls that wait to be answered, in characters; beyond it nothing is read until they are. */
const WAITING_MAX = CALL_MAX

/** Calls that follow each other are begun without a pause: what they write to the disk is written at once. */
const OVERLAPPING: ReadonlySet<MethodName> = new Set(['Send'])
/** So many at a time. */
const OVERLAPPING_MAX = 512

const NOTHING = Buffer.alloc(0)

/** What connections share. */
export interface ConnectionOptions {
  readonly implementation: Implementation
  readonly log: Log
  readonly cache: ReplyCache
  /** Memory for unfinished calls grew or shrank by so many bytes. */
  readonly onHeld: (bytes: number) => void
  /** The client has closed its side and waits for the answer to what is running: look after it. */
  readonly onHalfOpen: (connection: Connection) => void
  readonly onClose: (connection: Connection) => void
}

/**
 * Replies by the result they were made of: a method that returns the same object again says that nothing
 * changed, and its reply is not written anew.
 */
export class ReplyCache {
  readonly #replies = { '\0': new WeakMap<object, Buffer>(), '\n': new WeakMap<object, Buffer>() }

  reply(result: object, end: End): Buffer {
    const known = this.#replies[end].get(result)
    if (known) return known
    const made = Buffer.from(`{"parameters":${JSON.stringify(result)}}${end}`)
    this.#replies[end].set(result, made)
    return made
  }
}

export class Connection {
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #framing = new Framing()
  #held = 0
  #waiting: Message[] = []
  #waitingLength = 0
  #working = false
  #ended = false
  #stopping = false
  #refused = false
  readonly #running = new Set<RunningCall>()
  #drained: { promise: Promise<void>; settle: () => void } | undefined

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    socket.on('data', chunk => this.#receive(chunk as Buffer))
    socket.on('end', () => this.#end())
    socket.on('drain', () => this.#drained?.settle())
    socket.on('error', () => {}) // 'close' follows, and is all that matters
    socket.on('close', () => this.#close())
  }

  /** Memory held for an unfinished call, in bytes. */
  get held(): number {
    return this.#held
  }

  /** True while a call is being answered. */
  get working(): boolean {
    return this.#working
  }

  /**
   * Tells the difference between a client that only sends no more and one that is gone. On a UNIX socket an
   * empty write fails with EPIPE when the other end is closed, and does nothing when it is half open.
   */
  probe(): void {
    if (!this.#socket.destroyed && this.#socket.writableLength === 0) this.#socket.write(NOTHING)
  }

  /** Answers with an error and reads no more. */
  refuse(sentence: string): void {
    this.#framing.refuse(sentence)
    this.#account(0)
    this.#work()
  }

  /** Cancels what runs and closes after its answer. */
  stop(): void {
    this.#stopping = true
    const reason = new ApiError('Cancelled', 'coteried is stopping')
    for (const call of this.#running) call.abort(reason)
    this.#dropWaiting()
    if (!this.#working) this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    if (this.#framing.fault || this.#stopping) return
    for (const message of this.#framing.push(chunk)) this.#add(message)
    this.#account(this.#framing.held)
    if (this.#waitingLength > WAITING_MAX) this.#socket.pause()
    this.#work()
  }

  #end(): void {
    this.#ended = true
    const last = this.#framing.finish()
    if (last) this.#add(last)
    this.#account(0)
    this.#work()
    if (this.#working) {
      this.probe()
      this.#options.onHalfOpen(this)
    }
  }

  #add(message: Message): void {
    this.#waiting.push(message)
    this.#waitingLength += message.text.length
  }

  #account(held: number): void {
    if (held !== this.#held) {
      const grown = held - this.#held
      this.#held = held
      this.#options.onHeld(grown)
    }
  }

  async #work(): Promise<void> {
    if (this.#working) return
    this.#working = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      /** Answers that are on their way, in order. */
      let turn: Promise<void> | undefined
      let begun = 0
      for (const message of batch) {
        if (this.#stopping || this.#socket.destroyed) break
        const asked = ask(message)
        if (turn && !(asked.overlapping && begun < OVERLAPPING_MAX)) {
          await turn
          turn = undefined
          begun = 0
        }
        begun++
        const answered = this.#answer(asked, message.end, batch.length === 1, turn)
        if (asked.overlapping) turn = answered
        else await answered
        this.#waitingLength -= message.text.length
        if (this.#socket.writableNeedDrain) await this.#room()
      }
      await turn
      if (this.#socket.isPaused()) this.#socket.resume()
    }
    this.#working = false
    if (this.#framing.fault && !this.#refused) {
      this.#refused = true
      this.#write(
        JSON.stringify(errorReply(new ApiError('InvalidValue', this.#framing.fault))) + this.#framing.end
      )
    }
    if (this.#ended || this.#stopping || this.#refused) this.#socket.destroySoon()
  }

  /**
   * Never throws; resolves when the answer is queued, behind those that `turn` is about. That to a call that came alone
   * is written at once.
   */
  async #answer({ raw, call }: Asked, end: End, alone: boolean, turn?: Promise<void>): Promise<void> {
    const oneway = raw?.['oneway'] === true
    try {
      if (call instanceof Error) throw call
      if ('service' in call.method) {
        const parameters = describe(call.method.service, call.parameters)
        if (!oneway) this.#write(`${JSON.stringify({ parameters })}${end}`)
        return
      }
      const result = await this.#run(call.method.ours, call, end)
      await turn
      if (oneway) return
      if (methods[call.method.ours].kind === 'stream') {
        this.#write(`{"parameters":${JSON.stringify(emptyResult(call.method.ours))}}${end}`)
      } else this.#write(this.#options.cache.reply(result, end), alone)
    } catch (error) {
      await turn
      if (!(error instanceof ApiError || error instanceof VarlinkError)) {
        this.#options.log('error', 'an answer cannot be written', { error: (error as Error).stack })
      }
      if (!oneway) this.#write(JSON.stringify(errorReply(error)) + end)
    }
  }

  async #run(method: MethodName, call: VarlinkCall, end: End): Promise<object> {
    const write = (reply: object) => {
      this.#write(JSON.stringify({ parameters: reply, continues: true }) + end)
      return this.#room()
    }
    const answers = call.more && !call.oneway
    const running = new RunningCall(
      method,
      answers && methods[method].kind === 'job' ? write : undefined,
      answers ? write : undefined
    )
    this.#running.add(running)
    try {
      const { implementation, log } = this.#options
      return await invoke(implementation, method, call.parameters, running, log)
    } finally {
      this.#running.delete(running)
    }
  }

  #write(reply: string | Buffer, atOnce = false): void {
    if (this.#socket.destroyed) return
    if (this.#socket.writableLength > QUEUED_MAX) {
      this.#options.log('warn', 'a client of the socket does not read its answers; it was cut off')
      this.#socket.destroy()
      return
    }
    if (!atOnce && this.#socket.writableCorked === 0) {
      this.#socket.cork()
      process.nextTick(() => this.#socket.uncork())
    }
    this.#socket.write(reply)
  }

  /** Resolves when the reader has room for more, or is gone. */
  #room(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return Promise.resolve()
    if (!this.#drained) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const settle = () => {
        this.#drained = undefined
        resolve()
      }
      this.#drained = { promise, settle }
    }
    return this.#drained.promise
  }

  #dropWaiting(): void {
    this.#waiting = []
    this.#waitingLength = 0
  }

  #close(): void {
    this.#dropWaiting()
    this.#account(0)
    for (const call of this.#running) call.abort()
    this.#drained?.settle()
    this.#options.onClose(this)
  }
}

/** A call, or what is wrong with it. */
interface Asked {
  readonly raw: RawCall | undefined
  readonly call: VarlinkCall | Error
  readonly overlapping: boolean
}

function ask({ text }: Message): Asked {
  let raw: RawCall | undefined
  try {
    raw = parse(text)
    const call = read(raw)
    return { raw, call, overlapping: 'ours' in call.method && OVERLAPPING.has(call.method.ours) }
  } catch (error) {
    return { raw, call: error as Error, overlapping: false }
  }
}

/** Writes one reply that others will follow; resolves when there is room for them. */
type Reply = (reply: object) => Promise<void>

/** The call a method sees. Its AbortController is made only when somebody looks. */
class RunningCall implements StreamCall<object> {
  readonly #method: MethodName
  readonly #progress: Reply | undefined
  readonly #reply: Reply | undefined
  #controller: AbortController | undefined
  #aborted = false
  #reason: ApiError | undefined

  constructor(method: MethodName, progress: Reply | undefined, reply: Reply | undefined) {
    this.#method = method
    this.#progress = progress
    this.#reply = reply
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#aborted) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Without a reason of ours the caller is gone, and nobody will read why. */
  abort(reason?: ApiError): void {
    this.#aborted = true
    this.#reason = reason
    this.#controller?.abort(reason)
  }

  get detailed(): boolean {
    return this.#progress !== undefined
  }

  progress(sentence: string, details?: object): void {
    const Details = details && { Details: details }
    this.#progress?.({ ...emptyResult(this.#method), Progress: sentence, ...Details })
  }

  async reply(value: object): Promise<void> {
    if (this.#aborted) throw this.signal.reason
    await this.#reply?.(value)
    if (this.#aborted) throw this.signal.reason
  }
}

function emptyResult(method: MethodName): object {
  const { result } = methods[method]
  return empty({ kind: 'record', name: '', doc: '', fields: result }) as object
}
