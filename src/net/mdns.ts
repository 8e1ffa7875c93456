/**
 * Announcements by multicast DNS (RFC 6762) at one place, as the records of net/records.ts.
 *
 * The names are random, so nothing is probed for, nothing can conflict, and the first packet goes at once.
 * Everything goes to the group; nobody is ever answered by unicast.
 */
import { announcementName } from '../wire/announcement.ts'
import { DnsCoder } from './dns.ts'
import { type Budget, Limits } from './limits.ts'
import { MulticastSocket } from './multicast.ts'
import { announcementsIn, asksFor, PER_RESPONSE, queryOf, responseOf, TTL } from './records.ts'
import { SILENCE, type Speech, type Traffic, type Voice, type VoiceOptions } from './voice.ts'

const GROUPS = { ipv4: '224.0.0.251', ipv6: 'ff02::fb' }
const PORT = 5353
/** Longest packet that is looked at. */
const LIMIT = 1400
/** Milliseconds between two announcements, a little less than Segment's step. */
const SPACING = 950
/** Own packets on an interface are bounded in any span of so many milliseconds. */
export const MDNS_SPAN = 15_000
/** Of the budget, what answers may use; the rest is for announcements and queries. */
const FOR_ANSWERS = 0.5

export interface MdnsOptions extends VoiceOptions {
  readonly budget: Budget
}

export class Mdns implements Voice {
  readonly opened: Promise<void>
  readonly #options: MdnsOptions
  readonly #socket: MulticastSocket
  readonly #coder: DnsCoder
  #speech = SILENCE
  #due: NodeJS.Timeout | undefined
  #saidAt = -Infinity

  constructor(options: MdnsOptions) {
    this.#options = options
    const { place } = options
    this.#socket = new MulticastSocket({
      place,
      group: { address: GROUPS[place.family], port: PORT, ttl: 255 },
      limits: [new Limits(), options.limits],
      kind: 'group',
      limit: LIMIT,
      tally: options.tally,
      concerns: datagram => this.#concerns(datagram),
      onDatagram: (datagram, source, port) => this.#coder.receive(datagram, source, port),
      onDrop: why => options.count(why)
    })
    this.#coder = new DnsCoder({
      send: bytes => this.#socket.send(bytes),
      onQuery: packet => {
        if (asksFor(packet, this.#speech.announcements)) this.#answerSoon()
      },
      onResponse: (packet, source, port) => {
        const { found, malformed } = announcementsIn(packet)
        if (port !== PORT || malformed > 0) options.count('malformed')
        if (port === PORT) for (const bytes of found) options.onHeard(bytes, source, 'mdns')
      },
      onMalformed: () => options.count('malformed')
    })
    this.opened = this.#socket.opened
  }

  get state(): string {
    return this.#socket.state
  }

  get traffic(): Traffic {
    return this.#socket.traffic
  }

  set(speech: Speech): void {
    this.#speech = speech
    this.#saidAt = -Infinity
    this.#cancel()
  }

  announce(): void {
    if (performance.now() - this.#saidAt >= SPACING) this.#say(TTL, 1)
  }

  query(): void {
    const { announcements, searchers } = this.#speech
    if (searchers.length === 0 || !this.#options.budget.take(performance.now())) return
    this.#coder.query(queryOf(announcements))
  }

  /** Takes the current names back, for those who list services. */
  goodbye(): void {
    this.#say(0, 1)
  }

  close(): void {
    this.#cancel()
    this.#socket.close()
  }

  #concerns(datagram: Buffer): boolean {
    if (datagram.includes('_coterie', 0, 'latin1')) return true
    return this.#speech.announcements.some(bytes => datagram.includes(announcementName(bytes), 0, 'latin1'))
  }

  /** After 20 to 120 ms (RFC 6762 6), and no record twice in a second. */
  #answerSoon(): void {
    const wait = Math.max(20 + Math.random() * 100, this.#saidAt + SPACING - performance.now())
    this.#due ??= setTimeout(() => this.#say(TTL, FOR_ANSWERS), wait)
  }

  #cancel(): void {
    clearTimeout(this.#due)
    this.#due = undefined
  }

  #say(ttl: number, share: number): void {
    const { announcements } = this.#speech
    this.#cancel()
    for (let i = 0; i < announcements.length; i += PER_RESPONSE) {
      if (!this.#options.budget.take(performance.now(), share)) {
        // New names must be said; an answer may be left out, they will ask again.
        if (share === 1 && ttl > 0) this.#due = setTimeout(() => this.#say(ttl, share), MDNS_SPAN)
        return
      }
      const some = announcements.slice(i, i + PER_RESPONSE)
      this.#coder.respond(responseOf(some, this.#options.place.address, ttl))
      this.#saidAt = performance.now()
    }
  }
}
