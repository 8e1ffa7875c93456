/**
 * The membership log of one circle: takes in operations from disk, users and peers, brings its log and those
 * of peers to one state, and says who is a member. Signatures are checked outside: a `verify` output is
 * answered by verified(). Records go to disk before the outputs that come with them leave.
 */
import type { PeerId } from '../crypto/identity.ts'
import { peerKey } from '../crypto/identity.ts'
import { bytesOf, hash, type Signed } from '../crypto/provider.ts'
import { compare, hex, unhex } from '../wire/bytes.ts'
import {
  chunks,
  decodeLogFrame,
  type LogFrame,
  MAX_HEADS,
  MAX_LOCATOR,
  MAX_WANTS
} from '../wire/log-exchange.ts'
import { decodeOperation, MAX_PREV } from '../wire/operation.ts'
import { decodeWrap, wrapMessage } from '../wire/wrap.ts'
import { Exchange } from './exchange.ts'
import { backed, Intake, step } from './intake.ts'
import { type MemberState, Members, provisionalOwner } from './members.ts'
import type { LogOutput, OperationRecord } from './outputs.ts'
import { parents } from './parents.ts'
import { bit, Resolver } from './resolver.ts'
import { type Identified, identify, signatures } from './signing.ts'

export type { MemberState } from './members.ts'
export type { LogOutput, OperationRecord } from './outputs.ts'

interface Batch {
  run(ok: readonly boolean[]): void
}

const HEADS_DOMAIN = bytesOf('coterie/1 heads\0')
const INTRODUCTION = 4
/** Operations taken in at once: a few milliseconds. */
const PART = 64
/** What of them a hello has room for (wire/hello.ts). */
const INTRODUCTION_BYTES = 1864

export class MembershipLog {
  readonly #gid: Uint8Array
  readonly #resolver = new Resolver()
  readonly #intake: Intake
  readonly #bytes = new Map<string, Uint8Array>()
  readonly #members = new Members(key => this.#bytes.get(key)!)
  readonly #peers = new Map<PeerId, Exchange>()
  readonly #batches = new Map<number, Batch>()
  #batch = 0
  #ticket = 0
  #wraps: readonly Uint8Array[] = []
  #headList: Uint8Array[] | undefined
  #headDigest: Uint8Array | undefined
  readonly #flagged = new Set<string>()
  #records: OperationRecord[] = []
  #outputs: LogOutput[] = []

  /** `limit`: operations kept, for tests. */
  constructor(options: { gid: Uint8Array; limit?: number }) {
    this.#gid = options.gid
    this.#intake = new Intake(this.#resolver, options.limit)
  }

