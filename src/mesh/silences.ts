/**
 * Silences: how long a session that leaves our own subnets may be silent. What is on the way (NAT, a firewall
 * that keeps state) forgets a session that nobody uses, after 30 s or after hours, and tells neither end.
 *
 * Learned for each remote network (/24 or /64): the interval grows by half as long as it holds, from LEAST to
 * MOST, and stays below what killed a session. Killed is a session whose ping after a silence was not answered
 * though the same boot of the same peer was there within WITHIN on a new one: a peer that is away teaches
 * nothing. What killed is believed for BELIEVED. All is forgotten when our own addresses change, for then the
 * NAT of our own end is another; nothing is stored (docs/decisions/0120).
 */
import type { Address } from '../wire/address.ts'
import { addressClass, parseAddress, sameSubnet } from '../wire/address.ts'
import type { Session } from './peer.ts'

export const LEAST = 15_000
export const MOST = 300_000
const GROWTH = 1.5
const WITHIN = 10_000
export const BELIEVED = 6 * 3_600_000
/** Networks remembered, the latest to teach something. */
const NETWORKS = 64

interface Lesson {
  /** The longest silence a session survived, and the shortest that killed one. */
  held: number
  killed: number
  killedAt: number
}

const IGNORANT: Lesson = { held: LEAST / GROWTH, killed: Infinity, killedAt: -Infinity }

export class Silences {
  readonly #lessons = new Map<string, Lesson>()

  get size(): number {
    return this.#lessons.size
  }

  /** In milliseconds, towards that network (`beyond` of a session). */
  interval(beyond: string): number {
    const { held, killed } = this.#lessons.get(beyond) ?? IGNORANT
    const next = Math.min(MOST, held * GROWTH)
    return Math.max(LEAST, next < killed ? next : held)
  }

  /** Whether the interval stays as it is for now. */
  settled(beyond: string): boolean {
    const { held } = this.#lessons.get(beyond) ?? IGNORANT
    return this.interval(beyond) <= Math.max(held, LEAST)
  }

  /** A session was confirmed. */
  opened(now: number, session: Session): void {
    const { peer, bootId, beyond } = session
    const mute = peer.mute
    peer.mute = undefined
    if (mute?.bootId !== bootId || mute.beyond !== beyond || now > mute.at + WITHIN) return
    this.#killed(now, beyond, mute.silence)
  }

  /** Something came on a session after this silence, or in answer to a ping that was sent after it. */
  survived(now: number, { beyond, spoke }: Session, silence: number): void {
    if (beyond === '' || spoke || silence < LEAST) return
    const granted = this.interval(beyond)
    // a process that was stopped has not waited
    if (silence > granted * GROWTH) return
    const lesson = this.#lesson(beyond)
    if (now > lesson.killedAt + BELIEVED || granted >= lesson.killed) lesson.killed = Infinity
    lesson.held = Math.max(lesson.held, Math.min(silence, granted))
  }

  /** A session is over, and none of its peer's any more. */
  ended(now: number, session: Session): void {
    const { peer, bootId, beyond, silence } = session
    if (beyond === '' || session.spoke || !session.awaiting || silence < LEAST) return
    // another one took over since it was asked
    if (peer.sessions.some(other => other.bootId === bootId && other.openedAt > session.heardAt + silence))
      this.#killed(now, beyond, silence)
    else peer.mute = { at: now, bootId, beyond, silence }
  }

  clear(): void {
    this.#lessons.clear()
  }

  #killed(now: number, beyond: string, silence: number): void {
    const lesson = this.#lesson(beyond)
    lesson.killed = Math.min(lesson.killed, silence)
    lesson.killedAt = now
    if (lesson.held >= lesson.killed) lesson.held = lesson.killed / GROWTH
  }

  #lesson(beyond: string): Lesson {
    const lesson = this.#lessons.get(beyond) ?? { ...IGNORANT }
    this.#lessons.delete(beyond)
    this.#lessons.set(beyond, lesson)
    if (this.#lessons.size > NETWORKS) this.#lessons.delete(this.#lessons.keys().next().value!)
    return lesson
  }
}

/** The remote network of an address, as a name of it; '' when it is one of ours, or this computer. */
export function networkBeyond(text: string, own: readonly Address[]): string {
  const remote = parseAddress(text)
  if (remote === undefined || own.some(address => sameSubnet(address, remote))) return ''
  const kind = addressClass(remote)
  if (kind === 'loopback' || kind === 'link-local') return ''
  return remote.host.subarray(0, remote.family === 4 ? 3 : 8).join()
}
