/**
 * Custody, the sender's side: which messages are given to which other members as sealed copies, and what is known of them.
 *
 * A pure core. While a receiver cannot be written to, what waits for it is deposited with up to COPIES members that can:
 * in order, so that of one tag nothing goes ahead of what was sent before it. The message itself stays in the outbox and
 * goes its ordinary way too, whatever holders say; a copy is asked back as soon as it is of no use any more.
 *
 *   in    look, opened, closed                what else changed, and sessions
 *         changed, withdrawn                  outputs of the outbox
 *         answers                             of a holder
 *         membersChanged, expire
 *   out   take, deadline, holders
 */
import type { PeerId } from '../crypto/identity.ts'
import { hex } from '../wire/bytes.ts'
import {
  CUSTODY,
  encodeInquiry,
  encodeRelease,
  type KeptAnswer,
  MAX_CUSTODIES,
  MAX_KEPT_PAYLOAD
} from '../wire/custody.ts'
import { isReceipt } from './copy.ts'
import { QUOTA } from './custody.ts'
import type { Deposit, DepositOutput, DepositRecord, DepositState } from './deposit.ts'
import type { Outbox } from './outbox.ts'
import type { Sent } from './sent.ts'

export type { Deposit, DepositOutput, DepositRecord, DepositState } from './deposit.ts'

export interface DepositsOptions {
  readonly gid: Uint8Array
  readonly rows: readonly Deposit[]
  readonly outbox: Outbox
  readonly now: number
  readonly wall: number
  /** Who can be written to now and may keep something for that member, the best first. */
  readonly holders: (peer: PeerId) => readonly PeerId[]
  /** Of its static key in use; undefined when it is no member. */
  readonly serial: (peer: PeerId) => number | undefined
  readonly random: (length: number) => Uint8Array
}

/** Of one message at a time. */
const COPIES = 2
/** A receiver that was there a moment ago is waited for, milliseconds. */
const PATIENCE = 3_000
/** What comes in between is looked at together. */
const PAUSE = 20
/** With one holder, not answered. */
const WINDOW = 16
/** Nothing is deposited for less, milliseconds. */
const SHORTEST = 60_000
/** A holder that had no room, or did not want, is asked again after this. */
const AGAIN = { full: 300_000, refused: 3_600_000 } as const
/** What a holder did not confirm to have deleted is deleted there by its own clock; then it is forgotten here. */
const FORGET = 86_400_000

const isLive = ({ state }: Deposit): boolean => state === 'asked' || state === 'held'

export class Deposits {
  /** When `expire` is next due; Infinity when never. */
  deadline = Infinity
  readonly #options: DepositsOptions
  readonly #rows = new Map<string, Deposit>()
  /** By message. */
  readonly #of = new Map<string, Set<string>>()
  readonly #online = new Set<PeerId>()
  /** Since when receivers cannot be written to, for those that could be. */
  readonly #awaySince = new Map<PeerId, number>()
  /** Until when holders are not asked. */
  readonly #closed = new Map<PeerId, number>()
  /** To be deleted by holders; told in one frame. */
  readonly #releases = new Map<PeerId, Uint8Array[]>()
  readonly #startedAt: number
  #lookAt = Infinity
  #sweepAt = Infinity
  #records: DepositRecord[] = []
  #outputs: DepositOutput[] = []

  constructor(options: DepositsOptions) {
    this.#options = options
    const { now, wall, rows, outbox } = options
    this.#startedAt = now
    for (const deposit of rows) this.#enter(deposit)
    for (const deposit of rows)
      if (deposit.state === 'release') continue
      else if (outbox.deposited(deposit.peer, deposit.seq)) this.#tell(wall, deposit.peer, deposit.seq)
      else this.#end(deposit)
    this.#later(now + PATIENCE)
  }

