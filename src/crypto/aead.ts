/**
 * ChaCha20-Poly1305 (RFC 8439) with keys imported once. Three implementations stand behind it (provider.ts,
 * noble-aead.ts) and are held to the same vectors.
 */
export const TAG = 16

export interface AeadKey {
  /**
   * Writes ciphertext and tag to `out`, which is 16 bytes longer than `text` and may begin at the same byte
   * of the same memory. `nonce` (12 bytes) and `aad` are only read.
   */
  seal(nonce: Uint8Array, aad: Uint8Array, text: Uint8Array, out: Uint8Array): void
  /**
   * The plaintext, or undefined when it is not authentic. It is memory of its own, or `out` where that is given
   * (16 bytes shorter than `sealed`, of which it may be the beginning) and of use to the implementation; what
   * `out` holds after a failure is undefined.
   */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, out?: Uint8Array): Uint8Array | undefined
}

export interface Aead {
  readonly name: 'sodium' | 'node' | 'noble' | 'mixed'
  /** `key` is 32 bytes and is copied. */
  key(key: Uint8Array): AeadKey
}
