/**
 * The database file, used synchronously: by the worker thread only. SQLite with ChaCha20-Poly1305 on every
 * page, write-ahead log, synchronous=FULL: a transaction that returned is on disk.
 *
 * The first 16 bytes of the file, which the cipher leaves in clear, are a fingerprint of the key: so a wrong
 * key and a damaged file can be told apart. The file is used by one process at a time (locking_mode).
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { dirname } from 'node:path'
import Sql from 'better-sqlite3-multiple-ciphers'
import { DatabaseError, damaged, databaseError } from './database-error.ts'
import {
  columns,
  keys,
  migrations,
  type Row,
  SCHEMA_VERSION,
  schema,
  secrets,
  tables,
  type Write
} from './rows.ts'

const PAGE = 4096
const WAL_HEADER = 32
const WAL_FRAME = 24 + PAGE

export interface OpenOptions {
  readonly path: string
  /** 32 bytes. */
  readonly key: Uint8Array
  /** Make it when it is not there. */
  readonly create: boolean
  /** 16 bytes that depend on the key and do not tell it. */
  readonly fingerprint: Uint8Array
}

export class Sqlite {
  readonly #path: string
  readonly #sql: Sql.Database
  readonly #prepared = new Map<string, Sql.Statement<unknown[]>>()

  /** Throws DatabaseError. */
  constructor(access: OpenOptions) {
    const { path, create } = access
    this.#path = path
    try {
      if (!existsSync(path)) {
        if (!create)
          throw new DatabaseError(
            'missing',
            `${path} is not there, but this device is in a circle; put it back, or remove the keys beside it and join again`
          )
        build(access)
      }
      checkFingerprint(access)
      checkWal(access)
      this.#sql = connect(path, access)
    } catch (error) {
      throw databaseError(error, path)
    }
    try {
      const version = this.#sql.pragma('user_version', { simple: true }) as number
      if (version > SCHEMA_VERSION)
        throw new DatabaseError(
          'newer',
          `${path} was made by a newer coterie (schema ${version}, this one knows ${SCHEMA_VERSION}); upgrade this one`
        )
      if (version < 1) throw damaged(path, 'it has no schema')
      const [fault] = this.#sql.pragma('quick_check(1)') as { quick_check: string }[]
      if (fault?.quick_check !== 'ok')
        throw damaged(path, fault?.quick_check.split('\n').at(-1) ?? 'no answer')
      for (let from = version; from < SCHEMA_VERSION; from++) this.#migrate(from)
    } catch (error) {
      this.close()
      throw databaseError(error, path)
    }
  }

  /** All rows; operations in the order in which they were put. */
  load(): Row[] {
    try {
      return tables.flatMap(table => {
        const rows = this.#statement(`SELECT ${columns[table].join(', ')} FROM ${table} ORDER BY rowid`).all()
        return rows.map(row => ({ table, ...(row as object) }) as Row)
      })
    } catch (error) {
      throw databaseError(error, this.#path)
    }
  }

  /**
   * One transaction for all batches, on disk when it returns. A batch that is wrong in itself is left out and
   * its error returned in its place; when the disk fails nothing at all is changed, and DatabaseError thrown.
   */
  commit(batches: readonly (readonly Write[])[]): (Error | undefined)[] {
    const all = this.#sql.transaction(() =>
      batches.map(writes => {
        try {
          this.#sql.transaction(() => {
            for (const write of writes) this.#apply(write)
          })()
          return undefined
        } catch (error) {
          const { code = '' } = error as { code?: string }
          // What the rows themselves are to blame for; all else concerns the disk, and so everybody.
          if (/^SQLITE_(CONSTRAINT|MISMATCH|RANGE|TOOBIG|ERROR)/.test(code) || !code.startsWith('SQLITE_'))
            return error as Error
          throw error
        }
      })
    )
    try {
      return all.immediate()
    } catch (error) {
      throw databaseError(error, this.#path)
    }
  }

  /** What was deleted or emptied is in no file any more. Throws DatabaseError. */
  scrub(): void {
    try {
      const [result] = this.#sql.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
      if (result?.busy !== 0) throw new Error('its log is in use')
    } catch (error) {
      throw databaseError(error, this.#path)
    }
  }

  close(): void {
    this.#sql.close()
  }

  #migrate(from: number): void {
    this.#sql.transaction(() => {
      this.#sql.exec(migrations[from - 1]!)
      this.#sql.pragma(`user_version=${from + 1}`)
    })()
  }

  #apply(write: Write): void {
    if ('put' in write) this.#put(write.put)
    else if (write.remove === 'circle') {
      for (const table of tables)
        if (table !== 'setting') this.#statement(`DELETE FROM ${table} WHERE gid = ?`).run(write.gid)
    } else if (write.remove === 'secrets') {
      for (const [table, { of }] of Object.entries(secrets))
        for (const column of of)
          this.#statement(`UPDATE ${table} SET ${column} = x'' WHERE gid = ?`).run(write.gid)
    } else {
      const where = keys[write.remove]
      const values = where.map(column => (write as unknown as { [column: string]: unknown })[column])
      const conditions = where.map(column => `${column} = ?`).join(' AND ')
      this.#statement(`DELETE FROM ${write.remove} WHERE ${conditions}`).run(...values)
    }
  }

  #put(row: Row): void {
    const names: readonly string[] = columns[row.table]
    const verb = row.table === 'operation' ? 'INSERT OR IGNORE' : 'INSERT OR REPLACE'
    const marks = names.map(() => '?').join(', ')
    const values = names.map(column => (row as unknown as { [column: string]: unknown })[column])
    // numbers that were given are not given again, in whichever order they are written
    const kept = row.table === 'counter' ? ' ON CONFLICT DO UPDATE SET next = max(next, excluded.next)' : ''
    const text = `${kept ? 'INSERT' : verb} INTO ${row.table} (${names.join(', ')}) VALUES (${marks})${kept}`
    this.#statement(text).run(...values)
  }

  #statement(text: string): Sql.Statement<unknown[]> {
    let statement = this.#prepared.get(text)
    if (statement === undefined) this.#prepared.set(text, (statement = this.#sql.prepare(text)))
    return statement
  }
}

