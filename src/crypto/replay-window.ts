/**
 * Which counters may still be taken: those above all that were taken, and of the 64 below the greatest those that
 * were not. Pure.
 */
export const REPLAY_WINDOW = 64

export class ReplayWindow {
  #greatest = -1
  /** By remainder: the last counter taken. */
  readonly #taken = new Float64Array(REPLAY_WINDOW).fill(-1)

  /** Whether it may be taken; asked before it is known to be authentic. */
  fresh(counter: number): boolean {
    return counter > this.#greatest - REPLAY_WINDOW && this.#taken[counter % REPLAY_WINDOW] !== counter
  }

  /** It was fresh and authentic. */
  take(counter: number): void {
    this.#taken[counter % REPLAY_WINDOW] = counter
    if (counter > this.#greatest) this.#greatest = counter
  }
}
