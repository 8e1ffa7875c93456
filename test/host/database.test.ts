import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hash } from '../../src/crypto/provider.ts'
import { Database, DatabaseError, type Row, type Write } from '../../src/host/database.ts'
import { PATIENCE_MS } from '../lab/deadline.ts'

const key = new Uint8Array(32).fill(1)
const gid = new Uint8Array(32).fill(9)
const child = new URL('database-child.ts', import.meta.url).pathname
const access = (path: string, more: { key?: Uint8Array; create?: boolean } = {}) => ({
  path,
  key,
  create: true,
  log: () => undefined,
  ...more,
  fingerprint: hash(more.key ?? key).subarray(0, 16)
})
const open = (path: string, more: { key?: Uint8Array; create?: boolean } = {}) =>
  Database.open(access(path, more))
const refused = async (path: string, more: { key?: Uint8Array; create?: boolean } = {}) => {
  const result = await open(path, { create: false, ...more }).catch((error: unknown) => error)
  if (result instanceof DatabaseError) return result
  if (result instanceof Database) await result.close()
  throw result instanceof Error ? result : new Error('it opened')
}
const operation = (n: number): Row => ({
  table: 'operation',
  gid,
  id: new Uint8Array(32).fill(n),
  bytes: new Uint8Array(300).fill(n)
})

t.test('every kind of row comes back as it was put; removal of a circle takes all of it', async t => {
  const path = join(t.testdir(), 'coterie.db')
  const bytes = (n: number) => new Uint8Array(32).fill(n)
  const rows: Row[] = [
    {
      table: 'circle',
      gid,
      name: 'home',
      device: 'laptop',
      position: 0,
      seed: bytes(1),
      secret: bytes(2),
      serial: 3,
      joinedMs: 1_800_000_000_123
    },
    operation(7),
    operation(3),
    operation(5),
    { table: 'discovery', gid, id: bytes(4), counter: 2 ** 40, key: bytes(5), wrap: bytes(6) },
    { table: 'address', gid, peer: 'co1x', address: 'tcp://192.0.2.1:24747', lastMs: 12 },
    {
      table: 'ticket',
      gid,
      id: 't',
      psk: bytes(7),
      level: 10,
      guestForMs: 5,
      expiresMs: 99,
      usedBy: new Uint8Array(0)
    },
    { table: 'contact', gid, peer: 'co1x', lastMs: 13, serial: 1 },
    { table: 'previous', gid, secret: bytes(3), sinceMs: 14 },
    { table: 'lock', gid, key: bytes(8), proof: bytes(9), sealed: bytes(10), atMs: 15 },
    {
      table: 'share',
      gid,
      counts: 1,
      share: bytes(11).slice(7),
      holders: new Uint8Array(96),
      giver: 'co1x',
      atMs: 16
    },
    { table: 'setting', key: 'a', value: 'b' }
  ]
  const database = await open(path)
  await database.commit(rows.map(put => ({ put })))
  t.same(plain(await database.load()), plain(rows))
  const used: Row = {
    table: 'ticket',
    gid,
    id: 't',
    psk: bytes(7),
    level: 10,
    guestForMs: 5,
    expiresMs: 99,
    usedBy: bytes(8)
  }
  await database.commit([{ put: used }, { put: { ...operation(7), bytes: new Uint8Array(1) } as Row }])
  await database.close()

  const again = await open(path, { create: false })
  const loaded = await again.load()
  t.same(
    plain(loaded),
    plain(rows.map(row => (row.table === 'ticket' ? used : row))),
    'operations never change'
  )
  await again.commit([
    { remove: 'ticket', gid, id: 't' },
    { remove: 'address', gid, peer: 'co1x', address: 'tcp://192.0.2.1:24747' },
    { remove: 'discovery', gid, id: bytes(4) }
  ])
  t.same(
    (await again.load()).map(row => row.table),
    ['circle', 'operation', 'operation', 'operation', 'contact', 'previous', 'lock', 'share', 'setting']
  )
  await again.commit([{ remove: 'circle', gid }])
  t.same(
    (await again.load()).map(row => row.table),
    ['setting']
  )
  await again.close()
  t.same(readdirSync(t.testdirName), ['coterie.db'], 'nothing else stays')
  const raw = readFileSync(path)
  t.notOk(
    raw.includes('CREATE TABLE') || raw.includes('laptop') || raw.includes('setting'),
    'nothing in clear'
  )
  await t.rejects(again.commit([]), { code: 'io' })
})

const plain = (rows: readonly Row[]) =>
  rows.map(row =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
      ])
    )
  )

