/**
 * Opening what this device keeps: at the start, and while its key is away (keyring locked or not there yet)
 * whenever that may have changed. Until then the device is `locked`; it asks nobody, and makes no new key.
 */
import type { Row } from '../../host/database.ts'
import { KeyAway } from '../../host/key-store.ts'
import type { Log } from '../log.ts'
import type { Vault } from './vault.ts'

export class Unlocking {
  readonly #vault: Vault
  readonly #log: Log
  readonly #onRows: (rows: readonly Row[]) => void
  readonly #onChange: () => void
  #away = ''
  #watching: (() => void) | undefined
  #trying: Promise<void> | undefined
  /** Something changed while one was trying. */
  #changed = false
  /** The next try may start a keyring. */
  #start = false

  /** `onRows`: called once, with all that is stored. `onChange`: `away` is another. */
  constructor(options: {
    vault: Vault
    log: Log
    onRows: (rows: readonly Row[]) => void
    onChange: () => void
  }) {
    this.#vault = options.vault
    this.#log = options.log
    this.#onRows = options.onRows
    this.#onChange = options.onChange
  }

  /** Why the key cannot be read now, and what to do; '' when it could be, or there is none yet. */
  get away(): string {
    return this.#away
  }

  /** Resolves when open, or locked. Rejects as Vault.open does for what waiting does not mend. */
  async start(): Promise<void> {
    try {
      this.#opened((await this.#vault.open({ start: true })) ?? [])
    } catch (error) {
      if (!(error instanceof KeyAway)) throw error
      this.#closed(error.message)
      this.#watching = this.#vault.watch(() => void this.again())
    }
  }

  /** Looks again, if locked. `start`: a keyring may be started for it. Never rejects. */
  async again({ start = false } = {}): Promise<void> {
    this.#changed = true
    this.#start ||= start
    this.#trying ??= this.#try().finally(() => {
      this.#trying = undefined
    })
    return this.#trying
  }

  stop(): void {
    this.#watching?.()
    this.#watching = undefined
  }

  async #try(): Promise<void> {
    while (this.#watching !== undefined && this.#changed) {
      const start = this.#start
      this.#changed = this.#start = false
      try {
        const rows = (await this.#vault.open({ start })) ?? []
        this.stop()
        this.#log('info', 'the key of this device can be read')
        this.#opened(rows)
      } catch (error) {
        this.#closed((error as Error).message)
      }
    }
  }

  #opened(rows: readonly Row[]): void {
    this.#away = ''
    this.#onRows(rows)
  }

  #closed(sentence: string): void {
    if (sentence === this.#away) return
    this.#away = sentence
    this.#log('warn', `locked: ${sentence}`)
    this.#onChange()
  }
}
