/**
 * Whether a file can be executed as it is. What has neither a `#!` line nor the system's own format would be given
 * to a shell by some ways of starting it and refused by others; here it is refused.
 */
import { constants, type Stats } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { isAbsolute } from 'node:path'

/** As much of the first line as the kernel reads. */
const HEAD = 256
const ELF = '\x7fELF'
const NOT_EXECUTABLE = 'it is not executable; `chmod u+x` it'

/** Why not, a sentence; '' when it can. `stats` of the file, which is a regular one. */
export async function programProblem(path: string, stats: Stats): Promise<string> {
  if ((stats.mode & 0o111) === 0 || !(await may(path, constants.X_OK))) return NOT_EXECUTABLE
  const head = await headOf(path)
  // a program that may be run but not read is no script
  if (head === undefined || head.startsWith(ELF)) return ''
  if (!head.startsWith('#!')) return 'it is no program: a script begins with a line such as #!/bin/sh'
  const [interpreter = ''] = head
    .slice(2)
    .split('\n', 1)[0]!
    .replace(/^[ \t]+/, '')
    .split(/[ \t]/)
  if (interpreter.endsWith('\r')) return 'its first line ends with CR LF; write it with LF'
  if (!isAbsolute(interpreter)) return 'its #! line names no absolute path of a program'
  return (await may(interpreter, constants.X_OK))
    ? ''
    : `its #! line names ${interpreter}, which is not there`
}

const may = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false
  )

/** Undefined when it cannot be read. Another kind of file that took its place is not waited for. */
async function headOf(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(
    () => undefined
  )
  try {
    const { buffer, bytesRead } = (await file?.read(Buffer.alloc(HEAD), 0, HEAD, 0)) ?? {}
    return buffer?.toString('latin1', 0, bytesRead)
  } catch {
    return undefined
  } finally {
    await file?.close()
  }
}
