/**
 * Devices that exist twice: a disk was copied, and both answer with one identity (docs/decisions/0044). A
 * member with sessions of two boots of one device sees it, and tells both by a Clone frame, the boot id of the
 * other one; a device that meets itself sees it by itself. The warning stays while there is evidence and a day
 * longer; a fork in the log stays until the device is removed.
 */
import { type CircleId, type PeerId, shortId } from '../../crypto/identity.ts'
import { hex, unhex } from '../../wire/bytes.ts'
import { Kind } from '../../wire/frame.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Surroundings } from '../surroundings.ts'
import type { CircleNotes } from './circle-notes.ts'
import type { Membership } from './membership.ts'

/** How often those who see both tell both again. */
const TELL_MS = 3_600_000
/** How long the warning outlives the last evidence. */
const KEEP_MS = 86_400_000

interface Clone {
  /** Of the last evidence, monotonic. */
  at: number
  /** How it is known, for people; '' when it was seen from here. */
  readonly from: string
}

export class Clones {
  readonly #circle: { readonly Id: CircleId; readonly Name: string }
  readonly #membership: Membership
  readonly #sessions: Sessions
  readonly #notes: CircleNotes
  readonly #around: Pick<Surroundings, 'now' | 'log' | 'publisher'>
  readonly #clones = new Map<PeerId, Clone>()
  #forked: ReadonlySet<PeerId> = new Set()
  #said: ReadonlySet<PeerId> = new Set()
  #at = Number.POSITIVE_INFINITY

  constructor(
    circle: { readonly Id: CircleId; readonly Name: string },
    membership: Membership,
    sessions: Sessions,
    notes: CircleNotes,
    around: Pick<Surroundings, 'now' | 'log' | 'publisher'>
  ) {
    this.#circle = circle
    this.#membership = membership
    this.#sessions = sessions
    this.#notes = notes
    this.#around = around
  }

  has(id: PeerId): boolean {
    return this.#clones.has(id) || this.#forked.has(id)
  }

  /** The evidence is so fresh that none has to be looked for. */
  certain(id: PeerId): boolean {
    return this.#around.now() - (this.#clones.get(id)?.at ?? Number.NEGATIVE_INFINITY) < KEEP_MS / 2
  }

  get deadline(): number {
    return this.#at
  }

  /** Two boots of this peer answer. */
  seen(peer: PeerId): void {
    this.#found(peer, '')
    this.#tell(peer)
  }

  /** A Clone frame of a peer: a device of another boot uses the identity of this one. */
  told(by: PeerId, boot: Uint8Array): void {
    if (boot.length !== 16 || hex(boot) === hex(this.#membership.bootId)) return
    this.#found(this.#membership.self, `${this.#membership.members.get(by)?.name ?? shortId(by)} sees both`)
  }

  /** A session with this device itself: by its boot id it is this process, or another computer. */
  met(boot: string, address: string): void {
    if (boot !== hex(this.#membership.bootId)) this.#found(this.#membership.self, `it answers at ${address}`)
  }

  /** Members or the log have changed. */
  follow(): void {
    const { members, forks } = this.#membership
    for (const id of this.#clones.keys()) if (!members.has(id)) this.#clones.delete(id)
    const forked = new Set([...forks].filter(id => members.has(id)))
    for (const id of forked) if (!this.#forked.has(id)) this.#signal(id)
    this.#forked = forked
    this.#say()
  }

  /** Tells again where both are still there; forgets what was not seen for long. */
  expire(): void {
    const now = this.#around.now()
    if (this.#at > now) return
    for (const [peer, clone] of this.#clones) {
      if (this.#boots(peer).size > 1) {
        clone.at = now
        this.#tell(peer)
      } else if (now - clone.at >= KEEP_MS) this.#clones.delete(peer)
    }
    this.#at = this.#clones.size === 0 ? Number.POSITIVE_INFINITY : now + TELL_MS
    this.#say()
  }

  #found(peer: PeerId, from: string): void {
    const { now, log } = this.#around
    const known = this.#clones.has(peer)
    this.#clones.set(peer, { at: now(), from })
    if (this.#at === Number.POSITIVE_INFINITY) this.#at = now() + TELL_MS
    if (known) return
    log('warn', 'two devices answer with one identity', { peer, from })
    this.#signal(peer)
    this.#say()
  }

  #signal(peer: PeerId): void {
    this.#around.publisher.signal('CloneDetected', '', { Circle: this.#circle.Id, Id: peer })
  }

  /** Boots of a peer, by the sessions that are open. */
  #boots(peer: PeerId): Map<string, number[]> {
    return Map.groupBy(this.#sessions.of(peer), number => this.#sessions.get(number)!.bootId)
  }

  /** Each of them learns of the other. */
  #tell(peer: PeerId): void {
    const boots = this.#boots(peer)
    for (const [boot, numbers] of boots) {
      const other = [...boots.keys()].find(another => another !== boot)
      if (other === undefined) return
      for (const number of numbers) this.#sessions.get(number)!.send(Kind.Clone, unhex(other))
    }
  }

  #say(): void {
    const all = new Set([...this.#clones.keys(), ...this.#forked])
    for (const id of this.#said) if (!all.has(id)) this.#notes.say(`clone ${id}`, '')
    for (const id of all) this.#notes.say(`clone ${id}`, this.#sentence(id))
    this.#said = all
  }

  #sentence(id: PeerId): string {
    const { members, self } = this.#membership
    const own = id === self
    const who = own ? 'this device' : `${members.get(id)?.name ?? shortId(id)}`
    const clone = this.#clones.get(id)
    const what =
      clone === undefined
        ? 'has said two things at one place in the log: its disk was copied, or an old copy was put back'
        : `exists twice: another computer has its keys from a copy of its disk${clone.from && ` (${clone.from})`}`
    const mend = own
      ? 'decide which one stays, remove the identity of both on another device, then let that one leave and join anew'
      : `\`coterie remove ${shortId(id)}\` ends both, then the one that stays can join anew`
    return `${who} (${shortId(id)}) in the circle ${this.#circle.Name} ${what}; ${mend}`
  }
}