t.test('commits share transactions, keep their order and are answered each', async t => {
  const database = await open(join(t.testdir(), 'coterie.db'))
  const put = (n: number): Write[] => [{ put: { table: 'setting', key: 'k', value: `${n}` } }]
  const bad = [{ put: { table: 'setting', key: 'k', value: undefined } }] as unknown as Write[]
  const order: number[] = []
  const good = Array.from({ length: 200 }, (_, n) => database.commit(put(n)).then(() => order.push(n)))
  const wrong = database.commit(bad)
  const last = database.commit(put(1000))
  await t.rejects(wrong, /does not fit/)
  await Promise.all([...good, last])
  t.same(
    order,
    Array.from({ length: 200 }, (_, n) => n)
  )
  t.match(await database.load(), [{ key: 'k', value: '1000' }])
  await database.close()
})

t.test('what was acknowledged is there after kill -9', async t => {
  const path = join(t.testdir(), 'coterie.db')
  let acknowledged = -1
  for (let round = 0; round < 16; round++) {
    const writer = spawn(process.execPath, [child, 'write', path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let enough = 1 + ((round * 37) % 31)
    let rest = ''
    writer.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      for (const line of lines) acknowledged = Math.max(acknowledged, Number(line))
      enough -= lines.length
      if (enough <= 0) writer.kill('SIGKILL')
    })
    await once(writer, 'close')
  }
  const database = await open(path, { create: false })
  const kept = new Set((await database.load()).map(row => row.table === 'setting' && row.key))
  await database.close()
  t.ok(acknowledged > 100, `${acknowledged + 1} acknowledged`)
  const lost = Array.from({ length: acknowledged + 1 }, (_, n) => `k${n}`).filter(k => !kept.has(k))
  t.same(lost, [])
})

async function filled(path: string): Promise<Buffer> {
  const database = await open(path)
  for (let n = 0; n < 100; n++) await database.commit([{ put: operation(n) }])
  await database.close()
  return readFileSync(path)
}

t.test('a flipped byte anywhere is damage: said, and nothing overwritten', async t => {
  const path = join(t.testdir(), 'coterie.db')
  const good = await filled(path)
  const places = [0, 7, 18, 60, 1000, 4090, 4096, 9000, Math.floor(good.length / 2), good.length - 3000]
  for (const place of places) {
    const bad = Buffer.from(good)
    bad[place]! ^= 0x10
    writeFileSync(path, bad)
    const error = await refused(path)
    t.equal(error.code, 'damaged', `byte ${place}`)
    t.match(error.message, /is damaged .*; it was left as it is\. Put back a copy/)
    t.ok(readFileSync(path).equals(bad), 'left as it was')
  }
  for (const length of [0, 10, 4096, good.length - 4096]) {
    writeFileSync(path, good.subarray(0, length))
    t.equal((await refused(path)).code, 'damaged', `cut to ${length}`)
    t.equal(readFileSync(path).length, length)
  }
  writeFileSync(path, good)
  const database = await open(path, { create: false })
  t.equal((await database.load()).length, 100)
  await database.close()
})

