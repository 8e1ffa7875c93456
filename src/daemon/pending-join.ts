/**
 * The keys of a join that has begun, on disk before they are shown to anybody: the inviter may have added
 * them although its answer was lost, and a ticket takes the same device twice, but not two.
 */
import { hash } from '../crypto/provider.ts'
import type { Row, Write } from '../host/database.ts'
import { fromBase32, toBase32 } from '../wire/base32.ts'

const SETTING = 'joining'

export interface OwnSecrets {
  /** Of Ed25519 and X25519, 32 bytes each. */
  readonly seed: Uint8Array
  readonly secret: Uint8Array
}

export class PendingJoin {
  readonly #store: (write: Write) => Promise<void>
  readonly #random: (length: number) => Uint8Array
  #ticket = ''
  #secrets: OwnSecrets | undefined

  constructor(store: (write: Write) => Promise<void>, random: (length: number) => Uint8Array) {
    this.#store = store
    this.#random = random
  }

  load(rows: readonly Row[]): void {
    const row = rows.find(row => row.table === 'setting' && row.key === SETTING)
    const [ticket = '', ...words] = row?.table === 'setting' ? row.value.split(' ') : []
    const [seed, secret] = words.map(fromBase32)
    if (seed?.length !== 32 || secret?.length !== 32) return
    this.#ticket = ticket
    this.#secrets = { seed, secret }
  }

  /** Those used with this ticket before, else new ones. The secret of the ticket is not stored. */
  async secrets(ticketSecret: Uint8Array): Promise<OwnSecrets> {
    const ticket = toBase32(hash(ticketSecret))
    if (this.#secrets !== undefined && this.#ticket === ticket) return this.#secrets
    const made = { seed: this.#random(32), secret: this.#random(32) }
    await this.#store(setting([ticket, toBase32(made.seed), toBase32(made.secret)].join(' ')))
    this.#ticket = ticket
    this.#secrets = made
    return made
  }

  /** Goes with the rows of the circle that was joined: keys are never used in two. */
  get forget(): Write {
    return setting('')
  }

  forgotten(): void {
    this.#secrets = undefined
  }
}

const setting = (value: string): Write => ({ put: { table: 'setting', key: SETTING, value } })
