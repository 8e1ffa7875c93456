/**
 * Where this device's master key is kept: chosen once, recorded in `$XDG_STATE_HOME/coterie/key-store`,
 *
 *   {"Store":"secret-service","Id":"32 hex digits"}\n
 *
 * Store as in KEY_STORES; Id: what the key is called there, no secret. Without a record a key file is it, as
 * it was before there was a choice. See docs/decisions/0050-key-stores.md.
 */
import { existsSync, readFileSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ApiError } from '../../api/api.ts'
import { SECRET_SESSION, SECRET_SESSION_SEED, secretSession } from '../../crypto/secret-session.ts'
import type { Bus } from '../../host/bus.ts'
import { Credential } from '../../host/credential.ts'
import { atomicWrite, FileError, syncDirectory } from '../../host/files.ts'
import { KeyFile } from '../../host/key-file.ts'
import type { KeyStore } from '../../host/key-store.ts'
import { lingers } from '../../host/linger.ts'
import { type KeyringState, SecretService } from '../../host/secret-service.ts'

export const KEY_STORES = ['credential', 'secret-service', 'file'] as const
export type KeyStoreName = (typeof KEY_STORES)[number]

/** What is recorded. */
export interface KeyRecord {
  readonly store: KeyStoreName
  readonly id: string
}

/** What the choice depends on. */
export interface KeyPlaces {
  readonly credential: boolean
  /** The user's services run while nobody is logged in, so no keyring would be open for them. */
  readonly lingers: boolean
  readonly keyring: KeyringState
}

/** `wish` as in Init.KeyStore; '' leaves it to us. Throws ApiError for one that cannot be met. */
export function chooseStore(wish: string, { credential, lingers, keyring }: KeyPlaces): KeyStoreName {
  if (wish === '')
    return credential ? 'credential' : lingers || keyring !== 'open' ? 'file' : 'secret-service'
  if (!isStore(wish))
    throw new ApiError(
      'InvalidValue',
      `KeyStore: one of ${KEY_STORES.join(', ')}, not ${JSON.stringify(wish.slice(0, 40))}`
    )
  if (wish === 'credential' && !credential)
    throw new ApiError(
      'InvalidValue',
      'systemd gives this daemon no credential coterie.key: put LoadCredential=coterie.key:FILE into its unit ' +
        '(LoadCredentialEncrypted= from systemd 258 on), restart it, and try again'
    )
  if (wish === 'secret-service' && keyring !== 'open')
    throw new ApiError(keyring === 'locked' ? 'Locked' : 'InvalidValue', noKeyring[keyring])
  return wish
}

const noKeyring = {
  absent:
    'no keyring (Secret Service) runs on the session bus: start one, or choose another place for the key',
  'no-place': 'the keyring has no default collection to keep a key in: make one, or choose another place',
  locked: 'the keyring is locked: unlock it, or choose another place for the key'
}

const isStore = (name: unknown): name is KeyStoreName => KEY_STORES.some(store => store === name)

/** The three places, and the record of which one it is. Used by the vault alone. */
export class KeyStores {
  readonly file: KeyFile
  readonly recordPath: string
  readonly #draft: string
  readonly #credential: Credential
  readonly #keyring: SecretService
  readonly #lingers: () => boolean

  constructor(options: {
    keyPath: string
    /** The session bus. */
    bus: Bus
    random: (length: number) => Uint8Array
    environment?: { readonly [name: string]: string | undefined }
    lingers?: () => boolean
  }) {
    const { bus, random } = options
    this.file = new KeyFile(options.keyPath)
    this.recordPath = `${options.keyPath}-store`
    this.#draft = `${this.recordPath}.new`
    this.#credential = new Credential(options.environment)
    this.#keyring = new SecretService({
      bus,
      random,
      transfer: () => ({ algorithm: SECRET_SESSION, ...secretSession(random(SECRET_SESSION_SEED)) })
    })
    this.#lingers = options.lingers ?? lingers
  }

  store(name: KeyStoreName): KeyStore {
    if (name === 'file') return this.file
    return name === 'credential' ? this.#credential : this.#keyring
  }

  /** Throws ApiError when it cannot be as wished. */
  async choose(wish: string): Promise<KeyStoreName> {
    const asked = wish === '' || wish === 'secret-service'
    return chooseStore(wish, {
      credential: await this.#credential.given(),
      lingers: this.#lingers(),
      keyring: asked ? await this.#keyring.state({ start: wish !== '' }) : 'absent'
    })
  }

  /** Undefined when this device has no key yet. Throws FileError. */
  get record(): KeyRecord | undefined {
    const record = readRecord(this.recordPath)
    if (record === undefined) return this.file.there ? { store: 'file', id: '' } : undefined
    return record.store === 'file' && !this.file.there ? undefined : record
  }

  /** What a key is being made for; undefined when none is. Throws FileError. */
  get draft(): KeyRecord | undefined {
    return readRecord(this.#draft)
  }

  /** A key will be made for this. What was recorded of a key that is no more is forgotten. */
  async begin({ store, id }: KeyRecord): Promise<void> {
    await rm(this.recordPath, { force: true })
    await atomicWrite(this.#draft, `${JSON.stringify({ Store: store, Id: id })}\n`)
  }

  /** The key that was made counts. */
  async keep({ store, id }: KeyRecord): Promise<void> {
    await this.store(store).keep(id)
    await rename(this.#draft, this.recordPath)
    await syncDirectory(dirname(this.recordPath))
  }

  /** Undoes `keep`: the key does not count any more, and its record is the draft again. */
  async doubt({ store, id }: KeyRecord): Promise<void> {
    // one of the two is there at any time
    if (existsSync(this.recordPath)) await rename(this.recordPath, this.#draft)
    else await atomicWrite(this.#draft, `${JSON.stringify({ Store: store, Id: id })}\n`)
    await this.store(store).doubt(id)
    await syncDirectory(dirname(this.recordPath))
  }

  async drop({ store, id }: KeyRecord): Promise<void> {
    await this.store(store).drop(id)
    await rm(this.#draft, { force: true })
  }
}

function readRecord(path: string): KeyRecord | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new FileError('io', `${path} cannot be read: ${message}`)
  }
  try {
    const { Store, Id } = JSON.parse(text) as { Store?: unknown; Id?: unknown }
    if (isStore(Store) && typeof Id === 'string' && /^[0-9a-f]{0,64}$/.test(Id))
      return { store: Store, id: Id }
  } catch {
    // told below
  }
  throw new FileError(
    'damaged',
    `${path} does not say where the key of this device is; put back a copy of it, or remove it if the key is a file`
  )
}
