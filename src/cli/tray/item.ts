/**
 * The icon: org.kde.StatusNotifierItem, as the StatusNotifierItem specification of freedesktop.org and what KDE made
 * of it (ItemIsMenu, IconThemePath) have it. Hosts read all properties again after each New… signal.
 */
import { type Bus, type BusMessage, type BusReply, Variant } from '../../host/bus.ts'
import { MENU_PATH } from './menu.ts'
import type { Served } from './served.ts'

export const ITEM = 'org.kde.StatusNotifierItem'
const PATH = '/StatusNotifierItem'
const METHODS = ['Activate', 'SecondaryActivate', 'ContextMenu', 'Scroll']

/** What there is to see. */
export interface Face {
  /** Name of an icon. */
  readonly icon: string
  readonly title: string
  /** What else is said where the pointer rests; plain text. */
  readonly more: string
  /** Beside the icon, in the few panels that have a place for it. */
  readonly label: string
}

const position = '<arg name="x" type="i" direction="in"/><arg name="y" type="i" direction="in"/>'
const property = (name: string, type: string) => `
    <property name="${name}" type="${type}" access="read"/>`
const TYPES = {
  Category: 's',
  Id: 's',
  Title: 's',
  Status: 's',
  WindowId: 'i',
  IconName: 's',
  IconPixmap: 'a(iiay)',
  IconThemePath: 's',
  OverlayIconName: 's',
  OverlayIconPixmap: 'a(iiay)',
  AttentionIconName: 's',
  AttentionIconPixmap: 'a(iiay)',
  AttentionMovieName: 's',
  ToolTip: '(sa(iiay)ss)',
  ItemIsMenu: 'b',
  Menu: 'o',
  XAyatanaLabel: 's',
  XAyatanaLabelGuide: 's'
} as const

export class Item implements Served {
  readonly path = PATH
  readonly interface = ITEM
  readonly xml = `${Object.entries(TYPES)
    .map(([name, type]) => property(name, type))
    .join('')}
    <method name="Activate">${position}</method>
    <method name="SecondaryActivate">${position}</method>
    <method name="ContextMenu">${position}</method>
    <method name="Scroll">
      <arg name="delta" type="i" direction="in"/><arg name="orientation" type="s" direction="in"/>
    </method>
    <signal name="NewTitle"/>
    <signal name="NewIcon"/>
    <signal name="NewToolTip"/>
    <signal name="NewStatus"><arg name="status" type="s"/></signal>
    <signal name="XAyatanaNewLabel"><arg name="label" type="s"/><arg name="guide" type="s"/></signal>
  `
  readonly #bus: Bus
  readonly #themePath: string
  #face: Face

  /** `themePath`: where icons are that no theme has; '' when they are installed. */
  constructor(bus: Bus, themePath: string, face: Face) {
    this.#bus = bus
    this.#themePath = themePath
    this.#face = face
  }

  show(face: Face): void {
    const was = this.#face
    this.#face = face
    if (face.icon !== was.icon) this.#tell('NewIcon')
    if (face.title !== was.title) this.#tell('NewTitle')
    if (face.title !== was.title || face.more !== was.more) this.#tell('NewToolTip')
    if (face.label !== was.label) this.#tell('XAyatanaNewLabel', 'ss', [face.label, face.label])
  }

  properties(): { readonly [name: string]: Variant } {
    const { icon, title, more, label } = this.#face
    const values: { readonly [N in keyof typeof TYPES]: unknown } = {
      Category: 'Communications',
      Id: 'coterie',
      Title: title,
      Status: 'Active',
      WindowId: 0,
      IconName: icon,
      IconPixmap: [],
      IconThemePath: this.#themePath,
      OverlayIconName: '',
      OverlayIconPixmap: [],
      AttentionIconName: '',
      AttentionIconPixmap: [],
      AttentionMovieName: '',
      ToolTip: [icon, [], title, escaped(more)],
      ItemIsMenu: true,
      Menu: MENU_PATH,
      XAyatanaLabel: label,
      XAyatanaLabelGuide: label
    }
    return Object.fromEntries(
      Object.entries(TYPES).map(([name, type]) => [
        name,
        new Variant(type, values[name as keyof typeof TYPES])
      ])
    )
  }

  /** The menu is all there is: whoever calls these has looked at neither ItemIsMenu nor Menu. */
  async call({ member }: BusMessage): Promise<BusReply | undefined> {
    return METHODS.includes(member) ? { signature: '', body: [] } : undefined
  }

  #tell(member: string, signature = '', body: unknown[] = []): void {
    this.#bus.emit({ path: PATH, interface: ITEM, member, signature, body })
  }
}

/** The second part of a tool tip is markup. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
