/**
 * The files in a handler folder, and whether each may be run. A file and every folder between it and the handler
 * folder belong to this user or root, nobody else may write them, and the file is a program: regular, executable, with
 * a `#!` line or of the system's own format. Above the handler folder others may write only where that is of no use to
 * them (a sticky folder such as /tmp). A link to a file counts as a file where it lies, and what it leads to is held to
 * the same; a link to a folder is not followed, but the handler folder itself may be one.
 * What came with the program is trusted as the program is, also where root has no name (see root-unknown.ts).
 */
import type { Stats } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { shipped } from '../paths.ts'
import { programProblem } from './handler-program.ts'
import { privateGroup } from './private-group.ts'
import { rootIsUnknown } from './root-unknown.ts'

const FILES = 16_384
const DEPTH = 10
const BY_ALL = 0o002
const BY_GROUP = 0o020
const STICKY = 0o1000
/** Files that are looked at together. */
const TOGETHER = 32

export interface FoundFile {
  /** Below the folder, parts parted by `/`. */
  readonly path: string
  /** Why it must not be run; '' when it may. */
  readonly problem: string
}

export interface Found {
  readonly files: readonly FoundFile[]
  /** What is not looked into, and why. */
  readonly closed: readonly FoundFile[]
}

/** Changes in the folder at this path are to be told from now on. */
export type Entering = (path: string) => Promise<void>

export const MISSING = 'it is not there'

/** `entering`: called for each folder before it is read. A folder that is not there is empty. Never rejects. */
export async function findHandlers(folder: string, entering: Entering = async () => {}): Promise<Found> {
  const files: FoundFile[] = []
  const closed: FoundFile[] = []
  const walk = async (path: string, depth: number, above: string): Promise<void> => {
    const absolute = join(folder, path)
    await entering(absolute)
    const entries = await readdir(absolute, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') closed.push({ path, problem: `it cannot be read (${error.code})` })
      return []
    })
    const names: string[] = []
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (isIgnored(entry.name)) continue
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (!entry.isDirectory()) names.push(below)
      else if (depth === DEPTH)
        closed.push({ path: below, problem: `it lies more than ${DEPTH} folders deep` })
      else await walk(below, depth + 1, above || (await folderProblem(join(folder, below))))
    }
    const room = FILES - files.length
    if (names.length > room) closed.push({ path, problem: `only the first ${FILES} files are looked at` })
    for (let i = 0; i < Math.min(names.length, room); i += TOGETHER) {
      const some = names.slice(i, Math.min(i + TOGETHER, room))
      const found = some.map(async name => ({
        path: name,
        problem: above || (await ownProblem(join(folder, name)))
      }))
      files.push(...(await Promise.all(found)))
    }
  }
  const wrong = await pathProblem(folder)
  if (wrong !== MISSING) await walk('', 0, wrong)
  return { files: files.filter(({ problem }) => problem !== MISSING), closed }
}

/** Begins with a dot or ends with `~`: hidden, or a copy that an editor keeps. */
const isIgnored = (name: string): boolean => name.startsWith('.') || name.endsWith('~')

/** Why the file at this path below the folder must not be run now; '' when it may. Asked just before it is. */
export async function fileProblem(folder: string, path: string): Promise<string> {
  const above = await pathProblem(folder)
  if (above !== '') return above
  let at = folder
  for (const part of path.split('/').slice(0, -1)) {
    at = join(at, part)
    const wrong = await folderProblem(at)
    if (wrong !== '') return wrong
  }
  return ownProblem(join(folder, path))
}

/** Of the file itself, whatever is above it. */
async function ownProblem(file: string): Promise<string> {
  try {
    const link = await lstat(file)
    if (!link.isSymbolicLink()) return await reasons(file, link)
    if (!isOurs(link, file)) return 'the link belongs to somebody else'
    const target = await realpath(file)
    const wrong = await pathProblem(dirname(target))
    if (wrong !== '') return wrong
    const stats = await lstat(target)
    return stats.isDirectory()
      ? 'it is a link to a folder, which is not followed'
      : await reasons(target, stats)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      return (await lstat(file).catch(() => undefined)) ? 'it is a link that leads nowhere' : MISSING
    return code === 'ELOOP' ? 'it is a link that leads to itself' : `it cannot be looked at (${code})`
  }
}

/** Of a folder and all that it lies in, behind links too. */
async function pathProblem(folder: string): Promise<string> {
  const real = await realpath(folder).catch(() => undefined)
  if (real === undefined) return MISSING
  const wrong = await folderProblem(real)
  if (wrong !== '') return wrong
  for (let above = real; above !== '/'; ) {
    above = dirname(above)
    const stats = await lstat(above).catch(() => undefined)
    if (stats === undefined) return MISSING
    if (openToOthers(stats) && (stats.mode & STICKY) === 0) return writable(above)
  }
  return ''
}

async function folderProblem(path: string): Promise<string> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats === undefined) return MISSING
  if (!stats.isDirectory()) return `${path} is no folder`
  if (!isOurs(stats, path)) return `the folder ${path} belongs to somebody else`
  return openToOthers(stats) ? writable(path) : ''
}
const writable = (path: string): string => `others may write the folder ${path}; \`chmod go-w\` it`

async function reasons(path: string, stats: Stats): Promise<string> {
  if (!stats.isFile()) return `it is ${kindOf(stats)}`
  if (!isOurs(stats, path)) return 'it belongs to somebody else'
  if (openToOthers(stats)) return 'others may write it; `chmod go-w` it'
  if ((stats.mode & 0o6000) !== 0) return 'it is set-user-id or set-group-id'
  return programProblem(path, stats)
}

const kindOf = (stats: Stats): string =>
  stats.isFIFO() ? 'a FIFO' : stats.isSocket() ? 'a socket' : stats.isDirectory() ? 'a folder' : 'a device'

const openToOthers = ({ mode, gid }: Stats): boolean =>
  (mode & BY_ALL) !== 0 || ((mode & BY_GROUP) !== 0 && gid !== privateGroup())
const isOurs = ({ uid }: Stats, path: string): boolean =>
  uid === 0 || uid === process.getuid!() || (rootIsUnknown(uid) && `${path}/`.startsWith(READY_MADE))
/** The folder of the handlers that came with the program; nothing begins with this where there is none. */
const READY_MADE = shipped('handlers') ? `${shipped('handlers')}/` : '\0'
