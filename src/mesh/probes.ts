/**
 * Probes: sealed UDP questions to a peer, where they are sent, and what is known of UDP to it.
 *
 * UDP is open to a peer once it answered, for OPEN, or until BARRED probes in a row went without an answer although the
 * peer was there; who is not watched is asked now and then so that it does not lapse. Where it is not open it is still tried now and then. The address that answered last comes first, then the
 * one of the session in use, then the others as they would be dialled.
 */
import type { PeerId } from '../crypto/identity.ts'
import type { Output, Peer } from './peer.ts'
import { smooth } from './presence.ts'

/** Unanswered in a row by a peer that is there. */
export const BARRED = 5
/** Milliseconds. */
export const OPEN = 1_200_000
const REFRESH = OPEN / 2
/** Tries to find out whether UDP is open, of each session; and how far apart. */
const TRIES = 5
const TRY_INTERVAL = 5_000
/** Where UDP is barred, one question in so many tries it again. */
const AGAIN = 8

/** What is known of UDP to a peer. */
export interface Udp {
  open: boolean
  /** There are keys to seal probes with. */
  keys: boolean
  /** Where it answered last. */
  address: string
  /** Smoothed, in microseconds; 0 until one was measured. */
  roundTrip: number
  /** Probes in a row that it did not answer although it was there. */
  unanswered: number
  /** When it was last probed, and how often for no other reason than to learn whether it answers. */
  triedAt: number
  tries: number
}

export const newUdp = (): Udp => ({
  open: false,
  keys: true,
  address: '',
  roundTrip: 0,
  unanswered: 0,
  triedAt: -Infinity,
  tries: 0
})

interface Wiring {
  readonly emit: (output: Output) => void
  /** Its candidates, best first. */
  readonly ranked: (peer: Peer) => readonly string[]
}

export class Probes {
  readonly #wiring: Wiring
  #number = 0

  constructor(wiring: Wiring) {
    this.#wiring = wiring
  }

  /** To the best `most` addresses. Gives how many there are. */
  send(now: number, peer: Peer, most: number): { probe: number; addresses: number } {
    const addresses = peer.udp.keys ? this.#addresses(peer, most) : []
    const probe = ++this.#number
    if (addresses.length > 0) peer.udp.triedAt = now
    for (const address of addresses) peer.candidates.asked(now, address)
    if (addresses.length > 0) this.#wiring.emit({ type: 'probe', probe, peer: peer.id, addresses })
    return { probe, addresses: addresses.length }
  }

  /** A session with it was confirmed: there are keys. */
  opened({ udp }: Peer): void {
    udp.keys = true
    udp.tries = 0
  }

  /** It is there. Tries UDP where it is not known whether it is open; the first try may be lost, so there are more. */
  learn(now: number, peer: Peer): void {
    const { udp } = peer
    const age = now - peer.life.pongAt
    if (udp.open && age > OPEN) {
      udp.open = false
      udp.tries = 0
    }
    if (udp.open ? age < REFRESH : udp.tries >= TRIES) return
    if (now - udp.triedAt < TRY_INTERVAL) return
    if (!udp.open) udp.tries++
    this.send(now, peer, 1)
  }

  /** Whether a question to a peer that is there should go by UDP too. */
  worth(peer: Peer): boolean {
    const { open, keys, unanswered } = peer.udp
    return keys && (open || unanswered < BARRED || unanswered % AGAIN === 0)
  }

  witness(peer: Peer, by: readonly Peer[]): void {
    const sessions = by.flatMap(({ nominated }) => (nominated === undefined ? [] : [nominated.number]))
    if (sessions.length === 0) return
    this.#wiring.emit({ type: 'witness', probe: ++this.#number, peer: peer.id, by: sessions })
  }

  pong(now: number, peer: Peer, address: string, roundTripUSec: number): void {
    const { udp } = peer
    peer.life.pongAt = now
    udp.open = true
    udp.unanswered = 0
    udp.address = address
    udp.roundTrip = smooth(udp.roundTrip, roundTripUSec)
  }

  /** Its session answered, and none of several probes. */
  closed({ udp }: Peer): void {
    udp.open = false
    udp.tries = 0
  }

  /** It was there, but did not answer that probe. */
  unanswered({ udp }: Peer): void {
    udp.unanswered++
    if (udp.unanswered >= BARRED) udp.open = false
  }

  #addresses(peer: Peer, most: number): string[] {
    const { udp, nominated, candidates } = peer
    const used = nominated === undefined ? undefined : candidates.get(candidates.dialable(nominated))?.text
    const all = new Set([udp.address, used ?? '', ...this.#wiring.ranked(peer)])
    all.delete('')
    return [...all].slice(0, most)
  }
}

/** Those with a session, nearest first. */
export const nearest = (peers: Iterable<Peer>, most: number, fit: (peer: Peer) => boolean): Peer[] =>
  [...peers]
    .filter(peer => peer.nominated !== undefined && fit(peer))
    .sort((a, b) => a.nominated!.roundTrip - b.nominated!.roundTrip || order(a.id, b.id))
    .slice(0, most)

const order = (one: PeerId, other: PeerId): number => (one < other ? -1 : 1)
