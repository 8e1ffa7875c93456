/**
 * Seeking: a peer that was lost silently may come back as silently, when a cable is plugged in far away. While it
 * is dialled eagerly it is also asked by UDP, every EVERY (EVERY_SAVING where this device saves), at its two best
 * addresses: nothing is left behind by a probe that is lost, as it is by an attempt to connect. An answer, or a probe of its own, and it
 * is dialled there at once.
 */

import { silently } from './bursts.ts'
import type { Dialling } from './dialling.ts'
import { EAGER } from './dialling.ts'
import type { Keepalive } from './keepalive.ts'
import type { Peer, Reason } from './peer.ts'
import type { Probes } from './probes.ts'
import { saves } from './thrift.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'
import { patience } from './watch.ts'

export const EVERY = 500
export const EVERY_SAVING = 2_000
const ADDRESSES = 2

interface Wiring {
  readonly timers: Timers
  readonly keepalive: Keepalive
  readonly probes: Probes
  readonly dialling: Dialling
}

/** It did not say that it goes. */
const sought = (lost: Reason): boolean => silently(lost) || lost === 'closed'

export class Seeking {
  readonly #wiring: Wiring
  readonly #sought = new Set<Peer>()
  readonly #due = timer(now => this.#round(now))

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  get size(): number {
    return this.#sought.size
  }

  /** Its state changed. */
  changed(now: number, peer: Peer): void {
    if (peer.nominated === undefined && sought(peer.lost)) this.#add(now, peer)
    else this.forget(peer)
  }

  #add(now: number, peer: Peer): void {
    this.#sought.add(peer)
    this.#wiring.timers.advance(this.#due, now + this.#every)
  }

  forget(peer: Peer): void {
    if (this.#sought.delete(peer) && this.#sought.size === 0) this.#wiring.timers.clear(this.#due)
  }

  /** It answered there, or asked from there. */
  found(now: number, peer: Peer, address: string): void {
    if (peer.nominated === undefined) this.#wiring.dialling.proved(now, peer, address, patience(peer))
  }

  #round(now: number): void {
    const { probes, timers } = this.#wiring
    for (const peer of this.#sought) {
      if (now - peer.plan.since >= EAGER || !peer.udp.keys) this.#sought.delete(peer)
      else probes.send(now, peer, ADDRESSES)
    }
    if (this.#sought.size > 0) timers.set(this.#due, now + this.#every)
  }

  get #every(): number {
    return saves(this.#wiring.keepalive.means) ? EVERY_SAVING : EVERY
  }
}
