/**
 * What one run of a handler reads and writes, as files: a daemon that is killed takes nothing with it, and the next
 * one finds what was written.
 *
 * stdout must not fill the disk, and a limit on the size of files (RLIMIT_FSIZE) is the only one that holds without
 * anybody watching. But it goes for all files that the handler writes. So it is set far beyond any real file, and
 * stdout begins as a hole that ends just below it: what is appended is capped, what is written elsewhere is not.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { OUTPUT } from './handler-run.ts'

/** No file of a handler may be longer: 1 TiB. A multiple of 512. */
export const FILE_LIMIT = 2 ** 40
/** What fits in. Of stdout one block more than is kept: one that is full was too long. */
const ROOM = { stdout: OUTPUT + 512, stderr: 1024 * 1024 } as const
type Capped = keyof typeof ROOM
/** Of stderr, for people. */
const COMPLAINT = 4_096

export class RunFolder {
  readonly path: string

  constructor(runs: string, name: string) {
    this.path = join(runs, name)
  }

  /** Its place, before it is on disk that it is started: where there is none, what became of it is not known. */
  reserve(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
  }

  /** Throws when it was begun already, or the disk takes nothing. */
  make(body: Uint8Array): void {
    this.reserve()
    if (existsSync(this.file('process'))) throw new Error('it was begun already')
    if (body.length > 0) writeFileSync(this.file('stdin'), body, { mode: 0o600 })
  }

  /** Who makes this file begins the run; nobody else does. False: somebody did. Throws when there is no place. */
  claim(by: string): boolean {
    try {
      writeFileSync(this.file('process'), by, { mode: 0o600, flag: 'wx' })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  }

  file(name: 'stdin' | 'stdout' | 'stderr' | 'process' | 'exit'): string {
    return join(this.path, name)
  }

  /** A file that takes so much and no more, appended to. */
  capped(name: Capped): string {
    const fd = openSync(this.file(name), 'wx', 0o600)
    try {
      ftruncateSync(fd, FILE_LIMIT - ROOM[name])
    } catch {
      // a file system without holes, or without files that long: not capped, but read only so far
    } finally {
      closeSync(fd)
    }
    return this.file(name)
  }

  /** Of stdout the beginning. */
  get output(): { readonly bytes: Uint8Array; readonly tooMuch: boolean } {
    const bytes = this.#read('stdout', OUTPUT + 1, start => start)
    return { bytes: bytes.slice(0, OUTPUT), tooMuch: bytes.length > OUTPUT }
  }

  /** Of stderr the end. */
  get complaint(): string {
    const bytes = this.#read('stderr', COMPLAINT, (start, size) => Math.max(start, size - COMPLAINT))
    return Buffer.from(bytes).toString().trim()
  }

  #read(name: Capped, length: number, from: (start: number, size: number) => number): Uint8Array {
    try {
      const fd = openSync(this.file(name), 'r')
      try {
        const { size } = fstatSync(fd)
        const hole = FILE_LIMIT - ROOM[name]
        const bytes = new Uint8Array(length)
        // where a handler emptied it (`> /dev/stdout`) there is no hole
        return bytes.slice(0, readSync(fd, bytes, 0, length, from(size < hole ? 0 : hole, size)))
      } finally {
        closeSync(fd)
      }
    } catch {
      return new Uint8Array()
    }
  }

  /** '' when there is none. */
  text(name: 'process' | 'exit'): string {
    try {
      return readFileSync(this.file(name), 'latin1')
    } catch {
      return ''
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The runs that have a folder there. */
export function runNames(runs: string): string[] {
  try {
    return readdirSync(runs)
  } catch {
    return []
  }
}
