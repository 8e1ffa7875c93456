/**
 * The outbox of one circle: what this device sends to other members, until it is known what became of it.
 *
 * A pure core. A message is on disk before it is accepted; from then on it is sent to its receiver, again on each new
 * session, until the receiver says that it has it, and asked about until the receiver says how it ended. To one
 * receiver messages of one tag go in the order of their numbers, the tags in turn (lane.ts). What is settled is never
 * sent again, and the receiver is told so (`floor`), so that it can forget what it keeps to recognise it by.
 *
 *   in    draft, accept           a message: what to write for it, and that it is written
 *         opened, closed          a session with a member that may be written to
 *         receive                 receipts
 *         cancel, drop, remove    the user's wishes; a member was removed
 *         deposited, kept         a copy goes to another member; what is known of copies (deposits.ts)
 *         expire                  the deadline passed
 *   out   take, deadline, list, get, absent, wanting
 *
 * Every `now` is monotonic milliseconds; `wall` is milliseconds since 1970, stored and shown.
 */
import type { PeerId } from '../crypto/identity.ts'
import { fromBase32 } from '../wire/base32.ts'
import { EMPTY } from '../wire/bytes.ts'
import {
  type DeadReason,
  decodeNext,
  encodeCancel,
  encodeQuestion,
  MAX_RECEIPTS,
  type Receipt
} from '../wire/message.ts'
import type { MessageId } from './id.ts'
import { type Entry, Lane } from './lane.ts'
import {
  type Draft,
  frameOf,
  isSettled,
  isWaiting,
  type OutboxOutput,
  type OutboxRecord,
  type Sent,
  type SentState
} from './sent.ts'

export type { Draft, OutboxOutput, OutboxRecord, Sent, SentState } from './sent.ts'
export { isSettled } from './sent.ts'

export interface OutboxOptions {
  /** 8 bytes, of this database. */
  readonly epoch: Uint8Array
  /** As stored, and the next number for each receiver. */
  readonly rows: readonly Sent[]
  readonly next: ReadonlyMap<PeerId, number>
  readonly now: number
  readonly wall: number
}

/** All that waits or is dead, of all receivers. */
export const MAX_MESSAGES = 20_000
export const MAX_BYTES = 256 * 1_048_576
/** Settled ones that are still told when somebody asks. */
const REMEMBERED = 1_000
/** Dead letters are kept so long, milliseconds. */
const DEAD_LETTER = 30 * 86_400_000
/** What the receiver has when its time is over is looked at again after this, milliseconds. */
const LONGEST = 86_400_000

const order: readonly SentState[] = ['queued', 'held', 'received', 'later', 'started', 'done', 'dead']

export class Outbox {
  /** When `expire` is next due; Infinity when never. */
  deadline = Infinity
  readonly #epoch: Uint8Array
  readonly #lanes = new Map<PeerId, Lane>()
  readonly #byId = new Map<MessageId, Entry>()
  readonly #remembered = new Map<MessageId, Sent>()
  #bytes = 0
  /** Of these some may have been settled since the last `take`. */
  readonly #settling = new Set<Lane>()
  #records: OutboxRecord[] = []
  #outputs: OutboxOutput[] = []

  constructor({ epoch, rows, next, now, wall }: OutboxOptions) {
    this.#epoch = epoch
    for (const [peer, number] of next) this.#lane(peer).next = number
    for (const sent of [...rows].sort((a, b) => a.seq - b.seq)) this.#enter(now, wall, sent, true)
  }

