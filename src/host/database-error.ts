export type DatabaseErrorCode = 'missing' | 'damaged' | 'newer' | 'wrong-key' | 'no-space' | 'io'

/** The database cannot be used. The message says what to do; the file was not changed. */
export class DatabaseError extends Error {
  override name = 'DatabaseError'
  readonly code: DatabaseErrorCode
  constructor(code: DatabaseErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** What an error of SQLite or of the file system means for the database at `path`. */
export function databaseError(error: unknown, path: string): DatabaseError {
  if (error instanceof DatabaseError) return error
  const { code = '', message } = error as { code?: string; message: string }
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT')
    return new DatabaseError('no-space', `the disk is full: no room for ${path}; nothing was changed`)
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return damaged(path, message)
  if (code.startsWith('SQLITE_BUSY'))
    return new DatabaseError('io', `another program is using ${path}; stop it first`)
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return new DatabaseError(
      'io',
      `${path} cannot be written (${message}); check its owner and mode, and that its file system is not read-only`
    )
  return new DatabaseError('io', `${path} cannot be used: ${message}`)
}

export const damaged = (path: string, how: string): DatabaseError =>
  new DatabaseError(
    'damaged',
    `${path} is damaged (${how}); it was left as it is. Put back a copy of it, or move it away and let this device join again`
  )
