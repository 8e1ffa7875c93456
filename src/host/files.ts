/** Files that must not be half written, and files that only their owner may read. */
import { constants } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file cannot be used as it is. The message says what to do. */
export class FileError extends Error {
  override name = 'FileError'
  readonly code: 'missing' | 'exists' | 'unsafe' | 'damaged' | 'no-space' | 'io'
  constructor(code: FileError['code'], message: string) {
    super(message)
    this.code = code
  }
}

const KEY = 32
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants

/** Replaces the file as a whole; on disk when it resolves. The old content stays where anything fails. */
export async function atomicWrite(path: string, content: Uint8Array | string, mode = 0o600): Promise<void> {
  const draft = await draftOf(path, content, mode)
  try {
    await rename(draft, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    await rm(draft, { force: true })
    throw fileError(error, path)
  }
}

/**
 * Writes a key of 32 bytes to a new file, 0600 in a directory of our own, 0700 (made if it is not there).
 * Never replaces anything: FileError `exists`.
 */
export async function createKey(path: string, key: Uint8Array): Promise<void> {
  if (key.length !== KEY) throw new RangeError(`a key has ${KEY} bytes, not ${key.length}`)
  await privateDirectory(dirname(path))
  const draft = await draftOf(path, key, 0o600)
  try {
    await link(draft, path)
  } catch (error) {
    throw fileError(error, path)
  } finally {
    await rm(draft, { force: true })
  }
  await syncDirectory(dirname(path))
}

/** The 32 bytes of a key file; refuses one that others could have read or written. */
export async function readKey(path: string): Promise<Uint8Array> {
  await checkPrivate(dirname(path), await lstatOf(dirname(path)), 'directory')
  let file: FileHandle
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW)
  } catch (error) {
    throw fileError(error, path)
  }
  try {
    const facts = await file.stat()
    await checkPrivate(path, facts, 'file')
    const key = new Uint8Array(await file.readFile())
    if (key.length === KEY) return key
    throw new FileError(
      'damaged',
      `${path} holds ${key.length} bytes, not the ${KEY} of a key; put back a copy of it`
    )
  } finally {
    await file.close()
  }
}

/** Makes sure of a directory, ours, 0700; makes it and its parents where they are not there. */
export async function privateDirectory(path: string): Promise<void> {
  try {
    const first = await mkdir(path, { recursive: true, mode: 0o700 })
    if (first !== undefined) await syncDirectory(dirname(first))
  } catch (error) {
    throw fileError(error, path)
  }
  await checkPrivate(path, await lstatOf(path), 'directory')
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

let drafts = 0

/** A new file beside `path`, on disk. */
async function draftOf(path: string, content: Uint8Array | string, mode: number): Promise<string> {
  const draft = `${path}.${process.pid}-${drafts++}.new`
  try {
    await rm(draft, { force: true })
    const file = await open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    return draft
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined)
    throw fileError(error, path)
  }
}

type Facts = Awaited<ReturnType<typeof lstat>>

async function lstatOf(path: string): Promise<Facts> {
  try {
    return await lstat(path)
  } catch (error) {
    throw fileError(error, path)
  }
}

async function checkPrivate(path: string, facts: Facts, kind: 'file' | 'directory'): Promise<void> {
  const isKind = kind === 'file' ? facts.isFile() : facts.isDirectory()
  const wanted = kind === 'file' ? '600' : '700'
  const mode = (Number(facts.mode) & 0o777).toString(8)
  if (!isKind) throw new FileError('unsafe', `${path} is not a plain ${kind}; move it away`)
  if (Number(facts.uid) !== process.getuid!())
    throw new FileError(
      'unsafe',
      `${path} belongs to another user (uid ${facts.uid}); chown it or move it away`
    )
  if (Number(facts.mode) & 0o077)
    throw new FileError(
      'unsafe',
      `${path} can be reached by other users (mode ${mode}); if nobody read it, chmod ${wanted} ${path}`
    )
}

function fileError(error: unknown, path: string): FileError {
  if (error instanceof FileError) return error
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'ENOENT':
      return new FileError('missing', `${path} is not there`)
    case 'EEXIST':
      return new FileError('exists', `${path} is there already; it was left as it is`)
    case 'ELOOP':
      return new FileError('unsafe', `${path} is a symbolic link; move it away`)
    case 'ENOSPC':
    case 'EDQUOT':
      return new FileError('no-space', `the disk is full: no room for ${path}; nothing was changed`)
    default:
      return new FileError('io', `${path} cannot be used: ${message}`)
  }
}
