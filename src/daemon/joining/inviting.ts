/** The one invitation by code that can be open on this device, in whichever circle. */
import { ApiError } from '../../api/api.ts'
import type { PeerId } from '../../crypto/identity.ts'
import { CODE_BYTES, joinCode, readJoinCode } from '../../crypto/join-code.ts'
import type { Surroundings } from '../surroundings.ts'
import { type InvitationEvent, type InvitingCircle, type JoinAsk, OpenInvitation } from './open-invitation.ts'

/** PROTOCOL 3. */
const LIFETIME_MS = 600_000

export interface Invite {
  readonly level: number
  /** How long the device may stay; 0: for ever. */
  readonly guestForMs: number
  /** Of the code; 0: 10 minutes. */
  readonly lifetimeMs: number
  /** A person says yes or no; the signal tells when it is of no use any more. */
  readonly confirm: (ask: JoinAsk, signal: AbortSignal) => Promise<boolean>
  /** The first is `open`. */
  readonly onEvent: (event: InvitationEvent) => void
}

/** The device that joined. */
export interface Joiner {
  readonly id: PeerId
  readonly name: string
}

/** The same, and its caller hears of the interfaces on which others do not hear of the invitation. */
export const tellingSilent = (
  invite: Invite,
  attachment: { readonly carriers: { readonly silent: readonly string[] } }
): Invite => ({
  ...invite,
  onEvent: event => {
    invite.onEvent(event)
    const interfaces = attachment.carriers.silent
    if (event.type === 'open' && interfaces.length > 0) invite.onEvent({ type: 'unannounced', interfaces })
  }
})

export class Inviting {
  readonly #around: Pick<Surroundings, 'after' | 'wall' | 'random'>
  /** An invitation is open, or no longer: to be announced. */
  readonly #onOpen: (open: boolean) => void
  #open: OpenInvitation | 'opening' | undefined

  constructor(around: Pick<Surroundings, 'after' | 'wall' | 'random'>, onOpen: (open: boolean) => void) {
    this.#around = around
    this.#onOpen = onOpen
  }

  get current(): OpenInvitation | undefined {
    return this.#open === 'opening' ? undefined : this.#open
  }

  /** Resolves with the device that joined. Rejects ApiError. Aborting the signal ends the code at once. */
  async open(circle: InvitingCircle, invite: Invite, signal: AbortSignal): Promise<Joiner> {
    if (this.#open !== undefined)
      throw new ApiError(
        'InvitationOpen',
        'an invitation by code is open on this device already; end that one first, or wait until it has expired'
      )
    this.#open = 'opening'
    try {
      // the group that CPace computes in: 40 ms and 10 MB, for this moment only
      const handshake = await import('../../crypto/code-handshake.ts')
      signal.throwIfAborted()
      return await this.#run(circle, handshake, invite, signal)
    } finally {
      this.#open = undefined
      this.#onOpen(false)
    }
  }

  /** Ends the open one unless this is so of its circle. */
  keep(so: (circle: InvitingCircle) => boolean): void {
    if (this.current !== undefined && !so(this.current.circle)) this.current.cancel()
  }

  stop(): void {
    this.keep(() => false)
  }

  async #run(
    circle: InvitingCircle,
    handshake: OpenInvitation['handshake'],
    { level, guestForMs, confirm, onEvent, lifetimeMs }: Invite,
    signal: AbortSignal
  ): Promise<{ id: PeerId; name: string }> {
    const { after, random, wall } = this.#around
    const code = joinCode(random(CODE_BYTES))
    const lasts = lifetimeMs || LIFETIME_MS
    const invitation = new OpenInvitation({
      circle,
      prs: readJoinCode(code),
      handshake,
      level,
      guestForMs,
      lifetimeMs: lasts,
      after,
      confirm,
      onEvent
    })
    this.#open = invitation
    const cancel = () => invitation.cancel()
    signal.addEventListener('abort', cancel)
    onEvent({ type: 'open', code, expiresUSec: Math.round(wall() + lasts) * 1000 })
    this.#onOpen(true)
    try {
      return await invitation.ended
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }
}
