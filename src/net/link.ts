/**
 * A link: one transport connection, as bytes. Direct (TCP) now; relayed, punched and pipe links have the
 * same face. Its in-memory twin is test/sim/link.ts.
 */
export interface Link {
  /** Where the other end is, as an address URI (`tcp://192.0.2.1:24747`). */
  readonly remote: string
  /** Our own end, as an address URI. */
  readonly local: string
  /** We dialled it. */
  readonly outgoing: boolean
  /** Bytes accepted by write and not yet taken by the kernel. */
  readonly waiting: number
  /** Called with each chunk, which is the receiver's to keep and overwrite. Set before the next tick after creation. */
  onData: (chunk: Buffer) => void
  /** Called once, with a word for the log: closed, reset, timeout, an errno in lower case. */
  onClose: (reason: string) => void
  /** Called when `waiting` has fallen to 0. */
  onDrain: () => void
  /** Queues the parts in order, as one writev. The parts may be reused once `waiting` is 0. */
  write(parts: readonly Uint8Array[]): void
  /** Sends what is queued, then ends; destroys after 2 s. */
  close(): void
  /** Ends at once (RST where possible); onClose is not called after it. */
  destroy(): void
}
