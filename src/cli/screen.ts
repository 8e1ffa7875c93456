/**
 * The whole terminal, for as long as a live view runs: the alternate screen, single keys, changed lines only. It is
 * given back as it was however the program ends, but by SIGKILL.
 */
import { writeSync } from 'node:fs'
import { emitKeypressEvents, type Key } from 'node:readline'

/** Alternate screen, no cursor, and no line is broken that takes more columns than we thought. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J'
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l'
const ENDINGS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

export interface Reactions {
  /** `name` as readline calls it, or the character. */
  key(name: string, ctrl: boolean): void
  /** Draw anew: it has another size, or was somebody else's meanwhile. */
  resized(): void
  /** The terminal is gone. */
  gone(): void
}

export class Screen {
  readonly #in: typeof process.stdin
  readonly #out: typeof process.stdout
  readonly #reactions: Reactions
  #shown: readonly string[] = []
  #open = false
  #closed = false

  constructor(input: typeof process.stdin, output: typeof process.stdout, reactions: Reactions) {
    this.#in = input
    this.#out = output
    this.#reactions = reactions
  }

  get rows(): number {
    return this.#out.rows || 24
  }

  open(): void {
    emitKeypressEvents(this.#in)
    this.#in.on('keypress', this.#pressed)
    this.#in.on('end', this.#reactions.gone)
    this.#in.on('error', this.#reactions.gone)
    this.#out.on('resize', this.#resized)
    process.on('exit', this.#restore)
    process.on('uncaughtException', this.#crashed)
    process.on('SIGTSTP', this.suspend)
    process.on('SIGCONT', this.#resumed)
    for (const name of ENDINGS) process.on(name, this.#ended)
    this.#take()
  }

  close(): void {
    this.#restore()
    this.#closed = true
    this.#in.off('keypress', this.#pressed)
    this.#in.off('end', this.#reactions.gone)
    this.#out.off('resize', this.#resized)
    process.off('exit', this.#restore)
    process.off('uncaughtException', this.#crashed)
    process.off('SIGTSTP', this.suspend)
    process.off('SIGCONT', this.#resumed)
    for (const name of ENDINGS) process.off(name, this.#ended)
    this.#in.pause()
  }

  /** As many lines as there are rows. Those that did not change are not written. */
  draw(lines: readonly string[]): void {
    if (!this.#open) return
    let text = ''
    for (const [i, line] of lines.entries())
      if (line !== this.#shown[i]) text += `\x1b[${i + 1};1H${line}\x1b[0m\x1b[K`
    this.#shown = lines
    if (text !== '') this.#out.write(text)
  }

  /** As Ctrl-Z does: all of the job stops, with the terminal as it was. */
  suspend = (): void => {
    this.#restore()
    process.off('SIGTSTP', this.suspend)
    process.kill(0, 'SIGTSTP')
    // where no shell would continue it the kernel does not stop it
    setTimeout(() => this.#open || this.#closed || this.#resumed(), 100)
  }

  #take(): void {
    this.#open = true
    this.#in.setRawMode(true)
    this.#in.resume()
    this.#shown = []
    this.#out.write(ENTER)
  }

  /** At once, whatever the streams are at. */
  #restore = (): void => {
    if (!this.#open) return
    this.#open = false
    try {
      this.#in.setRawMode(false)
      writeSync(this.#out.fd, LEAVE)
    } catch {
      // the terminal is gone: there is nothing to give back
    }
  }

  #resumed = (): void => {
    process.off('SIGTSTP', this.suspend)
    process.on('SIGTSTP', this.suspend)
    this.#take()
    this.#reactions.resized()
  }

  #pressed = (character: string | undefined, { name, ctrl, sequence }: Key): void => {
    const shown = character !== undefined && character > ' ' ? character : (name ?? sequence ?? '')
    this.#reactions.key(ctrl ? (name ?? '') : shown, ctrl === true)
  }

  #resized = (): void => {
    this.#shown = []
    this.#out.write('\x1b[2J')
    this.#reactions.resized()
  }

  /** Ends of the signal, as who sent it expects. */
  #ended = (signal: NodeJS.Signals): void => {
    this.#restore()
    for (const name of ENDINGS) process.off(name, this.#ended)
    process.kill(process.pid, signal)
  }

  #crashed = (error: Error): void => {
    this.#restore()
    console.error(error)
    process.exit(1)
  }
}
