/**
 * The master key in the keyring of the desktop: the Secret Service on the session bus, as its specification
 * has it (specifications.freedesktop.org/secret-service). One item with the attributes
 *
 *   xdg:schema  org.coterie.Key        id  what the vault calls this key
 *
 * in the default collection. Nothing here ever prompts, unlocks, or makes a collection.
 */
import { type Bus, BusError, plain, Variant } from './bus.ts'
import { KeyAway, type KeyStore, MASTER_KEY } from './key-store.ts'

const SECRETS = 'org.freedesktop.secrets'
const ROOT = '/org/freedesktop/secrets'
const SERVICE = 'org.freedesktop.Secret.Service'
const COLLECTION = 'org.freedesktop.Secret.Collection'
const ITEM = 'org.freedesktop.Secret.Item'
const SESSION = 'org.freedesktop.Secret.Session'
const PROPERTIES = 'org.freedesktop.DBus.Properties'
const NONE = '/'
/** gnome-keyring's collection that is lost at the end of the session. */
const IN_MEMORY = `${ROOT}/collection/session`
/** gnome-keyring tells nobody when the login password opens a collection: so one has to look. */
const LOOK_MS = 5_000
/** How long one waits for the bus to say whether there is such a service. */
const BUS_MS = 2_000

/** How secrets are carried over the bus (crypto/secret-session.ts). */
export interface Transfer {
  readonly algorithm: string
  readonly publicKey: Uint8Array
  agree(publicKey: Uint8Array): TransferKey | undefined
}
export interface TransferKey {
  seal(iv: Uint8Array, secret: Uint8Array): Uint8Array
  open(iv: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}
/** A session with the service; without a key secrets are carried as they are. */
interface Session {
  readonly path: string
  readonly key: TransferKey | undefined
}
/** Whether a key could be kept there now. `no-place`: no default collection that outlives the session. */
export type KeyringState = 'absent' | 'no-place' | 'locked' | 'open'

export class SecretService implements KeyStore {
  readonly #bus: Bus
  readonly #transfer: () => Transfer
  readonly #random: (length: number) => Uint8Array
  readonly #lookMs: number

  constructor(options: {
    bus: Bus
    /** A new one each time. */
    transfer: () => Transfer
    random: (length: number) => Uint8Array
    lookMs?: number
  }) {
    this.#bus = options.bus
    this.#transfer = options.transfer
    this.#random = options.random
    this.#lookMs = options.lookMs ?? LOOK_MS
  }

  /** Unless it may be started, a service that is not on the bus yet is absent. Never rejects. */
  async state({ start = false } = {}): Promise<KeyringState> {
    try {
      if ((await this.#owner()) === '' && !start) return 'absent'
      const collection = await this.#collection(start)
      if (collection === undefined) return 'no-place'
      return (await this.#locked(collection)) ? 'locked' : 'open'
    } catch {
      return 'absent'
    }
  }

  async read(id: string, { start }: { start: boolean }): Promise<Uint8Array> {
    const owner = await this.#owner()
    if (!this.#bus.connected) throw new KeyAway(sentences.noBus)
    if (owner === '' && !start) throw new KeyAway(sentences.absent)
    return this.#asking(async () => {
      const [unlocked, locked] = await this.#search(id, start)
      const item = unlocked[0]
      if (item === undefined) {
        if (locked.length > 0) throw new KeyAway(sentences.locked)
        // A collection that is locked may hide what it has.
        const collection = await this.#collection()
        const hidden = collection !== undefined && (await this.#locked(collection))
        throw new KeyAway(hidden ? sentences.locked : sentences.missing)
      }
      return this.#inSession(session => this.#secretOf(item, session))
    })
  }

  async make(id: string, key: Uint8Array): Promise<Uint8Array> {
    await this.#owner()
    return this.#asking(async () => {
      const collection = await this.#collection()
      if (collection === undefined) throw new KeyAway(sentences.noPlace)
      if (await this.#locked(collection)) throw new KeyAway(sentences.locked)
      return this.#inSession(async session => {
        const item = await this.#create(collection, id, key, session)
        return this.#secretOf(item, session)
      })
    })
  }

  async keep(): Promise<void> {}

  async doubt(): Promise<void> {}

  async drop(id: string): Promise<void> {
    try {
      const [unlocked] = await this.#search(id, false)
      for (const path of unlocked) await this.#call({ path, interface: ITEM, member: 'Delete' })
    } catch {
      // it is of no use to anybody, and does no harm
    }
  }

  watch(fn: () => void): () => void {
    let there = false
    const timer = setInterval(() => {
      if (there) fn()
    }, this.#lookMs)
    timer.unref()
    const ends = [
      this.#bus.watchName(SECRETS, owner => {
        there = owner !== ''
        fn()
      }),
      this.#bus.match({ sender: SECRETS, pathNamespace: ROOT, interface: PROPERTIES }, fn),
      this.#bus.match({ sender: SECRETS, path: ROOT, interface: SERVICE }, fn),
      () => clearInterval(timer)
    ]
    return () => {
      for (const end of ends) end()
    }
  }

  // --- steps

