/** One run of joining by a code, on the joiner's side of a link: until the session is there (wire/joining.ts). */
import type * as CodeHandshake from '../../crypto/code-handshake.ts'
import { VERSION } from '../../crypto/handshake.ts'
import { peerId } from '../../crypto/identity.ts'
import { admissible, equal, x25519 } from '../../crypto/provider.ts'
import type { Link } from '../../net/link.ts'
import {
  decodeOffer,
  encodeGreeting,
  encodeJoinMessage,
  JoinMessage,
  type Offer,
  SID_HALF
} from '../../wire/joining.ts'
import { type HandshakeSurroundings, sessionOn } from '../sessions/caller.ts'
import { HANDSHAKE_MS } from '../sessions/half-open.ts'
import type { Session } from '../sessions/session.ts'
import { JoinReader } from './join-reader.ts'

export interface CodeJoin {
  /** Of readJoinCode. */
  readonly prs: Uint8Array
  /** Loaded when it is needed: the group costs 40 ms and 10 MB. */
  readonly handshake: typeof CodeHandshake
  /** Asked before our tag is sent: whoever gets it can test one code. False ends the run. */
  readonly mayShow: () => boolean
}

export interface Offered {
  readonly offer: Offer
  readonly session: Session
}

/**
 * silent: nobody there has an invitation open; wrong: not this code; protocol: what came makes no sense, or
 * the other does not have the code; lost: the link ended on the way.
 */
export class JoinerRunError extends Error {
  override name = 'JoinerRunError'
  readonly reason: 'silent' | 'wrong' | 'protocol' | 'lost'
  /** Of a wrong code. */
  readonly triesLeft: number
  constructor(reason: JoinerRunError['reason'], triesLeft = 0) {
    super(reason)
    this.reason = reason
    this.triesLeft = triesLeft
  }
}

/** Rejects JoinerRunError; the link is destroyed then. When it resolves the session's callbacks are to be set at once. */
export function callWithCode(link: Link, code: CodeJoin, around: HandshakeSurroundings): Promise<Offered> {
  const { promise, resolve, reject } = Promise.withResolvers<Offered>()
  const run = new JoinerRun(link, code, around, resolve, reason => {
    link.onData = link.onClose = () => {}
    link.destroy()
    reject(reason)
  })
  run.start()
  return promise
}

class JoinerRun {
  readonly #link: Link
  readonly #code: CodeJoin
  readonly #around: HandshakeSurroundings
  readonly #done: (offered: Offered) => void
  readonly #fail: (error: JoinerRunError) => void
  readonly #sidA: Uint8Array
  #expects: JoinMessage = JoinMessage.SidB
  readonly #reader = new JoinReader()
  #run: CodeHandshake.CodeRun | undefined
  #agreed: CodeHandshake.Agreed | undefined
  #noise: CodeHandshake.CodeNoise | undefined
  #sent = 0
  #cancel = () => {}

  constructor(
    link: Link,
    code: CodeJoin,
    around: HandshakeSurroundings,
    done: (offered: Offered) => void,
    fail: (error: JoinerRunError) => void
  ) {
    this.#link = link
    this.#code = code
    this.#around = around
    this.#done = done
    this.#fail = fail
    this.#sidA = around.random(SID_HALF)
  }

  start(): void {
    this.#link.onClose = () => this.#end(this.#expects === JoinMessage.SidB ? 'silent' : 'lost')
    this.#link.onData = chunk => this.#receive(chunk)
    this.#say(JoinMessage.SidA, this.#sidA, JoinMessage.SidB)
  }

  #receive(chunk: Uint8Array): void {
    const { TagB, Wrong } = JoinMessage
    const message = this.#reader.read(chunk, this.#expects === TagB ? [TagB, Wrong] : [this.#expects])
    if (message === undefined) return
    if (message === 'garbage') this.#end('protocol')
    else if (message.type === Wrong) this.#end('wrong', message.body[0]!)
    else if (message.type === TagB) this.#greet(message.body)
    else if (message.type === JoinMessage.SidB) this.#begin(message.body)
    else if (message.type === JoinMessage.ShareB) this.#agree(message.body)
    else this.#open(message.body)
  }

  #begin(sidB: Uint8Array): void {
    const { handshake, prs } = this.#code
    const sid = new Uint8Array(2 * SID_HALF)
    sid.set(this.#sidA)
    sid.set(sidB, SID_HALF)
    this.#run = handshake.beginCodeRun(prs, sid, this.#around.random(handshake.SECRET_BYTES))
    this.#say(JoinMessage.ShareA, this.#run.share, JoinMessage.ShareB)
  }

  #agree(other: Uint8Array): void {
    this.#agreed = this.#code.handshake.agreeOnCode(this.#run!, other, 'joiner')
    if (this.#agreed === undefined) this.#end('protocol')
    else if (!this.#code.mayShow()) this.#end('lost')
    else this.#say(JoinMessage.TagA, this.#agreed.tagA, JoinMessage.TagB)
  }

  #greet(tag: Uint8Array): void {
    if (!equal(tag, this.#agreed!.tagB)) {
      this.#end('protocol')
      return
    }
    this.#noise = new this.#code.handshake.CodeNoise(this.#agreed!, 'joiner')
    const greeting = encodeGreeting({ versions: { least: VERSION, greatest: VERSION }, features: 0 })
    const sealed = this.#noise.write(greeting, x25519(this.#around.random(32)))
    this.#say(JoinMessage.NoiseA, sealed, JoinMessage.NoiseB)
  }

  #open(message: Uint8Array): void {
    const payload = this.#noise!.read(message)
    const offer = payload && decodeOffer(payload)
    if (!offer || offer.version !== VERSION || !admissible(offer.key)) {
      this.#end('protocol')
      return
    }
    this.#cancel()
    const rest = {
      bootId: offer.bootId,
      logHead: new Uint8Array(32),
      handshakeUSec: Math.max(1, Math.round((this.#around.now() - this.#sent) * 1000))
    }
    const session = sessionOn(this.#link, this.#noise!.keys, peerId(offer.key), this.#around, rest)
    this.#done({ offer, session })
  }

  #say(type: JoinMessage, body: Uint8Array, expects: JoinMessage): void {
    this.#expects = expects
    this.#cancel()
    this.#cancel = this.#around.after(HANDSHAKE_MS, () =>
      this.#end(expects === JoinMessage.SidB ? 'silent' : 'lost')
    )
    this.#sent = this.#around.now()
    this.#link.write([encodeJoinMessage(type, body)])
  }

  #end(reason: JoinerRunError['reason'], triesLeft = 0): void {
    this.#cancel()
    this.#fail(new JoinerRunError(reason, triesLeft))
  }
}
