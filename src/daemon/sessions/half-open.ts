/**
 * Links that have not become sessions, bounded in number and time. A stranger has shown nothing yet: when
 * there are too many, one of them by chance makes room, so that a flood cannot keep others out. A caller has
 * shown a valid mac1: when there are too many, no more are taken. A joiner says that it has a code: it is as
 * little as a stranger, but takes longer, so it is counted by itself. Pure: time and chance are passed in.
 */
import type { Link } from '../../net/link.ts'
import type { Session } from './session.ts'

export const STRANGERS = 256
export const CALLERS = 64
export const CALLERS_PER_SOURCE = 4
/** Those that join by a code, and have not shown it. */
export const JOINERS = 64
export const JOINERS_PER_SOURCE = 2
export const HANDSHAKE_MS = 5_000

export class HalfOpen {
  readonly link: Link
  readonly source: string
  /**
   * reading: its first message is not whole; working: it is being answered; confirming: message 2 is sent;
   * joining: by a code; mute: it is refused, and kept only so that it cannot tell when; gone: no longer here.
   */
  state: 'reading' | 'working' | 'confirming' | 'joining' | 'mute' | 'gone' = 'reading'
  deadline: number
  /** What has come of the first message. */
  gathered: Uint8Array = new Uint8Array(0)
  /** Who reads what comes while it joins by a code. */
  receive: ((chunk: Uint8Array) => void) | undefined
  /** It has shown that it has the code: it makes room for nobody. */
  shown = false
  /** That its link has become, until it is confirmed. */
  session: Session | undefined
  /** Bytes that came after it was refused. */
  ignored = 0
  index = -1

  constructor(link: Link, source: string, deadline: number) {
    this.link = link
    this.source = source
    this.deadline = deadline
  }
}

export class HalfOpens {
  readonly #strangers: HalfOpen[] = []
  readonly #callers = new Set<HalfOpen>()
  readonly #joiners = new Set<HalfOpen>()
  readonly #random: () => number

  /** `random` gives [0, 1). */
  constructor(random: () => number) {
    this.#random = random
  }

  get size(): number {
    return this.#strangers.length + this.#callers.size + this.#joiners.size
  }

  /** Returns who had to go for the new one, if anybody. */
  enter(half: HalfOpen): HalfOpen | undefined {
    let evicted: HalfOpen | undefined
    if (this.#strangers.length >= STRANGERS) {
      evicted = this.#strangers[Math.floor(this.#random() * this.#strangers.length)]!
      this.leave(evicted)
    }
    half.index = this.#strangers.push(half) - 1
    return evicted
  }

  /** A stranger has shown a valid mac1; false when there are too many callers. */
  recognise(half: HalfOpen): boolean {
    if (this.#callers.size >= CALLERS) return false
    if (ofSource(this.#callers, half.source) >= CALLERS_PER_SOURCE) return false
    this.#removeStranger(half)
    this.#callers.add(half)
    half.state = 'working'
    return true
  }

  /**
   * A stranger begins to join by a code; false when too many of its source do. Who has to go for it, if anybody,
   * is told to `evict`.
   */
  enlist(half: HalfOpen, evict: (half: HalfOpen) => void): boolean {
    if (ofSource(this.#joiners, half.source) >= JOINERS_PER_SOURCE) return false
    if (this.#joiners.size >= JOINERS) {
      const others = [...this.#joiners].filter(({ shown }) => !shown)
      const one = others[Math.floor(this.#random() * others.length)]
      if (one === undefined) return false
      this.leave(one)
      evict(one)
    }
    this.#removeStranger(half)
    this.#joiners.add(half)
    half.state = 'joining'
    return true
  }

  /** From now on nothing it sends matters; it ends at a random time before its deadline. */
  mute(half: HalfOpen, now: number): HalfOpen | undefined {
    half.state = 'mute'
    half.gathered = new Uint8Array(0)
    half.receive = undefined
    half.deadline = Math.min(half.deadline, now + this.#random() * HANDSHAKE_MS)
    return this.#callers.delete(half) || this.#joiners.delete(half) ? this.enter(half) : undefined
  }

  leave(half: HalfOpen): void {
    if (!this.#callers.delete(half) && !this.#joiners.delete(half)) this.#removeStranger(half)
    half.state = 'gone'
    half.receive = undefined
    half.gathered = new Uint8Array(0)
  }

  /** Those whose time has passed. */
  expired(now: number): HalfOpen[] {
    return [...this.#strangers, ...this.#callers, ...this.#joiners].filter(half => half.deadline <= now)
  }

  #removeStranger(half: HalfOpen): void {
    if (half.index < 0) return
    const last = this.#strangers.pop()!
    if (last !== half) {
      this.#strangers[half.index] = last
      last.index = half.index
    }
    half.index = -1
  }
}

function ofSource(halves: Iterable<HalfOpen>, source: string): number {
  let same = 0
  for (const half of halves) if (half.source === source) same++
  return same
}
