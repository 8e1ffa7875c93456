/**
 * Whether it looks as if this device had been removed while it was away: strangers get no answer, so it cannot
 * be told. But computers that take the connection and then say nothing, several of them, or one for long, are
 * a sign. Pure.
 */
import type { PeerId } from '../../crypto/identity.ts'
import { parseAddress, sameSubnet } from '../../wire/address.ts'

/** Answers come within milliseconds; a connection that was silent for so long is not slow. */
export const SILENCE_MS = 3_000
/** How long it takes from one member alone, or from far away, where portals take any connection. */
const LONG_MS = 1_800_000
const TIMES = 3
const FEW = 2

interface Silent {
  readonly since: number
  times: number
  near: boolean
}

export class Unanswered {
  readonly #silent = new Map<PeerId, Silent>()

  /** A session was opened: somebody knows this device. */
  answered(): void {
    this.#silent.clear()
  }

  /** It took a connection at this address and said nothing; `own`: addresses of this device. */
  silent(now: number, peer: PeerId, address: string, own: readonly string[]): void {
    const there = parseAddress(address)
    const here = own.map(parseAddress).filter(a => a !== undefined)
    const near = there !== undefined && here.some(a => sameSubnet(a, there))
    const known = this.#silent.get(peer)
    if (known === undefined) this.#silent.set(peer, { since: now, times: 1, near })
    else {
      known.times++
      known.near ||= near
    }
  }

  /** Whether to say so. */
  seems(now: number): boolean {
    const all = [...this.#silent.values()]
    if (all.filter(({ near }) => near).length >= FEW) return true
    return all.some(({ since, times }) => now - since >= LONG_MS && times >= TIMES)
  }
}