  /** '' while nobody is it, or the bus does not tell in time. */
  #owner(): Promise<string> {
    return new Promise(resolve => {
      const done = (owner: string) => {
        clearTimeout(late)
        queueMicrotask(end)
        resolve(owner)
      }
      const late = setTimeout(done, BUS_MS, '')
      const end = this.#bus.watchName(SECRETS, done)
    })
  }

  /** What goes wrong on the bus is a key that cannot be had now. */
  async #asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof BusError)) throw error
      if (!this.#bus.connected) throw new KeyAway(sentences.noBus)
      if (/\.IsLocked$/.test(error.errorName)) throw new KeyAway(sentences.locked)
      if (/\.(ServiceUnknown|NameHasNoOwner|Spawn\.)/.test(error.errorName))
        throw new KeyAway(sentences.absent)
      throw new KeyAway(`the keyring does not give the key of this device: ${error.message}`)
    }
  }

  async #search(id: string, start: boolean): Promise<[string[], string[]]> {
    const [unlocked, locked] = await this.#call({
      path: ROOT,
      interface: SERVICE,
      member: 'SearchItems',
      signature: 'a{ss}',
      body: [attributes(id)],
      autoStart: start
    })
    return [paths(unlocked), paths(locked)]
  }

  async #collection(start = false): Promise<string | undefined> {
    const [path] = await this.#call({
      path: ROOT,
      interface: SERVICE,
      member: 'ReadAlias',
      signature: 's',
      body: ['default'],
      autoStart: start
    })
    return typeof path === 'string' && path !== NONE && path !== IN_MEMORY ? path : undefined
  }

  async #locked(collection: string): Promise<boolean> {
    const [value] = await this.#call({
      path: collection,
      interface: PROPERTIES,
      member: 'Get',
      signature: 'ss',
      body: [COLLECTION, 'Locked']
    })
    return plain(value) !== false
  }

  /** Encrypted where the service can. */
  async #inSession<T>(use: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#open()
    try {
      return await use(session)
    } finally {
      await this.#call({ path: session.path, interface: SESSION, member: 'Close' }).catch(() => {})
    }
  }

  async #open(): Promise<Session> {
    const call = { path: ROOT, interface: SERVICE, member: 'OpenSession', signature: 'sv' }
    const { algorithm, publicKey, agree } = this.#transfer()
    try {
      const [output, path] = await this.#call({ ...call, body: [algorithm, new Variant('ay', publicKey)] })
      const key = agree(bytesOf(plain(output)))
      if (key === undefined) throw new KeyAway('the keyring answers with a key that is none')
      return { path: String(path), key }
    } catch (error) {
      if (!(error instanceof BusError) || !/\.NotSupported$/.test(error.errorName)) throw error
      const [, path] = await this.#call({ ...call, body: ['plain', new Variant('s', '')] })
      return { path: String(path), key: undefined }
    }
  }

  async #secretOf(item: string, session: Session): Promise<Uint8Array> {
    const [secret] = await this.#call({
      path: item,
      interface: ITEM,
      member: 'GetSecret',
      signature: 'o',
      body: [session.path]
    })
    const [, iv, value] = (Array.isArray(secret) ? secret : []).map(bytesOf)
    const key = value && iv && (session.key ? session.key.open(iv, value) : value)
    if (key?.length !== MASTER_KEY) throw new KeyAway(sentences.damaged)
    return new Uint8Array(key)
  }

  async #create(collection: string, id: string, key: Uint8Array, session: Session): Promise<string> {
    const iv = session.key ? this.#random(16) : new Uint8Array(0)
    const sealed = session.key ? session.key.seal(iv, key) : key
    const properties = {
      [`${ITEM}.Label`]: new Variant('s', 'Coterie: master key of this device'),
      [`${ITEM}.Attributes`]: new Variant('a{ss}', attributes(id))
    }
    const secret = [session.path, iv, sealed, 'application/octet-stream']
    const [item] = await this.#call({
      path: collection,
      interface: COLLECTION,
      member: 'CreateItem',
      signature: 'a{sv}(oayays)b',
      body: [properties, secret, false]
    })
    if (typeof item !== 'string' || item === NONE) throw new KeyAway(sentences.prompts)
    return item
  }

  #call(call: {
    path: string
    interface: string
    member: string
    signature?: string
    body?: unknown[]
    autoStart?: boolean
  }): Promise<unknown[]> {
    return this.#bus.call({ destination: SECRETS, autoStart: false, ...call })
  }
}

const sentences = {
  noBus:
    'the key of this device is in the keyring, and there is no session bus to reach it by: log in at the desktop',
  absent:
    'the key of this device is in the keyring, and no keyring (Secret Service) runs: log in at the desktop, or start one',
  locked:
    'the key of this device is in the keyring, which is locked: unlock it, and Coterie goes on by itself',
  missing:
    'the keyring is open and has no key of this device: put back the keyring that has it, and Coterie goes on by itself',
  damaged: 'what the keyring has for this device is no key: put back a copy of the keyring',
  noPlace: 'the keyring has no default collection to keep a key in: make one, and try again',
  prompts: 'the keyring wants to ask something before it keeps a key: unlock it, and try again'
}

const attributes = (id: string) => ({ 'xdg:schema': 'org.coterie.Key', id })
const paths = (value: unknown): string[] =>
  (Array.isArray(value) ? value : []).filter(path => typeof path === 'string')
const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array
    ? value
    : Array.isArray(value) && value.every(byte => typeof byte === 'number')
      ? Uint8Array.from(value)
      : new Uint8Array(0)
