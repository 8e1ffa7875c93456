/**
 * When announcements are made anew: in each slot of the wall clock, a little after it begins. How much after is
 * chance: else a clock that is so much wrong would be known by it, and a LAN full of devices would speak at once.
 * Receivers accept the slot before.
 */
import { SLOT_LENGTH } from '../crypto/announcement.ts'

const SLOT_MS = SLOT_LENGTH * 1000
const SPREAD_MS = 20_000

export class Rotation {
  readonly #rotate: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(rotate: () => void) {
    this.#rotate = rotate
  }

  start(): void {
    const now = Date.now()
    const next = (Math.floor(now / SLOT_MS) + 1) * SLOT_MS + Math.random() * SPREAD_MS
    this.#timer = setTimeout(() => {
      this.#rotate()
      this.start()
    }, next - now)
    this.#timer.unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
