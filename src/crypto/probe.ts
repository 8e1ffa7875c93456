/**
 * Seals and opens the probes of one session (wire/probe.ts): ChaCha20-Poly1305, nonce = 4 zero bytes | u64 counter.
 * The keys and indexes are the session's own, apart from those of its records (handshake.ts).
 */
import {
  decodeProbeText,
  encodeProbeText,
  PROBE_HEADER,
  PROBE_LENGTH,
  type ProbeHeader,
  type ProbeText,
  writeProbeHeader
} from '../wire/probe.ts'
import { type Aead, type AeadKey, TAG } from './aead.ts'
import type { SessionKeys } from './handshake.ts'
import { best } from './provider.ts'
import { ReplayWindow } from './replay-window.ts'

/** `forged` is whatever is not authentic, or is and makes no sense. */
export type NotOpened = 'replay' | 'forged'

export class ProbeCipher {
  /** Names these keys in what the peer sends. */
  readonly index: number
  readonly #peerIndex: number
  readonly #send: AeadKey
  readonly #receive: AeadKey
  readonly #window = new ReplayWindow()
  readonly #nonce = new Uint8Array(12)
  readonly #view = new DataView(this.#nonce.buffer)
  #counter = 0

  constructor({ probeSend, probeReceive, probeIndexes }: SessionKeys, aead: Aead = best()) {
    this.index = probeIndexes.receive
    this.#peerIndex = probeIndexes.send
    this.#send = aead.key(probeSend)
    this.#receive = aead.key(probeReceive)
  }

  /** A whole datagram; each has the next counter. */
  seal(text: ProbeText): Uint8Array {
    const datagram = new Uint8Array(PROBE_LENGTH)
    const counter = this.#counter++
    writeProbeHeader(datagram, { index: this.#peerIndex, counter })
    const header = datagram.subarray(0, PROBE_HEADER)
    this.#send.seal(this.#nonceOf(counter), header, encodeProbeText(text), datagram.subarray(PROBE_HEADER))
    return datagram
  }

  /** `header` is the datagram's. Each is opened once. */
  open({ counter }: ProbeHeader, datagram: Uint8Array): ProbeText | NotOpened {
    if (!this.#window.fresh(counter)) return 'replay'
    const header = datagram.subarray(0, PROBE_HEADER)
    const sealed = datagram.subarray(PROBE_HEADER)
    const text = this.#receive.open(
      this.#nonceOf(counter),
      header,
      sealed,
      new Uint8Array(sealed.length - TAG)
    )
    if (text === undefined) return 'forged'
    this.#window.take(counter)
    return decodeProbeText(text) ?? 'forged'
  }

  #nonceOf(counter: number): Uint8Array {
    this.#view.setUint32(4, Math.floor(counter / 0x1_0000_0000))
    this.#view.setUint32(8, counter >>> 0)
    return this.#nonce
  }
}
