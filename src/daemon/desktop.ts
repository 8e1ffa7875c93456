/** The person at the desktop, asked by a notification with buttons. */
import type { Notifications } from '../host/notifications.ts'
import type { Asker } from './confirmation.ts'
import type { JoinAsk } from './open-invitation.ts'

/** As `coterie devices` says it. */
const LEVELS: { readonly [level: number]: string } = { 10: 'member', 11: 'relay' }

export class Desktop implements Asker {
  readonly name = 'notification'
  readonly #notifications: Notifications

  constructor(notifications: Notifications) {
    this.#notifications = notifications
  }

  there(): Promise<boolean> {
    return this.#notifications.there()
  }

  async ask({ circle, id, name, level }: JoinAsk, signal: AbortSignal): Promise<boolean | undefined> {
    const as = LEVELS[level] ?? `admin (level ${level})`
    const pressed = await this.#notifications.ask(
      {
        summary: 'A device wants to join',
        body: `“${name}” (${id.slice(0, 3)}…${id.slice(-4)}) has the code and wants to join “${circle}” as ${as}.`,
        buttons: { accept: 'Accept', decline: 'Decline' }
      },
      signal
    )
    return pressed === undefined ? undefined : pressed === 'accept'
  }
}
