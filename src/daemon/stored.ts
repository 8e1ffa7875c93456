/** The rows of the database, by circle. */

import type { Row } from '../host/database.ts'
import { toBase32 } from '../wire/base32.ts'

type Of<T extends Row['table']> = Row & { table: T }

/** All that is stored of one circle. */
export interface StoredCircle {
  readonly row: Of<'circle'>
  readonly operations: readonly Uint8Array[]
  readonly discovery: readonly Of<'discovery'>[]
  readonly addresses: readonly Of<'address'>[]
  readonly tickets: readonly Of<'ticket'>[]
}

/** The default circle first. */
export function storedCircles(rows: readonly Row[]): StoredCircle[] {
  const of = <T extends Row['table']>(table: T, gid: Uint8Array) => {
    const key = toBase32(gid)
    return rows.filter(
      (row): row is Of<T> => row.table === table && toBase32((row as Of<'circle'>).gid) === key
    )
  }
  return rows
    .filter(row => row.table === 'circle')
    .sort((a, b) => a.position - b.position)
    .map(row => ({
      row,
      operations: of('operation', row.gid).map(operation => operation.bytes),
      discovery: of('discovery', row.gid),
      addresses: of('address', row.gid),
      tickets: of('ticket', row.gid)
    }))
}
