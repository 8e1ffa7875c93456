/** What the database holds, as plain values, and the SQL that holds it. */

export type Row =
  | {
      table: 'circle'
      gid: Uint8Array
      name: string
      device: string
      /** Place among this device's circles, in the order of joining. */
      position: number
      /** Ed25519 seed and X25519 secret of this device in the circle. */
      seed: Uint8Array
      secret: Uint8Array
      /** Of the X25519 static. */
      serial: number
      joinedMs: number
    }
  | { table: 'operation'; gid: Uint8Array; id: Uint8Array; bytes: Uint8Array }
  /** `key` is empty where the wrap holds none for this device. */
  | {
      table: 'discovery'
      gid: Uint8Array
      id: Uint8Array
      counter: number
      key: Uint8Array
      wrap: Uint8Array
    }
  | { table: 'address'; gid: Uint8Array; peer: string; address: string; lastMs: number }
  /** When a member was last met, by this device's clock, and the serial of our static it has on disk. */
  | { table: 'contact'; gid: Uint8Array; peer: string; lastMs: number; serial: number }
  /** Since when the X25519 secret of the circle's row is in use, and the one before it; empty: none that counts. */
  | { table: 'previous'; gid: Uint8Array; secret: Uint8Array; sinceMs: number }
  /**
   * `usedBy`: Ed25519 key of the device that joined with it; empty = open. `guestForMs`: how long it belongs,
   * counted from its joining; 0 = for good.
   */
  | {
      table: 'ticket'
      gid: Uint8Array
      id: string
      psk: Uint8Array
      level: number
      guestForMs: number
      expiresMs: number
      usedBy: Uint8Array
    }
  /**
   * The circle is locked: `sealed` holds the keys that its rows are empty of (wire/locked-keys.ts). Empty: it was,
   * and its keys were opened again. `proof` is why (a frame, wire/recovery-frame.ts), `key` this device's Ed25519 key.
   */
  | { table: 'lock'; gid: Uint8Array; key: Uint8Array; proof: Uint8Array; sealed: Uint8Array; atMs: number }
  /**
   * A share of the recovery code (crypto/shares.ts), kept for whoever has the code. `counts` is 1 once all three
   * are on their devices, 0 before. `holders`: their Ed25519 keys, 96 bytes; `giver`: who made the shares.
   */
  | {
      table: 'share'
      gid: Uint8Array
      counts: number
      share: Uint8Array
      holders: Uint8Array
      giver: string
      atMs: number
    }
  /** Of the outbox of the circle: 8 bytes, a part of the name of each message sent. */
  | { table: 'outbox'; gid: Uint8Array; epoch: Uint8Array }
  /** The number that the next message to this member gets. */
  | { table: 'counter'; gid: Uint8Array; peer: string; next: number }
  /** A message to a member (messages/outbox.ts); `ask` and `takenBack` are 0 or 1. */
  | {
      table: 'outgoing'
      gid: Uint8Array
      peer: string
      seq: number
      id: string
      tag: string
      ask: number
      payload: Uint8Array
      sentMs: number
      expiresMs: number
      state: string
      reason: string
      exit: number
      output: Uint8Array
      takenBack: number
      changedMs: number
    }
  /** A message from a member (messages/inbox.ts); `ask` is 0 or 1. */
  | {
      table: 'incoming'
      gid: Uint8Array
      peer: string
      epoch: Uint8Array
      seq: number
      id: string
      tag: string
      ask: number
      payload: Uint8Array
      sentMs: number
      receivedMs: number
      expiresMs: number
      state: string
      reason: string
      exit: number
      output: Uint8Array
      runs: number
      retry: number
    }
  /** Below this number nothing comes again from that outbox. */
  | { table: 'floor'; gid: Uint8Array; peer: string; epoch: Uint8Array; floor: number }
  /** A copy of a message that this device keeps for others (messages/custody.ts); `peer` deposited it. */
  | {
      table: 'copy'
      gid: Uint8Array
      peer: string
      custody: Uint8Array
      recipient: string
      expiresMs: number
      keptMs: number
      sealed: Uint8Array
      verdict: string
      signature: Uint8Array
    }
  /** A copy of an own message that another member keeps (messages/deposits.ts). */
  | {
      table: 'deposit'
      gid: Uint8Array
      custody: Uint8Array
      holder: string
      peer: string
      seq: number
      expiresMs: number
      serial: number
      afterSeq: number
      afterMs: number
      state: string
    }
  /** How a member can be woken, by the address it had: 6 bytes, last told by it then. */
  | { table: 'card'; gid: Uint8Array; peer: string; address: string; mac: Uint8Array; seenMs: number }
  | { table: 'setting'; key: string; value: string }
