/**
 * Two links joined in memory, in simulated time: what one writes arrives at the other after `delayMs`, in
 * order, in chunks of any size. `window` bytes may be under way each way; more waits, as in a full socket.
 */
import type { Link } from '../../src/net/link.ts'
import type { Clock } from './clock.ts'

export interface PairOptions {
  readonly clock: Clock
  readonly delayMs?: number
  /** Length of the next chunk, asked with what has arrived; whole when absent. */
  readonly chunk?: (length: number) => number
  readonly window?: number
  /** Address URIs of the dialling and the listening end. */
  readonly from?: string
  readonly to?: string
}

/** `dialled` is the outgoing end. */
export function linkPair(options: PairOptions): { dialled: SimLink; accepted: SimLink } {
  const from = options.from ?? 'tcp://192.0.2.1:40000'
  const to = options.to ?? 'tcp://192.0.2.2:24747'
  const dialled = new SimLink(options, from, to, true)
  const accepted = new SimLink(options, to, from, false)
  dialled.other = accepted
  accepted.other = dialled
  return { dialled, accepted }
}

export class SimLink implements Link {
  onData: (chunk: Buffer) => void = () => {}
  onClose: (reason: string) => void = () => {}
  onDrain: () => void = () => {}
  /** Changes what is written on its way; undefined drops it. */
  tamper: (bytes: Buffer) => Buffer | undefined = bytes => bytes
  other!: SimLink
  readonly remote: string
  readonly local: string
  readonly outgoing: boolean
  waiting = 0
  bytesWritten = 0
  state: 'open' | 'closing' | 'closed' = 'open'
  readonly #options: PairOptions
  readonly #queue: Buffer[] = []
  #underWay = 0

  constructor(options: PairOptions, local: string, remote: string, outgoing: boolean) {
    this.#options = options
    this.local = local
    this.remote = remote
    this.outgoing = outgoing
  }

  write(parts: readonly Uint8Array[]): void {
    if (this.state !== 'open') return
    const bytes = Buffer.concat(parts)
    this.bytesWritten += bytes.length
    this.waiting += bytes.length
    this.#queue.push(bytes)
    this.#send()
  }

  close(): void {
    if (this.state !== 'open') return
    this.state = 'closing'
    this.#finish()
  }

  destroy(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#options.clock.after(this.#options.delayMs ?? 0, () => this.other.closed('reset'))
  }

  /** The other end has gone. */
  closed(reason: string): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.onClose(reason)
  }

  /** Bytes arrive, as if the other end had written them. */
  arrive(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.state === 'open'; ) {
      const rest = bytes.length - at
      const length = Math.max(1, Math.min(rest, this.#options.chunk?.(rest) ?? rest))
      this.onData(Buffer.from(bytes.subarray(at, at + length)))
      at += length
    }
  }

  #send(): void {
    const { clock, delayMs = 0, window = Number.POSITIVE_INFINITY } = this.#options
    while (this.#queue.length > 0 && this.#underWay < window) {
      let bytes = this.#queue.shift()!
      const room = window - this.#underWay
      if (bytes.length > room) {
        this.#queue.unshift(bytes.subarray(room))
        bytes = bytes.subarray(0, room)
      }
      this.#underWay += bytes.length
      this.waiting -= bytes.length
      const { length } = bytes
      clock.after(delayMs, () => {
        const arriving = this.tamper(bytes)
        if (arriving) this.other.arrive(arriving)
        this.#underWay -= length
        const waited = this.waiting > 0
        this.#send()
        if (waited && this.waiting === 0 && this.state === 'open') this.onDrain()
      })
    }
    this.#finish()
  }

  #finish(): void {
    if (this.state !== 'closing' || this.waiting > 0) return
    this.state = 'closed'
    this.#options.clock.after(this.#options.delayMs ?? 0, () => this.other.closed('closed'))
  }
}
