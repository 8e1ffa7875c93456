/** What one sender has in the inbox that has not ended, and what was not taken in for want of room. */
import { MAX_RECEIPTS } from '../wire/message.ts'

/** What is above is not taken in until half of it has gone; one message always is. */
export const MESSAGES = 10_000
export const BYTES = 64 * 1_048_576

/** `Stream`: what the numbers of messages are counted in. */
export class Load<Stream> {
  running = 0
  #messages = 0
  #bytes = 0
  readonly #refused = new Map<Stream, Set<number>>()

  /** Once something was refused, so is all that comes after it: they are to come in order. */
  isFull(size: number): boolean {
    if (this.#refused.size > 0 || this.#messages >= MESSAGES) return true
    return this.#messages > 0 && this.#bytes + size > BYTES
  }

  enter(size: number): void {
    this.#messages++
    this.#bytes += size
  }

  leave(size: number): void {
    this.#messages--
    this.#bytes -= size
  }

  refuse(stream: Stream, seq: number): void {
    const seqs = this.#refused.get(stream) ?? new Set()
    // an honest sender has fewer than that on its way
    if (seqs.size < MAX_RECEIPTS) seqs.add(seq)
    this.#refused.set(stream, seqs)
  }

  /** What was refused and may come now. */
  readmitted(): [Stream, number][] {
    if (this.#messages > MESSAGES / 2 || this.#bytes > BYTES / 2) return []
    const all = [...this.#refused].flatMap(([stream, seqs]) =>
      [...seqs].map((seq): [Stream, number] => [stream, seq])
    )
    this.#refused.clear()
    return all
  }
}
