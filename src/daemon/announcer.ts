/** Makes this device's announcements in one circle, and reads those of its members. */
import { idPrefix, makeAnnouncement, type Recognised, recognise, slotAt } from '../crypto/announcement.ts'
import { type PeerId, peerKey } from '../crypto/identity.ts'
import type { Membership } from './membership.ts'
import type { Surroundings } from './surroundings.ts'

/** PROTOCOL 2, 5: how often a peer is followed by an announcement that may be an old one. */
const OLD_KEY_PAUSE_MS = 600_000
const UNSYNCHRONISED_PAUSE_MS = 3_600_000
/** A clock before this was never set. */
const CLOCK_SET_MS = Date.UTC(2026, 0)

export class Announcer {
  readonly #membership: Membership
  readonly #around: Pick<Surroundings, 'now' | 'wall' | 'random'>
  /** When an announcement that may be old was last followed, monotonic ms. */
  readonly #doubtful = new Map<PeerId, number>()
  /** Members by what an announcement shows of them. */
  #prefixes = new Map<string, PeerId>()

  constructor(membership: Membership, around: Pick<Surroundings, 'now' | 'wall' | 'random'>) {
    this.#membership = membership
    this.#around = around
  }

  membersChanged(): void {
    this.#prefixes = new Map([...this.#membership.members.keys()].map(id => [idPrefix(peerKey(id)!), id]))
  }

  /** 48 bytes for the slot that it is now; undefined when there is nothing to announce under. */
  make(port: number): Uint8Array | undefined {
    const { own, self, discoveryKeys } = this.#membership
    const [key] = discoveryKeys
    if (key === undefined || own === undefined) return undefined
    const salt = this.#around.random(8)
    return makeAnnouncement({ key, id: peerKey(self)!, port, slot: this.#slot, salt })
  }

  /** Made by somebody who has one of our discovery keys. */
  recognises(announcement: Uint8Array): boolean {
    return this.#recognise(announcement) !== undefined
  }

  /** Another member, and its port, if it is to be followed now. */
  read(announcement: Uint8Array): { peer: PeerId; port: number } | undefined {
    const recognised = this.#recognise(announcement)
    const peer = recognised && this.#prefixes.get(recognised.prefix)
    if (recognised === undefined || peer === undefined || peer === this.#membership.self) return undefined
    return this.#timely(peer, recognised) ? { peer, port: recognised.port } : undefined
  }

  get #slot(): number {
    const ms = this.#around.wall()
    return slotAt(ms < CLOCK_SET_MS ? undefined : ms / 1000)
  }

  #recognise(announcement: Uint8Array): Recognised | undefined {
    return recognise(announcement, this.#membership.discoveryKeys, this.#slot)
  }

  /** Under the current key and slot always; else it may be of any age. */
  #timely(peer: PeerId, { key, synchronised }: Recognised): boolean {
    if (key === 0 && synchronised) return true
    const now = this.#around.now()
    const pause = synchronised ? OLD_KEY_PAUSE_MS : UNSYNCHRONISED_PAUSE_MS
    if (now - (this.#doubtful.get(peer) ?? Number.NEGATIVE_INFINITY) < pause) return false
    this.#doubtful.set(peer, now)
    return true
  }
}
