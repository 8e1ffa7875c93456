/** A computer as the daemon wires it for discovery: its circles' announcers, Discovery, invitations, rotation. */
import { peerId } from '../../src/crypto/identity.ts'
import { ed25519 } from '../../src/crypto/provider.ts'
import { Announcer } from '../../src/daemon/circle/announcer.ts'
import { OpenDiscovery } from '../../src/daemon/network/open-discovery.ts'
import { Rotation } from '../../src/daemon/network/rotation.ts'
import { Discovery, type DiscoveryInterface } from '../../src/net/discovery.ts'
import type { Card, Kernel } from './kernel.ts'

/** What may be left as it was, to see that the observer would notice. */
export type Kept =
  | 'nothing'
  | 'everything, at a new slot'
  | 'everything, at a new MAC address'
  | 'the salt'
  | 'the tag'
  | 'the MAC of the announcement'
  | 'mDNS names'
  | 'the USN'
  | 'the source port'
  | 'an announcement, on two interfaces'
  | 'the salt, in two circles'
  | 'a host name'

export interface SharedCircle {
  key: Uint8Array
  readonly members: Map<string, unknown>
}

export class Computer {
  readonly name: string
  readonly port: number
  readonly kept: Kept
  readonly cards = new Map<string, { card: Card; connection: string }>()
  readonly circles: { readonly shared: SharedCircle; readonly announcer: Announcer }[] = []
  readonly rotated: number[] = []
  readonly #kernel: Kernel
  readonly #wall: () => number
  readonly #first = new Map<string, Uint8Array>()
  readonly #rotation: Rotation
  readonly open = new OpenDiscovery(() => {})
  #discovery: Discovery
  heard = 0

  constructor(kernel: Kernel, start: number, name: string, of: { port?: number; kept?: Kept } = {}) {
    this.#kernel = kernel
    this.#wall = () => start + kernel.clock.now
    this.name = name
    this.port = of.port ?? 24_747
    this.kept = of.kept ?? 'nothing'
    this.#rotation = new Rotation(() => this.rotate())
    this.#discovery = this.#make()
  }

  join(shared: SharedCircle): void {
    const { publicKey } = ed25519(this.#random(32))
    const self = peerId(publicKey)
    shared.members.set(self, {})
    const membership = {
      self,
      own: {},
      lost: { devices: new Map() },
      members: shared.members,
      get discoveryKeys() {
        return [shared.key]
      }
    }
    const announcer = new Announcer(membership as unknown as ConstructorParameters<typeof Announcer>[0], {
      now: () => this.#kernel.clock.now,
      wall: this.#wall,
      random: length => this.#salt(length)
    })
    this.circles.push({ shared, announcer })
  }

  start(): void {
    for (const { announcer } of this.circles) announcer.membersChanged()
    if (this.kept !== 'everything, at a new slot') this.#rotation.start()
    this.#apply()
  }

  /** The daemon ends and starts again. */
  async restart(): Promise<void> {
    await this.#discovery.stop()
    this.#discovery = this.#make()
    this.#apply()
  }

  rotate(): void {
    this.rotated.push(this.#kernel.clock.now)
    this.#discovery.rotate()
    this.open.rotate()
  }

  /** A card is plugged in, or is another one from now on. */
  plug(card: Card, connection: string): void {
    const before = this.cards.get(card.name)?.card
    this.#kernel.cards.set(card.name, card)
    const told =
      this.kept === 'everything, at a new MAC address' && before?.four === card.four ? before : card
    this.cards.set(card.name, { card: told, connection })
  }
  changed(): void {
    this.#apply()
  }

  #apply(): void {
    const interfaces = [...this.cards.values()].map(({ card, connection }, i): DiscoveryInterface => {
      const { name, mac, four, six } = card
      const addresses = [
        { address: four, prefix: 24 },
        { address: six, prefix: 64 }
      ]
      return {
        name,
        mac,
        connection,
        addresses,
        index: i + 2,
        policy: 'announce',
        port: this.port,
        multicast: true
      }
    })
    this.open.apply(interfaces)
    void this.#discovery.apply(interfaces)
  }

  #make(): Discovery {
    return new Discovery({
      log: () => {},
      onHeard: ({ announcement }) => {
        if (this.circles.some(({ announcer }) => announcer.read(announcement))) this.heard++
      },
      announcements: (name, port) =>
        this.circles.flatMap(({ announcer }, i) => {
          const bytes = announcer.make(port)
          return bytes === undefined ? [] : [{ circle: String(i), bytes: this.#tamper(bytes, i, name) }]
        }),
      circleOf: announcement => {
        const at = this.circles.findIndex(({ announcer }) => announcer.recognises(announcement))
        return at < 0 ? undefined : String(at)
      }
    })
  }

  #salt(length: number): Uint8Array {
    if (this.kept === 'the salt') return new Uint8Array(length).fill(7)
    if (this.kept !== 'the salt, in two circles') return this.#random(length)
    return new Uint8Array(length).fill(1 + (Math.floor(this.#kernel.clock.now) % 251))
  }

  #tamper(bytes: Uint8Array, circle: number, name: string): Uint8Array {
    const keep = (key: string, from: number, to: number) => {
      const first = this.#first.get(key) ?? bytes.slice(from, to)
      this.#first.set(key, first)
      bytes.set(first, from)
    }
    if (this.kept === 'the tag') keep(`${circle} ${name}`, 16, 32)
    if (this.kept === 'the MAC of the announcement') keep(`${circle} ${name}`, 32, 48)
    if (this.kept === 'an announcement, on two interfaces') keep(`${circle} ${this.rotated.length}`, 8, 48)
    return bytes
  }

  #random(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.#kernel.random() * 256))
  }
}
