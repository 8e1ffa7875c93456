/**
 * Programs that serve tags: they run already, are handed each message, and answer how it ended. One message at a time;
 * which of two is free gets the next one. One that goes away with a message it has not answered leaves a dead letter,
 * unless it said that it may get one again.
 */
import { ApiError, type Result } from '../../api/api.ts'
import type { Choice, Ending, Received } from '../../messages/inbox.ts'
import { covers } from '../../messages/tag.ts'
import { toBase32 } from '../../wire/base32.ts'
import type { Log } from '../log.ts'
import type { Expected } from './expected.ts'
import type { Sender } from './handlers.ts'

export type Served = Result<'Serve'>

/** Registered at once. */
const MOST = 256
const REQUEST = 10
/** Of what it answers, bytes. */
const OUTPUT = 65_536
const LATER = 75
const GREATEST_EXIT = 255

export interface Wish {
  readonly tags: readonly string[]
  /** A message may be handed over again when it is not known how it ended. */
  readonly retry: boolean
  /** As it is listed. */
  readonly name: string
}

interface Program extends Wish {
  readonly key: string
  readonly hand: (message: Served) => void
  /** The message that it has; `late`: it has been given up. */
  has: { readonly request: string; readonly end: (ending: Ending) => void; late: boolean } | undefined
  /** Messages of other circles, to be handed over after that one. */
  readonly queue: ((gone: boolean) => void)[]
}

export interface ProgramsOptions {
  readonly log: Log
  readonly random: (length: number) => Uint8Array
  readonly timeoutMs: () => number
  readonly expected: Expected
  /** What may be chosen is something else now. */
  readonly onChange: () => void
}

export class Programs {
  readonly #options: ProgramsOptions
  readonly #programs = new Map<string, Program>()
  readonly #held = new Map<string, Program>()
  #last = 0

  constructor(options: ProgramsOptions) {
    this.#options = options
  }

  get list(): readonly (Wish & { readonly busy: boolean })[] {
    return [...this.#programs.values()].map(({ tags, retry, name, has }) => ({
      tags,
      retry,
      name,
      busy: has !== undefined
    }))
  }

  /** `hand` is called with one message after the other was answered. Resolves with what ends it. Rejects ApiError. */
  async register(wish: Wish, hand: (message: Served) => void): Promise<() => void> {
    if (this.#programs.size >= MOST)
      throw new ApiError(
        'NotAllowed',
        `${MOST} programs serve tags already, which is more than can be of use`
      )
    await this.#options.expected.coming(wish.tags)
    const key = `program ${++this.#last}`
    const program: Program = { ...wish, key, hand, has: undefined, queue: [] }
    this.#programs.set(key, program)
    this.#options.log('info', 'a program serves tags', { program: wish.name, tags: wish.tags })
    this.#options.expected.came(wish.tags)
    this.#options.onChange()
    return () => this.#gone(program)
  }

  /** The best of those that serve the tag; `exact`: it names the tag itself. */
  find(
    tag: string,
    isBusy: (key: string) => boolean
  ): (Choice & { exact: boolean; name: string }) | undefined {
    const fitting = [...this.#programs.values()].flatMap(program => {
      const patterns = program.has?.late ? [] : program.tags.filter(pattern => covers(pattern, tag))
      return patterns.length === 0 ? [] : [{ program, closeness: Math.max(...patterns.map(closenessOf)) }]
    })
    const best = Math.max(...fitting.map(({ closeness }) => closeness))
    const programs = fitting.filter(({ closeness }) => closeness === best).map(({ program }) => program)
    const chosen = programs.find(({ key, has }) => has === undefined && !isBusy(key)) ?? programs[0]
    if (chosen === undefined) return undefined
    const { key, retry, name } = chosen
    return { key, retry, name, exact: best === Infinity }
  }

  /** Whether one that serves the tag is likely to come back soon. */
  expects(tag: string): boolean {
    return this.#options.expected.covers(tag)
  }

  serves(key: string): boolean {
    return key.startsWith('program ')
  }

  /** `key`: of what was found. Never rejects. */
  run(received: Received, key: string, from: Sender): Promise<Ending> {
    const program = this.#programs.get(key)
    if (program === undefined) return Promise.resolve({ type: 'unbegun' })
    return new Promise(resolve => {
      const begin = (gone: boolean) =>
        gone ? resolve({ type: 'unbegun' }) : this.#hand(program, received, from, resolve)
      if (program.has === undefined) begin(false)
      else program.queue.push(begin)
    })
  }

  /** The output is cut off after 64 KiB. Throws ApiError. */
  answer(request: string, exit: number, output: Uint8Array): void {
    if (exit > GREATEST_EXIT) throw new ApiError('InvalidValue', `Answer.Exit: 0 to ${GREATEST_EXIT}`)
    const program = this.#held.get(request)
    if (program?.has === undefined)
      throw new ApiError('NoSuchMessage', 'no message waits for that answer: it was answered, or given up')
    const { late, end } = program.has
    this.#free(program)
    if (late) {
      this.#options.onChange()
      throw new ApiError('Timeout', 'it came too late: the message is a dead letter by now')
    }
    end({ type: 'exit', code: exit, output: output.slice(0, OUTPUT) })
  }

  #hand(program: Program, received: Received, from: Sender, resolve: (ending: Ending) => void): void {
    const { log, random, timeoutMs } = this.#options
    const request = toBase32(random(REQUEST))
    const facts = { program: program.name, tag: received.tag, id: received.id }
    const end = (ending: Ending) => {
      clearTimeout(limit)
      log('debug', 'a program is done with a message', { ...facts, ...ending, output: undefined })
      resolve(ending)
    }
    const limit = setTimeout(() => {
      program.has!.late = true
      log('warn', 'a program does not answer; it gets no other message until it does', facts)
      resolve({ type: 'dead', reason: 'timeout', output: new Uint8Array() })
    }, timeoutMs()).unref()
    program.has = { request, end, late: false }
    this.#held.set(request, program)
    program.hand(servedOf(request, received, from))
  }

  #free(program: Program): void {
    if (program.has !== undefined) this.#held.delete(program.has.request)
    program.has = undefined
    program.queue.shift()?.(false)
  }

  #gone(program: Program): void {
    if (!this.#programs.delete(program.key)) return
    const { has, retry, queue, name, tags } = program
    this.#options.log('info', 'a program serves no more', { program: name, tags })
    this.#options.expected.left(tags.filter(tag => !this.list.some(other => other.tags.includes(tag))))
    for (const begin of queue.splice(0)) begin(true)
    if (has !== undefined) this.#held.delete(has.request)
    const nothing = new Uint8Array()
    if (retry) has?.end({ type: 'exit', code: LATER, output: nothing })
    else has?.end({ type: 'dead', reason: 'unknown', output: nothing })
    this.#options.onChange()
  }
}

const closenessOf = (pattern: string): number => (pattern.endsWith('*') ? pattern.length : Infinity)

function servedOf(request: string, received: Received, { id, name, circle, circleId }: Sender): Served {
  const text = textOf(received.payload)
  return {
    Request: request,
    Id: received.id,
    Circle: circleId,
    CircleName: circle,
    Peer: id,
    Name: name,
    Tag: received.tag,
    Body: text ?? '',
    BodyBase64: text === undefined ? Buffer.from(received.payload).toString('base64') : '',
    Ask: received.ask,
    Run: received.runs,
    SentUSec: received.sentMs * 1000
  }
}

/** Undefined when it is no text. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
