/**
 * Custody, the holder's side: sealed copies of messages that others deposit here for members who are away.
 *
 * A pure core. A copy is acknowledged when it is on disk. It is handed over whenever its recipient can be written to, in
 * the order in which copies came, and deleted on the recipient's signed receipt; the receipt is kept in its place until the
 * depositor has it. What nobody takes goes when its time is over, or when the depositor or the recipient is no member any
 * more. What one depositor may have here is bounded, and so is all together.
 *
 *   in    deposit, inquiry, release     a depositor
 *         receipt                       a recipient
 *         opened, closed                a session with a member that may be written to
 *         membersChanged, expire
 *   out   take, deadline, load
 */
import { type PeerId, peerId, peerKey } from '../crypto/identity.ts'
import { hex } from '../wire/bytes.ts'
import {
  type Copy,
  encodeAnswers,
  encodeHanded,
  type KeptAnswer,
  MAX_CUSTODIES,
  type SignedVerdict,
  type Verdict
} from '../wire/custody.ts'
import { isReceipt } from './copy.ts'

export interface Kept {
  readonly depositor: PeerId
  readonly recipient: PeerId
  /** 16 bytes, the depositor's choice. */
  readonly custody: Uint8Array
  /** As the depositor sealed it, and when it came by our clock; wall clocks. */
  readonly expiresMs: number
  readonly keptMs: number
  /** Empty once there is a receipt. */
  readonly sealed: Uint8Array
  /** `later`: there is no receipt yet. */
  readonly verdict: Verdict
  readonly signature: Uint8Array
}

export type CustodyRecord =
  | { type: 'put'; kept: Kept }
  | { type: 'drop'; depositor: PeerId; custody: Uint8Array }

export type CustodyOutput = { type: 'send'; peer: PeerId; body: Uint8Array } | { type: 'count'; what: string }

export interface CustodyOptions {
  readonly gid: Uint8Array
  readonly self: PeerId
  /** In the order in which they came. */
  readonly rows: readonly Kept[]
  readonly now: number
  readonly wall: number
  /** A copy may be for it. */
  readonly isMember: (peer: PeerId) => boolean
  /** It may deposit: neither a guest nor a relay. */
  readonly mayDeposit: (peer: PeerId) => boolean
}

/** What one depositor may have here, and all together: copies, and bytes of them. */
export const QUOTA = { copies: 1_000, bytes: 16 * 1_048_576 } as const
export const CAP = { copies: 10_000, bytes: 64 * 1_048_576 } as const
/** A copy is kept so long at most, milliseconds. */
export const LONGEST = 30 * 86_400_000
/** Handed over and not answered, at most; one copy may always be. */
const WINDOW = 64
const WINDOW_BYTES = 1_048_576
/** What was answered with `later` is handed over again after this, at first and at most. */
const PAUSE = 10_000
const PAUSE_LONGEST = 600_000

interface Entry {
  kept: Kept
  /** Monotonic. */
  readonly until: number
}

/** What waits for one recipient. */
interface Shelf {
  online: boolean
  /** To be handed over on this session, in order. */
  waiting: Entry[]
  readonly flying: Set<Entry>
  bytes: number
  /** Those it did not want yet, and whether it took any since. */
  refused: Entry[]
  taken: boolean
  pause: number
  /** Monotonic: when they are offered again. */
  again: number
}

export class Custody {
  /** When `expire` is next due; Infinity when never. */
  deadline = Infinity
  readonly #options: CustodyOptions
  readonly #entries = new Map<string, Entry>()
  readonly #shelves = new Map<PeerId, Shelf>()
  readonly #loads = new Map<PeerId, { copies: number; bytes: number }>()
  readonly #answers = new Map<PeerId, Map<string, KeptAnswer>>()
  #records: CustodyRecord[] = []
  #outputs: CustodyOutput[] = []

  constructor(options: CustodyOptions) {
    this.#options = options
    const { now, wall } = options
    for (const kept of options.rows) this.#enter(now, wall, kept)
  }

