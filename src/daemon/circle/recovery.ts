/**
 * Recovering a circle with its code, level 0: this device becomes a first device, and others are removed, if
 * wanted with a cut that makes void what they did lately. It needs no other device to be online.
 */
import { ApiError } from '../../api/api.ts'
import { add, type Made, remove } from '../../circle/author.ts'
import { cutBefore } from '../../circle/cut.ts'
import { type Change, forecast } from '../../circle/forecast.ts'
import { identify } from '../../circle/signing.ts'
import { SUITES, staticProof } from '../../crypto/handshake.ts'
import { type PeerId, peerId, peerKey, shortId } from '../../crypto/identity.ts'
import type { Genesis } from '../../wire/operation.ts'
import type { Ledger } from './ledger.ts'
import { genesisOf, type RecoveryKey, recoveryKey, type Typed } from './recovery-code.ts'

export interface Use extends Typed {
  /** Ids, short ids or names; of former members too. */
  readonly remove: readonly string[]
  /** Milliseconds since 1970: what the removed devices did from then on is void; undefined: all of it stays. */
  readonly beforeMs: number | undefined
  /** They are to lock themselves. */
  readonly lost: boolean
  /** Only tell what it would change. */
  readonly preview: boolean
}

export class Recovery {
  readonly #ledger: Ledger
  readonly #device: string
  /** Whether an order of the code removed this device, which the log may not know. */
  readonly #lost: { readonly forGood: boolean }

  /** `device`: the name of this one. */
  constructor(ledger: Ledger, device: string, lost: { readonly forGood: boolean }) {
    this.#ledger = ledger
    this.#device = device
    this.#lost = lost
  }

  /** The key, if this is the code of this circle. Throws ApiError. */
  key(typed: Typed): RecoveryKey {
    return recoveryKey(typed, this.genesis)
  }
  get genesis(): Genesis {
    return genesisOf(this.#ledger.log.operations)
  }
  /** Of any device that is or was a member. */
  nameOf(id: PeerId): string {
    return this.#names().get(id) ?? shortId(id)
  }

  /** What it changes, on disk unless it is a preview. Rejects ApiError. */
  use(use: Use): Promise<readonly Change[]> {
    const ledger = this.#ledger
    return ledger.inTurn(async () => {
      const key = this.key(use)
      if (this.#lost.forGood) throw this.#removedForGood()
      const made = await this.#operations(key, use)
      const bytes = made.map(operation => operation.bytes)
      const { members, changes } = forecast(ledger.gid, ledger.log, bytes)
      if (members.get(ledger.self)?.level !== 1) throw this.#removedForGood()
      if (!use.preview) await ledger.store(made)
      return changes
    })
  }

  #removedForGood(): ApiError {
    return new ApiError(
      'NotAllowed',
      'this device was removed with the recovery code itself, and that stays so; it can join anew, with new keys'
    )
  }

  /** The adding first: it alone lets this device in where it is known as removed. */
  async #operations(key: RecoveryKey, use: Use): Promise<Made[]> {
    const ledger = this.#ledger
    const { log, own, self } = ledger
    if (own?.level !== 1 && log.room(peerId(key.signing.publicKey)) === 0)
      throw new ApiError(
        'NotAllowed',
        'the log of the circle is full, so nobody can be added any more; make a new circle'
      )
    const targets = use.remove.map(text => this.find(text))
    if (targets.includes(self))
      throw new ApiError(
        'InvalidValue',
        'Remove: that is the device you are on; recovery is used on a device that stays'
      )
    const items = log.operations.map(bytes => identify(ledger.gid, bytes)!)
    let place = await ledger.place(peerId(key.signing.publicKey))
    const made: Made[] = []
    const push = (operation: Made) => {
      made.push(operation)
      place = { ...place, prev: [operation.id] }
    }
    if (own?.level !== 1) push(add(key.signing, place, this.#ownAdding()))
    for (const id of new Set(targets)) {
      const target = peerKey(id)!
      const cut = use.beforeMs === undefined ? undefined : cutBefore(items, target, use.beforeMs)
      push(remove(key.signing, place, { target, lost: use.lost, cut }))
    }
    if (made.length === 0)
      throw new ApiError(
        'InvalidValue',
        'this device is a first device already; name what the code is to remove with Remove'
      )
    return made
  }

  #ownAdding() {
    const { gid, own, signingKey, statics } = this.#ledger
    const { publicKey } = statics.current
    return {
      target: signingKey.publicKey,
      level: 1,
      guest: false,
      expiresMs: 0,
      static: publicKey,
      staticSignature: signingKey.sign(staticProof(gid, signingKey.publicKey, publicKey, 0)),
      suites: SUITES,
      name: own?.name ?? this.#device
    }
  }

  /** Any device that ever was a member: a thief may have made it leave. Throws ApiError. */
  find(text: string): PeerId {
    const { log } = this.#ledger
    const names = this.#names()
    const meant = (fits: (id: PeerId, name: string) => boolean) =>
      [...names].filter(([id, name]) => fits(id, name)).map(([id]) => id)
    const byId = meant(id => id === text || shortId(id) === text)
    const named = byId.length > 0 ? byId : meant((_, name) => name === text)
    const present = named.filter(id => log.members.has(id))
    const found = present.length > 0 ? present : named
    if (found.length === 1) return found[0]!
    const quoted = JSON.stringify(text)
    if (found.length === 0)
      throw new ApiError('NoSuchPeer', `no device of the circle is or was called ${quoted}`)
    throw new ApiError(
      'AmbiguousPeer',
      `${found.length} devices are called ${quoted}; use an id: ${found.map(shortId).join(', ')}`
    )
  }

  /** Of all devices that are or were members. */
  #names(): Map<PeerId, string> {
    const { gid, log } = this.#ledger
    const names = new Map<PeerId, string>()
    for (const bytes of log.operations) {
      const { body, author } = identify(gid, bytes)!.operation
      if (body.kind === 'genesis') names.set(peerId(author), body.name)
      if (body.kind === 'add') names.set(peerId(body.target), body.name)
      if (body.kind === 'name') names.set(peerId(author), body.name)
    }
    for (const { id, name } of log.members.values()) names.set(id, name)
    return names
  }
}
