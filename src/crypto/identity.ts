/**
 * Names of keys in text (PROTOCOL 1).
 *
 *   peer id     co1 | base32 of the 32-byte Ed25519 key (52) | check (2)        57 characters, [a-z0-9]
 *   check       first 10 bits of SHA-256("coterie/1 id\0" | key), in base32
 *   short id    the 8 characters after co1
 *   circle id   base32 of the 32-byte gid                                       52 characters
 *
 * Each value has one text; all other texts are refused.
 */
import { fromBase32, toBase32 } from '../wire/base32.ts'
import { bytesOf, hash } from './provider.ts'

export type PeerId = string
export type CircleId = string

const prefix = 'co1'
const keyCharacters = 52
const domain = bytesOf('coterie/1 id\0')

export function peerId(publicKey: Uint8Array): PeerId {
  return prefix + circleId(publicKey) + check(publicKey)
}

/** The Ed25519 key of a peer id; undefined when the text is none, or mistyped. */
export function peerKey(id: string): Uint8Array | undefined {
  if (!id.startsWith(prefix) || id.length !== prefix.length + keyCharacters + 2) return undefined
  const key = fromBase32(id.slice(prefix.length, -2))
  return key && id.endsWith(check(key)) ? key : undefined
}

export function shortId(id: PeerId): string {
  return id.slice(prefix.length, prefix.length + 8)
}

export function circleId(gid: Uint8Array): CircleId {
  if (gid.length !== 32) throw new RangeError(`a key has 32 bytes, not ${gid.length}`)
  return toBase32(gid)
}

export function circleKey(id: string): Uint8Array | undefined {
  return id.length === keyCharacters ? fromBase32(id) : undefined
}

function check(key: Uint8Array): string {
  return toBase32(hash(domain, key).subarray(0, 2)).slice(0, 2)
}
