/** Those who wait for what becomes of a message. */
import type { MessageId } from '../../messages/id.ts'
import { isSettled, type Sent } from '../../messages/outbox.ts'

interface Waiter {
  readonly id: MessageId
  /** Whether it need not wait any longer. */
  settle(sent: Sent): boolean
}

export class Waiting {
  readonly #waiters = new Set<Waiter>()

  /** Resolves when the message is settled, or `enough` says so: at once when it is. Rejects with the reason of the signal. */
  until(sent: Sent, enough: (sent: Sent) => boolean, signal: AbortSignal): Promise<Sent> {
    if (isSettled(sent) || enough(sent)) return Promise.resolve(sent)
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        id: sent.id,
        settle: changed => {
          if (!isSettled(changed) && !enough(changed)) return false
          resolve(changed)
          return true
        }
      }
      this.#waiters.add(waiter)
      const end = () => {
        this.#waiters.delete(waiter)
        reject(signal.reason)
      }
      signal.addEventListener('abort', end, { once: true })
    })
  }

  changed(sent: Sent): void {
    for (const waiter of this.#waiters)
      if (waiter.id === sent.id && waiter.settle(sent)) this.#waiters.delete(waiter)
  }
}
