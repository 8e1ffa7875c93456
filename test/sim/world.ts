/**
 * A world of mesh cores: devices on simulated LANs under one simulated clock. Everything that happens is
 * decided by the seed; `digest` is the SHA-256 of all of it.
 *
 *   const world = new World({ seed: 1 })
 *   world.add('a', 'b').plug('home', 'a', 'b').start('a', 'b')
 *   world.until(() => world.sees('a', 'b') === 'reachable')
 */
import { createHash } from 'node:crypto'
import type { Mesh, Output } from '../../src/mesh/mesh.ts'
import { generator } from '../random.ts'
import { Clock } from './clock.ts'
import { Device, keyOf } from './device.ts'
import type { End } from './network.ts'
import { Network } from './network.ts'

export interface WorldOptions {
  readonly seed: number
  /** One way; 0.2 to 0.4 ms when absent. */
  readonly latencyMs?: number
  readonly jitterMs?: number
  /** Share of frames sent again, and of attempts that time out. */
  readonly loss?: number
  /** Devices hear each other's announcements; yes when absent. */
  readonly discovery?: boolean
  /** Clocks differ by up to this share in rate, and in where they begin. */
  readonly skew?: number
}

/** Announced again after this, ± 20 %. */
const ANNOUNCE = 60_000

export class World {
  readonly clock = new Clock()
  readonly random: () => number
  readonly network: Network<Device>
  readonly options: WorldOptions
  readonly #devices = new Map<string, Device>()
  readonly #keys = new Map<string, Uint8Array>()
  readonly #names = new Map<string, string>()
  readonly #lans = new Map<string, number>()
  readonly #hash = createHash('sha256')
  readonly #shown = new Map<string, string>()
  #address = 0
  #lines = ''
  /** `<seconds> <device>: <peer> <state> <reason>`, as it changed. */
  readonly transcript: string[] = []
  /** Outputs so far, by type. */
  readonly outputs = new Map<string, number>()
  /** Frames that arrived, by `<device> <session>`; only while this is set. */
  onFrame: ((device: Device, end: End<Device>, kind: number) => void) | undefined
  onOutput: ((device: Device, output: Output) => void) | undefined

  constructor(options: WorldOptions) {
    this.options = options
    this.random = generator(options.seed)
    this.network = new Network({
      clock: this.clock,
      random: this.random,
      latencyMs: options.latencyMs ?? 0.2,
      jitterMs: options.jitterMs ?? 0.2,
      loss: options.loss ?? 0
    })
  }

  get devices(): ReadonlyMap<string, Device> {
    return this.#devices
  }

  device(name: string): Device {
    const device = this.#devices.get(name)
    if (device === undefined) throw new Error(`no device ${name}`)
    return device
  }

  mesh(name: string): Mesh {
    const { mesh } = this.device(name)
    if (mesh === undefined) throw new Error(`${name} is not running`)
    return mesh
  }

  /** The device of that id, if it runs. */
  running(peer: string): Device | undefined {
    for (const device of this.#devices.values())
      if (device.id === peer && device.mesh !== undefined) return device
    return undefined
  }

  keyOf(peer: string): Uint8Array | undefined {
    return this.#keys.get(peer)
  }

  /** New members of the circle; `twin` gives the first one the identity of another device. */
  add(...names: string[]): this {
    for (const name of names) this.#add(name, keyOf(name))
    return this
  }

  clone(name: string, of: string): this {
    this.#add(name, this.device(of).key)
    return this
  }

  #add(name: string, key: Uint8Array): void {
    const { skew = 0 } = this.options
    const clock = { offset: skew * 1e9 * this.random(), rate: 1 + skew * (2 * this.random() - 1) }
    const device = new Device(this, name, key, clock)
    this.#devices.set(name, device)
    this.#keys.set(device.id, key)
    this.#names.set(device.id, this.#names.get(device.id) ?? name)
    this.#everybody()
  }

