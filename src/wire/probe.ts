/**
 * Probes: datagrams between two devices that have or had a session, one for the question and one of the same
 * length for the answer (PROTOCOL 4).
 *
 *   0   4  "COT1"
 *   4   1  0x20
 *   5   4  index     names the keys; the receiver's, from the handshake
 *   9   8  counter   of what its sender has sealed with its key, from 0; the nonce
 *  17  32  sealed    the text below and 16 bytes of tag; the 17 bytes before are associated data
 *
 *   text   0  1  type     1 probe, 2 its pong, 3 probe that a witness hands on, 4 its pong
 *          1  1  flags    0
 *          2  8  number   of the probe, chosen by its sender; the pong repeats it
 *         10  6  zeros
 *
 * Big-endian. There is no other length, and nothing is read that would not be written.
 */
import { Reader, Writer } from './bytes.ts'

export const ProbeType = { Probe: 1, Pong: 2, PassedProbe: 3, PassedPong: 4 } as const
export type ProbeType = (typeof ProbeType)[keyof typeof ProbeType]

/** Where `sealed` begins. */
export const PROBE_HEADER = 17
export const PROBE_TEXT = 16
/** Of the whole datagram. */
export const PROBE_LENGTH = PROBE_HEADER + PROBE_TEXT + 16

const magic = [0x43, 0x4f, 0x54, 0x31, 0x20] as const
const INDEX = magic.length
const COUNTER = INDEX + 4

export interface ProbeHeader {
  readonly index: number
  readonly counter: number
}

export interface ProbeText {
  readonly type: ProbeType
  readonly number: number
}

/** Writes the header to the beginning of a datagram. */
export function writeProbeHeader(datagram: Uint8Array, { index, counter }: ProbeHeader): void {
  datagram.set(magic)
  const view = new DataView(datagram.buffer, datagram.byteOffset)
  view.setUint32(INDEX, index)
  view.setUint32(COUNTER, Math.floor(counter / 0x1_0000_0000))
  view.setUint32(COUNTER + 4, counter >>> 0)
}

/** Of a datagram that may be a probe, as far as can be seen from outside. */
export function readProbeHeader(datagram: Uint8Array): ProbeHeader | undefined {
  if (datagram.length !== PROBE_LENGTH || magic.some((byte, i) => datagram[i] !== byte)) return undefined
  const view = new DataView(datagram.buffer, datagram.byteOffset, PROBE_HEADER)
  const counter = view.getUint32(COUNTER) * 0x1_0000_0000 + view.getUint32(COUNTER + 4)
  return Number.isSafeInteger(counter) ? { index: view.getUint32(INDEX), counter } : undefined
}

/** 16 bytes. */
export function encodeProbeText({ type, number }: ProbeText): Uint8Array {
  return new Writer().uint8(type).uint8(0).uint64(number).bytes(new Uint8Array(6)).take()
}

export function decodeProbeText(text: Uint8Array): ProbeText | undefined {
  const reader = new Reader(text)
  const type = reader.uint8()
  const flags = reader.uint8()
  const number = reader.uint64()
  const zeros = reader.bytes(6)
  if (!reader.ended || flags !== 0 || Number.isNaN(number) || zeros.some(byte => byte !== 0)) return undefined
  return type >= ProbeType.Probe && type <= ProbeType.PassedPong
    ? { type: type as ProbeType, number }
    : undefined
}
