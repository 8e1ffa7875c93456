/** Text for people: colour and marks on a terminal, plain aligned text in a pipe. JSON for programs. */
import type { WriteStream } from 'node:tty'

export interface Look {
  /** Colours, headings and marks are wanted: it is a terminal. */
  readonly terminal: boolean
  readonly columns: number
  bold(text: string): string
  dim(text: string): string
  green(text: string): string
  yellow(text: string): string
  red(text: string): string
  /** A mark, or its ASCII form where the locale has no other. */
  mark(fine: string, plain: string): string
}

type Environment = { readonly [name: string]: string | undefined }

/** NO_COLOR as no-color.org has it: set and not empty. */
export function lookOf(stream: NodeJS.WriteStream | WriteStream, env: Environment = process.env): Look {
  const terminal = stream.isTTY === true
  const colour = terminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  const paint = (code: number) => (text: string) => (colour && text ? `\x1b[${code}m${text}\x1b[0m` : text)
  const utf8 = /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '')
  return {
    terminal,
    columns: (terminal && stream.columns) || 80,
    bold: paint(1),
    dim: paint(2),
    green: paint(32),
    yellow: paint(33),
    red: paint(31),
    mark: (fine, plain) => (utf8 ? fine : plain)
  }
}

export const out = (text: string): boolean => process.stdout.write(`${text}\n`)
export const err = (text: string): boolean => process.stderr.write(`${text}\n`)
export const json = (value: unknown): boolean => out(JSON.stringify(value, null, 2))
export const jsonLine = (value: unknown): boolean => out(JSON.stringify(value))

/** Names come from other devices: no control character or direction mark of theirs reaches the terminal. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')

/** One line on stderr that is written over; nothing where stderr is no terminal. */
export function progressLine(): { show: (sentence: string) => void; clear: () => void } {
  const { terminal, columns, dim } = lookOf(process.stderr)
  if (!terminal) return { show: () => {}, clear: () => {} }
  return {
    show: sentence => process.stderr.write(`\r\x1b[K${dim(printable(sentence).slice(0, columns - 1))}`),
    clear: () => process.stderr.write('\r\x1b[K')
  }
}

/** Columns a text takes in a terminal. */
export function width(text: string): number {
  let columns = 0
  for (const character of text.replace(/\x1b\[\d+m/g, '')) {
    if (/\p{Mn}|\u200d|\ufe0f/u.test(character)) continue
    columns += WIDE.test(character) ? 2 : 1
  }
  return columns
}
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

/** Rows with aligned columns, two spaces between them; the last column is not padded. */
export function aligned(rows: readonly (readonly string[])[], indent = ''): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  }
  return rows.map(row => {
    const cells = row.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - width(cell)))
    return (indent + cells.join('  ')).trimEnd()
  })
}

/** Aligned rows below a heading, which only a terminal gets. */
export function table(
  look: Look,
  heading: readonly string[],
  rows: readonly (readonly string[])[]
): string[] {
  return aligned(look.terminal ? [heading.map(look.dim), ...rows] : rows)
}

/** Lines of at most `columns`, broken between words; the first starts with `first`, the others with as many spaces. */
export function wrapped(text: string, columns: number, first = ''): string[] {
  const lines: string[] = []
  let line = first
  let empty = true
  for (const word of text.split(' ')) {
    if (!empty && width(line) + 1 + width(word) > columns) {
      lines.push(line)
      line = ' '.repeat(width(first))
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}
