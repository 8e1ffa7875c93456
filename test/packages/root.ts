/**
 * A Debian to install packages into: this computer's own, or another one, seen through an overlay in memory that is
 * gone with the mount namespace. Only for tests that are inside one (test/namespace.ts).
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type Outcome, run } from '../command.ts'
import type { Teardown } from '../namespace.ts'

const mount = (...args: string[]) => execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'] })

export class Root {
  /** Where the overlay is mounted. */
  readonly path: string
  /** What was written there. */
  readonly upper: string

  constructor(t: Teardown, lower = '/') {
    const folder = mkdtempSync(join(tmpdir(), 'ct-root-'))
    mount('-t', 'tmpfs', 'tmpfs', folder)
    this.path = join(folder, 'root')
    this.upper = join(folder, 'upper')
    for (const path of [this.path, this.upper, join(folder, 'work')]) mkdirSync(path)
    const layers = `lowerdir=${lower},upperdir=${this.upper},workdir=${join(folder, 'work')}`
    mount('-t', 'overlay', 'overlay', '-o', layers, this.path)
    mount('-t', 'proc', 'proc', `${this.path}/proc`)
    mount('--rbind', '/dev', `${this.path}/dev`)
    t.teardown(() => {
      execFileSync('umount', ['-l', this.path])
      execFileSync('umount', ['-l', folder])
      rmSync(folder, { recursive: true })
    })
  }

  /** The same folder inside as outside. */
  share(folder: string): void {
    mkdirSync(this.path + folder, { recursive: true })
    mount('--bind', folder, this.path + folder)
  }

  /** Runs a program inside as root. */
  run(command: string, ...args: string[]): Promise<Outcome> {
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      DEBIAN_FRONTEND: 'noninteractive',
      LC_ALL: 'C.UTF-8'
    }
    return run('chroot', [this.path, command, ...args], env)
  }

  has(path: string): boolean {
    return existsSync(this.path + path)
  }

  write(path: string, content: string, mode = 0o644): void {
    mkdirSync(dirname(this.path + path), { recursive: true })
    rmSync(this.path + path, { force: true })
    writeFileSync(this.path + path, content)
    chmodSync(this.path + path, mode)
  }

  /** As if the service manager of this user ran; what systemctl is asked is in /systemctl.log. */
  async serviceManager(t: Teardown, uid: number): Promise<void> {
    const folder = `/run/user/${uid}/systemd`
    mkdirSync(this.path + folder, { recursive: true })
    const server = createServer().listen(`${this.path}${folder}/private`)
    await new Promise<void>(resolve => server.once('listening', resolve))
    t.teardown(() => server.close())
    this.write('/systemctl.log', '', 0o666)
    const fake = '#!/bin/sh\necho "$(id -u) $*" >> /systemctl.log\ncase $* in *is-failed*) exit 1 ;; esac\n'
    this.write('/usr/bin/systemctl', fake, 0o755)
  }
}
