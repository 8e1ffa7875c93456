/** The checks of `coterie doctor` on what is seen of the other devices: their clocks, and walls between us. Pure. */
import type { CheckRecord } from '../api/api.ts'
import { duration } from './circle/advice.ts'
import type { ClockDifference } from './circle/explaining.ts'
import { listed, ok, warning } from './verdicts.ts'

export interface PeerFacts {
  /** Members whose clocks were seen to differ from ours. */
  readonly clocks: readonly ClockDifference[]
  /** Names of peers that are heard and not reached, by the interface whose network keeps us apart. */
  readonly apart: ReadonlyMap<string, readonly string[]>
  /** Somebody is known to keep our clock right. */
  readonly synchronised: boolean
}

/** Less does not matter, seconds: the slots of announcements are 900 s long, and those beside ours are heard. */
const DIFFERENCE_S = 300
const SYNCHRONISE = 'sudo timedatectl set-ntp true'

export function peerClocksCheck({ clocks, synchronised }: PeerFacts): CheckRecord {
  const name = 'peer-clocks'
  const wrong = clocks.filter(({ ahead, far }) => far || Math.abs(ahead) >= DIFFERENCE_S)
  if (wrong.length === 0) return ok(name, 'No clock of another device is seen to differ from this one.')
  const texts = wrong.map(({ name, ahead, far }) => {
    const by = `${duration(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} this one`
    return `the clock of ${name} is at least ${by}${far ? ', so it is not understood when it announces itself' : ''}`
  })
  const ours = !synchronised && wrong.length > 1 && wrong.every(one => one.ahead > 0 === wrong[0]!.ahead > 0)
  const text = `${listed(texts)}${ours ? ': it is likelier that this one is wrong' : ''}.`.replace(
    /^the/,
    'The'
  )
  const mend =
    ours || !synchronised ? SYNCHRONISE : `on ${listed(wrong.map(one => one.name))}: ${SYNCHRONISE}`
  return warning(name, text, mend)
}

export function accessPointCheck({ apart }: PeerFacts): CheckRecord {
  const name = 'access-point'
  const [first] = apart.values()
  if (first === undefined)
    return ok(name, 'Nothing shows that a network keeps this device apart from others.')
  const texts = [...apart].map(([where, names]) => `nothing gets through to ${listed(names)} on ${where}`)
  return warning(
    name,
    `${listed(texts)}, though heard there, and the gateway answers: the access point keeps devices apart (client isolation).`.replace(
      /^n/,
      'N'
    ),
    `coterie why ${first[0]}`
  )
}
