/**
 * One open invitation by code: how often it may still be guessed at, who asks, and how it ends. Nothing of it
 * is stored: it ends with the daemon.
 */
import { ApiError } from '../../api/api.ts'
import type * as CodeHandshake from '../../crypto/code-handshake.ts'
import type { PeerId } from '../../crypto/identity.ts'
import type { Verdict } from '../../wire/joining.ts'
import type { JoinAnswer, JoinRequest } from '../sessions/handshake-circle.ts'

/** Wrong codes that end it. */
export const TRIES = 3

/** What a person confirms. */
export interface JoinAsk {
  readonly id: PeerId
  /** As the device calls itself. */
  readonly name: string
  /** Name of the circle. */
  readonly circle: string
  readonly level: number
  /** How long it would stay, milliseconds; 0: for ever. */
  readonly guestForMs: number
}

export type InvitationEvent =
  | { readonly type: 'open'; readonly code: string; readonly expiresUSec: number }
  /** Interfaces in use on which it is not announced: from there it is joined by address. */
  | { readonly type: 'unannounced'; readonly interfaces: readonly string[] }
  /** Somebody began a run; it says nothing of whether he has the code. */
  | { readonly type: 'run' }
  | { readonly type: 'wrong'; readonly triesLeft: number }
  | { readonly type: 'asking'; readonly ask: JoinAsk }
  /** It went away before there was an answer; the code is as good as before. */
  | { readonly type: 'gone'; readonly ask: JoinAsk }
  | { readonly type: 'joined'; readonly id: PeerId; readonly name: string }
  | { readonly type: 'declined'; readonly id: PeerId; readonly name: string }
  | { readonly type: 'ended'; readonly reason: 'expired' | 'tries' | 'cancelled' }

/** What it needs of its circle. */
export interface InvitingCircle {
  readonly gid: Uint8Array
  readonly name: string
  /** Of this device there. */
  readonly device: string
  readonly bootId: Uint8Array
  readonly key: Uint8Array
  readonly staticKey: Uint8Array
  /** A member now. */
  has(id: PeerId): boolean
  /** Whose this static is, of members. */
  owner(staticKey: Uint8Array): PeerId | undefined
  /** Its key was removed, for ever. */
  removed(id: PeerId): boolean
  /** Adds it; on disk when it resolves ok. */
  welcome(request: JoinRequest): Promise<JoinAnswer>
}

export interface OpenInvitationOptions {
  readonly circle: InvitingCircle
  /** Of readJoinCode. */
  readonly prs: Uint8Array
  /** Loaded when it is needed: the group costs 40 ms and 10 MB. */
  readonly handshake: typeof CodeHandshake
  readonly level: number
  readonly guestForMs: number
  readonly lifetimeMs: number
  readonly after: (ms: number, act: () => void) => () => void
  /** Aborted when the answer is of no use any more. */
  readonly confirm: (ask: JoinAsk, signal: AbortSignal) => Promise<boolean>
  readonly onEvent: (event: InvitationEvent) => void
}

interface Asking {
  readonly ask: JoinAsk
  readonly abort: AbortController
  readonly verdict: Promise<Verdict>
  /** Links over which it asks; a joiner that lost one comes again on another. */
  links: number
}

export class OpenInvitation {
  readonly circle: InvitingCircle
  readonly prs: Uint8Array
  readonly handshake: typeof CodeHandshake
  readonly level: number
  /** Resolves with the device that joined; rejects ApiError. */
  readonly ended: Promise<{ id: PeerId; name: string }>
  readonly #options: OpenInvitationOptions
  readonly #settle: PromiseWithResolvers<{ id: PeerId; name: string }>
  readonly #cancelExpiry: () => void
  #triesLeft = TRIES
  #asking: Asking | undefined
  /** It was confirmed: nothing but its outcome ends it now. */
  #confirmed = false
  /** What those are told that come after the end. */
  #after: Verdict | undefined

  constructor(options: OpenInvitationOptions) {
    this.#options = options
    this.circle = options.circle
    this.prs = options.prs
    this.handshake = options.handshake
    this.level = options.level
    this.#settle = Promise.withResolvers()
    this.ended = this.#settle.promise
    this.#cancelExpiry = options.after(options.lifetimeMs, () => this.#expire())
  }

  /** Somebody may begin a run, or go on with one. */
  get accepting(): boolean {
    return this.#after === undefined && this.#triesLeft > 0 && !this.#confirmed
  }

  began(): void {
    this.#options.onEvent({ type: 'run' })
  }

