/**
 * A session: frames between two devices over one link, sealed in records.
 *
 * The first frame of a tick leaves at once, those that follow in the same tick leave together at its end: no
 * timer, no waiting. A record is written only when none waits in the link, so that what is urgent passes what
 * is bulky, and waits for one record of it at most.
 */

import { type Aead, TAG } from '../../crypto/aead.ts'
import type { SessionKeys } from '../../crypto/handshake.ts'
import type { PeerId } from '../../crypto/identity.ts'
import { ProbeCipher } from '../../crypto/probe.ts'
import { RECORD_HEADER, RecordCipher } from '../../crypto/record.ts'
import type { Link } from '../../net/link.ts'
import {
  type CloseReason,
  FRAME_HEADER,
  FrameReader,
  Kind,
  PADLEN,
  PLAINTEXT_LIMIT,
  paddedLength,
  writeFrameHeader
} from '../../wire/frame.ts'
import { giveBuffer, takeBuffer } from './record-buffers.ts'
import { SendQueue } from './send-queue.ts'

/** The shortest record: padding makes no smaller one. */
const CIPHERTEXT_LEAST = 64 + TAG
/**
 * Where frames end: a full record is as long as the chunks a socket reads, 64 KiB, so that most need not be
 * gathered from two.
 */
const FRAMES_END = 65_536 - TAG

/** Kinds whose bodies are lent to onFrame. */
function lends(kind: number | undefined): boolean {
  return kind === Kind.Stream || kind === Kind.Relay
}

export interface SessionOptions {
  readonly link: Link
  readonly keys: SessionKeys
  readonly peer: PeerId
  /** Of the peer: 16 bytes, 32 bytes. */
  readonly bootId: Uint8Array
  readonly logHead: Uint8Array
  /** Round trip the handshake measured; 0 on the side that answered it. */
  readonly handshakeUSec: number
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Called before the frames of the first record that opened. */
  readonly onConfirmed?: () => void
  /** Plans the end of this tick; process.nextTick unless a test has its own time. */
  readonly schedule?: (act: () => void) => void
  readonly aead?: Aead
}

export class Session {
  readonly hash: Uint8Array
  /** For datagrams beside the session; they outlive it. */
  readonly probes: ProbeCipher
  readonly outgoing: boolean
  readonly remote: string
  readonly local: string
  /** '' until `identify`, for one who joins by a code. */
  peer: PeerId
  /** 16 bytes in hex. */
  bootId: string
  readonly peerLogHead: Uint8Array
  readonly handshakeUSec: number
  /**
   * Each whole frame but those the session is itself concerned with. The body may be kept; that of a Stream or
   * Relay frame is valid only during the call, as fresh memory for each is a fifth of what receiving bulk costs.
   */
  onFrame: (kind: number, body: Uint8Array) => void = () => {}
  /** Once: a word from the link, or why the session ended it. Not called after close(). */
  onClose: (reason: string) => void = () => {}
  /** All that was sent has been handed to the link, after some of it had to wait. */
  onDrain: () => void = () => {}

  readonly #link: Link
  readonly #cipher: RecordCipher
  readonly #queue = new SendQueue()
  readonly #reader = new FrameReader()
  readonly #now: () => number
  readonly #schedule: (act: () => void) => void
  #onConfirmed: (() => void) | undefined
  #over = false
  /** The end of this tick is planned. */
  #planned = false
  #blocked = false
  /** A sealed record the link has not taken whole. */
  #writing: Uint8Array | undefined
  /** The beginning of a record whose end has not come. */
  #partial: Uint8Array | undefined
  #have = 0
  #rekeyed = false
  /** The plaintext being read is in a buffer that will be used again. */
  #lent = false

  constructor(options: SessionOptions) {
    const { link, keys } = options
    this.hash = keys.hash
    this.probes = new ProbeCipher(keys, options.aead)
    this.outgoing = link.outgoing
    this.remote = link.remote
    this.local = link.local
    this.peer = options.peer
    this.bootId = Buffer.from(options.bootId).toString('hex')
    this.peerLogHead = options.logHead
    this.handshakeUSec = options.handshakeUSec
    this.#link = link
    this.#cipher = new RecordCipher(keys, options.aead)
    this.#now = options.now
    this.#schedule = options.schedule ?? process.nextTick
    this.#onConfirmed = options.onConfirmed
    link.onData = chunk => this.#receive(chunk)
    link.onClose = reason => this.#closed(reason)
    link.onDrain = () => this.#drained()
  }

  /** Bytes that wait here. A writer of much waits for onDrain when this exceeds what it wants to risk. */
  get backlog(): number {
    return this.#queue.bytes
  }

  /** One who joins by a code has said who it is, and shown it. `bootId`: 16 bytes. */
  identify(peer: PeerId, bootId: Uint8Array): void {
    this.peer = peer
    this.bootId = Buffer.from(bootId).toString('hex')
  }

