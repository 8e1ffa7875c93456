/** A desktop's notification service, on a bus of a test's own: records what is shown, presses buttons. */
import { Bus, plain } from '../src/host/bus.ts'
import { Inbox } from './daemon/surface.ts'

const NAME = 'org.freedesktop.Notifications'
const PATH = '/org/freedesktop/Notifications'
const CAPABILITIES = ['actions', 'body', 'body-markup']

export interface Shown {
  id: number
  application: string
  summary: string
  body: string
  actions: string[]
  hints: { [name: string]: unknown }
  timeout: number
}

export class NotificationService {
  readonly bus: Bus
  readonly shown = new Inbox<Shown>()
  /** Ids, as they were closed by their program. */
  readonly closed = new Inbox<number>()
  #last = 0

  private constructor(address: string, capabilities: string[]) {
    this.bus = new Bus({ kind: 'session', address, log: () => {} })
    this.bus.serve(async ({ member, body }) => {
      if (member === 'GetCapabilities') return { signature: 'as', body: [capabilities] }
      if (member === 'CloseNotification') {
        this.closed.put(body[0] as number)
        this.#tell('NotificationClosed', 'uu', [body[0], 3])
        return { signature: '', body: [] }
      }
      if (member !== 'Notify') return undefined
      const [application, , , summary, text, actions, hints, timeout] = body.map(plain) as never[]
      const id = ++this.#last
      this.shown.put({ id, application, summary, body: text, actions, hints, timeout } as unknown as Shown)
      return { signature: 'u', body: [id] }
    })
  }

  static async up(
    t: { teardown(fn: () => Promise<void>): void },
    address: string,
    capabilities = CAPABILITIES
  ): Promise<NotificationService> {
    const service = new NotificationService(address, capabilities)
    t.teardown(() => service.bus.close())
    const up = new Promise<void>(resolve => service.bus.onUp(resolve))
    service.bus.start()
    await up
    await service.bus.requestName(NAME)
    return service
  }

  press(id: number, key: string): void {
    this.#tell('ActionInvoked', 'us', [id, key])
  }

  /** As a person closes it. */
  dismiss(id: number): void {
    this.#tell('NotificationClosed', 'uu', [id, 2])
  }

  #tell(member: string, signature: string, body: unknown[]): void {
    this.bus.emit({ path: PATH, interface: NAME, member, signature, body })
  }
}
