/** Records whose signatures are being verified, in batches: the same bytes from many sessions only once. */
import type { PeerRecord } from '../wire/gossip.ts'

/** A record, whose by number, and the session it came from. */
export interface Item {
  readonly record: PeerRecord
  readonly member: number
  readonly from: number
}

export class Verifying {
  readonly #batches = new Map<number, readonly Item[]>()
  readonly #records = new Map<number, PeerRecord[]>()
  #batch = 0

  /** These very bytes are under way. */
  has(member: number, record: PeerRecord): boolean {
    return this.#records.get(member)?.some(other => sameBytes(other.bytes, record.bytes)) ?? false
  }

  /** Before the next one is looked at: two in one frame may be the same. */
  note({ member, record }: Item): void {
    this.#records.set(member, [...(this.#records.get(member) ?? []), record])
  }

  /** Gives the number of the batch. */
  begin(items: readonly Item[]): number {
    this.#batches.set(++this.#batch, items)
    return this.#batch
  }

  /** The items of a batch that is over; none when it was forgotten. */
  end(batch: number): readonly Item[] {
    const items = this.#batches.get(batch) ?? []
    this.#batches.delete(batch)
    for (const { member, record } of items) {
      const left = this.#records.get(member)?.filter(other => other !== record) ?? []
      if (left.length > 0) this.#records.set(member, left)
      else this.#records.delete(member)
    }
    return items
  }

  /** The numbers of members mean others from now on. */
  forget(): void {
    this.#batches.clear()
    this.#records.clear()
  }
}

export const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one === other || (one.length === other.length && one.every((byte, i) => byte === other[i]))
