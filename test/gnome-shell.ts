/**
 * A real GNOME Shell without a screen, drawn by software, with buses of a test's own, not run as root. That of this
 * computer, or that of a root file system. Only in a test's own namespaces (namespace.ts).
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Bus } from '../src/host/bus.ts'
import { TestBus } from './bus.ts'
import { PATIENCE_MS, within } from './lab/deadline.ts'
import { start } from './namespace.ts'

interface Test {
  teardown(fn: () => unknown): void
}
interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** What there is of a shell, after its garbage has been collected. */
export interface Census {
  readonly actors: number
  /** Connected signal handlers, of those that were connected since the test began to count them (`ct`). */
  readonly handlers: number
  /** Match rules on the session bus. */
  readonly rules: number
  /** Bytes that live objects of JavaScript take. */
  readonly heap: number
  /** Bytes that belong to the process alone (private and dirty). */
  readonly memory: number
}

const NOBODY = 65_534
const SHELL = 'org.gnome.Shell'
const BUS = 'org.freedesktop.DBus'

export class GnomeShell {
  /** The session bus, which starts nothing but what the test puts into its `services`. */
  readonly bus: TestBus
  readonly caller: Bus
  /** What it wrote. */
  readonly log: string[]
  readonly pid: number
  /** Belongs to the shell, and is at the same place for it. */
  readonly folder: string

  private constructor(bus: TestBus, caller: Bus, log: string[], pid: number, folder: string) {
    this.bus = bus
    this.caller = caller
    this.log = log
    this.pid = pid
    this.folder = folder
  }

