/** One device of a crowd: its core, and what the daemon and the kernel around it do, counted in packets and bytes. */
import type { Output } from '../../src/mesh/mesh.ts'
import { Mesh } from '../../src/mesh/mesh.ts'
import { Kind } from '../../src/wire/frame.ts'
import type { PeerRecord } from '../../src/wire/gossip.ts'
import { type Crowd, sign } from './crowd.ts'

/** What a packet costs beside what is in it: IPv4, and TCP with timestamps or UDP. */
const TCP = 52
const UDP = 28
const PROBE = 64
const SEGMENT = 1_448
const PADDED = [64, 128, 256, 512, 1_024]
/** A device looks at its deadline at least this often. */
const LOOK = 60_000
/** A kernel gives up what was not taken. */
const TRIES = 12

interface Frame {
  readonly kind: number
  readonly body: Uint8Array
  readonly hop: number
}

type Item = Frame | 'confirm' | 'end'

class End {
  readonly unit: Unit
  readonly run: number
  readonly address: string
  other!: End
  session = 0
  open = true
  /** When what was written last arrives. */
  last = 0
  readonly held: Item[] = []
  readonly hash8: Uint8Array

  constructor(unit: Unit, hash8: Uint8Array) {
    this.unit = unit
    this.hash8 = hash8
    this.run = unit.run
    this.address = unit.address
  }
}

export class Unit {
  readonly crowd: Crowd
  readonly number: number
  readonly id: string
  readonly onBattery: boolean
  address = ''
  mesh: Mesh | undefined
  awake = true
  /** Grows with each start and stop of the process. */
  run = 0
  /** At which hop it heard of the change that is followed. */
  hop = -1
  readonly ends = new Map<number, End>()
  readonly sent = { packets: 0, bytes: 0 }
  /** Bytes of bodies of frames. */
  received = 0
  /** Tokens of pings that were answered. */
  readonly pongs: number[] = []
  readonly counts = new Map<string, number>()
  readonly #rate: number
  readonly #offset: number
  readonly #dials = new Set<number>()
  /** The run of each peer that a session was had with last. */
  readonly #keys = new Map<string, number>()
  #slept = 0
  #sleptAt = 0
  #session = 0
  #wake = Infinity
  #unread: (() => void)[] = []

  constructor(
    crowd: Crowd,
    number: number,
    id: string,
    clock: { offset: number; rate: number },
    onBattery: boolean
  ) {
    this.crowd = crowd
    this.number = number
    this.id = id
    this.onBattery = onBattery
    this.#offset = clock.offset
    this.#rate = clock.rate
  }

  get running(): boolean {
    return this.mesh !== undefined
  }

  /** By its own monotonic clock. */
  get now(): number {
    return this.#offset + this.#rate * (this.crowd.now - this.#slept)
  }

  start(incarnation: number, records: readonly PeerRecord[] = []): void {
    if (this.mesh !== undefined) return
    this.run++
    const { crowd } = this
    const mesh = new Mesh({ self: this.id, random: crowd.random, incarnation, decode: crowd.decode })
    this.mesh = mesh
    this.#wake = Infinity
    mesh.setMembers(this.now, crowd.members)
    mesh.recall(this.now, records)
    mesh.setOnBattery(this.now, this.onBattery)
    this.tell(() => mesh.setOwnAddresses(this.now, [this.address]))
  }

  /** SIGTERM. */
  stop(): void {
    this.tell(mesh => mesh.stop(this.now))
    this.#exit()
  }

  /** SIGKILL: the kernel resets what was open. */
  kill(): void {
    for (const end of this.ends.values()) this.#write(end, 'end')
    this.#exit()
  }

