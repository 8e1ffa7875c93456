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
    state: row.state as Received['state'],
    reason: row.reason as Received['reason']
  }))
}

export function outboxWrites(gid: Uint8Array, record: OutboxRecord): Write[] {
  if (record.type === 'drop') return [{ remove: 'outgoing', gid, peer: record.peer, seq: record.seq }]
  const { ask, takenBack, ...sent } = record.sent
  return [
    { put: { table: 'outgoing', gid, ask: ask ? 1 : 0, takenBack: takenBack ? 1 : 0, ...sent } },
    { put: { table: 'counter', gid, peer: sent.peer, next: record.next } }
  ]
}

export function inboxWrites(gid: Uint8Array, record: InboxRecord): Write {
  switch (record.type) {
    case 'drop':
      return { remove: 'incoming', gid, peer: record.from, epoch: record.epoch, seq: record.seq }
    case 'floor':
      return { put: { table: 'floor', gid, peer: record.from, epoch: record.epoch, floor: record.floor } }
    case 'put': {
      const { from, ask, ...received } = record.received
      return { put: { table: 'incoming', gid, peer: from, ask: ask ? 1 : 0, ...received } }
    }
  }
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
