/**
 * Locking the circle of a lost device: its keys are sealed to those who stand above it (the recovery code and the
 * first devices) and emptied from its rows in the same transaction, so that a wrong lock can be undone and a thief
 * finds nothing. Here as writes to be made; who runs them is circles.ts.
 */

import { open, seal } from '../../crypto/hpke.ts'
import { type ExchangeKey, equal, x25519 } from '../../crypto/provider.ts'
import type { Row, Write } from '../../host/database.ts'
import { secrets } from '../../host/rows.ts'
import {
  decodeKeys,
  encodeKeys,
  encodeLocked,
  type Kept,
  lockedAad,
  lockedInfo,
  sealedTo
} from '../../wire/locked-keys.ts'

export type LockRow = Row & { table: 'lock' }

/** Why, by whom it can be undone, and who this device was. */
export interface Lock {
  readonly gid: Uint8Array
  /** Ed25519 key of this device. */
  readonly key: Uint8Array
  /** The order, as a frame (wire/recovery-frame.ts). */
  readonly proof: Uint8Array
  /** X25519 keys. */
  readonly recipients: readonly Uint8Array[]
}

type Columns = { readonly [column: string]: Kept }
const tablesWithSecrets = Object.entries(secrets).filter(([, { of }]) => of.length > 0)

/** `rows`: of all circles. The lock comes first among the writes. */
export function lockWrites(
  lock: Lock,
  rows: readonly Row[],
  { random, atMs }: { random: (length: number) => Uint8Array; atMs: number }
): [{ put: LockRow }, ...Write[]] {
  const keys = encodeKeys(
    tablesWithSecrets.flatMap(([table, { of, by }]) =>
      rows
        .filter(row => row.table === table && belongs(row, lock.gid))
        .map(row => ({
          table,
          columns: [...by, ...of].map(name => [name, (row as unknown as Columns)[name]!] as const)
        }))
    )
  )
  const sealed = encodeLocked(
    lock.recipients.map(recipient => ({
      recipient,
      sealed: seal(x25519(random(32)), recipient, lockedInfo(lock.gid), lockedAad(lock.key, recipient), keys)
    }))
  )
  keys.fill(0)
  const { gid, key, proof } = lock
  return [{ put: { table: 'lock', gid, key, proof, sealed, atMs } }, { remove: 'secrets', gid }]
}

/** Puts the keys back into the rows; undefined when this key does not open them. */
export function unlockWrites(lock: LockRow, rows: readonly Row[], key: ExchangeKey): Write[] | undefined {
  const sealed = sealedTo(lock.sealed, key.publicKey)
  const keys = sealed && open(key, lockedInfo(lock.gid), lockedAad(lock.key, key.publicKey), sealed)
  const kept = keys && decodeKeys(keys)
  if (kept === undefined) return undefined
  const writes: Write[] = kept.flatMap(({ table, columns }) => {
    const { by = [] } = tablesWithSecrets.find(([name]) => name === table)?.[1] ?? {}
    const values: Columns = Object.fromEntries(columns)
    const row = rows.find(
      row =>
        row.table === table &&
        belongs(row, lock.gid) &&
        by.every(name => same((row as unknown as Columns)[name]!, values[name]!))
    )
    return row === undefined ? [] : [{ put: { ...row, ...values } as Row }]
  })
  return [...writes, { put: { ...lock, sealed: new Uint8Array(0) } }]
}

const belongs = (row: Row, gid: Uint8Array): boolean => 'gid' in row && equal(row.gid, gid)
const same = (a: Kept, b: Kept): boolean =>
  a instanceof Uint8Array ? b instanceof Uint8Array && equal(a, b) : a === b