  /** From disk: verified when they were stored, in the order of storing. */
  load(operations: readonly Uint8Array[]): void {
    for (const bytes of operations) {
      const item = identify(this.#gid, bytes)
      if (item === undefined) throw new Error('an operation on disk is not one of this circle')
      this.#resolver.add(step(item))
      this.#bytes.set(item.key, item.bytes)
    }
    this.#members.follow(this.#resolver.resolve())
    for (const author of this.#resolver.forks) this.#flagged.add(author)
  }

  /** Heads ascending. */
  get heads(): Uint8Array[] {
    this.#headList ??= [...this.#resolver.heads].map(unhex).sort(compare)
    return this.#headList
  }
  /** SHA-256 over the heads. */
  get headDigest(): Uint8Array {
    this.#headDigest ??= hash(HEADS_DOMAIN, ...this.heads)
    return this.#headDigest
  }
  get members(): ReadonlyMap<PeerId, MemberState> {
    return this.#members.map
  }
  get size(): number {
    return this.#resolver.size
  }
  /** Who made two operations at one place in the log. */
  get forks(): PeerId[] {
    return [...this.#flagged].map(author => this.#members.id(author))
  }
  /** It was a member once and is removed, or left. */
  removed(peer: PeerId): boolean {
    const key = peerKey(peer)
    return key !== undefined && this.#gone(hex(key))
  }
  /** Devices that left and that nobody removed yet, with the level they had (author.ts, shouldFinishLeaving). */
  get left(): ReadonlyMap<PeerId, number> {
    return new Map([...this.#resolver.resolve().left].map(([key, level]) => [this.#members.id(key), level]))
  }
  /** Whose static it is: a member's, or one's whose own operations (admit) wait for the rest of the log. */
  owner(staticKey: Uint8Array): PeerId | undefined {
    const owner = this.#members.owner(staticKey)
    if (owner !== undefined) return owner
    const author = provisionalOwner(staticKey, this.#intake.quarantine.values(), this.#resolver)
    return author === undefined ? undefined : this.#members.id(author)
  }
  /** The level a device has or, when it is removed, had; 0 for the recovery key. */
  level(peer: PeerId): number | undefined {
    const key = peerKey(peer)
    return key && this.#resolver.level(hex(key))
  }
  /** The operations by others that remove a device and count; then what gave each author its level. */
  removals(peer: PeerId): { readonly removal: Uint8Array; readonly given: Uint8Array | undefined }[] {
    const key = peerKey(peer)
    return this.#resolver.removals(key ? hex(key) : '').map(id => {
      const removal = this.#bytes.get(id)!
      const by = this.#resolver.givenBy(hex(decodeOperation(removal)!.author))
      return { removal, given: by === undefined ? undefined : this.#bytes.get(by) }
    })
  }
  has(id: Uint8Array): boolean {
    return this.#resolver.has(hex(id))
  }
  /** All operations, each after its parents: what a joiner is given. */
  get operations(): Uint8Array[] {
    return [...this.#resolver.ids()].map(key => this.#bytes.get(key)!)
  }
  /** Operations that cannot be taken in yet. */
  get waiting(): number {
    return this.#intake.quarantine.size
  }
  get deadline(): number {
    return this.#intake.quarantine.deadline
  }

  /** `prev` of the author's next operation: the heads, at most 16 (parents.ts). */
  parents(author: PeerId): Uint8Array[] {
    const { heads } = this
    const key = peerKey(author)
    if (heads.length <= MAX_PREV || key === undefined) return heads.slice(0, MAX_PREV)
    return parents(this.#resolver, hex(key), heads.map(hex)).map(unhex).sort(compare)
  }

  /** How many more operations of this device its level lets it make; removals are not counted. */
  room(self: PeerId): number {
    const key = peerKey(self)
    return key === undefined ? 0 : this.#intake.room(hex(key))
  }

  /** Up to 4 operations of this device that lets in one who was away: its adding and its last rekeyings. */
  introduction(self: PeerId): Uint8Array[] {
    const key = peerKey(self)
    const standing = key && this.#resolver.resolve().members.get(hex(key))
    if (standing === undefined) return []
    const keys = [...standing.rekeys]
    const length = (all: readonly string[]) => all.reduce((sum, k) => sum + 2 + this.#bytes.get(k)!.length, 0)
    for (let by = standing.added; keys.length < INTRODUCTION; ) {
      const added = identify(this.#gid, this.#bytes.get(by)!)!
      if (added.operation.body.kind === 'genesis') break
      if (length([...keys, by]) > INTRODUCTION_BYTES) break
      keys.push(by)
      const adder = this.#resolver.resolve().members.get(added.author)
      if (adder === undefined) break
      by = adder.added
    }
    return keys.reverse().map(k => this.#bytes.get(k)!)
  }

  /** An operation of this device, signed by it. Throws when it does not fit the log. */
  append(now: number, operation: Uint8Array): void {
    const item = identify(this.#gid, operation)
    if (item === undefined || !item.parents.every(p => this.#resolver.has(p)))
      throw new Error('an operation of our own does not fit the log')
    this.#intake.offer(now, item, undefined)
    this.#settle()
    if (!this.#resolver.has(item.key)) throw new Error('an operation of our own is over the quota')
  }

  /** Operations a stranger presents before its handshake is answered; output `admitted` when done. */
  admit(now: number, operations: readonly Uint8Array[]): number {
    const ticket = ++this.#ticket
    const all = this.#identified(operations.slice(0, INTRODUCTION), undefined)
    const items = backed(all, author => this.#resolver.level(author) !== undefined && !this.#gone(author))
    for (let n = items.length; n < all.length; n++) this.#useless('refused', undefined)
    this.#verify(items.flatMap(signatures), ok => {
      this.#offer(now, items, ok, undefined)
      this.#settle()
      this.#outputs.push({ type: 'admitted', ticket })
    })
    return ticket
  }

  /**
   * A session opened: exchange until the logs agree. `peer` here and below is a name for the session: each has
   * an exchange of its own, for its frames come in order, and those of two sessions do not.
   */
  greet(_now: number, peer: PeerId): void {
    const exchange = this.#exchange(peer)
    exchange.begin()
    this.#send(peer, { type: 'greet', heads: this.heads.slice(0, MAX_HEADS), locator: this.#locator() })
  }
  /** The session is over. */
  closed(peer: PeerId): void {
    this.#peers.delete(peer)
  }
  /** Since the session opened, the logs have agreed once: other frames may flow. */
  synced(peer: PeerId): boolean {
    return this.#peers.get(peer)?.synced ?? false
  }
  /** The peer is done with all that was sent to it: stored, known, or refused. */
  settled(peer: PeerId): boolean {
    return this.#peers.get(peer)?.settled ?? false
  }
  /** The wraps of discovery keys to give to every peer, newest first (DiscoveryKeys.shared). */
  share(wraps: readonly Uint8Array[]): void {
    this.#wraps = wraps
    for (const [peer, exchange] of this.#peers)
      if (exchange.open && exchange.following) this.#sendWraps(peer, exchange)
  }

  /** A Log frame. */
  receive(now: number, from: PeerId, body: Uint8Array): void {
    const exchange = this.#exchange(from)
    if (exchange.deaf) return
    const frame = decodeLogFrame(body)
    if (frame === undefined) this.#useless('malformed', from)
    else this.#handle(now, from, exchange, frame, body.length)
    this.#review(from, exchange)
  }

  verified(_now: number, batch: number, ok: readonly boolean[]): void {
    const waiting = this.#batches.get(batch)
    this.#batches.delete(batch)
    waiting?.run(ok)
    for (const [peer, exchange] of this.#peers) this.#review(peer, exchange)
  }

  expire(now: number): void {
    this.#intake.quarantine.expire(now)
  }

  take(): { records: OperationRecord[]; outputs: LogOutput[] } {
    // before a change of members, which may end the session of one who is owed an answer
    const answers = [...this.#peers]
      .filter(([, exchange]) => exchange.due && exchange.open)
      .map(([peer, exchange]): LogOutput => ({ type: 'send', peer, body: exchange.state(this.headDigest) }))
    const outputs = this.#outputs
    const change = outputs.findIndex(output => output.type === 'changed')
    outputs.splice(change < 0 ? outputs.length : change, 0, ...answers)
    const taken = { records: this.#records, outputs }
    this.#records = []
    this.#outputs = []
    return taken
  }

  #handle(now: number, from: PeerId, exchange: Exchange, frame: LogFrame, size: number): void {
    switch (frame.type) {
      case 'greet':
        if (!exchange.open) this.greet(now, from)
        exchange.wait(frame.round, size, () => this.#answer(from, exchange, frame)).ready()
        break
      case 'operations':
        this.#handleOperations(now, from, exchange, frame, size)
        break
      case 'wants': {
        if (!exchange.asked(frame.ids.length)) this.#useless('refused', from)
        else {
          const wanted = frame.ids.map(id => this.#bytes.get(hex(id))).filter(bytes => bytes !== undefined)
          exchange.wait(frame.round, size, () => this.#sendOperations(from, wanted)).ready()
        }
        break
      }
      case 'wrap':
        this.#handleWrap(from, exchange, frame)
        break
      case 'state':
        exchange.answered(frame.round, frame.received)
    }
  }

  /** In parts, so that none takes long; each is taken in when its signatures are checked. */
  #handleOperations(
    now: number,
    from: PeerId,
    exchange: Exchange,
    frame: LogFrame & { type: 'operations' },
    size: number
  ): void {
    const items = new Map(this.#identified(frame.operations, from).map(item => [item.key, item]))
    const fresh = [...items.values()].filter(({ key }) => !this.#intake.knows(key))
    exchange.repeated(frame.operations.length - fresh.length)
    for (let at = 0, last = false; !last; at += PART) {
      const part = fresh.slice(at, at + PART)
      last = at + PART >= fresh.length
      let verdicts: readonly boolean[] = []
      const run = () => {
        this.#offer(now, part, verdicts, from)
        this.#settle()
      }
      const waiting = exchange.wait(frame.round, last ? size : 0, run, last)
      this.#verify(part.flatMap(signatures), ok => {
        verdicts = ok
        waiting.ready()
      })
    }
  }

  #handleWrap(from: PeerId, exchange: Exchange, frame: LogFrame & { type: 'wrap' }): void {
    const decoded = decodeWrap(frame.wrap)
    const wrap = decoded && exchange.wrap(hex(hash(frame.wrap))) ? decoded : undefined
    if (wrap === undefined) {
      // Given twice, when both sent it at once, is no offence.
      if (decoded === undefined) this.#useless('malformed', from)
      exchange.wait(frame.round, 0, () => undefined).ready()
      return
    }
    let good = false
    const waiting = exchange.wait(frame.round, frame.wrap.length, () => {
      if (good) this.#outputs.push({ type: 'wrap', peer: from, wrap })
      else this.#useless('forged', from)
    })
    const { author: publicKey, unsigned, signature } = wrap
    this.#verify([{ publicKey, message: wrapMessage(unsigned), signature }], ok => {
      good = ok[0] === true
      waiting.ready()
    })
  }

  /** Sends what the peer lacks by its greet; from here on it gets what is new. */
  #answer(peer: PeerId, exchange: Exchange, greet: LogFrame & { type: 'greet' }): void {
    if (!exchange.greeted(greet.round)) {
      this.#useless('refused', peer)
      return
    }
    const known = this.#resolver.past([...greet.heads, ...greet.locator].map(hex))
    const lacking: Uint8Array[] = []
    let index = 0
    for (const key of this.#resolver.ids()) if (!bit(known, index++)) lacking.push(this.#bytes.get(key)!)
    this.#sendOperations(peer, lacking)
    // after the operations: who made a wrap may be a member only by them
    this.#sendWraps(peer, exchange)
  }

  #offer(now: number, items: readonly Identified[], ok: readonly boolean[], from: PeerId | undefined): void {
    let at = 0
    for (const item of items) {
      const needed = item.operation.body.kind === 'add' ? 2 : 1
      const good = ok.slice(at, at + needed)
      at += needed
      if (good.length < needed || good.includes(false)) this.#useless('forged', from)
      else if (!this.#intake.offer(now, item, from)) this.#useless('refused', from)
    }
  }

  #gone(author: string): boolean {
    return this.#resolver.resolve().removed.has(author)
  }

  /** What was taken in goes to disk and to the peers; who is a member may have changed. */
  #settle(): void {
    const { taken, missing, crowded } = this.#intake
    for (const from of crowded.splice(0)) this.#useless('refused', from)
    for (const { item } of taken) {
      this.#bytes.set(item.key, item.bytes)
      this.#records.push({ table: 'operation', gid: this.#gid, id: item.id, bytes: item.bytes })
    }
    if (taken.length > 0) {
      this.#headList = undefined
      this.#headDigest = undefined
      for (const [peer, exchange] of this.#peers)
        if (exchange.open && exchange.following)
          this.#sendOperations(
            peer,
            taken.filter(({ from }) => from !== peer).map(({ item }) => item.bytes)
          )
      taken.length = 0
      this.#tell()
    }
    const wanted = new Map<PeerId, Uint8Array[]>()
    for (const { from, key } of missing.splice(0)) {
      if (!this.#peers.get(from)?.want(key)) continue
      if (!wanted.has(from)) wanted.set(from, [])
      wanted.get(from)!.push(unhex(key))
    }
    for (const [peer, ids] of wanted)
      for (let at = 0; at < ids.length; at += MAX_WANTS)
        this.#send(peer, { type: 'wants', ids: ids.slice(at, at + MAX_WANTS) })
  }

  #tell(): void {
    const { changed, removed } = this.#members.follow(this.#resolver.resolve())
    if (changed) this.#outputs.push({ type: 'changed', members: this.members, removed })
    for (const author of this.#resolver.forks) {
      if (this.#flagged.has(author)) continue
      this.#flagged.add(author)
      const text = 'made two operations at one place in the log: restored from a copy, or cloned'
      this.#outputs.push({ type: 'note', peer: this.#members.id(author), text })
    }
  }

  #review(peer: PeerId, exchange: Exchange): void {
    if (exchange.misbehaves) this.#outputs.push({ type: 'misbehaves', peer })
    if (exchange.synced || !exchange.settled) return
    exchange.synced = true
    this.#outputs.push({ type: 'synced', peer })
  }

  #verify(items: readonly Signed[], run: (ok: readonly boolean[]) => void): void {
    if (items.length === 0) {
      run([])
      return
    }
    const batch = ++this.#batch
    this.#batches.set(batch, { run })
    this.#outputs.push({ type: 'verify', batch, items })
  }

  #identified(operations: readonly Uint8Array[], from: PeerId | undefined): Identified[] {
    const items: Identified[] = []
    for (const bytes of operations) {
      const item = identify(this.#gid, bytes)
      if (item === undefined) this.#useless('foreign', from)
      else items.push(item)
    }
    return items
  }

  #useless(what: 'forged' | 'foreign' | 'malformed' | 'refused', from: PeerId | undefined): void {
    this.#outputs.push({ type: 'count', what, peer: from ?? '' })
    if (from !== undefined) this.#peers.get(from)?.useless()
  }

  /** Ids of the last operation but 1, 2, 4, 8, … */
  #locator(): Uint8Array[] {
    const ids: Uint8Array[] = []
    for (let back = 2; back <= this.size && ids.length < MAX_LOCATOR; back *= 2)
      ids.push(unhex(this.#resolver.id(this.size - back)!))
    return ids
  }

  #sendOperations(peer: PeerId, operations: readonly Uint8Array[]): void {
    for (const chunk of chunks(operations)) this.#send(peer, { type: 'operations', operations: chunk })
  }

  #sendWraps(peer: PeerId, exchange: Exchange): void {
    for (const wrap of this.#wraps) {
      if (exchange.wrap(hex(hash(wrap)))) this.#send(peer, { type: 'wrap', wrap })
    }
  }

  #send(peer: PeerId, frame: Parameters<Exchange['frame']>[0]): void {
    const exchange = this.#peers.get(peer)
    if (!exchange?.open) return
    this.#outputs.push({ type: 'send', peer, body: exchange.frame(frame) })
  }

  #exchange(peer: PeerId): Exchange {
    let exchange = this.#peers.get(peer)
    if (exchange === undefined) this.#peers.set(peer, (exchange = new Exchange()))
    return exchange
  }
}
