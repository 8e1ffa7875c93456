/**
 * The files in a handler folder, and whether each may be run: it and every folder on its way belong to this user or
 * root, nobody else may write them, and it is a regular file that this user may execute. A link to a file counts as a
 * file where it lies, and what it leads to is held to the same; a link to a folder is not followed.
 */
import { constants, type Stats } from 'node:fs'
import { access, lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const FILES = 4_096
const DEPTH = 10
const WRITABLE = 0o022

export interface FoundFile {
  /** Below the folder, parts parted by `/`. */
  readonly path: string
  /** Why it must not be run; '' when it may. */
  readonly problem: string
}

export interface Found {
  readonly files: readonly FoundFile[]
  /** The folder and all below it, absolute. */
  readonly folders: readonly string[]
}

/** A folder that is not there is empty. */
export async function findHandlers(folder: string): Promise<Found> {
  const files: FoundFile[] = []
  const folders: string[] = []
  const walk = async (path: string, depth: number, above: string): Promise<void> => {
    const absolute = path === '' ? folder : join(folder, path)
    const entries = await readdir(absolute, { withFileTypes: true }).catch(() => [])
    folders.push(absolute)
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) {
        const wrong = above || (await folderProblem(join(folder, below)))
        if (depth < DEPTH) await walk(below, depth + 1, wrong)
      } else if (files.length < FILES)
        files.push({ path: below, problem: above || (await fileProblem(join(folder, below))) })
    }
  }
  const wrong = await folderProblem(folder)
  if (wrong !== MISSING) await walk('', 0, wrong)
  return { files, folders }
}

const MISSING = 'it is not there'

/** Why this file must not be run now; '' when it may. Looked at again just before it is. */
export async function fileProblem(path: string): Promise<string> {
  try {
    const link = await lstat(path)
    if (!link.isSymbolicLink()) return await reasons(path, link)
    if (!isOurs(link)) return 'the link belongs to somebody else'
    const target = await realpath(path)
    for (let folder = dirname(target); ; folder = dirname(folder)) {
      const wrong = await folderProblem(folder)
      if (wrong !== '') return wrong
      if (folder === '/') break
    }
    return await reasons(target, await lstat(target))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? MISSING
      : `it cannot be looked at: ${(error as Error).message}`
  }
}

async function folderProblem(path: string): Promise<string> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats === undefined) return MISSING
  if (!stats.isDirectory()) return `${path} is no folder`
  if (!isOurs(stats)) return `the folder ${path} belongs to somebody else`
  // as in /tmp: who may write there may not replace what belongs to others
  const sticky = (stats.mode & constants.S_IFMT) !== 0 && (stats.mode & 0o1000) !== 0
  return (stats.mode & WRITABLE) !== 0 && !sticky
    ? `others may write the folder ${path}; \`chmod go-w\` it`
    : ''
}

async function reasons(path: string, stats: Stats): Promise<string> {
  if (!stats.isFile()) return 'it is no regular file'
  if (!isOurs(stats)) return 'it belongs to somebody else'
  if ((stats.mode & WRITABLE) !== 0) return 'others may write it; `chmod go-w` it'
  if ((stats.mode & 0o6000) !== 0) return 'it is set-user-id or set-group-id'
  return access(path, constants.X_OK).then(
    () => ((stats.mode & 0o111) === 0 ? NOT_EXECUTABLE : ''),
    () => NOT_EXECUTABLE
  )
}
const NOT_EXECUTABLE = 'it is not executable; `chmod u+x` it'

const isOurs = ({ uid }: Stats): boolean => uid === 0 || uid === process.getuid!()
