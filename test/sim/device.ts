/**
 * One simulated device: a mesh core in a process on a computer that is plugged into LANs. It does what the
 * daemon does (carries frames, dials, signs, saves addresses), without cryptography: signatures are hashes.
 */
import { createHash } from 'node:crypto'
import { peerId } from '../../src/crypto/identity.ts'
import type { Output } from '../../src/mesh/mesh.ts'
import { Mesh } from '../../src/mesh/mesh.ts'
import { Kind } from '../../src/wire/frame.ts'
import type { End, Item, Network, Station } from './network.ts'
import type { World } from './world.ts'

/** How long a connect or a handshake that nobody answers is waited for. */
const CONNECT_LIMIT = 10_000
/** How long the side that answered waits for the first record. */
const HALF_OPEN_LIMIT = 5_000
const VERIFICATION = 1
/** Between what logind says and the sleep. */
const MOMENT = 250

export const keyOf = (name: string): Uint8Array => createHash('sha256').update(`device ${name}`).digest()

/** What stands for Ed25519 here: whoever has the key can make it, and everybody can check it. */
export function sign(key: Uint8Array, body: Uint8Array): Uint8Array {
  return createHash('sha512').update('signature').update(key).update(body).digest()
}

interface Dial {
  cancelled: boolean
  readonly run: number
}

export class Device implements Station {
  readonly name: string
  readonly id: string
  readonly key: Uint8Array
  readonly world: World
  readonly addresses = new Map<string, string>()
  /** Where members were reached before: what is on disk. */
  readonly known = new Map<string, Set<string>>()
  readonly counters = new Map<string, number>()
  mesh: Mesh | undefined
  /** Moments at which the core was told something, whole milliseconds of the world. */
  wakeUps = 0
  #toldAt = -1
  members: readonly string[] = []
  run = 0
  awake = true
  frozen = false
  /** Open sessions by number, and attempts under way. */
  readonly ends = new Map<number, End<Device>>()
  readonly dials = new Map<number, Dial>()
  /** Boots of peers that probes can be sealed for. */
  readonly keys = new Map<string, string>()
  /** A firewall lets no UDP through. */
  barred = false
  /** Clock: local = offset + rate × (time − asleep). */
  readonly #offset: number
  readonly #rate: number
  #slept = 0
  #sleptAt = 0
  #now = 0
  #session = 0
  #suspension = 0
  #wake = Infinity
  /** What happened while the process did not run. */
  readonly #unread: ((mesh: Mesh, now: number) => void)[] = []

  constructor(world: World, name: string, key: Uint8Array, clock: { offset: number; rate: number }) {
    this.world = world
    this.name = name
    this.key = key
    this.id = peerId(key)
    this.#offset = clock.offset
    this.#rate = clock.rate
  }

  get reading(): boolean {
    return this.awake && !this.frozen
  }

  get bootId(): string {
    return `${this.name}-${this.run}`
  }

  /** Monotonic, in milliseconds of this device. */
  get now(): number {
    const time = this.#offset + this.#rate * (this.world.clock.now - this.#slept)
    this.#now = Math.max(this.#now, time)
    return this.#now
  }

  start(): void {
    if (this.mesh !== undefined) return
    this.run++
    const { world } = this
    this.mesh = new Mesh({
      self: this.id,
      random: world.random,
      incarnation: 1 + Math.floor(world.clock.now)
    })
    this.#wake = Infinity
    this.tell((mesh, now) => {
      mesh.setMembers(now, this.members)
      for (const [peer, addresses] of this.known) mesh.offer(now, peer, [...addresses], 'known')
      mesh.setOwnAddresses(now, [...this.addresses.values()])
    })
  }

  /** SIGTERM. */
  stop(): void {
    this.tell((mesh, now) => mesh.stop(now))
    this.#exit()
  }

  /** SIGKILL: the kernel resets what was open. */
  kill(): void {
    for (const end of this.ends.values()) {
      end.open = false
      const { other } = end
      if (!other.open) this.world.network.forget(end.link)
      this.world.clock.after(this.world.network.delay(), () => {
        if (end.link.whole) other.reset()
      })
    }
    this.#exit()
  }

