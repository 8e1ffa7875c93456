/**
 * When announcements are made anew: in each slot of the wall clock, a little after it begins. How much after is
 * chance: else a clock that is so much wrong would be known by it, and a LAN full of devices would speak at once.
 * Receivers accept the slot before.
 *
 * The wall clock is looked at every minute: it may be set, and a timer does not count while the computer sleeps.
 */
import { SLOT_LENGTH } from '../../crypto/announcement.ts'

const SLOT_MS = SLOT_LENGTH * 1000
const SPREAD_MS = 20_000
const LOOK_MS = 60_000

export class Rotation {
  readonly #rotate: () => void
  #timer: NodeJS.Timeout | undefined
  /** The slot of the last rotation began at `#from`; the next one is due at `#due`. Milliseconds since 1970. */
  #from = 0
  #due = 0

  constructor(rotate: () => void) {
    this.#rotate = rotate
  }

  start(): void {
    this.#plan()
    this.#later()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #plan(): void {
    const now = Date.now()
    this.#from = now - (now % SLOT_MS)
    this.#due = this.#from + SLOT_MS + Math.random() * SPREAD_MS
  }

  #later(): void {
    this.#timer = setTimeout(() => this.#look(), Math.min(this.#due - Date.now(), LOOK_MS))
    this.#timer.unref()
  }

  #look(): void {
    const now = Date.now()
    if (now >= this.#due || now < this.#from) {
      this.#rotate()
      this.#plan()
    }
    this.#later()
  }
}
