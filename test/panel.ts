/**
 * A panel that takes icons, on a bus of a test's own, written from the StatusNotifierItem specification and
 * dbus-menu.xml of libdbusmenu: org.kde.StatusNotifierWatcher, and a host that reads items and clicks in their menus.
 */
import { Bus, plain } from '../src/host/bus.ts'
import { Inbox } from './daemon/surface.ts'

const WATCHER = 'org.kde.StatusNotifierWatcher'
const ITEM = 'org.kde.StatusNotifierItem'
const MENU = 'com.canonical.dbusmenu'

export interface Line {
  id: number
  label: string
  icon: string
  enabled: boolean
  separator: boolean
  below: Line[]
}

export class Panel {
  readonly bus: Bus
  /** Bus names, as they register. */
  readonly registered = new Inbox<string>()
  /** Members of signals of the items, and LayoutUpdated, ItemsPropertiesUpdated of their menus. */
  readonly signals = new Inbox<string>()

  private constructor(address: string) {
    this.bus = new Bus({ kind: 'session', address, log: () => {} })
    this.bus.serve(async ({ interface: its, member, body }) => {
      if (its !== WATCHER || member !== 'RegisterStatusNotifierItem') return undefined
      this.registered.put(String(body[0]))
      return { signature: '', body: [] }
    })
    this.bus.onUp(() => void this.bus.requestName(WATCHER))
    for (const its of [ITEM, MENU])
      this.bus.match({ interface: its }, ({ member }) => this.signals.put(member))
  }

  /** Resolves when it takes icons. */
  static async up(t: { teardown(fn: () => Promise<void>): void }, address: string): Promise<Panel> {
    const panel = new Panel(address)
    t.teardown(() => panel.bus.close())
    const up = new Promise<void>(resolve => panel.bus.onUp(resolve))
    panel.bus.start()
    await up
    return panel
  }

  async item(name: string): Promise<{ [property: string]: unknown }> {
    const call = { destination: name, path: '/StatusNotifierItem', member: 'GetAll' }
    const properties = 'org.freedesktop.DBus.Properties'
    const [all] = await this.bus.call({ ...call, interface: properties, signature: 's', body: [ITEM] })
    return plain(all) as { [property: string]: unknown }
  }

  /** The whole menu, as it says after it was told that somebody looks. */
  async menu(name: string): Promise<Line[]> {
    await this.#menu(name, 'AboutToShow', 'i', [0])
    return this.seen(name)
  }

  /** The whole menu, as it is. */
  async seen(name: string): Promise<Line[]> {
    const [, layout] = await this.#menu(name, 'GetLayout', 'iias', [0, -1, []])
    return line(plain(layout) as Layout).below
  }

  /** Clicks the line with this text, below the one that begins with `above`. */
  async click(name: string, label: string, above = ''): Promise<void> {
    let lines = await this.menu(name)
    if (above) lines = lines.find(l => l.label.startsWith(above))?.below ?? []
    const found = lines.find(l => l.label === label)
    if (!found) throw new Error(`no line ${label} among ${lines.map(l => l.label)}`)
    const { Variant } = await import('../src/host/bus.ts')
    await this.#menu(name, 'Event', 'isvu', [found.id, 'clicked', new Variant('i', 0), 0])
  }

  #menu(name: string, member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    return this.bus.call({ destination: name, path: '/MenuBar', interface: MENU, member, signature, body })
  }
}

type Layout = [id: number, properties: { [name: string]: unknown }, below: Layout[]]

const line = ([id, properties, below]: Layout): Line => ({
  id,
  label: String(properties['label'] ?? '').replaceAll('__', '_'),
  icon: String(properties['icon-name'] ?? ''),
  enabled: properties['enabled'] !== false,
  separator: properties['type'] === 'separator',
  below: below.map(line)
})
