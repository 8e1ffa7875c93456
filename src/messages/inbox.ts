/**
 * The inbox of one circle: what other members sent to this device, from its arrival until its sender knows what
 * became of it.
 *
 * A pure core. A message is acknowledged when it is on disk; it is on disk as started before its handler starts, so no
 * handler runs twice for one message, whatever is sent again. It is remembered until its sender says by the floor
 * that it will not be sent again: as long as anybody could send it, it is known here. Handlers run one message at a
 * time each, AT_ONCE in all, PER_SENDER for one sender; messages of one sender to one handler in the order they came.
 *
 *   in    receive, question, cancel   frames
 *         handed                      a copy that a third member kept
 *         opened                      another session than before is written to
 *         exited                      what became of a run, or of one of an earlier process (`adopt`)
 *         handlersChanged, remove, expire
 *   out   take, deadline, list
 */
import type { PeerId } from '../crypto/identity.ts'
import { EMPTY } from '../wire/bytes.ts'
import type { Verdict } from '../wire/custody.ts'
import { encodeNext, type Message, type Receipt } from '../wire/message.ts'
import type { Opened } from './copy.ts'
import { messageId } from './id.ts'
import { Load } from './load.ts'
import { Queues } from './queues.ts'
import { Receipts } from './receipts.ts'
import {
  arrived,
  type Ending,
  type InboxOptions,
  type InboxOutput,
  type InboxRecord,
  type Received,
  takenBack
} from './received.ts'
import { below, type Entry, ended, type Stream } from './stream.ts'
import { isTag } from './tag.ts'

export type { Choice, Ending, InboxOptions, InboxOutput, InboxRecord, Received } from './received.ts'

/** EX_TEMPFAIL (sysexits.h): run me again later. */
const LATER = 75
const AT_ONCE = 4
/** Of one outbox; an honest one has fewer that are not settled. */
const MOST_KNOWN = 50_000
const PER_SENDER = 2
/** Waits between runs that asked for another one, milliseconds; then it is given up. */
export const PAUSES = [
  60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 3_600_000, 3_600_000, 3_600_000
]

export class Inbox {
  /** When `expire` is next due; Infinity when never. */
  deadline = Infinity
  readonly #options: InboxOptions
  readonly #streams = new Map<string, Stream>()
  readonly #loads = new Map<PeerId, Load<Stream>>()
  readonly #queues = new Queues<Entry>()
  /** By key of the handler. */
  readonly #running = new Map<string, Entry>()
  readonly #receipts = new Receipts()
  #records: InboxRecord[] = []
  #outputs: InboxOutput[] = []

  constructor(options: InboxOptions) {
    this.#options = options
    const { rows, floors, now, wall } = options
    for (const { from, epoch, floor } of floors) this.#stream(from, epoch).floor = floor
    for (const received of asSent(rows)) {
      const entry = this.#enter(received, now + Math.max(0, received.expiresMs - wall))
      if (received.state === 'started') this.#adopt(entry)
      else if (!ended(received)) this.#queues.add(entry)
    }
    this.#pump()
  }

