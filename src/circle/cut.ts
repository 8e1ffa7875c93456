/**
 * Where to cut what a removed device did, when a person says since when it is not to be trusted: the heads of
 * its own operations within the greatest closed set of operations (each with all its past) that say they were
 * made before that moment.
 *
 * The times are what the authors wrote. A device that lies about its clock can place an operation before the
 * cut only where it builds on nothing that is later; so people are shown what stays before they agree.
 */
import { hex } from '../wire/bytes.ts'
import { MAX_CUT } from '../wire/operation.ts'
import type { Identified } from './signing.ts'

/**
 * `operations`: all there are, each after its parents; `author`: Ed25519 key of the device to be cut. At most 32
 * ids: of a device with more branches than that, the last ones. None: nothing it did is trusted.
 */
export function cutBefore(
  operations: readonly Identified[],
  author: Uint8Array,
  beforeMs: number
): Uint8Array[] {
  const target = hex(author)
  const before = new Set<string>()
  for (const { key, parents, operation } of operations)
    if (operation.wallMs < beforeMs && parents.every(parent => before.has(parent))) before.add(key)

  const heads: Uint8Array[] = []
  const covered = new Set<string>()
  for (const item of [...operations].reverse()) {
    if (!before.has(item.key)) continue
    const own = item.author === target
    if (own && !covered.has(item.key)) heads.push(item.id)
    if (own || covered.has(item.key)) for (const parent of item.parents) covered.add(parent)
  }
  return heads.slice(0, MAX_CUT)
}
