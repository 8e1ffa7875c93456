/** Secrets that a person types: not shown on a terminal, one on a line where stdin is none; never an argument. */
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { readInput } from './ask.ts'
import { err } from './print.ts'
import { Failure } from './run.ts'

/** As the API takes it. */
export type Typed = { Code: string } | { Shares: string[] }

/** A share has 44 characters, a code 36. The daemon says what is wrong with either. */
const isShare = (text: string): boolean => text.replace(/[^0-9a-z]/gi, '').length > 40

/** A word that belongs on stdin: a code or a share, with its groups. */
export const isRecoverySecret = (word: string): boolean => /^([0-9a-z]{4}[- ]){8,10}[0-9a-z]{4}$/i.test(word)

/** The recovery code, or two shares of it. Rejects Failure when there is none. */
export async function readRecovery(): Promise<Typed> {
  if (process.stdin.isTTY) {
    const first = await hidden('Recovery code, or one of two shares (not shown): ')
    return isShare(first)
      ? { Shares: [first, await hidden('The other share (not shown): ')] }
      : { Code: first }
  }
  const lines = (await readInput())
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '')
  const [first] = lines
  if (first === undefined)
    throw new Failure('stdin has no recovery code; it takes the code, or two shares, one a line')
  return lines.length > 1 || isShare(first) ? { Shares: lines } : { Code: first }
}

/** One line that is not echoed. */
async function hidden(prompt: string): Promise<string> {
  process.stderr.write(prompt)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })
  const text = await new Promise<string>(resolve => {
    reader.question('', answer => {
      resolve(answer.trim())
      reader.close()
    })
    reader.once('close', () => resolve(''))
  })
  err('')
  if (text === '') throw new Failure('nothing was typed; nothing was changed')
  return text
}