  /** A wrong code was tried. Returns how many tries are left. */
  wrong(): number {
    this.#triesLeft--
    this.#options.onEvent({ type: 'wrong', triesLeft: this.#triesLeft })
    // who has shown that he has the code is not put out by those who have not
    if (this.#asking === undefined) this.#endOfTries()
    return this.#triesLeft
  }

  /** A joiner that has the code asks to be let in; `gone`: it does not wait any more. */
  async ask(request: JoinRequest, gone: AbortSignal): Promise<Verdict> {
    const { id, name } = request
    if (this.#after !== undefined) return this.circle.has(id) ? 'ok' : this.#after
    if (this.circle.removed(id)) return 'removed'
    if (this.circle.has(id)) {
      this.#joined(id, name)
      return 'ok'
    }
    if (this.#asking !== undefined && this.#asking.ask.id !== id) return 'used'
    this.#asking ??= this.#begin(request)
    const asking = this.#asking
    asking.links++
    const leave = () => {
      if (--asking.links === 0) asking.abort.abort()
    }
    gone.addEventListener('abort', leave, { once: true })
    try {
      return await asking.verdict
    } finally {
      gone.removeEventListener('abort', leave)
    }
  }

  cancel(): void {
    this.#end('cancelled', new ApiError('Cancelled', 'the invitation was cancelled'))
  }

  #expire(): void {
    this.#end('expired', new ApiError('CodeEnded', 'the code has expired; nobody has joined with it'))
  }

  #endOfTries(): void {
    if (this.#triesLeft > 0) return
    const sentence = `a wrong code was tried ${TRIES} times, so this one is no longer good; \`coterie invite\` makes another`
    this.#end('tries', new ApiError('CodeEnded', sentence))
  }

  #begin(request: JoinRequest): Asking {
    const { id, name } = request
    const { guestForMs } = this.#options
    const ask = { id, name, circle: this.circle.name, level: this.level, guestForMs }
    const abort = new AbortController()
    this.#options.onEvent({ type: 'asking', ask })
    return { ask, abort, verdict: this.#decide(ask, request, abort.signal), links: 0 }
  }

  async #decide(ask: JoinAsk, request: JoinRequest, signal: AbortSignal): Promise<Verdict> {
    const withdrawn = new Promise<'withdrawn'>(resolve =>
      signal.addEventListener('abort', () => resolve('withdrawn'), { once: true })
    )
    try {
      const answer = await Promise.race([this.#options.confirm(ask, signal), withdrawn])
      // a no that was said for the question's being withdrawn is none
      const confirmed = signal.aborted && answer === false ? 'withdrawn' : answer
      if (this.#after !== undefined) return this.#after
      if (confirmed === 'withdrawn') {
        this.#asking = undefined
        this.#options.onEvent({ type: 'gone', ask })
        this.#endOfTries()
        return 'expired'
      }
      if (!confirmed) return this.#declined(ask)
      this.#confirmed = true
      return await this.#welcome(ask, request)
    } catch (error) {
      // nobody could be asked, or the circle does not let anybody in: the inviter is told why
      const verdict = this.#confirmed ? 'refused' : 'declined'
      this.#over(verdict, () => this.#settle.reject(error))
      return verdict
    }
  }

  async #welcome({ id, name }: JoinAsk, request: JoinRequest): Promise<Verdict> {
    const { result } = await this.circle.welcome(request)
    if (result === 'ok') {
      this.#joined(id, name)
      return 'ok'
    }
    const sentence = `${name} could not be added; the log of the daemon says why`
    this.#over('refused', () => this.#settle.reject(new ApiError('NotAllowed', sentence)))
    return 'refused'
  }

  #joined(id: PeerId, name: string): void {
    this.#over('used', () => {
      this.#options.onEvent({ type: 'joined', id, name })
      this.#settle.resolve({ id, name })
    })
  }

  /** Whoever has the code and is not wanted is not to ask again and again. */
  #declined({ id, name }: JoinAsk): Verdict {
    this.#over('declined', () => {
      this.#options.onEvent({ type: 'declined', id, name })
      const sentence = `${name} was not let in, and its code is no longer good; \`coterie invite\` makes another`
      this.#settle.reject(new ApiError('Declined', sentence))
    })
    return 'declined'
  }

  #end(reason: 'expired' | 'tries' | 'cancelled', error: ApiError): void {
    if (this.#confirmed) return
    this.#over('expired', () => {
      this.#asking?.abort.abort()
      this.#options.onEvent({ type: 'ended', reason })
      this.#settle.reject(error)
    })
  }

  /** Once. */
  #over(after: Verdict, tell: () => void): void {
    if (this.#after !== undefined) return
    this.#after = after
    this.#cancelExpiry()
    tell()
  }
}