export type Table = Row['table']

export type Write =
  /** Replaces the row with the same key; an operation never changes and is kept. */
  | { put: Row }
  /** The circle with all that belongs to it. */
  | { remove: 'circle'; gid: Uint8Array }
  | { remove: 'address'; gid: Uint8Array; peer: string; address: string }
  | { remove: 'card'; gid: Uint8Array; peer: string; address: string }
  | { remove: 'ticket'; gid: Uint8Array; id: string }
  | { remove: 'discovery'; gid: Uint8Array; id: Uint8Array }
  | { remove: 'share'; gid: Uint8Array; counts: number }
  | { remove: 'outgoing'; gid: Uint8Array; peer: string; seq: number }
  | { remove: 'incoming'; gid: Uint8Array; peer: string; epoch: Uint8Array; seq: number }
  | { remove: 'copy'; gid: Uint8Array; peer: string; custody: Uint8Array }
  | { remove: 'deposit'; gid: Uint8Array; custody: Uint8Array }
  /** Empties all columns of the circle that hold keys; the rows stay. */
  | { remove: 'secrets'; gid: Uint8Array }

/** Of user_version. A database with a greater one is left alone. */
export const SCHEMA_VERSION = 5

/** As version 5 brought them. */
const messageTables = `
  CREATE TABLE outbox (gid BLOB NOT NULL UNIQUE, epoch BLOB NOT NULL) STRICT;
  CREATE TABLE counter (gid BLOB NOT NULL, peer TEXT NOT NULL, next INTEGER NOT NULL, UNIQUE (gid, peer)) STRICT;
  CREATE TABLE outgoing (gid BLOB NOT NULL, peer TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL,
    tag TEXT NOT NULL, ask INTEGER NOT NULL, payload BLOB NOT NULL, sentMs INTEGER NOT NULL, expiresMs INTEGER NOT NULL,
    state TEXT NOT NULL, reason TEXT NOT NULL, exit INTEGER NOT NULL, output BLOB NOT NULL,
    takenBack INTEGER NOT NULL, changedMs INTEGER NOT NULL, UNIQUE (gid, peer, seq)) STRICT;
  CREATE TABLE incoming (gid BLOB NOT NULL, peer TEXT NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL,
    id TEXT NOT NULL, tag TEXT NOT NULL, ask INTEGER NOT NULL, payload BLOB NOT NULL, sentMs INTEGER NOT NULL,
    receivedMs INTEGER NOT NULL, expiresMs INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    exit INTEGER NOT NULL, output BLOB NOT NULL, runs INTEGER NOT NULL,
    retry INTEGER NOT NULL, UNIQUE (gid, peer, epoch, seq)) STRICT;
  CREATE TABLE floor (gid BLOB NOT NULL, peer TEXT NOT NULL, epoch BLOB NOT NULL, floor INTEGER NOT NULL,
    UNIQUE (gid, peer, epoch)) STRICT;
  CREATE TABLE copy (gid BLOB NOT NULL, peer TEXT NOT NULL, custody BLOB NOT NULL, recipient TEXT NOT NULL,
    expiresMs INTEGER NOT NULL, keptMs INTEGER NOT NULL, sealed BLOB NOT NULL, verdict TEXT NOT NULL,
    signature BLOB NOT NULL, UNIQUE (gid, peer, custody)) STRICT;
  CREATE TABLE deposit (gid BLOB NOT NULL, custody BLOB NOT NULL, holder TEXT NOT NULL, peer TEXT NOT NULL,
    seq INTEGER NOT NULL, expiresMs INTEGER NOT NULL, serial INTEGER NOT NULL, afterSeq INTEGER NOT NULL,
    afterMs INTEGER NOT NULL, state TEXT NOT NULL, UNIQUE (gid, custody)) STRICT;
`.trim()

