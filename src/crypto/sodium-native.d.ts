/**
 * What is used of it; the package has no types. Decrypting throws when the tag does not match, multiplying
 * when the result is zero; lengths are checked.
 */
declare module 'sodium-native' {
  export interface Sodium {
    crypto_scalarmult_base(q: Uint8Array, n: Uint8Array): void
    crypto_scalarmult(q: Uint8Array, n: Uint8Array, p: Uint8Array): void
    crypto_aead_chacha20poly1305_ietf_encrypt(
      c: Uint8Array,
      m: Uint8Array,
      ad: Uint8Array | null,
      nsec: null,
      npub: Uint8Array,
      k: Uint8Array
    ): number
    crypto_aead_chacha20poly1305_ietf_decrypt(
      m: Uint8Array,
      nsec: null,
      c: Uint8Array,
      ad: Uint8Array | null,
      npub: Uint8Array,
      k: Uint8Array
    ): number
  }
}
