/**
 * Neighbours: with whom a device keeps a session in a circle too large for all of them.
 *
 * It is a skip graph (Aspnes and Shah 2003) with four branches: on the ring of all that are awake the two next
 * ones each way, on each higher ring of the device the next one each way, and the next one that runs on mains,
 * who watches it. Two devices that know the same members to be awake agree without a word: a is the next of b on a
 * ring exactly when b is the one before a. Whoever falls asleep changes only the rings it was on, where it stood.
 * The ring of all alone makes the graph connected; the rings above it, whose members chance has chosen, make its
 * diameter a logarithm, and keep it whole when half of its devices go at once.
 */
import type { Members } from './members.ts'

/** Up to this many members each has a session with each. */
export const FULL_MESH = 16
/** Next ones each way on the ring of all. */
const NEXT = 2

/** Their numbers; at most ⌈log2 n⌉ + 3 of n members. `mains`: it is awake, and does not run on battery. */
export function neighbours(
  members: Members,
  self: number,
  awake: (member: number) => boolean,
  mains: (member: number) => boolean
): Set<number> {
  const chosen = new Set<number>()
  const all = members.size
  for (const step of [1, all - 1]) {
    for (let member = (self + step) % all, left = NEXT; left > 0 && member !== self; ) {
      if (awake(member)) {
        chosen.add(member)
        left--
      }
      member = (member + step) % all
    }
  }
  for (let level = 1; level < members.levels; level++) {
    const ring = members.ring(self, level)!
    const place = placeOf(ring, self)
    for (const step of [1, ring.length - 1]) {
      let at = (place + step) % ring.length
      while (at !== place && !awake(ring[at]!)) at = (at + step) % ring.length
      if (at !== place) chosen.add(ring[at]!)
    }
  }
  let watcher = (self + 1) % all
  while (watcher !== self && !mains(watcher)) watcher = (watcher + 1) % all
  if (watcher !== self) chosen.add(watcher)
  return chosen
}

/** The place of a number in an ascending list that has it. */
function placeOf(ring: Uint32Array, member: number): number {
  let low = 0
  let high = ring.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (ring[middle]! < member) low = middle + 1
    else high = middle
  }
  return low
}
