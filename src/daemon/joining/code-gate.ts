/**
 * The part of the gate where one joins by a code. Without an open invitation it is as silent as the rest;
 * with one it lets few in at a time, in turn, and hands over what an InviterRun has made a session of.
 */
import { JOIN_HEADER, JoinMessage, joinMessageBody, joinMessageLength } from '../../wire/joining.ts'
import type { HandshakeSurroundings } from '../sessions/caller.ts'
import type { Counters, Dropped } from '../sessions/dropped.ts'
import type { HalfOpen, HalfOpens } from '../sessions/half-open.ts'
import type { Session } from '../sessions/session.ts'
import { InviterRun } from './inviter-run.ts'
import type { OpenInvitation } from './open-invitation.ts'
import { Turns } from './turns.ts'

export interface CodeGateOptions {
  readonly around: HandshakeSurroundings
  readonly half: HalfOpens
  readonly counters: Counters
  readonly invitation: () => OpenInvitation | undefined
  /** A device was let in: the session is its circle's. */
  readonly onSession: (circle: { readonly gid: Uint8Array }, session: Session) => void
  /** Not a byte for this one. */
  readonly refuse: (half: HalfOpen, cause: Dropped) => void
}

export class CodeGate {
  readonly #options: CodeGateOptions
  readonly #turns = new Turns<{ half: HalfOpen; run: InviterRun }>()
  /** Those that have shown the code and wait for a verdict: no half-open links any more. */
  readonly #asking = new Set<InviterRun>()

  constructor(options: CodeGateOptions) {
    this.#options = options
  }

  /** Whether what has come of a first message is one of joining by a code; then it has been seen to. */
  reads(half: HalfOpen, message: Uint8Array): boolean {
    const length = joinMessageLength(message.subarray(0, JOIN_HEADER))
    if (length === undefined) return false
    const { counters, invitation, refuse } = this.#options
    const open = invitation()
    const begins = message[JOIN_HEADER - 1] === JoinMessage.SidA && message.length <= length
    if (!begins) refuse(half, 'garbage')
    else if (!open?.accepting) refuse(half, 'uninvited')
    else if (message.length < length) half.gathered = new Uint8Array(message)
    else if (!this.#enlist(half)) refuse(half, 'half-open')
    else {
      const { around, onSession } = this.#options
      const sidA = joinMessageBody(JoinMessage.SidA, message)!
      const run: InviterRun = new InviterRun(half, sidA, open, around, {
        refuse: cause => refuse(half, cause),
        wrong: () => {
          counters.code++
          this.#options.half.leave(half)
        },
        asking: () => {
          this.#options.half.leave(half)
          this.#asking.add(run)
        },
        over: () => {
          this.#options.half.leave(half)
          this.#asking.delete(run)
        },
        onSession: session => onSession(open.circle, session)
      })
      half.receive = chunk => run.receive(chunk)
      this.#turns.wait(half.source, { half, run })
      this.next()
    }
    return true
  }

  #enlist(half: HalfOpen): boolean {
    return this.#options.half.enlist(half, evicted => {
      this.#options.counters.evicted++
      evicted.link.destroy()
    })
  }

  /** Begins the runs whose turn it is. */
  next(): void {
    this.#turns.forget(({ half }) => half.state !== 'joining')
    for (const { run } of this.#turns.next(this.#options.around.now())) run.start()
  }

  stop(): void {
    for (const run of this.#asking) run.destroy()
  }
}
