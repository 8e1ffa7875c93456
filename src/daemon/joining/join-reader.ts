/** Puts the messages of joining by a code together, one at a time: neither side speaks out of turn. */
import {
  JOIN_HEADER,
  JOIN_MESSAGE_LIMIT,
  type JoinMessage,
  joinMessageBody,
  joinMessageLength
} from '../../wire/joining.ts'

/** One more than any has, so that more than one shows. */
const MOST = JOIN_MESSAGE_LIMIT + 1

export class JoinReader {
  #gathered: Uint8Array = new Uint8Array(0)

  /** undefined: more has to come; 'garbage': it is none of these, or more than one. */
  read(
    chunk: Uint8Array,
    expected: readonly JoinMessage[]
  ): { type: JoinMessage; body: Uint8Array } | 'garbage' | undefined {
    const message = new Uint8Array(this.#gathered.length + Math.min(chunk.length, MOST))
    message.set(this.#gathered)
    message.set(chunk.subarray(0, MOST), this.#gathered.length)
    this.#gathered = message
    if (expected.length === 0) return 'garbage'
    if (message.length < JOIN_HEADER) return undefined
    const length = joinMessageLength(message.subarray(0, JOIN_HEADER))
    const type = expected.find(type => type === message[JOIN_HEADER - 1])
    if (length === undefined || type === undefined || message.length > length) return 'garbage'
    if (message.length < length) return undefined
    this.#gathered = new Uint8Array(0)
    return { type, body: joinMessageBody(type, message)! }
  }
}
