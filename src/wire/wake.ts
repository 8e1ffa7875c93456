/**
 * Waking a member that sleeps: bodies of Wake frames, with which one member asks another to send the packet on a
 * network it is on; and the packet.
 *
 *   u8 1 ask    | u32 token | target 32     the target's Ed25519 key
 *   u8 2 answer | u32 token | u8 result     1 sent, 2 not on a network where the target was, 3 sent a moment ago
 *
 *   magic packet   6 × 0xff | 16 × mac 6    to UDP port 9 of everybody on the link
 *
 * The token is that of who asked, on this session. What wakes the target is nothing the asker says: its own signed
 * record told everybody (extra.ts). Big-endian.
 */
import { Reader, Writer } from './bytes.ts'

const ASK = 1
const ANSWER = 2
const RESULTS = ['sent', 'elsewhere', 'recently'] as const

export const WAKE_PORT = 9

export type WakeResult = (typeof RESULTS)[number]
export type WakeFrame =
  | { readonly type: 'ask'; readonly token: number; readonly target: Uint8Array }
  | { readonly type: 'answer'; readonly token: number; readonly result: WakeResult }

/** Throws RangeError when a length is wrong. */
export function encodeWake(frame: WakeFrame): Uint8Array {
  const writer = new Writer()
  return frame.type === 'ask'
    ? writer.uint8(ASK).uint32(frame.token).bytes(frame.target, 32).take()
    : writer
        .uint8(ANSWER)
        .uint32(frame.token)
        .uint8(RESULTS.indexOf(frame.result) + 1)
        .take()
}

export function decodeWake(body: Uint8Array): WakeFrame | undefined {
  const reader = new Reader(body)
  const type = reader.uint8()
  const token = reader.uint32()
  if (type === ASK) {
    const target = reader.bytes(32)
    return reader.ended ? { type: 'ask', token, target } : undefined
  }
  const result = RESULTS[reader.uint8() - 1]
  return type === ANSWER && result !== undefined && reader.ended
    ? { type: 'answer', token, result }
    : undefined
}

/** `mac`: 6 bytes. */
export function magicPacket(mac: Uint8Array): Uint8Array {
  const packet = new Uint8Array(6 + 16 * 6).fill(0xff, 0, 6)
  for (let at = 6; at < packet.length; at += 6) packet.set(mac, at)
  return packet
}