  #exit(): void {
    this.mesh = undefined
    this.run++
    for (const end of this.ends.values()) end.open = false
    this.ends.clear()
    this.#dials.clear()
    this.#keys.clear()
    this.#unread.length = 0
  }

  /** Suspended, with a word or without one: its clock stands still. */
  sleep(word: boolean): void {
    if (word) this.tell(mesh => mesh.sleep(this.now))
    this.awake = false
    this.#sleptAt = this.crowd.now
  }

  wake(): void {
    this.#slept += this.crowd.now - this.#sleptAt
    this.awake = true
    this.#wake = Infinity
    this.tell(mesh => mesh.wake(this.now))
    for (const act of this.#unread.splice(0)) act()
    this.#arm()
  }

  moved(): void {
    this.tell(mesh => mesh.setOwnAddresses(this.now, [this.address]))
  }

  tell(input: (mesh: Mesh) => void, hop = -1): void {
    const { mesh } = this
    if (mesh === undefined) return
    if (!this.awake) {
      this.#unread.push(() => this.tell(input, hop))
      return
    }
    input(mesh)
    this.#drain(mesh, hop)
    this.#arm()
  }

  #drain(mesh: Mesh, hop: number): void {
    const packets = new Map<number, number>()
    for (let { outputs } = mesh.take(); outputs.length > 0; { outputs } = mesh.take())
      for (const output of outputs) this.#do(mesh, output, hop, packets)
    for (const [, length] of packets) this.#count(length)
  }

  #do(mesh: Mesh, output: Output, hop: number, packets: Map<number, number>): void {
    const { crowd } = this
    switch (output.type) {
      case 'send': {
        const end = this.ends.get(output.session)
        if (end === undefined) return
        packets.set(output.session, (packets.get(output.session) ?? 2) + 6 + output.body.length)
        const news = output.kind === Kind.Gossip ? this.hop : -1
        this.#write(end, { kind: output.kind, body: output.body, hop: news })
        break
      }
      case 'dial':
        this.#dials.add(output.attempt)
        this.#dial(output.attempt, output.peer, output.address)
        break
      case 'cancel':
        this.#dials.delete(output.attempt)
        break
      case 'close': {
        const end = this.ends.get(output.session)
        if (end === undefined) return
        this.ends.delete(output.session)
        if (output.reason !== undefined)
          this.#write(end, { kind: Kind.Close, body: Uint8Array.of(0, output.reason), hop: -1 })
        this.#write(end, 'end')
        end.open = false
        break
      }
      case 'sign':
        mesh.ownRecord(this.now, output.body, sign(output.body))
        break
      case 'verify':
        for (const { peer } of output.items)
          if (peer === crowd.followed.peer && this.hop < 0 && hop >= 0) this.#reached(hop + 1)
        mesh.verified(
          this.now,
          output.batch,
          output.items.map(() => true)
        )
        break
      case 'peer':
        if (output.peer.state === 'unreachable' && output.peer.reason !== 'isolated')
          crowd.judged(this, output.peer)
        break
      case 'pong':
        this.pongs.push(output.token)
        break
      case 'probe':
        for (const address of output.addresses) this.#probe(output.peer, output.probe, address)
        break
      case 'witness':
        for (const session of output.by) this.#witness(output.probe, output.peer, session)
        break
      case 'count':
        this.counts.set(output.what, (this.counts.get(output.what) ?? 0) + 1)
        break
    }
  }

  #reached(hop: number): void {
    const { followed, now } = this.crowd
    this.hop = hop
    followed.heard++
    followed.hops = Math.max(followed.hops, hop)
    followed.lastAt = now
  }

  /** A record of so many bytes of frames, padded, in packets. */
  #count(plain: number): void {
    const length = 18 + (PADDED.find(size => size >= plain) ?? plain)
    const packets = Math.ceil(length / SEGMENT)
    this.sent.packets += packets
    this.sent.bytes += length + packets * TCP
  }

  #write(end: End, item: Item): void {
    const { crowd } = this
    if (!end.open) return
    end.last = Math.max(end.last, crowd.now + crowd.streamDelay())
    crowd.wheel.after(end.last - crowd.now, () => this.#arrive(end, item, 0))
  }

  #arrive(end: End, item: Item, tries: number): void {
    const { crowd } = this
    const { other } = end
    const there = other.unit
    const mute = tries > 0 && !this.awake
    if (mute || !crowd.way(this, there) || there.address !== other.address || this.address !== end.address) {
      // in order, and again later
      if (tries === 0) end.held.push(item)
      if (end.held[0] !== item || tries > TRIES) return
      const wait = Math.min(15_000, RTO * 2 ** tries)
      crowd.wheel.after(wait, () => this.#arrive(end, item, tries + 1))
      return
    }
    if (tries === 0 && end.held.length > 0) {
      end.held.push(item)
      return
    }
    if (tries === 0) this.#deliver(end, item)
    else for (const each of end.held.splice(0)) this.#deliver(end, each)
  }

  #deliver(end: End, item: Item): void {
    const { other } = end
    const there = other.unit
    if (!other.open || other.run !== there.run) {
      // nobody is there: a reset comes back
      if (!end.open || end.run !== this.run) return
      const at = Math.max(other.last + 1, this.crowd.now + this.crowd.delay())
      this.crowd.wheel.after(at - this.crowd.now, () => this.#ended(end))
      return
    }
    if (item === 'end') there.#ended(other)
    else if (item === 'confirm') there.#open(other, 0)
    else {
      there.received += item.body.length
      there.tell(mesh => {
        if (other.open) mesh.receive(there.now, other.session, item.kind, item.body)
      }, item.hop)
    }
  }

  #ended(end: End): void {
    if (!end.open || end.run !== this.run) return
    end.open = false
    this.tell(mesh => {
      this.ends.delete(end.session)
      mesh.closed(this.now, end.session, 'reset')
    })
  }

  /** Connect is one round trip, the handshake another, a record confirms it. */
  #dial(attempt: number, peer: string, address: string): void {
    const { crowd } = this
    const { run } = this
    this.sent.packets++
    this.sent.bytes += TCP + 8
    const rtt = crowd.streamDelay() + crowd.streamDelay()
    const failed = (reason: string) => {
      if (this.run === run && this.#dials.delete(attempt))
        this.tell(mesh => mesh.dialFailed(this.now, attempt, reason))
    }
    crowd.wheel.after(rtt * 2, () => {
      const there = crowd.at(address)
      if (this.run !== run || !this.#dials.has(attempt)) return
      // the core stops waiting by itself
      if (there === undefined || !crowd.way(this, there) || !crowd.way(there, this)) return
      if (!there.running) {
        failed('refused')
        return
      }
      if (there.id !== peer) return
      this.#dials.delete(attempt)
      for (const [unit, bytes] of [
        [this, 600],
        [there, 500]
      ] as const) {
        unit.sent.packets += 4
        unit.sent.bytes += bytes + 4 * TCP
      }
      const hash8 = Uint8Array.from({ length: 8 }, () => crowd.random() * 256)
      const [mine, theirs] = [new End(this, hash8), new End(there, hash8)]
      mine.other = theirs
      theirs.other = mine
      this.#write(mine, 'confirm')
      this.#open(mine, rtt)
    })
  }

  #open(end: End, roundTrip: number): void {
    end.session = ++this.#session
    const there = end.other.unit
    this.#keys.set(there.id, there.run)
    this.tell(mesh => {
      this.ends.set(end.session, end)
      mesh.opened(this.now, {
        session: end.session,
        peer: there.id,
        address: roundTrip > 0 ? end.other.address : end.other.address.replace(/:\d+$/, ':50000'),
        local: end.address,
        outgoing: roundTrip > 0,
        bootId: `${there.number}-${there.run}`,
        hash8: end.hash8,
        roundTripUSec: roundTrip * 1_000
      })
    })
  }

  /** A datagram there and one back, each of which may be lost. Only sessions give keys for them. */
  #probe(peer: string, probe: number, address: string): void {
    const { crowd, run } = this
    const began = crowd.now
    const theirs = this.#keys.get(peer)
    if (theirs === undefined) {
      crowd.wheel.after(1, () => {
        if (this.run === run) this.tell(mesh => mesh.probeFailed(this.now, peer, probe, address, 'no-keys'))
      })
      return
    }
    this.#datagram(address, there => {
      const sealed = theirs === there.run && there.#keys.get(this.id) === run
      if (there.id !== peer || !there.running || !sealed) return
      const from = this.address
      there.tell(mesh => mesh.alive(there.now, this.id, from))
      there.#datagram(from, () => {
        if (this.run === run)
          this.tell(mesh => mesh.probed(this.now, peer, probe, address, (crowd.now - began) * 1_000))
      })
    })
  }

  /** The same by way of the other end of a session: four frames. */
  #witness(probe: number, peer: string, session: number): void {
    const { crowd, run } = this
    const by = this.ends.get(session)?.other.unit
    const target = crowd.unit(peer)
    const passed = by?.mesh?.session(peer)
    this.#count(60)
    if (by === undefined || passed === undefined || !this.#keys.has(peer)) return
    const hops = [this, by, target, by, this]
    const hop = (i: number): void => {
      const [from, to] = [hops[i]!, hops[i + 1]]
      if (to === undefined) {
        if (this.run === run) this.tell(mesh => mesh.witnessed(this.now, peer, probe, by.id))
        return
      }
      if (i > 0) from.#count(60)
      crowd.wheel.after(crowd.streamDelay(), () => {
        if (to.running && crowd.way(from, to)) hop(i + 1)
      })
    }
    hop(0)
  }

  #datagram(address: string, arrived: (there: Unit) => void): void {
    const { crowd } = this
    this.sent.packets++
    this.sent.bytes += PROBE + UDP
    if (crowd.lost()) return
    crowd.wheel.after(crowd.delay(), () => {
      const there = crowd.at(address)
      if (there !== undefined && crowd.way(this, there)) arrived(there)
    })
  }

  #arm(): void {
    const { mesh, crowd } = this
    if (mesh === undefined || !this.awake) return
    const wait = Math.min(LOOK, Math.max(1, Math.ceil((mesh.deadline - this.now) / this.#rate)))
    const at = crowd.now + wait
    if (at >= this.#wake) return
    this.#wake = at
    crowd.wheel.after(wait, () => {
      if (this.#wake !== at) return
      this.#wake = Infinity
      if (this.mesh === mesh && this.awake && mesh.deadline <= this.now)
        this.tell(core => core.expire(this.now))
      else this.#arm()
    })
  }
}

const RTO = 200