  /** All that have not ended, in the order in which they came. */
  get list(): readonly Received[] {
    const all = [...this.#streams.values()].flatMap(({ entries }) => [...entries.values()])
    return all.map(({ received }) => received).filter(received => !ended(received))
  }

  receive(now: number, wall: number, from: PeerId, message: Message): void {
    const { epoch, seq, floor, tag } = message
    if (!isTag(tag)) {
      this.#count('tag-malformed')
      return
    }
    const stream = this.#stream(from, epoch)
    this.#raise(stream, floor)
    const known = stream.entries.get(seq)
    if (known?.received.id === messageId(message.id)) this.#tell(stream, known.received)
    else if (known !== undefined || seq < stream.floor) this.#reused(stream, seq)
    else if (!this.#load(from).admits(stream, tag, seq, message.payload.length))
      this.#refuse(stream, tag, seq)
    else this.#take(now, wall, stream, message)
  }

  /**
   * A copy, by way of a holder. What is here, or settled, does not run again, however late a copy comes; what was sent
   * before it goes first.
   */
  handed(now: number, wall: number, holder: PeerId, custody: Uint8Array, opened: Opened): void {
    const { from, message, expiresMs, after, afterMs } = opened
    const { epoch, seq, tag, payload, sentMs } = message
    const stream = this.#stream(from, epoch)
    const known = stream.entries.get(seq)
    const say = (verdict: Verdict) => this.#outputs.push({ type: 'handed', holder, custody, verdict })
    if (known?.received.id === messageId(message.id)) say('taken')
    else if (known !== undefined || seq < stream.floor || expiresMs <= wall || !isTag(tag)) say('useless')
    else if (after >= stream.floor && !stream.entries.has(after) && wall < afterMs) say('later')
    else if (!this.#load(from).admits(stream, tag, seq, payload.length)) say('later')
    else {
      // whatever our clock says, no longer than its sender gave it
      const ttl = Math.max(1, Math.ceil(Math.min(expiresMs - wall, expiresMs - sentMs) / 1_000))
      this.#take(now, wall, stream, { ...message, ttl })
      say('taken')
    }
  }

  /** What became of these, and what is settled. */
  question(from: PeerId, epoch: Uint8Array, floor: number, seqs: readonly number[]): void {
    const stream = this.#stream(from, epoch)
    this.#raise(stream, floor)
    for (const seq of seqs) {
      const entry = stream.entries.get(seq)
      if (entry !== undefined) this.#tell(stream, entry.received)
      else this.#wantAgain(stream, seq)
    }
  }

  /** Receipts go to it on another session than before: those that were on their way may not have come. */
  opened(from: PeerId): void {
    for (const stream of this.#streams.values())
      if (stream.from === from)
        for (const { received } of stream.entries.values()) this.#tell(stream, received)
  }

  /** Its sender takes it back; what runs goes on. */
  cancel(from: PeerId, epoch: Uint8Array, seq: number, id: Uint8Array): void {
    const stream = this.#stream(from, epoch)
    const entry = stream.entries.get(seq)
    // it may still come, by a copy
    if (entry === undefined && seq >= stream.floor) this.#ban(stream, seq, id)
    else if (entry?.received.id !== messageId(id))
      this.#answer(stream, { seq, state: 'dead', reason: 'cancelled', exit: 0, output: EMPTY })
    else if (entry.received.state === 'received' || entry.received.state === 'later')
      this.#end(entry, { state: 'dead', reason: 'cancelled' })
    else this.#tell(stream, entry.received)
  }

  /** The run of a message ended. */
  exited(
    now: number,
    wall: number,
    received: Pick<Received, 'from' | 'epoch' | 'seq'>,
    ending: Ending
  ): void {
    const entry = this.#stream(received.from, received.epoch).entries.get(received.seq)
    if (entry?.received.state !== 'started') return
    for (const [key, running] of this.#running) if (running === entry) this.#running.delete(key)
    this.#load(received.from).running--
    const output = entry.received.ask && 'output' in ending ? ending.output : EMPTY
    if (ending.type === 'unbegun' || (ending.type === 'unknown' && entry.received.retry)) this.#restart(entry)
    else if (ending.type === 'unknown') this.#end(entry, { state: 'dead', reason: 'unknown' })
    else if (ending.type === 'dead') this.#end(entry, { state: 'dead', reason: ending.reason, output })
    else if (ending.code === 0) this.#end(entry, { state: 'done', output })
    else if (ending.code === LATER) this.#again(now, wall, entry)
    else this.#end(entry, { state: 'dead', reason: 'failed', exit: ending.code, output })
    this.#pump()
  }

  /** Slots, files or rules are others now. */
  handlersChanged(): void {
    this.#pump()
  }

  /** The sender is no member any more: what has not begun does not begin. */
  remove(from: PeerId): void {
    for (const stream of this.#streams.values()) {
      if (stream.from !== from) continue
      for (const entry of [...stream.entries.values()])
        if (entry.received.state === 'received' || entry.received.state === 'later')
          this.#end(entry, { state: 'dead', reason: 'removed' })
    }
    this.#receipts.take()
  }

  expire(now: number, wall: number): void {
    if (now < this.deadline) return
    this.deadline = Infinity
    for (const { entries } of this.#streams.values())
      for (const entry of [...entries.values()]) {
        const { state } = entry.received
        if (ended(entry.received) || state === 'started') continue
        if (entry.until <= now) {
          if (state === 'later') {
            this.#change(entry, { state: 'received' })
            this.#queues.add(entry)
            entry.until = now + Math.max(0, entry.received.expiresMs - wall)
          } else this.#end(entry, { state: 'dead', reason: 'expired' })
        }
        if (!ended(entry.received)) this.deadline = Math.min(this.deadline, entry.until)
      }
    this.#pump()
  }

  take(): { records: InboxRecord[]; outputs: InboxOutput[] } {
    const taken = { records: this.#records, outputs: [...this.#outputs, ...this.#receipts.take()] }
    this.#records = []
    this.#outputs = []
    return taken
  }

  #take(now: number, wall: number, stream: Stream, message: Message): void {
    const received = arrived(stream, message, wall)
    const entry = this.#enter(received, now + message.ttl * 1_000)
    this.#outputs.push({ type: 'changed', received })
    this.#queues.add(entry)
    this.#pump()
    if (entry.received.state === 'received') {
      this.#put(entry)
      this.#tell(stream, received)
    }
  }

  /** What was taken back before it came is dead here, so that it does not run when it comes. */
  #ban(stream: Stream, seq: number, id: Uint8Array): void {
    if (stream.entries.size >= MOST_KNOWN) {
      this.#count('inbox-full')
      return
    }
    const received = takenBack(stream, seq, id)
    const entry = { received, until: Infinity }
    stream.entries.set(seq, entry)
    this.#put(entry)
    this.#tell(stream, received)
  }

  /** Before all others of its sender and tag. */
  #restart(entry: Entry): void {
    this.#change(entry, { state: 'received' })
    this.#queues.addFirst(entry)
  }

  /** Starts what may be started, each sender and tag in turn. What has no handler ends here. */
  #pump(): void {
    for (const waiting of this.#queues.all) {
      const [first] = waiting
      const { from, tag } = first!.received
      const choice = this.#options.choose(from, tag, key => this.#running.has(key))
      if (choice === 'wait') continue
      if (typeof choice === 'string') {
        for (const entry of [...waiting]) this.#end(entry, { state: 'dead', reason: choice })
        continue
      }
      if (this.#running.size >= AT_ONCE) return
      if (this.#running.has(choice.key) || this.#load(from).running >= PER_SENDER) continue
      this.#queues.had(first!)
      this.#running.set(choice.key, first!)
      this.#load(from).running++
      this.#change(first!, { state: 'started', runs: first!.received.runs + 1, retry: choice.retry })
      this.#outputs.push({ type: 'run', received: first!.received, choice })
    }
  }

  /** An earlier process started it: it may run still, and has its place among those that do. */
  #adopt(entry: Entry): void {
    const { from, tag, id } = entry.received
    const choice = this.#options.choose(from, tag, key => this.#running.has(key))
    const key = typeof choice === 'string' ? '' : choice.key
    this.#running.set(key === '' || this.#running.has(key) ? `adopted ${id}` : key, entry)
    this.#load(from).running++
    this.#outputs.push({ type: 'adopt', received: entry.received })
  }

  #again(now: number, wall: number, entry: Entry): void {
    const pause = PAUSES[entry.received.runs - 1]
    if (pause === undefined || wall + pause > entry.received.expiresMs) {
      this.#end(entry, { state: 'dead', reason: pause === undefined ? 'gave-up' : 'expired', exit: LATER })
      return
    }
    this.#change(entry, { state: 'later' })
    entry.until = now + pause
    this.deadline = Math.min(this.deadline, entry.until)
  }

  #end(entry: Entry, result: Partial<Received>): void {
    const { from, tag, payload } = entry.received
    const load = this.#load(from)
    this.#queues.delete(entry)
    load.leave(tag, payload.length)
    this.#change(entry, { ...result, payload: EMPTY })
    for (const [stream, seq] of load.readmitted()) this.#wantAgain(stream, seq)
  }

  #change(entry: Entry, change: Partial<Received>): void {
    entry.received = { ...entry.received, ...change }
    this.#put(entry)
    this.#outputs.push({ type: 'changed', received: entry.received })
    const { from, epoch } = entry.received
    const stream = this.#stream(from, epoch)
    this.#tell(stream, entry.received)
    if (entry.received.seq < stream.floor && ended(entry.received)) this.#drop(stream, entry.received.seq)
  }

  #put(entry: Entry): void {
    this.#records.push({ type: 'put', received: entry.received })
  }

