/**
 * The keys under which a circle's announcements are made and recognised (PROTOCOL 2, 5). Each comes as an
 * epoch wrap, beside the log. Whoever adds a device seals the key in use to all, the new one too; whoever
 * removes one makes a new key, sealed to those who stay. Several may do so at once: the one in use is the
 * greatest by (counter, id) whose recipients are exactly the members, and whose key nobody else was given; all
 * are kept for recognising, up to 9.
 */
import { open, seal } from '../crypto/hpke.ts'
import { type PeerId, peerKey } from '../crypto/identity.ts'
import { bytesOf, type ExchangeKey, equal, hash } from '../crypto/provider.ts'
import { compare, hex } from '../wire/bytes.ts'
import { decodeWrap, encodeUnsignedWrap, signedWrap, type Wrap, wrapInfo, wrapMessage } from '../wire/wrap.ts'
import type { Author } from './author.ts'
import type { MemberState } from './members.ts'

/** The one in use and 8 old ones. */
export const KEYS_KEPT = 9
/** Given to peers: enough that two who made one at once agree. */
const SHARED = 3
/** A counter may be this far above those known, so that nobody can use them up. */
const COUNTER_STEP = 4096

export interface DiscoveryKey {
  /** 16 bytes. */
  readonly id: Uint8Array
  readonly counter: number
  /** 32 bytes. */
  readonly key: Uint8Array
}
export interface DiscoveryRecord extends DiscoveryKey {
  readonly table: 'discovery'
  readonly gid: Uint8Array
  readonly wrap: Uint8Array
}
interface Kept extends DiscoveryKey {
  readonly wrap: Wrap
  readonly recipients: readonly string[]
  /** The statics it is sealed to, in the order of `recipients`. */
  readonly statics: readonly string[]
}

export class DiscoveryKeys {
  readonly #gid: Uint8Array
  readonly #self: Uint8Array
  readonly #topic: Uint8Array
  #statics: readonly ExchangeKey[]
  /** Greatest (counter, id) first. */
  #kept: Kept[] = []
  #members = new Map<string, MemberState>()

  /** `statics`: own X25519 keys, the current one first. */
  constructor(options: { gid: Uint8Array; self: PeerId; statics: readonly ExchangeKey[] }) {
    this.#gid = options.gid
    this.#self = peerKey(options.self)!
    this.#topic = hash(bytesOf('coterie/1 discovery\0'), options.gid)
    this.#statics = options.statics
  }

  load(records: readonly { key: Uint8Array; wrap: Uint8Array }[]): void {
    for (const { key, wrap } of records) {
      const decoded = decodeWrap(wrap)
      if (decoded !== undefined && key.length === 32) this.#keep(decoded, key)
    }
  }
  /** After a rekey. */
  setStatics(statics: readonly ExchangeKey[]): void {
    this.#statics = statics
  }
  setMembers(members: ReadonlyMap<PeerId, MemberState>): void {
    this.#members = new Map([...members].map(([id, state]) => [hex(peerKey(id)!), state]))
  }

