/** A logind played by python3-dbusmock on a bus of the test's, which gives real inhibitors. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Bus, Variant } from '../src/host/bus.ts'
import { PATIENCE_MS } from './lab/deadline.ts'

const NAME = 'org.freedesktop.login1'
const PATH = '/org/freedesktop/login1'
const PYTHON = '/usr/bin/python3'

interface Test {
  teardown(fn: () => unknown): unknown
}

/** Why it cannot be played here, or ''. */
export const missing: string = (() => {
  try {
    execFileSync(PYTHON, ['-c', 'import dbusmock'], { stdio: 'ignore' })
    execFileSync('systemd-inhibit', ['--version'], { stdio: 'ignore' })
    return ''
  } catch {
    return 'it needs python3-dbusmock and systemd-inhibit'
  }
})()

export class Logind {
  readonly #address: string
  readonly #bus: Bus
  #child: ChildProcess | undefined

  private constructor(t: Test, address: string) {
    this.#address = address
    this.#bus = new Bus({ kind: 'system', address, log: () => {} })
    t.teardown(() => this.stop())
    t.teardown(() => this.#bus.close())
    this.#bus.start()
  }

  /** On the bus when it resolves. */
  static async up(t: Test, address: string): Promise<Logind> {
    const logind = new Logind(t, address)
    await logind.start()
    return logind
  }

  async start(): Promise<void> {
    const there = new Promise<void>(resolve => {
      const end = this.#bus.watchName(NAME, owner => {
        if (owner === '') return
        resolve()
        queueMicrotask(() => end())
      })
    })
    this.#child = spawn(PYTHON, ['-m', 'dbusmock', '--system', '--template', 'logind'], {
      stdio: 'ignore',
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: this.#address }
    })
    await there
  }

  /** It crashes. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  sleep(preparing: boolean): Promise<unknown> {
    return this.#emit('PrepareForSleep', preparing)
  }
  shutdown(preparing: boolean): Promise<unknown> {
    return this.#emit('PrepareForShutdown', preparing)
  }

  /** Who delays sleep now. */
  async inhibitors(): Promise<string[]> {
    const call = {
      destination: NAME,
      path: PATH,
      interface: `${NAME}.Manager`,
      member: 'ListInhibitors',
      timeoutMs: PATIENCE_MS
    }
    const [list] = await this.#bus.call(call)
    return (list as string[][]).map(([what, who, , mode]) => `${who} ${what} ${mode}`)
  }

  /** Asks again and again, as nobody tells. */
  async until(holds: (inhibitors: readonly string[]) => boolean): Promise<void> {
    while (!holds(await this.inhibitors()));
  }

  #emit(name: string, value: boolean): Promise<unknown> {
    return this.#bus.call({
      destination: NAME,
      path: PATH,
      interface: 'org.freedesktop.DBus.Mock',
      member: 'EmitSignal',
      timeoutMs: PATIENCE_MS,
      signature: 'sssav',
      body: [`${NAME}.Manager`, name, 'b', [new Variant('b', value)]]
    })
  }
}
