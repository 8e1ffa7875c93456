/** Desktop sessions of a test's own: X or Wayland without a screen, a session bus, a notification daemon. */
import { chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { TestBus } from './bus.ts'
import { type Outcome, run } from './command.ts'
import { start } from './namespace.ts'

interface Test {
  teardown(fn: () => unknown): void
}
type Environment = { [name: string]: string }

/** What it needs, for `lacking`. */
export const X_PROGRAMS = ['Xvfb', 'dunst', 'dunstctl', 'gdbus', 'dbus-daemon']
export const WAYLAND_PROGRAMS = ['sway', 'setpriv', 'wl-copy', 'wl-paste']

const NOBODY = 65_534
const WIDTH = 800
const HEIGHT = 600

/** An X display with dunst on it. */
export class Desktop {
  /** For programs in the session. */
  readonly environment: Environment
  readonly #directory: string
  /** Id of the newest notification that was asked for. */
  #last = 0

  private constructor(directory: string, environment: Environment) {
    this.#directory = directory
    this.environment = environment
  }

  /** Resolves when notifications are shown. `directory` is the test's, and takes the picture. */
  static async up(t: Test, directory: string): Promise<Desktop> {
    const bus = await TestBus.up(t, 'bare')
    const screen = ['-screen', '0', `${WIDTH}x${HEIGHT}x24`, '-fbdir', directory]
    const server = start(t, 'Xvfb', ['-displayfd', '3', '-nolisten', 'tcp', ...screen], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe']
    })
    const number = await new Promise<string>((resolve, reject) => {
      createInterface({ input: server.stdio[3] as Readable }).once('line', resolve)
      server.once('exit', code => reject(new Error(`Xvfb ended with ${code}`)))
    })
    const environment = { DISPLAY: `:${number}`, DBUS_SESSION_BUS_ADDRESS: bus.address }
    const config = join(directory, 'dunstrc')
    writeFileSync(config, '[global]\nfont = Monospace 10\n')
    start(t, 'dunst', ['-conf', config], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], HOME: directory, ...environment }
    })
    const desktop = new Desktop(directory, environment)
    await desktop.run('gdbus', 'wait', '--session', '--timeout', '20', 'org.freedesktop.Notifications')
    return desktop
  }

  run(command: string, ...args: string[]): Promise<Outcome> {
    return run(command, args, this.environment)
  }

  /** Takes away all notifications, and gives what those said that are new since, oldest first. */
  async notifications(): Promise<{ application: string; title: string; text: string }[]> {
    await this.run('dunstctl', 'close-all')
    const { out } = await this.run('dunstctl', 'history')
    type Value<T = string> = { data: T }
    type Shown = { id: Value<number>; appname: Value; summary: Value; body: Value }
    const [shown] = JSON.parse(out).data as [Shown[]]
    const last = this.#last
    this.#last = Math.max(last, ...shown.map(({ id }) => id.data))
    return shown
      .filter(({ id }) => id.data > last)
      .sort((a, b) => a.id.data - b.id.data)
      .map(({ appname, summary, body }) => ({
        application: appname.data,
        title: summary.data,
        text: body.data
      }))
  }

  async clipboard(): Promise<string> {
    return (await this.run('xclip', '-out', '-selection', 'clipboard')).out
  }

  /** How many different colours are on the screen. */
  colours(): number {
    const image = readFileSync(join(this.#directory, 'Xvfb_screen0'))
    // X11/XWDFile.h: the length of the header, then of what is fixed in it; colours of 12 bytes before the pixels
    const from = image.readUInt32BE(0) + image.readUInt32BE(19 * 4) * 12
    const seen = new Set<number>()
    for (let at = from; at + 4 <= image.length; at += 4) seen.add(image.readUInt32LE(at) & 0xffffff)
    return seen.size
  }

  /** A browser for http and https, in the home folder given: it writes the address into `browser.txt` there. */
  static browser(home: string, write: (path: string, text: string, mode?: number) => void): void {
    write(join(home, 'browser'), `#!/bin/sh\nprintf '%s|' "$@" >> ${home}/browser.txt\n`, 0o755)
    const types = 'x-scheme-handler/http;x-scheme-handler/https;'
    const entry = `Type=Application\nName=Browser\nExec=${home}/browser %u\nMimeType=${types}\n`
    write(join(home, '.local/share/applications/test-browser.desktop'), `[Desktop Entry]\n${entry}`)
    const defaults = ['http', 'https'].map(scheme => `x-scheme-handler/${scheme}=test-browser.desktop\n`)
    write(join(home, '.config/mimeapps.list'), `[Default Applications]\n${defaults.join('')}`)
  }
}

/**
 * A Wayland compositor in that directory; resolves with the environment of its session. sway does not run as root,
 * which the tests are: it is nobody's.
 */
export async function wayland(t: Test, directory: string): Promise<Environment> {
  const config = join(directory, 'sway.conf')
  writeFileSync(config, 'xwayland disable\nexec echo display $WAYLAND_DISPLAY\n')
  chownSync(directory, NOBODY, NOBODY)
  chmodSync(directory, 0o700)
  const without = { WLR_BACKENDS: 'headless', WLR_RENDERER: 'pixman', WLR_LIBINPUT_NO_DEVICES: '1' }
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
  const sway = start(t, 'setpriv', [...user, 'sway', '--config', config], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'], HOME: directory, XDG_RUNTIME_DIR: directory, ...without }
  })
  const display = await new Promise<string>((resolve, reject) => {
    createInterface({ input: sway.stdout as Readable }).on('line', line => {
      const [, name] = /^display (.+)/.exec(line) ?? []
      if (name !== undefined) resolve(name)
    })
    sway.once('exit', code => reject(new Error(`sway ended with ${code}`)))
  })
  return { WAYLAND_DISPLAY: join(directory, display) }
}
