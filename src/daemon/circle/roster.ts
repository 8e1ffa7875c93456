/**
 * What people see of a circle: publishes it and its peers, and finds the member that somebody named.
 */
import { ApiError, type Member, type Properties } from '../../api/api.ts'
import type { Value } from '../../api/types.ts'
import type { MemberState } from '../../circle/log.ts'
import { type CircleId, type PeerId, shortId } from '../../crypto/identity.ts'
import type { PeerView } from '../../mesh/mesh.ts'
import type { Publisher } from '../surfaces/publisher.ts'
import { deviceRecords, type Seen } from './device-records.ts'

export interface RosterOptions {
  readonly circle: CircleId
  readonly name: string
  readonly self: PeerId
  readonly publisher: Publisher
  /** Milliseconds since 1970. */
  readonly wall: () => number
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** When each peer was last known to be reachable, milliseconds since 1970. */
  readonly lastSeen: Iterable<readonly [PeerId, number]>
}

export class Roster {
  readonly #options: RosterOptions
  readonly #path: string
  readonly #lastSeenUSec = new Map<PeerId, number>()
  readonly #asleep = new Map<PeerId, { since: number; usec: number }>()
  readonly #heard = new Map<PeerId, { at: number; usec: number }>()
  #members: ReadonlyMap<PeerId, MemberState> = new Map()

  constructor(options: RosterOptions) {
    this.#options = options
    this.#path = `/circle/${options.circle}`
    for (const [peer, ms] of options.lastSeen)
      this.#lastSeenUSec.set(peer, Math.max(this.#lastSeenUSec.get(peer) ?? 0, ms * 1000))
  }

  get circle(): Properties<'Circle'> {
    const { circle, name, self } = this.#options
    return {
      Id: circle,
      Name: name,
      Level: this.#members.get(self)?.level ?? 0,
      Members: this.#members.size
    }
  }

  /** Lowest level first. */
  devices(seen: Omit<Seen, 'self' | 'members' | 'peer'>): Value<typeof Member>[] {
    return deviceRecords({
      ...seen,
      self: this.#options.self,
      members: this.#members,
      peer: id => this.peer(id)
    })
  }

  /** As published. */
  peer(id: PeerId): Properties<'Peer'> | undefined {
    return this.#options.publisher.get(`${this.#path}/peer/${id}`)?.properties as
      | Properties<'Peer'>
      | undefined
  }

  /** The member with this id, short id or unique name. Throws ApiError. */
  find(text: string): PeerId {
    const members = [...this.#members.values()]
    const byId = members.find(({ id }) => id === text)
    if (byId !== undefined) return byId.id
    // a short id goes before a name: no member can hide another by calling itself so
    const short = members.filter(({ id }) => shortId(id) === text)
    const named = short.length > 0 ? short : members.filter(({ name }) => name === text)
    if (named.length === 1) return named[0]!.id
    const quoted = JSON.stringify(text)
    if (named.length === 0)
      throw new ApiError('NoSuchPeer', `no member is called ${quoted}; \`coterie devices\` lists them`)
    const ids = named.map(({ id }) => (named === short ? id : shortId(id))).join(', ')
    throw new ApiError('AmbiguousPeer', `${named.length} members are called ${quoted}; use an id: ${ids}`)
  }

  /** Who belongs now, and how the others are seen. */
  publish(members: ReadonlyMap<PeerId, MemberState>, views: ReadonlyMap<PeerId, PeerView>): void {
    const { circle, publisher } = this.#options
    this.#members = members
    publisher.set('Circle', this.#path, this.circle)
    for (const { path, properties } of publisher.list('Peer'))
      if (properties.Circle === circle && !views.has(properties.Id)) publisher.remove(path)
    for (const view of views.values()) this.publishPeer(view)
  }

  /** Returns whether the peer became reachable, or ceased to be. */
  publishPeer(view: PeerView): boolean {
    const { circle, publisher, wall } = this.#options
    const member = this.#members.get(view.id)
    if (member === undefined) return false
    const path = `${this.#path}/peer/${view.id}`
    const before = this.peer(view.id)
    const reachable = view.state === 'reachable'
    if (before?.Reachable && !reachable) this.#lastSeenUSec.set(view.id, Math.floor(wall() * 1000))
    publisher.set('Peer', path, {
      Id: view.id,
      Name: member.name,
      Circle: circle,
      State: view.state,
      Reason: view.reason,
      Reachable: reachable,
      Addresses: [...view.addresses],
      LatencyUSec: view.latencyUSec,
      Path: view.path,
      LastSeenUSec: reachable ? 0 : (this.#lastSeenUSec.get(view.id) ?? 0),
      AsleepSinceUSec: this.#asleepSince(view),
      ...this.#evidence(view)
    })
    return before?.Reachable !== reachable
  }

  /** The same of the last sign of life. While it is reachable that moves with each frame; nobody is told of it. */
  #evidence({ id, state, evidence }: PeerView): Pick<Properties<'Peer'>, `Evidence${'' | 'By' | 'USec'}`> {
    const { how, by, at } = evidence
    if (state === 'reachable' || how === '') this.#heard.delete(id)
    else if (this.#heard.get(id)?.at !== at) {
      const { now, wall } = this.#options
      this.#heard.set(id, { at, usec: Math.max(1, Math.floor((wall() - (now() - at)) * 1000)) })
    }
    return { Evidence: evidenceWord(how), EvidenceBy: by, EvidenceUSec: this.#heard.get(id)?.usec ?? 0 }
  }

  /** By the wall clock as it is now, and then no more: it may be set meanwhile. */
  #asleepSince({ id, state, asleepSince }: PeerView): number {
    if (state !== 'asleep') this.#asleep.delete(id)
    else if (this.#asleep.get(id)?.since !== asleepSince)
      this.#asleep.set(id, { since: asleepSince, usec: Math.max(1, Math.floor(this.#options.wall() * 1000)) })
    return this.#asleep.get(id)?.usec ?? 0
  }

  /** Takes the circle off D-Bus and out of the events. */
  unpublish(): void {
    const { publisher } = this.#options
    for (const { path } of publisher.list())
      if (path === this.#path || path.startsWith(`${this.#path}/`)) publisher.remove(path)
  }
}

/** Whether by a session or a probe, it came straight from it. */
export const evidenceWord = (how: PeerView['evidence']['how']): string =>
  how === 'session' || how === 'probe' ? 'direct' : how