  #enter(received: Received, until: number): Entry {
    const entry = { received, until }
    const stream = this.#stream(received.from, received.epoch)
    stream.entries.set(received.seq, entry)
    if (ended(received)) return entry
    this.#load(received.from).enter(stream, received.tag, received.seq, received.payload.length)
    this.deadline = Math.min(this.deadline, until)
    return entry
  }

  /** The sender sends nothing below it any more. */
  #raise(stream: Stream, floor: number): void {
    if (floor <= stream.floor) return
    const settled = below(stream, floor)
    stream.floor = floor
    this.#records.push({ type: 'floor', from: stream.from, epoch: stream.epoch, floor })
    for (const [seq, entry] of settled) {
      const { state } = entry.received
      // settled for the sender: it was taken back, or is over; what runs is kept until it ends
      if (state === 'received' || state === 'later') this.#end(entry, { state: 'dead', reason: 'expired' })
      if (ended(entry.received)) this.#drop(stream, seq)
    }
  }

  #drop(stream: Stream, seq: number): void {
    stream.entries.delete(seq)
    this.#records.push({ type: 'drop', from: stream.from, epoch: stream.epoch, seq })
  }

  /** Another message had that number. */
  #reused(stream: Stream, seq: number): void {
    this.#count('message-reused')
    const output = encodeNext(Math.max(stream.floor, 1 + Math.max(0, ...stream.entries.keys())))
    this.#answer(stream, { seq, state: 'reused', reason: 'none', exit: 0, output })
  }

  #refuse(stream: Stream, tag: string, seq: number): void {
    this.#count('inbox-full')
    if (this.#load(stream.from).refuse(stream, tag, seq)) this.#wantAgain(stream, seq)
  }

  #wantAgain(stream: Stream, seq: number): void {
    this.#answer(stream, { seq, state: 'unknown', reason: 'none', exit: 0, output: EMPTY })
  }

  #tell(stream: Stream, { seq, state, reason, exit, output }: Received): void {
    this.#answer(stream, { seq, state, reason, exit, output })
  }

  #answer(stream: Stream, receipt: Receipt): void {
    this.#receipts.add(stream, receipt)
  }

  #stream(from: PeerId, epoch: Uint8Array): Stream {
    const key = keyOf(from, epoch)
    let stream = this.#streams.get(key)
    if (stream === undefined) this.#streams.set(key, (stream = { from, epoch, floor: 1, entries: new Map() }))
    return stream
  }

  #load(from: PeerId): Load<Stream> {
    let load = this.#loads.get(from)
    if (load === undefined) this.#loads.set(from, (load = new Load()))
    return load
  }

  #count(what: string): void {
    this.#outputs.push({ type: 'count', what })
  }
}

/** Rows are stored in the order in which they were last written; those of one outbox run in the order of their numbers. */
const asSent = (rows: readonly Received[]): Received[] =>
  [...Map.groupBy(rows, ({ from, epoch }) => keyOf(from, epoch)).values()].flatMap(each =>
    each.toSorted((a, b) => a.seq - b.seq)
  )
const keyOf = (from: PeerId, epoch: Uint8Array): string => `${from} ${epoch.join()}`
