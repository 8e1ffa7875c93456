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
  /** First 8 bytes of the handshake hash of the session to use, u32 counter. */
  Nominate: 11,
  /** Joining, on ticket and code sessions only. */
  Join: 12,
  /** Orders for lost devices, shares of the recovery code. */
  Recovery: 13,
  /** To a device that exists twice: the boot id of the other one, 16 bytes. */
  Clone: 14,
  /** A sealed probe that a third device hands on, or its pong (witness.ts). */
  Witness: 15,
  /** Asks a member to wake another one; says what came of it. As in wake.ts. */
  Wake: 16
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
  Done: 6,
  /** The device goes to sleep: nobody need look for it until it says something else. */
  Asleep: 7
} as const
export type CloseReason = (typeof CloseReason)[keyof typeof CloseReason]

/** Longest plaintext of a record, and what a frame and a record add to their bodies. */
export const PLAINTEXT_LIMIT = 65_519
export const FRAME_HEADER = 6
export const PADLEN = 2
/** A body of this length fills a record: the piece to cut bulk into. */
export const BULK = 65_510
/** Flag: more fragments of this body follow. */
export const MORE = 1

const MIB = 1_048_576
/** Longest whole body by kind; a kind that is not here is unknown: its frames are skipped. */
const limits: readonly (number | undefined)[] = [
  PLAINTEXT_LIMIT, // Padding
  8, // Ping
  8, // Pong
  0, // Rekey
  2, // Close
  MIB, // Log
  65_536, // Gossip
  MIB + 512, // Message
  65_536, // Stream
  MIB, // Data
  65_536, // Relay
  12, // Nominate
  65_536, // Join
  16_384, // Recovery
  16, // Clone
  86, // Witness
  37 // Wake
]

export function bodyLimit(kind: number): number | undefined {
  return limits[kind]
}

/** Length of the padded plaintext for `length` bytes of padlen and frames. */
export function paddedLength(length: number): number {
  if (length > 1024) return length
  let padded = 64
  while (padded < length) padded *= 2
  return padded
}

export function writeFrameHeader(
  into: Uint8Array,
  at: number,
  kind: number,
  flags: number,
  length: number
): void {
  into[at] = kind
  into[at + 1] = flags
  into[at + 2] = length >>> 24
  into[at + 3] = length >>> 16
  into[at + 4] = length >>> 8
  into[at + 5] = length
}

/**
 * Takes a record's plaintext apart and puts fragments together again; one for each session, as fragments span
 * records. Bodies are views of the plaintext, which they keep in memory.
 */
export class FrameReader {
  readonly #partial = new Map<number, { parts: Uint8Array[]; length: number }>()

  /**
   * Calls `each` with every whole body in order, until it returns false. False when the plaintext makes no
   * sense (the session is over), or `each` said so.
   */
  read(plaintext: Uint8Array, each: (kind: number, body: Uint8Array) => boolean): boolean {
    if (plaintext.length < PADLEN) return false
    const end = plaintext.length - ((plaintext[0]! << 8) | plaintext[1]!)
    let at = PADLEN
    while (at < end) {
      const start = at + FRAME_HEADER
      if (start > end) return false
      const kind = plaintext[at]!
      const flags = plaintext[at + 1]!
      const length =
        plaintext[at + 2]! * 0x100_0000 +
        ((plaintext[at + 3]! << 16) | (plaintext[at + 4]! << 8) | plaintext[at + 5]!)
      at = start + length
      if (at > end || flags > MORE) return false
      const limit = limits[kind]
      if (limit === undefined || kind === Kind.Padding) continue
      let body: Uint8Array | undefined = plaintext.subarray(start, at)
      if (flags === MORE || this.#partial.size > 0) {
        body = this.#join(kind, flags, body, limit)
        if (body === undefined) {
          if (flags === MORE && this.#partial.has(kind)) continue
          return false
        }
      } else if (length > limit) return false
      if (!each(kind, body)) return false
    }
    return at === end
  }

  /** The whole body with its last fragment; undefined while there are more to come, or too many came. */
  #join(kind: number, flags: number, body: Uint8Array, limit: number): Uint8Array | undefined {
    const partial = this.#partial.get(kind)
    const length = (partial?.length ?? 0) + body.length
    if (length > limit || (flags === MORE && body.length === 0)) {
      this.#partial.delete(kind)
      return undefined
    }
    if (flags === MORE) {
      // A copy: a fragment must not keep a whole record in memory.
      if (partial) {
        partial.parts.push(body.slice())
        partial.length = length
      } else this.#partial.set(kind, { parts: [body.slice()], length })
      return undefined
    }
    if (!partial) return body
    this.#partial.delete(kind)
    const whole = new Uint8Array(length)
    let at = 0
    for (const part of [...partial.parts, body]) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }
}
