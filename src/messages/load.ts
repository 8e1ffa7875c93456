/** What one sender has in the inbox that has not ended, and what was not taken in for want of room. */
import { MAX_RECEIPTS } from '../wire/message.ts'
import { Tally } from './tally.ts'

/** What is above is not taken in until there is room again; one message always is. */
export const MESSAGES = 16_384
export const BYTES = 64 * 1_048_576
/** Of that for one tag: the others are not held up by it. */
export const TAG_MESSAGES = 12_288
export const TAG_BYTES = 48 * 1_048_576
const ALL = { messages: MESSAGES, bytes: BYTES }
const ONE_TAG = { messages: TAG_MESSAGES, bytes: TAG_BYTES }

/** `Stream`: what the numbers of messages are counted in. */
export class Load<Stream> {
  running = 0
  readonly #all = new Tally()
  readonly #byTag = new Map<string, Tally>()
  /** By tag and stream: what was not taken in, and is to come before anything else of that tag. */
  readonly #refused = new Map<string, Map<Stream, Set<number>>>()
  /** Tags for which there is no room, and which were not told since that there is. */
  readonly #closed = new Set<string>()

  /** Whether there is room, and it is the turn of this one: of a tag nothing goes before what was refused. */
  admits(stream: Stream, tag: string, seq: number, size: number): boolean {
    const its = this.#byTag.get(tag)
    const room = this.#all.admits(size, ALL) && its?.admits(size, ONE_TAG) !== false
    if (!room) this.#closed.add(tag)
    const refused = this.#refused.get(tag)?.get(stream)
    return room && (refused === undefined || (!this.#closed.has(tag) && refused.has(seq)))
  }

  enter(stream: Stream, tag: string, seq: number, size: number): void {
    const its = this.#byTag.get(tag) ?? new Tally()
    this.#byTag.set(tag, its)
    this.#all.add(size)
    its.add(size)
    const refused = this.#refused.get(tag)
    const seqs = refused?.get(stream)
    // they come in order: what was before it comes no more
    for (const other of seqs ?? []) if (other <= seq) seqs!.delete(other)
    if (seqs?.size === 0) refused!.delete(stream)
    if (refused?.size === 0) this.#refused.delete(tag)
  }

  leave(tag: string, size: number): void {
    const its = this.#byTag.get(tag)!
    this.#all.take(size)
    its.take(size)
    if (its.messages === 0) this.#byTag.delete(tag)
  }

  /** True when there is room for it, once those before it have come: it may be sent again at once. */
  refuse(stream: Stream, tag: string, seq: number): boolean {
    const streams = this.#refused.get(tag) ?? new Map<Stream, Set<number>>()
    const seqs = streams.get(stream) ?? new Set<number>()
    // an honest sender has fewer than that on its way
    if (seqs.size < MAX_RECEIPTS) seqs.add(seq)
    this.#refused.set(tag, streams.set(stream, seqs))
    return !this.#closed.has(tag)
  }

  /** What was refused and may come now: of a tag half of whose share is free, when there is room at all. */
  readmitted(): [Stream, number][] {
    const { messages, bytes } = this.#all
    if (this.#closed.size === 0 || messages > MESSAGES * 0.875 || bytes > BYTES * 0.875) return []
    const open = [...this.#closed].filter(tag => {
      const its = this.#byTag.get(tag)
      return its === undefined || (its.messages <= TAG_MESSAGES / 2 && its.bytes <= TAG_BYTES / 2)
    })
    return open.flatMap(tag => {
      this.#closed.delete(tag)
      const streams = [...(this.#refused.get(tag) ?? [])]
      return streams.flatMap(([stream, seqs]) => [...seqs].map((seq): [Stream, number] => [stream, seq]))
    })
  }
}
