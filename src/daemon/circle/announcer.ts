/** Makes this device's announcements in one circle, and reads those of its members. */
import {
  idPrefix,
  makeAnnouncement,
  type Recognised,
  recognise,
  recogniseFar,
  slotAt
} from '../../crypto/announcement.ts'
import { type PeerId, peerKey } from '../../crypto/identity.ts'
import type { Surroundings } from '../surroundings.ts'
import { KeyHolders } from './key-holders.ts'
import type { Membership } from './membership.ts'

/** PROTOCOL 2, 5: how often a peer is followed by an announcement that may be an old one. */
const OLD_KEY_PAUSE_MS = 600_000
const UNSYNCHRONISED_PAUSE_MS = 3_600_000
/** How far the clock of another one may be off, and it is still found out whose: a day. */
const FAR_SLOTS = 96
/** A clock before this was never set. */
const CLOCK_SET_MS = Date.UTC(2026, 0)

type Known = Pick<Membership, 'members' | 'own' | 'self' | 'discoveryKeys'> & {
  readonly lost: Pick<Membership['lost'], 'devices'>
}

/** Another member, or a lost one, that was heard. */
export interface Made extends Recognised {
  readonly peer: PeerId
}

export class Announcer {
  readonly #membership: Known
  readonly #around: Pick<Surroundings, 'now' | 'wall' | 'random'>
  /** When an announcement that may be old was last followed, monotonic ms. */
  readonly #doubtful = new Map<PeerId, number>()
  readonly #holders = new KeyHolders()
  /** Members by what an announcement shows of them. */
  #prefixes = new Map<string, PeerId>()

  constructor(membership: Known, around: Pick<Surroundings, 'now' | 'wall' | 'random'>) {
    this.#membership = membership
    this.#around = around
  }

  membersChanged(): void {
    const { members, lost } = this.#membership
    // a lost device that announces itself is told to lock
    this.#prefixes = new Map(
      [...lost.devices.keys(), ...members.keys()].map(id => [idPrefix(peerKey(id)!), id])
    )
    this.#holders.keep(members)
  }

  /** This member has the key in use: it said so over a session. */
  acknowledged(peer: PeerId): void {
    this.#holders.learn(peer, this.#membership.discoveryKeys, 0)
  }

  /** 48 bytes for the slot that it is now; undefined when there is nothing to announce under. */
  make(port: number): Uint8Array | undefined {
    const { own, self, discoveryKeys } = this.#membership
    const [key] = discoveryKeys
    if (key === undefined || own === undefined) return undefined
    const salt = this.#around.random(8)
    return makeAnnouncement({ key, id: peerKey(self)!, port, slot: this.#slot, salt })
  }

  /**
   * Made by another member under the key in use, in this slot or one beside it: it may be answered. Others could
   * not read the answer: they have an older key, or no clock; and a device that was removed is not told that
   * its circle is here.
   */
  recognises(announcement: Uint8Array): boolean {
    const made = this.#recognise(announcement)
    return made?.key === 0 && made.synchronised && this.#membership.members.has(made.peer)
  }

  /** The port of one that was made with the identity of this device; undefined: it was not. */
  own(announcement: Uint8Array): number | undefined {
    const made = recognise(announcement, this.#membership.discoveryKeys, this.#slot)
    return made && this.#prefixes.get(made.prefix) === this.#membership.self ? made.port : undefined
  }

  /** Who made it, whether it is to be followed or not. */
  made(announcement: Uint8Array): Made | undefined {
    return this.#recognise(announcement)
  }

  /** Of one that `made` does not know, by a clock that is wrong by hours: whose it is, and slots ahead of ours. */
  madeFar(announcement: Uint8Array): { peer: PeerId; ahead: number } | undefined {
    const [key] = this.#membership.discoveryKeys
    const far = key && recogniseFar(announcement, key, this.#slot, FAR_SLOTS)
    const peer = far && this.#prefixes.get(far.prefix)
    return peer === undefined || peer === this.#membership.self ? undefined : { peer, ahead: far!.ahead }
  }

  /** Another member, and its port, if it is to be followed now. */
  read(
    announcement: Uint8Array,
    made: Made | undefined = this.made(announcement)
  ): { peer: PeerId; port: number } | undefined {
    if (made === undefined) return undefined
    const { peer, port, key, synchronised } = made
    const keys = this.#membership.discoveryKeys
    if (!this.#holders.mayUse(peer, keys, key)) return undefined
    // one that is of any age says nothing of what it has now
    if (synchronised) this.#holders.learn(peer, keys, key)
    return this.#timely(peer, made) ? { peer, port } : undefined
  }

  get #slot(): number {
    const ms = this.#around.wall()
    return slotAt(ms < CLOCK_SET_MS ? undefined : ms / 1000)
  }

  #recognise(announcement: Uint8Array): Made | undefined {
    const made = recognise(announcement, this.#membership.discoveryKeys, this.#slot)
    const peer = made && this.#prefixes.get(made.prefix)
    return peer === undefined || peer === this.#membership.self ? undefined : { ...made!, peer }
  }

  /** Of a member under the current key and slot always; else it may be of any age. */
  #timely(peer: PeerId, { key, synchronised }: Recognised): boolean {
    if (key === 0 && synchronised && this.#membership.members.has(peer)) return true
    const now = this.#around.now()
    const pause = synchronised ? OLD_KEY_PAUSE_MS : UNSYNCHRONISED_PAUSE_MS
    if (now - (this.#doubtful.get(peer) ?? Number.NEGATIVE_INFINITY) < pause) return false
    this.#doubtful.set(peer, now)
    return true
  }
}
