/** What the parts of the mesh share: the peer, its sessions, and what goes out. */
import type { PeerId } from '../crypto/identity.ts'
import { canonicalAddress, formatHost, parseAddress } from '../wire/address.ts'
import type { Card } from '../wire/extra.ts'
import type { CloseReason } from '../wire/frame.ts'
import type { Burst } from './bursts.ts'
import { Candidates } from './candidates.ts'
import type { Flaps } from './flaps.ts'
import { newFlaps } from './flaps.ts'
import type { Evidence, Life } from './life.ts'
import { newLife } from './life.ts'
import type { Udp } from './probes.ts'
import { newUdp } from './probes.ts'
import type { Timer } from './timers.ts'
import { timer } from './timers.ts'

export type State = 'reachable' | 'suspect' | 'asleep' | 'unreachable'

/** Why a peer is not reachable; empty when it is. */
export type Reason =
  | ''
  | 'never-seen'
  | 'stopped'
  | 'closed'
  | 'timeout'
  | 'refused'
  | 'no-address'
  | 'no-network'
  /** Most of what we asked did not answer: it may be us. */
  | 'isolated'
  /** A witness reaches it, we do not. */
  | 'path'
  /** It said so; or, of a peer that is not asleep, this device sleeps. */
  | 'asleep'

/** A peer as the rest of the daemon sees it. */
export interface PeerView {
  readonly id: PeerId
  readonly state: State
  readonly reason: Reason
  /** Address URIs, best first; while it is reachable [0] is the one in use. */
  readonly addresses: readonly string[]
  /** Smoothed round trip; 0 when unknown, else at least 1. */
  readonly latencyUSec: number
  readonly path: '' | 'direct'
  /** Monotonic milliseconds; 0 while it is reachable, and when it never was. */
  readonly unreachableSince: number
  /** Monotonic milliseconds; 0 unless it is asleep. */
  readonly asleepSince: number
  /** The last sign of life, as of the moment of reading. */
  readonly evidence: Evidence
}

/** What one device says of another; an observer is right about its own paths only. */
export interface Sight {
  readonly observer: PeerId
  readonly peer: PeerId
  readonly state: State
  readonly reason: Reason
  /** 0 when unknown. */
  readonly latencyUSec: number
  /** How long it has been so. */
  readonly ageMs: number
}

/** One attempt to reach a peer at an address. */
export interface Attempt {
  readonly number: number
  readonly peer: Peer
  readonly address: string
  readonly limit: Timer
}

/** What dialling remembers of one peer. */
export interface Plan {
  /** Dial it: it is not reachable, or it is due for another session. */
  wanted: boolean
  /** Start of the eager minute. */
  since: number
  /** When it was last dialled because it was heard. */
  provedAt: number
  /** Sessions in a row that were over as soon as they had begun. */
  brief: number
  /** Restarts that may be at once, and since when that stands. */
  credit: number
  creditAt: number
  gap: number
  readonly round: Timer
  /** Addresses this round has still to try. */
  queue: string[]
  readonly next: Timer
  readonly attempts: Map<number, Attempt>
}

/** What the watch knows of one peer. */
export interface Watched {
  /** The last question, and its number where it went by UDP, else 0. */
  askedAt: number
  probe: number
  /** When its answer is missing; set while it is waited for. */
  readonly missing: Timer
  /** It did not answer: it is asked by all ways. */
  burst: Burst | undefined
  readonly step: Timer
}

export interface Peer {
  readonly id: PeerId
  state: State
  /** How it was lost; '' when it is reachable or never was. */
  lost: Reason
  /** It refused the last attempt. */
  refused: boolean
  unreachableSince: number
  /** Since when its state is what it is. */
  since: number
  asleepSince: number
  /** As it said last. */
  onBattery: boolean
  metered: boolean
  /** It said so last, and no session with it has begun since. */
  asleep: boolean
  /** All that are open, oldest first. All are read. */
  readonly sessions: Session[]
  /** The one to write to. */
  nominated: Session | undefined
  /** The last nomination heard, and the boot it was heard from. */
  heard: { bootId: string; counter: number }
  /** Boots that were seen alive beside another one with the same identity. */
  readonly clones: Set<string>
  /** The last `cards` that were told. */
  cards: string
  readonly candidates: Candidates
  readonly life: Life
  readonly udp: Udp
  readonly watch: Watched
  readonly flaps: Flaps
  /** When it may be shown as reachable. */
  readonly steady: Timer
  /** Its last session, if that ended because a ping after a silence was not answered. */
  mute: { at: number; bootId: string; beyond: string; silence: number } | undefined
  readonly plan: Plan
  latencyUSec: number
  latencyAt: number
  readonly latencyDue: Timer
}

/** What the daemon tells of a session that was confirmed. */
export interface Opened {
  readonly session: number
  readonly peer: PeerId
  /** The other end; the port of one that came in is not one to dial. */
  readonly address: string
  /** Our own end, or '' when it is not known. */
  readonly local: string
  readonly outgoing: boolean
  readonly bootId: string
  /** First 8 bytes of the handshake hash. */
  readonly hash8: Uint8Array
  /** Measured by the handshake; 0 on the side that answered. */
  readonly roundTripUSec: number
}

