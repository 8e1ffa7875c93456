/**
 * Says when something in one of many folders changed. A folder is watched before it is read, so nothing that changes
 * meanwhile is missed; one that another took the place of is watched anew.
 */
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

interface Watched {
  readonly watcher: FSWatcher
  /** Which folder was at that path. */
  readonly identity: string
}

export class FolderWatch {
  readonly #most: number
  readonly #onChange: () => void
  readonly #watched = new Map<string, Watched>()
  #seen = new Set<string>()
  /** Folders that could not be watched in this look. */
  #left = 0

  /** `most`: folders at a time; the kernel has few for each user. */
  constructor(most: number, onChange: () => void) {
    this.#most = most
    this.#onChange = onChange
  }

  /** A look at all folders begins: those that it does not come to are not watched any more when it is over. */
  begin(): void {
    this.#seen = new Set()
    this.#left = 0
  }

  /** Before the folder is read. */
  async enter(path: string): Promise<void> {
    await this.#add(path, path, undefined)
  }

  /**
   * Whether something of that path comes to be or goes: told by the nearest folder above it that is there. `path` is
   * absolute, and looked at afterwards.
   */
  async above(path: string): Promise<void> {
    for (let above = dirname(path), name = basename(path); ; name = basename(above), above = dirname(above)) {
      if (await this.#add(`${above}\0${name}`, above, name)) return
      if (above === '/') return
    }
  }

  /** The look is over. Gives how many folders are not watched, because there are too many. */
  end(): number {
    for (const [key, { watcher }] of this.#watched)
      if (!this.#seen.has(key)) {
        watcher.close()
        this.#watched.delete(key)
      }
    return this.#left
  }

  close(): void {
    this.begin()
    this.end()
  }

  /** `name`: only changes of that entry count. False when there is no such folder. */
  async #add(key: string, path: string, name: string | undefined): Promise<boolean> {
    const stats = await stat(path, { bigint: true }).catch(() => undefined)
    if (stats === undefined) return false
    this.#seen.add(key)
    const identity = `${stats.dev} ${stats.ino}`
    const known = this.#watched.get(key)
    if (known?.identity === identity) return true
    known?.watcher.close()
    this.#watched.delete(key)
    if (this.#watched.size >= this.#most) {
      this.#left++
      return true
    }
    try {
      const watcher = watch(path, { persistent: false }, (_type, entry) => {
        if (name === undefined || entry === null || entry === name) this.#onChange()
      })
      watcher.on('error', () => {})
      this.#watched.set(key, { watcher, identity })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      this.#left++
    }
    return true
  }
}
