/**
 * One daemon for each data directory. The lock is the kernel's (flock), held by the open file: it is gone
 * with the process, however that ends, and no pid has to be judged. Node has no call for it, so flock(1) of
 * util-linux takes it for us, on the descriptor it inherits: the lock belongs to the open file, which stays
 * ours. See docs/decisions/0002-instance-lock.md.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** Somebody else runs on this data directory, or locking is not possible. The message says what to do. */
export class LockError extends Error {
  override name = 'LockError'
  /** Of the holder; 0 when it could not be read, or nobody holds it. */
  readonly pid: number
  constructor(message: string, pid = 0) {
    super(message)
    this.pid = pid
  }
}

export class InstanceLock {
  readonly #file: FileHandle
  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** The file is made if it is not there, and never removed: its inode is the lock. */
  static async take(path: string): Promise<InstanceLock> {
    const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants
    const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600).catch((error: Error) => {
      throw new LockError(`${path} cannot be opened: ${error.message}`)
    })
    try {
      const status = await flock(file.fd, path)
      if (status === TAKEN) {
        const pid = Number.parseInt(await file.readFile('utf8'), 10) || 0
        throw new LockError(
          `another coteried${pid ? ` (pid ${pid})` : ''} runs on this data directory (${path}); stop it, or set other XDG directories`,
          pid
        )
      }
      if (status !== 0) throw new LockError(`${path} cannot be locked: flock ended with status ${status}`)
      await file.truncate()
      await file.write(`${process.pid}\n`, 0)
      return new InstanceLock(file)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async release(): Promise<void> {
    await this.#file.truncate()
    await this.#file.close()
  }
}

/** Exit status we ask flock(1) to use when somebody else has it. */
const TAKEN = 75

function flock(fd: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const args = ['--exclusive', '--nonblock', '--conflict-exit-code', `${TAKEN}`, '3']
    const child = spawn('flock', args, { stdio: ['ignore', 'ignore', 'ignore', fd] })
    child.on('error', error =>
      reject(new LockError(`${path} cannot be locked: ${error.message}; install util-linux`))
    )
    child.on('exit', (status, signal) =>
      signal ? reject(new LockError(`${path} cannot be locked: flock ended by ${signal}`)) : resolve(status!)
    )
  })
}
