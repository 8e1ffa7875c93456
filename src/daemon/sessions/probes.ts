/**
 * The probes of one circle: asks peers by UDP, answers theirs, and says what came back. Whoever is no member gets
 * nothing, and nothing is logged of it: what is dropped is counted.
 *
 * Each datagram has a number of its own on the wire, so that its answer tells which it was, by which address, and how
 * long it took; an answer counts once, and only from the peer and by the kind of way that was asked.
 */
import type { PeerId } from '../../crypto/identity.ts'
import type { Place } from '../../net/interfaces.ts'
import { ProbeType, readProbeHeader } from '../../wire/probe.ts'
import { Allowance } from './allowance.ts'
import { type ProbeKey, ProbeKeyring, type ProbeSession } from './probe-keyring.ts'

/** Answered, of one peer, in a second. */
const ANSWERED = 50
/** How long an answer is waited for: longer than anybody looks at it. */
const WAIT_MS = 10_000
const WAITING_AT_MOST = 1_024

export interface ProbesOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /**
   * A datagram to this address from the fitting listener, or from the one given. `onFailed` gets a word, as of a dial,
   * once, when it is known that it did not leave.
   */
  readonly send: (
    address: string,
    datagram: Uint8Array,
    onFailed: (reason: string) => void,
    from?: Place
  ) => void
  /** The session that is written to. */
  readonly inUse: (peer: PeerId) => number | undefined
  /** An authentic probe of that peer came from there, by itself. */
  readonly onAlive: (peer: PeerId, address: string) => void
}

export interface ProbeOutcome {
  readonly onPong: (roundTripUSec: number) => void
  /** It did not leave: a word. Silence is told by nobody. */
  readonly onFailed: (reason: string) => void
}

interface Asked extends ProbeOutcome {
  readonly peer: PeerId
  readonly pong: ProbeType
  readonly at: number
}

/** Why a datagram was of no use. */
export type Unused = 'stranger' | 'replay' | 'forged' | 'rate' | 'unasked' | 'type'

export class Probes {
  readonly counters: Record<Unused, number> = {
    stranger: 0,
    replay: 0,
    forged: 0,
    rate: 0,
    unasked: 0,
    type: 0
  }
  readonly #options: ProbesOptions
  readonly #keyring = new ProbeKeyring()
  readonly #asked = new Map<number, Asked>()
  readonly #answers = new Map<PeerId, Allowance>()
  #last = 0

  constructor(options: ProbesOptions) {
    this.#options = options
  }

  // --- whose keys

  opened(number: number, session: ProbeSession): void {
    this.#keyring.opened(number, session)
  }
  heard(peer: PeerId, number: number): void {
    this.#keyring.heard(peer, number)
  }
  closed(peer: PeerId, number: number): void {
    this.#keyring.closed(this.#options.now(), peer, number)
  }
  /** All that is known of others is forgotten. */
  keep(members: ReadonlySet<PeerId>): void {
    this.#keyring.keep(members)
    for (const peer of this.#answers.keys()) if (!members.has(peer)) this.#answers.delete(peer)
    for (const [number, { peer }] of this.#asked) if (!members.has(peer)) this.#asked.delete(number)
  }

  // --- asking

  /** Asks a peer at an address URI whether it is there. */
  ask(peer: PeerId, address: string, outcome: ProbeOutcome): void {
    const sealed = this.#seal(peer, ProbeType.Probe, outcome)
    if (sealed === undefined) {
      outcome.onFailed('no-keys')
      return
    }
    this.#options.send(address, sealed.datagram, reason => {
      if (this.#asked.delete(sealed.number)) outcome.onFailed(reason)
    })
  }

  /** A probe that somebody else hands on. Undefined: there are no keys of that peer. */
  sealPassed(peer: PeerId, onPong: (roundTripUSec: number) => void): Uint8Array | undefined {
    return this.#seal(peer, ProbeType.PassedProbe, { onPong, onFailed: () => {} })?.datagram
  }

  // --- what comes

  /** From an address URI to one of our sockets. Returns whether a peer of this circle made it. */
  receive(datagram: Uint8Array, from: string, to: Place): boolean {
    const opened = this.#open(datagram)
    if (opened === undefined || opened === 'unused') return false
    const { peer, text } = opened
    if (text.type === ProbeType.Pong) this.#answered(peer, text)
    else if (text.type === ProbeType.Probe) {
      const pong = this.#answer(opened, ProbeType.Pong)
      if (pong !== undefined) this.#options.send(from, pong, () => {}, to)
      this.#options.onAlive(peer, from)
    } else this.counters.type++
    return true
  }

  /** By the session with a witness; the pong to send back by it, when it was an authentic probe. */
  receivePassed(datagram: Uint8Array): Uint8Array | undefined {
    const opened = this.#open(datagram)
    if (opened === 'unused') return undefined
    if (opened === undefined) this.counters.stranger++
    else if (opened.text.type === ProbeType.PassedProbe) return this.#answer(opened, ProbeType.PassedPong)
    else if (opened.text.type === ProbeType.PassedPong) this.#answered(opened.peer, opened.text)
    else this.counters.type++
    return undefined
  }

  #open(datagram: Uint8Array) {
    const header = readProbeHeader(datagram)
    const opened = header && this.#keyring.open(this.#options.now(), header, datagram)
    if (typeof opened !== 'string') return opened
    this.counters[opened]++
    return 'unused'
  }

  #seal(peer: PeerId, type: ProbeType, outcome: ProbeOutcome) {
    const { now, inUse } = this.#options
    const at = now()
    const key = this.#keyring.of(at, peer, inUse(peer))
    if (key === undefined) return undefined
    this.#forgetOld(at)
    const number = ++this.#last
    const { onPong, onFailed } = outcome
    this.#asked.set(number, { peer, pong: (type + 1) as ProbeType, at, onPong, onFailed })
    return { number, datagram: key.cipher.seal({ type, number }) }
  }

  #answer({ peer, cipher, text }: ProbeKey & { text: { number: number } }, type: ProbeType) {
    let allowance = this.#answers.get(peer)
    if (allowance === undefined) this.#answers.set(peer, (allowance = new Allowance(ANSWERED)))
    if (allowance.take(this.#options.now())) return cipher.seal({ type, number: text.number })
    this.counters.rate++
    return undefined
  }

  #answered(peer: PeerId, { type, number }: { type: ProbeType; number: number }): void {
    const asked = this.#asked.get(number)
    if (asked === undefined || asked.peer !== peer || asked.pong !== type) {
      this.counters.unasked++
      return
    }
    this.#asked.delete(number)
    asked.onPong(Math.max(1, Math.round((this.#options.now() - asked.at) * 1000)))
  }

  #forgetOld(now: number): void {
    for (const [number, { at }] of this.#asked) {
      if (at + WAIT_MS > now && this.#asked.size < WAITING_AT_MOST) break
      this.#asked.delete(number)
    }
  }
}
