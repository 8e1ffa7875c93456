/** Messages as the database has them, and as the cores do. */
import type { Write } from '../../host/database.ts'
import type { CustodyRecord, Kept } from '../../messages/custody.ts'
import type { Deposit, DepositRecord } from '../../messages/deposits.ts'
import type { InboxRecord, Received } from '../../messages/inbox.ts'
import type { OutboxRecord, Sent } from '../../messages/outbox.ts'
import type { StoredMessages } from '../circle/stored.ts'

/** What a database of this schema holds; the worker wrote it from values of these types. */
export function storedSent({ outgoing }: StoredMessages): Sent[] {
  return outgoing.map(({ table: _, gid: __, ...row }) => ({
    ...row,
    ask: row.ask === 1,
    takenBack: row.takenBack === 1,
    state: row.state as Sent['state'],
    reason: row.reason as Sent['reason']
  }))
}

export function storedReceived({ incoming }: StoredMessages): Received[] {
  return incoming.map(({ table: _, gid: __, peer, ...row }) => ({
    ...row,
    from: peer,
    ask: row.ask === 1,
    retry: row.retry === 1,
    state: row.state as Received['state'],
    reason: row.reason as Received['reason']
  }))
}

/** Of a message and of a counter only what is last. */
export function outboxWrites(gid: Uint8Array, records: readonly OutboxRecord[]): Write[] {
  const rows = new Map<string, Write>()
  for (const record of records) {
    const { peer, seq } = record.type === 'put' ? record.sent : record
    const key = `${peer} ${seq}`
    if (record.type === 'drop') rows.set(key, { remove: 'outgoing', gid, peer, seq })
    else {
      const { ask, takenBack, ...sent } = record.sent
      const flags = { ask: ask ? 1 : 0, takenBack: takenBack ? 1 : 0 }
      rows.set(key, { put: { table: 'outgoing', gid, ...flags, ...sent } })
      rows.set(peer, { put: { table: 'counter', gid, peer, next: record.next } })
    }
  }
  return [...rows.values()]
}

/** Of a message and of a floor only what is last. */
export function inboxWrites(gid: Uint8Array, records: readonly InboxRecord[]): Write[] {
  const rows = new Map<string, Write>()
  for (const record of records) {
    const { from, epoch } = record.type === 'put' ? record.received : record
    const key = `${from} ${epoch}`
    if (record.type === 'drop')
      rows.set(`${key} ${record.seq}`, { remove: 'incoming', gid, peer: from, epoch, seq: record.seq })
    else if (record.type === 'floor')
      rows.set(key, { put: { table: 'floor', gid, peer: from, epoch, floor: record.floor } })
    else {
      const { from: peer, ask, retry, ...received } = record.received
      rows.set(`${key} ${received.seq}`, {
        put: { table: 'incoming', gid, peer, ask: ask ? 1 : 0, retry: retry ? 1 : 0, ...received }
      })
    }
  }
  return [...rows.values()]
}

export function storedCopies({ copies }: StoredMessages): Kept[] {
  return copies.map(({ table: _, gid: __, peer, ...row }) => ({
    ...row,
    depositor: peer,
    verdict: row.verdict as Kept['verdict']
  }))
}

export function storedDeposits({ deposits }: StoredMessages): Deposit[] {
  return deposits.map(({ table: _, gid: __, afterSeq, ...row }) => ({
    ...row,
    after: afterSeq,
    state: row.state as Deposit['state']
  }))
}

export function custodyWrites(gid: Uint8Array, record: CustodyRecord): Write {
  if (record.type === 'drop') return { remove: 'copy', gid, peer: record.depositor, custody: record.custody }
  const { depositor, ...kept } = record.kept
  return { put: { table: 'copy', gid, peer: depositor, ...kept } }
}

export function depositWrites(gid: Uint8Array, record: DepositRecord): Write {
  if (record.type === 'drop') return { remove: 'deposit', gid, custody: record.custody }
  const { after, ...deposit } = record.deposit
  return { put: { table: 'deposit', gid, afterSeq: after, ...deposit } }
}
