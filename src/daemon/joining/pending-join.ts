/**
 * The keys of joins that have begun, on disk before they are shown to anybody: the inviter may have added them
 * although its answer was lost. A ticket takes the same device twice, but not two; one that joins by a code
 * again is the same device, not its shadow.
 */
import { hash } from '../../crypto/provider.ts'
import type { Row, Write } from '../../host/database.ts'
import { fromBase32, toBase32 } from '../../wire/base32.ts'

const SETTING = 'joining'
/** The latest; who joins that many circles at once begins anew with the first. */
const AT_MOST = 16

export interface OwnSecrets {
  /** Of Ed25519 and X25519, 32 bytes each. */
  readonly seed: Uint8Array
  readonly secret: Uint8Array
}

export class PendingJoin {
  readonly #store: (write: Write) => Promise<void>
  readonly #random: (length: number) => Uint8Array
  /** By what they were made for. */
  #all: ReadonlyMap<string, OwnSecrets> = new Map()

  constructor(store: (write: Write) => Promise<void>, random: (length: number) => Uint8Array) {
    this.#store = store
    this.#random = random
  }

  load(rows: readonly Row[]): void {
    const row = rows.find(row => row.table === 'setting' && row.key === SETTING)
    const all = new Map<string, OwnSecrets>()
    for (const entry of row?.table === 'setting' ? row.value.split(',') : []) {
      const [name = '', ...words] = entry.split(' ')
      const [seed, secret] = words.map(fromBase32)
      if (seed?.length === 32 && secret?.length === 32) all.set(name, { seed, secret })
    }
    this.#all = all
  }

  /**
   * Those made for this ticket's secret, or this circle's gid, before; else new ones. `anew`: new ones. What they
   * are for is not stored.
   */
  async secrets(of: Uint8Array, anew = false): Promise<OwnSecrets> {
    const name = nameOf(of)
    const known = this.#all.get(name)
    if (known !== undefined && !anew) return known
    const made = { seed: this.#random(32), secret: this.#random(32) }
    const all = new Map([...this.#without(name), [name, made] as const].slice(-AT_MOST))
    await this.#store(setting(all))
    this.#all = all
    return made
  }

  /** Goes with the rows of the circle that was joined: keys are never used in two. */
  forget(of: Uint8Array): Write {
    return setting(this.#without(nameOf(of)))
  }

  forgotten(of: Uint8Array): void {
    this.#all = this.#without(nameOf(of))
  }

  #without(name: string): ReadonlyMap<string, OwnSecrets> {
    return new Map([...this.#all].filter(([other]) => other !== name))
  }
}

const nameOf = (of: Uint8Array): string => toBase32(hash(of))

function setting(all: ReadonlyMap<string, OwnSecrets>): Write {
  const entries = [...all].map(([name, { seed, secret }]) =>
    [name, toBase32(seed), toBase32(secret)].join(' ')
  )
  return { put: { table: 'setting', key: SETTING, value: entries.join(',') } }
}
