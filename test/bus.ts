/** A dbus-daemon of a test's own, on a private socket; it can be killed and started again at the same place. */

import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

interface Test {
  teardown(fn: () => Promise<void>): void
}

/** `bare`: a session bus that starts no program but those that the test puts into `services`. */
export type BusKind = 'session' | 'system' | 'bare'

export class TestBus {
  readonly directory = mkdtempSync(join(tmpdir(), 'coterie-bus-'))
  readonly address = `unix:path=${this.directory}/bus`
  /** Of service files, for a bare one. */
  readonly services = `${this.directory}/services`
  readonly #kind: BusKind
  #daemon: ChildProcess | undefined

  /** Not running yet; gone with the test. To a system bus every user may connect, and own what name he likes. */
  constructor(t: Test, kind: BusKind = 'session') {
    this.#kind = kind
    t.teardown(async () => {
      await this.kill()
      rmSync(this.directory, { recursive: true, force: true })
    })
  }

  static async up(t: Test, kind: BusKind = 'session'): Promise<TestBus> {
    const bus = new TestBus(t, kind)
    await bus.start()
    return bus
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const args = ['--nofork', '--nopidfile', '--print-address=1', `--address=${this.address}`]
    const daemon = spawn('dbus-daemon', [this.#config(), ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#daemon = daemon
    await new Promise<void>((resolve, reject) => {
      daemon.on('error', reject)
      daemon.on('exit', code => reject(new Error(`dbus-daemon ended with ${code}`)))
      createInterface({ input: daemon.stdout! }).once('line', () => resolve())
    })
  }

  /** Ends it the hard way and takes its socket away. */
  async kill(): Promise<void> {
    const daemon = this.#daemon
    if (!daemon) return
    this.#daemon = undefined
    const gone = new Promise(resolve => daemon.once('exit', resolve))
    daemon.kill('SIGKILL')
    await gone
    rmSync(`${this.directory}/bus`, { force: true })
  }

  #config(): string {
    if (this.#kind === 'session') return '--session'
    mkdirSync(this.services, { recursive: true })
    const rules = '<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>'
    const path = `${this.directory}/bus.conf`
    const type = this.#kind === 'system' ? 'system' : 'session'
    const listen = `<listen>${this.address}</listen><auth>EXTERNAL</auth>`
    writeFileSync(
      path,
      `<busconfig><type>${type}</type>${listen}<servicedir>${this.services}</servicedir>` +
        `<policy context="default">${rules}</policy></busconfig>`
    )
    chmodSync(this.directory, 0o755)
    return `--config-file=${path}`
  }
}
