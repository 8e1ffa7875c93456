/**
 * The mesh of one circle: which members are reachable from here, where, and how far away they are.
 *
 * A pure core: the daemon tells what happened and when, and takes what is to be done. It keeps the full mesh:
 * a session with every member; in a circle of more than FULL_MESH with some of them, and knows the others by what
 * these say (crowd.ts). A peer is `reachable` only after a round trip with it was measured; it ceases to be so with
 * its last session.
 *
 *   in    setMembers, setOwnAddresses, network, offer, retry who and where
 *         setOnBattery, setMetered                           how often links are asked
 *         sleep, wake, grace, setCards, seek                 this device sleeps, and is woken; so do others
 *         opened, closed, dialFailed                         what became of links
 *         heard, receive                                     any frame; Ping Pong Gossip Nominate Close
 *         probed, probeFailed, alive, witnessed              what became of probes
 *         verified, ownRecord                                answers to `verify` and `sign`
 *         expire                                             the deadline passed
 *   out   take, deadline, peers, session, links, matrix, candidates
 *
 * Every `now` is monotonic milliseconds, and none is less than one before.
 */
import type { PeerId } from '../crypto/identity.ts'
import { formatAddress, formatHost, parseAddress } from '../wire/address.ts'
import type { Card } from '../wire/extra.ts'
import { decodeExtra } from '../wire/extra.ts'
import { CloseReason, Kind } from '../wire/frame.ts'
import type { PeerRecord } from '../wire/gossip.ts'
import type { Source } from './candidates.ts'
import { isGuess } from './candidates.ts'
import type { CandidateView } from './choice.ts'
import { candidatesOf } from './choice.ts'
import { Crowd } from './crowd.ts'
import { Dialling } from './dialling.ts'
import { Gossip } from './gossip.ts'
import { introduce } from './introduce.ts'
import { Keepalive } from './keepalive.ts'
import { Links } from './links.ts'
import { Members } from './members.ts'
import { Nomination } from './nomination.ts'
import type { OwnAddress, OwnLink } from './paths.ts'
import { withLinks } from './paths.ts'
import type { LinkCounts, Opened, Output, Peer, PeerView, Session, Sight, Worked } from './peer.ts'
import { newPeer, newSession } from './peer.ts'
import { Presence } from './presence.ts'
import { Questions } from './questions.ts'
import { Renewal } from './renewal.ts'
import { Roaming } from './roaming.ts'
import { networkBeyond, Silences } from './silences.ts'
import { Sleep } from './sleep.ts'
import { Switching } from './switching.ts'
import type { Means } from './thrift.ts'
import { saves, watches } from './thrift.ts'
import { Timers } from './timers.ts'
import { Watching } from './watching.ts'

export type { CandidateView } from './choice.ts'
export type { Evidence } from './life.ts'
export type { LinkKind, OwnLink } from './paths.ts'
export type { LinkCounts, Opened, Output, PeerView, Reason, Sight, State, Worked } from './peer.ts'

export interface MeshOptions {
  readonly self: PeerId
  /** [0, 1). */
  readonly random: () => number
  /** Of the first own record; greater than any before, where that is known. */
  readonly incarnation: number
  /** Whether it may watch others; yes when absent. */
  readonly watch?: boolean
  /** Reads the bytes of a record, as strictly as `decodeRecord` does; for cores of one process that share them. */
  readonly decode?: (bytes: Uint8Array) => PeerRecord | undefined
}

