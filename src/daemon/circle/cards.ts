/**
 * How members can be woken: the cards they told of, by the networks they had them on. Kept over restarts, so that
 * one that sleeps can be woken by whoever wakes first, and until the member goes.
 */
import type { PeerId } from '../../crypto/identity.ts'
import { type Address, addressOf, formatHost, sameSubnet } from '../../wire/address.ts'
import type { Card } from '../../wire/extra.ts'
import type { Surroundings } from '../surroundings.ts'
import type { StoredCircle } from './stored.ts'

/** Of one member; the one not seen for longest goes. */
const AT_MOST = 8
/** One that is seen again is stored no more often. */
const STORE_MS = 86_400_000

interface Known extends Card {
  readonly seenMs: number
}

export class Cards {
  readonly #gid: Uint8Array
  readonly #around: Pick<Surroundings, 'commit' | 'wall' | 'log'>
  /** Seen last first. */
  readonly #all = new Map<PeerId, readonly Known[]>()

  constructor({ row, cards }: StoredCircle, around: Pick<Surroundings, 'commit' | 'wall' | 'log'>) {
    this.#gid = row.gid
    this.#around = around
    for (const { peer, address, mac, seenMs } of cards) {
      const parsed = addressOf(address, 1)
      if (parsed !== undefined) this.#all.set(peer, [...this.of(peer), { address: parsed, mac, seenMs }])
    }
    for (const [peer, known] of this.#all) this.#all.set(peer, newestFirst(known))
  }

  /** Seen last first. */
  of(peer: PeerId): readonly Known[] {
    return this.#all.get(peer) ?? []
  }

  /** Its owner signed these. Nobody waits for them to be stored. */
  told(peer: PeerId, cards: readonly Card[]): void {
    const seenMs = Math.floor(this.#around.wall())
    const before = this.of(peer)
    const fresh = cards.map(({ address, mac }): Known => {
      const known = before.find(other => same(other.address, address) && equal(other.mac, mac))
      return known !== undefined && Math.abs(seenMs - known.seenMs) < STORE_MS
        ? known
        : { address, mac, seenMs }
    })
    // a card that has another address of the same network now, or an address that another card has
    const replaced = (old: Known) =>
      fresh.some(
        card =>
          same(card.address, old.address) ||
          (equal(card.mac, old.mac) && sameSubnet(card.address, old.address))
      )
    const kept = [...fresh, ...newestFirst(before.filter(old => !replaced(old)))].slice(0, AT_MOST)
    this.#all.set(peer, kept)
    this.#store(
      peer,
      kept.filter(card => !before.includes(card)),
      before.filter(old => !kept.some(card => same(card.address, old.address)))
    )
  }

  /** These are the members: what is known of others goes. */
  keep(members: ReadonlyMap<PeerId, unknown>): void {
    for (const [peer, known] of this.#all) {
      if (members.has(peer)) continue
      this.#all.delete(peer)
      this.#store(peer, [], known)
    }
  }

  #store(peer: PeerId, put: readonly Known[], gone: readonly Known[]): void {
    if (put.length + gone.length === 0) return
    const { commit, log } = this.#around
    const gid = this.#gid
    commit([
      ...gone.map(({ address }) => ({ remove: 'card', gid, peer, address: formatHost(address) }) as const),
      ...put.map(({ address, mac, seenMs }) => ({
        put: { table: 'card', gid, peer, address: formatHost(address), mac, seenMs } as const
      }))
    ]).catch(error => log('warn', 'how to wake a member was not stored', { error: error.message }))
  }
}

const newestFirst = (known: readonly Known[]): Known[] => [...known].sort((a, b) => b.seenMs - a.seenMs)
const same = (one: Address, other: Address): boolean => formatHost(one) === formatHost(other)
const equal = (one: Uint8Array, other: Uint8Array): boolean => one.every((byte, i) => byte === other[i])
