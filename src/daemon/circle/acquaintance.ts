/** What each member knows of this device: its whole log, its latest static; and when it was met. */
import type { PeerId } from '../../crypto/identity.ts'
import type { ExchangeKey } from '../../crypto/provider.ts'
import type { Surroundings } from '../surroundings.ts'
import { Contacts } from './contacts.ts'
import type { Ledger } from './ledger.ts'
import type { StoredCircle } from './stored.ts'

export class Acquaintance {
  readonly contacts: Contacts
  readonly #ledger: Ledger
  /** The sessions of a peer. */
  readonly #sessions: (peer: PeerId) => readonly number[]
  /** Sessions in which the logs agree. */
  readonly #agreed = new Set<number>()
  /** Members that have seen our whole log since the start. */
  readonly #acquainted = new Set<PeerId>()

  constructor(
    stored: StoredCircle,
    around: Pick<Surroundings, 'wall' | 'commit' | 'log'>,
    ledger: Ledger,
    sessions: (peer: PeerId) => readonly number[]
  ) {
    this.#ledger = ledger
    this.#sessions = sessions
    this.contacts = new Contacts(stored, around, peer => sessions(peer).some(s => this.#agreed.has(s)))
  }

  /** The logs of both ends agree. */
  agreed(session: number): void {
    this.#agreed.add(session)
  }
  has(session: number): boolean {
    return this.#agreed.has(session)
  }
  closed(session: number, peer: PeerId): void {
    if (this.#agreed.delete(session)) this.contacts.met(peer)
  }

  /** This member has our whole log: it needs no introduction any more. */
  made(peer: PeerId): void {
    this.#acquainted.add(peer)
    this.contacts.met(peer)
  }
  /** It does not answer: maybe its log is an older one than it showed before. */
  doubt(peer: PeerId): void {
    this.#acquainted.delete(peer)
  }
  /** We have said something new of ourselves. */
  doubtAll(): void {
    this.#acquainted.clear()
  }

  /** Own operations to show first to one that may not know them. */
  introduction(peer: PeerId): readonly Uint8Array[] {
    return this.#acquainted.has(peer) ? [] : this.#ledger.log.introduction(this.#ledger.self)
  }
  staticTowards(peer: PeerId): ExchangeKey {
    return this.#ledger.statics.towards(this.contacts.acknowledged(peer))
  }

  /** Frames have gone: those that are done with all that was sent to them have our latest static on disk. */
  progress(): void {
    const { statics, log, members } = this.#ledger
    if (statics.serial === 0) return
    for (const peer of members.keys()) {
      if (this.contacts.acknowledged(peer) >= statics.serial) continue
      if (!this.#sessions(peer).some(session => log.settled(String(session)))) continue
      this.contacts.acknowledge(peer, statics.serial)
    }
  }
}
