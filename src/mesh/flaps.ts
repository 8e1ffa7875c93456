/**
 * Flaps: how often a peer was lost lately. One that comes and goes is shown as reachable, and told of, only when it
 * has been so for a while; the while grows with each time. That it went is shown at once, always.
 */

/** Losses further apart have nothing to do with each other. */
const WINDOW = 60_000
/** Losses in a row that cost nothing. */
export const FREE = 4
const HOLD_FIRST = 125
/** Right again two seconds after the last flap: this and a session in between. */
export const HOLD_LONGEST = 1_000
const QUIET_FIRST = 5_000
export const QUIET_LONGEST = 60_000

export interface Flaps {
  /** In a row. */
  count: number
  lostAt: number
}

export const newFlaps = (): Flaps => ({ count: 0, lostAt: -Infinity })

/** It was lost once more. */
export function flapped(now: number, flaps: Flaps): void {
  flaps.count = now - flaps.lostAt < WINDOW ? flaps.count + 1 : 1
  flaps.lostAt = now
}

const grown = (count: number, first: number, longest: number): number =>
  count <= FREE ? 0 : Math.min(longest, first * 2 ** Math.min(count - FREE - 1, 16))

/** From when on it may be shown as reachable. */
export const steadyAt = ({ count, lostAt }: Flaps): number =>
  count <= FREE ? -Infinity : lostAt + grown(count, HOLD_FIRST, HOLD_LONGEST)

/** How long after others were told of it they are told again, in milliseconds. */
export const quiet = (now: number, { count, lostAt }: Flaps): number =>
  now - lostAt < WINDOW ? grown(count, QUIET_FIRST, QUIET_LONGEST) : 0
