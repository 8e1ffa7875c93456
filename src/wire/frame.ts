/**
 * Frames: what a session carries inside its records.
 *
 *   record plaintext  u16 padlen | frame… | padlen zeros            at most 65,519 bytes
 *   frame             u8 kind | u8 flags | u32 len | body (len bytes)
 *   flags             bit 0: more fragments of this body follow (same kind, one body at a time per kind)
 *
 * Padding brings a plaintext to 64, 128, 256, 512 or 1,024 bytes; above that there is none.
 */

/** The numbers are protocol: only append. */
export const Kind = {
  Padding: 0,
  /** u64, echoed in Pong. */
  Ping: 1,
  Pong: 2,
  /** Empty; the last frame under the old sending key. */
  Rekey: 3,
  /** u16 reason (CloseReason). */
  Close: 4,
  /** Membership log. */
  Log: 5,
  /** Peer records. */
  Gossip: 6,
  Message: 7,
  Stream: 8,
  Data: 9,
  Relay: 10,
  /** First 8 bytes of the handshake hash of the session to use. */
  Nominate: 11,
  /** Joining, on ticket and code sessions only. */
  Join: 12
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Why a session ends, as its Close frame says. The numbers are protocol: only append. */
export const CloseReason = {
  /** The daemon stops or restarts. */
  Stopping: 1,
  /** Another session with the same peer took over. */
  Superseded: 2,
  /** The device has left the circle. */
  Left: 3,
  /** The device that reads this was removed. */
  Removed: 4,
  /** Bytes that make no sense. */
  Protocol: 5,
  /** Nothing more to do (end of joining). */
  Done: 6
} as const
export type CloseReason = (typeof CloseReason)[keyof typeof CloseReason]

export interface Frame {
  readonly kind: number
  readonly body: Uint8Array
}
