/** What the membership log asks of the daemon. */
import type { PeerId } from '../crypto/identity.ts'
import type { Signed } from '../crypto/provider.ts'
import type { Wrap } from '../wire/wrap.ts'
import type { MemberState } from './members.ts'

export interface OperationRecord {
  readonly table: 'operation'
  readonly gid: Uint8Array
  readonly id: Uint8Array
  readonly bytes: Uint8Array
}

export type LogOutput =
  /** Answer with verified(batch, one verdict for each item). */
  | { type: 'verify'; batch: number; items: readonly Signed[] }
  | { type: 'send'; peer: PeerId; body: Uint8Array }
  /** `removed`: who ceased to be a member; their sessions must end. */
  | { type: 'changed'; members: ReadonlyMap<PeerId, MemberState>; removed: readonly PeerId[] }
  /** Both logs agree. A peer that is no member now was one only by operations that did not hold: close it. */
  | { type: 'synced'; peer: PeerId }
  /** An epoch wrap that its author signed; whether the author may is not checked. */
  | { type: 'wrap'; peer: PeerId; wrap: Wrap }
  /** What admit() was given is checked, and on disk where it could be taken in. */
  | { type: 'admitted'; ticket: number }
  /** It sends what is of no use; it is not listened to until closed(). */
  | { type: 'misbehaves'; peer: PeerId }
  | { type: 'note'; text: string; peer: PeerId | '' }
  /** For counters. */
  | { type: 'count'; what: 'forged' | 'foreign' | 'malformed' | 'refused'; peer: PeerId | '' }