  #exit(): void {
    this.mesh = undefined
    this.#unread.length = 0
    this.run++
    this.ends.clear()
    this.dials.clear()
    this.keys.clear()
  }

  /** Suspended: nothing runs, its monotonic clock stands still. */
  sleep(): void {
    this.awake = false
    this.#sleptAt = this.world.clock.now
  }

  /** Suspended as logind does it: the process hears of it, and has a moment. */
  suspend(): void {
    const suspension = ++this.#suspension
    this.tell((mesh, now) => mesh.sleep(now))
    this.world.clock.after(MOMENT, () => {
      if (suspension === this.#suspension) this.sleep()
    })
  }

  /** Whatever kept it from running is over, and it notices. */
  resume(): void {
    this.#suspension++
    if (!this.awake) this.wake()
    if (this.frozen) this.thaw()
    this.tell((mesh, now) => mesh.wake(now))
  }

  wake(): void {
    this.#slept += this.world.clock.now - this.#sleptAt
    this.awake = true
    this.#resume()
  }

  /** SIGSTOP: the kernel runs on, and so does the clock. */
  freeze(): void {
    this.frozen = true
  }

  thaw(): void {
    this.frozen = false
    this.#resume()
  }

  #resume(): void {
    this.#wake = Infinity
    if (!this.reading) return
    for (const input of this.#unread.splice(0)) this.tell(input)
    this.#schedule()
    this.world.network.changed()
  }

  setMembers(ids: readonly string[]): void {
    this.members = ids
    this.tell((mesh, now) => mesh.setMembers(now, ids))
  }

  addressesChanged(): void {
    this.tell((mesh, now) => mesh.setOwnAddresses(now, [...this.addresses.values()]))
  }

  /** Gives the core an input, then does what it wants done. */
  tell(input: (mesh: Mesh, now: number) => void): void {
    const { mesh } = this
    if (mesh === undefined) return
    if (!this.reading) {
      this.#unread.push(input)
      return
    }
    const moment = Math.round(this.world.clock.now)
    if (moment !== this.#toldAt) this.wakeUps++
    this.#toldAt = moment
    input(mesh, this.now)
    this.#drain(mesh)
    this.world.check(this, mesh)
    this.#schedule()
  }

  #drain(mesh: Mesh): void {
    const { records, outputs } = mesh.take()
    for (const { peer, address } of records) {
      const addresses = this.known.get(peer) ?? new Set()
      this.known.set(peer, addresses.add(address))
    }
    for (const output of outputs) this.#do(mesh, output)
    if (outputs.length > 0) this.#drain(mesh)
  }

  #do(mesh: Mesh, output: Output): void {
    const { world } = this
    world.history(this, output)
    switch (output.type) {
      case 'dial':
        this.#dial(output.attempt, output.peer, output.address)
        break
      case 'cancel':
        this.#undial(output.attempt)
        break
      case 'send':
        this.ends.get(output.session)?.write({ kind: output.kind, body: output.body })
        break
      case 'close': {
        const end = this.ends.get(output.session)
        this.ends.delete(output.session)
        if (output.reason !== undefined)
          end?.write({ kind: Kind.Close, body: Uint8Array.of(0, output.reason) })
        end?.close()
        break
      }
      case 'sign':
        mesh.ownRecord(this.now, output.body, sign(this.key, output.body))
        break
      case 'verify': {
        const ok = output.items.map(({ peer, body, signature }) => {
          const key = world.keyOf(peer)
          return key !== undefined && Buffer.from(signature).equals(sign(key, body))
        })
        const run = this.run
        world.clock.after(VERIFICATION, () => {
          if (this.run === run) this.tell((core, now) => core.verified(now, output.batch, ok))
        })
        break
      }
      case 'probe':
        for (const address of output.addresses) this.#probe(output.probe, output.peer, address)
        break
      case 'witness':
        for (const session of output.by) this.#witness(output.probe, output.peer, session)
        break
      case 'count':
        this.counters.set(output.what, (this.counters.get(output.what) ?? 0) + 1)
        break
    }
  }

  /** To the core, if it is still the same one then. */
  #later(ms: number, input: (mesh: Mesh, now: number) => void): void {
    const { run } = this
    this.world.clock.after(ms, () => {
      if (this.run === run) this.tell(input)
    })
  }

  /** A sealed probe and its answer, by UDP. */
  #probe(probe: number, peer: string, address: string): void {
    const { world, run } = this
    const sentAt = world.clock.now
    const failed = (reason: string) => (mesh: Mesh, now: number) =>
      mesh.probeFailed(now, peer, probe, address, reason)
    if (!this.keys.has(peer)) {
      this.#later(0, failed('no-keys'))
      return
    }
    const left = world.network.datagram(this, address, (to, source) => {
      if (to.barred || this.barred) return
      const back = (input: (mesh: Mesh, now: number) => void): void => {
        world.network.datagram(to, source, () => {
          if (this.run === run) this.tell(input)
        })
      }
      if (to.mesh === undefined) back(failed('refused'))
      else
        to.tell((mesh, now) => {
          const sealed = to.keys.get(this.id) === this.bootId && this.keys.get(peer) === to.bootId
          if (to.id !== peer || !sealed) {
            mesh.expire(now)
            return
          }
          mesh.alive(now, this.id, source)
          back((mine, at) => mine.probed(at, peer, probe, address, 1 + 1_000 * (world.clock.now - sentAt)))
        })
    })
    if (!left) this.#later(0.1, failed('enetunreach'))
  }

  /** The same by way of the other end of a session: four hops over links. */
  #witness(probe: number, peer: string, session: number): void {
    const { world } = this
    const { clock, network } = world
    const by = this.ends.get(session)?.other.device
    if (by === undefined || this.keys.get(peer) === undefined) return
    const hop = (from: Device, to: Device, then: () => void): void => {
      clock.after(network.delay(), () => {
        const way = network.shared(from, to) !== undefined && network.passes(from, to)
        if (way && to.reading && to.mesh !== undefined) then()
      })
    }
    hop(this, by, () => {
      const target = by.mesh?.session(peer) === undefined ? undefined : world.running(peer)
      if (target === undefined) return
      hop(by, target, () =>
        hop(target, by, () =>
          hop(by, this, () => this.tell((mesh, now) => mesh.witnessed(now, peer, probe, by.id)))
        )
      )
    })
  }

  #undial(attempt: number): void {
    const dial = this.dials.get(attempt)
    if (dial !== undefined) dial.cancelled = true
    this.dials.delete(attempt)
  }

  /** Connect is one round trip, the handshake another; then the answerer waits for the first record. */
  #dial(attempt: number, peer: string, address: string): void {
    const { world } = this
    const { clock, network } = world
    const dial: Dial = { cancelled: false, run: this.run }
    this.dials.set(attempt, dial)
    const over = (reason: string) => () => {
      if (dial.cancelled || this.run !== dial.run) return
      this.dials.delete(attempt)
      this.tell((mesh, now) => mesh.dialFailed(now, attempt, reason))
    }
    if (this.addresses.size === 0) {
      clock.after(0.1, over('enetunreach'))
      return
    }
    const there = network.delay()
    const back = network.delay()
    clock.after(there, () => {
      const target = network.at(address)
      const lan = target === undefined ? undefined : network.shared(this, target)
      const passes = target === undefined || (network.passes(this, target) && network.passes(target, this))
      const lost = world.random() < network.options.loss || !passes
      const closed = lan !== undefined && network.natOf(lan)?.open.includes(target!.name) === false
      if (target === undefined || lan === undefined || !target.awake || lost || closed) {
        clock.after(CONNECT_LIMIT - there, over('timeout'))
        return
      }
      if (target.mesh === undefined) {
        clock.after(back, over('refused'))
        return
      }
      const link = network.link(this, target, lan)
      const answered = target.id === peer && target.reading && target.members.includes(this.id)
      clock.after(back * 2 + there, () => {
        if (dial.cancelled || this.run !== dial.run || !answered || !link.whole || !this.reading) {
          network.forget(link)
          if (!dial.cancelled) clock.after(CONNECT_LIMIT, over('silent'))
          return
        }
        this.dials.delete(attempt)
        const hash8 = Uint8Array.from({ length: 8 }, () => Math.floor(world.random() * 256))
        link.dialled.write('confirm')
        clock.after(HALF_OPEN_LIMIT, () => {
          if (!target.ends.has(link.accepted.session)) link.accepted.close()
        })
        link.accepted.onItem = item => target.#item(link.accepted, item, hash8)
        target.#attach(link.accepted)
        this.#attach(link.dialled)
        this.#opened(link.dialled, hash8, Math.max(1, Math.round((there + back) * 1000)))
      })
    })
  }

  #attach(end: End<Device>): void {
    const run = this.run
    if (end.run !== run) {
      end.open = false
      return
    }
    end.session = ++this.#session
    end.onClose = reason => {
      if (this.run !== run) return
      this.tell((mesh, now) => {
        this.ends.delete(end.session)
        mesh.closed(now, end.session, reason)
      })
    }
  }

  #opened(end: End<Device>, hash8: Uint8Array, roundTripUSec: number): void {
    this.ends.set(end.session, end)
    end.onItem = item => this.#item(end, item, hash8)
    const peer = end.other.device
    this.keys.set(peer.id, peer.bootId)
    this.tell((mesh, now) =>
      mesh.opened(now, {
        session: end.session,
        peer: peer.id,
        address: roundTripUSec > 0 ? end.remote : end.remote.replace(/:\d+$/, ':50000'),
        local: end.local,
        outgoing: roundTripUSec > 0,
        bootId: peer.bootId,
        hash8,
        roundTripUSec
      })
    )
  }

  #item(end: End<Device>, item: Item, hash8: Uint8Array): void {
    if (item === 'confirm') this.#opened(end, hash8, 0)
    else if (item !== 'end') {
      this.world.received(this, end, item.kind)
      this.tell((mesh, now) => mesh.receive(now, end.session, item.kind, item.body))
    }
  }

  #schedule(): void {
    const { mesh, world } = this
    if (mesh === undefined || !this.reading || mesh.deadline === Infinity) return
    const wait = Math.max(0, (mesh.deadline - this.now) / this.#rate)
    const at = world.clock.now + wait
    if (at >= this.#wake) return
    this.#wake = at
    world.clock.after(wait, () => {
      if (this.#wake !== at) return
      this.#wake = Infinity
      const due = mesh.deadline
      if (this.mesh !== mesh || !this.reading) return
      // the clock of the device may say a hair less than was waited for
      if (due - this.now < 1e-3) {
        this.#now = Math.max(this.#now, due)
        this.tell((core, now) => core.expire(now))
      } else this.#schedule()
    })
  }
}

export type { Network }
