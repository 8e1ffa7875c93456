/**
 * Announcements by SSDP at one place: our own few lines of it (docs/decisions/0031), in IPv4 and IPv6.
 *
 * A NOTIFY or a search that is heard is itself an announcement, so nothing depends on unicast answers. Only a
 * search by a member of one of our circles (for an open invitation: by anybody) is answered: to the searcher, never more bytes than it sent, and by
 * a NOTIFY, at most one a second, for searchers whose firewall drops the answer.
 */
import { decodeSsdp, encodeSsdp, SSDP_LIMIT, SSDP_PORT, SSDP_TARGET, type SsdpMessage } from '../wire/ssdp.ts'
import { Limits } from './limits.ts'
import { type Group, MulticastSocket } from './multicast.ts'
import { SILENCE, type Speech, type Traffic, type Voice, type VoiceOptions } from './voice.ts'

const GROUPS = { ipv4: '239.255.255.250', ipv6: 'ff02::c' }
const UNPRIVILEGED = 1024
/** Announcements, and searches, of different circles in a second. */
const PER_SECOND = 4
/** Milliseconds between two announcements, a little less than Segment's step. */
const SPACING = 950

export interface SsdpOptions extends VoiceOptions {
  /** Our announcement in the circle of this searcher; undefined for strangers and for ourselves. */
  readonly reply: (searcher: Uint8Array) => Uint8Array | undefined
  /** Whether a packet to this address leaves by this interface and no other. */
  readonly leavesHere: (address: string) => boolean
}

export class Ssdp implements Voice {
  readonly opened: Promise<void>
  readonly #options: SsdpOptions
  readonly #group: Group
  readonly #host: string
  readonly #limits = new Limits()
  readonly #ears: MulticastSocket
  /** Speaks from a port of its own, a new one with each new announcement. */
  #mouth: MulticastSocket | undefined
  #speech = SILENCE
  #saidAt = -Infinity
  #due: NodeJS.Timeout | undefined

  constructor(options: SsdpOptions) {
    this.#options = options
    const six = options.place.family === 'ipv6'
    this.#group = { address: GROUPS[options.place.family], port: SSDP_PORT, ttl: 1 }
    this.#host = six ? `[${this.#group.address}]` : this.#group.address
    this.#ears = this.#open('group')
    this.opened = this.#ears.opened
  }

  get state(): string {
    return this.#ears.state || (this.#mouth?.state ?? '')
  }

  get traffic(): Traffic {
    return { ...this.#ears.traffic, said: this.#mouth?.traffic.said ?? [] }
  }

  set(speech: Speech): void {
    this.#speech = speech
    this.#saidAt = -Infinity
    clearTimeout(this.#due)
    this.#due = undefined
    this.#mouth?.close()
    this.#mouth = Object.values(speech).every(list => list.length === 0) ? undefined : this.#open('own')
  }

  announce(): void {
    const wait = this.#saidAt + SPACING - performance.now()
    if (wait > 0) {
      this.#due ??= setTimeout(() => {
        this.#due = undefined
        this.announce()
      }, wait)
      return
    }
    clearTimeout(this.#due)
    this.#due = undefined
    this.#saidAt = performance.now()
    this.#say('notify', this.#speech.announcements)
  }

  query(): void {
    this.#say('search', this.#speech.searchers)
  }

  /** Nothing: those who heard us know us by our sessions, and nobody else lists us. */
  goodbye(): void {}

  close(): void {
    clearTimeout(this.#due)
    this.#mouth?.close()
    this.#ears.close()
  }

  #open(kind: 'group' | 'own'): MulticastSocket {
    return new MulticastSocket({
      place: this.#options.place,
      group: this.#group,
      limits: [this.#limits, this.#options.limits],
      kind,
      limit: SSDP_LIMIT,
      tally: this.#options.tally,
      concerns: datagram => datagram.includes(SSDP_TARGET, 0, 'latin1'),
      onDatagram: (datagram, source, port) => this.#receive(datagram, source, port),
      onDrop: why => this.#options.count(why)
    })
  }

  /** With many circles a few each second, so that receivers' limits let all through. */
  #say(kind: 'notify' | 'search', announcements: readonly Uint8Array[]): void {
    const mouth = this.#mouth
    const datagrams = announcements.map(bytes => encodeSsdp(kind, bytes, this.#host))
    void mouth?.opened.then(() => {
      for (const [i, datagram] of datagrams.entries()) {
        if (i < PER_SECOND) mouth.send(datagram)
        else setTimeout(() => mouth.send(datagram), Math.floor(i / PER_SECOND) * 1000).unref()
      }
    })
  }

  #receive(datagram: Buffer, source: string, port: number): void {
    const message = decodeSsdp(datagram)
    if (message === undefined) {
      this.#options.count('malformed')
      return
    }
    this.#options.onHeard(message.announcement, source, 'ssdp')
    if (message.kind === 'search') this.#answer(message, datagram.length, source, port)
  }

  #answer(search: SsdpMessage, size: number, address: string, port: number): void {
    if (this.#mouth === undefined) return
    const own = this.#options.reply(search.announcement)
    if (own === undefined) return
    const answer = encodeSsdp('answer', own, this.#host)
    if (port >= UNPRIVILEGED && answer.length <= size && this.#options.leavesHere(address)) {
      this.#options.count('answered')
      this.#mouth.send(answer, { address, port })
    }
    this.announce()
  }
}