  /** Who says that it keeps that message. */
  holders({ peer, seq }: Pick<Sent, 'peer' | 'seq'>): PeerId[] {
    return this.#rowsOf(peer, seq)
      .filter(({ state }) => state === 'held')
      .map(({ holder }) => holder)
  }

  /** There is a message more, or somebody may keep it who could not before. */
  look(now: number): void {
    if (this.#options.outbox.absent.length > 0) this.#later(now + PAUSE)
  }

  /** The peer can be written to, on another session than before. */
  opened(now: number, peer: PeerId): void {
    this.#online.add(peer)
    this.#awaySince.delete(peer)
    const own = [...this.#rows.values()].filter(({ holder }) => holder === peer)
    for (const deposit of own.filter(({ state }) => state === 'asked')) this.#deposit(deposit)
    this.#ask(peer, own, 'held', encodeInquiry)
    this.#ask(peer, own, 'release', encodeRelease)
    this.#later(now + PAUSE)
  }

  closed(now: number, peer: PeerId): void {
    if (!this.#online.delete(peer)) return
    this.#releases.delete(peer)
    this.#awaySince.set(peer, now)
    this.#later(now + PATIENCE)
  }

  /** An output of the outbox: its state is another one. */
  changed(now: number, wall: number, sent: Sent): void {
    const { peer, seq, state } = sent
    const rows = this.#rowsOf(peer, seq)
    if (state === 'held') return
    if (state === 'queued') {
      // its receiver has it no more
      for (const row of rows) if (row.state === 'taken') this.#put({ ...row, state: 'gone' })
      this.#tell(wall, peer, seq)
    } else if (state === 'done' || state === 'dead') for (const row of rows) this.#end(row)
    else for (const row of rows) if (isLive(row)) this.#put({ ...row, state: 'release' })
    this.#later(now + PAUSE)
  }

  /** An output of the outbox: its copies are of no use. */
  withdrawn(now: number, wall: number, { peer, seq }: Sent): void {
    for (const row of this.#rowsOf(peer, seq)) this.#end(row)
    // what would wait for it in vain is sealed anew
    for (const row of [...this.#rows.values()])
      if (row.peer === peer && row.after === seq && isLive(row)) {
        this.#end(row)
        this.#tell(wall, peer, row.seq)
      }
    this.#later(now + PAUSE)
  }

  /** What a holder says of copies. */
  answers(now: number, wall: number, holder: PeerId, answers: readonly KeptAnswer[]): void {
    for (const answer of answers) {
      const row = this.#rows.get(hex(answer.custody))
      if (row?.holder !== holder) this.#count('custody-answer-unknown')
      else this.#answer(now, wall, row, answer)
    }
    this.#later(now + PAUSE)
  }

  /** Members or their keys are others. */
  membersChanged(now: number, wall: number): void {
    const { serial } = this.#options
    for (const row of [...this.#rows.values()]) {
      const { peer, seq } = row
      if (serial(row.holder) === undefined) this.#drop(row)
      else if (isLive(row) && serial(peer) !== undefined && serial(peer) !== row.serial) this.#end(row)
      else continue
      this.#tell(wall, peer, seq)
    }
    for (const map of [this.#closed, this.#awaySince])
      for (const peer of map.keys()) if (serial(peer) === undefined) map.delete(peer)
    this.#later(now + PAUSE)
  }

  expire(now: number, wall: number): void {
    if (now < this.deadline) return
    if (this.#sweepAt <= now) {
      for (const row of [...this.#rows.values()])
        if (row.state === 'release' && wall > row.expiresMs + FORGET) this.#drop(row)
      this.#sweep(now)
    }
    if (this.#lookAt <= now) {
      this.#lookAt = Infinity
      this.#look(now, wall)
    }
    this.#arm()
  }

  take(): { records: DepositRecord[]; outputs: DepositOutput[] } {
    for (const [peer, custodies] of this.#releases)
      for (let i = 0; i < custodies.length; i += MAX_CUSTODIES)
        this.#outputs.push({
          type: 'send',
          peer,
          body: encodeRelease(custodies.slice(i, i + MAX_CUSTODIES))
        })
    this.#releases.clear()
    const taken = { records: this.#records, outputs: this.#outputs }
    this.#records = []
    this.#outputs = []
    return taken
  }

  #answer(now: number, wall: number, row: Deposit, answer: KeptAnswer): void {
    const { gid } = this.#options
    const { peer, seq, holder, state } = row
    if (answer.state === 'given') {
      if (!isReceipt(gid, peer, row.custody, answer)) {
        this.#count('custody-receipt-forged')
        return
      }
      this.#release(row)
      if (state === 'release') this.#drop(row)
      else this.#put({ ...row, state: answer.verdict })
    } else if (answer.state === 'held') {
      if (state === 'asked') this.#put({ ...row, state: 'held' })
      else if (state === 'release') this.#release(row)
    } else if (answer.state === 'none') {
      if (state === 'release') this.#drop(row)
      else if (state === 'held') this.#put({ ...row, state: 'gone' })
    } else if (state === 'asked' || state === 'release') {
      this.#drop(row)
      this.#closed.set(holder, now + AGAIN[answer.state])
    }
    this.#tell(wall, peer, seq)
  }

  /** Tells the outbox what is known of a message by its copies. */
  #tell(wall: number, peer: PeerId, seq: number): void {
    const states = this.#rowsOf(peer, seq).map(({ state }) => state)
    const best = states.includes('taken') ? 'received' : states.includes('held') ? 'held' : 'queued'
    this.#options.outbox.kept(wall, peer, seq, best)
  }

  /** Deposits what should be, with whom it may be. */
  #look(now: number, wall: number): void {
    const { outbox, serial } = this.#options
    if (this.#sweepAt === Infinity) this.#sweep(now)
    for (const [holder, until] of this.#closed) {
      if (until <= now) this.#closed.delete(holder)
      else this.#later(until)
    }
    const busy = new Map<PeerId, number>()
    const counts = new Map<PeerId, number>()
    for (const { holder, state } of this.#rows.values()) {
      counts.set(holder, (counts.get(holder) ?? 0) + 1)
      if (state === 'asked') busy.set(holder, (busy.get(holder) ?? 0) + 1)
    }
    const room = (holder: PeerId) =>
      !this.#closed.has(holder) &&
      (busy.get(holder) ?? 0) < WINDOW &&
      (counts.get(holder) ?? 0) < QUOTA.copies
    for (const peer of outbox.absent) {
      const due = (this.#awaySince.get(peer) ?? this.#startedAt) + PATIENCE
      const key = serial(peer)
      if (due > now) this.#later(due)
      else if (key !== undefined)
        this.#fill(wall, peer, key, room, holder => {
          busy.set(holder, (busy.get(holder) ?? 0) + 1)
          counts.set(holder, (counts.get(holder) ?? 0) + 1)
        })
    }
  }

  /** All that waits for one receiver, in order. */
  #fill(
    wall: number,
    peer: PeerId,
    serial: number,
    room: (holder: PeerId) => boolean,
    chosen: (holder: PeerId) => void
  ): void {
    const { outbox, holders, random } = this.#options
    const candidates = holders(peer)
    /** The message before, by tag; undefined where it is in nobody's custody, so that none after it need be. */
    const before = new Map<string, Sent | undefined>()
    for (const sent of outbox.wanting(peer)) {
      const { tag, seq, payload, expiresMs } = sent
      const free = candidates.filter(room)
      if (free.length === 0) return
      const rows = this.#rowsOf(peer, seq)
      const live = new Set(rows.filter(isLive).map(({ holder }) => holder))
      const first = before.get(tag)
      const fits = payload.length <= MAX_KEPT_PAYLOAD && expiresMs - wall >= SHORTEST
      const refused = rows.some(row => row.state === 'useless' && row.serial === serial)
      if (fits && !refused && !(before.has(tag) && first === undefined))
        for (const holder of free) {
          if (live.size >= COPIES) break
          if (rows.some(row => row.holder === holder && (row.state !== 'useless' || row.serial === serial)))
            continue
          const deposit: Deposit = {
            custody: random(CUSTODY),
            holder,
            peer,
            seq,
            expiresMs: Math.floor(expiresMs),
            serial,
            after: first?.seq ?? 0,
            afterMs: Math.max(0, Math.floor(first?.expiresMs ?? 0)),
            state: 'asked'
          }
          live.add(holder)
          chosen(holder)
          this.#put(deposit)
          outbox.deposited(peer, seq)
          this.#outputs.push({ type: 'deposit', deposit, sent })
        }
      before.set(tag, live.size > 0 ? sent : undefined)
    }
  }

  /** Once more, on another session. */
  #deposit(deposit: Deposit): void {
    for (const sent of this.#options.outbox.wanting(deposit.peer))
      if (sent.seq === deposit.seq) {
        this.#outputs.push({ type: 'deposit', deposit, sent })
        return
      }
  }

  /** It is of no use any more; a holder that has it, or a receipt for it, is told until it has heard of that. */
  #end(row: Deposit): void {
    if (row.state === 'gone') this.#drop(row)
    else if (row.state !== 'release') this.#put({ ...row, state: 'release' })
  }

  #put(deposit: Deposit): void {
    const before = this.#rows.get(hex(deposit.custody))
    this.#enter(deposit)
    this.#records.push({ type: 'put', deposit })
    if (deposit.state === 'release' && before?.state !== 'release') this.#release(deposit)
  }

  #enter(deposit: Deposit): void {
    const key = hex(deposit.custody)
    this.#rows.set(key, deposit)
    const message = `${deposit.peer} ${deposit.seq}`
    const keys = this.#of.get(message)
    if (keys === undefined) this.#of.set(message, new Set([key]))
    else keys.add(key)
  }

  #drop({ custody, peer, seq }: Deposit): void {
    const key = hex(custody)
    this.#rows.delete(key)
    const message = `${peer} ${seq}`
    const keys = this.#of.get(message)
    if (keys?.delete(key) && keys.size === 0) this.#of.delete(message)
    this.#records.push({ type: 'drop', custody })
  }

  #rowsOf(peer: PeerId, seq: number): Deposit[] {
    return [...(this.#of.get(`${peer} ${seq}`) ?? [])].map(key => this.#rows.get(key)!)
  }

  /** One that cannot be told now is told when it comes. */
  #release({ holder, custody }: Deposit): void {
    if (!this.#online.has(holder)) return
    const custodies = this.#releases.get(holder)
    if (custodies === undefined) this.#releases.set(holder, [custody])
    else if (!custodies.includes(custody)) custodies.push(custody)
  }

  #ask(
    peer: PeerId,
    rows: readonly Deposit[],
    state: DepositState,
    encode: (custodies: readonly Uint8Array[]) => Uint8Array
  ): void {
    const all = rows.filter(row => row.state === state).map(({ custody }) => custody)
    for (let i = 0; i < all.length; i += MAX_CUSTODIES)
      this.#outputs.push({ type: 'send', peer, body: encode(all.slice(i, i + MAX_CUSTODIES)) })
  }

  #later(at: number): void {
    this.#lookAt = Math.min(this.#lookAt, at)
    this.#arm()
  }

  #sweep(now: number): void {
    this.#sweepAt = this.#rows.size > 0 ? now + FORGET : Infinity
    this.#arm()
  }

  #arm(): void {
    this.deadline = Math.min(this.#lookAt, this.#sweepAt)
  }

  #count(what: string): void {
    this.#outputs.push({ type: 'count', what })
  }
}
