/** The rows of the database, by circle. */

import type { Row, Write } from '../../host/database.ts'
import { toBase32 } from '../../wire/base32.ts'

type Of<T extends Row['table']> = Row & { table: T }

/** What was sent and received. */
export interface StoredMessages {
  /** 8 bytes; none before the first message. */
  readonly epoch: Uint8Array | undefined
  readonly counters: readonly Of<'counter'>[]
  readonly outgoing: readonly Of<'outgoing'>[]
  readonly incoming: readonly Of<'incoming'>[]
  readonly floors: readonly Of<'floor'>[]
  /** Kept for others, and those that others keep. */
  readonly copies: readonly Of<'copy'>[]
  readonly deposits: readonly Of<'deposit'>[]
}

/** All that is stored of one circle. */
export interface StoredCircle {
  readonly row: Of<'circle'>
  readonly operations: readonly Uint8Array[]
  readonly discovery: readonly Of<'discovery'>[]
  readonly addresses: readonly Of<'address'>[]
  readonly tickets: readonly Of<'ticket'>[]
  readonly contacts: readonly Of<'contact'>[]
  readonly previous: Of<'previous'> | undefined
  readonly lock: Of<'lock'> | undefined
  readonly shares: readonly Of<'share'>[]
  readonly messages: StoredMessages
  readonly cards: readonly Of<'card'>[]
}

/** The setting that names the default circle. */
const DEFAULT = 'default circle'

/** To be stored: from now on this circle is the default one. */
export const chosen = (gid: Uint8Array): Write => ({
  put: { table: 'setting', key: DEFAULT, value: toBase32(gid) }
})

/** The default circle first, then in the order of joining. */
export function storedCircles(rows: readonly Row[]): StoredCircle[] {
  const of = <T extends Row['table']>(table: T, gid: Uint8Array) => {
    const key = toBase32(gid)
    return rows.filter(
      (row): row is Of<T> => row.table === table && toBase32((row as Of<'circle'>).gid) === key
    )
  }
  const setting = rows.find(row => row.table === 'setting' && row.key === DEFAULT)
  const first = setting?.table === 'setting' ? setting.value : ''
  const place = (row: Of<'circle'>) => (toBase32(row.gid) === first ? -1 : row.position)
  return rows
    .filter(row => row.table === 'circle')
    .sort((a, b) => place(a) - place(b))
    .map(row => ({
      row,
      operations: of('operation', row.gid).map(operation => operation.bytes),
      discovery: of('discovery', row.gid),
      addresses: of('address', row.gid),
      tickets: of('ticket', row.gid),
      contacts: of('contact', row.gid),
      previous: of('previous', row.gid)[0],
      lock: of('lock', row.gid)[0],
      shares: of('share', row.gid),
      messages: {
        epoch: of('outbox', row.gid)[0]?.epoch,
        counters: of('counter', row.gid),
        outgoing: of('outgoing', row.gid),
        incoming: of('incoming', row.gid),
        floors: of('floor', row.gid),
        copies: of('copy', row.gid),
        deposits: of('deposit', row.gid)
      },
      cards: of('card', row.gid)
    }))
}
