/**
 * What comes to the UDP ports of the listeners, from anybody: probes are given to the circle whose peer made them,
 * everything else is dropped and counted, never logged and never answered.
 */
import type { Place } from '../../net/interfaces.ts'
import { readProbeHeader } from '../../wire/probe.ts'

export interface Receiver {
  /** Whether a peer of its made the datagram. */
  datagram(datagram: Uint8Array, from: string, to: Place): boolean
}

export class Datagrams {
  /** Of no format; a probe of no peer in any circle of ours, or played back. */
  readonly counters = { garbage: 0, stranger: 0 }
  readonly #circles: () => readonly Receiver[]

  constructor(circles: () => readonly Receiver[]) {
    this.#circles = circles
  }

  receive(datagram: Uint8Array, from: string, to: Place): void {
    if (readProbeHeader(datagram) === undefined) this.counters.garbage++
    else if (!this.#circles().some(circle => circle.datagram(datagram, from, to))) this.counters.stranger++
  }
}
