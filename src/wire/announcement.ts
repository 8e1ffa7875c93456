/**
 * Announcements: what a device says by multicast. One for each circle and interface; 48 bytes.
 *
 *   "CB" | u8 version = 1 | u8 flags = 0 | u16 port | u16 0 | salt 8 | tag 16 | mac 16
 *
 * The port is that of the session listener; the address is the source of the packet. Port 0 is a search for open
 * invitations: somebody asks, and is not to be dialled; it stands in an SSDP M-SEARCH only. Tag and MAC are
 * crypto/announcement.ts. Nothing else about the device is said anywhere: every name that the carrying
 * protocols need (mDNS instance and host, SSDP USN) is derived from the tag.
 */
export const ANNOUNCEMENT_SIZE = 48
/** The part that the MAC covers. */
export const MACED_SIZE = 32
const VERSION = 1

export interface Announcement {
  /** TCP and UDP port of the listener, 1 to 65,535; 0 = a search. */
  readonly port: number
  /** 8 bytes. */
  readonly salt: Uint8Array
  /** 16 bytes. */
  readonly tag: Uint8Array
  /** 16 bytes. */
  readonly mac: Uint8Array
}

export function encodeAnnouncement(value: Announcement): Uint8Array {
  const bytes = new Uint8Array(ANNOUNCEMENT_SIZE)
  bytes.set([0x43, 0x42, VERSION, 0, value.port >> 8, value.port & 0xff])
  bytes.set(value.salt, 8)
  bytes.set(value.tag, 16)
  bytes.set(value.mac, 32)
  return bytes
}

/** Strict: undefined unless every fixed byte is as above. The parts are views of the given bytes. */
export function decodeAnnouncement(bytes: Uint8Array): Announcement | undefined {
  if (bytes.length !== ANNOUNCEMENT_SIZE) return undefined
  if (bytes[0] !== 0x43 || bytes[1] !== 0x42 || bytes[2] !== VERSION) return undefined
  if (bytes[3] !== 0 || bytes[6] !== 0 || bytes[7] !== 0) return undefined
  const port = (bytes[4]! << 8) | bytes[5]!
  return { port, salt: bytes.subarray(8, 16), tag: bytes.subarray(16, 32), mac: bytes.subarray(32, 48) }
}

/** Instance and host name of this announcement in mDNS: 16 hexadecimal digits. */
export function announcementName(bytes: Uint8Array): string {
  return hex(bytes.subarray(16, 24))
}

/** The same as the UUID that SSDP wants. */
export function announcementUuid(bytes: Uint8Array): string {
  const text = hex(bytes.subarray(16, 32))
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join(
    '-'
  )
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
export const ANNOUNCEMENT_TEXT = 64

/** As base64url, 64 characters: the form that TXT records and SSDP headers carry. */
export function announcementText(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < ANNOUNCEMENT_SIZE; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    for (const shift of [18, 12, 6, 0]) text += ALPHABET[(group >> shift) & 63]
  }
  return text
}

/** The bytes of a well-formed announcement in that form, else undefined. */
export function parseAnnouncementText(text: string): Uint8Array | undefined {
  if (text.length !== ANNOUNCEMENT_TEXT) return undefined
  const bytes = new Uint8Array(ANNOUNCEMENT_SIZE)
  for (let i = 0; i < ANNOUNCEMENT_TEXT; i += 4) {
    let group = 0
    for (let k = 0; k < 4; k++) {
      const value = ALPHABET.indexOf(text[i + k]!)
      if (value < 0) return undefined
      group = (group << 6) | value
    }
    const at = (i / 4) * 3
    bytes[at] = group >> 16
    bytes[at + 1] = (group >> 8) & 0xff
    bytes[at + 2] = group & 0xff
  }
  return decodeAnnouncement(bytes) === undefined ? undefined : bytes
}

function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
