/**
 * SSDP messages of Coterie: three fixed texts around one announcement (base64url, 64 characters). CRLF lines.
 *
 *   search                               notify                              answer
 *   M-SEARCH * HTTP/1.1                  NOTIFY * HTTP/1.1                   HTTP/1.1 200 OK
 *   HOST: <group>:1900                   HOST: <group>:1900                  CACHE-CONTROL: max-age=180
 *   MAN: "ssdp:discover"                 CACHE-CONTROL: max-age=180          EXT:
 *   MX: 1                                NT: urn:coterie:service:mesh:1      ST: urn:coterie:service:mesh:1
 *   ST: urn:coterie:service:mesh:1       NTS: ssdp:alive                     USN: uuid:<tag>::urn:coterie:…
 *   ANNOUNCEMENT.COTERIE.ORG: <text>     USN: uuid:<tag>::urn:coterie:…      ANNOUNCEMENT.COTERIE.ORG: <text>
 *   PADDING.COTERIE.ORG: 000…            ANNOUNCEMENT.COTERIE.ORG: <text>
 *
 * The padding makes a search SEARCH_SIZE bytes, more than any answer. There is no LOCATION (nothing to fetch),
 * no SERVER and no version. Of what comes in only the first line, ST or NT (exactly the one above), NTS and the
 * announcement are read; all else is ignored. An announcement with port 0 may stand in a search only.
 */
import {
  announcementText,
  announcementUuid,
  decodeAnnouncement,
  parseAnnouncementText
} from './announcement.ts'

export const SSDP_PORT = 1900
export const SSDP_TARGET = 'urn:coterie:service:mesh:1'
/** Nothing longer is looked at. */
export const SSDP_LIMIT = 512
export const SEARCH_SIZE = 320
const MAX_AGE = 180

export type SsdpKind = 'search' | 'notify' | 'answer'
export interface SsdpMessage {
  readonly kind: SsdpKind
  /** 48 bytes, well-formed. */
  readonly announcement: Uint8Array
}

/** The group's address as HOST wants it: `239.255.255.250` or `[ff02::c]`. */
export function encodeSsdp(kind: SsdpKind, announcement: Uint8Array, group: string): Uint8Array {
  const usn = `USN: uuid:${announcementUuid(announcement)}::${SSDP_TARGET}`
  const tail = `ANNOUNCEMENT.COTERIE.ORG: ${announcementText(announcement)}`
  const host = `HOST: ${group}:${SSDP_PORT}`
  const age = `CACHE-CONTROL: max-age=${MAX_AGE}`
  if (kind === 'notify') {
    return ascii(['NOTIFY * HTTP/1.1', host, age, `NT: ${SSDP_TARGET}`, 'NTS: ssdp:alive', usn, tail, '', ''])
  }
  if (kind === 'answer')
    return ascii(['HTTP/1.1 200 OK', age, 'EXT:', `ST: ${SSDP_TARGET}`, usn, tail, '', ''])
  const search = ['M-SEARCH * HTTP/1.1', host, 'MAN: "ssdp:discover"', 'MX: 1', `ST: ${SSDP_TARGET}`, tail]
  const bare = ascii([...search, 'PADDING.COTERIE.ORG: ', '', '']).length
  return ascii([...search, `PADDING.COTERIE.ORG: ${'0'.repeat(SEARCH_SIZE - bare)}`, '', ''])
}

/** Undefined for everything that is not one of the three with our exact target. Never throws. */
export function decodeSsdp(bytes: Uint8Array): SsdpMessage | undefined {
  if (bytes.length > SSDP_LIMIT) return undefined
  let text = ''
  for (const byte of bytes) {
    if (byte > 0x7e || (byte < 0x20 && byte !== 0x0d && byte !== 0x0a && byte !== 0x09)) return undefined
    text += String.fromCharCode(byte)
  }
  const [first, ...lines] = text.split('\r\n')
  const kind = kindOf(first!)
  if (kind === undefined) return undefined
  const headers = new Map<string, string>()
  for (const line of lines) {
    if (line === '') break
    const colon = line.indexOf(':')
    if (colon < 1) return undefined
    const name = line.slice(0, colon).toUpperCase()
    if (headers.has(name)) return undefined
    headers.set(name, line.slice(colon + 1).trim())
  }
  if (headers.get(kind === 'notify' ? 'NT' : 'ST') !== SSDP_TARGET) return undefined
  if (kind === 'notify' && headers.get('NTS') !== 'ssdp:alive') return undefined
  if (kind === 'search' && headers.get('MAN') !== '"ssdp:discover"') return undefined
  const announcement = parseAnnouncementText(headers.get('ANNOUNCEMENT.COTERIE.ORG') ?? '')
  if (announcement === undefined) return undefined
  if (decodeAnnouncement(announcement)!.port === 0 && kind !== 'search') return undefined
  return { kind, announcement }
}

function kindOf(line: string): SsdpKind | undefined {
  if (line === 'M-SEARCH * HTTP/1.1') return 'search'
  if (line === 'NOTIFY * HTTP/1.1') return 'notify'
  return line === 'HTTP/1.1 200 OK' ? 'answer' : undefined
}

function ascii(lines: readonly string[]): Uint8Array {
  const text = lines.join('\r\n')
  return Uint8Array.from(text, c => c.charCodeAt(0))
}
