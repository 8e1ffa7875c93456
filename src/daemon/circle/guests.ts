/**
 * Guests: members whose time ends. Each device judges that by its own clock, and then neither lets the guest
 * in nor dials it; should the clock turn out to be wrong, it does again. It becomes final by a `remove`, which
 * the device that added the guest makes, else the lowest that is online; not before there is little doubt about
 * the clock (docs/decisions/0043).
 */
import { remove, shouldFinishLeaving } from '../../circle/author.ts'
import type { MemberState } from '../../circle/log.ts'
import { type PeerId, peerKey } from '../../crypto/identity.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Ledger } from './ledger.ts'

/** The clock may be set at any time: how often it is looked at, while there are guests. */
const LOOK_MS = 600_000
/** Of a clock that somebody keeps right: how long a guest was seen to be over its time before that is final. */
const SURE_MS = 600_000
/** Of any other clock: so long, without a pause, and so long past its time. */
const UNSURE_MS = 86_400_000
const MARGIN_MS = 7 * 86_400_000
/** While it is watched the wall clock may stray so far from the monotonic one. */
const STRAY_MS = 60_000

/** Since when a guest is seen to be over its time, by both clocks. */
interface Over {
  readonly now: number
  readonly wall: number
}

export class Guests {
  readonly #ledger: Ledger
  readonly #around: Pick<Surroundings, 'now' | 'wall' | 'clockSynchronised' | 'log' | 'arm'>
  readonly #online: (peer: PeerId) => boolean
  readonly #changed: () => void
  readonly #over = new Map<PeerId, Over>()
  #at = Number.POSITIVE_INFINITY

  /** `changed`: one more is over its time, or one is not after all. */
  constructor(
    ledger: Ledger,
    around: Pick<Surroundings, 'now' | 'wall' | 'clockSynchronised' | 'log' | 'arm'>,
    online: (peer: PeerId) => boolean,
    changed: () => void
  ) {
    this.#ledger = ledger
    this.#around = around
    this.#online = online
    this.#changed = changed
    this.follow()
  }

  /** Its time is over: as it was when it was last looked. */
  expired({ id }: MemberState): boolean {
    return this.#over.has(id)
  }

  get deadline(): number {
    return this.#at
  }

  expire(): void {
    if (this.#at > this.#around.now()) return
    this.look()
    void this.#finish()
  }

  /** Who is over the time by the clock as it is now; `changed` is called when that is news. */
  look(): void {
    const before = [...this.#over.keys()].join()
    this.follow()
    if ([...this.#over.keys()].join() !== before) this.#changed()
  }

  /** Members may have changed. */
  follow(): void {
    const { now, wall } = this.#around
    const guests = [...this.#ledger.members.values()].filter(({ expiresMs }) => expiresMs > 0)
    const over = new Set(guests.filter(({ expiresMs }) => expiresMs <= wall()).map(({ id }) => id))
    for (const id of this.#over.keys()) if (!over.has(id)) this.#over.delete(id)
    for (const id of over) {
      const since = this.#over.get(id)
      const stray = since === undefined ? 0 : Math.abs(wall() - since.wall - (now() - since.now))
      // it slept, or the clock was set: then it is watched anew
      if (since === undefined || stray > STRAY_MS) this.#over.set(id, { now: now(), wall: wall() })
    }
    const left = guests.filter(({ id }) => !over.has(id)).map(({ expiresMs }) => expiresMs - wall())
    const next = guests.length === 0 ? Number.POSITIVE_INFINITY : now() + Math.min(LOOK_MS, ...left)
    // whoever asks in between does not put off the look that is due
    this.#at = this.#at > now() ? Math.min(this.#at, next) : next
  }

  async #finish(): Promise<void> {
    const { clockSynchronised, log } = this.#around
    const ledger = this.#ledger
    const due = [...this.#over.keys()].filter(id => this.#mine(id) && this.#watched(id) >= SURE_MS)
    if (due.length === 0) return
    const sure = await clockSynchronised()
    try {
      await ledger.inTurn(async () => {
        for (const id of due) {
          const guest = ledger.members.get(id)
          if (guest === undefined || !this.expired(guest) || !this.#mine(id)) continue
          if (!sure && !this.#longPast(guest)) continue
          const target = peerKey(id)!
          await ledger.append(place =>
            remove(ledger.signingKey, place, { target, lost: false, cut: undefined })
          )
          log('info', 'the time of a guest is over', { peer: id, name: guest.name })
        }
      })
    } catch (error) {
      log('warn', 'a guest could not be removed', { error: (error as Error).message })
    }
  }

  /** For how long it was seen to be over its time without a doubt about the clock. */
  #watched(id: PeerId): number {
    return this.#around.now() - (this.#over.get(id)?.now ?? Number.POSITIVE_INFINITY)
  }

  #longPast(guest: MemberState): boolean {
    return this.#watched(guest.id) >= UNSURE_MS && this.#around.wall() - guest.expiresMs >= MARGIN_MS
  }

  /** Whether it falls to this device: the one that added it, else the lowest of those online. */
  #mine(id: PeerId): boolean {
    const { members, own, self } = this.#ledger
    const guest = members.get(id)
    if (own === undefined || guest === undefined) return false
    if (guest.addedBy === self) return true
    const online = [...members.values()].filter(m => m.id === self || (m.id !== id && this.#online(m.id)))
    if (online.some(m => m.id === guest.addedBy)) return false
    return shouldFinishLeaving(own, online, guest.level)
  }
}
