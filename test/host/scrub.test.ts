/** What is emptied is in no page of any file any more. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sql from 'better-sqlite3-multiple-ciphers'
import t from 'tap'
import { x25519 } from '../../src/crypto/provider.ts'
import { lockWrites, unlockWrites } from '../../src/daemon/circle/locking.ts'
import { storedCircles } from '../../src/daemon/circle/stored.ts'
import type { Row } from '../../src/host/rows.ts'
import { Sqlite } from '../../src/host/sqlite.ts'

const fill = (byte: number, length = 32) => new Uint8Array(length).fill(byte)
const gid = fill(1)
const other = fill(2)
/** Keys that are easy to find: nothing else has eight such bytes in a row. */
const keys = [0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6]
const rows = (of: Uint8Array, from: number[]): Row[] => [
  {
    table: 'circle',
    gid: of,
    name: 'home',
    device: 'pc',
    position: 0,
    seed: fill(from[0]!),
    secret: fill(from[1]!),
    serial: 1,
    joinedMs: 1
  },
  { table: 'previous', gid: of, secret: fill(from[2]!), sinceMs: 1 },
  { table: 'discovery', gid: of, id: fill(3, 16), counter: 1, key: fill(from[3]!), wrap: fill(4, 300) },
  {
    table: 'ticket',
    gid: of,
    id: 'one',
    psk: fill(from[4]!),
    level: 10,
    guestForMs: 0,
    expiresMs: 9,
    usedBy: fill(0, 0)
  },
  {
    table: 'share',
    gid: of,
    counts: 1,
    share: fill(from[5]!, 25),
    holders: fill(5, 96),
    giver: 'x',
    atMs: 1
  }
]

t.test('sealed, emptied, scrubbed, and opened again', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'ct-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'coterie.db')
  const access = { path, key: fill(7), fingerprint: fill(8, 16), create: true }
  const sqlite = new Sqlite(access)
  const kept = [0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6]
  // many old states of the pages, in the log and in the file
  for (let n = 0; n < 30; n++) {
    sqlite.commit([[...rows(gid, keys), ...rows(other, kept)].map(put => ({ put }))])
    const discovery = { ...rows(gid, keys)[2]!, id: fill(40 + n, 16) } as Row
    const done = sqlite.commit([[{ put: discovery }], [{ remove: 'discovery', gid, id: fill(30 + n, 16) }]])
    if (done.some(error => error !== undefined)) t.fail('a commit failed')
    if (n === 15) sqlite.scrub()
  }
  /** How many runs of 8 such bytes there are in the decrypted pages, log included. */
  const found = (byte: number): number => {
    const copy = join(directory, 'copy.db')
    for (const end of ['', '-wal', '-shm']) rmSync(copy + end, { force: true })
    for (const end of ['', '-wal']) if (existsSync(path + end)) copyFileSync(path + end, copy + end)
    const sql = new Sql(copy)
    sql.pragma(`cipher='chacha20'`)
    sql.pragma(
      `key="x'${Buffer.from(access.key).toString('hex')}${Buffer.from(access.fingerprint).toString('hex')}'"`
    )
    sql.pragma('journal_mode=DELETE')
    sql.pragma(`rekey=''`)
    sql.close()
    const bytes = readFileSync(copy)
    let count = 0
    for (let at = bytes.indexOf(fill(byte, 8)); at >= 0; at = bytes.indexOf(fill(byte, 8), at + 8)) count++
    return count
  }
  t.ok(
    keys.every(byte => found(byte) > 0),
    'the search finds keys that are there'
  )

  const recovery = x25519(fill(9))
  const lock = {
    gid,
    key: fill(10),
    proof: fill(11, 50),
    recipients: [recovery.publicKey, x25519(fill(12)).publicKey]
  }
  let n = 0
  const random = (length: number) => fill(200 + n++, length)
  const errors = sqlite.commit([lockWrites(lock, sqlite.load(), { random, atMs: 5 })])
  t.same(errors, [undefined])
  sqlite.scrub()
  t.equal(existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0, 0, 'the log is empty')
  for (const byte of keys) t.equal(found(byte), 0, `key ${byte.toString(16)} is gone`)
  t.ok(
    kept.every(byte => found(byte) > 0),
    'those of other circles are there'
  )
  const ofGid = () => storedCircles(sqlite.load()).find(({ row }) => row.gid[0] === gid[0])!
  const stored = ofGid()
  t.equal(stored.row.seed.length + stored.row.secret.length, 0)
  t.equal(stored.row.name, 'home')

  t.comment('opened again')
  t.equal(unlockWrites(stored.lock!, sqlite.load(), x25519(fill(13))), undefined, 'not by anybody')
  const writes = unlockWrites(stored.lock!, sqlite.load(), recovery)
  sqlite.commit([writes!])
  const again = ofGid()
  t.same(again.row, rows(gid, keys)[0])
  t.same(again.previous, rows(gid, keys)[1])
  t.same(again.discovery.length, 11)
  t.ok(again.discovery.every(({ key }) => key.length === 32))
  t.same(again.tickets, [rows(gid, keys)[3]])
  t.same(new Uint8Array(again.shares[0]!.share), fill(keys[5]!, 25))
  t.equal(again.lock!.sealed.length, 0)
  sqlite.close()
})
