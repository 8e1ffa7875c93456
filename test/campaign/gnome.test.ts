/**
 * The extension in real GNOME Shells, 43 of this computer and 48 of a Debian 13, with real daemons, and with one that
 * is played where much is to happen. COTERIE_PICTURES names a folder for pictures of it all, COTERIE_EXTENSION the
 * only extension that is wanted.
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { extensions, kinds } from '../../scripts/package/gnome-shell.ts'
import { TestBus } from '../bus.ts'
import { ChooserPortal } from '../chooser-portal.ts'
import { lacking } from '../command.ts'
import { type Census, GnomeShell } from '../gnome-shell.ts'
import { Computer } from '../integration/daemon.ts'
import { desktopTemplate } from '../lab/template.ts'
import { Logind } from '../logind.ts'
import { inside, mute } from '../namespace.ts'
import { PlayedDaemon } from '../played-daemon.ts'

const pictures = process.env['COTERIE_PICTURES'] ?? ''
const NET = ['--only', 'eth0']

const DRIVER = { destination: 'org.freedesktop.DBus', path: '/', interface: 'org.freedesktop.DBus' }
const PANEL = 'org.coterie.Coterie1.Panel'
/** Updates until all that is kept for reuse has been made once. */
const WARM = 1000
const MENU = { x: 664, y: 0, width: 360, height: 480 }
const DIALOG = { x: 232, y: 204, width: 560, height: 360 }

/** What the tests say in the shell; `its` is the extension. */
const WORDS = `(() => {
  const its = Main.extensionManager.lookup(UUID).stateObj
  const dialog = () => Main.layoutManager.modalDialogGroup.get_children().find(one => one.dialogLayout && [0, 2].includes(one.state))
  const all = actor => [actor, ...actor.get_children().flatMap(all)]
  globalThis.ct = {
    its,
    heading: () => its._heading.label.text,
    rows: () => [...its._rows.values()].map(row => [row.item.label.text, row.aside.text, row.facts.label.text]).sort(),
    does: (name, action) => [...its._rows.values()].find(row => row.peer.Name === name).offers[action].activate(null),
    dialog: () => {
      const [content] = dialog()?.contentLayout.get_children() ?? []
      return content && [content.title, content.description, content.get_children().at(-1).text ?? '']
    },
    type: text => (dialog().contentLayout.get_children()[0].get_children().at(-1).text = text),
    press: label => dialog().buttonLayout.get_children().find(button => button.label === label).emit('clicked', 1),
    said: [],
    actors: () => all(its._button).length + all(its._button.menu.actor).length,
    // as large a menu as that of twelve devices, made and destroyed by the shell alone
    control: () => {
      ct.all = true
      const [Button, Section, Item] = [its._button, its._devices, its._heading].map(one => one.constructor)
      const [{ item: { constructor: Device } }] = its._rows.values()
      const button = new Button(0.5, 'control')
      const section = new Section()
      button.menu.addMenuItem(section)
      for (let i = 0; i < 12; i++) {
        const device = new Device('', true)
        device.insert_child_at_index(new its._count.constructor(), 1)
        device.menu.addMenuItem(new Item(''))
        for (let j = 0; j < 5; j++) device.menu.addAction('action ' + j, () => device.menu)
        section.addMenuItem(device)
      }
      Main.panel.addToStatusArea('control', button)
      button.destroy()
      ct.all = false
    },
    opens: name => [...its._rows.values()].find(row => row.peer.Name === name).item.setSubmenuShown(true),
  }
  const { GObject } = imports.gi
  const { connect } = GObject.Object.prototype
  const handlers = []
  GObject.Object.prototype.connect = function (...signal) {
    const id = connect.apply(this, signal)
    if (ct.all || new Error().stack.includes('coterie')) handlers.push([new WeakRef(this), id])
    return id
  }
  const connected = ([object, id]) => object.deref() && GObject.signal_handler_is_connected(object.deref(), id)
  ct.handlers = () => {
    handlers.splice(0, Infinity, ...handlers.filter(connected))
    return handlers.length
  }
  const does = its._do
  its._do = action => {
    action.then(said => ct.said.push(said), error => ct.said.push(error.message))
    return does.call(its, action)
  }
})()`

