/**
 * `coterie tray`, put together: one icon on the bus, offered to whatever panel takes icons, for as long as no other
 * panel shows Coterie.
 */

import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { INTERFACE } from '../../api/api.ts'
import { Bus } from '../../host/bus.ts'
import { Notifications } from '../../host/notifications.ts'
import { err, out, printable } from '../print.ts'
import { Failure } from '../run.ts'
import { starting } from '../starting.ts'
import { Actions, type Tell } from './actions.ts'
import { Following } from './following.ts'
import { Item } from './item.ts'
import { Menu } from './menu.ts'
import { serve } from './served.ts'
import { entriesOf, faceOf } from './view.ts'

/** Whoever shows Coterie owns it; the GNOME extension takes it from others (docs/decisions/0172). */
export const PANEL = `${INTERFACE}.Panel`
const WATCHER = 'org.kde.StatusNotifierWatcher'
const ITEM_NAME = `org.kde.StatusNotifierItem-${process.pid}-1`
const TAKEN = `another panel shows Coterie already (${PANEL} is taken), so this icon is not needed`
const NO_WATCHER = 'no panel here takes icons yet (org.kde.StatusNotifierWatcher); waiting for one'

/** Resolves with why it ended. Rejects Failure where there is no session bus. */
export function showPanel(socket: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const bus = new Bus({
    kind: 'session',
    log: (level, text) => (level === 'warn' || level === 'error') && err(`coterie: ${text}`)
  })
  const following = new Following(bus, socket, () => show())
  let trouble = ''
  const tell = teller(new Notifications(bus), text => {
    trouble = text
    show()
  })
  const quit = () => resolve('')
  const actions = new Actions({ bus, socket, tell, onChange: () => show(), quit })
  const item = new Item(bus, iconsOfCheckout(), faceOf(undefined, starting().command, 0))
  const menu = new Menu(bus, () => following.refresh())
  function show(): void {
    const now = Date.now() * 1000
    const start = starting().command
    item.show(faceOf(following.status, start, now))
    menu.show(entriesOf(following.status, { start, inviting: actions.inviting, trouble }, actions, now))
  }
  show()
  serve(bus, [item, menu])

  let named = false
  let watcher: string | undefined
  const register = () => {
    if (!named || !watcher) return
    const to = { destination: watcher, path: '/StatusNotifierWatcher', interface: WATCHER }
    bus
      .call({ ...to, member: 'RegisterStatusNotifierItem', signature: 's', body: [ITEM_NAME] })
      .catch(error => err(`coterie: the panel does not take the icon: ${printable(error.message)}`))
  }
  const connected = async () => {
    if ((await bus.requestName(PANEL, { replaceable: true })) === 'taken') return resolve(TAKEN)
    await bus.requestName(ITEM_NAME)
    named = true
    register()
  }
  let once = false
  bus.onUp(() => {
    once = true
    connected().catch(error => err(`coterie: ${printable(error.message)}`))
  })
  bus.onDown(() => {
    named = false
    if (!once) reject(new Failure('there is no session bus, and icons are shown by it'))
  })
  bus.watchName(PANEL, owner => named && owner !== '' && owner !== bus.uniqueName && resolve(TAKEN))
  bus.watchName(WATCHER, owner => {
    if (owner === '' && watcher === undefined && bus.connected) err(`coterie: ${NO_WATCHER}`)
    watcher = owner
    register()
  })
  following.start()
  bus.start()
  return promise.finally(() => bus.close())
}

/** What can be told by no notification is told in the menu. */
function teller(notifications: Notifications, onTrouble: (text: string) => void): Tell {
  return async (title, text, stays = false) => {
    try {
      const id = await notifications.tell({ summary: printable(title), body: text, stays })
      onTrouble('')
      return () => void notifications.close(id)
    } catch (error) {
      onTrouble(stays ? 'No notifications here: coterie invite does it in a terminal' : `${title}: ${text}`)
      throw error
    }
  }
}

/** Where a checkout has its icons, as a folder of files; '' in a package, where they are in a theme. */
function iconsOfCheckout(): string {
  const folder = fileURLToPath(new URL('../../../packaging/icons/hicolor/scalable/status', import.meta.url))
  return statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? folder : ''
}

/** Runs until another panel takes over, or the person wants it so. */
export async function tray(socket: string): Promise<void> {
  const why = await showPanel(socket)
  if (why) out(why)
}