export class Mesh {
  /** When `expire` is next due; Infinity when never. */
  deadline = Infinity
  readonly #self: PeerId
  readonly #timers = new Timers()
  readonly #peers = new Map<PeerId, Peer>()
  readonly #presence: Presence
  readonly #keepalive: Keepalive
  readonly #nomination: Nomination
  readonly #dialling: Dialling
  readonly #renewal: Renewal
  readonly #gossip: Gossip
  readonly #links: Links
  readonly #crowd: Crowd
  readonly #sleep: Sleep
  readonly #silences = new Silences()
  readonly #questions = new Questions()
  readonly #roaming: Roaming
  readonly #switching: Switching
  readonly #watching: Watching
  #own: readonly OwnAddress[] = []
  #ownLinks = ''
  readonly #due = {
    round: (now: number, peer: Peer): void => {
      if (!this.#renewal.enough(now, peer) && !this.#sleep.enough(now, peer)) this.#dialling.round(now, peer)
    },
    next: (now: number, peer: Peer): void => this.#dialling.step(now, peer),
    steady: (now: number, peer: Peer): void => this.#presence.steady(now, peer),
    missing: (now: number, peer: Peer): void => this.#watching.due.missing(now, peer),
    step: (now: number, peer: Peer): void => this.#watching.due.step(now, peer),
    latency: (now: number, peer: Peer): void => this.#presence.latency(now, peer),
    keepalive: (now: number, session: Session): void => this.#keepalive.due(now, session),
    closing: (now: number, session: Session): void => this.#links.drop(now, session, undefined, 'closed'),
    renewal: (now: number, session: Session): void => this.#renewal.due(now, session)
  }
  #outputs: Output[] = []
  #records: Worked[] = []

