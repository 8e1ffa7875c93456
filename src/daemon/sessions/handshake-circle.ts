/** What a handshake needs to know of a circle, and what joining one by ticket carries. */
import type { PeerId } from '../../crypto/identity.ts'
import type { ExchangeKey, SigningKey } from '../../crypto/provider.ts'
import type { Result } from '../../wire/hello.ts'

export type StaticKey = ExchangeKey

/** One who joins by ticket; the signature has been checked. */
export interface JoinRequest {
  readonly id: PeerId
  readonly key: Uint8Array
  readonly staticKey: Uint8Array
  /** Over staticProof with serial 0. */
  readonly signature: Uint8Array
  readonly suites: number
  readonly name: string
}

export interface JoinAnswer {
  readonly result: Result
}

/** What the handshake needs of one circle. */
export interface HandshakeCircle {
  readonly gid: Uint8Array
  /** Own X25519, the current one first, then the previous one. */
  readonly statics: readonly StaticKey[]
  /** The one of them to use towards this peer. */
  staticTowards(peer: PeerId): StaticKey
  /** 16 bytes, random at each start. */
  readonly bootId: Uint8Array
  /** 32 bytes: digest of the log's heads. */
  readonly logHead: Uint8Array
  /** Up to 4 own operations that this peer may not know. */
  introduction(peer: PeerId): readonly Uint8Array[]
  /** Whose this static is: a current member's (its current or previous static), else undefined. */
  owner(staticKey: Uint8Array): PeerId | undefined
  /** Checks and stores operations a stranger presented; then owner is asked again. */
  admit(operations: readonly Uint8Array[]): Promise<void>
  /** Of a static that nobody owns: a device that was removed as lost, and the one frame that it is told. */
  order(staticKey: Uint8Array): { readonly peer: PeerId; readonly frame: Uint8Array } | undefined
  /** Secrets of tickets to try. */
  tickets(): readonly { readonly id: string; readonly psk: Uint8Array }[]
  /** Of a valid first message: what message 2 says, once that is on disk; undefined is silence. */
  redeem(ticket: string, request: JoinRequest): Promise<JoinAnswer | undefined>
}

export interface JoinTicket {
  readonly gid: Uint8Array
  /** Of the inviter. */
  readonly key: Uint8Array
  readonly staticKey: Uint8Array
  readonly secret: Uint8Array
}

export interface JoinKeys {
  readonly identity: SigningKey
  readonly static: StaticKey
  readonly bootId: Uint8Array
  readonly name: string
}
