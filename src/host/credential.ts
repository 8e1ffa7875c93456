/**
 * The master key as a credential that systemd gives the unit (systemd.exec(5), "Credentials"): the file
 * `coterie.key` of 32 bytes in $CREDENTIALS_DIRECTORY, there while the unit runs and never written by it.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KeyAway, type KeyStore, MASTER_KEY } from './key-store.ts'

export const CREDENTIAL = 'coterie.key'

export class Credential implements KeyStore {
  readonly #directory: string | undefined

  constructor(environment: { readonly [name: string]: string | undefined } = process.env) {
    this.#directory = environment['CREDENTIALS_DIRECTORY'] || undefined
  }

  /** systemd has given one, right or wrong. */
  async given(): Promise<boolean> {
    return this.#bytes().then(
      bytes => bytes !== undefined,
      () => true
    )
  }

  async read(): Promise<Uint8Array> {
    const bytes = await this.#bytes()
    if (bytes === undefined)
      throw new KeyAway(
        `the key of this device is the systemd credential ${CREDENTIAL}, which this daemon was not given: ` +
          `start it by its unit, with LoadCredential=${CREDENTIAL}:… or LoadCredentialEncrypted= in it`
      )
    if (bytes.length !== MASTER_KEY)
      throw new KeyAway(
        `the systemd credential ${CREDENTIAL} has ${bytes.length} bytes, not the ${MASTER_KEY} of a key: ` +
          'put back the one this device began with, and restart the unit'
      )
    return bytes
  }

  make(): Promise<Uint8Array> {
    return this.read()
  }

  async keep(): Promise<void> {}
  async doubt(): Promise<void> {}

  async drop(): Promise<void> {}

  /** systemd gives credentials at the start of a unit, and never later. */
  watch(): () => void {
    return () => {}
  }

  async #bytes(): Promise<Uint8Array | undefined> {
    if (this.#directory === undefined) return undefined
    try {
      return new Uint8Array(await readFile(join(this.#directory, CREDENTIAL)))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return undefined
      throw new KeyAway(`the systemd credential ${CREDENTIAL} cannot be read: ${message}`)
    }
  }
}