  constructor({ self, random, incarnation, decode, watch = true }: MeshOptions) {
    this.#self = self
    const timers = this.#timers
    const emit = (output: Output): void => {
      this.#outputs.push(output)
      if (output.type !== 'send' || output.kind === Kind.Ping || output.kind === Kind.Pong) return
      const session = this.#links.get(output.session)
      if (session !== undefined) session.spoke = true
    }
    const ranked = (peer: Peer): string[] => peer.candidates.ranked(this.#own).map(({ text }) => text)
    this.#presence = new Presence({
      timers,
      emit,
      ranked,
      shown: (now, peer) => this.#watching.shown(now, peer),
      word: peer => this.#crowd.word(peer)
    })
    this.#keepalive = new Keepalive({
      timers,
      emit,
      sessions: () => this.#links.all,
      silences: this.#silences,
      watched: () => this.#watched,
      doubted: (now, session) => {
        const { nominated, plan } = session.peer
        if (nominated === session && !plan.wanted) this.#dialling.want(now, session.peer)
      },
      missed: (now, session) => this.#watching.missed(now, session),
      silent: (now, session) => this.#watching.silent(now, session),
      answered: token => this.#questions.answered(token),
      measured: (now, session, number) => this.#measured(now, session, number)
    })
    this.#nomination = new Nomination({
      self,
      timers,
      emit,
      keepalive: this.#keepalive,
      moved: (now, peer) => {
        this.#questions.moved(now, peer)
        const session = peer.nominated?.number
        if (session !== undefined) emit({ type: 'moved', peer: peer.id, session })
      },
      close: (now, session, reason) => this.#links.drop(now, session, reason, 'closed')
    })
    this.#dialling = new Dialling({
      timers,
      emit,
      random,
      own: () => this.#own,
      eager: (now, peer) => this.#watching.eager(now, peer)
    })
    this.#renewal = new Renewal({ timers, random, dialling: this.#dialling })
    const gossip = {
      self,
      incarnation,
      timers,
      emit,
      random,
      decode,
      full: () => !this.#crowd.bounded,
      told: (now, member, record, from) => this.#told(now, member, record, from),
      viewed: (now, number, views) => this.#watching.viewed(now, this.#links.get(number)!.peer, views),
      heard: (now, session, body) => this.#crowd.heard(now, session, body)
    } satisfies ConstructorParameters<typeof Gossip>[0]
    this.#gossip = new Gossip(gossip, new Members([self]))
    this.#links = new Links({
      timers,
      emit,
      presence: this.#presence,
      nomination: this.#nomination,
      dialling: this.#dialling,
      gossip: this.#gossip,
      bounded: () => this.#crowd.bounded,
      lost: (now, peer, reason) => {
        this.#watching.lost(peer)
        this.#crowd.lost(now, peer, reason)
      },
      silences: this.#silences
    })
    this.#watching = new Watching({
      self,
      timers,
      emit,
      peers: this.#peers,
      presence: this.#presence,
      keepalive: this.#keepalive,
      dialling: this.#dialling,
      gossip: this.#gossip,
      links: this.#links,
      full: () => !this.#crowd.bounded,
      ranked,
      watch
    })
    this.#crowd = new Crowd({
      self,
      timers,
      emit,
      random,
      dialling: this.#dialling,
      presence: this.#presence,
      gossip: () => this.#gossip,
      links: () => this.#links,
      peers: this.#peers,
      ask: (now, { nominated }) => {
        if (nominated !== undefined) this.#watching.missed(now, nominated)
      },
      add: (now, id) => this.#add(now, id),
      remove: (now, peer) => this.#remove(now, peer)
    })
    this.#roaming = new Roaming({
      timers,
      drop: (now, session) => this.#links.drop(now, session, undefined, 'closed')
    })
    this.#switching = new Switching({
      timers,
      emit,
      own: () => this.#own,
      dialling: this.#dialling,
      saves: peer => saves(this.#keepalive.means) || saves(peer)
    })
    this.#sleep = new Sleep({
      peers: () => this.#peers.values(),
      presence: this.#presence,
      keepalive: this.#keepalive,
      dialling: this.#dialling,
      gossip: this.#gossip,
      links: this.#links,
      rest: peer => this.#watching.rest(peer)
    })
  }

  /** All current members; self among them is ignored. The sessions of others are closed. */
  setMembers(now: number, ids: readonly PeerId[] | Members): void {
    const members = ids instanceof Members ? ids : new Members([this.#self, ...ids])
    let removed = false
    for (const peer of [...this.#peers.values()]) {
      if (members.number(peer.id) >= 0) continue
      this.#remove(now, peer)
      removed = true
    }
    const before = this.#gossip.census.members
    this.#gossip.setMembers(now, members)
    this.#crowd.setMembers(now, before)
    if (!this.#crowd.bounded)
      for (const id of members.ids)
        if (id !== this.#self && !this.#peers.has(id)) {
          const peer = this.#add(now, id)
          if (this.#links.closing === undefined) this.#dialling.want(now, peer)
        }
    if (removed) this.#renewal.hurry(now, this.#links.all)
    this.#settle(now)
  }

  /**
   * Address URIs of our listeners; anything else in the list is ignored. A change is a network event. `links` tells of
   * the link that each is on, as far as that is known; it decides only which way to a peer is the better one.
   */
  setOwnAddresses(now: number, addresses: readonly string[], links: readonly OwnLink[] = []): void {
    const own = addresses.map(parseAddress).filter(address => address !== undefined)
    const texts = own.map(formatAddress).sort().join()
    const same =
      texts === this.#own.map(formatAddress).sort().join() && this.#presence.online === own.length > 0
    const told = JSON.stringify(links)
    if (!this.#links.over && !(same && told === this.#ownLinks)) {
      this.#ownLinks = told
      this.#own = withLinks(own, links)
      if (!same) this.#moved(now)
      this.#switching.moved(now, this.#peers.values())
    }
    this.#settle(now)
  }

  /** This device runs on battery from now on, or no more. At first it does not. */
  setOnBattery(now: number, onBattery: boolean): void {
    this.#setMeans(now, { onBattery })
  }

  /** All networks of this device cost by the byte, or no more. At first they do not. */
  setMetered(now: number, metered: boolean): void {
    this.#setMeans(now, { metered })
  }

  /** Somebody asks for it: if it is not reachable it is dialled now, not at its next turn. */
  retry(now: number, id: PeerId): void {
    this.#crowd.use(now, id)
    const peer = this.#peers.get(id)
    if (peer?.plan.wanted && this.#links.closing === undefined) this.#dialling.want(now, peer)
    this.#settle(now)
  }

  /** What wakes our cards, by their addresses; said with those of them that we say. */
  setCards(now: number, cards: readonly Card[]): void {
    this.#gossip.setCards(now, cards)
    this.#settle(now)
  }

  /**
   * This device is about to sleep, or to be switched `off`: tells everybody, ends all sessions, and does nothing
   * any more until `wake`.
   */
  sleep(now: number, off = false): void {
    this.#sleep.sleep(now, off)
    this.#settle(now)
  }

  /** It woke up, or was stopped and goes on. */
  wake(now: number): void {
    this.#sleep.wake(now)
    this.#watching.resumed(now)
    this.#settle(now)
  }

  /** It was not running for a moment: whatever nobody answered meanwhile accuses nobody. */
  grace(now: number): void {
    if (this.#links.closing === undefined) this.#sleep.grace(now)
    this.#watching.resumed(now)
    this.#settle(now)
  }

  /** Somebody has this peer woken: it is looked for. */
  seek(now: number, id: PeerId): void {
    this.#crowd.use(now, id)
    const peer = this.#peers.get(id)
    if (peer !== undefined) this.#sleep.seek(now, peer)
    this.#settle(now)
  }

  /** Something came up or changed: what could not be reached before may be now. */
  network(now: number): void {
    this.#lookAgain(now)
    this.#settle(now)
  }

  /** Addresses of a member that someone or something named. Anything that is none is ignored. */
  offer(now: number, id: PeerId, addresses: readonly string[], source: Exclude<Source, 'gossip'>): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) this.#crowd.offer(now, id, addresses, source)
    else if (!this.#links.over) this.#named(now, peer, addresses, source)
    this.#settle(now)
  }

  /** A session was confirmed. */
  opened(now: number, opened: Opened): void {
    const number = opened.session
    const peer = this.#member(now, opened.peer)
    const { closing } = this.#links
    if (peer === undefined || closing !== undefined) {
      this.#outputs.push({ type: 'close', session: number, reason: closing ?? CloseReason.Removed })
      this.#settle(now)
      return
    }
    const first = peer.nominated === undefined
    const beyond = networkBeyond(opened.address, this.#own)
    const session = newSession(now, peer, opened, beyond, this.#due)
    this.#silences.opened(now, session)
    this.#links.add(session)
    this.#sleep.opened(peer)
    if (session.outgoing) this.#proved(now, session)
    this.#renewal.opened(now, session)
    this.#dialling.done(now, peer)
    this.#nomination.opened(now, session)
    this.#roaming.opened(now, session)
    this.#switching.opened(now, session)
    this.#presence.changed(peer)
    if (first) this.#crowd.found(now, peer)
    this.#gossip.opened(now, number, this.#self < peer.id)
    this.#watching.opened(now, session)
    // also on the side that dialled: the handshake's round trip counts the work of both sides
    this.#keepalive.probe(now, session)
    if (session.roundTrip > 0) this.#presence.reached(now, peer)
    this.#settle(now)
  }

  /** A session ended; a word says why: `timeout`, or anything else. */
  closed(now: number, number: number, reason: string): void {
    const session = this.#links.get(number)
    if (session !== undefined)
      this.#links.ended(now, session, /time-?d?out/.test(reason) ? 'timeout' : 'closed')
    this.#settle(now)
  }

  /** An attempt came to nothing; a word says why: `refused`, or anything else. */
  dialFailed(now: number, attempt: number, reason: string): void {
    const guess = this.#dialling.guesses(attempt)
    const peer = this.#dialling.failed(now, attempt, reason)
    const refused = /refused/.test(reason)
    if (peer !== undefined && peer.refused !== refused && !guess) {
      peer.refused = refused
      this.#presence.changed(peer)
    }
    this.#settle(now)
  }

  /** Nobody says that it is there: whoever answers otherwise, or not at all, is somebody else. */
  guess(id: PeerId, address: string): boolean {
    const candidate = this.#peers.get(id)?.candidates.get(address)
    return candidate !== undefined && isGuess(candidate)
  }

  /** A frame of a kind that is not ours came on a session: a sign of life. */
  heard(now: number, number: number): void {
    const session = this.#links.get(number)
    if (session === undefined) return
    this.#keepalive.heard(now, session)
    if (session.peer.watch.burst === undefined) return
    this.#watching.heard(now, session)
    this.#settle(now)
  }

  receive(now: number, number: number, kind: number, body: Uint8Array): void {
    const session = this.#links.get(number)
    if (session !== undefined) this.#read(now, session, kind, body)
    this.#settle(now)
  }

  /** Its answer to a probe came from this address (a URI of the form candidates have). */
  probed(now: number, id: PeerId, probe: number, address: string, roundTripUSec: number): void {
    const peer = this.#peers.get(id)
    peer?.candidates.probed(now, address, 'answered', roundTripUSec)
    if (peer !== undefined && !this.#switching.probed(now, peer, probe, address, roundTripUSec))
      this.#watching.probed(now, peer, address, roundTripUSec)
    this.#settle(now)
  }

  /** A probe could not be sent there, or was refused; a word says why. `no-keys`: none can be sealed for it. */
  probeFailed(now: number, id: PeerId, probe: number, address: string, reason: string): void {
    const peer = this.#peers.get(id)
    peer?.candidates.probed(now, address, reason)
    if (peer !== undefined) this.#watching.failed(now, peer, probe, reason)
    this.#settle(now)
  }

  /** An authentic probe of that peer came from there. */
  alive(now: number, id: PeerId, address: string): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) this.#watching.alive(now, peer, address)
    this.#settle(now)
  }

  /** Its answer to a probe came through that member. */
  witnessed(now: number, id: PeerId, _probe: number, by: PeerId): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) this.#watching.witnessed(now, peer, by)
    this.#settle(now)
  }

  verified(now: number, batch: number, ok: readonly boolean[]): void {
    this.#gossip.verified(now, batch, ok)
    this.#settle(now)
  }

  /** Answers `sign`: its body, and our signature over it. */
  ownRecord(now: number, body: Uint8Array, signature: Uint8Array): void {
    this.#gossip.ownRecord(now, body, signature)
    this.#sleep.signed(now)
    this.#settle(now)
  }

  /**
   * Measures a round trip; a `pong` output with the token follows once, if an answer comes, on this session or on
   * those that follow it. False: nothing was asked, as there is no session and none was there a moment ago.
   */
  ping(now: number, id: PeerId, token: number): boolean {
    const dialled = this.#crowd.use(now, id)
    const peer = this.#peers.get(id)
    const send = (at: number, session: Session): void => {
      this.#keepalive.send(at, session, token)
    }
    const asked = peer !== undefined && this.#questions.ask(now, peer, token, send, dialled)
    this.#settle(now)
    return asked
  }

  /** Nobody waits for that `pong` any more. */
  forget(token: number): void {
    this.#questions.forget(token)
  }

  /** Says goodbye to all, dials nobody any more. */
  stop(now: number): void {
    for (const peer of this.#peers.values()) this.#dialling.done(now, peer)
    this.#links.stop(now)
    this.#timers.clearAll()
    this.#settle(now)
  }

  expire(now: number): void {
    this.#settle(now)
  }

  /** Records that were verified when they came, and kept over a restart. */
  recall(now: number, records: Iterable<PeerRecord>): void {
    this.#gossip.recall(records)
    for (const peer of this.#peers.values()) {
      const { census } = this.#gossip
      const record = census.record(census.members.number(peer.id))
      if (record !== undefined && introduce(now, peer, record) && peer.plan.wanted)
        this.#dialling.want(now, peer)
    }
    this.#settle(now)
  }

  peers(): ReadonlyMap<PeerId, PeerView> {
    return this.#crowd.peers()
  }

  /** The session to write to, of a reachable peer. */
  session(id: PeerId): number | undefined {
    return this.#peers.get(id)?.nominated?.number
  }

  get links(): LinkCounts {
    const sessions = [...this.#links.all]
    const beyond = sessions.filter(session => session.beyond !== '')
    return {
      all: sessions.length,
      slow: sessions.filter(({ peer }) => saves(this.#keepalive.means) || saves(peer)).length,
      beyond: beyond.length,
      longest: beyond.reduce((most, session) => Math.max(most, this.#keepalive.interval(session)), 0)
    }
  }

  /** Where it may be, and how it went there; what is in use first, then the best. */
  candidates(now: number, id: PeerId): CandidateView[] {
    const peer = this.#peers.get(id)
    return peer === undefined ? [] : candidatesOf(now, peer, this.#own)
  }

  /** By its own last word: it is on mains, and on a network that does not cost by the byte. */
  hasPlenty(id: PeerId): boolean {
    const { census } = this.#gossip
    const record = census.record(census.members.number(id))
    return record !== undefined && !record.asleep && !saves(record)
  }

  /** Who sees whom: our own verdicts, and those that peers we see told us. */
  matrix(now: number): Sight[] {
    return this.#watching.matrix(now)
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size
  }

  /** Who is watched by this device. */
  get watched(): PeerId[] {
    return this.#watching.watched
  }

  /** What to save and what to do since last asked, in order. */
  take(): { records: Worked[]; outputs: Output[] } {
    const taken = { records: this.#records, outputs: this.#outputs }
    this.#records = []
    this.#outputs = []
    return taken
  }

  /** A Peer, if need be a new one; undefined when that is no member. */
  #member(now: number, id: PeerId): Peer | undefined {
    const peer = this.#peers.get(id)
    const other = id !== this.#self && this.#gossip.census.members.number(id) >= 0
    return peer === undefined && this.#crowd.bounded && other ? this.#add(now, id) : peer
  }

  #add(now: number, id: PeerId): Peer {
    const peer = newPeer(id, this.#due, now)
    this.#peers.set(id, peer)
    this.#crowd.added(now, peer)
    this.#presence.changed(peer)
    return peer
  }

  #remove(now: number, peer: Peer): void {
    this.#peers.delete(peer.id)
    this.#questions.removed(peer)
    this.#switching.removed(peer)
    this.#dialling.done(now, peer)
    this.#presence.removed(peer)
    this.#links.remove(now, peer)
    this.#watching.removed(peer)
  }

  #read(now: number, session: Session, kind: number, body: Uint8Array): void {
    this.#keepalive.heard(now, session)
    this.#watching.heard(now, session)
    switch (kind) {
      case Kind.Ping:
        if (body.length !== 8) this.#count('malformed')
        else {
          this.#keepalive.asked(now, session)
          this.#outputs.push({ type: 'send', session: session.number, kind: Kind.Pong, body: body.slice() })
        }
        break
      case Kind.Pong:
        this.#keepalive.pong(now, session, body)
        break
      case Kind.Gossip:
        this.#gossip.receive(now, session.number, body)
        break
      case Kind.Nominate:
        this.#nomination.heard(now, session, body)
        this.#presence.changed(session.peer)
        break
      case Kind.Close:
        this.#links.goodbye(now, session, body)
        break
      default:
        this.#count('kind')
    }
  }

  #named(now: number, peer: Peer, addresses: readonly string[], source: Source): void {
    let fresh = false
    for (const address of addresses) if (peer.candidates.offer(now, address, source) === 'new') fresh = true
    if (fresh) {
      this.#presence.changed(peer)
      this.#switching.look(now, peer)
    }
    // it sleeps, and yet it is heard, or was a moment ago
    if (peer.asleep && source === 'announcement' && this.#links.closing === undefined)
      this.#dialling.glance(now, peer, addresses)
    if (!peer.plan.wanted || source === 'inbound') return
    if (fresh) this.#dialling.want(now, peer)
    else if (source === 'announcement') {
      for (const address of addresses) this.#dialling.hint(now, peer, address)
    }
  }

  /** Somebody among us, or those we see, looks after the others. */
  get #watched(): boolean {
    if (watches(this.#keepalive.means)) return true
    for (const peer of this.#peers.values()) if (peer.state === 'reachable' && watches(peer)) return true
    return false
  }

  #setMeans(now: number, means: Partial<Means>): void {
    this.#keepalive.setMeans(means)
    this.#gossip.setFlags(now, means)
    this.#watching.meansChanged()
    this.#settle(now)
  }

  /** Its owner signed where it may be reached, and how it is. */
  #told(now: number, member: number, record: PeerRecord, from: number): void {
    this.#crowd.told(now, member, record, from)
    const id = this.#gossip.census.members.ids[member]!
    const peer = this.#peers.get(id)
    const cards = decodeExtra(record.addresses, record.extra)
    if (peer === undefined && cards.length > 0) this.#outputs.push({ type: 'cards', peer: id, cards })
    if (peer === undefined) return
    const fresh = introduce(now, peer, record)
    this.#watching.meansChanged()
    this.#keepalive.changed(peer.sessions)
    this.#presence.changed(peer)
    if (fresh) this.#switching.look(now, peer)
    this.#sleep.told(now, peer, record.asleep)
    if (fresh && peer.plan.wanted) this.#dialling.want(now, peer)
    const text = cards.map(({ address, mac }) => `${formatHost(address)} ${mac.join()}`).join()
    if (text !== peer.cards && cards.length > 0) this.#outputs.push({ type: 'cards', peer: id, cards })
    peer.cards = text
  }

  #moved(now: number): void {
    const own = this.#own
    this.#silences.clear()
    this.#presence.online = own.length > 0
    this.#gossip.setOwnAddresses(now, own)
    for (const peer of this.#peers.values()) this.#presence.changed(peer)
    for (const peer of this.#roaming.moved(now, own, this.#peers.values())) peer.plan.wanted = true
    this.#lookAgain(now)
  }

  /** Dials all that want it at once, and asks every session whether it is still there. */
  #lookAgain(now: number): void {
    if (this.#links.closing !== undefined) return
    for (const peer of this.#peers.values()) {
      if (peer.plan.wanted) this.#dialling.afresh(now, peer)
      for (const session of peer.sessions) {
        if (!session.awaiting) this.#keepalive.probe(now, session)
        // whatever becomes of it, silence was not the reason
        session.silence = 0
      }
    }
  }

  #proved(now: number, session: Session): void {
    const { peer, address } = session
    this.#dialling.succeeded(peer, address)
    if (peer.candidates.worked(now, address, session.roundTrip))
      this.#records.push({ peer: peer.id, address })
  }

  #measured(now: number, session: Session, number: number): void {
    this.#nomination.answered(session, number)
    this.#watching.measured(now, session)
    if (session.peer.nominated !== undefined) this.#presence.reached(now, session.peer)
  }

  #count(what: string): void {
    this.#outputs.push({ type: 'count', what })
  }

  /** After every input: does what is due at once, gives out what changed, stores the deadline. */
  #settle(now: number): void {
    this.#timers.expire(now)
    if (this.#crowd.settle(now)) this.#timers.expire(now)
    this.#crowd.tell()
    this.#presence.settle(now)
    this.#watching.settle(now)
    this.deadline = this.#timers.next
  }
}
