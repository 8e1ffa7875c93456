/**
 * Announcements, sealed: only members of the circle see who speaks, and only they can speak.
 *
 *   slot  floor(unix seconds / 900); 0xFFFFFFFF while the clock is not set
 *   tag   id[0..16] XOR HMAC-SHA-256(key, "coterie/1 announcement tag\0" | u32 slot | salt 8)[0..16]
 *   mac   HMAC-SHA-256(key, "coterie/1 announcement mac\0" | u32 slot | first 32 bytes)[0..16]
 *
 * key is the circle's discovery key, id the peer's Ed25519 public key. The slot is not sent: who receives tries
 * slot - 1, slot, slot + 1 and 0xFFFFFFFF, under the current key and at most 8 old ones. The address is not
 * under the MAC, so an announcement can be played back: it is a hint where to dial, the handshake proves it.
 *
 * An open invitation has the same shape, a random tag and a MAC under INVITATION_KEY, which everybody knows; a
 * search for one too, with port 0. Both are of slot 0xFFFFFFFF always: under a public key the slot proves
 * nothing, and a device whose clock is wrong by years must be able to join. Nothing in them derives from the code.
 */
import { decodeAnnouncement, encodeAnnouncement, MACED_SIZE } from '../wire/announcement.ts'
import { bytesOf, equal, hmac } from './provider.ts'

/** Seconds. */
export const SLOT_LENGTH = 900
/** The slot of a device whose clock is not set. */
export const UNSYNCHRONISED = 0xffffffff
export const MAX_KEYS = 9
export const SALT_SIZE = 8

const TAG_PREFIX = bytesOf('coterie/1 announcement tag\0')
const MAC_PREFIX = bytesOf('coterie/1 announcement mac\0')
export const INVITATION_KEY = bytesOf('coterie/1 open invitation')

/** Wall-clock seconds since 1970 to the slot; undefined = the clock is not set. */
export function slotAt(seconds: number | undefined): number {
  return seconds === undefined ? UNSYNCHRONISED : Math.floor(seconds / SLOT_LENGTH)
}

/** The bytes to send: 48. Id: 32 bytes (for an open invitation random ones); salt: 8 fresh random bytes. */
export function makeAnnouncement(of: {
  readonly key: Uint8Array
  readonly id: Uint8Array
  readonly port: number
  readonly slot: number
  readonly salt: Uint8Array
}): Uint8Array {
  const slot = u32(of.slot)
  const tag = pad(of.key, slot, of.salt)
  for (let i = 0; i < tag.length; i++) tag[i]! ^= of.id[i]!
  const bytes = encodeAnnouncement({ port: of.port, salt: of.salt, tag, mac: new Uint8Array(16) })
  bytes.set(macOf(of.key, slot, bytes), MACED_SIZE)
  return bytes
}

/** Who announces, as somebody with the key reads it. */
export interface Recognised {
  /** First 16 bytes of the announcer's Ed25519 key in hexadecimal: idPrefix() of the member that it is. */
  readonly prefix: string
  readonly port: number
  /** Which of the given keys it was: 0 = the current one. */
  readonly key: number
  /** False: sent under slot 0xFFFFFFFF, so it may be of any age. */
  readonly synchronised: boolean
  /** Slots by which its clock is ahead of ours: -1, 0 or 1; 0 when it is not synchronised. */
  readonly ahead: number
}

/**
 * The announcer, or undefined when the announcement is malformed, foreign or stale. `keys`: the current
 * discovery key, then old ones, 9 at most; `slot`: ours now. At most 36 HMACs.
 */
export function recognise(
  bytes: Uint8Array,
  keys: readonly Uint8Array[],
  slot: number
): Recognised | undefined {
  const announcement = decodeAnnouncement(bytes)
  if (announcement === undefined || announcement.port === 0) return undefined
  for (const [index, key] of keys.slice(0, MAX_KEYS).entries()) {
    const found = slotOf(bytes, key, slot)
    if (found === undefined) continue
    const id = pad(key, u32(found), announcement.salt)
    for (let i = 0; i < id.length; i++) id[i]! ^= announcement.tag[i]!
    const synchronised = found !== UNSYNCHRONISED
    const ahead = synchronised ? found - slot : 0
    return { prefix: hex(id), port: announcement.port, key: index, synchronised, ahead }
  }
  return undefined
}

/**
 * Whose announcement it is when its clock is wrong by more than a slot: under this key, `reach` slots at most
 * away from ours. 2 * reach HMACs for one that is not of this circle: for people who ask why, not for each packet.
 */
export function recogniseFar(
  bytes: Uint8Array,
  key: Uint8Array,
  slot: number,
  reach: number
): { prefix: string; ahead: number } | undefined {
  const announcement = decodeAnnouncement(bytes)
  if (announcement === undefined || announcement.port === 0) return undefined
  for (let distance = 2; distance <= reach; distance++)
    for (const ahead of [distance, -distance]) {
      const far = slot + ahead
      if (far < 0 || far >= UNSYNCHRONISED) continue
      if (!equal(macOf(key, u32(far), bytes), bytes.subarray(MACED_SIZE))) continue
      const id = pad(key, u32(far), announcement.salt)
      for (let i = 0; i < id.length; i++) id[i]! ^= announcement.tag[i]!
      return { prefix: hex(id), ahead }
    }
  return undefined
}

/** 48 bytes: an open invitation, or with port 0 a search for one. Id: 16 random bytes; salt: 8 fresh ones. */
export function makeInvitation(port: number, id: Uint8Array, salt: Uint8Array): Uint8Array {
  return makeAnnouncement({ key: INVITATION_KEY, id, port, slot: UNSYNCHRONISED, salt })
}

/** An open invitation: its port, 0 for a search, and its id, the same on all interfaces of the inviter. */
export interface Invitation {
  readonly port: number
  /** Hexadecimal. */
  readonly id: string
}

/** undefined for all else. Anybody can make one, and read it. */
export function readInvitation(bytes: Uint8Array): Invitation | undefined {
  const announcement = decodeAnnouncement(bytes)
  if (announcement === undefined || slotOf(bytes, INVITATION_KEY, UNSYNCHRONISED) === undefined)
    return undefined
  const id = pad(INVITATION_KEY, u32(UNSYNCHRONISED), announcement.salt)
  for (let i = 0; i < id.length; i++) id[i]! ^= announcement.tag[i]!
  return { port: announcement.port, id: hex(id) }
}

/** What an announcement shows of an id (32 bytes): key of the table in which to look members up. */
export function idPrefix(id: Uint8Array): string {
  return hex(id.subarray(0, 16))
}

/** The slot under which the MAC holds: around ours, or unsynchronised. */
function slotOf(bytes: Uint8Array, key: Uint8Array, slot: number): number | undefined {
  const around = slot === UNSYNCHRONISED ? [] : [slot, slot - 1, slot + 1]
  for (const candidate of [...around, UNSYNCHRONISED]) {
    if (candidate < 0) continue
    if (equal(macOf(key, u32(candidate), bytes), bytes.subarray(MACED_SIZE))) return candidate
  }
  return undefined
}

function pad(key: Uint8Array, slot: Uint8Array, salt: Uint8Array): Uint8Array {
  return hmac(key, TAG_PREFIX, slot, salt).slice(0, 16)
}

function macOf(key: Uint8Array, slot: Uint8Array, bytes: Uint8Array): Uint8Array {
  return hmac(key, MAC_PREFIX, slot, bytes.subarray(0, MACED_SIZE)).subarray(0, 16)
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
}

function hex(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0')
  return out
}