/** Rowids keep the order of insertion: operations are read in it, each after its parents. */
export const schema = `
  CREATE TABLE circle (gid BLOB NOT NULL UNIQUE, name TEXT NOT NULL, device TEXT NOT NULL,
    position INTEGER NOT NULL, seed BLOB NOT NULL, secret BLOB NOT NULL, serial INTEGER NOT NULL,
    joinedMs INTEGER NOT NULL) STRICT;
  CREATE TABLE operation (gid BLOB NOT NULL, id BLOB NOT NULL, bytes BLOB NOT NULL, UNIQUE (gid, id)) STRICT;
  CREATE TABLE discovery (gid BLOB NOT NULL, id BLOB NOT NULL, counter INTEGER NOT NULL, key BLOB NOT NULL,
    wrap BLOB NOT NULL, UNIQUE (gid, id)) STRICT;
  CREATE TABLE address (gid BLOB NOT NULL, peer TEXT NOT NULL, address TEXT NOT NULL,
    lastMs INTEGER NOT NULL, UNIQUE (gid, peer, address)) STRICT;
  CREATE TABLE ticket (gid BLOB NOT NULL, id TEXT NOT NULL, psk BLOB NOT NULL, level INTEGER NOT NULL,
    expiresMs INTEGER NOT NULL, usedBy BLOB NOT NULL, guestForMs INTEGER NOT NULL DEFAULT 0,
    UNIQUE (gid, id)) STRICT;
  CREATE TABLE setting (key TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT;
  CREATE TABLE contact (gid BLOB NOT NULL, peer TEXT NOT NULL, lastMs INTEGER NOT NULL, serial INTEGER NOT NULL,
    UNIQUE (gid, peer)) STRICT;
  CREATE TABLE previous (gid BLOB NOT NULL UNIQUE, secret BLOB NOT NULL, sinceMs INTEGER NOT NULL) STRICT;
  CREATE TABLE lock (gid BLOB NOT NULL UNIQUE, key BLOB NOT NULL, proof BLOB NOT NULL, sealed BLOB NOT NULL,
    atMs INTEGER NOT NULL) STRICT;
  CREATE TABLE share (gid BLOB NOT NULL, counts INTEGER NOT NULL, share BLOB NOT NULL, holders BLOB NOT NULL,
    giver TEXT NOT NULL, atMs INTEGER NOT NULL, UNIQUE (gid, counts)) STRICT;
  ${messageTables}
  CREATE TABLE card (gid BLOB NOT NULL, peer TEXT NOT NULL, address TEXT NOT NULL, mac BLOB NOT NULL,
    seenMs INTEGER NOT NULL, UNIQUE (gid, peer, address)) STRICT;
`

/** What brings a database from one version to the next, beginning with version 1; committed with the number. */
export const migrations: readonly string[] = [
  `
  ALTER TABLE ticket ADD COLUMN guestForMs INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE contact (gid BLOB NOT NULL, peer TEXT NOT NULL, lastMs INTEGER NOT NULL, serial INTEGER NOT NULL,
    UNIQUE (gid, peer)) STRICT;
  CREATE TABLE previous (gid BLOB NOT NULL UNIQUE, secret BLOB NOT NULL, sinceMs INTEGER NOT NULL) STRICT;
`,
  `
  CREATE TABLE lock (gid BLOB NOT NULL UNIQUE, key BLOB NOT NULL, proof BLOB NOT NULL, sealed BLOB NOT NULL,
    atMs INTEGER NOT NULL) STRICT;
  CREATE TABLE share (gid BLOB NOT NULL, counts INTEGER NOT NULL, share BLOB NOT NULL, holders BLOB NOT NULL,
    giver TEXT NOT NULL, atMs INTEGER NOT NULL, UNIQUE (gid, counts)) STRICT;
`,
  `
  CREATE TABLE card (gid BLOB NOT NULL, peer TEXT NOT NULL, address TEXT NOT NULL, mac BLOB NOT NULL,
    seenMs INTEGER NOT NULL, UNIQUE (gid, peer, address)) STRICT;
`,
  `
  ${messageTables}
`
]

