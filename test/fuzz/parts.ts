/** What is fuzzed, and one run of each by its seed. */
import { Intake } from '../../src/circle/intake.ts'
import { Resolver } from '../../src/circle/resolver.ts'
import { randomHistory } from '../circle/attack.ts'
import { type Counted, check, Violation } from '../circle/invariants.ts'
import { Meeting } from '../circle/meeting.ts'
import { least, story } from '../circle/shrink.ts'
import { decodeOnce } from './decode.ts'
import { formats } from './formats.ts'

export type Sums = { [what: string]: number }

export interface Part {
  /** Runs for each one asked for. */
  readonly share: number
  /** Adds to the sums; returns what is wrong. */
  run(seed: number, sums: Sums): string | undefined
}

const subject = { Resolver, Intake }

function history(seed: number, sums: Sums): string | undefined {
  try {
    const counted = check(subject, randomHistory(seed), seed)
    for (const what of Object.keys(counted) as (keyof Counted)[])
      sums[what] = (sums[what] ?? 0) + counted[what]
    return undefined
  } catch (error) {
    const { stack, message } = error as Error
    if (!(error instanceof Violation)) return `${stack}`
    return `${message}\n${story(least(subject, seed, error.rule))}`
  }
}

function meeting(seed: number, sums: Sums): string | undefined {
  try {
    const { operations, parties, hostile } = new Meeting(seed)
    const counted = { operations, devices: parties.length, hostile: hostile.size }
    for (const [what, n] of Object.entries(counted)) sums[what] = (sums[what] ?? 0) + n
    return undefined
  } catch (error) {
    return error instanceof Violation ? error.message : `${(error as Error).stack}`
  }
}

function decoder(name: string): Part {
  const run = (seed: number, sums: Sums) => {
    const { wrong, read } = decodeOnce(name, seed)
    if (read) sums['read'] = (sums['read'] ?? 0) + 1
    return wrong
  }
  return { share: 1, run }
}

export const parts: { readonly [name: string]: Part } = {
  histories: { share: 1, run: history },
  // over sessions with real logs: one for ten of those
  meetings: { share: 0.1, run: meeting },
  ...Object.fromEntries(Object.keys(formats).map(name => [name, decoder(name)]))
}
