/** Secrets that a person types: not shown on a terminal, one on a line where stdin is none; never an argument. */
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
    const [first = '', other] = await hidden(([first, other]) => {
      if (first === undefined) return 'Recovery code, or one of two shares (not shown): '
      return isShare(first) && other === undefined ? 'The other share (not shown): ' : undefined
    })
    return other === undefined ? { Code: first } : { Shares: [first, other] }
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

/**
 * Lines of the terminal that are not echoed, as many as `next` has prompts for, by what was typed before. What was
 * typed beyond them is left for the next question. Raw mode is entered once: left and entered again at once, Node
 * has been seen to leave it a moment later.
 */
async function hidden(next: (lines: readonly string[]) => string | undefined): Promise<string[]> {
  const { stdin } = process
  const lines: string[] = []
  stdin.setRawMode(true)
  process.stderr.write(next(lines) ?? '')
  const whole = await new Promise<boolean>(resolve => {
    let line = ''
    const read = (chunk: Buffer) => {
      const typed = [...chunk.toString('utf8')]
      for (const [at, character] of typed.entries()) {
        if (/[\r\n]/.test(character)) {
          lines.push(line.trim())
          line = ''
          const prompt = lines.includes('') ? undefined : next(lines)
          err('')
          if (prompt === undefined) return end(true, typed.slice(at + 1).join(''))
          process.stderr.write(prompt)
        } else if (character === '\x03' || character === '\x04') return end(false, '')
        else if (character === '\x7f' || character === '\b') line = line.slice(0, -1)
        else line = character === '\x15' ? '' : line + character
      }
    }
    const end = (done: boolean, rest: string) => {
      stdin.off('data', read)
      stdin.pause()
      stdin.setRawMode(false)
      if (rest !== '') stdin.unshift(Buffer.from(rest))
      resolve(done)
    }
    stdin.on('data', read)
  })
  if (whole && !lines.includes('')) return lines
  throw new Failure('nothing was typed; nothing was changed')
}
