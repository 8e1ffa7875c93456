/**
 * One run of joining by a code, on the inviter's side of a link (PROTOCOL 3, wire/joining.ts): from the first
 * message of the joiner to the verdict. Whoever says a word out of turn, or one that makes no sense, gets no
 * further byte; only a wrong tag is a try.
 */
import type { Agreed } from '../../crypto/code-handshake.ts'
import { staticProof, VERSION } from '../../crypto/handshake.ts'
import { peerId } from '../../crypto/identity.ts'
import { equal, verify, x25519 } from '../../crypto/provider.ts'
import { CloseReason, Kind } from '../../wire/frame.ts'
import {
  decodeCodeRequest,
  decodeGreeting,
  encodeJoinMessage,
  encodeOffer,
  encodeVerdict,
  JoinMessage
} from '../../wire/joining.ts'
import { type HandshakeSurroundings, sessionOn } from '../sessions/caller.ts'
import type { Dropped } from '../sessions/dropped.ts'
import { HANDSHAKE_MS, type HalfOpen } from '../sessions/half-open.ts'
import type { JoinRequest } from '../sessions/handshake-circle.ts'
import type { Session } from '../sessions/session.ts'
import { JoinReader } from './join-reader.ts'
import type { OpenInvitation } from './open-invitation.ts'

/** A joiner pings while it waits; one that is not heard for so long has gone. */
export const SILENT_MS = 15_000
/** For the request: the joiner makes its keys and stores them, perhaps with a keyring to be opened first. */
const REQUEST_MS = 30_000
/** Keys that were removed before may be replaced, once. */
const REQUESTS = 2

/** What becomes of it, for the gate. */
export interface RunOutlet {
  refuse(cause: Dropped): void
  /** A wrong tag: told so, and closed. */
  wrong(): void
  /** It has asked: it may take as long as the invitation. */
  asking(): void
  /** The link is closed. */
  over(): void
  /** It was let in. */
  onSession(session: Session): void
}

export class InviterRun {
  readonly #half: HalfOpen
  readonly #sidA: Uint8Array
  readonly #invitation: OpenInvitation
  readonly #around: HandshakeSurroundings
  readonly #outlet: RunOutlet
  readonly #gone = new AbortController()
  #expects: JoinMessage | undefined
  readonly #reader = new JoinReader()
  #sid: Uint8Array = new Uint8Array(0)
  #agreed: Agreed | undefined
  #session: Session | undefined
  #requests = 0
  #asking = false
  #cancelSilence = () => {}

  constructor(
    half: HalfOpen,
    sidA: Uint8Array,
    invitation: OpenInvitation,
    around: HandshakeSurroundings,
    outlet: RunOutlet
  ) {
    this.#half = half
    this.#sidA = sidA
    this.#invitation = invitation
    this.#around = around
    this.#outlet = outlet
  }

  /** Its turn has come. */
  start(): void {
    if (!this.#invitation.accepting) {
      this.#outlet.refuse('uninvited')
      return
    }
    this.#invitation.began()
    const sidB = this.#around.random(this.#sidA.length)
    this.#sid = new Uint8Array(2 * sidB.length)
    this.#sid.set(this.#sidA)
    this.#sid.set(sidB, sidB.length)
    this.#say(JoinMessage.SidB, sidB, JoinMessage.ShareA)
  }

