/**
 * Tags that a program served lately: where it was started again, or the daemon was, its messages wait a little for it
 * instead of having no handler. Those served last are remembered over a restart, in a file of lines.
 */
import { readFileSync } from 'node:fs'
import { atomicWrite, FileError } from '../../host/files.ts'
import { covers, patternProblem } from '../../messages/tag.ts'
import type { Log } from '../log.ts'
import { afterMs } from '../timer.ts'

/** For a program that left to come again; and after a start, for a session to come up. */
const LEFT_MS = 10_000
const START_MS = 60_000

export class Expected {
  readonly #path: string
  readonly #log: Log
  readonly #onOver: () => void
  readonly #here = new Set<string>()
  /** Patterns that are waited for, with what ends it. */
  readonly #awaited = new Map<string, () => void>()
  #written: string
  #turn = Promise.resolve()

  /** `onOver`: some are not waited for any longer. */
  constructor(path: string, log: Log, onOver: () => void) {
    this.#path = path
    this.#log = log
    this.#onOver = onOver
    this.#written = read(path)
    for (const pattern of this.#written.split('\n'))
      if (patternProblem(pattern) === '') this.#await(pattern, START_MS)
  }

  covers(tag: string): boolean {
    return [...this.#awaited.keys()].some(pattern => covers(pattern, tag))
  }

  /** Resolves when they will be waited for after a crash, as far as the disk allows; then `came` or `left` follows. */
  coming(patterns: readonly string[]): Promise<void> {
    for (const pattern of patterns) this.#here.add(pattern)
    return this.#write()
  }

  came(patterns: readonly string[]): void {
    for (const pattern of patterns) {
      this.#here.add(pattern)
      this.#awaited.get(pattern)?.()
      this.#awaited.delete(pattern)
    }
  }

  left(patterns: readonly string[]): void {
    for (const pattern of patterns) if (this.#here.delete(pattern)) this.#await(pattern, LEFT_MS)
  }

  stop(): void {
    for (const cancel of this.#awaited.values()) cancel()
  }

  #await(pattern: string, ms: number): void {
    const over = () => {
      this.#awaited.delete(pattern)
      void this.#write()
      this.#onOver()
    }
    this.#awaited.get(pattern)?.()
    this.#awaited.set(pattern, afterMs(ms, over))
  }

  #write(): Promise<void> {
    const text = [...new Set([...this.#here, ...this.#awaited.keys()])].sort().join('\n')
    if (text === this.#written) return this.#turn
    this.#written = text
    this.#turn = this.#turn.then(async () => {
      try {
        await atomicWrite(this.#path, text)
      } catch (error) {
        if (!(error instanceof FileError)) throw error
        this.#log('warn', 'which tags programs serve is not remembered', { error: error.message })
      }
    })
    return this.#turn
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // there is none yet, or it is of no use
  }
}
