/**
 * Bodies of Witness frames: an observer asks a member that both reach to hand a sealed probe to a third one, and
 * its pong back. The witness cannot read them: it can lie only by silence.
 *
 *   u8 1 ask  | u32 token | target 32 | datagram     observer to witness; the target's Ed25519 key
 *   u8 2 pass | u32 token | datagram                 witness to target
 *   u8 3 back | u32 token | datagram                 target to witness, witness to observer
 *
 * The token is that of who asked: the observer's on its session with the witness, the witness's on its session with
 * the target. The datagram is 49 bytes, exactly as in probe.ts. Big-endian.
 */
import { Reader, Writer } from './bytes.ts'
import { PROBE_LENGTH } from './probe.ts'

const ASK = 1
const PASS = 2
const BACK = 3

export type WitnessFrame =
  | {
      readonly type: 'ask'
      readonly token: number
      readonly target: Uint8Array
      readonly datagram: Uint8Array
    }
  | { readonly type: 'pass' | 'back'; readonly token: number; readonly datagram: Uint8Array }

/** Throws RangeError when a length is wrong. */
export function encodeWitness(frame: WitnessFrame): Uint8Array {
  const writer = new Writer()
  if (frame.type === 'ask') writer.uint8(ASK).uint32(frame.token).bytes(frame.target, 32)
  else writer.uint8(frame.type === 'pass' ? PASS : BACK).uint32(frame.token)
  return writer.bytes(frame.datagram, PROBE_LENGTH).take()
}

export function decodeWitness(body: Uint8Array): WitnessFrame | undefined {
  const reader = new Reader(body)
  const type = reader.uint8()
  const token = reader.uint32()
  const target = type === ASK ? reader.bytes(32) : undefined
  const datagram = reader.bytes(PROBE_LENGTH)
  if (!reader.ended) return undefined
  if (target !== undefined) return { type: 'ask', token, target, datagram }
  if (type === PASS || type === BACK) return { type: type === PASS ? 'pass' : 'back', token, datagram }
  return undefined
}
