/** Receipts that are collected, so that one frame tells all; of one message only the latest is told. */
import type { PeerId } from '../crypto/identity.ts'
import { encodeReceipts, MAX_RECEIPTS, type Receipt } from '../wire/message.ts'

/** Of one frame, bytes. */
const MAX_OUTPUTS = 524_288

/** The outbox that messages come from. */
export interface Origin {
  readonly from: PeerId
  readonly epoch: Uint8Array
}

export class Receipts {
  readonly #waiting = new Map<Origin, Map<number, Receipt>>()

  /** `origin`: the same object each time. */
  add(origin: Origin, receipt: Receipt): void {
    const receipts = this.#waiting.get(origin) ?? new Map<number, Receipt>()
    receipts.set(receipt.seq, receipt)
    this.#waiting.set(origin, receipts)
  }

  take(): { type: 'send'; peer: PeerId; body: Uint8Array }[] {
    const frames = [...this.#waiting].flatMap(([{ from, epoch }, receipts]) => {
      const all = [...receipts.values()]
      const parts: Receipt[][] = [[]]
      let bytes = 0
      for (const receipt of all) {
        if (parts.at(-1)!.length === MAX_RECEIPTS || bytes + receipt.output.length > MAX_OUTPUTS) {
          parts.push([])
          bytes = 0
        }
        parts.at(-1)!.push(receipt)
        bytes += receipt.output.length
      }
      return parts.map(part => ({ type: 'send', peer: from, body: encodeReceipts(epoch, part) }) as const)
    })
    this.#waiting.clear()
    return frames
  }
}
