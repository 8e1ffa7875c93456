/** The master key in a file, 0600 in a directory of ours. */
import { lstatSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createKey, readKey, syncDirectory } from './files.ts'
import type { KeyStore } from './key-store.ts'

export class KeyFile implements KeyStore {
  readonly path: string
  readonly #draft: string

  constructor(path: string) {
    this.path = path
    this.#draft = `${path}.new`
  }

  /** Be it a link to nowhere. */
  get there(): boolean {
    return isThere(this.path)
  }

  read(): Promise<Uint8Array> {
    return readKey(this.path)
  }

  async make(_id: string, key: Uint8Array): Promise<Uint8Array> {
    await this.drop()
    await createKey(this.#draft, key)
    return readKey(this.#draft)
  }

  async keep(): Promise<void> {
    if (!isThere(this.#draft) || this.there) return
    await rename(this.#draft, this.path)
    await syncDirectory(dirname(this.path))
  }

  async doubt(): Promise<void> {
    if (!this.there) return
    await rename(this.path, this.#draft)
    await syncDirectory(dirname(this.path))
  }

  async drop(): Promise<void> {
    await rm(this.#draft, { force: true })
  }

  watch(): () => void {
    return () => {}
  }
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined
