/** What a circle reminds of as time goes by: contact that was missed, a guest's time that is over. */
import type { MemberState } from '../../circle/log.ts'
import type { Surroundings } from '../surroundings.ts'
import type { CircleNotes } from './circle-notes.ts'
import { STALE_MS } from './contacts.ts'
import type { Membership } from './membership.ts'

const DAY_MS = 86_400_000
/** How often it is looked whether a warning has come due. */
const LOOK_MS = DAY_MS / 4

export class Reminders {
  readonly #membership: Membership
  readonly #notes: CircleNotes
  readonly #around: Pick<Surroundings, 'now' | 'wall'>
  readonly #circle: string
  #at = Number.NEGATIVE_INFINITY

  constructor(
    circle: string,
    membership: Membership,
    notes: CircleNotes,
    around: Pick<Surroundings, 'now' | 'wall'>
  ) {
    this.#circle = circle
    this.#membership = membership
    this.#notes = notes
    this.#around = around
  }

  get deadline(): number {
    return this.#at
  }

  /** When it is due, and when somebody was met or members have changed. */
  look(): void {
    const { own } = this.#membership
    this.#at = this.#around.now() + LOOK_MS
    this.#notes.say('stale', own === undefined ? '' : this.#stale(own))
    this.#notes.say('guest', own === undefined ? '' : this.#over(own))
  }

  #stale(own: MemberState): string {
    const { members, seen } = this.#membership
    const missed = seen.missedMs(own)
    if (missed <= STALE_MS) return ''
    const names = [...members.values()].filter(m => m.level < own.level).map(({ name }) => name)
    const several = names.length > 3 ? `${names.slice(0, 3).join(', ')} or others` : names.join(' or ')
    return (
      `this device has met none of a smaller level in the circle ${this.#circle} for ${Math.floor(missed / DAY_MS)} days: ` +
      `it may not know of the latest removals; let it meet ${several}`
    )
  }

  #over({ expiresMs }: MemberState): string {
    if (expiresMs === 0 || this.#around.wall() < expiresMs) return ''
    const day = new Date(expiresMs).toISOString().slice(0, 10)
    return `the time of this device as a guest of the circle ${this.#circle} was over on ${day}: the others let it in no more; \`coterie leave\` clears it away`
  }
}
