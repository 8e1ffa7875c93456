/** What one sender has in the inbox that has not ended, and what was not taken in for want of room. */
import { MAX_RECEIPTS } from '../wire/message.ts'

/** What is above is not taken in until half of it has gone; one message always is. */
export const MESSAGES = 16_384
export const BYTES = 64 * 1_048_576
/** Of that at most for one tag: the others are not held up by it. */
const SHARE = 0.75

interface Held {
  messages: number
  bytes: number
}

/** `Stream`: what the numbers of messages are counted in. */
export class Load<Stream> {
  running = 0
  readonly #all: Held = { messages: 0, bytes: 0 }
  readonly #byTag = new Map<string, Held>()
  /** By tag and stream: what was not taken in, and is to come before anything else of that tag. */
  readonly #refused = new Map<string, Map<Stream, Set<number>>>()
  /** There was no room since they were told to come again. */
  #full = false

  /** Whether there is room, and it is the turn of this one: of a tag nothing goes before what was refused. */
  admits(stream: Stream, tag: string, seq: number, size: number): boolean {
    const its = this.#byTag.get(tag)
    if (exceeds(this.#all, size, 1) || (its !== undefined && exceeds(its, size, SHARE))) {
      this.#full = true
      return false
    }
    const refused = this.#refused.get(tag)?.get(stream)
    return refused === undefined || (!this.#full && refused.has(seq))
  }

  enter(stream: Stream, tag: string, seq: number, size: number): void {
    const its = this.#byTag.get(tag) ?? { messages: 0, bytes: 0 }
    this.#byTag.set(tag, its)
    for (const held of [this.#all, its]) {
      held.messages++
      held.bytes += size
    }
    const refused = this.#refused.get(tag)
    const seqs = refused?.get(stream)
    // they come in order: what was before it comes no more
    for (const other of seqs ?? []) if (other <= seq) seqs!.delete(other)
    if (seqs?.size === 0) refused!.delete(stream)
    if (refused?.size === 0) this.#refused.delete(tag)
  }

  leave(tag: string, size: number): void {
    const its = this.#byTag.get(tag)!
    for (const held of [this.#all, its]) {
      held.messages--
      held.bytes -= size
    }
    if (its.messages === 0) this.#byTag.delete(tag)
  }

  /** True when there is room for it, once those before it have come: it may be sent again at once. */
  refuse(stream: Stream, tag: string, seq: number): boolean {
    const streams = this.#refused.get(tag) ?? new Map<Stream, Set<number>>()
    const seqs = streams.get(stream) ?? new Set<number>()
    // an honest sender has fewer than that on its way
    if (seqs.size < MAX_RECEIPTS) seqs.add(seq)
    this.#refused.set(tag, streams.set(stream, seqs))
    return !this.#full
  }

  /** What was refused and may come now. */
  readmitted(): [Stream, number][] {
    if (!this.#full || this.#all.messages > MESSAGES / 2 || this.#all.bytes > BYTES / 2) return []
    this.#full = false
    return [...this.#refused.values()].flatMap(streams =>
      [...streams].flatMap(([stream, seqs]) => [...seqs].map((seq): [Stream, number] => [stream, seq]))
    )
  }
}

const exceeds = ({ messages, bytes }: Held, size: number, share: number): boolean =>
  messages >= MESSAGES * share || (messages > 0 && bytes + size > BYTES * share)
