/**
 * A gnome-keyring-daemon of a test's own, with its own directories, on a private bus. Without a display it
 * has nobody to ask: whoever would prompt waits for ever, so a test that goes on proves that nobody did.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from '../src/crypto/provider.ts'
import { SECRET_SESSION, secretSession } from '../src/crypto/secret-session.ts'
import { Bus } from '../src/host/bus.ts'
import { SecretService } from '../src/host/secret-service.ts'
import type { TestBus } from './bus.ts'
import { lacking } from './command.ts'
import { PATIENCE_MS } from './lab/deadline.ts'

interface Test {
  teardown(fn: () => unknown): void
}

export const noKeyring = lacking('gnome-keyring-daemon', 'dbus-daemon')

const PASSWORD = 'correct horse'
const SECRETS = 'org.freedesktop.secrets'
const ROOT = '/org/freedesktop/secrets'
export const LOGIN = `${ROOT}/collection/login`

export class Keyring {
  readonly directory = mkdtempSync(join(tmpdir(), 'ct-keyring-'))
  readonly #on: TestBus
  /** Of the test, on the same bus. */
  readonly bus: Bus
  #daemon: ChildProcess | undefined

  /** On a bare bus: the keyring of whoever runs the tests is not for them. */
  constructor(t: Test, on: TestBus) {
    this.#on = on
    this.bus = new Bus({ kind: 'session', address: on.address, log: () => {} })
    mkdirSync(join(this.directory, 'run'), { mode: 0o700 })
    t.teardown(async () => {
      await this.bus.close()
      await this.stop()
      rmSync(this.directory, { recursive: true, force: true })
    })
  }

  get #environment() {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.directory,
      XDG_DATA_HOME: join(this.directory, 'data'),
      XDG_RUNTIME_DIR: join(this.directory, 'run'),
      DBUS_SESSION_BUS_ADDRESS: this.#on.address
    }
  }

  /** From now on the bus starts it for whoever calls it; it ends with the bus. */
  startable(): void {
    const variables = Object.entries(this.#environment).map(([name, value]) => `${name}=${value}`)
    const words = [
      '/usr/bin/env',
      ...variables,
      'gnome-keyring-daemon',
      '--foreground',
      '--components=secrets'
    ]
    writeFileSync(
      join(this.#on.services, `${SECRETS}.service`),
      `[D-BUS Service]\nName=${SECRETS}\nExec=${words.join(' ')}\n`
    )
  }

  /** `unlock`: as at a login by password; makes the collection `login` where there is none. Resolves when it is on the bus. */
  async start({ unlock }: { unlock: boolean }): Promise<this> {
    const words = ['--foreground', '--components=secrets', ...(unlock ? ['--unlock'] : [])]
    const daemon = spawn('gnome-keyring-daemon', words, {
      env: this.#environment,
      stdio: ['pipe', 'ignore', 'ignore']
    })
    this.#daemon = daemon
    daemon.stdin.end(unlock ? PASSWORD : '')
    this.bus.start()
    const early = new Promise<never>((_, reject) => {
      daemon.on('error', reject)
      daemon.on('exit', code => reject(new Error(`gnome-keyring-daemon ended with ${code}`)))
    })
    early.catch(() => {})
    await Promise.race([this.#owned(), early])
    return this
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon
    this.#daemon = undefined
    if (!daemon || daemon.exitCode !== null) return
    const gone = new Promise(resolve => daemon.once('exit', resolve))
    daemon.kill('SIGTERM')
    await gone
  }

  async lock(): Promise<void> {
    await this.#service('Lock', 'ao', [[LOGIN]])
  }

  /** As PAM does at a login: by the control socket, with the password. The bus hears nothing of it. */
  async unlock(): Promise<void> {
    const password = Buffer.from(PASSWORD)
    const packet = Buffer.alloc(12)
    packet.writeUInt32BE(12 + password.length, 0)
    packet.writeUInt32BE(1, 4)
    packet.writeUInt32BE(password.length, 8)
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const socket = connect(join(this.directory, 'run/keyring/control'), () => {
        socket.write(Buffer.concat([Buffer.of(0), packet, password]))
      })
      socket.once('data', bytes => {
        socket.destroy()
        resolve(bytes)
      })
      socket.once('error', reject)
    })
    if (answer.readUInt32BE(4) !== 0)
      throw new Error(`the keyring is not unlocked: ${answer.toString('hex')}`)
  }

  /** Paths of all items of the collection `login`. */
  async items(): Promise<string[]> {
    const [value] = await this.bus.call({
      destination: SECRETS,
      path: LOGIN,
      interface: 'org.freedesktop.DBus.Properties',
      member: 'Get',
      signature: 'ss',
      body: ['org.freedesktop.Secret.Collection', 'Items'],
      timeoutMs: PATIENCE_MS
    })
    return (value as { value: string[] }).value
  }

  /** The secret that a device put there, read as another program of the user can. */
  async keyOf(id: string): Promise<Uint8Array> {
    const transfer = () => ({ algorithm: SECRET_SESSION, ...secretSession(randomBytes(32)) })
    return new SecretService({ bus: this.bus, transfer, random: randomBytes }).read(id, { start: false })
  }

  async forget(item: string): Promise<void> {
    await this.bus.call({
      destination: SECRETS,
      path: item,
      interface: 'org.freedesktop.Secret.Item',
      member: 'Delete',
      timeoutMs: PATIENCE_MS
    })
  }

  #service(member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    const service = { destination: SECRETS, path: ROOT, interface: 'org.freedesktop.Secret.Service' }
    return this.bus.call({ ...service, member, signature, body, timeoutMs: PATIENCE_MS })
  }

  #owned(): Promise<void> {
    return new Promise(resolve => {
      const end = this.bus.watchName(SECRETS, owner => {
        if (owner === '') return
        queueMicrotask(() => end())
        resolve()
      })
    })
  }
}