  receive(chunk: Uint8Array): void {
    const message = this.#reader.read(chunk, this.#expects === undefined ? [] : [this.#expects])
    if (message === undefined) return
    if (message === 'garbage') this.#outlet.refuse('garbage')
    else if (!this.#half.shown && !this.#invitation.accepting) this.#outlet.refuse('uninvited')
    else if (message.type === JoinMessage.ShareA) this.#share(message.body)
    else if (message.type === JoinMessage.TagA) this.#tag(message.body)
    else this.#noise(message.body)
  }

  /** Ends at once, saying nothing. */
  destroy(): void {
    this.#end()
    this.#session?.destroy()
  }

  #share(other: Uint8Array): void {
    const { handshake, prs } = this.#invitation
    const { agreeOnCode, beginCodeRun, SECRET_BYTES } = handshake
    const run = beginCodeRun(prs, this.#sid, this.#around.random(SECRET_BYTES))
    this.#agreed = agreeOnCode(run, other, 'inviter')
    if (this.#agreed === undefined) this.#outlet.refuse('garbage')
    else this.#say(JoinMessage.ShareB, run.share, JoinMessage.TagA)
  }

  #tag(tag: Uint8Array): void {
    const { tagA, tagB } = this.#agreed!
    if (equal(tag, tagA)) {
      this.#half.shown = true
      this.#say(JoinMessage.TagB, tagB, JoinMessage.NoiseA)
      return
    }
    const left = this.#invitation.wrong()
    this.#outlet.wrong()
    this.#half.link.write([encodeJoinMessage(JoinMessage.Wrong, Uint8Array.of(left))])
    this.#half.link.close()
  }

  #noise(message: Uint8Array): void {
    const { circle, handshake, level } = this.#invitation
    const noise = new handshake.CodeNoise(this.#agreed!, 'inviter')
    const payload = noise.read(message)
    const greeting = payload && decodeGreeting(payload)
    const versions = greeting?.versions
    if (versions === undefined || versions.least > VERSION || versions.greatest < VERSION) {
      this.#outlet.refuse('handshake')
      return
    }
    const { gid, key, staticKey, bootId, name, device } = circle
    const offer = { version: VERSION, features: 0, bootId, gid, key, staticKey, level, circle: name, device }
    const sealed = noise.write(encodeOffer(offer), x25519(this.#around.random(32)))
    this.#say(JoinMessage.NoiseB, sealed, undefined)
    this.#half.deadline = this.#around.now() + REQUEST_MS
    const rest = { bootId: new Uint8Array(16), logHead: new Uint8Array(32), handshakeUSec: 0 }
    const session = sessionOn(this.#half.link, noise.keys, '', this.#around, rest)
    this.#session = this.#half.session = session
    session.onClose = () => this.#end()
    session.onFrame = (kind, body) => {
      if (this.#asking) this.#heard()
      if (kind === Kind.Ping) session.send(Kind.Pong, body)
      else if (kind === Kind.Join && !this.#asking) void this.#ask(session, body)
      else this.destroy()
    }
  }

  async #ask(session: Session, body: Uint8Array): Promise<void> {
    const decoded = decodeCodeRequest(body)
    const request = decoded && this.#checked(decoded)
    if (request === undefined || ++this.#requests > REQUESTS) {
      this.destroy()
      return
    }
    session.identify(request.id, decoded!.bootId)
    this.#asking = true
    this.#outlet.asking()
    this.#heard()
    const verdict = await this.#invitation.ask(request, this.#gone.signal)
    if (this.#gone.signal.aborted) return
    this.#asking = false
    this.#cancelSilence()
    session.send(Kind.Join, encodeVerdict(verdict))
    if (verdict === 'removed' && this.#requests < REQUESTS) {
      this.#cancelSilence = this.#around.after(REQUEST_MS, () => this.destroy())
      return
    }
    session.onClose = () => {}
    this.#end()
    if (verdict === 'ok') this.#outlet.onSession(session)
    else session.close(CloseReason.Done)
  }

  /** The key has signed the static, and the static is nobody else's and one that can be used. */
  #checked(request: NonNullable<ReturnType<typeof decodeCodeRequest>>): JoinRequest | undefined {
    const { key, staticKey, signature, suites, name } = request
    const { circle } = this.#invitation
    if (!verify(key, staticProof(circle.gid, key, staticKey, 0), signature)) return undefined
    const id = peerId(key)
    const owner = circle.owner(staticKey)
    if ((owner !== undefined && owner !== id) || !this.#usable(staticKey)) return undefined
    return { id, key, staticKey, signature, suites, name }
  }

  /** Not of small order. */
  #usable(staticKey: Uint8Array): boolean {
    try {
      x25519(this.#around.random(32)).dh(staticKey)
      return true
    } catch {
      return false
    }
  }

  #heard(): void {
    this.#cancelSilence()
    this.#cancelSilence = this.#around.after(SILENT_MS, () => this.destroy())
  }

  /** The next message has as long as a whole handshake. */
  #say(type: JoinMessage, body: Uint8Array, expects: JoinMessage | undefined): void {
    this.#expects = expects
    this.#half.deadline = this.#around.now() + HANDSHAKE_MS
    this.#half.link.write([encodeJoinMessage(type, body)])
  }

  #end(): void {
    this.#cancelSilence()
    this.#outlet.over()
    this.#gone.abort()
  }
}
