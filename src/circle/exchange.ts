/**
 * The state of one exchange of logs with a peer (wire/log-exchange.ts): what is sent and answered, and which
 * frames of the peer still wait for their signatures. Frames are done with in the order they came.
 */
import { encodeLogFrame, type LogFrame } from '../wire/log-exchange.ts'

/** Bytes of a peer's frames that may wait for their signatures: the largest log there is, and some. */
const MAX_WAITING = 64 * 1024 * 1024
/** Operations or frames of no use from one peer before it is no longer listened to. */
const MAX_USELESS = 1000
/** Wraps in one session; a device keeps 9. */
const MAX_WRAPS = 256
/** Missing parents asked of one peer, and by it. */
const MAX_WANTED = 4096
/** Greets of one peer: a session begins with one. Each may be answered with the whole log. */
const MAX_GREETS = 4
/** Operations from one peer that are here already: twice the largest log there is. */
const MAX_REPEATED = 20_000

interface Waiting {
  readonly round: number
  readonly bytes: number
  /** The last part of its frame. */
  readonly last: boolean
  ready: boolean
  run(): void
}

type Counted = Exclude<LogFrame, { type: 'state' }>
type Unnumbered = Counted extends infer F ? (F extends Counted ? Omit<F, 'round'> : never) : never

export class Exchange {
  /** Our frames: the number of the last greet, frames since, and how many of those were answered. */
  #round = 0
  #sent = 0
  #answered = 0
  /** The peer's: the same seen from there. */
  #theirRound = 0
  #received = 0
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #useless = 0
  #greets = 0
  #repeated = 0
  #asked = 0
  #told = false
  /** An answer is owed. */
  due = false
  /** The peer's greet was answered with all it lacked: from then on it gets what is new. */
  following = false
  /** Was told to the owner. */
  synced = false
  readonly wanted = new Set<string>()
  /** Ids of wraps sent or seen in this session. */
  readonly #wraps = new Set<string>()

  get open(): boolean {
    return this.#round > 0
  }
  /** Everything the peer had when it read our greet has come, and it has done with all we sent. */
  get settled(): boolean {
    return this.open && this.following && this.#answered === this.#sent && this.#waiting.length === 0
  }
  get deaf(): boolean {
    return this.#useless >= MAX_USELESS || this.#waitingBytes > MAX_WAITING
  }
  /** True once, when the peer is to be closed for what it sends. */
  get misbehaves(): boolean {
    const first = this.deaf && !this.#told
    this.#told ||= this.deaf
    return first
  }

  begin(): void {
    this.#round++
    this.#sent = 0
    this.#answered = 0
    this.synced = false
    this.wanted.clear()
    this.#wraps.clear()
  }

  /** The body of the next counted frame. */
  frame(frame: Unnumbered): Uint8Array {
    this.#sent++
    return encodeLogFrame({ ...frame, round: this.#round } as Counted)
  }

  /** The answer owed. */
  state(digest: Uint8Array): Uint8Array {
    this.due = false
    return encodeLogFrame({ type: 'state', round: this.#theirRound, received: this.#received, digest })
  }

  answered(round: number, received: number): void {
    if (round === this.#round && received <= this.#sent) this.#answered = Math.max(this.#answered, received)
  }

  /** The peer's frames, or parts of them, are run in order, each once `ready` was called on it. */
  wait(round: number, bytes: number, run: () => void, last = true): { ready(): void } {
    const waiting = { round, bytes, last, ready: false, run }
    this.#waitingBytes += bytes
    this.#waiting.push(waiting)
    return {
      ready: () => {
        waiting.ready = true
        this.#run()
      }
    }
  }

  /** false: it is not to be answered. */
  greeted(round: number): boolean {
    if (round <= this.#theirRound || ++this.#greets > MAX_GREETS) return false
    this.#theirRound = round
    this.#received = 0
    this.following = true
    return true
  }
  /** That many were sent that are here already. Honest peers do that, for they cannot know. */
  repeated(count: number): void {
    this.#repeated += count
    if (this.#repeated > MAX_REPEATED) this.#useless += count
  }
  /** The peer asks for that many; false: for too many by now. */
  asked(count: number): boolean {
    this.#asked += count
    return this.#asked <= MAX_WANTED
  }

  /** Whether a wrap is new in this session. */
  wrap(id: string): boolean {
    if (this.#wraps.has(id) || this.#wraps.size >= MAX_WRAPS) return false
    this.#wraps.add(id)
    return true
  }

  useless(): void {
    this.#useless++
  }

  want(key: string): boolean {
    if (this.wanted.has(key) || this.wanted.size >= MAX_WANTED) return false
    this.wanted.add(key)
    return true
  }

  #run(): void {
    while (this.#waiting[0]?.ready) {
      const { round, bytes, last, run } = this.#waiting.shift()!
      this.#waitingBytes -= bytes
      run()
      if (!last || round !== this.#theirRound) continue
      this.#received++
      this.due = true
    }
  }
}
