/**
 * The sessions of one circle and its mesh: carries frames in and outputs out, and decides nothing that a core can
 * decide. A session is greeted with the log, entered into the mesh when its peer is known to be a member, and
 * used for gossip when both logs agree.
 */
import type { ApiError } from '../../api/api.ts'
import { type PeerId, shortId } from '../../crypto/identity.ts'
import {
  type CandidateView,
  type LinkCounts,
  Mesh,
  type Output,
  type OwnLink,
  type PeerView,
  type Sight
} from '../../mesh/mesh.ts'
import type { Place } from '../../net/interfaces.ts'
import { CloseReason, Kind } from '../../wire/frame.ts'
import { Dials } from '../sessions/dials.ts'
import { Introductions } from '../sessions/introductions.ts'
import { Pings } from '../sessions/pings.ts'
import type { Session } from '../sessions/session.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { Writing } from '../sessions/writing.ts'
import type { Surroundings } from '../surroundings.ts'
import type { Announcer } from './announcer.ts'
import type { OwnMeans, RestPhase } from './condition.ts'
import type { Membership } from './membership.ts'
import { openedOf } from './opened.ts'
import { Probing } from './probing.ts'
import { verifyOf } from './verify.ts'
import type { Waking } from './waking.ts'
import type { Warnings } from './warnings.ts'

const PING_TIMEOUT_MS = 4_000

export interface TrafficOptions {
  readonly around: Surroundings
  readonly membership: Membership
  readonly announcer: Announcer
  readonly warnings: Warnings
  readonly sessions: Sessions
  readonly incarnation: number
  /** Both it and this device are members; one that was removed may be told that it is not, after all. */
  readonly belongs: (peer: PeerId) => boolean
  /** A frame about the recovery of the circle. */
  readonly onRecovery: (number: number, session: Session, body: Uint8Array) => void
  /** A Message frame of a member. */
  readonly onMessage: (peer: PeerId, body: Uint8Array) => void
  /** Messages may be written to the peer, on another session than before; or no more. */
  readonly onWritable: (peer: PeerId, writable: boolean) => void
  readonly onPeer: (view: PeerView) => void
  readonly waking: () => Pick<Waking, 'changed' | 'receive' | 'told'>
  /** The peer was reached at this address. */
  readonly onReached: (peer: PeerId, address: string) => void
  /** An attempt came to nothing; a word says why. */
  readonly onDialFailed: (peer: PeerId, address: string, reason: string) => void
  /** There is a session. */
  readonly onMet: () => void
}

export class Traffic {
  readonly #options: TrafficOptions
  readonly #mesh: Mesh
  readonly writing: Writing
  readonly #dials: Dials
  readonly #probing: Probing
  readonly #introductions = new Introductions()
  readonly #pings = new Pings(token => this.#mesh.forget(token))
  #carrying = false

