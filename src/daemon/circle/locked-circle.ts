/** A circle whose keys are sealed on this device, as it was removed as lost: it can be named, opened or cleared away. */
import type { Properties } from '../../api/api.ts'
import { type CircleId, circleId, type PeerId, peerId } from '../../crypto/identity.ts'
import type { LockRow } from './locking.ts'
import type { StoredCircle } from './stored.ts'

export interface LockedCircle {
  readonly id: CircleId
  readonly gid: Uint8Array
  readonly name: string
  /** Place among this device's circles. */
  readonly position: number
  /** Of this device in it. */
  readonly self: PeerId
  readonly device: string
  readonly record: Properties<'Circle'>
  readonly lock: LockRow
  readonly operations: readonly Uint8Array[]
  /** For whoever asks for something that needs the keys. */
  readonly sentence: string
}

/** Undefined unless it is locked. */
export function lockedCircle({ row, lock, operations }: StoredCircle): LockedCircle | undefined {
  if (lock === undefined || lock.sealed.length === 0) return undefined
  const id = circleId(row.gid)
  return {
    id,
    gid: row.gid,
    name: row.name,
    position: row.position,
    self: peerId(lock.key),
    device: row.device,
    record: { Id: id, Name: row.name, Level: 0, Members: 0 },
    lock,
    operations,
    sentence: `this device was removed as lost from the circle ${row.name}, so its keys are locked: \`coterie recovery unlock\` opens them with the recovery code, \`coterie leave\` clears them away`
  }
}
