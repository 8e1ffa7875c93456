/**
 * Which members are known to hold which discovery key: they acknowledged it over a session, or announced under
 * it. An older key is not recognised for them any more (PROTOCOL 2): whoever speaks under it in their name is
 * somebody who was removed, or plays back what they once said. In memory only: after a start nobody is known.
 */
import type { PeerId } from '../../crypto/identity.ts'
import { hex } from '../../wire/bytes.ts'

export class KeyHolders {
  readonly #held = new Map<PeerId, string>()

  /** `keys`: those we have, the one in use first; `index`: the one that this member has. */
  learn(peer: PeerId, keys: readonly Uint8Array[], index: number): void {
    if (index < keys.length && index < this.#known(peer, keys)) this.#held.set(peer, hex(keys[index]!))
  }

  /** Whether a member may still be speaking under this key. */
  mayUse(peer: PeerId, keys: readonly Uint8Array[], index: number): boolean {
    return index <= this.#known(peer, keys)
  }

  /** Those who are no members any more are forgotten. */
  keep(members: ReadonlyMap<PeerId, unknown>): void {
    for (const peer of this.#held.keys()) if (!members.has(peer)) this.#held.delete(peer)
  }

  /** Index of the newest key that it is known to have; Infinity when none is known, or none that we still have. */
  #known(peer: PeerId, keys: readonly Uint8Array[]): number {
    const held = this.#held.get(peer)
    const index = held === undefined ? -1 : keys.findIndex(key => hex(key) === held)
    return index < 0 ? Number.POSITIVE_INFINITY : index
  }
}
