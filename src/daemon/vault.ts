/**
 * What this device keeps: the master key (a 0600 file) and the database encrypted under a key derived from
 * it. Both are made together with the first circle; one without the other is a fault that is never papered
 * over by making a new one. While the database is being made the key is called `key.new`: a crash in between
 * leaves either both or neither.
 */
import { lstatSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { bytesOf, hkdf, hmac, randomBytes } from '../crypto/provider.ts'
import { Database, type Row, type Write } from '../host/database.ts'
import { createKey, privateDirectory, readKey, syncDirectory } from '../host/files.ts'
import type { Log } from './log.ts'

const KEY_LENGTH = 32
/** Be it a link to nowhere. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

/** Key or database cannot be used. The message says what to do. */
export class VaultError extends Error {
  override name = 'VaultError'
}

export class Vault {
  readonly #keyPath: string
  readonly #newKeyPath: string
  readonly #databasePath: string
  readonly #log: Log
  #database: Database | undefined

  constructor(options: { keyPath: string; databasePath: string; log: Log }) {
    this.#keyPath = options.keyPath
    this.#newKeyPath = `${options.keyPath}.new`
    this.#databasePath = options.databasePath
    this.#log = options.log
  }

  /**
   * All rows, or undefined when this device has never been in a circle. Rejects with VaultError, FileError or
   * DatabaseError.
   */
  async open(): Promise<Row[] | undefined> {
    await this.#settle()
    const key = isThere(this.#keyPath)
    const database = isThere(this.#databasePath)
    if (!key && !database) return undefined
    if (!key)
      throw new VaultError(
        `the key file ${this.#keyPath} is missing, so ${this.#databasePath} cannot be read: put back a copy ` +
          'of the key file, or move the database away to begin anew with this device'
      )
    if (!database)
      throw new VaultError(
        `the database ${this.#databasePath} is missing although its key ${this.#keyPath} is there: put back a ` +
          'copy of the database, or move the key file away to begin anew with this device'
      )
    await this.#start(await readKey(this.#keyPath), false)
    return this.#database!.load()
  }

  /** Makes key and database if there are none yet. */
  async create(): Promise<void> {
    if (this.#database !== undefined) return
    await privateDirectory(dirname(this.#databasePath))
    await this.#settle()
    if (isThere(this.#keyPath)) {
      await this.#start(await readKey(this.#keyPath), true)
      return
    }
    try {
      await createKey(this.#newKeyPath, randomBytes(KEY_LENGTH))
      await this.#start(await readKey(this.#newKeyPath), true)
    } finally {
      await this.#settle()
    }
  }

  /** One transaction, on disk when it resolves. */
  async commit(writes: readonly Write[]): Promise<void> {
    if (this.#database === undefined) throw new Error('no database yet')
    return this.#database.commit(writes)
  }

  /** The database answers; for the watchdog. */
  async responds(): Promise<boolean> {
    await this.#database?.commit([])
    return true
  }

  async close(): Promise<void> {
    await this.#database?.close()
    this.#database = undefined
  }

  /** A new key counts from when its database is there. */
  async #settle(): Promise<void> {
    if (!isThere(this.#newKeyPath)) return
    if (isThere(this.#databasePath) && !isThere(this.#keyPath)) {
      await rename(this.#newKeyPath, this.#keyPath)
      await syncDirectory(dirname(this.#keyPath))
    } else await rm(this.#newKeyPath)
  }

  async #start(master: Uint8Array, create: boolean): Promise<void> {
    const key = hkdf(master, new Uint8Array(0), bytesOf('coterie/1 database'), KEY_LENGTH)
    const fingerprint = hmac(key, bytesOf('coterie/1 database\0')).subarray(0, 16)
    const path = this.#databasePath
    this.#database = await Database.open({ path, key, fingerprint, create, log: this.#log })
  }
}