  /**
   * Resolves when it answers, without overview. `extensions`: folder of such, all of which are enabled. `root`: the
   * file system it is started in, which is not changed; empty for that of this computer.
   */
  static async up(t: Test, extensions: string, uuids: readonly string[], root = ''): Promise<GnomeShell> {
    const bus = await TestBus.up(t, 'bare')
    const system = await TestBus.up(t, 'system')
    const folder = mkdtempSync(join(tmpdir(), 'ct-shell-'))
    const installed = join(folder, '.local/share/gnome-shell/extensions')
    cpSync(extensions, installed, { recursive: true })
    mkdirSync(join(folder, 'run'), { mode: 0o700 })
    mkdirSync(join(folder, '.config/glib-2.0/settings'), { recursive: true })
    const list = uuids.map(uuid => `'${uuid}'`).join(', ')
    const background = `[org/gnome/desktop/background]\npicture-options='none'\nprimary-color='#33506b'\n`
    const settings = `${background}[org/gnome/shell]\nenabled-extensions=[${list}]\nwelcome-dialog-last-shown-version='99'\n`
    writeFileSync(join(folder, '.config/glib-2.0/settings/keyfile'), settings)
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, folder])
    t.teardown(() => execFileSync('rm', ['-rf', folder]))

    const inside = root === '' ? [] : ['chroot', entered(root)]
    const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
    const shell = ['gnome-shell', '--headless', '--wayland', '--no-x11', '--unsafe-mode']
    const [program = '', ...args] = [...inside, ...user, ...shell, '--virtual-monitor', '1024x768']
    const child = start(t, program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: '/',
      env: {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: folder,
        XDG_RUNTIME_DIR: join(folder, 'run'),
        XDG_SESSION_TYPE: 'wayland',
        XDG_CURRENT_DESKTOP: 'GNOME',
        DBUS_SESSION_BUS_ADDRESS: bus.address,
        DBUS_SYSTEM_BUS_ADDRESS: system.address,
        GSETTINGS_BACKEND: 'keyfile',
        LIBGL_ALWAYS_SOFTWARE: '1',
        LANG: 'C.UTF-8',
        NO_AT_BRIDGE: '1'
      }
    })
    const log: string[] = []
    for (const stream of [child.stdout!, child.stderr!])
      createInterface({ input: stream }).on('line', line => log.push(line))

    const caller = new Bus({ kind: 'session', address: bus.address, log: () => {} })
    t.teardown(() => caller.close())
    const there = new Promise<void>(resolve =>
      caller.onUp(() => caller.watchName(SHELL, owner => owner !== '' && resolve()))
    )
    caller.start()
    await within(PATIENCE_MS, 'the shell owns its name', there, () => log.slice(-30).join('\n'))
    const made = new GnomeShell(bus, caller, log, child.pid!, folder)
    await made.until('it has started', '!Main.layoutManager._startingUp')
    await made.eval('Main.overview.hide()')
    // such as that the screen cannot be locked here
    await made.eval('Main.messageTray.getSources().forEach(source => source.destroy())')
    await made.until('the overview is gone', '!Main.overview.visible')
    return made
  }

  /** The value of an expression in the shell, as JSON has it. */
  async eval(code: string): Promise<unknown> {
    const shell = { destination: SHELL, path: '/org/gnome/Shell', interface: SHELL }
    const call = { ...shell, member: 'Eval', timeoutMs: PATIENCE_MS }
    const [done, text] = (await this.caller.call({ ...call, signature: 's', body: [code] })) as [
      boolean,
      string
    ]
    if (!done) throw new Error(`${code}: ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  /** Asks again and again until an expression holds, also while it throws; its value. */
  async until(what: string, code: string, milliseconds = PATIENCE_MS): Promise<unknown> {
    let last: unknown
    let over = false
    let trouble = ''
    const note = (error: Error) => {
      trouble = error.message
    }
    const holds = async () => {
      while (!over && !(last = await this.eval(code).catch(note)))
        await new Promise(resolve => setTimeout(resolve, 20))
      return last
    }
    try {
      return await within(milliseconds, what, holds(), () => [trouble, ...this.log.slice(-20)].join('\n'))
    } finally {
      over = true
    }
  }

  /** Writes what is on the screen, or on a part of it, as PNG. */
  async picture(file: string, area?: Area): Promise<void> {
    const own = join(this.folder, 'picture.png')
    const name = `${SHELL}.Screenshot`
    const call = { destination: name, path: '/org/gnome/Shell/Screenshot', interface: name }
    const [member, signature, body] = area
      ? (['ScreenshotArea', 'iiiibs', [area.x, area.y, area.width, area.height, false, own]] as const)
      : (['Screenshot', 'bbs', [false, false, own]] as const)
    await this.caller.call({ ...call, member, signature, body: [...body], timeoutMs: PATIENCE_MS })
    writeFileSync(file, readFileSync(own))
  }

  async census(): Promise<Census> {
    const dump = join(this.folder, `memory-${Date.now()}`)
    // what one collection frees of GObject lets the next one free more
    for (let i = 0; i < 4; i++) await this.eval('imports.system.gc()')
    await this.eval(`imports.system.dumpMemoryInfo('${dump}')`)
    const stats = { destination: BUS, path: '/org/freedesktop/DBus', interface: `${BUS}.Debug.Stats` }
    const [rules] = (await this.caller.call({ ...stats, member: 'GetAllMatchRules' })) as [
      { [n: string]: string[] }
    ]
    const [owner] = (await this.caller.call({
      destination: BUS,
      path: '/',
      interface: BUS,
      member: 'GetNameOwner',
      signature: 's',
      body: [SHELL]
    })) as [string]
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8')
    return {
      actors: (await this.eval('ct.actors()')) as number,
      handlers: (await this.eval('ct.handlers()')) as number,
      rules: rules[owner]!.length,
      heap: Number(/"gcBytes": (\d+)/.exec(readFileSync(dump, 'utf8'))?.[1]),
      memory: Number(/Private_Dirty:\s+(\d+)/.exec(rollup)?.[1]) * 1024
    }
  }
}

/** A copy of a root file system on a throw-away overlay, with the /tmp of this computer; gone with the namespace. */
function entered(root: string): string {
  const place = mkdtempSync(join(tmpdir(), 'ct-root-'))
  const script = `mount -t tmpfs tmpfs "$1"
    mkdir "$1/upper" "$1/work" "$1/root"
    mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
    for folder in tmp proc dev sys; do mount --rbind "/$folder" "$1/root/$folder"; done`
  execFileSync('sh', ['-ec', script, 'sh', place, root])
  chmodSync(place, 0o755)
  return join(place, 'root')
}
