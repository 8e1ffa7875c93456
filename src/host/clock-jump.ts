/**
 * Notices that this process did not run for a while, though nobody had said so: the computer slept, or was
 * hibernated; the process was stopped, or the machine it runs on.
 *
 * Two things are held against the monotonic clock, which stands still while the computer sleeps: the time since it
 * was started, sleep included (CLOCK_BOOTTIME, as /proc/uptime has it); and when a timer went off, against when it
 * was due. The wall clock is not asked: who sets it, by hand or by NTP, to whatever year, was not asleep
 * (docs/decisions/0111).
 *
 * It has no timer of its own: it looks when somebody is awake anyhow.
 */
import { readFileSync } from 'node:fs'

/** /proc/uptime has hundredths, in some containers whole seconds; who slept for less was not missed. */
const SLEPT_MS = 2_000

export interface ClockJumpOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Milliseconds since the start of the computer, sleep included; undefined where nobody knows. */
  readonly uptime?: () => number | undefined
}

export class ClockJump {
  readonly #now: () => number
  readonly #uptime: () => number | undefined
  /** How much the computer has slept since it was started. */
  #slept: number | undefined

  constructor({ now, uptime = readUptime }: ClockJumpOptions) {
    this.#now = now
    this.#uptime = uptime
    this.#slept = this.#total()
  }

  /** For how many milliseconds the computer slept since last asked; 0: not at all. */
  look(): number {
    const total = this.#total()
    const before = this.#slept
    this.#slept = total
    if (total === undefined || before === undefined) return 0
    const slept = total - before
    return slept >= SLEPT_MS ? slept : this.#keep(Math.min(before, total))
  }

  /** What is too short to count adds up, as hundredths do not. */
  #keep(before: number): 0 {
    this.#slept = before
    return 0
  }

  #total(): number | undefined {
    const uptime = this.#uptime()
    return uptime === undefined ? undefined : uptime - this.#now()
  }
}

/** The first number of /proc/uptime. */
export function readUptime(): number | undefined {
  try {
    const seconds = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0])
    return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : undefined
  } catch {
    return undefined
  }
}
