/** What a circle needs of the daemon. */
import type { CircleId, PeerId } from '../crypto/identity.ts'
import type { Write } from '../host/database.ts'
import type { InterfaceAddress, Place } from '../net/interfaces.ts'
import type { Link } from '../net/link.ts'
import type { Card } from '../wire/extra.ts'
import type { Lock } from './circle/locking.ts'
import type { Log } from './log.ts'
import type { Handlers } from './messages/handlers.ts'
import type { Spot, Verdict } from './network/separation.ts'
import type { Gate } from './sessions/gate.ts'
import type { Publisher } from './surfaces/publisher.ts'

/** An interface in use. */
export interface Used {
  readonly name: string
  readonly policy: 'announce' | 'listen'
  readonly addresses: readonly InterfaceAddress[]
}

/** The network around this computer, for explanations. */
export interface Nearby {
  interfaces(): readonly Used[]
  /** Asks by multicast who is there. */
  ask(): void
  /** Whether the network keeps us apart from a device that is there for sure and does not answer. Takes 10 s at most. */
  keptApart(spot: Spot): Promise<Verdict>
}

export interface Surroundings {
  /** Monotonic milliseconds. */
  now(): number
  /** Returns what cancels; keeps nobody awake. */
  after(ms: number, act: () => void): () => void
  /** Milliseconds since 1970: shown, stored, and in announcements; nothing else is decided by it. */
  wall(): number
  /** Whether somebody keeps the wall clock right, as far as the system knows. */
  clockSynchronised(): Promise<boolean>
  random(length: number): Uint8Array
  readonly log: Log
  readonly publisher: Publisher
  readonly gate: Gate
  /** The programs that run for messages. */
  readonly handlers: Handlers
  /** 16 bytes, drawn at each start; another in each circle, so that members of two cannot compare them. */
  bootId(gid: Uint8Array): Uint8Array
  /** Rejects DialError. */
  connect(address: string, signal: AbortSignal): Promise<Link>
  /**
   * A datagram to an address URI: from the listener that fits, or from the one given. `onFailed` gets a word, as of a
   * dial, when it is known that the datagram did not leave.
   */
  sendDatagram(address: string, datagram: Uint8Array, onFailed: (reason: string) => void, from?: Place): void
  /** Sends the packet that wakes it, where it is on a network of ours. `forOthers`: not where we only listen. */
  wakeCard(card: Card, forOthers: boolean): Promise<boolean>
  /** One transaction, on disk when it resolves; else rejects, and nothing was changed. */
  commit(writes: readonly Write[]): Promise<void>
  /** This device is the lost one: the circle ends here, and its keys are sealed away. */
  lock(lock: Lock): void
  readonly nearby: Nearby
  /** A deadline may have changed. */
  arm(): void
  /** Members or discovery keys changed: announcements must be made anew. */
  announce(): void
  /** Addresses that the configuration gives for a peer. */
  staticAddresses(id: PeerId, name: string): readonly string[]
  /** A sentence for the status, by what it is about; '' when all is well again. */
  note(about: CircleId, sentence: string): void
  /** The summary changed. */
  changed(): void
}
