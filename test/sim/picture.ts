/** What a crowd shows, against what is so. */
import type { Crowd } from './crowd.ts'
import type { Unit } from './unit.ts'

const up = (crowd: Crowd): Unit[] => crowd.units.filter(unit => unit.running && unit.awake)

/** Both reach each other. */
export const joined = (crowd: Crowd, one: Unit, other: Unit): boolean =>
  other.running && other.awake && crowd.way(one, other) && crowd.way(other, one)

/** What some of the devices show that is not so: one that is there as gone, or the other way round. */
export function wrong(crowd: Crowd, seeing: readonly Unit[] = crowd.units): string[] {
  const found: string[] = []
  for (const unit of seeing) {
    if (!unit.running || !unit.awake) continue
    for (const [id, { state, reason }] of unit.mesh!.peers()) {
      const other = crowd.unit(id)
      if (joined(crowd, unit, other) !== (state === 'reachable'))
        found.push(`${unit.number} shows ${other.number} ${state} ${reason}`)
    }
  }
  return found
}

/** Whether sessions lead from each part's first device to all that run in it. */
export function whole(crowd: Crowd): boolean {
  const all = up(crowd)
  const reached = new Set<Unit>()
  for (const part of new Set(crowd.parts)) {
    const first = all.find(unit => crowd.parts[unit.number] === part)
    const seen = new Set(first === undefined ? [] : [first])
    for (const unit of seen)
      for (const { other } of unit.ends.values()) if (joined(crowd, unit, other.unit)) seen.add(other.unit)
    for (const unit of seen) reached.add(unit)
  }
  return reached.size === all.length
}

/** How many sessions each has that runs. */
export const sessions = (crowd: Crowd): number[] => up(crowd).map(unit => unit.ends.size)

export const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0)

/** Packets and bytes that one device sends in a second, while that time passes. */
export function rates(crowd: Crowd, ms: number): { packets: number; bytes: number } {
  const count = (what: 'packets' | 'bytes') => sum(crowd.units.map(unit => unit.sent[what]))
  const before = { packets: count('packets'), bytes: count('bytes') }
  crowd.run(ms)
  const per = (crowd.units.length * ms) / 1_000
  return { packets: (count('packets') - before.packets) / per, bytes: (count('bytes') - before.bytes) / per }
}

/** The time until it holds, looked at each `step` milliseconds; Infinity when it does not in `limit`. */
export function until(crowd: Crowd, step: number, limit: number, holds: () => boolean): number {
  for (let passed = 0; passed < limit; passed += step) {
    crowd.run(step)
    if (holds()) return passed + step
  }
  return Infinity
}

/** ⌈log2 n⌉ + 3. */
export const mostSessions = (devices: number): number => Math.ceil(Math.log2(devices)) + 3
/** 1.5 ⌈log4 n⌉ + 4. */
export const mostRounds = (devices: number): number => 1.5 * Math.ceil(Math.log2(devices) / 2) + 4
