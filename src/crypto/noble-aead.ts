/** The AEAD in plain JavaScript: the reference in tests, and what is left where OpenSSL has no ChaCha20. */
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { type Aead, TAG } from './aead.ts'

export const nobleAead: Aead = {
  name: 'noble',
  key(bytes) {
    const key = new Uint8Array(bytes)
    return {
      seal(nonce, aad, text, out) {
        out.set(chacha20poly1305(key, nonce, aad).encrypt(text))
      },
      open(nonce, aad, sealed) {
        if (sealed.length < TAG) return undefined
        try {
          return chacha20poly1305(key, nonce, aad).decrypt(sealed)
        } catch {
          return undefined
        }
      }
    }
  }
}