  /** Everything that is not done, and the latest of what is; oldest first. */
  get list(): readonly Sent[] {
    const all = [...this.#remembered.values(), ...[...this.#byId.values()].map(({ sent }) => sent)]
    return all.sort((a, b) => a.sentMs - b.sentMs || a.seq - b.seq)
  }

  get(id: MessageId): Sent | undefined {
    return this.#byId.get(id)?.sent ?? this.#remembered.get(id)
  }

  /** A message with its number, to be written; 'full' when there is no room. Then `accept` or `withdraw` follows. */
  draft(
    wall: number,
    { id, peer, tag, ask, payload, ttlMs }: Draft
  ): (OutboxRecord & { type: 'put' }) | 'full' {
    if (this.#byId.size >= MAX_MESSAGES || this.#bytes + payload.length > MAX_BYTES) return 'full'
    const lane = this.#lane(peer)
    const seq = lane.next++
    lane.drafts.add(seq)
    const sent: Sent = {
      id,
      peer,
      seq,
      tag,
      ask,
      payload,
      sentMs: wall,
      expiresMs: wall + ttlMs,
      state: 'queued',
      reason: 'none',
      exit: 0,
      output: EMPTY,
      takenBack: false,
      changedMs: wall
    }
    return { type: 'put', sent, next: lane.next }
  }

  /** Receivers that cannot be written to, and for whom something waits. */
  get absent(): PeerId[] {
    return [...this.#lanes.values()].filter(({ absent }) => absent).map(({ peer }) => peer)
  }
  isAbsent(peer: PeerId): boolean {
    return this.#lanes.get(peer)?.absent === true
  }

  /** What the receiver does not have, as far as is known, in order. */
  *wanting(peer: PeerId): Iterable<Sent> {
    for (const { sent } of this.#lanes.get(peer)?.entries.values() ?? [])
      if (!sent.takenBack && isWaiting(sent)) yield sent
  }

  /** A copy of it goes to another member: from now on the receiver may get it at any time. False: it is settled, or taken back. */
  deposited(peer: PeerId, seq: number): boolean {
    const entry = this.#lanes.get(peer)?.entries.get(seq)
    if (entry !== undefined) entry.tried = entry.deposited = true
    return entry !== undefined && !entry.sent.takenBack
  }

  /** What is known by its copies: others keep some, or none, or the receiver has it. */
  kept(wall: number, peer: PeerId, seq: number, state: 'queued' | 'held' | 'received'): void {
    const entry = this.#lanes.get(peer)?.entries.get(seq)
    if (entry === undefined || !isWaiting(entry.sent)) return
    if (!entry.sent.takenBack || state === 'received') this.#change(wall, entry, { state })
  }

  /** It could not be written. */
  withdraw({ peer, seq }: Sent): void {
    this.#lane(peer).drafts.delete(seq)
  }

  /** It is on disk. */
  accept(now: number, wall: number, sent: Sent): void {
    this.#lane(sent.peer).drafts.delete(sent.seq)
    this.#enter(now, wall, sent, false)
    this.#outputs.push({ type: 'changed', sent })
    this.#pump(now, this.#lane(sent.peer))
  }

  /** The peer can be written to, on another session than before. */
  opened(now: number, peer: PeerId): void {
    const lane = this.#lane(peer)
    lane.ground()
    lane.online = true
    const open = [...lane.entries.values()]
    // what others keep goes as well: whichever way comes first, and in order
    for (const { sent } of open) if (isWaiting(sent)) lane.waiting.add(sent.tag, sent.seq)
    for (const { sent } of open) if (sent.takenBack) this.#cancel(lane, sent)
    const asked = open.filter(({ sent }) => !isWaiting(sent)).map(({ sent }) => sent.seq)
    for (let i = 0; i < asked.length; i += MAX_RECEIPTS) this.#ask(lane, asked.slice(i, i + MAX_RECEIPTS))
    this.#pump(now, lane)
    this.#settling.add(lane)
  }

  /** There is no session with it any more. */
  closed(peer: PeerId): void {
    const lane = this.#lanes.get(peer)
    if (lane === undefined) return
    lane.online = false
    lane.ground()
  }

  receive(now: number, wall: number, peer: PeerId, epoch: Uint8Array, receipts: readonly Receipt[]): void {
    const lane = this.#lanes.get(peer)
    if (lane === undefined || !epoch.every((byte, i) => byte === this.#epoch[i])) {
      this.#outputs.push({ type: 'count', what: 'receipt-unknown' })
      return
    }
    for (const receipt of receipts) {
      const entry = lane.entries.get(receipt.seq)
      if (entry === undefined) continue
      lane.land(entry)
      this.#receipt(now, wall, lane, entry, receipt)
    }
    this.#pump(now, lane)
    this.#settling.add(lane)
  }

  /**
   * Takes it back: at once when the receiver cannot have it, else the receiver is asked, and its receipt says whether
   * that was in time. False when it is settled, or running.
   */
  cancel(now: number, wall: number, id: MessageId): boolean {
    const entry = this.#byId.get(id)
    if (entry === undefined || isSettled(entry.sent) || entry.sent.state === 'started') return false
    const lane = this.#lane(entry.sent.peer)
    if (!entry.tried) this.#dead(now, wall, lane, entry, 'cancelled')
    else this.#takeBack(lane, entry)
    return true
  }

  /** The receiver is asked not to begin with it, now or when it comes. */
  #takeBack(lane: Lane, entry: Entry): void {
    entry.sent = { ...entry.sent, takenBack: true }
    this.#records.push({ type: 'put', sent: entry.sent, next: lane.next })
    this.#outputs.push({ type: 'withdrawn', sent: entry.sent })
    if (lane.online) this.#cancel(lane, entry.sent)
  }

  #cancel(lane: Lane, { seq, id }: Sent): void {
    this.#send(lane, encodeCancel(this.#epoch, seq, fromBase32(id)!))
  }

  /** Drops a dead letter. Gives what it was, so that a new message can be made of it. */
  drop(id: MessageId): Sent | undefined {
    const entry = this.#byId.get(id)
    if (entry?.sent.state !== 'dead') return undefined
    this.#forget(entry)
    return entry.sent
  }

  /** The device is no member any more. */
  remove(now: number, wall: number, peer: PeerId): void {
    const lane = this.#lanes.get(peer)
    if (lane === undefined) return
    this.closed(peer)
    for (const entry of [...lane.entries.values()]) this.#dead(now, wall, lane, entry, 'removed')
  }

  expire(now: number, wall: number): void {
    if (now < this.deadline) return
    this.deadline = Infinity
    for (const entry of [...this.#byId.values()]) {
      if (entry.until <= now) this.#over(now, wall, entry)
      this.deadline = Math.min(this.deadline, entry.until)
    }
    for (const lane of this.#lanes.values()) this.#pump(now, lane)
  }

  take(): { records: OutboxRecord[]; outputs: OutboxOutput[] } {
    for (const lane of this.#settling) this.#acknowledge(lane)
    this.#settling.clear()
    const taken = { records: this.#records, outputs: this.#outputs }
    this.#records = []
    this.#outputs = []
    return taken
  }

  #lane(peer: PeerId): Lane {
    let lane = this.#lanes.get(peer)
    if (lane === undefined) this.#lanes.set(peer, (lane = new Lane(peer)))
    return lane
  }

  #enter(now: number, wall: number, sent: Sent, stored: boolean): void {
    const lane = this.#lane(sent.peer)
    const left = sent.state === 'dead' ? sent.changedMs + DEAD_LETTER - wall : sent.expiresMs - wall
    const until = now + Math.max(0, left)
    const entry = { sent, until, flying: false, stored, tried: stored, deposited: false }
    if (!isSettled(sent)) {
      lane.entries.set(sent.seq, entry)
      lane.waiting.add(sent.tag, sent.seq)
    }
    lane.next = Math.max(lane.next, sent.seq + 1)
    this.#byId.set(sent.id, entry)
    this.#bytes += sent.payload.length
    this.deadline = Math.min(this.deadline, entry.until)
  }

  /** Sends what may be sent: of each tag in order, the tags in turn. */
  #pump(now: number, lane: Lane): void {
    if (!lane.online) return
    lane.waiting.offer(seq => {
      const entry = lane.entries.get(seq)
      if (entry === undefined || entry.flying || entry.sent.takenBack || !isWaiting(entry.sent)) return 'gone'
      const room = lane.room(entry.sent)
      if (room !== 'some') return room
      lane.fly(entry)
      lane.told = lane.floor
      this.#send(lane, frameOf(entry.sent, this.#epoch, { now, until: entry.until, floor: lane.told }))
      return 'sent'
    })
  }

  #receipt(now: number, wall: number, lane: Lane, entry: Entry, receipt: Receipt): void {
    const { sent } = entry
    const { seq, state, reason, exit, output } = receipt
    if (state === 'unknown') {
      // it began, and now the receiver knows nothing of it: whether it ended nobody can say
      if (sent.state === 'started' || sent.state === 'later') this.#dead(now, wall, lane, entry, 'unknown')
      else {
        if (!isWaiting(sent)) this.#change(wall, entry, { state: 'queued' })
        lane.waiting.add(sent.tag, seq)
      }
    } else if (state === 'reused') {
      // what was there before may be what the receiver had under that number: it may have run
      if (entry.stored) this.#dead(now, wall, lane, entry, 'unknown')
      else this.#renumber(lane, entry, decodeNext(output) ?? 0)
    } else if (state === 'dead') {
      const over = reason === 'cancelled' && entry.deposited && wall >= sent.expiresMs
      this.#dead(now, wall, lane, entry, over ? 'expired' : reason, { exit, output })
    } else if (state === 'done') {
      this.#change(wall, entry, { state, exit, output })
      this.#forget(entry)
      this.#remember(entry.sent)
    } else if (state === 'later' || (state !== 'held' && order.indexOf(state) > order.indexOf(sent.state)))
      this.#change(wall, entry, { state })
  }

  /** The database was put back, and the number had been used: another one, above all that the receiver knows. */
  #renumber(lane: Lane, entry: Entry, free: number): void {
    const { sent } = entry
    if (!isWaiting(sent)) return
    lane.next = Math.max(lane.next, free)
    lane.entries.delete(sent.seq)
    this.#outputs.push({ type: 'withdrawn', sent })
    this.#records.push({ type: 'drop', peer: lane.peer, seq: sent.seq })
    entry.sent = { ...sent, state: 'queued', seq: lane.next++ }
    entry.deposited = false
    lane.entries.set(entry.sent.seq, entry)
    lane.waiting.add(sent.tag, entry.sent.seq)
    this.#records.push({ type: 'put', sent: entry.sent, next: lane.next })
  }

  /** Its time is over. */
  #over(now: number, wall: number, entry: Entry): void {
    const { sent, deposited } = entry
    const lane = this.#lane(sent.peer)
    if (sent.state === 'dead') this.#forget(entry)
    // the receiver has it, or may get it by a copy: what becomes of it the receiver says, or nobody
    else if ((!isWaiting(sent) || deposited) && wall < sent.expiresMs + DEAD_LETTER) {
      entry.until = now + LONGEST
      if (isWaiting(sent) && !sent.takenBack) this.#takeBack(lane, entry)
    } else this.#dead(now, wall, lane, entry, isWaiting(sent) && !deposited ? 'expired' : 'unknown')
  }

  #dead(
    now: number,
    wall: number,
    lane: Lane,
    entry: Entry,
    reason: DeadReason,
    result: Partial<Pick<Sent, 'exit' | 'output'>> = {}
  ): void {
    lane.land(entry)
    lane.entries.delete(entry.sent.seq)
    this.#change(wall, entry, { state: 'dead', reason, ...result })
    entry.until = now + DEAD_LETTER
    this.#records.push({ type: 'put', sent: entry.sent, next: lane.next })
  }

  #change(wall: number, entry: Entry, change: Partial<Sent>): void {
    if (change.state === entry.sent.state) return
    entry.sent = { ...entry.sent, ...change, changedMs: wall }
    this.#outputs.push({ type: 'changed', sent: entry.sent })
  }

  #forget(entry: Entry): void {
    const { id, peer, seq, payload } = entry.sent
    this.#lane(peer).entries.delete(seq)
    this.#byId.delete(id)
    this.#bytes -= payload.length
    this.#records.push({ type: 'drop', peer, seq })
  }

  #remember(sent: Sent): void {
    this.#remembered.set(sent.id, { ...sent, payload: EMPTY })
    if (this.#remembered.size > REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value!)
  }

  /** Tells what is settled, if that is news. */
  #acknowledge(lane: Lane): void {
    if (lane.online && lane.next > 1 && lane.floor > lane.told) this.#ask(lane, [])
  }

  #ask(lane: Lane, seqs: readonly number[]): void {
    lane.told = lane.floor
    this.#send(lane, encodeQuestion(this.#epoch, lane.told, seqs))
  }

  #send(lane: Lane, body: Uint8Array): void {
    this.#outputs.push({ type: 'send', peer: lane.peer, body })
  }
}
