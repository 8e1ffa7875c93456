/** `coterie tray` on a bus with a panel of the test's own, above real daemons. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { INTERFACE } from '../../src/api/api.ts'
import { Bus, plain, Variant } from '../../src/host/bus.ts'
import { TestBus } from '../bus.ts'
import { bin } from '../cli/command.ts'
import { follow, lacking, run } from '../command.ts'
import { PATIENCE_MS, within } from '../lab/deadline.ts'
import { inside } from '../namespace.ts'
import { NotificationService } from '../notification-service.ts'
import { type Line, Panel } from '../panel.ts'
import { Computer } from './daemon.ts'

const handlers = join(import.meta.dirname, '../../handlers')
const PANEL = `${INTERFACE}.Panel`

/** Starts `coterie tray`; resolves with the name it registers. */
async function icon(t: Test, computer: Computer, panel: Panel, env: { [name: string]: string } = {}) {
  const tray = follow(t, join(bin, 'coterie'), ['tray'], { ...computer.environment, ...env })
  const name = await within(PATIENCE_MS, 'the icon', panel.registered.next(), () => tray.all.join('\n'))
  return { tray, name }
}

/** Looks at the menu after each signal until it holds. */
async function menuWith(panel: Panel, name: string, holds: (lines: Line[]) => boolean): Promise<Line[]> {
  let lines: Line[] = []
  const look = async () => {
    for (;;) {
      lines = await panel.seen(name)
      if (holds(lines)) return lines
      await panel.signals.next()
    }
  }
  return within(PATIENCE_MS, 'such a menu', look(), () => JSON.stringify(lines, null, 1))
}
const labels = (lines: Line[]) => lines.map(l => l.label)
const told = async (service: NotificationService, title: string) => {
  const { summary, body, id, ...more } = await within(
    PATIENCE_MS,
    `a notification of ${title}`,
    service.shown.until(shown => shown.summary === title),
    () => JSON.stringify(service.shown.seen)
  )
  return { summary, body, id, ...more }
}

