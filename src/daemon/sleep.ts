/**
 * Sleep of this computer: when all circles are told of it, and of its end.
 *
 * It begins when logind says so, and ends when logind says that; or when the clocks show that there was one; or
 * when this process simply goes on. A sleep that nobody announced is noticed afterwards, whenever the daemon is
 * awake anyhow: its timer goes off, the network changes, or SIGCONT says that it was stopped.
 */
import type { Bus } from '../host/bus.ts'
import { ClockJump } from '../host/clock-jump.ts'
import { type LogindState, LogindWatcher } from '../host/logind.ts'
import type { Circle } from './circle/circle.ts'
import type { Log } from './log.ts'
import type { Attachment } from './network/attachment.ts'

/** What was told may have to be sent once more by the kernel before the cable is dead: a retransmission timeout. */
const HOLD_MS = 250
/** Still running so long after the word: there is no sleep. */
const AWAKE_MS = 30_000
/** A timer so late was not late by itself: for a moment nobody is accused. */
const STOPPED_MS = 1_000
/** As much, and others may have given this device up. */
const MISSED_MS = 3_000
/** Words of logind that are followed at once, and then one in so many milliseconds: nonsense must not tire others. */
const WORDS = 6
const WORD_MS = 10_000

export interface SleepOptions {
  readonly bus: Bus
  readonly log: Log
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly circles: () => readonly Pick<Circle, 'rest'>[]
  /** Told when it sleeps (nothing is announced any more) and when it wakes. */
  readonly network: () => Pick<Attachment, 'rotate' | 'refresh'>
  /** What `logind` tells has changed. */
  readonly onChange: () => void
  readonly clock?: ClockJump
  readonly inhibit?: readonly string[]
}

export class Sleep {
  readonly #options: SleepOptions
  readonly #logind: LogindWatcher
  readonly #clock: ClockJump
  readonly #continued = () => this.#goesOn()
  #asleep = false
  #awake: NodeJS.Timeout | undefined
  #credit = WORDS
  #creditAt: number
  /** When something of this process last ran, as far as is known. */
  #ranAt: number
  #refused = false

  constructor(options: SleepOptions) {
    const { bus, now, inhibit } = options
    this.#options = options
    this.#clock = options.clock ?? new ClockJump({ now })
    this.#creditAt = this.#ranAt = now()
    this.#logind = new LogindWatcher({
      bus,
      ...(inhibit && { inhibit }),
      onSleep: () => this.#fall('sleep'),
      onWake: () => {
        this.look()
        this.#rise('logind said so')
      },
      onShutdown: () => void this.#fall('off'),
      onChange: () => this.#changed()
    })
  }

  get logind(): LogindState {
    return this.#logind.state
  }

  start(): void {
    this.#logind.start()
    process.on('SIGCONT', this.#continued)
  }

  stop(): void {
    process.off('SIGCONT', this.#continued)
    clearTimeout(this.#awake)
    this.#logind.stop()
  }

  /** Something runs, `lateMs` after it was due. To be called before anybody is judged. */
  look(lateMs = 0): void {
    this.#ranAt = this.#options.now()
    const slept = this.#clock.look()
    if (slept > 0) this.#rise('the clocks say so', slept)
    else if (lateMs >= MISSED_MS) this.#rise('it was stopped', lateMs)
    else if (lateMs >= STOPPED_MS && !this.#asleep)
      for (const circle of this.#options.circles()) circle.rest('grace')
  }

  /** SIGCONT: it was stopped at some time since it last ran, or nobody stopped it at all. */
  #goesOn(): void {
    const since = this.#options.now() - this.#ranAt
    this.look(Math.min(since, MISSED_MS))
  }

  async #fall(why: 'sleep' | 'off'): Promise<void> {
    const { circles, log, network, now } = this.#options
    if (this.#asleep || !this.#allowed()) return
    this.#asleep = true
    log('info', why === 'sleep' ? 'the computer goes to sleep' : 'the computer is switched off')
    this.#clock.look()
    for (const circle of circles()) circle.rest(why)
    network().rotate()
    clearTimeout(this.#awake)
    this.#awake = setTimeout(() => this.#rise('it did not sleep'), AWAKE_MS)
    this.#awake.unref()
    this.#ranAt = now()
    await new Promise<void>(resolve => setTimeout(resolve, HOLD_MS).unref())
  }

  #rise(how: string, milliseconds?: number): void {
    const { circles, log, network, now } = this.#options
    const unannounced = milliseconds !== undefined
    if (!this.#asleep && !unannounced) return
    this.#asleep = false
    this.#ranAt = now()
    clearTimeout(this.#awake)
    log('info', 'awake', { how, ...(unannounced && { seconds: Math.round(milliseconds / 1_000) }) })
    this.#clock.look()
    this.#logind.awake()
    for (const circle of circles()) circle.rest('wake')
    network().refresh()
  }

  #allowed(): boolean {
    const now = this.#options.now()
    this.#credit = Math.min(WORDS, this.#credit + (now - this.#creditAt) / WORD_MS)
    this.#creditAt = now
    if (this.#credit < 1) return false
    this.#credit--
    return true
  }

  /** Said once: there is nothing to be done about it but what the doctor says. */
  #changed(): void {
    const { inhibition, why } = this.#logind.state
    if (inhibition === 'refused' || inhibition === 'missing') {
      if (!this.#refused)
        this.#options.log('info', 'sleep cannot be delayed; others may learn late of it', { inhibition, why })
      this.#refused = true
    }
    this.#options.onChange()
  }
}