  #everybody(): void {
    const ids = [...this.#keys.keys()]
    for (const device of this.#devices.values()) device.setMembers(ids)
  }

  /** Removed from the circle; all the others learn it at once. */
  remove(name: string): void {
    const gone = this.device(name)
    this.#keys.delete(gone.id)
    const ids = [...this.#keys.keys()]
    for (const device of this.#devices.values()) if (device !== gone) device.setMembers(ids)
  }

  /** Into a LAN, with a new address there. */
  plug(lan: string, ...names: string[]): this {
    for (const name of names) {
      const device = this.device(name)
      this.#unplug(device, lan)
      const address = this.#newAddress(lan)
      device.addresses.set(lan, address)
      this.network.plugged(address, device)
      device.addressesChanged()
      this.announce(name)
    }
    return this
  }

  /** Out of that LAN, or of all. */
  unplug(name: string, lan?: string): this {
    const device = this.device(name)
    for (const each of lan === undefined ? [...device.addresses.keys()] : [lan]) this.#unplug(device, each)
    device.addressesChanged()
    return this
  }

  #unplug(device: Device, lan: string): void {
    const address = device.addresses.get(lan)
    if (address === undefined) return
    device.addresses.delete(lan)
    this.network.unplugged(address)
  }

  /** From all LANs to another one: one change of addresses, as a roaming laptop has it. */
  move(name: string, lan: string): this {
    const device = this.device(name)
    for (const each of [...device.addresses.keys()]) this.#unplug(device, each)
    return this.plug(lan, name)
  }

  start(...names: string[]): this {
    for (const name of names) {
      const device = this.device(name)
      device.start()
      this.announce(name)
      this.#announceLater(device, device.run)
    }
    return this
  }

  cut(one: string, other: string): this {
    this.network.cut(this.device(one), this.device(other))
    return this
  }

  heal(one: string, other: string): this {
    this.network.heal(this.device(one), this.device(other))
    return this
  }

  /** Nothing passes from one to the other; the other way all is well. */
  block(from: string, to: string): this {
    this.network.block(this.device(from), this.device(to))
    return this
  }

  unblock(from: string, to: string): this {
    this.network.unblock(this.device(from), this.device(to))
    return this
  }

  /** Its cable is cut somewhere: no event, nobody reaches it, it reaches nobody. */
  cutOff(name: string): this {
    for (const other of this.#devices.keys()) if (other !== name) this.cut(name, other)
    return this
  }

  reconnect(name: string): this {
    for (const other of this.#devices.keys()) if (other !== name) this.heal(name, other)
    return this
  }

  /** `name` is told an address of `peer`. */
  offer(name: string, peer: string, source: 'static' | 'known' | 'announcement', addresses?: string[]): this {
    const other = this.device(peer)
    const told = addresses ?? [...other.addresses.values()]
    this.device(name).tell((mesh, now) => mesh.offer(now, other.id, told, source))
    return this
  }

  /** All on its LANs hear it, and it hears their answers. */
  announce(name: string): void {
    if (this.options.discovery === false) return
    const device = this.device(name)
    if (device.mesh === undefined || !device.reading) return
    for (const other of this.#devices.values()) {
      if (other === device) continue
      this.clock.after(this.network.delay(), () => {
        this.#hears(other, device)
        this.#hears(device, other)
      })
    }
  }

  #hears(device: Device, announcer: Device): void {
    const lan = this.network.shared(device, announcer)
    if (lan === undefined || announcer.mesh === undefined || !announcer.reading) return
    const address = announcer.addresses.get(lan)!
    device.tell((mesh, now) => mesh.offer(now, announcer.id, [address], 'announcement'))
  }

  #announceLater(device: Device, run: number): void {
    if (this.options.discovery === false) return
    this.clock.after(ANNOUNCE * (0.8 + 0.4 * this.random()), () => {
      if (device.run !== run) return
      this.announce(device.name)
      this.#announceLater(device, run)
    })
  }

  #newAddress(lan: string): string {
    const number = this.#lans.get(lan) ?? this.#lans.size + 1
    this.#lans.set(lan, number)
    const host = ++this.#address
    if (this.network.natOf(lan) !== undefined) return `tcp://10.${number}.${host}.1:24747`
    return `tcp://10.${number}.${Math.floor(host / 250) % 256}.${(host % 250) + 1}:24747`
  }

  /** State of a peer, and why, as `name` shows it: `reachable`, `unreachable timeout`. */
  sees(name: string, peer: string): string {
    const view = this.mesh(name).peers().get(this.device(peer).id)
    return view === undefined ? '' : `${view.state} ${view.reason}`.trimEnd()
  }

  /** All of them see each other. */
  all(...names: string[]): boolean {
    return names.every(name => names.every(other => name === other || this.sees(name, other) === 'reachable'))
  }

  run(ms: number): void {
    this.clock.run(this.clock.now + ms)
  }

  /** Runs until it holds; gives how long that took, or throws with the transcript. */
  until(holds: () => boolean, limitMs = 10_000): number {
    const begun = this.clock.now
    while (!holds()) {
      if (!this.clock.step(begun + limitMs))
        throw new Error(`not within ${limitMs} ms:\n${this.transcript.join('\n')}`)
    }
    return this.clock.now - begun
  }

  /** The transcript since last asked. */
  told(): string[] {
    return this.transcript.splice(0)
  }

  digest(): string {
    this.#flush()
    return this.#hash.copy().digest('hex')
  }

  #flush(): void {
    this.#hash.update(this.#lines)
    this.#lines = ''
  }

  history(device: Device, output: Output): void {
    this.outputs.set(output.type, (this.outputs.get(output.type) ?? 0) + 1)
    this.#lines += `${this.clock.now} ${device.name} ${line(output)}\n`
    if (this.#lines.length > 65_536) this.#flush()
    this.onOutput?.(device, output)
    if (output.type !== 'peer') return
    const { id, state, reason } = output.peer
    const text = `${device.name}: ${this.#names.get(id)} ${state} ${reason}`.trimEnd()
    const key = `${device.name} ${id}`
    if (this.#shown.get(key) === text) return
    this.#shown.set(key, text)
    this.transcript.push(`${(this.clock.now / 1000).toFixed(3)} ${text}`)
  }

  received(device: Device, end: End<Device>, kind: number): void {
    this.onFrame?.(device, end, kind)
  }

  /** Holds after every input of every core. */
  check(device: Device, mesh: Mesh): void {
    for (const [id, view] of mesh.peers()) {
      const session = mesh.session(id)
      if (view.state === 'reachable' && (session === undefined || !device.ends.has(session))) {
        throw new Error(`${device.name} shows ${this.#names.get(id)} reachable without an open session`)
      }
      if (session !== undefined && !device.ends.has(session)) {
        throw new Error(`${device.name} would write to a session that is closed`)
      }
    }
    if (mesh.deadline <= device.now) throw new Error(`${device.name} has a deadline in the past`)
    const { records, outputs } = mesh.take()
    if (records.length + outputs.length > 0) throw new Error(`${device.name} has more to give`)
  }
}

/** One output as text; the history has millions of them. */
function line(output: Output): string {
  switch (output.type) {
    case 'send':
      return `send ${output.session} ${output.kind} ${output.body.length > 12 ? output.body.length : output.body.join()}`
    case 'close':
      return `close ${output.session} ${output.reason}`
    case 'verify':
      return `verify ${output.batch} ${output.items.length}`
    case 'sign':
      return `sign ${output.body.length}`
    default:
      return JSON.stringify(output)
  }
}
