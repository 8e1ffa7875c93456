/** A dbus-daemon of a test's own, on a private socket; it can be killed and started again at the same place. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export class TestBus {
  readonly directory = mkdtempSync(join(tmpdir(), 'coterie-bus-'))
  readonly address = `unix:path=${this.directory}/bus`
  #daemon: ChildProcess | undefined

  static async up(t: { teardown(fn: () => Promise<void>): void }): Promise<TestBus> {
    const bus = new TestBus()
    t.teardown(async () => {
      await bus.kill()
      rmSync(bus.directory, { recursive: true, force: true })
    })
    await bus.start()
    return bus
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const args = ['--session', '--nofork', '--nopidfile', '--print-address=1', `--address=${this.address}`]
    const daemon = spawn('dbus-daemon', args, { stdio: ['ignore', 'pipe', 'ignore'] })
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
}
