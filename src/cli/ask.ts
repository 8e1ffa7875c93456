/** Questions, which only a terminal can answer; and what may come on stdin or from a file. */
import { readFileSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { err, lookOf, wrapped } from './print.ts'
import { Failure, UsageError } from './run.ts'

/** Bytes, more than any ticket has; a file of another kind is not read into memory. */
const INPUT_MAX = 64 * 1024

/** Throws UsageError naming --yes when nobody can answer. */
export function needTerminal(command: string): void {
  if (!process.stdin.isTTY) {
    throw new UsageError(
      `there is no terminal to ask on; say --yes if you are sure: coterie ${command} … --yes`
    )
  }
}

/** What a question is about: a heading, then sentences, on stderr. */
export function tell([heading = '', ...sentences]: readonly string[]): void {
  const look = lookOf(process.stderr)
  err(look.bold(heading))
  for (const sentence of sentences)
    for (const line of wrapped(sentence, look.columns, look.mark('  • ', '  - '))) err(line)
}

/** Rejects Failure, saying `otherwise`, when the answer is no. */
export async function confirm(question: string, otherwise: string): Promise<void> {
  const answer = await line(`${question} [y/N] `)
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure(otherwise)
}

function line(prompt: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr })
  return new Promise(resolve => {
    reader.question(prompt, answer => {
      resolve(answer)
      reader.close()
    })
    reader.once('close', () => resolve(''))
  })
}

/**
 * Lines that are typed on the terminal. What was typed before a question is no answer to it: nobody says yes
 * by a key that was pressed too early.
 */
export class TerminalAnswers {
  #wake: ((line: string | undefined) => void) | undefined
  #rest = ''
  #ended = false
  readonly #read = (chunk: string | Buffer) => {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop()!
    if (lines[0] !== undefined) this.#wake?.(lines[0])
  }
  readonly #end = () => {
    this.#ended = true
    this.#wake?.(undefined)
  }

  constructor() {
    process.stdin.setEncoding('utf8').on('data', this.#read).on('end', this.#end)
  }

  /** The next line; undefined when there is none, or when `signal` is aborted first. */
  async ask(question: string, signal: AbortSignal): Promise<string | undefined> {
    // what was typed until now is read first, and lost
    for (let i = 0; i < 2; i++) await new Promise(resolve => setImmediate(resolve))
    if (signal.aborted) return undefined
    process.stderr.write(question)
    if (this.#ended) return undefined
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const aborted = () => resolve(undefined)
    signal.addEventListener('abort', aborted)
    this.#wake = resolve
    try {
      return await promise
    } finally {
      this.#wake = undefined
      signal.removeEventListener('abort', aborted)
    }
  }

  close(): void {
    process.stdin.off('data', this.#read).off('end', this.#end).pause()
  }
}

/**
 * The code or ticket in a file, or on stdin for `-`; on a terminal one line of it. `typed`: the name is rather
 * a mistyped code than that of a file.
 */
export async function readInvitation(from: string, typed: boolean): Promise<string> {
  if (from === '-' && process.stdin.isTTY) return (await line('Code or ticket: ')).trim()
  const text = from === '-' ? await readInput() : readFile(from, typed)
  const lines = text.split(/\r?\n/).map(l => l.trim())
  return lines.find(l => l.startsWith('coterie1:')) ?? lines.find(l => l !== '') ?? ''
}

/** All of stdin as text. */
export async function readInput(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const piece of process.stdin) {
    text += piece
    if (text.length > INPUT_MAX) throw new Failure('stdin has more than one ticket or call can need')
  }
  return text
}

function readFile(path: string, typed: boolean): string {
  try {
    if (statSync(path).size > INPUT_MAX) throw new Failure(`${path} is too long for a ticket`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (code === 'ENOENT' && typed)
      throw new UsageError(
        `${JSON.stringify(path)} is no code, and there is no file of that name; a code is like K7QF-2M9X`
      )
    throw new Failure(
      code === 'ENOENT'
        ? `there is no file ${path}; "-" reads the code or ticket from stdin`
        : `${path} cannot be read (${code})`
    )
  }
}