  constructor(options: TrafficOptions) {
    const { around, incarnation, membership, sessions, warnings } = options
    const { self } = membership
    this.#options = options
    this.#mesh = new Mesh({ self, random: Math.random, incarnation })
    this.#probing = new Probing({ around, self, mesh: this.#mesh, sessions, carry: () => this.carry() })
    this.writing = new Writing({
      sessions: options.sessions,
      mesh: this.#mesh,
      synced: number => membership.synced(number),
      onWritable: options.onWritable
    })
    this.#dials = new Dials(around, membership, ({ peer, address }) => {
      if (this.#mesh.guess(peer, address)) return
      membership.doubt(peer)
      warnings.unanswered(peer, address)
    })
  }

  get deadline(): number {
    return Math.min(this.#mesh.deadline, this.#introductions.deadline)
  }

  expire(now: number): void {
    if (this.#mesh.deadline <= now) this.#mesh.expire(now)
    for (const number of this.#introductions.expired(now)) this.#close(number, CloseReason.Removed)
    this.carry()
  }

  get peers(): ReadonlyMap<PeerId, PeerView> {
    return this.#mesh.peers()
  }
  /** Where it may be, and how it went there. */
  candidates(peer: PeerId): CandidateView[] {
    return this.#mesh.candidates(this.#now, peer)
  }
  /** Somebody asks for it: dial it now, if it is not reachable. */
  retry(peer: PeerId): void {
    this.#mesh.retry(this.#now, peer)
    this.carry()
  }
  /** Who sees whom. */
  matrix(): Sight[] {
    return this.#mesh.matrix(this.#now)
  }
  get links(): LinkCounts {
    return this.#mesh.links
  }
  /** The session that is written to. */
  session(peer: PeerId): number | undefined {
    return this.#mesh.session(peer)
  }

  // --- what the mesh is told

  /** Who is a peer; those whose logs have come, and say that they are members, are let in. */
  setMembers(ids: readonly PeerId[]): void {
    this.#probing.setMembers(ids)
    this.#mesh.setMembers(this.#now, ids)
    const { belongs, sessions } = this.#options
    for (const { session: number, early } of this.#introductions.arrived(belongs)) {
      const session = sessions.get(number)!
      this.#enter(number, session)
      for (const { kind, body } of early) this.#receive(number, session, kind, body)
    }
  }
  offer(
    peer: PeerId,
    addresses: readonly string[],
    source: 'known' | 'static' | 'announcement' | 'overlay'
  ): void {
    this.#mesh.offer(this.#now, peer, addresses, source)
  }
  setOwnAddresses(addresses: readonly string[], links: readonly OwnLink[]): void {
    this.#mesh.setOwnAddresses(this.#now, addresses, links)
  }
  setMeans({ onBattery, metered, cards }: OwnMeans): void {
    this.#mesh.setOnBattery(this.#now, onBattery)
    this.#mesh.setMetered(this.#now, metered)
    this.#mesh.setCards(this.#now, cards)
    this.carry()
  }
  /** Sleeping or off, it says so to all, and nothing happens any more until `wake`. */
  rest(phase: RestPhase): void {
    if (phase === 'wake') this.#mesh.wake(this.#now)
    else if (phase === 'grace') this.#mesh.grace(this.#now)
    else this.#mesh.sleep(this.#now, phase === 'off')
    this.carry()
  }
  seek(peer: PeerId): void {
    this.#mesh.seek(this.#now, peer)
    this.carry()
  }
  /** Something new can be reached: dial at once. */
  network(): void {
    this.#mesh.network(this.#now)
  }

  /** One round trip in microseconds. Rejects what `unreachable` gives. */
  async ping(peer: PeerId, signal: AbortSignal, unreachable: () => ApiError): Promise<number> {
    const send = (token: number) => {
      const asked = this.#mesh.ping(this.#now, peer, token)
      this.carry()
      return asked
    }
    return this.#pings.wait(send, PING_TIMEOUT_MS, unreachable, signal)
  }
  /** One round trip by UDP in microseconds, or a word why there was none. */
  measure(peer: PeerId, address: string): Promise<number | string> {
    return this.#probing.measure(peer, address)
  }
  /** Returns whether a peer of this circle made it. */
  datagram(datagram: Uint8Array, from: string, to: Place): boolean {
    return this.#probing.receive(datagram, from, to)
  }

  /** Says goodbye to all. */
  stop(): void {
    this.#dials.stop()
    this.#mesh.stop(this.#now)
    this.carry()
  }

  /** On the session that is written to. False: there is none. */
  send(peer: PeerId, kind: number, body: Uint8Array): boolean {
    const session = this.#options.sessions.get(this.#mesh.session(peer) ?? -1)
    session?.send(kind, body)
    return session !== undefined
  }

  // --- sessions

  /** A handshake is done and confirmed. */
  opened(session: Session): void {
    const { announcer, around, belongs, membership, onMet, sessions, warnings } = this.#options
    if (warnings.opened(session)) return
    const number = sessions.add(session)
    const { peer, remote, outgoing } = session
    around.log('debug', 'session opened', { number, peer: shortId(peer), remote, outgoing })
    session.onFrame = (kind, body) => {
      this.#probing.heard(number, session)
      if (kind === Kind.Log) {
        this.#mesh.heard(this.#now, number)
        membership.receive(number, body)
        if (membership.hasKey(number, peer)) announcer.acknowledged(peer)
      } else this.#receive(number, session, kind, body)
      this.carry()
    }
    session.onClose = reason => {
      around.log('debug', 'session ended', { number, peer: shortId(peer), reason })
      this.#forget(number)
      this.#mesh.closed(this.#now, number, reason)
      this.carry()
    }
    if (membership.members.has(peer) && !membership.admits(peer)) {
      this.#close(number, CloseReason.Done)
      return
    }
    if (!belongs(peer)) this.#introductions.begin(this.#now, number, peer)
    membership.greet(number)
    if (!this.#introductions.has(number)) this.#enter(number, session)
    this.carry()
    onMet()
  }

  /** The logs of both ends agree, so it is known who the other one is; other frames may flow. */
  synced(number: number): void {
    const { announcer, membership, sessions, warnings } = this.#options
    const session = sessions.get(number)
    if (session === undefined) return
    if (!membership.admits(session.peer)) {
      this.#close(number, CloseReason.Removed)
      return
    }
    membership.acquainted(session.peer)
    warnings.met()
    if (membership.hasKey(number, session.peer)) announcer.acknowledged(session.peer)
    sessions.release(number)
    this.writing.look(session.peer, number)
  }

  /** Its operations are of no use. */
  expel(number: number): void {
    const { around, sessions } = this.#options
    around.log('warn', 'operations of no use; the session is closed', { peer: sessions.get(number)?.peer })
    this.#close(number, CloseReason.Protocol)
    this.#mesh.closed(this.#now, number, 'closed')
    this.carry()
  }

  /** The session is a member's: the mesh gets it. */
  #enter(number: number, session: Session): void {
    this.#probing.opened(number, session)
    this.#mesh.opened(this.#now, openedOf(number, session))
  }

  #receive(number: number, session: Session, kind: number, body: Uint8Array): void {
    const { membership, onMessage, onRecovery, waking, warnings } = this.#options
    if (kind === Kind.Recovery) {
      onRecovery(number, session, body)
      return
    }
    if (kind === Kind.Clone) warnings.told(session.peer, body)
    if (kind === Kind.Close && body[1] === CloseReason.Removed) membership.parted(session.peer)
    if (this.#introductions.has(number)) this.#introductions.keep(number, { kind, body })
    else if (kind === Kind.Witness || kind === Kind.Message || kind === Kind.Wake) {
      this.#mesh.heard(this.#now, number)
      if (kind === Kind.Witness) this.#probing.receiveFrame(number, session, body)
      else if (kind === Kind.Message) onMessage(session.peer, body)
      else waking().receive(session.peer, body)
    } else this.#mesh.receive(this.#now, number, kind, body)
  }

  #forget(number: number): void {
    const { membership, sessions } = this.#options
    const peer = sessions.get(number)?.peer
    if (peer === undefined || !sessions.delete(number)) return
    this.#introductions.end(number)
    this.#probing.closed(number, peer)
    membership.closed(number, peer)
  }

  #close(number: number, reason: CloseReason | undefined): void {
    const session = this.#options.sessions.get(number)
    if (reason === undefined) session?.destroy()
    else session?.close(reason)
    this.#forget(number)
  }

  async #dial(attempt: number, peer: PeerId, address: string): Promise<void> {
    try {
      const staticKey = this.#options.membership.members.get(peer)?.statics[0]
      if (staticKey === undefined) throw new Error('removed')
      const session = await this.#dials.open({ attempt, peer, address, staticKey })
      if (session !== undefined) this.opened(session)
    } catch (error) {
      const { message } = error as Error
      this.#mesh.dialFailed(this.#now, attempt, message)
      this.#options.onDialFailed(peer, address, message)
      this.carry()
    }
  }

  // --- outputs of the mesh

  /** Carries them until the mesh is quiet; they may call back in. */
  carry(): void {
    if (this.#carrying) return
    this.#carrying = true
    for (;;) {
      const { records, outputs } = this.#mesh.take()
      if (records.length + outputs.length === 0) break
      for (const { peer, address } of records) this.#options.onReached(peer, address)
      for (const output of outputs) this.#carryOut(output)
    }
    this.#carrying = false
    this.#options.around.arm()
  }

  #carryOut(output: Output): void {
    const { around, membership, onPeer, warnings } = this.#options
    switch (output.type) {
      case 'dial':
        void this.#dial(output.attempt, output.peer, output.address)
        break
      case 'cancel':
        this.#dials.cancel(output.attempt)
        break
      case 'send':
        this.#send(output.session, output.kind, output.body)
        break
      case 'close':
        this.#close(output.session, output.reason)
        break
      case 'peer':
        this.writing.shown(output.peer.id)
        onPeer(output.peer)
        this.#options.waking().changed()
        break
      case 'peers':
        for (const peer of this.#mesh.peers().values()) onPeer(peer)
        break
      case 'moved':
        this.writing.look(output.peer, output.session)
        break
      case 'pong':
        this.#pings.answered(output.token, output.roundTripUSec)
        break
      case 'sign':
        this.#mesh.ownRecord(this.#now, output.body, membership.signingKey.sign(output.body))
        break
      case 'verify':
        verifyOf(output.items).then(ok => {
          this.#mesh.verified(this.#now, output.batch, ok)
          this.carry()
        })
        break
      case 'probe':
      case 'witness':
        this.#probing.carryOut(output)
        break
      case 'cards':
        this.#options.waking().told(output.peer, output.cards)
        break
      case 'clone':
        warnings.twice(output.peer)
        break
      case 'self':
        warnings.elsewhere(output.addresses)
        break
      case 'count':
        around.log('debug', 'dropped', { what: output.what })
    }
  }

  /** Gossip waits until the membership logs agree: a removal goes before anything else. */
  #send(number: number, kind: number, body: Uint8Array): void {
    const { membership, sessions } = this.#options
    const session = sessions.get(number)
    if (session === undefined) return
    if (kind !== Kind.Gossip || membership.synced(number)) session.send(kind, body)
    else sessions.hold(number, { kind, body })
  }

  get #now(): number {
    return this.#options.around.now()
  }
}
