/**
 * Notifications on the desktop (Desktop Notifications Specification 1.2), with buttons where the service that runs has
 * them. None is started.
 */
import { type Bus, Variant } from './bus.ts'

const NAME = 'org.freedesktop.Notifications'
const INTERFACE = NAME
const PATH = '/org/freedesktop/Notifications'
/** A desktop that is busy; nobody waits longer to know whether there are buttons. */
const CAPABILITIES_MS = 2_000
/** `urgency`: it stays until it is answered. */
const CRITICAL = 2

export interface Notice {
  readonly summary: string
  /** Plain text; it is escaped here. */
  readonly body: string
  /** Until it is dismissed or closed. */
  readonly stays?: boolean
  /** Id of one whose place it takes. */
  readonly replaces?: number
}

export interface Notification {
  readonly summary: string
  /** Plain text; it is escaped here. */
  readonly body: string
  /** What the buttons say, by their keys. */
  readonly buttons: { readonly [key: string]: string }
}

export class Notifications {
  readonly #bus: Bus

  constructor(bus: Bus) {
    this.#bus = bus
  }

  /** A service is there, and it has buttons. */
  async there(): Promise<boolean> {
    return (await this.#owner()) !== undefined
  }

  /**
   * Shows it until a button is pressed, and resolves with its key; undefined when none can be pressed any more:
   * it was dismissed, the service went away, or `signal` was aborted, which takes the notification away.
   */
  async ask(notification: Notification, signal: AbortSignal): Promise<string | undefined> {
    const owner = await this.#owner()
    if (owner === undefined || signal.aborted) return undefined
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    let id: unknown
    // What is said of a notification before its id is known is looked at when it is.
    const early: { member: string; body: unknown[] }[] = []
    const heard = (member: string, body: unknown[]) => {
      if (id === undefined) early.push({ member, body })
      else if (body[0] !== id) return
      else if (member === 'NotificationClosed') resolve(undefined)
      else if (Object.hasOwn(notification.buttons, String(body[1]))) resolve(String(body[1]))
    }
    const signals = { sender: owner, path: PATH, interface: INTERFACE }
    const ends = [
      this.#bus.match(signals, m => {
        if (m.member === 'ActionInvoked' || m.member === 'NotificationClosed') heard(m.member, m.body)
      }),
      this.#bus.watchName(owner, now => now === '' && resolve(undefined))
    ]
    const aborted = () => resolve(undefined)
    signal.addEventListener('abort', aborted)
    try {
      ;[id] = await this.#call(owner, 'Notify', 'susssasa{sv}i', notify(notification))
      for (const { member, body } of early) heard(member, body)
      if (signal.aborted) resolve(undefined)
      return await promise
    } catch {
      return undefined
    } finally {
      signal.removeEventListener('abort', aborted)
      for (const end of ends) end()
      // one that was answered goes by itself on most desktops; on all of them it is of no use any more
      if (id !== undefined) this.#call(owner, 'CloseNotification', 'u', [id]).catch(() => {})
    }
  }

  /** Shows it; resolves with its id. Rejects BusError where no service takes it within 5 s. */
  async tell({ summary, body, stays = false, replaces = 0 }: Notice): Promise<number> {
    const hints = { ...HINTS, ...(stays && { urgency: new Variant('y', CRITICAL) }) }
    const words = [APPLICATION, replaces, ICON, summary, escaped(body), [], hints, stays ? 0 : -1]
    const [id] = await this.#call(NAME, 'Notify', 'susssasa{sv}i', words)
    return Number(id)
  }

  /** Takes it away, if it is still there. Never rejects. */
  async close(id: number): Promise<void> {
    await this.#call(NAME, 'CloseNotification', 'u', [id]).catch(() => {})
  }

  /** The unique name of the service, if it has buttons. */
  async #owner(): Promise<string | undefined> {
    try {
      const driver = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus' }
      const lookup = { ...driver, interface: 'org.freedesktop.DBus', member: 'GetNameOwner' }
      const [owner] = await this.#bus.call({ ...lookup, signature: 's', body: [NAME] })
      const [capabilities] = await this.#call(String(owner), 'GetCapabilities', '', [], CAPABILITIES_MS)
      return Array.isArray(capabilities) && capabilities.includes('actions') ? String(owner) : undefined
    } catch {
      return undefined
    }
  }

  #call(owner: string, member: string, signature: string, body: unknown[], timeoutMs?: number) {
    const call = { destination: owner, path: PATH, interface: INTERFACE, member, signature, body }
    return this.#bus.call({ ...call, autoStart: false, ...(timeoutMs !== undefined && { timeoutMs }) })
  }
}

/** As desktops have the program by its .desktop file. */
const APPLICATION = 'Coterie'
const ICON = 'org.coterie.Coterie'
const HINTS = { category: new Variant('s', 'device'), 'desktop-entry': new Variant('s', ICON) }

/** The arguments of Notify. */
function notify({ summary, body, buttons }: Notification): unknown[] {
  const hints = { ...HINTS, urgency: new Variant('y', CRITICAL) }
  const actions = Object.entries(buttons).flat()
  return [APPLICATION, 0, ICON, summary, escaped(body), actions, hints, 0]
}

const ESCAPES: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;'
}
/** A body is read as markup. */
const escaped = (text: string) => text.replace(/[&<>"']/g, character => ESCAPES[character] as string)