  /** What is kept for others: copies that nobody has taken yet. */
  get load(): { copies: number; bytes: number } {
    const held = [...this.#entries.values()].filter(({ kept }) => kept.verdict === 'later')
    return { copies: held.length, bytes: held.reduce((sum, { kept }) => sum + kept.sealed.length, 0) }
  }

  deposit(now: number, wall: number, depositor: PeerId, copy: Copy): void {
    const { custody } = copy
    const known = this.#entries.get(keyOf(depositor, custody))
    if (known === undefined) {
      const problem = this.#problem(wall, depositor, copy)
      if (problem === '') {
        const { expiresMs, sealed } = copy
        const kept: Kept = {
          depositor,
          recipient: peerId(copy.recipient),
          custody,
          expiresMs,
          keptMs: wall,
          sealed,
          verdict: 'later',
          signature: new Uint8Array()
        }
        const entry = this.#enter(now, wall, kept)
        this.#records.push({ type: 'put', kept })
        this.#answer(depositor, { custody, state: 'held' })
        const shelf = this.#shelves.get(kept.recipient)
        if (shelf?.online) shelf.waiting.push(entry)
        this.#pump(kept.recipient)
      } else {
        if (problem === 'full') this.#count('custody-full')
        this.#answer(depositor, { custody, state: problem })
      }
    } else this.#tell(known.kept)
    this.#flush()
  }

  inquiry(depositor: PeerId, custodies: readonly Uint8Array[]): void {
    for (const custody of custodies) {
      const entry = this.#entries.get(keyOf(depositor, custody))
      if (entry === undefined) this.#answer(depositor, { custody, state: 'none' })
      else this.#tell(entry.kept)
    }
    this.#flush()
  }

  /** Its depositor wants it deleted. */
  release(depositor: PeerId, custodies: readonly Uint8Array[]): void {
    for (const custody of custodies) {
      const entry = this.#entries.get(keyOf(depositor, custody))
      if (entry !== undefined) this.#drop(entry)
      this.#answer(depositor, { custody, state: 'none' })
    }
    this.#flush()
  }

  /** What a recipient says of a copy that was handed to it. */
  receipt(now: number, recipient: PeerId, custody: Uint8Array, said: SignedVerdict | 'later'): void {
    const shelf = this.#shelves.get(recipient)
    const entry = [...(shelf?.flying ?? [])].find(({ kept }) => hex(kept.custody) === hex(custody))
    if (shelf === undefined || entry === undefined) {
      this.#count('custody-receipt-unknown')
      return
    }
    if (said !== 'later' && !isReceipt(this.#options.gid, recipient, custody, said)) {
      this.#count('custody-receipt-forged')
      return
    }
    this.#land(shelf, entry)
    if (said === 'later') {
      shelf.refused.push(entry)
      if (shelf.again === Infinity) this.#pause(now, shelf)
    } else {
      shelf.taken ||= said.verdict === 'taken'
      this.#leave(entry.kept)
      entry.kept = { ...entry.kept, sealed: new Uint8Array(), ...said }
      this.#join(entry.kept)
      this.#records.push({ type: 'put', kept: entry.kept })
      this.#tell(entry.kept)
    }
    // what it took may be what the others waited for
    if (shelf.taken && shelf.flying.size === 0 && shelf.waiting.length === 0) this.#offer(shelf)
    this.#pump(recipient)
    this.#flush()
  }

  /** The peer can be written to, on another session than before. */
  opened(peer: PeerId): void {
    const shelf = this.#shelf(peer)
    this.#ground(shelf)
    shelf.online = true
    shelf.waiting = [...this.#entries.values()].filter(
      ({ kept }) => kept.recipient === peer && kept.verdict === 'later'
    )
    this.#pump(peer)
  }

  /** There is no session with it any more. */
  closed(peer: PeerId): void {
    const shelf = this.#shelves.get(peer)
    if (shelf !== undefined) this.#ground(shelf)
  }

  /** What is by or for somebody who is no member goes. */
  membersChanged(): void {
    const { isMember, mayDeposit } = this.#options
    for (const entry of [...this.#entries.values()])
      if (!mayDeposit(entry.kept.depositor) || !isMember(entry.kept.recipient)) this.#drop(entry)
  }

  expire(now: number): void {
    if (now < this.deadline) return
    this.deadline = Infinity
    for (const entry of [...this.#entries.values()])
      if (entry.until <= now) this.#drop(entry)
      else this.deadline = Math.min(this.deadline, entry.until)
    for (const [peer, shelf] of this.#shelves) {
      if (shelf.again <= now) {
        this.#offer(shelf)
        this.#pump(peer)
      }
      this.deadline = Math.min(this.deadline, shelf.again)
    }
  }

  take(): { records: CustodyRecord[]; outputs: CustodyOutput[] } {
    const taken = { records: this.#records, outputs: this.#outputs }
    this.#records = []
    this.#outputs = []
    return taken
  }

  /** Why it is not kept; '' when it is. */
  #problem(wall: number, depositor: PeerId, copy: Copy): '' | 'full' | 'refused' {
    const { isMember, mayDeposit, self } = this.#options
    const recipient = peerId(copy.recipient)
    if (!mayDeposit(depositor) || !isMember(recipient) || recipient === self || copy.expiresMs <= wall)
      return 'refused'
    const own = this.#loads.get(depositor) ?? { copies: 0, bytes: 0 }
    const loads = [...this.#loads.values()]
    const all = { copies: 0, bytes: 0 }
    for (const { copies, bytes } of loads) {
      all.copies += copies
      all.bytes += bytes
    }
    const fits = (limit: typeof QUOTA | typeof CAP, load: typeof own) =>
      load.copies < limit.copies && load.bytes + copy.sealed.length <= limit.bytes
    return fits(QUOTA, own) && fits(CAP, all) ? '' : 'full'
  }

  #enter(now: number, wall: number, kept: Kept): Entry {
    const left = Math.min(kept.expiresMs, kept.keptMs + LONGEST) - wall
    // a clock that was put back does not keep it longer either
    const entry = { kept, until: now + Math.min(LONGEST, Math.max(0, left)) }
    this.#entries.set(keyOf(kept.depositor, kept.custody), entry)
    this.#join(kept)
    this.deadline = Math.min(this.deadline, entry.until)
    return entry
  }

  #join({ depositor, sealed }: Kept): void {
    const load = this.#loads.get(depositor) ?? { copies: 0, bytes: 0 }
    load.copies++
    load.bytes += sealed.length
    this.#loads.set(depositor, load)
  }

  #leave({ depositor, sealed }: Kept): void {
    const load = this.#loads.get(depositor)!
    load.copies--
    load.bytes -= sealed.length
    if (load.copies === 0) this.#loads.delete(depositor)
  }

  #drop(entry: Entry): void {
    const { depositor, recipient, custody } = entry.kept
    this.#entries.delete(keyOf(depositor, custody))
    this.#leave(entry.kept)
    this.#records.push({ type: 'drop', depositor, custody })
    const shelf = this.#shelves.get(recipient)
    if (shelf === undefined) return
    this.#land(shelf, entry)
    shelf.waiting = shelf.waiting.filter(each => each !== entry)
    shelf.refused = shelf.refused.filter(each => each !== entry)
    this.#pump(recipient)
  }

  #shelf(peer: PeerId): Shelf {
    let shelf = this.#shelves.get(peer)
    if (shelf === undefined) {
      shelf = {
        online: false,
        waiting: [],
        flying: new Set(),
        bytes: 0,
        refused: [],
        taken: false,
        pause: PAUSE,
        again: Infinity
      }
      this.#shelves.set(peer, shelf)
    }
    return shelf
  }

  #ground(shelf: Shelf): void {
    shelf.online = shelf.taken = false
    shelf.waiting = []
    shelf.refused = []
    shelf.flying.clear()
    shelf.bytes = 0
    shelf.pause = PAUSE
    shelf.again = Infinity
  }

  #land(shelf: Shelf, entry: Entry): void {
    if (shelf.flying.delete(entry)) shelf.bytes -= entry.kept.sealed.length
  }

