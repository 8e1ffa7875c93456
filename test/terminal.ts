/** A program on a terminal of its own (test/on-terminal.py), and what is on its screen: enough of a terminal for our programs. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { width } from '../src/cli/columns.ts'
import { PATIENCE_MS, within } from './lab/deadline.ts'

interface Teardown {
  teardown(fn: () => unknown): void
}

/** Rows of cells, as the escape sequences of src/cli/screen.ts draw them. */
export class Display {
  #rows: number
  #columns: number
  #cells: string[][]
  #at = { row: 0, column: 0 }
  #style = ''
  #kept: string[][] | undefined
  #rest = ''
  #wraps = true
  cursor = true

  constructor(rows: number, columns: number) {
    this.#rows = rows
    this.#columns = columns
    this.#cells = this.#blank()
  }

  /** The alternate screen is shown. */
  get alternate(): boolean {
    return this.#kept !== undefined
  }
  /** Lines without colours, and without spaces at the end. */
  get lines(): string[] {
    return this.styled.map(line => line.replace(/\x1b\[[\d;]*m/g, '').trimEnd())
  }
  /** Lines with their colours. */
  get styled(): string[] {
    return this.#cells.map(row => row.join(''))
  }

  resize(rows: number, columns: number): void {
    this.#rows = rows
    this.#columns = columns
    this.#cells = this.#blank()
  }

  write(text: string): void {
    this.#rest += text
    for (;;) {
      // a sequence that is not whole yet waits for the rest
      const found = /^(?:\x1b\[([?\d;]*)([A-Za-z])|\x1b[()78=>][A-Z0]?|[^\x1b]\p{M}*)/u.exec(this.#rest)
      if (!found) return
      this.#rest = this.#rest.slice(found[0].length)
      if (found[2] === undefined) this.#put(found[0])
      else this.#sequence(found[1]!, found[2])
    }
  }

  #put(text: string): void {
    const at = this.#at
    if (text.startsWith('\x1b')) return
    if (text === '\r') at.column = 0
    else if (text === '\n') {
      if (at.row + 1 < this.#rows) at.row++
      else this.#cells = [...this.#cells.slice(1), ...this.#blank().slice(0, 1)]
    } else if (text >= ' ') {
      const columns = width(text)
      if (at.column + columns > this.#columns) {
        if (!this.#wraps) return
        at.column = 0
        this.#put('\n')
      }
      const row = this.#cells[at.row]
      if (row === undefined) return
      row[at.column] = this.#style ? `${this.#style}${text}\x1b[0m` : text
      for (let i = 1; i < columns; i++) row[at.column + i] = ''
      at.column += columns
    }
  }

  #sequence(given: string, kind: string): void {
    const numbers = given.split(';').map(Number)
    if (kind === 'm') this.#style = given === '0' || given === '' ? '' : `${this.#style}\x1b[${given}m`
    else if (kind === 'H') this.#at = { row: (numbers[0] || 1) - 1, column: (numbers[1] || 1) - 1 }
    else if (kind === 'K') this.#cells[this.#at.row]?.fill(' ', this.#at.column)
    else if (kind === 'J') this.#cells = this.#blank()
    else if (given === '?7') this.#wraps = kind === 'h'
    else if (given === '?25') this.cursor = kind === 'h'
    else if (given === '?1049') this.#swap(kind === 'h')
  }

  #swap(alternate: boolean): void {
    if (alternate === this.alternate) return
    const kept = this.#kept
    this.#kept = alternate ? this.#cells : undefined
    this.#cells = alternate ? this.#blank() : kept!
  }

  #blank = (): string[][] => Array.from({ length: this.#rows }, () => Array(this.#columns).fill(' '))
}

export class Terminal {
  readonly display: Display
  readonly #child: ChildProcessWithoutNullStreams
  #text = ''
  #over = false
  #wake: () => void = () => {}

  /** `wrapper`: a command that goes before python3, such as nsenter. */
  constructor(
    t: Teardown,
    command: readonly string[],
    { rows = 24, columns = 80, env = {} as NodeJS.ProcessEnv, wrapper = [] as readonly string[] } = {}
  ) {
    this.display = new Display(rows, columns)
    const edge = join(import.meta.dirname, 'on-terminal.py')
    const [program = '', ...words] = [...wrapper, 'python3', edge, `${rows}`, `${columns}`, ...command]
    this.#child = spawn(program, words, { env })
    this.#child.stdin.on('error', () => {})
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        this.#text += text
        this.display.write(text)
        this.#wake()
      })
    this.#child.on('close', () => {
      this.#over = true
      this.#wake()
    })
    t.teardown(() => this.#child.kill('SIGKILL'))
  }

  /** All that was written so far. */
  get text(): string {
    return this.#text
  }

  type(keys: string): void {
    this.#tell(keys)
  }
  resize(rows: number, columns: number): void {
    this.display.resize(rows, columns)
    this.#tell({ size: [rows, columns] })
  }
  signal(name: 'TERM' | 'HUP' | 'INT' | 'QUIT' | 'KILL' | 'TSTP' | 'CONT' | 'USR2'): void {
    this.#tell({ signal: name })
  }

  /** Until the screen holds it. */
  async shows(what: string, holds: RegExp | ((lines: readonly string[]) => boolean)): Promise<void> {
    const there = () =>
      typeof holds === 'function' ? holds(this.display.lines) : holds.test(this.display.lines.join('\n'))
    await this.#until(`it shows ${what}`, there)
  }

  /** Until it stopped or ended: `ended 0, echo on`. */
  async ended(): Promise<string> {
    const line = () => [...this.#text.matchAll(/^ended .*, echo (on|off)$/gm)].at(-1)
    const before = this.#seen
    await this.#until('it ends', () => (line()?.index ?? -1) > before)
    this.#seen = line()!.index
    return line()![0]
  }
  #seen = -1

  async #until(what: string, holds: () => boolean): Promise<void> {
    const event = (async () => {
      while (!holds()) {
        if (this.#over) throw new Error(`${what}: it has ended\n${this.#text.slice(-2_000)}`)
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    })()
    await within(PATIENCE_MS, what, event, () => this.display.lines.join('\n'))
  }

  #tell(what: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(what)}\n`)
  }
}
