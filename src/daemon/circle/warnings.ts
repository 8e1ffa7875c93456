/**
 * What a circle warns of in the notes of the status: that this device was removed or seems to be, that it has
 * missed those above it, that somebody exists twice.
 */
import type { CircleId, PeerId } from '../../crypto/identity.ts'
import { CloseReason } from '../../wire/frame.ts'
import type { Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Surroundings } from '../surroundings.ts'
import { CircleNotes } from './circle-notes.ts'
import { Clones } from './clones.ts'
import type { Membership } from './membership.ts'
import { Reminders } from './reminders.ts'
import { SelfSeeking } from './self-seeking.ts'
import { Unanswered } from './unanswered.ts'

const UNANSWERED =
  'the others do not answer this device any more: it may have been removed; ask there with `coterie devices`'

export interface WarningsOptions {
  readonly circle: { readonly Id: CircleId; readonly Name: string }
  readonly membership: Membership
  readonly sessions: Sessions
  readonly around: Surroundings
  readonly ownAddresses: () => readonly string[]
  /** A session that was opened to look for a copy of this device. */
  readonly onSession: (session: Session) => void
}

export class Warnings {
  readonly #options: WarningsOptions
  readonly #notes: CircleNotes
  readonly #reminders: Reminders
  readonly #clones: Clones
  readonly #selfSeeking: SelfSeeking
  readonly #unanswered = new Unanswered()

  constructor(options: WarningsOptions) {
    const { circle, membership, sessions, around, onSession } = options
    this.#options = options
    this.#notes = new CircleNotes(circle.Id, around)
    this.#reminders = new Reminders(circle.Name, membership, this.#notes, around)
    this.#clones = new Clones(circle, membership, sessions, this.#notes, around)
    this.#selfSeeking = new SelfSeeking(around, membership, membership.self, onSession)
  }

  get deadline(): number {
    return Math.min(this.#reminders.deadline, this.#clones.deadline)
  }
  expire(now: number): void {
    if (this.#reminders.deadline <= now) this.#reminders.look()
    if (this.#clones.deadline <= now) this.#clones.expire()
  }

  /** Two devices use that identity. */
  cloned(id: PeerId): boolean {
    return this.#clones.has(id)
  }

  /** True: it is one with this device itself, and no use is to be made of it. */
  opened(session: Session): boolean {
    if (session.peer === this.#options.membership.self) {
      this.#clones.met(session.bootId, session.remote)
      session.close(CloseReason.Done)
      return true
    }
    this.#unanswered.answered()
    this.#notes.say('unanswered', '')
    return false
  }

  /** The logs of this device and a member agree. */
  met(): void {
    this.#reminders.look()
  }

  /** A member took the connection at this address, and did not answer. */
  unanswered(peer: PeerId, address: string): void {
    const { around, ownAddresses, sessions } = this.#options
    if (sessions.peers.length > 0) return
    this.#unanswered.silent(around.now(), peer, address, ownAddresses())
    if (this.#unanswered.seems(around.now())) this.#notes.say('unanswered', UNANSWERED)
  }

  /** Two boots of this peer answer. */
  twice(peer: PeerId): void {
    this.#clones.seen(peer)
  }
  /** A Clone frame. */
  told(by: PeerId, boot: Uint8Array): void {
    this.#clones.told(by, boot)
  }
  /** This identity is said to be at these addresses: is it another computer? */
  elsewhere(addresses: readonly string[]): void {
    const { membership, ownAddresses } = this.#options
    if (!this.#clones.certain(membership.self)) this.#selfSeeking.at(addresses, ownAddresses())
  }

  /** Members or the log have changed; `out`: this device was removed. */
  follow(out: boolean): void {
    const { Name } = this.#options.circle
    const removed = `this device was removed from the circle ${Name}: \`coterie leave\` clears it away`
    this.#notes.say('removed', out ? removed : '')
    this.#reminders.look()
    this.#clones.follow()
  }

  /** The network keeps devices apart. */
  separated(sentence: string): void {
    this.#notes.say('separated', sentence)
  }

  stop(): void {
    this.#selfSeeking.stop()
  }
  /** The circle is this device's no more. */
  clear(): void {
    this.#notes.clear()
  }
}
