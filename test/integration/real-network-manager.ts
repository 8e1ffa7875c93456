/**
 * The real NetworkManager in the test's own network, on its own bus. Needs the namespaces of test/namespace.ts:
 * its directories are empty ones there.
 */
import { type ChildProcess, execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Bus } from '../../src/host/bus.ts'
import { start, type Teardown } from '../namespace.ts'

const PROGRAM = '/usr/sbin/NetworkManager'
const CONFIG = `[main]
plugins=keyfile
auth-polkit=false
dns=none
rc-manager=unmanaged
no-auto-default=*
[logging]
level=WARN
[keyfile]
unmanaged-devices=interface-name:lo;interface-name:veth-*
`
/** Why it cannot run here, or ''. */
export const missing = existsSync(PROGRAM)
  ? ''
  : 'NetworkManager is not installed: apt install network-manager'

export class RealNetworkManager {
  readonly #t: Teardown
  readonly #address: string
  readonly #watch: Bus
  #owner = ''
  #told: () => void = () => {}
  #child: ChildProcess | undefined

  constructor(t: Teardown, address: string) {
    this.#t = t
    this.#address = address
    for (const directory of ['/etc/NetworkManager', '/var/lib/NetworkManager', '/run/NetworkManager']) {
      mkdirSync(directory, { recursive: true })
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory])
    }
    writeFileSync('/etc/NetworkManager/NetworkManager.conf', CONFIG)
    this.#watch = new Bus({ kind: 'system', address, log: () => {} })
    this.#watch.watchName('org.freedesktop.NetworkManager', owner => {
      this.#owner = owner
      this.#told()
    })
    this.#watch.start()
    t.teardown(() => this.#watch.close())
  }

  /** Resolves when it is on the bus. */
  async start(): Promise<void> {
    this.#child = start(this.#t, PROGRAM, ['--no-daemon'], {
      stdio: 'ignore',
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: this.#address }
    })
    while (this.#owner === '') await new Promise<void>(resolve => (this.#told = resolve))
  }

  /** Resolves when it has ended and its name is off the bus. */
  async stop(): Promise<void> {
    const child = this.#child!
    if (child.exitCode === null) {
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    }
    while (this.#owner !== '') await new Promise<void>(resolve => (this.#told = resolve))
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child!.kill(signal)
  }

  async nmcli(...args: string[]): Promise<string> {
    const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: this.#address }
    return (await promisify(execFile)('nmcli', args, { env })).stdout
  }
}
