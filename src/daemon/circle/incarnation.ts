/** What a device counts its own peer records by, from each start on. */
import { bytesOf, hash } from '../../crypto/provider.ts'

const domain = bytesOf('coterie/1 incarnation\0')

/**
 * Greater at each start; shifted by less than a day in each circle, so that members of two circles do not see
 * by it which devices of theirs were started at the same moment.
 */
export function firstIncarnation(wallMs: number, seed: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = hash(domain, seed)
  return Math.floor(wallMs) + ((a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) % 86_400_000)
}