/** A program of the desktop, in a folder to be put into PATH. */
function program(folder: string, name: string, script: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

if (inside(t, import.meta.url)) {
  t.test('the menu says how it is, and does what it says', async t => {
    const { address } = await TestBus.up(t, 'bare')
    const env = { DBUS_SESSION_BUS_ADDRESS: address }
    const desk = new Computer(t, 'desk', { env })
    const laptop = new Computer(t, 'lap_top')
    const [panel, service] = [await Panel.up(t, address), await NotificationService.up(t, address)]
    const programs = join(desk.directory, 'programs')
    const { name } = await icon(t, desk, panel, {
      PATH: `${programs}:${desk.environment['PATH']}`,
      DISPLAY: ':9'
    })

    t.comment('nothing runs, and nothing is started')
    t.match(await panel.item(name), { Title: 'Coterie is not running', IconName: 'coterie-unreachable' })
    t.same(labels(await panel.menu(name)), [
      'Coterie is not running',
      '',
      'To start it: npm start',
      '',
      'Hide this icon'
    ])
    t.notOk(existsSync(desk.socket))

    t.comment('it starts, and makes a circle')
    await desk.start()
    await menuWith(panel, name, lines => labels(lines).includes('To join one: coterie join CODE'))
    await laptop.start()
    await desk.founds()
    await laptop.joins(await desk.ticket())
    const lines = await menuWith(panel, name, lines => lines[2]?.icon === 'coterie-reachable')
    t.match(labels(lines), [
      'home: 1 of 1 other device reachable',
      '',
      /^lap_top {2}[\d.]+ ms$|^lap_top$/,
      '',
      'Invite a device…',
      '',
      'Hide this icon'
    ])
    t.match(labels((await panel.menu(name))[2]!.below), [
      /^Reachable, [\d.]+ ms$/,
      /^127\.0\.0\.1|^::1|^\[::1\]/,
      '',
      'Send a file…',
      'Send the clipboard',
      'Why?'
    ])
    t.match(await panel.item(name), {
      IconName: 'coterie-reachable',
      Title: 'home: 1 of 1 other device reachable',
      ToolTip: ['coterie-reachable', [], 'home: 1 of 1 other device reachable', 'lap_top: reachable'],
      XAyatanaLabel: '1',
      ItemIsMenu: true,
      Menu: '/MenuBar'
    })

    t.comment('as other programs see it')
    const skip = lacking('gdbus', 'busctl')
    if (!skip) {
      const at = ['--session', '--dest', name, '--object-path']
      const item = await run('gdbus', ['introspect', ...at, '/StatusNotifierItem'], env)
      t.match(item, { code: 0, out: /readonly \(sa\(iiay\)ss\) ToolTip = \('coterie-reachable'/ })
      const menu = await run('busctl', [`--address=${address}`, 'introspect', name, '/MenuBar'], env)
      t.match(menu, { code: 0, out: /\.GetLayout +method +iias +u\(ia\{sv\}av\)/ })
      const wrong = await run(
        'gdbus',
        ['call', ...at, '/MenuBar', '-m', 'com.canonical.dbusmenu.Event', '999', 'clicked', '<0>', '0'],
        env
      )
      t.match(wrong, { code: 1, err: /there is no line 999/ })
      const odd = await run(
        'gdbus',
        ['call', ...at, '/MenuBar', '-m', 'com.canonical.dbusmenu.GetLayout'],
        env
      )
      t.not(odd.code, 0, 'a call that lacks what it takes')
    }

    t.comment('a file, by a dialog of zenity, into the Downloads folder there')
    const folder = join(dirname(laptop.configFile), 'handlers/message')
    mkdirSync(folder, { recursive: true })
    symlinkSync(join(handlers, 'file'), join(folder, 'file'))
    program(folder, 'clipboard', `cat > ${laptop.directory}/clipboard`)
    await laptop.call('Reload')
    const plan = join(desk.directory, 'plan <1>.txt')
    writeFileSync(plan, 'the plan\n')
    program(programs, 'zenity', `[ "$1" = --file-selection ] && echo '${plan}'`)
    await panel.click(name, 'Send a file…', 'lap_top')
    t.match(await told(service, 'lap_top'), { body: 'plan &lt;1&gt;.txt: done on lap_top' })
    t.equal(readFileSync(join(laptop.directory, 'Downloads/plan <1>.txt'), 'utf8'), 'the plan\n')
    writeFileSync(plan, Buffer.alloc(1_048_576))
    await panel.click(name, 'Send a file…', 'lap_top')
    t.match(await told(service, 'lap_top'), { body: /is too large: a message carries 1 MiB/ })

    t.comment('a file, by the portal')
    const portal = new Bus({ kind: 'session', address, log: () => {} })
    t.teardown(() => portal.close())
    writeFileSync(plan, 'by the portal\n')
    portal.serve(async ({ sender, member, body }) => {
      if (member !== 'OpenFile') return undefined
      const { handle_token: token } = plain(body[2]) as { handle_token: string }
      const path = `/org/freedesktop/portal/desktop/request/${sender.slice(1).replaceAll('.', '_')}/${token}`
      const uris = new Variant('as', [`file://${encodeURI(plan)}`])
      // before the answer, which is allowed
      portal.emit({
        path,
        interface: 'org.freedesktop.portal.Request',
        member: 'Response',
        signature: 'ua{sv}',
        body: [0, { uris }],
        destination: sender
      })
      return { signature: 'o', body: [path] }
    })
    const up = new Promise<void>(resolve => portal.onUp(resolve))
    portal.start()
    await up
    await portal.requestName('org.freedesktop.portal.Desktop')
    await panel.click(name, 'Send a file…', 'lap_top')
    t.match(await told(service, 'lap_top'), { body: /done on lap_top/ })
    t.equal(readFileSync(join(laptop.directory, 'Downloads/plan <1>-2.txt'), 'utf8'), 'by the portal\n')

    t.comment('the clipboard')
    program(programs, 'xclip', 'printf "from the desk"')
    await panel.click(name, 'Send the clipboard', 'lap_top')
    t.match(await told(service, 'lap_top'), { body: 'The clipboard: done on lap_top' })
    t.equal(readFileSync(join(laptop.directory, 'clipboard'), 'utf8'), 'from the desk')
    program(programs, 'xclip', 'exit 1')
    await panel.click(name, 'Send the clipboard', 'lap_top')
    t.match(await told(service, 'lap_top'), { body: 'there is no text in the clipboard' })

    t.comment('why')
    await panel.click(name, 'Why?', 'lap_top')
    t.match(await told(service, 'lap_top'), { body: /^It is reachable: [\d.]+ ms\./ })

    t.comment('an invitation, to its end')
    await panel.click(name, 'Invite a device…')
    const shown = await told(service, 'Invitation')
    t.match(shown, { timeout: 0, hints: { urgency: 2, 'desktop-entry': 'org.coterie.Coterie' } })
    const code = /coterie join (\S+)\n/.exec(shown.body)?.[1] ?? ''
    t.match(code, /^\w{4}-\w{4}$/)
    t.ok(labels(await panel.menu(name)).includes('Cancel the invitation'))
    t.notMatch(JSON.stringify(await panel.menu(name)), code, 'it is in no menu')
    const phone = await new Computer(t, 'phone').start()
    const joined = phone.aside('Join', {
      Code: code,
      At: [`127.0.0.1:${(await desk.status()).Listeners[0]!.Port}`],
      Device: 'phone'
    })
    const asked = await told(service, 'A device wants to join')
    service.press(asked.id, 'accept')
    await within(PATIENCE_MS, 'phone joins', joined)
    t.match(await told(service, 'Coterie'), { body: 'phone has joined.' })
    await within(
      PATIENCE_MS,
      'the code goes',
      service.closed.until(id => id === shown.id)
    )
    await menuWith(panel, name, lines => labels(lines).includes('Invite a device…'))

    t.comment('and one that is cancelled')
    await panel.click(name, 'Invite a device…')
    const other = await told(service, 'Invitation')
    await panel.click(name, 'Cancel the invitation')
    await within(
      PATIENCE_MS,
      'the code goes',
      service.closed.until(id => id === other.id)
    )

    t.comment('one that is away')
    await phone.stop()
    const away = await menuWith(panel, name, lines =>
      lines.some(l => l.label.startsWith('phone  away since'))
    )
    const its = away.find(l => l.label.startsWith('phone'))!
    t.equal(its.icon, 'coterie-unreachable')
    t.match(labels(its.below), [
      /^Away since \d\d:\d\d, said goodbye$/,
      '',
      'Send a file…',
      /clipboard/,
      'Wake',
      'Why?'
    ])
    await panel.click(name, 'Wake', 'phone')
    t.match(await told(service, 'phone'), { body: /.+/ }, 'whatever comes of it is told')
    await panel.click(name, 'Why?', 'phone')
    t.match(await told(service, 'phone'), { body: /^It is unreachable: said goodbye\./ })
  })

  t.test('panels, daemons and buses come and go', async t => {
    const bus = await TestBus.up(t, 'bare')
    const { address } = bus
    const desk = await new Computer(t, 'desk', { env: { DBUS_SESSION_BUS_ADDRESS: address } }).start()
    await desk.founds()
    let panel = await Panel.up(t, address)
    const { tray, name } = await icon(t, desk, panel)
    const alone = 'desk is the only device in home'
    await menuWith(panel, name, lines => lines[0]?.label === alone)

    t.comment('the daemon dies, and comes again')
    await desk.kill()
    await menuWith(panel, name, lines => lines[0]?.label === 'Coterie is not running')
    await desk.start()
    await menuWith(panel, name, lines => lines[0]?.label === alone)

    t.comment('the panel starts anew')
    await panel.bus.close()
    panel = await Panel.up(t, address)
    t.equal(await within(PATIENCE_MS, 'registered again', panel.registered.next()), name)

    t.comment('the bus starts anew')
    await bus.kill()
    await bus.start()
    t.equal(await within(PATIENCE_MS, 'registered again', panel.registered.next()), name)
    await menuWith(panel, name, lines => lines[0]?.label === alone)

    t.comment('a panel of its own takes over')
    const second = await run(join(bin, 'coterie'), ['tray'], desk.environment)
    t.match(second, { code: 0, out: /another panel shows Coterie already/ }, 'a second one is not needed')
    const extension = new Bus({ kind: 'session', address, log: () => {} })
    t.teardown(() => extension.close())
    const up = new Promise<void>(resolve => extension.onUp(resolve))
    extension.start()
    await up
    const driver = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus' }
    const REPLACE = 2 | 4
    const request = { ...driver, interface: 'org.freedesktop.DBus', member: 'RequestName', signature: 'su' }
    t.same(await extension.call({ ...request, body: [PANEL, REPLACE] }), [1])
    await within(PATIENCE_MS, 'it says so', tray.line(/another panel shows Coterie already/))
    t.equal(await within(PATIENCE_MS, 'it ends', tray.ended), 0)
  })

  t.test('without a session bus', async t => {
    const desk = new Computer(t, 'desk', { env: { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' } })
    t.match(await desk.coterie('tray'), { code: 1, err: /there is no session bus/ })
  })
}