  /** Queues a frame; the body must not change before it has left. Does nothing when the session is over. */
  send(kind: number, body: Uint8Array): void {
    if (this.#over) return
    this.#queue.push(kind, body)
    if (!this.#planned) {
      this.#planned = true
      this.#schedule(this.#endTick)
      this.#flush()
    } else if (this.#queue.bytes >= PLAINTEXT_LIMIT) this.#flush()
  }

  /** Says why and ends. What the link does not take at once is lost, unless it is urgent. */
  close(reason: CloseReason): void {
    if (this.#over) return
    this.#flush()
    const queue = this.#queue
    queue.dropRest()
    queue.push(Kind.Close, Uint8Array.of(reason >> 8, reason & 0xff))
    while (queue.bytes > 0) this.#writeRecord()
    this.#release()
    this.#link.close()
  }

  /** Ends at once, saying nothing. */
  destroy(): void {
    if (this.#over) return
    this.#release()
    this.#link.destroy()
  }

  readonly #endTick = (): void => {
    this.#planned = false
    this.#flush()
  }

  #flush(): void {
    if (this.#over) return
    const queue = this.#queue
    const link = this.#link
    while (queue.bytes > 0 && link.waiting === 0) this.#writeRecord()
    if (queue.bytes > 0) this.#blocked = true
  }

  #writeRecord(): void {
    const buffer = takeBuffer()
    const now = this.#now()
    const start = RECORD_HEADER + PADLEN
    const rekey = this.#cipher.due(now)
    let end = this.#queue.take(buffer, start, rekey ? FRAMES_END - FRAME_HEADER : FRAMES_END)
    if (rekey) {
      writeFrameHeader(buffer, end, Kind.Rekey, 0, 0)
      end += FRAME_HEADER
    }
    const length = paddedLength(end - RECORD_HEADER)
    const padding = RECORD_HEADER + length - end
    buffer[RECORD_HEADER] = padding >>> 8
    buffer[RECORD_HEADER + 1] = padding
    if (padding > 0) buffer.fill(0, end, end + padding)
    const total = this.#cipher.seal(now, buffer, length)
    if (rekey) this.#cipher.rekeySend()
    this.#link.write([buffer.subarray(0, total)])
    if (this.#link.waiting === 0) giveBuffer(buffer)
    else this.#writing = buffer
  }

  #drained(): void {
    if (this.#over) return
    if (this.#writing) {
      giveBuffer(this.#writing)
      this.#writing = undefined
    }
    this.#flush()
    if (this.#blocked && this.#queue.bytes === 0) {
      this.#blocked = false
      this.onDrain()
    }
  }

  #receive(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#over) {
      if (this.#partial) at = this.#gather(chunk, at)
      else {
        const rest = chunk.length - at
        const length = rest < RECORD_HEADER ? CIPHERTEXT_LEAST : (chunk[at]! << 8) | chunk[at + 1]!
        if (length < CIPHERTEXT_LEAST) this.#fail()
        else if (rest < RECORD_HEADER + length) {
          this.#partial = takeBuffer()
          this.#have = 0
          at = this.#gather(chunk, at)
        } else {
          const start = at + RECORD_HEADER
          at = start + length
          const ciphertext = new Uint8Array(chunk.buffer, chunk.byteOffset + start, length)
          this.#open(ciphertext, ciphertext.subarray(0, length - TAG))
        }
      }
    }
  }

  /** Takes from the chunk what the record begun still needs; opens it when that is all. */
  #gather(chunk: Buffer, at: number): number {
    const partial = this.#partial!
    while (at < chunk.length) {
      const have = this.#have
      const length = have < RECORD_HEADER ? 0 : (partial[0]! << 8) | partial[1]!
      if (have === RECORD_HEADER && length < CIPHERTEXT_LEAST) {
        this.#fail()
        break
      }
      const wanted = RECORD_HEADER + length - have
      const taken = chunk.copy(partial, have, at, Math.min(at + wanted, chunk.length))
      at += taken
      this.#have += taken
      if (taken === wanted && have >= RECORD_HEADER) {
        this.#partial = undefined
        const end = RECORD_HEADER + length
        this.#open(partial.subarray(RECORD_HEADER, end), partial.subarray(RECORD_HEADER, end - TAG), partial)
        giveBuffer(partial)
        break
      }
    }
    return at
  }

  /** `lender` is the buffer that `out` is lent from, which is used again afterwards. */
  #open(ciphertext: Uint8Array, out: Uint8Array, lender?: Uint8Array): void {
    let plaintext = this.#cipher.open(ciphertext, out)
    if (plaintext === undefined) {
      this.#fail()
      return
    }
    if (this.#onConfirmed) {
      const confirmed = this.#onConfirmed
      this.#onConfirmed = undefined
      confirmed()
    }
    this.#rekeyed = false
    this.#lent = plaintext.buffer === lender?.buffer
    if (this.#lent && !lends(plaintext[PADLEN])) {
      plaintext = plaintext.slice()
      this.#lent = false
    }
    const whole = this.#reader.read(plaintext, this.#each)
    if (this.#rekeyed) this.#cipher.rekeyReceive()
    if (!whole) this.#fail()
  }

  readonly #each = (kind: number, body: Uint8Array): boolean => {
    // A Rekey frame is the last of its record.
    if (this.#rekeyed) return false
    if (kind === Kind.Rekey) {
      this.#rekeyed = true
      return true
    }
    if (!this.#over) this.onFrame(kind, this.#lent && !lends(kind) ? body.slice() : body)
    if (kind === Kind.Close) this.#closed('closed')
    return !this.#over
  }

  /** What came makes no sense or is not authentic: end at once, without a word to the other side. */
  #fail(): void {
    this.#closed('protocol')
  }

  #closed(reason: string): void {
    if (this.#over) return
    this.#release()
    this.#link.destroy()
    this.onClose(reason)
  }

  #release(): void {
    this.#over = true
    this.#queue.clear()
    if (this.#partial) giveBuffer(this.#partial)
    // What is being written is left to the link, which may still read it.
    this.#writing = this.#partial = undefined
  }
}
