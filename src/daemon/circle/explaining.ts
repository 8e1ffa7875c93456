/**
 * Explains how a circle's peers are seen: why each address serves or not, who hears whom, whether the network keeps
 * devices apart, whose clock is wrong. Decides nothing of it.
 */
import { ApiError, type Result } from '../../api/api.ts'
import { slotAt } from '../../crypto/announcement.ts'
import type { PeerId } from '../../crypto/identity.ts'
import type { CandidateView, PeerView, Sight } from '../../mesh/mesh.ts'
import { within } from '../../net/place.ts'
import type { Spot } from '../network/separation.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Announcer, Made } from './announcer.ts'
import type { Membership } from './membership.ts'
import type { Roster } from './roster.ts'
import { leastAhead, Sightings } from './sightings.ts'
import { bare, hostOf, usec, whyRecord } from './why-record.ts'

/** Announcements come once in a slot at least; what is older says nothing of now. */
const HEARD_MS = 1_200_000
/** What was asked by multicast is answered by then; what was dialled, by the other. */
const ANSWER_MS = 1_500
const DIALLED_MS = 6_500
/** The same announcement is told once in 5 s. */
const REPEAT_MS = 5_200
const LOOK_MS = 250
/** Whether the network keeps devices apart is looked at once in this time; sooner where it could not be said. */
const APART_MS = 60_000
const UNCLEAR_MS = 15_000
/** Without a word from the network: what nobody answers looks like that. */
const SILENT = /^(timeout|unreachable)$/

/** One place an announcement came from. */
export interface Origin {
  readonly interface: string
  /** Bare IP address, `%interface` after a link-local one. */
  readonly source: string
  readonly policy: 'announce' | 'listen'
}

/** A peer whose clock differs from ours. */
export interface ClockDifference {
  readonly name: string
  /** Seconds, at least; less than 0: behind. */
  readonly ahead: number
  /** So much that its announcements are not understood. */
  readonly far: boolean
}

export interface ExplainingOptions {
  readonly around: Surroundings
  readonly membership: Membership
  readonly announcer: Announcer
  readonly roster: () => Roster
  readonly traffic: () => {
    readonly peers: ReadonlyMap<PeerId, PeerView>
    candidates(peer: PeerId): CandidateView[]
    retry(peer: PeerId): void
    matrix(): Sight[]
  }
  /** For the status; '' when all is well again. */
  readonly note: (sentence: string) => void
}

export class Explaining {
  readonly #options: ExplainingOptions
  readonly #sightings = new Sightings()
  /** Interfaces on which the network keeps us apart from these peers. */
  readonly #apart = new Map<PeerId, string>()
  /** Peers that answer as neighbours, and at no port. */
  readonly #together = new Set<PeerId>()
  /** When that may be looked at again. */
  #lookAt = Number.NEGATIVE_INFINITY

  constructor(options: ExplainingOptions) {
    this.#options = options
  }

  // --- what it is told

  /** An announcement was heard. `made`: by this member; `followed`: its address is tried. */
  heard(announcement: Uint8Array, made: Made | undefined, origin: Origin, followed: boolean): void {
    const { now, wall } = this.#options.around
    const at = now()
    if (made === undefined) this.#sightings.unread({ announcement, ...origin, at })
    else {
      const clock = made.synchronised ? { ahead: made.ahead, wallMs: wall() } : undefined
      this.#sightings.saw(made.peer, { ...origin, followed, at }, clock)
    }
  }

