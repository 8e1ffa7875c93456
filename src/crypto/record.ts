/**
 * Records: the sealed units of a session on its link.
 *
 *   record   u16 len | ciphertext (len bytes = plaintext + 16)
 *
 * Each direction has its key and a counter for nonce (Noise 5.1), no associated data. The key of a direction
 * is changed (Noise 4.2 REKEY) after the record that ends with a Rekey frame; the sender sends one before
 * 2^16 records, 64 MiB or 120 s of use have passed under a key, and the receiver insists on the first two.
 */
import { PLAINTEXT_LIMIT } from '../wire/frame.ts'
import { type Aead, TAG } from './aead.ts'
import { CipherState } from './noise.ts'
import { best } from './provider.ts'

export const RECORD_HEADER = 2
/** Longest record with its header: what a buffer for sealing or gathering one must hold. */
export const RECORD_LIMIT = RECORD_HEADER + PLAINTEXT_LIMIT + TAG

export const REKEY_RECORDS = 65_536
export const REKEY_BYTES = 64 * 1_048_576
export const REKEY_MS = 120_000

const none = new Uint8Array(0)

/** One direction and what has passed under its present key. */
class Direction {
  readonly cipher: CipherState
  records = 0
  bytes = 0
  /** Monotonic ms of the first record under this key. */
  since = 0

  constructor(aead: Aead, key: Uint8Array) {
    this.cipher = new CipherState(aead, key)
  }

  rekey(): void {
    this.cipher.rekey()
    this.records = 0
    this.bytes = 0
  }
}

export class RecordCipher {
  readonly #send: Direction
  readonly #receive: Direction

  constructor(keys: { readonly send: Uint8Array; readonly receive: Uint8Array }, aead: Aead = best()) {
    this.#send = new Direction(aead, keys.send)
    this.#receive = new Direction(aead, keys.receive)
  }

  /** The next record, of whatever length, must end with a Rekey frame, and rekeySend follow it. */
  due(now: number): boolean {
    const { records, bytes, since } = this.#send
    return (
      records >= REKEY_RECORDS - 1 ||
      bytes >= REKEY_BYTES - 2 * RECORD_LIMIT ||
      (records > 0 && now - since >= REKEY_MS)
    )
  }

  /**
   * Seals in place the `length` bytes of plaintext that stand in `buffer` from its third byte on. Returns the
   * length of the record, from the first byte of `buffer`.
   */
  seal(now: number, buffer: Uint8Array, length: number): number {
    const send = this.#send
    if (send.records++ === 0) send.since = now
    send.bytes += length
    const sealed = length + TAG
    buffer[0] = sealed >>> 8
    buffer[1] = sealed
    const end = RECORD_HEADER + sealed
    send.cipher.seal(none, buffer.subarray(RECORD_HEADER, end - TAG), buffer.subarray(RECORD_HEADER, end))
    return end
  }

  /** The plaintext, or undefined, which ends the session; `out` as in AeadKey.open. */
  open(ciphertext: Uint8Array, out?: Uint8Array): Uint8Array | undefined {
    const receive = this.#receive
    receive.records++
    receive.bytes += ciphertext.length - TAG
    if (receive.records > REKEY_RECORDS || receive.bytes > REKEY_BYTES) return undefined
    return receive.cipher.open(none, ciphertext, out)
  }

  rekeySend(): void {
    this.#send.rekey()
  }

  rekeyReceive(): void {
    this.#receive.rekey()
  }
}
