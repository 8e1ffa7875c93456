/** What a circle is told of the computer it runs on. */
import type { Means } from '../../mesh/thrift.ts'
import type { Card } from '../../wire/extra.ts'

/** What this computer has, and how it can be woken. */
export interface OwnMeans extends Means {
  readonly cards: readonly Card[]
}

/** The computer sleeps, is switched off, woke up; or was not running for a moment, which accuses nobody. */
export type RestPhase = 'sleep' | 'off' | 'wake' | 'grace'
