/**
 * What the daemon does to the battery: its counters since it started, and lately. Samples are taken when it is
 * awake anyhow, so "lately" is the shortest time of at least a minute up to now that has a sample at its beginning.
 */
import type { ActivityRecord, Result } from '../api/api.ts'
import type { Bus } from '../host/bus.ts'
import type { Power } from '../host/power.ts'
import type { LinkCounts } from '../mesh/mesh.ts'
import { keepalive } from '../mesh/thrift.ts'
import type { Tally } from '../net/tally.ts'
import type { Timer } from './timer.ts'

const LATELY_MS = 60_000
/** Between two samples. */
const SAMPLE_MS = 10_000

interface Sample {
  readonly at: number
  readonly counts: ActivityRecord
}

export interface EnergyOptions {
  /** Monotonic milliseconds; the counts began at 0 of them. */
  readonly now: () => number
  /** All of them, since the start. */
  readonly counts: () => ActivityRecord
  readonly power: () => Power
  /** All networks in use are. */
  readonly metered: () => boolean
  /** Of each circle. */
  readonly links: () => readonly LinkCounts[]
}

export class Energy {
  readonly #options: EnergyOptions
  /** Oldest first; only the first is older than a minute. */
  readonly #samples: Sample[] = []

  constructor(options: EnergyOptions) {
    this.#options = options
  }

  /** Call whenever the daemon is awake. */
  sample(): void {
    const { counts, now } = this.#options
    const at = now()
    const last = this.#samples.at(-1)
    if (last !== undefined && at < last.at + SAMPLE_MS) return
    this.#samples.push({ at, counts: counts() })
    this.#forget(at)
  }

  report(): Result<'Energy'> {
    const { counts, links, metered, now, power } = this.#options
    const at = now()
    this.#forget(at)
    const total = counts()
    const since = this.#samples.find(sample => sample.at <= at - LATELY_MS) ?? { at: 0, counts: undefined }
    const { onBattery, by } = power()
    const means = { onBattery, metered: metered() }
    const each = links()
    this.sample()
    return {
      Power: onBattery ? 'battery' : 'mains',
      PowerSource: by,
      Metered: means.metered,
      KeepaliveUSec: 1000 * keepalive(means, means),
      Links: each.reduce((sum, { all }) => sum + all, 0),
      SlowLinks: each.reduce((sum, { slow }) => sum + slow, 0),
      FarLinks: each.reduce((sum, { beyond }) => sum + beyond, 0),
      FarKeepaliveUSec: Math.round(1000 * Math.max(0, ...each.map(({ longest }) => longest))),
      UpUSec: Math.round(at * 1000),
      Total: total,
      LatelyUSec: Math.round((at - since.at) * 1000),
      Lately: difference(total, since.counts)
    }
  }

  #forget(at: number): void {
    while (this.#samples.length > 1 && this.#samples[1]!.at <= at - LATELY_MS) this.#samples.shift()
  }
}

function difference(total: ActivityRecord, before: ActivityRecord | undefined): ActivityRecord {
  if (before === undefined) return total
  const names = Object.keys(total) as (keyof ActivityRecord)[]
  return Object.fromEntries(names.map(name => [name, total[name] - before[name]])) as ActivityRecord
}

/** All counters of the daemon, as they are now. */
export function activity(
  tally: Readonly<Tally>,
  timer: Pick<Timer, 'fires'>,
  buses: readonly Pick<Bus, 'signals'>[]
): ActivityRecord {
  return {
    WakeUps: process.resourceUsage().voluntaryContextSwitches,
    TimerFires: timer.fires,
    LinkWrites: tally.linkWrites,
    LinkReads: tally.linkReads,
    LinkBytesSent: tally.linkBytesSent,
    LinkBytesReceived: tally.linkBytesReceived,
    DatagramsSent: tally.datagramsSent,
    DatagramsReceived: tally.datagramsReceived,
    DatagramBytesSent: tally.datagramBytesSent,
    DatagramBytesReceived: tally.datagramBytesReceived,
    MulticastSent: tally.multicastSent,
    MulticastHeard: tally.multicastHeard,
    MulticastBytesSent: tally.multicastBytesSent,
    MulticastBytesHeard: tally.multicastBytesHeard,
    Signals: buses.reduce((sum, { signals }) => sum + signals, 0)
  }
}
