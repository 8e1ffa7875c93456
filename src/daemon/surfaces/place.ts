/**
 * The place of the UNIX socket in the file system: a directory of ours that nobody else can enter, and a
 * path where nobody else serves. Whoever can enter the directory may use the daemon; there is no other guard.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { SOCKET_PATH_MAX } from '../../paths.ts'

/** Characters of a command line that are shown. */
const NAME_MAX = 80

/** The socket cannot be where it should. The message says what is in the way and what to do. */
export class SocketPlaceError extends Error {
  override name = 'SocketPlaceError'
}

/** Makes the directory and clears away a socket nobody listens on; throws SocketPlaceError. */
export async function preparePlace(path: string): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    throw new SocketPlaceError(`${path} is longer than the ${SOCKET_PATH_MAX} bytes a UNIX socket may have`)
  }
  prepareDirectory(dirname(path))
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return
  if (!found.isSocket()) {
    throw new SocketPlaceError(`${path} is in the way: it is not a socket; move it elsewhere`)
  }
  if (await answers(path)) {
    throw new SocketPlaceError(
      `${path} is in use by ${listenerOf(path) ?? 'another program'}; stop that first, or set XDG_RUNTIME_DIR for a second daemon`
    )
  }
  unlinkSync(path)
}

function prepareDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') throw new SocketPlaceError(`the directory ${path} cannot be made: ${message}`)
  }
  const found = lstatSync(path)
  if (found.isSymbolicLink()) {
    throw new SocketPlaceError(
      `${path} is a symbolic link; the socket needs a directory of its own: remove it`
    )
  }
  if (!found.isDirectory()) {
    throw new SocketPlaceError(`${path} is in the way: it is not a directory; move it elsewhere`)
  }
  if (found.uid !== process.getuid?.()) {
    throw new SocketPlaceError(
      `${path} belongs to another user (uid ${found.uid}); set XDG_RUNTIME_DIR to a directory of your own`
    )
  }
  if ((found.mode & 0o077) !== 0) {
    throw new SocketPlaceError(
      `${path} can be entered by others (mode ${(found.mode & 0o777).toString(8)}): run chmod 700 ${path}`
    )
  }
}

/** False only when nobody listens any more; a full backlog (EAGAIN) is somebody. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.resume().end().unref() // read what it says: a reset could upset it
      resolve(true)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve(false)
      else if (error.code === 'EAGAIN') resolve(true)
      else reject(new SocketPlaceError(`${path} cannot be looked at: ${error.message}`))
    })
  })
}

/** Pid and command line of the program that listens at `path`, as far as /proc tells this user. */
function listenerOf(path: string): string | undefined {
  const LISTENING = '00010000' // __SO_ACCEPTCON in the flags column of /proc/net/unix
  try {
    const line = readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .map(text => text.trim().split(/ +/))
      .find(columns => columns[3] === LISTENING && columns.slice(7).join(' ') === path)
    const wanted = `socket:[${line?.[6]}]`
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
      if (!holds(pid, wanted)) continue
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
      return `process ${pid} (${words.slice(0, NAME_MAX)})`
    }
  } catch {
    // /proc is not there or closed to us: then the program has no name
  }
  return undefined
}

function holds(pid: string, wanted: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(fd => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === wanted
      } catch {
        return false // closed in between
      }
    })
  } catch {
    return false // another user's process
  }
}
