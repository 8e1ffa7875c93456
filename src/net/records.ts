/**
 * The DNS-SD records of announcements (RFC 6763), as multicast-dns takes and gives them. Pure.
 *
 *   _coterie._udp.local         PTR  <name>._coterie._udp.local
 *   <name>._coterie._udp.local  SRV  0 0 <port> <name>.local
 *                               TXT  "a=<announcement, base64url>"
 *   <name>.local                A | AAAA  the address the packet comes from
 *
 * name: announcementName(), 16 hexadecimal digits. All records are shared ones (no cache-flush bit).
 */
import type { Answer, Packet } from 'multicast-dns'
import {
  announcementName,
  announcementText,
  decodeAnnouncement,
  parseAnnouncementText
} from '../wire/announcement.ts'

export const SERVICE = '_coterie._udp.local'
/** Seconds. */
export const TTL = 300
/** Announcements in a response: four are below 1,400 bytes. */
export const PER_RESPONSE = 4

/** Asks for everybody else: our own instances are given as known answers. */
export function queryOf(own: readonly Uint8Array[]): Packet {
  return {
    questions: [{ name: SERVICE, type: 'PTR' }],
    answers: own.map(bytes => pointer(bytes, TTL))
  }
}

/** At most PER_RESPONSE announcements. `ttl` 0 takes them back. */
export function responseOf(announcements: readonly Uint8Array[], address: string, ttl: number): Packet {
  return {
    answers: announcements.map(bytes => pointer(bytes, ttl)),
    additionals: announcements.flatMap(bytes => details(bytes, address, ttl))
  }
}

/** Whether a query asks for anything of ours that it does not name as known. */
export function asksFor(packet: Packet, own: readonly Uint8Array[]): boolean {
  if (!isPlain(packet)) return false
  const names = own.map(announcementName)
  const known = new Set<string>()
  for (const answer of packet.answers ?? []) {
    if (answer.type === 'PTR' && (answer.ttl ?? 0) >= TTL / 2) known.add(String(answer.data).toLowerCase())
  }
  return (packet.questions ?? []).some(({ name, type }) => {
    const asked = name.toLowerCase()
    if (asked !== SERVICE) return names.some(own => asked === `${own}.${SERVICE}` || asked === `${own}.local`)
    return (type === 'PTR' || type === 'ANY') && names.some(own => !known.has(`${own}.${SERVICE}`))
  })
}

/** The well-formed announcements in a response, each under its own name, no searches; and how many were not so. */
export function announcementsIn(packet: Packet): { found: Uint8Array[]; malformed: number } {
  const found: Uint8Array[] = []
  let malformed = 0
  if (!isPlain(packet)) return { found, malformed }
  for (const record of [...(packet.answers ?? []), ...(packet.additionals ?? [])]) {
    const name = record.name.toLowerCase()
    if (record.type !== 'TXT' || record.ttl === 0 || !name.endsWith(`.${SERVICE}`)) continue
    const item = Array.isArray(record.data) && record.data.map(String).find(text => text.startsWith('a='))
    const bytes = item ? parseAnnouncementText(item.slice(2)) : undefined
    const fits = bytes !== undefined && name === `${announcementName(bytes)}.${SERVICE}`
    if (fits && decodeAnnouncement(bytes)!.port > 0) found.push(bytes)
    else malformed++
  }
  return { found, malformed }
}

const isPlain = (packet: Packet) => packet.opcode === 'QUERY' && packet.rcode === 'NOERROR'

const instance = (bytes: Uint8Array) => `${announcementName(bytes)}.${SERVICE}`

function pointer(bytes: Uint8Array, ttl: number): Answer {
  return { name: SERVICE, type: 'PTR', ttl, data: instance(bytes) }
}

function details(bytes: Uint8Array, address: string, ttl: number): Answer[] {
  const host = `${announcementName(bytes)}.local`
  const port = decodeAnnouncement(bytes)!.port
  return [
    { name: instance(bytes), type: 'SRV', ttl, data: { port, target: host } },
    { name: instance(bytes), type: 'TXT', ttl, data: [Buffer.from(`a=${announcementText(bytes)}`)] },
    { name: host, type: address.includes(':') ? 'AAAA' : 'A', ttl, data: address }
  ]
}
