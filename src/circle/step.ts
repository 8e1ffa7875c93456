/** What the resolver reads, and what it says (resolver.ts). */

export interface Step {
  readonly id: string
  /** All of them known to the resolver already. Empty for the genesis only. */
  readonly prev: readonly string[]
  readonly kind: 'genesis' | 'add' | 'remove' | 'rekey' | 'name'
  readonly author: string
  /** genesis: the author that stands for the recovery code. */
  readonly recovery?: string | undefined
  readonly target?: string | undefined
  readonly level?: number | undefined
  /** remove: heads up to which the target is trusted; undefined = up to the removal; [] = nothing. */
  readonly cut?: readonly string[] | undefined
  readonly serial?: number | undefined
}

export interface Standing {
  readonly level: number
  /** Id of the `add` (or genesis) that gave the level. */
  readonly added: string
  /** Ids of live rekeys, greatest serial first, at most 2. */
  readonly rekeys: readonly string[]
  /** Id of the live name with the greatest serial. */
  readonly name: string | undefined
}

export interface Resolution {
  readonly members: ReadonlyMap<string, Standing>
  /** Devices that had a level and were removed. */
  readonly removed: ReadonlySet<string>
  /** Those of them that only removed themselves, with the level they had. */
  readonly left: ReadonlyMap<string, number>
}

export const FIRST_RELAXED_LEVEL = 10
export const QUOTA_MEMBER = 64
export const QUOTA_ADMIN = 1024

export const quota = (level: number): number => (level >= FIRST_RELAXED_LEVEL ? QUOTA_MEMBER : QUOTA_ADMIN)
