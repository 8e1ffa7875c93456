/** Tickets this device has issued: open, used, expired. Kept for a while after, so as to say why not. */
import { ApiError } from '../../api/api.ts'
import { ticketPsk } from '../../crypto/handshake.ts'
import { equal, hash } from '../../crypto/provider.ts'
import { encodeTicket, type Ticket } from '../../crypto/ticket.ts'
import type { Row, Write } from '../../host/database.ts'
import { parseAddress } from '../../wire/address.ts'
import { toBase32 } from '../../wire/base32.ts'

/** The level and term a device is added with. */
export interface Rank {
  readonly level: number
  /** Milliseconds since 1970 until which a guest belongs; 0 for all who are no guests. */
  readonly guestUntilMs: number
}

type Stored = Row & { table: 'ticket' }

/** Each open one costs a stranger’s first message one more try to open it. */
const OPEN_AT_MOST = 16
/** How long a used or expired ticket is still told apart from no ticket at all. */
const REMEMBERED_MS = 7 * 86_400_000

interface Surroundings {
  wall(): number
  random(length: number): Uint8Array
  commit(writes: readonly Write[]): Promise<void>
}

export class Invitations {
  readonly #around: Surroundings
  readonly #tickets = new Map<string, Stored>()

  constructor(stored: readonly Stored[], around: Surroundings) {
    this.#around = around
    for (const ticket of stored) this.#tickets.set(ticket.id, ticket)
  }

  /** On disk before it is told. Rejects ApiError. */
  async issue(
    ticket: Omit<Ticket, 'secret' | 'addresses'> & {
      readonly addresses: readonly string[]
      /** 0: for good. */
      readonly guestForMs: number
    }
  ): Promise<{ ticket: string; expiresMs: number }> {
    const forgotten = this.#forget()
    if (this.#open().length >= OPEN_AT_MOST)
      throw new ApiError(
        'NotAllowed',
        `there are ${OPEN_AT_MOST} unused tickets already; wait until some are used or expired`
      )
    const secret = this.#around.random(16)
    const row: Stored = {
      table: 'ticket',
      gid: ticket.gid,
      id: toBase32(hash(secret).subarray(0, 10)),
      psk: ticketPsk(secret),
      level: ticket.level,
      guestForMs: ticket.guestForMs,
      expiresMs: ticket.expiresMs,
      usedBy: new Uint8Array(0)
    }
    await this.#around.commit([...forgotten, { put: row }])
    this.#tickets.set(row.id, row)
    const addresses = ticket.addresses.map(parseAddress).filter(address => address !== undefined)
    return { ticket: encodeTicket({ ...ticket, secret, addresses }), expiresMs: ticket.expiresMs }
  }

  /** All that a first message may have been made with: the open ones, then the latest of the others. */
  secrets(): readonly { id: string; psk: Uint8Array }[] {
    const open = this.#open()
    const others = [...this.#tickets.values()].filter(ticket => !open.includes(ticket))
    others.sort((a, b) => b.expiresMs - a.expiresMs)
    return [...open, ...others].slice(0, 2 * OPEN_AT_MOST)
  }

  /** What the ticket is worth to the device with this key. */
  judge(id: string, key: Uint8Array): 'ok' | 'again' | 'used' | 'expired' | undefined {
    const ticket = this.#tickets.get(id)
    if (ticket === undefined) return undefined
    if (ticket.usedBy.length > 0) return equal(ticket.usedBy, key) ? 'again' : 'used'
    return ticket.expiresMs < this.#around.wall() ? 'expired' : 'ok'
  }

  /** What the device that uses it now is added as. */
  rank(id: string): Rank {
    const { level, guestForMs } = this.#tickets.get(id)!
    return { level, guestUntilMs: guestForMs === 0 ? 0 : Math.ceil(this.#around.wall() + guestForMs) }
  }

  /** The row that says who used it; call `taken` when it is on disk. */
  use(id: string, key: Uint8Array): { write: Write; taken(): void } {
    const row: Stored = { ...this.#tickets.get(id)!, usedBy: key }
    return { write: { put: row }, taken: () => this.#replace(row) }
  }

  /** Behind all others, as the database has it. */
  #replace(row: Stored): void {
    this.#tickets.delete(row.id)
    this.#tickets.set(row.id, row)
  }

  #open(): Stored[] {
    return [...this.#tickets.values()].filter(
      ({ usedBy, expiresMs }) => usedBy.length === 0 && expiresMs >= this.#around.wall()
    )
  }

  #forget(): Write[] {
    const old = [...this.#tickets.values()].filter(
      ({ expiresMs }) => expiresMs + REMEMBERED_MS < this.#around.wall()
    )
    for (const { id } of old) this.#tickets.delete(id)
    return old.map(({ gid, id }) => ({ remove: 'ticket', gid, id }))
  }
}
