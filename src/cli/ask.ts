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

/** The ticket in a file, or on stdin for `-`; on a terminal one line of it. */
export async function readTicket(from: string): Promise<string> {
  if (from === '-' && process.stdin.isTTY) return (await line('Ticket (one line, coterie1:…): ')).trim()
  const text = from === '-' ? await readInput() : readFile(from)
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

function readFile(path: string): string {
  try {
    if (statSync(path).size > INPUT_MAX) throw new Failure(`${path} is too long for a ticket`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new Failure(
      code === 'ENOENT'
        ? `there is no file ${path}; "-" reads the ticket from stdin`
        : `${path} cannot be read (${code})`
    )
  }
}
