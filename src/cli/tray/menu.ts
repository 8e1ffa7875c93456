/** A menu on the bus: com.canonical.dbusmenu, version 3 (its XML is in libdbusmenu-glib, dbus-menu.xml). */
import { type Bus, BusError, type BusMessage, type BusReply, Variant } from '../../host/bus.ts'
import type { Served } from './served.ts'

export const MENU_PATH = '/MenuBar'
const MENU = 'com.canonical.dbusmenu'
const ROOT_ID = 0
const INVALID = 'org.freedesktop.DBus.Error.InvalidArgs'
/** What methods take. */
const TAKEN: { readonly [member: string]: string } = {
  GetLayout: 'iias',
  GetGroupProperties: 'aias',
  GetProperty: 'is',
  Event: 'isvu',
  EventGroup: 'a(isvu)',
  AboutToShow: 'i',
  AboutToShowGroup: 'ai'
}

export interface Entry {
  /** The same for what is the same in the next menu. */
  readonly key: string
  /** Plain text; '' for a line between. */
  readonly label: string
  /** Name of an icon. */
  readonly icon?: string
  readonly below?: readonly Entry[]
  /** Without it and without `below` it only says something. */
  readonly act?: () => void
}

type Properties = { readonly [name: string]: Variant }
interface Line {
  readonly properties: Properties
  readonly below: readonly number[]
  readonly act: (() => void) | undefined
}

export class Menu implements Served {
  readonly path = MENU_PATH
  readonly interface = MENU
  readonly xml = XML
  readonly #bus: Bus
  readonly #looked: () => Promise<void>
  readonly #ids = new Map<string, number>()
  #lines: ReadonlyMap<number, Line> = new Map([[ROOT_ID, { properties: {}, below: [], act: undefined }]])
  #revision = 1
  #last = ROOT_ID

  /** `looked`: somebody is about to look at it; what it says should be of now. */
  constructor(bus: Bus, looked: () => Promise<void>) {
    this.#bus = bus
    this.#looked = looked
  }

  show(entries: readonly Entry[]): void {
    const was = this.#lines
    const lines = new Map<number, Line>()
    const below = this.#place(entries, '', lines)
    lines.set(ROOT_ID, {
      properties: { 'children-display': new Variant('s', 'submenu') },
      below,
      act: undefined
    })
    this.#lines = lines
    const same = [...lines].every(([id, line]) => `${was.get(id)?.below}` === `${line.below}`)
    if (!same || was.size !== lines.size) {
      this.#revision++
      this.#tell('LayoutUpdated', 'ui', [this.#revision, ROOT_ID])
      return
    }
    const changed = [...lines].flatMap(([id, line]) => {
      const names = [...new Set([...Object.keys(line.properties), ...Object.keys(was.get(id)!.properties)])]
      const others = names.filter(name => !equal(line.properties[name], was.get(id)!.properties[name]))
      return others.length > 0 ? [{ id, line, others }] : []
    })
    if (changed.length === 0) return
    const set = changed.map(({ id, line, others }) => [id, picked(line.properties, others)])
    const gone = changed.flatMap(({ id, line, others }) => {
      const names = others.filter(name => line.properties[name] === undefined)
      return names.length > 0 ? [[id, names]] : []
    })
    this.#tell('ItemsPropertiesUpdated', 'a(ia{sv})a(ias)', [set, gone])
  }

  properties(): Properties {
    return {
      Version: new Variant('u', 3),
      TextDirection: new Variant('s', 'ltr'),
      Status: new Variant('s', 'normal'),
      IconThemePath: new Variant('as', [])
    }
  }

