/**
 * Devices that were removed as lost or stolen. Such a device, when it comes to anybody who knows, is given its
 * order, and nothing else: the operation that removes it, and the `add` that made its author a first device where
 * the genesis does not. With that a device that knows no more than its own genesis can see that level 0 or 1 wants
 * it locked. Nobody else's operation locks anything.
 */
import { type PeerId, peerId, peerKey } from '../crypto/identity.ts'
import { equal, type Signed } from '../crypto/provider.ts'
import { hex, unhex } from '../wire/bytes.ts'
import { decodeOperation, type Operation } from '../wire/operation.ts'
import type { MembershipLog } from './log.ts'
import { identify, signatures } from './signing.ts'

/** Whoever may lock has a level up to this. */
const LOCKING_LEVEL = 1

/** The operations of the order that locks a device, the removal first; undefined: it is not to be locked. */
export function lockOrder(log: MembershipLog, device: PeerId): Uint8Array[] | undefined {
  for (const { removal, given } of log.removals(device)) {
    const { author, body } = decodeOperation(removal)!
    if (body.kind !== 'remove' || !body.lost) continue
    if ((log.level(peerId(author)) ?? Number.POSITIVE_INFINITY) > LOCKING_LEVEL) continue
    return given !== undefined && decodeOperation(given)!.body.kind === 'add' ? [removal, given] : [removal]
  }
  return undefined
}

export interface ReadOrder {
  readonly author: PeerId
  /** 0 or 1. */
  readonly level: number
  /** To be verified before it is believed. */
  readonly signatures: readonly Signed[]
}

/**
 * An order that somebody gave this device, `device`. Undefined unless it removes it as lost, from a level that may
 * lock and is smaller than its own, by an author that this log does not know as removed.
 */
export function readOrder(
  gid: Uint8Array,
  log: MembershipLog,
  device: PeerId,
  operations: readonly Uint8Array[]
): ReadOrder | undefined {
  const genesis = decodeOperation(log.operations[0]!)
  const items = operations.map(bytes => identify(gid, bytes))
  const [removal, given] = items
  if (genesis?.body.kind !== 'genesis' || removal === undefined || items.length > 2) return undefined
  const { author, body } = removal.operation
  if (body.kind !== 'remove' || !body.lost || !equal(body.target, peerKey(device)!)) return undefined
  const { recovery } = genesis.body
  const level = equal(author, recovery) ? 0 : LOCKING_LEVEL
  const first = level === 0 || equal(author, genesis.author)
  if (!first && !(given !== undefined && makesFirst(given.operation, recovery, author))) return undefined
  if (first && items.length > 1) return undefined
  if (level >= (log.level(device) ?? 0) || log.removed(peerId(author))) return undefined
  return { author: peerId(author), level, signatures: items.flatMap(item => signatures(item!)) }
}

function makesFirst({ author, body }: Operation, recovery: Uint8Array, device: Uint8Array): boolean {
  return (
    equal(author, recovery) &&
    body.kind === 'add' &&
    body.level === LOCKING_LEVEL &&
    equal(body.target, device)
  )
}

/** The orders for lost devices by their static keys, which is how they show themselves. */
export class LostDevices {
  readonly #log: MembershipLog
  /** Owners of all statics there ever were. */
  readonly #owners = new Map<string, PeerId>()
  #seen = 0

  constructor(log: MembershipLog) {
    this.#log = log
  }

  find(staticKey: Uint8Array): { id: PeerId; order: readonly Uint8Array[] } | undefined {
    this.#follow()
    const id = this.#owners.get(hex(staticKey))
    const order = id === undefined ? undefined : lockOrder(this.#log, id)
    return id === undefined || order === undefined ? undefined : { id, order }
  }

  /** All of them, each with the last of its statics. */
  get all(): ReadonlyMap<PeerId, Uint8Array> {
    this.#follow()
    const statics = new Map([...this.#owners].map(([key, id]) => [id, key]))
    return new Map(
      [...statics]
        .filter(([id]) => lockOrder(this.#log, id) !== undefined)
        .map(([id, key]) => [id, unhex(key)])
    )
  }

  #follow(): void {
    const { operations } = this.#log
    for (; this.#seen < operations.length; this.#seen++) this.#read(decodeOperation(operations[this.#seen]!)!)
  }

  #read({ author, body }: Operation): void {
    if (body.kind === 'add') this.#owners.set(hex(body.static), peerId(body.target))
    if (body.kind === 'genesis' || body.kind === 'rekey') this.#owners.set(hex(body.static), peerId(author))
  }
}