  /** An attempt came to nothing. */
  dialFailed(peer: PeerId, address: string, reason: string): void {
    const { around } = this.#options
    if (!SILENT.test(reason) || around.now() < this.#lookAt) return
    const spot = this.#heardAt(peer, address)
    if (spot === undefined) return
    this.#lookAt = around.now() + APART_MS
    void this.#look(peer, spot)
  }

  /** What is shown of a peer has changed. */
  viewed({ id, state }: PeerView): void {
    if (state !== 'reachable') return
    this.#together.delete(id)
    if (this.#apart.delete(id)) this.#note()
  }

  /** The network is another one, or not: what was seen of it has to be seen again. */
  moved(): void {
    this.#lookAt = Number.NEGATIVE_INFINITY
    this.#apart.clear()
    this.#together.clear()
    this.#note()
  }

  membersChanged(): void {
    const { members } = this.#options.membership
    this.#sightings.keep(members)
    for (const peer of this.#apart.keys()) if (!members.has(peer)) this.#apart.delete(peer)
    this.#note()
  }

  // --- what it is asked

  /** One that is not reachable is tried again first. Rejects ApiError. */
  async why(text: string, signal: AbortSignal, progress: (sentence: string) => void): Promise<Result<'Why'>> {
    const peer = this.#find(text)
    const { membership, traffic } = this.#options
    if (peer === membership.self) throw new ApiError('InvalidValue', 'this is the device you are on')
    if (traffic().peers.get(peer) === undefined)
      throw new ApiError('NotAllowed', 'this device was removed from the circle, and talks to nobody in it')
    const { state } = traffic().peers.get(peer)!
    if (state !== 'reachable' && state !== 'asleep') await this.#tryAgain(peer, signal, progress)
    return this.#tell(peer)
  }

  matrix(): Result<'Matrix'> {
    const { membership, traffic } = this.#options
    const self = membership.self
    const name = (id: PeerId) => membership.members.get(id)?.name ?? ''
    const own = (sight: Sight) => (sight.observer === self ? 0 : 1)
    const order = (a: Sight, b: Sight) =>
      own(a) - own(b) || compare(name(a.observer), name(b.observer)) || compare(name(a.peer), name(b.peer))
    const Rows = traffic()
      .matrix()
      .filter(({ observer, peer }) => membership.members.has(observer) && membership.members.has(peer))
      .sort(order)
      .map(({ observer, peer, state, reason, latencyUSec, ageMs }) => ({
        Observer: observer,
        ObserverName: name(observer),
        Peer: peer,
        PeerName: name(peer),
        State: state,
        Reason: reason,
        LatencyUSec: latencyUSec,
        AgeUSec: usec(ageMs)
      }))
    return { Rows }
  }

  /** Of the members that were heard. */
  clocks(): ClockDifference[] {
    const { around, membership } = this.#options
    const far = this.#far()
    return [...membership.members.values()].flatMap(({ id, name }) => {
      const ahead = far.get(id)?.ahead ?? this.#sightings.clock(id, around.now())
      return ahead === 0 ? [] : [{ name, ahead, far: far.has(id) }]
    })
  }

  /** Interfaces on which the network keeps devices apart, with the names of those that are heard and not reached. */
  get apart(): ReadonlyMap<string, readonly string[]> {
    const { members } = this.#options.membership
    const names = new Map<string, string[]>()
    for (const [peer, where] of this.#apart)
      names.set(where, [...(names.get(where) ?? []), members.get(peer)?.name ?? ''])
    return names
  }

  // --- how it finds out

  #find(text: string): PeerId {
    const { membership, roster } = this.#options
    try {
      return roster().find(text)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'NoSuchPeer') throw error
      const former = ((): PeerId | undefined => {
        try {
          return membership.recovery.find(text)
        } catch {
          return undefined
        }
      })()
      if (former === undefined) throw error
      const name = membership.recovery.nameOf(former)
      throw new ApiError(
        'NoSuchPeer',
        `${name} was a member, and was removed or has left: it comes back only by joining anew, with \`coterie invite\``
      )
    }
  }

  async #tryAgain(peer: PeerId, signal: AbortSignal, progress: (sentence: string) => void): Promise<void> {
    const { around, traffic } = this.#options
    progress('asking by multicast, and trying its addresses')
    const began = around.now()
    around.nearby.ask()
    traffic().retry(peer)
    let asked = 1
    const settled = () => {
      if (traffic().peers.get(peer)?.state === 'reachable') return true
      const past = around.now() - began
      const heard = this.#recent(peer).length > 0
      // what was heard just before it was lost is told again only then
      if (!heard && past >= asked * REPEAT_MS) {
        asked++
        around.nearby.ask()
      }
      const tried = () =>
        traffic()
          .candidates(peer)
          .every(one => one.lastResultAgoMs < past)
      return past >= DIALLED_MS || (past >= ANSWER_MS && heard && tried())
    }
    while (!signal.aborted && !settled()) await this.#pause(LOOK_MS)
    const silent = traffic()
      .candidates(peer)
      .find(one => SILENT.test(one.result) && this.#spot(peer, one.address) !== undefined)
    if (silent === undefined || signal.aborted || traffic().peers.get(peer)?.state === 'reachable') return
    progress('looking whether the network keeps the two apart')
    await this.#look(peer, this.#spot(peer, silent.address)!)
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#options.around.after(ms, resolve)
    })
  }

