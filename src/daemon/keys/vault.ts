/**
 * What this device keeps: the master key, in the place that was chosen for it (key-stores.ts), and the
 * database encrypted under a key derived from it. Both are made together with the first circle; one without
 * the other is a fault that is never papered over by making a new one. While the database is being made the
 * key is a draft: a crash in between leaves either both or neither.
 */
import { lstatSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ApiError } from '../../api/api.ts'
import { bytesOf, hkdf, hmac, randomBytes } from '../../crypto/provider.ts'
import { Database, type Row, type Write } from '../../host/database.ts'
import { privateDirectory, syncDirectory } from '../../host/files.ts'
import { MASTER_KEY } from '../../host/key-store.ts'
import { hex } from '../../wire/bytes.ts'
import type { Log } from '../log.ts'
import type { KeyRecord, KeyStoreName, KeyStores } from './key-stores.ts'

/** Be it a link to nowhere. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

/** Key or database cannot be used. The message says what to do. */
export class VaultError extends Error {
  override name = 'VaultError'
}

export class Vault {
  readonly #stores: KeyStores
  readonly #databasePath: string
  readonly #log: Log
  #database: Database | undefined

  constructor(options: { stores: KeyStores; databasePath: string; log: Log }) {
    this.#stores = options.stores
    this.#databasePath = options.databasePath
    this.#log = options.log
  }

  /** Where the key is; undefined before there is one. Throws FileError. */
  get keyStore(): KeyStoreName | undefined {
    return this.#stores.record?.store
  }

  /**
   * All rows, or undefined when this device has never been in a circle. `start`: a keyring may be started for
   * it. Rejects with KeyAway while the place of the key is locked or missing, else VaultError, FileError or
   * DatabaseError.
   */
  async open({ start = false } = {}): Promise<Row[] | undefined> {
    await this.#settle()
    const record = this.#stores.record
    const database = isThere(this.#databasePath)
    if (record === undefined && !database) return undefined
    const keyPath = this.#stores.file.path
    if (record === undefined) throw this.#noKey()
    const [key, place] =
      record.store === 'file' ? [keyPath, 'key file'] : [`(${record.store})`, this.#stores.recordPath]
    if (!database)
      throw new VaultError(
        `the database ${this.#databasePath} is missing although its key ${key} is there: put back a ` +
          `copy of the database, or move the ${place} away to begin anew with this device`
      )
    await this.#start(await this.#stores.store(record.store).read(record.id, { start }), false)
    return this.#database!.load().catch(async error => {
      await this.close()
      throw error
    })
  }

  /** Called whenever an `open` that rejected KeyAway may end differently. Returns the function that ends it. */
  watch(fn: () => void): () => void {
    const record = this.#stores.record
    return record === undefined ? () => {} : this.#stores.store(record.store).watch(fn)
  }

  /**
   * Makes key and database if there are none yet. `wish`: Init.KeyStore. Rejects with ApiError when the key
   * cannot be where it is wished, else as `open`.
   */
  async create(wish = ''): Promise<void> {
    const known = this.#stores.record
    if (known !== undefined && wish !== '' && wish !== known.store)
      throw new ApiError(
        'InvalidValue',
        `the key of this device is kept already, and its place (${known.store}) is chosen once: leave KeyStore empty`
      )
    if (this.#database !== undefined) return
    await privateDirectory(dirname(this.#databasePath))
    await this.#settle()
    if (known !== undefined) {
      await this.#start(await this.#stores.store(known.store).read(known.id, { start: true }), true)
      return
    }
    if (isThere(this.#databasePath)) throw this.#noKey()
    const made: KeyRecord = { store: await this.#stores.choose(wish), id: hex(randomBytes(16)) }
    await privateDirectory(dirname(this.#stores.recordPath))
    await this.#stores.begin(made)
    try {
      await this.#start(await this.#stores.store(made.store).make(made.id, randomBytes(MASTER_KEY)), true)
    } finally {
      await this.#settle()
    }
    this.#log('info', 'the key of this device is made', { store: made.store })
  }

  /** One transaction, on disk when it resolves. */
  async commit(writes: readonly Write[]): Promise<void> {
    if (this.#database === undefined) throw new Error('no database yet')
    return this.#database.commit(writes)
  }

  /** All rows as they are now. */
  async load(): Promise<Row[]> {
    return (await this.#database?.load()) ?? []
  }

  /** What was deleted or emptied before is in no file any more when it resolves. */
  async scrub(): Promise<void> {
    await this.#database?.scrub()
  }

  /** The database answers; for the watchdog. */
  async responds(): Promise<boolean> {
    await this.#database?.commit([])
    return true
  }

  /**
   * Key and database are gone when it resolves, as if this device had never been in a circle. Where it is cut off,
   * either both are still there or the rest goes at the next `open`.
   */
  async erase(): Promise<void> {
    const record = this.#stores.record
    await this.close()
    if (record !== undefined) await this.#stores.doubt(record)
    for (const suffix of ['', '-wal', '-shm', '.new', '.new-wal', '.check', '.check-wal'])
      await rm(`${this.#databasePath}${suffix}`, { force: true })
    await syncDirectory(dirname(this.#databasePath))
    await this.#settle()
    this.#log('info', 'the key and all that this device kept are erased')
  }

  async close(): Promise<void> {
    await this.#database?.close()
    this.#database = undefined
  }

  /** A new key counts from when its database is there. */
  async #settle(): Promise<void> {
    const { draft } = this.#stores
    if (draft === undefined) return
    if (isThere(this.#databasePath) && !isThere(this.#stores.recordPath)) await this.#stores.keep(draft)
    else await this.#stores.drop(draft)
  }

  #noKey(): VaultError {
    return new VaultError(
      `the key file ${this.#stores.file.path} is missing, so ${this.#databasePath} cannot be read: put back a ` +
        'copy of the key file, or move the database away to begin anew with this device'
    )
  }

  async #start(master: Uint8Array, create: boolean): Promise<void> {
    const key = hkdf(master, new Uint8Array(0), bytesOf('coterie/1 database'), MASTER_KEY)
    const fingerprint = hmac(key, bytesOf('coterie/1 database\0')).subarray(0, 16)
    const path = this.#databasePath
    try {
      this.#database = await Database.open({ path, key, fingerprint, create, log: this.#log })
    } finally {
      master.fill(0)
      key.fill(0)
    }
  }
}