function connect(path: string, { key, fingerprint }: OpenOptions): Sql.Database {
  // one that vanished since it was looked for is not made anew, empty
  const sql = new Sql(path, { timeout: 0, fileMustExist: true })
  try {
    sql.pragma(`cipher='chacha20'`)
    sql.pragma(`key="x'${hex(key)}${hex(fingerprint)}'"`)
    sql.pragma('locking_mode=EXCLUSIVE')
    sql.pragma('journal_mode=WAL')
    sql.pragma('synchronous=FULL')
    sql.pragma('temp_store=MEMORY')
    // what is deleted is overwritten in its page
    sql.pragma('secure_delete=ON')
    sql.pragma('cache_size=-1024')
    return sql
  } catch (error) {
    sql.close()
    throw error
  }
}

/** Made whole under another name, then renamed: a crash leaves either no database or a good one. */
function build(access: OpenOptions): void {
  const { path } = access
  if (existsSync(`${path}-wal`))
    throw new DatabaseError(
      'missing',
      `${path} is not there, but ${path}-wal, which belongs to it, is; put the database back, or move that file away`
    )
  const draft = `${path}.new`
  for (const file of [draft, `${draft}-wal`]) rmSync(file, { force: true })
  try {
    writeFileSync(draft, '', { mode: 0o600, flag: 'wx' })
    const sql = connect(draft, access)
    try {
      sql.transaction(() => {
        sql.exec(schema)
        sql.pragma(`user_version=${SCHEMA_VERSION}`)
      })()
    } finally {
      sql.close()
    }
    renameSync(draft, path)
  } catch (error) {
    for (const file of [draft, `${draft}-wal`]) rmSync(file, { force: true })
    throw error
  }
  const directory = openSync(dirname(path), 'r')
  fsyncSync(directory)
  closeSync(directory)
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function head(path: string, length: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, readSync(file, bytes, 0, length, 0))
  } finally {
    closeSync(file)
  }
}

function checkFingerprint({ path, fingerprint }: OpenOptions): void {
  const { length } = fingerprint
  const found = head(path, length)
  const equal = fingerprint.filter((byte, i) => found[i] === byte).length
  if (equal === length) return
  if (found.length < length || equal >= length / 2) throw damaged(path, 'its first bytes are wrong')
  throw new DatabaseError(
    'wrong-key',
    `${path} belongs to another key than the one found; put back the key it was made with, or move the database away`
  )
}

/**
 * SQLite ends a write-ahead log at the first frame that does not fit, as after a power cut. But each
 * transaction was on disk before the next one began: where whole transactions follow the misfit, it is
 * damage, and going on would silently lose what was acknowledged. Looked at in a copy; only after a crash
 * is there a log at all. Where there is no room for the copy it has to be left out.
 */
function checkWal(access: OpenOptions): void {
  const { path } = access
  if (!existsSync(`${path}-wal`)) return
  const copy = `${path}.check`
  try {
    copyFileSync(`${path}-wal`, `${copy}-wal`)
    const wal = readFileSync(`${copy}-wal`)
    if (wal.length < WAL_HEADER + WAL_FRAME) return
    if (!headerFits(wal)) throw damaged(`${path}-wal`, 'its header is wrong')
    const commits = commitFrames(wal)
    // all of it: the schema, which SQLite reads first, may be in any page
    copyFileSync(path, copy, constants.COPYFILE_FICLONE)
    chmodSync(copy, 0o600)
    const sql = connect(copy, access)
    let valid: number
    try {
      valid = (sql.pragma('wal_checkpoint(NOOP)') as { log: number }[])[0]!.log
    } finally {
      sql.close()
    }
    const lost = commits.filter(frame => frame > valid)
    if (lost.length > 1) throw damaged(`${path}-wal`, `frame ${valid + 1} of ${commits.at(-1)} is wrong`)
  } catch (error) {
    if (databaseError(error, path).code !== 'no-space') throw error
  } finally {
    for (const file of [copy, `${copy}-wal`]) rmSync(file, { force: true })
  }
}

/** The checksum of the log's header (sqlite.org/fileformat2.html, 4.2). */
function headerFits(wal: Buffer): boolean {
  const word = (at: number) => (wal[3]! & 1 ? wal.readUInt32BE(at) : wal.readUInt32LE(at))
  let a = 0
  let b = 0
  for (let at = 0; at < 24; at += 8) {
    a = (a + word(at) + b) >>> 0
    b = (b + word(at + 4) + a) >>> 0
  }
  return wal.readUInt32BE(24) === a && wal.readUInt32BE(28) === b
}

/** Numbers (from 1) of the frames that end a transaction, by the marks of this generation of the log. */
function commitFrames(wal: Buffer): number[] {
  const commits: number[] = []
  const salts = wal.subarray(16, 24)
  for (let at = WAL_HEADER, n = 1; at + WAL_FRAME <= wal.length; at += WAL_FRAME, n++) {
    if (!wal.subarray(at + 8, at + 16).equals(salts)) continue
    if (wal.readUInt32BE(at + 4) > 0) commits.push(n)
  }
  return commits
}