  async #look(peer: PeerId, spot: Spot): Promise<void> {
    const { around, traffic } = this.#options
    const verdict = await around.nearby.keptApart(spot)
    if (traffic().peers.get(peer)?.state === 'reachable') return
    if (verdict === 'unclear') {
      // two looks may be under way: one that saw nothing takes nothing back
      this.#lookAt = Math.min(this.#lookAt, around.now() + UNCLEAR_MS)
      return
    }
    this.#together.delete(peer)
    if (verdict === 'apart') this.#apart.set(peer, spot.interface)
    else this.#apart.delete(peer)
    if (verdict === 'together') this.#together.add(peer)
    this.#note()
  }

  /** Where it must be, if it is there at all: heard there, or others reach it and that is our network too. */
  #spot(peer: PeerId, address: string): Spot | undefined {
    const heard = this.#heardAt(peer, address)
    if (heard !== undefined || this.#reachedBy(peer).length === 0) return heard
    const host = hostOf(address)
    const near = this.#options.around.nearby.interfaces().find(one => within(one.addresses, host))
    return near && { interface: near.name, address: host, silentMs: this.#silentMs(peer) }
  }

  /** It was heard from that address, since it was lost. */
  #heardAt(peer: PeerId, address: string): Spot | undefined {
    const host = hostOf(address)
    const sighting = this.#recent(peer).find(({ source }) => bare(source) === host)
    return sighting && { interface: sighting.interface, address: host, silentMs: this.#silentMs(peer) }
  }

  #silentMs(peer: PeerId): number {
    const since = this.#options.traffic().peers.get(peer)?.unreachableSince ?? 0
    return since > 0 ? this.#options.around.now() - since : Infinity
  }

  #recent(peer: PeerId) {
    const since = this.#options.traffic().peers.get(peer)?.unreachableSince ?? 0
    const oldest = Math.max(since, this.#options.around.now() - HEARD_MS)
    return this.#sightings.of(peer).filter(({ at }) => at >= oldest)
  }

  #reachedBy(peer: PeerId): PeerId[] {
    const { membership, traffic } = this.#options
    return traffic()
      .matrix()
      .filter(one => one.peer === peer && one.observer !== membership.self && one.state === 'reachable')
      .map(({ observer }) => observer)
  }

  /** Members that are heard with a clock that is wrong by more than we read: seconds ahead, and when. */
  #far(): Map<PeerId, Origin & { ahead: number; at: number }> {
    const { announcer, around } = this.#options
    const found = new Map<PeerId, Origin & { ahead: number; at: number }>()
    for (const { announcement, ...origin } of this.#sightings.unknown) {
      if (around.now() - origin.at > HEARD_MS) continue
      const slots = slotAt((around.wall() - (around.now() - origin.at)) / 1000) - slotAt(around.wall() / 1000)
      const far = announcer.madeFar(announcement)
      if (far === undefined || found.has(far.peer)) continue
      const wallMs = around.wall() - (around.now() - origin.at)
      found.set(far.peer, { ...origin, ahead: leastAhead(far.ahead - slots, wallMs) })
    }
    return found
  }

  #tell(peer: PeerId): Result<'Why'> {
    const { around, membership, roster, traffic } = this.#options
    const view = traffic().peers.get(peer)!
    const far = this.#far().get(peer)
    return whyRecord({
      view,
      shown: roster().peer(peer)!,
      candidates: traffic().candidates(peer),
      heard: [...(far === undefined ? [] : [{ ...far, followed: false }]), ...this.#recent(peer)],
      ahead: far?.ahead ?? this.#sightings.clock(peer, around.now()),
      far: far !== undefined,
      apart: this.#apart.get(peer),
      together: this.#together.has(peer),
      reachedBy: this.#reachedBy(peer),
      nameOf: id => membership.members.get(id)?.name ?? id,
      now: around.now(),
      wallMs: around.wall(),
      interfaces: around.nearby.interfaces(),
      others: [...traffic().peers.values()].some(one => one.id !== peer && one.state === 'reachable')
    })
  }

  #note(): void {
    const parts = [...this.apart].map(
      ([where, names]) =>
        `${where} lets nothing through to ${names.join(', ')}, though heard there: its access point keeps devices apart; \`coterie why ${names[0]}\` says more`
    )
    this.#options.note(parts.join('; '))
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
