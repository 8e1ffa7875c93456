/**
 * A circle of very many devices, each with a mesh core of its own: links are latency and loss, signatures are
 * believed, records are shared by all who have them. It begins in the middle of things: all have heard of all.
 *
 *   const crowd = new Crowd({ devices: 1_000, seed: 1 })
 *   crowd.start()
 *   crowd.run(60_000)
 */
import { createHash } from 'node:crypto'
import { peerId } from '../../src/crypto/identity.ts'
import { Members } from '../../src/mesh/members.ts'
import type { PeerView } from '../../src/mesh/mesh.ts'
import { parseAddress } from '../../src/wire/address.ts'
import type { PeerRecord } from '../../src/wire/gossip.ts'
import { decodeRecord, signable, signedRecord, unsignedRecord } from '../../src/wire/gossip.ts'
import { generator } from '../random.ts'
import { Unit } from './unit.ts'
import { Wheel } from './wheel.ts'

export interface CrowdOptions {
  readonly devices: number
  readonly seed: number
  /** One way, whole milliseconds. */
  readonly latencyMs?: number
  readonly jitterMs?: number
  /** Share of packets that are lost, each way. */
  readonly loss?: number
  /** Clocks differ by up to this share in rate, and in where they begin. */
  readonly skew?: number
  /** Share of devices that run on battery. */
  readonly onBattery?: number
}

const INCARNATION = 1_000
const RETRANSMISSION = 200

/** What stands for Ed25519: it is never checked. */
export function sign(body: Uint8Array): Uint8Array {
  const digest = createHash('sha256').update(body).digest()
  return Buffer.concat([digest, digest])
}

export class Crowd {
  readonly wheel = new Wheel()
  readonly options: CrowdOptions
  readonly random: () => number
  readonly members: Members
  readonly units: readonly Unit[]
  readonly #places = new Map<string, Unit>()
  readonly #pool: PeerRecord[][]
  #address = 0
  /** Devices of other parts cannot be reached: the part of each. */
  readonly parts: Uint8Array
  /** Ways that are cut in one direction: from × devices + to. */
  readonly cuts = new Set<number>()
  /** How often a core said of one that was there that it is gone; and the first of these. */
  alarms = 0
  firstAlarms: string[] = []
  /** The change that is followed: whose, since when, and how many have heard of it at which hop. */
  followed = { peer: '', since: 0, heard: 0, hops: 0, lastAt: 0 }

  constructor(options: CrowdOptions) {
    this.options = options
    this.random = generator(options.seed)
    const keys = Array.from({ length: options.devices }, (_, i) =>
      createHash('sha256').update(`device ${i} of ${options.seed}`).digest()
    )
    this.members = new Members(keys.map(peerId))
    this.parts = new Uint8Array(options.devices)
    this.#pool = keys.map(() => [])
    const { skew = 0, onBattery = 0 } = options
    this.units = this.members.ids.map((id, number) => {
      const clock = { offset: skew * 1e9 * this.random(), rate: 1 + skew * (2 * this.random() - 1) }
      return new Unit(this, number, id, clock, this.random() < onBattery)
    })
    for (const unit of this.units) this.move(unit)
  }

  get now(): number {
    return this.wheel.now
  }

  /** All processes begin, one after another; they know each other's records from before. */
  start(withinMs = 3_000): void {
    const records = this.units.map(unit => this.#record(unit))
    for (const unit of this.units)
      this.wheel.after(this.random() * withinMs, () => unit.start(INCARNATION, records))
    this.run(withinMs)
  }

  run(ms: number): void {
    this.wheel.run(ms)
  }

  /** To another address. */
  move(unit: Unit): void {
    this.#places.delete(unit.address)
    const host = ++this.#address
    unit.address = `tcp://10.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}:24747`
    this.#places.set(unit.address, unit)
    unit.moved()
  }

  unit(id: string): Unit {
    return this.units[this.members.number(id)]!
  }

  /** Forgets the alarms so far. */
  calm(): void {
    this.alarms = 0
    this.firstAlarms = []
  }

  /** The last records. */
  get records(): PeerRecord[] {
    return this.#pool.map(pool => pool.at(-1)!)
  }

  at(address: string): Unit | undefined {
    return this.#places.get(address)
  }

  /** A packet on its way from one to the other arrives. */
  way(from: Unit, to: Unit): boolean {
    return (
      this.parts[from.number] === this.parts[to.number] &&
      to.awake &&
      (this.cuts.size === 0 || !this.cuts.has(from.number * this.units.length + to.number))
    )
  }

  lost(): boolean {
    return this.random() < (this.options.loss ?? 0)
  }

  /** One way of a packet that arrives. */
  delay(): number {
    const { latencyMs = 20, jitterMs = 10 } = this.options
    return Math.max(1, Math.floor(latencyMs + jitterMs * (2 * this.random() - 1)))
  }

  /** The same on a connection, where what is lost is sent again. */
  streamDelay(): number {
    let delay = this.delay()
    for (let wait = RETRANSMISSION; this.lost() && wait < 10_000; wait *= 2) delay += wait
    return delay
  }

  /** One record object for all. */
  readonly decode = (bytes: Uint8Array): PeerRecord | undefined => {
    const member = this.members.owner(bytes, 1)
    const known = member < 0 ? undefined : this.#pool[member]!.find(record => same(record.bytes, bytes))
    return known ?? this.#keep(decodeRecord(bytes))
  }

  /** A core shows that one as unreachable. */
  judged(unit: Unit, view: PeerView): void {
    const other = this.unit(view.id)
    if (!other.running || !this.way(unit, other) || !this.way(other, unit)) return
    if (++this.alarms <= 10)
      this.firstAlarms.push(`${this.now} ${unit.number} ${other.number} ${view.reason} ${view.evidence.how}`)
  }

  /** Follows the next record of that device through the crowd. */
  follow(unit: Unit): void {
    this.followed = { peer: unit.id, since: this.now, heard: 1, hops: 0, lastAt: this.now }
    for (const each of this.units) each.hop = -1
    unit.hop = 0
  }

  #keep(record: PeerRecord | undefined): PeerRecord | undefined {
    if (record === undefined) return undefined
    const pool = this.#pool[this.members.owner(record.id, 0)]!
    pool.push(record)
    if (pool.length > 8) pool.shift()
    return record
  }

  #record(unit: Unit): PeerRecord {
    const key = this.members.keys[unit.number]!
    const unsigned = unsignedRecord(key, INCARNATION, [parseAddress(unit.address)!], {
      onBattery: unit.onBattery
    })
    return this.#keep(signedRecord(unsigned, sign(signable(unsigned))))!
  }
}

/** The incarnation and the end of the signature tell records of one owner apart. */
function same(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let i = 33; i < 42; i++) if (one[i] !== other[i]) return false
  return one[one.length - 1] === other[other.length - 1]
}