  async call({ member, signature, body }: BusMessage): Promise<BusReply | undefined> {
    if (Object.hasOwn(TAKEN, member) && TAKEN[member] !== signature)
      throw new BusError(INVALID, `${member} takes ${TAKEN[member]}`)
    switch (member) {
      case 'GetLayout': {
        const [id, depth, names] = body as [number, number, string[]]
        this.#line(id)
        return { signature: 'u(ia{sv}av)', body: [this.#revision, this.#layout(id, depth, names)] }
      }
      case 'GetGroupProperties': {
        const [ids, names] = body as [number[], string[]]
        // none means all
        const wanted = ids.length > 0 ? ids.filter(id => this.#lines.has(id)) : [...this.#lines.keys()]
        return {
          signature: 'a(ia{sv})',
          body: [wanted.map(id => [id, picked(this.#line(id).properties, names)])]
        }
      }
      case 'GetProperty': {
        const [id, name] = body as [number, string]
        const value = this.#line(id).properties[name]
        if (value === undefined) throw new BusError(INVALID, `the line ${id} has no property ${name}`)
        return { signature: 'v', body: [value] }
      }
      case 'Event':
        this.#event(body as [number, string])
        return { signature: '', body: [] }
      case 'EventGroup': {
        const events = body[0] as [number, string][]
        const unknown = events.filter(([id]) => !this.#lines.has(id)).map(([id]) => id)
        if (events.length > 0 && unknown.length === events.length)
          throw new BusError(INVALID, 'no such lines')
        for (const event of events) if (this.#lines.has(event[0])) this.#event(event)
        return { signature: 'ai', body: [unknown] }
      }
      case 'AboutToShow': {
        const [id] = body as [number]
        this.#line(id)
        return { signature: 'b', body: [await this.#aboutToShow()] }
      }
      case 'AboutToShowGroup': {
        const ids = body[0] as number[]
        const other = await this.#aboutToShow()
        const known = ids.filter(id => this.#lines.has(id))
        return { signature: 'aiai', body: [other ? known : [], ids.filter(id => !this.#lines.has(id))] }
      }
      default:
        return undefined
    }
  }

  /** Resolves with whether the layout is another one then. */
  async #aboutToShow(): Promise<boolean> {
    const before = this.#revision
    await this.#looked()
    return this.#revision !== before
  }

  #event([id, what]: [number, string, ...unknown[]]): void {
    const line = this.#line(id)
    if (what === 'clicked') line.act?.()
    // some hosts ask nothing, and only say that it is open
    else if (what === 'opened') void this.#looked()
  }

  #line(id: number): Line {
    const line = this.#lines.get(id)
    if (line === undefined) throw new BusError(INVALID, `there is no line ${id} in this menu`)
    return line
  }

  /** (ia{sv}av) of a line and, so deep, of those below; -1: of all. */
  #layout(id: number, depth: number, names: readonly string[]): unknown[] {
    const { properties, below } = this.#line(id)
    const children = depth === 0 ? [] : below.map(child => this.#layout(child, depth - 1, names))
    return [id, picked(properties, names), children.map(child => new Variant('(ia{sv}av)', child))]
  }

  #place(entries: readonly Entry[], above: string, lines: Map<number, Line>): number[] {
    return entries.map(entry => {
      const key = `${above}/${entry.key}`
      const id = this.#ids.get(key) ?? ++this.#last
      this.#ids.set(key, id)
      const below = this.#place(entry.below ?? [], key, lines)
      lines.set(id, { properties: propertiesOf(entry), below, act: entry.act })
      return id
    })
  }

  #tell(member: string, signature: string, body: unknown[]): void {
    this.#bus.emit({ path: MENU_PATH, interface: MENU, member, signature, body })
  }
}

/** What has its default is left out. */
function propertiesOf({ label, icon, below, act }: Entry): Properties {
  if (label === '') return { type: new Variant('s', 'separator') }
  const speaks = act === undefined && below === undefined
  return {
    // one _ would underline the next letter
    label: new Variant('s', label.replaceAll('_', '__')),
    ...(speaks && { enabled: new Variant('b', false) }),
    ...(icon !== undefined && { 'icon-name': new Variant('s', icon) }),
    ...(below !== undefined && { 'children-display': new Variant('s', 'submenu') })
  }
}

/** Those with these names; no names mean all. */
const picked = (properties: Properties, names: readonly string[]): Properties =>
  names.length === 0
    ? properties
    : Object.fromEntries(Object.entries(properties).filter(([name]) => names.includes(name)))

const equal = (a: Variant | undefined, b: Variant | undefined): boolean => a?.value === b?.value

const out = (name: string, type: string) => `<arg name="${name}" type="${type}" direction="out"/>`
const into = (name: string, type: string) => `<arg name="${name}" type="${type}" direction="in"/>`
const XML = `
    <property name="Version" type="u" access="read"/>
    <property name="TextDirection" type="s" access="read"/>
    <property name="Status" type="s" access="read"/>
    <property name="IconThemePath" type="as" access="read"/>
    <method name="GetLayout">
      ${into('parentId', 'i')}${into('recursionDepth', 'i')}${into('propertyNames', 'as')}
      ${out('revision', 'u')}${out('layout', '(ia{sv}av)')}
    </method>
    <method name="GetGroupProperties">
      ${into('ids', 'ai')}${into('propertyNames', 'as')}${out('properties', 'a(ia{sv})')}
    </method>
    <method name="GetProperty">${into('id', 'i')}${into('name', 's')}${out('value', 'v')}</method>
    <method name="Event">
      ${into('id', 'i')}${into('eventId', 's')}${into('data', 'v')}${into('timestamp', 'u')}
    </method>
    <method name="EventGroup">${into('events', 'a(isvu)')}${out('idErrors', 'ai')}</method>
    <method name="AboutToShow">${into('id', 'i')}${out('needUpdate', 'b')}</method>
    <method name="AboutToShowGroup">
      ${into('ids', 'ai')}${out('updatesNeeded', 'ai')}${out('idErrors', 'ai')}
    </method>
    <signal name="ItemsPropertiesUpdated">
      <arg name="updatedProps" type="a(ia{sv})"/><arg name="removedProps" type="a(ias)"/>
    </signal>
    <signal name="LayoutUpdated"><arg name="revision" type="u"/><arg name="parent" type="i"/></signal>
    <signal name="ItemActivationRequested"><arg name="id" type="i"/><arg name="timestamp" type="u"/></signal>
  `
