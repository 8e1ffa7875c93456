/**
 * The crowd: all members of a circle too large for a full mesh, of whom only some are peers with a session. It joins
 * the view (with whom a session is wanted), hearsay (what others say of the rest) and what is shown of everybody.
 * In a circle of FULL_MESH members or fewer it does nothing.
 */
import type { PeerId } from '../crypto/identity.ts'
import type { CensusBody } from '../wire/census.ts'
import { CloseReason } from '../wire/frame.ts'
import type { PeerRecord } from '../wire/gossip.ts'
import type { Source } from './candidates.ts'
import type { Dialling } from './dialling.ts'
import { Everybody } from './everybody.ts'
import type { Gossip } from './gossip.ts'
import { Hearsay } from './hearsay.ts'
import { heardAt } from './life.ts'
import type { Links } from './links.ts'
import type { Members } from './members.ts'
import type { Output, Peer, PeerView, Reason } from './peer.ts'
import type { Presence } from './presence.ts'
import type { Timers } from './timers.ts'
import { View } from './view.ts'

interface Wiring {
  readonly self: PeerId
  readonly timers: Timers
  readonly random: () => number
  readonly emit: (output: Output) => void
  readonly dialling: Dialling
  readonly presence: Presence
  readonly gossip: () => Gossip
  readonly links: () => Links
  readonly peers: ReadonlyMap<PeerId, Peer>
  /** Asks a Peer that has a session whether it is there. */
  readonly ask: (now: number, peer: Peer) => void
  /** Makes a Peer of a member, and of a Peer a member. */
  readonly add: (now: number, id: PeerId) => Peer
  readonly remove: (now: number, peer: Peer) => void
}

export class Crowd {
  readonly #wiring: Wiring
  readonly #view: View
  readonly #hearsay: Hearsay
  readonly #changed = new Set<number>()
  #all = false
  #now = 0

  constructor(wiring: Wiring) {
    this.#wiring = wiring
    const { self, timers, random, emit, dialling, gossip, links, add, remove } = wiring
    const census = () => gossip().census
    this.#view = new View({
      self,
      timers,
      random,
      dialling,
      census,
      add,
      remove,
      close: (now, session) => links().drop(now, session, CloseReason.Done, ''),
      stopped: () => links().closing !== undefined,
      doubted: (now, member) => this.#hearsay.lost(now, member, 'timeout'),
      changed: member => this.#changed.add(member),
      allChanged: () => {
        this.#all = true
      }
    })
    this.#hearsay = new Hearsay({
      self,
      timers,
      random,
      emit,
      census,
      spread: () => gossip().spread,
      live: member => this.#view.live(member),
      heardSince: (member, since) => {
        const peer = this.#peer(member)
        return peer !== undefined && heardAt(peer) > since
      },
      ask: (now, member) => {
        const peer = this.#peer(member)
        if (peer !== undefined) this.#wiring.ask(now, peer)
      },
      shunned: member => this.#view.passedOver(member),
      company: () => this.#view.company(this.#now),
      changed: (now, member, fresh) => this.#heard(now, member, fresh),
      insist: now => gossip().insist(now),
      teller: session => {
        const peer = links().get(session)?.peer.id
        return peer === undefined ? -1 : census().members.number(peer)
      }
    })
  }

  /** There are too many members for a full mesh. */
  get bounded(): boolean {
    return this.#view.bounded
  }

  /** The numbers of the members a session is wanted with. */
  get chosen(): ReadonlySet<number> {
    return this.#view.chosen
  }

  /** The census has other members than before. */
  setMembers(now: number, before: Members): void {
    const { gossip, peers } = this.#wiring
    const { members } = gossip().census
    if (members === before) return
    this.#view.setMembers(now, peers.values())
    this.#changed.clear()
    this.#hearsay.change(before, members)
    this.#all = this.bounded
  }

  /** A Peer was made. */
  added(now: number, peer: Peer): void {
    this.#view.added(now, peer)
  }

  /** Its first session was confirmed. */
  found(now: number, peer: Peer): void {
    if (!this.bounded) return
    this.#view.found(now, peer)
    this.#hearsay.found(now, this.#number(peer.id))
  }

  /** Its last session ended; without a reason: it, or we, want it no more. */
  lost(now: number, peer: Peer, reason: Reason): void {
    if (!this.bounded) return
    const gone = reason !== '' && reason !== 'asleep' && this.#wiring.links().closing === undefined
    this.#view.lost(now, peer, gone)
    if (gone) this.#hearsay.lost(now, this.#number(peer.id), reason)
  }

  /** Its record came on a session. */
  told(now: number, member: number, record: PeerRecord, from: number): void {
    if (!this.bounded) return
    const peer = this.#peer(member)
    if (peer !== undefined && peer.nominated === undefined) peer.lost = ''
    this.#hearsay.told(now, member, from, !record.asleep)
  }

  /** What a session says of others. */
  heard(now: number, session: number, body: Extract<CensusBody, { type: 'entries' | 'words' }>): void {
    this.#now = now
    if (this.bounded) this.#hearsay.heard(now, session, body.entries)
  }

  /** Somebody needs a session with it. True when one is on its way, or there. */
  use(now: number, id: PeerId): boolean {
    return this.bounded && this.#view.use(now, id)
  }

  /** Addresses of a member that is no Peer. */
  offer(now: number, id: PeerId, addresses: readonly string[], source: Exclude<Source, 'gossip'>): void {
    if (this.bounded) this.#view.offer(now, id, addresses, source)
  }

  peers(): ReadonlyMap<PeerId, PeerView> {
    const { gossip, presence, self } = this.#wiring
    if (!this.bounded) return presence.views
    return new Everybody(
      gossip().census.members,
      self,
      (id, member) => presence.views.get(id) ?? this.#hearsay.view(member, presence.online)
    )
  }

  /** What is shown of a Peer of whom we have nothing of our own to say. */
  word(peer: Peer): PeerView | undefined {
    if (!this.bounded || peer.asleep || peer.state !== 'unreachable' || peer.lost !== '') return undefined
    return this.#hearsay.view(this.#number(peer.id), this.#wiring.presence.online)
  }

  /** Chooses the view anew where that may be another one; true when it did. */
  settle(now: number): boolean {
    this.#now = now
    return this.#view.settle(now)
  }

  /** Gives out what changed of those who are no Peers. */
  tell(): void {
    const { emit, gossip, peers, presence } = this.#wiring
    if (this.#all) {
      for (const peer of peers.values()) presence.changed(peer)
      emit({ type: 'peers' })
    }
    const { members } = gossip().census
    for (const member of this.#changed) {
      const peer = this.#peer(member)
      if (peer !== undefined) presence.changed(peer)
      else if (!this.#all && members.ids[member] !== this.#wiring.self)
        emit({ type: 'peer', peer: this.#hearsay.view(member, presence.online) })
    }
    this.#all = false
    this.#changed.clear()
  }

  #heard(now: number, member: number, fresh: boolean): void {
    const there = this.#wiring.gossip().census.there(member)
    this.#changed.add(member)
    this.#view.changed(now, member, fresh)
    const peer = this.#peer(member)
    // others see it: what we know of how it was lost is old
    if (there && peer !== undefined && peer.nominated === undefined) peer.lost = ''
  }

  #peer(member: number): Peer | undefined {
    return this.#wiring.peers.get(this.#wiring.gossip().census.members.ids[member]!)
  }

  #number(id: PeerId): number {
    return this.#wiring.gossip().census.members.number(id)
  }
}
