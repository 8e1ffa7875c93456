/** Where peers were reached before: a hint for the next start, and for one that comes back. */
import type { PeerId } from '../../crypto/identity.ts'
import type { Surroundings } from '../surroundings.ts'

/** Of all peers together. */
const AT_MOST = 512

export interface KnownAddress {
  readonly peer: PeerId
  readonly address: string
}

export class KnownAddresses {
  readonly #gid: Uint8Array
  readonly #around: Pick<Surroundings, 'commit' | 'wall' | 'log'>
  #all: readonly KnownAddress[]

  constructor(
    gid: Uint8Array,
    stored: readonly KnownAddress[],
    around: Pick<Surroundings, 'commit' | 'wall' | 'log'>
  ) {
    this.#gid = gid
    this.#all = stored
    this.#around = around
  }

  get all(): readonly KnownAddress[] {
    return this.#all
  }

  /** Nobody waits for it to be stored. */
  add(peer: PeerId, address: string): void {
    const others = this.#all.filter(known => known.peer !== peer || known.address !== address)
    this.#all = [...others, { peer, address }].slice(-AT_MOST)
    const { commit, wall, log } = this.#around
    const lastMs = Math.floor(wall())
    commit([{ put: { table: 'address', gid: this.#gid, peer, address, lastMs } }]).catch(error =>
      log('warn', 'an address was not stored', { error: error.message })
    )
  }
}
