/**
 * Thrift: what a device may spend on the others. One on battery, or whose networks all cost by the byte, saves:
 * its links are asked less often, by both ends, since each says in its record what its means are
 * (docs/decisions/0119).
 */

/** What a device has, as it says itself. */
export interface Means {
  readonly onBattery: boolean
  /** All its networks are. */
  readonly metered: boolean
}

/** How long a link may be silent, in milliseconds. */
export const KEEPALIVE = 15_000
/** The same when either end saves. */
export const KEEPALIVE_SAVING = 60_000

export const saves = ({ onBattery, metered }: Means): boolean => onBattery || metered

/** It pays for a look at the others every few seconds. */
export const watches = (means: Means): boolean => !saves(means)

/** Of a link between two. */
export const keepalive = (one: Means, other: Means): number =>
  saves(one) || saves(other) ? KEEPALIVE_SAVING : KEEPALIVE