async function shellUp(t: Test, uuid: string, root: string): Promise<GnomeShell> {
  const folder = t.testdir()
  await extensions(folder)
  const uuids = kinds.map(kind => kind.uuid)
  const shell = await GnomeShell.up(t, folder, uuids, root)
  await shell.until('it is enabled', `Main.extensionManager.lookup('${uuid}')?.state === 1`)
  await shell.eval(WORDS.replace('UUID', `'${uuid}'`))
  return shell
}

function told(t: Test, what: string, before: Census, after: Census): void {
  const grown = (name: keyof Census) => `${name} ${before[name]} -> ${after[name]}`
  t.comment(`${what}: ${(Object.keys(before) as (keyof Census)[]).map(grown).join(', ')}`)
}

function picture(shell: GnomeShell, version: string, name: string, area = MENU) {
  if (pictures === '') return undefined
  return (async () => {
    await new Promise(resolve => setTimeout(resolve, 700))
    await shell.picture(join(pictures, `gnome-${version}-${name}.png`), area)
  })()
}

if (inside(t, import.meta.url)) {
  mute('eth0', '192.168.7.20/24')
  const skip = lacking('gnome-shell', 'gjs')
  for (const {
    uuid,
    tried: [version = '']
  } of kinds.toReversed().filter(({ uuid }) => uuid.startsWith(process.env['COTERIE_EXTENSION'] ?? '')))
    t.test(`GNOME ${version}`, { skip }, async t => {
      const shell = await shellUp(t, uuid, version === '43' ? '' : await desktopTemplate('trixie'))
      const other = kinds.find(kind => kind.uuid !== uuid)!
      t.equal(
        await shell.eval(`Main.extensionManager.lookup('${other.uuid}').state`),
        4,
        'the other is out of date'
      )

      await t.test('without a daemon it says so, and starts none', async t => {
        const marker = join(shell.bus.services, 'started')
        const service = `[D-BUS Service]\nName=org.coterie.Coterie1\nExec=/usr/bin/touch ${marker}\n`
        writeFileSync(join(shell.bus.services, 'coterie.service'), service)
        await shell.caller.call({ ...DRIVER, member: 'ReloadConfig' })
        t.match(await shell.eval('ct.heading()'), /does not run.*\nsystemctl --user enable --now coterie/)
        await shell.eval('ct.its._button.menu.open()')
        await picture(shell, version, 'away')
        await shell.eval(
          'ct.its._daemon._look(); ct.its._agent.register(); ct.its.disable(); ct.its.enable()'
        )
        await shell.until('it is there again', 'ct.heading()')
        t.notOk(existsSync(marker), 'nothing was started')
        t.equal(await shell.eval(`Main.panel.statusArea.coterie.visible`), true)
      })

      const system = await TestBus.up(t, 'system')
      const logind = await Logind.up(t, system.address)
      const desk = new Computer(t, 'desk', { env: { DBUS_SESSION_BUS_ADDRESS: shell.bus.address } })
      const laptop = new Computer(t, 'laptop')
      const phone = new Computer(t, 'tablet', { env: { DBUS_SYSTEM_BUS_ADDRESS: system.address } })
      const nas = new Computer(t, 'nas')
      const folder = join(dirname(laptop.configFile), 'handlers/message')
      mkdirSync(folder, { recursive: true })
      symlinkSync(join(import.meta.dirname, '../../handlers/file'), join(folder, 'file'))
      for (const tag of ['notify', 'clipboard'])
        writeFileSync(join(folder, tag), `#!/bin/sh\ncat > ~/${tag}\n`, { mode: 0o755 })
      const has = (name: string) => readFileSync(join(laptop.directory, name), 'utf8')

      await t.test('devices come and go', async t => {
        await Promise.all([desk, laptop, phone, nas].map(one => one.start(NET)))
        await shell.until('a daemon without a circle', `/^in no circle yet/.test(ct.heading())`)
        await desk.founds()
        await shell.until('a circle', `ct.heading() === 'home: no other device yet'`)
        for (const one of [laptop, phone, nas]) await one.joins(await desk.ticket())
        await shell.until('three are reachable', `ct.its._count.text === '3'`)
        t.equal(await shell.eval('ct.heading()'), 'home: 3 of 3 reachable')
        t.same(await shell.eval('ct.rows().map(([name]) => name)'), ['laptop', 'nas', 'tablet'])
        t.match(await shell.until('a latency', 'ct.rows()[0][1] && ct.rows()[0]'), [
          'laptop',
          / ms$/,
          /^192\.168\.7\.20(:\d+)? · direct$/
        ])
        await nas.stop()
        await logind.sleep(true)
        await shell.until(
          'one sleeps, one is away',
          `ct.rows()[1][1] === 'unreachable' && ct.rows()[2][1] === 'asleep'`
        )
        t.same(await shell.eval('ct.its._count.text'), '1')
        t.match(await shell.eval('ct.rows()'), [
          [],
          [/./, /./, /^said goodbye · last seen/],
          [/./, /./, /^asleep since \d/]
        ])
        await shell.eval('ct.its._button.menu.open()')
        await picture(shell, version, 'menu')
        await shell.eval(`ct.opens('laptop')`)
        await picture(shell, version, 'device')
      })

      await t.test('what can be done with a device', async t => {
        await shell.eval(`ct.does('laptop', 'Send Text…')`)
        await shell.until('a dialog', 'ct.dialog()')
        await shell.eval(`ct.type('Grüße')`)
        await picture(shell, version, 'text', DIALOG)
        await shell.eval(`ct.press('Send')`)
        await shell.until('told', `ct.said.length === 1 && ct.said`)
        t.same(await shell.eval('ct.said'), ['laptop has it.'])
        t.equal(has('notify'), 'Grüße')

        await shell.eval(`imports.gi.St.Clipboard.get_default().set_text(1, 'from the clipboard')`)
        await shell.eval(`ct.does('laptop', 'Send Clipboard')`)
        await shell.until('it came', `ct.said.length === 2`)
        t.equal(has('clipboard'), 'from the clipboard')

        const plan = join(shell.folder, 'plan ü.pdf')
        writeFileSync(plan, Buffer.from([0, 255, 10, 0]))
        const portal = await ChooserPortal.up(t, shell.bus.address)
        portal.chooses = [`file://${encodeURI(plan)}`]
        await shell.eval(`ct.does('laptop', 'Send File…')`)
        await shell.until('it came', `ct.said.length === 3`)
        t.same(readFileSync(join(laptop.directory, 'Downloads/plan ü.pdf')), Buffer.from([0, 255, 10, 0]))
        t.equal(portal.title, 'Send a File to laptop')

        await shell.eval(`ct.does('nas', 'Why?')`)
        const [title, text] = (await shell.until('why', 'ct.dialog()')) as string[]
        t.equal(title, 'nas is unreachable')
        t.match(text, /\n\n/)
        await picture(shell, version, 'why', DIALOG)
        await shell.eval(`ct.press('Close')`)
        t.notOk(await shell.eval('ct.dialog()'))
        await shell.eval(`ct.does('nas', 'Wake')`)
        t.match(await shell.until('wake is answered', 'ct.said[4]'), /./)
        t.comment(JSON.stringify(await shell.eval('ct.said')))
      })

      await t.test('a device joins', async t => {
        const guest = new Computer(t, 'pad')
        await guest.start(NET)
        await shell.eval('ct.its._invite.activate(null)')
        const [title, text, code] = (await shell.until('a code', 'ct.dialog()')) as string[]
        t.equal(title, 'Invite a Device')
        t.match(text, /coterie join/)
        t.match(code, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/)
        await picture(shell, version, 'invite', DIALOG)
        await shell.eval(`ct.press('Hide')`)
        t.equal(await shell.eval('ct.its._invite.label.text'), `Invitation ${code}`)
        await shell.eval('ct.its._invite.activate(null)')
        await shell.until('the code again', 'ct.dialog()')
        const joined = guest.coterie(`join ${code} --at 192.168.7.20 --device pad`)
        await shell.until('the question', `ct.dialog()?.[0] === 'A Device Wants to Join'`)
        t.match(
          await shell.eval('ct.dialog()[1]'),
          /^“pad” \(\w+\) has the code and wants to join “home” as member\.$/
        )
        await picture(shell, version, 'join', DIALOG)
        await shell.eval(`ct.press('Accept')`)
        t.match(await joined, { code: 0 })
        await shell.until('it is in', `ct.rows().some(([name]) => name === 'pad')`)
        await shell.until(
          'all is settled',
          `!ct.dialog() && ct.its._invite.label.text === 'Invite a Device…'`
        )
        t.ok(((await shell.eval('ct.said')) as string[]).includes('pad has joined.'))

        t.comment('another one is declined')
        const other = new Computer(t, 'stranger')
        await other.start(NET)
        await shell.eval('ct.its._invite.activate(null)')
        const [, , again] = (await shell.until('a code', 'ct.dialog()')) as string[]
        const declined = other.coterie(`join ${again} --at 192.168.7.20 --device stranger`)
        await shell.until('the question', `ct.dialog()?.[0] === 'A Device Wants to Join'`)
        await shell.eval(`ct.press('Decline')`)
        t.match(await declined, { code: 1 })
        await shell.until('all is settled', `!ct.dialog()`)
        t.comment(await shell.eval('ct.its._invite.label.text'))
      })

      await t.test('a daemon that stands still, and one that is killed', async t => {
        desk.signal('SIGSTOP')
        const began = performance.now()
        await shell.eval(`ct.does('laptop', 'Why?'); ct.its._daemon._look(); ct.its._button.menu.open()`)
        await shell.eval('ct.its.disable(); ct.its.enable()')
        const took = performance.now() - began
        t.comment(`the shell answered within ${Math.round(took)} ms`)
        t.ok(took < 5_000, 'the shell is not held up')
        desk.signal('SIGCONT')
        await shell.until('it goes on', `ct.rows().length === 4`)
        await desk.kill()
        await shell.until('it is noticed', `/does not run/.test(ct.heading()) && ct.rows().length === 0`)
      })

      await t.test('a thousand updates, and two hundred times off and on', async t => {
        const played = await PlayedDaemon.up(shell.bus.address)
        t.teardown(() => played.close())
        await shell.until('it is found', `ct.heading() === 'home: 1 of 3 reachable'`)
        await played.tell(1, 40)
        await shell.eval('ct.its._button.menu.open()')
        await picture(shell, version, 'many')

        let n = 2
        const updates = async (count: number) => {
          for (const end = n + count; n < end; n++) await played.tell(n)
        }
        await updates(20)
        await shell.eval('ct.its._button.menu.close()')
        await updates(WARM)
        const before = await shell.census()
        const began = performance.now()
        await updates(1000)
        const each = (performance.now() - began) / 1000
        const after = await shell.census()
        t.equal(await shell.eval('ct.heading()'), `home: picture ${n - 1}`)
        told(t, `1,000 updates, ${each.toFixed(1)} ms each`, before, after)
        t.same([after.actors, after.handlers], [before.actors, before.handlers])
        t.ok(after.heap - before.heap < 500_000, 'nothing stays in its heap')

        const cycles = async (count: number, once: string) => {
          for (let i = 0; i < count; i++) {
            await shell.eval(once)
            if (i % 2) await shell.until('it is there', 'ct.its._rows.size === 12')
          }
          await shell.until('it is there', 'ct.its._rows.size === 12')
          return shell.census()
        }
        await cycles(20, 'ct.control()')
        const idle = await cycles(20, 'ct.its.disable(); ct.its.enable()')
        const on = await cycles(200, 'ct.control()')
        const again = await cycles(200, 'ct.its.disable(); ct.its.enable()')
        told(t, 'a menu like it 200 times made and destroyed', idle, on)
        told(t, '200 times off and on', on, again)
        t.same([again.actors, again.rules], [on.actors, on.rules])
        t.ok(
          again.handlers - on.handlers <= on.handlers - idle.handlers,
          'no handler stays but the shell’s own'
        )
        const [own, shells] = [again.heap - on.heap, on.heap - idle.heap].map(bytes =>
          Math.round(bytes / 200)
        )
        t.comment(`of each time ${own} bytes stay in the heap, ${shells} of such a menu alone`)
        t.ok(own! < shells! * 1.3 + 5_000, 'nothing stays that the shell does not keep of any menu')
        t.equal(played.subscriptions, 1, 'no subscription is left')
        t.equal(played.agents.size, 1, 'no agent is left')

        await shell.eval('ct.its.disable()')
        await shell.until('all is gone', '!Main.panel.statusArea.coterie')
        t.same([played.subscriptions, played.agents.size], [0, 0])
        const owner = shell.caller.call({ ...DRIVER, member: 'GetNameOwner', signature: 's', body: [PANEL] })
        await t.rejects(owner, 'the name of the panel is free')
        await shell.eval('ct.its.enable()')
      })
    })
}
