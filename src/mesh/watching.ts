/** Joins what notices that a peer is not there any more: watch, bursts, probes, seeking, views. */
import type { PeerId } from '../crypto/identity.ts'
import type { View } from '../wire/gossip.ts'
import { Bursts, RECOVERED } from './bursts.ts'
import type { Dialling } from './dialling.ts'
import type { Gossip } from './gossip.ts'
import type { Keepalive } from './keepalive.ts'
import type { Links } from './links.ts'
import type { Output, Peer, Reason, Session, Sight } from './peer.ts'
import type { Presence } from './presence.ts'
import { Probes } from './probes.ts'
import { Seeking } from './seeking.ts'
import type { Timers } from './timers.ts'
import { timer } from './timers.ts'
import { Views } from './views.ts'
import { Watch } from './watch.ts'

interface Wiring {
  readonly self: PeerId
  readonly timers: Timers
  readonly emit: (output: Output) => void
  readonly peers: ReadonlyMap<PeerId, Peer>
  readonly presence: Presence
  readonly keepalive: Keepalive
  readonly dialling: Dialling
  readonly gossip: Gossip
  readonly links: Links
  /** Whether every member has a session with every other: in a crowd others tell of losses (hearsay.ts). */
  readonly full: () => boolean
  /** Candidates of a peer, best first. */
  readonly ranked: (peer: Peer) => readonly string[]
  /** Whether this device may watch others. */
  readonly watch: boolean
}

export class Watching {
  readonly #wiring: Wiring
  readonly #probes: Probes
  readonly #bursts: Bursts
  readonly #watch: Watch
  readonly #seeking: Seeking
  readonly #views: Views
  readonly #recovered = timer(now => this.#bursts.blame(now))
  readonly due = {
    missing: (now: number, peer: Peer): void => this.#watch.missed(now, peer),
    step: (now: number, peer: Peer): void => this.#bursts.step(now, peer)
  }

