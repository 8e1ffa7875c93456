/**
 * The last events in order, each with a cursor `<boot>-<sequence>`. A reader goes on from its cursor, or is
 * told that it missed some.
 */

import type { Event } from '../../api/api.ts'
import type { Values } from '../../api/types.ts'

export type EventRecord = Values<typeof Event.fields>
/** An event before it has its place in the order. */
export type Change = Omit<EventRecord, 'Cursor'>

export class EventLog {
  readonly #boot: string
  readonly #limit: number
  readonly #ring: EventRecord[] = []
  #sequence = 0

  constructor(boot: string, limit: number) {
    this.#boot = boot
    this.#limit = limit
  }

  /** Of the last event. */
  get cursor(): string {
    return `${this.#boot}-${this.#sequence}`
  }

  append(changes: readonly Change[]): EventRecord[] {
    return changes.map(change => {
      this.#sequence++
      const event = { Cursor: this.cursor, ...change }
      this.#ring[this.#sequence % this.#limit] = event
      return event
    })
  }

  /** What came after the cursor; undefined when that is not known any more, or never was. */
  after(cursor: string): EventRecord[] | undefined {
    const dash = cursor.lastIndexOf('-')
    const digits = cursor.slice(dash + 1)
    const sequence = Number(digits)
    if (cursor.slice(0, dash) !== this.#boot || !/^\d{1,15}$/.test(digits)) return undefined
    if (sequence > this.#sequence || sequence < this.#sequence - this.#limit) return undefined
    const events: EventRecord[] = []
    for (let n = sequence + 1; n <= this.#sequence; n++)
      events.push(this.#ring[n % this.#limit] as EventRecord)
    return events
  }

  /**
   * The same picture as a list of events, for a reader that has none. Only the last one carries the cursor:
   * a reader cut off before it has not seen all, and gets everything again.
   */
  picture(changes: readonly Change[]): EventRecord[] {
    return changes.map((change, i) => ({
      Cursor: i === changes.length - 1 ? this.cursor : `${this.#boot}-incomplete`,
      ...change
    }))
  }
}
