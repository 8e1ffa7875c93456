/** The person at the desktop, asked by a notification with buttons. */
import { shortId } from '../../crypto/identity.ts'
import type { Notifications } from '../../host/notifications.ts'
import type { Asker } from './confirmation.ts'
import type { JoinAsk } from './open-invitation.ts'

/** As `coterie devices` says it. */
const LEVELS: { readonly [level: number]: string } = { 10: 'member', 11: 'relay' }

/** As people say it: hours below two days. */
const span = (ms: number): string => {
  const hours = Math.max(1, Math.round(ms / 3_600_000))
  if (hours >= 48) return `${Math.round(hours / 24)} days`
  return hours === 1 ? 'an hour' : `${hours} hours`
}

export class Desktop implements Asker {
  readonly name = 'notification'
  readonly #notifications: Notifications

  constructor(notifications: Notifications) {
    this.#notifications = notifications
  }

  there(): Promise<boolean> {
    return this.#notifications.there()
  }

  async ask(
    { circle, id, name, level, guestForMs }: JoinAsk,
    signal: AbortSignal
  ): Promise<boolean | undefined> {
    const rank = LEVELS[level] ?? `admin (level ${level})`
    const as = guestForMs > 0 ? `guest for ${span(guestForMs)}` : rank
    const pressed = await this.#notifications.ask(
      {
        summary: 'A device wants to join',
        body: `“${name}” (${shortId(id)}) has the code and wants to join “${circle}” as ${as}.`,
        buttons: { accept: 'Accept', decline: 'Decline' }
      },
      signal
    )
    return pressed === undefined ? undefined : pressed === 'accept'
  }
}
