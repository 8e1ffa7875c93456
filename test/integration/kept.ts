/** What a computer of the tests keeps on its disk, read without its daemon. */
import { readFileSync } from 'node:fs'
import Sql from 'better-sqlite3-multiple-ciphers'
import { bytesOf, hkdf, hmac } from '../../src/crypto/provider.ts'
import { hex } from '../../src/wire/bytes.ts'
import type { Computer } from './daemon.ts'

/** Of the database, from the master key. */
export const databaseKey = (master: Uint8Array): Uint8Array =>
  hkdf(master, new Uint8Array(0), bytesOf('coterie/1 database'), 32)

/** The database of a computer whose daemon is gone. */
export function openDatabase(pc: Computer, master: Uint8Array = readFileSync(pc.key)): Sql.Database {
  const key = databaseKey(master)
  const fingerprint = hmac(key, bytesOf('coterie/1 database\0')).subarray(0, 16)
  const sql = new Sql(pc.database)
  sql.pragma(`cipher='chacha20'`)
  sql.pragma(`key="x'${hex(key)}${hex(fingerprint)}'"`)
  return sql
}

/** All rows of a table of it. */
export function rows(pc: Computer, table: string, master?: Uint8Array): { [column: string]: unknown }[] {
  const sql = openDatabase(pc, master)
  try {
    return sql.prepare(`SELECT * FROM ${table}`).all() as { [column: string]: unknown }[]
  } finally {
    sql.close()
  }
}
