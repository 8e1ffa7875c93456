/**
 * The X25519 statics of this device in one circle: the one in use, and the one before it, by which peers that
 * were away know this device (docs/decisions/0042). Their rows are written together with the operation that
 * says the new one.
 */
import { type ExchangeKey, x25519 } from '../../crypto/provider.ts'
import type { Write } from '../../host/database.ts'
import type { StoredCircle } from './stored.ts'

/** How long the previous one is accepted, unless a next one comes earlier. */
export const GRACE_MS = 180 * 86_400_000
const none = new Uint8Array(0)

export class OwnStatics {
  #row: StoredCircle['row']
  #current: ExchangeKey
  #previous: ExchangeKey | undefined
  #previousSecret: Uint8Array
  #sinceMs: number
  readonly #wall: () => number

  constructor({ row, previous }: Pick<StoredCircle, 'row' | 'previous'>, wall: () => number) {
    this.#row = row
    this.#wall = wall
    this.#current = x25519(row.secret)
    this.#previousSecret = previous?.secret ?? none
    this.#previous = this.#previousSecret.length === 32 ? x25519(this.#previousSecret) : undefined
    this.#sinceMs = previous?.sinceMs ?? row.joinedMs
  }

  get current(): ExchangeKey {
    return this.#current
  }
  /** All that are accepted, the one in use first. */
  get all(): readonly ExchangeKey[] {
    return this.#previous === undefined || this.#lapsed ? [this.#current] : [this.#current, this.#previous]
  }
  /** Of the one in use; 0 for the first. */
  get serial(): number {
    return this.#row.serial
  }
  /** Since when that is so, by this device's clock. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  /** The one to use towards a peer that has acknowledged so many: a new one not before it knows it. */
  towards(acknowledged: number): ExchangeKey {
    return acknowledged >= this.serial ? this.#current : this.all.at(-1)!
  }

  /** The rows that put a new one in the place of the one in use; call `taken` when they are on disk. */
  next(secret: Uint8Array, serial: number): { key: ExchangeKey; writes: Write[]; taken: () => void } {
    const key = x25519(secret)
    const row = { ...this.#row, secret, serial }
    const sinceMs = Math.floor(this.#wall())
    const before = this.#row.secret
    return {
      key,
      writes: [{ put: row }, this.#stored(before, sinceMs)],
      taken: () => {
        this.#previous = this.#current
        this.#previousSecret = before
        this.#current = key
        this.#row = row
        this.#sinceMs = sinceMs
      }
    }
  }

  /** What to write when the grace of the previous one is over: then its secret is kept no longer. */
  forget(): Write | undefined {
    if (this.#previous === undefined || !this.#lapsed) return undefined
    this.#previous = undefined
    this.#previousSecret = none
    return this.#stored(none, this.#sinceMs)
  }

  /** What to write when its age is to be counted from now on. */
  countAnew(): Write {
    this.#sinceMs = Math.floor(this.#wall())
    return this.#stored(this.#previousSecret, this.#sinceMs)
  }

  get #lapsed(): boolean {
    return this.#wall() - this.#sinceMs >= GRACE_MS
  }

  #stored(secret: Uint8Array, sinceMs: number): Write {
    return { put: { table: 'previous', gid: this.#row.gid, secret, sinceMs } }
  }
}
