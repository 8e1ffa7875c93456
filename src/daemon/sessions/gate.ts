/**
 * The gate: where links become sessions. It answers first messages for all circles on all listeners, and
 * opens sessions on links that were dialled (PROTOCOL 3, 4).
 *
 * Whoever does not show a valid mac1, and then a key of the circle, gets not one byte, and no hint in time.
 * A session is handed over only when the initiator has shown, by a first record, that it holds the keys:
 * a first message that somebody recorded and plays again confirms nothing.
 */
import {
  type ConsumedInitiation,
  consumeInitiation,
  createResponse,
  type Door,
  door,
  doorOf,
  HEADER,
  MESSAGE_LIMIT,
  messageLength,
  VERSION
} from '../../crypto/handshake.ts'
import { type PeerId, peerId } from '../../crypto/identity.ts'
import { x25519 } from '../../crypto/provider.ts'
import type { Link } from '../../net/link.ts'
import { CloseReason, Kind } from '../../wire/frame.ts'
import type { Answer, Result } from '../../wire/hello.ts'
import { CodeGate } from '../joining/code-gate.ts'
import { type CodeJoin, callWithCode, type Offered } from '../joining/joiner-run.ts'
import type { OpenInvitation } from '../joining/open-invitation.ts'
import { afterMs } from '../timer.ts'
import { Admission, sourceOf } from './admission.ts'
import { type Callee, callMember, callWithTicket, type HandshakeSurroundings, sessionOn } from './caller.ts'
import { type Counters, counters, type Dropped } from './dropped.ts'
import { HANDSHAKE_MS, HalfOpen, HalfOpens } from './half-open.ts'
import type { HandshakeCircle, JoinAnswer, JoinKeys, JoinTicket, StaticKey } from './handshake-circle.ts'
import { Seen } from './seen.ts'
import type { Session } from './session.ts'

export type {
  HandshakeCircle,
  JoinAnswer,
  JoinKeys,
  JoinRequest,
  JoinTicket,
  StaticKey
} from './handshake-circle.ts'

export interface GateOptions {
  readonly circles: () => readonly HandshakeCircle[]
  /** The open invitation by code, if there is one. */
  readonly invitation?: () => OpenInvitation | undefined
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', text: string, facts?: object) => void
  /** A session that was answered here and is confirmed; set its callbacks at once. */
  readonly onSession: (circle: { readonly gid: Uint8Array }, session: Session) => void
  /** Time for tests; returns what cancels. */
  readonly after?: (ms: number, act: () => void) => () => void
  readonly schedule?: (act: () => void) => void
}

/** Who it is, and what becomes of its request; `order`: it is lost, and told this one frame. */
interface Known {
  readonly peer: PeerId
  readonly result: Result
  readonly order?: Uint8Array
}
/** What a lost device learns of this one. */
const nothing = { bootId: new Uint8Array(16), logHead: new Uint8Array(32) }

/** All half-open links share one timer of this grain. */
const SWEEP_MS = 250
/** What a refused link may go on sending before it is cut off. */
const IGNORED = 65_536

export class Gate {
  readonly counters: Counters = counters()
  readonly #options: GateOptions
  readonly #around: HandshakeSurroundings
  readonly #half: HalfOpens
  readonly #codes: CodeGate
  readonly #admission = new Admission()
  readonly #ephemerals = new Seen()
  readonly #doors = new WeakMap<StaticKey, Door>()
  #cancelSweep: (() => void) | undefined
  #stopped = false

