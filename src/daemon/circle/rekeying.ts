/**
 * When this device changes its static key (docs/decisions/0042): when somebody asks, by itself after 90 days,
 * and when the log says another one than it holds, as after an old copy of its disk was put back.
 *
 * It looks at the start, once a day, and soon after the log has changed. What it finds it does only when it finds it again ten minutes later by
 * a clock that went evenly meanwhile, and no more than once a day: a wrong clock must not use up the log.
 */
import { rekey } from '../../circle/author.ts'
import { equal } from '../../crypto/provider.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Ledger } from './ledger.ts'

const DAY_MS = 86_400_000
export const AGE_MS = 90 * DAY_MS
const AGAIN_MS = 600_000
/** Between the two looks the wall clock may stray so far from the monotonic one. */
const STRAY_MS = 60_000
/** A clock before this was never set. */
const CLOCK_SET_MS = Date.UTC(2026, 0)
/** Operations left for other things. */
const RESERVE = 8

interface Found {
  readonly what: 'due' | 'ahead'
  readonly now: number
  readonly wall: number
}

export class Rekeying {
  readonly #ledger: Ledger
  readonly #around: Pick<Surroundings, 'now' | 'wall' | 'random' | 'commit' | 'log'>
  /** It must not be done by itself now: two devices would take turns. */
  readonly #held: () => boolean
  /** A new one is on disk, and nobody was told yet. */
  readonly #changed: () => void
  #at: number
  #found: Found | undefined
  #last = Number.NEGATIVE_INFINITY

  constructor(
    ledger: Ledger,
    around: Pick<Surroundings, 'now' | 'wall' | 'random' | 'commit' | 'log'>,
    held: () => boolean,
    changed: () => void
  ) {
    this.#ledger = ledger
    this.#around = around
    this.#held = held
    this.#changed = changed
    this.#at = around.now()
  }

  get deadline(): number {
    return this.#at
  }

  expire(): void {
    if (this.#at <= this.#around.now()) this.#look()
  }

  /** The log has changed: it may say another static than this device holds. */
  follow(): void {
    if (this.#found === undefined && this.#what() === 'due')
      this.#at = Math.min(this.#at, this.#around.now() + AGAIN_MS)
  }

  /** A new static, on disk together with the operation that says so. Rejects ApiError. */
  async rekey(): Promise<void> {
    const ledger = this.#ledger
    await ledger.inTurn(async () => {
      const known = ledger.ownLevel > 0 ? ledger.own!.serials.static : 0
      const serial = Math.max(known, ledger.statics.serial) + 1
      const { key, writes, taken } = ledger.statics.next(this.#around.random(32), serial)
      await ledger.append(
        place => rekey(ledger.signingKey, place, { static: key.publicKey, serial }),
        writes,
        () => {
          taken()
          ledger.keys.setStatics(ledger.statics.all)
          this.#changed()
        }
      )
    })
  }

  #look(): void {
    const { now, wall } = this.#around
    const before = this.#found
    const found = { what: this.#what(), now: now(), wall: wall() }
    this.#at = found.now + DAY_MS
    this.#found = undefined
    this.#forget()
    if (found.what === undefined) return
    this.#found = { ...found, what: found.what }
    // an age in the future is looked at again the next day: a clock behind is often right within hours
    if (found.what === 'due') this.#at = found.now + AGAIN_MS
    if (before?.what !== found.what) return
    const stray = Math.abs(found.wall - before.wall - (found.now - before.now))
    if (stray > STRAY_MS) return
    this.#found = undefined
    this.#at = found.now + DAY_MS
    if (found.what === 'ahead') this.#store(() => this.#ledger.statics.countAnew())
    else void this.#rekeyByItself()
  }

  #what(): Found['what'] | undefined {
    const { own, statics, log, self } = this.#ledger
    const { now, wall } = this.#around
    if (own === undefined || wall() < CLOCK_SET_MS) return undefined
    const age = wall() - statics.sinceMs
    if (age < -DAY_MS) return 'ahead'
    const strange = age >= DAY_MS && !statics.all.some(key => equal(key.publicKey, own.statics[0]!))
    if (age < AGE_MS && !strange) return undefined
    if (this.#held() || log.room(self) < RESERVE || now() - this.#last < DAY_MS) return undefined
    return 'due'
  }

  async #rekeyByItself(): Promise<void> {
    const { log, now } = this.#around
    this.#last = now()
    try {
      await this.rekey()
      log('info', 'the static key was changed', { serial: this.#ledger.statics.serial })
    } catch (error) {
      log('warn', 'the static key could not be changed', { error: (error as Error).message })
    }
  }

  #forget(): void {
    this.#store(() => this.#ledger.statics.forget())
  }

  #store(make: () => ReturnType<Ledger['statics']['forget']>): void {
    const { commit, log } = this.#around
    void this.#ledger.inTurn(async () => {
      const write = make()
      if (write === undefined) return
      await commit([write]).catch(error =>
        log('warn', 'the age of a key was not stored', { error: error.message })
      )
    })
  }
}
