/**
 * Ephemeral keys of first messages, remembered for 10 to 20 minutes so that a repetition is refused. Bounded:
 * when many come, they are forgotten earlier; a repetition cannot confirm anyway. Pure.
 */
const REMEMBER_MS = 600_000
const LIMIT = 4_096

export class Seen {
  #current = new Set<string>()
  #previous = new Set<string>()
  #since = 0

  /** Whether it was here before; remembers it. */
  repeated(now: number, ephemeral: Uint8Array): boolean {
    if (now - this.#since >= REMEMBER_MS || this.#current.size >= LIMIT) {
      this.#previous = this.#current
      this.#current = new Set()
      this.#since = now
    }
    const name = String.fromCharCode(...ephemeral)
    if (this.#current.has(name) || this.#previous.has(name)) return true
    this.#current.add(name)
    return false
  }
}