  /** To announce with. Where none fits the members exactly: one that no removed device knows, else the newest. */
  get current(): DiscoveryKey | undefined {
    return this.#exact() ?? this.#kept.find(k => this.#allMembers(k)) ?? this.#kept[0]
  }
  /** To recognise with, `current` first; each key once. */
  get keys(): DiscoveryKey[] {
    const { current } = this
    if (current === undefined) return []
    const distinct = new Map([current, ...this.#kept].reverse().map(k => [hex(k.key), k]))
    return [...distinct.values()].reverse()
  }
  /** For MembershipLog.share. */
  get shared(): Uint8Array[] {
    return this.#kept.slice(0, SHARED).map(k => k.wrap.bytes)
  }
  /** The wrap in use does not fit the members: `key` = a new key must be made, `wrap` = sealed to more. */
  get due(): 'no' | 'wrap' | 'key' {
    if (this.#exact() !== undefined) return 'no'
    return this.#kept.some(k => this.#allMembers(k)) ? 'wrap' : 'key'
  }
  /** Whether a member is known to be able to open the wrap in use. */
  holds(peer: PeerId): boolean {
    const key = peerKey(peer)
    return key !== undefined && (this.#exact()?.recipients.includes(hex(key)) ?? false)
  }

  /**
   * A wrap whose signature was checked. Gives the records to write, `put` and `removed`, or undefined when it
   * is of no use: known, too old, not from a member, not for this device.
   */
  receive(wrap: Wrap): { put: DiscoveryRecord; removed: readonly DiscoveryKey[] } | undefined {
    if (hex(wrap.topic) !== hex(this.#topic) || !this.#members.has(hex(wrap.author))) return undefined
    if (wrap.counter > (this.#kept[0]?.counter ?? 0) + COUNTER_STEP) return undefined
    if (this.#kept.some(k => hex(k.id) === hex(wrapId(wrap)))) return undefined
    const mine = wrap.recipients.find(r => hex(r.id) === hex(this.#self))
    const own = mine && this.#statics.find(s => hex(s.publicKey) === hex(mine.static))
    if (mine === undefined || own === undefined) return undefined
    const key = open(own, wrapInfo(wrap.topic, wrap.counter), mine.id, mine.sealed)
    return key?.length === 32 ? this.#keep(wrap, key) : undefined
  }

  /**
   * Makes the wrap that is due, for the members set: with a new key after a removal, else with the key in use.
   * `ephemeral` gives a fresh X25519 key at each call, `secret` 32 random bytes.
   */
  renew(
    author: Author,
    heads: readonly Uint8Array[],
    random: { secret: Uint8Array; ephemeral: () => ExchangeKey }
  ): { put: DiscoveryRecord; removed: readonly DiscoveryKey[] } {
    const before = this.#kept.find(k => this.#allMembers(k))
    const key = before?.key ?? random.secret
    const counter = (this.#kept[0]?.counter ?? 0) + 1
    const info = wrapInfo(this.#topic, counter)
    const recipients = [...this.#members.values()].map(({ id, statics }) => {
      const recipient = peerKey(id)!
      return {
        id: recipient,
        static: statics[0]!,
        sealed: seal(random.ephemeral(), statics[0]!, info, recipient, key)
      }
    })
    const unsigned = encodeUnsignedWrap({
      topic: this.#topic,
      counter,
      previous: this.#kept[0]?.id ?? new Uint8Array(16),
      author: author.publicKey,
      heads,
      recipients
    })
    const wrap = decodeWrap(signedWrap(unsigned, author.sign(wrapMessage(unsigned))))!
    return this.#keep(wrap, key)!
  }

  #keep(wrap: Wrap, key: Uint8Array): { put: DiscoveryRecord; removed: readonly DiscoveryKey[] } | undefined {
    const kept: Kept = {
      id: wrapId(wrap),
      counter: wrap.counter,
      key,
      wrap,
      recipients: wrap.recipients.map(r => hex(r.id)),
      statics: wrap.recipients.map(r => hex(r.static))
    }
    this.#kept.push(kept)
    this.#kept.sort((a, b) => b.counter - a.counter || compare(b.id, a.id))
    const removed = this.#kept.splice(KEYS_KEPT)
    if (removed.includes(kept)) return undefined
    const { id, counter } = kept
    return { put: { table: 'discovery', gid: this.#gid, id, counter, key, wrap: wrap.bytes }, removed }
  }

  #exact(): Kept | undefined {
    return this.#kept.find(
      k => k.recipients.length === this.#members.size && this.#allMembers(k) && this.#allOpen(k)
    )
  }
  /** None of them has changed its static twice since. */
  #allOpen({ recipients, statics }: Kept): boolean {
    return recipients.every((r, i) => this.#members.get(r)!.statics.some(s => hex(s) === statics[i]))
  }
  /** Nobody else was given this key, by this wrap or by another. */
  #allMembers({ key }: Kept): boolean {
    return this.#kept.every(k => !equal(k.key, key) || k.recipients.every(r => this.#members.has(r)))
  }
}

const wrapId = (wrap: Wrap): Uint8Array => hash(wrap.bytes).slice(0, 16)