t.test('a flipped byte in the log of a crashed writer is damage; a torn end is not', async t => {
  const path = join(t.testdir(), 'coterie.db')
  const wal = `${path}-wal`
  // killed in time: after a thousand pages the log would begin anew, and what is flipped could be of before
  const writer = spawnSync(process.execPath, [child, 'write', path, '40'], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.equal(writer.signal, 'SIGKILL')
  const lines = 40
  const good = { db: readFileSync(path), wal: readFileSync(wal) }
  for (const place of [2, 17, 30, 40, 32 + 4120 + 500, 32 + 6 * 4120 + 12, 32 + 7 * 4120 + 4000]) {
    const bad = Buffer.from(good.wal)
    bad[place]! ^= 1
    writeFileSync(wal, bad)
    t.equal((await refused(path)).code, 'damaged', `byte ${place}`)
    t.ok(readFileSync(wal).equals(bad) && readFileSync(path).equals(good.db), 'left as it was')
  }
  writeFileSync(wal, good.wal.subarray(0, good.wal.length - 100))
  const database = await open(path, { create: false })
  t.ok((await database.load()).length >= lines - 2)
  await database.close()
})

t.test('after a crash it opens, though its log tells of few of its pages', async t => {
  const folder = t.testdir({ crashed: {} })
  const path = join(folder, 'coterie.db')
  const first = await open(path)
  await first.commit([{ put: operation(1) }])
  await first.close()
  const second = await open(path)
  await second.commit([{ put: { table: 'setting', key: 'a', value: 'b' } }])
  const crashed = join(folder, 'crashed', 'coterie.db')
  for (const end of ['', '-wal']) copyFileSync(path + end, crashed + end)
  await second.close()
  const database = await open(crashed, { create: false })
  t.equal((await database.load()).length, 2)
  await database.close()
  t.strictSame(readdirSync(join(folder, 'crashed')), ['coterie.db'], 'no copy is left behind')
})

t.test('a database of version 1 is brought up to date, once, with all that is in it', async t => {
  const path = join(t.testdir(), 'coterie.db')
  await old(path)
  for (const _ of [1, 2]) {
    const database = await open(path, { create: false })
    const rows = await database.load()
    t.match(
      rows.map(row => row.table),
      ['circle', 'operation', 'ticket', 'setting']
    )
    t.match(rows[0], { name: 'home', serial: 0, joinedMs: 1 })
    t.match(rows[2], { level: 10, expiresMs: 2, guestForMs: 0 })
    await database.close()
  }
  const database = await open(path, { create: false })
  const fresh: Row[] = [
    { table: 'contact', gid, peer: 'co1x', lastMs: 3, serial: 4 },
    { table: 'previous', gid, secret: new Uint8Array(32), sinceMs: 5 },
    { table: 'card', gid, peer: 'co1x', address: '192.0.2.1', mac: new Uint8Array(6).fill(2), seenMs: 6 }
  ]
  await database.commit(fresh.map(put => ({ put })))
  t.same(plain((await database.load()).slice(3, 6)), plain(fresh))
  await database.commit([{ remove: 'card', gid, peer: 'co1x', address: '192.0.2.1' }])
  t.same(plain((await database.load()).slice(3, 5)), plain(fresh.slice(0, 2)))
  t.equal((await database.load()).length, 6)
  await database.close()
})

/** As the first version of the schema made it. */
async function old(path: string): Promise<void> {
  const sql = await raw(path)
  sql.pragma('journal_mode=WAL')
  sql.exec(`
    CREATE TABLE circle (gid BLOB NOT NULL UNIQUE, name TEXT NOT NULL, device TEXT NOT NULL,
      position INTEGER NOT NULL, seed BLOB NOT NULL, secret BLOB NOT NULL, serial INTEGER NOT NULL,
      joinedMs INTEGER NOT NULL) STRICT;
    CREATE TABLE operation (gid BLOB NOT NULL, id BLOB NOT NULL, bytes BLOB NOT NULL, UNIQUE (gid, id)) STRICT;
    CREATE TABLE discovery (gid BLOB NOT NULL, id BLOB NOT NULL, counter INTEGER NOT NULL, key BLOB NOT NULL,
      wrap BLOB NOT NULL, UNIQUE (gid, id)) STRICT;
    CREATE TABLE address (gid BLOB NOT NULL, peer TEXT NOT NULL, address TEXT NOT NULL,
      lastMs INTEGER NOT NULL, UNIQUE (gid, peer, address)) STRICT;
    CREATE TABLE ticket (gid BLOB NOT NULL, id TEXT NOT NULL, psk BLOB NOT NULL, level INTEGER NOT NULL,
      expiresMs INTEGER NOT NULL, usedBy BLOB NOT NULL, UNIQUE (gid, id)) STRICT;
    CREATE TABLE setting (key TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT;
    INSERT INTO circle VALUES (x'${'09'.repeat(32)}', 'home', 'laptop', 0, x'01', x'02', 0, 1);
    INSERT INTO operation VALUES (x'${'09'.repeat(32)}', x'03', x'04');
    INSERT INTO ticket VALUES (x'${'09'.repeat(32)}', 't', x'05', 10, 2, x'');
    INSERT INTO setting VALUES ('a', 'b');
  `)
  sql.pragma('user_version=1')
  sql.close()
}

t.test('missing, wrong key, newer version, another program', async t => {
  const path = join(t.testdir(), 'coterie.db')
  t.match(await refused(path), { code: 'missing', message: /put it back/ })
  const good = await filled(path)
  const other = await refused(path, { key: new Uint8Array(32).fill(2) })
  t.match(other, { code: 'wrong-key', message: /belongs to another key/ })
  t.ok(readFileSync(path).equals(good), 'left as it was')

  const database = await open(path, { create: false })
  t.match(await refused(path), { code: 'io', message: /another program is using/ })
  await database.close()

  await raise(path)
  const newer = await refused(path)
  t.match(newer, { code: 'newer', message: /made by a newer coterie .*; upgrade/ })

  writeFileSync(`${path}-wal`, good.subarray(0, 100))
  const moved = join(t.testdirName, 'moved.db')
  writeFileSync(`${moved}-wal`, 'x')
  t.match(await refused(moved, { create: true }), { code: 'missing', message: /belongs to it/ })
  t.notOk(existsSync(moved))
})

/** Gives the database the schema version of some later coterie. */
async function raise(path: string): Promise<void> {
  const { Sqlite } = await import('../../src/host/sqlite.ts')
  const { fingerprint } = access(path)
  new Sqlite({ path, key, fingerprint, create: false }).close()
  const sql = await raw(path)
  sql.pragma('user_version=99')
  sql.close()
}

/** The file as the library alone opens it. */
async function raw(path: string) {
  const { default: Sql } = await import('better-sqlite3-multiple-ciphers')
  const { fingerprint } = access(path)
  const sql = new Sql(path)
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  sql.pragma(`cipher='chacha20'`)
  sql.pragma(`key="x'${hex(key)}${hex(fingerprint)}'"`)
  return sql
}

t.test(
  'a directory that cannot be written',
  { skip: process.getuid!() === 0 && 'root may write' },
  async t => {
    const path = join(t.testdir({ d: {} }), 'd', 'coterie.db')
    chmodSync(join(t.testdirName, 'd'), 0o500)
    t.match(await refused(path, { create: true }), { code: 'io', message: /cannot be written/ })
    chmodSync(join(t.testdirName, 'd'), 0o700)
  }
)

const canMount =
  process.getuid!() === 0 && spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0
const needsMount = canMount ? false : 'needs root and a mount namespace'
/** Runs a shell command with a small tmpfs at `directory` that nobody else sees. */
const withTmpfs = (directory: string, size: string, command: string) => {
  mkdirSync(directory, { recursive: true })
  const script = `mount -t tmpfs -o size=${size} tmpfs "$1" && ${command}`
  return spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', directory, process.execPath, child], {
    encoding: 'utf8'
  })
}

