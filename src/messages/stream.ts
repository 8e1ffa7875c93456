/** What came from one outbox, by number. */
import type { Origin } from './receipts.ts'
import type { Received } from './received.ts'

export interface Entry {
  received: Received
  /** Monotonic: when it expires, or is due again. */
  until: number
}

export interface Stream extends Origin {
  /** The sender sends nothing below it any more. */
  floor: number
  readonly entries: Map<number, Entry>
}

export const ended = ({ state }: Pick<Received, 'state'>): boolean => state === 'done' || state === 'dead'

/** Those from the present floor up to another one, which may be any number. */
export function below({ entries, floor: from }: Stream, floor: number): [number, Entry][] {
  if (floor - from > entries.size) return [...entries].filter(([seq]) => seq < floor)
  return Array.from({ length: floor - from }, (_, i) => from + i).flatMap(seq => {
    const entry = entries.get(seq)
    return entry === undefined ? [] : [[seq, entry]]
  })
}
