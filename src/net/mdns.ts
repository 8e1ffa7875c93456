/**
 * Announcements by multicast DNS (RFC 6762, 6763) at one place: service `_coterie._udp`, instance and host
 * named after the tag, the announcement in TXT `a=`.
 *
 * All records are shared ones: their names are random, so nothing is probed for, nothing can conflict, and the
 * first packet goes at once. Everything goes to the group; nobody is ever answered by unicast. A query names
 * our own instances as known answers, which keeps us from answering ourselves.
 */
import { EventEmitter } from 'node:events'
import multicastDns, { type Answer, type MulticastDns, type Packet } from 'multicast-dns'
import {
  announcementName,
  announcementText,
  decodeAnnouncement,
  parseAnnouncementText
} from '../wire/announcement.ts'
import type { Budget } from './limits.ts'
import { MulticastSocket } from './multicast.ts'
import type { Place } from './place.ts'
import type { Voice, VoiceOptions } from './voice.ts'

const GROUPS = { ipv4: '224.0.0.251', ipv6: 'ff02::fb' }
const PORT = 5353
const SERVICE = '_coterie._udp.local'
/** Seconds. */
const TTL = 300
/** Longest packet that is looked at; and announcements in one packet, so that ours stay below it. */
const LIMIT = 1400
const PER_PACKET = 4
/** Milliseconds between two of the same, a little less than Segment's step. */
const SPACING = 950
/** Of the budget, what answers leave to announcements and queries. */
const RESERVED = 4

export class Mdns implements Voice {
  readonly opened: Promise<void>
  readonly #options: VoiceOptions & { readonly budget: Budget }
  readonly #socket: MulticastSocket
  /** Stands for the socket towards multicast-dns, which so becomes a coder of what has passed our guards. */
  readonly #filtered = new EventEmitter()
  readonly #dns: MulticastDns
  #announcements: readonly Uint8Array[] = []
  #answer: NodeJS.Timeout | undefined
  #saidAt = -Infinity

  constructor(options: VoiceOptions & { readonly budget: Budget }) {
    this.#options = options
    const { place } = options
    const group = { address: GROUPS[place.family], port: PORT, ttl: 255 }
    this.#socket = new MulticastSocket({
      place,
      group,
      kind: 'group',
      limit: LIMIT,
      concerns: datagram => this.#concerns(datagram),
      onDatagram: (datagram, address, port) => this.#filtered.emit('message', datagram, { address, port }),
      onDrop: why => options.count(why)
    })
    this.opened = this.#socket.opened
    Object.assign(this.#filtered, {
      send: (bytes: Buffer, _from: number, _size: number, _port: number, _to: string, done?: () => void) => {
        this.#socket.send(bytes)
        done?.()
      },
      close: (done?: () => void) => done?.()
    })
    this.#dns = multicastDns({
      socket: this.#filtered,
      type: place.family === 'ipv4' ? 'udp4' : 'udp6',
      ip: group.address,
      interface: place.address,
      port: PORT,
      bind: false,
      multicast: false
    })
    this.#dns.on('warning', () => options.count('malformed'))
    this.#dns.on('query', (packet: Packet) => this.#asked(packet))
    this.#dns.on('response', (packet: Packet, from: { address: string; port: number }) =>
      this.#told(packet, from)
    )
  }

  get state(): string {
    return this.#socket.state
  }

  set(announcements: readonly Uint8Array[]): void {
    this.#announcements = announcements
    this.#saidAt = -Infinity
    if (announcements.length === 0) this.#cancel()
  }

  announce(): void {
    if (performance.now() - this.#saidAt >= SPACING) this.#say(TTL, 0)
  }

  query(): void {
    if (this.#announcements.length === 0 || !this.#options.budget.take(performance.now())) return
    this.#dns.query({
      questions: [{ name: SERVICE, type: 'PTR' }],
      answers: this.#announcements.map(bytes => pointer(announcementName(bytes), TTL))
    })
  }

  /** Takes the current names back, for those who list services. */
  goodbye(): void {
    this.#say(0, 0)
  }

  close(): void {
    this.#cancel()
    this.#dns.destroy()
    this.#socket.close()
  }

  #cancel(): void {
    clearTimeout(this.#answer)
    this.#answer = undefined
  }

  #say(ttl: number, keep: number): void {
    this.#cancel()
    const { place, budget } = this.#options
    for (let i = 0; i < this.#announcements.length; i += PER_PACKET) {
      if (!budget.take(performance.now(), keep)) return
      const some = this.#announcements.slice(i, i + PER_PACKET)
      this.#dns.respond({
        answers: some.map(bytes => pointer(announcementName(bytes), ttl)),
        additionals: some.flatMap(bytes => details(bytes, place, ttl))
      })
    }
    this.#saidAt = performance.now()
  }

  #concerns(datagram: Buffer): boolean {
    if (datagram.includes('_coterie', 0, 'latin1')) return true
    return this.#announcements.some(bytes => datagram.includes(announcementName(bytes), 0, 'latin1'))
  }

  /** Answers come 20 to 120 ms later (RFC 6762 6), and no record twice in a second. */
  #asked(packet: Packet): void {
    if (this.#answer !== undefined || !isPlain(packet)) return
    const names = this.#announcements.map(announcementName)
    const known = new Set<string>()
    for (const answer of packet.answers ?? []) {
      if (answer.type === 'PTR' && (answer.ttl ?? 0) >= TTL / 2) known.add(String(answer.data).toLowerCase())
    }
    const wanted = (packet.questions ?? []).some(({ name, type }) => {
      const asked = name.toLowerCase()
      if (asked === SERVICE) {
        return (type === 'PTR' || type === 'ANY') && names.some(own => !known.has(`${own}.${SERVICE}`))
      }
      return names.some(own => asked === `${own}.${SERVICE}` || asked === `${own}.local`)
    })
    if (!wanted) return
    const wait = Math.max(20 + Math.random() * 100, this.#saidAt + 1000 - performance.now())
    this.#answer = setTimeout(() => this.#say(TTL, RESERVED), wait)
  }

  #told(packet: Packet, from: { address: string; port: number }): void {
    if (from.port !== PORT || !isPlain(packet)) return
    for (const record of [...(packet.answers ?? []), ...(packet.additionals ?? [])]) {
      if (record.type !== 'TXT' || record.ttl === 0 || !Array.isArray(record.data)) continue
      for (const item of record.data) {
        const text = String(item)
        if (!text.startsWith('a=')) continue
        const bytes = parseAnnouncementText(text.slice(2))
        if (bytes === undefined || record.name.toLowerCase() !== `${announcementName(bytes)}.${SERVICE}`) {
          this.#options.count('malformed')
          continue
        }
        this.#options.onHeard(bytes, from.address, 'mdns')
      }
    }
  }
}

const isPlain = (packet: Packet) => packet.opcode === 'QUERY' && packet.rcode === 'NOERROR'
const pointer = (name: string, ttl: number): Answer => ({
  name: SERVICE,
  type: 'PTR',
  ttl,
  data: `${name}.${SERVICE}`
})

function details(bytes: Uint8Array, place: Place, ttl: number): Answer[] {
  const name = announcementName(bytes)
  const port = decodeAnnouncement(bytes)!.port
  return [
    { name: `${name}.${SERVICE}`, type: 'SRV', ttl, data: { port, target: `${name}.local` } },
    { name: `${name}.${SERVICE}`, type: 'TXT', ttl, data: [Buffer.from(`a=${announcementText(bytes)}`)] },
    { name: `${name}.local`, type: place.family === 'ipv4' ? 'A' : 'AAAA', ttl, data: place.address }
  ]
}
