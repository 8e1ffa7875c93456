/**
 * Real panels show what docs/desktop.md says they do: waybar in a sway without a screen, polybar in an X without one.
 * With IMAGES=folder pictures of them go there.
 */
import { execFileSync } from 'node:child_process'
import { chownSync, copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { bars } from '../bars.ts'
import { TestBus } from '../bus.ts'
import { bin } from '../cli/command.ts'
import { follow, lacking, run } from '../command.ts'
import { Desktop, wayland, X_PROGRAMS } from '../desktop.ts'
import { Computer } from '../integration/daemon.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside, start } from '../namespace.ts'
import { Pointer } from '../pointer.ts'

const images = process.env['IMAGES'] ?? ''
const NOBODY = 65_534
const SCREEN = [1280, 720] as const
const STYLE = `* { font-family: DejaVu Sans; font-size: 13px; }
#waybar { background: #20242b; color: #e6e6e6; } #clock, #custom-coterie { padding: 0 10px; } #tray { padding: 0 8px; }
`
const paint = 'grim -t ppm - | cksum'

/** Three devices that know each other, and a fourth that is away; the first one's session is on that bus. */
async function devices(t: Test, env: { [name: string]: string }): Promise<Computer> {
  const desk = await new Computer(t, 'desk', { env }).start()
  await desk.founds()
  for (const name of ['laptop', 'nas', 'phone']) {
    const other = await new Computer(t, name).start()
    await other.joins(await desk.ticket())
    await desk.sees(name)
    if (name === 'phone') await other.stop()
  }
  await desk.until('sees that it went', ({ Peers }) => Peers.filter(peer => peer.Reachable).length === 2)
  return desk
}

/** A panel with nothing but icons. */
const XFCE = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty"><property name="plugin-1" type="string" value="systray"/></property>
</channel>`

/** As a package does it; the mount namespace is the test's. */
function install(): void {
  for (const path of ['icons/hicolor', 'work']) mkdirSync(`/run/${path}`, { recursive: true })
  const layers = 'lowerdir=/usr/share/icons,upperdir=/run/icons,workdir=/run/work'
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, '/usr/share/icons'])
  cpSync('packaging/icons', '/usr/share/icons', { recursive: true })
  rmSync('/usr/share/icons/hicolor/icon-theme.cache', { force: true })
}

/** What it gives when it is the same four times, and not `differs`. */
async function settled(look: () => Promise<string>, differs = ''): Promise<string> {
  const wait = async () => {
    for (let last = '', same = 0; ; ) {
      const now = await look()
      same = now === last ? same + 1 : 0
      last = now
      if (same >= 3 && now !== differs) return now
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
  return within(PATIENCE_MS, 'another picture that stays', wait())
}

if (inside(t, import.meta.url)) {
  const skip = lacking('waybar', 'sway', 'grim', 'setpriv', 'busctl', 'jq', 'nc')
  t.test('waybar', { skip }, async t => {
    install()
    const directory = t.testdir()
    // sway, and so waybar, is nobody's: the bus has to take others
    const { address } = await TestBus.up(t, 'system')
    const bus = { DBUS_SESSION_BUS_ADDRESS: address }
    const desk = await devices(t, bus)
    const display = await wayland(t, directory)
    const session = { ...display, ...bus, HOME: directory, XDG_RUNTIME_DIR: directory }
    const as = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
    const config = `{ "layer": "top", "height": 30, "modules-left": ["clock"], "modules-right": ["custom/coterie", "tray"],
      "tray": { "icon-size": 20, "show-passive-items": true }, ${bars().waybar} }`
    writeFileSync(join(directory, 'config'), config)
    writeFileSync(join(directory, 'style.css'), STYLE)
    // its script asks the daemon, whose socket is not nobody's: it comes by way of this process
    mkdirSync(join(directory, '.config/coterie'), { recursive: true })
    const lines = join(directory, '.config/coterie/lines')
    const script = join(desk.directory, 'bar')
    writeFileSync(script, bars().script, { mode: 0o755 })
    writeFileSync(lines, '')
    writeFileSync(join(directory, '.config/coterie/bar'), `#!/bin/sh\nexec tail -n +1 -f ${lines}\n`, {
      mode: 0o755
    })
    chownSync(lines, NOBODY, NOBODY)
    follow(t, 'sh', ['-c', `exec ${script} > ${lines}`], desk.environment)
    const waybar = ['waybar', '-c', join(directory, 'config'), '-s', join(directory, 'style.css')]
    const look = { GDK_BACKEND: 'wayland', GTK_THEME: 'Adwaita:dark', GSETTINGS_BACKEND: 'memory' }
    const bar = follow(t, 'setpriv', [...as, ...waybar], { ...session, ...look })
    const picture = async () => (await run('setpriv', [...as, 'sh', '-c', paint], session)).out
    const keep = async (name: string, area: string) => {
      if (!images) return
      const file = join(directory, name)
      t.match(await run('setpriv', [...as, 'grim', '-s', '2', '-g', area, file], session), { code: 0 })
      copyFileSync(file, join(images, name))
    }
    await within(PATIENCE_MS, 'waybar is up', bar.line(/Bar configured/), () => bar.all.join('\n'))
    const without = await settled(picture)

    const tray = follow(t, join(bin, 'coterie'), ['tray'], desk.environment)
    const shown = await settled(picture, without)
    t.not(shown, without, 'the icon is in the bar')
    t.same(tray.all, [])

    const pointer = await Pointer.up(t, display['WAYLAND_DISPLAY']!, SCREEN)
    pointer.move(1258, 15)
    const pointed = await settled(picture, shown)
    pointer.click()
    const open = await settled(picture, pointed)
    t.not(open, pointed, 'a click opens its menu')
    pointer.move(1150, 82)
    await settled(picture, open)
    await keep('tray-waybar.png', '640,0 640x215')
    t.same(
      bar.all.filter(line => /\[error\]|Could not find/.test(line)),
      []
    )
  })

  const noX = lacking(...X_PROGRAMS, 'polybar', 'jq', 'nc', 'busctl')
  t.test('polybar', { skip: noX }, async t => {
    const directory = t.testdir()
    const desktop = await Desktop.up(t, directory)
    const desk = await devices(t, desktop.environment)
    const folder = join(desk.directory, '.config')
    for (const name of ['polybar', 'coterie']) mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, 'coterie/bar'), bars().script, { mode: 0o755 })
    writeFileSync(
      join(folder, 'polybar/config.ini'),
      `[bar/top]\nfont-0 = DejaVu Sans:size=10\nheight = 24\nbackground = #20242b\nmodules-left = coterie\n${bars().polybar}`
    )
    const before = desktop.colours()
    const bar = follow(t, 'polybar', ['top'], desk.environment)
    const shows = async () => {
      while (desktop.colours() <= before + 5) await new Promise(resolve => setTimeout(resolve, 100))
    }
    await within(PATIENCE_MS, 'it shows something', shows(), () => bar.all.join('\n'))
    t.notMatch(bar.all.join('\n'), /error/i)
  })

  t.test('xfce4-panel', { skip: lacking(...X_PROGRAMS, 'xfce4-panel', 'xfconf-query') }, async t => {
    const directory = t.testdir()
    const { address } = await TestBus.up(t, 'session')
    const server = start(t, 'Xvfb', ['-displayfd', '3', '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe']
    })
    const number = await new Promise<string>(resolve =>
      createInterface({ input: server.stdio[3] as Readable }).once('line', resolve)
    )
    const session = { DISPLAY: `:${number}`, DBUS_SESSION_BUS_ADDRESS: address }
    const home = { HOME: directory, XDG_CONFIG_HOME: join(directory, '.config'), XDG_RUNTIME_DIR: '/run' }
    const folder = join(home.XDG_CONFIG_HOME, 'xfce4/xfconf/xfce-perchannel-xml')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'xfce4-panel.xml'), XFCE)
    const places = Object.entries({ ...session, ...home }).map(([name, value]) => `${name}=${value}`)
    await run('dbus-update-activation-environment', places, session)
    const bar = follow(t, 'xfce4-panel', ['--disable-wm-check'], { ...session, ...home })
    const desk = await new Computer(t, 'desk', { env: session }).start()
    follow(t, join(bin, 'coterie'), ['tray'], desk.environment)
    const watcher = ['--dest', 'org.kde.StatusNotifierWatcher', '--object-path', '/StatusNotifierWatcher']
    const get = ['-m', 'org.freedesktop.DBus.Properties.GetAll', 'org.kde.StatusNotifierWatcher']
    const asked = async () => (await run('gdbus', ['call', '--session', ...watcher, ...get], session)).out
    const registered = async () => {
      while (!(await asked()).includes('org.kde.StatusNotifierItem-'))
        await new Promise(resolve => setTimeout(resolve, 100))
      return asked()
    }
    t.match(
      await within(PATIENCE_MS, 'its watcher has the icon', registered(), () => bar.all.join('\n')),
      /'IsStatusNotifierHostRegistered': <true>/
    )
  })

  t.test('the desktop entry is right', { skip: lacking('desktop-file-validate') }, async t => {
    const entry = 'packaging/org.coterie.Coterie.desktop'
    t.same(await run('desktop-file-validate', [entry]), { code: 0, out: '', err: '' })
  })
}