t.test(
  'disk full: said, nothing changed, and on it goes when there is room',
  { skip: needsMount },
  async t => {
    const command = `head -c 300000 /dev/zero > "$1/filler" && "$2" "$3" fill "$1"`
    const run = withTmpfs(join(t.testdir(), 'm'), '1m', command)
    t.equal(run.status, 0, run.stderr)
    const seen = JSON.parse(run.stdout) as {
      code: string
      again: number
      after: number
      acknowledged: string[]
      seen: string[]
      kept: string[]
    }
    t.equal(seen.code, 'no-space')
    t.ok(seen.acknowledged.length > 2)
    t.equal(seen.after, 2, 'both commits after room was made')
    t.same(seen.seen.sort(), seen.acknowledged.sort(), 'exactly what was acknowledged')
    t.same(seen.kept.sort(), seen.acknowledged.sort(), 'also after closing and opening')
  }
)

t.test('no room to make a database: said, nothing left behind', { skip: needsMount }, async t => {
  const command = `head -c 60000 /dev/zero > "$1/filler"; "$2" "$3" write "$1/coterie.db" 2>&1; ls "$1"`
  const run = withTmpfs(join(t.testdir(), 'm'), '64k', command)
  t.match(run.stdout, 'the disk is full: no room for')
  t.equal(run.stdout.trim().split('\n').at(-1), 'filler')
})

t.test('a file system mounted read-only', { skip: needsMount }, async t => {
  const command = `"$2" "$3" fill "$1" >"$1/said" 2>&1; mount -o remount,ro "$1" && "$2" "$3" write "$1/coterie.db" 2>&1`
  const run = withTmpfs(join(t.testdir(), 'm'), '1m', command)
  t.match(run.stdout, /cannot be written .*read-only/)
})

t.test('nothing keeps the process alive after close', async t => {
  const script = `
    import { Database } from '${new URL('../../src/host/database.ts', import.meta.url)}'
    const database = await Database.open({ path: process.argv[1], key: new Uint8Array(32), fingerprint: new Uint8Array(16), create: true, log() {} })
    await database.close()`
  const path = join(t.testdir(), 'coterie.db')
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script, path], {
    timeout: PATIENCE_MS
  })
  t.equal(run.status, 0, String(run.stderr))
})

t.test('works from a bundle: worker.js lies beside it', async t => {
  const { build } = await import('esbuild')
  const outdir = t.testdir()
  const root = new URL('../../', import.meta.url).pathname
  await build({
    entryPoints: { worker: `${root}src/daemon/worker.ts`, main: `${root}src/host/database.ts` },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    packages: 'external',
    outdir,
    logLevel: 'silent'
  })
  writeFileSync(join(outdir, 'package.json'), '{"type":"module"}')
  const bundle = (await import(join(outdir, 'main.js'))) as { Database: typeof Database }
  const path = join(outdir, 'coterie.db')
  const database = await bundle.Database.open(access(path))
  await database.commit([{ put: { table: 'setting', key: 'from', value: 'bundle' } }])
  t.match(await database.load(), [{ key: 'from', value: 'bundle' }])
  await database.close()
})
