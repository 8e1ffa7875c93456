/** The initiator's half of a handshake on a link: message 1 out, message 2 in. */
import {
  type CreatedInitiation,
  consumeResponse,
  HEADER,
  messageLength,
  type SessionKeys
} from '../../crypto/handshake.ts'
import type { Link } from '../../net/link.ts'
import type { Answer } from '../../wire/hello.ts'
import { HANDSHAKE_MS } from './half-open.ts'

export interface Exchanged {
  readonly answer: Answer
  readonly keys: SessionKeys
  readonly roundTripUSec: number
}

/**
 * Rejects Error whose message is a word: timeout, protocol (bytes that are no answer to this message), or the
 * link's own; the link is destroyed then. When it resolves the link's callbacks are to be set at once.
 */
export function exchange(
  link: Link,
  initiation: CreatedInitiation,
  now: () => number,
  after: (ms: number, act: () => void) => () => void
): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const sent = now()
    let message = new Uint8Array(0)
    const fail = (reason: string): void => {
      cancel()
      link.onData = link.onClose = () => {}
      link.destroy()
      reject(new Error(reason))
    }
    const cancel = after(HANDSHAKE_MS, () => fail('timeout'))
    link.onClose = fail
    link.onData = chunk => {
      const longer = new Uint8Array(message.length + chunk.length)
      longer.set(message)
      longer.set(chunk, message.length)
      message = longer
      if (message.length < HEADER) return
      const length = messageLength(message.subarray(0, HEADER))
      if (length !== undefined && message.length < length) return
      const opened = consumeResponse(initiation, message)
      if (!opened) {
        fail('protocol')
        return
      }
      cancel()
      resolve({ ...opened, roundTripUSec: Math.max(1, Math.round((now() - sent) * 1000)) })
    }
    link.write([initiation.message])
  })
}