  constructor(wiring: Wiring) {
    this.#wiring = wiring
    const { self, timers, emit, presence, keepalive, dialling, gossip, links, ranked } = wiring
    const peers = (): Iterable<Peer> => wiring.peers.values()
    const probes = new Probes({ emit, ranked })
    this.#probes = probes
    this.#bursts = new Bursts({
      timers,
      peers,
      presence,
      keepalive,
      probes,
      ask: (now, peer) => this.#watch.ask(now, peer),
      dial: (now, peer) => {
        if (!peer.plan.wanted) dialling.want(now, peer)
      },
      drop: (now, sessions, reason) => this.#drop(now, links, sessions, reason)
    })
    this.#watch = new Watch({ self, timers, peers, keepalive, probes, bursts: this.#bursts })
    this.#seeking = new Seeking({ timers, keepalive, probes, dialling })
    this.#views = new Views({
      self,
      timers,
      emit,
      peers: () => wiring.peers,
      views: () => presence.views,
      incarnation: id => {
        const { census } = gossip
        return census.record(census.members.number(id))?.incarnation ?? 0
      },
      accused: (now, peer) => this.#bursts.begin(now, peer),
      seen: (now, peer, by) => {
        // who was cut off itself a moment ago reaches the others by and by
        if (peer.lost !== 'isolated') this.#probes.witness(peer, [by])
        dialling.want(now, peer)
      },
      doubted: (now, by) => this.#watch.ask(now, by)
    })
  }

  /** After every input, when presence has settled. */
  settle(now: number): void {
    if (this.#wiring.watch) this.#watch.settle(now)
    this.#views.settle(now)
  }

  // --- what happened

  /** A session was confirmed. */
  opened(now: number, { peer, number }: Session): void {
    this.#probes.opened(peer)
    this.#seeking.forget(peer)
    this.#bursts.life(now, peer)
    if (this.#wiring.full()) this.#views.opened(now, peer, number)
  }

  /** A ping was answered. */
  measured(now: number, session: Session): void {
    const { peer } = session
    this.#probes.learn(now, peer)
    if (!peer.udp.open) this.#watch.answered(peer)
    this.heard(now, session)
  }

  /** A frame came. */
  heard(now: number, { peer }: Session): void {
    if (peer.watch.burst !== undefined) this.#bursts.life(now, peer)
  }

  /** A ping was not answered in time, for the first time. */
  missed(now: number, session: Session): void {
    if (session.peer.nominated === session) this.#bursts.begin(now, session.peer)
  }

  /** A session did not answer again and again. */
  silent(now: number, session: Session): void {
    this.#bursts.silent(now, session)
  }

  /** It has no session any more. */
  lost(peer: Peer): void {
    this.#bursts.end(peer)
    this.#watch.answered(peer)
    this.#views.lost(peer.id)
  }

  /** It sleeps, or this device does. */
  rest(peer: Peer): void {
    this.lost(peer)
    this.#seeking.forget(peer)
  }

  removed(peer: Peer): void {
    this.rest(peer)
    this.#views.removed(peer.id)
    this.#watch.changed()
  }

  /** It is shown otherwise than before. */
  shown(now: number, peer: Peer): void {
    this.#watch.changed()
    if (this.#wiring.full()) this.#views.changed(now, peer)
    if (peer.state !== 'reachable') return
    for (const other of this.#wiring.peers.values())
      if (other.lost === 'isolated') this.#wiring.timers.advance(this.#recovered, now + RECOVERED)
  }

  /** It, or this device, runs on something else now. */
  meansChanged(): void {
    this.#watch.changed()
  }

  /** It is dialled eagerly from now on. */
  eager(now: number, peer: Peer): void {
    this.#seeking.changed(now, peer)
  }

  /** This device slept: nobody is judged by what was due meanwhile. */
  resumed(now: number): void {
    this.#watch.resumed(now)
  }

  // --- probes

  probed(now: number, peer: Peer, address: string, roundTripUSec: number): void {
    this.#probes.pong(now, peer, address, roundTripUSec)
    this.#watch.answered(peer)
    this.#bursts.life(now, peer)
    this.#seeking.found(now, peer, address)
  }

  failed(now: number, peer: Peer, probe: number, reason: string): void {
    if (reason === 'no-keys') {
      peer.udp.keys = false
      peer.udp.open = false
    } else this.#watch.failed(now, peer, probe)
  }

  alive(now: number, peer: Peer, address: string): void {
    peer.life.aliveAt = now
    // behind a NAT it can be reached nowhere else
    if (!peer.udp.open) peer.udp.address = address
    this.#watch.awake(now)
    this.#seeking.found(now, peer, address)
  }

  witnessed(now: number, peer: Peer, by: PeerId): void {
    peer.life.witnessAt = now
    peer.life.witness = by
    // it may have come when all was over
    const { burst } = peer.watch
    if (burst === undefined && peer.nominated === undefined && peer.lost !== 'stopped')
      this.#wiring.presence.lost(now, peer, 'path')
  }

  // --- views

  viewed(now: number, by: Peer, views: readonly View[]): void {
    const { emit, gossip } = this.#wiring
    const { members } = gossip.census
    const known = views.flatMap(view => {
      const member = members.owner(view.id, 0)
      return member < 0 ? [] : [{ peer: members.ids[member]!, view }]
    })
    if (known.length < views.length) emit({ type: 'count', what: 'view-of-stranger' })
    this.#views.receive(now, by, known)
  }

  matrix(now: number): Sight[] {
    return this.#views.matrix(now)
  }

  /** Who is watched by this device. */
  get watched(): PeerId[] {
    return this.#watch.watched.map(({ id }) => id)
  }

  /** The one written to last, so that none takes over only to be dropped too. */
  #drop(now: number, links: Links, sessions: readonly Session[], reason: Reason): void {
    const last = (session: Session): number => (session.peer.nominated === session ? 1 : 0)
    for (const session of [...sessions].sort((a, b) => last(a) - last(b)))
      links.drop(now, session, undefined, reason)
  }
}
