/** xdg-desktop-portal, on a bus of a test's own: chooses files as it was told. */
import { Bus, plain, Variant } from '../src/host/bus.ts'

const NAME = 'org.freedesktop.portal.Desktop'

export class ChooserPortal {
  /** URIs; none: nothing is chosen. */
  chooses: string[] = []
  /** Of the last question. */
  title = ''
  readonly #bus: Bus

  private constructor(address: string) {
    this.#bus = new Bus({ kind: 'session', address, log: () => {} })
    this.#bus.serve(async ({ member, sender, body }) => {
      if (member !== 'OpenFile') return undefined
      const [, title, options] = body.map(plain) as [string, string, { handle_token: string }]
      this.title = title
      const caller = sender.slice(1).replaceAll('.', '_')
      const path = `/org/freedesktop/portal/desktop/request/${caller}/${options.handle_token}`
      const answer = [this.chooses.length > 0 ? 0 : 1, { uris: new Variant('as', this.chooses) }]
      setImmediate(() =>
        this.#bus.emit({
          path,
          interface: 'org.freedesktop.portal.Request',
          member: 'Response',
          signature: 'ua{sv}',
          body: answer,
          destination: sender
        })
      )
      return { signature: 'o', body: [path] }
    })
  }

  /** Resolves when it can be asked. */
  static async up(t: { teardown(fn: () => Promise<void>): void }, address: string): Promise<ChooserPortal> {
    const portal = new ChooserPortal(address)
    t.teardown(() => portal.#bus.close())
    const up = new Promise<void>(resolve => portal.#bus.onUp(resolve))
    portal.#bus.start()
    await up
    await portal.#bus.requestName(NAME)
    return portal
  }
}
