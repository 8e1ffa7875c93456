/** Text for people: colour and marks on a terminal, plain aligned text in a pipe. JSON for programs. */
import type { WriteStream } from 'node:tty'
import { padded, width, widths } from './columns.ts'

export interface Look {
  /** It is a terminal: headings and marks are wanted, and what is too wide has to give way. */
  readonly terminal: boolean
  /** Colours are wanted. */
  readonly coloured: boolean
  readonly columns: number
  bold(text: string): string
  dim(text: string): string
  green(text: string): string
  yellow(text: string): string
  red(text: string): string
  cyan(text: string): string
  /** A mark, or its ASCII form where the locale has no other. */
  mark(fine: string, plain: string): string
}

type Environment = { readonly [name: string]: string | undefined }

export function lookOf(stream: NodeJS.WriteStream | WriteStream, env: Environment = process.env): Look {
  const terminal = stream.isTTY === true
  const coloured = wantsColour(terminal, env)
  const paint = (code: number) => (text: string) => (coloured && text ? `\x1b[${code}m${text}\x1b[0m` : text)
  const utf8 = /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '')
  return {
    terminal,
    coloured,
    columns: (terminal && stream.columns) || 80,
    bold: paint(1),
    dim: paint(2),
    green: paint(32),
    yellow: paint(33),
    red: paint(31),
    cyan: paint(36),
    mark: (fine, plain) => (utf8 ? fine : plain)
  }
}

/**
 * NO_COLOR (no-color.org) goes before all; then FORCE_COLOR (as Node has it) and CLICOLOR_FORCE, which want colours
 * in a pipe too; then CLICOLOR=0 and TERM=dumb, which want none on a terminal (bixense.com/clicolors).
 */
function wantsColour(terminal: boolean, env: Environment): boolean {
  if (env['NO_COLOR']) return false
  const force = env['FORCE_COLOR']
  if (force) return force !== '0' && force !== 'false'
  if (env['CLICOLOR_FORCE'] && env['CLICOLOR_FORCE'] !== '0') return true
  return terminal && env['CLICOLOR'] !== '0' && env['TERM'] !== 'dumb'
}

export const out = (text: string): boolean => process.stdout.write(`${text}\n`)
export const err = (text: string): boolean => process.stderr.write(`${text}\n`)
export const json = (value: unknown): boolean => out(JSON.stringify(value, null, 2))
export const jsonLine = (value: unknown): boolean => out(JSON.stringify(value))

/**
 * Names come from other devices: no control character, direction mark, or character that is not seen gets to the
 * terminal; but those that join letters and emoji (U+200C, U+200D) do.
 */
export const printable = (text: string): string => text.replace(UNPRINTABLE, '\ufffd')
const UNPRINTABLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu

/** One line on stderr that is written over; nothing where stderr is no terminal. */
export function progressLine(): { show: (sentence: string) => void; clear: () => void } {
  const { terminal, columns, dim } = lookOf(process.stderr)
  if (!terminal) return { show: () => {}, clear: () => {} }
  return {
    show: sentence => process.stderr.write(`\r\x1b[K${dim(printable(sentence).slice(0, columns - 1))}`),
    clear: () => process.stderr.write('\r\x1b[K')
  }
}

/** Rows with aligned columns, two spaces between them; the last column is not padded. */
export function aligned(rows: readonly (readonly string[])[], indent = ''): string[] {
  const most = widths(rows)
  return rows.map(row => (indent + row.map((cell, i) => padded(cell, most[i]!)).join('  ')).trimEnd())
}

/** Aligned rows below a heading, which only a terminal gets. */
export function table(
  look: Look,
  heading: readonly string[],
  rows: readonly (readonly string[])[]
): string[] {
  return aligned(look.terminal ? [heading.map(look.dim), ...rows] : rows)
}

/** Lines of at most `columns`, broken between words (a longer word stays whole, to be copied whole); the first starts with `first`, the others with as many spaces. */
export function wrapped(text: string, columns: number, first = ''): string[] {
  const lines: string[] = []
  let line = first
  let empty = true
  for (const word of text.split(' ')) {
    if (word === '' && empty) continue
    if (!empty && width(line) + 1 + width(word) > columns) {
      lines.push(line.trimEnd())
      line = ' '.repeat(width(first))
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}