  constructor(options: GateOptions) {
    this.#options = options
    const { now, random, after = afterMs, schedule } = options
    this.#around = { now, random, after, schedule }
    this.#half = new HalfOpens(() => new DataView(options.random(4).slice().buffer).getUint32(0) / 2 ** 32)
    this.#codes = new CodeGate({
      around: this.#around,
      half: this.#half,
      counters: this.counters,
      invitation: () => options.invitation?.(),
      onSession: (circle, session) => options.onSession(circle, session),
      refuse: (half, cause) => this.#refuse(half, cause)
    })
  }

  /** Links that are not sessions yet. */
  get halfOpen(): number {
    return this.#half.size
  }

  /** Takes a link that somebody else opened. */
  accept(link: Link): void {
    if (this.#stopped) {
      link.destroy()
      return
    }
    const half = new HalfOpen(link, sourceOf(link.remote), this.#options.now() + HANDSHAKE_MS)
    this.#evict(this.#half.enter(half))
    link.onData = chunk => this.#read(half, chunk)
    link.onClose = () => this.#half.leave(half)
    this.#sweepLater()
  }

  /** Opens a session with a member on a link we dialled. Rejects Error whose message is the reason, a word. */
  dial(link: Link, circle: Parameters<typeof callMember>[1], peer: Callee): Promise<Session> {
    return callMember(link, circle, peer, this.#around)
  }

  /** Redeems a ticket on a link we dialled to its inviter; the session is there when the answer is ok. */
  join(
    link: Link,
    ticket: JoinTicket,
    keys: JoinKeys
  ): Promise<{ answer: JoinAnswer; session: Session | undefined }> {
    return callWithTicket(link, ticket, keys, this.#around)
  }

  /** Tries a code on a link we dialled. Rejects JoinerRunError. */
  tryCode(link: Link, code: CodeJoin): Promise<Offered> {
    return callWithCode(link, code, this.#around)
  }

  /** Ends all half-open links; sessions are not the gate's any more. */
  stop(): void {
    this.#stopped = true
    this.#cancelSweep?.()
    this.#codes.stop()
    for (const half of this.#half.expired(Number.POSITIVE_INFINITY)) this.#end(half)
  }

  // --- answering

  #read(half: HalfOpen, chunk: Uint8Array): void {
    if (half.state === 'mute') {
      half.ignored += chunk.length
      if (half.ignored > IGNORED) this.#end(half)
      return
    }
    if (half.receive) {
      half.receive(chunk)
      return
    }
    if (half.state !== 'reading') {
      this.#refuse(half, 'garbage')
      return
    }
    let message = chunk
    if (half.gathered.length > 0) {
      message = new Uint8Array(half.gathered.length + Math.min(chunk.length, MESSAGE_LIMIT))
      message.set(half.gathered)
      message.set(chunk.subarray(0, MESSAGE_LIMIT), half.gathered.length)
    }
    if (message.length < HEADER) {
      half.gathered = new Uint8Array(message)
      return
    }
    if (this.#codes.reads(half, message)) return
    const length = messageLength(message.subarray(0, HEADER))
    // Answers to first messages have types 2 and 4.
    if (length === undefined || message[4]! % 2 === 0 || message.length > length) {
      this.#refuse(half, 'garbage')
    } else if (message.length < length) half.gathered = new Uint8Array(message)
    else this.#answer(half, new Uint8Array(message))
  }

  #answer(half: HalfOpen, message: Uint8Array): void {
    const { circles, log } = this.#options
    const candidates = circles()
    const found = doorOf(message, this.#allDoors(candidates))
    const circle = candidates.find(({ statics }) => found && statics.includes(found.key))
    const tickets = circle?.tickets() ?? []
    const initiation = this.#consume(half, message, found, tickets)
    if (!circle || typeof initiation === 'string') {
      this.#refuse(half, circle ? (initiation as Dropped) : 'mac1')
      return
    }
    const ticket = initiation.joining && tickets[initiation.joining.psk]!.id
    this.#whoIs(circle, initiation, ticket).then(
      known => this.#respond(half, circle, initiation, known),
      error => {
        log('error', 'internal error in a handshake', { error: String(error?.stack ?? error) })
        this.#refuse(half, 'handshake')
      }
    )
  }

  /** What stands between a whole message and its meaning, the cheapest first. */
  #consume(
    half: HalfOpen,
    message: Uint8Array,
    found: Door | undefined,
    tickets: readonly { readonly psk: Uint8Array }[]
  ): ConsumedInitiation | Dropped {
    const now = this.#options.now()
    if (!found) return 'mac1'
    if (!this.#admission.allow(now, half.source)) return 'rate'
    if (!this.#half.recognise(half)) return 'half-open'
    const psks = tickets.map(({ psk }) => psk)
    const initiation = consumeInitiation(message, found, psks)
    if (!initiation) return 'handshake'
    return this.#ephemerals.repeated(now, initiation.ephemeral) ? 'replay' : initiation
  }

  async #whoIs(
    circle: HandshakeCircle,
    initiation: ConsumedInitiation,
    ticket: string | undefined
  ): Promise<Known | Dropped> {
    const { hello, joining, staticKey } = initiation
    if (joining) {
      const { key, signature, suites, name } = joining.request
      const id = peerId(key)
      const answer = await circle.redeem(ticket!, { id, key, staticKey, signature, suites, name })
      return answer ? { peer: id, result: answer.result } : 'refused'
    }
    let peer = circle.owner(staticKey)
    if (peer === undefined && hello!.operations.length > 0) {
      await circle.admit(hello!.operations)
      peer = circle.owner(staticKey)
    }
    if (peer !== undefined) return { peer, result: 'ok' }
    const lost = circle.order(staticKey)
    return lost === undefined ? 'stranger' : { peer: lost.peer, result: 'ok', order: lost.frame }
  }

  #respond(
    half: HalfOpen,
    circle: HandshakeCircle,
    initiation: ConsumedInitiation,
    known: Known | Dropped
  ): void {
    if (half.state !== 'working') return
    if (typeof known === 'string') {
      this.#refuse(half, known)
      return
    }
    const { peer, result, order } = known
    const { bootId, logHead } = order === undefined ? circle : nothing
    const answer: Answer = { version: VERSION, bootId, logHead, features: 0, result }
    const { message, keys } = createResponse(initiation, x25519(this.#around.random(32)), answer)
    half.link.write([message])
    if (result !== 'ok') {
      this.counters.refused++
      this.#half.leave(half)
      half.link.close()
      return
    }
    half.state = 'confirming'
    const { hello, joining } = initiation
    const session = sessionOn(half.link, keys, peer, this.#around, {
      bootId: (hello ?? joining!.request).bootId,
      logHead: hello?.logHead ?? new Uint8Array(32),
      handshakeUSec: 0,
      onConfirmed: () => {
        this.#half.leave(half)
        session.onClose = () => {}
        if (order === undefined) this.#options.onSession(circle, session)
        else {
          this.counters.lost++
          session.send(Kind.Recovery, order)
          session.close(CloseReason.Removed)
        }
      }
    })
    session.onClose = () => {
      if (half.state === 'gone') return
      this.counters.unconfirmed++
      this.#half.leave(half)
    }
    half.session = session
  }

  #allDoors(circles: readonly HandshakeCircle[]): Door[] {
    return circles.flatMap(({ gid, statics }) =>
      statics.map(key => {
        let known = this.#doors.get(key)
        if (!known) {
          known = door(gid, key)
          this.#doors.set(key, known)
        }
        return known
      })
    )
  }

  /** Counted, never logged: whoever scans us must not fill the log. */
  #refuse(half: HalfOpen, cause: Dropped): void {
    if (half.state === 'gone') return
    this.counters[cause]++
    this.#evict(this.#half.mute(half, this.#options.now()))
  }

  #evict(half: HalfOpen | undefined): void {
    if (!half) return
    this.counters.evicted++
    half.link.destroy()
  }

  #end(half: HalfOpen): void {
    this.#half.leave(half)
    if (half.session) half.session.destroy()
    else half.link.destroy()
  }

  #sweepLater(): void {
    if (this.#cancelSweep || this.#half.size === 0 || this.#stopped) return
    this.#cancelSweep = this.#around.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined
      this.#codes.next()
      for (const half of this.#half.expired(this.#options.now())) {
        if (half.state !== 'mute') this.counters.timeout++
        this.#end(half)
      }
      this.#sweepLater()
    })
  }
}
