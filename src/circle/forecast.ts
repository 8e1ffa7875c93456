/** What some operations would change about who belongs to a circle, found out on a copy of its log. */
import type { PeerId } from '../crypto/identity.ts'
import { type MemberState, MembershipLog } from './log.ts'

export interface Change {
  readonly id: PeerId
  readonly name: string
  /**
   * removed, for ever; dropped: what added it is void; returns: what removed it is void; joins: is new; level: has
   * another one.
   */
  readonly change: 'removed' | 'dropped' | 'returns' | 'joins' | 'level'
  /** Before and after; 0 when it was no member, or is none then. */
  readonly was: number
  readonly level: number
}

export interface Forecast {
  readonly members: ReadonlyMap<PeerId, MemberState>
  readonly changes: readonly Change[]
}

/** The log is not touched. The operations are taken for verified; each follows its parents. */
export function forecast(gid: Uint8Array, log: MembershipLog, operations: readonly Uint8Array[]): Forecast {
  const copy = new MembershipLog({ gid })
  copy.load([...log.operations, ...operations])
  const changes: Change[] = []
  for (const { id, name, level } of log.members.values())
    if (!copy.members.has(id)) {
      const change = copy.removed(id) ? 'removed' : 'dropped'
      changes.push({ id, name, change, was: level, level: 0 })
    }
  for (const { id, name, level } of copy.members.values()) {
    const was = log.members.get(id)?.level ?? 0
    const change = was > 0 ? 'level' : log.removed(id) ? 'returns' : 'joins'
    if (was !== level) changes.push({ id, name, change, was, level })
  }
  return { members: copy.members, changes }
}