export interface Session extends Omit<Opened, 'peer' | 'session'> {
  readonly number: number
  readonly peer: Peer
  readonly openedAt: number
  /** Smoothed round trip in microseconds, 0 until one was measured. */
  roundTrip: number
  /** A ping has measured it: better than the handshake, which counts the work of both sides too. */
  pinged: boolean
  heardAt: number
  /** When a round trip was last measured, or asked for. */
  measuredAt: number
  /** Our ping was the last to be answered: the next is the other side's. */
  yields: boolean
  /** A ping waits for any sign of life. */
  awaiting: boolean
  /** How long it had been silent when that ping was sent. */
  silence: number
  /** Something else than a ping or its answer was sent since anything was heard. */
  spoke: boolean
  /** The network of its other end, when it leaves our own subnets, else ''. */
  readonly beyond: string
  misses: number
  /** Unanswered pings by their number on the wire, oldest first. */
  readonly pings: Map<number, { sentAt: number; token: number | undefined }>
  /** Number of the ping that tells a clone from a restart, or 0. */
  rivalPing: number
  readonly keepalive: Timer
  readonly closing: Timer
  /** When a fresh handshake should replace it. */
  readonly renewal: Timer
}

export type Output =
  | { type: 'dial'; attempt: number; peer: PeerId; address: string }
  | { type: 'cancel'; attempt: number }
  | { type: 'send'; session: number; kind: number; body: Uint8Array }
  /** Without a reason nothing is said: the other end does not answer, and what was sent to it is taken back. */
  | { type: 'close'; session: number; reason: CloseReason | undefined }
  | { type: 'peer'; peer: PeerView }
  /** Another session of that peer is written to from now on. */
  | { type: 'moved'; peer: PeerId; session: number }
  /** What is shown of all may be another thing: look at `peers`. */
  | { type: 'peers' }
  | { type: 'pong'; token: number; roundTripUSec: number }
  /** Sign these bytes as they are; answer with `ownRecord`. */
  | { type: 'sign'; body: Uint8Array }
  /** Verify these bytes as they are under each peer's identity; answer with `verified`. */
  | { type: 'verify'; batch: number; items: { peer: PeerId; body: Uint8Array; signature: Uint8Array }[] }
  /**
   * Send a sealed probe to each of these addresses by UDP. Answers: `probed`, or `probeFailed` where one could not
   * be sent or was refused.
   */
  | { type: 'probe'; probe: number; peer: PeerId; addresses: readonly string[] }
  /** Ask the peers of these sessions to pass a sealed probe on and its answer back: `witnessed`, or nothing. */
  | { type: 'witness'; probe: number; peer: PeerId; by: readonly number[] }
  | { type: 'clone'; peer: PeerId }
  /** Its owner signed that it can be woken by these cards: never an empty list, and not the one told before. */
  | { type: 'cards'; peer: PeerId; cards: readonly Card[] }
  /** Somebody signed with our identity that we may be reached there. */
  | { type: 'self'; addresses: readonly string[] }
  | { type: 'count'; what: string }

/** Of the sessions. */
export interface LinkCounts {
  readonly all: number
  /** Those with a device that saves at either end. */
  readonly slow: number
  /** Those that leave our own subnets, and how long one of them may be silent at most, in milliseconds. */
  readonly beyond: number
  readonly longest: number
}

/** An address that led to a session: worth keeping over a restart. */
export interface Worked {
  readonly peer: PeerId
  readonly address: string
}

type Due<T> = (now: number, of: T) => void

/** A member of whom nothing is known. `due` is called when its timers are. */
export function newPeer(
  id: PeerId,
  due: Record<'round' | 'next' | 'latency' | 'steady' | 'missing' | 'step', Due<Peer>>,
  now = 0
): Peer {
  const peer: Peer = {
    id,
    state: 'unreachable',
    lost: '',
    refused: false,
    unreachableSince: 0,
    since: now,
    asleepSince: 0,
    onBattery: false,
    asleep: false,
    metered: false,
    sessions: [],
    nominated: undefined,
    heard: { bootId: '', counter: 0 },
    clones: new Set(),
    cards: '',
    candidates: new Candidates(),
    life: newLife(),
    udp: newUdp(),
    watch: {
      askedAt: -Infinity,
      probe: 0,
      missing: timer(at => due.missing(at, peer)),
      burst: undefined,
      step: timer(at => due.step(at, peer))
    },
    flaps: newFlaps(),
    steady: timer(at => due.steady(at, peer)),
    mute: undefined,
    plan: {
      wanted: false,
      since: -Infinity,
      provedAt: -Infinity,
      credit: 0,
      creditAt: -Infinity,
      brief: 0,
      gap: 0,
      round: timer(now => due.round(now, peer)),
      queue: [],
      next: timer(now => due.next(now, peer)),
      attempts: new Map()
    },
    latencyUSec: 0,
    latencyAt: -Infinity,
    latencyDue: timer(now => due.latency(now, peer))
  }
  return peer
}

/** `due` is called when its timers are. */
export function newSession(
  now: number,
  peer: Peer,
  { session: number, peer: _id, ...facts }: Opened,
  beyond: string,
  due: { keepalive: Due<Session>; closing: Due<Session>; renewal: Due<Session> }
): Session {
  const session: Session = {
    ...facts,
    address: canonicalAddress(facts.address) ?? facts.address,
    number,
    peer,
    roundTrip: facts.roundTripUSec,
    pinged: false,
    openedAt: now,
    heardAt: now,
    measuredAt: now,
    yields: false,
    awaiting: false,
    silence: 0,
    spoke: false,
    beyond,
    misses: 0,
    pings: new Map(),
    rivalPing: 0,
    keepalive: timer(at => due.keepalive(at, session)),
    closing: timer(at => due.closing(at, session)),
    renewal: timer(at => due.renewal(at, session))
  }
  return session
}

/** The address it was made from is not ours any more. */
export function stranded(session: Session, hosts: ReadonlySet<string>): boolean {
  const local = parseAddress(session.local)
  return local !== undefined && !hosts.has(formatHost(local))
}
