/**
 * Witness frames of one circle, in all three parts: the observer that asks, the witness that hands on between two
 * sessions what it cannot read, and the target that answers (wire/witness.ts). Whatever does not fit is dropped and
 * counted; everything ends by itself.
 */
import { type PeerId, peerId, peerKey } from '../../crypto/identity.ts'
import { Kind } from '../../wire/frame.ts'
import { decodeWitness, encodeWitness, type WitnessFrame } from '../../wire/witness.ts'
import { Allowance } from './allowance.ts'
import type { Probes } from './probes.ts'

/** How long an answer is waited for. */
const WAIT_MS = 3_000
/** Handed on and not answered yet, of one session; as many asked by us. */
const OPEN_AT_MOST = 32
/** Frames read from one session in a second. */
const READ = 20

export interface WitnessesOptions {
  readonly self: PeerId
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly probes: Pick<Probes, 'sealPassed' | 'receivePassed'>
  readonly send: (session: number, kind: number, body: Uint8Array) => void
  /** The session of a member that is written to. */
  readonly inUse: (peer: PeerId) => number | undefined
}

/** Something of ours goes on with `session` under a token. */
interface Open {
  readonly session: number
  readonly until: number
}
interface Passed extends Open {
  readonly observer: number
  readonly observerToken: number
}

export class Witnesses {
  readonly counters = { malformed: 0, rate: 0, full: 0, unreached: 0, unasked: 0 }
  readonly #options: WitnessesOptions
  readonly #asked = new Map<number, Open>()
  readonly #passed = new Map<number, Passed>()
  readonly #allowances = new Map<number, Allowance>()
  #last = 0

  constructor(options: WitnessesOptions) {
    this.#options = options
  }

  /** Asks the peers of these sessions to hand a probe to `target`; told each time one brings its pong. */
  ask(target: PeerId, by: readonly number[], onPong: (session: number) => void): void {
    const { now, probes, send } = this.#options
    const key = peerKey(target)
    for (const session of by) {
      forgetOld(this.#asked, now())
      if (key === undefined || this.#asked.size >= OPEN_AT_MOST) return
      const datagram = probes.sealPassed(target, () => onPong(session))
      if (datagram === undefined) return
      const token = ++this.#last
      this.#asked.set(token, { session, until: now() + WAIT_MS })
      send(session, Kind.Witness, encodeWitness({ type: 'ask', token, target: key, datagram }))
    }
  }

  /** A Witness frame of a member. */
  receive(session: number, peer: PeerId, body: Uint8Array): void {
    let allowance = this.#allowances.get(session)
    if (allowance === undefined) this.#allowances.set(session, (allowance = new Allowance(READ)))
    const frame = decodeWitness(body)
    if (frame === undefined) this.counters.malformed++
    else if (!allowance.take(this.#options.now())) this.counters.rate++
    else if (frame.type === 'ask') this.#pass(session, peer, frame)
    else if (frame.type === 'pass') this.#answer(session, frame)
    else this.#back(session, frame)
  }

  closed(session: number): void {
    this.#allowances.delete(session)
    for (const tokens of [this.#asked, this.#passed])
      for (const [token, open] of tokens) if (open.session === session) tokens.delete(token)
    for (const [token, { observer }] of this.#passed) if (observer === session) this.#passed.delete(token)
  }

  /** Probes that are under way. */
  get open(): number {
    return this.#asked.size + this.#passed.size
  }

  /** As the witness. */
  #pass(
    observer: number,
    peer: PeerId,
    { token: observerToken, target: key, datagram }: WitnessFrame & { type: 'ask' }
  ): void {
    const { inUse, now, self, send } = this.#options
    const target = peerId(key)
    const session = target === self || target === peer ? undefined : inUse(target)
    if (session === undefined) {
      this.counters.unreached++
      return
    }
    forgetOld(this.#passed, now())
    let open = 0
    for (const passed of this.#passed.values()) if (passed.observer === observer) open++
    if (open >= OPEN_AT_MOST) {
      this.counters.full++
      return
    }
    const token = ++this.#last
    this.#passed.set(token, { session, observer, observerToken, until: now() + WAIT_MS })
    send(session, Kind.Witness, encodeWitness({ type: 'pass', token, datagram }))
  }

  /** As the target. */
  #answer(session: number, { token, datagram: probe }: WitnessFrame): void {
    const { probes, send } = this.#options
    const datagram = probes.receivePassed(probe)
    if (datagram !== undefined) send(session, Kind.Witness, encodeWitness({ type: 'back', token, datagram }))
  }

  /** As the observer, or as the witness. */
  #back(session: number, { token, datagram }: WitnessFrame): void {
    const { now, probes, send } = this.#options
    const asked = this.#asked.get(token)
    const passed = this.#passed.get(token)
    const open = asked ?? passed
    if (open === undefined || open.session !== session || open.until < now()) {
      this.counters.unasked++
      return
    }
    this.#asked.delete(token)
    this.#passed.delete(token)
    if (passed === undefined) probes.receivePassed(datagram)
    else {
      const back = encodeWitness({ type: 'back', token: passed.observerToken, datagram })
      send(passed.observer, Kind.Witness, back)
    }
  }
}

/** They wait equally long: the oldest are first. */
function forgetOld(tokens: Map<number, Open>, now: number): void {
  for (const [token, { until }] of tokens) {
    if (until >= now) return
    tokens.delete(token)
  }
}