export const columns: { readonly [T in Table]: readonly Exclude<keyof (Row & { table: T }), 'table'>[] } = {
  circle: ['gid', 'name', 'device', 'position', 'seed', 'secret', 'serial', 'joinedMs'],
  operation: ['gid', 'id', 'bytes'],
  discovery: ['gid', 'id', 'counter', 'key', 'wrap'],
  address: ['gid', 'peer', 'address', 'lastMs'],
  ticket: ['gid', 'id', 'psk', 'level', 'guestForMs', 'expiresMs', 'usedBy'],
  contact: ['gid', 'peer', 'lastMs', 'serial'],
  previous: ['gid', 'secret', 'sinceMs'],
  lock: ['gid', 'key', 'proof', 'sealed', 'atMs'],
  share: ['gid', 'counts', 'share', 'holders', 'giver', 'atMs'],
  outbox: ['gid', 'epoch'],
  counter: ['gid', 'peer', 'next'],
  outgoing: [
    'gid',
    'peer',
    'seq',
    'id',
    'tag',
    'ask',
    'payload',
    'sentMs',
    'expiresMs',
    'state',
    'reason',
    'exit',
    'output',
    'takenBack',
    'changedMs'
  ],
  incoming: [
    'gid',
    'peer',
    'epoch',
    'seq',
    'id',
    'tag',
    'ask',
    'payload',
    'sentMs',
    'receivedMs',
    'expiresMs',
    'state',
    'reason',
    'exit',
    'output',
    'runs',
    'retry'
  ],
  floor: ['gid', 'peer', 'epoch', 'floor'],
  copy: ['gid', 'peer', 'custody', 'recipient', 'expiresMs', 'keptMs', 'sealed', 'verdict', 'signature'],
  deposit: ['gid', 'custody', 'holder', 'peer', 'seq', 'expiresMs', 'serial', 'afterSeq', 'afterMs', 'state'],
  card: ['gid', 'peer', 'address', 'mac', 'seenMs'],
  setting: ['key', 'value']
}
/** In the order in which they are read. */
export const tables = Object.keys(columns) as readonly Table[]

/** Columns that name the row to remove. */
export const keys = {
  circle: ['gid'],
  address: ['gid', 'peer', 'address'],
  card: ['gid', 'peer', 'address'],
  ticket: ['gid', 'id'],
  discovery: ['gid', 'id'],
  share: ['gid', 'counts'],
  outgoing: ['gid', 'peer', 'seq'],
  incoming: ['gid', 'peer', 'epoch', 'seq'],
  copy: ['gid', 'peer', 'custody'],
  deposit: ['gid', 'custody']
} as const

/**
 * Columns of a circle's rows that hold keys, and those that name the row beside its gid: what a lost device seals and
 * empties. A table that gets a key says so here.
 */
export const secrets: {
  readonly [T in Exclude<Table, 'setting'>]: {
    readonly of: readonly string[]
    readonly by: readonly string[]
  }
} = {
  circle: { of: ['seed', 'secret'], by: [] },
  operation: { of: [], by: [] },
  discovery: { of: ['key'], by: ['id'] },
  address: { of: [], by: [] },
  ticket: { of: ['psk'], by: ['id'] },
  contact: { of: [], by: [] },
  previous: { of: ['secret'], by: [] },
  lock: { of: [], by: [] },
  share: { of: ['share'], by: ['counts'] },
  outbox: { of: [], by: [] },
  counter: { of: [], by: [] },
  outgoing: { of: [], by: [] },
  incoming: { of: [], by: [] },
  floor: { of: [], by: [] },
  copy: { of: [], by: [] },
  deposit: { of: [], by: [] },
  card: { of: [], by: [] }
}
