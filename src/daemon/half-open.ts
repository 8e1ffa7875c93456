/**
 * Links that have not become sessions, bounded in number and time. A stranger has shown nothing yet: when
 * there are too many, one of them by chance makes room, so that a flood cannot keep others out. A caller has
 * shown a valid mac1: when there are too many, no more are taken. Pure: time and chance are passed in.
 */
import type { Link } from '../net/link.ts'

export const STRANGERS = 256
export const CALLERS = 64
export const CALLERS_PER_SOURCE = 4
export const HANDSHAKE_MS = 5_000

export class HalfOpen {
  readonly link: Link
  readonly source: string
  /**
   * reading: its first message is not whole; working: it is being answered; confirming: message 2 is sent;
   * mute: it is refused, and kept only so that it cannot tell when; gone: no longer here.
   */
  state: 'reading' | 'working' | 'confirming' | 'mute' | 'gone' = 'reading'
  deadline: number
  /** What has come of the first message. */
  gathered: Uint8Array = new Uint8Array(0)
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
  readonly #random: () => number

  /** `random` gives [0, 1). */
  constructor(random: () => number) {
    this.#random = random
  }

  get size(): number {
    return this.#strangers.length + this.#callers.size
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
    let same = 0
    for (const caller of this.#callers) if (caller.source === half.source) same++
    if (same >= CALLERS_PER_SOURCE) return false
    this.#removeStranger(half)
    this.#callers.add(half)
    half.state = 'working'
    return true
  }

  /** From now on nothing it sends matters; it ends at a random time before its deadline. */
  mute(half: HalfOpen, now: number): HalfOpen | undefined {
    half.state = 'mute'
    half.gathered = new Uint8Array(0)
    half.deadline = Math.min(half.deadline, now + this.#random() * HANDSHAKE_MS)
    return this.#callers.delete(half) ? this.enter(half) : undefined
  }

  leave(half: HalfOpen): void {
    if (!this.#callers.delete(half)) this.#removeStranger(half)
    half.state = 'gone'
    half.gathered = new Uint8Array(0)
  }

  /** Those whose time has passed. */
  expired(now: number): HalfOpen[] {
    return [...this.#strangers, ...this.#callers].filter(half => half.deadline <= now)
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
