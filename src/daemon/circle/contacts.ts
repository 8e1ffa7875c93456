/**
 * When each member was last met, by this device's clock and over restarts, and which of our statics it has
 * acknowledged. A contact is a session in which the logs of both ends agreed.
 */
import type { MemberState } from '../../circle/log.ts'
import type { PeerId } from '../../crypto/identity.ts'
import type { Surroundings } from '../surroundings.ts'
import type { StoredCircle } from './stored.ts'

/** PROTOCOL 2: without contact for so long there is a warning, and nothing else. */
export const STALE_MS = 30 * 86_400_000
/** A contact that goes on, or comes again, is stored no more often. */
const STORE_MS = 60_000

interface Contact {
  lastMs: number
  serial: number
  /** As on disk. */
  storedMs: number
}

export class Contacts {
  readonly #gid: Uint8Array
  readonly #joinedMs: number
  readonly #around: Pick<Surroundings, 'wall' | 'commit' | 'log'>
  /** Whether there is a session with it in which the logs agreed. */
  readonly #online: (peer: PeerId) => boolean
  readonly #contacts = new Map<PeerId, Contact>()

  constructor(
    stored: StoredCircle,
    around: Pick<Surroundings, 'wall' | 'commit' | 'log'>,
    online: (peer: PeerId) => boolean
  ) {
    this.#gid = stored.row.gid
    this.#joinedMs = stored.row.joinedMs
    this.#around = around
    this.#online = online
    for (const { peer, lastMs } of stored.addresses) {
      const contact = this.#of(peer)
      contact.lastMs = Math.max(contact.lastMs, lastMs)
    }
    for (const { peer, lastMs, serial } of stored.contacts)
      this.#contacts.set(peer, { lastMs, serial, storedMs: lastMs })
  }

  /** Milliseconds since 1970, now while it is online; 0: never. */
  lastMs(peer: PeerId): number {
    return this.#online(peer) ? this.#around.wall() : (this.#contacts.get(peer)?.lastMs ?? 0)
  }
  /** All that were ever met. */
  get all(): [PeerId, number][] {
    return [...this.#contacts.keys()].map(peer => [peer, this.lastMs(peer)])
  }
  /** The serial of the latest of our statics that it has on disk. */
  acknowledged(peer: PeerId): number {
    return this.#contacts.get(peer)?.serial ?? 0
  }

  /** Its log and ours agree, or did until now. */
  met(peer: PeerId): void {
    const contact = this.#of(peer)
    contact.lastMs = Math.floor(this.#around.wall())
    if (Math.abs(contact.lastMs - contact.storedMs) >= STORE_MS) this.#store(peer, contact)
  }
  /** It has the operation on disk with which we said our static. */
  acknowledge(peer: PeerId, serial: number): void {
    const contact = this.#of(peer)
    if (contact.serial === serial) return
    contact.serial = serial
    contact.lastMs = Math.floor(this.#around.wall())
    this.#store(peer, contact)
  }

  /**
   * For how many milliseconds it was not met; for `own`, this device, how long it has met none of a smaller
   * level. 0 where that is not known, or no reason to warn.
   */
  missedMs(member: MemberState, own: MemberState, members: Iterable<MemberState>): number {
    const now = this.#around.wall()
    if (member !== own) {
      const last = this.lastMs(member.id)
      return last === 0 ? 0 : Math.max(0, now - last)
    }
    const above = [...members].filter(({ level }) => level < own.level)
    if (above.length === 0) return 0
    const last = Math.max(...above.map(({ id }) => this.lastMs(id)))
    return Math.max(0, now - (last === 0 ? this.#joinedMs : last))
  }

  #of(peer: PeerId): Contact {
    let contact = this.#contacts.get(peer)
    if (contact === undefined) this.#contacts.set(peer, (contact = { lastMs: 0, serial: 0, storedMs: 0 }))
    return contact
  }

  /** A warning hangs on it, no more: nobody waits for it. */
  #store(peer: PeerId, contact: Contact): void {
    const { commit, log } = this.#around
    const { lastMs, serial } = contact
    contact.storedMs = lastMs
    commit([{ put: { table: 'contact', gid: this.#gid, peer, lastMs, serial } }]).catch(error =>
      log('warn', 'a contact was not stored', { error: error.message })
    )
  }
}
