/**
 * A segment: one place and how we speak there by mDNS and SSDP. It announces and asks at once when both are
 * open, repeats that after one second and two, then announces after 60 s, and twice as long each time up to five
 * minutes, ± 20 %: each word wakes up everybody who hears it. New names alone are said once, without asking.
 */
import type { Budget } from './limits.ts'
import { Mdns } from './mdns.ts'
import type { Place } from './place.ts'
import { Ssdp, type SsdpOptions } from './ssdp.ts'
import { SILENCE, type Speech, type Traffic, type Via, type Voice } from './voice.ts'

const STEPS = [1000, 1000]
const PERIOD = 60_000
const LONGEST = 300_000

/** How long after the word of that number the next one comes, without jitter. What does not work is tried each PERIOD. */
export const pauseAfter = (step: number, failed: boolean): number =>
  STEPS[step] ?? (failed ? PERIOD : Math.min(LONGEST, PERIOD * 2 ** (step - STEPS.length)))

export interface SegmentOptions extends SsdpOptions {
  readonly budget: Budget
  /** Milliseconds to wait before the first word, for interfaces that flap. */
  readonly delay: () => number
  /** Just before the first word after `set`. */
  readonly onSpeaks: () => void
  readonly onFailed: (via: Via, why: string) => void
}

export class Segment {
  /** Settles when it hears, or will not be able to; never rejects. */
  readonly opened: Promise<void>
  readonly #options: SegmentOptions
  readonly #voices: Record<Via, Voice>
  #speech = SILENCE
  #timer: NodeJS.Timeout | undefined
  #step = 0
  #asked = false
  /** This time it asks, too. */
  #asks = false
  #revivedAt = -Infinity
  #closed = false
  #ready = false

  constructor(options: SegmentOptions) {
    this.#options = options
    this.#voices = { mdns: this.#open('mdns'), ssdp: this.#open('ssdp') }
    this.opened = Promise.all([this.#voices.mdns.opened, this.#voices.ssdp.opened]).then(() => {
      this.#ready = true
      this.#begin()
    })
  }

  get place(): Place {
    return this.#options.place
  }

  /** '' while it works, else why not. */
  state(via: Via): string {
    return this.#voices[via].state
  }

  traffic(via: Via): Traffic {
    return this.#voices[via].traffic
  }

  /** From now on this, from the beginning; SILENCE = hear only. Asks too, unless it has before. */
  set(speech: Speech, ask: boolean): void {
    this.#speech = speech
    if (ask) this.#asked = false
    for (const voice of Object.values(this.#voices)) voice.set(speech)
    this.#begin()
  }

  /** Tries again what failed: with each period, and when the network changes. At most once a second. */
  revive(): void {
    if (performance.now() - this.#revivedAt < STEPS[0]!) return
    this.#revivedAt = performance.now()
    for (const via of ['mdns', 'ssdp'] as const) {
      if (this.#voices[via].state === '') continue
      this.#voices[via].close()
      const voice = this.#open(via)
      this.#voices[via] = voice
      voice.set(this.#speech)
      void voice.opened.then(() => {
        if (this.#closed) return
        voice.announce()
        voice.query()
      })
    }
  }

  query(): void {
    for (const voice of Object.values(this.#voices)) voice.query()
  }

  goodbye(): void {
    clearTimeout(this.#timer)
    for (const voice of Object.values(this.#voices)) voice.goodbye()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const voice of Object.values(this.#voices)) voice.close()
  }

  #begin(): void {
    clearTimeout(this.#timer)
    if (this.#closed || !this.#ready) return
    this.#step = 0
    this.#asks = !this.#asked
    const delay = this.#speech.announcements.length === 0 ? 0 : this.#options.delay()
    if (delay > 0) this.#timer = setTimeout(() => this.#speak(), delay)
    else this.#speak()
  }

  #open(via: Via): Voice {
    const voice = via === 'mdns' ? new Mdns(this.#options) : new Ssdp(this.#options)
    void voice.opened.then(() => {
      if (!this.#closed && voice.state !== '') this.#options.onFailed(via, voice.state)
    })
    return voice
  }

  #speak(): void {
    const step = this.#step
    if (step > STEPS.length) this.revive()
    const { mdns, ssdp } = this.#voices
    if (this.#speech.announcements.length > 0) {
      if (step === 0) this.#options.onSpeaks()
      ssdp.announce()
      if ((this.#asks && step < 2) || ssdp.state !== '') mdns.announce()
    }
    if (this.#asks && step === 0) mdns.query()
    if (this.#asks && (step === 0 || step === 2)) ssdp.query()
    if (this.#speech.searchers.length > 0) this.#asked = true
    const last = this.#asks ? step : Math.max(step, STEPS.length)
    this.#step = last + 1
    const wait = pauseAfter(last, mdns.state !== '' || ssdp.state !== '')
    const jitter = last < STEPS.length ? 1 : 0.8 + Math.random() * 0.4
    this.#timer = setTimeout(() => this.#speak(), wait * jitter)
  }
}