  #pause(now: number, shelf: Shelf): void {
    shelf.again = now + shelf.pause
    shelf.pause = Math.min(PAUSE_LONGEST, shelf.pause * 2)
    this.deadline = Math.min(this.deadline, shelf.again)
  }

  /** What it did not want is offered again. */
  #offer(shelf: Shelf): void {
    shelf.waiting.push(...shelf.refused)
    shelf.refused = []
    shelf.taken = false
    shelf.again = Infinity
  }

  /** Hands over what may be handed over, in order. */
  #pump(recipient: PeerId): void {
    const shelf = this.#shelves.get(recipient)
    if (!shelf?.online) return
    while (shelf.waiting.length > 0 && shelf.flying.size < WINDOW) {
      const entry = shelf.waiting[0]!
      const { custody, expiresMs, sealed } = entry.kept
      if (shelf.flying.size > 0 && shelf.bytes + sealed.length > WINDOW_BYTES) return
      shelf.waiting.shift()
      shelf.flying.add(entry)
      shelf.bytes += sealed.length
      const body = encodeHanded({ recipient: peerKey(recipient)!, custody, expiresMs, sealed })
      this.#outputs.push({ type: 'send', peer: recipient, body })
    }
  }

  #tell({ depositor, custody, verdict, signature }: Kept): void {
    if (verdict === 'later') this.#answer(depositor, { custody, state: 'held' })
    else this.#answer(depositor, { custody, state: 'given', verdict, signature })
  }

  #answer(depositor: PeerId, answer: KeptAnswer): void {
    const answers = this.#answers.get(depositor) ?? new Map<string, KeptAnswer>()
    answers.set(hex(answer.custody), answer)
    this.#answers.set(depositor, answers)
  }

  #flush(): void {
    for (const [peer, answers] of this.#answers) {
      const all = [...answers.values()]
      for (let i = 0; i < all.length; i += MAX_CUSTODIES)
        this.#outputs.push({ type: 'send', peer, body: encodeAnswers(all.slice(i, i + MAX_CUSTODIES)) })
    }
    this.#answers.clear()
  }

  #count(what: string): void {
    this.#outputs.push({ type: 'count', what })
  }
}

const keyOf = (depositor: PeerId, custody: Uint8Array): string => `${depositor} ${hex(custody)}`
