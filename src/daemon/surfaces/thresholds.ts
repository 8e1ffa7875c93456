/**
 * What one subscriber has been told of peers, and what of them it is to be told: pure, the time is not its
 * matter. A peer crosses when it is new, gone, or differs from what was told by more than was asked for.
 */
import type { Params, Properties, Result } from '../../api/api.ts'

type Peer = Readonly<Properties<'Peer'>>
export type PeerState = 'reachable' | 'suspect' | 'asleep' | 'unreachable'
export const peerStates: readonly PeerState[] = ['reachable', 'suspect', 'asleep', 'unreachable']

/** Whose changes, and which. */
export interface Wish extends Pick<Params<'Subscribe'>, 'LatencyUSec' | 'LatencyPercent'> {
  /** Ids; '' means of all circles, of all peers. */
  readonly circle: string
  readonly peer: string
  /** Those that matter; empty means all. */
  readonly states: readonly string[]
}

/** Whether a subscriber that was told `told` is to be told `now`. */
export function crosses(wish: Omit<Wish, 'circle' | 'peer'>, told: Peer, now: Peer): boolean {
  const matters = (state: string) => wish.states.length === 0 || wish.states.includes(state)
  if (now.State !== told.State && (matters(now.State) || matters(told.State))) return true
  return now.Name !== told.Name || latencyCrosses(wish, told.LatencyUSec, now.LatencyUSec)
}

/** Of a latency that is unknown (0) there is nothing to tell; the first one known is news where any would be. */
function latencyCrosses(
  { LatencyUSec, LatencyPercent }: Omit<Wish, 'circle' | 'peer'>,
  told: number,
  now: number
): boolean {
  if (now === 0 || (LatencyUSec === 0 && LatencyPercent === 0)) return false
  if (told === 0) return true
  const moved = Math.abs(now - told)
  return (
    (LatencyUSec > 0 && moved > LatencyUSec) || (LatencyPercent > 0 && moved * 100 > told * LatencyPercent)
  )
}

export class Thresholds {
  readonly #wish: Wish
  /** By object path, as told last. */
  readonly #told = new Map<string, Peer>()
  /** By object path, what has crossed since; undefined: it is gone. */
  readonly #crossed = new Map<string, Peer | undefined>()
  /** Those of them whose state changed: told though it changed back, as the subscriber may have looked meanwhile. */
  readonly #flipped = new Set<string>()

  constructor(wish: Wish) {
    this.#wish = wish
  }

  /** There is something to tell. */
  get crossed(): boolean {
    return this.#crossed.size > 0
  }

  /** The peer at this path as it is now; undefined when there is none any more. */
  see(path: string, now: Peer | undefined): void {
    const told = this.#told.get(path)
    const shown = now !== undefined && this.#wanted(now) ? now : undefined
    const isNews =
      told === undefined || shown === undefined
        ? told !== shown
        : told.Id !== shown.Id || crosses(this.#wish, told, shown)
    if (isNews && told && shown && told.State !== shown.State) this.#flipped.add(path)
    if (isNews || (shown && this.#flipped.has(path))) this.#crossed.set(path, shown)
    else this.#crossed.delete(path)
  }

  /** All that has crossed, which counts as told from now on. */
  take(): Result<'Subscribe'> {
    const Peers: Peer[] = []
    const Gone: string[] = []
    for (const [path, now] of this.#crossed) {
      const told = this.#told.get(path)
      if (told !== undefined && told.Id !== now?.Id) Gone.push(told.Id)
      if (now === undefined) this.#told.delete(path)
      else {
        this.#told.set(path, now)
        Peers.push(now)
      }
    }
    this.#crossed.clear()
    this.#flipped.clear()
    return { Peers, Gone }
  }

  #wanted({ Circle, Id }: Peer): boolean {
    const { circle, peer } = this.#wish
    return (circle === '' || circle === Circle) && (peer === '' || peer === Id)
  }
}
